/* The table of addresses stays bounded, and forgets the oldest without connections first. */
#include "broker/addresses.h"

#include <criterion/criterion.h>

static const uint8_t seed[16] = {1, 2, 3};

static struct peer_address address_n(uint32_t n)
{
    return (struct peer_address){{(uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n}};
}

Test(addresses, one_address_is_one_entry)
{
    struct addresses a;
    addresses_init(&a, 8, seed);
    struct address_entry *one = address_connect(&a, address_n(1));
    cr_assert_eq(address_connect(&a, address_n(1)), one);
    cr_assert_neq(address_connect(&a, address_n(2)), one);
    cr_assert_eq(one->connections, 2);
    addresses_fini(&a);
}

Test(addresses, the_oldest_idle_one_is_forgotten_and_none_with_connections)
{
    struct addresses a;
    addresses_init(&a, 4, seed);
    struct address_entry *kept = address_connect(&a, address_n(0)), *entry;
    for (uint32_t n = 1; n < a.capacity; n++) {
        entry = address_connect(&a, address_n(n));
        entry->offences = 5;
        address_leave(&a, entry);
    }
    entry = address_connect(&a, address_n(1)); /* used again: now the newest */
    address_leave(&a, entry);
    entry = address_connect(&a, address_n(70000));
    cr_assert_eq(entry->offences, 0);
    address_leave(&a, entry);
    cr_assert_eq(address_connect(&a, address_n(1))->offences, 5, "not the oldest");
    cr_assert_eq(address_connect(&a, address_n(2))->offences, 0, "the oldest was forgotten");
    cr_assert_eq(address_connect(&a, address_n(0)), kept);
    addresses_fini(&a);
}

Test(addresses, ban_begins_at_the_last_offence_and_ends)
{
    struct address_entry e = {.connections = 1};
    for (uint32_t i = 1; i < OFFENCES_MAX; i++)
        cr_assert_not(address_offend(&e, 70000));
    cr_assert_not(address_banned(&e, 70000));
    cr_assert(address_offend(&e, 70000));
    cr_assert(address_banned(&e, 70000));
    cr_assert_not(address_offend(&e, 70001), "it is banned already");
    cr_assert(address_banned(&e, 70000 + BAN_MS - 1));
    cr_assert_not(address_banned(&e, 70000 + BAN_MS));
}
