/* The frame header, as each speaker (the first byte chooses): parts lie within the frame, and a good
 * frame written again is the same. */
#include "broker/wire/frame.h"

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct frame f;
    struct buffer again = {0};
    if (!size) return 0;
    struct view bytes = view_of(data + 1, size - 1);
    if (frame_check(bytes, (enum frame_from)(1u << (data[0] & 3)), &f) == STATUS_OK) {
        ENSURE(FRAME_HEADER_LEN + f.meta.len + f.body.len == bytes.len);
        size_t start = frame_begin(&again, &f.header);
        write_view(&again, f.meta);
        frame_meta_end(&again, start);
        write_view(&again, f.body);
        ENSURE(view_equal(buffer_view(&again), bytes));
    } else {
        ENSURE(f.header.kind == 0 && !f.meta.len && !f.body.len);
    }
    buffer_fini(&again);
    return 0;
}
