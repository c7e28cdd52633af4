/* serve: glue; what a broker needs of the system, its keys, and the life of its parts around the loop in net.c. */
#include "broker/serve.h"

#include "broker/host/host.h"
#include "broker/net.h"
#include "broker/wire/slab.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* A connection is a descriptor; a few more are files, sockets of our own and threads' signals. */
#define FILES_BESIDES 256u

/* The edge sheds at 80 % of what is allowed, so a quarter more is wanted, where the host gives it. */
static bool files_allow(rlim_t needed, rlim_t *hard)
{
    struct rlimit limit;
    rlim_t wanted = needed / 4 * 5 + 1;
    *hard = 0;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return false;
    *hard = limit.rlim_max;
    if (limit.rlim_max < needed) return false;
    if (limit.rlim_cur >= wanted) return true;
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

static void tell(struct journal *journal, enum event_kind kind)
{
    struct event e = {.at_ms = host_now().wall_ms, .kind = kind, .code = ROLE_BROKER};
    journal_write(journal, &e);
}

static enum status serve(const struct config *config, const struct broker_place *place, struct journal *journal,
                         char *error, size_t error_cap)
{
    struct curve_server_keys keys = {0};
    struct net *net = NULL;
    struct broker_config core = {.connections_max = config->connections_max,
                                 .ping_ms = config->ping_ms, .drain_ms = config->drain_ms,
                                 .rates = {config->address_requests_per_s,
                                           config->device_requests_per_s,
                                           config->device_bytes_per_s}};
    enum status s = curve_server_keys_load(config, &keys, error, error_cap);
    if (s == STATUS_OK) s = mark_key_load(config, &core.marks, error, error_cap);
    if (s == STATUS_OK) s = net_open(config, place, &keys, journal, &net, error, error_cap);
    curve_server_keys_fini(&keys); /* libzmq has its own copy */
    if (s != STATUS_OK) return s;
    host_random(core.boot.bytes, sizeof core.boot.bytes);
    core.out = net_out(net);
    struct broker *b = broker_new(&core, host_now());
    tell(journal, EVENT_PROCESS_STARTED);
    net_run(net, b, place->signal_fd);
    broker_free(&b);
    net_close(&net);
    tell(journal, EVENT_PROCESS_STOPPED);
    return STATUS_OK;
}

enum status broker_serve(const struct config *config, const struct broker_place *place, char *error,
                         size_t error_cap)
{
    rlim_t hard, needed = (rlim_t)config->connections_max + FILES_BESIDES + place->files;
    if (mkdir(config->run_dir, 0700) != 0 && errno != EEXIST) {
        snprintf(error, error_cap, "%s: %s", config->run_dir, strerror(errno));
        return STATUS_IO;
    }
    if (!files_allow(needed, &hard)) {
        snprintf(error, error_cap, "broker.connections: %u need %llu descriptors, and RLIMIT_NOFILE allows %llu: raise "
                 "that, or give fewer connections in %s", config->connections_max, (unsigned long long)needed,
                 (unsigned long long)hard, config->file);
        return STATUS_CONFIG;
    }
    struct journal *journal = journal_open(config->log_file, config->log_len_max, "broker");
    enum status s = serve(config, place, journal, error, error_cap);
    journal_close(&journal);
    return s;
}
