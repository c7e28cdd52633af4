/* options: what sealmq-bench-peers was asked for; the same words and meanings as sealmq-bench. */
#ifndef SEALMQ_PEERS_OPTIONS_H
#define SEALMQ_PEERS_OPTIONS_H

#include "bench/peers/cost.h"
#include "bench/peers/peer.h"

struct options {
    const struct peer_ops *ops;
    struct peer_config peer;
    struct flow_config flow;
    struct cost_root roots[COST_ROOTS_MAX];
    size_t root_count;
    const char *json_file, *hgrm_prefix; /* NULL: none */
    const char *label, *scenario;
    const char *disk; /* a path on the disk that the server uses; NULL: not measured */
    uint64_t round;
};

/* options_read: false with *exit_status set: --help (0), a system that was not built in (3), or one line
 * on standard error (2). */
bool options_read(int argc, char **argv, struct options *out, int *exit_status) MUST_USE;

#endif
