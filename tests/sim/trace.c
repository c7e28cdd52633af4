/* trace: the seed's randomness, and the record of what happened: a hash over everything (two runs of
 * a seed must agree in it) and the last lines, printed when a world fails. */
#include "tests/sim/sim.h"

#include <stdio.h>
#include <string.h>

/* splitmix64 */
uint64_t rng_next(struct rng *r)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15ull;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

uint64_t rng_below(struct rng *r, uint64_t n)
{
    return rng_next(r) % n;
}

uint64_t rng_between(struct rng *r, uint64_t low, uint64_t high)
{
    return low + rng_below(r, high - low + 1);
}

bool rng_chance(struct rng *r, unsigned per_mille)
{
    return rng_below(r, 1000) < per_mille;
}

void rng_fill(struct rng *r, void *out, size_t len)
{
    uint8_t *at = out;
    for (size_t i = 0; i < len; i += 8) {
        uint64_t v = rng_next(r);
        memcpy(at + i, &v, len - i < 8 ? len - i : 8);
    }
}

static uint64_t mix(uint64_t hash, uint64_t v)
{
    return (hash ^ v) * 0x100000001b3ull + (hash >> 29);
}

static const char *const names[] = {
#define X(NAME, text) [TRACE_##NAME] = text,
    TRACE_LIST(X)
#undef X
};

static void line_print(const struct trace_line *l)
{
    fprintf(stderr, "%9llu  %-40s %llu %llu %llu\n", (unsigned long long)l->at_ms, names[l->kind],
            (unsigned long long)l->a, (unsigned long long)l->b, (unsigned long long)l->c);
}

void trace_put(struct sim *s, enum trace_kind kind, uint64_t a, uint64_t b, uint64_t c)
{
    struct trace *t = &s->trace;
    struct trace_line line = {s->now_ms, kind, a, b, c};
    t->hash = mix(mix(mix(mix(mix(t->hash, s->now_ms), kind), a), b), c);
    t->ring[t->count++ % TRACE_RING] = line;
    if (t->print) line_print(&line);
}

void trace_bytes(struct sim *s, struct view bytes)
{
    uint64_t hash = mix(s->trace.hash, bytes.len);
    for (size_t i = 0; i + 8 <= bytes.len && i < 512; i += 8)
        hash = mix(hash, get_u64(bytes.at + i));
    s->trace.hash = hash;
}

void trace_dump(const struct trace *t)
{
    uint64_t first = t->count > TRACE_RING ? t->count - TRACE_RING : 0;
    for (uint64_t i = first; i < t->count; i++)
        line_print(&t->ring[i % TRACE_RING]);
}
