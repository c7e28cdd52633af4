/* serve: a whole broker, sockets and core, for the program that it lives in: sealmq-broker, or sealmq-relay, which
 * has the storage worker beside it. */
#ifndef SEALMQ_BROKER_SERVE_H
#define SEALMQ_BROKER_SERVE_H

#include "broker/host/config.h"

#define BROKER_IO_THREADS 2
/* Where workers find it in its own process, if place.context is given. */
#define BACKEND_INSIDE "inproc://backend"

struct broker_place {
    void *context;  /* ZeroMQ's, with BROKER_IO_THREADS; outlives the call. NULL: one of its own */
    int signal_fd;  /* host_signal_fd */
    uint32_t files; /* descriptors that the rest of the process may want */
    void (*bound)(void *arg); /* called once, from within, when BACKEND_INSIDE can be reached; may be NULL */
    void *arg;
};

/* broker_serve: until signal_fd says so or the edge is past hope, and the drain after it. OK: drained; CONFIG, IO: it
 * could not start, with one line in error. Blocks; opens and closes its own journal. */
enum status broker_serve(const struct config *config, const struct broker_place *place, char *error,
                         size_t error_cap) MUST_USE;

#endif
