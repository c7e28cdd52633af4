/* log: the identity log of this account, or of a contact, as this home holds it: every entry was verified when it came.
 * Asks nobody. */
#include "clients/cli/device.h"

#include <stdio.h>
#include <string.h>

struct log_call {
    struct device device;
    struct sealmq_log log;
    json_t *entries; /* with --json */
};

static void entry_print(const struct log_call *l, const struct sealmq_log_entry *entry)
{
    char signer[SEALMQ_DEVICE_TEXT_LEN + 1] = "recovery", made[OUTPUT_TIME_LEN + 1];
    const char *operation = sealmq_operation_name(entry->operation);
    if (!entry->by_recovery) sealmq_device_text(entry->signer, signer);
    output_time(entry->made_ms, made);
    if (!l->device.command->json) {
        printf("%6llu  %s  %-12s  by %s\n", (unsigned long long)entry->number, made, operation, signer);
        return;
    }
    json_t *object = json_pack("{s:I, s:s, s:s, s:s}", "number", (json_int_t)entry->number, "made", made, "operation",
                               operation, "by", signer);
    ENSURE(json_array_append_new(l->entries, object) == 0);
}

static enum sealmq_status entries_print(struct log_call *l)
{
    enum sealmq_status s = SEALMQ_OK;
    for (uint64_t number = 0; s == SEALMQ_OK && number < l->log.length; number++) {
        struct sealmq_log_entry entry = SEALMQ_INIT(struct sealmq_log_entry);
        s = sealmq_log_entry_get(l->device.client, l->log.account, number, &entry);
        if (s == SEALMQ_OK) entry_print(l, &entry);
    }
    return s;
}

static void head_print(const struct log_call *l)
{
    char account[SEALMQ_ACCOUNT_TEXT_LEN + 1];
    sealmq_account_text(l->log.account, account);
    if (!l->device.command->json)
        printf("account %s, key version %llu, %zu of %zu devices active\n", account,
               (unsigned long long)l->log.key_version, l->log.device_active, l->log.device_count);
}

static int result_print(const struct log_call *l)
{
    const struct sealmq_log *log = &l->log;
    char account[SEALMQ_ACCOUNT_TEXT_LEN + 1], head[2 * sizeof log->head.bytes + 1];
    sealmq_account_text(log->account, account);
    output_hex(log->head.bytes, sizeof log->head.bytes, head);
    if (!l->device.command->json) {
        printf("  head  %s\n", head);
        return EXIT_OK;
    }
    json_t *object = json_pack("{s:s, s:I, s:I, s:s, s:I, s:O}", "account", account, "length",
                               (json_int_t)log->length, "key_version", (json_int_t)log->key_version, "head", head,
                               "active_devices", (json_int_t)log->device_active, "entries", l->entries);
    return output_json(object) ? EXIT_OK : EXIT_FAILED;
}

static int log_show(struct log_call *l, const char *name)
{
    enum sealmq_status s = sealmq_log_get(l->device.client, name, &l->log);
    if (s == SEALMQ_OK) {
        head_print(l);
        s = entries_print(l);
    }
    if (s == SEALMQ_NOT_FOUND)
        return command_fail(l->device.command, EXIT_FAILED, "nothing is held of %s here: send it something first",
                            name ? name : "this account");
    return s == SEALMQ_OK ? result_print(l) : device_fail(&l->device, s);
}

int log_run(struct command *c)
{
    struct log_call l = {.log = SEALMQ_INIT(struct sealmq_log)};
    const char *name = c->argument_count ? c->arguments[0] : NULL;
    if (name && sealmq_handle_check(name, strlen(name)) != SEALMQ_OK)
        return command_fail(c, EXIT_USAGE, "a name is 1 to %u bytes of UTF-8 without spaces, control characters or '/'",
                            SEALMQ_HANDLE_MAX);
    int failed = device_open(&l.device, c, false, 0);
    if (c->json) l.entries = json_array();
    if (!failed) failed = log_show(&l, name);
    json_decref(l.entries);
    device_close(&l.device);
    return failed;
}
