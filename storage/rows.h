/* rows: every key and every value that storage writes, encode and decode side by side (STORAGE,
 * rows). A key is: kind (1 byte), partition (2), then what the kind needs, all big-endian, so that
 * one mailbox, one claim group, one partition is one range. A value starts with a format version. */
#ifndef SEALMQ_STORAGE_ROWS_H
#define SEALMQ_STORAGE_ROWS_H

#include "broker/wire/identity_log.h"
#include "broker/wire/states.h"
#include "storage/store.h"

enum row_kind {
    ROW_ENVELOPE = 'M', /* payload: one open delivery in a mailbox */
    ROW_PARKED = 'P',   /* payload: one failed delivery, out of the mailbox */
    ROW_CLAIM = 'C',    /* routing: idempotency record of one send */
    ROW_PAGE = 'Q',     /* routing: idempotency records of one sender, of one turn */
    ROW_RUN = 'R',      /* routing: consecutive settled deliveries */
    ROW_OUTCOME = 'O',  /* routing: every other outcome, failures and moves */
    ROW_DEVICE = 'D',   /* routing: mailbox summary (a hint) and what must not be forgotten */
    ROW_WAKE = 'W',     /* routing: one coalesced wake-up of an offline device */
    ROW_ACCOUNT = 'A',  /* identity: what an account's log says */
    ROW_ENTRY = 'L',    /* identity: one entry of it, as signed */
    ROW_HANDLE = 'H',   /* identity */
    ROW_HOLD = 'X',     /* identity: what of an account an operator holds */
    ROW_WATCH = 'J',    /* identity: when an account's devices changed, as far as that is near */
    ROW_PREKEYS = 'K',  /* identity: a device's prekeys that nobody has claimed */
    ROW_POLICY = 'B',   /* identity: how an account takes what strangers send */
    ROW_CONTACT = 'Y',  /* identity: what an account has said of another one */
    ROW_FENCE = 'V',    /* routing: a revoked device of which something may be left */
    ROW_BACKUP = 'G',   /* identity: which backup an account has, and which comes in */
    ROW_BACKUP_PART = 'g', /* identity: a part of one */
    ROW_STORE = 'S',    /* identity: the store's own id */
    ROW_COMMIT = 'N',   /* identity: (term, commit) of the last group */
    ROW_TERM = 'T',     /* identity: ended terms */
    ROW_EVENT = 'E',    /* events */
};

/* 3: whole identity logs; 2: SHA-256 in claims and envelopes, and pages. Rows of earlier versions, which were never
 * released, are damage. */
#define ROW_VERSION 3u

/* ---- keys ---- */
struct store_key key_mailbox(enum row_kind kind, uint16_t home, struct device_id device);
struct store_key key_position(enum row_kind kind, uint16_t home, struct device_id device,
                              struct position at);
/* key_position_read: the position at the end of a key_position or run key. */
enum status key_position_read(struct view key, struct device_id *device,
                              struct position *at) MUST_USE;
struct store_key key_claim(struct device_id sender, struct target_id target, struct message_id id,
                           uint32_t attempt);
enum status key_claim_read(struct view key, struct message_ref *ref, uint32_t *attempt) MUST_USE;
/* key_page: by the highest id in it; its second part is no home but the sender's first 12 bits. */
struct store_key key_page(struct device_id sender, struct message_id last);
enum status key_page_read(struct view key, struct device_id *sender, struct message_id *last) MUST_USE;
struct store_key key_device(enum row_kind kind, uint16_t home, struct device_id device);
struct store_key key_account(struct account_id account);
struct store_key key_entry(struct account_id account, uint64_t number);
struct store_key key_handle(struct view handle);
struct store_key key_hold(struct account_id account);
enum status key_hold_read(struct view key, struct account_id *account) MUST_USE;
struct store_key key_watch(struct account_id account);
struct store_key key_policy(struct account_id account);
struct store_key key_contact(struct account_id account, struct account_id other);
/* key_contact_read: whose it is, and of whom. OK, DAMAGED. */
enum status key_contact_read(struct view key, struct account_id *account, struct account_id *other) MUST_USE;
struct store_key key_backup(struct account_id account);
struct store_key key_backup_part(struct account_id account, uint64_t version, uint32_t part);
struct store_key key_single(enum row_kind kind);
struct store_key key_term(struct term term);
struct store_key key_event(uint64_t written_ms, uint64_t number); /* store time: it never goes back */
/* key_after: the smallest key above `key`; key_end: the smallest key above all that start with it. */
struct store_key key_after(struct view key);
struct store_key key_end(struct view prefix);
struct view key_view(const struct store_key *key);
uint64_t key_event_number(struct view key);

/* ---- values; *_write appends to an arena and returns the view ---- */

struct envelope_row { /* head; the ciphertext follows it in the row */
    struct account_id sender_account;
    struct device_id sender_device;
    struct target_id target;
    struct message_id id;
    uint64_t accepted_ms, expires_ms;
    uint32_t attempt;
    bool sealed;
    bool timed; /* its sender gave it a time to live */
    struct hash256 hash; /* of the ciphertext */
    struct position origin; /* of one offered again: its first place, which its claim names; seq 0 = here */
    bool stamped;           /* it has a commitment, and the relay's stamp over it; else these are zero */
    struct hash256 commitment;
    uint32_t stamp_key;
    struct mac256 stamp;
};
#define ENVELOPE_HEAD_LEN   152u
#define ENVELOPE_ORIGIN_LEN 24u /* follows the head of one offered again */
#define ENVELOPE_STAMP_LEN  68u /* follows these where stamped */
struct view envelope_row_write(struct arena *a, const struct envelope_row *row);
enum status envelope_row_read(struct view value, struct envelope_row *row,
                              struct view *ciphertext) MUST_USE;

struct claim_row {
    uint64_t accepted_ms, expires_ms;
    struct hash256 digest;
    struct view answer; /* encoded msg_accepted */
};
struct view claim_row_write(struct arena *a, const struct claim_row *row);
enum status claim_row_read(struct view value, struct claim_row *row) MUST_USE;

/* Claims of one sender, ascending by id: `row` is each one's claim_row. At most PAGE_CLAIMS_MAX are written;
 * page_row_read borrows the value and takes the list from the arena. OK, DAMAGED. */
#define PAGE_CLAIMS_MAX 256u
struct page_claim {
    struct target_id target;
    struct message_id id;
    struct view row;
};
struct view page_row_write(struct arena *a, const struct page_claim *claims, size_t count);
enum status page_row_read(struct view value, struct arena *a, struct page_claim **claims,
                          size_t *count) MUST_USE;
/* page_row_find: the claim_row in it. OK, NOT_FOUND, DAMAGED. */
enum status page_row_find(struct view value, struct target_id target, struct message_id id,
                          struct view *row) MUST_USE;

struct run_row { uint64_t first, at_ms; }; /* key: position of the last */
struct view run_row_write(struct arena *a, const struct run_row *row);
enum status run_row_read(struct view value, struct run_row *row) MUST_USE;

struct outcome_row {
    uint32_t state;    /* failed, or none when there is an outcome or a move */
    uint32_t outcome;
    uint32_t reason;
    uint64_t at_ms;
    uint64_t client_version;
    struct position moved_to; /* offered again, last at this place; superseded: the resend's; seq 0 = not moved */
    uint32_t attempt;         /* superseded: the resend's */
    struct hash256 commitment; /* failed: of what was parked, as far as it is known; all zero = none */
    struct view report;        /* failed: the device's own word, an encoded msg_report; or empty */
};
/* outcome_row_read: the report borrows the value. */
struct view outcome_row_write(struct arena *a, const struct outcome_row *row);
enum status outcome_row_read(struct view value, struct outcome_row *row) MUST_USE;

#define GAP_REASONS 6u
struct device_row {
    struct account_id account;
    struct position head;      /* nothing open before it */
    struct position delivered; /* the device has everything up to it */
    uint64_t count, bytes;     /* open (a hint) */
    uint64_t parked;
    uint64_t last_seen_ms, client_version;
    uint64_t gap_number;
    uint64_t gaps[GAP_REASONS]; /* not yet told, by enum gap_reason */
    uint8_t lineage[LINEAGE_LEN_MAX]; /* the last marks that the device told, the oldest first; never looked into */
    size_t lineage_len;
    uint64_t revoked_ms;       /* its fence: what is open behind it has the outcome `revoked`; 0 = none */
    uint64_t copied, copied_ms; /* how often it has said that its home was copied or set back, and when last; 0 = never */
};
struct view device_row_write(struct arena *a, const struct device_row *row);
enum status device_row_read(struct view value, struct device_row *row) MUST_USE;

struct wake_row {
    struct account_id account;
    uint64_t since_ms, due_ms, lease_until_ms;
    uint32_t attempt;
};
struct view wake_row_write(struct arena *a, const struct wake_row *row);
enum status wake_row_read(struct view value, struct wake_row *row) MUST_USE;

struct view account_row_write(struct arena *a, const struct identity_log *log);
enum status account_row_read(struct view value, struct identity_log *log) MUST_USE;
/* entry_row_read: borrows the value. */
struct view entry_row_write(struct arena *a, struct view entry);
enum status entry_row_read(struct view value, struct view *entry) MUST_USE;

struct handle_row { /* as claimed */
    struct account_id account;
    struct signature signature;
    struct view entry; /* the account's first one */
    struct view token; /* the product's word for it, an encoded msg_token; or empty */
};
struct view handle_row_write(struct arena *a, const struct handle_row *row);
enum status handle_row_read(struct view value, struct handle_row *row) MUST_USE;

#define HOLDS_MAX (DEVICES_EVER_MAX + 1u) /* of an account: it, and each device */
struct hold {
    struct device_id device; /* all zero = the whole account */
    uint32_t reason;         /* enum hold_reason */
    uint64_t since_ms;
};
struct hold_row { /* at least one; none = no row */
    struct hold holds[HOLDS_MAX];
    size_t count;
};
struct view hold_row_write(struct arena *a, const struct hold_row *row);
enum status hold_row_read(struct view value, struct hold_row *row) MUST_USE;

struct watch_row { /* store time; 0 = never */
    uint64_t ended_ms;      /* a device was suspended or revoked */
    uint64_t recovered_ms;  /* the recovery key signed something */
    uint64_t changed_ms[2]; /* recipients came or went: the last time, and the one before */
    struct { struct device_id device; uint64_t at_ms; } joined[DEVICES_EVER_MAX]; /* not long ago, the oldest first */
    size_t joined_count;
    uint64_t split_ms, split_number; /* a client held another entry at this place; told then (history.h) */
    uint64_t restored_ms, restored;  /* entries that came back from clients */
};
struct view watch_row_write(struct arena *a, const struct watch_row *row);
enum status watch_row_read(struct view value, struct watch_row *row) MUST_USE;

struct prekey_row {
    uint64_t signed_id, last_resort_id; /* 0 = none */
    uint64_t one_time_highest;          /* ever taken */
    struct view current, last_resort;   /* encoded msg_signed_prekey */
    struct msg_one_time_prekey one_time[ONE_TIME_PREKEYS_MAX]; /* ascending */
    size_t one_time_count;
};
/* prekey_row_read: the views borrow the value. */
struct view prekey_row_write(struct arena *a, const struct prekey_row *row);
enum status prekey_row_read(struct view value, struct prekey_row *row) MUST_USE;

/* Strangers who have sent something, and of whom nothing is said yet. */
struct policy_ask {
    struct account_id account;
    uint64_t at_ms;    /* of the first message */
    uint32_t messages;
};
struct policy_row {
    uint32_t mode;    /* enum contact_mode */
    uint64_t version; /* grows with every change that the account makes */
    uint32_t count;   /* of its contact rows */
    struct policy_ask asks[REQUEST_SENDERS_MAX];
    size_t ask_count;
};
struct view policy_row_write(struct arena *a, const struct policy_row *row);
enum status policy_row_read(struct view value, struct policy_row *row) MUST_USE;

struct contact_row { uint32_t verdict; uint64_t at_ms; }; /* allowed or blocked, and since when */
struct view contact_row_write(struct arena *a, const struct contact_row *row);
enum status contact_row_read(struct view value, struct contact_row *row) MUST_USE;
struct backup_row { /* versions 0 = none; coming is not whole yet */
    struct msg_backup_has has;
    uint32_t coming_of;
    struct device_id by; /* has put the newest; all zero = not known */
};
/* part_row_read: of a part, which bytes_row_write has written: borrows the value; DAMAGED for none, too. */
enum status part_row_read(struct view value, struct view *bytes) MUST_USE;
struct view backup_row_write(struct arena *a, const struct backup_row *row);
enum status backup_row_read(struct view value, struct backup_row *row) MUST_USE;

/* Plain ones: store -> store id; commit -> term, commit, store time,
 * highest message id accepted; term -> end, ended_ms. */
struct view bytes_row_write(struct arena *a, struct view bytes);
enum status bytes_row_read(struct view value, void *out, size_t len) MUST_USE;
struct commit_row { struct term term; uint64_t commit, at_ms; struct message_id newest; };
struct view commit_row_write(struct arena *a, const struct commit_row *row);
enum status commit_row_read(struct view value, struct commit_row *row) MUST_USE;
struct term_row { uint64_t end, ended_ms; };
struct view term_row_write(struct arena *a, const struct term_row *row);
enum status term_row_read(struct view value, struct term_row *row) MUST_USE;

#endif
