/* message: the table of client message states (PROTOCOL 7, ARCHITECTURE "states"). It knows no
 * storage and no wire; outbox.c asks it before every change. Invariants: a message that was handed to
 * the network never becomes a draft again unless the relay has said that it did not take it (RESEAL), or
 * that a device could not open it (RESEND); nothing leaves settled or refused. */
#include "clients/message.h"

#include "broker/wire/bytes.h"

#define ROW(from) [MESSAGE_##from]
#define ON(event, to) [MESSAGE_EVENT_##event] = MESSAGE_##to

static const uint8_t steps[MESSAGE_STATE_END][MESSAGE_EVENT_COUNT] = {
    ROW(DRAFTED) = {ON(SEAL, ENCRYPTED), ON(REFUSE, REFUSED), ON(HOLD, HELD), ON(KEEP, ACCEPTED)},
    ROW(ENCRYPTED) = {ON(SUBMIT, QUEUED), ON(RESEAL, DRAFTED), ON(REFUSE, REFUSED),
                      ON(HOLD, HELD), ON(KEEP, ACCEPTED)},
    ROW(QUEUED) = {ON(SUBMIT, QUEUED), ON(ACCEPT, ACCEPTED), ON(RESEAL, DRAFTED),
                   ON(REFUSE, REFUSED), ON(DOUBT, UNKNOWN), ON(HOLD, HELD), ON(KEEP, ACCEPTED)},
    ROW(ACCEPTED) = {ON(END, SETTLED), ON(REFUSE, REFUSED), ON(LOSE, QUEUED),
                     ON(DOUBT, UNKNOWN), ON(RESEND, DRAFTED)},
    ROW(SETTLED) = {0},
    ROW(REFUSED) = {0},
    ROW(UNKNOWN) = {ON(ACCEPT, ACCEPTED), ON(RELEASE, DRAFTED)},
    ROW(HELD) = {ON(RELEASE, DRAFTED), ON(REFUSE, REFUSED)},
};

enum status message_step(enum message_state from, enum message_event event,
                         enum message_state *out)
{
    *out = from;
    if (from <= MESSAGE_NONE || from >= MESSAGE_STATE_END || event >= MESSAGE_EVENT_COUNT)
        return STATUS_STATE;
    uint8_t to = steps[from][event];
    if (to == MESSAGE_NONE) return STATUS_STATE;
    *out = (enum message_state)to;
    return STATUS_OK;
}

const char *message_state_name(unsigned state)
{
    switch (state) {
#define X(NAME, code, text) case code: return text;
        MESSAGE_STATE_LIST(X)
#undef X
    default: return "?";
    }
}

const char *message_event_name(unsigned event)
{
    switch (event) {
#define X(NAME, text) case MESSAGE_EVENT_##NAME: return text;
        MESSAGE_EVENT_LIST(X)
#undef X
    default: return "?";
    }
}

enum message_class message_class_of(enum message_state state)
{
    static const uint8_t classes[MESSAGE_STATE_END] = {
        ROW(DRAFTED) = CLASS_WORK,  ROW(ENCRYPTED) = CLASS_WORK, ROW(QUEUED) = CLASS_WORK,
        ROW(ACCEPTED) = CLASS_OPEN, ROW(SETTLED) = CLASS_ENDED,  ROW(REFUSED) = CLASS_ENDED,
        ROW(UNKNOWN) = CLASS_ENDED, ROW(HELD) = CLASS_ENDED,
    };
    ENSURE(state > MESSAGE_NONE && state < MESSAGE_STATE_END);
    return (enum message_class)classes[state];
}
