/* The guard: descriptors come, speak, are looked at and end in any order. What it counts adds up, nobody is
 * cut twice but by a look at who was cut and has not ended, and when all have ended nothing is left. */
#include "broker/guard.h"

#include "tests/fuzz/fuzz.h"

#define FDS   16
#define FIRST 0xfffffff8u

struct cuts {
    bool cut[FDS];
    int looked; /* -1 = none */
};

static void on_cut(void *context, int fd, const struct edge_peer *peer)
{
    struct cuts *c = context;
    (void)peer;
    ENSURE(!c->cut[fd] || fd == c->looked);
    c->cut[fd] = true;
}

static void on_gone(void *context, uint32_t routing)
{
    (void)context;
    ENSURE(routing - FIRST < FDS);
}

static void on_event(void *context, const struct event *e)
{
    (void)context;
    ENSURE(e->kind == EVENT_CONNECTION_CUT || e->kind == EVENT_ADDRESS_BANNED ||
           e->kind == EVENT_CONNECTIONS_STUCK);
}

/* One thing that happens, made of four bytes. */
static void happens(struct guard *g, struct cuts *cuts, uint64_t now_ms, const uint8_t *at)
{
    int fd = at[1] % FDS;
    uint32_t routing = FIRST + at[2] % FDS;
    struct edge_peer peer = {.host = {{at[2] & 3}}, .port = at[3]};
    struct edge_traffic traffic = {(uint64_t)at[2] << 20, at[3], at[3] & 1, at[3] & 2};
    switch (at[0] & 7) {
    case 0: cuts->cut[fd] = false; guard_accepted(g, now_ms, fd, &peer); break;
    case 1: guard_ended(g, now_ms, fd); break;
    case 2:
        if (guard_heard(g, fd, routing) || !guard_speaks(g, now_ms, fd, routing)) break;
        if (at[3] > 200) guard_offence(g, now_ms, fd, CUT_PARTS);
        else if (at[3] < 50) guard_own(g, fd);
        break;
    case 3: guard_offence(g, now_ms, fd, CUT_NO_KEY); break;
    case 4:
        if (at[3] > 50) guard_cut(g, now_ms, routing);
        else guard_squatted(g, now_ms);
        break;
    case 5:
        guard_step(g, now_ms);
        while (guard_look_next(g) >= 0)
            ;
        break;
    default:
        cuts->looked = fd;
        guard_look(g, now_ms, fd, at[3] > 250 ? NULL : &traffic);
        cuts->looked = -1;
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t files = FDS - 1;
    struct cuts cuts = {.looked = -1};
    struct edge_counts c;
    uint64_t now_ms = 0;
    struct guard *g = guard_new(&(struct guard_config){
        .connections_max = 8, .address_connections_max = 3, .descriptors_max = files,
        .first_routing = FIRST, .out = {&cuts, on_cut, on_gone, on_event}});
    for (; size >= 4; data += 4, size -= 4) {
        now_ms += (uint64_t)(data[0] >> 3) << 6;
        happens(g, &cuts, now_ms, data);
    }
    for (int fd = 0; fd < FDS; fd++)
        guard_ended(g, now_ms, fd);
    guard_counts(g, &c);
    ENSURE(c.half_open == 0 && c.stuck == 0 && !guard_hopeless(g));
    guard_free(&g);
    return 0;
}
