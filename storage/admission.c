/* admission: by whose word an account, or a handle, comes in (PROTOCOL 6.8). Where the relay knows keys of the product, a
 * token is checked and its verdict told; where it wants one, nobody comes in without. What is here already stays: who
 * brings the same account or claim again needs no token, as that may have expired since. */
#include "storage/core.h"

static void refusal_tell(struct storage *s, struct account_id account, enum token_fault fault)
{
    core_event(s, &(struct event){.kind = EVENT_TOKEN_REFUSED, .code = (uint32_t)fault,
                                  .account = mark_account(&s->config.mark_key, account)});
}

enum token_fault admission_token(struct storage *s, struct account_id account, struct view handle, struct view token)
{
    struct token_claim claim = {.account = account, .handle = handle, .relay = s->config.relay,
                                .now_ms = s->turn.now_ms};
    if (!s->config.product_keys.count) return TOKEN_ABSENT;
    return token_check(token, &claim, &s->config.product_keys, &s->turn.arena);
}

enum status admission_check(struct storage *s, struct account_id account, struct view handle, struct view token,
                            bool *vouched)
{
    enum token_fault fault = admission_token(s, account, handle, token);
    *vouched = fault == TOKEN_NONE;
    if (*vouched || (fault == TOKEN_ABSENT && !s->config.token_wanted)) return STATUS_OK;
    refusal_tell(s, account, fault);
    return STATUS_TOKEN_REFUSED;
}

void admission_open(struct storage *s)
{
    if (!s->config.token_wanted) core_event(s, &(struct event){.kind = EVENT_REGISTRATION_OPEN});
}
