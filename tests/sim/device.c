/* device: one device's machine: its state (what survives), the engines of up to two processes on it (a
 * running receiver, and now and then a quick sender beside it), their connections, and an application
 * that sends, says things twice, and reads. The loop is that of clients/api_loop.c. */
#include "tests/sim/churn.h"

#include "clients/state/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct now sim_device_now(const struct device *d)
{
    return (struct now){.wall_ms = SIM_WALL_MS + d->sim->now_ms + (uint64_t)d->skew_ms,
                        .mono_ms = d->sim->now_ms};
}

static void random_bytes(void *self, void *out, size_t len)
{
    rng_fill(&((struct sim *)self)->rng, out, len);
}

struct random_source device_random(struct sim *s)
{
    return (struct random_source){random_bytes, s};
}

/* ---- connections ---- */

static void disconnect(struct device *d, struct session_host *h, bool orderly)
{
    if (!h->conn) return;
    net_close(d->sim, h->conn, NEAR, orderly);
    h->conn = NULL;
    h->full = false;
    h->connect_ms = d->sim->now_ms + rng_between(&d->sim->rng, 20, 400);
}

static void connect_now(struct device *d, struct session_host *h)
{
    struct sim *s = d->sim;
    if (h->conn || h->connect_ms > s->now_ms || d->offline_until_ms > s->now_ms) return;
    h->conn = net_connect(s, CONN_EDGE, h->endpoint % s->broker_count);
    if (!h->conn) {
        h->endpoint++;
        h->connect_ms = s->now_ms + rng_between(&s->rng, 50, 500);
        return;
    }
    h->conn->key = d->key;
    h->conn->device = d->index;
    engine_up(h->engine, sim_device_now(d));
}

/* ---- a process ---- */

static void process_end(struct device *d, struct session_host *h, uint64_t restart_ms)
{
    if (!h->engine) return;
    trace_put(d->sim, TRACE_ENGINE_DOWN, d->index, (uint64_t)(h - d->sessions), restart_ms);
    disconnect(d, h, false);
    engine_free(&h->engine);
    h->start_ms = restart_ms;
    h->attach_ms = SIM_NEVER;
    if (h == &d->sessions[SESSION_QUICK]) h->wanted = false;
}

static void process_start(struct device *d, struct session_host *h)
{
    struct sim *s = d->sim;
    bool attach = h == &d->sessions[SESSION_RECEIVER];
    struct engine_config config = {.random = {random_bytes, s}, .ack_pace_ms = ENGINE_ACK_PACE_MS, .prekeys = true,
                                   .client_version = "0.1.0",
                                   .attach = attach,
                                   .credit_messages = s->profile->credit_messages,
                                   .credit_bytes = s->profile->credit_bytes,
                                   .request_timeout_ms = 5000,
                                   .status_every_ms = 10000};
    enum status status = engine_new(&config, d->state, &h->engine);
    trace_put(s, TRACE_ENGINE_UP, d->index, (uint64_t)(h - d->sessions), status);
    h->leaving = h->full = false;
    h->attach_ms = SIM_NEVER;
    d->read_ms = s->now_ms; /* what an earlier process has left */
    h->connect_ms = s->now_ms;
    h->start_ms = s->now_ms + 100;
    h->endpoint = rng_below(&s->rng, s->broker_count);
    d->lives += attach;
    if (status != STATUS_OK && status != STATUS_IO)
        sim_fail(s, "an engine does not start: %s", status_name(status));
}

/* ---- the application ---- */

void app_payload(const struct sim *s, size_t n, struct buffer *out)
{
    struct rng r = {.state = s->seed ^ (0x5851f42d4c957f2dull * (n + 1))};
    size_t len = s->messages[n].len, head = strlen(SIM_CANARY) + 8;
    ENSURE(len >= head);
    write_bytes(out, s->messages[n].sealed ? SIM_SEALED : SIM_CANARY, strlen(SIM_CANARY));
    write_u64(out, n);
    rng_fill(&r, buffer_extend(out, len - head), len - head);
}

static struct view handle_of(const struct sim *s, size_t to)
{
    const char *handle = to == SIM_DEVICES_MAX ? "rogue" : s->devices[to].handle;
    return view_of(handle, strlen(handle));
}

/* Takes what is new. What is in an inbox row is looked at in the verdict. */
static enum status app_read(struct device *d, struct session_host *h)
{
    struct arena arena = {0};
    struct inbox_row rows[32];
    uint64_t orders[32];
    struct inbox_scan scan = {.which = INBOX_UNSHOWN, .rows = rows, .row_max = 32};
    enum status s = state_begin(d->state, STATE_READ);
    if (s != STATUS_OK) return s;
    s = state_inbox_scan(d->state, &scan, &arena);
    for (size_t i = 0; s == STATUS_OK && i < scan.row_count && d->sim->profile->contacts_every_ms; i++)
        contacts_shown(d, &rows[i]);
    state_rollback(d->state);
    arena_fini(&arena);
    for (size_t i = 0; i < scan.row_count; i++)
        orders[i] = rows[i].order;
    if (s == STATUS_OK && scan.row_count)
        s = engine_ack(h->engine, sim_device_now(d), orders, scan.row_count);
    if (s == STATUS_OK) d->read_ms = scan.row_count == 32 ? d->sim->now_ms : SIM_NEVER;
    return s;
}

/* The same key with other words must be refused, with the first message. */
static void app_reuse_key(struct device *d, struct session_host *h, const struct app_message *m)
{
    struct outbox_row row;
    struct engine_message other = {
        .handle = handle_of(d->sim, m->to), .payload = view_of("other words", 11), .key = m->key,
        .sealed = m->sealed};
    enum status s = engine_send(h->engine, sim_device_now(d), &other, &row);
    if (s == STATUS_IO) return;
    if (s != STATUS_ID_REUSED || row.order != m->order)
        sim_fail(d->sim, "a key with other content gives %s", status_name(s));
}

static void app_say(struct device *d, struct session_host *h, size_t n)
{
    struct sim *s = d->sim;
    struct app_message *m = &s->messages[n];
    struct view handle = handle_of(s, m->to);
    struct buffer payload = {0};
    struct outbox_row row;
    app_payload(s, n, &payload);
    struct engine_message message = {.handle = handle,
                                     .payload = buffer_view(&payload),
                                     .key = m->key[0] ? m->key : NULL,
                                     .ttl_ms = m->ttl_ms,
                                     .sealed = m->sealed};
    enum status status = engine_send(h->engine, sim_device_now(d), &message, &row);
    buffer_fini(&payload);
    trace_put(s, TRACE_APP_SEND, d->index, n, m->to << 16 | status);
    if (status == STATUS_OK) {
        if (m->kept && m->order != row.order) sim_fail(s, "one key has become two messages");
        m->again_ms = !m->kept && m->key[0] && rng_chance(&s->rng, s->profile->twice_pm)
                          ? s->now_ms + rng_below(&s->rng, 8000)
                          : SIM_NEVER;
        m->kept = true;
        m->order = row.order;
        if (m->key[0] && rng_chance(&s->rng, 30)) app_reuse_key(d, h, m);
    } else if (status == STATUS_IO) {
        m->maybe = m->maybe || (!m->key[0] && !m->kept);
        m->again_ms = m->key[0] ? s->now_ms + 700 : SIM_NEVER;
    } else {
        sim_fail(s, "engine_send: %s", status_name(status));
    }
    d->again_ms = sim_min(d->again_ms, m->again_ms);
}

static size_t app_new(struct device *d)
{
    struct sim *s = d->sim;
    if (s->message_count == s->message_cap) {
        s->message_cap = s->message_cap ? 2 * s->message_cap : 64;
        s->messages = realloc(s->messages, s->message_cap * sizeof *s->messages);
        ENSURE(s->messages != NULL);
    }
    /* Where devices join, the first ones stand for the accounts. */
    size_t many = s->truth ? s->account_count : s->device_count, skip = s->truth ? d->owner : d->index;
    size_t n = s->message_count++, to = rng_below(&s->rng, many - 1);
    struct app_message *m = &s->messages[n];
    to = s->devices[to + (to >= skip)].owner;
    *m = (struct app_message){.from = d->index, .to = to, .again_ms = SIM_NEVER};
    if (s->truth && rng_chance(&s->rng, 60)) m->to = d->owner; /* to the other devices of its own account */
    m->len = rng_chance(&s->rng, s->profile->large_pm)
                 ? rng_between(&s->rng, 20000, PAYLOAD_LEN_MAX)
                 : rng_between(&s->rng, 24, 600);
    if (rng_chance(&s->rng, s->profile->ttl_pm)) m->ttl_ms = rng_between(&s->rng, 2000, 20000);
    /* What the rogue does not take must expire, and a clock that jumps suspends that. */
    bool to_rogue = rogue_claimed(s) && !s->profile->weights[FAULT_RELAY_CLOCK] &&
                    !s->profile->weights[FAULT_WINTER];
    if (to_rogue && rng_chance(&s->rng, 150)) {
        m->to = SIM_DEVICES_MAX;
        m->ttl_ms = rng_between(&s->rng, 3000, 12000);
    }
    m->sealed = s->profile->sealed_pm && m->to != SIM_DEVICES_MAX && rng_chance(&s->rng, s->profile->sealed_pm);
    if (rng_chance(&s->rng, 700)) snprintf(m->key, sizeof m->key, "key-%zu", n);
    return n;
}

/* Another identity key, now and then; one at a time. */
static void app_rotate(struct device *d, struct session_host *h)
{
    struct sim *s = d->sim;
    if (d->rotate_ms > s->now_ms || s->calm || !d->registered) return;
    /* Not four times within the life of one message: it has three rounds. */
    d->rotate_ms = s->now_ms + s->profile->rotate_every_ms / 2 + rng_below(&s->rng, s->profile->rotate_every_ms);
    enum status status = engine_rotate(h->engine, sim_device_now(d));
    bool may = s->truth && (status == STATUS_FULL || status == STATUS_REFUSED); /* another change; suspended */
    if (status != STATUS_OK && status != STATUS_STATE && status != STATUS_IO && !may)
        sim_fail(s, "engine_rotate: %s", status_name(status));
}

static bool is_ready(const struct session_host *h)
{
    return h->engine && !h->leaving;
}

static void app_step(struct device *d)
{
    struct sim *s = d->sim;
    struct session_host *receiver = &d->sessions[SESSION_RECEIVER];
    struct session_host *quick = &d->sessions[SESSION_QUICK];
    struct session_host *by = is_ready(quick) ? quick : receiver;
    if (!is_ready(by) || d->patience_ms != SIM_NEVER) return; /* it waits to be let in */
    app_rotate(d, by);
    if (s->truth) people_step(d, by);
    contacts_step(d, by);
    if (d->held && s->calm) { /* when the lies have ended, the user says that what was held shall go */
        d->held = false;
        holds_release(d, NULL);
        holds_release(d, by);
    }
    if (d->next_send_ms <= s->now_ms && !s->calm) {
        d->next_send_ms = s->now_ms + 1 + rng_below(&s->rng, 2ull * s->profile->send_every_ms);
        size_t n = app_new(d);
        size_t to = s->messages[n].to;
        if (to != SIM_DEVICES_MAX && !s->devices[to].registered)
            s->message_count--;
        else
            app_say(d, by, n);
        if (rng_chance(&s->rng, s->profile->quick_pm)) quick->wanted = true;
    }
    if (d->again_ms > s->now_ms) return;
    d->again_ms = SIM_NEVER;
    for (size_t n = 0; n < s->message_count; n++) {
        if (s->messages[n].from != d->index) continue;
        if (s->messages[n].again_ms <= s->now_ms && is_ready(by)) app_say(d, by, n);
        d->again_ms = sim_min(d->again_ms, s->messages[n].again_ms);
    }
}

/* ---- a turn of one engine ---- */

static void event_take(struct device *d, struct session_host *h, const struct engine_event *e)
{
    struct sim *s = d->sim;
    trace_put(s, TRACE_ENGINE_EVENT, d->index, e->kind,
              e->kind == ENGINE_MESSAGE ? (uint64_t)e->state : (uint64_t)e->status);
    if (e->kind == ENGINE_MESSAGE) holds_told(d, e);
    if (e->kind == ENGINE_MOVE) {
        disconnect(d, h, true);
        engine_down(h->engine, sim_device_now(d));
        h->endpoint++;
    } else if (e->kind == ENGINE_STOPPED) {
        s->seen[SEEN_OUT]++;
        if (e->status != STATUS_REFUSED || !truth_was_out(s, d->id))
            sim_fail(s, "the relay refuses device %zu: %s", d->index, status_name(e->status));
    } else if (e->kind == ENGINE_LINKED) {
        s->seen[SEEN_LINKED]++;
        d->registered = true;
        d->patience_ms = SIM_NEVER;
    } else if (e->kind == ENGINE_REGISTERED) {
        d->registered = true;
    } else if (e->kind == ENGINE_HANDLE_REFUSED) {
        sim_fail(s, "the handle of device %zu: %s", d->index, status_name(e->status));
    } else if (e->kind == ENGINE_SUPERSEDED) {
        d->superseded++;
        h->attach_ms = s->now_ms + 1500;
    } else if (e->kind == ENGINE_IDENTITY && e->operation && e->operation != ENTRY_REPLACE) {
        people_event(d, e);
    } else if (e->kind == ENGINE_IDENTITY) {
        s->seen[SEEN_ROTATED] += e->status == STATUS_OK;
        if (e->status == STATUS_BAD_ENTRY) forks_told(d);
        if (e->status != STATUS_OK && !s->profile->lie_pm && !(s->truth && e->status == STATUS_REFUSED))
            sim_fail(s, "the log of device %zu: %s", d->index, status_name(e->status));
    } else if (e->kind == ENGINE_MESSAGE && e->state == MESSAGE_HELD) {
        s->seen[SEEN_HELD]++;
        d->held = true;
        if (e->attempt) sim_fail(s, "device %zu holds a message that was accepted", d->index);
        if (!s->profile->lie_pm) sim_fail(s, "device %zu holds a message, though nobody lied", d->index);
    } else if (e->kind == ENGINE_MESSAGE && e->state == MESSAGE_ACCEPTED && e->attempt) {
        s->seen[SEEN_ANEW]++;
    } else if (e->kind == ENGINE_CONTACTS) {
        contacts_told(d);
    } else if (e->kind == ENGINE_OVERFLOW) {
        sim_fail(s, "engine events overflow");
    }
}

static void frames_receive(struct device *d, struct session_host *h)
{
    struct sim *s = d->sim;
    bool slow = s->profile->slow_read_ms && !s->calm;
    struct packet *p;
    while (h->conn && (!slow || h->read_ms <= s->now_ms) && (p = net_take(s, h->conn, NEAR))) {
        struct buffer lie = {0};
        uint64_t forks = engine_counts(h->engine).forks;
        watch_client_got(s, h->conn, p->bytes);
        engine_frame(h->engine, sim_device_now(d), liar_pass(d, p->bytes, &lie));
        forks = engine_counts(h->engine).forks - forks;
        s->seen[SEEN_FORKED] += forks;
        if (forks_notices(s) && !forks) sim_fail(s, "device %zu is shown another history than it holds, and does not see it", d->index);
        buffer_fini(&lie);
        free(p);
        if (slow) h->read_ms = s->now_ms + rng_below(&s->rng, 2ull * s->profile->slow_read_ms);
    }
}

static void frames_send(struct device *d, struct session_host *h)
{
    struct view frame;
    h->full = false;
    while (h->conn && engine_next_frame(h->engine, &frame)) {
        enum status s = net_send(d->sim, h->conn, NEAR, frame);
        if (s == STATUS_OK) {
            watch_client_said(d->sim, h->conn, frame);
            forks_said(d, frame);
            continue;
        }
        engine_keep_frame(h->engine);
        h->full = true;
        return;
    }
}

/* An application looks into its inbox at once, or is slow now and then. */
static uint64_t app_read_ms(struct sim *s)
{
    return s->now_ms + (!s->calm && rng_chance(&s->rng, 100) ? rng_below(&s->rng, 2500) : 0);
}

/* false: the process has ended. */
static bool events_receive(struct device *d, struct session_host *h)
{
    struct engine_event e;
    bool received = false, failed = false, left = false, stopped = false;
    while (engine_next_event(h->engine, &e)) {
        event_take(d, h, &e);
        received = received || e.kind == ENGINE_RECEIVED;
        failed = failed || e.kind == ENGINE_FAILED;
        left = left || e.kind == ENGINE_LEFT;
        stopped = stopped || e.kind == ENGINE_STOPPED;
    }
    if (received) d->read_ms = sim_min(d->read_ms, app_read_ms(d->sim));
    d->sim->seen[SEEN_STATE_FAILED] += failed;
    if (failed)
        process_end(d, h, d->sim->now_ms + rng_between(&d->sim->rng, 10, 500));
    else if (left)
        process_end(d, h, SIM_NEVER);
    else if (stopped) /* its user looks again later */
        process_end(d, h, d->sim->now_ms + rng_between(&d->sim->rng, 500, 4000));
    return !failed && !left && !stopped;
}

static void engine_turn(struct device *d, struct session_host *h)
{
    struct sim *s = d->sim;
    struct now now = sim_device_now(d);
    if (h->conn && !h->conn->open[NEAR]) {
        disconnect(d, h, false);
        engine_down(h->engine, now);
    }
    connect_now(d, h);
    frames_receive(d, h);
    if (h->attach_ms <= s->now_ms) {
        h->attach_ms = SIM_NEVER;
        engine_attach(h->engine, now);
    }
    engine_tick(h->engine, now);
    frames_send(d, h);
    if (!events_receive(d, h)) return;
    if (d->read_ms <= s->now_ms && app_read(d, h) == STATUS_IO) {
        s->seen[SEEN_STATE_FAILED]++;
        process_end(d, h, s->now_ms + rng_between(&s->rng, 10, 500));
        return;
    }
    frames_send(d, h);
    h->due_ms = engine_deadline_ms(h->engine);
    if (h->full) h->due_ms = sim_min(h->due_ms, s->now_ms + 10);
    if (h->due_ms <= s->now_ms) h->due_ms = s->now_ms + 1;
}

static void quick_step(struct device *d)
{
    struct session_host *h = &d->sessions[SESSION_QUICK];
    if (!h->engine || h->leaving || !engine_is_bound(h->engine)) return;
    if (!rng_chance(&d->sim->rng, 200)) return;
    engine_leave(h->engine, sim_device_now(d));
    h->leaving = true;
}

/* ---- the device ---- */

/* While its disk fails, as it was seen last. */
void device_log(struct device *d, struct identity_log *out)
{
    struct contact own;
    enum status s = state_begin(d->state, STATE_READ);
    if (s == STATUS_OK) {
        s = state_contact_get(d->state, d->account, &own);
        state_rollback(d->state);
    }
    if (s == STATUS_OK) d->log = own.log;
    *out = d->log;
}

static void identity_read(struct device *d)
{
    struct arena arena = {0};
    struct state_identity identity;
    ENSURE(state_begin(d->state, STATE_READ) == STATUS_OK);
    ENSURE(state_identity_get(d->state, &arena, &identity) == STATUS_OK);
    state_rollback(d->state);
    d->account = identity.account;
    d->id = identity.device;
    d->key = identity.record.transport;
    d->has_id = true;
    arena_fini(&arena);
}

void device_prepare(struct sim *s, size_t index, size_t owner)
{
    struct device *d = &s->devices[index];
    *d = (struct device){.sim = s, .index = index, .owner = owner, .again_ms = SIM_NEVER, .read_ms = SIM_NEVER,
                         .join_ms = SIM_NEVER, .change_ms = SIM_NEVER, .patience_ms = SIM_NEVER};
    d->state = memory_state_new();
}

void device_start(struct sim *s, size_t index)
{
    struct device *d = &s->devices[index];
    struct random_source random = device_random(s);
    bool second = s->profile->seconds && index % 2;
    device_prepare(s, index, index - second);
    snprintf(d->handle, sizeof d->handle, "user-%zu", index);
    struct account_wish wish = {.handle = view_of(d->handle, strlen(d->handle))};
    if (second)
        second_make(d, &s->devices[d->owner]);
    else
        ENSURE(account_create(d->state, &random, sim_device_now(d), &wish) == STATUS_OK);
    device_enter(d);
}

void device_enter(struct device *d)
{
    struct sim *s = d->sim;
    identity_read(d);
    d->join_ms = SIM_NEVER;
    uint64_t born_ms = s->truth && d->index != d->owner ? s->now_ms : 0;
    for (size_t i = 0; i < SESSION_HOSTS; i++) {
        d->sessions[i].attach_ms = SIM_NEVER;
        d->sessions[i].start_ms = born_ms + rng_below(&s->rng, 500);
    }
    d->sessions[SESSION_RECEIVER].wanted = true;
    d->next_send_ms = born_ms + rng_below(&s->rng, 2000);
    d->rotate_ms = s->profile->rotate_every_ms ? born_ms + rng_below(&s->rng, 10000) : SIM_NEVER;
    d->contacts_ms = s->profile->contacts_every_ms ? rng_below(&s->rng, 5000) : SIM_NEVER;
    d->change_ms = s->truth ? s->now_ms + rng_below(&s->rng, 2ull * s->profile->change_every_ms) : SIM_NEVER;
}

struct session_host *device_at_work(struct device *d)
{
    struct session_host *h = &d->sessions[SESSION_RECEIVER];
    return is_ready(h) && engine_is_bound(h->engine) ? h : NULL;
}

static uint64_t session_due_ms(const struct device *d, const struct session_host *h)
{
    if (!h->engine) return h->wanted ? h->start_ms : SIM_NEVER;
    uint64_t due = sim_min(h->due_ms, h->attach_ms);
    if (h->conn) {
        uint64_t net = net_due_ms(h->conn, NEAR);
        bool slow = d->sim->profile->slow_read_ms && !d->sim->calm && h->conn->open[NEAR] &&
                    h->conn->learns_ms[NEAR] > net;
        return sim_min(due, slow && h->read_ms > net ? h->read_ms : net);
    }
    uint64_t connect = h->connect_ms > d->offline_until_ms ? h->connect_ms : d->offline_until_ms;
    return sim_min(due, connect);
}

uint64_t device_due_ms(const struct device *d)
{
    uint64_t due = sim_min(joiner_due_ms(d), d->patience_ms);
    for (size_t i = 0; i < SESSION_HOSTS; i++)
        due = sim_min(due, session_due_ms(d, &d->sessions[i]));
    for (size_t i = 0; i < SESSION_HOSTS; i++)
        if (d->sessions[i].engine) due = sim_min(due, d->read_ms);
    if (!is_ready(&d->sessions[SESSION_RECEIVER]) || d->patience_ms != SIM_NEVER) return due;
    if (!d->sim->calm) due = sim_min(due, d->next_send_ms);
    if (!d->sim->calm && d->registered) due = sim_min(due, sim_min(d->rotate_ms, d->contacts_ms));
    if (d->sim->calm && d->held) return 0;
    due = sim_min(due, people_due_ms(d));
    return sim_min(due, d->again_ms);
}

void device_step(struct device *d)
{
    if (!device_is_in(d)) {
        joiner_step(d);
        return;
    }
    if (d->patience_ms <= d->sim->now_ms) {
        joiner_doubt(d);
        if (!device_is_in(d)) return;
    }
    for (size_t i = 0; i < SESSION_HOSTS; i++) {
        struct session_host *h = &d->sessions[i];
        if (!h->engine && h->wanted && h->start_ms <= d->sim->now_ms) process_start(d, h);
    }
    app_step(d);
    for (size_t i = 0; i < SESSION_HOSTS; i++)
        if (d->sessions[i].engine) engine_turn(d, &d->sessions[i]);
    quick_step(d);
}

void device_crash(struct device *d, uint64_t restart_ms)
{
    if (d->joiner) joiner_end(d);
    process_end(d, &d->sessions[SESSION_RECEIVER], restart_ms);
    process_end(d, &d->sessions[SESSION_QUICK], SIM_NEVER);
    memory_state_crash(d->state);
}

void device_offline(struct device *d, uint64_t until_ms)
{
    d->offline_until_ms = until_ms;
    for (size_t i = 0; i < SESSION_HOSTS; i++) {
        struct session_host *h = &d->sessions[i];
        if (!h->conn) continue;
        disconnect(d, h, rng_chance(&d->sim->rng, 500));
        engine_down(h->engine, sim_device_now(d));
    }
}

void device_calm(struct device *d)
{
    memory_state_fail(d->state, 0, false);
    d->offline_until_ms = d->sim->now_ms;
    if (d->sim->truth) people_calm(d);
    struct session_host *h = &d->sessions[SESSION_RECEIVER];
    if (!h->engine) h->start_ms = sim_min(h->start_ms, d->sim->now_ms + 500);
}

void device_fini(struct device *d)
{
    for (size_t i = 0; i < SESSION_HOSTS; i++) {
        struct session_host *h = &d->sessions[i];
        if (h->conn) net_close(d->sim, h->conn, NEAR, false);
        engine_free(&h->engine);
    }
    if (d->joiner) joiner_end(d);
    state_close(&d->state);
}
