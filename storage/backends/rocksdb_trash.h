/* rocksdb_trash: lets the files that RocksDB deletes go in small steps. Freeing a large file at once holds up
 * every sync of its file system meanwhile (ext4: 20 ms for 60 MiB, some once a second at full speed), so each
 * WAL and each table has a second name (NAME.trash, as RocksDB's own trash is called), by which its end is cut
 * off bit by bit when the first one is gone. No content is read; what still has its first name, or any other, is
 * not touched. Who has a deleted file open sees it shrink: copies are made of a stopped store, or of a snapshot of
 * its file system. */
#ifndef SEALMQ_STORAGE_ROCKSDB_TRASH_H
#define SEALMQ_STORAGE_ROCKSDB_TRASH_H

struct trash;

/* trash_open: a thread that follows dir, which RocksDB has open; what an earlier process left goes first. NULL =
 * no second names or no notices on this file system: files go at once then, as without it. */
struct trash *trash_open(const char *dir);
/* trash_close: before RocksDB closes; takes all second names away. NULL-safe, nulls. */
void trash_close(struct trash **t);

#endif
