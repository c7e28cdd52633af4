/* Canned results for the tests of the report: one line of work by one system, in a temporary file. */
#ifndef SEALMQ_TESTS_BENCH_FIXTURE_H
#define SEALMQ_TESTS_BENCH_FIXTURE_H

#include "bench/measure/result.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A steady run at W=1024 with this rate; accept latencies around 1 ms. For result_free. */
static inline struct result *result_canned(const char *system, const char *edge, double rate)
{
    struct result *r = result_new();
    snprintf(r->system, sizeof r->system, "%s", system);
    snprintf(r->edge, sizeof r->edge, "%s", edge);
    strcpy(r->scenario, "steady");
    strcpy(r->durability, "synced");
    strcpy(r->disk_device, "vda");
    r->round = 1;
    r->size = 1024;
    r->window = 1024;
    r->mailboxes = 64;
    r->senders = 4;
    r->messages = 1000;
    r->seconds = 1000 / rate;
    r->rate = rate;
    r->disk_bytes_per_message = 2100;
    r->device_flushes_per_message = 0.01;
    for (uint64_t i = 0; i < 1000; i++) {
        histogram_record(&r->accept, 500 + i);
        histogram_record(&r->end_to_end, 1500 + 2 * i);
    }
    r->process_count = 2;
    strcpy(r->processes[0].name, "broker");
    strcpy(r->processes[1].name, "storage");
    r->processes[0].cpu_us_per_message = 4;
    r->processes[1].cpu_us_per_message = 8;
    r->processes[0].rss_kib = 10240;
    r->processes[1].rss_kib = 20480;
    r->processes[0].write_bytes_per_message = r->processes[1].write_bytes_per_message = 1050;
    return r;
}

struct scratch {
    char path[64];
};

static inline void scratch_make(struct scratch *s)
{
    strcpy(s->path, "/tmp/bench-test.XXXXXX");
    int fd = mkstemp(s->path);
    cr_assert(fd >= 0);
    close(fd);
}

/* Appends and frees. */
static inline void scratch_add(const struct scratch *s, struct result *r)
{
    cr_assert(result_append(r, s->path) == STATUS_OK);
    result_free(&r);
}

static inline void scratch_text(const struct scratch *s, const char *text)
{
    FILE *f = fopen(s->path, "a");
    cr_assert(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

/* The whole file; for free(). */
static inline char *scratch_read(const char *path)
{
    FILE *f = fopen(path, "r");
    cr_assert(f, "%s", path);
    char *text = calloc(1, 1u << 20);
    size_t len = fread(text, 1, (1u << 20) - 1, f);
    cr_assert(text && len < (1u << 20) - 1);
    fclose(f);
    return text;
}

#endif
