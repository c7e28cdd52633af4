/* The recovery code (PROTOCOL 6.6): its text, what is noticed of a wrong one and where, and the keys that follow from it. */
#include "clients/recovery_key.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

/* Frozen. Made by another program than this: another field arithmetic, another BLAKE2b, another Ed25519. */
static const struct {
    const char *code, *text;
    uint8_t account;
    const char *signing, *backup;
} vectors[] = {
    {"000102030405060708090a0b0c0d0e0f", "0001-G40Q-R406-M305-E20H-918T-5GRS-38EM-1X20", 0x11,
     "da2973fb974cc0457498c4bf16368376e88c842eb9ac98a7529ee38fb44cef9f",
     "9f3f4a37d2391f44c5fa0f2e4c46c8e79742cb48e0af455164fd5a4179db6d1f"},
    {"00000000000000000000000000000000", "0001-0002-0003-0004-0005-0006-0007-0008-010D", 0,
     "69b44490a53d527d1ccbc708ac0983096725176cb0c0fbcf982c7fa447062466",
     "e1f0449b4ee12930763c0d86a98114285202ea2236e24d1f0194baa637730bca"},
    {"ffffffffffffffffffffffffffffffff", "ZZZA-ZZZ9-ZZZ8-ZZZF-ZZZE-ZZZD-ZZZC-ZZZ3-ZWGS", 0x22,
     "0cd4c43b6f299df5ab1f8c3a1b3f56ff60c65508c9015db4f1fd47cee4345c3d",
     "76d64f199f64d46dc872a404345f60008a3289ba2e52c587c313a69b4e748284"},
};
#define VECTORS (sizeof vectors / sizeof vectors[0])

static struct recovery_code code_of(const char *hex)
{
    struct recovery_code code;
    size_t len;
    cr_assert_eq(sodium_hex2bin(code.bytes, sizeof code.bytes, hex, strlen(hex), NULL, &len, NULL), 0);
    cr_assert_eq(len, sizeof code.bytes);
    return code;
}

static void is_hex(const uint8_t bytes[32], const char *expected)
{
    char hex[65];
    sodium_bin2hex(hex, sizeof hex, bytes, 32);
    cr_assert_str_eq(hex, expected);
}

static struct recovery_code read_good(const char *text)
{
    struct recovery_code code;
    enum recovery_fault fault;
    unsigned group;
    cr_assert_eq(recovery_code_parse(view_of(text, strlen(text)), &code, &fault, &group), STATUS_OK, "%s", text);
    cr_assert(fault == RECOVERY_FAULT_NONE && group == 0);
    return code;
}

static void read_bad(const char *text, enum recovery_fault expected, unsigned where)
{
    struct recovery_code code = {{1}};
    enum recovery_fault fault;
    unsigned group;
    cr_assert_eq(recovery_code_parse(view_of(text, strlen(text)), &code, &fault, &group), STATUS_MALFORMED, "%s", text);
    cr_assert_eq(fault, expected, "%s: %d", text, (int)fault);
    cr_assert_eq(group, where, "%s: group %u", text, group);
    cr_assert(sodium_is_zero(code.bytes, sizeof code.bytes));
}

/* ---- the text ---- */

Test(recovery_key, text_is_frozen_and_reads_back)
{
    for (size_t i = 0; i < VECTORS; i++) {
        struct recovery_code code = code_of(vectors[i].code), back;
        char text[RECOVERY_TEXT_LEN + 1];
        recovery_code_text(&code, text);
        cr_assert_str_eq(text, vectors[i].text);
        back = read_good(text);
        cr_assert_eq(memcmp(&back, &code, sizeof code), 0);
    }
}

Test(recovery_key, every_bit_of_the_code_is_in_its_text)
{
    struct recovery_code code = code_of(vectors[0].code);
    for (size_t bit = 0; bit < 128; bit++) {
        struct recovery_code other = code, back;
        char text[RECOVERY_TEXT_LEN + 1];
        other.bytes[bit / 8] = (uint8_t)(other.bytes[bit / 8] ^ 1u << bit % 8);
        recovery_code_text(&other, text);
        cr_assert_str_neq(text, vectors[0].text);
        back = read_good(text);
        cr_assert_eq(memcmp(&back, &other, sizeof other), 0);
    }
}

Test(recovery_key, people_write_it_as_they_like)
{
    static const char *const texts[] = {"0001G40QR406M305E20H918T5GRS38EM1X20", "oOOi-g40q-r4o6-m3o5-e2oh-9l8t-5grs-38em-Lx20",
                                        "  0001 G40Q R406 M305\n E20H-918T--5GRS\t38EM 1X20\r\n"};
    struct recovery_code code = code_of(vectors[0].code);
    for (size_t i = 0; i < 3; i++) {
        struct recovery_code back = read_good(texts[i]);
        cr_assert_eq(memcmp(&back, &code, sizeof code), 0);
    }
}

Test(recovery_key, what_is_no_code_is_told_with_its_place)
{
    read_bad("", RECOVERY_FAULT_LENGTH, 0);
    read_bad("0001-G40Q-R406", RECOVERY_FAULT_LENGTH, 3);
    read_bad("0001-G40Q-R406-M305-E20H-918T-5GRS-38EM-1X2", RECOVERY_FAULT_LENGTH, 8);
    read_bad("0001-G40Q-R406-M305-E20H-918T-5GRS-38EM-1X20-0", RECOVERY_FAULT_LENGTH, 9);
    read_bad("0001-G40Q-R4U6-M305-E20H-918T-5GRS-38EM-1X20", RECOVERY_FAULT_SYMBOL, 3);
    read_bad("\xc3\xa9", RECOVERY_FAULT_SYMBOL, 1);
    read_bad("0001-R406-G40Q-M305-E20H-918T-5GRS-38EM-1X20", RECOVERY_FAULT_GROUP, 2); /* groups changed places */
    read_bad("0001-G40Q-R406-M305-E20H-918T-5GRS-38EM-010D", RECOVERY_FAULT_WHOLE, 0); /* another code's last group */
}

Test(recovery_key, any_one_wrong_character_is_found_in_its_group)
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    for (size_t at = 0; at < RECOVERY_TEXT_LEN; at++) {
        for (size_t i = 0; at % 5 != 4 && i < 32; i++) {
            char text[RECOVERY_TEXT_LEN + 1];
            snprintf(text, sizeof text, "%s", vectors[0].text);
            if (text[at] == digits[i]) continue;
            text[at] = digits[i];
            read_bad(text, RECOVERY_FAULT_GROUP, (unsigned)(at / 5) + 1);
        }
    }
}

Test(recovery_key, any_two_characters_that_changed_places_are_found)
{
    struct recovery_code code;
    for (unsigned n = 0; n < 50; n++) {
        char right[RECOVERY_TEXT_LEN + 1];
        memset(code.bytes, (int)(37 * n + 5), sizeof code.bytes);
        code.bytes[n % 16] = (uint8_t)n;
        recovery_code_text(&code, right);
        for (size_t a = 0; a < RECOVERY_TEXT_LEN; a++)
            for (size_t b = a + 1; b / 5 == a / 5 && b % 5 != 4; b++) {
                char text[RECOVERY_TEXT_LEN + 1];
                memcpy(text, right, sizeof text);
                text[a] = right[b];
                text[b] = right[a];
                if (text[a] != text[b]) read_bad(text, RECOVERY_FAULT_GROUP, (unsigned)(a / 5) + 1);
            }
    }
}

/* ---- keys ---- */

Test(recovery_key, keys_are_frozen)
{
    for (size_t i = 0; i < VECTORS; i++) {
        struct recovery_code code = code_of(vectors[i].code);
        struct recovery_keys keys;
        struct account_id account;
        memset(account.bytes, vectors[i].account, sizeof account.bytes);
        recovery_keys_of(&code, account, &keys);
        is_hex(keys.signing.bytes, vectors[i].signing);
        is_hex(keys.backup, vectors[i].backup);
        is_hex(keys.signing_sk + 32, vectors[i].signing); /* libsodium's form has the public key behind the seed */
    }
}

Test(recovery_key, another_account_has_other_keys_and_no_key_is_another_one)
{
    struct recovery_code code = code_of(vectors[0].code);
    struct recovery_keys a, b;
    recovery_keys_of(&code, (struct account_id){{1}}, &a);
    recovery_keys_of(&code, (struct account_id){{2}}, &b);
    cr_assert_neq(memcmp(&a.signing, &b.signing, sizeof a.signing), 0);
    cr_assert_neq(memcmp(a.backup, b.backup, sizeof a.backup), 0);
    cr_assert_neq(memcmp(a.backup, a.signing_sk, sizeof a.backup), 0);
}
