/* Offers: mailbox order, within the credit, to the end of any backlog, and again after trouble. */
#include "tests/unit/storage_fixture.h"

static void send_many(struct scene *e, size_t n, size_t len)
{
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(person_send(e->w, e->ann, e->bob, len).status, STATUS_OK);
}

static void undelivered(struct scene *e, struct position at, bool gone)
{
    struct stamp stamp = person_stamp(e->bob);
    struct msg_undelivered u = {.term = at.term, .seq = at.seq, .gone = gone};
    world_item(e->w, e->bob->broker, &stamp, KIND_UNDELIVERED, 0, &msg_undelivered_desc, &u,
               view_of(NULL, 0));
    world_run(e->w);
}

Test(offer, a_backlog_larger_than_the_credit_drains_completely)
{
    struct scene e = scene_new(false);
    send_many(&e, 300, 30);
    e.bob->credit_messages = 7;
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    while (e.bob->got_count < 300) {
        size_t before = e.bob->got_count;
        person_ack(e.w, e.bob, e.bob->got_count);
        cr_assert_gt(e.bob->got_count, before, "an ack makes room");
    }
    person_ack(e.w, e.bob, 300);
    cr_assert_eq(world_rows(e.w, SPACE_PAYLOAD, ROW_ENVELOPE), 0);
    cr_assert_eq(e.w->core->counters.queued_messages, 0);
    scene_free(&e);
}

Test(offer, several_deliveries_travel_in_one_frame)
{
    struct scene e = scene_new(false);
    send_many(&e, 100, 30);
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    cr_assert_eq(e.bob->got_count, 100);
    cr_assert_eq(world_outs(e.w, KIND_DELIVER), 2);
    scene_free(&e);
}

Test(offer, one_message_fits_any_credit_in_bytes)
{
    struct scene e = scene_new(false);
    send_many(&e, 3, 5000);
    e.bob->credit_bytes = 1000;
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    cr_assert_eq(e.bob->got_count, 1);
    person_ack(e.w, e.bob, 1);
    person_ack(e.w, e.bob, 2);
    cr_assert_eq(e.bob->got_count, 3);
    scene_free(&e);
}

/* The next message is larger than what is left of the credit: the core waits for the ack and does not
 * turn in circles (world_run would die). */
Test(offer, a_message_larger_than_the_credit_left_waits_at_rest)
{
    struct scene e = scene_new(false);
    e.bob->credit_bytes = 1000;
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    send_many(&e, 1, 600);
    send_many(&e, 2, 700);
    world_pass(e.w, 2000);
    person_read(e.w, e.bob);
    cr_assert_eq(e.bob->got_count, 1);
    cr_assert(!storage_wants_turn(e.w->core, e.w->now));
    person_ack(e.w, e.bob, 1);
    cr_assert_eq(e.bob->got_count, 2);
    scene_free(&e);
}

/* Random sends, acks, reconnects and time: the fixture holds every frame against the credit. */
Test(offer, never_more_than_the_credit_is_unacknowledged)
{
    for (uint32_t seed = 1; seed <= 8; seed++) {
        struct scene e = scene_new(false);
        uint32_t x = seed * 2654435761u;
        size_t sent = 0, settled = 0;
        for (size_t step = 0; step < 150; step++) {
            x = x * 1664525u + 1013904223u;
            switch ((x >> 24) % 6) {
            case 0:
                e.bob->credit_messages = 1 + (x >> 8) % 20;
                e.bob->credit_bytes = 1 + (x >> 4) % 9000;
                settled += e.bob->got_count - e.bob->open_count;
                cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
                break;
            case 1:
            case 2:
                if (e.bob->got_count) person_ack(e.w, e.bob, 1 + (x >> 8) % e.bob->got_count);
                break;
            case 3:
                if (e.bob->got_count && e.bob->open_count) {
                    undelivered(&e, person_at(e.bob, e.bob->got_count - 1), false);
                    e.bob->got_count--; /* it was not handed over */
                    e.bob->open_count--;
                    e.bob->open_bytes -= e.bob->got[e.bob->got_count].item.len;
                    world_pass(e.w, 300);
                }
                break;
            default:
                if (e.bob->session.number && sent < 120) {
                    send_many(&e, 1 + (x >> 10) % 4, 1 + (x >> 12) % 3000);
                    sent += 1 + (x >> 10) % 4;
                }
            }
            person_read(e.w, e.bob);
        }
        while (e.bob->open_count)
            person_ack(e.w, e.bob, e.bob->got_count);
        settled += e.bob->got_count;
        cr_assert_eq(settled, sent, "seed %u: all that was sent came, %zu of %zu", seed, settled, sent);
        cr_assert_eq(world_rows(e.w, SPACE_PAYLOAD, ROW_ENVELOPE), 0);
        cr_assert_eq(e.w->core->counters.queued_messages, 0);
        cr_assert_eq(e.w->core->counters.queued_bytes, 0);
        scene_free(&e);
    }
}

Test(offer, what_a_slow_broker_queue_refused_comes_again_after_a_pause)
{
    struct scene e = scene_new(true);
    send_many(&e, 3, 20);
    person_read(e.w, e.bob);
    struct position second = person_at(e.bob, 1);
    undelivered(&e, second, false);
    e.bob->got_count = 1;
    e.bob->open_count = 1;
    e.bob->open_bytes = 20;
    cr_assert_eq(world_outs(e.w, KIND_DELIVER), 3);
    cr_assert(!storage_wants_turn(e.w->core, e.w->now), "paused, at rest");
    world_pass(e.w, 300);
    person_read(e.w, e.bob);
    cr_assert_eq(e.bob->got_count, 3);
    cr_assert(e.bob->got[1].item.again);
    cr_assert_eq(position_compare(person_at(e.bob, 1), second), 0);
    scene_free(&e);
}

Test(offer, a_frame_of_gaps_that_was_refused_takes_no_delivery_back)
{
    struct scene e = scene_new(true);
    send_many(&e, 2, 20);
    person_read(e.w, e.bob);
    undelivered(&e, (struct position){.seq = 0}, false);
    world_pass(e.w, 300);
    person_read(e.w, e.bob);
    cr_assert_eq(e.bob->got_count, 2);
    scene_free(&e);
}

Test(offer, a_gone_connection_detaches_and_wakes)
{
    struct scene e = scene_new(true);
    send_many(&e, 2, 20);
    person_read(e.w, e.bob);
    undelivered(&e, person_at(e.bob, 0), true);
    cr_assert_eq(person_state(e.w, e.ann, e.bob, e.bob->got[0].item.id).state, DELIVERY_QUEUED);
    cr_assert_eq(world_rows(e.w, SPACE_ROUTING, ROW_WAKE), 1);
    cr_assert_eq(e.w->core->counters.attached, 1, "Ann");
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    cr_assert_eq(e.bob->got_count, 2);
    cr_assert(e.bob->got[0].item.again);
    scene_free(&e);
}

Test(offer, undelivered_of_another_connection_changes_nothing)
{
    struct scene e = scene_new(true);
    send_many(&e, 2, 20);
    person_read(e.w, e.bob);
    e.bob->conn++;
    undelivered(&e, person_at(e.bob, 0), true);
    e.bob->conn--;
    cr_assert_eq(person_state(e.w, e.ann, e.bob, e.bob->got[0].item.id).state, DELIVERY_OFFERED);
    scene_free(&e);
}

/* More receivers with a backlog than one turn refills: each is served, the middle ones too. */
Test(offer, every_mailbox_gets_its_turn)
{
    struct scene e = scene_new(false);
    struct person *many[200];
    for (unsigned i = 0; i < 200; i++) {
        many[i] = person_new(e.w, 100 + i);
        for (int k = 0; k < 2; k++)
            cr_assert_eq(person_send(e.w, e.ann, many[i], 10).status, STATUS_OK);
    }
    for (unsigned i = 0; i < 200; i++) {
        many[i]->credit_messages = 1;
        cr_assert_eq(person_hello(e.w, many[i], 0), STATUS_OK);
    }
    for (unsigned i = 0; i < 200; i++) {
        cr_assert_eq(many[i]->got_count, 1);
        person_ack_begin(e.w, many[i], person_at(many[i], 0), person_at(many[i], 0), NULL, 0);
    }
    world_run(e.w);
    for (unsigned i = 0; i < 200; i++) {
        person_read(e.w, many[i]);
        cr_assert_eq(many[i]->got_count, 2);
        person_free(many[i]);
    }
    scene_free(&e);
}

static void damage_first_payload(struct world *w)
{
    struct arena arena = {0};
    uint8_t prefix = ROW_ENVELOPE;
    struct store_scan scan = {.space = SPACE_PAYLOAD, .from = view_of(&prefix, 1), .row_max = 1,
                              .byte_max = 1 << 20};
    struct store_batch batch = {0};
    cr_assert_eq(store_scan(w->store, &scan, &arena), STATUS_OK);
    struct view value = arena_copy(&arena, scan.rows[0].value);
    ((uint8_t *)(uintptr_t)value.at)[value.len - 1] ^= 1;
    store_batch_put(&batch, &arena, SPACE_PAYLOAD, scan.rows[0].key, value, view_of(NULL, 0));
    cr_assert_eq(store_write(w->store, &batch, DURABILITY_SYNCED), STATUS_OK);
    arena_fini(&arena);
}

Test(offer, a_damaged_copy_is_never_served_and_both_ends_are_told)
{
    struct scene e = scene_new(false);
    struct sending first = person_send(e.w, e.ann, e.bob, 40);
    send_many(&e, 1, 40);
    damage_first_payload(e.w);
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    cr_assert_eq(e.bob->got_count, 1);
    cr_assert_eq(e.bob->gap_count, 1);
    cr_assert_eq(e.bob->gaps[0].reason, GAP_DAMAGED);
    struct msg_part_state s = person_state(e.w, e.ann, e.bob, first.id);
    cr_assert_eq(s.state, DELIVERY_FAILED);
    cr_assert_eq(s.reason, FAIL_DAMAGED);
    cr_assert_eq(world_events(e.w, EVENT_PAYLOAD_DAMAGED), 1);
    cr_assert_eq(world_outs(e.w, KIND_HINT_DEVICE), 1);
    e.bob->version = "2.0.0"; /* another version cannot mend it */
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    cr_assert_eq(world_events(e.w, EVENT_PAYLOAD_DAMAGED), 1);
    world_restart(e.w);
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    cr_assert_geq(e.bob->gap_count, 2, "the gap was in the same group");
    scene_free(&e);
}

Test(offer, what_was_not_acknowledged_is_given_out_again_and_told)
{
    struct scene e = scene_new(true);
    send_many(&e, 3, 20);
    person_read(e.w, e.bob);
    struct message_id id = e.bob->got[2].item.id;
    cr_assert_eq(world_events(e.w, EVENT_REDELIVERED), 0);
    cr_assert_eq(world_explain(e.w, e.ann, e.bob, id), EXPLAIN_OFFERED);
    person_ack(e.w, e.bob, 1);
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    cr_assert_eq(world_events(e.w, EVENT_REDELIVERED), 1);
    cr_assert_eq(world_event(e.w, EVENT_REDELIVERED)->count, 2);
    person_ack(e.w, e.bob, e.bob->got_count);
    cr_assert_eq(world_explain(e.w, e.ann, e.bob, id), EXPLAIN_SETTLED);
    cr_assert_eq(world_events(e.w, EVENT_DELIVERY_FAILED), 0);
    scene_free(&e);
}

Test(offer, a_consumer_that_stays_out_of_credit_is_told_of)
{
    struct scene e = scene_new(false);
    e.bob->credit_messages = 1;
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    send_many(&e, 2, 20);
    world_pass(e.w, 11000);
    send_many(&e, 1, 20);
    cr_assert_eq(world_events(e.w, EVENT_SLOW_CONSUMER), 1);
    scene_free(&e);
}
