/* cost: what a server costs that is more than one process: a process and all that it has started, also
 * what came or went in between. Differences of two samples are what counts. */
#ifndef SEALMQ_PEERS_COST_H
#define SEALMQ_PEERS_COST_H

#include "bench/measure/result.h"

#define COST_ROOTS_MAX 8u
#define COST_TREE_MAX  256u

struct cost_root {
    char name[PROCESS_NAME_LEN_MAX + 1];
    pid_t pid;
};

struct cost_sample {
    uint64_t
        cpu_ns; /* of the living, and of children that ended and were waited for (10 ms steps) */
    uint64_t rss_kib; /* the sum: memory that processes share counts for each */
    uint64_t rss_peak_kib;
    uint64_t written_bytes;
    bool written_known;
    size_t processes;
    struct thread_sample threads[THREADS_MAX]; /* of all processes, by name */
    size_t thread_count;
};

/* cost_root_parse: "NAME=PID". */
bool cost_root_parse(const char *text, struct cost_root *out) MUST_USE;
/* cost_sample: OK, GONE (the root has ended; *out all zero). */
enum status cost_sample(pid_t root, struct cost_sample *out) MUST_USE;
/* cost_report: the difference per message into a place of the result. */
void cost_report(const struct cost_root *root, const struct cost_sample *before,
                 const struct cost_sample *after, uint64_t messages, struct result_process *out);

#endif
