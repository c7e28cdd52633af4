/* Which peers count as one. */
#include "broker/address.h"

#include <criterion/criterion.h>
#include <string.h>

static bool same(const char *a, const char *b)
{
    struct peer_address x = peer_address_parse(a), y = peer_address_parse(b);
    return memcmp(&x, &y, sizeof x) == 0;
}

Test(address, an_ipv4_address_is_one_whichever_way_it_is_written)
{
    cr_assert(same("192.0.2.7", "::ffff:192.0.2.7"));
    cr_assert(same("127.0.0.1", "::ffff:7f00:1"));
    cr_assert_not(same("192.0.2.7", "192.0.2.8"));
    cr_assert_not(same("127.0.0.1", "::1"));
}

Test(address, an_ipv6_address_counts_by_its_first_half)
{
    cr_assert(same("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"));
    cr_assert(same("fe80::1%eth0", "fe80::2%lo"));
    cr_assert_not(same("2001:db8:1:2::1", "2001:db8:1:3::1"));
}

Test(address, what_is_no_address_counts_as_the_one_that_is_not_known)
{
    static const struct peer_address none = {{0}};
    static const char *const bad[] = {
        "",           "%",
        "localhost",  "1.2.3",
        "1.2.3.4.5",  "2001:db8::g",
        " 127.0.0.1", "2001:db8:1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct peer_address got = peer_address_parse(bad[i]);
        cr_assert(memcmp(&got, &none, sizeof got) == 0, "%s", bad[i]);
    }
    struct peer_address got = peer_address_parse(NULL);
    cr_assert(memcmp(&got, &none, sizeof got) == 0);
    cr_assert_not(same("0.0.0.0", NULL));
}
