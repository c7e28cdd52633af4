/* forks: a relay that keeps both of two entries that devices of one account made for the same place, and shows one client the one
 * that is not in the log: a history that is signed by who may sign it, and that no client can tell from the real one as long as it
 * sees no other (evil.c, for lists that are only old). Who takes it is on a branch from then on: the gate takes nothing from it
 * for a device that the real log has not, and as soon as it is shown the log, or compares with somebody who was, it knows. What it
 * wrote to that account waits for its user, to the end. Who holds the log already notices at once. Invariants: at most one device
 * in a world is on a branch of its own account; nobody holds anything but the log or a branch. */
#include "tests/sim/watch.h"

#include "clients/safety.h"

#include <stdlib.h>
#include <string.h>

#define BRANCHES_MAX 64u
#define LOOKED_UP_MS  8000u
#define ENTRY_NEWS_MS 20000u /* of so late an entry nobody is shown the branch beside it any more */

struct branch {
    size_t account;
    uint64_t number, made_ms;
    struct identity_log log; /* with it */
    struct buffer entry;
};

struct forks {
    struct branch at[BRANCHES_MAX];
    size_t count;
    struct { const struct branch *branch; uint64_t until_ms; } shown[SIM_DEVICES_MAX][SIM_DEVICES_MAX]; /* device, account */
    size_t own; /* who is shown a branch of its own account; SIM_DEVICES_MAX = nobody yet, SIM_NEVER = nobody ever */
    bool told[SIM_DEVICES_MAX]; /* a device was told that its own log is shown otherwise */
    bool notices; /* who is being answered holds another entry in the place of the branch's */
};

void forks_start(struct sim *s)
{
    s->forks = calloc(1, sizeof *s->forks);
    ENSURE(s->forks != NULL);
    s->forks->own = rng_chance(&s->rng, 350) ? SIM_DEVICES_MAX : SIM_NEVER;
}

void forks_fini(struct sim *s)
{
    for (size_t i = 0; s->forks && i < s->forks->count; i++)
        buffer_fini(&s->forks->at[i].entry);
    free(s->forks);
    s->forks = NULL;
}

/* ---- what a device holds ---- */

static struct contact contact_of(struct device *d, size_t account)
{
    struct contact c = {.log = {.length = 0}};
    enum status s = state_begin(d->state, STATE_READ);
    if (s == STATUS_OK) {
        s = state_contact_get(d->state, d->sim->devices[account].account, &c);
        state_rollback(d->state);
    }
    return s == STATUS_OK ? c : (struct contact){.log = {.length = 0}};
}

static struct identity_log held(struct device *d, size_t account)
{
    return contact_of(d, account).log;
}

static bool is_at(const struct identity_log *log, const struct msg_log_state *state)
{
    return log->length == state->length && memcmp(&log->head, &state->head, sizeof log->head) == 0;
}

/* The log has another entry in its place. */
static bool is_fork(const struct sim *s, const struct branch *b)
{
    struct msg_log_state real;
    uint64_t length = b->log.length;
    if (truth_log(s, b->account)->length < length || !truth_state(s, b->account, length, &real)) return false;
    return real.length == length && memcmp(&real.head, &b->log.head, sizeof real.head) != 0;
}

static const struct branch *branch_of(struct device *d, size_t account)
{
    struct sim *s = d->sim;
    if (!s->forks || !device_is_in(d)) return NULL;
    struct identity_log log = held(d, account);
    for (size_t i = 0; log.length && i < s->forks->count; i++) {
        const struct branch *b = &s->forks->at[i];
        struct msg_log_state state = identity_log_state(&b->log);
        if (b->account == account && is_fork(s, b) && is_at(&log, &state)) return b;
    }
    return NULL;
}

bool forks_on(struct device *d, size_t account)
{
    return branch_of(d, account) != NULL;
}

bool forks_in(struct sim *s, size_t account)
{
    for (size_t i = 0; s->forks && i < s->device_count; i++)
        if (s->devices[i].owner == account && forks_on(&s->devices[i], account)) return true;
    return false;
}

bool forks_out(struct device *d)
{
    if (!d->sim->forks) return false;
    bool in = device_is_in(d) && truth_standing(d->sim, d->owner, d->id) == STANDING_ACTIVE;
    return !in && forks_in(d->sim, d->owner);
}

bool forks_mute(struct sim *s, const struct outbox_row *row)
{
    for (size_t i = 0; s->forks && i < s->account_count; i++)
        if (memcmp(&s->devices[i].account, &row->target, sizeof row->target) == 0 && forks_in(s, i)) return true;
    return false;
}

bool forks_between(struct device *from, const struct outbox_row *row)
{
    struct sim *s = from->sim;
    bool between = s->forks && forks_on(from, from->owner);
    for (size_t i = 0; s->forks && i < s->account_count && !between; i++)
        between = memcmp(&s->devices[i].account, &row->target, sizeof row->target) == 0 && forks_on(from, i);
    for (size_t i = 0; s->forks && i < row->part_count && !between; i++) {
        size_t to = device_number(s, row->parts[i].device);
        between = to < s->device_count && (forks_on(&s->devices[to], from->owner) || forks_on(&s->devices[to], s->devices[to].owner));
    }
    return between;
}

bool forks_has(struct device *d, size_t account, struct device_id device)
{
    const struct branch *b = branch_of(d, account);
    return b && identity_log_device(&b->log, device);
}

/* ---- what devices sign ---- */

/* It may be in the log in the end, and it may not. */
static void branch_keep(struct device *d, struct view entry)
{
    struct forks *f = d->sim->forks;
    struct arena a = {0};
    struct branch *b = &f->at[f->count];
    *b = (struct branch){.account = d->owner, .made_ms = d->sim->now_ms};
    device_log(d, &b->log);
    b->number = b->log.length;
    if (b->number && identity_log_append(&b->log, entry, &a) == STATUS_OK) {
        write_view(&b->entry, entry);
        f->count++;
    }
    arena_fini(&a);
}

static bool is_kept(const struct forks *f, struct view entry)
{
    for (size_t i = 0; i < f->count; i++)
        if (view_equal(buffer_view(&f->at[i].entry), entry)) return true;
    return false;
}

void forks_said(struct device *d, struct view frame)
{
    struct forks *w = d->sim->forks;
    struct arena a = {0};
    struct frame f;
    struct msg_append m;
    if (!w || w->count == BRANCHES_MAX || frame_check(frame, FROM_CLIENT, &f) != STATUS_OK || f.header.kind != KIND_APPEND) return;
    bool own = codec_decode(&msg_append_desc, f.meta, &a, &m) == STATUS_OK && m.entry_count == 1 &&
               memcmp(&m.account, &d->account, sizeof m.account) == 0;
    if (own && !is_kept(w, m.entries[0])) branch_keep(d, m.entries[0]);
    arena_fini(&a);
}

/* ---- shown ---- */

static bool may_show(struct device *d, const struct branch *b)
{
    return b->made_ms + ENTRY_NEWS_MS > d->sim->now_ms && is_fork(d->sim, b);
}

static const struct branch *choose(struct device *d, size_t account)
{
    struct sim *s = d->sim;
    const struct branch *chosen = NULL;
    size_t count = 0;
    for (size_t i = 0; i < s->forks->count; i++) {
        const struct branch *b = &s->forks->at[i];
        if (b->account == account && may_show(d, b) && rng_below(&s->rng, ++count) == 0) chosen = b;
    }
    if (!chosen || !rng_chance(&s->rng, 400)) return NULL;
    if (d->owner != account) return chosen;
    if (s->forks->own == SIM_DEVICES_MAX && held(d, account).length <= chosen->number) s->forks->own = d->index;
    return s->forks->own == d->index ? chosen : NULL;
}

/* For a while the same one. */
static const struct branch *shown(struct device *d, size_t account)
{
    struct sim *s = d->sim;
    if (!s->forks || s->calm || account == SIM_NEVER) return NULL;
    if (s->forks->shown[d->index][account].until_ms <= s->now_ms) {
        s->forks->shown[d->index][account].branch = choose(d, account);
        s->forks->shown[d->index][account].until_ms = s->now_ms + rng_between(&s->rng, 300, 15000);
    }
    return s->forks->shown[d->index][account].branch;
}

bool forks_tell(struct device *d, size_t account, struct msg_log_state *log, struct view **entries, size_t *count, struct arena *a)
{
    struct sim *s = d->sim;
    const struct branch *b = log->length ? shown(d, account) : NULL;
    size_t kept = 0;
    if (!b) return false;
    struct view *all = arena_array(a, ENTRIES_PER_FRAME, sizeof *all);
    while (kept < *count && kept < ENTRIES_PER_FRAME - 1 && evil_number((*entries)[kept], a) < b->number) {
        all[kept] = (*entries)[kept];
        kept++;
    }
    all[kept++] = buffer_view(&b->entry);
    *entries = all;
    *count = kept;
    *log = identity_log_state(&b->log);
    struct identity_log has = held(d, account);
    s->forks->notices = has.length > b->number && !is_at(&has, log);
    s->seen[SEEN_BRANCHES]++;
    return true;
}

bool forks_notices(struct sim *s)
{
    bool notices = s->forks && s->forks->notices;
    if (s->forks) s->forks->notices = false;
    return notices;
}

void forks_told(struct device *d)
{
    if (d->sim->forks && forks_on(d, d->owner)) d->sim->forks->told[d->index] = true;
}

/* ---- in the end ---- */

/* Somebody of the account who has its log, as the screen shows it; NULL = nobody. */
static struct device *honest(struct sim *s, size_t account)
{
    for (size_t i = 0; i < s->device_count; i++) {
        struct device *d = &s->devices[i];
        if (d->owner == account && truth_standing(s, account, d->id) == STANDING_ACTIVE && device_at_work(d) &&
            !forks_on(d, account))
            return d;
    }
    return NULL;
}

static struct safety_side side_of(struct device *d, size_t account)
{
    struct identity_log log = held(d, account);
    return (struct safety_side){log.account, log.length, log.head};
}

static bool is_in_doubt(struct device *d, size_t account)
{
    static const struct hash256 none;
    struct contact c = contact_of(d, account);
    return memcmp(&c.hold_head, &none, sizeof none) != 0;
}

/* What the one sees who reads the other one's screen. */
static enum safety_verdict reads(struct device *d, struct device *other)
{
    struct safety_pair text = {.own = side_of(other, other->owner), .contact = side_of(other, d->owner)};
    struct safety_result result;
    if (!text.contact.length || !held(d, other->owner).length) return SAFETY_OTHER;
    ENSURE(engine_compare(device_at_work(d)->engine, sim_device_now(d), other->account, &text, &result) == STATUS_OK);
    return result.verdict;
}

/* Two people who compare find it out: at once, or when the rest is looked up, of which the one who has less is told. */
static void compare(struct device *d, struct device *other)
{
    struct sim *s = d->sim;
    enum safety_verdict theirs = reads(other, d), ours = reads(d, other);
    if (theirs != SAFETY_FORK && theirs != SAFETY_OTHER)
        sim_fail(s, "device %zu is on a branch of account %zu, and shows it to somebody there, who sees nothing", d->index, other->owner);
    if (ours == SAFETY_NEWER) sim_run_for(s, LOOKED_UP_MS);
    if (ours != SAFETY_OTHER && ours != SAFETY_FORK && !(ours == SAFETY_NEWER && is_in_doubt(d, other->owner)))
        sim_fail(s, "device %zu is on a branch of account %zu, and comparing tells nothing", d->index, other->owner);
    s->seen[SEEN_BRANCHED]++;
}

static void holds_check(struct device *d, size_t account)
{
    struct msg_log_state real;
    struct identity_log log = held(d, account);
    bool known = log.length && truth_state(d->sim, account, log.length, &real) && real.length == log.length;
    if (known && !is_at(&log, &real) && !forks_on(d, account))
        sim_fail(d->sim, "device %zu holds something of account %zu that is neither its log nor a branch of it", d->index, account);
}

void forks_check(struct sim *s)
{
    for (size_t i = 0; s->forks && i < s->device_count && !s->failed; i++) {
        struct device *d = &s->devices[i];
        if (!device_is_in(d) || truth_standing(s, d->owner, d->id) != STANDING_ACTIVE || !device_at_work(d)) continue;
        for (size_t account = 0; account < s->account_count; account++) {
            struct device *other = honest(s, account);
            holds_check(d, account);
            if (!forks_on(d, account)) continue;
            if (account != d->owner && other) compare(d, other);
            if (account == d->owner && !s->forks->told[i]) sim_fail(s, "device %zu is on a branch of its account, and was not told", i);
        }
    }
}
