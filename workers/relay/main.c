/* sealmq-relay: broker and storage worker as threads of one process (relay.joined), which speak over inproc: no socket,
 * no copy and no thread of ZeroMQ stands between them. The same two, their protocol included; they end together. */
#include "broker/host/host.h"
#include "broker/host/role.h"
#include "broker/serve.h"
#include "workers/storage/worker.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>
#include <zmq.h>

#define STORE_FILES    384u /* tables, packs, logs, and what compaction writes */
#define STORAGE_END_MS 5000 /* to drain, once the broker has: less than sealmqd waits for both */

struct relay {
    const struct command *command;
    struct config config;
    struct broker_place broker;
    struct worker_place storage;
    pthread_t thread;
    int gone; /* told by storage at its end */
};

/* What ends now ends as by a kill: the store stands that, at any moment, and nobody was told what is not in it. */
static _Noreturn void leave(int exit_status)
{
    _exit(exit_status);
}

static void *storage_run(void *context)
{
    struct relay *r = context;
    char error[WORKER_ERROR_LEN];
    enum status status = storage_work(&r->config, &r->storage, error);
    if (status != STATUS_OK) leave(storage_refuse(r->command, status, error));
    host_stop(r->gone);
    return NULL;
}

/* The broker can be reached: before that, libzmq would settle the pipe's limits under storage's hands. */
static void storage_start(void *context)
{
    struct relay *r = context;
    if (pthread_create(&r->thread, NULL, storage_run, r) != 0)
        leave(command_fail(r->command, EXIT_FAILED, "there is no thread for storage"));
    (void)pthread_setname_np(r->thread, "sealmq-storage");
}

/* The broker's clients have left. A disk that hangs, or whoever asks again, ends the wait. */
static void storage_end(struct relay *r)
{
    struct pollfd fds[] = {{.fd = r->gone, .events = POLLIN}, {.fd = r->broker.signal_fd, .events = POLLIN}};
    int got;
    host_stop(r->storage.stop_fd);
    do
        got = poll(fds, 2, STORAGE_END_MS);
    while (got < 0 && errno == EINTR);
    if (!fds[0].revents)
        leave(command_fail(r->command, EXIT_FAILED, "storage did not end in time: it is left as by a kill"));
    pthread_join(r->thread, NULL);
}

static int serve(struct relay *r)
{
    char error[WORKER_ERROR_LEN] = "";
    enum status status = broker_serve(&r->config, &r->broker, error, sizeof error);
    if (status != STATUS_OK)
        return command_fail(r->command, status == STATUS_CONFIG ? EXIT_USAGE : EXIT_FAILED, "%s", error);
    storage_end(r);
    return EXIT_OK;
}

static int run(struct command *c)
{
    struct relay r = {.command = c, .broker = {.files = STORE_FILES, .bound = storage_start},
                      .storage = {.broker = BACKEND_INSIDE}};
    int failed = role_start(c, &r.config, &r.broker.signal_fd);
    if (failed) return failed;
    r.broker.arg = &r;
    r.gone = host_stop_fd();
    r.storage.stop_fd = host_stop_fd();
    r.storage.context = r.broker.context = zmq_ctx_new();
    if (r.gone < 0 || r.storage.stop_fd < 0 || !r.broker.context ||
        zmq_ctx_set(r.broker.context, ZMQ_IO_THREADS, BROKER_IO_THREADS) != 0)
        return command_fail(c, EXIT_FAILED, "ZeroMQ does not start");
    int exit_status = serve(&r);
    zmq_ctx_term(r.broker.context);
    close(r.gone);
    close(r.storage.stop_fd);
    close(r.broker.signal_fd);
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
