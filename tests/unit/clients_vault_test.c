/* vault: what was sealed opens in its own place, under its own key, unchanged; and nowhere else. */
#include "clients/state/vault.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

#define LABEL "inbox.body"

static const struct view ROW = {(const uint8_t *)"row one", 7};
static const struct view TEXT = {(const uint8_t *)"a text that is kept", 19};

static struct vault *vault_of(uint8_t n)
{
    uint8_t key[VAULT_KEY_LEN];
    memset(key, n, sizeof key);
    return vault_new(key);
}

/* TEXT in its place. */
struct sealed {
    uint8_t bytes[19 + VAULT_OVERHEAD];
};

static struct sealed seal(const struct vault *v)
{
    struct sealed s;
    vault_seal(v, LABEL, ROW, TEXT, s.bytes);
    return s;
}

static struct view view_sealed(const struct sealed *s)
{
    return view_of(s->bytes, sizeof s->bytes);
}

static void must_refuse(const struct vault *v, const char *label, struct view row, struct view sealed)
{
    static const uint8_t zeros[19];
    uint8_t out[19];
    memset(out, 0x55, sizeof out);
    cr_assert_eq(vault_open(v, label, row, sealed, out), STATUS_DAMAGED);
    if (sealed.len == sizeof(struct sealed)) cr_assert_eq(memcmp(out, zeros, sizeof out), 0, "nothing is given");
}

Test(vault, opens_what_it_sealed_also_after_it_was_made_anew)
{
    uint8_t out[19];
    struct vault *v = vault_of(1);
    struct sealed s = seal(v);
    vault_free(&v);
    cr_assert_null(v);
    v = vault_of(1);
    cr_assert_eq(vault_open(v, LABEL, ROW, view_sealed(&s), out), STATUS_OK);
    cr_assert(view_equal(view_of(out, sizeof out), TEXT));
    vault_free(&v);
    vault_free(&v);
}

Test(vault, each_byte_counts)
{
    struct vault *v = vault_of(1);
    for (size_t i = 0; i < sizeof(struct sealed); i++) {
        struct sealed s = seal(v);
        s.bytes[i] ^= 0x01;
        must_refuse(v, LABEL, ROW, view_sealed(&s));
    }
    vault_free(&v);
}

Test(vault, each_length_but_its_own_is_refused)
{
    struct vault *v = vault_of(1);
    struct sealed s = seal(v);
    for (size_t len = 0; len < sizeof s.bytes; len++)
        must_refuse(v, LABEL, ROW, view_of(s.bytes, len));
    vault_free(&v);
}

Test(vault, another_key_label_or_row_is_refused)
{
    struct vault *v = vault_of(1), *other = vault_of(2);
    struct sealed s = seal(v);
    must_refuse(other, LABEL, ROW, view_sealed(&s));
    must_refuse(v, "body.payload", ROW, view_sealed(&s));
    must_refuse(v, "inbox.bod", ROW, view_sealed(&s));
    must_refuse(v, LABEL, view_of("row two", 7), view_sealed(&s));
    must_refuse(v, LABEL, view_of("row one", 6), view_sealed(&s));
    must_refuse(v, LABEL, view_of(NULL, 0), view_sealed(&s));
    vault_free(&v);
    vault_free(&other);
}

Test(vault, seals_nothing_too_and_then_it_is_only_a_proof_of_the_key)
{
    uint8_t sealed[VAULT_OVERHEAD], out[1] = {0x55};
    struct vault *v = vault_of(1), *other = vault_of(2);
    vault_seal(v, LABEL, ROW, view_of(NULL, 0), sealed);
    cr_assert_eq(vault_open(v, LABEL, ROW, view_of(sealed, sizeof sealed), out), STATUS_OK);
    cr_assert_eq(vault_open(other, LABEL, ROW, view_of(sealed, sizeof sealed), out), STATUS_DAMAGED);
    cr_assert_eq(out[0], 0x55);
    vault_free(&v);
    vault_free(&other);
}

Test(vault, seals_the_same_differently_each_time_and_shows_nothing_of_it)
{
    struct vault *v = vault_of(1);
    struct sealed a = seal(v), b = seal(v);
    cr_assert_neq(memcmp(a.bytes, b.bytes, 24), 0, "the nonce");
    cr_assert_neq(memcmp(a.bytes + 24, b.bytes + 24, 19), 0);
    cr_assert_null(memmem(a.bytes, sizeof a.bytes, TEXT.at, 8));
    vault_free(&v);
}

/* Homes of today must open tomorrow: the bytes are those of "sealmq vault 1" ‖ 0 ‖ label through HKDF. */
Test(vault, derives_its_keys_as_it_is_written)
{
    uint8_t key[32], home[32], out[19];
    struct sealed s;
    struct vault *v = vault_of(7);
    crypto_auth_hmacsha256_state state;
    memset(home, 0, sizeof home);
    crypto_auth_hmacsha256_init(&state, home, sizeof home); /* extract, with the salt of zeros */
    memset(home, 7, sizeof home);
    crypto_auth_hmacsha256_update(&state, home, sizeof home);
    crypto_auth_hmacsha256_final(&state, key);
    crypto_auth_hmacsha256_init(&state, key, sizeof key); /* expand */
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)"sealmq vault 1\0inbox.body\x01", 26);
    crypto_auth_hmacsha256_final(&state, key);
    randombytes_buf(s.bytes, 24);
    cr_assert_eq(crypto_aead_xchacha20poly1305_ietf_encrypt(s.bytes + 24, NULL, TEXT.at, TEXT.len, ROW.at,
                                                            ROW.len, NULL, s.bytes, key), 0);
    cr_assert_eq(vault_open(v, LABEL, ROW, view_sealed(&s), out), STATUS_OK);
    cr_assert(view_equal(view_of(out, sizeof out), TEXT));
    vault_free(&v);
}
