/* core: the storage core's own struct and the contracts between its files. Private to storage/. */
#ifndef SEALMQ_STORAGE_CORE_H
#define SEALMQ_STORAGE_CORE_H

#include "storage/boxes.h"
#include "storage/mailbox.h"
#include "storage/newest.h"
#include "storage/prekey_meter.h"
#include "storage/recovery_meter.h"
#include "storage/stale_table.h"
#include "storage/state.h"
#include "storage/storage.h"
#include "storage/table.h"
#include "storage/turn.h"

#define MAILBOXES_MAX  1000000u
#define NEWEST_PAIRS   32768u
#define ACCOUNTS_CACHED_MAX 200000u
#define ACCOUNTS_TRIMMED    4096u
#define ACCOUNTS_TABLE_MAX  (ACCOUNTS_CACHED_MAX + 64u * TURN_ITEMS_MAX) /* and what one turn brings */
#define CONTACTS_CACHED_MAX 65536u
#define CONTACTS_TRIMMED    4096u
#define SIGNATURE_WEIGHT 16u /* of a turn's items: an entry costs up to 200 us to verify, a message some 6 */
#define LOOKUP_WEIGHT    8u  /* up to 64 rows */
#define CONTACTS_WEIGHT  16u /* up to 256 */
#define BACKUP_WEIGHT    8u  /* 48 KiB */
#define TERMS_KEPT_MAX (TERMS_PER_FRAME - 1u) /* and the present one fit an answer */
#define REFILLS_PER_TURN 64u
#define REFILL_BYTES_MAX (1024u * 1024u)
#define SWEEPS           5u
#define CLOCK_JUMP_MS    (3600u * 1000u) /* more than this is a jump */

/* What an account's log says, as long as its devices are many (identity_log.h). */
struct account {
    struct account_id id;
    struct msg_log_state log;
    bool has_recovery;
    struct signing_pk recovery;
    struct hold *holds; /* an operator's; NULL = none */
    size_t hold_count;
    struct policy_row *policy; /* owned; NULL: open to everybody, and nothing was ever said */
    size_t device_count;
    struct log_device devices[]; /* revoked ones included */
};

/* What `account` says of `other`. */
struct contact_pair {
    struct account_id account, other;
};

/* A broker as storage sees it. */
struct peer {
    bool known;     /* it answered READY */
    bool collected; /* it listed its sessions, or had its time */
    bool reached;   /* by a new connection, on which nothing was said yet */
    struct boot_id boot;
    uint64_t heard_ms, ready_first_ms, said_ms; /* mono; 0 = never */
    struct buffer at_once; /* rests on nothing that is unsynced */
    struct buffer after;   /* leaves after the commit of the turn under way, or the next */
    struct buffer written; /* leaves after the commit under way */
    struct buffer map;     /* the broker's map, encoded */
    uint64_t list;         /* numbers its lists of sessions */
};

struct request;
struct outgoing;
struct claim_made;

/* What is done with one kind of request: read() takes it apart, mostly as it comes, maybe while an earlier
 * turn's group is being written (NULL = there is nothing more to take apart); plan() says what to load,
 * apply() decides. read() and plan() refuse by their status. Reads see the state before the turn and are
 * never mixed with earlier writes. */
struct handler {
    enum frame_kind kind;
    bool reads;
    const struct codec_desc *desc;
    size_t meta_size;
    enum status (*read)(const struct storage *s, struct request *r, struct arena *a);
    enum status (*plan)(struct storage *s, struct request *r);
    void (*apply)(struct storage *s, struct request *r);
};

struct request {
    struct request *next;
    const struct handler *handler;
    struct stamp stamp;
    size_t broker;
    struct frame frame;
    size_t weight; /* items, for the turn's limit */
    void *meta;    /* decoded, in the input arena */
    void *plan;    /* the handler's own, of read() or plan() */
};

/* A session that a broker has named. */
struct listed {
    struct account_id account;
    struct device_id device;
    struct transport_pk transport;
};

struct term_known {
    struct term term;
    uint64_t end;
};

struct storage_counters {
    uint64_t turns, items, accepted, settled, queued_messages, queued_bytes, parked, attached;
    uint64_t repeated; /* sends answered again from their claim */
    uint64_t skewed;   /* HELLOs with a clock too far from ours */
};

struct storage {
    struct storage_config config;
    struct store *store;
    struct storage_out out;
    struct boot_id boot;
    struct store_id store_id;
    struct term term;
    uint64_t commit, synced; /* last assigned, last written */
    enum durability durability;
    enum store_state state;

    struct peer peers[STORAGE_BROKERS_MAX];
    struct arena input;         /* of the requests that wait, and of those running with some of them */
    struct arena running_input; /* of the turn that has taken all that waited */
    struct arena written_input; /* of the turn whose group is being written */
    bool left_over;             /* the last turn begun has not taken all that waited */
    struct request *first, *last;
    size_t queued, queued_weight, queued_bytes;
    struct request *running; /* of this turn, in order */
    size_t running_weight, running_bytes;
    struct turn turn;
    bool in_turn;          /* between storage_begin and storage_seal */
    struct turn written;   /* sealed: its group is being written */
    uint64_t written_commit;
    bool writing;          /* between storage_seal and storage_finish */

    struct table *mailboxes; /* device id -> struct mailbox */
    struct table *accounts;  /* account id -> struct account */
    struct table *contacts;  /* struct contact_pair -> what was said (policy.c) */
    struct newest *newest;   /* which message ids need no look at the claims */
    struct prekey_meter *prekey_meter; /* who has claimed whose prekeys */
    struct boxes *boxes;     /* where devices that are being linked meet */
    struct recovery_meter *recovery_meter; /* whose recovery key was tried, and was another one */
    struct listed *listed; /* to be looked up by the next turn */
    size_t listed_count, listed_cap;
    struct mailbox *hot, *hot_last; /* to be served, first come first */
    uint64_t hot_at_ms; /* mono: when the hot list needs a turn */
    struct mailbox *dirty; /* device rows to rewrite */
    struct outgoing *outgoing; /* offer.c: the frame under way */
    uint64_t session_number;
    struct hint_list **hints; /* of this turn; NULL = none yet */
    struct claim_made *claims; /* of this turn (claim.c) */
    size_t claim_count, claim_cap;

    struct term_known terms[TERMS_KEPT_MAX];
    size_t term_count;
    bool terms_complete;

    struct event_records events;
    uint64_t event_number, event_second, event_second_count;
    struct store_key event_keys[64]; /* of the newest persisted ones, a ring */
    uint64_t event_keys_written;

    struct store_key sweep_payload, sweep_ledger, sweep_events, sweep_fences, sweep_accounts;
    uint64_t reconcile_next_ms; /* mono: when the accounts are gone through again */
    struct store_scan *sweep_scans[SWEEPS];
    uint64_t sweep_next_ms;
    bool sweep_due;
    size_t sweep_turn;

    bool wakes_created;
    uint64_t wakes_told_ms;
    struct store_key wake_cursor; /* where the next lease goes on; empty = at the first */
    uint64_t wake_count;

    uint64_t wall_base_ms, mono_base_ms, store_ms;
    bool clock_jumped;
    uint64_t expiry_from_ms; /* mono: nothing ends by time before it */
    uint64_t mono_ms;
    uint64_t stats_next_ms, flush_next_ms;
    uint32_t disk_free_percent;
    uint64_t commit_lag_us;
    struct storage_counters counters;
    struct stale_table stale; /* sends that were stale */
};

/* ---- answer.c ---- */

/* core_after: the slab for a broker that leaves after this turn's commit. */
struct buffer *core_after(struct storage *s, size_t broker);
/* brokers_tell: one frame of our own, to every broker that is known. */
void brokers_tell(struct storage *s, struct view frame);
/* request_reply: one reply, leaving after the commit. */
void request_reply(struct storage *s, const struct request *r, enum frame_kind kind,
                   const struct codec_desc *desc, const void *meta);
void request_fail(struct storage *s, const struct request *r, enum status status,
                  uint32_t retry_after_ms);
/* push_begin / push_end: a frame to a session, leaving after the commit. */
size_t push_begin(struct storage *s, const struct attachment *to, struct device_id device,
                  struct buffer **out);
void push_end(struct buffer *out, size_t start);
/* request_weight: in items, for the turn's limit; at least 1. */
size_t request_weight(const struct request *r);
/* core_event: to the callback and to the store's own rows (record_put). at_ms is filled in. */
void core_event(struct storage *s, const struct event *e);

/* ---- storage.c ---- */
/* core_may_expire: the clock is not in doubt. */
bool core_may_expire(const struct storage *s);
/* core_owns: the partition belongs to this store. */
bool core_owns(const struct storage *s, uint16_t home);

/* ---- device.c: mailboxes and their rows ---- */

/* core_mailbox_want: plans what core_mailbox needs. */
void core_mailbox_want(struct storage *s, uint16_t home, struct device_id device);
/* core_mailbox: the mailbox, made from its rows when it is not in memory. OK; FULL; REFUSED: the same
 * device key stands in two accounts with different homes, and the other one came first. */
enum status core_mailbox(struct storage *s, uint16_t home, struct device_id device,
                         struct mailbox **out) MUST_USE;
/* core_mailbox_peek: NULL when not in memory. */
struct mailbox *core_mailbox_peek(const struct storage *s, struct device_id device);
/* core_hot: the mailbox will be looked at when this (or the next) turn's offers are made, and its row
 * written if it has changed: call it after every change of a mailbox. */
void core_hot(struct storage *s, struct mailbox *m);
/* core_place: the next position, for a ciphertext of `len` bytes; core_closed: one left the queue;
 * core_parked: one went aside (in) or came back or ended; core_counted: what a scan to the end found. */
struct position core_place(struct storage *s, struct mailbox *m, uint64_t len);
void core_closed(struct storage *s, struct mailbox *m, uint64_t len);
void core_parked(struct storage *s, struct mailbox *m, bool in);
void core_counted(struct storage *s, struct mailbox *m, uint64_t count, uint64_t bytes);
/* device_changed: the mailbox was served: its row goes into this turn or onto the list.
 * device_flush: the list, once a second, a bounded piece. */
void device_changed(struct storage *s, struct mailbox *m);
void device_flush(struct storage *s);

/* ---- account.c ---- */
void account_want(struct storage *s, struct account_id id);
/* account_find: OK, NOT_FOUND, DAMAGED, FULL; the pointer is good for this turn. */
enum status account_find(struct storage *s, struct account_id id,
                         const struct account **out) MUST_USE;
const struct log_device *account_device(const struct account *a, struct device_id id);
/* account_asker: whose session asks, whatever has changed since it began: OK; NOT_FOUND; BUSY: it cannot be read; REFUSED: not an active device
 * of its account any more; ON_HOLD. *a and *d with OK. account_want must have been said of it. */
enum status account_asker(struct storage *s, const struct request *r, const struct account **a, const struct log_device **d) MUST_USE;
/* account_log: as a log that may be appended to. account_put: what the log says now, into the cache and this turn's
 * batch; pointers from account_find are dead. OK; FULL: nothing was changed. */
void account_log(const struct account *a, struct identity_log *log);
enum status account_put(struct storage *s, const struct identity_log *log) MUST_USE;
/* account_peek: NULL when not in the cache. account_holds_set: of one that is there, from now on. account_free: one of the
 * cache's, NULL-safe. */
const struct account *account_peek(const struct storage *s, struct account_id id);
void account_holds_set(struct storage *s, struct account_id id, const struct hold_row *row);
void account_free(struct account *a);
/* account_trim: makes room in the cache, between turns. */
void account_trim(struct storage *s);

/* ---- policy.c: whom an account lets write to it ---- */
/* policy_load: of an account that comes into the cache, from rows that account_want has wanted: NULL = there is none. */
struct policy_row *policy_load(struct storage *s, struct account_id id);
/* policy_of: the account's in the cache, or NULL; policy_begin makes one where there is none. policy_put: as it is now, into
 * this turn's batch. */
struct policy_row *policy_of(const struct storage *s, struct account_id id);
struct policy_row *policy_begin(struct storage *s, struct account_id id);
void policy_put(struct storage *s, struct account_id id);
/* policy_want: plans what is asked of a pair below, beside account_want of the account. */
void policy_want(struct storage *s, const struct contact_pair *pair);
/* policy_verdict: what was said of the other one. OK; DAMAGED. policy_say: says it, into cache and batch. */
enum status policy_verdict(struct storage *s, const struct contact_pair *pair, enum contact_verdict *out) MUST_USE;
void policy_say(struct storage *s, const struct contact_pair *pair, enum contact_verdict verdict);
/* policy_decided: the other one is no stranger with a request any more. */
void policy_decided(struct policy_row *policy, struct account_id other);
/* policy_check: whether the other one may send to the account now. OK, and whether it would be a request; NOT_ACCEPTED, and
 * why; BUSY. policy_note: a request was accepted. The account's own devices may always send. */
struct policy_finding {
    bool request;
    enum event_stranger why;
};
enum status policy_check(struct storage *s, const struct contact_pair *pair, bool resend, struct policy_finding *out) MUST_USE;
void policy_note(struct storage *s, const struct contact_pair *pair);
/* policy_gives: whether a claim of the other one takes a one-time prekey of this device of the account. */
bool policy_gives(struct storage *s, const struct contact_pair *pair, struct device_id device);
/* policy_trim: makes room in the cache of what was said, between turns. */
void policy_trim(struct storage *s);

/* ---- contacts.c ---- */
enum status contacts_set_plan(struct storage *s, struct request *r);
void contacts_set_apply(struct storage *s, struct request *r);
enum status contacts_get_plan(struct storage *s, struct request *r);
void contacts_get_apply(struct storage *s, struct request *r);

/* ---- hold.c ---- */
/* account_held: an operator denies this device the relay, or the whole account. account_hold: that of the device itself, or
 * (all zero) of the account; NULL = none. holds_read: as stored; account_want must have been said. */
bool account_held(const struct account *a, struct device_id device);
const struct hold *account_hold(const struct account *a, struct device_id device);
void holds_read(struct storage *s, struct account_id id, struct hold_row *out);
enum status hold_plan(struct storage *s, struct request *r);
void hold_apply(struct storage *s, struct request *r);

/* ---- account_devices.c ---- */
enum status devices_plan(struct storage *s, struct request *r);
void devices_apply(struct storage *s, struct request *r);

/* ---- admission.c ---- */
/* admission_check: a new account, or (with a handle) a new claim. OK, *vouched: a good token came with it; TOKEN_REFUSED,
 * told as an event. admission_token: the verdict alone; ABSENT also where no keys are known. admission_open: tells where
 * anybody may come. */
enum status admission_check(struct storage *s, struct account_id account, struct view handle, struct view token,
                            bool *vouched) MUST_USE;
enum token_fault admission_token(struct storage *s, struct account_id account, struct view handle,
                                 struct view token) MUST_USE;
void admission_open(struct storage *s);

/* ---- register.c ---- */
enum status register_plan(struct storage *s, struct request *r);
void register_apply(struct storage *s, struct request *r);
enum status append_plan(struct storage *s, struct request *r);
void append_apply(struct storage *s, struct request *r);

/* ---- directory.c ---- */
/* entries_scan: this turn reads the account's entries from this number on, at most row_max and some byte_max.
 * entries_read: those that came, oldest first. */
struct store_scan *entries_scan(struct storage *s, struct account_id id, uint64_t first, size_t row_max,
                                size_t byte_max);
size_t entries_read(struct storage *s, const struct store_scan *scan, struct view **out);
enum status claim_handle_plan(struct storage *s, struct request *r);
void claim_handle_apply(struct storage *s, struct request *r);
enum status lookup_plan(struct storage *s, struct request *r);
void lookup_apply(struct storage *s, struct request *r);

/* ---- recovery.c ---- */
/* request_is_guest: it comes without a session. recovery_admit: whether a guest may see this log (NULL = there is none): OK;
 * REFUSED, whatever the reason; RATE_LIMITED with *retry_after_ms: the same of too many. Told as events. */
bool request_is_guest(const struct request *r);
enum status recovery_admit(struct storage *s, const struct request *r, const struct identity_log *log,
                           uint32_t *retry_after_ms) MUST_USE;

/* ---- backup.c ---- */
enum status backup_put_plan(struct storage *s, struct request *r);
void backup_put_apply(struct storage *s, struct request *r);
enum status backup_get_plan(struct storage *s, struct request *r);
void backup_get_apply(struct storage *s, struct request *r);

/* ---- prekey.c ---- */
enum status publish_plan(struct storage *s, struct request *r);
void publish_apply(struct storage *s, struct request *r);
enum status claim_prekeys_plan(struct storage *s, struct request *r);
void claim_prekeys_apply(struct storage *s, struct request *r);
/* prekeys_want: plans what prekeys_state needs. prekeys_state: zero where there are none, or none that
 * can be read. */
void prekeys_want(struct storage *s, uint16_t home, struct device_id device);
struct msg_prekey_state prekeys_state(struct storage *s, uint16_t home, struct device_id device);

/* ---- link.c ---- */
enum status link_put_plan(struct storage *s, struct request *r);
void link_put_apply(struct storage *s, struct request *r);
enum status link_get_plan(struct storage *s, struct request *r);
void link_get_apply(struct storage *s, struct request *r);

/* ---- hello.c ---- */
enum status hello_plan(struct storage *s, struct request *r);
void hello_apply(struct storage *s, struct request *r);
enum status bye_plan(struct storage *s, struct request *r);
void bye_apply(struct storage *s, struct request *r);
/* session_supersede: tells the holder of an attached session that a newer one has taken its place. */
void session_supersede(struct storage *s, const struct mailbox *m, const struct attachment *old,
                       struct session_id by);
/* sessions_revoke: no broker lets the device speak or receive any more. */
void sessions_revoke(struct storage *s, struct device_id device);
/* session_end: nobody is attached any more; the reason goes to the journal with what was unacked. */
void session_end(struct storage *s, struct mailbox *m);
/* adopt_list: a broker has named this session. adopt_plan, adopt_apply: the devices of those named are looked up, and
 * end where they may not speak (any more); their hot mailboxes get their rows. */
void adopt_list(struct storage *s, const struct stamp *stamp);
void adopt_plan(struct storage *s);
void adopt_apply(struct storage *s);

/* ---- reoffer.c: parked `held` deliveries come back ---- */
void reoffer_plan(struct storage *s);
void reoffer_apply(struct storage *s);

/* ---- fence.c ---- */
/* fence_check: the devices that the log has revoked since `before` have mailboxes at hand (core_mailbox_want): OK; BUSY.
 * fences_set: they get their fences, behind a fence_check. */
enum status fence_check(struct storage *s, const struct identity_log *before, const struct identity_log *log) MUST_USE;
void fences_set(struct storage *s, const struct identity_log *before, const struct identity_log *log);
void fence_put(struct storage *s, struct account_id account, struct mailbox *m);
/* fence_plan, fence_sweep: one of the sweeps of expiry.c. */
struct store_scan *fence_plan(struct storage *s, const struct store_key *cursor);
void fence_sweep(struct storage *s, struct store_scan *scan);

/* ---- reconcile.c: another of the sweeps ---- */
bool reconcile_due(const struct storage *s);
struct store_scan *reconcile_plan(struct storage *s, const struct store_key *cursor);
void reconcile_sweep(struct storage *s, struct store_scan *scan);

/* ---- gate.c ---- */
/* gate_plan: what the gate will ask for; NULL = no entries. *scans counts those of one frame.
 * gate: OK; STALE_DEVICES, RELAY_BEHIND with out->stale; NOT_FOUND; REFUSED (the account has no other device than
 * the sender); BUSY. */
struct store_scan *gate_plan(struct storage *s, const struct msg_send_item *item, size_t *scans);
enum status gate(struct storage *s, struct device_id sender, const struct msg_send_item *item,
                 const struct store_scan *since, struct msg_sent_item *out) MUST_USE;

/* ---- drift.c ---- */
/* drift_refused: a send was stale. drift_tick: now and then. */
void drift_refused(struct storage *s, struct device_id sender, const struct msg_send_item *item,
                   const struct msg_stale *stale, uint64_t client_version);
void drift_tick(struct storage *s);
enum status drift_plan(struct storage *s, struct request *r);
void drift_apply(struct storage *s, struct request *r);

/* ---- send.c ---- */
enum status send_read(const struct storage *s, struct request *r, struct arena *a);
enum status send_plan(struct storage *s, struct request *r);
void send_apply(struct storage *s, struct request *r);
/* resend_look (resend.c): of all resends of this turn what they would replace, from the state before it. */
void resend_look(struct storage *s);

/* ---- ack.c ---- */
enum status ack_plan(struct storage *s, struct request *r);
void ack_apply(struct storage *s, struct request *r);

/* ---- report.c ---- */
/* report_want: plans what report_take needs for an ACK. report_take: the failure's report, borrowed, if it is the
 * session's device's and about this delivery; else none. Either is told as an event. */
void report_want(struct storage *s, const struct request *r);
struct view report_take(struct storage *s, const struct request *r, const struct mailbox *m, const struct offer *o,
                        const struct msg_failure *failure);

/* ---- status.c, explain.c, terms.c ---- */
enum status status_plan(struct storage *s, struct request *r);
void status_apply(struct storage *s, struct request *r);
enum status explain_plan(struct storage *s, struct request *r);
void explain_apply(struct storage *s, struct request *r);
enum status terms_plan(struct storage *s, struct request *r);
void terms_apply(struct storage *s, struct request *r);
/* terms_open: reads store id and terms, ends the previous one, starts the new one, synced. */
enum status terms_open(struct storage *s, const struct storage_seed *seed, struct now now) MUST_USE;
/* terms_lost: the acceptance of this receipt is not in the store: beyond its term's end, in a term that
 * never was, or of another store that owned these partitions. */
bool terms_lost(const struct storage *s, const struct msg_receipt *receipt);
/* terms_witness: a broker's highest commit known acknowledged; names what was lost. */
void terms_witness(struct storage *s, struct term term, uint64_t commit);

/* ---- wake.c ---- */
enum status lease_plan(struct storage *s, struct request *r);
void lease_apply(struct storage *s, struct request *r);
enum status woken_plan(struct storage *s, struct request *r);
void woken_apply(struct storage *s, struct request *r);
/* wake_set: the device is offline and has something waiting. wake_clear: it is here. */
void wake_set(struct storage *s, struct mailbox *m);
void wake_clear(struct storage *s, struct mailbox *m);

/* ---- journal rows: record.c ---- */
enum status record_plan(struct storage *s, struct request *r);
void record_apply(struct storage *s, struct request *r);
enum status events_plan(struct storage *s, struct request *r);
void events_apply(struct storage *s, struct request *r);
void record_open(struct storage *s);
/* record_put: one to be written: only its kind's share of each second, and how many there were besides. */
void record_put(struct storage *s, const struct event *e);
/* record_flush: writes waiting events into this turn's batch. */
void record_flush(struct storage *s);

/* ---- offer.c ---- */
/* offer_plan: scans for hot mailboxes that are behind; offer_apply: DELIVER frames. */
void offer_plan(struct storage *s);
void offer_apply(struct storage *s);

/* ---- hint.c ---- */
/* hint_add: tell the sender's live sessions, after the commit, coalesced per device. */
void hint_add(struct storage *s, struct device_id sender, struct target_id target,
              struct message_id id, const struct msg_part_state *part);
void hint_apply(struct storage *s);

/* ---- expiry.c ---- */
void expiry_plan(struct storage *s);
void expiry_apply(struct storage *s);
/* expiry_end: the delivery (open or parked) ends here as expired, and both sides are told. */
void expiry_end(struct storage *s, struct mailbox *m, enum row_kind kind, struct position at,
                const struct envelope_row *row, uint64_t len);

/* ---- peer.c: brokers ---- */
/* peer_item: a frame of a broker about itself or its sessions; true when it was one (well-formed or
 * not). */
bool peer_item(struct storage *s, size_t broker, const struct stamp *stamp,
               const struct frame *frame);
void peer_heard(struct storage *s, size_t broker, const struct slab_header *header);
void peer_tick(struct storage *s);
void peer_flush(struct storage *s, size_t broker);
void peer_leaving(struct storage *s);
void peer_lost(struct storage *s, size_t broker);

#endif
