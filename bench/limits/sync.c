/* sync: how often a file can be appended to and synced: the bound of every durable accept, and why
 * messages must share a sync. */
#include "bench/limits/limit.h"

#include "broker/host/host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum status sync_run(const struct limit *l, const char *dir, struct figure *out)
{
    char path[4096];
    struct stopwatch watch;
    uint8_t *bytes = malloc(l->size);
    ENSURE(bytes != NULL);
    host_random(bytes, l->size);
    snprintf(path, sizeof path, "%s/log", dir);
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    enum status s = fd < 0 ? limit_fail(out, path, strerror(errno)) : STATUS_OK;
    stopwatch_start(&watch);
    while (s == STATUS_OK) {
        if (write(fd, bytes, l->size) != (ssize_t)l->size || fdatasync(fd) != 0)
            s = limit_fail(out, path, strerror(errno));
        else if (!stopwatch_tick(&watch, out, 1))
            break;
    }
    stopwatch_end(&watch, out);
    if (fd >= 0) close(fd);
    free(bytes);
    return s;
}

#define SYNC(kib)                                                                          \
    {                                                                                      \
        .name = "append + fdatasync " #kib " KiB", .unit = "sync", .durability = "synced", \
        .edge = "clear", .size = kib * 1024, .run = sync_run, .batch = 1                   \
    }

const struct limit limits_sync[] = {SYNC(1), SYNC(64), SYNC(256), {.name = NULL}};
