/* identity_log: who may do what to an account. Each rule has its refused twin beside it, and after each refusal the
 * log is compared byte by byte with what it was. */
#include "broker/wire/identity_log.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

/* Keys from a number. Number 0 founds the account; RECOVERY is the recovery key. */
#define RECOVERY 200u
#define NOBODY   201u

struct keys {
    struct msg_device_record record;
    struct device_id id;
    uint8_t sk[64];
};

static struct arena arena;
static struct identity_log account;

static struct keys keys_of(unsigned number)
{
    struct keys k;
    uint8_t seed[32] = {9, (uint8_t)number}, scalar[32];
    crypto_sign_seed_keypair(k.record.signing.bytes, k.sk, seed);
    memset(scalar, (int)number + 1, sizeof scalar);
    crypto_scalarmult_base(k.record.identity.bytes, scalar);
    scalar[7] ^= 0x55;
    crypto_scalarmult_base(k.record.transport.bytes, scalar);
    k.id = device_id_of(account.account, &k.record.signing);
    return k;
}

static void open_account(void)
{
    struct keys k = keys_of(0);
    struct buffer entry = {0};
    founding_make(&k.record, k.sk, 1, (const uint8_t *)"sixteen of salt", &entry);
    cr_assert_eq(identity_log_open(buffer_view(&entry), &arena, &account), STATUS_OK);
    buffer_fini(&entry);
}

static void start(void)
{
    cr_assert_geq(sodium_init(), 0);
    open_account();
}

static void end(void)
{
    arena_fini(&arena);
}

TestSuite(identity_log, .init = start, .fini = end);

static enum status append(struct view entry)
{
    struct identity_log before = account;
    enum status s = identity_log_append(&account, entry, &arena);
    if (s != STATUS_OK) cr_assert_eq(memcmp(&account, &before, sizeof account), 0);
    if (s == STATUS_OK) cr_assert_eq(account.length, before.length + 1);
    return s;
}

static enum status apply_signed(const struct entry_plan *plan, const uint8_t sk[64])
{
    struct buffer entry = {0};
    identity_log_make(&account, plan, sk, &entry);
    enum status s = append(buffer_view(&entry));
    buffer_fini(&entry);
    return s;
}

/* `by` does it: a device's number, or RECOVERY. */
static enum status apply_by(unsigned by, struct entry_plan plan)
{
    struct keys k = keys_of(by);
    if (by != RECOVERY) plan.signer = k.id;
    return apply_signed(&plan, k.sk);
}

static enum status add_by(unsigned by, unsigned number)
{
    struct keys k = keys_of(number);
    struct entry_plan plan = {.operation = ENTRY_ADD, .record = k.record};
    device_prove(account.account, &k.record, k.sk, &plan.proof);
    return apply_by(by, plan);
}

static enum status to_by(unsigned by, enum entry_operation operation, unsigned subject)
{
    return apply_by(by, (struct entry_plan){.operation = operation, .subject = keys_of(subject).id});
}

static enum status recovery_by(unsigned by, unsigned number)
{
    return apply_by(by, (struct entry_plan){.operation = ENTRY_SET_RECOVERY,
                                            .recovery = keys_of(number).record.signing});
}

static enum standing standing_of(unsigned number)
{
    const struct log_device *d = identity_log_device(&account, keys_of(number).id);
    cr_assert_not_null(d);
    return d->standing;
}

Test(identity_log, the_first_entry_is_one_active_device)
{
    cr_assert_eq(account.length, 1u);
    cr_assert_eq(account.key_version, 1u);
    cr_assert_eq(memcmp(account.head.bytes, account.account.bytes, 32), 0);
    cr_assert_eq(identity_log_active(&account), 1u);
    cr_assert_eq(standing_of(0), STANDING_ACTIVE);
    cr_assert_null(identity_log_device(&account, keys_of(NOBODY).id));
    cr_assert(!account.has_recovery);
}

Test(identity_log, an_active_device_adds_another_and_that_one_a_third)
{
    struct hash256 first = account.head;
    cr_assert_eq(add_by(0, 1), STATUS_OK);
    cr_assert_eq(account.key_version, 2u);
    cr_assert_neq(memcmp(&first, &account.head, sizeof first), 0);
    cr_assert_eq(add_by(1, 2), STATUS_OK);
    cr_assert_eq(identity_log_active(&account), 3u);
    cr_assert_eq(identity_log_device(&account, keys_of(2).id)->version, 3u);
}

Test(identity_log, nobody_else_adds_one)
{
    struct keys stranger = keys_of(NOBODY), owner = keys_of(0);
    struct entry_plan plan = {.operation = ENTRY_ADD, .record = stranger.record};
    device_prove(account.account, &stranger.record, stranger.sk, &plan.proof);
    cr_assert_eq(add_by(NOBODY, NOBODY), STATUS_REFUSED, "a stranger by itself");
    plan.signer = owner.id;
    cr_assert_eq(apply_signed(&plan, stranger.sk), STATUS_BAD_ENTRY, "a stranger in a device's name");
    cr_assert_eq(add_by(RECOVERY, 1), STATUS_REFUSED, "a recovery key that was never set");
    cr_assert_eq(add_by(0, 1), STATUS_OK);
    cr_assert_eq(to_by(0, ENTRY_SUSPEND, 1), STATUS_OK);
    cr_assert_eq(add_by(1, 2), STATUS_REFUSED, "a suspended device");
    cr_assert_eq(to_by(0, ENTRY_REVOKE, 1), STATUS_OK);
    cr_assert_eq(add_by(1, 2), STATUS_REFUSED, "a revoked device");
}

Test(identity_log, a_device_joins_by_its_own_consent_only)
{
    struct keys k = keys_of(1);
    struct entry_plan plan = {.operation = ENTRY_ADD, .record = k.record, .signer = keys_of(0).id};
    struct account_id other = account.account;
    cr_assert_eq(apply_by(0, plan), STATUS_BAD_ENTRY, "no proof");
    other.bytes[0] ^= 1;
    device_prove(other, &k.record, k.sk, &plan.proof);
    cr_assert_eq(apply_by(0, plan), STATUS_BAD_ENTRY, "for another account");
    struct keys other_keys = keys_of(2);
    device_prove(account.account, &other_keys.record, k.sk, &plan.proof);
    cr_assert_eq(apply_by(0, plan), STATUS_BAD_ENTRY, "for other keys");
    device_prove(account.account, &k.record, keys_of(0).sk, &plan.proof);
    cr_assert_eq(apply_by(0, plan), STATUS_BAD_ENTRY, "by another key");
    device_prove(account.account, &k.record, k.sk, &plan.proof);
    cr_assert_eq(apply_by(0, plan), STATUS_OK);
}

static enum status add_record(struct msg_device_record record)
{
    struct keys k = keys_of(5);
    struct entry_plan plan = {.operation = ENTRY_ADD, .record = record};
    device_prove(account.account, &record, k.sk, &plan.proof);
    return apply_by(0, plan);
}

Test(identity_log, keys_that_are_none_or_somebody_elses_are_refused)
{
    struct msg_device_record good = keys_of(5).record, other = keys_of(0).record, r = good;
    memset(&r.identity, 0, sizeof r.identity);
    cr_assert_eq(add_record(r), STATUS_BAD_ENTRY, "a zero identity key");
    r = good;
    memset(&r.transport, 0, sizeof r.transport);
    r.transport.bytes[0] = 1;
    cr_assert_eq(add_record(r), STATUS_BAD_ENTRY, "a transport key of small order");
    r = good;
    memcpy(&r.transport, &r.identity, sizeof r.transport);
    cr_assert_eq(add_record(r), STATUS_BAD_ENTRY, "one key for two uses");
    r = good;
    r.transport = other.transport;
    cr_assert_eq(add_record(r), STATUS_BAD_ENTRY, "another device's transport key");
    r = good;
    r.identity = other.identity;
    cr_assert_eq(add_record(r), STATUS_BAD_ENTRY, "another device's identity key");
    r = good;
    memcpy(&r.identity, &other.transport, sizeof r.identity);
    cr_assert_eq(add_record(r), STATUS_BAD_ENTRY, "another device's key for another use");
    r = good;
    memset(&r.signing, 0xff, sizeof r.signing);
    cr_assert_eq(add_record(r), STATUS_BAD_ENTRY, "no signing key");
    cr_assert_eq(add_record(good), STATUS_OK);
    cr_assert_eq(add_record(good), STATUS_BAD_ENTRY, "twice");
}

Test(identity_log, who_was_revoked_never_comes_back)
{
    cr_assert_eq(add_by(0, 1), STATUS_OK);
    cr_assert_eq(to_by(0, ENTRY_REVOKE, 1), STATUS_OK);
    cr_assert_eq(standing_of(1), STANDING_REVOKED);
    cr_assert_eq(identity_log_active(&account), 1u);
    cr_assert_eq(to_by(0, ENTRY_RESUME, 1), STATUS_BAD_ENTRY);
    cr_assert_eq(to_by(0, ENTRY_SUSPEND, 1), STATUS_BAD_ENTRY);
    cr_assert_eq(to_by(0, ENTRY_REVOKE, 1), STATUS_BAD_ENTRY);
    cr_assert_eq(add_by(0, 1), STATUS_BAD_ENTRY);
}

Test(identity_log, a_device_may_leave_by_itself)
{
    cr_assert_eq(add_by(0, 1), STATUS_OK);
    cr_assert_eq(to_by(1, ENTRY_REVOKE, 1), STATUS_OK);
    cr_assert_eq(to_by(0, ENTRY_REVOKE, 0), STATUS_OK, "also the last one");
    cr_assert_eq(identity_log_active(&account), 0u);
    cr_assert_eq(add_by(0, 2), STATUS_REFUSED);
}

Test(identity_log, a_suspended_device_comes_back_by_another_one)
{
    cr_assert_eq(add_by(0, 1), STATUS_OK);
    cr_assert_eq(to_by(0, ENTRY_RESUME, 1), STATUS_BAD_ENTRY, "it is active");
    cr_assert_eq(to_by(1, ENTRY_SUSPEND, 1), STATUS_OK, "by itself");
    cr_assert_eq(identity_log_active(&account), 1u);
    cr_assert_eq(to_by(0, ENTRY_SUSPEND, 1), STATUS_BAD_ENTRY, "it is suspended");
    cr_assert_eq(to_by(1, ENTRY_RESUME, 1), STATUS_REFUSED, "by itself");
    cr_assert_eq(to_by(0, ENTRY_RESUME, 1), STATUS_OK);
    cr_assert_eq(standing_of(1), STANDING_ACTIVE);
    cr_assert_eq(account.key_version, 4u);
    cr_assert_eq(to_by(0, ENTRY_SUSPEND, NOBODY), STATUS_BAD_ENTRY, "no such device");
}

Test(identity_log, the_recovery_key_outranks_devices)
{
    cr_assert_eq(recovery_by(0, RECOVERY), STATUS_OK);
    cr_assert_eq(account.key_version, 1u, "nobody receives otherwise than before");
    cr_assert_eq(recovery_by(0, NOBODY), STATUS_REFUSED, "only itself replaces it");
    cr_assert_eq(add_by(RECOVERY, 1), STATUS_OK);
    cr_assert_eq(to_by(RECOVERY, ENTRY_SUSPEND, 0), STATUS_OK);
    cr_assert_eq(to_by(1, ENTRY_RESUME, 0), STATUS_REFUSED, "what it suspended only it resumes");
    cr_assert_eq(to_by(RECOVERY, ENTRY_RESUME, 0), STATUS_OK);
    cr_assert_eq(to_by(1, ENTRY_SUSPEND, 0), STATUS_OK);
    cr_assert_eq(to_by(RECOVERY, ENTRY_SUSPEND, 0), STATUS_OK, "it takes a suspension over");
    cr_assert_eq(to_by(1, ENTRY_RESUME, 0), STATUS_REFUSED);
    cr_assert_eq(to_by(RECOVERY, ENTRY_REVOKE, 1), STATUS_OK);
    cr_assert_eq(recovery_by(RECOVERY, NOBODY), STATUS_OK);
    cr_assert_eq(to_by(RECOVERY, ENTRY_RESUME, 0), STATUS_BAD_ENTRY, "the old one is worth nothing");
}

Test(identity_log, a_recovery_key_is_a_key_of_its_own)
{
    struct entry_plan plan = {.operation = ENTRY_SET_RECOVERY};
    cr_assert_eq(apply_by(0, plan), STATUS_BAD_ENTRY, "none");
    memset(&plan.recovery, 0xff, sizeof plan.recovery);
    cr_assert_eq(apply_by(0, plan), STATUS_BAD_ENTRY, "no point");
    cr_assert_eq(recovery_by(0, 0), STATUS_BAD_ENTRY, "a device's signing key");
    cr_assert_eq(recovery_by(0, RECOVERY), STATUS_OK);
}

Test(identity_log, a_device_replaces_its_own_keys_but_not_its_name)
{
    struct keys k = keys_of(0);
    struct entry_plan plan = {.operation = ENTRY_REPLACE, .subject = k.id, .record = k.record};
    cr_assert_eq(add_by(0, 1), STATUS_OK);
    cr_assert_eq(apply_by(0, plan), STATUS_BAD_ENTRY, "nothing is another");
    plan.record.transport = keys_of(3).record.transport;
    cr_assert_eq(apply_by(1, plan), STATUS_REFUSED, "another device's");
    cr_assert_eq(apply_by(0, plan), STATUS_OK);
    cr_assert_eq(account.key_version, 3u);
    plan.record.signing = keys_of(3).record.signing;
    cr_assert_eq(apply_by(0, plan), STATUS_BAD_ENTRY, "the signing key is the name");
    plan.record.signing = k.record.signing;
    plan.record.identity = keys_of(1).record.identity;
    cr_assert_eq(apply_by(0, plan), STATUS_BAD_ENTRY, "somebody else's");
    const struct log_device *d = identity_log_device(&account, k.id);
    struct keys third = keys_of(3);
    cr_assert_eq(memcmp(&d->record.transport, &third.record.transport, 32), 0);
    cr_assert_eq(memcmp(&d->record.identity, &k.record.identity, 32), 0);
}

Test(identity_log, side_data_is_no_new_version)
{
    struct entry_plan plan = {.operation = ENTRY_DESCRIBE, .subject = keys_of(0).id,
                              .data = view_of("a name", 6)};
    cr_assert_eq(apply_by(0, plan), STATUS_OK);
    plan.subject = (struct device_id){{0}};
    cr_assert_eq(apply_by(0, plan), STATUS_OK);
    cr_assert_eq(account.key_version, 1u);
    cr_assert_eq(account.length, 3u);
    plan.subject = keys_of(NOBODY).id;
    cr_assert_eq(apply_by(0, plan), STATUS_BAD_ENTRY);
    cr_assert_eq(apply_by(NOBODY, plan), STATUS_REFUSED);
}

Test(identity_log, a_field_that_the_operation_has_no_use_for_is_refused)
{
    struct entry_plan plan = {.operation = ENTRY_REVOKE, .subject = keys_of(0).id};
    plan.data = view_of("x", 1);
    cr_assert_eq(apply_by(0, plan), STATUS_BAD_ENTRY);
    plan.data = view_of(NULL, 0);
    plan.recovery = keys_of(RECOVERY).record.signing;
    cr_assert_eq(apply_by(0, plan), STATUS_BAD_ENTRY);
    plan.recovery = (struct signing_pk){{0}};
    plan.proof.bytes[0] = 1;
    cr_assert_eq(apply_by(0, plan), STATUS_BAD_ENTRY);
    plan.proof = (struct signature){{0}};
    plan.subject = (struct device_id){{0}};
    cr_assert_eq(apply_by(0, plan), STATUS_BAD_ENTRY, "without its subject");
    plan.operation = (enum entry_operation)99;
    cr_assert_eq(apply_by(0, plan), STATUS_BAD_ENTRY, "no operation");
    plan.operation = (enum entry_operation)ENTRY_CREATE;
    cr_assert_eq(apply_by(0, plan), STATUS_BAD_ENTRY, "only the first one founds");
}

/* Of two entries after one head the one that comes second was made for a log that is not any more. */
Test(identity_log, an_entry_follows_one_head_only)
{
    struct buffer one = {0}, two = {0};
    struct keys k = keys_of(0);
    struct entry_plan plan = {.operation = ENTRY_DESCRIBE, .signer = k.id, .data = view_of("1", 1)};
    identity_log_make(&account, &plan, k.sk, &one);
    plan.data = view_of("2", 1);
    identity_log_make(&account, &plan, k.sk, &two);
    cr_assert_eq(append(buffer_view(&one)), STATUS_OK);
    cr_assert_eq(append(buffer_view(&two)), STATUS_STATE, "the same number after another head");
    cr_assert_eq(append(buffer_view(&one)), STATUS_STATE, "again");
    struct identity_log ahead = account;
    ahead.length++;
    buffer_clear(&two);
    identity_log_make(&ahead, &plan, k.sk, &two);
    cr_assert_eq(append(buffer_view(&two)), STATUS_STATE, "a number left out");
    buffer_fini(&one);
    buffer_fini(&two);
}

Test(identity_log, an_entry_with_any_bit_flipped_or_cut_is_refused)
{
    struct buffer entry = {0};
    struct keys k = keys_of(1);
    struct entry_plan plan = {.operation = ENTRY_ADD, .record = k.record, .signer = keys_of(0).id};
    device_prove(account.account, &k.record, k.sk, &plan.proof);
    identity_log_make(&account, &plan, keys_of(0).sk, &entry);
    for (size_t i = 0; i < entry.len; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            entry.at[i] ^= (uint8_t)(1u << bit);
            cr_assert_neq(append(buffer_view(&entry)), STATUS_OK, "byte %zu bit %u", i, bit);
            entry.at[i] ^= (uint8_t)(1u << bit);
        }
        cr_assert_neq(append(view_of(entry.at, i)), STATUS_OK, "cut at %zu", i);
        arena_reset(&arena);
    }
    cr_assert_eq(append(buffer_view(&entry)), STATUS_OK);
    buffer_fini(&entry);
}

Test(identity_log, sixteen_devices_at_a_time_and_thirty_two_ever)
{
    cr_assert_eq(recovery_by(0, RECOVERY), STATUS_OK);
    for (unsigned i = 1; i < DEVICES_PER_ACCOUNT; i++)
        cr_assert_eq(add_by(0, i), STATUS_OK);
    cr_assert_eq(add_by(0, 16), STATUS_TOO_LARGE);
    cr_assert_eq(to_by(0, ENTRY_SUSPEND, 1), STATUS_OK);
    cr_assert_eq(add_by(0, 16), STATUS_TOO_LARGE, "a suspended one may come back");
    for (unsigned i = 16; i < DEVICES_EVER_MAX; i++) {
        cr_assert_eq(to_by(0, ENTRY_REVOKE, i - 15), STATUS_OK);
        bool left = i < DEVICES_EVER_ADDED;
        cr_assert_eq(add_by(0, i), left ? STATUS_OK : STATUS_TOO_LARGE);
        if (!left) cr_assert_eq(add_by(RECOVERY, i), STATUS_OK, "no device takes the last ones");
    }
    cr_assert_eq(to_by(0, ENTRY_REVOKE, 20), STATUS_OK);
    cr_assert_eq(add_by(RECOVERY, 40), STATUS_TOO_LARGE);
    cr_assert_eq(identity_log_active(&account), 15u);
}

/* To a length without the entries that would be there. */
static void grown_to(uint64_t length)
{
    account.length = length;
}

Test(identity_log, side_data_leaves_room_for_what_matters)
{
    struct entry_plan plan = {.operation = ENTRY_DESCRIBE, .data = view_of("again", 5)};
    while (account.length < LOG_LENGTH_DESCRIBED) {
        cr_assert_eq(apply_by(0, plan), STATUS_OK);
        arena_reset(&arena);
    }
    cr_assert_eq(apply_by(0, plan), STATUS_TOO_LARGE);
    cr_assert_eq(add_by(0, 1), STATUS_OK);
}

/* A stolen device that fills the log is ended all the same. */
Test(identity_log, the_last_entries_are_for_revoking_and_for_the_recovery_key)
{
    cr_assert_eq(recovery_by(0, RECOVERY), STATUS_OK);
    for (unsigned i = 1; i < 5; i++)
        cr_assert_eq(add_by(0, i), STATUS_OK);
    grown_to(LOG_LENGTH_CHANGED - 1);
    cr_assert_eq(to_by(1, ENTRY_SUSPEND, 2), STATUS_OK);
    cr_assert_eq(to_by(1, ENTRY_RESUME, 2), STATUS_TOO_LARGE);
    cr_assert_eq(add_by(1, 9), STATUS_TOO_LARGE);
    cr_assert_eq(to_by(0, ENTRY_REVOKE, 1), STATUS_OK, "by another device");
    cr_assert_eq(to_by(RECOVERY, ENTRY_RESUME, 2), STATUS_OK);
    grown_to(LOG_LENGTH_REVOKED);
    cr_assert_eq(to_by(0, ENTRY_REVOKE, 2), STATUS_TOO_LARGE);
    cr_assert_eq(to_by(RECOVERY, ENTRY_REVOKE, 2), STATUS_OK);
    cr_assert_eq(add_by(RECOVERY, 9), STATUS_OK);
    grown_to(LOG_LENGTH_MAX);
    cr_assert_eq(to_by(RECOVERY, ENTRY_REVOKE, 3), STATUS_TOO_LARGE);
}
