/* drift: what operators are told of sends that were made for devices that their recipient has no more (PROTOCOL 7.2): the
 * counts of stale_table.c, on demand (DRIFT), and an alarm where a pair does not come right by itself. */
#include "storage/core.h"

#include <string.h>

void drift_refused(struct storage *s, struct device_id sender, const struct msg_send_item *item,
                   const struct msg_stale *stale, uint64_t client_version)
{
    struct account_id account;
    uint64_t times, lag = stale->log.key_version > item->key_version ? stale->log.key_version - item->key_version : 0;
    const struct stale_refusal r = {sender, item->target, client_version, lag};
    memcpy(account.bytes, item->target.bytes, sizeof account.bytes);
    if (!stale_refused(&s->stale, &r, s->turn.now_ms, &times)) return;
    core_event(s, &(struct event){.kind = EVENT_DRIFT_STUCK, .count = times, .value = client_version,
                                  .account = mark_account(&s->config.mark_key, account),
                                  .device = mark_device(&s->config.mark_key, sender)});
}

void drift_tick(struct storage *s)
{
    uint64_t refused, sent;
    if (stale_rate(&s->stale, s->turn.now_ms, &refused, &sent))
        core_event(s, &(struct event){.kind = EVENT_DRIFT_RATE, .count = refused, .value = sent});
}

enum status drift_plan(struct storage *s, struct request *r)
{
    (void)s, (void)r;
    return STATUS_OK;
}

static void version_copy(const struct stale_version *v, struct msg_drift_version *out)
{
    *out = (struct msg_drift_version){.client_version = v->client_version, .refused = v->refused, .lag_1 = v->lag_1,
                                      .lag_2 = v->lag_2, .lag_4 = v->lag_4, .repaired = v->repaired,
                                      .rounds = v->rounds, .latency_ms = v->latency_ms,
                                      .latency_ms_max = v->latency_ms_max};
}

static void pair_copy(const struct storage *s, const struct stale_pair *p, struct msg_drift_pair *out)
{
    struct account_id account;
    memcpy(account.bytes, p->target.bytes, sizeof account.bytes);
    *out = (struct msg_drift_pair){.sender = mark_device(&s->config.mark_key, p->sender),
                                   .target = mark_account(&s->config.mark_key, account),
                                   .client_version = p->client_version, .refused = p->refused, .lag = p->lag,
                                   .first_ms = p->first_ms, .last_ms = p->last_ms, .open = p->open, .stuck = p->stuck};
}

void drift_apply(struct storage *s, struct request *r)
{
    const struct stale_table *t = &s->stale;
    struct msg_drift_is m = {.store = s->store_id, .since_ms = t->since_ms, .sent = t->sent, .refused = t->refused,
                             .forgotten = t->forgotten};
    m.versions = arena_array(&s->turn.arena, DRIFT_VERSIONS_MAX, sizeof *m.versions);
    m.pairs = arena_array(&s->turn.arena, DRIFT_PAIRS_MAX, sizeof *m.pairs);
    for (size_t i = 0; i < DRIFT_VERSIONS_MAX; i++)
        if (t->versions[i].used) version_copy(&t->versions[i], &m.versions[m.version_count++]);
    for (size_t i = 0; i < DRIFT_PAIRS_MAX; i++)
        if (t->pairs[i].used) pair_copy(s, &t->pairs[i], &m.pairs[m.pair_count++]);
    request_reply(s, r, KIND_DRIFT_IS, &msg_drift_is_desc, &m);
}
