/* access: whom this account lets write to it: blocking, taking that back, and message requests. What is said is kept and
 * counts in this home at once; the relay hears it now, or from the next command that reaches it. Invariant: nobody is
 * blocked or accepted by a name that this home, or the relay, does not know. */
#include "clients/cli/loop.h"
#include "clients/sealmq_contacts.h"

#include <stdio.h>
#include <string.h>

struct access_call {
    struct device device;
    const struct action *action;
    const char *name; /* of whom; NULL: of nobody */
    struct sealmq_account account;
    enum sealmq_status status; /* what it said against what it was told */
    size_t shown;              /* rows of a list */
};

/* What a call does. */
static const struct action {
    const char *word; /* of requests; NULL: the command's own */
    bool named;       /* needs a NAME */
    bool mode, on;    /* turns requests on or off */
    enum sealmq_access access;
    const char *done, *more;
} ACTIONS[] = {
    {"list", false, false, false, SEALMQ_ACCESS_NONE, NULL, NULL},
    {"accept", true, false, false, SEALMQ_ACCESS_ALLOWED, "allowed", NULL},
    {"refuse", true, false, false, SEALMQ_ACCESS_BLOCKED, "blocked", "What it sends is refused by the relay, which does not say why."},
    {"on", false, true, true, SEALMQ_ACCESS_NONE, "on",
     "Of who is not allowed the relay takes one message: requests lists them. Whoever you write to is allowed by that."},
    {"off", false, true, false, SEALMQ_ACCESS_NONE, "off", "Everybody who is not blocked may write to this account."},
};
static const struct action BLOCK = {
    NULL, true, false, false, SEALMQ_ACCESS_BLOCKED, "blocked",
    "What it sends is refused by the relay, which does not say why; what waits here is not shown. unblock takes that back."};
static const struct action UNBLOCK = {NULL, true, false, false, SEALMQ_ACCESS_NONE, "unblocked", NULL};

static struct sealmq_requests requests_read(struct access_call *q)
{
    struct sealmq_requests requests = SEALMQ_INIT(struct sealmq_requests);
    if (sealmq_requests_get(q->device.client, &requests) != SEALMQ_OK)
        requests = (struct sealmq_requests)SEALMQ_INIT(struct sealmq_requests);
    return requests;
}

static struct sealmq_access_row access_read(struct access_call *q)
{
    struct sealmq_access_row row = SEALMQ_INIT(struct sealmq_access_row);
    if (sealmq_access_get(q->device.client, q->account, &row) != SEALMQ_OK)
        row = (struct sealmq_access_row)SEALMQ_INIT(struct sealmq_access_row);
    return row;
}

/* ---- asking the relay ---- */

static void on_event(void *self, const struct sealmq_event *event)
{
    struct access_call *q = self;
    if (event->kind == SEALMQ_EVENT_CONTACTS && event->status != SEALMQ_OK) q->status = event->status;
}

static bool is_fresh(void *self)
{
    return loop_is_fresh(&((struct access_call *)self)->device);
}

static bool is_told(void *self)
{
    struct access_call *q = self;
    return q->status != SEALMQ_OK || !(q->action->mode ? requests_read(q).pending : access_read(q).pending);
}

static int connect_once(struct access_call *q)
{
    return q->device.connected ? EXIT_OK : device_connect(&q->device);
}

/* By its handle, or by its account id as recv shows it; else as the relay knows it. */
static int account_find(struct access_call *q, long long timeout_s)
{
    const struct command *c = q->device.command;
    const struct loop_watch watch = {q, on_event, is_told};
    struct sealmq_connection connection;
    if (sealmq_contact_account(q->device.client, q->name, &q->account) == SEALMQ_OK) return EXIT_OK;
    if (sealmq_account_parse(q->name, &q->account) == SEALMQ_OK) return EXIT_OK;
    int failed = connect_once(q);
    if (failed) return failed;
    q->device.waiting = "asking the relay who that is";
    enum sealmq_status s = loop_lookup(&q->device, &watch, q->name, timeout_s > 0 ? (uint32_t)timeout_s * 1000 : 1, &q->account);
    progress_end(&q->device.progress);
    if (s == SEALMQ_OK) return EXIT_OK;
    if (s == SEALMQ_NOT_FOUND)
        return command_fail(c, EXIT_FAILED, "there is no account of the name %s: check the name", q->name);
    if (s == SEALMQ_BAD_ENTRY)
        return command_fail(c, EXIT_FAILED, "the relay says that %s is another account now: give the account's id", q->name);
    return command_fail(c, EXIT_FAILED, "nothing is known of %s here, and the relay has not told it (%s): nothing was changed",
                        q->name, device_hint(&q->device, &connection));
}

/* ---- a change ---- */

static int told_wait(struct access_call *q, uint64_t deadline_ms)
{
    const struct command *c = q->device.command;
    const struct loop_watch watch = {q, on_event, is_told};
    struct sealmq_connection connection;
    int failed = connect_once(q);
    if (failed) return failed;
    q->device.waiting = "waiting for the relay to take it";
    enum loop_end end = loop_run(&q->device, &watch, deadline_ms);
    progress_end(&q->device.progress);
    if (end == LOOP_TIMEOUT)
        return command_fail(c, EXIT_QUEUED, "kept, and so in this home; the relay has not heard it (%s); any later command tells it",
                            device_hint(&q->device, &connection));
    if (end != LOOP_DONE) return loop_fail(&q->device, end);
    if (q->status == SEALMQ_OK) return EXIT_OK;
    return command_fail(c, EXIT_FAILED, "the relay does not take it (%s: %s)", sealmq_status_name(q->status),
                        sealmq_status_meaning(q->status));
}

static int change_print(struct access_call *q)
{
    char id[SEALMQ_ACCOUNT_TEXT_LEN + 1];
    const struct action *a = q->action;
    sealmq_account_text(q->account, id);
    if (q->device.command->json) {
        json_t *object = a->mode ? json_pack("{s:b}", "requests", a->on)
                                 : json_pack("{s:s, s:s, s:s}", "account", id, "name", q->name, "access",
                                             sealmq_access_name(a->access));
        return output_json(object) ? EXIT_OK : EXIT_FAILED;
    }
    if (a->mode)
        printf("requests are %s\n", a->done);
    else
        printf("%s  %s  %s\n", id, a->done, q->name);
    if (a->more) printf("%s\n", a->more);
    return EXIT_OK;
}

static int change(struct access_call *q, long long timeout_s)
{
    const struct loop_watch watch = {q, on_event, is_told};
    uint64_t deadline_ms = loop_deadline_ms(timeout_s);
    int failed = q->action->named ? account_find(q, timeout_s) : EXIT_OK;
    if (failed) return failed;
    enum sealmq_status s = q->action->mode ? sealmq_requests_set(q->device.client, q->action->on)
                                           : sealmq_access_set(q->device.client, q->account, q->action->access);
    if (s == SEALMQ_STATE || s == SEALMQ_FULL)
        return command_fail(q->device.command, EXIT_FAILED, "%s", sealmq_error(q->device.client));
    if (s != SEALMQ_OK) return device_fail(&q->device, s);
    failed = told_wait(q, deadline_ms);
    if (failed) return failed;
    loop_leave(&q->device, &watch, 1000);
    return change_print(q);
}

/* ---- lists ---- */

typedef enum sealmq_status next_fn(struct sealmq_client *client, const struct sealmq_account *after,
                                   struct sealmq_access_row *out);

static json_t *row_json(const struct sealmq_access_row *row)
{
    char id[SEALMQ_ACCOUNT_TEXT_LEN + 1], asked[OUTPUT_TIME_LEN + 1];
    sealmq_account_text(row->account, id);
    output_time(row->asked_ms, asked);
    json_t *object = json_pack("{s:s, s:s, s:s, s:b}", "account", id, "name", row->handle, "access",
                               sealmq_access_name(row->access), "pending", row->pending);
    ENSURE(object != NULL);
    if (row->access == SEALMQ_ACCESS_NONE && row->asked_ms)
        ENSURE(json_object_set_new(object, "asked", json_string(asked)) == 0);
    return object;
}

static void row_print(const struct sealmq_access_row *row)
{
    char id[SEALMQ_ACCOUNT_TEXT_LEN + 1], asked[OUTPUT_TIME_LEN + 1];
    sealmq_account_text(row->account, id);
    output_time(row->asked_ms, asked);
    printf("%s  ", id);
    if (row->access == SEALMQ_ACCESS_NONE)
        printf("asked %s  ", asked);
    else
        printf("%-7s  ", sealmq_access_name(row->access));
    output_print(view_of(row->handle, strlen(row->handle)));
    printf("%s\n", row->pending ? "  (the relay has not heard it)" : "");
}

/* Rows into list, or printed where it is NULL. */
static int rows_show(struct access_call *q, next_fn *next, json_t *list)
{
    struct sealmq_access_row row = SEALMQ_INIT(struct sealmq_access_row);
    struct sealmq_account after = {{0}};
    enum sealmq_status s;
    while ((s = next(q->device.client, &after, &row)) == SEALMQ_OK) {
        after = row.account;
        q->shown++;
        if (list)
            ENSURE(json_array_append_new(list, row_json(&row)) == 0);
        else
            row_print(&row);
    }
    return s == SEALMQ_NOT_FOUND ? EXIT_OK : device_fail(&q->device, s);
}

static void list_end(const struct access_call *q, bool requests, bool on)
{
    if (!requests && !q->shown) fprintf(stderr, "nobody is blocked or allowed\n");
    if (requests && !on)
        fprintf(stderr, "%srequests are off: everybody who is not blocked may write; requests on turns them on\n",
                q->shown ? "" : "no requests; ");
    if (requests && on && !q->shown) fprintf(stderr, "no requests; requests are on\n");
}

static int list_print(struct access_call *q, next_fn *next, const char *what)
{
    struct sealmq_connection connection;
    struct sealmq_requests requests = requests_read(q);
    json_t *list = q->device.command->json ? json_array() : NULL;
    int failed = rows_show(q, next, list);
    if (list) {
        json_t *object = json_pack("{s:o, s:b, s:b}", what, list, "on", requests.on, "fresh", q->device.fresh);
        return output_json(object) && !failed ? EXIT_OK : EXIT_FAILED;
    }
    if (!failed) list_end(q, next == sealmq_request_next, requests.on);
    if (!q->device.fresh) fprintf(stderr, "as last known here: %s\n", device_hint(&q->device, &connection));
    return failed;
}

static int list(struct access_call *q, long long timeout_s, next_fn *next, const char *what)
{
    const struct loop_watch watch = {q, on_event, is_fresh};
    int failed = connect_once(q);
    if (failed) return failed;
    q->device.waiting = "asking the relay";
    enum loop_end end = loop_run(&q->device, &watch, loop_deadline_ms(timeout_s));
    progress_end(&q->device.progress);
    if (end == LOOP_FAILED || end == LOOP_SIGNAL) return loop_fail(&q->device, end);
    failed = list_print(q, next, what);
    loop_leave(&q->device, &watch, 1000);
    return failed;
}

/* ---- the commands ---- */

static bool is_name(const char *name)
{
    struct sealmq_account account;
    return sealmq_handle_check(name, strlen(name)) == SEALMQ_OK || sealmq_account_parse(name, &account) == SEALMQ_OK;
}

static int run(struct command *c, struct access_call *q, next_fn *next, const char *what)
{
    long long timeout_s;
    if (q->name && !is_name(q->name))
        return command_fail(c, EXIT_USAGE, "a name is 1 to %u bytes of UTF-8 without spaces, control characters or '/'",
                            SEALMQ_HANDLE_MAX);
    if (!command_number(c, "timeout", 0, 3600, q->action->done ? 10 : 2, &timeout_s)) return EXIT_USAGE;
    int failed = device_open(&q->device, c, false, 0);
    if (!failed) failed = q->action->done ? change(q, timeout_s) : list(q, timeout_s, next, what);
    device_close(&q->device);
    return failed;
}

int block_run(struct command *c)
{
    struct access_call q = {.action = c->argument_count ? &BLOCK : &ACTIONS[0]};
    if (c->argument_count) q.name = c->arguments[0];
    return run(c, &q, sealmq_access_next, "accounts");
}

int unblock_run(struct command *c)
{
    struct access_call q = {.action = &UNBLOCK, .name = c->arguments[0]};
    return run(c, &q, NULL, NULL);
}

static const struct action *action_of(const struct command *c)
{
    const char *word = c->argument_count ? c->arguments[0] : "list";
    for (size_t i = 0; i < sizeof ACTIONS / sizeof ACTIONS[0]; i++)
        if (strcmp(ACTIONS[i].word, word) == 0) return &ACTIONS[i];
    return NULL;
}

int requests_run(struct command *c)
{
    struct access_call q = {.action = action_of(c)};
    if (!q.action) return command_fail(c, EXIT_USAGE, "unknown action %.64s: see --help", c->arguments[0]);
    if ((c->argument_count > 1) != q.action->named)
        return command_fail(c, EXIT_USAGE, "call it as requests %s%s", q.action->word, q.action->named ? " NAME" : "");
    if (q.action->named) q.name = c->arguments[1];
    return run(c, &q, sealmq_request_next, "requests");
}
