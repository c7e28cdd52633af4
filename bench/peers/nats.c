/* nats: JetStream streams in files, one for each consumer connection, whose subjects are the recipient
 * queues. Senders publish with the id in Nats-Msg-Id (the server drops repeated ones for two minutes) and
 * are told by the stream's answer. A durable push consumer acknowledges all that a turn brought by its
 * last (AckAll); with interest retention the stream then drops them.
 *
 * The server answers before it syncs: nats-server 2.9 syncs a stream's files every two minutes, so what it
 * accepted can be lost with the machine. That is marked on every result.
 *
 * The library is attached to our poll as an event loop and so reads and writes in our thread. */
#include "bench/peers/peer.h"

#include <nats/nats.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IO_LEN          (256 * 1024)
#define ACK_PENDING_MAX 1000000
#define ID_KEEP_NS      120000000000ll
#define NAME_LEN_MAX    64
#define TURN_MAX        4096 /* messages of one connection before the others have a turn */

/* What the library asked us to poll for. */
struct link {
    natsConnection *c;
    natsSubscription *in; /* answers, or deliveries */
    int fd;
    _Atomic bool reads, writes; /* the library may set them from its timers' thread */
};

struct nats {
    struct peer base;
    struct peer_config config;
    struct link senders[PEER_SENDERS_MAX], consumers[PEER_CONSUMERS_MAX];
    natsConnection *control;
    jsCtx *js;
    char inbox[PEER_SENDERS_MAX]
              [NAME_LEN_MAX]; /* "_INBOX.xyz."; an answer's subject ends in the number */
    char subjects[PEER_QUEUES_MAX][NAME_LEN_MAX];
    char error[256];
};

static struct nats *nats_of(struct peer *p)
{
    return (struct nats *)p;
}

static enum status fail(struct nats *n, const char *what, natsStatus s)
{
    snprintf(n->error, sizeof n->error, "%s: %s", what, natsStatus_GetText(s));
    return STATUS_GONE;
}

/* ---- the library's side of the poll ---- */

static natsStatus on_attach(void **data, void *loop, natsConnection *c, natsSock fd)
{
    struct link *l = loop;
    (void)c;
    *data = l;
    l->fd = fd;
    l->reads = true;
    return NATS_OK;
}

static natsStatus on_read(void *data, bool add)
{
    ((struct link *)data)->reads = add;
    return NATS_OK;
}

static natsStatus on_write(void *data, bool add)
{
    ((struct link *)data)->writes = add;
    return NATS_OK;
}

static natsStatus on_detach(void *data)
{
    struct link *l = data;
    l->fd = -1;
    l->reads = l->writes = false;
    return NATS_OK;
}

/* ---- senders ---- */

static void hex(const uint8_t *at, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        *out++ = digits[at[i] >> 4];
        *out++ = digits[at[i] & 15];
    }
    *out = '\0';
}

static enum status nats_submit(struct peer *p, unsigned sender, const struct flow_message *messages,
                               size_t count)
{
    struct nats *n = nats_of(p);
    natsStatus s = NATS_OK;
    for (size_t i = 0; i < count && s == NATS_OK; i++) {
        const struct flow_message *m = &messages[i];
        char reply[NAME_LEN_MAX + 24], id[2 * FLOW_ID_LEN + 1];
        natsMsg *msg = NULL;
        snprintf(reply, sizeof reply, "%s%llu", n->inbox[sender], (unsigned long long)m->number);
        hex(m->id, FLOW_ID_LEN, id);
        s = natsMsg_Create(&msg, n->subjects[m->queue], reply, (const char *)m->body.at,
                           (int)m->body.len);
        if (s == NATS_OK) s = natsMsgHeader_Set(msg, "Nats-Msg-Id", id);
        if (s == NATS_OK) s = natsConnection_PublishMsg(n->senders[sender].c, msg);
        natsMsg_Destroy(msg);
    }
    return s == NATS_OK ? STATUS_OK : fail(n, "publish", s);
}

static void on_answer(struct nats *n, unsigned sender, const natsMsg *msg)
{
    const char *subject = natsMsg_GetSubject(msg) + strlen(n->inbox[sender]);
    uint64_t number = strtoull(subject, NULL, 10);
    size_t len = (size_t)natsMsg_GetDataLength(msg);
    const char *data = natsMsg_GetData(msg);
    if (!memmem(data, len, "\"seq\"", 5) || memmem(data, len, "\"duplicate\"", 11) ||
        memmem(data, len, "\"error\"", 7))
        flow_refused(n->config.flow, number);
    else
        flow_accepted(n->config.flow, number);
}

static enum status answers_take(struct nats *n, unsigned sender)
{
    natsMsg *msg = NULL;
    natsStatus s = NATS_OK;
    while ((s = natsSubscription_NextMsg(&msg, n->senders[sender].in, 0)) == NATS_OK) {
        on_answer(n, sender, msg);
        natsMsg_Destroy(msg);
    }
    return s == NATS_TIMEOUT ? STATUS_OK : fail(n, "an answer", s);
}

/* ---- consumers ---- */

/* "s3.17" */
static unsigned queue_of(const char *subject)
{
    const char *dot = strchr(subject, '.');
    return dot ? (unsigned)strtoul(dot + 1, NULL, 10) : UINT32_MAX;
}

static enum status deliveries_take(struct nats *n, struct link *l)
{
    natsMsg *msg = NULL, *last = NULL;
    natsStatus s = NATS_OK;
    for (int i = 0; i < TURN_MAX && (s = natsSubscription_NextMsg(&msg, l->in, 0)) == NATS_OK;
         i++) {
        flow_delivered(n->config.flow, queue_of(natsMsg_GetSubject(msg)),
                       view_of(natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg)));
        natsMsg_Destroy(last);
        last = msg;
    }
    if (s == NATS_TIMEOUT) s = NATS_OK;
    if (last && s == NATS_OK)
        s = natsConnection_PublishString(l->c, natsMsg_GetReply(last), "+ACK");
    natsMsg_Destroy(last);
    return s == NATS_OK ? STATUS_OK : fail(n, "a delivery", s);
}

/* ---- the loop's side ---- */

static struct link *link_at(struct nats *n, size_t at)
{
    return at < n->config.senders ? &n->senders[at] : &n->consumers[at - n->config.senders];
}

static size_t nats_polls(struct peer *p, struct pollfd *out, uint64_t *timeout_us)
{
    struct nats *n = nats_of(p);
    size_t count = n->config.senders + n->config.consumers;
    (void)timeout_us;
    for (size_t i = 0; i < count; i++) {
        const struct link *l = link_at(n, i);
        int events = (l->reads ? POLLIN : 0) | (l->writes ? POLLOUT : 0);
        out[i] = (struct pollfd){.fd = l->fd, .events = (short)events};
    }
    return count;
}

static enum status nats_turn(struct peer *p, const struct pollfd *polls, size_t count)
{
    struct nats *n = nats_of(p);
    enum status s = STATUS_OK;
    for (size_t i = 0; i < count && s == STATUS_OK; i++) {
        struct link *l = link_at(n, i);
        if (natsConnection_IsClosed(l->c)) return fail(n, "connection", NATS_CONNECTION_CLOSED);
        if (polls[i].revents & ~POLLOUT) natsConnection_ProcessReadEvent(l->c);
        if (polls[i].revents & ~POLLOUT)
            s = i < n->config.senders ? answers_take(n, (unsigned)i) : deliveries_take(n, l);
        if (polls[i].revents & POLLOUT) natsConnection_ProcessWriteEvent(l->c);
    }
    return s;
}

/* ---- open and close ---- */

/* With l: in our poll; without: as the library likes it. */
static enum status dial(struct nats *n, struct link *l, natsConnection **out)
{
    char url[128];
    natsOptions *options = NULL;
    snprintf(url, sizeof url, "nats://%s:%u", n->config.host, n->config.port);
    natsStatus s = natsOptions_Create(&options);
    if (s == NATS_OK) s = natsOptions_SetURL(options, url);
    if (s == NATS_OK) s = natsOptions_SetAllowReconnect(options, false);
    if (s == NATS_OK) s = natsOptions_SetIOBufSize(options, IO_LEN);
    if (s == NATS_OK && l)
        s = natsOptions_SetEventLoop(options, l, on_attach, on_read, on_write, on_detach);
    if (s == NATS_OK) s = natsConnection_Connect(out, options);
    natsOptions_Destroy(options);
    return s == NATS_OK ? STATUS_OK : fail(n, "cannot connect", s);
}

static enum status listen_on(struct nats *n, struct link *l, const char *subject)
{
    natsStatus s = natsConnection_SubscribeSync(&l->in, l->c, subject);
    if (s == NATS_OK) s = natsSubscription_SetPendingLimits(l->in, -1, -1);
    return s == NATS_OK ? STATUS_OK : fail(n, "subscribe", s);
}

static enum status sender_open(struct nats *n, unsigned number)
{
    char subject[NAME_LEN_MAX + 8];
    natsInbox *inbox = NULL;
    struct link *l = &n->senders[number];
    natsStatus s = natsInbox_Create(&inbox);
    if (s != NATS_OK) return fail(n, "inbox", s);
    snprintf(n->inbox[number], sizeof n->inbox[number], "%s.", inbox);
    snprintf(subject, sizeof subject, "%s.*", inbox);
    natsInbox_Destroy(inbox);
    enum status status = dial(n, l, &l->c);
    return status == STATUS_OK ? listen_on(n, l, subject) : status;
}

static enum status stream_make(struct nats *n, unsigned number, const char *name)
{
    char subject[NAME_LEN_MAX];
    const char *subjects[1] = {subject};
    jsStreamConfig config;
    snprintf(subject, sizeof subject, "s%u.*", number);
    jsStreamConfig_Init(&config);
    config.Name = name;
    config.Subjects = subjects;
    config.SubjectsLen = 1;
    config.Retention = js_InterestPolicy;
    config.Storage = js_FileStorage;
    config.Replicas = 1;
    config.Duplicates = ID_KEEP_NS;
    js_DeleteStream(n->js, name, NULL, NULL); /* an earlier run's */
    natsStatus s = js_AddStream(NULL, n->js, &config, NULL, NULL);
    return s == NATS_OK ? STATUS_OK : fail(n, "stream", s);
}

static enum status consumer_open(struct nats *n, unsigned number)
{
    char stream[NAME_LEN_MAX], subject[NAME_LEN_MAX];
    struct link *l = &n->consumers[number];
    jsConsumerConfig config;
    snprintf(stream, sizeof stream, "s%u", number);
    snprintf(subject, sizeof subject, "deliver.%u", number);
    enum status status = stream_make(n, number, stream);
    if (status == STATUS_OK) status = dial(n, l, &l->c);
    if (status == STATUS_OK) status = listen_on(n, l, subject);
    if (status != STATUS_OK) return status;
    jsConsumerConfig_Init(&config);
    config.Durable = "reader";
    config.DeliverSubject = subject;
    config.AckPolicy = js_AckAll;
    config.MaxAckPending = ACK_PENDING_MAX;
    natsStatus s = js_AddConsumer(NULL, n->js, stream, &config, NULL, NULL);
    return s == NATS_OK ? STATUS_OK : fail(n, "consumer", s);
}

static void link_fini(struct link *l)
{
    natsSubscription_Destroy(l->in);
    natsConnection_Destroy(l->c);
}

static void nats_peer_close(struct peer *p)
{
    if (!p) return;
    struct nats *n = nats_of(p);
    for (unsigned i = 0; i < n->config.senders; i++)
        link_fini(&n->senders[i]);
    for (unsigned i = 0; i < n->config.consumers; i++)
        link_fini(&n->consumers[i]);
    jsCtx_Destroy(n->js);
    natsConnection_Destroy(n->control);
    free(n);
    nats_Close();
}

static enum status connect_all(struct nats *n)
{
    enum status s = dial(n, NULL, &n->control);
    if (s != STATUS_OK) return s;
    natsStatus got = natsConnection_JetStream(&n->js, n->control, NULL);
    if (got != NATS_OK) return fail(n, "JetStream", got);
    for (unsigned i = 0; i < n->config.consumers && s == STATUS_OK; i++)
        s = consumer_open(n, i);
    for (unsigned i = 0; i < n->config.senders && s == STATUS_OK; i++)
        s = sender_open(n, i);
    return s;
}

static enum status nats_peer_open(const struct peer_ops *ops, const struct peer_config *config,
                                  struct peer **out, char *error, size_t error_cap)
{
    struct nats *n = calloc(1, sizeof *n);
    *out = NULL;
    ENSURE(n != NULL);
    n->base.ops = ops;
    n->config = *config;
    for (unsigned i = 0; i < config->queues; i++)
        snprintf(n->subjects[i], sizeof n->subjects[i], "s%u.%u", i % config->consumers, i);
    enum status s = connect_all(n);
    if (s == STATUS_OK) {
        *out = &n->base;
        return STATUS_OK;
    }
    snprintf(error, error_cap, "%s", n->error);
    nats_peer_close(&n->base);
    return s;
}

static enum status nats_left(struct peer *p, uint64_t *count)
{
    struct nats *n = nats_of(p);
    *count = 0;
    for (unsigned i = 0; i < n->config.consumers; i++) {
        char stream[NAME_LEN_MAX];
        jsStreamInfo *info = NULL;
        snprintf(stream, sizeof stream, "s%u", i);
        natsStatus s = js_GetStreamInfo(&info, n->js, stream, NULL, NULL);
        if (s != NATS_OK) return fail(n, "stream", s);
        *count += info->State.Msgs;
        jsStreamInfo_Destroy(info);
    }
    return STATUS_OK;
}

static const char *nats_error(const struct peer *p)
{
    return ((const struct nats *)p)->error;
}

const struct peer_ops peer_nats[] = {
    {.system = "nats",
     .durability = "not synced",
     .how = "JetStream in files, Nats-Msg-Id; push consumers, AckAll, interest retention",
     .open = nats_peer_open,
     .submit = nats_submit,
     .polls = nats_polls,
     .turn = nats_turn,
     .left = nats_left,
     .error = nats_error,
     .close = nats_peer_close},
    {.system = NULL},
};
