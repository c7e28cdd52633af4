/* Slabs from workers: taking over, losing, replies, pushes, hints, leases. */
#include "tests/unit/broker_fixture.h"

#include <criterion/criterion.h>

#define CLIENT 5u
#define STORE  1u
#define FANOUT 2u

static struct relay *with_store(struct slab_header *h)
{
    struct relay *r = relay_new(64);
    *h = storage_header(1, 1000, 1);
    storage_readies(r, STORE, 1, h, 0, 4095, 100);
    return r;
}

static struct relay *with_session(struct slab_header *h, uint64_t number)
{
    struct relay *r = with_store(h);
    client_binds(r, CLIENT, 3, STORE, h, number);
    return r;
}

static void store_beats(struct relay *r, const struct slab_header *h, uint64_t ms)
{
    for (uint64_t passed = 0; passed < ms; passed += 500) {
        worker_beats(r, STORE, h);
        relay_pass(r, 500);
    }
}

static void client_pings(struct relay *r)
{
    client_says(r, CLIENT, (struct frame_header){.kind = KIND_PING, .correlation = 9999},
                &msg_empty_desc, &(struct msg_empty){0});
    cr_assert(client_takes(r, CLIENT, KIND_PONG) != NULL);
}

/* The stamp of frames for the connection whose request this was. */
static struct stamp push_stamp(struct relay *r, const struct slab_header *h, uint64_t number)
{
    client_sends(r, CLIENT, 3, 7000);
    struct output *o = worker_takes(r, STORE, KIND_SEND);
    cr_assert(o != NULL);
    worker_answers(r, STORE, h, o, KIND_SENT, &msg_empty_desc, &(struct msg_empty){0});
    cr_assert(client_takes(r, CLIENT, KIND_SENT) != NULL);
    return (struct stamp){.origin = ORIGIN_EDGE, .conn = o->stamp.conn,
                          .session = {h->term, number}};
}

static void store_pushes(struct relay *r, const struct slab_header *h, const struct stamp *stamp)
{
    struct msg_delivery item = {.term = h->term, .seq = 9};
    struct msg_deliver deliver = {.session = stamp->session, .items = &item, .item_count = 1};
    worker_says(r, STORE, h, stamp, (struct frame_header){.kind = KIND_DELIVER, .home = home_n(3)},
                &msg_deliver_desc, &deliver);
    relay_flush(r);
}

static struct msg_undelivered undelivered(struct relay *r)
{
    struct arena a = {0};
    struct msg_undelivered message;
    struct output *o = worker_takes(r, STORE, KIND_UNDELIVERED);
    cr_assert(o != NULL);
    cr_assert_eq(codec_decode(&msg_undelivered_desc, o->frame.meta, &a, &message), STATUS_OK);
    arena_fini(&a);
    return message;
}

Test(backend, ready_store_gets_peer_its_sessions_and_the_end)
{
    struct slab_header h, h2 = storage_header(2, 2000, 1);
    struct relay *r = with_session(&h, 42);
    storage_readies(r, 7, 1, &h2, 0, 4095, 100);
    cr_assert_eq(worker_takes(r, 7, KIND_NONE)->frame.header.kind, KIND_PEER);
    struct output *session = worker_takes(r, 7, KIND_NONE);
    cr_assert_eq(session->frame.header.kind, KIND_SESSION);
    cr_assert_eq(session->stamp.session.number, 42);
    cr_assert(device_equal(session->stamp.device, device_n(3)));
    struct arena a = {0};
    struct msg_session message;
    cr_assert_eq(codec_decode(&msg_session_desc, session->frame.meta, &a, &message), STATUS_OK);
    cr_assert(message.attached);
    cr_assert_eq(message.credit_messages, 10);
    cr_assert(view_equal(message.client_version, view_of("1.2.3", 5)));
    arena_fini(&a);
    cr_assert_eq(worker_takes(r, 7, KIND_NONE)->frame.header.kind, KIND_SESSIONS_END);
    relay_free(r);
}

Test(backend, sessions_of_other_partitions_are_not_listed)
{
    struct slab_header h = storage_header(1, 1000, 1), h2 = storage_header(2, 2000, 1);
    struct relay *r = relay_new(8);
    storage_readies(r, STORE, 1, &h, 0, 2047, 100);
    client_binds(r, CLIENT, 3, STORE, &h, 42);
    storage_readies(r, 7, 2, &h2, 2048, 4095, 100);
    cr_assert(worker_takes(r, 7, KIND_SESSIONS_END) != NULL);
    cr_assert(worker_takes(r, 7, KIND_SESSION) == NULL);
    relay_free(r);
}

Test(backend, takeover_answers_unknown_and_silences_the_old_owner)
{
    struct slab_header h, h2 = storage_header(2, 2000, 1);
    struct relay *r = with_session(&h, 42);
    struct stamp stamp = push_stamp(r, &h, 42);
    client_sends(r, CLIENT, 3, 2);
    struct output *old = worker_takes(r, STORE, KIND_SEND);
    storage_readies(r, 7, 1, &h2, 0, 4095, 100);
    cr_assert_eq(error_status(client_takes(r, CLIENT, KIND_NONE)), STATUS_UNKNOWN);
    worker_answers(r, STORE, &h, old, KIND_SENT, &msg_empty_desc, &(struct msg_empty){0});
    store_pushes(r, &h, &stamp);
    cr_assert(client_takes(r, CLIENT, KIND_NONE) == NULL, "one reply, and nothing from a zombie");
    cr_assert_eq(relay_events(r, EVENT_STALE_TERM_REFUSED), 1);
    client_sends(r, CLIENT, 3, 3);
    cr_assert(worker_takes(r, 7, KIND_SEND) != NULL, "the session outlives its owner");
    relay_free(r);
}

Test(backend, older_term_is_ignored_and_told)
{
    struct slab_header h, old = storage_header(2, 999, 1);
    struct relay *r = with_store(&h);
    storage_readies(r, 7, 1, &old, 0, 4095, 100);
    cr_assert(worker_takes(r, 7, KIND_NONE) == NULL);
    cr_assert_eq(relay_events(r, EVENT_STALE_TERM_REFUSED), 1);
    relay_free(r);
}

Test(backend, announcement_that_contradicts_its_slab_is_ignored)
{
    struct slab_header h = storage_header(1, 1000, 1), lie = storage_header(1, 2000, 1);
    struct relay *r = relay_new(4);
    struct msg_ready ready = {.role = ROLE_STORAGE, .boot = h.boot, .store = {{1}}, .term = h.term,
                              .last = 4095, .credit = 1};
    worker_says(r, STORE, &lie, &(struct stamp){.origin = ORIGIN_PEER},
                (struct frame_header){.kind = KIND_READY}, &msg_ready_desc, &ready);
    relay_flush(r);
    cr_assert(worker_takes(r, STORE, KIND_NONE) == NULL);
    relay_free(r);
}

Test(backend, silent_worker_is_busy_after_one_second_and_lost_after_two)
{
    struct slab_header h;
    struct relay *r = with_session(&h, 42);
    client_sends(r, CLIENT, 3, 2);
    relay_pass(r, 1000);
    cr_assert(client_takes(r, CLIENT, KIND_NONE) == NULL);
    client_sends(r, CLIENT, 3, 3);
    cr_assert_eq(error_status(client_takes(r, CLIENT, KIND_NONE)), STATUS_BUSY);
    cr_assert_eq(relay_events(r, EVENT_WORKER_LOST), 0);
    relay_pass(r, 1250);
    cr_assert_eq(error_status(client_takes(r, CLIENT, KIND_NONE)), STATUS_UNKNOWN);
    cr_assert_eq(relay_events(r, EVENT_WORKER_LOST), 1);
    storage_readies(r, STORE, 1, &h, 0, 4095, 100);
    cr_assert(worker_takes(r, STORE, KIND_SESSION) != NULL, "it may come back");
    relay_free(r);
}

Test(backend, unreachable_worker_is_lost_at_once_and_a_full_one_is_not)
{
    struct slab_header h;
    struct relay *r = with_session(&h, 42);
    r->worker_status = STATUS_BUSY;
    client_sends(r, CLIENT, 3, 2);
    cr_assert(client_takes(r, CLIENT, KIND_NONE) == NULL);
    r->worker_status = STATUS_OK;
    relay_flush(r);
    cr_assert(worker_takes(r, STORE, KIND_SEND) != NULL, "the slab waited");
    r->worker_status = STATUS_GONE;
    client_sends(r, CLIENT, 3, 3);
    cr_assert_eq(error_status(client_takes(r, CLIENT, KIND_NONE)), STATUS_UNKNOWN);
    cr_assert_eq(error_status(client_takes(r, CLIENT, KIND_NONE)), STATUS_UNKNOWN);
    cr_assert_eq(relay_events(r, EVENT_WORKER_LOST), 1);
    relay_free(r);
}

Test(backend, request_never_answered_is_unknown_in_the_end)
{
    struct slab_header h;
    struct relay *r = with_session(&h, 42);
    client_sends(r, CLIENT, 3, 2);
    store_beats(r, &h, 15000);
    client_pings(r);
    store_beats(r, &h, 14500);
    cr_assert(client_takes(r, CLIENT, KIND_NONE) == NULL);
    store_beats(r, &h, 1000);
    cr_assert(relay_knows(r, CLIENT), "it is not the client that was silent");
    cr_assert_eq(error_status(client_takes(r, CLIENT, KIND_NONE)), STATUS_UNKNOWN);
    relay_free(r);
}

Test(backend, reply_must_come_from_the_asked_and_be_of_the_right_kind)
{
    struct slab_header h = storage_header(1, 1000, 1), h2 = storage_header(2, 2000, 1);
    struct relay *r = relay_new(8);
    storage_readies(r, STORE, 1, &h, 0, 2047, 100);
    storage_readies(r, 7, 2, &h2, 2048, 4095, 100);
    client_binds(r, CLIENT, 3, STORE, &h, 42);
    client_sends(r, CLIENT, 3, 2);
    struct output *o = worker_takes(r, STORE, KIND_SEND);
    worker_answers(r, 7, &h2, o, KIND_SENT, &msg_empty_desc, &(struct msg_empty){0});
    worker_answers(r, STORE, &h, o, KIND_ACKED, &msg_empty_desc, &(struct msg_empty){0});
    cr_assert(client_takes(r, CLIENT, KIND_NONE) == NULL);
    worker_answers(r, STORE, &h, o, KIND_SENT, &msg_empty_desc, &(struct msg_empty){0});
    cr_assert(client_takes(r, CLIENT, KIND_SENT) != NULL);
    worker_answers(r, STORE, &h, o, KIND_SENT, &msg_empty_desc, &(struct msg_empty){0});
    cr_assert(client_takes(r, CLIENT, KIND_NONE) == NULL, "once");
    relay_free(r);
}

Test(backend, welcome_that_nobody_waits_for_is_closed)
{
    struct slab_header h;
    struct relay *r = with_store(&h);
    struct stamp stamp = {.origin = ORIGIN_EDGE, .conn = 1, .session = {h.term, 8},
                          .account = account_n(3)};
    worker_says(r, STORE, &h, &stamp,
                (struct frame_header){.kind = KIND_WELCOME, .correlation = 5}, &msg_empty_desc,
                &(struct msg_empty){0});
    relay_flush(r);
    struct output *closed = worker_takes(r, STORE, KIND_CLOSED);
    cr_assert(closed != NULL);
    cr_assert_eq(closed->stamp.session.number, 8);
    relay_free(r);
}

Test(backend, delivery_reaches_the_session_it_names)
{
    struct slab_header h;
    struct relay *r = with_session(&h, 42);
    struct stamp stamp = push_stamp(r, &h, 42);
    store_pushes(r, &h, &stamp);
    cr_assert(client_takes(r, CLIENT, KIND_DELIVER) != NULL);
    cr_assert(worker_takes(r, STORE, KIND_UNDELIVERED) == NULL);
    relay_free(r);
}

Test(backend, delivery_for_another_session_comes_back_as_gone)
{
    struct slab_header h;
    struct relay *r = with_session(&h, 42);
    struct stamp stamp = push_stamp(r, &h, 41);
    store_pushes(r, &h, &stamp);
    cr_assert(client_takes(r, CLIENT, KIND_DELIVER) == NULL);
    struct msg_undelivered message = undelivered(r);
    cr_assert(message.gone);
    cr_assert_eq(message.seq, 9);
    cr_assert(term_equal(message.term, h.term));
    relay_free(r);
}

Test(backend, delivery_to_a_slow_client_comes_back_as_slow)
{
    struct slab_header h;
    struct relay *r = with_session(&h, 42);
    struct stamp stamp = push_stamp(r, &h, 42);
    r->refusing_client = CLIENT;
    r->client_status = STATUS_BUSY;
    store_pushes(r, &h, &stamp);
    struct msg_undelivered message = undelivered(r);
    cr_assert_not(message.gone);
    cr_assert_eq(message.seq, 9);
    cr_assert(relay_knows(r, CLIENT));
    relay_free(r);
}

/* Acks are cumulative: what follows a delivery that was not handed over waits until it has come again. */
Test(backend, delivery_does_not_overtake_one_that_came_back)
{
    struct slab_header h;
    struct relay *r = with_session(&h, 42);
    struct stamp stamp = push_stamp(r, &h, 42);
    r->refusing_client = CLIENT;
    r->client_status = STATUS_BUSY;
    store_pushes(r, &h, &stamp);
    struct output *o = worker_takes(r, STORE, KIND_UNDELIVERED);
    cr_assert(o != NULL);
    r->client_status = STATUS_OK;
    store_pushes(r, &h, &stamp); /* written before the store heard of it */
    cr_assert(client_takes(r, CLIENT, KIND_DELIVER) == NULL);
    cr_assert(worker_takes(r, STORE, KIND_UNDELIVERED) == NULL);
    store_pushes(r, &h, &o->stamp);
    cr_assert(client_takes(r, CLIENT, KIND_DELIVER) != NULL);
    relay_free(r);
}

Test(backend, delivery_from_before_a_list_of_sessions_is_dropped)
{
    struct slab_header h;
    struct relay *r = with_session(&h, 42);
    struct stamp stamp = push_stamp(r, &h, 42);
    storage_readies(r, STORE, 1, &h, 0, 4095, 100);
    struct output *listed = worker_takes(r, STORE, KIND_SESSION);
    cr_assert(listed != NULL);
    store_pushes(r, &h, &stamp);
    cr_assert(client_takes(r, CLIENT, KIND_DELIVER) == NULL);
    stamp.round = listed->stamp.round;
    store_pushes(r, &h, &stamp);
    cr_assert(client_takes(r, CLIENT, KIND_DELIVER) != NULL);
    relay_free(r);
}

Test(backend, delivery_to_a_vanished_client_closes_its_session)
{
    struct slab_header h;
    struct relay *r = with_session(&h, 42);
    struct stamp stamp = push_stamp(r, &h, 42);
    r->refusing_client = CLIENT;
    r->client_status = STATUS_GONE;
    store_pushes(r, &h, &stamp);
    cr_assert(undelivered(r).gone);
    cr_assert(worker_takes(r, STORE, KIND_CLOSED) != NULL);
    cr_assert_not(relay_knows(r, CLIENT));
    relay_free(r);
}

Test(backend, reply_to_a_slow_client_waits_and_keeps_its_order)
{
    struct slab_header h;
    struct relay *r = with_session(&h, 42);
    struct stamp stamp = push_stamp(r, &h, 42);
    client_sends(r, CLIENT, 3, 2);
    client_sends(r, CLIENT, 3, 3);
    r->refusing_client = CLIENT;
    r->client_status = STATUS_BUSY;
    for (int i = 0; i < 2; i++)
        worker_answers(r, STORE, &h, worker_takes(r, STORE, KIND_SEND), KIND_SENT, &msg_empty_desc,
                       &(struct msg_empty){0});
    relay_flush(r);
    cr_assert_leq(broker_deadline_ms(r->broker), r->now.mono_ms + 5);
    r->client_status = STATUS_OK;
    store_pushes(r, &h, &stamp); /* does not overtake: it comes back, and may be offered again */
    cr_assert_not(undelivered(r).gone);
    relay_pass(r, 50);
    cr_assert_eq(client_takes(r, CLIENT, KIND_NONE)->frame.header.correlation, 2);
    cr_assert_eq(client_takes(r, CLIENT, KIND_NONE)->frame.header.correlation, 3);
    cr_assert(client_takes(r, CLIENT, KIND_NONE) == NULL);
    relay_free(r);
}

Test(backend, client_that_never_reads_is_forgotten)
{
    struct slab_header h;
    struct relay *r = with_session(&h, 42);
    r->refusing_client = CLIENT;
    r->client_status = STATUS_BUSY;
    for (uint64_t i = 1; i < 300 && relay_knows(r, CLIENT); i++)
        client_says(r, CLIENT, (struct frame_header){.kind = KIND_PING, .correlation = i},
                    &msg_empty_desc, &(struct msg_empty){0});
    relay_flush(r);
    cr_assert_not(relay_knows(r, CLIENT));
    cr_assert_eq(relay_events(r, EVENT_SLOW_CONSUMER), 1);
    cr_assert(worker_takes(r, STORE, KIND_CLOSED) != NULL);
    relay_flush(r);
    cr_assert_leq(r->now.mono_ms + 100, broker_deadline_ms(r->broker), "nothing waits for it");
    relay_free(r);
}

Test(backend, superseded_is_passed_on_and_unbinds)
{
    struct slab_header h;
    struct relay *r = with_session(&h, 42);
    struct stamp stamp = push_stamp(r, &h, 42), other = push_stamp(r, &h, 41);
    struct msg_superseded message = {.by = {h.term, 43}};
    struct frame_header header = {.kind = KIND_SUPERSEDED};
    worker_says(r, STORE, &h, &other, header, &msg_superseded_desc, &message);
    cr_assert(client_takes(r, CLIENT, KIND_SUPERSEDED) == NULL, "an older session's");
    worker_says(r, STORE, &h, &stamp, header, &msg_superseded_desc, &message);
    cr_assert(client_takes(r, CLIENT, KIND_SUPERSEDED) != NULL);
    client_sends(r, CLIENT, 3, 3);
    cr_assert_eq(error_status(client_takes(r, CLIENT, KIND_NONE)), STATUS_NO_SESSION);
    relay_free(r);
}

static enum status told_by_store(struct relay *r, const struct slab_header *h,
                                 const struct stamp *stamp, uint64_t correlation)
{
    struct msg_error message = {.status = STATUS_NO_SESSION};
    struct frame_header header = {.kind = KIND_ERROR, .correlation = correlation};
    worker_says(r, STORE, h, stamp, header, &msg_error_desc, &message);
    const struct output *o = client_takes(r, CLIENT, KIND_NONE);
    return o ? error_status(o) : STATUS_OK;
}

Test(backend, error_that_answers_nothing_ends_the_session_it_names)
{
    struct slab_header h;
    struct relay *r = with_session(&h, 42);
    struct stamp stamp = push_stamp(r, &h, 42), other = push_stamp(r, &h, 41);
    cr_assert_eq(told_by_store(r, &h, &other, 0), STATUS_OK, "an older session's");
    cr_assert_eq(told_by_store(r, &h, &stamp, 77), STATUS_OK, "nobody has asked that");
    cr_assert_eq(told_by_store(r, &h, &stamp, 0), STATUS_NO_SESSION);
    cr_assert_eq(told_by_store(r, &h, &stamp, 0), STATUS_OK, "it has none any more");
    client_sends(r, CLIENT, 3, 3);
    cr_assert_eq(error_status(client_takes(r, CLIENT, KIND_NONE)), STATUS_NO_SESSION);
    relay_free(r);
}

Test(backend, hints_reach_every_session_of_the_device_and_no_other)
{
    struct slab_header h;
    struct relay *r = with_session(&h, 42);
    client_binds(r, 6, 3, STORE, &h, 43);
    client_binds(r, 7, 4, STORE, &h, 44);
    struct msg_hint_device message = {.device = device_n(3), .hint = view_of("\x0a\x00", 2)};
    worker_says(r, STORE, &h, &(struct stamp){.origin = ORIGIN_PEER},
                (struct frame_header){.kind = KIND_HINT_DEVICE}, &msg_hint_device_desc, &message);
    struct output *hint = client_takes(r, CLIENT, KIND_HINT);
    cr_assert(hint != NULL);
    cr_assert(view_equal(hint->frame.meta, message.hint));
    cr_assert(client_takes(r, 6, KIND_HINT) != NULL);
    cr_assert(client_takes(r, 7, KIND_HINT) == NULL);
    relay_free(r);
}

/* One device with very many sessions does not make every hint of its messages dear. */
Test(backend, hints_reach_the_newest_sessions_of_a_device)
{
    struct slab_header h;
    struct relay *r = with_store(&h);
    for (uint32_t i = 0; i < 17; i++)
        client_binds(r, 10 + i, 3, STORE, &h, 50 + i);
    struct msg_hint_device message = {.device = device_n(3), .hint = view_of("\x0a\x00", 2)};
    worker_says(r, STORE, &h, &(struct stamp){.origin = ORIGIN_PEER},
                (struct frame_header){.kind = KIND_HINT_DEVICE}, &msg_hint_device_desc, &message);
    cr_assert(client_takes(r, 10, KIND_HINT) == NULL);
    for (uint32_t i = 1; i < 17; i++)
        cr_assert(client_takes(r, 10 + i, KIND_HINT) != NULL);
    relay_free(r);
}

/* What strangers cause is told in moderation, and leaves room for the rest. */
Test(backend, recorded_events_of_a_kind_are_bounded_and_the_surplus_is_counted)
{
    struct slab_header h;
    struct relay *r = with_store(&h);
    size_t of_kind[128] = {0};
    for (uint32_t i = 0; i < 40; i++)
        client_says(r, 10 + i, (struct frame_header){.kind = KIND_DELIVER, .correlation = 1},
                    &msg_empty_desc, &(struct msg_empty){0});
    cr_assert_eq(relay_events(r, EVENT_FRAME_REFUSED), 40, "the callback gets all");
    store_beats(r, &h, 2000);
    struct arena a = {0};
    struct msg_record record;
    uint64_t dropped = 0;
    for (struct output *o; (o = worker_takes(r, STORE, KIND_RECORD));) {
        cr_assert_eq(codec_decode(&msg_record_desc, o->frame.meta, &a, &record), STATUS_OK);
        for (size_t i = 0; i < record.event_count; i++) {
            of_kind[record.events[i].kind]++;
            if (record.events[i].kind == EVENT_EVENTS_DROPPED) dropped += record.events[i].count;
        }
    }
    cr_assert_eq(of_kind[EVENT_FRAME_REFUSED], 8);
    cr_assert_eq(of_kind[EVENT_EVENTS_DROPPED], 1);
    cr_assert_eq(dropped, 32);
    cr_assert_eq(of_kind[EVENT_WORKER_READY], 1);
    arena_fini(&a);
    relay_free(r);
}

Test(backend, leases_go_to_the_homes_owner_and_back)
{
    struct slab_header h;
    struct relay *r = with_store(&h);
    struct slab_header f = fanout_header(4);
    fanout_readies(r, FANOUT, 4);
    cr_assert(worker_takes(r, FANOUT, KIND_PEER) != NULL);
    struct frame_header header = {.kind = KIND_LEASE, .correlation = 11, .home = 5};
    worker_says(r, FANOUT, &f, &(struct stamp){.origin = ORIGIN_PEER}, header, &msg_lease_desc,
                &(struct msg_lease){.count = 4});
    relay_flush(r);
    struct output *lease = worker_takes(r, STORE, KIND_LEASE);
    cr_assert(lease != NULL);
    cr_assert_eq(lease->stamp.origin, ORIGIN_WORKER);
    worker_answers(r, STORE, &h, lease, KIND_LEASED, &msg_leased_desc, &(struct msg_leased){0});
    relay_flush(r);
    struct output *leased = worker_takes(r, FANOUT, KIND_LEASED);
    cr_assert(leased != NULL);
    cr_assert_eq(leased->frame.header.correlation, 11);
    relay_free(r);
}

Test(backend, lease_without_an_owner_is_busy_and_storage_may_not_lease)
{
    struct relay *r = relay_new(4);
    struct slab_header f = fanout_header(4), h = storage_header(1, 1000, 1);
    struct frame_header header = {.kind = KIND_LEASE, .correlation = 11, .home = 5};
    fanout_readies(r, FANOUT, 4);
    worker_says(r, FANOUT, &f, &(struct stamp){.origin = ORIGIN_PEER}, header, &msg_lease_desc,
                &(struct msg_lease){.count = 4});
    relay_flush(r);
    cr_assert_eq(error_status(worker_takes(r, FANOUT, KIND_ERROR)), STATUS_BUSY);
    storage_readies(r, STORE, 1, &h, 0, 4095, 8);
    worker_says(r, STORE, &h, &(struct stamp){.origin = ORIGIN_PEER}, header, &msg_lease_desc,
                &(struct msg_lease){.count = 4});
    relay_flush(r);
    cr_assert(worker_takes(r, STORE, KIND_LEASE) == NULL);
    cr_assert(worker_takes(r, STORE, KIND_ERROR) == NULL);
    relay_free(r);
}

Test(backend, waiting_wakes_are_told_to_every_fanout_worker)
{
    struct slab_header h;
    struct relay *r = with_store(&h);
    fanout_readies(r, 8, 4);
    fanout_readies(r, 9, 5);
    worker_says(r, STORE, &h, &(struct stamp){.origin = ORIGIN_PEER},
                (struct frame_header){.kind = KIND_WAKES_WAITING, .home = 3}, &msg_empty_desc,
                &(struct msg_empty){0});
    relay_flush(r);
    cr_assert_eq(worker_takes(r, 8, KIND_WAKES_WAITING)->frame.header.home, 3);
    cr_assert(worker_takes(r, 9, KIND_WAKES_WAITING) != NULL);
    cr_assert(worker_takes(r, STORE, KIND_WAKES_WAITING) == NULL);
    relay_free(r);
}

Test(backend, leaving_worker_finishes_what_is_pending_and_gets_nothing_new)
{
    struct slab_header h;
    struct relay *r = with_session(&h, 42);
    client_sends(r, CLIENT, 3, 2);
    worker_says(r, STORE, &h, &(struct stamp){.origin = ORIGIN_PEER},
                (struct frame_header){.kind = KIND_LEAVING}, &msg_empty_desc,
                &(struct msg_empty){0});
    client_sends(r, CLIENT, 3, 3);
    cr_assert_eq(error_status(client_takes(r, CLIENT, KIND_NONE)), STATUS_BUSY);
    worker_answers(r, STORE, &h, worker_takes(r, STORE, KIND_SEND), KIND_SENT, &msg_empty_desc,
                   &(struct msg_empty){0});
    cr_assert(client_takes(r, CLIENT, KIND_SENT) != NULL);
    relay_pass(r, 3000);
    cr_assert_eq(relay_events(r, EVENT_WORKER_LOST), 0, "it left in order");
    relay_free(r);
}

Test(backend, heartbeats_leave_every_quarter_second_and_events_travel_with_them)
{
    struct slab_header h;
    struct relay *r = with_store(&h);
    relay_pass(r, 1000);
    for (int i = 0; i < 4; i++)
        cr_assert(worker_takes(r, STORE, KIND_HEARTBEAT) != NULL);
    cr_assert(worker_takes(r, STORE, KIND_HEARTBEAT) == NULL);
    struct output *o = worker_takes(r, STORE, KIND_RECORD);
    struct arena a = {0};
    struct msg_record record;
    cr_assert(o != NULL);
    cr_assert_eq(codec_decode(&msg_record_desc, o->frame.meta, &a, &record), STATUS_OK);
    cr_assert_eq(record.event_count, 1);
    cr_assert_eq(record.events[0].kind, EVENT_WORKER_READY);
    arena_fini(&a);
    relay_free(r);
}

Test(backend, unknown_peers_and_broken_slabs_change_nothing)
{
    struct slab_header h;
    struct relay *r = with_session(&h, 42);
    struct stamp stamp = push_stamp(r, &h, 42);
    struct buffer frame = {0}, slab = {0};
    frame_write(&frame, &(struct frame_header){.kind = KIND_SUPERSEDED}, &msg_superseded_desc,
                &(struct msg_superseded){.by = {h.term, 43}});
    slab_begin(&slab);
    slab_item(&slab, &stamp, buffer_view(&frame));
    slab_finish(&slab, &h);
    for (size_t len = 0; len < slab.len; len++)
        broker_worker_slab(r->broker, r->now, STORE, view_of(slab.at, len));
    broker_worker_slab(r->broker, r->now, 55, buffer_view(&slab));
    cr_assert(client_takes(r, CLIENT, KIND_NONE) == NULL);
    broker_worker_slab(r->broker, r->now, STORE, buffer_view(&slab));
    cr_assert(client_takes(r, CLIENT, KIND_SUPERSEDED) != NULL);
    buffer_fini(&frame);
    buffer_fini(&slab);
    relay_free(r);
}
