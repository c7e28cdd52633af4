/* delivery: states and outcomes (ARCHITECTURE, step 7). Invariants: states move only forward but for
 * a retracted offer; an outcome is written once and never changed. */
#include "storage/delivery.h"

#include <string.h>

#define REJECT 0xff
/* Each attempt has a first place and a last one (reoffer.c); more is a ring of damaged rows. */
#define STEPS_MAX (2u * (1u + RESENDS_MAX))

/* Row: state; column: event; value: the next state. What is not listed is rejected. */
static const uint8_t steps[DELIVERY_FAILED + 1][DELIVERY_EVENTS] = {
    [DELIVERY_NONE] = {REJECT, REJECT, REJECT, REJECT, REJECT, REJECT, REJECT, REJECT, REJECT},
    [DELIVERY_QUEUED] = {[EVENT_OFFER] = DELIVERY_OFFERED, [EVENT_RETRACT] = REJECT,
                         [EVENT_RECEIPT] = REJECT, [EVENT_SETTLE] = REJECT, [EVENT_FAIL] = REJECT,
                         [EVENT_REOFFER] = REJECT, [EVENT_EXPIRE] = DELIVERY_NONE,
                         [EVENT_DAMAGE] = DELIVERY_FAILED, [EVENT_REPLACE] = REJECT},
    [DELIVERY_OFFERED] = {[EVENT_OFFER] = DELIVERY_OFFERED, [EVENT_RETRACT] = DELIVERY_QUEUED,
                          [EVENT_RECEIPT] = DELIVERY_DELIVERED, [EVENT_SETTLE] = DELIVERY_NONE,
                          [EVENT_FAIL] = DELIVERY_FAILED, [EVENT_REOFFER] = REJECT,
                          [EVENT_EXPIRE] = DELIVERY_NONE, [EVENT_DAMAGE] = REJECT,
                          [EVENT_REPLACE] = REJECT},
    [DELIVERY_DELIVERED] = {[EVENT_OFFER] = DELIVERY_DELIVERED,
                            [EVENT_RETRACT] = DELIVERY_DELIVERED,
                            [EVENT_RECEIPT] = DELIVERY_DELIVERED, [EVENT_SETTLE] = DELIVERY_NONE,
                            [EVENT_FAIL] = DELIVERY_FAILED, [EVENT_REOFFER] = REJECT,
                            [EVENT_EXPIRE] = DELIVERY_NONE, [EVENT_DAMAGE] = DELIVERY_FAILED, [EVENT_REPLACE] = REJECT},
    [DELIVERY_DECRYPTED] = {REJECT, REJECT, REJECT, REJECT, REJECT, REJECT, REJECT, REJECT, REJECT},
    [DELIVERY_FAILED] = {[EVENT_OFFER] = REJECT, [EVENT_RETRACT] = REJECT,
                         [EVENT_RECEIPT] = REJECT, [EVENT_SETTLE] = REJECT, [EVENT_FAIL] = REJECT,
                         [EVENT_REOFFER] = DELIVERY_QUEUED, [EVENT_EXPIRE] = DELIVERY_NONE,
                         [EVENT_DAMAGE] = REJECT, [EVENT_REPLACE] = DELIVERY_NONE},
};

enum status delivery_step(enum delivery_state from, enum delivery_event event,
                          enum delivery_state *next)
{
    uint8_t to = steps[from][event];
    *next = to == REJECT ? from : (enum delivery_state)to;
    return to == REJECT ? STATUS_STATE : STATUS_OK;
}

bool delivery_claim(struct storage *s, struct view value, struct claim_row *claim,
                    struct msg_accepted *accepted)
{
    return claim_row_read(value, claim) == STATUS_OK &&
           codec_decode(&msg_accepted_desc, claim->answer, &s->turn.arena, accepted) == STATUS_OK;
}

bool delivery_part_of(const struct msg_accepted_part *part, uint16_t home, uint64_t accepted_ms,
                      struct delivery_ask *ask)
{
    *ask = (struct delivery_ask){.home = home, .device = part->device, .accepted_ms = accepted_ms,
                                 .at = {part->term, part->seq}, .final = {part->term, part->seq}};
    ask->answer = (struct msg_part_state){.device = part->device, .at_ms = accepted_ms};
    if (part->outcome == OUTCOME_OPEN) return true;
    ask->answer.outcome = part->outcome;
    return false;
}

/* What one question needs: its own row, the run that could cover it, the envelope row's existence. */
struct probe {
    struct delivery_ask *ask;
    struct store_key own;
    struct store_scan *run;
    struct store_scan *open;
};

static void probe_plan(struct storage *s, struct probe *p)
{
    struct delivery_ask *ask = p->ask;
    struct store_key from = key_position(ROW_RUN, ask->home, ask->device, ask->final);
    struct store_key all = key_mailbox(ROW_RUN, ask->home, ask->device);
    struct store_key end = key_end(key_view(&all));
    struct store_key envelope = key_position(ROW_ENVELOPE, ask->home, ask->device, ask->final);
    struct store_key next = key_after(key_view(&envelope));
    p->own = key_position(ROW_OUTCOME, ask->home, ask->device, ask->final);
    turn_want(&s->turn, SPACE_ROUTING, &p->own);
    core_mailbox_want(s, ask->home, ask->device);
    p->run = turn_scan(&s->turn, SPACE_ROUTING, &from, &end, 1, 4096);
    p->open = turn_scan(&s->turn, SPACE_PAYLOAD, &envelope, &next, 1, 4096);
    p->open->keys_only = true;
}

static bool run_covers(const struct probe *p, struct msg_part_state *answer)
{
    struct device_id device;
    struct position last;
    struct run_row run;
    if (!p->run->row_count) return false;
    if (key_position_read(p->run->rows[0].key, &device, &last) != STATUS_OK) return false;
    if (run_row_read(p->run->rows[0].value, &run) != STATUS_OK) return false;
    if (!term_equal(last.term, p->ask->final.term)) return false;
    if (p->ask->final.seq < run.first || p->ask->final.seq > last.seq) return false;
    answer->outcome = OUTCOME_SETTLED;
    answer->state = DELIVERY_NONE;
    answer->at_ms = run.at_ms > p->ask->accepted_ms ? run.at_ms : p->ask->accepted_ms; /* a run's time is its first one's */
    return true;
}

/* The state of one that is still in the mailbox: its row knows what was delivered, memory what was
 * offered. */
static enum delivery_state open_state(struct storage *s, const struct delivery_ask *ask)
{
    struct mailbox *m;
    if (core_mailbox(s, ask->home, ask->device, &m) != STATUS_OK) return DELIVERY_QUEUED;
    if (position_compare(ask->final, m->row.delivered) <= 0) return DELIVERY_DELIVERED;
    return mailbox_offers(m, ask->final) ? DELIVERY_OFFERED : DELIVERY_QUEUED;
}

/* To where it was offered again, or to the resend that was accepted in its place. */
static void follow(struct delivery_ask *ask, const struct outcome_row *row)
{
    ask->final = row->moved_to;
    if (row->outcome != OUTCOME_REPLACED) return;
    ask->answer.attempt = row->attempt;
    ask->answer.at_ms = ask->accepted_ms = row->at_ms;
}

static void answer_of_row(struct delivery_ask *ask, const struct outcome_row *row)
{
    ask->answer.state = row->state;
    ask->answer.outcome = row->outcome;
    ask->answer.reason = row->reason;
    ask->answer.at_ms = row->at_ms;
    ask->answer.report = row->report;
    ask->parked = row->state == DELIVERY_FAILED;
    ask->commitment = row->commitment;
    ask->client_version = row->client_version;
}

/* What is open, or parked, of a device that was revoked. */
static bool fence_answers(struct storage *s, struct delivery_ask *ask)
{
    struct mailbox *m;
    if (ask->answer.outcome != OUTCOME_OPEN || core_mailbox(s, ask->home, ask->device, &m) != STATUS_OK ||
        !m->row.revoked_ms)
        return false;
    ask->answer = (struct msg_part_state){.device = ask->device, .outcome = OUTCOME_REVOKED, .at_ms = m->row.revoked_ms,
                                          .attempt = ask->answer.attempt};
    ask->parked = false;
    return true;
}

/* Fills the answer; true when the delivery was moved and must be looked up again. */
static bool probe_answer(struct storage *s, struct probe *p)
{
    struct delivery_ask *ask = p->ask;
    struct view own = turn_get(&s->turn, SPACE_ROUTING, &p->own);
    struct outcome_row row;
    if (own.at && outcome_row_read(own, &row) == STATUS_OK) {
        if (row.moved_to.seq) {
            follow(ask, &row);
            return true;
        }
        answer_of_row(ask, &row);
        (void)fence_answers(s, ask);
    } else if (run_covers(p, &ask->answer)) {
        return false;
    } else if (fence_answers(s, ask)) {
        return false;
    } else if (p->run->damaged || p->open->damaged || (own.at && !own.len)) {
        ask->answer.state = DELIVERY_FAILED; /* what is known cannot be read */
        ask->answer.reason = FAIL_DAMAGED;
    } else if (p->open->row_count) {
        ask->answer.state = (uint32_t)open_state(s, ask);
    } else if (s->turn.now_ms > ask->accepted_ms + s->config.ledger_keep_ms) {
        ask->old = true; /* its record may have been deleted, as promised */
    } else {
        ask->answer.outcome = OUTCOME_LOST;
        core_event(s, &(struct event){.kind = EVENT_DELIVERY_LOST, .count = 1,
                                      .device = mark_device(&s->config.mark_key, ask->device)});
    }
    return false;
}

enum status delivery_resolve(struct storage *s, struct delivery_ask *asks, size_t count)
{
    struct probe *probes = arena_array(&s->turn.arena, count, sizeof *probes);
    size_t left = count;
    for (size_t i = 0; i < count; i++)
        probes[i].ask = &asks[i];
    for (unsigned round = 0; left && round < STEPS_MAX; round++) {
        size_t again = 0;
        for (size_t i = 0; i < left; i++)
            probe_plan(s, &probes[i]);
        enum status status = turn_load(&s->turn, s->store);
        if (status != STATUS_OK) return status;
        for (size_t i = 0; i < left; i++)
            if (probe_answer(s, &probes[i])) probes[again++] = probes[i];
        left = again;
    }
    for (size_t i = 0; i < left; i++) {
        probes[i].ask->answer.state = DELIVERY_FAILED;
        probes[i].ask->answer.reason = FAIL_DAMAGED;
    }
    return STATUS_OK;
}
