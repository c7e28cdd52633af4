/* A key cannot become part of an event. expect: incompatible types */
#include "broker/wire/event.h"

struct event event_of_device(const struct mark_key *key, struct device_id device);

struct event event_of_device(const struct mark_key *key, struct device_id device)
{
#ifdef WRONG
    (void)device;
    return (struct event){.kind = EVENT_AUTH_REFUSED, .device = *key};
#else
    return (struct event){.kind = EVENT_AUTH_REFUSED, .device = mark_device(key, device)};
#endif
}
