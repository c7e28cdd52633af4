/* rocksdb: the embedded, durable default backend. RocksDB's own header is included by rocksdb_settings.h only. */
#ifndef SEALMQ_STORAGE_ROCKSDB_H
#define SEALMQ_STORAGE_ROCKSDB_H

#include "storage/store.h"

struct rocksdb_config {
    const char *dir;         /* created with mode 0700 when missing */
    uint64_t write_buffer_bytes; /* per space; 0 = 16 MiB */
    uint64_t cache_bytes;        /* block cache; 0 = 8 MiB */
    uint32_t value_file_bytes;   /* of a file of large packs; 0 = 16 MiB */
    bool accept_damaged;     /* operator's command: open what neither recovery mode accepts
                                (skips any corrupted WAL record); never set by default */
};

/* rocksdb_open: strict recovery first, then point in time (store->recovery says which; STORAGE,
 * recovery).
 * OK; LOCKED: another process has the directory; DAMAGED: both recovery modes refuse, the directory
 * is left as it was; IO: anything else. error_text (of error_cap bytes, may be NULL) gets one line
 * for the operator. */
enum status rocksdb_store_open(const struct rocksdb_config *config, struct store **out,
                               char *error_text, size_t error_cap) MUST_USE;

#endif
