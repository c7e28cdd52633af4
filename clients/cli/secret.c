/* secret: reading a recovery key, from a person or from a file. Invariant: a terminal whose echo was switched off has it again when this
 * returns, also where a signal ends it; between the two no signal that a handler can meet ends or stops the process. */
#include "clients/cli/secret.h"

#include "clients/sealmq_recovery.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

void secret_wipe(void *at, size_t len)
{
    sodium_memzero(at, len);
}

/* ---- a terminal ---- */

struct quiet {
    bool off; /* its echo, by us */
    struct termios was;
    sigset_t mask_was;
    int signal_fd; /* -1: none */
};

/* Ctrl-Z waits, too: the shell would show what is typed next. Where it is no terminal nothing is done. */
static void quiet_begin(struct quiet *q)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
    sigset_t mask;
    *q = (struct quiet){.signal_fd = -1};
    if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &q->was) != 0) return;
    sigemptyset(&mask);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        sigaddset(&mask, signals[i]);
    if (sigprocmask(SIG_BLOCK, &mask, &q->mask_was) != 0) return;
    sigdelset(&mask, SIGTSTP);
    q->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    struct termios silent = q->was;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    silent.c_lflag |= ECHONL;
    q->off = tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0;
    if (q->off) return;
    if (q->signal_fd >= 0) close(q->signal_fd);
    (void)sigprocmask(SIG_SETMASK, &q->mask_was, NULL);
    q->signal_fd = -1;
}

static void quiet_end(struct quiet *q)
{
    if (!q->off) return;
    (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &q->was);
    if (q->signal_fd >= 0) close(q->signal_fd);
    (void)sigprocmask(SIG_SETMASK, &q->mask_was, NULL);
}

/* false: a signal came, and was taken. */
static bool byte_waits(const struct quiet *q, int fd)
{
    struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = q->signal_fd, .events = POLLIN}};
    struct signalfd_siginfo info;
    while (poll(fds, 2, -1) < 0 && errno == EINTR)
        ;
    return !(fds[1].revents && read(q->signal_fd, &info, sizeof info) == (ssize_t)sizeof info);
}

/* ---- a line ---- */

/* Byte by byte: what follows the line stays where it is. -1 = cannot be read (EINTR: a signal ends it); else its length, too long
 * included. */
static long line_read(const struct quiet *q, int fd, struct secret *out)
{
    size_t len = 0;
    memset(out, 0, sizeof *out);
    for (;;) {
        char byte = 0;
        if (q->signal_fd >= 0 && !byte_waits(q, fd)) {
            errno = EINTR;
            return -1;
        }
        ssize_t got = read(fd, &byte, 1);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return -1;
        if (got == 0 || byte == '\n') return (long)len;
        if (len < SECRET_LEN_MAX) out->text[len] = byte;
        len++;
    }
}

int secret_read(const struct command *c, const char *path, const char *question, struct secret *out)
{
    struct quiet quiet = {.signal_fd = -1};
    if (!path) quiet_begin(&quiet);
    if (!path && isatty(STDIN_FILENO)) fprintf(stderr, "%s", question);
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
    long len = fd < 0 ? -1 : line_read(&quiet, fd, out);
    int error = errno;
    quiet_end(&quiet);
    if (path && fd >= 0) close(fd);
    if (len >= 1 && len <= (long)SECRET_LEN_MAX) return EXIT_OK;
    secret_wipe(out, sizeof *out);
    if (len < 0 && quiet.off && error == EINTR) {
        fprintf(stderr, "\n"); /* behind the question */
        return command_fail(c, EXIT_FAILED, "stopped by a signal: nothing was done");
    }
    if (len < 0) return command_fail(c, EXIT_FAILED, "cannot read %s: %s", path ? path : "standard input", strerror(error));
    return command_fail(c, EXIT_FAILED, "there is no recovery key in %s", path ? path : "standard input");
}

bool secret_is_key(const struct secret *s)
{
    enum sealmq_recovery_fault fault;
    unsigned group;
    if (sealmq_recovery_key_check(s->text, &fault, &group) == SEALMQ_OK) return true;
    if (fault == SEALMQ_RECOVERY_FAULT_LENGTH)
        fprintf(stderr, "A recovery key has 9 groups of 4 characters; here are %u.\n", group);
    else if (fault == SEALMQ_RECOVERY_FAULT_WHOLE)
        fprintf(stderr, "This is no recovery key: at least two of its groups are wrong.\n");
    else
        fprintf(stderr, "This is no recovery key: look at group %u again.\n", group);
    return false;
}

/* The next character that counts, as it is read; 0 at the end. */
static char next_of(const char **at)
{
    while (**at == '-' || **at == ' ' || **at == '\t' || **at == '\r' || **at == '\n')
        (*at)++;
    char c = **at;
    if (c) (*at)++;
    if (c >= 'a' && c <= 'z') c = (char)(c - 'a' + 'A');
    if (c == 'O') return '0';
    return c == 'I' || c == 'L' ? '1' : c;
}

bool secret_same_key(const char *a, const char *b)
{
    char x, y;
    do {
        x = next_of(&a);
        y = next_of(&b);
        if (x != y) return false;
    } while (x);
    return true;
}
