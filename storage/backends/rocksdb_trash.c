/* rocksdb_trash: glue; one thread, which knows nothing but names. inotify tells of those that come and go, and
 * where it lost count the folder is read. RocksDB takes NAME.trash away itself whenever somebody opens the folder,
 * also one that is then locked out: a second name that went while the first is there is made again.
 * Invariant: only a file whose first name is gone, and which has no other name than ours, is cut. */
#include "storage/backends/rocksdb_trash.h"
#include "storage/backends/rocksdb_directory.h"

#include "broker/wire/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX     ".trash"
#define STEP_BYTES (1024 * 1024)
#define PAUSE_MS   2    /* between steps: up to half a gigabyte a second ... */
#define LATE_BYTES 1024 /* ... and faster where so much news waits */

struct trash {
    int dir;
    int changes; /* inotify */
    int stop;    /* eventfd */
    pthread_t thread;
};

static bool is_second(const char *name)
{
    size_t len = strlen(name), end = strlen(SUFFIX);
    return len > end && strcmp(name + len - end, SUFFIX) == 0;
}

/* NUMBER.log or NUMBER.sst. */
static bool is_first(const char *name)
{
    size_t digits = strspn(name, "0123456789");
    return digits && (strcmp(name + digits, ".log") == 0 || strcmp(name + digits, ".sst") == 0);
}

struct second_name {
    char text[NAME_MAX + sizeof SUFFIX];
};

static struct second_name second_name(const char *name)
{
    struct second_name second;
    snprintf(second.text, sizeof second.text, "%s%s", name, SUFFIX);
    return second;
}

/* True = stop was asked for. */
static bool pause_or_stop(const struct trash *t)
{
    struct pollfd stop = {.fd = t->stop, .events = POLLIN};
    int waiting = 0;
    bool late = ioctl(t->changes, FIONREAD, &waiting) == 0 && waiting >= LATE_BYTES;
    return poll(&stop, 1, late ? 0 : PAUSE_MS) > 0;
}

static void cut(const struct trash *t, const char *second)
{
    struct stat file;
    int fd = openat(t->dir, second, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return;
    off_t left = fstat(fd, &file) == 0 && file.st_nlink == 1 ? file.st_size : 0;
    while (left > 0) {
        left = left > STEP_BYTES ? left - STEP_BYTES : 0;
        if (ftruncate(fd, left) != 0 || pause_or_stop(t)) break;
    }
    close(fd);
}

/* A file that is there, or gone since: its second name comes, or goes in steps. */
static void look_at(void *self, const char *name)
{
    const struct trash *t = self;
    if (!is_first(name)) return;
    struct second_name second = second_name(name);
    struct stat file;
    if (linkat(t->dir, name, t->dir, second.text, 0) == 0 || errno == EEXIST) {
        bool gone = fstatat(t->dir, name, &file, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT;
        if (!gone) return;
    } else if (errno != ENOENT) {
        return;
    }
    cut(t, second.text);
    (void)unlinkat(t->dir, second.text, 0);
}

static void forget(void *self, const char *name)
{
    const struct trash *t = self;
    if (is_second(name)) (void)unlinkat(t->dir, name, 0);
}

/* Whether a name is the first or the second one of a file. */
static void look_at_either(void *self, const char *name)
{
    struct second_name first;
    size_t len = strlen(name) - (is_second(name) ? strlen(SUFFIX) : 0);
    snprintf(first.text, sizeof first.text, "%.*s", (int)len, name);
    look_at(self, first.text);
}

static void follow(struct trash *t)
{
    _Alignas(struct inotify_event) char buffer[4096];
    ssize_t len = read(t->changes, buffer, sizeof buffer);
    for (ssize_t at = 0; at < len;) {
        const struct inotify_event *e = (const struct inotify_event *)(buffer + at);
        if (e->mask & IN_Q_OVERFLOW)
            (void)directory_each(t->dir, look_at_either, t);
        else if (e->len)
            look_at_either(t, e->name);
        at += (ssize_t)(sizeof *e + e->len);
    }
}

static void *run(void *context)
{
    struct trash *t = context;
    (void)directory_each(t->dir, look_at, t);
    for (;;) {
        struct pollfd fds[] = {{.fd = t->changes, .events = POLLIN},
                               {.fd = t->stop, .events = POLLIN}};
        if ((poll(fds, 2, -1) < 0 && errno != EINTR) || fds[1].revents) break;
        if (fds[0].revents) follow(t);
    }
    (void)directory_each(t->dir, forget, t); /* nothing keeps a block when nobody looks any more */
    return NULL;
}

/* Whether a file can have two names here. */
static bool links_work(const struct trash *t)
{
    struct second_name second = second_name("CURRENT");
    return linkat(t->dir, "CURRENT", t->dir, second.text, 0) == 0 &&
           unlinkat(t->dir, second.text, 0) == 0;
}

static void close_all(struct trash *t)
{
    int fds[] = {t->dir, t->changes, t->stop};
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        if (fds[i] >= 0) close(fds[i]);
    free(t);
}

struct trash *trash_open(const char *dir)
{
    struct trash *t = calloc(1, sizeof *t);
    ENSURE(t != NULL);
    t->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    t->changes = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    t->stop = eventfd(0, EFD_CLOEXEC);
    if (t->dir >= 0) (void)directory_each(t->dir, forget, t);
    if (t->dir >= 0 && t->changes >= 0 && t->stop >= 0 && links_work(t) &&
        inotify_add_watch(t->changes, dir, IN_CREATE | IN_DELETE) >= 0 &&
        pthread_create(&t->thread, NULL, run, t) == 0) {
        (void)pthread_setname_np(t->thread, "sealmq-trash");
        return t;
    }
    close_all(t);
    return NULL;
}

void trash_close(struct trash **t)
{
    uint64_t one = 1;
    if (!*t) return;
    ENSURE(write((*t)->stop, &one, sizeof one) == sizeof one);
    pthread_join((*t)->thread, NULL);
    close_all(*t);
    *t = NULL;
}
