/* directory: the folder of an embedded store. */
#ifndef SEALMQ_STORAGE_DIRECTORY_H
#define SEALMQ_STORAGE_DIRECTORY_H

#include "broker/wire/bytes.h"

/* directory_create: mode 0700, its name synced in the folder above; 0 also when it is there already, else -1
 * and errno. */
int directory_create(const char *dir);
/* directory_holds_rows: a file of rows (a table, or a WAL with something in it) is there, or cannot be
 * looked at. */
bool directory_holds_rows(const char *dir);

#endif
