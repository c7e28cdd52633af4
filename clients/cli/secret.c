/* secret: reading a recovery key, from a person or from a file. */
#include "clients/cli/secret.h"

#include "clients/sealmq_recovery.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void secret_wipe(void *at, size_t len)
{
    sodium_memzero(at, len);
}

/* Byte by byte: what follows the line stays where it is. -1 = cannot be read; else its length, too long included. */
static long line_read(int fd, struct secret *out)
{
    size_t len = 0;
    memset(out, 0, sizeof *out);
    for (;;) {
        char byte = 0;
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
    if (!path && isatty(STDIN_FILENO)) fprintf(stderr, "%s", question);
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
    long len = fd < 0 ? -1 : line_read(fd, out);
    int error = errno;
    if (path && fd >= 0) close(fd);
    if (len >= 1 && len <= (long)SECRET_LEN_MAX) return EXIT_OK;
    secret_wipe(out, sizeof *out);
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
