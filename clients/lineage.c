/* lineage: notices that this home was set back to an older copy, or that a copy of it is in use elsewhere (PROTOCOL 4.1).
 * Each HELLO, and an ACK now and then, carries a mark that only a copy of this home could have made; the relay gives the last
 * ones back. Invariant: a mark is kept before it is sent, so one that verifies and is not known here was made by another copy, since the two
 * were one. */
#include "clients/core.h"

#include <sodium.h>
#include <string.h>

#define KEPT_SETTING "lineage" /* marks without signature, ascending */
#define KEPT_MAX     32u
#define EVERY_MS     600000u
#define COUNT_MAX    (1ull << 62) /* no home comes so far */
#define LABEL        "sealmq lineage 1"

/* A mark without its signature, as it is kept and signed. */
struct mark_body {
    uint8_t bytes[24]; /* count, random */
};

/* The last KEPT_MAX of them, ascending. */
struct kept {
    struct mark_body at[KEPT_MAX];
    size_t count;
};

static uint64_t count_of(const struct mark_body *m)
{
    return get_u64(m->bytes);
}

static enum status kept_get_in(struct engine *e, struct kept *out)
{
    struct view value;
    out->count = 0;
    enum status s = state_setting_get(e->state, KEPT_SETTING, &e->arena, &value);
    if (s == STATUS_NOT_FOUND) return STATUS_OK;
    if (s != STATUS_OK) return s;
    out->count = value.len / sizeof out->at[0];
    if (value.len > sizeof out->at || value.len % sizeof out->at[0]) return STATUS_DAMAGED;
    memcpy(out->at, value.at, value.len);
    return STATUS_OK;
}

static enum status kept_put_in(struct engine *e, const struct kept *kept)
{
    return state_setting_put(e->state, KEPT_SETTING, view_of(kept->at[0].bytes, kept->count * sizeof kept->at[0]));
}

/* Into its place; the lowest goes where there is no more room. */
static void kept_add(struct kept *kept, const struct mark_body *m)
{
    if (kept->count == KEPT_MAX)
        memmove(kept->at, kept->at + 1, --kept->count * sizeof kept->at[0]);
    size_t i = kept->count++;
    for (; i && count_of(&kept->at[i - 1]) > count_of(m); i--)
        kept->at[i] = kept->at[i - 1];
    kept->at[i] = *m;
}

static bool kept_has(const struct kept *kept, const struct mark_body *m)
{
    bool found = false;
    for (size_t i = 0; i < kept->count; i++)
        found = found || memcmp(&kept->at[i], m, sizeof *m) == 0;
    return found;
}

/* ---- what a mark is signed with ---- */

struct mark_text {
    uint8_t bytes[sizeof LABEL + 32 + 16 + sizeof(struct mark_body)];
};

static struct mark_text text_of(const struct engine *e, const struct mark_body *m)
{
    struct mark_text text;
    uint8_t *at = text.bytes;
    memcpy(at, LABEL, sizeof LABEL);
    memcpy(at += sizeof LABEL, e->identity.account.bytes, 32);
    memcpy(at += 32, e->identity.device.bytes, 16);
    memcpy(at += 16, m->bytes, sizeof m->bytes);
    return text;
}

static bool is_genuine(const struct engine *e, const struct mark_body *m, const uint8_t signature[64])
{
    const struct mark_text text = text_of(e, m);
    return crypto_sign_verify_detached(signature, text.bytes, sizeof text.bytes, e->identity.record.signing.bytes) == 0;
}

/* ---- HELLO ---- */

static enum status mark_in(struct engine *e, struct mark_body *out)
{
    struct kept kept;
    enum status s = kept_get_in(e, &kept);
    if (s != STATUS_OK) return s;
    put_u64(out->bytes, kept.count ? count_of(&kept.at[kept.count - 1]) + 1 : 1);
    random_fill(e, out->bytes + 8, sizeof out->bytes - 8);
    kept_add(&kept, out);
    return kept_put_in(e, &kept);
}

static enum status next_in(struct engine *e, uint8_t out[LINEAGE_MARK_LEN])
{
    struct mark_body m;
    struct device_secrets *secrets = secrets_new();
    enum status s = state_secrets_get(e->state, secrets);
    if (s == STATUS_OK) s = mark_in(e, &m);
    if (s == STATUS_OK) {
        const struct mark_text text = text_of(e, &m);
        memcpy(out, m.bytes, sizeof m.bytes);
        crypto_sign_detached(out + sizeof m.bytes, NULL, text.bytes, sizeof text.bytes, secrets->signing_sk);
    }
    sodium_free(secrets);
    return s;
}

bool lineage_next(struct engine *e, struct now now, struct view *out)
{
    uint8_t *mark = arena_alloc(&e->arena, LINEAGE_MARK_LEN);
    *out = view_of(mark, LINEAGE_MARK_LEN);
    enum status s = tx_begin(e, STATE_WRITE);
    if (s == STATUS_OK) s = tx_end(e, next_in(e, mark));
    if (s == STATUS_OK) e->lineage_ms = now.mono_ms + EVERY_MS;
    return engine_fault(e, s);
}

bool lineage_due(struct engine *e, struct now now, struct view *out)
{
    return e->lineage_ms <= now.mono_ms && lineage_next(e, now, out);
}

/* ---- WELCOME ---- */

/* Below the lowest that is kept nothing can be told any more: the relay may have been set back itself. */
static bool is_strange(const struct engine *e, const struct kept *kept, const struct mark_body *m, const uint8_t *signature)
{
    bool forgotten = kept->count == KEPT_MAX && count_of(m) < count_of(&kept->at[0]);
    return !forgotten && count_of(m) < COUNT_MAX && !kept_has(kept, m) && is_genuine(e, m, signature);
}

/* What is kept, and in it what was strange in what the relay said. */
static enum status heard_in(struct engine *e, struct view said, struct kept *kept, bool *strange)
{
    enum status s = kept_get_in(e, kept);
    *strange = false;
    for (size_t at = 0; s == STATUS_OK && at + LINEAGE_MARK_LEN <= said.len; at += LINEAGE_MARK_LEN) {
        struct mark_body m;
        memcpy(m.bytes, said.at + at, sizeof m.bytes);
        if (!is_strange(e, kept, &m, said.at + at + sizeof m.bytes)) continue;
        kept_add(kept, &m);
        *strange = true;
    }
    return s;
}

/* What was begun with a copy's keys is begun anew; what the user shall see waits until it was seen. */
static enum status reset_in(struct engine *e, struct now now)
{
    static const uint8_t yes = 1;
    enum status s = state_sessions_retire(e->state);
    if (s == STATUS_OK) s = outbox_unseal_in(e, now);
    if (s == STATUS_OK) s = prekeys_renounce_in(e);
    if (s == STATUS_OK) s = state_setting_put(e->state, STATE_COPIED_SETTING, view_of(&yes, 1));
    event_put(e, &(struct engine_event){.kind = ENGINE_COPIED});
    return s;
}

static enum status judge_in(struct engine *e, struct now now, struct view said, bool *strange)
{
    struct kept kept;
    enum status s = heard_in(e, said, &kept, strange);
    if (s != STATUS_OK || !*strange) return s; /* another process of this home was first */
    e->counts.copies++;
    s = kept_put_in(e, &kept);
    return s == STATUS_OK ? reset_in(e, now) : s;
}

/* A look that finds nothing shall not take the writers' lock. */
static bool anything_strange(struct engine *e, struct view said)
{
    struct kept kept;
    bool strange = true;
    enum status s = tx_begin(e, STATE_READ);
    if (s == STATUS_OK) s = tx_end(e, heard_in(e, said, &kept, &strange));
    return !engine_fault(e, s) || strange;
}

/* The mark of this HELLO was made without knowing of the other copy: where that has made many since the two were one, it
 * would take it for a forgotten one of its own. */
bool lineage_heard(struct engine *e, struct now now, struct view said)
{
    bool strange = false;
    if (!said.len || !anything_strange(e, said)) return true;
    enum status s = tx_begin(e, STATE_WRITE);
    if (s == STATUS_OK) s = tx_end(e, judge_in(e, now, said, &strange));
    return engine_fault(e, s) && !strange;
}
