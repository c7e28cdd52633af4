/* tally: decides from a state or a body, never from an order in which things come: an event may be lost (the rows say
 * the same again), and a recipient may have a message before its sender hears that it was accepted. */
#include "bench/load/tally.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct route tally_route(const struct tally *t, uint64_t number)
{
    return (struct route){.sender = number % t->sender_count,
                          .mailbox = number / t->sender_count % t->traffic->mailbox_count};
}

void tally_key(uint64_t number, char out[TALLY_KEY_CAP])
{
    snprintf(out, TALLY_KEY_CAP, "%" PRIu64, number);
}

/* Other keys are of what was said before the run: no number. */
static bool number_of(const struct tally *t, const char *key, uint64_t *out)
{
    char *end;
    *out = strtoull(key, &end, 10);
    return *key >= '0' && *key <= '9' && !*end && *out < t->traffic->ledger.issued;
}

bool tally_sent(struct tally *t, const char *key, enum sealmq_message_state state, enum sealmq_status reason,
                uint64_t now_us)
{
    struct traffic *traffic = t->traffic;
    uint64_t number, at_us;
    if (!number_of(t, key, &number)) return false;
    switch (state) {
    case SEALMQ_MESSAGE_ACCEPTED:
    case SEALMQ_MESSAGE_SETTLED:
        if (!ledger_accept(&traffic->ledger, number, false)) return false;
        if (!ledger_time_us(&traffic->ledger, number, &at_us)) return true;
        histogram_record(&traffic->accept, now_us - at_us);
        histogram_record(&traffic->recent, now_us - at_us);
        return true;
    case SEALMQ_MESSAGE_REFUSED:
    case SEALMQ_MESSAGE_UNKNOWN: /* a user would have to decide; nobody is here */
    case SEALMQ_MESSAGE_HELD:
        if (traffic->first_refusal == STATUS_OK)
            traffic->first_refusal = reason ? status_from_wire(reason) : STATUS_UNKNOWN;
        ledger_refuse(&traffic->ledger, number);
        return false;
    case SEALMQ_MESSAGE_DRAFTED:
    case SEALMQ_MESSAGE_ENCRYPTED:
    case SEALMQ_MESSAGE_QUEUED: break;
    }
    return false;
}

static bool is_right(const struct tally *t, size_t mailbox, const struct sealmq_received *r, uint64_t number)
{
    const struct traffic *traffic = t->traffic;
    struct route route = tally_route(t, number);
    size_t len = traffic->sizes.len[sizes_pick(&traffic->sizes, number)];
    return number < traffic->ledger.issued && r->kind == t->kind && route.mailbox == mailbox &&
           memcmp(&r->account, &t->senders[route.sender], sizeof r->account) == 0 &&
           body_check(traffic->pool, number, len, view_of(r->payload, r->payload_len));
}

void tally_received(struct tally *t, size_t mailbox, const struct sealmq_received *r, uint64_t now_us)
{
    struct traffic *traffic = t->traffic;
    uint64_t number, at_us;
    if (!body_number(view_of(r->payload, r->payload_len), &number) || !is_right(t, mailbox, r, number)) {
        ledger_corrupt(&traffic->ledger);
        return;
    }
    if (!ledger_deliver(&traffic->ledger, number, false, false)) return;
    if (ledger_time_us(&traffic->ledger, number, &at_us))
        histogram_record(&traffic->end_to_end, now_us - at_us);
}
