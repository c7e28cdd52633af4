/* clients_backup_fixture: keys and homes. */
#include "tests/unit/clients_backup_fixture.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

const uint8_t backup_key[32] = {9, 9, 9};

static void ok(enum status s)
{
    cr_assert_eq(s, STATUS_OK, "%s", status_name(s));
}

void backup_recovery_set(struct fixture *f)
{
    uint8_t seed[32] = {3}, sk[64];
    struct contact own;
    ok(state_begin(f->state, STATE_WRITE));
    ok(state_contact_get(f->state, f->me.account, &own));
    own.log.has_recovery = true;
    crypto_sign_seed_keypair(own.log.recovery.bytes, sk, seed);
    ok(state_contact_put(f->state, &own));
    ok(state_backup_key_put(f->state, &own.log.recovery, backup_key));
    ok(state_commit(f->state));
}

struct state *backup_home_of(struct fixture *f, const struct state_identity *me)
{
    struct state *home = memory_state_new();
    struct contact own;
    struct entry_scan scan = {.account = f->me.account, .max = 1};
    ok(state_begin(f->state, STATE_READ));
    ok(state_contact_get(f->state, f->me.account, &own));
    ok(state_entry_scan(f->state, &f->arena, &scan));
    ok(state_commit(f->state));
    ok(state_begin(home, STATE_WRITE));
    ok(state_identity_put(home, me));
    ok(state_contact_put(home, &own));
    ok(state_entry_put(home, f->me.account, 0, scan.entries[0]));
    ok(state_commit(home));
    return home;
}

enum status backup_taken(struct state *home, struct view content, struct backup_summary *summary)
{
    ok(state_begin(home, STATE_WRITE));
    enum status s = backup_take_in(home, content, 1000, summary);
    if (s == STATUS_OK)
        ok(state_commit(home));
    else
        state_rollback(home);
    return s;
}
