/* event_json: an event's numbers under the words that EVENT_LIST gives them. Every string in a line
 * comes from a static table, a version's three numbers, or a hash: nothing of a peer gets here. */
#include "broker/host/event_json.h"

#include "broker/host/journal.h"
#include "broker/wire/identity_log.h"
#include "broker/wire/states.h"
#include "broker/wire/token.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *const level_names[] = {
    [LEVEL_INFO] = "info", [LEVEL_WARN] = "warn", [LEVEL_ALARM] = "alarm"};

static const char *role_text(uint64_t code)
{
    static const char *const names[] = {"supervisor", "broker", "storage", "fanout", "ops", "relay"};
    return code < sizeof names / sizeof names[0] ? names[code] : "?";
}

static const char *status_text(uint64_t code)
{
    return code <= UINT8_MAX ? status_name((enum status)code) : "?";
}

static const char *operation_text(uint64_t code)
{
    return code <= UINT8_MAX ? entry_operation_name((unsigned)code) : "?";
}

static const char *recovery_text(uint64_t code)
{
    static const char *const names[] = {"clean", "point_in_time"};
    return code < sizeof names / sizeof names[0] ? names[code] : "?";
}

/* The kind that there were too many of; absent where it was any. */
static const char *dropped_text(uint64_t code)
{
    return code ? event_name(code) : NULL;
}

static const char *clock_text(uint64_t code)
{
    static const char *const names[] = {[CLOCK_BEHIND] = "behind", [CLOCK_AHEAD] = "ahead"};
    return code < sizeof names / sizeof names[0] ? names[code] : "?";
}

static const char *recovery_refusal_text(uint64_t code)
{
    static const char *const names[] = {[RECOVERY_NO_ACCOUNT] = "no_account", [RECOVERY_NO_KEY] = "no_key",
                                        [RECOVERY_NO_PROOF] = "no_proof", [RECOVERY_CLOCK] = "clock",
                                        [RECOVERY_WRONG_KEY] = "wrong_key"};
    return code < sizeof names / sizeof names[0] ? names[code] : "?";
}

static const char *meter_text(uint64_t code)
{
    static const char *const names[] = {[METER_ADDRESS] = "address",
                                        [METER_ADDRESS_LOOSE] = "address_loose",
                                        [METER_DEVICE_REQUESTS] = "device_requests",
                                        [METER_DEVICE_BYTES] = "device_bytes"};
    return code < sizeof names / sizeof names[0] ? names[code] : "?";
}

/* Whose numbers have names; any other code is printed as the number. */
static const struct {
    const char *word;
    enum event_kind only; /* 0 = of any kind */
    const char *(*text)(uint64_t code);
} code_names[] = {
    {"status", 0, status_text},
    {"role", 0, role_text},
    {"operation", 0, operation_text},
    {"recovery", 0, recovery_text},
    {"clock", 0, clock_text},
    {"meter", 0, meter_text},
    {"dropped", EVENT_EVENTS_DROPPED, dropped_text},
    {"cause", 0, report_cause_name},
    {"why", EVENT_RECOVERY_REFUSED, recovery_refusal_text},
    {"reason", EVENT_DELIVERY_FAILED, fail_reason_name},
    {"reason", EVENT_CONNECTION_CUT, cut_reason_name},
    {"reason", EVENT_TOKEN_REFUSED, token_fault_name},
    {"reason", EVENT_HOLD_PLACED, hold_reason_name},
    {"state", EVENT_TRANSITION_REFUSED, delivery_state_name},
};

static json_t *code_json(enum event_kind kind, const char *word, uint64_t code)
{
    for (size_t i = 0; i < sizeof code_names / sizeof code_names[0]; i++)
        if (strcmp(code_names[i].word, word) == 0 &&
            (!code_names[i].only || code_names[i].only == kind))
            return json_string(code_names[i].text(code));
    if (strcmp(word, "attached") == 0) return json_boolean(code != 0);
    return json_integer((json_int_t)code);
}

static json_t *value_json(const char *word, uint64_t value)
{
    if (strcmp(word, "client_version") != 0) return json_integer((json_int_t)value);
    if (value == 0) return NULL;
    return json_sprintf("%" PRIu64 ".%" PRIu64 ".%" PRIu64, value >> 32, value >> 16 & 0xffff,
                        value & 0xffff);
}

/* "signal or exit code" is a sentence; its key has no spaces. */
static void put(json_t *object, const char *word, json_t *value)
{
    char key[32];
    if (!*word || !value) {
        json_decref(value);
        return;
    }
    snprintf(key, sizeof key, "%s", word);
    for (char *at = key; *at; at++)
        if (*at == ' ') *at = '_';
    ENSURE(json_object_set_new(object, key, value) == 0);
}

static void put_hex(json_t *object, const char *word, const uint8_t bytes[8])
{
    static const uint8_t none[8];
    char hex[17];
    if (memcmp(bytes, none, sizeof none) == 0) return;
    hex_encode(bytes, 8, hex);
    put(object, word, json_string(hex));
}

static json_t *time_json(uint64_t at_ms)
{
    char day[32];
    struct tm parts;
    time_t seconds = (time_t)(at_ms / 1000);
    if (!gmtime_r(&seconds, &parts)) return json_string("?");
    strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &parts);
    return json_sprintf("%s.%03uZ", day, (unsigned)(at_ms % 1000));
}

static bool is_change(const struct event *e)
{
    return e->kind == EVENT_IDENTITY_CHANGED || e->kind == EVENT_TAKEOVER_SUSPECTED;
}

/* The kinds of change are told as events of their own: who watches for enrolled devices looks for that word. */
static const char *name_of(const struct event *e)
{
    return e->kind == EVENT_IDENTITY_CHANGED ? identity_change_name(e->code) : event_name((uint64_t)e->kind);
}

/* What operators weigh of a change: who signed it, and what is odd about it. */
static void put_change(json_t *object, const struct event *e)
{
    static const uint8_t none[8];
    bool enrolled = e->kind == EVENT_IDENTITY_CHANGED && e->code == CHANGED_ENROLLED;
    const char *by = enrolled ? "approved_by" : "by";
    json_t *risks = json_array();
    for (unsigned i = 0; i < RISKS; i++)
        if (e->count >> i & 1) json_array_append_new(risks, json_string(risk_name(i)));
    if (memcmp(e->actor.bytes, none, sizeof none) == 0)
        put(object, by, json_string("recovery_key"));
    else
        put_hex(object, by, e->actor.bytes);
    put(object, "risk_level", json_string(risk_level_name(risk_level(e->count))));
    if (json_array_size(risks) > 0)
        put(object, "risks", risks);
    else
        json_decref(risks);
}

void event_json_of(const struct event *e, const char *process, char *out, size_t cap)
{
    struct event_words words = event_words((uint64_t)e->kind);
    json_t *object = json_object();
    put(object, "at", time_json(e->at_ms));
    if (process) put(object, "process", json_string(process));
    put(object, "event", json_string(name_of(e)));
    put(object, "level", json_string(level_names[event_level((uint64_t)e->kind)]));
    if (*words.code) put(object, words.code, code_json(e->kind, words.code, e->code));
    if (*words.count) put(object, words.count, json_integer((json_int_t)e->count));
    if (*words.value) put(object, words.value, value_json(words.value, e->value));
    put_hex(object, "account", e->account.bytes);
    put_hex(object, "device", e->device.bytes);
    put_hex(object, "message", e->message.bytes);
    put_hex(object, "store", e->store.bytes);
    if (is_change(e)) put_change(object, e);
    size_t len = json_dumpb(object, out, cap ? cap - 1 : 0, JSON_COMPACT);
    if (cap) out[len && len < cap ? len : 0] = '\0'; /* never a part of a line */
    json_decref(object);
}

void event_json(const struct event *e, char *out, size_t cap)
{
    event_json_of(e, NULL, out, cap);
}
