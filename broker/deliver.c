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
    pending_orphan(&b->pendings, &c->asked);
    session_remove(&b->sessions, c);
}

enum status client_push(struct broker *b, struct connection *c, struct view frame)
{
    enum status s = c->backlogged ? STATUS_BUSY : send_now(b, c, frame);
    if (s == STATUS_OK || s == STATUS_BUSY) return s;
    client_forget(b, c);
    return STATUS_GONE;
}

static bool too_slow(struct broker *b, struct connection *c)
{
    broker_event(b, (struct event){.kind = EVENT_SLOW_CONSUMER, .count = c->backlogged,
                                   .device = mark_device(&b->config.marks, c->device)});
    client_forget(b, c);
    return false;
}

bool client_reply(struct broker *b, struct connection *c, struct view frame)
{
    enum status s = client_push(b, c, frame);
    if (s != STATUS_BUSY) return s == STATUS_OK;
    if (c->backlogged == BACKLOG_PER_CONNECTION) return too_slow(b, c);
    if (backlog_add(&b->backlog, session_handle(&b->sessions, c), frame) != STATUS_OK)
        return too_slow(b, c);
    c->backlogged++;
    return true;
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

/* true: the entry is done with. */
static bool retry_one(struct broker *b, const struct backlog_entry *entry)
{
    struct connection *c = session_by_handle(&b->sessions, entry->conn);
    if (!c) return true;
    if (c->stuck_round == b->backlog_round) return false;
    enum status s = send_now(b, c, view_of(entry->bytes, entry->len));
    if (s == STATUS_OK) {
        c->backlogged--;
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
    b->backlog_round++;
    for (uint32_t left = b->backlog.count; left; left--) {
        struct backlog_entry *entry = backlog_take(&b->backlog);
        if (retry_one(b, entry))
            free(entry);
        else
            backlog_return(&b->backlog, entry);
    }
}
