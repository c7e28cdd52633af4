/* main: sealmq-broker: configuration and signals around a broker (serve.c). */
#include "broker/host/command.h"
#include "broker/host/host.h"
#include "broker/host/machine.h"
#include "broker/serve.h"

#include <unistd.h>

static int run(struct command *c)
{
    struct config config;
    char error[1024] = "";
    if (host_start() != STATUS_OK) return command_fail(c, EXIT_FAILED, HOST_UNUSABLE);
    int signal_fd = host_signal_fd(); /* before any thread, so that all of them block signals */
    if (signal_fd < 0) return command_fail(c, EXIT_FAILED, "signals cannot be received");
    if (machine_load(command_option(c, "config"), &config, error, sizeof error) != STATUS_OK)
        return command_fail(c, EXIT_USAGE, "%s", error);
    enum status s = broker_serve(&config, &(struct broker_place){.signal_fd = signal_fd}, error, sizeof error);
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
