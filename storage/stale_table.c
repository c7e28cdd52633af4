/* stale_table: see the header. A series is a pair's refusals up to the acceptance that ends it; a pair that was quiet for
 * STALE_STUCK_MS begins another one. Where all places are taken the one with the fewest refusals gives way: strangers in
 * masses make it forget whom they resemble, and not who is stuck. */
#include "storage/stale_table.h"

#include <string.h>

static bool is_pair(const struct stale_pair *p, struct device_id sender, struct target_id target)
{
    return p->used && device_equal(p->sender, sender) && memcmp(&p->target, &target, sizeof target) == 0;
}

/* Rather one that is over, then one with few refusals, then an old one. */
static bool gives_way_before(const struct stale_pair *a, const struct stale_pair *b)
{
    if (a->used != b->used) return !a->used;
    if (a->open != b->open) return !a->open;
    if (a->refused != b->refused) return a->refused < b->refused;
    return a->last_ms < b->last_ms;
}

static struct stale_pair *pair_of(struct stale_table *t, const struct stale_refusal *r)
{
    struct stale_pair *place = &t->pairs[0];
    for (size_t i = 0; i < DRIFT_PAIRS_MAX; i++) {
        if (is_pair(&t->pairs[i], r->sender, r->target)) return &t->pairs[i];
        if (gives_way_before(&t->pairs[i], place)) place = &t->pairs[i];
    }
    t->forgotten += place->open;
    t->open -= place->open;
    *place = (struct stale_pair){.sender = r->sender, .target = r->target, .used = true};
    return place;
}

static struct stale_version *version_of(struct stale_table *t, uint64_t client_version)
{
    struct stale_version *v = t->versions;
    while (v < &t->versions[DRIFT_VERSIONS_MAX - 1] && v->used && v->client_version != client_version)
        v++;
    if (!v->used) *v = (struct stale_version){.client_version = client_version, .used = true};
    if (v->client_version != client_version) v->client_version = 0;
    return v;
}

static void version_note(struct stale_version *v, uint64_t lag)
{
    v->refused++;
    v->lag_1 += lag <= 1;
    v->lag_2 += lag == 2 || lag == 3;
    v->lag_4 += lag >= 4;
}

bool stale_refused(struct stale_table *t, const struct stale_refusal *r, uint64_t now_ms, uint64_t *refused)
{
    struct stale_pair *p = pair_of(t, r);
    version_note(version_of(t, r->client_version), r->lag);
    t->sent++, t->refused++;
    t->rate_sent++, t->rate_refused++;
    p->client_version = r->client_version;
    p->lag = r->lag;
    bool begins = !p->open || now_ms > p->last_ms + STALE_STUCK_MS;
    if (!begins && now_ms < p->last_ms + STALE_COUNT_EVERY_MS) return false;
    t->open += !p->open;
    p->open = true;
    if (begins) {
        p->refused = 0;
        p->first_ms = now_ms;
        p->stuck = false;
    }
    p->last_ms = now_ms;
    *refused = ++p->refused;
    if (p->stuck || p->refused < STALE_STUCK_REFUSALS) return false;
    p->stuck = true;
    return true;
}

void stale_accepted(struct stale_table *t, struct device_id sender, struct target_id target, uint64_t now_ms)
{
    t->sent++, t->rate_sent++;
    for (size_t i = 0; t->open && i < DRIFT_PAIRS_MAX; i++) {
        struct stale_pair *p = &t->pairs[i];
        if (!p->open || !is_pair(p, sender, target)) continue;
        struct stale_version *v = version_of(t, p->client_version);
        uint64_t latency_ms = now_ms > p->first_ms ? now_ms - p->first_ms : 0;
        v->repaired++;
        v->rounds += p->refused;
        v->latency_ms += latency_ms;
        if (latency_ms > v->latency_ms_max) v->latency_ms_max = latency_ms;
        p->open = p->stuck = false;
        t->open--;
    }
}

bool stale_rate(struct stale_table *t, uint64_t now_ms, uint64_t *refused, uint64_t *sent)
{
    *refused = t->rate_refused;
    *sent = t->rate_sent;
    if (now_ms >= t->rate_from_ms && now_ms < t->rate_from_ms + STALE_RATE_EVERY_MS) return false;
    t->rate_from_ms = now_ms;
    t->rate_refused = t->rate_sent = 0;
    return *refused >= STALE_RATE_MIN && *refused * 100 >= *sent * STALE_RATE_PERCENT;
}
