/* rows_backup: encode and decode of which backups an account has (rows.h). A row that says what cannot be is damage; one of before there
 * were older ones has none. */
#include "storage/rows.h"

#include <string.h>

struct view backup_row_write(struct arena *a, const struct backup_row *row)
{
    struct buffer b = {0};
    const struct msg_backup_has *has = &row->has;
    write_u64(&b, has->version);
    write_bytes(&b, has->id.bytes, sizeof has->id.bytes);
    write_u32(&b, has->parts);
    write_u64(&b, has->stored_ms);
    write_u64(&b, has->coming_version);
    write_bytes(&b, has->coming_id.bytes, sizeof has->coming_id.bytes);
    write_u32(&b, has->coming_parts);
    write_u32(&b, row->coming_of);
    write_bytes(&b, row->by.bytes, sizeof row->by.bytes);
    write_u64(&b, has->older_version);
    write_bytes(&b, has->older_id.bytes, sizeof has->older_id.bytes);
    write_u32(&b, has->older_parts);
    write_u64(&b, has->older_stored_ms);
    struct view out = bytes_row_write(a, buffer_view(&b));
    buffer_fini(&b);
    return out;
}

static bool is_possible(const struct backup_row *row)
{
    const struct msg_backup_has *has = &row->has;
    bool whole = !has->version == !has->parts && has->parts <= BACKUP_PARTS_MAX;
    bool coming = !has->coming_version == !row->coming_of && row->coming_of <= BACKUP_PARTS_MAX &&
                  has->coming_parts <= row->coming_of;
    bool older = !has->older_version == !has->older_parts && has->older_parts <= BACKUP_PARTS_MAX &&
                 (!has->older_version || has->older_version < has->version);
    return whole && coming && older;
}

enum status backup_row_read(struct view value, struct backup_row *row)
{
    struct reader r = reader_of(value);
    struct msg_backup_has *has = &row->has;
    memset(row, 0, sizeof *row);
    if (read_u8(&r) != ROW_VERSION) r.failed = true;
    has->version = read_u64(&r);
    read_bytes(&r, has->id.bytes, sizeof has->id.bytes);
    has->parts = read_u32(&r);
    has->stored_ms = read_u64(&r);
    has->coming_version = read_u64(&r);
    read_bytes(&r, has->coming_id.bytes, sizeof has->coming_id.bytes);
    has->coming_parts = read_u32(&r);
    row->coming_of = read_u32(&r);
    if (reader_left(&r)) {
        read_bytes(&r, row->by.bytes, sizeof row->by.bytes);
        has->older_version = read_u64(&r);
        read_bytes(&r, has->older_id.bytes, sizeof has->older_id.bytes);
        has->older_parts = read_u32(&r);
        has->older_stored_ms = read_u64(&r);
    }
    if (reader_done(&r) == STATUS_OK && is_possible(row)) return STATUS_OK;
    memset(row, 0, sizeof *row);
    return STATUS_DAMAGED;
}
