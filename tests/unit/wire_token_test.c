/* token: opened as it was made and in no other form; good for one handle, account and relay, by a key that counts. */
#include "broker/wire/token.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

static uint8_t sk[64], other_sk[64];
static struct product_keys keys, others;
static struct arena arena;

static void start(void)
{
    static const uint8_t seed[32] = "the seed of a product's own key", other_seed[32] = "and that of another one";
    cr_assert_geq(sodium_init(), 0);
    keys.count = others.count = 1;
    crypto_sign_seed_keypair(keys.keys[0].bytes, sk, seed);
    crypto_sign_seed_keypair(others.keys[0].bytes, other_sk, other_seed);
}

static void end(void)
{
    arena_fini(&arena);
}

TestSuite(token, .init = start, .fini = end);

static struct msg_token_body body_make(void)
{
    return (struct msg_token_body){.handle = view_of("ann", 3), .account = {{1}}, .expires_ms = 5000, .relay = {{2}}};
}

static struct token_claim claim_make(void)
{
    return (struct token_claim){.handle = view_of("ann", 3), .account = {{1}}, .relay = {{2}}, .now_ms = 5000};
}

static struct view made(const struct msg_token_body *body, const uint8_t by[64])
{
    struct buffer bytes = {0};
    token_make(body, by, &bytes);
    struct view copy = arena_copy(&arena, buffer_view(&bytes));
    buffer_fini(&bytes);
    return copy;
}

Test(token, comes_back_as_it_was_made_and_fits_its_places)
{
    char handle[HANDLE_LEN_MAX], text[TOKEN_TEXT_MAX + 1];
    uint8_t parsed[TOKEN_LEN_MAX];
    size_t len;
    struct msg_token t;
    struct msg_token_body body = body_make(), back;
    memset(handle, 'x', sizeof handle);
    memset(&body.account, 0xff, sizeof body.account);
    memset(&body.relay, 0xff, sizeof body.relay);
    body.handle = view_of(handle, sizeof handle);
    body.expires_ms = UINT64_MAX;
    struct view token = made(&body, sk);
    cr_assert_leq(token.len, TOKEN_LEN_MAX);
    cr_assert_eq(token_open(token, &arena, &t, &back), STATUS_OK);
    cr_assert_leq(t.body.len, TOKEN_BODY_LEN_MAX);
    cr_assert(view_equal(back.handle, body.handle));
    cr_assert_eq(back.expires_ms, UINT64_MAX);
    token_text(token, text);
    cr_assert_eq(token_parse(text, parsed, &len), STATUS_OK);
    cr_assert(view_equal(view_of(parsed, len), token));
}

Test(token, is_good_for_what_it_names_and_for_nothing_else)
{
    struct msg_token_body body = body_make();
    struct view token = made(&body, sk);
    struct token_claim claim = claim_make();
    cr_assert_eq(token_check(token, &claim, &keys, &arena), TOKEN_NONE);
    claim.handle = view_of(NULL, 0);
    cr_assert_eq(token_check(token, &claim, &keys, &arena), TOKEN_NONE, "whichever handle");
    claim = claim_make();
    claim.handle = view_of("bob", 3);
    cr_assert_eq(token_check(token, &claim, &keys, &arena), TOKEN_HANDLE);
    claim = claim_make();
    claim.account.bytes[31] = 1;
    cr_assert_eq(token_check(token, &claim, &keys, &arena), TOKEN_ACCOUNT);
    claim = claim_make();
    claim.relay.bytes[31] = 1;
    cr_assert_eq(token_check(token, &claim, &keys, &arena), TOKEN_RELAY);
    claim = claim_make();
    claim.now_ms = 5001;
    cr_assert_eq(token_check(token, &claim, &keys, &arena), TOKEN_EXPIRED);
    claim.now_ms = 0;
    cr_assert_eq(token_check(token, &claim, &keys, &arena), TOKEN_NONE, "its time is not asked");
    cr_assert_eq(token_check(view_of(NULL, 0), &claim, &keys, &arena), TOKEN_ABSENT);
}

Test(token, is_good_by_any_of_the_keys_and_by_no_other)
{
    struct msg_token_body body = body_make();
    struct token_claim claim = claim_make();
    struct product_keys both = {.keys = {others.keys[0], keys.keys[0]}, .count = 2}, none = {.count = 0};
    cr_assert_eq(token_check(made(&body, sk), &claim, &both, &arena), TOKEN_NONE);
    cr_assert_eq(token_check(made(&body, other_sk), &claim, &both, &arena), TOKEN_NONE);
    cr_assert_eq(token_check(made(&body, other_sk), &claim, &keys, &arena), TOKEN_SIGNATURE);
    cr_assert_eq(token_check(made(&body, sk), &claim, &none, &arena), TOKEN_SIGNATURE);
}

Test(token, with_any_bit_changed_or_anything_behind_is_none)
{
    struct msg_token_body body = body_make();
    struct token_claim claim = claim_make();
    struct view token = made(&body, sk);
    uint8_t bytes[TOKEN_LEN_MAX + 2];
    for (size_t i = 0; i < 8 * token.len; i++) {
        memcpy(bytes, token.at, token.len);
        bytes[i / 8] ^= (uint8_t)(1u << i % 8);
        cr_assert_neq(token_check(view_of(bytes, token.len), &claim, &keys, &arena), TOKEN_NONE, "bit %zu", i);
    }
    memcpy(bytes, token.at, token.len);
    memcpy(bytes + token.len, "\x18\x01", 2); /* a field that nobody knows */
    cr_assert_eq(token_check(view_of(bytes, token.len + 2), &claim, &keys, &arena), TOKEN_FORM);
    for (size_t len = 1; len < token.len; len++)
        cr_assert_eq(token_check(view_of(token.at, len), &claim, &keys, &arena), TOKEN_FORM);
    body.handle = view_of("a b", 3);
    cr_assert_eq(token_check(made(&body, sk), &claim, &keys, &arena), TOKEN_FORM, "no handle");
}

Test(token, texts_are_read_with_space_around_and_in_no_other_form)
{
    struct msg_token_body body = body_make();
    char text[TOKEN_TEXT_MAX + 1], other[TOKEN_TEXT_MAX + 8];
    uint8_t parsed[TOKEN_LEN_MAX];
    size_t len;
    struct view token = made(&body, sk);
    token_text(token, text);
    snprintf(other, sizeof other, " %s\r\n", text);
    cr_assert_eq(token_parse(other, parsed, &len), STATUS_OK);
    cr_assert(view_equal(view_of(parsed, len), token));
    snprintf(other, sizeof other, "%s x", text);
    cr_assert_eq(token_parse(other, parsed, &len), STATUS_MALFORMED);
    cr_assert_eq(len, 0);
    snprintf(other, sizeof other, "%s=", text);
    cr_assert_eq(token_parse(other, parsed, &len), STATUS_MALFORMED);
    cr_assert_eq(token_parse("sealmq:token:1:", parsed, &len), STATUS_MALFORMED);
    cr_assert_eq(token_parse("sealmq:token:2:AAAA", parsed, &len), STATUS_UNSUPPORTED);
    cr_assert_eq(token_parse("sealmq:verify:1:AAAA", parsed, &len), STATUS_MALFORMED);
    cr_assert_eq(token_parse("", parsed, &len), STATUS_MALFORMED);
}

Test(token, keys_are_one_to_four_each_once)
{
    char text[8 * 66] = "", one[65];
    struct product_keys read;
    for (uint8_t i = 0; i <= PRODUCT_KEYS_MAX; i++) {
        uint8_t seed[32] = {i}, pk[32], unused[64];
        crypto_sign_seed_keypair(pk, unused, seed);
        hex_encode(pk, sizeof pk, one);
        strcat(strcat(text, i ? "," : ""), one);
        cr_assert_eq(product_keys_parse(text, &read), i < PRODUCT_KEYS_MAX ? STATUS_OK : STATUS_FULL);
        cr_assert_eq(read.count, i < PRODUCT_KEYS_MAX ? i + 1u : 0u);
    }
    snprintf(text, sizeof text, "%s\n%s\n", one, one);
    cr_assert_eq(product_keys_parse(text, &read), STATUS_MALFORMED, "twice");
    one[63] = '\0';
    cr_assert_eq(product_keys_parse(one, &read), STATUS_MALFORMED);
    memset(one, '0', 64);
    one[64] = '\0';
    cr_assert_eq(product_keys_parse(one, &read), STATUS_MALFORMED, "no point");
    cr_assert_eq(product_keys_parse(" ,", &read), STATUS_MALFORMED);
}
