/* Bytes that say nothing: of messages that may be whole, and wait for a loop that had no time for them. */
#include "broker/guard.h"

#include <criterion/criterion.h>

#define FIRST 7u

static int cuts;

static void on_cut(void *context, int fd, const struct edge_peer *peer)
{
    (void)context;
    (void)fd;
    (void)peer;
    cuts++;
}

static void on_gone(void *context, uint32_t routing)
{
    (void)context;
    (void)routing;
}

static void on_event(void *context, const struct event *e)
{
    (void)context;
    (void)e;
}

static struct guard *guard_of(uint32_t connections)
{
    struct guard_config config = {.connections_max = 200,
                                  .address_connections_max = 200,
                                  .descriptors_max = 1000,
                                  .first_routing = FIRST,
                                  .out = {NULL, on_cut, on_gone, on_event}};
    struct guard *g = guard_new(&config);
    struct edge_peer peer = {.host = {{[10] = 0xff, [11] = 0xff, [12] = 10}}, .port = 1000};
    for (uint32_t i = 0; i < connections; i++) {
        guard_accepted(g, 1000, (int)i, &peer);
        cr_assert(guard_speaks(g, 1000, (int)i, FIRST + i));
    }
    return g;
}

static void looks(struct guard *g, int fd, uint64_t received, bool behind)
{
    guard_look(g, 1000, fd, &(struct edge_traffic){.received = received, .behind = behind});
}

static uint64_t cut_for(const struct guard *g, enum cut_reason reason)
{
    struct edge_counts counts;
    guard_counts(g, &counts);
    return counts.cut[reason];
}

Test(guard_behind, bytes_of_whole_messages_that_were_not_read_cut_nobody)
{
    struct guard *g = guard_of(1);
    looks(g, 0, 100, false);
    looks(g, 0, 100 + 2 * UNFINISHED_MAX, true);
    looks(g, 0, 100 + 4 * UNFINISHED_MAX, true);
    cr_assert_eq(cuts, 0);
    cr_assert(guard_heard(g, 0, FIRST), "the loop has come to them");
    looks(g, 0, 100 + 4 * UNFINISHED_MAX, false);
    cr_assert_eq(cuts, 0);
    looks(g, 0, 100 + 5 * UNFINISHED_MAX, false);
    cr_assert_eq(cuts, 0, "as much may be one frame");
    guard_free(&g);
}

Test(guard_behind, a_message_without_end_is_cut_by_the_first_look_that_knows)
{
    struct guard *g = guard_of(1);
    looks(g, 0, 100, false);
    looks(g, 0, 101 + UNFINISHED_MAX, true);
    cr_assert_eq(cuts, 0);
    looks(g, 0, 101 + UNFINISHED_MAX, false);
    cr_assert_eq(cuts, 1, "no look that knew nothing has begun its count anew");
    cr_assert_eq(cut_for(g, CUT_UNFINISHED), 1);
    guard_free(&g);
}

Test(guard_behind, what_was_heard_before_is_not_forgotten_by_a_look_that_knows_nothing)
{
    struct guard *g = guard_of(1);
    looks(g, 0, 100, false);
    cr_assert(guard_heard(g, 0, FIRST));
    looks(g, 0, 100 + 2 * UNFINISHED_MAX, true);
    looks(g, 0, 100 + 2 * UNFINISHED_MAX, false);
    cr_assert_eq(cuts, 0);
    guard_free(&g);
}

Test(guard_behind, the_sum_of_all_is_looked_at_only_when_it_is_known)
{
    uint32_t count = UNFINISHED_ALL_MAX / UNFINISHED_MAX + 2;
    struct guard *g = guard_of(count);
    for (uint32_t i = 0; i < count; i++) {
        looks(g, (int)i, 100, false);
        looks(g, (int)i, 100 + UNFINISHED_MAX, true);
    }
    cr_assert_eq(cuts, 0);
    for (uint32_t i = 0; i < count; i++)
        looks(g, (int)i, 100 + UNFINISHED_MAX, false);
    cr_assert_gt(cut_for(g, CUT_UNFINISHED_ALL), 0);
    guard_free(&g);
}
