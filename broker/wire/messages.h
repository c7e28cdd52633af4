/* messages: every meta of the protocol as a struct with its codec table; the public form is
 * sealmq.proto. Views borrow the frame they were decoded from. */
#ifndef SEALMQ_WIRE_MESSAGES_H
#define SEALMQ_WIRE_MESSAGES_H

#include "broker/wire/codec.h"
#include "broker/wire/event.h"
#include "broker/wire/frame.h"
#include "broker/wire/ids.h"
#include "broker/wire/messages_contacts.h"
#include "broker/wire/messages_recovery.h"
#include "broker/wire/slab.h"
#include "broker/wire/states.h"
#include "broker/wire/messages_drift.h" /* of DRIFT */

/* ---- sessions (PROTOCOL 4) ---- */

struct msg_hello {
    struct device_id device;
    struct account_id account;
    struct view client_version;
    uint32_t protocol_min, protocol_max;
    bool attach;
    uint32_t credit_messages; /* deliveries that may be unacknowledged at once; clamped to limits.h */
    uint64_t credit_bytes;
    bool reoffer_held;        /* offer parked `held` deliveries again */
    uint64_t client_ms;       /* the client's wall clock; 0 = not told */
    struct view lineage;      /* a mark (LINEAGE_MARK_LEN), or empty */
};

struct msg_range { /* partitions first..last belong to this store */
    uint32_t first, last;
    struct store_id store;
    struct term term;
};

struct msg_map {
    uint64_t version;
    struct msg_range *ranges;
    size_t range_count;
};

struct msg_log_state { /* how far an identity log has come */
    uint64_t length;
    struct hash256 head; /* all zero = no log */
    uint64_t key_version;
    struct hash256 version_head; /* of the entry that made this key version */
};

#include "broker/wire/messages_operator.h" /* its messages have log states */

struct msg_prekey_state { /* what the relay has of a device's; ids 0 = none */
    uint64_t signed_id, last_resort_id;
    uint64_t one_time_highest; /* ever taken */
    uint32_t one_time_count;
};

struct msg_welcome {
    struct session_id session;
    uint64_t relay_ms;
    uint32_t credit_messages;
    uint64_t credit_bytes;
    uint32_t ping_ms; /* say something at least this often */
    struct msg_map map;
    struct msg_log_state log; /* of the own account */
    struct msg_prekey_state prekeys;
    struct view lineage; /* up to LINEAGE_MARKS marks, the oldest first */
    uint64_t contacts_version; /* as in msg_contacts_kept; 0 = nothing was ever set */
};

struct msg_pong {
    uint64_t relay_ms;
    struct msg_map map;
};

struct msg_error { /* the one reply to a request that as a whole was not done */
    uint32_t status;
    uint32_t retry_after_ms;
    uint32_t protocol_min, protocol_max; /* with unsupported */
};

struct msg_superseded { struct session_id by; };
struct msg_drain { uint32_t deadline_ms; };
struct msg_empty { uint32_t unused; };

/* ---- accounts (PROTOCOL 6) ---- */

struct msg_device_record {
    struct signing_pk signing;
    struct identity_pk identity;
    struct transport_pk transport;
};

struct msg_entry_body { /* an identity-log entry before its signature */
    uint32_t operation; /* 1 = create; identity_log.h */
    uint64_t number;    /* 0 for the first */
    struct hash256 previous; /* all zero for the first */
    uint64_t made_ms;
    const struct msg_device_record *device; /* one, or NULL */
    size_t device_count;
    uint8_t salt[16];         /* create */
    struct device_id signer;  /* all zero: the recovery key, or create */
    struct device_id subject; /* all zero = none */
    struct signature proof;   /* add: the new device's */
    struct signing_pk recovery; /* create, set_recovery; all zero = none */
    struct view data;         /* describe */
};

struct msg_description { /* the data of a describe: of a device, or of the account */
    struct view name; /* device_name_check; empty = none */
};

struct msg_entry {
    struct view body; /* an encoded msg_entry_body */
    struct signature signature; /* over label and body */
};

struct msg_register {
    struct view entry;    /* the first one */
    struct view *entries; /* of those that follow */
    size_t entry_count;
    struct view token; /* an encoded msg_token, or empty */
};
struct msg_registered {
    struct account_id account;
    struct device_id device; /* of the first entry */
    struct msg_log_state log;
};

struct msg_append {
    struct account_id account;
    struct view *entries;
    size_t entry_count;
    bool held; /* the client holds them as part of the log: none of them is new */
};
struct msg_appended { struct msg_log_state log; };

struct msg_claim_handle {
    struct view handle;
    struct view entry;          /* the account's first entry */
    struct signature signature; /* by its device over label, account and handle */
    struct view token;          /* an encoded msg_token, or empty */
};
struct msg_handle_claimed { struct account_id account; };

struct msg_lookup { /* a handle (asked at its home), or an account (at its home) */
    struct view handle;
    struct account_id account;
    uint64_t first; /* with an account: number of the first entry wanted */
    struct msg_recovery_proof *recovery; /* with an account and without a session: one */
    size_t recovery_count;
};
struct msg_handle_proof { /* as claimed */
    struct view entry;
    struct signature signature;
    struct view token; /* an encoded msg_token; or empty, where none was given */
};
struct msg_found {
    struct account_id account;
    struct msg_log_state log; /* all zero in the answer to a handle */
    struct view *entries;     /* none in the answer to a handle */
    size_t entry_count;
    struct msg_handle_proof *proof; /* one in the answer to a handle, else none */
    size_t proof_count;
};

/* ---- prekeys (PROTOCOL 6.4) ---- */

struct device_id_list { struct device_id device; };

struct msg_prekey_body { /* before its signature */
    struct device_id device;
    uint64_t id;
    struct prekey_pk key;
    uint64_t made_ms;
    uint64_t key_version; /* of the account's log as the device knew it */
    struct hash256 head;  /* its version_head */
    bool last_resort;
};
struct msg_signed_prekey {
    struct view body; /* an encoded msg_prekey_body */
    struct signature signature;
};
struct msg_one_time_prekey {
    uint64_t id;
    struct prekey_pk key;
};
struct msg_publish { /* what is absent stays as it is */
    struct view current;     /* an encoded msg_signed_prekey */
    struct view last_resort; /* the same */
    struct msg_one_time_prekey *one_time;
    size_t one_time_count;
    uint64_t keep_from; /* one-time prekeys with smaller ids leave first */
};
struct msg_published { struct msg_prekey_state prekeys; };
struct msg_claim_prekeys {
    struct account_id account;
    struct device_id_list *devices;
    size_t device_count;
};
struct msg_prekey_bundle {
    struct device_id device;
    uint32_t status;
    struct view current; /* an encoded msg_signed_prekey */
    struct msg_one_time_prekey *one_time; /* one or none */
    size_t one_time_count;
    struct view last_resort; /* where no one-time prekey is left */
    uint32_t retry_after_ms;
};
struct msg_prekeys {
    struct msg_log_state log;
    struct msg_prekey_bundle *bundles;
    size_t bundle_count;
};
struct msg_prekeys_low { struct msg_prekey_state prekeys; };
struct msg_log_grew { struct msg_log_state log; }; /* of the session's own account */

#include "broker/wire/messages_link.h"

/* ---- sending (PROTOCOL 7) ---- */

struct msg_part { /* one device's ciphertext; the bytes follow in the frame's body, in order */
    struct device_id device;
    uint32_t len;
};

struct msg_send_item {
    struct message_id id;
    struct target_id target;
    uint64_t key_version;
    struct hash256 head;
    uint64_t ttl_ms; /* 0 = the relay's default */
    uint32_t attempt; /* 0; 1..3 for a resend that replaces failed deliveries */
    bool sealed;      /* false: opaque to SealMQ's clients too */
    struct msg_part *parts;
    size_t part_count;
    struct hash256 commitment; /* sealed: to the content, the same for all parts; else all zero */
};

struct msg_receipt {
    struct store_id store;
    struct term term;
    uint64_t commit;
    uint32_t key_id;
    uint64_t accepted_ms;
    struct mac256 mac;
};

struct msg_lost_item { /* item `index` was accepted under this receipt, in commits now lost */
    uint32_t index;
    struct msg_receipt receipt;
};

struct msg_send {
    struct view *items; /* encoded msg_send_item; the claim digest is over these very bytes */
    size_t item_count;
    struct msg_lost_item *lost;
    size_t lost_count;
};

struct msg_accepted_part {
    struct device_id device;
    uint32_t outcome; /* open or over_quota */
    struct term term;  /* with seq: the place in the mailbox, where open */
    uint64_t seq;
};

#define LEVEL_MEMORY 1u
#define LEVEL_SYNCED 2u

struct msg_accepted { /* stored and repeated byte for byte */
    struct message_id id;
    uint32_t level;
    struct msg_receipt receipt;
    uint64_t expires_ms;
    struct msg_accepted_part *parts;
    size_t part_count;
    uint64_t key_version; /* of the target's log, as the gate had it; 0 = not told */
};

struct msg_stale { /* with relay_behind only `log` stands */
    struct msg_log_state log;
    struct device_id_list *missing, *extra, *changed, *revoked;
    size_t missing_count, extra_count, changed_count, revoked_count;
    struct view *entries; /* from number `key_version` of the item on, as far as there is room */
    size_t entry_count;
};

struct msg_sent_item {
    uint32_t status;
    struct view answer;    /* encoded msg_accepted: with ok, and with id_reused the first one's */
    struct view digest;    /* with id_reused: the first one's digest (32 bytes) */
    uint32_t retry_after_ms;
    struct msg_stale *stale; /* with stale_devices: one */
    size_t stale_count;
};

struct msg_sent { /* one per item, in the order of the request */
    struct msg_sent_item *items;
    size_t item_count;
};

/* ---- delivering (PROTOCOL 8) ---- */

struct msg_delivery { /* `len` bytes of the body belong to it, in order */
    struct term term;
    uint64_t seq;
    struct account_id sender_account;
    struct device_id sender_device;
    struct target_id target;
    struct message_id id;
    uint64_t accepted_ms;
    uint32_t attempt;
    uint32_t len;
    bool again;  /* offered before */
    bool sealed;
    struct hash256 commitment; /* as sent; all zero = none */
    uint32_t stamp_key;
    struct mac256 stamp;       /* with a commitment: the relay's, PROTOCOL 10.6 */
    uint64_t expires_ms;       /* where its sender gave it a time to live; else 0 */
};

struct msg_gap { /* `count` deliveries that will not come, all before the next one of this frame */
    uint32_t reason;
    uint64_t count;
    struct term term; /* with first..last: which, where known */
    uint64_t first, last;
};

struct msg_deliver {
    struct session_id session;
    struct msg_delivery *items;
    size_t item_count;
    struct msg_gap *gaps;
    size_t gap_count;
    uint64_t gap_number; /* with gaps: repeat it in ack.gap_seen once the gaps are recorded */
};

struct msg_failure {
    struct term term;
    uint64_t seq;
    uint32_t reason; /* held or broken */
    struct view report; /* an encoded msg_report, or empty */
};

struct msg_ack { /* cumulative; positions beyond what this session was offered are ignored */
    struct session_id session;
    struct term settled_term;
    uint64_t settled_seq;
    struct term delivered_term;
    uint64_t delivered_seq;
    struct msg_failure *failed; /* exceptions at or below settled */
    size_t failed_count;
    uint64_t gap_seen; /* the highest gap_number recorded; gaps are told again until then */
    struct view lineage; /* a mark (LINEAGE_MARK_LEN), or empty */
};

struct msg_acked { /* echo, after the sync */
    struct session_id session;
    struct term settled_term;
    uint64_t settled_seq;
    struct term delivered_term;
    uint64_t delivered_seq;
};

struct msg_status_ask {
    struct target_id target;
    struct message_id id;
};
struct msg_status { struct msg_status_ask *items; size_t item_count; };

struct msg_part_state {
    struct device_id device;
    uint32_t state;   /* enum delivery_state; none once there is an outcome */
    uint32_t outcome; /* enum outcome */
    uint32_t reason;  /* enum fail_reason */
    uint64_t at_ms;
    struct view report; /* with state failed: what its device gave, an encoded msg_report; or empty */
    uint32_t attempt;   /* the one that this is about: the device's newest */
};

/* Why a device could not open a message (PROTOCOL 10.7). */
struct msg_report_body {
    struct device_id device; /* whose it is */
    struct account_id account;
    struct device_id sender; /* of the message */
    struct target_id target;
    struct message_id id;
    uint32_t attempt;
    uint32_t cause;          /* enum report_cause */
    uint64_t made_ms;
};
struct msg_report { struct view body; struct signature signature; };
struct msg_status_item {
    uint32_t status; /* ok, not_found (no claim), wrong_home */
    struct target_id target;
    struct message_id id;
    struct msg_part_state *parts;
    size_t part_count;
};
struct msg_status_is { struct msg_status_item *items; size_t item_count; };

struct msg_hint_item {
    struct target_id target;
    struct message_id id;
    struct msg_part_state part;
};
struct msg_hint { struct msg_hint_item *items; size_t item_count; };

struct msg_terms { struct term since; };
struct msg_term_end {
    struct term term;
    uint64_t end;  /* the last commit that was kept */
    bool open;     /* the present term; end is its last commit so far */
};
struct msg_terms_are {
    struct store_id store;
    struct msg_term_end *terms; /* ascending, from `since` on; others never were, or are forgotten */
    size_t term_count;
    bool complete; /* terms reach back to `since` */
};

/* ---- operators (admin socket) ---- */

struct msg_worker_row {
    uint32_t role;
    struct boot_id boot;
    struct store_id store;
    struct term term;
    uint64_t commit;
    uint64_t silence_ms;
    uint64_t pending;     /* requests forwarded and not answered */
    uint64_t sessions, mailboxes, queued_messages, queued_bytes, parked, wakes;
    uint64_t commit_lag_us; /* the last group: from its first item's arrival to its sync */
    uint64_t turns, items;  /* since start */
    uint32_t state;         /* enum store_state or worker state */
    uint64_t disk_free_percent;
    uint64_t accepted, settled;
    uint64_t repeated; /* sends answered again from their claim */
    uint64_t skewed;   /* HELLOs of clients whose clock was too far off to make ids */
    uint32_t registration; /* enum registration_rule */
};
struct msg_cut_row { uint32_t reason; uint64_t connections; }; /* enum cut_reason */
struct msg_overview {
    struct boot_id boot;
    uint64_t uptime_ms;
    uint64_t connections, sessions, attached, pending;
    uint64_t frames_in, frames_out, refused, busy;
    uint64_t map_version;
    struct msg_worker_row *workers;
    size_t worker_count;
    bool draining;
    uint64_t undelivered; /* pushes that could not be handed over */
    /* The edge, since start: connections accepted, ended without a first frame by themselves, and ended by
     * the broker for each reason; now: without a first frame yet, and ended but not closed. */
    uint64_t accepted, failed, half_open, stuck;
    struct msg_cut_row *cuts;
    size_t cut_count;
    uint64_t limited;     /* requests answered rate_limited; not among refused */
    uint64_t cut;         /* connections that sent far more than they may, and on */
    uint64_t ended;        /* sessions of devices that may have none any more */
    uint64_t ended_ms_max; /* the longest that one of these went on after it was decided */
};

struct msg_event {
    uint64_t at_ms;
    uint32_t kind;
    uint32_t code;
    uint64_t count, value;
    struct mark account, device, message;
    struct store_id store;
    struct mark actor;
};
struct msg_events { struct view cursor; uint32_t limit; }; /* empty cursor = the newest `limit` */
struct msg_events_are {
    struct view cursor; /* give it back to go on */
    struct msg_event *events;
    size_t event_count;
};

struct msg_explain {
    struct device_id sender;
    struct target_id target;
    struct message_id id;
    struct device_id device; /* all zero = every device of the answer */
};
struct msg_explained_part {
    struct device_id device;
    uint32_t code; /* enum explain_code */
    uint32_t state, outcome, reason;
    uint64_t at_ms;
    uint64_t payload_bytes; /* ciphertext still held */
    struct term term;
    uint64_t seq;
    uint64_t last_seen_ms;
    uint32_t attempt;        /* the newest, which all of this is about */
    uint32_t cause;          /* failed: enum report_cause, as the device says */
    uint64_t client_version; /* failed: of the client that could not open it (event.h) */
    uint64_t copied_ms;      /* when the device has said last that its home was copied or set back; 0 = never */
};
struct msg_explained {
    uint32_t code; /* of the whole, where there are no parts */
    uint64_t accepted_ms;
    struct msg_receipt receipt;
    bool has_receipt;
    struct msg_explained_part *parts;
    size_t part_count;
    uint64_t key_version;         /* of the target's log when it was accepted first; 0 = not told */
    uint64_t key_version_present; /* and now; 0 = there is no such log here */
};

/* ---- inside the relay ---- */

struct msg_ready {
    uint32_t role;
    struct boot_id boot;
    struct store_id store; /* storage only, from here on */
    struct term term;
    uint64_t commit;
    uint32_t first, last; /* partitions */
    uint32_t credit;      /* requests that may be pending here at once */
};
struct msg_peer { /* the broker's answer to ready */
    struct boot_id boot;
    struct msg_map map;
    struct term witness_term; /* highest commit of this store that the broker knows acknowledged */
    uint64_t witness_commit;
};
struct msg_session { /* a session bound at the broker; the stamp has conn, session, account, device */
    bool attached;
    uint32_t credit_messages;
    uint64_t credit_bytes;
    struct view client_version;
};
struct msg_closed { uint32_t reason; };
struct msg_undelivered {
    struct term term;
    uint64_t seq;  /* the first delivery of the frame that could not be handed over */
    bool gone;     /* the connection is gone; else it is slow */
};
struct msg_hint_device { struct device_id device; struct view hint; }; /* an encoded msg_hint */
struct msg_heartbeat {
    struct msg_worker_row row; /* from a worker: about itself */
    struct msg_map map;        /* from a broker */
};
struct msg_lease { uint32_t count; uint64_t lease_ms; };
struct msg_wake { struct device_id device; struct account_id account; uint32_t attempt; uint64_t waiting; };
struct msg_leased { struct msg_wake *wakes; size_t wake_count; bool more; };
struct msg_wake_result { struct device_id device; struct account_id account; bool sent; uint64_t retry_ms; };
struct msg_woken { struct msg_wake_result *results; size_t result_count; };
struct msg_record { struct msg_event *events; size_t event_count; };
struct msg_end_device { /* it may not have a session any more */
    struct device_id device;
    uint64_t decided_ms; /* mono, of the turn that says so; 0 = not told */
};

#define MESSAGE_LIST(X)                                                                            \
    X(log_state) X(prekey_state) X(hello) X(map) X(welcome) X(pong) X(error) X(superseded) X(drain) X(empty) X(device_record)   \
    X(entry_body) X(description) X(entry) X(register) X(registered) X(append) X(appended) X(claim_handle)        \
    X(handle_claimed) X(lookup) X(found) X(token_body) X(token) X(prekey_body) X(signed_prekey) X(publish) X(published)   \
    X(claim_prekeys) X(prekeys) X(prekeys_low) X(link_put) X(link_has) X(link_get) X(link_is) X(link_request)    \
    X(link_offer) X(link_consent) X(log_grew) X(drift_is)                                 \
    X(contacts_set) X(contacts_kept) X(contacts_get) X(contacts_are) X(contacts_changed)           \
    X(backup_put) X(backup_has) X(backup_get) X(backup_is)                                         \
    X(send_item) X(receipt) X(send) X(accepted) X(stale) X(sent) X(deliver) X(ack) X(report_body) X(report) \
    X(acked) X(status) X(status_is) X(hint) X(terms) X(terms_are) X(overview) X(events)            \
    X(events_are) X(explain) X(explained) X(ready) X(peer) X(session) X(closed) X(undelivered)     \
    X(hint_device) X(heartbeat) X(lease) X(leased) X(woken) X(record) X(event)     \
    X(end_device) X(hold) X(holds_are) X(devices) X(devices_are)

#define X(name) extern const struct codec_desc msg_##name##_desc;
MESSAGE_LIST(X)
#undef X

/* frame_write: appends a whole frame with this meta and no body. */
void frame_write(struct buffer *b, const struct frame_header *header,
                 const struct codec_desc *desc, const void *message);
/* frame_write_error: the ERROR reply to a request. */
void frame_write_error(struct buffer *b, uint64_t correlation, uint16_t home, enum status s,
                       uint32_t retry_after_ms);

struct msg_event msg_event_of(const struct event *e);
struct event event_of_msg(const struct msg_event *m);

#endif
