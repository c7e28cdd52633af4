/* show: a row of the outbox in words. Reads nothing, decides nothing.
 * Invariant: what is not known yet (id, target, receipt) is left out, never shown as zeros. */
#include "clients/cli/show.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool is_zero(const uint8_t *at, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (at[i] != 0) return false;
    return true;
}

static bool has_id(const struct sealmq_message *m)
{
    return !is_zero(m->id.bytes, sizeof m->id.bytes);
}

static bool has_account(const struct sealmq_message *m)
{
    return !is_zero(m->account.bytes, sizeof m->account.bytes);
}

void show_name(const struct sealmq_message *m, char out[SHOW_NAME_MAX])
{
    if (has_id(m))
        sealmq_message_id_text(m->id, out);
    else
        snprintf(out, SHOW_NAME_MAX, "%s", m->key);
}

static void reference_of(const struct sealmq_message *m, const struct sealmq_identity *me,
                         char out[SEALMQ_REFERENCE_TEXT_LEN + 1])
{
    struct sealmq_reference reference = {.sender = me->device, .target = m->account, .id = m->id};
    sealmq_reference_text(&reference, out);
}

/* ---- JSON ---- */

static void set(json_t *object, const char *name, json_t *value)
{
    ENSURE(json_object_set_new(object, name, value) == 0);
}

static void set_hex(json_t *object, const char *name, const uint8_t *at, size_t len)
{
    char text[2 * 32 + 1];
    ENSURE(len <= 32);
    output_hex(at, len, text);
    set(object, name, json_string(text));
}

static void set_time(json_t *object, const char *name, uint64_t ms)
{
    char text[OUTPUT_TIME_LEN + 1];
    if (ms == 0) return;
    output_time(ms, text);
    set(object, name, json_string(text));
}

static const char *level_name(const struct sealmq_message *m)
{
    return m->receipt.synced ? "synced" : "memory";
}

static json_t *receipt_json(const struct sealmq_receipt *r)
{
    json_t *object = json_object();
    set_hex(object, "store", r->store, sizeof r->store);
    set_hex(object, "term", r->term, sizeof r->term);
    set(object, "commit", json_integer((json_int_t)r->commit));
    set(object, "key_id", json_integer(r->key_id));
    set_time(object, "accepted", r->accepted_ms);
    set_hex(object, "mac", r->mac, sizeof r->mac);
    return object;
}

static json_t *parts_json(const struct sealmq_part *parts, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        const struct sealmq_part *part = &parts[i];
        json_t *object = json_object();
        set_hex(object, "device", part->device.bytes, sizeof part->device.bytes);
        if (part->outcome == SEALMQ_OUTCOME_OPEN)
            set(object, "state", json_string(sealmq_delivery_state_name(part->state)));
        set(object, "outcome", json_string(sealmq_outcome_name(part->outcome)));
        if (part->reason != SEALMQ_FAIL_NONE)
            set(object, "reason", json_string(sealmq_fail_reason_name(part->reason)));
        set_time(object, "at", part->at_ms);
        ENSURE(json_array_append_new(array, object) == 0);
    }
    return array;
}

static void reference_json(json_t *object, const struct sealmq_message *m, const struct sealmq_identity *me)
{
    char text[SEALMQ_REFERENCE_TEXT_LEN + 1];
    if (!has_id(m) || !has_account(m)) return;
    reference_of(m, me, text);
    set(object, "reference", json_string(text));
    set_hex(object, "account", m->account.bytes, sizeof m->account.bytes);
}

json_t *show_json(const struct sealmq_message *m, const struct sealmq_identity *me, enum show how)
{
    char name[SHOW_NAME_MAX];
    json_t *object = json_object();
    show_name(m, name);
    set(object, "id", json_string(name));
    if (strcmp(name, m->key) != 0) set(object, "key", json_string(m->key));
    set(object, "state", json_string(sealmq_message_state_name(m->state)));
    set(object, "to", json_string(m->handle));
    if (m->reason != SEALMQ_OK) set(object, "reason", json_string(sealmq_status_name(m->reason)));
    if (m->accepted) set(object, "level", json_string(level_name(m)));
    set_time(object, "created", m->created_ms);
    set(object, "sealed", json_boolean(m->kind == SEALMQ_SEALED));
    if (how == SHOW_SHORT) return object;
    reference_json(object, m, me);
    set_time(object, "expires", m->expires_ms);
    if (m->accepted) set(object, "receipt", receipt_json(&m->receipt));
    set(object, "parts", parts_json(m->parts, m->part_count));
    return object;
}

static void copy_reference(const struct sealmq_copy *copy, const struct sealmq_identity *me,
                           char out[SEALMQ_REFERENCE_TEXT_LEN + 1])
{
    struct sealmq_reference reference = {.sender = me->device, .target = me->account, .id = copy->id};
    sealmq_reference_text(&reference, out);
}

json_t *show_copy_json(const struct sealmq_copy *copy, const struct sealmq_identity *me)
{
    char reference[SEALMQ_REFERENCE_TEXT_LEN + 1];
    json_t *object = json_object();
    copy_reference(copy, me, reference);
    set(object, "state", json_string(sealmq_message_state_name(copy->state)));
    if (copy->reason != SEALMQ_OK) set(object, "reason", json_string(sealmq_status_name(copy->reason)));
    set(object, "reference", json_string(reference));
    set(object, "parts", parts_json(copy->parts, copy->part_count));
    return object;
}

/* ---- words ---- */

/* What will become of it. */
static const char *failure_text(enum sealmq_fail_reason reason)
{
    switch (reason) {
    case SEALMQ_FAIL_NONE: break;
    case SEALMQ_FAIL_HELD: return "it waits there until that device's app has its update, or is unlocked";
    case SEALMQ_FAIL_BROKEN: return "that device could not open it; it is sealed for it anew, three times at most";
    case SEALMQ_FAIL_DAMAGED: return "the relay's copy is damaged; it is sent again";
    }
    return "";
}

static void parts_print(const char *whose, const struct sealmq_part *parts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct sealmq_part *part = &parts[i];
        char device[SEALMQ_DEVICE_TEXT_LEN + 1], at[OUTPUT_TIME_LEN + 1] = "";
        bool open = part->outcome == SEALMQ_OUTCOME_OPEN, failed = part->reason != SEALMQ_FAIL_NONE;
        sealmq_device_text(part->device, device);
        if (part->at_ms != 0) output_time(part->at_ms, at);
        printf("  %s %s  %s%s%s %s\n", whose, device,
               open ? sealmq_delivery_state_name(part->state) : sealmq_outcome_name(part->outcome),
               failed ? ": " : "", failed ? sealmq_fail_reason_name(part->reason) : "", at);
        if (failed) printf("    %s\n", failure_text(part->reason));
    }
}

static void receipt_print(const struct sealmq_message *m)
{
    const struct sealmq_receipt *r = &m->receipt;
    char store[2 * sizeof r->store + 1], term[2 * sizeof r->term + 1], at[OUTPUT_TIME_LEN + 1];
    if (!m->accepted) return;
    output_hex(r->store, sizeof r->store, store);
    output_hex(r->term, sizeof r->term, term);
    output_time(r->accepted_ms, at);
    printf("  receipt    %s at %s: store %s term %s commit %" PRIu64 "\n", level_name(m), at, store, term, r->commit);
}

const char *show_reason(const struct sealmq_message *m, const struct sealmq_identity *me)
{
    bool own = memcmp(&m->account, &me->account, sizeof m->account) == 0;
    return own && m->reason == SEALMQ_NO_DEVICES ? "this account has no other device that takes messages" : sealmq_status_meaning(m->reason);
}

void show_print(const struct sealmq_message *m, const struct sealmq_identity *me, enum show how)
{
    char name[SHOW_NAME_MAX], text[SEALMQ_REFERENCE_TEXT_LEN + 1];
    show_name(m, name);
    printf("%s  %-9s  to %s", name, sealmq_message_state_name(m->state), m->handle);
    if (m->reason != SEALMQ_OK)
        printf("  (%s: %s)", sealmq_status_name(m->reason), show_reason(m, me));
    printf("\n");
    if (how == SHOW_SHORT) return;
    if (strcmp(name, m->key) != 0) printf("  your id    %s\n", m->key);
    parts_print("device", m->parts, m->part_count);
    receipt_print(m);
    if (!has_id(m) || !has_account(m)) return;
    reference_of(m, me, text);
    printf("  reference  %s\n", text);
}

void show_copy_print(const struct sealmq_copy *copy, const struct sealmq_identity *me)
{
    char reference[SEALMQ_REFERENCE_TEXT_LEN + 1];
    copy_reference(copy, me, reference);
    parts_print("your device", copy->parts, copy->part_count);
    if (copy->stage == SEALMQ_STAGE_SENDING || copy->state == SEALMQ_MESSAGE_REFUSED)
        printf("  your other devices: %s%s%s\n", sealmq_message_state_name(copy->state),
               copy->reason != SEALMQ_OK ? ": " : "", copy->reason != SEALMQ_OK ? sealmq_status_name(copy->reason) : "");
    printf("  its reference  %s\n", reference);
}
