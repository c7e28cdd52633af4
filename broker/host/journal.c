/* journal: one JSON line per event, one write() per line, never waiting. What is not here: how an
 * event becomes JSON (event_json.c). A sink that is full or gone costs events, which are counted and
 * told of (events_dropped) by the first line that gets through again; it never costs the service.
 * Invariant: a kind has no more lines in a second than its share, and each event was written, stands in
 * a rate's surplus, or in `dropped`, until that is told. */
#include "broker/host/journal.h"

#include "broker/host/event_json.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KINDS_MAX 128u /* event kinds are below; what is not one shares place 0 */

/* One kind of event in the present second. */
struct rate {
    uint64_t lines;   /* wanted */
    uint64_t surplus; /* of these, not written */
};

struct journal {
    char *path; /* NULL = standard error */
    const char *role;
    int fd;           /* -1 = no sink: tried again with each event */
    bool torn;        /* the last line was written in part: end it first */
    uint64_t dropped; /* since the last line that got through */
    uint64_t at_ms;   /* of the last event */
    uint64_t second;  /* whose lines are counted in rates */
    struct rate rates[KINDS_MAX];
};

#define X(NAME, code, text, level, c, n, v) _Static_assert((code) < KINDS_MAX, #NAME);
EVENT_LIST(X)
#undef X

/* O_NONBLOCK is for a sink that is a pipe; O_APPEND keeps the lines of several processes whole. */
static void journal_reopen(struct journal *j)
{
    if (j->fd < 0 && j->path)
        j->fd =
            open(j->path, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0600);
}

struct journal *journal_open(const char *path, const char *role)
{
    bool standard = strcmp(path, "-") == 0;
    struct journal *j = calloc(1, sizeof *j);
    ENSURE(j);
    j->role = role;
    j->fd = standard ? STDERR_FILENO : -1;
    j->path = standard ? NULL : strdup(path);
    ENSURE(standard || j->path);
    journal_reopen(j);
    return j;
}

/* Standard error is shared with others and stays a blocking descriptor, hence poll. */
static bool sink_ready(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    return fd >= 0 && poll(&p, 1, 0) == 1 && (p.revents & POLLOUT);
}

static bool line_write(struct journal *j, const struct event *e)
{
    char line[EVENT_JSON_MAX + 3];
    size_t start = 0;
    if (!sink_ready(j->fd)) return false;
    if (j->torn) line[start++] = '\n';
    event_json_of(e, j->role, line + start, EVENT_JSON_MAX);
    size_t len = strlen(line + start) + start;
    line[len++] = '\n';
    ssize_t put = write(j->fd, line, len);
    if (put > 0) j->torn = (size_t)put < len;
    return put == (ssize_t)len;
}

static void journal_fail(struct journal *j, uint64_t events)
{
    j->dropped += events;
    bool gone = errno == EPIPE || errno == EBADF || errno == ENXIO || errno == EIO;
    if (!j->path || j->fd < 0 || !gone) return;
    close(j->fd);
    j->fd = -1;
}

/* A line that stands for so many events. */
static void line_put(struct journal *j, const struct event *e, uint64_t events)
{
    errno = 0;
    journal_reopen(j);
    if (j->dropped) {
        struct event lost = {.at_ms = e->at_ms, .kind = EVENT_EVENTS_DROPPED, .count = j->dropped};
        if (line_write(j, &lost)) j->dropped = 0;
    }
    if (j->dropped || !line_write(j, e)) journal_fail(j, events);
}

static void surplus_tell(struct journal *j)
{
    for (uint32_t kind = 0; kind < KINDS_MAX; kind++) {
        uint64_t surplus = j->rates[kind].surplus;
        struct event lost = {.at_ms = j->at_ms, .kind = EVENT_EVENTS_DROPPED, .code = kind,
                             .count = surplus};
        if (surplus) line_put(j, &lost, surplus);
    }
    memset(j->rates, 0, sizeof j->rates);
}

/* Not every clock of a process was read just now: an event of the second before belongs to this one. A
 * clock that was set back further begins anew. */
static void second_step(struct journal *j, uint64_t at_ms)
{
    uint64_t second = at_ms / 1000;
    j->at_ms = at_ms;
    if (second == j->second || second + 1 == j->second) return;
    surplus_tell(j);
    j->second = second;
}

void journal_write(struct journal *j, const struct event *e)
{
    bool warning = event_level((uint64_t)e->kind) == LEVEL_WARN;
    uint64_t kind = (uint64_t)e->kind;
    second_step(j, e->at_ms);
    struct rate *rate = &j->rates[kind < KINDS_MAX ? kind : 0];
    if (++rate->lines > (warning ? JOURNAL_WARNINGS_MAX : JOURNAL_LINES_MAX))
        rate->surplus++;
    else
        line_put(j, e, 1);
}

void journal_close(struct journal **j)
{
    if (!*j) return;
    surplus_tell(*j);
    if ((*j)->path && (*j)->fd >= 0) close((*j)->fd);
    free((*j)->path);
    free(*j);
    *j = NULL;
}
