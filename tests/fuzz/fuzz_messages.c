/* Every message of the protocol: what decodes must encode, decode and encode to the same bytes. The
 * first byte chooses the message. */
#include "broker/wire/messages.h"

#include "tests/fuzz/fuzz.h"

static const struct codec_desc *const descs[] = {
#define X(name) &msg_##name##_desc,
    MESSAGE_LIST(X)
#undef X
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct arena a;
    struct buffer once = {0}, twice = {0};
    if (!size) return 0;
    const struct codec_desc *desc = descs[data[0] % (sizeof descs / sizeof descs[0])];
    void *message = arena_alloc(&a, desc->size);
    if (codec_decode(desc, view_of(data + 1, size - 1), &a, message) == STATUS_OK) {
        codec_encode(desc, message, &once);
        ENSURE(codec_decode(desc, buffer_view(&once), &a, message) == STATUS_OK);
        codec_encode(desc, message, &twice);
        ENSURE(view_equal(buffer_view(&once), buffer_view(&twice)));
    }
    buffer_fini(&once);
    buffer_fini(&twice);
    arena_reset(&a);
    return 0;
}
