/* secret: a line that is nobody else's: read without a buffer that would keep it, given in the caller's memory, which the
 * caller wipes with secret_wipe. */
#ifndef SEALMQ_CLI_SECRET_H
#define SEALMQ_CLI_SECRET_H

#include "broker/host/command.h"

#define SECRET_LEN_MAX 255u

struct secret { char text[SECRET_LEN_MAX + 1]; };

/* secret_read: the first line of a file, or, where path is NULL, of standard input, after `question` where that is a
 * terminal, which does not show what is typed. EXIT_OK, or the exit status after one line (a signal, too). */
int secret_read(const struct command *c, const char *path, const char *question, struct secret *out);
void secret_wipe(void *at, size_t len);

/* secret_is_key: whether it is a recovery key; else one line to standard error says in which group it is wrong. */
bool secret_is_key(const struct secret *s);
/* secret_same_key: two texts of one recovery key, whatever their case, dashes and spaces. */
bool secret_same_key(const char *a, const char *b);

#endif
