/* profile: what kinds of worlds there are. calm: no faults, so that everything must be quick. faults:
 * everything that a machine room does. loss: disks that lose synced writes. wiped: disks that are replaced by empty ones. clocks: clocks that lie.
 * lies: a relay that tells devices wrong things about each other's keys, and keys that change often.
 * retention: everything off for days, past the age of claims and ids, not of payloads.
 * backpressure: tiny credits, queues and mailboxes, and readers that take their time.
 * metered: a relay that allows in a second what a person does, all behind one address.
 * copies: the same, where each account has two devices, which send, rotate and fail each by itself.
 * contacts, contacts_loss: people who block each other and take it back, over all of `faults`, and with `loss`, too.
 * sealed: messages sealed end to end, over all of `faults`, and a relay that alters some of them.
 * churn: accounts of several devices, which join, suspend, resume, name and revoke each other, over all of `faults`.
 * evil: the same under a relay that shows old lists, ghosts, other heads to some, and other boxes. */
#include "tests/sim/sim.h"

#include <string.h>

#define SEEN(name) (1ull << SEEN_##name)
#define EVERYDAY                                                                                   \
    [FAULT_CLIENT_BREAK] = 8, [FAULT_CLIENT_STALL] = 6, [FAULT_CLIENT_CRASH] = 6,                  \
    [FAULT_CLIENT_OFFLINE] = 6, [FAULT_CLIENT_DISK] = 4, [FAULT_BROKER_CRASH] = 3,                 \
    [FAULT_BROKER_DRAIN] = 2, [FAULT_WORKER_BREAK] = 3, [FAULT_WORKER_STALL] = 4,                  \
    [FAULT_STORE_KILL] = 6, [FAULT_STORE_WRITE_FAILS] = 3, [FAULT_STORE_DRAIN] = 2,                \
    [FAULT_STORE_ZOMBIE] = 3, [FAULT_STORE_LOW] = 1, [FAULT_FANOUT_CRASH] = 2

static const struct profile profiles[] = {
    {.name = "calm", .devices_min = 3, .devices_max = 6, .brokers_max = 2, .stores_max = 2,
     .chaos_ms = 15000, .settle_ms = 40000, .send_every_ms = 1500, .large_pm = 30, .twice_pm = 100,
     .quick_pm = 150, .rogue_pm = 500, .rotate_every_ms = 10000, .latency_ms = 20, .commit_ms = 8, .edge_queue = 32,
     .backend_queue = 4096, .mailbox_messages = 10000, .storage_credit = 512,
     .must_see = SEEN(REUSED) | SEEN(FAILED) | SEEN(EXPIRED) | SEEN(ROTATED) | SEEN(STALE)},
    {.name = "faults", .devices_min = 3, .devices_max = 8, .brokers_max = 2, .stores_max = 2,
     .chaos_ms = 25000, .settle_ms = 120000, .send_every_ms = 1500, .large_pm = 30, .ttl_pm = 30,
     .twice_pm = 200, .quick_pm = 200, .rogue_pm = 500, .rotate_every_ms = 20000, .latency_ms = 100, .commit_ms = 20,
     .fault_every_ms = 600, .weights = {EVERYDAY}, .edge_queue = 32, .backend_queue = 4096,
     .mailbox_messages = 10000, .storage_credit = 512,
     .must_see = SEEN(REPEATED) | SEEN(REUSED) | SEEN(AGAIN) | SEEN(WORKER_LOST) | SEEN(BROKER_LOST) |
                 SEEN(STALE_TERM) | SEEN(EXPIRED) | SEEN(FAILED) | SEEN(READONLY) | SEEN(POSTED) |
                 SEEN(RENEWED) | SEEN(KILL_IDLE) | SEEN(KILL_BEFORE) | SEEN(KILL_AFTER) |
                 SEEN(KILL_FINISH) | SEEN(UNCERTAIN) | SEEN(STATE_FAILED)},
    {.name = "loss", .devices_min = 3, .devices_max = 6, .brokers_max = 2, .stores_max = 1,
     .chaos_ms = 25000, .settle_ms = 150000, .send_every_ms = 1200, .large_pm = 10, .twice_pm = 100,
     .quick_pm = 100, .rotate_every_ms = 15000, .latency_ms = 50, .commit_ms = 10, .fault_every_ms = 1500,
     .weights = {[FAULT_STORE_CUT] = 5, [FAULT_CLIENT_BREAK] = 3, [FAULT_CLIENT_OFFLINE] = 3,
                 [FAULT_STORE_KILL] = 2, [FAULT_WORKER_STALL] = 1, [FAULT_BROKER_CRASH] = 1},
     .edge_queue = 32, .backend_queue = 4096, .mailbox_messages = 10000, .storage_credit = 512,
     .must_see = SEEN(LOSS) | SEEN(RESENT) | SEEN(ROTATED) | SEEN(STALE) | SEEN(BEHIND)},
    {.name = "wiped", .devices_min = 3, .devices_max = 6, .brokers_max = 2, .stores_max = 1,
     .chaos_ms = 25000, .settle_ms = 150000, .send_every_ms = 1200, .large_pm = 10, .twice_pm = 100,
     .quick_pm = 100, .rotate_every_ms = 10000, .latency_ms = 50, .commit_ms = 10, .fault_every_ms = 1500,
     .weights = {[FAULT_STORE_WIPE] = 4, [FAULT_CLIENT_BREAK] = 3,
                 [FAULT_CLIENT_OFFLINE] = 3, [FAULT_CLIENT_CRASH] = 2, [FAULT_STORE_KILL] = 2,
                 [FAULT_WORKER_STALL] = 1, [FAULT_BROKER_CRASH] = 1},
     .edge_queue = 32, .backend_queue = 4096, .mailbox_messages = 10000, .storage_credit = 512,
     .must_see = SEEN(RESENT)},
    {.name = "clocks", .devices_min = 3, .devices_max = 5, .brokers_max = 1, .stores_max = 1,
     .chaos_ms = 25000, .settle_ms = 150000, .send_every_ms = 1500, .large_pm = 10, .twice_pm = 100,
     .quick_pm = 150, .rogue_pm = 300, .latency_ms = 50, .commit_ms = 10, .fault_every_ms = 1500,
     .weights = {[FAULT_RELAY_CLOCK] = 4, [FAULT_CLIENT_CLOCK] = 8, [FAULT_CLIENT_BREAK] = 4,
                 [FAULT_CLIENT_CRASH] = 2, [FAULT_STORE_KILL] = 2, [FAULT_BROKER_CRASH] = 1},
     .edge_queue = 32, .backend_queue = 4096, .mailbox_messages = 10000, .storage_credit = 512,
     .unknown_allowed = true, .must_see = SEEN(CLOCK) | SEEN(SKEWED) | SEEN(REPEATED) | SEEN(REUSED)},
    {.name = "retention", .devices_min = 3, .devices_max = 5, .brokers_max = 1, .stores_max = 1,
     .chaos_ms = 12000, .settle_ms = 150000, .send_every_ms = 1000, .large_pm = 10, .twice_pm = 100,
     .quick_pm = 100, .rogue_pm = 300, .rotate_every_ms = 20000, .latency_ms = 50, .commit_ms = 10, .fault_every_ms = 1500,
     .weights = {[FAULT_WINTER] = 4, [FAULT_CLIENT_OFFLINE] = 6, [FAULT_CLIENT_BREAK] = 3,
                 [FAULT_STORE_KILL] = 2},
     .edge_queue = 32, .backend_queue = 4096, .mailbox_messages = 10000, .storage_credit = 512,
     .unknown_allowed = true, .must_see = SEEN(WINTER) | SEEN(AGAIN)},
    {.name = "lies", .devices_min = 3, .devices_max = 6, .brokers_max = 2, .stores_max = 2,
     .chaos_ms = 25000, .settle_ms = 150000, .send_every_ms = 1200, .large_pm = 10, .twice_pm = 100,
     .quick_pm = 100, .rotate_every_ms = 3000, .lie_pm = 150, .latency_ms = 50, .commit_ms = 10,
     .fault_every_ms = 2500,
     .weights = {[FAULT_CLIENT_BREAK] = 3, [FAULT_CLIENT_CRASH] = 2, [FAULT_CLIENT_OFFLINE] = 2,
                 [FAULT_STORE_KILL] = 1},
     .edge_queue = 32, .backend_queue = 4096, .mailbox_messages = 10000, .storage_credit = 512,
     .must_see = SEEN(ROTATED) | SEEN(STALE) | SEEN(LIES) | SEEN(FORKED) | SEEN(HELD)},
    {.name = "backpressure", .devices_min = 3, .devices_max = 6, .brokers_max = 1, .stores_max = 1,
     .chaos_ms = 20000, .settle_ms = 4000000, .send_every_ms = 300, .large_pm = 40, .twice_pm = 50,
     .quick_pm = 100, .rogue_pm = 500, .rotate_every_ms = 40000, .latency_ms = 60, .commit_ms = 40, .fault_every_ms = 2000,
     .weights = {[FAULT_CLIENT_STALL] = 6, [FAULT_CLIENT_BREAK] = 2, [FAULT_CLIENT_OFFLINE] = 4,
                 [FAULT_WORKER_STALL] = 2, [FAULT_STORE_KILL] = 1},
     .credit_messages = 3, .credit_bytes = 4096, .edge_queue = 2, .backend_queue = 6,
     .mailbox_messages = 32, .storage_credit = 4, .slow_read_ms = 120,
     .must_see = SEEN(BOUNCED) | SEEN(OVERLOAD) | SEEN(WORKER_LOST)},
    {.name = "sealed", .devices_min = 3, .devices_max = 5, .brokers_max = 2, .stores_max = 2,
     .chaos_ms = 20000, .settle_ms = 3000000, .send_every_ms = 1500, .large_pm = 20, .twice_pm = 200,
     .quick_pm = 200, .rogue_pm = 500, .rotate_every_ms = 20000, .sealed_pm = 800, .tamper_pm = 30, .latency_ms = 100,
     .commit_ms = 20, .fault_every_ms = 800, .weights = {EVERYDAY}, .edge_queue = 32, .backend_queue = 4096,
     .mailbox_messages = 10000, .storage_credit = 512,
     .must_see = SEEN(SEALED) | SEEN(TAMPERED) | SEEN(ANEW) | SEEN(AGAIN) | SEEN(ROTATED) | SEEN(STATE_FAILED)},
    {.name = "copies", .devices_min = 4, .devices_max = 6, .brokers_max = 2, .stores_max = 2,
     .chaos_ms = 20000, .settle_ms = 3000000, .send_every_ms = 2500, .large_pm = 10, .ttl_pm = 20, .twice_pm = 200,
     .quick_pm = 200, .rotate_every_ms = 40000, .sealed_pm = 850, .seconds = true, .tamper_pm = 20, .latency_ms = 100,
     .commit_ms = 20, .fault_every_ms = 900, .weights = {EVERYDAY}, .edge_queue = 32, .backend_queue = 4096,
     .mailbox_messages = 10000, .storage_credit = 512,
     .must_see = SEEN(SEALED) | SEEN(COPIED) | SEEN(NOTED) | SEEN(TAMPERED) | SEEN(ANEW) | SEEN(AGAIN) | SEEN(ROTATED) |
                 SEEN(STALE) | SEEN(STATE_FAILED)},
    {.name = "contacts", .devices_min = 3, .devices_max = 6, .brokers_max = 2, .stores_max = 2,
     .chaos_ms = 25000, .settle_ms = 400000, .send_every_ms = 1000, .large_pm = 10, .twice_pm = 150,
     .quick_pm = 200, .contacts_every_ms = 2500, .sealed_pm = 500, .latency_ms = 100, .commit_ms = 20, .fault_every_ms = 800,
     .weights = {EVERYDAY}, .edge_queue = 32, .backend_queue = 4096, .mailbox_messages = 10000, .storage_credit = 512,
     .must_see = SEEN(BLOCKED) | SEEN(NOT_ACCEPTED) | SEEN(SEALED) | SEEN(AGAIN) | SEEN(STATE_FAILED)},
    {.name = "contacts_loss", .devices_min = 3, .devices_max = 6, .brokers_max = 2, .stores_max = 1,
     .chaos_ms = 25000, .settle_ms = 400000, .send_every_ms = 1000, .large_pm = 10, .twice_pm = 150,
     .quick_pm = 200, .contacts_every_ms = 2500, .sealed_pm = 500, .latency_ms = 100, .commit_ms = 20, .fault_every_ms = 800,
     .weights = {EVERYDAY, [FAULT_STORE_CUT] = 4}, .edge_queue = 32, .backend_queue = 4096, .mailbox_messages = 10000,
     .storage_credit = 512, .must_see = SEEN(BLOCKED) | SEEN(NOT_ACCEPTED) | SEEN(LOSS)},
    {.name = "churn", .devices_min = 2, .devices_max = 4, .siblings_max = 2, .brokers_max = 2, .stores_max = 2,
     .chaos_ms = 30000, .settle_ms = 3000000, .send_every_ms = 1000, .large_pm = 10, .ttl_pm = 20, .twice_pm = 100,
     .quick_pm = 100, .rotate_every_ms = 20000, .change_every_ms = 3000, .sealed_pm = 400, .latency_ms = 100,
     .commit_ms = 20, .fault_every_ms = 800, .weights = {EVERYDAY}, .edge_queue = 32, .backend_queue = 4096,
     .mailbox_messages = 10000, .storage_credit = 512,
     .must_see = SEEN(LINKED) | SEEN(UNLINKED) | SEEN(REJECTED) | SEEN(CHANGED) | SEEN(RACED) | SEEN(REBUILT) |
                 SEEN(POINTLESS) | SEEN(SUSPENDED) | SEEN(RESUMED) | SEEN(REVOKED) | SEEN(OUT) | SEEN(REVOKED_MAIL) |
                 SEEN(SWEPT) | SEEN(MANY) | SEEN(STALE) | SEEN(SEALED) | SEEN(AGAIN) | SEEN(COPIED) | SEEN(NOTED)},
    {.name = "evil", .devices_min = 2, .devices_max = 4, .siblings_max = 2, .brokers_max = 2, .stores_max = 2,
     .chaos_ms = 30000, .settle_ms = 9000000, .send_every_ms = 600, .large_pm = 10, .ttl_pm = 20, .twice_pm = 100,
     .quick_pm = 100, .rotate_every_ms = 20000, .change_every_ms = 3000, .lie_pm = 150, .sealed_pm = 650, .latency_ms = 100,
     .commit_ms = 20, .fault_every_ms = 2000,
     .weights = {[FAULT_CLIENT_BREAK] = 6, [FAULT_CLIENT_CRASH] = 3, [FAULT_CLIENT_OFFLINE] = 5, [FAULT_STORE_KILL] = 2,
                 [FAULT_BROKER_CRASH] = 1},
     .edge_queue = 32, .backend_queue = 4096, .mailbox_messages = 10000, .storage_credit = 512,
     .must_see = SEEN(LINKED) | SEEN(UNLINKED) | SEEN(CHANGED) | SEEN(RACED) | SEEN(REVOKED) | SEEN(REVOKED_MAIL) |
                 SEEN(MANY) | SEEN(STALE) | SEEN(LIES) | SEEN(FORKED) | SEEN(HELD) | SEEN(OLD_LISTS) | SEEN(GHOSTS) |
                 SEEN(STALE_LIES) | SEEN(SWAPPED) | SEEN(LINK_LIES) | SEEN(FOREVER) | SEEN(GIVEN_UP) | SEEN(EXCHANGED) |
                 SEEN(BRANCHES) | SEEN(BRANCHED)},
    {.name = "metered", .devices_min = 3, .devices_max = 6, .brokers_max = 2, .stores_max = 2,
     .chaos_ms = 20000, .settle_ms = 400000, .send_every_ms = 100, .large_pm = 30, .twice_pm = 100,
     .quick_pm = 100, .rogue_pm = 500, .latency_ms = 30, .commit_ms = 8, .fault_every_ms = 1500,
     .weights = {[FAULT_CLIENT_BREAK] = 8, [FAULT_CLIENT_CRASH] = 3, [FAULT_BROKER_CRASH] = 1,
                 [FAULT_STORE_KILL] = 2},
     .edge_queue = 32, .backend_queue = 4096, .mailbox_messages = 10000, .storage_credit = 512,
     .rates = {1, 1, 4096}, .must_see = SEEN(LIMITED) | SEEN(REPEATED)},
};

const struct profile *profile_at(size_t index)
{
    return index < sizeof profiles / sizeof profiles[0] ? &profiles[index] : NULL;
}

const struct profile *profile_find(const char *name)
{
    for (size_t i = 0; profile_at(i); i++)
        if (strcmp(profiles[i].name, name) == 0) return &profiles[i];
    return NULL;
}
