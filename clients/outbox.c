/* outbox: from the application's payload to SEND frames (ARCHITECTURE, steps 1 and 2; PROTOCOL 7).
 * What answers do is in answer.c. Invariants: bytes go to the network only from a row that was
 * committed as `queued` with `submitted` set, its lease running; the bytes of a row only change through
 * `drafted`; one function, outbox_step_in, assigns the state. */
#include "clients/core.h"

#include "broker/wire/identity.h"
#include "clients/wrap.h"

#include <stdlib.h>
#include <string.h>

#define GROUPS_MAX      4u
#define ID_MARGIN_MS    60000u /* a new id is taken this long before the relay would refuse the old */
#define WAKE_STEP_MS    50u /* retries are looked for together */

/* ---- rows ---- */

static void message_tell(struct engine *e, const struct outbox_row *row)
{
    event_put(e, &(struct engine_event){.kind = ENGINE_MESSAGE, .status = row->reason,
                                        .order = row->order, .key = row->key, .id = row->id,
                                        .state = row->state});
}

/* Once ended a message's bytes go; the words of one that did not arrive stay for the user. */
static enum status bytes_drop_in(struct engine *e, const struct outbox_row *row)
{
    struct outbox_body body, rest = {0};
    if (row->state != MESSAGE_SETTLED) {
        enum status s = state_body_get(e->state, row->order, &e->arena, &body);
        if (s != STATUS_OK) return s;
        rest.payload = body.payload;
    }
    return state_body_put(e->state, row->order, &rest);
}

enum status outbox_step_in(struct engine *e, struct now now, struct outbox_row *row,
                           enum message_event event, enum status reason)
{
    enum message_state to, from = row->state;
    enum status was = row->reason;
    enum status s = message_step(from, event, &to);
    if (s != STATUS_OK) return s;
    row->state = to;
    row->reason = reason;
    bool ended = message_class_of(to) == CLASS_ENDED;
    row->ended_ms = ended ? now.wall_ms : 0;
    s = state_outbox_put(e->state, row);
    if (s == STATUS_OK && ended) s = bytes_drop_in(e, row);
    if (s == STATUS_OK && (to != from || was != reason)) message_tell(e, row);
    return s;
}

enum status outbox_later_in(struct engine *e, struct now now, struct outbox_row *row,
                            enum status reason, uint64_t delay_ms)
{
    enum status was = row->reason;
    row->reason = reason;
    row->due_ms = now.wall_ms + delay_ms;
    outbox_wake(e, now, delay_ms);
    enum status s = state_outbox_put(e->state, row);
    if (s == STATUS_OK && was != reason) message_tell(e, row);
    return s;
}

void outbox_wake(struct engine *e, struct now now, uint64_t delay_ms)
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

static bool is_zero(const void *at, size_t len)
{
    const uint8_t *bytes = at;
    for (size_t i = 0; i < len; i++)
        if (bytes[i]) return false;
    return true;
}

void outbox_new_id(struct engine *e, struct now now, struct outbox_row *row)
{
    uint8_t random[10];
    random_fill(e, random, sizeof random);
    row->id = message_id_make(engine_relay_ms(e, now), random);
    row->attempt_count = 0;
    row->digest = (struct hash256){0};
    row->submitted = row->doubtful = row->lost = false;
}

/* The digest of bytes that may have reached the relay is remembered under their id. */
static void attempt_remember(struct outbox_row *row)
{
    if (is_zero(&row->digest, sizeof row->digest)) return;
    if (row->attempt_count == STATE_ATTEMPTS_MAX) {
        memmove(row->attempts, row->attempts + 1,
                (STATE_ATTEMPTS_MAX - 1) * sizeof row->attempts[0]);
        row->attempt_count--;
    }
    row->attempts[row->attempt_count++] = row->digest;
    row->digest = (struct hash256){0};
}

enum status outbox_reseal_in(struct engine *e, struct now now, struct outbox_row *row,
                             enum status reason)
{
    attempt_remember(row);
    row->due_ms = now.wall_ms;
    row->submitted = false;
    outbox_wake(e, now, 0);
    return outbox_step_in(e, now, row, MESSAGE_EVENT_RESEAL, reason);
}

/* ---- sealing: step 1 ---- */

/* PROTOCOL 7.1; `hashes` are those of the parts' ciphertexts, joined. */
static struct hash256 digest_of(struct view item, struct view hashes)
{
    return hash_bytes("sealmq claim 1", item, hashes, view_of(NULL, 0));
}

static void seal_parts(const struct contact *contact, struct view payload, struct msg_part *parts,
                       struct buffer *ciphertext, struct buffer *hashes)
{
    struct view none = view_of(NULL, 0);
    for (size_t i = 0; i < contact->device_count; i++) {
        size_t start = ciphertext->len;
        wrap_opaque(ciphertext, payload);
        size_t len = ciphertext->len - start;
        struct hash256 h = hash_bytes("sealmq ciphertext 1",
                                      view_of(ciphertext->at + start, len), none, none);
        write_bytes(hashes, h.bytes, sizeof h.bytes);
        parts[i] = (struct msg_part){.device = contact->devices[i].device, .len = (uint32_t)len};
    }
}

static enum status outbox_seal_in(struct engine *e, struct now now, struct outbox_row *row,
                                  const struct contact *contact, struct view payload,
                                  struct outbox_body *out)
{
    struct msg_part parts[DEVICES_PER_ACCOUNT];
    struct buffer item = {0}, ciphertext = {0}, hashes = {0};
    struct msg_send_item m = {
        .id = row->id,
        .target = target_of_account(contact->account),
        .key_version = contact->key_version,
        .head = contact->head,
        .ttl_ms = row->ttl_ms,
        .parts = parts,
        .part_count = contact->device_count,
    };
    seal_parts(contact, payload, parts, &ciphertext, &hashes);
    codec_encode(&msg_send_item_desc, &m, &item);
    row->digest = digest_of(buffer_view(&item), buffer_view(&hashes));
    row->part_count = contact->device_count;
    for (size_t i = 0; i < row->part_count; i++)
        row->parts[i] = (struct msg_part_state){.device = parts[i].device};
    *out = (struct outbox_body){.payload = payload,
                                .item = arena_copy(&e->arena, buffer_view(&item)),
                                .ciphertext = arena_copy(&e->arena, buffer_view(&ciphertext))};
    buffer_fini(&item);
    buffer_fini(&ciphertext);
    buffer_fini(&hashes);
    enum status s = state_body_put(e->state, row->order, out);
    if (s != STATUS_OK) return s;
    return outbox_step_in(e, now, row, MESSAGE_EVENT_SEAL, STATUS_OK);
}

/* ---- engine_send ---- */

/* What "the same message" means for one key. */
static struct hash256 content_of(const struct engine_message *m)
{
    uint8_t head[9];
    head[0] = (uint8_t)m->handle.len;
    put_u64(head + 1, m->ttl_ms);
    return hash_bytes("sealmq content 1", view_of(head, sizeof head), m->handle, m->payload);
}

static enum status message_check(const struct engine_message *m)
{
    if (handle_check(m->handle) != STATUS_OK) return STATUS_MALFORMED;
    if (m->payload.len > PAYLOAD_LEN_MAX) return STATUS_TOO_LARGE;
    if (!m->key) return STATUS_OK;
    size_t len = strnlen(m->key, STATE_KEY_LEN_MAX + 1);
    if (len == 0 || len > STATE_KEY_LEN_MAX) return STATUS_MALFORMED;
    for (size_t i = 0; i < len; i++)
        if ((uint8_t)m->key[i] < 0x20 || m->key[i] == 0x7f) return STATUS_MALFORMED;
    return STATUS_OK;
}

/* Whether the relay would take the id now (PROTOCOL 7.1), with a margin on both sides. */
static bool id_is_timely(const struct engine *e, struct now now, struct message_id id)
{
    uint64_t made = message_id_time_ms(id), relay = engine_relay_ms(e, now);
    return made + ID_AGE_MAX_MS > relay + ID_MARGIN_MS &&
           made + ID_MARGIN_MS < relay + ID_AHEAD_MAX_MS;
}

/* Key and message id: the caller's UUIDv7 serves as both; another key gets an id of our own; without a
 * key the id's text is the key. */
static enum status row_name(struct engine *e, struct now now, const char *key,
                            struct outbox_row *row)
{
    struct message_id id;
    struct outbox_row other;
    outbox_new_id(e, now, row);
    if (!key) {
        message_id_text(row->id, row->key.text);
        return STATUS_OK;
    }
    memcpy(row->key.text, key, strlen(key));
    if (message_id_parse(key, &id) != STATUS_OK) return STATUS_OK;
    message_id_text(id, row->key.text); /* one spelling of one UUID */
    if (!message_id_is_v7(id) || !id_is_timely(e, now, id)) return STATUS_OK;
    enum status s = state_outbox_find_id(e->state, id, &other);
    if (s == STATUS_NOT_FOUND) row->id = id;
    return s == STATUS_NOT_FOUND ? STATUS_OK : s;
}

static enum status draft_in(struct engine *e, struct now now, const struct engine_message *m,
                            struct outbox_row *row)
{
    struct outbox_body body = {.payload = m->payload};
    struct contact contact;
    bool known;
    enum status s = state_outbox_put(e->state, row);
    if (s == STATUS_OK) s = contact_find_in(e, row, &contact, &known);
    if (s != STATUS_OK) return s;
    if (known) return outbox_seal_in(e, now, row, &contact, m->payload, &body);
    s = state_body_put(e->state, row->order, &body);
    if (s == STATUS_OK) message_tell(e, row);
    return s;
}

static enum status send_in(struct engine *e, struct now now, const struct engine_message *m,
                           struct outbox_row *row)
{
    struct outbox_row same;
    row->content = content_of(m);
    enum status s = row_name(e, now, m->key, row);
    if (s == STATUS_OK) s = state_outbox_find_key(e->state, &row->key, &same);
    if (s == STATUS_NOT_FOUND) return draft_in(e, now, m, row);
    if (s != STATUS_OK) return s;
    bool equal = memcmp(&same.content, &row->content, sizeof same.content) == 0;
    *row = same;
    return equal ? STATUS_OK : STATUS_ID_REUSED;
}

enum status engine_send(struct engine *e, struct now now, const struct engine_message *message,
                        struct outbox_row *out)
{
    struct outbox_row row = {.state = MESSAGE_DRAFTED, .handle_len = message->handle.len,
                             .ttl_ms = message->ttl_ms, .created_ms = now.wall_ms,
                             .due_ms = now.wall_ms};
    *out = (struct outbox_row){0};
    arena_reset(&e->arena);
    enum status s = message_check(message);
    if (s != STATUS_OK) return s;
    memcpy(row.handle, message->handle.at, message->handle.len);
    s = tx_begin(e, STATE_WRITE);
    if (s == STATUS_OK) s = tx_end(e, send_in(e, now, message, &row));
    (void)engine_fault(e, s);
    if (s == STATUS_OK || s == STATUS_ID_REUSED) *out = row;
    if (s == STATUS_OK) earlier(&e->outbox_ms, now.mono_ms);
    return s;
}

static enum status release_in(struct engine *e, struct now now, const struct message_key *key)
{
    struct outbox_row row;
    enum status s = state_outbox_find_key(e->state, key, &row);
    if (s != STATUS_OK) return s;
    row.rounds = row.tries = 0;
    row.due_ms = now.wall_ms;
    outbox_new_id(e, now, &row);
    outbox_wake(e, now, 0);
    return outbox_step_in(e, now, &row, MESSAGE_EVENT_RELEASE, STATUS_OK);
}

enum status engine_release(struct engine *e, struct now now, const struct message_key *key)
{
    arena_reset(&e->arena);
    enum status s = tx_begin(e, STATE_WRITE);
    if (s == STATUS_OK) s = tx_end(e, release_in(e, now, key));
    (void)engine_fault(e, s);
    return s;
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

/* The draft becomes bytes, where its contact is known. */
static enum status draft_seal_in(struct engine *e, struct now now, struct outbox_row *row,
                                 struct outbox_body *body, bool *ready)
{
    struct contact contact;
    bool known;
    enum status s = contact_find_in(e, row, &contact, &known);
    if (s != STATUS_OK) return s;
    if (!known) return contact_wait_in(e, now, row);
    *ready = true;
    return outbox_seal_in(e, now, row, &contact, body->payload, body);
}

/* Never handed to the network and no longer (or not yet) timely: another id, new bytes. */
static enum status id_renew_in(struct engine *e, struct now now, struct outbox_row *row)
{
    bool sent = row->submitted || row->doubtful || row->lost || row->attempt_count;
    if (sent || id_is_timely(e, now, row->id)) return STATUS_OK;
    outbox_new_id(e, now, row);
    if (row->state == MESSAGE_DRAFTED) return STATUS_OK;
    return outbox_reseal_in(e, now, row, STATUS_OK);
}

/* Brings one due row to its bytes; *ready false when it has to wait (and is leased). */
static enum status row_prepare_in(struct engine *e, struct now now, struct outbox_row *row,
                                  struct outbox_body *body, bool *ready)
{
    *ready = false;
    enum status s = state_body_get(e->state, row->order, &e->arena, body);
    if (s == STATUS_OK) s = id_renew_in(e, now, row);
    if (s != STATUS_OK) return s;
    if (row->state == MESSAGE_DRAFTED) return draft_seal_in(e, now, row, body, ready);
    *ready = true;
    return STATUS_OK;
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

static bool outbox_round(struct engine *e, struct now now)
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

void outbox_drive(struct engine *e, struct now now)
{
    if (!may_ask(e) || outbox_deadline_ms(e) > now.mono_ms) return;
    if (sweep_is_due(e, now)) sweep_begin(e, now);
    e->outbox_ms = NEVER;
    while (outbox_round(e, now))
        ;
}

uint64_t outbox_deadline_ms(const struct engine *e)
{
    uint64_t deadline = e->outbox_ms;
    earlier(&deadline, e->sweep_ms);
    for (size_t i = 0; i < WAKES_MAX; i++)
        earlier(&deadline, e->wakes[i]);
    return deadline;
}
