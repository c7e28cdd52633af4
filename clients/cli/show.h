/* show: one message of ours, for people and as JSON: what send, status and outbox print. */
#ifndef SEALMQ_CLI_SHOW_H
#define SEALMQ_CLI_SHOW_H

#include "clients/cli/output.h"
#include "clients/sealmq_copies.h"

/* How much of it. */
enum show { SHOW_SHORT, SHOW_ALL };

/* show_name: what the message is called: its id, or the caller's key as long as it has none. */
#define SHOW_NAME_MAX (SEALMQ_KEY_MAX + 1u)
void show_name(const struct sealmq_message *message, char out[SHOW_NAME_MAX]);

/* show_json: {"id","state","to",...}; the caller owns it. With SHOW_ALL the message is the last one that was read. */
json_t *show_json(const struct sealmq_message *message, const struct sealmq_identity *me, enum show how);

/* show_reason: why it is as it is, one line; static. */
const char *show_reason(const struct sealmq_message *message, const struct sealmq_identity *me);
/* show_print: lines on standard output; as show_json. */
void show_print(const struct sealmq_message *message, const struct sealmq_identity *me, enum show how);

/* show_copy_json: what the account's other devices got of it; the caller owns it. show_copy_print: lines on standard
 * output behind those of show_print. */
json_t *show_copy_json(const struct sealmq_copy *copy, const struct sealmq_identity *me);
void show_copy_print(const struct sealmq_copy *copy, const struct sealmq_identity *me);

#endif
