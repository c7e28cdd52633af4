/* link: codes and messages of linking (PROTOCOL 6.5). Invariants: a message opens in its own slot of its own box only, and
 * the answers only to the request that they answer; outputs are safe after every failure. */
#include "clients/link.h"

#include "broker/wire/identity_log.h"
#include "clients/seal/hkdf.h"

#include <sodium.h>
#include <string.h>
#include <strings.h>

#define SCHEME  "sealmq:link:"
#define VERSION "1:"
#define GROUP   4u
#define KEY_LEN crypto_aead_xchacha20poly1305_ietf_KEYBYTES
#define TAG_LEN crypto_aead_xchacha20poly1305_ietf_ABYTES

_Static_assert(LINK_CODE_LEN * 5 <= LINK_RANDOM_LEN * 8, "enough random bits");
_Static_assert(LINK_TEXT_LEN == LINK_CODE_LEN + LINK_CODE_LEN / GROUP - 1, "groups and dashes");
_Static_assert(LINK_QR_LEN == sizeof SCHEME VERSION - 1 + LINK_CODE_LEN, "scheme and digits");
_Static_assert(LINK_NONCE_LEN == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "the AEAD's");
_Static_assert(LINK_DATA_MAX + ENTRY_LEN_MAX + 1024 <= LINK_PART_LEN_MAX, "a part has room for the rest");

/* ---- the code ---- */

void link_code_make(const uint8_t random[LINK_RANDOM_LEN], struct link_code *out)
{
    char text[(LINK_RANDOM_LEN * 8 + 4) / 5 + 1];
    base32_encode(random, LINK_RANDOM_LEN, text);
    memcpy(out->digits, text, LINK_CODE_LEN);
    out->digits[LINK_CODE_LEN] = '\0';
    sodium_memzero(text, sizeof text);
}

/* The digit that a person means; 0: none. */
static char digit_of(char c)
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    if (c >= 'a' && c <= 'z') c = (char)(c - 'a' + 'A');
    if (c == 'I' || c == 'L') c = '1';
    if (c == 'O') c = '0';
    return c && strchr(digits, c) ? c : '\0';
}

static bool is_filler(char c)
{
    return c == '-' || c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Behind the scheme of a scanned text. Where there is none the text is as it was. */
static enum status scheme_skip(const char **text)
{
    while (is_filler(**text))
        ++*text;
    if (strncasecmp(*text, SCHEME, sizeof SCHEME - 1) != 0) return STATUS_OK;
    *text += sizeof SCHEME - 1;
    if (strncmp(*text, VERSION, sizeof VERSION - 1) == 0) {
        *text += sizeof VERSION - 1;
        return STATUS_OK;
    }
    size_t digits = strspn(*text, "0123456789");
    return digits && (*text)[digits] == ':' ? STATUS_UNSUPPORTED : STATUS_MALFORMED;
}

enum status link_code_parse(const char *text, struct link_code *out)
{
    struct link_code code = {{0}};
    size_t len = 0;
    memset(out, 0, sizeof *out);
    enum status s = scheme_skip(&text);
    if (s != STATUS_OK) return s;
    for (; *text && s == STATUS_OK; text++) {
        char c = digit_of(*text);
        if (is_filler(*text)) continue;
        if (!c || len == LINK_CODE_LEN)
            s = STATUS_MALFORMED;
        else
            code.digits[len++] = c;
    }
    if (len < LINK_CODE_LEN) s = STATUS_MALFORMED;
    if (s == STATUS_OK) *out = code;
    sodium_memzero(&code, sizeof code);
    return s;
}

void link_code_text(const struct link_code *code, char out[LINK_TEXT_LEN + 1])
{
    size_t at = 0;
    for (size_t i = 0; i < LINK_CODE_LEN; i++) {
        if (i && i % GROUP == 0) out[at++] = '-';
        out[at++] = code->digits[i];
    }
    out[at] = '\0';
}

void link_code_qr(const struct link_code *code, char out[LINK_QR_LEN + 1])
{
    memcpy(out, SCHEME VERSION, sizeof SCHEME VERSION - 1);
    memcpy(out + sizeof SCHEME VERSION - 1, code->digits, LINK_CODE_LEN + 1);
}

/* ---- keys ---- */

static void derive(const uint8_t *ikm, size_t ikm_len, const uint8_t *info, size_t info_len, uint8_t *out, size_t out_len)
{
    static const uint8_t zeros[32];
    hkdf(zeros, sizeof zeros, ikm, ikm_len, (const char *)info, info_len, out, out_len);
}

#define LABEL(text) (const uint8_t *)(text), sizeof(text) /* with its NUL */

struct link_box link_box_of(const struct link_code *code)
{
    struct link_box box;
    derive((const uint8_t *)code->digits, LINK_CODE_LEN, LABEL("sealmq link box 1"), box.bytes, sizeof box.bytes);
    return box;
}

enum status link_agree(const struct link_code *code, const struct link_parties *p, const uint8_t own_sk[32], bool joining,
                       struct view request, struct link_keys *out)
{
    static const char label[] = "sealmq link answer 1";
    const struct link_box box = link_box_of(code);
    const struct hash256 transcript = hash_bytes("sealmq link request 1", request, view_of(NULL, 0), view_of(NULL, 0));
    uint8_t ikm[LINK_CODE_LEN + 32], info[sizeof label + 4 * 32], keys[64];
    memset(out, 0, sizeof *out);
    memcpy(ikm, code->digits, LINK_CODE_LEN);
    memcpy(info, label, sizeof label);
    memcpy(info + sizeof label, box.bytes, 32);
    memcpy(info + sizeof label + 32, p->joining.bytes, 32);
    memcpy(info + sizeof label + 64, p->offering.bytes, 32);
    memcpy(info + sizeof label + 96, transcript.bytes, 32);
    bool good = crypto_scalarmult(ikm + LINK_CODE_LEN, own_sk, joining ? p->offering.bytes : p->joining.bytes) == 0;
    if (good) {
        derive(ikm, sizeof ikm, info, sizeof info, keys, sizeof keys);
        memcpy(out->offer, keys, 32);
        memcpy(out->consent, keys + 32, 32);
    }
    sodium_memzero(ikm, sizeof ikm);
    sodium_memzero(keys, sizeof keys);
    return good ? STATUS_OK : STATUS_BAD_ENTRY;
}

/* ---- sealing ---- */

#define AD_LABEL "sealmq link 1"
#define AD_LEN   (sizeof AD_LABEL + 32 + 4 + 32)

/* Where it stands, and with whose ephemeral key in clear; zeros where none stands there. */
static void ad_write(struct link_box box, uint32_t slot, const struct prekey_pk *in_clear, uint8_t out[AD_LEN])
{
    memset(out, 0, AD_LEN);
    memcpy(out, AD_LABEL, sizeof AD_LABEL);
    memcpy(out + sizeof AD_LABEL, box.bytes, 32);
    put_u32(out + sizeof AD_LABEL + 32, slot);
    if (in_clear) memcpy(out + sizeof AD_LABEL + 36, in_clear->bytes, 32);
}

struct place {
    struct link_box box;
    uint32_t slot;
    const struct prekey_pk *in_clear; /* NULL = none */
};

static void message_seal(const uint8_t key[KEY_LEN], const struct place *at, const struct codec_desc *desc, const void *m,
                         const uint8_t nonce[LINK_NONCE_LEN], struct buffer *out)
{
    struct buffer plain = {0};
    uint8_t ad[AD_LEN];
    codec_encode(desc, m, &plain);
    ad_write(at->box, at->slot, at->in_clear, ad);
    if (at->in_clear) write_view(out, view_of(at->in_clear->bytes, sizeof at->in_clear->bytes));
    write_view(out, view_of(nonce, LINK_NONCE_LEN));
    uint8_t *box = buffer_extend(out, plain.len + TAG_LEN);
    crypto_aead_xchacha20poly1305_ietf_encrypt(box, NULL, plain.at, plain.len, ad, sizeof ad, NULL, nonce, key);
    sodium_memzero(plain.at, plain.len);
    buffer_fini(&plain);
}

static enum status message_open(const uint8_t key[KEY_LEN], const struct place *at, struct view bytes,
                                const struct codec_desc *desc, struct arena *a, void *out)
{
    struct reader r = reader_of(bytes);
    uint8_t ad[AD_LEN];
    memset(out, 0, desc->size);
    if (at->in_clear) (void)read_view(&r, sizeof *at->in_clear);
    struct view nonce = read_view(&r, LINK_NONCE_LEN);
    struct view box = read_view(&r, reader_left(&r));
    if (r.failed || box.len < TAG_LEN) return STATUS_BAD_ENTRY;
    uint8_t *plain = arena_alloc_raw(a, box.len - TAG_LEN + 1);
    ad_write(at->box, at->slot, at->in_clear, ad);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL, box.at, box.len, ad, sizeof ad, nonce.at, key) != 0)
        return STATUS_BAD_ENTRY;
    if (codec_decode(desc, view_of(plain, box.len - TAG_LEN), a, out) == STATUS_OK) return STATUS_OK;
    memset(out, 0, desc->size);
    return STATUS_BAD_ENTRY;
}

/* ---- the messages ---- */

static void request_key(const struct link_code *code, uint8_t out[KEY_LEN])
{
    derive((const uint8_t *)code->digits, LINK_CODE_LEN, LABEL("sealmq link request 1"), out, KEY_LEN);
}

void link_request_seal(const struct link_code *code, const struct msg_link_request *m, const uint8_t nonce[LINK_NONCE_LEN],
                       struct buffer *out)
{
    const struct place at = {.box = link_box_of(code), .slot = LINK_SLOT_REQUEST};
    uint8_t key[KEY_LEN];
    request_key(code, key);
    message_seal(key, &at, &msg_link_request_desc, m, nonce, out);
    sodium_memzero(key, sizeof key);
}

static bool request_good(const struct msg_link_request *m)
{
    return exchange_key_good(m->device.identity.bytes) && exchange_key_good(m->device.transport.bytes) &&
           exchange_key_good(m->ephemeral.bytes) && (!m->name.len || device_name_check(m->name) == STATUS_OK);
}

enum status link_request_open(const struct link_code *code, struct view bytes, struct arena *a, struct msg_link_request *out)
{
    const struct place at = {.box = link_box_of(code), .slot = LINK_SLOT_REQUEST};
    uint8_t key[KEY_LEN];
    request_key(code, key);
    enum status s = message_open(key, &at, bytes, &msg_link_request_desc, a, out);
    sodium_memzero(key, sizeof key);
    if (s == STATUS_OK && !request_good(out)) {
        s = STATUS_BAD_ENTRY;
        memset(out, 0, sizeof *out);
    }
    return s;
}

void link_offer_seal(const struct link_keys *keys, struct link_box box, const struct prekey_pk *offering,
                     const struct msg_link_offer *m, const uint8_t nonce[LINK_NONCE_LEN], struct buffer *out)
{
    const struct place at = {.box = box, .slot = LINK_SLOT_OFFER + m->part, .in_clear = offering};
    ENSURE(m->part < LINK_PARTS_MAX && m->data.len <= LINK_DATA_MAX);
    message_seal(keys->offer, &at, &msg_link_offer_desc, m, nonce, out);
}

enum status link_offer_key(struct view bytes, struct prekey_pk *out)
{
    struct reader r = reader_of(bytes);
    struct view key = read_view(&r, sizeof *out);
    memset(out, 0, sizeof *out);
    if (r.failed || !exchange_key_good(key.at)) return STATUS_BAD_ENTRY;
    memcpy(out->bytes, key.at, sizeof out->bytes);
    return STATUS_OK;
}

static bool offer_good(const struct msg_link_offer *m, uint32_t slot)
{
    if (m->verdict == LINK_REJECTED) return slot == LINK_SLOT_OFFER;
    return m->verdict == LINK_APPROVED && m->parts >= 1 && m->parts <= LINK_PARTS_MAX && m->part < m->parts &&
           slot == LINK_SLOT_OFFER + m->part && m->data.len <= LINK_DATA_MAX &&
           (!m->handle.len || handle_check(m->handle) == STATUS_OK);
}

enum status link_offer_open(const struct link_keys *keys, struct link_box box, uint32_t slot, struct view bytes,
                            struct arena *a, struct msg_link_offer *out)
{
    struct prekey_pk offering;
    memset(out, 0, sizeof *out);
    enum status s = link_offer_key(bytes, &offering);
    if (s != STATUS_OK) return s;
    const struct place at = {.box = box, .slot = slot, .in_clear = &offering};
    s = message_open(keys->offer, &at, bytes, &msg_link_offer_desc, a, out);
    if (s != STATUS_OK || offer_good(out, slot)) return s;
    memset(out, 0, sizeof *out);
    return STATUS_BAD_ENTRY;
}

void link_consent_seal(const struct link_keys *keys, struct link_box box, const struct msg_link_consent *m,
                       const uint8_t nonce[LINK_NONCE_LEN], struct buffer *out)
{
    const struct place at = {.box = box, .slot = LINK_SLOT_CONSENT};
    message_seal(keys->consent, &at, &msg_link_consent_desc, m, nonce, out);
}

enum status link_consent_open(const struct link_keys *keys, struct link_box box, struct view bytes, struct arena *a,
                              struct msg_link_consent *out)
{
    const struct place at = {.box = box, .slot = LINK_SLOT_CONSENT};
    return message_open(keys->consent, &at, bytes, &msg_link_consent_desc, a, out);
}

/* There is no other key yet. Nobody joins by it: all that it says is that nobody will. */
void link_withdrawal_seal(const struct link_code *code, const uint8_t nonce[LINK_NONCE_LEN], struct buffer *out)
{
    const struct place at = {.box = link_box_of(code), .slot = LINK_SLOT_CONSENT};
    const struct msg_link_consent m = {.cancel = true};
    uint8_t key[KEY_LEN];
    request_key(code, key);
    message_seal(key, &at, &msg_link_consent_desc, &m, nonce, out);
    sodium_memzero(key, sizeof key);
}

enum status link_withdrawal_open(const struct link_code *code, struct view bytes, struct arena *a)
{
    const struct place at = {.box = link_box_of(code), .slot = LINK_SLOT_CONSENT};
    struct msg_link_consent m;
    uint8_t key[KEY_LEN];
    request_key(code, key);
    enum status s = message_open(key, &at, bytes, &msg_link_consent_desc, a, &m);
    sodium_memzero(key, sizeof key);
    return s == STATUS_OK && !m.cancel ? STATUS_BAD_ENTRY : s;
}
