/* stale_table: which pairs of a sending device and an account had sends refused as stale, how soon they were repaired, and by
 * which client versions. In memory and bounded; no clock, no store. Ids stay inside: who tells of them makes marks. */
#ifndef SEALMQ_STORAGE_STALE_TABLE_H
#define SEALMQ_STORAGE_STALE_TABLE_H

#include "broker/wire/ids.h"
#include "broker/wire/limits.h"

#define STALE_STUCK_REFUSALS 6u          /* of one pair, so many */
#define STALE_STUCK_MS       600000u     /* within this, and none accepted: it does not get better by itself */
#define STALE_COUNT_EVERY_MS 1000u       /* of a pair: messages that go together are stale together, and one refusal */
#define STALE_RATE_EVERY_MS  60000u
#define STALE_RATE_MIN       20u         /* refusals in that time, at least, */
#define STALE_RATE_PERCENT   10u         /* and so many of all that was decided */

struct stale_pair {
    struct device_id sender;
    struct target_id target;
    uint64_t client_version;
    uint64_t refused, lag;      /* in this series; of the last one */
    uint64_t first_ms, last_ms; /* of this series */
    bool used, open, stuck;
};

struct stale_version {
    uint64_t client_version;
    uint64_t refused, lag_1, lag_2, lag_4;
    uint64_t repaired, rounds, latency_ms, latency_ms_max;
    bool used;
};

struct stale_table {
    uint64_t since_ms, sent, refused, forgotten;
    size_t open;                        /* pairs; 0: an acceptance costs nothing */
    struct stale_pair pairs[DRIFT_PAIRS_MAX];
    struct stale_version versions[DRIFT_VERSIONS_MAX]; /* the last place takes all that have none */
    uint64_t rate_from_ms, rate_sent, rate_refused;
};

struct stale_refusal {
    struct device_id sender;
    struct target_id target;
    uint64_t client_version, lag;
};

/* stale_refused: one more; true = the pair is stuck from now on, *refused times. stale_accepted: a send of the pair was
 * accepted. now_ms: the store's clock. */
bool stale_refused(struct stale_table *t, const struct stale_refusal *r, uint64_t now_ms, uint64_t *refused);
void stale_accepted(struct stale_table *t, struct device_id sender, struct target_id target, uint64_t now_ms);
/* stale_rate: once in STALE_RATE_EVERY_MS: true where too many were refused since it last looked. */
bool stale_rate(struct stale_table *t, uint64_t now_ms, uint64_t *refused, uint64_t *sent);

#endif
