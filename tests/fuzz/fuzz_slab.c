/* Slabs: a good one, taken apart and put together, reads the same again. */
#include "broker/wire/slab.h"

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slab_header header, header2;
    struct slab_reader reader, reader2;
    struct stamp stamp, stamp2;
    struct view frame, frame2;
    struct buffer again = {0};
    if (slab_open(view_of(data, size), &header, &reader) != STATUS_OK) return 0;
    slab_begin(&again);
    for (struct slab_reader r = reader; slab_next(&r, &stamp, &frame);)
        slab_item(&again, &stamp, frame);
    slab_finish(&again, &header);
    ENSURE(slab_open(buffer_view(&again), &header2, &reader2) == STATUS_OK);
    while (slab_next(&reader, &stamp, &frame)) {
        ENSURE(slab_next(&reader2, &stamp2, &frame2) && view_equal(frame, frame2));
        ENSURE(stamp.conn == stamp2.conn && stamp.origin == stamp2.origin);
        ENSURE(stamp.origin <= ORIGIN_ADMIN);
    }
    ENSURE(slab_done(&reader2) == STATUS_OK && header2.commit == header.commit);
    (void)!slab_done(&reader);
    buffer_fini(&again);
    return 0;
}
