/* redis: each recipient queue is a stream. A sender's pipeline has one call of a script per message (or per
 * batch) that takes the id, if it is new, and adds the body: one step, so that no id is taken without
 * its message. A consumer reads streams from the last id it saw; XDEL is its acknowledgement: what is
 * not deleted would be read again by the next consumer that starts from 0. That is the promise of a
 * consumer group for half of its cost, as each queue has one reader.
 *
 * Ids live for 8 days, as SealMQ's claims do; their keys are the 16 bytes, the shortest there can be.
 * With `appendfsync always` Redis writes and syncs once per turn of its loop, before any reply. */
#include "bench/peers/peer.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define ID_KEEP_SECONDS "691200"
#define READ_COUNT      "64" /* of each stream at once */
#define READ_LEN        (256u * 1024u)
#define ENTRY_ID_MAX    48u

/* KEYS: stream, id; ARGV: how long ids live, the body. '1' = taken. */
static const char script_one[] =
    "if redis.call('SET', KEYS[2], '', 'NX', 'EX', ARGV[1]) then "
    "redis.call('XADD', KEYS[1], '*', 'b', ARGV[2]) return '1' end return '0'";
/* KEYS: stream and id by turns; ARGV: how long ids live, then the bodies. A character each. */
static const char script_batch[] =
    "local r = '' "
    "for i = 1, #KEYS, 2 do "
    "if redis.call('SET', KEYS[i + 1], '', 'NX', 'EX', ARGV[1]) then "
    "redis.call('XADD', KEYS[i], '*', 'b', ARGV[(i + 1) / 2 + 1]) r = r .. '1' "
    "else r = r .. '0' end end return r";

enum variant { DEDUP, DEDUP_BATCH, NO_DEDUP, DEVICES };

struct connection {
    redisContext *redis;
    struct buffer out; /* bytes from `written` on still have to go */
    size_t written;
};

struct redis {
    struct peer base;
    struct peer_config config;
    enum variant variant;
    char sha[41];
    struct connection control;
    struct connection senders[PEER_SENDERS_MAX], consumers[PEER_CONSUMERS_MAX];
    unsigned consumer_count; /* consumer i reads the streams i, i + consumer_count, ... */
    uint64_t
        *calls[PEER_SENDERS_MAX]; /* rings: first numbers of the messages of unanswered calls */
    uint64_t call_first[PEER_SENDERS_MAX], call_last[PEER_SENDERS_MAX];
    char keys[PEER_QUEUES_MAX][16];           /* "q:12" */
    char seen[PEER_QUEUES_MAX][ENTRY_ID_MAX]; /* the last id read */
    char *input;
    char error[256];
};

static struct redis *redis_of(struct peer *p)
{
    return (struct redis *)p;
}

static enum status fail(struct redis *r, const char *what, const char *why)
{
    snprintf(r->error, sizeof r->error, "%s: %s", what, why && *why ? why : "no answer");
    return STATUS_GONE;
}

/* ---- commands ---- */

static void head_write(struct buffer *b, char kind, size_t number)
{
    char text[24];
    int len = snprintf(text, sizeof text, "%c%zu\r\n", kind, number);
    write_bytes(b, text, (size_t)len);
}

static void command_begin(struct buffer *b, size_t arguments)
{
    head_write(b, '*', arguments);
}

static void argument(struct buffer *b, struct view v)
{
    head_write(b, '$', v.len);
    write_view(b, v);
    write_bytes(b, "\r\n", 2);
}

static void word(struct buffer *b, const char *text)
{
    argument(b, view_of(text, strlen(text)));
}

static enum status flush(struct redis *r, struct connection *c)
{
    while (c->written < c->out.len) {
        ssize_t sent = send(c->redis->fd, c->out.at + c->written, c->out.len - c->written,
                            MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && (errno == EAGAIN || errno == EINTR)) return STATUS_OK;
        if (sent < 0) return fail(r, "send", strerror(errno));
        c->written += (size_t)sent;
    }
    buffer_clear(&c->out);
    c->written = 0;
    return STATUS_OK;
}

/* ---- senders ---- */

/* A call is remembered by its first number; a batch has as many as its answer has characters, and all
 * numbers of a batch follow each other. */
static void call_push(struct redis *r, unsigned sender, uint64_t number)
{
    ENSURE(r->call_last[sender] - r->call_first[sender] < FLOW_FLIGHT_MAX);
    r->calls[sender][r->call_last[sender]++ % FLOW_FLIGHT_MAX] = number;
}

static void submit_script(struct redis *r, unsigned sender, const struct flow_message *messages,
                          size_t count)
{
    struct buffer *b = &r->senders[sender].out;
    char keys[16];
    snprintf(keys, sizeof keys, "%zu", 2 * count);
    command_begin(b, 4 + 3 * count);
    word(b, "EVALSHA");
    word(b, r->sha);
    word(b, keys);
    for (size_t i = 0; i < count; i++) {
        word(b, r->keys[messages[i].queue]);
        argument(b, view_of(messages[i].id, FLOW_ID_LEN));
    }
    word(b, ID_KEEP_SECONDS);
    for (size_t i = 0; i < count; i++)
        argument(b, messages[i].body);
    call_push(r, sender, messages[0].number);
}

static void submit_plain(struct redis *r, unsigned sender, const struct flow_message *m)
{
    struct buffer *b = &r->senders[sender].out;
    command_begin(b, 5);
    word(b, "XADD");
    word(b, r->keys[m->queue]);
    word(b, "*");
    word(b, "b");
    argument(b, m->body);
    call_push(r, sender, m->number);
}

static enum status redis_submit(struct peer *p, unsigned sender,
                                const struct flow_message *messages, size_t count)
{
    struct redis *r = redis_of(p);
    if (r->variant == DEDUP_BATCH) submit_script(r, sender, messages, count);
    for (size_t i = 0; i < count && r->variant != DEDUP_BATCH; i++) {
        if (r->variant == NO_DEDUP)
            submit_plain(r, sender, &messages[i]);
        else
            submit_script(r, sender, &messages[i], 1);
    }
    return flush(r, &r->senders[sender]);
}

static enum status on_sender(struct redis *r, unsigned sender, const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_STRING || r->call_first[sender] == r->call_last[sender])
        return fail(r, "a sender's answer", reply->str);
    uint64_t number = r->calls[sender][r->call_first[sender]++ % FLOW_FLIGHT_MAX];
    if (r->variant == NO_DEDUP) { /* the entry's id */
        flow_accepted(r->config.flow, number);
        return STATUS_OK;
    }
    for (size_t i = 0; i < reply->len; i++, number++) {
        if (reply->str[i] == '1')
            flow_accepted(r->config.flow, number);
        else
            flow_refused(r->config.flow, number);
    }
    return STATUS_OK;
}

/* ---- the consumer ---- */

static void ask_more(struct redis *r, unsigned consumer)
{
    struct buffer *b = &r->consumers[consumer].out;
    unsigned queues = r->config.queues, step = r->consumer_count;
    command_begin(b, 6 + 2 * ((queues - consumer + step - 1) / step));
    word(b, "XREAD");
    word(b, "COUNT");
    word(b, READ_COUNT);
    word(b, "BLOCK");
    word(b, "0");
    word(b, "STREAMS");
    for (unsigned i = consumer; i < queues; i += step)
        word(b, r->keys[i]);
    for (unsigned i = consumer; i < queues; i += step)
        word(b, r->seen[i]);
}

/* [key, [[id, [field, value]], ...]]: every body is looked at, then all are deleted by one command. */
static bool on_stream(struct redis *r, struct buffer *b, const redisReply *stream)
{
    if (stream->type != REDIS_REPLY_ARRAY || stream->elements != 2) return false;
    const redisReply *key = stream->element[0], *entries = stream->element[1];
    unsigned queue = key->len > 2 ? (unsigned)strtoul(key->str + 2, NULL, 10) : UINT32_MAX;
    if (queue >= r->config.queues || entries->type != REDIS_REPLY_ARRAY) return false;
    if (!entries->elements) return true;
    command_begin(b, 2 + entries->elements);
    word(b, "XDEL");
    argument(b, view_of(key->str, key->len));
    for (size_t i = 0; i < entries->elements; i++) {
        const redisReply *entry = entries->element[i];
        if (entry->elements != 2 || entry->element[1]->elements != 2) return false;
        const redisReply *id = entry->element[0], *body = entry->element[1]->element[1];
        flow_delivered(r->config.flow, queue, view_of(body->str, body->len));
        argument(b, view_of(id->str, id->len));
        if (i + 1 == entries->elements)
            snprintf(r->seen[queue], sizeof r->seen[queue], "%s", id->str);
    }
    return true;
}

static enum status on_consumer(struct redis *r, unsigned consumer, const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_INTEGER) return STATUS_OK; /* of XDEL */
    if (reply->type != REDIS_REPLY_ARRAY) return fail(r, "the consumer's answer", reply->str);
    for (size_t i = 0; i < reply->elements; i++)
        if (!on_stream(r, &r->consumers[consumer].out, reply->element[i]))
            return fail(r, "XREAD", "an answer of another shape");
    ask_more(r, consumer);
    return STATUS_OK;
}

/* ---- the loop's side ---- */

static struct connection *connection_at(struct redis *r, size_t at)
{
    return at < r->config.senders ? &r->senders[at] : &r->consumers[at - r->config.senders];
}

static size_t redis_polls(struct peer *p, struct pollfd *out, uint64_t *timeout_us)
{
    struct redis *r = redis_of(p);
    (void)timeout_us;
    size_t count = r->config.senders + r->consumer_count;
    for (size_t i = 0; i < count; i++) {
        const struct connection *c = connection_at(r, i);
        short more = c->written < c->out.len ? POLLOUT : 0;
        out[i] = (struct pollfd){.fd = c->redis->fd, .events = (short)(POLLIN | more)};
    }
    return count;
}

static enum status replies_take(struct redis *r, size_t at)
{
    struct connection *c = connection_at(r, at);
    enum status s = STATUS_OK;
    void *reply = NULL;
    while (s == STATUS_OK) {
        if (redisReaderGetReply(c->redis->reader, &reply) != REDIS_OK)
            return fail(r, "protocol", c->redis->reader->errstr);
        if (!reply) return STATUS_OK;
        s = at < r->config.senders ? on_sender(r, (unsigned)at, reply)
                                   : on_consumer(r, (unsigned)at - r->config.senders, reply);
        freeReplyObject(reply);
    }
    return s;
}

static enum status input_take(struct redis *r, size_t at)
{
    struct connection *c = connection_at(r, at);
    ssize_t len = recv(c->redis->fd, r->input, READ_LEN, MSG_DONTWAIT);
    if (len < 0 && (errno == EAGAIN || errno == EINTR)) return STATUS_OK;
    if (len <= 0) return fail(r, "receive", len ? strerror(errno) : "the server closed");
    redisReaderFeed(c->redis->reader, r->input, (size_t)len);
    return replies_take(r, at);
}

static enum status redis_turn(struct peer *p, const struct pollfd *polls, size_t count)
{
    struct redis *r = redis_of(p);
    enum status s = STATUS_OK;
    for (size_t i = 0; i < count && s == STATUS_OK; i++) {
        if (polls[i].revents & ~POLLOUT) s = input_take(r, i);
        if (s == STATUS_OK && connection_at(r, i)->out.len) s = flush(r, connection_at(r, i));
    }
    return s;
}

/* ---- open and close ---- */

static enum status dial(struct redis *r, struct connection *c)
{
    struct timeval limit = {.tv_sec = 10};
    c->redis = redisConnectWithTimeout(r->config.host, r->config.port, limit);
    if (!c->redis || c->redis->err)
        return fail(r, "cannot connect", c->redis ? c->redis->errstr : "no memory");
    redisEnableKeepAlive(c->redis);
    c->redis->reader->maxbuf = 0; /* keep its memory */
    return STATUS_OK;
}

/* An earlier run's streams and ids go: the server is there for the bench only. */
static enum status prepare(struct redis *r)
{
    redisContext *c = r->control.redis;
    redisReply *reply = redisCommand(c, "FLUSHALL SYNC");
    enum status s =
        reply && reply->type == REDIS_REPLY_STATUS ? STATUS_OK : fail(r, "FLUSHALL", c->errstr);
    if (reply) freeReplyObject(reply);
    if (s != STATUS_OK) return s;
    reply =
        redisCommand(c, "SCRIPT LOAD %s", r->variant == DEDUP_BATCH ? script_batch : script_one);
    if (reply && reply->type == REDIS_REPLY_STRING && reply->len == 40)
        memcpy(r->sha, reply->str, 41);
    else
        s = fail(r, "SCRIPT LOAD", reply && reply->str ? reply->str : c->errstr);
    if (reply) freeReplyObject(reply);
    return s;
}

static enum status connect_all(struct redis *r)
{
    enum status s = dial(r, &r->control);
    if (s == STATUS_OK) s = prepare(r);
    for (unsigned i = 0; i < r->config.senders && s == STATUS_OK; i++) {
        s = dial(r, &r->senders[i]);
        r->calls[i] = malloc(FLOW_FLIGHT_MAX * sizeof *r->calls[i]);
        ENSURE(r->calls[i] != NULL);
    }
    for (unsigned i = 0; i < r->consumer_count && s == STATUS_OK; i++) {
        s = dial(r, &r->consumers[i]);
        if (s != STATUS_OK) break;
        ask_more(r, i);
        s = flush(r, &r->consumers[i]);
    }
    return s;
}

static void connection_fini(struct connection *c)
{
    if (c->redis) redisFree(c->redis);
    buffer_fini(&c->out);
}

static void redis_close(struct peer *p)
{
    if (!p) return;
    struct redis *r = redis_of(p);
    connection_fini(&r->control);
    for (unsigned i = 0; i < r->consumer_count; i++)
        connection_fini(&r->consumers[i]);
    for (unsigned i = 0; i < r->config.senders; i++) {
        connection_fini(&r->senders[i]);
        free(r->calls[i]);
    }
    free(r->input);
    free(r);
}

static enum status redis_open(const struct peer_ops *ops, const struct peer_config *config,
                              struct peer **out, char *error, size_t error_cap)
{
    struct redis *r = calloc(1, sizeof *r);
    *out = NULL;
    ENSURE(r != NULL);
    r->base.ops = ops;
    r->config = *config;
    r->variant = (enum variant)(ops - peer_redis);
    r->consumer_count = config->consumers;
    r->input = malloc(READ_LEN);
    ENSURE(r->input != NULL);
    for (unsigned i = 0; i < config->queues; i++) {
        snprintf(r->keys[i], sizeof r->keys[i], "q:%u", i);
        snprintf(r->seen[i], sizeof r->seen[i], "0");
    }
    enum status s = connect_all(r);
    if (s == STATUS_OK) {
        *out = &r->base;
        return STATUS_OK;
    }
    snprintf(error, error_cap, "%s", r->error);
    redis_close(&r->base);
    return s;
}

static enum status redis_left(struct peer *p, uint64_t *count)
{
    struct redis *r = redis_of(p);
    *count = 0;
    for (unsigned i = 0; i < r->config.queues; i++) {
        redisReply *reply = redisCommand(r->control.redis, "XLEN %s", r->keys[i]);
        bool told = reply && reply->type == REDIS_REPLY_INTEGER;
        if (told) *count += (uint64_t)reply->integer;
        if (reply) freeReplyObject(reply);
        if (!told) return fail(r, "XLEN", r->control.redis->errstr);
    }
    return STATUS_OK;
}

static const char *redis_error(const struct peer *p)
{
    return ((const struct redis *)p)->error;
}

#define REDIS_OPS(name, means, ...)                                                           \
    {                                                                                         \
        .system = name, .durability = "synced", .how = means, .open = redis_open,             \
        .submit = redis_submit, .polls = redis_polls, .turn = redis_turn, .left = redis_left, \
        .error = redis_error, .close = redis_close, __VA_ARGS__                               \
    }

const struct peer_ops peer_redis[] = {
    [DEDUP] = REDIS_OPS("redis", "streams; a script of SET NX + XADD per message, pipelined; "
                                 "XREAD, XDEL"),
    [DEDUP_BATCH] =
        REDIS_OPS("redis-batch", "streams; a script of SET NX + XADD per batch of up to "
                                 "64 messages, pipelined; XREAD, XDEL"),
    [NO_DEDUP] = REDIS_OPS("redis-nodedup", "streams; XADD, pipelined; XREAD, XDEL; a repeated id "
                                            "would be delivered twice"),
    [DEVICES] = REDIS_OPS("redis-devices",
                          "as redis, but each recipient with a connection of its own, up to 64",
                          .queue_consumers = true),
    {.system = NULL},
};
