/* duel: the model against clients/seal. Two devices, each of which exists twice (twin.h), begin sessions with each
 * other, send, and open what comes: late, in another order, twice, never, damaged, in the wrong session; now and then
 * one of them lies, or is set back to an older state. Each schedule follows from its seed.
 *   duel [--schedules N] [--seed S]      schedules S, S + 1, ...; exits 1 at the first difference */
#include "tests/model/twin.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SESSIONS     3u
#define UNDER_WAY    24u
#define STEPS_MIN    8u
#define STEPS_RANDOM 48u
#define CAUSES       11u

#define SCHEDULES_MET 1000u

struct message {
    size_t session, from; /* the side that sent it */
    struct model_context context;
    struct model_bytes ciphertext, padded;
    bool bad;    /* well sealed, and not to be accepted */
    bool opened; /* once already */
};

/* What both had to say over all schedules; a run that never came to something has not tested it. */
struct tally {
    uint64_t steps, sealed, begun, set_back, lies, forged, large, causes[CAUSES];
    size_t kept_max;
};

struct schedule {
    struct dice dice;
    struct device devices[2];
    struct twin ends[SESSIONS][2], set_back, scratch;
    bool has_set_back;
    size_t set_back_session, set_back_side;
    size_t sessions;
    struct message under_way[UNDER_WAY];
    size_t count;
    bool own;    /* both are devices of one account */
    bool honest; /* nobody lied, was set back, or went far ahead: what comes for the first time opens */
    struct tally *tally;
};

static size_t below(struct schedule *s, size_t n)
{
    return dice_below(&s->dice, n);
}

static bool one_in(struct schedule *s, size_t n)
{
    return below(s, n) == 0;
}

static struct dice fork_dice(struct schedule *s)
{
    return (struct dice){dice_next(&s->dice)};
}

/* ---- sessions ---- */

static void begin(struct schedule *s)
{
    if (s->sessions == SESSIONS) return;
    size_t side = below(s, 2);
    struct twin *t = &s->ends[s->sessions++][side];
    twin_begin(t, &s->devices[side], &s->devices[!side], (uint8_t)below(s, 3), fork_dice(s));
    s->tally->begun++;
}

/* One end that can send, or NULL. */
static struct twin *sender(struct schedule *s, size_t *session, size_t *side)
{
    if (s->sessions == 0) begin(s);
    *session = below(s, s->sessions);
    *side = below(s, 2);
    struct twin *t = &s->ends[*session][*side];
    return twin_can_send(t) ? t : NULL;
}

/* ---- sending ---- */

static size_t payload_len(struct schedule *s)
{
    if (one_in(s, 2000)) return one_in(s, 2) ? PAYLOAD_LEN_MAX : below(s, PAYLOAD_LEN_MAX);
    if (one_in(s, 50)) return below(s, 5000);
    return below(s, 100);
}

/* Between two devices of one account the payload says to whom the message went (10.9). */
static size_t prefix(struct schedule *s, uint8_t *payload)
{
    if (!s->own) return 0;
    payload[0] = 1;
    dice_fill(&s->dice, payload + 1, 32);
    return 33;
}

static void make_content(struct schedule *s, struct message *m)
{
    static uint8_t payload[PAYLOAD_LEN_MAX + 33];
    struct model_content c = {.key_version = 1 + below(s, 9), .made_ms = dice_next(&s->dice), .counter = 1 + below(s, 99)};
    size_t len = payload_len(s);
    dice_fill(&s->dice, c.franking, 32);
    dice_fill(&s->dice, c.head, 32);
    size_t before = prefix(s, payload);
    dice_fill(&s->dice, payload + before, len);
    len += before;
    c.payload = payload;
    c.payload_len = (uint32_t)len;
    content_twice(&c, &m->padded, m->context.commitment);
    s->tally->large += len > 5000;
}

/* A prefix that is none, or has no place here; all else is right. */
static void spoil_prefix(struct schedule *s, struct message *m)
{
    struct model_bytes *p = &m->padded;
    uint8_t *payload = p->at + MODEL_CONTENT_LEN;
    size_t len = MODEL_CONTENT_LEN + model_u(p->at + 89, 4);
    switch (below(s, 5)) {
    case 0: payload[0] = 0; break;
    case 1: payload[0] = (uint8_t)(2 + below(s, 254)); break;
    case 2: memset(payload + 1, 0, 32); break;
    case 3: /* too short */
        len = MODEL_CONTENT_LEN + below(s, 33);
        memcpy(p->at + 89, (const uint8_t[]){0, 0, 0, (uint8_t)(len - MODEL_CONTENT_LEN)}, 4);
        p->len = len;
        model_pad(p);
        memset(p->at + len, 0, p->len - len);
        break;
    case 4: dice_fill(&s->dice, m->context.target, 32); break; /* another target */
    }
    model_commitment(p->at, len, m->context.commitment);
}

/* A content as no honest sender makes it. */
static void spoil(struct schedule *s, struct message *m)
{
    struct model_bytes *p = &m->padded;
    m->bad = true;
    if (one_in(s, 60)) { /* too long a payload, and nothing else wrong */
        p->at[89] = 0;
        memcpy(p->at + 90, (const uint8_t[]){4, 0, 1}, 3); /* PAYLOAD_LEN_MAX and one */
        p->len = MODEL_CONTENT_LEN;
        model_add_zeros(p, PAYLOAD_LEN_MAX + 1);
        model_commitment(p->at, p->len, m->context.commitment);
        model_pad(p);
        return;
    }
    if (s->own && one_in(s, 3)) {
        spoil_prefix(s, m);
        return;
    }
    switch (below(s, 7)) {
    case 0: p->at[0] = (uint8_t)(2 + below(s, 254)); break;
    case 1: p->at[p->len - 1] ^= 1; break; /* padding, or the end of a payload that fills it */
    case 2: p->at[89 + below(s, 4)] ^= (uint8_t)(1u << below(s, 8)); break; /* the payload's length */
    case 3: model_add_zeros(p, 1 + below(s, 64)); break;
    case 4: p->len = below(s, MODEL_CONTENT_LEN + 1); break;
    case 5: m->context.commitment[below(s, 32)] ^= 0x10; break;
    case 6: p->at[1 + below(s, 88)] ^= 0x10; break; /* a field, under the old commitment */
    }
}

static void send_in(struct schedule *s, size_t session, size_t side)
{
    struct message *m = &s->under_way[s->count++];
    *m = (struct message){.session = session, .from = side};
    m->context.from = s->devices[side].model;
    m->context.to = s->devices[!side].model;
    dice_fill(&s->dice, m->context.id, 16);
    dice_fill(&s->dice, m->context.target, 32);
    if (s->own) memcpy(m->context.target, m->context.from.account, 32);
    make_content(s, m);
    if (!s->own && one_in(s, 200)) { /* its sender's own account, which the recipient's is not */
        memcpy(m->context.target, m->context.from.account, 32);
        m->bad = true;
    }
    if (one_in(s, 25)) spoil(s, m);
    twin_seal(&s->ends[session][side], &m->context, &m->padded, fork_dice(s), &m->ciphertext);
    s->tally->sealed++;
}

static void send(struct schedule *s)
{
    size_t session, side;
    if (sender(s, &session, &side) && s->count < UNDER_WAY) send_in(s, session, side);
}

/* Keys are made and no messages. */
static void pass(struct schedule *s)
{
    size_t session, side;
    struct twin *t = sender(s, &session, &side);
    if (t) twin_pass(t, 1 + below(s, 5));
}

/* A sender may say of its old chain what it likes, and give a key that is not its own: of small order, or with the bit
 * set that X25519 ignores. */
static void lie(struct schedule *s)
{
    size_t session, side;
    struct twin *t = sender(s, &session, &side);
    if (!t || !one_in(s, 3)) return;
    static const uint32_t lies[] = {0, 1, 3, 998, 999, 1000, 1001, 0x80000000u, 0xffffffffu};
    t->model.ratchet.previous = t->real.ratchet.previous = lies[below(s, sizeof lies / sizeof lies[0])];
    if (one_in(s, 4)) t->model.ratchet.own[31] = t->real.ratchet.own.bytes[31] ^= 0x80;
    if (one_in(s, 8)) {
        memset(t->model.ratchet.own, 0, 32);
        memset(t->real.ratchet.own.bytes, 0, 32);
    }
    s->honest = false;
    s->tally->lies++;
}

static enum model_cause open_in(struct schedule *s, struct twin *t, const struct message *m,
                                const struct model_context *c, const struct model_bytes *ciphertext);

/* A message in a session's name by somebody who has none of its keys: under a chain of zeros, as a state that was never
 * filled in would have it. Where nothing was received yet also one by the responder under its prekey as ratchet key, which
 * it could make, and which no honest one does. */
static void forge(struct schedule *s)
{
    size_t session, side;
    struct twin *t = sender(s, &session, &side);
    if (!t) return;
    static struct model_session forger;
    struct message m = {.session = session, .from = !side, .bad = true};
    const struct device *peer = &s->devices[!side];
    const uint8_t *const keys[] = {t->model.ratchet.peer, t->model.ratchet.own, peer->prekeys.signed_key,
                                   t->model.start.e, (const uint8_t[32]){0}};
    uint8_t nonce[24], fresh[32] = {1}, key[32];
    m.context = (struct model_context){.from = peer->model, .to = s->devices[side].model};
    make_content(s, &m);
    memset(&forger, 0, sizeof forger);
    if (!t->model.ratchet.has_receiving && one_in(s, 2)) {
        model_ratchet_respond(&forger.ratchet, t->model.ratchet.root, peer->prekey_sk);
        if (model_ratchet_receive(&forger.ratchet, t->model.ratchet.own, 0, 0, fresh, key) == MODEL_GOOD)
            memcpy(forger.ratchet.sending, forger.ratchet.receiving, 32);
        memcpy(forger.ratchet.own, peer->prekeys.signed_key, 32);
        forger.ratchet.send_number = 1;
        m.bad = s->honest = false;
    } else {
        memcpy(forger.ratchet.own, keys[below(s, 5)], 32);
        forger.ratchet.send_number = (uint32_t)below(s, 3);
    }
    dice_fill(&s->dice, nonce, 24);
    model_seal(&forger, &m.context, &m.padded, nonce, &m.ciphertext);
    if (open_in(s, t, &m, &m.context, &m.ciphertext) == MODEL_GOOD) s->tally->forged++;
    model_bytes_free(&m.ciphertext);
    model_bytes_free(&m.padded);
}

/* The device is a copy of an earlier one. */
static void set_back(struct schedule *s)
{
    if (s->has_set_back && one_in(s, 2)) {
        twin_copy(&s->ends[s->set_back_session][s->set_back_side], &s->set_back);
        s->honest = false;
        s->tally->set_back++;
    } else if (s->sessions) {
        s->set_back_session = below(s, s->sessions);
        s->set_back_side = below(s, 2);
        twin_copy(&s->set_back, &s->ends[s->set_back_session][s->set_back_side]);
        s->has_set_back = true;
    }
}

/* ---- opening ---- */

static enum model_cause open_in(struct schedule *s, struct twin *t, const struct message *m,
                                const struct model_context *c, const struct model_bytes *ciphertext)
{
    struct model_bytes padded = {0};
    enum model_cause cause = twin_open(t, &s->devices[!m->from], &s->devices[m->from], c, ciphertext,
                                       fork_dice(s), &padded);
    s->tally->causes[cause]++;
    if (t->kept_count > s->tally->kept_max) s->tally->kept_max = t->kept_count;
    if (cause == MODEL_GOOD) {
        same("what was opened was sealed", 0, m->bad);
        same("length of what was sealed", m->padded.len, padded.len);
        same("what was sealed", 0, memcmp(m->padded.at, padded.at, padded.len) != 0);
    }
    model_bytes_free(&padded);
    return cause;
}

static void deliver(struct schedule *s, struct message *m)
{
    enum model_cause cause = open_in(s, &s->ends[m->session][!m->from], m, &m->context, &m->ciphertext);
    if (m->opened && s->honest && cause == MODEL_GOOD) differ("a message opens once", 0, 1);
    if (!m->opened && s->honest && !m->bad && cause != MODEL_GOOD) differ("a good message opens", 0, cause);
    if (cause == MODEL_GOOD) m->opened = true;
}

/* Anything changed in the bytes, or in what surrounds them, is refused. */
static void deliver_changed(struct schedule *s, const struct message *m)
{
    struct model_context c = m->context;
    struct model_bytes ciphertext = {0};
    uint8_t *const around[] = {c.id, c.target, c.from.account, c.from.device, c.to.account, c.to.device, c.commitment};
    static const struct { size_t at, len; } fields[] = {{2, 32}, {34, 4}, {38, 4}, {42, 32}, {74, 32}, {106, 8}, {114, 1}, {115, 8}};
    size_t field = below(s, 8);
    uint8_t bit = (uint8_t)(1u << below(s, 8));
    model_add(&ciphertext, m->ciphertext.at, m->ciphertext.len);
    switch (below(s, 6)) {
    case 0: around[below(s, 7)][below(s, 16)] ^= bit; break;
    case 1: ciphertext.at[below(s, ciphertext.len)] ^= bit; break;
    case 2: ciphertext.at[below(s, MODEL_HEADER_LEN + MODEL_START_LEN + 24)] ^= bit; break;
    case 3: ciphertext.len = below(s, one_in(s, 2) ? 200 : ciphertext.len); break;
    case 4: model_add_zeros(&ciphertext, 1 + below(s, 40)); break;
    case 5: /* a whole field of the header */
        memset(ciphertext.at + fields[field].at, one_in(s, 4) ? 0xff : 0, fields[field].len);
        if (memcmp(ciphertext.at, m->ciphertext.at, ciphertext.len) == 0) ciphertext.at[0] = 1;
        break;
    }
    enum model_cause cause = open_in(s, &s->ends[m->session][!m->from], m, &c, &ciphertext);
    if (cause == MODEL_GOOD) differ("a changed message is refused", 0, 1);
    model_bytes_free(&ciphertext);
}

/* The state after it is thrown away: a session begun in another's place would be one too many. */
static void deliver_elsewhere(struct schedule *s, const struct message *m)
{
    size_t session = below(s, s->sessions);
    twin_copy(&s->scratch, &s->ends[session][!m->from]);
    open_in(s, &s->scratch, m, &m->context, &m->ciphertext);
}

static void forget(struct schedule *s, size_t at)
{
    model_bytes_free(&s->under_way[at].ciphertext);
    model_bytes_free(&s->under_way[at].padded);
    s->under_way[at] = s->under_way[--s->count];
}

static void receive(struct schedule *s)
{
    if (s->count == 0) return;
    size_t at = below(s, s->count), chance = below(s, 100);
    struct message *m = &s->under_way[at];
    if (chance < 12) {
        deliver_changed(s, m);
    } else if (chance < 17) {
        deliver_elsewhere(s, m);
    } else {
        if (chance >= 22) deliver(s, m); /* else it is lost */
        if (chance < 90) forget(s, at);  /* else it comes again */
    }
}

/* Seldom, so many messages are lost that the next is too far ahead, or just not; in a row, that no more keys are kept. */
static void go_far(struct schedule *s)
{
    size_t session, side;
    struct twin *t = sender(s, &session, &side);
    if (!t || !one_in(s, 12)) return;
    s->honest = false;
    for (size_t times = 1 + below(s, 4); times > 0; times--) {
        twin_pass(t, one_in(s, 3) ? 997 + below(s, 6) : 500 + below(s, 500));
        if (s->count == UNDER_WAY) return;
        send_in(s, session, side);
        deliver(s, &s->under_way[s->count - 1]);
    }
}

static void reload(struct schedule *s)
{
    for (size_t session = 0; session < s->sessions; session++)
        for (size_t side = 0; side < 2; side++)
            if (s->ends[session][side].exists) twin_reload(&s->ends[session][side]);
}

/* ---- schedules ---- */

static void step(struct schedule *s)
{
    size_t chance = below(s, 100);
    now.step++;
    s->tally->steps++;
    if (chance < 5) begin(s);
    else if (chance < 48) send(s);
    else if (chance < 90) receive(s);
    else if (chance < 92) pass(s);
    else if (chance < 93) go_far(s);
    else if (chance < 95) lie(s);
    else if (chance < 96) forge(s);
    else if (chance < 98) set_back(s);
    else reload(s);
}

static void run(struct schedule *s, uint64_t seed)
{
    now = (struct place){.seed = seed};
    s->dice = (struct dice){seed * 0x2545f4914f6cdd1du + 1};
    s->sessions = 0;
    s->has_set_back = false;
    s->honest = true;
    for (size_t i = 0; i < SESSIONS; i++)
        s->ends[i][0].exists = s->ends[i][1].exists = false;
    device_make(&s->devices[0], &s->dice);
    device_make(&s->devices[1], &s->dice);
    s->own = one_in(s, 3);
    if (s->own) {
        memcpy(s->devices[1].model.account, s->devices[0].model.account, 32);
        s->devices[1].real.account = s->devices[0].real.account;
    }
    for (size_t steps = STEPS_MIN + below(s, STEPS_RANDOM); steps > 0; steps--)
        step(s);
    while (s->count > 0) { /* what is left comes in the end */
        size_t at = below(s, s->count);
        now.step++;
        deliver(s, &s->under_way[at]);
        forget(s, at);
    }
}

static void report(const char *how, uint64_t schedules, const struct tally *t)
{
    printf("duel: %llu schedules, %llu steps, %llu sessions, %llu sealed (%llu large), %llu opened; refused: version %llu, "
           "form %llu, sender %llu, session %llu, replay %llu, far %llu, authentication %llu, commitment %llu; "
           "%llu lies, %llu under a prekey, %llu set back, at most %zu kept keys%s\n",
           (unsigned long long)schedules, (unsigned long long)t->steps, (unsigned long long)t->begun,
           (unsigned long long)t->sealed, (unsigned long long)t->large, (unsigned long long)t->causes[MODEL_GOOD],
           (unsigned long long)t->causes[MODEL_VERSION], (unsigned long long)t->causes[MODEL_FORM],
           (unsigned long long)t->causes[MODEL_SENDER], (unsigned long long)t->causes[MODEL_SESSION],
           (unsigned long long)t->causes[MODEL_REPLAY], (unsigned long long)t->causes[MODEL_FAR_AHEAD],
           (unsigned long long)t->causes[MODEL_AUTHENTICATION], (unsigned long long)t->causes[MODEL_COMMITMENT],
           (unsigned long long)t->lies, (unsigned long long)t->forged, (unsigned long long)t->set_back, t->kept_max, how);
    fflush(stdout);
}

/* In so many schedules each of these comes many times; if not, the duel has quietly stopped testing it. */
static bool met(const struct tally *t, uint64_t schedules)
{
    static const enum model_cause causes[] = {MODEL_GOOD, MODEL_VERSION, MODEL_FORM, MODEL_SENDER, MODEL_SESSION,
                                              MODEL_REPLAY, MODEL_FAR_AHEAD, MODEL_AUTHENTICATION, MODEL_COMMITMENT};
    if (schedules < SCHEDULES_MET) return schedules > 0;
    for (size_t i = 0; i < sizeof causes / sizeof causes[0]; i++)
        if (t->causes[causes[i]] == 0) return false;
    return t->lies && t->forged && t->set_back && t->large && t->kept_max == MODEL_KEPT;
}

int main(int argc, char **argv)
{
    uint64_t schedules = 1000, seed = 1;
    for (int i = 1; i < argc; i += 2) {
        uint64_t *value = strcmp(argv[i], "--schedules") == 0 ? &schedules : strcmp(argv[i], "--seed") == 0 ? &seed : NULL;
        char *end = NULL;
        if (value && i + 1 < argc) *value = strtoull(argv[i + 1], &end, 10);
        if (!end || *end) {
            fprintf(stderr, "duel: usage: duel [--schedules N] [--seed S]\n");
            return 2;
        }
    }
    struct tally tally = {0};
    struct schedule *s = calloc(1, sizeof *s);
    if (!s || sodium_init() < 0) return 2;
    s->tally = &tally;
    for (uint64_t i = 0; i < schedules; i++) {
        run(s, seed + i);
        if ((i + 1) % 20000 == 0 && i + 1 < schedules) report(" so far", i + 1, &tally);
    }
    bool all = met(&tally, schedules);
    report(all ? ": the two agree" : ": FAILED, since it has not met everything", schedules, &tally);
    free(s);
    return all ? 0 : 1;
}
