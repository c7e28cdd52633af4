/* processes: fork and exec, and nothing decided. Children get their own process groups, so that the
 * Ctrl-C of a terminal reaches sealmqd alone and they are stopped in order. */
#include "workers/supervisor/processes.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

_Static_assert(PROGRAM_PATH_MAX >= PATH_MAX, "a program's path fits");

enum status processes_init(struct processes *p, const char *config_file, bool joined, char *error,
                           size_t error_cap)
{
    char folder[PROGRAM_PATH_MAX - 32];
    *p = (struct processes){.config_file = config_file};
    ssize_t len = readlink("/proc/self/exe", folder, sizeof folder - 1);
    if (len < 0) len = 0;
    folder[len] = '\0';
    char *slash = strrchr(folder, '/');
    if (slash) *slash = '\0';
    for (size_t i = 0; i < CHILD_COUNT; i++) {
        snprintf(p->programs[i], PROGRAM_PATH_MAX, "%s/%s", folder,
                 child_program((enum child_id)i));
        if (!child_wanted((enum child_id)i, joined) || access(p->programs[i], X_OK) == 0) continue;
        snprintf(error, error_cap, "no program %s: install it beside sealmqd", p->programs[i]);
        return STATUS_CONFIG;
    }
    return STATUS_OK;
}

/* In the child; does not return. */
static _Noreturn void child_run(const struct processes *p, enum child_id child, pid_t parent)
{
    char option[] = "--config";
    char program[PROGRAM_PATH_MAX], file[PROGRAM_PATH_MAX];
    char *const arguments[] = {program, option, file, NULL};
    sigset_t none;
    snprintf(program, sizeof program, "%s", p->programs[child]);
    snprintf(file, sizeof file, "%s", p->config_file);
    /* The parent may have ended between fork and prctl. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) _exit(127);
    setpgid(0, 0);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    int empty = open("/dev/null", O_RDONLY);
    if (empty >= 0) dup2(empty, STDIN_FILENO);
    if (empty > STDIN_FILENO) close(empty);
    execv(program, arguments);
    _exit(127);
}

bool process_start(struct processes *p, enum child_id child)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) child_run(p, child, parent);
    if (pid < 0) return false;
    p->pids[child] = pid;
    return true;
}

void process_signal(const struct processes *p, enum child_id child, int signal)
{
    if (p->pids[child] > 0) kill(p->pids[child], signal);
}

static bool pid_known(const struct processes *p, pid_t pid, enum child_id *child)
{
    for (size_t i = 0; i < CHILD_COUNT; i++) {
        if (p->pids[i] != pid) continue;
        *child = (enum child_id)i;
        return true;
    }
    return false;
}

bool process_reap(struct processes *p, enum child_id *child, struct ending *how)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (!pid_known(p, pid, child)) continue;
        *how = (struct ending){.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
                               .exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 0};
        p->pids[*child] = 0;
        return true;
    }
    return false;
}
