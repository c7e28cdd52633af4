/* The delivery states, as a table against the words of the design. */
#include "storage/delivery.h"

#include <criterion/criterion.h>

static void expect(enum delivery_state from, enum delivery_event event, enum delivery_state to)
{
    enum delivery_state next;
    cr_assert_eq(delivery_step(from, event, &next), STATUS_OK, "%d %d", from, event);
    cr_assert_eq(next, to);
}

static void refuse(enum delivery_state from, enum delivery_event event)
{
    enum delivery_state next;
    cr_assert_eq(delivery_step(from, event, &next), STATUS_STATE, "%d %d", from, event);
    cr_assert_eq(next, from);
}

Test(delivery, goes_its_way)
{
    expect(DELIVERY_QUEUED, EVENT_OFFER, DELIVERY_OFFERED);
    expect(DELIVERY_OFFERED, EVENT_RETRACT, DELIVERY_QUEUED);
    expect(DELIVERY_OFFERED, EVENT_RECEIPT, DELIVERY_DELIVERED);
    expect(DELIVERY_OFFERED, EVENT_SETTLE, DELIVERY_NONE);
    expect(DELIVERY_DELIVERED, EVENT_SETTLE, DELIVERY_NONE);
    expect(DELIVERY_DELIVERED, EVENT_FAIL, DELIVERY_FAILED);
    expect(DELIVERY_FAILED, EVENT_REOFFER, DELIVERY_QUEUED);
    expect(DELIVERY_FAILED, EVENT_EXPIRE, DELIVERY_NONE);
    expect(DELIVERY_QUEUED, EVENT_DAMAGE, DELIVERY_FAILED);
}

Test(delivery, delivered_is_never_taken_back)
{
    expect(DELIVERY_DELIVERED, EVENT_RETRACT, DELIVERY_DELIVERED);
    expect(DELIVERY_DELIVERED, EVENT_OFFER, DELIVERY_DELIVERED);
}

Test(delivery, refuses_what_is_not_listed)
{
    refuse(DELIVERY_QUEUED, EVENT_SETTLE);
    refuse(DELIVERY_QUEUED, EVENT_RECEIPT);
    refuse(DELIVERY_FAILED, EVENT_SETTLE);
    refuse(DELIVERY_FAILED, EVENT_OFFER);
    for (int event = EVENT_OFFER; event < DELIVERY_EVENTS; event++) {
        refuse(DELIVERY_NONE, (enum delivery_event)event);
        refuse(DELIVERY_DECRYPTED, (enum delivery_event)event);
    }
}
