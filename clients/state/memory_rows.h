/* memory_rows: what the files of the memory backend share: its tables, their keys, and rows that are
 * one struct. Only for memory*.c. */
#ifndef SEALMQ_CLIENTS_STATE_MEMORY_ROWS_H
#define SEALMQ_CLIENTS_STATE_MEMORY_ROWS_H

#include "clients/state/memory.h"
#include "clients/state/rows.h"

enum table {
    T_IDENTITY = 1, T_SECRETS, T_SETTING,
    T_HANDLE,   /* handle -> account */
    T_NAMED,    /* account, handle */
    T_CONTACT,  /* account -> struct contact */
    T_ENTRY,    /* account, number -> entry */
    T_PREKEY,   /* kind, id -> struct state_prekey */
    T_PREKEY_LAST, /* kind -> id */
    T_KEPT,     /* which -> 32 bytes */
    T_SESSION,  /* number -> struct state_session */
    T_PEER,     /* peer, ~rank, ~number -> number */
    T_SKIPPED,  /* session, ratchet key, number -> order */
    T_SKIPPED_KEY, /* session, order -> struct skipped */
    T_START,    /* ephemeral key -> made_ms */
    T_COUNT,    /* kind, key -> value */
    T_OUTBOX,   /* order -> struct outbox_row */
    T_BODY,     /* order -> struct body_head, bytes */
    T_KEY,      /* message key (a copy's: and one byte) -> order */
    T_ID,       /* message id (the same) -> order */
    T_COPY,     /* order of a message -> order of its copy */
    T_CLASS,    /* class, order */
    T_RECEIPT,  /* store, term, commit, order; of CLASS_OPEN */
    T_ENDED,    /* ended_ms, order; of CLASS_ENDED, but for copies */
    T_INBOX,    /* order -> struct inbox_row, body */
    T_DEDUP,    /* sender device, id -> order */
    T_UNSHOWN,  /* order; opened */
    T_UNSETTLED, /* order */
    T_CLOSED,   /* order */
    T_WITHHELD, /* order */
    T_SHOWN,    /* received_ms, order */
    T_BODIED,   /* received_ms, order; shown and with a body */
    T_ACK,      /* term, seq -> reason */
    T_TERM,     /* store -> term */
    T_VERDICT,  /* account -> struct state_verdict */
    T_COUNTER,  /* table -> the last order number given */
};

struct memory {
    struct state base;
    struct rows *rows;
    uint64_t calls;
    uint64_t fail_at; /* the value of calls that fails; 0 = none */
    bool fail_keeps;
    uint64_t lock_in; /* 0 = no more */
};

struct memory *memory_of(struct state *s);

/* A key: its table, then its parts; integers big-endian, so that order is memcmp's. */
struct key {
    uint8_t len;
    uint8_t bytes[ROWS_KEY_LEN_MAX];
};

struct key key_of(enum table table);
struct key key_u64(enum table table, uint64_t v);
struct key key_bytes(enum table table, const void *at, size_t len);
struct key key_timed(enum table table, uint64_t ms, uint64_t order);
void key_add(struct key *k, const void *at, size_t len);
void key_add_u64(struct key *k, uint64_t v);
struct view row_key_view(const struct key *k);
/* key_tail: the order number at the end of a key. */
uint64_t key_tail(struct view key);

void memory_put(struct memory *m, const struct key *k, const void *at, size_t len);
void memory_drop(struct memory *m, const struct key *k);
/* memory_get: a value that is exactly one struct; false when there is none. */
bool memory_get(struct memory *m, const struct key *k, void *out, size_t len);
/* memory_seek: the first row at or after `from` within its table. */
bool memory_seek(struct memory *m, const struct key *from, struct view *key, struct view *value);
uint64_t memory_order_next(struct memory *m, enum table table);
/* memory_fails: counts a call; true when it is the one that shall fail. */
bool memory_fails(struct memory *m);
bool memory_is_zero(const void *at, size_t len);

/* ---- memory_outbox.c, memory_inbox.c: ops of the contract, and what prune calls ---- */

enum status memory_outbox_put(struct state *s, struct outbox_row *row);
enum status memory_outbox_get(struct state *s, uint64_t order, struct outbox_row *out);
enum status memory_outbox_find_key(struct state *s, const struct message_key *key,
                                   struct outbox_row *out);
enum status memory_outbox_find_id(struct state *s, struct message_id id, struct outbox_row *out);
enum status memory_outbox_copy(struct state *s, uint64_t message, struct outbox_row *out);
enum status memory_outbox_find_copy(struct state *s, struct message_id id, struct outbox_row *out);
enum status memory_body_put(struct state *s, uint64_t order, const struct outbox_body *in);
enum status memory_body_get(struct state *s, uint64_t order, struct arena *a,
                            struct outbox_body *out);
enum status memory_outbox_scan(struct state *s, struct outbox_scan *scan);
enum status memory_outbox_receipt(struct state *s, struct store_id store, struct term term,
                                  uint64_t commit, uint64_t after, struct outbox_row *out);
void prune_outbox_row(struct memory *m, uint64_t order);

/* ---- memory_keys.c ---- */

enum status memory_entry_put(struct state *s, struct account_id account, uint64_t number, struct view entry);
enum status memory_entry_scan(struct state *s, struct arena *a, struct entry_scan *scan);
enum status memory_contact_next(struct state *s, struct account_id after, struct account_id *out);
enum status memory_kept_key_get(struct state *s, enum kept_key which, uint8_t out[32]);
enum status memory_kept_key_put(struct state *s, enum kept_key which, const uint8_t *key);
enum status memory_prekey_put(struct state *s, const struct state_prekey *in);
enum status memory_prekey_get(struct state *s, enum prekey_kind kind, uint64_t id, struct state_prekey *out);
enum status memory_prekey_last(struct state *s, enum prekey_kind kind, uint64_t *id);
enum status memory_prekey_drop(struct state *s, enum prekey_kind kind, uint64_t id);
enum status memory_prekey_prune(struct state *s, enum prekey_kind kind, uint64_t before_ms);
enum status memory_prekey_forget(struct state *s, enum prekey_kind kind, uint64_t keep_from);

/* ---- memory_verdicts.c ---- */

enum status memory_verdict_get(struct state *s, struct account_id account, struct state_verdict *out);
enum status memory_verdict_put(struct state *s, const struct state_verdict *in);
enum status memory_verdict_scan(struct state *s, struct verdict_scan *scan);
enum status memory_verdict_count(struct state *s, enum verdict_which which, uint64_t *out);

/* ---- memory_sessions.c ---- */

enum status memory_session_put(struct state *s, struct state_session *in);
enum status memory_session_scan(struct state *s, struct session_scan *scan);
enum status memory_session_drop(struct state *s, uint64_t number);
enum status memory_sessions_retire(struct state *s);
enum status memory_skipped_put(struct state *s, uint64_t session, const struct skipped *in);
enum status memory_skipped_get(struct state *s, uint64_t session, const struct ratchet_place *place,
                              struct message_sk *out);
enum status memory_skipped_drop(struct state *s, uint64_t session, const struct ratchet_place *place);
enum status memory_skipped_trim(struct state *s, uint64_t session, size_t keep);
enum status memory_start_put(struct state *s, const struct prekey_pk *ephemeral, uint64_t made_ms);
enum status memory_start_known(struct state *s, const struct prekey_pk *ephemeral, bool *known);
enum status memory_start_prune(struct state *s, uint64_t before_ms);
enum status memory_counter_get(struct state *s, enum state_counter kind, struct view key, uint64_t *out);
enum status memory_counter_put(struct state *s, enum state_counter kind, struct view key, uint64_t value);
enum status memory_inbox_find(struct state *s, struct device_id sender, struct message_id id,
                             struct inbox_row *out);
enum status memory_inbox_open(struct state *s, const struct inbox_row *row);
enum status memory_inbox_drop(struct state *s, uint64_t order);

enum status memory_inbox_put(struct state *s, struct inbox_row *row, bool *added);
enum status memory_inbox_scan(struct state *s, struct inbox_scan *scan, struct arena *a);
enum status memory_inbox_show(struct state *s, uint64_t order);
enum status memory_inbox_withhold(struct state *s, uint64_t order);
enum status memory_inbox_release(struct state *s, uint64_t order);
void prune_inbox_row(struct memory *m, uint64_t order);
void prune_inbox_body(struct memory *m, uint64_t order);

#endif
