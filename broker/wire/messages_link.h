/* messages_link: the metas of linking (PROTOCOL 6.5), and what is sealed in a box's slots. A part of messages.h, which
 * includes it: include that. */
#ifndef SEALMQ_WIRE_MESSAGES_LINK_H
#define SEALMQ_WIRE_MESSAGES_LINK_H

struct msg_link_put {
    struct link_box box;
    uint32_t slot;
    struct view bytes;
    bool rejected; /* by who has a session: what it leaves is no offer */
};
struct msg_link_has { uint32_t slots; }; /* a bit for each one that is filled */
struct msg_link_get { struct link_box box; uint32_t slot; };
struct msg_link_is {
    uint32_t slots;
    struct view bytes; /* of the slot asked for; empty = not filled */
};

/* What is in the slots, once opened. */
struct msg_link_request {
    struct msg_device_record device;
    struct prekey_pk ephemeral;
    struct view name; /* device_name_check; empty = none */
    uint64_t made_ms;
};
struct msg_link_offer {
    uint32_t verdict; /* enum link_verdict */
    uint32_t part, parts; /* from 0 */
    struct view entry;    /* the account's first one */
    struct view handle;   /* empty = it has none */
    struct msg_log_state log; /* as the offering device holds it */
    struct device_id device;  /* the offering one */
    struct view data;     /* of this part: what the account's devices share */
};
struct msg_link_consent {
    struct signature proof; /* of the `add` entry */
    bool cancel;            /* instead: the new device does not want to */
};

/* whom an account lets write to it: messages_contacts.h */

#endif
