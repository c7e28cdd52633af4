/* memory_rows: keys and rows of the memory backend: every table and every index is a key prefix of one
 * ordered set (rows.h); a value is the struct itself. */
#include "clients/state/memory_rows.h"

#include <string.h>

struct memory *memory_of(struct state *s)
{
    return (struct memory *)s;
}

/* ---- keys ---- */

struct key key_of(enum table table)
{
    return (struct key){.len = 1, .bytes = {(uint8_t)table}};
}

void key_add(struct key *k, const void *at, size_t len)
{
    ENSURE(k->len + len <= sizeof k->bytes);
    if (len) memcpy(k->bytes + k->len, at, len);
    k->len = (uint8_t)(k->len + len);
}

void key_add_u64(struct key *k, uint64_t v)
{
    uint8_t bytes[8];
    put_u64(bytes, v);
    key_add(k, bytes, sizeof bytes);
}

struct view row_key_view(const struct key *k)
{
    return view_of(k->bytes, k->len);
}

struct key key_u64(enum table table, uint64_t v)
{
    struct key k = key_of(table);
    key_add_u64(&k, v);
    return k;
}

struct key key_bytes(enum table table, const void *at, size_t len)
{
    struct key k = key_of(table);
    key_add(&k, at, len);
    return k;
}

struct key key_timed(enum table table, uint64_t ms, uint64_t order)
{
    struct key k = key_u64(table, ms);
    key_add_u64(&k, order);
    return k;
}

uint64_t key_tail(struct view key)
{
    return get_u64(key.at + key.len - 8);
}

/* ---- rows ---- */

void memory_put(struct memory *m, const struct key *k, const void *at, size_t len)
{
    rows_put(m->rows, row_key_view(k), view_of(at, len));
}

void memory_drop(struct memory *m, const struct key *k)
{
    rows_delete(m->rows, row_key_view(k));
}

bool memory_get(struct memory *m, const struct key *k, void *out, size_t len)
{
    struct view v;
    if (!rows_get(m->rows, row_key_view(k), &v)) return false;
    ENSURE(v.len == len);
    memcpy(out, v.at, len);
    return true;
}

bool memory_seek(struct memory *m, const struct key *from, struct view *key, struct view *value)
{
    return rows_seek(m->rows, row_key_view(from), key, value) && key->at[0] == from->bytes[0];
}

uint64_t memory_order_next(struct memory *m, enum table table)
{
    struct key k = key_bytes(T_COUNTER, &(uint8_t){(uint8_t)table}, 1);
    uint64_t order = 0;
    (void)memory_get(m, &k, &order, sizeof order);
    order++;
    memory_put(m, &k, &order, sizeof order);
    return order;
}

bool memory_fails(struct memory *m)
{
    m->calls++;
    if (m->calls != m->fail_at) return false;
    m->fail_at = 0;
    return true;
}

bool memory_is_zero(const void *at, size_t len)
{
    const uint8_t *bytes = at;
    for (size_t i = 0; i < len; i++)
        if (bytes[i]) return false;
    return true;
}
