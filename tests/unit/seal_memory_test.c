/* What is left in memory: after sessions were used and freed, no secret of them is found anywhere in the process, freed
 * memory (which the sanitizer keeps) and old stack frames included. */
#include "tests/unit/seal_fixture.h"

#include <stdio.h>
#include <unistd.h>

#define MASK      0x5a
#define FOUND_MAX 64u

/* Secrets to look for, masked, so that this list is not what is found. */
static uint8_t masked[FOUND_MAX][16];
static size_t masked_count;
static bool begins[65536]; /* some of them begins with these two bytes, masked */

static void look_for(const uint8_t *secret)
{
    if (sodium_is_zero(secret, 16)) return; /* not there yet */
    ENSURE(masked_count < FOUND_MAX);
    begins[(secret[0] ^ MASK) << 8 | (secret[1] ^ MASK)] = true;
    for (size_t i = 0; i < 16; i++)
        masked[masked_count][i] = secret[i] ^ MASK;
    masked_count++;
}

static bool is_one(const uint8_t *at)
{
    if (!begins[(at[0] ^ MASK) << 8 | (at[1] ^ MASK)]) return false;
    for (size_t k = 0; k < masked_count; k++) {
        size_t i = 0;
        while (i < 16 && (at[i] ^ MASK) == masked[k][i])
            i++;
        if (i == 16) return true;
    }
    return false;
}

static size_t found_in(const uint8_t *at, size_t len)
{
    size_t found = 0;
    for (size_t i = 0; i + 16 <= len; i++)
        found += is_one(at + i);
    return found;
}

/* Every writable page but the sanitizer's own tables, which are huge and hold no program data. */
static size_t scan(void)
{
    static uint8_t chunk[1 << 20];
    FILE *maps = fopen("/proc/self/maps", "r"), *memory = fopen("/proc/self/mem", "r");
    unsigned long start, end;
    char line[512], rights[8];
    size_t found = 0;
    cr_assert(maps && memory);
    while (fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%lx-%lx %7s", &start, &end, rights) != 3 || rights[0] != 'r' || rights[1] != 'w') continue;
        if (end - start > 1ul << 30) continue;
        for (unsigned long at = start; at < end; at += sizeof chunk - 15) {
            size_t len = end - at < sizeof chunk ? end - at : sizeof chunk;
            bool own = at < (unsigned long)chunk + sizeof chunk && (unsigned long)chunk < at + len;
            if (own || fseek(memory, (long)at, SEEK_SET) != 0) continue;
            found += found_in(chunk, fread(chunk, 1, len, memory));
        }
    }
    sodium_memzero(chunk, sizeof chunk);
    fclose(maps);
    fclose(memory);
    return found;
}

static void remember(const struct session *s)
{
    look_for(s->ratchet.root);
    look_for(s->ratchet.own_sk);
    look_for(s->ratchet.sending.bytes);
    look_for(s->ratchet.receiving.bytes);
}

static void converse(struct pair *p)
{
    pair_begin(p);
    for (int i = 0; i < 4; i++) {
        struct buffer to = pair_seal(p, p->a, "to"), lost = pair_seal(p, p->a, "lost"), third = pair_seal(p, p->a, "3");
        cr_assert_eq(i ? pair_open(p, p->b, buffer_view(&third)) : pair_accept(p, buffer_view(&third)), CAUSE_NONE);
        to.at[to.len - 1] ^= 1;
        cr_assert_eq(pair_open(p, p->b, buffer_view(&to)), CAUSE_AUTHENTICATION);
        remember(p->a);
        remember(p->b);
        struct buffer back = pair_seal(p, p->b, "back");
        cr_assert_eq(pair_open(p, p->a, buffer_view(&back)), CAUSE_NONE);
        buffer_fini(&to);
        buffer_fini(&lost);
        buffer_fini(&third);
        buffer_fini(&back);
    }
}

/* The scan finds what is there. */
Test(memory, a_secret_that_is_left_is_found)
{
    uint8_t *left = malloc(64);
    cr_assert(sodium_init() >= 0);
    randombytes_buf(left, 64);
    look_for(left + 20);
    cr_assert_geq(scan(), 1);
    sodium_memzero(left, 64);
    cr_assert_eq(scan(), 0);
    free(left);
}

/* Mistake 12. */
Test(memory, no_secret_of_a_session_is_left_after_it_was_freed)
{
    struct pair *p = pair_new(EXTRA_ONE_TIME);
    converse(p);
    sodium_memzero(p->kept, sizeof p->kept); /* the caller's */
    sodium_memzero(p->padded.at, p->padded.cap);
    pair_free(p);
    size_t found = scan();
    cr_assert_eq(found, 0, "%zu", found);
}
