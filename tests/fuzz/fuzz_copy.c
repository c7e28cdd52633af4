/* What stands before a payload for one's own devices, from anybody: it is read whole, and written again byte for byte, or
 * nothing of it is given. */
#include "clients/seal/copy.h"

#include "tests/fuzz/fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct account_id nobody;
    struct view bytes = view_of(data, size), payload;
    struct account_id to;
    struct buffer again = {0};
    if (copy_read(bytes, &to, &payload) != CAUSE_NONE) {
        ENSURE(memcmp(&to, &nobody, sizeof to) == 0 && payload.len == 0);
        return 0;
    }
    ENSURE(payload.len == size - CONTENT_PREFIX_LEN);
    copy_write(to, payload, &again);
    ENSURE(view_equal(buffer_view(&again), bytes));
    buffer_fini(&again);
    return 0;
}
