/* memory: the state contract over ordered rows (rows.h). Every table and every index is a key prefix;
 * values are the structs themselves, followed by their bytes. Not a cache: the model. Invariants:
 * index rows (KEY, ID, CLASS, RECEIPT, ENDED, DEDUP, UNSHOWN, SHOWN, BODIED) exist exactly for the row
 * they name, as it stands. */
#include "clients/state/memory.h"

#include "clients/state/rows.h"

#include <stdlib.h>
#include <string.h>

enum table {
    T_IDENTITY = 1, T_SECRETS, T_SETTING,
    T_HANDLE,   /* handle -> account */
    T_NAMED,    /* account, handle */
    T_CONTACT,  /* account -> struct contact */
    T_OUTBOX,   /* order -> struct outbox_row */
    T_BODY,     /* order -> struct body_head, bytes */
    T_KEY,      /* message key -> order */
    T_ID,       /* message id -> order */
    T_CLASS,    /* class, order */
    T_RECEIPT,  /* store, term, commit, order; of CLASS_OPEN */
    T_ENDED,    /* ended_ms, order; of CLASS_ENDED */
    T_INBOX,    /* order -> struct inbox_row, body */
    T_DEDUP,    /* sender device, id -> order */
    T_UNSHOWN,  /* order */
    T_SHOWN,    /* received_ms, order */
    T_BODIED,   /* received_ms, order; shown and with a body */
    T_ACK,      /* term, seq -> reason */
    T_TERM,     /* store -> term */
    T_COUNTER,  /* table -> the last order number given */
};

struct memory {
    struct state base;
    struct rows *rows;
    uint64_t calls;
    uint64_t fail_at; /* the value of calls that fails; 0 = none */
    bool fail_keeps;
};

static struct memory *memory_of(struct state *s)
{
    return (struct memory *)s;
}

/* ---- keys ---- */

struct key {
    uint8_t len;
    uint8_t bytes[ROWS_KEY_LEN_MAX];
};

static struct key key_of(enum table table)
{
    return (struct key){.len = 1, .bytes = {(uint8_t)table}};
}

static void key_add(struct key *k, const void *at, size_t len)
{
    ENSURE(k->len + len <= sizeof k->bytes);
    if (len) memcpy(k->bytes + k->len, at, len);
    k->len = (uint8_t)(k->len + len);
}

static void key_add_u64(struct key *k, uint64_t v)
{
    uint8_t bytes[8];
    put_u64(bytes, v);
    key_add(k, bytes, sizeof bytes);
}

static struct view key_view(const struct key *k)
{
    return view_of(k->bytes, k->len);
}

static struct key key_u64(enum table table, uint64_t v)
{
    struct key k = key_of(table);
    key_add_u64(&k, v);
    return k;
}

static struct key key_bytes(enum table table, const void *at, size_t len)
{
    struct key k = key_of(table);
    key_add(&k, at, len);
    return k;
}

static struct key key_timed(enum table table, uint64_t ms, uint64_t order)
{
    struct key k = key_u64(table, ms);
    key_add_u64(&k, order);
    return k;
}

static uint64_t key_tail(struct view key)
{
    return get_u64(key.at + key.len - 8);
}

/* ---- rows ---- */

static void put(struct memory *m, const struct key *k, const void *at, size_t len)
{
    rows_put(m->rows, key_view(k), view_of(at, len));
}

static void drop(struct memory *m, const struct key *k)
{
    rows_delete(m->rows, key_view(k));
}

/* A value that is exactly one struct. */
static bool get(struct memory *m, const struct key *k, void *out, size_t len)
{
    struct view v;
    if (!rows_get(m->rows, key_view(k), &v)) return false;
    ENSURE(v.len == len);
    memcpy(out, v.at, len);
    return true;
}

/* The first row at or after `from` within its table (its first byte). */
static bool seek(struct memory *m, const struct key *from, struct view *key, struct view *value)
{
    return rows_seek(m->rows, key_view(from), key, value) && key->at[0] == from->bytes[0];
}

static uint64_t order_next(struct memory *m, enum table table)
{
    struct key k = key_bytes(T_COUNTER, &(uint8_t){(uint8_t)table}, 1);
    uint64_t order = 0;
    (void)get(m, &k, &order, sizeof order);
    order++;
    put(m, &k, &order, sizeof order);
    return order;
}

/* True when this call is the one that shall fail. */
static bool fails(struct memory *m)
{
    m->calls++;
    if (m->calls != m->fail_at) return false;
    m->fail_at = 0;
    return true;
}

static bool is_zero(const void *at, size_t len)
{
    const uint8_t *bytes = at;
    for (size_t i = 0; i < len; i++)
        if (bytes[i]) return false;
    return true;
}

/* ---- transactions ---- */

static enum status memory_begin(struct state *s, enum state_mode mode)
{
    (void)mode;
    return fails(memory_of(s)) ? STATUS_IO : STATUS_OK;
}

static enum status memory_commit(struct state *s)
{
    struct memory *m = memory_of(s);
    bool failed = fails(m);
    if (failed && !m->fail_keeps)
        rows_undo(m->rows);
    else
        rows_keep(m->rows);
    return failed ? STATUS_IO : STATUS_OK;
}

static void memory_rollback(struct state *s)
{
    rows_undo(memory_of(s)->rows);
}

static void memory_close(struct state *s)
{
    struct memory *m = memory_of(s);
    rows_free(&m->rows);
    free(m);
}

/* ---- identity, settings ---- */

/* The struct, then entry, handle and endpoints; the views' lengths stand in the struct. */
static enum status memory_identity_put(struct state *s, const struct state_identity *in)
{
    struct memory *m = memory_of(s);
    if (fails(m)) return STATUS_IO;
    struct buffer b = {0};
    struct key k = key_of(T_IDENTITY);
    write_bytes(&b, in, sizeof *in);
    write_view(&b, in->entry);
    write_view(&b, in->handle);
    write_view(&b, in->endpoints);
    put(m, &k, b.at, b.len);
    buffer_fini(&b);
    return STATUS_OK;
}

static enum status memory_identity_get(struct state *s, struct arena *a,
                                       struct state_identity *out)
{
    struct memory *m = memory_of(s);
    struct key k = key_of(T_IDENTITY);
    struct view v;
    if (fails(m)) return STATUS_IO;
    if (!rows_get(m->rows, key_view(&k), &v)) return STATUS_NOT_FOUND;
    struct reader r = reader_of(arena_copy(a, v));
    read_bytes(&r, out, sizeof *out);
    out->entry = read_view(&r, out->entry.len);
    out->handle = read_view(&r, out->handle.len);
    out->endpoints = read_view(&r, out->endpoints.len);
    return reader_done(&r) == STATUS_OK ? STATUS_OK : STATUS_DAMAGED;
}

static enum status memory_secrets_get(struct state *s, struct device_secrets *out)
{
    struct key k = key_of(T_SECRETS);
    if (fails(memory_of(s))) return STATUS_IO;
    return get(memory_of(s), &k, out, sizeof *out) ? STATUS_OK : STATUS_NOT_FOUND;
}

static enum status memory_secrets_put(struct state *s, const struct device_secrets *in)
{
    struct key k = key_of(T_SECRETS);
    if (fails(memory_of(s))) return STATUS_IO;
    put(memory_of(s), &k, in, sizeof *in);
    return STATUS_OK;
}

static enum status memory_setting_get(struct state *s, const char *name, struct arena *a,
                                      struct view *out)
{
    struct memory *m = memory_of(s);
    struct key k = key_bytes(T_SETTING, name, strlen(name));
    struct view v;
    if (fails(m)) return STATUS_IO;
    if (!rows_get(m->rows, key_view(&k), &v)) return STATUS_NOT_FOUND;
    *out = arena_copy(a, v);
    return STATUS_OK;
}

static enum status memory_setting_put(struct state *s, const char *name, struct view value)
{
    struct memory *m = memory_of(s);
    struct key k = key_bytes(T_SETTING, name, strlen(name));
    if (fails(m)) return STATUS_IO;
    if (value.len)
        put(m, &k, value.at, value.len);
    else
        drop(m, &k);
    return STATUS_OK;
}

/* ---- contacts ---- */

static enum status memory_handle_get(struct state *s, struct view handle, struct account_id *out)
{
    struct key k = key_bytes(T_HANDLE, handle.at, handle.len);
    if (fails(memory_of(s))) return STATUS_IO;
    return get(memory_of(s), &k, out, sizeof *out) ? STATUS_OK : STATUS_NOT_FOUND;
}

static struct key named_key(struct account_id account, struct view handle)
{
    struct key k = key_bytes(T_NAMED, account.bytes, sizeof account.bytes);
    key_add(&k, handle.at, handle.len);
    return k;
}

static enum status memory_handle_put(struct state *s, struct view handle,
                                     struct account_id account)
{
    struct memory *m = memory_of(s);
    struct key k = key_bytes(T_HANDLE, handle.at, handle.len);
    struct account_id old;
    if (fails(m)) return STATUS_IO;
    if (get(m, &k, &old, sizeof old)) {
        struct key named = named_key(old, handle);
        drop(m, &named);
    }
    struct key named = named_key(account, handle);
    put(m, &k, account.bytes, sizeof account.bytes);
    put(m, &named, NULL, 0);
    return STATUS_OK;
}

static enum status memory_contact_get(struct state *s, struct account_id account,
                                      struct contact *out)
{
    struct key k = key_bytes(T_CONTACT, account.bytes, sizeof account.bytes);
    if (fails(memory_of(s))) return STATUS_IO;
    return get(memory_of(s), &k, out, sizeof *out) ? STATUS_OK : STATUS_NOT_FOUND;
}

static enum status memory_contact_put(struct state *s, const struct contact *in)
{
    struct key k = key_bytes(T_CONTACT, in->account.bytes, sizeof in->account.bytes);
    if (fails(memory_of(s))) return STATUS_IO;
    put(memory_of(s), &k, in, sizeof *in);
    return STATUS_OK;
}

static enum status memory_contact_handle(struct state *s, struct account_id account,
                                         struct arena *a, struct view *out)
{
    struct memory *m = memory_of(s);
    struct key from = named_key(account, view_of(NULL, 0));
    struct view key, value;
    if (fails(m)) return STATUS_IO;
    if (!seek(m, &from, &key, &value) || memcmp(key.at, from.bytes, from.len) != 0)
        return STATUS_NOT_FOUND;
    *out = arena_copy(a, view_of(key.at + from.len, key.len - from.len));
    return STATUS_OK;
}

/* ---- outbox ---- */

static struct key class_key(enum message_class class, uint64_t order)
{
    struct key k = key_bytes(T_CLASS, &(uint8_t){(uint8_t)class}, 1);
    key_add_u64(&k, order);
    return k;
}

static struct key receipt_key(struct store_id store, struct term term, uint64_t commit,
                              uint64_t order)
{
    struct key k = key_bytes(T_RECEIPT, store.bytes, sizeof store.bytes);
    key_add(&k, term.bytes, sizeof term.bytes);
    key_add_u64(&k, commit);
    key_add_u64(&k, order);
    return k;
}

static struct key message_key_key(const struct message_key *key)
{
    return key_bytes(T_KEY, key->text, strlen(key->text));
}

static bool has_id(const struct outbox_row *row)
{
    return !is_zero(row->id.bytes, sizeof row->id.bytes);
}

/* Writes or removes all index rows of a row. */
static void outbox_index(struct memory *m, const struct outbox_row *row, bool add)
{
    enum message_class class = message_class_of(row->state);
    struct key keys[5] = {message_key_key(&row->key), class_key(class, row->order)};
    size_t count = 2;
    if (has_id(row)) keys[count++] = key_bytes(T_ID, row->id.bytes, sizeof row->id.bytes);
    if (class == CLASS_OPEN)
        keys[count++] = receipt_key(row->receipt.store, row->receipt.term, row->receipt.commit,
                                    row->order);
    if (class == CLASS_ENDED) keys[count++] = key_timed(T_ENDED, row->ended_ms, row->order);
    for (size_t i = 0; i < count; i++) {
        if (add)
            put(m, &keys[i], &row->order, sizeof row->order);
        else
            drop(m, &keys[i]);
    }
}

/* Whether the index row is there and names another order. */
static bool taken(struct memory *m, const struct key *k, uint64_t order)
{
    uint64_t found;
    return get(m, k, &found, sizeof found) && found != order;
}

static enum status memory_outbox_put(struct state *s, struct outbox_row *row)
{
    struct memory *m = memory_of(s);
    struct outbox_row old;
    struct key at = key_u64(T_OUTBOX, row->order);
    struct key key = message_key_key(&row->key);
    struct key id = key_bytes(T_ID, row->id.bytes, sizeof row->id.bytes);
    if (fails(m)) return STATUS_IO;
    if (row->order && !get(m, &at, &old, sizeof old)) return STATUS_NOT_FOUND;
    if (taken(m, &key, row->order) || (has_id(row) && taken(m, &id, row->order)))
        return STATUS_STATE;
    if (row->order)
        outbox_index(m, &old, false);
    else
        row->order = order_next(m, T_OUTBOX);
    at = key_u64(T_OUTBOX, row->order);
    put(m, &at, row, sizeof *row);
    outbox_index(m, row, true);
    return STATUS_OK;
}

static enum status row_at(struct memory *m, uint64_t order, struct outbox_row *out)
{
    struct key k = key_u64(T_OUTBOX, order);
    return get(m, &k, out, sizeof *out) ? STATUS_OK : STATUS_NOT_FOUND;
}

static enum status row_by(struct memory *m, const struct key *k, struct outbox_row *out)
{
    uint64_t order;
    return get(m, k, &order, sizeof order) ? row_at(m, order, out) : STATUS_NOT_FOUND;
}

static enum status memory_outbox_get(struct state *s, uint64_t order, struct outbox_row *out)
{
    return fails(memory_of(s)) ? STATUS_IO : row_at(memory_of(s), order, out);
}

static enum status memory_outbox_find_key(struct state *s, const struct message_key *key,
                                          struct outbox_row *out)
{
    struct key k = message_key_key(key);
    return fails(memory_of(s)) ? STATUS_IO : row_by(memory_of(s), &k, out);
}

static enum status memory_outbox_find_id(struct state *s, struct message_id id,
                                         struct outbox_row *out)
{
    struct key k = key_bytes(T_ID, id.bytes, sizeof id.bytes);
    return fails(memory_of(s)) ? STATUS_IO : row_by(memory_of(s), &k, out);
}

static enum status memory_body_put(struct state *s, uint64_t order, const struct outbox_body *in)
{
    struct memory *m = memory_of(s);
    struct key row = key_u64(T_OUTBOX, order), at = key_u64(T_BODY, order);
    struct buffer b = {0};
    struct view v;
    if (fails(m)) return STATUS_IO;
    if (!rows_get(m->rows, key_view(&row), &v)) return STATUS_NOT_FOUND;
    write_bytes(&b, in, sizeof *in);
    write_view(&b, in->payload);
    write_view(&b, in->item);
    write_view(&b, in->ciphertext);
    write_view(&b, in->answer);
    put(m, &at, b.at, b.len);
    buffer_fini(&b);
    return STATUS_OK;
}

static enum status memory_body_get(struct state *s, uint64_t order, struct arena *a,
                                   struct outbox_body *out)
{
    struct memory *m = memory_of(s);
    struct key row = key_u64(T_OUTBOX, order), at = key_u64(T_BODY, order);
    struct view v;
    if (fails(m)) return STATUS_IO;
    if (!rows_get(m->rows, key_view(&row), &v)) return STATUS_NOT_FOUND;
    if (!rows_get(m->rows, key_view(&at), &v)) return STATUS_OK;
    struct reader r = reader_of(arena_copy(a, v));
    read_bytes(&r, out, sizeof *out);
    out->payload = read_view(&r, out->payload.len);
    out->item = read_view(&r, out->item.len);
    out->ciphertext = read_view(&r, out->ciphertext.len);
    out->answer = read_view(&r, out->answer.len);
    return reader_done(&r) == STATUS_OK ? STATUS_OK : STATUS_DAMAGED;
}

static bool is_due(const struct outbox_row *row, uint64_t due_ms)
{
    return !due_ms || row->due_ms <= due_ms || row->due_ms > due_ms + OUTBOX_DUE_AHEAD_MAX_MS;
}

static enum status memory_outbox_scan(struct state *s, struct outbox_scan *scan)
{
    struct memory *m = memory_of(s);
    uint64_t after = scan->after;
    struct view key, value;
    if (fails(m)) return STATUS_IO;
    while (scan->row_count < scan->row_max && after != UINT64_MAX) {
        struct key from = scan->class ? class_key(scan->class, after + 1)
                                      : key_u64(T_OUTBOX, after + 1);
        if (!seek(m, &from, &key, &value)) break;
        if (scan->class && key.at[1] != (uint8_t)scan->class) break;
        after = key_tail(key);
        struct outbox_row *row = &scan->rows[scan->row_count];
        ENSURE(row_at(m, after, row) == STATUS_OK);
        if (is_due(row, scan->due_ms)) scan->row_count++;
    }
    return STATUS_OK;
}

static enum status memory_outbox_receipt(struct state *s, struct store_id store, struct term term,
                                         uint64_t commit, uint64_t after, struct outbox_row *out)
{
    struct memory *m = memory_of(s);
    struct key from = receipt_key(store, term, commit, after == UINT64_MAX ? after : after + 1);
    struct view key, value;
    if (fails(m)) return STATUS_IO;
    if (!seek(m, &from, &key, &value) || memcmp(key.at + 1, store.bytes, sizeof store.bytes) != 0)
        return STATUS_NOT_FOUND;
    return row_at(m, key_tail(key), out);
}

/* ---- inbox ---- */

static void inbox_write(struct memory *m, const struct inbox_row *row)
{
    struct key at = key_u64(T_INBOX, row->order);
    struct buffer b = {0};
    write_bytes(&b, row, sizeof *row);
    write_view(&b, row->body);
    put(m, &at, b.at, b.len);
    buffer_fini(&b);
}

static void inbox_read(struct view v, struct inbox_row *out)
{
    struct reader r = reader_of(v);
    read_bytes(&r, out, sizeof *out);
    out->body = read_view(&r, out->body.len);
    ENSURE(reader_done(&r) == STATUS_OK);
}

static struct key dedup_key(const struct inbox_row *row)
{
    struct key k = key_bytes(T_DEDUP, row->sender_device.bytes, sizeof row->sender_device.bytes);
    key_add(&k, row->id.bytes, sizeof row->id.bytes);
    return k;
}

static void inbox_index(struct memory *m, const struct inbox_row *row)
{
    struct key unshown = key_u64(T_UNSHOWN, row->order);
    struct key shown = key_timed(T_SHOWN, row->received_ms, row->order);
    struct key bodied = key_timed(T_BODIED, row->received_ms, row->order);
    if (row->shown) {
        drop(m, &unshown);
        put(m, &shown, NULL, 0);
        if (row->body.len) put(m, &bodied, NULL, 0);
    } else {
        put(m, &unshown, NULL, 0);
    }
}

static enum status memory_inbox_put(struct state *s, struct inbox_row *row, bool *added)
{
    struct memory *m = memory_of(s);
    struct key dedup = dedup_key(row);
    struct view v;
    if (fails(m)) return STATUS_IO;
    if (rows_get(m->rows, key_view(&dedup), &v)) return STATUS_OK;
    row->order = order_next(m, T_INBOX);
    put(m, &dedup, &row->order, sizeof row->order);
    inbox_write(m, row);
    inbox_index(m, row);
    *added = true;
    return STATUS_OK;
}

static enum status memory_inbox_scan(struct state *s, struct inbox_scan *scan, struct arena *a)
{
    struct memory *m = memory_of(s);
    uint64_t after = scan->after;
    struct view key, value;
    if (fails(m)) return STATUS_IO;
    while (scan->row_count < scan->row_max && after != UINT64_MAX) {
        struct key from = key_u64(scan->unshown ? T_UNSHOWN : T_INBOX, after + 1);
        if (!seek(m, &from, &key, &value)) break;
        after = key_tail(key);
        struct key at = key_u64(T_INBOX, after);
        ENSURE(rows_get(m->rows, key_view(&at), &value));
        inbox_read(arena_copy(a, value), &scan->rows[scan->row_count++]);
    }
    return STATUS_OK;
}

static enum status memory_inbox_show(struct state *s, uint64_t order)
{
    struct memory *m = memory_of(s);
    struct key at = key_u64(T_INBOX, order);
    struct buffer copy = {0};
    struct inbox_row row;
    struct view v;
    if (fails(m)) return STATUS_IO;
    if (!rows_get(m->rows, key_view(&at), &v)) return STATUS_NOT_FOUND;
    write_view(&copy, v);
    inbox_read(buffer_view(&copy), &row);
    if (!row.shown) {
        row.shown = true;
        inbox_write(m, &row);
        inbox_index(m, &row);
    }
    buffer_fini(&copy);
    return STATUS_OK;
}

/* ---- acknowledgements, terms ---- */

static struct key ack_key(struct position p)
{
    struct key k = key_bytes(T_ACK, p.term.bytes, sizeof p.term.bytes);
    key_add_u64(&k, p.seq);
    return k;
}

static enum status memory_ack_put(struct state *s, const struct pending_ack *in)
{
    struct key k = ack_key(in->position);
    if (fails(memory_of(s))) return STATUS_IO;
    put(memory_of(s), &k, in, sizeof *in);
    return STATUS_OK;
}

static enum status memory_ack_scan(struct state *s, struct pending_ack *out, size_t max,
                                   size_t *count)
{
    struct memory *m = memory_of(s);
    struct key from = key_of(T_ACK);
    struct view key, value;
    if (fails(m)) return STATUS_IO;
    while (*count < max && seek(m, &from, &key, &value)) {
        memcpy(&out[(*count)++], value.at, sizeof *out);
        from.len = 0;
        key_add(&from, key.at, key.len);
        key_add(&from, "", 1); /* the next key there can be */
    }
    return STATUS_OK;
}

static enum status memory_ack_drop(struct state *s, struct position up_to)
{
    struct memory *m = memory_of(s);
    struct key from = key_of(T_ACK);
    struct view key, value;
    if (fails(m)) return STATUS_IO;
    while (seek(m, &from, &key, &value)) {
        struct pending_ack found;
        memcpy(&found, value.at, sizeof found);
        if (position_compare(found.position, up_to) > 0) break;
        struct key k = ack_key(found.position);
        drop(m, &k);
    }
    return STATUS_OK;
}

static enum status memory_term_get(struct state *s, struct store_id store, struct term *out)
{
    struct key k = key_bytes(T_TERM, store.bytes, sizeof store.bytes);
    if (fails(memory_of(s))) return STATUS_IO;
    return get(memory_of(s), &k, out, sizeof *out) ? STATUS_OK : STATUS_NOT_FOUND;
}

static enum status memory_term_put(struct state *s, struct store_id store, struct term term)
{
    struct key k = key_bytes(T_TERM, store.bytes, sizeof store.bytes);
    if (fails(memory_of(s))) return STATUS_IO;
    put(memory_of(s), &k, term.bytes, sizeof term.bytes);
    return STATUS_OK;
}

/* ---- housekeeping ---- */

static void prune_outbox_row(struct memory *m, uint64_t order)
{
    struct outbox_row row;
    struct key at = key_u64(T_OUTBOX, order), body = key_u64(T_BODY, order);
    ENSURE(row_at(m, order, &row) == STATUS_OK);
    outbox_index(m, &row, false);
    drop(m, &at);
    drop(m, &body);
}

static void prune_inbox(struct memory *m, uint64_t order, bool whole)
{
    struct key at = key_u64(T_INBOX, order);
    struct buffer copy = {0};
    struct inbox_row row;
    struct view v;
    ENSURE(rows_get(m->rows, key_view(&at), &v));
    write_view(&copy, v);
    inbox_read(buffer_view(&copy), &row);
    struct key bodied = key_timed(T_BODIED, row.received_ms, order);
    drop(m, &bodied);
    row.body = view_of(NULL, 0);
    inbox_write(m, &row);
    if (whole) {
        struct key shown = key_timed(T_SHOWN, row.received_ms, order);
        struct key dedup = dedup_key(&row);
        drop(m, &shown);
        drop(m, &dedup);
        drop(m, &at);
    }
    buffer_fini(&copy);
}

static void prune_inbox_row(struct memory *m, uint64_t order)
{
    prune_inbox(m, order, true);
}

static void prune_inbox_body(struct memory *m, uint64_t order)
{
    prune_inbox(m, order, false);
}

/* Runs `prune` on each row of a timed index before the limit, at most max; true when there are more. */
static bool prune_timed(struct memory *m, enum table table, uint64_t before_ms, size_t max,
                        void (*prune)(struct memory *m, uint64_t order))
{
    struct key from = key_of(table);
    struct view key, value;
    for (size_t i = 0;; i++) {
        if (!before_ms || !seek(m, &from, &key, &value) || get_u64(key.at + 1) >= before_ms)
            return false;
        if (i == max) return true;
        prune(m, key_tail(key));
    }
}

static enum status memory_prune(struct state *s, const struct state_prune *limits, bool *more)
{
    struct memory *m = memory_of(s);
    size_t max = limits->row_max;
    if (fails(m)) return STATUS_IO;
    bool outbox = prune_timed(m, T_ENDED, limits->outbox_ended_before_ms, max, prune_outbox_row);
    bool bodies = prune_timed(m, T_BODIED, limits->inbox_body_before_ms, max, prune_inbox_body);
    bool inbox = prune_timed(m, T_SHOWN, limits->inbox_before_ms, max, prune_inbox_row);
    *more = outbox || bodies || inbox;
    return STATUS_OK;
}

/* ---- the backend ---- */

static const struct state_ops memory_ops = {
    .name = "memory",
    .begin = memory_begin,
    .commit = memory_commit,
    .rollback = memory_rollback,
    .close = memory_close,
    .identity_get = memory_identity_get,
    .identity_put = memory_identity_put,
    .secrets_get = memory_secrets_get,
    .secrets_put = memory_secrets_put,
    .setting_get = memory_setting_get,
    .setting_put = memory_setting_put,
    .handle_get = memory_handle_get,
    .handle_put = memory_handle_put,
    .contact_get = memory_contact_get,
    .contact_put = memory_contact_put,
    .contact_handle = memory_contact_handle,
    .outbox_put = memory_outbox_put,
    .outbox_get = memory_outbox_get,
    .outbox_find_key = memory_outbox_find_key,
    .outbox_find_id = memory_outbox_find_id,
    .body_get = memory_body_get,
    .body_put = memory_body_put,
    .outbox_scan = memory_outbox_scan,
    .outbox_receipt = memory_outbox_receipt,
    .inbox_put = memory_inbox_put,
    .inbox_scan = memory_inbox_scan,
    .inbox_show = memory_inbox_show,
    .ack_put = memory_ack_put,
    .ack_scan = memory_ack_scan,
    .ack_drop = memory_ack_drop,
    .term_get = memory_term_get,
    .term_put = memory_term_put,
    .prune = memory_prune,
};

struct state *memory_state_new(void)
{
    struct memory *m = calloc(1, sizeof *m);
    if (!m) abort();
    m->base.ops = &memory_ops;
    m->rows = rows_new();
    return &m->base;
}

void memory_state_crash(struct state *s)
{
    rows_undo(memory_of(s)->rows);
    s->open = 0;
}

void memory_state_fail(struct state *s, uint64_t nth, bool kept)
{
    struct memory *m = memory_of(s);
    m->fail_at = nth ? m->calls + nth : 0;
    m->fail_keeps = kept;
}

uint64_t memory_state_calls(const struct state *s)
{
    return ((const struct memory *)s)->calls;
}
