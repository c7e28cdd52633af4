/* session: a session as a value. Invariant: *s changes only in the last lines of what succeeds. */
#include "clients/seal/session.h"

#include <sodium.h>
#include <string.h>

static void public_of(struct x3dh_public *p, const struct x3dh_side *initiator, const struct x3dh_side *responder,
                      const struct prekey_pk *ephemeral, const struct session_bundle *bundle)
{
    *p = (struct x3dh_public){.initiator = *initiator, .responder = *responder, .ephemeral = *ephemeral,
                              .prekey_id = bundle->prekey_id, .prekey = bundle->prekey,
                              .extra_kind = bundle->extra_kind};
    if (bundle->extra_kind == EXTRA_NONE) return;
    p->extra_id = bundle->extra_id;
    p->extra = bundle->extra;
}

bool session_begin(struct session *s, const struct x3dh_side *own, const uint8_t identity_sk[32],
                   const struct x3dh_side *theirs, const struct session_bundle *bundle,
                   const struct random_source *random)
{
    struct x3dh_public p;
    struct session_secret secret;
    struct prekey_pk ephemeral;
    uint8_t ephemeral_sk[32];
    sodium_memzero(s, sizeof *s);
    random->fill(random->self, ephemeral_sk, sizeof ephemeral_sk);
    ENSURE(crypto_scalarmult_base(ephemeral.bytes, ephemeral_sk) == 0);
    public_of(&p, own, theirs, &ephemeral, bundle);
    bool good = x3dh_initiate(&p, identity_sk, ephemeral_sk, &secret) &&
                ratchet_initiate(&s->ratchet, &secret, &bundle->prekey, random);
    if (good) {
        s->own = *own;
        s->theirs = *theirs;
        s->initiator = true;
        s->start = (struct sealed_start){.ephemeral = ephemeral, .initiator = own->identity,
                                         .prekey_id = p.prekey_id, .extra_kind = p.extra_kind, .extra_id = p.extra_id};
    }
    sodium_memzero(ephemeral_sk, sizeof ephemeral_sk);
    sodium_memzero(&secret, sizeof secret);
    return good;
}

enum report_cause session_accept(struct session *s, const struct x3dh_side *own, const uint8_t identity_sk[32],
                                 const struct x3dh_side *theirs, const struct sealed_start *start,
                                 const struct session_bundle *bundle, const uint8_t prekey_sk[32],
                                 const uint8_t extra_sk[32])
{
    struct x3dh_public p;
    struct session_secret secret;
    ENSURE(bundle->prekey_id == start->prekey_id && bundle->extra_kind == start->extra_kind);
    sodium_memzero(s, sizeof *s);
    if (memcmp(&start->initiator, &theirs->identity, sizeof start->initiator) != 0) return CAUSE_SENDER;
    public_of(&p, theirs, own, &start->ephemeral, bundle);
    if (!x3dh_respond(&p, identity_sk, prekey_sk, extra_sk, &secret)) return CAUSE_AUTHENTICATION;
    ratchet_respond(&s->ratchet, &secret, prekey_sk, &bundle->prekey);
    sodium_memzero(&secret, sizeof secret);
    s->own = *own;
    s->theirs = *theirs;
    s->start = *start;
    return CAUSE_NONE;
}

enum status session_seal(struct session *s, const struct sealed_context *context, struct view padded,
                         const struct random_source *random, struct buffer *out)
{
    struct sealed_header header = {.starts = s->initiator && !s->answered};
    struct message_sk key;
    enum status status = ratchet_send(&s->ratchet, &header.place, &key);
    if (status != STATUS_OK) return status;
    if (header.starts) header.start = s->start;
    sealed_write(out, &header, context, &key, random, padded);
    sodium_memzero(&key, sizeof key);
    return STATUS_OK;
}

enum report_cause session_open(struct session *s, const struct sealed_header *header,
                               const struct sealed_context *context, struct view ciphertext,
                               const struct message_sk *kept, const struct random_source *random,
                               struct skipped_list *fresh, struct buffer *padded)
{
    struct ratchet next = s->ratchet;
    struct message_sk key = {{0}};
    enum report_cause cause = CAUSE_NONE;
    fresh->count = 0;
    if (kept)
        key = *kept;
    else
        cause = ratchet_receive(&next, &header->place, random, &key, fresh);
    if (cause == CAUSE_NONE) cause = sealed_open(ciphertext, context, &key, padded);
    if (cause == CAUSE_NONE) {
        s->ratchet = next;
        s->answered = true;
    } else {
        sodium_memzero(fresh->at, fresh->count * sizeof fresh->at[0]);
        fresh->count = 0;
    }
    sodium_memzero(&next, sizeof next);
    sodium_memzero(&key, sizeof key);
    return cause;
}

/* ---- as bytes ---- */

static uint8_t *put(uint8_t *at, const void *bytes, size_t len)
{
    memcpy(at, bytes, len);
    return at + len;
}

static void read_side(struct reader *r, struct x3dh_side *out)
{
    read_bytes(r, out->account.bytes, sizeof out->account.bytes);
    read_bytes(r, out->device.bytes, sizeof out->device.bytes);
    read_bytes(r, out->identity.bytes, sizeof out->identity.bytes);
}

void session_write(const struct session *s, uint8_t out[SESSION_LEN])
{
    uint8_t *at = out + RATCHET_LEN;
    ratchet_write(&s->ratchet, out);
    at = x3dh_side_write(&s->own, at);
    at = x3dh_side_write(&s->theirs, at);
    *at++ = (uint8_t)(s->initiator | s->answered << 1);
    at = put(at, s->start.ephemeral.bytes, sizeof s->start.ephemeral.bytes);
    at = put(at, s->start.initiator.bytes, sizeof s->start.initiator.bytes);
    put_u64(at, s->start.prekey_id);
    at[8] = (uint8_t)s->start.extra_kind;
    put_u64(at + 9, s->start.extra_id);
    ENSURE(at + 17 == out + SESSION_LEN);
}

enum status session_read(struct view bytes, struct session *out)
{
    struct reader r = reader_of(bytes);
    struct view ratchet = read_view(&r, RATCHET_LEN);
    bool bad = r.failed || ratchet_read(ratchet, &out->ratchet) != STATUS_OK;
    read_side(&r, &out->own);
    read_side(&r, &out->theirs);
    uint8_t flags = read_u8(&r);
    out->initiator = flags & 1;
    out->answered = flags >> 1 & 1;
    read_bytes(&r, out->start.ephemeral.bytes, sizeof out->start.ephemeral.bytes);
    read_bytes(&r, out->start.initiator.bytes, sizeof out->start.initiator.bytes);
    out->start.prekey_id = read_u64(&r);
    uint8_t kind = read_u8(&r);
    out->start.extra_kind = (enum extra_kind)kind;
    out->start.extra_id = read_u64(&r);
    if (!bad && reader_done(&r) == STATUS_OK && flags < 4 && kind <= EXTRA_LAST_RESORT) return STATUS_OK;
    sodium_memzero(out, sizeof *out);
    return STATUS_DAMAGED;
}
