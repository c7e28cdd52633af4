/* run: one run of the load generator from beginning to end, on the real client protocol over real
 * sockets. Its own devices speak frames directly, without the client's engine and disk, so that its share of the
 * machine stays small; full clients show what these cost. It verifies every byte while it measures. What the figures mean:
 * bench/README.md. */
#include "bench/load/run.h"

#include "bench/load/clients.h"

#include "broker/host/host.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* ---- setting up ---- */

static void files_allow(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

/* Away: spread evenly over the recipients. */
static bool is_away(size_t mailbox, unsigned percent)
{
    return (mailbox + 1) * percent / 100 != mailbox * percent / 100;
}

static void devices_make(struct load *l)
{
    const struct options *o = l->options;
    uint64_t wall_ms = host_now().wall_ms;
    l->device_count = o->senders + o->mailboxes + o->idle;
    l->devices = calloc(l->device_count, sizeof *l->devices);
    l->senders = calloc(o->senders, sizeof *l->senders);
    l->traffic.mailboxes = calloc(o->mailboxes, sizeof(struct device *));
    l->traffic.mailbox_count = o->mailboxes;
    ENSURE(l->devices && l->senders && l->traffic.mailboxes);
    for (size_t i = 0; i < l->device_count; i++) {
        struct device *d = &l->devices[i];
        d->number = (uint32_t)i;
        d->attaches = i >= o->senders;
        d->hub = &l->hubs[0];
        device_make(d, &l->arena, wall_ms);
        arena_reset(&l->arena);
        if (i < o->senders) sender_init(&l->senders[i], d);
    }
    for (size_t i = 0; i < o->mailboxes; i++) {
        struct device *d = &l->devices[o->senders + i];
        l->traffic.mailboxes[i] = d;
        d->away = is_away(i, o->away_percent);
        if (d->away) d->hub = &l->hubs[1];
    }
}

/* With --reconnects a socket each, so that one can break alone. */
static bool hubs_make(struct load *l)
{
    const struct options *o = l->options;
    size_t alone = o->reconnects > 0 ? o->senders + o->mailboxes : 0;
    l->hub_count = 2 + alone;
    l->hubs = calloc(l->hub_count, sizeof(struct hub *));
    l->waits = calloc(l->hub_count + 1, sizeof *l->waits);
    ENSURE(l->hubs && l->waits);
    l->hub_config = o->hub;
    l->hub_config.context = hub_context_new();
    if (!l->hub_config.context) return false;
    for (size_t i = 0; i < l->hub_count; i++)
        if (!(l->hubs[i] = hub_new(&l->hub_config))) return false;
    return true;
}

static bool load_init(struct load *l, const struct options *o)
{
    struct traffic *t = &l->traffic;
    *l = (struct load){.options = o, .pace = o->pace, .signal_fd = host_signal_fd()};
    l->meter.result = result_new();
    t->sizes = o->sizes;
    t->repeat_below = o->duplicate_share >= 1 ? UINT64_MAX
                                              : (uint64_t)(o->duplicate_share * (double)UINT64_MAX);
    t->pool = malloc(sizeof *t->pool);
    ENSURE(t->pool != NULL);
    host_random(t->pool, sizeof *t->pool);
    host_random(&t->run, sizeof t->run);
    ledger_init(&t->ledger, 4 * (o->pace.window ? o->pace.window : o->pace.open_max));
    prctl(PR_SET_TIMERSLACK, 1000); /* nanoseconds: an open loop wakes when something is due */
    files_allow();
    if (l->signal_fd < 0) return false;
    if (o->client) {
        l->carrier = &clients_carrier;
        return (l->clients = clients_new(l)) != NULL;
    }
    l->carrier = &devices_carrier;
    if (!hubs_make(l)) return false;
    devices_make(l);
    for (size_t i = 0; o->reconnects > 0 && i < o->senders + o->mailboxes; i++)
        if (!l->devices[i].away) l->devices[i].hub = &l->hubs[2 + i];
    return true;
}

static void load_fini(struct load *l)
{
    clients_free(&l->clients);
    for (size_t i = 0; i < l->hub_count; i++)
        hub_free(&l->hubs[i]);
    hub_context_free(&l->hub_config.context);
    for (size_t i = 0; l->devices && i < l->device_count; i++)
        device_fini(&l->devices[i]);
    for (size_t i = 0; l->senders && i < l->options->senders; i++)
        sender_fini(&l->senders[i]);
    ledger_fini(&l->traffic.ledger);
    buffer_fini(&l->traffic.item_bytes);
    free(l->traffic.items);
    free(l->traffic.mailboxes);
    free(l->traffic.pool);
    arena_fini(&l->arena);
    free(l->devices);
    free(l->senders);
    free(l->hubs);
    free(l->waits);
    result_free(&l->meter.result);
    if (l->signal_fd >= 0) close(l->signal_fd);
}

/* ---- the run ---- */

static int start_failed(const struct command *c, const struct options *o)
{
    if (o->client)
        return command_fail(c, EXIT_USAGE, "no folder for the clients' homes can be made in %s: %s", o->scratch,
                            strerror(errno));
    return command_fail(c, EXIT_USAGE, "no sockets can be opened: %s", strerror(errno));
}

static int connect_failed(const struct command *c, struct load *l)
{
    const struct options *o = l->options;
    enum hub_reach reach = HUB_NOWHERE;
    int reason = errno;
    for (size_t i = 0; i < l->hub_count; i++)
        if (l->hubs[i] && hub_reach(l->hubs[i]) > reach) reach = hub_reach(l->hubs[i]);
    if (l->interrupted)
        return command_fail(c, EXIT_INTERRUPTED, "interrupted before anything was measured");
    if (l->clients) return command_fail(c, EXIT_USAGE, "%s", clients_trouble(l));
    if (l->trouble == STATUS_IO)
        return command_fail(c, EXIT_USAGE, "%s cannot be connected to: %s", o->hub.endpoint,
                            strerror(reason));
    if (l->trouble != STATUS_OK)
        return command_fail(c, EXIT_USAGE, "the relay refuses a device: %s (%s)",
                            status_name(l->trouble), status_meaning(l->trouble));
    if (reach == HUB_NOWHERE)
        return command_fail(c, EXIT_USAGE, "nothing listens at %s: start the relay first",
                            o->hub.endpoint);
    if (reach == HUB_CONNECTED)
        return command_fail(c, EXIT_USAGE, "%s lets nobody in: %s", o->hub.endpoint,
                            o->hub.plain ? "is it a relay with broker.plain = bench?"
                                         : "is --server-key this relay's server.pub?");
    return command_fail(c, EXIT_USAGE, "%zu of %zu devices are connected and no more come: see "
                                       "broker.connections, and the relay's log",
                        l->ready_count, l->device_count);
}

static bool hgrm_write(const char *prefix, const char *what, const struct histogram *h)
{
    char path[4096];
    if ((size_t)snprintf(path, sizeof path, "%s-%s.hgrm", prefix, what) >= sizeof path) return false;
    FILE *f = fopen(path, "we");
    if (!f) return false;
    bool whole = histogram_write_hgrm(h, f) == STATUS_OK;
    return fclose(f) == 0 && whole;
}

static int result_save(const struct command *c, const struct load *l)
{
    const struct options *o = l->options;
    const struct result *r = l->meter.result;
    if (o->json && result_append(r, o->json) != STATUS_OK)
        return command_fail(c, EXIT_USAGE, "%s cannot be written: %s", o->json, strerror(errno));
    if (o->hgrm && (!hgrm_write(o->hgrm, "accept", &r->accept) ||
                    !hgrm_write(o->hgrm, "end-to-end", &r->end_to_end)))
        return command_fail(c, EXIT_USAGE, "%s-*.hgrm cannot be written: %s", o->hgrm,
                            strerror(errno));
    return EXIT_OK;
}

static int load_finish(const struct command *c, struct load *l)
{
    if (l->clients) clients_extra(l);
    meter_judge(l);
    meter_print(l);
    if (l->interrupted) return EXIT_INTERRUPTED;
    int failed = result_save(c, l);
    if (failed) return failed;
    if (l->trouble != STATUS_OK && l->clients)
        return command_fail(c, EXIT_FAILED, "%s", clients_trouble(l));
    if (l->trouble != STATUS_OK)
        return command_fail(c, EXIT_FAILED, "the relay says: %s (%s)", status_name(l->trouble),
                            status_meaning(l->trouble));
    return result_clean(l->meter.result) ? EXIT_OK : EXIT_FAILED;
}

/* Found out before the load, not after it. */
static int files_check(const struct command *c, const struct options *o)
{
    FILE *f = o->json ? fopen(o->json, "ae") : NULL;
    if (o->json && !f)
        return command_fail(c, EXIT_USAGE, "%s cannot be written: %s", o->json, strerror(errno));
    if (f) fclose(f);
    return EXIT_OK;
}

int run_command(struct command *c)
{
    struct options o;
    struct load *l = calloc(1, sizeof *l);
    ENSURE(l != NULL);
    int status = options_read(c, &o);
    if (status == EXIT_OK) status = files_check(c, &o);
    if (status == EXIT_OK) {
        bool gives_way = o.pace.window && process_give_way();
        if (host_start() != STATUS_OK || !load_init(l, &o))
            status = start_failed(c, &o);
        else if (!phase_connect(l))
            status = connect_failed(c, l);
        else {
            if (gives_way) result_extra_text(l->meter.result, "generator", "gives way");
            if (phase_run(l) && o.catch_up) (void)phase_catch_up(l);
            status = load_finish(c, l);
        }
        load_fini(l);
    }
    free(l);
    return status;
}
