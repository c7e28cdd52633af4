/* report: what a device says of a sealed message that it cannot open (PROTOCOL 10.7): made by that device, verified by the
 * relay, and by the sender before it seals the message anew. */
#ifndef SEALMQ_WIRE_REPORT_H
#define SEALMQ_WIRE_REPORT_H

#include "broker/wire/messages.h"
#include "broker/wire/states.h"

/* report_reason: how the failure that has this cause is named in an ACK; FAIL_NONE for what is no cause. */
enum fail_reason report_reason(uint32_t cause);

/* report_open: decodes an encoded msg_report and its body, which borrow from it and from the arena. Both must be the
 * one encoding of their known fields, the cause a known one; the signature is not looked at. OK, BAD_ENTRY, MALFORMED,
 * TOO_LARGE; outputs zero after a failure. */
enum status report_open(struct view report, struct arena *a, struct msg_report *r, struct msg_report_body *body) MUST_USE;

/* report_signed_by: whether the signature is this key's: over ("sealmq report 1" NUL, body). */
bool report_signed_by(const struct msg_report *r, const struct signing_pk *pk);

/* report_make: writes the encoded msg_report of this body. signing_sk: libsodium's 64-byte Ed25519 secret key of
 * body->device. */
void report_make(const struct msg_report_body *body, const uint8_t signing_sk[64], struct buffer *out);

#endif
