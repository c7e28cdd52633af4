/* sqlite: opens the client's state file, keeps its schema up to date and does transactions; the
 * rows are in sqlite_rows.c, sqlite_keys.c and sqlite_outbox.c, the key of their secret columns in
 * sqlite_vault.c. Glue of steps 1 and 6 of the way of an
 * envelope: what the engine hands to the network, or acknowledges, is in this file, synced,
 * before.
 * Invariants: WAL with synchronous=FULL, so a COMMIT that succeeded is on the disk; a writer
 * holds BEGIN IMMEDIATE, so what it read stays true until it commits; the file is 0600 before a
 * byte of it is written; whoever gets a state has unlocked its vault. */
#include "clients/state/sqlite.h"

#include "clients/state/sqlite_call.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUSY_TIMEOUT_MS 5000

/* Text n brings a file of version n to version n + 1. */
static const char *const MIGRATIONS[] = {SCHEMA_1, SCHEMA_2, SCHEMA_3, SCHEMA_4, SCHEMA_5,
                                         SCHEMA_DRIFT, SCHEMA_COPIES, SCHEMA_VERDICTS, SCHEMA_KEPT_KEY,
                                         SCHEMA_WITHHELD};
#define SCHEMA_VERSION (sizeof MIGRATIONS / sizeof MIGRATIONS[0])

static struct sqlite_state *sqlite_of(struct state *s)
{
    return (struct sqlite_state *)s;
}

const char *sqlite_state_reason(const struct state *state)
{
    int result = ((const struct sqlite_state *)state)->result;
    switch (result & 0xff) {
    case SQLITE_OK:
        return "no error";
    case SQLITE_FULL:
        return "the disk is full";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return "another process is changing it";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return "the file is damaged";
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
        return "the file or its folder cannot be written";
    default:
        return sqlite3_errstr(result);
    }
}

/* ---- transactions ---- */

/* A statement of the transaction itself: runs also when the transaction has failed. */
static enum status control(struct sqlite_state *s, enum statement which)
{
    s->failed = false;
    struct call c = call_begin(&s->base, which);
    return call_run(&c, NULL);
}

static enum status sqlite_begin(struct state *state, enum state_mode mode)
{
    struct sqlite_state *s = sqlite_of(state);
    bool write = mode == STATE_WRITE;
    enum status status = control(s, write ? STATEMENT_BEGIN_WRITE : STATEMENT_BEGIN_READ);
    /* DEFERRED takes its snapshot at the first read: do that now, where LOCKED can be told. */
    if (status == STATUS_OK && !write) status = control(s, STATEMENT_SNAPSHOT);
    if (status != STATUS_OK) s->base.ops->rollback(state);
    return status;
}

static void sqlite_rollback(struct state *state)
{
    struct sqlite_state *s = sqlite_of(state);
    int result = s->result;
    /* SQLite may have rolled back by itself, after a full disk for instance. */
    if (!sqlite3_get_autocommit(s->db) && control(s, STATEMENT_ROLLBACK) != STATUS_OK)
        ENSURE(sqlite3_get_autocommit(s->db));
    if (result != SQLITE_OK) s->result = result; /* the cause, not what followed from it */
    s->failed = false;
}

static enum status sqlite_commit(struct state *state)
{
    struct sqlite_state *s = sqlite_of(state);
    if (s->failed) { /* nothing may be kept of a transaction that failed half-way */
        sqlite_rollback(state);
        return STATUS_IO;
    }
    enum status status = control(s, STATEMENT_COMMIT);
    if (status != STATUS_OK) sqlite_rollback(state);
    return status == STATUS_LOCKED ? STATUS_IO : status;
}

/* All tables but those of the vault and SQLite's own, which has the order numbers: also a table that comes with a later version. */
static enum status sqlite_clear(struct state *state)
{
    struct sqlite_state *s = sqlite_of(state);
    sqlite3_stmt *tables = NULL;
    char text[96];
    int result = sqlite3_exec(s->db, "PRAGMA defer_foreign_keys=ON", NULL, NULL, NULL);
    if (result == SQLITE_OK)
        result = sqlite3_prepare_v2(s->db, "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'vault'"
                                           " AND name NOT LIKE 'sqlite_%'", -1, &tables, NULL);
    while (result == SQLITE_OK && (result = sqlite3_step(tables)) == SQLITE_ROW) {
        snprintf(text, sizeof text, "DELETE FROM %.64s", (const char *)sqlite3_column_text(tables, 0));
        result = sqlite3_exec(s->db, text, NULL, NULL, NULL);
    }
    sqlite3_finalize(tables);
    if (result == SQLITE_DONE) return STATUS_OK;
    s->result = result;
    s->failed = true;
    return sqlite_status(result);
}

static void sqlite_close(struct state *state)
{
    struct sqlite_state *s = sqlite_of(state);
    if (s->db != NULL && !sqlite3_get_autocommit(s->db)) sqlite_rollback(state);
    for (size_t i = 0; i < STATEMENT_COUNT; i++)
        sqlite3_finalize(s->statements[i]);
    sqlite3_close(s->db);
    vault_free(&s->vault);
    free(s);
}

static const struct state_ops sqlite_ops = {
    .name = "sqlite",
    .begin = sqlite_begin,
    .commit = sqlite_commit,
    .rollback = sqlite_rollback,
    .close = sqlite_close,
    .identity_get = sqlite_identity_get,
    .identity_put = sqlite_identity_put,
    .secrets_get = sqlite_secrets_get,
    .secrets_put = sqlite_secrets_put,
    .setting_get = sqlite_setting_get,
    .setting_put = sqlite_setting_put,
    .handle_get = sqlite_handle_get,
    .handle_put = sqlite_handle_put,
    .contact_get = sqlite_contact_get,
    .contact_put = sqlite_contact_put,
    .contact_handle = sqlite_contact_handle,
    .contact_next = sqlite_contact_next,
    .kept_key_get = sqlite_kept_key_get,
    .kept_key_put = sqlite_kept_key_put,
    .entry_put = sqlite_entry_put,
    .entry_scan = sqlite_entry_scan,
    .prekey_put = sqlite_prekey_put,
    .prekey_get = sqlite_prekey_get,
    .prekey_last = sqlite_prekey_last,
    .prekey_drop = sqlite_prekey_drop,
    .prekey_prune = sqlite_prekey_prune,
    .prekey_forget = sqlite_prekey_forget,
    .session_put = sqlite_session_put,
    .session_scan = sqlite_session_scan,
    .session_drop = sqlite_session_drop,
    .sessions_retire = sqlite_sessions_retire,
    .skipped_put = sqlite_skipped_put,
    .skipped_get = sqlite_skipped_get,
    .skipped_drop = sqlite_skipped_drop,
    .skipped_trim = sqlite_skipped_trim,
    .start_put = sqlite_start_put,
    .start_known = sqlite_start_known,
    .start_prune = sqlite_start_prune,
    .counter_get = sqlite_counter_get,
    .counter_put = sqlite_counter_put,
    .inbox_find = sqlite_inbox_find,
    .inbox_open = sqlite_inbox_open,
    .inbox_drop = sqlite_inbox_drop,
    .verdict_get = sqlite_verdict_get,
    .verdict_put = sqlite_verdict_put,
    .verdict_scan = sqlite_verdict_scan,
    .verdict_count = sqlite_verdict_count,
    .outbox_put = sqlite_outbox_put,
    .outbox_get = sqlite_outbox_get,
    .outbox_find_key = sqlite_outbox_find_key,
    .outbox_find_id = sqlite_outbox_find_id,
    .outbox_copy = sqlite_outbox_copy,
    .outbox_find_copy = sqlite_outbox_find_copy,
    .body_get = sqlite_body_get,
    .body_put = sqlite_body_put,
    .outbox_scan = sqlite_outbox_scan,
    .outbox_receipt = sqlite_outbox_receipt,
    .inbox_put = sqlite_inbox_put,
    .inbox_scan = sqlite_inbox_scan,
    .inbox_show = sqlite_inbox_show,
    .inbox_withhold = sqlite_inbox_withhold,
    .inbox_release = sqlite_inbox_release,
    .ack_put = sqlite_ack_put,
    .ack_scan = sqlite_ack_scan,
    .ack_drop = sqlite_ack_drop,
    .term_get = sqlite_term_get,
    .term_put = sqlite_term_put,
    .clear = sqlite_clear,
    .prune = sqlite_prune,
};

/* ---- opening ---- */

static enum status execute(struct sqlite_state *s, const char *text)
{
    s->result = sqlite3_exec(s->db, text, NULL, NULL, NULL);
    return sqlite_status(s->result);
}

/* PRAGMA name's value; -1 after a failure. */
static long long pragma(struct sqlite_state *s, const char *text)
{
    sqlite3_stmt *statement = NULL;
    long long value = -1;
    s->result = sqlite3_prepare_v2(s->db, text, -1, &statement, NULL);
    if (s->result == SQLITE_OK) s->result = sqlite3_step(statement);
    if (s->result == SQLITE_ROW) {
        value = sqlite3_column_int64(statement, 0);
        s->result = SQLITE_OK;
    }
    sqlite3_finalize(statement);
    return value;
}

static enum status home_missing(char *error, size_t cap)
{
    snprintf(error, cap, "this home has no identity yet: run init first");
    return STATUS_NOT_FOUND;
}

/* Makes the file, empty and private, unless it is there; one that others may touch is refused.
 * It is not opened here when it exists: closing it would drop the locks of another state_open in
 * this process. */
static enum status file_prepare(const char *path, bool make, char *error, size_t cap)
{
    struct stat st;
    if (!make && lstat(path, &st) != 0 && errno == ENOENT) return home_missing(error, cap);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0) {
        close(fd);
        return STATUS_OK;
    }
    if (errno != EEXIST || lstat(path, &st) != 0) {
        snprintf(error, cap, "cannot make %s: %s", path, strerror(errno));
        return STATUS_IO;
    }
    if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077) != 0) {
        snprintf(error, cap,
                 "%s holds secret keys and must be your own file, closed to others: "
                 "check who wrote it, then chmod 600",
                 path);
        return STATUS_CONFIG;
    }
    return STATUS_OK;
}

static enum status settings_set(struct sqlite_state *s, char *error, size_t cap)
{
    sqlite3_extended_result_codes(s->db, 1);
    sqlite3_busy_timeout(s->db, BUSY_TIMEOUT_MS);
    enum status status = execute(s, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                                    "PRAGMA foreign_keys=ON; PRAGMA temp_store=MEMORY;"
                                    "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;"
                                    "PRAGMA secure_delete=ON;");
    if (status != STATUS_OK) return status;
    /* Where it cannot have WAL, SQLite stays with what it had and says nothing. */
    if (pragma(s, "SELECT count(*) FROM pragma_journal_mode WHERE journal_mode = 'wal'") == 1 &&
        pragma(s, "PRAGMA synchronous") == 2)
        return STATUS_OK;
    snprintf(error, cap,
             "the home's file system has no shared memory for SQLite's WAL: take a local "
             "disk");
    return STATUS_CONFIG;
}

/* Inside BEGIN IMMEDIATE: two processes that open a new home at once make one schema. */
static enum status migrate_locked(struct sqlite_state *s, const struct home_lock *lock, char *error, size_t cap)
{
    char text[64];
    long long version = pragma(s, "PRAGMA user_version");
    long long application = pragma(s, "PRAGMA application_id");
    if (version < 0 || application < 0) return sqlite_status(s->result);
    bool empty = pragma(s, "SELECT count(*) FROM sqlite_master") == 0;
    if (application != SQLITE_APPLICATION_ID && !(version == 0 && application == 0 && empty)) {
        s->result = SQLITE_NOTADB;
        return STATUS_DAMAGED;
    }
    if (version > (long long)SCHEMA_VERSION) {
        snprintf(error, cap, "the home was written by a newer sealmq: update this one");
        return STATUS_CONFIG;
    }
    if (version == 0 && !lock->make) return home_missing(error, cap);
    for (size_t v = (size_t)version; v < SCHEMA_VERSION; v++) {
        enum status status = execute(s, MIGRATIONS[v]);
        if (status == STATUS_OK && v + 1 == VAULT_SCHEMA)
            status = sqlite_vault_make(s, lock, version > 0, error, cap);
        if (status != STATUS_OK) return status;
    }
    snprintf(text, sizeof text, "PRAGMA user_version=%zu; PRAGMA application_id=%d", SCHEMA_VERSION,
             SQLITE_APPLICATION_ID);
    return version == (long long)SCHEMA_VERSION ? STATUS_OK : execute(s, text);
}

static enum status migrate(struct sqlite_state *s, const struct home_lock *lock, char *error, size_t cap)
{
    enum status status = execute(s, "BEGIN IMMEDIATE");
    if (status != STATUS_OK) return status;
    status = migrate_locked(s, lock, error, cap);
    if (status == STATUS_OK) status = execute(s, "COMMIT");
    if (status != STATUS_OK) sqlite_rollback(&s->base);
    return status;
}

/* Not in the migration's transaction, where it need not be: a passphrase takes its time, and others wait. */
static enum status unlock(struct sqlite_state *s, const struct home_lock *lock, char *error, size_t cap)
{
    enum status status = s->vault != NULL ? STATUS_OK : sqlite_vault_unlock(s, lock, error, cap);
    if (status != STATUS_OK) return status;
    sqlite3_busy_timeout(s->db, 0); /* cleaning waits for nobody */
    sqlite_vault_clean(s);
    sqlite3_busy_timeout(s->db, BUSY_TIMEOUT_MS);
    s->result = SQLITE_OK;
    return STATUS_OK;
}

enum status sqlite_state_open(const char *path, const struct home_lock *lock, struct state **out, char *error,
                              size_t cap)
{
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    *out = NULL;
    error[0] = '\0';
    enum status status = file_prepare(path, lock->make, error, cap);
    if (status != STATUS_OK) return status;
    struct sqlite_state *s = calloc(1, sizeof *s);
    ENSURE(s != NULL);
    s->base.ops = &sqlite_ops;
    s->result = sqlite3_open_v2(path, &s->db, flags, NULL);
    status = sqlite_status(s->result);
    if (status == STATUS_OK) status = settings_set(s, error, cap);
    if (status == STATUS_OK) status = migrate(s, lock, error, cap);
    if (status == STATUS_OK) status = unlock(s, lock, error, cap);
    if (status == STATUS_OK) {
        *out = &s->base;
        return STATUS_OK;
    }
    if (error[0] == '\0')
        snprintf(error, cap, "cannot use %s: %s", path, sqlite_state_reason(&s->base));
    sqlite_close(&s->base);
    return status;
}
