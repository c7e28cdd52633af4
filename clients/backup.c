/* backup: one job at a time, one question at a time: what the relay has, and then its parts or ours, in order. A relay's answer moves
 * the job on by what it says is there, so that lost answers and repeated questions do no harm. Invariants: parts are sealed once,
 * under a version and an id of this job; nothing of a backup is taken before all of it has opened; the key is in
 * sodium_malloc memory and goes with the job. */
#include "clients/backup.h"

#include "clients/recovery_core.h"
#include "clients/seal/backup.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define OF_SETTING   "backup.of"   /* the recovery key to which the kept key belongs */
#define NEXT_SETTING "backup.next" /* of KEPT_BACKUP_NEXT the same */
#define SEEN_SETTING "backup.seen" /* version u64, made_ms u64 */
#define HISTORY_SETTING "backup.history" /* one byte: backups of this home have messages */
#define PAGE         4096u         /* sizes are told in these */
#define PLAIN_LEN_MAX (BACKUP_PARTS_MAX * BACKUP_PLAIN_MAX / PAGE * PAGE)
#define AGAIN_MAX    3u            /* times that another device may come between */

struct backup_job {
    struct backup_view view;
    uint8_t *key; /* sodium_malloc */
    enum backup_action action;
    bool given, listed; /* listed: what the relay has is known */
    struct backup_facts facts;
    struct msg_backup_has has;
    struct backup_place place; /* its part: the next one */
    struct buffer sealed, plain; /* make: all parts, one after the other; take: what has opened */
    size_t lens[BACKUP_PARTS_MAX];
    bool asked;
    uint64_t ask_ms;
    unsigned tries, again;
};

/* ---- what is kept ---- */

static enum status of_get(struct state *state, const char *name, struct arena *a, struct signing_pk *out)
{
    struct view value;
    memset(out, 0, sizeof *out);
    enum status s = state_setting_get(state, name, a, &value);
    if (s != STATUS_OK) return s == STATUS_NOT_FOUND ? STATUS_OK : s;
    if (value.len != sizeof *out) return STATUS_DAMAGED;
    memcpy(out, value.at, sizeof *out);
    return STATUS_OK;
}

enum status state_backup_facts(struct state *state, struct arena *a, struct backup_facts *out)
{
    struct state_identity me;
    struct contact own;
    struct signing_pk of;
    struct view seen;
    memset(out, 0, sizeof *out);
    enum status s = state_identity_get(state, a, &me);
    if (s == STATUS_OK) s = state_contact_get(state, me.account, &own);
    if (s == STATUS_OK) s = of_get(state, OF_SETTING, a, &of);
    if (s != STATUS_OK) return s;
    out->key = own.log.has_recovery && memcmp(&of, &own.log.recovery, sizeof of) == 0;
    s = state_setting_get(state, SEEN_SETTING, a, &seen);
    if (s == STATUS_OK && seen.len != 16) s = STATUS_DAMAGED;
    if (s == STATUS_OK) {
        out->version = get_u64(seen.at);
        out->made_ms = get_u64(seen.at + 8);
    }
    if (s == STATUS_OK || s == STATUS_NOT_FOUND) s = state_setting_get(state, HISTORY_SETTING, a, &seen);
    out->history = s == STATUS_OK;
    return s == STATUS_NOT_FOUND ? STATUS_OK : s;
}

static enum status history_put(struct state *state, bool history)
{
    return state_setting_put(state, HISTORY_SETTING, view_of("1", history ? 1 : 0));
}

enum status state_backup_key_put(struct state *state, const struct signing_pk *recovery, const uint8_t key[32])
{
    enum status s = state_kept_key_put(state, KEPT_BACKUP, key);
    return s == STATUS_OK ? state_setting_put(state, OF_SETTING, view_of(recovery->bytes, sizeof recovery->bytes)) : s;
}

enum status backup_key_next_in(struct engine *e, const struct signing_pk *recovery, const uint8_t *key)
{
    enum status s = state_kept_key_put(e->state, KEPT_BACKUP_NEXT, key);
    return s == STATUS_OK ? state_setting_put(e->state, NEXT_SETTING, view_of(recovery->bytes, key ? sizeof recovery->bytes : 0)) : s;
}

enum status backup_key_settled_in(struct engine *e, bool counts)
{
    struct signing_pk of;
    uint8_t *key = sodium_malloc(32);
    ENSURE(key);
    enum status s = of_get(e->state, NEXT_SETTING, &e->arena, &of);
    if (s == STATUS_OK) s = state_kept_key_get(e->state, KEPT_BACKUP_NEXT, key);
    if (s == STATUS_OK && counts) s = state_backup_key_put(e->state, &of, key);
    sodium_free(key);
    if (s == STATUS_NOT_FOUND) s = STATUS_OK; /* none was kept for it */
    return s == STATUS_OK ? backup_key_next_in(e, &of, NULL) : s;
}

static enum status seen_put(struct state *state, uint64_t version, uint64_t made_ms)
{
    uint8_t value[16];
    put_u64(value, version);
    put_u64(value + 8, made_ms);
    return state_setting_put(state, SEEN_SETTING, view_of(value, sizeof value));
}

/* ---- the job ---- */

void backup_free(struct engine *e)
{
    struct backup_job *j = e->backup;
    if (!j) return;
    sodium_free(j->key);
    if (j->plain.len) sodium_memzero(j->plain.at, j->plain.len);
    buffer_fini(&j->plain);
    buffer_fini(&j->sealed);
    free(j);
    e->backup = NULL;
}

static void job_end(struct backup_job *j, enum status s)
{
    j->view.stage = s == STATUS_OK ? BACKUP_DONE : BACKUP_FAILED;
    j->view.status = s;
    sodium_memzero(j->key, 32);
    if (j->plain.len) sodium_memzero(j->plain.at, j->plain.len);
    buffer_clear(&j->plain);
}

static enum status begin_in(struct engine *e, struct backup_job *j)
{
    enum status s = state_backup_facts(e->state, &e->arena, &j->facts);
    if (j->action == BACKUP_MAKE_WITH_HISTORY) j->facts.history = true;
    if (j->action == BACKUP_MAKE_WITHOUT_HISTORY) j->facts.history = false;
    if (s != STATUS_OK || j->given) return s;
    return j->facts.key ? state_kept_key_get(e->state, KEPT_BACKUP, j->key) : STATUS_NOT_FOUND;
}

enum status engine_backup(struct engine *e, struct now now, enum backup_action action, const uint8_t *key)
{
    if (e->backup && e->backup->view.stage == BACKUP_UNDER_WAY) return STATUS_STATE;
    backup_free(e);
    arena_reset(&e->arena);
    struct backup_job *j = calloc(1, sizeof *j);
    ENSURE(j);
    e->backup = j;
    j->key = sodium_malloc(32);
    ENSURE(j->key);
    j->action = action;
    j->given = key != NULL;
    j->ask_ms = now.mono_ms;
    j->view.stage = BACKUP_UNDER_WAY;
    j->place.account = e->identity.account;
    if (key) memcpy(j->key, key, 32);
    enum status s = tx_begin(e, STATE_READ);
    if (s == STATUS_OK) s = tx_end(e, begin_in(e, j));
    if (s != STATUS_OK) backup_free(e);
    (void)engine_fault(e, s);
    return s;
}

void engine_backup_view(const struct engine *e, struct backup_view *out)
{
    *out = e->backup ? e->backup->view : (struct backup_view){.stage = BACKUP_NONE};
}

/* ---- asking ---- */

static bool is_due(const struct engine *e)
{
    const struct backup_job *j = e->backup;
    return j && j->view.stage == BACKUP_UNDER_WAY && !j->asked;
}

uint64_t backup_deadline_ms(const struct engine *e)
{
    return is_due(e) ? e->backup->ask_ms : NEVER;
}

static size_t part_at(const struct backup_job *j, uint32_t part)
{
    size_t at = 0;
    for (uint32_t i = 0; i < part; i++)
        at += j->lens[i];
    return at;
}

void backup_drive(struct engine *e, struct now now)
{
    struct backup_job *j = e->backup;
    uint16_t home = home_of_account(e->identity.account);
    if (!is_due(e) || !may_ask(e) || j->ask_ms > now.mono_ms) return;
    if (j->listed && j->action != BACKUP_TAKE) {
        const uint8_t *at = j->sealed.at + part_at(j, j->place.part);
        struct msg_backup_put m = {.version = j->place.version, .previous = j->has.version, .id = j->place.id,
                                   .part = j->place.part, .of = j->place.of, .bytes = view_of(at, j->lens[j->place.part])};
        j->asked = request_make(e, now, KIND_BACKUP_PUT, home, &msg_backup_put_desc, &m) != NULL;
    } else {
        struct msg_backup_get m = {.version = j->listed ? j->view.version : 0, .part = j->place.part};
        j->asked = request_make(e, now, KIND_BACKUP_GET, home, &msg_backup_get_desc, &m) != NULL;
    }
    if (!j->asked) j->ask_ms = now.mono_ms + RETRY_MIN_MS;
}

void backup_failed(struct engine *e, struct now now, struct request *r, enum status s, uint32_t retry_after_ms)
{
    struct backup_job *j = e->backup;
    (void)r;
    if (!j || j->view.stage != BACKUP_UNDER_WAY || !j->asked) return;
    j->asked = false;
    uint64_t delay = backoff_ms(e, j->tries++, RETRY_MIN_MS, RETRY_MAX_MS);
    j->ask_ms = now.mono_ms + (delay > retry_after_ms ? delay : retry_after_ms);
    if (s == STATUS_GONE || s == STATUS_NO_SESSION) j->ask_ms = now.mono_ms;
    if (status_client_action(s) == ACTION_GIVE_UP && s != STATUS_SUPERSEDED) job_end(j, s);
}

/* ---- making one ---- */

/* Length, content, and zeros up to a whole page; never more than the relay takes. */
static enum status plain_make_in(struct engine *e, struct now now, struct backup_job *j)
{
    write_u32(&j->plain, 0);
    enum status s = backup_write_in(e->state, now.wall_ms, PLAIN_LEN_MAX, j->facts.history, &j->plain, &j->view.summary);
    if (s != STATUS_OK) return s;
    put_u32(j->plain.at, (uint32_t)(j->plain.len - 4));
    size_t more = (PAGE - j->plain.len % PAGE) % PAGE;
    memset(buffer_extend(&j->plain, more), 0, more);
    return STATUS_OK;
}

static void parts_seal(struct engine *e, struct backup_job *j)
{
    size_t count = (j->plain.len + BACKUP_PLAIN_MAX - 1) / BACKUP_PLAIN_MAX;
    ENSURE(count <= BACKUP_PARTS_MAX);
    j->place.of = (uint32_t)count;
    for (size_t at = 0; at < j->plain.len; at += BACKUP_PLAIN_MAX, j->place.part++) {
        uint8_t nonce[24];
        size_t len = j->plain.len - at < BACKUP_PLAIN_MAX ? j->plain.len - at : BACKUP_PLAIN_MAX;
        random_fill(e, nonce, sizeof nonce);
        backup_seal(j->key, &j->place, view_of(j->plain.at + at, len), nonce, &j->sealed);
        j->lens[j->place.part] = len + BACKUP_OVERHEAD;
    }
    j->place.part = 0;
}

static void make_begin(struct engine *e, struct now now, struct backup_job *j)
{
    uint64_t above = j->has.version > j->facts.version ? j->has.version : j->facts.version;
    j->place.version = j->view.version = above + 1;
    j->place.part = 0;
    random_fill(e, &j->place.id, sizeof j->place.id);
    buffer_clear(&j->plain);
    buffer_clear(&j->sealed);
    enum status s = tx_begin(e, STATE_READ);
    if (s == STATUS_OK) s = tx_end(e, plain_make_in(e, now, j));
    if (s == STATUS_OK) parts_seal(e, j);
    sodium_memzero(j->plain.at, j->plain.len);
    buffer_clear(&j->plain);
    if (s == STATUS_LOCKED) { /* not now */
        j->listed = false;
        j->ask_ms = now.mono_ms + RETRY_MIN_MS;
        return;
    }
    if (s != STATUS_OK) job_end(j, s);
    (void)engine_fault(e, s);
}

static enum status made_in(struct engine *e, const struct backup_job *j)
{
    struct contact own;
    enum status s = state_contact_get(e->state, e->identity.account, &own);
    if (s == STATUS_OK && j->given) s = state_backup_key_put(e->state, &own.log.recovery, j->key);
    if (s == STATUS_OK) s = history_put(e->state, j->facts.history);
    return s == STATUS_OK ? seen_put(e->state, j->view.version, j->view.summary.made_ms) : s;
}

static void keep_and_end(struct engine *e, struct backup_job *j)
{
    enum status s = tx_begin(e, STATE_WRITE);
    if (s == STATUS_OK) s = tx_end(e, made_in(e, j));
    (void)engine_fault(e, s);
    job_end(j, s);
}

static bool is_ours(const struct backup_job *j, uint64_t version, const struct backup_id *id)
{
    return version == j->place.version && memcmp(id, &j->place.id, sizeof *id) == 0;
}

void backup_has_reply(struct engine *e, struct now now, struct request *r, const struct frame *f)
{
    struct backup_job *j = e->backup;
    struct msg_backup_has has;
    (void)r;
    if (!j || j->view.stage != BACKUP_UNDER_WAY || !j->asked) return;
    if (codec_decode(&msg_backup_has_desc, f->meta, &e->arena, &has) != STATUS_OK) {
        e->counts.frames_bad++;
        backup_failed(e, now, r, STATUS_UNKNOWN, 0);
        return;
    }
    j->asked = false;
    j->tries = 0;
    j->ask_ms = now.mono_ms;
    if (is_ours(j, has.version, &has.id)) {
        keep_and_end(e, j);
    } else if (is_ours(j, has.coming_version, &has.coming_id) && has.coming_parts < j->place.of) {
        if (has.coming_parts <= j->place.part) j->ask_ms += RETRY_MIN_MS; /* it has not taken it, and says nothing against it */
        j->place.part = has.coming_parts;
    } else if (++j->again > AGAIN_MAX) {
        job_end(j, STATUS_STATE);
    } else { /* another device has come between */
        j->ask_ms += backoff_ms(e, j->again, RETRY_MIN_MS, RETRY_MAX_MS);
        j->listed = false;
        j->place.part = 0;
    }
}

/* ---- taking one ---- */

/* Which one of those that there are. */
static void take_begin(struct backup_job *j, bool fallback)
{
    j->view.fallback = fallback;
    j->view.version = fallback ? j->has.older_version : j->has.version;
    j->place.of = fallback ? j->has.older_parts : j->has.parts;
    j->place.id = fallback ? j->has.older_id : j->has.id;
    j->place.version = j->view.version;
    j->place.part = 0;
    if (j->plain.len) sodium_memzero(j->plain.at, j->plain.len);
    buffer_clear(&j->plain);
}

static bool is_there(uint64_t version, uint32_t parts)
{
    return version && parts && parts <= BACKUP_PARTS_MAX;
}

/* The newest may be anything that a device of the account has put there. */
static void take_failed(struct backup_job *j, enum status s)
{
    bool no_backup = s == STATUS_BAD_ENTRY || s == STATUS_MALFORMED;
    if (no_backup && !j->view.fallback && is_there(j->has.older_version, j->has.older_parts))
        take_begin(j, true);
    else
        job_end(j, s);
}

static enum status taken_in(struct engine *e, struct now now, const struct backup_job *j, struct view content,
                            struct backup_summary *out)
{
    struct contact own;
    enum status s = state_contact_get(e->state, e->identity.account, &own);
    if (s == STATUS_OK) s = backup_take_in(e->state, content, now.wall_ms, out);
    if (s == STATUS_OK && out->messages) s = history_put(e->state, true);
    if (s == STATUS_OK && j->given && own.log.has_recovery) s = state_backup_key_put(e->state, &own.log.recovery, j->key);
    uint64_t seen = j->facts.version > j->has.version ? j->facts.version : j->has.version;
    return s == STATUS_OK ? seen_put(e->state, seen, j->facts.made_ms) : s;
}

static void take_end(struct engine *e, struct now now, struct backup_job *j)
{
    struct reader r = reader_of(buffer_view(&j->plain));
    struct view content = read_view(&r, read_u32(&r));
    enum status s = r.failed ? STATUS_MALFORMED : tx_begin(e, STATE_WRITE);
    if (s == STATUS_OK) s = tx_end(e, taken_in(e, now, j, content, &j->view.summary));
    if (s == STATUS_IO || s == STATUS_DAMAGED) (void)engine_fault(e, s);
    if (s == STATUS_OK)
        job_end(j, s);
    else
        take_failed(j, s);
}

static void part_take(struct engine *e, struct now now, struct backup_job *j, struct view bytes)
{
    enum status s = backup_open(j->key, &j->place, bytes, &j->plain);
    if (s != STATUS_OK)
        take_failed(j, s);
    else if (++j->place.part == j->place.of)
        take_end(e, now, j);
}

static void listed(struct engine *e, struct now now, struct backup_job *j)
{
    j->listed = true;
    j->view.older = j->has.version < j->facts.version;
    j->place.part = 0;
    buffer_clear(&j->plain);
    if (j->action != BACKUP_TAKE) {
        make_begin(e, now, j);
        return;
    }
    take_begin(j, false);
    if (!is_there(j->has.version, j->has.parts)) job_end(j, STATUS_NOT_FOUND);
}

void backup_is_reply(struct engine *e, struct now now, struct request *r, const struct frame *f)
{
    struct backup_job *j = e->backup;
    struct msg_backup_is m;
    (void)r;
    if (!j || j->view.stage != BACKUP_UNDER_WAY || !j->asked) return;
    if (codec_decode(&msg_backup_is_desc, f->meta, &e->arena, &m) != STATUS_OK) {
        e->counts.frames_bad++;
        backup_failed(e, now, r, STATUS_UNKNOWN, 0);
        return;
    }
    bool same = j->listed && m.has.version == j->has.version && m.has.parts == j->has.parts &&
                memcmp(&m.has.id, &j->has.id, sizeof m.has.id) == 0 &&
                (!j->view.fallback || (m.has.older_version == j->has.older_version && m.has.older_parts == j->has.older_parts &&
                                       memcmp(&m.has.older_id, &j->has.older_id, sizeof m.has.older_id) == 0));
    j->asked = false;
    j->tries = 0;
    j->ask_ms = now.mono_ms;
    j->has = m.has;
    if (same)
        part_take(e, now, j, m.bytes);
    else if (j->listed && ++j->again > AGAIN_MAX)
        job_end(j, STATUS_STATE);
    else /* the first answer, or a newer one has taken its place meanwhile */
        listed(e, now, j);
}
