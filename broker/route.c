/* route: workers, stores and the map. Part of steps 2 and 5 of an envelope's way. Not here:
 * sending, pending requests' answers. Invariants: a store's term never falls; at most one worker
 * holds a store; state changes only in move(); the map's version rises with every change of it. */
#include "broker/route.h"

#include <string.h>

/* Entries are the next state + 1, so that unlisted pairs (0) are not possible. */
#define TO(state) (WORKER_##state + 1)
static const uint8_t moves[WORKER_STATES][WORKER_EVENTS] = {
    [WORKER_FREE] = {[WORKER_READIES] = TO(LIVE)},
    [WORKER_LIVE] = {[WORKER_READIES] = TO(LIVE), [WORKER_LEAVES] = TO(LEAVING),
                     [WORKER_OUTRANKED] = TO(FENCED), [WORKER_VANISHES] = TO(FREE)},
    [WORKER_LEAVING] = {[WORKER_OUTRANKED] = TO(FENCED), [WORKER_VANISHES] = TO(FREE)},
    [WORKER_FENCED] = {[WORKER_READIES] = TO(LIVE), [WORKER_VANISHES] = TO(FREE)},
};

static bool can_move(const struct worker *w, enum worker_event event)
{
    return moves[w->state][event] != 0;
}

static void move(struct worker *w, enum worker_event event)
{
    ENSURE(can_move(w, event));
    w->state = (enum worker_state)(moves[w->state][event] - 1);
}

void route_init(struct route *r, uint64_t map_version)
{
    memset(r, 0, sizeof *r);
    r->map = (struct msg_map){.version = map_version, .ranges = r->ranges};
}

void route_fini(struct route *r)
{
    for (uint32_t i = 0; i < WORKERS_MAX; i++)
        buffer_fini(&r->workers[i].slab);
}

struct worker *route_by_peer(struct route *r, uint64_t peer)
{
    for (uint32_t i = 0; i < WORKERS_MAX; i++)
        if (r->workers[i].state != WORKER_FREE && r->workers[i].peer == peer) return &r->workers[i];
    return NULL;
}

struct worker *route_by_handle(struct route *r, uint64_t handle)
{
    uint32_t slot = (uint32_t)handle;
    if (slot >= WORKERS_MAX) return NULL;
    struct worker *w = &r->workers[slot];
    return w->state != WORKER_FREE && w->generation == handle >> 32 ? w : NULL;
}

uint64_t route_handle(const struct route *r, const struct worker *w)
{
    return (uint64_t)w->generation << 32 | (uint32_t)(w - r->workers);
}

static struct worker *free_worker(struct route *r)
{
    for (uint32_t i = 0; i < WORKERS_MAX; i++)
        if (r->workers[i].state == WORKER_FREE) return &r->workers[i];
    return NULL;
}

static bool owns_any(const struct route *r, const struct store_owner *store)
{
    uint8_t number = (uint8_t)(store - r->stores + 1);
    return memchr(r->owner, number, sizeof r->owner) != NULL;
}

/* A store that nobody holds and that owns nothing may be forgotten for a new one. */
static struct store_owner *store_of(struct route *r, struct store_id id)
{
    struct store_owner *room = NULL;
    for (uint32_t i = 0; i < STORES_MAX; i++) {
        struct store_owner *store = &r->stores[i];
        if (store->used && memcmp(store->id.bytes, id.bytes, sizeof id.bytes) == 0) return store;
        if (!room && (!store->used || (!store->worker && !owns_any(r, store)))) room = store;
    }
    return room;
}

static bool same_store(const struct store_owner *store, struct store_id id)
{
    return store->used && memcmp(store->id.bytes, id.bytes, sizeof id.bytes) == 0;
}

static bool same_boot(const struct worker *w, struct boot_id boot)
{
    return memcmp(w->boot.bytes, boot.bytes, sizeof boot.bytes) == 0;
}

static bool ready_possible(const struct msg_ready *m)
{
    if (m->role == ROLE_FANOUT || m->role == ROLE_OPS) return true;
    static const struct store_id no_store;
    static const struct term no_term;
    return m->role == ROLE_STORAGE && m->first <= m->last && m->last < PARTITION_COUNT &&
           memcmp(&m->store, &no_store, sizeof no_store) != 0 && !term_equal(m->term, no_term);
}

/* Whether another store that is still held by a live process has some of these partitions. */
static bool claimed_elsewhere(const struct route *r, const struct msg_ready *m, uint8_t number)
{
    for (uint32_t p = m->first; p <= m->last; p++) {
        uint8_t owner = r->owner[p];
        if (owner && owner != number && r->stores[owner - 1].worker) return true;
    }
    return false;
}

static void map_rebuild(struct route *r, uint64_t wall_ms)
{
    size_t count = 0;
    for (uint32_t p = 0; p < PARTITION_COUNT; p++) {
        if (!r->owner[p]) continue;
        const struct store_owner *store = &r->stores[r->owner[p] - 1];
        if (p && r->owner[p] == r->owner[p - 1]) {
            r->ranges[count - 1].last = p;
            continue;
        }
        if (count == MAP_RANGES_MAX) break; /* a shredded map is told in part; routing is whole */
        r->ranges[count++] = (struct msg_range){p, p, store->id, store->term};
    }
    r->map.range_count = count;
    r->map.version = r->map.version + 1 > wall_ms ? r->map.version + 1 : wall_ms;
}

/* Gives the store exactly these partitions; true when that changed anything. */
static bool partitions_take(struct route *r, const struct msg_ready *m, uint8_t number)
{
    bool changed = false;
    for (uint32_t p = 0; p < PARTITION_COUNT; p++) {
        bool inside = p >= m->first && p <= m->last;
        if (inside == (r->owner[p] == number)) continue;
        r->owner[p] = inside ? number : 0;
        changed = true;
    }
    return changed;
}

static void worker_begin(struct worker *w, uint64_t peer, const struct msg_ready *m)
{
    uint32_t generation = w->generation + 1;
    struct buffer slab = w->slab;
    buffer_clear(&slab);
    *w = (struct worker){.state = w->state, .generation = generation, .peer = peer,
                         .role = (enum slab_role)m->role, .boot = m->boot, .slab = slab};
}

static void store_begin(struct store_owner *store, const struct msg_ready *m)
{
    if (!same_store(store, m->store))
        *store = (struct store_owner){.used = true, .id = m->store};
    else if (!term_equal(store->term, m->term))
        store->before = store->witness;
    store->term = m->term;
}

static enum status storage_ready(struct route *r, struct now now, const struct msg_ready *m,
                                 struct worker *w, struct worker **displaced)
{
    struct store_owner *store = store_of(r, m->store);
    if (!store) return STATUS_FULL;
    uint8_t number = (uint8_t)(store - r->stores + 1);
    bool known = same_store(store, m->store);
    int order = known ? term_compare(m->term, store->term) : 1;
    struct worker *old = known && store->worker != w ? store->worker : NULL;
    if (order < 0 || (order == 0 && old && !same_boot(old, m->boot))) return STATUS_REFUSED;
    if (claimed_elsewhere(r, m, number)) return STATUS_REFUSED;
    if (w->store && w->store != store) return STATUS_MALFORMED; /* one store per connection */
    if (old) old->store = NULL;
    if (old && order > 0) move(old, WORKER_OUTRANKED);
    *displaced = old;
    store_begin(store, m);
    store->worker = w;
    w->store = store;
    w->store_id = m->store;
    w->term = m->term;
    if (partitions_take(r, m, number) || order > 0) map_rebuild(r, now.wall_ms);
    return STATUS_OK;
}

enum status route_ready(struct route *r, struct now now, uint64_t peer, const struct msg_ready *m,
                        struct worker **out, struct worker **displaced)
{
    *out = NULL;
    *displaced = NULL;
    if (!ready_possible(m)) return STATUS_MALFORMED;
    struct worker *w = route_by_peer(r, peer);
    if (w && (!same_boot(w, m->boot) || w->role != m->role)) return STATUS_MALFORMED;
    bool repeated = w != NULL;
    if (!w) w = free_worker(r);
    if (!w) return STATUS_FULL;
    if (!can_move(w, WORKER_READIES)) return STATUS_REFUSED;
    if (!repeated) worker_begin(w, peer, m);
    if (m->role == ROLE_STORAGE) {
        enum status s = storage_ready(r, now, m, w, displaced);
        if (s != STATUS_OK) return s;
    }
    move(w, WORKER_READIES);
    w->heard_ms = now.mono_ms;
    w->credit = m->credit;
    w->stale_told = false;
    *out = w;
    return STATUS_OK;
}

static int witness_compare(const struct witness *a, const struct witness *b)
{
    int order = term_compare(a->term, b->term);
    if (order) return order;
    return a->commit < b->commit ? -1 : a->commit > b->commit;
}

enum status route_heard(struct worker *w, struct now now, const struct slab_header *header)
{
    if (header->role != w->role || !same_boot(w, header->boot)) return STATUS_REFUSED;
    if (w->state == WORKER_FENCED) return STATUS_REFUSED;
    if (w->store && !term_equal(header->term, w->store->term)) return STATUS_REFUSED;
    w->heard_ms = now.mono_ms;
    if (!w->store) return STATUS_OK;
    w->store->relay_ms = header->relay_ms;
    w->store->relay_at_ms = now.mono_ms;
    struct witness seen = {header->term, header->commit};
    if (witness_compare(&seen, &w->store->witness) > 0) w->store->witness = seen;
    return STATUS_OK;
}

void route_leaving(struct worker *w)
{
    if (can_move(w, WORKER_LEAVES)) move(w, WORKER_LEAVES);
}

void route_drop(struct worker *w)
{
    ENSURE(w->assigned.count == 0 && w->asked.count == 0);
    move(w, WORKER_VANISHES);
    if (w->store) w->store->worker = NULL;
    w->store = NULL;
    buffer_fini(&w->slab);
}

struct worker *route_notified(struct route *r, uint16_t home)
{
    uint8_t owner = r->owner[home];
    return owner ? r->stores[owner - 1].worker : NULL;
}

static bool askable(const struct worker *w, struct now now)
{
    return w->state == WORKER_LIVE && now.mono_ms - w->heard_ms < WORKER_STALE_MS;
}

struct worker *route_owner(struct route *r, uint16_t home, struct now now)
{
    struct worker *w = route_notified(r, home);
    return w && askable(w, now) ? w : NULL;
}

uint64_t route_relay_ms(const struct route *r, struct now now)
{
    for (uint32_t i = 0; i < STORES_MAX; i++) {
        const struct store_owner *o = &r->stores[i];
        if (o->relay_at_ms && o->relay_ms) return o->relay_ms + (now.mono_ms - o->relay_at_ms);
    }
    return now.wall_ms;
}

struct worker *route_any_store(struct route *r, struct now now)
{
    for (uint32_t i = 0; i < STORES_MAX; i++) {
        struct worker *w = r->stores[i].worker;
        if (w && askable(w, now)) return w;
    }
    return NULL;
}

bool route_owns(const struct route *r, const struct worker *w, uint16_t home)
{
    uint8_t owner = r->owner[home];
    return owner && r->stores[owner - 1].worker == w;
}
