/* absent: devices that have left no prekeys yet, by the relay's word: one that was added and has not been online since, say. Nothing can be
 * sealed for it, and nobody else shall wait for it: its part of a message is a *blank* (PROTOCOL 10.5), which it asks to have again once it is
 * there. Only for the files of the engine; core.h includes it. */
#ifndef SEALMQ_CLIENTS_ABSENT_H
#define SEALMQ_CLIENTS_ABSENT_H

#include "clients/engine.h"

#define ABSENT_MAX     32u
#define ABSENT_BLANK_MS 60000u /* so long it gets blanks; then the relay is asked again */
#define ABSENT_AGAIN_MS 10000u /* how often it is asked for what cannot be a blank */

struct absent {
    struct device_id device;
    uint64_t noted_ms; /* mono */
};

struct absent_list { /* a ring */
    struct absent at[ABSENT_MAX];
    size_t count;
};

/* absent_note: of a PREKEYS. absent_is: not longer ago than this. */
void absent_note(struct absent_list *list, struct now now, struct device_id device);
/* absent_forget: it was heard of. */
void absent_forget(struct absent_list *list, struct device_id device);
bool absent_is(const struct absent_list *list, struct now now, struct device_id device, uint64_t within_ms);

#endif
