/* messages_recovery: the metas of recovery and backups (PROTOCOL 6.6, 6.7): a part of messages.h, which includes it: include that. */
#ifndef SEALMQ_WIRE_MESSAGES_RECOVERY_H
#define SEALMQ_WIRE_MESSAGES_RECOVERY_H

#include "broker/wire/bytes.h"
#include "broker/wire/ids.h"

struct msg_recovery_proof { /* whoever asks has the account's recovery key (recovery.h) */
    uint64_t made_ms;
    struct signature signature;
};

/* ---- backups (PROTOCOL 6.7) ---- */

struct msg_backup_put { /* of the own account; parts come in order, from 0 */
    uint64_t version; /* above the one that is there, which is `previous`; 0 = none is */
    uint64_t previous;
    struct backup_id id;
    uint32_t part, of;
    struct view bytes;
};
struct msg_backup_has { /* what the relay has */
    uint64_t version; /* the whole one; 0 = none */
    struct backup_id id;
    uint32_t parts;
    uint64_t stored_ms; /* relay time */
    uint64_t coming_version; /* one that is not whole yet; 0 = none */
    struct backup_id coming_id;
    uint32_t coming_parts; /* that are here: the next one's number */
    uint64_t older_version; /* a whole one from before; 0 = none */
    struct backup_id older_id;
    uint32_t older_parts;
    uint64_t older_stored_ms;
};
struct msg_backup_get { uint64_t version; uint32_t part; }; /* version 0: only what there is */
struct msg_backup_is {
    struct msg_backup_has has;
    struct view bytes; /* of the part, where that version is a whole one's */
};

#endif
