/* guard: the rules of guard.h. The rules at accept are one table; those of time and bytes stand in
 * guard_look. Invariants: an entry is counted as live until it is cut or ended, as silent until its first
 * frame besides, and at its address until it is ended, as that long it has a descriptor; stage changes
 * only in guard_accepted, guard_speaks, cut and guard_ended. Nothing is allocated after guard_new. */
#include "broker/guard.h"

#include <stdlib.h>
#include <string.h>

#define TOLD_MS       1000u /* an event of a reason, at most so often */
#define STUCK_TOLD_MS 30000u
#define FDS_BESIDES   4096u /* descriptors above connections_max that may be told of */

enum stage { STAGE_FREE, STAGE_ACCEPTED, STAGE_SPEAKING, STAGE_CUT };

struct entry {
    enum stage stage;
    bool heard; /* a whole message has come since the last look */
    bool stuck;
    uint32_t routing; /* while speaking */
    struct address_entry *address; /* NULL = not known */
    struct edge_peer peer;
    uint64_t since_ms;     /* of the stage */
    uint64_t number;       /* among all accepted ones */
    uint32_t silent_then;  /* how many there were when it came, itself included */
    uint64_t base;         /* received, when a whole message was last known to have come */
    uint64_t unfinished;   /* received since; once cut: what it may still hold */
    uint64_t acked, acked_ms;
    uint64_t shut_ms; /* once cut: when that was last asked for */
};

struct guard {
    struct guard_config config;
    struct entry *entries; /* by descriptor */
    int fd_cap, fd_top;    /* fd_top: above all that are in use */
    int look_at, looks;    /* of this step: next one, and how many are left */
    int last_spoke;
    struct addresses addresses;
    uint32_t live, silent;
    uint64_t unfinished;   /* of all live ones */
    uint64_t stuck_bytes;
    uint64_t ids_span;     /* ids from first_routing that libzmq can have given */
    uint64_t now_ms;
    struct edge_counts counts;
    uint64_t untold[CUT_REASONS], told_ms[CUT_REASONS];
    uint64_t accepts_failed, accepts_told_ms, stuck_told_ms;
    uint32_t accept_error;
    bool excused;
};

static const bool is_offence[CUT_REASONS] = {
    [CUT_SILENT] = true,  [CUT_UNFINISHED] = true, [CUT_ROUTING_ID] = true,
    [CUT_PARTS] = true,   [CUT_NO_KEY] = true,
};

struct guard *guard_new(const struct guard_config *config)
{
    struct guard *g = calloc(1, sizeof *g);
    ENSURE(g && config->connections_max > 0 && config->connections_max <= CONNECTIONS_MAX);
    g->config = *config;
    g->fd_cap = (int)(config->connections_max + FDS_BESIDES);
    g->entries = calloc((size_t)g->fd_cap, sizeof *g->entries);
    ENSURE(g->entries != NULL);
    g->last_spoke = -1;
    addresses_init(&g->addresses, (uint32_t)g->fd_cap, config->seed);
    return g;
}

void guard_free(struct guard **g)
{
    if (!*g) return;
    addresses_fini(&(*g)->addresses);
    free((*g)->entries);
    free(*g);
    *g = NULL;
}

static struct entry *entry_of(const struct guard *g, int fd)
{
    return fd >= 0 && fd < g->fd_cap ? &g->entries[fd] : NULL;
}

static void tell(struct guard *g, struct event e)
{
    g->config.out.event(g->config.out.context, &e);
}

static void offend(struct guard *g, struct entry *e, uint64_t now_ms)
{
    if (e->address && address_offend(e->address, now_ms))
        tell(g, (struct event){.kind = EVENT_ADDRESS_BANNED, .count = e->address->offences,
                               .value = BAN_MS});
}

/* Out of all counts but its address's connections. */
static void uncount(struct guard *g, struct entry *e)
{
    if (e->stage == STAGE_ACCEPTED) {
        g->silent--;
        if (e->address) e->address->silent--;
    }
    g->live--;
    g->unfinished -= e->unfinished;
}

static void shut(struct guard *g, uint64_t now_ms, struct entry *e)
{
    e->shut_ms = now_ms;
    g->config.out.cut(g->config.out.context, (int)(e - g->entries), &e->peer);
}

static void cut(struct guard *g, uint64_t now_ms, struct entry *e, enum cut_reason reason)
{
    if (e->stage != STAGE_ACCEPTED && e->stage != STAGE_SPEAKING) return;
    bool spoke = e->stage == STAGE_SPEAKING;
    uncount(g, e);
    e->stage = STAGE_CUT;
    e->since_ms = now_ms;
    g->counts.cut[reason]++;
    g->untold[reason]++;
    if (is_offence[reason] && !(g->excused && reason == CUT_SILENT)) offend(g, e, now_ms);
    shut(g, now_ms, e);
    if (spoke && reason != CUT_SESSION) g->config.out.gone(g->config.out.context, e->routing);
}

/* --- accept --------------------------------------------------------------------------------- */

/* A new connection, which is counted already. */
struct arrival {
    const struct guard *g;
    const struct address_entry *address; /* may be NULL */
    int fd;
};

static bool banned(const struct arrival *a)
{
    return a->address && address_banned(a->address, a->g->now_ms);
}

static bool address_full(const struct arrival *a)
{
    return a->address && !a->address->own &&
           a->address->connections > a->g->config.address_connections_max;
}

static bool address_silent(const struct arrival *a)
{
    return a->address && !a->address->own && a->address->silent > ADDRESS_SILENT_MAX;
}

static bool half_open(const struct arrival *a)
{
    return a->g->silent > HALF_OPEN_MAX;
}

static bool connections(const struct arrival *a)
{
    return a->g->live > a->g->config.connections_max;
}

/* The lowest free descriptor is taken always, so all below this one are in use. */
static bool descriptors(const struct arrival *a)
{
    return (uint64_t)a->fd * 10 >= (uint64_t)a->g->config.descriptors_max * 8;
}

static const struct {
    enum cut_reason reason;
    bool (*broken)(const struct arrival *a);
} at_accept[] = {
    {CUT_BANNED, banned},       {CUT_ADDRESS_FULL, address_full},
    {CUT_ADDRESS_SILENT, address_silent}, {CUT_HALF_OPEN, half_open},
    {CUT_CONNECTIONS, connections}, {CUT_DESCRIPTORS, descriptors},
};

static bool peer_known(const struct edge_peer *peer)
{
    static const struct edge_peer none;
    return memcmp(&peer->host, &none.host, sizeof none.host) != 0;
}

void guard_accepted(struct guard *g, uint64_t now_ms, int fd, const struct edge_peer *peer)
{
    struct entry *e = entry_of(g, fd);
    g->now_ms = now_ms;
    g->counts.accepted++;
    g->ids_span++;
    if (!e) { /* without a place; its end will be ignored */
        g->counts.cut[CUT_DESCRIPTORS]++;
        g->untold[CUT_DESCRIPTORS]++;
        g->config.out.cut(g->config.out.context, fd, peer);
        return;
    }
    if (e->stage != STAGE_FREE) guard_ended(g, now_ms, fd);
    *e = (struct entry){.stage = STAGE_ACCEPTED, .peer = *peer, .since_ms = now_ms,
                        .acked_ms = now_ms};
    if (peer_known(peer)) e->address = address_connect(&g->addresses, peer_address_network(peer->host));
    if (e->address) e->address->silent++;
    g->silent++;
    g->live++;
    e->number = g->counts.accepted;
    e->silent_then = g->silent;
    if (fd >= g->fd_top) g->fd_top = fd + 1;
    struct arrival a = {g, e->address, fd};
    for (size_t i = 0; i < sizeof at_accept / sizeof at_accept[0]; i++)
        if (at_accept[i].broken(&a)) {
            cut(g, now_ms, e, at_accept[i].reason);
            return;
        }
}

void guard_ended(struct guard *g, uint64_t now_ms, int fd)
{
    struct entry *e = entry_of(g, fd);
    if (!e || e->stage == STAGE_FREE) return;
    bool spoke = e->stage == STAGE_SPEAKING, silent = e->stage == STAGE_ACCEPTED;
    uint32_t routing = e->routing;
    if (e->stage != STAGE_CUT) uncount(g, e);
    if (silent) {
        g->counts.failed++;
        if (!g->excused) offend(g, e, now_ms);
    }
    if (e->stuck) {
        g->counts.stuck--;
        g->stuck_bytes -= e->unfinished;
    }
    if (e->address) address_leave(&g->addresses, e->address);
    *e = (struct entry){.stage = STAGE_FREE};
    while (g->fd_top > 0 && g->entries[g->fd_top - 1].stage == STAGE_FREE)
        g->fd_top--;
    if (spoke) g->config.out.gone(g->config.out.context, routing);
}

void guard_excuse(struct guard *g, bool excused)
{
    g->excused = excused;
}

void guard_accept_failed(struct guard *g, uint32_t error)
{
    g->accepts_failed++;
    g->accept_error = error;
}

/* --- frames --------------------------------------------------------------------------------- */

bool guard_heard(struct guard *g, int fd, uint32_t routing)
{
    struct entry *e = entry_of(g, fd);
    if (!e || e->stage != STAGE_SPEAKING || e->routing != routing) return false;
    e->heard = true;
    return true;
}

/* libzmq counts up from first_routing and gives each connection at most one number. */
static bool routing_possible(const struct guard *g, uint32_t routing)
{
    return (uint32_t)(routing - g->config.first_routing) <= g->ids_span;
}

/* What was queued by the connection that had this descriptor before may be read after its end; its
 * number is the older one. */
static bool is_late(const struct entry *e, uint32_t routing)
{
    return e->stage == STAGE_SPEAKING && (int32_t)(routing - e->routing) < 0;
}

bool guard_speaks(struct guard *g, uint64_t now_ms, int fd, uint32_t routing)
{
    struct entry *e = entry_of(g, fd);
    if (guard_heard(g, fd, routing)) return true;
    if (!e || e->stage == STAGE_FREE || e->stage == STAGE_CUT || is_late(e, routing)) return false;
    if (!routing_possible(g, routing)) {
        cut(g, now_ms, e, CUT_ROUTING_ID);
        return false;
    }
    if (e->stage == STAGE_ACCEPTED) {
        g->silent--;
        if (e->address) e->address->silent--;
    } else {
        g->config.out.gone(g->config.out.context, e->routing);
    }
    e->stage = STAGE_SPEAKING;
    e->since_ms = now_ms;
    e->routing = routing;
    e->heard = true;
    g->last_spoke = fd;
    return true;
}

void guard_own(struct guard *g, int fd)
{
    struct entry *e = entry_of(g, fd);
    ENSURE(e && fd == g->last_spoke);
    if (e->stage != STAGE_SPEAKING) return;
    if (e->address) e->address->own = true;
    /* The next numbers may be anybody's who had not spoken when the probe came, or has come since. */
    g->ids_span = (uint32_t)(e->routing - g->config.first_routing) + (uint64_t)e->silent_then +
                  (g->counts.accepted - e->number);
}

uint32_t guard_ids_next(const struct guard *g)
{
    return (uint32_t)(g->config.first_routing + g->ids_span + 1);
}

void guard_squatted(struct guard *g, uint64_t now_ms)
{
    for (int fd = 0; fd < g->fd_top; fd++)
        if (g->entries[fd].stage == STAGE_ACCEPTED) cut(g, now_ms, &g->entries[fd], CUT_ROUTING_ID);
}

void guard_offence(struct guard *g, uint64_t now_ms, int fd, enum cut_reason reason)
{
    struct entry *e = entry_of(g, fd);
    /* Who speaks has a possible id: then the frame is a late one of the connection before. */
    bool late = e && reason == CUT_ROUTING_ID && e->stage == STAGE_SPEAKING;
    if (e && !late) cut(g, now_ms, e, reason);
}

void guard_cut(struct guard *g, uint64_t now_ms, uint32_t routing)
{
    for (int fd = 0; fd < g->fd_top; fd++)
        if (g->entries[fd].stage == STAGE_SPEAKING && g->entries[fd].routing == routing)
            cut(g, now_ms, &g->entries[fd], CUT_SESSION);
}

/* --- time and bytes -------------------------------------------------------------------------- */

static void cuts_tell(struct guard *g, uint64_t now_ms)
{
    for (uint32_t reason = 0; reason < CUT_REASONS; reason++) {
        if (!g->untold[reason] || now_ms - g->told_ms[reason] < TOLD_MS) continue;
        tell(g, (struct event){.kind = EVENT_CONNECTION_CUT, .code = reason,
                               .count = g->untold[reason]});
        g->untold[reason] = 0;
        g->told_ms[reason] = now_ms;
    }
    if (g->accepts_failed && now_ms - g->accepts_told_ms >= TOLD_MS) {
        tell(g, (struct event){.kind = EVENT_ACCEPT_FAILED, .code = g->accept_error,
                               .count = g->accepts_failed});
        g->accepts_failed = 0;
        g->accepts_told_ms = now_ms;
    }
}

static void largest_cut(struct guard *g, uint64_t now_ms)
{
    struct entry *largest = NULL;
    for (int fd = 0; fd < g->fd_top; fd++) {
        struct entry *e = &g->entries[fd];
        if (e->stage != STAGE_CUT && e->unfinished && (!largest || e->unfinished > largest->unfinished)) largest = e;
    }
    if (largest) cut(g, now_ms, largest, CUT_UNFINISHED_ALL);
}

void guard_step(struct guard *g, uint64_t now_ms)
{
    cuts_tell(g, now_ms);
    g->looks = g->fd_top < (int)LOOKS_PER_STEP ? g->fd_top : (int)LOOKS_PER_STEP;
}

int guard_look_next(struct guard *g)
{
    while (g->looks-- > 0) {
        int fd = g->look_at < g->fd_top ? g->look_at : 0;
        g->look_at = fd + 1;
        if (g->entries[fd].stage != STAGE_FREE) return fd;
    }
    return -1;
}

/* What the last look counted stays until one that knows better. */
static bool bytes_look(struct guard *g, uint64_t now_ms, struct entry *e,
                       const struct edge_traffic *traffic)
{
    uint64_t received = traffic->received;
    if (traffic->behind) return false;
    if (e->heard || received < e->base) e->base = received;
    e->heard = false;
    g->unfinished += received - e->base - e->unfinished;
    e->unfinished = received - e->base;
    if (e->unfinished <= UNFINISHED_MAX) return false;
    cut(g, now_ms, e, CUT_UNFINISHED);
    return true;
}

static bool is_unread(struct entry *e, uint64_t now_ms, const struct edge_traffic *traffic)
{
    if (!traffic->unacked || traffic->acked != e->acked) {
        e->acked = traffic->acked;
        e->acked_ms = now_ms;
    }
    return now_ms - e->acked_ms >= UNREAD_MS;
}

static void stuck_tell(struct guard *g, uint64_t now_ms)
{
    tell(g, (struct event){.kind = EVENT_CONNECTIONS_STUCK, .count = g->counts.stuck});
    g->stuck_told_ms = now_ms;
}

static void stuck_look(struct guard *g, uint64_t now_ms, struct entry *e)
{
    bool hopeless = guard_hopeless(g);
    if (now_ms - e->shut_ms >= STUCK_MS) shut(g, now_ms, e);
    if (!e->stuck && now_ms - e->since_ms >= STUCK_MS) {
        e->stuck = true;
        g->counts.stuck++;
        g->stuck_bytes += e->unfinished;
    }
    if (!e->stuck) return;
    if (now_ms - g->stuck_told_ms >= STUCK_TOLD_MS || hopeless != guard_hopeless(g))
        stuck_tell(g, now_ms);
}

void guard_look(struct guard *g, uint64_t now_ms, int fd, const struct edge_traffic *traffic)
{
    struct entry *e = entry_of(g, fd);
    if (!e || e->stage == STAGE_FREE) return;
    if (e->stage == STAGE_CUT) {
        stuck_look(g, now_ms, e);
        return;
    }
    if (e->stage == STAGE_ACCEPTED && now_ms - e->since_ms >= FIRST_FRAME_MS) {
        cut(g, now_ms, e, CUT_SILENT);
        return;
    }
    if (!traffic || bytes_look(g, now_ms, e, traffic)) return;
    if (is_unread(e, now_ms, traffic)) {
        cut(g, now_ms, e, CUT_UNREAD);
    } else if (!traffic->behind && g->unfinished > UNFINISHED_ALL_MAX) {
        largest_cut(g, now_ms);
    }
}

bool guard_hopeless(const struct guard *g)
{
    uint64_t most = g->config.connections_max / 8;
    return g->counts.stuck > (most > STUCK_FEWEST ? most : STUCK_FEWEST) ||
           g->stuck_bytes > UNFINISHED_ALL_MAX;
}

void guard_counts(const struct guard *g, struct edge_counts *out)
{
    *out = g->counts;
    out->half_open = g->silent;
}
