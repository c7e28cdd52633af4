/* The model against itself: contents, beginnings, and conversations under loss, another order and repetition. */
#include "tests/model/model.h"

#include <criterion/criterion.h>
#include <string.h>

/* ---- content ---- */

Test(model_content, padme_lengths_are_those_of_its_paper)
{
    /* By hand: 9 has E 3 and S 2, so one bit is cleared; 1025 has E 10 and S 4, six bits. */
    static const uint64_t pairs[][2] = {{9, 10},      {10, 10},     {11, 12},       {512, 512},      {513, 544},
                                        {1000, 1024}, {1025, 1088}, {65537, 67584}, {262237, 270336}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        cr_assert_eq(model_padme(pairs[i][0]), pairs[i][1], "%zu", (size_t)pairs[i][0]);
    for (uint64_t n = 2; n < 100000; n++) {
        uint64_t padded = model_padme(n);
        cr_assert(padded >= n && model_padme(padded) == padded);
        if (n >= 512) cr_assert_lt(100 * (padded - n), 7 * n, "less than 7 %% above the floor");
    }
}

static struct model_bytes content(const char *payload, uint8_t franking)
{
    struct model_content c = {.key_version = 1, .made_ms = 2, .counter = 3, .payload = (const uint8_t *)payload,
                              .payload_len = (uint32_t)strlen(payload)};
    struct model_bytes out = {0};
    memset(c.franking, franking, 32);
    model_content_write(&c, &out);
    return out;
}

Test(model_content, reads_what_it_wrote_and_nothing_else)
{
    struct model_bytes b = content("payload", 5);
    struct model_content c;
    size_t written = b.len, len;
    model_pad(&b);
    cr_assert_eq(b.len, 512);
    cr_assert_eq(model_content_read(b.at, b.len, &c, &len), MODEL_GOOD);
    cr_assert(len == written && c.payload_len == 7 && memcmp(c.payload, "payload", 7) == 0);
    cr_assert(c.key_version == 1 && c.made_ms == 2 && c.counter == 3 && c.franking[31] == 5);
    cr_assert_eq(model_content_read(b.at, 511, &c, &len), MODEL_FORM);
    cr_assert_eq(model_content_read(b.at, 60, &c, &len), MODEL_FORM);
    cr_assert_eq(model_content_read(b.at, 0, &c, &len), MODEL_FORM);
    b.at[511] = 1;
    cr_assert_eq(model_content_read(b.at, 512, &c, &len), MODEL_FORM);
    b.at[511] = 0;
    b.at[89] = 0xff;
    cr_assert_eq(model_content_read(b.at, 512, &c, &len), MODEL_FORM);
    b.at[89] = 0;
    cr_assert_eq(model_content_read(b.at, 512, &c, &len), MODEL_GOOD);
    b.at[88] ^= 3; /* the counter */
    cr_assert_eq(model_content_read(b.at, 512, &c, &len), MODEL_FORM);
    b.at[88] ^= 3;
    b.at[0] = 0;
    cr_assert_eq(model_content_read(b.at, 512, &c, &len), MODEL_FORM);
    b.at[0] = 2;
    cr_assert_eq(model_content_read(b.at, 512, &c, &len), MODEL_VERSION);
    model_bytes_free(&b);
}

/* ---- two devices ---- */

struct party {
    struct model_device device;
    uint8_t identity_sk[32];
    struct model_session session;
};
static struct party a, b;
static uint8_t signed_sk[32], other_sk[32], fresh[32];

static void secret(uint8_t sk[32], uint8_t from)
{
    for (size_t i = 0; i < 32; i++)
        sk[i] = (uint8_t)(from + i * i);
}

static void party(struct party *p, uint8_t from)
{
    memset(p, 0, sizeof *p);
    memset(p->device.account, from, 32);
    memset(p->device.device, from + 1, 16);
    secret(p->identity_sk, from);
    model_public(p->identity_sk, p->device.identity);
}

/* Sessions of a, and of b as the responder, with this kind of X. */
static void begin(uint8_t kind)
{
    struct model_prekeys p = {.signed_id = 1, .kind = kind, .other_id = kind ? 2 : 0};
    uint8_t e_sk[32], a_sk[32];
    party(&a, 1);
    party(&b, 101);
    secret(signed_sk, 11), secret(other_sk, 12), secret(e_sk, 13), secret(a_sk, 14);
    model_public(signed_sk, p.signed_key);
    model_public(other_sk, p.other_key);
    cr_assert(model_initiate(&a.session, &a.device, a.identity_sk, &b.device, &p, e_sk, a_sk));
    cr_assert_eq(model_respond(&b.session, &a.session.start, &a.device, &b.device, b.identity_sk, signed_sk,
                               kind ? other_sk : NULL),
                 MODEL_GOOD);
}

static void begin_with_one_time(void)
{
    begin(1);
}

TestSuite(model_session, .init = begin_with_one_time);

struct sent {
    struct model_context context;
    struct model_bytes content, ciphertext;
};

static struct sent seal(struct party *from, struct party *to)
{
    static uint8_t nonces;
    uint8_t nonce[24] = {nonces++};
    struct sent s = {.context.from = from->device, .context.to = to->device, .content = content("hello", nonces)};
    s.context.id[0] = nonces;
    model_commitment(s.content.at, s.content.len, s.context.commitment);
    model_pad(&s.content);
    model_seal(&from->session, &s.context, &s.content, nonce, &s.ciphertext);
    return s;
}

static void free_sent(struct sent *s)
{
    model_bytes_free(&s->content);
    model_bytes_free(&s->ciphertext);
}

static enum model_cause open_as(struct party *by, const struct sent *s)
{
    static struct model_ratchet before;
    struct model_bytes out = {0};
    fresh[1]++; /* never the same one again */
    fresh[2] = (uint8_t)(fresh[2] + !fresh[1]);
    model_ratchet_copy(&before, &by->session.ratchet);
    enum model_cause cause =
        model_open(&by->session, &s->context, s->ciphertext.at, s->ciphertext.len, fresh, &out);
    if (cause == MODEL_GOOD)
        cr_assert(out.len == 512 && memcmp(out.at, s->content.at, s->content.len) == 0);
    else
        cr_assert(out.len == 0 && model_ratchet_equal(&before, &by->session.ratchet), "nothing has changed");
    model_bytes_free(&out);
    return cause;
}

static void send(struct party *from, struct party *to)
{
    struct sent s = seal(from, to);
    cr_assert_eq(open_as(to, &s), MODEL_GOOD);
    free_sent(&s);
}

Test(model_session, begins_with_each_kind_of_prekey)
{
    for (uint8_t kind = 0; kind <= 2; kind++) {
        begin(kind);
        send(&a, &b);
        send(&b, &a);
    }
}

Test(model_session, of_another_kind_of_prekey_opens_nothing)
{
    struct sent s = seal(&a, &b);
    struct model_start start = a.session.start;
    start.kind = 2;
    cr_assert_eq(model_respond(&b.session, &start, &a.device, &b.device, b.identity_sk, signed_sk, other_sk), MODEL_GOOD);
    cr_assert_eq(open_as(&b, &s), MODEL_AUTHENTICATION);
    cr_assert_eq(model_respond(&b.session, &start, &a.device, &b.device, b.identity_sk, signed_sk, NULL), MODEL_PREKEY);
    start.identity[0] ^= 1;
    cr_assert_eq(model_respond(&b.session, &start, &a.device, &b.device, b.identity_sk, signed_sk, other_sk), MODEL_SENDER);
    free_sent(&s);
}

Test(model_session, has_the_start_until_it_is_answered)
{
    struct sent s = seal(&a, &b);
    cr_assert_eq(s.ciphertext.at[1], 1);
    cr_assert_eq(s.ciphertext.len, MODEL_HEADER_LEN + MODEL_START_LEN + 24 + 512 + 16);
    cr_assert_eq(open_as(&b, &s), MODEL_GOOD);
    free_sent(&s);
    send(&b, &a);
    s = seal(&a, &b);
    cr_assert_eq(s.ciphertext.at[1], 0);
    cr_assert_eq(s.ciphertext.len, MODEL_HEADER_LEN + 24 + 512 + 16);
    cr_assert_eq(open_as(&b, &s), MODEL_GOOD);
    free_sent(&s);
}

Test(model_session, every_changed_byte_is_refused_and_changes_nothing)
{
    struct sent s = seal(&a, &b);
    for (size_t i = 0; i < s.ciphertext.len; i++) {
        s.ciphertext.at[i] ^= 4;
        cr_assert_neq(open_as(&b, &s), MODEL_GOOD, "byte %zu", i);
        s.ciphertext.at[i] ^= 4;
    }
    for (size_t i = 0; i < sizeof s.context; i++) {
        uint8_t *byte = (uint8_t *)&s.context + i;
        bool identity = byte >= s.context.from.identity && byte < s.context.from.identity + 32;
        identity |= byte >= s.context.to.identity && byte < s.context.to.identity + 32;
        if (identity) continue; /* in the binding, not here */
        *byte ^= 4;
        cr_assert_eq(open_as(&b, &s), MODEL_AUTHENTICATION, "byte %zu of the context", i);
        *byte ^= 4;
    }
    size_t len = s.ciphertext.len;
    for (s.ciphertext.len = 0; s.ciphertext.len < len; s.ciphertext.len++)
        cr_assert_neq(open_as(&b, &s), MODEL_GOOD, "%zu bytes", s.ciphertext.len);
    cr_assert_eq(open_as(&b, &s), MODEL_GOOD);
    free_sent(&s);
}

Test(model_session, a_message_that_is_not_what_it_is_committed_to_is_refused)
{
    struct sent s = {.context.from = a.device, .context.to = b.device, .content = content("hello", 1)};
    uint8_t nonce[24] = {0};
    model_pad(&s.content);
    model_seal(&a.session, &s.context, &s.content, nonce, &s.ciphertext);
    cr_assert_eq(open_as(&b, &s), MODEL_COMMITMENT);
    free_sent(&s);
    send(&a, &b);
}

/* Both write, and what is under way comes in another order, twice, or never. */
Test(model_session, survives_loss_another_order_and_repetition)
{
    struct sent under_way[2][8];
    size_t count[2] = {0}, opened = 0;
    uint32_t dice = 1;
    send(&a, &b);
    for (size_t i = 0; i < 3000; i++) {
        dice = dice * 1664525u + 1013904223u;
        size_t side = dice >> 31, action = (dice >> 28) & 7, at = (dice >> 20) & 7;
        struct party *own = side ? &b : &a, *peer = side ? &a : &b;
        if (action < 4 && count[side] < 8) {
            under_way[side][count[side]++] = seal(own, peer);
        } else if (at < count[side]) {
            struct sent s = under_way[side][at];
            under_way[side][at] = under_way[side][--count[side]];
            if (action < 7) { /* 7: it never comes */
                cr_assert_eq(open_as(peer, &s), MODEL_GOOD);
                opened++;
            }
            if (action == 6) cr_assert_neq(open_as(peer, &s), MODEL_GOOD, "the second time");
            free_sent(&s);
        }
    }
    cr_assert_gt(opened, 800u);
    for (size_t side = 0; side < 2; side++)
        while (count[side])
            free_sent(&under_way[side][--count[side]]);
}

Test(model_session, opens_what_is_a_thousand_ahead_and_nothing_beyond)
{
    struct sent s;
    for (size_t i = 0; i < MODEL_FAR; i++) {
        s = seal(&a, &b);
        if (i < MODEL_FAR - 1) free_sent(&s);
    }
    struct sent thousandth = seal(&a, &b), beyond = seal(&a, &b);
    cr_assert_eq(open_as(&b, &beyond), MODEL_FAR_AHEAD);
    cr_assert_eq(open_as(&b, &thousandth), MODEL_GOOD);
    cr_assert_eq(b.session.ratchet.kept_count, MODEL_FAR);
    cr_assert_eq(open_as(&b, &beyond), MODEL_GOOD);
    cr_assert_eq(open_as(&b, &s), MODEL_GOOD, "kept");
    free_sent(&s), free_sent(&thousandth), free_sent(&beyond);
}

Test(model_session, keeps_two_thousand_keys_and_drops_the_oldest)
{
    struct sent first = seal(&a, &b), second = seal(&a, &b);
    for (size_t round = 0; round < 2; round++) {
        for (size_t i = 0; i < MODEL_FAR - (round ? 0 : 2); i++) {
            struct sent s = seal(&a, &b);
            free_sent(&s);
        }
        send(&a, &b);
    }
    cr_assert_eq(b.session.ratchet.kept_count, MODEL_KEPT);
    struct sent lost = seal(&a, &b);
    send(&a, &b);
    cr_assert_eq(b.session.ratchet.kept_count, MODEL_KEPT);
    cr_assert_eq(open_as(&b, &first), MODEL_REPLAY, "dropped");
    cr_assert_eq(open_as(&b, &second), MODEL_GOOD);
    cr_assert_eq(open_as(&b, &lost), MODEL_GOOD);
    free_sent(&first), free_sent(&second), free_sent(&lost);
}
