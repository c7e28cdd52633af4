/* status and states: closed lists, each code and name once, and nothing local ever travels. */
#include "broker/wire/states.h"
#include "broker/wire/status.h"

#include <criterion/criterion.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define CODES 256u

static bool known(const char *name)
{
    return strcmp(name, "?") != 0;
}

/* A list of names by code: each name once, count of them in all, none above CODES. */
static void check_list(const char *what, const char *(*name)(uint64_t), size_t count)
{
    size_t found = 0;
    for (uint64_t i = 0; i < CODES; i++) {
        if (!known(name(i))) continue;
        found++;
        for (uint64_t k = 0; k < i; k++)
            cr_assert_str_neq(name(i), name(k), "%s %u and %u", what, (unsigned)i, (unsigned)k);
    }
    cr_assert_eq(found, count, "%s: a code stands twice", what);
    cr_assert_not(known(name(CODES)));
    cr_assert_not(known(name(UINT64_MAX)));
}

static const char *name_of_status(uint64_t code)
{
    return status_name((enum status)code);
}

#define X(...) +1
Test(status, codes_and_names_are_unique)
{
    check_list("status", name_of_status, 0 STATUS_LIST(X));
}

Test(states, codes_and_names_are_unique)
{
    check_list("state", delivery_state_name, 0 DELIVERY_STATE_LIST(X));
    check_list("outcome", outcome_name, 0 OUTCOME_LIST(X));
    check_list("reason", fail_reason_name, 0 FAIL_REASON_LIST(X));
    check_list("cause", report_cause_name, 0 REPORT_CAUSE_LIST(X));
    check_list("gap", gap_reason_name, 0 GAP_REASON_LIST(X));
    check_list("contact mode", contact_mode_name, 0 CONTACT_MODE_LIST(X));
    check_list("contact verdict", contact_verdict_name, 0 CONTACT_VERDICT_LIST(X));
    check_list("cut reason", cut_reason_name, 0 CUT_REASON_LIST(X));
    check_list("store state", store_state_name, 0 STORE_STATE_LIST(X));
    check_list("hold reason", hold_reason_name, 0 HOLD_REASON_LIST(X));
    check_list("identity change", identity_change_name, 0 IDENTITY_CHANGE_LIST(X));
    check_list("risk", risk_name, 0 RISK_LIST(X));
    check_list("explain", explain_name, 0 EXPLAIN_LIST(X));
    check_list("meaning", explain_meaning, 0 EXPLAIN_LIST(X));
}
#undef X

Test(states, each_cause_has_a_meaning_of_its_own_and_nothing_else_has)
{
    for (uint64_t i = CAUSE_VERSION; i <= CAUSE_COMMITMENT; i++) {
        cr_assert_gt(strlen(report_cause_meaning(i)), 10u);
        for (uint64_t k = CAUSE_VERSION; k < i; k++)
            cr_assert_str_neq(report_cause_meaning(i), report_cause_meaning(k));
    }
    cr_assert_str_eq(report_cause_meaning(CAUSE_NONE), "");
    cr_assert_str_eq(report_cause_meaning(CAUSE_COMMITMENT + 1), "");
}

/* PROTOCOL 5: the codes that travel are frozen. */
Test(status, wire_codes_are_those_of_the_protocol)
{
    static const char *const frozen[] = {
        "ok", "busy", "unknown", "no_session", "superseded", "draining", "wrong_home",
        "unsupported", "malformed", "too_large", "unauthenticated", "not_found", "id_time",
        "id_reused", "stale_devices", "mailbox_full", "store_readonly", "handle_taken", "bad_entry",
        "refused", "relay_behind", "rate_limited", "stale_head", "not_accepted",
        "token_refused", "on_hold"};
    for (unsigned i = 0; i < sizeof frozen / sizeof frozen[0]; i++)
        cr_assert_str_eq(status_name((enum status)i), frozen[i]);
    cr_assert_not(known(status_name((enum status)26)));
}

Test(status, only_wire_codes_are_taken_from_a_peer)
{
    for (uint64_t code = 0; code < CODES; code++) {
        bool may = code <= STATUS_WIRE_MAX && known(name_of_status(code));
        cr_assert_eq(status_from_wire(code), may ? (enum status)code : STATUS_MALFORMED);
    }
    cr_assert_eq(status_from_wire(UINT64_MAX), STATUS_MALFORMED);
    cr_assert_eq(status_from_wire(1ull << 32), STATUS_MALFORMED);
}

Test(status, says_what_a_client_does)
{
    cr_assert_eq(status_client_action(STATUS_OK), ACTION_NONE);
    cr_assert_eq(status_client_action(STATUS_UNKNOWN), ACTION_RETRY);
    cr_assert_eq(status_client_action(STATUS_STALE_DEVICES), ACTION_REPAIR);
    cr_assert_eq(status_client_action(STATUS_MALFORMED), ACTION_GIVE_UP);
    cr_assert_eq(status_client_action((enum status)99), ACTION_GIVE_UP);
    cr_assert_str_eq(status_meaning((enum status)99), "?");
}

/* PROTOCOL 7.5 and 8. */
Test(states, numbers_are_those_of_the_protocol)
{
    cr_assert_str_eq(delivery_state_name(1), "queued");
    cr_assert_str_eq(delivery_state_name(5), "failed");
    cr_assert_str_eq(outcome_name(0), "open");
    cr_assert_str_eq(outcome_name(3), "over_quota");
    cr_assert_str_eq(outcome_name(6), "superseded");
    cr_assert_str_eq(outcome_name(8), "lost");
    cr_assert_str_eq(fail_reason_name(3), "damaged");
    cr_assert_str_eq(gap_reason_name(5), "suspended");
}
