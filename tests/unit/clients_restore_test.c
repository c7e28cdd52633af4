/* An account comes back with its recovery key: what is asked, what is believed, what the home has then, and how its engine
 * brings the log to the relay (PROTOCOL 6.6). The relay here is a log, a handle and what it is told to lie about. */
#include "clients/restore.h"

#include "broker/wire/identity.h"
#include "broker/wire/recovery.h"
#include "clients/recovery.h"
#include "clients/state/memory.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define RELAY_MS 1800000000000ull

struct relay {
    struct identity_log log;
    struct buffer entries[LOG_LENGTH_MAX];
    uint8_t founder_sk[64];
    struct signature handle_proof;
    struct recovery_keys keys;
    size_t frame_max; /* entries in one answer */
    /* lies */
    bool other_handle, hides, wrong_end, forges;
    enum status refuses;
    size_t questions;
};

struct place {
    struct relay relay;
    struct state *state;
    struct restore *restore;
    struct guest *guest;
    struct now now;
    struct arena arena;
    struct recovery_code code;
    bool revoke_others, by_account;
    uint64_t random;
};

static void fill(void *self, void *out, size_t len)
{
    uint64_t *seed = self;
    uint8_t *at = out;
    for (size_t i = 0; i < len; i++)
        at[i] = (uint8_t)((*seed = *seed * 6364136223846793005ull + 1442695040888963407ull) >> 56);
}

static struct random_source random_of(struct place *p)
{
    return (struct random_source){.fill = fill, .self = &p->random};
}

/* ---- the relay's account ---- */

static struct msg_device_record keys_of(uint8_t n, uint8_t sk[64])
{
    uint8_t seed[32] = {0, n, 0, 31}; /* the low bits of the first are clamped */
    struct msg_device_record r;
    crypto_sign_seed_keypair(r.signing.bytes, sk, seed);
    cr_assert_eq(crypto_scalarmult_base(r.identity.bytes, seed), 0);
    seed[2] = 9;
    cr_assert_eq(crypto_scalarmult_base(r.transport.bytes, seed), 0);
    return r;
}

static void relay_keeps(struct place *p, struct view entry)
{
    uint64_t n = p->relay.log.length;
    enum status s = n ? identity_log_append(&p->relay.log, entry, &p->arena) : identity_log_open(entry, &p->arena, &p->relay.log);
    cr_assert_eq(s, STATUS_OK, "%s", status_name(s));
    write_view(&p->relay.entries[n], entry);
}

static void relay_does(struct place *p, struct entry_plan plan, const uint8_t *sk)
{
    struct buffer entry = {0};
    identity_log_make(&p->relay.log, &plan, sk, &entry);
    relay_keeps(p, buffer_view(&entry));
    buffer_fini(&entry);
}

static void founder_does(struct place *p, struct entry_plan plan)
{
    plan.signer = p->relay.log.devices[0].id;
    relay_does(p, plan, p->relay.founder_sk);
}

static void founder_adds(struct place *p, uint8_t n)
{
    uint8_t sk[64];
    struct entry_plan plan = {.operation = ENTRY_ADD, .record = keys_of(n, sk)};
    device_prove(p->relay.log.account, &plan.record, sk, &plan.proof);
    founder_does(p, plan);
}

static struct place *place_new(void)
{
    struct place *p = calloc(1, sizeof *p);
    struct buffer entry = {0};
    uint8_t salt[16] = {1};
    cr_assert_geq(sodium_init(), 0);
    memset(p->code.bytes, 7, sizeof p->code.bytes);
    struct msg_device_record founder = keys_of(1, p->relay.founder_sk);
    founding_make(&founder, p->relay.founder_sk, RELAY_MS, salt, &entry);
    relay_keeps(p, buffer_view(&entry));
    buffer_fini(&entry);
    handle_sign(p->relay.log.account, view_of("alice", 5), p->relay.founder_sk, &p->relay.handle_proof);
    recovery_keys_of(&p->code, p->relay.log.account, &p->relay.keys);
    founder_does(p, (struct entry_plan){.operation = ENTRY_SET_RECOVERY, .recovery = p->relay.keys.signing});
    p->relay.frame_max = ENTRIES_PER_FRAME;
    p->state = memory_state_new();
    p->now = (struct now){.wall_ms = RELAY_MS - 86400000, .mono_ms = 1000}; /* a day behind */
    return p;
}

static void place_end(struct place *p)
{
    restore_free(&p->restore);
    guest_free(&p->guest);
}

static void place_free(struct place *p)
{
    place_end(p);
    state_close(&p->state);
    for (size_t i = 0; i < LOG_LENGTH_MAX; i++)
        buffer_fini(&p->relay.entries[i]);
    arena_fini(&p->arena);
    free(p);
}

/* ---- its answers ---- */

static void replies(struct place *p, const struct frame *to, enum frame_kind kind, const struct codec_desc *desc, const void *m)
{
    struct buffer b = {0};
    frame_write(&b, &(struct frame_header){.kind = (uint8_t)kind, .correlation = to->header.correlation}, desc, m);
    guest_frame(p->guest, p->now, buffer_view(&b));
    buffer_fini(&b);
}

static void refuses(struct place *p, const struct frame *to, enum status s)
{
    replies(p, to, KIND_ERROR, &msg_error_desc, &(struct msg_error){.status = (uint32_t)s});
}

static void tells_handle(struct place *p, const struct frame *f)
{
    struct msg_handle_proof proof = {.entry = buffer_view(&p->relay.entries[0]), .signature = p->relay.handle_proof};
    struct msg_found m = {.account = p->relay.log.account, .proof = &proof, .proof_count = 1};
    if (p->relay.other_handle) proof.signature.bytes[5] ^= 1;
    replies(p, f, KIND_FOUND, &msg_found_desc, &m);
}

static void tells_log(struct place *p, const struct frame *f, const struct msg_lookup *ask)
{
    const uint8_t *sk;
    struct transport_pk transport = restore_transport(p->restore, &sk);
    struct view entries[ENTRIES_PER_FRAME];
    struct msg_found m = {.account = p->relay.log.account, .log = identity_log_state(&p->relay.log), .entries = entries};
    cr_assert_eq(ask->recovery_count, 1u);
    cr_assert_eq(ask->recovery->made_ms, RELAY_MS, "by the relay's clock, not by ours");
    if (!recovery_proven(m.account, &transport, ask->recovery, &p->relay.log.recovery)) {
        refuses(p, f, STATUS_REFUSED);
        return;
    }
    for (uint64_t i = ask->first; i < p->relay.log.length && m.entry_count < p->relay.frame_max && !p->relay.hides; i++)
        entries[m.entry_count++] = buffer_view(&p->relay.entries[i]);
    if (p->relay.wrong_end) m.log.head.bytes[0] ^= 1;
    if (p->relay.forges && m.entry_count) { /* another signature under the last one */
        struct view copy = arena_copy(&p->arena, entries[m.entry_count - 1]);
        ((uint8_t *)(uintptr_t)copy.at)[copy.len - 1] ^= 1;
        entries[m.entry_count - 1] = copy;
    }
    replies(p, f, KIND_FOUND, &msg_found_desc, &m);
}

static void relay_answers(struct place *p)
{
    struct view bytes;
    struct frame f;
    struct msg_lookup ask;
    while (guest_next_frame(p->guest, p->now, &bytes)) {
        struct view copy = arena_copy(&p->arena, bytes);
        cr_assert_eq(frame_check(copy, FROM_CLIENT, &f), STATUS_OK);
        p->relay.questions++;
        if (f.header.kind == KIND_PING) {
            replies(p, &f, KIND_PONG, &msg_pong_desc, &(struct msg_pong){.relay_ms = RELAY_MS});
            continue;
        }
        cr_assert_eq(f.header.kind, KIND_LOOKUP);
        cr_assert_eq(codec_decode(&msg_lookup_desc, f.meta, &p->arena, &ask), STATUS_OK);
        if (p->relay.refuses)
            refuses(p, &f, p->relay.refuses);
        else if (!ask.handle.len)
            tells_log(p, &f, &ask);
        else if (view_equal(ask.handle, view_of("alice", 5)))
            tells_handle(p, &f);
        else
            refuses(p, &f, STATUS_NOT_FOUND);
    }
}

/* ---- one run ---- */

static enum status begin(struct place *p)
{
    struct random_source random = random_of(p);
    struct restore_wish wish = {.handle = view_of("alice", 5), .code = &p->code, .endpoints = view_of("tcp://x:1", 9),
                                .revoke_others = p->revoke_others};
    if (p->by_account) {
        wish.handle = view_of(NULL, 0);
        wish.account = p->relay.log.account;
    }
    place_end(p);
    guest_new(&random, &p->guest);
    guest_up(p->guest, p->now);
    p->random++; /* each run has other keys */
    return restore_new(&wish, &random, p->state, &p->restore);
}

static enum status drive(struct place *p, enum restore_obstacle *why)
{
    enum status s = STATUS_BUSY;
    for (unsigned i = 0; s == STATUS_BUSY; i++) {
        cr_assert_lt(i, 200u, "it does not end");
        s = restore_drive(p->restore, p->now, p->guest, why);
        relay_answers(p);
    }
    return s;
}

static void restores(struct place *p)
{
    enum restore_obstacle why;
    cr_assert_eq(begin(p), STATUS_OK);
    enum status s = drive(p, &why);
    cr_assert_eq(s, STATUS_OK, "%s, %d", status_name(s), (int)why);
    cr_assert_eq(why, RESTORE_NONE);
}

static void fails(struct place *p, enum restore_obstacle expected)
{
    enum restore_obstacle why;
    struct state_identity me;
    cr_assert_eq(begin(p), STATUS_OK);
    cr_assert_neq(drive(p, &why), STATUS_OK);
    cr_assert_eq(why, expected, "%d", (int)why);
    cr_assert_eq(state_begin(p->state, STATE_READ), STATUS_OK);
    cr_assert_eq(state_identity_get(p->state, &p->arena, &me), STATUS_NOT_FOUND, "nothing is kept");
    state_rollback(p->state);
}

static struct contact held(struct place *p, struct state_identity *me)
{
    struct contact own;
    struct device_secrets secrets;
    uint8_t pk[32];
    cr_assert_eq(state_begin(p->state, STATE_READ), STATUS_OK);
    cr_assert_eq(state_identity_get(p->state, &p->arena, me), STATUS_OK);
    cr_assert_eq(state_secrets_get(p->state, &secrets), STATUS_OK);
    cr_assert_eq(state_contact_get(p->state, me->account, &own), STATUS_OK);
    state_rollback(p->state);
    const struct log_device *d = identity_log_device(&own.log, me->device);
    cr_assert(d && d->standing == STANDING_ACTIVE);
    cr_assert_eq(memcmp(&d->record, &me->record, sizeof d->record), 0);
    cr_assert_eq(memcmp(secrets.signing_sk + 32, &me->record.signing, 32), 0);
    cr_assert_eq(crypto_scalarmult_base(pk, secrets.transport_sk), 0);
    cr_assert_eq(memcmp(pk, &me->record.transport, sizeof pk), 0);
    return own;
}

/* REGISTERs until the engine says HELLO: the relay takes what it says. */
static size_t registers(struct place *p, bool stale)
{
    struct engine_config config = {.random = random_of(p), .client_version = "1.0.0"};
    struct engine *e;
    struct view bytes;
    struct frame f;
    struct msg_register m;
    size_t frames = 0;
    bool greeted = false, stopped = false;
    struct engine_event event;
    cr_assert_eq(engine_new(&config, p->state, &e), STATUS_OK);
    engine_up(e, p->now);
    while (!greeted && !stopped && frames < 40) {
        engine_tick(e, p->now);
        while (engine_next_event(e, &event))
            stopped = stopped || (event.kind == ENGINE_STOPPED && event.status == STATUS_STALE_HEAD);
        if (!engine_next_frame(e, &bytes)) continue;
        struct buffer b = {0};
        cr_assert_eq(frame_check(arena_copy(&p->arena, bytes), FROM_CLIENT, &f), STATUS_OK);
        greeted = f.header.kind == KIND_HELLO;
        if (f.header.kind != KIND_REGISTER) continue;
        frames++;
        cr_assert_eq(codec_decode(&msg_register_desc, f.meta, &p->arena, &m), STATUS_OK);
        for (size_t i = 0; i < m.entry_count && !stale; i++) {
            struct msg_entry entry;
            struct msg_entry_body body;
            cr_assert_eq(entry_open(m.entries[i], &p->arena, &entry, &body), STATUS_OK);
            cr_assert_leq(body.number, p->relay.log.length);
            if (body.number == p->relay.log.length) relay_keeps(p, m.entries[i]);
            cr_assert(view_equal(m.entries[i], buffer_view(&p->relay.entries[body.number])));
        }
        struct msg_registered done = {.account = p->relay.log.account, .log = identity_log_state(&p->relay.log)};
        struct frame_header header = {.kind = stale ? KIND_ERROR : KIND_REGISTERED, .correlation = f.header.correlation};
        if (stale)
            frame_write(&b, &header, &msg_error_desc, &(struct msg_error){.status = STATUS_STALE_HEAD});
        else
            frame_write(&b, &header, &msg_registered_desc, &done);
        engine_frame(e, p->now, buffer_view(&b));
        buffer_fini(&b);
    }
    cr_assert(stale ? stopped : greeted);
    engine_free(&e);
    return frames;
}

/* ---- it works ---- */

Test(restore, the_account_is_in_the_home_and_goes_to_the_relay)
{
    struct place *p = place_new();
    struct state_identity me;
    struct recovery_facts facts;
    restores(p);
    struct contact own = held(p, &me);
    cr_assert_eq(own.log.length, 3u);
    cr_assert(view_equal(me.handle, view_of("alice", 5)) && me.claimed && !me.registered);
    cr_assert_eq(registers(p, false), 1u);
    cr_assert_eq(p->relay.log.length, 3u);
    cr_assert(identity_log_device(&p->relay.log, me.device) != NULL);
    cr_assert_eq(state_begin(p->state, STATE_READ), STATUS_OK);
    cr_assert_eq(state_recovery_facts(p->state, &p->arena, &facts), STATUS_OK);
    state_rollback(p->state);
    cr_assert(facts.set && facts.ours && facts.confirmed && facts.uses == 1);
    cr_assert_eq(begin(p), STATUS_STATE, "a home that is done");
    place_free(p);
}

Test(restore, an_account_without_a_name_comes_back_by_its_id)
{
    struct place *p = place_new();
    struct state_identity me;
    p->by_account = true;
    restores(p);
    (void)held(p, &me);
    cr_assert(!me.handle.len && !me.claimed);
    place_free(p);
}

Test(restore, a_log_of_many_frames_comes_and_goes_in_pieces)
{
    struct place *p = place_new();
    for (unsigned i = 0; i < 200; i++)
        founder_does(p, (struct entry_plan){.operation = ENTRY_DESCRIBE, .data = view_of("xy", 2)});
    restores(p);
    cr_assert_gt(p->relay.questions, 4u);
    cr_assert_eq(registers(p, false), 2u, "what it has, and then what is new");
    cr_assert_eq(p->relay.log.length, 203u);
    place_free(p);
}

Test(restore, a_relay_that_has_lost_the_account_gets_all_of_it)
{
    struct place *p = place_new();
    for (unsigned i = 0; i < 150; i++)
        founder_does(p, (struct entry_plan){.operation = ENTRY_DESCRIBE, .data = view_of("xy", 2)});
    restores(p);
    struct buffer first = p->relay.entries[0];
    for (size_t i = 1; i < LOG_LENGTH_MAX; i++)
        buffer_clear(&p->relay.entries[i]);
    cr_assert_eq(identity_log_open(buffer_view(&first), &p->arena, &p->relay.log), STATUS_OK);
    cr_assert_eq(registers(p, false), 3u);
    cr_assert_eq(p->relay.log.length, 153u);
    place_free(p);
}

Test(restore, the_others_are_revoked_in_the_same_breath)
{
    struct place *p = place_new();
    struct state_identity me;
    for (uint8_t n = 2; n < 2 + DEVICES_PER_ACCOUNT - 1; n++)
        founder_adds(p, n);
    fails(p, RESTORE_DEVICES);
    p->revoke_others = true;
    restores(p);
    struct contact own = held(p, &me);
    cr_assert_eq(identity_log_active(&own.log), 1u);
    cr_assert_eq(own.log.device_count, DEVICES_PER_ACCOUNT + 1);
    cr_assert_eq(registers(p, false), 1u);
    cr_assert_eq(identity_log_active(&p->relay.log), 1u);
    place_free(p);
}

/* ---- it is refused ---- */

Test(restore, nothing_is_kept_of_what_is_not_right)
{
    struct place *p = place_new();
    p->relay.other_handle = true;
    fails(p, RESTORE_RELAY);
    p->relay.other_handle = false;
    p->relay.hides = true;
    fails(p, RESTORE_RELAY);
    p->relay.hides = false;
    p->relay.wrong_end = true;
    fails(p, RESTORE_RELAY);
    p->relay.wrong_end = false;
    p->relay.forges = true;
    fails(p, RESTORE_RELAY);
    p->relay.forges = false;
    p->relay.refuses = STATUS_REFUSED;
    p->by_account = true;
    fails(p, RESTORE_KEY);
    p->relay.refuses = STATUS_UNSUPPORTED;
    fails(p, RESTORE_REFUSED);
    p->relay.refuses = STATUS_NOT_FOUND;
    p->by_account = false;
    fails(p, RESTORE_NO_ACCOUNT);
    p->relay.refuses = STATUS_OK;
    p->code.bytes[3] ^= 1;
    fails(p, RESTORE_KEY);
    p->code.bytes[3] ^= 1;
    restores(p);
    place_free(p);
}

/* The relay has taken another account's log for ours, with a recovery key of its own. */
Test(restore, a_log_whose_recovery_key_is_another_is_not_believed)
{
    struct place *p = place_new();
    struct recovery_code other = {{9}};
    struct recovery_keys old = p->relay.keys;
    recovery_keys_of(&other, p->relay.log.account, &p->relay.keys);
    relay_does(p, (struct entry_plan){.operation = ENTRY_SET_RECOVERY, .recovery = p->relay.keys.signing}, old.signing_sk);
    fails(p, RESTORE_KEY);
    place_free(p);
}

/* ---- it is broken off ---- */

Test(restore, a_disk_that_fails_anywhere_leaves_nothing_or_all)
{
    for (uint64_t nth = 1;; nth++) {
        struct place *p = place_new();
        enum restore_obstacle why;
        struct state_identity me;
        cr_assert_eq(begin(p), STATUS_OK);
        memory_state_fail(p->state, nth, false);
        enum status s = drive(p, &why);
        memory_state_fail(p->state, 0, false);
        bool whole = s == STATUS_OK;
        if (!whole) {
            cr_assert_eq(why, RESTORE_HOME);
            cr_assert_eq(state_begin(p->state, STATE_READ), STATUS_OK);
            cr_assert_eq(state_identity_get(p->state, &p->arena, &me), STATUS_NOT_FOUND);
            state_rollback(p->state);
            restores(p);
        }
        cr_assert_eq(registers(p, false), 1u);
        place_free(p);
        cr_assert_lt(nth, 100u);
        if (whole) break;
    }
}

Test(restore, begun_again_before_the_relay_has_heard_of_it_it_is_the_same_device)
{
    struct place *p = place_new();
    struct state_identity first, second;
    restores(p);
    (void)held(p, &first);
    restores(p);
    struct contact own = held(p, &second);
    cr_assert(device_equal(first.device, second.device));
    cr_assert_eq(own.log.length, 3u);
    cr_assert_eq(registers(p, false), 1u);
    place_free(p);
}

Test(restore, begun_again_when_the_relay_has_it_already_adds_nothing)
{
    struct place *p = place_new();
    struct state_identity me;
    restores(p);
    (void)held(p, &me);
    struct entry_scan scan = {.account = me.account, .first = 2, .max = 1};
    cr_assert_eq(state_begin(p->state, STATE_READ), STATUS_OK);
    cr_assert_eq(state_entry_scan(p->state, &p->arena, &scan), STATUS_OK);
    state_rollback(p->state);
    relay_keeps(p, scan.entries[0]); /* REGISTER was taken, and its answer was lost */
    restores(p);
    cr_assert_eq(held(p, &me).log.length, 3u);
    cr_assert_eq(registers(p, false), 1u);
    cr_assert_eq(p->relay.log.length, 3u);
    place_free(p);
}

/* Another device's entry was first: only the key can make ours anew. */
Test(restore, an_account_that_has_gone_on_meanwhile_is_told_and_begun_again)
{
    struct place *p = place_new();
    struct state_identity me;
    founder_adds(p, 2);
    p->revoke_others = true;
    restores(p);
    founder_does(p, (struct entry_plan){.operation = ENTRY_DESCRIBE, .data = view_of("xy", 2)});
    cr_assert_eq(registers(p, true), 1u);
    p->revoke_others = false; /* it stays as it was begun */
    restores(p);
    struct contact own = held(p, &me);
    cr_assert_eq(identity_log_active(&own.log), 1u);
    cr_assert_eq(registers(p, false), 1u);
    cr_assert_eq(identity_log_active(&p->relay.log), 1u);
    place_free(p);
}

Test(restore, a_relay_whose_log_has_become_shorter_is_not_believed)
{
    struct place *p = place_new();
    enum restore_obstacle why;
    founder_adds(p, 2);
    restores(p);
    struct buffer first = p->relay.entries[0], second = p->relay.entries[1];
    cr_assert_eq(identity_log_open(buffer_view(&first), &p->arena, &p->relay.log), STATUS_OK);
    cr_assert_eq(identity_log_append(&p->relay.log, buffer_view(&second), &p->arena), STATUS_OK);
    cr_assert_eq(begin(p), STATUS_OK);
    cr_assert_eq(drive(p, &why), STATUS_RELAY_BEHIND);
    cr_assert_eq(why, RESTORE_RELAY);
    place_free(p);
}

Test(restore, a_home_with_an_account_is_left_alone)
{
    struct place *p = place_new();
    struct random_source random = random_of(p);
    cr_assert_eq(account_create(p->state, &random, p->now, &(struct account_wish){.endpoints = view_of("tcp://x:1", 9)}),
                 STATUS_OK);
    cr_assert_eq(begin(p), STATUS_STATE);
    cr_assert_null(p->restore);
    place_free(p);
}
