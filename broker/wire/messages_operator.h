/* messages_operator: what the product's backend and operators say: registration tokens (PROTOCOL 6.8), holds (6.9), and
 * what an operator sees of an account's devices. A part of messages.h, which includes it: include that. */
#ifndef SEALMQ_WIRE_MESSAGES_OPERATOR_H
#define SEALMQ_WIRE_MESSAGES_OPERATOR_H

#include "broker/wire/ids.h"

/* Who may make an account, as a worker row says it. */
enum registration_rule { RULE_NOT_TOLD, RULE_OPEN, RULE_TOKEN };

struct msg_token_body { /* before its signature */
    struct view handle;
    struct account_id account;
    uint64_t expires_ms; /* relay time; it is claimed with until then */
    struct relay_id relay;
};
struct msg_token {
    struct view body; /* an encoded msg_token_body */
    struct signature signature;
};

#endif
