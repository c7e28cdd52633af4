/* sizes: parses a distribution and picks from it by a message's number. No state, no randomness:
 * the same number gives the same size in every run. */
#include "bench/load/sizes.h"

#include <stdlib.h>

#define WEIGHTS_MAX 1000000u

uint64_t number_mix(uint64_t number)
{
    uint64_t x = number + 0x9e3779b97f4a7c15u; /* splitmix64's finaliser */
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

struct sizes sizes_one(uint32_t len)
{
    return (struct sizes){.len = {len}, .below = {1}, .count = 1};
}

/* Decimal digits only, then `end`; false otherwise. */
static bool number_take(const char **at, uint64_t max, const char *ends, uint64_t *out)
{
    const char *start = *at;
    for (*out = 0; **at >= '0' && **at <= '9'; (*at)++) {
        *out = *out * 10 + (uint64_t)(**at - '0');
        if (*out > max) return false;
    }
    if (*at == start) return false;
    for (; *ends; ends++)
        if (**at == *ends) return true;
    return **at == '\0';
}

enum status sizes_parse(const char *text, uint32_t min, uint32_t max, struct sizes *out)
{
    struct sizes s = {.count = 0};
    uint64_t len, weight, sum = 0;
    *out = s;
    for (;; text++) {
        if (!number_take(&text, UINT32_MAX, ":", &len) || *text++ != ':') return STATUS_MALFORMED;
        if (!number_take(&text, WEIGHTS_MAX, ",", &weight) || !weight) return STATUS_MALFORMED;
        sum += weight;
        if (sum > WEIGHTS_MAX) return STATUS_MALFORMED;
        if (s.count == SIZES_MAX || len < min || len > max) return STATUS_TOO_LARGE;
        s.len[s.count] = (uint32_t)len;
        s.below[s.count++] = (uint32_t)sum;
        if (!*text) break;
    }
    *out = s;
    return STATUS_OK;
}

size_t sizes_pick(const struct sizes *s, uint64_t number)
{
    if (s->count == 1) return 0;
    uint32_t at = (uint32_t)(number_mix(number) % s->below[s->count - 1]);
    size_t i = 0;
    while (at >= s->below[i])
        i++;
    return i;
}

uint32_t sizes_largest(const struct sizes *s)
{
    uint32_t largest = 0;
    for (size_t i = 0; i < s->count; i++)
        if (s->len[i] > largest) largest = s->len[i];
    return largest;
}

uint32_t sizes_mean(const struct sizes *s)
{
    uint64_t sum = 0, weights = s->below[s->count - 1];
    for (size_t i = 0; i < s->count; i++)
        sum += (uint64_t)s->len[i] * (s->below[i] - (i ? s->below[i - 1] : 0));
    return (uint32_t)((sum + weights / 2) / weights);
}
