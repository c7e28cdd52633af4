/* backup_content: written and read by one cursor each. What is read is as little trusted as what a relay says, though whoever made it had
 * the key: histories are verified, bounds are held, and nothing that is here is overwritten. */
#include "clients/backup_content.h"

#include "broker/wire/identity.h"
#include "clients/engine.h"
#include "clients/history.h"

#include <string.h>

#define FORMAT_CONTACTS 1u
#define FORMAT_HISTORY  2u /* and messages */

/* ---- writing ---- */

static enum status entries_write(struct state *state, struct arena *a, const struct identity_log *log, struct buffer *out)
{
    struct entry_scan scan = {.account = log->account, .max = ENTRIES_PER_FRAME};
    enum status s = STATUS_OK;
    while (s == STATUS_OK && scan.first < log->length) {
        s = state_entry_scan(state, a, &scan);
        if (s == STATUS_OK && !scan.count) s = STATUS_DAMAGED;
        for (size_t i = 0; i < scan.count && s == STATUS_OK; i++) {
            write_u16(out, (uint16_t)scan.entries[i].len);
            write_view(out, scan.entries[i]);
        }
        scan.first += scan.count;
    }
    return s;
}

#define NAME_LEN_MAX (32u + 8u + 1u + 8u + 1u + HANDLE_LEN_MAX + 2u) /* of a contact that goes by name only */

/* Bytes that are left. */
struct room {
    size_t chosen;    /* for contacts whom the user has looked up or verified, or is to be asked about; */
    size_t strangers; /* for those who have only written to us, which anybody can */
};

static enum status contact_write(struct state *state, struct arena *a, struct account_id account, struct room *room,
                                 struct buffer *out, struct backup_summary *summary)
{
    struct contact c;
    struct view handle;
    enum status s = state_contact_get(state, account, &c);
    if (s != STATUS_OK) return s;
    s = state_contact_handle(state, account, a, &handle);
    if (s == STATUS_NOT_FOUND) handle = view_of(NULL, 0);
    if (s != STATUS_OK && s != STATUS_NOT_FOUND) return s;
    bool waits = c.hold != LOSS_NONE; /* in doubt, whether it was verified or not */
    bool is_chosen = handle.len || c.verified_ms || c.loss != LOSS_NONE || waits;
    size_t *left = is_chosen ? &room->chosen : &room->strangers, begin = out->len;
    if (*left < NAME_LEN_MAX) {
        summary->left++;
        return STATUS_OK;
    }
    write_bytes(out, account.bytes, sizeof account.bytes);
    write_u64(out, c.verified_ms);
    write_u8(out, (uint8_t)(waits ? c.hold : c.loss));
    write_u64(out, waits ? c.hold_ms : c.lost_ms);
    write_u8(out, (uint8_t)handle.len);
    write_view(out, handle);
    size_t at = out->len;
    write_u16(out, (uint16_t)c.log.length);
    s = entries_write(state, a, &c.log, out);
    bool whole = out->len - at <= BACKUP_HISTORY_LEN_MAX && out->len - begin <= *left;
    if (!whole) {
        out->len = at;
        write_u16(out, 0);
    }
    *left -= out->len - begin;
    summary->contacts++;
    summary->named += !whole;
    return s;
}

/* In one order, so that the same home gives the same bytes. */
static enum status contacts_write(struct state *state, struct arena *a, struct account_id own, struct room *room,
                                  struct buffer *out, struct backup_summary *summary)
{
    struct account_id at = {{0}};
    enum status s;
    *summary = (struct backup_summary){.made_ms = summary->made_ms};
    while ((s = state_contact_next(state, at, &at)) == STATUS_OK) {
        if (memcmp(&at, &own, sizeof at) == 0) continue;
        s = contact_write(state, a, at, room, out, summary);
        arena_reset(a);
        if (s != STATUS_OK) return s;
    }
    return s == STATUS_NOT_FOUND ? STATUS_OK : s;
}

/* Strangers get what the others leave: so all of it is written once for those alone. */
static enum status bounded_write(struct state *state, struct arena *a, struct account_id own, size_t len_max,
                                 struct buffer *out, struct backup_summary *summary)
{
    size_t count_at = out->len;
    write_u32(out, 0);
    size_t begin = out->len, whole = len_max > begin ? len_max - begin : 0;
    struct room room = {.chosen = whole};
    enum status s = contacts_write(state, a, own, &room, out, summary);
    if (s == STATUS_OK && summary->left) {
        room = (struct room){.chosen = whole, .strangers = room.chosen};
        out->len = begin;
        s = contacts_write(state, a, own, &room, out, summary);
    }
    put_u32(out->at + count_at, (uint32_t)summary->contacts);
    return s;
}

#define MESSAGE_HEAD_LEN (32u + 16u + 16u + 8u + 1u + 32u + 4u) /* at most; before its payload */
enum { FLAG_SEALED = 1, FLAG_OWN = 2 };

static void message_write(const struct history_item *m, bool own, struct buffer *out)
{
    write_bytes(out, m->sender.bytes, sizeof m->sender.bytes);
    write_bytes(out, m->device.bytes, sizeof m->device.bytes);
    write_bytes(out, m->id.bytes, sizeof m->id.bytes);
    write_u64(out, m->accepted_ms);
    write_u8(out, (uint8_t)((m->sealed ? FLAG_SEALED : 0) | (own ? FLAG_OWN : 0)));
    if (own) write_bytes(out, m->to.bytes, sizeof m->to.bytes);
    write_u32(out, (uint32_t)m->payload.len);
    write_view(out, m->payload);
}

/* The newest first; a long one that has no room is no reason to leave out a short one. */
static enum status messages_write(struct state *state, const struct history_owner *me, size_t len_max, const struct history_place *places,
                                  size_t count, struct buffer *out, struct backup_summary *summary)
{
    struct arena one = {0};
    enum status s = STATUS_OK;
    while (count-- && s == STATUS_OK) {
        struct history_item m;
        arena_reset(&one);
        s = history_get_in(state, &one, me, &places[count], &m);
        bool has_room = out->len < len_max && len_max - out->len >= MESSAGE_HEAD_LEN + m.payload.len;
        if (s == STATUS_OK && !m.timed && !has_room) summary->messages_left++;
        if (s == STATUS_OK && !m.timed && has_room) {
            message_write(&m, memcmp(&m.sender, &me->account, sizeof m.sender) == 0, out);
            summary->messages++;
        }
        if (s == STATUS_NOT_FOUND) s = STATUS_OK; /* its words are gone */
    }
    arena_fini(&one);
    return s;
}

static enum status history_write(struct state *state, const struct history_owner *me, size_t len_max, struct buffer *out,
                                 struct backup_summary *summary)
{
    struct buffer places = {0};
    size_t count_at = out->len;
    write_u32(out, 0);
    enum status s = history_list_in(state, &places);
    if (s == STATUS_OK)
        s = messages_write(state, me, len_max, (const struct history_place *)(const void *)places.at,
                           places.len / sizeof(struct history_place), out, summary);
    buffer_fini(&places);
    put_u32(out->at + count_at, (uint32_t)summary->messages);
    return s;
}

enum status backup_write_in(struct state *state, uint64_t made_ms, size_t len_max, bool history, struct buffer *out,
                            struct backup_summary *summary)
{
    const size_t contacts_max = history && len_max > 4 ? len_max - 4 : len_max;
    struct arena a = {0};
    struct state_identity me;
    struct contact own;
    *summary = (struct backup_summary){.made_ms = made_ms};
    enum status s = state_identity_get(state, &a, &me);
    if (s == STATUS_OK) s = state_contact_get(state, me.account, &own);
    if (s == STATUS_OK) {
        write_u8(out, history ? FORMAT_HISTORY : FORMAT_CONTACTS);
        write_u64(out, made_ms);
        write_bytes(out, me.account.bytes, sizeof me.account.bytes);
        write_u64(out, own.log.length);
        write_bytes(out, own.log.head.bytes, sizeof own.log.head.bytes);
        s = bounded_write(state, &a, me.account, contacts_max, out, summary);
    }
    const struct history_owner owner = {me.account, me.device};
    if (s == STATUS_OK && history) s = history_write(state, &owner, len_max, out, summary);
    arena_fini(&a);
    return s;
}

/* ---- taking ---- */

static enum status history_read(struct reader *r, struct account_id account, uint16_t count, struct arena *a,
                                struct identity_log *log, struct view *entries)
{
    enum status s = STATUS_OK;
    memset(log, 0, sizeof *log);
    for (uint16_t i = 0; i < count && s == STATUS_OK; i++) {
        entries[i] = read_view(r, read_u16(r));
        if (r->failed || !entries[i].len || entries[i].len > ENTRY_LEN_MAX) return STATUS_MALFORMED;
        s = i ? identity_log_append(log, entries[i], a) : identity_log_open(entries[i], a, log);
    }
    if (s == STATUS_OK && count && memcmp(&log->account, &account, sizeof account) != 0) s = STATUS_BAD_ENTRY;
    return s == STATUS_OK ? s : STATUS_BAD_ENTRY;
}

static enum status contact_put_in(struct state *state, const struct contact *c, const struct view *entries)
{
    enum status s = state_contact_put(state, c);
    for (uint64_t i = 0; i < c->log.length && s == STATUS_OK; i++)
        s = state_entry_put(state, c->log.account, i, entries[i]);
    return s;
}

/* A name that means another account here stays what it is. */
static enum status handle_put_in(struct state *state, struct view handle, struct account_id account)
{
    if (!handle.len) return STATUS_OK;
    if (handle_check(handle) != STATUS_OK) return STATUS_MALFORMED;
    enum status s = state_handle_pin(state, handle, account);
    return s == STATUS_BAD_ENTRY ? STATUS_OK : s;
}

static enum status contact_take(struct state *state, struct reader *r, struct arena *a, struct account_id *before,
                                struct backup_summary *summary)
{
    static const struct account_id first;
    struct contact c = {.checked_ms = 0}, held;
    struct account_id account;
    struct view entries[LOG_LENGTH_MAX];
    read_bytes(r, account.bytes, sizeof account.bytes);
    c.verified_ms = read_u64(r);
    uint8_t loss = read_u8(r);
    c.lost_ms = read_u64(r);
    struct view handle = read_view(r, read_u8(r));
    uint16_t count = read_u16(r);
    bool ascends = memcmp(&account, before, sizeof account) > 0 || memcmp(before, &first, sizeof first) == 0;
    if (r->failed || !ascends || loss > LOSS_ROLLBACK || count > LOG_LENGTH_MAX) return STATUS_MALFORMED;
    *before = account;
    c.loss = (enum loss)loss;
    if (c.loss != LOSS_NONE && !c.verified_ms) { /* of what was released there nothing is known here: the user is asked anew */
        c.hold = c.loss;
        c.hold_ms = c.lost_ms;
    }
    enum status s = history_read(r, account, count, a, &c.log, entries);
    if (s != STATUS_OK) return s;
    summary->contacts++;
    summary->named += !count;
    s = state_contact_get(state, account, &held);
    summary->known += s == STATUS_OK;
    if (s == STATUS_NOT_FOUND) s = count ? contact_put_in(state, &c, entries) : STATUS_OK;
    return s == STATUS_OK ? handle_put_in(state, handle, account) : s;
}

static enum status message_take(struct state *state, struct reader *r, const struct history_owner *me, uint64_t now_ms,
                                struct backup_summary *summary)
{
    static const struct account_id nobody;
    struct history_item m = {.timed = false};
    bool added;
    read_bytes(r, m.sender.bytes, sizeof m.sender.bytes);
    read_bytes(r, m.device.bytes, sizeof m.device.bytes);
    read_bytes(r, m.id.bytes, sizeof m.id.bytes);
    m.accepted_ms = read_u64(r);
    uint8_t flags = read_u8(r);
    if (flags & FLAG_OWN) read_bytes(r, m.to.bytes, sizeof m.to.bytes);
    m.payload = read_view(r, read_u32(r));
    m.sealed = flags & FLAG_SEALED;
    bool is_own = memcmp(&m.sender, &me->account, sizeof m.sender) == 0, to_nobody = memcmp(&m.to, &nobody, sizeof nobody) == 0;
    if (r->failed || flags > (FLAG_SEALED | FLAG_OWN) || is_own != ((flags & FLAG_OWN) != 0) || is_own == to_nobody ||
        !m.payload.len || m.payload.len > PAYLOAD_LEN_MAX || m.accepted_ms > HISTORY_TIME_MAX)
        return STATUS_MALFORMED;
    enum status s = history_put_in(state, me, &m, now_ms, &added);
    summary->messages++;
    summary->messages_known += !added;
    return s;
}

static enum status history_take(struct state *state, struct reader *r, const struct history_owner *me, uint64_t now_ms,
                                struct backup_summary *summary)
{
    uint32_t count = read_u32(r);
    enum status s = r->failed ? STATUS_MALFORMED : STATUS_OK;
    for (uint32_t i = 0; i < count && s == STATUS_OK; i++)
        s = message_take(state, r, me, now_ms, summary);
    return s;
}

/* The log that we were shown must go on from the one that the backup's maker knew. */
static enum status own_compare(struct state *state, struct arena *a, struct account_id account, uint64_t length,
                               const uint8_t head[32])
{
    struct contact own;
    struct entry_scan scan = {.account = account, .first = length - 1, .max = 1};
    enum status s = state_contact_get(state, account, &own);
    if (s != STATUS_OK) return s;
    if (!length || length > own.log.length) return STATUS_RELAY_BEHIND;
    s = state_entry_scan(state, a, &scan);
    if (s != STATUS_OK) return s;
    if (scan.count != 1) return STATUS_DAMAGED;
    struct hash256 there = entry_head_of(scan.entries[0], length - 1);
    return memcmp(there.bytes, head, sizeof there.bytes) == 0 ? STATUS_OK : STATUS_RELAY_BEHIND;
}

static enum status take_in(struct state *state, struct view content, bool offered, uint64_t now_ms, struct backup_summary *summary)
{
    struct arena a = {0};
    struct reader r = reader_of(content);
    struct state_identity me;
    struct account_id account, before = {{0}};
    uint8_t format = read_u8(&r), head[32];
    *summary = (struct backup_summary){.made_ms = read_u64(&r)};
    read_bytes(&r, account.bytes, sizeof account.bytes);
    uint64_t length = read_u64(&r);
    read_bytes(&r, head, sizeof head);
    uint32_t count = read_u32(&r);
    bool is_known = format == FORMAT_CONTACTS || format == FORMAT_HISTORY;
    enum status s = r.failed || !is_known ? STATUS_MALFORMED : state_identity_get(state, &a, &me);
    if (s == STATUS_OK && memcmp(&account, &me.account, sizeof account) != 0) s = STATUS_BAD_ENTRY;
    if (s == STATUS_OK && !offered) s = own_compare(state, &a, account, length, head);
    for (uint32_t i = 0; i < count && s == STATUS_OK; i++) {
        s = contact_take(state, &r, &a, &before, summary);
        arena_reset(&a);
    }
    const struct history_owner owner = {me.account, me.device};
    if (s == STATUS_OK && format == FORMAT_HISTORY) s = history_take(state, &r, &owner, now_ms, summary);
    if (s == STATUS_OK && reader_done(&r) != STATUS_OK) s = STATUS_MALFORMED;
    arena_fini(&a);
    return s;
}

enum status backup_take_in(struct state *state, struct view content, uint64_t now_ms, struct backup_summary *summary)
{
    return take_in(state, content, false, now_ms, summary);
}

enum status backup_take_offered_in(struct state *state, struct view content, struct backup_summary *summary)
{
    *summary = (struct backup_summary){.made_ms = 0};
    return content.len && content.at[0] > FORMAT_CONTACTS ? STATUS_OK : take_in(state, content, true, 0, summary);
}
