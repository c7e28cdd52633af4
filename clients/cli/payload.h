/* payload: what `sealmq` itself puts into a message: the text, and the handle that the sender
 * says is its own. The handle is a claim by whoever sent it; sender.h tells whether it is true. */
#ifndef SEALMQ_CLI_PAYLOAD_H
#define SEALMQ_CLI_PAYLOAD_H

#include "broker/wire/bytes.h"
#include "clients/sealmq.h"

#define PAYLOAD_HEAD_MAX (2u + SEALMQ_HANDLE_MAX)
#define TEXT_LEN_MAX     (SEALMQ_PAYLOAD_MAX - PAYLOAD_HEAD_MAX)

struct payload {
    struct view handle; /* claimed; empty = none */
    struct view text;
};

/* payload_write: appends u8 version (1), u8 handle length, handle, text. */
void payload_write(const struct payload *in, struct buffer *out);
/* payload_read: views borrow `bytes`. OK; MALFORMED for bytes that another program made, with the
 * whole of them as text and no handle. */
enum status payload_read(struct view bytes, struct payload *out) MUST_USE;

#endif
