/* api_recovery: the recovery key across the border: texts become keys here, in memory that is wiped, and go no further than
 * the call. Invariant: no key is kept, and none gets into an error line. */
#include "clients/api.h"
#include "clients/backup.h"
#include "clients/recovery.h"
#include "clients/recovery_key.h"
#include "clients/sealmq_recovery.h"

#include "broker/host/host.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

_Static_assert(SEALMQ_RECOVERY_KEY_LEN == RECOVERY_TEXT_LEN, "sealmq_recovery.h: the key's text");
_Static_assert((int)SEALMQ_RECOVERY_FAULT_SYMBOL == (int)RECOVERY_FAULT_SYMBOL &&
                   (int)SEALMQ_RECOVERY_FAULT_LENGTH == (int)RECOVERY_FAULT_LENGTH &&
                   (int)SEALMQ_RECOVERY_FAULT_GROUP == (int)RECOVERY_FAULT_GROUP &&
                   (int)SEALMQ_RECOVERY_FAULT_WHOLE == (int)RECOVERY_FAULT_WHOLE, "sealmq_recovery.h: faults");

#define NO_KEY "this is no recovery key: look at it again, group by group"

/* ---- texts ---- */

enum sealmq_status sealmq_recovery_key_make(char out[SEALMQ_RECOVERY_KEY_LEN + 1])
{
    struct recovery_code code;
    memset(out, 0, SEALMQ_RECOVERY_KEY_LEN + 1);
    if (sodium_init() < 0) return SEALMQ_IO;
    host_random(code.bytes, sizeof code.bytes);
    recovery_code_text(&code, out);
    sodium_memzero(&code, sizeof code);
    return SEALMQ_OK;
}

enum sealmq_status sealmq_recovery_key_check(const char *text, enum sealmq_recovery_fault *fault, unsigned *group)
{
    struct recovery_code code;
    enum recovery_fault what;
    unsigned where;
    if (sodium_init() < 0) return SEALMQ_IO;
    enum status s = recovery_code_parse(view_of(text, strlen(text)), &code, &what, &where);
    sodium_memzero(&code, sizeof code);
    if (fault) *fault = (enum sealmq_recovery_fault)what;
    if (group) *group = where;
    return (enum sealmq_status)s;
}

/* Both keys of one call; sodium_malloc memory. */
struct key_pair {
    struct recovery_code code;
    struct recovery_keys new, old;
};

static enum status keys_read(const char *text, struct account_id account, struct key_pair *pair, struct recovery_keys *out)
{
    enum recovery_fault fault;
    unsigned group;
    enum status s = recovery_code_parse(view_of(text, strlen(text)), &pair->code, &fault, &group);
    if (s == STATUS_OK) recovery_keys_of(&pair->code, account, out);
    return s;
}

static enum status account_read(struct sealmq_client *c, struct account_id *out)
{
    struct state_identity me;
    arena_reset(&c->arena);
    enum status s = state_begin(c->state, STATE_READ);
    if (s != STATUS_OK) return s;
    s = state_identity_get(c->state, &c->arena, &me);
    state_rollback(c->state);
    if (s == STATUS_OK) *out = me.account;
    return s;
}

static struct key_pair *pair_new(void)
{
    struct key_pair *pair = sodium_malloc(sizeof *pair);
    ENSURE(pair != NULL);
    return pair;
}

/* ---- what is so ---- */

enum sealmq_status sealmq_recovery_get(struct sealmq_client *c, struct sealmq_recovery *out)
{
    struct recovery_facts facts;
    struct backup_facts backup;
    arena_reset(&c->arena);
    enum status s = api_out(out);
    if (s == STATUS_OK) s = state_begin(c->state, STATE_READ);
    if (s != STATUS_OK) return api_result(c, s);
    s = state_recovery_facts(c->state, &c->arena, &facts);
    if (s == STATUS_OK) s = state_backup_facts(c->state, &c->arena, &backup);
    state_rollback(c->state);
    if (s != STATUS_OK) return api_result(c, s);
    struct sealmq_recovery full = {.mode = backup.key  ? SEALMQ_RECOVERY_BACKUP
                                           : facts.set ? SEALMQ_RECOVERY_ACCOUNT
                                                       : SEALMQ_RECOVERY_NONE,
                                   .backup_ms = backup.made_ms, .set_ms = facts.set_ms, .uses = facts.uses, .used_ms = facts.used_ms,
                                   .ours = facts.ours, .confirmed = facts.confirmed, .backup_history = backup.history};
    api_give(out, &full, sizeof full);
    return api_result(c, s);
}

/* ---- what is wanted ---- */

static enum sealmq_status set(struct sealmq_client *c, const struct sealmq_recovery_options *o, struct key_pair *pair,
                              enum change_obstacle *why)
{
    struct account_id account;
    enum status s = account_read(c, &account);
    if (s != STATUS_OK) return api_result(c, s);
    s = keys_read(o->key, account, pair, &pair->new);
    if (s == STATUS_OK && o->old_key) s = keys_read(o->old_key, account, pair, &pair->old);
    if (s != STATUS_OK) return api_fail(c, s, NO_KEY);
    s = engine_recovery_set(c->engine, host_now(), &pair->new.signing, o->old_key ? pair->old.signing_sk : NULL,
                            o->backup ? pair->new.backup : NULL, why);
    api_changed(c);
    if (*why == CHANGE_NOT_ALLOWED)
        return api_fail(c, s, o->old_key ? "the old key is not this account's recovery key"
                                         : "this account has a recovery key already: only that sets another");
    return *why == CHANGE_NONE ? api_result(c, s) : api_fail(c, s, "%s", sealmq_obstacle_meaning((enum sealmq_obstacle)*why));
}

enum sealmq_status sealmq_recovery_set(struct sealmq_client *c, const struct sealmq_recovery_options *options,
                                       enum sealmq_obstacle *why)
{
    struct sealmq_recovery_options full;
    enum change_obstacle obstacle = CHANGE_NONE;
    if (why) *why = SEALMQ_OBSTACLE_NONE;
    enum status taken = api_take(options, &full, sizeof full);
    if (taken != STATUS_OK) return api_result(c, taken);
    ENSURE(full.key != NULL);
    struct key_pair *pair = pair_new();
    enum sealmq_status s = set(c, &full, pair, &obstacle);
    sodium_free(pair);
    if (why) *why = (enum sealmq_obstacle)obstacle;
    return s;
}

enum sealmq_status sealmq_recovery_confirm(struct sealmq_client *c, const char *key)
{
    struct account_id account;
    enum status s = account_read(c, &account);
    if (s != STATUS_OK) return api_result(c, s);
    struct key_pair *pair = pair_new();
    s = keys_read(key, account, pair, &pair->new);
    bool is_key = s == STATUS_OK;
    if (is_key) s = engine_recovery_confirm(c->engine, &pair->new.signing);
    sodium_free(pair);
    if (!is_key) return api_fail(c, s, NO_KEY);
    return s == STATUS_NOT_FOUND ? api_fail(c, s, "this is not the recovery key of this account") : api_result(c, s);
}

/* ---- backups ---- */

static enum sealmq_status backup_begin(struct sealmq_client *c, enum backup_action action, const char *key, struct key_pair *pair)
{
    struct account_id account;
    struct contact own;
    enum status s = account_read(c, &account);
    if (s != STATUS_OK) return api_result(c, s);
    s = keys_read(key, account, pair, &pair->new);
    if (s != STATUS_OK) return api_fail(c, s, NO_KEY);
    s = state_begin(c->state, STATE_READ);
    if (s != STATUS_OK) return api_result(c, s);
    s = state_contact_get(c->state, account, &own);
    state_rollback(c->state);
    if (s != STATUS_OK) return api_result(c, s);
    if (!own.log.has_recovery || memcmp(&own.log.recovery, &pair->new.signing, sizeof own.log.recovery) != 0)
        return api_fail(c, STATUS_REFUSED, "this is not the recovery key of this account");
    return (enum sealmq_status)engine_backup(c->engine, host_now(), action, pair->new.backup);
}

enum sealmq_status sealmq_backup_begin(struct sealmq_client *c, enum sealmq_backup_action wanted, const char *key)
{
    static const enum backup_action actions[] = {
        [SEALMQ_BACKUP_MAKE] = BACKUP_MAKE, [SEALMQ_BACKUP_TAKE] = BACKUP_TAKE,
        [SEALMQ_BACKUP_MAKE_WITH_HISTORY] = BACKUP_MAKE_WITH_HISTORY,
        [SEALMQ_BACKUP_MAKE_WITHOUT_HISTORY] = BACKUP_MAKE_WITHOUT_HISTORY};
    enum sealmq_status s;
    if ((size_t)wanted >= sizeof actions / sizeof actions[0]) return api_result(c, STATUS_MALFORMED);
    const enum backup_action action = actions[wanted];
    if (key) {
        struct key_pair *pair = pair_new();
        s = backup_begin(c, action, key, pair);
        sodium_free(pair);
    } else {
        s = (enum sealmq_status)engine_backup(c->engine, host_now(), action, NULL);
        if (s == SEALMQ_NOT_FOUND)
            return api_fail(c, STATUS_NOT_FOUND, "this device does not keep the account's backup key: give the recovery key");
    }
    api_changed(c);
    return s == SEALMQ_STATE ? api_fail(c, STATUS_STATE, "a backup is under way already") : s;
}

enum sealmq_status sealmq_backup_get(struct sealmq_client *c, struct sealmq_backup *out)
{
    struct backup_view v;
    enum status s = api_out(out);
    if (s != STATUS_OK) return api_result(c, s);
    engine_backup_view(c->engine, &v);
    struct sealmq_backup full = {.stage = (enum sealmq_backup_stage)v.stage, .status = (enum sealmq_status)v.status,
                                 .version = v.version, .made_ms = v.summary.made_ms, .contacts = (uint32_t)v.summary.contacts,
                                 .named = (uint32_t)v.summary.named, .known = (uint32_t)v.summary.known,
                                 .left = (uint32_t)v.summary.left, .older = v.older, .fallback = v.fallback,
                                 .messages = (uint32_t)v.summary.messages,
                                 .messages_known = (uint32_t)v.summary.messages_known,
                                 .messages_left = (uint32_t)v.summary.messages_left};
    api_give(out, &full, sizeof full);
    return SEALMQ_OK;
}
