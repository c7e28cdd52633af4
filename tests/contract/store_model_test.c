/* The store contract by chance: seeded histories of writes, loads, scans and reopens, in which
 * rocksdb must answer as memory does, to the byte; and in which a memory disk that crashes or is
 * cut must equal the history's beginning. A failing seed is in the message. */
#include "tests/contract/store_fixture.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define KEY_COUNT   300u
#define READ_MAX    40u
#define OP_MAX      20u
#define STEP_COUNT  2500u
#define REOPEN_EACH 150u

struct pair {
    struct fixture model;
    struct fixture real;
    struct random random;
};

/* The same ops, the same bytes, to both. */
static void write_both(struct pair *p)
{
    enum durability d = random_below(&p->random, 4) ? DURABILITY_SYNCED : DURABILITY_MEMORY;
    random_batch(&p->model, &p->random, OP_MAX, KEY_COUNT);
    struct store_batch batch = p->model.batch;
    if (p->real.backend == BACKEND_PACK) make_brief(&p->model, &batch, &p->random);
    cr_assert_eq(store_write(p->real.store, &batch, d), STATUS_OK);
    cr_assert_eq(try_commit(&p->model, d), STATUS_OK);
}

static void load_both(struct pair *p)
{
    struct store_read of_model[READ_MAX];
    struct store_read of_real[READ_MAX];
    size_t count = 1 + random_below(&p->random, READ_MAX);
    for (size_t i = 0; i < count; i++) {
        of_model[i].space = random_space(&p->random);
        of_model[i].key = random_key(&p->model, &p->random, KEY_COUNT);
        of_real[i] = of_model[i];
    }
    cr_assert_eq(store_load(p->model.store, of_model, count, &p->model.arena), STATUS_OK);
    cr_assert_eq(store_load(p->real.store, of_real, count, &p->real.arena), STATUS_OK);
    for (size_t i = 0; i < count; i++) {
        cr_assert_eq(!of_model[i].value.at, !of_real[i].value.at);
        cr_assert(view_equal(of_model[i].value, of_real[i].value));
    }
}

static void scan_both(struct pair *p)
{
    struct random *r = &p->random;
    struct store_scan model = {.space = random_space(r),
                               .row_max = 1 + random_below(r, 60),
                               .byte_max = random_below(r, 3) ? SIZE_MAX : random_below(r, 4000),
                               .keys_only = random_below(r, 3) == 0};
    if (random_below(r, 4)) model.from = random_key(&p->model, r, KEY_COUNT);
    if (random_below(r, 4)) model.to = random_key(&p->model, r, KEY_COUNT);
    if (model.from.len && random_below(r, 3) == 0) model.to = mailbox_end(&p->model, model.from);
    struct store_scan real = model;
    cr_assert_eq(store_scan(p->model.store, &model, &p->model.arena), STATUS_OK);
    cr_assert_eq(store_scan(p->real.store, &real, &p->real.arena), STATUS_OK);
    cr_assert_eq(model.row_count, real.row_count);
    cr_assert_eq(model.more, real.more);
    for (size_t i = 0; i < model.row_count; i++) {
        cr_assert(view_equal(model.rows[i].key, real.rows[i].key));
        cr_assert(view_equal(model.rows[i].value, real.rows[i].value));
    }
}

static void run_history(enum backend backend, uint64_t seed)
{
    struct pair p = {.random = {.state = seed}};
    fixture_init(&p.model, BACKEND_MEMORY);
    fixture_init(&p.real, backend);
    p.real.write_buffer_bytes = 64u * 1024u; /* flushes and compactions happen all the time */
    fixture_reopen(&p.real);
    for (size_t step = 1; step <= STEP_COUNT; step++) {
        size_t dice = random_below(&p.random, 10);
        if (dice < 5)
            write_both(&p);
        else if (dice < 7)
            load_both(&p);
        else if (dice == 7)
            cr_assert_eq(store_rest(p.real.store), STATUS_OK);
        else
            scan_both(&p);
        if (step % REOPEN_EACH == 0) {
            fixture_reopen(&p.model);
            fixture_reopen(&p.real);
            cr_assert_eq(p.real.store->recovery, RECOVERY_CLEAN);
            cr_assert(same_rows(&p.model, &p.real), "seed %zu, step %zu", (size_t)seed, step);
        }
        arena_reset(&p.model.batch_arena);
        arena_reset(&p.model.arena);
        arena_reset(&p.real.arena);
    }
    cr_assert(same_rows(&p.model, &p.real), "seed %zu", (size_t)seed);
    fixture_fini(&p.real);
    fixture_fini(&p.model);
}

Test(store_model, rocksdb_answers_as_memory_does_1)
{
    run_history(BACKEND_ROCKSDB, 1);
}

Test(store_model, rocksdb_answers_as_memory_does_2)
{
    run_history(BACKEND_ROCKSDB, 20260731);
}

Test(store_model, rocksdb_answers_as_memory_does_3)
{
    run_history(BACKEND_ROCKSDB, 0x5ea1);
}

Test(store_model, pack_answers_as_memory_does)
{
    for (uint64_t seed = 1; seed <= 5; seed++)
        run_history(BACKEND_PACK, seed);
}

Test(store_model, another_row_is_noticed)
{
    struct fixture a;
    struct fixture b;
    fixture_init(&a, BACKEND_MEMORY);
    fixture_init(&b, BACKEND_ROCKSDB);
    put_row(&a, SPACE_EVENTS, "key", "value");
    put_row(&b, SPACE_EVENTS, "key", "value");
    cr_assert(same_rows(&a, &b));
    put_row(&b, SPACE_EVENTS, "key", "valuf");
    cr_assert(!same_rows(&a, &b));
    put_row(&b, SPACE_EVENTS, "key", "value");
    put_row(&b, SPACE_PAYLOAD, "key", "");
    cr_assert(!same_rows(&a, &b));
    fixture_fini(&b);
    fixture_fini(&a);
}

/* --- memory: what is left is a beginning of the history --- */

/* Write number `index` of the history; the same for whoever makes it. */
static void write_number(struct fixture *f, uint64_t seed, size_t index, enum durability d)
{
    struct random r = {.state = seed * 1000003u + index + 1};
    random_batch(f, &r, OP_MAX, KEY_COUNT);
    cr_assert_eq(try_commit(f, d), STATUS_OK);
}

static void equals_beginning(struct fixture *f, uint64_t seed, size_t write_count)
{
    struct fixture beginning;
    fixture_init(&beginning, BACKEND_MEMORY);
    for (size_t i = 0; i < write_count; i++)
        write_number(&beginning, seed, i, DURABILITY_MEMORY);
    cr_assert(same_rows(f, &beginning), "seed %zu, first %zu writes", (size_t)seed, write_count);
    if (f->backend == BACKEND_PACK) { /* its packs count */
        fixture_fini(&beginning);
        return;
    }
    struct store_stats of_f;
    struct store_stats of_beginning;
    store_stats(f->store, &of_f);
    store_stats(beginning.store, &of_beginning);
    cr_assert_eq(of_f.live_bytes, of_beginning.live_bytes);
    cr_assert_eq(of_f.row_count, of_beginning.row_count);
    fixture_fini(&beginning);
}

static void run_losses(enum backend backend, uint64_t seed)
{
    enum { WRITE_COUNT = 120 };
    struct random r = {.state = seed};
    size_t synced_end[WRITE_COUNT + 1] = {0}; /* writes up to and with the nth synced one */
    size_t synced_count = 0;
    struct fixture f;
    fixture_init(&f, backend);
    for (size_t i = 0; i < WRITE_COUNT; i++) {
        enum durability d = random_below(&r, 2) ? DURABILITY_SYNCED : DURABILITY_MEMORY;
        write_number(&f, seed, i, d);
        if (d == DURABILITY_SYNCED) synced_end[++synced_count] = i + 1;
    }
    equals_beginning(&f, seed, WRITE_COUNT);
    store_close(&f.store);
    memory_disk_crash(f.disk);
    fixture_reopen(&f);
    equals_beginning(&f, seed, synced_end[synced_count]);
    for (size_t cut = 0; cut < 9; cut++) {
        size_t lost = random_below(&r, 5);
        store_close(&f.store);
        memory_disk_cut(f.disk, lost);
        synced_count -= lost;
        fixture_reopen(&f);
        equals_beginning(&f, seed, synced_end[synced_count]);
    }
    fixture_fini(&f);
}

Test(store_model, memory_losses_leave_a_beginning)
{
    for (uint64_t seed = 1; seed <= 20; seed++)
        run_losses(BACKEND_MEMORY, seed);
}

Test(store_model, pack_losses_leave_a_beginning)
{
    for (uint64_t seed = 1; seed <= 20; seed++)
        run_losses(BACKEND_PACK, seed);
}
