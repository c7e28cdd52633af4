/* sqlite_vault: the vault of a home in SQLite: how its key is kept (the table `vault`), unlocking it, and sealing
 * what an earlier version left in clear. Sealing single columns is in sqlite_call.c.
 * The table's one row has a sealed value of its own: under a passphrase it is the home's key, sealed with the
 * passphrase's; with a key file it is empty, and only proves the key.
 * Invariants: the key file is whole and synced before anything is sealed under its key, and never written again;
 * making the row and sealing what was in clear is one transaction. */
#include "clients/state/sqlite_call.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum lock_kind { LOCK_KEY_FILE = 1, LOCK_PASSPHRASE };

#define LABEL "vault.sealed"
/* Of a row's key in seal(). */
#define KEY_PARTS_MAX 3
#define KEY_PART_MAX  64u

static const struct view NO_KEY = {NULL, 0}; /* of the one row */

struct vault_row {
    uint64_t kind;
    struct passphrase_terms terms; /* zeros with a key file */
    uint8_t sealed[VAULT_KEY_LEN + VAULT_OVERHEAD];
    size_t sealed_len;
    bool dirty;
};

/* ---- the row ---- */

static void row_seal(struct vault_row *row, const struct vault *v, struct view key)
{
    vault_seal(v, LABEL, NO_KEY, key, row->sealed);
    row->sealed_len = key.len + VAULT_OVERHEAD;
}

/* key: row->sealed_len - VAULT_OVERHEAD bytes. */
static enum status row_open(const struct vault_row *row, const struct vault *v, uint8_t *key)
{
    return vault_open(v, LABEL, NO_KEY, view_of(row->sealed, row->sealed_len), key);
}

static enum status row_put(struct sqlite_state *s, const struct vault_row *row)
{
    struct call c = call_begin(&s->base, STATEMENT_VAULT_PUT);
    bind_u64(&c, row->kind);
    bind_bytes(&c, row->terms.salt, sizeof row->terms.salt);
    bind_u64(&c, row->terms.operations);
    bind_u64(&c, row->terms.memory);
    bind_bytes(&c, row->sealed, row->sealed_len);
    bind_u64(&c, row->dirty);
    return call_run(&c, NULL);
}

static enum status row_get(struct sqlite_state *s, struct vault_row *out)
{
    struct call c = call_begin(&s->base, STATEMENT_VAULT_GET);
    if (!call_step(&c)) call_damaged(&c);
    out->kind = column_u64(&c);
    column_bytes(&c, out->terms.salt, sizeof out->terms.salt);
    out->terms.operations = column_u64(&c);
    out->terms.memory = column_u64(&c);
    out->sealed_len = VAULT_OVERHEAD + (out->kind == LOCK_PASSPHRASE ? VAULT_KEY_LEN : 0);
    column_bytes(&c, out->sealed, out->sealed_len);
    out->dirty = column_bool(&c);
    bool known = out->kind == LOCK_KEY_FILE ||
                 (out->kind == LOCK_PASSPHRASE && passphrase_terms_check(&out->terms) == STATUS_OK);
    if (!known) call_damaged(&c);
    return call_end(&c);
}

/* ---- making ---- */

static enum status key_file_start(struct sqlite_state *s, const struct home_lock *lock, struct vault_row *row,
                                  char *error, size_t cap)
{
    enum status status = key_file_make(lock->key_file, error, cap);
    if (status == STATUS_OK) status = key_file_open(lock->key_file, &s->vault, error, cap);
    if (status == STATUS_OK) row_seal(row, s->vault, view_of(NULL, 0));
    return status;
}

static enum status passphrase_start(struct sqlite_state *s, const struct home_lock *lock, struct vault_row *row,
                                    char *error, size_t cap)
{
    struct vault *outer;
    row->terms = passphrase_terms_new();
    enum status status = passphrase_open(lock->passphrase_file, &row->terms, &outer, error, cap);
    if (status != STATUS_OK) return status;
    s->vault = vault_random();
    row_seal(row, outer, vault_key(s->vault));
    vault_free(&outer);
    return STATUS_OK;
}

/* One part of a row's key, behind the others; false for one that cannot be. */
static bool key_part(sqlite3_value *value, uint8_t *key, size_t *len)
{
    if (sqlite3_value_type(value) == SQLITE_INTEGER) {
        put_u64(key + *len, (uint64_t)sqlite3_value_int64(value));
        *len += 8;
        return true;
    }
    const void *bytes = sqlite3_value_blob(value);
    size_t part = (size_t)sqlite3_value_bytes(value);
    if (sqlite3_value_type(value) != SQLITE_BLOB || part > KEY_PART_MAX) return false;
    if (part > 0) memcpy(key + *len, bytes, part);
    *len += part;
    return true;
}

/* SQL's seal(label, value, key...). */
static void seal_function(sqlite3_context *context, int count, sqlite3_value **values)
{
    const struct sqlite_state *s = sqlite3_user_data(context);
    uint8_t key[KEY_PARTS_MAX * KEY_PART_MAX];
    size_t key_len = 0;
    bool good = count >= 2 && count <= 2 + KEY_PARTS_MAX && sqlite3_value_type(values[1]) == SQLITE_BLOB;
    for (int i = 2; i < count && good; i++)
        good = key_part(values[i], key, &key_len);
    if (!good) {
        sqlite3_result_error_code(context, SQLITE_CORRUPT);
        return;
    }
    struct view plaintext =
        view_of(sqlite3_value_blob(values[1]), (size_t)sqlite3_value_bytes(values[1]));
    if (plaintext.len == 0) {
        sqlite3_result_zeroblob(context, 0);
        return;
    }
    uint8_t *sealed = malloc(plaintext.len + VAULT_OVERHEAD);
    ENSURE(sealed != NULL);
    vault_seal(s->vault, (const char *)sqlite3_value_text(values[0]), view_of(key, key_len), plaintext, sealed);
    sqlite3_result_blob64(context, sealed, plaintext.len + VAULT_OVERHEAD, free);
}

/* The function is there for the upgrade only. */
static enum status seal_clear_columns(struct sqlite_state *s)
{
    s->result = sqlite3_create_function(s->db, "seal", -1, SQLITE_UTF8 | SQLITE_DIRECTONLY, s, seal_function, NULL,
                                        NULL);
    if (s->result == SQLITE_OK) s->result = sqlite3_exec(s->db, SEAL_4, NULL, NULL, NULL);
    enum status status = sqlite_status(s->result);
    if (sqlite3_create_function(s->db, "seal", -1, SQLITE_UTF8, NULL, NULL, NULL, NULL) != SQLITE_OK &&
        status == STATUS_OK)
        status = STATUS_IO;
    return status;
}

enum status sqlite_vault_make(struct sqlite_state *s, const struct home_lock *lock, bool upgraded, char *error,
                              size_t cap)
{
    bool passphrase = lock->passphrase_file != NULL;
    struct vault_row row = {.kind = passphrase ? LOCK_PASSPHRASE : LOCK_KEY_FILE, .dirty = upgraded};
    enum status status = passphrase ? passphrase_start(s, lock, &row, error, cap)
                                    : key_file_start(s, lock, &row, error, cap);
    s->dirty = upgraded;
    if (status == STATUS_OK) status = row_put(s, &row);
    if (status == STATUS_OK && upgraded) status = seal_clear_columns(s);
    if (status != STATUS_OK) vault_free(&s->vault);
    return status;
}

/* ---- unlocking ---- */

static enum status key_file_unlock(struct sqlite_state *s, const struct home_lock *lock,
                                   const struct vault_row *row, char *error, size_t cap)
{
    uint8_t nothing[1];
    if (lock->passphrase_file != NULL) {
        snprintf(error, cap, "this home has a key file and no passphrase: leave --passphrase-file out");
        return STATUS_CONFIG;
    }
    if (access(lock->key_file, F_OK) != 0 && errno == ENOENT) {
        snprintf(error, cap,
                 "%s is missing, and nothing can open this home's keys and messages without it: restore it from a "
                 "copy, or make a new home",
                 lock->key_file);
        return STATUS_CONFIG;
    }
    enum status status = key_file_open(lock->key_file, &s->vault, error, cap);
    if (status != STATUS_OK || row_open(row, s->vault, nothing) == STATUS_OK) return status;
    snprintf(error, cap, "%s is the key of another home: restore the right one", lock->key_file);
    return STATUS_CONFIG;
}

static enum status passphrase_unlock(struct sqlite_state *s, const struct home_lock *lock,
                                     const struct vault_row *row, char *error, size_t cap)
{
    struct vault *outer;
    if (lock->passphrase_file == NULL) {
        snprintf(error, cap, "this home has a passphrase: name the file that holds it with --passphrase-file");
        return STATUS_CONFIG;
    }
    enum status status = passphrase_open(lock->passphrase_file, &row->terms, &outer, error, cap);
    if (status != STATUS_OK) return status;
    uint8_t *key = sodium_malloc(VAULT_KEY_LEN);
    ENSURE(key != NULL);
    if (row_open(row, outer, key) == STATUS_OK) {
        s->vault = vault_new(key);
    } else {
        snprintf(error, cap, "the passphrase in %s is not the one of this home", lock->passphrase_file);
        status = STATUS_CONFIG;
    }
    sodium_free(key);
    vault_free(&outer);
    return status;
}

enum status sqlite_vault_unlock(struct sqlite_state *s, const struct home_lock *lock, char *error, size_t cap)
{
    struct vault_row row = {0};
    enum status status = row_get(s, &row);
    if (status != STATUS_OK) return status;
    s->dirty = row.dirty;
    status = row.kind == LOCK_KEY_FILE ? key_file_unlock(s, lock, &row, error, cap)
                                       : passphrase_unlock(s, lock, &row, error, cap);
    if (status != STATUS_OK) vault_free(&s->vault);
    return status;
}

/* ---- cleaning ---- */

/* VACUUM writes every page anew, without the free ones; then the WAL goes, which has older pages. */
static bool rewritten(struct sqlite_state *s)
{
    return sqlite3_exec(s->db, "VACUUM", NULL, NULL, NULL) == SQLITE_OK &&
           sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) == SQLITE_OK;
}

void sqlite_vault_clean(struct sqlite_state *s)
{
    if (!s->dirty || !rewritten(s)) return;
    struct call c = call_begin(&s->base, STATEMENT_VAULT_CLEANED);
    if (call_run(&c, NULL) == STATUS_OK) s->dirty = false;
    s->failed = false; /* what could not be noted is done once more by the next opening */
}
