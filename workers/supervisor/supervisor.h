/* supervisor: what to do about the relay's processes, three or, joined, two: the decisions only. The caller starts,
 * signals and reaps them, and passes the time (monotonic ms) and what happened. */
#ifndef SEALMQ_SUPERVISOR_H
#define SEALMQ_SUPERVISOR_H

#include "broker/wire/event.h"

/* Also the order of starting. RELAY stands for broker and storage, when they are joined. */
enum child_id { CHILD_BROKER, CHILD_STORAGE, CHILD_RELAY, CHILD_FANOUT };
#define CHILD_COUNT 4

enum child_state {
    CHILD_STOPPED,     /* no process, and none wanted */
    CHILD_STARTING,    /* the caller was or will be told to start it */
    CHILD_RUNNING,     /* there is a process */
    CHILD_BACKING_OFF, /* it ended; started again when its time comes */
    CHILD_STOPPING,    /* told to drain; killed when its time is over */
};
#define CHILD_STATE_COUNT 5

enum child_event { CHILD_WANTED, CHILD_STARTED, CHILD_ENDED, CHILD_DUE, CHILD_UNWANTED };
#define CHILD_EVENT_COUNT 5

#define BACKOFF_FIRST_MS 100u   /* after the second death; the first restart is immediate */
#define STEADY_MS        30000u /* a life this long makes the next restart immediate again */
#define KILL_MARGIN_MS   3000u  /* what a process gets beyond drain_ms; what has broker and storage, twice */
#define REFUSALS_MAX     4u     /* in a row, then the relay stops: trying again cannot help */

struct child {
    enum child_state state;
    uint64_t since_ms;    /* of the state */
    uint64_t deadline_ms; /* backing_off: start at; stopping: kill at */
    uint32_t backoff_ms;  /* the next one's */
    uint32_t refusals;    /* in a row */
    uint64_t restarts;    /* ever */
    bool killed;          /* the kill of this stopping was asked for */
};

struct supervisor {
    struct child children[CHILD_COUNT];
    uint32_t drain_ms;
    uint32_t backoff_max_ms;
    bool stopping;
    bool refused;          /* a child refused to start REFUSALS_MAX times */
    bool overdue;          /* a child had to be killed */
    enum child_id refuser; /* when refused */
};

/* How a process ended. */
struct ending {
    int exit_code; /* when signal is 0 */
    int signal;
};

enum order_kind { ORDER_START, ORDER_TERM, ORDER_KILL };
struct order {
    enum order_kind kind;
    enum child_id child;
};
/* One step's orders: at most one for a child. */
struct orders {
    struct order list[CHILD_COUNT];
    size_t count;
};

/* supervisor_init: broker, storage and fan-out are wanted or, joined, relay and fan-out; the first step orders
 * their start. backoff_max_ms: the longest pause before a restart. */
void supervisor_init(struct supervisor *s, bool joined, uint32_t drain_ms, uint32_t backoff_max_ms,
                     uint64_t now_ms);
/* supervisor_step: what is due now. Call after every event and at supervisor_deadline. An order to
 * start is answered with supervisor_started, before the next step. */
void supervisor_step(struct supervisor *s, uint64_t now_ms, struct orders *out);
/* supervisor_started: there is a process now; ok false = there could not be one. */
void supervisor_started(struct supervisor *s, enum child_id child, bool ok, uint64_t now_ms);
/* supervisor_ended: its process is gone and reaped. The event for the journal (at_ms is left zero). */
struct event supervisor_ended(struct supervisor *s, enum child_id child, struct ending how,
                              uint64_t now_ms);
/* supervisor_stop: drain and leave: broker (or relay) first, then fan-out, then storage, each waited for.
 * Again = no change. */
void supervisor_stop(struct supervisor *s);
/* supervisor_deadline: when the next step is due by itself; UINT64_MAX = never. */
uint64_t supervisor_deadline(const struct supervisor *s);
/* supervisor_done: stopping, and every child is stopped. */
bool supervisor_done(const struct supervisor *s);

/* child_program: "sealmq-broker". child_role: its enum slab_role. child_next: the state table; false
 * = the pair is not allowed and *out is unchanged. */
const char *child_program(enum child_id child);
/* child_wanted: whether a relay, joined or not, has it. child_stop_ms: how long it may take to stop. */
bool child_wanted(enum child_id child, bool joined);
uint32_t child_stop_ms(const struct supervisor *s, enum child_id child);
uint32_t child_role(enum child_id child);
bool child_next(enum child_state state, enum child_event event, enum child_state *out);

#endif
