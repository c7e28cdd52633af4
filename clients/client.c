/* client: glue between the engine (a core), the transport (a socket), the state (a file) and the
 * clock. Decides nothing about messages: it carries frames and events, and waits.
 * Invariants: after each turn the engine has seen everything that had arrived, and the transport
 * has everything that it would take; a run always ends (deadline, signal, or the engine's own
 * end); no secret key stays in memory after client_connect but in the transport, and the home's
 * own in the state. */
#include "clients/client.h"

#include "broker/host/host.h"
#include "clients/state/sqlite.h"
#include "clients/transport.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATE_FILE  "state.db"
#define KEY_FILE    "key"
#define TURN_MAX_MS 500u
#define LOCKED_TRIES 3u
/* Correlation ids with this bit are ours, the engine's are small numbers. */
#define LOOKUP_BIT (1ull << 63)

struct lookup_call {
    uint64_t correlation; /* 0 = none is under way */
    struct view handle;   /* the caller's */
    bool answered;
    enum status status;
    struct account_id account;
};

struct client {
    struct state *state;
    struct engine *engine;
    struct transport *transport;
    struct arena arena; /* of identity */
    struct state_identity identity;
    int signal_fd;
    bool signalled;
    bool stopped; /* the relay's last word */
    bool failed;  /* the home's last word */
    bool left;
    bool forked;  /* the relay shows another log of ours than we hold */
    struct lookup_call lookup;
    uint64_t lookup_count;
    char error[CLIENT_ERROR_MAX];
};

struct now client_now(void)
{
    return host_now();
}

static void random_fill_host(void *self, void *out, size_t len)
{
    (void)self;
    host_random(out, len);
}

static struct random_source random_host(void)
{
    return (struct random_source){.fill = random_fill_host};
}

/* ---- the home ---- */

static enum status home_check(const char *home, char *error, size_t cap)
{
    struct stat st;
    if (stat(home, &st) != 0) {
        bool missing = errno == ENOENT;
        snprintf(error, cap, "cannot use %s: %s%s", home, strerror(errno),
                 missing ? ": make a home with init first" : "");
        return missing ? STATUS_NOT_FOUND : STATUS_IO;
    }
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid()) {
        snprintf(error, cap, "%s is not a directory of yours: choose another --home", home);
        return STATUS_CONFIG;
    }
    if ((st.st_mode & 077) != 0) {
        snprintf(error, cap, "%s is open to others, and secret keys are kept there: chmod 700 it",
                 home);
        return STATUS_CONFIG;
    }
    return STATUS_OK;
}

/* The directory's own entry must survive a loss of power too. */
static enum status parent_sync(const char *home)
{
    char parent[PATH_MAX];
    snprintf(parent, sizeof parent, "%s/..", home);
    int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return STATUS_IO;
    int result = fsync(fd);
    close(fd);
    return result == 0 ? STATUS_OK : STATUS_IO;
}

static enum status home_make(const char *home, char *error, size_t cap)
{
    if (mkdir(home, 0700) == 0) {
        if (parent_sync(home) == STATUS_OK) return STATUS_OK;
    } else if (errno == EEXIST) {
        return home_check(home, error, cap);
    }
    snprintf(error, cap, "cannot make %s: %s", home, strerror(errno));
    return STATUS_IO;
}

static enum status home_state_open(const char *home, const struct client_options *options, bool make,
                                   struct state **out, char *error, size_t cap)
{
    char path[PATH_MAX], key[PATH_MAX];
    struct home_lock lock = {.key_file = key, .passphrase_file = options->passphrase_file, .make = make};
    *out = NULL;
    if ((size_t)snprintf(path, sizeof path, "%s/%s", home, STATE_FILE) >= sizeof path ||
        (size_t)snprintf(key, sizeof key, "%s/%s", home, KEY_FILE) >= sizeof key) {
        snprintf(error, cap, "the path of the home is too long: choose another --home");
        return STATUS_CONFIG;
    }
    return sqlite_state_open(path, &lock, out, error, cap);
}

static void state_explain(const struct state *s, enum status status, char *error, size_t cap)
{
    if (status == STATUS_LOCKED)
        snprintf(error, cap, "another process is writing to this home: try again");
    else if (status == STATUS_DAMAGED)
        snprintf(error, cap,
                 "the home's " STATE_FILE " is damaged: restore it from a copy, or make "
                 "a new home");
    else
        snprintf(error, cap, "the home's " STATE_FILE " cannot be used: %s",
                 sqlite_state_reason(s));
}

enum status client_create(const char *home, const struct client_options *options, const struct account_wish *wish,
                          char *error, size_t cap)
{
    struct state *state = NULL;
    struct random_source random = random_host();
    enum status s = home_make(home, error, cap);
    if (s == STATUS_OK) s = home_state_open(home, options, true, &state, error, cap);
    if (s != STATUS_OK) return s;
    s = account_create(state, &random, host_now(), wish);
    if (s == STATUS_STATE) s = STATUS_OK; /* there is an identity */
    if (s == STATUS_MALFORMED)
        snprintf(error, cap,
                 "a handle is 1 to %u bytes of UTF-8 without spaces, control characters "
                 "or '/'",
                 HANDLE_LEN_MAX);
    else if (s != STATUS_OK)
        state_explain(state, s, error, cap);
    state_close(&state);
    return s;
}

/* ---- opening and closing ---- */

enum status client_identity_load(struct client *c)
{
    arena_reset(&c->arena);
    enum status s = state_begin(c->state, STATE_READ);
    if (s == STATUS_OK) {
        s = state_identity_get(c->state, &c->arena, &c->identity);
        state_rollback(c->state);
    }
    if (s == STATUS_NOT_FOUND)
        snprintf(c->error, sizeof c->error, "this home has no identity yet: run init first");
    else if (s != STATUS_OK)
        state_explain(c->state, s, c->error, sizeof c->error);
    return s;
}

static enum status engine_open(struct client *c, const struct client_options *options)
{
    struct engine_config config = {.random = random_host(), .ack_pace_ms = ENGINE_ACK_PACE_MS, .prekeys = true,
                                   .client_version = SEALMQ_VERSION,
                                   .attach = options->attach,
                                   .credit_messages = options->credit_messages,
                                   .status_every_ms = options->status_every_ms};
    enum status s = client_identity_load(c);
    if (s != STATUS_OK) return s;
    s = engine_new(&config, c->state, &c->engine);
    if (s != STATUS_OK) state_explain(c->state, s, c->error, sizeof c->error);
    return s;
}

enum status client_open(const char *home, const struct client_options *options, struct client **out,
                        char *error, size_t cap)
{
    *out = NULL;
    enum status s = home_check(home, error, cap);
    if (s != STATUS_OK) return s;
    struct client *c = calloc(1, sizeof *c);
    ENSURE(c != NULL);
    c->signal_fd = -1;
    s = home_state_open(home, options, false, &c->state, error, cap);
    if (s == STATUS_OK) {
        s = engine_open(c, options);
        if (s != STATUS_OK) snprintf(error, cap, "%s", c->error);
    }
    if (s != STATUS_OK) client_close(&c);
    *out = c;
    return s;
}

/* What need not be remembered any longer goes, a bounded piece at each end of a process: ended messages,
 * and received ones that were shown, after the 30 days in which their ids guard against repetition. */
static void forget_old(struct client *c)
{
    uint64_t now_ms = host_now().wall_ms, keep_ms = CLIENT_DEDUP_KEEP_MS;
    struct state_prune limits = {.outbox_ended_before_ms = now_ms - keep_ms,
                                 .inbox_before_ms = now_ms - keep_ms, .row_max = 1000};
    bool more;
    if (now_ms <= keep_ms || state_begin(c->state, STATE_WRITE) != STATUS_OK) return;
    if (state_prune(c->state, &limits, &more) != STATUS_OK)
        state_rollback(c->state);
    else if (state_commit(c->state) != STATUS_OK)
        return; /* nothing rests on it: the next process tries again */
}

void client_close(struct client **c)
{
    if (*c == NULL) return;
    transport_close(&(*c)->transport);
    engine_free(&(*c)->engine);
    if ((*c)->state && (*c)->state->open == 0) forget_old(*c);
    state_close(&(*c)->state);
    arena_fini(&(*c)->arena);
    if ((*c)->signal_fd >= 0) close((*c)->signal_fd);
    free(*c);
    *c = NULL;
}

struct state *client_state(struct client *c)
{
    return c->state;
}

struct engine *client_engine(struct client *c)
{
    return c->engine;
}

const struct state_identity *client_identity(const struct client *c)
{
    return &c->identity;
}

enum status client_relay_set(struct client *c, struct view endpoints, struct transport_pk server)
{
    ENSURE(c->transport == NULL && endpoints.len <= STATE_ENDPOINTS_LEN_MAX);
    struct arena a = {0};
    struct state_identity identity;
    enum status s = state_begin(c->state, STATE_WRITE);
    if (s == STATUS_OK) {
        s = state_identity_get(c->state, &a, &identity);
        identity.endpoints = endpoints;
        identity.server = server;
        if (s == STATUS_OK) s = state_identity_put(c->state, &identity);
        if (s == STATUS_OK)
            s = state_commit(c->state);
        else
            state_rollback(c->state);
    }
    arena_fini(&a);
    if (s != STATUS_OK) {
        state_explain(c->state, s, c->error, sizeof c->error);
        return s;
    }
    return client_identity_load(c);
}

/* The secret key is read, given to the transport and wiped. */
static enum status transport_start(struct client *c, const char *endpoints)
{
    struct device_secrets *secrets = sodium_malloc(sizeof *secrets);
    ENSURE(secrets != NULL);
    enum status s = state_begin(c->state, STATE_READ);
    if (s == STATUS_OK) {
        s = state_secrets_get(c->state, secrets);
        state_rollback(c->state);
    }
    if (s == STATUS_OK) {
        struct transport_options options = {.endpoints = endpoints,
                                            .server = c->identity.server,
                                            .device = c->identity.record.transport,
                                            .device_sk = secrets->transport_sk};
        s = transport_open(&options, &c->transport, c->error, sizeof c->error);
    } else {
        state_explain(c->state, s, c->error, sizeof c->error);
    }
    sodium_free(secrets);
    return s;
}

enum status client_connect(struct client *c)
{
    char endpoints[STATE_ENDPOINTS_LEN_MAX + 1];
    ENSURE(c->transport == NULL && c->identity.endpoints.len <= STATE_ENDPOINTS_LEN_MAX);
    memcpy(endpoints, c->identity.endpoints.at, c->identity.endpoints.len);
    endpoints[c->identity.endpoints.len] = '\0';
    c->signal_fd = host_signal_fd();
    return transport_start(c, endpoints);
}

/* ---- turns ---- */

/* FOUND or ERROR for client_lookup; the engine never sees it. */
static bool lookup_take(struct client *c, struct view bytes)
{
    struct frame f;
    if (c->lookup.correlation == 0 || frame_check(bytes, FROM_RELAY, &f) != STATUS_OK ||
        f.header.correlation != c->lookup.correlation)
        return false;
    struct arena a = {0};
    c->lookup.answered = true;
    c->lookup.status = STATUS_MALFORMED;
    if (f.header.kind == KIND_FOUND) {
        struct msg_found found;
        c->lookup.status = codec_decode(&msg_found_desc, f.meta, &a, &found);
        c->lookup.account = found.account;
        if (c->lookup.status == STATUS_OK && !handle_proven(&found, c->lookup.handle, &a))
            c->lookup.status = STATUS_BAD_ENTRY;
    } else if (f.header.kind == KIND_ERROR) {
        struct msg_error error;
        if (codec_decode(&msg_error_desc, f.meta, &a, &error) == STATUS_OK)
            c->lookup.status = status_from_wire(error.status);
    }
    arena_fini(&a);
    return true;
}

static void frames_receive(struct client *c, struct now now)
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
            if (!lookup_take(c, event.frame)) engine_frame(c->engine, now, event.frame);
            break;
        }
    }
}

static void frames_send(struct client *c)
{
    struct view frame;
    while (engine_next_frame(c->engine, &frame)) {
        if (transport_send(c->transport, frame) == STATUS_OK) continue;
        engine_keep_frame(c->engine); /* FULL: next turn; GONE: DOWN comes and drops it */
        return;
    }
}

static void event_take(struct client *c, struct now now, const struct engine_event *event)
{
    switch (event->kind) {
    case ENGINE_MOVE:
        transport_move(c->transport);
        engine_down(c->engine, now);
        break;
    case ENGINE_STOPPED:
        c->stopped = true;
        snprintf(c->error, sizeof c->error, "the relay refuses this device (%s): %s",
                 status_name(event->status), status_meaning(event->status));
        break;
    case ENGINE_FAILED:
        c->failed = true;
        state_explain(c->state, event->status, c->error, sizeof c->error);
        break;
    case ENGINE_LEFT:
        c->left = true;
        break;
    case ENGINE_IDENTITY:
        c->forked = c->forked || event->status == STATUS_BAD_ENTRY;
        break;
    case ENGINE_CONNECTED:
    case ENGINE_DISCONNECTED:
    case ENGINE_REGISTERED:
    case ENGINE_HANDLE_REFUSED:
    case ENGINE_MESSAGE:
    case ENGINE_RECEIVED:
    case ENGINE_GAP:
    case ENGINE_SUPERSEDED:
    case ENGINE_OVERFLOW:
        break; /* for the watch only */
    }
}

static void turn(struct client *c, const struct client_watch *watch)
{
    struct now now = host_now();
    struct engine_event event;
    frames_receive(c, now);
    engine_tick(c->engine, now);
    frames_send(c);
    while (engine_next_event(c->engine, &event)) {
        event_take(c, now, &event);
        if (watch->event != NULL) watch->event(watch->self, &event);
    }
    if (watch->tick != NULL) watch->tick(watch->self, now.mono_ms);
}

static void wait(struct client *c, uint64_t deadline_ms)
{
    uint64_t now_ms = host_now().mono_ms;
    uint64_t until_ms = engine_deadline_ms(c->engine);
    if (deadline_ms < until_ms) until_ms = deadline_ms;
    if (now_ms + TURN_MAX_MS < until_ms) until_ms = now_ms + TURN_MAX_MS;
    uint64_t wait_ms = until_ms > now_ms ? until_ms - now_ms : 0;
    if (transport_wait(c->transport, wait_ms, c->signal_fd) && host_signal_take(c->signal_fd) != 0)
        c->signalled = true;
}

enum client_end client_run(struct client *c, const struct client_watch *watch, uint64_t deadline_ms)
{
    ENSURE(c->transport != NULL);
    for (;;) {
        turn(c, watch);
        if (c->failed) return CLIENT_FAILED;
        if (watch->done(watch->self)) return CLIENT_DONE;
        if (c->stopped) return CLIENT_STOPPED;
        if (c->signalled) return CLIENT_SIGNAL;
        if (host_now().mono_ms >= deadline_ms) return CLIENT_TIMEOUT;
        wait(c, deadline_ms);
    }
}

/* ---- runs with an end of their own ---- */

/* A watch that passes everything on to the caller's, but has its own end. */
struct inner {
    struct client *client;
    const struct client_watch *outer;
};

static void inner_event(void *self, const struct engine_event *event)
{
    const struct client_watch *outer = ((struct inner *)self)->outer;
    if (outer->event != NULL) outer->event(outer->self, event);
}

static void inner_tick(void *self, uint64_t mono_ms)
{
    const struct client_watch *outer = ((struct inner *)self)->outer;
    if (outer->tick != NULL) outer->tick(outer->self, mono_ms);
}

enum status client_ack(struct client *c, uint64_t order)
{
    enum status s = STATUS_LOCKED;
    for (unsigned i = 0; s == STATUS_LOCKED && i < LOCKED_TRIES; i++)
        s = engine_ack(c->engine, host_now(), &order, 1);
    return s;
}

static bool has_flushed(void *self)
{
    bool pending;
    struct client *c = ((struct inner *)self)->client;
    return engine_acks_pending(c->engine, &pending) == STATUS_OK && !pending;
}

void client_flush(struct client *c, const struct client_watch *watch, uint64_t wait_ms)
{
    struct inner inner = {c, watch};
    struct client_watch own = {&inner, inner_event, has_flushed, inner_tick};
    if (c->transport == NULL || c->failed || c->stopped || has_flushed(&inner)) return;
    (void)client_run(c, &own, host_now().mono_ms + wait_ms);
}

static bool has_left(void *self)
{
    const struct client *c = ((struct inner *)self)->client;
    return c->left || !transport_is_up(c->transport);
}

void client_leave(struct client *c, const struct client_watch *watch, uint64_t wait_ms)
{
    if (c->transport == NULL || c->failed || c->stopped || !engine_is_bound(c->engine)) return;
    struct inner inner = {c, watch};
    struct client_watch own = {&inner, inner_event, has_left, inner_tick};
    c->left = false;
    c->signalled = false;
    engine_leave(c->engine, host_now());
    (void)client_run(c, &own, host_now().mono_ms + wait_ms);
}

static bool is_bound(void *self)
{
    return engine_is_bound(((struct inner *)self)->client->engine);
}

static bool is_answered(void *self)
{
    const struct client *c = ((struct inner *)self)->client;
    return c->lookup.answered || !engine_is_bound(c->engine);
}

static enum status lookup_send(struct client *c, struct view handle)
{
    struct buffer frame = {0};
    struct msg_lookup ask = {.handle = handle};
    c->lookup = (struct lookup_call){.correlation = LOOKUP_BIT | ++c->lookup_count, .handle = handle,
                                     .status = STATUS_TIMEOUT};
    struct frame_header header = {
        .kind = KIND_LOOKUP, .correlation = c->lookup.correlation, .home = home_of_handle(handle)};
    frame_write(&frame, &header, &msg_lookup_desc, &ask);
    enum status s = transport_send(c->transport, buffer_view(&frame));
    buffer_fini(&frame);
    return s;
}

enum status client_lookup(struct client *c, const struct client_watch *watch, struct view handle,
                          uint64_t deadline_ms, struct account_id *out)
{
    struct inner inner = {c, watch};
    struct client_watch own = {&inner, inner_event, is_bound, inner_tick};
    memset(out, 0, sizeof *out);
    enum client_end end = client_run(c, &own, deadline_ms);
    if (end == CLIENT_DONE && lookup_send(c, handle) == STATUS_OK) {
        own.done = is_answered;
        end = client_run(c, &own, deadline_ms);
    }
    enum status s = end == CLIENT_DONE || end == CLIENT_TIMEOUT ? STATUS_TIMEOUT : STATUS_GONE;
    if (end == CLIENT_DONE && c->lookup.answered) s = c->lookup.status;
    if (s == STATUS_OK) *out = c->lookup.account;
    c->lookup = (struct lookup_call){0};
    return s;
}

/* ---- words ---- */

bool client_forked(const struct client *c)
{
    return c->forked;
}

const char *client_error(const struct client *c)
{
    return c->error;
}

void client_trouble(const struct client *c, char *out, size_t cap)
{
    const char *endpoint = c->transport != NULL ? transport_endpoint(c->transport) : "the relay";
    if (c->transport == NULL || !transport_is_up(c->transport)) {
        enum transport_trouble trouble =
            c->transport != NULL ? transport_trouble(c->transport) : TROUBLE_NONE;
        if (trouble == TROUBLE_HANDSHAKE)
            snprintf(out, cap,
                     "%s answers, but not as the relay of this home: check its server key",
                     endpoint);
        else
            snprintf(out, cap, "no relay answers at %s: check that it runs and can be reached",
                     endpoint);
        return;
    }
    if (!engine_is_bound(c->engine))
        snprintf(out, cap, "%s is connected, but gives no session: it may be starting", endpoint);
    else
        snprintf(out, cap, "%s has not answered in time: it may be overloaded", endpoint);
}
