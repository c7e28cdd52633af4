/* report: the commands of sealmq-bench that read result files: report, compare, note. */
#ifndef SEALMQ_BENCH_REPORT_H
#define SEALMQ_BENCH_REPORT_H

#include "broker/host/command.h"

#define REPORT_OPTION_COUNT 2u
#define NOTE_OPTION_COUNT   1u
extern const struct option_rule report_options[REPORT_OPTION_COUNT];
extern const struct option_rule note_options[NOTE_OPTION_COUNT];

/* Exit status: OK; FAILED when a measurement was not clean or a file cannot be written; USAGE for
 * input that is not what it should be. */
int report_command(struct command *c);
int compare_command(struct command *c);
/* note_command: adds figures of a script to the last line of a file. */
int note_command(struct command *c);

/* Rows for the program's table. */
#define REPORT_COMMANDS                                                                           \
    {"report",       "FILE...",           "tables, and a page or .hgrm files, from result lines", \
     report_options, REPORT_OPTION_COUNT, report_command},                                        \
        {"compare", "A B", "what got faster or slower between two result files",                  \
         NULL,      0,     compare_command},                                                      \
    {                                                                                             \
        "note", "FILE [NAME=VALUE...]", "add figures to the last line of a result file",          \
            note_options, NOTE_OPTION_COUNT, note_command                                         \
    }

#endif
