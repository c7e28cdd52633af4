/* recv: shows received messages, the oldest first: those in the inbox that were not shown yet, then
 * what comes. A message is in the inbox, synced, before the relay hears that we have it; here it is
 * printed, flushed, and then acknowledged, which settles it.
 * Invariants: the inbox, not the events, says what there is to show; a message that could not be
 * printed stays unshown and unsettled. Whoever is killed between printing and acknowledging shows that
 * one message again. */
#include "clients/cli/device.h"
#include "clients/cli/payload.h"
#include "clients/cli/sender.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LEAVE_MS 2000
#define FLUSH_MS 2000

struct recv {
    struct device device;
    struct senders senders;
    struct client_watch watch;
    uint64_t wanted; /* messages to show; UINT64_MAX = no end */
    uint64_t shown;
    bool superseded;
    bool output_failed;
};

/* ---- events ---- */

static void gap_tell(struct recv *r, const struct engine_event *event)
{
    const char *reason = gap_reason_name(event->gap);
    if (!r->device.command->json) {
        progress_end(&r->device.progress);
        fprintf(stderr, "%" PRIu64 " message(s) will not come (%s)\n", event->count, reason);
        return;
    }
    json_t *object = json_pack("{s:n, s:s, s:s, s:I}", "id", "state", "gap", "reason", reason,
                               "count", (json_int_t)event->count);
    if (!output_json(object)) r->output_failed = true;
}

static void on_event(void *self, const struct engine_event *event)
{
    struct recv *r = self;
    if (event->kind == ENGINE_GAP) gap_tell(r, event);
    if (event->kind == ENGINE_SUPERSEDED) r->superseded = true;
}

/* The next unshown message. OK, NOT_FOUND; as state_begin. Its bytes live in the device's arena. */
static enum status inbox_next(struct recv *r, struct inbox_row *out)
{
    struct state *state = client_state(r->device.client);
    struct inbox_scan scan = {.which = INBOX_UNSHOWN, .rows = out, .row_max = 1};
    arena_reset(&r->device.arena);
    enum status s = state_begin(state, STATE_READ);
    if (s != STATUS_OK) return s;
    s = state_inbox_scan(state, &scan, &r->device.arena);
    state_rollback(state);
    return s == STATUS_OK && scan.row_count == 0 ? STATUS_NOT_FOUND : s;
}

static bool has_news(void *self)
{
    struct recv *r = self;
    struct inbox_row row;
    return r->superseded || r->output_failed || inbox_next(r, &row) != STATUS_NOT_FOUND;
}

/* ---- showing one ---- */

static json_t *row_json(const struct inbox_row *row, const char *from, struct view text)
{
    char id[MESSAGE_ID_TEXT_LEN + 1], account[2 * 32 + 1], device[2 * 16 + 1];
    char accepted[OUTPUT_TIME_LEN + 1];
    message_id_text(row->id, id);
    hex_encode(row->sender_account.bytes, sizeof row->sender_account.bytes, account);
    hex_encode(row->sender_device.bytes, sizeof row->sender_device.bytes, device);
    output_time(row->accepted_ms, accepted);
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b}", "id", id, "state", "received", "from",
                  from, "account", account, "device", device, "accepted", accepted, "sealed", 0);
    ENSURE(object != NULL);
    output_text(object, text);
    return object;
}

static bool row_print(struct recv *r, const struct inbox_row *row)
{
    char from[SENDER_NAME_MAX];
    struct payload payload;
    /* Bytes of another program are shown as they are. */
    if (payload_read(row->body, &payload) != STATUS_OK) payload.handle = view_of(NULL, 0);
    sender_name(&r->senders, &r->device, &r->watch, row->sender_account, payload.handle, from);
    progress_end(&r->device.progress);
    if (r->device.command->json) return output_json(row_json(row, from, payload.text));
    printf("%s: ", from);
    output_print(payload.text);
    printf("\n");
    return fflush(stdout) == 0;
}

/* Shows what there is, as far as it is wanted. EXIT_OK, or the exit status after one line. */
static int inbox_show(struct recv *r)
{
    struct inbox_row row;
    enum status s = STATUS_OK;
    while (r->shown < r->wanted && (s = inbox_next(r, &row)) == STATUS_OK) {
        if (!row_print(r, &row) || r->output_failed)
            return command_fail(
                r->device.command, EXIT_FAILED,
                "standard output cannot be written: the message stays in the inbox");
        s = client_ack(r->device.client, row.order);
        if (s != STATUS_OK) break;
        r->shown++;
    }
    return s == STATUS_OK || s == STATUS_NOT_FOUND ? EXIT_OK : device_state_fail(&r->device, s);
}

/* ---- the loop ---- */

static int run_end(struct recv *r, enum client_end end)
{
    char trouble[CLIENT_ERROR_MAX];
    progress_end(&r->device.progress);
    if (end == CLIENT_STOPPED || end == CLIENT_FAILED) return device_end(&r->device, end);
    if (end == CLIENT_SIGNAL)
        return r->wanted == UINT64_MAX ? EXIT_OK : device_end(&r->device, end);
    if (engine_is_bound(client_engine(r->device.client)))
        return command_fail(r->device.command, EXIT_TIMEOUT, "no message came in time");
    client_trouble(r->device.client, trouble, sizeof trouble);
    return command_fail(r->device.command, EXIT_TIMEOUT, "no message came in time (%s)", trouble);
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
        enum client_end end = client_run(r->device.client, &r->watch, deadline_ms);
        if (end != CLIENT_DONE) return run_end(r, end);
        progress_end(&r->device.progress);
    }
}

int recv_run(struct command *c)
{
    struct recv r = {0};
    struct client_options options = {.attach = true};
    long long count, timeout_s;
    if (!command_number(c, "count", 1, 1000000000, 0, &count) ||
        !command_number(c, "timeout", 0, 365ll * 24 * 3600, -1, &timeout_s))
        return EXIT_USAGE;
    bool follow = command_option(c, "follow") != NULL;
    r.wanted = count > 0 ? (uint64_t)count : follow ? UINT64_MAX : 1;
    r.watch = (struct client_watch){&r, on_event, has_news, device_tick};
    options.credit_messages = r.wanted < CREDIT_MESSAGES_MAX ? (uint32_t)r.wanted : 0;
    int failed = device_open(&r.device, c, &options);
    if (!failed) failed = device_connect(&r.device);
    r.device.waiting = "waiting for messages";
    uint64_t deadline_ms = timeout_s >= 0 ? device_deadline(timeout_s) : UINT64_MAX;
    if (!failed) failed = loop(&r, deadline_ms);
    if (!failed) client_flush(r.device.client, &r.watch, FLUSH_MS);
    if (r.device.client != NULL) client_leave(r.device.client, &r.watch, LEAVE_MS);
    device_close(&r.device);
    return failed;
}
