/* stamp: the MAC of PROTOCOL 10.6, frozen, and covering each of its fields. */
#include "broker/wire/stamp.h"

#include <criterion/criterion.h>
#include <string.h>

#define HOUR 3600000u

struct stamped {
    struct stamp_key key;
    struct hash256 commitment;
    struct message_ref ref;
    uint64_t accepted_ms;
};

static struct stamped example(void)
{
    struct stamped x = {.key = {.id = 3}, .accepted_ms = 1700000001300u};
    for (size_t i = 0; i < 32; i++) {
        x.key.bytes[i] = (uint8_t)i;
        x.commitment.bytes[i] = (uint8_t)(32 + i);
        x.ref.target.bytes[i] = (uint8_t)(64 + i);
    }
    for (size_t i = 0; i < 16; i++) {
        x.ref.sender.bytes[i] = (uint8_t)(96 + i);
        x.ref.id.bytes[i] = (uint8_t)(112 + i);
    }
    return x;
}

static struct mac256 mac_of(const struct stamped *x)
{
    struct mac256 mac;
    stamp_make(&x->key, &x->commitment, &x->ref, x->accepted_ms, &mac);
    return mac;
}

/* Made with another implementation (Python's hmac) over the text of PROTOCOL 10.6. */
Test(stamp, is_the_one_that_was_written_down)
{
    struct stamped x = example();
    struct mac256 mac = mac_of(&x), expected;
    cr_assert_eq(hex_decode("d8b195df480c55f1ec0d61106ba90117997dc22bf87aed00bf1d8294a48d9050", expected.bytes, 32),
                 STATUS_OK);
    cr_assert_eq(memcmp(&mac, &expected, sizeof mac), 0);
}

Test(stamp, covers_each_field_and_of_the_time_the_hour)
{
    struct stamped x = example(), y;
    struct mac256 mac = mac_of(&x), other;
#define OTHER(change)                                                                              \
    y = x;                                                                                         \
    change;                                                                                        \
    other = mac_of(&y);                                                                            \
    cr_assert_neq(memcmp(&mac, &other, sizeof mac), 0, #change)
    OTHER(y.key.id++);
    OTHER(y.key.bytes[31] ^= 1);
    OTHER(y.commitment.bytes[31] ^= 1);
    OTHER(y.ref.sender.bytes[15] ^= 1);
    OTHER(y.ref.target.bytes[31] ^= 1);
    OTHER(y.ref.id.bytes[15] ^= 1);
    OTHER(y.accepted_ms += HOUR);
#undef OTHER
    y = x;
    y.accepted_ms = x.accepted_ms - x.accepted_ms % HOUR;
    other = mac_of(&y);
    cr_assert_eq(memcmp(&mac, &other, sizeof mac), 0, "the same hour");
    y.accepted_ms--;
    other = mac_of(&y);
    cr_assert_neq(memcmp(&mac, &other, sizeof mac), 0, "the hour before");
}
