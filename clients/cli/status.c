/* status: what became of a message of ours: from the home, refreshed from the relay where it can be
 * reached in time. Invariant: without a relay it still answers, and says that it did not ask. */
#include "clients/cli/loop.h"
#include "clients/cli/show.h"

#include <stdio.h>

struct status_call {
    struct device device;
    struct sealmq_message message;
    struct sealmq_copy copy; /* what our other devices got of it; state 0: nothing */
};

/* ---- asking the relay ---- */

static void read_again(struct status_call *q)
{
    struct sealmq_message message = SEALMQ_INIT(struct sealmq_message);
    if (sealmq_message_get(q->device.client, q->message.order, &message) == SEALMQ_OK) q->message = message;
    q->copy = (struct sealmq_copy)SEALMQ_INIT(struct sealmq_copy);
    if (sealmq_copy_get(q->device.client, q->message.order, &q->copy) != SEALMQ_OK) q->copy.state = 0;
}

static bool has_copy(const struct status_call *q)
{
    return q->copy.state != 0;
}

static bool is_over(const struct status_call *q)
{
    return q->message.stage == SEALMQ_STAGE_ENDED && (!has_copy(q) || q->copy.stage == SEALMQ_STAGE_ENDED);
}

/* In a new session the library asks for every open message at once: when nothing is under way any
 * more, all has been answered. */
static bool is_refreshed(void *self)
{
    struct status_call *q = self;
    if (!loop_is_fresh(&q->device)) return false;
    read_again(q);
    q->device.fresh = q->message.stage != SEALMQ_STAGE_SENDING;
    return q->device.fresh;
}

static int refresh(struct status_call *q, long long timeout_s)
{
    const struct loop_watch watch = {q, NULL, is_refreshed};
    read_again(q);
    if (is_over(q)) {
        q->device.fresh = true; /* nothing can change any more */
        return EXIT_OK;
    }
    int failed = device_connect(&q->device);
    if (failed) return failed;
    q->device.waiting = "asking the relay";
    enum loop_end end = loop_run(&q->device, &watch, loop_deadline_ms(timeout_s));
    if (end == LOOP_FAILED) return loop_fail(&q->device, end);
    if (end == LOOP_DONE) loop_leave(&q->device, &watch, 500);
    progress_end(&q->device.progress);
    read_again(q);
    return EXIT_OK;
}

static int result_print(struct status_call *q)
{
    struct sealmq_connection connection;
    if (q->device.command->json) {
        json_t *object = show_json(&q->message, &q->device.me, SHOW_ALL);
        if (has_copy(q)) ENSURE(json_object_set_new(object, "copy", show_copy_json(&q->copy, &q->device.me)) == 0);
        ENSURE(json_object_set_new(object, "fresh", json_boolean(q->device.fresh)) == 0);
        return output_json(object) ? EXIT_OK : EXIT_FAILED;
    }
    show_print(&q->message, &q->device.me, SHOW_ALL);
    if (has_copy(q)) show_copy_print(&q->copy, &q->device.me);
    if (!q->device.fresh) fprintf(stderr, "as last known here: %s\n", device_hint(&q->device, &connection));
    return EXIT_OK;
}

int status_run(struct command *c)
{
    struct status_call q = {.message = SEALMQ_INIT(struct sealmq_message)};
    long long timeout_s;
    if (!command_number(c, "timeout", 0, 3600, 2, &timeout_s)) return EXIT_USAGE;
    int failed = device_open(&q.device, c, false, 0);
    if (!failed) failed = device_find(&q.device, c->arguments[0], &q.message);
    if (!failed) failed = refresh(&q, timeout_s);
    if (!failed) failed = result_print(&q);
    device_close(&q.device);
    return failed;
}
