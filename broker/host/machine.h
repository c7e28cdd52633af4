/* machine: what a relay's processes ask of their machine before they bind or open anything: that a
 * secret key stays where it is, and that the libraries are what the code was written for.
 * docs/OPERATIONS.md lists it all. */
#ifndef SEALMQ_HOST_MACHINE_H
#define SEALMQ_HOST_MACHINE_H

#include "broker/host/config.h"

/* What is so on this machine: machine_read finds it out, a test makes it up. */
struct machine {
    int zmq_version; /* 40304 = 4.3.4 */
    bool zmq_curve;
    bool swap_on;
    bool memory_locks; /* what this process allocates for secrets stays in RAM */
};

void machine_read(struct machine *out);
/* machine_check: OK, or CONFIG with one line in error. */
enum status machine_check(const struct config *c, const struct machine *m, char *error,
                          size_t error_cap) MUST_USE;
/* swap_listed: whether a file like /proc/swaps lists one; what cannot be read is taken for yes. */
bool swap_listed(const char *path);

/* machine_load: config_load, and then everything here: keys, machine, core files as relay.allow_core
 * says. host_start comes first. OK, or CONFIG / IO with one line in error; *out is zero then. */
enum status machine_load(const char *file, struct config *out, char *error,
                       size_t error_cap) MUST_USE;

#endif
