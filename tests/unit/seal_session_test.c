#include "tests/unit/seal_fixture.h"

static void dropped(struct buffer b)
{
    buffer_fini(&b);
}

/* Both sides have opened something of the other. */
static struct pair *talking(void)
{
    struct pair *p = pair_new(EXTRA_ONE_TIME);
    pair_begin(p);
    struct buffer first = pair_seal(p, p->a, "first"), back = {0};
    cr_assert_eq(pair_accept(p, buffer_view(&first)), CAUSE_NONE);
    back = pair_seal(p, p->b, "back");
    cr_assert_eq(pair_open(p, p->a, buffer_view(&back)), CAUSE_NONE);
    buffer_fini(&first);
    buffer_fini(&back);
    return p;
}

Test(session, a_first_message_opens_whatever_prekeys_there_were)
{
    static const enum extra_kind kinds[] = {EXTRA_NONE, EXTRA_ONE_TIME, EXTRA_LAST_RESORT};
    for (size_t i = 0; i < 3; i++) {
        struct pair *p = pair_new(kinds[i]);
        pair_begin(p);
        struct buffer m = pair_seal(p, p->a, "hello");
        cr_assert_eq(pair_accept(p, buffer_view(&m)), CAUSE_NONE);
        cr_assert(pair_text(p, "hello"));
        buffer_fini(&m);
        pair_free(p);
    }
}

Test(session, each_first_message_carries_the_start_until_an_answer_was_opened)
{
    struct pair *p = pair_new(EXTRA_ONE_TIME);
    struct sealed_header h;
    struct view body;
    pair_begin(p);
    struct buffer one = pair_seal(p, p->a, "one"), two = pair_seal(p, p->a, "two");
    cr_assert_eq(pair_accept(p, buffer_view(&two)), CAUSE_NONE, "the second came first");
    cr_assert_eq(pair_open(p, p->b, buffer_view(&one)), CAUSE_NONE);
    cr_assert(pair_text(p, "one"));
    struct buffer back = pair_seal(p, p->b, "back");
    cr_assert_eq(sealed_header_read(buffer_view(&back), &h, &body), CAUSE_NONE);
    cr_assert_not(h.starts);
    cr_assert_eq(pair_open(p, p->a, buffer_view(&back)), CAUSE_NONE);
    struct buffer three = pair_seal(p, p->a, "three");
    cr_assert_eq(sealed_header_read(buffer_view(&three), &h, &body), CAUSE_NONE);
    cr_assert_not(h.starts);
    cr_assert_eq(pair_open(p, p->b, buffer_view(&three)), CAUSE_NONE);
    dropped(one); dropped(two); dropped(back); dropped(three);
    pair_free(p);
}

/* Mistake 1: the identity not bound. Another account, device or key on either side is another secret. */
Test(session, the_secret_is_bound_to_who_both_are)
{
    for (size_t byte = 0; byte < sizeof(struct x3dh_side) - sizeof(struct identity_pk); byte++) {
        struct pair *p = pair_new(EXTRA_ONE_TIME);
        pair_begin(p);
        struct buffer m = pair_seal(p, p->a, "hello");
        struct party *who = byte % 2 ? &p->bob : &p->alice;
        ((uint8_t *)&who->side)[byte] ^= 1;
        cr_assert_eq(pair_accept(p, buffer_view(&m)), CAUSE_AUTHENTICATION);
        buffer_fini(&m);
        pair_free(p);
    }
    struct pair *p = pair_new(EXTRA_ONE_TIME);
    pair_begin(p);
    struct buffer m = pair_seal(p, p->a, "hello");
    p->alice.side.identity.bytes[5] ^= 1; /* the log says another key than the message */
    cr_assert_eq(pair_accept(p, buffer_view(&m)), CAUSE_SENDER);
    buffer_fini(&m);
    pair_free(p);
}

/* Every byte of what is authenticated, exchanged: header, nonce, box, and each field of the context. */
Test(session, nothing_that_is_altered_opens_and_nothing_changes_by_it)
{
    struct pair *p = talking();
    struct buffer m = pair_seal(p, p->a, "to be altered");
    struct session before = *p->b;
    for (size_t byte = 0; byte < m.len; byte += byte < SEALED_HEADER_LEN_MAX ? 1 : 7) {
        m.at[byte] ^= 0x40;
        cr_assert_neq(pair_open(p, p->b, buffer_view(&m)), CAUSE_NONE, "byte %zu", byte);
        cr_assert_eq(p->padded.len, 0);
        cr_assert_eq(p->fresh->count, 0);
        cr_assert_eq(memcmp(&before, p->b, sizeof before), 0, "byte %zu", byte);
        m.at[byte] ^= 0x40;
    }
    for (size_t byte = 0; byte < sizeof p->context; byte++) {
        ((uint8_t *)&p->context)[byte] ^= 1;
        cr_assert_eq(pair_open(p, p->b, buffer_view(&m)), CAUSE_AUTHENTICATION, "context %zu", byte);
        ((uint8_t *)&p->context)[byte] ^= 1;
    }
    for (size_t len = 0; len < m.len; len++)
        cr_assert_neq(pair_open(p, p->b, view_of(m.at, len)), CAUSE_NONE);
    cr_assert_eq(memcmp(&before, p->b, sizeof before), 0);
    cr_assert_eq(pair_open(p, p->b, buffer_view(&m)), CAUSE_NONE);
    cr_assert(pair_text(p, "to be altered"));
    buffer_fini(&m);
    pair_free(p);
}

Test(session, each_field_of_a_start_is_bound)
{
    struct pair *p = pair_new(EXTRA_ONE_TIME);
    struct sealed_header h;
    struct view body;
    pair_begin(p);
    struct buffer m = pair_seal(p, p->a, "hello");
    for (size_t byte = 0; byte < SEALED_HEADER_LEN_MAX; byte++) {
        m.at[byte] ^= 1;
        if (sealed_header_read(buffer_view(&m), &h, &body) == CAUSE_NONE && h.starts) {
            p->bob.bundle.prekey_id = h.start.prekey_id;
            p->bob.bundle.extra_id = h.start.extra_id;
            p->bob.bundle.extra_kind = h.start.extra_kind;
            cr_assert_neq(pair_accept(p, buffer_view(&m)), CAUSE_NONE, "byte %zu", byte);
        }
        m.at[byte] ^= 1;
    }
    p->bob.bundle.prekey_id = 7;
    p->bob.bundle.extra_id = 11;
    p->bob.bundle.extra_kind = EXTRA_ONE_TIME;
    cr_assert_eq(pair_accept(p, buffer_view(&m)), CAUSE_NONE);
    buffer_fini(&m);
    pair_free(p);
}

/* Mistake 6: a message is opened once; its key is gone. */
Test(session, the_same_message_does_not_open_twice)
{
    struct pair *p = talking();
    struct buffer one = pair_seal(p, p->a, "one"), two = pair_seal(p, p->a, "two");
    cr_assert_eq(pair_open(p, p->b, buffer_view(&two)), CAUSE_NONE);
    cr_assert_eq(p->kept_count, 1);
    cr_assert_eq(pair_open(p, p->b, buffer_view(&two)), CAUSE_REPLAY);
    cr_assert_eq(pair_open(p, p->b, buffer_view(&one)), CAUSE_NONE);
    cr_assert_eq(p->kept_count, 0);
    cr_assert_eq(pair_open(p, p->b, buffer_view(&one)), CAUSE_REPLAY);
    dropped(one); dropped(two);
    pair_free(p);
}

/* Mistake 5: skipped keys are bounded, in one message and over two chains. */
Test(session, too_far_ahead_is_refused_and_the_bound_itself_is_not)
{
    struct pair *p = talking();
    for (uint32_t i = 0; i < SKIPPED_PER_MESSAGE_MAX; i++)
        dropped(pair_seal(p, p->a, "lost"));
    struct buffer last = pair_seal(p, p->a, "just"), far = pair_seal(p, p->a, "far");
    struct session before = *p->b;
    cr_assert_eq(pair_open(p, p->b, buffer_view(&far)), CAUSE_FAR);
    cr_assert_eq(memcmp(&before, p->b, sizeof before), 0);
    cr_assert_eq(pair_open(p, p->b, buffer_view(&last)), CAUSE_NONE);
    cr_assert_eq(p->kept_count, SKIPPED_PER_MESSAGE_MAX);
    cr_assert_eq(pair_open(p, p->b, buffer_view(&far)), CAUSE_NONE);
    dropped(last); dropped(far);
    pair_free(p);
}

/* Mistake 8: set back to an older state, the same key is used again, and no nonce. */
Test(session, a_session_that_was_set_back_does_not_use_a_nonce_again)
{
    struct pair *p = talking();
    struct session before = *p->a;
    struct buffer one = pair_seal(p, p->a, "one");
    *p->a = before;
    struct buffer two = pair_seal(p, p->a, "two");
    cr_assert_eq(memcmp(one.at, two.at, SEALED_HEADER_LEN), 0, "the same place");
    cr_assert_neq(memcmp(one.at + SEALED_HEADER_LEN, two.at + SEALED_HEADER_LEN, SEALED_NONCE_LEN), 0);
    cr_assert_eq(pair_open(p, p->b, buffer_view(&one)), CAUSE_NONE);
    cr_assert_eq(pair_open(p, p->b, buffer_view(&two)), CAUSE_REPLAY, "which shows the clone");
    dropped(one); dropped(two);
    pair_free(p);
}

Test(session, nobody_answers_a_session_in_which_nothing_was_opened)
{
    struct pair *p = pair_new(EXTRA_NONE);
    struct session_secret secret = {{1}};
    struct ratchet_place place;
    struct message_sk key;
    ratchet_respond(&p->b->ratchet, &secret, p->bob.prekey_sk, &p->bob.bundle.prekey);
    cr_assert_eq(ratchet_send(&p->b->ratchet, &place, &key), STATUS_STATE);
    pair_free(p);
}

Test(session, a_key_of_small_order_begins_nothing)
{
    struct pair *p = pair_new(EXTRA_ONE_TIME);
    memset(p->bob.bundle.prekey.bytes, 0, 32);
    cr_assert_not(session_begin(p->a, &p->alice.side, p->alice.identity_sk, &p->bob.side, &p->bob.bundle, &p->random));
    cr_assert(sodium_is_zero((const uint8_t *)p->a, sizeof *p->a));
    pair_free(p);
}

Test(session, a_ratchet_survives_its_way_through_bytes)
{
    struct pair *p = talking();
    uint8_t bytes[RATCHET_LEN];
    struct ratchet read;
    ratchet_write(&p->b->ratchet, bytes);
    memset(&read, 0xee, sizeof read);
    cr_assert_eq(ratchet_read(view_of(bytes, sizeof bytes), &read), STATUS_OK);
    p->b->ratchet = read;
    struct buffer m = pair_seal(p, p->a, "on");
    cr_assert_eq(pair_open(p, p->b, buffer_view(&m)), CAUSE_NONE);
    cr_assert_eq(ratchet_read(view_of(bytes, sizeof bytes - 1), &read), STATUS_DAMAGED);
    bytes[192] = 4;
    cr_assert_eq(ratchet_read(view_of(bytes, sizeof bytes), &read), STATUS_DAMAGED);
    dropped(m);
    pair_free(p);
}

/* Turns, losses and another order, long: what is opened is what was sealed. */
Test(session, a_long_conversation_with_losses_and_in_any_order_is_opened)
{
    struct pair *p = talking();
    struct buffer waiting[8] = {{0}};
    char texts[8][16];
    size_t count = 0, opened = 0;
    uint32_t seed = 1;
    for (int turn = 0; turn < 400; turn++) {
        bool from_a = (seed = seed * 1103515245u + 12345u) >> 16 & 1;
        for (count = 0; count < 8 && (count == 0 || (seed = seed * 1103515245u + 12345u) >> 16 & 3); count++) {
            snprintf(texts[count], sizeof texts[count], "%d.%zu", turn, count);
            waiting[count] = pair_seal(p, from_a ? p->a : p->b, texts[count]);
        }
        for (size_t i = count; i-- > 0;) {
            bool lost = count > 1 && ((seed = seed * 1103515245u + 12345u) >> 16 & 7) == 0;
            if (!lost) {
                cr_assert_eq(pair_open(p, from_a ? p->b : p->a, buffer_view(&waiting[i])), CAUSE_NONE);
                cr_assert(pair_text(p, texts[i]));
                opened++;
            }
            buffer_fini(&waiting[i]);
        }
        if (p->kept_count > 1000) p->kept_count = 0;
    }
    cr_assert_gt(opened, 800);
    pair_free(p);
}
