/* What the library tells the application of a handle and of prompts, on a client without a connection. */
#include "broker/wire/identity.h"
#include "clients/api.h"
#include "clients/core.h"
#include "clients/sealmq_registration.h"
#include "clients/state/memory.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

static void ok(enum status s)
{
    cr_assert_eq(s, STATUS_OK, "%s", status_name(s));
}

static void fill(void *self, void *out, size_t len)
{
    (void)self;
    randombytes_buf(out, len);
}

static void client_init(struct sealmq_client *c)
{
    static const struct random_source random = {.fill = fill};
    struct account_wish wish = {.endpoints = view_of("tcp://relay:1", 13)};
    cr_assert_geq(sodium_init(), 0);
    *c = (struct sealmq_client){.state = memory_state_new(), .poll_fd = -1,
                                .events = calloc(API_EVENTS_MAX, sizeof(struct sealmq_event))};
    ok(account_create(c->state, &random, (struct now){1700000000000u, 5000}, &wish));
    ok(engine_new(&(struct engine_config){.random = random, .client_version = "0"}, c->state, &c->engine));
}

static void client_fini(struct sealmq_client *c)
{
    engine_free(&c->engine);
    state_close(&c->state);
    arena_fini(&c->arena);
    free(c->events);
}

/* The relay's answer to the look-up of `bob` that is under way: the n-th account claims the handle, and proves it. */
static struct account_id found(struct sealmq_client *c, uint8_t n)
{
    struct msg_device_record record;
    struct buffer entry = {0}, frame = {0};
    struct arena a = {0};
    struct founding founding;
    uint8_t sk[64], seed[32] = {7, n}, scalar[32] = {8, n}, salt[16] = {9};
    cr_assert_eq(crypto_sign_seed_keypair(record.signing.bytes, sk, seed), 0);
    cr_assert_eq(crypto_scalarmult_base(record.identity.bytes, scalar), 0);
    scalar[2] = 1;
    cr_assert_eq(crypto_scalarmult_base(record.transport.bytes, scalar), 0);
    founding_make(&record, sk, 1, salt, &entry);
    ok(founding_check(buffer_view(&entry), &a, &founding));
    struct msg_handle_proof proof = {.entry = buffer_view(&entry)};
    handle_sign(founding.account, view_of("bob", 3), sk, &proof.signature);
    struct msg_found m = {.account = founding.account, .proof = &proof, .proof_count = 1};
    frame_write(&frame, &(struct frame_header){.kind = KIND_FOUND, .correlation = c->lookups[0].correlation},
                &msg_found_desc, &m);
    cr_assert(lookup_answer(c, buffer_view(&frame)));
    buffer_fini(&frame);
    buffer_fini(&entry);
    arena_fini(&a);
    return founding.account;
}

static struct sealmq_event next(struct sealmq_client *c)
{
    struct sealmq_event event = SEALMQ_INIT(struct sealmq_event);
    cr_assert(sealmq_next_event(c, &event));
    return event;
}

Test(api, a_handle_that_is_known_is_given_no_other_account)
{
    struct sealmq_client c;
    struct sealmq_account known;
    client_init(&c);
    cr_assert_eq(sealmq_lookup(&c, "bob", 0), SEALMQ_OK);
    struct account_id first = found(&c, 1);
    struct sealmq_event event = next(&c);
    cr_assert(event.status == SEALMQ_OK && memcmp(&event.account, &first, sizeof first) == 0);
    cr_assert_eq(sealmq_lookup(&c, "bob", 0), SEALMQ_OK);
    (void)found(&c, 1);
    cr_assert_eq(next(&c).status, SEALMQ_OK);
    cr_assert_eq(sealmq_lookup(&c, "bob", 0), SEALMQ_OK);
    struct account_id other = found(&c, 2);
    event = next(&c);
    cr_assert_neq(memcmp(&event.account, &other, sizeof other), 0, "whom the relay likes");
    cr_assert_eq(event.status, SEALMQ_BAD_ENTRY);
    cr_assert_eq(sealmq_contact_account(&c, "bob", &known), SEALMQ_OK);
    cr_assert_eq(memcmp(&known, &first, sizeof first), 0);
    client_fini(&c);
}

#define PRODUCT "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"

/* A look-up, too, believes no relay without the product's word, but for what this home has known before. */
Test(api, with_product_keys_a_handle_needs_a_token)
{
    struct sealmq_client c;
    struct sealmq_account known;
    client_init(&c);
    cr_assert_eq(sealmq_product_keys_set(&c, "nonsense"), SEALMQ_MALFORMED);
    cr_assert_neq(c.error[0], '\0');
    cr_assert_eq(sealmq_product_keys_set(&c, PRODUCT), SEALMQ_OK);
    cr_assert_eq(sealmq_lookup(&c, "bob", 0), SEALMQ_OK);
    (void)found(&c, 1);
    cr_assert_eq(next(&c).status, SEALMQ_TOKEN_REFUSED);
    cr_assert_eq(sealmq_contact_account(&c, "bob", &known), SEALMQ_NOT_FOUND);
    cr_assert_eq(sealmq_product_keys_set(&c, ""), SEALMQ_OK);
    cr_assert_eq(sealmq_lookup(&c, "bob", 0), SEALMQ_OK);
    (void)found(&c, 1);
    cr_assert_eq(next(&c).status, SEALMQ_OK, "as the relay says");
    cr_assert_eq(sealmq_product_keys_set(&c, PRODUCT), SEALMQ_OK);
    cr_assert_eq(sealmq_lookup(&c, "bob", 0), SEALMQ_OK);
    (void)found(&c, 1);
    cr_assert_eq(next(&c).status, SEALMQ_OK, "known already");
    client_fini(&c);
}

Test(api, a_token_that_is_none_or_is_anothers_is_not_kept)
{
    struct sealmq_client c;
    uint8_t seed[32] = {5}, sk[64], pk[32];
    char shown[TOKEN_TEXT_MAX + 1];
    struct buffer token = {0};
    struct msg_token_body body = {.handle = view_of("me", 2), .account = {{1}}, .expires_ms = 1};
    client_init(&c);
    crypto_sign_seed_keypair(pk, sk, seed);
    token_make(&body, sk, &token);
    token_text(buffer_view(&token), shown);
    cr_assert_eq(sealmq_token_set(&c, shown), SEALMQ_TOKEN_REFUSED);
    cr_assert_str_eq(c.error, "this token is for another account");
    cr_assert_eq(sealmq_token_set(&c, "sealmq:token:2:AAAA"), SEALMQ_UNSUPPORTED);
    cr_assert_eq(sealmq_token_set(&c, "sealmq:token:1:AAAA"), SEALMQ_MALFORMED);
    cr_assert_eq(sealmq_token_set(&c, ""), SEALMQ_MALFORMED);
    buffer_fini(&token);
    client_fini(&c);
}

/* The relay's last word, as the user reads it. */
Test(api, being_on_hold_and_wanting_a_token_are_prompts)
{
    struct sealmq_client c;
    client_init(&c);
    event_put(c.engine, &(struct engine_event){.kind = ENGINE_STOPPED, .status = STATUS_ON_HOLD});
    cr_assert_eq(next(&c).kind, SEALMQ_EVENT_STOPPED);
    struct sealmq_event told = next(&c);
    cr_assert(told.prompt == SEALMQ_PROMPT_ON_HOLD && told.severity == SEALMQ_SEVERITY_WARNING);
    cr_assert_not_null(strstr(sealmq_error(&c), "on hold"));
    event_put(c.engine, &(struct engine_event){.kind = ENGINE_STOPPED, .status = STATUS_TOKEN_REFUSED});
    cr_assert_eq(next(&c).kind, SEALMQ_EVENT_STOPPED);
    cr_assert_eq(next(&c).prompt, SEALMQ_PROMPT_TOKEN_WANTED);
    client_fini(&c);
}

/* What is told once is told when there is room, if not at first. */
Test(api, a_prompt_that_finds_the_ring_full_is_not_taken_for_told)
{
    struct sealmq_client c;
    struct sealmq_event event = SEALMQ_INIT(struct sealmq_event);
    bool told = false;
    client_init(&c);
    for (size_t i = 0; i < API_EVENTS_MAX; i++)
        event_push(&c, &(struct sealmq_event){.kind = SEALMQ_EVENT_RECEIVED});
    event_put(c.engine, &(struct engine_event){.kind = ENGINE_FORKED});
    while (sealmq_next_event(&c, &event))
        cr_assert_neq(event.kind, SEALMQ_EVENT_PROMPT);
    event_put(c.engine, &(struct engine_event){.kind = ENGINE_FORKED});
    event_put(c.engine, &(struct engine_event){.kind = ENGINE_FORKED});
    for (; sealmq_next_event(&c, &event); told = true)
        cr_assert(event.prompt == SEALMQ_PROMPT_CONTACT_FORKED && !told);
    cr_assert(told);
    client_fini(&c);
}

/* ---- a message's reason ---- */

Test(message, is_held_for_its_contact_in_rows_of_earlier_versions_too)
{
    static const struct {
        enum status kept, told;
        enum sealmq_prompt_id prompt;
    } rows[] = {
        {STATUS_STALE_DEVICES, STATUS_CONTACT_RECOVERED, SEALMQ_PROMPT_CONTACT_REFOUNDED},
        {STATUS_CONTACT_RECOVERED, STATUS_CONTACT_RECOVERED, SEALMQ_PROMPT_CONTACT_REFOUNDED},
        {STATUS_RELAY_BEHIND, STATUS_CONTACT_BEHIND, SEALMQ_PROMPT_CONTACT_BEHIND},
        {STATUS_CONTACT_BEHIND, STATUS_CONTACT_BEHIND, SEALMQ_PROMPT_CONTACT_BEHIND},
        {STATUS_CONTACT_FORKED, STATUS_CONTACT_FORKED, SEALMQ_PROMPT_CONTACT_CHANGED},
        {STATUS_BAD_ENTRY, STATUS_BAD_ENTRY, SEALMQ_PROMPT_CONTACT_CHANGED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cr_assert_eq(reason_of_message(MESSAGE_HELD, rows[i].kept), rows[i].told, "%zu", i);
        cr_assert_eq(prompt_of_message(MESSAGE_HELD, rows[i].told, true), rows[i].prompt, "%zu", i);
    }
    cr_assert_eq(reason_of_message(MESSAGE_REFUSED, STATUS_STALE_DEVICES), STATUS_STALE_DEVICES);
    cr_assert_eq(reason_of_message(MESSAGE_QUEUED, STATUS_RELAY_BEHIND), STATUS_RELAY_BEHIND);
}

Test(message, is_refused_where_nobody_is_there_and_not_for_its_writer)
{
    cr_assert_eq(reason_of_message(MESSAGE_REFUSED, STATUS_REFUSED), STATUS_NO_DEVICES);
    cr_assert_eq(reason_of_message(MESSAGE_QUEUED, STATUS_REFUSED), STATUS_REFUSED, "this device was put out");
}
