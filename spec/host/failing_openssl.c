/*
 * OpenSSL's memory runs out, at each allocation in turn, in a whole
 * conversation: of keys and digests, and of two connections by TLS.
 *
 *     failing_openssl [STEP]    every STEP-th
 */
#include "scene.h"

#include <openssl/crypto.h>

static long asked, failing = -1; /* allocations so far; which of them fails */
static bool failed;

static bool
fails(void)
{
    if (failing < 0 || asked++ != failing)
        return false;
    failed = true;
    return true;
}

static void *
give(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return size == 0 || fails() ? NULL : malloc(size);
}

static void
take(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    free(p);
}

static void *
resize(void *p, size_t size, const char *file, int line)
{
    if (size > 0)
        return fails() ? NULL : realloc(p, size);
    take(p, file, line);
    return NULL;
}

static void
arm(struct memory *m, long n)
{
    (void)m;
    asked = 0;
    failing = n;
    failed = false;
}

static bool
disarm(struct memory *m)
{
    (void)m;
    failing = -1;
    return failed;
}

int
main(int argc, char **argv)
{
    const struct failure f = { arm, disarm, .harmless = false };
    long tried;

    CHECK(CRYPTO_set_mem_functions(give, resize, take) == 1);
    tried = play_all(&f, step_of(argc, argv));
    printf("in a conversation, %ld allocations of OpenSSL's failed\n", tried);
    CHECK(tried > 5);
    return check_report();
}
