/* disk: a disk that hangs, for slow_disk.sh: preloaded, a sync waits while a file is there.
 *
 *     SEALMQ_DISK_HANGS   its path; a sync that waits makes PATH.waits, which the next one that need not wait removes */
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TRIES_MAX 3000  /* of 10 ms */
#define SLOW_US   50000 /* more, so that it was slow whenever the file goes */

static void hang(void)
{
    const char *path = getenv("SEALMQ_DISK_HANGS");
    char waits[PATH_MAX];
    if (!path) return;
    snprintf(waits, sizeof waits, "%s.waits", path);
    if (access(path, F_OK) != 0) {
        unlink(waits);
        return;
    }
    int fd = open(waits, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (fd >= 0) close(fd);
    for (int i = 0; i < TRIES_MAX && access(path, F_OK) == 0; i++)
        usleep(10000);
    usleep(SLOW_US);
}

int fdatasync(int fd)
{
    int (*real)(int);
    hang();
    *(void **)&real = dlsym(RTLD_NEXT, "fdatasync");
    return real ? real(fd) : -1;
}
