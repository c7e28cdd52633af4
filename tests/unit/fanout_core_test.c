/* The fan-out core against a scripted broker and store (fanout_script.h): brokers, leases,
 * results, drain. */
#include "tests/unit/fanout_script.h"

/* ---- brokers ---- */

Test(fanout, says_ready_once_a_second_until_a_peer_answers)
{
    struct script s = script_new(true);
    struct msg_ready ready;
    script_run(&s, 0);
    script_decode(&s, script_sent(&s, KIND_READY), &msg_ready_desc, &ready);
    cr_assert_eq(ready.role, ROLE_FANOUT);
    script_run(&s, FANOUT_READY_MS - 1);
    cr_assert_null(script_sent(&s, KIND_READY));
    script_run(&s, 1);
    cr_assert_not_null(script_sent(&s, KIND_READY));
    script_peer(&s, 1);
    script_run(&s, FANOUT_READY_MS);
    cr_assert_null(script_sent(&s, KIND_READY));
    cr_assert_not_null(script_sent(&s, KIND_HEARTBEAT));
    script_end(&s);
}

Test(fanout, asks_nobody_before_a_peer_answers)
{
    struct script s = script_new(true);
    script_beat(&s, 1);
    script_run(&s, FANOUT_POLL_MS);
    cr_assert_null(script_sent(&s, KIND_LEASE));
    cr_assert_null(script_sent(&s, KIND_HEARTBEAT));
    script_end(&s);
}

Test(fanout, ready_that_could_not_be_sent_is_said_again_at_once)
{
    struct script s = script_new(true);
    script_run_to(&s, 0, STATUS_GONE);
    cr_assert_not_null(script_sent(&s, KIND_READY));
    script_run(&s, FANOUT_BEAT_MS);
    cr_assert_not_null(script_sent(&s, KIND_READY));
    script_end(&s);
}

Test(fanout, silent_broker_is_lost_and_greeted_again)
{
    struct script s = script_new(true);
    script_ready(&s);
    script_run(&s, FANOUT_SILENCE_MS - 2);
    cr_assert_eq(script_event(&s, EVENT_BROKER_LOST).kind, 0);
    script_run(&s, 1);
    cr_assert_eq(script_event(&s, EVENT_BROKER_LOST).kind, EVENT_BROKER_LOST);
    cr_assert_not_null(script_sent(&s, KIND_READY));
    script_end(&s);
}

Test(fanout, broker_that_beats_is_not_lost)
{
    struct script s = script_new(true);
    script_ready(&s);
    for (int i = 0; i < 20; i++) {
        script_run(&s, FANOUT_BEAT_MS);
        script_beat(&s, 1);
    }
    cr_assert_eq(script_event(&s, EVENT_BROKER_LOST).kind, 0);
    script_end(&s);
}

Test(fanout, broker_with_a_new_boot_id_is_greeted_again)
{
    struct script s = script_new(true);
    script_ready(&s);
    s.broker_boot.bytes[0] = 2;
    script_beat(&s, 1);
    script_run(&s, 1);
    cr_assert_not_null(script_sent(&s, KIND_READY));
    cr_assert_eq(script_event(&s, EVENT_BROKER_LOST).kind, EVENT_BROKER_LOST);
    script_end(&s);
}

Test(fanout, one_broker_is_asked_and_the_next_one_when_it_is_lost)
{
    struct script s = script_new_of(true, 2);
    struct msg_wake wake = script_wake(9, 1);
    struct fanout_post post;
    for (s.broker = 0; s.broker < 2; s.broker++) {
        script_run(&s, 0);
        script_peer(&s, 1);
    }
    s.broker = 1;
    script_run(&s, 1);
    cr_assert_null(script_sent(&s, KIND_LEASE)); /* it went to broker 0 */
    s.broker = 0;
    script_run(&s, 0);
    script_lease(&s, script_sent(&s, KIND_LEASE), &wake, 1, false);
    cr_assert(fanout_post_next(s.f, &post));
    fanout_posted(s.f, s.now, post.token, 200, 5);
    script_run_to(&s, 1, STATUS_GONE); /* with the WOKEN in it */
    s.broker = 1;
    script_run(&s, 1);
    cr_assert(script_result(&s).sent);
    script_end(&s);
}

Test(fanout, slab_of_another_role_or_of_rubbish_is_recorded_and_changes_nothing)
{
    struct script s = script_new(true);
    uint8_t rubbish[60] = {0x53, 0x4c, 1, ROLE_BROKER, 0, 0, 0, 9};
    fanout_receive(s.f, s.now, 0, view_of(rubbish, sizeof rubbish));
    cr_assert_eq(script_event(&s, EVENT_FRAME_REFUSED).code, STATUS_MALFORMED);
    rubbish[3] = ROLE_STORAGE;
    fanout_receive(s.f, s.now, 0, view_of(rubbish, sizeof rubbish));
    cr_assert_eq(script_event(&s, EVENT_FRAME_REFUSED).code, STATUS_REFUSED);
    script_run(&s, 0);
    cr_assert_not_null(script_sent(&s, KIND_READY));
    script_end(&s);
}

Test(fanout, frame_for_another_role_is_recorded)
{
    struct script s = script_new(true);
    struct msg_empty empty = {0};
    script_ready(&s);
    script_say(&s, &(struct frame_header){.kind = KIND_SESSIONS_END}, &msg_empty_desc, &empty);
    struct event e = script_event(&s, EVENT_FRAME_REFUSED);
    cr_assert_eq(e.code, STATUS_UNSUPPORTED);
    cr_assert_eq(e.count, KIND_SESSIONS_END);
    script_end(&s);
}

/* ---- leases ---- */

Test(fanout, lease_goes_to_the_first_partition_of_each_store_in_turn)
{
    struct script s = script_new(true);
    script_run(&s, 0);
    script_peer(&s, 2);
    script_run(&s, 1);
    struct frame first = *script_sent(&s, KIND_LEASE);
    cr_assert_eq(first.header.home, 0);
    script_lease(&s, &first, NULL, 0, false);
    script_run(&s, 1);
    cr_assert_eq(script_sent(&s, KIND_LEASE)->header.home, 2048);
    script_end(&s);
}

Test(fanout, store_is_asked_again_every_two_seconds_and_not_before)
{
    struct script s = script_new(true);
    script_lease(&s, script_ready(&s), NULL, 0, false);
    for (uint64_t ms = 0; ms + FANOUT_BEAT_MS < FANOUT_POLL_MS; ms += FANOUT_BEAT_MS) {
        script_beat(&s, 1);
        script_run(&s, FANOUT_BEAT_MS);
        cr_assert_null(script_sent(&s, KIND_LEASE));
    }
    script_run(&s, FANOUT_BEAT_MS);
    cr_assert_not_null(script_sent(&s, KIND_LEASE));
    script_end(&s);
}

Test(fanout, wakes_waiting_asks_at_once_and_once)
{
    struct script s = script_new(true);
    struct msg_empty empty = {0};
    script_lease(&s, script_ready(&s), NULL, 0, false);
    script_say(&s, &(struct frame_header){.kind = KIND_WAKES_WAITING, .home = 77}, &msg_empty_desc,
               &empty);
    script_run(&s, 1);
    cr_assert_not_null(script_sent(&s, KIND_LEASE));
    script_lease(&s, script_sent(&s, KIND_LEASE), NULL, 0, false);
    script_run(&s, 1);
    cr_assert_null(script_sent(&s, KIND_LEASE)); /* once */
    script_end(&s);
}

Test(fanout, wakes_waiting_while_a_lease_is_out_is_not_forgotten)
{
    struct script s = script_new(true);
    struct msg_empty empty = {0};
    struct frame lease = *script_ready(&s);
    script_say(&s, &(struct frame_header){.kind = KIND_WAKES_WAITING}, &msg_empty_desc, &empty);
    script_run(&s, 1);
    cr_assert_null(script_sent(&s, KIND_LEASE)); /* one at a time */
    script_lease(&s, &lease, NULL, 0, false);
    script_run(&s, 1);
    cr_assert_not_null(script_sent(&s, KIND_LEASE));
    script_end(&s);
}

Test(fanout, more_asks_at_once_and_no_more_does_not)
{
    struct script s = script_new(true);
    struct msg_wake first = script_wake(1, 1), second = script_wake(2, 1);
    script_lease(&s, script_ready(&s), &first, 1, true);
    script_run(&s, 1);
    cr_assert_not_null(script_sent(&s, KIND_LEASE));
    script_lease(&s, script_sent(&s, KIND_LEASE), &second, 1, false);
    script_run(&s, 1);
    cr_assert_null(script_sent(&s, KIND_LEASE));
    script_end(&s);
}

/* A store that looked at many rows and found none due says "more" and gives nothing: no busy loop.
 */
Test(fanout, more_without_any_wake_waits)
{
    struct script s = script_new(true);
    script_lease(&s, script_ready(&s), NULL, 0, true);
    script_run(&s, 1);
    cr_assert_null(script_sent(&s, KIND_LEASE));
    script_end(&s);
}

Test(fanout, refused_lease_waits_as_told)
{
    struct script s = script_new(true);
    struct msg_error busy = {.status = STATUS_BUSY, .retry_after_ms = 600};
    struct frame lease = *script_ready(&s);
    script_say(&s,
               &(struct frame_header){.kind = KIND_ERROR, .correlation = lease.header.correlation},
               &msg_error_desc, &busy);
    script_run(&s, 599);
    cr_assert_null(script_sent(&s, KIND_LEASE));
    script_run(&s, 1);
    cr_assert_not_null(script_sent(&s, KIND_LEASE));
    script_end(&s);
}

Test(fanout, unanswered_lease_is_asked_again_and_its_late_answer_ignored)
{
    struct script s = script_new(true);
    struct msg_wake wake = script_wake(1, 1);
    struct fanout_post post;
    struct frame lease = *script_ready(&s);
    script_run(&s, FANOUT_ANSWER_MS / 2);
    script_beat(&s, 1);
    script_run(&s, FANOUT_ANSWER_MS / 2);
    cr_assert_not_null(script_sent(&s, KIND_LEASE));
    cr_assert_neq(script_sent(&s, KIND_LEASE)->header.correlation, lease.header.correlation);
    script_lease(&s, &lease, &wake, 1, false);
    cr_assert_not(fanout_post_next(s.f, &post));
    script_end(&s);
}

Test(fanout, never_holds_more_than_its_table)
{
    struct script s = script_new(true);
    struct msg_wake wakes[WAKES_MAX];
    struct msg_lease asked;
    struct fanout_post post;
    for (size_t i = 0; i < WAKES_MAX; i++)
        wakes[i] = script_wake((uint8_t)(i + 1), 0);
    struct frame lease = *script_ready(&s);
    script_decode(&s, &lease, &msg_lease_desc, &asked);
    cr_assert_eq(asked.count, WAKES_MAX);
    script_lease(&s, &lease, wakes, WAKES_MAX - 1, true);
    script_run(&s, 1);
    lease = *script_sent(&s, KIND_LEASE);
    script_decode(&s, &lease, &msg_lease_desc, &asked);
    cr_assert_eq(asked.count, 1);
    struct msg_wake more[2] = {script_wake(200, 0), script_wake(201, 0)};
    script_lease(&s, &lease, more, 2, true); /* more than asked for */
    script_run(&s, 1);
    cr_assert_null(script_sent(&s, KIND_LEASE));
    size_t count = 0;
    while (fanout_post_next(s.f, &post))
        count++;
    cr_assert_eq(count, WAKES_MAX);
    script_end(&s);
}

Test(fanout, device_that_is_held_already_is_not_posted_twice)
{
    struct script s = script_new(true);
    struct msg_wake twice[2] = {script_wake(1, 1), script_wake(1, 1)};
    struct fanout_post post;
    script_lease(&s, script_ready(&s), twice, 2, false);
    cr_assert(fanout_post_next(s.f, &post));
    cr_assert_not(fanout_post_next(s.f, &post));
    script_end(&s);
}

Test(fanout, wake_whose_lease_ended_in_the_queue_is_not_posted)
{
    struct script s = script_new(true);
    struct msg_wake wake = script_wake(1, 1);
    struct fanout_post post;
    script_lease(&s, script_ready(&s), &wake, 1, false);
    script_run(&s, FANOUT_LEASE_MS);
    cr_assert_not(fanout_post_next(s.f, &post));
    script_end(&s);
}

/* ---- results ---- */

Test(fanout, answer_2xx_is_sent_and_told)
{
    struct script s = script_new(true);
    struct fanout_post post = script_posting(&s, 1);
    fanout_posted(s.f, s.now, post.token, 204, 31);
    script_run(&s, 1);
    struct msg_wake_result r = script_result(&s);
    cr_assert(r.sent);
    cr_assert_eq(r.retry_ms, 0);
    cr_assert(device_equal(r.device, post.device));
    cr_assert_eq(memcmp(&r.account, &post.account, sizeof r.account), 0);
    struct event e = script_event(&s, EVENT_WAKE_SENT);
    struct mark device = mark_device(&s.config.mark_key, post.device);
    cr_assert_eq(e.code, 204);
    cr_assert_eq(e.count, 1);
    cr_assert_eq(e.value, 31);
    cr_assert_eq(memcmp(&e.device, &device, sizeof device), 0);
    script_end(&s);
}

Test(fanout, every_other_answer_is_tried_again_with_doubled_patience)
{
    static const struct {
        unsigned http_status;
        uint32_t attempt;
        uint64_t retry_ms;
    } cases[] = {{0, 1, 1000}, {500, 2, 2000}, {302, 3, 4000}, {404, 0, 1000}, {199, 1, 1000}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct script s = script_new(true);
        struct fanout_post post = script_posting(&s, cases[i].attempt);
        fanout_posted(s.f, s.now, post.token, cases[i].http_status, 5);
        script_run(&s, 1);
        struct msg_wake_result r = script_result(&s);
        cr_assert_not(r.sent);
        cr_assert_eq(r.retry_ms, cases[i].retry_ms);
        struct event e = script_event(&s, EVENT_WAKE_FAILED);
        cr_assert_eq(e.code, cases[i].http_status);
        cr_assert_eq(e.value, cases[i].retry_ms);
        script_end(&s);
    }
}

Test(fanout, gone_or_the_last_attempt_gives_up)
{
    for (int gone = 0; gone < 2; gone++) {
        struct script s = script_new(true);
        struct fanout_post post = script_posting(&s, gone ? 1 : s.config.wake_attempts);
        fanout_posted(s.f, s.now, post.token, gone ? 410 : 500, 5);
        script_run(&s, 1);
        struct msg_wake_result r = script_result(&s);
        cr_assert_not(r.sent);
        cr_assert_eq(r.retry_ms, 0);
        cr_assert_eq(script_event(&s, EVENT_WAKE_FAILED).value, 0);
        script_end(&s);
    }
}

Test(fanout, back_off_has_a_cap)
{
    struct wake w = {.attempt = 60};
    cr_assert_eq(wake_backoff_ms(&w, 1000, FANOUT_RETRY_MAX_MS), FANOUT_RETRY_MAX_MS);
    w.attempt = 4;
    cr_assert_eq(wake_backoff_ms(&w, 1000, FANOUT_RETRY_MAX_MS), 8000);
    w.attempt = 1;
    cr_assert_eq(wake_backoff_ms(&w, 0, FANOUT_RETRY_MAX_MS), 1);
}

Test(fanout, without_a_webhook_a_wake_is_an_event_and_counts_as_done)
{
    struct script s = script_new(false);
    struct msg_wake wake = script_wake(1, 1);
    struct fanout_post post;
    script_lease(&s, script_ready(&s), &wake, 1, false);
    cr_assert_not(fanout_post_next(s.f, &post));
    script_run(&s, 1);
    cr_assert(script_result(&s).sent);
    cr_assert_eq(script_event(&s, EVENT_WAKE_SKIPPED).count, 1);
    cr_assert_eq(script_event(&s, EVENT_WAKE_SENT).kind, 0);
    script_end(&s);
}

Test(fanout, result_is_told_once_when_confirmed)
{
    struct script s = script_new(true);
    struct msg_empty empty = {0};
    struct fanout_post post = script_posting(&s, 1);
    fanout_posted(s.f, s.now, post.token, 200, 5);
    script_run(&s, 1);
    struct frame_header ok = {.kind = KIND_WOKEN_OK,
                              .correlation = script_sent(&s, KIND_WOKEN)->header.correlation};
    script_say(&s, &ok, &msg_empty_desc, &empty);
    script_beat(&s, 1);
    script_run(&s, FANOUT_SILENCE_MS - 1);
    script_beat(&s, 1);
    script_run(&s, FANOUT_ANSWER_MS - FANOUT_SILENCE_MS + 2);
    cr_assert_null(script_sent(&s, KIND_WOKEN));
    script_end(&s);
}

Test(fanout, result_is_told_again_when_unanswered_or_refused)
{
    struct script s = script_new(true);
    struct msg_error unknown = {.status = STATUS_UNKNOWN};
    struct fanout_post post = script_posting(&s, 1);
    fanout_posted(s.f, s.now, post.token, 200, 5);
    script_run(&s, 1);
    struct frame_header error = {.kind = KIND_ERROR,
                                 .correlation = script_sent(&s, KIND_WOKEN)->header.correlation};
    script_say(&s, &error, &msg_error_desc, &unknown);
    script_run(&s, FANOUT_BEAT_MS);
    cr_assert(script_result(&s).sent); /* refused: again */
    script_beat(&s, 1);
    script_run(&s, FANOUT_SILENCE_MS - 1);
    script_beat(&s, 1);
    script_run(&s, FANOUT_ANSWER_MS - FANOUT_SILENCE_MS + 1);
    script_run(&s, 0);
    cr_assert(script_result(&s).sent); /* unanswered: again */
    script_end(&s);
}

Test(fanout, result_survives_a_restarted_broker)
{
    struct script s = script_new(true);
    struct fanout_post post = script_posting(&s, 1);
    fanout_posted(s.f, s.now, post.token, 200, 5);
    script_run_to(&s, 1, STATUS_GONE); /* the WOKEN went nowhere */
    script_run(&s, 1);
    cr_assert_not_null(script_sent(&s, KIND_READY));
    cr_assert_null(script_sent(&s, KIND_WOKEN));
    s.broker_boot.bytes[0] = 2;
    script_peer(&s, 1);
    script_run(&s, 1);
    cr_assert(script_result(&s).sent);
    script_end(&s);
}

Test(fanout, slab_that_a_slow_broker_did_not_take_waits)
{
    struct script s = script_new(true);
    struct fanout_post post = script_posting(&s, 1);
    fanout_posted(s.f, s.now, post.token, 200, 5);
    script_run_to(&s, 1, STATUS_FULL);
    script_run(&s, 1);
    cr_assert(script_result(&s).sent);
    script_run(&s, 1);
    cr_assert_null(script_sent(&s, KIND_WOKEN));
    script_end(&s);
}

Test(fanout, events_are_recorded_in_the_first_store)
{
    struct script s = script_new(false);
    struct msg_wake wake = script_wake(1, 1);
    struct msg_record record;
    script_lease(&s, script_ready(&s), &wake, 1, false);
    script_run(&s, 1);
    const struct frame *frame = script_sent(&s, KIND_RECORD);
    script_decode(&s, frame, &msg_record_desc, &record);
    cr_assert_eq(frame->header.home, 0);
    cr_assert_eq(record.events[record.event_count - 1].kind, EVENT_WAKE_SKIPPED);
    script_end(&s);
}

/* ---- drain ---- */

Test(fanout, leaving_finishes_what_is_held_and_takes_nothing_new)
{
    struct script s = script_new(true);
    struct msg_empty empty = {0};
    struct fanout_post post = script_posting(&s, 1);
    fanout_leave(s.f, s.now);
    script_say(&s, &(struct frame_header){.kind = KIND_WAKES_WAITING}, &msg_empty_desc, &empty);
    script_run(&s, 1);
    cr_assert_not_null(script_sent(&s, KIND_LEAVING));
    cr_assert_null(script_sent(&s, KIND_LEASE));
    cr_assert_not(fanout_left(s.f, s.now));
    fanout_posted(s.f, s.now, post.token, 200, 5);
    script_run(&s, 1);
    cr_assert_not(fanout_left(s.f, s.now));
    struct frame_header ok = {.kind = KIND_WOKEN_OK,
                              .correlation = script_sent(&s, KIND_WOKEN)->header.correlation};
    script_say(&s, &ok, &msg_empty_desc, &empty);
    cr_assert(fanout_left(s.f, s.now));
    script_end(&s);
}

Test(fanout, leaving_ends_by_its_deadline)
{
    struct script s = script_new(true);
    script_posting(&s, 1);
    cr_assert_not(fanout_left(s.f, s.now));
    fanout_leave(s.f, s.now);
    script_run(&s, FANOUT_DRAIN_MS - 1);
    cr_assert_not(fanout_left(s.f, s.now));
    script_run(&s, 1);
    cr_assert(fanout_left(s.f, s.now));
    script_end(&s);
}

Test(wakes, event_that_the_table_does_not_list_is_our_bug, .signal = 6)
{
    struct wake w = {.state = WAKE_QUEUED};
    wake_step(&w, WAKE_CONFIRMED);
}
