/* addresses: a fixed pool of entries, one hash chain per bucket, and a list of the idle ones by age.
 * Invariants: an entry is in the idle list exactly while it has no connections; a new address takes an
 * unused entry, else the oldest idle one. No decisions: guard.c's. */
#include "broker/addresses.h"

#include "broker/wire/bytes.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(crypto_shorthash_KEYBYTES == 16 && crypto_shorthash_BYTES == 8, "SipHash-2-4");

void addresses_init(struct addresses *a, uint32_t connections_max, const uint8_t seed[16])
{
    uint32_t buckets = 1, capacity = connections_max + ADDRESSES_BESIDES;
    while (buckets < capacity)
        buckets *= 2;
    *a = (struct addresses){.capacity = capacity, .bucket_mask = buckets - 1};
    memcpy(a->seed, seed, sizeof a->seed);
    a->entries = calloc(capacity, sizeof *a->entries);
    a->buckets = calloc(buckets, sizeof *a->buckets);
    ENSURE(a->entries && a->buckets);
}

void addresses_fini(struct addresses *a)
{
    free(a->entries);
    free(a->buckets);
    *a = (struct addresses){0};
}

static uint32_t *bucket_of(const struct addresses *a, struct peer_address address)
{
    uint8_t hash[8];
    crypto_shorthash(hash, address.bytes, sizeof address.bytes, a->seed);
    return &a->buckets[get_u32(hash) & a->bucket_mask];
}

static struct address_entry *at(const struct addresses *a, uint32_t number)
{
    return number ? &a->entries[number - 1] : NULL;
}

static uint32_t number_of(const struct addresses *a, const struct address_entry *entry)
{
    return (uint32_t)(entry - a->entries) + 1;
}

static void idle_remove(struct addresses *a, struct address_entry *entry)
{
    *(entry->older ? &at(a, entry->older)->newer : &a->oldest) = entry->newer;
    *(entry->newer ? &at(a, entry->newer)->older : &a->newest) = entry->older;
    entry->older = entry->newer = 0;
}

static void idle_add(struct addresses *a, struct address_entry *entry)
{
    entry->older = a->newest;
    entry->newer = 0;
    *(a->newest ? &at(a, a->newest)->newer : &a->oldest) = number_of(a, entry);
    a->newest = number_of(a, entry);
}

static struct address_entry *find(const struct addresses *a, struct peer_address address)
{
    struct address_entry *entry = at(a, *bucket_of(a, address));
    while (entry && memcmp(&entry->address, &address, sizeof address) != 0)
        entry = at(a, entry->chain);
    return entry;
}

static struct address_entry *oldest_take(struct addresses *a)
{
    struct address_entry *entry = at(a, a->oldest);
    ENSURE(entry != NULL); /* there are more entries than connections */
    uint32_t *link = bucket_of(a, entry->address), number = number_of(a, entry);
    while (*link != number) {
        ENSURE(*link != 0);
        link = &at(a, *link)->chain;
    }
    *link = entry->chain;
    idle_remove(a, entry);
    return entry;
}

struct address_entry *address_connect(struct addresses *a, struct peer_address address)
{
    struct address_entry *entry = find(a, address);
    if (entry) {
        if (!entry->connections) idle_remove(a, entry);
    } else {
        entry = a->used < a->capacity ? &a->entries[a->used++] : oldest_take(a);
        uint32_t *bucket = bucket_of(a, address);
        *entry = (struct address_entry){.address = address, .chain = *bucket};
        *bucket = number_of(a, entry);
    }
    entry->connections++;
    return entry;
}

void address_leave(struct addresses *a, struct address_entry *entry)
{
    ENSURE(entry->connections > 0);
    if (--entry->connections == 0) idle_add(a, entry);
}

bool address_banned(const struct address_entry *entry, uint64_t now_ms)
{
    return !entry->own && now_ms < entry->banned_until_ms;
}

bool address_offend(struct address_entry *entry, uint64_t now_ms)
{
    if (now_ms - entry->window_ms >= OFFENCES_WINDOW_MS) {
        entry->window_ms = now_ms;
        entry->offences = 0;
    }
    if (++entry->offences < OFFENCES_MAX || entry->own || address_banned(entry, now_ms))
        return false;
    entry->banned_until_ms = now_ms + BAN_MS;
    return true;
}
