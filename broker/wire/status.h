/* status: the one error type of SealMQ. Wire codes (0..127) are part of the protocol and never
 * change meaning (PROTOCOL 5); codes from 128 are local to a process and never travel. */
#ifndef SEALMQ_WIRE_STATUS_H
#define SEALMQ_WIRE_STATUS_H

#include <stdint.h>

/* What a client does about a status. */
enum status_action {
    ACTION_NONE,       /* nothing: it worked */
    ACTION_RETRY,      /* send the same bytes again, after retry_after_ms */
    ACTION_REPAIR,     /* fix what the reply names, then send again */
    ACTION_GIVE_UP,    /* tell the caller; sending again cannot help */
};

/* X(NAME, code, "name", action, "meaning") */
#define STATUS_LIST(X)                                                                             \
    X(OK, 0, "ok", NONE, "done")                                                                   \
    X(BUSY, 1, "busy", RETRY, "overloaded or just starting; nothing was done")                     \
    X(UNKNOWN, 2, "unknown", RETRY, "the owner was lost before it answered; it may be done")       \
    X(NO_SESSION, 3, "no_session", REPAIR, "no session on this connection: send HELLO first")      \
    X(SUPERSEDED, 4, "superseded", GIVE_UP, "a newer session of this device is attached")          \
    X(DRAINING, 5, "draining", RETRY, "this endpoint is closing: use another one")                 \
    X(WRONG_HOME, 6, "wrong_home", REPAIR, "not the home of this item: fetch the map")             \
    X(UNSUPPORTED, 7, "unsupported", GIVE_UP, "unknown kind or version; the reply has the range")  \
    X(MALFORMED, 8, "malformed", GIVE_UP, "the bytes do not follow the protocol")                  \
    X(TOO_LARGE, 9, "too_large", GIVE_UP, "over a limit of PROTOCOL 9")                            \
    X(UNAUTHENTICATED, 10, "unauthenticated", GIVE_UP, "this key is not that device's")            \
    X(NOT_FOUND, 11, "not_found", GIVE_UP, "no such account, handle or message")                   \
    X(ID_TIME, 12, "id_time", REPAIR, "message id too old or in the future: take a new one")       \
    X(ID_REUSED, 13, "id_reused", GIVE_UP, "this id was accepted with other content")              \
    X(STALE_DEVICES, 14, "stale_devices", REPAIR, "the recipient's device list is another one")    \
    X(MAILBOX_FULL, 15, "mailbox_full", RETRY, "no device of the recipient has room")              \
    X(STORE_READONLY, 16, "store_readonly", RETRY, "the relay's disk is nearly full")              \
    X(HANDLE_TAKEN, 17, "handle_taken", GIVE_UP, "the handle belongs to another account")          \
    X(BAD_ENTRY, 18, "bad_entry", GIVE_UP, "the identity log entry is not valid")                  \
    X(REFUSED, 19, "refused", GIVE_UP, "not allowed for this device")                              \
    X(RELAY_BEHIND, 20, "relay_behind", REPAIR, "the relay's copy of this log is shorter")          \
    X(RATE_LIMITED, 21, "rate_limited", RETRY, "too many requests; nothing was done")              \
    X(STALE_HEAD, 22, "stale_head", REPAIR, "the identity log has gone on: make the entry anew")   \
    X(NOT_ACCEPTED, 23, "not_accepted", GIVE_UP, "the recipient does not take it (now)")            \
    X(TOKEN_REFUSED, 24, "token_refused", GIVE_UP, "no good registration token for this handle and account")       \
    X(ON_HOLD, 25, "on_hold", GIVE_UP, "on hold by the relay's operator, whom to ask: until it is released")      \
    X(DAMAGED, 128, "damaged", GIVE_UP, "stored bytes fail their check")                           \
    X(IO, 129, "io", RETRY, "the operating system reported an error")                              \
    X(FULL, 130, "full", RETRY, "a bounded table or queue is full")                                \
    X(GONE, 131, "gone", RETRY, "the peer is gone")                                                \
    X(CONFIG, 132, "config", GIVE_UP, "a setting is missing or wrong")                             \
    X(LOCKED, 133, "locked", RETRY, "another process owns this")                                   \
    X(STATE, 134, "state", GIVE_UP, "not possible in this state")                                  \
    X(TIMEOUT, 135, "timeout", RETRY, "the time given has passed")                                 \
    X(NO_PREKEYS, 136, "no_prekeys", RETRY, "a device of the recipient has left no keys: until it was online, or is removed")      \
    X(CONTACT_RECOVERED, 137, "contact_recovered", GIVE_UP, "the contact's account was recovered: compare with him, then release or verify") \
    X(CONTACT_FORKED, 138, "contact_forked", GIVE_UP,                                                                          \
      "the relay shows another history of the contact's keys: compare with him, then release or verify")                       \
    X(CONTACT_BEHIND, 139, "contact_behind", GIVE_UP,                                                                          \
      "the relay does not show all of the contact's keys: ask him by another way, then release or verify")                     \
    X(NO_DEVICES, 140, "no_devices", GIVE_UP, "no device of the recipient takes messages at present: all are suspended or revoked")

enum status {
#define X(NAME, code, text, action, meaning) STATUS_##NAME = code,
    STATUS_LIST(X)
#undef X
};

#define STATUS_WIRE_MAX 127

#define MUST_USE __attribute__((warn_unused_result))

/* status_name: static text such as "id_time"; "?" for a code outside the list. */
const char *status_name(enum status s);
/* status_meaning: static one-line explanation; "?" for a code outside the list. */
const char *status_meaning(enum status s);
/* status_client_action: what a client does about it; GIVE_UP for a code outside the list. */
enum status_action status_client_action(enum status s);
/* status_from_wire: the status for a peer's code; MALFORMED for a code that may not travel. */
enum status status_from_wire(uint64_t code);

#endif
