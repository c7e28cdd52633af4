/* api_event: what has happened, as the application hears it. The engine's events are taken in as soon as they are there,
 * since some are for the library itself (leave this connection, the relay's last word), and wait in a ring for the
 * application. Invariant: what falls out of a full ring is counted, and the application is told. */
#include "clients/api.h"
#include "clients/approve.h"

#include "broker/host/host.h"

#include <stdio.h>
#include <string.h>

bool event_push(struct sealmq_client *c, const struct sealmq_event *event)
{
    if (c->event_count == API_EVENTS_MAX) {
        c->events_dropped++;
        return false;
    }
    struct sealmq_event *place = &c->events[(c->event_first + c->event_count++) % API_EVENTS_MAX];
    *place = *event;
    place->size = sizeof *place;
    return true;
}

/* What a prompt is about: a message, or an account and perhaps a device of it. */
struct about {
    uint64_t order;
    struct account_id account;
    struct device_id device;
};

static bool prompt_put(struct sealmq_client *c, enum sealmq_prompt_id id, const struct about *about)
{
    struct sealmq_prompt prompt = SEALMQ_INIT(struct sealmq_prompt);
    struct sealmq_event event = {.kind = SEALMQ_EVENT_PROMPT, .order = about->order, .prompt = id};
    if (sealmq_prompt_get(id, &prompt) != SEALMQ_OK) return false;
    event.severity = prompt.severity;
    event.text = prompt.text;
    memcpy(event.account.bytes, about->account.bytes, sizeof event.account.bytes);
    memcpy(event.device.bytes, about->device.bytes, sizeof event.device.bytes);
    return event_push(c, &event);
}

bool prompt_push(struct sealmq_client *c, enum sealmq_prompt_id id, uint64_t order)
{
    return prompt_put(c, id, &(struct about){.order = order});
}

void prompt_push_once(struct sealmq_client *c, enum sealmq_prompt_id id, uint64_t order)
{
    if (c->prompts_told & 1u << id) return;
    if (prompt_push(c, id, order)) c->prompts_told |= 1u << id;
}

/* ---- the engine's, as ours ---- */

static enum sealmq_event_kind kind_of(enum engine_event_kind kind)
{
    switch (kind) {
    case ENGINE_CONNECTED: return SEALMQ_EVENT_CONNECTED;
    case ENGINE_DISCONNECTED: return SEALMQ_EVENT_DISCONNECTED;
    case ENGINE_REGISTERED: return SEALMQ_EVENT_REGISTERED;
    case ENGINE_HANDLE_REFUSED: return SEALMQ_EVENT_HANDLE_REFUSED;
    case ENGINE_IDENTITY: return SEALMQ_EVENT_IDENTITY;
    case ENGINE_MESSAGE: return SEALMQ_EVENT_MESSAGE;
    case ENGINE_RECEIVED: return SEALMQ_EVENT_RECEIVED;
    case ENGINE_GAP: return SEALMQ_EVENT_GAP;
    case ENGINE_SUPERSEDED: return SEALMQ_EVENT_SUPERSEDED;
    case ENGINE_STOPPED: return SEALMQ_EVENT_STOPPED;
    case ENGINE_FAILED: return SEALMQ_EVENT_FAILED;
    case ENGINE_LINK: return SEALMQ_EVENT_LINK;
    case ENGINE_LINKED: return SEALMQ_EVENT_LINKED;
    case ENGINE_CONTACTS: return SEALMQ_EVENT_CONTACTS;
    case ENGINE_LEFT: return SEALMQ_EVENT_LEFT;
    case ENGINE_OVERFLOW: return SEALMQ_EVENT_OVERFLOW;
    case ENGINE_CONTACT: return SEALMQ_EVENT_CONTACT;
    case ENGINE_SILENT:
    case ENGINE_WEAK:
    case ENGINE_FORKED:
    case ENGINE_UNVERIFIED:
    case ENGINE_RECOVERED:
    case ENGINE_UNLINKED:
    case ENGINE_COPIED: break; /* prompts */
    case ENGINE_MOVE: break;   /* the library's own affair */
    }
    return SEALMQ_EVENT_NONE;
}

static enum status event_status(const struct engine_event *e)
{
    return e->kind == ENGINE_MESSAGE ? reason_of_message(e->state, e->status) : e->status;
}

static void translate(struct sealmq_client *c, const struct engine_event *e)
{
    struct sealmq_event event = {.kind = kind_of(e->kind), .status = (enum sealmq_status)event_status(e),
                                 .order = e->order, .count = e->count,
                                 .state = (enum sealmq_message_state)e->state,
                                 .gap = (enum sealmq_gap_reason)e->gap, .receiving = e->attached, .attempt = e->attempt,
                                 .operation = (enum sealmq_operation)e->operation,
                                 .obstacle = (enum sealmq_obstacle)e->obstacle};
    if (event.kind == SEALMQ_EVENT_NONE) return;
    memcpy(event.id.bytes, e->id.bytes, sizeof event.id.bytes);
    memcpy(event.account.bytes, e->sender_account.bytes, sizeof event.account.bytes);
    bool changes = e->kind == ENGINE_IDENTITY || e->kind == ENGINE_CONTACT || e->kind == ENGINE_LINK ||
                   e->kind == ENGINE_LINKED;
    memcpy(event.device.bytes, changes ? e->subject.bytes : e->sender_device.bytes, sizeof event.device.bytes);
    memcpy(event.key, e->key.text, sizeof event.key);
    if (e->kind == ENGINE_CONTACT) contact_event_fill(c, e, &event);
    event_push(c, &event);
}

/* Nothing is tried any more: another client, later, may find that the device was resumed. */
static void stop(struct sealmq_client *c, struct now now, enum status s)
{
    c->stopped = true;
    if (c->transport != NULL) transport_stop(c->transport);
    engine_down(c->engine, now);
    if (s == STATUS_REFUSED)
        snprintf(c->error, sizeof c->error,
                 "this device was suspended or revoked by its account: the relay takes nothing from it (refused)");
    else if (s == STATUS_ON_HOLD)
        snprintf(c->error, sizeof c->error,
                 "the operator of the relay has put this account or device on hold (on_hold): what comes for it waits until "
                 "it is released: ask the operator");
    else if (s == STATUS_STATE)
        snprintf(c->error, sizeof c->error, "this home was linked anew meanwhile, and is another device: begin this again");
    else
        snprintf(c->error, sizeof c->error, "the relay refuses this device (%s): %s", status_name(s), status_meaning(s));
}

/* What the library does about it. */
static void obey(struct sealmq_client *c, struct now now, const struct engine_event *e)
{
    if (e->kind == ENGINE_MOVE && c->transport != NULL) {
        transport_move(c->transport);
        engine_down(c->engine, now);
    } else if (e->kind == ENGINE_STOPPED) {
        stop(c, now, e->status);
    } else if (e->kind == ENGINE_FAILED) {
        c->failure = e->status;
        api_state_explain(c->state, e->status, c->error, sizeof c->error);
    } else if (e->kind == ENGINE_HANDLE_REFUSED) {
        handle_refusal_keep(c);
    }
    if (e->kind == ENGINE_MOVE || e->kind == ENGINE_DISCONNECTED) lookups_down(c);
}

static bool identity_read(struct sealmq_client *c, struct state_identity *out)
{
    arena_reset(&c->arena);
    if (state_begin(c->state, STATE_READ) != STATUS_OK) return false;
    bool read = state_identity_get(c->state, &c->arena, out) == STATUS_OK;
    state_rollback(c->state);
    return read;
}

/* Of our own account another one that can read more is a reason to act; of a contact every change is to be known. */
static void changed(struct sealmq_client *c, const struct engine_event *e)
{
    struct state_identity me;
    const struct about about = {.account = e->sender_account, .device = e->subject};
    bool more = e->operation == ENTRY_ADD || e->operation == ENTRY_RESUME;
    bool known = identity_read(c, &me);
    bool own = known && memcmp(&me.account, &e->sender_account, sizeof me.account) == 0;
    if (!own || (more && !device_equal(me.device, e->subject)))
        (void)prompt_put(c, own ? SEALMQ_PROMPT_OWN_DEVICES : SEALMQ_PROMPT_CONTACT_DEVICES, &about);
}

/* ---- put out ---- */

static bool ends(unsigned operation)
{
    return operation == ENTRY_SUSPEND || operation == ENTRY_REVOKE;
}

static void left_note(struct sealmq_client *c, const struct engine_event *e)
{
    struct state_identity me;
    if (e->kind != ENGINE_IDENTITY || e->status != STATUS_OK || !ends(e->operation)) return;
    if (identity_read(c, &me) && device_equal(me.device, e->subject)) c->left = (enum entry_operation)e->operation;
}

static enum sealmq_standing own_standing(struct sealmq_client *c)
{
    struct sealmq_device_row row = SEALMQ_INIT(struct sealmq_device_row);
    for (size_t i = 0; sealmq_device_get(c, NULL, i, &row) == SEALMQ_OK; i++)
        if (row.own) return row.standing;
    return SEALMQ_STANDING_ACTIVE;
}

/* A device that is out has signed nothing since: where the last entry that ends one is its own, that one is about itself. */
static bool log_says_left(struct sealmq_client *c)
{
    struct state_identity me;
    struct sealmq_log log = SEALMQ_INIT(struct sealmq_log);
    struct sealmq_log_entry entry = SEALMQ_INIT(struct sealmq_log_entry);
    if (!identity_read(c, &me) || sealmq_log_get(c, NULL, &log) != SEALMQ_OK || own_standing(c) == SEALMQ_STANDING_ACTIVE) return false;
    for (uint64_t number = log.length; number > 0; number--) {
        if (sealmq_log_entry_get(c, log.account, number - 1, &entry) != SEALMQ_OK) return false;
        if (ends((unsigned)entry.operation)) return memcmp(&entry.signer, &me.device, sizeof entry.signer) == 0;
    }
    return false;
}

static void out_tell(struct sealmq_client *c)
{
    prompt_push(c, c->left || log_says_left(c) ? SEALMQ_PROMPT_DEVICE_LEFT : SEALMQ_PROMPT_DEVICE_OUT, 0);
}

static void prompt(struct sealmq_client *c, const struct engine_event *e)
{
    const struct about sender = {.account = e->sender_account}, device = {0, e->sender_account, e->sender_device};
    static const struct device_id nobody;
    if (e->kind == ENGINE_MESSAGE && (e->state == MESSAGE_HELD || e->state == MESSAGE_UNKNOWN))
        prompt_push(c, prompt_of_message(e->state, e->status, true), e->order);
    else if (e->kind == ENGINE_GAP)
        prompt_push(c, SEALMQ_PROMPT_MESSAGES_LOST, 0);
    else if (e->kind == ENGINE_IDENTITY && e->status == STATUS_BAD_ENTRY && !e->operation)
        prompt_push_once(c, SEALMQ_PROMPT_RELAY_FORKED, 0);
    else if (e->kind == ENGINE_FORKED)
        prompt_push_once(c, SEALMQ_PROMPT_CONTACT_FORKED, 0);
    else if (e->kind == ENGINE_UNVERIFIED)
        (void)prompt_put(c, SEALMQ_PROMPT_CONTACT_UNVERIFIED, &sender);
    else if (e->kind == ENGINE_CONTACT)
        changed(c, e);
    else if (e->kind == ENGINE_SILENT)
        (void)prompt_put(c, SEALMQ_PROMPT_CONTACT_SILENT, &sender);
    else if (e->kind == ENGINE_WEAK)
        (void)prompt_put(c, SEALMQ_PROMPT_WEAK_SESSION, &device);
    else if (e->kind == ENGINE_RECOVERED)
        prompt_push(c, device_equal(e->subject, nobody) ? SEALMQ_PROMPT_RECOVERY_CHANGED : SEALMQ_PROMPT_RECOVERY_USED, 0);
    else if (e->kind == ENGINE_COPIED)
        prompt_push(c, SEALMQ_PROMPT_HOME_COPIED, 0);
    else if (e->kind == ENGINE_LINKED)
        prompt_push(c, SEALMQ_PROMPT_LINKED, 0);
    else if (e->kind == ENGINE_UNLINKED)
        prompt_push(c, SEALMQ_PROMPT_UNLINKED, 0);
    else if (e->kind == ENGINE_LINK && engine_link_view(c->engine).stage == APPROVAL_ASKED)
        prompt_push(c, SEALMQ_PROMPT_LINK_REQUEST, 0);
    else if (e->kind == ENGINE_STOPPED && e->status == STATUS_REFUSED)
        out_tell(c);
    else if (e->kind == ENGINE_STOPPED && e->status == STATUS_ON_HOLD)
        prompt_push(c, SEALMQ_PROMPT_ON_HOLD, 0);
    else if ((e->kind == ENGINE_STOPPED || e->kind == ENGINE_HANDLE_REFUSED) && e->status == STATUS_TOKEN_REFUSED)
        prompt_push_once(c, SEALMQ_PROMPT_TOKEN_WANTED, 0);
}

void events_take(struct sealmq_client *c, struct now now)
{
    struct engine_event event;
    while (engine_next_event(c->engine, &event)) {
        left_note(c, &event);
        obey(c, now, &event);
        translate(c, &event);
        prompt(c, &event);
    }
}

bool sealmq_next_event(struct sealmq_client *c, struct sealmq_event *out)
{
    if (api_out(out) != STATUS_OK) return false;
    events_take(c, host_now());
    if (c->event_count > 0) {
        api_give(out, &c->events[c->event_first], sizeof c->events[0]);
        c->event_first = (c->event_first + 1) % API_EVENTS_MAX;
        c->event_count--;
        return true;
    }
    if (c->events_dropped == 0) return false;
    struct sealmq_event overflow = {.kind = SEALMQ_EVENT_OVERFLOW, .count = c->events_dropped};
    c->events_dropped = 0;
    api_give(out, &overflow, sizeof overflow);
    return true;
}
