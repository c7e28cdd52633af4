/* Keys sort as the scans need it; values come back as they were written, and damage is found. */
#include "storage/rows.h"

#include <criterion/criterion.h>
#include <string.h>

static int compare(const struct store_key *a, const struct store_key *b)
{
    size_t len = a->len < b->len ? a->len : b->len;
    int order = memcmp(a->bytes, b->bytes, len);
    return order ? order : (int)a->len - (int)b->len;
}

Test(rows, positions_sort_by_term_then_seq_within_a_mailbox)
{
    struct device_id d = {{1}};
    struct position at[] = {{term_make(1, 9), 300}, {term_make(2, 1), 1}, {term_make(2, 1), 256}};
    for (size_t i = 0; i + 1 < 3; i++) {
        struct store_key a = key_position(ROW_ENVELOPE, 7, d, at[i]);
        struct store_key b = key_position(ROW_ENVELOPE, 7, d, at[i + 1]);
        cr_assert_lt(compare(&a, &b), 0);
    }
    struct store_key k = key_position(ROW_ENVELOPE, 7, d, at[2]), box = key_mailbox(ROW_ENVELOPE, 7, d);
    struct store_key end = key_end(key_view(&box));
    struct device_id device;
    struct position back;
    cr_assert_lt(compare(&k, &end), 0);
    cr_assert_eq(key_position_read(key_view(&k), &device, &back), STATUS_OK);
    cr_assert_eq(position_compare(back, at[2]), 0);
    cr_assert_eq(key_position_read(key_view(&box), &device, &back), STATUS_DAMAGED);
}

Test(rows, what_an_account_says_of_others_stands_together)
{
    struct account_id ann = {{1, 2}}, bob = {{1, 3}}, other = {{9}}, back, about;
    struct store_key first = key_contact(ann, (struct account_id){{0}}), some = key_contact(ann, other);
    struct store_key end = key_end(view_of(first.bytes, 35)), next = key_contact(bob, (struct account_id){{0}});
    cr_assert(compare(&first, &some) < 0 && compare(&some, &end) < 0 && compare(&end, &next) <= 0);
    cr_assert_eq(key_contact_read(key_view(&some), &back, &about), STATUS_OK);
    cr_assert(memcmp(&back, &ann, sizeof ann) == 0 && memcmp(&about, &other, sizeof other) == 0);
    some.len--;
    cr_assert_eq(key_contact_read(key_view(&some), &back, &about), STATUS_DAMAGED);
}

Test(rows, backups_come_back_and_what_cannot_be_is_damage)
{
    struct arena a = {0};
    struct backup_row row = {.has = {.version = 9, .id = {{1}}, .parts = 2, .stored_ms = 5, .coming_version = 10, .coming_id = {{2}},
                                     .coming_parts = 1}, .coming_of = 3}, back;
    struct view v = backup_row_write(&a, &row);
    cr_assert_eq(backup_row_read(v, &back), STATUS_OK);
    cr_assert_eq(memcmp(&back, &row, sizeof row), 0);
    cr_assert_eq(backup_row_read(view_of(v.at, v.len - 52), &back), STATUS_OK, "one of before there were older ones");
    cr_assert_eq(memcmp(&back, &row, sizeof row), 0);
    row.by = (struct device_id){{8}};
    row.has.older_version = 8;
    row.has.older_id = (struct backup_id){{3}};
    row.has.older_parts = BACKUP_PARTS_MAX;
    row.has.older_stored_ms = 4;
    v = backup_row_write(&a, &row);
    cr_assert_eq(backup_row_read(v, &back), STATUS_OK);
    cr_assert_eq(memcmp(&back, &row, sizeof row), 0);
    cr_assert_eq(backup_row_read(view_of(v.at, v.len - 1), &back), STATUS_DAMAGED);
    cr_assert(!back.has.version && !back.coming_of);
    row.has.older_version = 9;
    cr_assert_eq(backup_row_read(backup_row_write(&a, &row), &back), STATUS_DAMAGED, "the newest itself");
    row.has.older_version = 8;
    row.has.older_parts++;
    cr_assert_eq(backup_row_read(backup_row_write(&a, &row), &back), STATUS_DAMAGED);
    row.has.older_parts = 0;
    cr_assert_eq(backup_row_read(backup_row_write(&a, &row), &back), STATUS_DAMAGED);
    arena_fini(&a);
}

Test(rows, policies_come_back_and_damage_is_found)
{
    struct arena a = {0};
    struct policy_row row = {.mode = CONTACT_MODE_REQUESTS, .version = 77, .count = 3, .ask_count = 2}, back;
    struct contact_row said = {.verdict = CONTACT_BLOCKED, .at_ms = 5}, heard;
    row.asks[1] = (struct policy_ask){.account = {{4}}, .at_ms = 9, .messages = 1};
    struct view v = policy_row_write(&a, &row);
    cr_assert_eq(policy_row_read(v, &back), STATUS_OK);
    cr_assert(back.version == 77 && back.count == 3 && back.ask_count == 2 && back.asks[1].messages == 1);
    cr_assert_eq(policy_row_read(view_of(v.at, v.len - 1), &back), STATUS_DAMAGED);
    row.mode = 3;
    cr_assert_eq(policy_row_read(policy_row_write(&a, &row), &back), STATUS_DAMAGED);
    v = contact_row_write(&a, &said);
    cr_assert_eq(contact_row_read(v, &heard), STATUS_OK);
    cr_assert(heard.verdict == CONTACT_BLOCKED && heard.at_ms == 5);
    cr_assert_eq(contact_row_read(view_of(v.at, v.len - 1), &heard), STATUS_DAMAGED);
    said.verdict = CONTACT_NONE;
    cr_assert_eq(contact_row_read(contact_row_write(&a, &said), &heard), STATUS_DAMAGED);
    arena_fini(&a);
}

Test(rows, the_newest_claim_of_a_pair_comes_first)
{
    struct device_id d = {{1}};
    struct target_id t = {{2}};
    uint8_t random[10] = {0};
    struct store_key old = key_claim(d, t, message_id_make(1000, random), 0);
    struct store_key new = key_claim(d, t, message_id_make(2000, random), 0);
    struct message_ref ref;
    uint32_t attempt;
    cr_assert_lt(compare(&new, &old), 0);
    cr_assert_eq(key_claim_read(key_view(&old), &ref, &attempt), STATUS_OK);
    cr_assert_eq(message_id_time_ms(ref.id), 1000);
    old.len--;
    cr_assert_eq(key_claim_read(key_view(&old), &ref, &attempt), STATUS_DAMAGED);
}

Test(rows, the_first_page_at_or_above_an_id_is_the_one_that_can_have_it)
{
    struct device_id d = {{1}}, back;
    uint8_t random[10] = {0};
    struct message_id id = message_id_make(1500, random), last;
    struct store_key from = key_page(d, id), old = key_page(d, message_id_make(1000, random));
    struct store_key new = key_page(d, message_id_make(2000, random));
    cr_assert_lt(compare(&old, &from), 0);
    cr_assert_lt(compare(&from, &new), 0);
    cr_assert_eq(key_page_read(key_view(&from), &back, &last), STATUS_OK);
    cr_assert(message_equal(last, id));
    from.len--;
    cr_assert_eq(key_page_read(key_view(&from), &back, &last), STATUS_DAMAGED);
}

Test(rows, a_page_gives_each_claim_back_and_no_other)
{
    struct arena a = {0};
    struct target_id to = {{7}}, other = {{8}};
    uint8_t random[10] = {0};
    struct message_id id = message_id_make(1, random), next = message_id_make(2, random);
    struct page_claim list[] = {{to, id, view_of("one", 3)}, {other, id, view_of("second", 6)}};
    struct view page = page_row_write(&a, list, 2), row;
    struct page_claim *back;
    size_t count;
    cr_assert_eq(page_row_read(page, &a, &back, &count), STATUS_OK);
    cr_assert_eq(count, 2);
    cr_assert(view_equal(back[1].row, list[1].row) && target_equal(back[1].target, other));
    cr_assert_eq(page_row_find(page, other, id, &row), STATUS_OK);
    cr_assert(view_equal(row, list[1].row));
    cr_assert_eq(page_row_find(page, to, next, &row), STATUS_NOT_FOUND);
    for (size_t len = 0; len < page.len; len++) {
        cr_assert_eq(page_row_read(view_of(page.at, len), &a, &back, &count), STATUS_DAMAGED);
        cr_assert_eq(page_row_find(view_of(page.at, len), to, id, &row), STATUS_DAMAGED);
    }
    list[1].row.len = 0;
    page = page_row_write(&a, list, 2);
    cr_assert_eq(page_row_read(page, &a, &back, &count), STATUS_DAMAGED, "no claim is empty");
    cr_assert_eq(page_row_find(page, to, id, &row), STATUS_DAMAGED);
    arena_fini(&a);
}

Test(rows, the_key_after_is_the_very_next_and_the_end_is_above_all)
{
    uint8_t top[] = {0xff, 0xff}, mixed[] = {3, 0xff};
    struct store_key a = key_after(view_of(mixed, 2)), e = key_end(view_of(mixed, 2));
    cr_assert_eq(a.len, 3);
    cr_assert_eq(e.len, 1);
    cr_assert_eq(e.bytes[0], 4);
    cr_assert_eq(key_end(view_of(top, 2)).len, 0, "nothing is above: to the end of the space");
}

Test(rows, every_value_comes_back)
{
    struct arena a = {0};
    struct device_row device = {.account = {{9}}, .head = {term_make(3, 4), 5}, .count = 6,
                                .parked = 7, .client_version = 8, .gap_number = 9,
                                .gaps = {0, 1, 2, 3, 4, 5}}, device_back;
    struct outcome_row outcome = {.state = 5, .reason = 1, .at_ms = 2, .moved_to = {term_make(1, 1), 9}},
                       outcome_back;
    struct commit_row commit = {.term = term_make(1, 2), .commit = 3, .at_ms = 4, .newest = {{5, 6}}},
                      commit_back;
    struct envelope_row envelope = {.attempt = 3, .sealed = true, .accepted_ms = 7, .expires_ms = 8},
                        envelope_back;
    struct view ciphertext, head = envelope_row_write(&a, &envelope);
    cr_assert_eq(device_row_read(device_row_write(&a, &device), &device_back), STATUS_OK);
    cr_assert_eq(device_back.revoked_ms, 0u);
    device.revoked_ms = 77;
    cr_assert_eq(device_row_read(device_row_write(&a, &device), &device_back), STATUS_OK);
    cr_assert_eq(device_back.revoked_ms, 77u);
    device.copied = 2, device.copied_ms = 78, device.lineage_len = 2 * LINEAGE_MARK_LEN;
    device.lineage[LINEAGE_MARK_LEN] = 5;
    cr_assert_eq(device_row_read(device_row_write(&a, &device), &device_back), STATUS_OK);
    cr_assert_eq(memcmp(&device, &device_back, sizeof device), 0);
    device.revoked_ms = 0;
    cr_assert_eq(device_row_read(device_row_write(&a, &device), &device_back), STATUS_OK);
    cr_assert(device_back.copied == 2 && device_back.copied_ms == 78 && !device_back.revoked_ms);
    struct view cut = device_row_write(&a, &device);
    cut.len -= 4;
    cr_assert_eq(device_row_read(cut, &device_back), STATUS_DAMAGED);
    cr_assert_eq(outcome_row_read(outcome_row_write(&a, &outcome), &outcome_back), STATUS_OK);
    cr_assert_eq(outcome_back.moved_to.seq, 9);
    cr_assert_eq(commit_row_read(commit_row_write(&a, &commit), &commit_back), STATUS_OK);
    cr_assert_eq(commit_back.at_ms, 4);
    cr_assert_eq(memcmp(&commit.newest, &commit_back.newest, sizeof commit.newest), 0);
    cr_assert_eq(head.len, ENVELOPE_HEAD_LEN);
    cr_assert_eq(envelope_row_read(head, &envelope_back, &ciphertext), STATUS_OK);
    cr_assert(envelope_back.sealed);
    cr_assert_eq(envelope_back.attempt, 3);
    cr_assert_eq(ciphertext.len, 0);
    cr_assert_eq(envelope_back.origin.seq, 0);
    arena_fini(&a);
}

Test(rows, prekeys_come_back_and_what_cannot_be_is_damage)
{
    struct arena a = {0};
    struct prekey_row row = {.signed_id = 4,
                             .last_resort_id = 5,
                             .one_time_highest = 9,
                             .current = view_of("one", 3),
                             .last_resort = view_of("two", 3),
                             .one_time = {{7, {{1}}}, {9, {{2}}}},
                             .one_time_count = 2},
                      back;
    struct view v = prekey_row_write(&a, &row);
    cr_assert_eq(prekey_row_read(v, &back), STATUS_OK);
    cr_assert(back.signed_id == 4 && back.last_resort_id == 5 && back.one_time_highest == 9);
    cr_assert(view_equal(back.current, row.current) &&
              view_equal(back.last_resort, row.last_resort));
    cr_assert_eq(back.one_time_count, 2);
    cr_assert_eq(memcmp(back.one_time, row.one_time, sizeof row.one_time), 0);
    cr_assert_eq(prekey_row_read(view_of(v.at, v.len - 1), &back), STATUS_DAMAGED);
    cr_assert_eq(back.signed_id | back.one_time_count, 0);
    row.one_time[1].id = 7;
    cr_assert_eq(prekey_row_read(prekey_row_write(&a, &row), &back), STATUS_DAMAGED, "an id twice");
    row.one_time[1].id = 10;
    cr_assert_eq(prekey_row_read(prekey_row_write(&a, &row), &back), STATUS_DAMAGED,
                 "above the highest");
    row.one_time_count = 1;
    cr_assert_eq(prekey_row_read(prekey_row_write(&a, &row), &back), STATUS_OK);
    row.current.len = 0;
    cr_assert_eq(prekey_row_read(prekey_row_write(&a, &row), &back), STATUS_DAMAGED,
                 "an id of nothing");
    row =
        (struct prekey_row){.one_time_highest = UINT64_MAX, .one_time_count = ONE_TIME_PREKEYS_MAX};
    for (size_t i = 0; i < ONE_TIME_PREKEYS_MAX; i++)
        row.one_time[i].id = i + 1;
    v = prekey_row_write(&a, &row);
    cr_assert_eq(prekey_row_read(v, &back), STATUS_OK);
    uint8_t *longer = arena_alloc(&a, v.len + 40);
    memcpy(longer, v.at, v.len);
    memset(longer + v.len, 0xee, 40);
    cr_assert_eq(prekey_row_read(view_of(longer, v.len + 40), &back), STATUS_DAMAGED,
                 "one too many");
    arena_fini(&a);
}

Test(rows, an_envelope_offered_again_names_its_first_place)
{
    struct arena a = {0};
    struct envelope_row row = {.attempt = 3, .origin = {term_make(1, 1), 9}}, back;
    struct view v = envelope_row_write(&a, &row), ciphertext;
    uint8_t *copy = arena_alloc(&a, v.len + 5);
    memcpy(copy, v.at, v.len);
    cr_assert_eq(v.len, ENVELOPE_HEAD_LEN + ENVELOPE_ORIGIN_LEN);
    cr_assert_eq(envelope_row_read(view_of(copy, v.len + 5), &back, &ciphertext), STATUS_OK);
    cr_assert_eq(position_compare(back.origin, row.origin), 0);
    cr_assert_eq(ciphertext.len, 5);
    cr_assert_eq(envelope_row_read(view_of(copy, v.len - 1), &back, &ciphertext), STATUS_DAMAGED);
    memset(copy + v.len - 8, 0, 8);
    cr_assert_eq(envelope_row_read(view_of(copy, v.len), &back, &ciphertext), STATUS_DAMAGED,
                 "there is no place 0");
    arena_fini(&a);
}

Test(rows, an_envelope_with_a_stamp_gives_it_back_and_one_without_pays_nothing)
{
    struct arena a = {0};
    struct envelope_row row = {.sealed = true, .stamped = true, .commitment = {{1}}, .stamp_key = 5, .stamp = {{2}}};
    struct envelope_row plain = {.sealed = true}, back;
    struct view ciphertext, v = envelope_row_write(&a, &row);
    cr_assert_eq(envelope_row_write(&a, &plain).len, ENVELOPE_HEAD_LEN);
    cr_assert_eq(v.len, ENVELOPE_HEAD_LEN + ENVELOPE_STAMP_LEN);
    cr_assert_eq(envelope_row_read(v, &back, &ciphertext), STATUS_OK);
    cr_assert(back.stamped && back.stamp_key == 5 && back.commitment.bytes[0] == 1 && back.stamp.bytes[0] == 2);
    cr_assert_eq(envelope_row_read(view_of(v.at, v.len - 1), &back, &ciphertext), STATUS_DAMAGED);
    row.origin = (struct position){term_make(1, 1), 9};
    v = envelope_row_write(&a, &row);
    cr_assert_eq(v.len, ENVELOPE_HEAD_LEN + ENVELOPE_ORIGIN_LEN + ENVELOPE_STAMP_LEN);
    cr_assert_eq(envelope_row_read(v, &back, &ciphertext), STATUS_OK);
    cr_assert(back.origin.seq == 9 && back.stamp.bytes[0] == 2 && ciphertext.len == 0);
    arena_fini(&a);
}

Test(rows, an_outcome_says_more_only_where_there_is_more)
{
    struct arena a = {0};
    static const uint8_t much[REPORT_LEN_MAX + 1];
    struct outcome_row row = {.state = 5}, back;
    size_t plain = outcome_row_write(&a, &row).len;
    row.report = view_of(much, REPORT_LEN_MAX);
    row.commitment.bytes[31] = 3;
    row.attempt = RESENDS_MAX;
    struct view v = outcome_row_write(&a, &row);
    cr_assert_eq(v.len, plain + 33 + REPORT_LEN_MAX);
    cr_assert_eq(outcome_row_read(v, &back), STATUS_OK);
    cr_assert(view_equal(back.report, row.report) && back.attempt == RESENDS_MAX && back.commitment.bytes[31] == 3);
    cr_assert_eq(outcome_row_read(view_of(v.at, plain), &back), STATUS_OK);
    cr_assert(back.report.len == 0 && back.attempt == 0 && back.commitment.bytes[31] == 0);
    cr_assert_eq(outcome_row_read(view_of(v.at, plain + 32), &back), STATUS_DAMAGED, "cut within the commitment");
    uint8_t *copy = arena_alloc(&a, v.len + 1);
    memcpy(copy, v.at, v.len);
    cr_assert_eq(outcome_row_read(view_of(copy, v.len + 1), &back), STATUS_DAMAGED, "longer than a report");
    copy[plain] = RESENDS_MAX + 1;
    cr_assert_eq(outcome_row_read(view_of(copy, v.len), &back), STATUS_DAMAGED, "there is no such attempt");
    arena_fini(&a);
}

Test(rows, another_version_or_a_cut_value_is_damage)
{
    struct arena a = {0};
    struct wake_row wake = {.due_ms = 5};
    struct view v = wake_row_write(&a, &wake);
    uint8_t *copy = arena_alloc(&a, v.len + 1);
    memcpy(copy, v.at, v.len);
    cr_assert_eq(wake_row_read(view_of(copy, v.len), &wake), STATUS_OK);
    cr_assert_eq(wake_row_read(view_of(copy, v.len - 1), &wake), STATUS_DAMAGED);
    cr_assert_eq(wake_row_read(view_of(copy, v.len + 1), &wake), STATUS_DAMAGED);
    copy[0] = ROW_VERSION + 1;
    cr_assert_eq(wake_row_read(view_of(copy, v.len), &wake), STATUS_DAMAGED);
    cr_assert_eq(wake_row_read(view_of(NULL, 0), &wake), STATUS_DAMAGED);
    arena_fini(&a);
}
