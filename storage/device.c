/* device: a mailbox's coming into memory from its device row, and that row's way back. The row is a hint
 * (the first scan corrects its counts) except for what a reply or push rests on: `promised` rows are in
 * the group of that very turn, the others are rewritten at most once a second. Invariant: the queue
 * counters are the sums of the rows of all mailboxes in memory. */
#include "storage/core.h"

#define FLUSH_EVERY_MS 1000u
#define FLUSH_ROWS_MAX 4096u

struct mailbox *core_mailbox_peek(const struct storage *s, struct device_id device)
{
    return table_get(s->mailboxes, device.bytes);
}

void core_mailbox_want(struct storage *s, uint16_t home, struct device_id device)
{
    const struct mailbox *m = core_mailbox_peek(s, device);
    struct store_key key = key_device(ROW_DEVICE, home, device);
    struct store_key wake = key_device(ROW_WAKE, home, device);
    if (m && !m->row_unknown) return;
    turn_want(&s->turn, SPACE_ROUTING, &key);
    turn_want(&s->turn, SPACE_ROUTING, &wake);
}

/* The device row as stored; all zero for a device never seen. Gaps and counts of a damaged one are
 * lost, which is told and is no reason to lock the device out. */
static bool read_rows(struct storage *s, uint16_t home, struct device_id device,
                      struct device_row *row)
{
    struct store_key key = key_device(ROW_DEVICE, home, device);
    struct store_key wake = key_device(ROW_WAKE, home, device);
    struct view value = turn_get(&s->turn, SPACE_ROUTING, &key);
    if (!value.at) {
        *row = (struct device_row){0};
    } else if (device_row_read(value, row) != STATUS_OK) {
        *row = (struct device_row){0};
        core_event(s, &(struct event){.kind = EVENT_STORE_DAMAGED, .code = STATUS_DAMAGED,
                                      .device = mark_device(&s->config.mark_key, device)});
    }
    return turn_get(&s->turn, SPACE_ROUTING, &wake).at != NULL;
}

/* An adopted session's mailbox learns its row late: what the session has told stays. */
static void merge_row(struct mailbox *m, const struct device_row *row)
{
    struct account_id account = m->row.account;
    uint64_t last_seen_ms = m->row.last_seen_ms;
    m->row = *row;
    m->row.account = account;
    if (last_seen_ms > row->last_seen_ms) m->row.last_seen_ms = last_seen_ms;
    m->row_unknown = false;
    m->cursor = m->row.head;
    m->reoffering = mailbox_attached(m) && m->session.client_version != row->client_version;
    m->wake_wanted = !mailbox_attached(m) && row->count > 0;
}

enum status core_mailbox(struct storage *s, uint16_t home, struct device_id device,
                         struct mailbox **out)
{
    struct mailbox *m = core_mailbox_peek(s, device);
    struct device_row row;
    *out = NULL;
    if (m && m->home != home) return STATUS_REFUSED;
    *out = m;
    if (m && !m->row_unknown) return STATUS_OK;
    bool wake = read_rows(s, home, device, &row);
    if (m) {
        merge_row(m, &row);
    } else {
        m = mailbox_new(device, home, &row);
        enum status status = table_put(s->mailboxes, device.bytes, m);
        if (status != STATUS_OK) {
            mailbox_free(&m);
            return status;
        }
    }
    s->counters.queued_messages += row.count;
    s->counters.queued_bytes += row.bytes;
    s->counters.parked += row.parked;
    m->wake_known = true;
    m->wake_set = wake;
    *out = m;
    return STATUS_OK;
}

void core_hot(struct storage *s, struct mailbox *m)
{
    s->hot_at_ms = 0;
    if (m->hot) return;
    m->hot = true;
    m->next_hot = NULL;
    if (s->hot_last)
        s->hot_last->next_hot = m;
    else
        s->hot = m;
    s->hot_last = m;
}

struct position core_place(struct storage *s, struct mailbox *m, uint64_t len)
{
    s->counters.queued_messages++;
    s->counters.queued_bytes += len;
    return mailbox_take_position(m, s->term, len);
}

void core_closed(struct storage *s, struct mailbox *m, uint64_t len)
{
    uint64_t count = m->row.count, bytes = m->row.bytes;
    mailbox_closed(m, len);
    s->counters.queued_messages -= count - m->row.count;
    s->counters.queued_bytes -= bytes - m->row.bytes;
}

void core_parked(struct storage *s, struct mailbox *m, bool in)
{
    if (!in && !m->row.parked) return;
    m->row.parked += in ? 1 : UINT64_MAX;
    s->counters.parked += in ? 1 : UINT64_MAX;
    m->row_dirty = true;
}

void core_counted(struct storage *s, struct mailbox *m, uint64_t count, uint64_t bytes)
{
    s->counters.queued_messages += count - m->row.count;
    s->counters.queued_bytes += bytes - m->row.bytes;
    m->row_dirty = m->row_dirty || count != m->row.count || bytes != m->row.bytes;
    m->row.count = count;
    m->row.bytes = bytes;
}

static void write_row(struct storage *s, struct mailbox *m)
{
    struct store_key key = key_device(ROW_DEVICE, m->home, m->device);
    turn_put(&s->turn, SPACE_ROUTING, &key, device_row_write(&s->turn.arena, &m->row));
    m->row_dirty = m->row_promised = false;
}

void device_changed(struct storage *s, struct mailbox *m)
{
    if (!m->row_dirty || m->row_unknown) return;
    if (m->row_promised) {
        write_row(s, m);
    } else if (!m->row_listed) {
        m->row_listed = true;
        m->next_dirty = s->dirty;
        s->dirty = m;
    }
}

void device_flush(struct storage *s)
{
    size_t written = 0;
    if (s->mono_ms < s->flush_next_ms) return;
    while (s->dirty && written < FLUSH_ROWS_MAX) {
        struct mailbox *m = s->dirty;
        s->dirty = m->next_dirty;
        m->row_listed = false;
        if (!m->row_dirty) continue; /* written meanwhile, as a promise */
        write_row(s, m);
        written++;
    }
    if (!s->dirty && s->state != STORE_DRAINING) s->flush_next_ms = s->mono_ms + FLUSH_EVERY_MS;
}
