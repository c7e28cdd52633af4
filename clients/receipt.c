/* receipt: what became of messages that were accepted: HINT as it comes, STATUS for what no hint told
 * (PROTOCOL 7.5). Invariants: a part's outcome is set once; a row leaves `accepted` only when every
 * part has one. */
#include "clients/core.h"

#include <string.h>

/* ---- one part ---- */

/* Whether the news changed it. Hints may overtake each other: the older one changes nothing, and neither does one of an
 * earlier attempt. */
static bool part_take(struct msg_part_state *part, const struct msg_part_state *news)
{
    if (part->outcome != OUTCOME_OPEN || news->attempt < part->attempt) return false;
    if (news->outcome == OUTCOME_OPEN && news->at_ms < part->at_ms) return false;
    bool changed = part->outcome != news->outcome || part->state != news->state ||
                   part->reason != news->reason;
    *part = *news;
    part->report = view_of(NULL, 0); /* it lives in the frame */
    return changed;
}

static struct msg_part_state *part_of(struct outbox_row *row, struct device_id device)
{
    for (size_t i = 0; i < row->part_count; i++)
        if (device_equal(row->parts[i].device, device)) return &row->parts[i];
    return NULL;
}

/* ---- all parts ---- */

/* What a message is called that nobody took, by the outcome of its first part. */
static enum status reason_of(uint32_t outcome)
{
    switch ((enum outcome)outcome) {
    case OUTCOME_EXPIRED: return STATUS_TIMEOUT;
    case OUTCOME_OVER_QUOTA: return STATUS_MAILBOX_FULL;
    case OUTCOME_REVOKED:
    case OUTCOME_REMOVED: return STATUS_NOT_FOUND;
    case OUTCOME_LOST: return STATUS_DAMAGED;
    case OUTCOME_OPEN:
    case OUTCOME_SETTLED:
    case OUTCOME_REPLACED:
    case OUTCOME_DEAD: break;
    }
    return STATUS_REFUSED;
}

enum status parts_ended_in(struct engine *e, struct now now, struct outbox_row *row)
{
    bool taken = false;
    for (size_t i = 0; i < row->part_count; i++) {
        if (row->parts[i].outcome == OUTCOME_OPEN) return state_outbox_put(e->state, row);
        taken = taken || row->parts[i].outcome == OUTCOME_SETTLED;
    }
    if (taken) return outbox_step_in(e, now, row, MESSAGE_EVENT_END, STATUS_OK);
    return outbox_step_in(e, now, row, MESSAGE_EVENT_REFUSE, reason_of(row->parts[0].outcome));
}

/* What a part has come to; with `resend` the device's failure is to be answered. */
static enum status part_news_in(struct engine *e, struct now now, struct outbox_row *row, const struct msg_part_state *news,
                                bool *changed, bool *resend)
{
    struct msg_part_state *part = part_of(row, news->device);
    if (!part) return STATUS_OK;
    *changed = part_take(part, news) || *changed;
    if (part->attempt != news->attempt || part->state != DELIVERY_FAILED) return STATUS_OK;
    return resend_wanted_in(e, now, row, news, &resend[part - row->parts]);
}

static bool any(const bool *flags)
{
    for (size_t i = 0; i < DEVICES_PER_ACCOUNT; i++)
        if (flags[i]) return true;
    return false;
}

static enum status news_in(struct engine *e, struct now now, struct message_id id, struct target_id target,
                           const struct msg_part_state *parts, size_t part_count)
{
    struct outbox_row row;
    bool changed = false, resend[DEVICES_PER_ACCOUNT] = {false};
    enum status s = copy_find_in(e, id, target, &row);
    if (s != STATUS_OK) return s == STATUS_NOT_FOUND ? STATUS_OK : s;
    if (row.state != MESSAGE_ACCEPTED) return STATUS_OK;
    for (size_t i = 0; i < part_count && s == STATUS_OK; i++)
        s = part_news_in(e, now, &row, &parts[i], &changed, resend);
    if (s == STATUS_OK && any(resend)) return resend_in(e, now, &row, resend);
    if (s != STATUS_OK || !changed) return s;
    s = parts_ended_in(e, now, &row);
    if (s == STATUS_OK && row.state == MESSAGE_ACCEPTED) outbox_tell(e, &row);
    return s;
}

/* ---- HINT ---- */

/* A hint that cannot be kept now is no loss: STATUS is the truth. */
void hint_push(struct engine *e, struct now now, const struct frame *f)
{
    struct msg_hint m;
    if (codec_decode(&msg_hint_desc, f->meta, &e->arena, &m) != STATUS_OK) {
        e->counts.frames_bad++;
        return;
    }
    enum status s = tx_begin(e, STATE_WRITE);
    if (s == STATUS_OK) {
        for (size_t i = 0; i < m.item_count && s == STATUS_OK; i++)
            s = news_in(e, now, m.items[i].id, m.items[i].target, &m.items[i].part, 1);
        s = tx_end(e, s);
    }
    (void)engine_fault(e, s);
}

/* ---- STATUS ---- */

/* The relay has no claim. Either the acceptance went with its store: that is not in the map any more, so
 * there is nobody whom terms.c could ask for its end. Then the same bytes go to the new one, which knows
 * nothing of the id, while recipients do. Or the relay forgot after the promised time. Else the map may
 * be older than the answer. */
static enum status missing_in(struct engine *e, struct now now, struct message_id id, struct target_id target)
{
    struct outbox_row row;
    uint64_t relay_ms = engine_relay_ms(e, now);
    enum status s = copy_find_in(e, id, target, &row);
    if (s != STATUS_OK) return s == STATUS_NOT_FOUND ? STATUS_OK : s;
    if (row.state != MESSAGE_ACCEPTED) return STATUS_OK;
    bool gone = store_is_gone(e, &row);
    if (gone && relay_ms < row.expires_ms) return receipt_lost_in(e, now, &row);
    if (gone) return outbox_step_in(e, now, &row, MESSAGE_EVENT_DOUBT, STATUS_DAMAGED);
    if (relay_ms >= row.receipt.accepted_ms + LEDGER_KEEP_MS)
        return outbox_step_in(e, now, &row, MESSAGE_EVENT_DOUBT, STATUS_NOT_FOUND);
    e->ping_wanted = true;
    return STATUS_OK;
}

static enum status status_item_in(struct engine *e, struct now now,
                                  const struct msg_status_item *item)
{
    enum status s = status_from_wire(item->status);
    if (s == STATUS_OK)
        return news_in(e, now, item->id, item->target, item->parts, item->part_count);
    if (s == STATUS_NOT_FOUND) return missing_in(e, now, item->id, item->target);
    if (s == STATUS_WRONG_HOME) e->ping_wanted = true;
    return STATUS_OK;
}

static void status_end(struct engine *e, struct now now)
{
    e->status_under_way--;
    if (e->status_under_way == 0 && e->status_after)
        e->status_ms = now.mono_ms; /* more behind the last ones */
}

void status_reply(struct engine *e, struct now now, struct request *r, const struct frame *f)
{
    struct msg_status_is m;
    (void)r;
    status_end(e, now);
    if (codec_decode(&msg_status_is_desc, f->meta, &e->arena, &m) != STATUS_OK) {
        e->counts.frames_bad++;
        return;
    }
    enum status s = tx_begin(e, STATE_WRITE);
    if (s == STATUS_OK) {
        for (size_t i = 0; i < m.item_count && s == STATUS_OK; i++)
            s = status_item_in(e, now, &m.items[i]);
        s = tx_end(e, s);
    }
    (void)engine_fault(e, s);
}

void status_failed(struct engine *e, struct now now, struct request *r, enum status s,
                   uint32_t retry_after_ms)
{
    (void)r, (void)retry_after_ms;
    if (s == STATUS_WRONG_HOME) e->ping_wanted = true;
    status_end(e, now);
    e->status_after = 0; /* from the beginning, at the next period */
    e->status_ms = now.mono_ms + e->config.status_every_ms;
}

/* One request for rows[first] and all later rows of its store; marks them by order 0. */
static bool status_ask(struct engine *e, struct now now, struct outbox_row *rows, size_t first,
                       size_t count)
{
    struct msg_status_ask asks[STATUS_PER_FRAME];
    struct msg_status m = {.items = asks};
    uint16_t home = home_of_account(rows[first].target);
    struct store_id store, other;
    bool known = store_of(e, home, &store);
    for (size_t i = first; i < count; i++) {
        uint16_t other_home = home_of_account(rows[i].target);
        bool other_known = store_of(e, other_home, &other);
        bool same = known && other_known ? memcmp(&store, &other, sizeof store) == 0
                                         : home == other_home;
        if (!rows[i].order || !same) continue;
        asks[m.item_count++] = (struct msg_status_ask){
            .target = target_of_account(rows[i].target), .id = rows[i].id};
        rows[i].order = 0;
    }
    if (!request_make(e, now, KIND_STATUS, home, &msg_status_desc, &m)) return false;
    e->status_under_way++;
    return true;
}

/* A page of unsettled messages; when it was the last one, the next round comes after the period. */
void receipt_drive(struct engine *e, struct now now)
{
    if (!may_ask(e) || e->status_ms > now.mono_ms || e->status_under_way) return;
    struct outbox_scan scan = {.class = CLASS_OPEN, .after = e->status_after,
                               .row_max = STATUS_PER_FRAME};
    scan.rows = arena_array(&e->arena, scan.row_max, sizeof *scan.rows);
    enum status s = tx_begin(e, STATE_READ);
    if (s == STATUS_OK) s = tx_end(e, state_outbox_scan(e->state, &scan));
    e->status_ms = now.mono_ms + e->config.status_every_ms;
    if (!engine_fault(e, s)) return;
    bool more = scan.row_count == scan.row_max;
    e->status_after = more ? scan.rows[scan.row_count - 1].order : 0;
    for (size_t i = 0; i < scan.row_count; i++)
        if (scan.rows[i].order && !status_ask(e, now, scan.rows, i, scan.row_count)) return;
}
