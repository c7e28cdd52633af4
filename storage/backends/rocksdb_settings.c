/* rocksdb_settings: the options and why; the rest of them is RocksDB's defaults (STORAGE, RocksDB). */
#include "storage/backends/rocksdb_settings.h"

#include <stdio.h>

#define MIB                ((size_t)1024 * 1024)
#define WRITE_BUFFER_BYTES (16 * MIB)
#define CACHE_BYTES        (8 * MIB)
#define WAL_BYTES_FACTOR   6u /* all WAL files, in write buffers: recovery time is bounded by it */
#define OPEN_FILE_MAX      256
#define BACKGROUND_JOB_MAX 2 /* one flush, one compaction */
#define INFO_LOG_WARN      2
#define INFO_LOG_BYTES     (1 * MIB)
#define INFO_LOG_KEEP      8u
#define MANIFEST_BYTES     (16 * MIB)
#define BLOCK_BYTES_ROWS   (4u * 1024u)
#define BLOCK_BYTES_BODIES (16u * 1024u)
#define BLOOM_KEY_BITS     10.0
#define SYNC_STEP_BYTES    (1 * MIB) /* SST bytes reach the disk in steps, not as one stall */
#define TOMBSTONE_WINDOW   4096u     /* this many rows with ... */
#define TOMBSTONE_TRIGGER  2048u     /* ... this many deletes mark a file for compaction */
#define HINT_BYTES_MAILBOX 19u /* rows.h: kind, partition, device */
#define HINT_BYTES_PAIR    51u /* kind, partition, sender, target */
#define RUN_COUNT_MAX      8 /* sorted runs of a tiered family before some are merged */

const struct family families[FAMILY_COUNT] = {
    [SPACE_PAYLOAD] = {.name = "payload", .deletes = true, .hint_bytes = HINT_BYTES_MAILBOX,
                       .block_bytes = BLOCK_BYTES_BODIES},
    [SPACE_ROUTING] = {.name = "routing", .point_reads = true, .deletes = true, .tiered = true,
                       .hint_bytes = HINT_BYTES_PAIR, .block_bytes = BLOCK_BYTES_ROWS},
    [SPACE_IDENTITY] = {.name = "identity", .point_reads = true, .block_bytes = BLOCK_BYTES_ROWS},
    [SPACE_EVENTS] = {.name = "events", .block_bytes = BLOCK_BYTES_BODIES},
    [SPACE_PACKS] = {.name = "default", .block_bytes = BLOCK_BYTES_BODIES},
};


static rocksdb_block_based_table_options_t *table_options_new(const struct family *f,
                                                              rocksdb_cache_t *cache)
{
    rocksdb_block_based_table_options_t *t = rocksdb_block_based_options_create();
    rocksdb_block_based_options_set_block_cache(t, cache);
    rocksdb_block_based_options_set_block_size(t, f->block_bytes);
    /* Indexes and filters count against the cache: memory stays bounded as tables grow. */
    rocksdb_block_based_options_set_cache_index_and_filter_blocks(t, 1);
    rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(t, 1);
    rocksdb_block_based_options_set_format_version(t, 5);
    if (f->point_reads)
        rocksdb_block_based_options_set_filter_policy(
            t, rocksdb_filterpolicy_create_bloom_full(BLOOM_KEY_BITS));
    return t;
}

/* New rows that come in order behind (or before) others with the same start find their place in the
 * memtable from the last one of that start, and not from the top. The C interface has it only as text. */
static rocksdb_options_t *hinted_options_new(unsigned hint_bytes)
{
    rocksdb_options_t *plain = rocksdb_options_create();
    rocksdb_options_t *hinted = rocksdb_options_create();
    char text[96] = "";
    char *error = NULL;
    if (hint_bytes)
        snprintf(text, sizeof text,
                 "memtable_insert_with_hint_prefix_extractor=rocksdb.FixedPrefix.%u", hint_bytes);
    rocksdb_get_options_from_string(plain, text, hinted, &error);
    ENSURE(error == NULL);
    rocksdb_options_destroy(plain);
    return hinted;
}

static rocksdb_options_t *family_options_new(const struct family *f, size_t write_buffer_bytes,
                                             rocksdb_cache_t *cache)
{
    rocksdb_options_t *o = hinted_options_new(f->hint_bytes);
    rocksdb_options_set_write_buffer_size(o, write_buffer_bytes);
    rocksdb_options_set_compression(o, rocksdb_no_compression);
    rocksdb_options_set_bottommost_compression(o, rocksdb_no_compression);
    if (f->tiered) {
        rocksdb_options_set_compaction_style(o, rocksdb_universal_compaction);
        rocksdb_options_set_level0_file_num_compaction_trigger(o, RUN_COUNT_MAX);
    } else {
        rocksdb_options_set_level_compaction_dynamic_level_bytes(o, 1);
    }
    if (f->deletes)
        rocksdb_options_add_compact_on_deletion_collector_factory(o, TOMBSTONE_WINDOW,
                                                                  TOMBSTONE_TRIGGER);
    rocksdb_block_based_table_options_t *t = table_options_new(f, cache);
    rocksdb_options_set_block_based_table_factory(o, t);
    rocksdb_block_based_options_destroy(t);
    return o;
}

static rocksdb_options_t *db_options_new(size_t write_buffer_bytes, bool fresh)
{
    rocksdb_options_t *o = rocksdb_options_create();
    rocksdb_options_set_create_if_missing(o, fresh);
    rocksdb_options_set_create_missing_column_families(o, fresh);
    rocksdb_options_set_paranoid_checks(o, 1);
    rocksdb_options_set_atomic_flush(o, 1);
    rocksdb_options_set_allow_concurrent_memtable_write(o, 0);
    rocksdb_options_set_max_total_wal_size(o, WAL_BYTES_FACTOR * write_buffer_bytes);
    rocksdb_options_set_max_manifest_file_size(o, MANIFEST_BYTES);
    rocksdb_options_set_max_open_files(o, OPEN_FILE_MAX);
    rocksdb_options_set_max_file_opening_threads(o, 1);
    rocksdb_options_set_max_background_jobs(o, BACKGROUND_JOB_MAX);
    rocksdb_options_set_bytes_per_sync(o, SYNC_STEP_BYTES);
    rocksdb_options_set_info_log_level(o, INFO_LOG_WARN);
    rocksdb_options_set_max_log_file_size(o, INFO_LOG_BYTES);
    rocksdb_options_set_keep_log_file_num(o, INFO_LOG_KEEP);
    rocksdb_options_set_stats_dump_period_sec(o, 0);
    rocksdb_options_set_stats_persist_period_sec(o, 0);
    return o;
}

void settings_init(struct settings *settings, const struct rocksdb_config *config,
                          bool fresh)
{
    size_t write_buffer_bytes =
        config->write_buffer_bytes ? config->write_buffer_bytes : WRITE_BUFFER_BYTES;
    rocksdb_cache_t *cache =
        rocksdb_cache_create_lru(config->cache_bytes ? config->cache_bytes : CACHE_BYTES);
    settings->db = db_options_new(write_buffer_bytes, fresh);
    for (unsigned i = 0; i < FAMILY_COUNT; i++)
        settings->family[i] = family_options_new(&families[i], write_buffer_bytes, cache);
    rocksdb_cache_destroy(cache);
}

void settings_fini(struct settings *settings)
{
    rocksdb_options_destroy(settings->db);
    for (unsigned i = 0; i < FAMILY_COUNT; i++)
        rocksdb_options_destroy(settings->family[i]);
}
