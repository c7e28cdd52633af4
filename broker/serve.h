/* serve: a whole broker, sockets and core, for the program that it lives in: sealmq-broker, or sealmq-relay, which
 * has the storage worker beside it. */
#ifndef SEALMQ_BROKER_SERVE_H
#define SEALMQ_BROKER_SERVE_H

#include "broker/host/config.h"

/* broker_serve: until signal_fd (host_signal_fd) says so, and the drain after it. context: a ZeroMQ context with
 * BROKER_IO_THREADS that outlives the call, or NULL for one of its own. OK: drained; CONFIG, IO: it could not start,
 * with one line in error. Blocks; opens and closes its own journal. */
#define BROKER_IO_THREADS 2
enum status broker_serve(const struct config *config, void *context, int signal_fd, char *error,
                         size_t error_cap) MUST_USE;

#endif
