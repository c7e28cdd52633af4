/* second: a device that another device of its account has added: both homes have the entry from the beginning, as after
 * linking. What happens to their log from then on, each hears when the relay tells it. */
#include "tests/sim/sim.h"

#include <sodium.h>
#include <string.h>

static void keys_make(struct sim *s, struct msg_device_record *record, struct device_secrets *sk)
{
    uint8_t seed[crypto_sign_SEEDBYTES];
    rng_fill(&s->rng, seed, sizeof seed);
    rng_fill(&s->rng, sk->identity_sk, sizeof sk->identity_sk);
    rng_fill(&s->rng, sk->transport_sk, sizeof sk->transport_sk);
    ENSURE(crypto_sign_seed_keypair(record->signing.bytes, sk->signing_sk, seed) == 0);
    ENSURE(crypto_scalarmult_base(record->identity.bytes, sk->identity_sk) == 0);
    ENSURE(crypto_scalarmult_base(record->transport.bytes, sk->transport_sk) == 0);
}

static void read_home(struct device *owner, struct arena *a, struct state_identity *me, struct device_secrets *sk,
                      struct contact *own)
{
    ENSURE(state_begin(owner->state, STATE_READ) == STATUS_OK);
    ENSURE(state_identity_get(owner->state, a, me) == STATUS_OK);
    ENSURE(state_secrets_get(owner->state, sk) == STATUS_OK);
    ENSURE(state_contact_get(owner->state, me->account, own) == STATUS_OK);
    state_rollback(owner->state);
}

static void write_log(struct state *state, const struct contact *own, const struct state_identity *me, struct view added)
{
    ENSURE(state_contact_put(state, own) == STATUS_OK);
    ENSURE(state_entry_put(state, me->account, 0, me->entry) == STATUS_OK);
    ENSURE(state_entry_put(state, me->account, 1, added) == STATUS_OK);
}

void second_make(struct device *d, struct device *owner)
{
    struct arena arena = {0};
    struct state_identity me;
    struct device_secrets signer, sk = {.signing_sk = {0}};
    struct contact own;
    struct buffer entry = {0};
    read_home(owner, &arena, &me, &signer, &own);
    struct entry_plan plan = {.operation = ENTRY_ADD, .made_ms = SIM_WALL_MS, .signer = me.device};
    keys_make(d->sim, &plan.record, &sk);
    device_prove(me.account, &plan.record, sk.signing_sk, &plan.proof);
    identity_log_make(&own.log, &plan, signer.signing_sk, &entry);
    ENSURE(identity_log_append(&own.log, buffer_view(&entry), &arena) == STATUS_OK);
    ENSURE(state_begin(owner->state, STATE_WRITE) == STATUS_OK);
    write_log(owner->state, &own, &me, buffer_view(&entry));
    ENSURE(state_commit(owner->state) == STATUS_OK);
    me.record = plan.record;
    me.device = device_id_of(me.account, &plan.record.signing);
    me.handle = view_of(NULL, 0);
    ENSURE(state_begin(d->state, STATE_WRITE) == STATUS_OK);
    ENSURE(state_identity_put(d->state, &me) == STATUS_OK && state_secrets_put(d->state, &sk) == STATUS_OK);
    write_log(d->state, &own, &me, buffer_view(&entry));
    ENSURE(state_commit(d->state) == STATUS_OK);
    buffer_fini(&entry);
    arena_fini(&arena);
}

const struct device *second_of(const struct sim *s, size_t index)
{
    for (size_t i = 0; i < s->device_count; i++)
        if (i != index && s->devices[i].owner == s->devices[index].owner) return &s->devices[i];
    return NULL;
}
