/* api_registration: tokens and product keys across the border of the library. */
#include "clients/api.h"
#include "clients/sealmq_registration.h"

#include "broker/host/host.h"

/* What is wrong with a token that is one. */
static const char *fault_text(enum token_fault fault)
{
    switch (fault) {
    case TOKEN_ACCOUNT: return "this token is for another account";
    case TOKEN_RELAY: return "this token is for another relay";
    case TOKEN_HANDLE: return "this token is for another handle than this home has at its relay";
    case TOKEN_NONE:
    case TOKEN_ABSENT:
    case TOKEN_FORM:
    case TOKEN_EXPIRED:
    case TOKEN_SIGNATURE: break;
    }
    return "this is no registration token";
}

enum sealmq_status sealmq_token_set(struct sealmq_client *c, const char *text)
{
    uint8_t token[TOKEN_LEN_MAX];
    size_t len;
    enum token_fault fault;
    enum status s = token_parse(text, token, &len);
    if (s == STATUS_UNSUPPORTED) return api_fail(c, s, "this token is of a later version: update this program");
    if (s != STATUS_OK) return api_fail(c, s, "%s", fault_text(TOKEN_FORM));
    s = engine_token(c->engine, host_now(), view_of(token, len), &fault);
    api_changed(c);
    if (fault == TOKEN_FORM) return api_fail(c, STATUS_MALFORMED, "%s", fault_text(fault));
    return s == STATUS_TOKEN_REFUSED ? api_fail(c, s, "%s", fault_text(fault)) : api_result(c, s);
}

enum sealmq_status sealmq_product_keys_set(struct sealmq_client *c, const char *text)
{
    struct product_keys keys = {.count = 0};
    enum status s = *text ? product_keys_parse(text, &keys) : STATUS_OK;
    if (s == STATUS_FULL) return api_fail(c, s, "more than %u product keys: give fewer", PRODUCT_KEYS_MAX);
    if (s != STATUS_OK) return api_fail(c, s, "a product key is 64 hexadecimal digits, and each stands once");
    s = state_begin(c->state, STATE_WRITE);
    if (s != STATUS_OK) return api_result(c, s);
    s = state_product_keys_put(c->state, &keys);
    if (s == STATUS_OK)
        s = state_commit(c->state);
    else
        state_rollback(c->state);
    return api_result(c, s);
}
