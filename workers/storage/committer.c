/* committer: one thread, one semaphore in, one eventfd out. What the two threads share passes through
 * these two, each of which orders memory; there is nothing else to lock. */
#include "workers/storage/committer.h"

#include "broker/host/host.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct committer {
    struct storage *core;
    pthread_t thread;
    sem_t wanted;
    int done;
    bool ends; /* read by the thread after the semaphore */
    enum status status;
    uint64_t microseconds;
};

static void *run(void *context)
{
    struct committer *c = context;
    for (;;) {
        while (sem_wait(&c->wanted) != 0)
            ENSURE(errno == EINTR);
        if (c->ends) return NULL;
        uint64_t start_us = host_mono_us(), one = 1;
        c->status = storage_commit(c->core);
        c->microseconds = host_mono_us() - start_us;
        ENSURE(write(c->done, &one, sizeof one) == sizeof one);
    }
}

enum status committer_open(struct storage *core, struct committer **out)
{
    struct committer *c = calloc(1, sizeof *c);
    *out = NULL;
    ENSURE(c != NULL);
    c->core = core;
    c->done = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (c->done < 0) goto out;
    if (sem_init(&c->wanted, 0, 0) != 0) goto out_fd;
    if (pthread_create(&c->thread, NULL, run, c) != 0) goto out_sem;
    (void)pthread_setname_np(c->thread, "sealmq-commit");
    *out = c;
    return STATUS_OK;
out_sem:
    sem_destroy(&c->wanted);
out_fd:
    close(c->done);
out:
    free(c);
    return STATUS_IO;
}

void committer_close(struct committer **pointer)
{
    struct committer *c = *pointer;
    if (!c) return;
    c->ends = true;
    sem_post(&c->wanted);
    pthread_join(c->thread, NULL);
    sem_destroy(&c->wanted);
    close(c->done);
    free(c);
    *pointer = NULL;
}

void committer_start(struct committer *c)
{
    ENSURE(sem_post(&c->wanted) == 0);
}

int committer_fd(const struct committer *c)
{
    return c->done;
}

bool committer_done(struct committer *c, enum status *status, uint64_t *microseconds)
{
    uint64_t count;
    if (read(c->done, &count, sizeof count) != sizeof count) return false;
    *status = c->status;
    *microseconds = c->microseconds;
    return true;
}
