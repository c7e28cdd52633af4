/* clients_backup_fixture: what the tests of backups share: a recovery key without a relay that knows of it, and another home of the
 * same account that takes what was written. Assertions are inside. */
#ifndef SEALMQ_TESTS_CLIENTS_BACKUP_FIXTURE_H
#define SEALMQ_TESTS_CLIENTS_BACKUP_FIXTURE_H

#include "clients/backup.h"
#include "tests/unit/clients_fixture.h"

extern const uint8_t backup_key[32];

/* backup_recovery_set: a recovery key is in our log, and backup_key is kept for it. */
void backup_recovery_set(struct fixture *f);
/* backup_home_of: another home, which knows nobody: of the device `me` says. */
struct state *backup_home_of(struct fixture *f, const struct state_identity *me);
/* backup_taken: the home takes it, at 1000 ms; all or nothing. */
enum status backup_taken(struct state *home, struct view content, struct backup_summary *summary);

#endif
