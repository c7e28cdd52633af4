/* answer: what the core says: the reply to a request, a push to a session, an event. Everything goes into the slab that
 * leaves after the commit of the turn under way: nothing here is heard before it is true. */
#include "storage/core.h"

struct buffer *core_after(struct storage *s, size_t broker)
{
    struct buffer *out = &s->peers[broker].after;
    if (!out->len) slab_begin(out);
    return out;
}

void brokers_tell(struct storage *s, struct view frame)
{
    for (size_t i = 0; i < s->config.broker_count; i++)
        if (s->peers[i].known)
            slab_item(core_after(s, i), &(struct stamp){.origin = ORIGIN_PEER}, frame);
}

static struct stamp stamp_back(const struct request *r)
{
    return (struct stamp){.origin = r->stamp.origin, .conn = r->stamp.conn,
                          .session = r->stamp.session, .account = r->stamp.account,
                          .device = r->stamp.device};
}

void request_reply(struct storage *s, const struct request *r, enum frame_kind kind,
                   const struct codec_desc *desc, const void *meta)
{
    struct buffer *out = core_after(s, r->broker);
    struct stamp stamp = stamp_back(r);
    size_t start = slab_item_begin(out, &stamp);
    frame_write(out, &(struct frame_header){.kind = (uint8_t)kind,
                                            .correlation = r->frame.header.correlation,
                                            .home = r->frame.header.home}, desc, meta);
    slab_item_end(out, start);
}

void request_fail(struct storage *s, const struct request *r, enum status status,
                  uint32_t retry_after_ms)
{
    struct buffer *out = core_after(s, r->broker);
    struct stamp stamp = stamp_back(r);
    if (r->handler && kind_rule_of(r->frame.header.kind)->reply == KIND_NONE) return;
    if (status > STATUS_WIRE_MAX) status = STATUS_BUSY;
    if (status_client_action(status) == ACTION_RETRY && !retry_after_ms) retry_after_ms = 100;
    size_t start = slab_item_begin(out, &stamp);
    frame_write_error(out, r->frame.header.correlation, r->frame.header.home, status,
                      retry_after_ms);
    slab_item_end(out, start);
}

size_t push_begin(struct storage *s, const struct attachment *to, struct device_id device,
                  struct buffer **out)
{
    *out = core_after(s, to->broker);
    struct stamp stamp = {.origin = ORIGIN_EDGE, .conn = to->conn, .session = to->session,
                          .device = device, .round = to->round};
    return slab_item_begin(*out, &stamp);
}

void push_end(struct buffer *out, size_t start)
{
    slab_item_end(out, start);
}

void core_event(struct storage *s, const struct event *e)
{
    struct event full = *e;
    full.at_ms = s->store_ms;
    record_put(s, &full);
    if (s->out.event) s->out.event(s->out.context, &full);
}
