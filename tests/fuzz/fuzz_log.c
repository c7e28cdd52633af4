/* Identity logs. The first byte chooses: 0, the rest is an entry (which nobody has signed: it must leave the log as
 * it was); else the rest is a script of operations by real keys, four bytes each, after which the log must hold
 * what PROTOCOL 6.2 promises. */
#include "broker/wire/identity_log.h"

#include "tests/fuzz/fuzz.h"

#include <sodium.h>
#include <string.h>

#define KEYS 6u

static struct arena a;
static struct msg_device_record records[KEYS];
static uint8_t secrets[KEYS][64];

static void keys_make(void)
{
    for (unsigned i = 0; i < KEYS && !records[i].signing.bytes[31]; i++) {
        uint8_t seed[32] = {(uint8_t)(i + 1)}, scalar[32] = {(uint8_t)(i + 1), 9};
        ENSURE(sodium_init() >= 0);
        crypto_sign_seed_keypair(records[i].signing.bytes, secrets[i], seed);
        crypto_scalarmult_base(records[i].identity.bytes, scalar);
        scalar[2] = 1;
        crypto_scalarmult_base(records[i].transport.bytes, scalar);
    }
}

static void reads_back(const struct identity_log *log)
{
    struct buffer bytes = {0};
    struct identity_log again;
    identity_log_write(log, &bytes);
    ENSURE(identity_log_read(buffer_view(&bytes), &again) == STATUS_OK);
    ENSURE(memcmp(&again, log, sizeof again) == 0);
    buffer_fini(&bytes);
}

static void step(struct identity_log *log, const uint8_t *b)
{
    unsigned by = b[1] % KEYS, of = b[2] % KEYS;
    struct identity_log before = *log;
    struct buffer entry = {0};
    struct entry_plan plan = {.operation = (enum entry_operation)(b[0] % 9)};
    if (b[3] & 1) plan.signer = device_id_of(log->account, &records[by].signing);
    if (b[3] & 2) plan.subject = device_id_of(log->account, &records[of].signing);
    if (b[3] & 4) plan.recovery = records[of].signing;
    plan.record = records[of];
    if (b[3] & 8) plan.record.transport = records[(of + 1) % KEYS].transport;
    if (b[3] & 16) device_prove(log->account, &plan.record, secrets[of], &plan.proof);
    identity_log_make(log, &plan, secrets[by], &entry);
    bool done = identity_log_append(log, buffer_view(&entry), &a) == STATUS_OK;
    ENSURE(done || memcmp(log, &before, sizeof *log) == 0);
    ENSURE(!done || log->length == before.length + 1);
    for (size_t i = 0; i < before.device_count; i++) {
        ENSURE(device_equal(before.devices[i].id, log->devices[i].id));
        ENSURE(before.devices[i].standing != STANDING_REVOKED ||
               memcmp(&before.devices[i], &log->devices[i], sizeof before.devices[i]) == 0);
    }
    ENSURE(log->has_recovery || !before.has_recovery);
    ENSURE((log->key_version == before.key_version) ==
           (memcmp(&log->version_head, &before.version_head, sizeof log->version_head) == 0));
    bool same_keys = memcmp(before.devices, log->devices, sizeof log->devices) == 0;
    ENSURE((log->key_version == before.key_version) == same_keys);
    reads_back(log);
    buffer_fini(&entry);
    arena_reset(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct identity_log log, before;
    struct buffer first = {0};
    keys_make();
    founding_make(&records[0], secrets[0], 1, (const uint8_t *)"sixteen of salt", &first);
    ENSURE(identity_log_open(buffer_view(&first), &a, &log) == STATUS_OK);
    buffer_fini(&first);
    before = log;
    if (size && data[0] == 0) {
        ENSURE(identity_log_append(&log, view_of(data + 1, size - 1), &a) != STATUS_OK);
        ENSURE(memcmp(&log, &before, sizeof log) == 0);
    }
    for (size_t at = 1; size && data[0] && at + 4 <= size && at < 4 * 64; at += 4)
        step(&log, data + at);
    arena_reset(&a);
    return 0;
}
