/* states: the words for what becomes of a message, as numbers on the wire and names for people.
 * The transition tables are where the state is kept: storage/delivery.c, clients/message.c. */
#ifndef SEALMQ_WIRE_STATES_H
#define SEALMQ_WIRE_STATES_H

#include <stdint.h>

/* Delivery: one envelope for one device. */
#define DELIVERY_STATE_LIST(X)                                                                     \
    X(NONE, 0, "none")           /* no such delivery */                                            \
    X(QUEUED, 1, "queued")       /* in the mailbox */                                              \
    X(OFFERED, 2, "offered")     /* sent to an attached session, not yet acknowledged */           \
    X(DELIVERED, 3, "delivered") /* the device says it has the bytes */                            \
    X(DECRYPTED, 4, "decrypted") /* the device says it could open (or its application took) it */  \
    X(FAILED, 5, "failed")       /* parked: the device could not open it */

#define OUTCOME_LIST(X)                                                                            \
    X(OPEN, 0, "open")                                                                             \
    X(SETTLED, 1, "settled")                                                                       \
    X(EXPIRED, 2, "expired")                                                                       \
    X(OVER_QUOTA, 3, "over_quota")                                                                 \
    X(REVOKED, 4, "revoked")                                                                       \
    X(REMOVED, 5, "removed")                                                                       \
    X(REPLACED, 6, "superseded")                                                                   \
    X(DEAD, 7, "dead")                                                                             \
    X(LOST, 8, "lost")

#define FAIL_REASON_LIST(X)                                                                        \
    X(NONE, 0, "none")                                                                             \
    X(HELD, 1, "held")       /* cannot be opened yet: old client version, locked store */          \
    X(BROKEN, 2, "broken")   /* does not open */                                                   \
    X(DAMAGED, 3, "damaged") /* the relay's copy fails its check */

/* Why a device could not open a sealed message, in its report. */
#define REPORT_CAUSE_LIST(X)                                                                       \
    X(NONE, 0, "none")                                                                             \
    X(VERSION, 1, "version")       /* made by a later version: held */                             \
    X(LOCKED, 2, "locked")         /* the device's store is locked: held */                        \
    X(FORM, 3, "form")             /* does not follow the format */                                \
    X(SENDER, 4, "sender")         /* the sender's keys are not in its account's log */            \
    X(SESSION, 5, "session")       /* no session that it belongs to */                             \
    X(PREKEY, 6, "prekey")         /* begins a session with a prekey that is gone */               \
    X(REPLAY, 7, "replay")         /* begins a session, or uses a key, for the second time */      \
    X(FAR, 8, "far")               /* too far ahead in its session */                              \
    X(AUTHENTICATION, 9, "authentication") /* does not open under its key */                       \
    X(COMMITMENT, 10, "commitment") /* opens, and is not what the commitment says */

/* Why an operator holds an account or a device; UNREADABLE is the relay's own: what it has cannot be read. */
#define HOLD_REASON_LIST(X)                                                                        \
    X(NONE, 0, "none")                                                                             \
    X(OTHER, 1, "other")                                                                           \
    X(TAKEOVER, 2, "takeover")                                                                     \
    X(ABUSE, 3, "abuse")                                                                           \
    X(LEGAL, 4, "legal")                                                                           \
    X(UNREADABLE, 5, "unreadable")

/* What an entry of an identity log did, as operators are told. */
#define IDENTITY_CHANGE_LIST(X)                                                                    \
    X(NONE, 0, "identity_changed")                                                                 \
    X(ENROLLED, 1, "device_enrolled")                                                              \
    X(SUSPENDED, 2, "device_suspended")                                                            \
    X(RESUMED, 3, "device_resumed")                                                                \
    X(REVOKED, 4, "device_revoked")                                                                \
    X(REPLACED, 5, "device_replaced")                                                              \
    X(RECOVERY_SET, 6, "recovery_set")                                                             \
    X(RECOVERY_USED, 7, "recovery_used")

/* What may be odd about it (storage/risk.c): a bit of a set. X(NAME, bit, "name", level) */
#define RISK_LIST(X)                                                                               \
    X(SIGNER_NEW, 0, "signer_is_new", ELEVATED)         /* signed by a device of less than an hour */ \
    X(THIRD_CHANGE, 1, "third_change_in_a_day", ELEVATED)                                          \
    X(AFTER_RECOVERY, 2, "after_recovery", ELEVATED)    /* a device joins within a day of it */    \
    X(BESIDE_AN_END, 3, "another_was_ended", HIGH)      /* a device joins within an hour of that */ \
    X(ENDED_BY_NEW, 4, "ended_by_a_new_device", HIGH)   /* that has been there for less than an hour */ \
    X(RECOVERY_REPLACED, 5, "recovery_replaced", ELEVATED)

#define GAP_REASON_LIST(X)                                                                         \
    X(NONE, 0, "none")                                                                             \
    X(QUOTA, 1, "over_quota")                                                                      \
    X(EXPIRED, 2, "expired")                                                                       \
    X(DAMAGED, 3, "damaged")                                                                       \
    X(LOST, 4, "lost")                                                                             \
    X(SUSPENDED, 5, "suspended")

/* Whom an account's relay lets write to it (PROTOCOL 7.6). */
#define CONTACT_MODE_LIST(X)                                                                       \
    X(UNCHANGED, 0, "unchanged") /* in a request: as it is */                                      \
    X(OPEN, 1, "open")           /* everybody who is not blocked */                                \
    X(REQUESTS, 2, "requests")   /* who is allowed; of others a request */

#define CONTACT_VERDICT_LIST(X)                                                                    \
    X(NONE, 0, "none")                                                                             \
    X(ALLOWED, 1, "allowed")                                                                       \
    X(BLOCKED, 2, "blocked")

/* What a store, and so its worker, may do at present; the transitions are in storage/state.c. */
#define STORE_STATE_LIST(X)                                                                        \
    X(COLLECTING, 0, "collecting") /* asks the brokers for their sessions; answers busy */         \
    X(SERVING, 1, "serving")                                                                       \
    X(READONLY, 2, "readonly")     /* the disk is nearly full: delivers and deletes, accepts       \
                                      nothing new */                                               \
    X(DRAINING, 3, "draining")     /* finishes what is queued, takes nothing more */

/* Why the broker ended a connection at its edge, or shed it as it came; the limits are in broker/guard.h. */
#define CUT_REASON_LIST(X)                                                                         \
    X(NONE, 0, "none")                                                                             \
    X(BANNED, 1, "banned")               /* shed: the address offended too often */                \
    X(ADDRESS_FULL, 2, "address_full")   /* shed: too many connections of one address */           \
    X(ADDRESS_SILENT, 3, "address_silent") /* shed: too many of one address have said nothing yet */ \
    X(HALF_OPEN, 4, "half_open")         /* shed: too many of all have said nothing yet */         \
    X(CONNECTIONS, 5, "connections")     /* shed: broker.connections are there */                  \
    X(DESCRIPTORS, 6, "descriptors")     /* shed: the process is short of descriptors */           \
    X(SILENT, 7, "silent")               /* no first frame in time */                              \
    X(UNFINISHED, 8, "unfinished")       /* too many bytes of one message that does not end */     \
    X(UNFINISHED_ALL, 9, "unfinished_all") /* the same over all connections: the largest */        \
    X(UNREAD, 10, "unread")              /* does not read what is sent */                          \
    X(ROUTING_ID, 11, "routing_id")      /* chose its ZeroMQ routing id */                         \
    X(PARTS, 12, "parts")                /* sent a message of several parts */                     \
    X(NO_KEY, 13, "no_key")              /* a frame without a verified key */                      \
    X(SESSION, 14, "session")            /* the broker's own wish, e.g. a revoked device */

enum cut_reason {
#define X(NAME, code, text) CUT_##NAME = code,
    CUT_REASON_LIST(X)
#undef X
    CUT_REASONS
};
enum delivery_state {
#define X(NAME, code, text) DELIVERY_##NAME = code,
    DELIVERY_STATE_LIST(X)
#undef X
};
enum outcome {
#define X(NAME, code, text) OUTCOME_##NAME = code,
    OUTCOME_LIST(X)
#undef X
};
enum fail_reason {
#define X(NAME, code, text) FAIL_##NAME = code,
    FAIL_REASON_LIST(X)
#undef X
};
enum report_cause {
#define X(NAME, code, text) CAUSE_##NAME = code,
    REPORT_CAUSE_LIST(X)
#undef X
};
enum hold_reason {
#define X(NAME, code, text) HOLD_##NAME = code,
    HOLD_REASON_LIST(X)
#undef X
};
enum identity_change {
#define X(NAME, code, text) CHANGED_##NAME = code,
    IDENTITY_CHANGE_LIST(X)
#undef X
};
enum risk_level { RISK_LOW, RISK_ELEVATED, RISK_HIGH };
enum risk {
#define X(NAME, bit, text, level) RISK_##NAME = bit,
    RISK_LIST(X)
#undef X
    RISKS
};
enum gap_reason {
#define X(NAME, code, text) GAP_##NAME = code,
    GAP_REASON_LIST(X)
#undef X
};
enum contact_mode {
#define X(NAME, code, text) CONTACT_MODE_##NAME = code,
    CONTACT_MODE_LIST(X)
#undef X
    CONTACT_MODES
};
enum contact_verdict {
#define X(NAME, code, text) CONTACT_##NAME = code,
    CONTACT_VERDICT_LIST(X)
#undef X
    CONTACT_VERDICTS
};
enum store_state {
#define X(NAME, code, text) STORE_##NAME = code,
    STORE_STATE_LIST(X)
#undef X
    STORE_STATES
};

/* What explain() may say; closed. */
#define EXPLAIN_LIST(X)                                                                            \
    X(NEVER_ACCEPTED, 1, "never_accepted", "the relay never accepted a message with this reference") \
    X(OLDER_THAN_RETENTION, 2, "older_than_retention", "the record has been deleted, as promised")   \
    X(WAITING_OFFLINE, 3, "waiting_offline", "stored; the device has not been online since")         \
    X(WAITING_SLOW, 4, "waiting_slow", "stored; the device is online but does not acknowledge")      \
    X(OFFERED, 5, "offered", "sent to the device a moment ago; no acknowledgement yet")              \
    X(DELIVERED, 6, "delivered", "the device has it, and has not opened it yet")                     \
    X(SETTLED, 7, "settled", "the device has taken it")                                              \
    X(FAILED_HELD, 8, "failed_held", "the device cannot open it yet (old app version or locked)")    \
    X(FAILED_BROKEN, 9, "failed_broken", "the device could not open it; the sender can resend")      \
    X(FAILED_DAMAGED, 10, "failed_damaged", "the relay's copy was damaged; the sender will resend")  \
    X(EXPIRED, 11, "expired", "its time to live passed before the device came")                      \
    X(OVER_QUOTA, 12, "over_quota", "the device's mailbox was full")                                 \
    X(REVOKED, 13, "revoked", "the device was removed from the account")                             \
    X(REMOVED, 14, "removed", "the account left or was deleted")                                     \
    X(REPLACED, 15, "superseded", "replaced by a resend")                                            \
    X(DEAD, 16, "dead", "given up after repeated failures")                                          \
    X(LOST, 17, "lost", "the relay's disk lost it; engineering has been alarmed")                    \
    X(NO_SUCH_DEVICE, 18, "no_such_device", "the message was not addressed to this device")          \
    X(WAITING_SUSPENDED, 19, "waiting_suspended", "stored; its account has suspended the device")    \
    X(WAITING_ON_HOLD, 20, "waiting_on_hold", "stored; an operator has put the device, or its account, on hold") \
    X(WAITING_AWAY, 21, "waiting_away",                                                              \
      "stored; the device has been online since, and is not connected to receive at present")

enum explain_code {
#define X(NAME, code, text, meaning) EXPLAIN_##NAME = code,
    EXPLAIN_LIST(X)
#undef X
};

/* Names: static text; "?" outside the list. */
const char *delivery_state_name(uint64_t code);
const char *outcome_name(uint64_t code);
const char *fail_reason_name(uint64_t code);
const char *report_cause_name(uint64_t code);
/* report_cause_meaning: for support; "" for none and outside the list. */
const char *report_cause_meaning(uint64_t code);
const char *gap_reason_name(uint64_t code);
const char *hold_reason_name(uint64_t code);
const char *identity_change_name(uint64_t code);
const char *risk_name(uint64_t bit);
/* risk_level: the highest of the rules in the set. risk_level_name: "low", "elevated", "high". */
enum risk_level risk_level(uint64_t risks);
const char *risk_level_name(enum risk_level level);
const char *contact_mode_name(uint64_t code);
const char *contact_verdict_name(uint64_t code);
const char *store_state_name(uint64_t code);
const char *cut_reason_name(uint64_t code);
const char *explain_name(uint64_t code);
const char *explain_meaning(uint64_t code);

#endif
