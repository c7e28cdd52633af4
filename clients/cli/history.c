/* history: the messages that this home holds, the oldest first: received and sent ones, and what came with a backup. Asks nobody, and
 * takes nothing: what recv has not shown yet stays for it. */
#include "clients/cli/payload.h"
#include "clients/cli/received.h"

#include <stdio.h>
#include <string.h>

struct history_call {
    struct device device;
    struct sealmq_account account;
    bool with; /* only those with this account */
};

/* A name that this home knows, or an account's id. */
static int account_find(struct history_call *h, const char *name)
{
    enum sealmq_status s = sealmq_contact_account(h->device.client, name, &h->account);
    if (s != SEALMQ_OK && s != SEALMQ_NOT_FOUND) return device_fail(&h->device, s);
    h->with = true;
    if (s == SEALMQ_OK || sealmq_account_parse(name, &h->account) == SEALMQ_OK) return EXIT_OK;
    return command_fail(h->device.command, EXIT_FAILED, "nothing is held of %.64s here: give its name, or its account's id", name);
}

static bool one_print(struct history_call *h, const struct sealmq_received *received)
{
    char from[SENDER_NAME_MAX], at[OUTPUT_TIME_LEN + 1];
    struct payload payload;
    if (payload_read(view_of(received->payload, received->payload_len), &payload) != STATUS_OK) payload.handle = view_of(NULL, 0);
    if (received->own && h->device.me.handle_ours)
        snprintf(from, sizeof from, "%s", h->device.me.handle);
    else
        sender_known(&h->device, received, payload.handle, from);
    if (h->device.command->json) return output_json(received_json(received, from, payload.text));
    output_time(received->accepted_ms, at);
    printf("%s  ", at);
    if (received->kind == SEALMQ_OPAQUE) printf("(not sealed) ");
    received_print(received, from, payload.text);
    return true;
}

static int history_show(struct history_call *h, size_t last)
{
    size_t count;
    enum sealmq_status s = sealmq_history_list(h->device.client, h->with ? &h->account : NULL, &count);
    for (size_t i = count > last ? count - last : 0; i < count && (s == SEALMQ_OK || s == SEALMQ_NOT_FOUND); i++) {
        struct sealmq_received received = SEALMQ_INIT(struct sealmq_received);
        s = sealmq_history_get(h->device.client, i, &received);
        if (s == SEALMQ_OK && !one_print(h, &received))
            return command_fail(h->device.command, EXIT_FAILED, "standard output cannot be written");
    }
    if (s != SEALMQ_OK && s != SEALMQ_NOT_FOUND) return device_fail(&h->device, s);
    if (!count && !h->device.command->json) fprintf(stderr, "no messages are held here: a home holds them for 30 days\n");
    return fflush(stdout) == 0 ? EXIT_OK : command_fail(h->device.command, EXIT_FAILED, "standard output cannot be written");
}

int history_run(struct command *c)
{
    struct history_call h = {.with = false};
    const char *name = c->argument_count ? c->arguments[0] : NULL;
    long long last;
    if (!command_number(c, "last", 1, 1000000000, 100, &last)) return EXIT_USAGE;
    if (name && strlen(name) > SEALMQ_ACCOUNT_TEXT_LEN)
        return command_fail(c, EXIT_USAGE, "a name, or an account's id, is shorter than that");
    int failed = device_open(&h.device, c, false, 0);
    if (!failed && name) failed = account_find(&h, name);
    if (!failed) failed = history_show(&h, (size_t)last);
    device_close(&h.device);
    return failed;
}
