/* verdict: when faults have stopped and everything has had its time: whether every message has come to
 * exactly one end, sender, recipient and relay agree about it, and nothing is left over anywhere.
 * Only here the devices' states are read as a whole. */
#include "tests/sim/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLY_LATE_MS 35000u /* the broker itself answers `unknown` after 30 s */
#define LEDGER_DAYS   8u
#define EXPLAINED_MAX 12u
#define EXPLAINED_ALL 60u /* where accounts have several devices, nearly all */
#define ADMIN_TRIES   8 /* a worker may be on its way back to this broker */

/* ---- settled ---- */

static bool outbox_next(struct device *d, struct outbox_scan *scan)
{
    ENSURE(state_begin(d->state, STATE_READ) == STATUS_OK);
    enum status s = state_outbox_scan(d->state, scan);
    state_rollback(d->state);
    ENSURE(s == STATUS_OK);
    scan->after = scan->rows->order;
    return scan->row_count > 0;
}

/* What is sealed anew for who cannot open it waits for prekeys each time, which the relay gives out slowly. */
static bool outbox_works(struct device *d, struct outbox_row *row)
{
    struct outbox_scan scan = {.class = CLASS_WORK, .rows = row, .row_max = 1};
    bool works;
    do
        works = outbox_next(d, &scan);
    while (works && ((row->attempt && forks_between(d, row)) || (row->state == MESSAGE_DRAFTED && forks_mute(d->sim, row))));
    return works;
}

/* Open rows that may still come to something. */
static bool outbox_waits(struct device *d, struct outbox_row *row)
{
    struct outbox_scan scan = {.class = CLASS_OPEN, .rows = row, .row_max = 1};
    bool waits;
    do
        waits = outbox_next(d, &scan);
    while (waits && (contacts_stuck(d->sim, row) || ends_is_given_up(d->sim, d, row)));
    return waits;
}

static bool device_settled(struct device *d)
{
    struct outbox_row row;
    const struct engine *e = d->sessions[SESSION_RECEIVER].engine;
    return !outbox_works(d, &row) && !outbox_waits(d, &row) && e &&
           engine_is_bound(e) && engine_is_idle(e) && contacts_settled(d);
}

/* It was revoked, or there is nobody left who would let it in: nothing more is to be expected of it. */
static bool is_gone(struct sim *s, size_t device)
{
    return truth_revoked_ms(s, s->devices[device].id) != SIM_NEVER || forks_out(&s->devices[device]);
}

bool verdict_settled(struct sim *s)
{
    if (!truth_settled(s)) return false;
    for (size_t i = 0; i < s->message_count; i++)
        if (!s->messages[i].kept && !s->messages[i].maybe && !is_gone(s, s->messages[i].from)) return false;
    for (size_t i = 0; i < s->device_count; i++)
        if (!is_gone(s, i) && !device_settled(&s->devices[i])) return false;
    return rogue_settled(s);
}

/* Says what is still open; the first thing found is enough. */
static void unsettled_tell(struct sim *s)
{
    struct outbox_row row;
    truth_check(s);
    for (size_t i = 0; i < s->message_count; i++)
        if (!s->messages[i].kept && !s->messages[i].maybe && !is_gone(s, s->messages[i].from))
            sim_fail(s, "message %zu of device %zu was never kept", i, s->messages[i].from);
    for (size_t i = 0; i < s->device_count; i++) {
        struct device *d = &s->devices[i];
        if (is_gone(s, i)) continue;
        if (outbox_works(d, &row) || outbox_waits(d, &row))
            sim_fail(s,
                     "not settled in time: device %zu, order %llu, key %s, state %s, reason %s, "
                     "part %s/%s",
                     i, (unsigned long long)row.order, row.key.text, message_state_name(row.state),
                     status_name(row.reason), delivery_state_name(row.parts[0].state),
                     outcome_name(row.parts[0].outcome));
    }
    for (size_t i = 0; i < s->device_count; i++) {
        struct device *d = &s->devices[i];
        if (!is_gone(s, i) && !device_settled(d))
            sim_fail(s, "not settled in time: device %zu has no session, or an answer is missing",
                     i);
    }
    sim_fail(s, "not settled in time: the rogue");
}

/* ---- inboxes ---- */

/* Whom the row says it was sent to: our own device's copies and notes do, others' messages do not. */
static void sent_to_check(struct sim *s, const struct device *d, const struct inbox_row *row, const struct app_message *m)
{
    static const struct account_id nobody;
    bool own = s->devices[m->from].owner == d->owner && m->sealed;
    const struct account_id *want = own ? &s->devices[m->to].account : &nobody;
    if (memcmp(&row->sent_to, want, sizeof *want) != 0)
        sim_fail(s, "device %zu has a message from %zu to %zu, and takes it for another one's", d->index, m->from, m->to);
    s->seen[SEEN_COPIED] += own && m->to != d->owner;
    s->seen[SEEN_NOTED] += own && m->to == d->owner;
}

/* It is for the recipient's devices; sealed also for the sender's other one. */
static bool may_have(const struct sim *s, const struct device *d, const struct app_message *m)
{
    bool own = s->devices[m->from].owner == d->owner && d->index != m->from;
    return d->owner == m->to ? d->index != m->from : own && m->sealed;
}

static void row_check(struct sim *s, const struct device *d, const struct inbox_row *row,
                      struct arrival *arrivals)
{
    struct buffer want = {0};
    struct reader r = reader_of(row->body);
    struct account_id rogue_account;
    struct device_id rogue;
    if (rogue_device(s, &rogue_account, &rogue) && device_equal(row->sender_device, rogue)) return;
    (void)read_view(&r, strlen(SIM_CANARY));
    uint64_t n = read_u64(&r);
    if (r.failed || n >= s->message_count) {
        sim_fail(s, "device %zu has an inbox row that nobody sent", d->index);
        return;
    }
    const struct app_message *m = &s->messages[n];
    const struct device *from = &s->devices[m->from];
    app_payload(s, n, &want);
    if (!view_equal(buffer_view(&want), row->body))
        sim_fail(s, "message %llu has other bytes in the inbox", (unsigned long long)n);
    if (!may_have(s, d, m))
        sim_fail(s, "message %llu is in the inbox of device %zu", (unsigned long long)n, d->index);
    sent_to_check(s, d, row, m);
    if (!device_equal(from->id, row->sender_device) ||
        memcmp(&from->account, &row->sender_account, sizeof from->account) != 0)
        sim_fail(s, "message %llu has another sender in the inbox", (unsigned long long)n);
    if (arrivals[n].count[d->index]++ && !m->released) sim_fail(s, "message %llu is twice in an inbox", (unsigned long long)n);
    arrivals[n].id[d->index] = row->id;
    s->seen[SEEN_SEALED] += m->sealed;
    if (m->sealed != row->sealed) sim_fail(s, "message %llu was sealed, or opaque", (unsigned long long)n);
    buffer_fini(&want);
}

static void inbox_check(struct sim *s, struct device *d, struct arrival *a)
{
    struct arena arena = {0};
    struct inbox_row rows[64];
    struct inbox_scan scan = {.rows = rows, .row_max = 64};
    ENSURE(state_begin(d->state, STATE_READ) == STATUS_OK);
    do {
        arena_reset(&arena);
        ENSURE(state_inbox_scan(d->state, &scan, &arena) == STATUS_OK);
        for (size_t i = 0; i < scan.row_count; i++)
            row_check(s, d, &rows[i], a);
        if (scan.row_count) scan.after = rows[scan.row_count - 1].order;
    } while (scan.row_count == scan.row_max && !s->failed);
    scan = (struct inbox_scan){.which = INBOX_CLOSED, .rows = rows, .row_max = 64};
    ENSURE(state_inbox_scan(d->state, &scan, &arena) == STATUS_OK);
    if (scan.row_count && !is_gone(s, d->index))
        sim_fail(s, "device %zu has messages that it never opened", d->index);
    state_rollback(d->state);
    arena_fini(&arena);
}

/* ---- outboxes ---- */

static enum status outbox_row_of(struct sim *s, const struct app_message *m, struct outbox_row *row)
{
    struct device *d = &s->devices[m->from];
    ENSURE(state_begin(d->state, STATE_READ) == STATUS_OK);
    enum status status = state_outbox_get(d->state, m->order, row);
    state_rollback(d->state);
    return status;
}

static bool has_outcome(const struct outbox_row *row, enum outcome outcome)
{
    for (size_t i = 0; i < row->part_count; i++)
        if (row->parts[i].outcome == (uint32_t)outcome) return true;
    return false;
}

static const struct device *device_by_id(const struct sim *s, struct device_id id)
{
    size_t n = device_number(s, id);
    return n < s->device_count ? &s->devices[n] : NULL;
}

/* Each device that has settled it has it once, under the row's id; and some device has. */
static bool has_arrived(const struct sim *s, const struct outbox_row *row, const struct arrival *a)
{
    size_t settled = 0;
    for (size_t i = 0; i < row->part_count; i++) {
        const struct device *d = device_by_id(s, row->parts[i].device);
        if (!d || row->parts[i].outcome != OUTCOME_SETTLED) continue;
        if (a->count[d->index] != 1 || !message_equal(a->id[d->index], row->id)) return false;
        settled++;
    }
    return settled > 0;
}

/* What was accepted and sealed has a copy where there is another device, and that an end of its own. */
static void copy_check(struct sim *s, size_t n, const struct outbox_row *message, const struct arrival *a)
{
    const struct app_message *m = &s->messages[n];
    const struct device *from = &s->devices[m->from];
    struct outbox_row copy;
    ENSURE(state_begin(from->state, STATE_READ) == STATUS_OK);
    enum status status = state_outbox_copy(from->state, message->order, &copy);
    state_rollback(from->state);
    bool wanted = m->sealed && message->level && second_of(s, m->from) && m->to != from->owner;
    if (wanted != (status == STATUS_OK)) {
        sim_fail(s, "message %zu of device %zu, %s: %s", n, m->from, message_state_name(message->state),
                 wanted ? "it has no copy" : "it has a copy");
        return;
    }
    if (!wanted) return;
    if (copy.state == MESSAGE_SETTLED && has_arrived(s, &copy, a)) return;
    if (copy.state == MESSAGE_REFUSED && m->ttl_ms && has_outcome(&copy, OUTCOME_EXPIRED)) return;
    sim_fail(s, "the copy of message %zu of device %zu ends as %s (%s)", n, m->from, message_state_name(copy.state),
             status_name(copy.reason));
}

static void message_check(struct sim *s, size_t n, const struct arrival *a)
{
    const struct app_message *m = &s->messages[n];
    struct outbox_row row;
    if (!m->kept) return;
    if (outbox_row_of(s, m, &row) != STATUS_OK) {
        sim_fail(s, "message %zu has vanished from its outbox", n);
        return;
    }
    if (m->to == SIM_DEVICES_MAX) { /* the rogue does what it likes with it: any end will do */
        if (message_class_of(row.state) != CLASS_ENDED)
            sim_fail(s, "message %zu to the rogue has no end", n);
        return;
    }
    if (s->truth) {
        ends_check(s, n, a, &row);
        return;
    }
    bool arrived = has_arrived(s, &row, a);
    copy_check(s, n, &row, a);
    /* A store that starts under a clock a year ahead ends what it holds: it cannot know better. */
    bool expired = (m->ttl_ms || s->leaps) && has_outcome(&row, OUTCOME_EXPIRED);
    /* The disk lost the recipient's account, which has come back since; the sender was told. */
    bool nobody = s->cuts && row.state == MESSAGE_REFUSED && row.reason == STATUS_NOT_FOUND &&
                  !row.receipt.commit;
    /* Who lies for three rounds about a recipient gets the message refused, also one that it took. */
    bool lied = s->profile->lie_pm && row.state == MESSAGE_REFUSED &&
                (row.reason == STATUS_STALE_DEVICES || row.reason == STATUS_RELAY_BEHIND);
    bool doubted = row.state == MESSAGE_UNKNOWN && s->profile->unknown_allowed;
    contacts_accepted(s, m, &row);
    if (row.state == MESSAGE_SETTLED && arrived) return;
    if (contacts_refused(s, m, &row) || contacts_stuck(s, &row)) return;
    if (row.state == MESSAGE_REFUSED && expired) return; /* it may have arrived, its ack too late */
    if (doubted || nobody || lied) return;
    sim_fail(
        s,
        "message %zu (device %zu to %zu, key %s) ends as %s (%s, part %s), and has %s",
        n, m->from, m->to, row.key.text, message_state_name(row.state), status_name(row.reason),
        outcome_name(row.parts[0].outcome), arrived ? "arrived" : "not arrived, or not as its sender believes");
}

/* Every acceptance that a client was told of belongs to a message that ended. */
static bool has_released(const struct sim *s, size_t device)
{
    for (size_t n = 0; n < s->message_count; n++)
        if (s->messages[n].from == device && s->messages[n].released) return true;
    return false;
}

static void accepted_check(struct sim *s, const struct message_ref *ref)
{
    struct outbox_row row;
    for (size_t i = 0; i < s->device_count; i++) {
        struct device *d = &s->devices[i];
        if (!device_equal(d->id, ref->sender) || is_gone(s, i)) continue;
        ENSURE(state_begin(d->state, STATE_READ) == STATUS_OK);
        enum status status = state_outbox_find_id(d->state, ref->id, &row);
        if (status != STATUS_OK || !target_equal(target_of_account(row.target), ref->target))
            status = state_outbox_find_copy(d->state, ref->id, &row);
        state_rollback(d->state);
        if (status != STATUS_OK && s->truth && has_released(s, i)) continue; /* accepted, called stale, held and released */
        if (status != STATUS_OK)
            sim_fail(s, "device %zu was told that a message is accepted, and has forgotten its id",
                     i);
        else if (row.state != MESSAGE_SETTLED && row.state != MESSAGE_REFUSED && !forks_between(d, &row) && !forks_mute(s, &row) && !s->leaps && !ends_is_given_up(s, d, &row) &&
                 !contacts_stuck(s, &row) &&
                 s->slept_days < LEDGER_DAYS) /* a sender away for longer may never learn the end */
            sim_fail(s, "accepted, and then %s: device %zu, %s", message_state_name(row.state), i,
                     row.key.text);
    }
}

/* ---- the relay ---- */

static bool admin_ask(struct sim *s, enum frame_kind kind, const struct codec_desc *desc,
                      const void *message, const struct codec_desc *reply, uint16_t home, void *out,
                      struct arena *arena)
{
    struct buffer frame = {0};
    struct frame f = {.header.kind = KIND_NONE};
    struct broker_host *h = &s->brokers[0];
    frame_write(&frame,
                &(struct frame_header){.kind = (uint8_t)kind, .home = home, .correlation = 77},
                desc, message);
    bool answered = false;
    for (int i = 0; i < ADMIN_TRIES && !answered; i++) {
        buffer_clear(&h->admin_reply);
        if (i) sim_run_for(s, 500);
        if (h->core) broker_host_ask(h, buffer_view(&frame));
        for (int k = 0; k < 20 && !h->admin_reply.len; k++)
            sim_run_for(s, 50);
        answered = frame_check(buffer_view(&h->admin_reply), FROM_RELAY, &f) == STATUS_OK &&
                   f.header.kind == kind_rule_of(kind)->reply &&
                   codec_decode(reply, f.meta, arena, out) == STATUS_OK;
    }
    struct msg_error error;
    if (!answered && f.header.kind == KIND_ERROR &&
        codec_decode(&msg_error_desc, f.meta, arena, &error) == STATUS_OK)
        sim_fail(s, "%s is answered %s", kind_name((unsigned)kind),
                 status_name((enum status)error.status));
    buffer_fini(&frame);
    return answered;
}

/* What operators see agrees: nothing pending, no envelope left but the rogue's, and for who is out. */
static void overview_check(struct sim *s)
{
    struct arena arena = {0};
    struct msg_overview m;
    struct msg_empty empty = {0};
    uint64_t queued = 0;
    bool kept = s->rogue;
    for (size_t i = 0; i < s->device_count; i++)
        kept = kept || forks_in(s, s->devices[i].owner); /* for who is out there, or may not hear that it was added */
    if (!admin_ask(s, KIND_OVERVIEW, &msg_empty_desc, &empty, &msg_overview_desc, 0, &m, &arena)) {
        sim_fail(s, "the broker gives no overview");
        m = (struct msg_overview){0};
    }
    for (size_t i = 0; i < m.worker_count; i++)
        queued += m.workers[i].queued_messages;
    if (queued && !kept)
        sim_fail(s, "%llu messages are queued at the end", (unsigned long long)queued);
    arena_fini(&arena);
}

/* One for each device of the target, but for the sender's own. */
static size_t parts_of(const struct sim *s, const struct message_ref *ref)
{
    size_t count = 0;
    for (size_t i = 0; i < s->device_count; i++)
        count += target_equal(target_of_account(s->devices[i].account), ref->target) &&
                 !device_equal(s->devices[i].id, ref->sender);
    return count ? count : 1; /* the rogue's */
}

/* explain() answers from the closed list, and not with a code that denies what was accepted (I13). */
static void explain_check(struct sim *s, const struct message_ref *ref)
{
    struct arena arena = {0};
    struct msg_explained m = {.part_count = 0};
    struct msg_explain ask = {.sender = ref->sender, .target = ref->target, .id = ref->id};
    if (!admin_ask(s, KIND_EXPLAIN, &msg_explain_desc, &ask, &msg_explained_desc,
                   home_of_target(ref->target), &m, &arena)) {
        sim_fail(s, "explain gives no answer");
    } else if (s->truth && m.part_count) {
        for (size_t i = 0; i < m.part_count; i++)
            ends_explained(s, ref, &m.parts[i]);
    } else if (m.part_count != parts_of(s, ref)) {
        bool old = m.code == EXPLAIN_OLDER_THAN_RETENTION && s->slept_days >= LEDGER_DAYS;
        if (!s->cuts && !s->leaps &&
            !old) /* a claim that was cut off after its end was told leaves no record */
            sim_fail(s, "explain of an accepted message gives %zu parts and code %s", m.part_count,
                     explain_name(m.code));
    }
    for (size_t i = 0; i < m.part_count && !s->failed && !s->truth; i++) {
        uint32_t code = m.parts[i].code;
        struct account_id account;
        struct device_id rogue;
        bool odd = rogue_device(s, &account, &rogue) &&
                   (device_equal(rogue, m.parts[i].device) || device_equal(rogue, ref->sender));
        bool stuck = s->profile->contacts_every_ms && code == EXPLAIN_FAILED_BROKEN;
        if (code != EXPLAIN_SETTLED && code != EXPLAIN_EXPIRED && !odd && !stuck)
            sim_fail(s, "explain says %s of a message that has ended", explain_name(code));
    }
    arena_fini(&arena);
}

static void relay_check(struct sim *s)
{
    size_t count = watch_accepted_count(s);
    sim_run_for(s, 3000); /* device rows and heartbeats catch up */
    overview_check(s);
    truth_check(s);
    for (size_t i = 0; i < (s->truth ? EXPLAINED_ALL : EXPLAINED_MAX) && count && !s->failed; i++) {
        struct message_ref ref = watch_accepted(s, rng_below(&s->rng, count));
        explain_check(s, &ref);
    }
    const struct asked *a = watch_unanswered(s, REPLY_LATE_MS);
    /* A client that is silent for three pings is forgotten with the replies that wait in the broker for
     * room in its queue; with tiny queues that happens. It asks again after its own time-out. */
    if (!s->failed && a && s->profile->edge_queue >= 32)
        sim_fail(s, "a %s of %llu ms has had no reply (broker %zu, number %u, correlation %llu)",
                 kind_name(a->kind), (unsigned long long)a->at_ms, a->broker, a->number,
                 (unsigned long long)a->correlation);
}

void verdict_check(struct sim *s)
{
    struct arrival *a = calloc(s->message_count + 1, sizeof *a);
    ENSURE(a);
    if (!verdict_settled(s)) unsettled_tell(s);
    for (size_t i = 0; i < s->device_count && !s->failed; i++)
        if (device_is_in(&s->devices[i])) inbox_check(s, &s->devices[i], a);
    for (size_t i = 0; i < s->message_count && !s->failed; i++)
        message_check(s, i, &a[i]);
    for (size_t i = watch_accepted_count(s); i-- > 0 && !s->failed;) {
        struct message_ref ref = watch_accepted(s, i);
        accepted_check(s, &ref);
    }
    if (!s->failed && s->profile->contacts_every_ms) contacts_check(s);
    if (!s->failed) forks_check(s);
    if (!s->failed) relay_check(s);
    free(a);
}
