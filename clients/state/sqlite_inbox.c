/* sqlite_inbox: the messages for us in SQLite. Invariant: outputs are set only by a row that followed its format
 * whole. */
#include "clients/state/sqlite_call.h"

#include <string.h>

/* The key of a row's sealed columns: who sent it ‖ id, which are known before the row has its order. */
struct inbox_key {
    uint8_t bytes[32];
};

static struct inbox_key inbox_key(const struct inbox_row *row)
{
    struct inbox_key key;
    memcpy(key.bytes, row->sender_device.bytes, 16);
    memcpy(key.bytes + 16, row->id.bytes, 16);
    return key;
}

static void inbox_read(struct call *c, struct arena *a, struct inbox_row *out)
{
    memset(out, 0, sizeof *out);
    out->order = column_u64(c);
    column_bytes(c, out->sender_account.bytes, sizeof out->sender_account.bytes);
    column_bytes(c, out->sender_device.bytes, sizeof out->sender_device.bytes);
    column_bytes(c, out->id.bytes, sizeof out->id.bytes);
    column_bytes(c, out->term.bytes, sizeof out->term.bytes);
    out->seq = column_u64(c);
    out->accepted_ms = column_u64(c);
    out->received_ms = column_ordered(c);
    struct inbox_key key = inbox_key(out);
    out->body = column_sealed_copy(c, "inbox.body", view_of(key.bytes, sizeof key.bytes), a, CIPHERTEXT_LEN_MAX);
    out->shown = column_bool(c);
    out->sealed = column_bool(c);
    out->closed = column_bool(c);
    column_maybe(c, out->target.bytes, sizeof out->target.bytes);
    out->attempt = column_u32(c);
    column_maybe(c, out->commitment.bytes, sizeof out->commitment.bytes);
    out->stamp_key = column_u32(c);
    column_maybe(c, out->stamp.bytes, sizeof out->stamp.bytes);
    out->head = column_sealed_copy(c, "inbox.head", view_of(key.bytes, sizeof key.bytes), a, CONTENT_HEAD_LEN);
    out->counter = column_u64(c);
    out->missing = column_u64(c);
    column_maybe(c, out->sent_to.bytes, sizeof out->sent_to.bytes);
    out->withheld = column_bool(c);
    out->expires_ms = column_u64(c);
}

static void sent_to_bind(struct call *c, const struct inbox_row *row)
{
    static const struct account_id nobody;
    if (memcmp(&row->sent_to, &nobody, sizeof nobody) == 0)
        bind_null(c);
    else
        bind_bytes(c, row->sent_to.bytes, sizeof row->sent_to.bytes);
}

enum status sqlite_inbox_find(struct state *s, struct device_id sender, struct message_id id, struct inbox_row *out)
{
    struct arena none = {0};
    struct call c = call_begin(s, STATEMENT_INBOX_FIND);
    bind_bytes(&c, sender.bytes, sizeof sender.bytes);
    bind_bytes(&c, id.bytes, sizeof id.bytes);
    bool found = call_step(&c);
    if (found) inbox_read(&c, &none, out);
    arena_fini(&none);
    out->body = out->head = view_of(NULL, 0);
    return take_end(&c, found, out, sizeof *out);
}

static enum status inbox_known(struct state *s, struct inbox_row *row)
{
    struct inbox_row known;
    enum status status = sqlite_inbox_find(s, row->sender_device, row->id, &known);
    row->order = known.order;
    row->shown = known.shown;
    return status == STATUS_NOT_FOUND ? STATUS_DAMAGED : status; /* neither added nor there */
}

enum status sqlite_inbox_open(struct state *s, const struct inbox_row *row)
{
    size_t changes;
    struct inbox_key key = inbox_key(row);
    struct call c = call_begin(s, STATEMENT_INBOX_OPEN);
    bind_sealed(&c, "inbox.body", view_of(key.bytes, sizeof key.bytes), row->body);
    bind_sealed(&c, "inbox.head", view_of(key.bytes, sizeof key.bytes), row->head);
    bind_u64(&c, row->counter);
    bind_u64(&c, row->missing);
    sent_to_bind(&c, row);
    bind_u64(&c, row->order);
    enum status status = call_run(&c, &changes);
    return status == STATUS_OK && changes == 0 ? STATUS_NOT_FOUND : status;
}

enum status sqlite_inbox_drop(struct state *s, uint64_t order)
{
    struct call c = call_begin(s, STATEMENT_INBOX_DROP);
    bind_u64(&c, order);
    return call_run(&c, NULL);
}

enum status sqlite_inbox_put(struct state *s, struct inbox_row *row, bool *added)
{
    size_t changes;
    struct inbox_key key = inbox_key(row);
    struct call c = call_begin(s, STATEMENT_INBOX_ADD);
    bind_bytes(&c, row->sender_account.bytes, sizeof row->sender_account.bytes);
    bind_bytes(&c, row->sender_device.bytes, sizeof row->sender_device.bytes);
    bind_bytes(&c, row->id.bytes, sizeof row->id.bytes);
    bind_bytes(&c, row->term.bytes, sizeof row->term.bytes);
    bind_u64(&c, row->seq);
    bind_u64(&c, row->accepted_ms);
    bind_ordered(&c, row->received_ms);
    bind_sealed(&c, "inbox.body", view_of(key.bytes, sizeof key.bytes), row->body);
    bind_u64(&c, row->shown);
    bind_u64(&c, row->sealed);
    bind_u64(&c, row->closed);
    bind_bytes(&c, row->target.bytes, sizeof row->target.bytes);
    bind_u64(&c, row->attempt);
    bind_bytes(&c, row->commitment.bytes, sizeof row->commitment.bytes);
    bind_u64(&c, row->stamp_key);
    bind_bytes(&c, row->stamp.bytes, sizeof row->stamp.bytes);
    bind_sealed(&c, "inbox.head", view_of(key.bytes, sizeof key.bytes), row->head);
    bind_u64(&c, row->counter);
    bind_u64(&c, row->missing);
    sent_to_bind(&c, row);
    bind_u64(&c, row->withheld);
    bind_u64(&c, row->expires_ms);
    enum status status = call_run(&c, &changes);
    *added = changes > 0;
    if (status != STATUS_OK) return status;
    if (!*added) return inbox_known(s, row);
    row->order = (uint64_t)sqlite3_last_insert_rowid(((struct sqlite_state *)s)->db);
    return STATUS_OK;
}

static const enum statement scans[] = {
    [INBOX_OPENED] = STATEMENT_INBOX_SCAN,
    [INBOX_UNSHOWN] = STATEMENT_INBOX_SCAN_UNSHOWN,
    [INBOX_UNSETTLED] = STATEMENT_INBOX_SCAN_UNSETTLED,
    [INBOX_CLOSED] = STATEMENT_INBOX_SCAN_CLOSED,
    [INBOX_WITHHELD] = STATEMENT_INBOX_SCAN_WITHHELD,
};

enum status sqlite_inbox_scan(struct state *s, struct inbox_scan *scan, struct arena *a)
{
    scan->row_count = 0;
    if (scan->after > INT64_MAX) return STATUS_OK; /* beyond every order number */
    struct call c = call_begin(s, scans[scan->which]);
    bind_u64(&c, scan->after);
    bind_u64(&c, scan->row_max);
    while (scan->row_count < scan->row_max && call_step(&c))
        inbox_read(&c, a, &scan->rows[scan->row_count++]);
    enum status status = call_end(&c);
    if (status != STATUS_OK) scan->row_count = 0;
    return status;
}

static enum status inbox_change(struct state *s, enum statement change, uint64_t order)
{
    size_t changes;
    struct call c = call_begin(s, change);
    bind_u64(&c, order);
    enum status status = call_run(&c, &changes);
    return status == STATUS_OK && changes == 0 ? STATUS_NOT_FOUND : status;
}

enum status sqlite_inbox_show(struct state *s, uint64_t order)
{
    return inbox_change(s, STATEMENT_INBOX_SHOW, order);
}

enum status sqlite_inbox_withhold(struct state *s, uint64_t order)
{
    return inbox_change(s, STATEMENT_INBOX_WITHHOLD, order);
}

enum status sqlite_inbox_release(struct state *s, uint64_t order)
{
    return inbox_change(s, STATEMENT_INBOX_RELEASE, order);
}
