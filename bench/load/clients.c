/* clients: one thread turns them all, as an event loop with many clients in it does: a client gets a turn when its
 * descriptor is readable or its time has come; between turns what is due is sent, within a limit, as each waits for the
 * disk. Invariant: client i is a sender for i < senders, else mailbox i - senders. */
#include "bench/load/clients.h"

#include "bench/load/client.h"
#include "broker/host/host.h"

#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <time.h>

#define WAIT_MAX_US 5000u
#define SENDS_MAX   64u    /* between two turns */
#define REST_US     20000u /* how often the rows are asked whether all is done */
#define FILES_OPEN  16     /* while the folder is removed */

struct clients {
    char folder[4096];
    struct client *list;
    size_t count;
    struct sealmq_account *accounts; /* the senders' */
    struct tally tally;
    struct pollfd *waits; /* each client's, then the signals' */
    uint64_t rested_us;   /* when the rows were asked last */
    uint8_t body[PAYLOAD_LEN_MAX];
};

/* ---- making ---- */

struct clients *clients_new(struct load *l)
{
    const struct options *o = l->options;
    struct clients *cs = calloc(1, sizeof *cs);
    uint64_t run;
    ENSURE(cs != NULL);
    if ((size_t)snprintf(cs->folder, sizeof cs->folder, "%s/clients.XXXXXX", o->scratch) >= sizeof cs->folder ||
        !mkdtemp(cs->folder)) {
        free(cs);
        return NULL;
    }
    cs->count = o->senders + o->mailboxes;
    cs->list = calloc(cs->count, sizeof *cs->list);
    cs->accounts = calloc(o->senders, sizeof *cs->accounts);
    cs->waits = calloc(cs->count + 1, sizeof *cs->waits);
    ENSURE(cs->list && cs->accounts && cs->waits);
    host_random(&run, sizeof run);
    for (size_t i = 0; i < cs->count; i++) {
        struct client *c = &cs->list[i];
        c->receives = i >= o->senders;
        c->number = c->receives ? i - o->senders : i;
        snprintf(c->handle, sizeof c->handle, "bench-%016" PRIx64 "-%zu", run, i);
    }
    cs->tally = (struct tally){.traffic = &l->traffic, .senders = cs->accounts, .sender_count = o->senders,
                               .kind = o->client == CLIENT_OPAQUE ? SEALMQ_OPAQUE : SEALMQ_SEALED};
    l->device_count = cs->count;
    l->traffic.mailbox_count = o->mailboxes;
    return cs;
}

static int entry_remove(const char *path, const struct stat *s, int kind, struct FTW *place)
{
    (void)s, (void)kind, (void)place;
    return remove(path);
}

void clients_free(struct clients **clients)
{
    struct clients *cs = *clients;
    if (!cs) return;
    for (size_t i = 0; i < cs->count; i++)
        client_close(&cs->list[i]);
    if (nftw(cs->folder, entry_remove, FILES_OPEN, FTW_DEPTH | FTW_PHYS) != 0)
        fprintf(stderr, "%s cannot be removed: %s\n", cs->folder, strerror(errno));
    free(cs->list);
    free(cs->accounts);
    free(cs->waits);
    free(cs);
    *clients = NULL;
}

/* ---- turns ---- */

static bool clients_turn(struct load *l, uint64_t wake_us)
{
    struct clients *cs = l->clients;
    uint64_t now_us = host_mono_us(), until_us = now_us + WAIT_MAX_US;
    bool any = false;
    if (wake_us < until_us) until_us = wake_us;
    for (size_t i = 0; i < cs->count; i++) {
        const struct client *c = &cs->list[i];
        cs->waits[i] = (struct pollfd){c->api ? sealmq_fd(c->api) : -1, POLLIN, 0};
        if (c->api && c->wake_us < until_us) until_us = c->wake_us;
    }
    cs->waits[cs->count] = (struct pollfd){l->signal_fd, POLLIN, 0};
    struct timespec left = {.tv_nsec = until_us > now_us ? (long)(until_us - now_us) * 1000 : 0};
    if (ppoll(cs->waits, (nfds_t)cs->count + 1, &left, NULL) < 0) return false; /* the next turn looks */
    if (cs->waits[cs->count].revents && host_signal_take(l->signal_fd)) l->interrupted = true;
    now_us = host_mono_us();
    for (size_t i = 0; i < cs->count && !l->interrupted; i++) {
        struct client *c = &cs->list[i];
        if (!c->api || (!cs->waits[i].revents && c->wake_us > now_us)) continue;
        if (!client_turn(c, &cs->tally)) l->trouble = STATUS_STATE;
        any = true;
    }
    meter_tick(l, host_mono_us());
    return any;
}

static bool clients_send(struct load *l, uint64_t now_us)
{
    struct clients *cs = l->clients;
    struct traffic *t = &l->traffic;
    uint64_t due = pace_due(&l->pace, now_us, t->ledger.issued, ledger_open(&t->ledger));
    if (due > SENDS_MAX) due = SENDS_MAX;
    for (uint64_t i = 0; i < due && l->trouble == STATUS_OK; i++) {
        uint64_t number = ledger_issue(&t->ledger, pace_time_us(&l->pace, host_mono_us(), t->ledger.issued));
        struct route route = tally_route(&cs->tally, number);
        size_t len = t->sizes.len[sizes_pick(&t->sizes, number)];
        const struct client *to = &cs->list[l->options->senders + route.mailbox];
        body_write(t->pool, number, cs->body, len);
        if (!client_send(&cs->list[route.sender], &cs->tally, to->handle, number, view_of(cs->body, len)))
            l->trouble = STATUS_STATE;
    }
    return due > 0;
}

static bool clients_sent(const struct load *l)
{
    (void)l; /* what is not accepted is open in the ledger */
    return true;
}

static bool clients_settled(struct load *l)
{
    struct clients *cs = l->clients;
    uint64_t now_us = host_mono_us();
    if (now_us - cs->rested_us < REST_US) return false;
    cs->rested_us = now_us;
    for (size_t i = 0; i < cs->count; i++)
        if (!cs->list[i].api || !client_at_rest(&cs->list[i])) return false;
    return true;
}

/* ---- connecting ---- */

/* How many of the clients are known to the relay, and have a session. */
static size_t ready_count(const struct clients *cs)
{
    size_t count = 0;
    for (size_t i = 0; i < cs->count; i++)
        count += cs->list[i].registered && cs->list[i].attached;
    return count;
}

static uint64_t greeted(const struct clients *cs)
{
    uint64_t count = 0;
    for (size_t i = 0; i < cs->count; i++)
        count += cs->list[i].greeted;
    return count;
}

static bool open_all(struct load *l)
{
    struct clients *cs = l->clients;
    for (size_t i = 0; i < cs->count && !l->interrupted && l->trouble == STATUS_OK; i++) {
        if (!client_open(&cs->list[i], cs->folder, l->options)) l->trouble = STATUS_STATE;
        if (i < l->options->senders) cs->accounts[i] = cs->list[i].account;
        (void)clients_turn(l, 0);
    }
    return !l->interrupted && l->trouble == STATUS_OK;
}

/* Turns until the count is reached. */
static bool reach(struct load *l, struct watch *w, size_t *ready, uint64_t greetings)
{
    struct clients *cs = l->clients;
    while ((*ready = ready_count(cs)) < cs->count || greeted(cs) < greetings || !clients_settled(l)) {
        (void)clients_turn(l, UINT64_MAX);
        if (!phase_goes_on(l, w, *ready + greeted(cs))) return false;
    }
    return true;
}

static bool clients_connect(struct load *l)
{
    struct clients *cs = l->clients;
    const struct options *o = l->options;
    struct watch watch = {0};
    meter_connect(l, host_mono_us());
    if (!open_all(l) || !reach(l, &watch, &l->ready_count, 0)) return false;
    for (size_t m = 0; m < o->mailboxes; m++) {
        for (size_t s = 0; s < o->senders && l->trouble == STATUS_OK; s++)
            if (!client_greet(&cs->list[s], &cs->tally, cs->list[o->senders + m].handle))
                l->trouble = STATUS_STATE;
        (void)clients_turn(l, 0);
    }
    if (!reach(l, &watch, &l->ready_count, 2 * (uint64_t)o->mailboxes * o->senders)) return false;
    cs->tally.begun = true;
    return true;
}

const struct carrier clients_carrier = {.connect = clients_connect, .turn = clients_turn, .send = clients_send,
                                        .sent = clients_sent, .settled = clients_settled};

/* ---- what there is to say ---- */

void clients_extra(struct load *l)
{
    const struct clients *cs = l->clients;
    struct statfs s;
    l->dropped = l->gaps = 0;
    for (size_t i = 0; i < cs->count; i++) {
        l->dropped += cs->list[i].disconnects;
        l->gaps += cs->list[i].gaps;
    }
    if (statfs(cs->folder, &s) == 0 && (s.f_type == TMPFS_MAGIC || s.f_type == RAMFS_MAGIC))
        result_extra_text(l->meter.result, "homes", "in memory, where nothing is ever synced");
}

const char *clients_trouble(struct load *l)
{
    struct clients *cs = l->clients;
    for (size_t i = 0; i < cs->count; i++)
        if (*cs->list[i].trouble) return cs->list[i].trouble;
    for (size_t i = 0; i < cs->count; i++) {
        struct sealmq_connection connection = SEALMQ_INIT(struct sealmq_connection);
        struct client *c = &cs->list[i];
        if (!c->api || sealmq_connection_get(c->api, &connection) != SEALMQ_OK || connection.session) continue;
        snprintf(c->trouble, sizeof c->trouble, "%s", connection.hint);
        return c->trouble;
    }
    return "the clients are connected, and their greetings do not all come: see the relay's log";
}
