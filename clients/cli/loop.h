/* loop: waiting on the command line: poll() around sealmq_fd, sealmq_deadline_ms and sealmq_process, until something is
 * true, a time has come, or a signal did. */
#ifndef SEALMQ_CLI_LOOP_H
#define SEALMQ_CLI_LOOP_H

#include "clients/cli/device.h"

/* How a loop_run ended. */
enum loop_end {
    LOOP_DONE,    /* watch->done said so */
    LOOP_TIMEOUT, /* the deadline came first */
    LOOP_SIGNAL,  /* SIGINT or SIGTERM */
    LOOP_STOPPED, /* the relay will not have this device; sealmq_error says why */
    LOOP_FAILED,  /* the home cannot be used any more; sealmq_error says why */
};

/* What a run calls; self is the first argument, event may be NULL. None of them may call loop_run. */
struct loop_watch {
    void *self;
    void (*event)(void *self, const struct sealmq_event *event); /* each one, in order */
    bool (*done)(void *self);                                    /* after each turn */
};

/* loop_run: turns until one of enum loop_end, with progress for a person; deadline_ms is loop_now_ms. After
 * device_connect. loop_deadline_ms: that many seconds from now. */
enum loop_end loop_run(struct device *d, const struct loop_watch *watch, uint64_t deadline_ms);
uint64_t loop_now_ms(void);
uint64_t loop_deadline_ms(long long seconds);

/* loop_is_fresh: what others have said meanwhile is asked for with a new session: when nothing is under way any more, it is here. For a
 * watch's done; d->fresh stays. */
bool loop_is_fresh(struct device *d);

/* loop_flush: where the relay has not heard of all acknowledgements, tries to tell it, for at most wait_ms; says nothing
 * when that fails, the next attached session does it. */
void loop_flush(struct device *d, const struct loop_watch *watch, uint64_t wait_ms);
/* loop_leave: takes leave of the relay, pending acknowledgements first; for at most wait_ms, and not at all without a session. */
void loop_leave(struct device *d, const struct loop_watch *watch, uint64_t wait_ms);
/* loop_lookup: asks the relay which account a handle points to. OK, NOT_FOUND, TIMEOUT (also without a session until then), GONE
 * (the run ended otherwise: run again to learn how), or the relay's status. *out is zero unless OK. */
enum sealmq_status loop_lookup(struct device *d, const struct loop_watch *watch, const char *handle, uint32_t wait_ms,
                               struct sealmq_account *out);

/* loop_fail: for a run that ended in STOPPED, FAILED or SIGNAL: one line, exit status. */
int loop_fail(struct device *d, enum loop_end end);

#endif
