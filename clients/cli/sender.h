/* sender: what a received message's sender may be called. The name in a message is only a claim;
 * it is shown when this home knows the account by it, or the relay's directory says that it
 * points to the very account that sent. Otherwise the sender is its account id. */
#ifndef SEALMQ_CLI_SENDER_H
#define SEALMQ_CLI_SENDER_H

#include "clients/cli/loop.h"

#define SENDERS_MAX 64u

/* Names that could not be confirmed in this process, so that they are not asked for again and
 * again. */
struct senders {
    struct sealmq_account unconfirmed[SENDERS_MAX]; /* ring */
    size_t count;
    bool unreachable; /* the relay did not answer: only ask again in a session */
};

/* sender_name: text for whoever sent `received`; claimed may be empty. Waits for the relay for at most two
 * seconds, through the watch; what it learns is kept in the home. The text is NUL-terminated. */
#define SENDER_NAME_MAX (SEALMQ_ACCOUNT_TEXT_LEN + SEALMQ_HANDLE_MAX + 1u)
void sender_name(struct senders *s, struct device *d, const struct loop_watch *watch,
                 const struct sealmq_received *received, struct view claimed, char out[SENDER_NAME_MAX]);
/* sender_known: the same, asking nobody: a name by which this home knows the account, or the account's id. */
void sender_known(const struct device *d, const struct sealmq_received *received, struct view claimed, char out[SENDER_NAME_MAX]);

#endif
