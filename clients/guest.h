/* guest: what a device asks before it is a member of an account: requests without a session (PROTOCOL 3), one at a time.
 * A core like the engine: no socket, no clock; frames and the time go in, frames come out. It repeats the same bytes until
 * the relay has answered them, whatever connection breaks meanwhile, and knows nothing of what they mean. */
#ifndef SEALMQ_CLIENTS_GUEST_H
#define SEALMQ_CLIENTS_GUEST_H

#include "broker/wire/messages.h"
#include "broker/wire/now.h"
#include "clients/random.h"

struct guest;

/* guest_new: free with guest_free, which is NULL-safe and nulls. */
void guest_new(const struct random_source *random, struct guest **out);
void guest_free(struct guest **g);

/* guest_ask: a request with meta only; `message` is not kept. OK; BUSY: one is under way, or ended and not fetched. Any time, connected
 * or not. */
enum status guest_ask(struct guest *g, struct now now, enum frame_kind kind, uint16_t home,
                      const struct codec_desc *desc, const void *message) MUST_USE;
/* guest_answer: true once the ask has ended: *how is OK, and *reply its reply, good until the next ask; or it is the status of a refusal
 * that the same bytes cannot mend. `busy`, `rate_limited`, a lost connection and the like do not end it. */
bool guest_answer(struct guest *g, enum status *how, struct frame *reply) MUST_USE;
/* guest_drop: nothing is asked any more. */
void guest_drop(struct guest *g);

/* What happened, what is due, what is to go: as engine_up and the others. Frames that answer nothing are passed over. */
void guest_up(struct guest *g, struct now now);
void guest_down(struct guest *g);
void guest_frame(struct guest *g, struct now now, struct view bytes);
void guest_tick(struct guest *g, struct now now);
uint64_t guest_deadline_ms(const struct guest *g);
bool guest_next_frame(struct guest *g, struct now now, struct view *out);
/* guest_keep_frame: right after it, when the transport cannot take the frame now. */
void guest_keep_frame(struct guest *g);
/* guest_wants_move: the relay leaves this endpoint, or has been silent for long: another one is to be tried. False again
 * after the next guest_up. */
bool guest_wants_move(const struct guest *g);

#endif
