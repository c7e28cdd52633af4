/* identity_log: an account's log: what its signed entries, one after the other, say about its devices and its
 * recovery key (PROTOCOL 6). Relay and clients run the same code over the same bytes, so that neither takes the
 * other's word. Knows no store, no clock, no session; nothing in it is secret. */
#ifndef SEALMQ_WIRE_IDENTITY_LOG_H
#define SEALMQ_WIRE_IDENTITY_LOG_H

#include "broker/wire/identity.h"

/* What an entry does, as in EntryBody.operation; ENTRY_CREATE is the first one's. */
enum entry_operation {
    ENTRY_ADD = 2,      /* a device joins */
    ENTRY_REVOKE,       /* one leaves for ever */
    ENTRY_SUSPEND,      /* one is no recipient for a while */
    ENTRY_RESUME,       /* and is one again */
    ENTRY_REPLACE,      /* one's identity or transport key is another from now on */
    ENTRY_SET_RECOVERY, /* the recovery key is set, or replaced by itself */
    ENTRY_DESCRIBE,     /* a name or other side data; opaque here */
};

/* entry_operation_name: static text such as "replace"; "?" outside the list. */
const char *entry_operation_name(unsigned operation);

/* entry_is_version: whether such an entry makes a new key version. */
bool entry_is_version(unsigned operation);

/* A device's standing in its account; revoked is for ever. */
enum standing { STANDING_ACTIVE = 1, STANDING_SUSPENDED, STANDING_REVOKED };

struct log_device {
    struct device_id id;
    struct msg_device_record record;
    enum standing standing;
    bool held_by_recovery; /* suspended by the recovery key: only that resumes it */
    uint64_t version;      /* the key version that changed it last */
};

/* What the log says after its newest entry. */
struct identity_log {
    struct account_id account;
    struct hash256 head;  /* the newest entry's hash */
    uint64_t length;      /* entries */
    uint64_t key_version; /* entries that changed who receives, or with which keys */
    struct hash256 version_head; /* the hash of the last of these: what a send names */
    bool has_recovery;
    struct signing_pk recovery;
    struct log_device devices[DEVICES_EVER_MAX]; /* in order of joining, revoked ones included */
    size_t device_count;
};

/* identity_log_open: the log of one entry that founds an account. *log is all zero after a failure.
 * OK; BAD_ENTRY; MALFORMED, TOO_LARGE (not the encoding). */
enum status identity_log_open(struct view entry, struct arena *a, struct identity_log *log) MUST_USE;

/* identity_log_append: the next entry: its number and previous hash must follow the head, its signer have the
 * authority (the table in the .c), its content be possible. *log is as it was after a failure. OK; STATE: it follows
 * another head (older, or of a fork); REFUSED: the signer may not do that; BAD_ENTRY: signature, content or
 * encoding; TOO_LARGE: a bound (PROTOCOL 6.2, the last line) or the encoding; MALFORMED. */
enum status identity_log_append(struct identity_log *log, struct view entry,
                                struct arena *a) MUST_USE;

/* identity_log_state: how far it has come, as messages say it; all zero for a log that is all zero. */
struct msg_log_state identity_log_state(const struct identity_log *log);

/* identity_log_write: appends what the log says as bytes, for a store that trusts itself; identity_log_read takes the
 * whole of them. OK; DAMAGED with *log all zero. Format 1: IDENTITY_LOG_HEAD_LEN bytes (format, device count, recovery
 * flag, account, head, length, key version, version head, recovery key), then IDENTITY_LOG_DEVICE_LEN a device. */
#define IDENTITY_LOG_HEAD_LEN   147u
#define IDENTITY_LOG_DEVICE_LEN 122u
void identity_log_write(const struct identity_log *log, struct buffer *out);
enum status identity_log_read(struct view bytes, struct identity_log *log) MUST_USE;

/* entry_head_of: the hash of the entry with this number; of the first one it is the account id. */
struct hash256 entry_head_of(struct view entry, uint64_t number);

/* identity_log_device: NULL = never was in it. identity_log_active: how many devices receive. */
const struct log_device *identity_log_device(const struct identity_log *log, struct device_id id);
size_t identity_log_active(const struct identity_log *log);

/* An entry to be made; what its operation does not need stays zero. */
struct entry_plan {
    enum entry_operation operation;
    uint64_t made_ms;                 /* Unix ms */
    struct device_id signer;          /* all zero: the recovery key signs */
    struct device_id subject;         /* revoke, suspend, resume, describe */
    struct msg_device_record record;  /* add, replace */
    struct signature proof;           /* add: device_prove */
    struct signing_pk recovery;       /* set_recovery */
    struct view data;                 /* describe: up to 256 bytes */
};

/* identity_log_make: writes the encoded entry that follows *log, signed by signing_sk (libsodium's 64 bytes). It may be
 * one that identity_log_append refuses: nothing is checked. */
void identity_log_make(const struct identity_log *log, const struct entry_plan *plan,
                       const uint8_t signing_sk[64], struct buffer *out);

/* device_prove: a device's consent to join this account with these keys, by its own signing key: Ed25519 over
 * ("sealmq device proof 1" NUL, account, signing, identity, transport). It stays good until the device has joined:
 * a device that was once in an account never joins it again, and no key of its present ones does. */
void device_prove(struct account_id account, const struct msg_device_record *record,
                  const uint8_t signing_sk[64], struct signature *out);

/* exchange_key_good: not zero, and of no small order: all that can be told of a key exchange's public key. */
bool exchange_key_good(const uint8_t pk[32]);

#endif
