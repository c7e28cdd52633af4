/* backend: slabs from workers: announcements, pushes (step 5 of an envelope's way), hints (step 7),
 * their own requests, and replies (reply.c). One table says which role may say what. Invariants:
 * only READY makes a worker known; whoever is unknown, fenced or of an older term is not
 * listened to. */
#include "broker/core.h"

#include <string.h>

#define MASK(role) (1u << ROLE_##role)
#define ANY_WORKER (MASK(STORAGE) | MASK(FANOUT) | MASK(OPS))

typedef void item_handler(struct broker *b, const struct item *item);

static void on_heartbeat(struct broker *b, const struct item *item)
{
    struct msg_heartbeat beat;
    if (codec_decode(&msg_heartbeat_desc, item->frame.meta, &b->arena, &beat) == STATUS_OK)
        item->w->row = beat.row;
    else
        b->counts.strays++;
}

/* The position that UNDELIVERED names: the frame's first delivery, else its first gap. */
static void first_position(struct broker *b, const struct item *item, struct msg_undelivered *out)
{
    struct msg_deliver deliver;
    if (codec_decode(&msg_deliver_desc, item->frame.meta, &b->arena, &deliver) != STATUS_OK)
        b->counts.strays++;
    else if (deliver.item_count)
        *out = (struct msg_undelivered){.term = deliver.items[0].term, .seq = deliver.items[0].seq};
    else if (deliver.gap_count)
        *out = (struct msg_undelivered){.term = deliver.gaps[0].term, .seq = deliver.gaps[0].first};
}

/* c: the connection whose queue is full; NULL = the session is gone. */
static void undelivered(struct broker *b, const struct item *item, struct connection *c)
{
    struct msg_undelivered message = {.seq = 0};
    struct stamp stamp = item->stamp;
    first_position(b, item, &message);
    message.gone = !c;
    b->counts.undelivered++;
    if (c && message.seq) stamp.round = ++c->round;
    struct frame_header header = {.kind = KIND_UNDELIVERED, .home = item->frame.header.home};
    worker_add_message(item->w, &stamp, &header, &msg_undelivered_desc, &message);
}

/* A client's acks cover all that came before, so nothing may overtake a delivery that bounced, or was
 * lost with a connection to the store (SESSION then asks for all of them again): what its store wrote
 * before it heard of that is dropped here, and comes again in its place. */
static void on_deliver(struct broker *b, const struct item *item)
{
    struct connection *c = session_by_handle(&b->sessions, item->stamp.conn);
    if (!c || !session_is(c, item->stamp.session)) {
        undelivered(b, item, NULL);
        return;
    }
    if (item->stamp.round != c->round) return;
    enum status s = client_push(b, c, item->bytes);
    if (s != STATUS_OK) undelivered(b, item, s == STATUS_BUSY ? c : NULL);
}

/* The store ends a session. A client that has not heard SUPERSEDED would attach again, and one that has
 * not heard `no_session` would wait for ever: both go the way of replies. */
static void on_session_over(struct broker *b, const struct item *item)
{
    struct connection *c = session_by_handle(&b->sessions, item->stamp.conn);
    if (!c || !session_is(c, item->stamp.session)) return;
    session_unbind(&b->sessions, c);
    (void)client_reply(b, c, item->bytes);
}

static void on_error(struct broker *b, const struct item *item)
{
    if (item->frame.header.correlation)
        reply_take(b, item);
    else
        on_session_over(b, item);
}

static void on_hint_device(struct broker *b, const struct item *item)
{
    struct msg_hint_device message;
    if (codec_decode(&msg_hint_device_desc, item->frame.meta, &b->arena, &message) != STATUS_OK) {
        b->counts.strays++;
        return;
    }
    buffer_clear(&b->scratch);
    size_t start = frame_begin(&b->scratch, &(struct frame_header){.kind = KIND_HINT});
    write_view(&b->scratch, message.hint);
    frame_meta_end(&b->scratch, start);
    struct connection *c = session_by_device(&b->sessions, message.device), *next;
    for (uint32_t left = HINT_SESSIONS_MAX; c && left; c = next, left--) { /* the newest first */
        next = session_next(&b->sessions, c);
        /* A hint may be lost; STATUS is the truth. */
        (void)client_push(b, c, buffer_view(&b->scratch));
    }
}

/* It may still read that it has no session; then its connection is gone. */
static void session_cut(struct broker *b, struct connection *c, uint16_t home)
{
    uint32_t routing = c->routing;
    session_unbind(&b->sessions, c);
    if (client_reply_error(b, c, 0, home, STATUS_NO_SESSION)) client_forget(b, c);
    client_cut(b, routing);
}

/* How soon: broker and stores are processes of one machine, whose monotonic clock they share. */
static void cut_tell(struct broker *b, const struct msg_end_device *end, uint64_t sessions)
{
    uint64_t cut_ms = end->decided_ms && b->now.mono_ms > end->decided_ms ? b->now.mono_ms - end->decided_ms : 0;
    if (!sessions) return;
    b->counts.ended += sessions;
    if (cut_ms > b->counts.ended_ms_max) b->counts.ended_ms_max = cut_ms;
    broker_event(b, (struct event){.kind = cut_ms > CUT_LATE_MS ? EVENT_SESSIONS_CUT_LATE : EVENT_SESSIONS_CUT,
                                   .count = sessions, .value = cut_ms,
                                   .device = mark_device(&b->config.marks, end->device)});
}

/* The device is revoked, suspended or has another key: none of its connections speaks for it any more. */
static void on_end_device(struct broker *b, const struct item *item)
{
    struct msg_end_device message;
    uint64_t sessions = 0;
    if (codec_decode(&msg_end_device_desc, item->frame.meta, &b->arena, &message) != STATUS_OK) {
        b->counts.strays++;
        return;
    }
    for (struct connection *c; (c = session_by_device(&b->sessions, message.device)); sessions++)
        session_cut(b, c, item->frame.header.home);
    cut_tell(b, &message, sessions);
}

/* May be lost: WELCOME says it, too. */
static void on_news(struct broker *b, const struct item *item)
{
    struct connection *c = session_by_handle(&b->sessions, item->stamp.conn);
    if (c && session_is(c, item->stamp.session)) (void)client_push(b, c, item->bytes);
}

static void on_wakes_waiting(struct broker *b, const struct item *item)
{
    for (uint32_t i = 0; i < WORKERS_MAX; i++) {
        struct worker *w = &b->route.workers[i];
        if (w->state == WORKER_LIVE && w->role == ROLE_FANOUT)
            worker_add(w, &(struct stamp){.origin = ORIGIN_PEER}, item->bytes);
    }
}

static void on_request(struct broker *b, const struct item *item)
{
    struct worker *w = item->w;
    const struct frame_header *header = &item->frame.header;
    struct stamp stamp = {.origin = ORIGIN_WORKER, .conn = route_handle(&b->route, w)};
    enum status s = STATUS_BUSY;
    if (w->asked.count < WORKER_PENDING_MAX)
        s = worker_forward(b, &stamp, &w->asked, header, item->bytes);
    if (s == STATUS_OK) return;
    struct pending refused = {.key = {ORIGIN_WORKER, stamp.conn, header->correlation},
                              .home = header->home, .kind = header->kind};
    reply_error(b, &refused, s);
}

static void on_record(struct broker *b, const struct item *item)
{
    struct msg_record record;
    struct worker *store = route_any_store(&b->route, b->now);
    if (codec_decode(&msg_record_desc, item->frame.meta, &b->arena, &record) != STATUS_OK)
        b->counts.strays++;
    else if (store && store->slab.len <= SLAB_TAKES_MAX)
        worker_add(store, &(struct stamp){.origin = ORIGIN_PEER}, item->bytes);
}

static void on_leaving(struct broker *b, const struct item *item)
{
    (void)b;
    route_leaving(item->w);
}

static const struct {
    item_handler *handle;
    unsigned roles;
} handlers[] = {
    [KIND_WELCOME] = {reply_take, MASK(STORAGE)},
    [KIND_REGISTERED] = {reply_take, MASK(STORAGE)},
    [KIND_HANDLE_CLAIMED] = {reply_take, MASK(STORAGE)},
    [KIND_FOUND] = {reply_take, MASK(STORAGE)},
    [KIND_LINK_HAS] = {reply_take, MASK(STORAGE)},
    [KIND_LINK_IS] = {reply_take, MASK(STORAGE)},
    [KIND_SENT] = {reply_take, MASK(STORAGE)},
    [KIND_ACKED] = {reply_take, MASK(STORAGE)},
    [KIND_STATUS_IS] = {reply_take, MASK(STORAGE)},
    [KIND_TERMS_ARE] = {reply_take, MASK(STORAGE)},
    [KIND_GOODBYE] = {reply_take, MASK(STORAGE)},
    [KIND_ERROR] = {on_error, MASK(STORAGE)},
    [KIND_EVENTS_ARE] = {reply_take, MASK(STORAGE)},
    [KIND_EXPLAINED] = {reply_take, MASK(STORAGE)},
    [KIND_HOLDS_ARE] = {reply_take, MASK(STORAGE)},
    [KIND_DEVICES_ARE] = {reply_take, MASK(STORAGE)},
    [KIND_DRIFT_IS] = {reply_take, MASK(STORAGE)},
    [KIND_LEASED] = {reply_take, MASK(STORAGE)},
    [KIND_WOKEN_OK] = {reply_take, MASK(STORAGE)},
    [KIND_DELIVER] = {on_deliver, MASK(STORAGE)},
    [KIND_SUPERSEDED] = {on_session_over, MASK(STORAGE)},
    [KIND_HINT_DEVICE] = {on_hint_device, MASK(STORAGE)},
    [KIND_WAKES_WAITING] = {on_wakes_waiting, MASK(STORAGE)},
    [KIND_APPENDED] = {reply_take, MASK(STORAGE)},
    [KIND_PUBLISHED] = {reply_take, MASK(STORAGE)},
    [KIND_BACKUP_HAS] = {reply_take, MASK(STORAGE)},
    [KIND_BACKUP_IS] = {reply_take, MASK(STORAGE)},
    [KIND_PREKEYS] = {reply_take, MASK(STORAGE)},
    [KIND_PREKEYS_LOW] = {on_news, MASK(STORAGE)},
    [KIND_LOG_GREW] = {on_news, MASK(STORAGE)},
    [KIND_CONTACTS_KEPT] = {reply_take, MASK(STORAGE)},
    [KIND_CONTACTS_ARE] = {reply_take, MASK(STORAGE)},
    [KIND_CONTACTS_CHANGED] = {on_news, MASK(STORAGE)},
    [KIND_END_DEVICE] = {on_end_device, MASK(STORAGE)},
    [KIND_HEARTBEAT] = {on_heartbeat, ANY_WORKER},
    [KIND_LEAVING] = {on_leaving, ANY_WORKER},
    [KIND_LEASE] = {on_request, MASK(FANOUT)},
    [KIND_WOKEN] = {on_request, MASK(FANOUT)},
    [KIND_RECORD] = {on_record, MASK(FANOUT) | MASK(OPS)},
};

/* PEER, then for a store the sessions whose home it has, then SESSIONS_END (PROTOCOL A.2). */
static void peer_answer(struct broker *b, struct worker *w)
{
    struct stamp stamp = {.origin = ORIGIN_PEER};
    struct msg_peer peer = {.boot = b->config.boot, .map = b->route.map};
    if (w->store) {
        peer.witness_term = w->store->before.term;
        peer.witness_commit = w->store->before.commit;
    }
    worker_add_message(w, &stamp, &(struct frame_header){.kind = KIND_PEER}, &msg_peer_desc, &peer);
}

static void sessions_answer(struct broker *b, struct worker *w, struct session_id asked)
{
    for (uint32_t i = 0; i < b->sessions.capacity; i++) {
        struct connection *c = &b->sessions.slots[i];
        uint16_t home = home_of_account(c->account);
        if (!session_bound(c) || !route_owns(&b->route, w, home)) continue;
        c->round++;
        struct msg_session message = {
            .attached = c->greeting.attach, .credit_messages = c->credit_messages,
            .credit_bytes = c->credit_bytes,
            .client_version = view_of(c->greeting.version, c->greeting.version_len)};
        struct stamp stamp = session_stamp(&b->sessions, c);
        worker_add_message(w, &stamp, &(struct frame_header){.kind = KIND_SESSION, .home = home},
                           &msg_session_desc, &message);
    }
    struct msg_empty end = {0};
    worker_add_message(w, &(struct stamp){.origin = ORIGIN_PEER, .session = asked},
                       &(struct frame_header){.kind = KIND_SESSIONS_END}, &msg_empty_desc, &end);
}

static void stale_tell(struct broker *b, struct store_id store)
{
    broker_event(b, (struct event){.kind = EVENT_STALE_TERM_REFUSED, .store = store});
}

static bool header_agrees(const struct slab_header *header, const struct msg_ready *ready)
{
    return header->role == ready->role &&
           memcmp(header->boot.bytes, ready->boot.bytes, sizeof ready->boot.bytes) == 0 &&
           (ready->role != ROLE_STORAGE || term_equal(header->term, ready->term));
}

/* Another process speaks where one is known already: that one has ended. */
static struct worker *known_process(struct broker *b, uint64_t peer, struct boot_id boot)
{
    struct worker *w = route_by_peer(&b->route, peer);
    if (!w || memcmp(w->boot.bytes, boot.bytes, sizeof boot.bytes) == 0) return w;
    if (w->state == WORKER_FENCED)
        route_drop(w);
    else
        worker_lose(b, w);
    return NULL;
}

static void on_ready(struct broker *b, uint64_t peer, const struct slab_header *header,
                     const struct stamp *stamp, const struct frame *frame)
{
    struct msg_ready ready;
    struct worker *w = NULL, *displaced = NULL, *known = NULL;
    enum status s = codec_decode(&msg_ready_desc, frame->meta, &b->arena, &ready);
    if (s == STATUS_OK && !header_agrees(header, &ready)) s = STATUS_MALFORMED;
    if (s == STATUS_OK) known = known_process(b, peer, ready.boot);
    bool news = !known || known->state != WORKER_LIVE;
    if (s == STATUS_OK) s = route_ready(&b->route, b->now, peer, &ready, &w, &displaced);
    if (s == STATUS_REFUSED) stale_tell(b, ready.store);
    if (s != STATUS_OK) {
        b->counts.strays++;
        return;
    }
    if (displaced) worker_lose(b, displaced);
    if (news)
        broker_event(b, (struct event){.kind = EVENT_WORKER_READY, .code = ready.role,
                                       .store = ready.store});
    peer_answer(b, w);
    if (w->role == ROLE_STORAGE) sessions_answer(b, w, stamp->session);
}

static void item_take(struct broker *b, struct item *item)
{
    unsigned kind = item->frame.header.kind;
    bool listed = kind < sizeof handlers / sizeof handlers[0] && handlers[kind].handle;
    if (listed && handlers[kind].roles & 1u << item->w->role)
        handlers[kind].handle(b, item);
    else
        b->counts.strays++;
}

/* The worker that speaks, if it may; tells once when it is one that has been outranked. */
static struct worker *speaker(struct broker *b, uint64_t peer, const struct slab_header *header)
{
    struct worker *w = route_by_peer(&b->route, peer);
    if (!w || route_heard(w, b->now, header) == STATUS_OK) return w;
    if (!w->stale_told && w->role == ROLE_STORAGE) stale_tell(b, w->store_id);
    w->stale_told = true;
    return NULL;
}

void broker_worker_slab(struct broker *b, struct now now, uint64_t peer, struct view slab)
{
    struct slab_header header;
    struct slab_reader reader;
    struct item item = {.w = NULL};
    b->now = now;
    if (slab_open(slab, &header, &reader) != STATUS_OK) {
        b->counts.strays++;
        return;
    }
    item.w = speaker(b, peer, &header);
    while (slab_next(&reader, &item.stamp, &item.bytes)) {
        enum frame_from from = (enum frame_from)(FROM_RELAY | FROM_WORKER);
        if (frame_check(item.bytes, from, &item.frame) != STATUS_OK) {
            b->counts.strays++;
        } else if (item.frame.header.kind == KIND_READY) {
            on_ready(b, peer, &header, &item.stamp, &item.frame);
            item.w = speaker(b, peer, &header);
        } else if (item.w) {
            item_take(b, &item);
        } else {
            b->counts.strays++;
        }
    }
    if (slab_done(&reader) != STATUS_OK) b->counts.strays++;
}
