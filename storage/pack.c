/* pack: folds brief rows into one row per write, and cleans up behind itself as a log-structured file
 * system does (Rosenblum and Ousterhout, 1992): the oldest pack goes when little of it is still alive,
 * young rows of it being carried into the new pack, or when there are too many, all of it being unfolded.
 *
 * Invariants: a key in the overlay has no row below, so that the two never contradict each other; the
 * packs below, replayed in order, give the overlay; a row of the overlay lies in the newest pack that
 * names its key, and pack->live and live_bytes count such rows. Packs go in the order in which they came,
 * since a later one deletes rows of earlier ones, and in the write that puts what is left elsewhere. */
#include "storage/pack.h"
#include "storage/overlay.h"

#include <stdlib.h>
#include <string.h>

#define PACK_VERSION 1u
#define OP_HEAD_LEN  7u /* kind, space, key length (1 each), value length (4) */
#define SPARE_MAX    8u /* buffers kept for the next packs, */
#define ROOM_STEP    16384u /* whose sizes are multiples of this */
#define SPENT_PART   8u /* a pack is spent when no more than this part of it is alive */
#define CARRY_MAX    32u /* writes for which a row may be carried on */
#define PACK_SLOTS   (4u * PACK_COUNT_MAX) /* more packs than we leave, where recovery has lost their end */
#define UNFOLD_BYTES (4u << 20) /* at most, in one moment of rest */

struct pack {
    uint64_t number;
    struct buffer bytes; /* as it is below: version, then ops */
    size_t live, live_bytes; /* rows of the overlay that lie here */
};

struct pack_store {
    struct store base;
    struct store_ops ops; /* this file's, under the name and durability of the store below */
    struct store *below;
    size_t count_max, byte_max;
    struct overlay *overlay;
    struct pack packs[PACK_SLOTS]; /* a ring: the oldest at first; one is being made */
    size_t first, count, byte_count;
    uint64_t number; /* of the newest */
    struct buffer spare[SPARE_MAX];
    size_t spare_next; /* the one that is given back for another */
    struct arena arena; /* of one write */
};

static struct pack_store *pack_of(struct store *s)
{
    return (struct pack_store *)s;
}

static struct pack *nth(struct pack_store *p, size_t i)
{
    return &p->packs[(p->first + i) % PACK_SLOTS];
}

static struct view key_of(struct arena *a, uint64_t number)
{
    uint8_t *key = arena_alloc_raw(a, 8);
    put_u64(key, number);
    return view_of(key, 8);
}

/* ---- the bytes of a pack ---- */

struct pack_op {
    enum store_op_kind kind;
    enum store_space space;
    struct view key, value;
};

static void op_write(struct buffer *b, const struct store_op *op)
{
    size_t len = op->head.len + op->body.len;
    write_u8(b, (uint8_t)op->kind);
    write_u8(b, (uint8_t)op->space);
    write_u8(b, (uint8_t)op->key.len);
    write_u32(b, (uint32_t)len);
    write_view(b, op->key);
    write_view(b, op->head);
    write_view(b, op->body);
}

static bool op_next(struct reader *r, struct pack_op *op)
{
    if (!reader_left(r)) return false;
    op->kind = (enum store_op_kind)read_u8(r);
    op->space = (enum store_space)read_u8(r);
    size_t key_len = read_u8(r), value_len = read_u32(r);
    op->key = read_view(r, key_len);
    op->value = read_view(r, value_len);
    if (op->kind > STORE_DELETE || op->space >= SPACE_COUNT || !key_len || key_len > STORE_KEY_LEN_MAX) r->failed = true;
    return !r->failed;
}

static struct reader ops_of(const struct pack *pack)
{
    struct reader r = reader_of(buffer_view(&pack->bytes));
    if (read_u8(&r) != PACK_VERSION) r.failed = true;
    return r;
}

/* ---- the window of packs ---- */

static struct pack *pack_begin(struct pack_store *p)
{
    struct pack *pack = nth(p, p->count);
    *pack = (struct pack){.number = p->number + 1};
    return pack;
}

/* Memory as large as the pack: what it had beyond, nobody would count. */
static void pack_reserve(struct pack_store *p, struct pack *pack, size_t len)
{
    size_t cap = (len / ROOM_STEP + 1) * ROOM_STEP, best = SPARE_MAX;
    for (size_t i = 0; i < SPARE_MAX; i++) {
        size_t has = p->spare[i].cap;
        if (has >= cap && has <= cap + cap / 4 && (best == SPARE_MAX || has < p->spare[best].cap)) best = i;
    }
    if (best < SPARE_MAX) {
        pack->bytes = p->spare[best];
        p->spare[best] = (struct buffer){0};
        return;
    }
    pack->bytes = (struct buffer){.at = malloc(cap), .cap = cap};
    ENSURE(pack->bytes.at != NULL);
}

static void spares_free(struct pack_store *p)
{
    for (size_t i = 0; i < SPARE_MAX; i++)
        buffer_fini(&p->spare[i]);
}

/* Its memory takes an empty place among the spare ones, or that of one that has waited. */
static void pack_release(struct pack_store *p, struct pack *pack)
{
    size_t i = 0;
    while (i < SPARE_MAX && p->spare[i].cap)
        i++;
    if (i == SPARE_MAX) i = p->spare_next++ % SPARE_MAX;
    struct buffer *spare = &p->spare[i];
    buffer_fini(spare);
    *spare = pack->bytes;
    buffer_clear(spare);
    *pack = (struct pack){0};
}

static void pack_keep(struct pack_store *p, struct pack *pack)
{
    p->number = pack->number;
    p->byte_count += pack->bytes.len;
    p->count++;
}

static size_t op_len(struct view key, struct view value)
{
    return OP_HEAD_LEN + key.len + value.len;
}

static void row_leaves(struct overlay_row *row)
{
    struct pack *pack = row->owner;
    pack->live--;
    pack->live_bytes -= op_len(row->key, row->value);
}

/* Makes the overlay say what the op says, where `row` is what it has for that key; the op's bytes lie in the pack. */
static void apply(struct pack_store *p, struct pack *pack, const struct pack_op *op, struct overlay_row *row,
                  uint64_t born)
{
    if (row) row_leaves(row);
    if (op->kind == STORE_DELETE) {
        if (row) overlay_remove(p->overlay, row);
        return;
    }
    if (!row) row = overlay_add(p->overlay, op->space, op->key);
    row->key = op->key;
    row->value = op->value;
    row->owner = pack;
    row->born = born;
    pack->live++;
    pack->live_bytes += op_len(op->key, op->value);
}

/* The pack's bytes must have room: the overlay points into them. */
static void append(struct pack_store *p, struct pack *pack, const struct store_op *op, struct overlay_row *row,
                   uint64_t born)
{
    size_t start = pack->bytes.len + OP_HEAD_LEN;
    op_write(&pack->bytes, op);
    const uint8_t *at = pack->bytes.at + start;
    apply(p, pack, &(struct pack_op){op->kind, op->space, view_of(at, op->key.len),
                                     view_of(at + op->key.len, op->head.len + op->body.len)}, row, born);
}

/* ---- cleaning up ---- */

static bool is_spent(const struct pack *pack)
{
    return pack->live_bytes <= pack->bytes.len / SPENT_PART;
}

/* So many packs, with so many bytes. */
static bool is_too_much(const struct pack_store *p, size_t count, size_t byte_count)
{
    if (count >= p->count_max || byte_count > PACK_LARGE * p->byte_max) return true;
    return byte_count > p->byte_max && count > PACK_KEPT;
}

/* The oldest pack goes: its rows that are still there become rows below, or, while they are young, part
 * of the pack that is being made (NULL = none is). */
static void clean(struct pack_store *p, struct pack *into, struct store_batch *below)
{
    struct pack *pack = nth(p, 0);
    struct reader r = ops_of(pack);
    struct pack_op op;
    while (pack->live && op_next(&r, &op)) {
        struct overlay_row *row = overlay_find(p->overlay, op.space, op.key);
        if (!row || row->key.at != op.key.at) continue;
        if (into && into->number - row->born < CARRY_MAX) {
            append(p, into, &(struct store_op){STORE_PUT_BRIEF, op.space, op.key, op.value,
                                               view_of(NULL, 0)}, row, row->born);
            continue;
        }
        store_batch_put(below, &p->arena, op.space, op.key, op.value, view_of(NULL, 0));
        row_leaves(row);
        overlay_remove(p->overlay, row);
    }
    ENSURE(pack->live == 0);
    store_batch_delete(below, &p->arena, SPACE_PACKS, key_of(&p->arena, pack->number));
    p->byte_count -= pack->bytes.len;
    p->first = (p->first + 1) % PACK_SLOTS;
    p->count--;
}

/* The oldest packs that go with a write: each while there is too much, or that is spent. */
struct leaving {
    size_t count;
    size_t carried; /* bytes at most: what is alive in spent ones */
};

static struct leaving leaving_of(struct pack_store *p)
{
    struct leaving leaving = {0};
    size_t byte_count = p->byte_count;
    for (; leaving.count < p->count; leaving.count++) {
        const struct pack *pack = nth(p, leaving.count);
        if (is_spent(pack))
            leaving.carried += pack->live_bytes;
        else if (!is_too_much(p, p->count - leaving.count, byte_count))
            break;
        byte_count -= pack->bytes.len;
    }
    return leaving;
}

/* Packs that went lent their bytes to the batch; now they can be used again. */
static void release_until(struct pack_store *p, size_t oldest)
{
    for (; oldest != p->first; oldest = (oldest + 1) % PACK_SLOTS)
        pack_release(p, &p->packs[oldest]);
}

/* ---- write ---- */

/* At most so much does fold() write, beside what is carried: what goes below as it is needs no room, but for its key. */
static size_t room_for(const struct pack_store *p, const struct store_batch *batch)
{
    size_t room = 1;
    for (size_t i = 0; i < batch->op_count; i++) {
        const struct store_op *op = &batch->ops[i];
        size_t len = op->head.len + op->body.len;
        room += OP_HEAD_LEN + op->key.len;
        if (len && (op->kind == STORE_PUT_BRIEF || overlay_find(p->overlay, op->space, op->key))) room += len;
    }
    return room;
}

/* Folds what is brief, or changes a row that is, into the pack; the rest goes below as it is. Each op
 * sees those before it. A row that this very batch made brief and then puts again goes below after all. */
static void fold(struct pack_store *p, struct pack *pack, const struct store_batch *batch,
                 struct store_batch *below)
{
    for (size_t i = 0; i < batch->op_count; i++) {
        const struct store_op *op = &batch->ops[i];
        ENSURE(op->space < SPACE_COUNT && op->key.len > 0 && op->key.len <= STORE_KEY_LEN_MAX);
        struct overlay_row *row = overlay_find(p->overlay, op->space, op->key);
        bool again = op->kind == STORE_PUT && row && row->owner == pack;
        if (again)
            append(p, pack, &(struct store_op){.kind = STORE_DELETE, .space = op->space,
                                               .key = op->key}, row, pack->number);
        if (again || (op->kind != STORE_PUT_BRIEF && !row))
            *store_batch_op(below, &p->arena) = *op;
        else
            append(p, pack, op, row, pack->number);
    }
}

static enum status pack_write(struct store *s, const struct store_batch *batch, enum durability d)
{
    struct pack_store *p = pack_of(s);
    struct store_batch below = {0};
    size_t oldest = p->first;
    arena_reset(&p->arena);
    struct pack *pack = pack_begin(p);
    struct leaving leaving = leaving_of(p);
    size_t room = room_for(p, batch) + leaving.carried;
    pack_reserve(p, pack, room); /* the overlay points into it */
    write_u8(&pack->bytes, PACK_VERSION);
    while (leaving.count--)
        clean(p, is_spent(nth(p, 0)) ? pack : NULL, &below);
    fold(p, pack, batch, &below);
    ENSURE(pack->bytes.len <= room);
    if (pack->bytes.len > 1) {
        store_batch_put(&below, &p->arena, SPACE_PACKS, key_of(&p->arena, pack->number),
                        buffer_view(&pack->bytes), view_of(NULL, 0));
        pack_keep(p, pack);
    } else {
        pack_release(p, pack);
    }
    enum status status = store_write(p->below, &below, d);
    release_until(p, oldest);
    return status;
}

static enum status pack_rest(struct store *s)
{
    struct pack_store *p = pack_of(s);
    struct store_batch below = {0};
    size_t oldest = p->first;
    arena_reset(&p->arena);
    for (size_t bytes = 0; p->count && bytes < UNFOLD_BYTES;) {
        bytes += nth(p, 0)->bytes.len;
        clean(p, NULL, &below);
    }
    enum status status = below.op_count ? store_write(p->below, &below, DURABILITY_MEMORY) : STATUS_OK;
    release_until(p, oldest);
    spares_free(p);
    return status == STATUS_OK ? store_rest(p->below) : status;
}

/* ---- load ---- */

static const uint8_t nothing = 0;

/* A copy on the arena; at is never NULL. */
static struct view copy_of(struct arena *a, struct view v)
{
    return v.len ? arena_copy(a, v) : view_of(&nothing, 0);
}

static enum status pack_load(struct store *s, struct store_read *reads, size_t count,
                             struct arena *a)
{
    struct pack_store *p = pack_of(s);
    struct store_read *missed = arena_array(a, count, sizeof *missed);
    size_t missed_count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct overlay_row *row = overlay_find(p->overlay, reads[i].space, reads[i].key);
        reads[i].value = row ? copy_of(a, row->value) : view_of(NULL, 0);
        if (!row) missed[missed_count++] = reads[i];
    } /* what was found has an `at` */
    enum status status = missed_count ? store_load(p->below, missed, missed_count, a) : STATUS_OK;
    for (size_t i = 0, k = 0; i < count; i++) {
        if (!reads[i].value.at) reads[i].value = missed[k++].value;
        if (status != STATUS_OK) reads[i].value = view_of(NULL, 0);
    }
    return status;
}

/* ---- scan: two sorted rows of rows, with no key in common ---- */

struct merge {
    struct store_row *below;
    size_t below_left;
    struct overlay_row *const *held;
    size_t held_left;
};

static struct store_row merge_next(struct merge *m, bool keys_only, struct arena *a)
{
    if (m->below_left &&
        (!m->held_left || key_order(m->below->key, (*m->held)->key) < 0)) {
        m->below_left--;
        return *m->below++;
    }
    const struct overlay_row *row = *m->held++;
    m->held_left--;
    struct view value = keys_only ? view_of(NULL, 0) : row->value;
    return (struct store_row){arena_copy(a, row->key), copy_of(a, value)};
}

static enum status pack_scan(struct store *s, struct store_scan *scan, struct arena *a)
{
    struct pack_store *p = pack_of(s);
    ENSURE(scan->space < SPACE_COUNT);
    size_t held_max = scan->row_max < SIZE_MAX ? scan->row_max + 1 : SIZE_MAX; /* one tells of `more` */
    struct overlay_range held =
        overlay_range(p->overlay, scan->space, scan->from, scan->to, held_max, a);
    enum status status = store_scan(p->below, scan, a);
    if (status != STATUS_OK || !held.count) return status;
    struct merge m = {scan->rows, scan->row_count, held.rows, held.count};
    size_t max = scan->row_count + held.count, bytes = 0;
    if (max > scan->row_max) max = scan->row_max;
    scan->rows = arena_array(a, max, sizeof *scan->rows);
    for (scan->row_count = 0; m.below_left || m.held_left; scan->row_count++) {
        if (scan->row_count == max || (scan->row_count && bytes >= scan->byte_max)) break;
        struct store_row row = merge_next(&m, scan->keys_only, a);
        bytes += row.key.len + row.value.len;
        scan->rows[scan->row_count] = row;
    }
    scan->more = scan->more || m.below_left || m.held_left;
    return STATUS_OK;
}

/* ---- the rest ---- */

static void pack_stats(struct store *s, struct store_stats *out)
{
    struct pack_store *p = pack_of(s);
    store_stats(p->below, out);
    out->row_count += overlay_count(p->overlay);
    out->row_count -= out->row_count < p->count ? out->row_count : p->count; /* the packs' own */
}

static void pack_close(struct store *s)
{
    if (!s) return;
    struct pack_store *p = pack_of(s);
    store_close(&p->below);
    overlay_free(&p->overlay);
    for (size_t i = 0; i < PACK_SLOTS; i++)
        buffer_fini(&p->packs[i].bytes);
    spares_free(p);
    arena_fini(&p->arena);
    free(p);
}

/* ---- open ---- */

static enum status replay(struct pack_store *p, const struct store_row *row)
{
    struct pack *pack = pack_begin(p);
    struct pack_op op;
    pack_reserve(p, pack, row->value.len);
    write_view(&pack->bytes, row->value);
    if (p->count == PACK_SLOTS - 1 || row->key.len != 8) return STATUS_DAMAGED;
    pack->number = get_u64(row->key.at);
    if (pack->number == UINT64_MAX) return STATUS_DAMAGED; /* the next one would stand before it */
    struct reader r = ops_of(pack);
    while (op_next(&r, &op))
        apply(p, pack, &op, overlay_find(p->overlay, op.space, op.key), pack->number);
    pack_keep(p, pack);
    return reader_done(&r) == STATUS_OK ? STATUS_OK : STATUS_DAMAGED;
}

static enum status read_packs(struct pack_store *p)
{
    struct store_key after = {.len = 0};
    for (bool more = true; more;) {
        struct store_scan scan = {.space = SPACE_PACKS, .from = view_of(after.bytes, after.len),
                                  .row_max = PACK_COUNT_MAX, .byte_max = PACK_BYTES_MAX};
        arena_reset(&p->arena);
        enum status status = store_scan(p->below, &scan, &p->arena);
        for (size_t i = 0; i < scan.row_count && status == STATUS_OK; i++)
            status = replay(p, &scan.rows[i]);
        if (status != STATUS_OK) return status;
        more = scan.more && scan.row_count;
        if (!more) break;
        struct view last = scan.rows[scan.row_count - 1].key;
        memcpy(after.bytes, last.at, last.len);
        after.bytes[last.len] = 0;
        after.len = (uint8_t)(last.len + 1);
    }
    return STATUS_OK;
}

enum status pack_open(struct store *below, const struct pack_config *config, struct store **out)
{
    struct pack_store *p = calloc(1, sizeof *p);
    ENSURE(p != NULL && config->count_max <= PACK_COUNT_MAX);
    *out = NULL;
    p->base.recovery = below->recovery;
    p->below = below;
    p->count_max = config->count_max ? config->count_max : PACK_COUNT_MAX;
    p->byte_max = config->byte_max ? config->byte_max : PACK_BYTES_MAX;
    p->overlay = overlay_new(config->seed);
    struct store_ops *ops = &p->ops;
    *ops = (struct store_ops){.name = below->ops->name, .durability_max = below->ops->durability_max,
                              .load = pack_load, .scan = pack_scan, .write = pack_write,
                              .rest = pack_rest, .stats = pack_stats, .close = pack_close};
    p->base.ops = ops;
    enum status status = read_packs(p);
    if (status == STATUS_OK) {
        *out = &p->base;
        return STATUS_OK;
    }
    p->below = NULL;
    pack_close(&p->base);
    return status;
}
