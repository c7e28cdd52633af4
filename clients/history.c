/* history: two tables read as one list. What was sent is held in the outbox until it is pruned; what another device has sent, and what
 * came back with a backup, are rows of the inbox. */
#include "clients/history.h"

#include <stdlib.h>
#include <string.h>

#define ROWS_AT_ONCE 16u

static bool is_nobody(struct account_id account)
{
    static const struct account_id nobody;
    return memcmp(&account, &nobody, sizeof nobody) == 0;
}

static void place_add(struct buffer *out, uint64_t accepted_ms, uint64_t order, bool sent)
{
    const struct history_place place = {accepted_ms, order, sent};
    write_bytes(out, &place, sizeof place);
}

/* Pruned ones have no body any more, and what is empty is no loss. */
static bool is_held(const struct inbox_row *row)
{
    return !row->withheld && !row->closed && row->body.len && row->accepted_ms <= HISTORY_TIME_MAX;
}

static enum status received_list(struct state *state, struct buffer *out)
{
    struct arena one = {0};
    struct inbox_row rows[ROWS_AT_ONCE];
    struct inbox_scan scan = {.which = INBOX_OPENED, .rows = rows, .row_max = ROWS_AT_ONCE};
    enum status s;
    do {
        arena_reset(&one);
        s = state_inbox_scan(state, &scan, &one);
        for (size_t i = 0; i < scan.row_count && s == STATUS_OK; i++) {
            scan.after = rows[i].order;
            if (is_held(&rows[i])) place_add(out, rows[i].accepted_ms, rows[i].order, false);
        }
    } while (s == STATUS_OK && scan.row_count == ROWS_AT_ONCE);
    arena_fini(&one);
    return s;
}

static bool was_sent(const struct outbox_row *row)
{
    return row->level && !row->copy_of && !is_nobody(row->target) && row->receipt.accepted_ms <= HISTORY_TIME_MAX;
}

static enum status sent_list(struct state *state, struct buffer *out)
{
    struct outbox_row *rows = calloc(ROWS_AT_ONCE, sizeof *rows);
    struct outbox_scan scan = {.rows = rows, .row_max = ROWS_AT_ONCE};
    enum status s;
    ENSURE(rows != NULL);
    do {
        s = state_outbox_scan(state, &scan);
        for (size_t i = 0; i < scan.row_count && s == STATUS_OK; i++) {
            scan.after = rows[i].order;
            if (was_sent(&rows[i])) place_add(out, rows[i].receipt.accepted_ms, rows[i].order, true);
        }
    } while (s == STATUS_OK && scan.row_count == ROWS_AT_ONCE);
    free(rows);
    return s;
}

static int compare(const void *left, const void *right)
{
    const struct history_place *a = left, *b = right;
    if (a->accepted_ms != b->accepted_ms) return a->accepted_ms < b->accepted_ms ? -1 : 1;
    if (a->sent != b->sent) return a->sent ? 1 : -1;
    return a->order < b->order ? -1 : a->order > b->order;
}

enum status history_list_in(struct state *state, struct buffer *out)
{
    size_t begin = out->len;
    enum status s = received_list(state, out);
    if (s == STATUS_OK) s = sent_list(state, out);
    if (s == STATUS_OK && out->len > begin)
        qsort(out->at + begin, (out->len - begin) / sizeof(struct history_place), sizeof(struct history_place), compare);
    return s;
}

static enum status received_get(struct state *state, struct arena *a, const struct history_owner *me, uint64_t order,
                                struct history_item *out)
{
    struct inbox_row row;
    struct inbox_scan scan = {.after = order - 1, .rows = &row, .row_max = 1};
    enum status s = state_inbox_scan(state, &scan, a);
    if (s != STATUS_OK) return s;
    if (!scan.row_count || row.order != order || !is_held(&row)) return STATUS_NOT_FOUND;
    bool own = memcmp(&row.sender_account, &me->account, sizeof me->account) == 0;
    *out = (struct history_item){.sender = row.sender_account, .device = row.sender_device, .id = row.id,
                                 .accepted_ms = row.accepted_ms, .sealed = row.sealed, .timed = row.expires_ms != 0,
                                 .expires_ms = row.expires_ms, .payload = row.body};
    if (own) out->to = is_nobody(row.sent_to) ? me->account : row.sent_to;
    return STATUS_OK;
}

static enum status sent_get(struct state *state, struct arena *a, const struct history_owner *me, uint64_t order,
                            struct history_item *out)
{
    struct outbox_row row;
    struct outbox_body body;
    enum status s = state_outbox_get(state, order, &row);
    if (s == STATUS_OK) s = state_body_get(state, order, a, &body);
    if (s != STATUS_OK) return s;
    if (!was_sent(&row) || !body.payload.len) return STATUS_NOT_FOUND;
    *out = (struct history_item){.sender = me->account, .device = me->device, .id = row.id, .to = row.target,
                                 .accepted_ms = row.receipt.accepted_ms, .sealed = row.sealed, .timed = row.ttl_ms != 0,
                                 .expires_ms = row.ttl_ms ? row.expires_ms : 0, .payload = body.payload};
    return STATUS_OK;
}

enum status history_get_in(struct state *state, struct arena *a, const struct history_owner *me, const struct history_place *place,
                           struct history_item *out)
{
    memset(out, 0, sizeof *out);
    return place->sent ? sent_get(state, a, me, place->order, out) : received_get(state, a, me, place->order, out);
}

enum status history_put_in(struct state *state, const struct history_owner *me, const struct history_item *in, uint64_t now_ms,
                           bool *added)
{
    struct outbox_row sent;
    bool ours = memcmp(&in->device, &me->device, sizeof me->device) == 0;
    *added = false;
    enum status s = ours ? state_outbox_find_id(state, in->id, &sent) : STATUS_NOT_FOUND;
    if (s != STATUS_NOT_FOUND) return s; /* it is here as what it is */
    struct inbox_row row = {.sender_account = in->sender, .sender_device = in->device, .id = in->id, .accepted_ms = in->accepted_ms,
                            .received_ms = now_ms, .body = in->payload, .shown = true, .sealed = in->sealed, .sent_to = in->to};
    return state_inbox_put(state, &row, added);
}
