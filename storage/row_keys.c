/* row_keys: encode and decode of all stored keys (rows.h). A key's order is its meaning: what is scanned together
 * stands together, and what is asked for first comes first. */
#include "storage/rows.h"

#include <string.h>

static struct store_key key_start(enum row_kind kind, uint16_t home)
{
    struct store_key k = {.len = 3};
    k.bytes[0] = (uint8_t)kind;
    put_u16(k.bytes + 1, home);
    return k;
}

static void key_add(struct store_key *k, const void *at, size_t len)
{
    ENSURE(k->len + len <= sizeof k->bytes);
    memcpy(k->bytes + k->len, at, len);
    k->len = (uint8_t)(k->len + len);
}

static void key_add_u64(struct store_key *k, uint64_t v)
{
    uint8_t bytes[8];
    put_u64(bytes, v);
    key_add(k, bytes, sizeof bytes);
}

struct store_key key_mailbox(enum row_kind kind, uint16_t home, struct device_id device)
{
    struct store_key k = key_start(kind, home);
    key_add(&k, device.bytes, sizeof device.bytes);
    return k;
}

struct store_key key_position(enum row_kind kind, uint16_t home, struct device_id device,
                              struct position at)
{
    struct store_key k = key_mailbox(kind, home, device);
    key_add(&k, at.term.bytes, sizeof at.term.bytes);
    key_add_u64(&k, at.seq);
    return k;
}

enum status key_position_read(struct view key, struct device_id *device, struct position *at)
{
    struct reader r = reader_of(key);
    read_view(&r, 3);
    read_bytes(&r, device->bytes, sizeof device->bytes);
    read_bytes(&r, at->term.bytes, sizeof at->term.bytes);
    at->seq = read_u64(&r);
    return reader_done(&r) == STATUS_OK ? STATUS_OK : STATUS_DAMAGED;
}

/* The id is inverted, so that the first row of a (sender, target) group is the newest id. */
struct store_key key_claim(struct device_id sender, struct target_id target, struct message_id id,
                           uint32_t attempt)
{
    struct store_key k = key_start(ROW_CLAIM, home_of_target(target));
    uint8_t last = (uint8_t)attempt;
    for (size_t i = 0; i < sizeof id.bytes; i++)
        id.bytes[i] = (uint8_t)~id.bytes[i];
    key_add(&k, sender.bytes, sizeof sender.bytes);
    key_add(&k, target.bytes, sizeof target.bytes);
    key_add(&k, id.bytes, sizeof id.bytes);
    key_add(&k, &last, 1);
    return k;
}

enum status key_claim_read(struct view key, struct message_ref *ref, uint32_t *attempt)
{
    struct reader r = reader_of(key);
    read_view(&r, 3);
    read_bytes(&r, ref->sender.bytes, sizeof ref->sender.bytes);
    read_bytes(&r, ref->target.bytes, sizeof ref->target.bytes);
    read_bytes(&r, ref->id.bytes, sizeof ref->id.bytes);
    *attempt = read_u8(&r);
    for (size_t i = 0; i < sizeof ref->id.bytes; i++)
        ref->id.bytes[i] = (uint8_t)~ref->id.bytes[i];
    return reader_done(&r) == STATUS_OK ? STATUS_OK : STATUS_DAMAGED;
}

struct store_key key_page(struct device_id sender, struct message_id last)
{
    struct store_key k = key_start(ROW_PAGE, (uint16_t)(get_u16(sender.bytes) >> 4));
    key_add(&k, sender.bytes, sizeof sender.bytes);
    key_add(&k, last.bytes, sizeof last.bytes);
    return k;
}

enum status key_page_read(struct view key, struct device_id *sender, struct message_id *last)
{
    struct reader r = reader_of(key);
    read_view(&r, 3);
    read_bytes(&r, sender->bytes, sizeof sender->bytes);
    read_bytes(&r, last->bytes, sizeof last->bytes);
    return reader_done(&r) == STATUS_OK ? STATUS_OK : STATUS_DAMAGED;
}

struct store_key key_device(enum row_kind kind, uint16_t home, struct device_id device)
{
    return key_mailbox(kind, home, device);
}

struct store_key key_account(struct account_id account)
{
    struct store_key k = key_start(ROW_ACCOUNT, home_of_account(account));
    key_add(&k, account.bytes, sizeof account.bytes);
    return k;
}

struct store_key key_entry(struct account_id account, uint64_t number)
{
    struct store_key k = key_start(ROW_ENTRY, home_of_account(account));
    key_add(&k, account.bytes, sizeof account.bytes);
    key_add_u64(&k, number);
    return k;
}

struct store_key key_backup(struct account_id account)
{
    struct store_key k = key_start(ROW_BACKUP, home_of_account(account));
    key_add(&k, account.bytes, sizeof account.bytes);
    return k;
}

struct store_key key_backup_part(struct account_id account, uint64_t version, uint32_t part)
{
    struct store_key k = key_start(ROW_BACKUP_PART, home_of_account(account));
    key_add(&k, account.bytes, sizeof account.bytes);
    key_add_u64(&k, version);
    key_add_u64(&k, part);
    return k;
}

struct store_key key_handle(struct view handle)
{
    struct store_key k = key_start(ROW_HANDLE, home_of_handle(handle));
    key_add(&k, handle.at, handle.len);
    return k;
}

static struct store_key key_beside(enum row_kind kind, struct account_id account)
{
    struct store_key k = key_start(kind, home_of_account(account));
    key_add(&k, account.bytes, sizeof account.bytes);
    return k;
}

struct store_key key_hold(struct account_id account)
{
    return key_beside(ROW_HOLD, account);
}

enum status key_hold_read(struct view key, struct account_id *account)
{
    struct reader r = reader_of(key);
    read_view(&r, 3);
    read_bytes(&r, account->bytes, sizeof account->bytes);
    return reader_done(&r) == STATUS_OK ? STATUS_OK : STATUS_DAMAGED;
}

struct store_key key_watch(struct account_id account)
{
    return key_beside(ROW_WATCH, account);
}

struct store_key key_policy(struct account_id account)
{
    return key_beside(ROW_POLICY, account);
}

struct store_key key_contact(struct account_id account, struct account_id other)
{
    struct store_key k = key_beside(ROW_CONTACT, account);
    key_add(&k, other.bytes, sizeof other.bytes);
    return k;
}

enum status key_contact_read(struct view key, struct account_id *account, struct account_id *other)
{
    struct reader r = reader_of(key);
    read_view(&r, 3);
    read_bytes(&r, account->bytes, sizeof account->bytes);
    read_bytes(&r, other->bytes, sizeof other->bytes);
    return reader_done(&r) == STATUS_OK ? STATUS_OK : STATUS_DAMAGED;
}

struct store_key key_single(enum row_kind kind)
{
    return key_start(kind, 0);
}

struct store_key key_term(struct term term)
{
    struct store_key k = key_start(ROW_TERM, 0);
    key_add(&k, term.bytes, sizeof term.bytes);
    return k;
}

struct store_key key_event(uint64_t written_ms, uint64_t number)
{
    struct store_key k = key_start(ROW_EVENT, 0);
    key_add_u64(&k, written_ms);
    key_add_u64(&k, number);
    return k;
}

uint64_t key_event_number(struct view key)
{
    return key.len == 19 ? get_u64(key.at + 11) : 0;
}

struct store_key key_after(struct view key)
{
    struct store_key k = {.len = 0};
    uint8_t zero = 0;
    key_add(&k, key.at, key.len);
    key_add(&k, &zero, 1);
    return k;
}

struct store_key key_end(struct view prefix)
{
    struct store_key k = {.len = 0};
    key_add(&k, prefix.at, prefix.len);
    while (k.len && k.bytes[k.len - 1] == 0xff)
        k.len--;
    if (k.len) k.bytes[k.len - 1]++;
    return k;
}

struct view key_view(const struct store_key *key)
{
    return view_of(key->bytes, key->len);
}
