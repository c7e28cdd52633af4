/* committer: the thread in which a storage worker's groups are written, so that the next requests are
 * taken apart meanwhile. It owns nothing but itself: between committer_start and committer_done the
 * store is its, and of the core only storage_slab may be called (storage.h). */
#ifndef SEALMQ_WORKERS_STORAGE_COMMITTER_H
#define SEALMQ_WORKERS_STORAGE_COMMITTER_H

#include "storage/storage.h"

struct committer;

/* committer_open: the core outlives it. OK, IO. committer_close: waits for a commit under way; NULL-safe,
 * nulls. */
enum status committer_open(struct storage *core, struct committer **out) MUST_USE;
void committer_close(struct committer **c);

/* committer_start: writes the group of the turn under way. committer_fd: readable when that is done.
 * committer_done: false while it is not; else once true, with what storage_commit said and how long it
 * took. */
void committer_start(struct committer *c);
int committer_fd(const struct committer *c);
bool committer_done(struct committer *c, enum status *status, uint64_t *microseconds);

#endif
