/* admin: sealmqctl's one connection: requests to the relay's admin socket, one at a time, each
 * with a bounded wait. The socket is a file in the service's 0700 directory: who may not read
 * that, may not ask. */
#ifndef SEALMQ_CTL_ADMIN_H
#define SEALMQ_CTL_ADMIN_H

#include "broker/host/command.h"
#include "broker/host/config.h"
#include "broker/wire/messages.h"

#define ADMIN_CONNECT_MS 1500 /* a relay that runs is there at once */
#define ADMIN_ANSWER_MS  5000

struct admin {
    struct config config;
    void *context;
    void *socket;
    uint64_t last_correlation;
    struct buffer request;
    struct buffer reply;
    struct arena arena; /* what admin_ask decoded; borrowed until the next one */
};

struct question {
    enum frame_kind kind;
    uint16_t home;
    const struct codec_desc *desc;
    const void *message;
    const struct codec_desc *answer_desc;
    void *answer; /* out; views borrow the admin's memory until the next admin_ask */
};

/* admin_open: loads the config that --config names and connects in the background. EXIT_OK, or the
 * exit status after one line on standard error. admin_close in every case; idempotent. */
int admin_open(struct admin *a, const struct command *c);
void admin_close(struct admin *a);

/* admin_ask: asks and waits. OK; GONE: nobody is listening; TIMEOUT: no answer came; a status that
 * the relay answered with; MALFORMED: an answer that cannot be read. *answer is zero unless OK. */
enum status admin_ask(struct admin *a, const struct question *q) MUST_USE;
/* admin_fail: says in one line what a failed admin_ask means and what to do; returns EXIT_FAILED.
 */
int admin_fail(const struct admin *a, const struct command *c, enum status s);

#endif
