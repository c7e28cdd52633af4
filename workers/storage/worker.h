/* worker: a whole storage worker, store, sockets and core, for the program that it lives in: sealmq-storage, or
 * sealmq-relay, which has the broker beside it. */
#ifndef SEALMQ_STORAGE_WORKER_H
#define SEALMQ_STORAGE_WORKER_H

#include "broker/host/command.h"
#include "broker/host/config.h"

#define WORKER_ERROR_LEN 1024

struct worker_place {
    void *context;      /* ZeroMQ's, outlives the call; NULL: one of its own */
    const char *broker; /* the endpoint of its broker */
    int stop_fd;        /* host_signal_fd or host_stop_fd */
};

/* storage_work: opens the store, serves until stop_fd says so, drains. OK: drained; CONFIG, DAMAGED, LOCKED, IO: it could
 * not start, with one line in error or none; IO: or its sockets failed. A commit that fails ends the process at once: its
 * outcome is on the disk only. Blocks. */
enum status storage_work(const struct config *config, const struct worker_place *place,
                         char error[WORKER_ERROR_LEN]) MUST_USE;
/* storage_refuse: says why it could not start; the exit status. */
int storage_refuse(const struct command *c, enum status status, const char *error);

#endif
