/* processes: starts, signals and reaps the programs that lie beside this one. */
#ifndef SEALMQ_SUPERVISOR_PROCESSES_H
#define SEALMQ_SUPERVISOR_PROCESSES_H

#include "workers/supervisor/supervisor.h"

#include <sys/types.h>

#define PROGRAM_PATH_MAX 4096

struct processes {
    char programs[CHILD_COUNT][PROGRAM_PATH_MAX];
    const char *config_file; /* borrowed */
    pid_t pids[CHILD_COUNT]; /* 0 = no process */
};

/* processes_init: finds the programs of a relay, joined or not, in this program's own folder. OK, or CONFIG with one
 * line. */
enum status processes_init(struct processes *p, const char *config_file, bool joined, char *error,
                           size_t error_cap) MUST_USE;
/* process_start: runs PROGRAM --config FILE in a process group of its own; it is killed when this
 * process ends, however it ends. False = the system has no process for it now. */
bool process_start(struct processes *p, enum child_id child);
void process_signal(const struct processes *p, enum child_id child, int signal);
/* process_reap: one child that has ended; false = none. */
bool process_reap(struct processes *p, enum child_id *child, struct ending *how);

#endif
