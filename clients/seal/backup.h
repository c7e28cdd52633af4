/* backup: a backup's parts, sealed and opened (PROTOCOL 6.7). Each is bound to the account, to this backup and to its place in it, so that
 * none can be taken out, moved, or put in from another one. Pure. */
#ifndef SEALMQ_CLIENTS_SEAL_BACKUP_H
#define SEALMQ_CLIENTS_SEAL_BACKUP_H

#include "broker/wire/bytes.h"
#include "broker/wire/ids.h"
#include "broker/wire/limits.h"

#define BACKUP_OVERHEAD 40u /* nonce and tag */
#define BACKUP_PLAIN_MAX (BACKUP_PART_LEN_MAX - BACKUP_OVERHEAD)

struct backup_place {
    struct account_id account;
    uint64_t version;
    struct backup_id id;
    uint32_t part, of;
};

/* backup_seal: appends one part; plain: 1 to BACKUP_PLAIN_MAX bytes; nonce: 24 random bytes. backup_open: appends what is in
 * it: OK; BAD_ENTRY: it is not this key's, not of this place, or was changed: *out is as it was. */
void backup_seal(const uint8_t key[32], const struct backup_place *place, struct view plain, const uint8_t nonce[24],
                 struct buffer *out);
enum status backup_open(const uint8_t key[32], const struct backup_place *place, struct view sealed,
                        struct buffer *out) MUST_USE;

#endif
