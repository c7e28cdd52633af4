/* Founding entries: what passes has one encoding, and a failure leaves zeros. (A signature can hardly
 * be found by chance; the seeds in the corpus pass, and what follows from them must not.) */
#include "broker/wire/identity.h"

#include "tests/fuzz/fuzz.h"

#include <sodium.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct arena a;
    struct founding f;
    struct msg_entry entry;
    struct buffer again = {0};
    struct view bytes = view_of(data, size);
    if (founding_check(bytes, &a, &f) == STATUS_OK) {
        ENSURE(codec_decode(&msg_entry_desc, bytes, &a, &entry) == STATUS_OK);
        codec_encode(&msg_entry_desc, &entry, &again);
        ENSURE(view_equal(buffer_view(&again), bytes));
    } else {
        ENSURE(sodium_is_zero((const uint8_t *)&f, sizeof f));
    }
    buffer_fini(&again);
    arena_reset(&a);
    return 0;
}
