/* hash: what touching each byte costs: the claim's digest, the check before serving, encryption, and the
 * plain copy that none of them can beat. */
#include "bench/limits/limit.h"

#include "broker/host/host.h"
#include "broker/wire/digest.h"

#include <sodium.h>
#include <string.h>

#define ROUND_COUNT 2000u /* in one step of the stopwatch */
#define POOL_COUNT  256u  /* bodies: 256 KiB, as in a turn's arena */

enum { COPY, SHA256, BLAKE2B, CRC32C, SEAL };

#if defined(__x86_64__)
/* The instruction that RocksDB uses too, in one chain. */
__attribute__((target("sse4.2"))) static uint64_t crc32c(const uint8_t *at)
{
    uint64_t crc = UINT32_MAX;
    for (size_t i = 0; i < LIMIT_BODY; i += 8) {
        uint64_t word;
        memcpy(&word, at + i, 8);
        crc = __builtin_ia32_crc32di(crc, word);
    }
    return crc;
}
static bool crc32c_known(void)
{
    return __builtin_cpu_supports("sse4.2");
}
#else
static uint64_t crc32c(const uint8_t *at)
{
    return at[0];
}
static bool crc32c_known(void)
{
    return false;
}
#endif

static void one(int variant, const uint8_t *body, uint8_t *out)
{
    static const uint8_t key[crypto_aead_xchacha20poly1305_ietf_KEYBYTES] = {1};
    static const uint8_t nonce[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES] = {2};
    uint64_t crc;
    switch (variant) {
    case COPY:
        memcpy(out, body, LIMIT_BODY);
        break;
    case SHA256: {
        struct hash256 hash = digest_ciphertext(view_of(body, LIMIT_BODY));
        memcpy(out, hash.bytes, sizeof hash.bytes);
        break;
    }
    case BLAKE2B:
        crypto_generichash(out, 32, body, LIMIT_BODY, NULL, 0);
        break;
    case CRC32C:
        crc = crc32c(body);
        memcpy(out, &crc, sizeof crc);
        break;
    default:
        crypto_aead_xchacha20poly1305_ietf_encrypt(out, NULL, body, LIMIT_BODY, NULL, 0, NULL,
                                                   nonce, key);
    }
    __asm__ volatile("" : : "r"(out) : "memory"); /* the result is used */
}

static enum status hash_run(const struct limit *l, const char *dir, struct figure *out)
{
    static uint8_t pool[POOL_COUNT * LIMIT_BODY];
    uint8_t result[LIMIT_BODY + crypto_aead_xchacha20poly1305_ietf_ABYTES];
    struct stopwatch watch;
    (void)dir;
    if (l->variant == CRC32C && !crc32c_known())
        return limit_fail(out, l->name, "this processor has no instruction for it");
    host_random(pool, sizeof pool);
    stopwatch_start(&watch);
    do {
        for (size_t i = 0; i < ROUND_COUNT; i++)
            one(l->variant, pool + i % POOL_COUNT * LIMIT_BODY, result);
    } while (stopwatch_tick(&watch, out, ROUND_COUNT) && out->messages < 1000000);
    stopwatch_end(&watch, out);
    histogram_reset(&out->each); /* of 2,000: nobody's latency */
    return STATUS_OK;
}

#define HASH(what, kind)                                                               \
    {                                                                                  \
        .name = what " 1 KiB", .unit = "msg", .durability = "memory", .edge = "clear", \
        .size = LIMIT_BODY, .run = hash_run, .batch = 1, .variant = kind               \
    }

const struct limit limits_hash[] = {
    HASH("copy", COPY),
    HASH("CRC32C", CRC32C),
    HASH("SHA-256", SHA256), /* as the relay does it */
    HASH("BLAKE2b-256", BLAKE2B),
    HASH("XChaCha20-Poly1305", SEAL),
    {.name = NULL},
};
