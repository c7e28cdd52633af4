/* ack: what the relay is told of deliveries (PROTOCOL 8; ARCHITECTURE, step 6): `delivered` once they
 * are kept, `settled` once the application has taken them. Both are cumulative over what this session
 * was offered, so `settled` stands before the first one that was not taken. One ACK is under way at a
 * time; it is repeated until the relay echoes it. What was not settled comes again in the next session.
 * Invariant: settled names only what is committed as taken or failed. */
#include "clients/core.h"

#include <string.h>

#define PENDING_LOOK 64u /* rows of pending acknowledgements that are looked at */

/* ---- lists in ascending order ---- */

static struct failure *failed_at(const struct acks *a, size_t i)
{
    return (struct failure *)(void *)a->failed.at + i;
}

static size_t failed_count(const struct acks *a)
{
    return a->failed.len / sizeof(struct failure);
}

static struct untaken *untaken_at(const struct acks *a, size_t i)
{
    return (struct untaken *)(void *)a->untaken.at + i;
}

static size_t untaken_count(const struct acks *a)
{
    return a->untaken.len / sizeof(struct untaken);
}

static void list_drop(struct buffer *list, size_t first, size_t len)
{
    memmove(list->at + first, list->at + first + len, list->len - first - len);
    list->len -= len;
}

/* Each position once. */
static void failed_add(struct acks *a, struct position at, enum fail_reason reason, struct view report)
{
    struct failure f = {.at = at, .reason = reason, .report_len = (uint8_t)report.len};
    size_t count = failed_count(a), i = count;
    ENSURE(report.len <= sizeof f.report);
    if (report.len) memcpy(f.report, report.at, report.len);
    while (i && position_compare(failed_at(a, i - 1)->at, at) > 0)
        i--;
    if (i && position_compare(failed_at(a, i - 1)->at, at) == 0) return;
    (void)buffer_extend(&a->failed, sizeof f);
    memmove(failed_at(a, i) + 1, failed_at(a, i), (count - i) * sizeof f);
    *failed_at(a, i) = f;
}

/* Failures up to the echo are told. */
static void failed_drop(struct acks *a)
{
    size_t i = 0;
    while (i < failed_count(a) &&
           position_compare(failed_at(a, i)->at, a->echoed_settled) <= 0)
        i++;
    if (i) list_drop(&a->failed, 0, i * sizeof(struct failure));
}

/* ---- what is delivered ---- */

void acks_reset(struct engine *e)
{
    struct buffer failed = e->acks.failed, untaken = e->acks.untaken;
    buffer_clear(&failed);
    buffer_clear(&untaken);
    uint64_t drop_ms = e->acks.drop.seq ? e->acks.drop_ms : NEVER;
    e->acks = (struct acks){.send_ms = NEVER, .poll_ms = NEVER, .drop_ms = drop_ms,
                            .drop = e->acks.drop, .failed = failed, .untaken = untaken};
}

bool acks_have_room(const struct engine *e, size_t count)
{
    const struct acks *a = &e->acks;
    return untaken_count(a) + count <= CREDIT_MESSAGES_MAX + DELIVERIES_PER_FRAME &&
           failed_count(a) + count <= CREDIT_MESSAGES_MAX + DELIVERIES_PER_FRAME;
}

/* Its transaction is committed. Moved or repeated, one message may stand at several positions. */
static void untaken_drop(struct acks *a, uint64_t order)
{
    size_t i = 0;
    while (i < untaken_count(a)) {
        if (untaken_at(a, i)->order == order)
            list_drop(&a->untaken, i * sizeof(struct untaken), sizeof(struct untaken));
        else
            i++;
    }
}

static void delivered_add(struct acks *a, const struct delivered *d)
{
    if (d->reason != FAIL_NONE) failed_add(a, d->at, d->reason, d->report);
    if (position_compare(d->at, a->delivered) <= 0) return; /* known: offered again */
    if (d->order && !d->taken) {
        struct untaken u = {.at = d->at, .before = a->delivered, .order = d->order};
        write_bytes(&a->untaken, &u, sizeof u);
    }
    a->delivered = d->at;
}

/* What is offered again below what was echoed is acknowledged again. */
void acks_delivered(struct engine *e, struct now now, const struct delivered *items, size_t count)
{
    struct acks *a = &e->acks;
    a->drop_ms = NEVER; /* went with this transaction */
    a->since_count += count;
    for (size_t i = 0; i < count; i++) {
        a->since_bytes += items[i].len;
        if (items[i].replaced) untaken_drop(a, items[i].replaced);
        delivered_add(a, &items[i]);
    }
    if (!count) return;
    if (position_compare(items[0].at, a->echoed_settled) <= 0)
        a->echoed_settled = (struct position){.seq = 0};
    if (position_compare(items[0].at, a->echoed_delivered) <= 0)
        a->echoed_delivered = (struct position){.seq = 0};
    if (!a->under_way) a->send_ms = now.mono_ms;
    a->delivered_ms = now.mono_ms + ACK_DELIVERED_MS;
    if (untaken_count(a)) earlier(&a->poll_ms, now.mono_ms + e->config.poll_ms);
}

/* ---- what the application takes ---- */

static struct position settled_of(const struct acks *a)
{
    return untaken_count(a) ? untaken_at(a, 0)->before : a->delivered;
}

/* Where the row's delivery is: in this session, or where it came from; seq 0: it was taken before. */
static enum status position_in(struct engine *e, uint64_t order, struct position *out)
{
    struct inbox_row row;
    struct inbox_scan scan = {.after = order - 1, .rows = &row, .row_max = 1};
    for (size_t i = 0; i < untaken_count(&e->acks); i++) {
        *out = untaken_at(&e->acks, i)->at;
        if (untaken_at(&e->acks, i)->order == order) return STATUS_OK;
    }
    enum status s = state_inbox_scan(e->state, &scan, &e->arena);
    if (s != STATUS_OK) return s;
    if (!scan.row_count || row.order != order) return STATUS_NOT_FOUND;
    *out = (struct position){.term = row.term, .seq = row.shown || row.sealed ? 0 : row.seq};
    return STATUS_OK;
}

/* One row that says that an acknowledgement is pending is enough: the highest. */
static enum status take_in(struct engine *e, const uint64_t *orders, size_t count)
{
    struct pending_ack ack = {.reason = FAIL_NONE};
    enum status s = STATUS_OK;
    for (size_t i = 0; i < count && s == STATUS_OK; i++) {
        struct position at = {.seq = 0};
        s = orders[i] ? position_in(e, orders[i], &at) : STATUS_NOT_FOUND;
        if (s == STATUS_OK) s = state_inbox_show(e->state, orders[i]);
        if (at.seq && position_compare(at, ack.position) > 0) ack.position = at;
    }
    return s == STATUS_OK && ack.position.seq ? state_ack_put(e->state, &ack) : s;
}

static void settle_soon(struct acks *a, struct now now)
{
    if (!a->under_way && !a->tries) a->send_ms = now.mono_ms;
}

void acks_opened(struct engine *e, struct now now, uint64_t order)
{
    untaken_drop(&e->acks, order);
    settle_soon(&e->acks, now);
}

void acks_broken(struct engine *e, struct now now, uint64_t order, enum fail_reason reason, struct view report)
{
    struct acks *a = &e->acks;
    for (size_t i = 0; i < untaken_count(a); i++)
        if (untaken_at(a, i)->order == order) failed_add(a, untaken_at(a, i)->at, reason, report);
    acks_opened(e, now, order);
}

enum status engine_ack(struct engine *e, struct now now, const uint64_t *orders, size_t count)
{
    struct acks *a = &e->acks;
    arena_reset(&e->arena);
    enum status s = tx_begin(e, STATE_WRITE);
    if (s == STATUS_OK) s = tx_end(e, take_in(e, orders, count));
    if (!engine_fault(e, s)) return s;
    for (size_t i = 0; i < count; i++)
        untaken_drop(a, orders[i]);
    settle_soon(a, now);
    return STATUS_OK;
}

/* Another process on this home may have taken some: all before the first row that nobody took. */
static void taken_refresh(struct engine *e, struct now now)
{
    struct acks *a = &e->acks;
    struct inbox_row row = {.order = UINT64_MAX};
    struct inbox_scan scan = {.which = INBOX_UNSETTLED, .rows = &row, .row_max = 1, .after = UINT64_MAX};
    size_t i = 0;
    a->poll_ms = now.mono_ms + e->config.poll_ms;
    for (size_t k = 0; k < untaken_count(a); k++)
        if (untaken_at(a, k)->order <= scan.after) scan.after = untaken_at(a, k)->order - 1;
    enum status s = tx_begin(e, STATE_READ);
    if (s == STATUS_OK) s = tx_end(e, state_inbox_scan(e->state, &scan, &e->arena));
    if (!engine_fault(e, s)) return;
    while (i < untaken_count(a)) {
        if (untaken_at(a, i)->order < row.order)
            list_drop(&a->untaken, i * sizeof(struct untaken), sizeof(struct untaken));
        else
            i++;
    }
    settle_soon(a, now);
}

/* ---- rows of the state ---- */

enum status acks_drop_in(struct engine *e)
{
    return e->acks.drop_ms == NEVER ? STATUS_OK : state_ack_drop(e->state, e->acks.drop);
}

static void drop_drive(struct engine *e, struct now now)
{
    struct acks *a = &e->acks;
    enum status s = tx_begin(e, STATE_WRITE);
    if (s == STATUS_OK) s = tx_end(e, acks_drop_in(e));
    a->drop_ms = engine_fault(e, s) ? NEVER : now.mono_ms + ACK_DROP_DELAY_MS;
}

enum status engine_acks_pending(struct engine *e, bool *out)
{
    struct pending_ack rows[PENDING_LOOK];
    size_t count = 0;
    *out = false;
    enum status s = tx_begin(e, STATE_READ);
    if (s == STATUS_OK) s = tx_end(e, state_ack_scan(e->state, rows, PENDING_LOOK, &count));
    if (!engine_fault(e, s)) return s;
    bool echoed = e->acks.drop_ms != NEVER && count && count < PENDING_LOOK &&
                  position_compare(rows[count - 1].position, e->acks.drop) <= 0;
    *out = count && !echoed;
    return STATUS_OK;
}

/* A session that is offered nothing which is still to be acknowledged: the relay has ended those. */
static bool stale_due(const struct engine *e)
{
    const struct acks *a = &e->acks;
    return e->session_state == SESSION_BOUND && e->attached && !a->stale_done &&
           a->drop_ms == NEVER && !untaken_count(a) && !ack_pending(e);
}

static void stale_drop(struct engine *e, struct now now)
{
    struct acks *a = &e->acks;
    bool pending;
    a->stale_done = true;
    if (engine_acks_pending(e, &pending) != STATUS_OK || !pending) return;
    memset(&a->drop, 0xff, sizeof a->drop);
    a->drop_ms = now.mono_ms;
    drop_drive(e, now);
}

/* ---- ACK ---- */

static bool differs(struct position is, struct position echoed)
{
    return is.seq && position_compare(is, echoed) != 0;
}

/* Something besides `delivered` is to be said. */
static bool settle_due(const struct acks *a)
{
    return a->gap_due || differs(settled_of(a), a->echoed_settled);
}

bool ack_pending(const struct engine *e)
{
    const struct acks *a = &e->acks;
    return e->session_state == SESSION_BOUND &&
           (a->under_way || settle_due(a) || differs(a->delivered, a->echoed_delivered));
}

/* A frame and an answer for each message of a busy mailbox would cost more than the message (ARCHITECTURE,
 * Decisions): acks are cumulative, so one in a while says as much. */
static uint64_t send_at_ms(const struct engine *e)
{
    const struct acks *a = &e->acks;
    uint64_t at_ms = a->send_ms;
    if (e->leaving || e->draining) return at_ms;
    if (!settle_due(a) && a->delivered_ms > at_ms) at_ms = a->delivered_ms;
    bool paced = 2 * a->since_count < e->config.credit_messages &&
                 2 * a->since_bytes < e->config.credit_bytes;
    return paced && a->pace_ms > at_ms ? a->pace_ms : at_ms;
}

/* At most FAILURES_PER_ACK failures can be named: then it covers no more than what stands before the
 * next one. */
static struct position ack_fill(const struct acks *a, struct msg_ack *m,
                                struct msg_failure *failures)
{
    struct position up_to = settled_of(a);
    m->failed = failures;
    for (size_t i = 0; i < failed_count(a); i++) {
        const struct failure *f = failed_at(a, i);
        if (position_compare(f->at, up_to) > 0) break;
        if (i == FAILURES_PER_ACK) return failed_at(a, i - 1)->at;
        failures[m->failed_count++] = (struct msg_failure){
            .term = f->at.term, .seq = f->at.seq, .reason = (uint32_t)f->reason,
            .report = view_of(f->report, f->report_len)};
    }
    return up_to;
}

static void ack_send(struct engine *e, struct now now)
{
    struct acks *a = &e->acks;
    struct msg_failure failures[FAILURES_PER_ACK];
    struct msg_ack m = {.session = e->session, .gap_seen = e->gap_seen,
                        .delivered_term = a->delivered.term, .delivered_seq = a->delivered.seq};
    struct position settled = ack_fill(a, &m, failures);
    m.settled_term = settled.term;
    m.settled_seq = settled.seq;
    if (!request_room(e) || !lineage_due(e, now, &m.lineage)) m.lineage = view_of(NULL, 0);
    a->under_way = request_make(e, now, KIND_ACK, home_of_account(e->identity.account),
                                &msg_ack_desc, &m) != NULL;
    a->send_ms = now.mono_ms + RETRY_MIN_MS;
    if (!a->under_way) return;
    a->pace_ms = now.mono_ms + e->config.ack_pace_ms;
    a->since_count = 0;
    a->since_bytes = 0;
    a->asked_settled = settled;
    a->asked_delivered = a->delivered;
    a->gap_asked = a->gap_due;
    a->gap_due = false;
}

void ack_drive(struct engine *e, struct now now)
{
    struct acks *a = &e->acks;
    if (a->drop_ms <= now.mono_ms || (e->leaving && a->drop_ms != NEVER)) drop_drive(e, now);
    if (untaken_count(a) && a->poll_ms <= now.mono_ms) taken_refresh(e, now);
    if (stale_due(e) && e->welcome_ms + ACK_STALE_MS <= now.mono_ms) stale_drop(e, now);
    if (ack_pending(e) && !a->under_way && send_at_ms(e) <= now.mono_ms) ack_send(e, now);
}

uint64_t ack_deadline_ms(const struct engine *e)
{
    const struct acks *a = &e->acks;
    uint64_t deadline = a->drop_ms;
    if (ack_pending(e) && !a->under_way) earlier(&deadline, send_at_ms(e));
    if (untaken_count(a)) earlier(&deadline, a->poll_ms);
    if (stale_due(e)) earlier(&deadline, e->welcome_ms + ACK_STALE_MS);
    return deadline;
}

/* ---- ACKED ---- */

void acked_reply(struct engine *e, struct now now, struct request *r, const struct frame *f)
{
    struct acks *a = &e->acks;
    struct msg_acked m;
    if (r->session_count != e->session_count) return;
    a->under_way = false;
    if (codec_decode(&msg_acked_desc, f->meta, &e->arena, &m) != STATUS_OK ||
        session_compare(m.session, e->session) != 0) {
        e->counts.frames_bad++;
        ack_failed(e, now, r, STATUS_UNKNOWN, 0);
        return;
    }
    struct position settled = {.term = m.settled_term, .seq = m.settled_seq};
    struct position delivered = {.term = m.delivered_term, .seq = m.delivered_seq};
    if (position_compare(settled, a->asked_settled) < 0 ||
        position_compare(delivered, a->asked_delivered) < 0) { /* not all of it: say it again */
        a->gap_due |= a->gap_asked;
        a->send_ms = now.mono_ms + backoff_ms(e, a->tries++, RETRY_MIN_MS, RETRY_MAX_MS);
        return;
    }
    a->echoed_settled = a->asked_settled;
    a->echoed_delivered = a->asked_delivered;
    a->tries = 0;
    a->send_ms = now.mono_ms;
    if (!a->asked_settled.seq) return; /* nothing of the state's */
    a->drop = a->asked_settled;
    earlier(&a->drop_ms, now.mono_ms + ACK_DROP_DELAY_MS);
    failed_drop(a);
}

void ack_failed(struct engine *e, struct now now, struct request *r, enum status s,
                uint32_t retry_after_ms)
{
    struct acks *a = &e->acks;
    (void)s;
    if (r->session_count != e->session_count) return;
    uint64_t delay = backoff_ms(e, a->tries++, RETRY_MIN_MS, RETRY_MAX_MS);
    a->under_way = false;
    a->gap_due |= a->gap_asked;
    a->send_ms = now.mono_ms + (delay > retry_after_ms ? delay : retry_after_ms);
}
