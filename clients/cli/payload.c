/* payload: the CLI's own format inside the opaque wrap. Not sealed, not trusted.
 * Invariant: payload_read accepts exactly what payload_write makes. */
#include "clients/cli/payload.h"

#define PAYLOAD_VERSION 1

void payload_write(const struct payload *in, struct buffer *out)
{
    ENSURE(in->handle.len <= SEALMQ_HANDLE_MAX && in->text.len <= TEXT_LEN_MAX);
    write_u8(out, PAYLOAD_VERSION);
    write_u8(out, (uint8_t)in->handle.len);
    write_view(out, in->handle);
    write_view(out, in->text);
}

enum status payload_read(struct view bytes, struct payload *out)
{
    struct reader r = reader_of(bytes);
    uint8_t version = read_u8(&r);
    struct view handle = read_view(&r, read_u8(&r));
    struct view text = read_view(&r, reader_left(&r));
    bool known = !r.failed && version == PAYLOAD_VERSION &&
                 (handle.len == 0 || sealmq_handle_check((const char *)handle.at, handle.len) == SEALMQ_OK);
    *out =
        (struct payload){.handle = known ? handle : view_of(NULL, 0), .text = known ? text : bytes};
    return known ? STATUS_OK : STATUS_MALFORMED;
}
