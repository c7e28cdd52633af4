/* core: the storage core's own struct and the contracts between its files. Private to storage/. */
#ifndef SEALMQ_STORAGE_CORE_H
#define SEALMQ_STORAGE_CORE_H

#include "storage/mailbox.h"
#include "storage/storage.h"
#include "storage/table.h"
#include "storage/turn.h"

#define MAILBOXES_MAX  1000000u
#define ACCOUNTS_CACHED_MAX 200000u
#define TERMS_KEPT_MAX 64u
#define REFILLS_PER_TURN 64u
#define REFILL_BYTES_MAX (1024u * 1024u)

enum store_state { STORE_COLLECTING, STORE_SERVING, STORE_READONLY, STORE_DRAINING, STORE_STATES };

/* A device of an account, as the gate and HELLO need it. */
struct account_device {
    struct device_id id;
    struct signing_pk signing;
    struct transport_pk transport;
};

struct account {
    struct account_id id;
    uint64_t key_version;
    struct hash256 head;
    struct view entry; /* heap */
    struct account_device devices[DEVICES_PER_ACCOUNT];
    size_t device_count;
};

/* A broker as storage sees it. */
struct peer {
    bool known;     /* it answered READY */
    bool collected; /* it listed its sessions, or had its time */
    struct boot_id boot;
    uint64_t heard_ms, ready_first_ms, said_ms; /* mono; 0 = never */
    struct buffer at_once; /* rests on nothing that is unsynced */
    struct buffer after;   /* leaves after this turn's commit */
    struct buffer map;     /* the broker's map, encoded */
};

struct request;

/* What is done with one kind of request: plan() says what to load, apply() decides. Both may answer
 * with request_fail. Reads see the state before the turn and are never mixed with earlier writes. */
struct handler {
    enum frame_kind kind;
    bool reads;
    const struct codec_desc *desc;
    size_t meta_size;
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
    void *plan;    /* the handler's own, in the turn's arena */
};

struct term_known {
    struct term term;
    uint64_t end;
};

struct storage_counters {
    uint64_t turns, items, accepted, settled, queued_messages, queued_bytes, parked, attached;
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
    struct arena input;
    struct request *first, *last;
    size_t queued, queued_weight, queued_bytes;
    struct request *running; /* of this turn, in order */
    struct turn turn;
    bool in_turn;

    struct table *mailboxes; /* device id -> struct mailbox */
    struct table *accounts;  /* account id -> struct account */
    struct mailbox *hot;
    uint64_t hot_at_ms; /* mono: when the hot list needs a turn */
    struct mailbox **refills; /* of this turn, with the scan beside */
    struct store_scan **refill_scans;
    size_t refill_count;
    uint64_t session_number;
    struct hint_list *hints;

    struct term_known terms[TERMS_KEPT_MAX];
    size_t term_count;
    bool terms_complete;

    struct event_ring events;
    uint64_t event_number, event_second, event_second_count;
    struct store_key event_keys[64]; /* of the newest persisted ones, a ring */
    uint64_t event_keys_written;

    struct store_key sweep_payload, sweep_ledger, sweep_events;
    struct store_scan *sweep_scans[3];
    uint64_t sweep_next_ms;
    bool sweep_due;
    size_t sweep_turn;

    bool wakes_created;
    uint64_t wakes_told_ms;
    uint64_t wake_count;

    uint64_t wall_base_ms, mono_base_ms, store_ms;
    bool clock_jumped;
    uint64_t mono_ms;
    uint64_t stats_next_ms, flush_next_ms;
    uint32_t disk_free_percent;
    uint64_t commit_lag_us;
    struct storage_counters counters;
};

/* ---- core.c: answering and telling ---- */

/* request_reply: one reply, leaving after the commit. body may be empty. */
void request_reply(struct storage *s, const struct request *r, enum frame_kind kind,
                   const struct codec_desc *desc, const void *meta);
void request_fail(struct storage *s, const struct request *r, enum status status,
                  uint32_t retry_after_ms);
/* push_begin / push_end: a frame to a session, leaving after the commit. */
size_t push_begin(struct storage *s, const struct mailbox *m, struct buffer **out);
void push_end(struct buffer *out, size_t start);
void core_event(struct storage *s, const struct event *e);
/* core_owns: the partition belongs to this store. */
bool core_owns(const struct storage *s, uint16_t home);

/* core_mailbox_want: plans what core_mailbox needs. */
void core_mailbox_want(struct storage *s, uint16_t home, struct device_id device);
/* core_mailbox: the mailbox, made from its rows when it is not in memory. OK, FULL, DAMAGED. */
enum status core_mailbox(struct storage *s, uint16_t home, struct device_id device,
                         struct mailbox **out) MUST_USE;
/* core_mailbox_peek: NULL when not in memory. */
struct mailbox *core_mailbox_peek(const struct storage *s, struct device_id device);
/* core_hot: the mailbox will be looked at when this turn's offers are made. */
void core_hot(struct storage *s, struct mailbox *m);

/* ---- account.c ---- */
void account_want(struct storage *s, struct account_id id);
/* account_find: OK, NOT_FOUND, DAMAGED; the pointer is good for this turn. */
enum status account_find(struct storage *s, struct account_id id,
                         const struct account **out) MUST_USE;
const struct account_device *account_device(const struct account *a, struct device_id id);
void account_free(struct account *a);
enum status register_plan(struct storage *s, struct request *r);
void register_apply(struct storage *s, struct request *r);
enum status claim_handle_plan(struct storage *s, struct request *r);
void claim_handle_apply(struct storage *s, struct request *r);
enum status lookup_plan(struct storage *s, struct request *r);
void lookup_apply(struct storage *s, struct request *r);

/* ---- hello.c ---- */
enum status hello_plan(struct storage *s, struct request *r);
void hello_apply(struct storage *s, struct request *r);
enum status bye_plan(struct storage *s, struct request *r);
void bye_apply(struct storage *s, struct request *r);

/* ---- send.c ---- */
enum status send_plan(struct storage *s, struct request *r);
void send_apply(struct storage *s, struct request *r);

/* ---- ack.c ---- */
enum status ack_plan(struct storage *s, struct request *r);
void ack_apply(struct storage *s, struct request *r);

/* ---- status.c, explain.c, terms.c ---- */
enum status status_plan(struct storage *s, struct request *r);
void status_apply(struct storage *s, struct request *r);
enum status explain_plan(struct storage *s, struct request *r);
void explain_apply(struct storage *s, struct request *r);
enum status terms_plan(struct storage *s, struct request *r);
void terms_apply(struct storage *s, struct request *r);
/* terms_open: reads store id and terms, ends the previous one, starts the new one, synced. */
enum status terms_open(struct storage *s, const struct storage_seed *seed, struct now now) MUST_USE;
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

/* ---- peer.c: brokers ---- */
/* peer_item: a frame of a broker about itself or its sessions; true when it was one. */
bool peer_item(struct storage *s, size_t broker, const struct stamp *stamp, struct view frame);
void peer_heard(struct storage *s, size_t broker, const struct slab_header *header);
void peer_tick(struct storage *s);
void peer_flush(struct storage *s, size_t broker);
void peer_leaving(struct storage *s);
void peer_lost(struct storage *s, size_t broker);

#endif
