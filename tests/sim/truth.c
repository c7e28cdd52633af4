/* truth: what the relay's disks say of every account's devices, group by group, and whether everybody keeps to it: nothing is
 * accepted for, or given to, a device behind the commit that revoked it; a log only grows; every change that was reported as
 * done is in it; in the end all devices of an account hold the same log, and a revoked one has left nothing on the disk. */
#include "tests/sim/watch.h"

#include "storage/rows.h"

#include <stdlib.h>
#include <string.h>

#define LEFT_MAX     64u
#define STATES_MAX   512u
#define TOLD_MAX     512u
#define GIVEN_MAX_MS 20000u /* what was under way on a stalled connection */
#define SWEPT_TRIES  40

/* What happened to a device of a log, at the same place. */
struct fate {
    bool was_out;
    uint64_t revoked_ms; /* 0 = it is not */
    struct term term;
    uint64_t commit;
    bool cut[SIM_BROKERS_MAX]; /* this broker was told */
};

struct truth {
    struct arena arena;
    struct { struct identity_log log; struct fate fates[DEVICES_EVER_MAX]; struct msg_log_state states[STATES_MAX];
             uint64_t version_ms[STATES_MAX]; /* when each key version came */ } accounts[SIM_DEVICES_MAX];
    struct { size_t first; struct device_id device; } left[LEFT_MAX];
    size_t left_count;
    struct { size_t first; unsigned operation; struct device_id subject; } told[TOLD_MAX];
    size_t told_count;
};

void truth_start(struct sim *s)
{
    s->truth = calloc(1, sizeof *s->truth);
    ENSURE(s->truth != NULL);
}

void truth_fini(struct sim *s)
{
    if (!s->truth) return;
    arena_fini(&s->truth->arena);
    free(s->truth);
    s->truth = NULL;
}

/* ---- what the disk says ---- */

static void fate_note(struct sim *s, struct fate *f, enum standing was, const struct log_device *is, const struct commit_row *at)
{
    if (is->standing == was) return;
    f->was_out = f->was_out || is->standing != STANDING_ACTIVE;
    s->seen[SEEN_SUSPENDED] += is->standing == STANDING_SUSPENDED;
    s->seen[SEEN_RESUMED] += was == STANDING_SUSPENDED && is->standing == STANDING_ACTIVE;
    if (is->standing != STANDING_REVOKED) return;
    s->seen[SEEN_REVOKED]++;
    f->revoked_ms = s->now_ms;
    f->term = at->term;
    f->commit = at->commit;
    trace_put(s, TRACE_FENCE, device_number(s, is->id), at->commit, 0);
}

static void log_note(struct sim *s, size_t first, const struct identity_log *log, const struct commit_row *at)
{
    struct identity_log *had = &s->truth->accounts[first].log;
    if (log->length == had->length && memcmp(&log->head, &had->head, sizeof log->head) == 0) return;
    if (log->length <= had->length) sim_fail(s, "the log of account %zu has not grown, and is another one", first);
    for (size_t i = 0; i < log->device_count; i++) {
        enum standing was = i < had->device_count ? had->devices[i].standing : 0;
        fate_note(s, &s->truth->accounts[first].fates[i], was, &log->devices[i], at);
    }
    trace_put(s, TRACE_LOG, first, log->length, log->key_version);
    for (uint64_t v = had->key_version + 1; v <= log->key_version && v < STATES_MAX; v++)
        s->truth->accounts[first].version_ms[v] = s->now_ms;
    if (log->length < STATES_MAX) s->truth->accounts[first].states[log->length] = identity_log_state(log);
    *had = *log;
}

void truth_committed(struct store_process *p)
{
    struct sim *s = p->host->sim;
    struct arena *a = &s->truth->arena;
    struct store_key key = key_single(ROW_COMMIT);
    struct store_read read = {.space = SPACE_IDENTITY, .key = key_view(&key)};
    struct commit_row at;
    struct identity_log log;
    if (p->zombie) return;
    arena_reset(a);
    if (store_load(p->store, &read, 1, a) != STATUS_OK || !read.value.at || commit_row_read(read.value, &at) != STATUS_OK) return;
    for (size_t i = 0; i < s->account_count; i++) {
        uint16_t home = home_of_account(s->devices[i].account);
        if (home < p->host->first || home > p->host->last) continue;
        key = key_account(s->devices[i].account);
        read = (struct store_read){.space = SPACE_IDENTITY, .key = key_view(&key)};
        if (store_load(p->store, &read, 1, a) != STATUS_OK || !read.value.at) continue;
        if (account_row_read(read.value, &log) != STATUS_OK) sim_fail(s, "an account row does not decode");
        log_note(s, i, &log, &at);
    }
}

/* ---- asked ---- */

const struct identity_log *truth_log(const struct sim *s, size_t first)
{
    return &s->truth->accounts[first].log;
}

bool truth_state(const struct sim *s, size_t first, uint64_t length, struct msg_log_state *out)
{
    for (uint64_t i = length < STATES_MAX ? length : STATES_MAX - 1; i > 0; i--) {
        *out = s->truth->accounts[first].states[i];
        if (out->length) return true;
    }
    return false;
}

size_t truth_versions(const struct sim *s, size_t first, uint64_t from_ms, uint64_t to_ms)
{
    size_t count = 0;
    for (size_t v = 1; v < STATES_MAX; v++) {
        uint64_t at_ms = s->truth->accounts[first].version_ms[v];
        count += at_ms && from_ms <= at_ms && at_ms <= to_ms;
    }
    return count;
}

unsigned truth_standing(const struct sim *s, size_t first, struct device_id device)
{
    const struct log_device *d = identity_log_device(truth_log(s, first), device);
    return d ? d->standing : 0;
}

static struct fate *fate_of(const struct sim *s, struct device_id device)
{
    for (size_t i = 0; s->truth && i < s->account_count; i++) {
        const struct identity_log *log = truth_log(s, i);
        const struct log_device *d = identity_log_device(log, device);
        if (d) return &s->truth->accounts[i].fates[d - log->devices];
    }
    return NULL;
}

bool truth_was_out(const struct sim *s, struct device_id device)
{
    const struct fate *f = fate_of(s, device);
    return f && f->was_out;
}

uint64_t truth_revoked_ms(const struct sim *s, struct device_id device)
{
    const struct fate *f = fate_of(s, device);
    return f && f->revoked_ms ? f->revoked_ms : SIM_NEVER;
}

void truth_left(struct sim *s, size_t first, struct device_id device)
{
    struct truth *t = s->truth;
    ENSURE(t->left_count < LEFT_MAX);
    t->left[t->left_count].first = first;
    t->left[t->left_count++].device = device;
    trace_put(s, TRACE_STRAY, first, t->left_count, 0);
}

bool truth_was_left(const struct sim *s, struct device_id device)
{
    for (size_t i = 0; i < s->truth->left_count; i++)
        if (device_equal(s->truth->left[i].device, device)) return true;
    return false;
}

bool truth_stray(const struct sim *s, size_t first, struct device_id *out)
{
    const struct truth *t = s->truth;
    for (size_t i = 0; i < t->left_count; i++) {
        unsigned standing = t->left[i].first == first ? truth_standing(s, first, t->left[i].device) : 0;
        if (standing != STANDING_ACTIVE && standing != STANDING_SUSPENDED) continue;
        *out = t->left[i].device;
        return true;
    }
    return false;
}

void truth_told(struct sim *s, size_t first, unsigned operation, struct device_id subject)
{
    struct truth *t = s->truth;
    for (size_t i = 0; i < t->told_count; i++)
        if (t->told[i].first == first && t->told[i].operation == operation && device_equal(t->told[i].subject, subject)) return;
    ENSURE(t->told_count < TOLD_MAX);
    t->told[t->told_count].first = first;
    t->told[t->told_count].operation = operation;
    t->told[t->told_count++].subject = subject;
}

/* ---- behind a revocation ---- */

static bool is_behind(const struct fate *f, struct term term, uint64_t commit)
{
    int order = f && f->revoked_ms ? term_compare(term, f->term) : -1;
    return order > 0 || (order == 0 && commit > f->commit);
}

void truth_accepted(struct sim *s, const struct msg_accepted *m)
{
    for (size_t i = 0; s->truth && i < m->part_count; i++)
        if (is_behind(fate_of(s, m->parts[i].device), m->receipt.term, m->receipt.commit))
            sim_fail(s, "a message is accepted for device %zu, which was revoked before", device_number(s, m->parts[i].device));
}

void truth_offered(struct sim *s, struct device_id device)
{
    const struct fate *f = fate_of(s, device);
    if (f && f->revoked_ms) sim_fail(s, "storage gives mail to device %zu, which is revoked", device_number(s, device));
}

void truth_ended(struct sim *s, size_t broker, const struct slab_header *header, struct device_id device)
{
    struct fate *f = fate_of(s, device);
    if (f && (is_behind(f, header->term, header->commit) || (f->revoked_ms && term_equal(header->term, f->term) &&
                                                             header->commit == f->commit)))
        f->cut[broker] = true;
}

void truth_broker_died(struct sim *s, size_t broker)
{
    for (size_t i = 0; s->truth && i < s->account_count; i++)
        for (size_t k = 0; k < DEVICES_EVER_MAX; k++)
            s->truth->accounts[i].fates[k].cut[broker] = false;
}

/* What only who has a session is given. */
static bool needs_session(unsigned kind)
{
    return kind != KIND_ERROR && kind != KIND_PONG && kind != KIND_REGISTERED && kind != KIND_LINK_HAS && kind != KIND_LINK_IS &&
           kind != KIND_DRAIN && kind != KIND_SUPERSEDED;
}

void truth_given(struct sim *s, const struct conn *c, struct view frame)
{
    struct frame f;
    if (!s->truth || c->device >= s->device_count || frame_check(frame, FROM_RELAY, &f) != STATUS_OK) return;
    const struct fate *fate = fate_of(s, s->devices[c->device].id);
    if (!fate || !fate->revoked_ms || !needs_session(f.header.kind)) return;
    if (fate->cut[c->broker] && (f.header.kind == KIND_DELIVER || f.header.kind == KIND_HINT))
        sim_fail(s, "a broker that knows better gives a %s to device %zu", kind_name(f.header.kind), c->device);
    if (fate->revoked_ms + GIVEN_MAX_MS < s->now_ms)
        sim_fail(s, "device %zu is given a %s long after it was revoked", c->device, kind_name(f.header.kind));
}

/* ---- in the end ---- */

static bool log_agrees(struct device *d)
{
    struct identity_log own;
    const struct identity_log *log = truth_log(d->sim, d->owner);
    device_log(d, &own);
    return own.length == log->length && memcmp(&own.head, &log->head, sizeof own.head) == 0;
}

static const char *open_of(struct device *d)
{
    unsigned standing = device_is_in(d) ? truth_standing(d->sim, d->owner, d->id) : 0;
    if (forks_out(d) || forks_on(d, d->owner)) return NULL; /* its people see to that */
    if (!device_is_in(d)) return "has not joined";
    if (standing == STANDING_REVOKED) return NULL;
    if (standing != STANDING_ACTIVE) return "is not active";
    if (!d->registered) return "does not know that it is in";
    if (people_have_change(d)) return "has a change that is not settled";
    return log_agrees(d) ? NULL : "holds another log than the relay";
}

static bool account_is_open(struct sim *s, size_t first)
{
    struct device_id stray;
    const struct identity_log *log = truth_log(s, first);
    if (forks_in(s, first)) return false;
    bool open = truth_stray(s, first, &stray);
    for (size_t i = 0; i < log->device_count; i++)
        open = open || log->devices[i].standing == STANDING_SUSPENDED;
    return open;
}

bool truth_settled(struct sim *s)
{
    for (size_t i = 0; s->truth && i < s->account_count; i++)
        if (account_is_open(s, i)) return false;
    for (size_t i = 0; s->truth && i < s->device_count; i++)
        if (open_of(&s->devices[i])) return false;
    return true;
}

static bool entry_is(const struct sim *s, struct view entry, size_t told, struct arena *a)
{
    struct msg_entry signed_entry;
    struct msg_entry_body body;
    const struct truth *t = s->truth;
    return entry_open(entry, a, &signed_entry, &body) == STATUS_OK && body.operation == t->told[told].operation &&
           device_equal(body.subject, t->told[told].subject);
}

/* Who told it is perhaps no more in the account: any device that is reads the log. */
static struct device *reader_of_log(struct sim *s, size_t first)
{
    for (size_t i = 0; i < s->device_count; i++)
        if (s->devices[i].owner == first && truth_standing(s, first, s->devices[i].id) == STANDING_ACTIVE &&
            !forks_on(&s->devices[i], first))
            return &s->devices[i];
    return NULL;
}

static bool log_has(struct sim *s, size_t told)
{
    size_t first = s->truth->told[told].first;
    struct device_id subject = s->truth->told[told].subject;
    struct device *d = reader_of_log(s, first);
    struct arena a = {0};
    bool found = s->truth->told[told].operation == ENTRY_ADD ? truth_standing(s, first, subject) != 0
                                                             : truth_standing(s, first, subject) == STANDING_REVOKED;
    if (!d || found) return found || forks_in(s, first); /* whoever is left holds another one */
    struct entry_scan scan = {.account = d->account, .max = ENTRIES_PER_FRAME};
    ENSURE(state_begin(d->state, STATE_READ) == STATUS_OK);
    do {
        ENSURE(state_entry_scan(d->state, &a, &scan) == STATUS_OK);
        for (size_t i = 0; i < scan.count && !found; i++)
            found = entry_is(s, scan.entries[i], told, &a);
        scan.first += scan.count;
    } while (scan.count == scan.max && !found);
    state_rollback(d->state);
    arena_fini(&a);
    return found;
}

/* What is left of a revoked device on the disk; NULL = nothing. */
static const char *rest_of(struct store_process *p, uint16_t home, struct device_id device)
{
    static const struct { enum store_space space; enum row_kind kind; const char *what; } kinds[] = {
        {SPACE_ROUTING, ROW_FENCE, "its fence"}, {SPACE_PAYLOAD, ROW_ENVELOPE, "a message"},
        {SPACE_PAYLOAD, ROW_PARKED, "a parked message"}, {SPACE_IDENTITY, ROW_PREKEYS, "its prekeys"}};
    struct arena *a = &p->host->sim->truth->arena;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct store_key from = key_device(kinds[i].kind, home, device), to = key_end(key_view(&from));
        struct store_row row;
        struct store_scan scan = {.space = kinds[i].space, .from = key_view(&from), .to = key_view(&to), .row_max = 1,
                                  .byte_max = 1024, .keys_only = true, .rows = &row};
        arena_reset(a);
        if (store_scan(p->store, &scan, a) != STATUS_OK || scan.row_count) return kinds[i].what;
    }
    return NULL;
}

static const char *rests(struct sim *s, size_t *whose)
{
    for (size_t i = 0; i < s->account_count; i++) {
        const struct identity_log *log = truth_log(s, i);
        uint16_t home = home_of_account(log->account);
        for (size_t k = 0; k < log->device_count; k++) {
            if (log->devices[k].standing != STANDING_REVOKED) continue;
            *whose = device_number(s, log->devices[k].id);
            for (size_t n = 0; n < s->store_count; n++) {
                struct store_host *h = &s->stores[n];
                bool here = h->first <= home && home <= h->last;
                const char *what = !here ? NULL : h->process ? rest_of(h->process, home, log->devices[k].id) : "no store";
                if (what) return what;
            }
        }
    }
    return NULL;
}

/* A revoked device that believes it has a session; NULL = none. */
static const struct device *still_bound(const struct sim *s)
{
    for (size_t i = 0; i < s->device_count; i++) {
        const struct engine *e = s->devices[i].sessions[SESSION_RECEIVER].engine;
        if (e && engine_is_bound(e) && truth_revoked_ms(s, s->devices[i].id) != SIM_NEVER) return &s->devices[i];
    }
    return NULL;
}

void truth_check(struct sim *s)
{
    const char *what = NULL;
    const struct device *bound = NULL;
    size_t whose = 0;
    if (!s->truth) return;
    for (size_t i = 0; i < s->device_count; i++)
        if ((what = open_of(&s->devices[i]))) sim_fail(s, "in the end device %zu %s", i, what);
    for (size_t i = 0; i < s->account_count; i++)
        if (account_is_open(s, i)) sim_fail(s, "in the end account %zu has a device that is suspended, or nobody's", i);
    for (size_t i = 0; i < s->truth->told_count && !s->failed; i++)
        if (!log_has(s, i))
            sim_fail(s, "a change (%s) was told as done, and is not in the log of account %zu",
                     entry_operation_name(s->truth->told[i].operation), s->truth->told[i].first);
    for (int i = 0; i < SWEPT_TRIES && !s->failed && (what = rests(s, &whose)); i++)
        sim_run_for(s, 1000);
    if (what) sim_fail(s, "a revoked device (%zu) has left %s", whose, what);
    for (int i = 0; i < SWEPT_TRIES && !s->failed && (bound = still_bound(s)); i++)
        sim_run_for(s, 1000);
    if (bound) sim_fail(s, "device %zu is revoked, and has a session", bound->index);
}
