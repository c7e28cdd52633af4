/* answer: what SENT says of each message, or that a SEND was not answered (PROTOCOL 5 and 7). Every
 * status leads to exactly one of: accepted, again with the same bytes, again repaired, given up.
 * Invariant: an answer changes a row only if the row still stands for the bytes that were sent. */
#include "clients/drift.h"

#include <string.h>

static bool hash_equal(const struct hash256 *a, const struct hash256 *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

/* Among the bytes that we ever made for this id. */
static bool is_ours(const struct outbox_row *row, const struct hash256 *digest)
{
    bool found = hash_equal(&row->digest, digest);
    for (size_t i = 0; i < row->attempt_count; i++)
        found = found || hash_equal(&row->attempts[i], digest);
    return found;
}

/* ---- again ---- */

static uint64_t again_delay_ms(struct engine *e, const struct outbox_row *row, enum status s,
                               uint32_t retry_after_ms)
{
    if (s == STATUS_GONE || s == STATUS_NO_SESSION || s == STATUS_DRAINING) return 0;
    uint64_t delay = s == STATUS_MAILBOX_FULL
                         ? backoff_ms(e, row->tries, MAILBOX_RETRY_MS, MAILBOX_RETRY_MAX_MS)
                         : backoff_ms(e, row->tries, RETRY_MIN_MS, RETRY_MAX_MS);
    return delay > retry_after_ms ? delay : retry_after_ms;
}

/* Whether the message may have been taken all the same. */
static bool leaves_doubt(enum status s)
{
    return s == STATUS_UNKNOWN || s == STATUS_TIMEOUT || s == STATUS_GONE || s == STATUS_MALFORMED;
}

/* The same bytes again. */
static enum status again_in(struct engine *e, struct now now, struct outbox_row *row,
                            enum status s, uint32_t retry_after_ms)
{
    uint64_t delay = again_delay_ms(e, row, s, retry_after_ms);
    if (!leaves_doubt(s)) row->submitted = false;
    if (s == STATUS_WRONG_HOME) e->ping_wanted = true;
    if (delay) row->tries++;
    return outbox_later_in(e, now, row, s, delay);
}

/* ---- accepted ---- */

static struct msg_part_state *part_at(struct outbox_row *row, size_t i, struct device_id device)
{
    if (!row->attempt) return &row->parts[i];
    for (size_t k = 0; k < row->part_count; k++)
        if (device_equal(row->parts[k].device, device)) return &row->parts[k];
    return NULL;
}

/* A first acceptance names all parts, a resend's those that were sealed anew. */
static void parts_take(struct outbox_row *row, const struct msg_accepted *m)
{
    if (!row->attempt) row->part_count = m->part_count;
    for (size_t i = 0; i < m->part_count; i++) {
        const struct msg_accepted_part *part = &m->parts[i];
        struct msg_part_state *mine = part_at(row, i, part->device);
        if (!mine) continue;
        *mine = (struct msg_part_state){.device = part->device, .outcome = part->outcome,
                                        .at_ms = m->receipt.accepted_ms, .attempt = row->attempt};
        if (part->outcome == OUTCOME_OPEN) mine->state = DELIVERY_QUEUED;
    }
    if (row->attempt) resend_left(row, m);
}

static enum status accept_in(struct engine *e, struct now now, struct outbox_row *row,
                             struct view answer)
{
    struct msg_accepted m;
    struct outbox_body body;
    if (codec_decode(&msg_accepted_desc, answer, &e->arena, &m) != STATUS_OK ||
        !message_equal(m.id, row->id) || m.part_count == 0) {
        e->counts.frames_bad++;
        return again_in(e, now, row, STATUS_UNKNOWN, 0);
    }
    enum status s = state_body_get(e->state, row->order, &e->arena, &body);
    body.answer = answer;
    if (s == STATUS_OK) s = state_body_put(e->state, row->order, &body);
    if (s == STATUS_OK) s = copy_make_in(e, now, row, body.payload);
    if (s != STATUS_OK) return s;
    row->submitted = row->doubtful = row->lost = false;
    row->tries = row->rounds = 0; /* if this acceptance is lost, repairs begin anew */
    row->level = m.level;
    row->expires_ms = m.expires_ms;
    row->receipt = m.receipt;
    parts_take(row, &m);
    s = outbox_step_in(e, now, row, MESSAGE_EVENT_ACCEPT, STATUS_OK);
    return s == STATUS_OK ? parts_ended_in(e, now, row) : s;
}

/* Accepted before, under this id: by us with these or earlier bytes, or by something else. */
static enum status reused_in(struct engine *e, struct now now, struct outbox_row *row,
                             const struct msg_sent_item *item)
{
    struct hash256 first;
    if (item->digest.len == sizeof first) {
        memcpy(&first, item->digest.at, sizeof first);
        if (is_ours(row, &first)) return accept_in(e, now, row, item->answer);
    }
    return outbox_refuse_in(e, now, row, STATUS_ID_REUSED);
}

/* ---- repaired ---- */

static enum status refuse_in(struct engine *e, struct now now, struct outbox_row *row,
                             enum status why)
{
    return outbox_refuse_in(e, now, row, why);
}

static enum status hold_in(struct engine *e, struct now now, struct outbox_row *row)
{
    e->counts.forks++;
    witness_want(e, now, row->target);
    if (memcmp(&row->target, &e->identity.account, sizeof row->target) == 0)
        event_put(e, &(struct engine_event){.kind = ENGINE_IDENTITY, .status = STATUS_BAD_ENTRY});
    if (row->attempt) return refuse_in(e, now, row, STATUS_BAD_ENTRY); /* what was accepted is not held, nor are its resends */
    return outbox_step_in(e, now, row, MESSAGE_EVENT_HOLD, hold_fork_reason(e, row->target));
}

/* Who the recipient's devices are, we believe the signed entries; the lists beside them say it for the impatient. */
static enum status stale_in(struct engine *e, struct now now, struct outbox_row *row,
                            const struct msg_sent_item *item)
{
    struct contact c;
    enum pin_verdict verdict;
    if (item->stale_count == 0 || row->rounds++ >= REPAIR_ROUNDS_MAX)
        return refuse_in(e, now, row, STATUS_STALE_DEVICES);
    const struct msg_stale *stale = item->stale;
    enum status s = pin_extend_in(e, now, row->target, &stale->log, stale->entries, stale->entry_count, &c, &verdict);
    if (s == STATUS_OK && verdict == PIN_FORKED) {
        s = hold_contact_in(e, now, row->target, LOSS_FORK, &stale->log.head);
        return s == STATUS_OK ? hold_in(e, now, row) : s;
    }
    if (s == STATUS_OK && identity_log_active(&c.log) == 0) return refuse_in(e, now, row, STATUS_REFUSED);
    if (s == STATUS_OK) s = outbox_reseal_in(e, now, row, STATUS_STALE_DEVICES);
    if (s != STATUS_OK) return s;
    if (verdict == PIN_MORE) return contact_wait_in(e, now, row);
    if (row->rounds == 1) return STATUS_OK;
    /* Its log is just growing, as after a loss: the next round comes when that may be over. */
    return outbox_later_in(e, now, row, row->reason, backoff_ms(e, 0, RETRY_MIN_MS, RETRY_MAX_MS));
}

/* The relay has lost entries that we hold. That is no round of repair, as nothing is made anew; one that says so again and
 * again is asked less and less often. */
static enum status behind_in(struct engine *e, struct now now, struct outbox_row *row, const struct msg_sent_item *item)
{
    if (item->stale_count == 0) return again_in(e, now, row, STATUS_UNKNOWN, 0);
    row->submitted = false;
    row->tries++;
    row->reason = STATUS_RELAY_BEHIND;
    return contact_hand_over_in(e, now, row, item->stale->log.length);
}

/* The relay has no claim under this id and takes none. Only when no submission is unaccounted for is it
 * sure that it never had one. */
static enum status id_time_in(struct engine *e, struct now now, struct outbox_row *row)
{
    if (row->attempt || row->copy_of) return refuse_in(e, now, row, STATUS_ID_TIME); /* the id is not theirs to change */
    if (row->doubtful || row->lost)
        return outbox_step_in(e, now, row, MESSAGE_EVENT_DOUBT, STATUS_ID_TIME);
    if (row->rounds++ >= ID_ROUNDS_MAX) return refuse_in(e, now, row, STATUS_ID_TIME);
    e->ping_wanted = true; /* for the relay's clock; its answer needs a moment */
    outbox_new_id(e, now, row);
    enum status s = outbox_reseal_in(e, now, row, STATUS_ID_TIME);
    uint64_t delay = backoff_ms(e, row->rounds, 2 * RETRY_MIN_MS, RETRY_MAX_MS);
    return s == STATUS_OK ? outbox_later_in(e, now, row, STATUS_ID_TIME, delay) : s;
}

/* ---- one answer ---- */

static enum status repair_in(struct engine *e, struct now now, struct outbox_row *row,
                             const struct msg_sent_item *item, enum status s)
{
    if (s == STATUS_STALE_DEVICES) return stale_in(e, now, row, item);
    if (s == STATUS_RELAY_BEHIND) return behind_in(e, now, row, item);
    if (s == STATUS_ID_TIME) return id_time_in(e, now, row);
    return again_in(e, now, row, s, item->retry_after_ms); /* no_session, wrong_home */
}

static enum status answer_in(struct engine *e, struct now now, struct outbox_row *row,
                             const struct msg_sent_item *item)
{
    enum status s = status_from_wire(item->status);
    if (s == STATUS_OK) return accept_in(e, now, row, item->answer);
    if (s == STATUS_ID_REUSED) return reused_in(e, now, row, item);
    if (s == STATUS_SUPERSEDED) return again_in(e, now, row, s, item->retry_after_ms);
    /* What lost the acceptance may have lost the recipient's account too: its device brings it back. */
    if (s == STATUS_NOT_FOUND && row->lost && engine_relay_ms(e, now) < row->expires_ms)
        return again_in(e, now, row, s, item->retry_after_ms);
    switch (status_client_action(s)) {
    case ACTION_RETRY: return again_in(e, now, row, s, item->retry_after_ms);
    case ACTION_REPAIR: return repair_in(e, now, row, item, s);
    case ACTION_NONE:
    case ACTION_GIVE_UP: break;
    }
    return refuse_in(e, now, row, s);
}

/* ---- a whole frame ---- */

typedef enum status each_fn(struct engine *e, struct now now, struct outbox_row *row,
                            const struct msg_sent_item *item);

/* Calls `each` for every message of the batch that still stands for what was sent; anything else has
 * been decided meanwhile, by an earlier answer or another process. items NULL = one for all. */
static enum status batch_in(struct engine *e, struct now now, const struct send_batch *batch,
                            const struct msg_sent_item *items,
                            const struct msg_sent_item *for_all, each_fn *each)
{
    enum status s = STATUS_OK;
    for (size_t i = 0; i < batch->count && s == STATUS_OK; i++) {
        struct outbox_row row;
        s = state_outbox_get(e->state, batch->items[i].order, &row);
        if (s == STATUS_NOT_FOUND) {
            s = STATUS_OK;
            continue;
        }
        if (s == STATUS_OK && row.state == MESSAGE_QUEUED &&
            hash_equal(&row.digest, &batch->items[i].digest))
            s = each(e, now, &row, items ? &items[i] : for_all);
    }
    return s;
}

static void batch_end(struct engine *e, struct now now, const struct request *r,
                      const struct msg_sent_item *items, const struct msg_sent_item *for_all,
                      each_fn *each)
{
    e->sends_under_way--;
    e->send_bytes -= r->batch->bytes;
    earlier(&e->outbox_ms, now.mono_ms);
    enum status s = tx_begin(e, STATE_WRITE);
    if (s == STATUS_OK) s = tx_end(e, batch_in(e, now, r->batch, items, for_all, each));
    if (engine_fault(e, s)) return;
    submit_wake(e, now, e->config.request_timeout_ms + 1000); /* the leases end */
}

void sent_reply(struct engine *e, struct now now, struct request *r, const struct frame *f)
{
    struct msg_sent m;
    if (codec_decode(&msg_sent_desc, f->meta, &e->arena, &m) != STATUS_OK ||
        m.item_count != r->batch->count) {
        e->counts.frames_bad++;
        send_failed(e, now, r, STATUS_UNKNOWN, 0);
        return;
    }
    if (e->batch_max < SENDS_PER_FRAME) e->batch_max++;
    batch_end(e, now, r, m.items, NULL, answer_in);
}

static enum status failed_in(struct engine *e, struct now now, struct outbox_row *row,
                             const struct msg_sent_item *item)
{
    return again_in(e, now, row, (enum status)item->status, item->retry_after_ms);
}

/* Other messages would be told the same, and we be cut off in the end. */
static void sends_hold(struct engine *e, struct now now, uint32_t retry_after_ms)
{
    uint64_t until_ms = now.mono_ms + retry_after_ms;
    if (until_ms > e->sends_held_ms) e->sends_held_ms = until_ms;
}

/* The frame as a whole. Where the relay refuses it for good, one of its messages may be to blame: they
 * are sent one by one, so that only that one is given up. */
void send_failed(struct engine *e, struct now now, struct request *r, enum status s,
                 uint32_t retry_after_ms)
{
    struct msg_sent_item all = {.status = (uint32_t)s, .retry_after_ms = retry_after_ms};
    bool give_up = status_client_action(s) == ACTION_GIVE_UP && s != STATUS_SUPERSEDED;
    if (give_up && r->batch->count > 1) e->batch_max = 1;
    bool final = give_up && r->batch->count == 1;
    if (s == STATUS_RATE_LIMITED) sends_hold(e, now, retry_after_ms);
    batch_end(e, now, r, NULL, &all, final ? answer_in : failed_in);
}
