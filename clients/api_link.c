/* api_link: linking across the border: the new device's side with a connection of its own (join.h), the account's side as a
 * part of a client (approve.h). Invariant: what a new device is offered is in its home, synced, before its consent leaves. */
#include "clients/api_guest.h"
#include "clients/api.h"
#include "clients/approve.h"
#include "clients/join.h"
#include "clients/sealmq_link.h"

#include "broker/host/host.h"
#include "broker/wire/identity.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sealmq_link {
    struct api_guest guest;
    struct join *join;
    struct state *state;
    char endpoints[STATE_ENDPOINTS_LEN_MAX + 1];
    char name[DEVICE_NAME_LEN_MAX + 1];
    struct transport_pk server;
    bool ask;
    bool anew;               /* what `gives_up` has waited for is given up */
    struct device_id gives_up;
    enum status failure; /* of keeping what was offered */
    char error[SEALMQ_ERROR_MAX];
};

const char *sealmq_link_stage_name(enum sealmq_link_stage stage)
{
    static const char *const names[] = {"none", "starting", "code", "request", "answered", "done", "rejected", "expired",
                                        "failed", "offered"};
    return (size_t)stage < sizeof names / sizeof names[0] ? names[stage] : "?";
}

/* ---- the new device ---- */

static enum status options_check(const struct sealmq_link_options *o, char *error, size_t cap)
{
    ENSURE(o->home != NULL && o->endpoints != NULL);
    if (o->name && o->name[0] && device_name_check(view_of(o->name, strlen(o->name))) != STATUS_OK) {
        snprintf(error, cap, "a device's name is 1 to %u bytes of UTF-8 words without control characters or '/'",
                 DEVICE_NAME_LEN_MAX);
        return STATUS_MALFORMED;
    }
    if (strlen(o->endpoints) > STATE_ENDPOINTS_LEN_MAX) {
        snprintf(error, cap, "the list of relay addresses is too long: name fewer");
        return STATUS_CONFIG;
    }
    return transport_endpoints_check(o->endpoints, error, cap);
}

/* NOT_FOUND: there is no account. */
static enum status home_read(struct state *state, struct device_id *device, struct joining_facts *facts)
{
    struct arena a = {0};
    struct state_identity me;
    enum status s = state_begin(state, STATE_READ);
    if (s == STATUS_OK) {
        s = state_identity_get(state, &a, &me);
        if (s == STATUS_OK) s = state_joining(state, &a, facts);
        state_rollback(state);
    }
    if (s == STATUS_OK) *device = me.device;
    arena_fini(&a);
    return s;
}

/* Whether the relay has said lately that the account has not let this device in. */
static bool is_refused(const struct joining_facts *facts)
{
    uint64_t now_ms = host_now().wall_ms;
    return facts->refused_ms && now_ms <= facts->refused_ms + LINK_LIFE_MS;
}

static enum status home_is_free(struct sealmq_link *l, char *error, size_t cap)
{
    struct joining_facts facts = {.joining = false};
    enum status s = home_read(l->state, &l->gives_up, &facts);
    if (s == STATUS_NOT_FOUND) {
        l->anew = false;
        return STATUS_OK;
    }
    if (s == STATUS_OK && l->anew && facts.joining && is_refused(&facts)) return STATUS_OK;
    if (s != STATUS_OK)
        api_state_explain(l->state, s, error, cap);
    else if (!facts.joining)
        snprintf(error, cap, "there is an account in this home: choose another home for the new device");
    else if (!l->anew)
        snprintf(error, cap, "this home waits for an account to let it in: that must be given up first");
    else
        snprintf(error, cap, "the relay has not said lately that this home's device is in no account: connect first");
    return s == STATUS_OK ? STATUS_STATE : s;
}

static enum status connect(struct sealmq_link *l, char *error, size_t cap)
{
    struct transport_options options = {.endpoints = l->endpoints, .server = l->server,
                                        .device = join_record(l->join)->transport,
                                        .device_sk = join_secrets(l->join)->transport_sk};
    return api_guest_open(&l->guest, &options, error, cap);
}

static enum status link_fill(struct sealmq_link *l, const struct sealmq_link_options *o, char *error, size_t cap)
{
    struct random_source random = api_random();
    api_text_copy(l->endpoints, sizeof l->endpoints, view_of(o->endpoints, strlen(o->endpoints)));
    if (o->name) api_text_copy(l->name, sizeof l->name, view_of(o->name, strlen(o->name)));
    memcpy(l->server.bytes, o->server.bytes, sizeof l->server.bytes);
    l->ask = o->ask;
    l->anew = o->anew;
    enum status s = api_home_make(o->home, error, cap);
    if (s == STATUS_OK) s = api_home_state_open(o->home, o->passphrase_file, true, &l->state, error, cap);
    if (s == STATUS_OK) s = home_is_free(l, error, cap);
    if (s != STATUS_OK) return s;
    join_new(&random, host_now(), view_of(l->name, strlen(l->name)), &l->join);
    return connect(l, error, cap);
}

enum sealmq_status sealmq_link_start(const struct sealmq_link_options *options, struct sealmq_link **out, char *error,
                                     size_t error_cap)
{
    struct sealmq_link_options o;
    *out = NULL;
    if (sodium_init() < 0) return SEALMQ_IO;
    enum status s = api_take(options, &o, sizeof o);
    if (s != STATUS_OK) {
        snprintf(error, error_cap, "the options are not those of this version of the library: make them with SEALMQ_INIT");
        return (enum sealmq_status)s;
    }
    s = options_check(&o, error, error_cap);
    if (s != STATUS_OK) return (enum sealmq_status)s;
    struct sealmq_link *l = calloc(1, sizeof *l);
    ENSURE(l != NULL);
    s = link_fill(l, &o, error, error_cap);
    if (s == STATUS_OK)
        *out = l;
    else
        sealmq_link_close(&l);
    return (enum sealmq_status)s;
}

void sealmq_link_close(struct sealmq_link **link)
{
    struct sealmq_link *l = *link;
    if (!l) return;
    api_guest_close(&l->guest);
    join_free(&l->join);
    state_close(&l->state);
    free(l);
    *link = NULL;
}

int sealmq_link_fd(const struct sealmq_link *l)
{
    return l->guest.poll_fd;
}

int sealmq_link_deadline_ms(const struct sealmq_link *l)
{
    return api_guest_deadline_ms(&l->guest, join_deadline_ms(l->join));
}

static void consent(struct sealmq_link *l, struct now now)
{
    struct joining_home home = {.name = view_of(l->name, strlen(l->name)),
                                .endpoints = view_of(l->endpoints, strlen(l->endpoints)), .server = l->server,
                                .now_ms = now.wall_ms, .gives_up = l->anew ? &l->gives_up : NULL};
    l->failure = state_joining_keep(l->state, l->join, &home);
    if (l->failure == STATUS_OK)
        join_consent(l->join, now);
    else if (l->failure == STATUS_STATE)
        snprintf(l->error, sizeof l->error, "this home has become a device of an account meanwhile: nothing was joined");
    else
        api_state_explain(l->state, l->failure, l->error, sizeof l->error);
}

enum sealmq_status sealmq_link_process(struct sealmq_link *l)
{
    struct now now = host_now();
    if (l->failure != STATUS_OK) return (enum sealmq_status)l->failure;
    api_guest_turn(&l->guest, now);
    join_drive(l->join, now, l->guest.guest);
    if (join_stage(l->join) == JOIN_OFFERED && !l->ask) {
        consent(l, now);
        join_drive(l->join, now, l->guest.guest);
    }
    api_guest_turn(&l->guest, now);
    return (enum sealmq_status)l->failure;
}

enum sealmq_status sealmq_link_answer(struct sealmq_link *l, bool join)
{
    join_drive(l->join, host_now(), l->guest.guest); /* its user may have thought for long */
    bool may = join ? join_stage(l->join) == JOIN_OFFERED : join_may_refuse(l->join);
    if (!may || l->failure != STATUS_OK) return SEALMQ_STATE;
    if (join)
        consent(l, host_now());
    else
        join_refuse(l->join, host_now(), l->guest.guest);
    l->guest.again = true;
    return (enum sealmq_status)l->failure;
}

static enum sealmq_link_stage stage_of_join(enum join_stage stage)
{
    static const enum sealmq_link_stage stages[JOIN_STAGE_COUNT] = {
        [JOIN_ASKING] = SEALMQ_LINK_STARTING, [JOIN_WAITING] = SEALMQ_LINK_CODE,
        [JOIN_CHECKING] = SEALMQ_LINK_CODE, [JOIN_OFFERED] = SEALMQ_LINK_OFFERED,
        [JOIN_CONSENTING] = SEALMQ_LINK_ANSWERED, [JOIN_DONE] = SEALMQ_LINK_DONE, [JOIN_REJECTED] = SEALMQ_LINK_REJECTED,
        [JOIN_EXPIRED] = SEALMQ_LINK_EXPIRED, [JOIN_FAILED] = SEALMQ_LINK_FAILED};
    return stages[stage];
}

static void failure_hint(const struct sealmq_link *l, enum status s, char *out, size_t cap)
{
    if (l->failure != STATUS_OK)
        snprintf(out, cap, "%s", l->error);
    else if (s == STATUS_BAD_ENTRY)
        snprintf(out, cap, "an answer came that was not made with this code, or names an account that is another's: begin anew, and show the code "
                           "to nobody else");
    else
        snprintf(out, cap, "the relay refuses it (%s): %s", status_name(s), status_meaning(s));
}

enum sealmq_status sealmq_link_get(struct sealmq_link *l, struct sealmq_link_view *out)
{
    struct sealmq_link_view full = {.stage = stage_of_join(join_stage(l->join)),
                                    .status = (enum sealmq_status)join_status(l->join),
                                    .expires_ms = join_expires_ms(l->join)};
    enum status s = api_out(out);
    if (s != STATUS_OK) return (enum sealmq_status)s;
    if (l->failure != STATUS_OK) full.stage = SEALMQ_LINK_FAILED, full.status = (enum sealmq_status)l->failure;
    if (full.stage != SEALMQ_LINK_STARTING) {
        link_code_text(join_code(l->join), full.code);
        link_code_qr(join_code(l->join), full.qr);
    }
    if (full.stage == SEALMQ_LINK_DONE || full.stage == SEALMQ_LINK_ANSWERED || full.stage == SEALMQ_LINK_OFFERED) {
        const struct join_offer *offer = join_offer(l->join);
        memcpy(full.account.bytes, offer->founding.account.bytes, sizeof full.account.bytes);
        api_text_copy(full.handle, sizeof full.handle, offer->first.handle);
    }
    if (full.stage == SEALMQ_LINK_STARTING) api_guest_hint(&l->guest, full.hint, sizeof full.hint);
    if (full.stage == SEALMQ_LINK_FAILED) failure_hint(l, (enum status)full.status, full.hint, sizeof full.hint);
    api_give(out, &full, sizeof full);
    sodium_memzero(&full, sizeof full);
    return SEALMQ_OK;
}

/* ---- a device of the account ---- */

#define CODE_RULE "a code is 20 letters and digits in groups of four, as the new device shows it"

enum sealmq_status sealmq_approve_begin(struct sealmq_client *c, const char *code)
{
    struct link_code parsed;
    enum status s = link_code_parse(code, &parsed);
    if (s == STATUS_OK) s = engine_link(c->engine, host_now(), &parsed);
    sodium_memzero(&parsed, sizeof parsed);
    api_changed(c);
    if (s == STATUS_MALFORMED) return api_fail(c, s, CODE_RULE);
    if (s == STATUS_UNSUPPORTED) return api_fail(c, s, "this code is of a later version: update this program");
    if (s == STATUS_STATE) return api_fail(c, s, "another device is being linked: wait for its end");
    return api_result(c, s);
}

static const enum sealmq_link_stage APPROVALS[APPROVAL_STAGE_COUNT] = {
    [APPROVAL_NONE] = SEALMQ_LINK_NONE, [APPROVAL_FETCHING] = SEALMQ_LINK_STARTING, [APPROVAL_ASKED] = SEALMQ_LINK_REQUEST,
    [APPROVAL_OFFERING] = SEALMQ_LINK_ANSWERED, [APPROVAL_REJECTING] = SEALMQ_LINK_ANSWERED,
    [APPROVAL_AWAITING] = SEALMQ_LINK_ANSWERED, [APPROVAL_ADMITTING] = SEALMQ_LINK_ANSWERED,
    [APPROVAL_DONE] = SEALMQ_LINK_DONE, [APPROVAL_REJECTED] = SEALMQ_LINK_REJECTED, [APPROVAL_FAILED] = SEALMQ_LINK_FAILED};

static const char *approval_hint(const struct approval_view *v)
{
    if (v->obstacle != CHANGE_NONE) return sealmq_obstacle_meaning((enum sealmq_obstacle)v->obstacle);
    if (v->status == STATUS_NOT_FOUND) return "nobody waits under this code: compare it, and whether it still stands there";
    if (v->status == STATUS_REFUSED)
        return "this code was answered already, by an earlier try or by somebody else: begin anew on the new device";
    if (v->status == STATUS_TIMEOUT) return "the new device has not consented in time: begin anew there";
    if (v->status == STATUS_BAD_ENTRY) return "what the relay shows was not made with this code: begin anew on the new device";
    return status_meaning(v->status);
}

enum sealmq_status sealmq_approve_get(struct sealmq_client *c, struct sealmq_link_view *out)
{
    struct approval_view v = engine_link_view(c->engine);
    struct sealmq_link_view full = {.stage = APPROVALS[v.stage], .status = (enum sealmq_status)v.status,
                                    .obstacle = (enum sealmq_obstacle)v.obstacle};
    enum status s = api_out(out);
    if (s != STATUS_OK) return api_result(c, s);
    memcpy(full.device.bytes, v.device.bytes, sizeof full.device.bytes);
    api_text_copy(full.name, sizeof full.name, v.name);
    if (full.stage == SEALMQ_LINK_FAILED || v.obstacle != CHANGE_NONE) snprintf(full.hint, sizeof full.hint, "%s", approval_hint(&v));
    api_give(out, &full, sizeof full);
    return SEALMQ_OK;
}

enum sealmq_status sealmq_approve_answer(struct sealmq_client *c, bool approve)
{
    enum status s = engine_link_answer(c->engine, host_now(), approve);
    api_changed(c);
    if (s == STATUS_STATE) return api_fail(c, s, "nobody asks to join");
    if (s == STATUS_FULL) return api_fail(c, s, "%s", sealmq_obstacle_meaning(SEALMQ_OBSTACLE_UNDER_WAY));
    return api_result(c, s);
}

void sealmq_approve_end(struct sealmq_client *c)
{
    engine_link_drop(c->engine);
}
