/* serve: a whole broker, sockets and core, for the program that it lives in: sealmq-broker, or sealmq-relay, which
 * has the storage worker inside. */
#ifndef SEALMQ_BROKER_SERVE_H
#define SEALMQ_BROKER_SERVE_H

#include "broker/host/config.h"
#include "broker/inside.h"

struct broker_place {
    int signal_fd;  /* host_signal_fd */
    uint32_t files; /* descriptors that the rest of the process may want */
    const struct inside *inside; /* a worker in its loop; NULL: none */
};

/* broker_serve: until signal_fd says so or the edge is past hope, and the drain after it. OK: drained; CONFIG, IO: it
 * could not start, with one line in error. Blocks; opens and closes its own journal. */
enum status broker_serve(const struct config *config, const struct broker_place *place, char *error,
                         size_t error_cap) MUST_USE;

#endif
