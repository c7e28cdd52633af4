/* device: what the commands share: the opened home, waiting with progress, and how a run that ended
 * otherwise becomes one line and an exit status. */
#ifndef SEALMQ_CLI_DEVICE_H
#define SEALMQ_CLI_DEVICE_H

#include "clients/cli/commands.h"
#include "clients/cli/output.h"
#include "clients/client.h"

struct device {
    const struct command *command;
    struct client *client;
    struct progress progress;
    const char *waiting; /* what progress says while there is a session */
    struct arena arena;  /* of whoever needs one; reset by its user */
};

/* device_open: EXIT_OK, or the exit status after one line. device_close always: NULL-safe
 * inside. */
int device_open(struct device *d, const struct command *c, const struct client_options *options);
void device_close(struct device *d);
/* device_connect: EXIT_OK, or the exit status after one line. */
int device_connect(struct device *d);

/* device_tick: a watch's tick for a self that begins with a struct device. */
void device_tick(void *self, uint64_t mono_ms);

/* device_end: for a run that ended in STOPPED, FAILED or SIGNAL: one line, exit status. */
int device_end(struct device *d, enum client_end end);
/* device_state_fail: for a status of the state: one line, EXIT_FAILED. */
int device_state_fail(const struct device *d, enum status s);

/* device_deadline: seconds from now as mono_ms. */
uint64_t device_deadline(long long seconds);

/* device_find: the message of this id, key or reference: EXIT_OK, or the exit status after one line. */
int device_find(struct device *d, const char *name, struct outbox_row *out);

/* device_row: an outbox row, read afresh. OK, NOT_FOUND; as state_begin. */
enum status device_row(struct device *d, uint64_t order, struct outbox_row *out) MUST_USE;

#endif
