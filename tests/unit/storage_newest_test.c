/* newest: which ids are known to be new. The rejecting twin of each: what might have been accepted is
 * never called new. */
#include "storage/newest.h"

#include "broker/wire/bytes.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static const uint8_t seed[16] = {7};

static struct message_id id_at(uint64_t n)
{
    struct message_id id = {{0}};
    put_u64(id.bytes, n);
    id.bytes[15] = 1;
    return id;
}

static struct device_id device(uint8_t n)
{
    return (struct device_id){{n}};
}

static struct target_id target(uint32_t n)
{
    struct target_id t = {{0}};
    put_u32(t.bytes, n);
    return t;
}

Test(newest, an_id_above_the_floor_of_a_strange_pair_is_new)
{
    struct newest *n = newest_new(id_at(100), 4, seed);
    cr_assert(newest_knows_new(n, device(1), target(1), id_at(101)));
    cr_assert(!newest_knows_new(n, device(1), target(1), id_at(100)));
    cr_assert(!newest_knows_new(n, device(1), target(1), id_at(99)));
    newest_free(&n);
}

Test(newest, only_an_id_above_the_pairs_highest_is_new)
{
    struct newest *n = newest_new(id_at(100), 4, seed);
    newest_note(n, device(1), target(1), id_at(200));
    newest_note(n, device(1), target(1), id_at(150));
    cr_assert(newest_knows_new(n, device(1), target(1), id_at(201)));
    cr_assert(!newest_knows_new(n, device(1), target(1), id_at(200)));
    cr_assert(!newest_knows_new(n, device(1), target(1), id_at(199)));
    cr_assert(newest_knows_new(n, device(2), target(1), id_at(150)), "another sender");
    cr_assert(newest_knows_new(n, device(1), target(2), id_at(150)), "another target");
    cr_assert(view_equal(view_of(newest_highest(n).bytes, 16), view_of(id_at(200).bytes, 16)));
    newest_free(&n);
}

Test(newest, an_old_id_that_is_noted_does_not_lower_what_is_known)
{
    struct newest *n = newest_new(id_at(100), 4, seed);
    newest_note(n, device(1), target(1), id_at(50));
    cr_assert(!newest_knows_new(n, device(1), target(1), id_at(60)), "an earlier term may have it");
    newest_free(&n);
}

/* The model: everything that was ever accepted. */
Test(newest, nothing_accepted_is_ever_called_new)
{
    enum { PAIRS = 40, ROUNDS = 20000 };
    static uint64_t highest[PAIRS];
    struct newest *n = newest_new(id_at(10), 5, seed);
    uint64_t x = 88172645463325252ull, new_count = 0;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        size_t pair = x % 8 ? x / 8 % 4 : x / 8 % PAIRS; /* few are busy */
        uint64_t id = 11 + i + x / 4096 % 30;
        struct device_id sender = device((uint8_t)pair);
        if (newest_knows_new(n, sender, target(1), id_at(id))) {
            cr_assert_gt(id, highest[pair], "round %zu", (size_t)i);
            new_count++;
        }
        newest_note(n, sender, target(1), id_at(id));
        if (id > highest[pair]) highest[pair] = id;
    }
    cr_assert_gt(new_count, ROUNDS / 10, "and it does know some");
    newest_free(&n);
}
