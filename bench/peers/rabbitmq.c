/* rabbitmq: a quorum queue per recipient. Senders publish persistent messages to it through the default
 * exchange and are told by publisher confirms, which a quorum queue gives after its log is synced.
 * Consumers have a prefetch and acknowledge all that a turn brought at once. RabbitMQ has no dedup: a
 * repeated id would be delivered twice.
 *
 * librabbitmq writes three frames per message and blocks while the socket is full: the server always reads
 * unless it throttles a publisher, which is then what is measured. */
#include "bench/peers/peer.h"

#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_tcp_socket.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#define CHANNEL    1
#define FRAME_MAX  131072
#define PREFETCH   512 /* of each queue */
#define PERSISTENT 2   /* delivery mode */

struct sender {
    amqp_connection_state_t c;
    uint64_t *numbers; /* ring of FLOW_FLIGHT_MAX, by delivery tag */
    uint64_t sent;     /* the last tag; they count from 1 */
    uint64_t known;    /* all tags up to it have been answered */
    uint8_t *answered; /* ring, of those above it */
};

/* A delivery comes in pieces: method, header, body frames. */
struct delivery {
    uint64_t tag, len;
    unsigned queue;
    bool open;
    struct buffer body;
};

struct consumer {
    amqp_connection_state_t c;
    struct delivery now;
    uint64_t to_ack; /* 0: nothing */
};

struct rabbitmq {
    struct peer base;
    struct peer_config config;
    struct sender senders[PEER_SENDERS_MAX];
    struct consumer consumers[PEER_CONSUMERS_MAX];
    amqp_connection_state_t control;
    char names[PEER_QUEUES_MAX][16];
    char error[256];
};

static struct rabbitmq *rabbitmq_of(struct peer *p)
{
    return (struct rabbitmq *)p;
}

static enum status fail(struct rabbitmq *r, const char *what, const char *why)
{
    snprintf(r->error, sizeof r->error, "%s: %s", what, why);
    return STATUS_GONE;
}

/* What the library keeps as the answer to the last synchronous call. */
static enum status reply_check(struct rabbitmq *r, amqp_connection_state_t c, const char *what)
{
    amqp_rpc_reply_t reply = amqp_get_rpc_reply(c);
    if (reply.reply_type == AMQP_RESPONSE_NORMAL) return STATUS_OK;
    if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION)
        return fail(r, what, amqp_error_string2(reply.library_error));
    return fail(r, what, "the server refused it");
}

/* ---- senders ---- */

static enum status rabbitmq_submit(struct peer *p, unsigned sender,
                                   const struct flow_message *messages, size_t count)
{
    struct rabbitmq *r = rabbitmq_of(p);
    struct sender *s = &r->senders[sender];
    amqp_basic_properties_t properties = {._flags = AMQP_BASIC_DELIVERY_MODE_FLAG |
                                                    AMQP_BASIC_MESSAGE_ID_FLAG,
                                          .delivery_mode = PERSISTENT};
    for (size_t i = 0; i < count; i++) {
        const struct flow_message *m = &messages[i];
        ENSURE(s->sent - s->known < FLOW_FLIGHT_MAX);
        s->numbers[++s->sent % FLOW_FLIGHT_MAX] = m->number;
        properties.message_id =
            (amqp_bytes_t){.len = FLOW_ID_LEN, .bytes = (void *)(uintptr_t)m->id};
        amqp_bytes_t body = {.len = m->body.len, .bytes = (void *)(uintptr_t)m->body.at};
        int failed =
            amqp_basic_publish(s->c, CHANNEL, amqp_empty_bytes,
                               amqp_cstring_bytes(r->names[m->queue]), 0, 0, &properties, body);
        if (failed) return fail(r, "publish", amqp_error_string2(failed));
    }
    return STATUS_OK;
}

/* on_confirm: of one tag, or of all unanswered ones up to it. */
static enum status on_confirm(struct rabbitmq *r, struct sender *s, uint64_t tag, bool all,
                              bool taken)
{
    if (tag > s->sent || !tag) return fail(r, "a confirm", "of a message that was not sent");
    for (uint64_t at = all ? s->known + 1 : tag; at <= tag; at++) {
        if (at <= s->known || s->answered[at % FLOW_FLIGHT_MAX]) continue;
        s->answered[at % FLOW_FLIGHT_MAX] = 1;
        uint64_t number = s->numbers[at % FLOW_FLIGHT_MAX];
        if (taken)
            flow_accepted(r->config.flow, number);
        else
            flow_refused(r->config.flow, number);
    }
    while (s->known < s->sent && s->answered[(s->known + 1) % FLOW_FLIGHT_MAX])
        s->answered[++s->known % FLOW_FLIGHT_MAX] = 0;
    return STATUS_OK;
}

static enum status on_sender_frame(struct rabbitmq *r, struct sender *s, const amqp_frame_t *f)
{
    if (f->frame_type != AMQP_FRAME_METHOD) return STATUS_OK; /* a heartbeat */
    if (f->payload.method.id == AMQP_BASIC_ACK_METHOD) {
        const amqp_basic_ack_t *m = f->payload.method.decoded;
        return on_confirm(r, s, m->delivery_tag, m->multiple, true);
    }
    if (f->payload.method.id == AMQP_BASIC_NACK_METHOD) {
        const amqp_basic_nack_t *m = f->payload.method.decoded;
        return on_confirm(r, s, m->delivery_tag, m->multiple, false);
    }
    return fail(r, "a sender's channel", amqp_method_name(f->payload.method.id));
}

/* ---- consumers ---- */

static void delivery_end(struct rabbitmq *r, struct consumer *c)
{
    c->now.open = false;
    flow_delivered(r->config.flow, c->now.queue, buffer_view(&c->now.body));
    c->to_ack = c->now.tag;
}

static enum status on_deliver(struct rabbitmq *r, struct consumer *c, const amqp_basic_deliver_t *m)
{
    char name[16] = "";
    if (m->routing_key.len >= sizeof name || m->routing_key.len < 2 || c->now.open)
        return fail(r, "a delivery", "of another shape");
    memcpy(name, m->routing_key.bytes, m->routing_key.len);
    c->now.tag = m->delivery_tag;
    c->now.queue = (unsigned)strtoul(name + 1, NULL, 10);
    c->now.open = true;
    buffer_clear(&c->now.body);
    return STATUS_OK;
}

static enum status on_consumer_frame(struct rabbitmq *r, struct consumer *c, const amqp_frame_t *f)
{
    if (f->frame_type == AMQP_FRAME_METHOD) {
        if (f->payload.method.id != AMQP_BASIC_DELIVER_METHOD)
            return fail(r, "a consumer's channel", amqp_method_name(f->payload.method.id));
        return on_deliver(r, c, f->payload.method.decoded);
    }
    if (f->frame_type == AMQP_FRAME_HEADER) c->now.len = f->payload.properties.body_size;
    if (f->frame_type == AMQP_FRAME_BODY)
        write_bytes(&c->now.body, f->payload.body_fragment.bytes, f->payload.body_fragment.len);
    if (c->now.open && f->frame_type != AMQP_FRAME_HEARTBEAT && c->now.body.len == c->now.len)
        delivery_end(r, c);
    return STATUS_OK;
}

static enum status acknowledge(struct rabbitmq *r, struct consumer *c)
{
    uint64_t tag = c->to_ack;
    c->to_ack = 0;
    int failed = tag ? amqp_basic_ack(c->c, CHANNEL, tag, true) : 0;
    return failed ? fail(r, "acknowledge", amqp_error_string2(failed)) : STATUS_OK;
}

/* ---- the loop's side ---- */

static amqp_connection_state_t connection_at(struct rabbitmq *r, size_t at)
{
    return at < r->config.senders ? r->senders[at].c : r->consumers[at - r->config.senders].c;
}

static size_t rabbitmq_polls(struct peer *p, struct pollfd *out, uint64_t *timeout_us)
{
    struct rabbitmq *r = rabbitmq_of(p);
    size_t count = r->config.senders + r->config.consumers;
    for (size_t i = 0; i < count; i++) {
        amqp_connection_state_t c = connection_at(r, i);
        out[i] = (struct pollfd){.fd = amqp_get_sockfd(c), .events = POLLIN};
        if (amqp_frames_enqueued(c) || amqp_data_in_buffer(c)) *timeout_us = 0;
    }
    return count;
}

/* Reads frames as long as there are any. */
static enum status frames_take(struct rabbitmq *r, size_t at)
{
    struct timeval none = {0};
    amqp_connection_state_t c = connection_at(r, at);
    enum status s = STATUS_OK;
    while (s == STATUS_OK) {
        amqp_frame_t frame;
        amqp_maybe_release_buffers(c);
        int got = amqp_simple_wait_frame_noblock(c, &frame, &none);
        if (got == AMQP_STATUS_TIMEOUT) return STATUS_OK;
        if (got != AMQP_STATUS_OK) return fail(r, "receive", amqp_error_string2(got));
        if (at < r->config.senders)
            s = on_sender_frame(r, &r->senders[at], &frame);
        else
            s = on_consumer_frame(r, &r->consumers[at - r->config.senders], &frame);
    }
    return s;
}

static enum status rabbitmq_turn(struct peer *p, const struct pollfd *polls, size_t count)
{
    struct rabbitmq *r = rabbitmq_of(p);
    enum status s = STATUS_OK;
    for (size_t i = 0; i < count && s == STATUS_OK; i++) {
        amqp_connection_state_t c = connection_at(r, i);
        if (!polls[i].revents && !amqp_frames_enqueued(c) && !amqp_data_in_buffer(c)) continue;
        s = frames_take(r, i);
        if (s == STATUS_OK && i >= r->config.senders)
            s = acknowledge(r, &r->consumers[i - r->config.senders]);
    }
    return s;
}

/* ---- open and close ---- */

static enum status dial(struct rabbitmq *r, amqp_connection_state_t *out)
{
    struct timeval limit = {.tv_sec = 10};
    *out = amqp_new_connection();
    amqp_socket_t *socket = amqp_tcp_socket_new(*out);
    if (!socket) return fail(r, "cannot connect", "no memory");
    int failed = amqp_socket_open_noblock(socket, r->config.host, r->config.port, &limit);
    if (failed) return fail(r, "cannot connect", amqp_error_string2(failed));
    amqp_rpc_reply_t reply =
        amqp_login(*out, "/", 0, FRAME_MAX, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest");
    if (reply.reply_type != AMQP_RESPONSE_NORMAL) return fail(r, "cannot log in", "refused");
    amqp_channel_open(*out, CHANNEL);
    return reply_check(r, *out, "channel");
}

/* New and empty. */
static enum status queues_make(struct rabbitmq *r)
{
    amqp_table_entry_t quorum = {.key = amqp_cstring_bytes("x-queue-type")};
    quorum.value.kind = AMQP_FIELD_KIND_UTF8;
    quorum.value.value.bytes = amqp_cstring_bytes("quorum");
    amqp_table_t arguments = {.num_entries = 1, .entries = &quorum};
    enum status s = dial(r, &r->control);
    for (unsigned i = 0; i < r->config.queues && s == STATUS_OK; i++) {
        amqp_bytes_t name = amqp_cstring_bytes(r->names[i]);
        amqp_queue_delete(r->control, CHANNEL, name, 0, 0);
        s = reply_check(r, r->control, "queue.delete");
        if (s == STATUS_OK) amqp_queue_declare(r->control, CHANNEL, name, 0, 1, 0, 0, arguments);
        if (s == STATUS_OK) s = reply_check(r, r->control, "queue.declare");
        amqp_maybe_release_buffers(r->control);
    }
    return s;
}

static enum status sender_open(struct rabbitmq *r, struct sender *s)
{
    s->numbers = malloc(FLOW_FLIGHT_MAX * sizeof *s->numbers);
    s->answered = calloc(FLOW_FLIGHT_MAX, 1);
    ENSURE(s->numbers && s->answered);
    enum status status = dial(r, &s->c);
    if (status != STATUS_OK) return status;
    amqp_confirm_select(s->c, CHANNEL);
    return reply_check(r, s->c, "confirm.select");
}

static enum status consumer_open(struct rabbitmq *r, unsigned number)
{
    struct consumer *c = &r->consumers[number];
    enum status s = dial(r, &c->c);
    if (s == STATUS_OK) amqp_basic_qos(c->c, CHANNEL, 0, PREFETCH, 0);
    if (s == STATUS_OK) s = reply_check(r, c->c, "basic.qos");
    for (unsigned i = number; i < r->config.queues && s == STATUS_OK; i += r->config.consumers) {
        amqp_basic_consume(c->c, CHANNEL, amqp_cstring_bytes(r->names[i]), amqp_empty_bytes, 0, 0,
                           0, amqp_empty_table);
        s = reply_check(r, c->c, "basic.consume");
    }
    return s;
}

static void connection_close(amqp_connection_state_t c)
{
    if (!c) return;
    amqp_connection_close(c, AMQP_REPLY_SUCCESS);
    amqp_destroy_connection(c);
}

static void rabbitmq_close(struct peer *p)
{
    if (!p) return;
    struct rabbitmq *r = rabbitmq_of(p);
    connection_close(r->control);
    for (unsigned i = 0; i < r->config.senders; i++) {
        connection_close(r->senders[i].c);
        free(r->senders[i].numbers);
        free(r->senders[i].answered);
    }
    for (unsigned i = 0; i < r->config.consumers; i++) {
        connection_close(r->consumers[i].c);
        buffer_fini(&r->consumers[i].now.body);
    }
    free(r);
}

static enum status rabbitmq_open(const struct peer_ops *ops, const struct peer_config *config,
                                 struct peer **out, char *error, size_t error_cap)
{
    struct rabbitmq *r = calloc(1, sizeof *r);
    *out = NULL;
    ENSURE(r != NULL);
    r->base.ops = ops;
    r->config = *config;
    for (unsigned i = 0; i < config->queues; i++)
        snprintf(r->names[i], sizeof r->names[i], "q%u", i);
    enum status s = queues_make(r);
    for (unsigned i = 0; i < config->senders && s == STATUS_OK; i++)
        s = sender_open(r, &r->senders[i]);
    for (unsigned i = 0; i < config->consumers && s == STATUS_OK; i++)
        s = consumer_open(r, i);
    if (s == STATUS_OK) {
        *out = &r->base;
        return STATUS_OK;
    }
    snprintf(error, error_cap, "%s", r->error);
    rabbitmq_close(&r->base);
    return s;
}

static enum status rabbitmq_left(struct peer *p, uint64_t *count)
{
    struct rabbitmq *r = rabbitmq_of(p);
    enum status s = STATUS_OK;
    *count = 0;
    for (unsigned i = 0; i < r->config.queues && s == STATUS_OK; i++) {
        const amqp_queue_declare_ok_t *ok = amqp_queue_declare(
            r->control, CHANNEL, amqp_cstring_bytes(r->names[i]), 1, 0, 0, 0, amqp_empty_table);
        s = reply_check(r, r->control, "queue.declare");
        if (ok) *count += ok->message_count;
        amqp_maybe_release_buffers(r->control);
    }
    return s;
}

static const char *rabbitmq_error(const struct peer *p)
{
    return ((const struct rabbitmq *)p)->error;
}

const struct peer_ops peer_rabbitmq[] = {
    {.system = "rabbitmq",
     .durability = "synced",
     .how = "quorum queues of one node, persistent, publisher confirms, prefetch, acks of many; no "
            "dedup",
     .open = rabbitmq_open,
     .submit = rabbitmq_submit,
     .polls = rabbitmq_polls,
     .turn = rabbitmq_turn,
     .left = rabbitmq_left,
     .error = rabbitmq_error,
     .close = rabbitmq_close},
    {.system = NULL},
};
