/* options: the table of the run's options, and their reading. Says no to what cannot be, before any
 * socket is open. Opens one file: the server's public key. */
#include "bench/load/options.h"

#include "bench/load/body.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct option_rule options_rules[OPTIONS_RULE_COUNT] = {
    {"endpoint", "URL", "the relay: tcp://HOST:PORT", true},
    {"server-key", "FILE", "its public key: server.pub in the relay's folder; not needed with --plain", false},
    {"plain", NULL, "no encryption: a relay with broker.plain = bench, on loopback", false},
    {"sealed", NULL, "full clients of libsealmq: homes on disk, messages sealed and opened", false},
    {"opaque", NULL, "the same clients with payloads handed on as they are: what sealing does not cost", false},
    {"scratch", "DIR", "where full clients have their homes, gone afterwards: the current folder", false},
    {"mailboxes", "N", "recipients, a device each: 64; full clients: 16", false},
    {"senders", "N", "sending devices: 4", false},
    {"idle", "N", "further devices, attached and silent: 0", false},
    {"window", "W", "closed loop: messages neither accepted nor delivered: 1024; full clients: 64", false},
    {"rate", "R", "open loop: messages a second, latency from the scheduled time", false},
    {"outstanding", "N", "open loop: at most so many without an answer: 65536", false},
    {"size", "B", "bytes of each message, from 16: 1024", false},
    {"sizes", "LIST", "a distribution instead, SIZE:WEIGHT,...", false},
    {"count", "N", "how many messages: 100000 (full clients: 2000) unless --duration is given", false},
    {"duration", "S", "for how many seconds", false},
    {"offline", "PCT", "share of recipients that register and are not attached", false},
    {"catch-up", NULL, "attach the offline recipients at the end, and receive theirs", false},
    {"backlog", "N", "send N to one device that is away, then attach it and receive them", false},
    {"reconnects", "R", "connections dropped and made again, a second", false},
    {"duplicates", "PCT", "share of messages sent again with the same id", false},
    {"pid", "NAME=PID", "a process to measure; may be repeated", false},
    {"disk", "PATH", "a file on the relay's disk: its device is measured", false},
    {"json", "FILE", "append the result as a line of JSON", false},
    {"hgrm", "PREFIX", "write PREFIX-accept.hgrm and PREFIX-end-to-end.hgrm", false},
    {"label", "TEXT", "kept in the result", false},
    {"scenario", "TEXT", "kept in the result", false},
    {"round", "N", "kept in the result", false},
    {"progress", NULL, "a live line, where standard error is a terminal", false},
    {"timeout", "S", "give up when nothing happens for so long: 10", false},
};

/* Whole numbers, most of them with a fallback. */
static bool number(const struct command *c, const char *name, long long min, long long max,
                   long long fallback, uint64_t *out)
{
    long long value = 0;
    if (!command_number(c, name, min, max, fallback, &value)) return false;
    *out = (uint64_t)value;
    return true;
}

static bool figure(const struct command *c, const char *name, double min, double max, double *out)
{
    const char *text = command_option(c, name);
    char *end = NULL;
    *out = 0;
    if (!text) return true;
    double value = strtod(text, &end);
    if (end == text || *end || !isfinite(value) || value < min || value > max) {
        command_fail(c, EXIT_USAGE, "--%s is \"%s\": give a number from %g to %g", name, text, min,
                     max);
        return false;
    }
    *out = value;
    return true;
}

/* Two options of which at most one makes sense. */
static bool exclusive(const struct command *c, const char *one, const char *other)
{
    if (!command_option(c, one) || !command_option(c, other)) return true;
    command_fail(c, EXIT_USAGE, "--%s and --%s together: give one of them", one, other);
    return false;
}

/* What an application cannot ask of a client, or a client of a relay. */
static bool client_read(const struct command *c, struct options *o)
{
    static const char *const others[] = {"plain",   "idle",       "offline",   "catch-up",
                                         "backlog", "reconnects", "duplicates"};
    if (!exclusive(c, "sealed", "opaque")) return false;
    o->client = command_option(c, "sealed") ? CLIENT_SEALED : command_option(c, "opaque") ? CLIENT_OPAQUE : CLIENT_NONE;
    o->scratch = command_option(c, "scratch");
    for (size_t i = 0; o->client && i < sizeof others / sizeof others[0]; i++) {
        if (!command_option(c, others[i])) continue;
        command_fail(c, EXIT_USAGE, "--%s is not for full clients: leave it out, or --%s", others[i],
                     o->client == CLIENT_SEALED ? "sealed" : "opaque");
        return false;
    }
    if (o->scratch && !o->client) {
        command_fail(c, EXIT_USAGE, "--scratch is for the homes of full clients: add --sealed or --opaque");
        return false;
    }
    if (!o->scratch) o->scratch = ".";
    return true;
}

static bool devices_read(const struct command *c, struct options *o)
{
    uint64_t mailboxes, senders, idle, away;
    if (!exclusive(c, "backlog", "mailboxes") || !exclusive(c, "backlog", "offline") ||
        !number(c, "mailboxes", 1, o->client ? CLIENTS_MAX : MAILBOXES_MAX, o->client ? 16 : 64, &mailboxes) ||
        !number(c, "senders", 1, SENDERS_MAX, 4, &senders) ||
        !number(c, "idle", 0, IDLE_MAX, 0, &idle) || !number(c, "offline", 0, 100, 0, &away))
        return false;
    o->backlog = command_option(c, "backlog") != NULL;
    o->mailboxes = o->backlog ? 1 : (size_t)mailboxes;
    o->senders = (size_t)senders;
    o->idle = (size_t)idle;
    o->away_percent = o->backlog ? 100 : (unsigned)away;
    o->catch_up = o->backlog || command_option(c, "catch-up") != NULL;
    if (!o->catch_up || o->away_percent) return true;
    command_fail(c, EXIT_USAGE, "--catch-up needs recipients that are away: add --offline PCT");
    return false;
}

static bool pace_read(const struct command *c, struct options *o)
{
    struct pace *p = &o->pace;
    double seconds;
    bool timed = command_option(c, "duration") != NULL;
    if (!exclusive(c, "window", "rate") || !exclusive(c, "backlog", "count") ||
        !exclusive(c, "backlog", "duration") ||
        !number(c, "window", 1, WINDOW_MAX, o->client ? 64 : 1024, &p->window) ||
        !figure(c, "rate", 0.1, 10e6, &p->rate) ||
        !number(c, "outstanding", 1, OPEN_MAX, 65536, &p->open_max) ||
        !number(c, "count", 1, 1ll << 32, timed ? 0 : o->client ? 2000 : 100000, &p->count) ||
        !number(c, "backlog", 1, 1ll << 32, (long long)p->count, &p->count) ||
        !figure(c, "duration", 0.1, 7 * 86400, &seconds))
        return false;
    if (command_option(c, "outstanding") && p->rate <= 0) {
        command_fail(c, EXIT_USAGE, "--outstanding bounds an open loop: add --rate R");
        return false;
    }
    p->duration_us = (uint64_t)(seconds * 1e6);
    if (p->rate > 0) p->window = 0;
    p->batch = o->client ? 1 : p->window / (2 * o->senders);
    if (p->batch > SENDS_PER_FRAME) p->batch = SENDS_PER_FRAME;
    if (p->batch < 1) p->batch = 1;
    return true;
}

static bool sizes_read(const struct command *c, struct options *o)
{
    uint64_t size;
    o->sizes_text = command_option(c, "sizes");
    if (!exclusive(c, "size", "sizes") ||
        !number(c, "size", BODY_LEN_MIN, PAYLOAD_LEN_MAX, 1024, &size))
        return false;
    o->sizes = sizes_one((uint32_t)size);
    if (!o->sizes_text ||
        sizes_parse(o->sizes_text, BODY_LEN_MIN, PAYLOAD_LEN_MAX, &o->sizes) == STATUS_OK)
        return true;
    command_fail(c, EXIT_USAGE,
                 "--sizes is \"%s\": give up to %u of SIZE:WEIGHT with commas between, sizes from %u "
                 "to %u",
                 o->sizes_text, SIZES_MAX, BODY_LEN_MIN, PAYLOAD_LEN_MAX);
    return false;
}

/* NAME=PID,NAME=PID: --pid may be repeated, main joins the values. */
static bool pids_read(const struct command *c, struct options *o)
{
    const char *at = command_option(c, "pid");
    for (; at && *at && o->pid_count < PIDS_MAX; o->pid_count++) {
        struct process_sample sample;
        size_t name_len = strcspn(at, "=,"), rest;
        char *end = NULL;
        long long pid = at[name_len] == '=' ? strtoll(at + name_len + 1, &end, 10) : 0;
        bool whole = end && end > at + name_len + 1 && (*end == ',' || !*end);
        if (!name_len || name_len > PROCESS_NAME_LEN_MAX || !whole || pid < 1 || pid > INT32_MAX)
            break;
        if (process_sample((pid_t)pid, &sample) != STATUS_OK) {
            command_fail(c, EXIT_USAGE, "--pid: there is no process %lld", pid);
            return false;
        }
        o->pids[o->pid_count].pid = (pid_t)pid;
        snprintf(o->pids[o->pid_count].name, sizeof o->pids[0].name, "%.*s", (int)name_len, at);
        rest = (size_t)(*end == ',');
        at = end + rest;
    }
    if (!at || !*at) return true;
    command_fail(c, EXIT_USAGE, "--pid is \"%s\": give NAME=PID, at most %u of them", at, PIDS_MAX);
    return false;
}

static bool edge_read(const struct command *c, struct options *o)
{
    const char *file = command_option(c, "server-key");
    char text[64] = "";
    o->hub.endpoint = command_option(c, "endpoint");
    o->hub.plain = command_option(c, "plain") != NULL;
    if (strncmp(o->hub.endpoint, "tcp://", 6) != 0) {
        command_fail(c, EXIT_USAGE, "--endpoint is \"%s\": give tcp://HOST:PORT", o->hub.endpoint);
        return false;
    }
    if (o->hub.plain) return true;
    if (!file) {
        command_fail(c, EXIT_USAGE, "an option is missing: add --server-key FILE, or --plain");
        return false;
    }
    FILE *f = fopen(file, "re");
    bool read = f && fscanf(f, "%63s", text) == 1 && strlen(text) == 40;
    if (f) fclose(f);
    if (read) memcpy(o->hub.server_key, text, 41);
    if (!read) command_fail(c, EXIT_USAGE, "%s is not a relay's server.pub: give that file", file);
    return read;
}

static const char *text_or_empty(const struct command *c, const char *name)
{
    const char *text = command_option(c, name);
    return text ? text : "";
}

static bool rest_read(const struct command *c, struct options *o)
{
    double percent;
    uint64_t seconds;
    o->json = command_option(c, "json");
    o->hgrm = command_option(c, "hgrm");
    o->disk = command_option(c, "disk");
    o->label = text_or_empty(c, "label");
    o->scenario = text_or_empty(c, "scenario");
    o->progress = command_option(c, "progress") != NULL;
    if (!figure(c, "reconnects", 0.01, 1000, &o->reconnects) ||
        !figure(c, "duplicates", 0.01, 100, &percent) ||
        !number(c, "round", 0, 1000000, 0, &o->round) ||
        !number(c, "timeout", 1, 3600, 10, &seconds))
        return false;
    o->duplicate_share = percent / 100;
    o->timeout_us = seconds * 1000000u;
    return true;
}

int options_read(const struct command *c, struct options *out)
{
    memset(out, 0, sizeof *out);
    bool good = client_read(c, out) && devices_read(c, out) && pace_read(c, out) && sizes_read(c, out) && edge_read(c, out) &&
                pids_read(c, out) && rest_read(c, out);
    return good ? EXIT_OK : EXIT_USAGE;
}
