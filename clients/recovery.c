/* recovery: the recovery key as the engine and its home see it. Setting it is a change as any other (change.c); here is
 * what is remembered beside the log, and noticed in it. Invariant: what somebody did with the recovery key is kept as
 * untold in the transaction that takes the entry, so that no crash hides it from the user. */
#include "clients/recovery.h"
#include "clients/backup.h"
#include "clients/recovery_core.h"

#include <string.h>

#define OWN_SETTING "recovery.own" /* the public key that this device was last told to set, and one byte: confirmed */
#define OWN_LEN     33u

static enum status own_get(struct state *state, struct arena *a, struct signing_pk *key, bool *confirmed)
{
    struct view value;
    enum status s = state_setting_get(state, OWN_SETTING, a, &value);
    memset(key, 0, sizeof *key);
    *confirmed = false;
    if (s != STATUS_OK) return s == STATUS_NOT_FOUND ? STATUS_OK : s;
    if (value.len != OWN_LEN) return STATUS_DAMAGED;
    memcpy(key->bytes, value.at, sizeof key->bytes);
    *confirmed = value.at[32] == 1;
    return STATUS_OK;
}

static enum status own_put(struct state *state, const struct signing_pk *key, bool confirmed)
{
    uint8_t value[OWN_LEN];
    memcpy(value, key->bytes, sizeof key->bytes);
    value[32] = confirmed;
    return state_setting_put(state, OWN_SETTING, view_of(value, sizeof value));
}

static bool key_equal(const struct signing_pk *a, const struct signing_pk *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

enum status recovery_begun_in(struct engine *e, const struct change_wish *wish)
{
    enum status s = own_put(e->state, &wish->recovery, false);
    if (s != STATUS_OK || !wish->backup_key) return s;
    return state_backup_key_put(e->state, &wish->recovery, wish->backup_key);
}

/* A key that this device has set itself is no news. */
enum status recovery_noticed_in(struct engine *e, const struct device_id *added, const struct signing_pk *key)
{
    struct signing_pk own;
    bool confirmed, foreign = false;
    enum status s = STATUS_OK;
    if (key) s = own_get(e->state, &e->arena, &own, &confirmed);
    if (s == STATUS_OK) foreign = key && !key_equal(key, &own);
    if (s == STATUS_OK && foreign) s = state_setting_put(e->state, RECOVERY_CHANGED_SETTING, view_of("1", 1));
    if (s == STATUS_OK && added) s = state_setting_put(e->state, RECOVERY_USED_SETTING, view_of("1", 1));
    if (s == STATUS_OK && foreign) event_put(e, &(struct engine_event){.kind = ENGINE_RECOVERED});
    if (s == STATUS_OK && added) event_put(e, &(struct engine_event){.kind = ENGINE_RECOVERED, .subject = *added});
    return s;
}

/* ---- what the log says ---- */

static enum status entry_note(struct view entry, struct arena *a, struct recovery_facts *out)
{
    static const struct signing_pk none;
    struct msg_entry signed_entry;
    struct msg_entry_body body;
    if (entry_open(entry, a, &signed_entry, &body) != STATUS_OK) return STATUS_DAMAGED;
    if (!key_equal(&body.recovery, &none)) out->set_ms = body.made_ms;
    if (safety_ends(&body)) {
        out->uses++;
        out->used_ms = body.made_ms;
    }
    return STATUS_OK;
}

static enum status entries_note(struct state *state, struct arena *a, const struct identity_log *log,
                                struct recovery_facts *out)
{
    struct entry_scan scan = {.account = log->account, .max = ENTRIES_PER_FRAME};
    enum status s = STATUS_OK;
    while (s == STATUS_OK && scan.first < log->length) {
        s = state_entry_scan(state, a, &scan);
        if (s == STATUS_OK && !scan.count) s = STATUS_DAMAGED;
        for (size_t i = 0; i < scan.count && s == STATUS_OK; i++)
            s = entry_note(scan.entries[i], a, out);
        scan.first += scan.count;
    }
    return s;
}

static enum status facts_read(struct state *state, struct arena *a, bool whole, struct recovery_facts *out)
{
    struct recovery_facts facts = {.set = false};
    struct state_identity me;
    struct contact own;
    struct signing_pk key;
    memset(out, 0, sizeof *out);
    enum status s = state_identity_get(state, a, &me);
    if (s == STATUS_OK) s = state_contact_get(state, me.account, &own);
    if (s == STATUS_OK && whole) s = entries_note(state, a, &own.log, &facts);
    if (s == STATUS_OK) s = own_get(state, a, &key, &facts.confirmed);
    if (s != STATUS_OK) return s;
    facts.set = own.log.has_recovery;
    facts.ours = facts.set && key_equal(&key, &own.log.recovery);
    facts.confirmed = facts.confirmed && facts.ours;
    *out = facts;
    return STATUS_OK;
}

enum status state_recovery_facts(struct state *state, struct arena *a, struct recovery_facts *out)
{
    return facts_read(state, a, true, out);
}

enum status state_recovery_brief(struct state *state, struct arena *a, struct recovery_facts *out)
{
    return facts_read(state, a, false, out);
}

/* ---- the user's word ---- */

enum status state_recovery_shown(struct state *state, const struct signing_pk *key)
{
    return own_put(state, key, true);
}

enum status engine_recovery_set(struct engine *e, struct now now, const struct signing_pk *key, const uint8_t *old_sk,
                                const uint8_t *backup_key, enum change_obstacle *why)
{
    struct change_wish wish = {.operation = ENTRY_SET_RECOVERY, .recovery = *key, .recovery_sk = old_sk,
                               .backup_key = backup_key};
    return engine_change(e, now, &wish, why);
}

/* Also one that is still on its way: its user has it all the same. */
static enum status confirm_in(struct engine *e, const struct signing_pk *key)
{
    struct contact own;
    struct signing_pk ours;
    bool confirmed;
    enum status s = state_contact_get(e->state, e->identity.account, &own);
    if (s == STATUS_OK) s = own_get(e->state, &e->arena, &ours, &confirmed);
    if (s != STATUS_OK) return s;
    bool known = key_equal(key, &ours) || (own.log.has_recovery && key_equal(key, &own.log.recovery));
    return known ? own_put(e->state, key, true) : STATUS_NOT_FOUND;
}

enum status engine_recovery_confirm(struct engine *e, const struct signing_pk *key)
{
    arena_reset(&e->arena);
    enum status s = tx_begin(e, STATE_WRITE);
    if (s == STATUS_OK) s = tx_end(e, confirm_in(e, key));
    (void)engine_fault(e, s);
    return s;
}
