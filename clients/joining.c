/* joining: the first sessions of a device that has consented to join an account (PROTOCOL 6.5): it knows the account by what the
 * offering device has said, and says HELLO until the relay's log has it. Then the log is fetched, and must go on from what was
 * offered: else the relay shows another history than the account's own device. A linking that nobody can end well any more is told,
 * and tried on until its user gives it up for another one. Invariants: what was offered is kept until that is decided; of two
 * devices that a home has been, one after the other, nothing is mixed: it becomes the next one in one commit, and what still runs as
 * the earlier one stops where it meets that. */
#include "clients/backup_content.h"
#include "clients/core.h"
#include "clients/join.h"
#include "clients/linking_core.h"

#include <string.h>

#define JOINING_SETTING "link.joining"
#define JOINING_HEAD    56u /* length, head, offering device; then the name that it wants */
#define UNTIL_SETTING   "link.until"   /* u64: joining_facts */
#define REFUSED_SETTING "link.refused" /* the same */
#define REFUSAL_MS      60000u         /* so often at most it is written down again */

struct offered {
    uint64_t length;
    struct hash256 head;
    struct device_id by;
    struct view name;
};

static enum status time_put(struct state *state, const char *name, uint64_t ms)
{
    uint8_t value[8];
    put_u64(value, ms);
    return state_setting_put(state, name, view_of(value, ms ? sizeof value : 0));
}

static enum status time_get(struct state *state, const char *name, struct arena *a, uint64_t *ms)
{
    struct view value;
    *ms = 0;
    enum status s = state_setting_get(state, name, a, &value);
    if (s != STATUS_OK) return s == STATUS_NOT_FOUND ? STATUS_OK : s;
    if (value.len != 8) return STATUS_DAMAGED;
    *ms = get_u64(value.at);
    return STATUS_OK;
}

enum status state_joining_put(struct state *state, const struct msg_link_offer *offer, struct view name, uint64_t until_ms)
{
    struct buffer b = {0};
    write_u64(&b, offer->log.length);
    write_bytes(&b, offer->log.head.bytes, sizeof offer->log.head.bytes);
    write_bytes(&b, offer->device.bytes, sizeof offer->device.bytes);
    write_view(&b, name);
    enum status s = state_setting_put(state, JOINING_SETTING, buffer_view(&b));
    buffer_fini(&b);
    if (s == STATUS_OK) s = time_put(state, UNTIL_SETTING, until_ms);
    return s == STATUS_OK ? time_put(state, REFUSED_SETTING, 0) : s;
}

/* Whether this home has no account, or is still to be what it gives up: then it is emptied. */
static enum status place_make_in(struct state *state, const struct joining_home *home, struct arena *a)
{
    struct joining_facts facts;
    struct state_identity me;
    enum status s = state_identity_get(state, a, &me);
    if (s == STATUS_NOT_FOUND) return STATUS_OK;
    if (s == STATUS_OK) s = state_joining(state, a, &facts);
    if (s != STATUS_OK) return s;
    if (!home->gives_up || !facts.joining || !device_equal(me.device, *home->gives_up)) return STATUS_STATE;
    return state_clear(state);
}

static enum status offer_keep_in(struct state *state, const struct join *join, const struct joining_home *home, struct arena *a)
{
    const struct join_offer *offer = join_offer(join);
    struct backup_summary summary;
    struct contact own = {.checked_ms = home->now_ms, .incoming = true};
    struct state_identity me = {
        .account = offer->founding.account, .record = *join_record(join), .entry = offer->first.entry,
        .handle = offer->first.handle, .endpoints = home->endpoints, .server = home->server, .registered = true,
        .claimed = offer->first.handle.len > 0};
    me.device = device_id_of(me.account, &me.record.signing);
    enum status s = place_make_in(state, home, a);
    if (s == STATUS_OK) s = identity_log_open(offer->first.entry, a, &own.log);
    if (s == STATUS_OK) s = state_identity_put(state, &me);
    if (s == STATUS_OK) s = state_secrets_put(state, join_secrets(join));
    if (s == STATUS_OK) s = state_contact_put(state, &own);
    if (s == STATUS_OK) s = state_entry_put(state, me.account, 0, offer->first.entry);
    if (s == STATUS_OK && offer->data.len) s = backup_take_offered_in(state, offer->data, &summary);
    return s == STATUS_OK ? state_joining_put(state, &offer->first, home->name, join_expires_ms(join) + LINK_LIFE_MS) : s;
}

enum status state_joining_keep(struct state *state, const struct join *join, const struct joining_home *home)
{
    struct arena a = {0};
    enum status s = state_begin(state, STATE_WRITE);
    if (s != STATUS_OK) return s;
    s = offer_keep_in(state, join, home, &a);
    arena_fini(&a);
    if (s == STATUS_OK) return state_commit(state);
    state_rollback(state);
    return s;
}

/* NOT_FOUND: it has joined. */
static enum status offered_get_in(struct state *state, struct arena *a, struct offered *out)
{
    struct view value;
    *out = (struct offered){0};
    enum status s = state_setting_get(state, JOINING_SETTING, a, &value);
    if (s != STATUS_OK) return s;
    if (value.len < JOINING_HEAD || value.len > JOINING_HEAD + DEVICE_NAME_LEN_MAX) return STATUS_DAMAGED;
    out->length = get_u64(value.at);
    memcpy(out->head.bytes, value.at + 8, sizeof out->head.bytes);
    memcpy(out->by.bytes, value.at + 40, sizeof out->by.bytes);
    out->name = view_of(value.at + JOINING_HEAD, value.len - JOINING_HEAD);
    return STATUS_OK;
}

enum status state_joining(struct state *state, struct arena *a, struct joining_facts *out)
{
    struct offered offered;
    *out = (struct joining_facts){.joining = false};
    enum status s = offered_get_in(state, a, &offered);
    if (s != STATUS_OK) return s == STATUS_NOT_FOUND ? STATUS_OK : s;
    struct joining_facts facts = {.joining = true};
    s = time_get(state, UNTIL_SETTING, a, &facts.until_ms);
    if (s == STATUS_OK) s = time_get(state, REFUSED_SETTING, a, &facts.refused_ms);
    if (s == STATUS_OK) *out = facts;
    return s;
}

bool joining_is_over(const struct joining_facts *f)
{
    return f->joining && f->refused_ms && f->refused_ms >= f->until_ms;
}

bool engine_is_joining(const struct engine *e, bool *over)
{
    *over = e->joining && e->unlinked;
    return e->joining;
}

enum status joining_history_in(struct engine *e, struct account_id account, uint64_t *length)
{
    struct offered offered;
    *length = 0;
    if (!e->joining || memcmp(&account, &e->identity.account, sizeof account) != 0) return STATUS_OK;
    enum status s = offered_get_in(e->state, &e->arena, &offered);
    *length = offered.length;
    return s == STATUS_NOT_FOUND ? STATUS_OK : s;
}

bool joining_waits(const struct engine *e, enum status s)
{
    return e->joining && (s == STATUS_UNAUTHENTICATED || s == STATUS_NOT_FOUND);
}

/* STATE: the home has become another device. */
static enum status same_device_in(struct engine *e)
{
    struct state_identity me;
    enum status s = state_identity_get(e->state, &e->arena, &me);
    return s == STATUS_OK && !device_equal(me.device, e->identity.device) ? STATUS_STATE : s;
}

static enum status refusal_note_in(struct engine *e, struct now now, struct joining_facts *facts)
{
    enum status s = same_device_in(e);
    if (s == STATUS_OK) s = state_joining(e->state, &e->arena, facts);
    if (s != STATUS_OK || !facts->joining) return s; /* another process was let in */
    facts->refused_ms = now.wall_ms;
    return time_put(e->state, REFUSED_SETTING, now.wall_ms);
}

void joining_refused(struct engine *e, struct now now)
{
    struct joining_facts facts = {.joining = false};
    if (now.mono_ms < e->refusal_ms) return;
    enum status s = tx_begin(e, STATE_WRITE);
    if (s == STATUS_OK) s = tx_end(e, refusal_note_in(e, now, &facts));
    if (s == STATUS_STATE) session_stop(e, now, s);
    if (!engine_fault(e, s)) return;
    e->refusal_ms = now.mono_ms + REFUSAL_MS;
    if (e->unlinked || !joining_is_over(&facts)) return;
    e->unlinked = true;
    event_put(e, &(struct engine_event){.kind = ENGINE_UNLINKED});
}

/* What we hold is the account's log as it was offered, and goes on to where this device is in it. */
static enum status log_judge_in(struct engine *e, const struct contact *own, const struct offered *offered, bool *good)
{
    struct view *entries;
    size_t count;
    const struct log_device *d = identity_log_device(&own->log, e->identity.device);
    *good = false;
    if (own->log.length < offered->length || !d ||
        memcmp(&d->record, &e->identity.record, sizeof d->record) != 0)
        return STATUS_OK;
    enum status s = pin_entries_in(e, own->log.account, offered->length - 1, &entries, &count);
    if (s != STATUS_OK || !count) return s;
    struct hash256 head = entry_head_of(entries[0], offered->length - 1);
    *good = memcmp(&head, &offered->head, sizeof head) == 0;
    return STATUS_OK;
}

static enum status seen_in(struct engine *e, struct offered *offered, bool *good)
{
    struct contact own;
    enum status s = same_device_in(e);
    if (s == STATUS_OK) s = offered_get_in(e->state, &e->arena, offered);
    if (s == STATUS_OK) s = state_contact_get(e->state, e->identity.account, &own);
    if (s == STATUS_OK) s = log_judge_in(e, &own, offered, good);
    if (s == STATUS_OK && *good) s = state_setting_put(e->state, JOINING_SETTING, view_of(NULL, 0));
    return s;
}

void joining_seen(struct engine *e, struct now now)
{
    struct offered offered;
    char name[DEVICE_NAME_LEN_MAX]; /* a change begins with an arena of its own */
    enum change_obstacle why;
    bool good = false;
    if (!e->joining) return;
    enum status s = tx_begin(e, STATE_WRITE);
    if (s == STATUS_OK) s = tx_end(e, seen_in(e, &offered, &good));
    if (s == STATUS_STATE) session_stop(e, now, s);
    if (s == STATUS_NOT_FOUND) good = true; /* another process of this home was first */
    if (s != STATUS_NOT_FOUND && !engine_fault(e, s)) return;
    if (!good) {
        event_put(e, &(struct engine_event){.kind = ENGINE_IDENTITY, .status = STATUS_BAD_ENTRY});
        return;
    }
    struct change_wish wish = {.operation = ENTRY_DESCRIBE, .subject = e->identity.device,
                               .name = view_of(name, offered.name.len)};
    if (offered.name.len) memcpy(name, offered.name.at, offered.name.len);
    e->joining = e->unlinked = false;
    e->prekeys_ms = now.mono_ms;
    event_put(e, &(struct engine_event){.kind = ENGINE_LINKED, .subject = offered.by});
    if (offered.name.len) (void)engine_fault(e, engine_change(e, now, &wish, &why)); /* without a name it is a device, too */
}

/* A relay that lets this device in must have it in its log: one that shows nothing beyond what we hold hides it. */
void joining_welcome(struct engine *e, struct now now, const struct msg_log_state *said)
{
    struct contact own;
    if (!e->joining) return;
    enum status s = tx_begin(e, STATE_READ);
    if (s == STATUS_OK) s = tx_end(e, state_contact_get(e->state, e->identity.account, &own));
    if (engine_fault(e, s) && said->length <= own.log.length) joining_seen(e, now);
}
