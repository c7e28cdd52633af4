/* branches: whether a secret decides a branch or an address in clients/seal. Secrets are declared undefined to valgrind,
 * which then says where one of them is used so (Langley, ctgrind). What a message's form and verdict decide is public:
 * it is declared defined where the specification lets it out. Runs under valgrind only: exit 77 without it. With the
 * argument "leak" it does what must be found, so that the test can fail. */
#include "clients/seal/content.h"
#include "clients/seal/session.h"
#include "clients/seal/verdict.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <valgrind/memcheck.h>

static uint64_t drawn;

static void secret(void *at, size_t len)
{
    (void)VALGRIND_MAKE_MEM_UNDEFINED(at, len);
}

static void public(void *at, size_t len)
{
    (void)VALGRIND_MAKE_MEM_DEFINED(at, len);
}

bool verdict(bool succeeded)
{
    public(&succeeded, sizeof succeeded);
    return succeeded;
}

/* All randomness is secret; nonces and public keys are let out where they are sent. */
static void fill(void *self, void *out, size_t len)
{
    uint8_t seed[randombytes_SEEDBYTES] = {0};
    (void)self;
    memcpy(seed, &drawn, sizeof drawn);
    drawn++;
    randombytes_buf_deterministic(out, len, seed);
    secret(out, len);
}

struct party {
    struct x3dh_side side;
    uint8_t identity_sk[32], prekey_sk[32], extra_sk[32];
    struct session_bundle bundle;
};

static void party_make(struct party *x, uint8_t n)
{
    memset(x, n, sizeof *x);
    fill(NULL, x->identity_sk, 32);
    fill(NULL, x->prekey_sk, 32);
    fill(NULL, x->extra_sk, 32);
    crypto_scalarmult_base(x->side.identity.bytes, x->identity_sk);
    crypto_scalarmult_base(x->bundle.prekey.bytes, x->prekey_sk);
    crypto_scalarmult_base(x->bundle.extra.bytes, x->extra_sk);
    x->bundle.prekey_id = 7;
    x->bundle.extra_kind = EXTRA_ONE_TIME;
    x->bundle.extra_id = 9;
    public(&x->side, sizeof x->side);
    public(&x->bundle, sizeof x->bundle);
}

/* What a session knows that is not secret. */
static void session_public(struct session *s)
{
    struct ratchet *r = &s->ratchet;
    public(&r->own, sizeof r->own);
    public(&r->theirs, sizeof r->theirs);
    public(&s->start, sizeof s->start);
}

static int sealed(struct session *from, struct session *to, const struct party *a, const struct party *b, bool first)
{
    static struct skipped_list fresh;
    struct sealed_context context = {.id = {{5}}};
    struct content content = {.counter = 1, .payload = view_of("some words", 10)}, read;
    struct random_source random = {fill, NULL};
    struct buffer padded = {0}, message = {0}, opened = {0};
    struct sealed_header header;
    struct view body;
    fill(NULL, content.franking.bytes, sizeof content.franking.bytes);
    content_write(&content, &padded);
    context.commitment = content_commitment(&content);
    public(&context.commitment, sizeof context.commitment);
    if (session_seal(from, &context, buffer_view(&padded), &random, &message) != STATUS_OK) return 1;
    public(message.at, message.len);
    session_public(from);
    if (sealed_header_read(buffer_view(&message), &header, &body) != CAUSE_NONE) return 2;
    if (first && session_accept(to, &b->side, b->identity_sk, &a->side, &header.start, &b->bundle, b->prekey_sk,
                                b->extra_sk) != CAUSE_NONE)
        return 3;
    session_public(to);
    if (session_open(to, &header, &context, buffer_view(&message), NULL, &random, &fresh, &opened) != CAUSE_NONE) return 4;
    session_public(to);
    public(opened.at, opened.len); /* the recipient may look at the words */
    if (content_read(buffer_view(&opened), &read) != CAUSE_NONE || !view_equal(read.payload, content.payload)) return 5;
    struct hash256 commitment = content_commitment(&read);
    if (sodium_memcmp(&commitment, &context.commitment, sizeof commitment) != 0) return 6;
    buffer_fini(&padded);
    buffer_fini(&message);
    buffer_fini(&opened);
    return 0;
}

static int leak(const struct party *a)
{
    if (a->identity_sk[0] & 1) fputs("branches: odd\n", stderr);
    return 0;
}

int main(int argc, char **argv)
{
    struct party a, b;
    struct session alice, bob;
    struct random_source random = {fill, NULL};
    if (!RUNNING_ON_VALGRIND) return 77;
    if (sodium_init() < 0) return 1;
    party_make(&a, 1);
    party_make(&b, 2);
    if (argc > 1 && strcmp(argv[1], "leak") == 0) return leak(&a);
    if (!session_begin(&alice, &a.side, a.identity_sk, &b.side, &b.bundle, &random)) return 10;
    session_public(&alice);
    int bad = sealed(&alice, &bob, &a, &b, true);
    for (int i = 0; i < 3 && !bad; i++) {
        bad = sealed(&bob, &alice, &b, &a, false);
        if (!bad) bad = sealed(&alice, &bob, &a, &b, false);
    }
    if (bad) fprintf(stderr, "branches: step %d\n", bad);
    return bad;
}
