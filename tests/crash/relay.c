/* relay: starting, finding and stopping the real processes. Ends only what it started, by process id. */
#include "tests/crash/relay.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char *what)
{
    perror(what);
    exit(2);
}

/* execv takes non-const strings for history's sake; it does not write to them. */
static void execute(const char *program, const char *const argv[])
{
    execv(program, (char *const *)(uintptr_t)argv);
    _exit(127);
}

static int run(const char *program, const char *const argv[])
{
    int status;
    pid_t pid = fork();
    if (pid < 0) die("fork");
    if (pid == 0) execute(program, argv);
    if (waitpid(pid, &status, 0) != pid) die("waitpid");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

void relay_start(struct relay *r, const char *bin, uint16_t port)
{
    char program[RELAY_DIR_MAX + 16], config[RELAY_DIR_MAX + 16], number[8];
    snprintf(r->dir, sizeof r->dir, "/tmp/sealmq-crash-XXXXXX");
    if (!mkdtemp(r->dir)) die("mkdtemp");
    snprintf(r->bin, sizeof r->bin, "%s", bin);
    r->port = port;
    snprintf(program, sizeof program, "%s/sealmqd", bin);
    snprintf(config, sizeof config, "%s/sealmq.zpl", r->dir);
    snprintf(number, sizeof number, "%u", port);
    const char *init[] = {program, "--init", r->dir, "--port", number, NULL};
    if (run(program, init) != 0) {
        fprintf(stderr, "crash: %s --init failed\n", program);
        exit(2);
    }
    /* hundreds of deaths in a row are the point here: no long pauses */
    const char *edit[] = {"sed", "-i", r->joined ? "s/^relay$/relay\\n    restart_ms = 100\\n    joined = yes/"
                                                 : "s/^relay$/relay\\n    restart_ms = 100/", config, NULL};
    if (run("/bin/sed", edit) != 0) die("sed");
    const char *argv[] = {program, "--config", config, NULL};
    r->supervisor = fork();
    if (r->supervisor < 0) die("fork");
    if (r->supervisor == 0) execute(program, argv);
}

/* The kernel lists a process's children in /proc; their names are in comm (15 characters). */
pid_t relay_child(const struct relay *r, const char *name)
{
    char path[64], comm[32];
    int pid;
    pid_t found = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", r->supervisor, r->supervisor);
    FILE *children = fopen(path, "r");
    if (!children) return 0;
    while (!found && fscanf(children, "%d", &pid) == 1) {
        snprintf(path, sizeof path, "/proc/%d/comm", pid);
        FILE *f = fopen(path, "r");
        if (f && fgets(comm, sizeof comm, f) && strncmp(comm, name, strcspn(comm, "\n")) == 0 &&
            strlen(name) >= strcspn(comm, "\n"))
            found = pid;
        if (f) fclose(f);
    }
    fclose(children);
    return found;
}

static void remove_tree(const char *dir)
{
    const char *argv[] = {"rm", "-rf", dir, NULL};
    run("/bin/rm", argv);
}

bool relay_stop(struct relay *r, bool keep)
{
    int status = 0;
    bool ended = false;
    kill(r->supervisor, SIGTERM);
    for (int i = 0; i < 400 && !ended; i++) {
        ended = waitpid(r->supervisor, &status, WNOHANG) == r->supervisor;
        if (!ended) usleep(50000);
    }
    if (!ended) {
        kill(r->supervisor, SIGKILL);
        waitpid(r->supervisor, &status, 0);
    }
    if (!keep) remove_tree(r->dir);
    return ended && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
