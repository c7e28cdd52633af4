/* api_inbox: messages for us as rows, and the application's word that it has taken them (ARCHITECTURE, step 6). */
#include "clients/api.h"

#include "broker/host/host.h"

#include <string.h>

#define LOCKED_TRIES 3u

/* Who sent a row, as this home knows it; and where another device of ours did, to whom. */
struct sender {
    struct view handle;
    bool verified;
    bool own;
    struct account_id to;
    struct view to_handle;
    bool request; /* nothing is said of it, and requests are on */
};

static void sender_give(const struct inbox_row *row, const struct sender *sender, struct sealmq_received *out)
{
    bool sealed = row->sealed;
    enum sealmq_prompt_id asks = sender->request ? SEALMQ_PROMPT_REQUEST : SEALMQ_PROMPT_NONE;
    struct sealmq_received full = {.order = row->order,
                                   .kind = sealed ? SEALMQ_SEALED : SEALMQ_OPAQUE,
                                   .prompt = sealed ? asks : SEALMQ_PROMPT_NOT_SEALED,
                                   .accepted_ms = row->accepted_ms, .received_ms = row->received_ms,
                                   .missing = row->missing,
                                   .payload = row->body.at, .payload_len = row->body.len,
                                   .verified = sender->verified, .own = sender->own, .request = sender->request};
    memcpy(full.account.bytes, row->sender_account.bytes, sizeof full.account.bytes);
    memcpy(full.device.bytes, row->sender_device.bytes, sizeof full.device.bytes);
    memcpy(full.id.bytes, row->id.bytes, sizeof full.id.bytes);
    memcpy(full.to.bytes, sender->to.bytes, sizeof full.to.bytes);
    api_text_copy(full.handle, sizeof full.handle, sender->handle);
    api_text_copy(full.to_handle, sizeof full.to_handle, sender->to_handle);
    api_give(out, &full, sizeof full);
}

static enum status handle_in(struct sealmq_client *c, struct account_id account, struct arena *a, struct view *out)
{
    enum status s = state_contact_handle(c->state, account, a, out);
    return s == STATUS_NOT_FOUND ? STATUS_OK : s;
}

/* What says not to whom came to this account. */
static enum status own_in(struct sealmq_client *c, const struct inbox_row *row, struct arena *a, struct sender *out)
{
    static const struct account_id nobody;
    struct state_identity me;
    enum status s = state_identity_get(c->state, a, &me);
    out->own = s == STATUS_OK && memcmp(&row->sender_account, &me.account, sizeof me.account) == 0;
    if (!out->own) return s;
    out->to = memcmp(&row->sent_to, &nobody, sizeof nobody) == 0 ? me.account : row->sent_to;
    return handle_in(c, out->to, a, &out->to_handle);
}

static enum status sender_in(struct sealmq_client *c, const struct inbox_row *row, struct arena *a, struct sender *out)
{
    struct contact contact;
    enum status s = handle_in(c, row->sender_account, a, &out->handle);
    if (s == STATUS_OK) s = own_in(c, row, a, out);
    if (s == STATUS_OK) s = state_contact_get(c->state, row->sender_account, &contact);
    out->verified = s == STATUS_OK && contact.verified_ms > 0;
    return s == STATUS_NOT_FOUND ? STATUS_OK : s;
}

enum status received_give(struct sealmq_client *c, const struct inbox_row *row, struct arena *a, struct sealmq_received *out)
{
    struct sender sender = {.verified = false};
    enum status s = sender_in(c, row, a, &sender);
    if (s == STATUS_OK) sender_give(row, &sender, out);
    return s;
}

static enum status next_in(struct sealmq_client *c, uint64_t after, struct inbox_row *row, struct sender *sender)
{
    struct state_identity me;
    struct inbox_scan scan = {.which = INBOX_UNSHOWN, .after = after, .rows = row, .row_max = 1};
    enum status s = state_inbox_scan(c->state, &scan, &c->inbox_arena);
    if (s == STATUS_OK && scan.row_count == 0) return STATUS_NOT_FOUND;
    if (s == STATUS_OK) s = sender_in(c, row, &c->inbox_arena, sender);
    if (s == STATUS_OK) s = state_identity_get(c->state, &c->inbox_arena, &me);
    return s == STATUS_OK ? state_is_request(c->state, &c->inbox_arena, me.account, row->sender_account, &sender->request) : s;
}

enum sealmq_status sealmq_inbox_next(struct sealmq_client *c, uint64_t after, struct sealmq_received *out)
{
    struct inbox_row row;
    struct sender sender = {.verified = false};
    arena_reset(&c->inbox_arena);
    enum status s = api_out(out);
    if (s == STATUS_OK) s = state_begin(c->state, STATE_READ);
    if (s != STATUS_OK) return api_result(c, s);
    s = next_in(c, after, &row, &sender);
    state_rollback(c->state);
    if (s == STATUS_OK) sender_give(&row, &sender, out);
    return api_result(c, s);
}

enum sealmq_status sealmq_ack(struct sealmq_client *c, const uint64_t *orders, size_t count)
{
    enum status s = STATUS_LOCKED;
    for (unsigned i = 0; s == STATUS_LOCKED && i < LOCKED_TRIES; i++)
        s = engine_ack(c->engine, host_now(), orders, count);
    api_changed(c);
    return api_result(c, s);
}
