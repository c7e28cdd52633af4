/* rocksdb: the durable backend: each space is a column family, each write one WAL record. What a
 * row means is not known here, nor who may read it; RocksDB's types and error texts end here.
 *
 * Invariants: WAL order is commit order, so that a torn tail loses a suffix and never a hole;
 * atomic_flush keeps the spaces at one point in time; nothing is created over files that hold data;
 * after one failed write all later ones are refused, since what that one did is not known.
 *
 * Chosen against in 7.8.3 (STORAGE, RocksDB): manual WAL flush, WAL compression and recycling,
 * DeleteRange, SingleDelete, WAL tracking in the manifest. */
#include "storage/backends/rocksdb.h"
#include "storage/backends/rocksdb_directory.h"
#include "storage/backends/rocksdb_packs.h"
#include "storage/backends/rocksdb_settings.h"
#include "storage/backends/rocksdb_trash.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#define OLDEST_WAL         "rocksdb.min-log-number-to-keep" /* a recovery reads none below it */
#define ROW_COUNT_MIN      64u
#define NEAR_SKIPS_MAX     256u /* deleted rows before the nearest one */

/* The order in which open gives way, each step only when the one before found damage. */
static const struct attempt {
    int wal_recovery_mode;
    enum store_recovery recovery;
    bool operator_only;
} attempts[] = {
    {rocksdb_absolute_consistency_recovery, RECOVERY_CLEAN, false},
    {rocksdb_point_in_time_recovery, RECOVERY_POINT_IN_TIME, false},
    {rocksdb_skip_any_corrupted_records_recovery, RECOVERY_POINT_IN_TIME, true},
};

struct rocksdb_store {
    struct store base;
    rocksdb_t *db;
    rocksdb_column_family_handle_t *family[FAMILY_COUNT];
    rocksdb_readoptions_t *load_options;
    rocksdb_readoptions_t *scan_options;
    rocksdb_readoptions_t *near_options; /* gives up among deleted rows */
    rocksdb_writeoptions_t *write_options[2]; /* by enum durability */
    rocksdb_writebatch_t *batch;              /* reused: keeps its memory */
    char *dir;
    struct trash *trash; /* NULL where it cannot be */
    struct large_packs *large; /* NULL where the packs there are cannot be read */
    bool failed;
};

static const char nothing[1];

static struct rocksdb_store *rocksdb_of(struct store *s)
{
    return (struct rocksdb_store *)s;
}

static const char *chars(struct view v)
{
    return v.len ? (const char *)v.at : nothing;
}

/* Takes an error text of RocksDB (NULL = none): what it means for rows that are read. */
static enum status read_status(char *error)
{
    if (!error) return STATUS_OK;
    bool damaged = strncmp(error, "Corruption", 10) == 0;
    rocksdb_free(error);
    return damaged ? STATUS_DAMAGED : STATUS_IO;
}

/* A copy on the arena; at is never NULL. */
static struct view copy_of(struct arena *a, const char *at, size_t len)
{
    uint8_t *copy = arena_alloc_raw(a, len ? len : 1);
    if (len) memcpy(copy, at, len);
    return view_of(copy, len);
}

/* --- load: one multi-get per space --- */

/* One multi-get's arguments and answers; room for all reads of a load. */
struct multi_get {
    const char **keys;
    size_t *key_lens;
    rocksdb_pinnableslice_t **values;
    char **errors;
    struct store_read **reads;
    size_t count;
};

static void multi_get_run(struct rocksdb_store *r, enum store_space space, struct multi_get *get)
{
    rocksdb_batched_multi_get_cf(r->db, r->load_options, r->family[space], get->count, get->keys,
                                 get->key_lens, get->values, get->errors, false);
}

/* Gives every answer back to RocksDB, also after an error. */
static enum status multi_get_take(struct multi_get *get, struct arena *a)
{
    enum status worst = STATUS_OK;
    for (size_t i = 0; i < get->count; i++) {
        enum status found = read_status(get->errors[i]);
        if (found == STATUS_DAMAGED || worst == STATUS_OK) worst = found;
        if (!get->values[i]) continue;
        size_t len = 0;
        const char *at = rocksdb_pinnableslice_value(get->values[i], &len);
        get->reads[i]->value = copy_of(a, at, len);
        rocksdb_pinnableslice_destroy(get->values[i]);
    }
    return worst;
}

static enum status load_space(struct rocksdb_store *r, enum store_space space,
                              struct store_read *reads, size_t count, struct multi_get *get,
                              struct arena *a)
{
    get->count = 0;
    for (size_t i = 0; i < count; i++) {
        if (reads[i].space != space) continue;
        get->keys[get->count] = chars(reads[i].key);
        get->key_lens[get->count] = reads[i].key.len;
        get->values[get->count] = NULL;
        get->errors[get->count] = NULL;
        get->reads[get->count++] = &reads[i];
    }
    if (!get->count) return STATUS_OK;
    multi_get_run(r, space, get);
    return multi_get_take(get, a);
}

static enum status rocksdb_load(struct store *s, struct store_read *reads, size_t count,
                                struct arena *a)
{
    struct multi_get get = {
        .keys = arena_array(a, count, sizeof *get.keys),
        .key_lens = arena_array(a, count, sizeof *get.key_lens),
        .values = arena_array(a, count, sizeof(rocksdb_pinnableslice_t *)),
        .errors = arena_array(a, count, sizeof(char *)),
        .reads = arena_array(a, count, sizeof(struct store_read *)),
    };
    for (size_t i = 0; i < count; i++) {
        ENSURE(reads[i].space < SPACE_COUNT);
        reads[i].value = view_of(NULL, 0);
    }
    enum status status = STATUS_OK;
    for (enum store_space space = 0; space < SPACE_COUNT && status == STATUS_OK; space++)
        status = load_space(rocksdb_of(s), space, reads, count, &get, a);
    for (size_t i = 0; i < count && status != STATUS_OK; i++)
        reads[i].value = view_of(NULL, 0);
    return status;
}

/* --- scan --- */

static struct store_row *scan_next_row(struct store_scan *scan, size_t *cap, struct arena *a)
{
    if (scan->row_count == *cap) {
        *cap = *cap ? *cap * 2 : ROW_COUNT_MIN;
        struct store_row *rows = arena_array(a, *cap, sizeof *rows);
        if (scan->row_count) memcpy(rows, scan->rows, scan->row_count * sizeof *rows);
        scan->rows = rows;
    }
    return &scan->rows[scan->row_count++];
}

static void scan_rows(rocksdb_iterator_t *at, struct store_scan *scan, struct arena *a)
{
    size_t cap = 0;
    size_t byte_count = 0;
    for (; rocksdb_iter_valid(at); rocksdb_iter_next(at)) {
        if (scan->row_count == scan->row_max ||
            (scan->row_count > 0 && byte_count >= scan->byte_max)) {
            scan->more = true;
            return;
        }
        size_t key_len = 0;
        size_t value_len = 0;
        const char *key = rocksdb_iter_key(at, &key_len);
        const char *value = scan->keys_only ? nothing : rocksdb_iter_value(at, &value_len);
        struct store_row *row = scan_next_row(scan, &cap, a);
        row->key = copy_of(a, key, key_len);
        row->value = scan->keys_only ? view_of(nothing, 0) : copy_of(a, value, value_len);
        byte_count += key_len + (scan->space == SPACE_PACKS ? large_pack_len(row->value) : value_len);
        if (scan->nearest) return; /* what stands behind it may be deleted rows without end */
    }
}

/* Takes the text if it says that too many deleted rows were passed. */
static bool gave_up(char *error)
{
    bool so = error && strncmp(error, "Result incomplete", 17) == 0;
    if (so) rocksdb_free(error);
    return so;
}

static enum status rocksdb_scan(struct store *s, struct store_scan *scan, struct arena *a)
{
    ENSURE(scan->space < SPACE_ALL_COUNT);
    struct rocksdb_store *r = rocksdb_of(s);
    /* The bound is borrowed for as long as the iterator lives. */
    rocksdb_readoptions_t *options = scan->nearest ? r->near_options : r->scan_options;
    rocksdb_readoptions_set_iterate_upper_bound(options, scan->to.len ? chars(scan->to) : NULL,
                                                scan->to.len);
    rocksdb_iterator_t *at = rocksdb_create_iterator_cf(r->db, options, r->family[scan->space]);
    rocksdb_iter_seek(at, chars(scan->from), scan->from.len);
    scan_rows(at, scan, a);
    char *error = NULL;
    rocksdb_iter_get_error(at, &error);
    rocksdb_iter_destroy(at);
    enum status status = scan->nearest && gave_up(error) ? STATUS_OK : read_status(error);
    if (status == STATUS_OK && scan->space == SPACE_PACKS) status = large_packs_read(r->large, scan->rows, scan->row_count, a);
    if (status != STATUS_OK) {
        scan->rows = NULL;
        scan->row_count = 0;
        scan->more = false;
    }
    return status;
}

/* --- write --- */

static uint64_t property(const struct rocksdb_store *r, unsigned family, const char *name)
{
    uint64_t value = 0;
    return rocksdb_property_int_cf(r->db, r->family[family], name, &value) == 0 ? value : 0;
}

static void batch_add(struct rocksdb_store *r, const struct store_op *op)
{
    ENSURE(op->space < SPACE_ALL_COUNT && op->key.len > 0 && op->key.len <= STORE_KEY_LEN_MAX);
    rocksdb_column_family_handle_t *family = r->family[op->space];
    const char *key = chars(op->key);
    if (op->kind == STORE_DELETE) {
        rocksdb_writebatch_delete_cf(r->batch, family, key, op->key.len);
    } else if (op->head.len && op->body.len) {
        const char *parts[2] = {chars(op->head), chars(op->body)};
        const size_t lens[2] = {op->head.len, op->body.len};
        rocksdb_writebatch_putv_cf(r->batch, family, 1, &key, &op->key.len, 2, parts, lens);
    } else {
        struct view value = op->head.len ? op->head : op->body;
        rocksdb_writebatch_put_cf(r->batch, family, key, op->key.len, chars(value), value.len);
    }
}

/* A pack: its bytes, or where they are. */
static enum status pack_add(struct rocksdb_store *r, const struct store_op *op)
{
    uint8_t place[VALUE_PLACE_LEN];
    struct store_op below = *op;
    enum status status = STATUS_OK;
    ENSURE(!op->body.len); /* pack.c puts them in one piece */
    uint64_t oldest = op->head.len < LARGE_PACK_BYTES ? 0 : property(r, SPACE_PACKS, OLDEST_WAL); /* takes RocksDB's lock */
    if (op->kind == STORE_DELETE)
        large_packs_delete(r->large, op->key);
    else
        status = large_packs_put(r->large, op->key, op->head, oldest, place, &below.head);
    if (status == STATUS_OK) batch_add(r, &below);
    return status;
}

/* What a place names is on the disk before the place can be, whatever is asked of the write itself. */
static enum status batch_make(struct rocksdb_store *r, const struct store_batch *batch)
{
    enum status status = STATUS_OK;
    rocksdb_writebatch_clear(r->batch);
    for (size_t i = 0; i < batch->op_count && status == STATUS_OK; i++) {
        if (r->large && batch->ops[i].space == SPACE_PACKS)
            status = pack_add(r, &batch->ops[i]);
        else
            batch_add(r, &batch->ops[i]);
    }
    return status == STATUS_OK && r->large ? large_packs_sync(r->large) : status;
}

static enum status rocksdb_write_batch(struct store *s, const struct store_batch *batch,
                                       enum durability d)
{
    struct rocksdb_store *r = rocksdb_of(s);
    char *error = NULL;
    if (r->failed) return STATUS_IO;
    r->failed = batch_make(r, batch) != STATUS_OK;
    if (!r->failed) rocksdb_write(r->db, r->write_options[d], r->batch, &error);
    r->failed = r->failed || error;
    rocksdb_free(error);
    if (r->failed) return STATUS_IO;
    if (r->large) large_packs_done(r->large);
    return STATUS_OK;
}

/* --- stats and close --- */

static void rocksdb_stats(struct store *s, struct store_stats *out)
{
    const struct rocksdb_store *r = rocksdb_of(s);
    struct statvfs disk;
    if (statvfs(r->dir, &disk) == 0) {
        out->disk_free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
        out->disk_total_bytes = (uint64_t)disk.f_blocks * disk.f_frsize;
    }
    for (unsigned space = 0; space < SPACE_ALL_COUNT; space++) {
        out->row_count += property(r, space, "rocksdb.estimate-num-keys");
        /* The first counts tables only: without the second, rows not yet flushed would be 0 bytes. */
        out->live_bytes += property(r, space, "rocksdb.estimate-live-data-size");
        out->live_bytes += property(r, space, "rocksdb.cur-size-all-mem-tables");
    }
}

static void rocksdb_store_close(struct store *s)
{
    if (!s) return;
    struct rocksdb_store *r = rocksdb_of(s);
    trash_close(&r->trash);
    large_packs_close(&r->large);
    rocksdb_writebatch_destroy(r->batch);
    rocksdb_writeoptions_destroy(r->write_options[DURABILITY_MEMORY]);
    rocksdb_writeoptions_destroy(r->write_options[DURABILITY_SYNCED]);
    rocksdb_readoptions_destroy(r->scan_options);
    rocksdb_readoptions_destroy(r->near_options);
    rocksdb_readoptions_destroy(r->load_options);
    for (unsigned i = 0; i < FAMILY_COUNT; i++)
        rocksdb_column_family_handle_destroy(r->family[i]);
    rocksdb_close(r->db);
    free(r->dir);
    free(r);
}

/* --- open --- */

/* What an error of DB::Open means. RocksDB's C interface has only the text. */
static enum status open_status(const char *error, bool fresh)
{
    if (!error) return STATUS_OK;
    if (strncmp(error, "Corruption", 10) == 0) return STATUS_DAMAGED;
    if (strstr(error, "lock hold by current process") || strstr(error, "While lock file"))
        return STATUS_LOCKED;
    bool file_missing = strstr(error, "does not exist") || strstr(error, "No such file");
    bool family_missing = strstr(error, "Column family not found");
    return !fresh && (file_missing || family_missing) ? STATUS_DAMAGED : STATUS_IO;
}

static void explain(char *text, size_t cap, const char *reason)
{
    if (!text || !cap) return;
    snprintf(text, cap, "%s", reason);
    for (char *c = text; *c; c++)
        if (*c == '\n' || *c == '\r') *c = ' ';
}

static bool has_all_families(char *const *names, size_t count)
{
    size_t found = 0;
    for (size_t i = 0; i < FAMILY_COUNT; i++)
        for (size_t k = 0; k < count; k++)
            found += strcmp(families[i].name, names[k]) == 0;
    return found == FAMILY_COUNT;
}

/* Reads the manifest and touches nothing: DB::Open notices a lost family only after it has replayed
 * the WAL, dropped that family's rows and written a new manifest. What may be another process at
 * work (a file that has just gone) is left to DB::Open, which takes the lock first. */
static enum status check_manifest(const struct rocksdb_store *r, const struct settings *settings,
                                  char *error_text, size_t error_cap)
{
    char *error = NULL;
    size_t count = 0;
    char **names = rocksdb_list_column_families(settings->db, r->dir, &count, &error);
    enum status status = STATUS_OK;
    if (error && strncmp(error, "Corruption", 10) == 0) {
        explain(error_text, error_cap, error);
        status = STATUS_DAMAGED;
    } else if (!error && !has_all_families(names, count)) {
        explain(error_text, error_cap, "the manifest lacks a column family");
        status = STATUS_DAMAGED;
    }
    rocksdb_list_column_families_destroy(names, count); /* also after an error */
    rocksdb_free(error);
    return status;
}

static enum status open_attempt(struct rocksdb_store *r, const struct settings *settings,
                                bool fresh, const struct attempt *attempt, char *error_text,
                                size_t error_cap)
{
    const char *names[FAMILY_COUNT];
    const rocksdb_options_t *options[FAMILY_COUNT];
    for (unsigned i = 0; i < FAMILY_COUNT; i++) {
        names[i] = families[i].name;
        options[i] = settings->family[i];
    }
    rocksdb_options_set_wal_recovery_mode(settings->db, attempt->wal_recovery_mode);
    char *error = NULL;
    r->db = rocksdb_open_column_families(settings->db, r->dir, FAMILY_COUNT, names, options,
                                         r->family, &error);
    r->base.recovery = attempt->recovery;
    enum status status = open_status(error, fresh);
    if (error) explain(error_text, error_cap, error);
    rocksdb_free(error);
    return status;
}

static enum status open_by_attempts(struct rocksdb_store *r, const struct settings *settings,
                                    const struct rocksdb_config *config, bool fresh,
                                    char *error_text, size_t error_cap)
{
    enum status status = STATUS_DAMAGED;
    for (size_t i = 0; i < sizeof attempts / sizeof *attempts && status == STATUS_DAMAGED; i++)
        if (!attempts[i].operator_only || config->accept_damaged)
            status = open_attempt(r, settings, fresh, &attempts[i], error_text, error_cap);
    return status;
}

static enum status open_db(struct rocksdb_store *r, const struct rocksdb_config *config,
                           char *error_text, size_t error_cap)
{
    if (rocksdb_directory_create(r->dir) != 0) {
        explain(error_text, error_cap, strerror(errno));
        return STATUS_IO;
    }
    bool fresh = !rocksdb_directory_holds_rows(r->dir);
    struct settings settings;
    settings_init(&settings, config, fresh);
    enum status status = fresh ? STATUS_OK : check_manifest(r, &settings, error_text, error_cap);
    if (status == STATUS_OK)
        status = open_by_attempts(r, &settings, config, fresh, error_text, error_cap);
    settings_fini(&settings);
    return status;
}

/* Before the first write: which places are taken. Where the rows cannot be read, none is given, and who scans them hears it. */
static enum status large_open(struct rocksdb_store *r, const struct rocksdb_config *config)
{
    char *error = NULL;
    r->large = large_packs_open(r->dir, config->value_file_bytes);
    enum status status = r->large ? STATUS_OK : STATUS_IO;
    rocksdb_iterator_t *at = rocksdb_create_iterator_cf(r->db, r->scan_options, r->family[SPACE_PACKS]);
    for (rocksdb_iter_seek_to_first(at); status == STATUS_OK && rocksdb_iter_valid(at); rocksdb_iter_next(at)) {
        size_t key_len = 0, value_len = 0;
        const char *key = rocksdb_iter_key(at, &key_len), *value = rocksdb_iter_value(at, &value_len);
        status = large_packs_found(r->large, view_of(key, key_len), view_of(value, value_len));
    }
    if (status == STATUS_OK) rocksdb_iter_get_error(at, &error);
    if (status == STATUS_OK && !error) status = large_packs_begin(r->large);
    int reason = errno;
    rocksdb_iter_destroy(at);
    if (status != STATUS_OK || error) large_packs_close(&r->large);
    rocksdb_free(error);
    errno = reason;
    return status;
}

static enum status rocksdb_rest(struct store *s)
{
    struct rocksdb_store *r = rocksdb_of(s);
    if (r->large && !r->failed) large_packs_rest(r->large, property(r, SPACE_PACKS, OLDEST_WAL));
    return STATUS_OK;
}

static const struct store_ops rocksdb_ops = {
    .name = "rocksdb",
    .durability_max = DURABILITY_SYNCED,
    .load = rocksdb_load,
    .scan = rocksdb_scan,
    .write = rocksdb_write_batch,
    .rest = rocksdb_rest,
    .stats = rocksdb_stats,
    .close = rocksdb_store_close,
};

enum status rocksdb_store_open(const struct rocksdb_config *config, struct store **out,
                               char *error_text, size_t error_cap)
{
    *out = NULL;
    explain(error_text, error_cap, "");
    struct rocksdb_store *r = calloc(1, sizeof *r);
    ENSURE(r != NULL);
    r->base.ops = &rocksdb_ops;
    r->dir = strdup(config->dir);
    ENSURE(r->dir != NULL);
    enum status status = open_db(r, config, error_text, error_cap);
    if (status != STATUS_OK) {
        free(r->dir);
        free(r);
        return status;
    }
    r->load_options = rocksdb_readoptions_create();
    rocksdb_readoptions_set_verify_checksums(r->load_options, 1);
    r->scan_options = rocksdb_readoptions_create();
    rocksdb_readoptions_set_verify_checksums(r->scan_options, 1);
    r->near_options = rocksdb_readoptions_create();
    rocksdb_readoptions_set_verify_checksums(r->near_options, 1);
    rocksdb_readoptions_set_max_skippable_internal_keys(r->near_options, NEAR_SKIPS_MAX);
    r->write_options[DURABILITY_MEMORY] = rocksdb_writeoptions_create();
    r->write_options[DURABILITY_SYNCED] = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(r->write_options[DURABILITY_SYNCED], 1);
    r->batch = rocksdb_writebatch_create();
    status = large_open(r, config);
    if (status != STATUS_OK) {
        explain(error_text, error_cap, strerror(errno));
        rocksdb_store_close(&r->base);
        return status;
    }
    r->trash = trash_open(r->dir); /* without it syncs wait now and then, and nothing else */
    *out = &r->base;
    return STATUS_OK;
}
