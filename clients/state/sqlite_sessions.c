/* sqlite_sessions: sessions with other devices, the message keys kept in them, and counters, in SQLite. Invariant:
 * outputs are set only by a row that followed its format whole. */
#include "clients/state/sqlite_call.h"

#include <sodium.h>
#include <string.h>

/* The key of a session's sealed column is its number, so a new one gets that first. */
static enum status session_add(struct state *s, struct state_session *in)
{
    struct call c = call_begin(s, STATEMENT_SESSION_ADD);
    bind_bytes(&c, in->peer.bytes, sizeof in->peer.bytes);
    bind_u64(&c, in->rank);
    bind_u64(&c, in->retired);
    bind_u64(&c, in->made_ms);
    enum status status = call_run(&c, NULL);
    if (status == STATUS_OK)
        in->number = (uint64_t)sqlite3_last_insert_rowid(((struct sqlite_state *)s)->db);
    return status;
}

static enum status session_set(struct state *s, const struct state_session *in)
{
    uint8_t bytes[SESSION_LEN], key[8];
    size_t changes;
    session_write(&in->session, bytes);
    put_u64(key, in->number);
    struct call c = call_begin(s, STATEMENT_SESSION_SET);
    bind_bytes(&c, in->peer.bytes, sizeof in->peer.bytes);
    bind_u64(&c, in->rank);
    bind_u64(&c, in->retired);
    bind_u64(&c, in->made_ms);
    bind_sealed(&c, "session.session", view_of(key, sizeof key), view_of(bytes, sizeof bytes));
    bind_u64(&c, in->number);
    enum status status = call_run(&c, &changes);
    sodium_memzero(bytes, sizeof bytes);
    return status == STATUS_OK && changes == 0 ? STATUS_NOT_FOUND : status;
}

enum status sqlite_session_put(struct state *s, struct state_session *in)
{
    if (in->number) return session_set(s, in);
    enum status status = session_add(s, in);
    if (status == STATUS_OK) status = session_set(s, in);
    if (status != STATUS_OK) in->number = 0;
    return status;
}

static void session_row_read(struct call *c, struct state_session *out)
{
    uint8_t bytes[SESSION_LEN], key[8];
    memset(out, 0, sizeof *out);
    out->number = column_u64(c);
    column_bytes(c, out->peer.bytes, sizeof out->peer.bytes);
    out->rank = column_u64(c);
    out->retired = column_bool(c);
    out->made_ms = column_u64(c);
    put_u64(key, out->number);
    column_sealed(c, "session.session", view_of(key, sizeof key), bytes, sizeof bytes);
    if (session_read(view_of(bytes, sizeof bytes), &out->session) != STATUS_OK) call_damaged(c);
    sodium_memzero(bytes, sizeof bytes);
}

enum status sqlite_session_scan(struct state *s, struct session_scan *scan)
{
    struct call c = call_begin(s, STATEMENT_SESSION_SCAN);
    bind_bytes(&c, scan->peer.bytes, sizeof scan->peer.bytes);
    bind_u64(&c, STATE_SESSIONS_MAX);
    while (scan->count < STATE_SESSIONS_MAX && call_step(&c))
        session_row_read(&c, &scan->rows[scan->count++]);
    enum status status = call_end(&c);
    if (status != STATUS_OK) {
        sodium_memzero(scan->rows, STATE_SESSIONS_MAX * sizeof scan->rows[0]);
        scan->count = 0;
    }
    return status;
}

enum status sqlite_session_drop(struct state *s, uint64_t number)
{
    struct call c = call_begin(s, STATEMENT_SESSION_DROP);
    bind_u64(&c, number);
    return call_run(&c, NULL);
}

enum status sqlite_sessions_retire(struct state *s)
{
    struct call c = call_begin(s, STATEMENT_SESSIONS_RETIRE);
    return call_run(&c, NULL);
}

/* ---- message keys ---- */

/* The key of a row's sealed column: session ‖ ratchet key ‖ number. */
struct skipped_key {
    uint8_t bytes[48];
};

static struct skipped_key skipped_key(uint64_t session, const struct ratchet_pk *key, uint32_t number)
{
    struct skipped_key out;
    put_u64(out.bytes, session);
    memcpy(out.bytes + 8, key->bytes, 32);
    put_u64(out.bytes + 40, number);
    return out;
}

static struct call skipped_begin(struct state *s, enum statement which, uint64_t session, const struct ratchet_pk *key,
                                 uint32_t number)
{
    struct call c = call_begin(s, which);
    bind_u64(&c, session);
    bind_bytes(&c, key->bytes, sizeof key->bytes);
    bind_u64(&c, number);
    return c;
}

enum status sqlite_skipped_put(struct state *s, uint64_t session, const struct skipped *in)
{
    struct skipped_key key = skipped_key(session, &in->key, in->number);
    struct call c = skipped_begin(s, STATEMENT_SKIPPED_PUT, session, &in->key, in->number);
    bind_sealed(&c, "skipped.secret", view_of(key.bytes, sizeof key.bytes),
                view_of(in->sk.bytes, sizeof in->sk.bytes));
    return call_run(&c, NULL);
}

enum status sqlite_skipped_get(struct state *s, uint64_t session, const struct ratchet_place *place,
                               struct message_sk *out)
{
    struct skipped_key key = skipped_key(session, &place->key, place->number);
    struct call c = skipped_begin(s, STATEMENT_SKIPPED_GET, session, &place->key, place->number);
    bool found = call_step(&c);
    if (found)
        column_sealed(&c, "skipped.secret", view_of(key.bytes, sizeof key.bytes), out->bytes, sizeof out->bytes);
    return take_end(&c, found, out, sizeof *out);
}

enum status sqlite_skipped_drop(struct state *s, uint64_t session, const struct ratchet_place *place)
{
    struct call c = skipped_begin(s, STATEMENT_SKIPPED_DROP, session, &place->key, place->number);
    return call_run(&c, NULL);
}

enum status sqlite_skipped_trim(struct state *s, uint64_t session, size_t keep)
{
    struct call c = call_begin(s, STATEMENT_SKIPPED_TRIM);
    bind_u64(&c, session);
    bind_u64(&c, keep);
    return call_run(&c, NULL);
}

/* ---- ephemeral keys ---- */

enum status sqlite_start_put(struct state *s, const struct prekey_pk *ephemeral, uint64_t made_ms)
{
    struct call c = call_begin(s, STATEMENT_START_PUT);
    bind_bytes(&c, ephemeral->bytes, sizeof ephemeral->bytes);
    bind_ordered(&c, made_ms);
    return call_run(&c, NULL);
}

enum status sqlite_start_known(struct state *s, const struct prekey_pk *ephemeral, bool *known)
{
    struct call c = call_begin(s, STATEMENT_START_GET);
    bind_bytes(&c, ephemeral->bytes, sizeof ephemeral->bytes);
    *known = call_step(&c);
    return call_end(&c);
}

enum status sqlite_start_prune(struct state *s, uint64_t before_ms)
{
    struct call c = call_begin(s, STATEMENT_START_PRUNE);
    bind_ordered(&c, before_ms);
    return call_run(&c, NULL);
}

/* ---- counters ---- */

enum status sqlite_counter_get(struct state *s, enum state_counter kind, struct view key, uint64_t *out)
{
    struct call c = call_begin(s, STATEMENT_COUNTER_GET);
    bind_u64(&c, kind);
    bind_view(&c, key);
    if (call_step(&c)) *out = column_u64(&c);
    enum status status = call_end(&c);
    if (status != STATUS_OK) *out = 0;
    return status;
}

enum status sqlite_counter_put(struct state *s, enum state_counter kind, struct view key, uint64_t value)
{
    struct call c = call_begin(s, STATEMENT_COUNTER_PUT);
    bind_u64(&c, kind);
    bind_view(&c, key);
    bind_u64(&c, value);
    return call_run(&c, NULL);
}
