/* now: clock and randomness of Linux: all of the host that the client library takes with it. No logic: what is decided
 * from them is decided in the cores, which get the values as arguments. */
#include "broker/host/host.h"

#include <sodium.h>
#include <time.h>

static struct timespec clock_read(clockid_t clock)
{
    struct timespec t;
    ENSURE(clock_gettime(clock, &t) == 0);
    return t;
}

static uint64_t clock_ms(clockid_t clock)
{
    struct timespec t = clock_read(clock);
    return (uint64_t)t.tv_sec * 1000u + (uint64_t)t.tv_nsec / 1000000u;
}

struct now host_now(void)
{
    return (struct now){.wall_ms = clock_ms(CLOCK_REALTIME), .mono_ms = clock_ms(CLOCK_BOOTTIME)};
}

uint64_t host_mono_us(void)
{
    struct timespec t = clock_read(CLOCK_MONOTONIC);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

void host_random(void *out, size_t len)
{
    randombytes_buf(out, len);
}
