/* devices: the devices of this account: listing them, and suspending, resuming, revoking and naming one. The relay is asked
 * first, where it can be reached, so that one knows of what others have done; a change that does not reach it is kept
 * and gone on with by the next command that does. Invariant: nothing is revoked that was named ambiguously, and nothing
 * without a yes. */
#include "clients/cli/approve.h"
#include "clients/cli/loop.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct devices_call {
    struct device device;
    struct sealmq_device_row rows[SEALMQ_DEVICES_MAX];
    size_t count;
    const struct action *action;
    struct sealmq_device_row subject; /* of a change */
    bool ended;                       /* the change, so: */
    enum sealmq_status status;
    enum sealmq_obstacle obstacle;
};

static const struct action {
    const char *word, *done;
    enum sealmq_operation operation; /* 0 = none */
    int arguments;                   /* DEVICE, NAME */
    const char *mail;                /* what becomes of messages for it */
} ACTIONS[] = {
    {"list", NULL, (enum sealmq_operation)0, 0, NULL},
    {"suspend", "suspended", SEALMQ_OPERATION_SUSPEND, 1,
     "Messages that wait for it at the relay come when it is resumed, unless they expire first; what is sent meanwhile\n"
     "does not go to it, then neither."},
    {"resume", "active", SEALMQ_OPERATION_RESUME, 1,
     "Messages that waited for it at the relay come now; what was sent while it was suspended does not."},
    {"revoke", "revoked", SEALMQ_OPERATION_REVOKE, 1,
     "Messages that wait for it at the relay are given to nobody: they are deleted there, and their senders see that.\n"
     "What it has received already is on it and stays readable there."},
    {"rename", "renamed", SEALMQ_OPERATION_DESCRIBE, 2, NULL},
};

/* ---- what there is ---- */

static int rows_read(struct devices_call *q)
{
    enum sealmq_status s = SEALMQ_OK;
    for (q->count = 0; q->count < SEALMQ_DEVICES_MAX; q->count++) {
        struct sealmq_device_row row = SEALMQ_INIT(struct sealmq_device_row);
        s = sealmq_device_get(q->device.client, NULL, q->count, &row);
        if (s != SEALMQ_OK) break;
        q->rows[q->count] = row;
    }
    return s == SEALMQ_OK || s == SEALMQ_NOT_FOUND ? EXIT_OK : device_fail(&q->device, s);
}

static bool is_named(const struct sealmq_device_row *row, const char *name)
{
    char id[SEALMQ_DEVICE_TEXT_LEN + 1];
    sealmq_device_text(row->device, id);
    return strcmp(row->name, name) == 0 || strncmp(id, name, strlen(name)) == 0;
}

/* A whole id is nobody else's, whatever others call themselves. */
static int subject_find(struct devices_call *q, const char *name)
{
    const struct command *c = q->device.command;
    struct sealmq_device whole;
    bool is_id = sealmq_device_parse(name, &whole) == SEALMQ_OK;
    size_t found = 0;
    for (size_t i = 0; i < q->count && name[0] != '\0'; i++) {
        const struct sealmq_device_row *row = &q->rows[i];
        if (is_id ? memcmp(&row->device, &whole, sizeof whole) != 0 : !is_named(row, name)) continue;
        q->subject = *row;
        found++;
    }
    if (found == 1) return EXIT_OK;
    if (!found)
        return command_fail(c, EXIT_FAILED, "no device of this account is called %.64s: devices lists them",
                            name[0] ? name : "nothing");
    return command_fail(c, EXIT_FAILED, "%zu devices are called or begin with %.64s: give more of the id that devices prints",
                        found, name);
}

/* ---- asking the relay ---- */

static void on_event(void *self, const struct sealmq_event *event)
{
    struct devices_call *q = self;
    if (event->kind != SEALMQ_EVENT_IDENTITY || !q->action->operation) return;
    bool ours = event->operation == q->action->operation &&
                memcmp(&event->device, &q->subject.device, sizeof event->device) == 0;
    if (!ours && event->operation) return; /* without one: the relay shows another log, and ours goes nowhere */
    q->ended = true;
    q->status = event->status;
    q->obstacle = event->obstacle;
}

static bool is_fresh(void *self)
{
    return loop_is_fresh(&((struct devices_call *)self)->device);
}

static bool has_ended(void *self)
{
    return ((struct devices_call *)self)->ended;
}

/* A device that was put out itself still lists what it knows. */
static int refresh(struct devices_call *q, uint64_t deadline_ms)
{
    const struct loop_watch watch = {q, on_event, is_fresh};
    int failed = device_connect(&q->device);
    if (failed) return failed;
    q->device.waiting = "asking the relay";
    enum loop_end end = loop_run(&q->device, &watch, deadline_ms);
    progress_end(&q->device.progress);
    if (end == LOOP_FAILED || end == LOOP_SIGNAL || (end == LOOP_STOPPED && q->action->operation))
        return loop_fail(&q->device, end);
    return rows_read(q);
}

/* ---- list ---- */

static json_t *row_json(const struct sealmq_device_row *row)
{
    char id[SEALMQ_DEVICE_TEXT_LEN + 1], added[OUTPUT_TIME_LEN + 1];
    sealmq_device_text(row->device, id);
    output_time(row->added_ms, added);
    return json_pack("{s:s, s:s, s:s, s:b, s:I, s:s}", "device", id, "name", row->name, "standing",
                     sealmq_standing_name(row->standing), "own", row->own, "key_version",
                     (json_int_t)row->key_version, "added", added);
}

static void row_print(const struct sealmq_device_row *row)
{
    char id[SEALMQ_DEVICE_TEXT_LEN + 1], added[OUTPUT_TIME_LEN + 1];
    sealmq_device_text(row->device, id);
    output_time(row->added_ms, added);
    printf("%s  %-9s  added %s%s  ", id, sealmq_standing_name(row->standing), added, row->own ? "  (this one)" : "");
    output_print(view_of(row->name, strlen(row->name)));
    printf("\n");
}

static int list_print(struct devices_call *q)
{
    struct sealmq_connection connection;
    if (q->device.command->json) {
        json_t *list = json_array();
        for (size_t i = 0; i < q->count; i++)
            ENSURE(json_array_append_new(list, row_json(&q->rows[i])) == 0);
        return output_json(json_pack("{s:o, s:b}", "devices", list, "fresh", q->device.fresh)) ? EXIT_OK : EXIT_FAILED;
    }
    for (size_t i = 0; i < q->count; i++)
        row_print(&q->rows[i]);
    if (!q->device.fresh) fprintf(stderr, "as last known here: %s\n", device_hint(&q->device, &connection));
    return EXIT_OK;
}

/* ---- a change ---- */

static const char *subject_name(const struct devices_call *q, char id[SEALMQ_DEVICE_TEXT_LEN + 1])
{
    sealmq_device_text(q->subject.device, id);
    return q->subject.name[0] != '\0' ? q->subject.name : id;
}

/* Revoked is for ever: a person says yes, or the call says it. */
static int revoke_confirm(const struct devices_call *q)
{
    const struct command *c = q->device.command;
    char id[SEALMQ_DEVICE_TEXT_LEN + 1], answer[16] = "";
    if (q->action->operation != SEALMQ_OPERATION_REVOKE || command_option(c, "yes")) return EXIT_OK;
    if (!isatty(STDIN_FILENO) || c->json)
        return command_fail(c, EXIT_USAGE, "a revoked device never comes back: add --yes");
    fprintf(stderr, "Revoke %s%s? It never comes back. Type yes: ", subject_name(q, id),
            q->subject.own ? ", this device" : "");
    fflush(stderr);
    if (fgets(answer, sizeof answer, stdin) && strcmp(answer, "yes\n") == 0) return EXIT_OK;
    return command_fail(c, EXIT_FAILED, "nothing was changed");
}

static int change_begin(struct devices_call *q)
{
    const struct command *c = q->device.command;
    struct sealmq_change_options options = SEALMQ_INIT(struct sealmq_change_options);
    options.operation = q->action->operation;
    options.device = q->subject.device;
    options.name = q->action->arguments > 1 ? c->arguments[2] : NULL;
    options.even_last = command_option(c, "last") != NULL;
    enum sealmq_status s = sealmq_change(q->device.client, &options, &q->obstacle);
    if (s == SEALMQ_OK) return EXIT_OK;
    if (q->obstacle == SEALMQ_OBSTACLE_NONE && s != SEALMQ_MALFORMED) return device_fail(&q->device, s);
    return command_fail(c, s == SEALMQ_MALFORMED ? EXIT_USAGE : EXIT_FAILED, "%s%s", sealmq_error(q->device.client),
                        q->obstacle == SEALMQ_OBSTACLE_LAST ? ": add --last" : "");
}

static int change_publish(struct devices_call *q, uint64_t deadline_ms)
{
    struct sealmq_connection connection;
    const struct command *c = q->device.command;
    const struct loop_watch watch = {q, on_event, has_ended};
    q->device.waiting = "waiting for the relay to take the change";
    enum loop_end end = loop_run(&q->device, &watch, deadline_ms);
    progress_end(&q->device.progress);
    if (end == LOOP_TIMEOUT)
        return command_fail(c, EXIT_QUEUED, "the change is kept and not made yet (%s); any later command goes on with it",
                            device_hint(&q->device, &connection));
    if (end != LOOP_DONE) return loop_fail(&q->device, end);
    if (q->status == SEALMQ_OK) return EXIT_OK;
    q->device.unmade.kind = SEALMQ_EVENT_NONE; /* it is this one */
    return command_fail(c, EXIT_FAILED, "not done (%s: %s)", sealmq_status_name(q->status),
                        q->obstacle != SEALMQ_OBSTACLE_NONE ? sealmq_obstacle_meaning(q->obstacle)
                                                            : sealmq_status_meaning(q->status));
}

static int change_print(struct devices_call *q)
{
    const struct command *c = q->device.command;
    char id[SEALMQ_DEVICE_TEXT_LEN + 1];
    const char *name = q->action->arguments > 1 ? c->arguments[2] : q->subject.name;
    sealmq_device_text(q->subject.device, id);
    if (c->json) {
        json_t *object = json_pack("{s:s, s:s, s:s}", "device", id, "name", name, "state", q->action->done);
        return output_json(object) ? EXIT_OK : EXIT_FAILED;
    }
    printf("%s  %s  ", id, q->action->done);
    output_print(view_of(name, strlen(name)));
    printf("\n");
    if (q->action->mail) printf("%s\n", q->action->mail);
    return EXIT_OK;
}

static int change(struct devices_call *q, uint64_t deadline_ms)
{
    const struct loop_watch watch = {q, on_event, has_ended};
    int failed = subject_find(q, q->device.command->arguments[1]);
    if (!failed) failed = revoke_confirm(q);
    if (!failed) failed = change_begin(q);
    if (!failed) failed = change_publish(q, deadline_ms);
    if (failed) return failed;
    loop_leave(&q->device, &watch, 1000);
    return change_print(q);
}

static const struct action *action_of(const struct command *c)
{
    const char *word = c->argument_count ? c->arguments[0] : "list";
    for (size_t i = 0; i < sizeof ACTIONS / sizeof ACTIONS[0]; i++)
        if (strcmp(ACTIONS[i].word, word) == 0) return &ACTIONS[i];
    return NULL;
}

/* What needs no home to be seen. */
static int call_check(const struct command *c, const struct action *action)
{
    int given = c->argument_count ? c->argument_count - 1 : 0;
    if (!action) return command_fail(c, EXIT_USAGE, "unknown action %.64s: see --help", c->arguments[0]);
    if (given != action->arguments)
        return command_fail(c, EXIT_USAGE, "call it as devices %s%s%s", action->word, action->arguments ? " DEVICE" : "",
                            action->arguments > 1 ? " NAME" : "");
    const char *name = action->arguments > 1 ? c->arguments[2] : "";
    if (name[0] != '\0' && sealmq_device_name_check(name, strlen(name)) != SEALMQ_OK)
        return command_fail(c, EXIT_USAGE, "a device's name is 1 to %u bytes of UTF-8 words without control characters "
                            "or '/', with one space between two", SEALMQ_DEVICE_NAME_MAX);
    return EXIT_OK;
}

int devices_run(struct command *c)
{
    if (approve_is(c)) return approve_run(c);
    struct devices_call q = {.action = action_of(c)};
    long long timeout_s;
    int failed = call_check(c, q.action);
    if (failed || !command_number(c, "timeout", 0, 3600, q.action->operation ? 10 : 2, &timeout_s))
        return failed ? failed : EXIT_USAGE;
    uint64_t deadline_ms = loop_deadline_ms(timeout_s);
    failed = device_open(&q.device, c, false, 0);
    if (!failed) failed = refresh(&q, deadline_ms);
    if (!failed) failed = q.action->operation ? change(&q, deadline_ms) : list_print(&q);
    device_close(&q.device);
    return failed;
}
