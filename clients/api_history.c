/* api_history: what a home holds of its conversations, as the rows of an inbox are given. */
#include "clients/api.h"
#include "clients/history.h"

#include "broker/host/host.h"

#include <string.h>

static enum status owner_in(struct sealmq_client *c, struct history_owner *out)
{
    struct state_identity me;
    enum status s = state_identity_get(c->state, &c->history_arena, &me);
    if (s == STATUS_OK) *out = (struct history_owner){me.account, me.device};
    return s;
}

static bool is_with(const struct history_item *item, const struct sealmq_account *with)
{
    return !with || memcmp(item->sender.bytes, with->bytes, sizeof with->bytes) == 0 ||
           memcmp(item->to.bytes, with->bytes, sizeof with->bytes) == 0;
}

/* Keeps of the list what is wanted; what a sender gave a time to live is not told after it. */
static enum status choose_in(struct sealmq_client *c, const struct sealmq_account *with, uint64_t now_ms)
{
    struct history_place *places = (struct history_place *)(void *)c->history.at;
    size_t count = c->history.len / sizeof *places, kept = 0;
    struct history_owner me;
    enum status s = owner_in(c, &me);
    for (size_t i = 0; i < count && s == STATUS_OK; i++) {
        struct history_item item;
        arena_reset(&c->history_arena);
        s = history_get_in(c->state, &c->history_arena, &me, &places[i], &item);
        bool wanted = s == STATUS_OK && is_with(&item, with) && (!item.timed || item.expires_ms > now_ms);
        if (wanted) places[kept++] = places[i];
        if (s == STATUS_NOT_FOUND) s = STATUS_OK;
    }
    c->history.len = kept * sizeof *places;
    return s;
}

enum sealmq_status sealmq_history_list(struct sealmq_client *c, const struct sealmq_account *with, size_t *count)
{
    *count = 0;
    buffer_clear(&c->history);
    enum status s = state_begin(c->state, STATE_READ);
    if (s != STATUS_OK) return api_result(c, s);
    s = history_list_in(c->state, &c->history);
    if (s == STATUS_OK) s = choose_in(c, with, host_now().wall_ms);
    state_rollback(c->state);
    if (s != STATUS_OK) buffer_clear(&c->history);
    *count = c->history.len / sizeof(struct history_place);
    return api_result(c, s);
}

static enum status get_in(struct sealmq_client *c, const struct history_place *place, struct sealmq_received *out)
{
    struct history_item item;
    struct history_owner me;
    enum status s = owner_in(c, &me);
    if (s == STATUS_OK) s = history_get_in(c->state, &c->history_arena, &me, place, &item);
    if (s != STATUS_OK) return s;
    const struct inbox_row row = {.order = place->sent ? 0 : place->order, .sender_account = item.sender, .sender_device = item.device,
                                  .id = item.id, .accepted_ms = item.accepted_ms, .body = item.payload, .sealed = item.sealed,
                                  .sent_to = item.to};
    return received_give(c, &row, &c->history_arena, out);
}

enum sealmq_status sealmq_history_get(struct sealmq_client *c, size_t index, struct sealmq_received *out)
{
    const struct history_place *places = (const struct history_place *)(const void *)c->history.at;
    arena_reset(&c->history_arena);
    enum status s = api_out(out);
    if (s == STATUS_OK && index >= c->history.len / sizeof *places) s = STATUS_NOT_FOUND;
    if (s == STATUS_OK) s = state_begin(c->state, STATE_READ);
    if (s != STATUS_OK) return api_result(c, s);
    s = get_in(c, &places[index], out);
    state_rollback(c->state);
    return api_result(c, s);
}
