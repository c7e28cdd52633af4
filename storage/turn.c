/* turn: the read set and the overlay of one storage turn. One index serves both: an entry is first
 * wanted, then loaded, then perhaps changed; the batch is what ends up changed. */
#include "storage/turn.h"

#include <string.h>

void turn_begin(struct turn *t, uint64_t now_ms, struct term term, uint64_t commit)
{
    struct arena arena = t->arena;
    arena_reset(&arena);
    *t = (struct turn){.arena = arena, .now_ms = now_ms, .term = term, .commit = commit};
    t->slot_count = 256;
    t->slots = arena_array(&t->arena, t->slot_count, sizeof *t->slots);
}

void turn_fini(struct turn *t)
{
    arena_fini(&t->arena);
    *t = (struct turn){0};
}

static uint32_t *slot_of(const struct turn *t, uint64_t hash, enum store_space space,
                         struct view key)
{
    size_t slot = (size_t)hash & (t->slot_count - 1);
    for (; t->slots[slot]; slot = (slot + 1) & (t->slot_count - 1)) {
        const struct turn_entry *e = &t->entries[t->slots[slot] - 1];
        if (e->hash == hash && e->space == space && view_equal(e->key, key)) break;
    }
    return &t->slots[slot];
}

static void grow_slots(struct turn *t)
{
    t->slot_count *= 4;
    t->slots = arena_array(&t->arena, t->slot_count, sizeof *t->slots);
    for (size_t i = 0; i < t->entry_count; i++) {
        const struct turn_entry *e = &t->entries[i];
        *slot_of(t, e->hash, e->space, e->key) = (uint32_t)i + 1;
    }
}

static void grow_entries(struct turn *t)
{
    size_t cap = t->entry_cap ? t->entry_cap * 2 : 128;
    struct turn_entry *entries = arena_alloc_raw(&t->arena, cap * sizeof *entries);
    if (t->entry_count) memcpy(entries, t->entries, t->entry_count * sizeof *entries);
    t->entries = entries;
    t->entry_cap = cap;
}

/* The entry of a key, made in state `fresh` where there was none; NULL where make is false. */
static struct turn_entry *entry_of(struct turn *t, enum store_space space, struct view key,
                                   bool make, enum turn_entry_state fresh)
{
    uint64_t hash = view_hash(key, (uint64_t)space);
    uint32_t *slot = slot_of(t, hash, space, key);
    if (*slot) return &t->entries[*slot - 1];
    if (!make) return NULL;
    if (t->entry_count == t->entry_cap) grow_entries(t);
    struct turn_entry *e = &t->entries[t->entry_count++];
    *e = (struct turn_entry){.space = space, .state = fresh, .hash = hash,
                             .key = arena_copy(&t->arena, key)};
    *slot = (uint32_t)t->entry_count;
    if (t->entry_count * 2 > t->slot_count) grow_slots(t);
    return e;
}

void turn_want(struct turn *t, enum store_space space, const struct store_key *key)
{
    entry_of(t, space, key_view(key), true, ENTRY_WANTED);
}

struct store_scan *turn_scan(struct turn *t, enum store_space space, const struct store_key *from,
                             const struct store_key *to, size_t row_max, size_t byte_max)
{
    if (t->scan_count == t->scan_cap) {
        size_t cap = t->scan_cap ? t->scan_cap * 2 : 16;
        struct store_scan **scans = arena_array(&t->arena, cap, sizeof *scans);
        if (t->scan_count) memcpy(scans, t->scans, t->scan_count * sizeof(struct store_scan *));
        t->scans = scans;
        t->scan_cap = cap;
    }
    struct store_scan *scan = arena_alloc(&t->arena, sizeof *scan);
    *scan = (struct store_scan){.space = space, .from = arena_copy(&t->arena, key_view(from)),
                                .to = arena_copy(&t->arena, key_view(to)), .row_max = row_max,
                                .byte_max = byte_max};
    t->scans[t->scan_count++] = scan;
    return scan;
}

/* One by one, after the bulk load met damage. */
static enum status load_each(struct turn *t, struct store *s, struct store_read *reads, size_t count)
{
    static const uint8_t unreadable = 0;
    for (size_t i = 0; i < count; i++) {
        enum status status = store_load(s, &reads[i], 1, &t->arena);
        if (status == STATUS_IO) return status;
        if (status == STATUS_OK) continue;
        reads[i].value = view_of(&unreadable, 0);
        t->damage_count++;
    }
    return STATUS_OK;
}

static enum status load_entries(struct turn *t, struct store *s)
{
    size_t first = t->loaded_count, count = 0;
    struct store_read *reads = arena_array(&t->arena, t->entry_count - first, sizeof *reads);
    for (size_t i = first; i < t->entry_count; i++)
        if (t->entries[i].state == ENTRY_WANTED)
            reads[count++] = (struct store_read){.space = t->entries[i].space,
                                                 .key = t->entries[i].key};
    enum status status = store_load(s, reads, count, &t->arena);
    if (status == STATUS_DAMAGED) status = load_each(t, s, reads, count);
    if (status != STATUS_OK) return status;
    count = 0;
    for (size_t i = first; i < t->entry_count; i++) {
        if (t->entries[i].state != ENTRY_WANTED) continue;
        t->entries[i].value = reads[count++].value;
        t->entries[i].state = ENTRY_LOADED;
    }
    t->loaded_count = t->entry_count;
    return STATUS_OK;
}

static enum status run_scan(struct turn *t, struct store *s, struct store_scan *scan)
{
    enum status status = store_scan(s, scan, &t->arena);
    if (status != STATUS_DAMAGED) return status;
    scan->damaged = true;
    scan->rows = NULL;
    scan->row_count = 0;
    scan->more = false;
    t->damage_count++;
    return STATUS_OK;
}

bool turn_wants(const struct turn *t)
{
    bool wanted = t->scan_count > 0;
    for (size_t i = t->loaded_count; i < t->entry_count && !wanted; i++)
        wanted = t->entries[i].state == ENTRY_WANTED;
    return wanted;
}

enum status turn_load(struct turn *t, struct store *s)
{
    ENSURE(!t->blind || !turn_wants(t));
    enum status status = t->status == STATUS_OK ? load_entries(t, s) : t->status;
    for (size_t i = 0; i < t->scan_count && status == STATUS_OK; i++)
        status = run_scan(t, s, t->scans[i]);
    t->scan_count = 0;
    t->status = status;
    return status;
}

struct view turn_get(struct turn *t, enum store_space space, const struct store_key *key)
{
    const struct turn_entry *e = entry_of(t, space, key_view(key), false, ENTRY_WANTED);
    ENSURE(e && (e->state != ENTRY_WANTED || t->status != STATUS_OK));
    return e->value;
}

bool turn_knows(struct turn *t, enum store_space space, const struct store_key *key)
{
    return entry_of(t, space, key_view(key), false, ENTRY_WANTED) != NULL;
}

bool turn_changed(struct turn *t, enum store_space space, const struct store_key *key)
{
    const struct turn_entry *e = entry_of(t, space, key_view(key), false, ENTRY_WANTED);
    return e && e->state >= ENTRY_NOTED;
}

static void change(struct turn *t, enum store_space space, const struct store_key *key,
                   enum turn_entry_state state, struct view value)
{
    struct turn_entry *e = entry_of(t, space, key_view(key), true, state);
    e->state = state;
    e->value = value;
}

void turn_put(struct turn *t, enum store_space space, const struct store_key *key,
              struct view value)
{
    change(t, space, key, ENTRY_PUT, value);
}

void turn_note(struct turn *t, enum store_space space, const struct store_key *key,
               struct view value)
{
    change(t, space, key, ENTRY_NOTED, value);
}

void turn_remove(struct turn *t, enum store_space space, const struct store_key *key)
{
    change(t, space, key, ENTRY_REMOVED, view_of(NULL, 0));
}

void turn_put_new(struct turn *t, enum store_space space, const struct store_key *key,
                  struct view head, struct view body)
{
    store_batch_put(&t->batch, &t->arena, space, arena_copy(&t->arena, key_view(key)), head, body);
}

void turn_put_brief(struct turn *t, enum store_space space, const struct store_key *key,
                    struct view head, struct view body)
{
    store_batch_put_brief(&t->batch, &t->arena, space, arena_copy(&t->arena, key_view(key)), head,
                          body);
}

void turn_remove_blind(struct turn *t, enum store_space space, const struct store_key *key)
{
    store_batch_delete(&t->batch, &t->arena, space, arena_copy(&t->arena, key_view(key)));
}

bool turn_changes(const struct turn *t)
{
    if (t->batch.op_count) return true;
    for (size_t i = 0; i < t->entry_count; i++)
        if (t->entries[i].state == ENTRY_PUT || t->entries[i].state == ENTRY_REMOVED) return true;
    return false;
}

void turn_seal(struct turn *t)
{
    for (size_t i = 0; i < t->entry_count; i++) {
        const struct turn_entry *e = &t->entries[i];
        if (e->state == ENTRY_PUT)
            store_batch_put(&t->batch, &t->arena, e->space, e->key, e->value, view_of(NULL, 0));
        else if (e->state == ENTRY_REMOVED)
            store_batch_delete(&t->batch, &t->arena, e->space, e->key);
    }
}
