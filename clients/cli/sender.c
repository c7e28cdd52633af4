/* sender: confirms claimed names (there is no way to ask the relay for the name of an account,
 * so the message brings it and the directory confirms it).
 * Invariant: no name is returned that is not this account's, here or in the relay's directory. */
#include "clients/cli/sender.h"

#include <stdio.h>
#include <string.h>

#define ASK_MS 2000u

static bool account_equal(struct sealmq_account a, struct sealmq_account b)
{
    return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

/* What this home knows. LOCAL_OTHER: the claimed name is somebody else's here. */
enum local { LOCAL_NAME, LOCAL_OTHER, LOCAL_NOTHING };

static enum local local_name(const struct device *d, const struct sealmq_received *received, const char *claimed,
                             char out[SENDER_NAME_MAX])
{
    struct sealmq_account known;
    bool taken = claimed[0] != '\0' && sealmq_contact_account(d->client, claimed, &known) == SEALMQ_OK;
    bool is_claimed = taken && account_equal(known, received->account);
    if (!is_claimed && received->handle[0] == '\0') return taken ? LOCAL_OTHER : LOCAL_NOTHING;
    snprintf(out, SENDER_NAME_MAX, "%s", is_claimed ? claimed : received->handle);
    return LOCAL_NAME;
}

static bool was_unconfirmed(const struct senders *s, struct sealmq_account account)
{
    for (size_t i = 0; i < s->count && i < SENDERS_MAX; i++)
        if (account_equal(s->unconfirmed[i], account)) return true;
    return false;
}

static bool has_session(struct device *d)
{
    struct sealmq_connection connection = SEALMQ_INIT(struct sealmq_connection);
    return sealmq_connection_get(d->client, &connection) == SEALMQ_OK && connection.session;
}

/* True when the relay's directory says so. */
static bool confirmed(struct senders *s, struct device *d, const struct loop_watch *watch,
                      struct sealmq_account account, const char *claimed)
{
    struct sealmq_account found;
    if (was_unconfirmed(s, account)) return false;
    if (s->unreachable && !has_session(d)) return false;
    enum sealmq_status status = loop_lookup(d, watch, claimed, ASK_MS, &found);
    s->unreachable = status == SEALMQ_TIMEOUT || status == SEALMQ_GONE;
    if (status == SEALMQ_OK && account_equal(found, account)) return true;
    if (!s->unreachable) s->unconfirmed[s->count++ % SENDERS_MAX] = account;
    return false;
}

/* What is known here; name: the claimed one, cut to what a handle may be. */
static enum local begin(const struct device *d, const struct sealmq_received *received, struct view claimed,
                        char name[SEALMQ_HANDLE_MAX + 1], char out[SENDER_NAME_MAX])
{
    snprintf(name, SEALMQ_HANDLE_MAX + 1, "%.*s", (int)claimed.len, (const char *)claimed.at);
    sealmq_account_text(received->account, out);
    return local_name(d, received, name, out);
}

void sender_known(const struct device *d, const struct sealmq_received *received, struct view claimed, char out[SENDER_NAME_MAX])
{
    char name[SEALMQ_HANDLE_MAX + 1];
    (void)begin(d, received, claimed, name, out);
}

void sender_name(struct senders *s, struct device *d, const struct loop_watch *watch,
                 const struct sealmq_received *received, struct view claimed, char out[SENDER_NAME_MAX])
{
    char name[SEALMQ_HANDLE_MAX + 1];
    if (begin(d, received, claimed, name, out) != LOCAL_NOTHING || name[0] == '\0') return;
    if (confirmed(s, d, watch, received->account, name)) snprintf(out, SENDER_NAME_MAX, "%s", name);
}
