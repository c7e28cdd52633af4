/* rocksdb_directory: the folder of an embedded store. */
#ifndef SEALMQ_STORAGE_ROCKSDB_DIRECTORY_H
#define SEALMQ_STORAGE_ROCKSDB_DIRECTORY_H

#include "broker/wire/bytes.h"

/* rocksdb_directory_create: mode 0700, its name synced in the folder above; 0 also when it is there already, else -1
 * and errno. */
int rocksdb_directory_create(const char *dir);
/* rocksdb_directory_holds_rows: a file of rows (a table, or a WAL with something in it) is there, or cannot be
 * looked at. */
bool rocksdb_directory_holds_rows(const char *dir);
/* directory_each: calls take for each name in an open folder. 0, or errno: not all of them were told. */
int directory_each(int dir, void (*take)(void *self, const char *name), void *self);

#endif
