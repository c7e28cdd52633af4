/* sealmq-fanout: carries wake-ups of offline devices to the push gateway. Thin glue: sockets
 * (link), HTTP (webhook), clock, randomness, signals and the journal around the core (fanout). It
 * decides nothing.
 *
 * SIGTERM or SIGINT once: drain (no more leases; what is held is finished), then exit 0. Twice: at
 * once. What starting again cannot help (config, keys) exits with EXIT_USAGE. */
#include "broker/host/command.h"
#include "broker/host/config.h"
#include "broker/host/host.h"
#include "broker/host/journal.h"
#include "broker/host/keys.h"
#include "broker/host/role.h"
#include "broker/wire/slab.h"
#include "workers/fanout/fanout.h"
#include "workers/fanout/webhook.h"
#include "workers/link.h"

#include <unistd.h>

struct process {
    struct config config;
    struct mark_key mark_key;
    struct webhook_key webhook_key;
    struct link *link;
    struct webhook *webhook; /* NULL: none configured */
    struct fanout *fanout;
    struct journal *journal;
    int signal_fd;
    unsigned signals;
};

enum { WAIT_SIGNAL, WAIT_WEBHOOK, WAIT_COUNT };

static void events_write(struct process *p)
{
    struct event e;
    while (fanout_event(p->fanout, &e))
        journal_write(p->journal, &e);
}

static void posts_step(struct process *p, struct now now)
{
    struct webhook_answer answer;
    struct fanout_post next;
    if (!p->webhook) return;
    webhook_step(p->webhook, now);
    while (webhook_answered(p->webhook, now, &answer))
        fanout_posted(p->fanout, now, answer.token, answer.http_status, answer.latency_ms);
    while (webhook_room(p->webhook) && fanout_post_next(p->fanout, &next)) {
        struct webhook_post post = {
            .token = next.token, .device = next.device, .account = next.account};
        host_random(post.id.bytes, sizeof post.id.bytes);
        webhook_send(p->webhook, now, &post);
    }
}

static void slabs_receive(struct process *p, struct now now)
{
    size_t broker;
    struct view slab;
    while (link_receive(p->link, &broker, &slab))
        fanout_receive(p->fanout, now, broker, slab);
    link_release(p->link, link_mark(p->link));
}

static void slabs_send(struct process *p, struct now now)
{
    struct view slab;
    for (size_t i = 0; i < link_count(p->link); i++)
        if (fanout_outgoing(p->fanout, i, &slab))
            fanout_sent(p->fanout, now, i, link_send(p->link, i, slab));
}

static long timeout_ms(const struct process *p, struct now now)
{
    uint64_t due_ms = fanout_deadline_ms(p->fanout);
    if (p->webhook && webhook_deadline_ms(p->webhook) < due_ms)
        due_ms = webhook_deadline_ms(p->webhook);
    return due_ms > now.mono_ms ? (long)(due_ms - now.mono_ms) : 0;
}

static enum status turn(struct process *p)
{
    struct link_wait waits[WAIT_COUNT] = {{.fd = p->signal_fd}};
    if (p->webhook) waits[WAIT_WEBHOOK].fd = webhook_fd(p->webhook);
    enum status s = link_poll(p->link, waits, p->webhook ? WAIT_COUNT : WAIT_COUNT - 1,
                              timeout_ms(p, host_now()));
    if (s != STATUS_OK) return s;
    struct now now = host_now();
    if (waits[WAIT_SIGNAL].ready && host_signal_take(p->signal_fd)) {
        p->signals++;
        fanout_leave(p->fanout, now);
    }
    slabs_receive(p, now);
    posts_step(p, now);
    fanout_step(p->fanout, now);
    slabs_send(p, now);
    events_write(p);
    return STATUS_OK;
}

static int serve(struct process *p, struct command *c)
{
    for (;;) {
        enum status s = turn(p);
        if (s != STATUS_OK)
            return command_fail(c, EXIT_FAILED, "waiting for sockets failed: %s",
                                status_meaning(s));
        if (p->signals > 1 || fanout_left(p->fanout, host_now())) break;
    }
    struct event stopped = {
        .at_ms = host_now().wall_ms, .kind = EVENT_PROCESS_STOPPED, .code = ROLE_FANOUT};
    journal_write(p->journal, &stopped);
    return EXIT_OK;
}

static int webhook_start(struct process *p, struct command *c)
{
    char error[256];
    if (!p->config.webhook_url[0]) return EXIT_OK;
    if (webhook_key_load(&p->config, &p->webhook_key, error, sizeof error) != STATUS_OK)
        return command_fail(c, EXIT_USAGE, "%s", error);
    enum status s = webhook_open(&p->webhook, p->config.webhook_url, p->webhook_key.bytes);
    if (s == STATUS_CONFIG)
        return command_fail(c, EXIT_USAGE, "fanout.webhook: give a URL of http:// or https://");
    if (s != STATUS_OK) return command_fail(c, EXIT_FAILED, "libcurl does not start");
    return EXIT_OK;
}

static int start(struct process *p, struct command *c)
{
    char error[1024];
    int failed = role_start(c, &p->config, &p->signal_fd);
    if (failed) return failed;
    if (mark_key_load(&p->config, &p->mark_key, error, sizeof error) != STATUS_OK)
        return command_fail(c, EXIT_USAGE, "%s", error);
    failed = webhook_start(p, c);
    if (failed) return failed;
    const char *endpoints[] = {p->config.backend_endpoint};
    if (link_open(&p->link, endpoints, 1) != STATUS_OK)
        return command_fail(c, EXIT_USAGE, "broker.backend: %s is no endpoint to connect to",
                            p->config.backend_endpoint);
    struct fanout_config core = {.broker_count = 1,
                                 .webhook = p->webhook != NULL,
                                 .wake_retry_ms = p->config.wake_retry_ms,
                                 .wake_attempts = p->config.wake_attempts,
                                 .mark_key = p->mark_key};
    host_random(core.boot.bytes, sizeof core.boot.bytes);
    p->fanout = fanout_new(&core, host_now());
    p->journal = journal_open(p->config.log_file, p->config.log_len_max, "fanout");
    return EXIT_OK;
}

static int run(struct command *c)
{
    struct process p = {.signal_fd = -1};
    int status = start(&p, c);
    if (status == EXIT_OK) status = serve(&p, c);
    webhook_close(&p.webhook);
    webhook_key_fini(&p.webhook_key);
    link_close(&p.link);
    fanout_free(&p.fanout);
    journal_close(&p.journal);
    if (p.signal_fd >= 0) close(p.signal_fd);
    return status;
}

static const struct option_rule options[] = {
    {"config", "FILE", "the relay's configuration (sealmq.zpl)", true},
};
static const struct command_rule commands[] = {
    {.help = "carry wake-ups of offline devices to the configured webhook", .run = run},
};
static const struct program_rule program = {
    .name = "sealmq-fanout",
    .help = "SealMQ's fan-out worker",
    .options = options,
    .option_count = 1,
    .commands = commands,
    .command_count = 1,
};

int main(int argc, char **argv)
{
    return command_main(&program, argc, argv);
}
