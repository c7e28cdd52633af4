/* evil: lies about accounts of several devices, each consistent in itself (liar.c tells them): an old list of devices, for a
 * while and to one client alone, so that a revocation is kept from it and two clients are shown different heads; a device that
 * nobody has let in; a relay that calls every list stale, for a while, or between one sender and one recipient to the end;
 * another message's acceptance; another box's bytes. None of it may make anybody seal for a device that the real log never had,
 * nobody asks for ever, and when it ends everything goes on. */
#include "tests/sim/churn.h"

#include <sodium.h>
#include <string.h>

static size_t account_by_id(const struct sim *s, struct account_id id)
{
    for (size_t i = 0; i < s->account_count; i++)
        if (memcmp(&s->devices[i].account, &id, sizeof id) == 0) return i;
    return SIM_NEVER;
}

static size_t account_by_head(const struct sim *s, const struct hash256 *head)
{
    for (size_t i = 0; i < s->account_count; i++)
        if (memcmp(&truth_log(s, i)->head, head, sizeof *head) == 0) return i;
    return SIM_NEVER;
}

static size_t account_by_device(const struct sim *s, struct device_id id)
{
    for (size_t i = 0; i < s->account_count; i++)
        if (truth_standing(s, i, id)) return i;
    return SIM_NEVER;
}

bool evil_tells(const struct device *d, unsigned kind)
{
    if (d->sim->forks && !d->sim->calm && (kind == KIND_FOUND || kind == KIND_WELCOME)) return true;
    return kind == KIND_SENT && d->index == d->sim->stale.from;
}

/* What it is asked always, it answers with another lie now and then. */
static bool is_free(struct device *d, unsigned kind)
{
    struct sim *s = d->sim;
    return !s->calm && (!evil_tells(d, kind) || rng_chance(&s->rng, s->profile->lie_pm));
}

/* ---- an old list ---- */

/* How far this device is shown the account's log; for a while the same. */
static bool frozen_view(struct device *d, size_t account, struct msg_log_state *out)
{
    struct sim *s = d->sim;
    uint64_t length = truth_log(s, account)->length;
    if (d->frozen[account].until_ms <= s->now_ms) {
        d->frozen[account].length = length > 1 ? rng_between(&s->rng, 1, length - 1) : 1;
        d->frozen[account].until_ms = s->now_ms + rng_between(&s->rng, 500, 6000);
    }
    return truth_state(s, account, d->frozen[account].length, out);
}

uint64_t evil_number(struct view entry, struct arena *a)
{
    struct msg_entry signed_entry;
    struct msg_entry_body body;
    return entry_open(entry, a, &signed_entry, &body) == STATUS_OK ? body.number : 0;
}

static bool shorten(struct device *d, size_t account, struct msg_log_state *log, struct view *entries, size_t *count,
                    struct arena *a)
{
    struct msg_log_state old;
    size_t kept = 0;
    if (!frozen_view(d, account, &old) || old.length >= log->length) return false;
    while (kept < *count && evil_number(entries[kept], a) < old.length)
        kept++;
    *count = kept;
    *log = old;
    d->sim->seen[SEEN_OLD_LISTS]++;
    return true;
}

/* ---- a ghost ---- */

/* In the name of a device of the account, and signed by nobody of it. */
static bool haunt(struct device *d, size_t account, struct msg_log_state *log, struct view **entries, size_t *count,
                  struct arena *a)
{
    struct sim *s = d->sim;
    const struct identity_log *real = truth_log(s, account);
    uint8_t seed[32], sk[64];
    struct buffer entry = {0};
    struct entry_plan plan = {.operation = ENTRY_ADD, .made_ms = SIM_WALL_MS, .signer = s->devices[account].id};
    if (real->length != log->length || *count >= ENTRIES_PER_FRAME) return false;
    rng_fill(&s->rng, seed, sizeof seed);
    ENSURE(crypto_sign_seed_keypair(plan.record.signing.bytes, sk, seed) == 0);
    ENSURE(crypto_scalarmult_base(plan.record.identity.bytes, seed) == 0);
    seed[0] ^= 8;
    ENSURE(crypto_scalarmult_base(plan.record.transport.bytes, seed) == 0);
    device_prove(real->account, &plan.record, sk, &plan.proof);
    identity_log_make(real, &plan, sk, &entry);
    struct view *more = arena_array(a, *count + 1, sizeof *more);
    if (*count) memcpy(more, *entries, *count * sizeof *more);
    more[(*count)++] = arena_copy(a, buffer_view(&entry));
    *entries = more;
    log->head = log->version_head = entry_head_of(buffer_view(&entry), log->length);
    log->length++;
    log->key_version++;
    buffer_fini(&entry);
    s->seen[SEEN_GHOSTS]++;
    return true;
}

static bool either(struct device *d, size_t account, struct msg_log_state *log, struct view **entries, size_t *count,
                   struct arena *a)
{
    if (account == SIM_NEVER || !log->length) return false;
    return rng_chance(&d->sim->rng, 600) ? shorten(d, account, log, *entries, count, a)
                                         : haunt(d, account, log, entries, count, a);
}

bool evil_found(struct device *d, void *message, struct arena *a)
{
    struct msg_found *m = message;
    size_t account = account_by_id(d->sim, m->account);
    if (forks_tell(d, account, &m->log, &m->entries, &m->entry_count, a)) return true;
    return is_free(d, KIND_FOUND) && either(d, account, &m->log, &m->entries, &m->entry_count, a);
}

static bool own_is_old(struct device *d, struct msg_log_state *log, struct arena *a)
{
    struct view *no = NULL;
    size_t none = 0;
    bool told = forks_tell(d, d->owner, log, &no, &none, a);
    forks_notices(d->sim); /* it looks the log up */
    return told || (log->length && is_free(d, KIND_WELCOME) && shorten(d, d->owner, log, NULL, &none, a));
}

bool evil_welcome(struct device *d, void *message, struct arena *a)
{
    return own_is_old(d, &((struct msg_welcome *)message)->log, a);
}

/* ---- what became of a message ---- */

#define STALE_ANSWERS_MAX 6u /* three rounds of repair (PROTOCOL 7.2), the answer that ends it, and one that comes late or two */

void evil_start(struct sim *s)
{
    s->stale.from = s->stale.to = SIM_NEVER;
    if (!s->truth || !s->profile->lie_pm || !rng_chance(&s->rng, 600)) return;
    s->stale.from = rng_below(&s->rng, s->account_count);
    s->stale.to = (s->stale.from + 1 + rng_below(&s->rng, s->account_count - 1)) % s->account_count;
}

/* Nobody asks again and again. */
static void stale_count(struct sim *s, struct message_id id)
{
    struct stale_pair *p = &s->stale;
    size_t i = 0;
    while (i < p->told_count && !message_equal(p->told[i].id, id))
        i++;
    ENSURE(i < SIM_STALE_MAX);
    if (i == p->told_count) p->told[p->told_count++].id = id;
    if (++p->told[i].count > STALE_ANSWERS_MAX) sim_fail(s, "a message is sent again, though it was called stale %u times", p->told[i].count - 1);
}

/* To which account it went; SIM_NEVER: it was not taken. */
static size_t taken_by(const struct sim *s, const struct msg_sent_item *item, struct arena *a, struct message_id *id)
{
    struct msg_accepted accepted;
    bool is_taken = item->status == STATUS_OK || item->status == STATUS_ID_REUSED;
    if (!is_taken || codec_decode(&msg_accepted_desc, item->answer, a, &accepted) != STATUS_OK) return SIM_NEVER;
    *id = accepted.id;
    return accepted.part_count ? account_by_device(s, accepted.parts[0].device) : SIM_NEVER;
}

static void call_stale(const struct sim *s, struct msg_sent_item *item, size_t account, struct arena *a)
{
    struct msg_stale *stale = arena_alloc(a, sizeof *stale);
    stale->log = identity_log_state(truth_log(s, account));
    *item = (struct msg_sent_item){.status = STATUS_STALE_DEVICES, .stale = stale, .stale_count = 1};
}

/* Taken, and called stale all the same, for as long as it lasts; between two it never ends. */
static bool called_stale(struct device *d, struct msg_sent_item *item, struct arena *a)
{
    struct sim *s = d->sim;
    struct message_id id;
    size_t account = taken_by(s, item, a, &id);
    bool ever = account != SIM_NEVER && d->index == s->stale.from && account == s->stale.to;
    bool now = account != SIM_NEVER && item->status == STATUS_OK && d->stale_until_ms > s->now_ms && !s->calm;
    if (!ever && !now) return false;
    if (ever) stale_count(s, id);
    call_stale(s, item, account, a);
    s->seen[SEEN_FOREVER] += ever;
    s->seen[SEEN_STALE_LIES] += !ever;
    return true;
}

static bool swap(struct device *d, struct msg_sent *m)
{
    size_t a = rng_below(&d->sim->rng, m->item_count), b = rng_below(&d->sim->rng, m->item_count);
    if (a == b || m->items[a].status != STATUS_OK || m->items[b].status != STATUS_OK) return false;
    struct msg_sent_item kept = m->items[a];
    m->items[a] = m->items[b];
    m->items[b] = kept;
    d->sim->seen[SEEN_SWAPPED]++;
    return true;
}

static bool stale_lie(struct device *d, struct msg_stale *m, struct arena *a)
{
    size_t account = account_by_head(d->sim, &m->log.head);
    bool told = forks_tell(d, account, &m->log, &m->entries, &m->entry_count, a);
    forks_notices(d->sim); /* its message may be decided meanwhile */
    return told || either(d, account, &m->log, &m->entries, &m->entry_count, a);
}

bool evil_sent(struct device *d, void *message, struct arena *a)
{
    struct sim *s = d->sim;
    struct msg_sent *m = message;
    bool told = false;
    bool free = is_free(d, KIND_SENT);
    if (!m->item_count) return false;
    if (free && rng_chance(&s->rng, 100)) d->stale_until_ms = s->now_ms + rng_between(&s->rng, 500, 8000);
    for (size_t i = 0; i < m->item_count; i++) {
        struct msg_sent_item *item = &m->items[i];
        if (called_stale(d, item, a))
            told = true;
        else if (free && item->stale_count && item->status == STATUS_STALE_DEVICES)
            told = stale_lie(d, item->stale, a) || told;
    }
    return told || (free && swap(d, m));
}

/* ---- linking ---- */

/* What this one is shown comes from the slot that was shown last, whose ever it is. */
bool evil_link(struct device *d, void *message, struct arena *a)
{
    struct sim *s = d->sim;
    struct msg_link_is *m = message;
    struct view had = arena_copy(a, buffer_view(&s->link_bytes));
    if (!m->bytes.len) return false;
    buffer_clear(&s->link_bytes);
    write_view(&s->link_bytes, m->bytes);
    if (!had.len || view_equal(had, m->bytes)) return false;
    m->bytes = had;
    s->seen[SEEN_LINK_LIES]++;
    return true;
}
