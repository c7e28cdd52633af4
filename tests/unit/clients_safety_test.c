/* Safety numbers and scanned texts (PROTOCOL 10.8): equal on both sides, of these two accounts only, with nothing in
 * them that does not count; and what a text says of two histories. */
#include "clients/safety.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct account_id account_of(uint8_t n)
{
    struct account_id id;
    memset(id.bytes, n, sizeof id.bytes);
    return id;
}

static struct safety_side side_of(uint8_t account, uint64_t length, uint8_t head)
{
    struct safety_side side = {.account = account_of(account), .length = length};
    memset(side.head.bytes, head, sizeof side.head.bytes);
    return side;
}

/* Frozen: what any implementation must show for accounts of 32 bytes 1 and 32 bytes 2. Made by another program than this. */
static const char *const number_1_2 = "13407 51934 27226 58262 62425 45582 44329 63207 39021 13505 84688 09313";
static const char *const text_1_2 =
    "sealmq:verify:1:040G2081040G2081040G2081040G2081040G2081040G2081040G00000CSK6CSK6CSK6CSK6CSK6CSK"
    "6CSK6CSK6CSK6CSK6CSK6CSK6CSK60G2081040G2081040G2081040G2081040G2081040G2081040G2"
    "000080248H248H248H248H248H248H248H248H248H248H248H248H248HJTXTMY";

static struct safety_pair pair_1_2(void)
{
    return (struct safety_pair){side_of(1, 3, 0x33), side_of(2, 1024, 0x44)};
}

/* ---- the number ---- */

Test(safety, number_is_frozen_and_equal_on_both_sides)
{
    char ours[SAFETY_NUMBER_LEN + 1], theirs[SAFETY_NUMBER_LEN + 1];
    safety_number(account_of(1), account_of(2), ours);
    safety_number(account_of(2), account_of(1), theirs);
    cr_assert_str_eq(ours, number_1_2);
    cr_assert_str_eq(theirs, ours);
}

Test(safety, number_has_twelve_groups_of_five_digits)
{
    for (uint8_t n = 0; n < 200; n++) {
        char out[SAFETY_NUMBER_LEN + 1];
        safety_number(account_of(n), account_of(250), out);
        cr_assert_eq(strlen(out), SAFETY_NUMBER_LEN);
        for (size_t i = 0; i < SAFETY_NUMBER_LEN; i++)
            cr_assert(i % 6 == 5 ? out[i] == ' ' : out[i] >= '0' && out[i] <= '9', "%s", out);
    }
}

Test(safety, every_bit_of_both_accounts_is_in_the_number)
{
    char out[SAFETY_NUMBER_LEN + 1], first[SAFETY_NUMBER_LEN + 1];
    safety_number(account_of(1), account_of(2), first);
    for (size_t bit = 0; bit < 512; bit++) {
        struct account_id ids[2] = {account_of(1), account_of(2)};
        ids[bit / 256].bytes[bit % 256 / 8] ^= (uint8_t)(1u << bit % 8);
        safety_number(ids[0], ids[1], out);
        cr_assert_str_neq(out, first, "bit %zu", bit);
    }
}

/* ---- the text ---- */

static bool pair_equal(const struct safety_pair *a, const struct safety_pair *b)
{
    return memcmp(&a->own.account, &b->own.account, 32) == 0 && a->own.length == b->own.length &&
           memcmp(&a->own.head, &b->own.head, 32) == 0 && memcmp(&a->contact.account, &b->contact.account, 32) == 0 &&
           a->contact.length == b->contact.length && memcmp(&a->contact.head, &b->contact.head, 32) == 0;
}

static void must_refuse(const char *text, enum status wanted)
{
    static const struct safety_pair none;
    struct safety_pair out;
    memset(&out, 0x55, sizeof out);
    enum status s = safety_parse(text, &out);
    cr_assert_eq(s, wanted, "%s: %s", status_name(s), text);
    cr_assert(pair_equal(&out, &none));
}

Test(safety, text_is_frozen_and_comes_back)
{
    char text[SAFETY_TEXT_LEN + 1];
    struct safety_pair in = pair_1_2(), out;
    safety_text(&in, text);
    cr_assert_eq(strlen(text), SAFETY_TEXT_LEN);
    cr_assert_str_eq(text, text_1_2);
    cr_assert_eq(safety_parse(text_1_2, &out), STATUS_OK);
    cr_assert(pair_equal(&in, &out));
}

Test(safety, text_is_read_in_either_case_and_with_white_space_in_it)
{
    char upper[SAFETY_TEXT_LEN + 1], lower[SAFETY_TEXT_LEN + 1], broken[2 * SAFETY_TEXT_LEN + 2] = "\n ";
    struct safety_pair in = pair_1_2(), out;
    for (size_t i = 0; i <= SAFETY_TEXT_LEN; i++) {
        char c = text_1_2[i];
        upper[i] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
        lower[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
        snprintf(broken + strlen(broken), 3, "%c%s", c ? c : '\n', i % 40 == 3 ? "\n" : "");
    }
    cr_assert(safety_parse(upper, &out) == STATUS_OK && pair_equal(&in, &out));
    cr_assert(safety_parse(lower, &out) == STATUS_OK && pair_equal(&in, &out));
    cr_assert(safety_parse(broken, &out) == STATUS_OK && pair_equal(&in, &out));
}

Test(safety, every_character_of_the_text_counts)
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    char text[SAFETY_TEXT_LEN + 1];
    for (size_t i = 16; i < SAFETY_TEXT_LEN; i++)
        for (size_t bit = 0; bit < 5; bit++) {
            memcpy(text, text_1_2, sizeof text);
            size_t value = (size_t)(strchr(digits, text[i]) - digits);
            text[i] = digits[value ^ 1u << bit];
            must_refuse(text, STATUS_MALFORMED);
        }
}

Test(safety, a_text_that_is_cut_or_longer_is_malformed)
{
    char text[SAFETY_TEXT_LEN + 2];
    for (size_t len = 0; len < SAFETY_TEXT_LEN; len++) {
        memcpy(text, text_1_2, SAFETY_TEXT_LEN);
        text[len] = '\0';
        must_refuse(text, STATUS_MALFORMED);
    }
    snprintf(text, sizeof text, "%s0", text_1_2);
    must_refuse(text, STATUS_MALFORMED);
}

Test(safety, what_is_no_such_text_is_malformed_and_a_later_one_unsupported)
{
    char text[SAFETY_TEXT_LEN + 8];
    static const char *const others[] = {"", " ", "sealmq:verify:", "sealmq:verify:1:", "sealmq:verify:x:",
        "sealmq:verify:0:000", "sealmq:verify:2", "sealmq:verify:20", "https://example.org/", "12345 67890"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        must_refuse(others[i], STATUS_MALFORMED);
    must_refuse("sealmq:verify:2:ABC", STATUS_UNSUPPORTED);
    must_refuse("  SEALMQ:VERIFY:10:", STATUS_UNSUPPORTED);
    must_refuse("sealmq:verify:19:ABC", STATUS_UNSUPPORTED);
    snprintf(text, sizeof text, "%.30s-%s", text_1_2, text_1_2 + 30);
    must_refuse(text, STATUS_MALFORMED);
    snprintf(text, sizeof text, "%.30sU%s", text_1_2, text_1_2 + 31);
    must_refuse(text, STATUS_MALFORMED);
    snprintf(text, sizeof text, "sealmq:reveal:1:%s", text_1_2 + 16);
    must_refuse(text, STATUS_MALFORMED);
}

Test(safety, a_length_that_no_log_has_is_malformed)
{
    static const uint64_t lengths[] = {0, LOG_LENGTH_MAX + 1, 0xffffffffu};
    for (size_t i = 0; i < 6; i++) {
        char text[SAFETY_TEXT_LEN + 1];
        struct safety_pair pair = pair_1_2();
        *(i % 2 ? &pair.own.length : &pair.contact.length) = lengths[i / 2];
        safety_text(&pair, text);
        must_refuse(text, STATUS_MALFORMED);
    }
}

/* ---- comparing: what the other one shows with what we hold; heads are ours at the lengths that it names ---- */

static void compares(struct safety_pair held, struct safety_pair shown, struct safety_result wanted)
{
    struct safety_result r = safety_compare(&held, &shown);
    cr_assert(r.verdict == wanted.verdict && r.own == wanted.own && r.contact == wanted.contact, "%d %d %d", r.verdict,
              r.own, r.contact);
}

Test(safety, two_that_hold_each_other_match_whoever_scans)
{
    struct safety_pair ours = {side_of(1, 3, 0x33), side_of(2, 5, 0x55)};
    struct safety_pair theirs = {side_of(2, 5, 0x55), side_of(1, 3, 0x33)};
    compares(ours, theirs, (struct safety_result){.verdict = SAFETY_MATCH});
    compares(theirs, ours, (struct safety_result){.verdict = SAFETY_MATCH});
}

Test(safety, a_shorter_log_in_the_text_is_a_beginning_of_ours)
{
    struct safety_pair held = {side_of(1, 9, 0x33), side_of(2, 9, 0x55)};
    compares(held, (struct safety_pair){side_of(2, 5, 0x55), side_of(1, 3, 0x33)},
             (struct safety_result){.verdict = SAFETY_MATCH});
    compares(held, (struct safety_pair){side_of(2, 5, 0x56), side_of(1, 3, 0x33)},
             (struct safety_result){SAFETY_FORK, .contact = true});
    compares(held, (struct safety_pair){side_of(2, 5, 0x55), side_of(1, 3, 0x34)},
             (struct safety_result){SAFETY_FORK, .own = true});
}

Test(safety, a_longer_log_in_the_text_says_nothing_until_we_have_it)
{
    struct safety_pair held = {side_of(1, 3, 0x33), side_of(2, 5, 0x55)};
    compares(held, (struct safety_pair){side_of(2, 6, 0x66), side_of(1, 3, 0x33)},
             (struct safety_result){SAFETY_NEWER, .contact = true});
    compares(held, (struct safety_pair){side_of(2, 5, 0x55), side_of(1, 4, 0x77)},
             (struct safety_result){SAFETY_NEWER, .own = true});
    compares(held, (struct safety_pair){side_of(2, 6, 0x66), side_of(1, 3, 0x34)},
             (struct safety_result){SAFETY_FORK, .own = true});
}

Test(safety, a_text_of_other_accounts_is_no_fork)
{
    struct safety_pair held = {side_of(1, 3, 0x33), side_of(2, 5, 0x55)};
    const struct safety_result other = {.verdict = SAFETY_OTHER};
    compares(held, (struct safety_pair){side_of(7, 5, 0x55), side_of(1, 3, 0x33)}, other);
    compares(held, (struct safety_pair){side_of(2, 5, 0x55), side_of(7, 3, 0x33)}, other);
    compares(held, (struct safety_pair){side_of(2, 5, 0), side_of(7, 3, 0)}, other);
    compares(held, held, other); /* our own screen */
}

/* ---- what ends a verification ---- */

Test(safety, only_the_recovery_key_that_adds_a_device_ends_it)
{
    for (unsigned operation = ENTRY_CREATE; operation <= ENTRY_DESCRIBE; operation++)
        for (uint8_t signer = 0; signer < 2; signer++) {
            struct msg_entry_body body = {.operation = operation, .signer = {{signer}}};
            cr_assert_eq(safety_ends(&body), operation == ENTRY_ADD && signer == 0, "%u %u", operation, signer);
        }
}
