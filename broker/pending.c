/* pending: the table behind step 2 of an envelope's way (submit): who waits for which answer.
 * Entries are numbered from 1 so that zeroed lists are empty lists. Invariants: an entry is in the
 * hash and in its worker's list, and in its asker's list unless orphaned; a key is there once. */
#include "broker/pending.h"

#include <stdlib.h>
#include <string.h>

void pendings_init(struct pendings *p, uint32_t capacity)
{
    uint32_t buckets = 1;
    while (buckets < capacity)
        buckets *= 2;
    *p = (struct pendings){.capacity = capacity, .bucket_mask = buckets - 1, .free = 1};
    p->entries = calloc(capacity, sizeof *p->entries);
    p->buckets = calloc(buckets, sizeof *p->buckets);
    ENSURE(capacity > 0 && p->entries && p->buckets);
    for (uint32_t i = 0; i + 1 < capacity; i++)
        p->entries[i].hash_next = i + 2;
}

void pendings_fini(struct pendings *p)
{
    free(p->entries);
    free(p->buckets);
    *p = (struct pendings){0};
}

static struct pending *entry_at(const struct pendings *p, uint32_t number)
{
    return number ? &p->entries[number - 1] : NULL;
}

static uint32_t number_of(const struct pendings *p, const struct pending *entry)
{
    return (uint32_t)(entry - p->entries) + 1;
}

static uint32_t *bucket_of(const struct pendings *p, const struct pending_key *key)
{
    uint64_t h = (key->conn + (uint64_t)key->origin) * 0x9e3779b97f4a7c15ull;
    h = (h ^ key->correlation) * 0xd6e8feb86659fd93ull;
    return &p->buckets[(uint32_t)(h >> 32) & p->bucket_mask];
}

static bool key_equal(const struct pending_key *a, const struct pending_key *b)
{
    return a->correlation == b->correlation && a->conn == b->conn && a->origin == b->origin;
}

static void list_append(struct pendings *p, struct pending *entry, enum pending_side side,
                        struct pending_list *list)
{
    uint32_t number = number_of(p, entry);
    entry->lists[side] = list;
    entry->links[side] = (struct pending_link){.before = list->last, .after = 0};
    if (list->last)
        entry_at(p, list->last)->links[side].after = number;
    else
        list->first = number;
    list->last = number;
    list->count++;
    list->bytes += entry->frame_len;
}

static void list_unlink(struct pendings *p, struct pending *entry, enum pending_side side)
{
    struct pending_list *list = entry->lists[side];
    struct pending_link link = entry->links[side];
    if (!list) return;
    if (link.before)
        entry_at(p, link.before)->links[side].after = link.after;
    else
        list->first = link.after;
    if (link.after)
        entry_at(p, link.after)->links[side].before = link.before;
    else
        list->last = link.before;
    list->count--;
    list->bytes -= entry->frame_len;
    entry->lists[side] = NULL;
}

enum status pending_add(struct pendings *p, const struct pending_key *key,
                        const struct frame_header *header, struct view frame, uint64_t sent_ms,
                        struct pending_list *asker, struct pending_list *worker)
{
    if (pending_find(p, key)) return STATUS_STATE;
    if (p->count == p->capacity) return STATUS_FULL;
    uint32_t number = p->free, *bucket = bucket_of(p, key);
    struct pending *entry = entry_at(p, number);
    p->free = entry->hash_next;
    *entry = (struct pending){.key = *key, .sent_ms = sent_ms, .hash_next = *bucket,
                              .frame_len = (uint32_t)frame.len, .home = header->home,
                              .kind = header->kind};
    *bucket = number;
    list_append(p, entry, BY_ASKER, asker);
    list_append(p, entry, BY_WORKER, worker);
    p->count++;
    return STATUS_OK;
}

struct pending *pending_find(const struct pendings *p, const struct pending_key *key)
{
    struct pending *entry = entry_at(p, *bucket_of(p, key));
    while (entry && !key_equal(&entry->key, key))
        entry = entry_at(p, entry->hash_next);
    return entry;
}

struct pending *pending_first(const struct pendings *p, const struct pending_list *list)
{
    return entry_at(p, list->first);
}

void pending_remove(struct pendings *p, struct pending *entry)
{
    uint32_t number = number_of(p, entry), *at = bucket_of(p, &entry->key);
    while (*at != number) {
        ENSURE(*at != 0);
        at = &entry_at(p, *at)->hash_next;
    }
    *at = entry->hash_next;
    list_unlink(p, entry, BY_ASKER);
    list_unlink(p, entry, BY_WORKER);
    entry->hash_next = p->free;
    p->free = number;
    p->count--;
}

void pending_orphan(struct pendings *p, struct pending_list *asker)
{
    while (asker->first)
        list_unlink(p, entry_at(p, asker->first), BY_ASKER);
}
