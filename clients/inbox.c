/* inbox: deliveries and gaps (PROTOCOL 8; ARCHITECTURE, step 6). One transaction per DELIVER keeps the
 * messages, and the number of its gaps; only then are they reported to ack.c as delivered. That they are
 * settled is said after the application has taken them (engine_ack).
 * Invariant: nothing is given to ack.c, and gap_seen never names, what is not committed. */
#include "clients/core.h"

#include <string.h>

#include "broker/wire/report.h"
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

static struct inbox_row row_of(struct now now, const struct msg_delivery *d)
{
    return (struct inbox_row){.sender_account = d->sender_account, .sender_device = d->sender_device, .id = d->id,
                              .term = d->term, .seq = d->seq, .accepted_ms = d->accepted_ms,
                              .received_ms = now.wall_ms, .sealed = d->sealed, .target = d->target,
                              .attempt = d->attempt, .commitment = d->commitment, .stamp_key = d->stamp_key,
                              .stamp = d->stamp, .expires_ms = d->expires_ms};
}

void received_tell(struct engine *e, const struct inbox_row *row)
{
    event_put(e, &(struct engine_event){.kind = ENGINE_RECEIVED, .order = row->order, .id = row->id,
                                        .sender_account = row->sender_account, .sender_device = row->sender_device});
}

/* What is known needs no opening: its key is gone. */
static enum status sealed_known_in(struct engine *e, const struct inbox_row *known, struct delivered *out)
{
    e->counts.duplicates++;
    out->order = known->order;
    out->taken = known->sealed ? !known->closed : known->shown;
    return STATUS_OK;
}

/* One of an earlier attempt that is closed still: the relay has this one in its place, and would not know what a word about
 * that is about. */
static enum status superseded_in(struct engine *e, const struct inbox_row *known, const struct inbox_row *row,
                                 struct delivered *out)
{
    if (!known->closed || row->attempt <= known->attempt) return STATUS_OK;
    out->replaced = known->order;
    enum status s = state_inbox_drop(e->state, known->order);
    return s == STATUS_OK ? STATUS_NOT_FOUND : s;
}

static enum status sealed_keep_in(struct engine *e, struct now now, struct inbox_row *row, struct view ciphertext,
                                  struct delivered *out)
{
    struct inbox_row known;
    enum report_cause cause;
    bool added, hidden;
    enum status s = state_inbox_find(e->state, row->sender_device, row->id, &known);
    if (s == STATUS_OK) s = superseded_in(e, &known, row, out);
    if (s == STATUS_OK) return sealed_known_in(e, &known, out);
    if (s == STATUS_NOT_FOUND) s = opening_in(e, now, row, ciphertext, false, &cause);
    if (s != STATUS_OK) return s;
    out->reason = report_reason((uint32_t)cause);
    if (cause != CAUSE_NONE) return opening_report_in(e, now, row, cause, &out->report);
    if (row->closed) row->body = ciphertext;
    s = state_inbox_put(e->state, row, &added);
    out->order = row->order;
    out->taken = !row->closed;
    if (s == STATUS_OK && !row->closed) s = policy_received_in(e, now, row, &hidden);
    if (s == STATUS_OK && !row->closed && !hidden) received_tell(e, row);
    return s;
}

/* One delivery of the frame with its bytes. */
static enum status delivery_keep_in(struct engine *e, struct now now, const struct msg_delivery *d,
                                    struct view ciphertext, struct delivered *out)
{
    struct inbox_row row = row_of(now, d);
    bool added, hidden = false;
    *out = (struct delivered){.at = {.term = d->term, .seq = d->seq}, .len = d->len};
    out->reason = wrap_check(ciphertext, d->sealed);
    if (out->reason != FAIL_NONE) return STATUS_OK;
    if (d->sealed) return sealed_keep_in(e, now, &row, ciphertext, out);
    row.body = wrap_opaque_payload(ciphertext);
    enum status s = state_inbox_put(e->state, &row, &added);
    if (s != STATUS_OK) return s;
    out->order = row.order;
    out->taken = row.shown;
    if (!added) e->counts.duplicates++;
    if (added) s = policy_received_in(e, now, &row, &hidden);
    out->taken = out->taken || hidden;
    out->hidden = hidden;
    if (added && s == STATUS_OK && !hidden) received_tell(e, &row);
    return s;
}

/* An acknowledgement is pending for each failure, and for what was opened: that is settled by itself. */
static enum status pending_in(struct engine *e, const struct msg_delivery *d, const struct delivered *out)
{
    struct pending_ack ack = {.position = out->at, .reason = out->reason};
    bool pending = ack.reason != FAIL_NONE || (d->sealed && out->taken) || out->hidden;
    return pending ? state_ack_put(e->state, &ack) : STATUS_OK;
}

/* All of the frame or nothing. */
static enum status deliver_in(struct engine *e, struct now now, const struct msg_deliver *m,
                              struct view body, struct delivered *out)
{
    struct reader r = reader_of(body);
    enum status s = acks_drop_in(e);
    if (s == STATUS_OK) s = gaps_keep_in(e, m);
    for (size_t i = 0; i < m->item_count && s == STATUS_OK; i++) {
        const struct msg_delivery *d = &m->items[i];
        s = delivery_keep_in(e, now, d, read_view(&r, d->len), &out[i]);
        if (s == STATUS_OK) s = pending_in(e, d, &out[i]);
    }
    return s;
}

/* The senders of what is kept closed. */
static void senders_learn(struct engine *e, struct now now, const struct msg_deliver *m, const struct delivered *items)
{
    for (size_t i = 0; i < m->item_count; i++)
        if (m->items[i].sealed && items[i].reason == FAIL_NONE && !items[i].taken) {
            if (items[i].order > e->closed_last) e->closed_last = items[i].order;
            contact_learn(e, now, m->items[i].sender_account);
        }
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

/* Where it cannot be kept now, a new session will offer it again. */
void deliver_push(struct engine *e, struct now now, const struct frame *f)
{
    struct msg_deliver m;
    if (codec_decode(&msg_deliver_desc, f->meta, &e->arena, &m) != STATUS_OK ||
        e->session_state != SESSION_BOUND || session_compare(m.session, e->session) != 0 ||
        !deliver_is_well_formed(&m, f->body)) {
        e->counts.frames_bad++;
        return;
    }
    if (!acks_have_room(e, m.item_count)) { /* the relay does not keep to the credit */
        e->counts.frames_bad++;
        session_lost(e, now);
        return;
    }
    if (m.item_count == 0 && m.gap_count == 0) return;
    struct delivered *delivered = arena_array(&e->arena, m.item_count, sizeof *delivered);
    enum status s = tx_begin(e, STATE_WRITE);
    if (s == STATUS_OK) s = tx_end(e, deliver_in(e, now, &m, f->body, delivered));
    if (engine_fault(e, s)) {
        acks_delivered(e, now, delivered, m.item_count);
        gaps_settle(e, now, &m);
        senders_learn(e, now, &m, delivered);
    } else if (e->broken == STATUS_OK) {
        session_lost(e, now);
        earlier(&e->hello_ms, now.mono_ms + RETRY_MIN_MS);
    }
}
