/* command_help: what --help prints, and the reading of a program's table that it shares with the
 * parser. Private to broker/host. */
#ifndef SEALMQ_HOST_COMMAND_HELP_H
#define SEALMQ_HOST_COMMAND_HELP_H

#include "broker/host/command.h"

#include <stdio.h>

/* option_at: the program's options first, then the command's (rule may be NULL); at < option_count. */
const struct option_rule *option_at(const struct program_rule *program,
                                    const struct command_rule *rule, size_t at);
size_t option_count(const struct program_rule *program, const struct command_rule *rule);
/* arguments_count: how many words of "NAME [TEXT]" must and may be given; NULL = none. */
void arguments_count(const char *arguments, int *required, int *allowed);
/* command_call: "sealmq send", or "sealmq" where the program has no commands or rule is NULL. */
void command_call(const struct program_rule *program, const struct command_rule *rule, char *out,
                  size_t cap);
/* command_help: of one command, or with rule NULL of the whole program. */
void command_help(FILE *out, const struct program_rule *program, const struct command_rule *rule);

#endif
