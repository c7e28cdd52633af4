/* safety: safety numbers and the text that is scanned (PROTOCOL 10.8). The marks of verified contacts, and when they
 * are lost, are verify.c's. Invariants: a text has one meaning and one checksum, and every bit of it counts; a text of which
 * something cannot be told yet is never a match. */
#include "clients/safety.h"

#include <sodium.h>
#include <string.h>

#define GROUPS    12u
#define SIDE_LEN  68u
#define BYTES_LEN (2u * SIDE_LEN + 4u)
#define SCHEME    "sealmq:verify:"
#define VERSION   "1:"

_Static_assert(SAFETY_NUMBER_LEN == GROUPS * 6 - 1, "groups and the spaces between them");
_Static_assert(SAFETY_TEXT_LEN == sizeof SCHEME VERSION - 1 + BYTES_LEN * 8 / 5 && BYTES_LEN * 8 % 5 == 0,
               "base32 without a rest");

/* ---- the number ---- */

void safety_number(struct account_id a, struct account_id b, char out[SAFETY_NUMBER_LEN + 1])
{
    static const char label[] = "sealmq safety number 1";
    bool swap = memcmp(&a, &b, sizeof a) > 0;
    crypto_generichash_state state;
    uint8_t hash[64];
    crypto_generichash_init(&state, NULL, 0, sizeof hash);
    crypto_generichash_update(&state, (const uint8_t *)label, sizeof label);
    crypto_generichash_update(&state, swap ? b.bytes : a.bytes, sizeof a.bytes);
    crypto_generichash_update(&state, swap ? a.bytes : b.bytes, sizeof a.bytes);
    crypto_generichash_final(&state, hash, sizeof hash);
    for (size_t i = 0; i < GROUPS; i++) {
        uint64_t value = 0;
        for (size_t k = 0; k < 5; k++)
            value = value << 8 | hash[5 * i + k];
        value %= 100000;
        for (size_t k = 5; k > 0; k--, value /= 10)
            out[6 * i + k - 1] = (char)('0' + value % 10);
        out[6 * i + 5] = ' ';
    }
    out[SAFETY_NUMBER_LEN] = '\0';
}

/* ---- the text ---- */

static void side_write(const struct safety_side *side, uint8_t out[SIDE_LEN])
{
    memcpy(out, side->account.bytes, 32);
    put_u32(out + 32, (uint32_t)side->length);
    memcpy(out + 36, side->head.bytes, 32);
}

static enum status side_read(const uint8_t bytes[SIDE_LEN], struct safety_side *out)
{
    memcpy(out->account.bytes, bytes, 32);
    out->length = get_u32(bytes + 32);
    memcpy(out->head.bytes, bytes + 36, 32);
    return out->length >= 1 && out->length <= LOG_LENGTH_MAX ? STATUS_OK : STATUS_MALFORMED;
}

static void check_write(uint8_t bytes[BYTES_LEN])
{
    struct hash256 check =
        hash_bytes("sealmq safety text 1", view_of(bytes, 2 * SIDE_LEN), view_of(NULL, 0), view_of(NULL, 0));
    memcpy(bytes + 2 * SIDE_LEN, check.bytes, 4);
}

void safety_text(const struct safety_pair *pair, char out[SAFETY_TEXT_LEN + 1])
{
    uint8_t bytes[BYTES_LEN];
    side_write(&pair->own, bytes);
    side_write(&pair->contact, bytes + SIDE_LEN);
    check_write(bytes);
    memcpy(out, SCHEME VERSION, sizeof SCHEME VERSION - 1);
    base32_encode(bytes, sizeof bytes, out + sizeof SCHEME VERSION - 1);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Without white space, from `text` into `out`; false: longer than any text of this version. */
static bool squeeze(const char *text, char out[SAFETY_TEXT_LEN + 1])
{
    size_t len = 0;
    for (; *text; text++) {
        if (is_space(*text)) continue;
        if (len == SAFETY_TEXT_LEN) return false;
        out[len++] = *text;
    }
    out[len] = '\0';
    return true;
}

/* Whether it begins so; the scheme's own letters are lower ones. */
static bool begins(const char *text, const char *with)
{
    for (; *with; with++, text++)
        if (lower(*text) != *with) return false;
    return true;
}

/* "2:" and on: a text of a version that is not known here. */
static bool is_later(const char *text)
{
    while (is_space(*text))
        text++;
    if (!begins(text, SCHEME)) return false;
    text += sizeof SCHEME - 1;
    if (*text < '1' || *text > '9' || (text[0] == '1' && text[1] == ':')) return false;
    while (*text >= '0' && *text <= '9')
        text++;
    return *text == ':';
}

static enum status bytes_read(const uint8_t bytes[BYTES_LEN], struct safety_pair *out)
{
    uint8_t expected[BYTES_LEN];
    memcpy(expected, bytes, sizeof expected);
    check_write(expected);
    if (memcmp(bytes, expected, sizeof expected) != 0) return STATUS_MALFORMED;
    if (side_read(bytes, &out->own) != STATUS_OK) return STATUS_MALFORMED;
    return side_read(bytes + SIDE_LEN, &out->contact);
}

enum status safety_parse(const char *text, struct safety_pair *out)
{
    char squeezed[SAFETY_TEXT_LEN + 1];
    uint8_t bytes[BYTES_LEN];
    struct safety_pair pair;
    memset(out, 0, sizeof *out);
    if (is_later(text)) return STATUS_UNSUPPORTED;
    if (!squeeze(text, squeezed) || !begins(squeezed, SCHEME VERSION)) return STATUS_MALFORMED;
    if (base32_decode(squeezed + sizeof SCHEME VERSION - 1, bytes, sizeof bytes) != STATUS_OK) return STATUS_MALFORMED;
    if (bytes_read(bytes, &pair) != STATUS_OK) return STATUS_MALFORMED;
    *out = pair;
    return STATUS_OK;
}

/* ---- comparing ---- */

static bool account_equal(struct account_id a, struct account_id b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

static bool is_newer(const struct safety_side *held, const struct safety_side *shown)
{
    return shown->length > held->length;
}

static bool is_forked(const struct safety_side *held, const struct safety_side *shown)
{
    return !is_newer(held, shown) && memcmp(&held->head, &shown->head, sizeof held->head) != 0;
}

struct safety_result safety_compare(const struct safety_pair *held, const struct safety_pair *shown)
{
    const struct safety_side *own = &shown->contact, *contact = &shown->own; /* they see it from the other side */
    if (!account_equal(own->account, held->own.account) || !account_equal(contact->account, held->contact.account))
        return (struct safety_result){.verdict = SAFETY_OTHER};
    struct safety_result forked = {SAFETY_FORK, is_forked(&held->own, own), is_forked(&held->contact, contact)};
    if (forked.own || forked.contact) return forked;
    struct safety_result newer = {SAFETY_NEWER, is_newer(&held->own, own), is_newer(&held->contact, contact)};
    if (newer.own || newer.contact) return newer;
    return (struct safety_result){.verdict = SAFETY_MATCH};
}

bool safety_ends(const struct msg_entry_body *body)
{
    static const struct device_id none;
    return body->operation == ENTRY_ADD && device_equal(body->signer, none);
}
