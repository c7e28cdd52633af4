/* memory_sessions: sessions with other devices, the message keys kept in them, and counters, in the memory backend.
 * Invariant: a PEER row exists for each session, and for each SKIPPED row one of SKIPPED_KEY. */
#include "clients/state/memory_rows.h"

#include <string.h>

/* Behind all of the peer's sessions with a higher rank. */
static struct key peer_key(const struct state_session *row)
{
    struct key k = key_bytes(T_PEER, row->peer.bytes, sizeof row->peer.bytes);
    key_add_u64(&k, ~row->rank);
    key_add_u64(&k, ~row->number);
    return k;
}

enum status memory_session_put(struct state *s, struct state_session *in)
{
    struct memory *m = memory_of(s);
    struct key at = key_u64(T_SESSION, in->number);
    struct state_session old;
    if (memory_fails(m)) return STATUS_IO;
    if (in->number) {
        if (!memory_get(m, &at, &old, sizeof old)) return STATUS_NOT_FOUND;
        struct key peer = peer_key(&old);
        memory_drop(m, &peer);
    } else {
        in->number = memory_order_next(m, T_SESSION);
        at = key_u64(T_SESSION, in->number);
    }
    struct key peer = peer_key(in);
    memory_put(m, &at, in, sizeof *in);
    memory_put(m, &peer, &in->number, sizeof in->number);
    return STATUS_OK;
}

enum status memory_session_scan(struct state *s, struct session_scan *scan)
{
    struct memory *m = memory_of(s);
    struct key from = key_bytes(T_PEER, scan->peer.bytes, sizeof scan->peer.bytes);
    struct view key, value;
    size_t prefix = from.len;
    if (memory_fails(m)) return STATUS_IO;
    while (scan->count < STATE_SESSIONS_MAX && memory_seek(m, &from, &key, &value)) {
        uint64_t number;
        if (memcmp(key.at, from.bytes, prefix) != 0) break;
        memcpy(&number, value.at, sizeof number);
        struct key at = key_u64(T_SESSION, number);
        from.len = 0;
        key_add(&from, key.at, key.len);
        key_add(&from, "", 1); /* the next key there can be */
        ENSURE(memory_get(m, &at, &scan->rows[scan->count++], sizeof scan->rows[0]));
    }
    return STATUS_OK;
}

/* ---- message keys ---- */

static struct key skipped_key(uint64_t session, const struct ratchet_pk *key, uint32_t number)
{
    struct key k = key_u64(T_SKIPPED, session);
    key_add(&k, key->bytes, sizeof key->bytes);
    key_add_u64(&k, number);
    return k;
}

static struct key ordered_key(uint64_t session, uint64_t order)
{
    struct key k = key_u64(T_SKIPPED_KEY, session);
    key_add_u64(&k, order);
    return k;
}

static void skipped_remove(struct memory *m, uint64_t session, const struct ratchet_pk *ratchet, uint32_t number)
{
    struct key k = skipped_key(session, ratchet, number);
    uint64_t order;
    if (!memory_get(m, &k, &order, sizeof order)) return;
    struct key ordered = ordered_key(session, order);
    memory_drop(m, &k);
    memory_drop(m, &ordered);
}

enum status memory_skipped_put(struct state *s, uint64_t session, const struct skipped *in)
{
    struct memory *m = memory_of(s);
    if (memory_fails(m)) return STATUS_IO;
    skipped_remove(m, session, &in->key, in->number);
    uint64_t order = memory_order_next(m, T_SKIPPED);
    struct key k = skipped_key(session, &in->key, in->number), ordered = ordered_key(session, order);
    memory_put(m, &k, &order, sizeof order);
    memory_put(m, &ordered, in, sizeof *in);
    return STATUS_OK;
}

enum status memory_skipped_get(struct state *s, uint64_t session, const struct ratchet_place *place,
                               struct message_sk *out)
{
    struct memory *m = memory_of(s);
    struct key k = skipped_key(session, &place->key, place->number);
    struct skipped row;
    uint64_t order;
    if (memory_fails(m)) return STATUS_IO;
    if (!memory_get(m, &k, &order, sizeof order)) return STATUS_NOT_FOUND;
    struct key ordered = ordered_key(session, order);
    ENSURE(memory_get(m, &ordered, &row, sizeof row));
    *out = row.sk;
    return STATUS_OK;
}

enum status memory_skipped_drop(struct state *s, uint64_t session, const struct ratchet_place *place)
{
    if (memory_fails(memory_of(s))) return STATUS_IO;
    skipped_remove(memory_of(s), session, &place->key, place->number);
    return STATUS_OK;
}

static bool skipped_first(struct memory *m, uint64_t session, struct skipped *out)
{
    struct key from = key_u64(T_SKIPPED_KEY, session);
    struct view key, value;
    if (!memory_seek(m, &from, &key, &value) || memcmp(key.at, from.bytes, from.len) != 0) return false;
    memcpy(out, value.at, sizeof *out);
    return true;
}

static size_t skipped_count(struct memory *m, uint64_t session)
{
    struct key from = key_u64(T_SKIPPED_KEY, session), prefix = from;
    struct view key, value;
    size_t count = 0;
    while (memory_seek(m, &from, &key, &value) && memcmp(key.at, prefix.bytes, prefix.len) == 0) {
        from = ordered_key(session, key_tail(key) + 1);
        count++;
    }
    return count;
}

enum status memory_skipped_trim(struct state *s, uint64_t session, size_t keep)
{
    struct memory *m = memory_of(s);
    struct skipped row;
    if (memory_fails(m)) return STATUS_IO;
    for (size_t count = skipped_count(m, session); count > keep && skipped_first(m, session, &row); count--)
        skipped_remove(m, session, &row.key, row.number);
    return STATUS_OK;
}

enum status memory_session_drop(struct state *s, uint64_t number)
{
    struct memory *m = memory_of(s);
    struct key at = key_u64(T_SESSION, number);
    struct state_session old;
    struct skipped row;
    if (memory_fails(m)) return STATUS_IO;
    if (!memory_get(m, &at, &old, sizeof old)) return STATUS_OK;
    struct key peer = peer_key(&old);
    while (skipped_first(m, number, &row))
        skipped_remove(m, number, &row.key, row.number);
    memory_drop(m, &peer);
    memory_drop(m, &at);
    return STATUS_OK;
}

enum status memory_sessions_retire(struct state *s)
{
    struct memory *m = memory_of(s);
    struct key from = key_u64(T_SESSION, 0);
    struct view key, value;
    if (memory_fails(m)) return STATUS_IO;
    while (memory_seek(m, &from, &key, &value)) {
        struct key at = key_u64(T_SESSION, key_tail(key));
        struct state_session row;
        ENSURE(memory_get(m, &at, &row, sizeof row));
        row.retired = true;
        memory_put(m, &at, &row, sizeof row);
        from = key_u64(T_SESSION, row.number + 1);
    }
    return STATUS_OK;
}

/* ---- ephemeral keys ---- */

enum status memory_start_put(struct state *s, const struct prekey_pk *ephemeral, uint64_t made_ms)
{
    struct key k = key_bytes(T_START, ephemeral->bytes, sizeof ephemeral->bytes);
    if (memory_fails(memory_of(s))) return STATUS_IO;
    memory_put(memory_of(s), &k, &made_ms, sizeof made_ms);
    return STATUS_OK;
}

enum status memory_start_known(struct state *s, const struct prekey_pk *ephemeral, bool *known)
{
    struct key k = key_bytes(T_START, ephemeral->bytes, sizeof ephemeral->bytes);
    uint64_t made_ms;
    if (memory_fails(memory_of(s))) return STATUS_IO;
    *known = memory_get(memory_of(s), &k, &made_ms, sizeof made_ms);
    return STATUS_OK;
}

enum status memory_start_prune(struct state *s, uint64_t before_ms)
{
    struct memory *m = memory_of(s);
    struct key from = key_of(T_START);
    struct view key, value;
    if (memory_fails(m)) return STATUS_IO;
    while (memory_seek(m, &from, &key, &value)) {
        uint64_t made_ms;
        memcpy(&made_ms, value.at, sizeof made_ms);
        struct key at = {.len = 0};
        key_add(&at, key.at, key.len);
        from = at;
        key_add(&from, "", 1); /* the next key there can be */
        if (made_ms < before_ms) memory_drop(m, &at);
    }
    return STATUS_OK;
}

/* ---- counters ---- */

static struct key count_key(enum state_counter kind, struct view key)
{
    struct key k = key_u64(T_COUNT, kind);
    key_add(&k, key.at, key.len);
    return k;
}

enum status memory_counter_get(struct state *s, enum state_counter kind, struct view key, uint64_t *out)
{
    struct key k = count_key(kind, key);
    if (memory_fails(memory_of(s))) return STATUS_IO;
    (void)memory_get(memory_of(s), &k, out, sizeof *out);
    return STATUS_OK;
}

enum status memory_counter_put(struct state *s, enum state_counter kind, struct view key, uint64_t value)
{
    struct key k = count_key(kind, key);
    if (memory_fails(memory_of(s))) return STATUS_IO;
    memory_put(memory_of(s), &k, &value, sizeof value);
    return STATUS_OK;
}
