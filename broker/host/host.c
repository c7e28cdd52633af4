/* host: what a process asks of Linux when it starts, and signals: for programs, not for the library (now.c has what that
 * needs). No logic. */
#include "broker/host/host.h"

#include <malloc.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* Memory holds keys and ciphertext: neither a core file nor a core handler's pipe gets it, nor a
 * debugger. The hard limit stays until it is known whether somebody wants otherwise. */
enum status host_cores(enum host_cores wish)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_CORE, &limit) != 0) return STATUS_IO;
    limit.rlim_cur = wish == CORES_ALLOWED ? limit.rlim_max : 0;
    if (wish == CORES_NEVER) limit.rlim_max = 0;
    bool done = setrlimit(RLIMIT_CORE, &limit) == 0 &&
                prctl(PR_SET_DUMPABLE, wish == CORES_ALLOWED, 0, 0, 0) == 0;
    return done ? STATUS_OK : STATUS_IO;
}

enum status host_start(void)
{
    unsigned seed;
    if (sodium_init() < 0) return STATUS_IO;
    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed) return STATUS_IO;
    srand(seed);
    /* Each heap keeps what it needed at its fullest: two are as fast as one per thread, and 10 MiB smaller. */
    (void)mallopt(M_ARENA_MAX, 2);
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR) return STATUS_IO;
    return host_cores(CORES_OFF);
}

int host_signal_fd(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0) return -1;
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int host_signal_take(int fd)
{
    struct signalfd_siginfo info;
    ssize_t len = read(fd, &info, sizeof info);
    return len == (ssize_t)sizeof info ? (int)info.ssi_signo : 0;
}
