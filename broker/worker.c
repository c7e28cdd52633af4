/* worker: what leaves for workers: forwarded requests (step 2), the broker's own words, one slab
 * per worker and turn; and what becomes of requests when a worker is lost. Frames are only
 * appended here; worker_flush alone sends, from the top of a turn, so that nobody vanishes under
 * a caller's feet. */
#include "broker/core.h"

static void item_open(struct worker *w)
{
    if (w->slab.len == 0) slab_begin(&w->slab);
}

void worker_add(struct worker *w, const struct stamp *stamp, struct view frame)
{
    item_open(w);
    slab_item(&w->slab, stamp, frame);
}

void worker_add_message(struct worker *w, const struct stamp *stamp,
                        const struct frame_header *header, const struct codec_desc *desc,
                        const void *message)
{
    item_open(w);
    size_t start = slab_item_begin(&w->slab, stamp);
    frame_write(&w->slab, header, desc, message);
    slab_item_end(&w->slab, start);
}

_Static_assert(PENDING_BYTES_MAX >= FRAME_LEN_MAX && ASSIGNED_BYTES_MAX >= FRAME_LEN_MAX,
               "one request always fits when nothing else is pending");

static bool bytes_fit(const struct pending_list *list, struct view frame, uint64_t bytes_max)
{
    return list->bytes + frame.len <= bytes_max;
}

enum status worker_forward(struct broker *b, const struct stamp *stamp, struct pending_list *asker,
                           const struct frame_header *header, struct view frame)
{
    struct worker *w = route_owner(&b->route, header->home, b->now);
    if (!w || w->assigned.count >= w->credit || w->slab.len > SLAB_TAKES_MAX) return STATUS_BUSY;
    if (!bytes_fit(asker, frame, PENDING_BYTES_MAX)) return STATUS_BUSY;
    if (!bytes_fit(&w->assigned, frame, ASSIGNED_BYTES_MAX)) return STATUS_BUSY;
    struct pending_key key = {stamp->origin, stamp->conn, header->correlation};
    enum status s =
        pending_add(&b->pendings, &key, header, frame, b->now.mono_ms, asker, &w->assigned);
    if (s == STATUS_STATE) return STATUS_MALFORMED;
    if (s != STATUS_OK) return STATUS_BUSY;
    worker_add(w, stamp, frame);
    if (w->slab.len > SLAB_SENDS_LEN) b->eager = w;
    return STATUS_OK;
}

void worker_closed(struct broker *b, const struct stamp *stamp)
{
    uint16_t home = home_of_account(stamp->account);
    struct worker *w = route_notified(&b->route, home);
    struct msg_closed closed = {.reason = 0};
    if (w)
        worker_add_message(w, stamp, &(struct frame_header){.kind = KIND_CLOSED, .home = home},
                           &msg_closed_desc, &closed);
}

void worker_lose(struct broker *b, struct worker *w)
{
    uint32_t unknown = 0;
    bool leaving = w->state == WORKER_LEAVING;
    while (w->assigned.count)
        unknown += reply_fail_oldest(b, &w->assigned);
    pending_orphan(&b->pendings, &w->asked);
    if (!leaving || unknown) {
        struct event e = {.kind = EVENT_WORKER_LOST, .code = w->role, .count = unknown,
                          .value = b->now.mono_ms - w->heard_ms, .store = w->store_id};
        broker_event(b, e);
    }
    if (b->eager == w) b->eager = NULL;
    buffer_clear(&w->slab);
    if (w->state != WORKER_FENCED) route_drop(w);
}

void worker_flush(struct broker *b, struct worker *w)
{
    if (b->eager == w) b->eager = NULL;
    if (!slab_count(&w->slab)) return;
    slab_finish(&w->slab, &(struct slab_header){.role = ROLE_BROKER, .boot = b->config.boot});
    enum status s = b->config.out.to_worker(b->config.out.context, w->peer, buffer_view(&w->slab));
    if (s == STATUS_BUSY && w->slab.len <= SLAB_LOSES_LEN) return; /* next time */
    if (s != STATUS_OK) {
        worker_lose(b, w);
    } else if (w->slab.cap > SLAB_KEEPS_LEN) {
        buffer_fini(&w->slab);
    } else {
        buffer_clear(&w->slab);
    }
}

void worker_beat(struct broker *b, struct worker *w)
{
    struct msg_heartbeat beat = {.row = {.role = ROLE_BROKER, .boot = b->config.boot,
                                         .pending = b->pendings.count,
                                         .sessions = b->sessions.bound},
                                 .map = b->route.map};
    worker_add_message(w, &(struct stamp){.origin = ORIGIN_PEER},
                       &(struct frame_header){.kind = KIND_HEARTBEAT}, &msg_heartbeat_desc, &beat);
}

void worker_expire(struct broker *b, struct worker *w)
{
    const struct pending *p;
    while ((p = pending_first(&b->pendings, &w->assigned)) &&
           b->now.mono_ms - p->sent_ms >= PENDING_KEEP_MS)
        (void)reply_fail_oldest(b, &w->assigned);
}
