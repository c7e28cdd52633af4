/* value_log: large values in files of their own, beside a log of keys that says where they are (key-value separation: Lu et al.,
 * WiscKey, FAST 2016). Here: packs, which are written once, read only by an open, and gone a moment later; as rows of RocksDB they would pass
 * its memtable, a checksum in software, its WAL and often a table.
 *
 * A file is written from its start to its end, and again from its start when nothing in it is wanted any more *and* no log of keys
 * is left that could bring back what was in it: who recovers to an earlier point finds the values of that point.
 * One thread at a time. */
#ifndef SEALMQ_STORAGE_VALUE_LOG_H
#define SEALMQ_STORAGE_VALUE_LOG_H

#include "broker/wire/arena.h"
#include "broker/wire/bytes.h"
#include "broker/wire/status.h"

#define VALUE_LOG_FILES_MAX 24u /* that are made; more of them may be found */
#define VALUE_PLACE_LEN      24u

struct value_place {
    uint32_t file;   /* its number, from 1 */
    uint32_t offset; /* bytes; a multiple of 4096 */
    uint32_t len;
    uint64_t hash;   /* XXH3, 64 bits: against torn and rotten bytes, not against people */
};

/* value_place_write: VALUE_PLACE_LEN bytes. value_place_read: OK; DAMAGED: these are none. */
void value_place_write(const struct value_place *p, uint8_t out[VALUE_PLACE_LEN]);
enum status value_place_read(struct view bytes, struct value_place *out) MUST_USE;

struct value_log;

/* value_log_open: the files NUMBER.values of a folder; a value that does not fit into what is left of file_bytes (at most 1 GiB) begins the
 * next one. NULL: it cannot be read, errno says why. value_log_close: NULL-safe, nulls. */
struct value_log *value_log_open(const char *dir, uint32_t file_bytes);
void value_log_close(struct value_log **v);

/* value_log_hold: a value that is wanted; after an open, for each of them, before value_log_begin. OK; DAMAGED: there is no such file; IO: it
 * cannot be opened, errno says why. value_log_begin: files without any go, but for a few. OK, IO. */
enum status value_log_hold(struct value_log *v, const struct value_place *p) MUST_USE;
enum status value_log_begin(struct value_log *v) MUST_USE;

/* value_log_append: writes and holds it. `oldest`: the number of the oldest log of keys that a recovery would read.
 * OK; FULL: there is no room at present, and nothing names what was written; IO: it is not known what is on the disk. */
enum status value_log_append(struct value_log *v, struct view value, uint64_t oldest, struct value_place *out) MUST_USE;
/* value_log_sync: what was appended is on the disk. OK, IO. */
enum status value_log_sync(struct value_log *v) MUST_USE;
/* value_log_release: it is not wanted any more. True: nothing in its file is, which then waits for value_log_until: `newest`: the number
 * of the newest log of keys there is; one of those up to it says so. */
bool value_log_release(struct value_log *v, const struct value_place *p);
void value_log_until(struct value_log *v, uint32_t file, uint64_t newest);
/* value_log_rest: nothing is asked of it at present: free files lose their bytes, and most of them go. */
void value_log_rest(struct value_log *v, uint64_t oldest);

/* value_log_read: on the arena. OK; DAMAGED: it is not there, or not what was written; IO. */
enum status value_log_read(struct value_log *v, const struct value_place *p, struct arena *a, struct view *out) MUST_USE;

#endif
