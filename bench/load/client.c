/* client: what clients/examples/echo.c does, with a book beside it. What is received is taken (sealmq_ack) as a product
 * would that has shown it: all that has come at once. An event may be lost when many come; then the rows are read. */
#include "bench/load/client.h"

#include "broker/host/host.h"

#include <stdlib.h>
#include <string.h>

#define TAKE_MAX 64u /* messages in one sealmq_ack */

static const char GREETING[] = "hello"; /* shorter than any body */
#define GREETING_LEN (sizeof GREETING - 1)

static bool fail(struct client *c, const char *what, const char *why)
{
    snprintf(c->trouble, sizeof c->trouble, "%s: %s: %s", c->handle, what, why);
    return false;
}

/* ---- opening ---- */

static void wake_note(struct client *c)
{
    int wait_ms = sealmq_deadline_ms(c->api);
    c->wake_us = wait_ms < 0 ? UINT64_MAX : host_mono_us() + (uint64_t)wait_ms * 1000;
}

static bool account_read(struct client *c)
{
    struct sealmq_identity me = SEALMQ_INIT(struct sealmq_identity);
    if (sealmq_identity_get(c->api, &me) != SEALMQ_OK) return fail(c, "identity", sealmq_error(c->api));
    c->account = me.account;
    return true;
}

bool client_open(struct client *c, const char *folder, const struct options *o)
{
    char home[4096], error[SEALMQ_ERROR_MAX] = "";
    struct sealmq_create_options create = SEALMQ_INIT(struct sealmq_create_options);
    struct sealmq_open_options open = SEALMQ_INIT(struct sealmq_open_options);
    if ((size_t)snprintf(home, sizeof home, "%s/%s", folder, c->handle) >= sizeof home)
        return fail(c, "home", "its path is too long");
    create.home = open.home = home;
    create.handle = c->handle;
    create.endpoints = o->hub.endpoint;
    open.receive = true;
    if (sealmq_server_key_parse(o->hub.server_key, &create.server) != SEALMQ_OK)
        return fail(c, "server key", "40 characters of Z85 are expected");
    if (sealmq_create(&create, error, sizeof error) != SEALMQ_OK ||
        sealmq_open(&open, &c->api, error, sizeof error) != SEALMQ_OK)
        return fail(c, "home", error);
    if (sealmq_connect(c->api) != SEALMQ_OK) return fail(c, "connection", sealmq_error(c->api));
    wake_note(c);
    return account_read(c);
}

void client_close(struct client *c)
{
    sealmq_close(&c->api);
}

/* ---- sending ---- */

static bool message_keep(struct client *c, const struct tally *tally, const char *handle, const char *key,
                 struct view body)
{
    struct sealmq_send_options o = SEALMQ_INIT(struct sealmq_send_options);
    o.handle = handle;
    o.payload = body.at;
    o.payload_len = body.len;
    o.key = key;
    o.kind = tally->kind;
    if (sealmq_send(c->api, &o, NULL) != SEALMQ_OK) return fail(c, "send", sealmq_error(c->api));
    wake_note(c);
    return true;
}

bool client_send(struct client *c, const struct tally *tally, const char *handle, uint64_t number,
                 struct view body)
{
    char key[TALLY_KEY_CAP];
    tally_key(number, key);
    return message_keep(c, tally, handle, key, body);
}

bool client_greet(struct client *c, const struct tally *tally, const char *handle)
{
    return message_keep(c, tally, handle, NULL, view_of(GREETING, GREETING_LEN));
}

/* ---- receiving ---- */

/* Before the run: a mailbox answers, so that either side has heard the other. */
static bool greeting_take(struct client *c, const struct tally *tally, const struct sealmq_received *r)
{
    struct sealmq_send_options o = SEALMQ_INIT(struct sealmq_send_options);
    c->greeted++;
    if (!c->receives) return true;
    o.account = r->account;
    o.payload = r->payload;
    o.payload_len = r->payload_len;
    o.kind = tally->kind;
    return sealmq_send(c->api, &o, NULL) == SEALMQ_OK || fail(c, "answer", sealmq_error(c->api));
}

static bool inbox_take(struct client *c, struct tally *tally)
{
    uint64_t orders[TAKE_MAX];
    size_t count;
    do {
        struct sealmq_received r = SEALMQ_INIT(struct sealmq_received);
        for (count = 0; count < TAKE_MAX && sealmq_inbox_next(c->api, c->taken, &r) == SEALMQ_OK; count++) {
            if (tally->begun)
                tally_received(tally, c->receives ? c->number : SIZE_MAX, &r, host_mono_us());
            else if (!greeting_take(c, tally, &r))
                return false;
            c->taken = orders[count] = r.order;
        }
        if (count && sealmq_ack(c->api, orders, count) != SEALMQ_OK) return fail(c, "ack", sealmq_error(c->api));
    } while (count == TAKE_MAX);
    return true;
}

/* ---- events ---- */

/* How durable the relay's word is stands in the row. */
static void level_learn(struct client *c, struct traffic *t, uint64_t order)
{
    struct sealmq_message m = SEALMQ_INIT(struct sealmq_message);
    if (t->level || sealmq_message_get(c->api, order, &m) != SEALMQ_OK || !m.accepted) return;
    t->level = m.receipt.synced ? LEVEL_SYNCED : LEVEL_MEMORY;
}

/* Events were lost: all that they can have said is in the rows. */
static bool outbox_read(struct client *c, struct tally *tally)
{
    struct sealmq_message m = SEALMQ_INIT(struct sealmq_message);
    enum sealmq_status s;
    while ((s = sealmq_outbox_next(c->api, SEALMQ_STAGE_ANY, m.order, &m)) == SEALMQ_OK)
        (void)tally_sent(tally, m.key, m.state, m.reason, host_mono_us());
    return s == SEALMQ_NOT_FOUND || fail(c, "outbox", sealmq_error(c->api));
}

/* *inbox: there may be something in it. */
static bool event_take(struct client *c, struct tally *tally, const struct sealmq_event *e, bool *inbox)
{
    switch ((int)e->kind) {
    case SEALMQ_EVENT_REGISTERED: c->registered = true; return true;
    case SEALMQ_EVENT_CONNECTED: c->attached = e->receiving; return true;
    case SEALMQ_EVENT_DISCONNECTED: c->disconnects++; return true;
    case SEALMQ_EVENT_GAP: c->gaps += e->count; return true;
    case SEALMQ_EVENT_RECEIVED: *inbox = true; return true;
    case SEALMQ_EVENT_MESSAGE:
        if (e->attempt) tally->traffic->retried++;
        if (tally_sent(tally, e->key, e->state, e->status, host_mono_us()))
            level_learn(c, tally->traffic, e->order);
        return true;
    case SEALMQ_EVENT_OVERFLOW: *inbox = true; return outbox_read(c, tally);
    case SEALMQ_EVENT_HANDLE_REFUSED: return fail(c, "handle", sealmq_status_meaning(e->status));
    case SEALMQ_EVENT_SUPERSEDED: return fail(c, "superseded", "another client takes its messages");
    case SEALMQ_EVENT_STOPPED:
    case SEALMQ_EVENT_FAILED: return fail(c, "stopped", sealmq_error(c->api));
    default: return true; /* prompts: nobody is here to see them */
    }
}

bool client_turn(struct client *c, struct tally *tally)
{
    struct sealmq_event e = SEALMQ_INIT(struct sealmq_event);
    bool inbox = false;
    if (sealmq_process(c->api) != SEALMQ_OK) return fail(c, "stopped", sealmq_error(c->api));
    while (sealmq_next_event(c->api, &e))
        if (!event_take(c, tally, &e, &inbox)) return false;
    if (inbox && !inbox_take(c, tally)) return false;
    wake_note(c);
    return true;
}

bool client_at_rest(struct client *c)
{
    struct sealmq_connection connection = SEALMQ_INIT(struct sealmq_connection);
    struct sealmq_message m = SEALMQ_INIT(struct sealmq_message);
    return sealmq_connection_get(c->api, &connection) == SEALMQ_OK && connection.session && connection.idle &&
           !connection.acks_open &&
           sealmq_outbox_next(c->api, SEALMQ_STAGE_SENDING, 0, &m) == SEALMQ_NOT_FOUND &&
           sealmq_outbox_next(c->api, SEALMQ_STAGE_OPEN, 0, &m) == SEALMQ_NOT_FOUND;
}
