/* storage: the core's round: take in, gather a turn, load, apply, commit, let go. The dispatcher is one
 * table; what each kind does is in the file of its noun. Invariant: nothing leaves through `after`
 * before the batch that caused it is written. */
#include "storage/claim.h"

#include <stdlib.h>
#include <string.h>

#define STATS_EVERY_MS 1000u
#define RIPE_ITEMS     (TURN_ITEMS_MAX / 2)
#define RIPE_BYTES     (TURN_BYTES_MAX / 4)
#define READ_AHEAD_MAX (4u * TURN_ITEMS_MAX) /* items taken apart before their turn: bounds their memory */

#define HANDLER(KIND, reads, name) {KIND_##KIND, reads, &msg_##name##_desc, sizeof(struct msg_##name)
static const struct handler handlers[] = {
    HANDLER(SEND, false, send), send_read, send_plan, send_apply},
    HANDLER(ACK, false, ack), NULL, ack_plan, ack_apply},
    HANDLER(HELLO, false, hello), NULL, hello_plan, hello_apply},
    HANDLER(BYE, false, empty), NULL, bye_plan, bye_apply},
    HANDLER(REGISTER, false, register), NULL, register_plan, register_apply},
    HANDLER(APPEND, false, append), NULL, append_plan, append_apply},
    HANDLER(CLAIM_HANDLE, false, claim_handle), NULL, claim_handle_plan, claim_handle_apply},
    HANDLER(PUBLISH, false, publish), NULL, publish_plan, publish_apply},
    HANDLER(CLAIM_PREKEYS, false, claim_prekeys), NULL, claim_prekeys_plan, claim_prekeys_apply},
    HANDLER(LINK_PUT, false, link_put), NULL, link_put_plan, link_put_apply},
    HANDLER(LINK_GET, true, link_get), NULL, link_get_plan, link_get_apply},
    HANDLER(CONTACTS_SET, false, contacts_set), NULL, contacts_set_plan, contacts_set_apply},
    HANDLER(CONTACTS_GET, true, contacts_get), NULL, contacts_get_plan, contacts_get_apply},
    HANDLER(BACKUP_PUT, false, backup_put), NULL, backup_put_plan, backup_put_apply},
    HANDLER(LEASE, false, lease), NULL, lease_plan, lease_apply},
    HANDLER(WOKEN, false, woken), NULL, woken_plan, woken_apply},
    HANDLER(RECORD, false, record), NULL, record_plan, record_apply},
    HANDLER(LOOKUP, true, lookup), NULL, lookup_plan, lookup_apply},
    HANDLER(BACKUP_GET, true, backup_get), NULL, backup_get_plan, backup_get_apply},
    HANDLER(STATUS, true, status), NULL, status_plan, status_apply},
    HANDLER(TERMS, true, terms), NULL, terms_plan, terms_apply},
    HANDLER(EXPLAIN, true, explain), NULL, explain_plan, explain_apply},
    HANDLER(EVENTS, true, events), NULL, events_plan, events_apply},
    HANDLER(HOLD, false, hold), NULL, hold_plan, hold_apply},
    HANDLER(DEVICES, true, devices), NULL, devices_plan, devices_apply},
    HANDLER(DRIFT, true, empty), NULL, drift_plan, drift_apply},
};

static const struct handler *handler_of(uint8_t kind)
{
    for (size_t i = 0; i < sizeof handlers / sizeof handlers[0]; i++)
        if (handlers[i].kind == (enum frame_kind)kind) return &handlers[i];
    return NULL;
}

bool core_owns(const struct storage *s, uint16_t home)
{
    return home >= s->config.partition_first && home <= s->config.partition_last;
}

static size_t frame_len(const struct request *r)
{
    return FRAME_HEADER_LEN + r->frame.meta.len + r->frame.body.len;
}

/* ---- opening and closing ---- */

enum status storage_open(const struct storage_config *config, struct store *store,
                         const struct storage_out *out, const struct storage_seed *seed,
                         struct now now, struct storage **result)
{
    ENSURE(config->broker_count <= STORAGE_BROKERS_MAX && config->receipt_key_count > 0 &&
           config->stamp_key);
    struct storage *s = calloc(1, sizeof *s);
    ENSURE(s != NULL);
    *result = NULL;
    s->state = STORE_COLLECTING;
    s->config = *config;
    s->store = store;
    s->out = *out;
    s->boot = seed->boot;
    s->durability = store->ops->durability_max;
    s->mailboxes = table_new(sizeof(struct device_id), MAILBOXES_MAX, seed->table);
    s->accounts = table_new(sizeof(struct account_id), ACCOUNTS_TABLE_MAX, seed->table);
    s->contacts = table_new(sizeof(struct contact_pair), CONTACTS_CACHED_MAX + 64u * TURN_ITEMS_MAX, seed->table);
    s->prekey_meter = prekey_meter_new(PREKEY_PAIRS_MAX, seed->table);
    s->boxes = boxes_new(seed->table);
    s->recovery_meter = recovery_meter_new(RECOVERY_ACCOUNTS_MAX, seed->table);
    s->mono_base_ms = s->mono_ms = now.mono_ms;
    s->disk_free_percent = 100;
    turn_begin(&s->turn, now.wall_ms, s->term, 0);
    enum status status = terms_open(s, seed, now);
    if (status != STATUS_OK) {
        storage_free(&s);
        return status;
    }
    s->stale.since_ms = s->stale.rate_from_ms = s->store_ms;
    s->wall_base_ms = s->store_ms; /* not behind what an earlier term has seen */
    record_open(s);
    admission_open(s);
    *result = s;
    return STATUS_OK;
}

static void free_tables(struct storage *s)
{
    size_t slot = 0;
    for (struct mailbox *m; (m = table_next(s->mailboxes, &slot));)
        mailbox_free(&m);
    slot = 0;
    for (struct account *a; (a = table_next(s->accounts, &slot));)
        account_free(a);
    slot = 0;
    for (void *said; (said = table_next(s->contacts, &slot));)
        free(said);
    table_free(&s->mailboxes);
    newest_free(&s->newest);
    table_free(&s->accounts);
    table_free(&s->contacts);
    prekey_meter_free(&s->prekey_meter);
    boxes_free(&s->boxes);
    recovery_meter_free(&s->recovery_meter);
    free(s->listed);
}

void storage_free(struct storage **pointer)
{
    struct storage *s = *pointer;
    if (!s) return;
    free_tables(s);
    for (size_t i = 0; i < STORAGE_BROKERS_MAX; i++) {
        buffer_fini(&s->peers[i].at_once);
        buffer_fini(&s->peers[i].after);
        buffer_fini(&s->peers[i].written);
        buffer_fini(&s->peers[i].map);
    }
    arena_fini(&s->input);
    arena_fini(&s->running_input);
    arena_fini(&s->written_input);
    turn_fini(&s->turn);
    turn_fini(&s->written);
    free(s);
    *pointer = NULL;
}

struct term storage_term(const struct storage *s)
{
    return s->term;
}

/* ---- time ---- */

bool core_may_expire(const struct storage *s)
{
    return !s->clock_jumped && s->mono_ms >= s->expiry_from_ms;
}

/* Store time never runs back, and does not follow a wall clock that jumped by more than an hour. */
static void set_time(struct storage *s, struct now now)
{
    s->mono_ms = now.mono_ms;
    uint64_t expected = s->wall_base_ms + (now.mono_ms - s->mono_base_ms);
    uint64_t off = now.wall_ms > expected ? now.wall_ms - expected : expected - now.wall_ms;
    bool jumped = off > CLOCK_JUMP_MS;
    uint64_t wall = jumped ? expected : now.wall_ms;
    if (wall > s->store_ms) s->store_ms = wall;
    if (jumped && !s->clock_jumped)
        core_event(s, &(struct event){.kind = EVENT_CLOCK_JUMPED, .count = off});
    s->clock_jumped = jumped;
}

/* ---- taking in ---- */

static struct request *request_new(struct storage *s, const struct stamp *stamp, size_t broker,
                                   const struct frame *frame)
{
    struct request *r = arena_alloc(&s->input, sizeof *r);
    r->stamp = *stamp;
    r->broker = broker;
    r->frame = *frame;
    r->handler = handler_of(frame->header.kind);
    return r;
}

static enum status admit(struct storage *s, struct request *r)
{
    if (!r->handler) return STATUS_UNSUPPORTED;
    if (s->state == STORE_COLLECTING || s->state == STORE_DRAINING) return STATUS_BUSY;
    if (s->queued >= 2 * (size_t)s->config.credit) return STATUS_BUSY;
    r->meta = arena_alloc(&s->input, r->handler->meta_size);
    enum status status = codec_decode(r->handler->desc, r->frame.meta, &s->input, r->meta);
    if (status == STATUS_OK) r->weight = request_weight(r);
    if (status == STATUS_OK && r->handler->read && s->queued_weight < READ_AHEAD_MAX)
        status = r->handler->read(s, r, &s->input);
    return status;
}

static void enqueue(struct storage *s, struct request *r)
{
    if (s->last)
        s->last->next = r;
    else
        s->first = r;
    s->last = r;
    s->queued++;
    s->queued_weight += r->weight;
    s->queued_bytes += frame_len(r);
}

/* Who may have written what came under this origin. A broker says with the stamp of a session what
 * became of it (CLOSED, UNDELIVERED); what its clients say it has checked itself. */
static unsigned from_of(enum origin origin)
{
    switch (origin) {
    case ORIGIN_EDGE: return FROM_CLIENT | FROM_RELAY;
    case ORIGIN_WORKER: return FROM_WORKER;
    case ORIGIN_ADMIN: return FROM_ADMIN;
    case ORIGIN_PEER: break;
    }
    return FROM_RELAY | FROM_WORKER;
}

static void take_item(struct storage *s, size_t broker, const struct stamp *stamp,
                      struct view bytes)
{
    struct frame frame;
    enum status status = frame_check(bytes, (enum frame_from)from_of(stamp->origin), &frame);
    if (status == STATUS_OK && peer_item(s, broker, stamp, &frame)) return;
    struct request *r = request_new(s, stamp, broker, &frame);
    if (status == STATUS_OK) status = admit(s, r);
    if (status == STATUS_OK) {
        enqueue(s, r);
    } else {
        r->handler = NULL;
        if (frame.header.correlation) request_fail(s, r, status, 100);
    }
}

void storage_slab(struct storage *s, struct now now, size_t broker, struct view slab)
{
    struct slab_header header;
    struct slab_reader reader;
    struct stamp stamp;
    struct view frame;
    set_time(s, now);
    ENSURE(broker < s->config.broker_count);
    if (slab_open(slab, &header, &reader) != STATUS_OK || header.role != ROLE_BROKER) {
        core_event(s, &(struct event){.kind = EVENT_FRAME_REFUSED, .code = STATUS_MALFORMED});
        return;
    }
    if (storage_queue_empty(s)) arena_reset(&s->input);
    peer_heard(s, broker, &header);
    while (slab_next(&reader, &stamp, &frame))
        take_item(s, broker, &stamp, frame);
    if (slab_done(&reader) != STATUS_OK)
        core_event(s, &(struct event){.kind = EVENT_FRAME_REFUSED, .code = STATUS_MALFORMED});
    for (size_t i = 0; i < s->config.broker_count; i++)
        peer_flush(s, i); /* refusals, and SUPERSEDED to another broker: they rest on nothing (but leave in
                           * order, after the turn under way) */
}

bool storage_queue_empty(const struct storage *s)
{
    return !s->first && !s->in_turn && !s->writing;
}

bool storage_took_all(const struct storage *s)
{
    return !s->left_over;
}

bool storage_has_requests(const struct storage *s)
{
    return s->first != NULL;
}

static bool ripe(size_t weight, size_t bytes)
{
    return weight >= RIPE_ITEMS || bytes >= RIPE_BYTES;
}

bool storage_is_ripe(const struct storage *s)
{
    return ripe(s->queued_weight, s->queued_bytes);
}

bool storage_turn_was_ripe(const struct storage *s)
{
    return ripe(s->running_weight, s->running_bytes);
}

bool storage_writes(const struct storage *s)
{
    return s->written.batch.op_count > 0;
}

bool storage_full(const struct storage *s)
{
    return s->left_over || s->queued_weight >= TURN_ITEMS_MAX || s->queued_bytes >= TURN_BYTES_MAX;
}

bool storage_wants_turn(const struct storage *s, struct now now)
{
    if (s->state == STORE_COLLECTING) return false;
    if (s->first || s->sweep_due || s->listed_count) return true;
    if (s->state == STORE_DRAINING && s->dirty) return true;
    return s->hot && now.mono_ms >= s->hot_at_ms;
}

/* ---- the turn ---- */

/* Takes requests up to the limit. Reads run on the state before the turn, so one that came behind a
 * write waits for the next turn. */
static struct request *gather(struct storage *s)
{
    struct request *running = NULL, **running_end = &running, **link = &s->first;
    size_t weight = 0, bytes = 0;
    bool writes = false;
    s->last = NULL;
    while (*link) {
        struct request *r = *link;
        bool full = weight >= TURN_ITEMS_MAX || bytes >= TURN_BYTES_MAX;
        if (full || (r->handler->reads && writes)) {
            s->last = r;
            link = &r->next;
            continue;
        }
        *link = r->next;
        r->next = NULL;
        *running_end = r;
        running_end = &r->next;
        writes = writes || !r->handler->reads;
        weight += r->weight;
        bytes += frame_len(r);
        s->queued--;
        s->queued_weight -= r->weight;
    }
    s->queued_bytes -= bytes;
    s->running_weight = weight;
    s->running_bytes = bytes;
    return running;
}

/* Requests that wait may share memory with those that run; only when none is left over does the memory go
 * with the turn, and the next ones come into memory that no turn uses any more. */
static void pass_input(struct storage *s)
{
    struct arena unused = s->running_input;
    s->left_over = s->first != NULL;
    if (s->left_over) return;
    arena_reset(&unused);
    s->running_input = s->input;
    s->input = unused;
}

static void plan_all(struct storage *s)
{
    for (struct request *r = s->running; r; r = r->next) {
        enum status status = STATUS_OK;
        if (r->handler->read && !r->plan) status = r->handler->read(s, r, &s->turn.arena);
        if (status == STATUS_OK) status = r->handler->plan(s, r);
        if (status == STATUS_OK) continue;
        request_fail(s, r, status, 0);
        r->handler = NULL; /* answered */
    }
    adopt_plan(s);
    reoffer_plan(s);
    offer_plan(s);
    expiry_plan(s);
}

static void apply_all(struct storage *s, bool reads)
{
    for (struct request *r = s->running; r; r = r->next)
        if (r->handler && r->handler->reads == reads) {
            r->handler->apply(s, r);
            s->counters.items += r->weight;
        }
}

/* Everything that the turn decides, in order: reads see the state before it, expiry only what the store
 * holds, and offers the state after all of it. */
static void apply_turn(struct storage *s)
{
    apply_all(s, true);
    resend_look(s);
    expiry_apply(s);
    drift_tick(s);
    adopt_apply(s);
    apply_all(s, false);
    claim_write(s);
    reoffer_apply(s);
    offer_apply(s);
    device_flush(s);
    hint_apply(s);
    record_flush(s);
}

/* Takes the next commit number for the group, if there is anything to write. */
static void number(struct storage *s)
{
    struct store_key key = key_single(ROW_COMMIT);
    if (!turn_changes(&s->turn)) return;
    struct commit_row row = {.term = s->term, .commit = ++s->commit, .at_ms = s->store_ms,
                             .newest = newest_highest(s->newest)};
    turn_put(&s->turn, SPACE_IDENTITY, &key, commit_row_write(&s->turn.arena, &row));
    turn_seal(&s->turn);
}

static void tell_failure(struct storage *s, enum status status)
{
    core_event(s, &(struct event){.kind = status == STATUS_DAMAGED ? EVENT_STORE_DAMAGED
                                                                   : EVENT_STORE_FAILED,
                                  .code = (uint32_t)status, .count = s->commit});
}

void storage_begin(struct storage *s, struct now now)
{
    ENSURE(!s->in_turn);
    set_time(s, now);
    s->in_turn = true;
    account_trim(s);
    policy_trim(s);
    turn_begin(&s->turn, s->store_ms, s->term, s->commit + 1);
    s->running = gather(s);
    pass_input(s);
    plan_all(s);
}

bool storage_needs_store(const struct storage *s)
{
    ENSURE(s->in_turn);
    for (const struct request *r = s->running; r; r = r->next)
        if (r->handler && r->handler->reads) return true; /* these load in stages */
    return turn_wants(&s->turn);
}

enum status storage_apply(struct storage *s)
{
    ENSURE(s->in_turn);
    s->turn.blind = s->writing;
    enum status status = turn_load(&s->turn, s->store);
    if (status == STATUS_OK) {
        apply_turn(s);
        status = s->turn.status;
    }
    s->running = NULL;
    if (s->turn.damage_count)
        core_event(s, &(struct event){.kind = EVENT_STORE_DAMAGED, .code = STATUS_DAMAGED,
                                      .count = s->turn.damage_count});
    if (status != STATUS_OK) {
        tell_failure(s, status);
        return status;
    }
    number(s);
    s->counters.turns++;
    return STATUS_OK;
}

void storage_seal(struct storage *s)
{
    ENSURE(s->in_turn && !s->writing);
    struct turn turn = s->written;
    struct arena input = s->written_input;
    s->written = s->turn;
    s->turn = turn;
    s->written_input = s->running_input;
    s->running_input = input;
    s->written_commit = s->commit;
    for (size_t i = 0; i < s->config.broker_count; i++) {
        struct buffer out = s->peers[i].written;
        s->peers[i].written = s->peers[i].after;
        s->peers[i].after = out;
    }
    s->in_turn = false;
    s->writing = true;
}

enum status storage_turn(struct storage *s, struct now now)
{
    storage_begin(s, now);
    enum status status = storage_apply(s);
    if (status == STATUS_OK) storage_seal(s);
    return status;
}

/* Whether the store is still ours. A group's write tells by itself; a turn that has nothing to write asks, so
 * that a worker that lost its store to a successor says nothing any more, not even a refusal. A row that
 * cannot be read proves nothing; the next group writes it anew. */
static enum status check_owner(struct storage *s)
{
    struct store_key key = key_single(ROW_COMMIT);
    struct store_read read = {.space = SPACE_IDENTITY, .key = key_view(&key)};
    struct commit_row row;
    enum status status = store_load(s->store, &read, 1, &s->written.arena);
    if (status == STATUS_DAMAGED) return STATUS_OK;
    if (status != STATUS_OK) return status;
    if (!read.value.at || commit_row_read(read.value, &row) != STATUS_OK) return STATUS_LOCKED;
    return term_equal(row.term, s->term) ? STATUS_OK : STATUS_LOCKED;
}

enum status storage_commit(struct storage *s)
{
    ENSURE(s->writing);
    if (!s->written.batch.op_count) return check_owner(s);
    return store_write(s->store, &s->written.batch, s->durability);
}

void storage_finish(struct storage *s, struct now now)
{
    ENSURE(s->writing);
    set_time(s, now);
    s->synced = s->written_commit;
    s->writing = false;
    for (size_t i = 0; i < s->config.broker_count; i++)
        peer_flush(s, i);
    if (s->wakes_created) peer_tick(s);
}

/* ---- timers ---- */

static void check_disk(struct storage *s)
{
    struct store_stats stats;
    if (s->mono_ms < s->stats_next_ms) return;
    s->stats_next_ms = s->mono_ms + STATS_EVERY_MS;
    store_stats(s->store, &stats);
    if (!stats.disk_total_bytes) return;
    double free_part = (double)stats.disk_free_bytes / (double)stats.disk_total_bytes;
    s->disk_free_percent = (uint32_t)(free_part * 100);
    bool low = s->disk_free_percent < s->config.disk_min_percent;
    state_step(s, low ? STORE_DISK_LOW : STORE_DISK_OK);
}

void storage_tick(struct storage *s, struct now now)
{
    ENSURE(!s->writing);
    set_time(s, now);
    if (s->mono_ms >= s->sweep_next_ms) s->sweep_due = true;
    peer_tick(s);
    check_disk(s);
}

uint64_t storage_deadline_ms(const struct storage *s)
{
    return s->mono_ms + 50;
}

void storage_drain(struct storage *s, struct now now)
{
    set_time(s, now);
    if (s->state == STORE_DRAINING) return;
    state_step(s, STORE_DRAIN);
    s->flush_next_ms = 0; /* the last turn writes every row that is behind */
    peer_leaving(s);
}

void storage_broker_lost(struct storage *s, size_t broker)
{
    peer_lost(s, broker);
}

void storage_broker_reached(struct storage *s, size_t broker)
{
    s->peers[broker].reached = true;
}

void storage_note_lag(struct storage *s, uint64_t microseconds)
{
    s->commit_lag_us = microseconds;
}

bool storage_drained(const struct storage *s)
{
    return s->state == STORE_DRAINING && storage_queue_empty(s) && !s->dirty;
}
