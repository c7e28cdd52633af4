/* message: what becomes of one message of ours, as one table of states and events. A pair that is
 * not in the table is refused; only outbox.c assigns a state, and only with message_step(). */
#ifndef SEALMQ_CLIENTS_MESSAGE_H
#define SEALMQ_CLIENTS_MESSAGE_H

#include "broker/wire/status.h"

/* Stored: numbers never change meaning. */
#define MESSAGE_STATE_LIST(X)                                                                      \
    X(DRAFTED, 1, "drafted")     /* kept here as plaintext: no bytes for the wire yet */           \
    X(ENCRYPTED, 2, "encrypted") /* the bytes are made and kept; not handed to the network */      \
    X(QUEUED, 3, "queued")       /* handed to the network at least once; no definite answer */     \
    X(ACCEPTED, 4, "accepted")   /* the relay has it on disk; some part has no outcome yet */      \
    X(SETTLED, 5, "settled")     /* every part has an outcome, at least one was taken */           \
    X(REFUSED, 6, "refused")     /* will not arrive; the reason says why */                        \
    X(UNKNOWN, 7, "unknown")     /* may have arrived; only the user can decide to send it again */ \
    X(HELD, 8, "held")           /* waits for the user: the contact's identity has changed */

enum message_state {
    MESSAGE_NONE = 0,
#define X(NAME, code, text) MESSAGE_##NAME = code,
    MESSAGE_STATE_LIST(X)
#undef X
    MESSAGE_STATE_END
};

#define MESSAGE_EVENT_LIST(X)                                                                      \
    X(SEAL, "seal")       /* item bytes and ciphertexts are made */                                \
    X(SUBMIT, "submit")   /* handed to the network, for the first time or again */                 \
    X(ACCEPT, "accept")   /* the relay's answer says accepted */                                   \
    X(RESEAL, "reseal")   /* surely not accepted as it is; new bytes are needed */                 \
    X(END, "end")         /* every part has an outcome, one of them settled */                     \
    X(REFUSE, "refuse")   /* refused for good, or every part ended without being taken */          \
    X(LOSE, "lose")       /* the relay lost the acceptance: the same bytes again */                \
    X(DOUBT, "doubt")     /* possibly accepted long ago; no way to find out */                     \
    X(HOLD, "hold")       /* the contact's identity has changed */                                 \
    X(RELEASE, "release") /* the user has decided to send */                                       \
    X(RESEND, "resend")   /* accepted, and some device could not open it: sealed anew for that */  \
    X(KEEP, "keep")       /* a resend is not taken: what was accepted before stands */

enum message_event {
#define X(NAME, text) MESSAGE_EVENT_##NAME,
    MESSAGE_EVENT_LIST(X)
#undef X
    MESSAGE_EVENT_COUNT
};

/* message_step: the state after the event. OK, or STATE with *out = from for a pair outside the table. */
enum status message_step(enum message_state from, enum message_event event,
                         enum message_state *out) MUST_USE;

/* Names: static text; "?" outside the list. */
const char *message_state_name(unsigned state);
const char *message_event_name(unsigned event);

/* What the client still has to do for a message; the outbox is listed by it. */
enum message_class {
    CLASS_WORK = 1,  /* drafted, encrypted, queued: to be sent */
    CLASS_OPEN = 2,  /* accepted: outcomes to be learnt */
    CLASS_ENDED = 3, /* settled, refused, unknown, held: nothing by itself */
};
/* message_class_of: ENSUREs a state of the list. */
enum message_class message_class_of(enum message_state state);

#endif
