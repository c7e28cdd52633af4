/* sender: what leaves is what the protocol asks for, and what comes back is believed only where it
 * answers. */
#include "bench/load/sender.h"
#include "tests/unit/bench_hub.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define BOXES 3

static struct arena arena;
static struct device from, boxes[BOXES], *order[BOXES];
static struct traffic t;
static struct sender s;
static struct hub *hub;
static const struct pace pace = {.window = 64, .batch = 1};

static void setup(void)
{
    cr_assert(sodium_init() >= 0);
    device_make(&from, &arena, 1000);
    from.hub = &hub;
    for (size_t i = 0; i < BOXES; i++) {
        device_make(&boxes[i], &arena, 1000);
        order[i] = &boxes[i];
    }
    t = (struct traffic){.mailboxes = order, .mailbox_count = BOXES, .relay_ahead_ms = 5000};
    cr_assert_eq(sizes_parse("100:1,300:1", 16, 1000, &t.sizes), STATUS_OK);
    t.pool = malloc(sizeof *t.pool);
    randombytes_buf(t.pool, sizeof *t.pool);
    ledger_init(&t.ledger, 64);
    traffic_items(&t);
    sender_init(&s, &from);
}

static void teardown(void)
{
    sender_fini(&s);
    ledger_fini(&t.ledger);
    free(t.pool);
    free(t.items);
    buffer_fini(&t.item_bytes);
    buffer_fini(&left_last);
    arena_fini(&arena);
    device_fini(&from);
    for (size_t i = 0; i < BOXES; i++)
        device_fini(&boxes[i]);
}

TestSuite(sender, .init = setup, .fini = teardown);

/* SENT to the last frame: status_of[i] per item, with the answer's text where it is ok. */
static enum status answer(const enum status *status_of, size_t count, uint64_t correlation,
                          const char *text, uint64_t now_us)
{
    struct msg_sent_item items[SENDS_PER_FRAME] = {{0}};
    struct msg_sent m = {.items = items, .item_count = count};
    struct buffer meta = {0};
    struct frame f = {.header = {.kind = KIND_SENT, .correlation = correlation}};
    for (size_t i = 0; i < count; i++) {
        items[i].status = (uint32_t)status_of[i];
        if (status_of[i] == STATUS_OK) items[i].answer = view_of(text, strlen(text));
    }
    codec_encode(&msg_sent_desc, &m, &meta);
    f.meta = buffer_view(&meta);
    enum status got = sender_answer(&s, &t, &f, &arena, now_us);
    buffer_fini(&meta);
    return got;
}

static const enum status all_ok[4] = {STATUS_OK};

Test(sender, a_frame_has_ids_recipients_and_bodies_as_the_protocol_asks)
{
    struct msg_send send;
    cr_assert_eq(sender_send(&s, &t, &pace, 7000000, 4), 4);
    struct frame f = left_frame();
    cr_assert_eq(f.header.kind, KIND_SEND);
    cr_assert_eq(f.header.item_count, 4);
    cr_assert_eq(codec_decode(&msg_send_desc, f.meta, &arena, &send), STATUS_OK);
    cr_assert_eq(send.item_count, 4);
    struct reader body = reader_of(f.body);
    for (size_t i = 0; i < 4; i++) {
        struct msg_send_item item;
        cr_assert_eq(codec_decode(&msg_send_item_desc, send.items[i], &arena, &item), STATUS_OK);
        cr_assert(message_id_is_v7(item.id));
        cr_assert_eq(message_id_time_ms(item.id), 7000 + 5000);
        cr_assert(message_equal(item.id, traffic_id(&t, i, 12000)));
        cr_assert_eq(item.part_count, 1);
        cr_assert(device_equal(item.parts[0].device, boxes[i % BOXES].founding.device));
        cr_assert_eq(item.parts[0].len, t.sizes.len[sizes_pick(&t.sizes, i)]);
        cr_assert(body_check(t.pool, i, item.parts[0].len, read_view(&body, item.parts[0].len)));
    }
    cr_assert_eq(reader_done(&body), STATUS_OK);
}

Test(sender, an_answer_accepts_what_was_asked_and_counts_its_time)
{
    sender_send(&s, &t, &pace, 1000, 4);
    cr_assert_eq(answer(all_ok, 4, left_frame().header.correlation, "a", 1500), STATUS_OK);
    cr_assert_eq(t.ledger.accepted, 4);
    cr_assert_eq(t.accept.min_us, 500);
    cr_assert(sender_idle(&s));
}

Test(sender, an_answer_to_something_else_is_not_believed)
{
    sender_send(&s, &t, &pace, 1000, 4);
    uint64_t correlation = left_frame().header.correlation;
    cr_assert_eq(answer(all_ok, 3, correlation, "a", 1500), STATUS_MALFORMED);
    cr_assert_eq(answer(all_ok, 4, correlation + FLIGHTS_MAX, "a", 1500), STATUS_OK);
    cr_assert_eq(answer(all_ok, 4, 0, "a", 1500), STATUS_OK);
    cr_assert_eq(t.ledger.accepted, 0);
    cr_assert_eq(answer(all_ok, 4, correlation, "a", 1500), STATUS_OK);
    cr_assert_eq(answer(all_ok, 4, correlation, "a", 1500), STATUS_OK); /* once more: ignored */
    cr_assert_eq(t.ledger.accepted, 4);
}

Test(sender, busy_items_are_sent_again_with_the_same_bytes)
{
    static const enum status some[] = {STATUS_OK, STATUS_BUSY};
    struct msg_send first, again;
    sender_send(&s, &t, &pace, 1000, 2);
    struct buffer kept = {0};
    write_view(&kept, buffer_view(&left_last));
    struct frame f;
    cr_assert_eq(frame_check(buffer_view(&kept), FROM_CLIENT, &f), STATUS_OK);
    cr_assert_eq(codec_decode(&msg_send_desc, f.meta, &arena, &first), STATUS_OK);
    cr_assert_eq(answer(some, 2, f.header.correlation, "a", 1500), STATUS_OK);
    cr_assert_not(sender_idle(&s));
    cr_assert_not(sender_tick(&s, &t, true, 1600, 1000000)); /* too early */
    cr_assert_eq(left_count, 1);
    sender_tick(&s, &t, false, 900000, 1000000); /* no session */
    cr_assert_eq(left_count, 1);
    sender_tick(&s, &t, true, 900000, 1000000);
    cr_assert_eq(left_count, 2);
    struct frame g = left_frame();
    cr_assert_neq(g.header.correlation, f.header.correlation);
    cr_assert_eq(codec_decode(&msg_send_desc, g.meta, &arena, &again), STATUS_OK);
    cr_assert_eq(again.item_count, 1);
    cr_assert(view_equal(again.items[0], first.items[1]));
    cr_assert_eq(answer(all_ok, 1, g.header.correlation, "a", 900500), STATUS_OK);
    cr_assert_eq(t.ledger.accepted, 2);
    cr_assert_eq(t.retried, 1);
    buffer_fini(&kept);
}

Test(sender, a_full_mailbox_is_a_refusal_and_not_retried)
{
    static const enum status full[] = {STATUS_MAILBOX_FULL};
    sender_send(&s, &t, &pace, 1000, 1);
    cr_assert_eq(answer(full, 1, left_frame().header.correlation, "", 1500), STATUS_OK);
    cr_assert_eq(t.ledger.refused, 1);
    cr_assert_eq(t.first_refusal, STATUS_MAILBOX_FULL);
    cr_assert(sender_idle(&s));
}

Test(sender, a_retried_id_must_get_the_same_answer)
{
    t.repeat_below = UINT64_MAX;
    sender_send(&s, &t, &pace, 1000, 2);
    cr_assert_eq(answer(all_ok, 2, left_frame().header.correlation, "same", 1500), STATUS_OK);
    cr_assert_not(sender_idle(&s));
    sender_tick(&s, &t, true, 2000, 1000000);
    cr_assert_eq(left_frame().header.item_count, 2);
    cr_assert_eq(answer(all_ok, 2, left_frame().header.correlation, "same", 2500), STATUS_OK);
    cr_assert_eq(t.repeated, 2);
    cr_assert_eq(t.answers_changed, 0);
    cr_assert_eq(t.ledger.accepted, 2);
    cr_assert(sender_idle(&s));
}

Test(sender, another_answer_to_a_retried_id_is_counted)
{
    static const enum status refused[] = {STATUS_ID_REUSED};
    t.repeat_below = UINT64_MAX;
    sender_send(&s, &t, &pace, 1000, 1);
    cr_assert_eq(answer(all_ok, 1, left_frame().header.correlation, "one", 1500), STATUS_OK);
    sender_tick(&s, &t, true, 2000, 1000000);
    cr_assert_eq(answer(all_ok, 1, left_frame().header.correlation, "two", 2500), STATUS_OK);
    cr_assert_eq(t.answers_changed, 1);
    sender_send(&s, &t, &pace, 3000, 1);
    cr_assert_eq(answer(all_ok, 1, left_frame().header.correlation, "one", 3500), STATUS_OK);
    sender_tick(&s, &t, true, 4000, 1000000);
    cr_assert_eq(answer(refused, 1, left_frame().header.correlation, "", 4500), STATUS_OK);
    cr_assert_eq(t.answers_changed, 2);
    cr_assert_eq(t.ledger.refused, 0);
}

Test(sender, no_more_requests_wait_than_the_relay_allows)
{
    size_t count = 0;
    for (; sender_room(&s, &t); count++)
        sender_send(&s, &t, &pace, 1000, 1);
    cr_assert_eq(count, PENDING_REQUESTS_MAX);
    cr_assert_eq(answer(all_ok, 1, left_frame().header.correlation, "a", 1500), STATUS_OK);
    cr_assert(sender_room(&s, &t));
}

Test(sender, a_frame_ends_where_another_store_begins)
{
    boxes[2].store = 1;
    cr_assert_eq(sender_send(&s, &t, &pace, 1000, 64), 2);
    cr_assert_eq(sender_send(&s, &t, &pace, 1000, 64), 1);
    cr_assert_eq(left_frame().header.home, home_of_account(boxes[2].founding.account));
}

Test(sender, silence_is_noticed_and_what_was_open_goes_out_on_the_new_connection)
{
    sender_send(&s, &t, &pace, 1000, 1);
    cr_assert_not(sender_tick(&s, &t, true, 1000, 500));
    cr_assert(sender_tick(&s, &t, true, 2000, 500));
    sender_again(&s, 3000);
    sender_tick(&s, &t, true, 3000, 500);
    cr_assert_eq(left_count, 2);
}

Test(sender, an_error_for_the_whole_frame_is_retried_or_refused)
{
    struct msg_error busy = {.status = STATUS_BUSY, .retry_after_ms = 5};
    struct msg_error malformed = {.status = STATUS_MALFORMED};
    sender_send(&s, &t, &pace, 1000, 2);
    struct frame f = left_frame();
    cr_assert(sender_error(&s, &t, &f.header, &busy, 1500));
    sender_tick(&s, &t, true, 6500, 1000000);
    cr_assert_eq(left_count, 2);
    cr_assert_not(sender_error(&s, &t, &f.header, &busy, 7000)); /* the old request */
    f = left_frame();
    cr_assert(sender_error(&s, &t, &f.header, &malformed, 7000));
    cr_assert_eq(t.ledger.refused, 2);
    cr_assert(sender_idle(&s));
}
