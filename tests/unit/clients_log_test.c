/* Identity logs at the client: what it believes of a contact's, what it gives back, and its own entries. */
#include "tests/unit/clients_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

/* ---- a contact's ---- */

static void answer_stale(struct fixture *f, const struct sent *s, const struct msg_stale *stale)
{
    struct msg_stale copy = *stale;
    struct msg_sent_item item = {.status = STATUS_STALE_DEVICES, .stale = &copy, .stale_count = 1};
    answer_one(f, s, &item);
}

ENGINE_TEST(log, stale_devices_are_repaired_and_remembered)
{
    struct sent s;
    bob_and_session(f);
    struct outbox_row row = write_to(f, "bob", "x", NULL);
    said_send(f, &s);
    struct device_id second = bob_adds(f, 1);
    struct msg_stale stale = stale_since(f, 1);
    answer_stale(f, &s, &stale);
    said_send(f, &s);
    cr_assert_eq(s.items[0].key_version, 2u);
    cr_assert_eq(memcmp(&s.items[0].head, &f->bob_log.version_head, 32), 0);
    cr_assert_eq(s.items[0].part_count, 2u);
    cr_assert(view_equal(s.frame.body, text("\x01x\x01x")));
    bob_does(f, (struct entry_plan){.operation = ENTRY_REVOKE, .subject = f->bob.device});
    stale = stale_since(f, 2);
    answer_stale(f, &s, &stale);
    said_send(f, &s);
    cr_assert_eq(s.items[0].part_count, 1u);
    cr_assert(device_equal(s.items[0].parts[0].device, second));
    accept_all(f, &s);
    cr_assert_eq(state_of(f, row.order), MESSAGE_ACCEPTED);
    write_to(f, "bob", "y", NULL);
    said_send(f, &s);
    cr_assert_eq(s.items[0].key_version, 3u, "for the next message too");
}

ENGINE_TEST(log, stale_answer_without_all_entries_is_looked_up)
{
    struct sent s;
    struct msg_lookup ask;
    bob_and_session(f);
    struct outbox_row row = write_to(f, "bob", "x", NULL);
    said_send(f, &s);
    bob_adds(f, 1);
    bob_adds(f, 2);
    struct msg_stale stale = stale_since(f, 1);
    stale.entry_count = 1;
    answer_stale(f, &s, &stale);
    cr_assert_eq(said_count(f, KIND_SEND), 0u);
    struct frame lookup = said(f, KIND_LOOKUP, &msg_lookup_desc, &ask);
    cr_assert_eq(ask.first, 2u, "what it has it does not ask for");
    struct msg_found found = bob_found(f, ask.first);
    answer(f, &lookup, KIND_FOUND, &msg_found_desc, &found);
    said_send(f, &s);
    cr_assert(s.items[0].key_version == 3 && s.items[0].part_count == 3);
    accept_all(f, &s);
    cr_assert_eq(state_of(f, row.order), MESSAGE_ACCEPTED);
}

ENGINE_TEST(log, lists_beside_the_entries_are_not_believed)
{
    struct sent s;
    struct device_id_list ghost = {.device = {{0xbb}}}, bobs = {.device = f->bob.device};
    bob_and_session(f);
    write_to(f, "bob", "x", NULL);
    said_send(f, &s);
    struct msg_stale stale = stale_since(f, 1);
    stale.missing = &ghost;
    stale.extra = &bobs;
    stale.missing_count = stale.extra_count = 1;
    answer_stale(f, &s, &stale);
    said_send(f, &s);
    cr_assert_eq(s.items[0].part_count, 1u);
    cr_assert(device_equal(s.items[0].parts[0].device, f->bob.device));
}

ENGINE_TEST(log, stale_devices_for_ever_are_given_up_after_three_rounds)
{
    struct sent s;
    bob_and_session(f);
    struct outbox_row row = write_to(f, "bob", "x", NULL);
    for (unsigned round = 0; round < 4; round++) {
        cr_assert_eq(state_of(f, row.order), MESSAGE_QUEUED, "round %u", round);
        said_send(f, &s);
        bob_rotates(f, (uint8_t)(10 + round));
        struct msg_stale stale = stale_since(f, s.items[0].key_version);
        answer_stale(f, &s, &stale);
    }
    row = row_at(f, row.order);
    cr_assert(row.state == MESSAGE_REFUSED && row.reason == STATUS_STALE_DEVICES);
}

/* The relay may lose entries, and may not take other ones in their place. */
ENGINE_TEST(log, a_relay_behind_us_gets_the_entries_and_then_the_same_bytes)
{
    struct sent first, second;
    struct msg_append given;
    struct msg_lookup ask;
    bob_adds(f, 1);
    bob_rotates(f, 9);
    bob_and_session(f);
    struct outbox_row row = write_to(f, "bob", "x", NULL);
    said_send(f, &first);
    bob_forgets(f, 1);
    struct msg_stale behind = {.log = identity_log_state(&f->bob_log)};
    struct msg_sent_item item = {.status = STATUS_RELAY_BEHIND, .stale = &behind, .stale_count = 1};
    answer_one(f, &first, &item);
    struct frame append = said(f, KIND_APPEND, &msg_append_desc, &given);
    cr_assert_eq(append.header.home, home_of_account(f->bob.account));
    cr_assert_eq(given.entry_count, 2u);
    cr_assert(view_equal(given.entries[0], buffer_view(&f->bob_entries[1])));
    cr_assert(view_equal(given.entries[1], buffer_view(&f->bob_entries[2])));
    bob_forgets(f, 3);
    struct msg_appended done = {.log = identity_log_state(&f->bob_log)};
    answer(f, &append, KIND_APPENDED, &msg_appended_desc, &done);
    struct frame lookup = said(f, KIND_LOOKUP, &msg_lookup_desc, &ask);
    struct msg_found found = bob_found(f, ask.first);
    answer(f, &lookup, KIND_FOUND, &msg_found_desc, &found);
    said_send(f, &second);
    cr_assert(view_equal(first.send.items[0], second.send.items[0]));
    accept_all(f, &second);
    cr_assert_eq(state_of(f, row.order), MESSAGE_ACCEPTED);
}

static struct outbox_row held_by(struct fixture *f, const struct outbox_row *row)
{
    struct outbox_row now = row_at(f, row->order);
    cr_assert(now.state == MESSAGE_HELD && now.reason == STATUS_BAD_ENTRY, "%u %s", now.state,
              status_name(now.reason));
    cr_assert_eq(said_count(f, KIND_SEND), 0u);
    cr_assert_gt(engine_counts(f->e).forks, 0u);
    return now;
}

ENGINE_TEST(log, another_history_holds_the_message)
{
    struct sent s;
    bob_adds(f, 1);
    bob_and_session(f);
    struct outbox_row row = write_to(f, "bob", "x", NULL);
    said_send(f, &s);
    bob_forgets(f, 1);
    bob_rotates(f, 9);
    bob_rotates(f, 8);
    struct msg_stale stale = stale_since(f, 1);
    answer_stale(f, &s, &stale);
    held_by(f, &row);
    pass(f, 60000);
    cr_assert_eq(said_count(f, KIND_SEND), 0u, "until the user says so");
}

ENGINE_TEST(log, a_shorter_other_history_is_found_out_when_ours_is_handed_over)
{
    struct sent s;
    bob_adds(f, 1);
    bob_adds(f, 2);
    bob_and_session(f);
    struct outbox_row row = write_to(f, "bob", "x", NULL);
    said_send(f, &s);
    bob_forgets(f, 1);
    bob_rotates(f, 9);
    struct msg_stale behind = {.log = identity_log_state(&f->bob_log)};
    struct msg_sent_item item = {.status = STATUS_RELAY_BEHIND, .stale = &behind, .stale_count = 1};
    answer_one(f, &s, &item);
    struct frame append = said(f, KIND_APPEND, NULL, NULL);
    refuse(f, &append, STATUS_STALE_HEAD, 0);
    held_by(f, &row);
}

ENGINE_TEST(log, another_head_at_the_same_length_holds_the_message)
{
    struct sent s;
    bob_adds(f, 1);
    bob_and_session(f);
    struct outbox_row row = write_to(f, "bob", "x", NULL);
    said_send(f, &s);
    bob_forgets(f, 1);
    bob_rotates(f, 9);
    struct msg_stale stale = stale_since(f, 2);
    answer_stale(f, &s, &stale);
    held_by(f, &row);
}

ENGINE_TEST(log, a_forged_entry_holds_the_message)
{
    struct sent s;
    bob_and_session(f);
    struct outbox_row row = write_to(f, "bob", "x", NULL);
    said_send(f, &s);
    bob_adds(f, 1);
    f->bob_entries[1].at[f->bob_entries[1].len - 1] ^= 1;
    struct msg_stale stale = stale_since(f, 1);
    answer_stale(f, &s, &stale);
    held_by(f, &row);
}
