/* What time does: envelopes end, claims stay as long as promised, and a clock that jumps ends nothing. */
#include "tests/unit/storage_fixture.h"

static struct sending send_for(struct scene *e, uint64_t ttl_ms)
{
    struct message_id id = world_id(e->w);
    struct sending s = person_send_begin(e->w, e->ann, e->bob, id, world_text(e->w, id, 30), ttl_ms,
                                         NULL);
    world_run(e->w);
    person_send_end(e->w, &s);
    cr_assert_eq(s.status, STATUS_OK);
    return s;
}

Test(expiry, who_gets_a_message_with_a_time_to_live_is_told_its_end_also_when_it_is_offered_again)
{
    struct scene e = scene_new(false);
    struct sending s = send_for(&e, HOUR_MS);
    (void)send_for(&e, 0);
    for (size_t i = 0; i < 2; i++) {
        cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
        cr_assert_eq(e.bob->got_count, 2);
        cr_assert_eq(e.bob->got[0].item.expires_ms, s.accepted.expires_ms);
        cr_assert_eq(e.bob->got[1].item.expires_ms, 0, "the relay's own time is nobody's wish");
        world_restart(e.w);
    }
    scene_free(&e);
}

/* Enough sweeps to see every row a few times. */
static void sweep(struct world *w)
{
    for (int i = 0; i < 12; i++)
        world_skip(w, 600);
}

Test(expiry, a_queued_envelope_ends_after_its_time_to_live_and_leaves_a_gap)
{
    struct scene e = scene_new(false);
    struct sending s = send_for(&e, 60000), keep = send_for(&e, HOUR_MS);
    cr_assert_eq(s.accepted.expires_ms, e.w->core->store_ms + 60000);
    world_skip(e.w, 59000);
    sweep(e.w);
    world_skip(e.w, 61000);
    sweep(e.w);
    cr_assert_eq(person_state(e.w, e.ann, e.bob, s.id).outcome, OUTCOME_EXPIRED);
    cr_assert_eq(person_state(e.w, e.ann, e.bob, keep.id).state, DELIVERY_QUEUED);
    cr_assert_eq(world_rows(e.w, SPACE_PAYLOAD, ROW_ENVELOPE), 1);
    cr_assert_eq(world_outs(e.w, KIND_HINT_DEVICE), 1);
    world_restart(e.w);
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    cr_assert_eq(e.bob->got_count, 1);
    cr_assert_eq(e.bob->gap_count, 1);
    cr_assert_eq(e.bob->gaps[0].reason, GAP_EXPIRED);
    cr_assert_eq(e.w->core->counters.queued_messages, 1);
    scene_free(&e);
}

Test(expiry, one_that_is_over_when_the_device_comes_is_never_offered)
{
    struct scene e = scene_new(false);
    struct sending s = send_for(&e, 1000);
    send_for(&e, HOUR_MS);
    e.w->now.wall_ms += 1200; /* no sweep in between */
    e.w->now.mono_ms += 1200;
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    cr_assert_eq(e.bob->got_count, 1);
    cr_assert_eq(e.bob->gap_count, 1);
    cr_assert_eq(person_state(e.w, e.ann, e.bob, s.id).outcome, OUTCOME_EXPIRED);
    sweep(e.w);
    cr_assert_eq(e.w->core->counters.queued_messages, 1, "counted once");
    cr_assert_eq(world_events(e.w, EVENT_DELIVERY_EXPIRED), 1);
    person_ack(e.w, e.bob, 1);
    cr_assert_eq(e.w->core->counters.queued_messages, 0);
    scene_free(&e);
}

Test(expiry, an_offered_one_stays_while_its_session_lives_for_an_hour)
{
    struct scene e = scene_new(true);
    struct sending s = send_for(&e, 60000);
    person_read(e.w, e.bob);
    world_skip(e.w, 120000);
    sweep(e.w);
    cr_assert_eq(person_state(e.w, e.ann, e.bob, s.id).state, DELIVERY_OFFERED);
    for (int i = 0; i < 70; i++)
        world_skip(e.w, 59000);
    sweep(e.w);
    cr_assert_eq(person_state(e.w, e.ann, e.bob, s.id).outcome, OUTCOME_EXPIRED);
    cr_assert_eq(core_mailbox_peek(e.w->core, e.bob->device)->window_len, 0);
    struct position at = person_at(e.bob, 0);
    uint64_t c = person_ack_begin(e.w, e.bob, at, at, NULL, 0);
    struct msg_acked a;
    world_run(e.w);
    world_decode(e.w, c, KIND_ACKED, &msg_acked_desc, &a);
    cr_assert_eq(a.settled_seq, at.seq, "there is nothing left to acknowledge");
    cr_assert_eq(person_state(e.w, e.ann, e.bob, s.id).outcome, OUTCOME_EXPIRED, "set once");
    scene_free(&e);
}

Test(expiry, an_offered_one_ends_when_its_session_is_gone)
{
    struct scene e = scene_new(true);
    struct sending s = send_for(&e, 60000);
    struct stamp stamp = person_stamp(e.bob);
    world_skip(e.w, 120000);
    world_item(e.w, 0, &stamp, KIND_CLOSED, 0, &msg_closed_desc, &(struct msg_closed){0},
               view_of(NULL, 0));
    sweep(e.w);
    cr_assert_eq(person_state(e.w, e.ann, e.bob, s.id).outcome, OUTCOME_EXPIRED);
    scene_free(&e);
}

Test(expiry, a_parked_one_ends_too)
{
    struct scene e = scene_new(true);
    struct sending s = send_for(&e, 60000);
    person_read(e.w, e.bob);
    struct msg_failure failed = {e.bob->got[0].item.term, 1, FAIL_HELD, {0}};
    person_ack_begin(e.w, e.bob, person_at(e.bob, 0), person_at(e.bob, 0), &failed, 1);
    world_run(e.w);
    world_skip(e.w, 61000);
    sweep(e.w);
    cr_assert_eq(person_state(e.w, e.ann, e.bob, s.id).outcome, OUTCOME_EXPIRED);
    cr_assert_eq(world_rows(e.w, SPACE_PAYLOAD, ROW_PARKED), 0);
    cr_assert_eq(e.w->core->counters.parked, 0);
    e.bob->reoffer_held = true;
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    cr_assert_eq(e.bob->got_count, 0);
    scene_free(&e);
}

Test(expiry, a_claim_stays_for_eight_days_after_its_outcome_and_then_goes)
{
    struct scene e = scene_new(true);
    struct sending s = send_for(&e, 0);
    person_read(e.w, e.bob);
    world_skip(e.w, 5 * DAY_MS);
    person_ack(e.w, e.bob, 1);
    world_skip(e.w, 7 * DAY_MS + 12 * HOUR_MS); /* 12.5 days old, 7.5 after the outcome */
    sweep(e.w);
    cr_assert_eq(person_state(e.w, e.ann, e.bob, s.id).outcome, OUTCOME_SETTLED);
    world_skip(e.w, DAY_MS);
    sweep(e.w);
    cr_assert_eq(world_claims(e.w), 0);
    cr_assert_eq(world_explain(e.w, e.ann, e.bob, s.id), EXPLAIN_OLDER_THAN_RETENTION);
    world_skip(e.w, 9 * DAY_MS);
    sweep(e.w);
    cr_assert_eq(world_rows(e.w, SPACE_ROUTING, ROW_RUN), 1, "a claim with another part may need it");
    world_skip(e.w, 30 * DAY_MS);
    sweep(e.w);
    cr_assert_eq(world_rows(e.w, SPACE_ROUTING, ROW_RUN), 0);
    scene_free(&e);
}

Test(expiry, the_claim_of_an_open_delivery_stays)
{
    struct scene e = scene_new(false);
    struct sending s = send_for(&e, 0);
    world_skip(e.w, 20 * DAY_MS);
    sweep(e.w);
    cr_assert_eq(person_state(e.w, e.ann, e.bob, s.id).state, DELIVERY_QUEUED);
    struct sending again = person_send_begin(e.w, e.ann, e.bob, s.id, world_text(e.w, s.id, 30), 0,
                                             NULL);
    world_run(e.w);
    person_send_end(e.w, &again);
    cr_assert(view_equal(again.answer, s.answer));
    scene_free(&e);
}

Test(expiry, many_ledger_rows_are_swept_in_bounded_pieces_to_the_end)
{
    struct scene e = scene_new(true);
    for (int i = 0; i < 600; i++)
        send_for(&e, 0);
    person_read(e.w, e.bob);
    person_ack(e.w, e.bob, 600);
    world_skip(e.w, 9 * DAY_MS);
    for (int i = 0; i < 60; i++)
        world_skip(e.w, 600);
    cr_assert_eq(world_claims(e.w), 0);
    scene_free(&e);
}

static void jump(uint64_t by, bool back)
{
    struct scene e = scene_new(false);
    struct sending s = send_for(&e, DAY_MS);
    world_pass(e.w, 1000);
    uint64_t before = e.w->core->store_ms;
    e.w->now.wall_ms = back ? e.w->now.wall_ms - by : e.w->now.wall_ms + by;
    for (int i = 0; i < 30; i++)
        world_skip(e.w, 600);
    cr_assert_eq(person_state(e.w, e.ann, e.bob, s.id).state, DELIVERY_QUEUED);
    cr_assert_eq(world_claims(e.w), 1);
    cr_assert_geq(e.w->core->store_ms, before + 17000);
    cr_assert_leq(e.w->core->store_ms, before + 19000);
    cr_assert_eq(world_events(e.w, EVENT_CLOCK_JUMPED), 1);
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    cr_assert_eq(e.bob->got_count, 1, "and delivery goes on");
    scene_free(&e);
}

Test(expiry, a_clock_that_jumps_a_year_ahead_ends_nothing)
{
    jump(365 * DAY_MS, false);
}

Test(expiry, a_clock_that_jumps_a_year_back_stops_nothing)
{
    jump(365 * DAY_MS, true);
}

Test(expiry, a_clock_that_is_a_year_ahead_at_the_opening_ends_nothing_for_an_hour)
{
    struct scene e = scene_new(false);
    send_for(&e, DAY_MS);
    e.w->now.wall_ms += 365 * DAY_MS;
    world_restart(e.w);
    cr_assert_eq(world_events(e.w, EVENT_STORE_WAS_AWAY), 1);
    cr_assert_eq(person_hello(e.w, e.ann, 0), STATUS_OK);
    sweep(e.w);
    cr_assert_eq(world_rows(e.w, SPACE_PAYLOAD, ROW_ENVELOPE), 1);
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    cr_assert_eq(e.bob->got_count, 1);
    scene_free(&e);
}

Test(expiry, a_store_that_was_closed_for_long_goes_on_after_that_hour)
{
    struct scene e = scene_new(false);
    send_for(&e, DAY_MS);
    e.w->now.wall_ms += 2 * DAY_MS;
    world_restart(e.w);
    for (int i = 0; i < 62; i++)
        world_skip(e.w, 60000);
    sweep(e.w);
    cr_assert_eq(world_rows(e.w, SPACE_PAYLOAD, ROW_ENVELOPE), 0);
    scene_free(&e);
}
