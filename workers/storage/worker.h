/* worker: a whole storage worker, store and core, for the program that it lives in: sealmq-storage, which gives it a loop
 * of its own (storage_work), or sealmq-relay, where the broker's loop calls its steps.
 *
 *     storage_worker_open, storage_worker_attach; then, whenever slabs wait in the link, its descriptor is readable or its time has come:
 *     storage_worker_step; at the end storage_worker_drain, and steps until it is drained; storage_worker_close */
#ifndef SEALMQ_STORAGE_WORKER_H
#define SEALMQ_STORAGE_WORKER_H

#include "broker/host/command.h"
#include "broker/host/config.h"
#include "workers/link.h"

#define WORKER_ERROR_LEN 1024

struct storage_worker;

/* storage_worker_open: opens the store, which may take its time. config is borrowed until storage_worker_close. OK; CONFIG,
 * DAMAGED, LOCKED, IO: with one line in error or none, and *out is NULL. storage_worker_attach: before the first step; link
 * is borrowed, too. May be another thread than the one that opened. */
enum status storage_worker_open(const struct config *config, char error[WORKER_ERROR_LEN],
                                struct storage_worker **out) MUST_USE;
void storage_worker_attach(struct storage_worker *w, struct link *link);
/* storage_worker_close: NULL-safe, nulls. */
void storage_worker_close(struct storage_worker **w);

/* storage_worker_step: all that can be done now: takes slabs, does a turn, says what is on the disk. Waits for the disk
 * where it reads, where a group is small and the disk has not been slow, and where nothing else is to be done. A commit that fails ends the process at once: its outcome is on the disk
 * only. */
void storage_worker_step(struct storage_worker *w);
/* storage_worker_wait_ms: until the next step is due by itself; 0 = now. storage_worker_fd: readable when one is due as a
 * group has been written. */
long storage_worker_wait_ms(const struct storage_worker *w);
int storage_worker_fd(const struct storage_worker *w);

/* storage_worker_drain: after the next step it takes nothing new, and it waits for no write. storage_worker_drained: all is
 * answered. */
void storage_worker_drain(struct storage_worker *w);
bool storage_worker_drained(const struct storage_worker *w);

/* storage_work: opens, serves the broker at this endpoint until signals (host_signal_fd) says so, drains, closes. OK:
 * drained; as storage_worker_open, and IO: its sockets failed. Blocks. */
enum status storage_work(const struct config *config, const char *broker, int signals,
                         char error[WORKER_ERROR_LEN]) MUST_USE;
/* storage_refuse: says why it could not start; the exit status. */
int storage_refuse(const struct command *c, enum status status, const char *error);

#endif
