/* memory_keys: the entries of identity logs, and prekeys, in the memory backend. */
#include "clients/state/memory_rows.h"

#include <string.h>

static struct key entry_key(struct account_id account, uint64_t number)
{
    struct key k = key_bytes(T_ENTRY, account.bytes, sizeof account.bytes);
    key_add_u64(&k, number);
    return k;
}

static struct key prekey_key(enum prekey_kind kind, uint64_t id)
{
    struct key k = key_u64(T_PREKEY, kind);
    key_add_u64(&k, id);
    return k;
}

enum status memory_entry_put(struct state *s, struct account_id account, uint64_t number, struct view entry)
{
    struct key k = entry_key(account, number);
    if (memory_fails(memory_of(s))) return STATUS_IO;
    memory_put(memory_of(s), &k, entry.at, entry.len);
    return STATUS_OK;
}

enum status memory_entry_scan(struct state *s, struct arena *a, struct entry_scan *scan)
{
    struct memory *m = memory_of(s);
    if (memory_fails(m)) return STATUS_IO;
    while (scan->count < scan->max) {
        struct key k = entry_key(scan->account, scan->first + scan->count);
        struct view v;
        if (!rows_get(m->rows, row_key_view(&k), &v)) break;
        scan->entries[scan->count++] = arena_copy(a, v);
    }
    return STATUS_OK;
}

enum status memory_contact_next(struct state *s, struct account_id after, struct account_id *out)
{
    struct memory *m = memory_of(s);
    struct key from = key_bytes(T_CONTACT, after.bytes, sizeof after.bytes);
    struct view key, value;
    size_t prefix = from.len - sizeof after.bytes;
    key_add(&from, "", 1); /* the next key there can be */
    if (memory_fails(m)) return STATUS_IO;
    if (!memory_seek(m, &from, &key, &value)) return STATUS_NOT_FOUND;
    memcpy(out->bytes, key.at + prefix, sizeof out->bytes);
    return STATUS_OK;
}

enum status memory_kept_key_get(struct state *s, enum kept_key which, uint8_t out[32])
{
    struct key k = key_u64(T_KEPT, which);
    if (memory_fails(memory_of(s))) return STATUS_IO;
    return memory_get(memory_of(s), &k, out, 32) ? STATUS_OK : STATUS_NOT_FOUND;
}

enum status memory_kept_key_put(struct state *s, enum kept_key which, const uint8_t *key)
{
    struct key k = key_u64(T_KEPT, which);
    if (memory_fails(memory_of(s))) return STATUS_IO;
    if (key)
        memory_put(memory_of(s), &k, key, 32);
    else
        memory_drop(memory_of(s), &k);
    return STATUS_OK;
}

enum status memory_prekey_put(struct state *s, const struct state_prekey *in)
{
    struct memory *m = memory_of(s);
    struct key k = prekey_key(in->kind, in->id), last = key_u64(T_PREKEY_LAST, in->kind);
    uint64_t highest = 0;
    if (memory_fails(m)) return STATUS_IO;
    memory_put(m, &k, in, sizeof *in);
    (void)memory_get(m, &last, &highest, sizeof highest);
    if (in->id > highest) memory_put(m, &last, &in->id, sizeof in->id);
    return STATUS_OK;
}

enum status memory_prekey_get(struct state *s, enum prekey_kind kind, uint64_t id, struct state_prekey *out)
{
    struct key k = prekey_key(kind, id);
    if (memory_fails(memory_of(s))) return STATUS_IO;
    return memory_get(memory_of(s), &k, out, sizeof *out) ? STATUS_OK : STATUS_NOT_FOUND;
}

enum status memory_prekey_last(struct state *s, enum prekey_kind kind, uint64_t *id)
{
    struct key last = key_u64(T_PREKEY_LAST, kind);
    if (memory_fails(memory_of(s))) return STATUS_IO;
    (void)memory_get(memory_of(s), &last, id, sizeof *id);
    return STATUS_OK;
}

enum status memory_prekey_drop(struct state *s, enum prekey_kind kind, uint64_t id)
{
    struct key k = prekey_key(kind, id);
    if (memory_fails(memory_of(s))) return STATUS_IO;
    memory_drop(memory_of(s), &k);
    return STATUS_OK;
}

/* Those made before, or with smaller ids. */
static enum status prekeys_drop(struct state *s, enum prekey_kind kind, uint64_t before_ms, uint64_t keep_from)
{
    struct memory *m = memory_of(s);
    struct key from = key_u64(T_PREKEY, kind);
    struct view key, value;
    size_t prefix = from.len;
    uint8_t wanted[ROWS_KEY_LEN_MAX];
    memcpy(wanted, from.bytes, prefix);
    if (memory_fails(m)) return STATUS_IO;
    while (memory_seek(m, &from, &key, &value) && memcmp(key.at, wanted, prefix) == 0) {
        struct state_prekey row;
        memcpy(&row, value.at, sizeof row);
        from.len = (uint8_t)prefix;
        key_add_u64(&from, row.id + 1);
        struct key k = prekey_key(kind, row.id);
        if (row.made_ms < before_ms || row.id < keep_from) memory_drop(m, &k);
    }
    return STATUS_OK;
}

enum status memory_prekey_prune(struct state *s, enum prekey_kind kind, uint64_t before_ms)
{
    return prekeys_drop(s, kind, before_ms, 0);
}

enum status memory_prekey_forget(struct state *s, enum prekey_kind kind, uint64_t keep_from)
{
    return prekeys_drop(s, kind, 0, keep_from);
}
