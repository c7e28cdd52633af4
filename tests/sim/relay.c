/* relay: brokers and the fan-out worker as processes: the loops of broker/net.c and
 * workers/fanout/main.c over the simulated network, and the poster with its failures. */
#include "tests/sim/churn.h"

#include <stdlib.h>
#include <string.h>

/* ---- brokers ---- */

static enum status send_to(struct broker_host *h, enum conn_kind kind, uint32_t number,
                           struct view bytes)
{
    struct conn *c = net_find(h->sim, kind, h->index, number);
    if (!c) return STATUS_GONE;
    enum status s = net_send(h->sim, c, FAR, bytes);
    return s == STATUS_FULL ? STATUS_BUSY : s;
}

static enum status to_client(void *context, uint32_t routing, struct view frame)
{
    struct broker_host *h = context;
    struct conn *c = net_find(h->sim, CONN_EDGE, h->index, routing);
    if (c) truth_given(h->sim, c, frame);
    return send_to(context, CONN_EDGE, routing, frame);
}

static enum status to_worker(void *context, uint64_t peer, struct view slab)
{
    struct broker_host *h = context;
    if (slab.len > SLAB_LEN_MAX)
        sim_fail(h->sim, "a slab of %zu bytes leaves the broker", slab.len);
    trace_put(h->sim, TRACE_SLAB_DOWN, h->index, peer, get_u32(slab.at + 4));
    return send_to(h, CONN_BACKEND, (uint32_t)peer, slab);
}

static enum status to_admin(void *context, uint32_t caller, struct view frame)
{
    struct broker_host *h = context;
    (void)caller;
    buffer_clear(&h->admin_reply);
    write_view(&h->admin_reply, frame);
    return STATUS_OK;
}

/* For its silence: both ends learn of it as of any break. */
static void cut(void *context, uint32_t routing)
{
    struct broker_host *h = context;
    struct conn *c = net_find(h->sim, CONN_EDGE, h->index, routing);
    if (c) net_break(h->sim, c);
}

/* Devices here do as they are told, rogues too, as far as floods go. */
static void on_event(void *context, const struct event *e)
{
    struct sim *s = ((struct broker_host *)context)->sim;
    watch_event(s, e);
    if (e->kind == EVENT_FLOOD_CUT) sim_fail(s, "a connection was cut off for a flood");
}

void broker_host_start(struct broker_host *h)
{
    struct sim *s = h->sim;
    struct broker_config config = {.connections_max = 64,
                                   .ping_ms = 3000,
                                   .drain_ms = 2000,
                                   .marks = s->marks,
                                   .rates = {1000, 1000, 1u << 30},
                                   .out = {h, to_client, to_worker, to_admin, on_event, cut}};
    if (s->profile->rates.device_requests_per_s) config.rates = s->profile->rates;
    rng_fill(&s->rng, config.boot.bytes, sizeof config.boot.bytes);
    h->core = broker_new(&config, sim_relay_now(s));
    h->draining = false;
    h->due_ms = s->now_ms;
    h->restart_ms = SIM_NEVER;
    trace_put(s, TRACE_BROKER_UP, h->index, 0, 0);
}

static void broker_host_end(struct broker_host *h, bool orderly, uint64_t restart_ms)
{
    struct sim *s = h->sim;
    broker_free(&h->core);
    truth_broker_died(s, h->index);
    h->restart_ms = restart_ms;
    for (size_t i = 0; i < s->conn_count; i++) {
        struct conn *c = &s->conns[i];
        if (c->used && c->broker == h->index && c->open[FAR]) net_close(s, c, FAR, orderly);
    }
    trace_put(s, TRACE_BROKER_DOWN, h->index, orderly, restart_ms);
}

void broker_host_kill(struct broker_host *h, uint64_t restart_ms)
{
    if (!h->core) return;
    h->sim->seen[SEEN_RENEWED]++;
    broker_host_end(h, false, restart_ms);
}

void broker_host_drain(struct broker_host *h)
{
    if (!h->core || h->draining) return;
    h->draining = true;
    trace_put(h->sim, TRACE_BROKER_DRAIN, h->index, 0, 0);
    broker_drain(h->core, sim_relay_now(h->sim));
    h->due_ms = h->sim->now_ms;
}

void broker_host_gone(struct broker_host *h, uint32_t routing)
{
    if (!h->core) return;
    broker_client_gone(h->core, sim_relay_now(h->sim), routing);
    h->due_ms = h->sim->now_ms; /* what that gives is flushed */
}

uint64_t broker_host_due_ms(struct broker_host *h)
{
    struct sim *s = h->sim;
    uint64_t due = h->due_ms;
    if (!h->core) return h->restart_ms;
    for (size_t i = 0; i < s->conn_count; i++)
        if (s->conns[i].used && s->conns[i].broker == h->index)
            due = sim_min(due, net_due_ms(&s->conns[i], FAR));
    return due;
}

static void take_from(struct broker_host *h, struct conn *c)
{
    struct sim *s = h->sim;
    struct now now = sim_relay_now(s);
    uint32_t number = c->number;
    enum conn_kind kind = c->kind;
    const struct transport_pk key = c->key;
    struct packet *p;
    while (c->used && c->number == number && (p = net_take(s, c, FAR))) {
        if (kind == CONN_EDGE)
            broker_client_frame(h->core, now, number, &key, &(struct peer_address){{1}}, p->bytes);
        else
            broker_worker_slab(h->core, now, number, p->bytes);
        if (kind == CONN_BACKEND) watch_broker_got(s, h->index, p->bytes);
        free(p);
    }
}

void broker_host_step(struct broker_host *h)
{
    struct sim *s = h->sim;
    struct now now = sim_relay_now(s);
    if (!h->core) {
        broker_host_start(h);
        return;
    }
    size_t start = rng_below(&s->rng, s->conn_count + 1);
    for (size_t i = 0; i < s->conn_count; i++) {
        struct conn *c = &s->conns[(start + i) % s->conn_count];
        if (c->used && c->broker == h->index) take_from(h, c);
    }
    broker_tick(h->core, now);
    broker_flush(h->core, now);
    h->due_ms = broker_deadline_ms(h->core);
    if (h->due_ms <= s->now_ms) h->due_ms = s->now_ms + 1;
    if (h->draining && broker_drained(h->core, now))
        broker_host_end(h, true, s->now_ms + rng_between(&s->rng, 100, 2000));
}

void broker_host_ask(struct broker_host *h, struct view frame)
{
    buffer_clear(&h->admin_reply);
    broker_admin_frame(h->core, sim_relay_now(h->sim), 1, frame);
    broker_flush(h->core, sim_relay_now(h->sim));
}

/* ---- a worker's connections ---- */

void links_connect(struct sim *s, struct worker_links *l)
{
    for (size_t i = 0; i < s->broker_count; i++) {
        struct conn **c = &l->conns[i];
        if (*c && !(*c)->open[NEAR]) {
            net_close(s, *c, NEAR, false);
            *c = NULL;
            l->retry_ms[i] = s->now_ms + rng_between(&s->rng, 5, 120);
        }
        if (*c || l->retry_ms[i] > s->now_ms) continue;
        *c = net_connect(s, CONN_BACKEND, i);
        if (!*c) l->retry_ms[i] = s->now_ms + rng_between(&s->rng, 50, 200);
    }
}

uint64_t links_due_ms(const struct sim *s, const struct worker_links *l)
{
    uint64_t due = SIM_NEVER;
    for (size_t i = 0; i < s->broker_count; i++)
        due = sim_min(due, l->conns[i] ? net_due_ms(l->conns[i], NEAR) : l->retry_ms[i]);
    return due;
}

enum status links_send(struct sim *s, struct worker_links *l, size_t broker, struct view slab)
{
    struct conn *c = l->conns[broker];
    trace_put(s, TRACE_SLAB_UP, broker, c ? c->number : 0, get_u32(slab.at + 4));
    if (slab.len > SLAB_LEN_MAX) sim_fail(s, "a slab of %zu bytes leaves a worker", slab.len);
    return c ? net_send(s, c, NEAR, slab) : STATUS_GONE;
}

void links_close(struct sim *s, struct worker_links *l, bool orderly)
{
    for (size_t i = 0; i < SIM_BROKERS_MAX; i++) {
        if (l->conns[i]) net_close(s, l->conns[i], NEAR, orderly);
        l->conns[i] = NULL;
        l->retry_ms[i] = 0;
    }
}

/* ---- the fan-out worker ---- */

void fanout_host_start(struct sim *s)
{
    struct fanout_host *h = &s->fanout;
    struct fanout_config config = {.broker_count = s->broker_count,
                                   .webhook = true,
                                   .wake_retry_ms = 1000,
                                   .wake_attempts = 5,
                                   .mark_key = s->marks};
    rng_fill(&s->rng, config.boot.bytes, sizeof config.boot.bytes);
    h->core = fanout_new(&config, sim_relay_now(s));
    h->post_count = 0;
    h->due_ms = s->now_ms;
    trace_put(s, TRACE_FANOUT_UP, 0, 0, 0);
}

void fanout_host_kill(struct sim *s, uint64_t restart_ms)
{
    if (!s->fanout.core) return;
    fanout_free(&s->fanout.core);
    links_close(s, &s->fanout.links, false);
    s->fanout.restart_ms = restart_ms;
    trace_put(s, TRACE_FANOUT_DOWN, 0, 0, restart_ms);
}

uint64_t fanout_host_due_ms(const struct sim *s)
{
    const struct fanout_host *h = &s->fanout;
    if (!h->core) return h->restart_ms;
    uint64_t due = sim_min(h->due_ms, links_due_ms(s, &h->links));
    for (size_t i = 0; i < h->post_count; i++)
        due = sim_min(due, h->posts[i].answer_ms);
    return due;
}

static void post_begin(struct sim *s, const struct fanout_post *post)
{
    static const unsigned answers[] = {200, 200, 200, 202, 500, 503, 429, 0, 410};
    struct fanout_host *h = &s->fanout;
    unsigned status = answers[rng_below(&s->rng, sizeof answers / sizeof answers[0])];
    size_t index = device_number(s, post->device);
    if (index == SIM_NEVER) sim_fail(s, "a wake-up names a device that does not exist");
    h->posts[h->post_count].token = post->token;
    h->posts[h->post_count].sent_ms = s->now_ms;
    h->posts[h->post_count].status = status;
    h->posts[h->post_count++].answer_ms = s->now_ms + rng_between(&s->rng, 1, 1500);
    s->seen[SEEN_POSTED]++;
    trace_put(s, TRACE_POST, index, status, 0);
}

static void posts_step(struct sim *s, struct now now)
{
    struct fanout_host *h = &s->fanout;
    struct fanout_post post;
    for (size_t i = 0; i < h->post_count;) {
        if (h->posts[i].answer_ms > s->now_ms) {
            i++;
            continue;
        }
        fanout_posted(h->core, now, h->posts[i].token, h->posts[i].status,
                      s->now_ms - h->posts[i].sent_ms);
        h->posts[i] = h->posts[--h->post_count];
    }
    while (h->post_count < POSTS_MAX && fanout_post_next(h->core, &post))
        post_begin(s, &post);
}

void fanout_host_step(struct sim *s)
{
    struct fanout_host *h = &s->fanout;
    struct now now = sim_relay_now(s);
    struct packet *p;
    struct view slab;
    struct event e;
    if (!h->core) {
        fanout_host_start(s);
        return;
    }
    links_connect(s, &h->links);
    for (size_t i = 0; i < s->broker_count; i++)
        while (h->links.conns[i] && (p = net_take(s, h->links.conns[i], NEAR))) {
            fanout_receive(h->core, now, i, p->bytes);
            free(p);
        }
    posts_step(s, now);
    fanout_step(h->core, now);
    for (size_t i = 0; i < s->broker_count; i++)
        if (fanout_outgoing(h->core, i, &slab))
            fanout_sent(h->core, now, i, links_send(s, &h->links, i, slab));
    while (fanout_event(h->core, &e))
        watch_event(s, &e);
    h->due_ms = fanout_deadline_ms(h->core);
    if (h->due_ms <= s->now_ms) h->due_ms = s->now_ms + 1;
}
