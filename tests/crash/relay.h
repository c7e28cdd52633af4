/* relay: a real relay (sealmqd and its children) in a scratch directory, for tests that kill it. */
#ifndef SEALMQ_TESTS_RELAY_H
#define SEALMQ_TESTS_RELAY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define RELAY_DIR_MAX 256

struct relay {
    char dir[RELAY_DIR_MAX];
    char bin[RELAY_DIR_MAX];
    uint16_t port;
    pid_t supervisor;
    bool joined; /* broker and storage in one process */
};

/* relay_start: makes DIR (mkdtemp under /tmp), configures and starts sealmqd from `bin`; joined is the caller's. Exits the
 * program with a message when that fails. */
void relay_start(struct relay *r, const char *bin, uint16_t port);
/* relay_child: the present process id of a program, e.g. "sealmq-storage"; 0 = not running. */
pid_t relay_child(const struct relay *r, const char *name);
/* relay_stop: SIGTERM, waits at most 20 s; true when it left with status 0. Removes the directory
 * unless keep. */
bool relay_stop(struct relay *r, bool keep);

#endif
