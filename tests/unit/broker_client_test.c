/* Frames from the edge: what is answered, what is forwarded, and that every request gets one
 * reply. */
#include "broker/route.h"
#include "tests/unit/broker_fixture.h"

#include <criterion/criterion.h>

#define CLIENT 5u
#define STORE  1u

static struct relay *with_store(struct slab_header *h, uint32_t credit)
{
    struct relay *r = relay_new(64);
    *h = storage_header(1, 1000, 1);
    storage_readies(r, STORE, 1, h, 0, 4095, credit);
    return r;
}

static void says(struct relay *r, uint8_t kind, uint64_t correlation, uint16_t home)
{
    client_says(r, CLIENT,
                (struct frame_header){.kind = kind, .correlation = correlation, .home = home},
                &msg_empty_desc, &(struct msg_empty){0});
    relay_flush(r);
}

Test(client, ping_is_answered_by_the_broker_without_a_session)
{
    struct relay *r = relay_new(4);
    says(r, KIND_PING, 3, 0);
    struct output *pong = client_takes(r, CLIENT, KIND_PONG);
    cr_assert(pong != NULL);
    cr_assert_eq(pong->frame.header.correlation, 3);
    relay_free(r);
}

Test(client, requests_without_a_session_are_told_so)
{
    static const uint8_t kinds[] = {KIND_SEND, KIND_ACK, KIND_STATUS, KIND_TERMS, KIND_BYE, KIND_APPEND};
    struct slab_header h;
    struct relay *r = with_store(&h, 100);
    for (size_t i = 0; i < sizeof kinds; i++) {
        says(r, kinds[i], i + 1, 0);
        cr_assert_eq(error_status(client_takes(r, CLIENT, KIND_NONE)), STATUS_NO_SESSION);
    }
    relay_free(r);
}

Test(client, register_goes_to_the_owner_without_a_session)
{
    struct slab_header h;
    struct relay *r = with_store(&h, 100);
    says(r, KIND_REGISTER, 8, 16);
    struct output *o = worker_takes(r, STORE, KIND_REGISTER);
    cr_assert(o != NULL);
    cr_assert_eq(o->stamp.origin, ORIGIN_EDGE);
    cr_assert_eq(o->stamp.session.number, 0);
    cr_assert_eq(o->stamp.transport.bytes[0], CLIENT);
    worker_answers(r, STORE, &h, o, KIND_REGISTERED, &msg_empty_desc, &(struct msg_empty){0});
    cr_assert(client_takes(r, CLIENT, KIND_REGISTERED) != NULL);
    relay_free(r);
}

/* Whoever has no session may ask for a handle, or prove a recovery key; storage sees in the stamp that there is none. */
Test(client, lookup_goes_to_the_owner_with_a_session_or_without)
{
    struct slab_header h;
    struct relay *r = with_store(&h, 100);
    says(r, KIND_LOOKUP, 8, 16);
    struct output *o = worker_takes(r, STORE, KIND_LOOKUP);
    cr_assert(o != NULL);
    cr_assert_eq(o->stamp.session.number, 0);
    cr_assert_eq(o->stamp.transport.bytes[0], CLIENT);
    worker_answers(r, STORE, &h, o, KIND_FOUND, &msg_empty_desc, &(struct msg_empty){0});
    client_binds(r, CLIENT, 3, STORE, &h, 42);
    says(r, KIND_LOOKUP, 9, 16);
    o = worker_takes(r, STORE, KIND_LOOKUP);
    cr_assert(o != NULL);
    cr_assert_eq(o->stamp.session.number, 42);
    relay_free(r);
}

Test(client, bound_requests_carry_session_account_and_device)
{
    struct slab_header h;
    struct relay *r = with_store(&h, 100);
    client_binds(r, CLIENT, 3, STORE, &h, 42);
    client_sends(r, CLIENT, 3, 2);
    struct output *o = worker_takes(r, STORE, KIND_SEND);
    cr_assert(o != NULL);
    cr_assert_eq(o->stamp.session.number, 42);
    cr_assert(device_equal(o->stamp.device, device_n(3)));
    cr_assert_eq(o->stamp.account.bytes[0], 3);
    relay_free(r);
}

Test(client, ack_at_a_foreign_home_is_refused)
{
    struct slab_header h;
    struct relay *r = with_store(&h, 100);
    client_binds(r, CLIENT, 3, STORE, &h, 42);
    says(r, KIND_ACK, 2, home_n(4));
    cr_assert_eq(error_status(client_takes(r, CLIENT, KIND_NONE)), STATUS_WRONG_HOME);
    says(r, KIND_ACK, 3, home_n(3));
    cr_assert(worker_takes(r, STORE, KIND_ACK) != NULL);
    relay_free(r);
}

Test(client, hello_that_does_not_decode_is_malformed_and_not_forwarded)
{
    struct slab_header h;
    struct relay *r = with_store(&h, 100);
    says(r, KIND_HELLO, 2, 0);
    cr_assert_eq(error_status(client_takes(r, CLIENT, KIND_NONE)), STATUS_MALFORMED);
    cr_assert(worker_takes(r, STORE, KIND_HELLO) == NULL);
    cr_assert_eq(relay_events(r, EVENT_FRAME_REFUSED), 1);
    relay_free(r);
}

Test(client, only_welcome_binds)
{
    struct slab_header h;
    struct relay *r = with_store(&h, 100);
    client_greets(r, CLIENT, 3, 1);
    relay_flush(r);
    client_sends(r, CLIENT, 3, 2);
    cr_assert_eq(error_status(client_takes(r, CLIENT, KIND_NONE)), STATUS_NO_SESSION);
    struct msg_error refused = {.status = STATUS_UNAUTHENTICATED};
    worker_answers(r, STORE, &h, worker_takes(r, STORE, KIND_HELLO), KIND_ERROR, &msg_error_desc,
                   &refused);
    cr_assert_eq(error_status(client_takes(r, CLIENT, KIND_NONE)), STATUS_UNAUTHENTICATED);
    client_sends(r, CLIENT, 3, 3);
    cr_assert_eq(error_status(client_takes(r, CLIENT, KIND_NONE)), STATUS_NO_SESSION);
    client_binds(r, CLIENT, 3, STORE, &h, 1);
    relay_free(r);
}

Test(client, second_hello_at_once_is_busy)
{
    struct slab_header h;
    struct relay *r = with_store(&h, 100);
    client_greets(r, CLIENT, 3, 1);
    client_greets(r, CLIENT, 3, 2);
    cr_assert_eq(error_status(client_takes(r, CLIENT, KIND_NONE)), STATUS_BUSY);
    relay_free(r);
}

Test(client, new_session_on_a_connection_closes_the_one_before)
{
    struct slab_header h;
    struct relay *r = with_store(&h, 100);
    client_binds(r, CLIENT, 3, STORE, &h, 42);
    client_binds(r, CLIENT, 4, STORE, &h, 43);
    relay_flush(r);
    struct output *closed = worker_takes(r, STORE, KIND_CLOSED);
    cr_assert(closed != NULL);
    cr_assert_eq(closed->stamp.session.number, 42);
    cr_assert_eq(closed->frame.header.home, home_n(3));
    cr_assert(worker_takes(r, STORE, KIND_CLOSED) == NULL);
    relay_free(r);
}

Test(client, no_owner_means_busy_and_an_owner_means_forwarded)
{
    struct relay *r = relay_new(4);
    says(r, KIND_REGISTER, 1, 16);
    struct output *o = client_takes(r, CLIENT, KIND_NONE);
    cr_assert_eq(error_status(o), STATUS_BUSY);
    struct slab_header h = storage_header(1, 1000, 1);
    storage_readies(r, STORE, 1, &h, 0, 15, 8);
    says(r, KIND_REGISTER, 2, 16);
    cr_assert_eq(error_status(client_takes(r, CLIENT, KIND_NONE)), STATUS_BUSY);
    says(r, KIND_REGISTER, 3, 15);
    cr_assert(worker_takes(r, STORE, KIND_REGISTER) != NULL);
    relay_free(r);
}

Test(client, pending_requests_of_a_connection_are_bounded)
{
    struct slab_header h;
    struct relay *r = with_store(&h, 1000);
    for (uint64_t i = 1; i <= PENDING_REQUESTS_MAX; i++)
        says(r, KIND_REGISTER, i, 0);
    cr_assert(client_takes(r, CLIENT, KIND_NONE) == NULL);
    says(r, KIND_REGISTER, 1000, 0);
    cr_assert_eq(error_status(client_takes(r, CLIENT, KIND_NONE)), STATUS_BUSY);
    worker_answers(r, STORE, &h, worker_takes(r, STORE, KIND_REGISTER), KIND_REGISTERED,
                   &msg_empty_desc, &(struct msg_empty){0});
    cr_assert(client_takes(r, CLIENT, KIND_REGISTERED) != NULL);
    says(r, KIND_REGISTER, 1000, 0);
    cr_assert(client_takes(r, CLIENT, KIND_NONE) == NULL);
    relay_free(r);
}

Test(client, workers_credit_is_kept)
{
    struct slab_header h;
    struct relay *r = with_store(&h, 2);
    for (uint64_t i = 1; i <= 3; i++)
        says(r, KIND_REGISTER, i, 0);
    cr_assert_eq(error_status(client_takes(r, CLIENT, KIND_NONE)), STATUS_BUSY);
    cr_assert(client_takes(r, CLIENT, KIND_NONE) == NULL);
    relay_free(r);
}

Test(client, correlation_ids_must_be_unique_and_not_zero)
{
    struct slab_header h;
    struct relay *r = with_store(&h, 100);
    says(r, KIND_REGISTER, 0, 0);
    cr_assert_eq(error_status(client_takes(r, CLIENT, KIND_NONE)), STATUS_MALFORMED);
    says(r, KIND_REGISTER, 6, 0);
    says(r, KIND_REGISTER, 6, 0);
    cr_assert_eq(error_status(client_takes(r, CLIENT, KIND_NONE)), STATUS_MALFORMED);
    cr_assert(worker_takes(r, STORE, KIND_REGISTER) != NULL);
    cr_assert(worker_takes(r, STORE, KIND_REGISTER) == NULL);
    relay_free(r);
}

Test(client, kinds_of_others_are_unsupported)
{
    static const uint8_t kinds[] = {KIND_WELCOME, KIND_DELIVER, KIND_OVERVIEW,
                                    KIND_READY,   KIND_LEASE,   200};
    struct relay *r = relay_new(4);
    for (size_t i = 0; i < sizeof kinds; i++) {
        says(r, kinds[i], i + 1, 0);
        struct output *o = client_takes(r, CLIENT, KIND_NONE);
        cr_assert_eq(error_status(o), STATUS_UNSUPPORTED);
        cr_assert_eq(o->frame.header.correlation, i + 1);
    }
    cr_assert_eq(relay_events(r, EVENT_FRAME_REFUSED), 1, "told once per connection");
    relay_free(r);
}

Test(client, garbage_is_answered)
{
    struct relay *r = relay_new(4);
    struct transport_pk key = {{1}};
    cr_assert_not(relay_knows(r, CLIENT));
    broker_client_frame(r->broker, r->now, CLIENT, &key, &r->from, view_of("x", 1));
    cr_assert_eq(error_status(client_takes(r, CLIENT, KIND_NONE)), STATUS_MALFORMED);
    cr_assert(relay_knows(r, CLIENT));
    relay_free(r);
}

Test(client, full_table_of_connections_is_busy)
{
    struct relay *r = relay_new(1);
    says(r, KIND_PING, 1, 0);
    client_says(r, 6, (struct frame_header){.kind = KIND_PING, .correlation = 4}, &msg_empty_desc,
                &(struct msg_empty){0});
    struct output *o = client_takes(r, 6, KIND_NONE);
    cr_assert_eq(error_status(o), STATUS_BUSY);
    cr_assert_eq(o->frame.header.correlation, 4);
    cr_assert_not(relay_knows(r, 6));
    relay_free(r);
}

Test(client, goodbye_unbinds)
{
    struct slab_header h;
    struct relay *r = with_store(&h, 100);
    client_binds(r, CLIENT, 3, STORE, &h, 42);
    says(r, KIND_BYE, 2, home_n(3));
    worker_answers(r, STORE, &h, worker_takes(r, STORE, KIND_BYE), KIND_GOODBYE, &msg_empty_desc,
                   &(struct msg_empty){0});
    cr_assert(client_takes(r, CLIENT, KIND_GOODBYE) != NULL);
    client_sends(r, CLIENT, 3, 3);
    cr_assert_eq(error_status(client_takes(r, CLIENT, KIND_NONE)), STATUS_NO_SESSION);
    cr_assert(worker_takes(r, STORE, KIND_CLOSED) == NULL, "the store said goodbye itself");
    relay_free(r);
}

Test(client, silent_connection_is_forgotten_and_its_requests_answered)
{
    struct slab_header h;
    struct relay *r = with_store(&h, 100);
    client_binds(r, CLIENT, 3, STORE, &h, 42);
    for (uint64_t passed = 0; passed < 29000; passed += 500) {
        relay_pass(r, 500);
        worker_beats(r, STORE, &h);
    }
    client_sends(r, 99, 3, 1); /* another client's frame changes nothing for this one */
    cr_assert(relay_knows(r, CLIENT));
    for (uint64_t passed = 0; passed < 2000; passed += 500) {
        relay_pass(r, 500);
        worker_beats(r, STORE, &h);
    }
    cr_assert_not(relay_knows(r, CLIENT));
    cr_assert_eq(r->cut_count, 1, "its connection ends, too");
    cr_assert_eq(r->cut, CLIENT);
    struct output *closed = worker_takes(r, STORE, KIND_CLOSED);
    cr_assert(closed != NULL);
    cr_assert_eq(closed->stamp.session.number, 42);
    relay_free(r);
}

Test(client, end_of_a_connection_ends_its_session_at_once)
{
    struct slab_header h;
    struct relay *r = with_store(&h, 100);
    client_binds(r, CLIENT, 3, STORE, &h, 42);
    client_binds(r, CLIENT + 1, 4, STORE, &h, 43);
    client_sends(r, CLIENT, 3, 7);
    broker_client_gone(r->broker, r->now, CLIENT + 2);
    relay_flush(r);
    cr_assert(worker_takes(r, STORE, KIND_CLOSED) == NULL, "nobody knows that one");
    broker_client_gone(r->broker, r->now, CLIENT);
    broker_client_gone(r->broker, r->now, CLIENT);
    relay_flush(r);
    struct output *closed = worker_takes(r, STORE, KIND_CLOSED);
    cr_assert(closed != NULL);
    cr_assert_eq(closed->stamp.session.number, 42);
    cr_assert(worker_takes(r, STORE, KIND_CLOSED) == NULL, "once");
    cr_assert_not(relay_knows(r, CLIENT));
    cr_assert(relay_knows(r, CLIENT + 1));
    worker_answers(r, STORE, &h, worker_takes(r, STORE, KIND_SEND), KIND_SENT, &msg_empty_desc,
                   &(struct msg_empty){0});
    cr_assert(client_takes(r, CLIENT, KIND_NONE) == NULL, "what it asked is answered to nobody");
    relay_free(r);
}

Test(client, event_of_the_glue_is_told_as_the_core_s_own)
{
    struct relay *r = relay_new(4);
    broker_tell(r->broker, r->now, &(struct event){.kind = EVENT_AUTH_UNAVAILABLE});
    cr_assert_eq(relay_events(r, EVENT_AUTH_UNAVAILABLE), 1);
    cr_assert_eq(r->events[0].at_ms, r->now.wall_ms);
    relay_free(r);
}

Test(client, request_of_a_client_that_fell_silent_is_answered)
{
    struct slab_header h;
    struct relay *r = with_store(&h, 100);
    for (uint64_t passed = 0; passed < 20000; passed += 500) {
        relay_pass(r, 500);
        worker_beats(r, STORE, &h);
        if (passed == 10000) says(r, KIND_REGISTER, 3, 0);
    }
    says(r, KIND_REGISTER, 4, 0);
    for (uint64_t passed = 0; passed < 32000; passed += 500) {
        relay_pass(r, 500);
        worker_beats(r, STORE, &h);
    }
    cr_assert_eq(error_status(client_takes(r, CLIENT, KIND_NONE)), STATUS_UNKNOWN);
    cr_assert_eq(error_status(client_takes(r, CLIENT, KIND_NONE)), STATUS_UNKNOWN);
    cr_assert_not(relay_knows(r, CLIENT));
    relay_free(r);
}

Test(client, drain_is_told_to_all_and_refuses_what_is_new)
{
    struct slab_header h;
    struct relay *r = with_store(&h, 100);
    client_binds(r, CLIENT, 3, STORE, &h, 42);
    client_sends(r, CLIENT, 3, 2);
    broker_drain(r->broker, r->now);
    cr_assert(client_takes(r, CLIENT, KIND_DRAIN) != NULL);
    client_sends(r, CLIENT, 3, 3);
    cr_assert_eq(error_status(client_takes(r, CLIENT, KIND_NONE)), STATUS_DRAINING);
    cr_assert_not(broker_drained(r->broker, r->now));
    worker_answers(r, STORE, &h, worker_takes(r, STORE, KIND_SEND), KIND_SENT, &msg_empty_desc,
                   &(struct msg_empty){0});
    cr_assert(client_takes(r, CLIENT, KIND_SENT) != NULL);
    cr_assert(broker_drained(r->broker, r->now));
    relay_free(r);
}

Test(client, drain_ends_at_its_deadline_whatever_is_pending)
{
    struct slab_header h;
    struct relay *r = with_store(&h, 100);
    says(r, KIND_REGISTER, 1, 0);
    broker_drain(r->broker, r->now);
    relay_pass(r, 1900);
    cr_assert_not(broker_drained(r->broker, r->now));
    relay_pass(r, 100);
    cr_assert(broker_drained(r->broker, r->now));
    relay_free(r);
}

/* Under CLIENT's routing id, but with another connection's key. */
static void stranger_says(struct relay *r, uint8_t kind, uint64_t correlation, uint16_t home)
{
    struct transport_pk key = {{66, 6}};
    struct buffer b = {0};
    frame_write(&b, &(struct frame_header){.kind = kind, .correlation = correlation, .home = home},
                &msg_empty_desc, &(struct msg_empty){0});
    broker_client_frame(r->broker, r->now, CLIENT, &key, &r->from, buffer_view(&b));
    buffer_fini(&b);
    relay_flush(r);
}

Test(client, routing_id_under_another_key_is_another_connection)
{
    struct slab_header h;
    struct relay *r = with_store(&h, 100);
    client_binds(r, CLIENT, 3, STORE, &h, 42);
    stranger_says(r, KIND_STATUS, 2, home_n(3));
    cr_assert_eq(error_status(client_takes(r, CLIENT, KIND_NONE)), STATUS_NO_SESSION);
    struct output *closed = worker_takes(r, STORE, KIND_CLOSED);
    cr_assert(closed != NULL);
    cr_assert_eq(closed->stamp.session.number, 42);
    cr_assert(device_equal(closed->stamp.device, device_n(3)));
    stranger_says(r, KIND_ACK, 3, home_n(3));
    cr_assert_eq(error_status(client_takes(r, CLIENT, KIND_NONE)), STATUS_NO_SESSION);
    stranger_says(r, KIND_REGISTER, 4, home_n(3));
    cr_assert(worker_takes(r, STORE, KIND_STATUS) == NULL);
    cr_assert(worker_takes(r, STORE, KIND_ACK) == NULL);
    struct output *o = worker_takes(r, STORE, KIND_REGISTER);
    cr_assert(o != NULL, "what needs no session is forwarded, in the stranger's own name");
    cr_assert_eq(o->stamp.session.number, 0);
    cr_assert_eq(o->stamp.transport.bytes[0], 66);
    cr_assert_neq(o->stamp.conn, closed->stamp.conn);
    relay_free(r);
}

Test(client, routing_id_under_the_same_key_keeps_its_session)
{
    struct slab_header h;
    struct relay *r = with_store(&h, 100);
    client_binds(r, CLIENT, 3, STORE, &h, 42);
    says(r, KIND_STATUS, 2, home_n(3));
    cr_assert_eq(worker_takes(r, STORE, KIND_STATUS)->stamp.session.number, 42);
    cr_assert(worker_takes(r, STORE, KIND_CLOSED) == NULL);
    relay_free(r);
}

Test(client, delivery_and_reply_of_a_taken_routing_id_reach_nobody)
{
    struct slab_header h;
    struct relay *r = with_store(&h, 100);
    client_binds(r, CLIENT, 3, STORE, &h, 42);
    client_sends(r, CLIENT, 3, 2);
    struct output *send = worker_takes(r, STORE, KIND_SEND);
    stranger_says(r, KIND_PING, 3, 0);
    cr_assert(client_takes(r, CLIENT, KIND_PONG) != NULL);
    worker_answers(r, STORE, &h, send, KIND_SENT, &msg_empty_desc, &(struct msg_empty){0});
    struct msg_delivery item = {.term = h.term, .seq = 9};
    struct msg_deliver deliver = {.session = send->stamp.session, .items = &item, .item_count = 1};
    worker_says(r, STORE, &h, &send->stamp,
                (struct frame_header){.kind = KIND_DELIVER, .home = home_n(3)}, &msg_deliver_desc,
                &deliver);
    relay_flush(r);
    cr_assert(client_takes(r, CLIENT, KIND_NONE) == NULL);
    struct arena a = {0};
    struct msg_undelivered back;
    struct output *o = worker_takes(r, STORE, KIND_UNDELIVERED);
    cr_assert(o != NULL);
    cr_assert_eq(codec_decode(&msg_undelivered_desc, o->frame.meta, &a, &back), STATUS_OK);
    cr_assert(back.gone);
    cr_assert_eq(back.seq, 9);
    arena_fini(&a);
    relay_free(r);
}

/* A WELCOME that was on its way to the one before must not bind the one that came after. */
Test(client, welcome_of_a_taken_routing_id_binds_nobody)
{
    struct slab_header h;
    struct relay *r = with_store(&h, 100);
    client_greets(r, CLIENT, 3, 1);
    relay_flush(r);
    struct output *hello = worker_takes(r, STORE, KIND_HELLO);
    stranger_says(r, KIND_PING, 1, 0);
    cr_assert(client_takes(r, CLIENT, KIND_PONG) != NULL);
    struct msg_welcome welcome = {.session = {h.term, 42}};
    struct stamp stamp = {.origin = ORIGIN_EDGE, .conn = hello->stamp.conn,
                          .session = welcome.session, .account = account_n(3),
                          .device = device_n(3)};
    worker_says(r, STORE, &h, &stamp,
                (struct frame_header){.kind = KIND_WELCOME, .correlation = 1, .home = home_n(3)},
                &msg_welcome_desc, &welcome);
    relay_flush(r);
    cr_assert(client_takes(r, CLIENT, KIND_NONE) == NULL);
    cr_assert(worker_takes(r, STORE, KIND_CLOSED) != NULL, "nobody has that session");
    stranger_says(r, KIND_SEND, 2, home_n(3));
    cr_assert_eq(error_status(client_takes(r, CLIENT, KIND_NONE)), STATUS_NO_SESSION);
    relay_free(r);
}

/* Of two stores: a device is the one's, what it sends is for the other. */
Test(client, a_session_whose_home_is_not_heard_sends_nowhere)
{
    struct relay *r = relay_new(16);
    struct slab_header home = storage_header(1, 1000, 1), other = storage_header(2, 1000, 1);
    storage_readies(r, 11, 1, &home, 0, 2047, 100);
    storage_readies(r, 12, 2, &other, 2048, 4095, 100);
    client_binds(r, CLIENT, 3, 11, &home, 42);
    for (int i = 0; i < 2; i++) {
        client_sends(r, CLIENT, 200, 70 + (uint64_t)i);
        relay_flush(r);
        cr_assert_not_null(worker_takes(r, 12, KIND_SEND), "both are heard");
    }
    for (unsigned ms = 0; ms < WORKER_STALE_MS + 100; ms += 50) {
        relay_pass(r, 50);
        worker_beats(r, 12, &other);
    }
    client_sends(r, CLIENT, 200, 80);
    relay_flush(r);
    cr_assert_null(worker_takes(r, 12, KIND_SEND));
    cr_assert_eq(error_status(client_takes(r, CLIENT, KIND_ERROR)), STATUS_BUSY);
    worker_beats(r, 11, &home);
    client_sends(r, CLIENT, 200, 81);
    relay_flush(r);
    cr_assert_not_null(worker_takes(r, 12, KIND_SEND), "heard again");
    relay_free(r);
}

static void device_ends(struct relay *r, const struct slab_header *h, uint8_t n, uint64_t decided_ms)
{
    struct msg_end_device end = {.device = device_n(n), .decided_ms = decided_ms};
    worker_says(r, STORE, h, &(struct stamp){.origin = ORIGIN_PEER}, (struct frame_header){.kind = KIND_END_DEVICE},
                &msg_end_device_desc, &end);
}

Test(client, a_device_that_has_ended_has_no_session_on_any_connection)
{
    struct relay *r = relay_new(16);
    struct slab_header h = storage_header(1, 1000, 1);
    storage_readies(r, STORE, 1, &h, 0, 4095, 100);
    client_binds(r, CLIENT, 3, STORE, &h, 42);
    client_binds(r, CLIENT + 1, 3, STORE, &h, 43);
    client_binds(r, CLIENT + 2, 4, STORE, &h, 44);
    device_ends(r, &h, 3, 0);
    cr_assert_eq(r->cut_count, 2u, "and its connections with them");
    for (uint32_t i = 0; i < 2; i++) {
        cr_assert_eq(error_status(client_takes(r, CLIENT + i, KIND_ERROR)), STATUS_NO_SESSION, "it is told");
        client_sends(r, CLIENT + i, 200, 90);
        cr_assert_eq(error_status(client_takes(r, CLIENT + i, KIND_ERROR)), STATUS_NO_SESSION);
    }
    client_sends(r, CLIENT + 2, 200, 91);
    relay_flush(r);
    cr_assert_not_null(worker_takes(r, STORE, KIND_SEND), "the other device goes on");
    relay_free(r);
}

/* Two sessions of device n are there, and end so long after the store has decided it: what is told of that. */
static struct event cut_after(struct relay *r, struct slab_header *h, uint8_t n, uint64_t ms)
{
    client_binds(r, CLIENT, n, STORE, h, 50 + n);
    client_binds(r, CLIENT + 1, n, STORE, h, 150 + n);
    uint64_t decided_ms = r->now.mono_ms;
    for (uint64_t passed = 0; passed < ms; passed += 50) {
        relay_pass(r, 50);
        worker_beats(r, STORE, h);
    }
    size_t before = r->event_count;
    device_ends(r, h, n, decided_ms);
    cr_assert_eq(r->event_count, before + 1);
    return r->events[before];
}

Test(client, how_soon_a_session_was_cut_is_told)
{
    struct relay *r = relay_new(16);
    struct slab_header h = storage_header(1, 1000, 1);
    storage_readies(r, STORE, 1, &h, 0, 4095, 100);
    struct event soon = cut_after(r, &h, 3, 300), in_time = cut_after(r, &h, 4, 1000), late = cut_after(r, &h, 5, 1050);
    cr_assert_eq(soon.kind, EVENT_SESSIONS_CUT);
    cr_assert_eq(soon.count, 2u);
    cr_assert_eq(soon.value, 300u);
    cr_assert_eq(in_time.kind, EVENT_SESSIONS_CUT);
    cr_assert_eq(late.kind, EVENT_SESSIONS_CUT_LATE, "a second is what we promise");
    cr_assert_eq(late.value, 1050u);
    size_t told = r->event_count;
    device_ends(r, &h, 6, 1);
    cr_assert_eq(r->event_count, told, "of a device without a session nothing is told");
    client_binds(r, CLIENT, 7, STORE, &h, 60);
    device_ends(r, &h, 7, r->now.mono_ms + 5000);
    cr_assert_eq(r->events[told].value, 0u, "a word from the future");
    relay_free(r);
}
