/* sealmq-relay: broker and storage worker in one process (relay.joined), in one loop: the broker's. No socket, copy,
 * thread or wake-up stands between them; they are the same two, their protocol included, and end together. */
#include "broker/host/host.h"
#include "broker/host/role.h"
#include "broker/serve.h"
#include "workers/storage/worker.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define STORE_FILES    384u /* tables, packs, logs, and what compaction writes */
#define STORAGE_END_MS 4000u /* to open, drain and close, once the broker has: less than sealmqd waits for both */

enum storage_stage { NOT_BEGUN, OPENING, SERVES };

struct relay {
    const struct command *command;
    struct config config;
    struct broker_place broker;
    struct inside inside;
    struct link *link;
    struct storage_worker *storage;
    enum storage_stage stage;
    pthread_t opener; /* the store may take long: clients are told `busy` meanwhile */
    int opened;       /* eventfd: it has ended */
    enum status status;
    char error[WORKER_ERROR_LEN];
};

/* What ends now ends as by a kill: the store stands that, at any moment, and nobody was told what is not in it. */
static _Noreturn void leave(int exit_status)
{
    _exit(exit_status);
}

static void *open_run(void *context)
{
    struct relay *r = context;
    uint64_t one = 1;
    r->status = storage_worker_open(&r->config, r->error, &r->storage);
    ENSURE(write(r->opened, &one, sizeof one) == sizeof one);
    return NULL;
}

/* The broker serves: so nothing else keeps this process from starting, and the store's term is begun for something. */
static void open_begin(struct relay *r)
{
    if (pthread_create(&r->opener, NULL, open_run, r) != 0)
        leave(command_fail(r->command, EXIT_FAILED, "there is no thread to open the store"));
    (void)pthread_setname_np(r->opener, "sealmq-open");
    r->stage = OPENING;
}

/* True = storage serves from now on. */
static bool open_end(struct relay *r)
{
    uint64_t count;
    if (read(r->opened, &count, sizeof count) != sizeof count) return false;
    pthread_join(r->opener, NULL);
    if (r->status != STATUS_OK) leave(storage_refuse(r->command, r->status, r->error));
    storage_worker_attach(r->storage, r->link);
    r->inside.fd = storage_worker_fd(r->storage);
    r->stage = SERVES;
    return true;
}

static enum status on_give(void *context, struct view slab)
{
    return link_give(((struct relay *)context)->link, slab);
}

static void on_step(void *context, const struct inside_way *way)
{
    struct relay *r = context;
    if (r->stage == NOT_BEGUN) open_begin(r);
    if (r->stage == OPENING && !open_end(r)) return;
    link_way_set(r->link, way);
    storage_worker_step(r->storage);
    link_way_set(r->link, NULL);
}

static long on_wait_ms(void *context)
{
    struct relay *r = context;
    if (r->stage == NOT_BEGUN) return 0;
    return r->stage == SERVES ? storage_worker_wait_ms(r->storage) : STORAGE_END_MS;
}

static void to_nobody(void *context, struct view slab)
{
    (void)context;
    (void)slab;
}

/* Waits; whoever asks again ends that. */
static void end_wait(struct relay *r, uint64_t until_ms, long wait_ms)
{
    struct pollfd fds[] = {{.fd = r->inside.fd, .events = POLLIN}, {.fd = r->broker.signal_fd, .events = POLLIN}};
    uint64_t now_ms = host_now().mono_ms;
    if (now_ms + (uint64_t)wait_ms > until_ms) wait_ms = now_ms < until_ms ? (long)(until_ms - now_ms) : 0;
    (void)poll(fds, 2, (int)wait_ms);
    if (fds[1].revents || host_now().mono_ms >= until_ms)
        leave(command_fail(r->command, EXIT_FAILED, "storage did not end in time: it is left as by a kill"));
}

/* The broker's clients have left, and so has the broker. */
static void storage_end(struct relay *r)
{
    uint64_t until_ms = host_now().mono_ms + STORAGE_END_MS;
    alarm(STORAGE_END_MS / 1000 + 1); /* for what waits for the disk in here */
    if (r->stage == NOT_BEGUN) return;
    while (r->stage == OPENING && !open_end(r))
        end_wait(r, until_ms, STORAGE_END_MS);
    link_way_set(r->link, &(struct inside_way){.slab = to_nobody});
    storage_worker_drain(r->storage);
    for (;;) {
        storage_worker_step(r->storage);
        if (storage_worker_drained(r->storage)) break;
        end_wait(r, until_ms, storage_worker_wait_ms(r->storage));
    }
    link_way_set(r->link, NULL);
    storage_worker_close(&r->storage);
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
    struct relay r = {.command = c, .broker = {.files = STORE_FILES},
                      .inside = {.give = on_give, .step = on_step, .wait_ms = on_wait_ms}};
    int status = role_start(c, &r.config, &r.broker.signal_fd);
    if (status) return status;
    r.opened = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (r.opened < 0) return command_fail(c, EXIT_FAILED, "there is no descriptor to wait for the store");
    r.inside.context = &r;
    r.inside.fd = r.opened;
    r.broker.inside = &r.inside;
    r.link = link_inside();
    status = serve(&r);
    link_close(&r.link);
    close(r.opened);
    close(r.broker.signal_fd);
    return status;
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
