/* resend: a later attempt takes the place of what a device could not open, or the relay's disk has damaged (PROTOCOL
 * 10.7). What has become of the message is looked up for all resends of a turn at once, before the turn changes anything;
 * what the turn then changes of it makes the item wait for the next one. Invariants: a delivery is superseded once, in
 * the commit that accepts what takes its place; the row of its place leads from each attempt to the next. */
#include "storage/send.h"

#include <string.h>

void resend_want(struct storage *s, struct send_item *it)
{
    if (!it->item.attempt) return;
    it->resend = arena_alloc(&s->turn.arena, sizeof *it->resend);
    it->resend->status = STATUS_REFUSED; /* until something is found */
    it->resend->looked = !newest_knows_new(s->newest, it->ref.sender, it->ref.target, it->ref.id);
    if (it->resend->looked) claim_want(s, &it->ref, 0, &it->resend->first);
}

/* ---- what has become of it, before the turn ---- */

static const struct msg_accepted_part *accepted_part(const struct msg_accepted *accepted, struct device_id device)
{
    for (size_t i = 0; i < accepted->part_count; i++)
        if (device_equal(accepted->parts[i].device, device)) return &accepted->parts[i];
    return NULL;
}

/* Puts the questions about the item's parts at `asks`; their number, 0 where nothing is to be asked. */
static size_t ask_parts(struct storage *s, struct send_item *it, struct delivery_ask *asks)
{
    struct claim_row claim;
    struct msg_accepted accepted;
    struct view value = claim_get(s, &it->ref, &it->resend->first);
    if (!value.at) return 0;
    if (!delivery_claim(s, value, &claim, &accepted)) {
        it->resend->status = STATUS_BUSY;
        return 0;
    }
    for (size_t i = 0; i < it->item.part_count; i++) {
        const struct msg_accepted_part *part = accepted_part(&accepted, it->item.parts[i].device);
        uint16_t home = home_of_target(it->item.target);
        if (!part || !delivery_part_of(part, home, claim.accepted_ms, &asks[i])) return 0;
    }
    it->resend->status = STATUS_OK;
    it->resend->expires_ms = claim.expires_ms;
    it->resend->asks = asks;
    return it->item.part_count;
}

static bool is_asked(const struct send_item *it)
{
    return it->early == STATUS_OK && it->resend && it->resend->looked;
}

void resend_look(struct storage *s)
{
    size_t cap = 0, count = 0;
    for (const struct request *r = s->running; r; r = r->next) {
        const struct send_plan *plan = r->handler && r->handler->kind == KIND_SEND ? r->plan : NULL;
        for (size_t i = 0; plan && i < plan->count; i++)
            if (is_asked(&plan->items[i])) cap += plan->items[i].item.part_count;
    }
    if (!cap) return;
    struct delivery_ask *asks = arena_array(&s->turn.arena, cap, sizeof *asks);
    for (const struct request *r = s->running; r; r = r->next) {
        const struct send_plan *plan = r->handler && r->handler->kind == KIND_SEND ? r->plan : NULL;
        for (size_t i = 0; plan && i < plan->count; i++)
            if (is_asked(&plan->items[i])) count += ask_parts(s, &plan->items[i], asks + count);
    }
    if (delivery_resolve(s, asks, count) != STATUS_OK) return; /* then nothing of this turn is written or answered */
}

/* ---- the decision ---- */

static struct store_key own_key(const struct delivery_ask *ask)
{
    return key_position(ROW_OUTCOME, ask->home, ask->device, ask->final);
}

/* The content is the first attempt's, as far as the relay can tell: of what is damaged it knows nothing any more. */
static bool commits_to_the_same(const struct delivery_ask *ask, const struct msg_send_item *item)
{
    return ask->answer.reason == FAIL_DAMAGED ||
           memcmp(&ask->commitment, &item->commitment, sizeof item->commitment) == 0;
}

static enum status check_part(struct storage *s, const struct delivery_ask *ask, const struct msg_send_item *item)
{
    struct store_key own = own_key(ask);
    enum delivery_state next;
    if (ask->answer.outcome == OUTCOME_REVOKED) return STATUS_OK; /* the gate names it, and the others can go without it */
    if (turn_changed(&s->turn, SPACE_ROUTING, &own)) return STATUS_BUSY;
    if (delivery_step((enum delivery_state)ask->answer.state, EVENT_REPLACE, &next) != STATUS_OK) return STATUS_REFUSED;
    if (!ask->parked) return STATUS_BUSY; /* it cannot be read at present */
    if (ask->answer.reason == FAIL_HELD || ask->answer.attempt >= item->attempt) return STATUS_REFUSED;
    return commits_to_the_same(ask, item) ? STATUS_OK : STATUS_REFUSED;
}

enum status resend_check(struct storage *s, const struct send_item *it)
{
    const struct resend *re = it->resend;
    if (re->status != STATUS_OK) return re->status;
    if (re->expires_ms <= s->turn.now_ms) return STATUS_REFUSED;
    for (size_t i = 0; i < it->item.part_count; i++) {
        enum status status = check_part(s, &re->asks[i], &it->item);
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}

void resend_replace(struct storage *s, const struct send_item *it, size_t part, struct mailbox *m, struct position at)
{
    const struct delivery_ask *ask = &it->resend->asks[part];
    struct store_key own = own_key(ask);
    struct store_key parked = key_position(ROW_PARKED, ask->home, ask->device, ask->final);
    struct outcome_row row = {.outcome = OUTCOME_REPLACED, .at_ms = s->turn.now_ms, .moved_to = at,
                              .attempt = it->item.attempt};
    turn_put(&s->turn, SPACE_ROUTING, &own, outcome_row_write(&s->turn.arena, &row));
    turn_remove(&s->turn, SPACE_PAYLOAD, &parked);
    core_parked(s, m, false);
}
