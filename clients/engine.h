/* engine: the client side of the protocol as a core: no socket, no clock, no thread, no randomness of
 * its own. Frames that arrived, the time and the application's wishes go in; frames to send and
 * events come out. What must survive is in the struct state, and is committed there before a frame
 * that rests on it comes out.
 *
 * A turn of its owner: hand in what happened (engine_up, engine_down, engine_frame, engine_send...),
 * then engine_tick, then take engine_next_frame until false, then engine_next_event until false, then
 * wait until engine_deadline_ms or the next happening.
 *
 * Several engines, also of several processes, may share one state. One thread at a time per state. */
#ifndef SEALMQ_CLIENTS_ENGINE_H
#define SEALMQ_CLIENTS_ENGINE_H

#include "broker/wire/now.h"
#include "broker/wire/token.h"
#include "clients/random.h"
#include "clients/safety.h"
#include "clients/state/state.h"

struct engine;

#define ENGINE_ACK_PACE_MS 20u /* what clients SHOULD leave */

struct engine_config {
    struct random_source random;
    const char *client_version;   /* static text, "0.1.0"; <= CLIENT_VERSION_LEN_MAX */
    bool attach;                  /* take deliveries */
    uint32_t credit_messages;     /* 0 = CREDIT_MESSAGES_MAX */
    uint64_t credit_bytes;        /* 0 = CREDIT_BYTES_MAX */
    uint32_t request_timeout_ms;  /* 0 = 10 s; then the same bytes again */
    uint32_t poll_ms;             /* 0 = 1 s: how often to look for what another process has queued */
    uint32_t ack_pace_ms;         /* at least between two ACKs, while half the credit is left (PROTOCOL 8) */
    bool prekeys;                 /* leave prekeys at the relay: for sealing; without it nobody can begin a session */
    uint32_t status_every_ms;     /* 0 = 30 s: how often to ask for outcomes that no hint told */
};

/* ---- the account (account.c) ---- */

struct account_wish {
    struct view handle;    /* checked with handle_check; empty = none */
    struct view endpoints; /* stored as they are */
    struct transport_pk server;
};

/* account_create: makes the keys, the first entry and the ids, and stores them, in one transaction; the
 * engine registers them when it first meets the relay. OK; MALFORMED (handle); STATE (this home has an
 * identity, nothing is changed); as state_commit. */
enum status account_create(struct state *state, const struct random_source *random, struct now now,
                           const struct account_wish *wish) MUST_USE;

/* ---- life ---- */

/* engine_new: OK with *out, the state being borrowed until engine_free; NOT_FOUND (no identity in the
 * state: account_create first); as state_begin. *out is NULL after a failure. */
enum status engine_new(const struct engine_config *config, struct state *state,
                       struct engine **out) MUST_USE;
/* engine_free: NULL-safe, nulls. The state stays the caller's. */
void engine_free(struct engine **e);

/* ---- what happened ---- */

/* engine_up: a new connection, without a session. engine_down: it is gone; frames not taken are dropped. */
void engine_up(struct engine *e, struct now now);
void engine_down(struct engine *e, struct now now);
/* engine_frame: one frame from the relay; not kept. Bad ones are dropped and counted. */
void engine_frame(struct engine *e, struct now now, struct view bytes);
/* engine_tick: does what is due. After every other call, and when the deadline has passed. */
void engine_tick(struct engine *e, struct now now);
/* engine_deadline_ms: the mono_ms at which engine_tick has something to do; UINT64_MAX = never. */
uint64_t engine_deadline_ms(const struct engine *e);

/* engine_next_frame: the next frame to send, good until the next call on this engine; false = none.
 * engine_keep_frame: right after it, when the transport cannot take the frame now: it comes again. */
bool engine_next_frame(struct engine *e, struct view *out);
void engine_keep_frame(struct engine *e);

/* ---- what the application wants ---- */

struct engine_message {
    struct view handle;
    const struct account_id *account; /* to this one instead, with an empty handle: an answer; NULL = by the handle */
    struct view payload;  /* <= PAYLOAD_LEN_MAX */
    const char *key;      /* the caller's id: 1..64 printable characters; NULL = none */
    uint64_t ttl_ms;      /* 0 = the relay's default */
    bool sealed;          /* by us, end to end; else the payload goes as it is: the application's own encryption */
    bool fresh;           /* the recipient's log is looked up anew first: a draft until the relay has answered */
};

/* engine_send: keeps the message (synced) and returns; frames follow from engine_tick. *out is its row.
 * The same key with the same handle, payload and ttl is the same message: OK, with the row as it stands.
 * ID_REUSED: the key belongs to a message with other content (*out is that one); MALFORMED (handle or
 * key; both handle and account), TOO_LARGE; LOCKED (another process writes: try again); IO, DAMAGED. Nothing is kept after an
 * error; *out is zero but for ID_REUSED. Any time, connected or not. */
enum status engine_send(struct engine *e, struct now now, const struct engine_message *message,
                        struct outbox_row *out) MUST_USE;

/* engine_ack: the application has taken these inbox rows (`count` order numbers of ENGINE_RECEIVED or
 * of state_inbox_scan): they are marked shown, synced, and the relay is told that they are settled, in
 * this session or in the next one that attaches. Until then it keeps them, and their senders see
 * `delivered`. An application that dies between using a message and this finds the row unshown when it
 * comes back, so towards the application delivery is at least once; begin with the unshown rows of the
 * state. Settled is cumulative: a message that is not taken holds back those behind it, and in the end
 * the session's credit.
 * OK, also again; NOT_FOUND (one of them is no row: none was taken); LOCKED; IO, DAMAGED. */
enum status engine_ack(struct engine *e, struct now now, const uint64_t *orders,
                       size_t count) MUST_USE;
/* engine_acks_pending: *out: rows were taken, or failed, and the relay has not echoed it: an attached
 * session would say it. OK; as state_begin. */
enum status engine_acks_pending(struct engine *e, bool *out) MUST_USE;

/* engine_release: the user's decision for a message in `held` or `unknown`: send it, under a new message
 * id. Where its contact is on hold all that wait for it go, and what was seen of it does not hold again. OK, NOT_FOUND, STATE (it is in another state); as state_begin. */
enum status engine_release(struct engine *e, struct now now,
                           const struct message_key *key) MUST_USE;

/* engine_register: wants this handle (another one than account_create's, or after `handle_taken`). The
 * answer is an event. OK, MALFORMED; REFUSED: another device founded the account, and only that claims; as state_begin. */
enum status engine_register(struct engine *e, struct now now, struct view handle) MUST_USE;

/* ---- the product's word (vouch.c; PROTOCOL 6.8) ---- */

/* engine_token: ours, an encoded msg_token: kept, and shown to the relay with account and handle. OK; TOO_LARGE;
 * TOKEN_REFUSED with *fault: FORM, ACCOUNT, RELAY, HANDLE; as state_begin. */
enum status engine_token(struct engine *e, struct now now, struct view token, enum token_fault *fault) MUST_USE;
/* state_product_keys_put: whose tokens a handle needs to be believed; none = it needs none. state_handle_vouched: whether
 * FOUND may be believed: OK; BAD_ENTRY (not proven), TOKEN_REFUSED (no good token). Both within a transaction. */
enum status state_product_keys_put(struct state *state, const struct product_keys *keys) MUST_USE;
enum status state_handle_vouched(struct state *state, struct arena *a, const struct msg_found *found,
                                 struct view handle) MUST_USE;

/* engine_rotate: another identity key for this device: made and kept here, in use when our log has it; ENGINE_IDENTITY
 * says how it ended. Contacts notice with their next message. OK; STATE (an earlier one is on its way), FULL (another
 * change is); REFUSED, TOO_LARGE (this device may not, or the log is full); as state_begin. */
enum status engine_rotate(struct engine *e, struct now now) MUST_USE;

/* ---- the account's devices (change.c, wish.c, device.c; PROTOCOL 6.2) ---- */

/* Why a change is not made, and with which status. Numbers are those of sealmq_devices.h. */
#define CHANGE_OBSTACLE_LIST(X)                                                                                         \
    X(NONE, 0, OK, "none")                                                                                              \
    X(UNDER_WAY, 1, STATE, "under_way")      /* another change of this device is on its way: one at a time */           \
    X(DONE, 2, STATE, "done")                /* it is so already */                                                     \
    X(NO_DEVICE, 3, NOT_FOUND, "no_device")  /* it never was in this account */                                         \
    X(REVOKED, 4, REFUSED, "revoked")        /* it was revoked, which is for ever */                                    \
    X(LAST, 5, REFUSED, "last")              /* it is the last active one: nobody could take that back */               \
    X(RECOVERY, 6, REFUSED, "recovery")      /* the recovery key has suspended it: only that resumes it */              \
    X(SIGNER, 7, REFUSED, "signer")          /* this device is suspended or revoked itself */                           \
    X(LOG_FULL, 8, TOO_LARGE, "log_full")    /* the log has no more room for it */                                      \
    X(NOT_ALLOWED, 9, REFUSED, "not_allowed") /* the log does not take it from this device */                           \
    X(DEVICES_FULL, 10, TOO_LARGE, "devices_full") /* as many devices as an account may have at once */                 \
    X(DEVICES_EVER, 11, TOO_LARGE, "devices_ever") /* as many as devices may ever add: only the recovery key adds one */

enum change_obstacle {
#define X(NAME, code, status, text) CHANGE_##NAME = code,
    CHANGE_OBSTACLE_LIST(X)
#undef X
};
/* change_obstacle_name: static text; "?" outside the list. */
const char *change_obstacle_name(unsigned why);

struct change_wish {
    enum entry_operation operation; /* ENTRY_SUSPEND, _RESUME, _REVOKE; ENTRY_DESCRIBE: another name */
    struct device_id subject;
    struct view name;               /* describe: device_name_check; empty = none any more */
    bool even_last;                 /* suspend, revoke: also the last active device */
    struct signing_pk recovery;     /* ENTRY_SET_RECOVERY (recovery.h; without a subject): the key */
    const uint8_t *recovery_sk;     /* where there is one already: its secret, libsodium's 64 bytes, which signs; else NULL */
    const uint8_t *backup_key;      /* which is kept here; NULL = none */
};

/* engine_change: a change of one of this account's devices: what our copy of the log surely refuses is refused here, with
 * *why; else its entry is made and kept, and sent until the relay has it; ENGINE_IDENTITY says how it ended. Behind an
 * entry of somebody else's it is made anew, if it still makes sense there; is it so already, it has ended well. The same
 * wish as the one on its way is that one. OK; MALFORMED (operation, name); STATE, NOT_FOUND, REFUSED, TOO_LARGE with
 * *why; as state_begin. */
enum status engine_change(struct engine *e, struct now now, const struct change_wish *wish,
                          enum change_obstacle *why) MUST_USE;

/* What the entries of a log say of a device beside its keys and its standing. */
struct device_facts {
    uint64_t added_ms; /* by the clock of who added it */
    uint8_t name[DEVICE_NAME_LEN_MAX];
    size_t name_len;   /* 0 = none */
};
/* state_device_facts: of all devices of a log that is held, in its order; within a transaction. */
enum status state_device_facts(struct state *state, struct arena *a, const struct identity_log *log,
                               struct device_facts out[DEVICES_EVER_MAX]) MUST_USE;

/* state_joining_put: what this device was offered and has consented to (PROTOCOL 6.5), and what it wants to be called: the engine of this
 * home says HELLO until the account's device has admitted it, and ENGINE_LINKED follows. until_ms: wall: when nobody can find its
 * consent any more. Within a transaction. */
enum status state_joining_put(struct state *state, const struct msg_link_offer *offer, struct view name, uint64_t until_ms) MUST_USE;
/* state_joining_keep: all of what a join was offered, with its keys: the account as far as it has come, its contacts, and
 * state_joining_put. A transaction of its own, in which all goes that a home has which gives up an earlier linking; then the join may
 * consent. OK; STATE: there is an account in this home, or (gives_up) not that linking any more: nothing is changed; as state_commit. */
struct join;
struct joining_home {
    struct view name;      /* state_joining_put's */
    struct view endpoints; /* of the relay */
    struct transport_pk server;
    uint64_t now_ms;       /* wall */
    const struct device_id *gives_up; /* as which it waits to be let in; NULL = there is no account in this home */
};
enum status state_joining_keep(struct state *state, const struct join *join, const struct joining_home *home) MUST_USE;
/* state_joining: how that stands; within a transaction. joining_is_over: the relay has said no when nobody could find the consent any
 * more: the linking has not taken place, unless an entry that was made before is on its way still. */
struct joining_facts {
    bool joining;
    uint64_t until_ms;   /* state_joining_put's; 0 = not known */
    uint64_t refused_ms; /* wall: when the relay said last that the account's log has this device not, or has put it out; 0 = never */
};
enum status state_joining(struct state *state, struct arena *a, struct joining_facts *out) MUST_USE;
bool joining_is_over(const struct joining_facts *f);
/* engine_is_joining: *over: joining_is_over. */
bool engine_is_joining(const struct engine *e, bool *over);

/* state_prekeys_relay: what the relay has of this device's prekeys, as last heard (of one_time_highest the highest ever
 * heard); within a transaction. NOT_FOUND: never heard. */
enum status state_prekeys_relay(struct state *state, struct arena *a, struct msg_prekey_state *out) MUST_USE;

/* engine_learn: an account's log is looked up where none of it is held, in this session or the next. */
void engine_learn(struct engine *e, struct now now, struct account_id account);

/* ---- comparing with a contact (PROTOCOL 10.8) ---- */

/* engine_safety: what we show the contact. engine_compare: what it shows us: *out; of a FORK its mark is lost, and
 * ENGINE_FORKED, or ENGINE_IDENTITY where our own log has it, tell it; of NEWER the rest is looked up, in this session or the next:
 * compare again. engine_verify: the user's word that the contact is who it should be, or is not to count as verified.
 * OK; NOT_FOUND (nothing is held of it: *out is zero), STATE (it is our own account); as state_begin. */
enum status engine_safety(struct engine *e, struct account_id account, struct safety_pair *out) MUST_USE;
enum status engine_compare(struct engine *e, struct now now, struct account_id account, const struct safety_pair *shown,
                           struct safety_result *out) MUST_USE;
enum status engine_verify(struct engine *e, struct now now, struct account_id account, bool verified) MUST_USE;

/* engine_is_silent: no device of the contact has confirmed the log that we hold of it for 14 days. */
bool engine_is_silent(const struct engine *e, struct now now, const struct contact *c);

/* ---- whom this account lets write to it (policy.c, PROTOCOL 7.6) ---- */

struct state_policy {
    uint64_t version;       /* of what the relay has, as far as this home has read it; 0 = nothing */
    enum contact_mode mode; /* that it has */
    enum contact_mode wish; /* it is to be told; CONTACT_MODE_UNCHANGED = none */
};
/* state_policy_get: OPEN where nothing was ever set; within a transaction. policy_mode: what counts here. */
enum status state_policy_get(struct state *state, struct arena *a, struct state_policy *out) MUST_USE;
enum contact_mode policy_mode(const struct state_policy *p);
/* state_is_request: what this account sends comes as a request, as nothing is said of it; within a transaction. */
enum status state_is_request(struct state *state, struct arena *a, struct account_id own, struct account_id sender,
                             bool *out) MUST_USE;

/* engine_contact_set, engine_mode_set: the user's word, which counts here from now on; kept, and told to the relay until it has it:
 * ENGINE_CONTACTS says how that ended. OK, also where it is so already (another device may have said otherwise since); STATE (it is our own account); FULL (CONTACTS_MAX are
 * there); as state_begin. */
enum status engine_contact_set(struct engine *e, struct now now, struct account_id account,
                               enum contact_verdict verdict) MUST_USE;
enum status engine_mode_set(struct engine *e, struct now now, enum contact_mode mode) MUST_USE;

/* state_handle_pin: what a handle named first it names for good, whoever of this home has asked; within a transaction.
 * BAD_ENTRY: that is another account, and nothing is written. */
enum status state_handle_pin(struct state *state, struct view handle, struct account_id account) MUST_USE;

/* engine_attach: takes deliveries again after ENGINE_SUPERSEDED, because the user said so. */
void engine_attach(struct engine *e, struct now now);

/* engine_leave: says BYE when nothing is pending any more; ENGINE_LEFT follows (also when there is no
 * session to leave). Nothing new is begun after it, until the next engine_up. */
void engine_leave(struct engine *e, struct now now);

/* engine_is_bound: there is a session. engine_is_idle: nothing is pending and no frame waits. */
bool engine_is_bound(const struct engine *e);
bool engine_is_idle(const struct engine *e);

/* ---- events ---- */

#define ENGINE_EVENT_LIST(X)                                                                       \
    X(CONNECTED, "connected")       /* a session began; attached tells which kind */               \
    X(DISCONNECTED, "disconnected") /* it ended; the engine will begin another one */              \
    X(REGISTERED, "registered")     /* the account exists at the relay and has its handle */       \
    X(HANDLE_REFUSED, "handle_refused") /* status says why; engine_register with another one */    \
    X(IDENTITY, "identity")         /* our own log: a change of ours (operation, subject) is in it, or needs not be \
                                     * (OK), or was refused: obstacle, where another entry was first. BAD_ENTRY    \
                                     * without operation: the relay shows another log than ours */ \
    X(MESSAGE, "message")           /* a message of ours changed: order, key, state, reason, part */ \
    X(RECEIVED, "received")         /* a new inbox row: order, sender, id; engine_ack it */   \
    X(GAP, "gap")                   /* count deliveries will not come: gap, first..last */         \
    X(SUPERSEDED, "superseded")     /* another attached session of this device took over */        \
    X(MOVE, "move")                 /* leave this connection for another endpoint now */           \
    X(STOPPED, "stopped")           /* the relay will not have us; status says why */              \
    X(FAILED, "failed")             /* the local state failed with status: free the engine */      \
    X(FORKED, "forked")             /* the relay has shown us another history of this account's keys than it has itself */ \
    X(UNVERIFIED, "unverified")     /* sender_account was verified, and is not any more: loss */   \
    X(CONTACT, "contact")           /* the log of sender_account, which may be our own, has a new entry, of another device: \
                                     * operation, subject, sender_device (all zero: the recovery key signed it) */ \
    X(SILENT, "silent")             /* sender_account's devices have not spoken of the log that we hold since count (Unix ms) */ \
    X(WEAK, "weak")                 /* a session with sender_device began without a one-time prekey */ \
    X(RECOVERED, "recovered")       /* our account: its recovery key has added a device (subject); without one: somebody else \
                                     * of the account has set another recovery key */               \
    X(COPIED, "copied")             /* this home was set back to an older copy, or a copy of it is in use elsewhere */ \
    X(LINK, "link")                 /* a device asks to join, or that goes on: engine_link_view */  \
    X(LINKED, "linked")             /* this device is in the account that it has joined; subject: who has admitted it */ \
    X(UNLINKED, "unlinked")         /* joining_is_over: nobody has let this device in; it is tried on */ \
    X(CONTACTS, "contacts")         /* the relay has what was said of others, or was asked for it; else status says why not */ \
    X(LEFT, "left")                 /* after engine_leave */                                       \
    X(OVERFLOW, "overflow")         /* count events fell out: read the state */

enum engine_event_kind {
#define X(NAME, text) ENGINE_##NAME,
    ENGINE_EVENT_LIST(X)
#undef X
};

/* Only the fields that the kind names are set. */
struct engine_event {
    enum engine_event_kind kind;
    enum status status;
    uint64_t order;
    struct message_key key;
    struct message_id id;
    enum message_state state;
    uint32_t attempt;         /* of a MESSAGE: above 0 it is being resent, or was */
    struct account_id sender_account;
    struct device_id sender_device;
    enum gap_reason gap;
    enum loss loss;
    uint64_t count;
    struct position first, last;
    bool attached;
    unsigned operation;       /* an enum entry_operation; 0 = none */
    struct device_id subject;
    enum change_obstacle obstacle;
};

/* engine_next_event: false = none. The queue is bounded; see ENGINE_OVERFLOW. */
bool engine_next_event(struct engine *e, struct engine_event *out);
/* engine_event_name: static text; "?" outside the list. */
const char *engine_event_name(unsigned kind);

/* What the engine could not use, for tests and status. */
struct engine_counts {
    uint64_t frames_bad;     /* did not follow the protocol, or for another session */
    uint64_t replies_late;   /* no request was waiting for them any more */
    uint64_t timeouts;
    uint64_t resent_lost;    /* messages sent again after the relay lost their acceptance */
    uint64_t duplicates;     /* deliveries known already */
    uint64_t copies;         /* times that another copy of this home was noticed */
    uint64_t forks;          /* times that the relay showed another history of an account than the one we hold */
};
struct engine_counts engine_counts(const struct engine *e);
/* engine_relay_ms: the relay's clock as far as known (this machine's before the first WELCOME). */
uint64_t engine_relay_ms(const struct engine *e, struct now now);

#endif
