/* rocksdb_settings: what RocksDB is told: per space, and for the whole store. Only for the files of this backend: the one header
 * of ours that includes rocksdb/c.h. */
#ifndef SEALMQ_STORAGE_ROCKSDB_SETTINGS_H
#define SEALMQ_STORAGE_ROCKSDB_SETTINGS_H

#include "storage/backends/rocksdb.h"

#include <rocksdb/c.h>

#define FAMILY_COUNT SPACE_ALL_COUNT

/* How a space is used; a family of RocksDB each. */
struct family {
    const char *name;
    bool point_reads; /* loaded by key: a bloom filter pays */
    bool deletes;     /* rows come and go: look for tombstones */
    bool tiered;      /* rows come at a rate and stay for days: merge them seldom */
    unsigned hint_bytes; /* keys that start alike for so long come in order; 0 = none */
    unsigned block_bytes;
};
extern const struct family families[FAMILY_COUNT];

/* Live only while open runs; RocksDB keeps copies and its own references. */
struct settings {
    rocksdb_options_t *db;
    rocksdb_options_t *family[FAMILY_COUNT];
};

/* settings_init: for a store that is `fresh`, or there already. settings_fini: gives them back. */
void settings_init(struct settings *settings, const struct rocksdb_config *config, bool fresh);
void settings_fini(struct settings *settings);

#endif
