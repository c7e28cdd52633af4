/* ack: step 7: settle. Acks are cumulative over what the session was offered; consecutive settled
 * deliveries become one run row, failed ones are parked with their payload. */
#include "storage/delivery.h"

#include <string.h>

#define RUN_JOIN_MS 1000u /* what settles so soon after the first of a run may share its time */

enum status ack_plan(struct storage *s, struct request *r)
{
    const struct msg_ack *m = r->meta;
    if (!core_owns(s, home_of_account(r->stamp.account))) return STATUS_WRONG_HOME;
    if (m->lineage.len && m->lineage.len != LINEAGE_MARK_LEN) return STATUS_MALFORMED;
    for (size_t i = 0; i < m->failed_count; i++) {
        struct position at = {m->failed[i].term, m->failed[i].seq};
        struct store_key key = key_position(ROW_ENVELOPE, home_of_account(r->stamp.account),
                                            r->stamp.device, at);
        if (m->failed[i].reason != FAIL_HELD && m->failed[i].reason != FAIL_BROKEN)
            return STATUS_MALFORMED;
        turn_want(&s->turn, SPACE_PAYLOAD, &key);
    }
    report_want(s, r);
    return STATUS_OK;
}

static enum delivery_state offer_state(const struct mailbox *m, const struct offer *o)
{
    return position_compare(o->at, m->row.delivered) <= 0 ? DELIVERY_DELIVERED : DELIVERY_OFFERED;
}

static void tell_sender(struct storage *s, const struct mailbox *m, const struct offer *o,
                        struct msg_part_state part)
{
    part.device = m->device;
    part.at_ms = s->turn.now_ms;
    part.attempt = o->attempt;
    hint_add(s, o->sender, o->target, o->id, &part);
}

/* A run that goes on where the last one ended a moment ago takes its place: its row is seldom more than
 * one of the store's packs by then. */
static void run_end(struct storage *s, struct mailbox *m, struct run *run)
{
    const struct run *before = &m->run;
    if (!run->last.seq) return;
    run->at_ms = s->turn.now_ms;
    if (before->last.seq && term_equal(before->last.term, run->last.term) &&
        before->last.seq + 1 == run->first && run->at_ms < before->at_ms + RUN_JOIN_MS) {
        struct store_key old = key_position(ROW_RUN, m->home, m->device, before->last);
        turn_remove_blind(&s->turn, SPACE_ROUTING, &old);
        run->first = before->first;
        run->at_ms = before->at_ms;
    }
    struct run_row row = {.first = run->first, .at_ms = run->at_ms};
    struct store_key key = key_position(ROW_RUN, m->home, m->device, run->last);
    turn_put_brief(&s->turn, SPACE_ROUTING, &key, run_row_write(&s->turn.arena, &row),
                   view_of(NULL, 0));
    m->run = *run;
    run->last.seq = 0;
}

static void run_add(struct storage *s, struct mailbox *m, struct run *run, struct position at)
{
    bool joins = run->last.seq && term_equal(run->last.term, at.term) &&
                 run->last.seq + 1 == at.seq;
    if (!joins) {
        run_end(s, m, run);
        run->first = at.seq;
    }
    run->last = at;
}

static void park(struct storage *s, const struct request *r, struct mailbox *m, const struct offer *o,
                 const struct msg_failure *failure)
{
    struct store_key open = key_position(ROW_ENVELOPE, m->home, m->device, o->at);
    struct store_key parked = key_position(ROW_PARKED, m->home, m->device, o->at);
    struct store_key own = key_position(ROW_OUTCOME, m->home, m->device, o->at);
    struct view ciphertext, value = turn_get(&s->turn, SPACE_PAYLOAD, &open);
    struct envelope_row envelope;
    struct outcome_row row = {.state = DELIVERY_FAILED, .reason = failure->reason,
                              .at_ms = s->turn.now_ms, .client_version = m->session.client_version,
                              .report = report_take(s, r, m, o, failure)};
    if (envelope_row_read(value, &envelope, &ciphertext) == STATUS_OK) row.commitment = envelope.commitment;
    if (value.at) turn_put_new(&s->turn, SPACE_PAYLOAD, &parked, value, view_of(NULL, 0));
    turn_remove(&s->turn, SPACE_PAYLOAD, &open);
    turn_put(&s->turn, SPACE_ROUTING, &own, outcome_row_write(&s->turn.arena, &row));
    core_closed(s, m, o->len);
    core_parked(s, m, true);
    tell_sender(s, m, o, (struct msg_part_state){.state = DELIVERY_FAILED, .reason = row.reason,
                                                 .report = row.report});
    core_event(s, &(struct event){.kind = EVENT_DELIVERY_FAILED, .code = row.reason,
                                  .value = m->session.client_version,
                                  .device = mark_device(&s->config.mark_key, m->device),
                                  .message = mark_message(&s->config.mark_key, o->id)});
}

/* NULL: the device names no failure there. */
static const struct msg_failure *failure_of(const struct msg_ack *ack, struct position at)
{
    for (size_t i = 0; i < ack->failed_count; i++) {
        struct position failed = {ack->failed[i].term, ack->failed[i].seq};
        if (position_compare(failed, at) == 0) return &ack->failed[i];
    }
    return NULL;
}

/* false: the table refuses, which only a bug could cause; the delivery stays. */
static bool step_allowed(struct storage *s, const struct mailbox *m, const struct offer *o,
                         enum delivery_event event)
{
    enum delivery_state next, from = offer_state(m, o);
    if (delivery_step(from, event, &next) == STATUS_OK) return true;
    core_event(s, &(struct event){.kind = EVENT_TRANSITION_REFUSED, .code = (uint32_t)from,
                                  .count = event,
                                  .device = mark_device(&s->config.mark_key, m->device)});
    return false;
}

static void settle_one(struct storage *s, struct mailbox *m, const struct offer *o)
{
    struct store_key key = key_position(ROW_ENVELOPE, m->home, m->device, o->at);
    turn_remove_blind(&s->turn, SPACE_PAYLOAD, &key);
    core_closed(s, m, o->len);
    s->counters.settled++;
    tell_sender(s, m, o, (struct msg_part_state){.outcome = OUTCOME_SETTLED});
}

/* Settles or parks the head of the window up to `settled`. */
static void settle(struct storage *s, const struct request *r, struct mailbox *m)
{
    const struct msg_ack *ack = r->meta;
    struct position upto = {ack->settled_term, ack->settled_seq};
    struct run run = {.first = 0};
    size_t n = 0;
    for (; n < m->window_len && position_compare(m->window[n].at, upto) <= 0; n++) {
        const struct offer *o = &m->window[n];
        const struct msg_failure *failure = failure_of(ack, o->at);
        if (!step_allowed(s, m, o, failure ? EVENT_FAIL : EVENT_SETTLE)) break;
        if (failure) {
            park(s, r, m, o, failure);
        } else {
            settle_one(s, m, o);
            run_add(s, m, &run, o->at);
        }
    }
    run_end(s, m, &run);
    mailbox_release(m, n);
}

/* `delivered` covers at most what was offered. */
static void deliver(struct mailbox *m, const struct msg_ack *ack)
{
    struct position upto = {ack->delivered_term, ack->delivered_seq};
    if (position_compare(upto, m->cursor) > 0) upto = m->cursor;
    if (!m->window_len || position_compare(upto, m->row.delivered) <= 0) return;
    m->row.delivered = upto;
    m->row_dirty = m->row_promised = true; /* the echo rests on it */
}

/* What the echo may say. Behind the cursor everything is in the ledger or parked. An ack of an earlier
 * session or of before a restart may name more than is offered again by now: it is echoed once nothing
 * open is left that it could mean, and never beyond what was offered in the present term. */
static struct position covered(const struct storage *s, const struct mailbox *m,
                               struct position asked)
{
    struct position end = m->cursor;
    if (position_compare(asked, m->cursor) <= 0) return asked;
    if (!m->drained) return m->cursor;
    if (term_compare(asked.term, s->term) < 0) return asked;
    if (position_compare(end, m->offered_max) < 0) end = m->offered_max;
    return position_compare(asked, end) < 0 ? asked : end;
}

/* The mailbox, if this is its attached session. */
static struct mailbox *session_mailbox(struct storage *s, const struct request *r)
{
    const struct msg_ack *ack = r->meta;
    struct mailbox *m = core_mailbox_peek(s, r->stamp.device);
    if (!m || !mailbox_attached(m) || m->home != home_of_account(r->stamp.account)) return NULL;
    if (session_compare(ack->session, r->stamp.session) != 0) return NULL;
    return session_compare(m->session.session, r->stamp.session) == 0 ? m : NULL;
}

void ack_apply(struct storage *s, struct request *r)
{
    const struct msg_ack *ack = r->meta;
    struct mailbox *m = session_mailbox(s, r);
    if (!m) {
        request_fail(s, r, STATUS_NO_SESSION, 0);
        return;
    }
    deliver(m, ack);
    settle(s, r, m);
    mailbox_gap_seen(m, ack->gap_seen);
    mailbox_lineage(m, ack->lineage);
    m->row.last_seen_ms = s->turn.now_ms;
    m->row_dirty = true;
    core_hot(s, m);
    struct position settled = covered(s, m, (struct position){ack->settled_term, ack->settled_seq});
    struct position delivered = covered(s, m, (struct position){ack->delivered_term,
                                                                ack->delivered_seq});
    struct msg_acked echo = {.session = ack->session, .settled_term = settled.term,
                             .settled_seq = settled.seq, .delivered_term = delivered.term,
                             .delivered_seq = delivered.seq};
    request_reply(s, r, KIND_ACKED, &msg_acked_desc, &echo);
}
