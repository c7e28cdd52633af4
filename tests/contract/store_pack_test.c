/* What only a pack store does: fold, unfold, and be read again by the next one that opens. Beneath is a
 * memory store that the tests look into. */
#include "tests/contract/store_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

static size_t rows_below(struct fixture *f, enum store_space space)
{
    struct store *below;
    store_close(&f->store);
    cr_assert_eq(memory_open(f->disk, &below), STATUS_OK);
    struct store_scan scan = {.space = space, .row_max = 1000, .byte_max = SIZE_MAX};
    cr_assert_eq(store_scan(below, &scan, &f->arena), STATUS_OK);
    store_close(&below);
    fixture_reopen(f);
    return scan.row_count;
}

static void drop(struct fixture *f, const char *key)
{
    add_delete(f, SPACE_PAYLOAD, key);
    commit(f);
}

static void brief_rows_that_go_never_are_rows_below(struct fixture *f)
{
    for (int i = 0; i < 20; i++) {
        put_row(f, SPACE_PAYLOAD, "one", "1");
        put_row(f, SPACE_PAYLOAD, "two", "2");
        drop(f, "one");
        drop(f, "two");
        cr_assert_eq(rows_below(f, SPACE_PAYLOAD), 0u);
        cr_assert_leq(rows_below(f, SPACE_PACKS), 5u);
    }
}

Test(pack, brief_rows_that_go_never_are_rows_below)
{
    fixture_run(BACKEND_PACK, brief_rows_that_go_never_are_rows_below);
}

static void a_row_that_stays_is_unfolded(struct fixture *f)
{
    put_row(f, SPACE_PAYLOAD, "stays", "here");
    cr_assert_eq(rows_below(f, SPACE_PAYLOAD), 0u);
    for (int i = 0; i < 10; i++) {
        put_row(f, SPACE_PAYLOAD, "goes", "1");
        drop(f, "goes");
    }
    cr_assert_eq(rows_below(f, SPACE_PAYLOAD), 1u);
    cr_assert(has_row(f, SPACE_PAYLOAD, "stays", "here"));
    drop(f, "stays");
    cr_assert_eq(rows_below(f, SPACE_PAYLOAD), 0u);
    cr_assert(lacks_row(f, SPACE_PAYLOAD, "stays"));
}

Test(pack, a_row_that_stays_is_unfolded)
{
    fixture_run(BACKEND_PACK, a_row_that_stays_is_unfolded);
}

/* A small row beside large ones that go is carried from pack to pack for a while. */
static void a_young_row_is_carried_on(struct fixture *f)
{
    static const char large[] = "as large as eight of the other rows together, for a pack is spent only then: "
                                "................................................................";
    add_put(f, SPACE_PAYLOAD, "small", "s");
    put_row(f, SPACE_PAYLOAD, "large", large);
    for (int i = 0; i < 60; i++) {
        drop(f, "large");
        put_row(f, SPACE_PAYLOAD, "large", large);
        cr_assert(has_row(f, SPACE_PAYLOAD, "small", "s"));
        if (i == 3) { /* it has been in more packs than there are */
            cr_assert_leq(rows_below(f, SPACE_PACKS), 3u);
            cr_assert_eq(rows_below(f, SPACE_PAYLOAD), 0u);
        }
    }
    cr_assert_eq(rows_below(f, SPACE_PAYLOAD), 1u, "not for ever");
}

Test(pack, a_young_row_is_carried_on)
{
    fixture_run(BACKEND_PACK, a_young_row_is_carried_on);
}

static void a_changed_row_is_unfolded_as_it_is_last(struct fixture *f)
{
    put_row(f, SPACE_ROUTING, "row", "old");
    put_row(f, SPACE_ROUTING, "row", "new");
    cr_assert_eq(store_rest(f->store), STATUS_OK);
    cr_assert_eq(rows_below(f, SPACE_PACKS), 0u);
    cr_assert_eq(rows_below(f, SPACE_ROUTING), 1u);
    cr_assert(has_row(f, SPACE_ROUTING, "row", "new"));
}

Test(pack, a_changed_row_is_unfolded_as_it_is_last)
{
    fixture_run(BACKEND_PACK, a_changed_row_is_unfolded_as_it_is_last);
}

static void a_lasting_row_goes_below_at_once(struct fixture *f)
{
    store_batch_put(&f->batch, &f->batch_arena, SPACE_ROUTING, text("lasting"), text("1"),
                    view_of(NULL, 0));
    cr_assert_eq(store_write(f->store, &f->batch, DURABILITY_SYNCED), STATUS_OK);
    cr_assert_eq(rows_below(f, SPACE_ROUTING), 1u);
    cr_assert_eq(rows_below(f, SPACE_PACKS), 0u);
}

Test(pack, a_lasting_row_goes_below_at_once)
{
    fixture_run(BACKEND_PACK, a_lasting_row_goes_below_at_once);
}

/* Puts bytes where a pack would be. */
static void put_pack(struct fixture *f, struct view key, struct view bytes)
{
    struct store *below;
    struct store_batch batch = {0};
    store_close(&f->store);
    cr_assert_eq(memory_open(f->disk, &below), STATUS_OK);
    store_batch_put(&batch, &f->batch_arena, SPACE_PACKS, key, bytes, view_of(NULL, 0));
    cr_assert_eq(store_write(below, &batch, DURABILITY_SYNCED), STATUS_OK);
    store_close(&below);
}

static const uint8_t good[] = {1, 1, 0, 1, 0, 0, 0, 1, 'k', 'v'};

static void a_pack_that_does_not_read_refuses_the_open(struct fixture *f)
{
    static const struct {
        uint8_t bytes[12];
        size_t len;
    } broken[] = {
        {{0}, 0},                                  /* no version */
        {{2}, 1},                                  /* another version */
        {{1, 1, 0, 1, 0, 0}, 6},                   /* cut in an op */
        {{1, 1, 0, 1, 0, 0, 0, 9, 'k', 'v'}, 10},  /* the value is longer than the pack */
        {{1, 9, 0, 1, 0, 0, 0, 1, 'k', 'v'}, 10},  /* no such op */
        {{1, 1, 9, 1, 0, 0, 0, 1, 'k', 'v'}, 10},  /* no such space */
        {{1, 1, 0, 0, 0, 0, 0, 1, 'v'}, 9},        /* no key */
    };
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        put_pack(f, text("12345678"), view_of(broken[i].bytes, broken[i].len));
        cr_assert_eq(fixture_open(f), STATUS_DAMAGED, "case %zu", i);
        cr_assert_null(f->store);
    }
    uint8_t long_key[8 + STORE_KEY_LEN_MAX + 1 + 1] = {1, 1, 0, STORE_KEY_LEN_MAX + 1, 0, 0, 0, 1};
    put_pack(f, text("12345678"), view_of(long_key, sizeof long_key));
    cr_assert_eq(fixture_open(f), STATUS_DAMAGED);
    put_pack(f, text("12345678"), view_of(good, sizeof good));
    cr_assert_eq(fixture_open(f), STATUS_OK);
    cr_assert(has_row(f, SPACE_PAYLOAD, "k", "v"));
}

Test(pack, a_pack_that_does_not_read_refuses_the_open)
{
    fixture_run(BACKEND_PACK, a_pack_that_does_not_read_refuses_the_open);
}

static void no_pack_has_the_last_number(struct fixture *f)
{
    put_pack(f, text("\xff\xff\xff\xff\xff\xff\xff\xff"), view_of(good, sizeof good));
    cr_assert_eq(fixture_open(f), STATUS_DAMAGED);
    cr_assert_null(f->store);
}

Test(pack, no_pack_has_the_last_number)
{
    fixture_run(BACKEND_PACK, no_pack_has_the_last_number);
}

/* Recovery that skips what is damaged may lose the writes that ended packs. */
static void more_packs_than_are_left_are_read(struct fixture *f)
{
    enum { COUNT = PACK_COUNT_MAX + 44 };
    struct store_batch batch = {0};
    struct store *below;
    store_close(&f->store);
    cr_assert_eq(memory_open(f->disk, &below), STATUS_OK);
    for (unsigned i = 0; i < COUNT; i++) {
        uint8_t *at = arena_alloc(&f->batch_arena, 8 + 11);
        put_u64(at, i + 1);
        memcpy(at + 8, (uint8_t[]){1, 1, 0, 2, 0, 0, 0, 1}, 8);
        put_u16(at + 16, (uint16_t)i);
        at[18] = 'v';
        store_batch_put(&batch, &f->batch_arena, SPACE_PACKS, view_of(at, 8), view_of(at + 8, 11),
                        view_of(NULL, 0));
    }
    cr_assert_eq(store_write(below, &batch, DURABILITY_SYNCED), STATUS_OK);
    store_close(&below);
    fixture_reopen(f);
    cr_assert_eq(scan_all(f, SPACE_PAYLOAD).row_count, (size_t)COUNT);
    put_row(f, SPACE_ROUTING, "any", "write");
    cr_assert_eq(rows_below(f, SPACE_PACKS), 5u);
    cr_assert_eq(scan_all(f, SPACE_PAYLOAD).row_count, (size_t)COUNT);
}

Test(pack, more_packs_than_are_left_are_read)
{
    fixture_run(BACKEND_PACK, more_packs_than_are_left_are_read);
}

/* What a batch made brief and puts again is no row of two places. */
static void a_row_put_again_in_its_batch_is_one_row(struct fixture *f)
{
    for (int i = 0; i < 3; i++) {
        add_delete(f, SPACE_ROUTING, "row");
        add_put(f, SPACE_ROUTING, "row", "old");
        add_put(f, SPACE_ROUTING, "row", "new");
        add_put(f, SPACE_ROUTING, "row", "newest");
        commit(f);
        cr_assert(has_row(f, SPACE_ROUTING, "row", "newest"));
        cr_assert_eq(scan_all(f, SPACE_ROUTING).row_count, 1u);
        fixture_reopen(f);
        cr_assert(has_row(f, SPACE_ROUTING, "row", "newest"));
    }
    add_delete(f, SPACE_ROUTING, "row");
    commit(f);
    cr_assert_eq(scan_all(f, SPACE_ROUTING).row_count, 0u);
}

Test(pack, a_row_put_again_in_its_batch_is_one_row)
{
    fixture_run(BACKEND_PACK, a_row_put_again_in_its_batch_is_one_row);
}
