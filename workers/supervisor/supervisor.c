/* supervisor: keeps its children running until told to stop, then takes them down in order. No
 * process, clock or signal here; main.c has them (ARCHITECTURE, processes).
 * Invariants: only child_move assigns a state, by the table; a child has a process exactly while
 * running or stopping; nothing is started again once its own turn to stop has come. */
#include "workers/supervisor/supervisor.h"

#include "broker/host/command.h"
#include "broker/wire/slab.h"

static const struct {
    const char *program;
    enum slab_role role;
} roles[CHILD_COUNT] = {
    [CHILD_BROKER] = {"sealmq-broker", ROLE_BROKER},
    [CHILD_STORAGE] = {"sealmq-storage", ROLE_STORAGE},
    [CHILD_RELAY] = {"sealmq-relay", ROLE_RELAY},
    [CHILD_FANOUT] = {"sealmq-fanout", ROLE_FANOUT},
};

/* The broker drains clients while storage still answers; storage goes last. */
static const enum child_id stop_order[CHILD_COUNT] = {CHILD_BROKER, CHILD_RELAY, CHILD_FANOUT, CHILD_STORAGE};

struct transition {
    bool allowed;
    enum child_state to;
};
#define TO(state) {true, CHILD_##state}

static const struct transition transitions[CHILD_STATE_COUNT][CHILD_EVENT_COUNT] = {
    [CHILD_STOPPED] = {[CHILD_WANTED] = TO(STARTING), [CHILD_UNWANTED] = TO(STOPPED)},
    [CHILD_STARTING] = {[CHILD_STARTED] = TO(RUNNING), [CHILD_ENDED] = TO(BACKING_OFF),
                        [CHILD_UNWANTED] = TO(STOPPED)},
    [CHILD_RUNNING] = {[CHILD_ENDED] = TO(BACKING_OFF), [CHILD_UNWANTED] = TO(STOPPING)},
    [CHILD_BACKING_OFF] = {[CHILD_DUE] = TO(STARTING), [CHILD_UNWANTED] = TO(STOPPED)},
    [CHILD_STOPPING] = {[CHILD_ENDED] = TO(STOPPED), [CHILD_UNWANTED] = TO(STOPPING)},
};

const char *child_program(enum child_id child)
{
    return roles[child].program;
}

uint32_t child_role(enum child_id child)
{
    return roles[child].role;
}

bool child_next(enum child_state state, enum child_event event, enum child_state *out)
{
    struct transition t = transitions[state][event];
    if (t.allowed) *out = t.to;
    return t.allowed;
}

/* The caller reports only what it was ordered to do or has reaped, so a refused pair is our bug. */
static void child_move(struct child *c, enum child_event event, uint64_t now_ms)
{
    enum child_state before = c->state;
    ENSURE(child_next(before, event, &c->state));
    if (c->state != before) c->since_ms = now_ms;
}

bool child_wanted(enum child_id child, bool joined)
{
    if (child == CHILD_FANOUT) return true;
    return (child == CHILD_RELAY) == joined;
}

uint32_t child_stop_ms(const struct supervisor *s, enum child_id child)
{
    return s->drain_ms + (child == CHILD_RELAY ? 2 : 1) * KILL_MARGIN_MS;
}

void supervisor_init(struct supervisor *s, bool joined, uint32_t drain_ms, uint32_t backoff_max_ms,
                     uint64_t now_ms)
{
    *s = (struct supervisor){.drain_ms = drain_ms, .backoff_max_ms = backoff_max_ms};
    for (size_t i = 0; i < CHILD_COUNT; i++)
        if (child_wanted((enum child_id)i, joined)) child_move(&s->children[i], CHILD_WANTED, now_ms);
}

/* Immediate, then 100 ms doubling to the longest pause. */
static void child_back_off(const struct supervisor *s, struct child *c, uint64_t now_ms)
{
    c->deadline_ms = now_ms + c->backoff_ms;
    c->backoff_ms = c->backoff_ms ? c->backoff_ms * 2 : BACKOFF_FIRST_MS;
    if (c->backoff_ms > s->backoff_max_ms) c->backoff_ms = s->backoff_max_ms;
}

void supervisor_started(struct supervisor *s, enum child_id child, bool ok, uint64_t now_ms)
{
    struct child *c = &s->children[child];
    child_move(c, ok ? CHILD_STARTED : CHILD_ENDED, now_ms);
    if (!ok) child_back_off(s, c, now_ms);
}

/* The one that refuses is not tried again while the others are taken down. */
static void refusal_count(struct supervisor *s, enum child_id child, struct ending how,
                          uint64_t now_ms)
{
    struct child *c = &s->children[child];
    bool refusal = how.signal == 0 && how.exit_code == EXIT_USAGE;
    c->refusals = refusal ? c->refusals + 1 : 0;
    if (c->refusals < REFUSALS_MAX || s->stopping) return;
    s->refused = s->stopping = true;
    s->refuser = child;
    child_move(c, CHILD_UNWANTED, now_ms);
}

struct event supervisor_ended(struct supervisor *s, enum child_id child, struct ending how,
                              uint64_t now_ms)
{
    struct child *c = &s->children[child];
    bool clean = how.signal == 0 && how.exit_code == 0;
    bool wanted = c->state != CHILD_STOPPING;
    if (now_ms - c->since_ms >= STEADY_MS) c->backoff_ms = 0;
    child_move(c, CHILD_ENDED, now_ms);
    if (wanted) {
        child_back_off(s, c, now_ms);
        c->restarts++;
        refusal_count(s, child, how, now_ms);
    }
    return (struct event){.kind = clean ? EVENT_PROCESS_STOPPED : EVENT_PROCESS_DIED,
                          .code = child_role(child),
                          .count = c->restarts,
                          .value = (uint64_t)(how.signal ? 128 + how.signal : how.exit_code)};
}

void supervisor_stop(struct supervisor *s)
{
    s->stopping = true;
}

static void order_put(struct orders *out, enum order_kind kind, enum child_id child)
{
    ENSURE(out->count < CHILD_COUNT);
    out->list[out->count++] = (struct order){kind, child};
}

/* The child whose turn it is: the first in the order that is not stopped; CHILD_COUNT = all are. */
static size_t stop_turn(const struct supervisor *s)
{
    for (size_t i = 0; i < CHILD_COUNT; i++)
        if (s->children[stop_order[i]].state != CHILD_STOPPED) return stop_order[i];
    return CHILD_COUNT;
}

static void child_unwant(struct supervisor *s, enum child_id child, uint64_t now_ms,
                         struct orders *out)
{
    struct child *c = &s->children[child];
    bool running = c->state == CHILD_RUNNING;
    child_move(c, CHILD_UNWANTED, now_ms);
    if (!running) return;
    c->deadline_ms = now_ms + child_stop_ms(s, child);
    order_put(out, ORDER_TERM, child);
}

/* Children without a process are passed over at once, so that one step reaches the next process. */
static void stop_step(struct supervisor *s, uint64_t now_ms, struct orders *out)
{
    for (size_t turn = stop_turn(s); turn != CHILD_COUNT; turn = stop_turn(s)) {
        struct child *c = &s->children[turn];
        if (c->state != CHILD_STOPPING) {
            child_unwant(s, (enum child_id)turn, now_ms, out);
        } else if (now_ms >= c->deadline_ms && !c->killed) {
            c->killed = s->overdue = true;
            order_put(out, ORDER_KILL, (enum child_id)turn);
        }
        if (c->state == CHILD_STOPPING) return;
    }
}

void supervisor_step(struct supervisor *s, uint64_t now_ms, struct orders *out)
{
    *out = (struct orders){.count = 0};
    if (s->stopping) stop_step(s, now_ms, out);
    for (size_t i = 0; i < CHILD_COUNT; i++) {
        struct child *c = &s->children[i];
        if (c->state == CHILD_BACKING_OFF && now_ms >= c->deadline_ms)
            child_move(c, CHILD_DUE, now_ms);
        if (c->state == CHILD_STARTING) order_put(out, ORDER_START, (enum child_id)i);
    }
}

uint64_t supervisor_deadline(const struct supervisor *s)
{
    uint64_t earliest = UINT64_MAX;
    for (size_t i = 0; i < CHILD_COUNT; i++) {
        const struct child *c = &s->children[i];
        bool timed = c->state == CHILD_BACKING_OFF || (c->state == CHILD_STOPPING && !c->killed);
        if (timed && c->deadline_ms < earliest) earliest = c->deadline_ms;
    }
    return earliest;
}

bool supervisor_done(const struct supervisor *s)
{
    return s->stopping && stop_turn(s) == CHILD_COUNT;
}
