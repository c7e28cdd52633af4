/* sealmq_devices: the devices of this client's account: which there are, what they are called, and how one puts another
 * out. A part of sealmq.h, which includes it: include that. */
#ifndef SEALMQ_DEVICES_H
#define SEALMQ_DEVICES_H
#ifndef SEALMQ_H
#error "include <sealmq.h>"
#endif

#define SEALMQ_DEVICES_MAX     32u /* of an account, ever */
#define SEALMQ_DEVICE_NAME_MAX 64u /* bytes */

/* What an entry of an account's identity log does. */
enum sealmq_operation {
    SEALMQ_OPERATION_CREATE = 1,
    SEALMQ_OPERATION_ADD = 2,          /* a device joins */
    SEALMQ_OPERATION_REVOKE = 3,       /* one leaves for ever */
    SEALMQ_OPERATION_SUSPEND = 4,      /* one is no recipient for a while */
    SEALMQ_OPERATION_RESUME = 5,
    SEALMQ_OPERATION_REPLACE = 6,      /* one's identity or transport key is another */
    SEALMQ_OPERATION_SET_RECOVERY = 7,
    SEALMQ_OPERATION_DESCRIBE = 8      /* a name or other side data */
};
SEALMQ_API const char *sealmq_operation_name(enum sealmq_operation operation);

enum sealmq_standing {
    SEALMQ_STANDING_ACTIVE = 1,
    SEALMQ_STANDING_SUSPENDED = 2, /* no recipient, and no session, until it is resumed */
    SEALMQ_STANDING_REVOKED = 3    /* the same for ever */
};

struct sealmq_device_row {
    size_t size;
    struct sealmq_device device;
    char name[SEALMQ_DEVICE_NAME_MAX + 1]; /* for people; "" = none. Any device of the account can set it */
    enum sealmq_standing standing;
    bool own;             /* it is this one */
    bool by_recovery;     /* the recovery key has suspended it: only that resumes it */
    uint64_t key_version; /* of the account, by which this one changed last */
    uint64_t added_ms;    /* by the clock of who added it */
};

/* Why a change is not made. */
enum sealmq_obstacle {
    SEALMQ_OBSTACLE_NONE = 0,
    SEALMQ_OBSTACLE_UNDER_WAY = 1,  /* another change of this device is on its way, and goes on: one at a time */
    SEALMQ_OBSTACLE_DONE = 2,       /* it is so already */
    SEALMQ_OBSTACLE_NO_DEVICE = 3,  /* it never was in this account */
    SEALMQ_OBSTACLE_REVOKED = 4,    /* it was revoked, which is for ever */
    SEALMQ_OBSTACLE_LAST = 5,       /* it is the last active one: without it nobody is the account any more; even_last */
    SEALMQ_OBSTACLE_RECOVERY = 6,   /* the recovery key has suspended it: only that resumes it */
    SEALMQ_OBSTACLE_SIGNER = 7,     /* this device is suspended or revoked itself */
    SEALMQ_OBSTACLE_LOG_FULL = 8,   /* the account's log has no more room for such a change */
    SEALMQ_OBSTACLE_NOT_ALLOWED = 9, /* this device may not do that */
    SEALMQ_OBSTACLE_DEVICES_FULL = 10, /* the account has 16 devices, as many as it may have at once: revoke one first */
    SEALMQ_OBSTACLE_DEVICES_EVER = 11 /* it has had 24, revoked ones included: no device adds another one; recovery does, up to 32 */
};
/* sealmq_standing_name, sealmq_obstacle_name: "suspended", "last"; sealmq_obstacle_meaning: one line for a person. Static
 * text; "?" outside the list. */
SEALMQ_API const char *sealmq_standing_name(enum sealmq_standing standing);
SEALMQ_API const char *sealmq_obstacle_name(enum sealmq_obstacle obstacle);
SEALMQ_API const char *sealmq_obstacle_meaning(enum sealmq_obstacle obstacle);

/* sealmq_device_name_check: SEALMQ_OK for what can be a device's name: 1 to 64 bytes of words that could be handles, with one
 * space between two; else SEALMQ_MALFORMED. */
SEALMQ_API enum sealmq_status sealmq_device_name_check(const char *name, size_t len) SEALMQ_MUST_USE;

/* sealmq_device_get: the device of number `index`, from 0 in order of joining, of this account, or of the one that this
 * home knows by `handle`, as this home holds its log; this device itself, where it has put itself out and the relay has told
 * that to this client, as it has wished. Uses the disk. OK; NOT_FOUND: no more, or no such account. */
SEALMQ_API enum sealmq_status sealmq_device_get(struct sealmq_client *client, const char *handle, size_t index,
                                                struct sealmq_device_row *out) SEALMQ_MUST_USE;

struct sealmq_change_options {
    size_t size;
    enum sealmq_operation operation; /* SUSPEND, RESUME, REVOKE; DESCRIBE: another name */
    struct sealmq_device device;     /* of this account; also this one itself */
    const char *name;                /* DESCRIBE: "" or NULL = none any more */
    bool even_last;                  /* SUSPEND, REVOKE: also where it is the last active device */
};

/* sealmq_change: a change of a device of this account: made and kept now, sent until the relay has it, in this process or
 * another one; SEALMQ_EVENT_IDENTITY says how it ended. Where another device's change was first it is made anew
 * behind that, or has become needless (status OK, obstacle DONE), or impossible (obstacle). The same change again is
 * the one on its way. Uses the disk. OK; MALFORMED (operation, name); else nothing is kept, and *why (it may be NULL) says more: STATE,
 * NOT_FOUND, REFUSED, TOO_LARGE. */
SEALMQ_API enum sealmq_status sealmq_change(struct sealmq_client *client, const struct sealmq_change_options *options,
                                            enum sealmq_obstacle *why) SEALMQ_MUST_USE;

#endif
