/* faults: at moments that the seed chooses, one fault out of the profile's weights. Each heals by
 * itself after a while; when the world becomes calm all heal at once. */
#include "tests/sim/sim.h"

#include "clients/state/memory.h"

#define HOUR_MS         (3600ll * 1000)
#define WINTER_DAYS_MAX 25 /* payloads are kept for 30 */
#define YEAR_MS         (365ll * 24 * HOUR_MS)

static struct device *any_device(struct sim *s)
{
    return &s->devices[rng_below(&s->rng, s->device_count)];
}

static struct store_host *any_store(struct sim *s)
{
    return &s->stores[rng_below(&s->rng, s->store_count)];
}

static struct broker_host *any_broker(struct sim *s)
{
    return &s->brokers[rng_below(&s->rng, s->broker_count)];
}

static struct conn *any_conn(struct sim *s, enum conn_kind kind)
{
    size_t start = rng_below(&s->rng, s->conn_count + 1);
    for (size_t i = 0; i < s->conn_count; i++) {
        struct conn *c = &s->conns[(start + i) % s->conn_count];
        if (c->used && c->kind == kind && !c->broken) return c;
    }
    return NULL;
}

static uint64_t later(struct sim *s, uint64_t low_ms, uint64_t high_ms)
{
    return s->now_ms + rng_between(&s->rng, low_ms, high_ms);
}

/* One way or both; also beyond the two seconds after which both sides give up. */
static void stall(struct sim *s, enum conn_kind kind)
{
    struct conn *c = any_conn(s, kind);
    uint64_t ways = rng_between(&s->rng, 1, 3), until = later(s, 100, 6000);
    if (!c) return;
    if (ways & 1) net_stall(s, c, NEAR, until);
    if (ways & 2) net_stall(s, c, FAR, until);
}

static void conn_break(struct sim *s, enum conn_kind kind)
{
    struct conn *c = any_conn(s, kind);
    if (c) net_break(s, c);
}

static void client_clock(struct sim *s)
{
    static const int64_t jumps[] = {-YEAR_MS, -10 * 24 * HOUR_MS, -5 * HOUR_MS,     -60000, 0,
                                    60000,    5 * HOUR_MS,        3 * 24 * HOUR_MS, YEAR_MS};
    struct device *d = any_device(s);
    d->skew_ms = jumps[rng_below(&s->rng, sizeof jumps / sizeof jumps[0])];
    trace_put(s, TRACE_SKEW, d->index, (uint64_t)d->skew_ms, 0);
}

static void relay_clock(struct sim *s)
{
    static const int64_t jumps[] = {-YEAR_MS, -2 * HOUR_MS, -60000, 60000, 2 * HOUR_MS, YEAR_MS};
    s->relay_shift_ms =
        rng_chance(&s->rng, 400) ? 0 : jumps[rng_below(&s->rng, sizeof jumps / sizeof jumps[0])];
    trace_put(s, TRACE_CLOCK, (uint64_t)s->relay_shift_ms, 0, 0);
}

static void client_disk(struct sim *s)
{
    struct device *d = any_device(s);
    uint64_t nth = rng_between(&s->rng, 1, 60);
    memory_state_fail(d->state, nth, rng_chance(&s->rng, 500));
    trace_put(s, TRACE_STATE_FAIL, d->index, nth, 0);
}

/* Synced writes that vanish: the process dies, and its disk comes back shorter. */
static void store_cut(struct sim *s)
{
    struct store_host *h = any_store(s);
    if (!h->process) return;
    h->cut_next = rng_between(&s->rng, 1, 12);
    store_host_kill(h, KILL_IDLE, later(s, 50, 1000));
}

static void store_low(struct sim *s, struct store_host *h)
{
    h->low_until_ms = later(s, 1000, 5000);
    trace_put(s, TRACE_STORE_LOW, h->index, h->low_until_ms, 0);
}

/* Somebody replaces the disk by an empty one, or its machine kept it in memory: another store comes back. */
static void store_wipe(struct sim *s)
{
    struct store_host *h = any_store(s);
    if (!h->process) return;
    store_host_kill(h, KILL_IDLE, later(s, 50, 1000));
    store_host_wipe(h);
}

/* Everything is off for days, less than the relay keeps a payload: no process sees the time pass. What
 * is open must still be there, whatever has become too old meanwhile (claims, runs, ids). */
static void winter(struct sim *s)
{
    uint64_t days = rng_between(&s->rng, 1, 12);
    if (s->slept_days + days > WINTER_DAYS_MAX) return;
    for (size_t i = 0; i < s->broker_count; i++)
        broker_host_kill(&s->brokers[i], SIM_NEVER);
    for (size_t i = 0; i < s->store_count; i++)
        store_host_kill(&s->stores[i], KILL_IDLE, SIM_NEVER);
    fanout_host_kill(s, SIM_NEVER);
    for (size_t i = 0; i < s->device_count; i++)
        device_crash(&s->devices[i], SIM_NEVER);
    trace_put(s, TRACE_WINTER, days, 0, 0);
    s->slept_days += days;
    s->seen[SEEN_WINTER]++;
    s->now_ms += days * 24 * (uint64_t)HOUR_MS;
    for (size_t i = 0; i < s->broker_count; i++)
        s->brokers[i].restart_ms = later(s, 0, 300);
    for (size_t i = 0; i < s->store_count; i++)
        s->stores[i].restart_ms = later(s, 0, 300);
    s->fanout.restart_ms = later(s, 0, 300);
    for (size_t i = 0; i < s->device_count; i++)
        s->devices[i].sessions[SESSION_RECEIVER].start_ms = later(s, 0, 3000);
}

static void fault_do(struct sim *s, enum fault f)
{
    struct store_host *h = any_store(s);
    switch (f) {
    case FAULT_CLIENT_BREAK:
        conn_break(s, CONN_EDGE);
        break;
    case FAULT_CLIENT_STALL:
        stall(s, CONN_EDGE);
        break;
    case FAULT_CLIENT_CRASH:
        device_crash(any_device(s), later(s, 10, 4000));
        break;
    case FAULT_CLIENT_OFFLINE:
        device_offline(any_device(s), later(s, 500, 9000));
        break;
    case FAULT_CLIENT_DISK:
        client_disk(s);
        break;
    case FAULT_BROKER_CRASH:
        broker_host_kill(any_broker(s), later(s, 50, 3000));
        break;
    case FAULT_BROKER_DRAIN:
        broker_host_drain(any_broker(s));
        break;
    case FAULT_WORKER_BREAK:
        conn_break(s, CONN_BACKEND);
        break;
    case FAULT_WORKER_STALL:
        stall(s, CONN_BACKEND);
        break;
    case FAULT_STORE_KILL:
        if (h->process)
            h->process->kill_at =
                (enum kill_point)rng_between(&s->rng, KILL_IDLE, KILL_AFTER_FINISH);
        break;
    case FAULT_STORE_WRITE_FAILS:
        memory_disk_fail_write(h->disk, rng_between(&s->rng, 1, 5), rng_chance(&s->rng, 500));
        break;
    case FAULT_STORE_DRAIN:
        store_host_drain(h);
        break;
    case FAULT_STORE_ZOMBIE:
        store_host_zombify(h, later(s, 500, 8000), later(s, 1, 300)); /* it leaves with its next turn */
        break;
    case FAULT_STORE_LOW:
        store_low(s, h);
        break;
    case FAULT_STORE_CUT:
        store_cut(s);
        break;
    case FAULT_FANOUT_CRASH:
        fanout_host_kill(s, later(s, 50, 2000));
        break;
    case FAULT_RELAY_CLOCK:
        relay_clock(s);
        break;
    case FAULT_CLIENT_CLOCK:
        client_clock(s);
        break;
    case FAULT_WINTER:
        winter(s);
        break;
    case FAULT_STORE_WIPE:
        store_wipe(s);
        break;
    case FAULT_COUNT:
        break;
    }
}

uint64_t faults_due_ms(const struct sim *s)
{
    return s->calm || !s->profile->fault_every_ms ? SIM_NEVER : s->fault_ms;
}

void faults_step(struct sim *s)
{
    unsigned sum = 0, at;
    s->fault_ms = s->now_ms + 1 + rng_below(&s->rng, 2ull * s->profile->fault_every_ms);
    for (size_t i = 0; i < FAULT_COUNT; i++)
        sum += s->profile->weights[i];
    at = (unsigned)rng_below(&s->rng, sum);
    for (size_t i = 0; i < FAULT_COUNT; i++) {
        if (at < s->profile->weights[i]) {
            fault_do(s, (enum fault)i);
            return;
        }
        at -= s->profile->weights[i];
    }
}
