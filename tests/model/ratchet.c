/* PROTOCOL 10.4: the Double Ratchet without header encryption, in the order of its specification (section 3). */
#include "tests/model/model.h"

#include <string.h>

void model_ratchet_copy(struct model_ratchet *to, const struct model_ratchet *from)
{
    memcpy(to, from, offsetof(struct model_ratchet, kept));
    memcpy(to->kept, from->kept, from->kept_count * sizeof from->kept[0]);
}

bool model_ratchet_equal(const struct model_ratchet *a, const struct model_ratchet *b)
{
    return memcmp(a->root, b->root, 32) == 0 && memcmp(a->own_secret, b->own_secret, 32) == 0 &&
           memcmp(a->own, b->own, 32) == 0 && memcmp(a->peer, b->peer, 32) == 0 &&
           a->has_receiving == b->has_receiving && a->has_sending == b->has_sending &&
           memcmp(a->receiving, b->receiving, 32) == 0 && memcmp(a->sending, b->sending, 32) == 0 &&
           a->receive_number == b->receive_number && a->send_number == b->send_number &&
           a->previous == b->previous && a->kept_count == b->kept_count &&
           memcmp(a->kept, b->kept, a->kept_count * sizeof a->kept[0]) == 0;
}

static bool step(uint8_t root[32], const uint8_t secret[32], const uint8_t public[32], uint8_t chain[32])
{
    static const char label[] = "sealmq ratchet 1";
    uint8_t d[32], out[64];
    if (!model_dh(secret, public, d)) return false;
    model_hkdf(root, 32, d, 32, (const uint8_t *)label, sizeof label, out, 64);
    memcpy(root, out, 32);
    memcpy(chain, out + 32, 32);
    return true;
}

static void chain_next(uint8_t chain[32], uint8_t message_key[32])
{
    static const uint8_t one = 1, two = 2;
    uint8_t next[32];
    model_hmac(chain, 32, &one, 1, message_key);
    model_hmac(chain, 32, &two, 1, next);
    memcpy(chain, next, 32);
}

bool model_ratchet_initiate(struct model_ratchet *r, const uint8_t secret[32], const uint8_t a_secret[32],
                            const uint8_t s[32])
{
    memset(r, 0, sizeof *r);
    memcpy(r->root, secret, 32);
    memcpy(r->own_secret, a_secret, 32);
    model_public(a_secret, r->own);
    r->has_sending = true;
    return step(r->root, a_secret, s, r->sending);
}

void model_ratchet_respond(struct model_ratchet *r, const uint8_t secret[32], const uint8_t s_secret[32])
{
    memset(r, 0, sizeof *r);
    memcpy(r->root, secret, 32);
    memcpy(r->own_secret, s_secret, 32);
    model_public(s_secret, r->own);
}

void model_ratchet_send(struct model_ratchet *r, uint32_t *number, uint8_t message_key[32])
{
    *number = r->send_number++;
    chain_next(r->sending, message_key);
}

/* Whether one of the kept keys is it; then it is gone. */
static bool take_kept(struct model_ratchet *r, const uint8_t ratchet[32], uint32_t number, uint8_t message_key[32])
{
    for (size_t i = 0; i < r->kept_count; i++) {
        struct model_kept *k = &r->kept[i];
        if (k->number != number || memcmp(k->ratchet, ratchet, 32) != 0) continue;
        memcpy(message_key, k->key, 32);
        r->kept_count--;
        memmove(k, k + 1, (r->kept_count - i) * sizeof *k);
        return true;
    }
    return false;
}

static void keep(struct model_ratchet *r, const uint8_t message_key[32])
{
    if (r->kept_count == MODEL_KEPT) {
        r->kept_count--;
        memmove(&r->kept[0], &r->kept[1], r->kept_count * sizeof r->kept[0]);
    }
    struct model_kept *k = &r->kept[r->kept_count++];
    memcpy(k->ratchet, r->peer, 32);
    k->number = r->receive_number;
    memcpy(k->key, message_key, 32);
}

/* Keeps the keys of the receiving chain up to this number, as far as the message's allowance goes.
 * Reading: the 1000 are for one message, so those of the old chain and of the new one together. */
static bool keep_until(struct model_ratchet *r, uint32_t number, uint32_t *allowance)
{
    uint8_t message_key[32];
    if (!r->has_receiving || number <= r->receive_number) return true;
    if (number - r->receive_number > *allowance) return false;
    *allowance -= number - r->receive_number;
    for (; r->receive_number < number; r->receive_number++) {
        chain_next(r->receiving, message_key);
        keep(r, message_key);
    }
    return true;
}

static bool turn(struct model_ratchet *r, const uint8_t ratchet[32], const uint8_t fresh_secret[32])
{
    r->previous = r->send_number;
    r->send_number = r->receive_number = 0;
    memcpy(r->peer, ratchet, 32);
    if (!step(r->root, r->own_secret, ratchet, r->receiving)) return false;
    r->has_receiving = true;
    memcpy(r->own_secret, fresh_secret, 32);
    model_public(fresh_secret, r->own);
    r->has_sending = true;
    return step(r->root, fresh_secret, ratchet, r->sending);
}

/* Reading: a place in the receiving chain that was passed, and for which no key is kept, is MODEL_REPLAY, whether its key
 * was used or dropped for its age (of an older chain nobody knows any more: its message looks like one under a new
 * ratchet key, and does not open). A ratchet key that gives a DH result of all zeros is MODEL_AUTHENTICATION,
 * unless the message is too far ahead, which is counted before anything is computed. A
 * `previous` below what has been received already says nothing. */
enum model_cause model_ratchet_receive(struct model_ratchet *r, const uint8_t ratchet[32], uint32_t previous,
                                       uint32_t number, const uint8_t fresh_secret[32], uint8_t message_key[32])
{
    uint32_t allowance = MODEL_FAR;
    if (take_kept(r, ratchet, number, message_key)) return MODEL_GOOD;
    if (!r->has_receiving || memcmp(ratchet, r->peer, 32) != 0) {
        if (!keep_until(r, previous, &allowance) || number > allowance) return MODEL_FAR_AHEAD;
        if (!turn(r, ratchet, fresh_secret)) return MODEL_AUTHENTICATION;
    }
    if (number < r->receive_number) return MODEL_REPLAY;
    if (!keep_until(r, number, &allowance)) return MODEL_FAR_AHEAD;
    chain_next(r->receiving, message_key);
    r->receive_number++;
    return MODEL_GOOD;
}
