/* client: frames from the edge, step 2 of an envelope's way (submit): may this connection say this,
 * now and so often, and who answers it. Bodies are not read; of meta only HELLO's. Invariant: every
 * request that comes in is answered here, or stands in pending, or its connection is given up. */
#include "broker/core.h"

#include <string.h>

/* What one frame is: c lives at least until the handler answers. */
struct request {
    struct connection *c;
    const struct frame *frame;
    struct view bytes; /* of the whole frame, as forwarded */
};

/* A handler answers or forwards and returns OK, or the status that the request is answered with. */
typedef enum status request_handler(struct broker *b, const struct request *r);

static enum status request_forward(struct broker *b, const struct request *r)
{
    struct connection *c = r->c;
    if (c->asked.count >= PENDING_REQUESTS_MAX) return STATUS_BUSY;
    struct stamp stamp = session_stamp(&b->sessions, c);
    return worker_forward(b, &stamp, &c->asked, &r->frame->header, r->bytes);
}

/* ACK, BYE, PUBLISH, BACKUP_PUT, BACKUP_GET: only the home of the bound account knows the session. */
static enum status request_own_home(struct broker *b, const struct request *r)
{
    if (r->frame->header.home != home_of_account(r->c->account)) return STATUS_WRONG_HOME;
    return request_forward(b, r);
}

static enum status request_hello(struct broker *b, const struct request *r)
{
    struct msg_hello hello;
    enum status s = codec_decode(&msg_hello_desc, r->frame->meta, &b->arena, &hello);
    if (s != STATUS_OK) return s;
    if (r->frame->header.home != home_of_account(hello.account)) return STATUS_WRONG_HOME;
    if (r->c->state == CONNECTION_GREETING || r->c->state == CONNECTION_REBINDING)
        return STATUS_BUSY; /* one at a time: WELCOME names no HELLO */
    s = request_forward(b, r);
    return s == STATUS_OK ? session_greet(r->c, &hello) : s;
}

static enum status request_ping(struct broker *b, const struct request *r)
{
    struct msg_pong pong = {.relay_ms = route_relay_ms(&b->route, b->now), .map = b->route.map};
    struct frame_header header = {.kind = KIND_PONG, .home = r->frame->header.home,
                                  .correlation = r->frame->header.correlation};
    buffer_clear(&b->scratch);
    frame_write(&b->scratch, &header, &msg_pong_desc, &pong);
    (void)client_reply(b, r->c, buffer_view(&b->scratch));
    return STATUS_OK;
}

static request_handler *const handlers[] = {
    [KIND_HELLO] = request_hello,
    [KIND_REGISTER] = request_forward,
    [KIND_CLAIM_HANDLE] = request_forward,
    [KIND_LOOKUP] = request_forward,
    [KIND_SEND] = request_forward,
    [KIND_ACK] = request_own_home,
    [KIND_STATUS] = request_forward,
    [KIND_TERMS] = request_forward,
    [KIND_PING] = request_ping,
    [KIND_BYE] = request_own_home,
    [KIND_APPEND] = request_forward,
    [KIND_PUBLISH] = request_own_home,
    [KIND_CLAIM_PREKEYS] = request_forward,
    [KIND_LINK_PUT] = request_forward,
    [KIND_LINK_GET] = request_forward,
    [KIND_CONTACTS_SET] = request_own_home,
    [KIND_CONTACTS_GET] = request_own_home,
    [KIND_BACKUP_PUT] = request_own_home,
    [KIND_BACKUP_GET] = request_own_home,
};

/* The home says when a device is revoked. A broker that has not heard it for a second may not know yet: it forwards nothing
 * of its sessions, to wherever. */
static bool home_is_heard(struct broker *b, const struct connection *c)
{
    return route_owner(&b->route, home_of_account(c->account), b->now) != NULL;
}

/* LOOKUP answers a device more than somebody without a session. */
static bool speaks_as_device(const struct connection *c, const struct kind_rule *rule)
{
    return rule->needs_session || (rule->kind == KIND_LOOKUP && session_bound(c));
}

static enum status request_handle(struct broker *b, const struct request *r)
{
    const struct frame_header *header = &r->frame->header;
    const struct kind_rule *rule = kind_rule_of(header->kind);
    ENSURE(rule && header->kind < sizeof handlers / sizeof handlers[0] && handlers[header->kind]);
    if (header->correlation == 0) return STATUS_MALFORMED;
    if (b->draining && header->kind != KIND_PING) return STATUS_DRAINING;
    if (rule->needs_session && !session_bound(r->c)) return STATUS_NO_SESSION;
    if (speaks_as_device(r->c, rule) && !home_is_heard(b, r->c)) return STATUS_BUSY;
    return handlers[header->kind](b, r);
}

/* Refusals that only a broken or hostile client earns are an event, once per connection. */
static void refusal_tell(struct broker *b, struct connection *c, enum status s, unsigned kind)
{
    if (s != STATUS_MALFORMED && s != STATUS_TOO_LARGE && s != STATUS_UNSUPPORTED) return;
    if (c->refusal_told) return;
    c->refusal_told = true;
    struct event e = {.kind = EVENT_FRAME_REFUSED, .code = (uint32_t)s, .count = kind};
    if (session_bound(c)) {
        e.account = mark_account(&b->config.marks, c->account);
        e.device = mark_device(&b->config.marks, c->device);
    }
    broker_event(b, e);
}

/* The table is full: answered without an entry, so that the client knows to come back. */
static void turn_away(struct broker *b, uint32_t routing, uint64_t correlation)
{
    b->counts.busy++;
    buffer_clear(&b->scratch);
    frame_write_error(&b->scratch, correlation, 0, STATUS_BUSY, 10 * RETRY_AFTER_MS);
    (void)b->config.out.to_client(b->config.out.context, routing, buffer_view(&b->scratch));
}

static bool transport_equal(const struct transport_pk *a, const struct transport_pk *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

/* The entry of whoever speaks, NULL when there is none yet. Another key means another connection
 * under a routing id that a client chose: the one before it has vanished. */
static struct connection *speaker(struct broker *b, uint32_t routing,
                                  const struct transport_pk *key)
{
    struct connection *c = session_by_routing(&b->sessions, routing);
    if (!c || transport_equal(&c->transport, key)) return c;
    client_forget(b, c);
    return NULL;
}

static void rate_tell(struct broker *b, const struct connection *c, struct event e)
{
    if (session_bound(c)) {
        e.account = mark_account(&b->config.marks, c->account);
        e.device = mark_device(&b->config.marks, c->device);
    }
    broker_event(b, e);
}

static void flood_cut(struct broker *b, struct connection *c)
{
    uint32_t routing = c->routing;
    b->counts.cut++;
    rate_tell(b, c, (struct event){.kind = EVENT_FLOOD_CUT, .count = c->limited});
    client_forget(b, c);
    client_cut(b, routing);
}

/* true: it may be looked at. Otherwise it was answered, or cut off: c may be dead. */
static bool within_rate(struct broker *b, struct connection *c, const struct metered *m,
                        const struct frame_header *header)
{
    struct meter_verdict v;
    enum status s = meter_take(&b->meter, b->now.mono_ms, m, &v);
    c->limited = s == STATUS_OK ? 0 : c->limited + 1;
    if (s == STATUS_OK) return true;
    if (s == STATUS_GONE || (!session_bound(c) && c->limited > METER_STRANGER_MAX)) {
        flood_cut(b, c);
        return false;
    }
    if (v.untold)
        rate_tell(b, c, (struct event){.kind = v.meter <= METER_ADDRESS_LOOSE ? EVENT_ADDRESS_LIMITED
                                                                             : EVENT_RATE_LIMITED,
                                       .code = v.meter, .count = v.untold, .value = v.retry_after_ms});
    (void)client_reply_limited(b, c, header, v.retry_after_ms);
    return false;
}

static void client_frame(struct broker *b, uint32_t routing, const struct transport_pk *key,
                         const struct peer_address *from, struct view bytes)
{
    struct frame frame;
    enum status s = frame_check(bytes, FROM_CLIENT, &frame);
    struct connection *c = speaker(b, routing, key);
    if (!c) c = session_connect(&b->sessions, routing, key, b->now.mono_ms);
    if (!c) {
        turn_away(b, routing, frame.header.correlation);
        return;
    }
    c->heard_ms = b->now.mono_ms;
    struct metered m = {.c = c, .from = *from,
                        .kind = s == STATUS_OK ? frame.header.kind : KIND_NONE,
                        .len = bytes.len};
    if (!within_rate(b, c, &m, &frame.header)) return;
    if (s == STATUS_OK)
        s = request_handle(b, &(struct request){.c = c, .frame = &frame, .bytes = bytes});
    if (s == STATUS_OK) return;
    refusal_tell(b, c, s, frame.header.kind);
    (void)client_reply_error(b, c, frame.header.correlation, frame.header.home, s);
}

void broker_client_gone(struct broker *b, struct now now, uint32_t routing)
{
    b->now = now;
    struct connection *c = session_by_routing(&b->sessions, routing);
    if (c) client_forget(b, c);
}

void broker_client_frame(struct broker *b, struct now now, uint32_t routing,
                         const struct transport_pk *key, const struct peer_address *from,
                         struct view frame)
{
    b->now = now;
    b->counts.frames_in++;
    client_frame(b, routing, key, from, frame);
    if (b->eager) worker_flush(b, b->eager);
}
