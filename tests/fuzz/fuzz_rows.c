/* Stored rows: every decoder of keys and values, on bytes that a damaged disk could hand out. */
#include "storage/rows.h"

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view v = view_of(data, size), ciphertext, entry;
    struct arena a = {0};
    struct envelope_row envelope;
    union {
        struct claim_row claim; struct run_row run; struct outcome_row outcome;
        struct device_row device; struct wake_row wake; struct identity_log log; struct handle_row handle;
        struct hold_row hold; struct watch_row watch; struct policy_row policy; struct contact_row contact;
        struct prekey_row prekeys;
        struct commit_row commit; struct term_row term; struct message_ref ref;
        struct device_id device_id; uint8_t bytes[32];
    } out;
    struct position at;
    uint32_t attempt;
    struct page_claim *claims;
    size_t claim_count;
    struct message_id last;
    if (envelope_row_read(v, &envelope, &ciphertext) == STATUS_OK) {
        struct view head = envelope_row_write(&a, &envelope);
        ENSURE(head.len >= ENVELOPE_HEAD_LEN && ciphertext.len + head.len == size);
    }
    (void)!claim_row_read(v, &out.claim);
    if (page_row_read(v, &a, &claims, &claim_count) == STATUS_OK && claim_count) {
        struct view page = page_row_write(&a, claims, claim_count), row;
        ENSURE(view_equal(page, v));
        ENSURE(page_row_find(v, claims[0].target, claims[0].id, &row) == STATUS_OK);
    }
    (void)!key_page_read(v, &out.device_id, &last);
    (void)!run_row_read(v, &out.run);
    (void)!outcome_row_read(v, &out.outcome);
    (void)!device_row_read(v, &out.device);
    (void)!wake_row_read(v, &out.wake);
    if (account_row_read(v, &out.log) == STATUS_OK) ENSURE(view_equal(account_row_write(&a, &out.log), v));
    if (handle_row_read(v, &out.handle) == STATUS_OK) ENSURE(view_equal(handle_row_write(&a, &out.handle), v));
    if (hold_row_read(v, &out.hold) == STATUS_OK) ENSURE(view_equal(hold_row_write(&a, &out.hold), v));
    if (watch_row_read(v, &out.watch) == STATUS_OK) ENSURE(view_equal(watch_row_write(&a, &out.watch), v));
    if (prekey_row_read(v, &out.prekeys) == STATUS_OK)
        ENSURE(view_equal(prekey_row_write(&a, &out.prekeys), v));
    if (policy_row_read(v, &out.policy) == STATUS_OK) ENSURE(view_equal(policy_row_write(&a, &out.policy), v));
    if (contact_row_read(v, &out.contact) == STATUS_OK) ENSURE(view_equal(contact_row_write(&a, &out.contact), v));
    if (entry_row_read(v, &entry) == STATUS_OK) ENSURE(entry.len + 1 == size);
    (void)!bytes_row_read(v, out.bytes, 32);
    (void)!commit_row_read(v, &out.commit);
    (void)!term_row_read(v, &out.term);
    (void)!key_claim_read(v, &out.ref, &attempt);
    (void)!key_position_read(v, &out.device_id, &at);
    arena_fini(&a);
    return 0;
}
