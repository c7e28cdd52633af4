/* sealmqd: a whole relay on one machine from one config file. The loop only: signals and ended
 * children go into the core (supervisor.c), its orders go to processes.c. It touches no message and
 * no key; when it dies, its children are killed with it, and nothing accepted is lost. */
#include "broker/host/command.h"
#include "broker/host/config.h"
#include "broker/host/machine.h"
#include "broker/host/host.h"
#include "broker/host/journal.h"
#include "workers/supervisor/processes.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define ERROR_CAP (4 * CONFIG_PATH_MAX)

struct daemon {
    struct config config;
    struct supervisor core;
    struct processes processes;
    struct journal *journal;
    int lock_fd;
    int stop_fd;  /* SIGTERM, SIGINT */
    int child_fd; /* SIGCHLD */
};

static void event_write(struct daemon *d, struct event e)
{
    e.at_ms = host_now().wall_ms;
    journal_write(d->journal, &e);
}

static int child_signal_fd(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0) return -1;
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void orders_follow(struct daemon *d, const struct orders *orders)
{
    for (size_t i = 0; i < orders->count; i++) {
        enum child_id child = orders->list[i].child;
        switch (orders->list[i].kind) {
        case ORDER_START:
            supervisor_started(&d->core, child, process_start(&d->processes, child),
                               host_now().mono_ms);
            break;
        case ORDER_TERM:
            process_signal(&d->processes, child, SIGTERM);
            break;
        case ORDER_KILL:
            fprintf(stderr, "sealmqd: %s did not stop in %u ms: killed\n", child_program(child),
                    child_stop_ms(&d->core, child));
            process_signal(&d->processes, child, SIGKILL);
            break;
        }
    }
}

static void children_reap(struct daemon *d)
{
    struct signalfd_siginfo info;
    struct ending how;
    enum child_id child;
    while (read(d->child_fd, &info, sizeof info) > 0)
        ; /* one signal may stand for several children */
    while (process_reap(&d->processes, &child, &how))
        event_write(d, supervisor_ended(&d->core, child, how, host_now().mono_ms));
}

static void stop_begin(struct daemon *d)
{
    if (!host_signal_take(d->stop_fd)) return;
    if (!d->core.stopping) event_write(d, (struct event){.kind = EVENT_PROCESS_DRAINING});
    supervisor_stop(&d->core);
}

static int wait_ms(const struct supervisor *s)
{
    uint64_t now_ms = host_now().mono_ms, deadline = supervisor_deadline(s);
    if (deadline == UINT64_MAX) return -1;
    return deadline <= now_ms ? 0 : (int)(deadline - now_ms);
}

static void daemon_loop(struct daemon *d)
{
    struct pollfd fds[] = {{.fd = d->stop_fd, .events = POLLIN},
                           {.fd = d->child_fd, .events = POLLIN}};
    struct orders orders;
    supervisor_init(&d->core, d->config.joined, d->config.drain_ms, d->config.restart_ms, host_now().mono_ms);
    for (;;) {
        supervisor_step(&d->core, host_now().mono_ms, &orders);
        orders_follow(d, &orders);
        if (supervisor_done(&d->core)) return;
        ENSURE(poll(fds, 2, wait_ms(&d->core)) >= 0 || errno == EINTR);
        stop_begin(d);
        children_reap(d);
    }
}

/* Two supervisors of one folder would fight over its sockets and its store. */
static int lock_take(const struct command *c, struct daemon *d)
{
    d->lock_fd = open(d->config.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (d->lock_fd >= 0 && flock(d->lock_fd, LOCK_EX | LOCK_NB) == 0) return EXIT_OK;
    if (errno == EWOULDBLOCK)
        return command_fail(c, EXIT_FAILED,
                            "another sealmqd runs in %s: stop it first, or use another folder",
                            d->config.dir);
    return command_fail(c, EXIT_FAILED, "cannot lock %s: %s", d->config.dir, strerror(errno));
}

static int daemon_prepare(const struct command *c, struct daemon *d)
{
    char error[ERROR_CAP];
    enum status status = machine_load(command_option(c, "config"), &d->config, error, sizeof error);
    if (status != STATUS_OK) return command_fail(c, EXIT_USAGE, "%s", error);
    status = processes_init(&d->processes, d->config.file, d->config.joined, error, sizeof error);
    if (status != STATUS_OK) return command_fail(c, EXIT_USAGE, "%s", error);
    int failed = lock_take(c, d);
    if (failed) return failed;
    d->stop_fd = host_signal_fd();
    d->child_fd = child_signal_fd();
    if (d->stop_fd < 0 || d->child_fd < 0)
        return command_fail(c, EXIT_FAILED, "no signal descriptor: %s", strerror(errno));
    return EXIT_OK;
}

static int daemon_verdict(const struct command *c, const struct daemon *d)
{
    if (d->core.refused)
        return command_fail(
            c, EXIT_USAGE, "%s refuses to start: see what it said above, correct that, start again",
            child_program(d->core.refuser));
    return d->core.overdue ? EXIT_FAILED : EXIT_OK;
}

/* Not every operator means it. */
static void registration_tell(const struct config *config)
{
    if (config->registration == REGISTRATION_OPEN)
        fprintf(stderr, "sealmqd: anybody who reaches %s can make an account: registration.mode is open in %s\n",
                config->client_endpoint, config->file);
}

static int daemon_run(const struct command *c)
{
    struct daemon d = {.lock_fd = -1, .stop_fd = -1, .child_fd = -1};
    int failed = daemon_prepare(c, &d);
    if (!failed) {
        d.journal = journal_open(d.config.log_file, d.config.log_len_max, "supervisor");
        event_write(&d, (struct event){.kind = EVENT_PROCESS_STARTED});
        registration_tell(&d.config);
        daemon_loop(&d);
        event_write(&d, (struct event){.kind = EVENT_PROCESS_STOPPED});
        journal_close(&d.journal);
        failed = daemon_verdict(c, &d);
    }
    if (d.stop_fd >= 0) close(d.stop_fd);
    if (d.child_fd >= 0) close(d.child_fd);
    if (d.lock_fd >= 0) close(d.lock_fd);
    return failed;
}

static void made_print(const struct command *c, const struct config *config, bool found)
{
    if (!c->json) {
        printf("%s relay in %s\n  config      %s\n  server key  %s/server.pub\n  clients     %s\n",
               found ? "found" : "made", config->dir, config->file, config->dir,
               config->client_endpoint);
        return;
    }
    json_t *line = json_pack("{s:b,s:s,s:s,s:s+,s:s}", "made", !found, "dir", config->dir, "config",
                             config->file, "server_key", config->dir, "/server.pub", "relay",
                             config->client_endpoint);
    ENSURE(line);
    json_dumpf(line, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(line);
}

static int init_run(const struct command *c)
{
    char error[ERROR_CAP], file[CONFIG_PATH_MAX];
    struct config config;
    long long port;
    const char *dir = command_option(c, "init");
    if (!command_number(c, "port", 1, 65535, 7400, &port)) return EXIT_USAGE;
    if ((size_t)snprintf(file, sizeof file, "%s/sealmq.zpl", dir) >= sizeof file)
        return command_fail(c, EXIT_USAGE, "the path of --init is too long: shorten it");
    bool found = access(file, F_OK) == 0;
    enum status status = config_make(dir, (uint16_t)port, error, sizeof error);
    if (status == STATUS_OK) status = config_load(file, &config, error, sizeof error);
    if (status != STATUS_OK)
        return command_fail(c, status == STATUS_CONFIG ? EXIT_USAGE : EXIT_FAILED, "%s", error);
    made_print(c, &config, found);
    return EXIT_OK;
}

static int sealmqd_run(struct command *c)
{
    bool init = command_option(c, "init"), config = command_option(c, "config");
    if (init == config)
        return command_fail(c, EXIT_USAGE, "give either --config FILE or --init DIR");
    if (config && command_option(c, "port"))
        return command_fail(c, EXIT_USAGE, "--port goes with --init: a config file names its own");
    if (host_start() != STATUS_OK)
        return command_fail(c, EXIT_FAILED, HOST_UNUSABLE);
    return init ? init_run(c) : daemon_run(c);
}

static const struct option_rule options[] = {
    {"config", "FILE", "run the relay of this sealmq.zpl until SIGTERM or Ctrl-C", false},
    {"init", "DIR", "make a relay's config and keys in DIR; what exists stays", false},
    {"port", "N", "with --init: the port for clients on 127.0.0.1 (default 7400)", false},
};
static const struct command_rule commands[] = {{.run = sealmqd_run}};
static const struct program_rule program = {
    .name = "sealmqd",
    .help = "starts and supervises a whole SealMQ relay on one machine",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .commands = commands,
    .command_count = 1,
};

int main(int argc, char **argv)
{
    return command_main(&program, argc, argv);
}
