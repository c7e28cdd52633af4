/* send: keeps a message in the outbox (synced), then tries to have it accepted within the time
 * given. A message that is kept is never lost by a failure here: exit 3 says that it waits.
 * Invariant: the same --id, recipient and text is one message, however often it is sent. */
#include "clients/cli/device.h"
#include "clients/cli/payload.h"
#include "clients/cli/show.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct send {
    struct device device;
    struct outbox_row row;
};

/* ---- the text ---- */

static int input_read(const struct command *c, struct buffer *out)
{
    for (;;) {
        uint8_t *at = buffer_extend(out, 16384);
        ssize_t len = read(STDIN_FILENO, at, 16384);
        out->len -= len > 0 ? 16384 - (size_t)len : 16384;
        if (len < 0 && errno == EINTR) continue;
        if (len < 0)
            return command_fail(c, EXIT_FAILED, "standard input cannot be read: %s",
                                strerror(errno));
        if (len == 0) return EXIT_OK;
        if (out->len > TEXT_LEN_MAX) return EXIT_OK; /* text_check says so */
    }
}

static int text_read(const struct command *c, struct buffer *out)
{
    const char *text = c->arguments[1];
    int failed = EXIT_OK;
    if (strcmp(text, "-") == 0)
        failed = input_read(c, out);
    else
        write_bytes(out, text, strlen(text));
    if (failed || out->len <= TEXT_LEN_MAX) return failed;
    return command_fail(c, EXIT_FAILED, "the text is longer than %u bytes: send it in parts",
                        TEXT_LEN_MAX);
}

/* ---- keeping it ---- */

static int refused_kept(const struct send *s, enum status status)
{
    const struct command *c = s->device.command;
    if (status == STATUS_ID_REUSED)
        return command_fail(c, EXIT_FAILED,
                            "the id %s belongs to another message (to %.*s): take a new one",
                            s->row.key.text, (int)s->row.handle_len, (const char *)s->row.handle);
    if (status == STATUS_MALFORMED)
        return command_fail(c, EXIT_FAILED,
                            "the name or the --id cannot be used: a name is 1 to %u "
                            "bytes without spaces or '/', an id 1 to %u printable "
                            "characters",
                            HANDLE_LEN_MAX, STATE_KEY_LEN_MAX);
    if (status == STATUS_TOO_LARGE)
        return command_fail(c, EXIT_FAILED, "the text is too long: send it in parts");
    return device_state_fail(&s->device, status);
}

static int message_keep(struct send *s, struct view text, long long ttl_s)
{
    const struct command *c = s->device.command;
    struct payload payload = {.handle = client_identity(s->device.client)->handle, .text = text};
    struct buffer bytes = {0};
    payload_write(&payload, &bytes);
    struct engine_message message = {.handle = view_of(c->arguments[0], strlen(c->arguments[0])),
                                     .payload = buffer_view(&bytes),
                                     .key = command_option(c, "id"),
                                     .ttl_ms = (uint64_t)ttl_s * 1000};
    enum status status =
        engine_send(client_engine(s->device.client), client_now(), &message, &s->row);
    buffer_fini(&bytes);
    return status == STATUS_OK ? EXIT_OK : refused_kept(s, status);
}

/* ---- waiting ---- */

/* The row is read each time: another process on this home may be the one that sends it. */
static bool is_answered(void *self)
{
    struct send *s = self;
    struct outbox_row row;
    if (device_row(&s->device, s->row.order, &row) == STATUS_OK) s->row = row;
    return message_class_of(s->row.state) != CLASS_WORK;
}

/* EXIT_OK with the row as it stands in the end, or the exit status after one line. */
static int answer_wait(struct send *s, long long timeout_s)
{
    const struct client_watch watch = {s, NULL, is_answered, device_tick};
    int failed = device_connect(&s->device);
    if (failed) return failed;
    s->device.waiting = "waiting for the relay to accept the message";
    enum client_end end = client_run(s->device.client, &watch, device_deadline(timeout_s));
    if (end == CLIENT_STOPPED || end == CLIENT_FAILED) return device_end(&s->device, end);
    if (end == CLIENT_DONE) client_leave(s->device.client, &watch, 1000);
    progress_end(&s->device.progress);
    return EXIT_OK;
}

/* ---- the result ---- */

static int refused_tell(const struct send *s)
{
    const struct outbox_row *row = &s->row;
    const char *remedy = "";
    if (row->reason == STATUS_NOT_FOUND) remedy = ": check the name";
    if (row->reason == STATUS_ID_REUSED) remedy = ": send it under another id";
    return command_fail(s->device.command, EXIT_FAILED, "not sent to %.*s (%s: %s)%s",
                        (int)row->handle_len, (const char *)row->handle, status_name(row->reason),
                        status_meaning(row->reason), remedy);
}

static int state_tell(const struct send *s)
{
    const struct command *c = s->device.command;
    char trouble[CLIENT_ERROR_MAX];
    switch (s->row.state) {
    case MESSAGE_ACCEPTED:
    case MESSAGE_SETTLED:
        return EXIT_OK;
    case MESSAGE_DRAFTED:
    case MESSAGE_ENCRYPTED:
    case MESSAGE_QUEUED:
        client_trouble(s->device.client, trouble, sizeof trouble);
        return command_fail(c, EXIT_QUEUED,
                            "kept, not accepted yet (%s); outbox --flush tries again",
                            s->row.reason != STATUS_OK ? status_meaning(s->row.reason) : trouble);
    case MESSAGE_REFUSED:
        return refused_tell(s);
    case MESSAGE_UNKNOWN:
        return command_fail(c, EXIT_FAILED,
                            "it may have arrived long ago: ask the recipient before "
                            "you send it under a new id");
    case MESSAGE_HELD:
        return command_fail(c, EXIT_FAILED,
                            "held: the relay shows another history of the recipient's keys than this home "
                            "holds; ask the recipient, then: release %s", s->row.key.text);
    case MESSAGE_NONE:
    case MESSAGE_STATE_END:
        break;
    }
    return command_fail(c, EXIT_FAILED, "the message is in no known state: update sealmq");
}

static int result_print(const struct send *s)
{
    const struct state_identity *me = client_identity(s->device.client);
    if (s->device.command->json) {
        if (!output_json(show_json(&s->row, me, SHOW_ALL))) return EXIT_FAILED;
    } else {
        show_print(&s->row, me, SHOW_SHORT);
        if (s->row.state != MESSAGE_REFUSED) fprintf(stderr, "%s\n", NOT_SEALED);
    }
    return state_tell(s);
}

static int send_text(struct send *s, struct view text, long long ttl_s, long long timeout_s)
{
    int failed = message_keep(s, text, ttl_s);
    if (failed) return failed;
    if (message_class_of(s->row.state) == CLASS_WORK) failed = answer_wait(s, timeout_s);
    return failed ? failed : result_print(s);
}

int send_run(struct command *c)
{
    struct send s = {0};
    struct client_options options = {.attach = false};
    struct buffer text = {0};
    long long ttl_s, timeout_s;
    if (!command_number(c, "ttl", 1, 365ll * 24 * 3600, 0, &ttl_s) ||
        !command_number(c, "timeout", 0, 3600, 10, &timeout_s))
        return EXIT_USAGE;
    int failed = device_open(&s.device, c, &options);
    if (!failed) failed = text_read(c, &text);
    if (!failed) failed = send_text(&s, buffer_view(&text), ttl_s, timeout_s);
    buffer_fini(&text);
    device_close(&s.device);
    return failed;
}

/* ---- release: what was held, or is in doubt, goes all the same ---- */

static int let_go(struct send *s)
{
    const struct command *c = s->device.command;
    enum status status = engine_release(client_engine(s->device.client), client_now(), &s->row.key);
    if (status == STATUS_OK) return EXIT_OK;
    if (status != STATUS_STATE) return device_state_fail(&s->device, status);
    return command_fail(c, EXIT_FAILED, "the message does not wait for you: it is %s", message_state_name(s->row.state));
}

int release_run(struct command *c)
{
    struct send s = {.row = {.order = 0}};
    struct client_options options = {.attach = false};
    long long timeout_s;
    if (!command_number(c, "timeout", 0, 3600, 10, &timeout_s)) return EXIT_USAGE;
    int failed = device_open(&s.device, c, &options);
    if (!failed) failed = device_find(&s.device, c->arguments[0], &s.row);
    if (!failed) failed = let_go(&s);
    if (!failed) failed = answer_wait(&s, timeout_s);
    if (!failed) failed = result_print(&s);
    device_close(&s.device);
    return failed;
}
