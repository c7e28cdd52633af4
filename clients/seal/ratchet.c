/* ratchet: PROTOCOL 10.4. Each function works on locals and assigns *r in its last lines. */
#include "clients/seal/ratchet.h"

#include "clients/seal/hkdf.h"
#include "clients/seal/verdict.h"

#include <sodium.h>
#include <string.h>

static const char step_label[] = "sealmq ratchet 1";

/* step: false where the public key is of small order; nothing is changed then. */
static bool step(uint8_t root[32], const uint8_t sk[32], const uint8_t pk[32], struct chain_sk *chain)
{
    uint8_t shared[32], out[64];
    bool good = verdict(crypto_scalarmult(shared, sk, pk) == 0);
    if (good) {
        hkdf(root, 32, shared, sizeof shared, step_label, sizeof step_label, out, sizeof out);
        memcpy(root, out, 32);
        memcpy(chain->bytes, out + 32, 32);
        sodium_memzero(out, sizeof out);
    }
    sodium_memzero(shared, sizeof shared);
    return good;
}

static void chain_next(struct chain_sk *chain, struct message_sk *out)
{
    static const uint8_t message = 1, next = 2;
    struct chain_sk following;
    crypto_auth_hmacsha256(out->bytes, &message, 1, chain->bytes);
    crypto_auth_hmacsha256(following.bytes, &next, 1, chain->bytes);
    *chain = following;
    sodium_memzero(&following, sizeof following);
}

static void own_key_make(struct ratchet *r, const struct random_source *random)
{
    random->fill(random->self, r->own_sk, sizeof r->own_sk);
    ENSURE(crypto_scalarmult_base(r->own.bytes, r->own_sk) == 0);
}

bool ratchet_initiate(struct ratchet *r, const struct session_secret *secret, const struct prekey_pk *theirs,
                      const struct random_source *random)
{
    sodium_memzero(r, sizeof *r);
    own_key_make(r, random);
    memcpy(r->root, secret->bytes, sizeof r->root);
    memcpy(r->theirs.bytes, theirs->bytes, sizeof r->theirs.bytes);
    r->sends = step(r->root, r->own_sk, r->theirs.bytes, &r->sending);
    if (!r->sends) sodium_memzero(r, sizeof *r);
    return r->sends;
}

void ratchet_respond(struct ratchet *r, const struct session_secret *secret, const uint8_t prekey_sk[32],
                     const struct prekey_pk *prekey)
{
    sodium_memzero(r, sizeof *r);
    memcpy(r->root, secret->bytes, sizeof r->root);
    memcpy(r->own_sk, prekey_sk, sizeof r->own_sk);
    memcpy(r->own.bytes, prekey->bytes, sizeof r->own.bytes);
}

enum status ratchet_send(struct ratchet *r, struct ratchet_place *place, struct message_sk *out)
{
    *place = (struct ratchet_place){.number = 0};
    sodium_memzero(out, sizeof *out);
    if (!r->sends || r->sent == UINT32_MAX) return STATUS_STATE;
    *place = (struct ratchet_place){.key = r->own, .previous = r->previous, .number = r->sent};
    chain_next(&r->sending, out);
    r->sent++;
    return STATUS_OK;
}

/* Keys of the receiving chain from `received` up to `until`, kept; the caller has looked at the bounds. */
static void skip(struct ratchet *r, uint32_t until, struct skipped_list *fresh)
{
    for (; r->received < until; r->received++) {
        struct skipped *kept = &fresh->at[fresh->count++];
        kept->key = r->theirs;
        kept->number = r->received;
        chain_next(&r->receiving, &kept->sk);
    }
}

/* The other side has a new ratchet key, and so do we. */
static bool turn(struct ratchet *r, const struct ratchet_pk *theirs, const struct random_source *random)
{
    if (!step(r->root, r->own_sk, theirs->bytes, &r->receiving)) return false;
    r->theirs = *theirs;
    r->receives = true;
    r->received = 0;
    r->previous = r->sent;
    r->sent = 0;
    own_key_make(r, random);
    r->sends = step(r->root, r->own_sk, r->theirs.bytes, &r->sending);
    return r->sends;
}

/* How many keys are passed over; more than may be = far. */
static uint64_t passed_over(const struct ratchet *r, const struct ratchet_place *place, bool same)
{
    if (same) return place->number - (uint64_t)r->received;
    uint64_t old = r->receives && place->previous > r->received ? place->previous - r->received : 0;
    return old + place->number;
}

enum report_cause ratchet_receive(struct ratchet *r, const struct ratchet_place *place,
                                  const struct random_source *random, struct message_sk *out,
                                  struct skipped_list *fresh)
{
    bool same = r->receives && memcmp(&r->theirs, &place->key, sizeof place->key) == 0;
    struct ratchet next = *r;
    enum report_cause cause = CAUSE_NONE;
    fresh->count = 0;
    sodium_memzero(out, sizeof *out);
    if (same && place->number < r->received)
        cause = CAUSE_REPLAY;
    else if (passed_over(r, place, same) > SKIPPED_PER_MESSAGE_MAX || place->number == UINT32_MAX)
        cause = CAUSE_FAR;
    if (cause == CAUSE_NONE && !same) {
        if (next.receives) skip(&next, place->previous, fresh);
        if (!turn(&next, &place->key, random)) cause = CAUSE_AUTHENTICATION;
    }
    if (cause == CAUSE_NONE) {
        skip(&next, place->number, fresh);
        chain_next(&next.receiving, out);
        next.received++;
        *r = next;
    } else {
        sodium_memzero(fresh->at, fresh->count * sizeof fresh->at[0]);
        fresh->count = 0;
    }
    sodium_memzero(&next, sizeof next);
    return cause;
}

/* ---- as bytes ---- */

void ratchet_write(const struct ratchet *r, uint8_t out[RATCHET_LEN])
{
    memcpy(out, r->root, 32);
    memcpy(out + 32, r->own_sk, 32);
    memcpy(out + 64, r->own.bytes, 32);
    memcpy(out + 96, r->theirs.bytes, 32);
    memcpy(out + 128, r->sending.bytes, 32);
    memcpy(out + 160, r->receiving.bytes, 32);
    out[192] = (uint8_t)(r->sends | r->receives << 1);
    put_u32(out + 193, r->sent);
    put_u32(out + 197, r->received);
    put_u32(out + 201, r->previous);
}

enum status ratchet_read(struct view bytes, struct ratchet *out)
{
    struct reader r = reader_of(bytes);
    read_bytes(&r, out->root, 32);
    read_bytes(&r, out->own_sk, 32);
    read_bytes(&r, out->own.bytes, 32);
    read_bytes(&r, out->theirs.bytes, 32);
    read_bytes(&r, out->sending.bytes, 32);
    read_bytes(&r, out->receiving.bytes, 32);
    uint8_t chains = read_u8(&r);
    out->sends = chains & 1;
    out->receives = chains >> 1 & 1;
    out->sent = read_u32(&r);
    out->received = read_u32(&r);
    out->previous = read_u32(&r);
    if (reader_done(&r) == STATUS_OK && chains < 4) return STATUS_OK;
    sodium_memzero(out, sizeof *out);
    return STATUS_DAMAGED;
}
