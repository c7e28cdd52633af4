/* messages_drift: what DRIFT_IS says (PROTOCOL 6.10): a part of messages.h, which includes it. */
#ifndef SEALMQ_WIRE_MESSAGES_DRIFT_H
#define SEALMQ_WIRE_MESSAGES_DRIFT_H

#include "broker/wire/event.h"

/* Sends that were stale, of one client version, since the store's process began. */
struct msg_drift_version {
    uint64_t client_version; /* event.h; 0 = not known here */
    uint64_t refused;        /* stale_devices */
    uint64_t lag_1, lag_2, lag_4; /* of them by how many key versions they were behind: 1; 2, 3; 4 and more */
    uint64_t repaired;       /* series of refusals that ended with an acceptance */
    uint64_t rounds;         /* refusals in those */
    uint64_t latency_ms, latency_ms_max; /* from the first refusal to the acceptance: all together, and the longest */
};
struct msg_drift_pair {
    struct mark sender, target; /* a device, an account */
    uint64_t client_version, refused, lag; /* lag: of the last one */
    uint64_t first_ms, last_ms;
    bool open, stuck; /* not accepted since; and so often that it is an alarm */
};
struct msg_drift_is {
    struct store_id store;
    uint64_t since_ms, sent, refused; /* sent: items decided */
    uint64_t forgotten; /* pairs that gave way to others while they were open */
    struct msg_drift_version *versions;
    size_t version_count;
    struct msg_drift_pair *pairs;
    size_t pair_count;
};

#endif
