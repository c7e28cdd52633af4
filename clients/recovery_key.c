/* recovery_key: 128 random bits and 7 of their checksum are 9 groups of 15 bits: three characters each, and a fourth that
 * is a sum of them over the field of 32 elements, with other factors and another constant in each place, so that a
 * wrong character, or one in another's place, is found in its group. Invariant: nothing of a code stays behind. */
#include "clients/recovery_key.h"

#include <sodium.h>
#include <string.h>

static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

#define SYMBOLS (4u * RECOVERY_GROUPS)

/* ---- the text ---- */

/* Times x, modulo x^5 + x^2 + 1. */
static unsigned doubled(unsigned a)
{
    return (a << 1 ^ (a & 16 ? 0x25u : 0)) & 31;
}

static unsigned check_of(const uint8_t symbols[3], unsigned group)
{
    return doubled(symbols[0] ^ doubled(symbols[1] ^ doubled(symbols[2]))) ^ (group + 1);
}

/* The code, and the first 7 bits of its checksum in the first bits of the last byte. */
static void bits_of(const struct recovery_code *code, uint8_t out[17])
{
    struct hash256 check = hash_bytes("sealmq recovery check 1", view_of(code->bytes, sizeof code->bytes),
                                      view_of(NULL, 0), view_of(NULL, 0));
    memcpy(out, code->bytes, sizeof code->bytes);
    out[16] = check.bytes[0] & 0xfe;
    sodium_memzero(&check, sizeof check);
}

static unsigned bit_at(const uint8_t *bits, size_t i)
{
    return bits[i / 8] >> (7 - i % 8) & 1;
}

void recovery_code_text(const struct recovery_code *code, char out[RECOVERY_TEXT_LEN + 1])
{
    uint8_t bits[17], symbols[4];
    bits_of(code, bits);
    for (unsigned group = 0; group < RECOVERY_GROUPS; group++) {
        for (unsigned k = 0; k < 3; k++) {
            symbols[k] = 0;
            for (unsigned i = 0; i < 5; i++)
                symbols[k] = (uint8_t)((unsigned)symbols[k] << 1 | bit_at(bits, 15 * group + 5 * k + i));
        }
        symbols[3] = (uint8_t)check_of(symbols, group);
        for (unsigned k = 0; k < 4; k++)
            out[5 * group + k] = digits[symbols[k]];
        out[5 * group + 4] = '-';
    }
    out[RECOVERY_TEXT_LEN] = '\0';
    sodium_memzero(bits, sizeof bits);
    sodium_memzero(symbols, sizeof symbols);
}

static bool is_passed_over(char c)
{
    return c == '-' || c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int symbol_of(char c)
{
    if (c >= 'a' && c <= 'z') c = (char)(c - 'a' + 'A');
    if (c == 'I' || c == 'L') c = '1';
    if (c == 'O') c = '0';
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

static enum recovery_fault symbols_read(struct view text, uint8_t out[SYMBOLS], unsigned *group)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (is_passed_over((char)text.at[i])) continue;
        int symbol = symbol_of((char)text.at[i]);
        *group = (unsigned)(count / 4 < RECOVERY_GROUPS ? count / 4 : RECOVERY_GROUPS);
        if (count == SYMBOLS) return RECOVERY_FAULT_LENGTH;
        *group += 1;
        if (symbol < 0) return RECOVERY_FAULT_SYMBOL;
        out[count++] = (uint8_t)symbol;
    }
    *group = (unsigned)(count / 4);
    return count == SYMBOLS ? RECOVERY_FAULT_NONE : RECOVERY_FAULT_LENGTH;
}

static enum recovery_fault groups_read(const uint8_t symbols[SYMBOLS], uint8_t bits[17], unsigned *group)
{
    for (unsigned g = 0; g < RECOVERY_GROUPS; g++) {
        *group = g + 1;
        if (symbols[4 * g + 3] != check_of(&symbols[4 * g], g)) return RECOVERY_FAULT_GROUP;
        for (unsigned i = 0; i < 15; i++) {
            unsigned at = 15 * g + i, bit = (unsigned)symbols[4 * g + i / 5] >> (4 - i % 5) & 1;
            bits[at / 8] = (uint8_t)(bits[at / 8] | bit << (7 - at % 8));
        }
    }
    *group = 0;
    return RECOVERY_FAULT_NONE;
}

enum status recovery_code_parse(struct view text, struct recovery_code *out, enum recovery_fault *fault,
                                unsigned *group)
{
    uint8_t symbols[SYMBOLS], bits[17] = {0}, expected[17];
    memset(out, 0, sizeof *out);
    *fault = symbols_read(text, symbols, group);
    if (*fault == RECOVERY_FAULT_NONE) *fault = groups_read(symbols, bits, group);
    if (*fault == RECOVERY_FAULT_NONE) {
        memcpy(out->bytes, bits, sizeof out->bytes);
        bits_of(out, expected);
        if (sodium_memcmp(bits, expected, sizeof bits) != 0) *fault = RECOVERY_FAULT_WHOLE;
        sodium_memzero(expected, sizeof expected);
    }
    sodium_memzero(symbols, sizeof symbols);
    sodium_memzero(bits, sizeof bits);
    if (*fault == RECOVERY_FAULT_NONE) return STATUS_OK;
    sodium_memzero(out, sizeof *out);
    return STATUS_MALFORMED;
}

/* ---- keys ---- */

/* The account is in it, so that whoever searches for codes searches for one account at a time. */
void recovery_keys_of(const struct recovery_code *code, struct account_id account, struct recovery_keys *out)
{
    struct view bytes = view_of(code->bytes, sizeof code->bytes), of = view_of(account.bytes, sizeof account.bytes);
    struct hash256 seed = hash_bytes("sealmq recovery signing 1", of, bytes, view_of(NULL, 0));
    struct hash256 backup = hash_bytes("sealmq recovery backup 1", of, bytes, view_of(NULL, 0));
    ENSURE(crypto_sign_seed_keypair(out->signing.bytes, out->signing_sk, seed.bytes) == 0);
    memcpy(out->backup, backup.bytes, sizeof out->backup);
    sodium_memzero(&seed, sizeof seed);
    sodium_memzero(&backup, sizeof backup);
}
