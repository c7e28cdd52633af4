/* recovery: what this home knows of its account's recovery key (PROTOCOL 6.6): what the log says of it, which key this
 * device has set, and what the user has still to see. The key itself no device keeps. */
#ifndef SEALMQ_CLIENTS_RECOVERY_H
#define SEALMQ_CLIENTS_RECOVERY_H

#include "clients/engine.h"

struct recovery_facts {
    bool set;         /* the account has a recovery key */
    uint64_t set_ms;  /* by the clock of who set it; of the first entry where it was born with it */
    uint64_t uses;    /* devices that it has added, ever */
    uint64_t used_ms; /* the last time, by the clock of who did it */
    bool ours;        /* this device has set it, */
    bool confirmed;   /* and its user has shown to have it */
};

/* state_recovery_facts: as this home holds our own log; within a transaction. NOT_FOUND: no account here. */
enum status state_recovery_facts(struct state *state, struct arena *a, struct recovery_facts *out) MUST_USE;
/* state_recovery_brief: the same without the entries: set_ms, uses, used_ms are 0. */
enum status state_recovery_brief(struct state *state, struct arena *a, struct recovery_facts *out) MUST_USE;

/* state_recovery_shown: this home's user has just shown this key, which is the account's; within a transaction. */
enum status state_recovery_shown(struct state *state, const struct signing_pk *key) MUST_USE;

/* engine_recovery_set: ENTRY_SET_RECOVERY, as engine_change; old_sk and backup_key may be NULL. engine_recovery_confirm: the user has shown this key again. OK;
 * NOT_FOUND: the account has another one, or none (yet). */
enum status engine_recovery_set(struct engine *e, struct now now, const struct signing_pk *key, const uint8_t *old_sk,
                                const uint8_t *backup_key, enum change_obstacle *why) MUST_USE;
enum status engine_recovery_confirm(struct engine *e, const struct signing_pk *key) MUST_USE;

/* One byte each until the user has seen it. */
#define RECOVERY_USED_SETTING    "recovery.used"     /* our account's recovery key has added a device */
#define RECOVERY_CHANGED_SETTING "recovery.changed"  /* somebody else has set another one */
#define RESTORED_SETTING         "recovery.restored" /* this home was made with it */

#endif
