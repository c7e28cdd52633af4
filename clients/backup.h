/* backup: making a backup of what this home knows, and taking one (PROTOCOL 6.7): what goes over a session, in pieces, and what is kept
 * of it. What is in one is backup_content.h's; how it is sealed is seal/backup.h's. */
#ifndef SEALMQ_CLIENTS_BACKUP_H
#define SEALMQ_CLIENTS_BACKUP_H

#include "clients/backup_content.h"
#include "clients/engine.h"

/* What the home knows of the account's backups. */
struct backup_facts {
    bool key;           /* this device has the backup key of the account's present recovery key */
    uint64_t version;   /* the newest one that this home has made or seen whole; 0 = none */
    uint64_t made_ms;   /* of the last one that this home has made; 0 = none */
    bool history;       /* it has, or is to have, messages */
};
/* state_backup_facts: within a transaction. OK; NOT_FOUND: no account. state_backup_key_put: the key that belongs to this
 * recovery key is kept. */
enum status state_backup_facts(struct state *state, struct arena *a, struct backup_facts *out) MUST_USE;
enum status state_backup_key_put(struct state *state, const struct signing_pk *recovery, const uint8_t key[32]) MUST_USE;

enum backup_stage { BACKUP_NONE, BACKUP_UNDER_WAY, BACKUP_DONE, BACKUP_FAILED };

struct backup_view {
    enum backup_stage stage;
    enum status status; /* FAILED: NOT_FOUND: there is none; BAD_ENTRY, MALFORMED: it does not open under this key, or is none;
                         * RELAY_BEHIND: see backup_take_in; TOO_LARGE; STATE: another device of the account is making one; else
                         * the relay's refusal, or the home's */
    bool older;         /* the relay's is older than one that this home has seen: it has lost one, or hides it */
    bool fallback;      /* take: the newest does not open, or is none: this is the one before it */
    uint64_t version;
    struct backup_summary summary;
};

enum backup_action {
    BACKUP_MAKE, /* with messages if this home's last one had them */
    BACKUP_TAKE,
    BACKUP_MAKE_WITH_HISTORY,
    BACKUP_MAKE_WITHOUT_HISTORY,
};

/* engine_backup: begins, in this session or the next: takes the relay's, or makes one. In memory only: a process that ends before
 * it is done has left nothing, or all. key: NULL = the one that is kept; one that is given is kept where it turns out to be right (take), or
 * at once (make; the caller has compared it with the account's recovery key). OK; STATE: one is under way; NOT_FOUND: no key is kept, or the account has no
 * recovery key; as state_begin. engine_backup_view: how it goes. */
enum status engine_backup(struct engine *e, struct now now, enum backup_action action, const uint8_t *key) MUST_USE;
void engine_backup_view(const struct engine *e, struct backup_view *out);

#endif
