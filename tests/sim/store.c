/* store: storage workers as processes: the loop of workers/storage/worker.c over a disk that survives
 * them. A turn, its commit and what leaves after it are three moments, between which the process may
 * die; a write may fail with either outcome. The wrapper around the backend lets a disk be nearly full
 * or gone (a zombie's). */
#include "storage/pack.h"
#include "storage/rows.h"
#include "tests/sim/churn.h"

#include <stdlib.h>
#include <string.h>

#define LEAP_MS (24ll * 3600 * 1000)

/* ---- the wrapper ---- */

struct wrapper {
    struct store base;
    struct store *real; /* NULL: the disk is gone */
    struct store_host *host;
};

static enum status wrapped_load(struct store *st, struct store_read *reads, size_t count,
                                struct arena *a)
{
    struct wrapper *w = (struct wrapper *)st;
    return w->real ? store_load(w->real, reads, count, a) : STATUS_IO;
}

static enum status wrapped_scan(struct store *st, struct store_scan *scan, struct arena *a)
{
    struct wrapper *w = (struct wrapper *)st;
    return w->real ? store_scan(w->real, scan, a) : STATUS_IO;
}

static bool is_claim(const struct store_op *op, enum row_kind kind)
{
    return op->kind == STORE_PUT && op->space == SPACE_ROUTING && op->key.at[0] == (uint8_t)kind;
}

/* What storage writes without having looked: a brief row must be new, or a pack and the store below would
 * both have it; claims, too, or a message would be accepted twice. A batch may delete it first. */
static bool must_be_new(const struct store_op *op)
{
    return op->kind == STORE_PUT_BRIEF || is_claim(op, ROW_CLAIM) || is_claim(op, ROW_PAGE);
}

static bool deleted_before(const struct store_batch *batch, size_t i)
{
    for (size_t k = i; k-- > 0;)
        if (batch->ops[k].space == batch->ops[i].space &&
            view_equal(batch->ops[k].key, batch->ops[i].key))
            return batch->ops[k].kind == STORE_DELETE;
    return false;
}

/* Whether the store has this claim already, in whichever way. */
static bool has_claim(const struct wrapper *w, const struct message_ref *ref, struct arena *a)
{
    struct store_key own = key_claim(ref->sender, ref->target, ref->id, 0);
    struct store_key from = key_page(ref->sender, ref->id);
    struct store_key to = key_end(view_of(from.bytes, from.len - sizeof ref->id.bytes));
    struct store_read read = {.space = SPACE_ROUTING, .key = key_view(&own)};
    struct store_scan scan = {.space = SPACE_ROUTING, .from = key_view(&from), .to = key_view(&to),
                              .row_max = 10000, .byte_max = SIZE_MAX};
    struct view row;
    if (store_load(w->real, &read, 1, a) == STATUS_OK && read.value.at) return true;
    if (store_scan(w->real, &scan, a) != STATUS_OK) return false;
    for (size_t i = 0; i < scan.row_count; i++) /* all of them: not only where storage looks */
        if (page_row_find(scan.rows[i].value, ref->target, ref->id, &row) == STATUS_OK) return true;
    return false;
}

static void check_page(const struct wrapper *w, const struct store_op *op, struct arena *a)
{
    struct message_ref ref;
    struct message_id last;
    struct page_claim *claims;
    size_t count;
    struct view value = arena_copy(a, op->head);
    if (key_page_read(op->key, &ref.sender, &last) != STATUS_OK || op->body.len ||
        page_row_read(value, a, &claims, &count) != STATUS_OK || !count)
        sim_fail(w->host->sim, "a page of claims does not read");
    for (size_t i = 0; i < count; i++) {
        ref.target = claims[i].target;
        ref.id = claims[i].id;
        if (memcmp(ref.id.bytes, last.bytes, sizeof last.bytes) > 0)
            sim_fail(w->host->sim, "a page has an id above its key");
        if (has_claim(w, &ref, a)) sim_fail(w->host->sim, "a claim stands in two places");
    }
}

static void check_new_rows(const struct wrapper *w, const struct store_batch *batch)
{
    struct arena arena = {0};
    for (size_t i = 0; i < batch->op_count; i++) {
        const struct store_op *op = &batch->ops[i];
        if (is_claim(op, ROW_PAGE)) check_page(w, op, &arena);
        struct store_read read = {.space = op->space, .key = op->key};
        if (!must_be_new(op) || deleted_before(batch, i)) continue;
        bool there = store_load(w->real, &read, 1, &arena) == STATUS_OK && read.value.at;
        if (there)
            sim_fail(w->host->sim, "a row of kind %c is put as a new one and is there already",
                     op->key.at[0]);
    }
    arena_fini(&arena);
}

static enum status wrapped_write(struct store *st, const struct store_batch *batch,
                                 enum durability d)
{
    struct wrapper *w = (struct wrapper *)st;
    if (w->real) check_new_rows(w, batch);
    enum status s = w->real ? store_write(w->real, batch, d) : STATUS_IO;
    w->host->writes += s == STATUS_OK;
    return s;
}

static enum status wrapped_rest(struct store *st)
{
    struct wrapper *w = (struct wrapper *)st;
    return w->real ? store_rest(w->real) : STATUS_IO;
}

static void wrapped_stats(struct store *st, struct store_stats *out)
{
    struct wrapper *w = (struct wrapper *)st;
    bool low = w->host->low_until_ms > w->host->sim->now_ms;
    *out = (struct store_stats){.disk_free_bytes = low ? 5 : 50, .disk_total_bytes = 100};
}

static void wrapped_close(struct store *st)
{
    struct wrapper *w = (struct wrapper *)st;
    store_close(&w->real);
    free(w);
}

static const struct store_ops wrapped_ops = {.name = "simulated",
                                             .durability_max = DURABILITY_SYNCED,
                                             .load = wrapped_load,
                                             .scan = wrapped_scan,
                                             .write = wrapped_write,
                                             .rest = wrapped_rest,
                                             .stats = wrapped_stats,
                                             .close = wrapped_close};

/* Under odd seeds brief rows go through packs, in so narrow a window that they are unfolded all the time. */
static void pack(struct store_host *h, struct wrapper *w)
{
    struct pack_config config = {.count_max = 6, .byte_max = 8000};
    struct store *below = w->real;
    if (h->sim->seed % 2 == 0 || !below) return;
    if (pack_open(below, &config, &w->real) != STATUS_OK)
        sim_fail(h->sim, "the packs of a store do not read");
    if (!w->real) store_close(&below);
}

static struct store *wrap(struct store_host *h)
{
    struct wrapper *w = calloc(1, sizeof *w);
    struct store *second = NULL;
    ENSURE(w != NULL);
    if (memory_open(h->disk, &w->real) != STATUS_OK)
        sim_fail(h->sim, "the store does not open");
    else if (memory_open(h->disk, &second) != STATUS_LOCKED)
        sim_fail(h->sim, "a second process opens a store that is in use");
    pack(h, w);
    w->base = (struct store){&wrapped_ops, w->real ? w->real->recovery : RECOVERY_CLEAN};
    w->host = h;
    return &w->base;
}

/* ---- life ---- */

static void on_slab(void *context, size_t broker, struct view slab)
{
    struct store_process *p = context;
    watch_storage_says(p, broker, slab);
    if (links_send(p->host->sim, &p->links, broker, slab) != STATUS_OK) p->lost[broker] = true;
}

static void on_event(void *context, const struct event *e)
{
    watch_event(((struct store_process *)context)->host->sim, e);
}

static struct storage_config config_of(const struct store_host *h)
{
    const struct sim *s = h->sim;
    return (struct storage_config){.partition_first = h->first,
                                   .partition_last = h->last,
                                   .broker_count = s->broker_count,
                                   .mailbox_messages = s->profile->mailbox_messages,
                                   .mailbox_bytes = 64u << 20,
                                   .payload_keep_ms = PAYLOAD_KEEP_MS,
                                   .ledger_keep_ms = LEDGER_KEEP_MS,
                                   .events_keep_ms = EVENTS_KEEP_MS,
                                   .disk_min_percent = 10,
                                   .credit = s->profile->storage_credit,
                                   .ping_ms = 3000,
                                   .mark_key = s->marks,
                                   .receipt_keys = &s->receipt_key,
                                   .receipt_key_count = 1,
                                   .stamp_key = &s->stamp_key};
}

static void packets_free(struct packet **list)
{
    for (struct packet *packet; (packet = *list);) {
        *list = packet->next;
        free(packet);
    }
}

static void process_free(struct store_process **at)
{
    struct store_process *p = *at;
    storage_free(&p->core);
    store_close(&p->store);
    links_close(p->host->sim, &p->links, false);
    packets_free(&p->held);
    packets_free(&p->running);
    packets_free(&p->written);
    free(p);
    *at = NULL;
}

/* Never back to before the store had its id: that is store_host_wipe. */
static void disk_cut(struct store_host *h)
{
    if (h->cut_next >= h->writes) h->cut_next = 0;
    if (!h->cut_next) return;
    h->writes -= h->cut_next;
    memory_disk_cut(h->disk, h->cut_next);
    trace_put(h->sim, TRACE_STORE_CUT, h->index, h->cut_next, 0);
    h->sim->cuts++;
    h->cut_next = 0;
}

void store_host_start(struct store_host *h)
{
    struct sim *s = h->sim;
    struct storage_seed seed;
    struct storage_config config = config_of(h);
    struct store_process *p = calloc(1, sizeof *p);
    ENSURE(p != NULL);
    disk_cut(h);
    if (s->relay_shift_ms > LEAP_MS || s->relay_shift_ms < -LEAP_MS) s->leaps++;
    p->host = h;
    p->store = wrap(h);
    p->due_ms = s->now_ms;
    rng_fill(&s->rng, &seed, sizeof seed);
    struct storage_out out = {p, on_slab, on_event};
    enum status status = storage_open(&config, p->store, &out, &seed, sim_relay_now(s), &p->core);
    trace_put(s, TRACE_STORE_UP, h->index, status, 0);
    h->process = p;
    h->restart_ms = SIM_NEVER;
    if (status == STATUS_OK) return;
    if (status != STATUS_IO) sim_fail(s, "a store does not open: %s", status_name(status));
    store_host_kill(h, KILL_IDLE, s->now_ms + 200); /* a write failed on purpose: start again */
}

void store_host_kill(struct store_host *h, enum kill_point point, uint64_t restart_ms)
{
    if (!h->process) return;
    trace_put(h->sim, TRACE_STORE_DOWN, h->index, point, restart_ms);
    watch_storage_died(h->process);
    process_free(&h->process);
    memory_disk_crash(h->disk);
    h->restart_ms = restart_ms;
}

void store_host_wipe(struct store_host *h)
{
    ENSURE(!h->process && !h->zombie);
    trace_put(h->sim, TRACE_STORE_WIPE, h->index, 0, 0);
    memory_disk_free(&h->disk);
    h->disk = memory_disk_new();
    h->writes = h->cut_next = 0;
    h->sim->cuts++;
}

void store_host_drain(struct store_host *h)
{
    struct store_process *p = h->process;
    if (!p || p->draining || p->committing) return;
    trace_put(h->sim, TRACE_STORE_DRAIN, h->index, 0, 0);
    p->draining = true;
    storage_drain(p->core, sim_relay_now(h->sim));
    p->due_ms = h->sim->now_ms;
}

static void zombie_end(struct store_host *h)
{
    if (h->zombie) process_free(&h->zombie);
}

void store_host_zombify(struct store_host *h, uint64_t until_ms, uint64_t restart_ms)
{
    struct store_process *p = h->process;
    if (!p || h->zombie || p->committing) return;
    trace_put(h->sim, TRACE_STORE_ZOMBIE, h->index, until_ms, restart_ms);
    watch_storage_died(p);
    store_close(&((struct wrapper *)p->store)->real);
    memory_disk_crash(h->disk);
    p->zombie = true;
    h->zombie = p;
    h->zombie_until_ms = until_ms;
    h->process = NULL;
    h->restart_ms = restart_ms;
}

/* ---- the loop ---- */

uint64_t store_host_due_ms(const struct store_host *h)
{
    uint64_t due = h->process ? SIM_NEVER : h->restart_ms;
    const struct store_process *both[] = {h->process, h->zombie};
    for (size_t i = 0; i < 2; i++) {
        const struct store_process *p = both[i];
        if (!p) continue;
        if (p->committing) {
            due = sim_min(due, p->commit_ms);
            if (!storage_full(p->core) && (!p->begun || p->applied))
                due = sim_min(due, links_due_ms(h->sim, &p->links));
        } else {
            due = sim_min(due, p->due_ms);
            due = sim_min(due, links_due_ms(h->sim, &p->links));
        }
    }
    return h->zombie ? sim_min(due, h->zombie_until_ms) : due;
}

static void take_slabs(struct store_process *p)
{
    struct sim *s = p->host->sim;
    struct packet *packet;
    for (size_t i = 0; i < s->broker_count; i++)
        while (p->links.conns[i] && !storage_full(p->core) &&
               (packet = net_take(s, p->links.conns[i], NEAR))) {
            packet->next = p->held;
            p->held = packet;
            watch_storage_got(p, i, packet->bytes);
            storage_slab(p->core, sim_relay_now(s), i, packet->bytes);
        }
}

/* true: the process is no more. */
static bool dies(struct store_process *p, enum kill_point point)
{
    struct store_host *h = p->host;
    if (p->kill_at != point) return false;
    h->sim->seen[SEEN_KILL_IDLE + (unsigned)(point - KILL_IDLE)]++;
    if (p->zombie)
        zombie_end(h);
    else
        store_host_kill(h, point, h->sim->now_ms + rng_between(&h->sim->rng, 50, 1500));
    return true;
}

/* A failed write has an unknown outcome: the process leaves at once. */
static void fails(struct store_process *p)
{
    p->kill_at = KILL_IDLE;
    (void)dies(p, KILL_IDLE);
}

static void settle_down(struct store_process *p)
{
    struct sim *s = p->host->sim;
    struct now now = sim_relay_now(s);
    if (storage_queue_empty(p->core)) packets_free(&p->held);
    storage_tick(p->core, now);
    for (size_t i = 0; i < s->broker_count; i++) {
        bool up = p->links.conns[i] != NULL;
        if (p->lost[i]) storage_broker_lost(p->core, i);
        if (up && !p->up[i]) storage_broker_reached(p->core, i);
        p->lost[i] = false;
        p->up[i] = up;
    }
    p->due_ms = storage_deadline_ms(p->core);
    if (storage_wants_turn(p->core, now) || p->due_ms <= s->now_ms) p->due_ms = s->now_ms + 1;
}

static void begin(struct store_process *p)
{
    storage_begin(p->core, sim_relay_now(p->host->sim));
    p->begun = true;
    if (!storage_took_all(p->core)) return;
    p->running = p->held;
    p->held = NULL;
}

/* false: the process is no more. */
static bool apply(struct store_process *p)
{
    bool done = storage_apply(p->core) == STATUS_OK;
    p->applied = done;
    if (!done) fails(p);
    return done;
}

static void start_commit(struct store_process *p)
{
    struct sim *s = p->host->sim;
    storage_seal(p->core);
    p->written = p->running;
    p->running = NULL;
    p->begun = p->applied = false;
    p->committing = true;
    p->commit_ms = s->now_ms + rng_below(&s->rng, s->profile->commit_ms + 1);
}

static void next_commit(struct store_process *p)
{
    if (p->begun && (p->applied || apply(p))) start_commit(p);
}

static void commit_end(struct store_process *p)
{
    struct sim *s = p->host->sim;
    if (dies(p, KILL_BEFORE_COMMIT)) return;
    enum status status = storage_commit(p->core);
    trace_put(s, TRACE_STORE_COMMIT, p->host->index, status, 0);
    p->committing = false;
    if (status != STATUS_OK) {
        s->seen[SEEN_UNCERTAIN]++;
        fails(p);
        return;
    }
    if (s->truth) truth_committed(p);
    if (dies(p, KILL_AFTER_COMMIT)) return;
    storage_note_lag(p->core, 1000);
    storage_finish(p->core, sim_relay_now(s));
    packets_free(&p->written);
    if (dies(p, KILL_AFTER_FINISH)) return;
    if (p->begun && !p->applied && !apply(p)) return;
    settle_down(p);
    if (p->draining && storage_drained(p->core))
        fails(p);
    else
        next_commit(p);
}

/* As the worker does while a group is written, but at random moments and for the smallest turn. */
static void beside_commit(struct store_process *p)
{
    struct sim *s = p->host->sim;
    links_connect(s, &p->links);
    if (!p->begun || p->applied) take_slabs(p);
    if (p->commit_ms <= s->now_ms) {
        commit_end(p);
        return;
    }
    if (p->begun || s->now_ms % 2 || !storage_wants_turn(p->core, sim_relay_now(s))) return;
    begin(p);
    if (!storage_needs_store(p->core)) (void)apply(p);
}

static void process_step(struct store_process *p)
{
    struct sim *s = p->host->sim;
    if (p->committing) {
        beside_commit(p);
        return;
    }
    if (dies(p, KILL_IDLE)) return;
    links_connect(s, &p->links);
    take_slabs(p);
    if (!storage_wants_turn(p->core, sim_relay_now(s))) {
        if (s->now_ms % 8 == 0 && store_rest(p->store) != STATUS_OK) {
            fails(p);
            return;
        }
        settle_down(p);
        if (p->draining && storage_drained(p->core)) fails(p);
        return;
    }
    begin(p);
    if (!apply(p)) return;
    start_commit(p);
    if (p->commit_ms == s->now_ms) commit_end(p);
}

void store_host_step(struct store_host *h)
{
    if (h->zombie && h->zombie_until_ms <= h->sim->now_ms) zombie_end(h);
    if (h->zombie) process_step(h->zombie);
    if (h->process)
        process_step(h->process);
    else if (h->restart_ms <= h->sim->now_ms)
        store_host_start(h);
}

void store_host_fini(struct store_host *h)
{
    if (h->zombie) process_free(&h->zombie);
    if (h->process) process_free(&h->process);
    memory_disk_free(&h->disk);
}
