/* host: the little that can be said of clocks, randomness and signals without waiting. */
#include "broker/host/host.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

Test(host, start_turns_cores_off_and_ignores_broken_pipes)
{
    struct rlimit cores;
    struct sigaction pipes;
    cr_assert_eq(host_start(), STATUS_OK);
    cr_assert(getrlimit(RLIMIT_CORE, &cores) == 0 && cores.rlim_cur == 0);
    cr_assert_eq(prctl(PR_GET_DUMPABLE), 0);
    cr_assert(sigaction(SIGPIPE, NULL, &pipes) == 0 && pipes.sa_handler == SIG_IGN);
}

Test(host, cores_are_off_until_allowed_and_never_is_for_good)
{
    struct rlimit before, cores;
    cr_assert(getrlimit(RLIMIT_CORE, &before) == 0);
    cr_assert_eq(host_start(), STATUS_OK);
    cr_assert_eq(host_cores(CORES_ALLOWED), STATUS_OK);
    cr_assert(getrlimit(RLIMIT_CORE, &cores) == 0 && cores.rlim_cur == before.rlim_max);
    cr_assert_eq(prctl(PR_GET_DUMPABLE), 1);
    cr_assert_eq(host_cores(CORES_NEVER), STATUS_OK);
    cr_assert(getrlimit(RLIMIT_CORE, &cores) == 0 && cores.rlim_cur == 0 && cores.rlim_max == 0);
    cr_assert_eq(prctl(PR_GET_DUMPABLE), 0);
}

Test(host, signals_are_taken_instead_of_dying)
{
    int fd = host_signal_fd();
    cr_assert(fd >= 0);
    cr_assert_eq(host_signal_take(fd), 0);
    raise(SIGTERM);
    cr_assert_eq(host_signal_take(fd), SIGTERM);
    raise(SIGINT);
    cr_assert_eq(host_signal_take(fd), SIGINT);
    cr_assert_eq(host_signal_take(fd), 0);
}

Test(host, time_does_not_go_back)
{
    struct now before = host_now(), after = host_now();
    cr_assert(after.mono_ms >= before.mono_ms);
    cr_assert(before.wall_ms > 1600000000000ull, "milliseconds since 1970");
    uint64_t us = host_mono_us();
    cr_assert(host_mono_us() >= us);
}

Test(host, randomness_differs)
{
    uint8_t a[32], b[32];
    cr_assert_eq(host_start(), STATUS_OK);
    host_random(a, sizeof a);
    host_random(b, sizeof b);
    cr_assert_neq(memcmp(a, b, sizeof a), 0);
}
