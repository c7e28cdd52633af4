/* rotate: another identity key for this device. The key and the entry that says so are kept before anything is sent; a
 * run that does not reach the relay is gone on with by the next command that does. */
#include "clients/cli/device.h"

#include <stdio.h>

struct rotate {
    struct device device;
    bool ended;
    enum status status;
};

static void on_event(void *self, const struct engine_event *event)
{
    struct rotate *r = self;
    if (event->kind != ENGINE_IDENTITY) return;
    r->ended = true;
    r->status = event->status;
}

static bool is_done(void *self)
{
    return ((struct rotate *)self)->ended;
}

static int begin(struct rotate *r)
{
    enum status s = engine_rotate(client_engine(r->device.client), client_now());
    if (s == STATUS_OK || s == STATUS_STATE) return EXIT_OK; /* STATE: an earlier run's goes on */
    return device_state_fail(&r->device, s);
}

static int kept(struct rotate *r)
{
    char trouble[CLIENT_ERROR_MAX];
    progress_end(&r->device.progress);
    client_trouble(r->device.client, trouble, sizeof trouble);
    return command_fail(r->device.command, EXIT_QUEUED,
                        "the new key is kept and not in use yet (%s); any later command goes on with it", trouble);
}

static int publish(struct rotate *r, long long timeout_s)
{
    const struct client_watch watch = {r, on_event, is_done, device_tick};
    int failed = device_connect(&r->device);
    if (failed) return failed;
    enum client_end end = client_run(r->device.client, &watch, device_deadline(timeout_s));
    if (end == CLIENT_TIMEOUT) return kept(r);
    if (end != CLIENT_DONE) return device_end(&r->device, end);
    client_leave(r->device.client, &watch, 1000);
    progress_end(&r->device.progress);
    if (r->status == STATUS_OK) return EXIT_OK;
    return command_fail(r->device.command, EXIT_FAILED, "the relay does not take the new key (%s: %s)",
                        status_name(r->status), status_meaning(r->status));
}

static int result_print(const struct rotate *r)
{
    const struct state_identity *me = client_identity(r->device.client);
    char device[2 * sizeof me->device.bytes + 1], key[2 * sizeof me->record.identity.bytes + 1];
    hex_encode(me->device.bytes, sizeof me->device.bytes, device);
    hex_encode(me->record.identity.bytes, sizeof me->record.identity.bytes, key);
    if (r->device.command->json) {
        json_t *object = json_pack("{s:s, s:s, s:s}", "device", device, "state", "rotated", "identity", key);
        return output_json(object) ? EXIT_OK : EXIT_FAILED;
    }
    printf("this device has another identity key\n  device    %s\n  identity  %s\n", device, key);
    printf("Contacts notice with their next message; nobody has to do anything.\n");
    return EXIT_OK;
}

int rotate_run(struct command *c)
{
    struct rotate r = {.status = STATUS_OK};
    struct client_options options = {.attach = false};
    long long timeout_s;
    if (!command_number(c, "timeout", 0, 3600, 10, &timeout_s)) return EXIT_USAGE;
    int failed = device_open(&r.device, c, &options);
    if (!failed) failed = begin(&r);
    r.device.waiting = "waiting for the relay to take the new key";
    if (!failed) failed = publish(&r, timeout_s);
    if (!failed && client_identity_load(r.device.client) != STATUS_OK)
        failed = command_fail(c, EXIT_FAILED, "%s", client_error(r.device.client));
    if (!failed) failed = result_print(&r);
    device_close(&r.device);
    return failed;
}
