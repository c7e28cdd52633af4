/* prekey: what this device leaves at its home so that others can begin a session with it while it is away (PROTOCOL 6.4):
 * made and kept before it is published, renewed every week, refilled when the relay says that few are left. Using a
 * prekey's secret belongs to sealing. Invariants: the relay never has a prekey whose secret is not kept here; an id is
 * never used twice; where nothing is to be made, nothing is written. */
#include "broker/wire/prekey.h"
#include "clients/core.h"

#include <sodium.h>
#include <string.h>

#define DAY_MS          (24ull * 3600 * 1000)
#define RENEW_MS        (7 * DAY_MS)
#define SECRETS_KEEP_MS (4 * RENEW_MS) /* three weeks in place of another */
#define STARTS_KEEP_MS  (2 * SECRETS_KEEP_MS) /* longer than any secret that they name, also where the clock was set back */
#define LOOK_MS         (DAY_MS / 4)   /* at least so often whether it is time to renew */
#define RELAY_SETTING   "prekeys.relay"
#define RENOUNCED_SETTING "prekeys.renounced" /* struct renounced: until the relay has others */
#define SECRETS_MAX     10000u    /* of one-time prekeys: as many as a mailbox has places for first messages */
#define FILL_EVERY_MS   60000u    /* how often new ones are made because others were claimed, */
#define FILLS_AT_ONCE   10u       /* where they were not for long: strangers claim as fast as they like */
#define PREKEY_ID_MAX   (1ull << 32) /* one a second for a century */

/* What is to be published, as it comes together. */
struct publishing {
    struct msg_publish message;
    struct buffer current, last_resort;
    struct msg_one_time_prekey one_time[ONE_TIME_PREKEYS_MAX];
    struct state_prekey *made; /* sodium_malloc: the one under way */
    struct device_secrets *secrets;
    struct contact own;
};

/* ---- making ---- */

static enum status make_in(struct engine *e, struct now now, struct publishing *p, enum prekey_kind kind, uint64_t id)
{
    *p->made = (struct state_prekey){.kind = kind, .id = id, .made_ms = now.wall_ms};
    random_fill(e, p->made->sk, sizeof p->made->sk);
    ENSURE(crypto_scalarmult_base(p->made->pk.bytes, p->made->sk) == 0);
    return state_prekey_put(e->state, p->made);
}

static void sign(struct engine *e, struct publishing *p, struct buffer *out)
{
    const struct msg_prekey_body body = {.device = e->identity.device, .id = p->made->id, .key = p->made->pk,
                                         .made_ms = p->made->made_ms, .key_version = p->own.log.key_version,
                                         .head = p->own.log.version_head,
                                         .last_resort = p->made->kind == PREKEY_LAST_RESORT};
    prekey_make(e->identity.account, &body, p->secrets->signing_sk, out);
}

static uint64_t before(struct now now, uint64_t ms)
{
    return now.wall_ms > ms ? now.wall_ms - ms : 0;
}

/* Those up to this one that were made under a clock that was ahead: as if made now, they go in their time. */
static enum status redate_in(struct engine *e, struct now now, struct publishing *p, enum prekey_kind kind, uint64_t id)
{
    enum status s = STATUS_OK;
    for (; s == STATUS_OK && id; id--) {
        s = state_prekey_get(e->state, kind, id, p->made);
        if (s != STATUS_OK || p->made->made_ms <= now.wall_ms) break;
        p->made->made_ms = now.wall_ms;
        s = state_prekey_put(e->state, p->made);
    }
    return s == STATUS_NOT_FOUND ? STATUS_OK : s;
}

/* The newest of its kind, or a new one where that is a week old (or from the future: the clock was set back) or is given
 * up, as those up to `gone` are. */
static enum status signed_in(struct engine *e, struct now now, struct publishing *p, enum prekey_kind kind,
                             uint64_t relay_id, uint64_t gone, struct buffer *out)
{
    uint64_t last;
    enum status s = state_prekey_last(e->state, kind, &last);
    if (last < relay_id) last = relay_id; /* a home set back: the relay knows later ones */
    if (s == STATUS_OK) s = state_prekey_get(e->state, kind, last, p->made);
    bool old = s == STATUS_OK && (last <= gone || now.wall_ms - p->made->made_ms >= RENEW_MS);
    if (s == STATUS_OK && p->made->made_ms > now.wall_ms) s = redate_in(e, now, p, kind, last);
    if (s == STATUS_NOT_FOUND || (s == STATUS_OK && old)) s = make_in(e, now, p, kind, last + 1);
    if (s != STATUS_OK || p->made->id <= relay_id) return s;
    sign(e, p, out);
    s = state_prekey_prune(e->state, kind, before(now, SECRETS_KEEP_MS));
    return s == STATUS_OK ? state_start_prune(e->state, before(now, STARTS_KEEP_MS)) : s;
}

enum status state_prekeys_relay(struct state *state, struct arena *a, struct msg_prekey_state *out)
{
    struct view bytes;
    *out = (struct msg_prekey_state){0};
    enum status s = state_setting_get(state, RELAY_SETTING, a, &bytes);
    return s == STATUS_OK ? codec_decode(&msg_prekey_state_desc, bytes, a, out) : s;
}

/* The highest one-time id that a relay is known to have had: one that has lost its memory may not get it again. */
static enum status had_in(struct engine *e, const struct msg_prekey_state *relay, uint64_t *highest)
{
    struct msg_prekey_state noted;
    enum status s = state_prekeys_relay(e->state, &e->arena, &noted);
    *highest = noted.one_time_highest > relay->one_time_highest ? noted.one_time_highest : relay->one_time_highest;
    return s == STATUS_NOT_FOUND ? STATUS_OK : s;
}

/* ---- giving up those that are out ---- */

/* The highest ids that a copy of this home may have the secrets of; 0 = none is given up. */
struct renounced {
    uint64_t one_time, current, last_resort;
};

static enum status renounced_get_in(struct engine *e, struct renounced *out)
{
    struct view value;
    enum status s = state_setting_get(e->state, RENOUNCED_SETTING, &e->arena, &value);
    *out = (struct renounced){0};
    if (s != STATUS_OK) return s == STATUS_NOT_FOUND ? STATUS_OK : s;
    if (value.len != 24) return STATUS_DAMAGED;
    *out = (struct renounced){get_u64(value.at), get_u64(value.at + 8), get_u64(value.at + 16)};
    return STATUS_OK;
}

static enum status highest_in(struct engine *e, enum prekey_kind kind, uint64_t had, uint64_t *out)
{
    enum status s = state_prekey_last(e->state, kind, out);
    if (had > *out) *out = had;
    return s;
}

enum status prekeys_renounce_in(struct engine *e)
{
    struct renounced r = {0};
    uint64_t had;
    uint8_t value[24];
    enum status s = had_in(e, &e->prekeys, &had);
    if (s == STATUS_OK) s = highest_in(e, PREKEY_ONE_TIME, had, &r.one_time);
    if (s == STATUS_OK) s = highest_in(e, PREKEY_SIGNED, e->prekeys.signed_id, &r.current);
    if (s == STATUS_OK) s = highest_in(e, PREKEY_LAST_RESORT, e->prekeys.last_resort_id, &r.last_resort);
    put_u64(value, r.one_time);
    put_u64(value + 8, r.current);
    put_u64(value + 16, r.last_resort);
    e->prekeys_ms = 0;
    return s == STATUS_OK ? state_setting_put(e->state, RENOUNCED_SETTING, view_of(value, sizeof value)) : s;
}

/* The relay takes none behind those before it has heard of it. */
static enum status renounced_in(struct engine *e)
{
    struct renounced r;
    enum status s = renounced_get_in(e, &r);
    bool heard = r.one_time && e->prekeys.one_time_highest > r.one_time && e->prekeys.signed_id > r.current &&
                 e->prekeys.last_resort_id > r.last_resort;
    return s == STATUS_OK && heard ? state_setting_put(e->state, RENOUNCED_SETTING, view_of(NULL, 0)) : s;
}

/* ---- what is missing ---- */

/* Those that no relay has taken yet, and new ones up to what it may have. */
static enum status one_time_in(struct engine *e, struct now now, struct publishing *p,
                               const struct msg_prekey_state *relay, uint64_t gone)
{
    uint64_t last, id;
    enum status s = state_prekey_last(e->state, PREKEY_ONE_TIME, &last);
    if (s == STATUS_OK) s = had_in(e, relay, &id);
    p->message.keep_from = gone ? gone + 1 : 0;
    bool all_go = relay->one_time_highest < p->message.keep_from;
    size_t held = all_go ? 0 : relay->one_time_count;
    if (s != STATUS_OK || held >= PREKEYS_REFILL_BELOW) return s;
    id = all_go ? p->message.keep_from : id + 1;
    size_t room = ONE_TIME_PREKEYS_MAX - held;
    if (id > last + 1) last = id - 1; /* a home set back: the relay knows later ones */
    for (; s == STATUS_OK && p->message.one_time_count < room; id++) {
        s = id > last ? make_in(e, now, p, PREKEY_ONE_TIME, id)
                      : state_prekey_get(e->state, PREKEY_ONE_TIME, id, p->made);
        if (s == STATUS_OK)
            p->one_time[p->message.one_time_count++] = (struct msg_one_time_prekey){id, p->made->pk};
        if (s == STATUS_NOT_FOUND && id <= last) s = STATUS_OK; /* a hole: nothing lies there */
    }
    p->message.one_time = p->one_time;
    return s == STATUS_OK && id > SECRETS_MAX ? state_prekey_forget(e->state, PREKEY_ONE_TIME, id - SECRETS_MAX) : s;
}

static enum status prepare_in(struct engine *e, struct now now, struct publishing *p)
{
    const struct msg_prekey_state *relay = &e->prekeys;
    struct renounced gone;
    enum status s = state_secrets_get(e->state, p->secrets);
    if (s == STATUS_OK) s = renounced_get_in(e, &gone);
    if (s == STATUS_OK) s = state_contact_get(e->state, e->identity.account, &p->own);
    if (s == STATUS_OK) s = signed_in(e, now, p, PREKEY_SIGNED, relay->signed_id, gone.current, &p->current);
    if (s == STATUS_OK)
        s = signed_in(e, now, p, PREKEY_LAST_RESORT, relay->last_resort_id, gone.last_resort, &p->last_resort);
    if (s == STATUS_OK) s = one_time_in(e, now, p, relay, gone.one_time);
    p->message.current = buffer_view(&p->current);
    p->message.last_resort = buffer_view(&p->last_resort);
    return s;
}

static struct state_prekey *prekey_new(void)
{
    struct state_prekey *made = sodium_malloc(sizeof *made);
    ENSURE(made != NULL);
    sodium_memzero(made, sizeof *made);
    return made;
}

static void publish(struct engine *e, struct now now)
{
    struct publishing p = {.made = prekey_new(), .secrets = secrets_new()};
    enum status s = tx_begin(e, STATE_WRITE);
    if (s == STATUS_OK) s = tx_end(e, prepare_in(e, now, &p));
    bool something = p.message.current.len || p.message.last_resort.len || p.message.one_time_count ||
                     p.message.keep_from;
    if (engine_fault(e, s) && something)
        e->prekeys_under_way = request_make(e, now, KIND_PUBLISH, home_of_account(e->identity.account),
                                            &msg_publish_desc, &p.message) != NULL;
    e->prekeys_ms = now.mono_ms + (s == STATUS_OK && !something ? LOOK_MS : RETRY_MIN_MS);
    buffer_fini(&p.current);
    buffer_fini(&p.last_resort);
    sodium_free(p.made);
    sodium_free(p.secrets);
}

/* ---- what the relay has ---- */

static enum status note_in(struct engine *e, struct msg_prekey_state relay)
{
    struct buffer bytes = {0};
    uint64_t last;
    enum status s = state_prekey_last(e->state, PREKEY_ONE_TIME, &last);
    if (relay.one_time_highest > last + ONE_TIME_PREKEYS_MAX) relay.one_time_highest = last; /* not ours: not kept */
    if (s == STATUS_OK) s = had_in(e, &relay, &relay.one_time_highest);
    if (s == STATUS_OK) s = renounced_in(e);
    if (s != STATUS_OK) return s;
    codec_encode(&msg_prekey_state_desc, &relay, &bytes);
    s = state_setting_put(e->state, RELAY_SETTING, buffer_view(&bytes));
    buffer_fini(&bytes);
    return s;
}

/* Where another process keeps the state locked, the relay's next word is noted, also where it is the same. */
static void note(struct engine *e)
{
    enum status s = tx_begin(e, STATE_WRITE);
    if (s == STATUS_OK) s = tx_end(e, note_in(e, e->prekeys));
    e->prekeys_noted = engine_fault(e, s);
}

static bool ids_possible(const struct msg_prekey_state *relay)
{
    return relay->signed_id <= PREKEY_ID_MAX && relay->last_resort_id <= PREKEY_ID_MAX &&
           relay->one_time_highest <= PREKEY_ID_MAX;
}

/* What no relay can have taken is not believed: ids are ours, and we make new ones behind the highest. */
void prekeys_told(struct engine *e, struct now now, const struct msg_prekey_state *relay)
{
    if (!ids_possible(relay)) {
        e->counts.frames_bad++;
        e->prekeys_ms = now.mono_ms + LOOK_MS;
        return;
    }
    bool news = !e->prekeys_noted || memcmp(&e->prekeys, relay, sizeof *relay) != 0;
    e->prekeys = *relay;
    e->prekeys_ms = now.mono_ms;
    if (news && e->config.prekeys) note(e);
}

/* When to make new ones: at once, or where that was so often, in its turn. */
static uint64_t fill_ms(struct engine *e, struct now now)
{
    const uint64_t ahead_ms = (uint64_t)(FILLS_AT_ONCE - 1) * FILL_EVERY_MS;
    if (e->fills_ms > now.mono_ms + ahead_ms) return e->fills_ms - ahead_ms;
    if (e->fills_ms < now.mono_ms) e->fills_ms = now.mono_ms;
    e->fills_ms += FILL_EVERY_MS;
    return now.mono_ms;
}

void prekeys_low_push(struct engine *e, struct now now, const struct frame *f)
{
    struct msg_prekeys_low m;
    if (codec_decode(&msg_prekeys_low_desc, f->meta, &e->arena, &m) != STATUS_OK) {
        e->counts.frames_bad++;
        return;
    }
    prekeys_told(e, now, &m.prekeys);
    if (e->prekeys_ms == now.mono_ms) e->prekeys_ms = fill_ms(e, now);
}

void prekeys_drive(struct engine *e, struct now now)
{
    if (may_ask(e) && prekeys_deadline_ms(e) <= now.mono_ms) publish(e, now);
}

uint64_t prekeys_deadline_ms(const struct engine *e)
{
    return e->config.prekeys && !e->prekeys_under_way && !e->joining ? e->prekeys_ms : NEVER;
}

void published_reply(struct engine *e, struct now now, struct request *r, const struct frame *f)
{
    struct msg_published m;
    e->prekeys_under_way = false;
    if (codec_decode(&msg_published_desc, f->meta, &e->arena, &m) != STATUS_OK) {
        e->counts.frames_bad++;
        publish_failed(e, now, r, STATUS_UNKNOWN, 0);
        return;
    }
    prekeys_told(e, now, &m.prekeys);
    e->prekeys_ms = now.mono_ms + RETRY_MAX_MS; /* whatever the relay says, no loop */
}

void publish_failed(struct engine *e, struct now now, struct request *r, enum status s, uint32_t retry_after_ms)
{
    (void)r;
    uint64_t delay = backoff_ms(e, 2, RETRY_MIN_MS, RETRY_MAX_MS);
    e->prekeys_under_way = false;
    if (status_client_action(s) == ACTION_GIVE_UP && s != STATUS_SUPERSEDED) delay = LOOK_MS;
    e->prekeys_ms = now.mono_ms + (delay > retry_after_ms ? delay : retry_after_ms);
}
