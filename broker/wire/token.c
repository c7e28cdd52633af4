/* token: making and checking registration tokens. The body is signed as it was encoded and names all that it is good for,
 * so that it is of use to one account, for one handle, at one relay. */
#include "broker/wire/token.h"

#include "broker/wire/identity.h"

#include <sodium.h>
#include <string.h>

static const char token_label[] = "sealmq token 1";
static const char text_scheme[] = "sealmq:token:";
static const char text_version[] = "1:";

#define SIGNED_MAX    (sizeof token_label + TOKEN_BODY_LEN_MAX)
#define KEY_TEXT_LEN  64u
#define SPACES        " \t\r\n"

_Static_assert(sizeof text_scheme + sizeof text_version - 2 == 15, "TOKEN_TEXT_MAX");

static size_t signed_bytes(struct view body, uint8_t out[SIGNED_MAX])
{
    ENSURE(body.len <= TOKEN_BODY_LEN_MAX);
    memcpy(out, token_label, sizeof token_label);
    if (body.len) memcpy(out + sizeof token_label, body.at, body.len);
    return sizeof token_label + body.len;
}

const char *token_fault_name(uint64_t fault)
{
    static const char *const names[] = {
#define X(NAME, code, text) [code] = text,
        TOKEN_FAULT_LIST(X)
#undef X
    };
    return fault < sizeof names / sizeof names[0] ? names[fault] : "?";
}

struct relay_id relay_id_of(const struct transport_pk *server)
{
    struct hash256 h = hash_bytes("sealmq relay 1", view_of(server->bytes, sizeof server->bytes), view_of(NULL, 0),
                                  view_of(NULL, 0));
    struct relay_id id;
    memcpy(id.bytes, h.bytes, sizeof id.bytes);
    return id;
}

enum status token_open(struct view token, struct arena *a, struct msg_token *t, struct msg_token_body *body)
{
    memset(body, 0, sizeof *body);
    enum status s = codec_decode(&msg_token_desc, token, a, t);
    if (s == STATUS_OK) s = codec_decode(&msg_token_body_desc, t->body, a, body);
    if (s == STATUS_OK && (!codec_encodes_to(&msg_token_desc, t, token) ||
                           !codec_encodes_to(&msg_token_body_desc, body, t->body) ||
                           handle_check(body->handle) != STATUS_OK))
        s = STATUS_BAD_ENTRY;
    if (s == STATUS_OK) return STATUS_OK;
    memset(t, 0, sizeof *t);
    memset(body, 0, sizeof *body);
    return s;
}

static bool signed_by_one(const struct msg_token *t, const struct product_keys *keys)
{
    uint8_t text[SIGNED_MAX];
    size_t len = signed_bytes(t->body, text);
    for (size_t i = 0; i < keys->count; i++)
        if (crypto_sign_verify_detached(t->signature.bytes, text, len, keys->keys[i].bytes) == 0) return true;
    return false;
}

enum token_fault token_check(struct view token, const struct token_claim *claim, const struct product_keys *keys,
                             struct arena *a)
{
    struct msg_token t;
    struct msg_token_body body;
    if (!token.len) return TOKEN_ABSENT;
    if (token_open(token, a, &t, &body) != STATUS_OK) return TOKEN_FORM;
    if (memcmp(&body.relay, &claim->relay, sizeof body.relay) != 0) return TOKEN_RELAY;
    if (memcmp(&body.account, &claim->account, sizeof body.account) != 0) return TOKEN_ACCOUNT;
    if (claim->handle.len && !view_equal(body.handle, claim->handle)) return TOKEN_HANDLE;
    if (body.expires_ms < claim->now_ms) return TOKEN_EXPIRED;
    return signed_by_one(&t, keys) ? TOKEN_NONE : TOKEN_SIGNATURE;
}

void token_make(const struct msg_token_body *body, const uint8_t signing_sk[64], struct buffer *out)
{
    struct buffer encoded = {0};
    struct msg_token t = {0};
    uint8_t text[SIGNED_MAX];
    codec_encode(&msg_token_body_desc, body, &encoded);
    t.body = buffer_view(&encoded);
    size_t len = signed_bytes(t.body, text);
    crypto_sign_detached(t.signature.bytes, NULL, text, len, signing_sk);
    codec_encode(&msg_token_desc, &t, out);
    buffer_fini(&encoded);
}

/* ---- as text ---- */

void token_text(struct view token, char out[TOKEN_TEXT_MAX + 1])
{
    size_t prefix = sizeof text_scheme - 1 + sizeof text_version - 1;
    ENSURE(token.len <= TOKEN_LEN_MAX);
    memcpy(out, text_scheme, sizeof text_scheme - 1);
    memcpy(out + sizeof text_scheme - 1, text_version, sizeof text_version - 1);
    sodium_bin2base64(out + prefix, TOKEN_TEXT_MAX + 1 - prefix, token.at, token.len,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

enum status token_parse(const char *text, uint8_t out[TOKEN_LEN_MAX], size_t *len)
{
    const char *end;
    *len = 0;
    text += strspn(text, SPACES);
    if (strncmp(text, text_scheme, sizeof text_scheme - 1) != 0) return STATUS_MALFORMED;
    text += sizeof text_scheme - 1;
    if (strncmp(text, text_version, sizeof text_version - 1) != 0) {
        size_t digits = strspn(text, "0123456789");
        return digits && text[digits] == ':' ? STATUS_UNSUPPORTED : STATUS_MALFORMED;
    }
    text += sizeof text_version - 1;
    size_t text_len = strcspn(text, SPACES);
    if (text[text_len + strspn(text + text_len, SPACES)] != '\0') return STATUS_MALFORMED;
    if (text_len > TOKEN_TEXT_MAX) return STATUS_TOO_LARGE;
    int failed = sodium_base642bin(out, TOKEN_LEN_MAX, text, text_len, NULL, len, &end,
                                   sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    if (!failed && *len && end == text + text_len) return STATUS_OK;
    *len = 0;
    return STATUS_MALFORMED;
}

static enum status key_add(const char *digits, size_t len, struct product_keys *out)
{
    char text[KEY_TEXT_LEN + 1] = "";
    struct signing_pk pk;
    if (out->count == PRODUCT_KEYS_MAX) return STATUS_FULL;
    if (len != KEY_TEXT_LEN) return STATUS_MALFORMED;
    memcpy(text, digits, len);
    if (hex_decode(text, pk.bytes, sizeof pk.bytes) != STATUS_OK) return STATUS_MALFORMED;
    if (crypto_core_ed25519_is_valid_point(pk.bytes) != 1) return STATUS_MALFORMED;
    for (size_t i = 0; i < out->count; i++)
        if (memcmp(&out->keys[i], &pk, sizeof pk) == 0) return STATUS_MALFORMED;
    out->keys[out->count++] = pk;
    return STATUS_OK;
}

enum status product_keys_parse(const char *text, struct product_keys *out)
{
    enum status s = STATUS_OK;
    struct product_keys keys = {.count = 0};
    *out = keys;
    while (s == STATUS_OK && *(text += strspn(text, "," SPACES))) {
        size_t len = strcspn(text, "," SPACES);
        s = key_add(text, len, &keys);
        text += len;
    }
    if (s == STATUS_OK && !keys.count) s = STATUS_MALFORMED;
    if (s == STATUS_OK) *out = keys;
    return s;
}
