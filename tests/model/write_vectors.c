/* Writes tests/vectors/sealing-1.txt to standard output: the frozen examples of PROTOCOL 10.1 to 10.6, by the model.
 * Run by hand when the vectors change (which, once published, they do not); a test compares. Inputs are made of bytes
 * that count upwards, so that every key is another one and none is by chance. */
#include "tests/model/model.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MADE_MS  1700000000000ull
#define MESSAGES 12

/* ---- lines ---- */

static void print_hex(const uint8_t *at, size_t len)
{
    bool lines = len > 40;
    printf(" hex");
    for (size_t i = 0; i < len; i++)
        printf("%s%02x", i == 0 && !lines ? " " : lines && i % 32 == 0 ? "\n  " : "", at[i]);
    printf("\n");
}

static void put_hex(const char *of, const char *what, const uint8_t *at, size_t len)
{
    printf("%s.%s", of, what);
    print_hex(at, len);
}
#define PUT(of, what, array) put_hex(of, what, array, sizeof(array))

static void put_number(const char *of, const char *what, uint64_t value)
{
    printf("%s.%s number %llu\n", of, what, (unsigned long long)value);
}

static const char *named(const char *format, ...)
{
    static char names[4][64];
    static unsigned next;
    char *name = names[next++ % 4];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof names[0], format, arguments);
    va_end(arguments);
    return name;
}

static void count_up(uint8_t *at, size_t len, unsigned from)
{
    for (size_t i = 0; i < len; i++)
        at[i] = (uint8_t)(from + i);
}

static void preamble(void)
{
    printf("# Test vectors of SealMQ's sealing, version 1 (docs/PROTOCOL.md, section 10). Frozen: an implementation in any\n"
           "# language must produce and read exactly these bytes. Everything follows from the inputs named here: what is\n"
           "# random otherwise (ratchet keys, nonces, franking keys) is given. Made by tests/model, which shares nothing with\n"
           "# the clients; lines are as in protocol-1.txt. _sk is an X25519 secret (RFC 7748; clamped where it is used), _pk\n"
           "# its public key.\n");
}

/* ---- primitives ---- */

static void put_hkdf(unsigned number, struct model_bytes material, struct model_bytes salt, struct model_bytes info,
                     size_t len)
{
    const char *of = named("hkdf.%u", number);
    uint8_t okm[96];
    model_hkdf(salt.at, salt.len, material.at, material.len, info.at, info.len, okm, len);
    put_hex(of, "material", material.at, material.len);
    put_hex(of, "salt", salt.at, salt.len);
    put_hex(of, "info", info.at, info.len);
    put_hex(of, "out", okm, len);
}

static void put_hkdfs(void)
{
    uint8_t b[22], material[80], salt[80], info[80];
    printf("\n# ---- HKDF-SHA-256: RFC 5869, A.1 to A.3 ----\n");
    memset(b, 0x0b, sizeof b);
    count_up(salt, 13, 0);
    count_up(info, 10, 0xf0);
    put_hkdf(1, (struct model_bytes){b, 22, 0}, (struct model_bytes){salt, 13, 0}, (struct model_bytes){info, 10, 0}, 42);
    count_up(material, 80, 0);
    count_up(salt, 80, 0x60);
    count_up(info, 80, 0xb0);
    put_hkdf(2, (struct model_bytes){material, 80, 0}, (struct model_bytes){salt, 80, 0},
             (struct model_bytes){info, 80, 0}, 82);
    put_hkdf(3, (struct model_bytes){b, 22, 0}, (struct model_bytes){0}, (struct model_bytes){0}, 42);
}

static void put_paddings(void)
{
    static const uint64_t lens[] = {93, 511, 512, 513, 544, 545, 1000, 1024, 1025, 4097, 10000, 65536, 100000, 262237};
    printf("\n# ---- padding (10.1): a content of so many bytes, and its padded length ----\n"
           "# The last is the longest payload.\n");
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        const char *of = named("padding.%zu", i + 1);
        put_number(of, "content", lens[i]);
        put_number(of, "padded", model_padme(lens[i] > 512 ? lens[i] : 512));
    }
}

/* ---- devices and their sessions' beginnings ---- */

struct party {
    const char *name;
    struct model_device device;
    uint8_t identity_sk[32];
    struct model_session session;
};
static struct party alice = {.name = "alice"}, bob = {.name = "bob"};
static struct model_prekeys bundle = {.signed_id = 3, .kind = 1, .other_id = 41};
static uint8_t signed_sk[32], one_time_sk[32], last_resort_sk[32];

static void put_party(struct party *p, unsigned from)
{
    count_up(p->device.account, 32, from);
    count_up(p->device.device, 16, from + 0x40);
    count_up(p->identity_sk, 32, from + 0x10);
    model_public(p->identity_sk, p->device.identity);
    PUT(p->name, "account", p->device.account);
    PUT(p->name, "device", p->device.device);
    PUT(p->name, "identity_sk", p->identity_sk);
    PUT(p->name, "identity_pk", p->device.identity);
}

static void put_prekey(const char *kind, uint64_t id, uint8_t sk[32], unsigned from, uint8_t pk[32])
{
    count_up(sk, 32, from);
    model_public(sk, pk);
    put_number(kind, "id", id);
    put_hex(kind, "sk", sk, 32);
    put_hex(kind, "pk", pk, 32);
}

/* Both sides come to the secret, or there are no vectors. */
static void put_x3dh(const char *of, const struct model_prekeys *p, const uint8_t *other_sk, unsigned from)
{
    uint8_t e_sk[32], e_pk[32], binding[MODEL_BINDING_LEN], secret[32], again[32];
    count_up(e_sk, 32, from);
    model_public(e_sk, e_pk);
    model_binding(&alice.device, &bob.device, e_pk, p, binding);
    if (!model_secret_initiator(alice.identity_sk, e_sk, &bob.device, p, binding, secret)) abort();
    if (!model_secret_responder(bob.identity_sk, signed_sk, other_sk, &alice.device, e_pk, binding, again)) abort();
    if (memcmp(secret, again, 32) != 0) abort();
    PUT(of, "e_sk", e_sk);
    PUT(of, "e_pk", e_pk);
    PUT(of, "binding", binding);
    PUT(of, "secret", secret);
}

static void put_beginnings(void)
{
    struct model_prekeys last = {.signed_id = 3, .kind = 2, .other_id = 7}, neither = {.signed_id = 3};
    printf("\n# ---- two devices, and bob's prekeys (6.4) ----\n");
    put_party(&alice, 0x01);
    put_party(&bob, 0x81);
    put_prekey("bob.current", 3, signed_sk, 0xa0, bundle.signed_key);
    put_prekey("bob.one_time", 41, one_time_sk, 0xb0, bundle.other_key);
    put_prekey("bob.last_resort", 7, last_resort_sk, 0xc0, last.other_key);
    memcpy(last.signed_key, bundle.signed_key, 32);
    memcpy(neither.signed_key, bundle.signed_key, 32);
    printf("\n# ---- X3DH (10.3): alice begins with bob; with a one-time prekey, the last resort, neither ----\n");
    put_x3dh("x3dh.one_time", &bundle, one_time_sk, 0x15);
    put_x3dh("x3dh.last_resort", &last, last_resort_sk, 0x16);
    put_x3dh("x3dh.neither", &neither, NULL, 0x17);
}

/* ---- a conversation ---- */

struct message {
    struct model_context context;
    struct model_bytes content, ciphertext;
};
static struct message messages[MESSAGES + 1]; /* from 1 */
static unsigned steps;

static void make_content(struct message *m, unsigned n, uint64_t counter)
{
    static const char *const payloads[] = {"Salve.", "", "The second one has no payload; this one is longer than the others."};
    struct model_content c = {.key_version = 2, .made_ms = MADE_MS + n, .counter = counter};
    uint8_t large[600];
    count_up(c.franking, 32, 0x20 + 7 * n);
    count_up(c.head, 32, 0xe0);
    c.payload = (const uint8_t *)payloads[n % 3 == 0 ? 2 : n % 3 - 1];
    c.payload_len = (uint32_t)strlen((const char *)c.payload);
    if (n == 7) { /* one that is longer than the floor */
        count_up(large, sizeof large, 0);
        c.payload = large;
        c.payload_len = sizeof large;
    }
    model_content_write(&c, &m->content);
    model_commitment(m->content.at, m->content.len, m->context.commitment);
}

static void seals(struct party *by, struct party *to, unsigned n)
{
    static uint64_t counters[2];
    static const uint8_t id[8] = {0x01, 0x8b, 0xcf, 0xe5, 0x68, 0x00, 0x70, 0x00};
    struct message *m = &messages[n];
    struct model_ratchet before;
    uint8_t nonce[24], message_key[32], key[32];
    uint32_t number;
    size_t header_len = MODEL_HEADER_LEN + (by->session.begins ? MODEL_START_LEN : 0);
    struct model_bytes associated = {0}, padded = {0};
    const char *of = named("message.%u", n);
    memcpy(m->context.id, id, 8);
    count_up(m->context.id + 8, 8, 0x80 + n);
    memcpy(m->context.target, to->device.account, 32);
    m->context.from = by->device;
    m->context.to = to->device;
    make_content(m, n, ++counters[by == &bob]);
    count_up(nonce, 24, 0x50 + n);
    model_ratchet_copy(&before, &by->session.ratchet);
    model_ratchet_send(&before, &number, message_key);
    model_message_key(message_key, key);
    model_add(&padded, m->content.at, m->content.len);
    model_pad(&padded);
    model_seal(&by->session, &m->context, &padded, nonce, &m->ciphertext);
    model_associated(&m->context, m->ciphertext.at, header_len, &associated);
    printf("step.%u text %s seals %u\n", ++steps, by->name, n);
    PUT(of, "id", m->context.id);
    put_hex(of, "content", m->content.at, m->content.len);
    PUT(of, "commitment", m->context.commitment);
    PUT(of, "nonce", nonce);
    put_hex(of, "header", m->ciphertext.at, header_len);
    PUT(of, "message_key", message_key);
    PUT(of, "key", key);
    put_hex(of, "associated", associated.at, associated.len);
    put_hex(of, "ciphertext", m->ciphertext.at, m->ciphertext.len);
    model_bytes_free(&associated);
    model_bytes_free(&padded);
}

/* Opens, or refuses; a ratchet key is given where the message asks for one. */
static void opens(struct party *by, unsigned n, enum model_cause expected)
{
    struct message *m = &messages[n];
    struct model_bytes padded = {0};
    uint8_t fresh_sk[32], fresh_pk[32];
    count_up(fresh_sk, 32, 0x40 + 5 * ++steps);
    model_public(fresh_sk, fresh_pk);
    if (model_open(&by->session, &m->context, m->ciphertext.at, m->ciphertext.len, fresh_sk, &padded) != expected) abort();
    if (expected == MODEL_GOOD && memcmp(padded.at, m->content.at, m->content.len) != 0) abort();
    printf("step.%u text %s %s %u\n", steps, by->name, expected == MODEL_GOOD ? "opens" : "refuses", n);
    if (memcmp(by->session.ratchet.own, fresh_pk, 32) == 0) {
        PUT(named("step.%u", steps), "ratchet_sk", fresh_sk);
        PUT(named("step.%u", steps), "ratchet_pk", fresh_pk);
    }
    model_bytes_free(&padded);
}

static void put_session(void)
{
    uint8_t e_sk[32], a_sk[32];
    count_up(e_sk, 32, 0x15);
    count_up(a_sk, 32, 0xd0);
    printf("\n# ---- a conversation (10.4, 10.5) ----\n"
           "# Alice begins with E of x3dh.one_time and the ratchet key A given here; bob's session is made from the start of\n"
           "# the message that he opens first. The steps come in this order, the rest of a step's lines beneath it. To open is\n"
           "# to get the content; to refuse is for a message whose key is used. Where a step has a ratchet_sk it is the ratchet\n"
           "# key that opening made. Target is the recipient's account. message_key is the ratchet's, key the one of the box.\n"
           "# 5, 8 and 11 never come.\n");
    PUT("conversation", "a_sk", a_sk);
    if (!model_initiate(&alice.session, &alice.device, alice.identity_sk, &bob.device, &bundle, e_sk, a_sk)) abort();
    if (model_respond(&bob.session, &alice.session.start, &alice.device, &bob.device, bob.identity_sk, signed_sk,
                      one_time_sk) != MODEL_GOOD)
        abort();
}

static void put_conversation(void)
{
    put_session();
    seals(&alice, &bob, 1);
    seals(&alice, &bob, 2);
    seals(&alice, &bob, 3);
    opens(&bob, 2, MODEL_GOOD);
    seals(&bob, &alice, 4);
    opens(&alice, 4, MODEL_GOOD);
    seals(&alice, &bob, 5);
    seals(&alice, &bob, 6);
    seals(&bob, &alice, 7);
    opens(&bob, 6, MODEL_GOOD);
    opens(&bob, 1, MODEL_GOOD);
    seals(&bob, &alice, 8);
    seals(&bob, &alice, 9);
    opens(&alice, 9, MODEL_GOOD);
    seals(&alice, &bob, 10);
    opens(&bob, 10, MODEL_GOOD);
    opens(&bob, 3, MODEL_GOOD);
    opens(&bob, 3, MODEL_AUTHENTICATION);
    opens(&alice, 7, MODEL_GOOD);
    seals(&bob, &alice, 11);
    seals(&bob, &alice, 12);
    opens(&alice, 12, MODEL_GOOD);
    put_number("conversation", "alice_keeps", alice.session.ratchet.kept_count);
    put_number("conversation", "bob_keeps", bob.session.ratchet.kept_count);
}

static void put_content(void)
{
    struct message m = {0};
    printf("\n# ---- content (10.1) and its commitment (10.2), in parts ----\n");
    make_content(&m, 1, 1);
    PUT("content", "version", ((uint8_t[]){1}));
    put_hex("content", "franking_key", m.content.at + 1, 32);
    put_number("content", "key_version", 2);
    put_hex("content", "head", m.content.at + 41, 32);
    put_number("content", "made_ms", MADE_MS + 1);
    put_number("content", "counter", 1);
    printf("content.payload text Salve.\n");
    put_hex("content", "content", m.content.at, m.content.len);
    PUT("content", "commitment", m.context.commitment);
    model_pad(&m.content);
    put_hex("content", "padded", m.content.at, m.content.len);
    model_bytes_free(&m.content);
}

static void put_stamp(void)
{
    struct model_stamped s = {.key_id = 9, .accepted_ms = MADE_MS + 5000};
    uint8_t key[32], stamp[32];
    printf("\n# ---- the relay's stamp (10.6), of message.1 ----\n");
    count_up(key, 32, 0x33);
    memcpy(s.commitment, messages[1].context.commitment, 32);
    memcpy(s.sender_device, alice.device.device, 16);
    memcpy(s.target, bob.device.account, 32);
    memcpy(s.id, messages[1].context.id, 16);
    model_stamp(key, &s, stamp);
    PUT("stamp", "key", key);
    put_number("stamp", "key_id", s.key_id);
    put_number("stamp", "accepted_ms", s.accepted_ms);
    PUT("stamp", "stamp", stamp);
}

static void put_refused(unsigned n, const uint8_t *at, size_t len, const char *cause)
{
    char of[32];
    snprintf(of, sizeof of, "copy_refuse.%u", n);
    put_hex(of, "framed", at, len);
    printf("%s.cause text %s\n", of, cause);
}

static void put_copies(void)
{
    struct model_bytes b = {0};
    printf("\n# ---- copies (10.9): what alice's devices have as payload between them: of a message to bob, and of a note ----\n");
    model_add_u(&b, 1, 1);
    model_add(&b, bob.device.account, 32);
    model_add(&b, "the words", 9);
    printf("copy.payload text the words\n");
    put_hex("copy", "framed", b.at, b.len);
    memcpy(b.at + 1, alice.device.account, 32);
    put_hex("note", "framed", b.at, b.len);
    put_refused(1, b.at, 32, "form");
    b.at[0] = 2;
    put_refused(2, b.at, b.len, "version");
    put_refused(3, b.at, 1, "version");
    b.at[0] = 0;
    put_refused(4, b.at, b.len, "form");
    b.at[0] = 1;
    memset(b.at + 1, 0, 32);
    put_refused(5, b.at, b.len, "form");
    model_bytes_free(&b);
}

int main(void)
{
    preamble();
    put_hkdfs();
    put_paddings();
    put_content();
    put_beginnings();
    put_conversation();
    put_stamp();
    put_copies();
    for (size_t n = 0; n <= MESSAGES; n++) {
        model_bytes_free(&messages[n].content);
        model_bytes_free(&messages[n].ciphertext);
    }
    return 0;
}
