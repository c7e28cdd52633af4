/* loop: the event loop of the command line, and the few waits with an end of their own. Knows no command.
 * Invariant: a run always ends: deadline, signal, or the library's own end. */
#include "clients/cli/loop.h"

#include "broker/host/host.h"
#include "clients/cli/news.h"

#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#define TURN_MAX_MS 500u /* another process on this home may change what a run waits for */

uint64_t loop_now_ms(void)
{
    return host_now().mono_ms;
}

uint64_t loop_deadline_ms(long long seconds)
{
    return loop_now_ms() + (uint64_t)seconds * 1000;
}

static void event_note(struct device *d, const struct sealmq_event *event)
{
    if (event->kind == SEALMQ_EVENT_CONNECTED) d->met = true;
    if (event->kind == SEALMQ_EVENT_LEFT) d->left = true;
    if (event->kind == SEALMQ_EVENT_IDENTITY && event->operation && event->status != SEALMQ_OK) d->unmade = *event;
    if (event->kind == SEALMQ_EVENT_CONTACT) news_tell(d, event);
    if (event->kind != SEALMQ_EVENT_PROMPT) return;
    if (event->prompt == SEALMQ_PROMPT_RELAY_FORKED || event->prompt == SEALMQ_PROMPT_CONTACT_FORKED ||
        event->prompt == SEALMQ_PROMPT_HOME_COPIED || event->prompt == SEALMQ_PROMPT_DEVICE_OUT ||
        event->prompt == SEALMQ_PROMPT_DEVICE_LEFT ||
        event->prompt == SEALMQ_PROMPT_CONTACT_UNVERIFIED || event->prompt == SEALMQ_PROMPT_OWN_DEVICES ||
        event->prompt == SEALMQ_PROMPT_CONTACT_SILENT || event->prompt == SEALMQ_PROMPT_WEAK_SESSION ||
        event->prompt == SEALMQ_PROMPT_RECOVERY_USED || event->prompt == SEALMQ_PROMPT_RECOVERY_CHANGED ||
        event->prompt == SEALMQ_PROMPT_LINKED || event->prompt == SEALMQ_PROMPT_UNLINKED)
        d->warnings |= 1u << event->prompt;
    if (event->prompt == SEALMQ_PROMPT_CONTACT_UNVERIFIED) d->unverified = event->account;
}

static void progress_turn(struct device *d)
{
    struct sealmq_connection connection;
    uint64_t now_ms = loop_now_ms();
    if (d->command->json || !progress_due(&d->progress, now_ms)) return;
    const char *hint = device_hint(d, &connection);
    progress_tell(&d->progress, now_ms, connection.session ? d->waiting : hint);
}

static enum sealmq_status turn(struct device *d, const struct loop_watch *watch)
{
    struct sealmq_event event = SEALMQ_INIT(struct sealmq_event);
    enum sealmq_status s = sealmq_process(d->client);
    while (sealmq_next_event(d->client, &event)) {
        event_note(d, &event);
        if (watch->event != NULL) watch->event(watch->self, &event);
    }
    progress_turn(d);
    return s;
}

static void wait(struct device *d, uint64_t deadline_ms)
{
    struct pollfd fds[] = {{.fd = sealmq_fd(d->client), .events = POLLIN},
                           {.fd = d->signal_fd, .events = POLLIN}};
    uint64_t now_ms = loop_now_ms(), left_ms = deadline_ms > now_ms ? deadline_ms - now_ms : 0;
    int wait_ms = sealmq_deadline_ms(d->client);
    if (wait_ms < 0 || wait_ms > (int)TURN_MAX_MS) wait_ms = TURN_MAX_MS;
    if (left_ms < (uint64_t)wait_ms) wait_ms = (int)left_ms;
    if (poll(fds, d->signal_fd >= 0 ? 2 : 1, wait_ms) > 0 && fds[1].revents != 0 &&
        host_signal_take(d->signal_fd) != 0)
        d->signalled = true;
}

enum loop_end loop_run(struct device *d, const struct loop_watch *watch, uint64_t deadline_ms)
{
    for (;;) {
        enum sealmq_status s = turn(d, watch);
        if (s != SEALMQ_OK && s != SEALMQ_REFUSED) return LOOP_FAILED;
        if (s == SEALMQ_REFUSED && !d->stopped[0]) snprintf(d->stopped, sizeof d->stopped, "%s", sealmq_error(d->client));
        if (watch->done(watch->self)) return LOOP_DONE;
        if (s == SEALMQ_REFUSED) return LOOP_STOPPED;
        if (d->signalled) return LOOP_SIGNAL;
        if (loop_now_ms() >= deadline_ms) return LOOP_TIMEOUT;
        wait(d, deadline_ms);
    }
}

int loop_fail(struct device *d, enum loop_end end)
{
    progress_end(&d->progress);
    if (end == LOOP_SIGNAL) return command_fail(d->command, EXIT_FAILED, "stopped by a signal");
    return command_fail(d->command, EXIT_FAILED, "%s", end == LOOP_STOPPED ? d->stopped : sealmq_error(d->client));
}

/* ---- runs with an end of their own ---- */

/* A watch that passes everything on to the caller's, but has its own end. */
struct inner {
    struct device *device;
    const struct loop_watch *outer;
    const char *handle; /* asked for, or NULL */
    bool answered;
    enum sealmq_status status;
    struct sealmq_account account;
};

static void inner_event(void *self, const struct sealmq_event *event)
{
    struct inner *inner = self;
    if (inner->handle != NULL && event->kind == SEALMQ_EVENT_LOOKUP && strcmp(event->handle, inner->handle) == 0) {
        inner->answered = true;
        inner->status = event->status;
        inner->account = event->account;
    }
    if (inner->outer->event != NULL) inner->outer->event(inner->outer->self, event);
}

static bool connection_read(struct device *d, struct sealmq_connection *out)
{
    *out = (struct sealmq_connection)SEALMQ_INIT(struct sealmq_connection);
    return sealmq_connection_get(d->client, out) == SEALMQ_OK;
}

static bool has_flushed(void *self)
{
    struct sealmq_connection connection;
    struct device *d = ((struct inner *)self)->device;
    return connection_read(d, &connection) && !connection.acks_open;
}

void loop_flush(struct device *d, const struct loop_watch *watch, uint64_t wait_ms)
{
    struct inner inner = {.device = d, .outer = watch};
    struct loop_watch own = {&inner, inner_event, has_flushed};
    if (!d->connected || has_flushed(&inner)) return;
    (void)loop_run(d, &own, loop_now_ms() + wait_ms);
}

bool loop_is_fresh(struct device *d)
{
    struct sealmq_connection connection;
    if (!d->met || !connection_read(d, &connection)) return false;
    d->fresh = connection.session && connection.idle;
    return d->fresh;
}

static bool has_left(void *self)
{
    struct sealmq_connection connection;
    struct device *d = ((struct inner *)self)->device;
    return d->left || !connection_read(d, &connection) || !connection.up;
}

void loop_leave(struct device *d, const struct loop_watch *watch, uint64_t wait_ms)
{
    struct sealmq_connection connection;
    struct inner inner = {.device = d, .outer = watch};
    struct loop_watch own = {&inner, inner_event, has_left};
    if (!d->connected || !connection_read(d, &connection) || !connection.session) return;
    d->left = false;
    d->signalled = false;
    sealmq_leave(d->client);
    (void)loop_run(d, &own, loop_now_ms() + wait_ms);
}

static bool is_answered(void *self)
{
    return ((struct inner *)self)->answered;
}

enum sealmq_status loop_lookup(struct device *d, const struct loop_watch *watch, const char *handle, uint32_t wait_ms,
                               struct sealmq_account *out)
{
    struct inner inner = {.device = d, .outer = watch, .handle = handle};
    struct loop_watch own = {&inner, inner_event, is_answered};
    memset(out, 0, sizeof *out);
    enum sealmq_status s = sealmq_lookup(d->client, handle, wait_ms);
    if (s != SEALMQ_OK) return s;
    if (loop_run(d, &own, UINT64_MAX) != LOOP_DONE) return SEALMQ_GONE;
    if (inner.status == SEALMQ_OK) *out = inner.account;
    return inner.status;
}
