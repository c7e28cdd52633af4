/* approve: one table of stages, what each asks of the relay and what its answer does. Invariants: one request at a time; the
 * secrets of a code are wiped when its approval ends; a device is admitted only by its own consent, which opened under the
 * keys that only the holder of the code has. */
#include "clients/approve.h"

#include "broker/wire/identity.h"
#include "clients/backup_content.h"
#include "clients/core.h"
#include "clients/linking_core.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define POLL_MS        1000u
#define FETCH_TRIES    5u /* a relay that has just started gets the request again within a second */

struct approve_keys {
    struct link_code code;
    uint8_t ephemeral_sk[32];
    struct link_keys agreed;
};

struct approval {
    struct approve_keys *keys; /* sodium_malloc; NULL once it has ended */
    struct link_box box;
    struct prekey_pk ephemeral;
    enum approval_stage stage;
    enum status status;
    enum change_obstacle obstacle;
    struct buffer request;     /* as it stands in its slot */
    struct arena arena;        /* of `asked` */
    struct msg_link_request asked;
    struct device_id device;
    struct buffer parts[LINK_PARTS_MAX];
    uint32_t part, part_count;
    struct entry_plan add;     /* once it has consented */
    bool under_way;
    uint64_t ask_ms, end_ms;   /* mono */
    unsigned tries;
};

/* ---- life ---- */

static void stage_set(struct engine *e, enum approval_stage stage, enum status why)
{
    struct approval *p = e->approval;
    p->stage = stage;
    p->status = why;
    event_put(e, &(struct engine_event){.kind = ENGINE_LINK, .status = why, .subject = p->device});
    if (stage < APPROVAL_DONE) return;
    sodium_free(p->keys);
    p->keys = NULL;
}

void engine_link_drop(struct engine *e)
{
    struct approval *p = e->approval;
    if (!p) return;
    sodium_free(p->keys);
    buffer_fini(&p->request);
    for (size_t i = 0; i < LINK_PARTS_MAX; i++)
        buffer_fini(&p->parts[i]);
    arena_fini(&p->arena);
    free(p);
    e->approval = NULL;
}

enum status engine_link(struct engine *e, struct now now, const struct link_code *code)
{
    if (e->broken != STATUS_OK) return e->broken;
    if (e->approval && e->approval->stage < APPROVAL_DONE) return STATUS_STATE;
    engine_link_drop(e);
    e->link_count++;
    struct approval *p = calloc(1, sizeof *p);
    struct approve_keys *keys = sodium_malloc(sizeof *keys);
    ENSURE(p && keys);
    sodium_memzero(keys, sizeof *keys);
    keys->code = *code;
    random_fill(e, keys->ephemeral_sk, sizeof keys->ephemeral_sk);
    ENSURE(crypto_scalarmult_base(p->ephemeral.bytes, keys->ephemeral_sk) == 0);
    p->keys = keys;
    p->box = link_box_of(code);
    p->stage = APPROVAL_FETCHING;
    p->ask_ms = now.mono_ms;
    p->end_ms = now.mono_ms + LINK_LIFE_MS;
    e->approval = p;
    return STATUS_OK;
}

/* Whether our log would take a device now. */
static enum status room_look(struct engine *e, enum change_obstacle *why)
{
    const struct change_wish wish = {.operation = ENTRY_ADD};
    struct contact own = {.checked_ms = 0};
    *why = CHANGE_NONE;
    enum status s = tx_begin(e, STATE_READ);
    if (s == STATUS_OK) s = tx_end(e, state_contact_get(e->state, e->identity.account, &own));
    if (engine_fault(e, s)) *why = wish_obstacle(&own.log, e->identity.device, &wish);
    return s;
}

struct approval_view engine_link_view(struct engine *e)
{
    const struct approval *p = e->approval;
    if (!p) return (struct approval_view){.stage = APPROVAL_NONE};
    struct approval_view v = {p->stage, p->status, p->obstacle, p->device, p->asked.name};
    if (p->stage <= APPROVAL_ASKED) (void)room_look(e, &v.obstacle); /* a fault ends the engine */
    return v;
}

/* ---- the offer ---- */

static void parts_seal(struct engine *e, struct approval *p, const struct msg_link_offer *first, struct view data)
{
    struct reader r = reader_of(data);
    p->part_count = (uint32_t)((data.len + LINK_DATA_MAX - 1) / LINK_DATA_MAX);
    if (!p->part_count) p->part_count = 1;
    for (uint32_t i = 0; i < p->part_count; i++) {
        struct msg_link_offer m = {.verdict = first->verdict};
        uint8_t nonce[LINK_NONCE_LEN];
        size_t left = reader_left(&r);
        if (i == 0) m = *first;
        m.part = i;
        m.parts = p->part_count;
        m.data = read_view(&r, left < LINK_DATA_MAX ? left : LINK_DATA_MAX);
        random_fill(e, nonce, sizeof nonce);
        buffer_clear(&p->parts[i]);
        link_offer_seal(&p->keys->agreed, p->box, &p->ephemeral, &m, nonce, &p->parts[i]);
    }
}

/* The account, and the contacts that this home has. */
static enum status offer_make_in(struct engine *e, struct now now, struct approval *p, uint32_t verdict)
{
    struct state_identity me;
    struct contact own;
    struct backup_summary summary;
    struct buffer data = {0};
    struct msg_link_offer m = {.verdict = verdict};
    enum status s = STATUS_OK;
    if (verdict == LINK_APPROVED) {
        s = state_identity_get(e->state, &e->arena, &me);
        if (s == STATUS_OK) s = state_contact_get(e->state, me.account, &own);
        if (s == STATUS_OK) s = backup_write_in(e->state, now.wall_ms, LINK_PARTS_MAX * LINK_DATA_MAX, false, &data, &summary);
        if (s != STATUS_OK) goto out;
        m.entry = me.entry;
        m.handle = me.claimed ? me.handle : view_of(NULL, 0);
        m.log = identity_log_state(&own.log);
        m.device = me.device;
    }
    parts_seal(e, p, &m, buffer_view(&data));
out:
    if (data.len) sodium_memzero(data.at, data.len);
    buffer_fini(&data);
    return s == STATUS_NOT_FOUND ? STATUS_DAMAGED : s;
}

/* What there is no room for is told so, in the place of an offer. */
enum status engine_link_answer(struct engine *e, struct now now, bool approve)
{
    struct approval *p = e->approval;
    enum change_obstacle why = CHANGE_NONE;
    bool pending = false;
    if (!p || p->stage != APPROVAL_ASKED) return STATUS_STATE;
    arena_reset(&e->arena);
    enum status s = approve ? room_look(e, &why) : STATUS_OK;
    if (s != STATUS_OK) return s;
    approve = approve && why == CHANGE_NONE;
    s = tx_begin(e, STATE_READ);
    if (s == STATUS_OK) s = change_pending_in(e, &pending);
    if (s == STATUS_OK && approve && pending) s = STATUS_FULL;
    if (s == STATUS_OK) s = offer_make_in(e, now, p, approve ? LINK_APPROVED : LINK_REJECTED);
    if (e->state->open) s = tx_end(e, s);
    (void)engine_fault(e, s);
    if (s != STATUS_OK) return s;
    p->ask_ms = now.mono_ms;
    p->obstacle = why;
    stage_set(e, approve ? APPROVAL_OFFERING : APPROVAL_REJECTING, STATUS_OK);
    return STATUS_OK;
}

/* ---- what comes ---- */

static void request_came(struct engine *e, struct now now, struct view bytes)
{
    struct approval *p = e->approval;
    write_view(&p->request, bytes);
    enum status s = link_request_open(&p->keys->code, buffer_view(&p->request), &p->arena, &p->asked);
    struct link_parties parties = {.joining = p->asked.ephemeral, .offering = p->ephemeral};
    if (s == STATUS_OK)
        s = link_agree(&p->keys->code, &parties, p->keys->ephemeral_sk, false, buffer_view(&p->request), &p->keys->agreed);
    if (s == STATUS_OK) p->device = device_id_of(e->identity.account, &p->asked.device.signing);
    p->ask_ms = now.mono_ms;
    stage_set(e, s == STATUS_OK ? APPROVAL_ASKED : APPROVAL_FAILED, s);
}

static void admit(struct engine *e, struct now now)
{
    struct approval *p = e->approval;
    enum status s = change_admit(e, now, &p->add, &p->obstacle);
    p->ask_ms = now.mono_ms + POLL_MS;
    if (s == STATUS_OK)
        stage_set(e, APPROVAL_ADMITTING, s);
    else if (p->obstacle == CHANGE_DONE)
        stage_set(e, APPROVAL_DONE, STATUS_OK);
    else if (p->obstacle != CHANGE_UNDER_WAY && p->obstacle != CHANGE_NONE)
        stage_set(e, APPROVAL_FAILED, s);
}

static void consent_came(struct engine *e, struct now now, struct view bytes)
{
    struct approval *p = e->approval;
    struct msg_link_consent m;
    if (link_withdrawal_open(&p->keys->code, bytes, &p->arena) == STATUS_OK) {
        stage_set(e, APPROVAL_REJECTED, STATUS_REFUSED);
    } else if (link_consent_open(&p->keys->agreed, p->box, bytes, &p->arena, &m) != STATUS_OK) {
        stage_set(e, APPROVAL_FAILED, STATUS_BAD_ENTRY);
    } else if (m.cancel) {
        stage_set(e, APPROVAL_REJECTED, STATUS_REFUSED);
    } else {
        p->add = (struct entry_plan){.operation = ENTRY_ADD, .record = p->asked.device, .proof = m.proof};
        admit(e, now);
    }
}

/* ---- stages ---- */

static struct request *get(struct engine *e, struct now now, uint32_t slot)
{
    struct msg_link_get m = {.box = e->approval->box, .slot = slot};
    return request_make(e, now, KIND_LINK_GET, home_of_link(m.box), &msg_link_get_desc, &m);
}

static struct request *ask_request(struct engine *e, struct now now)
{
    return get(e, now, LINK_SLOT_REQUEST);
}

static struct request *ask_consent(struct engine *e, struct now now)
{
    return get(e, now, LINK_SLOT_CONSENT);
}

static struct request *ask_offer(struct engine *e, struct now now)
{
    const struct approval *p = e->approval;
    struct msg_link_put m = {.box = p->box, .slot = LINK_SLOT_OFFER + p->part, .bytes = buffer_view(&p->parts[p->part]),
                             .rejected = p->stage == APPROVAL_REJECTING};
    return request_make(e, now, KIND_LINK_PUT, home_of_link(m.box), &msg_link_put_desc, &m);
}

static void part_left(struct engine *e, struct now now, struct view bytes)
{
    struct approval *p = e->approval;
    (void)bytes;
    p->ask_ms = now.mono_ms;
    if (++p->part < p->part_count) return;
    if (p->stage == APPROVAL_OFFERING)
        stage_set(e, APPROVAL_AWAITING, STATUS_OK);
    else if (p->obstacle == CHANGE_NONE)
        stage_set(e, APPROVAL_REJECTED, STATUS_REFUSED);
    else
        stage_set(e, APPROVAL_FAILED, obstacle_status(p->obstacle));
}

static const struct {
    struct request *(*ask)(struct engine *e, struct now now); /* NULL: nothing is to be asked */
    void (*came)(struct engine *e, struct now now, struct view bytes);
} stages[APPROVAL_STAGE_COUNT] = {
    [APPROVAL_FETCHING] = {ask_request, request_came},
    [APPROVAL_OFFERING] = {ask_offer, part_left},
    [APPROVAL_REJECTING] = {ask_offer, part_left},
    [APPROVAL_AWAITING] = {ask_consent, consent_came},
};

static bool is_present(const struct engine *e, const struct request *r)
{
    return e->approval && r->claim == e->link_count && stages[e->approval->stage].ask;
}

/* LINK_IS and LINK_HAS. An empty slot is asked for again. */
void link_reply(struct engine *e, struct now now, struct request *r, const struct frame *f)
{
    struct approval *p = e->approval;
    struct msg_link_is m = {0};
    if (!is_present(e, r)) return;
    p->under_way = false;
    p->ask_ms = now.mono_ms + POLL_MS;
    if (r->kind == KIND_LINK_GET && codec_decode(&msg_link_is_desc, f->meta, &e->arena, &m) != STATUS_OK)
        e->counts.frames_bad++;
    else if (r->kind == KIND_LINK_PUT || m.bytes.len)
        stages[p->stage].came(e, now, m.bytes);
}

/* What this side has put into a box that is gone is put there again, all of it. */
static void offer_again(struct approval *p)
{
    p->part = 0;
    if (p->stage == APPROVAL_AWAITING) p->stage = APPROVAL_OFFERING;
}

/* A box that is gone comes again with the new device's next look, if that is still there. */
void link_failed(struct engine *e, struct now now, struct request *r, enum status s, uint32_t retry_after_ms)
{
    struct approval *p = e->approval;
    if (!is_present(e, r)) return;
    p->under_way = false;
    p->ask_ms = now.mono_ms + (retry_after_ms > POLL_MS ? retry_after_ms : POLL_MS);
    if (s == STATUS_WRONG_HOME) e->ping_wanted = true;
    if (s == STATUS_NOT_FOUND && p->stage != APPROVAL_FETCHING) offer_again(p);
    bool looks = s == STATUS_NOT_FOUND && (p->stage != APPROVAL_FETCHING || ++p->tries < FETCH_TRIES);
    if (!looks && status_client_action(s) == ACTION_GIVE_UP && s != STATUS_SUPERSEDED) stage_set(e, APPROVAL_FAILED, s);
}

/* The entry has settled, one way or the other: the log says which. */
static void admitted_look(struct engine *e)
{
    struct approval *p = e->approval;
    struct contact own = {.checked_ms = 0};
    enum status s = tx_begin(e, STATE_READ);
    if (s == STATUS_OK) s = tx_end(e, state_contact_get(e->state, e->identity.account, &own));
    if (!engine_fault(e, s)) return;
    const struct log_device *d = identity_log_device(&own.log, p->device);
    if (d && d->standing == STANDING_ACTIVE)
        stage_set(e, APPROVAL_DONE, STATUS_OK);
    else
        stage_set(e, APPROVAL_FAILED, STATUS_STALE_HEAD);
}

void link_drive(struct engine *e, struct now now)
{
    struct approval *p = e->approval;
    if (!p || link_deadline_ms(e) > now.mono_ms) return;
    if (p->stage == APPROVAL_ADMITTING) {
        admitted_look(e);
    } else if (now.mono_ms >= p->end_ms) {
        stage_set(e, APPROVAL_FAILED, STATUS_TIMEOUT);
    } else if (p->add.operation == ENTRY_ADD) {
        admit(e, now); /* another change was on its way */
    } else {
        struct request *r = stages[p->stage].ask(e, now);
        p->ask_ms = now.mono_ms + RETRY_MIN_MS;
        p->under_way = r != NULL;
        if (r) r->claim = e->link_count;
    }
}

uint64_t link_deadline_ms(const struct engine *e)
{
    const struct approval *p = e->approval;
    if (!p) return NEVER;
    if (p->stage == APPROVAL_ADMITTING) return e->change_pending ? NEVER : 0;
    if (!stages[p->stage].ask) return NEVER;
    return p->under_way || p->ask_ms > p->end_ms ? p->end_ms : p->ask_ms;
}
