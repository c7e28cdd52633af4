/* memory: the state contract without a disk: the model that sqlite must equal, and the client state
 * of simulations and load generators. The struct state is the disk: an engine that dies is replaced by
 * another one on the same state. Secrets lie in ordinary memory here. */
#ifndef SEALMQ_CLIENTS_STATE_MEMORY_H
#define SEALMQ_CLIENTS_STATE_MEMORY_H

#include "clients/state/state.h"

/* memory_state_new: empty; free with state_close. */
struct state *memory_state_new(void);

/* memory_state_copy: another one with what is committed in `s`: a backup, or a clone. Outside transactions. */
struct state *memory_state_copy(const struct state *s);

/* memory_state_crash: the process dies here: what is not committed is gone. Any time. */
void memory_state_crash(struct state *s);

/* memory_state_fail: the nth call from now (1 = the next) of begin, commit or a row function gives IO;
 * 0 = none. When it is a commit, `kept` says whether its changes are there afterwards, which the caller
 * of the commit cannot know. */
void memory_state_fail(struct state *s, uint64_t nth, bool kept);
/* memory_state_lock: the nth begin of a writer from now (0 = none) gives LOCKED: another process is writing. */
void memory_state_lock(struct state *s, uint64_t nth);
/* memory_state_calls: how many such calls there were, to choose n from. */
uint64_t memory_state_calls(const struct state *s);

#endif
