/* overview: what the broker can say of the relay at this moment: itself, its workers by their last
 * heartbeats, and stores that nobody holds. Numbers only. */
#include "broker/core.h"

#define ROWS_MAX 64u /* of msg_overview's table */

static uint64_t count_attached(const struct broker *b)
{
    uint64_t attached = 0;
    for (uint32_t i = 0; i < b->sessions.capacity; i++) {
        const struct connection *c = &b->sessions.slots[i];
        attached += session_bound(c) && c->greeting.attach;
    }
    return attached;
}

/* Its own words, but for what the broker knows better. */
static struct msg_worker_row worker_row(const struct broker *b, const struct worker *w)
{
    struct msg_worker_row row = w->row;
    row.role = w->role;
    row.boot = w->boot;
    row.store = w->store_id;
    row.term = w->term;
    row.silence_ms = b->now.mono_ms - w->heard_ms;
    row.pending = w->assigned.count;
    return row;
}

static struct msg_worker_row orphan_row(const struct store_owner *store)
{
    return (struct msg_worker_row){.role = ROLE_STORAGE, .store = store->id, .term = store->term,
                                   .commit = store->witness.commit, .silence_ms = UINT64_MAX};
}

static size_t rows_fill(const struct broker *b, struct msg_worker_row rows[ROWS_MAX])
{
    size_t count = 0;
    for (uint32_t i = 0; i < WORKERS_MAX && count < ROWS_MAX; i++)
        if (b->route.workers[i].state != WORKER_FREE && b->route.workers[i].state != WORKER_FENCED)
            rows[count++] = worker_row(b, &b->route.workers[i]);
    for (uint32_t i = 0; i < STORES_MAX && count < ROWS_MAX; i++)
        if (b->route.stores[i].used && !b->route.stores[i].worker)
            rows[count++] = orphan_row(&b->route.stores[i]);
    return count;
}

static size_t cuts_fill(const struct edge_counts *edge, struct msg_cut_row cuts[CUT_REASONS])
{
    size_t count = 0;
    for (uint32_t reason = 0; reason < CUT_REASONS; reason++)
        if (edge->cut[reason])
            cuts[count++] = (struct msg_cut_row){reason, edge->cut[reason]};
    return count;
}

void overview_write(struct broker *b, const struct frame_header *request, struct buffer *out)
{
    struct msg_worker_row rows[ROWS_MAX];
    struct msg_cut_row cuts[CUT_REASONS];
    struct edge_counts edge = {0};
    if (b->config.out.edge) b->config.out.edge(b->config.out.context, &edge);
    struct msg_overview overview = {
        .boot = b->config.boot, .uptime_ms = b->now.mono_ms - b->started_ms,
        .connections = b->sessions.count, .sessions = b->sessions.bound,
        .attached = count_attached(b), .pending = b->pendings.count,
        .frames_in = b->counts.frames_in, .frames_out = b->counts.frames_out,
        .refused = b->counts.refused, .busy = b->counts.busy,
        .undelivered = b->counts.undelivered,
        .limited = b->counts.limited, .cut = b->counts.cut,
        .ended = b->counts.ended, .ended_ms_max = b->counts.ended_ms_max,
        .map_version = b->route.map.version, .workers = rows,
        .worker_count = rows_fill(b, rows), .draining = b->draining,
        .accepted = edge.accepted, .failed = edge.failed, .half_open = edge.half_open,
        .stuck = edge.stuck, .cuts = cuts, .cut_count = cuts_fill(&edge, cuts)};
    struct frame_header header = {.kind = KIND_OVERVIEW_IS, .home = request->home,
                                  .correlation = request->correlation};
    frame_write(out, &header, &msg_overview_desc, &overview);
}
