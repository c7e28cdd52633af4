/* sealmq_link: a device joins an account, a part of sealmq.h, whose rules hold here. The new device shows a code; a person
 * carries it, by eye or camera, to a device that is in the account, and says there that it may join. The code never passes the
 * relay, which can neither read nor change what the two say to each other. */
#ifndef SEALMQ_LINK_H
#define SEALMQ_LINK_H

#include "sealmq.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SEALMQ_LINK_CODE_LEN 24u /* "8QX4-..." */
#define SEALMQ_LINK_QR_LEN   34u /* "sealmq:link:1:..." */

enum sealmq_link_stage {
    SEALMQ_LINK_NONE = 0,
    SEALMQ_LINK_STARTING = 1, /* the other side cannot be reached through the relay yet */
    SEALMQ_LINK_CODE = 2,     /* new device: the code is to be shown */
    SEALMQ_LINK_REQUEST = 3,  /* account's device: somebody asks to join: sealmq_approve_answer */
    SEALMQ_LINK_ANSWERED = 4, /* account's device: the answer is on its way, and what follows from it */
    SEALMQ_LINK_DONE = 5,     /* account's device: the new one is in the account. New device: it has consented, and its home
                               * is one to be opened: SEALMQ_EVENT_LINKED follows in a client of it */
    SEALMQ_LINK_REJECTED = 6, /* by a person, on one side */
    SEALMQ_LINK_EXPIRED = 7,  /* the time of the code is over: begin anew */
    SEALMQ_LINK_FAILED = 8,   /* status, and obstacle, say why */
    SEALMQ_LINK_OFFERED = 9   /* new device, where it is to be asked: account and handle are those that it may join: sealmq_link_answer */
};
/* sealmq_link_stage_name: "code"; static text; "?" outside the list. */
SEALMQ_API const char *sealmq_link_stage_name(enum sealmq_link_stage stage);

struct sealmq_link_view {
    size_t size;
    enum sealmq_link_stage stage;
    enum sealmq_status status;     /* FAILED: NOT_FOUND: nobody waits under this code; REFUSED: it was answered already, by an
                                    * earlier try or by somebody else; BAD_ENTRY: what the relay shows is not of this code;
                                    * TIMEOUT; else the relay's refusal */
    enum sealmq_obstacle obstacle; /* FAILED: why the account's log does not take the device. Account's device, STARTING and REQUEST:
                                    * why it would not, as this home knows it now: nothing but a no is to be said then */
    char code[SEALMQ_LINK_CODE_LEN + 1]; /* new device, from CODE on: for people; a secret of these two devices */
    char qr[SEALMQ_LINK_QR_LEN + 1];     /* the same, for a camera; in upper case it is the same text */
    uint64_t expires_ms;           /* new device: Unix ms: when the code ends */
    struct sealmq_device device;   /* account's device, from REQUEST on: the new one */
    char name[SEALMQ_DEVICE_NAME_MAX + 1]; /* as the new one calls itself; "" = not at all */
    struct sealmq_account account; /* new device, OFFERED, ANSWERED, DONE */
    char handle[SEALMQ_HANDLE_MAX + 1]; /* of that account; "" = it has none */
    char hint[SEALMQ_ERROR_MAX];   /* STARTING, and FAILED: one line for a person */
};

/* ---- the new device ---- */

struct sealmq_link;

struct sealmq_link_options {
    size_t size;
    const char *home;      /* made where it is not there; without an account in it */
    const char *endpoints; /* as in sealmq_create_options */
    struct sealmq_public_key server;
    const char *passphrase_file;
    const char *name;      /* what the device is to be called; NULL = nothing */
    bool ask;              /* a person is to see which account it is, and say yes, before it joins: who has seen the code
                            * elsewhere could have answered with an account of his own */
    bool anew;             /* a linking of this home that waits (sealmq_identity.joining) is given up for this one */
};

/* sealmq_link_start: makes the home, keys in memory, and a code, and begins to connect. Where the process ends before DONE nothing of
 * it is left but the home as it was. Uses the disk. OK with *out, for sealmq_link_close; STATE: there is an account in this home, or
 * one that it waits for; MALFORMED (the name), CONFIG, IO; with one line in error.
 * anew: that is given up, and all that was kept of it, in the commit that has the new one's account and keys: until then, and if nothing
 * comes of the new one, the home waits on. Only within 15 minutes of the relay's last no (sealmq_identity.refused_ms), else STATE:
 * connect a client of the home first. Mind that an entry may be on its way that lets the earlier device in (unlinked says when none
 * can be begun any more): it would stand in the account, and nobody have its keys: to be revoked there. */
SEALMQ_API enum sealmq_status sealmq_link_start(const struct sealmq_link_options *options, struct sealmq_link **out,
                                                char *error, size_t error_cap) SEALMQ_MUST_USE;
/* sealmq_link_close: NULL-safe, nulls; before DONE it ends the code, without a word to the other side: see sealmq_link_answer. */
SEALMQ_API void sealmq_link_close(struct sealmq_link **link);
/* sealmq_link_fd, sealmq_link_deadline_ms, sealmq_link_process: as sealmq_fd and the others. process: OK; IO, DAMAGED, LOCKED: what was
 * offered could not be kept: the stage is FAILED. Uses the disk once, when it was offered. */
SEALMQ_API int sealmq_link_fd(const struct sealmq_link *link);
SEALMQ_API int sealmq_link_deadline_ms(const struct sealmq_link *link);
SEALMQ_API enum sealmq_status sealmq_link_process(struct sealmq_link *link) SEALMQ_MUST_USE;
/* sealmq_link_answer: the person's word in OFFERED. A no is one from CODE on: REJECTED, once it lies where the account's device reads it;
 * whoever gives up goes on with sealmq_link_process for a second or two before the close. OK; STATE. */
SEALMQ_API enum sealmq_status sealmq_link_answer(struct sealmq_link *link, bool join) SEALMQ_MUST_USE;
SEALMQ_API enum sealmq_status sealmq_link_get(struct sealmq_link *link, struct sealmq_link_view *out) SEALMQ_MUST_USE;

/* ---- a device of the account ---- */

/* sealmq_approve_begin: looks for who waits under this code (as typed, or as scanned); SEALMQ_EVENT_LINK tells each step, and
 * sealmq_approve_get what it is. OK; MALFORMED; UNSUPPORTED (of a later version); STATE: another one is under way. In memory only: a
 * process that ends before DONE has approved nothing, or leaves the entry for the next one to go on with.
 * sealmq_approve_answer: the user's word. OK; STATE (nobody has asked); FULL (another change of this device's is on its way). A yes
 * where there is an obstacle tells the new device no, and is FAILED.
 * sealmq_approve_end: forgets it, without a word to the other side. */
SEALMQ_API enum sealmq_status sealmq_approve_begin(struct sealmq_client *client, const char *code) SEALMQ_MUST_USE;
SEALMQ_API enum sealmq_status sealmq_approve_get(struct sealmq_client *client, struct sealmq_link_view *out) SEALMQ_MUST_USE;
SEALMQ_API enum sealmq_status sealmq_approve_answer(struct sealmq_client *client, bool approve) SEALMQ_MUST_USE;
SEALMQ_API void sealmq_approve_end(struct sealmq_client *client);

#ifdef __cplusplus
}
#endif
#endif
