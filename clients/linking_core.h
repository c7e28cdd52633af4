/* linking_core: what approve.c and joining.c do for the engine's other parts (PROTOCOL 6.5). Only for the files of the engine,
 * as core.h. */
#ifndef SEALMQ_CLIENTS_LINKING_CORE_H
#define SEALMQ_CLIENTS_LINKING_CORE_H

#include "clients/core.h"

void link_drive(struct engine *e, struct now now);
uint64_t link_deadline_ms(const struct engine *e);
reply_fn link_reply;
failure_fn link_failed;
/* joining_waits: HELLO was refused so because the log has not come so far yet. joining_seen: our log has gone on, to its end.
 * joining_welcome: the relay has given this device a session, and says so much of our log. */
bool joining_waits(const struct engine *e, enum status s);
/* joining_refused: HELLO was refused while this device is joining, because the log has it not, or has put it out. It may end the session. */
void joining_refused(struct engine *e, struct now now);
void joining_seen(struct engine *e, struct now now);
void joining_welcome(struct engine *e, struct now now, const struct msg_log_state *said);
/* joining_history_in: how many entries of the account's log had been there when it was offered: they are no news. 0 where it is
 * not our own, or we have joined. */
enum status joining_history_in(struct engine *e, struct account_id account, uint64_t *length) MUST_USE;

#endif
