/* prekey: a signed prekey is opened as it was made and in no other form, and is good for one account and
 * one key. */
#include "broker/wire/prekey.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

static uint8_t sk[64], other_sk[64];
static struct signing_pk pk, other_pk;
static struct account_id account = {{1, 2, 3}};
static struct arena arena;

static void start(void)
{
    static const uint8_t seed[32] = "the seed of a device's own key",
                         other_seed[32] = "and that of another one";
    cr_assert_geq(sodium_init(), 0);
    crypto_sign_seed_keypair(pk.bytes, sk, seed);
    crypto_sign_seed_keypair(other_pk.bytes, other_sk, other_seed);
}

static void end(void)
{
    arena_fini(&arena);
}

TestSuite(prekey, .init = start, .fini = end);

static struct msg_prekey_body body_make(void)
{
    static const uint8_t scalar[32] = {7, 7};
    struct msg_prekey_body body = {
        .device = {{4}}, .id = 9, .made_ms = 1700000000000u, .key_version = 3, .head = {{5}}};
    crypto_scalarmult_base(body.key.bytes, scalar);
    return body;
}

static bool is_zero(const struct msg_signed_prekey *p, const struct msg_prekey_body *body)
{
    return sodium_is_zero((const uint8_t *)p, sizeof *p) == 1 &&
           sodium_is_zero((const uint8_t *)body, sizeof *body) == 1;
}

static enum status open_bytes(struct view bytes, struct msg_signed_prekey *p)
{
    struct msg_prekey_body body;
    memset(p, 1, sizeof *p);
    enum status s = prekey_open(bytes, &arena, p, &body);
    cr_assert(s == STATUS_OK || is_zero(p, &body));
    return s;
}

static enum status open_body(const struct msg_prekey_body *body)
{
    struct msg_signed_prekey p;
    struct buffer bytes = {0};
    prekey_make(account, body, sk, &bytes);
    enum status s = open_bytes(buffer_view(&bytes), &p);
    buffer_fini(&bytes);
    return s;
}

Test(prekey, comes_back_as_it_was_made_and_is_the_devices)
{
    struct msg_prekey_body body = body_make(), back;
    struct msg_signed_prekey p;
    struct buffer bytes = {0};
    body.last_resort = true;
    prekey_make(account, &body, sk, &bytes);
    cr_assert_leq(bytes.len, PREKEY_LEN_MAX);
    cr_assert_eq(prekey_open(buffer_view(&bytes), &arena, &p, &back), STATUS_OK);
    cr_assert(device_equal(back.device, body.device) && back.id == 9 && back.last_resort);
    cr_assert(back.made_ms == body.made_ms && back.key_version == 3);
    cr_assert_eq(memcmp(&back.key, &body.key, 32) | memcmp(&back.head, &body.head, 32), 0);
    cr_assert(prekey_signed_by(account, &p, &pk));
    buffer_fini(&bytes);
}

/* The bytes that stand in PROTOCOL 6.4, by hand. */
Test(prekey, signs_label_account_and_body)
{
    struct msg_prekey_body body = body_make();
    struct msg_signed_prekey p;
    struct buffer bytes = {0}, text = {0};
    prekey_make(account, &body, sk, &bytes);
    cr_assert_eq(open_bytes(buffer_view(&bytes), &p), STATUS_OK);
    write_bytes(&text, "sealmq prekey 1", 16);
    write_bytes(&text, account.bytes, 32);
    write_view(&text, p.body);
    cr_assert_eq(crypto_sign_verify_detached(p.signature.bytes, text.at, text.len, pk.bytes), 0);
    buffer_fini(&bytes);
    buffer_fini(&text);
}

Test(prekey, is_not_another_keys_or_another_accounts)
{
    struct msg_prekey_body body = body_make();
    struct msg_signed_prekey p;
    struct buffer bytes = {0};
    struct account_id other = account;
    other.bytes[31] ^= 1;
    prekey_make(account, &body, sk, &bytes);
    cr_assert_eq(open_bytes(buffer_view(&bytes), &p), STATUS_OK);
    cr_assert_not(prekey_signed_by(account, &p, &other_pk));
    cr_assert_not(prekey_signed_by(other, &p, &pk));
    cr_assert(prekey_signed_by(account, &p, &pk));
    buffer_fini(&bytes);
}

Test(prekey, with_any_bit_flipped_is_refused)
{
    struct msg_prekey_body body = body_make();
    struct msg_signed_prekey p;
    struct buffer bytes = {0};
    prekey_make(account, &body, sk, &bytes);
    for (size_t i = 0; i < bytes.len; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            bytes.at[i] ^= (uint8_t)(1u << bit);
            bool taken = open_bytes(buffer_view(&bytes), &p) == STATUS_OK &&
                         prekey_signed_by(account, &p, &pk);
            cr_assert_not(taken, "byte %zu bit %u", i, bit);
            bytes.at[i] ^= (uint8_t)(1u << bit);
        }
    for (size_t len = 0; len < bytes.len; len++)
        cr_assert_neq(open_bytes(view_of(bytes.at, len), &p), STATUS_OK);
    buffer_fini(&bytes);
}

Test(prekey, has_an_id_and_a_key_that_is_one)
{
    struct msg_prekey_body body = body_make();
    cr_assert_eq(open_body(&body), STATUS_OK);
    body.id = 0;
    cr_assert_eq(open_body(&body), STATUS_BAD_ENTRY);
    body = body_make();
    memset(body.key.bytes, 0, 32);
    cr_assert_eq(open_body(&body), STATUS_BAD_ENTRY);
    body.key.bytes[0] = 1;
    cr_assert_eq(open_body(&body), STATUS_BAD_ENTRY, "of small order");
}

/* A field that this version does not know, in the body or beside it. */
Test(prekey, says_nothing_that_its_reader_does_not_know)
{
    struct msg_prekey_body body = body_make();
    struct msg_signed_prekey p;
    struct buffer bytes = {0}, longer = {0}, inner = {0};
    prekey_make(account, &body, sk, &bytes);
    write_view(&inner, buffer_view(&bytes));
    write_u8(&inner, 0x78);
    write_u8(&inner, 1);
    cr_assert_eq(open_bytes(buffer_view(&inner), &p), STATUS_BAD_ENTRY);
    cr_assert_eq(open_bytes(buffer_view(&bytes), &p), STATUS_OK);
    buffer_clear(&inner);
    write_view(&inner, p.body);
    write_u8(&inner, 0x78);
    write_u8(&inner, 1);
    p.body = buffer_view(&inner);
    codec_encode(&msg_signed_prekey_desc, &p, &longer);
    cr_assert_eq(open_bytes(buffer_view(&longer), &p), STATUS_BAD_ENTRY);
    buffer_fini(&bytes);
    buffer_fini(&longer);
    buffer_fini(&inner);
}
