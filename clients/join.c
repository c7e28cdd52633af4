/* join: one table of stages and what each asks of the relay. A box that the relay has lost (it started anew) gets the
 * request again. Invariants: nothing is believed that does not open under the code, and no handle without its account's own
 * claim; the consent leaves only after the owner has kept what it is for. */
#include "clients/join.h"

#include "broker/wire/identity.h"
#include "broker/wire/identity_log.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define NEVER UINT64_MAX

/* Wiped as a whole. */
struct join_keys {
    struct device_secrets device;
    struct link_code code;
    uint8_t ephemeral_sk[32];
    struct link_keys agreed;
};

struct join {
    struct random_source random;
    struct join_keys *keys; /* sodium_malloc */
    struct msg_device_record record;
    struct prekey_pk ephemeral, offering;
    struct link_box box;
    enum join_stage stage;
    enum status status;
    uint64_t expires_ms, expires_wall_ms, poll_ms;
    bool refused;           /* by our user */
    bool lost;              /* the relay has no box any more: the request again, first */
    struct buffer request, consent; /* as they stand in their slots */
    uint32_t part;          /* the next one to be fetched */
    struct buffer parts[LINK_PARTS_MAX]; /* as they came */
    struct arena arena;     /* of the offer */
    struct join_offer offer;
    struct buffer data;
};

/* ---- making ---- */

static void fill(const struct join *j, void *out, size_t len)
{
    j->random.fill(j->random.self, out, len);
}

static void keys_make(struct join *j)
{
    uint8_t seed[crypto_sign_SEEDBYTES], code[LINK_RANDOM_LEN];
    struct join_keys *k = j->keys;
    fill(j, seed, sizeof seed);
    fill(j, code, sizeof code);
    fill(j, k->device.identity_sk, sizeof k->device.identity_sk);
    fill(j, k->device.transport_sk, sizeof k->device.transport_sk);
    fill(j, k->ephemeral_sk, sizeof k->ephemeral_sk);
    ENSURE(crypto_sign_seed_keypair(j->record.signing.bytes, k->device.signing_sk, seed) == 0);
    ENSURE(crypto_scalarmult_base(j->record.identity.bytes, k->device.identity_sk) == 0);
    ENSURE(crypto_scalarmult_base(j->record.transport.bytes, k->device.transport_sk) == 0);
    ENSURE(crypto_scalarmult_base(j->ephemeral.bytes, k->ephemeral_sk) == 0);
    link_code_make(code, &k->code);
    sodium_memzero(seed, sizeof seed);
    sodium_memzero(code, sizeof code);
}

void join_new(const struct random_source *random, struct now now, struct view name, struct join **out)
{
    struct join *j = calloc(1, sizeof *j);
    uint8_t nonce[LINK_NONCE_LEN];
    ENSURE(j);
    j->random = *random;
    j->keys = sodium_malloc(sizeof *j->keys);
    ENSURE(j->keys);
    sodium_memzero(j->keys, sizeof *j->keys);
    keys_make(j);
    j->box = link_box_of(&j->keys->code);
    j->expires_ms = now.mono_ms + LINK_LIFE_MS;
    j->expires_wall_ms = now.wall_ms + LINK_LIFE_MS;
    struct msg_link_request m = {.device = j->record, .ephemeral = j->ephemeral, .name = name, .made_ms = now.wall_ms};
    fill(j, nonce, sizeof nonce);
    link_request_seal(&j->keys->code, &m, nonce, &j->request);
    *out = j;
}

void join_free(struct join **at)
{
    struct join *j = *at;
    if (!j) return;
    sodium_free(j->keys);
    buffer_fini(&j->request);
    buffer_fini(&j->consent);
    buffer_fini(&j->data);
    for (size_t i = 0; i < LINK_PARTS_MAX; i++)
        buffer_fini(&j->parts[i]);
    arena_fini(&j->arena);
    free(j);
    *at = NULL;
}

/* ---- what is offered ---- */

static void end(struct join *j, enum join_stage stage, enum status why)
{
    j->stage = stage;
    j->status = why;
}

static enum status parts_agree(struct join *j)
{
    const struct link_parties p = {.joining = j->ephemeral, .offering = j->offering};
    return link_agree(&j->keys->code, &p, j->keys->ephemeral_sk, true, buffer_view(&j->request), &j->keys->agreed);
}

/* The first part says how many there are, and all that is not data. */
static enum status first_open(struct join *j)
{
    struct join_offer *o = &j->offer;
    enum status s = link_offer_key(buffer_view(&j->parts[0]), &j->offering);
    if (s == STATUS_OK) s = parts_agree(j);
    if (s == STATUS_OK)
        s = link_offer_open(&j->keys->agreed, j->box, LINK_SLOT_OFFER, buffer_view(&j->parts[0]), &j->arena, &o->first);
    if (s != STATUS_OK || o->first.verdict == LINK_REJECTED) return s;
    s = founding_check(o->first.entry, &j->arena, &o->founding);
    bool length = o->first.log.length >= 1 && o->first.log.length <= LOG_LENGTH_MAX;
    return s == STATUS_OK && length ? STATUS_OK : STATUS_BAD_ENTRY;
}

static enum status rest_open(struct join *j)
{
    struct msg_link_offer m;
    struct prekey_pk key;
    enum status s = STATUS_OK;
    buffer_clear(&j->data);
    write_view(&j->data, j->offer.first.data);
    for (uint32_t i = 1; i < j->offer.first.parts && s == STATUS_OK; i++) {
        struct view bytes = buffer_view(&j->parts[i]);
        s = link_offer_key(bytes, &key);
        if (s == STATUS_OK && memcmp(&key, &j->offering, sizeof key) != 0) s = STATUS_BAD_ENTRY;
        if (s == STATUS_OK) s = link_offer_open(&j->keys->agreed, j->box, LINK_SLOT_OFFER + i, bytes, &j->arena, &m);
        if (s == STATUS_OK && (m.verdict != LINK_APPROVED || m.parts != j->offer.first.parts)) s = STATUS_BAD_ENTRY;
        if (s == STATUS_OK) write_view(&j->data, m.data);
    }
    j->offer.data = buffer_view(&j->data);
    return s;
}

static void part_came(struct join *j, struct view bytes)
{
    buffer_clear(&j->parts[j->part]);
    write_view(&j->parts[j->part], bytes);
    enum status s = j->part == 0 ? first_open(j) : STATUS_OK;
    if (s == STATUS_OK && j->offer.first.verdict == LINK_REJECTED) {
        end(j, JOIN_REJECTED, STATUS_REFUSED);
        return;
    }
    j->part++;
    j->poll_ms = 0;
    if (s == STATUS_OK && j->part < j->offer.first.parts) return;
    if (s == STATUS_OK) s = rest_open(j);
    if (s == STATUS_OK)
        j->stage = j->offer.first.handle.len ? JOIN_CHECKING : JOIN_OFFERED;
    else
        end(j, JOIN_FAILED, s);
}

static void consent_make(struct join *j, bool cancel)
{
    struct msg_link_consent m = {.cancel = cancel};
    uint8_t nonce[LINK_NONCE_LEN];
    if (!cancel) device_prove(j->offer.founding.account, &j->record, j->keys->device.signing_sk, &m.proof);
    fill(j, nonce, sizeof nonce);
    buffer_clear(&j->consent);
    link_consent_seal(&j->keys->agreed, j->box, &m, nonce, &j->consent);
}

/* The key of both sides comes with an offer; before that there is the code's. */
static void cancel_make(struct join *j)
{
    uint8_t nonce[LINK_NONCE_LEN];
    if (j->part) {
        consent_make(j, true);
        return;
    }
    fill(j, nonce, sizeof nonce);
    buffer_clear(&j->consent);
    link_withdrawal_seal(&j->keys->code, nonce, &j->consent);
}

void join_consent(struct join *j, struct now now)
{
    ENSURE(j->stage == JOIN_OFFERED);
    consent_make(j, false);
    j->stage = JOIN_CONSENTING;
    j->poll_ms = now.mono_ms;
}

bool join_may_refuse(const struct join *j)
{
    return j->stage == JOIN_WAITING || j->stage == JOIN_CHECKING || j->stage == JOIN_OFFERED;
}

void join_refuse(struct join *j, struct now now, struct guest *g)
{
    ENSURE(join_may_refuse(j));
    guest_drop(g);
    cancel_make(j);
    j->refused = true;
    j->stage = JOIN_CONSENTING;
    j->poll_ms = now.mono_ms;
}

/* ---- stages ---- */

static enum status put(struct join *j, struct now now, struct guest *g, uint32_t slot, const struct buffer *bytes)
{
    struct msg_link_put m = {.box = j->box, .slot = slot, .bytes = buffer_view(bytes)};
    return guest_ask(g, now, KIND_LINK_PUT, home_of_link(j->box), &msg_link_put_desc, &m);
}

static enum status ask_request(struct join *j, struct now now, struct guest *g)
{
    return put(j, now, g, LINK_SLOT_REQUEST, &j->request);
}

static enum status ask_offer(struct join *j, struct now now, struct guest *g)
{
    struct msg_link_get m = {.box = j->box, .slot = LINK_SLOT_OFFER + j->part};
    return guest_ask(g, now, KIND_LINK_GET, home_of_link(j->box), &msg_link_get_desc, &m);
}

static enum status ask_consent(struct join *j, struct now now, struct guest *g)
{
    return j->lost ? ask_request(j, now, g) : put(j, now, g, LINK_SLOT_CONSENT, &j->consent);
}

/* The user is shown this name, and says yes to it: whoever has seen the code may have made it up. */
static enum status ask_handle(struct join *j, struct now now, struct guest *g)
{
    struct msg_lookup m = {.handle = j->offer.first.handle};
    return guest_ask(g, now, KIND_LOOKUP, home_of_handle(m.handle), &msg_lookup_desc, &m);
}

static void handle_found(struct join *j, struct now now, const struct frame *f)
{
    struct arena a = {0};
    struct msg_found m;
    (void)now;
    bool proven = codec_decode(&msg_found_desc, f->meta, &a, &m) == STATUS_OK && handle_proven(&m, j->offer.first.handle, &a) &&
                  memcmp(&m.account, &j->offer.founding.account, sizeof m.account) == 0;
    arena_fini(&a);
    if (proven)
        j->stage = JOIN_OFFERED;
    else
        end(j, JOIN_FAILED, STATUS_BAD_ENTRY);
}

static void put_done(struct join *j, struct now now, const struct frame *f)
{
    (void)f;
    j->poll_ms = now.mono_ms;
    if (j->stage == JOIN_ASKING)
        j->stage = JOIN_WAITING;
    else if (j->lost)
        j->lost = false;
    else
        end(j, j->refused ? JOIN_REJECTED : JOIN_DONE, j->refused ? STATUS_REFUSED : STATUS_OK);
}

static void got(struct join *j, struct now now, const struct frame *f)
{
    struct arena a = {0};
    struct msg_link_is m;
    enum status s = codec_decode(&msg_link_is_desc, f->meta, &a, &m);
    j->poll_ms = now.mono_ms + JOIN_POLL_MS;
    if (s == STATUS_OK && m.bytes.len) part_came(j, m.bytes);
    arena_fini(&a);
}

/* The box is gone: the relay has started anew, or its time is over. The offering device, too, puts its parts again. */
static void lost(struct join *j, struct now now, enum status s)
{
    j->poll_ms = now.mono_ms + JOIN_POLL_MS;
    if (s != STATUS_NOT_FOUND) {
        end(j, JOIN_FAILED, s);
    } else if (j->stage == JOIN_CHECKING) {
        j->offer.first.handle = view_of(NULL, 0); /* a name for nobody here */
        j->stage = JOIN_OFFERED;
    } else if (j->stage == JOIN_WAITING) {
        j->stage = JOIN_ASKING;
    } else {
        j->lost = true;
    }
}

static const struct {
    enum status (*ask)(struct join *j, struct now now, struct guest *g); /* NULL: nothing is to be asked */
    void (*done)(struct join *j, struct now now, const struct frame *f);
} stages[JOIN_STAGE_COUNT] = {
    [JOIN_ASKING] = {ask_request, put_done},
    [JOIN_WAITING] = {ask_offer, got},
    [JOIN_CHECKING] = {ask_handle, handle_found},
    [JOIN_CONSENTING] = {ask_consent, put_done},
};

void join_drive(struct join *j, struct now now, struct guest *g)
{
    enum status how;
    struct frame reply;
    bool ended = guest_answer(g, &how, &reply);
    if (j->stage == JOIN_OFFERED && now.mono_ms >= j->expires_ms) end(j, JOIN_EXPIRED, STATUS_TIMEOUT);
    if (!stages[j->stage].ask) return;
    if (ended && how == STATUS_OK) stages[j->stage].done(j, now, &reply);
    if (ended && how != STATUS_OK) lost(j, now, how);
    if (!stages[j->stage].ask) return;
    if (now.mono_ms >= j->expires_ms) {
        guest_drop(g);
        end(j, JOIN_EXPIRED, STATUS_TIMEOUT);
    } else if (now.mono_ms >= j->poll_ms) {
        j->poll_ms = now.mono_ms + JOIN_POLL_MS;
        (void)stages[j->stage].ask(j, now, g); /* BUSY: it has not been answered yet */
    }
}

uint64_t join_deadline_ms(const struct join *j)
{
    if (j->stage == JOIN_OFFERED) return j->expires_ms;
    if (!stages[j->stage].ask) return NEVER;
    return j->poll_ms < j->expires_ms ? j->poll_ms : j->expires_ms;
}

/* ---- reading ---- */

const struct device_secrets *join_secrets(const struct join *j)
{
    return &j->keys->device;
}

const struct msg_device_record *join_record(const struct join *j)
{
    return &j->record;
}

enum join_stage join_stage(const struct join *j)
{
    return j->stage;
}

enum status join_status(const struct join *j)
{
    return j->status;
}

uint64_t join_expires_ms(const struct join *j)
{
    return j->expires_wall_ms;
}

const struct link_code *join_code(const struct join *j)
{
    return &j->keys->code;
}

const struct join_offer *join_offer(const struct join *j)
{
    return &j->offer;
}
