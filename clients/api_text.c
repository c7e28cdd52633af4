/* api_text: ids as text, and names of the numbers. The numbers of sealmq.h are those of the lists in broker/wire and
 * clients/message.h, which the assertions here hold together: who adds one there adds it in sealmq.h too. */
#include "clients/api.h"

#include "broker/wire/identity.h"

#include <string.h>

#define X(NAME, code, text, action, meaning) _Static_assert((int)SEALMQ_##NAME == (int)(code), "sealmq.h: status " text);
STATUS_LIST(X)
#undef X
#define X(NAME, code, text) _Static_assert((int)SEALMQ_MESSAGE_##NAME == (int)(code), "sealmq.h: message state " text);
MESSAGE_STATE_LIST(X)
#undef X
#define X(NAME, code, text) _Static_assert((int)SEALMQ_DELIVERY_##NAME == (int)(code), "sealmq.h: delivery state " text);
DELIVERY_STATE_LIST(X)
#undef X
#define X(NAME, code, text) _Static_assert((int)SEALMQ_OUTCOME_##NAME == (int)(code), "sealmq.h: outcome " text);
OUTCOME_LIST(X)
#undef X
#define X(NAME, code, text) _Static_assert((int)SEALMQ_FAIL_##NAME == (int)(code), "sealmq.h: reason " text);
FAIL_REASON_LIST(X)
#undef X
#define X(NAME, code, text) _Static_assert((int)SEALMQ_GAP_##NAME == (int)(code), "sealmq.h: gap reason " text);
GAP_REASON_LIST(X)
#undef X

_Static_assert((int)SEALMQ_STAGE_SENDING == (int)CLASS_WORK && (int)SEALMQ_STAGE_OPEN == (int)CLASS_OPEN &&
                   (int)SEALMQ_STAGE_ENDED == (int)CLASS_ENDED, "sealmq.h: stages");
_Static_assert((int)SEALMQ_OPERATION_CREATE == (int)ENTRY_CREATE && (int)SEALMQ_OPERATION_ADD == (int)ENTRY_ADD &&
                   (int)SEALMQ_OPERATION_DESCRIBE == (int)ENTRY_DESCRIBE, "sealmq.h: operations");
_Static_assert((int)SEALMQ_LOSS_RECOVERY == (int)LOSS_RECOVERY && (int)SEALMQ_LOSS_FORK == (int)LOSS_FORK &&
                   (int)SEALMQ_LOSS_ROLLBACK == (int)LOSS_ROLLBACK, "sealmq.h: losses");
_Static_assert((int)SEALMQ_VERDICT_MATCH == (int)SAFETY_MATCH && (int)SEALMQ_VERDICT_NEWER == (int)SAFETY_NEWER &&
                   (int)SEALMQ_VERDICT_OTHER == (int)SAFETY_OTHER && (int)SEALMQ_VERDICT_FORK == (int)SAFETY_FORK,
               "sealmq.h: verdicts");
_Static_assert(SEALMQ_NUMBER_TEXT_LEN == SAFETY_NUMBER_LEN && SEALMQ_VERIFY_TEXT_LEN == SAFETY_TEXT_LEN,
               "sealmq.h: what is compared");
_Static_assert(SEALMQ_PAYLOAD_MAX == PAYLOAD_LEN_MAX && SEALMQ_HANDLE_MAX == HANDLE_LEN_MAX &&
                   SEALMQ_KEY_MAX == STATE_KEY_LEN_MAX && SEALMQ_ENDPOINTS_MAX == STATE_ENDPOINTS_LEN_MAX &&
                   SEALMQ_REFERENCE_TEXT_LEN == REFERENCE_TEXT_LEN &&
                   SEALMQ_MESSAGE_ID_TEXT_LEN == MESSAGE_ID_TEXT_LEN, "sealmq.h: limits");

/* ---- names ---- */

const char *sealmq_status_name(enum sealmq_status status)
{
    return status_name((enum status)status);
}

const char *sealmq_status_meaning(enum sealmq_status status)
{
    return status_meaning((enum status)status);
}

const char *sealmq_message_state_name(enum sealmq_message_state state)
{
    return message_state_name((unsigned)state);
}

const char *sealmq_outcome_name(enum sealmq_outcome outcome)
{
    return outcome_name((unsigned)outcome);
}

const char *sealmq_delivery_state_name(enum sealmq_delivery_state state)
{
    return delivery_state_name((unsigned)state);
}

const char *sealmq_fail_reason_name(enum sealmq_fail_reason reason)
{
    return fail_reason_name((unsigned)reason);
}

const char *sealmq_gap_reason_name(enum sealmq_gap_reason reason)
{
    return gap_reason_name((unsigned)reason);
}

const char *sealmq_operation_name(enum sealmq_operation operation)
{
    return entry_operation_name((unsigned)operation);
}

static const char *const LOSS_NAMES[] = {
    [SEALMQ_LOSS_NONE] = "none",
    [SEALMQ_LOSS_RECOVERY] = "recovery",
    [SEALMQ_LOSS_FORK] = "fork",
    [SEALMQ_LOSS_ROLLBACK] = "rollback",
};

const char *sealmq_loss_name(enum sealmq_loss loss)
{
    return (size_t)loss < sizeof LOSS_NAMES / sizeof LOSS_NAMES[0] ? LOSS_NAMES[loss] : "?";
}

static const char *const VERDICT_NAMES[] = {
    [SEALMQ_VERDICT_NONE] = "none",
    [SEALMQ_VERDICT_MATCH] = "match",
    [SEALMQ_VERDICT_NEWER] = "newer",
    [SEALMQ_VERDICT_OTHER] = "other",
    [SEALMQ_VERDICT_FORK] = "fork",
};

const char *sealmq_verdict_name(enum sealmq_verdict verdict)
{
    return (size_t)verdict < sizeof VERDICT_NAMES / sizeof VERDICT_NAMES[0] ? VERDICT_NAMES[verdict] : "?";
}

static const char *const EVENT_NAMES[] = {
    [SEALMQ_EVENT_NONE] = "none",
    [SEALMQ_EVENT_CONNECTED] = "connected",
    [SEALMQ_EVENT_DISCONNECTED] = "disconnected",
    [SEALMQ_EVENT_REGISTERED] = "registered",
    [SEALMQ_EVENT_HANDLE_REFUSED] = "handle_refused",
    [SEALMQ_EVENT_IDENTITY] = "identity",
    [SEALMQ_EVENT_MESSAGE] = "message",
    [SEALMQ_EVENT_RECEIVED] = "received",
    [SEALMQ_EVENT_GAP] = "gap",
    [SEALMQ_EVENT_SUPERSEDED] = "superseded",
    [SEALMQ_EVENT_STOPPED] = "stopped",
    [SEALMQ_EVENT_FAILED] = "failed",
    [SEALMQ_EVENT_LEFT] = "left",
    [SEALMQ_EVENT_OVERFLOW] = "overflow",
    [SEALMQ_EVENT_LOOKUP] = "lookup",
    [SEALMQ_EVENT_PROMPT] = "prompt",
    [SEALMQ_EVENT_CONTACT] = "contact",
};

const char *sealmq_event_name(enum sealmq_event_kind kind)
{
    bool known = (size_t)kind < sizeof EVENT_NAMES / sizeof EVENT_NAMES[0] && EVENT_NAMES[kind] != NULL;
    return known ? EVENT_NAMES[kind] : "?";
}

/* ---- ids ---- */

void sealmq_account_text(struct sealmq_account id, char out[SEALMQ_ACCOUNT_TEXT_LEN + 1])
{
    hex_encode(id.bytes, sizeof id.bytes, out);
}

void sealmq_device_text(struct sealmq_device id, char out[SEALMQ_DEVICE_TEXT_LEN + 1])
{
    hex_encode(id.bytes, sizeof id.bytes, out);
}

void sealmq_message_id_text(struct sealmq_message_id id, char out[SEALMQ_MESSAGE_ID_TEXT_LEN + 1])
{
    struct message_id inner;
    memcpy(inner.bytes, id.bytes, sizeof inner.bytes);
    message_id_text(inner, out);
}

void sealmq_reference_text(const struct sealmq_reference *reference, char out[SEALMQ_REFERENCE_TEXT_LEN + 1])
{
    struct message_ref inner;
    memcpy(inner.sender.bytes, reference->sender.bytes, sizeof inner.sender.bytes);
    memcpy(inner.target.bytes, reference->target.bytes, sizeof inner.target.bytes);
    memcpy(inner.id.bytes, reference->id.bytes, sizeof inner.id.bytes);
    reference_text(&inner, out);
}

enum sealmq_status sealmq_account_parse(const char *text, struct sealmq_account *out)
{
    memset(out, 0, sizeof *out);
    return (enum sealmq_status)hex_decode(text, out->bytes, sizeof out->bytes);
}

enum sealmq_status sealmq_device_parse(const char *text, struct sealmq_device *out)
{
    memset(out, 0, sizeof *out);
    return (enum sealmq_status)hex_decode(text, out->bytes, sizeof out->bytes);
}

enum sealmq_status sealmq_message_id_parse(const char *text, struct sealmq_message_id *out)
{
    struct message_id inner;
    enum status s = message_id_parse(text, &inner);
    memcpy(out->bytes, inner.bytes, sizeof out->bytes);
    return (enum sealmq_status)s;
}

enum sealmq_status sealmq_reference_parse(const char *text, struct sealmq_reference *out)
{
    struct message_ref inner;
    memset(out, 0, sizeof *out);
    enum status s = reference_parse(text, &inner);
    if (s != STATUS_OK) return (enum sealmq_status)s;
    memcpy(out->sender.bytes, inner.sender.bytes, sizeof out->sender.bytes);
    memcpy(out->target.bytes, inner.target.bytes, sizeof out->target.bytes);
    memcpy(out->id.bytes, inner.id.bytes, sizeof out->id.bytes);
    return SEALMQ_OK;
}

enum sealmq_status sealmq_handle_check(const char *handle, size_t len)
{
    return (enum sealmq_status)handle_check(view_of(handle, len));
}

enum sealmq_status sealmq_server_key_parse(const char *text, struct sealmq_public_key *out)
{
    struct transport_pk key;
    enum status s = transport_server_key_parse(text, &key);
    memcpy(out->bytes, key.bytes, sizeof out->bytes);
    return (enum sealmq_status)s;
}

enum sealmq_status sealmq_server_key_load(const char *path, struct sealmq_public_key *out, char *error, size_t error_cap)
{
    struct transport_pk key;
    enum status s = transport_server_key_load(path, &key, error, error_cap);
    memcpy(out->bytes, key.bytes, sizeof out->bytes);
    return (enum sealmq_status)s;
}
