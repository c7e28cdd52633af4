/* The store contract: what every backend answers, one test per rule of store.h. Each test runs on
 * each backend; what only one backend can do is in store_memory_test.c and store_rocksdb_test.c. */
#include "tests/contract/store_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

#define VALUE_LEN_LARGE (300u * 1024u)

/* --- load --- */

CONTRACT_TEST(load_of_a_missing_row_is_null)
{
    put_row(f, SPACE_ROUTING, "key", "value");
    cr_assert(has_row(f, SPACE_ROUTING, "key", "value"));
    cr_assert(lacks_row(f, SPACE_ROUTING, "kex"));
    cr_assert(lacks_row(f, SPACE_ROUTING, "ke"));
    cr_assert(lacks_row(f, SPACE_ROUTING, "key0"));
}

CONTRACT_TEST(load_of_nothing_is_ok)
{
    cr_assert_eq(store_load(f->store, NULL, 0, &f->arena), STATUS_OK);
}

CONTRACT_TEST(load_of_an_empty_value_is_not_null)
{
    put_row(f, SPACE_IDENTITY, "empty", "");
    struct view found = row_value(f, SPACE_IDENTITY, text("empty"));
    cr_assert_not_null(found.at);
    cr_assert_eq(found.len, 0u);
    cr_assert_null(row_value(f, SPACE_IDENTITY, text("missing")).at);
}

CONTRACT_TEST(load_returns_a_large_value_whole)
{
    struct view large = bytes_of(f, VALUE_LEN_LARGE, 1);
    struct view head = view_of(large.at, 100);
    struct view body = view_of(large.at + 100, large.len - 100);
    store_batch_put(&f->batch, &f->batch_arena, SPACE_PAYLOAD, text("large"), head, body);
    commit(f);
    cr_assert(view_equal(row_value(f, SPACE_PAYLOAD, text("large")), large));
    fixture_reopen(f);
    cr_assert(view_equal(row_value(f, SPACE_PAYLOAD, text("large")), large));
    cr_assert(!view_equal(row_value(f, SPACE_PAYLOAD, text("large")), body));
}

CONTRACT_TEST(load_fills_every_read_in_the_order_asked)
{
    add_put(f, SPACE_ROUTING, "b", "routing b");
    add_put(f, SPACE_PAYLOAD, "a", "payload a");
    add_put(f, SPACE_EVENTS, "c", "events c");
    commit(f);
    uint8_t stale = 0;
    struct store_read reads[] = {
        {SPACE_EVENTS, text("c"), {&stale, 1}},  {SPACE_ROUTING, text("b"), {&stale, 1}},
        {SPACE_ROUTING, text("a"), {&stale, 1}}, {SPACE_PAYLOAD, text("a"), {&stale, 1}},
        {SPACE_ROUTING, text("b"), {&stale, 1}}, {SPACE_ROUTING, text("b"), {&stale, 1}},
    };
    cr_assert_eq(store_load(f->store, reads, 6, &f->arena), STATUS_OK);
    cr_assert(view_equal(reads[0].value, text("events c")));
    cr_assert(view_equal(reads[1].value, text("routing b")));
    cr_assert_null(reads[2].value.at);
    cr_assert(view_equal(reads[3].value, text("payload a")));
    cr_assert(view_equal(reads[4].value, text("routing b")), "the same key twice in one load");
    cr_assert(view_equal(reads[5].value, text("routing b")), "and thrice");
}

CONTRACT_TEST(load_of_many_keys_finds_each)
{
    enum { KEY_COUNT = 1000 };
    static uint8_t keys[KEY_COUNT][4];
    for (uint32_t i = 0; i < KEY_COUNT; i++) {
        put_u32(keys[i], i * 2654435761u);
        if (i % 2)
            store_batch_put(&f->batch, &f->batch_arena, SPACE_ROUTING, view_of(keys[i], 4),
                            view_of(keys[i], 4), view_of(NULL, 0));
    }
    commit(f);
    struct store_read *reads = arena_array(&f->arena, KEY_COUNT, sizeof *reads);
    for (size_t i = 0; i < KEY_COUNT; i++)
        reads[i] = (struct store_read){.space = SPACE_ROUTING, .key = view_of(keys[i], 4)};
    cr_assert_eq(store_load(f->store, reads, KEY_COUNT, &f->arena), STATUS_OK);
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (i % 2)
            cr_assert(view_equal(reads[i].value, view_of(keys[i], 4)), "%zu", i);
        else
            cr_assert_null(reads[i].value.at, "%zu", i);
    }
}

CONTRACT_TEST(loaded_values_outlive_later_writes)
{
    put_row(f, SPACE_PAYLOAD, "key", "before");
    struct view before = row_value(f, SPACE_PAYLOAD, text("key"));
    put_row(f, SPACE_PAYLOAD, "key", "after!");
    cr_assert(view_equal(before, text("before")));
    cr_assert(has_row(f, SPACE_PAYLOAD, "key", "after!"));
}

/* --- write --- */

CONTRACT_TEST(value_is_head_then_body)
{
    static const struct {
        const char *key, *head, *body, *value;
    } rows[] = {
        {"both", "head", "body", "headbody"},
        {"head", "head", "", "head"},
        {"body", "", "body", "body"},
        {"none", "", "", ""},
    };
    for (size_t i = 0; i < 4; i++)
        store_batch_put(&f->batch, &f->batch_arena, SPACE_PAYLOAD, text(rows[i].key),
                        text(rows[i].head), text(rows[i].body));
    commit(f);
    for (size_t i = 0; i < 4; i++)
        cr_assert(has_row(f, SPACE_PAYLOAD, rows[i].key, rows[i].value), "%s", rows[i].key);
    cr_assert(!has_row(f, SPACE_PAYLOAD, "both", "bodyhead"));
}

CONTRACT_TEST(later_op_on_a_key_wins)
{
    put_row(f, SPACE_ROUTING, "deleted", "was there");
    add_put(f, SPACE_ROUTING, "twice", "first");
    add_put(f, SPACE_ROUTING, "twice", "second");
    add_delete(f, SPACE_ROUTING, "deleted");
    add_put(f, SPACE_ROUTING, "deleted", "put again");
    add_put(f, SPACE_ROUTING, "put", "for nothing");
    add_delete(f, SPACE_ROUTING, "put");
    commit(f);
    cr_assert(has_row(f, SPACE_ROUTING, "twice", "second"));
    cr_assert(has_row(f, SPACE_ROUTING, "deleted", "put again"));
    cr_assert(lacks_row(f, SPACE_ROUTING, "put"));
    fixture_reopen(f);
    cr_assert(has_row(f, SPACE_ROUTING, "twice", "second"));
    cr_assert(has_row(f, SPACE_ROUTING, "deleted", "put again"));
    cr_assert(lacks_row(f, SPACE_ROUTING, "put"));
}

CONTRACT_TEST(a_put_replaces_and_a_delete_removes)
{
    put_row(f, SPACE_ROUTING, "key", "long first value");
    put_row(f, SPACE_ROUTING, "key", "short");
    cr_assert(has_row(f, SPACE_ROUTING, "key", "short"));
    add_delete(f, SPACE_ROUTING, "key");
    add_delete(f, SPACE_ROUTING, "never there");
    commit(f);
    cr_assert(lacks_row(f, SPACE_ROUTING, "key"));
    cr_assert_eq(scan_all(f, SPACE_ROUTING).row_count, 0u);
}

CONTRACT_TEST(spaces_are_separate)
{
    static const char *const values[SPACE_COUNT] = {"payload", "routing", "identity", "events"};
    for (enum store_space space = 0; space < SPACE_COUNT; space++)
        add_put(f, space, "key", values[space]);
    commit(f);
    for (enum store_space space = 0; space < SPACE_COUNT; space++)
        cr_assert(has_row(f, space, "key", values[space]));
    add_delete(f, SPACE_ROUTING, "key");
    commit(f);
    for (enum store_space space = 0; space < SPACE_COUNT; space++)
        cr_assert_eq(lacks_row(f, space, "key"), space == SPACE_ROUTING);
}

CONTRACT_TEST(one_write_spans_all_spaces)
{
    put_row(f, SPACE_ROUTING, "gone", "soon");
    add_put(f, SPACE_PAYLOAD, "a", "1");
    add_delete(f, SPACE_ROUTING, "gone");
    add_put(f, SPACE_IDENTITY, "b", "2");
    add_put(f, SPACE_EVENTS, "c", "3");
    commit(f);
    fixture_reopen(f);
    cr_assert(has_row(f, SPACE_PAYLOAD, "a", "1"));
    cr_assert(lacks_row(f, SPACE_ROUTING, "gone"));
    cr_assert(has_row(f, SPACE_IDENTITY, "b", "2"));
    cr_assert(has_row(f, SPACE_EVENTS, "c", "3"));
}

CONTRACT_TEST(an_empty_write_changes_nothing)
{
    put_row(f, SPACE_EVENTS, "key", "value");
    cr_assert_eq(try_commit(f, DURABILITY_MEMORY), STATUS_OK);
    cr_assert_eq(try_commit(f, DURABILITY_SYNCED), STATUS_OK);
    cr_assert(has_row(f, SPACE_EVENTS, "key", "value"));
    cr_assert_eq(scan_all(f, SPACE_EVENTS).row_count, 1u);
}

CONTRACT_TEST(unsynced_writes_are_visible_at_once)
{
    add_put(f, SPACE_PAYLOAD, "key", "value");
    cr_assert(lacks_row(f, SPACE_PAYLOAD, "key"), "not before the write");
    cr_assert_eq(try_commit(f, DURABILITY_MEMORY), STATUS_OK);
    cr_assert(has_row(f, SPACE_PAYLOAD, "key", "value"));
    cr_assert_eq(scan_all(f, SPACE_PAYLOAD).row_count, 1u);
}

CONTRACT_TEST(keys_and_values_hold_any_byte)
{
    uint8_t key[STORE_KEY_LEN_MAX];
    memset(key, 0xff, sizeof key);
    struct view zero = view_of("\0", 1);
    struct view zeros = view_of("\0\0", 2);
    struct view longest = view_of(key, sizeof key);
    struct view shorter = view_of(key, sizeof key - 1);
    store_batch_put(&f->batch, &f->batch_arena, SPACE_ROUTING, zero, zeros, zero);
    store_batch_put(&f->batch, &f->batch_arena, SPACE_ROUTING, longest, longest, zero);
    commit(f);
    cr_assert(view_equal(row_value(f, SPACE_ROUTING, zero), view_of("\0\0\0", 3)));
    cr_assert_null(row_value(f, SPACE_ROUTING, zeros).at);
    cr_assert_eq(row_value(f, SPACE_ROUTING, longest).len, sizeof key + 1);
    cr_assert_null(row_value(f, SPACE_ROUTING, shorter).at);
}

/* --- scan --- */

/* The keys of a scan joined by spaces, '*' at the end when there are more. */
static const char *scanned(struct fixture *f, struct store_scan *scan)
{
    enum status status = store_scan(f->store, scan, &f->arena);
    cr_assert_eq(status, STATUS_OK, "%s", status_name(status));
    struct buffer keys = {0};
    for (size_t i = 0; i < scan->row_count; i++) {
        if (i) write_u8(&keys, ' ');
        write_view(&keys, scan->rows[i].key);
        cr_assert_not_null(scan->rows[i].value.at);
    }
    if (scan->more) write_u8(&keys, '*');
    write_u8(&keys, 0);
    const char *joined = (const char *)arena_copy(&f->arena, buffer_view(&keys)).at;
    buffer_fini(&keys);
    return joined;
}

static const char *scan_range(struct fixture *f, const char *from, const char *to, size_t row_max)
{
    struct store_scan scan = {.space = SPACE_ROUTING,
                              .from = text(from),
                              .to = text(to),
                              .row_max = row_max,
                              .byte_max = SIZE_MAX};
    return scanned(f, &scan);
}

static void put_letters(struct fixture *f)
{
    static const char *const keys[] = {"d", "b", "aa", "c", "a", "ab"};
    for (size_t i = 0; i < 6; i++)
        add_put(f, SPACE_ROUTING, keys[i], "1234");
    add_put(f, SPACE_IDENTITY, "bb", "another space");
    commit(f);
}

CONTRACT_TEST(scan_is_in_key_order_prefixes_first)
{
    put_letters(f);
    cr_assert_str_eq(scan_range(f, "", "", 100), "a aa ab b c d");
}

CONTRACT_TEST(scan_bounds_take_from_and_leave_to)
{
    put_letters(f);
    cr_assert_str_eq(scan_range(f, "b", "", 100), "b c d");
    cr_assert_str_eq(scan_range(f, "", "b", 100), "a aa ab");
    cr_assert_str_eq(scan_range(f, "aa", "c", 100), "aa ab b");
    cr_assert_str_eq(scan_range(f, "aaa", "cc", 100), "ab b c", "bounds that are not keys");
    cr_assert_str_eq(scan_range(f, "a", "aa", 100), "a");
}

CONTRACT_TEST(scan_of_an_empty_range_is_empty)
{
    put_letters(f);
    cr_assert_str_eq(scan_range(f, "b", "b", 100), "");
    cr_assert_str_eq(scan_range(f, "c", "b", 100), "", "from above to");
    cr_assert_str_eq(scan_range(f, "e", "", 100), "", "behind the last key");
    cr_assert_str_eq(scan_range(f, "", "a", 100), "", "before the first key");
    cr_assert_str_eq(scan_range(f, "ac", "az", 100), "", "between two keys");
    cr_assert_str_eq(scan_range(f, "b", "c", 100), "b", "the twin that is not empty");
}

CONTRACT_TEST(scan_of_an_empty_space_is_empty)
{
    put_letters(f);
    struct store_scan scan = scan_all(f, SPACE_EVENTS);
    cr_assert_eq(scan.row_count, 0u);
    cr_assert_eq(scan_all(f, SPACE_IDENTITY).row_count, 1u);
}

CONTRACT_TEST(scan_stops_at_row_max_and_says_more)
{
    put_letters(f);
    cr_assert_str_eq(scan_range(f, "", "", 1), "a*");
    cr_assert_str_eq(scan_range(f, "", "", 5), "a aa ab b c*");
    cr_assert_str_eq(scan_range(f, "", "", 6), "a aa ab b c d", "exactly all: no more");
    cr_assert_str_eq(scan_range(f, "", "b", 3), "a aa ab", "more outside the bound does not count");
    cr_assert_str_eq(scan_range(f, "", "b", 2), "a aa*");
}

static const char *scan_bytes(struct fixture *f, size_t byte_max, bool keys_only)
{
    struct store_scan scan = {
        .space = SPACE_ROUTING, .row_max = 100, .byte_max = byte_max, .keys_only = keys_only};
    return scanned(f, &scan);
}

CONTRACT_TEST(scan_stops_after_the_row_that_crosses_byte_max)
{
    put_letters(f); /* 5, 6, 6, 5, 5, 5 bytes */
    cr_assert_str_eq(scan_bytes(f, 0, false), "a*", "a scan always moves on");
    cr_assert_str_eq(scan_bytes(f, 4, false), "a*");
    cr_assert_str_eq(scan_bytes(f, 6, false), "a aa*");
    cr_assert_str_eq(scan_bytes(f, 26, false), "a aa ab b c*");
    cr_assert_str_eq(scan_bytes(f, 28, false), "a aa ab b c d");
    cr_assert_str_eq(scan_bytes(f, 1000, false), "a aa ab b c d");
    cr_assert_str_eq(scan_bytes(f, 4, true), "a aa ab*", "keys only: values do not count");
}

CONTRACT_TEST(scan_returns_values_unless_keys_only)
{
    put_row(f, SPACE_EVENTS, "a", "first");
    put_row(f, SPACE_EVENTS, "b", "");
    struct store_scan scan = scan_all(f, SPACE_EVENTS);
    cr_assert_eq(scan.row_count, 2u);
    cr_assert(view_equal(scan.rows[0].value, text("first")));
    cr_assert(view_equal(scan.rows[1].value, text("")));
    scan.keys_only = true;
    cr_assert_eq(store_scan(f->store, &scan, &f->arena), STATUS_OK);
    cr_assert_eq(scan.row_count, 2u);
    cr_assert(view_equal(scan.rows[0].key, text("a")));
    cr_assert_eq(scan.rows[0].value.len, 0u);
    cr_assert_not_null(scan.rows[0].value.at);
}

CONTRACT_TEST(scan_continues_after_the_last_key)
{
    put_letters(f);
    uint8_t from[STORE_KEY_LEN_MAX + 1];
    struct store_scan scan = {.space = SPACE_ROUTING, .row_max = 2, .byte_max = SIZE_MAX};
    static const char *const pages[] = {"a aa*", "ab b*", "c d"};
    for (size_t i = 0; i < 3; i++) {
        cr_assert_str_eq(scanned(f, &scan), pages[i]);
        struct view last = scan.rows[scan.row_count - 1].key;
        memcpy(from, last.at, last.len);
        from[last.len] = 0; /* the smallest key above last */
        scan.from = view_of(from, last.len + 1);
    }
    cr_assert_str_eq(scanned(f, &scan), "");
}

CONTRACT_TEST(scan_skips_deleted_rows)
{
    put_letters(f);
    add_delete(f, SPACE_ROUTING, "a");
    add_delete(f, SPACE_ROUTING, "c");
    add_delete(f, SPACE_ROUTING, "d");
    commit(f);
    cr_assert_str_eq(scan_range(f, "", "", 100), "aa ab b");
    cr_assert_str_eq(scan_range(f, "", "", 3), "aa ab b", "deleted rows are not more");
    cr_assert_str_eq(scan_range(f, "", "", 2), "aa ab*");
    fixture_reopen(f);
    cr_assert_str_eq(scan_range(f, "", "", 3), "aa ab b");
}

static void put_number(struct fixture *f, uint32_t i, bool there)
{
    static uint8_t key[4];
    put_u32(key, i);
    struct view at = arena_copy(&f->batch_arena, view_of(key, 4));
    if (there)
        store_batch_put(&f->batch, &f->batch_arena, SPACE_ROUTING, at, at, view_of(NULL, 0));
    else
        store_batch_delete(&f->batch, &f->batch_arena, SPACE_ROUTING, at);
}

/* The first row at or behind `from`; 0 = none is told. */
static uint32_t nearest(struct fixture *f, uint32_t from)
{
    uint8_t key[4];
    put_u32(key, from);
    struct store_scan scan = {.space = SPACE_ROUTING, .from = view_of(key, 4), .row_max = 1,
                              .byte_max = 1, .nearest = true};
    cr_assert_eq(store_scan(f->store, &scan, &f->arena), STATUS_OK);
    cr_assert_leq(scan.row_count, 1);
    return scan.row_count ? get_u32(scan.rows[0].value.at) : 0;
}

CONTRACT_TEST(the_nearest_row_is_found_or_hidden_by_deleted_ones_only)
{
    for (uint32_t i = 1; i <= 2000; i++)
        put_number(f, i, true);
    commit(f);
    cr_assert_eq(nearest(f, 0), 1);
    cr_assert_eq(nearest(f, 700), 700);
    cr_assert_eq(nearest(f, 2001), 0);
    for (uint32_t i = 3; i < 2000; i++)
        put_number(f, i, false);
    commit(f);
    cr_assert_eq(nearest(f, 2), 2, "what is deleted behind it does not matter");
    cr_assert_eq(nearest(f, 2000), 2000);
    cr_assert_eq(nearest(f, 1990), 2000, "a few before it neither");
    uint32_t hidden = nearest(f, 3);
    cr_assert(hidden == 0 || hidden == 2000, "no error, and never another row");
}

CONTRACT_TEST(scan_returns_many_rows_that_outlive_later_writes)
{
    enum { ROW_COUNT = 700 };
    for (uint32_t i = 0; i < ROW_COUNT; i++) {
        uint8_t *key = arena_alloc(&f->arena, 4);
        put_u32(key, i * 7919u % 65521u);
        store_batch_put(&f->batch, &f->batch_arena, SPACE_PAYLOAD, view_of(key, 4),
                        bytes_of(f, 300, i), view_of(key, 4));
    }
    commit(f);
    struct store_scan scan = scan_all(f, SPACE_PAYLOAD);
    for (size_t i = 0; i < scan.row_count; i++)
        store_batch_delete(&f->batch, &f->batch_arena, SPACE_PAYLOAD, scan.rows[i].key);
    commit(f);
    cr_assert_eq(scan.row_count, (size_t)ROW_COUNT);
    for (size_t i = 0; i < scan.row_count; i++) {
        struct view value = scan.rows[i].value;
        cr_assert_eq(value.len, 304u);
        cr_assert(view_equal(scan.rows[i].key, view_of(value.at + 300, 4)));
        if (i) cr_assert_lt(memcmp(scan.rows[i - 1].key.at, scan.rows[i].key.at, 4), 0);
    }
    cr_assert_eq(scan_all(f, SPACE_PAYLOAD).row_count, 0u);
}

/* --- open, close, stats --- */

CONTRACT_TEST(reopen_keeps_what_was_synced)
{
    put_row(f, SPACE_PAYLOAD, "a", "1");
    put_row(f, SPACE_IDENTITY, "b", "2");
    for (size_t i = 0; i < 3; i++) {
        fixture_reopen(f);
        cr_assert_eq(f->store->recovery, RECOVERY_CLEAN);
        cr_assert(has_row(f, SPACE_PAYLOAD, "a", "1"));
        cr_assert(has_row(f, SPACE_IDENTITY, "b", "2"));
        cr_assert(lacks_row(f, SPACE_IDENTITY, "a"));
    }
    add_delete(f, SPACE_PAYLOAD, "a");
    commit(f);
    fixture_reopen(f);
    cr_assert(lacks_row(f, SPACE_PAYLOAD, "a"));
}

CONTRACT_TEST(second_open_is_locked)
{
    put_row(f, SPACE_PAYLOAD, "key", "value");
    struct store *first = f->store;
    uint8_t stale;
    f->store = (struct store *)&stale;
    cr_assert_eq(fixture_open(f), STATUS_LOCKED);
    cr_assert_null(f->store, "a failed open gives no store");
    f->store = first;
    cr_assert(has_row(f, SPACE_PAYLOAD, "key", "value"), "the first is not disturbed");
    fixture_reopen(f);
    cr_assert(has_row(f, SPACE_PAYLOAD, "key", "value"), "after close the lock is free");
}

CONTRACT_TEST(close_nulls_and_is_null_safe)
{
    store_close(&f->store);
    cr_assert_null(f->store);
    store_close(&f->store);
}

CONTRACT_TEST(stats_follow_the_rows)
{
    struct store_stats empty;
    struct store_stats full;
    store_stats(f->store, &empty);
    cr_assert_eq(empty.row_count, 0u);
    struct view body = bytes_of(f, 10000, 3);
    for (uint8_t i = 0; i < 10; i++) {
        uint8_t *key = arena_alloc(&f->arena, 1);
        *key = i;
        store_batch_put(&f->batch, &f->batch_arena, SPACE_PAYLOAD, view_of(key, 1), body,
                        view_of(NULL, 0));
    }
    commit(f);
    store_stats(f->store, &full);
    cr_assert_eq(full.row_count, 10u);
    cr_assert_geq(full.live_bytes, empty.live_bytes + 100000u);
    cr_assert_eq(full.disk_total_bytes > 0, f->backend == BACKEND_ROCKSDB);
    cr_assert_leq(full.disk_free_bytes, full.disk_total_bytes);
    fixture_reopen(f);
    store_stats(f->store, &full);
    cr_assert_eq(full.row_count, 10u);
    cr_assert_geq(full.live_bytes, 100000u);
}
