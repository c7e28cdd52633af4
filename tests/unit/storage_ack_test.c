/* Acks: cumulative over what the session was offered; exceptions are parked; echoes cover no more. */
#include "tests/unit/storage_fixture.h"

static struct msg_acked acked_of(struct world *w, uint64_t correlation)
{
    struct msg_acked a;
    world_decode(w, correlation, KIND_ACKED, &msg_acked_desc, &a);
    return a;
}

static void send_many(struct scene *e, size_t n)
{
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(person_send(e->w, e->ann, e->bob, 20).status, STATUS_OK);
    person_read(e->w, e->bob);
}

Test(ack, settles_all_up_to_its_position_in_one_run)
{
    struct scene e = scene_new(true);
    send_many(&e, 10);
    cr_assert_eq(e.bob->got_count, 10);
    person_ack(e.w, e.bob, 7);
    cr_assert_eq(world_rows(e.w, SPACE_PAYLOAD, ROW_ENVELOPE), 3);
    cr_assert_eq(world_rows(e.w, SPACE_ROUTING, ROW_RUN), 1);
    person_ack(e.w, e.bob, 10);
    cr_assert_eq(world_rows(e.w, SPACE_PAYLOAD, ROW_ENVELOPE), 0);
    cr_assert_eq(e.w->core->counters.queued_messages, 0);
    cr_assert_eq(e.w->core->counters.queued_bytes, 0);
    cr_assert_eq(e.w->core->counters.settled, 10);
    scene_free(&e);
}

/* What settles within a second of the first of a run shares its time. */
Test(ack, nothing_was_settled_before_it_was_accepted)
{
    struct scene e = scene_new(true);
    send_many(&e, 1);
    person_ack(e.w, e.bob, 1);
    world_skip(e.w, 300);
    struct sending later = person_send(e.w, e.ann, e.bob, 20);
    person_read(e.w, e.bob);
    person_ack(e.w, e.bob, 2);
    cr_assert_eq(world_rows(e.w, SPACE_ROUTING, ROW_RUN), 1);
    struct msg_part_state part = person_state(e.w, e.ann, e.bob, later.id);
    cr_assert_eq(part.outcome, OUTCOME_SETTLED);
    cr_assert_geq(part.at_ms, later.accepted.receipt.accepted_ms);
    scene_free(&e);
}

Test(ack, exceptions_are_parked_and_split_the_runs)
{
    struct scene e = scene_new(true);
    send_many(&e, 6);
    struct msg_failure failed[] = {
        {e.bob->got[1].item.term, e.bob->got[1].item.seq, FAIL_HELD, {0}},
        {e.bob->got[4].item.term, e.bob->got[4].item.seq, FAIL_BROKEN, {0}}};
    uint64_t c = person_ack_begin(e.w, e.bob, person_at(e.bob, 5), person_at(e.bob, 5), failed, 2);
    world_run(e.w);
    cr_assert_eq(acked_of(e.w, c).settled_seq, e.bob->got[5].item.seq);
    cr_assert_eq(world_rows(e.w, SPACE_ROUTING, ROW_RUN), 3);
    cr_assert_eq(world_rows(e.w, SPACE_PAYLOAD, ROW_PARKED), 2);
    cr_assert_eq(world_rows(e.w, SPACE_PAYLOAD, ROW_ENVELOPE), 0);
    for (size_t i = 0; i < 6; i++) {
        struct msg_part_state s = person_state(e.w, e.ann, e.bob, e.bob->got[i].item.id);
        uint32_t reason = i == 1 ? FAIL_HELD : i == 4 ? FAIL_BROKEN : FAIL_NONE;
        cr_assert_eq(s.reason, reason);
        cr_assert_eq(s.state, reason ? DELIVERY_FAILED : DELIVERY_NONE);
        cr_assert_eq(s.outcome, reason ? OUTCOME_OPEN : OUTCOME_SETTLED);
    }
    cr_assert_eq(world_events(e.w, EVENT_DELIVERY_FAILED), 2);
    cr_assert_eq(e.w->core->counters.parked, 2);
    scene_free(&e);
}

Test(ack, a_failure_above_settled_or_never_offered_is_ignored)
{
    struct scene e = scene_new(true);
    send_many(&e, 3);
    struct msg_failure failed[] = {
        {e.bob->got[2].item.term, e.bob->got[2].item.seq, FAIL_BROKEN, {0}},
        {e.bob->got[0].item.term, 99, FAIL_BROKEN, {0}}};
    person_ack_begin(e.w, e.bob, person_at(e.bob, 1), person_at(e.bob, 1), failed, 2);
    world_run(e.w);
    cr_assert_eq(world_rows(e.w, SPACE_PAYLOAD, ROW_PARKED), 0);
    cr_assert_eq(person_state(e.w, e.ann, e.bob, e.bob->got[2].item.id).state, DELIVERY_OFFERED);
    scene_free(&e);
}

Test(ack, a_failure_for_no_reason_we_know_is_malformed)
{
    struct scene e = scene_new(true);
    send_many(&e, 1);
    struct msg_failure failed = {e.bob->got[0].item.term, 1, FAIL_DAMAGED, {0}};
    uint64_t c = person_ack_begin(e.w, e.bob, person_at(e.bob, 0), person_at(e.bob, 0), &failed, 1);
    world_run(e.w);
    cr_assert_eq(world_status(e.w, c), STATUS_MALFORMED);
    cr_assert_eq(world_rows(e.w, SPACE_PAYLOAD, ROW_ENVELOPE), 1);
    scene_free(&e);
}

Test(ack, of_another_session_or_an_old_one_is_no_session)
{
    struct scene e = scene_new(true);
    send_many(&e, 1);
    struct position at = person_at(e.bob, 0);
    struct session_id old = e.bob->session;
    uint64_t old_conn = e.bob->conn;
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    struct session_id now = e.bob->session;
    uint64_t now_conn = e.bob->conn;
    e.bob->session = old;
    e.bob->conn = old_conn;
    uint64_t c = person_ack_begin(e.w, e.bob, at, at, NULL, 0);
    world_run(e.w);
    cr_assert_eq(world_status(e.w, c), STATUS_NO_SESSION);
    /* the connection is bound to the new session, the ack names the old one */
    struct msg_ack ack = {.session = old, .settled_term = at.term, .settled_seq = at.seq};
    e.bob->session = now;
    e.bob->conn = now_conn;
    struct stamp stamp = person_stamp(e.bob);
    c = world_ask(e.w, 0, &stamp, KIND_ACK, &msg_ack_desc, &ack, view_of(NULL, 0));
    world_run(e.w);
    cr_assert_eq(world_status(e.w, c), STATUS_NO_SESSION);
    cr_assert_eq(world_rows(e.w, SPACE_PAYLOAD, ROW_ENVELOPE), 1);
    scene_free(&e);
}

Test(ack, positions_beyond_what_was_offered_are_ignored_and_not_echoed)
{
    struct scene e = scene_new(false);
    e.bob->credit_messages = 2;
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    send_many(&e, 5);
    cr_assert_eq(e.bob->got_count, 2);
    struct position beyond = {e.bob->got[0].item.term, 4};
    uint64_t c = person_ack_begin(e.w, e.bob, beyond, beyond, NULL, 0);
    world_run(e.w);
    struct msg_acked a = acked_of(e.w, c);
    cr_assert_eq(a.settled_seq, 2);
    cr_assert_eq(a.delivered_seq, 2);
    cr_assert_eq(world_rows(e.w, SPACE_PAYLOAD, ROW_ENVELOPE), 3);
    person_read(e.w, e.bob);
    cr_assert_eq(e.bob->got_count, 4);
    cr_assert_eq(person_state(e.w, e.ann, e.bob, e.bob->got[2].item.id).state, DELIVERY_OFFERED);
    scene_free(&e);
}

Test(ack, of_the_future_is_not_echoed_although_the_mailbox_is_empty)
{
    struct scene e = scene_new(true);
    send_many(&e, 2);
    person_ack(e.w, e.bob, 2);
    struct position future = {e.bob->got[0].item.term, 50};
    uint64_t c = person_ack_begin(e.w, e.bob, future, future, NULL, 0);
    e.bob->settled = (struct position){.seq = 0};
    world_run(e.w);
    cr_assert_eq(acked_of(e.w, c).settled_seq, 2);
    scene_free(&e);
}

Test(ack, in_the_turn_of_a_send_does_not_settle_what_was_never_offered)
{
    struct scene e = scene_new(true);
    send_many(&e, 1);
    struct message_id id = world_id(e.w);
    struct sending s = person_send_begin(e.w, e.ann, e.bob, id, view_of("x", 1), 0, NULL);
    struct position next = {e.bob->got[0].item.term, 2};
    uint64_t c = person_ack_begin(e.w, e.bob, next, next, NULL, 0);
    world_run(e.w);
    person_send_end(e.w, &s);
    cr_assert_eq(s.accepted.parts[0].seq, 2);
    cr_assert_eq(acked_of(e.w, c).settled_seq, 1);
    cr_assert_eq(person_state(e.w, e.ann, e.bob, id).outcome, OUTCOME_OPEN);
    scene_free(&e);
}

Test(ack, after_a_restart_is_echoed_once_everything_is_offered_again)
{
    struct scene e = scene_new(true);
    send_many(&e, 3);
    person_ack(e.w, e.bob, 3);
    struct position last = person_at(e.bob, 2);
    world_restart(e.w);
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    uint64_t c = person_ack_begin(e.w, e.bob, last, last, NULL, 0);
    world_run(e.w);
    struct msg_acked a = acked_of(e.w, c);
    cr_assert(term_equal(a.settled_term, last.term));
    cr_assert_eq(a.settled_seq, last.seq, "nothing is open that it could mean");
    scene_free(&e);
}

Test(ack, is_repeated_safely)
{
    struct scene e = scene_new(true);
    send_many(&e, 3);
    person_ack(e.w, e.bob, 3);
    size_t runs = world_rows(e.w, SPACE_ROUTING, ROW_RUN);
    person_ack(e.w, e.bob, 2);
    person_ack(e.w, e.bob, 3);
    cr_assert_eq(world_rows(e.w, SPACE_ROUTING, ROW_RUN), runs);
    cr_assert_eq(e.w->core->counters.settled, 3);
    scene_free(&e);
}

Test(ack, delivered_survives_a_crash_once_it_is_echoed)
{
    struct scene e = scene_new(true);
    send_many(&e, 2);
    struct message_id id = e.bob->got[0].item.id;
    person_ack_begin(e.w, e.bob, (struct position){.seq = 0}, person_at(e.bob, 0), NULL, 0);
    world_run(e.w);
    world_restart(e.w);
    cr_assert_eq(person_hello(e.w, e.ann, 0), STATUS_OK);
    cr_assert_eq(person_state(e.w, e.ann, e.bob, id).state, DELIVERY_DELIVERED,
                 "states move only forward");
    scene_free(&e);
}

Test(ack, of_a_stamp_whose_account_is_not_the_device_s_changes_nothing)
{
    struct scene e = scene_new(true);
    send_many(&e, 1);
    struct position at = person_at(e.bob, 0);
    struct msg_failure failed = {at.term, at.seq, FAIL_HELD, {0}};
    e.bob->account.bytes[0] ^= 0x55;
    uint64_t c = person_ack_begin(e.w, e.bob, at, at, &failed, 1);
    world_run(e.w);
    cr_assert_eq(world_status(e.w, c), STATUS_NO_SESSION);
    scene_free(&e);
}
