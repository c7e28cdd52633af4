/* ids: comparison, text forms, UUIDv7 and homes. Pure functions; no clock and no randomness. */
#include "broker/wire/ids.h"

#include <sodium.h>
#include <string.h>

_Static_assert(sizeof(struct message_ref) == REFERENCE_LEN, "reference is three ids, no padding");
_Static_assert(((REFERENCE_LEN + 4) * 8 + 4) / 5 == REFERENCE_TEXT_LEN, "base32 room");

int term_compare(struct term a, struct term b)
{
    return memcmp(a.bytes, b.bytes, sizeof a.bytes);
}

int position_compare(struct position a, struct position b)
{
    int order = term_compare(a.term, b.term);
    if (order) return order;
    return a.seq < b.seq ? -1 : a.seq > b.seq;
}

int session_compare(struct session_id a, struct session_id b)
{
    int order = term_compare(a.term, b.term);
    if (order) return order;
    return a.number < b.number ? -1 : a.number > b.number;
}

bool term_equal(struct term a, struct term b)
{
    return term_compare(a, b) == 0;
}

bool device_equal(struct device_id a, struct device_id b)
{
    return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

bool message_equal(struct message_id a, struct message_id b)
{
    return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

bool target_equal(struct target_id a, struct target_id b)
{
    return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

struct term term_make(uint64_t opened_ms, uint64_t random)
{
    struct term t;
    put_u64(t.bytes, opened_ms);
    put_u64(t.bytes + 8, random);
    return t;
}

uint64_t term_opened_ms(struct term t)
{
    return get_u64(t.bytes);
}

struct target_id target_of_account(struct account_id a)
{
    struct target_id t;
    memcpy(t.bytes, a.bytes, sizeof t.bytes);
    return t;
}

struct message_id message_id_make(uint64_t time_ms, const uint8_t random[10])
{
    struct message_id id;
    put_u16(id.bytes, (uint16_t)(time_ms >> 32));
    put_u32(id.bytes + 2, (uint32_t)time_ms);
    memcpy(id.bytes + 6, random, 10);
    id.bytes[6] = (uint8_t)(0x70 | (id.bytes[6] & 0x0f));
    id.bytes[8] = (uint8_t)(0x80 | (id.bytes[8] & 0x3f));
    return id;
}

bool message_id_is_v7(struct message_id id)
{
    return (id.bytes[6] & 0xf0) == 0x70 && (id.bytes[8] & 0xc0) == 0x80;
}

uint64_t message_id_time_ms(struct message_id id)
{
    return (uint64_t)get_u16(id.bytes) << 32 | get_u32(id.bytes + 2);
}

void message_id_text(struct message_id id, char out[MESSAGE_ID_TEXT_LEN + 1])
{
    char hex[33];
    hex_encode(id.bytes, sizeof id.bytes, hex);
    static const uint8_t groups[] = {8, 4, 4, 4, 12};
    const char *from = hex;
    for (size_t g = 0; g < sizeof groups; g++) {
        memcpy(out, from, groups[g]);
        from += groups[g];
        out += groups[g];
        *out++ = g + 1 < sizeof groups ? '-' : '\0';
    }
}

enum status message_id_parse(const char *text, struct message_id *out)
{
    char hex[33];
    size_t len = 0;
    memset(out, 0, sizeof *out);
    if (strlen(text) != MESSAGE_ID_TEXT_LEN) return STATUS_MALFORMED;
    for (size_t i = 0; i < MESSAGE_ID_TEXT_LEN; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash != (text[i] == '-')) return STATUS_MALFORMED;
        if (!dash) hex[len++] = text[i];
    }
    hex[len] = '\0';
    return hex_decode(hex, out->bytes, sizeof out->bytes);
}

uint16_t home_of_target(struct target_id t)
{
    return (uint16_t)(get_u16(t.bytes) >> 4);
}

uint16_t home_of_account(struct account_id a)
{
    return home_of_target(target_of_account(a));
}

uint16_t home_of_link(struct link_box box)
{
    struct target_id id;
    _Static_assert(sizeof id == sizeof box, "both are hashes");
    memcpy(&id, &box, sizeof id);
    return home_of_target(id);
}

uint16_t home_of_handle(struct view handle)
{
    struct hash256 h = hash_bytes("sealmq handle home 1", handle, view_of(NULL, 0),
                                  view_of(NULL, 0));
    return (uint16_t)(get_u16(h.bytes) >> 4);
}

void hex_encode(const uint8_t *at, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        *out++ = digits[at[i] >> 4];
        *out++ = digits[at[i] & 15];
    }
    *out = '\0';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

enum status hex_decode(const char *text, uint8_t *out, size_t len)
{
    memset(out, 0, len);
    if (strlen(text) != 2 * len) return STATUS_MALFORMED;
    for (size_t i = 0; i < len; i++) {
        int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            memset(out, 0, len);
            return STATUS_MALFORMED;
        }
        out[i] = (uint8_t)(high << 4 | low);
    }
    return STATUS_OK;
}

static const char base32_digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

void base32_encode(const uint8_t *at, size_t len, char *out)
{
    for (size_t bit = 0; bit < len * 8; bit += 5) {
        unsigned value = 0;
        for (size_t i = bit; i < bit + 5; i++) {
            unsigned byte = i / 8 < len ? at[i / 8] : 0;
            value = value << 1 | (byte >> (7 - i % 8) & 1);
        }
        *out++ = base32_digits[value];
    }
    *out = '\0';
}

/* Crockford: I and L read as 1, O as 0; -1 for what is no digit. */
static int base32_value(char c)
{
    if (c >= 'a' && c <= 'z') c = (char)(c - 'a' + 'A');
    if (c == 'I' || c == 'L') c = '1';
    if (c == 'O') c = '0';
    const char *at = c ? strchr(base32_digits, c) : NULL;
    return at ? (int)(at - base32_digits) : -1;
}

static enum status base32_read(const char *text, uint8_t *out, size_t len)
{
    const size_t digits = (len * 8 + 4) / 5;
    size_t bit = 0;
    for (; *text; text++) {
        if (*text == '-' || *text == ' ') continue;
        int value = base32_value(*text);
        if (value < 0 || bit / 5 >= digits) return STATUS_MALFORMED;
        for (int i = 4; i >= 0; i--, bit++) {
            if (!(value >> i & 1)) continue;
            if (bit / 8 >= len) return STATUS_MALFORMED;
            out[bit / 8] |= (uint8_t)(0x80u >> bit % 8);
        }
    }
    return bit == digits * 5 ? STATUS_OK : STATUS_MALFORMED;
}

enum status base32_decode(const char *text, uint8_t *out, size_t len)
{
    memset(out, 0, len);
    enum status s = base32_read(text, out, len);
    if (s != STATUS_OK) memset(out, 0, len);
    return s;
}

static void reference_bytes(const struct message_ref *ref, uint8_t out[REFERENCE_LEN + 4])
{
    memcpy(out, ref, REFERENCE_LEN);
    struct hash256 check = hash_bytes("sealmq reference 1", view_of(out, REFERENCE_LEN),
                                      view_of(NULL, 0), view_of(NULL, 0));
    memcpy(out + REFERENCE_LEN, check.bytes, 4);
}

void reference_text(const struct message_ref *ref, char out[REFERENCE_TEXT_LEN + 1])
{
    uint8_t bytes[REFERENCE_LEN + 4];
    reference_bytes(ref, bytes);
    base32_encode(bytes, sizeof bytes, out);
}

enum status reference_parse(const char *text, struct message_ref *out)
{
    uint8_t bytes[REFERENCE_LEN + 4], expected[REFERENCE_LEN + 4];
    struct message_ref ref;
    memset(out, 0, sizeof *out);
    if (base32_decode(text, bytes, sizeof bytes) != STATUS_OK) return STATUS_MALFORMED;
    memcpy(&ref, bytes, sizeof ref);
    reference_bytes(&ref, expected);
    if (memcmp(bytes, expected, sizeof bytes) != 0) return STATUS_MALFORMED;
    *out = ref;
    return STATUS_OK;
}

struct hash256 hash_bytes(const char *label, struct view a, struct view b, struct view c)
{
    struct hash256 out;
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, sizeof out.bytes);
    crypto_generichash_update(&state, (const uint8_t *)label, strlen(label) + 1);
    if (a.len) crypto_generichash_update(&state, a.at, a.len);
    if (b.len) crypto_generichash_update(&state, b.at, b.len);
    if (c.len) crypto_generichash_update(&state, c.at, c.len);
    crypto_generichash_final(&state, out.bytes, sizeof out.bytes);
    return out;
}
