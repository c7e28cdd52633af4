/* net: connections as libzmq over TCP or ipc gives them: each direction is an ordered stream without
 * duplicates; a stream delays, stalls (half-open), and ends when the connection breaks, taking a
 * random tail of what was on its way. Each end learns of the break at a moment of its own. A packet
 * that was taken from a dead process by the kernel may still arrive long after that. */
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

static void stream_drop(struct stream *st, size_t keep)
{
    struct packet **link = &st->first;
    st->last = NULL;
    st->count = 0;
    while (*link && keep--) {
        st->last = *link;
        st->count++;
        link = &(*link)->next;
    }
    for (struct packet *p = *link, *next; p; p = next) {
        next = p->next;
        free(p);
    }
    *link = NULL;
}

static void conn_free(struct sim *s, struct conn *c)
{
    if (c->kind == CONN_EDGE) watch_client_closed(s, c);
    stream_drop(&c->streams[NEAR], 0);
    stream_drop(&c->streams[FAR], 0);
    *c = (struct conn){0};
}

struct conn *net_connect(struct sim *s, enum conn_kind kind, size_t broker)
{
    struct broker_host *h = &s->brokers[broker];
    struct conn *c = NULL;
    if (!h->core || (h->draining && kind == CONN_EDGE)) return NULL;
    for (size_t i = 0; i < SIM_CONNS_MAX && !c; i++)
        if (!s->conns[i].used) c = &s->conns[i];
    ENSURE(c != NULL);
    if (s->conn_count <= (size_t)(c - s->conns)) s->conn_count = (size_t)(c - s->conns) + 1;
    *c = (struct conn){.used = true,
                       .held = true,
                       .kind = kind,
                       .broker = broker,
                       .number = ++h->numbers,
                       .open = {true, true},
                       .learns_ms = {SIM_NEVER, SIM_NEVER},
                       .hwm =
                           kind == CONN_EDGE ? s->profile->edge_queue : s->profile->backend_queue};
    trace_put(s, TRACE_CONNECT, broker, c->number, kind);
    return c;
}

enum status net_send(struct sim *s, struct conn *c, enum end from, struct view bytes)
{
    struct stream *st = &c->streams[from];
    if (!c->open[from]) return STATUS_GONE;
    if (st->count >= c->hwm) return STATUS_FULL;
    trace_bytes(s, bytes);
    if (c->broken) return STATUS_OK;
    struct packet *p = malloc(sizeof *p + bytes.len);
    ENSURE(p != NULL);
    uint8_t *at = (uint8_t *)(p + 1);
    if (bytes.len) memcpy(at, bytes.at, bytes.len);
    uint64_t ready = s->now_ms + rng_below(&s->rng, s->profile->latency_ms + 1);
    if (ready < st->last_ready_ms) ready = st->last_ready_ms;
    *p = (struct packet){.ready_ms = ready, .bytes = view_of(at, bytes.len)};
    st->last_ready_ms = ready;
    if (st->last)
        st->last->next = p;
    else
        st->first = p;
    st->last = p;
    st->count++;
    return STATUS_OK;
}

static uint64_t head_due_ms(const struct stream *st)
{
    if (!st->first) return SIM_NEVER;
    return st->first->ready_ms > st->stalled_until_ms ? st->first->ready_ms : st->stalled_until_ms;
}

struct packet *net_take(struct sim *s, struct conn *c, enum end at)
{
    struct stream *st = &c->streams[at == NEAR ? FAR : NEAR];
    if (!c->open[at] || head_due_ms(st) > s->now_ms) return NULL;
    struct packet *p = st->first;
    st->first = p->next;
    if (!st->first) st->last = NULL;
    st->count--;
    p->next = NULL;
    return p;
}

void net_close(struct sim *s, struct conn *c, enum end at, bool orderly)
{
    enum end other = at == NEAR ? FAR : NEAR;
    struct stream *mine = &c->streams[at];
    uint64_t delay = rng_chance(&s->rng, 150) ? rng_below(&s->rng, 4000) : rng_below(&s->rng, 60);
    uint64_t learns = s->now_ms + delay;
    c->open[at] = false;
    c->broken = true;
    stream_drop(&c->streams[other], 0);
    if (!orderly) stream_drop(mine, mine->count ? rng_below(&s->rng, mine->count + 1) : 0);
    if (orderly && mine->last && mine->last->ready_ms >= learns) learns = mine->last->ready_ms + 1;
    if (c->learns_ms[other] > learns) c->learns_ms[other] = learns;
    if (at == NEAR) c->held = false;
    if (!c->held && !c->open[FAR]) conn_free(s, c);
}

void net_break(struct sim *s, struct conn *c)
{
    if (c->broken) return;
    c->broken = true;
    trace_put(s, TRACE_BREAK, c->broker, c->number, c->kind);
    for (int e = 0; e < 2; e++) {
        struct stream *st = &c->streams[e];
        stream_drop(st, st->count ? rng_below(&s->rng, st->count + 1) : 0);
        uint64_t delay =
            rng_chance(&s->rng, 300) ? rng_below(&s->rng, 5000) : rng_below(&s->rng, 50);
        c->learns_ms[e] = s->now_ms + delay;
    }
}

void net_stall(struct sim *s, struct conn *c, enum end from, uint64_t until_ms)
{
    if (until_ms > c->streams[from].stalled_until_ms) c->streams[from].stalled_until_ms = until_ms;
    trace_put(s, TRACE_STALL, c->broker, c->number, until_ms);
}

void net_step(struct sim *s)
{
    for (size_t i = 0; i < s->conn_count; i++) {
        struct conn *c = &s->conns[i];
        if (!c->used) continue;
        for (int e = 0; e < 2; e++) {
            if (!c->open[e] || c->learns_ms[e] > s->now_ms) continue;
            c->open[e] = false;
            if (e == FAR && c->kind == CONN_EDGE) broker_host_gone(&s->brokers[c->broker], c->number);
        }
        if (!c->held && !c->open[FAR]) conn_free(s, c);
    }
}

uint64_t net_due_ms(const struct conn *c, enum end at)
{
    if (!c->open[at]) return at == NEAR ? 0 : SIM_NEVER;
    return sim_min(c->learns_ms[at], head_due_ms(&c->streams[at == NEAR ? FAR : NEAR]));
}

struct conn *net_find(struct sim *s, enum conn_kind kind, size_t broker, uint32_t number)
{
    for (size_t i = 0; i < s->conn_count; i++) {
        struct conn *c = &s->conns[i];
        if (c->used && c->kind == kind && c->broker == broker && c->number == number) return c;
    }
    return NULL;
}

void net_calm(struct sim *s)
{
    for (size_t i = 0; i < s->conn_count; i++)
        for (int e = 0; e < 2; e++)
            if (s->conns[i].streams[e].stalled_until_ms > s->now_ms)
                s->conns[i].streams[e].stalled_until_ms = s->now_ms;
}

void net_free(struct sim *s)
{
    for (size_t i = 0; i < s->conn_count; i++)
        if (s->conns[i].used) conn_free(s, &s->conns[i]);
}
