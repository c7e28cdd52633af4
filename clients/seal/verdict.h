/* verdict: what an operation on secrets lets out: whether it succeeded. Each use is a place where a branch may follow, and
 * the only kind of place; the test that looks for others (tests/secrets/branches.c) defines SEAL_VERDICT_KNOWN. */
#ifndef SEALMQ_CLIENTS_SEAL_VERDICT_H
#define SEALMQ_CLIENTS_SEAL_VERDICT_H

#include <stdbool.h>

#ifdef SEAL_VERDICT_KNOWN
bool verdict(bool succeeded);
#else
static inline bool verdict(bool succeeded)
{
    return succeeded;
}
#endif

#endif
