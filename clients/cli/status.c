/* status: what became of a message of ours: from the home, refreshed from the relay where it can be
 * reached in time. Invariant: without a relay it still answers, and says that it did not ask. */
#include "clients/cli/device.h"
#include "clients/cli/show.h"

#include <stdio.h>
#include <string.h>

struct status_call {
    struct device device;
    struct outbox_row row;
    bool connected;
    bool fresh; /* the relay was asked, and has answered */
};

/* ---- asking the relay ---- */

static void on_event(void *self, const struct engine_event *event)
{
    struct status_call *q = self;
    if (event->kind == ENGINE_CONNECTED) q->connected = true;
}

/* In a new session the engine asks for every open message at once: when nothing is pending any
 * more, all has been answered. */
static bool is_refreshed(void *self)
{
    struct status_call *q = self;
    struct outbox_row row;
    struct engine *engine = client_engine(q->device.client);
    if (!q->connected || !engine_is_bound(engine) || !engine_is_idle(engine)) return false;
    if (device_row(&q->device, q->row.order, &row) == STATUS_OK) q->row = row;
    q->fresh = message_class_of(q->row.state) != CLASS_WORK;
    return q->fresh;
}

static int refresh(struct status_call *q, long long timeout_s)
{
    const struct client_watch watch = {q, on_event, is_refreshed, device_tick};
    struct outbox_row row;
    if (message_class_of(q->row.state) == CLASS_ENDED) {
        q->fresh = true; /* nothing can change any more */
        return EXIT_OK;
    }
    int failed = device_connect(&q->device);
    if (failed) return failed;
    q->device.waiting = "asking the relay";
    enum client_end end = client_run(q->device.client, &watch, device_deadline(timeout_s));
    if (end == CLIENT_FAILED) return device_end(&q->device, end);
    if (end == CLIENT_DONE) client_leave(q->device.client, &watch, 500);
    progress_end(&q->device.progress);
    if (device_row(&q->device, q->row.order, &row) == STATUS_OK) q->row = row;
    return EXIT_OK;
}

static int result_print(const struct status_call *q)
{
    const struct state_identity *me = client_identity(q->device.client);
    if (q->device.command->json) {
        json_t *object = show_json(&q->row, me, SHOW_ALL);
        ENSURE(json_object_set_new(object, "fresh", json_boolean(q->fresh)) == 0);
        return output_json(object) ? EXIT_OK : EXIT_FAILED;
    }
    show_print(&q->row, me, SHOW_ALL);
    if (!q->fresh) {
        char trouble[CLIENT_ERROR_MAX];
        client_trouble(q->device.client, trouble, sizeof trouble);
        fprintf(stderr, "as last known here: %s\n", trouble);
    }
    return EXIT_OK;
}

int status_run(struct command *c)
{
    struct status_call q = {0};
    struct client_options options = {.attach = false};
    long long timeout_s;
    if (!command_number(c, "timeout", 0, 3600, 2, &timeout_s)) return EXIT_USAGE;
    int failed = device_open(&q.device, c, &options);
    if (!failed) failed = device_find(&q.device, c->arguments[0], &q.row);
    if (!failed) failed = refresh(&q, timeout_s);
    if (!failed) failed = result_print(&q);
    device_close(&q.device);
    return failed;
}
