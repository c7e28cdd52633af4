/* device: what the commands share: the opened home, and how what went wrong becomes one line and an exit status. */
#ifndef SEALMQ_CLI_DEVICE_H
#define SEALMQ_CLI_DEVICE_H

#include "clients/cli/commands.h"
#include "clients/cli/output.h"
#include "clients/sealmq.h"
#include "clients/sealmq_registration.h"
#include "clients/sealmq_verify.h"

#include <stdint.h>

struct device {
    const struct command *command;
    struct sealmq_client *client;
    struct sealmq_identity me; /* as read last */
    struct progress progress;
    const char *waiting; /* what progress says while there is a session */
    int signal_fd;       /* SIGINT and SIGTERM, from device_connect on; else -1 */
    bool connected;      /* device_connect was called */
    bool signalled;      /* one of them came; it is not taken a second time */
    bool met, fresh;     /* there was a session; loop_is_fresh has said yes */
    bool left;
    char stopped[SEALMQ_ERROR_MAX]; /* the relay's last word: other calls have lines of their own since */
    uint32_t warnings;   /* a bit for each prompt that came and is told at the end */
    struct sealmq_event unmade; /* so is a change, kept by an earlier command, that came to nothing; kind NONE = none */
    struct sealmq_account unverified; /* of the last SEALMQ_PROMPT_CONTACT_UNVERIFIED */
};

/* device_open: EXIT_OK, or the exit status after one line; receive_max as in sealmq_open_options. device_close always:
 * NULL-safe inside. */
int device_open(struct device *d, const struct command *c, bool receive, uint32_t receive_max);
void device_close(struct device *d);
/* device_connect: EXIT_OK, or the exit status after one line. */
int device_connect(struct device *d);
/* device_identity: reads d->me afresh: EXIT_OK, or the exit status after one line. */
int device_identity(struct device *d);

/* device_fail: for a failed call on the client: one line, EXIT_FAILED. */
int device_fail(const struct device *d, enum sealmq_status s);
/* device_hint: why there is no answer now, one line; "" when that cannot be told. Rewritten by the next call. */
const char *device_hint(struct device *d, struct sealmq_connection *out);

/* device_contact: what is held of an account; all that is false or empty where that is nothing. */
struct sealmq_contact device_contact(const struct device *d, struct sealmq_account account);


/* device_find: the message of this id, key or reference: EXIT_OK, or the exit status after one line. */
int device_find(struct device *d, const char *name, struct sealmq_message *out);

#endif
