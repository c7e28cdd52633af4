/* rotate: another identity key for this device. The key and the entry that says so are kept before anything is sent; a
 * run that does not reach the relay is gone on with by the next command that does. */
#include "clients/cli/loop.h"

#include <stdio.h>

struct rotate {
    struct device device;
    bool ended;
    enum sealmq_status status;
};

static void on_event(void *self, const struct sealmq_event *event)
{
    struct rotate *r = self;
    if (event->kind != SEALMQ_EVENT_IDENTITY || (event->operation && event->operation != SEALMQ_OPERATION_REPLACE)) return;
    r->ended = true;
    r->status = event->status;
}

static bool is_done(void *self)
{
    return ((struct rotate *)self)->ended;
}

static int begin(struct rotate *r)
{
    enum sealmq_status s = sealmq_rotate(r->device.client);
    if (s == SEALMQ_OK || s == SEALMQ_STATE) return EXIT_OK; /* STATE: an earlier run's goes on */
    if (s == SEALMQ_LOCKED || s == SEALMQ_IO || s == SEALMQ_DAMAGED) return device_fail(&r->device, s);
    return command_fail(r->device.command, EXIT_FAILED, "%s", sealmq_error(r->device.client));
}

static int kept(struct rotate *r)
{
    struct sealmq_connection connection;
    progress_end(&r->device.progress);
    return command_fail(r->device.command, EXIT_QUEUED,
                        "the new key is kept and not in use yet (%s); any later command goes on with it",
                        device_hint(&r->device, &connection));
}

static int publish(struct rotate *r, long long timeout_s)
{
    const struct loop_watch watch = {r, on_event, is_done};
    int failed = device_connect(&r->device);
    if (failed) return failed;
    enum loop_end end = loop_run(&r->device, &watch, loop_deadline_ms(timeout_s));
    if (end == LOOP_TIMEOUT) return kept(r);
    if (end != LOOP_DONE) return loop_fail(&r->device, end);
    loop_leave(&r->device, &watch, 1000);
    progress_end(&r->device.progress);
    if (r->status == SEALMQ_OK) return EXIT_OK;
    r->device.unmade.kind = SEALMQ_EVENT_NONE; /* it is this one */
    return command_fail(r->device.command, EXIT_FAILED, "the relay does not take the new key (%s: %s)",
                        sealmq_status_name(r->status), sealmq_status_meaning(r->status));
}

static int result_print(const struct rotate *r)
{
    const struct sealmq_identity *me = &r->device.me;
    char device[SEALMQ_DEVICE_TEXT_LEN + 1], key[2 * sizeof me->identity.bytes + 1];
    sealmq_device_text(me->device, device);
    output_hex(me->identity.bytes, sizeof me->identity.bytes, key);
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
    struct rotate r = {.status = SEALMQ_OK};
    long long timeout_s;
    if (!command_number(c, "timeout", 0, 3600, 10, &timeout_s)) return EXIT_USAGE;
    int failed = device_open(&r.device, c, false, 0);
    if (!failed) failed = begin(&r);
    r.device.waiting = "waiting for the relay to take the new key";
    if (!failed) failed = publish(&r, timeout_s);
    if (!failed) failed = device_identity(&r.device);
    if (!failed) failed = result_print(&r);
    device_close(&r.device);
    return failed;
}
