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

static bool has_id(const struct outbox_row *row)
{
    return !is_zero(row->id.bytes, sizeof row->id.bytes);
}

static bool has_target(const struct outbox_row *row)
{
    return !is_zero(row->target.bytes, sizeof row->target.bytes);
}

void show_name(const struct outbox_row *row, char out[SHOW_NAME_MAX])
{
    if (has_id(row))
        message_id_text(row->id, out);
    else
        snprintf(out, SHOW_NAME_MAX, "%s", row->key.text);
}

static void reference_of(const struct outbox_row *row, const struct state_identity *me,
                         char out[REFERENCE_TEXT_LEN + 1])
{
    struct message_ref ref = {
        .sender = me->device, .target = target_of_account(row->target), .id = row->id};
    reference_text(&ref, out);
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
    hex_encode(at, len, text);
    set(object, name, json_string(text));
}

static void set_time(json_t *object, const char *name, uint64_t ms)
{
    char text[OUTPUT_TIME_LEN + 1];
    if (ms == 0) return;
    output_time(ms, text);
    set(object, name, json_string(text));
}

static const char *level_name(uint32_t level)
{
    return level == LEVEL_SYNCED ? "synced" : level == LEVEL_MEMORY ? "memory" : "?";
}

static json_t *receipt_json(const struct msg_receipt *r)
{
    json_t *object = json_object();
    set_hex(object, "store", r->store.bytes, sizeof r->store.bytes);
    set_hex(object, "term", r->term.bytes, sizeof r->term.bytes);
    set(object, "commit", json_integer((json_int_t)r->commit));
    set(object, "key_id", json_integer(r->key_id));
    set_time(object, "accepted", r->accepted_ms);
    set_hex(object, "mac", r->mac.bytes, sizeof r->mac.bytes);
    return object;
}

static json_t *parts_json(const struct outbox_row *row)
{
    json_t *array = json_array();
    for (size_t i = 0; i < row->part_count; i++) {
        const struct msg_part_state *part = &row->parts[i];
        json_t *object = json_object();
        set_hex(object, "device", part->device.bytes, sizeof part->device.bytes);
        if (part->outcome == OUTCOME_OPEN)
            set(object, "state", json_string(delivery_state_name(part->state)));
        set(object, "outcome", json_string(outcome_name(part->outcome)));
        if (part->reason != FAIL_NONE)
            set(object, "reason", json_string(fail_reason_name(part->reason)));
        set_time(object, "at", part->at_ms);
        ENSURE(json_array_append_new(array, object) == 0);
    }
    return array;
}

static void reference_json(json_t *object, const struct outbox_row *row,
                           const struct state_identity *me)
{
    char text[REFERENCE_TEXT_LEN + 1];
    if (!has_id(row) || !has_target(row)) return;
    reference_of(row, me, text);
    set(object, "reference", json_string(text));
    set_hex(object, "account", row->target.bytes, sizeof row->target.bytes);
}

json_t *show_json(const struct outbox_row *row, const struct state_identity *me, enum show how)
{
    char name[SHOW_NAME_MAX];
    json_t *object = json_object();
    show_name(row, name);
    set(object, "id", json_string(name));
    if (strcmp(name, row->key.text) != 0) set(object, "key", json_string(row->key.text));
    set(object, "state", json_string(message_state_name(row->state)));
    set(object, "to", json_stringn((const char *)row->handle, row->handle_len));
    if (row->reason != STATUS_OK) set(object, "reason", json_string(status_name(row->reason)));
    if (row->level != 0) set(object, "level", json_string(level_name(row->level)));
    set_time(object, "created", row->created_ms);
    set(object, "sealed", json_false());
    if (how == SHOW_SHORT) return object;
    reference_json(object, row, me);
    set_time(object, "expires", row->expires_ms);
    if (row->level != 0) set(object, "receipt", receipt_json(&row->receipt));
    set(object, "parts", parts_json(row));
    return object;
}

/* ---- words ---- */

static void parts_print(const struct outbox_row *row)
{
    for (size_t i = 0; i < row->part_count; i++) {
        const struct msg_part_state *part = &row->parts[i];
        char device[2 * sizeof part->device.bytes + 1], at[OUTPUT_TIME_LEN + 1] = "";
        bool open = part->outcome == OUTCOME_OPEN;
        hex_encode(part->device.bytes, sizeof part->device.bytes, device);
        if (part->at_ms != 0) output_time(part->at_ms, at);
        printf("  device %s  %s%s%s %s\n", device,
               open ? delivery_state_name(part->state) : outcome_name(part->outcome),
               part->reason != FAIL_NONE ? ": " : "",
               part->reason != FAIL_NONE ? fail_reason_name(part->reason) : "", at);
    }
}

static void receipt_print(const struct outbox_row *row)
{
    char store[2 * 8 + 1], term[2 * 16 + 1], at[OUTPUT_TIME_LEN + 1];
    if (row->level == 0) return;
    hex_encode(row->receipt.store.bytes, sizeof row->receipt.store.bytes, store);
    hex_encode(row->receipt.term.bytes, sizeof row->receipt.term.bytes, term);
    output_time(row->receipt.accepted_ms, at);
    printf("  receipt    %s at %s: store %s term %s commit %" PRIu64 "\n", level_name(row->level),
           at, store, term, row->receipt.commit);
}

void show_print(const struct outbox_row *row, const struct state_identity *me, enum show how)
{
    char name[SHOW_NAME_MAX], text[REFERENCE_TEXT_LEN + 1];
    show_name(row, name);
    printf("%s  %-9s  to %.*s", name, message_state_name(row->state), (int)row->handle_len,
           (const char *)row->handle);
    if (row->reason != STATUS_OK)
        printf("  (%s: %s)", status_name(row->reason), status_meaning(row->reason));
    printf("\n");
    if (how == SHOW_SHORT) return;
    if (strcmp(name, row->key.text) != 0) printf("  your id    %s\n", row->key.text);
    parts_print(row);
    receipt_print(row);
    if (!has_id(row) || !has_target(row)) return;
    reference_of(row, me, text);
    printf("  reference  %s\n", text);
}
