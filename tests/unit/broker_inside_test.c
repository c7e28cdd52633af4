/* A worker in the broker's own loop, and what the broker must not hold against others when that has kept it away. */
#include "broker/guard.h"
#include "broker/inside.h"
#include "tests/unit/broker_fixture.h"

#include <criterion/criterion.h>

#define CLIENT 5u
#define OTHER  6u

/* As sealmq-relay has its storage. */
Test(inside, worker_inside_is_a_worker_as_any)
{
    struct slab_header h = storage_header(1, 1000, 1);
    struct relay *r = relay_new(8);
    storage_readies(r, PEER_INSIDE, 1, &h, 0, 4095, 100);
    cr_assert_not_null(worker_takes(r, PEER_INSIDE, KIND_PEER));
    cr_assert_null(worker_takes(r, 0, KIND_NONE), "nor is it ZeroMQ's first one");
    client_binds(r, CLIENT, 3, PEER_INSIDE, &h, 42);
    client_sends(r, CLIENT, 3, 2);
    struct output *asked = worker_takes(r, PEER_INSIDE, KIND_SEND);
    cr_assert_not_null(asked);
    worker_answers(r, PEER_INSIDE, &h, asked, KIND_SENT, &msg_empty_desc, &(struct msg_empty){0});
    cr_assert_not_null(client_takes(r, CLIENT, KIND_SENT));
    relay_pass(r, 2250);
    cr_assert_eq(relay_events(r, EVENT_WORKER_LOST), 1);
    storage_readies(r, PEER_INSIDE, 1, &h, 0, 4095, 100);
    cr_assert_not_null(worker_takes(r, PEER_INSIDE, KIND_SESSION), "it may come back");
    relay_free(r);
}

Test(inside, nobody_was_silent_while_the_broker_was_away)
{
    struct slab_header h = storage_header(1, 1000, 1);
    struct relay *r = relay_new(8);
    storage_readies(r, PEER_INSIDE, 1, &h, 0, 4095, 100);
    client_binds(r, CLIENT, 3, PEER_INSIDE, &h, 42);
    client_sends(r, CLIENT, 3, 2);
    relay_pass(r, 500);
    r->now.mono_ms += 60000;
    client_sends(r, OTHER, 4, 1); /* heard at the very end of it */
    broker_was_away(r->broker, r->now, 60000);
    broker_tick(r->broker, r->now);
    cr_assert_eq(relay_events(r, EVENT_WORKER_LOST), 0);
    cr_assert(relay_knows(r, CLIENT));
    cr_assert(relay_knows(r, OTHER));
    relay_pass(r, 1250);
    cr_assert_eq(relay_events(r, EVENT_WORKER_LOST), 0);
    relay_pass(r, 500);
    cr_assert_eq(relay_events(r, EVENT_WORKER_LOST), 1, "what it was silent before counts");
    relay_free(r);
}

static void on_cut(void *context, int fd, const struct edge_peer *peer)
{
    (void)context;
    (void)fd;
    (void)peer;
}

static void on_gone(void *context, uint32_t routing)
{
    (void)context;
    (void)routing;
}

static void on_event(void *context, const struct event *e)
{
    size_t *bans = context;
    *bans += e->kind == EVENT_ADDRESS_BANNED;
}

/* Ends before it has spoken, as one that was not let in. */
static void ends_early(struct guard *g, uint32_t times)
{
    struct edge_peer peer = {.host = {{[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 9}}, .port = 1000};
    for (uint32_t i = 0; i < times; i++) {
        guard_accepted(g, 1000, 60, &peer);
        guard_ended(g, 1000, 60);
    }
}

Test(inside, nobody_offends_while_the_broker_is_away)
{
    size_t bans = 0;
    struct guard_config config = {.connections_max = 100, .address_connections_max = 100, .descriptors_max = 1000,
                                  .out = {&bans, on_cut, on_gone, on_event}};
    struct guard *g = guard_new(&config);
    guard_excuse(g, true);
    ends_early(g, 4 * OFFENCES_MAX);
    cr_assert_eq(bans, 0);
    guard_excuse(g, false);
    ends_early(g, OFFENCES_MAX);
    cr_assert_eq(bans, 1);
    guard_free(&g);
}
