/* reply: from a worker's reply to whoever asked, by (origin, conn, correlation). Everything that
 * was forwarded ends here exactly once: with its reply, with an error in its place, or, when the
 * asker is gone, with nothing. WELCOME binds and GOODBYE unbinds on the way. */
#include "broker/core.h"

/* A WELCOME that binds nothing leaves a session at the store that nobody has: tell it so. */
static void welcome_void(struct worker *w, const struct stamp *stamp)
{
    struct msg_closed closed = {.reason = 0};
    struct frame_header header = {.kind = KIND_CLOSED, .home = home_of_account(stamp->account)};
    worker_add_message(w, stamp, &header, &msg_closed_desc, &closed);
}

static void to_worker(struct worker *w, uint64_t conn, struct view frame)
{
    worker_add(w, &(struct stamp){.origin = ORIGIN_WORKER, .conn = conn}, frame);
}

static void to_admin(struct broker *b, uint64_t conn, struct view frame)
{
    /* An operator's tool that is gone or does not read asks again; nothing waits for it. */
    (void)b->config.out.to_admin(b->config.out.context, (uint32_t)conn, frame);
}

void reply_error(struct broker *b, const struct pending *p, enum status s)
{
    if (p->key.origin == ORIGIN_EDGE) {
        struct connection *c = session_by_handle(&b->sessions, p->key.conn);
        if (!c) return;
        if (p->kind == KIND_HELLO) session_declined(c);
        (void)client_reply_error(b, c, p->key.correlation, p->home, s);
        return;
    }
    buffer_clear(&b->scratch);
    frame_write_error(&b->scratch, p->key.correlation, p->home, s,
                      s == STATUS_BUSY ? RETRY_AFTER_MS : 0);
    struct view frame = buffer_view(&b->scratch);
    if (p->key.origin == ORIGIN_ADMIN) {
        to_admin(b, p->key.conn, frame);
    } else {
        struct worker *asker = route_by_handle(&b->route, p->key.conn);
        if (asker) to_worker(asker, p->key.conn, frame);
    }
}

bool reply_fail_oldest(struct broker *b, struct pending_list *assigned)
{
    struct pending *p = pending_first(&b->pendings, assigned);
    struct pending copy = *p;
    pending_remove(&b->pendings, p);
    if (!copy.lists[BY_ASKER]) return false;
    reply_error(b, &copy, STATUS_UNKNOWN);
    return true;
}

/* The session that a WELCOME replaces on its connection ends, unless it is the very same. */
static void bind(struct broker *b, struct connection *c, const struct item *item,
                 const struct msg_welcome *welcome)
{
    struct stamp before = session_stamp(&b->sessions, c);
    bool replaces = session_bound(c) && !session_is(c, item->stamp.session);
    session_bind(&b->sessions, c, &item->stamp, welcome);
    if (replaces) worker_closed(b, &before);
}

static void take_welcome(struct broker *b, struct connection *c, const struct item *item,
                         const struct pending *p)
{
    struct msg_welcome welcome;
    enum status s = codec_decode(&msg_welcome_desc, item->frame.meta, &b->arena, &welcome);
    if (s != STATUS_OK || item->stamp.session.number == 0 ||
        home_of_account(item->stamp.account) != p->home) {
        b->counts.strays++;
        reply_error(b, p, STATUS_UNKNOWN);
        return;
    }
    bind(b, c, item, &welcome);
    (void)client_reply(b, c, item->bytes);
}

static void to_edge(struct broker *b, const struct item *item, const struct pending *p)
{
    struct connection *c = session_by_handle(&b->sessions, p->key.conn);
    ENSURE(c != NULL); /* a connection that is forgotten orphans its requests first */
    if (item->frame.header.kind == KIND_WELCOME) {
        take_welcome(b, c, item, p);
        return;
    }
    if (p->kind == KIND_HELLO) session_declined(c);
    if (!client_reply(b, c, item->bytes)) return;
    if (item->frame.header.kind == KIND_GOODBYE && session_bound(c))
        session_unbind(&b->sessions, c);
}

/* The request that this frame answers: of this worker, with a kind that answers it. */
static struct pending *match(struct broker *b, const struct item *item)
{
    struct pending_key key = {item->stamp.origin, item->stamp.conn, item->frame.header.correlation};
    struct pending *p = pending_find(&b->pendings, &key);
    if (!p || p->lists[BY_WORKER] != &item->w->assigned) return NULL;
    unsigned kind = item->frame.header.kind;
    return kind == KIND_ERROR || kind == (unsigned)kind_rule_of(p->kind)->reply ? p : NULL;
}

void reply_take(struct broker *b, const struct item *item)
{
    struct pending *p = match(b, item);
    struct pending copy = p ? *p : (struct pending){.kind = KIND_NONE};
    if (p) pending_remove(&b->pendings, p);
    else b->counts.unmatched++;
    if (!copy.lists[BY_ASKER]) {
        if (item->frame.header.kind == KIND_WELCOME) welcome_void(item->w, &item->stamp);
        return;
    }
    if (copy.key.origin == ORIGIN_EDGE) {
        to_edge(b, item, &copy);
    } else if (copy.key.origin == ORIGIN_ADMIN) {
        to_admin(b, copy.key.conn, item->bytes);
    } else {
        struct worker *asker = route_by_handle(&b->route, copy.key.conn);
        ENSURE(asker != NULL);
        to_worker(asker, copy.key.conn, item->bytes);
    }
}
