/* reconcile: once a day, in small pieces, what the accounts' logs say is held against what devices' rows say. A device that its log has
 * revoked, and that has no fence, gets it: its row was damaged since, or is of a store from before there were fences. Then its mail has its
 * outcome, and the sweep of fences takes bytes, prekeys and wake-ups away. Invariant: nothing is repaired here but by what every
 * revocation does. */
#include "storage/core.h"

#define RECONCILE_ROWS     32u
#define RECONCILE_BYTES    (256u * 1024u)
#define RECONCILE_EVERY_MS (24ull * 3600 * 1000)

bool reconcile_due(const struct storage *s)
{
    return s->mono_ms >= s->reconcile_next_ms;
}

struct store_scan *reconcile_plan(struct storage *s, const struct store_key *cursor)
{
    uint8_t kind = ROW_ACCOUNT;
    struct store_key first = {.len = 1, .bytes = {ROW_ACCOUNT}}, to = key_end(view_of(&kind, 1));
    return turn_scan(&s->turn, SPACE_IDENTITY, cursor->len ? cursor : &first, &to, RECONCILE_ROWS, RECONCILE_BYTES);
}

struct suspect {
    struct account_id account;
    struct device_id device;
};

/* Revoked ones. An account row that cannot be read tells nothing. */
static size_t suspects_of(struct storage *s, const struct store_scan *scan, struct suspect *out)
{
    size_t count = 0;
    for (size_t i = 0; i < scan->row_count; i++) {
        struct identity_log log;
        if (account_row_read(scan->rows[i].value, &log) != STATUS_OK) continue;
        for (size_t k = 0; k < log.device_count; k++) {
            struct store_key row = key_device(ROW_DEVICE, home_of_account(log.account), log.devices[k].id);
            if (log.devices[k].standing != STANDING_REVOKED) continue;
            out[count++] = (struct suspect){log.account, log.devices[k].id};
            turn_want(&s->turn, SPACE_ROUTING, &row);
        }
    }
    return count;
}

/* What is in memory is newer than the row; a device that never had one never had mail. */
static bool lacks_fence(struct storage *s, const struct suspect *x)
{
    struct store_key key = key_device(ROW_DEVICE, home_of_account(x->account), x->device);
    const struct mailbox *m = core_mailbox_peek(s, x->device);
    struct device_row row;
    if (m && !m->row_unknown) return m->row.revoked_ms == 0;
    struct view value = turn_get(&s->turn, SPACE_ROUTING, &key);
    return value.at && (device_row_read(value, &row) != STATUS_OK || row.revoked_ms == 0);
}

static size_t fences_mend(struct storage *s, const struct suspect *suspects, size_t count)
{
    size_t mended = 0;
    for (size_t i = 0; i < count; i++)
        if (lacks_fence(s, &suspects[i])) core_mailbox_want(s, home_of_account(suspects[i].account), suspects[i].device);
    if (turn_load(&s->turn, s->store) != STATUS_OK) return 0;
    for (size_t i = 0; i < count; i++) {
        struct mailbox *m;
        if (!lacks_fence(s, &suspects[i])) continue;
        if (core_mailbox(s, home_of_account(suspects[i].account), suspects[i].device, &m) != STATUS_OK) continue;
        fence_put(s, suspects[i].account, m);
        mended++;
    }
    return mended;
}

void reconcile_sweep(struct storage *s, struct store_scan *scan)
{
    struct suspect *suspects = arena_array(&s->turn.arena, scan->row_count * DEVICES_EVER_MAX + 1, sizeof *suspects);
    size_t count = suspects_of(s, scan, suspects), mended = 0;
    if (count && turn_load(&s->turn, s->store) == STATUS_OK) mended = fences_mend(s, suspects, count);
    if (mended) core_event(s, &(struct event){.kind = EVENT_RECONCILED, .count = mended, .value = scan->row_count});
    if (!scan->more && !scan->damaged) s->reconcile_next_ms = s->mono_ms + RECONCILE_EVERY_MS;
}
