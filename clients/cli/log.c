/* log: the identity log of this account, or of a contact, as this home holds it: every entry was verified when it came.
 * Asks nobody. */
#include "broker/wire/identity_log.h"
#include "clients/cli/device.h"

#include <stdio.h>
#include <string.h>

#define HEAD_TEXT_LEN 64u

struct log_call {
    struct device device;
    struct contact contact;
    json_t *entries; /* with --json */
};

static enum status contact_read(struct log_call *l, struct state *state, const char *name)
{
    struct account_id account = client_identity(l->device.client)->account;
    enum status s = STATUS_OK;
    if (name) s = state_handle_get(state, view_of(name, strlen(name)), &account);
    return s == STATUS_OK ? state_contact_get(state, account, &l->contact) : s;
}

/* Who signed: a device's id, "recovery", or for the first entry the device that it brings. */
static void signer_text(const struct log_call *l, const struct msg_entry_body *body, char out[33])
{
    static const struct device_id none;
    if (body->operation == ENTRY_CREATE)
        hex_encode(l->contact.log.devices[0].id.bytes, sizeof none.bytes, out);
    else if (device_equal(body->signer, none))
        memcpy(out, "recovery", sizeof "recovery");
    else
        hex_encode(body->signer.bytes, sizeof none.bytes, out);
}

static void entry_print(const struct log_call *l, const struct msg_entry_body *body)
{
    char signer[33], made[OUTPUT_TIME_LEN + 1];
    signer_text(l, body, signer);
    output_time(body->made_ms, made);
    if (!l->device.command->json) {
        printf("%6llu  %s  %-12s  by %s\n", (unsigned long long)body->number, made,
               entry_operation_name(body->operation), signer);
        return;
    }
    json_t *object = json_pack("{s:I, s:s, s:s, s:s}", "number", (json_int_t)body->number, "made", made, "operation",
                               entry_operation_name(body->operation), "by", signer);
    ENSURE(json_array_append_new(l->entries, object) == 0);
}

static enum status entries_print(struct log_call *l, struct state *state)
{
    struct entry_scan scan = {.account = l->contact.log.account, .max = ENTRIES_PER_FRAME};
    enum status s = STATUS_OK;
    do {
        scan.first += scan.count;
        s = state_entry_scan(state, &l->device.arena, &scan);
        for (size_t i = 0; i < scan.count && s == STATUS_OK; i++) {
            struct msg_entry entry;
            struct msg_entry_body body;
            s = entry_open(scan.entries[i], &l->device.arena, &entry, &body);
            if (s == STATUS_OK) entry_print(l, &body);
        }
    } while (s == STATUS_OK && scan.count);
    return s;
}

static void head_print(const struct log_call *l)
{
    const struct identity_log *log = &l->contact.log;
    char account[HEAD_TEXT_LEN + 1];
    hex_encode(log->account.bytes, sizeof log->account.bytes, account);
    if (!l->device.command->json)
        printf("account %s, key version %llu, %zu of %zu devices active\n", account,
               (unsigned long long)log->key_version, identity_log_active(log), log->device_count);
}

static int result_print(const struct log_call *l)
{
    const struct identity_log *log = &l->contact.log;
    char account[HEAD_TEXT_LEN + 1], head[HEAD_TEXT_LEN + 1];
    hex_encode(log->account.bytes, sizeof log->account.bytes, account);
    hex_encode(log->head.bytes, sizeof log->head.bytes, head);
    if (!l->device.command->json) {
        printf("  head  %s\n", head);
        return EXIT_OK;
    }
    json_t *object = json_pack("{s:s, s:I, s:I, s:s, s:I, s:O}", "account", account, "length",
                               (json_int_t)log->length, "key_version", (json_int_t)log->key_version, "head", head,
                               "active_devices", (json_int_t)identity_log_active(log), "entries", l->entries);
    return output_json(object) ? EXIT_OK : EXIT_FAILED;
}

static int log_show(struct log_call *l, const char *name)
{
    struct state *state = client_state(l->device.client);
    enum status s = state_begin(state, STATE_READ);
    if (s != STATUS_OK) return device_state_fail(&l->device, s);
    s = contact_read(l, state, name);
    if (s == STATUS_OK) {
        head_print(l);
        s = entries_print(l, state);
    }
    state_rollback(state);
    if (s == STATUS_NOT_FOUND)
        return command_fail(l->device.command, EXIT_FAILED, "nothing is held of %s here: send it something first",
                            name ? name : "this account");
    return s == STATUS_OK ? result_print(l) : device_state_fail(&l->device, s);
}

int log_run(struct command *c)
{
    struct log_call l = {.entries = NULL};
    struct client_options options = {.attach = false};
    const char *name = c->argument_count ? c->arguments[0] : NULL;
    if (name && handle_check(view_of(name, strlen(name))) != STATUS_OK)
        return command_fail(c, EXIT_USAGE, "a name is 1 to %u bytes of UTF-8 without spaces, control characters or '/'",
                            HANDLE_LEN_MAX);
    int failed = device_open(&l.device, c, &options);
    if (c->json) l.entries = json_array();
    if (!failed) failed = log_show(&l, name);
    json_decref(l.entries);
    device_close(&l.device);
    return failed;
}
