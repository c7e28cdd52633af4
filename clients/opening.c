/* opening: from a sealed delivery to a row of the inbox (ARCHITECTURE, step 6): who has sealed it according to whose
 * log, what is inside, what is missing before it. Where the sender's keys are not known the row is kept closed, and its
 * log looked up. Invariant: a row is opened in the transaction in which its session moves on. */
#include "broker/wire/report.h"
#include "clients/drift.h"
#include "clients/core.h"
#include "clients/seal/copy.h"

#include <sodium.h>
#include <string.h>

#define CLOSED_AT_ONCE 16u
#define MISSING_MAX    1000000u

/* ---- what the sender counts ---- */

/* Between the highest counter heard of this device and this one. */
static enum status counter_in(struct engine *e, struct inbox_row *row)
{
    uint8_t key[48];
    uint64_t heard;
    memcpy(key, row->sender_device.bytes, 16);
    memcpy(key + 16, row->target.bytes, 32);
    enum status s = state_counter_get(e->state, COUNTER_HEARD, view_of(key, sizeof key), &heard);
    if (s != STATUS_OK || row->counter <= heard) return s;
    row->missing = heard ? row->counter - heard - 1 : 0;
    if (row->missing > MISSING_MAX) row->missing = MISSING_MAX; /* the sender says what it likes */
    return state_counter_put(e->state, COUNTER_HEARD, view_of(key, sizeof key), row->counter);
}

/* ---- one ---- */

static struct sealed_context context_of(const struct engine *e, const struct inbox_row *row)
{
    return (struct sealed_context){.id = row->id, .target = row->target, .sender_account = row->sender_account,
                                   .sender_device = row->sender_device, .recipient_account = e->identity.account,
                                   .recipient_device = e->identity.device, .commitment = row->commitment};
}

/* The sender's device as its log has it, with the identity key that a start names; NULL = not (yet). */
static const struct log_device *sender_of(const struct contact *c, const struct inbox_row *row,
                                          const struct sealed_header *h)
{
    const struct log_device *d = identity_log_device(&c->log, row->sender_device);
    bool fits = d && (!h->starts || memcmp(&h->start.initiator, &d->record.identity, sizeof h->start.initiator) == 0);
    return fits ? d : NULL;
}

/* What copy_check has let through. */
static void payload_take(struct engine *e, const struct content *content, struct inbox_row *row)
{
    struct view payload = content->payload;
    bool own = memcmp(&row->sender_account, &e->identity.account, sizeof row->sender_account) == 0;
    if (own) ENSURE(copy_read(content->payload, &row->sent_to, &payload) == CAUSE_NONE);
    row->body = arena_copy(&e->arena, payload);
}

static enum status opened_in(struct engine *e, struct now now, const struct contact *c, const struct content *content,
                             struct inbox_row *row)
{
    uint8_t head[CONTENT_HEAD_LEN];
    content_head_write(content, head);
    row->head = arena_copy(&e->arena, view_of(head, sizeof head));
    payload_take(e, content, row);
    row->counter = content->counter;
    sodium_memzero(head, sizeof head);
    const struct statement said = {content->key_version, content->head, content->made_ms};
    enum status s = statement_in(e, now, c, &said);
    return s == STATUS_OK ? counter_in(e, row) : s;
}

enum status opening_in(struct engine *e, struct now now, struct inbox_row *row, struct view ciphertext, bool final,
                       enum report_cause *cause)
{
    struct contact c;
    struct sealed_header h;
    struct view body;
    struct content content;
    const struct sealed_context context = context_of(e, row);
    row->closed = false;
    *cause = sealed_header_read(ciphertext, &h, &body);
    if (*cause != CAUSE_NONE) return STATUS_OK;
    enum status s = state_contact_get(e->state, row->sender_account, &c);
    const struct log_device *d = s == STATUS_OK ? sender_of(&c, row, &h) : NULL;
    if (s != STATUS_OK && s != STATUS_NOT_FOUND) return s;
    if (!d) {
        row->closed = !final;
        *cause = final ? CAUSE_SENDER : CAUSE_NONE;
        return STATUS_OK;
    }
    const struct peer peer = {row->sender_account, d};
    s = pair_open_in(e, now, &peer, &context, ciphertext, &content, cause);
    if (s == STATUS_OK && *cause == CAUSE_NONE) s = opened_in(e, now, &c, &content, row);
    sodium_memzero(&content, sizeof content);
    pair_forget(e);
    return s;
}

/* ---- those that were kept closed ---- */

/* What became of one, to be told once its transaction is committed. */
struct reopened {
    uint64_t order;
    enum fail_reason reason;
    struct view report;
};

static enum status reopen_in(struct engine *e, struct now now, struct inbox_row *row, bool final, struct reopened *out)
{
    enum report_cause cause;
    bool hidden;
    struct view ciphertext = row->body;
    enum status s = opening_in(e, now, row, ciphertext, final, &cause);
    *out = (struct reopened){.order = 0};
    if (s != STATUS_OK || row->closed) return s;
    *out = (struct reopened){.order = row->order, .reason = report_reason((uint32_t)cause)};
    struct pending_ack ack = {.position = {.term = row->term, .seq = row->seq}, .reason = out->reason};
    if (cause != CAUSE_NONE) {
        s = opening_report_in(e, now, row, cause, &out->report);
        if (s == STATUS_OK) s = state_inbox_drop(e->state, row->order);
        return s == STATUS_OK ? state_ack_put(e->state, &ack) : s;
    }
    s = state_inbox_open(e->state, row);
    if (s == STATUS_OK) s = policy_received_in(e, now, row, &hidden);
    if (s == STATUS_OK && !hidden) received_tell(e, row);
    return s == STATUS_OK ? state_ack_put(e->state, &ack) : s;
}

/* Closed rows of an account, a page at a time. */
struct reopening {
    struct account_id account;
    uint64_t closed; /* those up to here end now */
    uint64_t after;
    struct reopened done[CLOSED_AT_ONCE];
    size_t count;
    bool more, left; /* left: some came after the look-up was asked, and are closed still */
};

static enum status reopen_page_in(struct engine *e, struct now now, struct reopening *r)
{
    struct inbox_row rows[CLOSED_AT_ONCE];
    struct inbox_scan scan = {.which = INBOX_CLOSED, .after = r->after, .rows = rows, .row_max = CLOSED_AT_ONCE};
    enum status s = state_inbox_scan(e->state, &scan, &e->arena);
    r->count = 0;
    r->more = s == STATUS_OK && scan.row_count == CLOSED_AT_ONCE;
    for (size_t i = 0; i < scan.row_count && s == STATUS_OK; i++) {
        r->after = rows[i].order;
        if (memcmp(&rows[i].sender_account, &r->account, sizeof r->account) != 0) continue;
        s = reopen_in(e, now, &rows[i], rows[i].order <= r->closed, &r->done[r->count]);
        r->left = r->left || rows[i].closed;
        r->count += r->done[r->count].order != 0;
    }
    return s;
}

/* A look that finds nothing shall not take the writers' lock. */
static bool any_closed(struct engine *e)
{
    struct inbox_row row;
    struct inbox_scan scan = {.which = INBOX_CLOSED, .rows = &row, .row_max = 1};
    enum status s = tx_begin(e, STATE_READ);
    if (s == STATUS_OK) s = tx_end(e, state_inbox_scan(e->state, &scan, &e->arena));
    return engine_fault(e, s) && scan.row_count > 0;
}

bool opening_retry(struct engine *e, struct now now, struct account_id account, uint64_t closed, bool *left)
{
    struct reopening r = {.account = account, .closed = closed};
    *left = false;
    if (!e->attached) return true; /* they are the receiving process's: it tells the relay what became of them */
    r.more = any_closed(e);
    while (r.more) {
        enum status s = tx_begin(e, STATE_WRITE);
        if (s == STATUS_OK) s = tx_end(e, reopen_page_in(e, now, &r));
        if (!engine_fault(e, s)) return false;
        for (size_t i = 0; i < r.count; i++)
            if (r.done[i].reason == FAIL_NONE)
                acks_opened(e, now, r.done[i].order);
            else
                acks_broken(e, now, r.done[i].order, r.done[i].reason, r.done[i].report);
    }
    *left = r.left;
    return true;
}

void opening_sweep(struct engine *e, struct now now)
{
    struct inbox_row rows[CLOSED_AT_ONCE];
    struct inbox_scan scan = {.which = INBOX_CLOSED, .rows = rows, .row_max = CLOSED_AT_ONCE};
    enum status s = tx_begin(e, STATE_READ);
    if (s == STATUS_OK) s = tx_end(e, state_inbox_scan(e->state, &scan, &e->arena));
    e->learn_left = scan.row_count == CLOSED_AT_ONCE;
    for (size_t i = 0; engine_fault(e, s) && i < scan.row_count; i++) {
        if (rows[i].order > e->closed_last) e->closed_last = rows[i].order;
        contact_learn(e, now, rows[i].sender_account);
    }
}

/* ---- reports ---- */

enum status opening_report_in(struct engine *e, struct now now, const struct inbox_row *row, enum report_cause cause,
                              struct view *out)
{
    const struct msg_report_body body = {.device = e->identity.device, .account = e->identity.account,
                                         .sender = row->sender_device, .target = row->target, .id = row->id,
                                         .attempt = row->attempt, .cause = (uint32_t)cause, .made_ms = now.wall_ms};
    struct device_secrets *secrets = secrets_new();
    struct buffer report = {0};
    enum status s = state_secrets_get(e->state, secrets);
    if (s == STATUS_OK) report_make(&body, secrets->signing_sk, &report);
    *out = arena_copy(&e->arena, buffer_view(&report));
    buffer_fini(&report);
    sodium_free(secrets);
    return s;
}
