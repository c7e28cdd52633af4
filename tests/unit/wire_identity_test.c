/* identity: a founding entry is accepted as it was made and in no other form; so are handles. */
#include "broker/wire/identity.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static uint8_t alice_sk[64];
static struct msg_device_record alice;
static struct arena arena;

static void start(void)
{
    static const uint8_t seed[32] = "the seed of alice's signing key";
    cr_assert_geq(sodium_init(), 0);
    crypto_sign_seed_keypair(alice.signing.bytes, alice_sk, seed);
    memset(&alice.identity, 2, sizeof alice.identity);
    memset(&alice.transport, 3, sizeof alice.transport);
}

static void end(void)
{
    arena_fini(&arena);
}

TestSuite(identity, .init = start, .fini = end);

static const uint8_t salt[16] = "sixteen of salt";

static enum status check(struct view entry, struct founding *out)
{
    return founding_check(entry, &arena, out);
}

static bool is_zero(const struct founding *f)
{
    return sodium_is_zero((const uint8_t *)f, sizeof *f) == 1;
}

/* An entry with any bytes as its body, rightly signed by alice. */
static void bytes_sign(struct view body, struct buffer *out)
{
    struct buffer text = {0};
    struct msg_entry e = {.body = body};
    write_bytes(&text, "sealmq entry 1", 15);
    write_view(&text, e.body);
    crypto_sign_detached(e.signature.bytes, NULL, text.at, text.len, alice_sk);
    codec_encode(&msg_entry_desc, &e, out);
    buffer_fini(&text);
}

static void entry_sign(const struct msg_entry_body *body, struct buffer *out)
{
    struct buffer encoded = {0};
    codec_encode(&msg_entry_body_desc, body, &encoded);
    bytes_sign(buffer_view(&encoded), out);
    buffer_fini(&encoded);
}

static struct msg_entry_body body_make(void)
{
    struct msg_entry_body body = {.operation = ENTRY_CREATE, .made_ms = 1700000000000u,
                                  .device = &alice, .device_count = 1};
    memcpy(body.salt, salt, sizeof salt);
    return body;
}

static void refuses_body(const struct msg_entry_body *body, const char *what)
{
    struct buffer entry = {0};
    struct founding f;
    entry_sign(body, &entry);
    cr_assert_eq(check(buffer_view(&entry), &f), STATUS_BAD_ENTRY, "%s", what);
    cr_assert(is_zero(&f));
    buffer_fini(&entry);
}

Test(identity, a_founding_entry_names_account_and_device)
{
    struct buffer entry = {0}, again = {0};
    struct msg_entry_body body = body_make();
    struct founding f;
    founding_make(&alice, alice_sk, body.made_ms, salt, &entry);
    entry_sign(&body, &again);
    cr_assert(view_equal(buffer_view(&entry), buffer_view(&again)));
    cr_assert_eq(check(buffer_view(&entry), &f), STATUS_OK);
    struct hash256 h = hash_bytes("sealmq account 1", buffer_view(&entry), view_of(NULL, 0),
                                  view_of(NULL, 0));
    cr_assert_eq(memcmp(f.account.bytes, h.bytes, 32), 0);
    cr_assert_eq(memcmp(f.head.bytes, h.bytes, 32), 0);
    cr_assert(device_equal(f.device, device_id_of(f.account, &alice.signing)));
    cr_assert_eq(memcmp(&f.record, &alice, sizeof alice), 0);
    buffer_fini(&entry);
    buffer_fini(&again);
}

Test(identity, another_salt_is_another_account)
{
    struct buffer one = {0}, two = {0};
    struct founding f, g;
    founding_make(&alice, alice_sk, 1, salt, &one);
    founding_make(&alice, alice_sk, 1, (const uint8_t *)"another salt 16", &two);
    cr_assert_eq(check(buffer_view(&one), &f), STATUS_OK);
    cr_assert_eq(check(buffer_view(&two), &g), STATUS_OK);
    cr_assert_neq(memcmp(&f.account, &g.account, sizeof f.account), 0);
    cr_assert_not(device_equal(f.device, g.device), "one key in two accounts is two devices");
    buffer_fini(&one);
    buffer_fini(&two);
}

Test(identity, an_entry_with_any_bit_flipped_is_refused)
{
    struct buffer entry = {0};
    founding_make(&alice, alice_sk, 1700000000000u, salt, &entry);
    for (size_t i = 0; i < entry.len; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            struct founding f;
            entry.at[i] ^= (uint8_t)(1u << bit);
            cr_assert_neq(check(buffer_view(&entry), &f), STATUS_OK, "byte %zu bit %u", i, bit);
            cr_assert(is_zero(&f));
            entry.at[i] ^= (uint8_t)(1u << bit);
        }
        arena_reset(&arena);
    }
    buffer_fini(&entry);
}

Test(identity, an_entry_cut_at_any_byte_is_refused)
{
    struct buffer entry = {0};
    founding_make(&alice, alice_sk, 1, salt, &entry);
    for (size_t len = 0; len < entry.len; len++) {
        struct founding f;
        uint8_t *cut = malloc(len + 1);
        memcpy(cut, entry.at, len);
        cr_assert_neq(check(view_of(cut, len), &f), STATUS_OK, "%zu", len);
        free(cut);
    }
    buffer_fini(&entry);
}

/* The signature does not cover what stands beside it; the account's name does. */
Test(identity, an_entry_in_another_encoding_is_refused)
{
    struct buffer entry = {0}, longer = {0}, turned = {0};
    struct founding f;
    founding_make(&alice, alice_sk, 1, salt, &entry);
    write_view(&longer, buffer_view(&entry));
    write_bytes(&longer, "\x1a\x01x", 3); /* an unknown field */
    cr_assert_eq(check(buffer_view(&longer), &f), STATUS_BAD_ENTRY);
    size_t signature_len = 2 + 64, body_len = entry.len - signature_len;
    write_bytes(&turned, entry.at + body_len, signature_len);
    write_bytes(&turned, entry.at, body_len);
    cr_assert_eq(check(buffer_view(&turned), &f), STATUS_BAD_ENTRY);
    buffer_fini(&entry);
    buffer_fini(&longer);
    buffer_fini(&turned);
}

Test(identity, a_signed_entry_that_is_no_founding_is_refused)
{
    static const char *const wrong[] = {
        "another operation", "no operation", "not the first", "with a predecessor",
        "signed by another key", "without a device", "with a signer", "about another device",
        "with a proof", "with side data"};
    enum { COUNT = sizeof wrong / sizeof wrong[0] };
    struct msg_entry_body bodies[COUNT];
    struct msg_device_record other = alice;
    other.signing.bytes[0] ^= 1;
    for (size_t i = 0; i < COUNT; i++)
        bodies[i] = body_make();
    bodies[0].operation = 2;
    bodies[1].operation = 0;
    bodies[2].number = 1;
    bodies[3].previous.bytes[31] = 1;
    bodies[4].device = &other;
    bodies[5].device_count = 0;
    bodies[6].signer.bytes[0] = 1;
    bodies[7].subject.bytes[0] = 1;
    bodies[8].proof.bytes[0] = 1;
    bodies[9].data = view_of("name", 4);
    for (size_t i = 0; i < COUNT; i++)
        refuses_body(&bodies[i], wrong[i]);
}

Test(identity, a_founding_entry_may_name_the_recovery_key)
{
    struct msg_entry_body body = body_make();
    struct buffer entry = {0};
    struct founding f;
    entry_sign(&body, &entry);
    cr_assert_eq(check(buffer_view(&entry), &f), STATUS_OK);
    cr_assert(!f.has_recovery);
    body.recovery.bytes[5] = 7;
    buffer_clear(&entry);
    entry_sign(&body, &entry);
    cr_assert_eq(check(buffer_view(&entry), &f), STATUS_OK);
    cr_assert(f.has_recovery);
    cr_assert_eq(memcmp(&f.recovery, &body.recovery, sizeof f.recovery), 0);
    buffer_fini(&entry);
}

/* What is signed must be what its reader understands. */
Test(identity, a_signed_body_with_an_unknown_field_is_refused)
{
    struct msg_entry_body body = body_make();
    struct buffer encoded = {0}, entry = {0};
    struct founding f;
    codec_encode(&msg_entry_body_desc, &body, &encoded);
    write_bytes(&encoded, "\x62\x01x", 3); /* field 12 */
    bytes_sign(buffer_view(&encoded), &entry);
    cr_assert_eq(check(buffer_view(&entry), &f), STATUS_BAD_ENTRY);
    cr_assert(is_zero(&f));
    buffer_fini(&encoded);
    buffer_fini(&entry);
}

Test(identity, a_device_s_name_is_words_that_could_be_handles)
{
    static const char *const good[] = {"phone", "the red phone", "a b c", "\xc3\xa4 \xe2\x82\xac"};
    static const char *const bad[] = {"", " ", " a", "a ", "a  b", "a\tb", "a\nb", "a/b", "a b/", "\xc2\xa0", "a \xff",
                                      "a\xe2\x80\xae" "b", "a\xe2\x80\x89" "b"};
    char longest[DEVICE_NAME_LEN_MAX + 2];
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        cr_assert_eq(device_name_check(view_of(good[i], strlen(good[i]))), STATUS_OK, "%zu", i);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert_eq(device_name_check(view_of(bad[i], strlen(bad[i]))), STATUS_MALFORMED, "%zu", i);
    memset(longest, 'a', sizeof longest);
    cr_assert_eq(device_name_check(view_of(longest, DEVICE_NAME_LEN_MAX)), STATUS_OK);
    cr_assert_eq(device_name_check(view_of(longest, DEVICE_NAME_LEN_MAX + 1)), STATUS_MALFORMED);
    cr_assert_eq(device_name_check(view_of(NULL, 0)), STATUS_MALFORMED);
}

Test(identity, a_handle_claim_holds_for_its_account_handle_and_key_only)
{
    struct account_id account = {{1, 2, 3}}, other = {{1, 2, 4}};
    struct signing_pk bob;
    uint8_t bob_sk[64];
    struct signature s;
    struct view handle = view_of("alice", 5);
    crypto_sign_keypair(bob.bytes, bob_sk);
    handle_sign(account, handle, alice_sk, &s);
    cr_assert_eq(handle_verify(account, handle, &alice.signing, &s), STATUS_OK);
    cr_assert_eq(handle_verify(other, handle, &alice.signing, &s), STATUS_BAD_ENTRY);
    cr_assert_eq(handle_verify(account, view_of("alicf", 5), &alice.signing, &s), STATUS_BAD_ENTRY);
    cr_assert_eq(handle_verify(account, view_of("alic", 4), &alice.signing, &s), STATUS_BAD_ENTRY);
    cr_assert_eq(handle_verify(account, handle, &bob, &s), STATUS_BAD_ENTRY);
    cr_assert_eq(handle_verify(account, view_of("a/b", 3), &alice.signing, &s), STATUS_MALFORMED);
    s.bytes[63] ^= 0x80;
    cr_assert_eq(handle_verify(account, handle, &alice.signing, &s), STATUS_BAD_ENTRY);
}

static enum status handle(const char *text)
{
    return handle_check(view_of(text, strlen(text)));
}

Test(identity, handles_of_any_script_pass)
{
    static const char *const right[] = {
        "a", "alice", "Alice.B-c_d+1@x", "\xc3\xa4nne", "\xc2\xa1", "\xd0\xb0\xd0\xbb",
        "\xe6\xbc\xa2\xe5\xad\x97", "\xf0\x9f\x90\xa7", "\xf4\x8f\xbf\xbd", "\xed\x9f\xbf",
        "\xee\x80\x80", "~"};
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++)
        cr_assert_eq(handle(right[i]), STATUS_OK, "%s", right[i]);
    char longest[HANDLE_LEN_MAX + 1];
    memset(longest, 'x', sizeof longest);
    cr_assert_eq(handle_check(view_of(longest, HANDLE_LEN_MAX)), STATUS_OK);
    cr_assert_eq(handle_check(view_of(longest, HANDLE_LEN_MAX + 1)), STATUS_MALFORMED);
    cr_assert_eq(handle_check(view_of(longest, 0)), STATUS_MALFORMED);
}

Test(identity, handles_that_are_not_utf8_are_refused)
{
    static const char *const wrong[] = {
        "\x80", "a\xbf", "\xc3", "a\xc3", "\xc3(", "\xe6\xbc", "\xe6\xbc(", "\xf0\x9f\x90",
        "\xc0\xaf", "\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", /* overlong */
        "\xed\xa0\x80", "\xed\xbf\xbf",                             /* surrogates */
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf8\x88\x80\x80\x80", "\xfe", "\xff"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        cr_assert_eq(handle(wrong[i]), STATUS_MALFORMED, "%zu", i);
}

Test(identity, handles_with_controls_spaces_or_slashes_are_refused)
{
    for (char c = 0; c <= 0x20; c++)
        cr_assert_eq(handle_check(view_of((char[]){'a', c, 'b'}, 3)), STATUS_MALFORMED, "%d", c);
    static const char *const wrong[] = {
        "a/b", "/", "a\x7f", "\xc2\x80", "\xc2\x9f", "\xc2\xa0", "a\xe2\x80\x83z", "\xe3\x80\x80",
        "\xe2\x80\xa8", "\xe1\x9a\x80", "\xe2\x81\x9f", "\xc2\xa0x", "a b", " a", "a\n"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        cr_assert_eq(handle(wrong[i]), STATUS_MALFORMED, "%zu", i);
}

Test(identity, handles_that_would_look_like_another_are_refused)
{
    static const char *const wrong[] = {
        "alice\xe2\x80\x8b", "ali\xe2\x80\x8d""ce", "\xe2\x80\xae""ecila", "a\xe2\x81\xa6z",
        "\xef\xbb\xbf""alice", "al\xc2\xad""ice", "a\xd8\x9cz", "a\xf3\xa0\x81\xa1"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        cr_assert_eq(handle(wrong[i]), STATUS_MALFORMED, "%zu", i);
}
