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

CONTRACT_TEST(a_key_is_kept_in_its_own_place)
{
    uint8_t out[32], first[32] = {1}, second[32] = {2};
    writing(f);
    ok(state_kept_key_put(f->s, KEPT_BACKUP, first));
    ok(state_kept_key_put(f->s, KEPT_BACKUP_NEXT, second));
    commit(f);
    fixture_restart(f);
    writing(f);
    ok(state_kept_key_get(f->s, KEPT_BACKUP, out));
    cr_assert_eq(memcmp(out, first, sizeof out), 0);
    ok(state_kept_key_get(f->s, KEPT_BACKUP_NEXT, out));
    cr_assert_eq(memcmp(out, second, sizeof out), 0);
    ok(state_kept_key_put(f->s, KEPT_BACKUP_NEXT, NULL));
    ok(state_kept_key_get(f->s, KEPT_BACKUP, out));
    commit(f);
}

CONTRACT_TEST(clear_takes_every_row_and_gives_no_order_again)
{
    struct state_identity identity;
    struct device_secrets secrets;
    struct contact contact = contact_of(1, 1);
    struct outbox_row row;
    struct account_id account;
    struct view value;
    writing(f);
    uint64_t order = put_row(f, row_of("old", 1)), came = put_inbox(f, 1, 1, "x", 1);
    ok(state_identity_put(f->s, &(struct state_identity){.account = account_of(1)}));
    ok(state_secrets_put(f->s, &(struct device_secrets){.signing_sk = {1}}));
    ok(state_setting_put(f->s, "name", text("old")));
    ok(state_contact_put(f->s, &contact));
    ok(state_handle_put(f->s, text("bob"), account_of(1)));
    ok(state_entry_put(f->s, account_of(1), 0, text("entry")));
    commit(f);

    writing(f);
    ok(state_clear(f->s));
    state_rollback(f->s);
    writing(f);
    ok(state_identity_get(f->s, &f->arena, &identity));
    ok(state_clear(f->s));
    ok(state_setting_put(f->s, "other", text("new")));
    commit(f);

    fixture_restart(f);
    writing(f);
    cr_assert_eq(state_identity_get(f->s, &f->arena, &identity), STATUS_NOT_FOUND);
    cr_assert_eq(state_secrets_get(f->s, &secrets), STATUS_NOT_FOUND);
    cr_assert_eq(state_setting_get(f->s, "name", &f->arena, &value), STATUS_NOT_FOUND);
    cr_assert_eq(state_contact_get(f->s, account_of(1), &contact), STATUS_NOT_FOUND);
    cr_assert_eq(state_handle_get(f->s, text("bob"), &account), STATUS_NOT_FOUND);
    cr_assert_eq(state_outbox_get(f->s, order, &row), STATUS_NOT_FOUND);
    ok(state_setting_get(f->s, "other", &f->arena, &value));
    cr_assert_gt(put_row(f, row_of("old", 1)), order);
    cr_assert_gt(put_inbox(f, 1, 1, "x", 1), came);
    commit(f);
}
