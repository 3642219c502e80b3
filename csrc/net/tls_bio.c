/*
 * The ends of OpenSSL that carry ciphertext: it takes what was kept, then what
 * is lent, and puts what it writes where the filter says.  It must not know
 * what the bytes mean.
 *
 * OpenSSL is given whole records only.  It would take a buffer of its own, of
 * more than 16 KiB, for the first byte of one, and keep it until the last; and
 * so there is never a part of a record that looks like something to be read.
 */
#include "net/tls_inner.h"

#include <openssl/bio.h>
#include <string.h>

/*
 * What may wait in `pending` after the handshake, besides what the caller put
 * there.  A peer can make this side answer (key updates, refused
 * renegotiations) and never read the answers.
 */
enum {
    MOST_ANSWERS = 64 << 10,
    HEADER = 5,                       /* RFC 8446, 5.1 */
    LARGEST = HEADER + 16384 + 2048,  /* RFC 5246, 6.2.3 */
};

/* The next record's header, of which all is there; in `room` when it lies in
   two places. */
static const uint8_t *
peek(const struct weft_tls *t, uint8_t room[HEADER])
{
    size_t n = weft_buf_len(&t->kept);

    if (n == 0)
        return t->lent;
    if (n >= HEADER)
        return weft_buf_head(&t->kept);
    memcpy(room, weft_buf_head(&t->kept), n);
    memcpy(room + n, t->lent, HEADER - n);
    return room;
}

/* The size of the next record if it is whole, else 0; what is no record at all
   passes as it is, for OpenSSL to say what is wrong with it. */
static size_t
whole_record(const struct weft_tls *t)
{
    size_t waiting = weft_buf_len(&t->kept) + t->lent_len, size;
    uint8_t room[HEADER];
    const uint8_t *header;

    if (waiting < HEADER)
        return 0;
    header = peek(t, room);
    size = HEADER + weft_load16(header + 3);
    if (header[0] < SSL3_RT_CHANGE_CIPHER_SPEC ||
        header[0] > SSL3_RT_APPLICATION_DATA ||
        header[1] != SSL3_VERSION_MAJOR || size > LARGEST)
        return waiting;
    return size <= waiting ? size : 0;
}

bool
weft_tls_next_record(struct weft_tls *t)
{
    if (t->whole == 0)
        t->whole = whole_record(t);
    return t->whole > 0;
}

static size_t
take(struct weft_tls *t, char *to, size_t len)
{
    size_t n = weft_buf_len(&t->kept);

    if (n > 0) {
        n = n < len ? n : len;
        memcpy(to, weft_buf_head(&t->kept), n);
        weft_buf_consume(&t->kept, n);
        if (weft_buf_len(&t->kept) == 0)
            weft_buf_deinit(&t->kept);
        return n;
    }
    n = t->lent_len < len ? t->lent_len : len;
    memcpy(to, t->lent, n);
    t->lent += n;
    t->lent_len -= n;
    return n;
}

static int
bio_read(BIO *bio, char *to, size_t len, size_t *taken)
{
    struct weft_tls *t = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    *taken = 0;
    while (*taken < len && weft_tls_next_record(t)) {
        size_t n = len - *taken < t->whole ? len - *taken : t->whole;

        n = take(t, to + *taken, n);
        t->whole -= n;
        *taken += n;
    }
    if (*taken > 0)
        return 1;
    BIO_set_retry_read(bio);
    return 0;
}

/* Counts an answer of len bytes; false when the peer lets too many wait. */
static bool
may_answer(struct weft_tls *t, size_t len)
{
    if (t->state == WEFT_TLS_SHAKING)
        return true;
    if (weft_buf_len(&t->pending) == 0)
        t->answers = 0;
    t->answers += len;
    t->flooded = t->answers > MOST_ANSWERS;
    return !t->flooded;
}

static int
bio_write(BIO *bio, const char *from, size_t len, size_t *written)
{
    struct weft_tls *t = BIO_get_data(bio);
    struct weft_buf *to = t->out != NULL ? t->out : &t->pending;

    BIO_clear_retry_flags(bio);
    *written = 0;
    if (t->out == NULL && !may_answer(t, len))
        return 0;
    if (weft_buf_add(to, from, len) != WEFT_OK) {
        t->no_memory = true;
        return 0;
    }
    *written = len;
    return 1;
}

static long
bio_ctrl(BIO *bio, int what, long number, void *pointer)
{
    (void)bio, (void)number, (void)pointer;
    switch (what) {
    case BIO_CTRL_FLUSH:
    case BIO_CTRL_DUP:
        return 1;
    default:
        return 0; /* no end, no position, nothing pending, no kernel TLS */
    }
}

static int
bio_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

BIO_METHOD *
weft_tls_bio_method(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "weft");

    if (m != NULL &&
        BIO_meth_set_read_ex(m, bio_read) == 1 &&
        BIO_meth_set_write_ex(m, bio_write) == 1 &&
        BIO_meth_set_ctrl(m, bio_ctrl) == 1 &&
        BIO_meth_set_create(m, bio_create) == 1)
        return m;
    BIO_meth_free(m);
    return NULL;
}
