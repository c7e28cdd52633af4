/* memory: the model backend: one skip list per space, and an undo log that can take writes back.
 * Not fast, not a cache, nothing here knows what a row means.
 *
 * Invariants: a row is in its list once, in key order. A disk's groups, newest first, undo exactly
 * the writes since their end: `pending` holds what is not synced, `synced` the last SYNCED_MAX
 * durable writes, each together with the unsynced writes that it made durable. A private store
 * cannot lose a part of itself and so keeps no undo. Levels come from a fixed seed: runs repeat. */
#include "storage/backends/memory.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define LEVEL_MAX     12u /* a quarter of each level: good for 4^12 rows */
#define SYNCED_MAX    64u
#define ROW_COUNT_MIN 64u

struct row {
    uint8_t *value;
    size_t value_len;
    uint8_t key_len;
    uint8_t level;
    struct row *next[]; /* level pointers, then the key's bytes */
};

struct list {
    struct row *head[LEVEL_MAX];
};

/* The pointers that lead to a key's place, one per level. */
struct place {
    struct row **link[LEVEL_MAX];
};

/* What a key held before one op. */
struct undo {
    struct undo *older;
    enum store_space space;
    bool existed;
    uint8_t *value; /* owned */
    size_t value_len;
    struct store_key key;
};

struct memory_disk {
    struct list lists[SPACE_ALL_COUNT];
    uint64_t level_rng;
    /* Atomic because stats may be asked while another thread writes. */
    _Atomic uint64_t live_bytes;
    _Atomic uint64_t row_count;
    struct undo *pending;
    struct undo *synced[SYNCED_MAX]; /* ring: the oldest at synced_first */
    size_t synced_first;
    size_t synced_count;
    bool keeps_synced;
    bool in_use;
    bool was_cut;
    size_t fail_in; /* 0 = never */
    bool fail_applied;
};

struct memory_store {
    struct store base;
    struct memory_disk *disk;
    bool owns_disk;
    bool failed;
    uint64_t load_count;
};

static void *heap(size_t len)
{
    void *at = malloc(len ? len : 1);
    ENSURE(at != NULL);
    return at;
}

/* --- rows in order --- */

static struct view row_key(const struct row *r)
{
    return view_of(&r->next[r->level], r->key_len);
}

static int key_compare(struct view a, struct view b)
{
    size_t shared = a.len < b.len ? a.len : b.len;
    int order = shared ? memcmp(a.at, b.at, shared) : 0;
    if (order) return order;
    return (a.len > b.len) - (a.len < b.len);
}

/* The first row whose key is not below `key`; NULL at the end. */
static struct row *list_seek(struct list *l, struct view key, struct place *place)
{
    struct row **links = l->head;
    for (unsigned level = LEVEL_MAX; level-- > 0;) {
        while (links[level] && key_compare(row_key(links[level]), key) < 0)
            links = links[level]->next;
        place->link[level] = &links[level];
    }
    return links[0];
}

static struct row *list_find(struct list *l, struct view key, struct place *place)
{
    struct row *r = list_seek(l, key, place);
    return r && key_compare(row_key(r), key) == 0 ? r : NULL;
}

static uint8_t next_level(struct memory_disk *d)
{
    uint64_t x = d->level_rng;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    d->level_rng = x;
    uint8_t level = 1;
    for (; level < LEVEL_MAX && (x & 3) == 0; x >>= 2)
        level++;
    return level;
}

static struct row *row_insert(struct memory_disk *d, const struct place *place, struct view key)
{
    uint8_t level = next_level(d);
    struct row *r = heap(sizeof *r + level * sizeof r->next[0] + key.len);
    *r = (struct row){.key_len = (uint8_t)key.len, .level = level};
    memcpy(&r->next[level], key.at, key.len);
    for (unsigned i = 0; i < level; i++) {
        r->next[i] = *place->link[i];
        *place->link[i] = r;
    }
    d->live_bytes += key.len;
    d->row_count++;
    return r;
}

/* Takes the row out and frees it; its value must have been taken before. */
static void row_remove(struct memory_disk *d, const struct place *place, struct row *r)
{
    for (unsigned i = 0; i < r->level; i++)
        *place->link[i] = r->next[i];
    d->live_bytes -= r->key_len;
    d->row_count--;
    free(r);
}

/* Makes `key` hold `value` (taken), or nothing when !exists; *before (may be NULL) takes what it
 * held, which else is freed. */
static void row_exchange(struct memory_disk *d, enum store_space space, struct view key,
                         bool exists, uint8_t *value, size_t value_len, struct undo *before)
{
    struct place place;
    struct row *r = list_find(&d->lists[space], key, &place);
    uint8_t *old = r ? r->value : NULL;
    if (before) {
        before->existed = r != NULL;
        before->value = old;
        before->value_len = r ? r->value_len : 0;
    } else {
        free(old);
    }
    d->live_bytes -= r ? r->value_len : 0;
    if (!exists) {
        if (r) row_remove(d, &place, r);
        return;
    }
    if (!r) r = row_insert(d, &place, key);
    r->value = value;
    r->value_len = value_len;
    d->live_bytes += value_len;
}

/* --- taking writes back --- */

static void undo_free(struct undo *newest)
{
    while (newest) {
        struct undo *older = newest->older;
        free(newest->value);
        free(newest);
        newest = older;
    }
}

static void undo_apply(struct memory_disk *d, struct undo *newest)
{
    while (newest) {
        struct undo *older = newest->older;
        row_exchange(d, newest->space, view_of(newest->key.bytes, newest->key.len), newest->existed,
                     newest->value, newest->value_len, NULL);
        free(newest);
        newest = older;
    }
}

static struct undo *undo_push(struct memory_disk *d, enum store_space space, struct view key)
{
    struct undo *u = heap(sizeof *u);
    *u = (struct undo){.older = d->pending, .space = space};
    u->key.len = (uint8_t)key.len;
    memcpy(u->key.bytes, key.at, key.len);
    d->pending = u;
    return u;
}

/* The pending writes are durable now: they become the newest of the writes that cut can take. */
static void undo_seal(struct memory_disk *d)
{
    if (d->synced_count == SYNCED_MAX) {
        undo_free(d->synced[d->synced_first]);
        d->synced_first = (d->synced_first + 1) % SYNCED_MAX;
        d->synced_count--;
    }
    d->synced[(d->synced_first + d->synced_count++) % SYNCED_MAX] = d->pending;
    d->pending = NULL;
}

static struct undo *undo_pop(struct memory_disk *d)
{
    ENSURE(d->synced_count > 0);
    return d->synced[(d->synced_first + --d->synced_count) % SYNCED_MAX];
}

/* --- the store --- */

static struct memory_store *memory_of(struct store *s)
{
    return (struct memory_store *)s;
}

static struct view value_copy(struct arena *a, const struct row *r)
{
    uint8_t *at = arena_alloc_raw(a, r->value_len ? r->value_len : 1);
    if (r->value_len) memcpy(at, r->value, r->value_len);
    return view_of(at, r->value_len);
}

static enum status memory_load(struct store *s, struct store_read *reads, size_t count,
                               struct arena *a)
{
    struct memory_store *m = memory_of(s);
    m->load_count++;
    for (size_t i = 0; i < count; i++) {
        ENSURE(reads[i].space < SPACE_ALL_COUNT);
        struct place place;
        const struct row *r = list_find(&m->disk->lists[reads[i].space], reads[i].key, &place);
        reads[i].value = r ? value_copy(a, r) : view_of(NULL, 0);
    }
    return STATUS_OK;
}

static void scan_append(struct store_scan *scan, size_t *cap, const struct row *r, struct arena *a)
{
    if (scan->row_count == *cap) {
        *cap = *cap ? *cap * 2 : ROW_COUNT_MIN;
        struct store_row *rows = arena_array(a, *cap, sizeof *rows);
        if (scan->row_count) memcpy(rows, scan->rows, scan->row_count * sizeof *rows);
        scan->rows = rows;
    }
    static const uint8_t nothing;
    scan->rows[scan->row_count++] =
        (struct store_row){.key = arena_copy(a, row_key(r)),
                           .value = scan->keys_only ? view_of(&nothing, 0) : value_copy(a, r)};
}

static enum status memory_scan(struct store *s, struct store_scan *scan, struct arena *a)
{
    ENSURE(scan->space < SPACE_ALL_COUNT);
    struct memory_store *m = memory_of(s);
    m->load_count++;
    struct place place;
    size_t cap = 0;
    size_t byte_count = 0;
    for (const struct row *r = list_seek(&m->disk->lists[scan->space], scan->from, &place); r;
         r = r->next[0]) {
        if (scan->to.len && key_compare(row_key(r), scan->to) >= 0) break;
        if (scan->row_count == scan->row_max ||
            (scan->row_count > 0 && byte_count >= scan->byte_max)) {
            scan->more = true;
            break;
        }
        scan_append(scan, &cap, r, a);
        byte_count += r->key_len + (scan->keys_only ? 0 : r->value_len);
    }
    return STATUS_OK;
}

static void apply_op(struct memory_disk *d, const struct store_op *op)
{
    size_t len = op->head.len + op->body.len;
    uint8_t *value = op->kind != STORE_DELETE ? heap(len) : NULL;
    if (value && op->head.len) memcpy(value, op->head.at, op->head.len);
    if (value && op->body.len) memcpy(value + op->head.len, op->body.at, op->body.len);
    struct undo *before = d->keeps_synced ? undo_push(d, op->space, op->key) : NULL;
    row_exchange(d, op->space, op->key, value != NULL, value, len, before);
}

static enum status memory_write(struct store *s, const struct store_batch *batch,
                                enum durability durability)
{
    struct memory_store *m = memory_of(s);
    struct memory_disk *d = m->disk;
    if (m->failed) return STATUS_IO;
    for (size_t i = 0; i < batch->op_count; i++) {
        const struct store_op *op = &batch->ops[i];
        ENSURE(op->space < SPACE_ALL_COUNT && op->key.len > 0 && op->key.len <= STORE_KEY_LEN_MAX);
    }
    m->failed = d->fail_in > 0 && --d->fail_in == 0;
    if (m->failed && !d->fail_applied) return STATUS_IO;
    for (size_t i = 0; i < batch->op_count; i++)
        apply_op(d, &batch->ops[i]);
    if (durability == DURABILITY_SYNCED) undo_seal(d);
    return m->failed ? STATUS_IO : STATUS_OK;
}

static void memory_stats(struct store *s, struct store_stats *out)
{
    struct memory_disk *d = memory_of(s)->disk;
    out->live_bytes = d->live_bytes;
    out->row_count = d->row_count;
}

static void memory_close(struct store *s)
{
    if (!s) return;
    struct memory_store *m = memory_of(s);
    m->disk->in_use = false;
    if (m->owns_disk) memory_disk_free(&m->disk);
    free(m);
}

static const struct store_ops private_ops = {
    .name = "memory",
    .durability_max = DURABILITY_MEMORY,
    .load = memory_load,
    .scan = memory_scan,
    .write = memory_write,
    .stats = memory_stats,
    .close = memory_close,
};

static const struct store_ops disk_ops = {
    .name = "memory",
    .durability_max = DURABILITY_SYNCED,
    .load = memory_load,
    .scan = memory_scan,
    .write = memory_write,
    .stats = memory_stats,
    .close = memory_close,
};

enum status memory_open(struct memory_disk *disk, struct store **out)
{
    *out = NULL;
    if (disk && disk->in_use) return STATUS_LOCKED;
    struct memory_store *m = heap(sizeof *m);
    *m = (struct memory_store){.owns_disk = !disk};
    m->disk = disk ? disk : memory_disk_new();
    m->disk->keeps_synced = disk != NULL;
    m->base.ops = disk ? &disk_ops : &private_ops;
    m->base.recovery = m->disk->was_cut ? RECOVERY_POINT_IN_TIME : RECOVERY_CLEAN;
    m->disk->was_cut = false;
    m->disk->in_use = true;
    *out = &m->base;
    return STATUS_OK;
}

uint64_t memory_loads(const struct store *s)
{
    ENSURE(s->ops == &private_ops || s->ops == &disk_ops);
    return ((const struct memory_store *)s)->load_count;
}

/* --- the disk --- */

struct memory_disk *memory_disk_new(void)
{
    struct memory_disk *d = calloc(1, sizeof *d);
    ENSURE(d != NULL);
    d->level_rng = 0x9e3779b97f4a7c15u;
    return d;
}

void memory_disk_free(struct memory_disk **d)
{
    if (!*d) return;
    ENSURE(!(*d)->in_use);
    undo_free((*d)->pending);
    while ((*d)->synced_count)
        undo_free(undo_pop(*d));
    for (size_t i = 0; i < SPACE_ALL_COUNT; i++) {
        for (struct row *r = (*d)->lists[i].head[0]; r;) {
            struct row *next = r->next[0];
            free(r->value);
            free(r);
            r = next;
        }
    }
    free(*d);
    *d = NULL;
}

void memory_disk_crash(struct memory_disk *d)
{
    ENSURE(!d->in_use);
    undo_apply(d, d->pending);
    d->pending = NULL;
}

void memory_disk_cut(struct memory_disk *d, size_t count)
{
    memory_disk_crash(d);
    for (; count > 0 && d->synced_count > 0; count--)
        undo_apply(d, undo_pop(d));
    d->was_cut = true;
}

void memory_disk_fail_write(struct memory_disk *d, size_t nth, bool applied)
{
    d->fail_in = nth;
    d->fail_applied = applied;
}
