/* news: what has changed in the keys of a contact, or of this account, as one line on standard error. */
#ifndef SEALMQ_CLI_NEWS_H
#define SEALMQ_CLI_NEWS_H

#include "clients/cli/device.h"

/* news_tell: of a SEALMQ_EVENT_CONTACT. */
void news_tell(struct device *d, const struct sealmq_event *event);

#endif
