/* outbox: lists the messages of ours that are not settled: waiting to be sent, accepted and
 * waiting for their recipient, or waiting for the user. With --flush it first tries to have them
 * accepted. */
#include "clients/cli/loop.h"
#include "clients/cli/show.h"

#include <inttypes.h>
#include <stdio.h>

struct outbox {
    struct device device;
    uint64_t listed;
    uint64_t refused; /* while flushing */
    enum sealmq_status reason; /* why the first that waits was not accepted; OK = not answered yet */
};

/* ---- flushing ---- */

static enum sealmq_status work_left(struct outbox *o, bool *left)
{
    struct sealmq_message message = SEALMQ_INIT(struct sealmq_message);
    o->reason = SEALMQ_OK;
    enum sealmq_status s = sealmq_outbox_next(o->device.client, SEALMQ_STAGE_SENDING, 0, &message);
    *left = s != SEALMQ_NOT_FOUND;
    if (s == SEALMQ_OK) o->reason = message.reason;
    return s == SEALMQ_NOT_FOUND ? SEALMQ_OK : s;
}

/* A message that will not arrive is told here: it is in no list afterwards. */
static void on_event(void *self, const struct sealmq_event *event)
{
    struct outbox *o = self;
    struct sealmq_message message = SEALMQ_INIT(struct sealmq_message);
    if (event->kind != SEALMQ_EVENT_MESSAGE || event->state != SEALMQ_MESSAGE_REFUSED) return;
    if (sealmq_message_get(o->device.client, event->order, &message) != SEALMQ_OK) return;
    o->refused++;
    progress_end(&o->device.progress);
    if (o->device.command->json)
        (void)output_json(show_json(&message, &o->device.me, SHOW_SHORT));
    else
        show_print(&message, &o->device.me, SHOW_SHORT);
}

#define COPIES_MS 1000u

static bool are_copied(void *self)
{
    struct outbox *o = self;
    bool wait;
    return sealmq_copies_wait(o->device.client, &wait) != SEALMQ_OK || !wait;
}

static bool is_flushed(void *self)
{
    bool left;
    return work_left(self, &left) == SEALMQ_OK && !left;
}

/* EXIT_OK, EXIT_QUEUED when something still waits, or EXIT_FAILED after one line. */
static int flush(struct outbox *o, long long timeout_s)
{
    const struct loop_watch watch = {o, on_event, is_flushed};
    bool left;
    enum sealmq_status s = work_left(o, &left);
    if (s != SEALMQ_OK) return device_fail(&o->device, s);
    if (!left && are_copied(o)) return EXIT_OK;
    /* Whoever flushes does not want to wait until a message's next try is due. */
    s = sealmq_hasten(o->device.client);
    if (s != SEALMQ_OK) return device_fail(&o->device, s);
    int failed = device_connect(&o->device);
    if (failed) return failed;
    o->device.waiting = "waiting for the relay to accept the messages";
    enum loop_end end = loop_run(&o->device, &watch, loop_deadline_ms(timeout_s));
    if (end == LOOP_STOPPED || end == LOOP_FAILED) return loop_fail(&o->device, end);
    const struct loop_watch copies = {o, on_event, are_copied};
    if (end == LOOP_DONE) (void)loop_run(&o->device, &copies, loop_now_ms() + COPIES_MS); /* they go or wait by themselves */
    if (end == LOOP_DONE) loop_leave(&o->device, &watch, 1000);
    progress_end(&o->device.progress);
    return end == LOOP_DONE ? EXIT_OK : EXIT_QUEUED;
}

/* ---- listing ---- */

static bool row_print(struct outbox *o, const struct sealmq_message *message)
{
    bool waits_for_user = message->state == SEALMQ_MESSAGE_HELD || message->state == SEALMQ_MESSAGE_UNKNOWN;
    if (message->stage == SEALMQ_STAGE_ENDED && !waits_for_user) return true;
    o->listed++;
    if (o->device.command->json) return output_json(show_json(message, &o->device.me, SHOW_SHORT));
    show_print(message, &o->device.me, SHOW_SHORT);
    return true;
}

static int list(struct outbox *o)
{
    struct sealmq_message message = SEALMQ_INIT(struct sealmq_message);
    enum sealmq_status s;
    uint64_t after = 0;
    while ((s = sealmq_outbox_next(o->device.client, SEALMQ_STAGE_ANY, after, &message)) == SEALMQ_OK) {
        if (!row_print(o, &message)) return EXIT_FAILED;
        after = message.order;
    }
    return s == SEALMQ_NOT_FOUND ? EXIT_OK : device_fail(&o->device, s);
}

static int flush_tell(struct outbox *o, int flushed)
{
    struct sealmq_connection connection;
    if (flushed == EXIT_OK && o->refused == 0) return EXIT_OK;
    if (flushed == EXIT_OK)
        return command_fail(o->device.command, EXIT_FAILED,
                            "%" PRIu64 " message(s) will not arrive: see the reasons above",
                            o->refused);
    return command_fail(o->device.command, EXIT_QUEUED,
                        "some messages still wait (%s); try again later",
                        o->reason != SEALMQ_OK ? sealmq_status_meaning(o->reason)
                                               : device_hint(&o->device, &connection));
}

int outbox_run(struct command *c)
{
    struct outbox o = {.listed = 0};
    long long timeout_s;
    int flushed = EXIT_OK;
    if (!command_number(c, "timeout", 0, 3600, 10, &timeout_s)) return EXIT_USAGE;
    int failed = device_open(&o.device, c, false, 0);
    if (!failed && command_option(c, "flush") != NULL) flushed = flush(&o, timeout_s);
    if (!failed && (flushed == EXIT_OK || flushed == EXIT_QUEUED)) failed = list(&o);
    if (!failed && flushed == EXIT_OK && !c->json && o.listed == 0)
        fprintf(stderr, "nothing waits\n");
    if (!failed && (flushed == EXIT_OK || flushed == EXIT_QUEUED))
        flushed = flush_tell(&o, flushed);
    device_close(&o.device);
    return failed ? failed : flushed;
}
