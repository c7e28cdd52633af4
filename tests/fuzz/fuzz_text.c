/* What people type: references, message ids, hex, handles, versions. What parses, prints and parses
 * to the same. */
#include "broker/wire/event.h"
#include "broker/wire/identity.h"

#include "tests/fuzz/fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[512] = {0}, shown[REFERENCE_TEXT_LEN + 1];
    struct message_ref ref, ref2;
    struct message_id id, id2;
    memcpy(text, data, size < sizeof text ? size : sizeof text - 1);
    if (reference_parse(text, &ref) == STATUS_OK) {
        reference_text(&ref, shown);
        ENSURE(reference_parse(shown, &ref2) == STATUS_OK && !memcmp(&ref, &ref2, sizeof ref));
    }
    if (message_id_parse(text, &id) == STATUS_OK) {
        message_id_text(id, shown);
        ENSURE(message_id_parse(shown, &id2) == STATUS_OK && message_equal(id, id2));
    }
    struct view v = view_of(data, size);
    if (handle_check(v) == STATUS_OK) ENSURE(size <= HANDLE_LEN_MAX && !memchr(data, 0, size));
    ENSURE(version_number(v) >> 48 == 0 && home_of_handle(v) < 4096);
    return 0;
}
