/* main: sealmq-broker: configuration and signals around a broker (serve.c). */
#include "broker/host/role.h"
#include "broker/serve.h"

#include <unistd.h>

static int run(struct command *c)
{
    struct config config;
    struct broker_place place = {0};
    char error[1024] = "";
    int failed = role_start(c, &config, &place.signal_fd);
    if (failed) return failed;
    enum status s = broker_serve(&config, &place, error, sizeof error);
    close(place.signal_fd);
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
