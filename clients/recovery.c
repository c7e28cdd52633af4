/* recovery: the recovery key as the engine and its home see it. Setting it is a change as any other (change.c); here is
 * what is remembered beside the log, and noticed in it. Invariants: what somebody did with the recovery key is kept as
 * untold in the transaction that takes the entry, so that no crash hides it from the user; what belongs to a key that is being set
 * stands beside what belongs to the present one, until the change has settled. */
#include "clients/recovery.h"
#include "clients/backup.h"
#include "clients/recovery_core.h"

#include <string.h>

/* The public key that this device has set, or was shown; and the one that it is setting: 32 bytes, and one byte: confirmed. */
#define OWN_SETTING  "recovery.own"
#define NEXT_SETTING "recovery.next"
#define OWN_LEN      33u

struct own_key {
    struct signing_pk key; /* all zero = none */
    bool confirmed;
};

static enum status own_get(struct state *state, const char *name, struct arena *a, struct own_key *out)
{
    struct view value;
    *out = (struct own_key){.confirmed = false};
    enum status s = state_setting_get(state, name, a, &value);
    if (s != STATUS_OK) return s == STATUS_NOT_FOUND ? STATUS_OK : s;
    if (value.len != OWN_LEN) return STATUS_DAMAGED;
    memcpy(out->key.bytes, value.at, sizeof out->key.bytes);
    out->confirmed = value.at[32] == 1;
    return STATUS_OK;
}

static enum status own_put(struct state *state, const char *name, const struct signing_pk *key, bool confirmed)
{
    uint8_t value[OWN_LEN];
    memcpy(value, key->bytes, sizeof key->bytes);
    value[32] = confirmed;
    return state_setting_put(state, name, view_of(value, sizeof value));
}

static bool key_equal(const struct signing_pk *a, const struct signing_pk *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

/* Which of the two this key is. key is all zero: none of them. */
static enum status own_find(struct state *state, struct arena *a, const struct signing_pk *key, const char **name,
                            struct own_key *out)
{
    *name = OWN_SETTING;
    enum status s = own_get(state, OWN_SETTING, a, out);
    if (s != STATUS_OK || key_equal(key, &out->key)) return s;
    *name = NEXT_SETTING;
    s = own_get(state, NEXT_SETTING, a, out);
    if (s != STATUS_OK || key_equal(key, &out->key)) return s;
    *name = NULL;
    *out = (struct own_key){.confirmed = false};
    return STATUS_OK;
}

/* ---- a change ---- */

enum status recovery_begun_in(struct engine *e, const struct change_wish *wish)
{
    enum status s = own_put(e->state, NEXT_SETTING, &wish->recovery, false);
    return s == STATUS_OK ? backup_key_next_in(e, &wish->recovery, wish->backup_key) : s;
}

enum status recovery_settled_in(struct engine *e, const struct identity_log *log)
{
    struct own_key own, next;
    enum status s = own_get(e->state, OWN_SETTING, &e->arena, &own);
    if (s == STATUS_OK) s = own_get(e->state, NEXT_SETTING, &e->arena, &next);
    if (s != STATUS_OK) return s;
    bool counts = log->has_recovery && key_equal(&next.key, &log->recovery);
    bool shown = next.confirmed || (own.confirmed && key_equal(&own.key, &next.key)); /* since the log has it */
    if (counts) s = own_put(e->state, OWN_SETTING, &next.key, shown);
    if (s == STATUS_OK) s = state_setting_put(e->state, NEXT_SETTING, view_of(NULL, 0));
    return s == STATUS_OK ? backup_key_settled_in(e, counts) : s;
}

/* A key that this device has set itself is no news. */
enum status recovery_noticed_in(struct engine *e, const struct device_id *added, const struct signing_pk *key)
{
    struct own_key own;
    const char *name = NULL;
    bool foreign = false;
    enum status s = STATUS_OK;
    if (key) s = own_find(e->state, &e->arena, key, &name, &own);
    if (s == STATUS_OK) foreign = key && !name;
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
    struct own_key key;
    const char *name;
    memset(out, 0, sizeof *out);
    enum status s = state_identity_get(state, a, &me);
    if (s == STATUS_OK) s = state_contact_get(state, me.account, &own);
    if (s == STATUS_OK && whole) s = entries_note(state, a, &own.log, &facts);
    if (s == STATUS_OK) s = own_find(state, a, &own.log.recovery, &name, &key);
    if (s != STATUS_OK) return s;
    facts.set = own.log.has_recovery;
    facts.ours = facts.set && name;
    facts.confirmed = facts.ours && key.confirmed;
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
    return own_put(state, OWN_SETTING, key, true);
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
    struct own_key next;
    enum status s = state_contact_get(e->state, e->identity.account, &own);
    if (s == STATUS_OK) s = own_get(e->state, NEXT_SETTING, &e->arena, &next);
    if (s != STATUS_OK) return s;
    if (own.log.has_recovery && key_equal(key, &own.log.recovery)) return own_put(e->state, OWN_SETTING, key, true);
    return key_equal(key, &next.key) ? own_put(e->state, NEXT_SETTING, key, true) : STATUS_NOT_FOUND;
}

enum status engine_recovery_confirm(struct engine *e, const struct signing_pk *key)
{
    arena_reset(&e->arena);
    enum status s = tx_begin(e, STATE_WRITE);
    if (s == STATUS_OK) s = tx_end(e, confirm_in(e, key));
    (void)engine_fault(e, s);
    return s;
}
