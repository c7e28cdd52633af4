/* states: names for people, from the lists in states.h. */
#include "broker/wire/states.h"

#define X(NAME, code, text)                                                                        \
    case code: return text;

const char *delivery_state_name(uint64_t code)
{
    switch (code) {
        DELIVERY_STATE_LIST(X)
    default: return "?";
    }
}

const char *outcome_name(uint64_t code)
{
    switch (code) {
        OUTCOME_LIST(X)
    default: return "?";
    }
}

const char *fail_reason_name(uint64_t code)
{
    switch (code) {
        FAIL_REASON_LIST(X)
    default: return "?";
    }
}

const char *report_cause_name(uint64_t code)
{
    switch (code) {
        REPORT_CAUSE_LIST(X)
    default: return "?";
    }
}

const char *hold_reason_name(uint64_t code)
{
    switch (code) {
        HOLD_REASON_LIST(X)
    default: return "?";
    }
}

const char *identity_change_name(uint64_t code)
{
    switch (code) {
        IDENTITY_CHANGE_LIST(X)
    default: return "?";
    }
}

const char *gap_reason_name(uint64_t code)
{
    switch (code) {
        GAP_REASON_LIST(X)
    default: return "?";
    }
}

const char *contact_mode_name(uint64_t code)
{
    switch (code) {
        CONTACT_MODE_LIST(X)
    default: return "?";
    }
}

const char *contact_verdict_name(uint64_t code)
{
    switch (code) {
        CONTACT_VERDICT_LIST(X)
    default: return "?";
    }
}

const char *store_state_name(uint64_t code)
{
    switch (code) {
        STORE_STATE_LIST(X)
    default: return "?";
    }
}

const char *cut_reason_name(uint64_t code)
{
    switch (code) {
        CUT_REASON_LIST(X)
    default: return "?";
    }
}
#undef X

const char *report_cause_meaning(uint64_t code)
{
    switch (code) {
    case CAUSE_VERSION: return "a later version of the app made it; this one needs an update";
    case CAUSE_LOCKED: return "the app's store is locked; it opens the message when it is unlocked";
    case CAUSE_FORM: return "its bytes do not follow the format; the sending app has a fault";
    case CAUSE_SENDER: return "the sender's keys are not in its account's log, as this device knows it";
    case CAUSE_SESSION: return "it belongs to no session that this device has; its state was lost or set back";
    case CAUSE_PREKEY: return "it begins a session with a prekey that this device does not have any more";
    case CAUSE_REPLAY: return "it uses a session's beginning, or a key, for the second time";
    case CAUSE_FAR: return "it is too far ahead in its session: too many before it did not arrive";
    case CAUSE_AUTHENTICATION: return "it does not open under its key: altered on the way, or sealed with another one";
    case CAUSE_COMMITMENT: return "it opens, and is not what its sender committed to; the sending app has a fault";
    default: return "";
    }
}

const char *explain_name(uint64_t code)
{
    switch (code) {
#define X(NAME, code, text, meaning)                                                               \
    case code: return text;
        EXPLAIN_LIST(X)
#undef X
    default: return "?";
    }
}

const char *explain_meaning(uint64_t code)
{
    switch (code) {
#define X(NAME, code, text, meaning)                                                               \
    case code: return meaning;
        EXPLAIN_LIST(X)
#undef X
    default: return "?";
    }
}

static const struct {
    const char *name;
    enum risk_level level;
} risks[RISKS] = {
#undef X
#define X(NAME, bit, text, level) [bit] = {text, RISK_##level},
    RISK_LIST(X)
#undef X
};

const char *risk_name(uint64_t bit)
{
    return bit < RISKS ? risks[bit].name : "?";
}

enum risk_level risk_level(uint64_t set)
{
    enum risk_level level = RISK_LOW;
    for (unsigned i = 0; i < RISKS; i++)
        if ((set >> i & 1) && risks[i].level > level) level = risks[i].level;
    return level;
}

const char *risk_level_name(enum risk_level level)
{
    static const char *const names[] = {[RISK_LOW] = "low", [RISK_ELEVATED] = "elevated", [RISK_HIGH] = "high"};
    return level <= RISK_HIGH ? names[level] : "?";
}
