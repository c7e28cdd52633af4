/* sealed: PROTOCOL 10.5. The header is authenticated as the bytes that were read, never as what was understood of
 * them. */
#include "clients/seal/sealed.h"

#include "clients/seal/hkdf.h"
#include "clients/seal/verdict.h"

#include <sodium.h>
#include <string.h>

#define FLAG_STARTS 1u

static const char box_label[] = "sealmq sealed 1";
static const char key_label[] = "sealmq message 1";

#define CONTEXT_LEN (sizeof box_label + 16 + 32 + 2 * (32 + 16) + 32)
#define TAG_LEN     crypto_aead_xchacha20poly1305_ietf_ABYTES

_Static_assert(SEALED_NONCE_LEN == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "the nonce of XChaCha20");
_Static_assert(SEALED_OVERHEAD_MAX == SEALED_HEADER_LEN_MAX + SEALED_NONCE_LEN + TAG_LEN, "what a box adds");

/* ---- header ---- */

static void start_read(struct reader *r, struct sealed_start *out)
{
    read_bytes(r, out->ephemeral.bytes, sizeof out->ephemeral.bytes);
    read_bytes(r, out->initiator.bytes, sizeof out->initiator.bytes);
    out->prekey_id = read_u64(r);
    uint8_t kind = read_u8(r);
    out->extra_id = read_u64(r);
    if (kind > EXTRA_LAST_RESORT || (kind == EXTRA_NONE) != (out->extra_id == 0)) r->failed = true;
    out->extra_kind = (enum extra_kind)kind;
}

enum report_cause sealed_header_read(struct view ciphertext, struct sealed_header *out, struct view *body)
{
    struct reader r = reader_of(ciphertext);
    struct sealed_header h = {.starts = false};
    *out = h;
    *body = view_of(NULL, 0);
    uint8_t mark = read_u8(&r), flags = read_u8(&r);
    read_bytes(&r, h.place.key.bytes, sizeof h.place.key.bytes);
    h.place.previous = read_u32(&r);
    h.place.number = read_u32(&r);
    if (r.failed || mark != SEALED_MARK) return CAUSE_FORM;
    if (flags & ~FLAG_STARTS) return CAUSE_VERSION;
    h.starts = flags & FLAG_STARTS;
    if (h.starts) start_read(&r, &h.start);
    if (r.failed) return CAUSE_FORM;
    size_t len = h.starts ? SEALED_HEADER_LEN_MAX : SEALED_HEADER_LEN;
    *body = view_of(ciphertext.at + len, ciphertext.len - len);
    *out = h;
    return CAUSE_NONE;
}

static void header_write(struct buffer *b, const struct sealed_header *h)
{
    write_u8(b, SEALED_MARK);
    write_u8(b, h->starts ? FLAG_STARTS : 0);
    write_bytes(b, h->place.key.bytes, sizeof h->place.key.bytes);
    write_u32(b, h->place.previous);
    write_u32(b, h->place.number);
    if (!h->starts) return;
    write_bytes(b, h->start.ephemeral.bytes, sizeof h->start.ephemeral.bytes);
    write_bytes(b, h->start.initiator.bytes, sizeof h->start.initiator.bytes);
    write_u64(b, h->start.prekey_id);
    write_u8(b, (uint8_t)h->start.extra_kind);
    write_u64(b, h->start.extra_id);
}

/* ---- box ---- */

struct associated {
    uint8_t bytes[CONTEXT_LEN + SEALED_HEADER_LEN_MAX];
    size_t len;
};

static void add(struct associated *ad, const void *at, size_t len)
{
    memcpy(ad->bytes + ad->len, at, len);
    ad->len += len;
}

static struct associated associated_of(const struct sealed_context *c, struct view header)
{
    struct associated ad = {.len = 0};
    add(&ad, box_label, sizeof box_label);
    add(&ad, c->id.bytes, sizeof c->id.bytes);
    add(&ad, c->target.bytes, sizeof c->target.bytes);
    add(&ad, c->sender_account.bytes, sizeof c->sender_account.bytes);
    add(&ad, c->sender_device.bytes, sizeof c->sender_device.bytes);
    add(&ad, c->recipient_account.bytes, sizeof c->recipient_account.bytes);
    add(&ad, c->recipient_device.bytes, sizeof c->recipient_device.bytes);
    add(&ad, c->commitment.bytes, sizeof c->commitment.bytes);
    ENSURE(ad.len == CONTEXT_LEN && header.len <= SEALED_HEADER_LEN_MAX);
    add(&ad, header.at, header.len);
    return ad;
}

static void box_key(const struct message_sk *key, uint8_t out[32])
{
    static const uint8_t salt[32];
    hkdf(salt, sizeof salt, key->bytes, sizeof key->bytes, key_label, sizeof key_label, out, 32);
}

void sealed_write(struct buffer *out, const struct sealed_header *header, const struct sealed_context *context,
                  const struct message_sk *key, const struct random_source *random, struct view padded)
{
    uint8_t box_sk[32], nonce[SEALED_NONCE_LEN];
    size_t start = out->len;
    buffer_reserve(out, SEALED_OVERHEAD_MAX + padded.len);
    header_write(out, header);
    struct associated ad = associated_of(context, view_of(out->at + start, out->len - start));
    random->fill(random->self, nonce, sizeof nonce);
    write_bytes(out, nonce, sizeof nonce);
    box_key(key, box_sk);
    uint8_t *box = buffer_extend(out, padded.len + TAG_LEN);
    ENSURE(crypto_aead_xchacha20poly1305_ietf_encrypt(box, NULL, padded.at, padded.len, ad.bytes, ad.len, NULL, nonce,
                                                      box_sk) == 0);
    sodium_memzero(box_sk, sizeof box_sk);
}

enum report_cause sealed_open(struct view ciphertext, const struct sealed_context *context,
                              const struct message_sk *key, struct buffer *padded)
{
    struct sealed_header header;
    struct view body;
    uint8_t box_sk[32];
    enum report_cause cause = sealed_header_read(ciphertext, &header, &body);
    if (cause != CAUSE_NONE) return cause;
    if (body.len < SEALED_NONCE_LEN + TAG_LEN) return CAUSE_FORM;
    struct associated ad = associated_of(context, view_of(ciphertext.at, ciphertext.len - body.len));
    size_t len = body.len - SEALED_NONCE_LEN - TAG_LEN;
    uint8_t *out = buffer_extend(padded, len);
    box_key(key, box_sk);
    int result = crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, body.at + SEALED_NONCE_LEN,
                                                            body.len - SEALED_NONCE_LEN, ad.bytes, ad.len, body.at,
                                                            box_sk);
    bool good = verdict(result == 0);
    sodium_memzero(box_sk, sizeof box_sk);
    if (!good) padded->len -= len;
    return good ? CAUSE_NONE : CAUSE_AUTHENTICATION;
}
