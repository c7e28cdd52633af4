/* A peer's text cannot become part of an event. expect: makes integer from pointer */
#include "broker/wire/event.h"

struct event event_of_version(const char *client_version);

struct event event_of_version(const char *client_version)
{
#ifdef WRONG
    return (struct event){.kind = EVENT_SEND_REFUSED, .value = client_version};
#else
    struct view text = view_of(client_version, 5);
    return (struct event){.kind = EVENT_SEND_REFUSED, .value = version_number(text)};
#endif
}
