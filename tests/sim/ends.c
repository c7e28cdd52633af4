/* ends: the verdict on messages between accounts of several devices, which come and go meanwhile: every part has one end, it
 * agrees with what its device holds, and nobody has what was not sent to it; so do the copies for the sender's other devices. */
#include "tests/sim/watch.h"

#define ROUNDS 3u /* of repair (PROTOCOL 7.2) */

static bool is_revoked(const struct sim *s, struct device_id device)
{
    return truth_revoked_ms(s, device) != SIM_NEVER;
}

/* It gets nothing any more, and nobody may be left to let it in again. */
static bool is_away(struct sim *s, struct device_id id)
{
    size_t n = device_number(s, id);
    return s->forks && n < s->device_count && forks_out(&s->devices[n]);
}

/* A recipient that is shown an old list of the sender's devices cannot open what the others seal: three times, and it is left
 * to the people. What came to a device under another's name is not sealed anew. */
bool ends_is_given_up(struct sim *s, struct device *from, const struct outbox_row *row)
{
    bool failed = false, out = false, reported = false, again = row->attempt && row->level && row->state != MESSAGE_ACCEPTED;
    if (again) return s->truth && forks_between(from, row); /* it waits for prekeys, and other parts are not asked for meanwhile */
    for (size_t i = 0; i < row->part_count; i++) {
        if (is_away(s, row->parts[i].device)) out = true;
        if (row->parts[i].outcome != OUTCOME_OPEN || is_away(s, row->parts[i].device)) continue;
        if (row->parts[i].state != DELIVERY_FAILED) return false;
        failed = failed || row->parts[i].outcome == OUTCOME_OPEN;
        reported = reported || (row->parts[i].outcome == OUTCOME_OPEN && !swaps_has(s, from->id, row->id, row->parts[i].device));
    }
    bool final = row->state == MESSAGE_ACCEPTED && (!reported || row->attempt >= RESENDS_MAX);
    return s->truth && s->profile->lie_pm && (failed || out) && (final || (row->state == MESSAGE_ACCEPTED && forks_between(from, row)));
}

/* One that was released may have gone before, under another id. */
static bool has_arrived(const struct sim *s, size_t n, const struct arrival *a, size_t device, struct message_id id)
{
    if (device >= SIM_DEVICES_MAX) return false;
    if (s->messages[n].released && a->count[device]) return true;
    return a->count[device] == 1 && message_equal(a->id[device], id);
}

/* NULL, or what is wrong. */
static const char *parts_wrong(const struct sim *s, size_t n, const struct arrival *a, const struct outbox_row *row)
{
    for (size_t i = 0; i < row->part_count; i++) {
        const struct msg_part_state *part = &row->parts[i];
        size_t device = device_number(s, part->device);
        if (device == SIM_NEVER) return "a part is for nobody";
        if (part->outcome == OUTCOME_OPEN) return "a part is open";
        if (part->outcome == OUTCOME_SETTLED && !has_arrived(s, n, a, device, row->id) &&
            !swaps_passed_over(s, s->devices[s->messages[n].from].id, row->id, device))
            return "a part is settled, and not in the inbox";
        if (part->outcome == OUTCOME_REVOKED && !is_revoked(s, part->device)) return "a part is revoked, its device is not";
        if (part->outcome == OUTCOME_EXPIRED && !s->messages[n].ttl_ms) return "a part has expired early";
    }
    return NULL;
}

static bool has_part(const struct outbox_row *row, struct device_id device)
{
    for (size_t i = 0; i < row->part_count; i++)
        if (device_equal(row->parts[i].device, device)) return true;
    return false;
}

/* Nobody has it under another id than its sender. */
static bool is_renamed(const struct sim *s, size_t n, const struct arrival *a, const struct outbox_row *row)
{
    for (size_t d = 0; d < s->device_count; d++)
        if (a->count[d] && !s->messages[n].released && !message_equal(a->id[d], row->id)) return true;
    return false;
}

static const char *strangers_have(const struct sim *s, const struct arrival *a, const struct outbox_row *row,
                                  const struct outbox_row *copy)
{
    for (size_t d = 0; d < s->device_count; d++)
        if (a->count[d] && !has_part(row, s->devices[d].id) && !has_part(copy, s->devices[d].id))
            return "a device has it that it was not sent to";
    return NULL;
}

/* All of it went to devices that were revoked, or expired. */
static bool all_ended_so(const struct outbox_row *row)
{
    for (size_t i = 0; i < row->part_count; i++)
        if (row->parts[i].outcome != OUTCOME_REVOKED && row->parts[i].outcome != OUTCOME_EXPIRED) return false;
    return row->part_count > 0;
}

/* It was never taken: in three rounds of repair the target had other devices again each time. */
static bool was_refused(const struct sim *s, size_t account, const struct outbox_row *row)
{
    bool stale = row->reason == STATUS_STALE_DEVICES || row->reason == STATUS_RELAY_BEHIND;
    if (row->state != MESSAGE_REFUSED || row->receipt.commit || !stale) return false;
    size_t rounds = truth_versions(s, account, row->created_ms - SIM_WALL_MS, row->ended_ms - SIM_WALL_MS);
    return s->profile->lie_pm || rounds >= ROUNDS;
}

/* There was nobody else in it. */
static bool was_alone(const struct outbox_row *row)
{
    return row->state == MESSAGE_REFUSED && !row->receipt.commit && row->reason == STATUS_REFUSED;
}

static const char *row_wrong(struct sim *s, size_t n, const struct arrival *a, const struct outbox_row *row, size_t target)
{
    if (ends_is_given_up(s, &s->devices[s->messages[n].from], row) || was_refused(s, target, row)) return NULL;
    if (was_alone(row) && target == s->devices[s->messages[n].from].owner) return NULL;
    if (row->state == MESSAGE_SETTLED || (row->state == MESSAGE_REFUSED && all_ended_so(row))) return parts_wrong(s, n, a, row);
    return "that is no end";
}

static enum status copy_of(struct device *d, uint64_t order, struct outbox_row *copy)
{
    ENSURE(state_begin(d->state, STATE_READ) == STATUS_OK);
    enum status status = state_outbox_copy(d->state, order, copy);
    state_rollback(d->state);
    return status;
}

void ends_check(struct sim *s, size_t n, const struct arrival *a, const struct outbox_row *row)
{
    const struct app_message *m = &s->messages[n];
    struct device *from = &s->devices[m->from];
    struct outbox_row copy;
    if (is_revoked(s, from->id) || forks_out(from)) return; /* it was told nothing more: parts.c and explain see the rest */
    if (s->profile->lie_pm && m->told != row->state)
        sim_fail(s, "message %zu of device %zu ends as %s, and its user was told %s", n, m->from, message_state_name(row->state),
                 message_state_name(m->told));
    if (is_renamed(s, n, a, row)) sim_fail(s, "message %zu of device %zu arrived under another id", n, m->from);
    if (m->from == s->stale.from && m->to == s->stale.to && row->state == MESSAGE_SETTLED)
        sim_fail(s, "message %zu is settled, and was never called taken", n);
    bool copied = copy_of(from, row->order, &copy) == STATUS_OK;
    bool waits = forks_on(from, m->to) && (row->state == MESSAGE_HELD || row->state == MESSAGE_REFUSED) && !row->level;
    const char *wrong = row_wrong(s, n, a, row, m->to), *copy_is = copied ? row_wrong(s, n, a, &copy, from->owner) : NULL;
    if (waits || (row->state == MESSAGE_DRAFTED && forks_mute(s, row))) wrong = NULL;
    if (copied && forks_on(from, from->owner) && copy.state == MESSAGE_REFUSED && !copy.level) copy_is = NULL;
    if (copied && copy.state == MESSAGE_DRAFTED && forks_mute(s, &copy)) copy_is = NULL;
    s->seen[SEEN_GIVEN_UP] += was_refused(s, m->to, row);
    /* A copy is never held: where the relay lies about its own account it comes to nothing. */
    if (copied && s->profile->lie_pm && copy.state == MESSAGE_REFUSED && copy.reason == STATUS_BAD_ENTRY) copy_is = NULL;
    if (copied && (!m->sealed || m->to == from->owner)) copy_is = "it should have none";
    if (!wrong && row->state == MESSAGE_SETTLED && !m->released) wrong = strangers_have(s, a, row, &copy);
    if (wrong)
        sim_fail(s, "message %zu (device %zu to %zu, key %s) ends as %s (%s): %s", n, m->from, m->to, row->key.text,
                 message_state_name(row->state), status_name(row->reason), wrong);
    if (copy_is)
        sim_fail(s, "the copy of message %zu of device %zu ends as %s (%s): %s", n, m->from, message_state_name(copy.state),
                 status_name(copy.reason), copy_is);
}

/* What support reads of a part that has ended, beside what its sender was told. */
void ends_explained(struct sim *s, const struct message_ref *ref, const struct msg_explained_part *part)
{
    size_t device = device_number(s, part->device);
    const struct part_end *told = parts_find(s, ref, part->device, part->attempt);
    bool ended = part->code == EXPLAIN_SETTLED || part->code == EXPLAIN_EXPIRED ||
                 (part->code == EXPLAIN_REVOKED && is_revoked(s, part->device));
    /* Who could seal it anew was revoked, or has tried three times: it lies there until its time is over. */
    ended = ended || (part->state == DELIVERY_FAILED && (is_revoked(s, ref->sender) || s->profile->lie_pm));
    ended = ended || (is_away(s, part->device) && part->outcome == OUTCOME_OPEN);
    if (!ended) sim_fail(s, "explain says %s of a part for device %zu", explain_name(part->code), device);
    if (told && told->outcome != part->outcome)
        sim_fail(s, "explain says %s, and the sender was told %s", outcome_name(part->outcome), outcome_name(told->outcome));
}
