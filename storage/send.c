/* send: steps 3 and 4 of an envelope's way: claim, gate (gate.c) and accept. Order of decisions per item (PROTOCOL 7):
 * home, claim, time (of a resend: what it replaces, resend.c), disk, account and its policy (policy.c), gate, room; a refusal
 * stores nothing. */
#include "broker/wire/digest.h"
#include "storage/send.h"

#include <sodium.h>

#include <string.h>

/* PROTOCOL 7.1: each ciphertext is hashed once; the hash serves the claim and later the check. */
static void digest_item(struct send_item *it, struct view raw)
{
    for (size_t i = 0; i < it->item.part_count; i++)
        it->hashes[i] = digest_ciphertext(it->ciphertexts[i]);
    it->digest = digest_claim(raw, it->hashes, it->item.part_count);
}

static bool parts_are_distinct(const struct msg_send_item *item)
{
    for (size_t i = 0; i < item->part_count; i++)
        for (size_t k = 0; k < i; k++)
            if (device_equal(item->parts[i].device, item->parts[k].device)) return false;
    return true;
}

/* What is wrong with the item alone: a commitment is there exactly where the item is sealed, a resend has somebody to
 * go to, and is not one too many. */
static enum status check_form(const struct storage *s, const struct msg_send_item *item)
{
    bool committed = sodium_is_zero(item->commitment.bytes, sizeof item->commitment.bytes) == 0;
    if (!message_id_is_v7(item->id) || !parts_are_distinct(item)) return STATUS_MALFORMED;
    if (item->sealed != committed || (item->attempt && !item->part_count)) return STATUS_MALFORMED;
    if (item->attempt > RESENDS_MAX) return STATUS_REFUSED;
    return core_owns(s, home_of_target(item->target)) ? STATUS_OK : STATUS_WRONG_HOME;
}

/* Takes the item's ciphertexts off the body; what is wrong with the item alone becomes `early`, what
 * is wrong with the frame fails the whole. */
static enum status parse_item(const struct storage *s, const struct request *r, struct view raw,
                              struct reader *body, struct send_item *it, struct arena *a)
{
    enum status status = codec_decode(&msg_send_item_desc, raw, a, &it->item);
    if (status != STATUS_OK) return status;
    it->ciphertexts = arena_array(a, it->item.part_count, sizeof *it->ciphertexts);
    it->hashes = arena_array(a, it->item.part_count, sizeof *it->hashes);
    for (size_t i = 0; i < it->item.part_count; i++) {
        it->ciphertexts[i] = read_view(body, it->item.parts[i].len);
        if (it->item.parts[i].len > CIPHERTEXT_LEN_MAX) it->early = STATUS_TOO_LARGE;
        if (it->item.parts[i].len == 0) it->early = STATUS_MALFORMED;
    }
    if (body->failed) return STATUS_MALFORMED;
    it->ref = (struct message_ref){r->stamp.device, it->item.target, it->item.id};
    it->claim.own = key_claim(r->stamp.device, it->item.target, it->item.id, it->item.attempt);
    enum status form = check_form(s, &it->item);
    if (form != STATUS_OK) it->early = form;
    if (it->early == STATUS_OK) digest_item(it, raw);
    return STATUS_OK;
}

static struct contact_pair pair_of(const struct request *r, const struct send_item *it)
{
    struct contact_pair pair = {.other = r->stamp.account};
    memcpy(pair.account.bytes, it->item.target.bytes, sizeof pair.account);
    return pair;
}

static void want_item(struct storage *s, const struct request *r, struct send_item *it, size_t *scans)
{
    struct contact_pair pair = pair_of(r, it);
    uint16_t home = home_of_target(it->item.target);
    if (!newest_knows_new(s->newest, it->ref.sender, it->ref.target, it->ref.id))
        claim_want(s, &it->ref, it->item.attempt, &it->claim);
    resend_want(s, it);
    it->since = gate_plan(s, &it->item, scans);
    policy_want(s, &pair);
    for (size_t i = 0; i < it->item.part_count; i++)
        core_mailbox_want(s, home, it->item.parts[i].device);
}

/* Takes apart and hashes: the larger part of the work, and none of it needs the state. */
enum status send_read(const struct storage *s, struct request *r, struct arena *a)
{
    const struct msg_send *m = r->meta;
    struct send_plan *plan = arena_alloc(a, sizeof *plan);
    struct reader body = reader_of(r->frame.body);
    if (m->item_count == 0) return STATUS_MALFORMED;
    plan->items = arena_array(a, m->item_count, sizeof *plan->items);
    plan->count = m->item_count;
    for (size_t i = 0; i < plan->count; i++) {
        enum status status = parse_item(s, r, m->items[i], &body, &plan->items[i], a);
        if (status != STATUS_OK) return status;
    }
    if (reader_done(&body) != STATUS_OK) return STATUS_MALFORMED;
    for (size_t i = 0; i < m->lost_count; i++) {
        if (m->lost[i].index >= plan->count) return STATUS_MALFORMED;
        plan->items[m->lost[i].index].lost = &m->lost[i];
    }
    r->plan = plan;
    return STATUS_OK;
}

enum status send_plan(struct storage *s, struct request *r)
{
    const struct send_plan *plan = r->plan;
    size_t scans = 0;
    for (size_t i = 0; i < plan->count; i++)
        if (plan->items[i].early == STATUS_OK) want_item(s, r, &plan->items[i], &scans);
    return STATUS_OK;
}

/* ---- the claim ---- */

/* The sender's client version, where its mailbox is known here; 0 = not. */
static uint64_t version_of(const struct storage *s, struct device_id sender)
{
    const struct mailbox *m = core_mailbox_peek(s, sender);
    return m ? m->row.client_version : 0;
}

static bool claim_answers(struct storage *s, const struct send_item *it, struct msg_sent_item *out)
{
    struct claim_row row;
    struct view value = claim_get(s, &it->ref, &it->claim);
    if (!value.at) return false;
    if (claim_row_read(value, &row) != STATUS_OK) {
        *out = (struct msg_sent_item){.status = STATUS_BUSY, .retry_after_ms = 1000};
        core_event(s, &(struct event){.kind = EVENT_STORE_DAMAGED, .code = STATUS_DAMAGED});
        return true;
    }
    bool same = memcmp(row.digest.bytes, it->digest.bytes, sizeof row.digest.bytes) == 0;
    out->status = same ? STATUS_OK : STATUS_ID_REUSED;
    out->answer = arena_copy(&s->turn.arena, row.answer);
    s->counters.repeated += same;
    if (!same) {
        out->digest = arena_copy(&s->turn.arena, view_of(row.digest.bytes, 32));
        core_event(s, &(struct event){
                          .kind = EVENT_ID_REUSED, .code = STATUS_ID_REUSED,
                          .value = version_of(s, it->ref.sender),
                          .device = mark_device(&s->config.mark_key, it->ref.sender),
                          .message = mark_message(&s->config.mark_key, it->ref.id)});
    }
    return true;
}

/* A receipt exempts from the id's age only what this store has really lost, and only while recipients
 * still remember ids: else it would repeat a message that was settled long ago. */
static bool is_loss(const struct storage *s, const struct send_item *it)
{
    const struct msg_receipt *r = it->lost ? &it->lost->receipt : NULL;
    uint64_t keep = s->config.payload_keep_ms < CLIENT_DEDUP_KEEP_MS ? s->config.payload_keep_ms
                                                                     : CLIENT_DEDUP_KEEP_MS;
    return r && s->turn.now_ms <= r->accepted_ms + keep && terms_lost(s, r) &&
           receipt_verify(s->config.receipt_keys, s->config.receipt_key_count, r, &it->ref,
                          &it->digest) == STATUS_OK;
}

static enum status check_time(const struct storage *s, const struct send_item *it)
{
    uint64_t made = message_id_time_ms(it->item.id), now = s->turn.now_ms;
    if (is_loss(s, it)) return STATUS_OK;
    if (made + ID_AGE_MAX_MS < now || made > now + ID_AHEAD_MAX_MS) return STATUS_ID_TIME;
    return STATUS_OK;
}

/* ---- accept ---- */

/* A resend takes the place of one that is parked. */
static bool has_room(const struct storage *s, const struct mailbox *m, uint64_t len, bool resend)
{
    return m->row.count + m->row.parked < s->config.mailbox_messages + (uint64_t)resend &&
           m->row.bytes + len <= s->config.mailbox_bytes;
}

/* Finds the mailboxes and who has room, before anything is changed. A resend waits until all have: an attempt that is
 * used up for one device is used up for the others. */
static enum status find_room(struct storage *s, const struct send_item *it,
                             struct mailbox *boxes[DEVICES_PER_ACCOUNT],
                             bool room[DEVICES_PER_ACCOUNT])
{
    bool any = false, all = true;
    for (size_t i = 0; i < it->item.part_count; i++) {
        enum status status = core_mailbox(s, home_of_target(it->item.target),
                                          it->item.parts[i].device, &boxes[i]);
        if (status != STATUS_OK) return status == STATUS_REFUSED ? status : STATUS_BUSY;
        memcpy(boxes[i]->row.account.bytes, it->item.target.bytes, sizeof boxes[i]->row.account);
        room[i] = has_room(s, boxes[i], it->item.parts[i].len, it->resend != NULL);
        any = any || room[i];
        all = all && room[i];
    }
    return any && (all || !it->resend) ? STATUS_OK : STATUS_MAILBOX_FULL;
}

/* What the envelope rows of all parts say. */
static struct envelope_row envelope_of(const struct storage *s, const struct request *r,
                                       const struct send_item *it, uint64_t expires_ms)
{
    struct envelope_row row = {.sender_account = r->stamp.account, .sender_device = r->stamp.device,
                               .target = it->item.target, .id = it->item.id, .accepted_ms = s->turn.now_ms,
                               .expires_ms = expires_ms, .attempt = it->item.attempt, .sealed = it->item.sealed,
                               .timed = it->item.ttl_ms != 0};
    if (!it->item.sealed) return row;
    row.stamped = true;
    row.commitment = it->item.commitment;
    row.stamp_key = s->config.stamp_key->id;
    stamp_make(s->config.stamp_key, &row.commitment, &it->ref, row.accepted_ms, &row.stamp);
    return row;
}

static struct position store_part(struct storage *s, const struct send_item *it, size_t part, struct mailbox *m,
                                  const struct envelope_row *row)
{
    struct fresh *fresh = arena_alloc(&s->turn.arena, sizeof *fresh);
    struct view ciphertext = it->ciphertexts[part];
    fresh->at = core_place(s, m, ciphertext.len);
    fresh->ciphertext = ciphertext;
    fresh->row = *row;
    fresh->row.hash = it->hashes[part];
    struct store_key key = key_position(ROW_ENVELOPE, m->home, m->device, fresh->at);
    (mailbox_attached(m) ? turn_put_brief : turn_put_new)(
        &s->turn, SPACE_PAYLOAD, &key, envelope_row_write(&s->turn.arena, &fresh->row), ciphertext);
    if (m->fresh_last)
        m->fresh_last->next = fresh;
    else
        m->fresh = fresh;
    m->fresh_last = fresh;
    core_hot(s, m);
    if (!mailbox_attached(m)) wake_set(s, m);
    if (it->resend) resend_replace(s, it, part, m, fresh->at);
    return fresh->at;
}

static void refuse_part(struct storage *s, struct mailbox *m, struct msg_accepted_part *part)
{
    part->outcome = OUTCOME_OVER_QUOTA;
    mailbox_gap(m, GAP_QUOTA, 1);
    core_hot(s, m);
    core_event(s, &(struct event){.kind = EVENT_MAILBOX_OVER_QUOTA, .count = m->row.count,
                                  .value = m->row.bytes,
                                  .device = mark_device(&s->config.mark_key, m->device)});
}

static uint64_t expiry_of(const struct storage *s, const struct send_item *it)
{
    uint64_t keep = s->config.payload_keep_ms, ttl = it->item.ttl_ms;
    return it->resend ? it->resend->expires_ms : s->turn.now_ms + (ttl && ttl < keep ? ttl : keep);
}

/* The stored answer, and what is new in the mailboxes. */
static struct msg_accepted accept_parts(struct storage *s, const struct request *r, const struct send_item *it,
                                        struct mailbox **boxes, const bool *room)
{
    struct msg_accepted accepted = {.id = it->item.id,
                                    .level = s->durability == DURABILITY_SYNCED ? LEVEL_SYNCED
                                                                                : LEVEL_MEMORY,
                                    .expires_ms = expiry_of(s, it), .key_version = it->item.key_version};
    struct envelope_row row = envelope_of(s, r, it, accepted.expires_ms);
    accepted.parts = arena_array(&s->turn.arena, it->item.part_count, sizeof *accepted.parts);
    accepted.part_count = it->item.part_count;
    for (size_t i = 0; i < accepted.part_count; i++) {
        struct msg_accepted_part *part = &accepted.parts[i];
        part->device = it->item.parts[i].device;
        if (room[i]) {
            struct position at = store_part(s, it, i, boxes[i], &row);
            part->term = at.term;
            part->seq = at.seq;
        } else {
            refuse_part(s, boxes[i], part);
        }
    }
    return accepted;
}

static void accept_item(struct storage *s, const struct request *r, const struct send_item *it,
                        struct mailbox **boxes, const bool *room, struct msg_sent_item *out)
{
    struct msg_accepted accepted = accept_parts(s, r, it, boxes, room);
    accepted.receipt = (struct msg_receipt){.store = s->store_id, .term = s->term,
                                            .commit = s->turn.commit,
                                            .accepted_ms = s->turn.now_ms};
    receipt_sign(&s->config.receipt_keys[0], &accepted.receipt, &it->ref, &it->digest);
    struct buffer encoded = {0};
    codec_encode(&msg_accepted_desc, &accepted, &encoded);
    out->answer = arena_copy(&s->turn.arena, buffer_view(&encoded));
    buffer_fini(&encoded);
    struct claim_row claim = {.accepted_ms = s->turn.now_ms, .expires_ms = accepted.expires_ms,
                              .digest = it->digest, .answer = out->answer};
    claim_put(s, &it->ref, &it->claim, claim_row_write(&s->turn.arena, &claim));
    newest_note(s->newest, it->ref.sender, it->ref.target, it->ref.id);
    s->counters.accepted++;
    if (it->resend)
        core_event(s, &(struct event){.kind = EVENT_RESENT, .count = it->item.attempt, .value = it->item.part_count,
                                      .device = mark_device(&s->config.mark_key, it->ref.sender),
                                      .message = mark_message(&s->config.mark_key, it->ref.id)});
}

static void refuse_item(struct storage *s, const struct request *r, const struct send_item *it, enum status status,
                        enum event_stranger why)
{
    struct event e = {.kind = EVENT_SEND_REFUSED, .code = (uint32_t)status, .count = it->item.attempt,
                      .value = version_of(s, it->ref.sender), .device = mark_device(&s->config.mark_key, it->ref.sender),
                      .message = mark_message(&s->config.mark_key, it->ref.id)};
    if (status == STATUS_NOT_ACCEPTED) {
        e.kind = EVENT_REQUEST_REFUSED;
        e.code = (uint32_t)why;
        e.account = mark_account(&s->config.mark_key, pair_of(r, it).account);
    }
    core_event(s, &e);
}

static void decide(struct storage *s, const struct request *r, const struct send_item *it,
                   struct msg_sent_item *out)
{
    struct contact_pair pair = pair_of(r, it);
    struct policy_finding found = {.request = false};
    struct mailbox *boxes[DEVICES_PER_ACCOUNT];
    bool room[DEVICES_PER_ACCOUNT];
    enum status status = it->early;
    if (status == STATUS_OK && claim_answers(s, it, out)) return;
    if (status == STATUS_OK) status = it->resend ? resend_check(s, it) : check_time(s, it);
    if (status == STATUS_OK && s->state == STORE_READONLY) status = STATUS_STORE_READONLY;
    if (status == STATUS_OK) status = policy_check(s, &pair, it->resend != NULL, &found);
    if (status == STATUS_OK) status = gate(s, it->ref.sender, &it->item, it->since, out);
    if (status == STATUS_OK) status = find_room(s, it, boxes, room);
    out->status = (uint32_t)status;
    if (status == STATUS_STALE_DEVICES)
        drift_refused(s, it->ref.sender, &it->item, out->stale, version_of(s, it->ref.sender));
    if (status == STATUS_OK) {
        accept_item(s, r, it, boxes, room, out);
        stale_accepted(&s->stale, it->ref.sender, it->ref.target, s->turn.now_ms);
        if (found.request) policy_note(s, &pair);
        if (it->lost) core_event(s, &(struct event){.kind = EVENT_RESENT_AFTER_LOSS, .count = 1});
        return;
    }
    if (status_client_action(status) == ACTION_RETRY) out->retry_after_ms = 1000;
    refuse_item(s, r, it, status, found.why);
}

void send_apply(struct storage *s, struct request *r)
{
    const struct send_plan *plan = r->plan;
    struct msg_sent sent = {.item_count = plan->count};
    sent.items = arena_array(&s->turn.arena, plan->count, sizeof *sent.items);
    for (size_t i = 0; i < plan->count; i++)
        decide(s, r, &plan->items[i], &sent.items[i]);
    request_reply(s, r, KIND_SENT, &msg_sent_desc, &sent);
}
