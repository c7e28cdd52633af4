/* sqlite: the client's state in one SQLite file (WAL, synchronous=FULL): a commit that returned OK
 * survives the loss of power, and several processes may share one home. */
#ifndef SEALMQ_CLIENTS_STATE_SQLITE_H
#define SEALMQ_CLIENTS_STATE_SQLITE_H

#include "clients/state/home_key.h"
#include "clients/state/state.h"

/* sqlite_state_open: opens the file, or (lock->make) makes it (0600), brings it to the present schema, and
 * unlocks it: its secret columns are sealed under the home's key. A new home, or one of a version that did not
 * seal, gets the lock that lock names. lock is borrowed for the call.
 * OK; NOT_FOUND (no home there yet, and none is to be made), CONFIG (others may read it, it was made by a newer
 * version, or the key or passphrase is not its own), DAMAGED (not a state file of ours, or broken), LOCKED
 * (another process is changing it), IO (cannot be read or written, disk full); each with one line in error that
 * says what to do. *out is NULL after a failure, and the home is as it was. Free with state_close. */
enum status sqlite_state_open(const char *path, const struct home_lock *lock, struct state **out, char *error,
                              size_t cap) MUST_USE;

/* sqlite_state_reason: why the last call on s failed, for a person: static text such as "the
 * disk is full". s must come from sqlite_state_open. */
const char *sqlite_state_reason(const struct state *s);

#endif
