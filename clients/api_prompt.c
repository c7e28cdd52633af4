/* api_prompt: the table of prompts, and which of them this home still has to show. Decides nothing else. */
#include "clients/api.h"
#include "clients/recovery.h"

#define SEEN_SETTING "prompts_seen" /* 4 bytes: a bit for each id */

static const struct sealmq_prompt PROMPTS[] = {
    [SEALMQ_PROMPT_NO_RECOVERY] = {.severity = SEALMQ_SEVERITY_WARNING, .text =
        "The keys and messages of this device are only in its home. No recovery key is set: if all devices are lost, nobody "
        "can restore the account. Messages cannot be read again then, with a recovery key neither."},
    [SEALMQ_PROMPT_NOT_SEALED] = {.severity = SEALMQ_SEVERITY_INFO, .text =
        "This message is not end-to-end encrypted by SealMQ: what the application hands over is what the relay has."},
    [SEALMQ_PROMPT_CONTACT_CHANGED] = {.severity = SEALMQ_SEVERITY_DECISION, .text =
        "The relay shows another history of this contact's keys than this home holds. The message waits: ask the "
        "contact by another way before it is released."},
    [SEALMQ_PROMPT_MAY_HAVE_COME] = {.severity = SEALMQ_SEVERITY_DECISION, .text =
        "This message may have arrived long ago. Ask the recipient before it is released: it would be sent once more."},
    [SEALMQ_PROMPT_RELAY_FORKED] = {.severity = SEALMQ_SEVERITY_WARNING, .text =
        "The relay shows another history of this account's keys than this home holds: do not trust it, and ask its "
        "operator."},
    [SEALMQ_PROMPT_MESSAGES_LOST] = {.severity = SEALMQ_SEVERITY_WARNING, .text =
        "Messages to this device will not come. Their senders see it, and can send them again."},
    [SEALMQ_PROMPT_CONTACT_FORKED] = {.severity = SEALMQ_SEVERITY_WARNING, .text =
        "A contact and this home were shown different histories of the contact's keys: do not trust the relay, and compare "
        "with the contact by another way."},
    [SEALMQ_PROMPT_DEVICE_OUT] = {.severity = SEALMQ_SEVERITY_WARNING, .text =
        "This device was suspended or revoked, by another device of its account, or with its recovery key: it sends and receives "
        "nothing. What it has is still here, and what it has not sent waits. Suspended, it works again when another device has "
        "resumed it; revoked, never. If you have not done this, somebody else has one of your devices, or the recovery key."},
    [SEALMQ_PROMPT_DEVICE_LEFT] = {.severity = SEALMQ_SEVERITY_WARNING, .text =
        "This device was suspended or revoked by its own command: it sends and receives nothing. What it has is still here, and "
        "what it has not sent waits. Suspended, it works again when another device has resumed it; revoked, never."},
    [SEALMQ_PROMPT_CONTACT_UNVERIFIED] = {.severity = SEALMQ_SEVERITY_WARNING, .text =
        "A contact was verified and is not any more: its keys have changed, and none of the devices that you had verified has "
        "signed the change. Compare with the contact again by another way."},
    [SEALMQ_PROMPT_LINK_REQUEST] = {.severity = SEALMQ_SEVERITY_DECISION, .text =
        "A device asks to join this account. It will read all messages that come from now on, can send in your name, and can "
        "put out your other devices. Approve it only if it is in your hands and shows this very code."},
    [SEALMQ_PROMPT_LINKED] = {.severity = SEALMQ_SEVERITY_INFO, .text =
        "This device has joined the account. Messages from before are not on it and cannot be fetched: it reads what comes from "
        "now on."},
    [SEALMQ_PROMPT_UNLINKED] = {.severity = SEALMQ_SEVERITY_WARNING, .text =
        "This device was not let into the account that it was to join: its linking has not taken place. Link it again: it gets other "
        "keys, and what waits here is dropped. Should the account show this device later all the same, revoke it there."},
    [SEALMQ_PROMPT_REQUEST] = {.severity = SEALMQ_SEVERITY_INFO, .text =
        "This is from somebody who is not allowed to write to this account yet. Whoever is answered, or accepted, may write on; who is "
        "refused is blocked, and not told."},
    [SEALMQ_PROMPT_ON_HOLD] = {.severity = SEALMQ_SEVERITY_WARNING, .text =
        "The operator of the relay has put this account or this device on hold. It sends and receives nothing until it is "
        "released; what comes for it waits, and nothing is lost here. Ask the operator why."},
    [SEALMQ_PROMPT_TOKEN_WANTED] = {.severity = SEALMQ_SEVERITY_DECISION, .text =
        "This relay takes only accounts that its product vouches for: get a registration token there, for this account and "
        "its handle."},
    [SEALMQ_PROMPT_RECOVERY_USED] = {.severity = SEALMQ_SEVERITY_WARNING, .text =
        "This account was recovered: a device was added with its recovery key. If it was not you, somebody else has that key: "
        "he can take the account from you, and you cannot stop it with your devices. Tell your contacts, and begin a new "
        "account."},
    [SEALMQ_PROMPT_RECOVERY_CHANGED] = {.severity = SEALMQ_SEVERITY_WARNING, .text =
        "Another device of this account, or whoever has its old recovery key, has set a recovery key: an older one counts no "
        "more. If it was not you, somebody else can take this account: tell your contacts, and begin a new one."},
    [SEALMQ_PROMPT_RECOVERY_UNCONFIRMED] = {.severity = SEALMQ_SEVERITY_WARNING, .text =
        "A recovery key was set for this account, and nobody has shown yet to have it: type it again while you have it at hand. "
        "Without it the account cannot be recovered, and no other key can be set, ever."},
    [SEALMQ_PROMPT_OLD_MESSAGES] = {.severity = SEALMQ_SEVERITY_INFO, .text =
        "This device was added with the recovery key. Messages from before it cannot be restored, but for those that came with a "
        "backup, and neither can those that wait for the account's other devices. Contacts who had verified you see that the account was recovered, and must "
        "compare again."},
    [SEALMQ_PROMPT_CONTACT_DEVICES] = {.severity = SEALMQ_SEVERITY_INFO, .text =
        "A contact's devices have changed: what is sealed from now on is for those that it has now, and for no other."},
    [SEALMQ_PROMPT_CONTACT_BEHIND] = {.severity = SEALMQ_SEVERITY_DECISION, .text =
        "The relay does not show all of this contact's keys: it has lost a part, or hides one, as a device that was removed "
        "would want. The message waits: ask the contact by another way before it is released."},
    [SEALMQ_PROMPT_CONTACT_REFOUNDED] = {.severity = SEALMQ_SEVERITY_DECISION, .text =
        "This contact's account was recovered: a device came in with the recovery key, and no device of before vouches for "
        "it. The message waits: ask the contact by another way before it is released."},
    [SEALMQ_PROMPT_OWN_DEVICES] = {.severity = SEALMQ_SEVERITY_WARNING, .text =
        "Another device of this account can read future messages. If this was not you: revoke it now, from this device."},
    [SEALMQ_PROMPT_CONTACT_SILENT] = {.severity = SEALMQ_SEVERITY_WARNING, .text =
        "No device of this contact has confirmed its keys for two weeks: if one was removed meanwhile, the relay may be hiding "
        "it. Ask the contact by another way before anything delicate is sent."},
    [SEALMQ_PROMPT_WEAK_SESSION] = {.severity = SEALMQ_SEVERITY_INFO, .text =
        "A device of this contact has no one-time keys left at the relay: until it has been online and answered, its first "
        "messages are less well protected."},
    [SEALMQ_PROMPT_HOME_COPIED] = {.severity = SEALMQ_SEVERITY_WARNING, .text =
        "This device was set back to an older copy, or a copy of it is in use elsewhere. What was sent and received with the "
        "other copy is not here. Keys for new messages were made anew. If nobody has restored it, somebody else has the keys "
        "of this device: tell your contacts."},
};
#define PROMPT_COUNT (sizeof PROMPTS / sizeof PROMPTS[0])

enum sealmq_status sealmq_prompt_get(enum sealmq_prompt_id id, struct sealmq_prompt *out)
{
    enum status s = api_out(out);
    if (s != STATUS_OK) return (enum sealmq_status)s;
    if ((size_t)id >= PROMPT_COUNT || PROMPTS[id].text == NULL) return SEALMQ_NOT_FOUND;
    struct sealmq_prompt prompt = PROMPTS[id];
    prompt.id = id;
    api_give(out, &prompt, sizeof prompt);
    return SEALMQ_OK;
}

enum status reason_of_message(enum message_state state, enum status reason)
{
    if (state == MESSAGE_HELD && reason == STATUS_STALE_DEVICES) return STATUS_CONTACT_RECOVERED;
    if (state == MESSAGE_HELD && reason == STATUS_RELAY_BEHIND) return STATUS_CONTACT_BEHIND;
    if (state == MESSAGE_REFUSED && reason == STATUS_REFUSED) return STATUS_NO_DEVICES;
    return reason;
}

enum sealmq_prompt_id prompt_of_message(enum message_state state, enum status reason, bool sealed)
{
    if (state == MESSAGE_HELD && reason == STATUS_CONTACT_BEHIND) return SEALMQ_PROMPT_CONTACT_BEHIND;
    if (state == MESSAGE_HELD && reason == STATUS_CONTACT_RECOVERED) return SEALMQ_PROMPT_CONTACT_REFOUNDED;
    if (state == MESSAGE_HELD) return SEALMQ_PROMPT_CONTACT_CHANGED;
    if (state == MESSAGE_UNKNOWN) return SEALMQ_PROMPT_MAY_HAVE_COME;
    return sealed ? SEALMQ_PROMPT_NONE : SEALMQ_PROMPT_NOT_SEALED;
}

static enum status seen_in(struct sealmq_client *c, uint32_t *bits)
{
    struct view value;
    *bits = 0;
    arena_reset(&c->arena);
    enum status s = state_setting_get(c->state, SEEN_SETTING, &c->arena, &value);
    if (s == STATUS_NOT_FOUND) return STATUS_OK;
    if (s == STATUS_OK && value.len != sizeof *bits) return STATUS_DAMAGED;
    if (s == STATUS_OK) *bits = get_u32(value.at);
    return s;
}

/* What stays untold until the user has seen it: a setting of one byte. */
static const struct {
    enum sealmq_prompt_id id;
    const char *setting;
} UNTOLD[] = {
    {SEALMQ_PROMPT_HOME_COPIED, STATE_COPIED_SETTING},
    {SEALMQ_PROMPT_RECOVERY_USED, RECOVERY_USED_SETTING},
    {SEALMQ_PROMPT_RECOVERY_CHANGED, RECOVERY_CHANGED_SETTING},
    {SEALMQ_PROMPT_OLD_MESSAGES, RESTORED_SETTING},
};
#define UNTOLD_COUNT (sizeof UNTOLD / sizeof UNTOLD[0])

/* Bits of the prompts that are due. */
static enum status due_in(struct sealmq_client *c, uint32_t *due)
{
    struct recovery_facts recovery;
    struct joining_facts joining;
    struct view value;
    uint32_t seen;
    enum status s = seen_in(c, &seen);
    if (s == STATUS_OK) s = state_recovery_brief(c->state, &c->arena, &recovery);
    if (s == STATUS_OK) s = state_joining(c->state, &c->arena, &joining);
    if (s != STATUS_OK) return s;
    if (joining_is_over(&joining)) *due |= 1u << SEALMQ_PROMPT_UNLINKED;
    if (!recovery.set && !(seen & 1u << SEALMQ_PROMPT_NO_RECOVERY)) *due |= 1u << SEALMQ_PROMPT_NO_RECOVERY;
    if (recovery.ours && !recovery.confirmed) *due |= 1u << SEALMQ_PROMPT_RECOVERY_UNCONFIRMED;
    for (size_t i = 0; i < UNTOLD_COUNT && s == STATUS_OK; i++) {
        s = state_setting_get(c->state, UNTOLD[i].setting, &c->arena, &value);
        if (s == STATUS_OK) *due |= 1u << UNTOLD[i].id;
        if (s == STATUS_NOT_FOUND) s = STATUS_OK;
    }
    return s;
}

enum status prompts_open(struct sealmq_client *c)
{
    uint32_t due = 0;
    enum status s = state_begin(c->state, STATE_READ);
    if (s == STATUS_OK) {
        s = due_in(c, &due);
        state_rollback(c->state);
    }
    for (unsigned id = 0; s == STATUS_OK && id < PROMPT_COUNT; id++)
        if (due & 1u << id) prompt_push(c, (enum sealmq_prompt_id)id, 0);
    return s == STATUS_OK ? s : (enum status)api_result(c, s);
}

/* NULL: it is not one of those. */
static const char *untold_setting(enum sealmq_prompt_id id)
{
    for (size_t i = 0; i < UNTOLD_COUNT; i++)
        if (UNTOLD[i].id == id) return UNTOLD[i].setting;
    return NULL;
}

static enum status seen_put_in(struct sealmq_client *c, enum sealmq_prompt_id id)
{
    uint32_t seen;
    uint8_t value[sizeof seen];
    if (untold_setting(id)) return state_setting_put(c->state, untold_setting(id), view_of(NULL, 0));
    enum status s = seen_in(c, &seen);
    put_u32(value, seen | 1u << id);
    return s == STATUS_OK ? state_setting_put(c->state, SEEN_SETTING, view_of(value, sizeof value)) : s;
}

enum sealmq_status sealmq_prompt_seen(struct sealmq_client *c, enum sealmq_prompt_id id)
{
    if (id != SEALMQ_PROMPT_NO_RECOVERY && !untold_setting(id)) return SEALMQ_OK;
    enum status s = state_begin(c->state, STATE_WRITE);
    if (s != STATUS_OK) return api_result(c, s);
    s = seen_put_in(c, id);
    if (s == STATUS_OK)
        s = state_commit(c->state);
    else
        state_rollback(c->state);
    return api_result(c, s);
}
