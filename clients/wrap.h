/* wrap: one byte in front of every ciphertext that says what it is, so that sealed messages can stand
 * beside opaque ones. OPAQUE means: not sealed by SealMQ; the application brings its own encryption,
 * or wants none. */
#ifndef SEALMQ_CLIENTS_WRAP_H
#define SEALMQ_CLIENTS_WRAP_H

#include "broker/wire/bytes.h"
#include "broker/wire/states.h"

#define WRAP_OPAQUE       0x01u
#define WRAP_OVERHEAD_LEN 1u

/* wrap_opaque: appends the ciphertext for a payload. */
void wrap_opaque(struct buffer *b, struct view payload);

/* wrap_open: *payload borrows the ciphertext; empty unless FAIL_NONE. FAIL_HELD: of a kind that this
 * version does not know, or marked as sealed, so a later one may open it. FAIL_BROKEN: nothing can. */
enum fail_reason wrap_open(struct view ciphertext, bool sealed, struct view *payload);

#endif
