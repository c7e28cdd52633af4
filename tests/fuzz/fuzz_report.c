/* Reports: what opens has one encoding and a cause, and a failure leaves zeros. (Whose signature it is is asked so that its
 * bytes are read.) */
#include "broker/wire/report.h"

#include "tests/fuzz/fuzz.h"

#include <sodium.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct arena a;
    struct msg_report report;
    struct msg_report_body body;
    struct buffer again = {0};
    struct view bytes = view_of(data, size);
    ENSURE(sodium_init() >= 0);
    if (report_open(bytes, &a, &report, &body) == STATUS_OK) {
        codec_encode(&msg_report_desc, &report, &again);
        ENSURE(view_equal(buffer_view(&again), bytes));
        ENSURE(report_reason(body.cause) != FAIL_NONE && size <= REPORT_LEN_MAX);
        (void)report_signed_by(&report, &(struct signing_pk){{2}});
    } else {
        ENSURE(sodium_is_zero((const uint8_t *)&report, sizeof report));
        ENSURE(sodium_is_zero((const uint8_t *)&body, sizeof body));
    }
    buffer_fini(&again);
    arena_reset(&a);
    return 0;
}
