/* A home that has its product's keys believes no relay which account a handle is; and our own token goes where it is asked. */
#include "tests/unit/clients_fixture.h"

#include "broker/wire/identity.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

static uint8_t product_sk[64];
static struct product_keys product;

static void product_make(struct fixture *f)
{
    static const uint8_t seed[32] = "a product";
    product.count = 1;
    crypto_sign_seed_keypair(product.keys[0].bytes, product_sk, seed);
    cr_assert_eq(state_begin(f->state, STATE_WRITE), STATUS_OK);
    cr_assert_eq(state_product_keys_put(f->state, &product), STATUS_OK);
    cr_assert_eq(state_commit(f->state), STATUS_OK);
}

static struct view token_for(struct fixture *f, const char *handle, struct account_id account)
{
    struct buffer bytes = {0};
    struct msg_token_body body = {.handle = text(handle), .account = account, .expires_ms = 1,
                                  .relay = relay_id_of(&f->me.server)};
    token_make(&body, product_sk, &bytes);
    struct view copy = arena_copy(&f->arena, buffer_view(&bytes));
    buffer_fini(&bytes);
    return copy;
}

/* The relay's answer to the look-up of "bob": his account, proven, with this token. */
static void found_with(struct fixture *f, struct view token)
{
    struct msg_lookup ask;
    struct frame frame = said(f, KIND_LOOKUP, &msg_lookup_desc, &ask);
    struct msg_handle_proof proof = {.entry = buffer_view(&f->bob_entries[0]), .token = token};
    struct msg_found found = {.account = f->bob.account, .proof = &proof, .proof_count = 1};
    cr_assert(view_equal(ask.handle, text("bob")));
    handle_sign(f->bob.account, ask.handle, f->bob_sk, &proof.signature);
    answer(f, &frame, KIND_FOUND, &msg_found_desc, &found);
}

static struct outbox_row asked_for_bob(struct fixture *f)
{
    return write_to(f, "bob", "hello", NULL);
}

/* The token's time is long over: it was good when the handle was claimed. */
ENGINE_TEST(vouch, a_handle_with_the_products_word_is_believed_and_pinned)
{
    session_only(f);
    product_make(f);
    struct outbox_row row = asked_for_bob(f);
    found_with(f, token_for(f, "bob", f->bob.account));
    struct msg_lookup ask;
    (void)said(f, KIND_LOOKUP, &msg_lookup_desc, &ask);
    cr_assert_eq(memcmp(&ask.account, &f->bob.account, sizeof ask.account), 0, "his log is next");
    cr_assert_eq(state_of(f, row.order), MESSAGE_DRAFTED);
}

static void refused_with(struct fixture *f, struct view token)
{
    struct outbox_row row = asked_for_bob(f);
    struct account_id pinned;
    found_with(f, token);
    cr_assert_eq(state_of(f, row.order), MESSAGE_REFUSED);
    cr_assert_eq(row_at(f, row.order).reason, STATUS_TOKEN_REFUSED);
    cr_assert_eq(said_count(f, KIND_LOOKUP), 0);
    cr_assert_eq(state_begin(f->state, STATE_READ), STATUS_OK);
    cr_assert_eq(state_handle_get(f->state, text("bob"), &pinned), STATUS_NOT_FOUND, "nothing is pinned");
    state_rollback(f->state);
}

/* A relay that swaps the account behind a handle has everything but the product's word for it. */
ENGINE_TEST(vouch, a_swapped_account_is_refused_whatever_the_relay_gives_with_it)
{
    struct account_id real = {{1, 2, 3}};
    struct view good;
    session_only(f);
    product_make(f);
    refused_with(f, view_of(NULL, 0));
    refused_with(f, token_for(f, "bob", real));
    refused_with(f, token_for(f, "bobby", f->bob.account));
    good = token_for(f, "bob", f->bob.account);
    uint8_t flipped[TOKEN_LEN_MAX];
    memcpy(flipped, good.at, good.len);
    flipped[good.len - 1] ^= 1;
    refused_with(f, view_of(flipped, good.len));
    cr_assert_eq(engine_counts(f->e).forks, 0u, "an unvouched name is no other history");
}

ENGINE_TEST(vouch, a_token_for_another_relay_is_none)
{
    session_only(f);
    product_make(f);
    struct buffer bytes = {0};
    struct msg_token_body body = {.handle = text("bob"), .account = f->bob.account, .relay = {{9}}};
    token_make(&body, product_sk, &bytes);
    refused_with(f, buffer_view(&bytes));
    buffer_fini(&bytes);
}

ENGINE_TEST(vouch, without_product_keys_a_handle_is_as_the_relay_proves_it)
{
    session_only(f);
    struct outbox_row row = asked_for_bob(f);
    found_with(f, view_of(NULL, 0));
    cr_assert_eq(said_count(f, KIND_LOOKUP), 1);
    cr_assert_eq(state_of(f, row.order), MESSAGE_DRAFTED);
}

/* ---- our own ---- */

ENGINE_TEST(vouch, our_token_goes_with_account_and_handle)
{
    enum token_fault fault;
    struct msg_register m;
    struct view mine;
    product_make(f);
    mine = token_for(f, "me", f->me.account);
    cr_assert_eq(engine_token(f->e, f->now, token_for(f, "me", f->bob.account), &fault), STATUS_TOKEN_REFUSED);
    cr_assert_eq(fault, TOKEN_ACCOUNT);
    cr_assert_eq(engine_token(f->e, f->now, text("nonsense"), &fault), STATUS_TOKEN_REFUSED);
    cr_assert_eq(fault, TOKEN_FORM);
    cr_assert_eq(engine_token(f->e, f->now, mine, &fault), STATUS_OK);
    engine_up(f->e, f->now);
    turn(f);
    struct frame frame = said(f, KIND_REGISTER, &msg_register_desc, &m);
    cr_assert(view_equal(m.token, mine));
    refuse(f, &frame, STATUS_TOKEN_REFUSED, 0);
    cr_assert_eq(happened(f, ENGINE_STOPPED).status, STATUS_TOKEN_REFUSED);
}

ENGINE_TEST(vouch, a_token_that_comes_in_a_session_claims_its_handle)
{
    enum token_fault fault;
    struct msg_claim_handle claim;
    session_only(f);
    product_make(f);
    char own[HANDLE_LEN_MAX + 1] = "";
    memcpy(own, f->me.handle.at, f->me.handle.len);
    cr_assert_eq(engine_token(f->e, f->now, token_for(f, "another", f->me.account), &fault), STATUS_TOKEN_REFUSED);
    cr_assert_eq(fault, TOKEN_HANDLE, "the home has its handle");
    struct view mine = token_for(f, own, f->me.account);
    enum status s = engine_token(f->e, f->now, mine, &fault);
    cr_assert_eq(s, STATUS_OK);
    turn(f);
    (void)said(f, KIND_CLAIM_HANDLE, &msg_claim_handle_desc, &claim);
    cr_assert(view_equal(claim.token, mine));
}

/* ---- holds (PROTOCOL 6.9) ---- */

/* Nothing of ours is lost by it: what waits goes when a later connection finds us released. */
ENGINE_TEST(hold, who_is_held_stops_is_told_and_keeps_what_it_wrote)
{
    struct msg_hello hello;
    struct sent s;
    bob_and_session(f);
    lose_connection(f);
    struct outbox_row row = write_to(f, "bob", "later", NULL);
    engine_up(f->e, f->now);
    turn(f);
    struct frame frame = said(f, KIND_HELLO, &msg_hello_desc, &hello);
    refuse(f, &frame, STATUS_ON_HOLD, 0);
    cr_assert_eq(happened(f, ENGINE_STOPPED).status, STATUS_ON_HOLD);
    cr_assert_neq(state_of(f, row.order), MESSAGE_REFUSED);
    cr_assert_eq(row_at(f, row.order).reason, STATUS_ON_HOLD);
    pass(f, 60000);
    cr_assert_eq(said_count(f, KIND_HELLO), 0, "it does not knock on");
    restart(f);
    bind_session(f);
    turn(f);
    said_send(f, &s);
    cr_assert(message_equal(s.items[0].id, row_at(f, row.order).id));
}
