/* liar: a relay that says wrong things about identities (faults.md, row 20). What the relay really said was seen by the
 * watch; the engine gets something else: entries that nobody signed, logs that are shorter or longer than they are, ghost
 * devices, another's account. Whatever it says: no bytes are made for a device that is not the recipient's (the watch
 * looks at every SEND), and when it ends everything goes on. */
#include "tests/sim/churn.h"

#include <string.h>

/* An entry with a flipped bit, in its signature or in what is signed. */
static struct view forged(struct device *d, struct view entry, struct arena *a)
{
    struct view copy = arena_copy(a, entry);
    uint8_t *at = (uint8_t *)(uintptr_t)copy.at;
    if (copy.len) at[rng_below(&d->sim->rng, copy.len)] ^= (uint8_t)(1u << rng_below(&d->sim->rng, 8));
    return copy;
}

static void lie_of_state(struct device *d, struct msg_log_state *log)
{
    switch (rng_below(&d->sim->rng, 5)) {
    case 0: log->length += rng_between(&d->sim->rng, 1, 3); break;
    case 1: log->length -= log->length > 1; break;
    case 2: log->head.bytes[0] ^= 1; break;
    case 3: log->version_head.bytes[31] ^= 1; break;
    default: log->key_version++; break;
    }
}

static void lie_of_entries(struct device *d, struct view *entries, size_t *count, struct arena *a)
{
    size_t n = *count ? rng_below(&d->sim->rng, *count) : 0;
    if (*count == 0) return;
    if (rng_chance(&d->sim->rng, 500))
        entries[n] = forged(d, entries[n], a);
    else
        *count = n; /* it keeps some to itself */
}

static bool lie_found(struct device *d, void *message, struct arena *a)
{
    struct msg_found *m = message;
    switch (rng_below(&d->sim->rng, 3)) {
    case 0: lie_of_state(d, &m->log); break;
    case 1: lie_of_entries(d, m->entries, &m->entry_count, a); break;
    default: /* somebody else, with a proof that is not his */
        m->account = d->sim->devices[rng_below(&d->sim->rng, d->sim->device_count)].account;
        break;
    }
    return true;
}

static bool lie_sent(struct device *d, void *message, struct arena *a)
{
    struct msg_sent *m = message;
    struct device_id_list *ghost = arena_array(a, 1, sizeof *ghost);
    struct msg_sent_item *item = m->item_count ? &m->items[rng_below(&d->sim->rng, m->item_count)] : NULL;
    if (!item || !item->stale_count) return false;
    rng_fill(&d->sim->rng, ghost, sizeof *ghost);
    item->stale->missing = ghost;
    item->stale->missing_count = 1;
    if (rng_chance(&d->sim->rng, 500)) lie_of_state(d, &item->stale->log);
    lie_of_entries(d, item->stale->entries, &item->stale->entry_count, a);
    return true;
}

static bool lie_welcome(struct device *d, void *message, struct arena *a)
{
    struct msg_welcome *m = message;
    (void)a;
    lie_of_state(d, &m->log);
    return true;
}

static bool lie_appended(struct device *d, void *message, struct arena *a)
{
    struct msg_appended *m = message;
    (void)a;
    lie_of_state(d, &m->log);
    return true;
}

/* tell: any of these is seen through at once. evil: those that are consistent in themselves (evil.c). */
static const struct {
    enum frame_kind kind;
    const struct codec_desc *desc;
    bool (*tell)(struct device *d, void *message, struct arena *a);
    bool (*evil)(struct device *d, void *message, struct arena *a);
} lies[] = {
    {KIND_FOUND, &msg_found_desc, lie_found, evil_found},
    {KIND_SENT, &msg_sent_desc, lie_sent, evil_sent},
    {KIND_WELCOME, &msg_welcome_desc, lie_welcome, evil_welcome},
    {KIND_APPENDED, &msg_appended_desc, lie_appended, NULL},
    {KIND_LINK_IS, &msg_link_is_desc, NULL, evil_link},
};

static bool lie_make(struct device *d, const struct frame *f, size_t n, bool always, struct buffer *lie)
{
    struct arena a = {0};
    void *message = arena_alloc(&a, lies[n].desc->size);
    bool evil = d->sim->truth && lies[n].evil && (always || !lies[n].tell || rng_chance(&d->sim->rng, 700));
    bool (*tell)(struct device *, void *, struct arena *) = evil ? lies[n].evil : lies[n].tell;
    bool told = tell && codec_decode(lies[n].desc, f->meta, &a, message) == STATUS_OK && tell(d, message, &a);
    if (told) frame_write(lie, &f->header, lies[n].desc, message);
    arena_fini(&a);
    return told;
}

#define MARK_LEN 2u /* mark and flags: altered, they are a later version's, and only another client version ends that (held) */

/* Another byte in one sealed ciphertext that was not sent before. */
static bool tamper(struct device *d, const struct frame *f, struct view frame, struct buffer *lie)
{
    struct sim *s = d->sim;
    struct msg_deliver m;
    struct arena a = {0};
    size_t at = (size_t)(f->body.at - frame.at), chosen = 0, len = 0;
    if (codec_decode(&msg_deliver_desc, f->meta, &a, &m) != STATUS_OK) m.item_count = 0;
    for (size_t i = 0; i < m.item_count; i++) {
        bool wanted = m.items[i].sealed && !m.items[i].attempt && (!len || rng_chance(&s->rng, 500));
        if (wanted) chosen = at, len = m.items[i].len;
        at += m.items[i].len;
    }
    arena_fini(&a);
    if (!len) return false;
    buffer_clear(lie);
    write_view(lie, frame);
    uint64_t off = rng_below(&s->rng, len);
    lie->at[chosen + (off < MARK_LEN ? off + MARK_LEN : off)] ^= (uint8_t)(1u << rng_below(&s->rng, 8));
    s->seen[SEEN_TAMPERED]++;
    return true;
}

struct view liar_pass(struct device *d, struct view frame, struct buffer *lie)
{
    struct sim *s = d->sim;
    struct frame f;
    bool honest = !s->profile->lie_pm && !s->profile->tamper_pm;
    if (honest || frame_check(frame, FROM_RELAY, &f) != STATUS_OK) return frame;
    bool always = evil_tells(d, f.header.kind);
    if (s->calm && !always) return frame;
    if (f.header.kind == KIND_DELIVER && rng_chance(&s->rng, s->profile->tamper_pm) && tamper(d, &f, frame, lie))
        return buffer_view(lie);
    if (f.header.kind == KIND_DELIVER && s->swaps && rng_chance(&s->rng, 4 * s->profile->lie_pm) && swaps_deliver(d, &f, lie))
        return buffer_view(lie);
    for (size_t n = 0; n < sizeof lies / sizeof lies[0]; n++) {
        if ((int)lies[n].kind != f.header.kind || (!always && !rng_chance(&s->rng, s->profile->lie_pm))) continue;
        if (!lie_make(d, &f, n, always, lie)) return frame;
        s->seen[SEEN_LIES]++;
        return buffer_view(lie);
    }
    return frame;
}
