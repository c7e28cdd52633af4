/* command: one table per program drives parsing, --help and --json. Parsing is getopt_long's. */
#ifndef SEALMQ_HOST_COMMAND_H
#define SEALMQ_HOST_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#define EXIT_OK     0
#define EXIT_FAILED 1
#define EXIT_USAGE  2

struct command;

struct option_rule {
    const char *name;  /* "timeout"; the long option */
    const char *value; /* "S": what --help calls it; NULL = a flag */
    const char *help;
    bool required;
};

struct command_rule {
    const char *name;      /* "send"; NULL = the program has no commands */
    const char *arguments; /* "NAME TEXT|-": positional, one word each, [optional] at the end, all required
                            * else; the last may end in "...": one or more, [NAME...]: any number */
    const char *help;
    const struct option_rule *options;
    size_t option_count;
    int (*run)(struct command *c);
};

struct program_rule {
    const char *name; /* "sealmq" */
    const char *help; /* one line */
    const struct option_rule *options; /* for every command; --help, --version and --json are built in */
    size_t option_count;
    const struct command_rule *commands;
    size_t command_count;
};

/* One parsed call. */
struct command {
    const struct program_rule *program;
    const struct command_rule *rule;
    bool json;
    int argument_count;
    char **arguments;
    void *parsed; /* private */
};

/* command_main: parses, runs, returns the exit status. Errors: one line on standard error that says
 * what is wrong and what to do; EXIT_USAGE. */
int command_main(const struct program_rule *program, int argc, char **argv);
/* command_option: the value given, "" for a flag given, NULL when absent. */
const char *command_option(const struct command *c, const char *name);
/* command_number: the option as a number within [min, max]; fallback when absent; false after printing
 * a usage error. */
bool command_number(const struct command *c, const char *name, long long min, long long max,
                    long long fallback, long long *out);
/* command_fail: one line "sealmq: WHAT" on standard error (or {"error":...} with --json); returns
 * exit_status for `return command_fail(...)`. */
int command_fail(const struct command *c, int exit_status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
