/* event: the typed, content-free operational record, the only thing that SealMQ ever logs. Fields
 * are numbers, closed enumerations, versions and keyed hashes of ids. There is no way to put bytes,
 * a peer's string or a secret into one; a test proves that trying does not compile. */
#ifndef SEALMQ_WIRE_EVENT_H
#define SEALMQ_WIRE_EVENT_H

#include "broker/wire/ids.h"
#include "broker/wire/status.h"

enum event_level { LEVEL_INFO, LEVEL_WARN, LEVEL_ALARM };

/* X(NAME, code, "name", level, "what `code` is", "what `count` is", "what `value` is") */
#define EVENT_LIST(X)                                                                              \
    X(PROCESS_STARTED, 1, "process_started", INFO, "role", "", "")                                 \
    X(PROCESS_DRAINING, 2, "process_draining", INFO, "role", "", "")                               \
    X(PROCESS_STOPPED, 3, "process_stopped", INFO, "role", "", "")                                 \
    X(PROCESS_DIED, 4, "process_died", ALARM, "role", "restarts", "signal or exit code")           \
    X(STORE_OPENED, 10, "store_opened", INFO, "recovery", "commit", "recovery_ms")                 \
    X(STORE_RECOVERED_TAIL, 11, "store_recovered_tail", WARN, "recovery", "commit", "recovery_ms") \
    X(STORE_LOSS, 12, "store_loss", ALARM, "", "commits_lost", "first_lost")                       \
    X(STORE_FAILED, 13, "store_failed", ALARM, "status", "commit", "")                             \
    X(STORE_DAMAGED, 14, "store_damaged", ALARM, "status", "", "")                                 \
    X(STORE_READONLY, 15, "store_readonly", ALARM, "", "free_percent", "")                         \
    X(STORE_WRITABLE, 16, "store_writable", INFO, "", "free_percent", "")                          \
    X(CLOCK_JUMPED, 17, "clock_jumped", ALARM, "", "jump_ms", "")                                  \
    X(STORE_WAS_AWAY, 19, "store_was_away", WARN, "", "away_ms", "")                               \
    X(STALE_TERM_REFUSED, 18, "stale_term_refused", WARN, "", "", "")                              \
    X(WORKER_READY, 20, "worker_ready", INFO, "role", "", "")                                      \
    X(WORKER_LOST, 21, "worker_lost", WARN, "role", "requests_unknown", "silence_ms")              \
    X(BROKER_LOST, 22, "broker_lost", WARN, "", "sessions", "silence_ms")                          \
    X(SESSIONS_COLLECTED, 23, "sessions_collected", INFO, "", "sessions", "")                      \
    X(SESSION_STARTED, 30, "session_started", INFO, "attached", "number", "client_version")        \
    X(SESSION_ENDED, 31, "session_ended", INFO, "reason", "number", "unacked")                     \
    X(SESSION_SUPERSEDED, 32, "session_superseded", INFO, "", "number", "")                        \
    X(AUTH_REFUSED, 33, "auth_refused", WARN, "status", "", "")                                    \
    X(FRAME_REFUSED, 34, "frame_refused", WARN, "status", "kind", "")                              \
    X(CLIENT_CLOCK_SKEWED, 35, "client_clock_skewed", WARN, "clock", "", "skew_ms")                \
    X(ACCOUNT_CREATED, 40, "account_created", INFO, "", "devices", "")                             \
    X(HANDLE_CLAIMED, 41, "handle_claimed", INFO, "", "", "")                                      \
    X(LOG_APPENDED, 42, "log_appended", INFO, "operation", "number", "key_version")                \
    X(LOG_REFUSED, 43, "log_refused", WARN, "status", "", "")                                      \
    X(DEVICE_ENDED, 44, "device_ended", INFO, "", "", "")                                          \
    X(PREKEYS_LOW, 45, "prekeys_low", INFO, "", "left", "")                                        \
    X(PREKEYS_DRAINED, 46, "prekeys_drained", WARN, "last_resort", "", "")                         \
    X(PREKEYS_REFUSED, 47, "prekeys_refused", WARN, "status", "", "")                              \
    X(PREKEY_METER_FULL, 48, "prekey_meter_full", WARN, "", "pairs_forgotten", "")                 \
    X(DEVICE_COPIED, 49, "device_copied", WARN, "", "prekeys_dropped", "client_version")            \
    X(SEND_REFUSED, 50, "send_refused", INFO, "status", "attempt", "client_version")               \
    X(ID_REUSED, 51, "id_reused", WARN, "status", "", "client_version")                            \
    X(MAILBOX_OVER_QUOTA, 52, "mailbox_over_quota", WARN, "", "messages", "bytes")                 \
    X(DELIVERY_FAILED, 53, "delivery_failed", WARN, "reason", "", "client_version")                \
    X(DELIVERY_EXPIRED, 54, "delivery_expired", INFO, "reason", "count", "")                       \
    X(DELIVERY_LOST, 55, "delivery_lost", ALARM, "", "count", "")                                  \
    X(PAYLOAD_DAMAGED, 56, "payload_damaged", ALARM, "", "", "")                                   \
    X(TRANSITION_REFUSED, 57, "transition_refused", WARN, "state", "event", "")                    \
    X(SLOW_CONSUMER, 58, "slow_consumer", WARN, "", "unacked", "waiting_ms")                       \
    X(REDELIVERED, 59, "redelivered", INFO, "", "count", "")                                       \
    X(RESENT_AFTER_LOSS, 60, "resent_after_loss", INFO, "", "count", "")                           \
    X(OVERLOAD, 61, "overload", WARN, "status", "count", "")                                       \
    X(DECRYPT_FAILED, 62, "decrypt_failed", WARN, "cause", "key_version", "client_version")        \
    X(REPORT_REFUSED, 63, "report_refused", WARN, "status", "", "client_version")                  \
    X(RESENT, 64, "resent", INFO, "", "attempt", "parts")                                          \
    X(DELIVERIES_REVOKED, 65, "deliveries_revoked", INFO, "", "count", "since_ms")                 \
    X(DEVICE_SWEPT, 66, "device_swept", INFO, "", "deliveries", "since_ms")                        \
    X(RECONCILED, 67, "reconciled", WARN, "", "devices", "accounts")                               \
    X(WAKE_SENT, 70, "wake_sent", INFO, "http_status", "attempt", "latency_ms")                    \
    X(WAKE_FAILED, 71, "wake_failed", WARN, "http_status", "attempt", "retry_ms")                  \
    X(WAKE_SKIPPED, 72, "wake_skipped", INFO, "", "attempt", "")                                   \
    X(LINK_REQUESTED, 74, "link_requested", INFO, "", "boxes", "")                                 \
    X(LINK_OFFERED, 75, "link_offered", INFO, "", "", "")                                          \
    X(LINK_BOXES_FULL, 76, "link_boxes_full", WARN, "", "boxes", "bytes")                          \
    X(CONTACT_BLOCKED, 77, "contact_blocked", INFO, "", "accounts", "kept")                        \
    X(CONTACT_ALLOWED, 78, "contact_allowed", INFO, "", "accounts", "kept")                        \
    X(REQUEST_REFUSED, 79, "request_refused", INFO, "stranger", "attempt", "client_version")       \
    X(POLICY_FULL, 80, "policy_full", WARN, "", "kept", "")                                        \
    X(REGISTRATION_OPEN, 83, "registration_open", WARN, "", "", "")                                \
    X(TOKEN_REFUSED, 84, "token_refused", WARN, "reason", "", "")                                  \
    X(HOLD_PLACED, 85, "hold_placed", WARN, "reason", "", "")                                      \
    X(HOLD_RELEASED, 86, "hold_released", WARN, "", "", "")                                        \
    X(IDENTITY_CHANGED, 87, "identity_changed", INFO, "", "", "key_version")                       \
    X(TAKEOVER_SUSPECTED, 88, "takeover_suspected", WARN, "", "", "key_version")                   \
    X(RECOVERY_STARTED, 91, "recovery_started", WARN, "", "devices", "")                           \
    X(RECOVERY_REFUSED, 92, "recovery_refused", WARN, "why", "tries", "")                          \
    X(RECOVERY_DONE, 93, "recovery_done", WARN, "", "devices", "key_version")                      \
    X(BACKUP_STORED, 95, "backup_stored", INFO, "", "version", "parts")                            \
    X(BACKUP_READ, 96, "backup_read", INFO, "", "version", "parts")                                \
    X(BACKUP_REFUSED, 97, "backup_refused", WARN, "status", "version", "parts")                    \
    X(RECOVERY_GUESSED, 94, "recovery_guessed", ALARM, "", "tries", "retry_after_ms")              \
    X(EVENTS_DROPPED, 90, "events_dropped", WARN, "dropped", "count", "")                          \
    X(DRIFT_STUCK, 98, "drift_stuck", ALARM, "", "refusals", "client_version")                     \
    X(DRIFT_RATE, 99, "drift_rate", WARN, "", "refused", "sent")                                   \
    X(CONNECTION_CUT, 100, "connection_cut", WARN, "reason", "count", "")                          \
    X(ADDRESS_BANNED, 101, "address_banned", WARN, "", "offences", "ban_ms")                       \
    X(AUTH_UNAVAILABLE, 102, "auth_unavailable", ALARM, "", "", "silence_ms")                      \
    X(AUTH_AVAILABLE, 103, "auth_available", INFO, "", "", "away_ms")                              \
    X(ACCEPT_FAILED, 104, "accept_failed", WARN, "errno", "count", "")                             \
    X(CONNECTIONS_STUCK, 105, "connections_stuck", ALARM, "", "connections", "")                   \
    X(RATE_LIMITED, 110, "rate_limited", WARN, "meter", "requests", "retry_after_ms")              \
    X(FLOOD_CUT, 111, "flood_cut", WARN, "", "requests", "")                                       \
    X(ADDRESS_LIMITED, 112, "address_limited", WARN, "meter", "requests", "retry_after_ms")        \
    X(SESSIONS_CUT, 113, "sessions_cut", INFO, "", "sessions", "cut_ms")                           \
    X(SESSIONS_CUT_LATE, 114, "sessions_cut_late", WARN, "", "sessions", "cut_ms")                 \
    X(SPLIT_VIEW, 115, "split_view", ALARM, "operation", "number", "key_version")                  \
    X(LOG_RESTORED, 116, "log_restored", WARN, "", "entries", "key_version")                       \
    X(LINK_REJECTED, 117, "link_rejected", INFO, "", "", "")

enum event_kind {
#define X(NAME, code, text, level, c, n, v) EVENT_##NAME = code,
    EVENT_LIST(X)
#undef X
};

/* The code of CLIENT_CLOCK_SKEWED. */
enum event_clock { CLOCK_BEHIND, CLOCK_AHEAD };

/* The code of RECOVERY_REFUSED. */
enum event_recovery { RECOVERY_NO_ACCOUNT, RECOVERY_NO_KEY, RECOVERY_NO_PROOF, RECOVERY_CLOCK, RECOVERY_WRONG_KEY };

/* The code of RATE_LIMITED (a device) and ADDRESS_LIMITED: what there was too much of. */
enum event_meter { METER_ADDRESS, METER_ADDRESS_LOOSE, METER_DEVICE_REQUESTS, METER_DEVICE_BYTES };

/* IDENTITY_CHANGED is named by its code, an enum identity_change; of it and of TAKEOVER_SUSPECTED count is the set of risks
 * (states.h), and no actor is the recovery key. */

/* The code of REQUEST_REFUSED: why. Operators alone are told: the sender cannot tell one from another. */
enum event_stranger { STRANGER_BLOCKED = 1, STRANGER_ASKED, STRANGER_TOO_MANY };

/* A keyed hash of an id: the same id gives the same mark within one relay, and nothing else. */
struct mark { uint8_t bytes[8]; };

/* The key of all marks of one relay; secret, lives in the config directory. */
struct mark_key { uint8_t bytes[32]; };

struct event {
    uint64_t at_ms;
    enum event_kind kind;
    uint32_t code;       /* an enumeration's number, see EVENT_LIST */
    uint64_t count;
    uint64_t value;
    struct mark account; /* all zero = none */
    struct mark device;
    struct mark message; /* of the message id */
    struct store_id store;
    struct mark actor;   /* who did it: a device, where that is another one */
};

struct mark mark_account(const struct mark_key *key, struct account_id id);
struct mark mark_device(const struct mark_key *key, struct device_id id);
struct mark mark_message(const struct mark_key *key, struct message_id id);

const char *event_name(uint64_t kind);
enum event_level event_level(uint64_t kind);
/* event_words: what code, count and value are called for this kind; "" = not used. */
struct event_words { const char *code, *count, *value; };
struct event_words event_words(uint64_t kind);

/* version_number: "2.4.1" as 2 << 32 | 4 << 16 | 1, at most three numbers below 65536; 0 if not one. */
uint64_t version_number(struct view text);

/* event_ring: the last events of a process; when nobody fetches them the oldest fall out, counted. */
#define EVENT_RING_LEN 1024u
struct event_ring {
    struct event events[EVENT_RING_LEN];
    uint64_t written; /* ever */
    uint64_t taken;   /* ever, dropped ones included */
    uint64_t dropped; /* since the last event_ring_take that told of them */
};
void event_ring_put(struct event_ring *r, const struct event *e);
/* event_ring_take: the next event in order; after a drop an EVENTS_DROPPED first. false = empty. */
bool event_ring_take(struct event_ring *r, struct event *out);

/* event_records: events on their way to a store, where what a stranger can cause at his own speed must not push
 * out what he cannot: each kind has its share of a second and of the places, and what it had beyond is told as a
 * number (EVENTS_DROPPED with the kind as code) in a later second. All zero = empty. */
#define EVENT_KINDS_MAX  128u /* they are numbered below; what is not shares place 0 */
#define RECORDS_OF_A_KIND 8u
struct event_records {
    struct event_ring ring; /* has a place for every share: never drops */
    uint64_t second;
    uint32_t put[EVENT_KINDS_MAX];     /* in this second */
    uint32_t waiting[EVENT_KINDS_MAX]; /* not taken yet */
    uint64_t surplus[EVENT_KINDS_MAX]; /* not told yet */
};
/* event_records_step: puts what is to be told of the seconds before this one; mono_ms never goes back. */
void event_records_step(struct event_records *r, uint64_t mono_ms, uint64_t wall_ms);
/* event_records_put: after a step for the same mono_ms. */
void event_records_put(struct event_records *r, const struct event *e);
bool event_records_take(struct event_records *r, struct event *out);

#endif
