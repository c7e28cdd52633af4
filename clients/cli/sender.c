/* sender: confirms claimed names (there is no way to ask the relay for the name of an account,
 * so the message brings it and the directory confirms it).
 * Invariant: no name is returned that is not this account's, here or in the relay's directory. */
#include "clients/cli/sender.h"

#include <stdio.h>
#include <string.h>

#define ASK_MS 2000

static bool account_equal(struct account_id a, struct account_id b)
{
    return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

static void name_set(char out[SENDER_NAME_MAX], struct view name)
{
    snprintf(out, SENDER_NAME_MAX, "%.*s", (int)name.len, (const char *)name.at);
}

/* What this home knows. LOCAL_OTHER: the claimed name is somebody else's here. */
enum local { LOCAL_NAME, LOCAL_OTHER, LOCAL_NOTHING };

static enum local local_name_in(struct device *d, struct account_id account, struct view claimed,
                                struct view *name)
{
    struct state *state = client_state(d->client);
    struct account_id known = {{0}};
    *name = claimed;
    if (claimed.len > 0 && state_handle_get(state, claimed, &known) == STATUS_OK &&
        account_equal(known, account))
        return LOCAL_NAME;
    bool taken = !account_equal(known, (struct account_id){{0}});
    if (state_contact_handle(state, account, &d->arena, name) == STATUS_OK) return LOCAL_NAME;
    return taken ? LOCAL_OTHER : LOCAL_NOTHING;
}

static enum local local_name(struct device *d, struct account_id account, struct view claimed,
                             char out[SENDER_NAME_MAX])
{
    struct view name;
    struct state *state = client_state(d->client);
    if (state_begin(state, STATE_READ) != STATUS_OK) return LOCAL_NOTHING;
    enum local local = local_name_in(d, account, claimed, &name);
    if (local == LOCAL_NAME) name_set(out, name);
    state_rollback(state);
    return local;
}

static void name_keep(struct device *d, struct account_id account, struct view name)
{
    struct state *state = client_state(d->client);
    if (state_begin(state, STATE_WRITE) != STATUS_OK) return; /* asked again next time */
    enum status s = state_handle_put(state, name, account);
    if (s == STATUS_OK)
        s = state_commit(state);
    else
        state_rollback(state);
}

static bool was_unconfirmed(const struct senders *s, struct account_id account)
{
    for (size_t i = 0; i < s->count && i < SENDERS_MAX; i++)
        if (account_equal(s->unconfirmed[i], account)) return true;
    return false;
}

/* True when the relay's directory says so. */
static bool confirmed(struct senders *s, struct device *d, const struct client_watch *watch,
                      struct account_id account, struct view claimed)
{
    struct account_id found;
    if (was_unconfirmed(s, account)) return false;
    if (s->unreachable && !engine_is_bound(client_engine(d->client))) return false;
    enum status status =
        client_lookup(d->client, watch, claimed, client_now().mono_ms + ASK_MS, &found);
    s->unreachable = status == STATUS_TIMEOUT || status == STATUS_GONE;
    if (status == STATUS_OK && account_equal(found, account)) return true;
    if (!s->unreachable) s->unconfirmed[s->count++ % SENDERS_MAX] = account;
    return false;
}

void sender_name(struct senders *s, struct device *d, const struct client_watch *watch,
                 struct account_id account, struct view claimed, char out[SENDER_NAME_MAX])
{
    hex_encode(account.bytes, sizeof account.bytes, out);
    enum local local = local_name(d, account, claimed, out);
    if (local != LOCAL_NOTHING || claimed.len == 0) return;
    if (!confirmed(s, d, watch, account, claimed)) return;
    name_keep(d, account, claimed);
    name_set(out, claimed);
}
