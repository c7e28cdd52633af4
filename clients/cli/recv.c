/* recv: shows received messages, the oldest first: those in the inbox that were not shown yet, then
 * what comes. A message is in the inbox, synced, before the relay hears that we have it; here it is
 * printed, flushed, and then acknowledged, which settles it.
 * Invariants: the inbox, not the events, says what there is to show; a message that could not be
 * printed stays unshown and unsettled. Whoever is killed between printing and acknowledging shows that
 * one message again. */
#include "clients/cli/payload.h"
#include "clients/cli/received.h"
#include "clients/cli/sender.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LEAVE_MS     2000
#define FLUSH_MS     2000
#define CREDIT_LIMIT 1024u /* what the relay sends ahead at most */

struct recv {
    struct device device;
    struct senders senders;
    struct loop_watch watch;
    uint64_t wanted; /* messages to show; UINT64_MAX = no end */
    uint64_t shown;
    bool superseded;
    bool output_failed;
};

/* ---- events ---- */

static void gap_tell(struct recv *r, const struct sealmq_event *event)
{
    const char *reason = sealmq_gap_reason_name(event->gap);
    if (!r->device.command->json) {
        progress_end(&r->device.progress);
        fprintf(stderr, "%" PRIu64 " message(s) will not come (%s)\n", event->count, reason);
        return;
    }
    json_t *object = json_pack("{s:n, s:s, s:s, s:I}", "id", "state", "gap", "reason", reason,
                               "count", (json_int_t)event->count);
    if (!output_json(object)) r->output_failed = true;
}

static void on_event(void *self, const struct sealmq_event *event)
{
    struct recv *r = self;
    if (event->kind == SEALMQ_EVENT_GAP) gap_tell(r, event);
    if (event->kind == SEALMQ_EVENT_SUPERSEDED) r->superseded = true;
}

/* The next message that was not taken. OK, NOT_FOUND; as sealmq_inbox_next. */
static enum sealmq_status inbox_next(struct recv *r, struct sealmq_received *out)
{
    *out = (struct sealmq_received)SEALMQ_INIT(struct sealmq_received);
    return sealmq_inbox_next(r->device.client, 0, out);
}

static bool has_news(void *self)
{
    struct recv *r = self;
    struct sealmq_received received;
    return r->superseded || r->output_failed || inbox_next(r, &received) != SEALMQ_NOT_FOUND;
}

/* ---- showing one ---- */

/* Most often the relay has not taken them, as after a block, and nothing is amiss. */
static void missing_print(uint64_t count)
{
    if (count == 1)
        printf("(one message written before the next one has not come: it was not let in, is late, or was lost)\n");
    else
        printf("(%" PRIu64 " messages written before the next one have not come: they were not let in, are late, or were lost)\n",
               count);
}

static bool message_print(struct recv *r, const struct sealmq_received *received)
{
    char from[SENDER_NAME_MAX];
    struct payload payload;
    /* Bytes of another program are shown as they are. */
    if (payload_read(view_of(received->payload, received->payload_len), &payload) != STATUS_OK)
        payload.handle = view_of(NULL, 0);
    if (received->own && r->device.me.handle_ours)
        snprintf(from, sizeof from, "%s", r->device.me.handle);
    else
        sender_name(&r->senders, &r->device, &r->watch, received, payload.handle, from);
    progress_end(&r->device.progress);
    if (r->device.command->json) return output_json(received_json(received, from, payload.text));
    if (received->missing) missing_print(received->missing);
    if (received->request) printf("(request) ");
    if (received->kind == SEALMQ_OPAQUE) printf("(not sealed) ");
    received_print(received, from, payload.text);
    return fflush(stdout) == 0;
}

/* Shows what there is, as far as it is wanted. EXIT_OK, or the exit status after one line. */
static int inbox_show(struct recv *r)
{
    struct sealmq_received received;
    enum sealmq_status s = SEALMQ_OK;
    while (r->shown < r->wanted && (s = inbox_next(r, &received)) == SEALMQ_OK) {
        if (!message_print(r, &received) || r->output_failed)
            return command_fail(
                r->device.command, EXIT_FAILED,
                "standard output cannot be written: the message stays in the inbox");
        s = sealmq_ack(r->device.client, &received.order, 1);
        if (s != SEALMQ_OK) break;
        r->shown++;
    }
    return s == SEALMQ_OK || s == SEALMQ_NOT_FOUND ? EXIT_OK : device_fail(&r->device, s);
}

/* ---- the loop ---- */

static int run_end(struct recv *r, enum loop_end end)
{
    struct sealmq_connection connection;
    progress_end(&r->device.progress);
    if (end == LOOP_STOPPED || end == LOOP_FAILED) return loop_fail(&r->device, end);
    if (end == LOOP_SIGNAL)
        return r->wanted == UINT64_MAX ? EXIT_OK : loop_fail(&r->device, end);
    const char *hint = device_hint(&r->device, &connection);
    if (connection.session)
        return command_fail(r->device.command, EXIT_TIMEOUT, "no message came in time");
    return command_fail(r->device.command, EXIT_TIMEOUT, "no message came in time (%s)", hint);
}

static int loop(struct recv *r, uint64_t deadline_ms)
{
    for (;;) {
        int failed = inbox_show(r);
        if (failed) return failed;
        if (r->shown >= r->wanted) return EXIT_OK;
        if (r->superseded)
            return command_fail(r->device.command, EXIT_FAILED,
                                "another recv on this device has taken over: stop that one first");
        enum loop_end end = loop_run(&r->device, &r->watch, deadline_ms);
        if (end != LOOP_DONE) return run_end(r, end);
        progress_end(&r->device.progress);
    }
}

int recv_run(struct command *c)
{
    struct recv r = {.shown = 0};
    long long count, timeout_s;
    if (!command_number(c, "count", 1, 1000000000, 0, &count) ||
        !command_number(c, "timeout", 0, 365ll * 24 * 3600, -1, &timeout_s))
        return EXIT_USAGE;
    bool follow = command_option(c, "follow") != NULL;
    r.wanted = count > 0 ? (uint64_t)count : follow ? UINT64_MAX : 1;
    r.watch = (struct loop_watch){&r, on_event, has_news};
    int failed = device_open(&r.device, c, true, r.wanted < CREDIT_LIMIT ? (uint32_t)r.wanted : 0);
    if (!failed) failed = device_connect(&r.device);
    r.device.waiting = "waiting for messages";
    uint64_t deadline_ms = timeout_s >= 0 ? loop_deadline_ms(timeout_s) : UINT64_MAX;
    if (!failed) failed = loop(&r, deadline_ms);
    if (!failed) loop_flush(&r.device, &r.watch, FLUSH_MS);
    loop_leave(&r.device, &r.watch, LEAVE_MS);
    device_close(&r.device);
    return failed;
}
