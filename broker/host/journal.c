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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define KINDS_MAX 128u /* event kinds are below; what is not one shares place 0 */

/* One kind of event in the present second. */
struct rate {
    uint64_t lines;   /* wanted */
    uint64_t surplus; /* of these, not written */
};

struct journal {
    char *path;     /* NULL = standard error */
    char *old_path; /* FILE.1 */
    uint64_t len_max;
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

_Static_assert(JOURNAL_LINE_MAX >= EVENT_JSON_MAX + 3, "a line is an event and its ends");

/* O_NONBLOCK is for a sink that is a pipe; O_APPEND keeps the lines of several processes whole. */
static void sink_open(struct journal *j)
{
    if (j->fd < 0 && j->path)
        j->fd =
            open(j->path, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0600);
}

static void sink_leave(struct journal *j)
{
    close(j->fd);
    j->fd = -1;
    j->torn = false;
}

/* Whether the path still names what we write to: an operator, or another process of the relay, may have
 * renamed it. */
static bool sink_named(const struct journal *j)
{
    struct stat ours, named;
    return fstat(j->fd, &ours) == 0 && stat(j->path, &named) == 0 && ours.st_ino == named.st_ino &&
           ours.st_dev == named.st_dev;
}

static bool sink_has_room(const struct journal *j)
{
    struct stat ours;
    if (j->fd < 0 || fstat(j->fd, &ours) != 0 || !S_ISREG(ours.st_mode)) return true;
    return (uint64_t)ours.st_size + JOURNAL_LINE_MAX <= j->len_max;
}

/* The lock is on the file, not on its name: whoever waits in vain writes on, and who gets it too late sees
 * that the name has gone on to another file, which must not be renamed over the one just put aside. */
static bool sink_rotate(struct journal *j)
{
    if (flock(j->fd, LOCK_EX | LOCK_NB) != 0) return errno == EWOULDBLOCK;
    if (sink_named(j) && rename(j->path, j->old_path) != 0) {
        (void)flock(j->fd, LOCK_UN);
        return false;
    }
    sink_leave(j); /* and the lock */
    sink_open(j);
    return true;
}

/* Before each line; false = there is no room for it. */
static bool sink_follow(struct journal *j)
{
    if (!j->path) return true;
    if (j->fd >= 0 && !sink_named(j)) sink_leave(j);
    sink_open(j);
    return sink_has_room(j) || sink_rotate(j);
}

static char *path_with(const char *path, const char *suffix)
{
    size_t cap = strlen(path) + strlen(suffix) + 1;
    char *joined = malloc(cap);
    ENSURE(joined);
    snprintf(joined, cap, "%s%s", path, suffix);
    return joined;
}

struct journal *journal_open(const char *path, uint64_t len_max, const char *role)
{
    bool standard = strcmp(path, "-") == 0;
    struct journal *j = calloc(1, sizeof *j);
    ENSURE(j && len_max >= JOURNAL_LINE_MAX);
    j->role = role;
    j->len_max = len_max;
    j->fd = standard ? STDERR_FILENO : -1;
    j->path = standard ? NULL : path_with(path, "");
    j->old_path = standard ? NULL : path_with(path, ".1");
    sink_open(j);
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
    char line[JOURNAL_LINE_MAX];
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
    if (!sink_follow(j)) {
        journal_fail(j, events);
        return;
    }
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
    free((*j)->old_path);
    free(*j);
    *j = NULL;
}
