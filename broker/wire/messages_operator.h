/* messages_operator: what the product's backend and operators say: registration tokens (PROTOCOL 6.8), holds (6.9), and
 * what an operator sees of an account's devices. A part of messages.h, which includes it: include that. */
#ifndef SEALMQ_WIRE_MESSAGES_OPERATOR_H
#define SEALMQ_WIRE_MESSAGES_OPERATOR_H

#include "broker/wire/ids.h"

/* Who may make an account, as a worker row says it. */
enum registration_rule { RULE_NOT_TOLD, RULE_OPEN, RULE_TOKEN };

struct msg_token_body { /* before its signature */
    struct view handle;
    struct account_id account;
    uint64_t expires_ms; /* relay time; it is claimed with until then */
    struct relay_id relay;
};
struct msg_token {
    struct view body; /* an encoded msg_token_body */
    struct signature signature;
};

enum hold_action { HOLD_LIST, HOLD_PLACE, HOLD_RELEASE };

struct msg_hold {
    struct account_id account; /* not with LIST */
    struct device_id device;   /* all zero = the whole account */
    uint32_t action;           /* enum hold_action */
    uint32_t reason;           /* PLACE: enum hold_reason */
    struct view cursor;        /* LIST: go on behind this; empty = from the first */
};
struct msg_hold_row {
    struct account_id account;
    struct device_id device; /* all zero = the whole account */
    uint32_t reason;
    uint64_t since_ms;
};
struct msg_holds_are { /* all of the account, after PLACE and RELEASE */
    bool changed;            /* PLACE, RELEASE: it was not so before */
    struct msg_hold_row *holds;
    size_t hold_count;
    struct view cursor; /* LIST: give it back to go on */
    bool more;
};

struct msg_devices { /* a handle (asked at its home), or an account (at its home) */
    struct view handle;
    struct account_id account;
};
struct msg_device_row {
    struct device_id device;
    uint32_t standing;     /* enum standing */
    uint64_t key_version;  /* that changed it last */
    uint64_t added_number; /* of the entry that brought it */
    uint64_t added_ms;     /* by the clock of who signed that */
    uint64_t last_seen_ms; /* 0 = never */
    uint64_t client_version; /* event.h; of its last session (of its last attached one, while something is parked), 0 = none yet */
    bool attached;
    uint64_t waiting, waiting_bytes, parked;
    uint32_t hold; /* enum hold_reason */
    uint64_t held_ms;
    uint32_t prekeys;   /* one-time ones that nobody has claimed */
    bool last_resort;   /* there is one, for when these are used up */
    uint64_t copied;    /* how often it has said that its home was copied or set back */
    uint64_t copied_ms; /* the last time; 0 = never */
    struct mark mark;   /* that it has in events */
};
struct msg_devices_are { /* of a handle only the account is said */
    struct account_id account;
    struct msg_log_state log;
    bool has_recovery;
    uint32_t hold; /* of the whole account */
    uint64_t held_ms;
    struct msg_device_row *devices;
    size_t device_count;
    uint64_t split_ms, split_number; /* a client held another entry, as good as ours, at this place; when it was told last */
    uint64_t restored_ms, restored;  /* entries that were missing here, and that clients have handed over; when last */
    struct mark mark;                /* that the account has in events; none where a handle was asked for */
};

#endif
