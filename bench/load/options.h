/* options: what one run shall do, checked in full before anything is opened. */
#ifndef SEALMQ_LOAD_OPTIONS_H
#define SEALMQ_LOAD_OPTIONS_H

#include "bench/load/hub.h"
#include "bench/load/pace.h"
#include "bench/load/sizes.h"
#include "bench/measure/process.h"
#include "broker/host/command.h"

#define MAILBOXES_MAX   16384u
#define SENDERS_MAX     64u
#define IDLE_MAX        16384u
#define WINDOW_MAX      65536u
#define CLIENTS_MAX     256u    /* full clients that receive: a home, a connection and two threads each */
#define OPEN_MAX        262144u /* open loop: without an answer */
#define PIDS_MAX        15u     /* the generator's own row is separate */

/* Who exchanges messages: the generator's own devices, or full clients, with payloads of either kind. */
enum client_kind { CLIENT_NONE, CLIENT_SEALED, CLIENT_OPAQUE };

struct options {
    struct hub_config hub; /* without its context */
    enum client_kind client;
    const char *scratch; /* where full clients have their homes */
    size_t mailboxes, senders, idle;
    struct pace pace; /* without start_us */
    struct sizes sizes;
    const char *sizes_text; /* NULL = all the same */
    unsigned away_percent;  /* --offline */
    bool catch_up;
    bool backlog;
    double reconnects; /* a second */
    double duplicate_share; /* 0..1 */
    struct {
        char name[PROCESS_NAME_LEN_MAX + 1];
        pid_t pid;
    } pids[PIDS_MAX];
    size_t pid_count;
    const char *json, *hgrm, *label, *scenario, *disk; /* NULL = not given; label, scenario "" */
    uint64_t round;
    bool progress;
    uint64_t timeout_us; /* without any answer */
};

#define OPTIONS_RULE_COUNT 30
extern const struct option_rule options_rules[OPTIONS_RULE_COUNT];

/* options_read: EXIT_OK; EXIT_USAGE after one line. Strings point into the command line. */
int options_read(const struct command *c, struct options *out) MUST_USE;

#endif
