/* sealmq: one device of one account of a SealMQ relay, as a library; C99 and later, C++. Its parts, which it includes:
 * sealmq_devices.h, sealmq_prompts.h. Comparing with a contact, so that it can be called verified, is in sealmq_verify.h,
 * joining an account in sealmq_link.h, what the account's other devices get of a sent message in sealmq_copies.h,
 * blocking, allowing and message requests in sealmq_contacts.h,
 * what is left when all devices are lost in sealmq_recovery.h, tokens and product keys in sealmq_registration.h.
 * There are no other public headers.
 *
 * A client lives in a home: a directory of its own with its keys, what it has sent and what it has received.
 * sealmq_create makes one, sealmq_open opens it, sealmq_connect begins to look for the relay. From then on:
 *
 *   wait until sealmq_fd is readable or sealmq_deadline_ms have passed (poll, epoll, any event loop),
 *   call sealmq_process, then sealmq_next_event until it says false.
 *
 * What must survive is on disk, synced, before a call returns: a sent message before sealmq_send returns, a received one
 * before the relay hears that it is here, the taking of one before sealmq_ack returns. Events say that something
 * has changed; the rows that sealmq_message_get, sealmq_outbox_next and sealmq_inbox_next give say what is so.
 *
 * Rules for everything here:
 *  - One client is used by one thread at a time. Several clients, also of several processes, may be open on one home.
 *  - The library starts no threads (libzmq has its own), installs no signal handlers, prints nothing and has no state
 *    outside of its clients. Only sealmq_close waits, for half a second at most; disk writes are waited for.
 *  - A struct that begins with `size` grows in later versions. Make it with SEALMQ_INIT, also where it is an output.
 *  - Arguments are borrowed for the call. Text is UTF-8 and ends with NUL. Out-parameters are zero after a failure
 *    unless a function says otherwise; `size` stays.
 *  - NULL where a pointer is wanted, or a client that is closed, is the caller's bug: the process aborts.
 *  - Out of memory ends the process, as any kill may: nothing that was kept is lost.
 *  - Times are Unix milliseconds, 0 = never or not known. */
#ifndef SEALMQ_H
#define SEALMQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define SEALMQ_API      __attribute__((visibility("default")))
#define SEALMQ_MUST_USE __attribute__((warn_unused_result))
#else
#define SEALMQ_API
#define SEALMQ_MUST_USE
#endif

/* SEALMQ_INIT: the first value of a struct that has a `size`: struct sealmq_event e = SEALMQ_INIT(struct sealmq_event); */
#ifdef __cplusplus
template <class T> inline T sealmq_init_of()
{
    T value = T();
    value.size = sizeof(T);
    return value;
}
#define SEALMQ_INIT(type) sealmq_init_of<type>()
extern "C" {
#else
#define SEALMQ_INIT(type) {.size = sizeof(type)}
#endif

/* sealmq_version: of the library that runs, "0.1.0"; static text. */
SEALMQ_API const char *sealmq_version(void);

/* ---- limits ---- */

#define SEALMQ_PAYLOAD_MAX   262144u /* bytes of one message */
#define SEALMQ_HANDLE_MAX    64u     /* bytes of a handle */
#define SEALMQ_KEY_MAX       64u     /* bytes of a caller's own message id */
#define SEALMQ_ENDPOINTS_MAX 2048u   /* bytes of a list of endpoints */
#define SEALMQ_ERROR_MAX     512u    /* bytes of one line about a failure, with its NUL */
#define SEALMQ_PARTS_MAX     16u     /* devices of one recipient */
#define SEALMQ_LOOKUPS_MAX   16u     /* under way at a time */

/* ---- results ---- */

/* Where a function lists the results it has, these may come besides: SEALMQ_LOCKED (another process is writing to this
 * home: try again), SEALMQ_IO (the disk; or another call has failed so: only sealmq_close is left) and SEALMQ_DAMAGED
 * (what is stored fails its check) from each that is said to use the disk. SEALMQ_MALFORMED from each that takes a struct: its `size` is
 * none; SEALMQ_UNSUPPORTED: it has fields set that this version of the library does not know. */
enum sealmq_status {
    SEALMQ_OK = 0,
    /* what a relay says; also as the reason of a message */
    SEALMQ_BUSY = 1,             /* overloaded or just starting; nothing was done */
    SEALMQ_UNKNOWN = 2,          /* the owner was lost before it answered; it may be done */
    SEALMQ_NO_SESSION = 3,       /* no session on this connection */
    SEALMQ_SUPERSEDED = 4,       /* a newer session of this device is attached */
    SEALMQ_DRAINING = 5,         /* this endpoint is closing */
    SEALMQ_WRONG_HOME = 6,       /* another store is responsible */
    SEALMQ_UNSUPPORTED = 7,      /* unknown kind, version or field */
    SEALMQ_MALFORMED = 8,        /* does not follow its format */
    SEALMQ_TOO_LARGE = 9,        /* over a limit */
    SEALMQ_UNAUTHENTICATED = 10, /* this key is not that device's */
    SEALMQ_NOT_FOUND = 11,       /* no such account, handle or message */
    SEALMQ_ID_TIME = 12,         /* message id too old or in the future */
    SEALMQ_ID_REUSED = 13,       /* this id belongs to a message with other content */
    SEALMQ_STALE_DEVICES = 14,   /* the recipient's device list is another one */
    SEALMQ_MAILBOX_FULL = 15,    /* no device of the recipient has room */
    SEALMQ_STORE_READONLY = 16,  /* the relay's disk is nearly full */
    SEALMQ_HANDLE_TAKEN = 17,    /* the handle belongs to another account */
    SEALMQ_BAD_ENTRY = 18,       /* an identity log is not what it should be */
    SEALMQ_REFUSED = 19,         /* not allowed for this device */
    SEALMQ_RELAY_BEHIND = 20,    /* the relay's copy of a log is shorter than ours */
    SEALMQ_RATE_LIMITED = 21,    /* too many requests; nothing was done */
    SEALMQ_STALE_HEAD = 22,      /* an identity log has gone on */
    SEALMQ_NOT_ACCEPTED = 23,    /* the recipient does not take it (now) */
    SEALMQ_TOKEN_REFUSED = 24,   /* no good registration token for this handle and account: sealmq_registration.h */
    SEALMQ_ON_HOLD = 25,         /* the relay's operator has put this account or device on hold */
    /* what happens here */
    SEALMQ_DAMAGED = 128,        /* stored bytes fail their check */
    SEALMQ_IO = 129,             /* the operating system reported an error */
    SEALMQ_FULL = 130,           /* a bounded table is full */
    SEALMQ_GONE = 131,           /* the peer is gone */
    SEALMQ_CONFIG = 132,         /* a setting is missing or wrong */
    SEALMQ_LOCKED = 133,         /* another process holds this */
    SEALMQ_STATE = 134,          /* not possible in this state */
    SEALMQ_TIMEOUT = 135,        /* the time given has passed */
    SEALMQ_NO_PREKEYS = 136,     /* a device of the recipient has left no keys yet: what is for it waits until it was online, or is removed */
    /* why a message is held: sealmq_release, or sealmq_verify_set, lets it go */
    SEALMQ_CONTACT_RECOVERED = 137, /* the contact's account was recovered */
    SEALMQ_CONTACT_FORKED = 138, /* the relay shows another history of the contact's keys */
    SEALMQ_CONTACT_BEHIND = 139, /* the relay does not show all of the contact's keys */
    /* why a message is refused */
    SEALMQ_NO_DEVICES = 140      /* no device of the recipient takes messages at present: all are suspended or revoked */
};

/* sealmq_status_name, sealmq_status_meaning: static text, "id_time" and one line for a person; "?" outside the list. */
SEALMQ_API const char *sealmq_status_name(enum sealmq_status status);
SEALMQ_API const char *sealmq_status_meaning(enum sealmq_status status);

/* ---- names ---- */

struct sealmq_account { uint8_t bytes[32]; };    /* an account's id, for ever: the hash of its first log entry */
struct sealmq_device { uint8_t bytes[16]; };     /* a device's id */
struct sealmq_message_id { uint8_t bytes[16]; }; /* a message's id at the relay (UUIDv7); all zero = none yet */
struct sealmq_public_key { uint8_t bytes[32]; };
struct sealmq_hash { uint8_t bytes[32]; };

/* What support asks for: one message of one sender to one account. */
struct sealmq_reference {
    struct sealmq_device sender;
    struct sealmq_account target;
    struct sealmq_message_id id;
};

#define SEALMQ_ACCOUNT_TEXT_LEN    64u  /* hex */
#define SEALMQ_DEVICE_TEXT_LEN     32u  /* hex */
#define SEALMQ_MESSAGE_ID_TEXT_LEN 36u  /* 8-4-4-4-12 */
#define SEALMQ_REFERENCE_TEXT_LEN  109u /* base32 with check characters, for reading out */
#define SEALMQ_KEY_TEXT_LEN        40u  /* Z85 */

/* sealmq_*_text: write the text and its NUL. sealmq_*_parse: SEALMQ_OK; SEALMQ_MALFORMED with *out all zero. A reference
 * is read in either case, with or without dashes. Any time, any thread. */
SEALMQ_API void sealmq_account_text(struct sealmq_account id, char out[SEALMQ_ACCOUNT_TEXT_LEN + 1]);
SEALMQ_API void sealmq_device_text(struct sealmq_device id, char out[SEALMQ_DEVICE_TEXT_LEN + 1]);
SEALMQ_API void sealmq_message_id_text(struct sealmq_message_id id, char out[SEALMQ_MESSAGE_ID_TEXT_LEN + 1]);
SEALMQ_API void sealmq_reference_text(const struct sealmq_reference *reference, char out[SEALMQ_REFERENCE_TEXT_LEN + 1]);
SEALMQ_API enum sealmq_status sealmq_account_parse(const char *text, struct sealmq_account *out) SEALMQ_MUST_USE;
SEALMQ_API enum sealmq_status sealmq_device_parse(const char *text, struct sealmq_device *out) SEALMQ_MUST_USE;
SEALMQ_API enum sealmq_status sealmq_message_id_parse(const char *text, struct sealmq_message_id *out) SEALMQ_MUST_USE;
SEALMQ_API enum sealmq_status sealmq_reference_parse(const char *text, struct sealmq_reference *out) SEALMQ_MUST_USE;

/* sealmq_handle_check: SEALMQ_OK for what can be a handle: 1 to 64 bytes of UTF-8 without spaces, control, invisible or
 * direction-changing characters, or '/'; else SEALMQ_MALFORMED. */
SEALMQ_API enum sealmq_status sealmq_handle_check(const char *handle, size_t len) SEALMQ_MUST_USE;

/* sealmq_server_key_parse: the relay's public key from its text, 40 characters of Z85. OK; MALFORMED.
 * sealmq_server_key_load: from a file with that line (the relay's server.pub). OK; SEALMQ_IO, SEALMQ_CONFIG with one line in error. */
SEALMQ_API enum sealmq_status sealmq_server_key_parse(const char *text, struct sealmq_public_key *out) SEALMQ_MUST_USE;
SEALMQ_API enum sealmq_status sealmq_server_key_load(const char *path, struct sealmq_public_key *out, char *error,
                                                     size_t error_cap) SEALMQ_MUST_USE;

#include "sealmq_prompts.h" /* what a user must see, as data */

/* ---- a client ---- */

struct sealmq_client;

struct sealmq_create_options {
    size_t size;
    const char *home;      /* the directory, made with mode 0700; its parent must be there */
    const char *handle;    /* what others will send to; NULL = none */
    const char *endpoints; /* "tcp://HOST:PORT[,tcp://HOST:PORT...]", up to 8, tried in turn */
    struct sealmq_public_key server; /* the relay's */
    const char *passphrase_file;     /* as in sealmq_open_options */
};

/* sealmq_create: makes a home with a new account and device, unless there is one, which stays as it is. The relay
 * hears of it when a client of it first connects. Uses the disk. OK; MALFORMED (the handle), CONFIG (endpoints; the home is open to
 * others, not ours, or there and kept otherwise; the passphrase file); with one line in error. */
SEALMQ_API enum sealmq_status sealmq_create(const struct sealmq_create_options *options, char *error,
                                            size_t error_cap) SEALMQ_MUST_USE;

struct sealmq_open_options {
    size_t size;
    const char *home;
    const char *passphrase_file; /* its first line opens the home, where it was made with one; only the owner may read
                                  * it. NULL = the home's own key file does. Opening takes about a second with one */
    bool receive;                /* take messages: of the clients of one device that do, the newest one gets them */
    uint32_t receive_max;        /* how many the relay may send ahead of sealmq_ack; 0 = 1024 */
};

/* sealmq_open: opens a home; does not connect. Uses the disk. OK with *out, for sealmq_close; NOT_FOUND (no home there, or
 * no account in it), CONFIG (open to others, of a later version, or kept under another passphrase); with one line in error. */
SEALMQ_API enum sealmq_status sealmq_open(const struct sealmq_open_options *options, struct sealmq_client **out, char *error,
                                          size_t error_cap) SEALMQ_MUST_USE;
/* sealmq_close: ends the client at once; what is under way goes on with the next one. *client may be NULL, and is after
 * it. Waits half a second at most. For a good leave: sealmq_leave, and process until SEALMQ_EVENT_LEFT. */
SEALMQ_API void sealmq_close(struct sealmq_client **client);

/* sealmq_error: one line about the last call on this client that failed, or why it stopped; "" before. Good until the
 * next call on the client. */
SEALMQ_API const char *sealmq_error(const struct sealmq_client *client);

/* sealmq_prompt_seen: the user has seen it: of those that come with each open until then (sealmq_prompts.h) this one does
 * not come again in this home; the others need no answer. Uses the disk. OK; after a failure it comes again. */
SEALMQ_API enum sealmq_status sealmq_prompt_seen(struct sealmq_client *client, enum sealmq_prompt_id id);

/* ---- the loop ---- */

/* sealmq_connect: begins to connect; from here on the library keeps a connection, moves to another endpoint when one
 * does not answer or drains, and repeats what was not answered. OK; STATE (it was called before), CONFIG, IO. Uses the disk. */
SEALMQ_API enum sealmq_status sealmq_connect(struct sealmq_client *client) SEALMQ_MUST_USE;

/* sealmq_fd: readable when sealmq_process should be called: one descriptor from open to close, for poll, epoll or
 * select only: never read, write or close it. */
SEALMQ_API int sealmq_fd(const struct sealmq_client *client);
/* sealmq_deadline_ms: how long to wait for the descriptor at most before sealmq_process is called all the same: 0 = call
 * it now, -1 = as long as you like. Ask after all other calls on the client, right before waiting: sending, too, may
 * leave something to read that the descriptor does not tell. */
SEALMQ_API int sealmq_deadline_ms(const struct sealmq_client *client);
/* sealmq_process: takes what has come, does what is due, hands over what goes out; never waits for the network. OK, also with
 * nothing to do or before sealmq_connect; REFUSED: the relay will not have this device (SEALMQ_EVENT_STOPPED says why);
 * IO, DAMAGED: the home cannot be used any more, only sealmq_close is left. */
SEALMQ_API enum sealmq_status sealmq_process(struct sealmq_client *client) SEALMQ_MUST_USE;

/* sealmq_leave: says goodbye when nothing is under way any more, acknowledgements first; SEALMQ_EVENT_LEFT follows, also
 * where there was no session to leave. */
SEALMQ_API void sealmq_leave(struct sealmq_client *client);

/* sealmq_attach: takes messages again after SEALMQ_EVENT_SUPERSEDED, because the user said so. Without it two would
 * take them from each other for ever. */
SEALMQ_API void sealmq_attach(struct sealmq_client *client);

/* sealmq_relay_set: another list of endpoints, or another server key, for this home. Uses the disk. OK; STATE (after
 * sealmq_connect), CONFIG (endpoints). */
SEALMQ_API enum sealmq_status sealmq_relay_set(struct sealmq_client *client, const char *endpoints,
                                               const struct sealmq_public_key *server) SEALMQ_MUST_USE;

/* Why there is no session. */
enum sealmq_trouble {
    SEALMQ_TROUBLE_NONE = 0,      /* there is one, or nothing has failed yet */
    SEALMQ_TROUBLE_CONNECT = 1,   /* nobody answers at the endpoint */
    SEALMQ_TROUBLE_HANDSHAKE = 2, /* somebody does, not as this home's relay */
    SEALMQ_TROUBLE_LOST = 3       /* a connection broke, and is tried again */
};

struct sealmq_connection {
    size_t size;
    bool up;               /* there is a connection */
    bool session;          /* and a session: the relay has answered, and knows this device */
    bool idle;             /* nothing is under way: what this home knows is what the relay has said */
    bool acks_open;        /* rows were acknowledged here, and the relay has not confirmed it */
    enum sealmq_trouble trouble;
    const char *endpoint;  /* the one in use; good until the next sealmq_process; "" before sealmq_connect */
    char hint[SEALMQ_ERROR_MAX]; /* one line for a person who waits: what is wrong, what to do */
};

/* sealmq_connection_get: how the connection is. OK. Uses the disk, where it only reads. */
SEALMQ_API enum sealmq_status sealmq_connection_get(struct sealmq_client *client, struct sealmq_connection *out) SEALMQ_MUST_USE;

/* ---- this device ---- */

struct sealmq_identity {
    size_t size;
    struct sealmq_account account;
    struct sealmq_device device;
    char handle[SEALMQ_HANDLE_MAX + 1]; /* wanted, or had; "" = none */
    bool registered;     /* the relay has the account */
    bool handle_ours;    /* and points the handle to it */
    bool handle_refused; /* the relay has refused this handle: sealmq_handle_claim with another one */
    struct sealmq_public_key identity; /* with which contacts seal for this device */
    struct sealmq_public_key server;   /* the relay's */
    char endpoints[SEALMQ_ENDPOINTS_MAX + 1];
    bool joining;        /* it has consented to join the account, and is not in it yet (sealmq_link.h) */
    bool unlinked;       /* joining: nobody has let it in, and nobody who has not begun to can any more: link anew */
    uint64_t refused_ms; /* joining: Unix ms: the relay's last word, a minute old at most, that the account has it not; 0 = none yet */
};

/* sealmq_identity_get: as the home has it now; another process may have registered it. Uses the disk. OK. */
SEALMQ_API enum sealmq_status sealmq_identity_get(struct sealmq_client *client, struct sealmq_identity *out) SEALMQ_MUST_USE;
/* sealmq_handle_claim: wants this handle; SEALMQ_EVENT_REGISTERED or _HANDLE_REFUSED answers. Uses the disk. OK; MALFORMED; REFUSED (another device founded the account). */
SEALMQ_API enum sealmq_status sealmq_handle_claim(struct sealmq_client *client, const char *handle) SEALMQ_MUST_USE;
/* sealmq_rotate: another identity key for this device: made and kept now, in use when the relay has it;
 * SEALMQ_EVENT_IDENTITY says how it ended. Uses the disk. OK; STATE (an earlier one is on its way, and goes on); FULL
 * (another change is); REFUSED, TOO_LARGE (this device was put out, or the log is full). */
SEALMQ_API enum sealmq_status sealmq_rotate(struct sealmq_client *client) SEALMQ_MUST_USE;

#include "sealmq_devices.h" /* the account's devices: listing, naming, suspending, resuming and revoking them */

/* ---- messages of ours ---- */

enum sealmq_payload_kind {
    SEALMQ_SEALED = 0, /* sealed by the library for each device of the recipient */
    SEALMQ_OPAQUE = 1  /* handed on as it is: the product seals it itself, or wants it readable at the relay */
};

/* Each message is in one of these. */
enum sealmq_message_state {
    SEALMQ_MESSAGE_DRAFTED = 1,   /* kept here as given: its recipient's keys are not known yet */
    SEALMQ_MESSAGE_ENCRYPTED = 2, /* what will go is made and kept */
    SEALMQ_MESSAGE_QUEUED = 3,    /* handed to the network; no definite answer */
    SEALMQ_MESSAGE_ACCEPTED = 4,  /* the relay has it on disk; some device has no outcome yet */
    SEALMQ_MESSAGE_SETTLED = 5,   /* every device has an outcome, at least one has taken it */
    SEALMQ_MESSAGE_REFUSED = 6,   /* will not arrive; the reason says why */
    SEALMQ_MESSAGE_UNKNOWN = 7,   /* may have arrived; the user decides: sealmq_release sends it again */
    SEALMQ_MESSAGE_HELD = 8       /* the contact's identity has changed; the user decides: sealmq_release */
};

/* What is still to be done; every state belongs to one of the last three. */
enum sealmq_stage {
    SEALMQ_STAGE_ANY = 0,     /* sealmq_outbox_next: all */
    SEALMQ_STAGE_SENDING = 1, /* drafted, encrypted, queued */
    SEALMQ_STAGE_OPEN = 2,    /* accepted: outcomes are to come */
    SEALMQ_STAGE_ENDED = 3    /* the others: nothing by itself */
};

/* What became of a message at one device. */
enum sealmq_outcome {
    SEALMQ_OUTCOME_OPEN = 0,       /* none yet: the delivery state says more */
    SEALMQ_OUTCOME_SETTLED = 1,    /* it was opened there; an opaque one: its application has taken it */
    SEALMQ_OUTCOME_EXPIRED = 2,    /* its time has passed */
    SEALMQ_OUTCOME_OVER_QUOTA = 3, /* the mailbox was full */
    SEALMQ_OUTCOME_REVOKED = 4,    /* the device was removed from its account */
    SEALMQ_OUTCOME_REMOVED = 5,    /* the account has left */
    SEALMQ_OUTCOME_REPLACED = 6,   /* another one took its place */
    SEALMQ_OUTCOME_DEAD = 7,       /* given up after repeated failures */
    SEALMQ_OUTCOME_LOST = 8        /* the relay lost it */
};
enum sealmq_delivery_state {
    SEALMQ_DELIVERY_NONE = 0,
    SEALMQ_DELIVERY_QUEUED = 1,    /* in the mailbox */
    SEALMQ_DELIVERY_OFFERED = 2,   /* sent to the device, not acknowledged */
    SEALMQ_DELIVERY_DELIVERED = 3, /* the device has it */
    SEALMQ_DELIVERY_DECRYPTED = 4, /* and could open it */
    SEALMQ_DELIVERY_FAILED = 5     /* it could not be opened: the reason says why */
};
enum sealmq_fail_reason {
    SEALMQ_FAIL_NONE = 0,
    SEALMQ_FAIL_HELD = 1,   /* cannot be opened yet: older version, locked */
    SEALMQ_FAIL_BROKEN = 2, /* does not open */
    SEALMQ_FAIL_DAMAGED = 3 /* the relay's copy fails its check */
};

/* Names of the above as the command line shows them, "settled"; static; "?" outside the list. */
SEALMQ_API const char *sealmq_message_state_name(enum sealmq_message_state state);
SEALMQ_API const char *sealmq_outcome_name(enum sealmq_outcome outcome);
SEALMQ_API const char *sealmq_delivery_state_name(enum sealmq_delivery_state state);
SEALMQ_API const char *sealmq_fail_reason_name(enum sealmq_fail_reason reason);

/* A message at one device of its recipient. Its size is fixed. */
struct sealmq_part {
    struct sealmq_device device;
    enum sealmq_delivery_state state; /* while the outcome is open */
    enum sealmq_outcome outcome;
    enum sealmq_fail_reason reason;
    uint64_t at_ms; /* since when, by the relay's clock */
    uint64_t reserved[4];
};

/* The relay's word that it has a message on disk: keep it, and show it to the relay after a loss. Its size is fixed. */
struct sealmq_receipt {
    uint8_t store[8];
    uint8_t term[16];
    uint8_t mac[32];
    uint64_t commit;
    uint64_t accepted_ms;
    uint32_t key_id;
    uint32_t synced; /* 1: on disk when it was given; 0: in the relay's memory only, as it is configured to */
};

/* One message of ours. */
struct sealmq_message {
    size_t size;
    uint64_t order;                     /* its number in this home: grows, never reused */
    char key[SEALMQ_KEY_MAX + 1];       /* the caller's id for it, or one that was made */
    struct sealmq_message_id id;        /* at the relay; all zero = none yet */
    char handle[SEALMQ_HANDLE_MAX + 1]; /* to whom; "" = it was sent to an account */
    struct sealmq_account account;      /* to whom; all zero until the handle is resolved */
    enum sealmq_payload_kind kind;      /* what goes, or went */
    enum sealmq_message_state state;
    enum sealmq_stage stage;
    enum sealmq_status reason;          /* why it is refused, or the last obstacle while it waits; OK = none */
    enum sealmq_prompt_id prompt;       /* what the user should know of it */
    uint32_t attempt;                   /* above 0: sealed anew for devices that could not open it */
    uint64_t created_ms;                /* by this machine's clock */
    uint64_t ttl_ms;                    /* as asked for; 0 = the relay's default */
    uint64_t expires_ms;                /* by the relay's; 0 before acceptance */
    bool accepted;                      /* there is a receipt */
    struct sealmq_receipt receipt;
    const struct sealmq_part *parts;    /* part_count of them; good until the next call that gives a sealmq_message */
    size_t part_count;
    bool fresh;                         /* drafted: its recipient's keys are still to be asked for anew */
};

struct sealmq_send_options {
    size_t size;
    const char *handle;  /* to whom; NULL = to `account` */
    struct sealmq_account account; /* where handle is NULL: an answer to whom this home knows by no handle */
    const void *payload; /* payload_len bytes, SEALMQ_PAYLOAD_MAX at most; may be NULL when that is 0 */
    size_t payload_len;
    const char *key;     /* the caller's id: 1 to 64 printable characters; NULL = one is made */
    uint64_t ttl_ms;     /* how long it may wait for its recipient; 0 = the relay's default */
    enum sealmq_payload_kind kind;
    bool fresh;          /* the recipient's keys are asked for anew first: drafted until the relay has answered */
};

/* sealmq_send: keeps a message, and returns; it goes when it can, in this process or another one, connected or not.
 * *out is its row, or NULL. The same key with the same recipient, payload, kind and ttl is the same message, however
 * often it is sent: OK, with the row as it stands. Uses the disk. OK; ID_REUSED: the key belongs to a message with
 * other content (*out is that one); MALFORMED (handle, key or kind); TOO_LARGE. Nothing is kept after a failure. */
SEALMQ_API enum sealmq_status sealmq_send(struct sealmq_client *client, const struct sealmq_send_options *options,
                                          struct sealmq_message *out) SEALMQ_MUST_USE;

/* sealmq_message_get: the message of this order number. sealmq_message_find: by what a person has: its id as text, its
 * reference, or the caller's key. Both use the disk. OK; NOT_FOUND. */
SEALMQ_API enum sealmq_status sealmq_message_get(struct sealmq_client *client, uint64_t order,
                                                 struct sealmq_message *out) SEALMQ_MUST_USE;
SEALMQ_API enum sealmq_status sealmq_message_find(struct sealmq_client *client, const char *name,
                                                  struct sealmq_message *out) SEALMQ_MUST_USE;
/* sealmq_outbox_next: the first message after the order number `after` (0 = from the oldest one) that is in this stage.
 * Ended ones stay for 30 days. Uses the disk. OK; NOT_FOUND: no more. */
SEALMQ_API enum sealmq_status sealmq_outbox_next(struct sealmq_client *client, enum sealmq_stage stage, uint64_t after,
                                                 struct sealmq_message *out) SEALMQ_MUST_USE;
/* sealmq_message_reference: what support asks for. OK; STATE (no id or no account yet). Uses the disk. */
SEALMQ_API enum sealmq_status sealmq_message_reference(struct sealmq_client *client, const struct sealmq_message *message,
                                                       struct sealmq_reference *out) SEALMQ_MUST_USE;

/* sealmq_release: the user's decision for a message that is held or unknown: send it, under a new id. With one that is held for
 * its contact go all of those, and what comes later: what was seen of its keys does not hold again. Uses the disk. OK;
 * NOT_FOUND; STATE (it does not wait for the user). */
SEALMQ_API enum sealmq_status sealmq_release(struct sealmq_client *client, uint64_t order) SEALMQ_MUST_USE;
/* sealmq_hasten: tries now what would wait for its next try (half an hour, where a mailbox was full). Uses the disk. OK. */
SEALMQ_API enum sealmq_status sealmq_hasten(struct sealmq_client *client) SEALMQ_MUST_USE;

/* ---- messages for us ---- */

struct sealmq_received {
    size_t size;
    uint64_t order;                     /* its number in this home: grows, never reused */
    struct sealmq_account account;      /* whose it is */
    struct sealmq_device device;        /* the device that sent it */
    struct sealmq_message_id id;
    char handle[SEALMQ_HANDLE_MAX + 1]; /* by which this home knows the account; "" = by none */
    enum sealmq_payload_kind kind;      /* how it came */
    enum sealmq_prompt_id prompt;       /* what the user should know of it */
    uint64_t accepted_ms;               /* by the relay's clock */
    uint64_t received_ms;               /* by this machine's */
    uint64_t missing;                   /* sealed ones of this device for us that were to come before it, and have not */
    const void *payload;                /* payload_len bytes; good until the next sealmq_inbox_next on this client */
    size_t payload_len;
    bool verified;                      /* whose it is the user has verified: sealmq_verify.h */
    bool own;                           /* this account's own: another device of it has sent it. Not to be answered as if
                                         * somebody had written: */
    struct sealmq_account to;           /* own: to whom; this account itself: a note to oneself. Else all zero */
    char to_handle[SEALMQ_HANDLE_MAX + 1]; /* own: by which this home knows that account; "" = by none */
    bool request;                       /* of somebody who is not allowed to write yet: sealmq_contacts.h */
};

/* sealmq_inbox_next: the first message after the order number `after` (0 = from the oldest one) that was not taken with
 * sealmq_ack. Begin with it after opening: what a process did not take before it died is still there. Uses the disk.
 * OK; NOT_FOUND: no more. */
SEALMQ_API enum sealmq_status sealmq_inbox_next(struct sealmq_client *client, uint64_t after,
                                                struct sealmq_received *out) SEALMQ_MUST_USE;
/* sealmq_ack: the application has used these `count` messages (their order numbers): shown them, stored them elsewhere.
 * Whoever dies between using one and this finds it again: at least once. A sealed message was settled for its sender when
 * it was opened here; an opaque one is settled by this, in this session or the next, and one that is not taken holds
 * back those behind it. Uses the disk. OK, also again; NOT_FOUND: one of them is none, and none was taken. */
SEALMQ_API enum sealmq_status sealmq_ack(struct sealmq_client *client, const uint64_t *orders, size_t count) SEALMQ_MUST_USE;

/* ---- what this home holds ---- */

/* A home holds the messages of the last 30 days, and what came with a backup for 30 days after that: received ones, and sent ones that were
 * accepted (until they are settled, where they were given a time to live).
 * sealmq_history_list: looks for them once, all or those `with` an account (NULL = all): *count of them. Reads all that is held.
 * sealmq_history_get: the one with this index, from 0, the oldest, as sealmq_inbox_next gives it, but that `order` is 0 for those that
 * this device has sent, and nothing is said of requests, and of when it came. The payload is good until the next sealmq_history_get. OK;
 * NOT_FOUND: beyond *count, or gone since. Both use the disk. */
SEALMQ_API enum sealmq_status sealmq_history_list(struct sealmq_client *client, const struct sealmq_account *with,
                                                  size_t *count) SEALMQ_MUST_USE;
SEALMQ_API enum sealmq_status sealmq_history_get(struct sealmq_client *client, size_t index,
                                                 struct sealmq_received *out) SEALMQ_MUST_USE;

/* ---- contacts ---- */

/* sealmq_lookup: asks the relay which account a handle points to; SEALMQ_EVENT_LOOKUP answers within timeout_ms (0 = 10
 * s), also without a connection. The answer is proven by the account's own signature; where this home knew no account
 * by that handle it does so from then on; where it knew another one, the event's status is BAD_ENTRY. Its log is asked for,
 * too, where none is held, and is here some time after the event. OK; MALFORMED; FULL (SEALMQ_LOOKUPS_MAX are under way). */
SEALMQ_API enum sealmq_status sealmq_lookup(struct sealmq_client *client, const char *handle,
                                            uint32_t timeout_ms) SEALMQ_MUST_USE;
/* What this home knows, without asking. sealmq_contact_account: the account of a handle. sealmq_contact_handle: a
 * handle of an account. Both use the disk. OK; NOT_FOUND. */
SEALMQ_API enum sealmq_status sealmq_contact_account(struct sealmq_client *client, const char *handle,
                                                     struct sealmq_account *out) SEALMQ_MUST_USE;
SEALMQ_API enum sealmq_status sealmq_contact_handle(struct sealmq_client *client, struct sealmq_account account,
                                                    char out[SEALMQ_HANDLE_MAX + 1]) SEALMQ_MUST_USE;

/* An account's identity log as this home holds it; every entry was verified when it came. */
struct sealmq_log {
    size_t size;
    struct sealmq_account account;
    uint64_t length;       /* entries */
    uint64_t key_version;  /* entries that changed who receives, or with which keys */
    struct sealmq_hash head; /* pins all of it */
    size_t device_count;   /* ever */
    size_t device_active;
    uint64_t checked_ms;   /* when the relay last told something of it */
};
struct sealmq_log_entry {
    size_t size;
    uint64_t number; /* from 0 */
    uint64_t made_ms; /* as its maker says */
    enum sealmq_operation operation;
    bool by_recovery; /* the account's recovery key signed it, and signer is all zero */
    struct sealmq_device signer;
};
/* sealmq_log_get: of this account, or of the one that this home knows by `handle`. OK; NOT_FOUND; MALFORMED (not a handle).
 * sealmq_log_entry: its entry of this number. OK; NOT_FOUND: not held. Both use the disk. */
SEALMQ_API enum sealmq_status sealmq_log_get(struct sealmq_client *client, const char *handle,
                                             struct sealmq_log *out) SEALMQ_MUST_USE;
SEALMQ_API enum sealmq_status sealmq_log_entry_get(struct sealmq_client *client, struct sealmq_account account,
                                                   uint64_t number, struct sealmq_log_entry *out) SEALMQ_MUST_USE;

/* ---- events ---- */

enum sealmq_event_kind {
    SEALMQ_EVENT_NONE = 0,
    SEALMQ_EVENT_CONNECTED = 1,      /* a session began; receiving: it takes messages */
    SEALMQ_EVENT_DISCONNECTED = 2,   /* it ended; the library begins another one */
    SEALMQ_EVENT_REGISTERED = 3,     /* the account is at the relay and has its handle */
    SEALMQ_EVENT_HANDLE_REFUSED = 4, /* status says why: sealmq_handle_claim with another one */
    SEALMQ_EVENT_IDENTITY = 5,       /* a change of our keys or devices (operation, device) ended: status OK, or not: obstacle */
    SEALMQ_EVENT_MESSAGE = 6,        /* one of ours changed: order, key, id, state, attempt, status (its reason) */
    SEALMQ_EVENT_RECEIVED = 7,       /* one for us: order, id, account, device; sealmq_inbox_next has it */
    SEALMQ_EVENT_GAP = 8,            /* count messages will not come: gap says why */
    SEALMQ_EVENT_SUPERSEDED = 9,     /* another client of this device takes the messages: sealmq_attach */
    SEALMQ_EVENT_STOPPED = 10,       /* the relay will not have this device; status and sealmq_error say why */
    SEALMQ_EVENT_FAILED = 11,        /* the home cannot be used; status and sealmq_error say why: sealmq_close */
    SEALMQ_EVENT_LEFT = 12,          /* after sealmq_leave: now sealmq_close has nothing to break off */
    SEALMQ_EVENT_OVERFLOW = 13,      /* count events were not taken in time: read the rows */
    SEALMQ_EVENT_LOOKUP = 14,        /* of sealmq_lookup: handle, status, account (status OK); NOT_FOUND, LOCKED, TIMEOUT... */
    SEALMQ_EVENT_PROMPT = 15,        /* a user must see this: prompt; order where it is about a message of ours, account
                                      * where about a contact, device where about one */
    SEALMQ_EVENT_LINK = 20,          /* a device asks to join, or that goes on: sealmq_approve_get (sealmq_link.h) */
    SEALMQ_EVENT_LINKED = 21,        /* this device is in the account that it has joined; device: who has admitted it */
    SEALMQ_EVENT_CONTACT = 25,       /* the devices of an account have changed that is a contact's, or our own and another
                                      * device did it: account, handle, operation, device, device_name, signer */
    SEALMQ_EVENT_CONTACTS = 80       /* the relay has what was said of others, or what it has was read (sealmq_contacts.h); else
                                      * status says why not */
};
enum sealmq_gap_reason {
    SEALMQ_GAP_NONE = 0,
    SEALMQ_GAP_QUOTA = 1,    /* the mailbox was full */
    SEALMQ_GAP_EXPIRED = 2,  /* their time has passed */
    SEALMQ_GAP_DAMAGED = 3,  /* the relay's copy fails its check */
    SEALMQ_GAP_LOST = 4,     /* the relay lost them */
    SEALMQ_GAP_SUSPENDED = 5 /* this device was suspended */
};

/* Only the fields that the kind names are set. */
struct sealmq_event {
    size_t size;
    enum sealmq_event_kind kind;
    enum sealmq_status status;
    uint64_t order;
    uint64_t count;
    enum sealmq_message_state state;
    enum sealmq_gap_reason gap;
    bool receiving;
    uint32_t attempt;
    struct sealmq_message_id id;
    struct sealmq_account account;
    struct sealmq_device device;
    char key[SEALMQ_KEY_MAX + 1];
    char handle[SEALMQ_HANDLE_MAX + 1];
    enum sealmq_prompt_id prompt;
    enum sealmq_severity severity; /* of the prompt */
    const char *text;              /* of the prompt; static; else NULL */
    enum sealmq_operation operation; /* of IDENTITY; 0: it is about no change of ours */
    enum sealmq_obstacle obstacle;   /* of IDENTITY: what another entry, which was first, has put in its way */
    struct sealmq_device signer;     /* of CONTACT: who did it; all zero: the account's recovery key */
    char device_name[SEALMQ_DEVICE_NAME_MAX + 1]; /* of CONTACT; "" = it has none */
};

/* sealmq_next_event: the next one, in the order in which things happened; false = none (kind NONE). Up to 1024 wait. */
SEALMQ_API bool sealmq_next_event(struct sealmq_client *client, struct sealmq_event *out);
SEALMQ_API const char *sealmq_event_name(enum sealmq_event_kind kind);
SEALMQ_API const char *sealmq_gap_reason_name(enum sealmq_gap_reason reason);

#ifdef __cplusplus
}
#endif
#endif
