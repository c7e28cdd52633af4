/* PROTOCOL 10.3: the secret with which a session begins, as either side comes to it. */
#include "tests/model/model.h"

#include <string.h>

void model_binding(const struct model_device *initiator, const struct model_device *responder, const uint8_t e[32],
                   const struct model_prekeys *p, uint8_t out[MODEL_BINDING_LEN])
{
    static const uint8_t none[32];
    struct model_bytes b = {0};
    model_add(&b, initiator->account, 32);
    model_add(&b, initiator->device, 16);
    model_add(&b, initiator->identity, 32);
    model_add(&b, responder->account, 32);
    model_add(&b, responder->device, 16);
    model_add(&b, responder->identity, 32);
    model_add(&b, e, 32);
    model_add_u(&b, p->signed_id, 8);
    model_add(&b, p->signed_key, 32);
    model_add_u(&b, p->kind, 1);
    model_add_u(&b, p->kind ? p->other_id : 0, 8);
    model_add(&b, p->kind ? p->other_key : none, 32);
    memcpy(out, b.at, MODEL_BINDING_LEN);
    model_bytes_free(&b);
}

/* The four DH results, or three. */
static void derive(const uint8_t (*results)[32], size_t count, const uint8_t binding[MODEL_BINDING_LEN],
                   uint8_t out[32])
{
    static const uint8_t salt[32];
    uint8_t ones[32];
    struct model_bytes material = {0}, info = {0};
    memset(ones, 0xff, sizeof ones);
    model_add(&material, ones, 32);
    for (size_t i = 0; i < count; i++)
        model_add(&material, results[i], 32);
    model_add_label(&info, "sealmq x3dh 1");
    model_add(&info, binding, MODEL_BINDING_LEN);
    model_hkdf(salt, 32, material.at, material.len, info.at, info.len, out, 32);
    model_bytes_free(&material);
    model_bytes_free(&info);
}

bool model_secret_initiator(const uint8_t identity_secret[32], const uint8_t e_secret[32],
                            const struct model_device *responder, const struct model_prekeys *p,
                            const uint8_t binding[MODEL_BINDING_LEN], uint8_t out[32])
{
    uint8_t dh[4][32];
    if (!model_dh(identity_secret, p->signed_key, dh[0]) || !model_dh(e_secret, responder->identity, dh[1]) ||
        !model_dh(e_secret, p->signed_key, dh[2]) || (p->kind && !model_dh(e_secret, p->other_key, dh[3])))
        return false;
    derive((const uint8_t (*)[32])dh, p->kind ? 4 : 3, binding, out);
    return true;
}

bool model_secret_responder(const uint8_t identity_secret[32], const uint8_t signed_secret[32],
                            const uint8_t *other_secret, const struct model_device *initiator, const uint8_t e[32],
                            const uint8_t binding[MODEL_BINDING_LEN], uint8_t out[32])
{
    uint8_t dh[4][32];
    if (!model_dh(signed_secret, initiator->identity, dh[0]) || !model_dh(identity_secret, e, dh[1]) ||
        !model_dh(signed_secret, e, dh[2]) || (other_secret && !model_dh(other_secret, e, dh[3])))
        return false;
    derive((const uint8_t (*)[32])dh, other_secret ? 4 : 3, binding, out);
    return true;
}
