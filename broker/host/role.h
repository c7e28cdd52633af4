/* role: how each program of a relay begins: broker, storage, both, fan-out. */
#ifndef SEALMQ_HOST_ROLE_H
#define SEALMQ_HOST_ROLE_H

#include "broker/host/command.h"
#include "broker/host/config.h"

/* role_start: host_start, host_signal_fd (so before any thread: all of them block signals), machine_load of --config.
 * EXIT_OK, or what to return from main: the reason is said. */
int role_start(const struct command *c, struct config *config, int *signal_fd);

#endif
