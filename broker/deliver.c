/* deliver: frames to clients, step 5 of an envelope's way (and every reply). A push may be lost,
 * the store keeps the envelope; a reply may not while its connection lives. Invariant: nothing
 * overtakes what waits in the backlog for the same connection. */
#include "broker/core.h"

#include <stdlib.h>

static enum status send_now(struct broker *b, const struct connection *c, struct view frame)
{
    enum status s = b->config.out.to_client(b->config.out.context, c->routing, frame);
    if (s == STATUS_OK) b->counts.frames_out++;
    return s;
}

void client_forget(struct broker *b, struct connection *c)
{
    if (session_bound(c)) {
        struct stamp stamp = session_stamp(&b->sessions, c);
        worker_closed(b, &stamp);
    }
    if (c->backlogged.frames) backlog_forget(&b->backlog, session_handle(&b->sessions, c));
    pending_orphan(&b->pendings, &c->asked);
    session_remove(&b->sessions, c);
}

void client_cut(struct broker *b, uint32_t routing)
{
    if (b->config.out.cut) b->config.out.cut(b->config.out.context, routing);
}

enum status client_push(struct broker *b, struct connection *c, struct view frame)
{
    enum status s = c->backlogged.frames ? STATUS_BUSY : send_now(b, c, frame);
    if (s == STATUS_OK || s == STATUS_BUSY) return s;
    client_forget(b, c);
    return STATUS_GONE;
}

static bool too_slow(struct broker *b, struct connection *c)
{
    broker_event(b, (struct event){.kind = EVENT_SLOW_CONSUMER, .count = c->backlogged.frames,
                                   .device = mark_device(&b->config.marks, c->device)});
    client_forget(b, c);
    return false;
}

/* Whoever would have the most waiting, if c had this frame there too: c itself unless another has
 * more. */
static struct connection *slowest(struct broker *b, struct connection *c, struct view frame)
{
    struct backlog_share wanted = {c->backlogged.frames + 1, c->backlogged.bytes + frame.len};
    uint64_t most = backlog_weight(&wanted);
    struct connection *found = c;
    for (const struct backlog_entry *entry = b->backlog.first; entry; entry = entry->next) {
        struct connection *other = session_by_handle(&b->sessions, entry->conn);
        ENSURE(other != NULL); /* a connection takes its entries along */
        if (other == c || backlog_weight(&other->backlogged) <= most) continue;
        most = backlog_weight(&other->backlogged);
        found = other;
    }
    return found;
}

/* Nobody pays for another's slowness: where all is full, not whoever comes last has to go. */
static bool reply_later(struct broker *b, struct connection *c, struct view frame)
{
    if (!backlog_fits(&c->backlogged, frame)) return too_slow(b, c);
    while (backlog_add(&b->backlog, session_handle(&b->sessions, c), frame) != STATUS_OK) {
        struct connection *other = slowest(b, c, frame);
        too_slow(b, other);
        if (other == c) return false;
    }
    c->backlogged.frames++;
    c->backlogged.bytes += frame.len;
    return true;
}

bool client_reply(struct broker *b, struct connection *c, struct view frame)
{
    enum status s = client_push(b, c, frame);
    return s == STATUS_BUSY ? reply_later(b, c, frame) : s == STATUS_OK;
}

bool client_reply_error(struct broker *b, struct connection *c, uint64_t correlation,
                        uint16_t home, enum status s)
{
    if (s == STATUS_BUSY)
        b->counts.busy++;
    else
        b->counts.refused++;
    buffer_clear(&b->scratch);
    frame_write_error(&b->scratch, correlation, home, s, s == STATUS_BUSY ? RETRY_AFTER_MS : 0);
    return client_reply(b, c, buffer_view(&b->scratch));
}

bool client_reply_limited(struct broker *b, struct connection *c,
                          const struct frame_header *request, uint64_t retry_after_ms)
{
    b->counts.limited++;
    buffer_clear(&b->scratch);
    frame_write_error(&b->scratch, request->correlation, request->home, STATUS_RATE_LIMITED,
                      retry_after_ms < UINT32_MAX ? (uint32_t)retry_after_ms : UINT32_MAX);
    return client_reply(b, c, buffer_view(&b->scratch));
}

/* true: the entry is done with. */
static bool retry_one(struct broker *b, const struct backlog_entry *entry)
{
    struct connection *c = session_by_handle(&b->sessions, entry->conn);
    if (!c) return true; /* forgotten in this very pass */
    if (c->stuck_round == b->backlog_round) return false;
    enum status s = send_now(b, c, view_of(entry->bytes, entry->len));
    if (s == STATUS_OK) {
        c->backlogged.frames--;
        c->backlogged.bytes -= entry->len;
    } else if (s == STATUS_BUSY) {
        c->stuck_round = b->backlog_round;
        return false;
    } else {
        client_forget(b, c);
    }
    return true;
}

void backlog_retry(struct broker *b)
{
    struct backlog waiting = b->backlog;
    struct backlog_entry *entry;
    b->backlog = (struct backlog){.count = 0};
    b->backlog_round++;
    b->backlog_ms = b->now.mono_ms + BACKLOG_RETRY_MS;
    while ((entry = backlog_take(&waiting))) {
        if (retry_one(b, entry))
            free(entry);
        else
            backlog_return(&b->backlog, entry);
    }
}
