/* Bytes of a frame cannot become part of an event. expect: incompatible type */
#include "broker/wire/event.h"

struct event event_of_message(const struct mark_key *key, struct view frame,
                              struct message_id id);

struct event event_of_message(const struct mark_key *key, struct view frame, struct message_id id)
{
#ifdef WRONG
    (void)id;
    return (struct event){.kind = EVENT_ID_REUSED, .message = mark_message(key, frame)};
#else
    return (struct event){.kind = EVENT_ID_REUSED, .message = mark_message(key, id),
                          .count = frame.len};
#endif
}
