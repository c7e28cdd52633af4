/* session: which deliveries count, and which are found to be wrong; what is acknowledged. */
#include "bench/load/load.h"
#include "tests/unit/bench_hub.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define LEN 200

static const struct options options = {.senders = 1, .mailboxes = 2};
static struct load l;
static struct device *order[2];
static struct hub *hub;
static struct buffer frame;
static const struct session_id session = {.number = 7};

static void setup(void)
{
    cr_assert(sodium_init() >= 0);
    l = (struct load){.options = &options, .device_count = 3};
    l.devices = calloc(l.device_count, sizeof *l.devices);
    l.senders = calloc(1, sizeof *l.senders);
    for (size_t i = 0; i < l.device_count; i++) {
        struct device *d = &l.devices[i];
        device_make(d, &l.arena, 1000);
        d->number = (uint32_t)i;
        d->hub = &hub;
        d->attaches = i > 0;
        d->state = DEVICE_READY;
        d->session = session;
        d->ping_us = 60000000;
        if (i) order[i - 1] = d;
    }
    struct traffic *t = &l.traffic;
    t->mailboxes = order;
    t->mailbox_count = 2;
    t->sizes = sizes_one(LEN);
    t->pool = malloc(sizeof *t->pool);
    randombytes_buf(t->pool, sizeof *t->pool);
    ledger_init(&t->ledger, 64);
    sender_init(&l.senders[0], &l.devices[0]);
    for (size_t i = 0; i < 4; i++)
        ledger_issue(&t->ledger, 1000);
}

static void teardown(void)
{
    for (size_t i = 0; i < l.device_count; i++)
        device_fini(&l.devices[i]);
    sender_fini(&l.senders[0]);
    ledger_fini(&l.traffic.ledger);
    free(l.traffic.pool);
    free(l.devices);
    free(l.senders);
    arena_fini(&l.arena);
    buffer_fini(&frame);
    buffer_fini(&left_last);
}

TestSuite(session, .init = setup, .fini = teardown);

/* One delivery of message `number` as it should be, written to `frame`, and its body's place. */
static uint8_t *delivery_write(uint64_t number, struct message_id id, bool again, uint64_t seq)
{
    struct msg_delivery item = {.seq = seq, .id = id, .len = LEN, .again = again};
    struct msg_deliver m = {.session = session, .items = &item, .item_count = 1};
    item.term.bytes[0] = 1;
    buffer_clear(&frame);
    frame_write(&frame, &(struct frame_header){.kind = KIND_DELIVER, .item_count = 1},
                &msg_deliver_desc, &m);
    uint8_t *body = buffer_extend(&frame, LEN);
    body_write(l.traffic.pool, number, body, LEN);
    return body;
}

static void deliver(size_t mailbox)
{
    session_frame(&l, order[mailbox], buffer_view(&frame), 1500);
}

Test(session, a_whole_delivery_counts_once_with_its_time)
{
    delivery_write(2, traffic_id(&l.traffic, 2, 9000), false, 1);
    deliver(0);
    cr_assert_eq(l.traffic.ledger.delivered, 1);
    cr_assert_eq(l.traffic.end_to_end.max_us, 500);
    cr_assert_eq(l.traffic.ledger.corrupted, 0);
    cr_assert_eq(l.due[20], order[0], "20 ms behind the last ack, which was at 0");
    deliver(0);
    cr_assert_eq(l.traffic.ledger.duplicated, 1);
    cr_assert_null(l.due[20]->next_due); /* acknowledged once */
    cr_assert_eq(l.due_count, 1);
}

Test(session, any_changed_byte_is_corrupted)
{
    for (size_t i = 0; i < LEN; i++) {
        delivery_write(2, traffic_id(&l.traffic, 2, 9000), false, i + 1)[i] ^= 0x10;
        deliver(0);
        cr_assert_eq(l.traffic.ledger.corrupted, i + 1);
    }
    cr_assert_eq(l.traffic.ledger.delivered, 0);
}

Test(session, a_message_at_the_wrong_device_or_under_another_id_is_corrupted)
{
    delivery_write(2, traffic_id(&l.traffic, 2, 9000), false, 1);
    deliver(1);
    cr_assert_eq(l.traffic.ledger.corrupted, 1);
    delivery_write(2, traffic_id(&l.traffic, 0, 9000), false, 1);
    deliver(0);
    cr_assert_eq(l.traffic.ledger.corrupted, 2);
    delivery_write(4, traffic_id(&l.traffic, 4, 9000), false, 1); /* never sent */
    deliver(0);
    cr_assert_eq(l.traffic.ledger.corrupted, 3);
    cr_assert_eq(l.traffic.ledger.delivered, 0);
}

Test(session, a_body_that_is_short_or_long_is_corrupted)
{
    delivery_write(2, traffic_id(&l.traffic, 2, 9000), false, 1);
    frame.len--;
    deliver(0);
    cr_assert_geq(l.traffic.ledger.corrupted, 1);
    cr_assert_eq(l.traffic.ledger.delivered, 0);
    uint64_t before = l.traffic.ledger.corrupted;
    delivery_write(2, traffic_id(&l.traffic, 2, 9000), false, 1);
    write_u8(&frame, 0);
    deliver(0);
    cr_assert_eq(l.traffic.ledger.corrupted, before + 1);
}

Test(session, what_an_earlier_session_was_offered_is_not_taken)
{
    delivery_write(2, traffic_id(&l.traffic, 2, 9000), false, 1);
    order[0]->session.number++;
    deliver(0);
    cr_assert_eq(l.traffic.ledger.delivered, 0);
    cr_assert_eq(l.due_count, 0);
}

Test(session, when_half_of_the_credit_is_used_there_is_no_waiting)
{
    left_count = 0;
    order[0]->since_count = CREDIT_MESSAGES_MAX / 2 - 2;
    delivery_write(2, traffic_id(&l.traffic, 2, 9000), false, 1);
    deliver(0);
    cr_assert_eq(left_count, 0);
    cr_assert(order[0]->ack_due);
    delivery_write(0, traffic_id(&l.traffic, 0, 9000), false, 2);
    deliver(0);
    cr_assert_eq(left_frame().header.kind, KIND_ACK);
    cr_assert_eq(order[0]->since_count, 0);
    cr_assert_not(order[0]->ack_due, "its turn, when it comes, has nothing to say");
    cr_assert_eq(l.due_count, 1);
}

Test(session, everything_taken_is_acknowledged_until_the_relay_confirms_it)
{
    struct msg_ack ack;
    delivery_write(2, traffic_id(&l.traffic, 2, 9000), false, 1);
    deliver(0);
    delivery_write(0, traffic_id(&l.traffic, 0, 9000), false, 2);
    deliver(0);
    cr_assert_not(device_settled(order[0]));
    device_acknowledge(order[0], 2000);
    struct frame f = left_frame();
    cr_assert_eq(f.header.kind, KIND_ACK);
    cr_assert_eq(codec_decode(&msg_ack_desc, f.meta, &l.arena, &ack), STATUS_OK);
    cr_assert_eq(ack.settled_seq, 2);
    cr_assert_eq(session_compare(ack.session, session), 0);
    cr_assert_not(device_settled(order[0]));
    struct msg_acked echo = {.session = session, .settled_term = ack.settled_term,
                             .settled_seq = ack.settled_seq};
    buffer_clear(&frame);
    frame_write(&frame, &(struct frame_header){.kind = KIND_ACKED, .correlation = 1},
                &msg_acked_desc, &echo);
    deliver(0);
    cr_assert(device_settled(order[0]));
}

Test(session, without_a_session_everybody_says_hello_and_others_refusals_end_the_run)
{
    buffer_clear(&frame);
    frame_write_error(&frame, 99, 0, STATUS_NO_SESSION, 0);
    l.ready_count = 3;
    session_frame(&l, order[1], buffer_view(&frame), 5000000);
    cr_assert_eq(l.trouble, STATUS_OK);
    cr_assert_eq(left_count, 3);
    cr_assert_eq(left_frame().header.kind, KIND_HELLO);
    cr_assert_eq(l.ready_count, 0);
    buffer_clear(&frame);
    frame_write_error(&frame, 99, 0, STATUS_UNAUTHENTICATED, 0);
    session_frame(&l, order[1], buffer_view(&frame), 5000000);
    cr_assert_eq(l.trouble, STATUS_UNAUTHENTICATED);
}

static void answer(size_t mailbox, uint64_t correlation, enum status refused)
{
    static const struct msg_welcome welcome = {.session = {.number = 8}, .ping_ms = 1000};
    buffer_clear(&frame);
    if (refused != STATUS_OK)
        frame_write_error(&frame, correlation, 0, refused, 100);
    else
        frame_write(&frame, &(struct frame_header){.kind = KIND_WELCOME, .correlation = correlation},
                    &msg_welcome_desc, &welcome);
    session_frame(&l, order[mailbox], buffer_view(&frame), 1000000);
}

Test(session, a_hello_refused_for_now_is_said_again_when_the_relay_asks_for_it)
{
    l.ready_count = 2;
    l.pending_count = 1;
    device_hello(order[0], 999000);
    answer(0, order[0]->asked, STATUS_BUSY);
    left_count = 0;
    session_scan(&l, 1109000);
    cr_assert_eq(left_count, 0);
    session_scan(&l, 1110000);
    cr_assert_eq(left_count, 1);
    cr_assert_eq(left_frame().header.kind, KIND_HELLO);
    answer(0, order[0]->asked, STATUS_OK);
    cr_assert_eq(order[0]->state, DEVICE_READY);
    cr_assert_eq(l.ready_count, 3);
}

Test(session, answers_to_anything_but_the_last_hello_change_nothing)
{
    device_hello(order[0], 1000000);
    uint64_t first = order[0]->asked;
    device_hello(order[0], 1000000);
    answer(0, first, STATUS_BUSY);
    answer(0, first, STATUS_OK);
    cr_assert_eq(order[0]->state, DEVICE_GREETING);
    cr_assert_eq(session_compare(order[0]->session, session), 0);
    left_count = 0;
    session_scan(&l, 2999999);
    cr_assert_eq(left_count, 0);
}

Test(session, bytes_that_are_no_frame_are_trouble)
{
    session_frame(&l, order[0], view_of("x", 1), 5000);
    cr_assert_eq(l.trouble, STATUS_MALFORMED);
}
