/* outbox: lists the messages of ours that are not settled: waiting to be sent, accepted and
 * waiting for their recipient, or waiting for the user. With --flush it first tries to have them
 * accepted. */
#include "clients/cli/device.h"
#include "clients/cli/show.h"

#include <inttypes.h>
#include <stdio.h>

#define PAGE_ROWS 32

struct outbox {
    struct device device;
    uint64_t listed;
    uint64_t refused; /* while flushing */
    enum status reason; /* why the first that waits was not accepted; OK = not answered yet */
};

/* ---- flushing ---- */

static enum status work_left(struct outbox *o, bool *left)
{
    struct state *state = client_state(o->device.client);
    struct outbox_row row;
    struct outbox_scan scan = {.class = CLASS_WORK, .rows = &row, .row_max = 1};
    *left = true;
    o->reason = STATUS_OK;
    enum status s = state_begin(state, STATE_READ);
    if (s != STATUS_OK) return s;
    s = state_outbox_scan(state, &scan);
    state_rollback(state);
    if (s == STATUS_OK) *left = scan.row_count > 0;
    if (s == STATUS_OK && *left) o->reason = row.reason;
    return s;
}

/* Whoever flushes does not want to wait until a message's next try is due (up to half an hour when
 * its recipient had no room). What is under way just now, by another process, is left alone. */
static enum status work_hasten_in(struct state *state)
{
    struct outbox_row rows[PAGE_ROWS];
    struct outbox_scan scan = {.class = CLASS_WORK, .rows = rows, .row_max = PAGE_ROWS};
    do {
        enum status s = state_outbox_scan(state, &scan);
        for (size_t i = 0; i < scan.row_count && s == STATUS_OK; i++) {
            scan.after = rows[i].order;
            if (rows[i].submitted) continue;
            rows[i].due_ms = client_now().wall_ms;
            s = state_outbox_put(state, &rows[i]);
        }
        if (s != STATUS_OK) return s;
    } while (scan.row_count == PAGE_ROWS);
    return STATUS_OK;
}

static enum status work_hasten(struct outbox *o)
{
    struct state *state = client_state(o->device.client);
    enum status s = state_begin(state, STATE_WRITE);
    if (s != STATUS_OK) return s;
    s = work_hasten_in(state);
    if (s == STATUS_OK) return state_commit(state);
    state_rollback(state);
    return s;
}

/* A message that will not arrive is told here: it is in no list afterwards. */
static void on_event(void *self, const struct engine_event *event)
{
    struct outbox *o = self;
    struct outbox_row row;
    const struct state_identity *me = client_identity(o->device.client);
    if (event->kind != ENGINE_MESSAGE || event->state != MESSAGE_REFUSED) return;
    if (device_row(&o->device, event->order, &row) != STATUS_OK) return;
    o->refused++;
    progress_end(&o->device.progress);
    if (o->device.command->json)
        (void)output_json(show_json(&row, me, SHOW_SHORT));
    else
        show_print(&row, me, SHOW_SHORT);
}

static bool is_flushed(void *self)
{
    bool left;
    return work_left(self, &left) == STATUS_OK && !left;
}

/* EXIT_OK, EXIT_QUEUED when something still waits, or EXIT_FAILED after one line. */
static int flush(struct outbox *o, long long timeout_s)
{
    const struct client_watch watch = {o, on_event, is_flushed, device_tick};
    bool left;
    enum status s = work_left(o, &left);
    if (s != STATUS_OK) return device_state_fail(&o->device, s);
    if (!left) return EXIT_OK;
    s = work_hasten(o);
    if (s != STATUS_OK) return device_state_fail(&o->device, s);
    int failed = device_connect(&o->device);
    if (failed) return failed;
    o->device.waiting = "waiting for the relay to accept the messages";
    enum client_end end = client_run(o->device.client, &watch, device_deadline(timeout_s));
    if (end == CLIENT_STOPPED || end == CLIENT_FAILED) return device_end(&o->device, end);
    if (end == CLIENT_DONE) client_leave(o->device.client, &watch, 1000);
    progress_end(&o->device.progress);
    return end == CLIENT_DONE ? EXIT_OK : EXIT_QUEUED;
}

/* ---- listing ---- */

static bool row_print(struct outbox *o, const struct outbox_row *row)
{
    const struct state_identity *me = client_identity(o->device.client);
    bool waits_for_user = row->state == MESSAGE_HELD || row->state == MESSAGE_UNKNOWN;
    if (message_class_of(row->state) == CLASS_ENDED && !waits_for_user) return true;
    o->listed++;
    if (o->device.command->json) return output_json(show_json(row, me, SHOW_SHORT));
    show_print(row, me, SHOW_SHORT);
    return true;
}

static int list(struct outbox *o)
{
    struct state *state = client_state(o->device.client);
    struct outbox_row rows[PAGE_ROWS];
    struct outbox_scan scan = {.rows = rows, .row_max = PAGE_ROWS};
    do {
        enum status s = state_begin(state, STATE_READ);
        if (s != STATUS_OK) return device_state_fail(&o->device, s);
        s = state_outbox_scan(state, &scan);
        state_rollback(state);
        if (s != STATUS_OK) return device_state_fail(&o->device, s);
        for (size_t i = 0; i < scan.row_count; i++) {
            if (!row_print(o, &rows[i])) return EXIT_FAILED;
            scan.after = rows[i].order;
        }
    } while (scan.row_count == PAGE_ROWS);
    return EXIT_OK;
}

static int flush_tell(const struct outbox *o, int flushed)
{
    char trouble[CLIENT_ERROR_MAX];
    if (flushed == EXIT_OK && o->refused == 0) return EXIT_OK;
    if (flushed == EXIT_OK)
        return command_fail(o->device.command, EXIT_FAILED,
                            "%" PRIu64 " message(s) will not arrive: see the reasons above",
                            o->refused);
    client_trouble(o->device.client, trouble, sizeof trouble);
    return command_fail(o->device.command, EXIT_QUEUED,
                        "some messages still wait (%s); try again later",
                        o->reason != STATUS_OK ? status_meaning(o->reason) : trouble);
}

int outbox_run(struct command *c)
{
    struct outbox o = {0};
    struct client_options options = {.attach = false};
    long long timeout_s;
    int flushed = EXIT_OK;
    if (!command_number(c, "timeout", 0, 3600, 10, &timeout_s)) return EXIT_USAGE;
    int failed = device_open(&o.device, c, &options);
    if (!failed && command_option(c, "flush") != NULL) flushed = flush(&o, timeout_s);
    if (!failed && (flushed == EXIT_OK || flushed == EXIT_QUEUED)) failed = list(&o);
    if (!failed && flushed == EXIT_OK && !c->json && o.listed == 0)
        fprintf(stderr, "nothing waits\n");
    if (!failed && (flushed == EXIT_OK || flushed == EXIT_QUEUED))
        flushed = flush_tell(&o, flushed);
    device_close(&o.device);
    return failed ? failed : flushed;
}
