/* rocksdb: the rate of synced batches, by messages in a batch: through the contract that storage uses, and
 * by the bare C interface with the options that the contract's store has (read back from its OPTIONS
 * file), so that the cost of our own wrapping is visible. Same rows, same order of making; the contract
 * sorts them, the bare one does not. `rows only` is what making the rows costs, without any store. */
#include "storage/backends/rocksdb.h"
#include "bench/limits/batch.h"
#include "bench/limits/limit.h"

#include <rocksdb/c.h>
#include <stdio.h>
#include <string.h>

#define FAMILIES_MAX 8u

static enum status contract_run(const struct limit *l, const char *dir, struct figure *out)
{
    struct store *store = NULL;
    struct stopwatch watch;
    struct rocksdb_config config = {.dir = dir};
    enum status s = rocksdb_store_open(&config, &store, out->error, sizeof out->error);
    if (s != STATUS_OK) return s;
    struct batch_maker *maker = batch_maker_new(l->batch);
    stopwatch_start(&watch);
    do {
        s = store_write(store, batch_next(maker), DURABILITY_SYNCED);
    } while (s == STATUS_OK && stopwatch_tick(&watch, out, l->batch));
    stopwatch_end(&watch, out);
    if (s != STATUS_OK) limit_fail(out, dir, "a write failed");
    batch_maker_free(&maker);
    store_close(&store);
    return s;
}

/* ---- bare ---- */

struct bare {
    rocksdb_t *db;
    rocksdb_column_family_handle_t *family[SPACE_COUNT];
    rocksdb_column_family_handle_t *all[FAMILIES_MAX];
    size_t family_count;
    rocksdb_writeoptions_t *synced;
    rocksdb_writebatch_t *batch;
};

static enum status bare_fail(struct figure *out, const char *what, char *error)
{
    limit_fail(out, what, error ? error : "not as expected");
    rocksdb_free(error);
    return STATUS_IO;
}

/* The contract's store has been there: its options, and its families by their names. */
static enum status bare_open(const char *dir, struct bare *b, struct figure *out)
{
    static const char *const names_of[SPACE_COUNT] = {[SPACE_PAYLOAD] = "payload",
                                                      [SPACE_ROUTING] = "routing",
                                                      [SPACE_IDENTITY] = "identity",
                                                      [SPACE_EVENTS] = "events"};
    rocksdb_options_t *options = NULL, **family_options = NULL;
    char **names = NULL, *error = NULL;
    rocksdb_env_t *env = rocksdb_create_default_env();
    rocksdb_cache_t *cache = rocksdb_cache_create_lru(32u << 20);
    rocksdb_load_latest_options(dir, env, false, cache, &options, &b->family_count, &names,
                                &family_options, &error);
    if (!error && b->family_count <= FAMILIES_MAX)
        b->db = rocksdb_open_column_families(
            options, dir, (int)b->family_count, (const char *const *)names,
            (const rocksdb_options_t *const *)family_options, b->all, &error);
    for (size_t i = 0; b->db && i < b->family_count; i++)
        for (unsigned space = 0; space < SPACE_COUNT; space++)
            if (strcmp(names[i], names_of[space]) == 0) b->family[space] = b->all[i];
    if (options)
        rocksdb_load_latest_options_destroy(options, names, family_options, b->family_count);
    rocksdb_cache_destroy(cache);
    rocksdb_env_destroy(env);
    if (error || !b->db) return bare_fail(out, dir, error);
    b->synced = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(b->synced, 1);
    b->batch = rocksdb_writebatch_create();
    return STATUS_OK;
}

static void bare_close(struct bare *b)
{
    if (!b->db) return;
    rocksdb_writebatch_destroy(b->batch);
    rocksdb_writeoptions_destroy(b->synced);
    for (size_t i = 0; i < b->family_count; i++)
        rocksdb_column_family_handle_destroy(b->all[i]);
    rocksdb_close(b->db);
}

static enum status bare_write(struct bare *b, const struct store_batch *batch, struct figure *out)
{
    char *error = NULL;
    rocksdb_writebatch_clear(b->batch);
    for (size_t i = 0; i < batch->op_count; i++) {
        const struct store_op *op = &batch->ops[i];
        const char *key = (const char *)op->key.at;
        const char *parts[2] = {(const char *)op->head.at, (const char *)op->body.at};
        const size_t lens[2] = {op->head.len, op->body.len};
        if (op->kind == STORE_DELETE)
            rocksdb_writebatch_delete_cf(b->batch, b->family[op->space], key, op->key.len);
        else
            rocksdb_writebatch_putv_cf(b->batch, b->family[op->space], 1, &key, &op->key.len,
                                       op->body.len ? 2 : 1, parts, lens);
    }
    rocksdb_write(b->db, b->synced, b->batch, &error);
    return error ? bare_fail(out, "write", error) : STATUS_OK;
}

static enum status bare_run(const struct limit *l, const char *dir, struct figure *out)
{
    struct bare bare = {0};
    struct stopwatch watch;
    struct store *store = NULL;
    struct rocksdb_config config = {.dir = dir};
    enum status s = rocksdb_store_open(&config, &store, out->error, sizeof out->error);
    store_close(&store);
    if (s == STATUS_OK) s = bare_open(dir, &bare, out);
    struct batch_maker *maker = batch_maker_new(l->batch);
    stopwatch_start(&watch);
    while (s == STATUS_OK) {
        s = bare_write(&bare, batch_next(maker), out);
        if (s == STATUS_OK && !stopwatch_tick(&watch, out, l->batch)) break;
    }
    stopwatch_end(&watch, out);
    batch_maker_free(&maker);
    bare_close(&bare);
    return s;
}

static enum status rows_run(const struct limit *l, const char *dir, struct figure *out)
{
    struct stopwatch watch;
    struct batch_maker *maker = batch_maker_new(l->batch);
    (void)dir;
    stopwatch_start(&watch);
    do {
        batch_next(maker);
    } while (stopwatch_tick(&watch, out, l->batch) && out->messages < 1000000);
    stopwatch_end(&watch, out);
    batch_maker_free(&maker);
    return STATUS_OK;
}

#define ROCKSDB(what, runs, count)                                                       \
    {                                                                                    \
        .name = "rocksdb " what " batch " #count, .unit = "msg", .durability = "synced", \
        .edge = "clear", .size = LIMIT_BODY, .run = runs, .batch = count                 \
    }

const struct limit limits_rocksdb[] = {
    ROCKSDB("contract", contract_run, 1),
    ROCKSDB("bare", bare_run, 1),
    ROCKSDB("contract", contract_run, 8),
    ROCKSDB("bare", bare_run, 8),
    ROCKSDB("contract", contract_run, 64),
    ROCKSDB("bare", bare_run, 64),
    ROCKSDB("contract", contract_run, 256),
    ROCKSDB("bare", bare_run, 256),
    ROCKSDB("contract", contract_run, 1024),
    ROCKSDB("bare", bare_run, 1024),
    {.name = "rows only batch 256",
     .unit = "msg",
     .durability = "memory",
     .edge = "clear",
     .size = LIMIT_BODY,
     .run = rows_run,
     .batch = 256},
    {.name = NULL},
};
