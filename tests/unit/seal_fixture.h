/* seal_fixture: two devices with keys and prekeys from a seed, for the tests of clients/seal. */
#ifndef SEALMQ_TESTS_SEAL_FIXTURE_H
#define SEALMQ_TESTS_SEAL_FIXTURE_H

#include "clients/seal/content.h"
#include "clients/seal/session.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

struct party {
    struct x3dh_side side;
    uint8_t identity_sk[32], prekey_sk[32], extra_sk[32];
    struct session_bundle bundle;
};

/* Alice begins, Bob is asked; all of it deterministic. */
struct pair {
    uint64_t drawn; /* random blocks so far */
    struct random_source random;
    struct party alice, bob;
    struct session *a, *b; /* sodium_malloc */
    struct skipped_list *fresh;
    struct skipped kept[SKIPPED_PER_SESSION_MAX];
    size_t kept_count;
    struct sealed_context context; /* alice to bob, of the next message */
    struct buffer padded;          /* what was opened last */
};

struct pair *pair_new(enum extra_kind extra);
void pair_free(struct pair *p);
/* pair_begin: Alice's session. pair_seal: with the content of `text`. */
void pair_begin(struct pair *p);
struct buffer pair_seal(struct pair *p, struct session *s, const char *text);
/* pair_open: in a session that is there, with a kept key where there is one; the keys of others are kept. */
enum report_cause pair_open(struct pair *p, struct session *s, struct view ciphertext);
/* pair_accept: Bob's session from a first message, and opens it. */
enum report_cause pair_accept(struct pair *p, struct view ciphertext);
/* pair_text: what was opened last is this text. */
bool pair_text(const struct pair *p, const char *text);

#endif
