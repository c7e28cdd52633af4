/* request: the table of what we have asked and not been told (PROTOCOL 3: every request gets exactly
 * one reply), and the queue of frames to go. It matches replies, notices time-outs and lost
 * connections, and hands each end to its kind's functions; what a kind means is not known here.
 * Invariants: a correlation id is never used twice; a request ends exactly once. */
#include "clients/core.h"
#include "clients/linking_core.h"
#include "clients/recovery_core.h"

#include <stdlib.h>
#include <string.h>

struct kind_ends {
    enum frame_kind kind;
    reply_fn *reply;
    failure_fn *failed;
};

static const struct kind_ends ends[] = {
    {KIND_HELLO, welcome_reply, hello_failed},
    {KIND_REGISTER, registered_reply, register_failed},
    {KIND_CLAIM_HANDLE, claimed_reply, claim_failed},
    {KIND_LOOKUP, found_reply, lookup_failed},
    {KIND_APPEND, appended_reply, append_failed},
    {KIND_CLAIM_PREKEYS, claimed_prekeys_reply, lookup_failed},
    {KIND_PUBLISH, published_reply, publish_failed},
    {KIND_LINK_GET, link_reply, link_failed},
    {KIND_LINK_PUT, link_reply, link_failed},
    {KIND_CONTACTS_SET, contacts_kept_reply, contacts_set_failed},
    {KIND_CONTACTS_GET, contacts_are_reply, contacts_get_failed},
    {KIND_BACKUP_PUT, backup_has_reply, backup_failed},
    {KIND_BACKUP_GET, backup_is_reply, backup_failed},
    {KIND_SEND, sent_reply, send_failed},
    {KIND_ACK, acked_reply, ack_failed},
    {KIND_STATUS, status_reply, status_failed},
    {KIND_TERMS, terms_reply, terms_failed},
    {KIND_PING, pong_reply, ping_failed},
    {KIND_BYE, goodbye_reply, bye_failed},
};

static const struct kind_ends *ends_of(enum frame_kind kind)
{
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (ends[i].kind == kind) return &ends[i];
    bool has_ends = false; /* a request of a kind without them is our own mistake */
    ENSURE(has_ends);
    return NULL;
}

/* ---- frames to go ---- */

static struct buffer *frame_at(struct engine *e, size_t i)
{
    return &e->frames[(e->frame_first + i) % FRAMES_MAX];
}

static void frame_drop_taken(struct engine *e)
{
    if (!e->frame_taken) return;
    buffer_fini(frame_at(e, 0));
    e->frame_first = (e->frame_first + 1) % FRAMES_MAX;
    e->frame_count--;
    e->frame_taken = false;
}

bool engine_next_frame(struct engine *e, struct view *out)
{
    frame_drop_taken(e);
    *out = view_of(NULL, 0);
    if (!e->frame_count) return false;
    *out = buffer_view(frame_at(e, 0));
    e->frame_taken = true;
    return true;
}

void engine_keep_frame(struct engine *e)
{
    e->frame_taken = false;
}

void frames_clear(struct engine *e)
{
    for (size_t i = 0; i < e->frame_count; i++)
        buffer_fini(frame_at(e, i));
    e->frame_count = 0;
    e->frame_taken = false;
}

/* ---- requests ---- */

bool may_ask(const struct engine *e)
{
    return e->broken == STATUS_OK && e->session_state == SESSION_BOUND && !e->draining &&
           !e->leaving;
}

bool request_room(const struct engine *e)
{
    return e->broken == STATUS_OK && e->request_count < REQUESTS_MAX &&
           e->frame_count < FRAMES_MAX;
}

static struct request *request_free_slot(struct engine *e)
{
    for (size_t i = 0; i < REQUESTS_MAX; i++)
        if (!e->requests[i].correlation) return &e->requests[i];
    return NULL;
}

struct request *request_begin(struct engine *e, struct now now, enum frame_kind kind,
                              uint16_t home, const struct codec_desc *desc, const void *message,
                              struct buffer **frame)
{
    *frame = NULL;
    if (!request_room(e)) return NULL;
    struct request *r = request_free_slot(e);
    *r = (struct request){.correlation = ++e->correlation, .kind = kind,
                          .deadline_ms = now.mono_ms + e->config.request_timeout_ms,
                          .session_count = e->session_count};
    struct frame_header header = {.kind = (uint8_t)kind, .correlation = r->correlation,
                                  .home = home};
    struct buffer *b = frame_at(e, e->frame_count);
    *b = (struct buffer){0};
    frame_write(b, &header, desc, message);
    e->frame_count++;
    e->request_count++;
    e->said_ms = now.mono_ms;
    *frame = b;
    return r;
}

struct request *request_make(struct engine *e, struct now now, enum frame_kind kind, uint16_t home,
                             const struct codec_desc *desc, const void *message)
{
    struct buffer *frame;
    return request_begin(e, now, kind, home, desc, message, &frame);
}

/* Takes the request out of the table; its copy goes to the functions of its kind. */
static struct request request_take(struct engine *e, struct request *r)
{
    struct request copy = *r;
    *r = (struct request){0};
    e->request_count--;
    return copy;
}

static void request_fail(struct engine *e, struct now now, struct request *slot, enum status s,
                         uint32_t retry_after_ms)
{
    struct request r = request_take(e, slot);
    ends_of(r.kind)->failed(e, now, &r, s, retry_after_ms);
    free(r.batch);
}

void requests_fail_all(struct engine *e, struct now now)
{
    for (size_t i = 0; i < REQUESTS_MAX; i++)
        if (e->requests[i].correlation)
            request_fail(e, now, &e->requests[i], STATUS_GONE, 0);
}

void requests_expire(struct engine *e, struct now now)
{
    if (!e->request_count) return;
    for (size_t i = 0; i < REQUESTS_MAX; i++) {
        struct request *r = &e->requests[i];
        if (!r->correlation || r->deadline_ms > now.mono_ms) continue;
        e->counts.timeouts++;
        request_fail(e, now, r, STATUS_TIMEOUT, 0);
    }
}

uint64_t requests_deadline_ms(const struct engine *e)
{
    uint64_t deadline = NEVER;
    for (size_t i = 0; i < REQUESTS_MAX; i++)
        if (e->requests[i].correlation) earlier(&deadline, e->requests[i].deadline_ms);
    return deadline;
}

static struct request *request_find(struct engine *e, uint64_t correlation)
{
    if (!correlation) return NULL;
    for (size_t i = 0; i < REQUESTS_MAX; i++)
        if (e->requests[i].correlation == correlation) return &e->requests[i];
    return NULL;
}

/* ERROR: some statuses are about the session or the endpoint, whatever was asked. */
static void request_refused(struct engine *e, struct now now, struct request *slot,
                            const struct frame *f)
{
    struct msg_error error;
    enum status s = codec_decode(&msg_error_desc, f->meta, &e->arena, &error);
    bool present = slot->session_count == e->session_count;
    if (s != STATUS_OK) {
        e->counts.frames_bad++;
        request_fail(e, now, slot, STATUS_UNKNOWN, 0);
        return;
    }
    s = status_from_wire(error.status);
    request_fail(e, now, slot, s, error.retry_after_ms);
    if (s == STATUS_NO_SESSION && present) session_lost(e, now);
    if (s == STATUS_SUPERSEDED && present) session_superseded(e, now);
    if (s == STATUS_DRAINING) session_drain(e, now, 0);
}

void request_answer(struct engine *e, struct now now, const struct frame *f)
{
    struct request *slot = request_find(e, f->header.correlation);
    if (!slot) {
        e->counts.replies_late++;
        return;
    }
    if (f->header.kind == KIND_ERROR) {
        request_refused(e, now, slot, f);
        return;
    }
    if (f->header.kind != (uint8_t)kind_rule_of(slot->kind)->reply) {
        e->counts.frames_bad++;
        request_fail(e, now, slot, STATUS_UNKNOWN, 0);
        return;
    }
    struct request r = request_take(e, slot);
    ends_of(r.kind)->reply(e, now, &r, f);
    free(r.batch);
}
