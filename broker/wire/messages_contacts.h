/* messages_contacts: the metas by which an account says whom it lets write to it (PROTOCOL 7.6); a part of messages.h, which
 * includes it. */
#ifndef SEALMQ_WIRE_MESSAGES_CONTACTS_H
#define SEALMQ_WIRE_MESSAGES_CONTACTS_H

#include "broker/wire/ids.h"

struct msg_contact {
    struct account_id account;
    uint32_t verdict; /* enum contact_verdict */
};
struct msg_contacts_set {
    uint32_t mode; /* enum contact_mode */
    struct msg_contact *items;
    size_t item_count;
};
struct msg_contacts_kept {
    uint64_t version; /* of what there is now; grows with every change */
    uint64_t before;  /* and before this one */
};
struct msg_contacts_get { struct account_id after; }; /* all zero = from the first one on */
struct msg_contacts_are { /* ascending by account */
    uint64_t version;
    uint32_t mode;
    struct msg_contact *items;
    size_t item_count;
    bool more;
};
struct msg_contacts_changed { uint64_t version; };

#endif
