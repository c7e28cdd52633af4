/* session: connection, HELLO, PING, DRAIN, SUPERSEDED and BYE (PROTOCOL 4), as one table of states. It
 * decides when there is a session; what is done in one is the other parts' business. Invariants: one
 * HELLO at a time; after SUPERSEDED no HELLO attaches until the application says so; SESSION_STOPPED is
 * left by no event. */
#include "clients/core.h"
#include "clients/linking_core.h"

#include <string.h>

enum session_event {
    ON_UP,         /* connected, the relay has our entry */
    ON_UP_NEW,     /* connected, it does not have it yet */
    ON_DOWN,
    ON_REGISTERED,
    ON_WELCOME,
    ON_UNKNOWN,    /* HELLO: no such account there */
    ON_UNBOUND,    /* no session (any more) on this connection */
    ON_STOP,
    SESSION_EVENT_COUNT
};

#define STAY 0 /* the pair is refused; 1 + state else */
#define TO(event, state) [ON_##event] = 1 + SESSION_##state

static const uint8_t steps[SESSION_STATE_COUNT][SESSION_EVENT_COUNT] = {
    [SESSION_DOWN] = {TO(UP, GREETING), TO(UP_NEW, REGISTERING), TO(STOP, STOPPED)},
    [SESSION_REGISTERING] = {TO(REGISTERED, GREETING), TO(DOWN, DOWN), TO(STOP, STOPPED)},
    [SESSION_GREETING] = {TO(WELCOME, BOUND), TO(UNKNOWN, REGISTERING), TO(DOWN, DOWN),
                          TO(STOP, STOPPED)},
    [SESSION_BOUND] = {TO(UNBOUND, GREETING), TO(DOWN, DOWN), TO(STOP, STOPPED)},
    [SESSION_STOPPED] = {STAY},
};

/* The one place that assigns the state; leaving BOUND is told and forgets the session's things. */
static bool session_step(struct engine *e, enum session_event event)
{
    uint8_t to = steps[e->session_state][event];
    if (to == STAY) return false;
    enum session_state was = e->session_state;
    e->session_state = (enum session_state)(to - 1);
    if (was != SESSION_BOUND) return true;
    e->session = (struct session_id){0};
    e->session_count++;
    acks_reset(e);
    event_put(e, &(struct engine_event){.kind = ENGINE_DISCONNECTED});
    return true;
}

#define SESSION_SHORT_MS 5000u /* a session that ends sooner is not at once followed by another */

static void hello_at(struct engine *e, uint64_t ms)
{
    e->hello_ms = ms;
}

void session_up(struct engine *e, struct now now)
{
    enum status s = identity_load(e);
    if (s == STATUS_STATE) session_stop(e, now, s);
    if (!engine_fault(e, s) && e->broken != STATUS_OK) return;
    if (!session_step(e, e->identity.registered ? ON_UP : ON_UP_NEW)) return;
    e->session_count++;
    e->introduced = 0;
    e->register_first = 1;
    e->draining = e->leaving = e->move_told = false;
    e->ping_under_way = e->ping_wanted = false;
    e->pings_lost = e->hello_tries = 0;
    e->said_ms = now.mono_ms;
    hello_at(e, now.mono_ms);
}

void session_down(struct engine *e, struct now now)
{
    (void)now;
    (void)session_step(e, ON_DOWN);
    hello_at(e, NEVER);
}

static void hello_later(struct engine *e, struct now now, uint32_t retry_after_ms)
{
    uint64_t delay = backoff_ms(e, e->hello_tries++, RETRY_MIN_MS, RETRY_MAX_MS);
    hello_at(e, now.mono_ms + (delay > retry_after_ms ? delay : retry_after_ms));
}

void session_lost(struct engine *e, struct now now)
{
    if (!session_step(e, ON_UNBOUND)) return;
    if (now.mono_ms - e->welcome_ms < SESSION_SHORT_MS) {
        hello_later(e, now, 0);
        return;
    }
    e->hello_tries = 0;
    hello_at(e, now.mono_ms);
}

void session_registered(struct engine *e, struct now now)
{
    if (session_step(e, ON_REGISTERED)) hello_at(e, now.mono_ms);
}

void session_stop(struct engine *e, struct now now, enum status s)
{
    if (!session_step(e, ON_STOP)) return;
    hello_at(e, NEVER);
    change_stopped(e, now, s);
    outbox_stopped(e, s);
    event_put(e, &(struct engine_event){.kind = ENGINE_STOPPED, .status = s});
}

void session_superseded(struct engine *e, struct now now)
{
    if (e->attach) event_put(e, &(struct engine_event){.kind = ENGINE_SUPERSEDED});
    e->attach = false;
    session_lost(e, now);
}

void engine_attach(struct engine *e, struct now now)
{
    if (e->attach) return;
    e->attach = true;
    if (e->session_state == SESSION_BOUND && !e->attached) session_lost(e, now);
}

/* ---- HELLO ---- */

static void hello_send(struct engine *e, struct now now)
{
    struct msg_hello hello = {
        .device = e->identity.device,
        .account = e->identity.account,
        .client_version = view_of(e->config.client_version, strlen(e->config.client_version)),
        .protocol_min = PROTOCOL_VERSION_MIN,
        .protocol_max = PROTOCOL_VERSION_MAX,
        .attach = e->attach,
        .credit_messages = e->config.credit_messages,
        .credit_bytes = e->config.credit_bytes,
        .client_ms = now.wall_ms,
    };
    e->attached = e->attach;
    bool sent = request_room(e) && lineage_next(e, now, &hello.lineage) && request_make(e, now, KIND_HELLO, home_of_account(e->identity.account),
                             &msg_hello_desc, &hello) != NULL;
    hello_at(e, sent ? NEVER : now.mono_ms + RETRY_MIN_MS);
}

static void move_tell(struct engine *e)
{
    if (e->move_told) return;
    e->move_told = true;
    event_put(e, &(struct engine_event){.kind = ENGINE_MOVE});
}

/* Also for REGISTER, which stands in HELLO's place. */
void hello_failed(struct engine *e, struct now now, struct request *r, enum status s,
                  uint32_t retry_after_ms)
{
    (void)r;
    if (e->session_state != SESSION_GREETING && e->session_state != SESSION_REGISTERING) return;
    if (s == STATUS_GONE) return;
    if (e->joining && (joining_waits(e, s) || s == STATUS_REFUSED)) joining_refused(e, now);
    if (e->session_state == SESSION_STOPPED) return;
    if (joining_waits(e, s)) {
        hello_later(e, now, retry_after_ms);
        return;
    }
    if (s == STATUS_NOT_FOUND && e->introduced < INTRODUCTIONS_MAX &&
        session_step(e, ON_UNKNOWN)) {
        e->introduced++;
        hello_at(e, now.mono_ms);
        return;
    }
    if (status_client_action(s) == ACTION_GIVE_UP && s != STATUS_SUPERSEDED) {
        session_stop(e, now, s);
        return;
    }
    hello_later(e, now, retry_after_ms);
    if (s == STATUS_TIMEOUT && e->hello_tries >= 3) move_tell(e);
}

static bool map_differs(const struct msg_map *a, const struct msg_map *b)
{
    bool differs = a->range_count != b->range_count;
    for (size_t i = 0; i < a->range_count && !differs; i++)
        differs = memcmp(&a->ranges[i].store, &b->ranges[i].store, sizeof(struct store_id)) != 0;
    return differs;
}

/* Another store somewhere: what became of our messages is asked at once. */
static enum status map_take(struct engine *e, struct now now, const struct msg_map *map)
{
    if (map_differs(&e->map, map)) earlier(&e->status_ms, now.mono_ms);
    e->map.version = map->version;
    e->map.range_count = map->range_count;
    if (map->range_count)
        memcpy(e->map.ranges, map->ranges, map->range_count * sizeof *map->ranges);
    policy_map(e, now);
    return terms_seen(e, now);
}

bool store_of(const struct engine *e, uint16_t home, struct store_id *out)
{
    for (size_t i = 0; i < e->map.range_count; i++) {
        const struct msg_range *range = &e->map.ranges[i];
        if (home < range->first || home > range->last) continue;
        *out = range->store;
        return true;
    }
    *out = (struct store_id){0};
    return false;
}

static void clock_take(struct engine *e, struct now now, uint64_t relay_ms)
{
    e->relay_ahead_ms = (int64_t)(relay_ms - now.mono_ms);
    e->relay_known = true;
}

void welcome_reply(struct engine *e, struct now now, struct request *r, const struct frame *f)
{
    struct msg_welcome w;
    if (codec_decode(&msg_welcome_desc, f->meta, &e->arena, &w) != STATUS_OK) {
        e->counts.frames_bad++;
        hello_failed(e, now, r, STATUS_UNKNOWN, 0);
        return;
    }
    if (!session_step(e, ON_WELCOME)) return;
    e->session = w.session;
    e->session_count++;
    e->welcome_ms = now.mono_ms;
    e->pings_lost = 0;
    e->ping_ms = w.ping_ms ? w.ping_ms : PING_DEFAULT_MS;
    clock_take(e, now, w.relay_ms);
    e->introduced = 0;
    acks_reset(e);
    e->outbox_ms = e->sweep_ms = e->claim_ms = e->change_ms = e->status_ms = now.mono_ms;
    e->status_after = 0;
    event_put(e, &(struct engine_event){.kind = ENGINE_CONNECTED, .attached = e->attached});
    (void)engine_fault(e, map_take(e, now, &w.map));
    (void)store_of(e, home_of_account(e->identity.account), &e->home_store);
    contact_own(e, now, &w.log);
    joining_welcome(e, now, &w.log);
    prekeys_told(e, now, &w.prekeys);
    policy_welcome(e, now, w.contacts_version);
    if (e->attached) opening_sweep(e, now);
    bool judged = lineage_heard(e, now, w.lineage);
    if (!judged || e->attach != e->attached) session_lost(e, now); /* or the wish has changed meanwhile */
}

/* ---- PING ---- */

/* The broker answers at once: what does not come within a ping's time says that nothing passes here any more. */
static void ping_send(struct engine *e, struct now now)
{
    struct msg_empty empty = {0};
    struct request *r = request_make(e, now, KIND_PING, 0, &msg_empty_desc, &empty);
    uint64_t wait_ms = e->ping_ms > PING_WAIT_MIN_MS ? e->ping_ms : PING_WAIT_MIN_MS;
    if (!r) return;
    earlier(&r->deadline_ms, now.mono_ms + wait_ms);
    e->ping_under_way = true;
    e->ping_wanted = false;
}

/* A store that took the place of the one which gave the session may not know our account: HELLO finds out. */
static bool home_is_elsewhere(const struct engine *e)
{
    struct store_id none = {{0}}, store;
    return e->session_state == SESSION_BOUND && memcmp(&e->home_store, &none, sizeof none) != 0 &&
           store_of(e, home_of_account(e->identity.account), &store) &&
           memcmp(&e->home_store, &store, sizeof store) != 0;
}

void pong_reply(struct engine *e, struct now now, struct request *r, const struct frame *f)
{
    struct msg_pong pong;
    (void)r;
    e->ping_under_way = false;
    if (codec_decode(&msg_pong_desc, f->meta, &e->arena, &pong) != STATUS_OK) {
        e->counts.frames_bad++;
        return;
    }
    e->pings_lost = 0;
    clock_take(e, now, pong.relay_ms);
    (void)engine_fault(e, map_take(e, now, &pong.map));
    if (home_is_elsewhere(e)) session_lost(e, now);
}

void ping_failed(struct engine *e, struct now now, struct request *r, enum status s,
                 uint32_t retry_after_ms)
{
    (void)now, (void)r, (void)retry_after_ms;
    e->ping_under_way = false;
    if (s == STATUS_TIMEOUT && ++e->pings_lost >= 2) move_tell(e);
}

static uint64_t ping_at_ms(const struct engine *e)
{
    if (e->session_state != SESSION_BOUND || e->ping_under_way) return NEVER;
    return e->ping_wanted ? e->said_ms + RETRY_MIN_MS : e->said_ms + e->ping_ms / 2;
}

/* ---- DRAIN, BYE ---- */

void session_drain(struct engine *e, struct now now, uint32_t deadline_ms)
{
    uint64_t until = now.mono_ms + deadline_ms;
    if (!e->draining || until < e->drain_ms) e->drain_ms = until;
    e->draining = true;
}

void engine_leave(struct engine *e, struct now now)
{
    (void)now;
    e->leaving = true;
}

static void left_tell(struct engine *e)
{
    e->leaving = false;
    event_put(e, &(struct engine_event){.kind = ENGINE_LEFT});
}

void goodbye_reply(struct engine *e, struct now now, struct request *r, const struct frame *f)
{
    (void)r, (void)f;
    session_lost(e, now);
    hello_at(e, NEVER);
    left_tell(e);
}

void bye_failed(struct engine *e, struct now now, struct request *r, enum status s,
                uint32_t retry_after_ms)
{
    (void)s, (void)retry_after_ms;
    goodbye_reply(e, now, r, NULL);
}

static void leave_drive(struct engine *e, struct now now)
{
    struct msg_empty empty = {0};
    if (e->session_state != SESSION_BOUND)
        left_tell(e);
    else if (!e->request_count && !ack_pending(e))
        (void)request_make(e, now, KIND_BYE, home_of_account(e->identity.account),
                           &msg_empty_desc, &empty);
}

/* ---- what is due ---- */

void session_drive(struct engine *e, struct now now)
{
    bool due = e->hello_ms <= now.mono_ms;
    if (e->draining && (!e->request_count || e->drain_ms <= now.mono_ms)) move_tell(e);
    if (e->leaving) leave_drive(e, now);
    if (due && e->session_state == SESSION_REGISTERING) register_send(e, now);
    if (due && e->session_state == SESSION_GREETING) hello_send(e, now);
    if (ping_at_ms(e) <= now.mono_ms && !e->draining) ping_send(e, now);
}

uint64_t session_deadline_ms(const struct engine *e)
{
    uint64_t deadline = NEVER;
    if (e->session_state == SESSION_REGISTERING || e->session_state == SESSION_GREETING)
        earlier(&deadline, e->hello_ms);
    if (e->draining && !e->move_told) earlier(&deadline, e->drain_ms);
    if (!e->draining && request_room(e)) earlier(&deadline, ping_at_ms(e));
    return deadline;
}
