/* api_home: homes: making one, opening one as a client, closing it. A home is a directory of mode 0700 with one SQLite
 * file, and with the key that opens its secrets unless a passphrase does. Invariant: no secret is read here. */
#include "clients/api.h"
#include "clients/api_guest.h"

#include "broker/host/host.h"
#include "broker/wire/identity.h"
#include "clients/state/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATE_FILE "state.db"
#define KEY_FILE   "key"

/* ---- the directory ---- */

static enum status home_check(const char *home, char *error, size_t cap)
{
    struct stat st;
    if (stat(home, &st) != 0) {
        bool missing = errno == ENOENT;
        snprintf(error, cap, "cannot use %s: %s", home, strerror(errno));
        return missing ? STATUS_NOT_FOUND : STATUS_IO;
    }
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid()) {
        snprintf(error, cap, "%s is not a directory of yours: choose another home", home);
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

enum status api_home_make(const char *home, char *error, size_t cap)
{
    if (mkdir(home, 0700) == 0) {
        if (parent_sync(home) == STATUS_OK) return STATUS_OK;
    } else if (errno == EEXIST) {
        return home_check(home, error, cap);
    }
    snprintf(error, cap, "cannot make %s: %s", home, strerror(errno));
    return STATUS_IO;
}

enum status api_home_state_open(const char *home, const char *passphrase_file, bool make, struct state **out, char *error,
                                size_t cap)
{
    char path[PATH_MAX], key[PATH_MAX];
    struct home_lock lock = {.key_file = key, .passphrase_file = passphrase_file, .make = make};
    *out = NULL;
    if ((size_t)snprintf(path, sizeof path, "%s/%s", home, STATE_FILE) >= sizeof path ||
        (size_t)snprintf(key, sizeof key, "%s/%s", home, KEY_FILE) >= sizeof key) {
        snprintf(error, cap, "the path of the home is too long: choose another home");
        return STATUS_CONFIG;
    }
    return sqlite_state_open(path, &lock, out, error, cap);
}

/* ---- making ---- */

static enum status options_fail(enum status s, char *error, size_t cap)
{
    snprintf(error, cap, "the options are not those of this version of the library: make them with SEALMQ_INIT");
    return s;
}

static enum status wish_check(const struct sealmq_create_options *o, char *error, size_t cap)
{
    ENSURE(o->home != NULL && o->endpoints != NULL);
    if (o->handle != NULL && handle_check(view_of(o->handle, strlen(o->handle))) != STATUS_OK) {
        snprintf(error, cap, HANDLE_RULE);
        return STATUS_MALFORMED;
    }
    if (strlen(o->endpoints) > STATE_ENDPOINTS_LEN_MAX) {
        snprintf(error, cap, "the list of relay addresses is too long: name fewer");
        return STATUS_CONFIG;
    }
    return transport_endpoints_check(o->endpoints, error, cap);
}

static enum status account_make(struct state *state, const struct sealmq_create_options *o, char *error, size_t cap)
{
    struct random_source random = api_random();
    struct account_wish wish = {.endpoints = view_of(o->endpoints, strlen(o->endpoints))};
    if (o->handle != NULL) wish.handle = view_of(o->handle, strlen(o->handle));
    memcpy(wish.server.bytes, o->server.bytes, sizeof wish.server.bytes);
    enum status s = account_create(state, &random, host_now(), &wish);
    if (s == STATUS_STATE) return STATUS_OK; /* there is an identity */
    if (s != STATUS_OK) api_state_explain(state, s, error, cap);
    return s;
}

static enum status home_create(const struct sealmq_create_options *options, char *error, size_t cap)
{
    struct sealmq_create_options o;
    struct state *state = NULL;
    enum status s = api_take(options, &o, sizeof o);
    if (s != STATUS_OK) return options_fail(s, error, cap);
    s = wish_check(&o, error, cap);
    if (s == STATUS_OK) s = api_home_make(o.home, error, cap);
    if (s == STATUS_OK) s = api_home_state_open(o.home, o.passphrase_file, true, &state, error, cap);
    if (s == STATUS_OK) s = account_make(state, &o, error, cap);
    state_close(&state);
    return s;
}

enum sealmq_status sealmq_create(const struct sealmq_create_options *options, char *error, size_t error_cap)
{
    if (sodium_init() < 0) return SEALMQ_IO;
    return (enum sealmq_status)home_create(options, error, error_cap);
}

/* ---- opening and closing ---- */

static enum status engine_open(struct sealmq_client *c, const struct sealmq_open_options *o)
{
    struct engine_config config = {.random = api_random(), .ack_pace_ms = ENGINE_ACK_PACE_MS,
                                   .prekeys = true, .client_version = SEALMQ_VERSION,
                                   .attach = o->receive, .credit_messages = o->receive_max};
    enum status s = engine_new(&config, c->state, &c->engine);
    if (s == STATUS_NOT_FOUND)
        snprintf(c->error, sizeof c->error, "there is no account in this home yet");
    else if (s != STATUS_OK)
        api_state_explain(c->state, s, c->error, sizeof c->error);
    return s;
}

static enum status client_fill(struct sealmq_client *c, const struct sealmq_open_options *o)
{
    c->events = calloc(API_EVENTS_MAX, sizeof *c->events);
    ENSURE(c->events != NULL);
    c->poll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (c->poll_fd < 0) {
        snprintf(c->error, sizeof c->error, "no descriptor to wait on: %s", strerror(errno));
        return STATUS_IO;
    }
    enum status s = api_home_state_open(o->home, o->passphrase_file, false, &c->state, c->error, sizeof c->error);
    if (s == STATUS_OK) s = engine_open(c, o);
    return s == STATUS_OK ? prompts_open(c) : s;
}

static enum status client_open(const struct sealmq_open_options *options, struct sealmq_client **out, char *error,
                               size_t cap)
{
    struct sealmq_open_options o;
    enum status s = api_take(options, &o, sizeof o);
    if (s != STATUS_OK) return options_fail(s, error, cap);
    ENSURE(o.home != NULL);
    s = home_check(o.home, error, cap);
    if (s != STATUS_OK) return s;
    struct sealmq_client *c = calloc(1, sizeof *c);
    ENSURE(c != NULL);
    c->poll_fd = -1;
    s = client_fill(c, &o);
    if (s == STATUS_OK) {
        *out = c;
        return s;
    }
    snprintf(error, cap, "%s", c->error);
    sealmq_close(&c);
    return s;
}

enum sealmq_status sealmq_open(const struct sealmq_open_options *options, struct sealmq_client **out, char *error,
                               size_t error_cap)
{
    *out = NULL;
    if (sodium_init() < 0) return SEALMQ_IO;
    return (enum sealmq_status)client_open(options, out, error, error_cap);
}

/* What need not be remembered any longer goes, a bounded piece at each end of a process: ended messages,
 * and received ones that were shown, after the 30 days in which their ids guard against repetition. */
static void forget_old(struct sealmq_client *c)
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

void sealmq_close(struct sealmq_client **client)
{
    struct sealmq_client *c = *client;
    if (c == NULL) return;
    transport_close(&c->transport);
    engine_free(&c->engine);
    if (c->state && c->state->open == 0) forget_old(c);
    state_close(&c->state);
    arena_fini(&c->arena);
    arena_fini(&c->inbox_arena);
    arena_fini(&c->history_arena);
    buffer_fini(&c->history);
    if (c->poll_fd >= 0) close(c->poll_fd);
    free(c->events);
    free(c);
    *client = NULL;
}

const char *sealmq_error(const struct sealmq_client *client)
{
    return client->error;
}

const char *sealmq_version(void)
{
    return SEALMQ_VERSION;
}
