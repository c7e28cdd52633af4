/* terms: noticing that a store has lost commits under which we hold receipts, and sending those
 * messages again (PROTOCOL 7.4). For each store: when the map shows a term up to which our receipts
 * have not been compared, ask TERMS since the oldest one; what lies beyond a term's end, or in a term
 * that never was, goes back to `queued` with its receipt. Invariant: a term is written down as compared
 * only in the transaction that requeued the last lost message before it. */
#include "clients/core.h"

#include <string.h>

#define LOST_PER_TX 256u

static bool store_equal(struct store_id a, struct store_id b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

static struct terms_ask *ask_of(struct engine *e, struct store_id store)
{
    for (size_t i = 0; i < e->store_count; i++)
        if (store_equal(e->stores[i].store, store)) return &e->stores[i];
    return NULL;
}

/* ---- noticing ---- */

static enum status oldest_receipt(struct engine *e, struct store_id store, struct outbox_row *out)
{
    return state_outbox_receipt(e->state, store, (struct term){{0}}, 0, 0, out);
}

/* One store of the map with news for us, or not. */
static enum status term_seen_in(struct engine *e, struct now now, const struct msg_range *range)
{
    struct outbox_row row;
    struct term compared;
    struct terms_ask *ask = ask_of(e, range->store);
    if (ask && ask->wanted && term_equal(ask->term, range->term)) return STATUS_OK;
    enum status s = state_term_get(e->state, range->store, &compared);
    if (s == STATUS_OK && term_equal(compared, range->term)) return STATUS_OK;
    if (s == STATUS_OK || s == STATUS_NOT_FOUND) s = oldest_receipt(e, range->store, &row);
    if (s == STATUS_NOT_FOUND) return STATUS_OK;
    if (s != STATUS_OK) return s;
    if (!ask && e->store_count == STORES_MAX) return STATUS_OK;
    if (!ask) ask = &e->stores[e->store_count++];
    *ask = (struct terms_ask){.store = range->store, .term = range->term, .wanted = true,
                              .since = row.receipt.term, .ask_ms = now.mono_ms,
                              .under_way = ask->under_way};
    return STATUS_OK;
}

enum status terms_seen(struct engine *e, struct now now)
{
    struct store_id last = {{0}};
    enum status s = tx_begin(e, STATE_READ);
    if (s != STATUS_OK) return s;
    for (size_t i = 0; i < e->map.range_count && s == STATUS_OK; i++) {
        const struct msg_range *range = &e->map.ranges[i];
        if (i && store_equal(range->store, last)) continue;
        last = range->store;
        s = term_seen_in(e, now, range);
    }
    return tx_end(e, s);
}

/* ---- asking ---- */

static bool home_in_store(const struct engine *e, struct store_id store, uint16_t *home)
{
    for (size_t i = 0; i < e->map.range_count; i++) {
        if (!store_equal(e->map.ranges[i].store, store)) continue;
        *home = (uint16_t)e->map.ranges[i].first;
        return true;
    }
    return false;
}

static void terms_ask(struct engine *e, struct now now, struct terms_ask *ask)
{
    struct msg_terms m = {.since = ask->since};
    uint16_t home;
    if (!home_in_store(e, ask->store, &home)) {
        ask->wanted = false; /* it comes again with a map that has it */
        return;
    }
    struct request *r = request_make(e, now, KIND_TERMS, home, &msg_terms_desc, &m);
    ask->ask_ms = now.mono_ms + RETRY_MIN_MS;
    if (!r) return;
    r->store = ask->store;
    r->since = ask->since;
    ask->under_way = true;
}

void terms_drive(struct engine *e, struct now now)
{
    if (!may_ask(e)) return;
    for (size_t i = 0; i < e->store_count; i++) {
        struct terms_ask *ask = &e->stores[i];
        if (ask->wanted && !ask->under_way && ask->ask_ms <= now.mono_ms)
            terms_ask(e, now, ask);
    }
}

uint64_t terms_deadline_ms(const struct engine *e)
{
    uint64_t deadline = NEVER;
    for (size_t i = 0; i < e->store_count; i++)
        if (e->stores[i].wanted && !e->stores[i].under_way)
            earlier(&deadline, e->stores[i].ask_ms);
    return deadline;
}

static void terms_later(struct engine *e, struct now now, struct terms_ask *ask, uint64_t min_ms)
{
    uint64_t delay = backoff_ms(e, ask->tries++, RETRY_MIN_MS, RETRY_MAX_MS);
    ask->ask_ms = now.mono_ms + (delay > min_ms ? delay : min_ms);
}

/* ---- comparing ---- */

/* Where in (term, commit, order) order to look for the next receipt. */
struct cursor {
    struct term term;
    uint64_t commit;
    uint64_t after;
};

enum verdict { VERDICT_KEPT, VERDICT_LOST, VERDICT_OPEN };

/* What the answer to TERMS {since} says of a receipt; *skip is the last commit of its term with the same verdict. */
static enum verdict receipt_judge(const struct msg_terms_are *m, struct term since,
                                  const struct msg_receipt *receipt, uint64_t *skip)
{
    const struct msg_term_end *last = m->term_count ? &m->terms[m->term_count - 1] : NULL;
    *skip = UINT64_MAX;
    for (size_t i = 0; i < m->term_count; i++) {
        if (!term_equal(m->terms[i].term, receipt->term)) continue;
        if (m->terms[i].open || receipt->commit > m->terms[i].end)
            return m->terms[i].open ? VERDICT_KEPT : VERDICT_LOST;
        *skip = m->terms[i].end;
        return VERDICT_KEPT;
    }
    if (!m->complete || !last || term_compare(receipt->term, last->term) > 0 ||
        term_compare(receipt->term, since) < 0)
        return VERDICT_OPEN;
    return VERDICT_LOST;
}

bool store_is_gone(const struct engine *e, const struct outbox_row *row)
{
    struct store_id owner;
    uint16_t home;
    return store_of(e, home_of_account(row->target), &owner) &&
           !home_in_store(e, row->receipt.store, &home);
}

/* An `id_time` to that will not be proof of anything. */
enum status receipt_lost_in(struct engine *e, struct now now, struct outbox_row *row)
{
    row->lost = row->doubtful = true;
    row->submitted = false;
    row->due_ms = now.wall_ms;
    e->counts.resent_lost++;
    submit_wake(e, now, 0);
    enum status s = outbox_step_in(e, now, row, MESSAGE_EVENT_LOSE, STATUS_DAMAGED);
    if (s != STATUS_OK || !row->attempt) return s;
    /* What the resend rested on may be lost as well: from the beginning, with bytes of which the receipt says nothing. */
    row->attempt = 0;
    row->lost = false;
    return outbox_reseal_in(e, now, row, STATUS_DAMAGED);
}

/* Up to LOST_PER_TX steps; *done when there is no receipt behind the cursor. */
static enum status compare_in(struct engine *e, struct now now, const struct msg_terms_are *m,
                              struct term since, struct cursor *at, bool *done)
{
    for (size_t i = 0; i < LOST_PER_TX; i++) {
        struct outbox_row row;
        uint64_t skip;
        enum status s = state_outbox_receipt(e->state, m->store, at->term, at->commit, at->after,
                                             &row);
        *done = s == STATUS_NOT_FOUND;
        if (s != STATUS_OK) return *done ? STATUS_OK : s;
        bool lost = receipt_judge(m, since, &row.receipt, &skip) == VERDICT_LOST;
        *at = lost ? (struct cursor){row.receipt.term, row.receipt.commit, row.order}
                   : (struct cursor){row.receipt.term, skip, UINT64_MAX};
        if (lost) s = receipt_lost_in(e, now, &row);
        if (s != STATUS_OK) return s;
    }
    return STATUS_OK;
}

static enum status compare_page(struct engine *e, struct now now, const struct msg_terms_are *m,
                                struct term since, struct cursor *at, bool *done)
{
    const struct msg_term_end *last = &m->terms[m->term_count - 1];
    enum status s = tx_begin(e, STATE_WRITE);
    if (s != STATUS_OK) return s;
    s = compare_in(e, now, m, since, at, done);
    if (s == STATUS_OK && *done && last->open) s = state_term_put(e->state, m->store, last->term);
    return tx_end(e, s);
}

void terms_reply(struct engine *e, struct now now, struct request *r, const struct frame *f)
{
    struct terms_ask *ask = ask_of(e, r->store);
    struct msg_terms_are m;
    struct cursor at = {.term = {{0}}};
    bool done = false;
    enum status s = STATUS_OK;
    ENSURE(ask);
    ask->under_way = false;
    if (codec_decode(&msg_terms_are_desc, f->meta, &e->arena, &m) != STATUS_OK ||
        !store_equal(m.store, r->store) || m.term_count == 0) {
        e->counts.frames_bad++;
        terms_later(e, now, ask, 0);
        return;
    }
    while (!done && s == STATUS_OK)
        s = compare_page(e, now, &m, r->since, &at, &done);
    if (!engine_fault(e, s)) {
        terms_later(e, now, ask, 0);
        return;
    }
    const struct msg_term_end *last = &m.terms[m.term_count - 1];
    ask->tries = 0;
    ask->ask_ms = now.mono_ms;
    ask->wanted = !last->open; /* the list goes on */
    if (ask->wanted && term_equal(ask->since, last->term)) terms_later(e, now, ask, 0);
    ask->since = last->term;
}

void terms_failed(struct engine *e, struct now now, struct request *r, enum status s,
                  uint32_t retry_after_ms)
{
    struct terms_ask *ask = ask_of(e, r->store);
    ENSURE(ask);
    ask->under_way = false;
    if (s == STATUS_WRONG_HOME) e->ping_wanted = true;
    if (s == STATUS_GONE || s == STATUS_NO_SESSION)
        ask->ask_ms = now.mono_ms;
    else
        terms_later(e, now, ask, retry_after_ms);
}
