/* churn: accounts of several devices in the simulator's world: how devices join (joiner.c), what people do with them (people.c),
 * what a relay may lie about them (evil.c), and what is true of them (truth.c). */
#ifndef SEALMQ_TESTS_SIM_CHURN_H
#define SEALMQ_TESTS_SIM_CHURN_H

#include "broker/wire/slab.h"
#include "tests/sim/sim.h"

/* joiner_plan: device `index` will join the account of device `owner`. joiner_end: the process ends; what has consented waits
 * to be let in, else it begins anew after a while. joiner_doubt: it has consented long ago, and nobody has let it in: it begins
 * anew, if nobody will. */
void joiner_plan(struct sim *s, size_t index, size_t owner);
uint64_t joiner_due_ms(const struct device *d);
void joiner_step(struct device *d);
void joiner_end(struct device *d);
void joiner_doubt(struct device *d);

/* people_step: whoever has this device in hand changes something, when it is time. */
void people_step(struct device *d, struct session_host *h);
uint64_t people_due_ms(const struct device *d);
/* people_calm: from now on they put things in order. */
void people_calm(struct device *d);
/* people_have_change: one of this device's is kept, and not settled, as far as its disk tells. */
bool people_have_change(struct device *d);
/* people_event: ENGINE_IDENTITY about a change. */
void people_event(struct device *d, const struct engine_event *e);

/* evil_found and the others: what liar_pass may do to such an answer; true = it is another one now. */
bool evil_found(struct device *d, void *message, struct arena *a);
bool evil_welcome(struct device *d, void *message, struct arena *a);
bool evil_sent(struct device *d, void *message, struct arena *a);
bool evil_link(struct device *d, void *message, struct arena *a);
/* evil_start: whom it will lie to for ever, if anybody. evil_tells: whether it lies to this device also when faults have stopped. */
void evil_start(struct sim *s);
bool evil_tells(const struct device *d, unsigned kind);

/* evil_number: of an entry; 0 also where it is none. */
uint64_t evil_number(struct view entry, struct arena *a);

/* forks_said: a device says a frame. forks_tell: an answer about this account's log shows a branch of it now. forks_notices: what was
 * just told cannot be believed; asked once. forks_told: the device says that its own log is shown otherwise. forks_on: what the
 * device holds of the account is a branch; forks_in: some device of the account does, of its own; forks_has: a device is in it.
 * forks_mute: the recipient has a device that is on a branch of its own account, and may leave no prekeys for anybody. forks_out: it is not in its account, and who is may not be able to let it in. forks_between: the one does not hold the other's log, or its own, and what is sealed may not open, or not go. forks_check: in the end: who is on a branch was told, or finds it out by comparing. */
void forks_start(struct sim *s);
void forks_fini(struct sim *s);
void forks_said(struct device *d, struct view frame);
bool forks_tell(struct device *d, size_t account, struct msg_log_state *log, struct view **entries, size_t *count, struct arena *a);
bool forks_notices(struct sim *s);
void forks_told(struct device *d);
bool forks_on(struct device *d, size_t account);
bool forks_in(struct sim *s, size_t account);
bool forks_out(struct device *d);
bool forks_mute(struct sim *s, const struct outbox_row *row);
bool forks_between(struct device *from, const struct outbox_row *row);
bool forks_has(struct device *d, size_t account, struct device_id device);
void forks_check(struct sim *s);

/* swaps_deliver: another DELIVER in *lie; false = there is nothing to exchange. swaps_has: the message came to the device under
 * another's name. swaps_passed_over: so it did, and where it was taken for what the device had, that knows of a gap. */
void swaps_start(struct sim *s);
void swaps_fini(struct sim *s);
bool swaps_deliver(struct device *d, const struct frame *f, struct buffer *lie);
bool swaps_has(const struct sim *s, struct device_id sender, struct message_id id, struct device_id device);
bool swaps_passed_over(const struct sim *s, struct device_id sender, struct message_id id, size_t device);

/* ---- the truth about accounts (truth.c) ---- */

void truth_start(struct sim *s);
void truth_fini(struct sim *s);
/* truth_committed: a store has written a group, and nothing of it was said yet. */
void truth_committed(struct store_process *p);
/* truth_log: of the account of this first device, as it is on the disk; all zero before it is there. */
const struct identity_log *truth_log(const struct sim *s, size_t first);
/* truth_standing: 0 = it never was in its account. truth_was_out: it was once suspended, or is revoked. */
/* truth_state: the same at this length, or shorter: where a group ended. false = there was none. */
bool truth_state(const struct sim *s, size_t first, uint64_t length, struct msg_log_state *out);
/* truth_versions: how many key versions came between the two. */
size_t truth_versions(const struct sim *s, size_t first, uint64_t from_ms, uint64_t to_ms);
unsigned truth_standing(const struct sim *s, size_t first, struct device_id device);
bool truth_was_out(const struct sim *s, struct device_id device);
/* truth_revoked_ms: SIM_NEVER = it is not. */
uint64_t truth_revoked_ms(const struct sim *s, struct device_id device);
/* truth_left: a device that was let in, or may be yet, and that nobody has: its account's people put it out. truth_stray: one of
 * them that is in the account now; false = none. */
void truth_left(struct sim *s, size_t first, struct device_id device);
bool truth_was_left(const struct sim *s, struct device_id device);
bool truth_stray(const struct sim *s, size_t first, struct device_id *out);
/* What must not happen: mail is accepted for, or given to, a device behind the commit that revoked it. */
void truth_accepted(struct sim *s, const struct msg_accepted *m);
void truth_offered(struct sim *s, struct device_id device);
void truth_ended(struct sim *s, size_t broker, const struct slab_header *header, struct device_id device);
void truth_given(struct sim *s, const struct conn *c, struct view frame);
void truth_broker_died(struct sim *s, size_t broker);
/* truth_told: a change was reported as done. */
void truth_told(struct sim *s, size_t first, unsigned operation, struct device_id subject);
/* truth_settled: everybody holds the same logs, and nobody is left suspended. truth_check: and they say what they should. */
bool truth_settled(struct sim *s);
void truth_check(struct sim *s);

#endif
