/* overlay: a hash table of rows, and beside it groups: the rows whose keys start alike, in an array
 * that is sorted only when somebody walks it. Positions of a mailbox come in order, so that it nearly
 * always is. No operating system, no store.
 *
 * Invariants: a row is in exactly one slot and one group; group->rows[row->place] == row; a group
 * without rows does not exist. */
#include "storage/overlay.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_FIRST 1024u

struct overlay_group {
    struct overlay_group *next; /* of the same slot, or free */
    uint64_t hash;
    enum store_space space;
    uint8_t start[OVERLAY_GROUP_LEN];
    uint8_t start_len;
    bool sorted; /* rows are in key order, with no hole between them */
    struct overlay_row **rows; /* NULL where one was removed */
    size_t count, cap, live;
};

struct overlay {
    uint8_t seed[16];
    struct overlay_row **slots; /* linear probing, backward shift */
    size_t slot_count, row_count;
    struct overlay_group **groups;
    size_t group_slot_count, group_count;
    struct overlay_row *free_rows; /* linked through owner */
    struct overlay_group *free_groups;
};

static void *heap(size_t count, size_t size)
{
    void *at = calloc(count, size);
    ENSURE(at != NULL);
    return at;
}

int key_order(struct view a, struct view b)
{
    size_t shared = a.len < b.len ? a.len : b.len;
    int order = shared ? memcmp(a.at, b.at, shared) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static uint64_t hash_of(const struct overlay *o, enum store_space space, struct view key)
{
    uint8_t out[8];
    crypto_shorthash(out, key.at, key.len, o->seed);
    return get_u64(out) + (uint64_t)space * 0x9e3779b97f4a7c15ull;
}

struct overlay *overlay_new(const uint8_t seed[16])
{
    struct overlay *o = heap(1, sizeof *o);
    memcpy(o->seed, seed, sizeof o->seed);
    o->slot_count = o->group_slot_count = SLOTS_FIRST;
    o->slots = heap(o->slot_count, sizeof(struct overlay_row *));
    o->groups = heap(o->group_slot_count, sizeof(struct overlay_group *));
    return o;
}

static void group_free(struct overlay_group *g)
{
    free(g->rows);
    free(g);
}

void overlay_free(struct overlay **pointer)
{
    struct overlay *o = *pointer;
    if (!o) return;
    for (size_t i = 0; i < o->slot_count; i++)
        free(o->slots[i]);
    for (struct overlay_row *r; (r = o->free_rows);) {
        o->free_rows = r->owner;
        free(r);
    }
    for (size_t i = 0; i < o->group_slot_count; i++)
        for (struct overlay_group *g; (g = o->groups[i]);) {
            o->groups[i] = g->next;
            group_free(g);
        }
    for (struct overlay_group *g; (g = o->free_groups);) {
        o->free_groups = g->next;
        group_free(g);
    }
    free(o->slots);
    free(o->groups);
    free(o);
    *pointer = NULL;
}

size_t overlay_count(const struct overlay *o)
{
    return o->row_count;
}

/* ---- slots ---- */

static size_t slot_of(const struct overlay *o, uint64_t hash, enum store_space space,
                      struct view key)
{
    size_t i = (size_t)hash & (o->slot_count - 1);
    for (const struct overlay_row *r; (r = o->slots[i]); i = (i + 1) & (o->slot_count - 1))
        if (r->hash == hash && r->space == space && view_equal(r->key, key)) break;
    return i;
}

static void grow_slots(struct overlay *o)
{
    struct overlay_row **old = o->slots;
    size_t old_count = o->slot_count;
    o->slot_count *= 2;
    o->slots = heap(o->slot_count, sizeof(struct overlay_row *));
    for (size_t i = 0; i < old_count; i++)
        if (old[i]) o->slots[slot_of(o, old[i]->hash, old[i]->space, old[i]->key)] = old[i];
    free(old);
}

/* Closes the hole at i: moves up whoever would not be found past it. */
static void slot_clear(struct overlay *o, size_t i)
{
    size_t mask = o->slot_count - 1;
    for (size_t k = (i + 1) & mask; o->slots[k]; k = (k + 1) & mask) {
        size_t home = (size_t)o->slots[k]->hash & mask;
        if (((k - home) & mask) < ((k - i) & mask)) continue;
        o->slots[i] = o->slots[k];
        i = k;
    }
    o->slots[i] = NULL;
}

/* ---- groups ---- */

static struct view start_of(struct view key)
{
    return view_of(key.at, key.len < OVERLAY_GROUP_LEN ? key.len : OVERLAY_GROUP_LEN);
}

static struct overlay_group **group_slot(const struct overlay *o, uint64_t hash,
                                         enum store_space space, struct view start)
{
    struct overlay_group **link = &o->groups[hash & (o->group_slot_count - 1)];
    for (; *link; link = &(*link)->next)
        if ((*link)->hash == hash && (*link)->space == space &&
            view_equal(view_of((*link)->start, (*link)->start_len), start))
            break;
    return link;
}

static void grow_groups(struct overlay *o)
{
    struct overlay_group **old = o->groups;
    size_t old_count = o->group_slot_count;
    o->group_slot_count *= 2;
    o->groups = heap(o->group_slot_count, sizeof(struct overlay_group *));
    for (size_t i = 0; i < old_count; i++)
        for (struct overlay_group *g, *next = old[i]; (g = next);) {
            struct overlay_group **home = &o->groups[g->hash & (o->group_slot_count - 1)];
            next = g->next;
            g->next = *home;
            *home = g;
        }
    free(old);
}

static struct overlay_group *group_of(struct overlay *o, enum store_space space, struct view key)
{
    struct view start = start_of(key);
    uint64_t hash = hash_of(o, space, start);
    struct overlay_group *g = *group_slot(o, hash, space, start);
    if (g) return g;
    if (o->group_count == o->group_slot_count) grow_groups(o);
    if ((g = o->free_groups))
        o->free_groups = g->next;
    else
        g = heap(1, sizeof *g);
    struct overlay_group **home = &o->groups[hash & (o->group_slot_count - 1)];
    *g = (struct overlay_group){.next = *home, .hash = hash, .space = space, .sorted = true,
                                .start_len = (uint8_t)start.len, .rows = g->rows, .cap = g->cap};
    memcpy(g->start, start.at, start.len);
    *home = g;
    o->group_count++;
    return g;
}

static void group_add(struct overlay_group *g, struct overlay_row *row)
{
    if (g->count == g->cap) {
        g->cap = g->cap ? g->cap * 2 : 8;
        g->rows = realloc(g->rows, g->cap * sizeof(struct overlay_row *));
        ENSURE(g->rows != NULL);
    }
    if (g->count) {
        const struct overlay_row *last = g->rows[g->count - 1];
        g->sorted = g->sorted && last && key_order(last->key, row->key) < 0;
    }
    row->group = g;
    row->place = g->count;
    g->rows[g->count++] = row;
    g->live++;
}

static void group_close_up(struct overlay_group *g)
{
    size_t n = 0;
    for (size_t i = 0; i < g->count; i++)
        if (g->rows[i]) {
            g->rows[n] = g->rows[i];
            g->rows[n]->place = n;
            n++;
        }
    g->count = n;
}

static void group_drop(struct overlay *o, struct overlay_group *g)
{
    struct overlay_group **link = group_slot(o, g->hash, g->space, view_of(g->start, g->start_len));
    *link = g->next;
    g->next = o->free_groups;
    o->free_groups = g;
    o->group_count--;
}

static void group_remove(struct overlay *o, struct overlay_row *row)
{
    struct overlay_group *g = row->group;
    bool was_last = row->place + 1 == g->count;
    g->rows[row->place] = NULL;
    g->live--;
    if (!g->live) {
        group_drop(o, g);
        return;
    }
    g->sorted = g->sorted && was_last;
    while (!g->rows[g->count - 1])
        g->count--;
    if (g->count > 2 * g->live + 8) group_close_up(g);
}

static int by_key(const void *left, const void *right)
{
    const struct overlay_row *a = *(struct overlay_row *const *)left;
    const struct overlay_row *b = *(struct overlay_row *const *)right;
    return key_order(a->key, b->key);
}

static void rows_sort(struct overlay_row **rows, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (key_order(rows[i - 1]->key, rows[i]->key) > 0) {
            qsort(rows, count, sizeof(struct overlay_row *), by_key);
            return;
        }
}

static void group_sort(struct overlay_group *g)
{
    if (g->sorted) return;
    group_close_up(g);
    rows_sort(g->rows, g->count);
    for (size_t i = 0; i < g->count; i++)
        g->rows[i]->place = i;
    g->sorted = true;
}

/* ---- rows ---- */

struct overlay_row *overlay_find(const struct overlay *o, enum store_space space, struct view key)
{
    return o->row_count ? o->slots[slot_of(o, hash_of(o, space, key), space, key)] : NULL;
}

struct overlay_row *overlay_put(struct overlay *o, enum store_space space, struct view key,
                                struct view value)
{
    if (2 * o->row_count >= o->slot_count) grow_slots(o);
    uint64_t hash = hash_of(o, space, key);
    size_t slot = slot_of(o, hash, space, key);
    struct overlay_row *row = o->slots[slot];
    if (row) {
        row->key = key;
        row->value = value;
        return row;
    }
    if ((row = o->free_rows))
        o->free_rows = row->owner;
    else
        row = heap(1, sizeof *row);
    *row = (struct overlay_row){.space = space, .key = key, .value = value, .hash = hash};
    o->slots[slot] = row;
    o->row_count++;
    group_add(group_of(o, space, key), row);
    return row;
}

void overlay_remove(struct overlay *o, struct overlay_row *row)
{
    slot_clear(o, slot_of(o, row->hash, row->space, row->key));
    group_remove(o, row);
    row->owner = o->free_rows;
    o->free_rows = row;
    o->row_count--;
}

/* ---- walking ---- */

/* Whether every key in [from, to) starts with `start`, which from does. */
static bool within(struct view start, struct view to)
{
    if (to.len == 0) return false;
    size_t shared = to.len < start.len ? to.len : start.len;
    if (to.len >= start.len && memcmp(to.at, start.at, shared) == 0) return true;
    /* `to` may be the first key behind the group: start with its last byte below 0xff counted up */
    size_t len = start.len;
    while (len && start.at[len - 1] == 0xff)
        len--;
    return len && to.len == len && memcmp(to.at, start.at, len - 1) == 0 &&
           to.at[len - 1] == start.at[len - 1] + 1;
}

static size_t lower_bound(struct overlay_row *const *rows, size_t count, struct view key)
{
    size_t low = 0;
    while (low < count) {
        size_t middle = low + (count - low) / 2;
        if (key_order(rows[middle]->key, key) < 0)
            low = middle + 1;
        else
            count = middle;
    }
    return low;
}

static struct overlay_range cut(struct overlay_row *const *rows, size_t count, struct view from,
                                struct view to)
{
    size_t first = lower_bound(rows, count, from);
    size_t end = to.len ? lower_bound(rows, count, to) : count;
    return (struct overlay_range){rows + first, end > first ? end - first : 0};
}

static struct overlay_range range_of_all(const struct overlay *o, enum store_space space,
                                         struct view from, struct view to, struct arena *a)
{
    struct overlay_row **rows = arena_array(a, o->row_count + 1, sizeof(struct overlay_row *));
    size_t count = 0;
    for (size_t i = 0; i < o->slot_count && count < o->row_count; i++) {
        struct overlay_row *r = o->slots[i];
        if (!r || r->space != space || key_order(r->key, from) < 0) continue;
        if (to.len && key_order(r->key, to) >= 0) continue;
        rows[count++] = r;
    }
    rows_sort(rows, count);
    return (struct overlay_range){rows, count};
}

struct overlay_range overlay_range(struct overlay *o, enum store_space space, struct view from,
                                   struct view to, struct arena *a)
{
    if (!o->row_count) return (struct overlay_range){NULL, 0};
    if (from.len < OVERLAY_GROUP_LEN || !within(start_of(from), to))
        return range_of_all(o, space, from, to, a);
    struct view start = start_of(from);
    struct overlay_group *g = *group_slot(o, hash_of(o, space, start), space, start);
    if (!g) return (struct overlay_range){NULL, 0};
    group_sort(g);
    return cut(g->rows, g->count, from, to);
}
