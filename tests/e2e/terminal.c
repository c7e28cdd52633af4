/* terminal: a person at a terminal, for what only asks there:
 *   terminal PROMPT LINE|-SIGNAL PROGRAM ARGUMENT...
 * runs the program on a terminal of its own, waits for the prompt and for the echo to be off, and types the line, or sends the signal
 * to it (INT: as Ctrl-C does). Prints what the terminal showed. Exits with the program's status, or 99, with a line on standard error:
 * the prompt did not come, what was typed could be seen, or the terminal was left without its echo. */
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <utmp.h>

#define WAIT_MS 15000

struct screen {
    int fd, own; /* own: the program's side, kept open so that its settings can be read to the end */
    char text[65536];
    size_t len;
};

static int fail(const char *what)
{
    fprintf(stderr, "terminal: %s\n", what);
    return 99;
}

static long now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool echoes(const struct screen *s)
{
    struct termios t;
    return tcgetattr(s->own, &t) == 0 && (t.c_lflag & ECHO) != 0;
}

/* One look: what came within 20 ms. */
static void look(struct screen *s)
{
    struct pollfd p = {.fd = s->fd, .events = POLLIN};
    if (poll(&p, 1, 20) <= 0) return;
    ssize_t got = read(s->fd, s->text + s->len, sizeof s->text - 1 - s->len);
    if (got > 0) s->len += (size_t)got;
}

/* false: not in time. The echo goes off before the prompt or behind it. */
static bool prompted(struct screen *s, const char *prompt)
{
    for (long end = now_ms() + WAIT_MS; now_ms() < end; look(s))
        if (strstr(s->text, prompt) && !echoes(s)) return true;
    return false;
}

static int ended(struct screen *s, pid_t pid)
{
    int status = 0;
    for (long end = now_ms() + WAIT_MS; now_ms() < end; look(s)) {
        if (waitpid(pid, &status, WNOHANG) != pid) continue;
        look(s);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    kill(pid, SIGKILL);
    return fail("the program does not end");
}

static void act(const struct screen *s, pid_t pid, const char *what)
{
    if (strcmp(what, "-TERM") == 0) {
        kill(pid, SIGTERM);
        return;
    }
    bool interrupt = strcmp(what, "-INT") == 0;
    if (write(s->fd, interrupt ? "\003" : what, interrupt ? 1 : strlen(what)) < 0 || (!interrupt && write(s->fd, "\n", 1) < 0))
        perror("terminal: write");
}

int main(int argc, char **argv)
{
    static struct screen s;
    char name[64];
    if (argc < 4) return fail("terminal PROMPT LINE|-INT|-TERM PROGRAM ARGUMENT...");
    if (openpty(&s.fd, &s.own, name, NULL, NULL) != 0) return fail(strerror(errno));
    pid_t pid = fork();
    if (pid == 0) {
        close(s.fd);
        if (login_tty(s.own) == 0) execv(argv[3], argv + 3);
        _exit(127);
    }
    bool off = pid > 0 && prompted(&s, argv[1]);
    size_t from = s.len;
    act(&s, pid, off ? argv[2] : "-TERM");
    int status = ended(&s, pid);
    fputs(s.text, stdout);
    if (!off) return fail(strstr(s.text, argv[1]) ? "what is typed there can be seen" : "the prompt does not come");
    if (argv[2][0] != '-' && strstr(s.text + from, argv[2])) return fail("what was typed was seen");
    return echoes(&s) ? status : fail("the terminal has no echo any more");
}
