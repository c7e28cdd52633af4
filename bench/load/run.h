/* run: sealmq-bench run. */
#ifndef SEALMQ_LOAD_RUN_H
#define SEALMQ_LOAD_RUN_H

#include "bench/load/options.h"

#define EXIT_INTERRUPTED 130 /* Ctrl-C: what was measured so far has been printed */

/* run_command: for the program's table, with options_rules. EXIT_OK; EXIT_FAILED: something was lost,
 * duplicated, corrupted or refused; EXIT_USAGE: it could not be run, and one line says why;
 * EXIT_INTERRUPTED. */
int run_command(struct command *c);

#endif
