/*
 * A doubly linked list whose nodes live inside what they link.  A node that is
 * all zero is in no list; the list itself is a node too, made empty by
 * weft_list_init().
 */
#ifndef WEFT_BASE_LIST_H
#define WEFT_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct weft_node {
    struct weft_node *next, *prev;
};

/* The struct around one of its members. */
#define WEFT_CONTAINER(pointer, type, member) \
    ((type *)(void *)((char *)(pointer) - offsetof(type, member)))

static inline void
weft_list_init(struct weft_node *list)
{
    list->next = list->prev = list;
}

static inline bool
weft_list_empty(const struct weft_node *list)
{
    return list->next == list;
}

static inline bool
weft_node_linked(const struct weft_node *n)
{
    return n->next != NULL;
}

/* Puts n at the end, unless it is in a list already. */
static inline void
weft_list_add(struct weft_node *list, struct weft_node *n)
{
    if (weft_node_linked(n))
        return;
    n->prev = list->prev;
    n->next = list;
    list->prev->next = n;
    list->prev = n;
}

/* Takes n out of whatever list it is in, if any. */
static inline void
weft_node_unlink(struct weft_node *n)
{
    if (!weft_node_linked(n))
        return;
    n->prev->next = n->next;
    n->next->prev = n->prev;
    n->next = n->prev = NULL;
}

/* Takes out and returns the first node, or NULL. */
static inline struct weft_node *
weft_list_take(struct weft_node *list)
{
    struct weft_node *n = list->next;

    if (n == list)
        return NULL;
    weft_node_unlink(n);
    return n;
}

/* Moves all of `from` to the end of `to`; `from` is then empty. */
static inline void
weft_list_move(struct weft_node *to, struct weft_node *from)
{
    if (weft_list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    weft_list_init(from);
}

#endif
