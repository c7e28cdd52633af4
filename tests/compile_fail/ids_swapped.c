/* Two ids swapped in a call. expect: incompatible pointer type */
#include "broker/wire/identity.h"

enum status claim(struct account_id account, struct view handle, const struct signing_pk *pk,
                  const struct signature *signature);

enum status claim(struct account_id account, struct view handle, const struct signing_pk *pk,
                  const struct signature *signature)
{
#ifdef WRONG
    return handle_verify(account, handle, signature, pk);
#else
    return handle_verify(account, handle, pk, signature);
#endif
}
