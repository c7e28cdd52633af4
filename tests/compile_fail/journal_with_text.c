/* The journal takes events and nothing else. expect: incompatible pointer type */
#include "broker/host/journal.h"

void refuse(struct journal *j, const char *handle);

void refuse(struct journal *j, const char *handle)
{
#ifdef WRONG
    journal_write(j, handle);
#else
    (void)handle;
    journal_write(j, &(struct event){.kind = EVENT_AUTH_REFUSED});
#endif
}
