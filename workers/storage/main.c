/* sealmq-storage: the memory of the relay: configuration and signals around a storage worker (worker.c). */
#include "broker/host/role.h"
#include "workers/storage/worker.h"

static int run(struct command *c)
{
    struct config config;
    char error[WORKER_ERROR_LEN];
    int signals, failed = role_start(c, &config, &signals);
    if (failed) return failed;
    enum status status = storage_work(&config, config.backend_endpoint, signals, error);
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
