/* link: LINK_PUT and LINK_GET, for devices that are being linked (PROTOCOL 6.5). The relay sees who meets whom, and no
 * more: what is in a box is sealed under a code that never comes here. Nothing of it is stored. */
#include "storage/core.h"

static bool is_guest(const struct request *r)
{
    return r->stamp.session.number == 0;
}

/* A guest may leave little, as he costs his address little. */
static enum status put_check(const struct request *r)
{
    const struct msg_link_put *m = r->meta;
    if (m->slot >= LINK_SLOTS || !m->bytes.len) return STATUS_MALFORMED;
    if (m->slot < LINK_SLOTS_GUEST) return m->bytes.len <= LINK_GUEST_LEN_MAX ? STATUS_OK : STATUS_TOO_LARGE;
    return is_guest(r) ? STATUS_NO_SESSION : STATUS_OK;
}

enum status link_put_plan(struct storage *s, struct request *r)
{
    const struct msg_link_put *m = r->meta;
    if (!core_owns(s, home_of_link(m->box))) return STATUS_WRONG_HOME;
    return put_check(r);
}

static void put_tell(struct storage *s, const struct request *r, uint32_t slot)
{
    const struct msg_link_put *m = r->meta;
    struct event e = {.kind = !slot ? EVENT_LINK_REQUESTED : m->rejected ? EVENT_LINK_REJECTED : EVENT_LINK_OFFERED,
                      .count = slot ? 0 : boxes_count(s->boxes)};
    if (!is_guest(r)) {
        e.account = mark_account(&s->config.mark_key, r->stamp.account);
        e.device = mark_device(&s->config.mark_key, r->stamp.device);
    }
    core_event(s, &e);
}

void link_put_apply(struct storage *s, struct request *r)
{
    const struct msg_link_put *m = r->meta;
    struct msg_link_has answer;
    bool made;
    size_t before = boxes_bytes(s->boxes);
    enum status status = boxes_put(s->boxes, m->box, m->slot, m->bytes, s->mono_ms, &answer.slots, &made);
    if (status == STATUS_FULL)
        core_event(s, &(struct event){.kind = EVENT_LINK_BOXES_FULL, .count = boxes_count(s->boxes),
                                      .value = boxes_bytes(s->boxes)});
    if (status != STATUS_OK) {
        request_fail(s, r, status == STATUS_FULL ? STATUS_BUSY : status, status == STATUS_FULL ? 5000 : 0);
        return;
    }
    bool is_new = boxes_bytes(s->boxes) != before;
    if (made || (is_new && m->slot == LINK_SLOTS_GUEST)) put_tell(s, r, m->slot);
    request_reply(s, r, KIND_LINK_HAS, &msg_link_has_desc, &answer);
}

enum status link_get_plan(struct storage *s, struct request *r)
{
    const struct msg_link_get *m = r->meta;
    if (!core_owns(s, home_of_link(m->box))) return STATUS_WRONG_HOME;
    return m->slot < LINK_SLOTS ? STATUS_OK : STATUS_MALFORMED;
}

void link_get_apply(struct storage *s, struct request *r)
{
    const struct msg_link_get *m = r->meta;
    struct msg_link_is answer = {0};
    enum status status = boxes_get(s->boxes, m->box, m->slot, s->mono_ms, &answer.slots, &answer.bytes);
    if (status == STATUS_OK)
        request_reply(s, r, KIND_LINK_IS, &msg_link_is_desc, &answer);
    else
        request_fail(s, r, status, 0);
}
