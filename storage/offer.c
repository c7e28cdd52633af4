/* offer: step 5: deliver. Hot mailboxes with an attached session get DELIVER frames in mailbox order,
 * within the session's credit: first what the refill scan found, then what this turn accepted. */
#include "broker/wire/digest.h"
#include "storage/delivery.h"

#include <string.h>

#define SLOW_AFTER_MS    10000u
#define DAMAGE_PAUSE_MS  60000u /* a mailbox whose next block cannot be read is tried again after this */
#define TURN_REFILL_BYTES (16u * 1024u * 1024u) /* of all mailboxes together; a slab holds 64 MiB */

void offer_plan(struct storage *s)
{
    size_t planned = 0, planned_bytes = 0;
    for (struct mailbox *m = s->hot; m && planned < REFILLS_PER_TURN; m = m->next_hot) {
        uint64_t bytes;
        if (planned_bytes >= TURN_REFILL_BYTES) return; /* the next turn goes on */
        size_t credit = mailbox_credit(m, s->mono_ms, &bytes);
        if (!credit || m->drained || m->row_unknown) continue;
        struct store_key at = key_position(ROW_ENVELOPE, m->home, m->device, m->cursor);
        struct store_key from = key_after(key_view(&at));
        struct store_key all = key_mailbox(ROW_ENVELOPE, m->home, m->device);
        struct store_key to = key_end(key_view(&all));
        m->scan = turn_scan(&s->turn, SPACE_PAYLOAD, &from, &to,
                            credit < DELIVERIES_PER_FRAME ? credit : DELIVERIES_PER_FRAME,
                            (size_t)(bytes < REFILL_BYTES_MAX ? bytes : REFILL_BYTES_MAX));
        m->scan_cursor = m->cursor;
        planned++;
        planned_bytes += m->scan->byte_max + CIPHERTEXT_LEN_MAX; /* the row that crosses it comes too */
    }
}

/* The frames being built for one mailbox. */
struct outgoing {
    struct msg_delivery items[DELIVERIES_PER_FRAME];
    struct view bodies[DELIVERIES_PER_FRAME];
    size_t count;
    size_t bytes;
};

static size_t collect_gaps(struct mailbox *m, struct msg_gap gaps[GAP_REASONS])
{
    size_t count = 0;
    if (!mailbox_gap_pending(m)) return 0;
    for (uint32_t reason = 0; reason < GAP_REASONS; reason++) {
        m->gap_told_counts[reason] = m->row.gaps[reason];
        if (m->row.gaps[reason])
            gaps[count++] = (struct msg_gap){.reason = reason, .count = m->row.gaps[reason]};
    }
    m->gap_told = m->row.gap_number;
    return count;
}

static void tell_again(struct storage *s, const struct mailbox *m, const struct outgoing *o)
{
    uint64_t count = 0;
    for (size_t i = 0; i < o->count; i++)
        count += o->items[i].again;
    if (count)
        core_event(s, &(struct event){.kind = EVENT_REDELIVERED, .count = count,
                                      .device = mark_device(&s->config.mark_key, m->device)});
}

/* Writes one DELIVER frame and empties `o`. */
static void send_frame(struct storage *s, struct mailbox *m, struct outgoing *o)
{
    struct msg_gap gaps[GAP_REASONS];
    struct msg_deliver meta = {.session = m->session.session, .items = o->items,
                               .item_count = o->count, .gaps = gaps};
    if (!mailbox_paused(m, s->mono_ms)) meta.gap_count = collect_gaps(m, gaps);
    if (meta.gap_count) meta.gap_number = m->gap_told;
    if (!meta.item_count && !meta.gap_count) return;
    struct buffer *out;
    size_t start = push_begin(s, &m->session, m->device, &out);
    frame_write(out, &(struct frame_header){.kind = KIND_DELIVER, .home = m->home,
                                            .item_count = (uint16_t)o->count},
                &msg_deliver_desc, &meta);
    for (size_t i = 0; i < o->count; i++)
        write_view(out, o->bodies[i]);
    push_end(out, start);
    tell_again(s, m, o);
    o->count = 0;
    o->bytes = 0;
}

static void offer_one(struct storage *s, struct mailbox *m, struct outgoing *o, struct position at,
                      const struct envelope_row *row, struct view ciphertext)
{
    bool before = position_compare(at, m->offered_max) <= 0 || !term_equal(at.term, s->term);
    if (o->count == DELIVERIES_PER_FRAME || (o->count && o->bytes + ciphertext.len > REFILL_BYTES_MAX))
        send_frame(s, m, o);
    o->bodies[o->count] = ciphertext;
    o->items[o->count++] = (struct msg_delivery){
        .term = at.term, .seq = at.seq, .sender_account = row->sender_account,
        .sender_device = row->sender_device, .target = row->target, .id = row->id,
        .accepted_ms = row->accepted_ms, .attempt = row->attempt, .len = (uint32_t)ciphertext.len,
        .again = before, .sealed = row->sealed, .commitment = row->commitment,
        .stamp_key = row->stamp_key, .stamp = row->stamp, .expires_ms = row->timed ? row->expires_ms : 0};
    o->bytes += ciphertext.len;
    mailbox_offered(m, &(struct offer){.at = at, .sender = row->sender_device,
                                       .target = row->target, .id = row->id,
                                       .len = (uint32_t)ciphertext.len,
                                       .attempt = row->attempt,
                                       .expires_ms = row->expires_ms});
}

/* A copy that fails its check is never served: it is parked as damaged, and both ends are told; the
 * sender only where the row still says who that is. */
static void set_aside(struct storage *s, struct mailbox *m, const struct store_row *stored,
                      struct position at, const struct envelope_row *row, uint64_t len)
{
    struct store_key open = key_position(ROW_ENVELOPE, m->home, m->device, at);
    struct store_key parked = key_position(ROW_PARKED, m->home, m->device, at);
    struct store_key own = key_position(ROW_OUTCOME, m->home, m->device, at);
    struct outcome_row outcome = {.state = DELIVERY_FAILED, .reason = FAIL_DAMAGED,
                                  .at_ms = s->turn.now_ms};
    struct event e = {.kind = EVENT_PAYLOAD_DAMAGED,
                      .device = mark_device(&s->config.mark_key, m->device)};
    turn_put_new(&s->turn, SPACE_PAYLOAD, &parked, stored->value, view_of(NULL, 0));
    turn_remove(&s->turn, SPACE_PAYLOAD, &open);
    turn_put(&s->turn, SPACE_ROUTING, &own, outcome_row_write(&s->turn.arena, &outcome));
    core_closed(s, m, len);
    core_parked(s, m, true);
    mailbox_gap(m, GAP_DAMAGED, 1);
    if (row) {
        struct msg_part_state part = {.device = m->device, .state = DELIVERY_FAILED,
                                      .reason = FAIL_DAMAGED, .at_ms = s->turn.now_ms,
                                      .attempt = row->attempt};
        hint_add(s, row->sender_device, row->target, row->id, &part);
        e.message = mark_message(&s->config.mark_key, row->id);
    }
    core_event(s, &e);
}

static bool is_whole(const struct envelope_row *row, struct view ciphertext)
{
    struct hash256 h = digest_ciphertext(ciphertext);
    return memcmp(h.bytes, row->hash.bytes, sizeof h.bytes) == 0;
}

/* One stored row; false when it does not fit the credit any more. */
static bool offer_row(struct storage *s, struct mailbox *m, struct outgoing *o,
                      const struct store_row *stored, struct position at)
{
    struct store_key key = key_position(ROW_ENVELOPE, m->home, m->device, at);
    struct envelope_row row;
    struct view ciphertext;
    if (turn_changed(&s->turn, SPACE_PAYLOAD, &key)) return true; /* ended since the scan */
    if (envelope_row_read(stored->value, &row, &ciphertext) != STATUS_OK)
        set_aside(s, m, stored, at, NULL, stored->value.len);
    else if (row.expires_ms <= s->turn.now_ms && core_may_expire(s))
        expiry_end(s, m, ROW_ENVELOPE, at, &row, ciphertext.len);
    else if (!mailbox_fits(m, s->mono_ms, ciphertext.len))
        return false;
    else if (!is_whole(&row, ciphertext))
        set_aside(s, m, stored, at, &row, ciphertext.len);
    else
        offer_one(s, m, o, at, &row, ciphertext);
    return true;
}

/* At the end of the mailbox memory knows all that is open: the hint becomes exact. */
static void correct_count(struct storage *s, struct mailbox *m)
{
    uint64_t count = m->window_len, bytes = m->window_bytes;
    for (const struct fresh *f = m->fresh; f; f = f->next) {
        count++;
        bytes += f->ciphertext.len;
    }
    core_counted(s, m, count, bytes);
    m->drained = true;
}

/* A scan planned for another cursor (the session changed within the turn) is of no use. */
static void offer_scanned(struct storage *s, struct mailbox *m, struct outgoing *o)
{
    const struct store_scan *scan = m->scan;
    if (!scan || !mailbox_attached(m) || position_compare(m->scan_cursor, m->cursor) != 0) return;
    if (scan->damaged) {
        m->session.paused_until_ms = s->mono_ms + DAMAGE_PAUSE_MS;
        core_event(s, &(struct event){.kind = EVENT_PAYLOAD_DAMAGED,
                                      .device = mark_device(&s->config.mark_key, m->device)});
        return;
    }
    for (size_t i = 0; i < scan->row_count; i++) {
        struct device_id device;
        struct position at;
        if (key_position_read(scan->rows[i].key, &device, &at) != STATUS_OK) continue;
        if (!offer_row(s, m, o, &scan->rows[i], at)) return;
        m->cursor = at; /* skipped rows are behind us, too */
    }
    if (!scan->more) correct_count(s, m);
}

static void offer_fresh(struct storage *s, struct mailbox *m, struct outgoing *o)
{
    for (const struct fresh *f = m->fresh; f && m->drained; f = f->next) {
        if (mailbox_fits(m, s->mono_ms, f->ciphertext.len))
            offer_one(s, m, o, f->at, &f->row, f->ciphertext);
        else
            m->drained = false; /* it stays in the store: a later scan finds it */
    }
}

static uint64_t since(uint64_t already_ms, uint64_t mono_ms)
{
    if (already_ms) return already_ms;
    return mono_ms ? mono_ms : 1;
}

static void watch_slow(struct storage *s, struct mailbox *m)
{
    bool spent = m->window_len >= m->session.credit_messages || m->stalled ||
                 m->window_bytes >= m->session.credit_bytes;
    m->waiting_since_ms = m->window_len ? since(m->waiting_since_ms, s->mono_ms) : 0;
    m->slow_since_ms = spent && !m->drained ? since(m->slow_since_ms, s->mono_ms) : 0;
    if (!m->slow_since_ms || s->mono_ms - m->slow_since_ms <= SLOW_AFTER_MS) return;
    core_event(s, &(struct event){.kind = EVENT_SLOW_CONSUMER, .count = m->window_len,
                                  .value = s->mono_ms - m->slow_since_ms,
                                  .device = mark_device(&s->config.mark_key, m->device)});
    m->slow_since_ms = s->mono_ms;
}

/* Whether the mailbox must be looked at again without a new cause; *at_ms is when. */
static bool stays_hot(const struct storage *s, const struct mailbox *m, uint64_t *at_ms)
{
    uint64_t bytes;
    *at_ms = 0;
    if (!mailbox_attached(m)) return false;
    if (m->reoffering) return true;
    if (mailbox_paused(m, s->mono_ms)) {
        *at_ms = m->session.paused_until_ms;
        return !m->drained || mailbox_gap_pending(m);
    }
    if (m->drained) return false;
    if (mailbox_credit(m, s->mono_ms, &bytes) > 0) return true;
    *at_ms = m->slow_since_ms + SLOW_AFTER_MS + 1; /* to say that it is slow */
    return m->slow_since_ms != 0;
}

static void serve(struct storage *s, struct mailbox *m)
{
    struct outgoing *o = s->outgoing;
    o->count = 0;
    o->bytes = 0;
    if (m->wake_wanted) {
        m->wake_wanted = false;
        wake_set(s, m);
    }
    offer_scanned(s, m, o);
    if (mailbox_attached(m)) {
        offer_fresh(s, m, o);
        send_frame(s, m, o);
        watch_slow(s, m);
    }
    m->scan = NULL;
    m->fresh = m->fresh_last = NULL;
    device_changed(s, m);
}

void offer_apply(struct storage *s)
{
    struct mailbox *m = s->hot, *next;
    uint64_t at_ms, first_ms = UINT64_MAX;
    s->hot = s->hot_last = NULL;
    if (m) s->outgoing = arena_alloc_raw(&s->turn.arena, sizeof *s->outgoing);
    for (; m; m = next) {
        next = m->next_hot;
        m->hot = false;
        serve(s, m);
        if (!stays_hot(s, m, &at_ms)) continue;
        core_hot(s, m);
        if (at_ms < first_ms) first_ms = at_ms;
    }
    s->hot_at_ms = first_ms;
}
