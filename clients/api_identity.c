/* api_identity: this device and its account, as the home has them. Another process on the home may have changed them:
 * everything is read afresh. */
#include "clients/api.h"

#include "broker/host/host.h"
#include "broker/wire/identity.h"

#include <string.h>

#define REFUSED_SETTING "handle_refused" /* the handle that the relay did not give us */

static enum status refused_in(struct sealmq_client *c, struct view handle, bool *refused)
{
    struct view value;
    enum status s = state_setting_get(c->state, REFUSED_SETTING, &c->arena, &value);
    *refused = s == STATUS_OK && handle.len > 0 && view_equal(value, handle);
    return s == STATUS_NOT_FOUND ? STATUS_OK : s;
}

static enum status identity_in(struct sealmq_client *c, struct sealmq_identity *out)
{
    struct state_identity me;
    struct joining_facts joining;
    enum status s = state_identity_get(c->state, &c->arena, &me);
    if (s == STATUS_OK) s = refused_in(c, me.handle, &out->handle_refused);
    if (s != STATUS_OK) return s;
    memcpy(out->account.bytes, me.account.bytes, sizeof out->account.bytes);
    memcpy(out->device.bytes, me.device.bytes, sizeof out->device.bytes);
    memcpy(out->identity.bytes, me.record.identity.bytes, sizeof out->identity.bytes);
    memcpy(out->server.bytes, me.server.bytes, sizeof out->server.bytes);
    api_text_copy(out->handle, sizeof out->handle, me.handle);
    api_text_copy(out->endpoints, sizeof out->endpoints, me.endpoints);
    out->registered = me.registered;
    out->handle_ours = me.claimed;
    s = state_joining(c->state, &c->arena, &joining);
    out->joining = joining.joining;
    out->refused_ms = joining.refused_ms;
    out->unlinked = joining_is_over(&joining);
    return s;
}

enum sealmq_status sealmq_identity_get(struct sealmq_client *c, struct sealmq_identity *out)
{
    struct sealmq_identity full = {.registered = false};
    arena_reset(&c->arena);
    enum status s = api_out(out);
    if (s == STATUS_OK) s = state_begin(c->state, STATE_READ);
    if (s != STATUS_OK) return api_result(c, s);
    s = identity_in(c, &full);
    state_rollback(c->state);
    if (s == STATUS_OK) api_give(out, &full, sizeof full);
    return api_result(c, s);
}

/* Not kept: the relay refuses it once more, another time. */
void handle_refusal_keep(struct sealmq_client *c)
{
    struct state_identity me;
    arena_reset(&c->arena);
    if (state_begin(c->state, STATE_WRITE) != STATUS_OK) return;
    enum status s = state_identity_get(c->state, &c->arena, &me);
    if (s == STATUS_OK) s = state_setting_put(c->state, REFUSED_SETTING, me.handle);
    if (s != STATUS_OK || state_commit(c->state) != STATUS_OK) {
        if (c->state->open) state_rollback(c->state);
    }
}

enum sealmq_status sealmq_handle_claim(struct sealmq_client *c, const char *handle)
{
    enum status s = engine_register(c->engine, host_now(), view_of(handle, strlen(handle)));
    api_changed(c);
    if (s == STATUS_REFUSED)
        return api_fail(c, s, "only the device that founded this account claims handles for it");
    return s == STATUS_MALFORMED ? api_fail(c, s, HANDLE_RULE) : api_result(c, s);
}

enum sealmq_status sealmq_rotate(struct sealmq_client *c)
{
    enum status s = engine_rotate(c->engine, host_now());
    api_changed(c);
    if (s == STATUS_STATE) return api_fail(c, s, "another identity key is on its way already");
    if (s == STATUS_FULL) return api_fail(c, s, "another change of this account's devices is on its way: when it is made");
    if (s == STATUS_REFUSED) return api_fail(c, s, "this device was suspended or revoked: it changes nothing");
    return api_result(c, s);
}
