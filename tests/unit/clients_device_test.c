/* Changes of our own account's devices, against a relay that has our log and a second device that writes to it, too. */
#include "tests/unit/clients_fixture.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

#define ENTRIES_MAX 160u

/* The relay's copy of our log, and what the second device signs with. */
struct own {
    struct fixture *f;
    struct identity_log log;
    struct buffer entries[ENTRIES_MAX];
    struct device_secrets first_sk;
    uint8_t second_sk[64];
    struct device_id first, second;
};

static void ok(enum status s)
{
    cr_assert_eq(s, STATUS_OK, "%s", status_name(s));
}

static enum status relay_takes(struct own *o, struct view entry)
{
    enum status s = identity_log_append(&o->log, entry, &o->f->arena);
    if (s == STATUS_OK) write_view(&o->entries[o->log.length - 1], entry);
    o->f->my_log = identity_log_state(&o->log);
    return s;
}

/* An entry behind the relay's log; by the second device unless the plan names the first. */
static void says(struct own *o, struct entry_plan plan)
{
    struct buffer entry = {0};
    bool first = device_equal(plan.signer, o->first);
    if (!first) plan.signer = o->second;
    identity_log_make(&o->log, &plan, first ? o->first_sk.signing_sk : o->second_sk, &entry);
    ok(relay_takes(o, buffer_view(&entry)));
    buffer_fini(&entry);
}

static void second_joins(struct own *o)
{
    uint8_t seed[32] = {77}, scalar[32] = {78};
    struct entry_plan plan = {.operation = ENTRY_ADD, .signer = o->first};
    cr_assert_eq(crypto_sign_seed_keypair(plan.record.signing.bytes, o->second_sk, seed), 0);
    cr_assert_eq(crypto_scalarmult_base(plan.record.identity.bytes, scalar), 0);
    scalar[1] = 1;
    cr_assert_eq(crypto_scalarmult_base(plan.record.transport.bytes, scalar), 0);
    device_prove(o->log.account, &plan.record, o->second_sk, &plan.proof);
    o->second = device_id_of(o->log.account, &plan.record.signing);
    says(o, plan);
}

static void relay_found(struct own *o)
{
    struct msg_lookup ask;
    struct view entries[ENTRIES_PER_FRAME];
    struct frame frame = said(o->f, KIND_LOOKUP, &msg_lookup_desc, &ask);
    struct msg_found found = {.account = o->log.account, .log = o->f->my_log, .entries = entries};
    for (uint64_t i = ask.first; i < o->log.length && found.entry_count < ENTRIES_PER_FRAME; i++)
        entries[found.entry_count++] = buffer_view(&o->entries[i]);
    answer(o->f, &frame, KIND_FOUND, &msg_found_desc, &found);
}

static void relay_append(struct own *o)
{
    struct msg_append given;
    struct frame frame = said(o->f, KIND_APPEND, &msg_append_desc, &given);
    struct msg_entry entry;
    struct msg_entry_body body;
    cr_assert_eq(given.entry_count, 1u);
    cr_assert_not(given.held, "it is new");
    ok(entry_open(given.entries[0], &o->f->arena, &entry, &body));
    bool known = body.number < o->log.length && view_equal(buffer_view(&o->entries[body.number]), given.entries[0]);
    enum status s = known ? STATUS_OK : relay_takes(o, given.entries[0]);
    struct msg_appended done = {.log = o->f->my_log};
    if (s == STATUS_OK)
        answer(o->f, &frame, KIND_APPENDED, &msg_appended_desc, &done);
    else
        refuse(o->f, &frame, s == STATUS_STATE ? STATUS_STALE_HEAD : s, 0);
}

/* All that is asked about our log is answered. */
static void relay(struct own *o)
{
    for (unsigned n = 0; said_count(o->f, KIND_LOOKUP) + said_count(o->f, KIND_APPEND); n++) {
        cr_assert_lt(n, 20u, "asked and answered for ever");
        if (said_count(o->f, KIND_LOOKUP)) relay_found(o);
        if (said_count(o->f, KIND_APPEND)) relay_append(o);
    }
}

static struct contact held(struct own *o)
{
    struct contact c;
    ok(state_begin(o->f->state, STATE_READ));
    ok(state_contact_get(o->f->state, o->log.account, &c));
    ok(state_commit(o->f->state));
    return c;
}

static enum standing standing_of(struct own *o, struct device_id id)
{
    struct contact c = held(o);
    const struct log_device *d = identity_log_device(&c.log, id);
    cr_assert(d);
    return d->standing;
}

static void bind_and_read(struct own *o)
{
    bind_session(o->f);
    relay(o);
    cr_assert_eq(held(o).log.length, o->log.length);
}

static void own_run(struct fixture *f, void (*body)(struct own *o))
{
    static struct own own;
    own = (struct own){.f = f, .first = f->me.device};
    ok(state_begin(f->state, STATE_READ));
    ok(state_secrets_get(f->state, &own.first_sk));
    ok(state_commit(f->state));
    ok(identity_log_open(f->me.entry, &f->arena, &own.log));
    write_view(&own.entries[0], f->me.entry);
    second_joins(&own);
    bind_and_read(&own);
    said_forget(f);
    events_forget(f);
    body(&own);
    for (size_t i = 0; i < ENTRIES_MAX; i++)
        buffer_fini(&own.entries[i]);
}

/* As ENGINE_TEST, with two devices, of which ours is bound. */
#define DEVICE_TEST(name)                                                                          \
    static void name##_body(struct own *o);                                                        \
    ENGINE_TEST(device, name)                                                                      \
    {                                                                                              \
        own_run(f, name##_body);                                                                   \
    }                                                                                              \
    static void name##_body(struct own *o)

static struct change_wish wish_of(enum entry_operation operation, struct device_id subject)
{
    return (struct change_wish){.operation = operation, .subject = subject};
}

static void begin(struct own *o, struct change_wish wish)
{
    enum change_obstacle why;
    ok(engine_change(o->f->e, o->f->now, &wish, &why));
    cr_assert_eq(why, CHANGE_NONE);
    turn(o->f);
}

static struct engine_event ended(struct own *o, enum status s, enum change_obstacle why)
{
    struct engine_event e = happened(o->f, ENGINE_IDENTITY);
    cr_assert_eq(e.status, s, "%s", status_name(e.status));
    cr_assert_eq(e.obstacle, why, "%s", change_obstacle_name(e.obstacle));
    return e;
}

DEVICE_TEST(each_change_ends_in_the_log_and_is_told)
{
    static const struct {
        enum entry_operation operation;
        enum standing standing;
    } steps[] = {{ENTRY_SUSPEND, STANDING_SUSPENDED}, {ENTRY_RESUME, STANDING_ACTIVE}, {ENTRY_DESCRIBE, STANDING_ACTIVE},
                 {ENTRY_SUSPEND, STANDING_SUSPENDED}, {ENTRY_REVOKE, STANDING_REVOKED}};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct change_wish wish = wish_of(steps[i].operation, o->second);
        if (wish.operation == ENTRY_DESCRIBE) wish.name = text("the phone");
        begin(o, wish);
        cr_assert_not(has_happened(o->f, ENGINE_IDENTITY), "not before the relay has it");
        relay(o);
        struct engine_event e = ended(o, STATUS_OK, CHANGE_NONE);
        cr_assert(e.operation == (unsigned)steps[i].operation && device_equal(e.subject, o->second));
        cr_assert_eq(o->log.length, i + 3);
        cr_assert_eq(held(o).log.length, i + 3);
        cr_assert_eq(standing_of(o, o->second), steps[i].standing);
    }
    pass(o->f, 60000);
    cr_assert_eq(said_count(o->f, KIND_APPEND), 0u);
}

static void refused(struct own *o, struct change_wish wish, enum status s, enum change_obstacle why)
{
    enum change_obstacle got;
    enum status said = engine_change(o->f->e, o->f->now, &wish, &got);
    cr_assert_eq(said, s, "%u: %s", wish.operation, status_name(said));
    cr_assert_eq(got, why, "%u: %s", wish.operation, change_obstacle_name(got));
    turn(o->f);
    cr_assert_eq(said_count(o->f, KIND_APPEND), 0u);
}

DEVICE_TEST(what_the_log_surely_refuses_is_refused_here)
{
    struct device_id nobody = {{0xee}};
    struct change_wish named = wish_of(ENTRY_DESCRIBE, o->second);
    refused(o, wish_of(ENTRY_ADD, o->second), STATUS_MALFORMED, CHANGE_NONE);
    refused(o, wish_of(ENTRY_REPLACE, o->first), STATUS_MALFORMED, CHANGE_NONE);
    named.name = text("two  spaces");
    refused(o, named, STATUS_MALFORMED, CHANGE_NONE);
    named.name = text("x");
    named.operation = ENTRY_REVOKE;
    refused(o, named, STATUS_MALFORMED, CHANGE_NONE);
    for (enum entry_operation op = ENTRY_REVOKE; op <= ENTRY_RESUME; op++)
        refused(o, wish_of(op, nobody), STATUS_NOT_FOUND, CHANGE_NO_DEVICE);
    refused(o, wish_of(ENTRY_DESCRIBE, nobody), STATUS_NOT_FOUND, CHANGE_NO_DEVICE);
    refused(o, wish_of(ENTRY_RESUME, o->second), STATUS_STATE, CHANGE_DONE);
    begin(o, wish_of(ENTRY_SUSPEND, o->second));
    relay(o);
    refused(o, wish_of(ENTRY_SUSPEND, o->second), STATUS_STATE, CHANGE_DONE);
    refused(o, wish_of(ENTRY_REVOKE, o->first), STATUS_REFUSED, CHANGE_LAST);
    refused(o, wish_of(ENTRY_SUSPEND, o->first), STATUS_REFUSED, CHANGE_LAST);
    begin(o, wish_of(ENTRY_REVOKE, o->second));
    relay(o);
    refused(o, wish_of(ENTRY_REVOKE, o->second), STATUS_STATE, CHANGE_DONE);
    refused(o, wish_of(ENTRY_SUSPEND, o->second), STATUS_REFUSED, CHANGE_REVOKED);
    refused(o, wish_of(ENTRY_RESUME, o->second), STATUS_REFUSED, CHANGE_REVOKED);
    begin(o, (struct change_wish){.operation = ENTRY_REVOKE, .subject = o->first, .even_last = true});
    relay(o);
    cr_assert_eq(identity_log_active(&o->log), 0u);
    refused(o, wish_of(ENTRY_DESCRIBE, o->second), STATUS_REFUSED, CHANGE_SIGNER);
    cr_assert_eq(engine_rotate(o->f->e, o->f->now), STATUS_REFUSED);
}

DEVICE_TEST(what_the_recovery_key_has_suspended_no_device_resumes)
{
    static const struct device_id by_recovery;
    uint8_t seed[32] = {99}, sk[64];
    struct entry_plan set = {.operation = ENTRY_SET_RECOVERY};
    struct entry_plan suspend = {.operation = ENTRY_SUSPEND, .signer = by_recovery, .subject = o->second};
    struct buffer entry = {0};
    cr_assert_eq(crypto_sign_seed_keypair(set.recovery.bytes, sk, seed), 0);
    says(o, set);
    identity_log_make(&o->log, &suspend, sk, &entry);
    ok(relay_takes(o, buffer_view(&entry)));
    buffer_fini(&entry);
    lose_connection(o->f);
    pass(o->f, 6000);
    bind_and_read(o);
    refused(o, wish_of(ENTRY_RESUME, o->second), STATUS_REFUSED, CHANGE_RECOVERY);
    begin(o, wish_of(ENTRY_REVOKE, o->second));
    relay(o);
    ended(o, STATUS_OK, CHANGE_NONE);
}

DEVICE_TEST(one_at_a_time_and_the_same_wish_is_the_one_on_its_way)
{
    struct change_wish other = wish_of(ENTRY_DESCRIBE, o->second);
    other.name = text("b");
    begin(o, wish_of(ENTRY_SUSPEND, o->second));
    begin(o, wish_of(ENTRY_SUSPEND, o->second));
    cr_assert_eq(said_count(o->f, KIND_APPEND), 1u);
    enum change_obstacle why;
    cr_assert_eq(engine_change(o->f->e, o->f->now, &other, &why), STATUS_STATE);
    cr_assert_eq(why, CHANGE_UNDER_WAY);
    cr_assert_eq(engine_rotate(o->f->e, o->f->now), STATUS_FULL);
    relay(o);
    ended(o, STATUS_OK, CHANGE_NONE);
    cr_assert_eq(o->log.length, 3u);
}

DEVICE_TEST(a_full_log_takes_no_more_names_and_says_so)
{
    struct contact c = held(o);
    struct change_wish wish = wish_of(ENTRY_DESCRIBE, o->second);
    c.log.length = LOG_LENGTH_DESCRIBED;
    ok(state_begin(o->f->state, STATE_WRITE));
    ok(state_contact_put(o->f->state, &c));
    ok(state_commit(o->f->state));
    refused(o, wish, STATUS_TOO_LARGE, CHANGE_LOG_FULL);
}

/* ---- somebody else was first ---- */

enum who { FIRST, SECOND };

struct race {
    enum entry_operation mine;
    enum who subject;
    bool even_last;
    enum entry_operation theirs; /* by the second device */
    enum who their_subject;
    enum status status;
    enum change_obstacle obstacle;
};

static const struct race races[] = {
    {ENTRY_REVOKE, SECOND, false, ENTRY_DESCRIBE, SECOND, STATUS_OK, CHANGE_NONE},
    {ENTRY_REVOKE, SECOND, false, ENTRY_SUSPEND, SECOND, STATUS_OK, CHANGE_NONE},
    {ENTRY_REVOKE, SECOND, false, ENTRY_REVOKE, SECOND, STATUS_OK, CHANGE_DONE},
    {ENTRY_SUSPEND, SECOND, false, ENTRY_SUSPEND, SECOND, STATUS_OK, CHANGE_DONE},
    {ENTRY_SUSPEND, SECOND, false, ENTRY_REVOKE, SECOND, STATUS_REFUSED, CHANGE_REVOKED},
    {ENTRY_DESCRIBE, SECOND, false, ENTRY_REVOKE, SECOND, STATUS_OK, CHANGE_NONE},
    {ENTRY_DESCRIBE, FIRST, false, ENTRY_DESCRIBE, FIRST, STATUS_OK, CHANGE_NONE},
    {ENTRY_REVOKE, SECOND, false, ENTRY_REVOKE, FIRST, STATUS_REFUSED, CHANGE_SIGNER},
    {ENTRY_SUSPEND, SECOND, false, ENTRY_SUSPEND, FIRST, STATUS_REFUSED, CHANGE_SIGNER},
    {ENTRY_REVOKE, FIRST, false, ENTRY_REVOKE, SECOND, STATUS_REFUSED, CHANGE_LAST},
    {ENTRY_REVOKE, FIRST, true, ENTRY_REVOKE, SECOND, STATUS_OK, CHANGE_NONE},
    {ENTRY_SUSPEND, FIRST, false, ENTRY_SUSPEND, SECOND, STATUS_REFUSED, CHANGE_LAST},
    {ENTRY_REVOKE, FIRST, false, ENTRY_DESCRIBE, SECOND, STATUS_OK, CHANGE_NONE},
};
#define RACES (sizeof races / sizeof races[0])

static struct device_id id_of(const struct own *o, enum who who)
{
    return who == FIRST ? o->first : o->second;
}

/* The relay has taken theirs when ours comes; with `killed` our process dies before it hears of it. */
static void race(struct own *o, const struct race *r, bool killed)
{
    struct change_wish wish = wish_of(r->mine, id_of(o, r->subject));
    struct entry_plan theirs = {.operation = r->theirs, .subject = id_of(o, r->their_subject)};
    wish.even_last = r->even_last;
    if (wish.operation == ENTRY_DESCRIBE) wish.name = text("ours");
    begin(o, wish);
    cr_assert_eq(said_count(o->f, KIND_APPEND), 1u);
    says(o, theirs);
    if (killed) {
        restart(o->f);
        bind_session(o->f);
    }
    relay(o);
    pass(o->f, 6000);
    relay(o);
    size_t made = r->status == STATUS_OK && r->obstacle == CHANGE_NONE;
    struct engine_event e = ended(o, r->status, r->obstacle);
    cr_assert(e.operation == (unsigned)r->mine && device_equal(e.subject, wish.subject));
    cr_assert_eq(o->log.length, 3 + made);
    cr_assert_eq(held(o).log.length, o->log.length);
    pass(o->f, 60000);
    cr_assert_eq(said_count(o->f, KIND_APPEND), 0u, "it has ended");
    cr_assert_not(has_happened(o->f, ENGINE_IDENTITY));
}

static const struct race *race_now;
static bool race_killed;

static void race_run(struct own *o)
{
    race(o, race_now, race_killed);
}

static void race_engine(struct fixture *f)
{
    own_run(f, race_run);
}

Test(device, who_comes_second_goes_on_behind_the_first_or_hears_why_not)
{
    for (size_t i = 0; i < 2 * RACES; i++) {
        race_now = &races[i / 2];
        race_killed = i % 2;
        fixture_run(race_engine);
    }
}

/* ---- killed ---- */

/* With the nth call of the state failing; whatever that does to the engine, the next one brings what was kept to its end.
 * False: there were fewer calls. */
static bool change_with_luck(struct own *o, struct change_wish wish, uint64_t nth, bool kept)
{
    enum change_obstacle why;
    uint64_t calls = memory_state_calls(o->f->state);
    memory_state_fail(o->f->state, nth, kept);
    if (engine_change(o->f->e, o->f->now, &wish, &why) == STATUS_OK) turn(o->f);
    relay(o);
    bool failed = memory_state_calls(o->f->state) - calls >= nth;
    memory_state_fail(o->f->state, 0, false);
    restart(o->f);
    bind_session(o->f);
    relay(o);
    enum status s = engine_change(o->f->e, o->f->now, &wish, &why);
    cr_assert(s == STATUS_OK || (s == STATUS_STATE && why == CHANGE_DONE), "%s", status_name(s));
    turn(o->f);
    relay(o);
    return failed;
}

DEVICE_TEST(whatever_call_of_the_state_fails_the_change_is_made_once)
{
    bool failed = true;
    uint64_t n = 0;
    for (; failed; n++) {
        bool suspend = n % 2 == 0;
        uint64_t length = o->log.length;
        cr_assert_lt(n, ENTRIES_MAX - 3);
        failed = change_with_luck(o, wish_of(suspend ? ENTRY_SUSPEND : ENTRY_RESUME, o->second), 1 + n / 2, n % 4 < 2);
        cr_assert_eq(o->log.length, length + 1, "%llu", (unsigned long long)n);
        struct contact own = held(o);
        cr_assert_eq(memcmp(&own.log, &o->log, sizeof o->log), 0);
        cr_assert_eq(standing_of(o, o->second), suspend ? STANDING_SUSPENDED : STANDING_ACTIVE);
        restart(o->f);
        bind_session(o->f);
        said_forget(o->f);
    }
    cr_assert_gt(n, 20u, "it takes more calls than that");
}

/* ---- put out ---- */

static void hello_refused(struct own *o)
{
    lose_connection(o->f);
    engine_up(o->f->e, o->f->now);
    turn(o->f);
    struct frame hello = said(o->f, KIND_HELLO, NULL, NULL);
    refuse(o->f, &hello, STATUS_REFUSED, 0);
}

DEVICE_TEST(who_is_put_out_stops_says_so_and_loses_nothing)
{
    struct sent s;
    know_bob(o->f);
    struct outbox_row row = write_to(o->f, "bob", "x", NULL);
    says(o, (struct entry_plan){.operation = ENTRY_SUSPEND, .subject = o->first});
    hello_refused(o);
    while (happened(o->f, ENGINE_MESSAGE).status != STATUS_REFUSED)
        ;
    cr_assert_eq(happened(o->f, ENGINE_STOPPED).status, STATUS_REFUSED);
    row = row_at(o->f, row.order);
    cr_assert(row.state == MESSAGE_QUEUED && row.reason == STATUS_REFUSED);
    said_forget(o->f);
    pass(o->f, 600000);
    engine_down(o->f->e, o->f->now);
    engine_up(o->f->e, o->f->now);
    pass(o->f, 600000);
    cr_assert_eq(o->f->said_count, 0u, "nothing more is said");
    says(o, (struct entry_plan){.operation = ENTRY_RESUME, .subject = o->first});
    restart(o->f);
    bind_and_read(o);
    said_send(o->f, &s);
    accept_all(o->f, &s);
    row = row_at(o->f, row.order);
    cr_assert(row.state == MESSAGE_ACCEPTED && row.reason == STATUS_OK);
}

/* Its own entry costs it the session, and the answer. Should somebody take it back, the log tells how it went. */
DEVICE_TEST(who_puts_itself_out_hears_that_it_did)
{
    begin(o, wish_of(ENTRY_SUSPEND, o->first));
    struct msg_append given;
    (void)said(o->f, KIND_APPEND, &msg_append_desc, &given);
    ok(relay_takes(o, arena_copy(&o->f->arena, given.entries[0])));
    hello_refused(o);
    struct engine_event e = ended(o, STATUS_OK, CHANGE_NONE);
    cr_assert(e.operation == ENTRY_SUSPEND && device_equal(e.subject, o->first));
    happened(o->f, ENGINE_STOPPED);
    says(o, (struct entry_plan){.operation = ENTRY_RESUME, .subject = o->first});
    restart(o->f);
    bind_and_read(o);
    ended(o, STATUS_OK, CHANGE_NONE);
    begin(o, wish_of(ENTRY_SUSPEND, o->second));
}

/* What REGISTERED says is the device of the first entry, which is another one's. */
DEVICE_TEST(a_device_that_joined_later_registers_with_the_whole_log)
{
    struct msg_register given;
    struct msg_hello hello;
    struct state_identity me = o->f->me;
    struct contact own = held(o);
    me.device = o->second;
    me.record = identity_log_device(&own.log, o->second)->record;
    me.registered = false;
    ok(state_begin(o->f->state, STATE_WRITE));
    ok(state_identity_put(o->f->state, &me));
    ok(state_commit(o->f->state));
    restart(o->f);
    engine_up(o->f->e, o->f->now);
    turn(o->f);
    struct frame frame = said(o->f, KIND_REGISTER, &msg_register_desc, &given);
    cr_assert_eq(given.entry_count, 1u);
    cr_assert(view_equal(given.entries[0], buffer_view(&o->entries[1])));
    struct msg_registered done = {.account = me.account, .device = o->first, .log = o->f->my_log};
    answer(o->f, &frame, KIND_REGISTERED, &msg_registered_desc, &done);
    (void)said(o->f, KIND_HELLO, &msg_hello_desc, &hello);
    cr_assert(device_equal(hello.device, o->second));
}

/* ---- names ---- */

static struct view name_of(struct own *o, struct device_id id)
{
    struct device_facts facts[DEVICES_EVER_MAX];
    struct contact c = held(o);
    ok(state_begin(o->f->state, STATE_READ));
    ok(state_device_facts(o->f->state, &o->f->arena, &c.log, facts));
    ok(state_commit(o->f->state));
    size_t i = (size_t)(identity_log_device(&c.log, id) - c.log.devices);
    return arena_copy(&o->f->arena, view_of(facts[i].name, facts[i].name_len));
}

static void describes(struct own *o, const char *data, size_t len)
{
    says(o, (struct entry_plan){.operation = ENTRY_DESCRIBE, .subject = o->second, .data = view_of(data, len)});
    lose_connection(o->f);
    pass(o->f, 6000);
    bind_and_read(o);
}

DEVICE_TEST(a_name_is_the_newest_that_follows_the_rules)
{
    struct change_wish wish = wish_of(ENTRY_DESCRIBE, o->second);
    wish.name = text("the \xc3\xa4pple phone");
    begin(o, wish);
    relay(o);
    cr_assert(view_equal(name_of(o, o->second), wish.name));
    cr_assert_eq(name_of(o, o->first).len, 0u);
    describes(o, "\x0a\x01" "b" "\x12\x03new", 8);
    cr_assert(view_equal(name_of(o, o->second), text("b")), "a field that this version does not know");
    describes(o, "a name of old", 13);
    describes(o, "\x0a\x03" "a b" "\x0a", 6);
    describes(o, "\x0a\x03 ab", 5);
    describes(o, "\x0a\x03" "a\nb", 5);
    cr_assert(view_equal(name_of(o, o->second), text("b")), "what follows no rule says nothing");
    wish.name = view_of(NULL, 0);
    begin(o, wish);
    relay(o);
    cr_assert_eq(name_of(o, o->second).len, 0u);
}

/* Another process of this home has seen the first change in the log, and keeps a second one. */
static void other_process_goes_on(struct own *o, struct change_wish wish)
{
    struct engine *other;
    enum change_obstacle why;
    struct contact own = {.log = o->log};
    ok(state_begin(o->f->state, STATE_WRITE));
    ok(state_entry_put(o->f->state, o->log.account, o->log.length - 1, buffer_view(&o->entries[o->log.length - 1])));
    ok(state_contact_put(o->f->state, &own));
    ok(state_setting_put(o->f->state, "identity.change", view_of(NULL, 0)));
    ok(state_commit(o->f->state));
    ok(engine_new(&o->f->config, o->f->state, &other));
    ok(engine_change(other, o->f->now, &wish, &why));
    engine_free(&other);
}

static void answer_to_the_first(struct own *o, bool taken)
{
    struct msg_append given;
    struct change_wish first = wish_of(ENTRY_DESCRIBE, o->first), second = wish_of(ENTRY_SUSPEND, o->second);
    first.name = text("the laptop");
    begin(o, first);
    struct frame frame = said(o->f, KIND_APPEND, &msg_append_desc, &given);
    ok(relay_takes(o, given.entries[0]));
    other_process_goes_on(o, second);
    struct msg_appended done = {.log = o->f->my_log};
    if (taken)
        answer(o->f, &frame, KIND_APPENDED, &msg_appended_desc, &done);
    else
        refuse(o->f, &frame, STATUS_REFUSED, 0);
}

/* Else this device would hold an entry that the relay never had, and another's entry in its place be a fork. */
DEVICE_TEST(the_answer_to_a_change_says_nothing_of_the_next_one)
{
    answer_to_the_first(o, true);
    cr_assert_not(has_happened(o->f, ENGINE_IDENTITY));
    cr_assert_eq(held(o).log.length, o->log.length);
    cr_assert_eq(standing_of(o, o->second), STANDING_ACTIVE);
    pass(o->f, 2000);
    relay(o);
    cr_assert_eq(ended(o, STATUS_OK, CHANGE_NONE).operation, (unsigned)ENTRY_SUSPEND);
    cr_assert_eq(standing_of(o, o->second), STANDING_SUSPENDED);
    cr_assert_eq(held(o).log.length, o->log.length);
}

DEVICE_TEST(nor_does_its_refusal)
{
    answer_to_the_first(o, false);
    relay(o);
    cr_assert_not(has_happened(o->f, ENGINE_IDENTITY));
    pass(o->f, 60000);
    relay(o);
    cr_assert_eq(ended(o, STATUS_OK, CHANGE_NONE).operation, (unsigned)ENTRY_SUSPEND);
}
