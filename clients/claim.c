/* claim: prekeys of a contact's devices with which there is no session, as one stage of a look-up (contact.c; PROTOCOL 6.4).
 * Invariant: a bundle that nobody needs, or that the contact's log does not vouch for, begins nothing. */
#include "clients/drift.h"
#include "clients/lookup.h"

#include <string.h>

void absent_note(struct absent_list *list, struct now now, struct device_id device)
{
    list->at[list->count++ % ABSENT_MAX] = (struct absent){device, now.mono_ms};
}

void absent_forget(struct absent_list *list, struct device_id device)
{
    for (size_t i = 0; i < ABSENT_MAX; i++)
        if (device_equal(list->at[i].device, device)) list->at[i] = (struct absent){.noted_ms = 0};
}

bool absent_is(const struct absent_list *list, struct now now, struct device_id device, uint64_t within_ms)
{
    for (size_t i = 0; i < ABSENT_MAX && i < list->count; i++)
        if (now.mono_ms < list->at[i].noted_ms + within_ms && device_equal(list->at[i].device, device)) return true;
    return false;
}

/* Messages to its account are sealed for it. */
static bool is_sealed_for(const struct engine *e, const struct log_device *d)
{
    return d->standing == STANDING_ACTIVE && !device_equal(d->id, e->identity.device);
}

/* Whether a session with it is to be begun. */
static enum status lacks_in(struct engine *e, const struct peer *p, bool *lacks)
{
    bool ready = true;
    enum status s = STATUS_OK;
    if (is_sealed_for(e, p->device)) s = pair_ready_in(e, p, &ready);
    *lacks = s == STATUS_OK && !ready;
    return s;
}

/* The devices with which a session is to be begun. */
static enum status missing_in(struct engine *e, struct account_id account, struct device_id_list *out, size_t *count)
{
    struct contact c;
    enum status s = state_contact_get(e->state, account, &c);
    *count = 0;
    for (size_t i = 0; s == STATUS_OK && i < c.log.device_count && *count < DEVICES_PER_ACCOUNT; i++) {
        const struct peer p = {account, &c.log.devices[i]};
        bool lacks;
        s = lacks_in(e, &p, &lacks);
        if (lacks) out[(*count)++].device = p.device->id;
    }
    pair_forget(e);
    return s == STATUS_NOT_FOUND ? STATUS_OK : s;
}

/* Where there is nobody to ask for, the log may be another one than was thought: it is looked up. */
struct request *claim_prekeys_ask(struct engine *e, struct now now, struct lookup *l)
{
    struct device_id_list devices[DEVICES_PER_ACCOUNT];
    struct msg_claim_prekeys m = {.account = l->account, .devices = devices};
    struct msg_lookup ask = {.account = l->account};
    enum status s = tx_begin(e, STATE_READ);
    if (s == STATUS_OK) s = tx_end(e, missing_in(e, l->account, devices, &m.device_count));
    if (!engine_fault(e, s)) return NULL;
    if (m.device_count == 0) {
        l->stage = LOOKUP_ACCOUNT;
        l->claimed = 0; /* nobody is missing (any more) */
        return request_make(e, now, KIND_LOOKUP, home_of_account(l->account), &msg_lookup_desc, &ask);
    }
    return request_make(e, now, KIND_CLAIM_PREKEYS, home_of_account(l->account), &msg_claim_prekeys_desc, &m);
}

/* ---- what it brings ---- */

#define READ_AGAIN      8u /* of so many claims in vain one reads the log again, where that says that there is more */

/* What PREKEYS brought. */
struct claimed {
    uint64_t length;   /* of the log, as we hold it */
    bool other;        /* the relay's goes on, or is another one of that length */
    size_t bad;        /* bundles that are not signed by the device that our log has */
    size_t missing;    /* devices without a session still, */
    size_t absent;     /* of them those that have left no prekeys, */
    size_t ready;      /* and those with one */
    uint64_t again_ms; /* when there may be more */
};

/* One that nobody needs is left aside: a relay shall not push out sessions with it. */
static enum status bundle_in(struct engine *e, struct now now, const struct peer *p, const struct msg_prekey_bundle *bundle)
{
    bool lacks;
    if (!p->device) return STATUS_BAD_ENTRY;
    enum status s = lacks_in(e, p, &lacks);
    return lacks ? pair_begin_in(e, now, p, bundle) : s;
}

static size_t sealed_for_count(const struct engine *e, const struct identity_log *log)
{
    size_t count = 0;
    for (size_t i = 0; i < log->device_count; i++)
        count += is_sealed_for(e, &log->devices[i]);
    return count;
}

/* Good bundles are used whatever is said beside them: their one-time prekeys are spent. */
static enum status bundles_in(struct engine *e, struct now now, const struct lookup *l, const struct msg_prekeys *m,
                              struct claimed *out)
{
    struct contact c;
    struct device_id_list missing[DEVICES_PER_ACCOUNT];
    enum status s = state_contact_get(e->state, l->account, &c);
    bool same = m->log.length == c.log.length && memcmp(&m->log.head, &c.log.head, sizeof c.log.head) == 0;
    *out = (struct claimed){.length = c.log.length, .other = m->log.length >= c.log.length && !same};
    for (size_t i = 0; s == STATUS_OK && i < m->bundle_count; i++) {
        const struct msg_prekey_bundle *bundle = &m->bundles[i];
        const struct peer p = {l->account, identity_log_device(&c.log, bundle->device)};
        uint64_t wait_ms = bundle->retry_after_ms > ABSENT_AGAIN_MS ? bundle->retry_after_ms : ABSENT_AGAIN_MS;
        if (bundle->status == STATUS_NOT_FOUND && p.device) absent_note(&e->absent, now, bundle->device);
        if (bundle->status == STATUS_OK)
            s = bundle_in(e, now, &p, bundle);
        else if (wait_ms > out->again_ms)
            out->again_ms = wait_ms;
        out->bad += s == STATUS_BAD_ENTRY;
        if (s == STATUS_BAD_ENTRY) s = STATUS_OK;
    }
    pair_forget(e);
    if (s == STATUS_OK) s = missing_in(e, l->account, missing, &out->missing);
    for (size_t i = 0; i < out->missing; i++)
        out->absent += absent_is(&e->absent, now, missing[i].device, ABSENT_AGAIN_MS);
    out->ready = sealed_for_count(e, &c.log) - out->missing;
    return s == STATUS_OK && out->missing && !out->ready && !out->other ? outbox_unready_in(e, l->account) : s;
}

void claimed_prekeys_reply(struct engine *e, struct now now, struct request *r, const struct frame *f)
{
    struct msg_prekeys m;
    struct lookup *l = &e->lookups[r->lookup];
    struct claimed claimed;
    if (l->stage != LOOKUP_PREKEYS) return;
    if (codec_decode(&msg_prekeys_desc, f->meta, &e->arena, &m) != STATUS_OK) {
        e->counts.frames_bad++;
        lookup_later(e, now, l, 0);
        return;
    }
    enum status s = tx_begin(e, STATE_WRITE);
    if (s == STATUS_OK) s = tx_end(e, bundles_in(e, now, l, &m, &claimed));
    if (!engine_fault(e, s)) {
        lookup_later(e, now, l, 0);
    } else if ((claimed.bad || claimed.missing) && claimed.other && l->claimed <= claimed.length) {
        l->claimed = claimed.length + 1; /* the device may have other keys since, or be gone: then the claim is made again */
        l->length = claimed.length;
        lookup_go_on(l, now, LOOKUP_ACCOUNT, claimed.length);
    } else if (claimed.bad) { /* not signed by the device that the log has: the relay's own, perhaps */
        lookup_forked(e, now, r->lookup);
    } else if (claimed.missing && (claimed.absent < claimed.missing || !claimed.ready)) {
        if (l->tries % READ_AGAIN == READ_AGAIN - 1) l->claimed = 0; /* it may have been shown short before */
        lookup_later(e, now, l, claimed.again_ms);
    } else {
        lookup_done(e, now, r->lookup);
    }
}
