/* show: one message of ours, for people and as JSON: what send, status and outbox print. */
#ifndef SEALMQ_CLI_SHOW_H
#define SEALMQ_CLI_SHOW_H

#include "clients/cli/output.h"
#include "clients/state/state.h"

/* How much of it. */
enum show { SHOW_SHORT, SHOW_ALL };

/* show_name: what the message is called: its id, or the caller's key as long as it has none. */
#define SHOW_NAME_MAX (STATE_KEY_LEN_MAX + 1)
void show_name(const struct outbox_row *row, char out[SHOW_NAME_MAX]);

/* show_json: {"id","state","to",...}; the caller owns it. */
json_t *show_json(const struct outbox_row *row, const struct state_identity *me, enum show how);

/* show_print: lines on standard output. */
void show_print(const struct outbox_row *row, const struct state_identity *me, enum show how);

#endif
