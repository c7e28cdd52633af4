/* Tokens: what opens has one encoding and a handle, a failure leaves zeros, and a text is read or leaves nothing. */
#include "broker/wire/token.h"

#include "tests/fuzz/fuzz.h"

#include <sodium.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct arena a;
    char text[1024] = "sealmq:token:1:";
    uint8_t out[TOKEN_LEN_MAX];
    size_t len;
    struct msg_token token;
    struct msg_token_body body;
    struct buffer again = {0};
    ENSURE(sodium_init() >= 0);
    if (token_open(view_of(data, size), &a, &token, &body) == STATUS_OK) {
        codec_encode(&msg_token_desc, &token, &again);
        ENSURE(view_equal(buffer_view(&again), view_of(data, size)) && size <= TOKEN_LEN_MAX);
    } else {
        ENSURE(sodium_is_zero((const uint8_t *)&body, sizeof body));
    }
    memcpy(text + 15, data, size < 1000 ? size : 1000);
    ENSURE(token_parse(text, out, &len) == STATUS_OK ? len <= sizeof out : len == 0);
    buffer_fini(&again);
    arena_reset(&a);
    return 0;
}
