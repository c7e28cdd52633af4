/* The recovery key as the engine has it: set by a change like any other, replaced by itself alone, and noticed where somebody
 * else uses or sets it (PROTOCOL 6.6). */
#include "clients/backup.h"
#include "clients/drift.h"
#include "clients/recovery.h"
#include "tests/unit/clients_fixture.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

#define ENTRIES_MAX 16u

/* The relay's copy of our log. */
struct own {
    struct fixture *f;
    struct identity_log log;
    struct buffer entries[ENTRIES_MAX];
    struct device_secrets sk;
};

/* A recovery key that follows from a number; sk: libsodium's form. */
struct key {
    struct signing_pk pk;
    uint8_t sk[64];
};

static void ok(enum status s)
{
    cr_assert_eq(s, STATUS_OK, "%s", status_name(s));
}

static struct key key_of(uint8_t n)
{
    uint8_t seed[32] = {n, 55};
    struct key k;
    cr_assert_eq(crypto_sign_seed_keypair(k.pk.bytes, k.sk, seed), 0);
    return k;
}

static enum status relay_takes(struct own *o, struct view entry)
{
    enum status s = identity_log_append(&o->log, entry, &o->f->arena);
    if (s == STATUS_OK) write_view(&o->entries[o->log.length - 1], entry);
    o->f->my_log = identity_log_state(&o->log);
    return s;
}

static void says(struct own *o, struct entry_plan plan, const uint8_t *sk)
{
    struct buffer entry = {0};
    identity_log_make(&o->log, &plan, sk, &entry);
    ok(relay_takes(o, buffer_view(&entry)));
    buffer_fini(&entry);
}

static struct device_id recovered(struct own *o, const struct key *k, uint8_t n)
{
    uint8_t seed[32] = {n, 77}, sk[64];
    struct entry_plan plan = {.operation = ENTRY_ADD};
    cr_assert_eq(crypto_sign_seed_keypair(plan.record.signing.bytes, sk, seed), 0);
    cr_assert_eq(crypto_scalarmult_base(plan.record.identity.bytes, seed), 0);
    seed[2] = 1;
    cr_assert_eq(crypto_scalarmult_base(plan.record.transport.bytes, seed), 0);
    device_prove(o->log.account, &plan.record, sk, &plan.proof);
    says(o, plan, k->sk);
    return device_id_of(o->log.account, &plan.record.signing);
}

static void relay_found(struct own *o)
{
    struct msg_lookup ask;
    struct view entries[ENTRIES_PER_FRAME];
    struct frame frame = said(o->f, KIND_LOOKUP, &msg_lookup_desc, &ask);
    struct msg_found found = {.account = o->log.account, .log = o->f->my_log, .entries = entries};
    for (uint64_t i = ask.first; i < o->log.length; i++)
        entries[found.entry_count++] = buffer_view(&o->entries[i]);
    answer(o->f, &frame, KIND_FOUND, &msg_found_desc, &found);
}

static void relay_append(struct own *o)
{
    struct msg_append given;
    struct frame frame = said(o->f, KIND_APPEND, &msg_append_desc, &given);
    enum status s = relay_takes(o, given.entries[0]);
    struct msg_appended done = {.log = o->f->my_log};
    if (s == STATUS_OK)
        answer(o->f, &frame, KIND_APPENDED, &msg_appended_desc, &done);
    else
        refuse(o->f, &frame, s == STATUS_STATE ? STATUS_STALE_HEAD : s, 0);
}

static void relay(struct own *o)
{
    for (unsigned n = 0; said_count(o->f, KIND_LOOKUP) + said_count(o->f, KIND_APPEND); n++) {
        cr_assert_lt(n, 20u, "asked and answered for ever");
        if (said_count(o->f, KIND_LOOKUP)) relay_found(o);
        if (said_count(o->f, KIND_APPEND)) relay_append(o);
    }
}

static struct recovery_facts facts(struct own *o)
{
    struct recovery_facts whole, brief;
    ok(state_begin(o->f->state, STATE_READ));
    ok(state_recovery_facts(o->f->state, &o->f->arena, &whole));
    ok(state_recovery_brief(o->f->state, &o->f->arena, &brief));
    ok(state_commit(o->f->state));
    cr_assert(whole.set == brief.set && whole.ours == brief.ours && whole.confirmed == brief.confirmed);
    return whole;
}

static bool untold(struct own *o, const char *setting)
{
    struct view value;
    ok(state_begin(o->f->state, STATE_READ));
    enum status s = state_setting_get(o->f->state, setting, &o->f->arena, &value);
    ok(state_commit(o->f->state));
    return s == STATUS_OK;
}

/* Our process comes back, and hears what was done to the log meanwhile. */
static void reads_on(struct own *o)
{
    lose_connection(o->f);
    pass(o->f, 6000);
    bind_session(o->f);
    relay(o);
}

static void own_run(struct fixture *f, void (*body)(struct own *o))
{
    static struct own own;
    own = (struct own){.f = f};
    ok(state_begin(f->state, STATE_READ));
    ok(state_secrets_get(f->state, &own.sk));
    ok(state_commit(f->state));
    ok(identity_log_open(f->me.entry, &f->arena, &own.log));
    write_view(&own.entries[0], f->me.entry);
    bind_session(f);
    relay(&own);
    said_forget(f);
    events_forget(f);
    body(&own);
    for (size_t i = 0; i < ENTRIES_MAX; i++)
        buffer_fini(&own.entries[i]);
}

#define RECOVERY_TEST(name)                                                                        \
    static void name##_body(struct own *o);                                                        \
    ENGINE_TEST(recovery, name)                                                                    \
    {                                                                                              \
        own_run(f, name##_body);                                                                   \
    }                                                                                              \
    static void name##_body(struct own *o)

static void set(struct own *o, const struct key *k, const struct key *old)
{
    enum change_obstacle why;
    ok(engine_recovery_set(o->f->e, o->f->now, &k->pk, old ? old->sk : NULL, NULL, &why));
    cr_assert_eq(why, CHANGE_NONE);
    turn(o->f);
}

static void set_whole(struct own *o, const struct key *k, const struct key *old)
{
    set(o, k, old);
    relay(o);
    cr_assert_eq(happened(o->f, ENGINE_IDENTITY).status, STATUS_OK);
    cr_assert_eq(memcmp(&o->log.recovery, &k->pk, sizeof k->pk), 0);
}

static void refused(struct own *o, const struct key *k, const struct key *old, enum status s, enum change_obstacle why)
{
    enum change_obstacle got;
    cr_assert_eq(engine_recovery_set(o->f->e, o->f->now, &k->pk, old ? old->sk : NULL, NULL, &got), s);
    cr_assert_eq(got, why, "%s", change_obstacle_name(got));
    turn(o->f);
    cr_assert_eq(said_count(o->f, KIND_APPEND), 0u);
}

/* ---- setting it ---- */

RECOVERY_TEST(it_is_set_when_the_relay_has_it_and_not_before)
{
    struct key k = key_of(1);
    cr_assert_not(facts(o).set);
    set(o, &k, NULL);
    cr_assert_not(facts(o).set);
    relay(o);
    struct engine_event e = happened(o->f, ENGINE_IDENTITY);
    cr_assert(e.status == STATUS_OK && e.operation == ENTRY_SET_RECOVERY);
    struct recovery_facts now = facts(o);
    cr_assert(now.set && now.ours && !now.confirmed && now.set_ms && !now.uses);
    cr_assert_not(has_happened(o->f, ENGINE_RECOVERED), "one's own key is no news");
    cr_assert_not(untold(o, RECOVERY_CHANGED_SETTING));
}

RECOVERY_TEST(only_the_old_key_sets_another)
{
    struct key first = key_of(1), second = key_of(2);
    struct signing_pk none = {{0}};
    enum change_obstacle why;
    cr_assert_eq(engine_recovery_set(o->f->e, o->f->now, &none, NULL, NULL, &why), STATUS_MALFORMED);
    refused(o, &second, &first, STATUS_REFUSED, CHANGE_NOT_ALLOWED); /* there is none yet */
    set_whole(o, &first, NULL);
    refused(o, &first, NULL, STATUS_STATE, CHANGE_DONE);
    refused(o, &second, NULL, STATUS_REFUSED, CHANGE_NOT_ALLOWED);
    refused(o, &second, &second, STATUS_REFUSED, CHANGE_NOT_ALLOWED);
    set_whole(o, &second, &first);
    cr_assert(facts(o).ours);
    refused(o, &first, &first, STATUS_REFUSED, CHANGE_NOT_ALLOWED);
}

RECOVERY_TEST(the_device_makes_its_entry_anew_behind_anothers)
{
    struct key k = key_of(1);
    set(o, &k, NULL);
    says(o, (struct entry_plan){.operation = ENTRY_DESCRIBE, .signer = o->f->me.device}, o->sk.signing_sk);
    relay(o);
    cr_assert_eq(happened(o->f, ENGINE_IDENTITY).status, STATUS_OK);
    cr_assert(facts(o).ours);
    cr_assert_eq(o->log.length, 3u);
}

/* The old key's secret is not kept, so that nothing can be signed with it a second time. */
RECOVERY_TEST(an_entry_of_the_old_key_behind_anothers_is_given_up_and_told)
{
    struct key first = key_of(1), second = key_of(2);
    set_whole(o, &first, NULL);
    set(o, &second, &first);
    says(o, (struct entry_plan){.operation = ENTRY_DESCRIBE, .signer = o->f->me.device}, o->sk.signing_sk);
    relay(o);
    cr_assert_eq(happened(o->f, ENGINE_IDENTITY).status, STATUS_STALE_HEAD);
    cr_assert_eq(memcmp(&o->log.recovery, &first.pk, sizeof first.pk), 0);
    set_whole(o, &second, &first);
}

RECOVERY_TEST(who_comes_second_is_told_that_his_key_is_none)
{
    struct key ours = key_of(1), theirs = key_of(2);
    set(o, &ours, NULL);
    says(o, (struct entry_plan){.operation = ENTRY_SET_RECOVERY, .signer = o->f->me.device, .recovery = theirs.pk},
         o->sk.signing_sk);
    relay(o);
    struct engine_event e = happened(o->f, ENGINE_IDENTITY);
    cr_assert(e.status == STATUS_REFUSED && e.obstacle == CHANGE_NOT_ALLOWED);
    cr_assert(facts(o).set && !facts(o).ours);
    cr_assert(untold(o, RECOVERY_CHANGED_SETTING));
}

RECOVERY_TEST(a_killed_process_goes_on_with_it)
{
    struct key k = key_of(1);
    set(o, &k, NULL);
    restart(o->f);
    bind_session(o->f);
    relay(o);
    cr_assert(facts(o).ours);
}

/* ---- what is kept beside it ---- */

/* The first byte of the backup key that is kept for the account's recovery key; 0 = none is. */
static uint8_t kept(struct own *o)
{
    struct backup_facts facts;
    uint8_t key[32] = {0};
    ok(state_begin(o->f->state, STATE_READ));
    ok(state_backup_facts(o->f->state, &o->f->arena, &facts));
    if (facts.key) ok(state_kept_key_get(o->f->state, KEPT_BACKUP, key));
    ok(state_commit(o->f->state));
    return key[0];
}

static void set_keeping(struct own *o, const struct key *k, const struct key *old, uint8_t backup)
{
    const uint8_t backup_key[32] = {backup};
    enum change_obstacle why;
    ok(engine_recovery_set(o->f->e, o->f->now, &k->pk, old ? old->sk : NULL, backup ? backup_key : NULL, &why));
    turn(o->f);
}

/* The first key is set, confirmed, and has the backup key 1. */
static struct key keeps_first(struct own *o)
{
    struct key first = key_of(1);
    set_keeping(o, &first, NULL, 1);
    cr_assert_eq(kept(o), 0u, "there is no recovery key yet");
    relay(o);
    ok(engine_recovery_confirm(o->f->e, &first.pk));
    cr_assert(kept(o) == 1 && facts(o).confirmed);
    events_forget(o->f);
    return first;
}

static bool none_waits(struct own *o)
{
    uint8_t key[32];
    ok(state_begin(o->f->state, STATE_READ));
    enum status s = state_kept_key_get(o->f->state, KEPT_BACKUP_NEXT, key);
    ok(state_commit(o->f->state));
    return s == STATUS_NOT_FOUND;
}

RECOVERY_TEST(the_backup_key_that_counts_is_that_of_the_logs_recovery_key)
{
    struct key first = keeps_first(o), second = key_of(2);
    set_keeping(o, &second, &first, 2);
    cr_assert(kept(o) == 1 && facts(o).ours && facts(o).confirmed, "it is only on its way");
    ok(engine_recovery_confirm(o->f->e, &second.pk));
    restart(o->f);
    bind_session(o->f);
    relay(o);
    cr_assert(kept(o) == 2 && facts(o).ours && facts(o).confirmed && none_waits(o));
    cr_assert_not(untold(o, RECOVERY_CHANGED_SETTING));
}

RECOVERY_TEST(a_change_that_fails_leaves_the_backup_key_and_what_was_confirmed)
{
    struct key first = keeps_first(o), second = key_of(2), third = key_of(3);
    set_keeping(o, &second, &first, 2);
    ok(engine_recovery_confirm(o->f->e, &second.pk));
    says(o, (struct entry_plan){.operation = ENTRY_DESCRIBE, .signer = o->f->me.device}, o->sk.signing_sk);
    relay(o);
    cr_assert_eq(happened(o->f, ENGINE_IDENTITY).status, STATUS_STALE_HEAD);
    cr_assert(kept(o) == 1 && facts(o).ours && facts(o).confirmed && none_waits(o));
    cr_assert_eq(engine_recovery_confirm(o->f->e, &second.pk), STATUS_NOT_FOUND, "it is none");
    says(o, (struct entry_plan){.operation = ENTRY_SET_RECOVERY, .recovery = second.pk}, first.sk);
    reads_on(o);
    cr_assert(untold(o, RECOVERY_CHANGED_SETTING), "somebody else has set it then");
    cr_assert_eq(kept(o), 0u);
    set_keeping(o, &third, &second, 3);
    relay(o);
    cr_assert_eq(kept(o), 3u);
}

RECOVERY_TEST(a_key_without_backups_takes_the_place_of_one_with_them)
{
    struct key first = keeps_first(o), second = key_of(2);
    set_keeping(o, &second, &first, 0);
    relay(o);
    cr_assert(facts(o).ours && !facts(o).confirmed);
    cr_assert_eq(kept(o), 0u);
    cr_assert(none_waits(o));
}

RECOVERY_TEST(a_refusal_leaves_the_backup_key)
{
    struct key first = keeps_first(o), second = key_of(2);
    struct msg_append given;
    set_keeping(o, &second, &first, 2);
    struct frame frame = said(o->f, KIND_APPEND, &msg_append_desc, &given);
    refuse(o->f, &frame, STATUS_REFUSED, 0);
    relay(o);
    cr_assert_eq(happened(o->f, ENGINE_IDENTITY).status, STATUS_REFUSED);
    cr_assert(kept(o) == 1 && facts(o).confirmed && none_waits(o));
}

/* ---- confirming ---- */

RECOVERY_TEST(confirmed_is_who_shows_the_key_that_counts)
{
    struct key k = key_of(1), other = key_of(2);
    cr_assert_eq(engine_recovery_confirm(o->f->e, &k.pk), STATUS_NOT_FOUND);
    set_whole(o, &k, NULL);
    cr_assert_eq(engine_recovery_confirm(o->f->e, &other.pk), STATUS_NOT_FOUND);
    cr_assert_not(facts(o).confirmed);
    ok(engine_recovery_confirm(o->f->e, &k.pk));
    cr_assert(facts(o).confirmed);
    set_whole(o, &other, &k);
    cr_assert_not(facts(o).confirmed, "another key");
    cr_assert_eq(engine_recovery_confirm(o->f->e, &k.pk), STATUS_NOT_FOUND);
}

/* ---- what others do ---- */

RECOVERY_TEST(a_device_that_the_key_adds_is_told_and_stays_untold_until_seen)
{
    struct key k = key_of(1);
    set_whole(o, &k, NULL);
    struct device_id added = recovered(o, &k, 1);
    reads_on(o);
    struct engine_event e = happened(o->f, ENGINE_RECOVERED);
    cr_assert(device_equal(e.subject, added));
    cr_assert(untold(o, RECOVERY_USED_SETTING));
    struct recovery_facts now = facts(o);
    cr_assert(now.uses == 1 && now.set);
    restart(o->f);
    bind_session(o->f);
    relay(o);
    cr_assert_not(has_happened(o->f, ENGINE_RECOVERED), "each once");
    cr_assert(untold(o, RECOVERY_USED_SETTING));
}

/* This home is that of a device which has just been linked, and was offered the log as it is now. */
static void is_joining(struct own *o, const char *name)
{
    struct msg_link_offer offer = {.log = o->f->my_log, .device = o->f->me.device};
    struct contact own;
    ok(state_begin(o->f->state, STATE_WRITE));
    ok(state_contact_get(o->f->state, o->f->me.account, &own));
    own.incoming = true;
    ok(state_contact_put(o->f->state, &own));
    ok(state_joining_put(o->f->state, &offer, view_of(name, strlen(name)), UINT64_MAX));
    ok(state_commit(o->f->state));
}

RECOVERY_TEST(what_a_linked_device_was_offered_is_no_news)
{
    struct key k = key_of(1);
    says(o, (struct entry_plan){.operation = ENTRY_SET_RECOVERY, .signer = o->f->me.device, .recovery = k.pk}, o->sk.signing_sk);
    (void)recovered(o, &k, 1);
    is_joining(o, "");
    reads_on(o);
    cr_assert(has_happened(o->f, ENGINE_LINKED));
    cr_assert_not(has_happened(o->f, ENGINE_RECOVERED), "it was so before");
    cr_assert_not(untold(o, RECOVERY_CHANGED_SETTING) || untold(o, RECOVERY_USED_SETTING));
}

RECOVERY_TEST(what_comes_while_a_device_is_being_linked_is_told)
{
    struct key k = key_of(1);
    says(o, (struct entry_plan){.operation = ENTRY_SET_RECOVERY, .signer = o->f->me.device, .recovery = k.pk}, o->sk.signing_sk);
    is_joining(o, "");
    struct device_id added = recovered(o, &k, 1);
    reads_on(o);
    cr_assert(has_happened(o->f, ENGINE_LINKED));
    cr_assert(device_equal(happened(o->f, ENGINE_RECOVERED).subject, added));
    cr_assert(untold(o, RECOVERY_USED_SETTING));
    cr_assert_not(untold(o, RECOVERY_CHANGED_SETTING));
}

static void is_called(struct own *o, const char *name)
{
    struct msg_append given;
    struct msg_entry entry;
    struct msg_entry_body body;
    struct msg_description d;
    (void)said(o->f, KIND_APPEND, &msg_append_desc, &given);
    ok(entry_open(given.entries[0], &o->f->arena, &entry, &body));
    ok(codec_decode(&msg_description_desc, body.data, &o->f->arena, &d));
    cr_assert(view_equal(d.name, view_of(name, strlen(name))), "%.*s", (int)d.name.len, (const char *)d.name.at);
}

RECOVERY_TEST(a_linked_device_is_called_as_it_wanted_to_be)
{
    is_joining(o, "telephone");
    lose_connection(o->f);
    pass(o->f, 6000);
    bind_session(o->f);
    cr_assert(has_happened(o->f, ENGINE_LINKED));
    is_called(o, "telephone");
}

RECOVERY_TEST(a_linked_device_that_reads_on_is_called_as_it_wanted_to_be)
{
    struct key k = key_of(1);
    says(o, (struct entry_plan){.operation = ENTRY_SET_RECOVERY, .signer = o->f->me.device, .recovery = k.pk}, o->sk.signing_sk);
    is_joining(o, "telephone");
    lose_connection(o->f);
    pass(o->f, 6000);
    bind_session(o->f);
    relay_found(o);
    cr_assert(has_happened(o->f, ENGINE_LINKED));
    is_called(o, "telephone");
}

RECOVERY_TEST(a_key_that_somebody_else_sets_is_told)
{
    static const struct device_id nobody;
    struct key ours = key_of(1), theirs = key_of(2);
    set_whole(o, &ours, NULL);
    says(o, (struct entry_plan){.operation = ENTRY_SET_RECOVERY, .recovery = theirs.pk}, ours.sk);
    reads_on(o);
    cr_assert(device_equal(happened(o->f, ENGINE_RECOVERED).subject, nobody));
    cr_assert(untold(o, RECOVERY_CHANGED_SETTING));
    cr_assert_not(untold(o, RECOVERY_USED_SETTING));
    cr_assert_not(facts(o).ours);
}

/* ---- what our own devices say of our log ---- */

/* In what it has sealed: a copy for us. */
static void states(struct own *o, uint64_t key_version, struct hash256 head)
{
    struct engine *e = o->f->e;
    const struct statement said = {.key_version = key_version, .head = head, .made_ms = o->f->now.wall_ms};
    struct contact own;
    ok(tx_begin(e, STATE_WRITE));
    ok(state_contact_get(e->state, o->f->me.account, &own));
    ok(tx_end(e, statement_in(e, o->f->now, &own, &said)));
    turn(o->f);
}

RECOVERY_TEST(another_history_of_ours_is_the_relays_and_no_contacts)
{
    states(o, 1, (struct hash256){{9}});
    cr_assert_eq(happened(o->f, ENGINE_IDENTITY).status, STATUS_BAD_ENTRY);
    cr_assert_not(has_happened(o->f, ENGINE_FORKED));
}

RECOVERY_TEST(what_the_relay_does_not_show_of_ours_is_told)
{
    states(o, 2, (struct hash256){{9}});
    for (unsigned i = 0; i < 6 && said_count(o->f, KIND_LOOKUP); i++) {
        relay_found(o);
        pass(o->f, 10000);
    }
    cr_assert_eq(happened(o->f, ENGINE_IDENTITY).status, STATUS_BAD_ENTRY);
}

RECOVERY_TEST(what_the_relay_does_show_of_ours_is_no_news)
{
    struct identity_log log = o->log;
    states(o, log.key_version, log.version_head);
    pass(o->f, 10000);
    cr_assert_not(has_happened(o->f, ENGINE_IDENTITY) || has_happened(o->f, ENGINE_FORKED));
}
