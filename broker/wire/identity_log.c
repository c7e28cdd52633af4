/* identity_log: one table says what each operation needs, who may do it and whether it is a new key version; one
 * function an operation says what it does. An entry is verified in a copy of the log, which takes the log's place
 * in the last line. Step 3 (gate) stands on what comes out of it, and what clients pin. */
#include "broker/wire/identity_log.h"

#include <sodium.h>
#include <string.h>

static const char proof_label[] = "sealmq device proof 1";
static const char head_label[] = "sealmq entry head 1";

enum signer_kind { BY_OTHER = 1, BY_ITSELF = 2, BY_RECOVERY = 4 };
enum need { NEED_RECORD = 1, NEED_SUBJECT = 2, NEED_PROOF = 4, NEED_RECOVERY = 8, MAY_SUBJECT = 16, MAY_DATA = 32 };

/* An entry under way. */
struct step {
    const struct msg_entry_body *body;
    enum signer_kind by;
    struct log_device *subject; /* NULL where there is none */
};

typedef enum status operation_fn(struct identity_log *log, const struct step *step);

#define IS_ZERO(value) (sodium_is_zero((const uint8_t *)&(value), sizeof(value)) == 1)

/* device_count = it never was in the log. */
static size_t place_of(const struct identity_log *log, struct device_id id)
{
    size_t i = 0;
    while (i < log->device_count && !device_equal(log->devices[i].id, id))
        i++;
    return i;
}

const struct log_device *identity_log_device(const struct identity_log *log, struct device_id id)
{
    size_t i = place_of(log, id);
    return i < log->device_count ? &log->devices[i] : NULL;
}

static size_t count(const struct identity_log *log, enum standing up_to)
{
    size_t n = 0;
    for (size_t i = 0; i < log->device_count; i++)
        n += log->devices[i].standing <= up_to;
    return n;
}

struct msg_log_state identity_log_state(const struct identity_log *log)
{
    return (struct msg_log_state){.length = log->length, .head = log->head,
                                  .key_version = log->key_version,
                                  .version_head = log->version_head};
}

size_t identity_log_active(const struct identity_log *log)
{
    return count(log, STANDING_ACTIVE);
}

/* ---- keys ---- */

bool exchange_key_good(const uint8_t pk[32])
{
    static const uint8_t scalar[32] = {8};
    uint8_t shared[32];
    return crypto_scalarmult(shared, scalar, pk) == 0;
}

static bool same(const uint8_t a[32], const uint8_t b[32])
{
    return memcmp(a, b, 32) == 0;
}

static bool shares_a_key(const struct msg_device_record *a, const struct msg_device_record *b)
{
    const uint8_t *keys[] = {a->signing.bytes, a->identity.bytes, a->transport.bytes};
    bool shares = false;
    for (size_t i = 0; i < 3; i++)
        shares = shares || same(keys[i], b->signing.bytes) || same(keys[i], b->identity.bytes) ||
                 same(keys[i], b->transport.bytes);
    return shares;
}

/* Each key is one, and each is used for one thing by one device of the account. */
static bool record_good(const struct identity_log *log, const struct msg_device_record *r,
                        const struct log_device *but)
{
    if (crypto_core_ed25519_is_valid_point(r->signing.bytes) != 1) return false;
    if (!exchange_key_good(r->identity.bytes) || !exchange_key_good(r->transport.bytes)) return false;
    if (same(r->identity.bytes, r->transport.bytes)) return false;
    if (log->has_recovery && same(r->signing.bytes, log->recovery.bytes)) return false;
    for (size_t i = 0; i < log->device_count; i++)
        if (&log->devices[i] != but && shares_a_key(&log->devices[i].record, r)) return false;
    return true;
}

#define PROOF_LEN (sizeof proof_label + 4 * 32)

static void proof_bytes(struct account_id account, const struct msg_device_record *r,
                        uint8_t out[PROOF_LEN])
{
    const uint8_t *parts[] = {account.bytes, r->signing.bytes, r->identity.bytes, r->transport.bytes};
    memcpy(out, proof_label, sizeof proof_label);
    for (size_t i = 0; i < 4; i++)
        memcpy(out + sizeof proof_label + 32 * i, parts[i], 32);
}

void device_prove(struct account_id account, const struct msg_device_record *record,
                  const uint8_t signing_sk[64], struct signature *out)
{
    uint8_t text[PROOF_LEN];
    proof_bytes(account, record, text);
    crypto_sign_detached(out->bytes, NULL, text, sizeof text, signing_sk);
}

static bool device_proved(struct account_id account, const struct msg_device_record *record,
                          const struct signature *proof)
{
    uint8_t text[PROOF_LEN];
    proof_bytes(account, record, text);
    return crypto_sign_verify_detached(proof->bytes, text, sizeof text, record->signing.bytes) == 0;
}

/* ---- operations ---- */

static enum status add(struct identity_log *log, const struct step *step)
{
    const struct msg_device_record *record = step->body->device;
    struct device_id id = device_id_of(log->account, &record->signing);
    if (!record_good(log, record, NULL) || identity_log_device(log, id)) return STATUS_BAD_ENTRY;
    if (!device_proved(log->account, record, &step->body->proof)) return STATUS_BAD_ENTRY;
    size_t ever_max = step->by == BY_RECOVERY ? DEVICES_EVER_MAX : DEVICES_EVER_ADDED;
    if (log->device_count >= ever_max) return STATUS_TOO_LARGE;
    if (count(log, STANDING_SUSPENDED) == DEVICES_PER_ACCOUNT) return STATUS_TOO_LARGE;
    log->devices[log->device_count++] =
        (struct log_device){.id = id, .record = *record, .standing = STANDING_ACTIVE,
                            .version = log->key_version};
    return STATUS_OK;
}

static enum status move_to(struct identity_log *log, const struct step *step, enum standing standing)
{
    step->subject->standing = standing;
    step->subject->version = log->key_version;
    step->subject->held_by_recovery = standing == STANDING_SUSPENDED && step->by == BY_RECOVERY;
    return STATUS_OK;
}

static enum status revoke(struct identity_log *log, const struct step *step)
{
    if (step->subject->standing == STANDING_REVOKED) return STATUS_BAD_ENTRY;
    return move_to(log, step, STANDING_REVOKED);
}

/* The recovery key may also take over a suspension, which then only it ends. */
static enum status suspend(struct identity_log *log, const struct step *step)
{
    bool takes_over = step->subject->standing == STANDING_SUSPENDED && step->by == BY_RECOVERY &&
                      !step->subject->held_by_recovery;
    if (step->subject->standing != STANDING_ACTIVE && !takes_over) return STATUS_BAD_ENTRY;
    return move_to(log, step, STANDING_SUSPENDED);
}

static enum status resume(struct identity_log *log, const struct step *step)
{
    if (step->subject->standing != STANDING_SUSPENDED) return STATUS_BAD_ENTRY;
    if (step->subject->held_by_recovery && step->by != BY_RECOVERY) return STATUS_REFUSED;
    return move_to(log, step, STANDING_ACTIVE);
}

/* The signing key is the device's name and stays. */
static enum status replace(struct identity_log *log, const struct step *step)
{
    const struct msg_device_record *record = step->body->device;
    if (!same(record->signing.bytes, step->subject->record.signing.bytes)) return STATUS_BAD_ENTRY;
    if (memcmp(record, &step->subject->record, sizeof *record) == 0) return STATUS_BAD_ENTRY;
    if (!record_good(log, record, step->subject)) return STATUS_BAD_ENTRY;
    step->subject->record = *record;
    step->subject->version = log->key_version;
    return STATUS_OK;
}

static enum status set_recovery(struct identity_log *log, const struct step *step)
{
    if (log->has_recovery != (step->by == BY_RECOVERY)) return STATUS_REFUSED;
    if (crypto_core_ed25519_is_valid_point(step->body->recovery.bytes) != 1) return STATUS_BAD_ENTRY;
    for (size_t i = 0; i < log->device_count; i++)
        if (same(log->devices[i].record.signing.bytes, step->body->recovery.bytes))
            return STATUS_BAD_ENTRY;
    log->has_recovery = true;
    log->recovery = step->body->recovery;
    return STATUS_OK;
}

static enum status describe(struct identity_log *log, const struct step *step)
{
    (void)log, (void)step;
    return STATUS_OK;
}

/* PROTOCOL 6.2 has this table for people. */
static const struct rule {
    enum entry_operation operation;
    unsigned signers;
    unsigned needs;
    bool changes_version;
    operation_fn *apply;
} rules[] = {
    {ENTRY_ADD, BY_OTHER | BY_RECOVERY, NEED_RECORD | NEED_PROOF, true, add},
    {ENTRY_REVOKE, BY_OTHER | BY_ITSELF | BY_RECOVERY, NEED_SUBJECT, true, revoke},
    {ENTRY_SUSPEND, BY_OTHER | BY_ITSELF | BY_RECOVERY, NEED_SUBJECT, true, suspend},
    {ENTRY_RESUME, BY_OTHER | BY_RECOVERY, NEED_SUBJECT, true, resume},
    {ENTRY_REPLACE, BY_ITSELF, NEED_RECORD | NEED_SUBJECT, true, replace},
    {ENTRY_SET_RECOVERY, BY_OTHER | BY_RECOVERY, NEED_RECOVERY, false, set_recovery},
    {ENTRY_DESCRIBE, BY_OTHER | BY_ITSELF | BY_RECOVERY, MAY_SUBJECT | MAY_DATA, false, describe},
};

bool entry_is_version(unsigned operation)
{
    bool is = operation == ENTRY_CREATE;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        is = is || (rules[i].operation == operation && rules[i].changes_version);
    return is;
}

const char *entry_operation_name(unsigned operation)
{
    static const char *const names[] = {[ENTRY_CREATE] = "create", [ENTRY_ADD] = "add", [ENTRY_REVOKE] = "revoke",
                                        [ENTRY_SUSPEND] = "suspend", [ENTRY_RESUME] = "resume",
                                        [ENTRY_REPLACE] = "replace", [ENTRY_SET_RECOVERY] = "set_recovery",
                                        [ENTRY_DESCRIBE] = "describe"};
    bool known = operation < sizeof names / sizeof names[0] && names[operation];
    return known ? names[operation] : "?";
}

static const struct rule *rule_of(uint32_t operation)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (rules[i].operation == (enum entry_operation)operation) return &rules[i];
    return NULL;
}

/* Every field stands exactly where its operation has a use for it. */
static bool fields_fit(const struct msg_entry_body *b, const struct rule *r)
{
    bool subject = !IS_ZERO(b->subject);
    return (b->device_count == 1) == ((r->needs & NEED_RECORD) != 0) &&
           (subject == ((r->needs & NEED_SUBJECT) != 0) || (r->needs & MAY_SUBJECT)) &&
           !IS_ZERO(b->proof) == ((r->needs & NEED_PROOF) != 0) &&
           !IS_ZERO(b->recovery) == ((r->needs & NEED_RECOVERY) != 0) &&
           (b->data.len == 0 || (r->needs & MAY_DATA)) && IS_ZERO(b->salt);
}

/* ---- entries ---- */

struct hash256 entry_head_of(struct view entry, uint64_t number)
{
    return hash_bytes(number ? head_label : "sealmq account 1", entry, view_of(NULL, 0), view_of(NULL, 0));
}

static bool recovery_good(const struct founding *f)
{
    return !f->has_recovery || (crypto_core_ed25519_is_valid_point(f->recovery.bytes) == 1 &&
                                !same(f->recovery.bytes, f->record.signing.bytes));
}

enum status identity_log_open(struct view entry, struct arena *a, struct identity_log *log)
{
    struct founding f;
    memset(log, 0, sizeof *log);
    enum status s = founding_check(entry, a, &f);
    if (s != STATUS_OK) return s;
    if (!record_good(log, &f.record, NULL) || !recovery_good(&f)) return STATUS_BAD_ENTRY;
    log->account = f.account;
    log->head = log->version_head = f.head;
    log->length = log->key_version = 1;
    log->has_recovery = f.has_recovery;
    log->recovery = f.recovery;
    log->devices[0] = (struct log_device){.id = f.device, .record = f.record,
                                          .standing = STANDING_ACTIVE, .version = 1};
    log->device_count = 1;
    return STATUS_OK;
}

/* Whose signature the entry has, and whether it is: a key that may sign anything at all. */
static enum status signer_check(const struct identity_log *log, const struct msg_entry *e,
                                const struct msg_entry_body *body, enum signer_kind *by)
{
    const struct signing_pk *pk = log->has_recovery ? &log->recovery : NULL;
    *by = BY_RECOVERY;
    if (!IS_ZERO(body->signer)) {
        const struct log_device *device = identity_log_device(log, body->signer);
        pk = device ? &device->record.signing : NULL;
        *by = device_equal(body->signer, body->subject) ? BY_ITSELF : BY_OTHER;
        if (device && device->standing != STANDING_ACTIVE) return STATUS_REFUSED;
    }
    if (!pk) return STATUS_REFUSED;
    return entry_signed_by(e, pk) ? STATUS_OK : STATUS_BAD_ENTRY;
}

/* A stolen device must not fill the log so that nobody can end it any more. */
static uint64_t length_max(const struct rule *rule, enum signer_kind by)
{
    if (rule->operation == ENTRY_DESCRIBE) return LOG_LENGTH_DESCRIBED;
    if (by == BY_RECOVERY) return LOG_LENGTH_MAX;
    return rule->operation == ENTRY_REVOKE ? LOG_LENGTH_REVOKED : LOG_LENGTH_CHANGED;
}

static enum status apply(struct identity_log *log, const struct msg_entry *e,
                         const struct msg_entry_body *body)
{
    const struct rule *rule = rule_of(body->operation);
    struct step step = {.body = body};
    if (!rule || !fields_fit(body, rule)) return STATUS_BAD_ENTRY;
    enum status s = signer_check(log, e, body, &step.by);
    if (s != STATUS_OK) return s;
    if (!(rule->signers & step.by)) return STATUS_REFUSED;
    if (log->length >= length_max(rule, step.by)) return STATUS_TOO_LARGE;
    if (!IS_ZERO(body->subject)) {
        size_t i = place_of(log, body->subject);
        if (i == log->device_count) return STATUS_BAD_ENTRY;
        step.subject = &log->devices[i];
    }
    log->length++;
    log->key_version += rule->changes_version;
    return rule->apply(log, &step);
}

enum status identity_log_append(struct identity_log *log, struct view entry, struct arena *a)
{
    struct msg_entry e;
    struct msg_entry_body body;
    enum status s = entry_open(entry, a, &e, &body);
    if (s != STATUS_OK) return s;
    if (body.number != log->length || memcmp(body.previous.bytes, log->head.bytes, 32) != 0)
        return STATUS_STATE;
    struct identity_log next = *log;
    s = apply(&next, &e, &body);
    if (s != STATUS_OK) return s;
    next.head = entry_head_of(entry, body.number);
    if (next.key_version != log->key_version) next.version_head = next.head;
    *log = next;
    return STATUS_OK;
}

/* ---- as bytes ---- */

#define SNAPSHOT_FORMAT 1u

void identity_log_write(const struct identity_log *log, struct buffer *out)
{
    write_u8(out, SNAPSHOT_FORMAT);
    write_u8(out, (uint8_t)log->device_count);
    write_u8(out, log->has_recovery);
    write_bytes(out, log->account.bytes, sizeof log->account.bytes);
    write_bytes(out, log->head.bytes, sizeof log->head.bytes);
    write_u64(out, log->length);
    write_u64(out, log->key_version);
    write_bytes(out, log->version_head.bytes, sizeof log->version_head.bytes);
    write_bytes(out, log->recovery.bytes, sizeof log->recovery.bytes);
    for (size_t i = 0; i < log->device_count; i++) {
        const struct log_device *d = &log->devices[i];
        write_bytes(out, d->id.bytes, sizeof d->id.bytes);
        write_bytes(out, d->record.signing.bytes, sizeof d->record.signing.bytes);
        write_bytes(out, d->record.identity.bytes, sizeof d->record.identity.bytes);
        write_bytes(out, d->record.transport.bytes, sizeof d->record.transport.bytes);
        write_u8(out, (uint8_t)d->standing);
        write_u8(out, d->held_by_recovery);
        write_u64(out, d->version);
    }
}

static void device_read(struct reader *r, struct log_device *d)
{
    read_bytes(r, d->id.bytes, sizeof d->id.bytes);
    read_bytes(r, d->record.signing.bytes, sizeof d->record.signing.bytes);
    read_bytes(r, d->record.identity.bytes, sizeof d->record.identity.bytes);
    read_bytes(r, d->record.transport.bytes, sizeof d->record.transport.bytes);
    uint8_t standing = read_u8(r), held = read_u8(r);
    d->version = read_u64(r);
    if (standing < STANDING_ACTIVE || standing > STANDING_REVOKED || held > 1) r->failed = true;
    d->standing = (enum standing)standing;
    d->held_by_recovery = held;
}

enum status identity_log_read(struct view bytes, struct identity_log *log)
{
    struct reader r = reader_of(bytes);
    memset(log, 0, sizeof *log);
    uint8_t format = read_u8(&r), count = read_u8(&r), recovery = read_u8(&r);
    read_bytes(&r, log->account.bytes, sizeof log->account.bytes);
    read_bytes(&r, log->head.bytes, sizeof log->head.bytes);
    log->length = read_u64(&r);
    log->key_version = read_u64(&r);
    read_bytes(&r, log->version_head.bytes, sizeof log->version_head.bytes);
    read_bytes(&r, log->recovery.bytes, sizeof log->recovery.bytes);
    log->has_recovery = recovery;
    log->device_count = count <= DEVICES_EVER_MAX ? count : 0;
    for (size_t i = 0; i < log->device_count; i++)
        device_read(&r, &log->devices[i]);
    bool sound = format == SNAPSHOT_FORMAT && recovery <= 1 && count > 0 && log->device_count == count &&
                 log->length > 0 && log->key_version > 0 && log->key_version <= log->length;
    if (sound && reader_done(&r) == STATUS_OK) return STATUS_OK;
    memset(log, 0, sizeof *log);
    return STATUS_DAMAGED;
}

/* ---- making one ---- */

void identity_log_make(const struct identity_log *log, const struct entry_plan *plan,
                       const uint8_t signing_sk[64], struct buffer *out)
{
    const struct rule *rule = rule_of(plan->operation);
    struct msg_entry_body body = {.operation = plan->operation, .number = log->length,
                                  .previous = log->head, .made_ms = plan->made_ms,
                                  .signer = plan->signer, .subject = plan->subject,
                                  .proof = plan->proof, .recovery = plan->recovery,
                                  .data = plan->data, .device = &plan->record,
                                  .device_count = rule && (rule->needs & NEED_RECORD)};
    entry_make(&body, signing_sk, out);
}
