/* What is scanned (PROTOCOL 10.8): any text is read or refused; what is read is written to the same, and what is written
 * is read. */
#include "clients/safety.h"

#include "tests/fuzz/fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[512] = {0}, shown[SAFETY_TEXT_LEN + 1], again[SAFETY_TEXT_LEN + 1];
    struct safety_pair pair = {0}, back;
    memcpy(text, data, size < sizeof text ? size : sizeof text - 1);
    if (safety_parse(text, &pair) == STATUS_OK) {
        safety_text(&pair, shown);
        ENSURE(safety_parse(shown, &back) == STATUS_OK);
    }
    memcpy(&pair, data, size < sizeof pair ? size : sizeof pair);
    pair.own.length = 1 + pair.own.length % LOG_LENGTH_MAX;
    pair.contact.length = 1 + pair.contact.length % LOG_LENGTH_MAX;
    safety_text(&pair, shown);
    ENSURE(safety_parse(shown, &back) == STATUS_OK);
    safety_text(&back, again);
    ENSURE(strcmp(shown, again) == 0 && safety_compare(&pair, &back).verdict != 0);
    return 0;
}
