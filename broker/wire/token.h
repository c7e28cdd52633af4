/* token: the product's word, signed by its backend, that a handle is an account's at one relay (PROTOCOL 6.8): made
 * offline, checked by the relay when the handle is claimed and by clients that have the product's key whenever they
 * look it up. Knows no store and no session. Nothing of a token is secret: who sees it can do nothing with it. */
#ifndef SEALMQ_WIRE_TOKEN_H
#define SEALMQ_WIRE_TOKEN_H

#include "broker/wire/messages.h"

/* The keys whose tokens count. */
struct product_keys {
    struct signing_pk keys[PRODUCT_KEYS_MAX];
    size_t count;
};

/* What a token is to be good for. */
struct token_claim {
    struct view handle; /* empty = whichever it names */
    struct account_id account;
    struct relay_id relay;
    uint64_t now_ms;    /* relay time; 0 = when it expires is not asked */
};

/* Why a token is not good. X(NAME, code, "name") */
#define TOKEN_FAULT_LIST(X)                                                                         \
    X(NONE, 0, "none")                                                                              \
    X(ABSENT, 1, "absent")                                                                          \
    X(FORM, 2, "form")           /* does not follow its format */                                   \
    X(RELAY, 3, "relay")         /* for another relay */                                            \
    X(ACCOUNT, 4, "account")     /* for another account */                                          \
    X(HANDLE, 5, "handle")       /* for another handle */                                           \
    X(EXPIRED, 6, "expired")                                                                        \
    X(SIGNATURE, 7, "signature") /* by none of the keys */
enum token_fault {
#define X(NAME, code, text) TOKEN_##NAME = code,
    TOKEN_FAULT_LIST(X)
#undef X
};
/* token_fault_name: static text; "?" outside the list. */
const char *token_fault_name(uint64_t fault);

/* relay_id_of: BLAKE2b-256("sealmq relay 1", the relay's public key). */
struct relay_id relay_id_of(const struct transport_pk *server);

/* token_open: decodes an encoded msg_token and its body, which borrow from it and from the arena. Both must be the one
 * encoding of their known fields and the handle be one; the signature is not looked at. OK, BAD_ENTRY, MALFORMED,
 * TOO_LARGE; outputs zero after a failure. */
enum status token_open(struct view token, struct arena *a, struct msg_token *t, struct msg_token_body *body) MUST_USE;

/* token_check: what costs little is looked at first, then the signature against each key. TOKEN_NONE: it is good. */
enum token_fault token_check(struct view token, const struct token_claim *claim, const struct product_keys *keys,
                             struct arena *a) MUST_USE;

/* token_make: writes the encoded msg_token of this body. signing_sk: libsodium's 64-byte Ed25519 secret key. */
void token_make(const struct msg_token_body *body, const uint8_t signing_sk[64], struct buffer *out);

/* token_text: "sealmq:token:1:" and base64url of the token, NUL-terminated. token_parse: the same back, white space around
 * it passed over, into out, *len bytes. OK; UNSUPPORTED (a later version's); MALFORMED, TOO_LARGE with *len 0. */
#define TOKEN_TEXT_MAX (15u + (4u * TOKEN_LEN_MAX + 2u) / 3u)
void token_text(struct view token, char out[TOKEN_TEXT_MAX + 1]);
enum status token_parse(const char *text, uint8_t out[TOKEN_LEN_MAX], size_t *len) MUST_USE;

/* product_keys_parse: one to PRODUCT_KEYS_MAX public keys, each 64 hexadecimal digits, with commas or white space between;
 * each once, and each a point of the curve's main subgroup. OK; MALFORMED, FULL (too many) with *out zero. */
enum status product_keys_parse(const char *text, struct product_keys *out) MUST_USE;

#endif
