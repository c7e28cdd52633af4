/* status: what became of a sender's own messages, from the state before this turn. Staged in bulk:
 * claims first (planned), then all deliveries they name. */
#include "storage/claim.h"
#include "storage/delivery.h"

/* Of reports in one answer: with 64 messages to 16 devices each the rest of it takes some 50 KiB. */
#define REPORT_BYTES_MAX (FRAME_META_LEN_MAX - 64u * 1024u)

enum status status_plan(struct storage *s, struct request *r)
{
    const struct msg_status *m = r->meta;
    struct claim_look *looks = arena_array(&s->turn.arena, m->item_count, sizeof *looks);
    for (size_t i = 0; i < m->item_count; i++) {
        struct message_ref ref = {r->stamp.device, m->items[i].target, m->items[i].id};
        claim_want(s, &ref, 0, &looks[i]);
    }
    r->plan = looks;
    return STATUS_OK;
}

static bool read_claim(struct storage *s, const struct request *r, size_t i,
                       struct claim_row *claim, struct msg_accepted *accepted)
{
    const struct msg_status_ask *ask = &((const struct msg_status *)r->meta)->items[i];
    const struct claim_look *looks = r->plan;
    struct message_ref ref = {r->stamp.device, ask->target, ask->id};
    return delivery_claim(s, claim_get(s, &ref, &looks[i]), claim, accepted);
}

void status_apply(struct storage *s, struct request *r)
{
    const struct msg_status *m = r->meta;
    struct arena *a = &s->turn.arena;
    size_t cap = m->item_count * DEVICES_PER_ACCOUNT, count = 0;
    struct delivery_ask *asks = arena_array(a, cap, sizeof *asks);
    struct msg_part_state **answers = arena_array(a, cap, sizeof(struct msg_part_state *));
    struct msg_status_is reply = {.item_count = m->item_count};
    reply.items = arena_array(a, m->item_count, sizeof *reply.items);
    for (size_t i = 0; i < m->item_count; i++) {
        struct msg_status_item *item = &reply.items[i];
        struct claim_row claim;
        struct msg_accepted accepted;
        item->target = m->items[i].target;
        item->id = m->items[i].id;
        item->status = core_owns(s, home_of_target(item->target)) ? STATUS_NOT_FOUND
                                                                  : STATUS_WRONG_HOME;
        if (item->status == STATUS_WRONG_HOME || !read_claim(s, r, i, &claim, &accepted))
            continue;
        item->status = STATUS_OK;
        item->part_count = accepted.part_count;
        item->parts = arena_array(a, accepted.part_count, sizeof *item->parts);
        for (size_t k = 0; k < accepted.part_count; k++) {
            struct delivery_ask *ask = &asks[count];
            bool open = delivery_part_of(&accepted.parts[k], home_of_target(item->target),
                                         claim.accepted_ms, ask);
            item->parts[k] = ask->answer;
            if (open) answers[count++] = &item->parts[k];
        }
    }
    if (delivery_resolve(s, asks, count) != STATUS_OK) {
        request_fail(s, r, STATUS_BUSY, 1000);
        return;
    }
    for (size_t i = 0, bytes = 0; i < count; i++) {
        *answers[i] = asks[i].answer;
        bytes += answers[i]->report.len;
        if (bytes > REPORT_BYTES_MAX) answers[i]->report = view_of(NULL, 0);
    }
    request_reply(s, r, KIND_STATUS_IS, &msg_status_is_desc, &reply);
}
