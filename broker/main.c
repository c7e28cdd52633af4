/* main: sealmq-broker: configuration, keys and signals around the loop in net.c. */
#include "broker/host/command.h"
#include "broker/host/machine.h"
#include "broker/host/host.h"
#include "broker/net.h"
#include "broker/wire/slab.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* A connection is a descriptor; a few more are files, sockets of our own and threads' signals. */
#define FILES_BESIDES 256u

/* The edge sheds at 80 % of what is allowed, so a quarter more is wanted, where the host gives it. */
static bool files_allow(uint32_t connections, rlim_t *hard)
{
    struct rlimit limit;
    rlim_t needed = (rlim_t)connections + FILES_BESIDES, wanted = needed / 4 * 5 + 1;
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

static enum status serve(const struct config *config, struct journal *journal, int signal_fd,
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
    if (s == STATUS_OK) s = net_open(config, &keys, journal, &net, error, error_cap);
    curve_server_keys_fini(&keys); /* libzmq has its own copy */
    if (s != STATUS_OK) return s;
    host_random(core.boot.bytes, sizeof core.boot.bytes);
    core.out = net_out(net);
    struct broker *b = broker_new(&core, host_now());
    tell(journal, EVENT_PROCESS_STARTED);
    net_run(net, b, signal_fd);
    broker_free(&b);
    net_close(&net);
    tell(journal, EVENT_PROCESS_STOPPED);
    return STATUS_OK;
}

static int run(struct command *c)
{
    struct config config;
    char error[1024] = "";
    rlim_t hard;
    if (host_start() != STATUS_OK) return command_fail(c, EXIT_FAILED, HOST_UNUSABLE);
    int signal_fd = host_signal_fd(); /* before any thread, so that all of them block signals */
    if (signal_fd < 0) return command_fail(c, EXIT_FAILED, "signals cannot be received");
    if (machine_load(command_option(c, "config"), &config, error, sizeof error) != STATUS_OK)
        return command_fail(c, EXIT_USAGE, "%s", error);
    if (mkdir(config.run_dir, 0700) != 0 && errno != EEXIST)
        return command_fail(c, EXIT_FAILED, "%s: %s", config.run_dir, strerror(errno));
    if (!files_allow(config.connections_max, &hard))
        return command_fail(c, EXIT_USAGE, "broker.connections: %u need %u descriptors, and RLIMIT_NOFILE allows "
                            "%llu: raise that, or give fewer connections in %s", config.connections_max,
                            config.connections_max + FILES_BESIDES, (unsigned long long)hard, config.file);
    struct journal *journal = journal_open(config.log_file, config.log_len_max, "broker");
    enum status s = serve(&config, journal, signal_fd, error, sizeof error);
    journal_close(&journal);
    close(signal_fd);
    if (s == STATUS_OK) return EXIT_OK;
    return command_fail(c, s == STATUS_CONFIG ? EXIT_USAGE : EXIT_FAILED, "%s", error);
}

static const struct option_rule options[] = {
    {"config", "FILE", "the relay's configuration (sealmq.zpl)", true},
};
static const struct command_rule commands[] = {
    {.help = "serve until SIGTERM, then drain", .run = run},
};
static const struct program_rule program = {
    .name = "sealmq-broker",
    .help = "the hub of a SealMQ relay: admits clients, routes frames to workers",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .commands = commands,
    .command_count = sizeof commands / sizeof commands[0],
};

int main(int argc, char **argv)
{
    return command_main(&program, argc, argv);
}
