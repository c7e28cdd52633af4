/* backup: what `backup` and `recovery restore` share. */
#ifndef SEALMQ_CLI_BACKUP_H
#define SEALMQ_CLI_BACKUP_H

#include "clients/cli/loop.h"
#include "clients/sealmq_recovery.h"

/* backup_wait: until the one that was begun is over, or the deadline. EXIT_OK with *out, whatever became of it; else the exit status
 * after one line. backup_why: of one that has failed: one line for a person. */
int backup_wait(struct device *d, uint64_t deadline_ms, struct sealmq_backup *out);
/* backup_fallback_tell: where it is not the newest that was taken. */
void backup_fallback_tell(const struct sealmq_backup *b);
const char *backup_why(const struct sealmq_backup *b);

#endif
