/* device: the frame around each command's work. No command's own logic.
 * Invariant: whoever gets an exit status other than EXIT_OK from here need not print a line. */
#include "clients/cli/device.h"

#include "broker/host/host.h"

#include <stdio.h>
#include <unistd.h>

int device_open(struct device *d, const struct command *c, bool receive, uint32_t receive_max)
{
    char error[SEALMQ_ERROR_MAX] = "";
    struct sealmq_open_options options = SEALMQ_INIT(struct sealmq_open_options);
    *d = (struct device){.command = c, .waiting = "waiting for the relay", .signal_fd = -1,
                         .me = SEALMQ_INIT(struct sealmq_identity)};
    options.home = command_option(c, "home");
    options.passphrase_file = command_option(c, "passphrase-file");
    options.receive = receive;
    options.receive_max = receive_max;
    enum sealmq_status s = sealmq_open(&options, &d->client, error, sizeof error);
    if (s == SEALMQ_OK) return device_identity(d);
    return command_fail(c, EXIT_FAILED, "%s%s", error, s == SEALMQ_NOT_FOUND ? ": run init first" : "");
}

struct sealmq_contact device_contact(const struct device *d, struct sealmq_account account)
{
    struct sealmq_contact contact = SEALMQ_INIT(struct sealmq_contact);
    if (sealmq_contact_get(d->client, account, &contact) != SEALMQ_OK) contact.verified = false;
    return contact;
}

/* What could not be written is said again next time. */
static void warn(struct device *d, enum sealmq_prompt_id id)
{
    struct sealmq_prompt prompt = SEALMQ_INIT(struct sealmq_prompt);
    struct sealmq_contact contact = {.size = 0};
    if (id == SEALMQ_PROMPT_CONTACT_UNVERIFIED) contact = device_contact(d, d->unverified);
    if (sealmq_prompt_get(id, &prompt) == SEALMQ_OK &&
        fprintf(stderr, "warning: %s%s%s\n", contact.handle, contact.handle[0] ? ": " : "", prompt.text) > 0)
        (void)sealmq_prompt_seen(d->client, id);
}

void device_notice(struct device *d, const struct sealmq_event *event)
{
    char account[SEALMQ_ACCOUNT_TEXT_LEN + 1];
    const struct sealmq_contact contact = device_contact(d, event->account);
    sealmq_account_text(event->account, account);
    progress_end(&d->progress);
    fprintf(stderr, "notice: %s: %s\n", contact.handle[0] ? contact.handle : account, event->text);
}

/* Whoever made the change has gone. */
static void unmade_tell(const struct sealmq_event *event)
{
    char id[SEALMQ_DEVICE_TEXT_LEN + 1];
    if (event->kind == SEALMQ_EVENT_NONE) return;
    sealmq_device_text(event->device, id);
    fprintf(stderr, "warning: a change that was kept (%s %s) was not made: %s\n", sealmq_operation_name(event->operation), id,
            event->obstacle != SEALMQ_OBSTACLE_NONE ? sealmq_obstacle_meaning(event->obstacle)
                                                    : sealmq_status_meaning(event->status));
}

void device_close(struct device *d)
{
    progress_end(&d->progress);
    for (unsigned id = 0; id < 32; id++)
        if (d->warnings & 1u << id) warn(d, (enum sealmq_prompt_id)id);
    unmade_tell(&d->unmade);
    if (d->signal_fd >= 0) close(d->signal_fd);
    sealmq_close(&d->client);
}

int device_connect(struct device *d)
{
    if (sealmq_connect(d->client) != SEALMQ_OK)
        return command_fail(d->command, EXIT_FAILED, "%s", sealmq_error(d->client));
    d->connected = true;
    d->signal_fd = host_signal_fd();
    return EXIT_OK;
}

int device_identity(struct device *d)
{
    enum sealmq_status s = sealmq_identity_get(d->client, &d->me);
    return s == SEALMQ_OK ? EXIT_OK : device_fail(d, s);
}

int device_fail(const struct device *d, enum sealmq_status s)
{
    if (s == SEALMQ_LOCKED)
        return command_fail(d->command, EXIT_FAILED,
                            "another process is writing to this home: try again");
    return command_fail(d->command, EXIT_FAILED, "the home cannot be used (%s): %s: check its disk",
                        sealmq_status_name(s), sealmq_status_meaning(s));
}

const char *device_hint(struct device *d, struct sealmq_connection *out)
{
    *out = (struct sealmq_connection)SEALMQ_INIT(struct sealmq_connection);
    return sealmq_connection_get(d->client, out) == SEALMQ_OK ? out->hint : "";
}

int device_find(struct device *d, const char *name, struct sealmq_message *out)
{
    enum sealmq_status s = sealmq_message_find(d->client, name, out);
    if (s == SEALMQ_OK) return EXIT_OK;
    if (s != SEALMQ_NOT_FOUND) return device_fail(d, s);
    return command_fail(d->command, EXIT_FAILED,
                        "this device has sent no message %s: give the id that send printed", name);
}
