/* Identity logs at the client: what it believes of a contact's, what it gives back, and its own entries. */
#include "tests/unit/clients_fixture.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

/* ---- a contact's ---- */

static void ok(enum status s)
{
    cr_assert_eq(s, STATUS_OK, "%s", status_name(s));
}

static void answer_behind(struct fixture *f, const struct sent *s, const struct identity_log *log)
{
    struct msg_stale behind = {.log = identity_log_state(log)};
    answer_one(f, s, &(struct msg_sent_item){.status = STATUS_RELAY_BEHIND, .stale = &behind, .stale_count = 1});
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
    cr_assert_eq(said_count(f, KIND_SEND), 0u, "the second round waits a moment");
    pass(f, 1500);
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
        pass(f, round > 1 ? 3000 : 0);
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
    answer_behind(f, &first, &f->bob_log);
    struct frame append = said(f, KIND_APPEND, &msg_append_desc, &given);
    cr_assert_eq(append.header.home, home_of_account(f->bob.account));
    cr_assert(given.held, "none of them is new");
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
    cr_assert(now.state == MESSAGE_HELD && now.reason == STATUS_CONTACT_FORKED, "%u %s", now.state,
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

/* A relay that says so for ever gets less and less of us, and no message is lost by it. */
ENGINE_TEST(log, a_relay_that_is_behind_again_and_again_is_asked_less_often)
{
    struct sent s;
    size_t sends = 0;
    bob_adds(f, 1);
    bob_and_session(f);
    struct outbox_row row = write_to(f, "bob", "x", NULL);
    for (unsigned second = 0; second < 60; second++) {
        struct identity_log first;
        ok(identity_log_open(buffer_view(&f->bob_entries[0]), &f->arena, &first));
        while (said_count(f, KIND_SEND)) {
            said_send(f, &s);
            answer_behind(f, &s, &first);
            struct frame append = said(f, KIND_APPEND, NULL, NULL);
            struct msg_appended done = {.log = identity_log_state(&f->bob_log)};
            answer(f, &append, KIND_APPENDED, &msg_appended_desc, &done);
            answer_lookups(f);
            sends++;
        }
        pass(f, 1000);
        while (said_count(f, KIND_PING)) {
            struct frame ping = said(f, KIND_PING, NULL, NULL);
            struct msg_pong pong = {.relay_ms = f->now.wall_ms, .map = f->map};
            answer(f, &ping, KIND_PONG, &msg_pong_desc, &pong);
        }
    }
    cr_assert(sends > 5 && sends < 40, "%zu", sends);
    cr_assert_eq(state_of(f, row.order), MESSAGE_QUEUED);
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
    answer_behind(f, &s, &f->bob_log);
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

/* Another history that is longer than ours, and of a lower version: there is nothing to hand over. It has to show itself. */
ENGINE_TEST(log, a_relay_that_is_behind_and_longer_is_looked_at_and_found_out)
{
    struct sent s;
    struct msg_lookup ask;
    bob_adds(f, 1);
    bob_adds(f, 2);
    bob_and_session(f);
    struct outbox_row row = write_to(f, "bob", "x", NULL);
    said_send(f, &s);
    bob_forgets(f, 1);
    for (unsigned i = 0; i < 4; i++)
        bob_does(f, (struct entry_plan){.operation = ENTRY_DESCRIBE, .data = text("another history")});
    answer_behind(f, &s, &f->bob_log);
    cr_assert_eq(said_count(f, KIND_APPEND), 0u);
    struct frame lookup = said(f, KIND_LOOKUP, &msg_lookup_desc, &ask);
    cr_assert_eq(ask.first, 0u);
    struct msg_found found = bob_found(f, ask.first);
    answer(f, &lookup, KIND_FOUND, &msg_found_desc, &found);
    held_by(f, &row);
}

/* "Taken", and it is not: again and again, but not at once. */
ENGINE_TEST(log, a_hand_over_that_leads_nowhere_is_not_repeated_at_once)
{
    struct sent s;
    struct identity_log first;
    unsigned rounds = 0;
    bob_adds(f, 1);
    bob_and_session(f);
    write_to(f, "bob", "x", NULL);
    said_send(f, &s);
    bob_forgets(f, 1);
    ok(identity_log_open(buffer_view(&f->bob_entries[0]), &f->arena, &first));
    answer_behind(f, &s, &first);
    for (unsigned second = 0; second < 10; second++, pass(f, 1000)) {
        while (said_count(f, KIND_APPEND) + said_count(f, KIND_LOOKUP)) {
            while (said_count(f, KIND_APPEND)) {
                struct frame append = said(f, KIND_APPEND, NULL, NULL);
                struct msg_appended done = {.log = identity_log_state(&first)};
                answer(f, &append, KIND_APPENDED, &msg_appended_desc, &done);
            }
            answer_lookups(f);
            cr_assert_lt(++rounds, 20u, "in second %u", second);
        }
    }
    cr_assert_gt(rounds, 1u);
}

/* ---- our own ---- */

static void own_read(struct fixture *f, struct state_identity *me, struct device_secrets *secrets, struct contact *own)
{
    ok(state_begin(f->state, STATE_READ));
    ok(state_identity_get(f->state, &f->arena, me));
    ok(state_secrets_get(f->state, secrets));
    ok(state_contact_get(f->state, me->account, own));
    ok(state_commit(f->state));
}

/* The one entry of the APPEND that must have been said, taken by *log: the relay's. */
static struct frame own_appended(struct fixture *f, struct identity_log *log, struct view *entry)
{
    struct msg_append given;
    struct frame frame = said(f, KIND_APPEND, &msg_append_desc, &given);
    cr_assert_eq(given.entry_count, 1u);
    cr_assert_eq(memcmp(&given.account, &f->me.account, 32), 0);
    cr_assert_eq(frame.header.home, home_of_account(f->me.account));
    *entry = arena_copy(&f->arena, given.entries[0]);
    ok(identity_log_append(log, *entry, &f->arena));
    f->my_log = identity_log_state(log);
    return frame;
}

static struct identity_log my_first(struct fixture *f)
{
    struct identity_log log;
    ok(identity_log_open(f->me.entry, &f->arena, &log));
    return log;
}

static void answer_appended(struct fixture *f, const struct frame *frame)
{
    struct msg_appended m = {.log = f->my_log};
    answer(f, frame, KIND_APPENDED, &msg_appended_desc, &m);
}

ENGINE_TEST(log, a_new_identity_key_is_in_use_when_the_log_has_it_and_not_before)
{
    struct state_identity me;
    struct device_secrets before, after;
    struct contact own;
    struct view entry;
    struct identity_log log = my_first(f);
    session_only(f);
    own_read(f, &me, &before, &own);
    ok(engine_rotate(f->e, f->now));
    cr_assert_eq(engine_rotate(f->e, f->now), STATUS_STATE, "one at a time");
    turn(f);
    struct frame frame = own_appended(f, &log, &entry);
    own_read(f, &me, &after, &own);
    cr_assert_eq(memcmp(before.identity_sk, after.identity_sk, 32), 0);
    cr_assert_eq(memcmp(&me.record, &f->me.record, sizeof me.record), 0);
    answer_appended(f, &frame);
    own_read(f, &me, &after, &own);
    cr_assert_neq(memcmp(before.identity_sk, after.identity_sk, 32), 0);
    cr_assert_eq(memcmp(&me.record, &log.devices[0].record, sizeof me.record), 0);
    cr_assert_eq(memcmp(&own.log, &log, sizeof log), 0);
    cr_assert_eq(happened(f, ENGINE_IDENTITY).status, STATUS_OK);
    pass(f, 60000);
    cr_assert_eq(said_count(f, KIND_APPEND), 0u);
    ok(engine_rotate(f->e, f->now));
}

ENGINE_TEST(log, an_entry_without_an_answer_is_said_again_as_it_was)
{
    struct view first, again;
    struct identity_log log = my_first(f), copy = log;
    session_only(f);
    ok(engine_rotate(f->e, f->now));
    turn(f);
    (void)own_appended(f, &log, &first);
    f->my_log = identity_log_state(&copy); /* it never came */
    restart(f);
    bind_session(f);
    struct frame frame = own_appended(f, &copy, &again);
    cr_assert(view_equal(first, again));
    answer_appended(f, &frame);
    cr_assert_eq(happened(f, ENGINE_IDENTITY).status, STATUS_OK);
}

static void answer_own_lookup(struct fixture *f, struct view entry, uint64_t first)
{
    struct msg_lookup ask;
    struct frame frame = said(f, KIND_LOOKUP, &msg_lookup_desc, &ask);
    struct msg_found found = {.account = f->me.account, .log = f->my_log, .entries = &entry,
                              .entry_count = entry.len ? 1 : 0};
    cr_assert_eq(ask.first, first);
    answer(f, &frame, KIND_FOUND, &msg_found_desc, &found);
}

ENGINE_TEST(log, an_entry_that_is_there_after_all_needs_no_second_answer)
{
    struct view entry;
    struct identity_log log = my_first(f);
    session_only(f);
    ok(engine_rotate(f->e, f->now));
    turn(f);
    (void)own_appended(f, &log, &entry);
    lose_connection(f);
    bind_session(f); /* WELCOME says that the log is longer than ours */
    answer_own_lookup(f, entry, 1);
    cr_assert_eq(happened(f, ENGINE_IDENTITY).status, STATUS_OK);
}

ENGINE_TEST(log, behind_another_entry_it_is_made_anew_with_the_same_key)
{
    struct state_identity me;
    struct device_secrets secrets;
    struct contact own;
    struct buffer other = {0};
    struct view entry;
    struct identity_log log = my_first(f), mine = log;
    session_only(f);
    own_read(f, &me, &secrets, &own);
    struct entry_plan plan = {.operation = ENTRY_DESCRIBE, .signer = me.device, .data = text("a name")};
    identity_log_make(&log, &plan, secrets.signing_sk, &other);
    ok(engine_rotate(f->e, f->now));
    turn(f);
    struct frame frame = own_appended(f, &mine, &entry);
    struct identity_pk wanted = mine.devices[0].record.identity;
    ok(identity_log_append(&log, buffer_view(&other), &f->arena));
    f->my_log = identity_log_state(&log);
    refuse(f, &frame, STATUS_STALE_HEAD, 0);
    answer_own_lookup(f, buffer_view(&other), 1);
    pass(f, 1000);
    frame = own_appended(f, &log, &entry);
    cr_assert_eq(memcmp(&log.devices[0].record.identity, &wanted, 32), 0);
    cr_assert_eq(log.length, 3u);
    answer_appended(f, &frame);
    cr_assert_eq(happened(f, ENGINE_IDENTITY).status, STATUS_OK);
    buffer_fini(&other);
}

ENGINE_TEST(log, an_entry_waits_for_a_relay_that_has_lost_the_account)
{
    struct view entry, again;
    struct identity_log log = my_first(f), copy = log;
    session_only(f);
    ok(engine_rotate(f->e, f->now));
    turn(f);
    struct frame frame = own_appended(f, &log, &entry);
    refuse(f, &frame, STATUS_NOT_FOUND, 0);
    pass(f, 6000);
    struct frame hello = said(f, KIND_HELLO, NULL, NULL);
    refuse(f, &hello, STATUS_NOT_FOUND, 0);
    frame = said(f, KIND_REGISTER, NULL, NULL);
    f->my_log = identity_log_state(&copy);
    struct msg_registered done = {.account = f->me.account, .device = f->me.device, .log = f->my_log};
    answer(f, &frame, KIND_REGISTERED, &msg_registered_desc, &done);
    greet(f);
    (void)own_appended(f, &copy, &again);
    cr_assert(view_equal(entry, again));
    cr_assert_not(has_happened(f, ENGINE_IDENTITY));
}

ENGINE_TEST(log, an_entry_refused_for_good_is_given_up_with_its_key)
{
    struct state_identity me;
    struct device_secrets before, after;
    struct contact own;
    struct view entry;
    uint8_t zero[32] = {0};
    struct identity_log log = my_first(f);
    session_only(f);
    own_read(f, &me, &before, &own);
    ok(engine_rotate(f->e, f->now));
    turn(f);
    struct frame frame = own_appended(f, &log, &entry);
    refuse(f, &frame, STATUS_REFUSED, 0);
    cr_assert_not(has_happened(f, ENGINE_IDENTITY), "it may be in the log all the same");
    struct identity_log without = my_first(f);
    f->my_log = identity_log_state(&without);
    answer_own_lookup(f, view_of(NULL, 0), 1);
    cr_assert_eq(happened(f, ENGINE_IDENTITY).status, STATUS_REFUSED);
    own_read(f, &me, &after, &own);
    cr_assert_eq(memcmp(before.identity_sk, after.identity_sk, 32), 0);
    cr_assert_eq(memcmp(after.next_identity_sk, zero, 32), 0);
    cr_assert_eq(own.log.length, 1u);
}

/* The first try was taken, its answer lost; the second one is refused. The key that the log has is kept. */
ENGINE_TEST(log, a_refusal_of_what_the_log_has_takes_no_key_away)
{
    struct state_identity me;
    struct device_secrets secrets;
    struct contact own;
    struct view entry;
    struct identity_log log = my_first(f);
    struct identity_pk pk;
    session_only(f);
    ok(engine_rotate(f->e, f->now));
    turn(f);
    struct frame frame = own_appended(f, &log, &entry);
    refuse(f, &frame, STATUS_UNSUPPORTED, 0);
    answer_own_lookup(f, entry, 1);
    cr_assert_eq(happened(f, ENGINE_IDENTITY).status, STATUS_OK);
    own_read(f, &me, &secrets, &own);
    cr_assert_eq(crypto_scalarmult_base(pk.bytes, secrets.identity_sk), 0);
    cr_assert_eq(memcmp(&pk, &log.devices[0].record.identity, 32), 0);
}

/* A client that has rotated once; the relay has its log. */
static struct identity_log rotated_once(struct fixture *f, struct view *entry)
{
    struct identity_log log = my_first(f);
    session_only(f);
    ok(engine_rotate(f->e, f->now));
    turn(f);
    struct frame frame = own_appended(f, &log, entry);
    answer_appended(f, &frame);
    lose_connection(f);
    events_forget(f);
    return log;
}

ENGINE_TEST(log, a_relay_that_lost_our_entry_gets_it_back)
{
    struct view entry, again;
    rotated_once(f, &entry);
    struct identity_log short_log = my_first(f);
    f->my_log = identity_log_state(&short_log);
    bind_session(f);
    answer_own_lookup(f, view_of(NULL, 0), 2);
    struct frame frame = own_appended(f, &short_log, &again);
    cr_assert(view_equal(entry, again));
    answer_appended(f, &frame);
    answer_own_lookup(f, view_of(NULL, 0), 2);
    cr_assert_not(has_happened(f, ENGINE_IDENTITY));
    pass(f, 60000);
    cr_assert_eq(said_count(f, KIND_APPEND) + said_count(f, KIND_LOOKUP), 0u);
}

ENGINE_TEST(log, a_relay_that_lost_the_account_gets_all_of_it)
{
    struct view entry;
    struct msg_register given;
    rotated_once(f, &entry);
    engine_up(f->e, f->now);
    turn(f);
    struct frame hello = said(f, KIND_HELLO, NULL, NULL);
    refuse(f, &hello, STATUS_NOT_FOUND, 0);
    (void)said(f, KIND_REGISTER, &msg_register_desc, &given);
    cr_assert(view_equal(given.entry, f->me.entry));
    cr_assert_eq(given.entry_count, 1u);
    cr_assert(view_equal(given.entries[0], entry));
}

ENGINE_TEST(log, another_log_of_ours_is_told_to_the_user)
{
    struct view entry;
    rotated_once(f, &entry);
    f->my_log.head.bytes[0] ^= 1;
    bind_session(f);
    answer_own_lookup(f, view_of(NULL, 0), 2);
    cr_assert_eq(happened(f, ENGINE_IDENTITY).status, STATUS_BAD_ENTRY);
    cr_assert_gt(engine_counts(f->e).forks, 0u);
}

/* Of a version that kept no logs: what is missing follows from the first entry. */
ENGINE_TEST(log, an_older_home_gets_its_own_log)
{
    struct state *old = memory_state_new();
    struct device_secrets secrets;
    struct contact own;
    struct state_identity me = f->me;
    struct engine *e = NULL;
    ok(state_begin(f->state, STATE_READ));
    ok(state_secrets_get(f->state, &secrets));
    ok(state_commit(f->state));
    memset(&me.device, 1, sizeof me.device); /* device ids were made otherwise */
    ok(state_begin(old, STATE_WRITE));
    ok(state_identity_put(old, &me));
    ok(state_secrets_put(old, &secrets));
    ok(state_commit(old));
    ok(engine_new(&f->config, old, &e));
    ok(state_begin(old, STATE_READ));
    ok(state_contact_get(old, me.account, &own));
    ok(state_identity_get(old, &f->arena, &me));
    ok(state_commit(old));
    cr_assert_eq(own.log.length, 1u);
    cr_assert(device_equal(me.device, f->me.device));
    engine_free(&e);
    state_close(&old);
}
