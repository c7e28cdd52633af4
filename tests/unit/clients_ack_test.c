/* What is delivered, what the application takes, and what the relay is told of both. */
#include "tests/unit/clients_fixture.h"

#include <criterion/criterion.h>

static void take(struct fixture *f, uint64_t order)
{
    cr_assert_eq(engine_ack(f->e, f->now, &order, 1), STATUS_OK);
    turn(f);
}

static bool acks_pending(struct fixture *f)
{
    bool pending;
    cr_assert_eq(engine_acks_pending(f->e, &pending), STATUS_OK);
    return pending;
}

static void deliver_untaken(struct fixture *f, uint64_t seq, size_t count)
{
    struct incoming in = deliveries(f, seq, count);
    deliver_only(f, &in);
}

ENGINE_TEST(ack, what_is_kept_is_delivered_and_what_the_application_takes_is_settled)
{
    struct msg_ack ack;
    session_only(f);
    deliver_untaken(f, 5, 3);
    cr_assert_eq(said_count(f, KIND_ACK), 0u, "it may take them at once");
    pass(f, 60);
    struct frame frame = said_both(f, &ack, 0, 7);
    echo(f, &frame, &ack);
    pass(f, 20000);
    cr_assert_eq(said_count(f, KIND_ACK), 0u);
    cr_assert_not(acks_pending(f));
    take(f, 1);
    cr_assert(acks_pending(f));
    frame = said_both(f, &ack, 5, 7);
    echo(f, &frame, &ack);
    cr_assert_not(acks_pending(f));
    take(f, 3);
    cr_assert_eq(said_count(f, KIND_ACK), 0u, "the one before it is not taken");
    cr_assert(acks_pending(f));
    take(f, 2);
    frame = said_both(f, &ack, 7, 7);
    echo(f, &frame, &ack);
    pass(f, 300);
    cr_assert_eq(pending_count(f), 0u);
}

ENGINE_TEST(ack, acks_keep_a_pace_while_half_the_credit_is_left)
{
    struct msg_ack ack;
    f->config.ack_pace_ms = 20;
    f->config.credit_messages = 8;
    restart(f);
    session_only(f);
    deliver_untaken(f, 5, 3);
    take(f, 1);
    struct frame frame = said_both(f, &ack, 5, 7); /* the first one at once */
    echo(f, &frame, &ack);
    take(f, 2);
    cr_assert_eq(said_count(f, KIND_ACK), 0u);
    cr_assert(acks_pending(f));
    pass(f, 19);
    take(f, 3);
    cr_assert_eq(said_count(f, KIND_ACK), 0u);
    pass(f, 1);
    frame = said_both(f, &ack, 7, 7); /* over both */
    echo(f, &frame, &ack);
    deliver_untaken(f, 8, 4); /* half of the credit */
    take(f, 4);
    frame = said_both(f, &ack, 8, 11);
    echo(f, &frame, &ack);
}

ENGINE_TEST(ack, taking_what_is_not_there_takes_nothing)
{
    uint64_t orders[] = {1, 9}, zero = 0;
    session_only(f);
    deliver_untaken(f, 1, 1);
    cr_assert_eq(engine_ack(f->e, f->now, orders, 2), STATUS_NOT_FOUND);
    cr_assert_eq(engine_ack(f->e, f->now, &zero, 1), STATUS_NOT_FOUND);
    cr_assert_not(acks_pending(f));
    memory_state_fail(f->state, 1, false);
    cr_assert_eq(engine_ack(f->e, f->now, orders, 1), STATUS_IO);
    cr_assert_eq(said_count(f, KIND_ACK), 0u);
}

ENGINE_TEST(ack, what_was_taken_without_a_session_is_settled_in_the_next_and_then_not_pending)
{
    struct msg_ack ack;
    session_only(f);
    deliver_untaken(f, 1, 2);
    restart(f);
    take(f, 1);
    take(f, 1); /* again: nothing more */
    cr_assert_eq(pending_count(f), 1u);
    bind_session(f);
    deliver_untaken(f, 1, 2); /* all that is not settled is offered again */
    struct frame frame = said_both(f, &ack, 1, 2);
    echo(f, &frame, &ack);
    cr_assert_not(acks_pending(f));
    cr_assert_eq(inbox_count(f), 2u);
    cr_assert_not(has_happened(f, ENGINE_RECEIVED) && happened(f, ENGINE_RECEIVED).order > 2);
}

ENGINE_TEST(ack, taken_rows_that_no_session_is_offered_any_more_do_not_stay_pending)
{
    session_only(f);
    deliver_untaken(f, 1, 1);
    lose_connection(f);
    take(f, 1);
    cr_assert(acks_pending(f));
    bind_session(f); /* the relay has ended it: nothing is offered */
    pass(f, 1400);
    cr_assert(acks_pending(f));
    pass(f, 200);
    cr_assert_not(acks_pending(f));
    cr_assert_eq(said_count(f, KIND_ACK), 0u);
}

ENGINE_TEST(ack, what_another_process_takes_is_settled_within_the_poll_time)
{
    struct msg_ack ack;
    struct engine *other;
    uint64_t first = 1;
    session_only(f);
    deliver_untaken(f, 1, 2);
    pass(f, 60);
    struct frame frame = said_both(f, &ack, 0, 2);
    echo(f, &frame, &ack);
    cr_assert_eq(engine_new(&f->config, f->state, &other), STATUS_OK);
    cr_assert_eq(engine_ack(other, f->now, &first, 1), STATUS_OK);
    engine_free(&other);
    cr_assert_eq(said_count(f, KIND_ACK), 0u);
    pass(f, 1100);
    said_both(f, &ack, 1, 2);
}

ENGINE_TEST(ack, failure_behind_an_untaken_message_is_named_when_it_is_covered)
{
    struct msg_ack ack;
    session_only(f);
    struct incoming in = deliveries(f, 1, 3);
    in.items[1].sealed = true;
    deliver_only(f, &in);
    pass(f, 60);
    struct frame frame = said_both(f, &ack, 0, 3);
    cr_assert_eq(ack.failed_count, 0u);
    echo(f, &frame, &ack);
    take(f, 1);
    frame = said_both(f, &ack, 2, 3);
    cr_assert(ack.failed_count == 1 && ack.failed[0].seq == 2);
    echo(f, &frame, &ack);
    take(f, 2);
    said_both(f, &ack, 3, 3);
    cr_assert_eq(ack.failed_count, 0u);
}

ENGINE_TEST(ack, more_untaken_messages_than_the_credit_end_the_session)
{
    session_only(f);
    for (uint64_t seq = 1; seq <= CREDIT_MESSAGES_MAX + 64; seq += 64)
        deliver_untaken(f, seq, 64);
    cr_assert(engine_is_bound(f->e));
    deliver_untaken(f, CREDIT_MESSAGES_MAX + 65, 64);
    cr_assert_not(engine_is_bound(f->e));
}
