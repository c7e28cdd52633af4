/* device: the frame around each command's work. No command's own logic.
 * Invariant: whoever gets an exit status other than EXIT_OK from here need not print a line. */
#include "clients/cli/device.h"

int device_open(struct device *d, const struct command *c, const struct client_options *options)
{
    char error[CLIENT_ERROR_MAX];
    *d = (struct device){.command = c, .waiting = "waiting for the relay"};
    if (client_open(command_option(c, "home"), options, &d->client, error, sizeof error) ==
        STATUS_OK)
        return EXIT_OK;
    return command_fail(c, EXIT_FAILED, "%s", error);
}

void device_close(struct device *d)
{
    progress_end(&d->progress);
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
