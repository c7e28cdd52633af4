/* api_policy: what sealmq_contacts.h promises: whom this account lets write to it (PROTOCOL 7.6). */
#include "clients/api.h"

#include "broker/host/host.h"
#include "clients/sealmq_contacts.h"

#include <string.h>

#define X(NAME, code, text) _Static_assert((int)SEALMQ_ACCESS_##NAME == (int)(code), "sealmq_contacts.h: access " text);
CONTACT_VERDICT_LIST(X)
#undef X
_Static_assert(SEALMQ_ACCESS_MAX == CONTACTS_MAX, "sealmq_contacts.h: limits");

const char *sealmq_access_name(enum sealmq_access access)
{
    return contact_verdict_name((uint64_t)access);
}

static struct account_id id_of(struct sealmq_account account)
{
    struct account_id id;
    memcpy(id.bytes, account.bytes, sizeof id.bytes);
    return id;
}

static enum sealmq_status set_result(struct sealmq_client *c, enum status s)
{
    api_changed(c);
    if (s == STATUS_STATE) return api_fail(c, s, "that is this account itself: another one's is wanted");
    if (s == STATUS_FULL)
        return api_fail(c, s, "%u accounts are allowed or blocked, and no more can be: take something back first", CONTACTS_MAX);
    return api_result(c, s);
}

enum sealmq_status sealmq_access_set(struct sealmq_client *c, struct sealmq_account account, enum sealmq_access access)
{
    if ((unsigned)access >= CONTACT_VERDICTS) return api_fail(c, STATUS_MALFORMED, "an account is none, allowed or blocked");
    return set_result(c, engine_contact_set(c->engine, host_now(), id_of(account), (enum contact_verdict)access));
}

enum sealmq_status sealmq_requests_set(struct sealmq_client *c, bool on)
{
    return set_result(c, engine_mode_set(c->engine, host_now(), on ? CONTACT_MODE_REQUESTS : CONTACT_MODE_OPEN));
}

/* ---- what is kept ---- */

static void row_give(const struct state_verdict *v, struct view handle, struct sealmq_access_row *out)
{
    struct sealmq_access_row full = {.access = (enum sealmq_access)verdict_now(v), .pending = v->wished,
                                     .asked_ms = v->asked_ms};
    memcpy(full.account.bytes, v->account.bytes, sizeof full.account.bytes);
    api_text_copy(full.handle, sizeof full.handle, handle);
    api_give(out, &full, sizeof full);
}

/* The row of this account, or with a kind the first one above it. */
static enum status row_in(struct sealmq_client *c, enum verdict_which which, struct account_id account,
                          struct state_verdict *out, struct view *handle)
{
    struct verdict_scan scan = {.which = which, .after = account, .rows = out, .row_max = 1};
    struct state_policy p;
    enum status s = state_policy_get(c->state, &c->arena, &p);
    if (s != STATUS_OK) return s;
    if (which == VERDICT_ASKED && policy_mode(&p) != CONTACT_MODE_REQUESTS) return STATUS_NOT_FOUND;
    s = which ? state_verdict_scan(c->state, &scan) : state_verdict_get(c->state, account, out);
    if (which && s == STATUS_OK && !scan.row_count) return STATUS_NOT_FOUND;
    if (!which && s == STATUS_NOT_FOUND) s = STATUS_OK;
    if (s == STATUS_OK) s = state_contact_handle(c->state, out->account, &c->arena, handle);
    return s == STATUS_NOT_FOUND ? STATUS_OK : s;
}

static enum sealmq_status row_read(struct sealmq_client *c, enum verdict_which which, struct account_id account,
                                   struct sealmq_access_row *out)
{
    struct state_verdict v;
    struct view handle = {0};
    arena_reset(&c->arena);
    enum status s = api_out(out);
    if (s == STATUS_OK) s = state_begin(c->state, STATE_READ);
    if (s != STATUS_OK) return api_result(c, s);
    s = row_in(c, which, account, &v, &handle);
    state_rollback(c->state);
    if (s == STATUS_OK) row_give(&v, handle, out);
    return s == STATUS_NOT_FOUND ? SEALMQ_NOT_FOUND : api_result(c, s);
}

enum sealmq_status sealmq_access_get(struct sealmq_client *c, struct sealmq_account account, struct sealmq_access_row *out)
{
    return row_read(c, (enum verdict_which)0, id_of(account), out);
}

enum sealmq_status sealmq_access_next(struct sealmq_client *c, const struct sealmq_account *after,
                                      struct sealmq_access_row *out)
{
    return row_read(c, VERDICT_SAID, after ? id_of(*after) : (struct account_id){{0}}, out);
}

enum sealmq_status sealmq_request_next(struct sealmq_client *c, const struct sealmq_account *after,
                                       struct sealmq_access_row *out)
{
    return row_read(c, VERDICT_ASKED, after ? id_of(*after) : (struct account_id){{0}}, out);
}

enum sealmq_status sealmq_requests_get(struct sealmq_client *c, struct sealmq_requests *out)
{
    struct state_policy p;
    arena_reset(&c->arena);
    enum status s = api_out(out);
    if (s == STATUS_OK) s = state_begin(c->state, STATE_READ);
    if (s != STATUS_OK) return api_result(c, s);
    s = state_policy_get(c->state, &c->arena, &p);
    state_rollback(c->state);
    if (s == STATUS_OK) {
        struct sealmq_requests full = {.on = policy_mode(&p) == CONTACT_MODE_REQUESTS,
                                       .pending = p.wish != CONTACT_MODE_UNCHANGED};
        api_give(out, &full, sizeof full);
    }
    return api_result(c, s);
}
