/* sqlite_call: how the backend talks to SQLite: statements are prepared once and kept,
 * parameters and columns go in order, and the first error of a call sticks until its end. What
 * the rows mean is in sqlite_rows.c and sqlite_outbox.c.
 * Invariants: a statement is reset and its bindings are cleared when its call ends, so nothing
 * borrowed outlives a call; after a failure in a transaction (SQLite may have rolled it back by
 * itself) no further statement runs until state_rollback, so nothing can commit on its own. */
#include "clients/state/sqlite_call.h"

#include <stdlib.h>
#include <string.h>

static const char *const STATEMENT_TEXTS[STATEMENT_COUNT] = {
#define X(NAME, text) [STATEMENT_##NAME] = text,
    STATEMENT_LIST(X)
#undef X
};

enum status sqlite_status(int result)
{
    switch (result & 0xff) {
    case SQLITE_OK:
        return STATUS_OK;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return STATUS_LOCKED;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
        return STATUS_DAMAGED;
    default:
        return STATUS_IO;
    }
}

static void call_fail(struct call *c, int result)
{
    if (c->status != STATUS_OK) return;
    c->status = sqlite_status(result);
    c->s->result = result;
    c->s->failed = true;
}

struct call call_begin(struct state *state, enum statement which)
{
    struct sqlite_state *s = (struct sqlite_state *)state;
    struct call c = {.s = s, .status = s->failed ? STATUS_IO : STATUS_OK};
    if (c.status != STATUS_OK) return c;
    if (s->statements[which] == NULL) {
        int result = sqlite3_prepare_v3(s->db, STATEMENT_TEXTS[which], -1,
                                        SQLITE_PREPARE_PERSISTENT, &s->statements[which], NULL);
        if (result != SQLITE_OK) call_fail(&c, result);
    }
    c.statement = s->statements[which];
    return c;
}

void bind_u64(struct call *c, uint64_t v)
{
    if (c->status != STATUS_OK) return;
    int64_t bits;
    memcpy(&bits, &v, sizeof bits);
    ENSURE(sqlite3_bind_int64(c->statement, ++c->bound, bits) == SQLITE_OK);
}

void bind_ordered(struct call *c, uint64_t v)
{
    uint8_t bytes[8];
    put_u64(bytes, v);
    if (c->status != STATUS_OK) return;
    int result = sqlite3_bind_blob64(c->statement, ++c->bound, bytes, 8, SQLITE_TRANSIENT);
    if (result != SQLITE_OK) call_fail(c, result);
}

void bind_bytes(struct call *c, const void *at, size_t len)
{
    if (c->status != STATUS_OK) return;
    /* A null pointer would bind NULL, not an empty blob. */
    int result =
        sqlite3_bind_blob64(c->statement, ++c->bound, len > 0 ? at : "", len, SQLITE_STATIC);
    if (result != SQLITE_OK) call_fail(c, result);
}

void bind_view(struct call *c, struct view v)
{
    bind_bytes(c, v.at, v.len);
}

void bind_null(struct call *c)
{
    if (c->status != STATUS_OK) return;
    ENSURE(sqlite3_bind_null(c->statement, ++c->bound) == SQLITE_OK);
}

bool call_step(struct call *c)
{
    if (c->status != STATUS_OK) return false;
    int result = sqlite3_step(c->statement);
    c->column = 0;
    if (result != SQLITE_ROW && result != SQLITE_DONE) call_fail(c, result);
    return result == SQLITE_ROW;
}

enum status call_end(struct call *c)
{
    if (c->statement != NULL) {
        sqlite3_reset(c->statement);
        sqlite3_clear_bindings(c->statement);
    }
    c->statement = NULL;
    return c->status;
}

enum status call_run(struct call *c, size_t *changes)
{
    while (call_step(c))
        ;
    if (changes != NULL) *changes = c->status == STATUS_OK ? (size_t)sqlite3_changes(c->s->db) : 0;
    return call_end(c);
}

void call_damaged(struct call *c)
{
    call_fail(c, SQLITE_CORRUPT);
}

/* The next column, when it has the wanted type. */
static bool column_take(struct call *c, int type, int *at)
{
    if (c->status != STATUS_OK) return false;
    *at = c->column++;
    if (sqlite3_column_type(c->statement, *at) == type) return true;
    call_damaged(c);
    return false;
}

uint64_t column_u64(struct call *c)
{
    int at;
    if (!column_take(c, SQLITE_INTEGER, &at)) return 0;
    int64_t bits = sqlite3_column_int64(c->statement, at);
    uint64_t v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

uint32_t column_u32(struct call *c)
{
    uint64_t v = column_u64(c);
    if (v > UINT32_MAX) call_damaged(c);
    return c->status == STATUS_OK ? (uint32_t)v : 0;
}

bool column_bool(struct call *c)
{
    uint64_t v = column_u64(c);
    if (v > 1) call_damaged(c);
    return c->status == STATUS_OK && v == 1;
}

struct view column_view(struct call *c, size_t max)
{
    int at;
    if (!column_take(c, SQLITE_BLOB, &at)) return view_of(NULL, 0);
    const void *bytes =
        sqlite3_column_blob(c->statement, at); /* NULL when empty, or out of memory */
    size_t len = (size_t)sqlite3_column_bytes(c->statement, at);
    if (bytes == NULL && sqlite3_errcode(c->s->db) == SQLITE_NOMEM) call_fail(c, SQLITE_NOMEM);
    if (len > max) call_damaged(c);
    return c->status == STATUS_OK ? view_of(bytes, len) : view_of(NULL, 0);
}

struct view column_copy(struct call *c, struct arena *a, size_t max)
{
    struct view v = column_view(c, max);
    return v.len > 0 ? arena_copy(a, v) : view_of(NULL, 0);
}

void column_bytes(struct call *c, void *out, size_t len)
{
    struct view v = column_view(c, len);
    memset(out, 0, len);
    if (v.len != len)
        call_damaged(c);
    else
        memcpy(out, v.at, len);
}

uint64_t column_ordered(struct call *c)
{
    uint8_t bytes[8];
    column_bytes(c, bytes, sizeof bytes);
    return get_u64(bytes);
}

void column_maybe(struct call *c, void *out, size_t len)
{
    memset(out, 0, len);
    if (c->status == STATUS_OK && sqlite3_column_type(c->statement, c->column) == SQLITE_NULL)
        c->column++;
    else
        column_bytes(c, out, len);
}

/* ---- sealed columns ---- */

void bind_sealed(struct call *c, const char *label, struct view row, struct view plaintext)
{
    if (c->status != STATUS_OK) return;
    if (plaintext.len == 0) {
        bind_bytes(c, NULL, 0);
        return;
    }
    size_t len = plaintext.len + VAULT_OVERHEAD;
    uint8_t *sealed = malloc(len);
    ENSURE(sealed != NULL);
    vault_seal(c->s->vault, label, row, plaintext, sealed);
    int result = sqlite3_bind_blob64(c->statement, ++c->bound, sealed, len, free); /* frees it also after a failure */
    if (result != SQLITE_OK) call_fail(c, result);
}

void column_sealed(struct call *c, const char *label, struct view row, void *out, size_t len)
{
    struct view sealed = column_view(c, len + VAULT_OVERHEAD);
    bool good = sealed.len == len + VAULT_OVERHEAD &&
                vault_open(c->s->vault, label, row, sealed, out) == STATUS_OK;
    if (good) return;
    memset(out, 0, len);
    call_damaged(c);
}

struct view column_sealed_copy(struct call *c, const char *label, struct view row, struct arena *a, size_t max)
{
    struct view sealed = column_view(c, max > SIZE_MAX - VAULT_OVERHEAD ? SIZE_MAX : max + VAULT_OVERHEAD);
    if (sealed.len == 0) return view_of(NULL, 0);
    uint8_t *plaintext = arena_alloc(a, sealed.len);
    if (vault_open(c->s->vault, label, row, sealed, plaintext) == STATUS_OK)
        return view_of(plaintext, sealed.len - VAULT_OVERHEAD);
    call_damaged(c);
    return view_of(NULL, 0);
}
