/* vouch: by whose word a handle is believed, and ours (PROTOCOL 6.8). A home that has its product's keys takes an account
 * for a handle only with a token of theirs, whatever the relay says; when the token expires is not asked, since that is
 * until when it may be claimed with. Our own token is kept and shown to the relay with the account and the handle. */
#include "broker/wire/identity.h"
#include "clients/core.h"

#include <string.h>

#define TOKEN_SETTING "registration_token" /* ours, an encoded msg_token */
#define KEYS_SETTING  "product_keys"       /* 32 bytes each */

/* ---- the product's keys ---- */

static enum status keys_in(struct state *state, struct arena *a, struct product_keys *out)
{
    struct view value;
    *out = (struct product_keys){.count = 0};
    enum status s = state_setting_get(state, KEYS_SETTING, a, &value);
    if (s == STATUS_NOT_FOUND) return STATUS_OK;
    if (s != STATUS_OK) return s;
    out->count = value.len / sizeof out->keys[0];
    if (out->count > PRODUCT_KEYS_MAX || value.len % sizeof out->keys[0]) return STATUS_DAMAGED;
    memcpy(out->keys, value.at, value.len);
    return STATUS_OK;
}

enum status state_product_keys_put(struct state *state, const struct product_keys *keys)
{
    return state_setting_put(state, KEYS_SETTING, view_of(keys->keys, keys->count * sizeof keys->keys[0]));
}

/* Pinned already, by whatever word: it stays so, for good. */
static enum status pinned_in(struct state *state, struct view handle, struct account_id account, bool *pinned)
{
    struct account_id known;
    enum status s = state_handle_get(state, handle, &known);
    *pinned = s == STATUS_OK && memcmp(&known, &account, sizeof known) == 0;
    return s == STATUS_NOT_FOUND ? STATUS_OK : s;
}

enum status state_handle_vouched(struct state *state, struct arena *a, const struct msg_found *found, struct view handle)
{
    struct product_keys keys;
    struct state_identity me;
    bool pinned = false;
    if (!handle_proven(found, handle, a)) return STATUS_BAD_ENTRY;
    enum status s = keys_in(state, a, &keys);
    if (s == STATUS_OK && keys.count) s = pinned_in(state, handle, found->account, &pinned);
    if (s != STATUS_OK || !keys.count || pinned) return s;
    s = state_identity_get(state, a, &me);
    if (s != STATUS_OK) return s;
    struct token_claim claim = {.handle = handle, .account = found->account, .relay = relay_id_of(&me.server)};
    return token_check(found->proof[0].token, &claim, &keys, a) == TOKEN_NONE ? STATUS_OK : STATUS_TOKEN_REFUSED;
}

enum status handle_vouched(struct engine *e, const struct msg_found *found, struct view handle)
{
    enum status s = tx_begin(e, STATE_READ);
    return s == STATUS_OK ? tx_end(e, state_handle_vouched(e->state, &e->arena, found, handle)) : s;
}

/* ---- our token ---- */

enum status own_token_in(struct engine *e, struct view *out)
{
    enum status s = state_setting_get(e->state, TOKEN_SETTING, &e->arena, out);
    if (s == STATUS_OK) return s;
    *out = view_of(NULL, 0);
    return s == STATUS_NOT_FOUND ? STATUS_OK : s;
}

/* A home belongs to one handle once the relay has it; until then the token says which it is to be. */
static enum status token_keep_in(struct engine *e, struct view token, enum token_fault *fault)
{
    struct msg_token t;
    struct msg_token_body body;
    struct state_identity me;
    enum status s = state_identity_get(e->state, &e->arena, &me);
    if (s != STATUS_OK) return s;
    struct relay_id relay = relay_id_of(&me.server);
    if (token_open(token, &e->arena, &t, &body) != STATUS_OK)
        *fault = TOKEN_FORM;
    else if (memcmp(&body.account, &me.account, sizeof me.account) != 0)
        *fault = TOKEN_ACCOUNT;
    else if (memcmp(&body.relay, &relay, sizeof relay) != 0)
        *fault = TOKEN_RELAY;
    else if (me.claimed && !view_equal(body.handle, me.handle))
        *fault = TOKEN_HANDLE;
    if (*fault != TOKEN_NONE) return STATUS_TOKEN_REFUSED;
    me.handle = body.handle;
    me.claimed = false; /* once more, with the token */
    s = state_identity_put(e->state, &me);
    return s == STATUS_OK ? state_setting_put(e->state, TOKEN_SETTING, token) : s;
}

enum status engine_token(struct engine *e, struct now now, struct view token, enum token_fault *fault)
{
    *fault = TOKEN_NONE;
    if (token.len > TOKEN_LEN_MAX) return STATUS_TOO_LARGE;
    arena_reset(&e->arena);
    enum status s = tx_begin(e, STATE_WRITE);
    if (s == STATUS_OK) s = tx_end(e, token_keep_in(e, token, fault));
    if (*fault != TOKEN_NONE) return s;
    if (s == STATUS_OK) s = identity_load(e);
    e->claim_count++;
    e->claim_ms = now.mono_ms;
    (void)engine_fault(e, s);
    return s;
}
