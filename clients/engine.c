/* engine: the front of the client core: what happened goes to the part that it concerns, what is due is
 * driven, events and frames come out. The parts know the protocol; this file knows their order and the
 * one way to begin and end a transaction. Invariant: after IO or DAMAGED from the state (`broken`) no
 * frame is made any more: what is on disk is uncertain, the next process finds out. */
#include "clients/approve.h"
#include "clients/drift.h"
#include "clients/linking_core.h"
#include "clients/recovery_core.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static void *heap(size_t count, size_t size)
{
    void *at = calloc(count, size);
    if (!at) abort();
    return at;
}

/* ---- transactions ---- */

enum status tx_begin(struct engine *e, enum state_mode mode)
{
    if (e->broken != STATUS_OK) return e->broken;
    e->event_mark = e->event_count;
    return state_begin(e->state, mode);
}

enum status tx_end(struct engine *e, enum status s)
{
    if (s == STATUS_OK)
        s = state_commit(e->state);
    else
        state_rollback(e->state);
    if (s != STATUS_OK) e->event_count = e->event_mark;
    return s;
}

bool engine_fault(struct engine *e, enum status s)
{
    if (s == STATUS_OK) return true;
    if (s != STATUS_IO && s != STATUS_DAMAGED) return false;
    if (e->broken == STATUS_OK) {
        e->broken = s;
        frames_clear(e);
        event_put(e, &(struct engine_event){.kind = ENGINE_FAILED, .status = s});
    }
    return false;
}

/* ---- events ---- */

static void events_grow(struct engine *e)
{
    size_t cap = e->event_cap ? 2 * e->event_cap : EVENTS_MIN;
    struct engine_event *events = heap(cap, sizeof *events);
    for (size_t i = 0; i < e->event_count; i++)
        events[i] = e->events[(e->event_first + i) % e->event_cap];
    free(e->events);
    e->events = events;
    e->event_cap = cap;
    e->event_first = 0;
}

/* What falls out when the ring is full is the new one; the application is told once, with the count. */
void event_put(struct engine *e, const struct engine_event *event)
{
    if (e->event_count == e->event_cap && e->event_cap < EVENTS_MAX) events_grow(e);
    if (e->event_count == e->event_cap) {
        e->events_dropped++;
        return;
    }
    e->events[(e->event_first + e->event_count) % e->event_cap] = *event;
    e->event_count++;
}

bool engine_next_event(struct engine *e, struct engine_event *out)
{
    *out = (struct engine_event){0};
    if (e->event_count) {
        *out = e->events[e->event_first];
        e->event_first = (e->event_first + 1) % e->event_cap;
        e->event_count--;
        return true;
    }
    if (!e->events_dropped) return false;
    *out = (struct engine_event){.kind = ENGINE_OVERFLOW, .count = e->events_dropped};
    e->events_dropped = 0;
    return true;
}

const char *engine_event_name(unsigned kind)
{
    switch (kind) {
#define X(NAME, text) case ENGINE_##NAME: return text;
        ENGINE_EVENT_LIST(X)
#undef X
    default: return "?";
    }
}

/* ---- times, randomness ---- */

void earlier(uint64_t *deadline_ms, uint64_t ms)
{
    if (ms < *deadline_ms) *deadline_ms = ms;
}

void random_fill(struct engine *e, void *out, size_t len)
{
    e->config.random.fill(e->config.random.self, out, len);
}

uint64_t backoff_ms(struct engine *e, unsigned tries, uint64_t min_ms, uint64_t max_ms)
{
    uint8_t bytes[8];
    uint64_t full = tries < 20 ? min_ms << tries : max_ms;
    if (full > max_ms) full = max_ms;
    random_fill(e, bytes, sizeof bytes);
    return full / 2 + get_u64(bytes) % (full / 2 + 1);
}

uint64_t engine_relay_ms(const struct engine *e, struct now now)
{
    return e->relay_known ? now.mono_ms + (uint64_t)e->relay_ahead_ms : now.wall_ms;
}

/* ---- life ---- */

static void config_fill(struct engine_config *c)
{
    if (!c->credit_messages || c->credit_messages > CREDIT_MESSAGES_MAX)
        c->credit_messages = CREDIT_MESSAGES_MAX; /* the relay grants no more */
    if (!c->credit_bytes || c->credit_bytes > CREDIT_BYTES_MAX) c->credit_bytes = CREDIT_BYTES_MAX;
    if (!c->request_timeout_ms) c->request_timeout_ms = 10000;
    if (!c->poll_ms) c->poll_ms = 1000;
    if (!c->status_every_ms) c->status_every_ms = 30000;
}

enum status engine_new(const struct engine_config *config, struct state *state,
                       struct engine **out)
{
    *out = NULL;
    struct engine *e = heap(1, sizeof *e);
    e->config = *config;
    config_fill(&e->config);
    e->state = state;
    e->attach = config->attach;
    e->ping_ms = PING_DEFAULT_MS;
    e->map.ranges = heap(MAP_RANGES_MAX, sizeof *e->map.ranges);
    e->outbox_ms = e->sweep_ms = e->status_ms = NEVER;
    e->batch_max = SENDS_PER_FRAME;
    for (size_t i = 0; i < WAKES_MAX; i++)
        e->wakes[i] = NEVER;
    acks_reset(e);
    enum status s = identity_load(e);
    if (s == STATUS_OK) s = own_log_ensure(e);
    if (s == STATUS_OK)
        *out = e;
    else
        engine_free(&e);
    return s;
}

void engine_free(struct engine **at)
{
    struct engine *e = *at;
    if (!e) return;
    frames_clear(e);
    for (size_t i = 0; i < REQUESTS_MAX; i++)
        free(e->requests[i].batch);
    pair_forget(e);
    engine_link_drop(e);
    backup_free(e);
    sodium_free(e->work);
    buffer_fini(&e->plain);
    buffer_fini(&e->acks.failed);
    buffer_fini(&e->acks.untaken);
    buffer_fini(&e->scratch);
    arena_fini(&e->arena);
    arena_fini(&e->identity_arena);
    free(e->map.ranges);
    free(e->events);
    free(e);
    *at = NULL;
}

/* ---- what happened ---- */

void engine_up(struct engine *e, struct now now)
{
    if (e->broken != STATUS_OK) return;
    arena_reset(&e->arena);
    if (e->session_state != SESSION_DOWN) engine_down(e, now);
    session_up(e, now);
}

void engine_down(struct engine *e, struct now now)
{
    if (e->broken != STATUS_OK) return;
    arena_reset(&e->arena);
    frames_clear(e);
    session_down(e, now);
    requests_fail_all(e, now);
}

static void superseded_push(struct engine *e, struct now now, const struct frame *f)
{
    struct msg_superseded m;
    if (codec_decode(&msg_superseded_desc, f->meta, &e->arena, &m) != STATUS_OK)
        e->counts.frames_bad++;
    else if (session_compare(m.by, e->session) > 0)
        session_superseded(e, now);
}

static void drain_push(struct engine *e, struct now now, const struct frame *f)
{
    struct msg_drain m;
    if (codec_decode(&msg_drain_desc, f->meta, &e->arena, &m) != STATUS_OK)
        e->counts.frames_bad++;
    else
        session_drain(e, now, m.deadline_ms);
}

/* An ERROR that answers nothing: the relay has ended the session by itself. */
static void error_push(struct engine *e, struct now now, const struct frame *f)
{
    struct msg_error m;
    if (codec_decode(&msg_error_desc, f->meta, &e->arena, &m) != STATUS_OK)
        e->counts.frames_bad++;
    else if (status_from_wire(m.status) == STATUS_NO_SESSION)
        session_lost(e, now);
}

void engine_frame(struct engine *e, struct now now, struct view bytes)
{
    struct frame f;
    if (e->broken != STATUS_OK || e->session_state == SESSION_DOWN) return;
    arena_reset(&e->arena);
    if (frame_check(bytes, FROM_RELAY, &f) != STATUS_OK) {
        e->counts.frames_bad++;
        return;
    }
    if (f.header.kind == KIND_DELIVER)
        deliver_push(e, now, &f);
    else if (f.header.kind == KIND_HINT)
        hint_push(e, now, &f);
    else if (f.header.kind == KIND_SUPERSEDED)
        superseded_push(e, now, &f);
    else if (f.header.kind == KIND_DRAIN)
        drain_push(e, now, &f);
    else if (f.header.kind == KIND_PREKEYS_LOW)
        prekeys_low_push(e, now, &f);
    else if (f.header.kind == KIND_LOG_GREW)
        log_grew_push(e, now, &f);
    else if (f.header.kind == KIND_CONTACTS_CHANGED)
        policy_push(e, now, &f);
    else if (f.header.kind == KIND_ERROR && !f.header.correlation)
        error_push(e, now, &f);
    else
        request_answer(e, now, &f);
}

void engine_tick(struct engine *e, struct now now)
{
    if (e->broken != STATUS_OK) return;
    arena_reset(&e->arena);
    requests_expire(e, now);
    ack_drive(e, now);
    session_drive(e, now);
    claim_drive(e, now);
    change_drive(e, now);
    if (may_ask(e)) link_drive(e, now);
    backup_drive(e, now);
    prekeys_drive(e, now);
    terms_drive(e, now);
    submit_drive(e, now);
    policy_drive(e, now);  /* after the outbox, which allows whom it sends to */
    contact_drive(e, now); /* and begins look-ups */
    witness_drive(e, now);
    receipt_drive(e, now);
}

uint64_t engine_deadline_ms(const struct engine *e)
{
    uint64_t deadline = NEVER;
    if (e->broken != STATUS_OK) return NEVER;
    earlier(&deadline, requests_deadline_ms(e));
    earlier(&deadline, session_deadline_ms(e));
    earlier(&deadline, ack_deadline_ms(e));
    if (!may_ask(e)) return deadline;
    earlier(&deadline, claim_deadline_ms(e));
    earlier(&deadline, change_deadline_ms(e));
    earlier(&deadline, link_deadline_ms(e));
    earlier(&deadline, backup_deadline_ms(e));
    earlier(&deadline, prekeys_deadline_ms(e));
    earlier(&deadline, policy_deadline_ms(e));
    earlier(&deadline, contact_deadline_ms(e));
    earlier(&deadline, witness_deadline_ms(e));
    earlier(&deadline, terms_deadline_ms(e));
    earlier(&deadline, submit_deadline_ms(e));
    earlier(&deadline, e->status_ms);
    return deadline;
}

bool engine_is_bound(const struct engine *e)
{
    return e->session_state == SESSION_BOUND;
}

bool engine_is_idle(const struct engine *e)
{
    return !e->request_count && !e->frame_count && !ack_pending(e) && backup_deadline_ms(e) == NEVER;
}

struct engine_counts engine_counts(const struct engine *e)
{
    return e->counts;
}
