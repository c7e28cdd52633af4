/* verify: contacts that the user has verified (PROTOCOL 10.8): what both sides compare, taken from what we hold, and the
 * mark: set by the user's word alone, lost where that word is worth nothing any more. What a comparison means is safety.c's.
 * Invariant: a mark is lost in the transaction that takes, or sees, what ends it, and the loss is kept until the user says
 * something about the contact again. */
#include "clients/drift.h"

#include <string.h>

void verify_end(struct engine *e, struct now now, struct contact *c, enum loss why)
{
    if (!c->verified_ms) return;
    c->verified_ms = 0;
    c->loss = why;
    c->lost_ms = now.wall_ms;
    event_put(e, &(struct engine_event){.kind = ENGINE_UNVERIFIED, .sender_account = c->log.account, .loss = why});
}

enum status verify_lose_in(struct engine *e, struct now now, struct account_id account, enum loss why)
{
    struct contact c;
    enum status s = state_contact_get(e->state, account, &c);
    if (s == STATUS_NOT_FOUND || (s == STATUS_OK && !c.verified_ms)) return STATUS_OK;
    if (s == STATUS_OK) verify_end(e, now, &c, why);
    return s == STATUS_OK ? state_contact_put(e->state, &c) : s;
}

/* ---- what we hold ---- */

static bool is_own(const struct engine *e, struct account_id account)
{
    return memcmp(&account, &e->identity.account, sizeof account) == 0;
}

static enum status side_in(struct engine *e, struct account_id account, struct safety_side *out)
{
    struct contact c;
    enum status s = state_contact_get(e->state, account, &c);
    if (s == STATUS_OK) *out = (struct safety_side){c.log.account, c.log.length, c.log.head};
    return s;
}

static enum status pair_in(struct engine *e, struct account_id account, struct safety_pair *out)
{
    enum status s = side_in(e, account, &out->contact);
    return s == STATUS_OK ? side_in(e, e->identity.account, &out->own) : s;
}

enum status engine_safety(struct engine *e, struct account_id account, struct safety_pair *out)
{
    struct safety_pair pair;
    memset(out, 0, sizeof *out);
    arena_reset(&e->arena);
    if (is_own(e, account)) return STATUS_STATE;
    enum status s = tx_begin(e, STATE_READ);
    if (s == STATUS_OK) s = tx_end(e, pair_in(e, account, &pair));
    if (s == STATUS_OK) *out = pair;
    (void)engine_fault(e, s);
    return s;
}

/* ---- what the contact shows ---- */

/* The head that our log had at this length; as it is where it has not come so far. */
static enum status head_at_in(struct engine *e, struct safety_side *side, uint64_t length)
{
    struct entry_scan scan = {.account = side->account, .first = length - 1, .max = 1};
    if (length >= side->length) return STATUS_OK;
    enum status s = state_entry_scan(e->state, &e->arena, &scan);
    if (s != STATUS_OK) return s;
    if (!scan.count) return STATUS_DAMAGED;
    side->head = entry_head_of(scan.entries[0], length - 1);
    return STATUS_OK;
}

static enum status compare_in(struct engine *e, struct account_id account, const struct safety_pair *shown,
                              struct safety_pair *held, struct safety_result *out)
{
    enum status s = pair_in(e, account, held);
    if (s == STATUS_OK) s = head_at_in(e, &held->own, shown->contact.length);
    if (s == STATUS_OK) s = head_at_in(e, &held->contact, shown->own.length);
    if (s == STATUS_OK) *out = safety_compare(held, shown);
    return s;
}

static enum status fork_in(struct engine *e, struct now now, struct account_id account, const struct safety_result *result,
                           const struct hash256 *seen)
{
    e->counts.forks++;
    if (result->contact) event_put(e, &(struct engine_event){.kind = ENGINE_FORKED, .sender_account = account});
    if (result->own) event_put(e, &(struct engine_event){.kind = ENGINE_IDENTITY, .status = STATUS_BAD_ENTRY});
    if (result->contact) return hold_contact_in(e, now, account, LOSS_FORK, seen);
    return verify_lose_in(e, now, account, LOSS_FORK);
}

enum status engine_compare(struct engine *e, struct now now, struct account_id account, const struct safety_pair *shown,
                           struct safety_result *out)
{
    struct safety_pair held = {0};
    struct safety_result result = {0};
    memset(out, 0, sizeof *out);
    arena_reset(&e->arena);
    if (is_own(e, account)) return STATUS_STATE;
    enum status s = tx_begin(e, STATE_READ);
    if (s == STATUS_OK) s = tx_end(e, compare_in(e, account, shown, &held, &result));
    if (s == STATUS_OK && result.verdict == SAFETY_FORK) {
        s = tx_begin(e, STATE_WRITE);
        if (s == STATUS_OK) s = tx_end(e, fork_in(e, now, account, &result, &shown->own.head));
    }
    if (!engine_fault(e, s)) return s;
    if (result.verdict == SAFETY_NEWER && result.own) contact_ask(e, now, e->identity.account, held.own.length);
    if (result.verdict == SAFETY_NEWER && result.contact) contact_ask(e, now, account, held.contact.length);
    *out = result;
    return STATUS_OK;
}

/* ---- the user's word ---- */

static enum status verify_in(struct engine *e, struct now now, struct account_id account, bool verified)
{
    struct contact c;
    enum status s = state_contact_get(e->state, account, &c);
    if (s != STATUS_OK) return s;
    c.verified_ms = verified ? now.wall_ms : 0;
    c.loss = LOSS_NONE;
    c.lost_ms = 0;
    bool waits = verified && c.hold != LOSS_NONE;
    if (waits) hold_lift(&c);
    s = state_contact_put(e->state, &c);
    return s == STATUS_OK && waits ? outbox_free_in(e, now, account) : s;
}

enum status engine_verify(struct engine *e, struct now now, struct account_id account, bool verified)
{
    arena_reset(&e->arena);
    if (is_own(e, account)) return STATUS_STATE;
    enum status s = tx_begin(e, STATE_WRITE);
    if (s == STATUS_OK) s = tx_end(e, verify_in(e, now, account, verified));
    (void)engine_fault(e, s);
    return s;
}
