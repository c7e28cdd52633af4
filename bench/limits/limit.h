/* limit: one thing that the machine or a library can do at most, measured alone: what a part of the
 * relay's path can be held against. Each is bounded: LIMIT_US of work, whatever the machine. */
#ifndef SEALMQ_LIMITS_LIMIT_H
#define SEALMQ_LIMITS_LIMIT_H

#include "bench/measure/histogram.h"

#define LIMIT_US   1500000u
#define LIMIT_BODY 1024u

/* What one run gave. */
struct figure {
    uint64_t messages; /* or whatever the limit's unit is */
    uint64_t wall_us;
    uint64_t cpu_ns; /* of the whole process, all threads */
    struct histogram
        each; /* of one step: a sync, a write, a round trip; empty = not timed one by one */
    char error[160];
};

struct limit {
    const char *name; /* "rocksdb contract 64": also the label in the result line */
    const char *unit; /* "sync", "msg" */
    const char *durability, *edge;
    size_t size; /* bytes of one unit */
    /* run: in dir, an empty folder of its own. OK, or anything with a line in out->error. */
    enum status (*run)(const struct limit *l, const char *dir, struct figure *out);
    unsigned batch; /* units in one step */
    int variant;    /* the limit's own */
};

/* Each file's limits; they end with a NULL name. */
extern const struct limit limits_sync[], limits_rocksdb[], limits_zmq[], limits_hash[];

/* A stretch of work: begin, then at every step tick, which says whether there is time for another. */
struct stopwatch {
    uint64_t start_us, start_cpu_ns, last_us;
};

void stopwatch_start(struct stopwatch *w);
/* stopwatch_tick: records the step's time; true while LIMIT_US has not passed. */
bool stopwatch_tick(struct stopwatch *w, struct figure *out, uint64_t messages);
/* stopwatch_end: fills wall_us and cpu_ns. */
void stopwatch_end(const struct stopwatch *w, struct figure *out);

/* limit_fail: "WHAT: WHY" into out->error; gives IO. */
enum status limit_fail(struct figure *out, const char *what, const char *why);

#endif
