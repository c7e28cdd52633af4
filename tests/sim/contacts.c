/* contacts: people who block each other, take it back, allow, and turn requests on and off while faults last; and the oracle
 * for it. A block holds from the moment at which its device knows that the relay has it to the moment at which its user takes it
 * back: nothing accepted in between is anybody's message. In the end each device and the relay say the same, and act so. */
#include "tests/sim/sim.h"

#include "storage/rows.h"

#include <string.h>

#define PROBE_MS 30000u

static bool may_read(struct device *d)
{
    return state_begin(d->state, STATE_READ) == STATUS_OK;
}

/* What is held of another one; none while the disk fails. */
static struct state_verdict verdict_of(struct device *d, size_t other)
{
    struct state_verdict v = {.held = CONTACT_NONE};
    if (!may_read(d)) return v;
    if (state_verdict_get(d->state, d->sim->devices[other].account, &v) == STATUS_IO) v.held = CONTACT_NONE;
    state_rollback(d->state);
    return v;
}

static bool mode_of(struct device *d, struct state_policy *out)
{
    struct arena arena = {0};
    bool read = may_read(d);
    if (read) {
        read = state_policy_get(d->state, &arena, out) == STATUS_OK;
        state_rollback(d->state);
    }
    arena_fini(&arena);
    return read;
}

/* ---- what users say ---- */

static void span_end(struct device *d, size_t other)
{
    for (size_t i = 0; i < d->span_count; i++)
        if (d->spans[i].other == other && d->spans[i].to_ms == SIM_NEVER) d->spans[i].to_ms = d->sim->now_ms;
}

static void say_one(struct device *d, struct session_host *by)
{
    struct sim *s = d->sim;
    size_t other = rng_below(&s->rng, s->device_count - 1);
    other += other >= d->index;
    enum contact_verdict word = rng_chance(&s->rng, 500) ? CONTACT_BLOCKED
                                : rng_chance(&s->rng, 500) ? CONTACT_ALLOWED : CONTACT_NONE;
    if (word != CONTACT_BLOCKED) span_end(d, other);
    enum status status = engine_contact_set(by->engine, sim_device_now(d), s->devices[other].account, word);
    if (status != STATUS_OK && status != STATUS_IO) sim_fail(s, "engine_contact_set: %s", status_name(status));
    d->picky = d->picky || word == CONTACT_BLOCKED;
}

void contacts_step(struct device *d, struct session_host *by)
{
    struct sim *s = d->sim;
    if (d->contacts_ms > s->now_ms || s->calm || !d->registered) return;
    d->contacts_ms = s->now_ms + 1 + rng_below(&s->rng, 2ull * s->profile->contacts_every_ms);
    if (!rng_chance(&s->rng, 200)) {
        say_one(d, by);
        return;
    }
    bool on = rng_chance(&s->rng, 500);
    enum status status = engine_mode_set(by->engine, sim_device_now(d), on ? CONTACT_MODE_REQUESTS : CONTACT_MODE_OPEN);
    if (status != STATUS_OK && status != STATUS_IO) sim_fail(s, "engine_mode_set: %s", status_name(status));
    d->picky = d->picky || on;
}

/* ---- what holds ---- */

static bool is_open(const struct device *d, size_t other)
{
    for (size_t i = 0; i < d->span_count; i++)
        if (d->spans[i].other == other && d->spans[i].to_ms == SIM_NEVER) return true;
    return false;
}

void contacts_told(struct device *d)
{
    struct sim *s = d->sim;
    for (size_t i = 0; i < s->device_count; i++) {
        struct state_verdict v = verdict_of(d, i);
        if (i == d->index || v.held != CONTACT_BLOCKED || v.wished || is_open(d, i)) continue;
        if (d->span_count == SIM_SPANS_MAX) return;
        d->spans[d->span_count++] = (struct block_span){.other = i, .from_ms = s->now_ms, .to_ms = SIM_NEVER};
        s->seen[SEEN_BLOCKED]++;
    }
}

void contacts_shown(struct device *d, const struct inbox_row *row)
{
    struct state_verdict v;
    enum status status = state_verdict_get(d->state, row->sender_account, &v);
    if (status == STATUS_OK && verdict_now(&v) == CONTACT_BLOCKED)
        sim_fail(d->sim, "device %zu is shown a message of who is blocked", d->index);
}

bool contacts_refused(struct sim *s, const struct app_message *m, const struct outbox_row *row)
{
    bool refused = row->state == MESSAGE_REFUSED && row->reason == STATUS_NOT_ACCEPTED;
    s->seen[SEEN_NOT_ACCEPTED] += refused;
    return refused && s->devices[m->to].picky;
}

bool contacts_stuck(const struct sim *s, const struct outbox_row *row)
{
    return s->profile->contacts_every_ms && row->state == MESSAGE_ACCEPTED && row->attempt && row->reason == STATUS_NOT_ACCEPTED;
}

/* The receipt is that of the last acceptance; store time is the world's here. A disk that loses a block loses it. */
void contacts_accepted(struct sim *s, const struct app_message *m, const struct outbox_row *row)
{
    const struct device *d = &s->devices[m->to];
    uint64_t at_ms = row->receipt.accepted_ms - SIM_WALL_MS;
    if (!row->receipt.commit || s->cuts) return;
    for (size_t i = 0; i < d->span_count; i++)
        if (d->spans[i].other == m->from && at_ms > d->spans[i].from_ms && at_ms < d->spans[i].to_ms)
            sim_fail(s, "a message of device %zu was accepted at %llu for device %zu, which has blocked it since %llu",
                     m->from, (unsigned long long)at_ms, m->to, (unsigned long long)d->spans[i].from_ms);
}

bool contacts_settled(struct device *d)
{
    struct state_policy p;
    struct state_verdict row;
    struct verdict_scan scan = {.which = VERDICT_WISHED, .rows = &row, .row_max = 1};
    ENSURE(mode_of(d, &p) && may_read(d));
    ENSURE(state_verdict_scan(d->state, &scan) == STATUS_OK);
    state_rollback(d->state);
    return p.wish == CONTACT_MODE_UNCHANGED && !scan.row_count;
}

/* Nothing is kept from a user but of whom he has blocked. */
static void withheld_check(struct device *d)
{
    struct arena arena = {0};
    struct inbox_row rows[32];
    struct inbox_scan scan = {.which = INBOX_WITHHELD, .rows = rows, .row_max = 32};
    struct state_verdict v;
    ENSURE(may_read(d));
    do {
        ENSURE(state_inbox_scan(d->state, &scan, &arena) == STATUS_OK);
        for (size_t i = 0; i < scan.row_count; i++) {
            scan.after = rows[i].order;
            enum status s = state_verdict_get(d->state, rows[i].sender_account, &v);
            if (s != STATUS_OK || verdict_now(&v) != CONTACT_BLOCKED)
                sim_fail(d->sim, "device %zu keeps a message from its user whose sender is not blocked", d->index);
        }
    } while (scan.row_count == 32);
    state_rollback(d->state);
    arena_fini(&arena);
}

/* ---- in the end ---- */

/* What the relay has on its disk. */
static void relay_reads(struct store *store, const struct device *d, size_t other, struct policy_row *policy,
                        enum contact_verdict *verdict)
{
    struct arena arena = {0};
    struct contact_row said = {.verdict = CONTACT_NONE};
    struct store_key keys[] = {key_policy(d->account), key_contact(d->account, d->sim->devices[other].account)};
    struct store_read reads[] = {{.space = SPACE_IDENTITY, .key = key_view(&keys[0])},
                                 {.space = SPACE_IDENTITY, .key = key_view(&keys[1])}};
    *policy = (struct policy_row){.mode = CONTACT_MODE_OPEN};
    ENSURE(store_load(store, reads, 2, &arena) == STATUS_OK);
    if (reads[0].value.at) ENSURE(policy_row_read(reads[0].value, policy) == STATUS_OK);
    if (reads[1].value.at) ENSURE(contact_row_read(reads[1].value, &said) == STATUS_OK);
    *verdict = (enum contact_verdict)said.verdict;
    arena_fini(&arena);
}

static struct store *store_of_device(struct sim *s, const struct device *d)
{
    uint16_t home = home_of_account(d->account);
    for (size_t i = 0; i < s->store_count; i++)
        if (home >= s->stores[i].first && home <= s->stores[i].last && s->stores[i].process)
            return s->stores[i].process->store;
    return NULL;
}

static void compare(struct sim *s, struct device *d, size_t other)
{
    struct store *store = store_of_device(s, d);
    struct policy_row policy;
    struct state_policy p;
    enum contact_verdict verdict;
    struct state_verdict v = verdict_of(d, other);
    if (!store || !mode_of(d, &p)) return;
    relay_reads(store, d, other, &policy, &verdict);
    if (verdict != v.held || policy.mode != (uint32_t)p.mode || policy.version != p.version)
        sim_fail(s, "device %zu says %s of device %zu (mode %s), and the relay has %s (mode %s)", d->index,
                 contact_verdict_name(v.held), other, contact_mode_name(p.mode), contact_verdict_name(verdict),
                 contact_mode_name(policy.mode));
}

/* One more message of who is blocked, to who has blocked it. */
static void probe(struct sim *s, size_t from, size_t to)
{
    struct device *d = &s->devices[from];
    struct outbox_row row;
    struct engine_message message = {.handle = view_of(s->devices[to].handle, strlen(s->devices[to].handle)),
                                     .payload = view_of("one more", 8)};
    ENSURE(engine_send(d->sessions[SESSION_RECEIVER].engine, sim_device_now(d), &message, &row) == STATUS_OK);
    uint64_t order = row.order;
    sim_run_for(s, PROBE_MS);
    ENSURE(state_begin(d->state, STATE_READ) == STATUS_OK);
    ENSURE(state_outbox_get(d->state, order, &row) == STATUS_OK);
    state_rollback(d->state);
    if (s->cuts && row.state == MESSAGE_REFUSED && row.reason == STATUS_NOT_FOUND) return; /* its account is lost */
    if (row.state != MESSAGE_REFUSED || row.reason != STATUS_NOT_ACCEPTED)
        sim_fail(s, "device %zu is blocked by device %zu, and its message is %s (%s)", from, to, message_state_name(row.state),
                 status_name(row.reason));
}

void contacts_check(struct sim *s)
{
    if (s->cuts) sim_run_for(s, PROBE_MS); /* a device hears of a loss with its next ping */
    for (size_t i = 0; i < s->device_count && !s->failed; i++)
        withheld_check(&s->devices[i]);
    for (size_t i = 0; i < s->device_count && !s->failed; i++)
        for (size_t k = 0; k < s->device_count && !s->failed; k++)
            if (i != k) compare(s, &s->devices[i], k);
    for (size_t i = 0; i < s->device_count && !s->failed; i++)
        for (size_t k = 0; k < s->device_count && !s->failed; k++)
            if (i != k && verdict_of(&s->devices[i], k).held == CONTACT_BLOCKED) {
                probe(s, k, i);
                k = s->device_count; /* one of each will do */
            }
}
