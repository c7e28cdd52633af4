/* api_lookup: asking the relay which account a handle points to (PROTOCOL 6.3). The engine knows nothing of it: these
 * frames carry correlation ids of their own. Invariant: an answer is believed only with its proof, and a handle
 * that this home knows already is never given another account. */
#include "clients/api.h"

#include "broker/host/host.h"
#include "broker/wire/identity.h"

#include <stdio.h>
#include <string.h>

/* Correlation ids with this bit are ours, the engine's are small numbers. */
#define LOOKUP_BIT        (1ull << 63)
#define LOOKUP_DEFAULT_MS 10000u

static struct view handle_of(const struct api_lookup *l)
{
    return view_of(l->handle, strlen(l->handle));
}

static void finish(struct sealmq_client *c, struct api_lookup *l, enum status s, struct account_id account)
{
    struct sealmq_event event = {.kind = SEALMQ_EVENT_LOOKUP, .status = (enum sealmq_status)s};
    api_text_copy(event.handle, sizeof event.handle, handle_of(l));
    if (s == STATUS_OK) memcpy(event.account.bytes, account.bytes, sizeof event.account.bytes);
    event_push(c, &event);
    *l = (struct api_lookup){0};
}

static enum status handle_keep(struct sealmq_client *c, struct view handle, struct account_id account)
{
    enum status s = state_begin(c->state, STATE_WRITE);
    if (s != STATUS_OK) return s;
    s = state_handle_pin(c->state, handle, account);
    if (s == STATUS_OK) return state_commit(c->state);
    state_rollback(c->state);
    return s;
}

static enum status found_check(struct sealmq_client *c, struct arena *a, const struct msg_found *found, struct view handle)
{
    enum status s = state_begin(c->state, STATE_READ);
    if (s != STATUS_OK) return s;
    s = state_handle_vouched(c->state, a, found, handle);
    state_rollback(c->state);
    return s;
}

/* FOUND or ERROR. */
static enum status answer_read(struct sealmq_client *c, const struct frame *f, struct view handle,
                               struct account_id *account)
{
    struct arena a = {0};
    enum status s = STATUS_MALFORMED;
    if (f->header.kind == KIND_FOUND) {
        struct msg_found found;
        s = codec_decode(&msg_found_desc, f->meta, &a, &found);
        *account = found.account;
        if (s == STATUS_OK) s = found_check(c, &a, &found, handle);
    } else if (f->header.kind == KIND_ERROR) {
        struct msg_error error;
        if (codec_decode(&msg_error_desc, f->meta, &a, &error) == STATUS_OK) s = status_from_wire(error.status);
        if (s == STATUS_OK) s = STATUS_MALFORMED; /* an error that is none */
    }
    arena_fini(&a);
    return s;
}

bool lookup_answer(struct sealmq_client *c, struct view bytes)
{
    struct frame f;
    struct account_id account = {{0}};
    if (frame_check(bytes, FROM_RELAY, &f) != STATUS_OK || !(f.header.correlation & LOOKUP_BIT)) return false;
    for (size_t i = 0; i < SEALMQ_LOOKUPS_MAX; i++) {
        struct api_lookup *l = &c->lookups[i];
        if (l->correlation != f.header.correlation) continue;
        enum status s = answer_read(c, &f, handle_of(l), &account);
        if (s == STATUS_OK) s = handle_keep(c, handle_of(l), account);
        if (s == STATUS_OK) engine_learn(c->engine, host_now(), account);
        finish(c, l, s, account);
    }
    return true; /* a late one is nobody's */
}

static void lookup_send(struct sealmq_client *c, struct api_lookup *l)
{
    struct buffer frame = {0};
    struct msg_lookup ask = {.handle = handle_of(l)};
    struct frame_header header = {
        .kind = KIND_LOOKUP, .correlation = l->correlation, .home = home_of_handle(ask.handle)};
    frame_write(&frame, &header, &msg_lookup_desc, &ask);
    l->sent = transport_send(c->transport, buffer_view(&frame)) == STATUS_OK;
    buffer_fini(&frame);
}

void lookups_drive(struct sealmq_client *c, struct now now)
{
    for (size_t i = 0; i < SEALMQ_LOOKUPS_MAX; i++) {
        struct api_lookup *l = &c->lookups[i];
        if (!l->correlation) continue;
        if (now.mono_ms >= l->deadline_ms)
            finish(c, l, STATUS_TIMEOUT, (struct account_id){{0}});
        else if (!l->sent && engine_is_bound(c->engine))
            lookup_send(c, l);
    }
}

void lookups_down(struct sealmq_client *c)
{
    for (size_t i = 0; i < SEALMQ_LOOKUPS_MAX; i++)
        c->lookups[i].sent = false; /* again in the next session */
}

uint64_t lookups_deadline_ms(const struct sealmq_client *c)
{
    uint64_t deadline_ms = UINT64_MAX;
    for (size_t i = 0; i < SEALMQ_LOOKUPS_MAX; i++)
        if (c->lookups[i].correlation && c->lookups[i].deadline_ms < deadline_ms)
            deadline_ms = c->lookups[i].deadline_ms;
    return deadline_ms;
}

enum sealmq_status sealmq_lookup(struct sealmq_client *c, const char *handle, uint32_t timeout_ms)
{
    struct view name = view_of(handle, strlen(handle));
    if (handle_check(name) != STATUS_OK) return api_fail(c, STATUS_MALFORMED, HANDLE_RULE);
    for (size_t i = 0; i < SEALMQ_LOOKUPS_MAX; i++) {
        struct api_lookup *l = &c->lookups[i];
        if (l->correlation) continue;
        l->correlation = LOOKUP_BIT | ++c->lookup_count;
        l->sent = false;
        l->deadline_ms = host_now().mono_ms + (timeout_ms ? timeout_ms : LOOKUP_DEFAULT_MS);
        api_text_copy(l->handle, sizeof l->handle, name);
        api_changed(c);
        return SEALMQ_OK;
    }
    return api_fail(c, STATUS_FULL, "%u look-ups are under way already", SEALMQ_LOOKUPS_MAX);
}
