/* What is typed or scanned to link a device (PROTOCOL 6.5), and what a relay gives from a box: read or refused; a code that is read is
 * written to the same, and nothing opens that was not made with it. */
#include "clients/link.h"

#include "tests/fuzz/fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct link_keys keys;
    char text[256] = {0}, shown[LINK_QR_LEN + 1];
    struct link_code code, back;
    struct arena a = {0};
    struct msg_link_request request;
    struct msg_link_offer offer;
    struct msg_link_consent consent;
    memcpy(text, data, size < sizeof text ? size : sizeof text - 1);
    if (link_code_parse(text, &code) == STATUS_OK) {
        link_code_qr(&code, shown);
        ENSURE(link_code_parse(shown, &back) == STATUS_OK && strcmp(back.digits, code.digits) == 0);
        ENSURE(link_request_open(&code, view_of(data, size), &a, &request) == STATUS_BAD_ENTRY);
    }
    ENSURE(link_offer_open(&keys, (struct link_box){{0}}, 2, view_of(data, size), &a, &offer) == STATUS_BAD_ENTRY);
    ENSURE(link_consent_open(&keys, (struct link_box){{0}}, view_of(data, size), &a, &consent) == STATUS_BAD_ENTRY);
    arena_fini(&a);
    return 0;
}
