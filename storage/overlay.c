/* overlay: a hash table of rows, and beside it groups: the rows whose keys start alike, in an array
 * that is sorted only when somebody walks it. Positions of a mailbox come in order and go in order, so
 * that it nearly always is. No operating system, no store.
 *
 * Invariants: a row is in exactly one slot and one group; group->rows[row->place] == row; a group
 * without rows does not exist; the first and the last place of a group are taken. */
#include "storage/overlay.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS_FIRST 1024u
#define GROUP_KEEPS 64u /* places that a group has beyond its need are given back above this many */

struct overlay_group {
    struct overlay_group *next; /* of the same slot, or free */
    uint64_t hash;
    enum store_space space;
    uint8_t start[OVERLAY_GROUP_LEN];
    uint8_t start_len;
    bool ordered; /* the rows are in key order, whatever holes are between them */
    struct overlay_row **rows; /* from first to before end; NULL where one was removed */
    size_t first, end, cap, live;
};

/* The hash stands here too: who passes a slot need not look at its row, which is seldom in the processor's cache. */
struct overlay_slot {
    uint64_t hash;
    struct overlay_row *row; /* NULL = empty */
};

struct overlay {
    uint64_t seed;
    struct overlay_slot *slots; /* linear probing, backward shift */
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
    return view_hash(key, o->seed + (uint64_t)space);
}

struct overlay *overlay_new(const uint8_t seed[16])
{
    struct overlay *o = heap(1, sizeof *o);
    o->seed = get_u64(seed);
    o->slot_count = o->group_slot_count = SLOTS_FIRST;
    o->slots = heap(o->slot_count, sizeof *o->slots);
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
        free(o->slots[i].row);
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
    for (const struct overlay_slot *at; (at = &o->slots[i])->row; i = (i + 1) & (o->slot_count - 1))
        if (at->hash == hash && at->row->space == space && view_equal(at->row->key, key)) break;
    return i;
}

static void grow_slots(struct overlay *o)
{
    struct overlay_slot *old = o->slots;
    size_t old_count = o->slot_count;
    o->slot_count *= 2;
    o->slots = heap(o->slot_count, sizeof *o->slots);
    for (size_t i = 0; i < old_count; i++)
        if (old[i].row) o->slots[slot_of(o, old[i].hash, old[i].row->space, old[i].row->key)] = old[i];
    free(old);
}

/* Closes the hole at i: moves up whoever would not be found past it. */
static void slot_clear(struct overlay *o, size_t i)
{
    size_t mask = o->slot_count - 1;
    for (size_t k = (i + 1) & mask; o->slots[k].row; k = (k + 1) & mask) {
        size_t home = (size_t)o->slots[k].hash & mask;
        if (((k - home) & mask) < ((k - i) & mask)) continue;
        o->slots[i] = o->slots[k];
        i = k;
    }
    o->slots[i] = (struct overlay_slot){0};
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
    *g = (struct overlay_group){.next = *home, .hash = hash, .space = space, .ordered = true,
                                .start_len = (uint8_t)start.len, .rows = g->rows, .cap = g->cap};
    memcpy(g->start, start.at, start.len);
    *home = g;
    o->group_count++;
    return g;
}

static void group_resize(struct overlay_group *g, size_t cap)
{
    g->rows = realloc(g->rows, cap * sizeof(struct overlay_row *));
    ENSURE(g->rows != NULL);
    g->cap = cap;
}

static void group_add(struct overlay_group *g, struct overlay_row *row)
{
    if (g->end == g->cap) group_resize(g, g->cap ? g->cap * 2 : 8);
    if (g->live) g->ordered = g->ordered && key_order(g->rows[g->end - 1]->key, row->key) < 0;
    row->group = g;
    row->place = g->end;
    g->rows[g->end++] = row;
    g->live++;
}

static void group_close_up(struct overlay_group *g)
{
    size_t n = 0;
    for (size_t i = g->first; i < g->end; i++)
        if (g->rows[i]) {
            g->rows[n] = g->rows[i];
            g->rows[n]->place = n;
            n++;
        }
    g->first = 0;
    g->end = n;
    if (g->cap > GROUP_KEEPS && n < g->cap / 4) group_resize(g, g->cap / 2);
}

static void group_drop(struct overlay *o, struct overlay_group *g)
{
    struct overlay_group **link = group_slot(o, g->hash, g->space, view_of(g->start, g->start_len));
    *link = g->next;
    if (g->cap > GROUP_KEEPS) {
        free(g->rows);
        g->rows = NULL;
        g->cap = 0;
    }
    g->next = o->free_groups;
    o->free_groups = g;
    o->group_count--;
}

static void group_remove(struct overlay *o, struct overlay_row *row)
{
    struct overlay_group *g = row->group;
    g->rows[row->place] = NULL;
    g->live--;
    if (!g->live) {
        group_drop(o, g);
        return;
    }
    while (!g->rows[g->first])
        g->first++;
    while (!g->rows[g->end - 1])
        g->end--;
    if (g->end > 2 * g->live + 8) group_close_up(g);
}

static int by_key(const void *left, const void *right)
{
    const struct overlay_row *a = *(struct overlay_row *const *)left;
    const struct overlay_row *b = *(struct overlay_row *const *)right;
    return key_order(a->key, b->key);
}

static void group_sort(struct overlay_group *g)
{
    if (g->ordered && g->end - g->first == g->live) return;
    group_close_up(g);
    if (g->ordered) return;
    qsort(g->rows, g->end, sizeof(struct overlay_row *), by_key);
    for (size_t i = 0; i < g->end; i++)
        g->rows[i]->place = i;
    g->ordered = true;
}

/* ---- rows ---- */

struct overlay_row *overlay_find(const struct overlay *o, enum store_space space, struct view key)
{
    return o->row_count ? o->slots[slot_of(o, hash_of(o, space, key), space, key)].row : NULL;
}

struct overlay_row *overlay_add(struct overlay *o, enum store_space space, struct view key)
{
    if (2 * o->row_count >= o->slot_count) grow_slots(o);
    uint64_t hash = hash_of(o, space, key);
    struct overlay_slot *slot = &o->slots[slot_of(o, hash, space, key)];
    ENSURE(!slot->row);
    struct overlay_row *row = o->free_rows;
    if (row)
        o->free_rows = row->owner;
    else
        row = heap(1, sizeof *row);
    *row = (struct overlay_row){.space = space, .key = key, .hash = hash};
    *slot = (struct overlay_slot){hash, row};
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

/* The group's rows in [from, to). */
static struct overlay_range cut(struct overlay_group *g, struct view from, struct view to)
{
    group_sort(g);
    struct overlay_row *const *rows = g->rows + g->first;
    size_t first = lower_bound(rows, g->live, from);
    size_t end = to.len ? lower_bound(rows, g->live, to) : g->live;
    return (struct overlay_range){rows + first, end > first ? end - first : 0};
}

static struct view start_view(const struct overlay_group *g)
{
    return view_of(g->start, g->start_len);
}

/* Whether the group may have a row in [from, to). */
static bool may_reach(const struct overlay_group *g, struct view from, struct view to)
{
    struct view start = start_view(g);
    struct view head = view_of(from.at, from.len < start.len ? from.len : start.len);
    return key_order(start, head) >= 0 && (!to.len || key_order(start, to) < 0);
}

/* A heap whose first has the lowest start: moves what is at i down to its place. */
static void heap_sink(struct overlay_group **heap, size_t count, size_t i)
{
    struct overlay_group *g = heap[i];
    for (size_t k; (k = 2 * i + 1) < count; i = k) {
        if (k + 1 < count && key_order(start_view(heap[k + 1]), start_view(heap[k])) < 0) k++;
        if (key_order(start_view(g), start_view(heap[k])) <= 0) break;
        heap[i] = heap[k];
    }
    heap[i] = g;
}

/* Groups in the order of their starts have their rows in the order of keys: a key too short to share its
 * group stands before all that it begins. */
static struct overlay_range range_of_groups(const struct overlay *o, enum store_space space,
                                            struct view from, struct view to, size_t max,
                                            struct arena *a)
{
    struct overlay_group **heap = arena_array(a, o->group_count, sizeof(struct overlay_group *));
    struct overlay_row **rows = arena_array(a, max < o->row_count ? max : o->row_count,
                                            sizeof(struct overlay_row *));
    size_t left = 0, count = 0;
    for (size_t i = 0; i < o->group_slot_count; i++)
        for (struct overlay_group *g = o->groups[i]; g; g = g->next)
            if (g->space == space && may_reach(g, from, to)) heap[left++] = g;
    for (size_t i = left / 2; i-- > 0;)
        heap_sink(heap, left, i);
    while (left && count < max) {
        struct overlay_range part = cut(heap[0], from, to);
        for (size_t i = 0; i < part.count && count < max; i++)
            rows[count++] = part.rows[i];
        heap[0] = heap[--left];
        if (left) heap_sink(heap, left, 0);
    }
    return (struct overlay_range){rows, count};
}

struct overlay_range overlay_range(struct overlay *o, enum store_space space, struct view from,
                                   struct view to, size_t max, struct arena *a)
{
    if (!o->row_count || !max) return (struct overlay_range){NULL, 0};
    if (from.len < OVERLAY_GROUP_LEN || !within(start_of(from), to))
        return range_of_groups(o, space, from, to, max, a);
    struct view start = start_of(from);
    struct overlay_group *g = *group_slot(o, hash_of(o, space, start), space, start);
    if (!g) return (struct overlay_range){NULL, 0};
    struct overlay_range range = cut(g, from, to);
    if (range.count > max) range.count = max;
    return range;
}
