/* expiry: five slow sweeps, a bounded piece per turn: envelopes past their time, claims, runs and
 * outcomes past the ledger's, events past theirs, what is left of revoked devices (fence.c), once a day all accounts (reconcile.c). Suspended while the clock is in doubt. They run
 * before the turn's own changes, so what they see is exactly what the store holds. */
#include "storage/delivery.h"

#include <string.h>

#define SWEEP_ROWS      512u
#define SWEEP_BYTES     (1024u * 1024u)
#define SWEEP_EVERY_MS  500u
#define SWEEP_FASTER    10u /* times, while a pass has more to see: the ledger grows with the load */
#define OFFERED_KEEP_MS (3600u * 1000u)

enum { SWEEP_PAYLOAD, SWEEP_LEDGER, SWEEP_EVENTS, SWEEP_FENCES, SWEEP_ACCOUNTS };
_Static_assert(SWEEP_ACCOUNTS + 1 == SWEEPS, "core.h");

/* Continues after the last row seen, starts over at the end. */
static struct store_scan *plan_sweep(struct storage *s, enum store_space space,
                                     const struct store_key *cursor)
{
    struct store_key none = {.len = 0};
    return turn_scan(&s->turn, space, cursor, &none, SWEEP_ROWS, SWEEP_BYTES);
}

/* Where a block cannot be read the sweep goes on with the next partition of the kind it was at. */
static struct store_key step_over(const struct store_key *cursor, const struct store_scan *scan)
{
    static const uint8_t first_kinds[SPACE_COUNT] = {
        [SPACE_PAYLOAD] = ROW_ENVELOPE, [SPACE_ROUTING] = ROW_CLAIM, [SPACE_EVENTS] = ROW_EVENT,
        [SPACE_IDENTITY] = ROW_ACCOUNT};
    uint8_t prefix[3] = {first_kinds[scan->space], 0, 0};
    memcpy(prefix, cursor->bytes, cursor->len < sizeof prefix ? cursor->len : sizeof prefix);
    bool last = get_u16(prefix + 1) >= PARTITION_COUNT - 1;
    return key_end(view_of(prefix, last ? 1 : sizeof prefix));
}

static void move_cursor(struct store_key *cursor, const struct store_scan *scan)
{
    if (scan->damaged) {
        *cursor = step_over(cursor, scan);
        return;
    }
    *cursor = scan->more ? key_after(scan->rows[scan->row_count - 1].key)
                         : (struct store_key){.len = 0};
}

void expiry_plan(struct storage *s)
{
    memset(s->sweep_scans, 0, sizeof s->sweep_scans);
    if (!s->sweep_due || !core_may_expire(s)) return;
    s->sweep_turn = (s->sweep_turn + 1) % SWEEPS;
    if (s->sweep_turn == SWEEP_ACCOUNTS && !reconcile_due(s)) s->sweep_turn = SWEEP_PAYLOAD;
    if (s->sweep_turn == SWEEP_PAYLOAD)
        s->sweep_scans[SWEEP_PAYLOAD] = plan_sweep(s, SPACE_PAYLOAD, &s->sweep_payload);
    else if (s->sweep_turn == SWEEP_LEDGER)
        s->sweep_scans[SWEEP_LEDGER] = plan_sweep(s, SPACE_ROUTING, &s->sweep_ledger);
    else if (s->sweep_turn == SWEEP_EVENTS)
        s->sweep_scans[SWEEP_EVENTS] = plan_sweep(s, SPACE_EVENTS, &s->sweep_events);
    else if (s->sweep_turn == SWEEP_FENCES)
        s->sweep_scans[SWEEP_FENCES] = fence_plan(s, &s->sweep_fences);
    else
        s->sweep_scans[SWEEP_ACCOUNTS] = reconcile_plan(s, &s->sweep_accounts);
}

/* An offered delivery stays while its session lives, for an hour at most. */
static bool held_by_session(const struct storage *s, const struct mailbox *m, struct position at,
                            uint64_t expires_ms)
{
    return m && s->turn.now_ms <= expires_ms + OFFERED_KEEP_MS && mailbox_offers(m, at);
}

static void leave_queue(struct storage *s, struct mailbox *m, enum row_kind kind,
                        struct position at, uint64_t len)
{
    if (kind == ROW_PARKED) {
        core_parked(s, m, false);
        return;
    }
    mailbox_withdraw(m, at);
    core_closed(s, m, len);
    mailbox_gap(m, GAP_EXPIRED, 1);
}

void expiry_end(struct storage *s, struct mailbox *m, enum row_kind kind, struct position at,
                const struct envelope_row *row, uint64_t len)
{
    struct store_key own = key_position(ROW_OUTCOME, m->home, m->device, at);
    struct store_key held = key_position(kind, m->home, m->device, at);
    bool revoked = m->row.revoked_ms != 0; /* it has had that outcome since then */
    struct outcome_row outcome = {.outcome = revoked ? OUTCOME_REVOKED : OUTCOME_EXPIRED,
                                  .at_ms = revoked ? m->row.revoked_ms : s->turn.now_ms};
    turn_remove(&s->turn, SPACE_PAYLOAD, &held);
    turn_put(&s->turn, SPACE_ROUTING, &own, outcome_row_write(&s->turn.arena, &outcome));
    leave_queue(s, m, kind, at, len);
    struct msg_part_state part = {.device = m->device, .outcome = outcome.outcome,
                                  .at_ms = outcome.at_ms, .attempt = row->attempt};
    hint_add(s, row->sender_device, row->target, row->id, &part);
    if (revoked) return;
    core_event(s, &(struct event){.kind = EVENT_DELIVERY_EXPIRED, .count = 1,
                                  .device = mark_device(&s->config.mark_key, m->device),
                                  .message = mark_message(&s->config.mark_key, row->id)});
}

/* One row of the payload space that is past its time. */
struct expired {
    enum row_kind kind;
    uint16_t home;
    struct device_id device;
    struct position at;
    struct envelope_row row;
    uint64_t len;
};

static bool read_expired(const struct storage *s, const struct store_row *stored, struct expired *e)
{
    struct view ciphertext;
    if (key_position_read(stored->key, &e->device, &e->at) != STATUS_OK) return false;
    if (envelope_row_read(stored->value, &e->row, &ciphertext) != STATUS_OK) return false;
    if (e->row.expires_ms > s->turn.now_ms) return false;
    e->kind = (enum row_kind)stored->key.at[0];
    e->home = get_u16(stored->key.at + 1);
    e->len = ciphertext.len;
    return !held_by_session(s, core_mailbox_peek(s, e->device), e->at, e->row.expires_ms);
}

static void sweep_payload(struct storage *s, struct store_scan *scan)
{
    struct expired *found = arena_array(&s->turn.arena, scan->row_count, sizeof *found);
    size_t count = 0;
    for (size_t i = 0; i < scan->row_count; i++) {
        if (!read_expired(s, &scan->rows[i], &found[count])) continue;
        core_mailbox_want(s, found[count].home, found[count].device);
        count++;
    }
    if (count && turn_load(&s->turn, s->store) != STATUS_OK) return;
    for (size_t i = 0; i < count; i++) {
        const struct expired *e = &found[i];
        struct mailbox *m;
        if (core_mailbox(s, e->home, e->device, &m) != STATUS_OK) continue; /* the next pass */
        expiry_end(s, m, e->kind, e->at, &e->row, e->len);
        core_hot(s, m);
    }
}

static bool older(const struct storage *s, uint64_t at_ms, uint64_t keep_ms)
{
    return at_ms + keep_ms < s->turn.now_ms;
}

/* Claims are looked into by one row, a claim or a page of them, and what is asked about each row is a
 * part of one list. */
struct old_claims {
    struct view key;
    size_t first, count; /* of asks */
};

struct asking {
    struct delivery_ask *asks;
    size_t count, cap;
};

static struct delivery_ask *next_ask(struct storage *s, struct asking *to)
{
    if (to->count == to->cap) {
        struct delivery_ask *before = to->asks;
        to->cap = to->cap ? 2 * to->cap : SWEEP_ROWS;
        to->asks = arena_array(&s->turn.arena, to->cap, sizeof *to->asks);
        if (to->count) memcpy(to->asks, before, to->count * sizeof *before);
    }
    return &to->asks[to->count];
}

/* false: too young, or not readable, which `explain` tells and no sweep may hide. */
static bool ask_claim(struct storage *s, struct target_id target, struct view row, struct asking *to)
{
    struct claim_row claim;
    struct msg_accepted accepted;
    if (claim_row_read(row, &claim) != STATUS_OK) return false;
    if (!older(s, claim.accepted_ms, s->config.ledger_keep_ms)) return false;
    if (codec_decode(&msg_accepted_desc, claim.answer, &s->turn.arena, &accepted) != STATUS_OK)
        return false;
    for (size_t i = 0; i < accepted.part_count; i++)
        to->count += delivery_part_of(&accepted.parts[i], home_of_target(target),
                                      claim.accepted_ms, next_ask(s, to));
    return true;
}

static bool ask_row(struct storage *s, const struct store_row *stored, struct asking *to)
{
    struct message_ref ref;
    uint32_t attempt;
    struct page_claim *claims;
    size_t count;
    if (stored->key.at[0] == ROW_CLAIM)
        return key_claim_read(stored->key, &ref, &attempt) == STATUS_OK &&
               ask_claim(s, ref.target, stored->value, to);
    if (stored->key.at[0] != ROW_PAGE) return false;
    if (page_row_read(stored->value, &s->turn.arena, &claims, &count) != STATUS_OK) return false;
    for (size_t i = 0; i < count; i++)
        if (!ask_claim(s, claims[i].target, claims[i].row, to)) return false;
    return true;
}

/* Claims go when every delivery they name has had its outcome for the ledger's time. */
static bool claims_are_over(const struct storage *s, const struct delivery_ask *asks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool open = asks[i].answer.outcome == OUTCOME_OPEN && !asks[i].old;
        if (open || !older(s, asks[i].answer.at_ms, s->config.ledger_keep_ms)) return false;
    }
    return true;
}

/* A claim must never outlive what it refers to, and it lives until its last delivery has had an outcome for
 * the ledger's time: so all of it stays for the longest life of a payload and twice the ledger's time. */
static bool ledger_row_is_over(const struct storage *s, const struct store_row *stored)
{
    struct run_row run;
    struct outcome_row outcome;
    uint64_t keep = s->config.payload_keep_ms + 2 * s->config.ledger_keep_ms;
    if (stored->key.at[0] == ROW_RUN)
        return run_row_read(stored->value, &run) == STATUS_OK && older(s, run.at_ms, keep);
    if (stored->key.at[0] != ROW_OUTCOME) return false;
    if (outcome_row_read(stored->value, &outcome) != STATUS_OK) return false;
    if (outcome.moved_to.seq) keep += s->config.payload_keep_ms;
    return outcome.state != DELIVERY_FAILED && older(s, outcome.at_ms, keep);
}

static void remove_row(struct storage *s, enum store_space space, struct view key)
{
    store_batch_delete(&s->turn.batch, &s->turn.arena, space, arena_copy(&s->turn.arena, key));
}

/* A page holds many claims: what is left of the rows when enough is asked is for the next piece. */
static void sweep_ledger(struct storage *s, struct store_scan *scan)
{
    struct old_claims *claims = arena_array(&s->turn.arena, scan->row_count, sizeof *claims);
    struct asking to = {.count = 0};
    size_t claim_count = 0;
    for (size_t i = 0; i < scan->row_count; i++) {
        struct old_claims row = {.key = scan->rows[i].key, .first = to.count};
        if (!row.key.len) continue;
        if (ledger_row_is_over(s, &scan->rows[i])) remove_row(s, SPACE_ROUTING, row.key);
        bool asked = ask_row(s, &scan->rows[i], &to);
        row.count = to.count - row.first;
        if (asked)
            claims[claim_count++] = row;
        else
            to.count = row.first;
        if (to.count < SWEEP_ROWS || i + 1 == scan->row_count) continue;
        scan->row_count = i + 1;
        scan->more = true;
    }
    if (delivery_resolve(s, to.asks, to.count) != STATUS_OK) return;
    for (size_t i = 0; i < claim_count; i++)
        if (claims_are_over(s, to.asks + claims[i].first, claims[i].count))
            remove_row(s, SPACE_ROUTING, claims[i].key);
}

static void sweep_events(struct storage *s, struct store_scan *scan)
{
    for (size_t i = 0; i < scan->row_count; i++) {
        struct view key = scan->rows[i].key;
        if (key.len == 19 && older(s, get_u64(key.at + 3), s->config.events_keep_ms))
            remove_row(s, SPACE_EVENTS, key);
    }
}

void expiry_apply(struct storage *s)
{
    static void (*const sweeps[])(struct storage *, struct store_scan *) = {
        [SWEEP_PAYLOAD] = sweep_payload, [SWEEP_LEDGER] = sweep_ledger,
        [SWEEP_EVENTS] = sweep_events, [SWEEP_FENCES] = fence_sweep, [SWEEP_ACCOUNTS] = reconcile_sweep};
    struct store_key *cursors[] = {&s->sweep_payload, &s->sweep_ledger, &s->sweep_events, &s->sweep_fences, &s->sweep_accounts};
    uint64_t every_ms = s->config.sweep_every_ms ? s->config.sweep_every_ms : SWEEP_EVERY_MS;
    for (size_t i = 0; i < SWEEPS; i++) {
        if (!s->sweep_scans[i]) continue;
        sweeps[i](s, s->sweep_scans[i]);
        move_cursor(cursors[i], s->sweep_scans[i]);
        if (s->sweep_scans[i]->more) every_ms = every_ms / SWEEP_FASTER + 1;
    }
    if (s->sweep_due) s->sweep_next_ms = s->mono_ms + every_ms;
    s->sweep_due = false;
}
