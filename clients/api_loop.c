/* api_loop: one client in somebody else's event loop: connecting, one descriptor, one deadline, one turn. Decides
 * nothing about messages: it carries frames between engine and transport.
 *
 * libzmq's descriptors tell an edge: that something has changed since the socket was last asked, not that something is
 * there. Invariant: after sealmq_process either nothing waits in the sockets, or `again` says that something may, and then the
 * deadline is now. No secret key stays in memory after sealmq_connect but in the transport. */
#include "clients/api.h"

#include "broker/host/host.h"

#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define TURNS_MAX 8u /* in one sealmq_process: others share the caller's thread */

/* ---- connecting ---- */

static enum status identity_read(struct sealmq_client *c, struct state_identity *out)
{
    arena_reset(&c->arena);
    enum status s = state_begin(c->state, STATE_READ);
    if (s != STATUS_OK) return s;
    s = state_identity_get(c->state, &c->arena, out);
    state_rollback(c->state);
    return s;
}

static enum status secrets_read(struct sealmq_client *c, struct device_secrets *out)
{
    enum status s = state_begin(c->state, STATE_READ);
    if (s != STATUS_OK) return s;
    s = state_secrets_get(c->state, out);
    state_rollback(c->state);
    return s;
}

/* The secret key is read, given to the transport and wiped. */
static enum sealmq_status transport_start(struct sealmq_client *c, const struct state_identity *me)
{
    char endpoints[STATE_ENDPOINTS_LEN_MAX + 1];
    struct device_secrets *secrets = sodium_malloc(sizeof *secrets);
    ENSURE(secrets != NULL);
    api_text_copy(endpoints, sizeof endpoints, me->endpoints);
    enum status s = secrets_read(c, secrets);
    if (s == STATUS_OK) {
        struct transport_options options = {.endpoints = endpoints, .server = me->server,
                                            .device = me->record.transport, .poll_fd = c->poll_fd,
                                            .device_sk = secrets->transport_sk};
        s = transport_open(&options, &c->transport, c->error, sizeof c->error);
    } else {
        (void)api_result(c, s);
    }
    sodium_free(secrets);
    return (enum sealmq_status)s;
}

enum sealmq_status sealmq_connect(struct sealmq_client *c)
{
    struct state_identity me;
    if (c->transport != NULL) return api_fail(c, STATUS_STATE, "this client connects already");
    enum status s = identity_read(c, &me);
    if (s != STATUS_OK) return api_result(c, s);
    api_changed(c);
    return transport_start(c, &me);
}

static enum status relay_put(struct sealmq_client *c, struct view endpoints, const struct sealmq_public_key *server)
{
    struct state_identity me;
    arena_reset(&c->arena);
    enum status s = state_begin(c->state, STATE_WRITE);
    if (s != STATUS_OK) return s;
    s = state_identity_get(c->state, &c->arena, &me);
    me.endpoints = endpoints;
    memcpy(me.server.bytes, server->bytes, sizeof me.server.bytes);
    if (s == STATUS_OK) s = state_identity_put(c->state, &me);
    if (s == STATUS_OK) return state_commit(c->state);
    state_rollback(c->state);
    return s;
}

enum sealmq_status sealmq_relay_set(struct sealmq_client *c, const char *endpoints, const struct sealmq_public_key *server)
{
    struct view list = view_of(endpoints, strlen(endpoints));
    if (c->transport != NULL) return api_fail(c, STATUS_STATE, "this client connects already: set the relay before");
    if (list.len > STATE_ENDPOINTS_LEN_MAX)
        return api_fail(c, STATUS_CONFIG, "the list of relay addresses is too long: name fewer");
    enum status s = transport_endpoints_check(endpoints, c->error, sizeof c->error);
    if (s != STATUS_OK) return (enum sealmq_status)s;
    return api_result(c, relay_put(c, list, server));
}

/* ---- one turn ---- */

static void frames_receive(struct sealmq_client *c, struct now now)
{
    struct transport_event event;
    while (transport_next(c->transport, &event)) {
        switch (event.kind) {
        case TRANSPORT_UP:
            engine_up(c->engine, now);
            break;
        case TRANSPORT_DOWN:
            engine_down(c->engine, now);
            break;
        case TRANSPORT_FRAME:
            if (!lookup_answer(c, event.frame)) engine_frame(c->engine, now, event.frame);
            break;
        }
    }
}

static void frames_send(struct sealmq_client *c)
{
    struct view frame;
    while (engine_next_frame(c->engine, &frame)) {
        if (transport_send(c->transport, frame) == STATUS_OK) continue;
        engine_keep_frame(c->engine); /* FULL: when there is room; GONE: DOWN comes and drops it */
        return;
    }
}

enum sealmq_status sealmq_process(struct sealmq_client *c)
{
    struct now now = host_now();
    if (c->transport != NULL) {
        c->again = true;
        for (unsigned i = 0; i < TURNS_MAX && c->again && c->failure == STATUS_OK; i++) {
            frames_receive(c, now);
            lookups_drive(c, now);
            engine_tick(c->engine, now);
            frames_send(c);
            events_take(c, now);
            c->again = transport_ready(c->transport);
        }
    } else {
        events_take(c, now);
    }
    if (c->failure != STATUS_OK) return (enum sealmq_status)c->failure;
    return c->stopped ? SEALMQ_REFUSED : SEALMQ_OK;
}

int sealmq_fd(const struct sealmq_client *c)
{
    return c->poll_fd;
}

int sealmq_deadline_ms(const struct sealmq_client *c)
{
    if (c->event_count > 0 || c->events_dropped > 0) return 0;
    if (c->transport == NULL || c->failure != STATUS_OK) return -1;
    if (c->again) return 0;
    uint64_t now_ms = host_now().mono_ms, until_ms = engine_deadline_ms(c->engine);
    uint64_t lookups_ms = lookups_deadline_ms(c), max_ms = transport_wait_max_ms(c->transport);
    if (lookups_ms < until_ms) until_ms = lookups_ms;
    uint64_t wait_ms = until_ms > now_ms ? until_ms - now_ms : 0;
    if (until_ms == UINT64_MAX && max_ms == UINT64_MAX) return -1;
    if (max_ms < wait_ms) wait_ms = max_ms;
    return wait_ms < INT_MAX ? (int)wait_ms : INT_MAX;
}

void sealmq_leave(struct sealmq_client *c)
{
    engine_leave(c->engine, host_now());
    api_changed(c);
}

void sealmq_attach(struct sealmq_client *c)
{
    engine_attach(c->engine, host_now());
    api_changed(c);
}

/* ---- how it stands ---- */

static void hint_write(const struct sealmq_client *c, struct sealmq_connection *out)
{
    const char *endpoint = c->transport != NULL ? out->endpoint : "the relay";
    bool over, joining = engine_is_joining(c->engine, &over);
    if (c->stopped)
        snprintf(out->hint, sizeof out->hint, "the relay will not have this device");
    else if (out->trouble == SEALMQ_TROUBLE_HANDSHAKE && !out->up)
        snprintf(out->hint, sizeof out->hint,
                 "%s answers, but not as the relay of this home: check its server key", endpoint);
    else if (!out->up)
        snprintf(out->hint, sizeof out->hint, "no relay answers at %s: check that it runs and can be reached",
                 endpoint);
    else if (!out->session && joining)
        snprintf(out->hint, sizeof out->hint, over ? "this device was not let into the account that it was to join: link it again"
                                                   : "this device waits for a device of its account to let it in");
    else if (!out->session)
        snprintf(out->hint, sizeof out->hint, "%s is connected, but gives no session: it may be starting", endpoint);
    else
        snprintf(out->hint, sizeof out->hint, "%s has not answered in time: it may be overloaded", endpoint);
}

static const enum sealmq_trouble TROUBLES[] = {
    [TROUBLE_NONE] = SEALMQ_TROUBLE_NONE,
    [TROUBLE_CONNECT] = SEALMQ_TROUBLE_CONNECT,
    [TROUBLE_HANDSHAKE] = SEALMQ_TROUBLE_HANDSHAKE,
    [TROUBLE_LOST] = SEALMQ_TROUBLE_LOST,
};

enum sealmq_status sealmq_connection_get(struct sealmq_client *c, struct sealmq_connection *out)
{
    struct sealmq_connection full = {.endpoint = ""};
    enum status s = api_out(out);
    if (s == STATUS_OK) s = engine_acks_pending(c->engine, &full.acks_open);
    if (s != STATUS_OK) return api_result(c, s);
    if (c->transport != NULL) {
        full.up = transport_is_up(c->transport);
        full.session = engine_is_bound(c->engine);
        full.trouble = TROUBLES[transport_trouble(c->transport)];
        full.endpoint = transport_endpoint(c->transport);
    }
    full.idle = engine_is_idle(c->engine);
    hint_write(c, &full);
    api_give(out, &full, sizeof full);
    return SEALMQ_OK;
}
