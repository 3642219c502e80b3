/*
 * What a room says in a turn, gathered: short messages stand one behind the
 * other in a chunk, and whoever takes them as they are gets all of it at once,
 * mostly in one call of the system, when the turn ends.
 *
 * A loop gathers for one room at a time.  Members that it does not gather for
 * are set apart, and sent to one by one: those that mask or compress, that speak
 * events, that are nearly full or wait for their socket, that write a message in
 * pieces; and whoever is to be sent something else, closes, or is asked for its
 * backlog meanwhile (see weft_link_catch_up()).  So everybody gets everything in
 * the order in which it was sent.
 */
#ifndef WEFT_LOOP_POST_H
#define WEFT_LOOP_POST_H

#include "loop/room.h"

/*
 * Gathers for this room from here on, if it does not yet, and has a place for
 * the letter.  False: not this one, or memory is out (nobody may be left in the
 * room then); what was gathered has been queued, whatever room it was for.
 */
bool weft_post_open(struct weft_room *r, const struct weft_letter *letter);

/* Adds the letter, after weft_post_open(): how many members will get it. */
size_t weft_post_add(struct weft_room *r, const struct weft_letter *letter);

/* The member gets what was gathered, and is sent to by itself until the turn
 * ends.  Its link may end in here: memory may be out. */
void weft_post_set_apart(struct weft_membership *m);

/* It has joined: what was gathered is not for it. */
void weft_post_join(struct weft_membership *m);

/* It leaves the room, without what was gathered. */
void weft_post_forget(struct weft_membership *m);

#endif
