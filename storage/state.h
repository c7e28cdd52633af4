/* state: what the store may do at present: one table of store state (broker/wire/states.h) and event, and
 * the one function that assigns (ARCHITECTURE, states). */
#ifndef SEALMQ_STORAGE_STATE_H
#define SEALMQ_STORAGE_STATE_H

#include "broker/wire/states.h"
#include "broker/wire/status.h"

enum store_event {
    STORE_COLLECTED, /* every broker has listed its sessions, or had its time */
    STORE_DISK_LOW,  /* as measured, every second */
    STORE_DISK_OK,
    STORE_DRAIN,
    STORE_EVENTS
};

struct storage;

/* state_next: the state after the event. OK; STATE for a pair that the table does not list, *next is
 * then `from`. */
enum status state_next(enum store_state from, enum store_event event,
                       enum store_state *next) MUST_USE;

/* state_step: moves the store and records what operators must know; an unlisted pair is refused and
 * recorded. */
void state_step(struct storage *s, enum store_event event);

#endif
