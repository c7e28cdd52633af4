/* wrap: the opaque envelope's first byte (ARCHITECTURE, steps 1 and 6 for payloads that are not
 * sealed). No cryptography here. */
#include "clients/wrap.h"

void wrap_opaque(struct buffer *b, struct view payload)
{
    write_u8(b, WRAP_OPAQUE);
    write_view(b, payload);
}

enum fail_reason wrap_open(struct view ciphertext, bool sealed, struct view *payload)
{
    *payload = view_of(NULL, 0);
    if (ciphertext.len < WRAP_OVERHEAD_LEN) return FAIL_BROKEN;
    if (sealed || ciphertext.at[0] != WRAP_OPAQUE) return FAIL_HELD;
    *payload = view_of(ciphertext.at + 1, ciphertext.len - 1);
    return FAIL_NONE;
}
