/* fence: a device's revocation, as its mail sees it (ARCHITECTURE, step 7): one mark in its device row, in the commit that takes
 * the entry, and from then on everything of it that is open has the outcome `revoked` (delivery.c derives it). What that leaves on the
 * disk is swept later, a bounded piece at a time, off a list of such devices. Invariants: nothing is stored for a device behind its
 * fence (the gate), nor given to it (hello); a fence is never taken down. */
#include "storage/delivery.h"

#include <string.h>

#define FENCE_ROWS  512u
#define FENCE_BYTES (1024u * 1024u)

static bool is_new(const struct log_device *d, const struct identity_log *before)
{
    const struct log_device *was = identity_log_device(before, d->id);
    return d->standing == STANDING_REVOKED && (!was || was->standing != STANDING_REVOKED);
}

enum status fence_check(struct storage *s, const struct identity_log *before, const struct identity_log *log)
{
    struct mailbox *m;
    for (size_t i = 0; i < log->device_count; i++)
        if (is_new(&log->devices[i], before) &&
            core_mailbox(s, home_of_account(log->account), log->devices[i].id, &m) != STATUS_OK)
            return STATUS_BUSY;
    return STATUS_OK;
}

void fence_put(struct storage *s, struct account_id account, struct mailbox *m)
{
    struct store_key key = key_device(ROW_FENCE, m->home, m->device);
    uint8_t at[8];
    put_u64(at, s->turn.now_ms);
    m->row.account = account;
    m->row.revoked_ms = s->turn.now_ms;
    m->row_dirty = m->row_promised = true;
    turn_put(&s->turn, SPACE_ROUTING, &key, bytes_row_write(&s->turn.arena, view_of(at, sizeof at)));
    wake_clear(s, m);
    core_hot(s, m);
}

void fences_set(struct storage *s, const struct identity_log *before, const struct identity_log *log)
{
    struct mailbox *m;
    for (size_t i = 0; i < log->device_count; i++)
        if (is_new(&log->devices[i], before) &&
            core_mailbox(s, home_of_account(log->account), log->devices[i].id, &m) == STATUS_OK)
            fence_put(s, log->account, m);
}

/* ---- sweeping ---- */

/* One device at a time; the next one in the next piece. */
struct store_scan *fence_plan(struct storage *s, const struct store_key *cursor)
{
    uint8_t kind = ROW_FENCE;
    struct store_key first = {.len = 1, .bytes = {ROW_FENCE}}, to = key_end(view_of(&kind, 1));
    return turn_scan(&s->turn, SPACE_ROUTING, cursor->len ? cursor : &first, &to, 1, 4096);
}

/* What is left of a revoked device. */
struct rest {
    uint16_t home;
    struct device_id device;
    uint64_t at_ms;
    struct store_scan *open, *parked;
};

static bool rest_read(const struct store_row *stored, struct rest *out)
{
    struct reader r = reader_of(stored->key);
    uint8_t at[8];
    (void)read_u8(&r);
    out->home = read_u16(&r);
    read_bytes(&r, out->device.bytes, sizeof out->device.bytes);
    if (reader_done(&r) != STATUS_OK || bytes_row_read(stored->value, at, sizeof at) != STATUS_OK) return false;
    out->at_ms = get_u64(at);
    return true;
}

static struct store_scan *rest_scan(struct storage *s, const struct rest *r, enum row_kind kind)
{
    struct store_key from = key_mailbox(kind, r->home, r->device), to = key_end(key_view(&from));
    return turn_scan(&s->turn, SPACE_PAYLOAD, &from, &to, FENCE_ROWS, FENCE_BYTES);
}

static size_t rest_end(struct storage *s, struct mailbox *m, enum row_kind kind, const struct store_scan *scan)
{
    size_t count = 0;
    for (size_t i = 0; i < scan->row_count; i++) {
        struct device_id device;
        struct position at;
        struct envelope_row row;
        struct view ciphertext;
        if (key_position_read(scan->rows[i].key, &device, &at) != STATUS_OK ||
            envelope_row_read(scan->rows[i].value, &row, &ciphertext) != STATUS_OK)
            continue; /* no sweep hides what cannot be read */
        expiry_end(s, m, kind, at, &row, ciphertext.len);
        count++;
    }
    return count;
}

static void rest_tell(struct storage *s, const struct rest *r, size_t count, bool whole)
{
    struct event e = {.kind = whole ? EVENT_DEVICE_SWEPT : EVENT_DELIVERIES_REVOKED, .count = count,
                      .value = s->turn.now_ms - r->at_ms, .device = mark_device(&s->config.mark_key, r->device)};
    if (count || whole) core_event(s, &e);
}

/* Its prekeys with the last of it: nobody is given them any more since the entry. */
static void rest_over(struct storage *s, const struct rest *r)
{
    struct store_key fence = key_device(ROW_FENCE, r->home, r->device);
    struct store_key prekeys = key_device(ROW_PREKEYS, r->home, r->device);
    turn_remove(&s->turn, SPACE_ROUTING, &fence);
    turn_remove(&s->turn, SPACE_IDENTITY, &prekeys);
}

void fence_sweep(struct storage *s, struct store_scan *scan)
{
    struct rest r;
    struct mailbox *m;
    if (!scan->row_count || !rest_read(&scan->rows[0], &r)) return;
    r.open = rest_scan(s, &r, ROW_ENVELOPE);
    r.parked = rest_scan(s, &r, ROW_PARKED);
    core_mailbox_want(s, r.home, r.device);
    if (turn_load(&s->turn, s->store) != STATUS_OK || core_mailbox(s, r.home, r.device, &m) != STATUS_OK) return;
    if (!m->row.revoked_ms) m->row.revoked_ms = r.at_ms; /* its row was damaged */
    size_t count = rest_end(s, m, ROW_ENVELOPE, r.open) + rest_end(s, m, ROW_PARKED, r.parked);
    bool whole = !r.open->more && !r.parked->more && !r.open->damaged && !r.parked->damaged;
    if (whole) rest_over(s, &r);
    rest_tell(s, &r, count, whole);
    if (!whole) scan->more = true; /* soon again */
    core_hot(s, m);
}
