/*
 * base/crypto.h: the RFCs' examples of base64 and of the accept key, keys,
 * random bytes.
 */
#include "base/crypto.h"

#include "check.h"

/* RFC 6455, 1.3 */
static void
accept_key_of_the_rfc(void)
{
    struct weft_digest digest = { NULL, NULL };
    char out[29];

    for (int i = 0; i < 4; i++) { /* with and without a digest that is kept */
        CHECK(weft_accept_key(i % 2 == 0 ? NULL : &digest,
                              "dGhlIHNhbXBsZSBub25jZQ==", 24, out) == WEFT_OK);
        CHECK(strcmp(out, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") == 0);
    }
    weft_digest_deinit(&digest);
    CHECK(digest.sha1 == NULL && digest.context == NULL);
    weft_digest_deinit(&digest);
}

static void
new_keys_differ(void)
{
    struct weft_random r = { 0 };
    char a[25], b[25];

    CHECK(weft_new_key(&r, a) == WEFT_OK);
    CHECK(weft_new_key(&r, b) == WEFT_OK);
    CHECK(strlen(a) == 24 && strlen(b) == 24);
    CHECK(strcmp(a + 22, "==") == 0);
    CHECK(strcmp(a, b) != 0);
}

/* A repeat among 5,000 draws of 8 random bytes does not happen. */
static void
no_byte_is_handed_out_twice(void)
{
    static uint64_t drawn[5000];
    struct weft_random r = { 0 };
    int same = 0, n = (int)(sizeof(drawn) / sizeof(drawn[0]));

    for (int i = 0; i < n; i++)
        CHECK(weft_random_bytes(&r, &drawn[i], 8) == WEFT_OK);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < i; j++)
            same += drawn[i] == drawn[j];
    CHECK(same == 0);
}

static void
the_pool_serves_any_size_up_to_its_own(void)
{
    struct weft_random r = { 0 };
    uint8_t bytes[1024];

    CHECK(weft_random_bytes(&r, bytes, 3) == WEFT_OK);
    CHECK(r.left == 1021);
    CHECK(weft_random_bytes(&r, bytes, 1024) == WEFT_OK);
    CHECK(r.left == 0);
    CHECK(weft_random_bytes(&r, bytes, 0) == WEFT_OK);
    CHECK(weft_random_bytes(&r, bytes, 1) == WEFT_OK);
    CHECK(r.left == 1023);
}

static void
what_was_handed_out_is_wiped(void)
{
    struct weft_random r = { 0 };
    uint8_t bytes[64];
    int left_behind = 0;

    CHECK(weft_random_bytes(&r, bytes, sizeof(bytes)) == WEFT_OK);
    for (size_t i = 0; i < sizeof(bytes); i++)
        left_behind += r.pool[i] != 0;
    CHECK(left_behind == 0);
}

/* RFC 4648, 10, and RFC 7617, 2 */
static void
base64_of_the_rfcs(void)
{
    static const char *const plain[] = {
        "", "f", "fo", "foo", "foob", "fooba", "foobar",
        "Aladdin:open sesame", "test:123\xC2\xA3",
    };
    static const char *const encoded[] = {
        "", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy",
        "QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "dGVzdDoxMjPCow==",
    };

    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
        size_t len = strlen(plain[i]);
        char to[40];

        memset(to, 'x', sizeof(to));
        weft_base64(plain[i], len, to);
        CHECK(strcmp(to, encoded[i]) == 0);
        CHECK(strlen(to) + 1 == WEFT_BASE64_SIZE(len));
        CHECK(to[WEFT_BASE64_SIZE(len)] == 'x');
    }
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
        uint8_t to[40];
        size_t got;

        CHECK(weft_unbase64(encoded[i], strlen(encoded[i]), to, &got));
        CHECK(got == strlen(plain[i]) && memcmp(to, plain[i], got) == 0);
    }
}

static void
base64_comes_back(void)
{
    uint8_t bytes[256], back[256];
    char text[WEFT_BASE64_SIZE(256)];
    size_t got;

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 167 + 13);
    for (size_t len = 0; len <= sizeof(bytes); len++) {
        weft_base64(bytes, len, text);
        CHECK(weft_unbase64(text, strlen(text), back, &got));
        CHECK(got == len && memcmp(back, bytes, len) == 0);
    }
}

/* RFC 4648, 3.3 to 3.5 */
static void
what_is_no_base64_is_refused(void)
{
    static const char *const wrong[] = {
        "Z", "Zg", "Zg=", "Zm9", "====", "Z===", "=g==", "Zg=A", "Zh==",
        "Zm9=", "Zm9v\n", " Zm9v", "Zm9-", "Zm9_", "Zg==Zg==", "Zm\x80v",
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        uint8_t to[40];
        size_t got;

        CHECK(!weft_unbase64(wrong[i], strlen(wrong[i]), to, &got));
    }
}

int
main(void)
{
    base64_of_the_rfcs();
    base64_comes_back();
    what_is_no_base64_is_refused();
    accept_key_of_the_rfc();
    new_keys_differ();
    no_byte_is_handed_out_twice();
    the_pool_serves_any_size_up_to_its_own();
    what_was_handed_out_is_wiped();
    return check_report();
}
