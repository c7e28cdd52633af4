/* memory_outbox: the outbox of the memory backend. Invariant: the index rows (KEY, ID, CLASS, RECEIPT,
 * ENDED, COPY) exist exactly for each row as it stands. Copies have keys and ids of their own: with one byte more. */
#include "clients/state/memory_rows.h"

#include <string.h>

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

static struct key named(enum table table, const void *at, size_t len, bool copy)
{
    struct key k = key_bytes(table, at, len);
    if (copy) key_add(&k, "\x01", 1); /* no character of a key */
    return k;
}

static struct key key_key(const struct message_key *key, bool copy)
{
    return named(T_KEY, key->text, strlen(key->text), copy);
}

static struct key id_key(struct message_id id, bool copy)
{
    return named(T_ID, id.bytes, sizeof id.bytes, copy);
}

static bool has_id(const struct outbox_row *row)
{
    return !memory_is_zero(row->id.bytes, sizeof row->id.bytes);
}

/* Writes or removes all index rows of a row. */
static void outbox_index(struct memory *m, const struct outbox_row *row, bool add)
{
    enum message_class class = message_class_of(row->state);
    struct key keys[5] = {key_key(&row->key, row->copy_of > 0), class_key(class, row->order)};
    size_t count = 2;
    if (has_id(row)) keys[count++] = id_key(row->id, row->copy_of > 0);
    if (row->copy_of) keys[count++] = key_u64(T_COPY, row->copy_of);
    if (class == CLASS_OPEN)
        keys[count++] = receipt_key(row->receipt.store, row->receipt.term, row->receipt.commit,
                                    row->order);
    if (class == CLASS_ENDED && !row->copy_of) keys[count++] = key_timed(T_ENDED, row->ended_ms, row->order);
    for (size_t i = 0; i < count; i++) {
        if (add)
            memory_put(m, &keys[i], &row->order, sizeof row->order);
        else
            memory_drop(m, &keys[i]);
    }
}

/* Whether the index row is there and names another order. */
static bool taken(struct memory *m, const struct key *k, uint64_t order)
{
    uint64_t found;
    return memory_get(m, k, &found, sizeof found) && found != order;
}

enum status memory_outbox_put(struct state *s, struct outbox_row *row)
{
    struct memory *m = memory_of(s);
    struct outbox_row old;
    struct key at = key_u64(T_OUTBOX, row->order);
    struct key key = key_key(&row->key, row->copy_of > 0), id = id_key(row->id, row->copy_of > 0);
    struct key copy = key_u64(T_COPY, row->copy_of);
    if (memory_fails(m)) return STATUS_IO;
    if (row->order && !memory_get(m, &at, &old, sizeof old)) return STATUS_NOT_FOUND;
    if (taken(m, &key, row->order) || (has_id(row) && taken(m, &id, row->order)) ||
        (row->copy_of && taken(m, &copy, row->order)))
        return STATUS_STATE;
    if (row->order)
        outbox_index(m, &old, false);
    else
        row->order = memory_order_next(m, T_OUTBOX);
    at = key_u64(T_OUTBOX, row->order);
    memory_put(m, &at, row, sizeof *row);
    outbox_index(m, row, true);
    return STATUS_OK;
}

static enum status row_at(struct memory *m, uint64_t order, struct outbox_row *out)
{
    struct key k = key_u64(T_OUTBOX, order);
    return memory_get(m, &k, out, sizeof *out) ? STATUS_OK : STATUS_NOT_FOUND;
}

static enum status row_by(struct memory *m, const struct key *k, struct outbox_row *out)
{
    uint64_t order;
    return memory_get(m, k, &order, sizeof order) ? row_at(m, order, out) : STATUS_NOT_FOUND;
}

enum status memory_outbox_get(struct state *s, uint64_t order, struct outbox_row *out)
{
    return memory_fails(memory_of(s)) ? STATUS_IO : row_at(memory_of(s), order, out);
}

enum status memory_outbox_find_key(struct state *s, const struct message_key *key,
                                          struct outbox_row *out)
{
    struct key k = key_key(key, false);
    return memory_fails(memory_of(s)) ? STATUS_IO : row_by(memory_of(s), &k, out);
}

enum status memory_outbox_find_id(struct state *s, struct message_id id,
                                         struct outbox_row *out)
{
    struct key k = id_key(id, false);
    return memory_fails(memory_of(s)) ? STATUS_IO : row_by(memory_of(s), &k, out);
}

enum status memory_outbox_copy(struct state *s, uint64_t message, struct outbox_row *out)
{
    struct key k = key_u64(T_COPY, message);
    return memory_fails(memory_of(s)) ? STATUS_IO : row_by(memory_of(s), &k, out);
}

enum status memory_outbox_find_copy(struct state *s, struct message_id id, struct outbox_row *out)
{
    struct key k = id_key(id, true);
    return memory_fails(memory_of(s)) ? STATUS_IO : row_by(memory_of(s), &k, out);
}

enum status memory_body_put(struct state *s, uint64_t order, const struct outbox_body *in)
{
    struct memory *m = memory_of(s);
    struct key row = key_u64(T_OUTBOX, order), at = key_u64(T_BODY, order);
    struct buffer b = {0};
    struct view v;
    if (memory_fails(m)) return STATUS_IO;
    if (!rows_get(m->rows, row_key_view(&row), &v)) return STATUS_NOT_FOUND;
    write_bytes(&b, in, sizeof *in);
    write_view(&b, in->payload);
    write_view(&b, in->item);
    write_view(&b, in->ciphertext);
    write_view(&b, in->answer);
    write_view(&b, in->head);
    memory_put(m, &at, b.at, b.len);
    buffer_fini(&b);
    return STATUS_OK;
}

enum status memory_body_get(struct state *s, uint64_t order, struct arena *a,
                                   struct outbox_body *out)
{
    struct memory *m = memory_of(s);
    struct key row = key_u64(T_OUTBOX, order), at = key_u64(T_BODY, order);
    struct view v;
    if (memory_fails(m)) return STATUS_IO;
    if (!rows_get(m->rows, row_key_view(&row), &v)) return STATUS_NOT_FOUND;
    if (!rows_get(m->rows, row_key_view(&at), &v)) return STATUS_OK;
    struct reader r = reader_of(arena_copy(a, v));
    read_bytes(&r, out, sizeof *out);
    out->payload = read_view(&r, out->payload.len);
    out->item = read_view(&r, out->item.len);
    out->ciphertext = read_view(&r, out->ciphertext.len);
    out->answer = read_view(&r, out->answer.len);
    out->head = read_view(&r, out->head.len);
    return reader_done(&r) == STATUS_OK ? STATUS_OK : STATUS_DAMAGED;
}

static bool is_due(const struct outbox_row *row, uint64_t due_ms)
{
    return !due_ms || row->due_ms <= due_ms || row->due_ms > due_ms + OUTBOX_DUE_AHEAD_MAX_MS;
}

enum status memory_outbox_scan(struct state *s, struct outbox_scan *scan)
{
    struct memory *m = memory_of(s);
    uint64_t after = scan->after;
    struct view key, value;
    if (memory_fails(m)) return STATUS_IO;
    while (scan->row_count < scan->row_max && after != UINT64_MAX) {
        struct key from = scan->class ? class_key(scan->class, after + 1)
                                      : key_u64(T_OUTBOX, after + 1);
        if (!memory_seek(m, &from, &key, &value)) break;
        if (scan->class && key.at[1] != (uint8_t)scan->class) break;
        after = key_tail(key);
        struct outbox_row *row = &scan->rows[scan->row_count];
        ENSURE(row_at(m, after, row) == STATUS_OK);
        if (is_due(row, scan->due_ms) && (!scan->held || row->state == MESSAGE_HELD)) scan->row_count++;
    }
    return STATUS_OK;
}

enum status memory_outbox_receipt(struct state *s, struct store_id store, struct term term,
                                         uint64_t commit, uint64_t after, struct outbox_row *out)
{
    struct memory *m = memory_of(s);
    struct key from = receipt_key(store, term, commit, after == UINT64_MAX ? after : after + 1);
    struct view key, value;
    if (memory_fails(m)) return STATUS_IO;
    if (!memory_seek(m, &from, &key, &value) ||
        memcmp(key.at + 1, store.bytes, sizeof store.bytes) != 0)
        return STATUS_NOT_FOUND;
    return row_at(m, key_tail(key), out);
}

static void row_drop(struct memory *m, const struct outbox_row *row)
{
    struct key at = key_u64(T_OUTBOX, row->order), body = key_u64(T_BODY, row->order);
    outbox_index(m, row, false);
    memory_drop(m, &at);
    memory_drop(m, &body);
}

void prune_outbox_row(struct memory *m, uint64_t order)
{
    struct outbox_row row, copy;
    struct key of = key_u64(T_COPY, order);
    ENSURE(row_at(m, order, &row) == STATUS_OK);
    if (row_by(m, &of, &copy) == STATUS_OK) row_drop(m, &copy);
    row_drop(m, &row);
}
