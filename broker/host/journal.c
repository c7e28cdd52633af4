/* journal: one JSON line per event, one write() per line, never waiting. What is not here: how an
 * event becomes JSON (event_json.c). A sink that is full or gone costs events, which are counted and
 * told of (events_dropped) by the first line that gets through again; it never costs the service. */
#include "broker/host/journal.h"

#include "broker/host/event_json.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct journal {
    char *path; /* NULL = standard error */
    const char *role;
    int fd;           /* -1 = no sink: tried again with each event */
    bool torn;        /* the last line was written in part: end it first */
    uint64_t dropped; /* since the last line that got through */
};

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

void journal_close(struct journal **j)
{
    if (!*j) return;
    if ((*j)->path && (*j)->fd >= 0) close((*j)->fd);
    free((*j)->path);
    free(*j);
    *j = NULL;
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

static void journal_fail(struct journal *j)
{
    j->dropped++;
    bool gone = errno == EPIPE || errno == EBADF || errno == ENXIO || errno == EIO;
    if (!j->path || j->fd < 0 || !gone) return;
    close(j->fd);
    j->fd = -1;
}

void journal_write(struct journal *j, const struct event *e)
{
    errno = 0;
    journal_reopen(j);
    if (j->dropped) {
        struct event lost = {.at_ms = e->at_ms, .kind = EVENT_EVENTS_DROPPED, .count = j->dropped};
        if (line_write(j, &lost)) j->dropped = 0;
    }
    if (j->dropped || !line_write(j, e)) journal_fail(j);
}
