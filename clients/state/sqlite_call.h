/* sqlite_call: one execution of a cached statement: bind, step, read columns, end. Private to the
 * SQLite backend. */
#ifndef SEALMQ_CLIENTS_STATE_SQLITE_CALL_H
#define SEALMQ_CLIENTS_STATE_SQLITE_CALL_H

#include "clients/state/sqlite_sql.h"
#include "clients/state/home_key.h"
#include "clients/state/state.h"

#include <sqlite3.h>

struct sqlite_state {
    struct state base; /* first: struct state * is struct sqlite_state * */
    sqlite3 *db;
    struct vault *vault; /* seals the secret columns; NULL until the home is unlocked */
    bool dirty;          /* the files may hold secrets in clear: sqlite_vault_clean */
    sqlite3_stmt *statements[STATEMENT_COUNT];
    int result;  /* of the last failure: an extended SQLite code */
    bool failed; /* in this transaction: nothing more may be done in it */
};

/* A call: bind_* fill the parameters in order, call_step runs, column_* take the row's columns
 * in order. Errors stick: after the first one steps and reads give zeros, and call_end tells. */
struct call {
    struct sqlite_state *s;
    sqlite3_stmt *statement;
    int bound;
    int column;
    enum status status;
};

/* sqlite_status: the contract's status for a SQLite result: OK, LOCKED, DAMAGED or IO. */
enum status sqlite_status(int result);

struct call call_begin(struct state *s, enum statement which);
void bind_u64(struct call *c, uint64_t v);
void bind_ordered(struct call *c, uint64_t v); /* as 8 bytes, big-endian */
void bind_bytes(struct call *c, const void *at, size_t len);
void bind_view(struct call *c, struct view v);
void bind_null(struct call *c);
/* call_step: true = a row is there. */
bool call_step(struct call *c);
/* call_end: OK, or the first error; the statement is free again. */
enum status call_end(struct call *c) MUST_USE;
/* call_run: steps to the end, for statements without rows; *changes (may be NULL) gets their
 * number. */
enum status call_run(struct call *c, size_t *changes) MUST_USE;

/* column_*: the next column. A value of another type, size or range makes the call DAMAGED. */
uint64_t column_u64(struct call *c);
uint32_t column_u32(struct call *c);
uint64_t column_ordered(struct call *c);
bool column_bool(struct call *c);
void column_bytes(struct call *c, void *out, size_t len);
/* column_maybe: the same, or all zero for NULL. */
void column_maybe(struct call *c, void *out, size_t len);
/* column_view: borrows until the next step or end. */
struct view column_view(struct call *c, size_t max);
struct view column_copy(struct call *c, struct arena *a, size_t max);

/* Sealed columns (vault.h). label is "table.column"; row is the row's key, by which the value is bound to its
 * row: parts of fixed size, joined, numbers as 8 bytes big-endian; empty where the table has one row. The key
 * must be known before the row is written; where it changes, the value is written with it. An empty value stays an empty blob, so that SQL can
 * tell and make one. A new sealed column needs nothing more than a label of its own, and its line in SECURITY.
 *
 * bind_sealed: as bind_view, sealed; nothing of plaintext is kept.
 * column_sealed: as column_bytes, opened into out: exactly len bytes, of the caller's sodium_malloc memory where
 * they are a secret. column_sealed_copy: as column_copy, opened into the arena. What was sealed elsewhere or was
 * changed makes the call DAMAGED, and nothing of it is given. */
void bind_sealed(struct call *c, const char *label, struct view row, struct view plaintext);
void column_sealed(struct call *c, const char *label, struct view row, void *out, size_t len);
struct view column_sealed_copy(struct call *c, const char *label, struct view row, struct arena *a, size_t max);

/* call_damaged: the row does not follow its format in a way that the caller found. */
void call_damaged(struct call *c);

/* take_end: the end of a get: NOT_FOUND without a row; *out (len bytes) is zero unless OK. */
enum status take_end(struct call *c, bool found, void *out, size_t len) MUST_USE;

/* ---- the vault of a home: sqlite_vault.c ---- */

/* sqlite_vault_make: within the transaction that makes the table `vault`: makes the home's key, keeps it as lock
 * says, and seals what the earlier version holds in clear. s->vault is set. OK; CONFIG, IO (then with
 * one line in error, or as s->result says). upgraded: the file has held secrets in clear before. */
enum status sqlite_vault_make(struct sqlite_state *s, const struct home_lock *lock, bool upgraded, char *error,
                              size_t cap) MUST_USE;
/* sqlite_vault_unlock: outside of a transaction: s->vault from the table and what lock names. OK, CONFIG
 * (another key, or another kind of lock), DAMAGED, LOCKED, IO; error as above. */
enum status sqlite_vault_unlock(struct sqlite_state *s, const struct home_lock *lock, char *error,
                                size_t cap) MUST_USE;
/* sqlite_vault_clean: removes what an upgrade may have left in clear in free pages and in the WAL. Where another
 * process is in the way, the next opening does it. */
void sqlite_vault_clean(struct sqlite_state *s);

/* ---- the rows' functions, for the ops table ---- */

enum status sqlite_identity_get(struct state *s, struct arena *a, struct state_identity *out);
enum status sqlite_identity_put(struct state *s, const struct state_identity *in);
enum status sqlite_secrets_get(struct state *s, struct device_secrets *out);
enum status sqlite_secrets_put(struct state *s, const struct device_secrets *in);
enum status sqlite_setting_get(struct state *s, const char *name, struct arena *a,
                               struct view *out);
enum status sqlite_setting_put(struct state *s, const char *name, struct view value);
enum status sqlite_handle_get(struct state *s, struct view handle, struct account_id *out);
enum status sqlite_handle_put(struct state *s, struct view handle, struct account_id account);
enum status sqlite_contact_get(struct state *s, struct account_id account, struct contact *out);
enum status sqlite_contact_put(struct state *s, const struct contact *in);
enum status sqlite_contact_next(struct state *s, struct account_id after, struct account_id *out);
enum status sqlite_kept_key_get(struct state *s, enum kept_key which, uint8_t out[32]);
enum status sqlite_kept_key_put(struct state *s, enum kept_key which, const uint8_t *key);
enum status sqlite_contact_handle(struct state *s, struct account_id account, struct arena *a,
                                  struct view *out);
enum status sqlite_entry_put(struct state *s, struct account_id account, uint64_t number, struct view entry);
enum status sqlite_entry_scan(struct state *s, struct arena *a, struct entry_scan *scan);
enum status sqlite_prekey_put(struct state *s, const struct state_prekey *in);
enum status sqlite_prekey_get(struct state *s, enum prekey_kind kind, uint64_t id, struct state_prekey *out);
enum status sqlite_prekey_last(struct state *s, enum prekey_kind kind, uint64_t *id);
enum status sqlite_prekey_drop(struct state *s, enum prekey_kind kind, uint64_t id);
enum status sqlite_prekey_prune(struct state *s, enum prekey_kind kind, uint64_t before_ms);
enum status sqlite_prekey_forget(struct state *s, enum prekey_kind kind, uint64_t keep_from);
enum status sqlite_session_put(struct state *s, struct state_session *in);
enum status sqlite_session_scan(struct state *s, struct session_scan *scan);
enum status sqlite_session_drop(struct state *s, uint64_t number);
enum status sqlite_sessions_retire(struct state *s);
enum status sqlite_skipped_put(struct state *s, uint64_t session, const struct skipped *in);
enum status sqlite_skipped_get(struct state *s, uint64_t session, const struct ratchet_place *place,
                              struct message_sk *out);
enum status sqlite_skipped_drop(struct state *s, uint64_t session, const struct ratchet_place *place);
enum status sqlite_skipped_trim(struct state *s, uint64_t session, size_t keep);
enum status sqlite_start_put(struct state *s, const struct prekey_pk *ephemeral, uint64_t made_ms);
enum status sqlite_start_known(struct state *s, const struct prekey_pk *ephemeral, bool *known);
enum status sqlite_start_prune(struct state *s, uint64_t before_ms);
enum status sqlite_counter_get(struct state *s, enum state_counter kind, struct view key, uint64_t *out);
enum status sqlite_counter_put(struct state *s, enum state_counter kind, struct view key, uint64_t value);
enum status sqlite_inbox_find(struct state *s, struct device_id sender, struct message_id id,
                             struct inbox_row *out);
enum status sqlite_inbox_open(struct state *s, const struct inbox_row *row);
enum status sqlite_inbox_drop(struct state *s, uint64_t order);
enum status sqlite_verdict_get(struct state *s, struct account_id account, struct state_verdict *out);
enum status sqlite_verdict_put(struct state *s, const struct state_verdict *in);
enum status sqlite_verdict_scan(struct state *s, struct verdict_scan *scan);
enum status sqlite_verdict_count(struct state *s, enum verdict_which which, uint64_t *out);
enum status sqlite_outbox_put(struct state *s, struct outbox_row *row);
enum status sqlite_outbox_get(struct state *s, uint64_t order, struct outbox_row *out);
enum status sqlite_outbox_find_key(struct state *s, const struct message_key *key,
                                   struct outbox_row *out);
enum status sqlite_outbox_find_id(struct state *s, struct message_id id, struct outbox_row *out);
enum status sqlite_outbox_copy(struct state *s, uint64_t message, struct outbox_row *out);
enum status sqlite_outbox_find_copy(struct state *s, struct message_id id, struct outbox_row *out);
enum status sqlite_body_get(struct state *s, uint64_t order, struct arena *a,
                            struct outbox_body *out);
enum status sqlite_body_put(struct state *s, uint64_t order, const struct outbox_body *in);
enum status sqlite_outbox_scan(struct state *s, struct outbox_scan *scan);
enum status sqlite_outbox_receipt(struct state *s, struct store_id store, struct term term,
                                  uint64_t commit, uint64_t after, struct outbox_row *out);
enum status sqlite_inbox_put(struct state *s, struct inbox_row *row, bool *added);
enum status sqlite_inbox_scan(struct state *s, struct inbox_scan *scan, struct arena *a);
enum status sqlite_inbox_show(struct state *s, uint64_t order);
enum status sqlite_inbox_withhold(struct state *s, uint64_t order);
enum status sqlite_inbox_release(struct state *s, uint64_t order);
enum status sqlite_ack_put(struct state *s, const struct pending_ack *in);
enum status sqlite_ack_scan(struct state *s, struct pending_ack *out, size_t max, size_t *count);
enum status sqlite_ack_drop(struct state *s, struct position up_to);
enum status sqlite_term_get(struct state *s, struct store_id store, struct term *out);
enum status sqlite_term_put(struct state *s, struct store_id store, struct term term);
enum status sqlite_prune(struct state *s, const struct state_prune *limits, bool *more);

#endif
