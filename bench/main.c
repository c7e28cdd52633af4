/* sealmq-bench: the program's table. What its commands do is in their folders: load (run), report. */
#include "bench/load/run.h"
#include "bench/report/report.h"

#include <stdlib.h>
#include <string.h>

static const struct command_rule commands[] = {
    {.name = "run", .help = "load a relay, verify everything, and say how fast it was",
     .options = options_rules, .option_count = OPTIONS_RULE_COUNT, .run = run_command},
    REPORT_COMMANDS,
};

static const struct program_rule program = {
    .name = "sealmq-bench",
    .help = "load generator for a SealMQ relay, and reports of what it measured",
    .commands = commands,
    .command_count = sizeof commands / sizeof commands[0],
};

/* pids_join: the table keeps the last value of an option: of several --pid that one gets all. */
static char *pids_join(int argc, char **argv)
{
    size_t len = sizeof "--pid=";
    char **last = NULL, *joined;
    for (int i = 1; i < argc; i++)
        len += strlen(argv[i]) + 1;
    joined = calloc(1, len);
    ENSURE(joined != NULL);
    char *end = stpcpy(joined, "--pid=");
    for (int i = 1; i < argc; i++) {
        bool beside = strcmp(argv[i], "--pid") == 0 && i + 1 < argc;
        if (!beside && strncmp(argv[i], "--pid=", 6) != 0) continue;
        if (last) end = stpcpy(end, ",");
        last = &argv[beside ? ++i : i];
        end = stpcpy(end, beside ? *last : *last + 6);
    }
    if (last) *last = strncmp(*last, "--pid=", 6) == 0 ? joined : joined + 6;
    return joined;
}

int main(int argc, char **argv)
{
    char *joined = pids_join(argc, argv);
    int status = command_main(&program, argc, argv);
    free(joined);
    return status;
}
