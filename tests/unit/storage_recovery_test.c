/* Recovery at the relay (PROTOCOL 6.6): what somebody without a session is told of a handle and of an account, and what
 * becomes of wrong recovery keys. */
#include "broker/wire/recovery.h"
#include "tests/unit/storage_fixture.h"

#include <sodium.h>
#include <string.h>

/* Bob has a recovery key; somebody who has lost all his devices asks, on a connection with a key of his own. */
struct lost {
    struct scene e;
    uint8_t recovery_sk[64], guest_sk[64];
    struct signing_pk recovery;
    struct msg_device_record guest;
};

static void recovery_make(uint8_t n, uint8_t sk[64], struct signing_pk *pk)
{
    uint8_t seed[32] = {n, 99};
    crypto_sign_seed_keypair(pk->bytes, sk, seed);
}

static struct lost lost_new(void)
{
    struct lost l = {.e = scene_new(true)};
    recovery_make(1, l.recovery_sk, &l.recovery);
    l.guest = keys_make(700, l.guest_sk);
    person_append(l.e.w, l.e.bob, entry_of(l.e.bob, (struct entry_plan){.operation = ENTRY_SET_RECOVERY, .recovery = l.recovery}));
    return l;
}

static struct stamp guest_stamp(const struct lost *l)
{
    return (struct stamp){.origin = ORIGIN_EDGE, .conn = 777, .transport = l->guest.transport};
}

static uint64_t ask(struct lost *l, const struct msg_lookup *m)
{
    struct stamp stamp = guest_stamp(l);
    uint64_t c = world_ask(l->e.w, 0, &stamp, KIND_LOOKUP, &msg_lookup_desc, m, view_of(NULL, 0));
    world_run(l->e.w);
    return c;
}

static struct msg_recovery_proof proof_of(const struct lost *l)
{
    struct msg_recovery_proof proof;
    recovery_prove(l->e.bob->account, &l->guest.transport, l->e.w->now.wall_ms, l->recovery_sk, &proof);
    return proof;
}

static uint64_t ask_log(struct lost *l, struct account_id account, struct msg_recovery_proof *proof)
{
    struct msg_lookup m = {.account = account, .recovery = proof, .recovery_count = proof != NULL};
    return ask(l, &m);
}

static uint32_t why(struct lost *l)
{
    return world_event(l->e.w, EVENT_RECOVERY_REFUSED)->code;
}

static enum status wrong(struct lost *l)
{
    struct signing_pk pk;
    uint8_t sk[64];
    struct msg_recovery_proof proof;
    recovery_make(2, sk, &pk);
    recovery_prove(l->e.bob->account, &l->guest.transport, l->e.w->now.wall_ms, sk, &proof);
    return world_status(l->e.w, ask_log(l, l->e.bob->account, &proof));
}

static void right(struct lost *l)
{
    struct msg_recovery_proof proof = proof_of(l);
    cr_assert_eq(world_status(l->e.w, ask_log(l, l->e.bob->account, &proof)), STATUS_OK);
}

static void lost_free(struct lost *l)
{
    scene_free(&l->e);
}

/* ---- the directory ---- */

Test(recovery, anybody_is_told_whose_a_handle_is)
{
    struct lost l = lost_new();
    struct msg_claim_handle claim = {.handle = view_of("bob", 3), .entry = buffer_view(&l.e.bob->entry)};
    struct stamp stamp = person_stamp(l.e.bob);
    handle_sign(l.e.bob->account, claim.handle, l.e.bob->signing_sk, &claim.signature);
    (void)world_ask(l.e.w, l.e.bob->broker, &stamp, KIND_CLAIM_HANDLE, &msg_claim_handle_desc, &claim, view_of(NULL, 0));
    world_run(l.e.w);
    struct msg_lookup m = {.handle = claim.handle};
    struct msg_found found;
    world_decode(l.e.w, ask(&l, &m), KIND_FOUND, &msg_found_desc, &found);
    cr_assert(handle_proven(&found, claim.handle, &l.e.w->arena));
    cr_assert_eq(memcmp(&found.account, &l.e.bob->account, sizeof found.account), 0);
    cr_assert_eq(found.entry_count, 0);
    m.handle = view_of("nobody", 6);
    cr_assert_eq(world_status(l.e.w, ask(&l, &m)), STATUS_NOT_FOUND);
    lost_free(&l);
}

/* ---- an account ---- */

Test(recovery, who_has_the_key_gets_the_whole_log)
{
    struct lost l = lost_new();
    struct msg_recovery_proof proof = proof_of(&l);
    struct msg_found found;
    struct msg_log_state state = identity_log_state(&l.e.bob->log);
    world_decode(l.e.w, ask_log(&l, l.e.bob->account, &proof), KIND_FOUND, &msg_found_desc, &found);
    cr_assert_eq(found.entry_count, 2);
    cr_assert_eq(memcmp(&found.log, &state, sizeof state), 0);
    cr_assert_eq(world_events(l.e.w, EVENT_RECOVERY_STARTED), 1);
    cr_assert_eq(world_event(l.e.w, EVENT_RECOVERY_STARTED)->count, 1);
    cr_assert_eq(world_events(l.e.w, EVENT_RECOVERY_REFUSED), 0);
    lost_free(&l);
}

Test(recovery, nobody_else_is_told_anything_of_it)
{
    struct lost l = lost_new();
    struct msg_recovery_proof proof = proof_of(&l);
    struct account_id none = l.e.bob->account;
    none.bytes[31] ^= 1; /* at the same home */
    cr_assert_eq(world_status(l.e.w, ask_log(&l, l.e.bob->account, NULL)), STATUS_REFUSED);
    cr_assert_eq(why(&l), RECOVERY_NO_PROOF);
    cr_assert_eq(world_status(l.e.w, ask_log(&l, none, &proof)), STATUS_REFUSED, "not even that there is none");
    cr_assert_eq(why(&l), RECOVERY_NO_ACCOUNT);
    cr_assert_eq(world_status(l.e.w, ask_log(&l, l.e.ann->account, &proof)), STATUS_REFUSED);
    cr_assert_eq(why(&l), RECOVERY_NO_KEY);
    cr_assert_eq(wrong(&l), STATUS_REFUSED);
    cr_assert_eq(why(&l), RECOVERY_WRONG_KEY);
    cr_assert_eq(world_events(l.e.w, EVENT_RECOVERY_STARTED), 0);
    lost_free(&l);
}

Test(recovery, a_proof_is_of_one_connection_one_account_and_one_time)
{
    struct lost l = lost_new();
    struct msg_recovery_proof proof = proof_of(&l), old = proof;
    l.guest.transport.bytes[0] ^= 1;
    cr_assert_eq(world_status(l.e.w, ask_log(&l, l.e.bob->account, &proof)), STATUS_REFUSED, "another connection");
    cr_assert_eq(why(&l), RECOVERY_WRONG_KEY);
    l.guest.transport.bytes[0] ^= 1;
    proof.made_ms++;
    cr_assert_eq(world_status(l.e.w, ask_log(&l, l.e.bob->account, &proof)), STATUS_REFUSED, "another time");
    world_skip(l.e.w, RECOVERY_PROOF_AGE_MAX_MS);
    cr_assert_eq(world_status(l.e.w, ask_log(&l, l.e.bob->account, &old)), STATUS_OK);
    world_skip(l.e.w, 1000);
    cr_assert_eq(world_status(l.e.w, ask_log(&l, l.e.bob->account, &old)), STATUS_REFUSED);
    cr_assert_eq(why(&l), RECOVERY_CLOCK);
    lost_free(&l);
}

Test(recovery, a_proof_from_the_future_is_refused)
{
    struct lost l = lost_new();
    struct msg_recovery_proof proof;
    recovery_prove(l.e.bob->account, &l.guest.transport, l.e.w->now.wall_ms + RECOVERY_PROOF_AGE_MAX_MS + 1000,
                   l.recovery_sk, &proof);
    cr_assert_eq(world_status(l.e.w, ask_log(&l, l.e.bob->account, &proof)), STATUS_REFUSED);
    cr_assert_eq(why(&l), RECOVERY_CLOCK);
    lost_free(&l);
}

Test(recovery, in_a_session_no_proof_is_asked_for)
{
    struct lost l = lost_new();
    struct stamp stamp = person_stamp(l.e.ann);
    struct msg_lookup m = {.account = l.e.bob->account};
    uint64_t c = world_ask(l.e.w, l.e.ann->broker, &stamp, KIND_LOOKUP, &msg_lookup_desc, &m, view_of(NULL, 0));
    world_run(l.e.w);
    cr_assert_eq(world_status(l.e.w, c), STATUS_OK);
    lost_free(&l);
}

/* ---- wrong keys ---- */

Test(recovery, wrong_keys_are_limited_and_an_alarm_and_never_hold_up_the_right_one)
{
    struct lost l = lost_new();
    for (unsigned i = 0; i < RECOVERY_TRIES_BURST; i++)
        cr_assert_eq(wrong(&l), STATUS_REFUSED);
    cr_assert_eq(world_event(l.e.w, EVENT_RECOVERY_REFUSED)->count, RECOVERY_TRIES_BURST);
    cr_assert_eq(world_events(l.e.w, EVENT_RECOVERY_GUESSED), 0);
    for (unsigned i = 0; i < 3; i++)
        cr_assert_eq(wrong(&l), STATUS_RATE_LIMITED);
    cr_assert_eq(world_events(l.e.w, EVENT_RECOVERY_GUESSED), 1);
    cr_assert_eq(world_event(l.e.w, EVENT_RECOVERY_GUESSED)->count, RECOVERY_TRIES_BURST + 1);
    cr_assert_eq(world_events(l.e.w, EVENT_RECOVERY_REFUSED), RECOVERY_TRIES_BURST);
    right(&l);
    cr_assert_eq(wrong(&l), STATUS_REFUSED, "it has begun anew");
    cr_assert_eq(world_event(l.e.w, EVENT_RECOVERY_REFUSED)->count, 1);
    lost_free(&l);
}

Test(recovery, one_more_wrong_key_a_minute)
{
    struct lost l = lost_new();
    for (unsigned i = 0; i < RECOVERY_TRIES_BURST; i++)
        cr_assert_eq(wrong(&l), STATUS_REFUSED);
    cr_assert_eq(wrong(&l), STATUS_RATE_LIMITED);
    world_skip(l.e.w, RECOVERY_TRY_EVERY_MS);
    cr_assert_eq(wrong(&l), STATUS_REFUSED);
    cr_assert_eq(wrong(&l), STATUS_RATE_LIMITED);
    lost_free(&l);
}

Test(recovery, another_accounts_tries_are_its_own)
{
    struct recovery_meter *m = recovery_meter_new(64, (const uint8_t *)"sixteen of seeds");
    uint32_t retry_ms;
    uint64_t tries;
    for (unsigned i = 0; i < RECOVERY_TRIES_BURST; i++)
        cr_assert_eq(recovery_meter_wrong(m, (struct account_id){{1}}, 5, &retry_ms, &tries), STATUS_REFUSED);
    cr_assert_eq(recovery_meter_wrong(m, (struct account_id){{1}}, 5, &retry_ms, &tries), STATUS_RATE_LIMITED);
    cr_assert(retry_ms == RECOVERY_TRY_EVERY_MS && tries == RECOVERY_TRIES_BURST + 1);
    for (unsigned n = 0; n < 5000; n++) { /* strangers in masses do not make it forget who was tried most */
        struct account_id other = {{9, (uint8_t)n, (uint8_t)(n >> 8)}};
        cr_assert_eq(recovery_meter_wrong(m, other, 5, &retry_ms, &tries), STATUS_REFUSED);
        cr_assert_eq(tries, 1);
    }
    cr_assert_eq(recovery_meter_wrong(m, (struct account_id){{1}}, 5, &retry_ms, &tries), STATUS_RATE_LIMITED);
    recovery_meter_free(&m);
    cr_assert_null(m);
}

/* ---- what is done with the key ---- */

Test(recovery, the_key_adds_a_device_that_registers_and_speaks)
{
    struct lost l = lost_new();
    struct person *bob = l.e.bob, *new = calloc(1, sizeof *new);
    struct entry_plan plan = {.operation = ENTRY_ADD, .record = l.guest, .made_ms = 1};
    struct buffer add = {0}, set = {0};
    device_prove(bob->account, &l.guest, l.guest_sk, &plan.proof);
    identity_log_make(&bob->log, &plan, l.recovery_sk, &add);
    struct view entries[] = {buffer_view(&add)};
    struct msg_register m = {.entry = buffer_view(&bob->entry), .entries = entries, .entry_count = 1};
    struct stamp stamp = guest_stamp(&l);
    uint64_t c = world_ask(l.e.w, 0, &stamp, KIND_REGISTER, &msg_register_desc, &m, view_of(NULL, 0));
    world_run(l.e.w);
    cr_assert_eq(world_status(l.e.w, c), STATUS_OK);
    cr_assert_eq(world_events(l.e.w, EVENT_RECOVERY_DONE), 1);
    cr_assert_eq(world_event(l.e.w, EVENT_RECOVERY_DONE)->count, 2);
    c = world_ask(l.e.w, 0, &stamp, KIND_REGISTER, &msg_register_desc, &m, view_of(NULL, 0));
    world_run(l.e.w);
    cr_assert_eq(world_status(l.e.w, c), STATUS_OK, "again is the same");
    cr_assert_eq(world_events(l.e.w, EVENT_RECOVERY_DONE), 1);
    *new = (struct person){.account = bob->account, .record = l.guest,
                           .device = device_id_of(bob->account, &l.guest.signing)};
    cr_assert_eq(person_hello(l.e.w, new, 0), STATUS_OK);
    person_free(new);
    buffer_fini(&add);
    buffer_fini(&set);
    lost_free(&l);
}

Test(recovery, a_device_that_adds_another_is_no_recovery)
{
    struct lost l = lost_new();
    person_append(l.e.w, l.e.bob, entry_added(l.e.bob, 800));
    cr_assert_eq(world_events(l.e.w, EVENT_RECOVERY_DONE), 0);
    lost_free(&l);
}
