/* joiner: a device on its way into somebody's account (PROTOCOL 6.5): the new side as its library drives it (join.h over
 * guest.h), and the person who carries the code to a device of the account and says yes there. Whatever dies, or is lost on
 * the way, the person begins anew with another code. Invariant: what consented and was given up is noted: should it be let in
 * all the same, its people put it out. */
#include "tests/sim/churn.h"

#include "broker/wire/identity.h"
#include "clients/approve.h"
#include "clients/join.h"
#include "clients/state/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_MS       200u   /* how often the person looks at the two screens */
#define GIVE_UP_MS    25000u
#define PATIENCE_MS   15000u /* an entry on its way is in the log by then, but for faults */

struct joiner {
    struct join *join;
    struct guest *guest;
    struct conn *conn;
    size_t endpoint;
    uint64_t connect_ms, due_ms, next_ms, give_up_ms; /* next: no step before it */
    char name[24];
};

void joiner_plan(struct sim *s, size_t index, size_t owner)
{
    struct device *d = &s->devices[index];
    device_prepare(s, index, owner);
    d->join_ms = s->now_ms + rng_below(&s->rng, rng_chance(&s->rng, 500) ? 2000 : s->profile->chaos_ms / 2);
}

/* ---- begun and given up ---- */

static void joiner_begin(struct device *d)
{
    struct sim *s = d->sim;
    struct joiner *j = calloc(1, sizeof *j);
    struct random_source random = device_random(s);
    ENSURE(j != NULL);
    snprintf(j->name, sizeof j->name, "device %zu of %zu", d->index, d->owner);
    guest_new(&random, &j->guest);
    join_new(&random, sim_device_now(d), view_of(j->name, strlen(j->name)), &j->join);
    j->endpoint = rng_below(&s->rng, s->broker_count);
    j->connect_ms = j->due_ms = s->now_ms;
    j->give_up_ms = s->now_ms + GIVE_UP_MS;
    d->joiner = j;
}

static void disconnect(struct device *d, bool orderly)
{
    struct joiner *j = d->joiner;
    if (!j->conn) return;
    net_close(d->sim, j->conn, NEAR, orderly);
    j->conn = NULL;
    guest_down(j->guest);
    j->connect_ms = d->sim->now_ms + rng_between(&d->sim->rng, 20, 400);
}

static void joiner_free(struct device *d)
{
    struct joiner *j = d->joiner;
    disconnect(d, false);
    join_free(&j->join);
    guest_free(&j->guest);
    free(j);
    d->joiner = NULL;
}

static bool has_consented(const struct joiner *j)
{
    enum join_stage stage = join_stage(j->join);
    return stage == JOIN_CONSENTING || stage == JOIN_DONE;
}

/* The person leaves the other screen. */
static void approver_drop(struct device *d)
{
    struct device *by = &d->sim->devices[d->told_by];
    struct session_host *h = &by->sessions[SESSION_RECEIVER];
    if (h->engine && by->lives == d->told_life) engine_link_drop(h->engine);
    d->told_life = 0;
}

/* It has what it needs: from here on it says HELLO until it is let in. */
static void joiner_done(struct device *d)
{
    joiner_free(d);
    memory_state_crash(d->state);
    memory_state_fail(d->state, 0, false); /* what follows is the simulator's own look */
    device_enter(d);
    d->patience_ms = d->sim->now_ms + PATIENCE_MS;
}

/* What it has kept stays until it is offered something else, and then goes with that (joining.c). */
static void begin_anew(struct device *d)
{
    d->join_ms = d->sim->now_ms + rng_between(&d->sim->rng, 300, 3000);
    d->registered = false;
    d->has_id = false;
    d->id = (struct device_id){{0}};
    d->patience_ms = SIM_NEVER;
    d->sim->seen[SEEN_UNLINKED]++;
}

void joiner_end(struct device *d)
{
    if (has_consented(d->joiner)) {
        joiner_done(d);
        return;
    }
    approver_drop(d);
    joiner_free(d);
    begin_anew(d);
}

/* Somebody has an entry that may be the one that lets it in. */
static bool may_be_let_in(const struct device *d)
{
    struct sim *s = d->sim;
    for (size_t i = 0; i < s->device_count; i++) {
        struct device *other = &s->devices[i];
        if (other == d || other->owner != d->owner || !device_is_in(other)) continue;
        if (truth_revoked_ms(s, other->id) == SIM_NEVER && people_have_change(other)) return true;
    }
    return false;
}

void joiner_doubt(struct device *d)
{
    struct sim *s = d->sim;
    d->patience_ms = s->now_ms + PATIENCE_MS;
    if (truth_standing(s, d->owner, d->id)) { /* it is only slow to hear of it: its next session will */
        if (d->sessions[SESSION_RECEIVER].conn) net_break(s, d->sessions[SESSION_RECEIVER].conn);
        return;
    }
    approver_drop(d);
    if (may_be_let_in(d)) return;
    truth_left(s, d->owner, d->id);
    device_crash(d, SIM_NEVER);
    for (size_t i = 0; i < SESSION_HOSTS; i++)
        d->sessions[i].wanted = false;
    begin_anew(d);
}

/* ---- the new device ---- */

static void connect_now(struct device *d)
{
    struct sim *s = d->sim;
    struct joiner *j = d->joiner;
    if (j->conn && !j->conn->open[NEAR]) disconnect(d, false);
    if (j->conn || j->connect_ms > s->now_ms || d->offline_until_ms > s->now_ms) return;
    j->conn = net_connect(s, CONN_EDGE, j->endpoint % s->broker_count);
    if (!j->conn) {
        j->endpoint++;
        j->connect_ms = s->now_ms + rng_between(&s->rng, 50, 500);
        return;
    }
    j->conn->key = join_record(j->join)->transport;
    j->conn->device = d->index;
    guest_up(j->guest, sim_device_now(d));
}

static void frames_pass(struct device *d)
{
    struct joiner *j = d->joiner;
    struct now now = sim_device_now(d);
    struct packet *p;
    struct view frame;
    while (j->conn && (p = net_take(d->sim, j->conn, NEAR))) {
        struct buffer lie = {0};
        watch_client_got(d->sim, j->conn, p->bytes);
        guest_frame(j->guest, now, liar_pass(d, p->bytes, &lie));
        buffer_fini(&lie);
        free(p);
        join_drive(j->join, now, j->guest);
    }
    guest_tick(j->guest, now);
    join_drive(j->join, now, j->guest);
    if (guest_wants_move(j->guest)) {
        disconnect(d, true);
        j->endpoint++;
    }
    while (j->conn && guest_next_frame(j->guest, now, &frame)) {
        if (net_send(d->sim, j->conn, NEAR, frame) == STATUS_OK) {
            watch_client_said(d->sim, j->conn, frame);
            continue;
        }
        guest_keep_frame(j->guest);
        return;
    }
}

/* NOT_FOUND: it is none yet. */
static enum status given_up(struct device *d, struct device_id *out)
{
    struct arena a = {0};
    struct state_identity me;
    enum status s = state_begin(d->state, STATE_READ);
    if (s != STATUS_OK) return s;
    s = state_identity_get(d->state, &a, &me);
    state_rollback(d->state);
    if (s == STATUS_OK) *out = me.device;
    arena_fini(&a);
    return s;
}

/* As the library does (api_link.c). */
static enum status offer_keep(struct device *d)
{
    struct device_id was;
    struct joining_home home = {.name = view_of(d->joiner->name, strlen(d->joiner->name)),
                                .now_ms = sim_device_now(d).wall_ms};
    enum status s = given_up(d, &was);
    if (s == STATUS_OK) home.gives_up = &was;
    return s == STATUS_OK || s == STATUS_NOT_FOUND ? state_joining_keep(d->state, d->joiner->join, &home) : s;
}

/* ---- the person ---- */

/* Any device of the account that is at work, but never one that has a code already. */
static struct device *approver_choose(struct device *d)
{
    struct sim *s = d->sim;
    size_t start = rng_below(&s->rng, s->device_count);
    for (size_t i = 0; i < s->device_count; i++) {
        struct device *by = &s->devices[(start + i) % s->device_count];
        struct session_host *h = by->owner == d->owner && by->registered ? device_at_work(by) : NULL;
        if (h && truth_standing(s, d->owner, by->id) == STANDING_ACTIVE) return by;
    }
    return NULL;
}

static bool code_tell(struct device *d)
{
    struct device *by = approver_choose(d);
    if (!by) return false;
    struct session_host *h = device_at_work(by);
    if (engine_link(h->engine, sim_device_now(by), join_code(d->joiner->join)) != STATUS_OK) return false;
    d->told_by = by->index;
    d->told_life = by->lives;
    h->due_ms = d->sim->now_ms;
    return true;
}

/* false: nothing comes of it on that side. */
static bool approver_look(struct device *d)
{
    struct sim *s = d->sim;
    struct device *by = &s->devices[d->told_by];
    struct session_host *h = &by->sessions[SESSION_RECEIVER];
    if (!h->engine || by->lives != d->told_life) return false;
    struct approval_view v = engine_link_view(h->engine);
    if (v.stage == APPROVAL_ASKED) {
        bool yes = rng_chance(&s->rng, 950);
        enum status status = engine_link_answer(h->engine, sim_device_now(by), yes);
        if (status != STATUS_OK && status != STATUS_FULL && status != STATUS_IO)
            sim_fail(s, "engine_link_answer: %s", status_name(status));
        s->seen[SEEN_REJECTED] += status == STATUS_OK && !yes;
        h->due_ms = s->now_ms;
    }
    if (v.stage == APPROVAL_FAILED && v.status == STATUS_BAD_ENTRY && !s->profile->lie_pm)
        sim_fail(s, "device %zu cannot open what device %zu has left in its box", by->index, d->index);
    return v.stage != APPROVAL_FAILED && v.stage != APPROVAL_REJECTED;
}

/* false: the joiner is no more. */
static bool stage_look(struct device *d)
{
    struct sim *s = d->sim;
    struct joiner *j = d->joiner;
    switch (join_stage(j->join)) {
    case JOIN_WAITING:
        if (!d->told_life) (void)code_tell(d);
        break;
    case JOIN_OFFERED:
        if (offer_keep(d) != STATUS_OK) {
            joiner_end(d);
            return false;
        }
        d->account = join_offer(j->join)->founding.account;
        d->id = device_id_of(d->account, &join_record(j->join)->signing);
        d->has_id = true;
        join_consent(j->join, sim_device_now(d));
        break;
    case JOIN_DONE:
        joiner_done(d);
        return false;
    case JOIN_FAILED:
        if (!s->profile->lie_pm) sim_fail(s, "device %zu cannot join: %s", d->index, status_name(join_status(j->join)));
        joiner_end(d);
        return false;
    case JOIN_REJECTED:
    case JOIN_EXPIRED:
        joiner_end(d);
        return false;
    case JOIN_ASKING:
    case JOIN_CHECKING:
    case JOIN_CONSENTING:
    case JOIN_STAGE_COUNT:
        break;
    }
    bool waits = join_stage(j->join) == JOIN_WAITING && d->told_life;
    if ((!waits || approver_look(d)) && j->give_up_ms > s->now_ms) return true;
    joiner_end(d);
    return false;
}

uint64_t joiner_due_ms(const struct device *d)
{
    const struct joiner *j = d->joiner;
    if (!j) return d->join_ms;
    uint64_t due = sim_min(sim_min(j->due_ms, join_deadline_ms(j->join)), guest_deadline_ms(j->guest));
    uint64_t connect_ms = j->connect_ms > d->offline_until_ms ? j->connect_ms : d->offline_until_ms;
    due = sim_min(due, j->conn ? net_due_ms(j->conn, NEAR) : connect_ms);
    return due > j->next_ms ? due : j->next_ms;
}

void joiner_step(struct device *d)
{
    struct sim *s = d->sim;
    if (!d->joiner) {
        joiner_begin(d);
        return;
    }
    struct joiner *j = d->joiner;
    connect_now(d);
    frames_pass(d);
    trace_put(s, TRACE_JOIN, d->index, (uint64_t)join_stage(j->join), (uint64_t)join_status(j->join));
    if (!stage_look(d)) return;
    frames_pass(d);
    j->due_ms = s->now_ms + LOOK_MS;
    j->next_ms = s->now_ms + 1;
}
