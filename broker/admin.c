/* admin: the operators' socket: OVERVIEW is answered here, EVENTS and EXPLAIN by the store that
 * owns the header's home. Who may open the socket is the file system's matter (a 0700
 * directory). */
#include "broker/core.h"

static enum status admin_forward(struct broker *b, uint32_t caller, const struct frame *frame,
                                 struct view bytes)
{
    struct stamp stamp = {.origin = ORIGIN_ADMIN, .conn = caller};
    if (b->admin_asked.count >= ADMIN_PENDING_MAX) return STATUS_BUSY;
    return worker_forward(b, &stamp, &b->admin_asked, &frame->header, bytes);
}

static enum status admin_handle(struct broker *b, uint32_t caller, const struct frame *frame,
                                struct view bytes)
{
    if (frame->header.correlation == 0) return STATUS_MALFORMED;
    if (frame->header.kind != KIND_OVERVIEW) return admin_forward(b, caller, frame, bytes);
    buffer_clear(&b->scratch);
    overview_write(b, &frame->header, &b->scratch);
    return b->config.out.to_admin(b->config.out.context, caller, buffer_view(&b->scratch));
}

void broker_admin_frame(struct broker *b, struct now now, uint32_t caller, struct view bytes)
{
    struct frame frame;
    b->now = now;
    enum status s = frame_check(bytes, FROM_ADMIN, &frame);
    if (s == STATUS_OK) s = admin_handle(b, caller, &frame, bytes);
    if (s == STATUS_OK || s == STATUS_GONE) return;
    struct pending refused = {.key = {ORIGIN_ADMIN, caller, frame.header.correlation},
                              .home = frame.header.home, .kind = frame.header.kind};
    reply_error(b, &refused, s);
}
