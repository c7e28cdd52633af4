/* wish: what may become of a change of this account's devices (PROTOCOL 6.2), by our copy of the log: the table that
 * engine_change asks before there is an entry, and change.c again where another entry was first. Makes no entry and
 * keeps nothing; what only the entry itself shows (a full log) change.c tries. */
#include "clients/core.h"

#include <string.h>

#define STANDINGS (STANDING_REVOKED + 1)

/* By the subject's standing; revoking twice, and the like, is done. */
static const enum change_obstacle by_standing[][STANDINGS] = {
    [ENTRY_SUSPEND] = {[STANDING_ACTIVE] = CHANGE_NONE, [STANDING_SUSPENDED] = CHANGE_DONE,
                       [STANDING_REVOKED] = CHANGE_REVOKED},
    [ENTRY_RESUME] = {[STANDING_ACTIVE] = CHANGE_DONE, [STANDING_SUSPENDED] = CHANGE_NONE,
                      [STANDING_REVOKED] = CHANGE_REVOKED},
    [ENTRY_REVOKE] = {[STANDING_ACTIVE] = CHANGE_NONE, [STANDING_SUSPENDED] = CHANGE_NONE,
                      [STANDING_REVOKED] = CHANGE_DONE},
    [ENTRY_DESCRIBE] = {[STANDING_ACTIVE] = CHANGE_NONE, [STANDING_SUSPENDED] = CHANGE_NONE,
                        [STANDING_REVOKED] = CHANGE_NONE},
    [ENTRY_REPLACE] = {[STANDING_ACTIVE] = CHANGE_NONE, [STANDING_SUSPENDED] = CHANGE_SIGNER,
                       [STANDING_REVOKED] = CHANGE_SIGNER},
};

/* Without an active device nobody could add one, resume one, or speak for the account. */
static bool ends_the_account(const struct identity_log *log, const struct change_wish *wish,
                             const struct log_device *subject)
{
    bool leaves = wish->operation == ENTRY_SUSPEND || wish->operation == ENTRY_REVOKE;
    return leaves && subject->standing == STANDING_ACTIVE && identity_log_active(log) == 1;
}

static bool key_equal(const uint8_t a[32], const struct signing_pk *b)
{
    return memcmp(a, b->bytes, sizeof b->bytes) == 0;
}

/* The first one any active device sets; from then on only the key itself sets another. */
static enum change_obstacle recovery_obstacle(const struct identity_log *log, const struct log_device *by,
                                              const struct change_wish *wish)
{
    if (log->has_recovery && key_equal(wish->recovery.bytes, &log->recovery)) return CHANGE_DONE;
    if (log->has_recovery != (wish->recovery_sk != NULL)) return CHANGE_NOT_ALLOWED;
    if (log->has_recovery) return key_equal(wish->recovery_sk + 32, &log->recovery) ? CHANGE_NONE : CHANGE_NOT_ALLOWED;
    return by && by->standing == STANDING_ACTIVE ? CHANGE_NONE : CHANGE_SIGNER;
}

/* Of the bounds of PROTOCOL 6.2 those that people meet. */
static enum change_obstacle add_obstacle(const struct identity_log *log, const struct log_device *subject)
{
    size_t here = 0;
    for (size_t i = 0; i < log->device_count; i++)
        here += log->devices[i].standing != STANDING_REVOKED;
    if (subject) return subject->standing == STANDING_REVOKED ? CHANGE_REVOKED : CHANGE_DONE;
    if (log->device_count >= DEVICES_EVER_ADDED) return CHANGE_DEVICES_EVER; /* first: no revoking helps there */
    return here >= DEVICES_PER_ACCOUNT ? CHANGE_DEVICES_FULL : CHANGE_NONE;
}

/* What is so already is done, whoever asks. */
enum change_obstacle wish_obstacle(const struct identity_log *log, struct device_id signer,
                                   const struct change_wish *wish)
{
    const struct log_device *subject = identity_log_device(log, wish->subject), *by = identity_log_device(log, signer);
    bool adds = wish->operation == ENTRY_ADD;
    ENSURE((size_t)wish->operation < sizeof by_standing / sizeof by_standing[0]);
    if (wish->operation == ENTRY_SET_RECOVERY) return recovery_obstacle(log, by, wish);
    if (!subject && !adds) return CHANGE_NO_DEVICE;
    enum change_obstacle why = adds ? add_obstacle(log, subject) : by_standing[wish->operation][subject->standing];
    if (why != CHANGE_NONE) return why;
    if (!by || by->standing != STANDING_ACTIVE) return CHANGE_SIGNER;
    if (wish->operation == ENTRY_RESUME && subject->held_by_recovery) return CHANGE_RECOVERY;
    return !adds && ends_the_account(log, wish, subject) && !wish->even_last ? CHANGE_LAST : CHANGE_NONE;
}

enum status obstacle_status(enum change_obstacle why)
{
    switch (why) {
#define X(NAME, code, status, text) case CHANGE_##NAME: return STATUS_##status;
        CHANGE_OBSTACLE_LIST(X)
#undef X
    }
    return STATUS_REFUSED;
}

const char *change_obstacle_name(unsigned why)
{
    switch (why) {
#define X(NAME, code, status, text) case CHANGE_##NAME: return text;
        CHANGE_OBSTACLE_LIST(X)
#undef X
    default: return "?";
    }
}
