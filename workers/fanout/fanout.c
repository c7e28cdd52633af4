/* fanout: see fanout.h. Brokers (who is there), stores (whom to ask, from the map), wakes
 * (wakes.c) and the frames between them. It is no HTTP client (webhook.c) and no socket
 * (workers/link.c); in step 5 of docs/ARCHITECTURE, "deliver", it is the part for devices that are
 * offline.
 *
 * Invariants: all requests go to one broker, the first that is ready; when that one is lost, every
 * open request counts as unheard and is made again elsewhere. What is asked for (stores_reserved)
 * plus what is held never exceeds WAKES_MAX. */
#include "workers/fanout/fanout.h"
#include "workers/fanout/stores.h"
#include "workers/fanout/wakes.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct peer {
    bool ready;
    struct boot_id boot;
    uint64_t heard_ms;
    uint64_t ready_due_ms;
    struct buffer out;
};

struct fanout {
    struct fanout_config config;
    uint64_t beat_due_ms;
    uint64_t leave_by_ms; /* 0 = not leaving */
    uint64_t last_correlation;
    uint64_t turns, posted;
    struct peer peers[FANOUT_BROKERS_MAX];
    struct stores stores;
    struct wakes wakes;
    struct event_ring journal; /* for this process's log */
    struct event_ring records; /* for the store */
    struct arena arena;        /* one slab's decoded metas */
};

static const struct stamp stamp_none;

/* ---- small things ---- */

static struct event *event_blank(struct event *e, struct now now, enum event_kind kind)
{
    *e = (struct event){.at_ms = now.wall_ms, .kind = kind};
    return e;
}

static void event_put(struct fanout *f, const struct event *e)
{
    event_ring_put(&f->journal, e);
    event_ring_put(&f->records, e);
}

static void wake_event_put(struct fanout *f, struct now now, enum event_kind kind,
                           const struct wake *w, uint32_t code, uint64_t value)
{
    struct event e;
    event_blank(&e, now, kind);
    e.code = code;
    e.count = w->attempt;
    e.value = value;
    e.account = mark_account(&f->config.mark_key, w->account);
    e.device = mark_device(&f->config.mark_key, w->device);
    e.store = w->store;
    event_put(f, &e);
}

static struct peer *peer_active(struct fanout *f)
{
    for (size_t i = 0; i < f->config.broker_count; i++)
        if (f->peers[i].ready) return &f->peers[i];
    return NULL;
}

static bool peer_has_room(const struct peer *p)
{
    return p->out.len < FANOUT_SLAB_MAX;
}

static void peer_write(struct peer *p, const struct frame_header *h, const struct codec_desc *desc,
                       const void *message)
{
    if (!p->out.len) slab_begin(&p->out);
    size_t item = slab_item_begin(&p->out, &stamp_none);
    frame_write(&p->out, h, desc, message);
    slab_item_end(&p->out, item);
}

static void peer_write_plain(struct peer *p, enum frame_kind kind, const struct codec_desc *desc,
                             const void *message)
{
    peer_write(p, &(struct frame_header){.kind = (uint8_t)kind}, desc, message);
}

/* ---- brokers ---- */

static void requests_unheard(struct fanout *f, uint64_t now_ms)
{
    stores_age(&f->stores, now_ms, 0);
    for (size_t i = 0; i < WAKES_MAX; i++) {
        struct wake *w = &f->wakes.table[i];
        if (w->state != WAKE_REPORTED) continue;
        wake_step(w, WAKE_UNHEARD);
        w->due_ms = now_ms;
    }
}

static void peer_lose(struct fanout *f, struct peer *p, struct now now)
{
    bool was_active = p == peer_active(f);
    buffer_clear(&p->out);
    if (!p->ready) return;
    struct event e;
    event_blank(&e, now, EVENT_BROKER_LOST);
    e.value = now.mono_ms - p->heard_ms;
    event_put(f, &e);
    p->ready = false;
    p->ready_due_ms = now.mono_ms;
    if (was_active) requests_unheard(f, now.mono_ms);
}

static void map_take(struct fanout *f, struct peer *p, const struct msg_map *map, struct now now)
{
    p->heard_ms = now.mono_ms;
    if (p == peer_active(f)) stores_follow(&f->stores, map, now.mono_ms);
}

static enum status on_peer(struct fanout *f, struct peer *p, const struct frame *frame,
                           struct now now)
{
    struct msg_peer peer;
    enum status s = codec_decode(&msg_peer_desc, frame->meta, &f->arena, &peer);
    if (s != STATUS_OK) return s;
    if (p->ready && memcmp(&p->boot, &peer.boot, sizeof p->boot) != 0) peer_lose(f, p, now);
    p->ready = true;
    p->boot = peer.boot;
    map_take(f, p, &peer.map, now);
    return STATUS_OK;
}

static enum status on_heartbeat(struct fanout *f, struct peer *p, const struct frame *frame,
                                struct now now)
{
    struct msg_heartbeat beat;
    enum status s = codec_decode(&msg_heartbeat_desc, frame->meta, &f->arena, &beat);
    if (s == STATUS_OK && p->ready) map_take(f, p, &beat.map, now);
    return s;
}

/* ---- stores and leases ---- */

static enum status on_wakes_waiting(struct fanout *f, struct peer *p, const struct frame *frame,
                                    struct now now)
{
    (void)p;
    stores_waiting(&f->stores, frame->header.home, now.mono_ms);
    return STATUS_OK;
}

static void wake_finish(struct fanout *f, struct now now, struct wake *w, bool sent,
                        uint64_t retry_ms)
{
    w->sent = sent;
    w->retry_ms = retry_ms;
    w->due_ms = now.mono_ms;
    wake_step(w, WAKE_ANSWERED);
    f->posted++;
}

static void wake_admit(struct fanout *f, struct now now, const struct store *s,
                       const struct msg_wake *m, uint64_t lease_end_ms)
{
    struct wake *w = wakes_lease(&f->wakes, m->device);
    if (!w) return; /* held already (its lease had run out), or more than we asked for */
    w->account = m->account;
    w->store = s->id;
    w->home = s->home;
    w->attempt = m->attempt ? m->attempt : 1;
    w->lease_end_ms = lease_end_ms;
    if (f->config.webhook) return;
    wake_event_put(f, now, EVENT_WAKE_SKIPPED, w, 0, 0);
    wake_step(w, WAKE_HANDED_OUT);
    wake_finish(f, now, w, true, 0);
}

static enum status on_leased(struct fanout *f, struct peer *p, const struct frame *frame,
                             struct now now)
{
    (void)p;
    struct msg_leased leased;
    enum status status = codec_decode(&msg_leased_desc, frame->meta, &f->arena, &leased);
    if (status != STATUS_OK) return status;
    struct store *s = stores_asked(&f->stores, frame->header.correlation);
    if (!s) return STATUS_OK; /* answered too late: those leases run out */
    bool again = leased.wake_count && (leased.more || leased.wake_count >= s->asked);
    store_answered(s, now.mono_ms, now.mono_ms + (again ? 0 : FANOUT_POLL_MS));
    for (size_t i = 0; i < leased.wake_count; i++)
        wake_admit(f, now, s, &leased.wakes[i], s->asked_ms + FANOUT_LEASE_MS);
    return STATUS_OK;
}

static enum status on_woken_ok(struct fanout *f, struct peer *p, const struct frame *frame,
                               struct now now)
{
    (void)p, (void)now;
    for (size_t i = 0; i < WAKES_MAX; i++) {
        struct wake *w = &f->wakes.table[i];
        if (w->state == WAKE_REPORTED && w->correlation == frame->header.correlation)
            wake_step(w, WAKE_CONFIRMED);
    }
    return STATUS_OK;
}

static enum status on_error(struct fanout *f, struct peer *p, const struct frame *frame,
                            struct now now)
{
    (void)p;
    struct msg_error error;
    enum status status = codec_decode(&msg_error_desc, frame->meta, &f->arena, &error);
    if (status != STATUS_OK) return status;
    uint64_t wait_ms =
        error.retry_after_ms > FANOUT_BEAT_MS ? error.retry_after_ms : FANOUT_BEAT_MS;
    uint64_t due_ms = now.mono_ms + (wait_ms < FANOUT_POLL_MS ? wait_ms : FANOUT_POLL_MS);
    struct store *s = stores_asked(&f->stores, frame->header.correlation);
    if (s) store_answered(s, due_ms, due_ms);
    for (size_t i = 0; i < WAKES_MAX; i++) {
        struct wake *w = &f->wakes.table[i];
        if (w->state != WAKE_REPORTED || w->correlation != frame->header.correlation) continue;
        wake_step(w, WAKE_UNHEARD);
        w->due_ms = due_ms;
    }
    return STATUS_OK;
}

/* ---- what comes in ---- */

static const struct {
    enum frame_kind kind;
    enum status (*run)(struct fanout *, struct peer *, const struct frame *, struct now);
} handlers[] = {
    {KIND_PEER, on_peer},
    {KIND_HEARTBEAT, on_heartbeat},
    {KIND_WAKES_WAITING, on_wakes_waiting},
    {KIND_LEASED, on_leased},
    {KIND_WOKEN_OK, on_woken_ok},
    {KIND_ERROR, on_error},
};

static enum status frame_take(struct fanout *f, struct peer *p, struct view bytes, unsigned *kind,
                              struct now now)
{
    struct frame frame;
    enum status s = frame_check(bytes, FROM_RELAY, &frame);
    *kind = frame.header.kind;
    if (s != STATUS_OK) return s;
    for (size_t i = 0; i < sizeof handlers / sizeof handlers[0]; i++)
        if ((unsigned)handlers[i].kind == *kind) return handlers[i].run(f, p, &frame, now);
    return STATUS_UNSUPPORTED;
}

static void refused(struct fanout *f, struct now now, enum status s, unsigned kind)
{
    struct event e;
    event_blank(&e, now, EVENT_FRAME_REFUSED);
    e.code = (uint32_t)s;
    e.count = kind;
    event_put(f, &e);
}

void fanout_receive(struct fanout *f, struct now now, size_t broker, struct view slab)
{
    ENSURE(broker < f->config.broker_count);
    struct peer *p = &f->peers[broker];
    struct slab_header header;
    struct slab_reader items;
    struct stamp stamp;
    struct view bytes;
    enum status s = slab_open(slab, &header, &items);
    if (s == STATUS_OK && header.role != ROLE_BROKER) s = STATUS_REFUSED;
    if (s != STATUS_OK) {
        refused(f, now, s, 0);
        return;
    }
    if (p->ready && memcmp(&p->boot, &header.boot, sizeof p->boot) != 0) peer_lose(f, p, now);
    while (slab_next(&items, &stamp, &bytes)) {
        unsigned kind = 0;
        s = frame_take(f, p, bytes, &kind, now);
        if (s != STATUS_OK) refused(f, now, s, kind);
    }
    s = slab_done(&items);
    if (s != STATUS_OK) refused(f, now, s, 0);
    arena_reset(&f->arena);
}

/* ---- posts ---- */

bool fanout_post_next(struct fanout *f, struct fanout_post *out)
{
    *out = (struct fanout_post){0};
    struct wake *w = wakes_queued(&f->wakes);
    if (!w) return false;
    wake_step(w, WAKE_HANDED_OUT);
    *out = (struct fanout_post){.token = w->token, .device = w->device, .account = w->account};
    return true;
}

/* 0 = give up: the receiver said "gone", or this was the last attempt. */
static uint64_t retry_after(const struct fanout *f, const struct wake *w, unsigned http_status)
{
    if (http_status == 410 || w->attempt >= f->config.wake_attempts) return 0;
    return wake_backoff_ms(w, f->config.wake_retry_ms, FANOUT_RETRY_MAX_MS);
}

void fanout_posted(struct fanout *f, struct now now, uint64_t token, unsigned http_status,
                   uint64_t latency_ms)
{
    struct wake *w = wakes_posting(&f->wakes, token);
    ENSURE(w != NULL);
    bool sent = http_status >= 200 && http_status < 300;
    uint64_t retry_ms = sent ? 0 : retry_after(f, w, http_status);
    wake_event_put(f, now, sent ? EVENT_WAKE_SENT : EVENT_WAKE_FAILED, w, http_status,
                   sent ? latency_ms : retry_ms);
    wake_finish(f, now, w, sent, retry_ms);
}

/* ---- what goes out ---- */

static void lease_ask(struct fanout *f, struct peer *p, struct store *s, uint32_t count,
                      struct now now)
{
    struct msg_lease lease = {.count = count, .lease_ms = FANOUT_LEASE_MS};
    s->correlation = ++f->last_correlation;
    s->waiting = false;
    s->asked = count;
    s->asked_ms = now.mono_ms;
    struct frame_header h = {.kind = KIND_LEASE, .correlation = s->correlation, .home = s->home};
    peer_write(p, &h, &msg_lease_desc, &lease);
}

/* All free places for the store that has waited longest; the next one when that has answered. */
static void leases_ask(struct fanout *f, struct peer *p, struct now now)
{
    stores_age(&f->stores, now.mono_ms, FANOUT_ANSWER_MS);
    size_t taken = wakes_used(&f->wakes) + stores_reserved(&f->stores);
    struct store *s = taken < WAKES_MAX ? stores_due(&f->stores, now.mono_ms) : NULL;
    if (s && peer_has_room(p)) lease_ask(f, p, s, (uint32_t)(WAKES_MAX - taken), now);
}

static bool wake_due(const struct wake *w, struct now now)
{
    return w->state == WAKE_DONE && now.mono_ms >= w->due_ms;
}

/* One WOKEN for all results of the store of `first`. */
static void store_tell(struct fanout *f, struct peer *p, const struct wake *first, struct now now)
{
    struct msg_wake_result results[WAKES_MAX];
    struct msg_woken woken = {.results = results};
    struct frame_header h = {
        .kind = KIND_WOKEN, .correlation = ++f->last_correlation, .home = first->home};
    for (size_t i = 0; i < WAKES_MAX; i++) {
        struct wake *w = &f->wakes.table[i];
        if (!wake_due(w, now) || w->home != h.home) continue;
        results[woken.result_count++] = (struct msg_wake_result){
            .device = w->device, .account = w->account, .sent = w->sent, .retry_ms = w->retry_ms};
        w->correlation = h.correlation;
        w->told_ms = now.mono_ms;
        wake_step(w, WAKE_TOLD);
    }
    h.item_count = (uint16_t)woken.result_count;
    peer_write(p, &h, &msg_woken_desc, &woken);
}

static void results_tell(struct fanout *f, struct peer *p, struct now now)
{
    for (size_t i = 0; i < WAKES_MAX && peer_has_room(p); i++)
        if (wake_due(&f->wakes.table[i], now)) store_tell(f, p, &f->wakes.table[i], now);
}

static void events_tell(struct fanout *f, struct peer *p)
{
    struct msg_event events[EVENTS_PER_FRAME];
    struct event e;
    if (!f->stores.count) return;
    while (peer_has_room(p)) {
        struct msg_record record = {.events = events};
        while (record.event_count < EVENTS_PER_FRAME && event_ring_take(&f->records, &e))
            events[record.event_count++] = msg_event_of(&e);
        if (!record.event_count) return;
        struct frame_header h = {.kind = KIND_RECORD,
                                 .item_count = (uint16_t)record.event_count,
                                 .home = stores_record_home(&f->stores)};
        peer_write(p, &h, &msg_record_desc, &record);
    }
}

static void ready_tell(struct fanout *f, struct peer *p, struct now now)
{
    struct msg_ready ready = {.role = ROLE_FANOUT, .boot = f->config.boot, .credit = WAKES_MAX};
    p->ready_due_ms = now.mono_ms + FANOUT_READY_MS;
    peer_write_plain(p, KIND_READY, &msg_ready_desc, &ready);
}

static void beat_tell(struct fanout *f, struct peer *p)
{
    size_t held = wakes_used(&f->wakes);
    struct msg_heartbeat beat = {.row = {.role = ROLE_FANOUT,
                                         .boot = f->config.boot,
                                         .pending = held,
                                         .wakes = held,
                                         .turns = f->turns,
                                         .items = f->posted,
                                         .state = f->leave_by_ms ? STORE_DRAINING
                                                                 : STORE_SERVING}};
    peer_write_plain(p, KIND_HEARTBEAT, &msg_heartbeat_desc, &beat);
}

/* Leases that ended and reports without an answer; after results_tell, so that a result that came
 * late is still told once. */
static void wakes_age(struct fanout *f, struct now now)
{
    for (size_t i = 0; i < WAKES_MAX; i++) {
        struct wake *w = &f->wakes.table[i];
        if (w->state == WAKE_FREE) continue;
        if (w->state == WAKE_REPORTED && now.mono_ms - w->told_ms >= FANOUT_ANSWER_MS)
            wake_step(w, WAKE_UNHEARD);
        if (now.mono_ms >= w->lease_end_ms) wake_step(w, WAKE_LEASE_OVER);
    }
}

static void peers_step(struct fanout *f, struct now now, bool beat)
{
    for (size_t i = 0; i < f->config.broker_count; i++) {
        struct peer *p = &f->peers[i];
        if (p->ready && now.mono_ms - p->heard_ms >= FANOUT_SILENCE_MS) peer_lose(f, p, now);
        if (!peer_has_room(p)) continue;
        if (!p->ready && now.mono_ms >= p->ready_due_ms && !f->leave_by_ms) ready_tell(f, p, now);
        if (p->ready && beat) beat_tell(f, p);
    }
}

void fanout_step(struct fanout *f, struct now now)
{
    bool beat = now.mono_ms >= f->beat_due_ms;
    f->turns++;
    if (beat) f->beat_due_ms = now.mono_ms + FANOUT_BEAT_MS;
    peers_step(f, now, beat);
    struct peer *p = peer_active(f);
    if (p) results_tell(f, p, now);
    wakes_age(f, now);
    if (p && !f->leave_by_ms) leases_ask(f, p, now);
    if (p) events_tell(f, p);
}

uint64_t fanout_deadline_ms(const struct fanout *f)
{
    return f->beat_due_ms;
}

bool fanout_outgoing(struct fanout *f, size_t broker, struct view *slab)
{
    ENSURE(broker < f->config.broker_count);
    struct buffer *out = &f->peers[broker].out;
    *slab = (struct view){0};
    if (!out->len) return false;
    slab_finish(out, &(struct slab_header){.role = ROLE_FANOUT, .boot = f->config.boot});
    *slab = buffer_view(out);
    return true;
}

void fanout_sent(struct fanout *f, struct now now, size_t broker, enum status s)
{
    ENSURE(broker < f->config.broker_count);
    struct peer *p = &f->peers[broker];
    if (s == STATUS_OK) buffer_clear(&p->out);
    if (s == STATUS_OK || s == STATUS_FULL) return;
    peer_lose(f, p, now);
    p->ready_due_ms = now.mono_ms; /* not sent: again with the next step that has a connection */
}

bool fanout_event(struct fanout *f, struct event *out)
{
    return event_ring_take(&f->journal, out);
}

void fanout_leave(struct fanout *f, struct now now)
{
    if (f->leave_by_ms) return;
    struct event e;
    struct msg_empty empty = {0};
    f->leave_by_ms = now.mono_ms + FANOUT_DRAIN_MS;
    event_blank(&e, now, EVENT_PROCESS_DRAINING)->code = ROLE_FANOUT;
    event_put(f, &e);
    for (size_t i = 0; i < f->config.broker_count; i++)
        if (f->peers[i].ready)
            peer_write_plain(&f->peers[i], KIND_LEAVING, &msg_empty_desc, &empty);
}

bool fanout_left(const struct fanout *f, struct now now)
{
    if (!f->leave_by_ms) return false;
    if (now.mono_ms >= f->leave_by_ms) return true;
    for (size_t i = 0; i < f->config.broker_count; i++)
        if (f->peers[i].out.len) return false;
    return wakes_used(&f->wakes) == 0;
}

struct fanout *fanout_new(const struct fanout_config *config, struct now now)
{
    ENSURE(config->broker_count >= 1 && config->broker_count <= FANOUT_BROKERS_MAX);
    ENSURE(config->wake_attempts > 0);
    struct fanout *f = calloc(1, sizeof *f);
    ENSURE(f != NULL);
    f->config = *config;
    f->beat_due_ms = now.mono_ms;
    wakes_init(&f->wakes);
    struct event e;
    event_blank(&e, now, EVENT_PROCESS_STARTED)->code = ROLE_FANOUT;
    event_put(f, &e);
    return f;
}

void fanout_free(struct fanout **f)
{
    if (!*f) return;
    for (size_t i = 0; i < (*f)->config.broker_count; i++)
        buffer_fini(&(*f)->peers[i].out);
    arena_fini(&(*f)->arena);
    sodium_memzero(&(*f)->config.mark_key, sizeof(*f)->config.mark_key);
    free(*f);
    *f = NULL;
}
