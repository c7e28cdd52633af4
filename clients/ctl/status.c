/* status: what the broker knows of the relay at this moment, as a table or one JSON object. The
 * words of each column stand once, here, and serve both. */
#include "clients/ctl/admin.h"
#include "clients/ctl/ctl.h"
#include "clients/ctl/show.h"

#include <inttypes.h>
#include <stdio.h>

static const char *role_name(const struct msg_worker_row *row)
{
    static const char *const names[] = {[ROLE_BROKER] = "broker",
                                        [ROLE_STORAGE] = "storage",
                                        [ROLE_FANOUT] = "fanout",
                                        [ROLE_OPS] = "ops"};
    return row->role >= ROLE_BROKER && row->role <= ROLE_OPS ? names[row->role] : "?";
}

/* A store that no worker holds has a row without a heartbeat. */
static bool row_is_orphan(const struct msg_worker_row *row)
{
    return row->silence_ms == UINT64_MAX;
}

/* Workers without stores have the same states. */
static const char *state_name(const struct msg_worker_row *row)
{
    return row_is_orphan(row) ? "no worker" : store_state_name(row->state);
}

static const char *registration_name(const struct msg_worker_row *row)
{
    static const char *const names[] = {[RULE_NOT_TOLD] = "?", [RULE_OPEN] = "open", [RULE_TOKEN] = "token"};
    return row->registration <= RULE_TOKEN ? names[row->registration] : "?";
}

static json_t *row_json(const struct msg_worker_row *row)
{
    json_t *o = json_object();
    show_put_text(o, "role", role_name(row));
    show_put_text(o, "state", state_name(row));
    show_put_hex(o, "boot", row->boot.bytes, sizeof row->boot.bytes);
    if (!row_is_orphan(row)) show_put_number(o, "silence_ms", row->silence_ms);
    show_put_number(o, "pending", row->pending);
    show_put_number(o, "items", row->items);
    show_put_number(o, "wakes", row->wakes);
    if (row->role != ROLE_STORAGE) return o;
    show_put_hex(o, "store", row->store.bytes, sizeof row->store.bytes);
    show_put_hex(o, "term", row->term.bytes, sizeof row->term.bytes);
    show_put_time(o, "term_opened", term_opened_ms(row->term));
    show_put_number(o, "commit", row->commit);
    show_put_number(o, "commit_lag_us", row->commit_lag_us);
    show_put_number(o, "turns", row->turns);
    show_put_number(o, "sessions", row->sessions);
    show_put_number(o, "mailboxes", row->mailboxes);
    show_put_number(o, "queued_messages", row->queued_messages);
    show_put_number(o, "queued_bytes", row->queued_bytes);
    show_put_number(o, "parked", row->parked);
    show_put_number(o, "accepted", row->accepted);
    show_put_number(o, "settled", row->settled);
    show_put_number(o, "repeated", row->repeated);
    show_put_number(o, "skewed", row->skewed);
    show_put_text(o, "registration", registration_name(row));
    show_put_number(o, "disk_free_percent", row->disk_free_percent);
    return o;
}

static json_t *edge_json(const struct msg_overview *o)
{
    json_t *edge = json_object(), *cuts = json_object();
    show_put_number(edge, "accepted", o->accepted);
    show_put_number(edge, "failed", o->failed);
    show_put_number(edge, "half_open", o->half_open);
    show_put_number(edge, "stuck", o->stuck);
    for (size_t i = 0; i < o->cut_count; i++)
        show_put_number(cuts, cut_reason_name(o->cuts[i].reason), o->cuts[i].connections);
    json_object_set_new(edge, "cut", cuts);
    return edge;
}

static void status_json(const struct msg_overview *o)
{
    json_t *out = json_object(), *workers = json_array();
    show_put_hex(out, "boot", o->boot.bytes, sizeof o->boot.bytes);
    show_put_text(out, "state", o->draining ? "draining" : "serving");
    show_put_number(out, "uptime_ms", o->uptime_ms);
    show_put_number(out, "connections", o->connections);
    show_put_number(out, "sessions", o->sessions);
    show_put_number(out, "attached", o->attached);
    show_put_number(out, "pending", o->pending);
    show_put_number(out, "frames_in", o->frames_in);
    show_put_number(out, "frames_out", o->frames_out);
    show_put_number(out, "refused", o->refused);
    show_put_number(out, "busy", o->busy);
    show_put_number(out, "undelivered", o->undelivered);
    show_put_number(out, "limited", o->limited);
    show_put_number(out, "cut", o->cut);
    show_put_number(out, "ended", o->ended);
    show_put_number(out, "ended_ms_max", o->ended_ms_max);
    show_put_number(out, "map_version", o->map_version);
    json_object_set_new(out, "edge", edge_json(o));
    for (size_t i = 0; i < o->worker_count; i++)
        json_array_append_new(workers, row_json(&o->workers[i]));
    json_object_set_new(out, "workers", workers);
    show_json(out);
}

static void broker_print(const struct msg_overview *o)
{
    printf("broker   %s, up %s, map version %" PRIu64 "\n", o->draining ? "draining" : "serving",
           show_span(o->uptime_ms).text, o->map_version);
    printf("clients  %" PRIu64 " connections, %" PRIu64 " sessions, %" PRIu64 " attached, %" PRIu64
           " requests pending\n",
           o->connections, o->sessions, o->attached, o->pending);
    printf("frames   %" PRIu64 " in, %" PRIu64 " out; answered refused %" PRIu64 ", busy %" PRIu64
           ", too often %" PRIu64 "; could not hand over %" PRIu64 "; cut off %" PRIu64 "\n",
           o->frames_in, o->frames_out, o->refused, o->busy, o->limited, o->undelivered, o->cut);
    printf("edge     %" PRIu64 " accepted, %" PRIu64 " failed, %" PRIu64 " half-open, %" PRIu64
           " stuck; cut:", o->accepted, o->failed, o->half_open, o->stuck);
    for (size_t i = 0; i < o->cut_count; i++)
        printf(" %s %" PRIu64, cut_reason_name(o->cuts[i].reason), o->cuts[i].connections);
    printf("%s\n", o->cut_count ? "" : " none");
}

static void stores_print(const struct msg_overview *o)
{
    bool any = false;
    printf("\n%-17s %-10s %9s %9s %10s %8s %7s %7s %10s %9s %9s %5s\n", "STORE", "STATE",
           "SESSIONS", "MAILBOXES", "QUEUED", "BYTES", "PARKED", "WAKES", "COMMIT", "LAG",
           "SILENCE", "DISK");
    for (size_t i = 0; i < o->worker_count; i++) {
        const struct msg_worker_row *r = &o->workers[i];
        char lag[32], disk[32];
        if (r->role != ROLE_STORAGE) continue;
        any = true;
        snprintf(lag, sizeof lag, "%.1f ms", (double)r->commit_lag_us / 1000);
        snprintf(disk, sizeof disk, "%" PRIu64 "%%", r->disk_free_percent);
        printf("%-17s %-10s %9" PRIu64 " %9" PRIu64 " %10" PRIu64 " %8s %7" PRIu64 " %7" PRIu64
               " %10" PRIu64 " %9s %9s %5s\n",
               show_hex(r->store.bytes, sizeof r->store.bytes).text, state_name(r), r->sessions,
               r->mailboxes, r->queued_messages, show_bytes(r->queued_bytes).text, r->parked,
               r->wakes, r->commit, row_is_orphan(r) ? "-" : lag,
               row_is_orphan(r) ? "-" : show_span(r->silence_ms).text,
               row_is_orphan(r) ? "-" : disk);
    }
    if (!any) printf("none: nothing can be accepted or delivered until a storage worker comes\n");
}

/* What users of such clients see of times is wrong; the events say which devices. */
static void clocks_print(const struct msg_overview *o)
{
    uint64_t skewed = 0;
    for (size_t i = 0; i < o->worker_count; i++)
        skewed += o->workers[i].skewed;
    if (skewed)
        printf("\nclocks   %" PRIu64 " times a client came with a clock more than %llu min off\n", skewed,
               ID_AHEAD_MAX_MS / 60000);
}

static void ended_print(const struct msg_overview *o)
{
    if (o->ended)
        printf("\nended    %" PRIu64 " sessions of devices that may have none any more, the slowest %s after it was decided\n",
               o->ended, show_span(o->ended_ms_max).text);
}

static void registration_print(const struct msg_overview *o)
{
    for (size_t i = 0; i < o->worker_count; i++) {
        if (o->workers[i].registration != RULE_OPEN) continue;
        printf("\naccounts anybody who reaches this relay can make one (registration.mode = open)\n");
        return;
    }
}

static void workers_print(const struct msg_overview *o)
{
    printf("\n%-17s %-10s %9s %10s %9s\n", "WORKER", "STATE", "PENDING", "DONE", "SILENCE");
    for (size_t i = 0; i < o->worker_count; i++) {
        const struct msg_worker_row *r = &o->workers[i];
        if (row_is_orphan(r)) continue;
        printf("%-17s %-10s %9" PRIu64 " %10" PRIu64 " %9s\n", role_name(r), state_name(r),
               r->pending, r->items, show_span(r->silence_ms).text);
    }
    if (!o->worker_count) printf("none\n");
}

int ctl_status(struct command *c)
{
    struct admin a;
    struct msg_overview overview;
    struct msg_empty empty = {0};
    struct question q = {KIND_OVERVIEW, 0, &msg_empty_desc, &empty, &msg_overview_desc, &overview};
    int failed = admin_open(&a, c);
    if (failed) return failed;
    enum status s = admin_ask(&a, &q);
    if (s != STATUS_OK) {
        failed = admin_fail(&a, c, s);
    } else if (c->json) {
        status_json(&overview);
    } else {
        broker_print(&overview);
        stores_print(&overview);
        workers_print(&overview);
        clocks_print(&overview);
        ended_print(&overview);
        registration_print(&overview);
    }
    admin_close(&a);
    return failed;
}
