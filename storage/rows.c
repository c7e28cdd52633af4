/* rows: encode and decode of all stored values; their keys are in row_keys.c. A row that does not decode is damage, never
 * a reason to stop: the callers answer `damaged` and say which. */
#include "storage/rows.h"

#include <string.h>

/* A cursor that writes fixed-size values into arena memory of a known length. */
struct row_writer {
    uint8_t *at;
    uint8_t *start;
    size_t cap;
};

static struct row_writer row_begin(struct arena *a, size_t cap)
{
    uint8_t *start = arena_alloc_raw(a, cap + 1);
    start[0] = ROW_VERSION;
    return (struct row_writer){.at = start + 1, .start = start, .cap = cap + 1};
}

static void row_bytes(struct row_writer *w, const void *at, size_t len)
{
    if (len) memcpy(w->at, at, len);
    w->at += len;
}

static void row_u64(struct row_writer *w, uint64_t v)
{
    put_u64(w->at, v);
    w->at += 8;
}

static void row_u32(struct row_writer *w, uint32_t v)
{
    put_u32(w->at, v);
    w->at += 4;
}

static struct view row_end(struct row_writer *w)
{
    size_t len = (size_t)(w->at - w->start);
    ENSURE(len <= w->cap);
    return view_of(w->start, len);
}

static struct reader row_open(struct view value)
{
    struct reader r = reader_of(value);
    if (read_u8(&r) != ROW_VERSION) r.failed = true;
    return r;
}

static enum status row_done(const struct reader *r)
{
    return reader_done(r) == STATUS_OK ? STATUS_OK : STATUS_DAMAGED;
}

struct view envelope_row_write(struct arena *a, const struct envelope_row *row)
{
    size_t origin_len = row->origin.seq ? ENVELOPE_ORIGIN_LEN : 0;
    size_t stamp_len = row->stamped ? ENVELOPE_STAMP_LEN : 0;
    struct row_writer w = row_begin(a, ENVELOPE_HEAD_LEN - 1 + origin_len + stamp_len);
    uint8_t small[7] = {row->sealed, (uint8_t)row->attempt, origin_len != 0, row->stamped, row->timed};
    row_bytes(&w, small, sizeof small);
    row_bytes(&w, row->sender_account.bytes, 32);
    row_bytes(&w, row->sender_device.bytes, 16);
    row_bytes(&w, row->target.bytes, 32);
    row_bytes(&w, row->id.bytes, 16);
    row_u64(&w, row->accepted_ms);
    row_u64(&w, row->expires_ms);
    row_bytes(&w, row->hash.bytes, 32);
    if (origin_len) {
        row_bytes(&w, row->origin.term.bytes, 16);
        row_u64(&w, row->origin.seq);
    }
    if (stamp_len) {
        row_bytes(&w, row->commitment.bytes, 32);
        row_u32(&w, row->stamp_key);
        row_bytes(&w, row->stamp.bytes, 32);
    }
    struct view v = row_end(&w);
    ENSURE(v.len == ENVELOPE_HEAD_LEN + origin_len + stamp_len);
    return v;
}

enum status envelope_row_read(struct view value, struct envelope_row *row, struct view *ciphertext)
{
    struct reader r = row_open(value);
    memset(row, 0, sizeof *row);
    row->sealed = read_u8(&r) == 1;
    row->attempt = read_u8(&r);
    bool again = read_u8(&r) == 1;
    row->stamped = read_u8(&r) == 1;
    row->timed = read_u8(&r) == 1;
    read_view(&r, 2);
    read_bytes(&r, row->sender_account.bytes, 32);
    read_bytes(&r, row->sender_device.bytes, 16);
    read_bytes(&r, row->target.bytes, 32);
    read_bytes(&r, row->id.bytes, 16);
    row->accepted_ms = read_u64(&r);
    row->expires_ms = read_u64(&r);
    read_bytes(&r, row->hash.bytes, 32);
    if (again) {
        read_bytes(&r, row->origin.term.bytes, 16);
        row->origin.seq = read_u64(&r);
        if (!row->origin.seq) r.failed = true;
    }
    if (row->stamped) {
        read_bytes(&r, row->commitment.bytes, 32);
        row->stamp_key = read_u32(&r);
        read_bytes(&r, row->stamp.bytes, 32);
    }
    *ciphertext = read_view(&r, reader_left(&r));
    return row_done(&r);
}

struct view claim_row_write(struct arena *a, const struct claim_row *row)
{
    struct row_writer w = row_begin(a, 48 + row->answer.len);
    row_u64(&w, row->accepted_ms);
    row_u64(&w, row->expires_ms);
    row_bytes(&w, row->digest.bytes, 32);
    row_bytes(&w, row->answer.at, row->answer.len);
    return row_end(&w);
}

enum status claim_row_read(struct view value, struct claim_row *row)
{
    struct reader r = row_open(value);
    row->accepted_ms = read_u64(&r);
    row->expires_ms = read_u64(&r);
    read_bytes(&r, row->digest.bytes, 32);
    row->answer = read_view(&r, reader_left(&r));
    return row_done(&r);
}

struct view page_row_write(struct arena *a, const struct page_claim *claims, size_t count)
{
    size_t cap = 2;
    uint8_t number[4];
    ENSURE(count <= PAGE_CLAIMS_MAX);
    for (size_t i = 0; i < count; i++)
        cap += 32 + 16 + 4 + claims[i].row.len;
    struct row_writer w = row_begin(a, cap);
    put_u16(number, (uint16_t)count);
    row_bytes(&w, number, 2);
    for (size_t i = 0; i < count; i++) {
        put_u32(number, (uint32_t)claims[i].row.len);
        row_bytes(&w, claims[i].target.bytes, 32);
        row_bytes(&w, claims[i].id.bytes, 16);
        row_bytes(&w, number, 4);
        row_bytes(&w, claims[i].row.at, claims[i].row.len);
    }
    return row_end(&w);
}

static struct page_claim read_page_claim(struct reader *r)
{
    struct page_claim c;
    read_bytes(r, c.target.bytes, 32);
    read_bytes(r, c.id.bytes, 16);
    c.row = read_view(r, read_u32(r));
    if (!c.row.len) r->failed = true; /* no claim is empty */
    return c;
}

enum status page_row_read(struct view value, struct arena *a, struct page_claim **claims,
                          size_t *count)
{
    struct reader r = row_open(value);
    size_t left = read_u16(&r);
    *claims = NULL;
    *count = 0;
    if (r.failed || left > PAGE_CLAIMS_MAX) return STATUS_DAMAGED;
    struct page_claim *list = arena_array(a, left, sizeof *list);
    for (size_t i = 0; i < left; i++)
        list[i] = read_page_claim(&r);
    if (row_done(&r) != STATUS_OK) return STATUS_DAMAGED;
    *claims = list;
    *count = left;
    return STATUS_OK;
}

enum status page_row_find(struct view value, struct target_id target, struct message_id id,
                          struct view *row)
{
    struct reader r = row_open(value);
    size_t left = read_u16(&r);
    *row = view_of(NULL, 0);
    for (; left && !r.failed; left--) {
        struct page_claim c = read_page_claim(&r);
        if (!r.failed && message_equal(c.id, id) && target_equal(c.target, target)) *row = c.row;
    }
    if (row_done(&r) == STATUS_OK) return row->at ? STATUS_OK : STATUS_NOT_FOUND;
    *row = view_of(NULL, 0);
    return STATUS_DAMAGED;
}

struct view run_row_write(struct arena *a, const struct run_row *row)
{
    struct row_writer w = row_begin(a, 16);
    row_u64(&w, row->first);
    row_u64(&w, row->at_ms);
    return row_end(&w);
}

enum status run_row_read(struct view value, struct run_row *row)
{
    struct reader r = row_open(value);
    row->first = read_u64(&r);
    row->at_ms = read_u64(&r);
    return row_done(&r);
}

/* What a row has behind its plain part, if anything: most outcomes say no more than that. */
static bool outcome_has_more(const struct outcome_row *row)
{
    static const struct hash256 none;
    return row->attempt || row->report.len || memcmp(&row->commitment, &none, sizeof none) != 0;
}

struct view outcome_row_write(struct arena *a, const struct outcome_row *row)
{
    struct row_writer w = row_begin(a, 43 + 33 + row->report.len);
    uint8_t small[3] = {(uint8_t)row->state, (uint8_t)row->outcome, (uint8_t)row->reason};
    uint8_t attempt = (uint8_t)row->attempt;
    ENSURE(row->report.len <= REPORT_LEN_MAX);
    row_bytes(&w, small, sizeof small);
    row_u64(&w, row->at_ms);
    row_u64(&w, row->client_version);
    row_bytes(&w, row->moved_to.term.bytes, 16);
    row_u64(&w, row->moved_to.seq);
    if (!outcome_has_more(row)) return row_end(&w);
    row_bytes(&w, &attempt, 1);
    row_bytes(&w, row->commitment.bytes, 32);
    row_bytes(&w, row->report.at, row->report.len);
    return row_end(&w);
}

enum status outcome_row_read(struct view value, struct outcome_row *row)
{
    struct reader r = row_open(value);
    memset(row, 0, sizeof *row);
    row->state = read_u8(&r);
    row->outcome = read_u8(&r);
    row->reason = read_u8(&r);
    row->at_ms = read_u64(&r);
    row->client_version = read_u64(&r);
    read_bytes(&r, row->moved_to.term.bytes, 16);
    row->moved_to.seq = read_u64(&r);
    if (reader_left(&r)) {
        row->attempt = read_u8(&r);
        read_bytes(&r, row->commitment.bytes, 32);
        row->report = read_view(&r, reader_left(&r));
        if (row->report.len > REPORT_LEN_MAX || row->attempt > RESENDS_MAX) r.failed = true;
    }
    return row_done(&r);
}

struct view device_row_write(struct arena *a, const struct device_row *row)
{
    struct row_writer w = row_begin(a, 32 + 48 + 48 + GAP_REASONS * 8 + row->lineage_len + (row->revoked_ms ? 8 : 0) +
                                           (row->copied ? 16 : 0));
    row_bytes(&w, row->account.bytes, 32);
    row_bytes(&w, row->head.term.bytes, 16);
    row_u64(&w, row->head.seq);
    row_bytes(&w, row->delivered.term.bytes, 16);
    row_u64(&w, row->delivered.seq);
    row_u64(&w, row->count);
    row_u64(&w, row->bytes);
    row_u64(&w, row->parked);
    row_u64(&w, row->last_seen_ms);
    row_u64(&w, row->client_version);
    row_u64(&w, row->gap_number);
    for (size_t i = 0; i < GAP_REASONS; i++)
        row_u64(&w, row->gaps[i]);
    ENSURE(row->lineage_len <= sizeof row->lineage);
    if (row->revoked_ms) row_u64(&w, row->revoked_ms);
    if (row->copied) row_u64(&w, row->copied), row_u64(&w, row->copied_ms);
    row_bytes(&w, row->lineage, row->lineage_len);
    return row_end(&w);
}

enum status device_row_read(struct view value, struct device_row *row)
{
    struct reader r = row_open(value);
    memset(row, 0, sizeof *row);
    read_bytes(&r, row->account.bytes, 32);
    read_bytes(&r, row->head.term.bytes, 16);
    row->head.seq = read_u64(&r);
    read_bytes(&r, row->delivered.term.bytes, 16);
    row->delivered.seq = read_u64(&r);
    row->count = read_u64(&r);
    row->bytes = read_u64(&r);
    row->parked = read_u64(&r);
    row->last_seen_ms = read_u64(&r);
    row->client_version = read_u64(&r);
    row->gap_number = read_u64(&r);
    for (size_t i = 0; i < GAP_REASONS; i++)
        row->gaps[i] = read_u64(&r);
    _Static_assert(LINEAGE_MARK_LEN > 24, "what is over tells whether there is a fence, and a copy");
    size_t over = reader_left(&r) % LINEAGE_MARK_LEN;
    if (over > 24 || over % 8) return STATUS_DAMAGED;
    if (over & 8) row->revoked_ms = read_u64(&r);
    if (over & 16) row->copied = read_u64(&r), row->copied_ms = read_u64(&r);
    row->lineage_len = reader_left(&r);
    if (row->lineage_len > sizeof row->lineage) return STATUS_DAMAGED;
    read_bytes(&r, row->lineage, row->lineage_len);
    return row_done(&r);
}

struct view wake_row_write(struct arena *a, const struct wake_row *row)
{
    struct row_writer w = row_begin(a, 32 + 32);
    row_bytes(&w, row->account.bytes, 32);
    row_u64(&w, row->since_ms);
    row_u64(&w, row->due_ms);
    row_u64(&w, row->lease_until_ms);
    row_u64(&w, row->attempt);
    return row_end(&w);
}

enum status wake_row_read(struct view value, struct wake_row *row)
{
    struct reader r = row_open(value);
    read_bytes(&r, row->account.bytes, 32);
    row->since_ms = read_u64(&r);
    row->due_ms = read_u64(&r);
    row->lease_until_ms = read_u64(&r);
    row->attempt = (uint32_t)read_u64(&r);
    return row_done(&r);
}

struct view account_row_write(struct arena *a, const struct identity_log *log)
{
    struct buffer bytes = {0};
    identity_log_write(log, &bytes);
    struct view row = bytes_row_write(a, buffer_view(&bytes));
    buffer_fini(&bytes);
    return row;
}

enum status account_row_read(struct view value, struct identity_log *log)
{
    struct reader r = row_open(value);
    return identity_log_read(read_view(&r, reader_left(&r)), log);
}

struct view entry_row_write(struct arena *a, struct view entry)
{
    return bytes_row_write(a, entry);
}

enum status entry_row_read(struct view value, struct view *entry)
{
    struct reader r = row_open(value);
    *entry = read_view(&r, reader_left(&r));
    return row_done(&r);
}

/* What stands before a token. An entry without one follows the signature at once: it begins with its first field's tag. */
#define HANDLE_TOKEN 1u

struct view handle_row_write(struct arena *a, const struct handle_row *row)
{
    struct row_writer w = row_begin(a, 32 + 64 + 2 + row->token.len + row->entry.len);
    uint8_t head[2] = {HANDLE_TOKEN, (uint8_t)row->token.len};
    ENSURE(row->token.len <= TOKEN_LEN_MAX);
    row_bytes(&w, row->account.bytes, 32);
    row_bytes(&w, row->signature.bytes, 64);
    if (row->token.len) {
        row_bytes(&w, head, sizeof head);
        row_bytes(&w, row->token.at, row->token.len);
    }
    row_bytes(&w, row->entry.at, row->entry.len);
    return row_end(&w);
}

enum status handle_row_read(struct view value, struct handle_row *row)
{
    struct reader r = row_open(value);
    memset(row, 0, sizeof *row);
    read_bytes(&r, row->account.bytes, 32);
    read_bytes(&r, row->signature.bytes, 64);
    struct view rest = read_view(&r, reader_left(&r));
    if (rest.len && rest.at[0] == HANDLE_TOKEN) {
        struct reader behind = reader_of(rest);
        read_u8(&behind);
        size_t len = read_u8(&behind);
        row->token = read_view(&behind, len);
        rest = read_view(&behind, reader_left(&behind));
        if (behind.failed || !len || len > TOKEN_LEN_MAX) r.failed = true;
    }
    row->entry = rest;
    return row_done(&r);
}

static void row_part(struct row_writer *w, struct view part)
{
    uint8_t len[2];
    ENSURE(part.len <= PREKEY_LEN_MAX);
    put_u16(len, (uint16_t)part.len);
    row_bytes(w, len, sizeof len);
    row_bytes(w, part.at, part.len);
}

struct view prekey_row_write(struct arena *a, const struct prekey_row *row)
{
    ENSURE(row->one_time_count <= ONE_TIME_PREKEYS_MAX);
    size_t cap = 24 + 4 + row->current.len + row->last_resort.len + 40 * row->one_time_count;
    struct row_writer w = row_begin(a, cap);
    row_u64(&w, row->signed_id);
    row_u64(&w, row->last_resort_id);
    row_u64(&w, row->one_time_highest);
    row_part(&w, row->current);
    row_part(&w, row->last_resort);
    for (size_t i = 0; i < row->one_time_count; i++) {
        row_u64(&w, row->one_time[i].id);
        row_bytes(&w, row->one_time[i].key.bytes, 32);
    }
    return row_end(&w);
}

enum status prekey_row_read(struct view value, struct prekey_row *row)
{
    struct reader r = row_open(value);
    uint64_t before = 0;
    memset(row, 0, sizeof *row);
    row->signed_id = read_u64(&r);
    row->last_resort_id = read_u64(&r);
    row->one_time_highest = read_u64(&r);
    row->current = read_view(&r, read_u16(&r));
    row->last_resort = read_view(&r, read_u16(&r));
    while (!r.failed && reader_left(&r) && row->one_time_count < ONE_TIME_PREKEYS_MAX) {
        struct msg_one_time_prekey *k = &row->one_time[row->one_time_count++];
        k->id = read_u64(&r);
        read_bytes(&r, k->key.bytes, 32);
        if (k->id <= before || k->id > row->one_time_highest) r.failed = true;
        before = k->id;
    }
    bool fits = row->current.len <= PREKEY_LEN_MAX && row->last_resort.len <= PREKEY_LEN_MAX;
    bool whole = !row->signed_id == !row->current.len &&
                 !row->last_resort_id == !row->last_resort.len;
    if (fits && whole && row_done(&r) == STATUS_OK) return STATUS_OK;
    memset(row, 0, sizeof *row);
    return STATUS_DAMAGED;
}

struct view policy_row_write(struct arena *a, const struct policy_row *row)
{
    uint8_t mode = (uint8_t)row->mode;
    ENSURE(row->ask_count <= REQUEST_SENDERS_MAX);
    struct row_writer w = row_begin(a, 13 + 44 * row->ask_count);
    row_bytes(&w, &mode, 1);
    row_u64(&w, row->version);
    row_u32(&w, row->count);
    for (size_t i = 0; i < row->ask_count; i++) {
        row_bytes(&w, row->asks[i].account.bytes, 32);
        row_u64(&w, row->asks[i].at_ms);
        row_u32(&w, row->asks[i].messages);
    }
    return row_end(&w);
}

enum status policy_row_read(struct view value, struct policy_row *row)
{
    struct reader r = row_open(value);
    memset(row, 0, sizeof *row);
    row->mode = read_u8(&r);
    row->version = read_u64(&r);
    row->count = read_u32(&r);
    while (!r.failed && reader_left(&r) && row->ask_count < REQUEST_SENDERS_MAX) {
        struct policy_ask *ask = &row->asks[row->ask_count++];
        read_bytes(&r, ask->account.bytes, 32);
        ask->at_ms = read_u64(&r);
        ask->messages = read_u32(&r);
    }
    bool good = (row->mode == CONTACT_MODE_OPEN || row->mode == CONTACT_MODE_REQUESTS) && row->count <= CONTACTS_MAX;
    if (good && row_done(&r) == STATUS_OK) return STATUS_OK;
    memset(row, 0, sizeof *row);
    return STATUS_DAMAGED;
}

struct view contact_row_write(struct arena *a, const struct contact_row *row)
{
    struct row_writer w = row_begin(a, 9);
    uint8_t verdict = (uint8_t)row->verdict;
    row_bytes(&w, &verdict, 1);
    row_u64(&w, row->at_ms);
    return row_end(&w);
}

enum status contact_row_read(struct view value, struct contact_row *row)
{
    struct reader r = row_open(value);
    row->verdict = read_u8(&r);
    row->at_ms = read_u64(&r);
    bool good = row->verdict == CONTACT_ALLOWED || row->verdict == CONTACT_BLOCKED;
    return good ? row_done(&r) : STATUS_DAMAGED;
}

enum status part_row_read(struct view value, struct view *bytes)
{
    struct reader r = row_open(value);
    *bytes = read_view(&r, reader_left(&r));
    if (value.at && bytes->len && row_done(&r) == STATUS_OK) return STATUS_OK;
    *bytes = view_of(NULL, 0);
    return STATUS_DAMAGED;
}

struct view bytes_row_write(struct arena *a, struct view bytes)
{
    struct row_writer w = row_begin(a, bytes.len);
    row_bytes(&w, bytes.at, bytes.len);
    return row_end(&w);
}

enum status bytes_row_read(struct view value, void *out, size_t len)
{
    struct reader r = row_open(value);
    read_bytes(&r, out, len);
    return row_done(&r);
}

struct view commit_row_write(struct arena *a, const struct commit_row *row)
{
    struct row_writer w = row_begin(a, 48);
    row_bytes(&w, row->term.bytes, 16);
    row_u64(&w, row->commit);
    row_u64(&w, row->at_ms);
    row_bytes(&w, row->newest.bytes, sizeof row->newest.bytes);
    return row_end(&w);
}

enum status commit_row_read(struct view value, struct commit_row *row)
{
    struct reader r = row_open(value);
    read_bytes(&r, row->term.bytes, 16);
    row->commit = read_u64(&r);
    row->at_ms = read_u64(&r);
    read_bytes(&r, row->newest.bytes, sizeof row->newest.bytes);
    return row_done(&r);
}

struct view term_row_write(struct arena *a, const struct term_row *row)
{
    struct row_writer w = row_begin(a, 16);
    row_u64(&w, row->end);
    row_u64(&w, row->ended_ms);
    return row_end(&w);
}

enum status term_row_read(struct view value, struct term_row *row)
{
    struct reader r = row_open(value);
    row->end = read_u64(&r);
    row->ended_ms = read_u64(&r);
    return row_done(&r);
}
