#include "tests/unit/seal_fixture.h"

#include <stdlib.h>

static void fill(void *self, void *out, size_t len)
{
    struct pair *p = self;
    uint8_t seed[randombytes_SEEDBYTES] = {0};
    memcpy(seed, &p->drawn, sizeof p->drawn);
    p->drawn++;
    randombytes_buf_deterministic(out, len, seed);
}

static void party_make(struct pair *p, struct party *x, enum extra_kind extra)
{
    fill(p, x->side.account.bytes, sizeof x->side.account.bytes);
    fill(p, x->side.device.bytes, sizeof x->side.device.bytes);
    fill(p, x->identity_sk, 32);
    fill(p, x->prekey_sk, 32);
    fill(p, x->extra_sk, 32);
    crypto_scalarmult_base(x->side.identity.bytes, x->identity_sk);
    crypto_scalarmult_base(x->bundle.prekey.bytes, x->prekey_sk);
    x->bundle.prekey_id = 7;
    x->bundle.extra_kind = extra;
    if (extra == EXTRA_NONE) return;
    x->bundle.extra_id = 11;
    crypto_scalarmult_base(x->bundle.extra.bytes, x->extra_sk);
}

struct pair *pair_new(enum extra_kind extra)
{
    cr_assert(sodium_init() >= 0);
    struct pair *p = calloc(1, sizeof *p);
    p->random = (struct random_source){fill, p};
    party_make(p, &p->alice, extra);
    party_make(p, &p->bob, extra);
    p->a = sodium_malloc(sizeof *p->a);
    p->b = sodium_malloc(sizeof *p->b);
    p->fresh = sodium_malloc(sizeof *p->fresh);
    sodium_memzero(p->a, sizeof *p->a);
    sodium_memzero(p->b, sizeof *p->b);
    fill(p, &p->context.id, sizeof p->context.id);
    fill(p, &p->context.target, sizeof p->context.target);
    p->context.sender_account = p->alice.side.account;
    p->context.sender_device = p->alice.side.device;
    p->context.recipient_account = p->bob.side.account;
    p->context.recipient_device = p->bob.side.device;
    return p;
}

void pair_free(struct pair *p)
{
    sodium_free(p->a);
    sodium_free(p->b);
    sodium_free(p->fresh);
    buffer_fini(&p->padded);
    free(p);
}

void pair_begin(struct pair *p)
{
    cr_assert(session_begin(p->a, &p->alice.side, p->alice.identity_sk, &p->bob.side, &p->bob.bundle, &p->random));
}

struct buffer pair_seal(struct pair *p, struct session *s, const char *text)
{
    struct content c = {.key_version = 1, .made_ms = 5, .counter = 1, .payload = view_of(text, strlen(text))};
    struct buffer padded = {0}, out = {0};
    content_write(&c, &padded);
    cr_assert_eq(session_seal(s, &p->context, buffer_view(&padded), &p->random, &out), STATUS_OK);
    buffer_fini(&padded);
    return out;
}

static void keep(struct pair *p)
{
    for (size_t i = 0; i < p->fresh->count; i++)
        p->kept[p->kept_count++] = p->fresh->at[i];
}

enum report_cause pair_open(struct pair *p, struct session *s, struct view ciphertext)
{
    struct sealed_header h;
    struct view body;
    const struct message_sk *kept = NULL;
    size_t at = 0;
    buffer_clear(&p->padded);
    p->fresh->count = 0;
    enum report_cause cause = sealed_header_read(ciphertext, &h, &body);
    if (cause != CAUSE_NONE) return cause;
    for (size_t i = 0; i < p->kept_count; i++)
        if (p->kept[i].number == h.place.number && memcmp(&p->kept[i].key, &h.place.key, sizeof h.place.key) == 0) {
            at = i;
            kept = &p->kept[i].sk;
        }
    cause = session_open(s, &h, &p->context, ciphertext, kept, &p->random, p->fresh, &p->padded);
    if (cause == CAUSE_NONE && kept) p->kept[at] = p->kept[--p->kept_count];
    keep(p);
    return cause;
}

enum report_cause pair_accept(struct pair *p, struct view ciphertext)
{
    struct sealed_header h;
    struct view body;
    cr_assert_eq(sealed_header_read(ciphertext, &h, &body), CAUSE_NONE);
    cr_assert(h.starts);
    enum report_cause cause = session_accept(p->b, &p->bob.side, p->bob.identity_sk, &p->alice.side, &h.start,
                                             &p->bob.bundle, p->bob.prekey_sk, p->bob.extra_sk);
    return cause == CAUSE_NONE ? pair_open(p, p->b, ciphertext) : cause;
}

bool pair_text(const struct pair *p, const char *text)
{
    struct content c;
    return content_read(buffer_view(&p->padded), &c) == CAUSE_NONE && view_equal(c.payload, view_of(text, strlen(text)));
}
