/* PROTOCOL 10.5: the bytes of a sealed message, and sealing and opening one in a session. */
#include "tests/model/model.h"

#include <stdlib.h>
#include <string.h>

void model_header_write(const struct model_header *h, struct model_bytes *out)
{
    model_add_u(out, 2, 1);
    model_add_u(out, h->begins, 1);
    model_add(out, h->ratchet, 32);
    model_add_u(out, h->previous, 4);
    model_add_u(out, h->number, 4);
    if (!h->begins) return;
    model_add(out, h->start.e, 32);
    model_add(out, h->start.identity, 32);
    model_add_u(out, h->start.signed_id, 8);
    model_add_u(out, h->start.kind, 1);
    model_add_u(out, h->start.other_id, 8);
}

/* Reading: a kind of X that is none of the three, an id where there is no X and none where there is one do not follow
 * the format. An id of S of 0 does; there is only no such prekey. */
enum model_cause model_header_read(const uint8_t *at, size_t len, struct model_header *out, size_t *header_len)
{
    struct model_header h = {0};
    if (len < MODEL_HEADER_LEN || at[0] != 2 || at[1] > 1) return MODEL_FORM;
    h.begins = at[1] == 1;
    *header_len = MODEL_HEADER_LEN + (h.begins ? MODEL_START_LEN : 0);
    if (len < *header_len) return MODEL_FORM;
    memcpy(h.ratchet, at + 2, 32);
    h.previous = (uint32_t)model_u(at + 34, 4);
    h.number = (uint32_t)model_u(at + 38, 4);
    if (h.begins) {
        memcpy(h.start.e, at + 42, 32);
        memcpy(h.start.identity, at + 74, 32);
        h.start.signed_id = model_u(at + 106, 8);
        h.start.kind = at[114];
        h.start.other_id = model_u(at + 115, 8);
        if (h.start.kind > 2 || (h.start.kind == 0) != (h.start.other_id == 0))
            return MODEL_FORM;
    }
    *out = h;
    return MODEL_GOOD;
}

void model_associated(const struct model_context *c, const uint8_t *header, size_t header_len,
                      struct model_bytes *out)
{
    model_add_label(out, "sealmq sealed 1");
    model_add(out, c->id, 16);
    model_add(out, c->target, 32);
    model_add(out, c->from.account, 32);
    model_add(out, c->from.device, 16);
    model_add(out, c->to.account, 32);
    model_add(out, c->to.device, 16);
    model_add(out, c->commitment, 32);
    model_add(out, header, header_len);
}

void model_message_key(const uint8_t ratchet_message_key[32], uint8_t out[32])
{
    static const uint8_t salt[32];
    static const char label[] = "sealmq message 1";
    model_hkdf(salt, 32, ratchet_message_key, 32, (const uint8_t *)label, sizeof label, out, 32);
}

bool model_initiate(struct model_session *s, const struct model_device *from, const uint8_t identity_secret[32],
                    const struct model_device *to, const struct model_prekeys *p, const uint8_t e_secret[32],
                    const uint8_t a_secret[32])
{
    uint8_t binding[MODEL_BINDING_LEN], secret[32];
    memset(s, 0, sizeof *s);
    s->begins = true;
    model_public(e_secret, s->start.e);
    memcpy(s->start.identity, from->identity, 32);
    s->start.signed_id = p->signed_id;
    s->start.kind = p->kind;
    s->start.other_id = p->kind ? p->other_id : 0;
    model_binding(from, to, s->start.e, p, binding);
    return model_secret_initiator(identity_secret, e_secret, to, p, binding, secret) &&
           model_ratchet_initiate(&s->ratchet, secret, a_secret, p->signed_key);
}

enum model_cause model_respond(struct model_session *s, const struct model_start *start,
                               const struct model_device *from, const struct model_device *to,
                               const uint8_t identity_secret[32], const uint8_t signed_secret[32],
                               const uint8_t *other_secret)
{
    uint8_t binding[MODEL_BINDING_LEN], secret[32];
    struct model_prekeys p = {.signed_id = start->signed_id, .kind = start->kind, .other_id = start->other_id};
    memset(s, 0, sizeof *s);
    s->start = *start;
    if (memcmp(start->identity, from->identity, 32) != 0) return MODEL_SENDER;
    if (!other_secret != !start->kind) return MODEL_PREKEY;
    model_public(signed_secret, p.signed_key);
    if (other_secret) model_public(other_secret, p.other_key);
    model_binding(from, to, start->e, &p, binding);
    if (!model_secret_responder(identity_secret, signed_secret, other_secret, from, start->e, binding, secret))
        return MODEL_AUTHENTICATION;
    model_ratchet_respond(&s->ratchet, secret, signed_secret);
    return MODEL_GOOD;
}

void model_seal(struct model_session *s, const struct model_context *context, const struct model_bytes *padded,
                const uint8_t nonce[24], struct model_bytes *out)
{
    struct model_header h = {.begins = s->begins, .previous = s->ratchet.previous, .start = s->start};
    struct model_bytes associated = {0};
    uint8_t message_key[32], key[32];
    size_t start = out->len;
    memcpy(h.ratchet, s->ratchet.own, 32);
    model_ratchet_send(&s->ratchet, &h.number, message_key);
    model_message_key(message_key, key);
    model_header_write(&h, out);
    model_associated(context, out->at + start, out->len - start, &associated);
    model_add(out, nonce, MODEL_NONCE_LEN);
    model_box(key, nonce, &associated, padded->at, padded->len, out);
    model_bytes_free(&associated);
}

/* What is in the box, under a key of the ratchet r (which moves on). */
static enum model_cause unseal(struct model_ratchet *r, const struct model_context *context, const uint8_t *at,
                               size_t len, const uint8_t fresh_secret[32], struct model_bytes *out)
{
    struct model_header h;
    struct model_content content;
    uint8_t message_key[32], key[32], commitment[32];
    size_t header_len, content_len;
    if (model_header_read(at, len, &h, &header_len) != MODEL_GOOD) return MODEL_FORM;
    if (len < header_len + MODEL_NONCE_LEN + MODEL_TAG_LEN) return MODEL_FORM;
    enum model_cause cause = model_ratchet_receive(r, h.ratchet, h.previous, h.number, fresh_secret, message_key);
    if (cause != MODEL_GOOD) return cause;
    struct model_bytes associated = {0};
    model_message_key(message_key, key);
    model_associated(context, at, header_len, &associated);
    const uint8_t *nonce = at + header_len, *box = nonce + MODEL_NONCE_LEN;
    bool opened = model_unbox(key, nonce, &associated, box, len - header_len - MODEL_NONCE_LEN, out);
    model_bytes_free(&associated);
    if (!opened) return MODEL_AUTHENTICATION;
    cause = model_content_read(out->at, out->len, &content, &content_len);
    if (cause != MODEL_GOOD) return cause;
    model_commitment(out->at, content_len, commitment);
    if (memcmp(commitment, context->commitment, 32) != 0) return MODEL_COMMITMENT;
    return model_payload_check(context, &content);
}

/* Reading: "what does not open changes nothing" is true of everything that is refused, also of a content of a later
 * version (it is held, and opened again later) and of a wrong commitment. */
enum model_cause model_open(struct model_session *s, const struct model_context *context, const uint8_t *ciphertext,
                            size_t len, const uint8_t fresh_secret[32], struct model_bytes *out)
{
    struct model_ratchet *r = malloc(sizeof *r);
    struct model_bytes plain = {0};
    if (!r) abort();
    model_ratchet_copy(r, &s->ratchet);
    enum model_cause cause = unseal(r, context, ciphertext, len, fresh_secret, &plain);
    if (cause == MODEL_GOOD) {
        model_ratchet_copy(&s->ratchet, r);
        s->begins = false;
        model_add(out, plain.at, plain.len);
    }
    model_bytes_free(&plain);
    free(r);
    return cause;
}
