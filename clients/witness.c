/* witness: where the relay shows another history of an account than the one that we hold, it is shown ours (PROTOCOL 6.3). Its
 * answer changes nothing here: the user is told and messages wait whatever it says. But a relay that was set back, or of which
 * two stores disagree, does not know it, and its operators hear of it from nobody else. Once for each account and process. */
#include "clients/drift.h"

#include <string.h>

#define TRIES_MAX 5u

static struct witness *place_of(struct engine *e, const struct account_id *account)
{
    struct witness *free_slot = NULL;
    for (size_t i = 0; i < WITNESSES_MAX; i++) {
        struct witness *w = &e->witnesses[i];
        if (w->stage != WITNESS_FREE && memcmp(&w->account, account, sizeof *account) == 0) return NULL;
        if (w->stage == WITNESS_FREE || (w->stage == WITNESS_SAID && !free_slot)) free_slot = w;
    }
    return free_slot;
}

void witness_want(struct engine *e, struct now now, struct account_id account)
{
    struct witness *w = place_of(e, &account);
    if (w) *w = (struct witness){.stage = WITNESS_DUE, .account = account, .first = 1, .ask_ms = now.mono_ms};
}

/* From the first entry on: where the two histories part only the relay can find, and it has to see what is before it. */
static void show(struct engine *e, struct now now, struct witness *w)
{
    struct msg_append m = {.account = w->account, .held = true};
    enum status s = tx_begin(e, STATE_READ);
    if (s == STATUS_OK) s = tx_end(e, pin_entries_in(e, w->account, w->first, &m.entries, &m.entry_count));
    w->ask_ms = now.mono_ms + RETRY_MIN_MS;
    if (!engine_fault(e, s)) return;
    bool nothing_new = m.entry_count == 0 || (m.entry_count == 1 && w->first > 1);
    if (nothing_new) w->stage = WITNESS_SAID;
    if (nothing_new) return;
    struct request *r = request_make(e, now, KIND_APPEND, home_of_account(w->account), &msg_append_desc, &m);
    if (!r) return;
    r->lookup = WITNESS_REQUEST + (size_t)(w - e->witnesses);
    w->last = w->first + m.entry_count - 1;
    w->stage = WITNESS_ASKED;
}

void witness_drive(struct engine *e, struct now now)
{
    if (!may_ask(e)) return;
    for (size_t i = 0; i < WITNESSES_MAX; i++)
        if (e->witnesses[i].stage == WITNESS_DUE && e->witnesses[i].ask_ms <= now.mono_ms) show(e, now, &e->witnesses[i]);
}

uint64_t witness_deadline_ms(const struct engine *e)
{
    uint64_t deadline = NEVER;
    for (size_t i = 0; i < WITNESSES_MAX; i++)
        if (e->witnesses[i].stage == WITNESS_DUE) earlier(&deadline, e->witnesses[i].ask_ms);
    return deadline;
}

/* All of this it has as well: what a longer log of ours has behind it, with its last one before that. */
void witness_reply(struct engine *e, struct now now, const struct request *r)
{
    struct witness *w = &e->witnesses[r->lookup - WITNESS_REQUEST];
    if (w->stage != WITNESS_ASKED) return;
    w->stage = w->last > w->first ? WITNESS_DUE : WITNESS_SAID;
    w->first = w->last;
    w->ask_ms = now.mono_ms;
    w->tries = 0;
}

void witness_failed(struct engine *e, struct now now, const struct request *r, enum status s, uint32_t retry_after_ms)
{
    struct witness *w = &e->witnesses[r->lookup - WITNESS_REQUEST];
    uint64_t delay = backoff_ms(e, w->tries, RETRY_MIN_MS, RETRY_MAX_MS);
    bool gone = s == STATUS_GONE || s == STATUS_NO_SESSION;
    bool again = gone || s == STATUS_TIMEOUT || s == STATUS_WRONG_HOME || status_client_action(s) == ACTION_RETRY;
    if (w->stage != WITNESS_ASKED) return;
    if (s == STATUS_WRONG_HOME) e->ping_wanted = true;
    w->stage = again && ++w->tries < TRIES_MAX ? WITNESS_DUE : WITNESS_SAID; /* stale_head: it has seen both now */
    w->ask_ms = now.mono_ms + (gone ? 0 : delay > retry_after_ms ? delay : retry_after_ms);
}
