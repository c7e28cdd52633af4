/* Deliveries, acknowledgements, gaps. */
#include "tests/unit/clients_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

ENGINE_TEST(inbox, delivery_is_kept_then_acknowledged_then_forgotten_with_the_echo)
{
    struct msg_ack ack;
    session_only(f);
    deliver_some(f, 1, 3);
    cr_assert_eq(inbox_count(f), 3u);
    cr_assert_eq(pending_count(f), 1u);
    struct engine_event event = happened(f, ENGINE_RECEIVED);
    cr_assert(event.order == 1 && device_equal(event.sender_device, f->bob.device));
    struct frame frame = said_ack(f, &ack, 3);
    cr_assert_eq(ack.failed_count, 0u);
    cr_assert_not(engine_is_idle(f->e));
    echo(f, &frame, &ack);
    cr_assert(engine_is_idle(f->e));
    pass(f, 300);
    cr_assert_eq(pending_count(f), 0u);
    cr_assert_eq(said_count(f, KIND_ACK), 0u);
}

ENGINE_TEST(inbox, nothing_is_acknowledged_that_could_not_be_kept)
{
    session_only(f);
    struct incoming in = deliveries(f, 1, 2);
    memory_state_fail(f->state, 8, false); /* the commit: begin, twice inbox, verdict, setting, then commit */
    deliver(f, &in);
    cr_assert_eq(said_count(f, KIND_ACK), 0u);
    cr_assert_eq(happened(f, ENGINE_FAILED).status, STATUS_IO);
    cr_assert_not(has_happened(f, ENGINE_RECEIVED));
    pass(f, 100000);
    cr_assert_eq(f->said_count, 0u, "a failed engine says nothing more");
    cr_assert_eq(inbox_count(f), 0u);
}

ENGINE_TEST(inbox, ack_is_repeated_until_it_is_echoed)
{
    struct msg_ack ack;
    session_only(f);
    deliver_some(f, 1, 1);
    struct frame frame = said_ack(f, &ack, 1);
    refuse(f, &frame, STATUS_BUSY, 500);
    pass(f, 600);
    frame = said_ack(f, &ack, 1);
    pass(f, 10500); /* no answer at all */
    frame = said_ack(f, &ack, 1);
    cr_assert_eq(pending_count(f), 1u);
    struct msg_ack less = ack;
    less.settled_seq = 0;
    echo(f, &frame, &less);
    pass(f, 2000);
    frame = said_ack(f, &ack, 1);
    echo(f, &frame, &ack);
    pass(f, 2000);
    cr_assert_eq(said_count(f, KIND_ACK), 0u);
}

ENGINE_TEST(inbox, one_ack_is_under_way_and_the_next_covers_all_since)
{
    struct msg_ack ack;
    session_only(f);
    deliver_some(f, 1, 2);
    deliver_some(f, 3, 2);
    deliver_some(f, 9, 1);
    cr_assert_eq(said_count(f, KIND_ACK), 1u);
    struct frame frame = said_ack(f, &ack, 2);
    echo(f, &frame, &ack);
    frame = said_ack(f, &ack, 9);
    echo(f, &frame, &ack);
    cr_assert_eq(said_count(f, KIND_ACK), 0u);
}

ENGINE_TEST(inbox, what_is_known_is_acknowledged_again_and_not_shown_again)
{
    struct msg_ack ack;
    session_only(f);
    deliver_some(f, 1, 2);
    said_ack(f, &ack, 2);
    lose_connection(f); /* the ack may be lost with it */
    events_forget(f);
    bind_session(f);
    cr_assert_eq(said_count(f, KIND_ACK), 0u, "this session was offered nothing");
    deliver_some(f, 1, 3);
    struct frame frame = said_both(f, &ack, 2, 3); /* the third was not taken yet */
    echo(f, &frame, &ack);
    frame = said_ack(f, &ack, 3);
    cr_assert_eq(inbox_count(f), 3u);
    cr_assert_eq(engine_counts(f->e).duplicates, 2u);
    cr_assert_eq(happened(f, ENGINE_RECEIVED).order, 3u);
    cr_assert_not(has_happened(f, ENGINE_RECEIVED));
    echo(f, &frame, &ack);
    deliver_some(f, 1, 3);
    said_ack(f, &ack, 3);
}

ENGINE_TEST(inbox, known_ids_outlive_the_process_and_move_with_a_message)
{
    struct msg_ack ack;
    session_only(f);
    deliver_some(f, 1, 1);
    restart(f);
    bind_session(f);
    struct incoming in = deliveries(f, 1, 1);
    in.items[0].seq = 7; /* re-offered elsewhere in the mailbox */
    deliver(f, &in);
    said_ack(f, &ack, 7);
    cr_assert_eq(inbox_count(f), 1u);
}

ENGINE_TEST(inbox, what_cannot_be_opened_is_named_in_the_ack)
{
    struct msg_ack ack;
    session_only(f);
    struct incoming in = deliveries(f, 1, 4);
    in.items[1].sealed = true;
    in.body.at[4] = 0x77; /* the third's kind */
    in.items[3].len = 0;
    in.body.len -= 2;
    deliver(f, &in);
    struct frame frame = said_ack(f, &ack, 4);
    cr_assert_eq(ack.failed_count, 3u);
    cr_assert(ack.failed[0].seq == 2 && ack.failed[0].reason == FAIL_HELD);
    cr_assert(ack.failed[1].seq == 3 && ack.failed[1].reason == FAIL_HELD);
    cr_assert(ack.failed[2].seq == 4 && ack.failed[2].reason == FAIL_BROKEN);
    cr_assert_eq(inbox_count(f), 1u);
    echo(f, &frame, &ack);
    deliver_some(f, 5, 1);
    said_ack(f, &ack, 5);
    cr_assert_eq(ack.failed_count, 0u, "told once");
}

ENGINE_TEST(inbox, more_failures_than_an_ack_can_name_take_several)
{
    struct msg_ack ack;
    session_only(f);
    struct incoming in = deliveries(f, 1, 1);
    deliver(f, &in);
    struct frame frame = said_ack(f, &ack, 1);
    for (uint64_t seq = 2; seq < 100; seq += 49) {
        in = deliveries(f, seq, 49);
        for (size_t i = 0; i < in.count; i++)
            in.items[i].sealed = true;
        deliver(f, &in);
    }
    echo(f, &frame, &ack);
    frame = said_both(f, &ack, 65, 99);
    cr_assert_eq(ack.failed_count, 64u);
    echo(f, &frame, &ack);
    frame = said_ack(f, &ack, 99);
    cr_assert_eq(ack.failed_count, 34u);
    cr_assert_eq(ack.failed[0].seq, 66u);
    echo(f, &frame, &ack);
    cr_assert_eq(said_count(f, KIND_ACK), 0u);
}

ENGINE_TEST(inbox, deliveries_that_do_not_fit_are_not_taken)
{
    session_only(f);
    struct incoming in = deliveries(f, 1, 2);
    in.items[1].len = 3; /* more than there is */
    deliver(f, &in);
    in = deliveries(f, 1, 2);
    in.items[1].seq = 1; /* not in order */
    deliver(f, &in);
    in = deliveries(f, 0, 1); /* not a position */
    deliver(f, &in);
    f->session_number += 5;
    deliver_some(f, 1, 1); /* another session's */
    f->session_number -= 5;
    cr_assert_eq(inbox_count(f), 0u);
    cr_assert_eq(said_count(f, KIND_ACK), 0u);
    cr_assert_eq(engine_counts(f->e).frames_bad, 4u);
}

/* A frame with two gaps before its deliveries, if it has any. */
static void deliver_gaps(struct fixture *f, uint64_t number, struct incoming *in)
{
    struct msg_gap gaps[] = {{.reason = GAP_QUOTA, .count = 7},
                             {.reason = GAP_LOST, .count = 2, .term = f->range.term, .first = 3,
                              .last = 4}};
    struct msg_deliver m = {.session = {.term = f->range.term, .number = f->session_number},
                            .items = in->items, .item_count = in->count,
                            .gaps = gaps, .gap_count = 2, .gap_number = number};
    push(f, KIND_DELIVER, &msg_deliver_desc, &m, buffer_view(&in->body));
    buffer_fini(&in->body);
    take_all(f);
}

static void only_gaps(struct fixture *f, uint64_t number)
{
    struct incoming none = {.count = 0};
    deliver_gaps(f, number, &none);
}

/* The ACK of a session that was offered no position. */
static struct frame said_gap_ack(struct fixture *f, struct msg_ack *ack, uint64_t number)
{
    struct frame frame = said(f, KIND_ACK, &msg_ack_desc, ack);
    cr_assert_eq(ack->gap_seen, number);
    cr_assert(ack->settled_seq == 0 && ack->delivered_seq == 0 && ack->failed_count == 0);
    return frame;
}

ENGINE_TEST(inbox, gaps_alone_are_told_and_acknowledged_once)
{
    struct msg_ack ack;
    session_only(f);
    only_gaps(f, 5);
    struct engine_event event = happened(f, ENGINE_GAP);
    cr_assert(event.gap == GAP_QUOTA && event.count == 7);
    event = happened(f, ENGINE_GAP);
    cr_assert(event.gap == GAP_LOST && event.first.seq == 3 && event.last.seq == 4);
    struct frame frame = said_gap_ack(f, &ack, 5);
    cr_assert_not(engine_is_idle(f->e));
    echo(f, &frame, &ack);
    cr_assert(engine_is_idle(f->e));
    pass(f, 20000);
    cr_assert_eq(said_count(f, KIND_ACK), 0u);
}

ENGINE_TEST(inbox, gaps_told_again_are_acknowledged_again_and_not_told_on)
{
    struct msg_ack ack;
    session_only(f);
    only_gaps(f, 5);
    struct frame frame = said_gap_ack(f, &ack, 5);
    echo(f, &frame, &ack);
    events_forget(f);
    only_gaps(f, 5);
    cr_assert_not(has_happened(f, ENGINE_GAP));
    frame = said_gap_ack(f, &ack, 5);
    echo(f, &frame, &ack);
    only_gaps(f, 6); /* its twin: news */
    cr_assert(has_happened(f, ENGINE_GAP));
    said_gap_ack(f, &ack, 6);
}

ENGINE_TEST(inbox, gap_ack_is_repeated_until_it_is_answered)
{
    struct msg_ack ack;
    session_only(f);
    only_gaps(f, 5);
    struct frame frame = said_gap_ack(f, &ack, 5);
    refuse(f, &frame, STATUS_BUSY, 500);
    pass(f, 600);
    said_gap_ack(f, &ack, 5);
    pass(f, 10500); /* no answer at all */
    frame = said_gap_ack(f, &ack, 5);
    only_gaps(f, 6); /* came after that ACK was made */
    cr_assert_eq(said_count(f, KIND_ACK), 0u);
    echo(f, &frame, &ack);
    frame = said_gap_ack(f, &ack, 6);
    echo(f, &frame, &ack);
    pass(f, 20000);
    cr_assert_eq(said_count(f, KIND_ACK), 0u);
}

ENGINE_TEST(inbox, gaps_with_deliveries_are_told_first_and_go_with_their_ack)
{
    struct msg_ack ack;
    session_only(f);
    struct incoming in = deliveries(f, 5, 2);
    deliver_gaps(f, 9, &in);
    happened(f, ENGINE_GAP);
    happened(f, ENGINE_GAP);
    cr_assert_eq(happened(f, ENGINE_RECEIVED).order, 1u);
    struct frame frame = said_both(f, &ack, 0, 6);
    cr_assert_eq(ack.gap_seen, 9u, "one for both");
    echo(f, &frame, &ack);
    frame = said_ack(f, &ack, 6); /* taken meanwhile */
    echo(f, &frame, &ack);
    cr_assert_eq(said_count(f, KIND_ACK), 0u);
    only_gaps(f, 10);
    frame = said_ack(f, &ack, 6); /* settled as before */
    cr_assert_eq(ack.gap_seen, 10u);
    echo(f, &frame, &ack);
    deliver_some(f, 7, 1);
    said_ack(f, &ack, 7);
    cr_assert_eq(ack.gap_seen, 10u, "every ACK says it");
}

ENGINE_TEST(inbox, recorded_gaps_outlive_the_process)
{
    struct msg_ack ack;
    session_only(f);
    only_gaps(f, 5);
    said_gap_ack(f, &ack, 5); /* lost with the process */
    restart(f);
    bind_session(f);
    events_forget(f);
    cr_assert_eq(said_count(f, KIND_ACK), 0u, "this session told no gap");
    deliver_some(f, 1, 1);
    struct frame frame = said_ack(f, &ack, 1);
    cr_assert_eq(ack.gap_seen, 5u);
    echo(f, &frame, &ack);
    only_gaps(f, 5);
    cr_assert_not(has_happened(f, ENGINE_GAP));
    said_ack(f, &ack, 1);
    cr_assert_eq(ack.gap_seen, 5u);
}

ENGINE_TEST(inbox, gaps_that_could_not_be_recorded_are_neither_told_nor_acknowledged)
{
    struct msg_ack ack;
    session_only(f);
    memory_state_fail(f->state, 4, false); /* the commit: begin, setting, setting, commit */
    only_gaps(f, 5);
    cr_assert_eq(said_count(f, KIND_ACK), 0u);
    cr_assert_not(has_happened(f, ENGINE_GAP));
    cr_assert_eq(happened(f, ENGINE_FAILED).status, STATUS_IO);
    memory_state_fail(f->state, 0, false);
    restart(f);
    bind_session(f);
    only_gaps(f, 5);
    cr_assert(has_happened(f, ENGINE_GAP));
    said_gap_ack(f, &ack, 5);
}

ENGINE_TEST(inbox, gaps_without_a_number_are_not_taken)
{
    session_only(f);
    only_gaps(f, 0);
    cr_assert_not(has_happened(f, ENGINE_GAP));
    cr_assert_eq(said_count(f, KIND_ACK), 0u);
    cr_assert_eq(engine_counts(f->e).frames_bad, 1u);
}

ENGINE_TEST(inbox, events_nobody_takes_are_bounded_and_told)
{
    struct engine_event event;
    uint64_t orders[64];
    session_only(f);
    for (uint64_t seq = 1; seq <= 64 * 70; seq += 64) {
        struct incoming in = deliveries(f, seq, 64);
        struct msg_deliver m = {.session = {.term = f->range.term, .number = f->session_number},
                                .items = in.items, .item_count = in.count};
        struct buffer b = {0};
        frame_write(&b, &(struct frame_header){.kind = KIND_DELIVER}, &msg_deliver_desc, &m);
        write_view(&b, buffer_view(&in.body));
        engine_frame(f->e, f->now, buffer_view(&b));
        for (size_t i = 0; i < in.count; i++)
            orders[i] = seq + i;
        cr_assert_eq(engine_ack(f->e, f->now, orders, in.count), STATUS_OK);
        buffer_fini(&b);
        buffer_fini(&in.body);
    }
    size_t count = 0;
    while (engine_next_event(f->e, &event) && event.kind == ENGINE_RECEIVED)
        count++;
    cr_assert_eq(count, 4096u);
    cr_assert(event.kind == ENGINE_OVERFLOW && event.count == 64 * 70 - 4096);
}
