/* process: our own figures are there and plausible; a process that is not there is GONE. */
#include "bench/measure/process.h"

#include <criterion/criterion.h>
#include <sched.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t pid_gone(void)
{
    pid_t child = fork();
    if (child == 0) _exit(0);
    cr_assert_eq(waitpid(child, NULL, 0), child);
    return child;
}

Test(process, our_own_cpu_grows_with_work)
{
    struct process_sample before, after;
    volatile unsigned sum = 0;
    cr_assert_eq(process_sample(getpid(), &before), STATUS_OK);
    for (unsigned i = 0; i < 1000000; i++)
        sum += i;
    cr_assert_eq(process_sample(getpid(), &after), STATUS_OK);
    cr_assert_gt(after.cpu_ns, before.cpu_ns);
    cr_assert_gt(after.rss_kib, 0);
    cr_assert_geq(after.rss_peak_kib, after.rss_kib);
}

Test(process, whoever_gives_way_is_scheduled_as_a_batch)
{
    cr_assert(process_give_way());
    cr_assert_eq(sched_getscheduler(0), SCHED_BATCH);
}

Test(process, one_that_has_ended_is_gone)
{
    struct process_sample s;
    struct thread_sample threads[THREADS_MAX];
    size_t count = 9;
    pid_t pid = pid_gone();
    cr_assert_eq(process_sample(pid, &s), STATUS_GONE);
    cr_assert_eq(s.cpu_ns, 0);
    cr_assert_eq(process_sample(0, &s), STATUS_GONE);
    cr_assert_eq(process_sample(-1, &s), STATUS_GONE);
    cr_assert_eq(process_threads(pid, threads, &count), STATUS_GONE);
    cr_assert_eq(count, 0);
}

Test(process, our_thread_is_listed_by_name)
{
    struct thread_sample threads[THREADS_MAX];
    size_t count = 0;
    cr_assert_eq(process_threads(getpid(), threads, &count), STATUS_OK);
    cr_assert_geq(count, 1);
    cr_assert_gt(strlen(threads[0].name), 0);
}

Test(process, a_file_system_without_a_disk_has_no_figures)
{
    struct disk_sample s;
    cr_assert_eq(disk_sample("/proc", &s), STATUS_GONE);
    cr_assert_str_empty(s.device);
    cr_assert_eq(disk_sample("/no/such/path", &s), STATUS_GONE);
}
