/* received: one message, received or held, for people and as JSON: what recv and history print. */
#ifndef SEALMQ_CLI_RECEIVED_H
#define SEALMQ_CLI_RECEIVED_H

#include "clients/cli/output.h"
#include "clients/cli/sender.h"

/* received_json: {"id","state","from",...}, the caller's; from: what its sender is called. */
json_t *received_json(const struct sealmq_received *received, const char *from, struct view text);
/* received_print: "bob: text", of one's own "you -> bob: text", as a line on standard output. */
void received_print(const struct sealmq_received *received, const char *from, struct view text);

#endif
