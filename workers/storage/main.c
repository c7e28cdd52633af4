/* sealmq-storage: the memory of the relay: configuration and signals around a storage worker (worker.c). */
#include "broker/host/command.h"
#include "broker/host/host.h"
#include "broker/host/machine.h"
#include "workers/storage/worker.h"

static int run(struct command *c)
{
    struct config config;
    char error[WORKER_ERROR_LEN] = "";
    struct worker_place place = {.broker = config.backend_endpoint};
    if (host_start() != STATUS_OK) return command_fail(c, EXIT_FAILED, HOST_UNUSABLE);
    if ((place.stop_fd = host_signal_fd()) < 0)
        return command_fail(c, EXIT_FAILED, "signals cannot be received");
    if (machine_load(command_option(c, "config"), &config, error, sizeof error) != STATUS_OK)
        return command_fail(c, EXIT_USAGE, "%s", error);
    enum status status = storage_work(&config, &place, error);
    return status == STATUS_OK ? EXIT_OK : storage_refuse(c, status, error);
}

int main(int argc, char **argv)
{
    static const struct option_rule options[] = {
        {"config", "FILE", "the relay's sealmq.zpl", true},
    };
    static const struct command_rule commands[] = {
        {NULL, "", "runs until SIGTERM, then drains", options, 1, run},
    };
    static const struct program_rule program = {
        "sealmq-storage", "SealMQ's storage worker: keeps envelopes and their states", NULL, 0,
        commands, 1};
    return command_main(&program, argc, argv);
}
