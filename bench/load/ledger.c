/* ledger: two bits per message and a ring of recent times. Knows nothing of frames or devices.
 * Invariants: done counts a number once; accepted, delivered <= issued; a bit is never taken back. */
#include "bench/load/ledger.h"

#include <stdlib.h>
#include <string.h>

struct ledger_time {
    uint64_t number;
    uint64_t at_us;
};

#define RECENT_MIN 1024u

void ledger_init(struct ledger *l, size_t recent)
{
    size_t count = RECENT_MIN;
    while (count < recent)
        count *= 2;
    *l = (struct ledger){.time_mask = count - 1};
    l->times = malloc(count * sizeof *l->times);
    ENSURE(l->times != NULL);
    memset(l->times, 0xff, count * sizeof *l->times); /* no number */
}

void ledger_fini(struct ledger *l)
{
    free(l->accepted_bits);
    free(l->delivered_bits);
    free(l->times);
    *l = (struct ledger){.issued = 0};
}

static uint64_t *bits_grow(uint64_t *bits, size_t before, size_t after)
{
    uint64_t *grown = reallocarray(bits, after, sizeof *grown);
    ENSURE(grown != NULL);
    memset(grown + before, 0, (after - before) * sizeof *grown);
    return grown;
}

uint64_t ledger_issue(struct ledger *l, uint64_t at_us)
{
    uint64_t number = l->issued++;
    ENSURE(number < LEDGER_NUMBERS_MAX);
    if (number / 64 >= l->word_count) {
        size_t count = l->word_count ? 2 * l->word_count : 1024;
        l->accepted_bits = bits_grow(l->accepted_bits, l->word_count, count);
        l->delivered_bits = bits_grow(l->delivered_bits, l->word_count, count);
        l->word_count = count;
    }
    l->times[number & l->time_mask] = (struct ledger_time){number, at_us};
    return number;
}

bool ledger_time_us(const struct ledger *l, uint64_t number, uint64_t *at_us)
{
    const struct ledger_time *t = &l->times[number & l->time_mask];
    *at_us = t->number == number ? t->at_us : 0;
    return t->number == number;
}

static bool bit(const uint64_t *bits, uint64_t number)
{
    return bits[number / 64] >> (number % 64) & 1;
}

static void bit_set(uint64_t *bits, uint64_t number)
{
    bits[number / 64] |= 1ull << (number % 64);
}

bool ledger_accept(struct ledger *l, uint64_t number, bool away)
{
    if (number >= l->issued || bit(l->accepted_bits, number)) return false;
    bit_set(l->accepted_bits, number);
    l->accepted++;
    if (away) l->away++;
    if (away || bit(l->delivered_bits, number)) l->done++;
    return true;
}

void ledger_refuse(struct ledger *l, uint64_t number)
{
    if (number >= l->issued || bit(l->accepted_bits, number)) return;
    bit_set(l->accepted_bits, number);
    if (!bit(l->delivered_bits, number)) bit_set(l->delivered_bits, number);
    l->refused++;
    l->done++;
}

bool ledger_deliver(struct ledger *l, uint64_t number, bool away, bool again)
{
    if (number >= l->issued) {
        l->corrupted++;
        return false;
    }
    if (bit(l->delivered_bits, number)) {
        (*(again ? &l->redelivered : &l->duplicated))++;
        return false;
    }
    bit_set(l->delivered_bits, number);
    l->delivered++;
    if (!away && bit(l->accepted_bits, number)) l->done++;
    return true;
}

void ledger_corrupt(struct ledger *l)
{
    l->corrupted++;
}

uint64_t ledger_open(const struct ledger *l)
{
    return l->issued - l->done;
}

uint64_t ledger_waiting(const struct ledger *l)
{
    return l->accepted > l->delivered ? l->accepted - l->delivered : 0;
}
