/* submit: from kept bytes to SEND frames (ARCHITECTURE, step 2; PROTOCOL 7): which rows are due, which
 * share a frame, how much is under way. Looks forward through the outbox behind a cursor, and from its
 * beginning when a retry is due or another process may have written. Invariant: bytes go to the network
 * only from a row that was committed as `queued` with `submitted` set and its lease running. */
#include "clients/drift.h"

#include <stdlib.h>
#include <string.h>

#define GROUPS_MAX   4u
#define WAKE_STEP_MS 50u /* retries are looked for together */

/* ---- when to look ---- */

void submit_wake(struct engine *e, struct now now, uint64_t delay_ms)
{
    uint64_t at = now.mono_ms;
    if (delay_ms) at += delay_ms + WAKE_STEP_MS - (at + delay_ms) % WAKE_STEP_MS;
    size_t free_slot = WAKES_MAX;
    for (size_t i = 0; i < WAKES_MAX; i++) {
        if (e->wakes[i] == at) return;
        if (e->wakes[i] == NEVER) free_slot = i;
    }
    if (free_slot < WAKES_MAX) e->wakes[free_slot] = at;
}

static bool sweep_is_due(const struct engine *e, struct now now)
{
    bool due = e->sweep_ms <= now.mono_ms;
    for (size_t i = 0; i < WAKES_MAX; i++)
        due = due || e->wakes[i] <= now.mono_ms;
    return due;
}

static void sweep_begin(struct engine *e, struct now now)
{
    for (size_t i = 0; i < WAKES_MAX; i++)
        if (e->wakes[i] <= now.mono_ms) e->wakes[i] = NEVER;
    e->sweep_ms = now.mono_ms + e->config.poll_ms;
    e->outbox_after = 0;
}

/* ---- one SEND frame in the making: step 2 ---- */

struct group {
    struct send_batch *batch;
    struct store_id store;
    uint16_t home;
    struct view items[SENDS_PER_FRAME];
    struct view ciphertexts[SENDS_PER_FRAME];
    struct msg_lost_item lost[SENDS_PER_FRAME];
    size_t lost_count;
    size_t meta_len;
};

struct groups {
    struct group at[GROUPS_MAX];
    size_t count;
    size_t count_max; /* what the request table has room for */
};

#define ITEM_META_MAX 160u /* what an item may add to meta besides its bytes: tags and a receipt */

static bool group_has_room(const struct engine *e, const struct group *g,
                           const struct outbox_body *body)
{
    const struct send_batch *b = g->batch;
    if (b->count == 0) return true;
    return b->count < e->batch_max && b->bytes + body->ciphertext.len <= SEND_BATCH_BYTES &&
           g->meta_len + body->item.len + ITEM_META_MAX <= FRAME_META_LEN_MAX;
}

/* The open group of the row's store, a new one, or NULL. */
static struct group *group_for(struct engine *e, struct groups *groups,
                               const struct outbox_row *row, const struct outbox_body *body)
{
    uint16_t home = home_of_account(row->target);
    struct store_id store;
    bool known = store_of(e, home, &store);
    for (size_t i = 0; i < groups->count; i++) {
        struct group *g = &groups->at[i];
        bool fits = known ? memcmp(&g->store, &store, sizeof store) == 0 : g->home == home;
        if (fits && group_has_room(e, g, body)) return g;
    }
    if (groups->count == groups->count_max || e->send_bytes >= SEND_FLIGHT_BYTES) return NULL;
    struct group *g = &groups->at[groups->count++];
    *g = (struct group){.store = store, .home = home,
                        .batch = arena_alloc(&e->arena, sizeof *g->batch)};
    return g;
}

static void group_add(struct engine *e, struct group *g, const struct outbox_row *row,
                      const struct outbox_body *body)
{
    struct send_batch *b = g->batch;
    size_t i = b->count++;
    if (row->lost)
        g->lost[g->lost_count++] = (struct msg_lost_item){.index = (uint32_t)i,
                                                          .receipt = row->receipt};
    g->items[i] = body->item;
    g->ciphertexts[i] = body->ciphertext;
    b->items[i].order = row->order;
    b->items[i].digest = row->digest;
    b->bytes += body->ciphertext.len;
    g->meta_len += body->item.len + ITEM_META_MAX;
    e->send_bytes += body->ciphertext.len;
}

static void group_send(struct engine *e, struct now now, struct group *g)
{
    struct msg_send m = {.items = g->items, .item_count = g->batch->count, .lost = g->lost,
                         .lost_count = g->lost_count};
    struct buffer *frame;
    struct request *r = request_begin(e, now, KIND_SEND, g->home, &msg_send_desc, &m, &frame);
    ENSURE(r); /* groups_open counted */
    buffer_reserve(frame, g->batch->bytes);
    for (size_t i = 0; i < g->batch->count; i++)
        write_view(frame, g->ciphertexts[i]);
    r->batch = malloc(sizeof *r->batch);
    if (!r->batch) abort();
    *r->batch = *g->batch;
    e->sends_under_way++;
}

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

static struct groups *groups_open(struct engine *e)
{
    struct groups *groups = arena_alloc_raw(&e->arena, sizeof *groups);
    size_t room = min_size(SEND_FRAMES_MAX - e->sends_under_way, REQUESTS_MAX - e->request_count);
    room = min_size(room, FRAMES_MAX - e->frame_count);
    groups->count = 0;
    groups->count_max = min_size(room, GROUPS_MAX);
    return groups;
}

/* ---- from row to group ---- */

/* A device that has asked to have it again, and has left no prekeys a moment ago. */
static bool awaits_absent(const struct engine *e, struct now now, const struct outbox_row *row, const struct identity_log *log)
{
    for (size_t i = 0; row->attempt && i < log->device_count; i++)
        if (resend_has(row, log->devices[i].id) && absent_is(&e->absent, now, log->devices[i].id, ABSENT_AGAIN_MS)) return true;
    return false;
}

/* The draft becomes bytes, where its contact is known. */
static enum status draft_seal_in(struct engine *e, struct now now, struct outbox_row *row,
                                 struct outbox_body *body, bool *ready)
{
    struct contact contact;
    bool known;
    enum status s = contact_find_in(e, row, &contact, &known);
    if (s != STATUS_OK) return s;
    if (!known || row->fresh) return contact_wait_in(e, now, row);
    if (contact.hold != LOSS_NONE && !row->attempt)
        return outbox_step_in(e, now, row, MESSAGE_EVENT_HOLD, hold_reason(contact.hold));
    bool vain = row->attempt ? !resend_any(row, &contact) : copy_is_vain(e, row, &contact.log);
    if (vain) return outbox_refuse_in(e, now, row, STATUS_REFUSED);
    s = outbox_seal_in(e, now, row, &contact, body, ready);
    if (s != STATUS_OK || *ready) return s;
    if (awaits_absent(e, now, row, &contact.log)) return outbox_later_in(e, now, row, STATUS_NO_PREKEYS, ABSENT_AGAIN_MS);
    return contact_claim_in(e, now, row);
}

/* Never handed to the network and no longer (or not yet) timely: another id, new bytes. */
static enum status id_renew_in(struct engine *e, struct now now, struct outbox_row *row)
{
    bool sent = row->submitted || row->doubtful || row->lost || row->attempt_count || row->attempt;
    if (sent || row->copy_of || id_is_timely(e, now, row->id)) return STATUS_OK;
    outbox_new_id(e, now, row);
    if (row->state == MESSAGE_DRAFTED) return STATUS_OK;
    return outbox_reseal_in(e, now, row, STATUS_OK);
}

/* Brings one due row to its bytes; *ready false when it has to wait (and is leased). */
static enum status row_prepare_in(struct engine *e, struct now now, struct outbox_row *row,
                                  struct outbox_body *body, bool *ready)
{
    bool wait = false;
    *ready = false;
    enum status s = state_body_get(e->state, row->order, &e->arena, body);
    if (s == STATUS_OK) s = id_renew_in(e, now, row);
    if (s != STATUS_OK) return s;
    *ready = row->state != MESSAGE_DRAFTED;
    if (!*ready) s = draft_seal_in(e, now, row, body, ready);
    if (s == STATUS_OK && *ready) s = policy_sending_in(e, now, row->target, &wait);
    *ready = *ready && !wait;
    return s == STATUS_OK && wait ? outbox_later_in(e, now, row, row->reason, RETRY_MIN_MS) : s;
}

/* The lease: until then nobody else, nor a later look of ours, submits it. */
static enum status row_submit_in(struct engine *e, struct now now, struct outbox_row *row)
{
    row->doubtful = row->doubtful || row->submitted;
    row->submitted = true;
    row->due_ms = now.wall_ms + e->config.request_timeout_ms + 1000;
    return outbox_step_in(e, now, row, MESSAGE_EVENT_SUBMIT, row->reason);
}

/* Looks at rows behind the cursor; *full: there may be more behind it. */
static enum status round_in(struct engine *e, struct now now, struct groups *groups, bool *full)
{
    struct outbox_scan scan = {.class = CLASS_WORK, .after = e->outbox_after,
                               .due_ms = now.wall_ms, .row_max = SENDS_PER_FRAME};
    scan.rows = arena_array(&e->arena, scan.row_max, sizeof *scan.rows);
    enum status s = state_outbox_scan(e->state, &scan);
    *full = s == STATUS_OK && scan.row_count == scan.row_max;
    for (size_t i = 0; i < scan.row_count && s == STATUS_OK; i++) {
        struct outbox_row *row = &scan.rows[i];
        struct outbox_body body;
        bool ready;
        s = row_prepare_in(e, now, row, &body, &ready);
        struct group *g = s == STATUS_OK && ready ? group_for(e, groups, row, &body) : NULL;
        if (s == STATUS_OK && ready && !g) {
            *full = false; /* no room: an answer will bring us back to this row */
            return STATUS_OK;
        }
        if (g) s = row_submit_in(e, now, row);
        if (g && s == STATUS_OK) group_add(e, g, row, &body);
        e->outbox_after = row->order;
    }
    return s;
}

/* A look that finds nothing shall not take the writers' lock. */
static bool anything_due(struct engine *e, struct now now)
{
    struct outbox_row row;
    struct outbox_scan scan = {.class = CLASS_WORK, .after = e->outbox_after,
                               .due_ms = now.wall_ms, .rows = &row, .row_max = 1};
    enum status s = tx_begin(e, STATE_READ);
    if (s == STATUS_OK) s = tx_end(e, state_outbox_scan(e->state, &scan));
    return engine_fault(e, s) && scan.row_count > 0;
}

static bool submit_round(struct engine *e, struct now now)
{
    bool full = false;
    size_t bytes = e->send_bytes;
    uint64_t after = e->outbox_after;
    arena_reset(&e->arena);
    struct groups *groups = groups_open(e);
    if (!groups->count_max || e->send_bytes >= SEND_FLIGHT_BYTES || !anything_due(e, now))
        return false;
    enum status s = tx_begin(e, STATE_WRITE);
    if (s == STATUS_OK) s = tx_end(e, round_in(e, now, groups, &full));
    if (!engine_fault(e, s)) {
        e->send_bytes = bytes;
        e->outbox_after = after;
        earlier(&e->outbox_ms, now.mono_ms + WAKE_STEP_MS);
        return false;
    }
    for (size_t i = 0; i < groups->count; i++)
        group_send(e, now, &groups->at[i]);
    return full;
}

void submit_drive(struct engine *e, struct now now)
{
    if (!may_ask(e) || submit_deadline_ms(e) > now.mono_ms) return;
    if (sweep_is_due(e, now)) sweep_begin(e, now);
    e->outbox_ms = NEVER;
    while (submit_round(e, now))
        ;
}

uint64_t submit_deadline_ms(const struct engine *e)
{
    uint64_t deadline = e->outbox_ms;
    earlier(&deadline, e->sweep_ms);
    for (size_t i = 0; i < WAKES_MAX; i++)
        earlier(&deadline, e->wakes[i]);
    return deadline > e->sends_held_ms ? deadline : e->sends_held_ms;
}
