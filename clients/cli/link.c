/* link: makes this a device of an account that is there already (PROTOCOL 6.5): shows a code, waits for a device of that
 * account to approve it, and then for the account's log to have it. Called again in a home that has consented it goes on
 * there, or, where nobody has let it in, begins anew. Invariants: the code is shown only when the relay has the request, and it stands
 * nowhere but on the screen; no linking is given up before the relay was asked once more. */
#include "clients/cli/loop.h"
#include "clients/cli/qr.h"
#include "clients/sealmq_link.h"

#include "broker/host/host.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TURN_MAX_MS    500
#define GIVE_UP_MAX_MS 2000

struct link_call {
    const struct command *command;
    struct sealmq_link *link;
    struct sealmq_link_view view;
    struct progress progress;
    int signal_fd;
    bool shown;
    bool consented;      /* in this call */
    bool over;           /* what this home waited for is to be given up */
    uint64_t started_ms; /* wall */
};

/* ---- until it has consented ---- */

static int code_show(struct link_call *q)
{
    const struct sealmq_link_view *v = &q->view;
    char expires[OUTPUT_TIME_LEN + 1];
    progress_end(&q->progress);
    q->shown = true;
    output_time(v->expires_ms, expires);
    if (q->command->json)
        return output_json(json_pack("{s:s, s:s, s:s, s:s}", "state", "code", "code", v->code, "qr", v->qr, "expires", expires))
                   ? EXIT_OK : EXIT_FAILED;
    if (isatty(STDOUT_FILENO)) qr_print(v->qr);
    printf("%s\n\nOn a device of the account:  sealmq devices approve %s\n"
           "Whoever has this code can answer in its place: show it to nobody else. It is good until %s.\n",
           v->code, v->code, expires);
    return fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
}

static int ended(struct link_call *q)
{
    const struct command *c = q->command;
    progress_end(&q->progress);
    if (q->view.stage == SEALMQ_LINK_DONE) return EXIT_OK;
    if (q->view.stage == SEALMQ_LINK_REJECTED)
        return command_fail(c, EXIT_FAILED, "refused, here or on the account's device: nothing was joined");
    if (q->view.stage == SEALMQ_LINK_EXPIRED)
        return command_fail(c, EXIT_FAILED, "nobody has answered within the code's time: call link again for a new one");
    return command_fail(c, EXIT_FAILED, "%s", q->view.hint);
}

static bool wait(struct link_call *q, uint64_t deadline_ms)
{
    struct pollfd fds[] = {{.fd = sealmq_link_fd(q->link), .events = POLLIN}, {.fd = q->signal_fd, .events = POLLIN}};
    uint64_t now_ms = loop_now_ms(), left_ms = deadline_ms > now_ms ? deadline_ms - now_ms : 0;
    int wait_ms = sealmq_link_deadline_ms(q->link);
    if (wait_ms < 0 || wait_ms > TURN_MAX_MS) wait_ms = TURN_MAX_MS;
    if (left_ms < (uint64_t)wait_ms) wait_ms = (int)left_ms;
    bool some = poll(fds, 2, wait_ms) > 0;
    return !(some && fds[1].revents != 0 && host_signal_take(q->signal_fd) != 0);
}

/* Whoever enters the code, or has entered it, is told at once, if the relay can be reached. A second signal ends that, too. */
static void give_up(struct link_call *q)
{
    uint64_t end_ms = loop_now_ms() + GIVE_UP_MAX_MS;
    struct sealmq_link_view v = SEALMQ_INIT(struct sealmq_link_view);
    if (sealmq_link_answer(q->link, false) != SEALMQ_OK) return;
    do {
        if (sealmq_link_process(q->link) != SEALMQ_OK || sealmq_link_get(q->link, &v) != SEALMQ_OK) return;
    } while (v.stage == SEALMQ_LINK_ANSWERED && loop_now_ms() < end_ms && wait(q, end_ms));
}

static int stopped(struct link_call *q)
{
    bool consents = q->view.stage == SEALMQ_LINK_ANSWERED;
    progress_end(&q->progress);
    if (!consents) give_up(q);
    return command_fail(q->command, EXIT_FAILED,
                        consents ? "stopped by a signal: this device may have consented already: link goes on with it"
                                 : "stopped by a signal: nothing was joined");
}

static int late(struct link_call *q)
{
    progress_end(&q->progress);
    give_up(q);
    return command_fail(q->command, EXIT_QUEUED, "nothing was joined in time%s%s: call link again for a new code",
                        q->view.hint[0] ? ": " : "", q->view.hint);
}

/* False: a signal came first. */
static bool is_typed(const struct link_call *q)
{
    struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = q->signal_fd, .events = POLLIN}};
    while (poll(fds, 2, -1) < 0 && errno == EINTR)
        continue;
    return !(fds[1].revents != 0 && host_signal_take(q->signal_fd) != 0);
}

/* A person sees whose account it is; a script has said yes by calling. */
static int offer_answer(struct link_call *q)
{
    char account[SEALMQ_ACCOUNT_TEXT_LEN + 1], answer[16] = "";
    sealmq_account_text(q->view.account, account);
    progress_end(&q->progress);
    fprintf(stderr, "Join the account of %s (%s)? Type yes: ", q->view.handle[0] ? q->view.handle : "somebody without a handle",
            account);
    fflush(stderr);
    if (!is_typed(q)) return stopped(q);
    bool join = fgets(answer, sizeof answer, stdin) && strcmp(answer, "yes\n") == 0;
    enum sealmq_status s = sealmq_link_answer(q->link, join);
    return s == SEALMQ_OK || q->view.stage == SEALMQ_LINK_FAILED ? EXIT_OK
                                                                 : command_fail(q->command, EXIT_FAILED, "linking cannot go on (%s)",
                                                                                sealmq_status_name(s));
}

static int consent(struct link_call *q, uint64_t deadline_ms)
{
    for (;;) {
        enum sealmq_status s = sealmq_link_process(q->link);
        q->view = (struct sealmq_link_view)SEALMQ_INIT(struct sealmq_link_view);
        if (sealmq_link_get(q->link, &q->view) != SEALMQ_OK || (s != SEALMQ_OK && q->view.stage != SEALMQ_LINK_FAILED))
            return command_fail(q->command, EXIT_FAILED, "linking cannot go on (%s)", sealmq_status_name(s));
        if (q->view.stage == SEALMQ_LINK_OFFERED && offer_answer(q) != EXIT_OK) return EXIT_FAILED;
        if (q->view.stage > SEALMQ_LINK_ANSWERED && q->view.stage != SEALMQ_LINK_OFFERED) return ended(q);
        if (q->view.stage == SEALMQ_LINK_CODE && !q->shown && code_show(q) != EXIT_OK) return EXIT_FAILED;
        if (loop_now_ms() >= deadline_ms) return late(q);
        progress_tell(&q->progress, loop_now_ms(), q->shown ? "waiting for the account's device" : "waiting for the relay");
        if (!wait(q, deadline_ms)) return stopped(q);
    }
}

static int link_begin(struct link_call *q, bool anew, uint64_t deadline_ms)
{
    const struct command *c = q->command;
    struct sealmq_link_options options = SEALMQ_INIT(struct sealmq_link_options);
    char error[SEALMQ_ERROR_MAX] = "";
    options.home = command_option(c, "home");
    options.passphrase_file = command_option(c, "passphrase-file");
    options.endpoints = command_option(c, "relay");
    options.name = command_option(c, "name");
    options.ask = isatty(STDIN_FILENO) && !c->json;
    options.anew = anew;
    enum sealmq_status s = sealmq_server_key_load(command_option(c, "server-key"), &options.server, error, sizeof error);
    if (s == SEALMQ_OK) s = sealmq_link_start(&options, &q->link, error, sizeof error);
    if (s == SEALMQ_STATE && !anew) return EXIT_OK; /* it has consented before, or needs not */
    if (s != SEALMQ_OK) return command_fail(c, s == SEALMQ_MALFORMED ? EXIT_USAGE : EXIT_FAILED, "%s", error);
    q->signal_fd = host_signal_fd();
    int failed = consent(q, deadline_ms);
    q->consented = !failed;
    sealmq_link_close(&q->link);
    close(q->signal_fd);
    return failed;
}

/* ---- until the account's log has it ---- */

struct waiting {
    struct link_call *call;
    struct device *device;
};

/* The relay has said so in this call, and there is nothing to wait for any more, or the user will not. */
static bool is_over(const struct waiting *w)
{
    const struct sealmq_identity *me = &w->device->me;
    bool gives_up = me->unlinked || (command_option(w->call->command, "anew") && !w->call->consented);
    return me->joining && me->refused_ms >= w->call->started_ms && gives_up;
}

/* It has joined, and has said how it wants to be called; or that is over. */
static bool is_decided(void *self)
{
    struct waiting *w = self;
    struct device *d = w->device;
    struct sealmq_connection connection = SEALMQ_INIT(struct sealmq_connection);
    if (sealmq_identity_get(d->client, &d->me) != SEALMQ_OK) return false;
    w->call->over = is_over(w);
    return w->call->over || (!d->me.joining && sealmq_connection_get(d->client, &connection) == SEALMQ_OK && connection.idle);
}

static int join(struct link_call *q, struct device *d, uint64_t deadline_ms)
{
    struct waiting w = {q, d};
    const struct loop_watch watch = {&w, NULL, is_decided};
    if (!d->me.joining) return EXIT_OK;
    int failed = device_connect(d);
    if (failed) return failed;
    d->waiting = "waiting to be in the account";
    enum loop_end end = loop_run(d, &watch, deadline_ms);
    progress_end(&d->progress);
    if (end == LOOP_TIMEOUT)
        return command_fail(d->command, EXIT_QUEUED, "this device has consented, and the account has not taken it in yet: its "
                            "other device must reach the relay; any later command goes on with it. If that device says that "
                            "nothing was added: link --anew");
    if (end != LOOP_DONE) return loop_fail(d, end);
    if (q->over) {
        d->warnings &= ~(1u << SEALMQ_PROMPT_UNLINKED); /* is said here */
        return q->consented ? command_fail(q->command, EXIT_FAILED, "nobody has let this device in: call link again for a new code")
                            : EXIT_OK;
    }
    loop_flush(d, &watch, 1000);
    loop_leave(d, &watch, 1000);
    return EXIT_OK;
}

static int result_print(const struct device *d)
{
    char account[SEALMQ_ACCOUNT_TEXT_LEN + 1], id[SEALMQ_DEVICE_TEXT_LEN + 1];
    sealmq_account_text(d->me.account, account);
    sealmq_device_text(d->me.device, id);
    if (d->command->json) {
        json_t *object = json_pack("{s:s, s:s, s:s, s:s}", "state", "linked", "handle", d->me.handle, "account", account,
                                   "device", id);
        return output_json(object) ? EXIT_OK : EXIT_FAILED;
    }
    printf("this is a device of %s now\n  account  %s\n  device   %s\n", d->me.handle[0] ? d->me.handle : "the account", account,
           id);
    return EXIT_OK;
}

static int join_whole(struct link_call *q, uint64_t deadline_ms)
{
    struct device device;
    int failed = device_open(&device, q->command, false, 0);
    if (!failed) failed = join(q, &device, deadline_ms);
    if (!failed && !q->over) failed = result_print(&device);
    device_close(&device);
    return failed;
}

int link_run(struct command *c)
{
    struct link_call q = {.command = c, .started_ms = host_now().wall_ms};
    long long timeout_s;
    if (!command_number(c, "timeout", 0, 3600, 900, &timeout_s)) return EXIT_USAGE;
    uint64_t deadline_ms = loop_deadline_ms(timeout_s);
    int failed = link_begin(&q, false, deadline_ms);
    if (!failed) failed = join_whole(&q, deadline_ms);
    if (failed || !q.over) return failed;
    fprintf(stderr, "Nobody has let this device in. It begins anew, as another device: should the account list one more than you "
                    "have, revoke that.\n");
    failed = link_begin(&q, true, deadline_ms);
    return failed ? failed : join_whole(&q, deadline_ms);
}
