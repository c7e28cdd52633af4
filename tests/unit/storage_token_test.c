/* Tokens at the relay: who comes in, with whose word, and what stays when that has expired. */
#include "tests/unit/storage_fixture.h"

#include <sodium.h>
#include <string.h>

static const struct relay_id relay = {{7, 7}};

/* A relay that knows a product's key, and a person who is nowhere yet. */
struct gate {
    struct world *w;
    struct person *p;
    uint8_t product_sk[64];
};

static struct gate gate_new(bool wanted)
{
    static const uint8_t seed[32] = "a product";
    struct gate g = {.w = world_new(1), .p = calloc(1, sizeof *g.p)};
    crypto_sign_seed_keypair(g.w->config.product_keys.keys[0].bytes, g.product_sk, seed);
    g.w->config.product_keys.count = 1;
    g.w->config.relay = relay;
    g.w->config.token_wanted = wanted;
    world_restart(g.w);
    g.p->record = keys_make(1, g.p->signing_sk);
    founding_make(&g.p->record, g.p->signing_sk, WORLD_START_MS, g.p->record.identity.bytes, &g.p->entry);
    cr_assert_eq(identity_log_open(buffer_view(&g.p->entry), &g.w->arena, &g.p->log), STATUS_OK);
    g.p->account = g.p->log.account;
    g.p->device = g.p->log.devices[0].id;
    return g;
}

static void gate_free(struct gate *g)
{
    person_free(g->p);
    world_free(g->w);
}

static struct view token(struct gate *g, const char *handle, uint64_t expires_ms)
{
    struct buffer bytes = {0};
    struct msg_token_body body = {.handle = view_of(handle, strlen(handle)), .account = g->p->account,
                                  .expires_ms = expires_ms, .relay = relay};
    token_make(&body, g->product_sk, &bytes);
    struct view copy = arena_copy(&g->w->arena, buffer_view(&bytes));
    buffer_fini(&bytes);
    return copy;
}

static struct view token_soon(struct gate *g, const char *handle)
{
    return token(g, handle, g->w->now.wall_ms + HOUR_MS);
}

static struct stamp stamp_of(const struct gate *g)
{
    return (struct stamp){.origin = ORIGIN_EDGE, .conn = 4711, .transport = g->p->record.transport};
}

static enum status registers(struct gate *g, struct view with)
{
    struct stamp stamp = stamp_of(g);
    struct msg_register m = {.entry = buffer_view(&g->p->entry), .token = with};
    uint64_t c = world_ask(g->w, 0, &stamp, KIND_REGISTER, &msg_register_desc, &m, view_of(NULL, 0));
    world_run(g->w);
    return world_status(g->w, c);
}

static enum status claims(struct gate *g, const char *handle, struct view with)
{
    struct stamp stamp = stamp_of(g);
    struct msg_claim_handle m = {.handle = view_of(handle, strlen(handle)), .entry = buffer_view(&g->p->entry),
                                 .token = with};
    handle_sign(g->p->account, m.handle, g->p->signing_sk, &m.signature);
    uint64_t c = world_ask(g->w, 0, &stamp, KIND_CLAIM_HANDLE, &msg_claim_handle_desc, &m, view_of(NULL, 0));
    world_run(g->w);
    return world_status(g->w, c);
}

/* What LOOKUP of the handle gives beside the account. */
static struct view kept(struct gate *g, const char *handle)
{
    struct stamp stamp = person_stamp(g->p);
    struct msg_lookup m = {.handle = view_of(handle, strlen(handle))};
    struct msg_found found;
    uint64_t c = world_ask(g->w, 0, &stamp, KIND_LOOKUP, &msg_lookup_desc, &m, view_of(NULL, 0));
    world_run(g->w);
    world_decode(g->w, c, KIND_FOUND, &msg_found_desc, &found);
    cr_assert_eq(found.proof_count, 1);
    return found.proof[0].token;
}

static const struct view nothing;

Test(token, an_account_comes_in_with_one_and_not_without)
{
    struct gate g = gate_new(true);
    cr_assert_eq(registers(&g, nothing), STATUS_TOKEN_REFUSED);
    cr_assert_eq(world_event(g.w, EVENT_TOKEN_REFUSED)->code, TOKEN_ABSENT);
    cr_assert_eq(registers(&g, token(&g, "ann", g.w->now.wall_ms - 1)), STATUS_TOKEN_REFUSED);
    cr_assert_eq(world_event(g.w, EVENT_TOKEN_REFUSED)->code, TOKEN_EXPIRED);
    cr_assert_eq(world_rows(g.w, SPACE_IDENTITY, ROW_ACCOUNT), 0);
    cr_assert_eq(registers(&g, token_soon(&g, "ann")), STATUS_OK);
    cr_assert_eq(world_rows(g.w, SPACE_IDENTITY, ROW_ACCOUNT), 1);
    cr_assert_eq(world_events(g.w, EVENT_REGISTRATION_OPEN), 1, "of the relay before it wanted tokens");
    cr_assert_eq(registers(&g, nothing), STATUS_OK, "what is here stays");
    world_restart(g.w);
    cr_assert_eq(registers(&g, nothing), STATUS_OK);
    gate_free(&g);
}

Test(token, a_handle_is_claimed_with_its_own_and_stays_when_that_has_expired)
{
    struct gate g = gate_new(true);
    struct view good = token_soon(&g, "ann");
    cr_assert_eq(registers(&g, good), STATUS_OK);
    cr_assert_eq(claims(&g, "ann", nothing), STATUS_TOKEN_REFUSED);
    cr_assert_eq(claims(&g, "bob", good), STATUS_TOKEN_REFUSED);
    cr_assert_eq(world_event(g.w, EVENT_TOKEN_REFUSED)->code, TOKEN_HANDLE);
    cr_assert_eq(world_rows(g.w, SPACE_IDENTITY, ROW_HANDLE), 0);
    cr_assert_eq(claims(&g, "ann", good), STATUS_OK);
    cr_assert_eq(person_hello(g.w, g.p, 0), STATUS_OK);
    cr_assert(view_equal(kept(&g, "ann"), good));
    world_skip(g.w, 2 * HOUR_MS);
    size_t told = world_events(g.w, EVENT_TOKEN_REFUSED);
    cr_assert_eq(claims(&g, "ann", nothing), STATUS_OK);
    cr_assert_eq(claims(&g, "ann", good), STATUS_OK, "expired, and not needed");
    cr_assert_eq(world_events(g.w, EVENT_TOKEN_REFUSED), told);
    cr_assert(view_equal(kept(&g, "ann"), good));
    gate_free(&g);
}

Test(token, one_of_a_stranger_to_the_product_or_for_another_relay_is_none)
{
    struct gate g = gate_new(true);
    struct gate other = g;
    static const uint8_t seed[32] = "nobody";
    uint8_t pk[32];
    crypto_sign_seed_keypair(pk, other.product_sk, seed);
    cr_assert_eq(registers(&g, token_soon(&other, "ann")), STATUS_TOKEN_REFUSED);
    cr_assert_eq(world_event(g.w, EVENT_TOKEN_REFUSED)->code, TOKEN_SIGNATURE);
    g.w->config.relay.bytes[9]++;
    world_restart(g.w);
    cr_assert_eq(registers(&g, token_soon(&g, "ann")), STATUS_TOKEN_REFUSED);
    cr_assert_eq(world_event(g.w, EVENT_TOKEN_REFUSED)->code, TOKEN_RELAY);
    gate_free(&g);
}

/* An open relay that knows the key: what comes with a token is vouched for, also later. */
Test(token, an_open_relay_keeps_a_good_one_and_refuses_a_bad_one)
{
    struct gate g = gate_new(false);
    cr_assert_eq(registers(&g, nothing), STATUS_OK);
    cr_assert_eq(claims(&g, "ann", token_soon(&g, "bob")), STATUS_TOKEN_REFUSED);
    cr_assert_eq(claims(&g, "ann", nothing), STATUS_OK);
    cr_assert_eq(person_hello(g.w, g.p, 0), STATUS_OK);
    cr_assert_eq(kept(&g, "ann").len, 0);
    cr_assert_eq(claims(&g, "ann", token_soon(&g, "bob")), STATUS_OK, "it is hers, with what proof she had");
    cr_assert_eq(kept(&g, "ann").len, 0);
    struct view good = token_soon(&g, "ann");
    cr_assert_eq(claims(&g, "ann", good), STATUS_OK);
    cr_assert(view_equal(kept(&g, "ann"), good));
    gate_free(&g);
}

Test(token, a_relay_without_keys_keeps_none)
{
    struct gate g = gate_new(false);
    g.w->config.product_keys.count = 0;
    world_restart(g.w);
    cr_assert_eq(registers(&g, token_soon(&g, "ann")), STATUS_OK);
    cr_assert_eq(claims(&g, "ann", token_soon(&g, "ann")), STATUS_OK);
    cr_assert_eq(person_hello(g.w, g.p, 0), STATUS_OK);
    cr_assert_eq(kept(&g, "ann").len, 0);
    gate_free(&g);
}
