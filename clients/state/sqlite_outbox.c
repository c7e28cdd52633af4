/* sqlite_outbox: the messages that we send, and their bytes. A row of `outbox` has everything
 * but the bytes, so that scans stay small; its row in `body` is made and removed with it.
 * The payload is sealed, and so is the hash of it by which a caller's repetition is known: it would tell a short
 * text to whoever tries texts. So is the content's head, which has the franking key. What goes over the wire is not.
 * Packed lists: attempts = 32 bytes each; parts = device, state, outcome (u32), attempt and reason (u16), at_ms
 * (u64), big-endian, PART_LEN each.
 * A copy has its message's key and id; in the columns, which are unique, one byte 1 follows.
 * Invariant: `class` is always message_class_of(state). */
#include "clients/state/sqlite_call.h"

#include <string.h>

#define PART_LEN (16u + 3u * 4u + 8u)
#define COPY_MARK 1u /* no character of a key */

static size_t parts_pack(const struct outbox_row *row, uint8_t *out)
{
    for (size_t i = 0; i < row->part_count; i++) {
        const struct msg_part_state *part = &row->parts[i];
        uint8_t *at = out + i * PART_LEN;
        memcpy(at, part->device.bytes, 16);
        put_u32(at + 16, part->state);
        put_u32(at + 20, part->outcome);
        put_u32(at + 24, part->attempt << 16 | part->reason);
        put_u64(at + 28, part->at_ms);
    }
    return row->part_count * PART_LEN;
}

static void parts_read(struct call *c, struct outbox_row *out)
{
    struct view packed = column_view(c, DEVICES_PER_ACCOUNT * PART_LEN);
    if (packed.len % PART_LEN != 0) {
        call_damaged(c);
        return;
    }
    out->part_count = packed.len / PART_LEN;
    for (size_t i = 0; i < out->part_count; i++) {
        const uint8_t *at = packed.at + i * PART_LEN;
        struct msg_part_state *part = &out->parts[i];
        memcpy(part->device.bytes, at, 16);
        part->state = get_u32(at + 16);
        part->outcome = get_u32(at + 20);
        part->reason = get_u32(at + 24) & 0xffff;
        part->attempt = get_u32(at + 24) >> 16;
        part->at_ms = get_u64(at + 28);
    }
}

static void attempts_read(struct call *c, struct outbox_row *out)
{
    struct view packed = column_view(c, sizeof out->attempts);
    if (packed.len % sizeof out->attempts[0] != 0) {
        call_damaged(c);
        return;
    }
    out->attempt_count = packed.len / sizeof out->attempts[0];
    if (packed.len > 0) memcpy(out->attempts, packed.at, packed.len);
}

/* A key or an id as its column has it. */
struct name {
    uint8_t bytes[STATE_KEY_LEN_MAX + 1];
    size_t len;
};

static struct name name_of(const struct outbox_row *row, const void *at, size_t len)
{
    struct name name = {.len = len};
    memcpy(name.bytes, at, len);
    if (row->copy_of) name.bytes[name.len++] = COPY_MARK;
    return name;
}

/* The key is that of a row's sealed columns, too: a new row has no order yet. */
static struct name key_of(const struct outbox_row *row)
{
    return name_of(row, row->key.text, strlen(row->key.text));
}

static struct view name_view(const struct name *name)
{
    return view_of(name->bytes, name->len);
}

/* What is bound by its address, until the call's end. */
struct bound {
    uint8_t parts[DEVICES_PER_ACCOUNT * PART_LEN];
    struct name key, id;
};

static void names_bind(struct call *c, const struct outbox_row *row, struct bound *b)
{
    static const struct message_id NO_ID = {{0}};
    b->key = key_of(row);
    b->id = name_of(row, row->id.bytes, sizeof row->id.bytes);
    if (row->copy_of)
        bind_u64(c, row->copy_of);
    else
        bind_null(c);
    bind_view(c, name_view(&b->key));
    if (message_equal(row->id, NO_ID))
        bind_null(c); /* UNIQUE lets any number of these in */
    else
        bind_view(c, name_view(&b->id));
}

/* The columns of OUTBOX_COLUMNS, in its order; outbox_read is the other half. */
static void outbox_bind(struct call *c, const struct outbox_row *row, struct bound *b)
{
    bind_u64(c, message_class_of(row->state));
    names_bind(c, row, b);
    bind_bytes(c, row->handle, row->handle_len);
    bind_bytes(c, row->target.bytes, sizeof row->target.bytes);
    bind_u64(c, row->state);
    bind_u64(c, row->reason);
    bind_sealed(c, "outbox.content", name_view(&b->key), view_of(row->content.bytes, sizeof row->content.bytes));
    bind_u64(c, row->ttl_ms);
    bind_u64(c, row->created_ms);
    bind_ordered(c, row->due_ms);
    bind_ordered(c, row->ended_ms);
    bind_u64(c, row->tries);
    bind_u64(c, row->rounds);
    bind_u64(c, row->submitted);
    bind_u64(c, row->doubtful);
    bind_u64(c, row->lost);
    bind_bytes(c, row->digest.bytes, sizeof row->digest.bytes);
    bind_bytes(c, row->attempts, row->attempt_count * sizeof row->attempts[0]);
    bind_u64(c, row->level);
    bind_u64(c, row->expires_ms);
    bind_bytes(c, row->receipt.store.bytes, sizeof row->receipt.store.bytes);
    bind_bytes(c, row->receipt.term.bytes, sizeof row->receipt.term.bytes);
    bind_ordered(c, row->receipt.commit);
    bind_u64(c, row->receipt.key_id);
    bind_u64(c, row->receipt.accepted_ms);
    bind_bytes(c, row->receipt.mac.bytes, sizeof row->receipt.mac.bytes);
    bind_bytes(c, b->parts, parts_pack(row, b->parts));
    bind_u64(c, row->sealed);
    bind_u64(c, row->attempt);
    bind_u64(c, row->fresh);
}

static void enumerations_read(struct call *c, struct outbox_row *out)
{
    uint32_t state = column_u32(c);
    uint32_t reason = column_u32(c);
    if (state == MESSAGE_NONE || state >= MESSAGE_STATE_END ||
        strcmp(status_name((enum status)reason), "?") == 0)
        call_damaged(c);
    out->state = (enum message_state)state;
    out->reason = (enum status)reason;
}

static uint64_t copy_of_read(struct call *c)
{
    if (c->status != STATUS_OK || sqlite3_column_type(c->statement, c->column) != SQLITE_NULL) return column_u64(c);
    c->column++;
    return 0;
}

/* A name in a column, without a copy's mark. */
static struct view name_read(struct call *c, const struct outbox_row *row, size_t max)
{
    struct view name = column_view(c, max + (row->copy_of > 0));
    if (!row->copy_of) return name;
    if (name.len == 0 || name.at[name.len - 1] != COPY_MARK) {
        call_damaged(c);
        return view_of(NULL, 0);
    }
    return view_of(name.at, name.len - 1);
}

static void key_read(struct call *c, struct outbox_row *out)
{
    struct view key = name_read(c, out, STATE_KEY_LEN_MAX);
    if (key.len == 0) call_damaged(c);
    if (key.len > 0) memcpy(out->key.text, key.at, key.len);
}

static void id_read(struct call *c, struct outbox_row *out)
{
    if (!out->copy_of) {
        column_maybe(c, out->id.bytes, sizeof out->id.bytes);
        return;
    }
    struct view id = name_read(c, out, sizeof out->id.bytes); /* a copy has one from the beginning */
    if (id.len != sizeof out->id.bytes)
        call_damaged(c);
    else
        memcpy(out->id.bytes, id.at, sizeof out->id.bytes);
}

static void handle_read(struct call *c, struct outbox_row *out)
{
    struct view handle = column_view(c, HANDLE_LEN_MAX);
    if (handle.len > 0) memcpy(out->handle, handle.at, handle.len);
    out->handle_len = handle.len;
}

static void receipt_read(struct call *c, struct msg_receipt *out)
{
    column_bytes(c, out->store.bytes, sizeof out->store.bytes);
    column_bytes(c, out->term.bytes, sizeof out->term.bytes);
    out->commit = column_ordered(c);
    out->key_id = column_u32(c);
    out->accepted_ms = column_u64(c);
    column_bytes(c, out->mac.bytes, sizeof out->mac.bytes);
}

static void outbox_read(struct call *c, struct outbox_row *out)
{
    memset(out, 0, sizeof *out);
    out->order = column_u64(c);
    out->copy_of = copy_of_read(c);
    key_read(c, out);
    const struct name key = key_of(out);
    id_read(c, out);
    handle_read(c, out);
    column_bytes(c, out->target.bytes, sizeof out->target.bytes);
    enumerations_read(c, out);
    column_sealed(c, "outbox.content", name_view(&key), out->content.bytes, sizeof out->content.bytes);
    out->ttl_ms = column_u64(c);
    out->created_ms = column_u64(c);
    out->due_ms = column_ordered(c);
    out->ended_ms = column_ordered(c);
    out->tries = column_u32(c);
    out->rounds = column_u32(c);
    out->submitted = column_bool(c);
    out->doubtful = column_bool(c);
    out->lost = column_bool(c);
    column_bytes(c, out->digest.bytes, sizeof out->digest.bytes);
    attempts_read(c, out);
    out->level = column_u32(c);
    out->expires_ms = column_u64(c);
    receipt_read(c, &out->receipt);
    parts_read(c, out);
    out->sealed = column_bool(c);
    out->attempt = column_u32(c);
    out->fresh = column_bool(c);
}

/* One row or NOT_FOUND; ends the call. */
static enum status outbox_take(struct call *c, struct outbox_row *out)
{
    bool found = call_step(c);
    if (found) outbox_read(c, out);
    enum status s = call_end(c);
    if (s != STATUS_OK || !found) memset(out, 0, sizeof *out);
    return s == STATUS_OK && !found ? STATUS_NOT_FOUND : s;
}

/* A key or an id of another row is an answer, not a failure: the statement undid itself. */
static enum status outbox_write(struct call *c, size_t *changes)
{
    enum status s = call_run(c, changes);
    if (s != STATUS_IO || c->s->result != SQLITE_CONSTRAINT_UNIQUE) return s;
    c->s->failed = false;
    return STATUS_STATE;
}

static enum status outbox_add(struct state *s, struct outbox_row *row)
{
    struct bound bound;
    struct call c = call_begin(s, STATEMENT_OUTBOX_ADD);
    outbox_bind(&c, row, &bound);
    enum status status = outbox_write(&c, NULL);
    if (status != STATUS_OK) return status;
    uint64_t order = (uint64_t)sqlite3_last_insert_rowid(((struct sqlite_state *)s)->db);
    c = call_begin(s, STATEMENT_BODY_ADD);
    bind_u64(&c, order);
    status = call_run(&c, NULL);
    if (status == STATUS_OK) row->order = order;
    return status;
}

enum status sqlite_outbox_put(struct state *s, struct outbox_row *row)
{
    struct bound bound;
    size_t changes;
    if (row->order == 0) return outbox_add(s, row);
    struct call c = call_begin(s, STATEMENT_OUTBOX_SET);
    outbox_bind(&c, row, &bound);
    bind_u64(&c, row->order);
    enum status status = outbox_write(&c, &changes);
    return status == STATUS_OK && changes == 0 ? STATUS_NOT_FOUND : status;
}

enum status sqlite_outbox_get(struct state *s, uint64_t order, struct outbox_row *out)
{
    struct call c = call_begin(s, STATEMENT_OUTBOX_GET);
    bind_u64(&c, order);
    return outbox_take(&c, out);
}

enum status sqlite_outbox_find_key(struct state *s, const struct message_key *key,
                                   struct outbox_row *out)
{
    struct call c = call_begin(s, STATEMENT_OUTBOX_FIND_KEY);
    bind_bytes(&c, key->text, strlen(key->text));
    return outbox_take(&c, out);
}

enum status sqlite_outbox_find_id(struct state *s, struct message_id id, struct outbox_row *out)
{
    struct call c = call_begin(s, STATEMENT_OUTBOX_FIND_ID);
    bind_bytes(&c, id.bytes, sizeof id.bytes);
    return outbox_take(&c, out);
}

enum status sqlite_outbox_copy(struct state *s, uint64_t message, struct outbox_row *out)
{
    struct call c = call_begin(s, STATEMENT_OUTBOX_COPY);
    bind_u64(&c, message);
    return outbox_take(&c, out);
}

enum status sqlite_outbox_find_copy(struct state *s, struct message_id id, struct outbox_row *out)
{
    const struct name name = name_of(&(struct outbox_row){.copy_of = 1}, id.bytes, sizeof id.bytes);
    struct call c = call_begin(s, STATEMENT_OUTBOX_FIND_ID);
    bind_view(&c, name_view(&name));
    return outbox_take(&c, out);
}

static struct call held_scan(struct state *s, const struct outbox_scan *scan)
{
    struct call c = call_begin(s, STATEMENT_OUTBOX_SCAN_HELD);
    bind_u64(&c, scan->after);
    bind_u64(&c, scan->row_max);
    return c;
}

static struct call due_scan(struct state *s, const struct outbox_scan *scan)
{
    uint64_t ahead = scan->due_ms > UINT64_MAX - OUTBOX_DUE_AHEAD_MAX_MS
                         ? UINT64_MAX
                         : scan->due_ms + OUTBOX_DUE_AHEAD_MAX_MS;
    struct call c =
        call_begin(s, scan->class == 0 ? STATEMENT_OUTBOX_SCAN : STATEMENT_OUTBOX_SCAN_CLASS);
    bind_u64(&c, scan->after);
    bind_u64(&c, scan->due_ms == 0);
    bind_ordered(&c, scan->due_ms);
    bind_ordered(&c, ahead);
    bind_u64(&c, scan->row_max);
    if (scan->class != 0) bind_u64(&c, scan->class);
    return c;
}

enum status sqlite_outbox_scan(struct state *s, struct outbox_scan *scan)
{
    scan->row_count = 0;
    if (scan->after > INT64_MAX) return STATUS_OK; /* beyond every order number */
    struct call c = scan->held ? held_scan(s, scan) : due_scan(s, scan);
    while (scan->row_count < scan->row_max && call_step(&c))
        outbox_read(&c, &scan->rows[scan->row_count++]);
    enum status status = call_end(&c);
    if (status != STATUS_OK) scan->row_count = 0;
    return status;
}

enum status sqlite_outbox_receipt(struct state *s, struct store_id store, struct term term,
                                  uint64_t commit, uint64_t after, struct outbox_row *out)
{
    struct call c = call_begin(s, STATEMENT_OUTBOX_RECEIPT);
    bind_bytes(&c, store.bytes, sizeof store.bytes);
    bind_bytes(&c, term.bytes, sizeof term.bytes);
    bind_ordered(&c, commit);
    bind_u64(&c, after > INT64_MAX ? INT64_MAX : after);
    return outbox_take(&c, out);
}

enum status sqlite_body_get(struct state *s, uint64_t order, struct arena *a,
                            struct outbox_body *out)
{
    uint8_t key[8];
    memset(out, 0, sizeof *out);
    put_u64(key, order);
    struct call c = call_begin(s, STATEMENT_BODY_GET);
    bind_u64(&c, order);
    bool found = call_step(&c);
    struct outbox_body body = {0};
    if (found) {
        body.payload = column_sealed_copy(&c, "body.payload", view_of(key, sizeof key), a, SIZE_MAX);
        body.item = column_copy(&c, a, SIZE_MAX);
        body.ciphertext = column_copy(&c, a, SIZE_MAX);
        body.answer = column_copy(&c, a, STATE_ANSWER_LEN_MAX);
        body.head = column_sealed_copy(&c, "body.head", view_of(key, sizeof key), a, CONTENT_HEAD_LEN);
    }
    enum status status = call_end(&c);
    if (status != STATUS_OK) return status;
    *out = body;
    return found ? STATUS_OK : STATUS_NOT_FOUND;
}

enum status sqlite_body_put(struct state *s, uint64_t order, const struct outbox_body *in)
{
    size_t changes;
    uint8_t key[8];
    put_u64(key, order);
    struct call c = call_begin(s, STATEMENT_BODY_SET);
    bind_sealed(&c, "body.payload", view_of(key, sizeof key), in->payload);
    bind_view(&c, in->item);
    bind_view(&c, in->ciphertext);
    bind_view(&c, in->answer);
    bind_sealed(&c, "body.head", view_of(key, sizeof key), in->head);
    bind_u64(&c, order);
    enum status status = call_run(&c, &changes);
    return status == STATUS_OK && changes == 0 ? STATUS_NOT_FOUND : status;
}
