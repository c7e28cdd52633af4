/* random: where randomness comes from: host_random, or a seed in tests and the simulator. */
#ifndef SEALMQ_CLIENTS_RANDOM_H
#define SEALMQ_CLIENTS_RANDOM_H

#include <stddef.h>

struct random_source {
    void (*fill)(void *self, void *out, size_t len);
    void *self;
};

#endif
