/* What only the memory backend can do: forget, be cut, and fail when it is told to. */
#include "tests/contract/store_fixture.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>

#define CUT_MAX 64u /* memory.h: the most writes that cut can take */

static void put_unsynced(struct fixture *f, const char *key, const char *value)
{
    add_put(f, SPACE_ROUTING, key, value);
    cr_assert_eq(try_commit(f, DURABILITY_MEMORY), STATUS_OK);
}

/* Closes, lets `loss` happen, opens again. */
static void crash(struct fixture *f)
{
    store_close(&f->store);
    memory_disk_crash(f->disk);
    fixture_reopen(f);
}

static void cut(struct fixture *f, size_t count)
{
    store_close(&f->store);
    memory_disk_cut(f->disk, count);
    fixture_reopen(f);
}

static void crash_loses_what_was_not_synced_body(struct fixture *f)
{
    put_row(f, SPACE_ROUTING, "synced", "1");
    put_unsynced(f, "unsynced", "2");
    put_unsynced(f, "synced", "changed");
    add_delete(f, SPACE_ROUTING, "synced");
    cr_assert_eq(try_commit(f, DURABILITY_MEMORY), STATUS_OK);
    crash(f);
    cr_assert_eq(f->store->recovery, RECOVERY_CLEAN);
    cr_assert(has_row(f, SPACE_ROUTING, "synced", "1"));
    cr_assert(lacks_row(f, SPACE_ROUTING, "unsynced"));
    crash(f);
    cr_assert(has_row(f, SPACE_ROUTING, "synced", "1"), "a second crash has nothing to take");
}

Test(memory_disk, crash_loses_what_was_not_synced)
{
    fixture_run(BACKEND_MEMORY, crash_loses_what_was_not_synced_body);
}

static void close_alone_loses_nothing_body(struct fixture *f)
{
    put_unsynced(f, "unsynced", "2");
    fixture_reopen(f);
    cr_assert(has_row(f, SPACE_ROUTING, "unsynced", "2"));
    crash(f);
    cr_assert(lacks_row(f, SPACE_ROUTING, "unsynced"), "and does not sync");
}

Test(memory_disk, close_alone_loses_nothing)
{
    fixture_run(BACKEND_MEMORY, close_alone_loses_nothing_body);
}

static void a_synced_write_syncs_those_before_it_body(struct fixture *f)
{
    put_unsynced(f, "before", "1");
    cr_assert_eq(try_commit(f, DURABILITY_SYNCED), STATUS_OK); /* empty */
    put_unsynced(f, "after", "2");
    crash(f);
    cr_assert(has_row(f, SPACE_ROUTING, "before", "1"));
    cr_assert(lacks_row(f, SPACE_ROUTING, "after"));
}

Test(memory_disk, a_synced_write_syncs_those_before_it)
{
    fixture_run(BACKEND_MEMORY, a_synced_write_syncs_those_before_it_body);
}

static void cut_takes_the_last_synced_writes_body(struct fixture *f)
{
    put_row(f, SPACE_ROUTING, "a", "1");
    put_row(f, SPACE_ROUTING, "b", "2");
    put_row(f, SPACE_ROUTING, "b", "3");
    put_unsynced(f, "c", "4");
    cut(f, 1);
    cr_assert_eq(f->store->recovery, RECOVERY_POINT_IN_TIME);
    cr_assert(has_row(f, SPACE_ROUTING, "a", "1"));
    cr_assert(has_row(f, SPACE_ROUTING, "b", "2"));
    cr_assert(lacks_row(f, SPACE_ROUTING, "c"), "what was not synced goes too");
    fixture_reopen(f);
    cr_assert_eq(f->store->recovery, RECOVERY_CLEAN, "told once");
    cut(f, 1);
    cr_assert(lacks_row(f, SPACE_ROUTING, "b"));
    cr_assert(has_row(f, SPACE_ROUTING, "a", "1"));
}

Test(memory_disk, cut_takes_the_last_synced_writes)
{
    fixture_run(BACKEND_MEMORY, cut_takes_the_last_synced_writes_body);
}

static void cut_of_nothing_is_told_and_loses_nothing_synced_body(struct fixture *f)
{
    put_row(f, SPACE_ROUTING, "a", "1");
    cut(f, 0);
    cr_assert_eq(f->store->recovery, RECOVERY_POINT_IN_TIME);
    cr_assert(has_row(f, SPACE_ROUTING, "a", "1"));
}

Test(memory_disk, cut_of_nothing_is_told_and_loses_nothing_synced)
{
    fixture_run(BACKEND_MEMORY, cut_of_nothing_is_told_and_loses_nothing_synced_body);
}

static void cut_takes_no_more_than_it_keeps_body(struct fixture *f)
{
    char key[8];
    for (size_t i = 0; i < CUT_MAX + 6; i++) {
        snprintf(key, sizeof key, "%03zu", i);
        put_row(f, SPACE_ROUTING, key, "value");
    }
    cut(f, 1000);
    cr_assert_eq(scan_all(f, SPACE_ROUTING).row_count, 6u);
    cr_assert(has_row(f, SPACE_ROUTING, "005", "value"));
    cr_assert(lacks_row(f, SPACE_ROUTING, "006"));
    cut(f, 1);
    cr_assert_eq(scan_all(f, SPACE_ROUTING).row_count, 6u);
}

Test(memory_disk, cut_takes_no_more_than_it_keeps)
{
    fixture_run(BACKEND_MEMORY, cut_takes_no_more_than_it_keeps_body);
}

static void failed_write_refuses_all_later_ones(struct fixture *f, bool applied)
{
    memory_disk_fail_write(f->disk, 2, applied);
    put_row(f, SPACE_ROUTING, "first", "1");
    add_put(f, SPACE_ROUTING, "second", "2");
    cr_assert_eq(try_commit(f, DURABILITY_SYNCED), STATUS_IO);
    for (size_t i = 0; i < 3; i++) {
        add_put(f, SPACE_ROUTING, "third", "3");
        cr_assert_eq(try_commit(f, DURABILITY_SYNCED), STATUS_IO);
    }
    crash(f);
    cr_assert(has_row(f, SPACE_ROUTING, "first", "1"));
    cr_assert_eq(has_row(f, SPACE_ROUTING, "second", "2"), applied);
    cr_assert_eq(lacks_row(f, SPACE_ROUTING, "second"), !applied);
    cr_assert(lacks_row(f, SPACE_ROUTING, "third"));
    put_row(f, SPACE_ROUTING, "third", "3");
}

static void failed_write_applied_body(struct fixture *f)
{
    failed_write_refuses_all_later_ones(f, true);
}

static void failed_write_not_applied_body(struct fixture *f)
{
    failed_write_refuses_all_later_ones(f, false);
}

Test(memory_disk, failed_write_that_took_effect)
{
    fixture_run(BACKEND_MEMORY, failed_write_applied_body);
}

Test(memory_disk, failed_write_that_took_none)
{
    fixture_run(BACKEND_MEMORY, failed_write_not_applied_body);
}

static void fail_write_of_zero_is_never_body(struct fixture *f)
{
    memory_disk_fail_write(f->disk, 1, true);
    memory_disk_fail_write(f->disk, 0, true);
    put_row(f, SPACE_ROUTING, "first", "1");
    put_row(f, SPACE_ROUTING, "second", "2");
}

Test(memory_disk, fail_write_of_zero_is_never)
{
    fixture_run(BACKEND_MEMORY, fail_write_of_zero_is_never_body);
}

static void loads_and_scans_are_counted_body(struct fixture *f)
{
    cr_assert_eq(memory_loads(f->store), 0u);
    put_row(f, SPACE_ROUTING, "key", "value");
    cr_assert_eq(memory_loads(f->store), 0u, "a write is not counted");
    struct store_read reads[] = {{SPACE_ROUTING, text("key"), {0}},
                                 {SPACE_EVENTS, text("key"), {0}}};
    cr_assert_eq(store_load(f->store, reads, 2, &f->arena), STATUS_OK);
    cr_assert_eq(memory_loads(f->store), 1u, "one load, however many keys");
    scan_all(f, SPACE_ROUTING);
    cr_assert_eq(memory_loads(f->store), 2u);
}

Test(memory_disk, loads_and_scans_are_counted)
{
    fixture_run(BACKEND_MEMORY, loads_and_scans_are_counted_body);
}

/* --- without a disk --- */

Test(memory_private, forgets_at_close)
{
    struct fixture f = {.backend = BACKEND_MEMORY};
    for (size_t i = 0; i < 2; i++) {
        cr_assert_eq(fixture_open(&f), STATUS_OK);
        cr_assert_eq(f.store->ops->durability_max, DURABILITY_MEMORY);
        cr_assert(lacks_row(&f, SPACE_ROUTING, "key"));
        put_unsynced(&f, "key", "value");
        cr_assert(has_row(&f, SPACE_ROUTING, "key", "value"));
        store_close(&f.store);
    }
    fixture_fini(&f);
}

Test(memory_private, two_do_not_share)
{
    struct fixture a = {.backend = BACKEND_MEMORY};
    struct fixture b = {.backend = BACKEND_MEMORY};
    cr_assert_eq(fixture_open(&a), STATUS_OK);
    cr_assert_eq(fixture_open(&b), STATUS_OK);
    put_unsynced(&a, "key", "value");
    cr_assert(lacks_row(&b, SPACE_ROUTING, "key"));
    fixture_fini(&a);
    fixture_fini(&b);
}

Test(memory_private, a_synced_write_is_our_own_fault, .signal = SIGABRT)
{
    struct fixture f = {.backend = BACKEND_MEMORY};
    cr_assert_eq(fixture_open(&f), STATUS_OK);
    add_put(&f, SPACE_ROUTING, "key", "value");
    (void)!try_commit(&f, DURABILITY_SYNCED);
}

Test(memory_disk, free_is_null_safe_and_nulls)
{
    struct memory_disk *d = memory_disk_new();
    memory_disk_free(&d);
    cr_assert_null(d);
    memory_disk_free(&d);
}

Test(memory_disk, crash_under_an_open_store_is_our_own_fault, .signal = SIGABRT)
{
    struct fixture f;
    fixture_init(&f, BACKEND_MEMORY);
    memory_disk_crash(f.disk);
}
