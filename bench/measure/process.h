/* process: what another process has cost so far, and what a disk has done: read from the kernel, so
 * that any server can be measured without its help. Differences of two samples are what counts. */
#ifndef SEALMQ_MEASURE_PROCESS_H
#define SEALMQ_MEASURE_PROCESS_H

#include "broker/wire/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROCESS_NAME_LEN_MAX 31
#define THREADS_MAX          64u

struct process_sample {
    uint64_t cpu_ns;        /* user and system, all threads, also those that have ended */
    uint64_t rss_kib;
    uint64_t rss_peak_kib;
    uint64_t written_bytes; /* handed to the disk, as the kernel charges it (io's write_bytes) */
    bool written_known;     /* false: io may not be read, written_bytes is 0 */
};

/* process_sample: GONE when there is no such process (out all zero), else OK. */
enum status process_sample(pid_t pid, struct process_sample *out) MUST_USE;

/* process_give_way: the calling thread, and those it will start, do not push the servers that are measured off a
 * processor when they wake (SCHED_BATCH), as clients on other machines would not. For closed loops: an open one
 * has to be punctual. False = it cannot be set here. */
bool process_give_way(void) MUST_USE;

struct thread_sample {
    char name[16];
    uint64_t cpu_ns; /* of all living threads with this name */
};

/* process_threads: CPU by thread name, in order of appearance; names beyond THREADS_MAX are left out.
 * *count is 0 after a failure. OK, GONE. */
enum status process_threads(pid_t pid, struct thread_sample out[THREADS_MAX],
                            size_t *count) MUST_USE;

/* What a whole block device has done: it counts everybody who uses it, so it is an upper bound. */
struct disk_sample {
    char device[32]; /* "vda"; "" = none could be found (a file system in memory) */
    uint64_t written_bytes;
    uint64_t flushes;
};

/* disk_sample: of the device below the file system that path is on. OK; GONE where it has none or
 * the kernel does not say (*out all zero). */
enum status disk_sample(const char *path, struct disk_sample *out) MUST_USE;

#endif
