/* results: the lines of result files, read whole before anything is said about them. */
#ifndef SEALMQ_BENCH_RESULTS_H
#define SEALMQ_BENCH_RESULTS_H

#include "bench/measure/result.h"

#define RESULTS_MAX         2048u /* a line needs about 80 KiB */
#define RESULT_LINE_LEN_MAX (8u << 20)

/* Zero-initialised = empty. */
struct results {
    struct result **list; /* heap, owned */
    size_t count, capacity;
};

/* results_read: adds every line of the file; empty lines are passed over. OK; IO, MALFORMED,
 * TOO_LARGE (more than RESULTS_MAX, or a line too long) with one line in error: "FILE:LINE: why";
 * what was read before stays. A file without a line is MALFORMED. */
enum status results_read(struct results *r, const char *path, char *error,
                         size_t error_cap) MUST_USE;
void results_fini(struct results *r);

#endif
