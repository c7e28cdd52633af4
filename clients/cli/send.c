/* send: keeps a message in the outbox (synced), then tries to have it accepted within the time
 * given. A message that is kept is never lost by a failure here: exit 3 says that it waits.
 * Invariant: the same --id, recipient and text is one message, however often it is sent. */
#include "clients/cli/loop.h"
#include "clients/cli/payload.h"
#include "clients/cli/show.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct send {
    struct device device;
    struct sealmq_message message;
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

static int refused_kept(const struct send *s, enum sealmq_status status)
{
    const struct command *c = s->device.command;
    if (status == SEALMQ_ID_REUSED)
        return command_fail(c, EXIT_FAILED,
                            "the id %s belongs to another message (to %s): take a new one",
                            s->message.key, s->message.handle);
    if (status == SEALMQ_MALFORMED)
        return command_fail(c, EXIT_FAILED,
                            "the name or the --id cannot be used: a name is 1 to %u "
                            "bytes without spaces or '/', an id 1 to %u printable "
                            "characters",
                            SEALMQ_HANDLE_MAX, SEALMQ_KEY_MAX);
    if (status == SEALMQ_TOO_LARGE)
        return command_fail(c, EXIT_FAILED, "the text is too long: send it in parts");
    return device_fail(&s->device, status);
}

static int message_keep(struct send *s, struct view text, long long ttl_s)
{
    const struct command *c = s->device.command;
    const char *me = s->device.me.handle;
    struct payload payload = {.handle = view_of(me, strlen(me)), .text = text};
    struct buffer bytes = {0};
    payload_write(&payload, &bytes);
    struct sealmq_send_options options = SEALMQ_INIT(struct sealmq_send_options);
    options.handle = c->arguments[0];
    options.payload = bytes.at;
    options.payload_len = bytes.len;
    options.key = command_option(c, "id");
    options.kind = command_option(c, "opaque") ? SEALMQ_OPAQUE : SEALMQ_SEALED;
    options.fresh = command_option(c, "fresh") != NULL;
    options.ttl_ms = (uint64_t)ttl_s * 1000;
    enum sealmq_status status = sealmq_send(s->device.client, &options, &s->message);
    buffer_fini(&bytes);
    return status == SEALMQ_OK ? EXIT_OK : refused_kept(s, status);
}

/* ---- waiting ---- */

static void read_again(struct send *s)
{
    struct sealmq_message message = SEALMQ_INIT(struct sealmq_message);
    if (sealmq_message_get(s->device.client, s->message.order, &message) == SEALMQ_OK) s->message = message;
}

/* The row is read each time: another process on this home may be the one that sends it. */
static bool is_answered(void *self)
{
    struct send *s = self;
    read_again(s);
    return s->message.stage != SEALMQ_STAGE_SENDING;
}

#define COPY_MS 1000u /* the message is accepted: nobody waits long for our other devices */

static bool is_copied(void *self)
{
    struct send *s = self;
    struct sealmq_copy copy = SEALMQ_INIT(struct sealmq_copy);
    return sealmq_copy_get(s->device.client, s->message.order, &copy) != SEALMQ_OK || copy.stage != SEALMQ_STAGE_SENDING;
}

/* What does not go now goes with the next command. */
static enum loop_end copy_wait(struct send *s)
{
    const struct loop_watch watch = {s, NULL, is_copied};
    enum loop_end end = loop_run(&s->device, &watch, loop_now_ms() + COPY_MS);
    return end == LOOP_TIMEOUT ? LOOP_DONE : end;
}

/* EXIT_OK with the row as it stands in the end, or the exit status after one line. */
static int answer_wait(struct send *s, long long timeout_s)
{
    const struct loop_watch watch = {s, NULL, is_answered};
    int failed = device_connect(&s->device);
    if (failed) return failed;
    s->device.waiting = "waiting for the relay to accept the message";
    enum loop_end end = loop_run(&s->device, &watch, loop_deadline_ms(timeout_s));
    if (end == LOOP_DONE) end = copy_wait(s);
    if (end == LOOP_STOPPED || end == LOOP_FAILED) return loop_fail(&s->device, end);
    if (end == LOOP_DONE) loop_leave(&s->device, &watch, 1000);
    progress_end(&s->device.progress);
    return EXIT_OK;
}

/* ---- the result ---- */

static int refused_tell(const struct send *s)
{
    const struct sealmq_message *m = &s->message;
    const char *remedy = "";
    if (m->reason == SEALMQ_NOT_FOUND) remedy = ": check the name";
    if (m->reason == SEALMQ_TOKEN_REFUSED) remedy = ": the relay may be showing somebody else's account";
    if (m->reason == SEALMQ_ID_REUSED) remedy = ": send it under another id";
    return command_fail(s->device.command, EXIT_FAILED, "not sent to %s (%s: %s)%s", m->handle,
                        sealmq_status_name(m->reason), show_reason(m, &s->device.me), remedy);
}

static const char *why_it_waits(struct send *s, struct sealmq_connection *connection)
{
    const struct sealmq_message *m = &s->message;
    if (m->fresh) return "the relay has not told the recipient's keys anew yet";
    return m->reason != SEALMQ_OK ? sealmq_status_meaning(m->reason) : device_hint(&s->device, connection);
}

static int held_tell(const struct send *s)
{
    struct sealmq_prompt prompt = SEALMQ_INIT(struct sealmq_prompt);
    const char *key = s->message.key;
    bool known = sealmq_prompt_get(s->message.prompt, &prompt) == SEALMQ_OK;
    return command_fail(s->device.command, EXIT_FAILED, "held: %s To send it all the same: release %s",
                        known ? prompt.text : "", key);
}

static int state_tell(struct send *s)
{
    const struct command *c = s->device.command;
    const struct sealmq_message *m = &s->message;
    struct sealmq_connection connection;
    switch (m->state) {
    case SEALMQ_MESSAGE_ACCEPTED:
    case SEALMQ_MESSAGE_SETTLED:
        return EXIT_OK;
    case SEALMQ_MESSAGE_DRAFTED:
    case SEALMQ_MESSAGE_ENCRYPTED:
    case SEALMQ_MESSAGE_QUEUED:
        return command_fail(c, EXIT_QUEUED,
                            "kept, not accepted yet (%s); outbox --flush tries again",
                            why_it_waits(s, &connection));
    case SEALMQ_MESSAGE_REFUSED:
        return refused_tell(s);
    case SEALMQ_MESSAGE_UNKNOWN:
        return command_fail(c, EXIT_FAILED,
                            "it may have arrived long ago: ask the recipient before "
                            "you send it under a new id");
    case SEALMQ_MESSAGE_HELD:
        return held_tell(s);
    }
    return command_fail(c, EXIT_FAILED, "the message is in no known state: update sealmq");
}

static int result_print(struct send *s)
{
    const struct sealmq_message *m = &s->message;
    const struct sealmq_contact contact = device_contact(&s->device, m->account);
    if (s->device.command->json) {
        json_t *object = show_json(m, &s->device.me, SHOW_ALL);
        ENSURE(json_object_set_new(object, "verified", json_boolean(contact.verified)) == 0);
        if (!output_json(object)) return EXIT_FAILED;
    } else {
        show_print(m, &s->device.me, SHOW_SHORT);
        if (m->state != SEALMQ_MESSAGE_REFUSED && m->kind == SEALMQ_OPAQUE) fprintf(stderr, "%s\n", NOT_SEALED);
    }
    if (contact.loss != SEALMQ_LOSS_NONE && !(s->device.warnings & 1u << SEALMQ_PROMPT_CONTACT_UNVERIFIED))
        fprintf(stderr, "warning: %s was verified, and is not any more (%s): verify %s\n", m->handle,
                sealmq_loss_name(contact.loss), m->handle);
    return state_tell(s);
}

static int send_text(struct send *s, struct view text, long long ttl_s, long long timeout_s)
{
    int failed = message_keep(s, text, ttl_s);
    if (failed) return failed;
    if (s->message.stage == SEALMQ_STAGE_SENDING) failed = answer_wait(s, timeout_s);
    return failed ? failed : result_print(s);
}

int send_run(struct command *c)
{
    struct send s = {.message = SEALMQ_INIT(struct sealmq_message)};
    struct buffer text = {0};
    long long ttl_s, timeout_s;
    if (!command_number(c, "ttl", 1, 365ll * 24 * 3600, 0, &ttl_s) ||
        !command_number(c, "timeout", 0, 3600, 10, &timeout_s))
        return EXIT_USAGE;
    int failed = device_open(&s.device, c, false, 0);
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
    enum sealmq_status status = sealmq_release(s->device.client, s->message.order);
    if (status == SEALMQ_OK) return EXIT_OK;
    if (status != SEALMQ_STATE) return device_fail(&s->device, status);
    return command_fail(c, EXIT_FAILED, "%s", sealmq_error(s->device.client));
}

int release_run(struct command *c)
{
    struct send s = {.message = SEALMQ_INIT(struct sealmq_message)};
    long long timeout_s;
    if (!command_number(c, "timeout", 0, 3600, 10, &timeout_s)) return EXIT_USAGE;
    int failed = device_open(&s.device, c, false, 0);
    if (!failed) failed = device_find(&s.device, c->arguments[0], &s.message);
    if (!failed) failed = let_go(&s);
    if (!failed) failed = answer_wait(&s, timeout_s);
    if (!failed) failed = result_print(&s);
    device_close(&s.device);
    return failed;
}
