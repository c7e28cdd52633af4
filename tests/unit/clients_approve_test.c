/* A device of the account admits another one (PROTOCOL 6.5): step by step, and against a relay and a new device that lie. */
#include "clients/approve.h"
#include "tests/unit/clients_fixture.h"

#include "broker/wire/identity.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

static const uint8_t nonce[LINK_NONCE_LEN] = {5};

/* The new device. */
struct newcomer {
    struct fixture *f;
    struct link_code code;
    uint8_t signing_sk[64], ephemeral_sk[32];
    struct msg_device_record record;
    struct prekey_pk ephemeral;
    struct buffer request;
    struct link_keys keys;
    struct msg_link_offer offer;
};

static void ok(enum status s)
{
    cr_assert_eq(s, STATUS_OK, "%s", status_name(s));
}

static void newcomer_init(struct newcomer *n, struct fixture *f)
{
    uint8_t random[LINK_RANDOM_LEN] = {1, 2, 3}, seed[32] = {66}, sk[32] = {67};
    *n = (struct newcomer){.f = f};
    link_code_make(random, &n->code);
    crypto_sign_seed_keypair(n->record.signing.bytes, n->signing_sk, seed);
    crypto_scalarmult_base(n->record.identity.bytes, sk);
    sk[1] = 1;
    crypto_scalarmult_base(n->record.transport.bytes, sk);
    memset(n->ephemeral_sk, 7, sizeof n->ephemeral_sk);
    crypto_scalarmult_base(n->ephemeral.bytes, n->ephemeral_sk);
    struct msg_link_request m = {.device = n->record, .ephemeral = n->ephemeral, .name = view_of("phone", 5)};
    link_request_seal(&n->code, &m, nonce, &n->request);
}

static void box_is(struct newcomer *n, uint32_t slot, struct view bytes)
{
    struct msg_link_get m;
    struct msg_link_is is = {.bytes = bytes};
    struct frame ask = said(n->f, KIND_LINK_GET, &msg_link_get_desc, &m);
    cr_assert_eq(m.slot, slot);
    answer(n->f, &ask, KIND_LINK_IS, &msg_link_is_desc, &is);
}

static enum approval_stage stage(struct newcomer *n)
{
    return engine_link_view(n->f->e).stage;
}

/* The code is entered, and the request is there. */
static void asks(struct newcomer *n, struct fixture *f)
{
    newcomer_init(n, f);
    bob_and_session(f);
    ok(engine_link(f->e, f->now, &n->code));
    cr_assert_eq(engine_link(f->e, f->now, &n->code), STATUS_STATE);
    turn(f);
    box_is(n, LINK_SLOT_REQUEST, buffer_view(&n->request));
    cr_assert_eq(stage(n), APPROVAL_ASKED);
    cr_assert(view_equal(engine_link_view(f->e).name, view_of("phone", 5)));
    cr_assert_eq(said_count(f, KIND_LINK_PUT), 0u, "nobody has said yes");
}

static void offer_read(struct newcomer *n)
{
    struct msg_link_put m;
    struct prekey_pk offering;
    struct frame ask = said(n->f, KIND_LINK_PUT, &msg_link_put_desc, &m);
    ok(link_offer_key(m.bytes, &offering));
    struct link_parties p = {.joining = n->ephemeral, .offering = offering};
    ok(link_agree(&n->code, &p, n->ephemeral_sk, true, buffer_view(&n->request), &n->keys));
    ok(link_offer_open(&n->keys, link_box_of(&n->code), m.slot, m.bytes, &n->f->arena, &n->offer));
    answer(n->f, &ask, KIND_LINK_HAS, &msg_link_has_desc, &(struct msg_link_has){.slots = 5});
}

static void consents(struct newcomer *n, bool cancel)
{
    struct msg_link_consent m = {.cancel = cancel};
    struct buffer bytes = {0};
    if (!cancel) device_prove(n->f->me.account, &n->record, n->signing_sk, &m.proof);
    link_consent_seal(&n->keys, link_box_of(&n->code), &m, nonce, &bytes);
    box_is(n, LINK_SLOT_CONSENT, buffer_view(&bytes));
    buffer_fini(&bytes);
}

static void says_yes(struct newcomer *n)
{
    ok(engine_link_answer(n->f->e, n->f->now, true));
    turn(n->f);
    offer_read(n);
    cr_assert_eq(n->offer.verdict, (uint32_t)LINK_APPROVED);
}

static void done(struct newcomer *n)
{
    engine_link_drop(n->f->e);
    buffer_fini(&n->request);
}

ENGINE_TEST(approve, a_device_that_consents_is_in_the_log)
{
    struct newcomer n;
    struct msg_append given;
    struct identity_log log;
    asks(&n, f);
    says_yes(&n);
    cr_assert(view_equal(n.offer.entry, f->me.entry));
    cr_assert_eq(n.offer.log.length, 1u);
    cr_assert(device_equal(n.offer.device, f->me.device));
    cr_assert_eq(n.offer.parts, 1u);
    cr_assert_gt(n.offer.data.len, f->bob_entries[0].len, "bob is in it");
    cr_assert_eq(said_count(f, KIND_APPEND), 0u, "it has not consented");
    box_is(&n, LINK_SLOT_CONSENT, view_of(NULL, 0));
    pass(f, 1500);
    consents(&n, false);
    cr_assert_eq(stage(&n), APPROVAL_ADMITTING);
    struct frame append = said(f, KIND_APPEND, &msg_append_desc, &given);
    ok(identity_log_open(f->me.entry, &f->arena, &log));
    ok(identity_log_append(&log, given.entries[0], &f->arena));
    f->my_log = identity_log_state(&log);
    answer(f, &append, KIND_APPENDED, &msg_appended_desc, &(struct msg_appended){.log = f->my_log});
    cr_assert_eq(stage(&n), APPROVAL_DONE);
    struct engine_event e = happened(f, ENGINE_IDENTITY);
    cr_assert_eq(e.status, STATUS_OK);
    cr_assert_eq(e.operation, (unsigned)ENTRY_ADD);
    cr_assert(device_equal(e.subject, engine_link_view(f->e).device));
    done(&n);
}

ENGINE_TEST(approve, a_kept_entry_goes_on_after_the_process_has_ended)
{
    struct newcomer n;
    struct msg_append given;
    asks(&n, f);
    says_yes(&n);
    consents(&n, false);
    restart(f);
    bind_session(f);
    (void)said(f, KIND_APPEND, &msg_append_desc, &given);
    cr_assert_eq(given.entry_count, 1u);
    buffer_fini(&n.request);
}

ENGINE_TEST(approve, no_means_that_nothing_is_offered)
{
    struct newcomer n;
    asks(&n, f);
    ok(engine_link_answer(f->e, f->now, false));
    turn(f);
    offer_read(&n);
    cr_assert_eq(n.offer.verdict, (uint32_t)LINK_REJECTED);
    cr_assert_eq(n.offer.entry.len, 0u);
    cr_assert_eq(stage(&n), APPROVAL_REJECTED);
    cr_assert_eq(said_count(f, KIND_LINK_GET) + said_count(f, KIND_APPEND), 0u);
    cr_assert_eq(engine_link_answer(f->e, f->now, true), STATUS_STATE);
    done(&n);
}

ENGINE_TEST(approve, the_new_device_may_not_want_to)
{
    struct newcomer n;
    asks(&n, f);
    says_yes(&n);
    consents(&n, true);
    cr_assert_eq(stage(&n), APPROVAL_REJECTED);
    cr_assert_eq(said_count(f, KIND_APPEND), 0u);
    done(&n);
}

/* It had seen no offer, so it said so under the code alone. */
ENGINE_TEST(approve, the_new_device_may_have_given_up_before)
{
    struct newcomer n;
    struct buffer bytes = {0};
    asks(&n, f);
    says_yes(&n);
    link_withdrawal_seal(&n.code, nonce, &bytes);
    box_is(&n, LINK_SLOT_CONSENT, buffer_view(&bytes));
    cr_assert_eq(stage(&n), APPROVAL_REJECTED);
    cr_assert_eq(said_count(f, KIND_APPEND), 0u);
    buffer_fini(&bytes);
    done(&n);
}

ENGINE_TEST(approve, nobody_waits_under_this_code)
{
    struct newcomer n;
    newcomer_init(&n, f);
    bob_and_session(f);
    ok(engine_link(f->e, f->now, &n.code));
    for (int i = 0; i < 10 && stage(&n) == APPROVAL_FETCHING; i++) {
        struct msg_link_get m;
        turn(f);
        struct frame ask = said(f, KIND_LINK_GET, &msg_link_get_desc, &m);
        refuse(f, &ask, STATUS_NOT_FOUND, 0);
        pass(f, 1500);
    }
    cr_assert_eq(stage(&n), APPROVAL_FAILED);
    cr_assert_eq(engine_link_view(f->e).status, STATUS_NOT_FOUND);
    ok(engine_link(f->e, f->now, &n.code)); /* another try */
    done(&n);
}

ENGINE_TEST(approve, what_stands_there_is_no_request_of_this_code)
{
    struct newcomer n;
    newcomer_init(&n, f);
    bob_and_session(f);
    ok(engine_link(f->e, f->now, &n.code));
    turn(f);
    n.request.at[n.request.len - 1] ^= 1;
    box_is(&n, LINK_SLOT_REQUEST, buffer_view(&n.request));
    cr_assert_eq(stage(&n), APPROVAL_FAILED);
    cr_assert_eq(engine_link_view(f->e).status, STATUS_BAD_ENTRY);
    cr_assert_eq(engine_link_answer(f->e, f->now, true), STATUS_STATE);
    done(&n);
}

ENGINE_TEST(approve, a_consent_that_was_not_made_with_the_code_admits_nobody)
{
    struct newcomer n;
    asks(&n, f);
    says_yes(&n);
    n.keys.consent[0] ^= 1;
    consents(&n, false);
    cr_assert_eq(stage(&n), APPROVAL_FAILED);
    cr_assert_eq(engine_link_view(f->e).status, STATUS_BAD_ENTRY);
    pass(f, 5000);
    cr_assert_eq(said_count(f, KIND_APPEND), 0u);
    done(&n);
}

/* It has the code, and puts its name under another account's, or another device's, keys. */
ENGINE_TEST(approve, a_proof_for_something_else_is_not_taken_by_the_log)
{
    struct newcomer n;
    asks(&n, f);
    says_yes(&n);
    struct msg_link_consent m = {.cancel = false};
    struct buffer bytes = {0};
    device_prove(f->bob.account, &n.record, n.signing_sk, &m.proof);
    link_consent_seal(&n.keys, link_box_of(&n.code), &m, nonce, &bytes);
    box_is(&n, LINK_SLOT_CONSENT, buffer_view(&bytes));
    cr_assert_eq(stage(&n), APPROVAL_FAILED);
    cr_assert_eq(engine_link_view(f->e).obstacle, CHANGE_NOT_ALLOWED);
    cr_assert_eq(said_count(f, KIND_APPEND), 0u);
    buffer_fini(&bytes);
    done(&n);
}

ENGINE_TEST(approve, somebody_has_answered_already)
{
    struct newcomer n;
    struct msg_link_put m;
    asks(&n, f);
    ok(engine_link_answer(f->e, f->now, true));
    turn(f);
    struct frame ask = said(f, KIND_LINK_PUT, &msg_link_put_desc, &m);
    refuse(f, &ask, STATUS_REFUSED, 0);
    cr_assert_eq(stage(&n), APPROVAL_FAILED);
    cr_assert_eq(engine_link_view(f->e).status, STATUS_REFUSED);
    done(&n);
}

ENGINE_TEST(approve, it_ends_when_the_code_does)
{
    struct newcomer n;
    asks(&n, f);
    says_yes(&n);
    for (int i = 0; i < 20 && stage(&n) == APPROVAL_AWAITING; i++)
        pass(f, LINK_LIFE_MS / 10);
    cr_assert_eq(stage(&n), APPROVAL_FAILED);
    cr_assert_eq(engine_link_view(f->e).status, STATUS_TIMEOUT);
    done(&n);
}

ENGINE_TEST(approve, one_change_at_a_time)
{
    struct newcomer n;
    asks(&n, f);
    ok(engine_rotate(f->e, f->now));
    cr_assert_eq(engine_link_answer(f->e, f->now, true), STATUS_FULL);
    cr_assert_eq(stage(&n), APPROVAL_ASKED);
    ok(engine_link_answer(f->e, f->now, false));
    done(&n);
}

/* The relay has started anew between the offer and the consent: the new device finds nothing of it. */
ENGINE_TEST(approve, an_offer_that_the_relay_has_lost_is_left_again)
{
    struct newcomer n;
    struct msg_link_get m;
    struct msg_link_put again;
    asks(&n, f);
    says_yes(&n);
    struct frame ask = said(f, KIND_LINK_GET, &msg_link_get_desc, &m);
    cr_assert_eq(m.slot, LINK_SLOT_CONSENT);
    refuse(f, &ask, STATUS_NOT_FOUND, 0);
    pass(f, 1500);
    ask = said(f, KIND_LINK_PUT, &msg_link_put_desc, &again);
    cr_assert_eq(again.slot, LINK_SLOT_OFFER);
    answer(f, &ask, KIND_LINK_HAS, &msg_link_has_desc, &(struct msg_link_has){.slots = 5});
    cr_assert_eq(stage(&n), APPROVAL_AWAITING);
    consents(&n, false);
    cr_assert_eq(stage(&n), APPROVAL_ADMITTING);
    done(&n);
}

/* ---- an account that is full ---- */

/* Its log, as if it had had so many devices, of which so many are here. */
static void log_filled(struct fixture *f, size_t ever, size_t here)
{
    struct contact own;
    ok(state_begin(f->state, STATE_WRITE));
    ok(state_contact_get(f->state, f->me.account, &own));
    for (size_t i = 1; i < ever; i++) {
        own.log.devices[i] = own.log.devices[0];
        own.log.devices[i].id.bytes[0] ^= (uint8_t)(i + 1);
        own.log.devices[i].standing = i < here ? STANDING_ACTIVE : STANDING_REVOKED;
    }
    own.log.device_count = (uint32_t)ever;
    ok(state_contact_put(f->state, &own));
    ok(state_commit(f->state));
}

static const struct { size_t ever, here; enum change_obstacle why; } fillings[] = {
    {DEVICES_PER_ACCOUNT - 1, DEVICES_PER_ACCOUNT - 1, CHANGE_NONE},
    {DEVICES_PER_ACCOUNT, DEVICES_PER_ACCOUNT, CHANGE_DEVICES_FULL},
    {DEVICES_EVER_ADDED - 1, 3, CHANGE_NONE},
    {DEVICES_EVER_ADDED, 3, CHANGE_DEVICES_EVER},
    {DEVICES_EVER_ADDED, DEVICES_PER_ACCOUNT, CHANGE_DEVICES_EVER}, /* no revoking helps there */
    {DEVICES_EVER_MAX, 1, CHANGE_DEVICES_EVER},
};

ENGINE_TEST(approve, whether_the_log_has_room_is_known_as_soon_as_the_code_is_entered)
{
    struct newcomer n;
    newcomer_init(&n, f);
    bob_and_session(f);
    for (size_t i = 0; i < sizeof fillings / sizeof fillings[0]; i++) {
        log_filled(f, fillings[i].ever, fillings[i].here);
        ok(engine_link(f->e, f->now, &n.code));
        cr_assert_eq(stage(&n), APPROVAL_FETCHING, "it can be rejected all the same");
        cr_assert_eq(engine_link_view(f->e).obstacle, fillings[i].why, "%zu", i);
        engine_link_drop(f->e);
    }
    done(&n);
}

ENGINE_TEST(approve, what_has_no_room_is_not_offered_the_account_and_is_told_so)
{
    static const enum change_obstacle full[] = {CHANGE_DEVICES_FULL, CHANGE_DEVICES_EVER};
    struct newcomer n;
    asks(&n, f);
    for (size_t i = 0; i < 2; i++) {
        if (i) {
            ok(engine_link(f->e, f->now, &n.code));
            pass(f, 1500);
            box_is(&n, LINK_SLOT_REQUEST, buffer_view(&n.request));
        }
        cr_assert_eq(engine_link_view(f->e).obstacle, i ? full[0] : CHANGE_NONE);
        log_filled(f, i ? DEVICES_EVER_ADDED : DEVICES_PER_ACCOUNT, DEVICES_PER_ACCOUNT); /* meanwhile */
        cr_assert_eq(engine_link_view(f->e).obstacle, full[i]);
        ok(engine_link_answer(f->e, f->now, true));
        turn(f);
        offer_read(&n);
        cr_assert_eq(n.offer.verdict, (uint32_t)LINK_REJECTED);
        cr_assert_eq(n.offer.entry.len, 0u);
        cr_assert_eq(stage(&n), APPROVAL_FAILED);
        cr_assert_eq(engine_link_view(f->e).status, STATUS_TOO_LARGE);
        cr_assert_eq(engine_link_view(f->e).obstacle, full[i]);
    }
    done(&n);
}

ENGINE_TEST(approve, a_full_account_rejects_as_any)
{
    struct newcomer n;
    asks(&n, f);
    log_filled(f, DEVICES_EVER_ADDED, 2);
    ok(engine_link_answer(f->e, f->now, false));
    turn(f);
    offer_read(&n);
    cr_assert_eq(n.offer.verdict, (uint32_t)LINK_REJECTED);
    cr_assert_eq(stage(&n), APPROVAL_REJECTED);
    cr_assert_eq(engine_link_view(f->e).obstacle, CHANGE_NONE);
    done(&n);
}
