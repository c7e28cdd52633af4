/* limit: the stopwatch that all limits share. CPU is the process's own clock, in nanoseconds, so that
 * work of a library's threads counts too. */
#include "bench/limits/limit.h"

#include "broker/host/host.h"

#include <stdio.h>
#include <time.h>

static uint64_t cpu_ns(void)
{
    struct timespec t = {0};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void stopwatch_start(struct stopwatch *w)
{
    w->start_us = w->last_us = host_mono_us();
    w->start_cpu_ns = cpu_ns();
}

bool stopwatch_tick(struct stopwatch *w, struct figure *out, uint64_t messages)
{
    uint64_t now = host_mono_us();
    histogram_record(&out->each, now - w->last_us);
    out->messages += messages;
    w->last_us = now;
    return now - w->start_us < LIMIT_US;
}

void stopwatch_end(const struct stopwatch *w, struct figure *out)
{
    out->wall_us = host_mono_us() - w->start_us;
    out->cpu_ns = cpu_ns() - w->start_cpu_ns;
}

enum status limit_fail(struct figure *out, const char *what, const char *why)
{
    snprintf(out->error, sizeof out->error, "%s: %s", what, why);
    return STATUS_IO;
}
