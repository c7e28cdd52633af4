/* api_verify: comparing with a contact, and the user's word about it (PROTOCOL 10.8). */
#include "clients/api.h"

#include "broker/host/host.h"

#include <string.h>

static struct account_id id_of(struct sealmq_account account)
{
    struct account_id id;
    memcpy(id.bytes, account.bytes, sizeof id.bytes);
    return id;
}

/* Nobody verifies himself. */
static enum sealmq_status verify_result(struct sealmq_client *c, enum status s)
{
    if (s == STATUS_STATE) return api_fail(c, s, "that is this account itself: a contact's is wanted");
    if (s == STATUS_NOT_FOUND) return api_fail(c, s, "nothing is held of this account here: look it up by its handle first");
    return api_result(c, s);
}

/* ---- what is held ---- */

static enum status contact_in(struct sealmq_client *c, struct account_id account, struct contact *out, struct view *handle)
{
    enum status s = state_contact_get(c->state, account, out);
    if (s != STATUS_OK) return s;
    s = state_contact_handle(c->state, account, &c->arena, handle);
    return s == STATUS_NOT_FOUND ? STATUS_OK : s;
}

enum sealmq_status sealmq_contact_get(struct sealmq_client *c, struct sealmq_account account, struct sealmq_contact *out)
{
    struct contact held;
    struct view handle = {0};
    arena_reset(&c->arena);
    enum status s = api_out(out);
    if (s == STATUS_OK) s = state_begin(c->state, STATE_READ);
    if (s != STATUS_OK) return api_result(c, s);
    s = contact_in(c, id_of(account), &held, &handle);
    state_rollback(c->state);
    if (s != STATUS_OK) return verify_result(c, s);
    struct sealmq_contact full = {.account = account, .verified = held.verified_ms > 0,
                                  .verified_ms = held.verified_ms, .loss = (enum sealmq_loss)held.loss,
                                  .lost_ms = held.lost_ms, .hold = (enum sealmq_loss)held.hold,
                                  .hold_ms = held.hold_ms, .stated_ms = held.stated_ms,
                                  .silent = engine_is_silent(c->engine, host_now(), &held)};
    api_text_copy(full.handle, sizeof full.handle, handle);
    api_give(out, &full, sizeof full);
    return SEALMQ_OK;
}

/* ---- what is shown ---- */

enum sealmq_status sealmq_verify_number(struct sealmq_client *c, struct sealmq_account account,
                                        char out[SEALMQ_NUMBER_TEXT_LEN + 1])
{
    struct safety_pair pair;
    enum status s = engine_safety(c->engine, id_of(account), &pair);
    out[0] = '\0';
    if (s == STATUS_OK) safety_number(pair.own.account, pair.contact.account, out);
    return verify_result(c, s);
}

enum sealmq_status sealmq_verify_text(struct sealmq_client *c, struct sealmq_account account,
                                      char out[SEALMQ_VERIFY_TEXT_LEN + 1])
{
    struct safety_pair pair;
    enum status s = engine_safety(c->engine, id_of(account), &pair);
    out[0] = '\0';
    if (s == STATUS_OK) safety_text(&pair, out);
    return verify_result(c, s);
}

/* ---- what the other side shows ---- */

enum sealmq_status sealmq_verify_scan(struct sealmq_client *c, struct sealmq_account account, const char *text,
                                      enum sealmq_verdict *out)
{
    struct safety_pair shown;
    struct safety_result result;
    *out = SEALMQ_VERDICT_NONE;
    enum status s = safety_parse(text, &shown);
    if (s == STATUS_UNSUPPORTED) return api_fail(c, s, "the text is of a later version: update this one");
    if (s != STATUS_OK)
        return api_fail(c, s, "this is not the text of a sealmq device, or not all of it: scan or copy it again");
    s = engine_compare(c->engine, host_now(), id_of(account), &shown, &result);
    if (s == STATUS_OK) *out = (enum sealmq_verdict)result.verdict;
    api_changed(c);
    return verify_result(c, s);
}

enum sealmq_status sealmq_verify_set(struct sealmq_client *c, struct sealmq_account account, bool verified)
{
    return verify_result(c, engine_verify(c->engine, host_now(), id_of(account), verified));
}
