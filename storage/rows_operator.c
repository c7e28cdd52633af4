/* rows_operator: encode and decode of what stands beside an account for operators: its holds and its watch row (rows.h). A
 * row that says nothing, or says it in another way than it is written, is damage. */
#include "storage/rows.h"

#include <sodium.h>
#include <string.h>

static struct view row_of(struct arena *a, struct buffer *bytes)
{
    struct view row = bytes_row_write(a, buffer_view(bytes));
    buffer_fini(bytes);
    return row;
}

static struct reader row_open(struct view value)
{
    struct reader r = reader_of(value);
    if (read_u8(&r) != ROW_VERSION) r.failed = true;
    return r;
}

struct view hold_row_write(struct arena *a, const struct hold_row *row)
{
    struct buffer bytes = {0};
    ENSURE(row->count && row->count <= HOLDS_MAX);
    for (size_t i = 0; i < row->count; i++) {
        write_bytes(&bytes, row->holds[i].device.bytes, sizeof row->holds[i].device.bytes);
        write_u8(&bytes, (uint8_t)row->holds[i].reason);
        write_u64(&bytes, row->holds[i].since_ms);
    }
    return row_of(a, &bytes);
}

enum status hold_row_read(struct view value, struct hold_row *row)
{
    struct reader r = row_open(value);
    memset(row, 0, sizeof *row);
    while (!r.failed && reader_left(&r) && row->count < HOLDS_MAX) {
        struct hold *h = &row->holds[row->count++];
        read_bytes(&r, h->device.bytes, sizeof h->device.bytes);
        h->reason = read_u8(&r);
        h->since_ms = read_u64(&r);
        for (size_t i = 0; i + 1 < row->count; i++)
            if (device_equal(row->holds[i].device, h->device)) r.failed = true;
        if (h->reason == HOLD_NONE) r.failed = true;
    }
    if (row->count && reader_done(&r) == STATUS_OK) return STATUS_OK;
    memset(row, 0, sizeof *row);
    return STATUS_DAMAGED;
}

#define WATCH_JOINED_LEN  24u /* a device, and when it joined */
#define WATCH_HISTORY_LEN 32u

struct view watch_row_write(struct arena *a, const struct watch_row *row)
{
    struct buffer bytes = {0};
    ENSURE(row->joined_count <= DEVICES_EVER_MAX);
    write_u64(&bytes, row->ended_ms);
    write_u64(&bytes, row->recovered_ms);
    write_u64(&bytes, row->changed_ms[0]);
    write_u64(&bytes, row->changed_ms[1]);
    for (size_t i = 0; i < row->joined_count; i++) {
        write_bytes(&bytes, row->joined[i].device.bytes, sizeof row->joined[i].device.bytes);
        write_u64(&bytes, row->joined[i].at_ms);
    }
    if (!row->split_ms && !row->restored_ms) return row_of(a, &bytes);
    write_u64(&bytes, row->split_ms);
    write_u64(&bytes, row->split_number);
    write_u64(&bytes, row->restored_ms);
    write_u64(&bytes, row->restored);
    return row_of(a, &bytes);
}

enum status watch_row_read(struct view value, struct watch_row *row)
{
    struct reader r = row_open(value);
    memset(row, 0, sizeof *row);
    row->ended_ms = read_u64(&r);
    row->recovered_ms = read_u64(&r);
    row->changed_ms[0] = read_u64(&r);
    row->changed_ms[1] = read_u64(&r);
    /* What is over tells whether the last part is there. */
    size_t last = !r.failed && reader_left(&r) % WATCH_JOINED_LEN == WATCH_HISTORY_LEN % WATCH_JOINED_LEN ? WATCH_HISTORY_LEN : 0;
    while (!r.failed && reader_left(&r) > last && row->joined_count < DEVICES_EVER_MAX) {
        read_bytes(&r, row->joined[row->joined_count].device.bytes, sizeof row->joined[0].device.bytes);
        row->joined[row->joined_count++].at_ms = read_u64(&r);
    }
    if (last) {
        row->split_ms = read_u64(&r);
        row->split_number = read_u64(&r);
        row->restored_ms = read_u64(&r);
        row->restored = read_u64(&r);
        if (!row->split_ms && !row->restored_ms) r.failed = true; /* then it is not written */
    }
    if (reader_done(&r) == STATUS_OK) return STATUS_OK;
    memset(row, 0, sizeof *row);
    return STATUS_DAMAGED;
}
