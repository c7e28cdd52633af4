/* inbox: deliveries and their acknowledgement (PROTOCOL 8; ARCHITECTURE, step 6). One transaction per
 * DELIVER keeps the messages and, with them, that their acknowledgement is pending, and the number of
 * its gaps; only then does the position count as settled. One ACK is under way at a time; it is repeated
 * until the relay echoes it.
 * Invariant: acks.settled and gap_seen never name what is not committed. */
#include "clients/core.h"

#include <string.h>

#include "clients/wrap.h"

#define GAP_SEEN_SETTING "gap_seen" /* 8 bytes */

/* ---- gaps ---- */

enum status gap_seen_load_in(struct engine *e)
{
    struct view value;
    enum status s = state_setting_get(e->state, GAP_SEEN_SETTING, &e->arena, &value);
    if (s == STATUS_OK && value.len != sizeof e->gap_seen) return STATUS_DAMAGED;
    if (s == STATUS_OK) e->gap_seen = get_u64(value.at);
    return s == STATUS_NOT_FOUND ? STATUS_OK : s;
}

static void gaps_tell(struct engine *e, const struct msg_deliver *m)
{
    for (size_t i = 0; i < m->gap_count; i++) {
        const struct msg_gap *gap = &m->gaps[i];
        event_put(e, &(struct engine_event){
                         .kind = ENGINE_GAP,
                         .gap = (enum gap_reason)gap->reason,
                         .count = gap->count,
                         .first = {.term = gap->term, .seq = gap->first},
                         .last = {.term = gap->term, .seq = gap->last}});
    }
}

/* Told again because the relay did not hear of it: it was recorded, and the application knows. */
static enum status gaps_keep_in(struct engine *e, const struct msg_deliver *m)
{
    uint8_t number[8];
    if (!m->gap_count) return STATUS_OK;
    enum status s = gap_seen_load_in(e); /* another process may have recorded it */
    if (s != STATUS_OK || m->gap_number <= e->gap_seen) return s;
    gaps_tell(e, m);
    put_u64(number, m->gap_number);
    return state_setting_put(e->state, GAP_SEEN_SETTING, view_of(number, sizeof number));
}

/* Its transaction is committed. */
static void gaps_settle(struct engine *e, struct now now, const struct msg_deliver *m)
{
    if (!m->gap_count) return;
    if (m->gap_number > e->gap_seen) e->gap_seen = m->gap_number;
    e->acks.gap_due = true;
    if (!e->acks.under_way) e->acks.send_ms = now.mono_ms;
}

/* ---- DELIVER ---- */

/* One delivery of the frame with its bytes; *reason says whether it could be opened. */
static enum status delivery_keep_in(struct engine *e, struct now now, const struct msg_delivery *d,
                                    struct view ciphertext, enum fail_reason *reason)
{
    struct inbox_row row = {.sender_account = d->sender_account,
                            .sender_device = d->sender_device,
                            .id = d->id,
                            .term = d->term,
                            .seq = d->seq,
                            .accepted_ms = d->accepted_ms,
                            .received_ms = now.wall_ms};
    bool added;
    *reason = wrap_open(ciphertext, d->sealed, &row.body);
    if (*reason != FAIL_NONE) return STATUS_OK;
    enum status s = state_inbox_put(e->state, &row, &added);
    if (s != STATUS_OK) return s;
    if (!added) e->counts.duplicates++;
    if (added)
        event_put(e, &(struct engine_event){.kind = ENGINE_RECEIVED, .order = row.order,
                                            .id = row.id, .sender_account = row.sender_account,
                                            .sender_device = row.sender_device});
    return STATUS_OK;
}

static enum status echoed_drop_in(struct engine *e)
{
    return e->acks.drop_ms == NEVER ? STATUS_OK : state_ack_drop(e->state, e->acks.drop);
}

/* All of the frame or nothing. An acknowledgement is pending for each failure and for the last one;
 * that covers those between. Failures go to `failed` as well. */
static enum status deliver_in(struct engine *e, struct now now, const struct msg_deliver *m,
                              struct view body, struct buffer *failed)
{
    struct reader r = reader_of(body);
    enum status s = echoed_drop_in(e);
    if (s == STATUS_OK) s = gaps_keep_in(e, m);
    for (size_t i = 0; i < m->item_count && s == STATUS_OK; i++) {
        const struct msg_delivery *d = &m->items[i];
        struct pending_ack ack = {.position = {.term = d->term, .seq = d->seq}};
        s = delivery_keep_in(e, now, d, read_view(&r, d->len), &ack.reason);
        if (s == STATUS_OK && (ack.reason != FAIL_NONE || i + 1 == m->item_count))
            s = state_ack_put(e->state, &ack);
        if (ack.reason != FAIL_NONE) write_bytes(failed, &ack, sizeof ack);
    }
    return s;
}

/* In mailbox order, and with exactly their bytes; gaps with a number. */
static bool deliver_is_well_formed(const struct msg_deliver *m, struct view body)
{
    struct position before = {.seq = 0};
    uint64_t len = 0;
    if (m->gap_count && !m->gap_number) return false;
    for (size_t i = 0; i < m->item_count; i++) {
        struct position at = {.term = m->items[i].term, .seq = m->items[i].seq};
        if (at.seq == 0 || position_compare(at, before) <= 0) return false;
        before = at;
        len += m->items[i].len;
    }
    return len == body.len;
}

static const struct pending_ack *failed_at(const struct acks *a, size_t i)
{
    return (const struct pending_ack *)(const void *)a->failed.at + i;
}

static size_t failed_count(const struct acks *a)
{
    return a->failed.len / sizeof(struct pending_ack);
}

/* Keeps the list in order, each position once. */
static void failed_add(struct acks *a, struct pending_ack ack)
{
    size_t count = failed_count(a), i = count;
    while (i && position_compare(failed_at(a, i - 1)->position, ack.position) > 0)
        i--;
    if (i && position_compare(failed_at(a, i - 1)->position, ack.position) == 0) return;
    (void)buffer_extend(&a->failed, sizeof ack);
    uint8_t *at = a->failed.at + i * sizeof ack;
    memmove(at + sizeof ack, at, (count - i) * sizeof ack);
    memcpy(at, &ack, sizeof ack);
}

/* What is offered again below what was echoed is acknowledged again. */
static void settled_set(struct engine *e, struct now now, const struct msg_deliver *m,
                        struct view failed)
{
    struct acks *a = &e->acks;
    struct reader r = reader_of(failed);
    a->drop_ms = NEVER; /* went with this transaction */
    if (m->item_count == 0) return;
    const struct msg_delivery *end = &m->items[m->item_count - 1];
    struct position last = {.term = end->term, .seq = end->seq};
    while (reader_left(&r)) {
        struct pending_ack ack;
        read_bytes(&r, &ack, sizeof ack);
        failed_add(a, ack);
    }
    if (position_compare(last, a->settled) > 0) a->settled = last;
    if (position_compare(last, a->echoed) <= 0) a->echoed = (struct position){.seq = 0};
    if (!a->under_way) a->send_ms = now.mono_ms;
}

/* Where it cannot be kept now, a new session will offer it again. */
void deliver_push(struct engine *e, struct now now, const struct frame *f)
{
    struct msg_deliver m;
    struct buffer failed = {0};
    if (codec_decode(&msg_deliver_desc, f->meta, &e->arena, &m) != STATUS_OK ||
        e->session_state != SESSION_BOUND || session_compare(m.session, e->session) != 0 ||
        !deliver_is_well_formed(&m, f->body)) {
        e->counts.frames_bad++;
        return;
    }
    if (m.item_count == 0 && m.gap_count == 0) return;
    enum status s = tx_begin(e, STATE_WRITE);
    if (s == STATUS_OK) s = tx_end(e, deliver_in(e, now, &m, f->body, &failed));
    if (engine_fault(e, s)) {
        settled_set(e, now, &m, buffer_view(&failed));
        gaps_settle(e, now, &m);
    } else if (e->broken == STATUS_OK) {
        session_lost(e, now);
        earlier(&e->hello_ms, now.mono_ms + RETRY_MIN_MS);
    }
    buffer_fini(&failed);
}

/* ---- ACK ---- */

void acks_reset(struct engine *e)
{
    struct buffer failed = e->acks.failed;
    buffer_clear(&failed);
    uint64_t drop_ms = e->acks.drop.seq ? e->acks.drop_ms : NEVER;
    e->acks = (struct acks){.send_ms = NEVER, .drop_ms = drop_ms, .drop = e->acks.drop,
                            .failed = failed};
}

bool ack_pending(const struct engine *e)
{
    const struct acks *a = &e->acks;
    return e->session_state == SESSION_BOUND &&
           (a->under_way || a->gap_due ||
            (a->settled.seq && position_compare(a->settled, a->echoed) != 0));
}

/* At most FAILURES_PER_ACK failures can be named: then it covers no more than what stands before the
 * next one. */
static struct position ack_fill(const struct acks *a, struct msg_ack *m,
                                struct msg_failure *failures)
{
    struct position up_to = a->settled;
    size_t count = failed_count(a);
    m->failed = failures;
    for (size_t i = 0; i < count && i < FAILURES_PER_ACK; i++) {
        const struct pending_ack *p = failed_at(a, i);
        failures[m->failed_count++] = (struct msg_failure){
            .term = p->position.term, .seq = p->position.seq, .reason = (uint32_t)p->reason};
    }
    if (count > FAILURES_PER_ACK) up_to = failed_at(a, FAILURES_PER_ACK - 1)->position;
    return up_to;
}

void ack_drive(struct engine *e, struct now now)
{
    struct acks *a = &e->acks;
    struct msg_failure failures[FAILURES_PER_ACK];
    struct msg_ack m = {.session = e->session, .gap_seen = e->gap_seen};
    if (a->drop_ms <= now.mono_ms) {
        enum status s = tx_begin(e, STATE_WRITE);
        if (s == STATUS_OK) s = tx_end(e, echoed_drop_in(e));
        a->drop_ms = engine_fault(e, s) ? NEVER : now.mono_ms + ACK_DROP_DELAY_MS;
    }
    if (!ack_pending(e) || a->under_way || a->send_ms > now.mono_ms) return;
    struct position up_to = ack_fill(a, &m, failures);
    m.settled_term = m.delivered_term = up_to.term;
    m.settled_seq = m.delivered_seq = up_to.seq;
    a->under_way = request_make(e, now, KIND_ACK, home_of_account(e->identity.account),
                                &msg_ack_desc, &m) != NULL;
    a->send_ms = now.mono_ms + RETRY_MIN_MS;
    if (!a->under_way) return;
    a->asked = up_to;
    a->gap_asked = a->gap_due;
    a->gap_due = false;
}

uint64_t ack_deadline_ms(const struct engine *e)
{
    uint64_t deadline = e->acks.drop_ms;
    if (ack_pending(e) && !e->acks.under_way) earlier(&deadline, e->acks.send_ms);
    return deadline;
}

/* Failures up to the echo are told. */
static void failed_drop(struct acks *a)
{
    size_t i = 0, count = failed_count(a);
    while (i < count && position_compare(failed_at(a, i)->position, a->echoed) <= 0)
        i++;
    size_t len = i * sizeof(struct pending_ack);
    if (!len) return;
    memmove(a->failed.at, a->failed.at + len, a->failed.len - len);
    a->failed.len -= len;
}

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
    struct position echoed = {.term = m.settled_term, .seq = m.settled_seq};
    if (position_compare(echoed, a->asked) < 0) { /* not all of it: say it again */
        a->gap_due |= a->gap_asked;
        a->send_ms = now.mono_ms + backoff_ms(e, a->tries++, RETRY_MIN_MS, RETRY_MAX_MS);
        return;
    }
    a->echoed = a->asked;
    a->tries = 0;
    a->send_ms = now.mono_ms;
    if (!a->asked.seq) return; /* gaps alone */
    a->drop = a->asked;
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
