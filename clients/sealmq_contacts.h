/* sealmq_contacts: whom this account lets write to it, a part of sealmq.h, whose rules hold here: blocking, allowing, and
 * message requests. What is said here holds for all devices of the account: the relay refuses what it should not take, and
 * does not tell the sender why. Until the relay has it, it counts in this home alone. */
#ifndef SEALMQ_CONTACTS_H
#define SEALMQ_CONTACTS_H

#include "sealmq.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SEALMQ_ACCESS_MAX 4096u /* accounts that are allowed or blocked */

enum sealmq_access {
    SEALMQ_ACCESS_NONE = 0,    /* nothing is said: it may write, unless requests are on; then its first message is a request */
    SEALMQ_ACCESS_ALLOWED = 1, /* it may write. Whoever is written to while requests are on is allowed by that */
    SEALMQ_ACCESS_BLOCKED = 2  /* nothing of it is taken any more; what the relay had taken before is not shown, also later */
};
/* sealmq_access_name: "blocked"; "?" outside the list. Static text. */
SEALMQ_API const char *sealmq_access_name(enum sealmq_access access);

struct sealmq_access_row {
    size_t size;
    struct sealmq_account account;
    char handle[SEALMQ_HANDLE_MAX + 1]; /* by which this home knows it; "" = by none */
    enum sealmq_access access;          /* as it counts here */
    bool pending;      /* the relay has not heard it yet: it is told as soon as there is a session */
    uint64_t asked_ms; /* when a request of it came to this device, by its clock; 0 = none did */
};

/* sealmq_access_set: the user's word about an account, kept when it returns; SEALMQ_EVENT_CONTACTS says when the relay has it, or
 * will not. NONE takes back what was said. Messages of who is blocked that wait here are not shown, and count as taken for the relay; they come (oldest
 * first) when he is blocked no more, as do those that were accepted before the block and came later. Uses the disk. OK, also where it is so already; MALFORMED (access), STATE (it is our own account), FULL (SEALMQ_ACCESS_MAX are there). */
SEALMQ_API enum sealmq_status sealmq_access_set(struct sealmq_client *client, struct sealmq_account account,
                                                enum sealmq_access access) SEALMQ_MUST_USE;
/* sealmq_access_get: what is said of an account; NONE of one that was never heard of. Uses the disk. OK. */
SEALMQ_API enum sealmq_status sealmq_access_get(struct sealmq_client *client, struct sealmq_account account,
                                                struct sealmq_access_row *out) SEALMQ_MUST_USE;
/* sealmq_access_next: those that are allowed or blocked, ascending by account, the first one above *after (NULL = from the
 * beginning). sealmq_request_next: the same of those whose request is not decided; none while requests are off. Both use the disk. OK;
 * NOT_FOUND: no more. */
SEALMQ_API enum sealmq_status sealmq_access_next(struct sealmq_client *client, const struct sealmq_account *after,
                                                 struct sealmq_access_row *out) SEALMQ_MUST_USE;
SEALMQ_API enum sealmq_status sealmq_request_next(struct sealmq_client *client, const struct sealmq_account *after,
                                                  struct sealmq_access_row *out) SEALMQ_MUST_USE;

/* Whether strangers have to ask. */
struct sealmq_requests {
    size_t size;
    bool on;      /* of who is not allowed the relay takes one message, a request, and of so many at a time */
    bool pending; /* the relay has not heard it yet */
};
/* sealmq_requests_set: for all devices of the account; off in a new one. Those to whom this home has written in the last 30
 * days are allowed by turning it on. Uses the disk. OK. sealmq_requests_get: OK. Uses the disk. */
SEALMQ_API enum sealmq_status sealmq_requests_set(struct sealmq_client *client, bool on) SEALMQ_MUST_USE;
SEALMQ_API enum sealmq_status sealmq_requests_get(struct sealmq_client *client, struct sealmq_requests *out) SEALMQ_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
