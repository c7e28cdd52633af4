/* state: what a client keeps on its own disk, as a contract with two backends: `memory` (the model)
 * and `sqlite` (one file per home). The rule that all of it serves: what is handed to the network, or
 * acknowledged, was committed here before.
 *
 * Everything happens inside a transaction: state_begin, reads and writes, then state_commit or
 * state_rollback. A STATE_WRITE transaction excludes other writers, also those of another process on
 * the same home, so nothing read in an earlier transaction may be believed in a later one. Writes are
 * visible to later reads of the same transaction. Calling a row function outside a transaction, or a
 * writing one in a STATE_READ, is our own bug (ENSURE). One thread at a time.
 *
 * Every function returns, besides what it names: IO (the disk, or a commit of unknown outcome: the
 * caller gives up this process's work and starts again from what is stored) and DAMAGED (a stored row
 * does not follow its format). After an error the transaction is still open and must be rolled back.
 * What goes in is borrowed for the call. Views that come out live in the arena given. */
#ifndef SEALMQ_CLIENTS_STATE_STATE_H
#define SEALMQ_CLIENTS_STATE_STATE_H

#include "broker/wire/identity_log.h"
#include "clients/message.h"
#include "clients/seal/content.h"
#include "clients/seal/session.h"

#define STATE_KEY_LEN_MAX       64u   /* a caller's id for a message */
#define STATE_SETTING_NAME_MAX  64u
#define STATE_SETTING_VALUE_MAX 1024u
#define STATE_ENDPOINTS_LEN_MAX 2048u /* as TRANSPORT_LIST_LEN_MAX */
#define STATE_ATTEMPTS_MAX      4u    /* earlier digests under one message id */
#define STATE_SCAN_MAX          1024u /* rows in one scan */
#define STATE_ANSWER_LEN_MAX    4096u
#define STATE_SESSIONS_MAX      5u    /* with one device */

/* ---- identity ---- */

/* Secret keys: kept by the caller in sodium_malloc memory and wiped by it. */
struct device_secrets {
    uint8_t signing_sk[64];   /* Ed25519, libsodium's form */
    uint8_t identity_sk[32];  /* X25519 */
    uint8_t transport_sk[32]; /* CURVE */
    uint8_t next_identity_sk[32]; /* of an entry on its way (engine_rotate); all zero = none */
};

struct state_identity {
    struct account_id account;
    struct device_id device;
    struct msg_device_record record; /* the three public keys */
    struct view entry;               /* the encoded first entry, <= ENTRY_LEN_MAX */
    struct view handle;              /* <= HANDLE_LEN_MAX; empty = none wanted */
    struct view endpoints;           /* relay endpoints, comma-separated */
    struct transport_pk server;      /* the relay's public key */
    bool registered;                 /* the relay has the entry */
    bool claimed;                    /* the relay has pointed the handle here */
};

/* ---- identity logs and prekeys ---- */

/* Why a contact is not verified any more (PROTOCOL 10.8). */
enum loss {
    LOSS_NONE,     /* it never was, or the user has taken it back */
    LOSS_RECOVERY, /* its recovery key has brought in a device */
    LOSS_FORK,     /* another history of its keys was seen */
    LOSS_ROLLBACK, /* the relay's log of it ends before ours, and stays so */
};

/* What we hold of an account's log, our own included: it is pinned by (length, head). */
struct contact {
    struct identity_log log; /* verified, entry by entry */
    uint64_t checked_ms;     /* wall: when the relay last told us something of it */
    uint64_t verified_ms;    /* wall: when the user said that it is who it should be; 0 = not, or not any more */
    enum loss loss;
    uint64_t lost_ms;        /* wall: of the loss; else 0 */
    bool incoming;           /* its first look-up has not come to the end: what it brings is no news */
    enum loss hold;          /* why messages to it wait for the user (hold.c); NONE: they go */
    uint64_t hold_ms;        /* wall: since when; 0 = they go */
    struct hash256 hold_head; /* what was seen that holds them, or did until the user let them go: it does so once */
    uint64_t stated_version; /* the highest key version that one of its devices has named, */
    struct hash256 stated_head; /* and its head (statement.c) */
    uint64_t stated_ms;      /* relay's clock: the newest word of its devices that the log we hold is theirs; 0 = none */
    uint64_t stated_warned_ms; /* the stated_ms of which the user was told that it is old */
};

/* The signed entries of a log: number -> encoded msg_entry. */
struct entry_scan {
    struct account_id account;
    uint64_t first;      /* entries from this number on */
    size_t max;          /* 1..ENTRIES_PER_FRAME */
    struct view *entries; /* out, in the arena, ascending without holes from `first` */
    size_t count;        /* out */
};

/* Secret keys of 32 bytes that belong to no device. */
enum kept_key {
    KEPT_BACKUP = 1,      /* seals backups (PROTOCOL 6.7) */
    KEPT_BACKUP_NEXT = 2, /* and will, when the account has the recovery key that goes with it (recovery.c) */
};

enum prekey_kind { PREKEY_SIGNED = 1, PREKEY_LAST_RESORT, PREKEY_ONE_TIME };

/* A prekey of ours. Unique by (kind, id). Holds a secret: the caller keeps and wipes it as device_secrets. */
struct state_prekey {
    enum prekey_kind kind;
    uint64_t id;         /* > 0 */
    uint64_t made_ms;    /* wall */
    struct prekey_pk pk;
    uint8_t sk[32];      /* X25519 */
};

/* ---- sessions with other devices (PROTOCOL 10.5) ---- */

/* One session. Secret as a whole: the caller's sodium_malloc memory. */
struct state_session {
    uint64_t number; /* given by session_put; grows, never reused */
    struct device_id peer;
    uint64_t rank;   /* the higher, the later it was begun, or opened something */
    bool retired;    /* nothing more is sent in it */
    uint64_t made_ms; /* wall */
    struct session session;
};

/* The sessions with one device, the highest rank first. */
struct session_scan {
    struct device_id peer;
    struct state_session *rows; /* caller's sodium_malloc array of STATE_SESSIONS_MAX */
    size_t count;               /* out */
};

/* Numbers that are counted by a key of up to 48 bytes. */
enum state_counter {
    COUNTER_SEALED = 1, /* target: of the last content sealed for it */
    COUNTER_HEARD,      /* sender device, target: the highest counter heard */
};

/* ---- whom this account lets write to it (PROTOCOL 7.6) ---- */

/* What is said of another account. One of which nothing is said, wished or asked is not kept. */
struct state_verdict {
    struct account_id account;
    enum contact_verdict held; /* what the relay has, by its last word */
    bool wished;               /* the relay is to be told another one: */
    enum contact_verdict wish;
    uint64_t asked_ms;         /* wall: a message of it came as a request; 0 = none did */
};

enum verdict_which {
    VERDICT_SAID = 1, /* allowed or blocked, or to be that */
    VERDICT_WISHED,
    VERDICT_ASKED,    /* asked, and nothing is said or wished */
};

struct verdict_scan {
    enum verdict_which which; /* 0 = all */
    struct account_id after;  /* accounts above it, ascending */
    struct state_verdict *rows; /* caller's array of row_max rows */
    size_t row_max;           /* 1..STATE_SCAN_MAX */
    size_t row_count;         /* out */
};

/* verdict_now: what counts here. */
static inline enum contact_verdict verdict_now(const struct state_verdict *v)
{
    return v->wished ? v->wish : v->held;
}

/* ---- outbox ---- */

/* What the application calls one message: its own id, or our message id as text. NUL-terminated,
 * 1..64 bytes, no control characters. */
struct message_key {
    char text[STATE_KEY_LEN_MAX + 1];
};

/* One message of ours without its bytes; or the copy of one for our other devices (PROTOCOL 10.9), which has a row of its
 * own, and its message's key. Unique: order; among messages key, and id unless all zero; among copies the same (all
 * of them have an id), and copy_of. */
struct outbox_row {
    uint64_t order; /* given by outbox_put; grows, never reused */
    uint64_t copy_of; /* the order of the message that it is the copy of, a row that is there; 0 = it is none */
    struct message_key key;
    struct message_id id;     /* all zero until made */
    uint8_t handle[HANDLE_LEN_MAX];
    size_t handle_len;
    struct account_id target; /* all zero until the handle is resolved */
    bool sealed;              /* by us; else the payload is opaque */
    uint32_t attempt;         /* 0; 1..RESENDS_MAX once parts that failed were sealed anew */
    enum message_state state;
    enum status reason;       /* why it is refused, or the last obstacle while it waits */
    struct hash256 content;   /* hash of handle, payload and ttl: what "the same message" means */
    uint64_t ttl_ms;
    uint64_t created_ms;      /* wall */
    uint64_t due_ms;          /* wall: when the next try may begin; a try under way is a lease on it */
    uint64_t ended_ms;        /* wall: when it came to CLASS_ENDED, else 0 */
    uint32_t tries;           /* without a definite answer, for the back-off */
    uint32_t rounds;          /* of repair after stale_devices */
    bool submitted;           /* handed to the network under this id; no answer to that yet */
    bool doubtful;            /* an earlier submission under this id was never answered */
    bool lost;                /* the receipt's acceptance was lost: resend with it */
    bool fresh;               /* its recipient's log is to be looked up anew before it is sealed */
    struct hash256 digest;    /* of the bytes kept; all zero until encrypted */
    struct hash256 attempts[STATE_ATTEMPTS_MAX]; /* of earlier bytes under this id */
    size_t attempt_count;
    uint32_t level;           /* of the acceptance: LEVEL_*, 0 before */
    uint64_t expires_ms;      /* relay time */
    struct msg_receipt receipt; /* all zero before the first acceptance */
    struct msg_part_state parts[DEVICES_PER_ACCOUNT];
    size_t part_count;
};

/* The bytes of one message; each empty where not needed (any more). */
struct outbox_body {
    struct view payload;    /* what the application gave; until it is settled, if it has a ttl; else as long as the row */
    struct view head;       /* of a sealed message's content (content.h), once it is made; until ended */
    struct view item;       /* the encoded msg_send_item exactly as sent; until ended */
    struct view ciphertext; /* of all parts, joined, in the item's order; until ended */
    struct view answer;     /* the encoded msg_accepted */
};

/* How far ahead a due_ms can honestly be. Beyond that the clock was set back, and the row is due. */
#define OUTBOX_DUE_AHEAD_MAX_MS (3600ull * 1000)

struct outbox_scan {
    enum message_class class; /* 0 = all */
    bool held;                /* only held ones; class and due_ms are 0 then */
    uint64_t after;           /* rows with order > after */
    uint64_t due_ms;          /* 0 = all; else only rows with due_ms <= this, or due_ms > this +
                               * OUTBOX_DUE_AHEAD_MAX_MS */
    struct outbox_row *rows;  /* caller's array of row_max rows, filled in ascending order number */
    size_t row_max;           /* 1..STATE_SCAN_MAX */
    size_t row_count;         /* out */
};

/* ---- inbox ---- */

/* One message for us. Unique by (sender_device, id). */
struct inbox_row {
    uint64_t order; /* given by inbox_put; grows, never reused */
    struct account_id sender_account;
    struct device_id sender_device;
    struct message_id id;
    struct term term; /* where it was when it came first */
    uint64_t seq;
    uint64_t accepted_ms; /* relay time */
    uint64_t received_ms; /* wall */
    struct view body;     /* opened; empty after pruning */
    bool shown;           /* the application has taken it */
    bool sealed;          /* it came sealed: settled once it is opened */
    bool closed;          /* sealed, and kept as it came: `body` is the ciphertext, until the sender's keys are known */
    bool withheld;        /* kept from the application, whose user wants nothing of its sender; shown, as far as the relay goes */
    uint64_t expires_ms;  /* relay time: its sender gave it a time to live, which ends then; 0 = none given */
    struct target_id target;
    uint32_t attempt;
    struct hash256 commitment;
    uint32_t stamp_key;   /* the relay's stamp, kept for a later report (PROTOCOL 10.6) */
    struct mac256 stamp;
    struct view head;     /* of the content, whose payload has sent_to before it (10.9); empty unless sealed and opened */
    struct account_id sent_to; /* sealed by another device of ours: to whom; all zero in others' messages */
    uint64_t counter;     /* of the content; 0 for opaque ones */
    uint64_t missing;     /* contents between the highest counter heard before and this one; a million at most */
};

enum inbox_which {
    INBOX_OPENED,    /* all but closed ones */
    INBOX_UNSHOWN,   /* opened, and not shown */
    INBOX_UNSETTLED, /* closed, or opaque and not shown */
    INBOX_CLOSED,
    INBOX_WITHHELD,
};

struct inbox_scan {
    enum inbox_which which;
    uint64_t after;          /* rows with order > after */
    struct inbox_row *rows;  /* caller's array of row_max rows, filled in ascending order number */
    size_t row_max;          /* 1..STATE_SCAN_MAX */
    size_t row_count;        /* out */
};

/* ---- acknowledgements ---- */

/* Not yet echoed by the relay: says that a connection is worth while. reason FAIL_NONE: the application
 * has taken the message that was there; else this one delivery failed. Unique by position. */
struct pending_ack {
    struct position position;
    enum fail_reason reason;
};

/* ---- housekeeping ---- */

/* Rows whose time is strictly before a limit go; 0 = leave that kind alone. Inbox rows go only when
 * shown; the row without its body is the 30 days' memory of ids, and withheld no more. A copy goes with its message, and only with it. */
struct state_prune {
    uint64_t outbox_ended_before_ms;  /* whole outbox rows, by ended_ms (CLASS_ENDED) */
    uint64_t inbox_body_before_ms;    /* bodies, by received_ms */
    uint64_t inbox_before_ms;         /* whole rows, by received_ms */
    size_t row_max;                   /* at most this many of each kind in this call, oldest first */
};

/* ---- the contract ---- */

enum state_mode { STATE_READ, STATE_WRITE };

struct state;

struct state_ops {
    const char *name; /* "memory", "sqlite" */

    /* OK; LOCKED (another process holds it longer than the backend waits: nothing is open). */
    enum status (*begin)(struct state *s, enum state_mode mode);
    /* Synced when it returns OK. Ends the transaction in every case. */
    enum status (*commit)(struct state *s);
    void (*rollback)(struct state *s);
    /* Rolls back what is open, releases everything. */
    void (*close)(struct state *s);

    /* NOT_FOUND before the first identity_put. put: the whole row; there is one. */
    enum status (*identity_get)(struct state *s, struct arena *a, struct state_identity *out);
    enum status (*identity_put)(struct state *s, const struct state_identity *in);
    /* NOT_FOUND with *out zero. out is the caller's sodium_malloc memory. */
    enum status (*secrets_get)(struct state *s, struct device_secrets *out);
    enum status (*secrets_put)(struct state *s, const struct device_secrets *in);

    /* NOT_FOUND with *out empty. Putting an empty value removes. */
    enum status (*setting_get)(struct state *s, const char *name, struct arena *a,
                               struct view *out);
    enum status (*setting_put)(struct state *s, const char *name, struct view value);

    /* session_put: inserts when number is 0 (and gives it one), else replaces; NOT_FOUND. session_scan: at most
     * STATE_SESSIONS_MAX, the highest rank first. session_drop: with its skipped keys. sessions_retire: all there are. */
    enum status (*session_put)(struct state *s, struct state_session *in);
    enum status (*session_scan)(struct state *s, struct session_scan *scan);
    enum status (*session_drop)(struct state *s, uint64_t number);
    enum status (*sessions_retire)(struct state *s);
    /* Message keys kept in a session, in the order in which they were put. skipped_get: NOT_FOUND with *out zero.
     * skipped_trim: the oldest go until there are `keep`. */
    enum status (*skipped_put)(struct state *s, uint64_t session, const struct skipped *in);
    enum status (*skipped_get)(struct state *s, uint64_t session, const struct ratchet_place *place,
                               struct message_sk *out);
    enum status (*skipped_drop)(struct state *s, uint64_t session, const struct ratchet_place *place);
    enum status (*skipped_trim)(struct state *s, uint64_t session, size_t keep);
    /* Ephemeral keys that have begun a session with us. */
    enum status (*start_put)(struct state *s, const struct prekey_pk *ephemeral, uint64_t made_ms);
    enum status (*start_known)(struct state *s, const struct prekey_pk *ephemeral, bool *known);
    enum status (*start_prune)(struct state *s, uint64_t before_ms);
    /* 0 = never put. */
    enum status (*counter_get)(struct state *s, enum state_counter kind, struct view key, uint64_t *out);
    enum status (*counter_put)(struct state *s, enum state_counter kind, struct view key, uint64_t value);

    /* handle -> account, account -> contact. NOT_FOUND with *out zero. put replaces. */
    enum status (*handle_get)(struct state *s, struct view handle, struct account_id *out);
    enum status (*handle_put)(struct state *s, struct view handle, struct account_id account);
    enum status (*contact_get)(struct state *s, struct account_id account, struct contact *out);
    enum status (*contact_put)(struct state *s, const struct contact *in);
    /* contact_next: the account with the smallest id above `after`, of those that contact_put has kept; NOT_FOUND. */
    enum status (*contact_next)(struct state *s, struct account_id after, struct account_id *out);
    /* kept_key_get: into the caller's sodium_malloc memory; NOT_FOUND with it zero. put: NULL removes. */
    enum status (*kept_key_get)(struct state *s, enum kept_key which, uint8_t out[32]);
    enum status (*kept_key_put)(struct state *s, enum kept_key which, const uint8_t *key);
    /* entry_put: the entry with this number; the same one again is fine. entry_scan fills its out fields; fewer than
     * max where the next number is not kept. */
    enum status (*entry_put)(struct state *s, struct account_id account, uint64_t number, struct view entry);
    enum status (*entry_scan)(struct state *s, struct arena *a, struct entry_scan *scan);
    /* put replaces; get: NOT_FOUND with *out zero. prekey_last: the highest id of the kind ever put, 0 = none.
     * prekey_drop: the one with this id; OK where there is none. prekey_prune: all of the kind made before. prekey_forget:
     * all of the kind with smaller ids. */
    enum status (*prekey_put)(struct state *s, const struct state_prekey *in);
    enum status (*prekey_get)(struct state *s, enum prekey_kind kind, uint64_t id, struct state_prekey *out);
    enum status (*prekey_last)(struct state *s, enum prekey_kind kind, uint64_t *id);
    enum status (*prekey_drop)(struct state *s, enum prekey_kind kind, uint64_t id);
    enum status (*prekey_prune)(struct state *s, enum prekey_kind kind, uint64_t before_ms);
    enum status (*prekey_forget)(struct state *s, enum prekey_kind kind, uint64_t keep_from);
    /* contact_handle: a handle of the account (the smallest by bytes), copied; NOT_FOUND. */
    enum status (*contact_handle)(struct state *s, struct account_id account, struct arena *a,
                                  struct view *out);

    /* verdict_get: NOT_FOUND with *out zero but for the account. put replaces, or drops what is not kept. */
    enum status (*verdict_get)(struct state *s, struct account_id account, struct state_verdict *out);
    enum status (*verdict_put)(struct state *s, const struct state_verdict *in);
    enum status (*verdict_scan)(struct state *s, struct verdict_scan *scan);
    enum status (*verdict_count)(struct state *s, enum verdict_which which, uint64_t *out);

    /* put: inserts when row->order is 0 (and gives it one), else replaces that row; NOT_FOUND when
     * there is none; STATE when key or id are another row's (nothing written). */
    enum status (*outbox_put)(struct state *s, struct outbox_row *row);
    /* By order; by key or id (not all zero), where no copy is found. NOT_FOUND with *out zero. */
    enum status (*outbox_get)(struct state *s, uint64_t order, struct outbox_row *out);
    enum status (*outbox_find_key)(struct state *s, const struct message_key *key,
                                   struct outbox_row *out);
    enum status (*outbox_find_id)(struct state *s, struct message_id id, struct outbox_row *out);
    /* outbox_copy: of the message with this order. outbox_find_copy: by id (not all zero). NOT_FOUND with *out zero. */
    enum status (*outbox_copy)(struct state *s, uint64_t message, struct outbox_row *out);
    enum status (*outbox_find_copy)(struct state *s, struct message_id id, struct outbox_row *out);
    /* body_get: NOT_FOUND (no such row) with *out empty; a row without bytes gives OK and empty views.
     * body_put: NOT_FOUND when there is no such row. Both by order. */
    enum status (*body_get)(struct state *s, uint64_t order, struct arena *a,
                            struct outbox_body *out);
    enum status (*body_put)(struct state *s, uint64_t order, const struct outbox_body *in);
    enum status (*outbox_scan)(struct state *s, struct outbox_scan *scan);
    /* The first row in CLASS_OPEN whose receipt is of this store and (term, commit) >= the one given,
     * in order of (term, commit, order number); with an equal (term, commit) only order numbers > after.
     * NOT_FOUND with *out zero when there is none. */
    enum status (*outbox_receipt)(struct state *s, struct store_id store, struct term term,
                                  uint64_t commit, uint64_t after, struct outbox_row *out);

    /* Adds the row unless (sender_device, id) is known: *added tells. row->order is given; of a known one
     * order and shown are those that it has. */
    enum status (*inbox_put)(struct state *s, struct inbox_row *row, bool *added);
    /* Bodies in the arena. */
    enum status (*inbox_scan)(struct state *s, struct inbox_scan *scan, struct arena *a);
    /* inbox_find: the row of (sender device, id), without body and head; NOT_FOUND with *out zero. */
    enum status (*inbox_find)(struct state *s, struct device_id sender, struct message_id id, struct inbox_row *out);
    /* inbox_open: what a closed row becomes: *row is as it was scanned or found, with body, head, sent_to, counter and
     * missing new; NOT_FOUND where it is not closed.
     * inbox_drop: a closed row that does not open; OK where there is none. */
    enum status (*inbox_open)(struct state *s, const struct inbox_row *row);
    enum status (*inbox_drop)(struct state *s, uint64_t order);
    /* Marks shown, and no more withheld. NOT_FOUND, also where it is closed. Again: OK. */
    enum status (*inbox_show)(struct state *s, uint64_t order);
    /* inbox_withhold: marks shown and withheld; NOT_FOUND, also where it is closed or shown. inbox_release: neither any more; NOT_FOUND,
     * also where it is not withheld. */
    enum status (*inbox_withhold)(struct state *s, uint64_t order);
    enum status (*inbox_release)(struct state *s, uint64_t order);

    /* put replaces. scan: ascending, at most max. drop: all up to and including the position. */
    enum status (*ack_put)(struct state *s, const struct pending_ack *in);
    enum status (*ack_scan)(struct state *s, struct pending_ack *out, size_t max, size_t *count);
    enum status (*ack_drop)(struct state *s, struct position up_to);

    /* The newest term of a store up to which our receipts have been compared. NOT_FOUND with *out zero. */
    enum status (*term_get)(struct state *s, struct store_id store, struct term *out);
    enum status (*term_put)(struct state *s, struct store_id store, struct term term);

    /* All rows go; order numbers are not given again, and what opens the home stays. */
    enum status (*clear)(struct state *s);
    /* *more: at least one kind stopped at row_max. */
    enum status (*prune)(struct state *s, const struct state_prune *limits, bool *more);
};

/* Every backend's struct starts with this. open belongs to state.c: 0 = no transaction, else 1 + mode. */
struct state {
    const struct state_ops *ops;
    unsigned open;
};

/* state_*: as the ops say; they check the rules (transaction open and of the right mode, bounds) so
 * that a backend need not. */
enum status state_begin(struct state *s, enum state_mode mode) MUST_USE;
enum status state_commit(struct state *s) MUST_USE;
void state_rollback(struct state *s);
/* state_close: NULL-safe, nulls. */
void state_close(struct state **s);

enum status state_clear(struct state *s) MUST_USE;
enum status state_identity_get(struct state *s, struct arena *a,
                               struct state_identity *out) MUST_USE;
enum status state_identity_put(struct state *s, const struct state_identity *in) MUST_USE;
enum status state_secrets_get(struct state *s, struct device_secrets *out) MUST_USE;
enum status state_secrets_put(struct state *s, const struct device_secrets *in) MUST_USE;
enum status state_setting_get(struct state *s, const char *name, struct arena *a,
                              struct view *out) MUST_USE;
enum status state_setting_put(struct state *s, const char *name, struct view value) MUST_USE;
#define STATE_COPIED_SETTING "home_copied" /* one byte until the user has seen that this home was copied or set back */
enum status state_handle_get(struct state *s, struct view handle, struct account_id *out) MUST_USE;
enum status state_handle_put(struct state *s, struct view handle,
                             struct account_id account) MUST_USE;
enum status state_contact_get(struct state *s, struct account_id account,
                              struct contact *out) MUST_USE;
enum status state_contact_put(struct state *s, const struct contact *in) MUST_USE;
enum status state_contact_next(struct state *s, struct account_id after, struct account_id *out) MUST_USE;
enum status state_kept_key_get(struct state *s, enum kept_key which, uint8_t out[32]) MUST_USE;
enum status state_kept_key_put(struct state *s, enum kept_key which, const uint8_t *key) MUST_USE;
enum status state_contact_handle(struct state *s, struct account_id account, struct arena *a,
                                 struct view *out) MUST_USE;
enum status state_entry_put(struct state *s, struct account_id account, uint64_t number,
                            struct view entry) MUST_USE;
enum status state_entry_scan(struct state *s, struct arena *a, struct entry_scan *scan) MUST_USE;
enum status state_prekey_put(struct state *s, const struct state_prekey *in) MUST_USE;
enum status state_prekey_get(struct state *s, enum prekey_kind kind, uint64_t id,
                             struct state_prekey *out) MUST_USE;
enum status state_prekey_last(struct state *s, enum prekey_kind kind, uint64_t *id) MUST_USE;
enum status state_prekey_drop(struct state *s, enum prekey_kind kind, uint64_t id) MUST_USE;
enum status state_prekey_prune(struct state *s, enum prekey_kind kind, uint64_t before_ms) MUST_USE;
enum status state_prekey_forget(struct state *s, enum prekey_kind kind, uint64_t keep_from) MUST_USE;
enum status state_verdict_get(struct state *s, struct account_id account, struct state_verdict *out) MUST_USE;
enum status state_verdict_put(struct state *s, const struct state_verdict *in) MUST_USE;
enum status state_verdict_scan(struct state *s, struct verdict_scan *scan) MUST_USE;
enum status state_verdict_count(struct state *s, enum verdict_which which, uint64_t *out) MUST_USE;
enum status state_outbox_put(struct state *s, struct outbox_row *row) MUST_USE;
enum status state_outbox_get(struct state *s, uint64_t order, struct outbox_row *out) MUST_USE;
enum status state_outbox_find_key(struct state *s, const struct message_key *key,
                                  struct outbox_row *out) MUST_USE;
enum status state_outbox_find_id(struct state *s, struct message_id id,
                                 struct outbox_row *out) MUST_USE;
enum status state_outbox_copy(struct state *s, uint64_t message, struct outbox_row *out) MUST_USE;
enum status state_outbox_find_copy(struct state *s, struct message_id id, struct outbox_row *out) MUST_USE;
enum status state_body_get(struct state *s, uint64_t order, struct arena *a,
                           struct outbox_body *out) MUST_USE;
enum status state_body_put(struct state *s, uint64_t order, const struct outbox_body *in) MUST_USE;
enum status state_outbox_scan(struct state *s, struct outbox_scan *scan) MUST_USE;
enum status state_outbox_receipt(struct state *s, struct store_id store, struct term term,
                                 uint64_t commit, uint64_t after, struct outbox_row *out) MUST_USE;
enum status state_inbox_put(struct state *s, struct inbox_row *row, bool *added) MUST_USE;
enum status state_inbox_scan(struct state *s, struct inbox_scan *scan, struct arena *a) MUST_USE;
enum status state_inbox_show(struct state *s, uint64_t order) MUST_USE;
enum status state_inbox_withhold(struct state *s, uint64_t order) MUST_USE;
enum status state_inbox_release(struct state *s, uint64_t order) MUST_USE;
enum status state_ack_put(struct state *s, const struct pending_ack *in) MUST_USE;
enum status state_ack_scan(struct state *s, struct pending_ack *out, size_t max,
                           size_t *count) MUST_USE;
enum status state_ack_drop(struct state *s, struct position up_to) MUST_USE;
enum status state_term_get(struct state *s, struct store_id store, struct term *out) MUST_USE;
enum status state_term_put(struct state *s, struct store_id store, struct term term) MUST_USE;
enum status state_session_put(struct state *s, struct state_session *in) MUST_USE;
enum status state_session_scan(struct state *s, struct session_scan *scan) MUST_USE;
enum status state_session_drop(struct state *s, uint64_t number) MUST_USE;
enum status state_sessions_retire(struct state *s) MUST_USE;
enum status state_skipped_put(struct state *s, uint64_t session, const struct skipped *in) MUST_USE;
enum status state_skipped_get(struct state *s, uint64_t session, const struct ratchet_place *place,
                              struct message_sk *out) MUST_USE;
enum status state_skipped_drop(struct state *s, uint64_t session, const struct ratchet_place *place) MUST_USE;
enum status state_skipped_trim(struct state *s, uint64_t session, size_t keep) MUST_USE;
enum status state_start_put(struct state *s, const struct prekey_pk *ephemeral, uint64_t made_ms) MUST_USE;
enum status state_start_known(struct state *s, const struct prekey_pk *ephemeral, bool *known) MUST_USE;
enum status state_start_prune(struct state *s, uint64_t before_ms) MUST_USE;
enum status state_counter_get(struct state *s, enum state_counter kind, struct view key, uint64_t *out) MUST_USE;
enum status state_counter_put(struct state *s, enum state_counter kind, struct view key, uint64_t value) MUST_USE;
enum status state_inbox_find(struct state *s, struct device_id sender, struct message_id id,
                             struct inbox_row *out) MUST_USE;
enum status state_inbox_open(struct state *s, const struct inbox_row *row) MUST_USE;
enum status state_inbox_drop(struct state *s, uint64_t order) MUST_USE;
enum status state_prune(struct state *s, const struct state_prune *limits, bool *more) MUST_USE;

#endif
