/* admin: see admin.h. One DEALER over ipc; one frame each way (PROTOCOL 3). An answer to an
 * earlier, given up question is recognised by its correlation id and dropped. */
#include "clients/ctl/admin.h"
#include "broker/host/host.h"

#include <string.h>
#include <zmq.h>

#define CLOSE_MS 200

int admin_open(struct admin *a, const struct command *c)
{
    char error[1024];
    int one = 1, close_ms = CLOSE_MS;
    memset(a, 0, sizeof *a);
    if (host_start() != STATUS_OK)
        return command_fail(c, EXIT_FAILED, "the operating system gives no random numbers");
    if (!command_option(c, "config"))
        return command_fail(c, EXIT_USAGE, "an option is missing: add --config FILE");
    if (config_load(command_option(c, "config"), &a->config, error, sizeof error) != STATUS_OK)
        return command_fail(c, EXIT_USAGE, "%s", error);
    a->context = zmq_ctx_new();
    a->socket = a->context ? zmq_socket(a->context, ZMQ_DEALER) : NULL;
    if (!a->socket || zmq_setsockopt(a->socket, ZMQ_IMMEDIATE, &one, sizeof one) ||
        zmq_setsockopt(a->socket, ZMQ_LINGER, &close_ms, sizeof close_ms) ||
        zmq_connect(a->socket, a->config.admin_endpoint)) {
        command_fail(c, EXIT_FAILED, "broker.admin: %s is no endpoint to connect to",
                     a->config.admin_endpoint);
        admin_close(a);
        return EXIT_FAILED;
    }
    return EXIT_OK;
}

void admin_close(struct admin *a)
{
    if (a->socket) zmq_close(a->socket);
    if (a->context) zmq_ctx_term(a->context);
    buffer_fini(&a->request);
    buffer_fini(&a->reply);
    arena_fini(&a->arena);
    memset(a, 0, sizeof *a);
}

static bool socket_waits(struct admin *a, short events, uint64_t until_ms)
{
    uint64_t now_ms = host_now().mono_ms;
    zmq_pollitem_t item = {.socket = a->socket, .events = events};
    return zmq_poll(&item, 1, until_ms > now_ms ? (long)(until_ms - now_ms) : 0) > 0;
}

static enum status ask_send(struct admin *a, const struct question *q)
{
    struct frame_header h = {
        .kind = (uint8_t)q->kind, .correlation = ++a->last_correlation, .home = q->home};
    buffer_clear(&a->request);
    frame_write(&a->request, &h, q->desc, q->message);
    if (!socket_waits(a, ZMQ_POLLOUT, host_now().mono_ms + ADMIN_CONNECT_MS)) return STATUS_GONE;
    int sent = zmq_send(a->socket, a->request.at, a->request.len, ZMQ_DONTWAIT);
    return sent < 0 ? STATUS_GONE : STATUS_OK;
}

/* One message into a->reply; several frames are none of ours. */
static bool reply_take(struct admin *a)
{
    zmq_msg_t m;
    bool more = false;
    zmq_msg_init(&m);
    buffer_clear(&a->reply);
    do {
        if (zmq_msg_recv(&m, a->socket, ZMQ_DONTWAIT) < 0) break;
        if (more || zmq_msg_more(&m))
            buffer_clear(&a->reply);
        else
            write_bytes(&a->reply, zmq_msg_data(&m), zmq_msg_size(&m));
        more = zmq_msg_more(&m);
    } while (more);
    zmq_msg_close(&m);
    return a->reply.len > 0;
}

static enum status reply_read(struct admin *a, const struct question *q, const struct frame *frame)
{
    struct msg_error error;
    enum status s;
    if (frame->header.kind == KIND_ERROR) {
        s = codec_decode(&msg_error_desc, frame->meta, &a->arena, &error);
        if (s == STATUS_OK) s = status_from_wire(error.status);
        return s == STATUS_OK ? STATUS_MALFORMED : s;
    }
    if (frame->header.kind != (uint8_t)kind_rule_of(q->kind)->reply) return STATUS_MALFORMED;
    return codec_decode(q->answer_desc, frame->meta, &a->arena, q->answer);
}

enum status admin_ask(struct admin *a, const struct question *q)
{
    memset(q->answer, 0, q->answer_desc->size);
    arena_reset(&a->arena);
    enum status s = ask_send(a, q);
    if (s != STATUS_OK) return s;
    for (uint64_t until_ms = host_now().mono_ms + ADMIN_ANSWER_MS;;) {
        struct frame frame;
        if (!socket_waits(a, ZMQ_POLLIN, until_ms)) {
            if (host_now().mono_ms >= until_ms) return STATUS_TIMEOUT;
            continue;
        }
        if (!reply_take(a)) continue;
        s = frame_check(buffer_view(&a->reply), FROM_RELAY, &frame);
        if (frame.header.correlation != a->last_correlation) continue;
        return s == STATUS_OK ? reply_read(a, q, &frame) : s;
    }
}

int admin_fail(const struct admin *a, const struct command *c, enum status s)
{
    const char *at = a->config.admin_endpoint;
    if (s == STATUS_GONE)
        return command_fail(c, EXIT_FAILED, "no relay answers at %s: is sealmqd running?", at);
    if (s == STATUS_TIMEOUT)
        return command_fail(c, EXIT_FAILED, "the relay at %s gave no answer within %d s: try again",
                            at, ADMIN_ANSWER_MS / 1000);
    if (s == STATUS_BUSY || s == STATUS_UNKNOWN)
        return command_fail(
            c, EXIT_FAILED,
            "the storage worker asked is starting, overloaded or was lost: try again");
    return command_fail(c, EXIT_FAILED, "the relay answered %s: %s", status_name(s),
                        status_meaning(s));
}
