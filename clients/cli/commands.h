/* commands: the commands of `sealmq`, one file each. Each prints its result on standard output and
 * returns the exit status. All that they do with messages they do through sealmq.h, as any product would. */
#ifndef SEALMQ_CLI_COMMANDS_H
#define SEALMQ_CLI_COMMANDS_H

#include "broker/host/command.h"

#define EXIT_QUEUED  3 /* kept here; the relay can't be reached, or has not answered yet */
#define EXIT_TIMEOUT 4 /* recv: the time given passed first */

#define NOT_SEALED "not sealed: the relay has this text as it is, readable there"

int init_run(struct command *c);
int register_run(struct command *c);
int send_run(struct command *c);
int recv_run(struct command *c);
int status_run(struct command *c);
int outbox_run(struct command *c);
int release_run(struct command *c);
int rotate_run(struct command *c);
int devices_run(struct command *c);
int link_run(struct command *c);
int log_run(struct command *c);
int verify_run(struct command *c);
int block_run(struct command *c);
int unblock_run(struct command *c);
int requests_run(struct command *c);
int recovery_run(struct command *c);
int backup_run(struct command *c);
int history_run(struct command *c);

#endif
