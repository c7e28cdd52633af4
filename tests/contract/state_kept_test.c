/* The contract of clients/state/state.h, fourth part: what backups go by: contacts one after the other, keys of no device. */
#include "tests/contract/state_fixture.h"

CONTRACT_TEST(contacts_come_in_order_each_once)
{
    struct account_id at = {{0}}, none = {{0}};
    writing(f);
    cr_assert_eq(state_contact_next(f->s, none, &at), STATUS_NOT_FOUND);
    for (uint8_t n = 7; n >= 3; n = (uint8_t)(n - 2)) {
        struct contact in = contact_of(n, 1);
        ok(state_contact_put(f->s, &in));
    }
    ok(state_handle_put(f->s, text("bob"), account_of(9))); /* a name alone is no contact */
    commit(f);
    fixture_restart(f);
    writing(f);
    for (uint8_t n = 3; n <= 7; n = (uint8_t)(n + 2)) {
        struct account_id expected = account_of(n);
        ok(state_contact_next(f->s, at, &at));
        cr_assert_eq(memcmp(&at, &expected, sizeof at), 0);
    }
    cr_assert_eq(state_contact_next(f->s, at, &at), STATUS_NOT_FOUND);
    cr_assert_eq(memcmp(&at, &none, sizeof at), 0);
    commit(f);
}

CONTRACT_TEST(a_kept_key_comes_back_and_goes)
{
    uint8_t key[32], out[32], none[32] = {0};
    memset(key, 0x5c, sizeof key);
    writing(f);
    cr_assert_eq(state_kept_key_get(f->s, KEPT_BACKUP, out), STATUS_NOT_FOUND);
    cr_assert_eq(memcmp(out, none, sizeof out), 0);
    ok(state_kept_key_put(f->s, KEPT_BACKUP, key));
    commit(f);
    fixture_restart(f);
    writing(f);
    ok(state_kept_key_get(f->s, KEPT_BACKUP, out));
    cr_assert_eq(memcmp(out, key, sizeof out), 0);
    key[0] = 1;
    ok(state_kept_key_put(f->s, KEPT_BACKUP, key));
    ok(state_kept_key_get(f->s, KEPT_BACKUP, out));
    cr_assert_eq(memcmp(out, key, sizeof out), 0);
    ok(state_kept_key_put(f->s, KEPT_BACKUP, NULL));
    cr_assert_eq(state_kept_key_get(f->s, KEPT_BACKUP, out), STATUS_NOT_FOUND);
    commit(f);
}
