/* restore: `recovery restore`, a command of its own within another one. */
#ifndef SEALMQ_CLI_RESTORE_H
#define SEALMQ_CLI_RESTORE_H

#include "broker/host/command.h"

int restore_run(struct command *c, long long timeout_s);

#endif
