/* inside: a worker that lives in the broker's own loop (sealmq-relay's storage): no socket, thread or wake-up stands
 * between the two; slabs pass by memory. net.c calls it at the end of its turn. */
#ifndef SEALMQ_BROKER_INSIDE_H
#define SEALMQ_BROKER_INSIDE_H

#include "broker/wire/bytes.h"

/* Its number among the backend's peers: above all of ZeroMQ's, which have 32 bits. */
#define PEER_INSIDE (1ull << 32)

/* Where its slabs go: borrowed for the call. */
struct inside_way {
    void *context;
    void (*slab)(void *context, struct view slab);
};

struct inside {
    void *context;
    int fd; /* readable: a step has something to do; a step may change it */
    /* A slab for it, borrowed for the call: OK; FULL: nothing was taken, later. */
    enum status (*give)(void *context, struct view slab);
    /* All that it can do now; its slabs leave from within, by this way. */
    void (*step)(void *context, const struct inside_way *way);
    /* Until a step is due by itself; 0 = now. */
    long (*wait_ms)(void *context);
};

#endif
