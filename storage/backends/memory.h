/* memory: the backend that is the model of the others, and the one for tests and for relays that
 * may forget. It can lose what was not synced, and it can be slow, on purpose.
 *
 * Memory durability normally ends at DURABILITY_MEMORY. With `keeps_synced` it plays a disk for the
 * simulator: rows live in a struct memory_disk that survives memory_close, synced writes stay on
 * it, and unsynced ones are lost by memory_disk_crash. */
#ifndef SEALMQ_STORAGE_MEMORY_H
#define SEALMQ_STORAGE_MEMORY_H

#include "storage/store.h"

struct memory_disk;

/* memory_disk_new: an empty disk on the heap; free with memory_disk_free (NULL-safe, nulls). */
struct memory_disk *memory_disk_new(void);
void memory_disk_free(struct memory_disk **d);
/* memory_disk_crash: all writes since the last DURABILITY_SYNCED one vanish. Closed stores only. */
void memory_disk_crash(struct memory_disk *d);
/* memory_disk_cut: the last `count` synced writes vanish too (a damaged tail), the next open tells
 * RECOVERY_POINT_IN_TIME. Keeps at most the last 64 writes for this. Closed stores only. */
void memory_disk_cut(struct memory_disk *d, size_t count);
/* memory_disk_fail_write: the nth write from now (1 = the next) fails with IO, half of the time
 * (chosen by `applied`) after taking effect: the unknown outcome of a commit error. 0 = never. */
void memory_disk_fail_write(struct memory_disk *d, size_t nth, bool applied);

/* memory_open: a store over `disk`; with disk NULL a private one that is freed on close and whose
 * durability_max is DURABILITY_MEMORY. One open store per disk, else LOCKED. */
enum status memory_open(struct memory_disk *disk, struct store **out) MUST_USE;
/* memory_loads: how many load and scan calls were made so far (the slow mode counts a turn each). */
uint64_t memory_loads(const struct store *s);

#endif
