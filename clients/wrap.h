/* wrap: the first byte of every ciphertext says what it is, so that sealed messages can stand beside opaque ones
 * (PROTOCOL 10). OPAQUE means: not sealed by SealMQ; the application brings its own encryption, or wants none. */
#ifndef SEALMQ_CLIENTS_WRAP_H
#define SEALMQ_CLIENTS_WRAP_H

#include "broker/wire/bytes.h"
#include "broker/wire/states.h"

#define WRAP_OPAQUE       0x01u
#define WRAP_OVERHEAD_LEN 1u

/* wrap_opaque: appends the ciphertext for a payload. */
void wrap_opaque(struct buffer *b, struct view payload);

/* wrap_check: FAIL_NONE: it is what the relay says it is. FAIL_HELD: of a kind that this version does not know, or
 * another one than `sealed` says, so that a later version may open it. FAIL_BROKEN: nothing can. */
enum fail_reason wrap_check(struct view ciphertext, bool sealed);
/* wrap_opaque_payload: of an opaque ciphertext that was checked; borrows from it. */
struct view wrap_opaque_payload(struct view ciphertext);

#endif
