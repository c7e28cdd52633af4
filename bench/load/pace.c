/* pace: arithmetic on numbers and times; the clock is an argument. A message's scheduled time is a
 * function of its number alone: start + number / rate. */
#include "bench/load/pace.h"

static bool is_open(const struct pace *p)
{
    return p->window == 0;
}

/* How many messages the whole run may have. */
static uint64_t total(const struct pace *p)
{
    uint64_t most = p->count ? p->count : UINT64_MAX;
    if (is_open(p) && p->duration_us) {
        uint64_t scheduled = (uint64_t)(p->rate * (double)p->duration_us / 1e6);
        if (scheduled < most) most = scheduled;
    }
    return most;
}

bool pace_over(const struct pace *p, uint64_t now_us, uint64_t issued)
{
    if (issued >= total(p)) return true;
    return !is_open(p) && p->duration_us && now_us - p->start_us >= p->duration_us;
}

uint64_t pace_time_us(const struct pace *p, uint64_t now_us, uint64_t number)
{
    if (!is_open(p)) return now_us;
    return p->start_us + (uint64_t)((double)number * 1e6 / p->rate);
}

uint64_t pace_next_us(const struct pace *p, uint64_t issued)
{
    return is_open(p) && issued < total(p) ? pace_time_us(p, 0, issued) : UINT64_MAX;
}

static uint64_t closed_due(const struct pace *p, uint64_t issued, uint64_t open)
{
    uint64_t left = total(p) - issued, room = open < p->window ? p->window - open : 0;
    if (room > left) return left;
    return room - room % p->batch;
}

static uint64_t open_due(struct pace *p, uint64_t now_us, uint64_t issued, uint64_t open)
{
    uint64_t due = 0, left = total(p) - issued;
    if (now_us < pace_time_us(p, 0, issued)) return 0;
    due = (uint64_t)((double)(now_us - p->start_us) * p->rate / 1e6) + 1;
    due = due > issued ? due - issued : 1;
    if (due > left) due = left;
    if (open + due <= p->open_max) return due;
    p->held++;
    return open < p->open_max ? p->open_max - open : 0;
}

uint64_t pace_due(struct pace *p, uint64_t now_us, uint64_t issued, uint64_t open)
{
    if (pace_over(p, now_us, issued)) return 0;
    return is_open(p) ? open_due(p, now_us, issued, open) : closed_due(p, issued, open);
}
