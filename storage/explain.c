/* explain: the operator's question "why did this message not arrive", answered from a closed list
 * without seeing any content. "Unknown" is not in the list: every row of the ledger maps to a code. */
#include "broker/wire/report.h"
#include "storage/claim.h"
#include "storage/delivery.h"

#include <sodium.h>
#include <string.h>

#define OFFER_FRESH_MS 5000u

static struct account_id account_of(struct target_id target)
{
    struct account_id account;
    memcpy(account.bytes, target.bytes, sizeof account.bytes);
    return account;
}

enum status explain_plan(struct storage *s, struct request *r)
{
    const struct msg_explain *m = r->meta;
    struct message_ref ref = {m->sender, m->target, m->id};
    if (!core_owns(s, home_of_target(m->target))) return STATUS_WRONG_HOME;
    r->plan = arena_alloc(&s->turn.arena, sizeof(struct claim_look));
    claim_want(s, &ref, 0, r->plan);
    account_want(s, account_of(m->target));
    return STATUS_OK;
}

static enum explain_code code_of_outcome(uint32_t outcome)
{
    static const enum explain_code codes[] = {
        [OUTCOME_OPEN] = EXPLAIN_WAITING_OFFLINE, [OUTCOME_SETTLED] = EXPLAIN_SETTLED,
        [OUTCOME_EXPIRED] = EXPLAIN_EXPIRED,      [OUTCOME_OVER_QUOTA] = EXPLAIN_OVER_QUOTA,
        [OUTCOME_REVOKED] = EXPLAIN_REVOKED,      [OUTCOME_REMOVED] = EXPLAIN_REMOVED,
        [OUTCOME_REPLACED] = EXPLAIN_REPLACED,    [OUTCOME_DEAD] = EXPLAIN_DEAD,
        [OUTCOME_LOST] = EXPLAIN_LOST};
    ENSURE(outcome < sizeof codes / sizeof codes[0]);
    return codes[outcome];
}

static enum explain_code code_of_failure(uint32_t reason)
{
    if (reason == FAIL_HELD) return EXPLAIN_FAILED_HELD;
    return reason == FAIL_DAMAGED ? EXPLAIN_FAILED_DAMAGED : EXPLAIN_FAILED_BROKEN;
}

/* Queued: who is it waiting for? What keeps the device out comes before whether it is there. `a`: NULL = there is no such account. */
static enum explain_code code_of_queued(const struct storage *s, const struct account *a, const struct delivery_ask *ask,
                                        uint64_t last_seen_ms)
{
    const struct mailbox *m = core_mailbox_peek(s, ask->device);
    const struct log_device *d = a ? account_device(a, ask->device) : NULL;
    if (a && account_held(a, ask->device)) return EXPLAIN_WAITING_ON_HOLD;
    if (d && d->standing == STANDING_SUSPENDED) return EXPLAIN_WAITING_SUSPENDED;
    if (m && mailbox_attached(m)) return EXPLAIN_WAITING_SLOW;
    return last_seen_ms > ask->answer.at_ms ? EXPLAIN_WAITING_AWAY : EXPLAIN_WAITING_OFFLINE;
}

static enum explain_code code_of(const struct storage *s, const struct account *a, const struct delivery_ask *ask,
                                 uint64_t last_seen_ms)
{
    if (ask->old) return EXPLAIN_OLDER_THAN_RETENTION;
    if (ask->answer.outcome != OUTCOME_OPEN) return code_of_outcome(ask->answer.outcome);
    switch ((enum delivery_state)ask->answer.state) {
    case DELIVERY_FAILED: return code_of_failure(ask->answer.reason);
    case DELIVERY_DELIVERED:
    case DELIVERY_DECRYPTED: return EXPLAIN_DELIVERED;
    case DELIVERY_OFFERED: {
        const struct mailbox *m = core_mailbox_peek(s, ask->device);
        return m && m->waiting_since_ms && s->mono_ms - m->waiting_since_ms > OFFER_FRESH_MS
                   ? EXPLAIN_WAITING_SLOW
                   : EXPLAIN_OFFERED;
    }
    case DELIVERY_NONE:
    case DELIVERY_QUEUED: break;
    }
    return code_of_queued(s, a, ask, last_seen_ms);
}

/* How much ciphertext is still held for this delivery, open or parked. */
static void load_payloads(struct storage *s, const struct delivery_ask *asks, size_t count,
                          struct msg_explained_part *parts)
{
    for (size_t i = 0; i < count; i++) {
        struct store_key open = key_position(ROW_ENVELOPE, asks[i].home, asks[i].device, asks[i].final);
        struct store_key parked = key_position(ROW_PARKED, asks[i].home, asks[i].device, asks[i].final);
        turn_want(&s->turn, SPACE_PAYLOAD, &open);
        turn_want(&s->turn, SPACE_PAYLOAD, &parked);
        core_mailbox_want(s, asks[i].home, asks[i].device);
    }
    if (turn_load(&s->turn, s->store) != STATUS_OK) return;
    for (size_t i = 0; i < count; i++) {
        struct store_key open = key_position(ROW_ENVELOPE, asks[i].home, asks[i].device, asks[i].final);
        struct store_key parked = key_position(ROW_PARKED, asks[i].home, asks[i].device, asks[i].final);
        struct view value = turn_get(&s->turn, SPACE_PAYLOAD, &open), ciphertext;
        struct envelope_row row;
        struct mailbox *m;
        if (!value.at) value = turn_get(&s->turn, SPACE_PAYLOAD, &parked);
        if (envelope_row_read(value, &row, &ciphertext) == STATUS_OK)
            parts[i].payload_bytes = ciphertext.len;
        if (core_mailbox(s, asks[i].home, asks[i].device, &m) != STATUS_OK) continue;
        parts[i].last_seen_ms = m->row.last_seen_ms;
        parts[i].copied_ms = m->row.copied_ms;
    }
}

/* The cause that the device's report names; CAUSE_NONE without one. */
static uint32_t cause_of(struct storage *s, const struct delivery_ask *ask)
{
    struct msg_report report;
    struct msg_report_body body;
    if (!ask->answer.report.len) return CAUSE_NONE;
    return report_open(ask->answer.report, &s->turn.arena, &report, &body) == STATUS_OK ? body.cause : CAUSE_NONE;
}

/* Which list of devices it was accepted for, and whether that is the present one. */
static void versions_tell(const struct account *a, const struct msg_accepted *accepted, struct msg_explained *out)
{
    out->key_version = accepted->key_version;
    if (a) out->key_version_present = a->log.key_version;
}

/* No claim: too old to know, or never here. */
static void explain_missing(struct storage *s, struct request *r)
{
    const struct msg_explain *m = r->meta;
    uint64_t made = message_id_time_ms(m->id);
    bool old = made + s->config.ledger_keep_ms < s->turn.now_ms;
    struct msg_explained reply = {.code = old ? EXPLAIN_OLDER_THAN_RETENTION
                                              : EXPLAIN_NEVER_ACCEPTED};
    request_reply(s, r, KIND_EXPLAINED, &msg_explained_desc, &reply);
}

static size_t ask_parts(const struct msg_explain *m, const struct msg_accepted *accepted,
                        uint64_t accepted_ms, struct delivery_ask *asks, bool *open)
{
    bool all = sodium_is_zero(m->device.bytes, sizeof m->device.bytes) == 1;
    size_t count = 0;
    for (size_t i = 0; i < accepted->part_count; i++) {
        if (!all && !device_equal(accepted->parts[i].device, m->device)) continue;
        open[count] = delivery_part_of(&accepted->parts[i], home_of_target(m->target), accepted_ms,
                                       &asks[count]);
        count++;
    }
    return count;
}

/* Resolves the open ones among asks, in place. */
static enum status resolve_open(struct storage *s, struct delivery_ask *asks, const bool *open,
                                size_t count)
{
    for (size_t i = 0; i < count; i++) {
        enum status status = open[i] ? delivery_resolve(s, &asks[i], 1) : STATUS_OK;
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}

void explain_apply(struct storage *s, struct request *r)
{
    const struct msg_explain *m = r->meta;
    struct message_ref ref = {m->sender, m->target, m->id};
    struct view value = claim_get(s, &ref, r->plan);
    struct claim_row claim;
    struct msg_accepted accepted;
    struct delivery_ask asks[DEVICES_PER_ACCOUNT];
    bool open[DEVICES_PER_ACCOUNT];
    const struct account *a;
    if (!delivery_claim(s, value, &claim, &accepted)) {
        explain_missing(s, r);
        return;
    }
    size_t count = ask_parts(m, &accepted, claim.accepted_ms, asks, open);
    if (resolve_open(s, asks, open, count) != STATUS_OK) {
        request_fail(s, r, STATUS_BUSY, 1000);
        return;
    }
    struct msg_explained reply = {.code = EXPLAIN_NO_SUCH_DEVICE, .accepted_ms = claim.accepted_ms,
                                  .receipt = accepted.receipt, .has_receipt = true,
                                  .part_count = count};
    if (account_find(s, account_of(m->target), &a) != STATUS_OK) a = NULL;
    versions_tell(a, &accepted, &reply);
    reply.parts = arena_array(&s->turn.arena, count, sizeof *reply.parts);
    load_payloads(s, asks, count, reply.parts);
    for (size_t i = 0; i < count; i++) {
        struct msg_explained_part *part = &reply.parts[i];
        part->device = asks[i].device;
        part->code = (uint32_t)code_of(s, a, &asks[i], part->last_seen_ms);
        part->state = asks[i].answer.state;
        part->outcome = asks[i].answer.outcome;
        part->reason = asks[i].answer.reason;
        part->at_ms = asks[i].answer.at_ms;
        part->term = asks[i].final.term;
        part->seq = asks[i].final.seq;
        part->attempt = asks[i].answer.attempt;
        part->cause = cause_of(s, &asks[i]);
        part->client_version = asks[i].client_version;
        reply.code = part->code;
    }
    request_reply(s, r, KIND_EXPLAINED, &msg_explained_desc, &reply);
}
