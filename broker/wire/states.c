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

const char *gap_reason_name(uint64_t code)
{
    switch (code) {
        GAP_REASON_LIST(X)
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
