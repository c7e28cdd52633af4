/* Workers, stores, the map and the witness. */
#include "broker/route.h"

#include <criterion/criterion.h>
#include <stdlib.h>

struct net {
    struct route route;
    struct now now;
    struct worker *w, *displaced;
};

static struct net *net_new(void)
{
    struct net *n = calloc(1, sizeof *n);
    cr_assert(n != NULL);
    n->now = (struct now){.wall_ms = 1000, .mono_ms = 100};
    route_init(&n->route, 500);
    return n;
}

static void net_free(struct net *n)
{
    route_fini(&n->route);
    free(n);
}

static struct msg_ready storage(uint8_t boot, uint8_t store, uint64_t term, uint32_t first,
                                uint32_t last)
{
    return (struct msg_ready){.role = ROLE_STORAGE, .boot = {{boot}}, .store = {{store}},
                              .term = term_make(term, 1), .first = first, .last = last,
                              .credit = 8};
}

static enum status ready(struct net *n, uint32_t peer, struct msg_ready m)
{
    return route_ready(&n->route, n->now, peer, &m, &n->w, &n->displaced);
}

static struct slab_header header(uint8_t boot, uint64_t term, uint64_t commit)
{
    return (struct slab_header){.role = ROLE_STORAGE, .boot = {{boot}},
                                .term = term_make(term, 1), .commit = commit};
}

Test(route, ready_store_owns_its_partitions_and_no_others)
{
    struct net *n = net_new();
    cr_assert_eq(ready(n, 1, storage(1, 1, 10, 100, 200)), STATUS_OK);
    cr_assert_eq(route_owner(&n->route, 100, n->now), n->w);
    cr_assert_eq(route_owner(&n->route, 200, n->now), n->w);
    cr_assert_null(route_owner(&n->route, 99, n->now));
    cr_assert_null(route_owner(&n->route, 201, n->now));
    net_free(n);
}

Test(route, impossible_announcements_are_malformed)
{
    struct net *n = net_new();
    cr_assert_eq(ready(n, 1, storage(1, 1, 10, 5, 4)), STATUS_MALFORMED);
    cr_assert_eq(ready(n, 1, storage(1, 1, 10, 0, 4096)), STATUS_MALFORMED);
    cr_assert_eq(ready(n, 1, storage(1, 0, 10, 0, 9)), STATUS_MALFORMED);
    cr_assert_eq(ready(n, 1, (struct msg_ready){.role = ROLE_BROKER}), STATUS_MALFORMED);
    cr_assert_eq(ready(n, 1, (struct msg_ready){.role = 77}), STATUS_MALFORMED);
    cr_assert_null(n->w);
    cr_assert_null(route_by_peer(&n->route, 1));
    net_free(n);
}

Test(route, higher_term_takes_over_and_fences_the_old_one)
{
    struct net *n = net_new();
    cr_assert_eq(ready(n, 1, storage(1, 1, 10, 0, 4095)), STATUS_OK);
    struct worker *old = n->w;
    cr_assert_eq(ready(n, 2, storage(2, 1, 11, 0, 4095)), STATUS_OK);
    cr_assert_eq(n->displaced, old);
    cr_assert_eq(old->state, WORKER_FENCED);
    cr_assert_eq(route_owner(&n->route, 0, n->now), n->w);
    struct slab_header h = header(1, 10, 5);
    cr_assert_eq(route_heard(old, n->now, &h), STATUS_REFUSED);
    net_free(n);
}

Test(route, older_term_is_refused_and_changes_nothing)
{
    struct net *n = net_new();
    cr_assert_eq(ready(n, 1, storage(1, 1, 10, 0, 4095)), STATUS_OK);
    struct worker *owner = n->w;
    uint64_t version = n->route.map.version;
    cr_assert_eq(ready(n, 2, storage(2, 1, 9, 0, 4095)), STATUS_REFUSED);
    cr_assert_eq(ready(n, 2, storage(2, 1, 10, 0, 4095)), STATUS_REFUSED, "same term");
    cr_assert_eq(route_owner(&n->route, 0, n->now), owner);
    cr_assert_eq(n->route.map.version, version);
    cr_assert_null(route_by_peer(&n->route, 2));
    net_free(n);
}

Test(route, older_term_is_refused_also_after_its_successor_is_gone)
{
    struct net *n = net_new();
    cr_assert_eq(ready(n, 2, storage(2, 1, 11, 0, 4095)), STATUS_OK);
    route_drop(n->w);
    cr_assert_eq(ready(n, 1, storage(1, 1, 10, 0, 4095)), STATUS_REFUSED);
    cr_assert_eq(ready(n, 3, storage(3, 1, 12, 0, 4095)), STATUS_OK);
    net_free(n);
}

Test(route, same_process_on_a_new_connection_replaces_its_old_one)
{
    struct net *n = net_new();
    cr_assert_eq(ready(n, 1, storage(1, 1, 10, 0, 4095)), STATUS_OK);
    struct worker *old = n->w;
    cr_assert_eq(ready(n, 2, storage(1, 1, 10, 0, 4095)), STATUS_OK);
    cr_assert_eq(n->displaced, old);
    cr_assert_eq(old->state, WORKER_LIVE);
    route_drop(old);
    cr_assert_eq(route_owner(&n->route, 0, n->now), n->w);
    net_free(n);
}

Test(route, repeated_announcement_changes_nothing)
{
    struct net *n = net_new();
    cr_assert_eq(ready(n, 1, storage(1, 1, 10, 0, 4095)), STATUS_OK);
    struct worker *w = n->w;
    uint64_t handle = route_handle(&n->route, w), version = n->route.map.version;
    cr_assert_eq(ready(n, 1, storage(1, 1, 10, 0, 4095)), STATUS_OK);
    cr_assert_eq(n->w, w);
    cr_assert_null(n->displaced);
    cr_assert_eq(route_handle(&n->route, w), handle);
    cr_assert_eq(n->route.map.version, version);
    net_free(n);
}

Test(route, partitions_of_a_living_store_are_not_given_away)
{
    struct net *n = net_new();
    cr_assert_eq(ready(n, 1, storage(1, 1, 10, 0, 2047)), STATUS_OK);
    struct worker *first = n->w;
    cr_assert_eq(ready(n, 2, storage(2, 2, 10, 2000, 4095)), STATUS_REFUSED);
    cr_assert_eq(ready(n, 2, storage(2, 2, 10, 2048, 4095)), STATUS_OK);
    cr_assert_eq(n->route.map.range_count, 2);
    cr_assert_eq(n->route.map.ranges[1].first, 2048);
    route_drop(first);
    cr_assert_eq(ready(n, 3, storage(3, 3, 10, 0, 2047)), STATUS_OK, "a dead store's are");
    net_free(n);
}

Test(route, nothing_is_asked_of_a_worker_not_heard_for_a_second)
{
    struct net *n = net_new();
    cr_assert_eq(ready(n, 1, storage(1, 1, 10, 0, 4095)), STATUS_OK);
    n->now.mono_ms += WORKER_STALE_MS - 1;
    cr_assert_not_null(route_owner(&n->route, 0, n->now));
    n->now.mono_ms += 1;
    cr_assert_null(route_owner(&n->route, 0, n->now));
    cr_assert_eq(route_notified(&n->route, 0), n->w, "it may still learn of sessions");
    struct slab_header h = header(1, 10, 5);
    cr_assert_eq(route_heard(n->w, n->now, &h), STATUS_OK);
    cr_assert_not_null(route_owner(&n->route, 0, n->now));
    net_free(n);
}

Test(route, leaving_worker_is_not_asked)
{
    struct net *n = net_new();
    cr_assert_eq(ready(n, 1, storage(1, 1, 10, 0, 4095)), STATUS_OK);
    route_leaving(n->w);
    cr_assert_null(route_owner(&n->route, 0, n->now));
    cr_assert_null(route_any_store(&n->route, n->now));
    net_free(n);
}

Test(route, witness_rises_with_headers_and_never_falls)
{
    struct net *n = net_new();
    cr_assert_eq(ready(n, 1, storage(1, 1, 10, 0, 4095)), STATUS_OK);
    struct slab_header high = header(1, 10, 7), low = header(1, 10, 6);
    cr_assert_eq(route_heard(n->w, n->now, &high), STATUS_OK);
    cr_assert_eq(route_heard(n->w, n->now, &low), STATUS_OK);
    cr_assert_eq(n->w->store->witness.commit, 7);
    net_free(n);
}

Test(route, headers_of_another_term_or_process_are_refused)
{
    struct net *n = net_new();
    cr_assert_eq(ready(n, 1, storage(1, 1, 10, 0, 4095)), STATUS_OK);
    struct slab_header older = header(1, 9, 70), newer = header(1, 11, 70);
    struct slab_header other = header(2, 10, 70);
    cr_assert_eq(route_heard(n->w, n->now, &older), STATUS_REFUSED);
    cr_assert_eq(route_heard(n->w, n->now, &newer), STATUS_REFUSED);
    cr_assert_eq(route_heard(n->w, n->now, &other), STATUS_REFUSED);
    cr_assert_eq(n->w->store->witness.commit, 0);
    net_free(n);
}

Test(route, new_term_is_told_the_witness_of_the_terms_before)
{
    struct net *n = net_new();
    struct slab_header first = header(1, 10, 7), second = header(2, 11, 1);
    cr_assert_eq(ready(n, 1, storage(1, 1, 10, 0, 4095)), STATUS_OK);
    cr_assert_eq(route_heard(n->w, n->now, &first), STATUS_OK);
    cr_assert_eq(ready(n, 2, storage(2, 1, 11, 0, 4095)), STATUS_OK);
    cr_assert_eq(route_heard(n->w, n->now, &second), STATUS_OK);
    cr_assert_eq(ready(n, 2, storage(2, 1, 11, 0, 4095)), STATUS_OK);
    cr_assert(term_equal(n->w->store->before.term, first.term), "also when it asks again");
    cr_assert_eq(n->w->store->before.commit, 7);
    net_free(n);
}

Test(route, full_table_of_workers_refuses)
{
    struct net *n = net_new();
    struct msg_ready fanout = {.role = ROLE_FANOUT, .boot = {{1}}};
    for (uint32_t i = 0; i < WORKERS_MAX; i++)
        cr_assert_eq(ready(n, i, fanout), STATUS_OK);
    cr_assert_eq(ready(n, 99, storage(1, 1, 10, 0, 4095)), STATUS_FULL);
    cr_assert_eq(n->route.map.range_count, 0);
    route_drop(route_by_peer(&n->route, 3));
    cr_assert_eq(ready(n, 99, storage(1, 1, 10, 0, 4095)), STATUS_OK);
    net_free(n);
}

Test(route, handle_of_a_dropped_worker_names_nothing)
{
    struct net *n = net_new();
    cr_assert_eq(ready(n, 1, (struct msg_ready){.role = ROLE_FANOUT}), STATUS_OK);
    uint64_t handle = route_handle(&n->route, n->w);
    cr_assert_eq(route_by_handle(&n->route, handle), n->w);
    route_drop(n->w);
    cr_assert_null(route_by_handle(&n->route, handle));
    cr_assert_eq(ready(n, 1, (struct msg_ready){.role = ROLE_FANOUT}), STATUS_OK);
    cr_assert_null(route_by_handle(&n->route, handle));
    net_free(n);
}
