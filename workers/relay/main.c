/* sealmq-relay: broker and storage worker as threads of one process (relay.joined), which speak over inproc: no socket,
 * no copy and no thread of ZeroMQ stands between them. The same two, their protocol included; they end together. */
#include "broker/host/command.h"
#include "broker/host/host.h"
#include "broker/host/machine.h"
#include "broker/net.h"
#include "broker/serve.h"
#include "workers/storage/worker.h"

#include <pthread.h>
#include <unistd.h>
#include <zmq.h>

struct relay {
    const struct command *command;
    struct config config;
    struct worker_place place;
    pthread_t storage;
};

/* Whoever cannot start ends the other, as it is: a store that is being opened stands a kill. */
static _Noreturn void leave(int exit_status)
{
    _exit(exit_status);
}

static void *storage_run(void *context)
{
    struct relay *r = context;
    char error[WORKER_ERROR_LEN];
    enum status status = storage_work(&r->config, &r->place, error);
    if (status != STATUS_OK) leave(storage_refuse(r->command, status, error));
    return NULL;
}

static int serve(struct relay *r, int signal_fd)
{
    char error[WORKER_ERROR_LEN] = "";
    if (pthread_create(&r->storage, NULL, storage_run, r) != 0)
        return command_fail(r->command, EXIT_FAILED, "there is no thread for storage");
    (void)pthread_setname_np(r->storage, "sealmq-storage");
    enum status status = broker_serve(&r->config, r->place.context, signal_fd, error, sizeof error);
    if (status != STATUS_OK)
        leave(command_fail(r->command, status == STATUS_CONFIG ? EXIT_USAGE : EXIT_FAILED, "%s", error));
    host_stop(r->place.stop_fd); /* the broker's clients have left */
    pthread_join(r->storage, NULL);
    return EXIT_OK;
}

static int run(struct command *c)
{
    struct relay r = {.command = c, .place = {.broker = BACKEND_INSIDE}};
    char error[1024] = "";
    if (host_start() != STATUS_OK) return command_fail(c, EXIT_FAILED, HOST_UNUSABLE);
    int signal_fd = host_signal_fd(); /* before any thread, so that all of them block signals */
    if (signal_fd < 0) return command_fail(c, EXIT_FAILED, "signals cannot be received");
    if (machine_load(command_option(c, "config"), &r.config, error, sizeof error) != STATUS_OK)
        return command_fail(c, EXIT_USAGE, "%s", error);
    if (!r.config.joined)
        return command_fail(c, EXIT_USAGE, "relay.joined is not yes in %s: then sealmq-broker and sealmq-storage are "
                            "the programs", r.config.file);
    r.place.stop_fd = host_stop_fd();
    r.place.context = zmq_ctx_new();
    if (r.place.stop_fd < 0 || !r.place.context ||
        zmq_ctx_set(r.place.context, ZMQ_IO_THREADS, BROKER_IO_THREADS) != 0)
        return command_fail(c, EXIT_FAILED, "ZeroMQ does not start");
    int exit_status = serve(&r, signal_fd);
    zmq_ctx_term(r.place.context);
    close(r.place.stop_fd);
    close(signal_fd);
    return exit_status;
}

int main(int argc, char **argv)
{
    static const struct option_rule options[] = {
        {"config", "FILE", "the relay's sealmq.zpl", true},
    };
    static const struct command_rule commands[] = {
        {NULL, "", "serves until SIGTERM, then drains", options, 1, run},
    };
    static const struct program_rule program = {
        "sealmq-relay", "SealMQ's broker and storage worker in one process", NULL, 0, commands, 1};
    return command_main(&program, argc, argv);
}
