/* device: the frame around each command's work. No command's own logic.
 * Invariant: whoever gets an exit status other than EXIT_OK from here need not print a line. */
#include "clients/cli/device.h"

#include <stdio.h>
#include <string.h>

int device_open(struct device *d, const struct command *c, const struct client_options *options)
{
    char error[CLIENT_ERROR_MAX];
    struct client_options own = *options;
    own.passphrase_file = command_option(c, "passphrase-file");
    *d = (struct device){.command = c, .waiting = "waiting for the relay"};
    if (client_open(command_option(c, "home"), &own, &d->client, error, sizeof error) ==
        STATUS_OK)
        return EXIT_OK;
    return command_fail(c, EXIT_FAILED, "%s", error);
}

void device_close(struct device *d)
{
    progress_end(&d->progress);
    if (d->client != NULL && client_forked(d->client))
        fprintf(stderr, "warning: the relay shows another history of this account's keys than this home holds: do not "
                        "trust it, and ask its operator\n");
    client_close(&d->client);
    arena_fini(&d->arena);
}

int device_connect(struct device *d)
{
    if (client_connect(d->client) == STATUS_OK) return EXIT_OK;
    return command_fail(d->command, EXIT_FAILED, "%s", client_error(d->client));
}

void device_tick(void *self, uint64_t mono_ms)
{
    struct device *d = self;
    char trouble[CLIENT_ERROR_MAX];
    if (d->command->json) return;
    if (engine_is_bound(client_engine(d->client))) {
        progress_tell(&d->progress, mono_ms, d->waiting);
        return;
    }
    client_trouble(d->client, trouble, sizeof trouble);
    progress_tell(&d->progress, mono_ms, trouble);
}

int device_end(struct device *d, enum client_end end)
{
    progress_end(&d->progress);
    if (end == CLIENT_SIGNAL) return command_fail(d->command, EXIT_FAILED, "stopped by a signal");
    return command_fail(d->command, EXIT_FAILED, "%s", client_error(d->client));
}

int device_state_fail(const struct device *d, enum status s)
{
    if (s == STATUS_LOCKED)
        return command_fail(d->command, EXIT_FAILED,
                            "another process is writing to this home: try again");
    return command_fail(d->command, EXIT_FAILED, "the home cannot be used (%s): %s: check its disk",
                        status_name(s), status_meaning(s));
}

uint64_t device_deadline(long long seconds)
{
    return client_now().mono_ms + (uint64_t)seconds * 1000;
}

enum status device_row(struct device *d, uint64_t order, struct outbox_row *out)
{
    struct state *state = client_state(d->client);
    enum status s = state_begin(state, STATE_READ);
    if (s != STATUS_OK) return s;
    s = state_outbox_get(state, order, out);
    state_rollback(state);
    return s;
}

/* ---- a message by its name ---- */

static enum status row_find_in(struct state *state, const char *name, struct outbox_row *out)
{
    struct message_key key = {{0}};
    struct message_ref reference;
    struct message_id id;
    enum status s = STATUS_NOT_FOUND;
    if (message_id_parse(name, &id) == STATUS_OK) s = state_outbox_find_id(state, id, out);
    if (s == STATUS_NOT_FOUND && reference_parse(name, &reference) == STATUS_OK)
        s = state_outbox_find_id(state, reference.id, out);
    size_t len = strlen(name);
    if (s != STATUS_NOT_FOUND || len == 0 || len > STATE_KEY_LEN_MAX) return s;
    memcpy(key.text, name, len);
    return state_outbox_find_key(state, &key, out);
}

int device_find(struct device *d, const char *name, struct outbox_row *out)
{
    struct state *state = client_state(d->client);
    enum status s = state_begin(state, STATE_READ);
    if (s == STATUS_OK) {
        s = row_find_in(state, name, out);
        state_rollback(state);
    }
    if (s == STATUS_OK) return EXIT_OK;
    if (s != STATUS_NOT_FOUND) return device_state_fail(d, s);
    return command_fail(d->command, EXIT_FAILED,
                        "this device has sent no message %s: give the id that send printed", name);
}
