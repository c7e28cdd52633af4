/* risk: see risk.h. Adding a rule is a row in RISK_LIST, a function and a row here. */
#include "storage/risk.h"

#include <sodium.h>
#include <string.h>

/* A step and what came before it. */
struct risk_case {
    const struct watch_row *watch;
    const struct risk_step *step;
    uint64_t now_ms;
};

static bool is_near(uint64_t at_ms, uint64_t now_ms, uint64_t span_ms)
{
    return at_ms && (at_ms >= now_ms || now_ms - at_ms < span_ms);
}

static bool by_recovery(const struct risk_step *step)
{
    return sodium_is_zero(step->signer.bytes, sizeof step->signer.bytes) == 1;
}

static bool ends_one(const struct risk_step *step)
{
    return step->change == CHANGED_SUSPENDED || step->change == CHANGED_REVOKED;
}

/* Recipients come, go or come back; a device's new keys are everyday. */
static bool counts(const struct risk_step *step)
{
    return ends_one(step) || step->change == CHANGED_ENROLLED || step->change == CHANGED_RESUMED;
}

static bool signer_is_new(const struct risk_case *c)
{
    for (size_t i = 0; i < c->watch->joined_count; i++)
        if (device_equal(c->watch->joined[i].device, c->step->signer))
            return is_near(c->watch->joined[i].at_ms, c->now_ms, RISK_NEW_MS);
    return false;
}

/* ---- the rules ---- */

static bool enrolled_by_new(const struct risk_case *c)
{
    return c->step->change == CHANGED_ENROLLED && signer_is_new(c);
}

static bool third_in_a_day(const struct risk_case *c)
{
    return counts(c->step) && is_near(c->watch->changed_ms[1], c->now_ms, RISK_DAY_MS);
}

static bool enrolled_after_recovery(const struct risk_case *c)
{
    bool recovered = by_recovery(c->step) || is_near(c->watch->recovered_ms, c->now_ms, RISK_DAY_MS);
    return c->step->change == CHANGED_ENROLLED && recovered;
}

static bool enrolled_beside_an_end(const struct risk_case *c)
{
    return c->step->change == CHANGED_ENROLLED && is_near(c->watch->ended_ms, c->now_ms, RISK_NEW_MS);
}

static bool ended_by_new(const struct risk_case *c)
{
    return ends_one(c->step) && signer_is_new(c) && !device_equal(c->step->signer, c->step->device);
}

static bool recovery_replaced(const struct risk_case *c)
{
    return c->step->change == CHANGED_RECOVERY_SET && by_recovery(c->step);
}

static const struct {
    enum risk risk;
    bool (*holds)(const struct risk_case *c);
} rules[] = {
    {RISK_SIGNER_NEW, enrolled_by_new},
    {RISK_THIRD_CHANGE, third_in_a_day},
    {RISK_AFTER_RECOVERY, enrolled_after_recovery},
    {RISK_BESIDE_AN_END, enrolled_beside_an_end},
    {RISK_ENDED_BY_NEW, ended_by_new},
    {RISK_RECOVERY_REPLACED, recovery_replaced},
};

uint32_t risk_of(const struct watch_row *w, const struct risk_step *step, uint64_t now_ms)
{
    struct risk_case c = {w, step, now_ms};
    uint32_t risks = 0;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (rules[i].holds(&c)) risks |= 1u << rules[i].risk;
    return risks;
}

/* ---- what is kept ---- */

static void forget_old(struct watch_row *w, uint64_t now_ms)
{
    size_t kept = 0;
    for (size_t i = 0; i < w->joined_count; i++)
        if (is_near(w->joined[i].at_ms, now_ms, RISK_NEW_MS)) w->joined[kept++] = w->joined[i];
    w->joined_count = kept;
}

/* More devices than an account can ever have do not join in an hour, but may seem to after a loss: the oldest goes. */
static void joined_add(struct watch_row *w, struct device_id device, uint64_t now_ms)
{
    if (w->joined_count == DEVICES_EVER_MAX)
        memmove(w->joined, w->joined + 1, --w->joined_count * sizeof w->joined[0]);
    w->joined[w->joined_count].device = device;
    w->joined[w->joined_count++].at_ms = now_ms;
}

void watch_step(struct watch_row *w, const struct risk_step *step, uint64_t now_ms)
{
    forget_old(w, now_ms);
    if (step->change == CHANGED_ENROLLED) joined_add(w, step->device, now_ms);
    if (ends_one(step)) w->ended_ms = now_ms;
    if (by_recovery(step)) w->recovered_ms = now_ms;
    if (!counts(step)) return;
    w->changed_ms[1] = w->changed_ms[0];
    w->changed_ms[0] = now_ms;
}
