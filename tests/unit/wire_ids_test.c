/* ids: UUIDv7, homes, hex, order, and references that survive being read out, or are refused. */
#include "broker/wire/ids.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <string.h>

static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static struct message_ref ref_make(void)
{
    struct message_ref ref;
    for (size_t i = 0; i < sizeof ref; i++)
        ((uint8_t *)&ref)[i] = (uint8_t)(i * 37 + 11);
    return ref;
}

static bool is_zero(const void *at, size_t len)
{
    const uint8_t *bytes = at;
    while (len && !bytes[len - 1])
        len--;
    return len == 0;
}

/* RFC 9562, appendix A.6. */
Test(ids, the_rfcs_uuid_v7_is_made_and_read)
{
    static const uint8_t random[10] = {0x0c, 0xc3, 0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f};
    struct message_id id = message_id_make(0x017f22e279b0u, random), again;
    char text[MESSAGE_ID_TEXT_LEN + 1];
    message_id_text(id, text);
    cr_assert_str_eq(text, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
    cr_assert(message_id_is_v7(id));
    cr_assert_eq(message_id_time_ms(id), 1645557742000u);
    cr_assert_eq(message_id_parse("017F22E2-79B0-7CC3-98C4-DC0C0C07398F", &again), STATUS_OK);
    cr_assert(message_equal(id, again));
}

Test(ids, other_versions_and_variants_are_not_v7)
{
    struct message_id id;
    cr_assert_eq(message_id_parse("017f22e2-79b0-4cc3-98c4-dc0c0c07398f", &id), STATUS_OK);
    cr_assert_not(message_id_is_v7(id));
    cr_assert_eq(message_id_parse("017f22e2-79b0-7cc3-58c4-dc0c0c07398f", &id), STATUS_OK);
    cr_assert_not(message_id_is_v7(id));
    cr_assert_eq(message_id_parse("017f22e2-79b0-7cc3-d8c4-dc0c0c07398f", &id), STATUS_OK);
    cr_assert_not(message_id_is_v7(id));
}

Test(ids, a_wrong_message_id_text_is_refused_and_gives_zeros)
{
    static const char *const wrong[] = {
        "", "017f22e2", "017f22e279b07cc398c4dc0c0c07398f",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398", "017f22e2-79b0-7cc3-98c4-dc0c0c07398f0",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398g", "017f22e27-9b0-7cc3-98c4-dc0c0c07398f",
        "017f22e2-79b0-7cc3-98c4-dc0c0c0739-f", "-17f22e2-79b0-7cc3-98c4-dc0c0c07398f",
        " 17f22e2-79b0-7cc3-98c4-dc0c0c07398f"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct message_id id;
        memset(&id, 1, sizeof id);
        cr_assert_eq(message_id_parse(wrong[i], &id), STATUS_MALFORMED, "%s", wrong[i]);
        cr_assert(is_zero(&id, sizeof id));
    }
}

Test(ids, hex_goes_both_ways_and_refuses_what_is_none)
{
    uint8_t bytes[4];
    char text[9];
    cr_assert_eq(hex_decode("00fFa15c", bytes, 4), STATUS_OK);
    hex_encode(bytes, 4, text);
    cr_assert_str_eq(text, "00ffa15c");
    static const char *const wrong[] = {"", "00ffa15", "00ffa15c0", "00ffa15g", "0x00ffa1", "00 fa15c"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        memset(bytes, 1, sizeof bytes);
        cr_assert_eq(hex_decode(wrong[i], bytes, 4), STATUS_MALFORMED, "%s", wrong[i]);
        cr_assert(is_zero(bytes, 4));
    }
}

Test(ids, home_is_the_first_twelve_bits)
{
    struct account_id a = {{0xab, 0xcd, 0xef}};
    cr_assert_eq(home_of_account(a), 0xabc);
    cr_assert_eq(home_of_target(target_of_account(a)), 0xabc);
    memset(&a, 0xff, sizeof a);
    cr_assert_eq(home_of_account(a), 4095);
    cr_assert_lt(home_of_handle(view_of("alice", 5)), 4096);
}

Test(ids, terms_order_by_opening_time_then_random)
{
    struct term early = term_make(1000, UINT64_MAX), late = term_make(1001, 0);
    cr_assert_lt(term_compare(early, late), 0);
    cr_assert_gt(term_compare(late, early), 0);
    cr_assert_gt(term_compare(term_make(1000, 2), term_make(1000, 1)), 0);
    cr_assert(term_equal(early, early));
    cr_assert_not(term_equal(early, late));
    cr_assert_eq(term_opened_ms(late), 1001u);
}

Test(ids, positions_and_sessions_order_by_term_first)
{
    struct term early = term_make(1, 0), late = term_make(2, 0);
    struct position p = {early, 300}, q = {late, 1};
    struct session_id s = {early, 300}, t = {late, 1};
    cr_assert_lt(position_compare(p, q), 0);
    cr_assert_gt(position_compare(q, p), 0);
    cr_assert_eq(position_compare(p, p), 0);
    cr_assert_lt(position_compare((struct position){late, 1}, (struct position){late, 256}), 0);
    cr_assert_lt(session_compare(s, t), 0);
    cr_assert_gt(session_compare(t, s), 0);
    cr_assert_eq(session_compare(s, s), 0);
}

Test(ids, a_reference_comes_back)
{
    struct message_ref ref = ref_make(), again;
    char text[REFERENCE_TEXT_LEN + 1];
    reference_text(&ref, text);
    cr_assert_eq(strlen(text), REFERENCE_TEXT_LEN);
    cr_assert_eq(reference_parse(text, &again), STATUS_OK);
    cr_assert_eq(memcmp(&ref, &again, sizeof ref), 0);
}

Test(ids, a_reference_is_read_in_lower_case_with_dashes_and_lookalikes)
{
    struct message_ref ref = ref_make(), again;
    char text[REFERENCE_TEXT_LEN + 1], spoken[3 * REFERENCE_TEXT_LEN];
    char *to = spoken;
    reference_text(&ref, text);
    for (size_t i = 0; text[i]; i++) {
        char c = text[i];
        *to++ = c == '0' ? 'o' : c == '1' ? (i % 2 ? 'l' : 'I') : (char)tolower((unsigned char)c);
        if (i % 4 == 3) *to++ = i % 8 == 3 ? '-' : ' ';
    }
    *to = '\0';
    cr_assert_eq(reference_parse(spoken, &again), STATUS_OK);
    cr_assert_eq(memcmp(&ref, &again, sizeof ref), 0);
}

static void refuses(const char *text)
{
    struct message_ref out;
    memset(&out, 1, sizeof out);
    cr_assert_eq(reference_parse(text, &out), STATUS_MALFORMED, "%s", text);
    cr_assert(is_zero(&out, sizeof out));
}

Test(ids, every_single_wrong_character_of_a_reference_is_refused)
{
    struct message_ref ref = ref_make();
    char text[REFERENCE_TEXT_LEN + 1];
    reference_text(&ref, text);
    for (size_t i = 0; i < REFERENCE_TEXT_LEN; i++) {
        char right = text[i];
        for (const char *d = digits; *d; d++) {
            text[i] = *d;
            if (*d != right) refuses(text);
        }
        text[i] = right;
    }
}

Test(ids, every_swap_of_neighbours_in_a_reference_is_refused)
{
    struct message_ref ref = ref_make();
    char text[REFERENCE_TEXT_LEN + 1];
    reference_text(&ref, text);
    for (size_t i = 0; i + 1 < REFERENCE_TEXT_LEN; i++) {
        char a = text[i], b = text[i + 1];
        text[i] = b;
        text[i + 1] = a;
        if (a != b) refuses(text);
        text[i] = a;
        text[i + 1] = b;
    }
}

Test(ids, a_reference_of_another_length_or_alphabet_is_refused)
{
    struct message_ref ref = ref_make();
    char text[REFERENCE_TEXT_LEN + 2];
    reference_text(&ref, text);
    for (size_t len = 0; len < REFERENCE_TEXT_LEN; len++) {
        char cut[REFERENCE_TEXT_LEN + 1];
        memcpy(cut, text, len);
        cut[len] = '\0';
        refuses(cut);
    }
    memcpy(text + REFERENCE_TEXT_LEN, "0", 2);
    refuses(text);
    text[REFERENCE_TEXT_LEN] = '\0';
    for (const char *d = "U!_.\xc3"; *d; d++) {
        text[5] = *d;
        refuses(text);
    }
}

/* Without its last digit, a zero, the bits are all there; it is still not what was read out. */
Test(ids, a_reference_without_its_final_zero_is_refused)
{
    struct message_ref ref = ref_make();
    char text[REFERENCE_TEXT_LEN + 1];
    do {
        ref.id.bytes[0]++;
        reference_text(&ref, text);
    } while (text[REFERENCE_TEXT_LEN - 1] != '0');
    text[REFERENCE_TEXT_LEN - 1] = '\0';
    refuses(text);
}

Test(ids, hashes_are_separated_by_their_label)
{
    struct hash256 a = hash_bytes("one", view_of("x", 1), view_of(NULL, 0), view_of(NULL, 0));
    struct hash256 b = hash_bytes("two", view_of("x", 1), view_of(NULL, 0), view_of(NULL, 0));
    struct hash256 c = hash_bytes("one", view_of(NULL, 0), view_of("x", 1), view_of(NULL, 0));
    cr_assert_neq(memcmp(&a, &b, sizeof a), 0);
    cr_assert_eq(memcmp(&a, &c, sizeof a), 0, "parts are simply joined");
}
