/* memory_inbox: the inbox of the memory backend. Invariant: a DEDUP row exists for each row, UNSHOWN or
 * SHOWN as it stands, BODIED for shown ones with a body. */
#include "clients/state/memory_rows.h"

#include <string.h>

static void inbox_write(struct memory *m, const struct inbox_row *row)
{
    struct key at = key_u64(T_INBOX, row->order);
    struct buffer b = {0};
    write_bytes(&b, row, sizeof *row);
    write_view(&b, row->body);
    write_view(&b, row->head);
    memory_put(m, &at, b.at, b.len);
    buffer_fini(&b);
}

static void inbox_read(struct view v, struct inbox_row *out)
{
    struct reader r = reader_of(v);
    read_bytes(&r, out, sizeof *out);
    out->body = read_view(&r, out->body.len);
    out->head = read_view(&r, out->head.len);
    ENSURE(reader_done(&r) == STATUS_OK);
}

static struct key dedup_key(const struct inbox_row *row)
{
    struct key k = key_bytes(T_DEDUP, row->sender_device.bytes, sizeof row->sender_device.bytes);
    key_add(&k, row->id.bytes, sizeof row->id.bytes);
    return k;
}

static void listed(struct memory *m, enum table table, uint64_t order, bool is)
{
    struct key k = key_u64(table, order);
    if (is)
        memory_put(m, &k, NULL, 0);
    else
        memory_drop(m, &k);
}

static void inbox_index(struct memory *m, const struct inbox_row *row)
{
    struct key shown = key_timed(T_SHOWN, row->received_ms, row->order);
    struct key bodied = key_timed(T_BODIED, row->received_ms, row->order);
    listed(m, T_UNSHOWN, row->order, !row->shown && !row->closed);
    listed(m, T_UNSETTLED, row->order, row->closed || (!row->shown && !row->sealed));
    listed(m, T_CLOSED, row->order, row->closed);
    listed(m, T_WITHHELD, row->order, row->withheld);
    if (row->shown)
        memory_put(m, &shown, NULL, 0);
    else
        memory_drop(m, &shown);
    if (row->shown && row->body.len)
        memory_put(m, &bodied, NULL, 0);
    else
        memory_drop(m, &bodied);
}

enum status memory_inbox_put(struct state *s, struct inbox_row *row, bool *added)
{
    struct memory *m = memory_of(s);
    struct key dedup = dedup_key(row);
    struct view v;
    if (memory_fails(m)) return STATUS_IO;
    if (rows_get(m->rows, row_key_view(&dedup), &v)) {
        struct inbox_row known;
        struct key at;
        ENSURE(v.len == sizeof row->order);
        memcpy(&row->order, v.at, sizeof row->order);
        at = key_u64(T_INBOX, row->order);
        ENSURE(rows_get(m->rows, row_key_view(&at), &v));
        inbox_read(v, &known);
        row->shown = known.shown;
        return STATUS_OK;
    }
    row->order = memory_order_next(m, T_INBOX);
    memory_put(m, &dedup, &row->order, sizeof row->order);
    inbox_write(m, row);
    inbox_index(m, row);
    *added = true;
    return STATUS_OK;
}

static const enum table lists[] = {
    [INBOX_OPENED] = T_INBOX,
    [INBOX_UNSHOWN] = T_UNSHOWN,
    [INBOX_UNSETTLED] = T_UNSETTLED,
    [INBOX_CLOSED] = T_CLOSED,
    [INBOX_WITHHELD] = T_WITHHELD,
};

enum status memory_inbox_scan(struct state *s, struct inbox_scan *scan, struct arena *a)
{
    struct memory *m = memory_of(s);
    uint64_t after = scan->after;
    struct view key, value;
    if (memory_fails(m)) return STATUS_IO;
    while (scan->row_count < scan->row_max && after != UINT64_MAX) {
        struct key from = key_u64(lists[scan->which], after + 1);
        if (!memory_seek(m, &from, &key, &value)) break;
        after = key_tail(key);
        struct key at = key_u64(T_INBOX, after);
        ENSURE(rows_get(m->rows, row_key_view(&at), &value));
        inbox_read(arena_copy(a, value), &scan->rows[scan->row_count]);
        scan->row_count += scan->which != INBOX_OPENED || !scan->rows[scan->row_count].closed;
    }
    return STATUS_OK;
}

typedef bool inbox_change(struct inbox_row *row);

static bool show(struct inbox_row *row)
{
    row->shown = true;
    row->withheld = false;
    return !row->closed;
}

static bool withhold(struct inbox_row *row)
{
    bool may = !row->closed && !row->shown;
    row->shown = row->withheld = true;
    return may;
}

static bool release(struct inbox_row *row)
{
    bool was = row->withheld;
    row->shown = row->withheld = false;
    return was;
}

static enum status inbox_change_do(struct state *s, uint64_t order, inbox_change *change)
{
    struct memory *m = memory_of(s);
    struct key at = key_u64(T_INBOX, order);
    struct buffer copy = {0};
    struct inbox_row row;
    struct view v;
    if (memory_fails(m)) return STATUS_IO;
    if (!rows_get(m->rows, row_key_view(&at), &v)) return STATUS_NOT_FOUND;
    write_view(&copy, v);
    inbox_read(buffer_view(&copy), &row);
    bool done = change(&row);
    if (done) {
        inbox_write(m, &row);
        inbox_index(m, &row);
    }
    buffer_fini(&copy);
    return done ? STATUS_OK : STATUS_NOT_FOUND;
}

enum status memory_inbox_show(struct state *s, uint64_t order)
{
    return inbox_change_do(s, order, show);
}

enum status memory_inbox_withhold(struct state *s, uint64_t order)
{
    return inbox_change_do(s, order, withhold);
}

enum status memory_inbox_release(struct state *s, uint64_t order)
{
    return inbox_change_do(s, order, release);
}

enum status memory_inbox_find(struct state *s, struct device_id sender, struct message_id id, struct inbox_row *out)
{
    struct memory *m = memory_of(s);
    struct key dedup = dedup_key(&(struct inbox_row){.sender_device = sender, .id = id});
    struct view v;
    uint64_t order;
    if (memory_fails(m)) return STATUS_IO;
    if (!memory_get(m, &dedup, &order, sizeof order)) return STATUS_NOT_FOUND;
    struct key at = key_u64(T_INBOX, order);
    ENSURE(rows_get(m->rows, row_key_view(&at), &v));
    inbox_read(v, out);
    out->body = out->head = view_of(NULL, 0);
    return STATUS_OK;
}

enum status memory_inbox_open(struct state *s, const struct inbox_row *row)
{
    struct memory *m = memory_of(s);
    struct key at = key_u64(T_INBOX, row->order);
    struct inbox_row opened;
    struct view v;
    if (memory_fails(m)) return STATUS_IO;
    if (!rows_get(m->rows, row_key_view(&at), &v)) return STATUS_NOT_FOUND;
    inbox_read(v, &opened);
    if (!opened.closed) return STATUS_NOT_FOUND;
    opened.closed = false;
    opened.body = row->body;
    opened.head = row->head;
    opened.sent_to = row->sent_to;
    opened.counter = row->counter;
    opened.missing = row->missing;
    inbox_write(m, &opened);
    inbox_index(m, &opened);
    return STATUS_OK;
}

enum status memory_inbox_drop(struct state *s, uint64_t order)
{
    struct memory *m = memory_of(s);
    struct key at = key_u64(T_INBOX, order);
    struct inbox_row row;
    struct view v;
    if (memory_fails(m)) return STATUS_IO;
    if (!rows_get(m->rows, row_key_view(&at), &v)) return STATUS_OK;
    inbox_read(v, &row);
    if (!row.closed) return STATUS_OK;
    struct key dedup = dedup_key(&row);
    listed(m, T_UNSHOWN, order, false);
    listed(m, T_UNSETTLED, order, false);
    listed(m, T_CLOSED, order, false);
    memory_drop(m, &dedup);
    memory_drop(m, &at);
    return STATUS_OK;
}

static void prune_inbox(struct memory *m, uint64_t order, bool whole)
{
    struct key at = key_u64(T_INBOX, order);
    struct buffer copy = {0};
    struct inbox_row row;
    struct view v;
    ENSURE(rows_get(m->rows, row_key_view(&at), &v));
    write_view(&copy, v);
    inbox_read(buffer_view(&copy), &row);
    struct key bodied = key_timed(T_BODIED, row.received_ms, order);
    memory_drop(m, &bodied);
    row.body = row.head = view_of(NULL, 0);
    row.withheld = false;
    listed(m, T_WITHHELD, order, false);
    inbox_write(m, &row);
    if (whole) {
        struct key shown = key_timed(T_SHOWN, row.received_ms, order);
        struct key dedup = dedup_key(&row);
        memory_drop(m, &shown);
        memory_drop(m, &dedup);
        memory_drop(m, &at);
    }
    buffer_fini(&copy);
}

void prune_inbox_row(struct memory *m, uint64_t order)
{
    prune_inbox(m, order, true);
}

void prune_inbox_body(struct memory *m, uint64_t order)
{
    prune_inbox(m, order, false);
}
