/* x3dh: PROTOCOL 10.3, in its order. */
#include "clients/seal/x3dh.h"

#include "clients/seal/hkdf.h"
#include "clients/seal/verdict.h"

#include <sodium.h>
#include <string.h>

static const char label[] = "sealmq x3dh 1";

#define BINDING_LEN (2u * X3DH_SIDE_LEN + 32 + 8 + 32 + 1 + 8 + 32)
#define INFO_LEN    (sizeof label + BINDING_LEN)

/* The shared secrets, behind 32 bytes of 0xff. */
struct material {
    uint8_t bytes[5 * 32];
    size_t len;
    bool bad;
};

static struct material material_begin(void)
{
    struct material m = {.len = 32};
    memset(m.bytes, 0xff, 32);
    return m;
}

static void exchange(struct material *m, const uint8_t sk[32], const uint8_t pk[32])
{
    if (!verdict(crypto_scalarmult(m->bytes + m->len, sk, pk) == 0)) m->bad = true;
    m->len += 32;
}

static uint8_t *put(uint8_t *at, const void *bytes, size_t len)
{
    memcpy(at, bytes, len);
    return at + len;
}

uint8_t *x3dh_side_write(const struct x3dh_side *side, uint8_t *at)
{
    at = put(at, side->account.bytes, sizeof side->account.bytes);
    at = put(at, side->device.bytes, sizeof side->device.bytes);
    return put(at, side->identity.bytes, sizeof side->identity.bytes);
}

static void info_write(const struct x3dh_public *p, uint8_t out[INFO_LEN])
{
    uint8_t number[8], kind = (uint8_t)p->extra_kind;
    uint8_t *at = put(out, label, sizeof label);
    at = x3dh_side_write(&p->initiator, at);
    at = x3dh_side_write(&p->responder, at);
    at = put(at, p->ephemeral.bytes, sizeof p->ephemeral.bytes);
    put_u64(number, p->prekey_id);
    at = put(at, number, sizeof number);
    at = put(at, p->prekey.bytes, sizeof p->prekey.bytes);
    at = put(at, &kind, 1);
    put_u64(number, p->extra_id);
    at = put(at, number, sizeof number);
    at = put(at, p->extra.bytes, sizeof p->extra.bytes);
    ENSURE(at == out + INFO_LEN);
}

/* Wipes the material. */
static bool material_end(struct material *m, const struct x3dh_public *p, struct session_secret *out)
{
    static const uint8_t salt[32];
    uint8_t info[INFO_LEN];
    bool good = !m->bad;
    memset(out, 0, sizeof *out);
    info_write(p, info);
    if (good) hkdf(salt, sizeof salt, m->bytes, m->len, (const char *)info, sizeof info, out->bytes, sizeof out->bytes);
    sodium_memzero(m, sizeof *m);
    return good;
}

bool x3dh_initiate(const struct x3dh_public *p, const uint8_t identity_sk[32], const uint8_t ephemeral_sk[32],
                   struct session_secret *out)
{
    struct material m = material_begin();
    exchange(&m, identity_sk, p->prekey.bytes);
    exchange(&m, ephemeral_sk, p->responder.identity.bytes);
    exchange(&m, ephemeral_sk, p->prekey.bytes);
    if (p->extra_kind != EXTRA_NONE) exchange(&m, ephemeral_sk, p->extra.bytes);
    return material_end(&m, p, out);
}

bool x3dh_respond(const struct x3dh_public *p, const uint8_t identity_sk[32], const uint8_t prekey_sk[32],
                  const uint8_t extra_sk[32], struct session_secret *out)
{
    struct material m = material_begin();
    exchange(&m, prekey_sk, p->initiator.identity.bytes);
    exchange(&m, identity_sk, p->ephemeral.bytes);
    exchange(&m, prekey_sk, p->ephemeral.bytes);
    if (p->extra_kind != EXTRA_NONE) exchange(&m, extra_sk, p->ephemeral.bytes);
    return material_end(&m, p, out);
}
