/* The hash table against a plain array, and its bound. */
#include "storage/table.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

static const uint8_t seed[16] = {4, 2};

static struct table *table_of(size_t max)
{
    cr_assert_geq(sodium_init(), 0);
    return table_new(4, max, seed);
}

Test(table, puts_gets_replaces_and_removes)
{
    struct table *t = table_of(10);
    int a, b;
    cr_assert_null(table_get(t, "key1"));
    cr_assert_eq(table_put(t, "key1", &a), STATUS_OK);
    cr_assert_eq(table_put(t, "key2", &b), STATUS_OK);
    cr_assert_eq(table_get(t, "key1"), (void *)&a);
    cr_assert_eq(table_put(t, "key1", &b), STATUS_OK);
    cr_assert_eq(table_get(t, "key1"), (void *)&b);
    cr_assert_eq(table_count(t), 2);
    cr_assert_eq(table_remove(t, "key1"), (void *)&b);
    cr_assert_null(table_remove(t, "key1"));
    cr_assert_eq(table_get(t, "key2"), (void *)&b);
    table_free(&t);
    cr_assert_null(t);
    table_free(&t);
}

Test(table, full_changes_nothing_but_still_replaces)
{
    struct table *t = table_of(2);
    int a, b;
    cr_assert_eq(table_put(t, "key1", &a), STATUS_OK);
    cr_assert_eq(table_put(t, "key2", &a), STATUS_OK);
    cr_assert_eq(table_put(t, "key3", &a), STATUS_FULL);
    cr_assert_null(table_get(t, "key3"));
    cr_assert_eq(table_put(t, "key2", &b), STATUS_OK);
    cr_assert_eq(table_count(t), 2);
    table_free(&t);
}

Test(table, equals_an_array_under_random_use)
{
    static int values[500];
    static void *model[500];
    struct table *t = table_of(400);
    uint32_t x = 7;
    size_t count = 0;
    for (int step = 0; step < 40000; step++) {
        x = x * 1664525u + 1013904223u;
        uint32_t key = (x >> 10) % 500;
        if (x >> 31) {
            enum status s = table_put(t, &key, &values[key]);
            cr_assert_eq(s, !model[key] && count == 400 ? STATUS_FULL : STATUS_OK);
            if (s == STATUS_OK && !model[key]) count++;
            if (s == STATUS_OK) model[key] = &values[key];
        } else {
            cr_assert_eq(table_remove(t, &key), model[key]);
            count -= model[key] != NULL;
            model[key] = NULL;
        }
        cr_assert_eq(table_count(t), count);
    }
    for (uint32_t key = 0; key < 500; key++)
        cr_assert_eq(table_get(t, &key), model[key]);
    table_free(&t);
}

Test(table, may_be_emptied_while_it_is_walked)
{
    struct table *t = table_of(1000);
    static uint32_t keys[1000];
    for (uint32_t i = 0; i < 1000; i++) {
        keys[i] = i;
        cr_assert_eq(table_put(t, &keys[i], &keys[i]), STATUS_OK);
    }
    size_t slot = 0, seen = 0;
    for (const uint32_t *k; (k = table_next(t, &slot)); seen++) {
        table_remove(t, k);
        slot--;
    }
    cr_assert_geq(seen, 990, "an entry that wraps around the end may need a second walk");
    cr_assert_eq(table_count(t), 1000 - seen);
    table_free(&t);
}
