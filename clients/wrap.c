/* wrap: the first byte (ARCHITECTURE, steps 1 and 6). No cryptography here. */
#include "clients/wrap.h"

#include "clients/seal/sealed.h"

void wrap_opaque(struct buffer *b, struct view payload)
{
    write_u8(b, WRAP_OPAQUE);
    write_view(b, payload);
}

enum fail_reason wrap_check(struct view ciphertext, bool sealed)
{
    if (ciphertext.len < WRAP_OVERHEAD_LEN) return FAIL_BROKEN;
    return ciphertext.at[0] == (sealed ? SEALED_MARK : WRAP_OPAQUE) ? FAIL_NONE : FAIL_HELD;
}

struct view wrap_opaque_payload(struct view ciphertext)
{
    return view_of(ciphertext.at + WRAP_OVERHEAD_LEN, ciphertext.len - WRAP_OVERHEAD_LEN);
}
