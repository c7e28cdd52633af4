/* expiry: three slow sweeps, a bounded piece per turn: envelopes past their time, claims, runs and
 * outcomes past the ledger's, events past theirs. Suspended while the clock is in doubt. They run
 * before the turn's own changes, so what they see is exactly what the store holds. */
#include "storage/delivery.h"

#include <string.h>

#define SWEEP_ROWS      256u
#define SWEEP_BYTES     (256u * 1024u)
#define OFFERED_KEEP_MS (3600u * 1000u)

enum { SWEEP_PAYLOAD, SWEEP_LEDGER, SWEEP_EVENTS };

/* Continues after the last row seen, starts over at the end. */
static struct store_scan *plan_sweep(struct storage *s, enum store_space space,
                                     const struct store_key *cursor)
{
    struct store_key none = {.len = 0};
    return turn_scan(&s->turn, space, cursor, &none, SWEEP_ROWS, SWEEP_BYTES);
}

static void move_cursor(struct store_key *cursor, const struct store_scan *scan)
{
    *cursor = scan->more ? key_after(scan->rows[scan->row_count - 1].key)
                         : (struct store_key){.len = 0};
}

void expiry_plan(struct storage *s)
{
    memset(s->sweep_scans, 0, sizeof s->sweep_scans);
    if (!s->sweep_due || s->clock_jumped) return;
    s->sweep_turn = (s->sweep_turn + 1) % 3;
    if (s->sweep_turn == SWEEP_PAYLOAD)
        s->sweep_scans[SWEEP_PAYLOAD] = plan_sweep(s, SPACE_PAYLOAD, &s->sweep_payload);
    else if (s->sweep_turn == SWEEP_LEDGER)
        s->sweep_scans[SWEEP_LEDGER] = plan_sweep(s, SPACE_ROUTING, &s->sweep_ledger);
    else
        s->sweep_scans[SWEEP_EVENTS] = plan_sweep(s, SPACE_EVENTS, &s->sweep_events);
}

/* An offered delivery stays while its session lives, for an hour at most. */
static bool held_by_session(const struct storage *s, const struct mailbox *m, struct position at,
                            uint64_t expires_ms)
{
    if (!m || s->turn.now_ms > expires_ms + OFFERED_KEEP_MS) return false;
    for (size_t i = 0; i < m->window_len; i++)
        if (position_compare(m->window[i].at, at) == 0) return true;
    return false;
}

static void drop_from_window(struct mailbox *m, struct position at)
{
    for (size_t i = 0; i < m->window_len; i++) {
        if (position_compare(m->window[i].at, at) != 0) continue;
        m->window_bytes -= m->window[i].len;
        memmove(&m->window[i], &m->window[i + 1], (m->window_len - i - 1) * sizeof *m->window);
        m->window_len--;
        return;
    }
}

static void expire(struct storage *s, uint16_t home, struct device_id device, struct position at,
                   const struct store_row *stored, const struct envelope_row *row, uint64_t len)
{
    bool parked = stored->key.at[0] == ROW_PARKED;
    struct store_key own = key_position(ROW_OUTCOME, home, device, at);
    struct store_key open = key_position(parked ? ROW_PARKED : ROW_ENVELOPE, home, device, at);
    struct outcome_row outcome = {.outcome = OUTCOME_EXPIRED, .at_ms = s->turn.now_ms};
    struct mailbox *m;
    if (core_mailbox(s, home, device, &m) != STATUS_OK) return;
    turn_remove(&s->turn, SPACE_PAYLOAD, &open);
    turn_put(&s->turn, SPACE_ROUTING, &own, outcome_row_write(&s->turn.arena, &outcome));
    if (parked) {
        m->row.parked -= m->row.parked > 0;
        s->counters.parked -= s->counters.parked > 0;
    } else {
        drop_from_window(m, at);
        mailbox_closed(m, len);
        s->counters.queued_messages -= s->counters.queued_messages > 0;
        s->counters.queued_bytes -= s->counters.queued_bytes < len ? s->counters.queued_bytes : len;
        mailbox_gap(m, GAP_EXPIRED, 1);
        core_hot(s, m);
    }
    struct msg_part_state part = {.device = device, .outcome = OUTCOME_EXPIRED,
                                  .at_ms = s->turn.now_ms};
    hint_add(s, row->sender_device, row->target, row->id, &part);
    core_event(s, &(struct event){.kind = EVENT_DELIVERY_EXPIRED, .count = 1,
                                  .device = mark_device(&s->config.mark_key, device),
                                  .message = mark_message(&s->config.mark_key, row->id)});
}

static void sweep_payload(struct storage *s, const struct store_scan *scan)
{
    struct expired { const struct store_row *stored; struct device_id device; struct position at;
                     struct envelope_row row; uint64_t len; uint16_t home; };
    struct expired *found = arena_array(&s->turn.arena, scan->row_count, sizeof *found);
    size_t count = 0;
    for (size_t i = 0; i < scan->row_count; i++) {
        struct expired *e = &found[count];
        struct view ciphertext;
        e->stored = &scan->rows[i];
        if (key_position_read(e->stored->key, &e->device, &e->at) != STATUS_OK) continue;
        if (envelope_row_read(e->stored->value, &e->row, &ciphertext) != STATUS_OK) continue;
        e->len = ciphertext.len;
        e->home = get_u16(e->stored->key.at + 1);
        if (e->row.expires_ms > s->turn.now_ms) continue;
        const struct mailbox *m = core_mailbox_peek(s, e->device);
        if (held_by_session(s, m, e->at, e->row.expires_ms)) continue;
        core_mailbox_want(s, e->home, e->device);
        count++;
    }
    if (count && turn_load(&s->turn, s->store) != STATUS_OK) return;
    for (size_t i = 0; i < count; i++)
        expire(s, found[i].home, found[i].device, found[i].at, found[i].stored, &found[i].row,
               found[i].len);
}

static bool older(const struct storage *s, uint64_t at_ms, uint64_t keep_ms)
{
    return at_ms + keep_ms < s->turn.now_ms;
}

/* A claim goes when every delivery it names has had its outcome for the ledger's time. */
static bool claim_is_over(struct storage *s, const struct store_row *stored)
{
    struct message_ref ref;
    uint32_t attempt;
    struct claim_row claim;
    struct msg_accepted accepted;
    struct delivery_ask asks[DEVICES_PER_ACCOUNT];
    size_t count = 0;
    if (key_claim_read(stored->key, &ref, &attempt) != STATUS_OK) return false;
    if (claim_row_read(stored->value, &claim) != STATUS_OK) return false;
    if (!older(s, claim.accepted_ms, s->config.ledger_keep_ms)) return false;
    if (codec_decode(&msg_accepted_desc, claim.answer, &s->turn.arena, &accepted) != STATUS_OK)
        return false;
    for (size_t i = 0; i < accepted.part_count; i++)
        count += delivery_part_of(&accepted.parts[i], home_of_target(ref.target), claim.accepted_ms,
                                  &asks[count]);
    if (delivery_resolve(s, asks, count) != STATUS_OK) return false;
    for (size_t i = 0; i < count; i++) {
        bool open = asks[i].answer.outcome == OUTCOME_OPEN && !asks[i].old;
        if (open || !older(s, asks[i].answer.at_ms, s->config.ledger_keep_ms)) return false;
    }
    return true;
}

static bool ledger_row_is_over(struct storage *s, const struct store_row *stored)
{
    struct run_row run;
    struct outcome_row outcome;
    /* twice the time: a claim must never outlive what it refers to */
    uint64_t keep = 2 * s->config.ledger_keep_ms;
    if (!stored->key.len) return false;
    switch (stored->key.at[0]) {
    case ROW_CLAIM: return claim_is_over(s, stored);
    case ROW_RUN: return run_row_read(stored->value, &run) == STATUS_OK && older(s, run.at_ms, keep);
    case ROW_OUTCOME:
        return outcome_row_read(stored->value, &outcome) == STATUS_OK &&
               outcome.state != DELIVERY_FAILED && older(s, outcome.at_ms, keep);
    default: return false;
    }
}

static void remove_row(struct storage *s, enum store_space space, struct view key)
{
    store_batch_delete(&s->turn.batch, &s->turn.arena, space, arena_copy(&s->turn.arena, key));
}

static void sweep_ledger(struct storage *s, const struct store_scan *scan)
{
    for (size_t i = 0; i < scan->row_count; i++)
        if (ledger_row_is_over(s, &scan->rows[i]))
            remove_row(s, SPACE_ROUTING, scan->rows[i].key);
}

static void sweep_events(struct storage *s, const struct store_scan *scan)
{
    for (size_t i = 0; i < scan->row_count; i++) {
        struct view key = scan->rows[i].key;
        if (key.len == 19 && older(s, get_u64(key.at + 3), s->config.events_keep_ms))
            remove_row(s, SPACE_EVENTS, key);
    }
}

void expiry_apply(struct storage *s)
{
    const struct store_scan *const *scans = (const struct store_scan *const *)s->sweep_scans;
    if (scans[SWEEP_PAYLOAD]) {
        sweep_payload(s, scans[SWEEP_PAYLOAD]);
        move_cursor(&s->sweep_payload, scans[SWEEP_PAYLOAD]);
    }
    if (scans[SWEEP_LEDGER]) {
        sweep_ledger(s, scans[SWEEP_LEDGER]);
        move_cursor(&s->sweep_ledger, scans[SWEEP_LEDGER]);
    }
    if (scans[SWEEP_EVENTS]) {
        sweep_events(s, scans[SWEEP_EVENTS]);
        move_cursor(&s->sweep_events, scans[SWEEP_EVENTS]);
    }
    s->sweep_due = false;
}
