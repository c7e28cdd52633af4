/* wake: one coalesced wake-up row per offline device with something waiting; fan-out workers lease
 * and post them. Rows are few: they go when the device comes or the push is out. */
#include "storage/core.h"

#define WAKE_COALESCE_MS 30000u
#define WAKE_RETRY_MAX_MS (24u * 3600u * 1000u)
#define LEASE_SCAN_ROWS  1024u

void wake_set(struct storage *s, struct mailbox *m)
{
    if (m->wake_known && m->wake_set) return;
    uint64_t due = s->turn.now_ms;
    if (m->wake_sent_ms && due < m->wake_sent_ms + WAKE_COALESCE_MS)
        due = m->wake_sent_ms + WAKE_COALESCE_MS;
    struct wake_row row = {.account = m->row.account, .since_ms = s->turn.now_ms, .due_ms = due};
    struct store_key key = key_device(ROW_WAKE, m->home, m->device);
    turn_put(&s->turn, SPACE_ROUTING, &key, wake_row_write(&s->turn.arena, &row));
    m->wake_known = m->wake_set = true;
    s->wakes_created = true;
    s->wake_count++;
}

void wake_clear(struct storage *s, struct mailbox *m)
{
    struct store_key key = key_device(ROW_WAKE, m->home, m->device);
    if (m->wake_known && !m->wake_set) return;
    turn_remove(&s->turn, SPACE_ROUTING, &key);
    if (m->wake_set) s->wake_count -= s->wake_count > 0;
    m->wake_known = true;
    m->wake_set = false;
}

/* Where the last lease stopped: rows that are leased or not due must not hide those behind them. */
enum status lease_plan(struct storage *s, struct request *r)
{
    uint8_t kind = ROW_WAKE;
    struct store_key first = {.len = 1, .bytes = {ROW_WAKE}}, to = key_end(view_of(&kind, 1));
    r->plan = turn_scan(&s->turn, SPACE_ROUTING, s->wake_cursor.len ? &s->wake_cursor : &first, &to,
                        LEASE_SCAN_ROWS, REFILL_BYTES_MAX);
    return STATUS_OK;
}

/* Leases one row if it is due and nobody has it. */
static bool lease_row(struct storage *s, const struct store_row *stored, uint64_t lease_ms,
                      struct msg_wake *out)
{
    struct wake_row row;
    struct reader key = reader_of(stored->key);
    if (wake_row_read(stored->value, &row) != STATUS_OK) return false;
    if (row.due_ms > s->turn.now_ms || row.lease_until_ms > s->turn.now_ms) return false;
    read_view(&key, 1);
    uint16_t home = read_u16(&key);
    read_bytes(&key, out->device.bytes, sizeof out->device.bytes);
    if (reader_done(&key) != STATUS_OK) return false;
    struct store_key k = key_device(ROW_WAKE, home, out->device);
    if (turn_changed(&s->turn, SPACE_ROUTING, &k)) return false; /* leased, ended or put off since */
    row.lease_until_ms = s->turn.now_ms + lease_ms;
    row.attempt++;
    turn_put(&s->turn, SPACE_ROUTING, &k, wake_row_write(&s->turn.arena, &row));
    out->account = row.account;
    out->attempt = row.attempt;
    out->waiting = s->turn.now_ms - row.since_ms;
    return true;
}

void lease_apply(struct storage *s, struct request *r)
{
    const struct msg_lease *m = r->meta;
    const struct store_scan *scan = r->plan;
    uint64_t lease_ms = m->lease_ms && m->lease_ms < 600000 ? m->lease_ms : 60000;
    size_t max = m->count && m->count < WAKES_PER_LEASE ? m->count : WAKES_PER_LEASE;
    struct msg_leased answer = {.more = true};
    size_t i = 0;
    answer.wakes = arena_array(&s->turn.arena, max, sizeof *answer.wakes);
    for (; i < scan->row_count && answer.wake_count < max; i++)
        if (lease_row(s, &scan->rows[i], lease_ms, &answer.wakes[answer.wake_count]))
            answer.wake_count++;
    if (i == scan->row_count && !scan->more) {
        answer.more = false;
        s->wake_cursor.len = 0; /* at the end: over again */
    } else {
        s->wake_cursor = key_after(scan->rows[i - 1].key);
    }
    request_reply(s, r, KIND_LEASED, &msg_leased_desc, &answer);
}

enum status woken_plan(struct storage *s, struct request *r)
{
    const struct msg_woken *m = r->meta;
    for (size_t i = 0; i < m->result_count; i++) {
        uint16_t home = home_of_account(m->results[i].account);
        struct store_key key = key_device(ROW_WAKE, home, m->results[i].device);
        turn_want(&s->turn, SPACE_ROUTING, &key);
        core_mailbox_want(s, home, m->results[i].device);
    }
    return STATUS_OK;
}

static void finish_wake(struct storage *s, const struct msg_wake_result *result)
{
    uint16_t home = home_of_account(result->account);
    struct store_key key = key_device(ROW_WAKE, home, result->device);
    struct view value = turn_get(&s->turn, SPACE_ROUTING, &key);
    struct wake_row row;
    struct mailbox *m;
    if (!value.at || wake_row_read(value, &row) != STATUS_OK) return; /* the device came meanwhile */
    if (!row.lease_until_ms) return; /* and left again: this row is another one */
    if (!result->sent && result->retry_ms) {
        row.lease_until_ms = 0;
        row.due_ms = s->turn.now_ms + (result->retry_ms < WAKE_RETRY_MAX_MS ? result->retry_ms
                                                                            : WAKE_RETRY_MAX_MS);
        turn_put(&s->turn, SPACE_ROUTING, &key, wake_row_write(&s->turn.arena, &row));
        return;
    }
    turn_remove(&s->turn, SPACE_ROUTING, &key);
    if (core_mailbox(s, home, result->device, &m) != STATUS_OK) return;
    if (m->wake_set) s->wake_count -= s->wake_count > 0;
    m->wake_known = true;
    m->wake_set = false;
    m->wake_sent_ms = s->turn.now_ms;
}

void woken_apply(struct storage *s, struct request *r)
{
    const struct msg_woken *m = r->meta;
    for (size_t i = 0; i < m->result_count; i++)
        finish_wake(s, &m->results[i]);
    request_reply(s, r, KIND_WOKEN_OK, &msg_empty_desc, &(struct msg_empty){0});
}
