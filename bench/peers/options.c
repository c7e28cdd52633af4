/* options: reads the command line. getopt_long and a table; the program's words are sealmq-bench's. Not
 * by broker/host/command.h: there --json is a flag and no option may come twice. */
#include "bench/peers/options.h"

#include "broker/host/command.h"
#include "broker/host/host.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_NOT_BUILT 3
#define NAMES_LEN_MAX  512

static const char usage[] =
    "usage: sealmq-bench-peers SYSTEM --endpoint HOST:PORT [options]\n"
    "Has another system do the work of sealmq-bench and measures it in the same way.\n"
    "  --size B            bytes in a message: 1024\n"
    "  --window W          closed loop: at most so many not yet accepted and delivered: 1024\n"
    "  --rate R            open loop instead: so many a second; latency counts from the schedule\n"
    "  --count N           end after so many messages: 100000, unless there is a duration\n"
    "  --duration S        end sending after so many seconds\n"
    "  --mailboxes N       recipient queues: 64\n"
    "  --senders N         connections that send: 4\n"
    "  --consumers N       connections that receive: 4; in an open loop 1, where that has the\n"
    "                      better accept latency\n"
    "  --pid NAME=PID      a server process to measure, with all it has started; may be repeated\n"
    "  --disk PATH         also measure the disk that PATH is on\n"
    "  --json FILE         append the result as a line of JSON\n"
    "  --hgrm PREFIX       write PREFIX-accept.hgrm and PREFIX-end-to-end.hgrm\n"
    "  --label, --scenario, --round   what the result is called\n"
    "Ends with 0; 1 when something was lost, duplicated, corrupted or refused; 2 for a wrong "
    "call;\n"
    "3 when the system's driver was not built in.\n"
    "Systems built in: ";

enum option_id {
    ENDPOINT = 1,
    SIZE,
    WINDOW,
    RATE,
    COUNT,
    DURATION,
    MAILBOXES,
    SENDERS,
    PID,
    DISK,
    JSON,
    HGRM,
    LABEL,
    SCENARIO,
    ROUND,
    CONSUMERS,
    HELP,
    OPTION_COUNT
};

static const struct option table[] = {
    {"endpoint", required_argument, NULL, ENDPOINT},
    {"size", required_argument, NULL, SIZE},
    {"window", required_argument, NULL, WINDOW},
    {"rate", required_argument, NULL, RATE},
    {"count", required_argument, NULL, COUNT},
    {"duration", required_argument, NULL, DURATION},
    {"mailboxes", required_argument, NULL, MAILBOXES},
    {"senders", required_argument, NULL, SENDERS},
    {"consumers", required_argument, NULL, CONSUMERS},
    {"pid", required_argument, NULL, PID},
    {"disk", required_argument, NULL, DISK},
    {"json", required_argument, NULL, JSON},
    {"hgrm", required_argument, NULL, HGRM},
    {"label", required_argument, NULL, LABEL},
    {"scenario", required_argument, NULL, SCENARIO},
    {"round", required_argument, NULL, ROUND},
    {"help", no_argument, NULL, HELP},
    {NULL, 0, NULL, 0},
};

__attribute__((format(printf, 1, 2))) static bool wrong(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("sealmq-bench-peers: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return false;
}

/* Numbers: within limits, nothing behind them. */
static bool number(const char *name, const char *text, double min, double max, bool whole,
                   double *out)
{
    char *end = NULL;
    errno = 0;
    *out = text ? strtod(text, &end) : 0;
    if (text && !errno && end != text && !*end && *out >= min && *out <= max &&
        (!whole || *out == (double)(uint64_t)*out))
        return true;
    return wrong("--%s is \"%s\": give a %snumber from %.15g to %.15g", name, text ? text : "",
                 whole ? "whole " : "", min, max);
}

static bool endpoint_read(const char *text, struct peer_config *out)
{
    const char *colon = text ? strrchr(text, ':') : NULL;
    double port;
    if (!colon || colon == text || (size_t)(colon - text) >= sizeof out->host)
        return wrong("give the server's place as --endpoint HOST:PORT");
    memcpy(out->host, text, (size_t)(colon - text));
    out->host[colon - text] = '\0';
    if (!number("endpoint's port", colon + 1, 1, 65535, true, &port)) return false;
    out->port = (uint16_t)port;
    return true;
}

static bool root_add(struct options *o, const char *text)
{
    if (o->root_count == COST_ROOTS_MAX) return wrong("at most %u times --pid", COST_ROOTS_MAX);
    if (cost_root_parse(text, &o->roots[o->root_count++])) return true;
    return wrong("--pid is \"%s\": give NAME=PID", text);
}

/* values: the last one of each option. */
static bool call_parse(int argc, char **argv, struct options *o, const char **values)
{
    int id;
    opterr = 0;
    while ((id = getopt_long(argc, argv, ":", table, NULL)) != -1) {
        if (id == ':') return wrong("no value for %s", argv[optind - 1]);
        if (id == '?') return wrong("unknown option %s: see --help", argv[optind - 1]);
        if (id == PID && !root_add(o, optarg)) return false;
        values[id] = optarg ? optarg : "";
    }
    return true;
}

static bool flow_read(const char **values, struct flow_config *f)
{
    double size, window, count, seconds, mailboxes, senders;
    if (values[WINDOW] && values[RATE]) return wrong("--window and --rate exclude each other");
    if (!number("size", values[SIZE] ? values[SIZE] : "1024", FLOW_SIZE_MIN, FLOW_SIZE_MAX, true,
                &size) ||
        !number("window", values[WINDOW] ? values[WINDOW] : "1024", 1, 65536, true, &window) ||
        !number("rate", values[RATE] ? values[RATE] : "1", 1, 1e6, false, &f->rate) ||
        !number("count", values[COUNT] ? values[COUNT] : "100000", 1, 1e9, true, &count) ||
        !number("duration", values[DURATION] ? values[DURATION] : "1", 0.1, 86400, false,
                &seconds) ||
        !number("mailboxes", values[MAILBOXES] ? values[MAILBOXES] : "64", 1, PEER_QUEUES_MAX, true,
                &mailboxes) ||
        !number("senders", values[SENDERS] ? values[SENDERS] : "4", 1, PEER_SENDERS_MAX, true,
                &senders))
        return false;
    f->size = (size_t)size;
    f->window = values[RATE] ? 0 : (uint64_t)window;
    f->count = values[DURATION] && !values[COUNT] ? 0 : (uint64_t)count;
    f->duration_us = values[DURATION] ? (uint64_t)(seconds * 1e6) : 0;
    f->queues = (unsigned)mailboxes;
    f->senders = (unsigned)senders;
    host_random(f->run, sizeof f->run);
    return true;
}

static bool system_read(int argc, char **argv, struct options *o, int *exit_status)
{
    char names[NAMES_LEN_MAX];
    peer_list(names, sizeof names);
    if (optind + 1 != argc) return wrong("name one system of: %s", names);
    o->ops = peer_find(argv[optind]);
    if (o->ops) return true;
    if (!peer_known(argv[optind]))
        return wrong("there is no system \"%s\", but: %s", argv[optind], names);
    *exit_status = EXIT_NOT_BUILT;
    return wrong("the driver of %s was not built: its client library was missing", argv[optind]);
}

static bool text_fits(const char *name, const char *text)
{
    return strlen(text) <= RESULT_TEXT_LEN_MAX ||
           wrong("--%s is longer than %u bytes", name, RESULT_TEXT_LEN_MAX);
}

bool options_read(int argc, char **argv, struct options *o, int *exit_status)
{
    const char *values[OPTION_COUNT] = {NULL};
    double round, consumers;
    memset(o, 0, sizeof *o);
    *exit_status = EXIT_USAGE;
    if (!call_parse(argc, argv, o, values)) return false;
    if (values[HELP]) {
        char names[NAMES_LEN_MAX];
        peer_list(names, sizeof names);
        printf("%s%s\n", usage, names);
        *exit_status = EXIT_OK;
        return false;
    }
    o->label = values[LABEL] ? values[LABEL] : "";
    o->scenario = values[SCENARIO] ? values[SCENARIO] : "steady";
    if (!system_read(argc, argv, o, exit_status) || !flow_read(values, &o->flow) ||
        !endpoint_read(values[ENDPOINT], &o->peer) || !text_fits("label", o->label) ||
        !text_fits("scenario", o->scenario) ||
        !number("consumers",
                values[CONSUMERS] ? values[CONSUMERS]
                : o->flow.window  ? "4"
                                  : "1",
                1, PEER_CONSUMERS_MAX, true, &consumers) ||
        !number("round", values[ROUND] ? values[ROUND] : "1", 0, 1e6, true, &round))
        return false;
    o->round = (uint64_t)round;
    o->json_file = values[JSON];
    o->hgrm_prefix = values[HGRM];
    o->disk = values[DISK];
    o->peer.queues = o->flow.queues;
    o->peer.senders = o->flow.senders;
    o->peer.size = o->flow.size;
    if (o->ops->queue_consumers) consumers = PEER_CONSUMERS_MAX;
    o->peer.consumers = consumers < o->flow.queues ? (unsigned)consumers : o->flow.queues;
    return true;
}
