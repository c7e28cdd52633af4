/* event_json: an event as one line of JSON. Private to broker/host; event_json() itself is declared
 * in journal.h. */
#ifndef SEALMQ_HOST_EVENT_JSON_H
#define SEALMQ_HOST_EVENT_JSON_H

#include "broker/wire/event.h"

/* Below PIPE_BUF, so that a line into a pipe is whole or absent. */
#define EVENT_JSON_MAX 1024

/* event_json_of: event_json with a "process" field; process NULL = without. */
void event_json_of(const struct event *e, const char *process, char *out, size_t cap);

#endif
