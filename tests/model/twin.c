/* One end of a session, twice: see twin.h. Secrets of tests are no secrets: nothing is wiped here. */
#include "tests/model/twin.h"

#include "clients/seal/copy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct place now;

_Noreturn void differ(const char *what, uint64_t model, uint64_t real)
{
    printf("duel: FAILED at step %u: %s: the model says %llu, the clients' code %llu\n"
           "duel: again with: duel --schedules 1 --seed %llu\n",
           now.step, what, (unsigned long long)model, (unsigned long long)real, (unsigned long long)now.seed);
    exit(1);
}

static void same_bytes(const char *what, const void *model, const void *real, size_t len)
{
    const uint8_t *a = model, *b = real;
    for (size_t i = 0; i < len; i++) {
        if (a[i] == b[i]) continue;
        printf("duel: byte %zu of %zu\n", i, len);
        differ(what, a[i], b[i]);
    }
}

uint64_t dice_next(struct dice *d)
{
    uint64_t z = d->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

void dice_fill(void *dice, void *out, size_t len)
{
    uint8_t *at = out;
    for (size_t i = 0; i < len; i++)
        at[i] = (uint8_t)dice_next(dice);
}

/* ---- the same value in the types of both ---- */

void device_make(struct device *d, struct dice *dice)
{
    memset(d, 0, sizeof *d);
    dice_fill(dice, d->model.account, 32);
    dice_fill(dice, d->model.device, 16);
    dice_fill(dice, d->identity_sk, 32);
    dice_fill(dice, d->prekey_sk, 32);
    dice_fill(dice, d->extra_sk, 32);
    model_public(d->identity_sk, d->model.identity);
    d->prekeys.signed_id = 1 + dice_below(dice, 1000);
    d->prekeys.other_id = 1 + dice_below(dice, 1000);
    model_public(d->prekey_sk, d->prekeys.signed_key);
    model_public(d->extra_sk, d->prekeys.other_key);
    memcpy(d->real.account.bytes, d->model.account, 32);
    memcpy(d->real.device.bytes, d->model.device, 16);
    memcpy(d->real.identity.bytes, d->model.identity, 32);
}

static struct session_bundle bundle_of(const struct model_prekeys *p)
{
    struct session_bundle b = {.prekey_id = p->signed_id, .extra_kind = (enum extra_kind)p->kind};
    memcpy(b.prekey.bytes, p->signed_key, 32);
    if (p->kind) {
        b.extra_id = p->other_id;
        memcpy(b.extra.bytes, p->other_key, 32);
    }
    return b;
}

static struct sealed_context context_of(const struct model_context *c)
{
    struct sealed_context r;
    memcpy(r.id.bytes, c->id, 16);
    memcpy(r.target.bytes, c->target, 32);
    memcpy(r.sender_account.bytes, c->from.account, 32);
    memcpy(r.sender_device.bytes, c->from.device, 16);
    memcpy(r.recipient_account.bytes, c->to.account, 32);
    memcpy(r.recipient_device.bytes, c->to.device, 16);
    memcpy(r.commitment.bytes, c->commitment, 32);
    return r;
}

/* ---- states ---- */

void twin_copy(struct twin *to, const struct twin *from)
{
    to->exists = from->exists;
    to->model.begins = from->model.begins;
    to->model.start = from->model.start;
    model_ratchet_copy(&to->model.ratchet, &from->model.ratchet);
    to->real = from->real;
    to->kept_count = from->kept_count;
    memcpy(to->kept, from->kept, from->kept_count * sizeof from->kept[0]);
}

void twin_compare(const struct twin *t)
{
    const struct model_ratchet *m = &t->model.ratchet;
    const struct ratchet *r = &t->real.ratchet;
    same("has a sending chain", m->has_sending, r->sends);
    same("has a receiving chain", m->has_receiving, r->receives);
    same("messages sent", m->send_number, r->sent);
    same("messages received", m->receive_number, r->received);
    same("previous", m->previous, r->previous);
    same("begins", t->model.begins, t->real.initiator && !t->real.answered);
    same_bytes("root", m->root, r->root, 32);
    same_bytes("own ratchet key", m->own, r->own.bytes, 32);
    if (m->has_sending) same_bytes("sending chain", m->sending, r->sending.bytes, 32);
    if (m->has_receiving) same_bytes("receiving chain", m->receiving, r->receiving.bytes, 32);
    if (m->has_receiving) same_bytes("their ratchet key", m->peer, r->theirs.bytes, 32);
    same("kept keys", m->kept_count, t->kept_count);
    for (size_t i = 0; i < m->kept_count; i++) {
        same("number of a kept key", m->kept[i].number, t->kept[i].number);
        same_bytes("ratchet key of a kept key", m->kept[i].ratchet, t->kept[i].key.bytes, 32);
        same_bytes("kept key", m->kept[i].key, t->kept[i].sk.bytes, 32);
    }
}

void twin_reload(struct twin *t)
{
    uint8_t bytes[SESSION_LEN], again[SESSION_LEN];
    session_write(&t->real, bytes);
    same("reading the state", STATUS_OK, session_read(view_of(bytes, sizeof bytes), &t->real));
    session_write(&t->real, again);
    same_bytes("the state", bytes, again, sizeof bytes);
}

/* ---- content ---- */

void content_twice(const struct model_content *c, struct model_bytes *padded, uint8_t commitment[32])
{
    struct content real = {.key_version = c->key_version, .made_ms = c->made_ms, .counter = c->counter,
                           .payload = view_of(c->payload, c->payload_len)};
    struct buffer out = {0};
    memcpy(real.franking.bytes, c->franking, 32);
    memcpy(real.head.bytes, c->head, 32);
    model_content_write(c, padded);
    model_commitment(padded->at, padded->len, commitment);
    model_pad(padded);
    content_write(&real, &out);
    struct hash256 committed = content_commitment(&real);
    same("padded length", padded->len, out.len);
    same_bytes("content", padded->at, out.at, out.len);
    same_bytes("commitment", commitment, committed.bytes, 32);
    buffer_fini(&out);
}

/* ---- sealing ---- */

void twin_begin(struct twin *t, const struct device *from, const struct device *to, uint8_t kind, struct dice seed)
{
    struct model_prekeys prekeys = to->prekeys;
    uint8_t e_sk[32], a_sk[32];
    struct dice copy = seed;
    dice_fill(&copy, e_sk, 32);
    dice_fill(&copy, a_sk, 32);
    prekeys.kind = kind;
    struct session_bundle bundle = bundle_of(&prekeys);
    struct random_source random = {dice_fill, &seed};
    same("begins", model_initiate(&t->model, &from->model, from->identity_sk, &to->model, &prekeys, e_sk, a_sk),
         session_begin(&t->real, &from->real, from->identity_sk, &to->real, &bundle, &random));
    t->exists = true;
    t->kept_count = 0;
    same_bytes("E", t->model.start.e, t->real.start.ephemeral.bytes, 32);
    twin_compare(t);
}

bool twin_can_send(const struct twin *t)
{
    return t->exists && t->model.ratchet.has_sending;
}

void twin_seal(struct twin *t, const struct model_context *c, const struct model_bytes *padded, struct dice seed,
               struct model_bytes *out)
{
    uint8_t nonce[24];
    struct dice copy = seed;
    struct random_source random = {dice_fill, &seed};
    struct sealed_context context = context_of(c);
    struct buffer real = {0};
    dice_fill(&copy, nonce, 24);
    model_seal(&t->model, c, padded, nonce, out);
    same("seals", STATUS_OK, session_seal(&t->real, &context, view_of(padded->at, padded->len), &random, &real));
    same("length of a ciphertext", out->len, real.len);
    same_bytes("ciphertext", out->at, real.at, real.len);
    twin_compare(t);
    buffer_fini(&real);
}

void twin_pass(struct twin *t, size_t count)
{
    while (count--) {
        uint8_t key[32];
        uint32_t number;
        struct ratchet_place place;
        struct message_sk sk;
        model_ratchet_send(&t->model.ratchet, &number, key);
        same("sends", STATUS_OK, ratchet_send(&t->real.ratchet, &place, &sk));
        same("number", number, place.number);
        same_bytes("message key", key, sk.bytes, 32);
    }
}

/* ---- opening ---- */

static void keep(struct twin *t, const struct skipped_list *fresh)
{
    for (size_t i = 0; i < fresh->count; i++) {
        if (t->kept_count == SKIPPED_PER_SESSION_MAX)
            memmove(&t->kept[0], &t->kept[1], --t->kept_count * sizeof t->kept[0]);
        t->kept[t->kept_count++] = fresh->at[i];
    }
}

static size_t kept_at(const struct twin *t, const struct ratchet_place *place)
{
    size_t i = 0;
    while (i < t->kept_count && (t->kept[i].number != place->number ||
                                 memcmp(t->kept[i].key.bytes, place->key.bytes, 32) != 0))
        i++;
    return i;
}

/* What a caller of clients/seal does with a message for this session: all or nothing. */
static enum report_cause real_open(struct twin *t, const struct sealed_header *header, const struct model_context *c,
                                   struct view ciphertext, struct dice seed, struct buffer *padded)
{
    static struct skipped_list fresh;
    struct random_source random = {dice_fill, &seed};
    struct sealed_context context = context_of(c);
    struct session before = t->real;
    struct content content;
    size_t at = kept_at(t, &header->place);
    const struct message_sk *kept = at < t->kept_count ? &t->kept[at].sk : NULL;
    enum report_cause cause = session_open(&t->real, header, &context, ciphertext, kept, &random, &fresh, padded);
    if (cause != CAUSE_NONE) {
        uint8_t was[SESSION_LEN], is[SESSION_LEN];
        session_write(&before, was);
        session_write(&t->real, is);
        same_bytes("a refused message changes nothing", was, is, sizeof was);
        same("what a refused message gives", 0u, padded->len);
        return cause;
    }
    cause = content_read(buffer_view(padded), &content);
    if (cause == CAUSE_NONE) {
        struct hash256 commitment = content_commitment(&content);
        cause = memcmp(commitment.bytes, c->commitment, 32) == 0 ? copy_check(&context, &content) : CAUSE_COMMITMENT;
    }
    if (cause != CAUSE_NONE) {
        t->real = before;
        return cause;
    }
    if (kept) memmove(&t->kept[at], &t->kept[at + 1], (--t->kept_count - at) * sizeof t->kept[0]);
    keep(t, &fresh);
    return CAUSE_NONE;
}

static enum report_cause real_accept(struct session *s, const struct device *own, const struct device *peer,
                                     const struct sealed_start *start)
{
    struct model_prekeys named = own->prekeys;
    named.signed_id = start->prekey_id;
    named.kind = (uint8_t)start->extra_kind;
    named.other_id = start->extra_id;
    struct session_bundle bundle = bundle_of(&named);
    return session_accept(s, &own->real, own->identity_sk, &peer->real, start, &bundle, own->prekey_sk,
                          named.kind ? own->extra_sk : NULL);
}

/* The prekeys of both are looked up here, by nobody: whatever ids a start names, the secrets are the device's. So a
 * changed id is found by the binding. */
static enum report_cause real_take(struct twin *t, const struct device *own, const struct device *peer,
                                   const struct model_context *c, struct view ciphertext, struct dice seed,
                                   struct buffer *padded)
{
    struct sealed_header header;
    struct view body;
    enum report_cause cause = sealed_header_read(ciphertext, &header, &body);
    if (cause != CAUSE_NONE) return cause;
    bool begins = header.starts && (!t->exists || memcmp(header.start.ephemeral.bytes,
                                                         t->real.start.ephemeral.bytes, 32) != 0);
    if (!begins) return t->exists ? real_open(t, &header, c, ciphertext, seed, padded) : CAUSE_SESSION;
    static struct twin begun;
    begun.exists = true;
    begun.kept_count = 0;
    cause = real_accept(&begun.real, own, peer, &header.start);
    if (cause == CAUSE_NONE) cause = real_open(&begun, &header, c, ciphertext, seed, padded);
    if (cause != CAUSE_NONE) return cause;
    t->real = begun.real;
    t->kept_count = begun.kept_count;
    memcpy(t->kept, begun.kept, begun.kept_count * sizeof begun.kept[0]);
    return CAUSE_NONE;
}

static enum model_cause model_take(struct twin *t, const struct device *own, const struct device *peer,
                                   const struct model_context *c, const struct model_bytes *ciphertext,
                                   struct dice seed, struct model_bytes *padded)
{
    static struct model_session begun;
    struct model_header header;
    size_t header_len;
    uint8_t fresh_sk[32];
    dice_fill(&seed, fresh_sk, 32);
    enum model_cause cause = model_header_read(ciphertext->at, ciphertext->len, &header, &header_len);
    if (cause != MODEL_GOOD) return cause;
    bool begins = header.begins && (!t->exists || memcmp(header.start.e, t->model.start.e, 32) != 0);
    if (!begins)
        return t->exists ? model_open(&t->model, c, ciphertext->at, ciphertext->len, fresh_sk, padded)
                         : MODEL_SESSION;
    cause = model_respond(&begun, &header.start, &peer->model, &own->model, own->identity_sk, own->prekey_sk,
                          header.start.kind ? own->extra_sk : NULL);
    if (cause == MODEL_GOOD) cause = model_open(&begun, c, ciphertext->at, ciphertext->len, fresh_sk, padded);
    if (cause == MODEL_GOOD) {
        t->model.begins = begun.begins;
        t->model.start = begun.start;
        model_ratchet_copy(&t->model.ratchet, &begun.ratchet);
    }
    return cause;
}

/* Where PROTOCOL 10 leaves open which of two causes it is. Refused it is in any case. */
static bool either_will_do(enum model_cause model, enum report_cause real, const struct model_bytes *ciphertext)
{
    if (model != MODEL_FORM || real == CAUSE_NONE || ciphertext->len < 2) return false;
    uint8_t flags = ciphertext->at[1];
    if (flags > 1) return real == CAUSE_VERSION; /* flags that nobody has given a meaning: a later version's, or none */
    size_t header_len = MODEL_HEADER_LEN + (flags ? MODEL_START_LEN : 0);
    /* Too short for a nonce and a tag, and something else is wrong with its place: which is looked at first? */
    return ciphertext->len >= header_len && ciphertext->len < header_len + MODEL_NONCE_LEN + MODEL_TAG_LEN;
}

enum model_cause twin_open(struct twin *t, const struct device *own, const struct device *peer,
                           const struct model_context *c, const struct model_bytes *ciphertext, struct dice seed,
                           struct model_bytes *padded)
{
    struct buffer real = {0};
    enum model_cause cause = model_take(t, own, peer, c, ciphertext, seed, padded);
    enum report_cause found = real_take(t, own, peer, c, view_of(ciphertext->at, ciphertext->len), seed, &real);
    if (!either_will_do(cause, found, ciphertext)) same("cause", cause, found);
    if (cause == MODEL_GOOD) {
        t->exists = true;
        same("length of a plaintext", padded->len, real.len);
        same_bytes("plaintext", padded->at, real.at, real.len);
    }
    if (t->exists) twin_compare(t);
    buffer_fini(&real);
    return cause;
}
