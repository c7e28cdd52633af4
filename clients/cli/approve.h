/* approve: devices approve and devices reject. */
#ifndef SEALMQ_CLI_APPROVE_H
#define SEALMQ_CLI_APPROVE_H

#include "clients/cli/commands.h"

/* approve_is: the call of `devices` is one of these. approve_run: it, as any command's. */
bool approve_is(const struct command *c);
int approve_run(struct command *c);

#endif
