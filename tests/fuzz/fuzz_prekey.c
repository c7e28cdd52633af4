/* Signed prekeys: what opens has one encoding and an id, and a failure leaves zeros. (A signature can hardly be
 * found by chance: whose key it is is asked all the same, so that its bytes are read.) */
#include "broker/wire/prekey.h"

#include "tests/fuzz/fuzz.h"

#include <sodium.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct arena a;
    struct msg_signed_prekey prekey;
    struct msg_prekey_body body;
    struct buffer again = {0};
    struct view bytes = view_of(data, size);
    ENSURE(sodium_init() >= 0);
    if (prekey_open(bytes, &a, &prekey, &body) == STATUS_OK) {
        codec_encode(&msg_signed_prekey_desc, &prekey, &again);
        ENSURE(view_equal(buffer_view(&again), bytes));
        ENSURE(body.id != 0 && size <= PREKEY_LEN_MAX);
        (void)prekey_signed_by((struct account_id){{1}}, &prekey, &(struct signing_pk){{2}});
    } else {
        ENSURE(sodium_is_zero((const uint8_t *)&prekey, sizeof prekey));
        ENSURE(sodium_is_zero((const uint8_t *)&body, sizeof body));
    }
    buffer_fini(&again);
    arena_reset(&a);
    return 0;
}
