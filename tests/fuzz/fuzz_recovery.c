/* What is typed of a recovery code (PROTOCOL 6.6): any text is read or refused, and nothing of a refused one is given; what is
 * read is written to the same, and with one character wrong it is noticed in its group. */
#include "clients/recovery_key.h"

#include "tests/fuzz/fuzz.h"

#include <sodium.h>
#include <string.h>

static void altered(const struct recovery_code *code, unsigned at, char other)
{
    char text[RECOVERY_TEXT_LEN + 1];
    struct recovery_code back;
    enum recovery_fault fault;
    unsigned group;
    recovery_code_text(code, text);
    if (text[at] == '-' || text[at] == other) return;
    text[at] = other;
    ENSURE(recovery_code_parse(view_of(text, RECOVERY_TEXT_LEN), &back, &fault, &group) == STATUS_MALFORMED);
    ENSURE(fault == RECOVERY_FAULT_GROUP && group == at / 5 + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[RECOVERY_TEXT_LEN + 1];
    struct recovery_code code, back;
    enum recovery_fault fault;
    unsigned group;
    if (recovery_code_parse(view_of(data, size), &code, &fault, &group) != STATUS_OK) {
        ENSURE(fault != RECOVERY_FAULT_NONE && group <= RECOVERY_GROUPS + 1 && sodium_is_zero(code.bytes, sizeof code.bytes));
        memcpy(code.bytes, data, size < sizeof code.bytes ? size : sizeof code.bytes);
    }
    recovery_code_text(&code, text);
    ENSURE(recovery_code_parse(view_of(text, RECOVERY_TEXT_LEN), &back, &fault, &group) == STATUS_OK);
    ENSURE(memcmp(&back, &code, sizeof code) == 0);
    for (unsigned at = 0; size && at < RECOVERY_TEXT_LEN; at++)
        altered(&code, at, "0123456789ABCDEFGHJKMNPQRSTVWXYZ"[(data[at % size] + at) % 32]);
    return 0;
}
