/* The vectors about identity logs (PROTOCOL 6.1 to 6.3 and 7.2): entries, what a log says after each, the frames that
 * carry them, and what no log may take. */
#include "tests/unit/wire_vectors.h"

#include "broker/wire/identity_log.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define ENTRIES 6u /* alice.entry, and log.1 to log.5 */

TestSuite(log_vectors, .init = vectors_load, .fini = vectors_unload);

static const char *of(size_t number, const char *what)
{
    static char name[64];
    snprintf(name, sizeof name, "log.%zu.%s", number, what);
    return name;
}

static struct view entry(size_t number)
{
    return number ? hex(of(number, "entry")) : hex("alice.entry");
}

static void open_log(struct identity_log *log)
{
    cr_assert_eq(identity_log_open(entry(0), &arena, log), STATUS_OK);
}

/* The log whose newest entry has this number. */
static struct identity_log log_after(size_t number)
{
    struct identity_log log;
    open_log(&log);
    for (size_t n = 1; n <= number; n++)
        cr_assert_eq(identity_log_append(&log, entry(n), &arena), STATUS_OK, "log.%zu", n);
    return log;
}

static struct msg_log_state state_after(size_t number)
{
    struct identity_log log = log_after(number);
    return identity_log_state(&log);
}

static struct device_id device(const char *name)
{
    struct device_id id;
    FIXED(name, id);
    return id;
}

static void secret(const char *seed_name, uint8_t sk[64])
{
    uint8_t seed[32], pk[32];
    FIXED(seed_name, seed);
    crypto_sign_seed_keypair(pk, sk, seed);
}

static struct msg_device_record record(const char *who, const char *identity)
{
    struct msg_device_record r;
    char name[64];
#define OF(what) (snprintf(name, sizeof name, "%s." what, who), name)
    FIXED(OF("signing_pk"), r.signing);
    FIXED(OF("transport_pk"), r.transport);
#undef OF
    FIXED(identity, r.identity);
    return r;
}

/* ---- entries ---- */

static void make_is(const struct identity_log *log, struct entry_plan plan, const char *seed)
{
    uint8_t sk[64];
    struct buffer made = {0};
    secret(seed, sk);
    plan.made_ms = number("alice.made_ms") + log->length;
    identity_log_make(log, &plan, sk, &made);
    is(buffer_view(&made), of(log->length, "entry"));
    buffer_fini(&made);
}

static void make_add(const struct identity_log *log, const char *who)
{
    struct entry_plan plan = {.operation = ENTRY_ADD, .signer = device("alice.device")};
    char identity[64], name[64];
    uint8_t sk[64];
    snprintf(identity, sizeof identity, "%s.identity_pk", who);
    snprintf(name, sizeof name, "%s.signing_seed", who);
    plan.record = record(who, identity);
    secret(name, sk);
    device_prove(log->account, &plan.record, sk, &plan.proof);
    snprintf(name, sizeof name, "%s.proof", who);
    IS(plan.proof, name);
    make_is(log, plan, "alice.signing_seed");
}

Test(log_vectors, entries_are_made_as_they_stand)
{
    struct identity_log log = log_after(0);
    struct device_id first = device("alice.device"), second = device("second.device");
    struct entry_plan plan = {.operation = ENTRY_SET_RECOVERY, .signer = first};
    FIXED("recovery.pk", plan.recovery);
    make_is(&log, plan, "alice.signing_seed");
    log = log_after(1);
    make_add(&log, "second");
    log = log_after(2);
    plan = (struct entry_plan){.operation = ENTRY_REPLACE, .signer = first, .subject = first,
                               .record = record("alice", "alice.next_identity_pk")};
    make_is(&log, plan, "alice.signing_seed");
    log = log_after(3);
    make_is(&log, (struct entry_plan){.operation = ENTRY_REVOKE, .subject = second}, "recovery.seed");
    log = log_after(4);
    make_add(&log, "third");
}

Test(log_vectors, a_log_says_what_its_entries_make_it)
{
    struct identity_log log;
    open_log(&log);
    for (size_t n = 1; n < ENTRIES; n++) {
        cr_assert_eq(identity_log_append(&log, entry(n), &arena), STATUS_OK, "log.%zu", n);
        cr_assert_eq(log.length, n + 1);
        cr_assert_eq(log.key_version, number(of(n, "key_version")), "log.%zu", n);
        IS(log.head, of(n, "head"));
        IS(log.version_head, of(n, "version_head"));
    }
}

Test(log_vectors, devices_have_their_ids_keys_and_standing)
{
    static const struct { const char *who; enum standing standing; uint64_t version; } devices[] = {
        {"alice", STANDING_ACTIVE, 3}, {"second", STANDING_REVOKED, 4}, {"third", STANDING_ACTIVE, 5}};
    struct identity_log log = log_after(ENTRIES - 1);
    cr_assert_eq(log.device_count, 3u);
    cr_assert(log.has_recovery);
    IS(log.recovery, "recovery.pk");
    IS(log.devices[0].record.identity, "alice.next_identity_pk");
    for (size_t i = 0; i < 3; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s.device", devices[i].who);
        IS(log.devices[i].id, name);
        cr_assert_eq(log.devices[i].standing, devices[i].standing, "%s", name);
        cr_assert_eq(log.devices[i].version, devices[i].version, "%s", name);
    }
}

/* ---- frames ---- */

static void check(const char *name, struct frame_header header, enum frame_from from,
                  const struct codec_desc *desc, const void *message)
{
    check_frame(&(struct expected){name, header, from, desc, view_of(NULL, 0)}, message);
}

/* The entries from this number on. */
static size_t entries_from(size_t first, size_t end, struct view out[ENTRIES])
{
    for (size_t n = first; n < end; n++)
        out[n - first] = entry(n);
    return end - first;
}

Test(log_vectors, register_and_its_answer)
{
    struct view entries[ENTRIES];
    struct msg_register m = {.entry = entry(0), .entries = entries,
                             .entry_count = entries_from(1, ENTRIES, entries)};
    struct msg_registered r = {.device = device("alice.device"), .log = state_after(5)};
    FIXED("alice.account", r.account);
    check("register.frame", (struct frame_header){KIND_REGISTER, 0, 10, home("alice.home")}, FROM_CLIENT,
          &msg_register_desc, &m);
    check("registered.frame", (struct frame_header){KIND_REGISTERED, 0, 10, home("alice.home")}, FROM_RELAY,
          &msg_registered_desc, &r);
}

Test(log_vectors, append_and_its_answer)
{
    struct view entries[ENTRIES];
    struct msg_append m = {.entries = entries, .entry_count = entries_from(3, 5, entries)};
    struct msg_appended r = {.log = state_after(4)};
    FIXED("alice.account", m.account);
    check("append.frame", (struct frame_header){KIND_APPEND, 0, 11, home("alice.home")}, FROM_CLIENT,
          &msg_append_desc, &m);
    check("appended.frame", (struct frame_header){KIND_APPENDED, 0, 11, home("alice.home")}, FROM_RELAY,
          &msg_appended_desc, &r);
}

Test(log_vectors, lookup_of_an_account_and_its_answer)
{
    struct view entries[ENTRIES];
    struct msg_lookup m = {.first = 4};
    struct msg_found r = {.log = state_after(5), .entries = entries,
                          .entry_count = entries_from(4, ENTRIES, entries)};
    FIXED("alice.account", m.account);
    r.account = m.account;
    check("lookup.frame", (struct frame_header){KIND_LOOKUP, 0, 12, home("alice.home")}, FROM_CLIENT,
          &msg_lookup_desc, &m);
    check("found.frame", (struct frame_header){KIND_FOUND, 0, 12, home("alice.home")}, FROM_RELAY,
          &msg_found_desc, &r);
}

Test(log_vectors, lookup_of_a_handle_and_its_proof)
{
    struct msg_lookup m = {.handle = view_of(text("handle.text"), strlen(text("handle.text")))};
    struct msg_handle_proof proof = {.entry = entry(0)};
    struct msg_found r = {.proof = &proof, .proof_count = 1};
    FIXED("alice.account", r.account);
    FIXED("handle.signature", proof.signature);
    cr_assert(handle_proven(&r, m.handle, &arena));
    check("lookup_handle.frame", (struct frame_header){KIND_LOOKUP, 0, 13, home("handle.home")}, FROM_CLIENT,
          &msg_lookup_desc, &m);
    check("found_handle.frame", (struct frame_header){KIND_FOUND, 0, 13, home("handle.home")}, FROM_RELAY,
          &msg_found_desc, &r);
    FIXED("bob.account", r.account);
    cr_assert_not(handle_proven(&r, m.handle, &arena), "not bob's");
}

static void check_stale(const char *name, uint64_t correlation, enum status status, struct msg_stale *stale)
{
    struct msg_sent_item item = {.status = (uint32_t)status, .stale = stale, .stale_count = 1};
    check(name, (struct frame_header){KIND_SENT, 1, correlation, home("alice.home")}, FROM_RELAY, &msg_sent_desc,
          &(struct msg_sent){.items = &item, .item_count = 1});
}

Test(log_vectors, sent_to_other_devices_than_there_are)
{
    struct view entries[ENTRIES];
    struct device_id_list missing = {device("third.device")}, changed = {device("alice.device")},
                          revoked = {device("second.device")};
    struct msg_stale stale = {.log = state_after(5), .missing = &missing, .missing_count = 1, .changed = &changed,
                              .changed_count = 1, .revoked = &revoked, .revoked_count = 1, .entries = entries,
                              .entry_count = entries_from(2, ENTRIES, entries)};
    check_stale("sent_stale.frame", 14, STATUS_STALE_DEVICES, &stale);
}

Test(log_vectors, sent_by_who_knows_more_than_the_relay)
{
    struct msg_stale stale = {.log = state_after(1)};
    check_stale("sent_behind.frame", 15, STATUS_RELAY_BEHIND, &stale);
}

/* ---- what no log may take ---- */

/* The twin of them all: the same entry, made as it should be. */
static void check_twin(const struct identity_log *log)
{
    struct identity_log after = *log;
    struct entry_plan plan = {.operation = ENTRY_DESCRIBE, .signer = device("alice.device"), .data = view_of("name", 4),
                              .made_ms = number("alice.made_ms") + log->length};
    struct buffer made = {0};
    uint8_t sk[64];
    secret("alice.signing_seed", sk);
    identity_log_make(log, &plan, sk, &made);
    cr_assert_eq(identity_log_append(&after, buffer_view(&made), &arena), STATUS_OK);
    buffer_fini(&made);
}

/* "log_refuse.what.status". That an entry follows another head is STATE here, and stale_head on the wire. */
Test(log_vectors, what_must_be_refused_is)
{
    struct identity_log log = log_after(ENTRIES - 1), before = log;
    const char *name;
    struct view value;
    size_t count = 0;
    check_twin(&log);
    for (size_t i = 0; vector_at(i, &name, &value); i++) {
        if (strncmp(name, "log_refuse.", 11) != 0) continue;
        enum status s = identity_log_append(&log, value, &arena);
        cr_assert_str_eq(status_name(s == STATUS_STATE ? STATUS_STALE_HEAD : s), strrchr(name, '.') + 1, "%s", name);
        cr_assert_eq(memcmp(&log, &before, sizeof log), 0, "%s changed the log", name);
        count++;
    }
    cr_assert_eq(count, 14u);
}
