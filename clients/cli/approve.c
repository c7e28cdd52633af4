/* approve: a device of the account lets another one join, or does not (PROTOCOL 6.5). The person is shown who asks, and what
 * it means, before anything leaves. Invariant: nobody joins without a yes to the device that was shown. */
#include "clients/cli/approve.h"

#include "clients/cli/loop.h"
#include "clients/sealmq_link.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct approve_call {
    struct device device;
    struct sealmq_link_view view;
    bool approves;
};

bool approve_is(const struct command *c)
{
    return c->argument_count && (strcmp(c->arguments[0], "approve") == 0 || strcmp(c->arguments[0], "reject") == 0);
}

static bool view_read(struct approve_call *q)
{
    q->view = (struct sealmq_link_view)SEALMQ_INIT(struct sealmq_link_view);
    return sealmq_approve_get(q->device.client, &q->view) == SEALMQ_OK;
}

static bool is_stopped(const struct approve_call *q)
{
    return q->approves && q->view.stage <= SEALMQ_LINK_REQUEST && q->view.obstacle != SEALMQ_OBSTACLE_NONE;
}

/* What another device has changed in the account's log is here. */
static bool is_current(const struct approve_call *q)
{
    struct sealmq_connection connection = SEALMQ_INIT(struct sealmq_connection);
    return sealmq_connection_get(q->device.client, &connection) == SEALMQ_OK && connection.idle;
}

static bool has_asked(void *self)
{
    struct approve_call *q = self;
    return view_read(q) && q->view.stage != SEALMQ_LINK_STARTING && (!is_stopped(q) || is_current(q));
}

static bool has_ended(void *self)
{
    struct approve_call *q = self;
    return view_read(q) && q->view.stage > SEALMQ_LINK_ANSWERED;
}

/* What the loop ended with, if not with what was waited for. */
static int wait_for(struct approve_call *q, bool (*done)(void *self), const char *what, uint64_t deadline_ms)
{
    struct sealmq_connection connection;
    const struct loop_watch watch = {q, NULL, done};
    q->device.waiting = what;
    enum loop_end end = loop_run(&q->device, &watch, deadline_ms);
    progress_end(&q->device.progress);
    if (end == LOOP_DONE) return EXIT_OK;
    if (end != LOOP_TIMEOUT) return loop_fail(&q->device, end);
    if (q->view.stage == SEALMQ_LINK_ANSWERED)
        return command_fail(q->device.command, EXIT_QUEUED,
                            "the new device has not joined in time; if it has consented, any later command goes on with it");
    return command_fail(q->device.command, EXIT_QUEUED, "nothing was done (%s)", device_hint(&q->device, &connection));
}

static int failed_tell(const struct approve_call *q)
{
    const struct sealmq_link_view *v = &q->view;
    if (v->stage == SEALMQ_LINK_REJECTED)
        return command_fail(q->device.command, EXIT_FAILED, "the other device has given up: nothing was added");
    if (v->obstacle != SEALMQ_OBSTACLE_NONE) return command_fail(q->device.command, EXIT_FAILED, "not done: %s", v->hint);
    return command_fail(q->device.command, EXIT_FAILED, "not done (%s): %s", sealmq_status_name(v->status), v->hint);
}

/* ---- the person's word ---- */

static void name_write(const struct approve_call *q, char *out, size_t cap)
{
    char id[SEALMQ_DEVICE_TEXT_LEN + 1];
    sealmq_device_text(q->view.device, id);
    snprintf(out, cap, "%s%s%s", q->view.name, q->view.name[0] ? ", " : "", id);
}

static int approve_confirm(const struct approve_call *q)
{
    const struct command *c = q->device.command;
    char name[SEALMQ_DEVICE_NAME_MAX + SEALMQ_DEVICE_TEXT_LEN + 3], answer[16] = "";
    struct sealmq_prompt prompt = SEALMQ_INIT(struct sealmq_prompt);
    if (!q->approves || command_option(c, "yes")) return EXIT_OK;
    name_write(q, name, sizeof name);
    if (!isatty(STDIN_FILENO) || c->json)
        return command_fail(c, EXIT_USAGE, "%s asks to join this account: to approve it add --yes", name);
    if (sealmq_prompt_get(SEALMQ_PROMPT_LINK_REQUEST, &prompt) == SEALMQ_OK) fprintf(stderr, "%s\n", prompt.text);
    fprintf(stderr, "Approve %s? Type yes: ", name);
    fflush(stderr);
    if (fgets(answer, sizeof answer, stdin) && strcmp(answer, "yes\n") == 0) return EXIT_OK;
    return command_fail(c, EXIT_FAILED, "nothing was answered: devices reject tells the new device");
}

static int result_print(const struct approve_call *q)
{
    const struct command *c = q->device.command;
    char id[SEALMQ_DEVICE_TEXT_LEN + 1];
    const char *state = q->approves ? "active" : "rejected";
    sealmq_device_text(q->view.device, id);
    if (c->json) {
        json_t *object = json_pack("{s:s, s:s, s:s}", "device", id, "name", q->view.name, "state", state);
        return output_json(object) ? EXIT_OK : EXIT_FAILED;
    }
    printf("%s  %s  ", id, state);
    output_print(view_of(q->view.name, strlen(q->view.name)));
    printf("\n%s\n", q->approves ? "It reads what is sent to this account from now on. Your contacts see that it was added."
                                 : "It was told so, and has not joined.");
    return EXIT_OK;
}

static int approve(struct approve_call *q, uint64_t deadline_ms)
{
    const struct command *c = q->device.command;
    const struct loop_watch watch = {q, NULL, has_ended};
    enum sealmq_status s = sealmq_approve_begin(q->device.client, c->arguments[1]);
    if (s == SEALMQ_MALFORMED || s == SEALMQ_UNSUPPORTED)
        return command_fail(c, EXIT_USAGE, "%s", sealmq_error(q->device.client));
    if (s != SEALMQ_OK) return command_fail(c, EXIT_FAILED, "%s", sealmq_error(q->device.client));
    if (view_read(q) && is_stopped(q) && q->view.obstacle == SEALMQ_OBSTACLE_DEVICES_EVER) return failed_tell(q); /* for ever */
    int failed = device_connect(&q->device);
    if (!failed) failed = wait_for(q, has_asked, "looking for the new device", deadline_ms);
    if (!failed && is_stopped(q)) failed = failed_tell(q);
    if (!failed && q->view.stage != SEALMQ_LINK_REQUEST) failed = failed_tell(q);
    if (!failed) failed = approve_confirm(q);
    if (failed) return failed;
    s = sealmq_approve_answer(q->device.client, q->approves);
    if (s != SEALMQ_OK) return command_fail(c, EXIT_FAILED, "%s", sealmq_error(q->device.client));
    failed = wait_for(q, has_ended, "waiting for the new device to join", deadline_ms);
    if (failed) return failed;
    if (q->view.stage != (q->approves ? SEALMQ_LINK_DONE : SEALMQ_LINK_REJECTED)) return failed_tell(q);
    loop_leave(&q->device, &watch, 1000);
    return result_print(q);
}

int approve_run(struct command *c)
{
    struct approve_call q = {.approves = strcmp(c->arguments[0], "approve") == 0,
                             .view = SEALMQ_INIT(struct sealmq_link_view)};
    long long timeout_s;
    if (c->argument_count != 2) return command_fail(c, EXIT_USAGE, "call it as devices %s CODE", c->arguments[0]);
    if (!command_number(c, "timeout", 0, 3600, 60, &timeout_s)) return EXIT_USAGE;
    int failed = device_open(&q.device, c, false, 0);
    if (!failed) failed = approve(&q, loop_deadline_ms(timeout_s));
    device_close(&q.device);
    return failed;
}
