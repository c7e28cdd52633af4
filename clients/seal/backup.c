/* backup: XChaCha20-Poly1305 over each part; its place is the associated data. */
#include "clients/seal/backup.h"

#include <sodium.h>
#include <string.h>

static const char label[] = "sealmq backup 1";

#define NONCE_LEN crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_LEN   crypto_aead_xchacha20poly1305_ietf_ABYTES
#define AD_LEN    (sizeof label + 32 + 8 + 16 + 4 + 4)

_Static_assert(BACKUP_OVERHEAD == NONCE_LEN + TAG_LEN, "nonce and tag");

static void place_bytes(const struct backup_place *p, uint8_t out[AD_LEN])
{
    uint8_t *at = out + sizeof label;
    memcpy(out, label, sizeof label);
    memcpy(at, p->account.bytes, 32);
    put_u64(at + 32, p->version);
    memcpy(at + 40, p->id.bytes, 16);
    put_u32(at + 56, p->part);
    put_u32(at + 60, p->of);
}

void backup_seal(const uint8_t key[32], const struct backup_place *place, struct view plain, const uint8_t nonce[24],
                 struct buffer *out)
{
    uint8_t ad[AD_LEN];
    ENSURE(plain.len > 0 && plain.len <= BACKUP_PLAIN_MAX);
    place_bytes(place, ad);
    write_bytes(out, nonce, NONCE_LEN);
    uint8_t *box = buffer_extend(out, plain.len + TAG_LEN);
    ENSURE(crypto_aead_xchacha20poly1305_ietf_encrypt(box, NULL, plain.at, plain.len, ad, sizeof ad, NULL, nonce, key) == 0);
}

enum status backup_open(const uint8_t key[32], const struct backup_place *place, struct view sealed, struct buffer *out)
{
    uint8_t ad[AD_LEN];
    size_t before = out->len;
    if (sealed.len <= BACKUP_OVERHEAD || sealed.len > BACKUP_PART_LEN_MAX) return STATUS_BAD_ENTRY;
    place_bytes(place, ad);
    uint8_t *plain = buffer_extend(out, sealed.len - BACKUP_OVERHEAD);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL, sealed.at + NONCE_LEN, sealed.len - NONCE_LEN, ad,
                                                   sizeof ad, sealed.at, key) == 0)
        return STATUS_OK;
    out->len = before;
    return STATUS_BAD_ENTRY;
}
