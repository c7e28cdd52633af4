/* broker: the core's life and its turn: flush, heartbeats, silence, time-outs, draining. What
 * frames mean is in client.c, backend.c and admin.c. Invariants: workers and connections vanish
 * only here, or where a send said GONE; every table has its bound at broker_new; nothing
 * durable. */
#include "broker/core.h"

#include <stdlib.h>
#include <string.h>

struct broker *broker_new(const struct broker_config *config, struct now now)
{
    struct broker *b = calloc(1, sizeof *b);
    ENSURE(b && config->connections_max > 0 && config->connections_max <= CONNECTIONS_MAX);
    b->config = *config;
    b->now = now;
    b->started_ms = b->beat_ms = b->overload_ms = now.mono_ms;
    sessions_init(&b->sessions, config->connections_max, get_u64(config->boot.bytes));
    pendings_init(&b->pendings, PENDING_TOTAL_MAX);
    route_init(&b->route, now.wall_ms);
    struct bucket_seed seed = {{0}};
    memcpy(seed.bytes, config->boot.bytes, sizeof config->boot.bytes);
    meter_init(&b->meter, &config->rates, config->connections_max, &seed);
    return b;
}

void broker_free(struct broker **b)
{
    if (!*b) return;
    sessions_fini(&(*b)->sessions);
    pendings_fini(&(*b)->pendings);
    route_fini(&(*b)->route);
    backlog_fini(&(*b)->backlog);
    meter_fini(&(*b)->meter);
    arena_fini(&(*b)->arena);
    buffer_fini(&(*b)->scratch);
    free(*b);
    *b = NULL;
}

void broker_event(struct broker *b, struct event e)
{
    e.at_ms = b->now.wall_ms;
    event_records_step(&b->records, b->now.mono_ms, b->now.wall_ms);
    event_records_put(&b->records, &e);
    b->config.out.event(b->config.out.context, &e);
}

void broker_tell(struct broker *b, struct now now, const struct event *e)
{
    b->now = now;
    broker_event(b, *e);
}

void broker_flush(struct broker *b, struct now now)
{
    b->now = now;
    if (b->backlog.count && now.mono_ms >= b->backlog_ms) backlog_retry(b);
    for (uint32_t i = 0; i < WORKERS_MAX; i++)
        if (b->route.workers[i].state != WORKER_FREE) worker_flush(b, &b->route.workers[i]);
    arena_reset(&b->arena);
}

static void beat_workers(struct broker *b)
{
    for (uint32_t i = 0; i < WORKERS_MAX; i++) {
        struct worker *w = &b->route.workers[i];
        if (w->state == WORKER_FREE) continue;
        bool silent = b->now.mono_ms - w->heard_ms >= WORKER_LOST_MS;
        if (silent && w->state == WORKER_FENCED) {
            route_drop(w); /* its loss was told when it was outranked */
        } else if (silent) {
            worker_lose(b, w);
        } else if (w->state != WORKER_FENCED) {
            worker_expire(b, w);
            worker_beat(b, w);
        }
    }
}

/* A client that has said nothing for three ping intervals: its connection ends, too. What it waits for may yet
 * be done. */
static void silence(struct broker *b, struct connection *c)
{
    uint64_t handle = session_handle(&b->sessions, c);
    uint32_t routing = c->routing;
    struct pending *p;
    while (session_by_handle(&b->sessions, handle) &&
           (p = pending_first(&b->pendings, &c->asked))) {
        struct pending copy = *p;
        pending_remove(&b->pendings, p);
        reply_error(b, &copy, STATUS_UNKNOWN);
    }
    if (session_by_handle(&b->sessions, handle)) client_forget(b, c);
    client_cut(b, routing);
}

static void sweep_connections(struct broker *b)
{
    uint32_t capacity = b->sessions.capacity;
    uint64_t silent_ms = 3ull * b->config.ping_ms;
    for (uint32_t n = capacity < SWEEP_SLOTS ? capacity : SWEEP_SLOTS; n; n--) {
        struct connection *c = &b->sessions.slots[b->sweep_at];
        b->sweep_at = (b->sweep_at + 1) % capacity;
        if (c->state != CONNECTION_FREE && b->now.mono_ms - c->heard_ms > silent_ms) silence(b, c);
    }
}

static void tell_overload(struct broker *b)
{
    uint64_t fresh = b->counts.busy - b->counts.busy_told;
    if (!fresh || b->now.mono_ms - b->overload_ms < 1000) return;
    b->counts.busy_told = b->counts.busy;
    b->overload_ms = b->now.mono_ms;
    broker_event(b, (struct event){.kind = EVENT_OVERLOAD, .code = STATUS_BUSY, .count = fresh});
}

static void record_events(struct broker *b, struct worker *store)
{
    struct msg_event events[EVENTS_PER_FRAME];
    struct msg_record record = {.events = events};
    struct event e;
    while (record.event_count < EVENTS_PER_FRAME && event_records_take(&b->records, &e))
        events[record.event_count++] = msg_event_of(&e);
    if (!record.event_count) return;
    worker_add_message(store, &(struct stamp){.origin = ORIGIN_PEER},
                       &(struct frame_header){.kind = KIND_RECORD}, &msg_record_desc, &record);
}

void broker_tick(struct broker *b, struct now now)
{
    b->now = now;
    if (now.mono_ms - b->beat_ms < HEARTBEAT_MS) return;
    b->beat_ms = now.mono_ms;
    event_records_step(&b->records, now.mono_ms, now.wall_ms);
    beat_workers(b);
    sweep_connections(b);
    tell_overload(b);
    struct worker *store = route_any_store(&b->route, now);
    for (uint32_t i = 0; store && i < RECORDS_PER_TICK; i++)
        record_events(b, store);
}

static void heard_later(uint64_t *heard_ms, uint64_t ms, uint64_t now_ms)
{
    *heard_ms = now_ms - *heard_ms > ms ? *heard_ms + ms : now_ms;
}

void broker_was_away(struct broker *b, struct now now, uint64_t ms)
{
    b->now = now;
    for (uint32_t i = 0; i < WORKERS_MAX; i++)
        heard_later(&b->route.workers[i].heard_ms, ms, now.mono_ms);
    for (uint32_t i = 0; i < b->sessions.capacity; i++)
        heard_later(&b->sessions.slots[i].heard_ms, ms, now.mono_ms);
}

uint64_t broker_deadline_ms(const struct broker *b)
{
    uint64_t deadline = b->beat_ms + HEARTBEAT_MS;
    if (b->backlog.count && b->backlog_ms < deadline) deadline = b->backlog_ms;
    if (b->draining && b->drain_until_ms < deadline) deadline = b->drain_until_ms;
    return deadline;
}

void broker_drain(struct broker *b, struct now now)
{
    b->now = now;
    if (b->draining) return;
    b->draining = true;
    b->drain_until_ms = now.mono_ms + b->config.drain_ms;
    struct msg_drain drain = {.deadline_ms = b->config.drain_ms};
    struct buffer frame = {0};
    frame_write(&frame, &(struct frame_header){.kind = KIND_DRAIN}, &msg_drain_desc, &drain);
    for (uint32_t i = 0; i < b->sessions.capacity; i++) {
        struct connection *c = &b->sessions.slots[i];
        if (c->state != CONNECTION_FREE) (void)client_reply(b, c, buffer_view(&frame));
    }
    buffer_fini(&frame);
}

bool broker_drained(const struct broker *b, struct now now)
{
    if (!b->draining) return false;
    return now.mono_ms >= b->drain_until_ms || (!b->pendings.count && !b->backlog.count);
}
