/* sealmq_recovery: what is left when all devices are lost, a part of sealmq.h, whose rules hold here. An account may have a
 * recovery key: a text that its owner keeps on paper, and that no device and no relay has. With it, and nothing else, a new
 * device comes into the account. It brings back the account, its handle and what others know it by; it brings back no
 * message. Whoever has it can do the same: it is stronger than any device. It can be replaced only by who has it; lost, the
 * account goes on with its devices, without recovery, for good. */
#ifndef SEALMQ_RECOVERY_H
#define SEALMQ_RECOVERY_H

#include "sealmq.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SEALMQ_RECOVERY_KEY_LEN 44u /* "0001-G40Q-...": 9 groups of 4 */

enum sealmq_recovery_mode {
    SEALMQ_RECOVERY_NONE = 0,    /* with the last device the account is lost */
    SEALMQ_RECOVERY_ACCOUNT = 1, /* the key brings back the account; no contacts, no messages */
    SEALMQ_RECOVERY_BACKUP = 2   /* and what is in a backup */
};
struct sealmq_recovery {
    size_t size;
    enum sealmq_recovery_mode mode;
    uint64_t set_ms;  /* when the key was set, by the clock of the device that did it; 0 = there is none */
    uint64_t uses;    /* how often a device was added with the account's recovery key, ever */
    uint64_t used_ms; /* the last time, by the clock of who did it; 0 = never */
    bool ours;        /* this device has set the key, or its home was made with it, */
    bool confirmed;   /* and its user has shown to have it since */
    uint64_t backup_ms; /* when this device has made its last backup; 0 = never */
    bool backup_history; /* this device's backups have messages in them */
};
/* sealmq_recovery_get: as this home knows it. Uses the disk. OK. */
SEALMQ_API enum sealmq_status sealmq_recovery_get(struct sealmq_client *client, struct sealmq_recovery *out) SEALMQ_MUST_USE;

/* ---- the key ---- */

/* Why a text is no recovery key. */
enum sealmq_recovery_fault {
    SEALMQ_RECOVERY_FAULT_NONE = 0,
    SEALMQ_RECOVERY_FAULT_SYMBOL = 1, /* the group has a character that no key has */
    SEALMQ_RECOVERY_FAULT_LENGTH = 2, /* too short or too long; group: how many whole ones there are */
    SEALMQ_RECOVERY_FAULT_GROUP = 3,  /* the group has a mistake */
    SEALMQ_RECOVERY_FAULT_WHOLE = 4   /* each group may be right, all of them together are not */
};
/* sealmq_recovery_key_make: a new one, with a NUL: of nothing yet. It is a secret: show it once, wipe it, keep it nowhere.
 * sealmq_recovery_key_check: what a person typed: case, dashes and white space do not matter, and O is read as 0, I and L as 1. OK;
 * MALFORMED with *fault, and *group from 1 on (each may be NULL). */
SEALMQ_API enum sealmq_status sealmq_recovery_key_make(char out[SEALMQ_RECOVERY_KEY_LEN + 1]) SEALMQ_MUST_USE;
SEALMQ_API enum sealmq_status sealmq_recovery_key_check(const char *text, enum sealmq_recovery_fault *fault,
                                                        unsigned *group) SEALMQ_MUST_USE;

struct sealmq_recovery_options {
    size_t size;
    const char *key;     /* the new one: its owner has it already when this is called */
    const char *old_key; /* where the account has one: only that sets another; else NULL */
    bool backup;         /* this device keeps the key that seals backups, and only that: sealmq_backup_begin */
};
/* sealmq_recovery_set: the account's recovery key is this one: kept now, sent until the relay has it, as sealmq_change;
 * SEALMQ_EVENT_IDENTITY with SEALMQ_OPERATION_SET_RECOVERY says how it ended. Until then the old one counts, or none. STALE_HEAD there:
 * another change of the account was first, and this one, which the old key has signed, has to be made again. Uses the disk.
 * OK; MALFORMED (a text is no key); STATE, REFUSED, TOO_LARGE with *why (it may be NULL): REFUSED and NOT_ALLOWED: the old key is
 * missing, or is not the account's. */
SEALMQ_API enum sealmq_status sealmq_recovery_set(struct sealmq_client *client, const struct sealmq_recovery_options *options,
                                                  enum sealmq_obstacle *why) SEALMQ_MUST_USE;
/* sealmq_recovery_confirm: the user has typed the key again, as a proof to have it. Uses the disk. OK; MALFORMED; NOT_FOUND: it is
 * another key than the account's. */
SEALMQ_API enum sealmq_status sealmq_recovery_confirm(struct sealmq_client *client, const char *key) SEALMQ_MUST_USE;

/* ---- backups ---- */

enum sealmq_backup_stage {
    SEALMQ_BACKUP_NONE = 0,
    SEALMQ_BACKUP_UNDER_WAY = 1, /* also as long as the relay cannot be reached */
    SEALMQ_BACKUP_DONE = 2,
    SEALMQ_BACKUP_FAILED = 3     /* status says why */
};
struct sealmq_backup {
    size_t size;
    enum sealmq_backup_stage stage;
    enum sealmq_status status; /* NOT_FOUND: there is none; BAD_ENTRY, MALFORMED: it does not open under this key: another key's, or
                                * changed; RELAY_BEHIND: it was made when the account's own history was longer than the one that the relay shows, or
                                * another: do not trust the relay; TOO_LARGE: the relay takes less than 4 MiB; STATE: another device is making one: later */
    uint64_t version;  /* of the account's backups, from 1 */
    uint64_t made_ms;  /* by the clock of the device that made it */
    uint32_t contacts; /* in it */
    uint32_t named;    /* of them those without the history of their keys, which was too long or had no room */
    uint32_t known;    /* taken: of them those that were here already, and stay as they are */
    uint32_t left;     /* made: contacts not in it, as 4 MiB are full: the last are those who have only written to this account */
    bool older;        /* the relay has an older one than this home has seen: it has lost one, or hides it */
    bool fallback;     /* taken: the newest did not open, or was none: this is the one before it. Some device of the account may have put it there */
    uint32_t messages; /* in it */
    uint32_t messages_known; /* taken: of them those that were here already */
    uint32_t messages_left;  /* made: those for which there was no room, the oldest */
};
enum sealmq_backup_action {
    SEALMQ_BACKUP_MAKE = 0, /* with messages if this device's last one had them, or came with them */
    SEALMQ_BACKUP_TAKE = 1,
    SEALMQ_BACKUP_MAKE_WITH_HISTORY = 2,
    SEALMQ_BACKUP_MAKE_WITHOUT_HISTORY = 3
};
/* sealmq_backup_begin: makes a backup of the contacts that this home holds, and leaves it, sealed, at the relay; or takes
 * the one that is there: contacts that are not here come with their names, the histories of their keys and the user's marks. With history
 * it has the messages, too, that this home holds (sealmq_history_list), the newest first, but for those whose sender gave them a time
 * to live; they come into the list of the home that takes it, not into its inbox. It holds no session and no key of a device. key: the recovery key; NULL = the key that this device keeps (`backup`). In this
 * session or the next, in memory: a process that ends before it is done has left nothing, or all of it. Uses the disk. OK; MALFORMED (the key),
 * REFUSED (it is not the account's), STATE (one is under way), NOT_FOUND (no key is kept here: give it).
 * sealmq_backup_get: how it goes, or went; after each sealmq_process. */
SEALMQ_API enum sealmq_status sealmq_backup_begin(struct sealmq_client *client, enum sealmq_backup_action action,
                                                  const char *key) SEALMQ_MUST_USE;
SEALMQ_API enum sealmq_status sealmq_backup_get(struct sealmq_client *client, struct sealmq_backup *out) SEALMQ_MUST_USE;

/* ---- an account comes back ---- */

struct sealmq_restore;

struct sealmq_restore_options {
    size_t size;
    const char *home;      /* made where it is not there; without an account, but for one whose restoring was broken off */
    const char *passphrase_file;
    const char *endpoints; /* as in sealmq_create_options */
    struct sealmq_public_key server;
    const char *handle;    /* of the account; NULL: */
    struct sealmq_account account;
    const char *key;
    bool revoke_others;    /* all devices that the account has are revoked: for who has lost them */
};
/* sealmq_restore_start: begins to ask the relay for the account, with a new device's keys. Where the process ends before it is
 * done the same call goes on, or begins anew. Uses the disk. OK with *out, for sealmq_restore_close; MALFORMED (handle, key), STATE (there
 * is an account in this home), CONFIG, IO, LOCKED; with one line in error. */
SEALMQ_API enum sealmq_status sealmq_restore_start(const struct sealmq_restore_options *options, struct sealmq_restore **out,
                                                   char *error, size_t error_cap) SEALMQ_MUST_USE;
/* sealmq_restore_close: NULL-safe, nulls. */
SEALMQ_API void sealmq_restore_close(struct sealmq_restore **restore);
/* sealmq_restore_fd, sealmq_restore_deadline_ms, sealmq_restore_process: as sealmq_fd and the others. process: BUSY: it goes on;
 * sealmq_restore_hint says why it takes time. OK: the home has the account: close this and open it: the first connection makes the
 * new device known, SEALMQ_EVENT_REGISTERED says so, and SEALMQ_EVENT_STOPPED with STALE_HEAD that the account has changed
 * meanwhile: start again. Else it has ended, and nothing was changed anywhere; sealmq_restore_error says why in one line: NOT_FOUND (nobody has the handle), REFUSED (the key
 * is not the account's, or it has none), BAD_ENTRY, MALFORMED, RELAY_BEHIND (the relay shows what does not verify), TOO_LARGE (the account has as many
 * devices as it may: revoke_others), or a status of the home. */
SEALMQ_API int sealmq_restore_fd(const struct sealmq_restore *restore);
SEALMQ_API int sealmq_restore_deadline_ms(const struct sealmq_restore *restore);
SEALMQ_API enum sealmq_status sealmq_restore_process(struct sealmq_restore *restore) SEALMQ_MUST_USE;
/* sealmq_restore_hint: why there is no answer now; sealmq_restore_error: why it has ended. Good until the next call. */
SEALMQ_API const char *sealmq_restore_hint(struct sealmq_restore *restore);
SEALMQ_API const char *sealmq_restore_error(const struct sealmq_restore *restore);

#ifdef __cplusplus
}
#endif
#endif
