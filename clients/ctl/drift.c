/* drift: sends that were made for devices that their recipient has no more: how many, of which client versions, how soon
 * they came right, and the pairs that do not. Ids are marks, as in events. */
#include "broker/host/host.h"
#include "clients/ctl/admin.h"
#include "clients/ctl/ctl.h"
#include "clients/ctl/show.h"

#include <inttypes.h>
#include <stdio.h>

static uint64_t mean(uint64_t sum, uint64_t count)
{
    return count ? sum / count : 0;
}

/* ---- JSON ---- */

static json_t *version_json(const struct msg_drift_version *v)
{
    json_t *o = json_object();
    if (v->client_version) show_put_text(o, "client_version", show_version(v->client_version).text);
    show_put_number(o, "refused", v->refused);
    show_put_number(o, "lag_1", v->lag_1);
    show_put_number(o, "lag_2", v->lag_2);
    show_put_number(o, "lag_4", v->lag_4);
    show_put_number(o, "repaired", v->repaired);
    show_put_number(o, "rounds", v->rounds);
    show_put_number(o, "latency_ms", mean(v->latency_ms, v->repaired));
    show_put_number(o, "latency_ms_max", v->latency_ms_max);
    return o;
}

static json_t *pair_json(const struct msg_drift_pair *p)
{
    json_t *o = json_object();
    show_put_hex(o, "sender", p->sender.bytes, sizeof p->sender.bytes);
    show_put_hex(o, "target", p->target.bytes, sizeof p->target.bytes);
    if (p->client_version) show_put_text(o, "client_version", show_version(p->client_version).text);
    show_put_number(o, "refused", p->refused);
    show_put_number(o, "lag", p->lag);
    show_put_time(o, "first", p->first_ms);
    show_put_time(o, "last", p->last_ms);
    json_object_set_new(o, "open", json_boolean(p->open));
    json_object_set_new(o, "stuck", json_boolean(p->stuck));
    return o;
}

static void drift_json(const struct msg_drift_is *m)
{
    json_t *o = json_object(), *versions = json_array(), *pairs = json_array();
    show_put_hex(o, "store", m->store.bytes, sizeof m->store.bytes);
    show_put_time(o, "since", m->since_ms);
    show_put_number(o, "sent", m->sent);
    show_put_number(o, "refused", m->refused);
    show_put_number(o, "forgotten", m->forgotten);
    for (size_t i = 0; i < m->version_count; i++)
        json_array_append_new(versions, version_json(&m->versions[i]));
    for (size_t i = 0; i < m->pair_count; i++)
        json_array_append_new(pairs, pair_json(&m->pairs[i]));
    json_object_set_new(o, "versions", versions);
    json_object_set_new(o, "pairs", pairs);
    show_json(o);
}

/* ---- words ---- */

static const char *version_text(uint64_t version, struct shown *out)
{
    *out = show_version(version);
    return version ? out->text : "unknown";
}

static void versions_print(const struct msg_drift_is *m)
{
    struct shown text;
    if (m->version_count) printf("client      refused   behind 1  2-3  4+   repaired  rounds  latency (longest)\n");
    for (size_t i = 0; i < m->version_count; i++) {
        const struct msg_drift_version *v = &m->versions[i];
        printf("%-10s  %7" PRIu64 "  %8" PRIu64 " %4" PRIu64 " %3" PRIu64 "  %9" PRIu64 "  %6" PRIu64 "  %s",
               version_text(v->client_version, &text), v->refused, v->lag_1, v->lag_2, v->lag_4, v->repaired, v->rounds,
               show_span(mean(v->latency_ms, v->repaired)).text);
        printf(" (%s)\n", show_span(v->latency_ms_max).text);
    }
}

static void pairs_print(const struct msg_drift_is *m)
{
    struct shown text;
    for (size_t i = 0; i < m->pair_count; i++) {
        const struct msg_drift_pair *p = &m->pairs[i];
        if (!p->open) continue;
        printf("%s  device %s", p->stuck ? "STUCK" : "open ", show_hex(p->sender.bytes, sizeof p->sender.bytes).text);
        printf(" to account %s: %" PRIu64 " refused", show_hex(p->target.bytes, sizeof p->target.bytes).text, p->refused);
        printf(", %" PRIu64 " behind, client %s", p->lag, version_text(p->client_version, &text));
        printf(", last %s\n", show_time(p->last_ms).text);
    }
}

static void drift_print(const struct msg_drift_is *m)
{
    printf("store %s since %s: %" PRIu64 " of %" PRIu64 " sends were stale\n",
           show_hex(m->store.bytes, sizeof m->store.bytes).text, show_time(m->since_ms).text, m->refused, m->sent);
    versions_print(m);
    pairs_print(m);
    if (m->forgotten) printf("%" PRIu64 " more pairs had no room here\n", m->forgotten);
}

int ctl_drift(struct command *c)
{
    struct admin a;
    struct msg_drift_is m;
    int failed = admin_open(&a, c);
    if (failed) return failed;
    struct question q = {.kind = KIND_DRIFT, .home = (uint16_t)a.config.partition_first, .desc = &msg_empty_desc,
                         .message = &(struct msg_empty){0}, .answer_desc = &msg_drift_is_desc, .answer = &m};
    enum status s = admin_ask(&a, &q);
    if (s != STATUS_OK)
        failed = admin_fail(&a, c, s);
    else if (c->json)
        drift_json(&m);
    else
        drift_print(&m);
    admin_close(&a);
    return failed;
}
