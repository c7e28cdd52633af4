/* The frozen vectors of sealing against clients/seal (and the relay's stamp): what it makes of the given inputs has these
 * bytes, and it reads them (PROTOCOL 10.1 to 10.6). The vectors come from another implementation (tests/model). */
#include "tests/unit/wire_vectors.h"

#include "broker/wire/stamp.h"
#include "clients/seal/copy.h"
#include "clients/seal/content.h"
#include "clients/seal/hkdf.h"
#include "clients/seal/session.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define KEPT_MAX 8u

TestSuite(sealing_vectors, .init = vectors_load, .fini = vectors_unload);

static const char *of(const char *what, unsigned number, const char *field)
{
    static char names[4][64];
    static unsigned next;
    char *name = names[next++ % 4];
    if (number)
        snprintf(name, sizeof names[0], "%s.%u%s%s", what, number, *field ? "." : "", field);
    else
        snprintf(name, sizeof names[0], "%s.%s", what, field);
    return name;
}

Test(sealing_vectors, hkdf)
{
    for (unsigned n = 1; n <= 3; n++) {
        struct view ikm = hex(of("hkdf", n, "material")), salt = hex(of("hkdf", n, "salt")), info = hex(of("hkdf", n, "info"));
        struct view expected = hex(of("hkdf", n, "out"));
        uint8_t out[96];
        cr_assert(expected.len > 0 && expected.len <= sizeof out);
        hkdf(salt.len ? salt.at : out, salt.len, ikm.at, ikm.len, info.len ? (const char *)info.at : "", info.len, out, expected.len);
        is(view_of(out, expected.len), of("hkdf", n, "out"));
    }
}

Test(sealing_vectors, padding)
{
    for (unsigned n = 1; n <= 14; n++)
        cr_assert_eq(content_padded_len(number(of("padding", n, "content"))), number(of("padding", n, "padded")), "%u", n);
}

Test(sealing_vectors, content_and_commitment)
{
    const char *payload = text("content.payload");
    struct content c = {.key_version = number("content.key_version"), .made_ms = number("content.made_ms"),
                        .counter = number("content.counter"), .payload = view_of(payload, strlen(payload))};
    struct content read;
    struct buffer padded = {0};
    FIXED("content.franking_key", c.franking);
    FIXED("content.head", c.head);
    content_write(&c, &padded);
    is(buffer_view(&padded), "content.padded");
    struct hash256 commitment = content_commitment(&c);
    IS(commitment, "content.commitment");
    cr_assert_eq(content_read(hex("content.padded"), &read), CAUSE_NONE);
    cr_assert(read.counter == c.counter && read.made_ms == c.made_ms && read.key_version == c.key_version);
    cr_assert(view_equal(read.payload, c.payload));
    buffer_fini(&padded);
}

/* ---- devices ---- */

struct end {
    struct x3dh_side side;
    uint8_t identity_sk[32];
    struct session session;
    struct skipped kept[KEPT_MAX];
    size_t kept_count;
};

static struct end end_of(const char *who)
{
    struct end e = {.kept_count = 0};
    FIXED(of(who, 0, "account"), e.side.account);
    FIXED(of(who, 0, "device"), e.side.device);
    FIXED(of(who, 0, "identity_pk"), e.side.identity);
    FIXED(of(who, 0, "identity_sk"), e.identity_sk);
    return e;
}

/* With this kind of prekey besides the current one; sk gets its secret. */
static struct session_bundle bundle_of(enum extra_kind kind, uint8_t sk[32])
{
    const char *const names[] = {NULL, "bob.one_time", "bob.last_resort"};
    struct session_bundle b = {.prekey_id = number("bob.current.id"), .extra_kind = kind};
    FIXED("bob.current.pk", b.prekey);
    if (kind == EXTRA_NONE) return b;
    b.extra_id = number(of(names[kind], 0, "id"));
    FIXED(of(names[kind], 0, "pk"), b.extra);
    fixed(of(names[kind], 0, "sk"), sk, 32);
    return b;
}

Test(sealing_vectors, the_secret_of_a_session_on_both_sides)
{
    static const char *const names[] = {"x3dh.neither", "x3dh.one_time", "x3dh.last_resort"};
    const struct end alice = end_of("alice"), bob = end_of("bob");
    uint8_t prekey_sk[32], extra_sk[32], e_sk[32];
    FIXED("bob.current.sk", prekey_sk);
    for (enum extra_kind kind = EXTRA_NONE; kind <= EXTRA_LAST_RESORT; kind++) {
        struct session_bundle b = bundle_of(kind, extra_sk);
        struct x3dh_public p = {.initiator = alice.side, .responder = bob.side, .prekey_id = b.prekey_id, .prekey = b.prekey,
                                .extra_kind = kind, .extra_id = b.extra_id, .extra = b.extra};
        struct session_secret made, again;
        FIXED(of(names[kind], 0, "e_sk"), e_sk);
        FIXED(of(names[kind], 0, "e_pk"), p.ephemeral);
        cr_assert(x3dh_initiate(&p, alice.identity_sk, e_sk, &made));
        IS(made, of(names[kind], 0, "secret"));
        cr_assert(x3dh_respond(&p, bob.identity_sk, prekey_sk, extra_sk, &again));
        IS(again, of(names[kind], 0, "secret"));
        p.prekey_id++;
        cr_assert(x3dh_respond(&p, bob.identity_sk, prekey_sk, extra_sk, &again));
        cr_assert(memcmp(&made, &again, sizeof made) != 0, "of another prekey");
    }
}

/* ---- the conversation ---- */

/* Gives what the vectors name, in order, and ends the test where more is asked for. */
struct given {
    struct view at[2];
    size_t next, count;
};

static void give(void *self, void *out, size_t len)
{
    struct given *g = self;
    cr_assert_lt(g->next, g->count, "nothing random is asked for that is not given");
    cr_assert_eq(g->at[g->next].len, len);
    memcpy(out, g->at[g->next++].at, len);
}

static struct sealed_context context_of(unsigned n, const struct end *from, const struct end *to)
{
    struct sealed_context c = {.sender_account = from->side.account, .sender_device = from->side.device,
                               .recipient_account = to->side.account, .recipient_device = to->side.device,
                               .target = target_of_account(to->side.account)};
    FIXED(of("message", n, "id"), c.id);
    FIXED(of("message", n, "commitment"), c.commitment);
    return c;
}

static struct buffer padded_content(unsigned n)
{
    struct view content = hex(of("message", n, "content"));
    struct buffer padded = {0};
    write_view(&padded, content);
    while (padded.len < content_padded_len(content.len))
        write_u8(&padded, 0);
    return padded;
}

static void seals(struct end *from, const struct end *to, unsigned n)
{
    struct given nonce = {{hex(of("message", n, "nonce"))}, 0, 1};
    struct random_source random = {give, &nonce};
    struct sealed_context context = context_of(n, from, to);
    struct buffer padded = padded_content(n), out = {0};
    cr_assert_eq(session_seal(&from->session, &context, buffer_view(&padded), &random, &out), STATUS_OK);
    is(buffer_view(&out), of("message", n, "ciphertext"));
    buffer_fini(&padded);
    buffer_fini(&out);
}

static void accepts(struct end *by, const struct end *from, const struct sealed_start *start)
{
    uint8_t prekey_sk[32], extra_sk[32];
    struct session_bundle bundle = bundle_of(start->extra_kind, extra_sk);
    FIXED("bob.current.sk", prekey_sk);
    cr_assert_eq(start->prekey_id, bundle.prekey_id);
    cr_assert_eq(start->extra_id, bundle.extra_id);
    cr_assert_eq(session_accept(&by->session, &by->side, by->identity_sk, &from->side, start, &bundle, prekey_sk, extra_sk),
                 CAUSE_NONE);
}

static void opens(struct end *by, const struct end *from, unsigned n, struct view ratchet_sk, bool good)
{
    static struct skipped_list fresh;
    struct given given = {{ratchet_sk}, 0, ratchet_sk.len ? 1 : 0};
    struct random_source random = {give, &given};
    struct sealed_context context = context_of(n, from, by);
    struct view ciphertext = hex(of("message", n, "ciphertext")), body;
    struct buffer expected = padded_content(n), padded = {0};
    struct sealed_header header;
    size_t at = 0;
    cr_assert_eq(sealed_header_read(ciphertext, &header, &body), CAUSE_NONE);
    if (header.starts && !by->session.ratchet.receives) accepts(by, from, &header.start);
    while (at < by->kept_count && (by->kept[at].number != header.place.number ||
                                   memcmp(&by->kept[at].key, &header.place.key, sizeof header.place.key) != 0))
        at++;
    const struct message_sk *kept = at < by->kept_count ? &by->kept[at].sk : NULL;
    if (!good) given = (struct given){{hex("bob.identity_sk")}, 0, 1}; /* with whatever key it tries */
    enum report_cause cause =
        session_open(&by->session, &header, &context, ciphertext, kept, &random, &fresh, &padded);
    cr_assert_eq(cause == CAUSE_NONE, good, "message %u: %u", n, (unsigned)cause);
    if (good) {
        cr_assert(view_equal(buffer_view(&padded), buffer_view(&expected)));
        cr_assert_eq(given.next, given.count, "the ratchet turns where the vectors say so");
        if (kept) by->kept[at] = by->kept[--by->kept_count];
        for (size_t i = 0; i < fresh.count; i++)
            by->kept[by->kept_count++] = fresh.at[i];
    }
    buffer_fini(&padded);
    buffer_fini(&expected);
}

static bool has(const char *name)
{
    const char *one;
    struct view value;
    for (size_t i = 0; vector_at(i, &one, &value); i++)
        if (strcmp(one, name) == 0) return true;
    return false;
}

Test(sealing_vectors, the_conversation)
{
    struct end alice = end_of("alice"), bob = end_of("bob");
    uint8_t extra_sk[32];
    struct session_bundle bundle = bundle_of(EXTRA_ONE_TIME, extra_sk);
    struct given keys = {{hex("x3dh.one_time.e_sk"), hex("conversation.a_sk")}, 0, 2};
    struct random_source random = {give, &keys};
    unsigned step = 1, refused = 0;
    cr_assert(session_begin(&alice.session, &alice.side, alice.identity_sk, &bob.side, &bundle, &random));
    for (; has(of("step", step, "")); step++) {
        char who[16], does[16];
        unsigned n;
        bool turns = has(of("step", step, "ratchet_sk"));
        cr_assert_eq(sscanf(text(of("step", step, "")), "%15s %15s %u", who, does, &n), 3);
        struct end *by = strcmp(who, "alice") == 0 ? &alice : &bob, *peer = by == &alice ? &bob : &alice;
        refused += strcmp(does, "refuses") == 0;
        if (strcmp(does, "seals") == 0)
            seals(by, peer, n);
        else
            opens(by, peer, n, turns ? hex(of("step", step, "ratchet_sk")) : view_of(NULL, 0),
                  strcmp(does, "opens") == 0);
    }
    cr_assert(step > 20 && refused == 1);
    cr_assert_eq(alice.kept_count, number("conversation.alice_keeps"));
    cr_assert_eq(bob.kept_count, number("conversation.bob_keeps"));
}

Test(sealing_vectors, the_stamp_of_the_first_message)
{
    struct stamp_key key = {.id = (uint32_t)number("stamp.key_id")};
    struct message_ref ref;
    struct hash256 commitment;
    struct mac256 stamp;
    FIXED("stamp.key", key.bytes);
    FIXED("alice.device", ref.sender);
    FIXED("bob.account", ref.target);
    FIXED("message.1.id", ref.id);
    FIXED("message.1.commitment", commitment);
    stamp_make(&key, &commitment, &ref, number("stamp.accepted_ms"), &stamp);
    IS(stamp, "stamp.stamp");
}

Test(sealing_vectors, copies_and_notes)
{
    const char *payload = text("copy.payload"), *const names[] = {"copy.framed", "note.framed"};
    struct account_id accounts[2], to;
    struct view read;
    FIXED("bob.account", accounts[0]);
    FIXED("alice.account", accounts[1]);
    for (size_t i = 0; i < 2; i++) {
        struct buffer framed = {0};
        copy_write(accounts[i], view_of(payload, strlen(payload)), &framed);
        is(buffer_view(&framed), names[i]);
        cr_assert_eq(copy_read(hex(names[i]), &to, &read), CAUSE_NONE);
        cr_assert(memcmp(&to, &accounts[i], sizeof to) == 0 && view_equal(read, view_of(payload, strlen(payload))));
        buffer_fini(&framed);
    }
    for (unsigned n = 1; n <= 5; n++) {
        bool later = strcmp(text(of("copy_refuse", n, "cause")), "version") == 0;
        cr_assert_eq(copy_read(hex(of("copy_refuse", n, "framed")), &to, &read), later ? CAUSE_VERSION : CAUSE_FORM, "%u", n);
    }
}
