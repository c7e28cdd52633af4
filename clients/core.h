/* core: struct engine, and what its parts call of each other. Only for the files of the engine. One
 * part per noun: request, session, lineage, account, wish, change, contact, witness, verify,
 * outbox, submit, answer, receipt, terms, inbox, ack.
 *
 * A function here that gives a status gives OK or what a state function gave; every such status ends
 * in engine_fault(). Functions that end in _in expect an open transaction; the others open their own.
 * Events put within a transaction are dropped with it; frames are only made after its commit. */
#ifndef SEALMQ_CLIENTS_CORE_H
#define SEALMQ_CLIENTS_CORE_H

#include "broker/wire/frame.h"
#include "clients/engine.h"
#include "clients/absent.h"
#include "clients/pair.h"
#include "clients/policy.h"
#include "clients/witness.h"

#define REQUESTS_MAX        32u  /* ours under way; the relay allows PENDING_REQUESTS_MAX */
#define SEND_FRAMES_MAX     8u   /* SENDs under way */
#define SEND_BATCH_BYTES    (1024u * 1024u) /* a SEND of several items stops growing here */
#define SEND_FLIGHT_BYTES   (16u * 1024u * 1024u) /* ciphertext under way in all SENDs */
#define WAKES_MAX           16u  /* retry times remembered; what finds no place waits for the poll */
#define LOOKUPS_MAX         16u  /* contacts being resolved */
#define WAITING_MAX         256u /* messages waiting for one of them, remembered */
#define FRAMES_MAX          64u  /* made and not taken */
#define EVENTS_MIN          64u  /* the ring grows from here */
#define EVENTS_MAX          4096u
#define REPAIR_ROUNDS_MAX   3u
#define ID_ROUNDS_MAX       8u
#define INTRODUCTIONS_MAX   3u  /* a store may lose an account more than once */
#define RETRY_MIN_MS        250u
#define RETRY_MAX_MS        5000u
#define MAILBOX_RETRY_MS    60000u /* mailbox_full: the first wait */
#define MAILBOX_RETRY_MAX_MS 1800000u
#define UNMENDED_MAX        3u
#define LOOKUP_LEASE_MS     20000u
#define ACK_DROP_DELAY_MS   200u
#define ACK_DELIVERED_MS    50u   /* an application that takes a message within it costs one ACK, not two */
#define ACK_STALE_MS        1500u /* a new session was offered by then what is still to be acked */
#define PING_DEFAULT_MS     10000u
#define PING_WAIT_MIN_MS    1000u
#define PREKEYS_REFILL_BELOW 50u  /* one-time prekeys at the relay */
#define NEVER               UINT64_MAX

enum session_state {
    SESSION_DOWN,        /* no connection */
    SESSION_REGISTERING, /* connected; the relay shall get our first entry */
    SESSION_GREETING,    /* connected; HELLO to be said or answered */
    SESSION_BOUND,       /* WELCOME was said */
    SESSION_STOPPED,     /* the relay will not have us */
    SESSION_STATE_COUNT
};

/* The messages of one SEND, to match its answers. digest: of the bytes that went. */
struct send_batch {
    size_t count;
    size_t bytes;
    struct {
        uint64_t order;
        struct hash256 digest;
    } items[SENDS_PER_FRAME];
};

struct request {
    uint64_t correlation;     /* 0 = free */
    enum frame_kind kind;
    uint64_t deadline_ms;     /* mono */
    uint64_t session_count;   /* e->session_count when it was made */
    size_t lookup;            /* LOOKUP, APPEND of what is handed over: index into lookups; else LOOKUPS_MAX, or witness.h's */
    struct send_batch *batch; /* SEND: owned */
    struct store_id store;    /* TERMS, with since */
    struct term since;
    uint64_t claim;           /* CLAIM_HANDLE: e->claim_count when it was made; LINK_*: e->link_count */
};

enum lookup_stage {
    LOOKUP_FREE,
    LOOKUP_HANDLE,    /* which account is it? */
    LOOKUP_ACCOUNT,   /* entries from `first` on are asked for */
    LOOKUP_HAND_OVER, /* ours from `first` on are given to the relay */
    LOOKUP_PREKEYS,   /* of the devices with which there is no session */
};

struct lookup {
    enum lookup_stage stage;
    uint8_t handle[HANDLE_LEN_MAX];
    size_t handle_len; /* 0: our own account, or who has sent us something */
    struct account_id account; /* from LOOKUP_ACCOUNT on */
    uint64_t first;            /* an entry's number */
    uint64_t length;           /* of the log as it was held when last asked */
    uint64_t closed;           /* closed rows of the inbox up to this order number were there when it was asked */
    uint64_t handed;           /* 1 + the highest length from which entries were handed over; 0 = not yet */
    unsigned unmended;         /* how often it has shown, after a hand-over, that it has them not, or less than was stated */
    struct hash256 said;       /* the head that the relay has named last */
    uint64_t claimed;          /* 1 + the length at which PREKEYS last brought bundles that did not fit; 0 = not yet */
    bool asked;                /* a request is under way */
    uint64_t ask_ms;           /* mono: else, when to ask */
    unsigned tries;
};

struct waiting {
    uint64_t order; /* 0 = free */
    size_t lookup;
    bool asked, looked; /* the log was asked for since it waits; and it is here as the relay has it */
};

/* A delivery that is kept (committed). */
struct delivered {
    struct position at;
    uint64_t order;          /* its inbox row; 0 = it failed */
    uint64_t replaced;       /* the closed row of an earlier attempt, dropped for it; 0 = none */
    uint32_t len;            /* of the ciphertext */
    enum fail_reason reason; /* FAIL_NONE unless it failed */
    struct view report;      /* of one that failed: an encoded msg_report, in the engine's arena; or empty */
    bool taken;              /* by the application, earlier; or sealed, and opened; or withheld */
    bool hidden;             /* opaque, and from who is blocked: it is withheld, and counts as taken */
};

/* A failure that the relay is to be told of. */
struct failure {
    struct position at;
    enum fail_reason reason;
    uint8_t report_len, report[REPORT_LEN_MAX];
};

/* One that the application has not taken yet. */
struct untaken {
    struct position at, before; /* before: the one offered before it in this session; seq 0 = none */
    uint64_t order;
};

/* Acknowledgements of the present session. */
struct acks {
    struct position delivered; /* the highest committed position; seq 0 = none yet */
    struct position asked_settled, asked_delivered;   /* what the ACK under way says */
    struct position echoed_settled, echoed_delivered; /* what the relay has echoed in this session */
    struct position drop;      /* rows up to here go from the state at drop_ms */
    bool under_way;
    bool gap_due;              /* a gap_number is committed and not acknowledged in this session */
    bool gap_asked;            /* the ACK under way says it */
    bool stale_done;           /* what no offer of this session explained was dropped from the state */
    uint64_t send_ms;          /* mono: not before (back-off) */
    uint64_t delivered_ms;     /* mono: not before, where nothing but `delivered` is to be said */
    uint64_t pace_ms;          /* mono: not before, while there is credit */
    size_t since_count;        /* deliveries since the last ACK was sent, */
    uint64_t since_bytes;      /* and their ciphertexts */
    uint64_t poll_ms;          /* mono: when to look for what another process has taken */
    unsigned tries;
    uint64_t drop_ms;          /* mono: when to drop echoed rows from the state; NEVER = none */
    struct buffer failed;      /* of struct failure, ascending; as many as the credit at most */
    struct buffer untaken;     /* of struct untaken, ascending; as many as the credit at most */
};

/* A store whose receipts are being compared (terms.c). */
struct terms_ask {
    struct store_id store;
    struct term term;  /* its present one */
    struct term since; /* what was asked */
    bool wanted, under_way;
    uint64_t ask_ms;
    unsigned tries;
};
#define STORES_MAX 64u

/* Where secrets are while something is sealed or opened: sodium_malloc memory, wiped after each use. */
struct seal_work {
    struct device_secrets secrets;
    struct state_session rows[STATE_SESSIONS_MAX], next;
    struct skipped_list fresh;
    struct state_prekey prekey, extra;
    struct message_sk kept;
};

struct engine {
    struct engine_config config;
    struct state *state;
    struct arena arena;        /* one entry call */
    struct buffer scratch;
    struct seal_work *work;    /* made with the first use */
    struct buffer plain;       /* padded content, wiped after each use */
    enum status broken;        /* OK, or why the engine does nothing any more */
    size_t event_mark;         /* e->event_count when the transaction began */

    /* identity, re-read at every connection */
    struct arena identity_arena;
    struct state_identity identity;
    bool founder;              /* this device's key founded the account: only that claims handles */
    bool claim_settled;        /* claimed, refused, or no handle: nothing to do until engine_register */
    bool claim_under_way;
    uint64_t claim_count;      /* of handles wanted, ever: an answer to an earlier wish says nothing */
    uint64_t claim_ms;
    bool change_pending, change_under_way; /* an entry of ours (change.c) */
    uint64_t change_ms;        /* mono: when to send it (again) */
    struct hash256 change_sent; /* the hash of the entry that was sent last */
    enum status change_refusal; /* what ERROR said, until the log is seen without the change */
    struct approval *approval; /* approve.c; NULL = none */
    uint64_t link_count;       /* of them, ever */
    bool joining;              /* this device has consented to join the account, and was not seen in its log yet */
    bool unlinked;             /* and joining_is_over */
    uint64_t refusal_ms;       /* mono: when the relay's next no is written down again */
    struct backup_job *backup; /* backup.c; NULL = none */
    struct msg_prekey_state prekeys; /* what the relay has, by its last word */
    bool prekeys_under_way, prekeys_noted; /* noted: the state has that word */
    uint64_t fills_ms;         /* mono: up to when new ones are made already (prekey.c) */
    uint64_t prekeys_ms;       /* mono: when to look what it lacks */

    struct policy_sync policy;
    struct absent_list absent;

    /* session */
    enum session_state session_state;
    struct session_id session;
    struct store_id home_store; /* owned our home at the last WELCOME; all zero = the map did not say */
    uint64_t session_count;    /* of WELCOMEs and connections, ever */
    bool attach;               /* config's wish until superseded */
    bool attached;             /* the present session */
    uint64_t register_first;   /* the next REGISTER has entries from this number on: one frame's worth */
    unsigned introduced;       /* REGISTERs after `not_found` since the last session or connection */
    bool leaving, draining, move_told;
    uint64_t drain_ms;         /* mono: latest moment to move */
    uint64_t hello_ms;         /* mono: when to say REGISTER or HELLO (again) */
    unsigned hello_tries;
    uint64_t welcome_ms;       /* mono: the last WELCOME */
    uint64_t lineage_ms;       /* mono: when to tell the next mark */
    uint32_t ping_ms;
    uint64_t said_ms;          /* mono: when we last said something */
    bool ping_under_way, ping_wanted;
    unsigned pings_lost;
    int64_t relay_ahead_ms;    /* relay clock minus our monotonic one: the wall clock may be set */
    bool relay_known;
    struct msg_map map;        /* ranges are heap memory of ours */

    struct request requests[REQUESTS_MAX];
    size_t request_count;
    uint64_t correlation;
    struct buffer frames[FRAMES_MAX]; /* ring */
    size_t frame_first, frame_count;
    bool frame_taken;          /* frames[frame_first] was handed out by engine_next_frame */

    struct engine_event *events; /* ring, grows to EVENTS_MAX */
    size_t event_cap, event_first, event_count;
    uint64_t events_dropped;

    struct lookup lookups[LOOKUPS_MAX];
    bool learn_left;           /* some sender of a closed row is not being looked up */
    struct witness witnesses[WITNESSES_MAX];
    struct waiting waiting[WAITING_MAX];
    uint64_t outbox_ms;        /* mono: when to look for messages behind outbox_after */
    uint64_t sends_held_ms;    /* mono: not before: the relay has said that we send too much */
    uint64_t sweep_ms;         /* mono: when to look from the beginning: for other processes' rows */
    uint64_t wakes[WAKES_MAX]; /* mono: and for retries; NEVER = free */
    uint64_t outbox_after;     /* order number: rows up to here were looked at since the last sweep */
    size_t sends_under_way, send_bytes;
    size_t batch_max;          /* items in a SEND: 1 for a while after a whole frame was refused */

    uint64_t status_ms;        /* mono: when to ask on */
    uint64_t status_after;     /* order number */
    size_t status_under_way;

    struct terms_ask stores[STORES_MAX];
    size_t store_count;

    struct acks acks;
    uint64_t gap_seen;         /* the highest gap_number committed; 0 = none */
    uint64_t closed_last;      /* order number of the closed row of the inbox that was seen last; 0 = none */
    struct engine_counts counts;
};

/* ---- engine.c: transactions, events, times ---- */

/* tx_begin, tx_end: state_begin; then state_commit when `s` is OK, else rollback, with the events put in
 * between dropped, and `s` back. */
enum status tx_begin(struct engine *e, enum state_mode mode) MUST_USE;
enum status tx_end(struct engine *e, enum status s) MUST_USE;
/* engine_fault: takes a status of the state: LOCKED is for the caller to try again (it gives false); IO
 * and DAMAGED end the engine. True for OK. */
bool engine_fault(struct engine *e, enum status s);
void event_put(struct engine *e, const struct engine_event *event);
/* backoff_ms: min << tries up to max, half of it random. */
uint64_t backoff_ms(struct engine *e, unsigned tries, uint64_t min_ms, uint64_t max_ms);
void random_fill(struct engine *e, void *out, size_t len);
/* earlier: moves a deadline forward, never back. */
void earlier(uint64_t *deadline_ms, uint64_t ms);

/* ---- request.c ---- */

/* request_make: a request with its whole frame (meta only) ready to go; NULL when a table is full. */
struct request *request_make(struct engine *e, struct now now, enum frame_kind kind, uint16_t home,
                             const struct codec_desc *desc, const void *message);
/* request_begin: the same, giving the buffer in which the frame stands up to its meta: append the body. */
struct request *request_begin(struct engine *e, struct now now, enum frame_kind kind,
                              uint16_t home, const struct codec_desc *desc, const void *message,
                              struct buffer **frame);
bool request_room(const struct engine *e);
/* may_ask: there is a session, and neither DRAIN nor engine_leave forbids to begin something. */
bool may_ask(const struct engine *e);
/* requests_fail_all: the connection is gone. requests_expire: those past their deadline. */
void requests_fail_all(struct engine *e, struct now now);
void requests_expire(struct engine *e, struct now now);
uint64_t requests_deadline_ms(const struct engine *e);
/* request_answer: a reply frame. */
void request_answer(struct engine *e, struct now now, const struct frame *f);
void frames_clear(struct engine *e);

/* What a kind of request does with its reply, and without one: s is the relay's status, TIMEOUT or
 * GONE. The request is free when these return. */
typedef void reply_fn(struct engine *e, struct now now, struct request *r, const struct frame *f);
typedef void failure_fn(struct engine *e, struct now now, struct request *r, enum status s,
                        uint32_t retry_after_ms);

/* ---- session.c ---- */

void session_up(struct engine *e, struct now now);
void session_down(struct engine *e, struct now now);
void session_drive(struct engine *e, struct now now);
uint64_t session_deadline_ms(const struct engine *e);
/* session_lost: the relay says that there is none (any more): HELLO again. */
void session_lost(struct engine *e, struct now now);
void session_superseded(struct engine *e, struct now now);
void session_drain(struct engine *e, struct now now, uint32_t deadline_ms);
void session_registered(struct engine *e, struct now now);
void session_stop(struct engine *e, struct now now, enum status s);
/* store_of: which store owns a partition; false = the map does not say. */
bool store_of(const struct engine *e, uint16_t home, struct store_id *out);
reply_fn welcome_reply, pong_reply, goodbye_reply;
failure_fn hello_failed, ping_failed, bye_failed;

/* ---- account.c ---- */

/* identity_load: OK; STATE: the home has become another device (joining.c): this engine has no place in it any more. */
enum status identity_load(struct engine *e) MUST_USE;
enum status own_log_ensure(struct engine *e) MUST_USE;
/* secrets_new: zeros; for sodium_free. */
struct device_secrets *secrets_new(void);
/* device_keys_make: those of a new device, into secrets_new's memory. */
void device_keys_make(const struct random_source *random, struct device_secrets *secrets, struct msg_device_record *out);
void register_send(struct engine *e, struct now now);
void claim_drive(struct engine *e, struct now now);
uint64_t claim_deadline_ms(const struct engine *e);
reply_fn registered_reply, claimed_reply;
failure_fn register_failed, claim_failed;

/* ---- pin.c ---- */

enum pin_verdict {
    PIN_CURRENT, /* we hold what the relay holds */
    PIN_MORE,    /* it has entries that we have not seen */
    PIN_BEHIND,  /* it has lost entries that we hold */
    PIN_FORKED,  /* it shows another history than the one we hold, or one that does not verify */
};
/* pin_extend_in: takes the entries that follow what we hold of the account, and compares the end. *out is what we hold
 * then; after PIN_FORKED it is of no use, and nothing of the answer was kept. */
enum status pin_extend_in(struct engine *e, struct now now, struct account_id account,
                          const struct msg_log_state *said, const struct view *entries, size_t count,
                          struct contact *out, enum pin_verdict *verdict) MUST_USE;
/* pin_entries_in: kept entries from this number on, one frame's worth, in the engine's arena. */
enum status pin_entries_in(struct engine *e, struct account_id account, uint64_t first, struct view **entries,
                           size_t *count) MUST_USE;

/* ---- wish.c ---- */

/* wish_obstacle: what is in the way of it behind what this log has, signed by this device; also of ENTRY_REPLACE, of itself,
 * and of ENTRY_ADD, of the device that its keys will be. */
enum change_obstacle wish_obstacle(const struct identity_log *log, struct device_id signer,
                                   const struct change_wish *wish);
enum status obstacle_status(enum change_obstacle why);

/* ---- verify.c: contacts that the user has verified (PROTOCOL 10.8) ---- */

/* verify_end: where it was verified it is not any more, and the application is told; the caller writes it.
 * verify_lose_in: the same of the one that we hold, written. */
void verify_end(struct engine *e, struct now now, struct contact *c, enum loss why);
enum status verify_lose_in(struct engine *e, struct now now, struct account_id account, enum loss why) MUST_USE;

/* ---- change.c ---- */

/* change_admit: an entry that adds a device, with its consent: as engine_change. */
enum status change_admit(struct engine *e, struct now now, const struct entry_plan *add,
                         enum change_obstacle *why) MUST_USE;
/* change_pending_in: an entry of ours is on its way. change_seen: our log has gone on. change_stopped: the relay will not
 * have this device. */
enum status change_pending_in(struct engine *e, bool *pending) MUST_USE;
void change_drive(struct engine *e, struct now now);
uint64_t change_deadline_ms(const struct engine *e);
void change_seen(struct engine *e, struct now now);
void change_stopped(struct engine *e, struct now now, enum status s);
void change_reply(struct engine *e, struct now now, const struct frame *f);
void change_failed(struct engine *e, struct now now, enum status s, uint32_t retry_after_ms);

/* ---- prekey.c ---- */

/* prekeys_told: what the relay says it has of ours; what is missing there is published. */
void prekeys_told(struct engine *e, struct now now, const struct msg_prekey_state *relay);
void prekeys_low_push(struct engine *e, struct now now, const struct frame *f);
void prekeys_drive(struct engine *e, struct now now);
uint64_t prekeys_deadline_ms(const struct engine *e);
/* prekeys_renounce_in: those that the relay has are not to be handed out any more. */
enum status prekeys_renounce_in(struct engine *e) MUST_USE;
reply_fn published_reply;
failure_fn publish_failed;

/* ---- policy_sync.c; the rest is in policy.h ---- */

reply_fn contacts_kept_reply, contacts_are_reply;
failure_fn contacts_set_failed, contacts_get_failed;

/* ---- opening.c: sealed deliveries ---- */

/* opening_in: a sealed delivery, whose row is known but for what is inside: opened into it; or closed = true, to be kept
 * so until the sender's log is known (not with `final`); or *cause. */
enum status opening_in(struct engine *e, struct now now, struct inbox_row *row, struct view ciphertext, bool final,
                       enum report_cause *cause) MUST_USE;
/* opening_report_in: the signed report of a failure, in the engine's arena. */
enum status opening_report_in(struct engine *e, struct now now, const struct inbox_row *row, enum report_cause cause,
                              struct view *out) MUST_USE;
/* opening_retry: closed rows of an account whose log was looked up; those up to `closed` were there before, and end here:
 * opened or failed. The others are opened where that is possible now; *left: some are not. Nothing for a session that is
 * not attached. false: not now, the look-up is to be made again. */
bool opening_retry(struct engine *e, struct now now, struct account_id account, uint64_t closed, bool *left) MUST_USE;
/* opening_sweep: closed rows from before this session: their senders are looked up. */
void opening_sweep(struct engine *e, struct now now);

/* ---- lineage.c: copies of this home (PROTOCOL 4.1) ---- */

/* lineage_next: a new mark, kept; false: not now. lineage_heard: what WELCOME says; ENGINE_COPIED follows where another
 * copy was in use; false: another HELLO is to be said, since it could not be judged, or so that that copy hears of us. */
bool lineage_next(struct engine *e, struct now now, struct view *out) MUST_USE;
/* lineage_due: the same in a session that goes on, now and then. */
bool lineage_due(struct engine *e, struct now now, struct view *out) MUST_USE;
bool lineage_heard(struct engine *e, struct now now, struct view said) MUST_USE;

/* ---- vouch.c ---- */

/* handle_vouched: state_handle_vouched in a transaction of its own. own_token_in: ours, in the engine's arena; or empty. */
enum status handle_vouched(struct engine *e, const struct msg_found *found, struct view handle) MUST_USE;
enum status own_token_in(struct engine *e, struct view *out) MUST_USE;

/* ---- contact.c ---- */

/* contact_find_in: the contact that a row's handle names, where we know it; sets row->target. */
enum status contact_find_in(struct engine *e, struct outbox_row *row, struct contact *out,
                            bool *known) MUST_USE;
/* contact_wait_in: the relay is asked for it; the row is leased to that (and written). */
enum status contact_wait_in(struct engine *e, struct now now, struct outbox_row *row) MUST_USE;
/* contact_hand_over_in: the relay's log of the row's target ends before ours: it gets the rest; the row waits for that. */
enum status contact_hand_over_in(struct engine *e, struct now now, struct outbox_row *row, uint64_t first) MUST_USE;
/* contact_claim_in: sessions with the row's recipient are to be begun; the row waits for that. */
enum status contact_claim_in(struct engine *e, struct now now, struct outbox_row *row) MUST_USE;
/* contact_learn: somebody's log, without a handle, from where we hold it; opening_retry follows. */
void contact_learn(struct engine *e, struct now now, struct account_id account);
/* contact_ask: the same, where it is known how far we hold it. */
void contact_ask(struct engine *e, struct now now, struct account_id account, uint64_t length);
/* contact_own: what the relay says of our own log, at WELCOME: what is missing on either side is fetched or given. */
void contact_own(struct engine *e, struct now now, const struct msg_log_state *said);
void contact_drive(struct engine *e, struct now now);
uint64_t contact_deadline_ms(const struct engine *e);
reply_fn found_reply, appended_reply, claimed_prekeys_reply;
failure_fn lookup_failed, append_failed;

/* ---- outbox.c ---- */

/* outbox_step_in: the one place that changes a row's state; then writes the row and tells the
 * application. The pair must be in the table. */
enum status outbox_step_in(struct engine *e, struct now now, struct outbox_row *row,
                           enum message_event event, enum status reason) MUST_USE;
/* outbox_refuse_in: it will not arrive. A resend that is not taken leaves what was accepted before as it is. */
enum status outbox_refuse_in(struct engine *e, struct now now, struct outbox_row *row, enum status reason) MUST_USE;
/* outbox_later_in: tries again in delay_ms. */
enum status outbox_later_in(struct engine *e, struct now now, struct outbox_row *row,
                            enum status reason, uint64_t delay_ms) MUST_USE;
/* outbox_reseal_in: surely not accepted as it is: back to a draft, due now. */
enum status outbox_reseal_in(struct engine *e, struct now now, struct outbox_row *row,
                             enum status reason) MUST_USE;
/* outbox_remember: the digest of bytes that may have reached the relay, before others take their place. */
void outbox_remember(struct outbox_row *row);
/* outbox_unseal_in: the sealed ones that wait to be submitted are drafts again, without the bytes that were made of them. */
enum status outbox_unseal_in(struct engine *e, struct now now) MUST_USE;
/* outbox_stopped: what was never accepted says why it does not go. */
void outbox_stopped(struct engine *e, enum status reason);
/* outbox_new_id: another message id, as if never sent; the row is not written. */
void outbox_new_id(struct engine *e, struct now now, struct outbox_row *row);
/* outbox_seal_in: makes and keeps the bytes of a draft: for each device of the contact those that `body` has already, where
 * they are still right, else new ones of its payload; *body has them then (on the engine's arena). *ready false: there is
 * no session with some device; nothing has changed. */
enum status outbox_seal_in(struct engine *e, struct now now, struct outbox_row *row,
                           const struct contact *contact, struct outbox_body *body, bool *ready) MUST_USE;
/* outbox_tell: the application hears of the row as it stands; of a copy it does not. */
void outbox_tell(struct engine *e, const struct outbox_row *row);
/* id_is_timely: whether the relay would take the id now (PROTOCOL 7.1). */
bool id_is_timely(const struct engine *e, struct now now, struct message_id id);

/* ---- copy.c: for our other devices (PROTOCOL 10.9) ---- */

/* copy_make_in: what the relay has just accepted is to go to our other devices too, where there are any, once; `payload`
 * is the message's. copy_find_in: the row that an answer about (id, target) is about. NOT_FOUND. */
enum status copy_make_in(struct engine *e, struct now now, const struct outbox_row *row, struct view payload) MUST_USE;
enum status copy_find_in(struct engine *e, struct message_id id, struct target_id target, struct outbox_row *out) MUST_USE;
/* copy_event: what happens to a copy where the same would make a message wait for its user. */
enum message_event copy_event(const struct outbox_row *row, enum message_event event);
/* copy_payload_in: what the content of the row has as its payload; on the engine's arena, where that is not `payload`. */
enum status copy_payload_in(struct engine *e, const struct outbox_row *row, struct view payload, struct view *out) MUST_USE;
/* copy_is_vain: a copy for which there is no other device any more. */
bool copy_is_vain(const struct engine *e, const struct outbox_row *row, const struct identity_log *own);

/* ---- submit.c ---- */

void submit_drive(struct engine *e, struct now now);
uint64_t submit_deadline_ms(const struct engine *e);
/* submit_wake: a row is due again in delay_ms. */
void submit_wake(struct engine *e, struct now now, uint64_t delay_ms);

/* ---- answer.c ---- */

reply_fn sent_reply;
failure_fn send_failed;

/* ---- receipt.c ---- */

void receipt_drive(struct engine *e, struct now now);
void hint_push(struct engine *e, struct now now, const struct frame *f);
/* parts_ended_in: settles or refuses a row all of whose parts have an outcome; else writes it. */
enum status parts_ended_in(struct engine *e, struct now now, struct outbox_row *row) MUST_USE;
reply_fn status_reply;
failure_fn status_failed;

/* ---- resend.c ---- */

/* resend_wanted_in: whether a part's failure is one to seal anew for: `damaged`; `broken` by a report of its device's own. */
enum status resend_wanted_in(struct engine *e, struct now now, const struct outbox_row *row, const struct msg_part_state *news,
                             bool *wanted) MUST_USE;
/* resend_in: sealed anew for the devices marked, in new sessions; an accepted row becomes a draft. */
enum status resend_in(struct engine *e, struct now now, struct outbox_row *row,
                      const bool wanted[DEVICES_PER_ACCOUNT]) MUST_USE;
/* resend_has: the device is one of those that the row is sealed for now: all of a first attempt. resend_any: one of the
 * contact's devices is. resend_keeps: bytes that it had may go again. resend_undo: it was not taken: what the relay says of
 * an earlier attempt counts. */
void resend_undo(struct outbox_row *row);
bool resend_has(const struct outbox_row *row, struct device_id device);
void resend_left(struct outbox_row *row, const struct msg_accepted *m);
bool resend_any(const struct outbox_row *row, const struct contact *contact);
bool resend_keeps(const struct outbox_row *row, struct device_id device);

/* ---- terms.c ---- */

/* terms_seen: a map has come; asks where a store's term is news and receipts are held. */
enum status terms_seen(struct engine *e, struct now now) MUST_USE;
void terms_drive(struct engine *e, struct now now);
uint64_t terms_deadline_ms(const struct engine *e);
/* store_is_gone: the map has an owner for the row's target, and nowhere the store of its receipt.
 * receipt_lost_in: an accepted row whose acceptance was lost: the same bytes again, with the receipt. */
bool store_is_gone(const struct engine *e, const struct outbox_row *row);
enum status receipt_lost_in(struct engine *e, struct now now, struct outbox_row *row) MUST_USE;
reply_fn terms_reply;
failure_fn terms_failed;

/* ---- inbox.c ---- */

/* received_tell: the application hears that the row is there for it. gap_seen_load_in: e->gap_seen as the state has it. */
void received_tell(struct engine *e, const struct inbox_row *row);
void deliver_push(struct engine *e, struct now now, const struct frame *f);
enum status gap_seen_load_in(struct engine *e) MUST_USE;

/* ---- ack.c ---- */

/* acks_reset: a new session: positions of the old one mean nothing in it. acks_have_room: within the credit that was asked for. acks_delivered: deliveries of one frame, ascending,
 * whose transaction is committed; with it, what acks_drop_in has dropped: echoed rows. */
void acks_reset(struct engine *e);
bool acks_have_room(const struct engine *e, size_t count);
void acks_delivered(struct engine *e, struct now now, const struct delivered *items, size_t count);
enum status acks_drop_in(struct engine *e) MUST_USE;
/* acks_opened: closed rows were opened, or (broken) dropped: their transaction is committed. */
void acks_opened(struct engine *e, struct now now, uint64_t order);
void acks_broken(struct engine *e, struct now now, uint64_t order, enum fail_reason reason, struct view report);
void ack_drive(struct engine *e, struct now now);
uint64_t ack_deadline_ms(const struct engine *e);
bool ack_pending(const struct engine *e);
reply_fn acked_reply;
failure_fn ack_failed;

#endif
