/* worker: glue; slabs (workers/link), the store, time and randomness go into the storage core; everything that is
 * decided is decided there. */
#include "workers/storage/worker.h"

#include "broker/host/host.h"
#include "broker/host/journal.h"
#include "broker/host/keys.h"
#include "broker/host/registration.h"
#include "storage/backends/memory.h"
#include "storage/backends/rocksdb.h"
#include "storage/pack.h"
#include "storage/storage.h"
#include "workers/link.h"
#include "workers/storage/committer.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REST_MS      1000u  /* so long without work before the store puts its rows in order */
#define SLOW_SYNC_US 20000u /* a disk that took so long for a group is slow, */
#define SLOW_GROUPS  64u    /* for so many more */
#define COMMIT_MS    1000   /* while a group is written nothing else is due by time */

/* Of the turn under way; beside it a group may be being written. */
enum stage { NO_TURN, BEGUN, APPLIED };

struct storage_worker {
    const struct config *config;
    struct receipt_keys receipt_keys;
    struct stamp_keys stamp_keys;
    struct journal *journal;
    struct link *link;
    struct store *store;
    struct storage *core;
    struct committer *committer;
    enum stage stage;
    bool committing;
    bool commit_writes; /* it has rows */
    bool drains;
    uint32_t slow_groups; /* so many are not waited for */
    uint64_t turn_mark, commit_mark; /* slabs before them go when the turn, the group is finished */
    uint64_t recovery_ms; /* what opening the store has taken, waiting for a predecessor included */
    bool turn_asked, commit_asked; /* somebody had asked for it */
    uint64_t worked_ms; /* when the last turn ended that somebody had asked for */
    bool lost[STORAGE_BROKERS_MAX], up[STORAGE_BROKERS_MAX];
};

static void on_slab(void *context, size_t broker, struct view slab)
{
    struct storage_worker *w = context;
    if (link_send(w->link, broker, slab) != STATUS_OK) w->lost[broker] = true;
}

static void on_event(void *context, const struct event *e)
{
    struct storage_worker *w = context;
    journal_write(w->journal, e);
}

static enum status open_store(struct storage_worker *w, char *error)
{
    if (w->config->backend == BACKEND_MEMORY) return memory_open(NULL, &w->store);
    struct rocksdb_config config = {.dir = w->config->data_dir,
                                    .write_buffer_bytes = w->config->write_buffer_bytes,
                                    .cache_bytes = w->config->cache_bytes,
                                    .accept_damaged = w->config->accept_damaged};
    struct pack_config pack = {.count_max = 0};
    struct store *below;
    enum status status = rocksdb_store_open(&config, &below, error, WORKER_ERROR_LEN);
    if (status != STATUS_OK) return status;
    host_random(pack.seed, sizeof pack.seed);
    status = pack_open(below, &pack, &w->store);
    if (status != STATUS_OK) store_close(&below);
    return status;
}

/* A predecessor may still be closing the store: wait for it, a bounded time. */
static enum status open_store_patiently(struct storage_worker *w, char *error)
{
    uint64_t start_us = host_mono_us();
    enum status status = open_store(w, error);
    for (int i = 0; status == STATUS_LOCKED && i < 100; i++) {
        usleep(50000);
        status = open_store(w, error);
    }
    w->recovery_ms = (host_mono_us() - start_us) / 1000;
    return status;
}

static enum status open_core(struct storage_worker *w, char *error)
{
    struct storage_seed seed;
    struct registration registration;
    struct storage_config config = {
        .partition_first = (uint16_t)w->config->partition_first,
        .partition_last = (uint16_t)w->config->partition_last, .broker_count = 1,
        .mailbox_messages = w->config->mailbox_messages, .mailbox_bytes = w->config->mailbox_bytes,
        .payload_keep_ms = w->config->payload_keep_ms, .ledger_keep_ms = w->config->ledger_keep_ms,
        .events_keep_ms = w->config->events_keep_ms, .disk_min_percent = w->config->disk_min_percent,
        .credit = w->config->credit, .ping_ms = w->config->ping_ms,
        .recovery_ms = w->recovery_ms,
        .receipt_keys = w->receipt_keys.keys, .receipt_key_count = w->receipt_keys.count,
        .stamp_key = &w->stamp_keys.keys[0]};
    enum status status = mark_key_load(w->config, &config.mark_key, error, WORKER_ERROR_LEN);
    if (status == STATUS_OK) status = registration_load(w->config, &registration, error, WORKER_ERROR_LEN);
    if (status != STATUS_OK) return status;
    config.token_wanted = registration.mode == REGISTRATION_TOKEN;
    config.product_keys = registration.keys;
    config.relay = registration.relay;
    host_random(&seed, sizeof seed);
    struct storage_out out = {.context = w, .slab = on_slab, .event = on_event};
    return storage_open(&config, w->store, &out, &seed, host_now(), &w->core);
}

static enum status open_all(struct storage_worker *w, char *error)
{
    w->journal = journal_open(w->config->log_file, w->config->log_len_max, "storage");
    enum status status = receipt_keys_load(w->config, &w->receipt_keys, error, WORKER_ERROR_LEN);
    if (status == STATUS_OK) status = stamp_keys_load(w->config, &w->stamp_keys, error, WORKER_ERROR_LEN);
    if (status == STATUS_OK) status = open_store_patiently(w, error);
    if (status == STATUS_OK) status = open_core(w, error);
    if (status == STATUS_OK) status = committer_open(w->core, &w->committer);
    if (status == STATUS_DAMAGED)
        journal_write(w->journal, &(struct event){.at_ms = host_now().wall_ms,
                                                  .kind = EVENT_STORE_DAMAGED,
                                                  .code = (uint32_t)status});
    return status;
}

/* A failed commit has an unknown outcome: say nothing more, leave at once; whoever restarts us finds
 * the truth on disk, clients retry the same bytes. */
static void leave_if_failed(struct storage_worker *w, enum status status)
{
    if (status == STATUS_OK) return;
    journal_write(w->journal, &(struct event){.at_ms = host_now().wall_ms,
                                              .kind = EVENT_STORE_FAILED,
                                              .code = (uint32_t)status});
    _exit(EXIT_FAILED);
}

static void begin_turn(struct storage_worker *w)
{
    w->turn_asked = storage_has_requests(w->core); /* the sweeps never end */
    storage_begin(w->core, host_now());
    if (storage_took_all(w->core)) w->turn_mark = link_mark(w->link);
    w->stage = BEGUN;
}

static void apply_turn(struct storage_worker *w)
{
    leave_if_failed(w, storage_apply(w->core));
    w->stage = APPLIED;
}

static void finish(struct storage_worker *w, enum status status, uint64_t microseconds)
{
    leave_if_failed(w, status);
    storage_note_lag(w->core, microseconds);
    if (microseconds >= SLOW_SYNC_US)
        w->slow_groups = SLOW_GROUPS;
    else if (w->commit_writes && w->slow_groups)
        w->slow_groups--;
    storage_finish(w->core, host_now());
    link_release(w->link, w->commit_mark);
    w->committing = false;
    if (w->commit_asked) w->worked_ms = host_now().mono_ms;
}

static void end_commit(struct storage_worker *w)
{
    enum status status;
    uint64_t microseconds;
    if (w->committing && committer_done(w->committer, &status, &microseconds)) finish(w, status, microseconds);
}

/* A small group is written here, two wake-ups sooner: beside it no turn would become ripe. Whoever calls the step may have
 * others to serve: a disk that has become slow is not waited for, nor one that may hold up the end. */
static bool is_for_here(const struct storage_worker *w)
{
    return !w->commit_writes || (!w->slow_groups && !w->drains && !storage_turn_was_ripe(w->core));
}

static void commit_here(struct storage_worker *w)
{
    uint64_t start_us = host_mono_us();
    enum status status = storage_commit(w->core);
    finish(w, status, host_mono_us() - start_us);
}

static void start_commit(struct storage_worker *w)
{
    storage_seal(w->core);
    w->commit_mark = w->turn_mark;
    w->commit_asked = w->turn_asked;
    w->commit_writes = storage_writes(w->core);
    w->stage = NO_TURN;
    if (is_for_here(w)) {
        commit_here(w);
        return;
    }
    w->committing = true;
    committer_start(w->committer);
}

static void take_slabs(struct storage_worker *w)
{
    size_t broker;
    struct view slab;
    while (!storage_full(w->core) && link_receive(w->link, &broker, &slab))
        storage_slab(w->core, host_now(), broker, slab);
}

static void rest(struct storage_worker *w)
{
    uint64_t now_ms = host_now().mono_ms;
    if (w->drains || w->slow_groups || !storage_queue_empty(w->core) || now_ms < w->worked_ms + REST_MS) return;
    leave_if_failed(w, store_rest(w->store));
    w->worked_ms = now_ms;
}

/* What has become of the connections: of lost ones before what has come in their place. */
static void tell_connections(struct storage_worker *w)
{
    for (size_t i = 0; i < link_count(w->link); i++) {
        bool up = link_up(w->link, i);
        if (w->lost[i]) storage_broker_lost(w->core, i);
        if (up && !w->up[i]) storage_broker_reached(w->core, i);
        w->lost[i] = false;
        w->up[i] = up;
    }
}

/* While a group is written, the next turn goes as far as it can without the store, once it is worth while. */
static void work_beside_commit(struct storage_worker *w)
{
    if (w->stage != NO_TURN || !storage_is_ripe(w->core)) return;
    begin_turn(w);
    if (!storage_needs_store(w->core)) apply_turn(w);
}

/* No group is being written: the store may be asked, and the turn's group goes there. */
static void work(struct storage_worker *w)
{
    if (w->stage == BEGUN) apply_turn(w);
    tell_connections(w);
    storage_tick(w->core, host_now());
    if (w->stage == NO_TURN) {
        take_slabs(w); /* what came while the answers left: groups as large as they can be */
        if (storage_queue_empty(w->core)) link_release(w->link, link_mark(w->link));
        if (!storage_wants_turn(w->core, host_now())) {
            rest(w);
            return;
        }
        begin_turn(w);
        apply_turn(w);
    }
    start_commit(w);
}

void storage_worker_step(struct storage_worker *w)
{
    if (w->stage != BEGUN) take_slabs(w);
    end_commit(w);
    if (w->committing)
        work_beside_commit(w);
    else
        work(w);
    if (w->drains && w->stage != BEGUN) storage_drain(w->core, host_now());
}

long storage_worker_wait_ms(const struct storage_worker *w)
{
    struct now now = host_now();
    uint64_t deadline = storage_deadline_ms(w->core);
    bool takes = w->stage != BEGUN && !storage_full(w->core);
    if (takes && link_given(w->link)) return 0;
    if (w->committing) return COMMIT_MS;
    if (storage_wants_turn(w->core, now)) return 0;
    return deadline > now.mono_ms ? (long)(deadline - now.mono_ms) : 0;
}

int storage_worker_fd(const struct storage_worker *w)
{
    return committer_fd(w->committer);
}

void storage_worker_drain(struct storage_worker *w)
{
    w->drains = true;
}

bool storage_worker_drained(const struct storage_worker *w)
{
    return storage_drained(w->core);
}

void storage_worker_attach(struct storage_worker *w, struct link *link)
{
    w->link = link;
}

enum status storage_worker_open(const struct config *config, char error[WORKER_ERROR_LEN], struct storage_worker **out)
{
    struct storage_worker *w = calloc(1, sizeof *w);
    ENSURE(w != NULL);
    w->config = config;
    error[0] = '\0';
    enum status status = open_all(w, error);
    if (status != STATUS_OK) storage_worker_close(&w);
    *out = w;
    return status;
}

void storage_worker_close(struct storage_worker **pointer)
{
    struct storage_worker *w = *pointer;
    if (!w) return;
    committer_close(&w->committer);
    storage_free(&w->core);
    store_close(&w->store);
    receipt_keys_fini(&w->receipt_keys);
    stamp_keys_fini(&w->stamp_keys);
    journal_close(&w->journal);
    free(w);
    *pointer = NULL;
}

/* --- as a process of its own ------------------------------------------------------------------ */

/* Waits for slabs, a signal or the end of a commit; what cannot be taken now is not waited for. */
static enum status wait(struct storage_worker *w, int signals)
{
    struct link_wait extra[] = {{.fd = signals}, {.fd = committer_fd(w->committer)}};
    long wait_ms = storage_worker_wait_ms(w);
    if (w->committing && (w->stage == BEGUN || storage_full(w->core))) {
        struct pollfd done = {.fd = committer_fd(w->committer), .events = POLLIN};
        (void)poll(&done, 1, (int)wait_ms);
        return STATUS_OK;
    }
    enum status status = link_poll(w->link, extra, 2, wait_ms);
    if (status == STATUS_OK && extra[0].ready && host_signal_take(signals)) storage_worker_drain(w);
    return status;
}

enum status storage_work(const struct config *config, const char *broker, int signals, char error[WORKER_ERROR_LEN])
{
    struct storage_worker *w;
    struct link *link = NULL;
    enum status status = storage_worker_open(config, error, &w);
    if (status == STATUS_OK) status = link_open(&link, &broker, 1);
    if (status == STATUS_OK) storage_worker_attach(w, link);
    while (status == STATUS_OK && !storage_worker_drained(w)) {
        status = wait(w, signals);
        if (status == STATUS_OK) storage_worker_step(w);
    }
    storage_worker_close(&w);
    link_close(&link);
    return status;
}

int storage_refuse(const struct command *c, enum status status, const char *error)
{
    bool usage = status == STATUS_CONFIG || status == STATUS_DAMAGED;
    return command_fail(c, usage ? EXIT_USAGE : EXIT_FAILED, "storage cannot start: %s%s%s",
                        status_meaning(status), error[0] ? ": " : "", error);
}
