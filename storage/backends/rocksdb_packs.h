/* rocksdb_packs: which rows of SPACE_PACKS have their value in the value log: those that are large. Their rows in RocksDB are its places
 * there. Invariant: a place is written below only when what it names is on the disk as far as the write itself will be; what a row
 * named is released only when the write that took the row away is known to be done. */
#ifndef SEALMQ_STORAGE_ROCKSDB_PACKS_H
#define SEALMQ_STORAGE_ROCKSDB_PACKS_H

#include "storage/backends/value_log.h"
#include "storage/store.h"

#define LARGE_PACK_BYTES  (64u << 10) /* below it the second sync costs more than RocksDB does */
#define VALUE_FILE_BYTES  (16u << 20)

struct large_packs;

/* large_packs_open: of a folder that RocksDB has open; file_bytes: 0 = VALUE_FILE_BYTES. NULL: errno says why. large_packs_close: NULL-safe,
 * nulls. */
struct large_packs *large_packs_open(const char *dir, uint32_t file_bytes);
void large_packs_close(struct large_packs **p);

/* large_packs_found: a row that an open finds; after the last of them large_packs_begin. OK, also where the file is gone (it does not read);
 * IO: errno says why. */
enum status large_packs_found(struct large_packs *p, struct view key, struct view value) MUST_USE;
enum status large_packs_begin(struct large_packs *p) MUST_USE;

/* large_packs_put: what to write below for this value: itself, or its place (in `place`). oldest: see value_log_append; of no matter below
 * LARGE_PACK_BYTES. OK, IO.
 * large_packs_delete: a row goes. large_packs_sync: before a write that shall last. OK, IO.
 * large_packs_done: the write is. All of one write between two of these. */
enum status large_packs_put(struct large_packs *p, struct view key, struct view value, uint64_t oldest,
                            uint8_t place[VALUE_PLACE_LEN], struct view *below) MUST_USE;
void large_packs_delete(struct large_packs *p, struct view key);
enum status large_packs_sync(struct large_packs *p) MUST_USE;
void large_packs_done(struct large_packs *p);

/* large_packs_rest: see value_log_rest. */
void large_packs_rest(struct large_packs *p, uint64_t oldest);

/* large_pack_len: of what a row of SPACE_PACKS stands for. large_packs_read: puts the values into rows that are places. OK; DAMAGED; IO. p may
 * be NULL. */
size_t large_pack_len(struct view value);
enum status large_packs_read(struct large_packs *p, struct store_row *rows, size_t count, struct arena *a) MUST_USE;

#endif
