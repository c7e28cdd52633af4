/* vault: seals what a client keeps on its disk under the home's key. Values and their places, no files:
 * where the key is kept is home_key's business, which columns are sealed is the backend's. */
#ifndef SEALMQ_CLIENTS_STATE_VAULT_H
#define SEALMQ_CLIENTS_STATE_VAULT_H

#include "broker/wire/bytes.h"

#define VAULT_KEY_LEN  32u
#define VAULT_OVERHEAD (24u + 16u) /* nonce and tag: a sealed value is this much longer */

struct vault;

/* vault_new: copies the key (VAULT_KEY_LEN bytes of the caller's sodium_malloc memory, which the caller
 * wipes) into memory of its own. Never NULL. vault_free: wipes; NULL-safe, nulls. */
struct vault *vault_new(const uint8_t *key);
void vault_free(struct vault **v);

/* vault_key: the key itself, borrowed: only for wrapping it under another one. */
struct view vault_key(const struct vault *v);

/* vault_seal: sealed = nonce ‖ box, plaintext.len + VAULT_OVERHEAD bytes, under a key of the label's own. A
 * sealed value opens only with the same label (static text: table and column) and the same associated data
 * (the row's key): it cannot be moved to another place. It can be put back to an older value of its place. */
void vault_seal(const struct vault *v, const char *label, struct view associated, struct view plaintext,
                uint8_t *sealed);

/* vault_open: verifies, then gives sealed.len - VAULT_OVERHEAD bytes. OK; DAMAGED (another key, label or
 * associated data, or other bytes than were sealed), with plaintext zeroed as far as it has a length. */
enum status vault_open(const struct vault *v, const char *label, struct view associated, struct view sealed,
                       uint8_t *plaintext) MUST_USE;

#endif
