/* api_device: the devices of an account, as this home holds its log, and changes of our own account's. */
#include "clients/api.h"

#include "broker/host/host.h"
#include "broker/wire/identity.h"

#include <string.h>

#define X(NAME, code, status, text) _Static_assert((int)SEALMQ_OBSTACLE_##NAME == (int)(code), "sealmq_devices.h: " text);
CHANGE_OBSTACLE_LIST(X)
#undef X
_Static_assert((int)SEALMQ_STANDING_ACTIVE == (int)STANDING_ACTIVE &&
                   (int)SEALMQ_STANDING_SUSPENDED == (int)STANDING_SUSPENDED &&
                   (int)SEALMQ_STANDING_REVOKED == (int)STANDING_REVOKED, "sealmq_devices.h: standings");
_Static_assert(SEALMQ_DEVICES_MAX == DEVICES_EVER_MAX && SEALMQ_DEVICE_NAME_MAX == DEVICE_NAME_LEN_MAX,
               "sealmq_devices.h: limits");

/* ---- names ---- */

const char *sealmq_standing_name(enum sealmq_standing standing)
{
    static const char *const names[] = {[STANDING_ACTIVE] = "active", [STANDING_SUSPENDED] = "suspended",
                                        [STANDING_REVOKED] = "revoked"};
    bool known = (size_t)standing < sizeof names / sizeof names[0] && names[standing];
    return known ? names[standing] : "?";
}

const char *sealmq_obstacle_name(enum sealmq_obstacle obstacle)
{
    return change_obstacle_name((unsigned)obstacle);
}

const char *sealmq_obstacle_meaning(enum sealmq_obstacle obstacle)
{
    static const char *const meanings[] = {
        [CHANGE_NONE] = "nothing is in the way",
        [CHANGE_UNDER_WAY] = "another change of this account's devices is on its way already, and goes on",
        [CHANGE_DONE] = "it is so already",
        [CHANGE_NO_DEVICE] = "there is no such device in this account",
        [CHANGE_REVOKED] = "that device was revoked, which is for ever",
        [CHANGE_LAST] = "that is the last active device: without it nobody can use this account any more",
        [CHANGE_RECOVERY] = "the recovery key has suspended that device, and only it resumes it",
        [CHANGE_SIGNER] = "this device is suspended or revoked itself, and changes nothing",
        [CHANGE_LOG_FULL] = "the account's log has no more room for such a change",
        [CHANGE_NOT_ALLOWED] = "this device may not do that",
        [CHANGE_DEVICES_FULL] = "the account has 16 devices, as many as it may have: revoke one first",
        [CHANGE_DEVICES_EVER] = "this account has had 24 devices, revoked ones included: no device can add another one to it any "
                                "more, only its recovery key can: recover the account on the new device",
    };
    return (size_t)obstacle < sizeof meanings / sizeof meanings[0] ? meanings[obstacle] : "?";
}

enum sealmq_status sealmq_device_name_check(const char *name, size_t len)
{
    return (enum sealmq_status)device_name_check(view_of(name, len));
}

/* ---- listing ---- */

static void row_fill(const struct log_device *d, const struct device_facts *facts, struct device_id own,
                     struct sealmq_device_row *out)
{
    *out = (struct sealmq_device_row){.standing = (enum sealmq_standing)d->standing, .own = device_equal(d->id, own),
                                      .by_recovery = d->held_by_recovery, .key_version = d->version,
                                      .added_ms = facts->added_ms};
    memcpy(out->device.bytes, d->id.bytes, sizeof out->device.bytes);
    memcpy(out->name, facts->name, facts->name_len);
}

/* What this device has asked for, and the relay acts on, is not in the log that it holds: its session ended with that. */
static enum sealmq_standing standing_told(const struct sealmq_client *c, enum sealmq_standing standing)
{
    if (!c->stopped || !c->left || standing == SEALMQ_STANDING_REVOKED) return standing;
    return c->left == ENTRY_REVOKE ? SEALMQ_STANDING_REVOKED : SEALMQ_STANDING_SUSPENDED;
}

static enum status row_read_in(struct sealmq_client *c, const char *handle, size_t index, struct sealmq_device_row *out)
{
    struct state_identity me;
    struct account_id account;
    struct contact contact;
    struct device_facts facts[DEVICES_EVER_MAX];
    enum status s = state_identity_get(c->state, &c->arena, &me);
    account = me.account;
    if (s == STATUS_OK && handle) s = state_handle_get(c->state, view_of(handle, strlen(handle)), &account);
    if (s == STATUS_OK) s = state_contact_get(c->state, account, &contact);
    if (s == STATUS_OK && index >= contact.log.device_count) s = STATUS_NOT_FOUND;
    if (s == STATUS_OK) s = state_device_facts(c->state, &c->arena, &contact.log, facts);
    if (s == STATUS_OK) row_fill(&contact.log.devices[index], &facts[index], me.device, out);
    if (s == STATUS_OK && out->own) out->standing = standing_told(c, out->standing);
    return s;
}

enum sealmq_status sealmq_device_get(struct sealmq_client *c, const char *handle, size_t index,
                                     struct sealmq_device_row *out)
{
    struct sealmq_device_row full;
    arena_reset(&c->arena);
    enum status s = api_out(out);
    if (s == STATUS_OK && handle && strlen(handle) > HANDLE_LEN_MAX) s = STATUS_NOT_FOUND;
    if (s == STATUS_OK) s = state_begin(c->state, STATE_READ);
    if (s != STATUS_OK) return api_result(c, s);
    s = row_read_in(c, handle, index, &full);
    state_rollback(c->state);
    if (s == STATUS_OK) api_give(out, &full, sizeof full);
    return api_result(c, s);
}

/* ---- changes ---- */

#define NAME_RULE "a device's name is 1 to 64 bytes of UTF-8 words without control characters or '/', one space between two"

enum sealmq_status sealmq_change(struct sealmq_client *c, const struct sealmq_change_options *options,
                                 enum sealmq_obstacle *why)
{
    struct sealmq_change_options full;
    enum change_obstacle obstacle = CHANGE_NONE;
    if (why) *why = SEALMQ_OBSTACLE_NONE;
    enum status s = api_take(options, &full, sizeof full);
    if (s != STATUS_OK) return api_result(c, s);
    struct change_wish wish = {.operation = (enum entry_operation)full.operation, .even_last = full.even_last};
    memcpy(wish.subject.bytes, full.device.bytes, sizeof wish.subject.bytes);
    if (full.name) wish.name = view_of(full.name, strlen(full.name));
    s = engine_change(c->engine, host_now(), &wish, &obstacle);
    api_changed(c);
    if (why) *why = (enum sealmq_obstacle)obstacle;
    if (s == STATUS_MALFORMED) return api_fail(c, s, full.name ? NAME_RULE : "no such change of a device");
    if (obstacle == CHANGE_NONE) return api_result(c, s);
    return api_fail(c, s, "%s", sealmq_obstacle_meaning((enum sealmq_obstacle)obstacle));
}
