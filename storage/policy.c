/* policy: whom an account lets write to it (PROTOCOL 7.6): what it has said of others, and what becomes of a message, or
 * a claim of prekeys, of somebody of whom it has said nothing. Its mode and its requests stand in one row beside the account's,
 * and in its cache; what was said of each other one is a row of its own. Whoever has set nothing costs no read, no row and one
 * comparison. Invariant: who is refused cannot tell why. */
#include "storage/core.h"

#include <stdlib.h>
#include <string.h>

/* What was said of one other account, as it is in the store or in the turn under way. */
struct said {
    struct contact_pair pair;
    enum contact_verdict verdict;
};

_Static_assert(sizeof(struct contact_pair) == 2 * sizeof(struct account_id), "hashed as bytes");

enum answer { ANSWER_TAKE = 1, ANSWER_ASK, ANSWER_REFUSE };

static const uint8_t answers[CONTACT_MODES][CONTACT_VERDICTS] = {
    [CONTACT_MODE_OPEN] = {[CONTACT_NONE] = ANSWER_TAKE, [CONTACT_ALLOWED] = ANSWER_TAKE,
                           [CONTACT_BLOCKED] = ANSWER_REFUSE},
    [CONTACT_MODE_REQUESTS] = {[CONTACT_NONE] = ANSWER_ASK, [CONTACT_ALLOWED] = ANSWER_TAKE,
                               [CONTACT_BLOCKED] = ANSWER_REFUSE},
};

/* ---- the account's row ---- */

static struct policy_row *policy_new(void)
{
    struct policy_row *row = calloc(1, sizeof *row);
    ENSURE(row);
    row->mode = CONTACT_MODE_OPEN;
    return row;
}

/* One that cannot be read takes requests only, and is of version 0: the account's devices say all of it again. How many
 * rows there are nobody knows then: some, with room for more. */
struct policy_row *policy_load(struct storage *s, struct account_id id)
{
    struct store_key key = key_policy(id);
    if (!turn_knows(&s->turn, SPACE_IDENTITY, &key)) return NULL;
    struct view value = turn_get(&s->turn, SPACE_IDENTITY, &key);
    if (!value.at) return NULL;
    struct policy_row *row = policy_new();
    if (policy_row_read(value, row) == STATUS_OK) return row;
    if (value.len) s->turn.damage_count++; /* an empty one was counted when it was loaded */
    row->mode = CONTACT_MODE_REQUESTS;
    row->count = CONTACTS_MAX / 2;
    return row;
}

static struct account *cached(const struct storage *s, struct account_id id)
{
    return table_get(s->accounts, id.bytes);
}

struct policy_row *policy_of(const struct storage *s, struct account_id id)
{
    const struct account *a = cached(s, id);
    return a ? a->policy : NULL;
}

struct policy_row *policy_begin(struct storage *s, struct account_id id)
{
    struct account *a = cached(s, id);
    ENSURE(a);
    if (!a->policy) a->policy = policy_new();
    return a->policy;
}

void policy_put(struct storage *s, struct account_id id)
{
    struct store_key key = key_policy(id);
    turn_put(&s->turn, SPACE_IDENTITY, &key, policy_row_write(&s->turn.arena, policy_of(s, id)));
}

/* ---- what was said of one ---- */

/* Only an account that says something of somebody has rows to be looked at. */
void policy_want(struct storage *s, const struct contact_pair *pair)
{
    const struct account *a = cached(s, pair->account);
    if (a && !(a->policy && a->policy->count)) return;
    struct store_key key = key_contact(pair->account, pair->other);
    if (!table_get(s->contacts, pair)) turn_want(&s->turn, SPACE_IDENTITY, &key);
}

/* A cache: where it is full the row is looked at again next time. */
static void remember(struct storage *s, const struct contact_pair *pair, enum contact_verdict verdict)
{
    struct said *known = table_get(s->contacts, pair);
    if (known) {
        known->verdict = verdict;
        return;
    }
    known = malloc(sizeof *known);
    ENSURE(known);
    *known = (struct said){*pair, verdict};
    if (table_put(s->contacts, pair, known) != STATUS_OK) free(known);
}

/* What neither the cache nor the turn knows was not wanted, as the account had said nothing of anybody then; what it has
 * said since, in this turn, the turn knows. */
enum status policy_verdict(struct storage *s, const struct contact_pair *pair, enum contact_verdict *out)
{
    struct store_key key = key_contact(pair->account, pair->other);
    const struct said *known = table_get(s->contacts, pair);
    struct contact_row row = {.verdict = CONTACT_NONE};
    *out = known ? known->verdict : CONTACT_NONE;
    if (known || !turn_knows(&s->turn, SPACE_IDENTITY, &key)) return STATUS_OK;
    struct view value = turn_get(&s->turn, SPACE_IDENTITY, &key);
    if (value.at && contact_row_read(value, &row) != STATUS_OK) {
        if (value.len) s->turn.damage_count++;
        return STATUS_DAMAGED;
    }
    *out = (enum contact_verdict)row.verdict;
    remember(s, pair, *out);
    return STATUS_OK;
}

void policy_say(struct storage *s, const struct contact_pair *pair, enum contact_verdict verdict)
{
    struct store_key key = key_contact(pair->account, pair->other);
    struct contact_row row = {.verdict = verdict, .at_ms = s->turn.now_ms};
    if (verdict == CONTACT_NONE)
        turn_remove(&s->turn, SPACE_IDENTITY, &key);
    else
        turn_put(&s->turn, SPACE_IDENTITY, &key, contact_row_write(&s->turn.arena, &row));
    remember(s, pair, verdict);
}

void policy_trim(struct storage *s)
{
    size_t slot = 0;
    if (table_count(s->contacts) < CONTACTS_CACHED_MAX) return;
    for (size_t i = 0; i < CONTACTS_TRIMMED; i++) {
        struct said *victim = table_next(s->contacts, &slot);
        if (!victim) return;
        free(table_remove(s->contacts, &victim->pair));
        slot--;
    }
}

/* ---- requests ---- */

static struct policy_ask *ask_of(struct policy_row *policy, struct account_id other)
{
    for (size_t i = 0; i < policy->ask_count; i++)
        if (memcmp(&policy->asks[i].account, &other, sizeof other) == 0) return &policy->asks[i];
    return NULL;
}

void policy_decided(struct policy_row *policy, struct account_id other)
{
    struct policy_ask *ask = ask_of(policy, other);
    if (ask) *ask = policy->asks[--policy->ask_count];
}

/* Requests that nobody has decided for so long take no place any more. */
static void forget_old(struct policy_row *policy, uint64_t now_ms)
{
    for (size_t i = policy->ask_count; i-- > 0;)
        if (policy->asks[i].at_ms + REQUEST_KEEP_MS <= now_ms) policy->asks[i] = policy->asks[--policy->ask_count];
}

static bool may_ask(struct policy_row *policy, struct account_id other, uint64_t now_ms, enum event_stranger *why)
{
    forget_old(policy, now_ms);
    const struct policy_ask *ask = ask_of(policy, other);
    *why = ask ? STRANGER_ASKED : STRANGER_TOO_MANY;
    return ask ? ask->messages < REQUEST_MESSAGES_MAX : policy->ask_count < REQUEST_SENDERS_MAX;
}

/* ---- the decision ---- */

static bool is_own(const struct contact_pair *pair)
{
    return memcmp(&pair->account, &pair->other, sizeof pair->other) == 0;
}

static enum status answer_of(struct storage *s, const struct contact_pair *pair, const struct policy_row *policy,
                             enum answer *out)
{
    enum contact_verdict verdict = CONTACT_NONE;
    enum status status = policy->count ? policy_verdict(s, pair, &verdict) : STATUS_OK;
    *out = (enum answer)answers[policy->mode][verdict];
    return status == STATUS_OK ? status : STATUS_BUSY;
}

enum status policy_check(struct storage *s, const struct contact_pair *pair, bool resend, struct policy_finding *out)
{
    const struct account *a;
    enum answer answer;
    *out = (struct policy_finding){.why = STRANGER_BLOCKED};
    if (account_find(s, pair->account, &a) != STATUS_OK) return STATUS_OK; /* the gate says what is wrong */
    if (!a->policy || is_own(pair)) return STATUS_OK;
    enum status status = answer_of(s, pair, a->policy, &answer);
    if (status != STATUS_OK || answer == ANSWER_TAKE) return status;
    if (answer == ANSWER_REFUSE) return STATUS_NOT_ACCEPTED;
    out->request = !resend;
    return resend || may_ask(a->policy, pair->other, s->turn.now_ms, &out->why) ? STATUS_OK : STATUS_NOT_ACCEPTED;
}

void policy_note(struct storage *s, const struct contact_pair *pair)
{
    struct policy_row *policy = policy_of(s, pair->account);
    struct policy_ask *ask = ask_of(policy, pair->other);
    if (!ask) {
        ENSURE(policy->ask_count < REQUEST_SENDERS_MAX); /* policy_check was asked */
        ask = &policy->asks[policy->ask_count++];
        *ask = (struct policy_ask){.account = pair->other, .at_ms = s->turn.now_ms};
    }
    ask->messages++;
    policy_put(s, pair->account);
}

/* Who could not send now finds what a device without one-time prekeys leaves to everybody. Those who could, and are
 * strangers, have together what one account may claim. */
bool policy_gives(struct storage *s, const struct contact_pair *pair, struct device_id device)
{
    static const struct account_id strangers;
    struct policy_row *policy = policy_of(s, pair->account);
    enum answer answer;
    enum event_stranger why;
    uint32_t retry_after_ms;
    if (!policy || is_own(pair)) return true;
    if (answer_of(s, pair, policy, &answer) != STATUS_OK || answer == ANSWER_REFUSE) return false;
    if (answer == ANSWER_TAKE) return true;
    return may_ask(policy, pair->other, s->turn.now_ms, &why) &&
           prekey_meter_take(s->prekey_meter, strangers, device, s->mono_ms, &retry_after_ms) == STATUS_OK;
}
