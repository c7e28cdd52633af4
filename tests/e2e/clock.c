/* clock: a wrong wall clock for one program, for clock.sh: preloaded, it moves what CLOCK_REALTIME says by
 * SEALMQ_SKEW_S seconds. Other clocks stay. */
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *t)
{
    const char *skew = getenv("SEALMQ_SKEW_S");
    int failed = (int)syscall(SYS_clock_gettime, clock, t);
    if (!failed && skew && clock == CLOCK_REALTIME) t->tv_sec += strtoll(skew, NULL, 10);
    return failed;
}
