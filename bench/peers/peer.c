/* peer: the list of drivers. Which of them exist in this program is decided by CMake, by the client
 * libraries that it found. */
#include "bench/peers/peer.h"

#include <stdio.h>
#include <string.h>

/* Also what was left out, so that a user learns that it could be had. */
static const char *const known[] = {
    "redis", "redis-batch", "redis-nodedup", "redis-devices", "postgres", "rabbitmq", "nats",
};

static const struct peer_ops *const drivers[] = {
#ifdef PEER_REDIS
    peer_redis,
#endif
#ifdef PEER_POSTGRES
    peer_postgres,
#endif
#ifdef PEER_RABBITMQ
    peer_rabbitmq,
#endif
#ifdef PEER_NATS
    peer_nats,
#endif
    NULL,
};

const struct peer_ops *peer_find(const char *system)
{
    for (size_t i = 0; drivers[i]; i++)
        for (const struct peer_ops *ops = drivers[i]; ops->system; ops++)
            if (strcmp(ops->system, system) == 0) return ops;
    return NULL;
}

bool peer_known(const char *system)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i], system) == 0) return true;
    return false;
}

void peer_list(char *out, size_t cap)
{
    size_t len = 0;
    if (cap) out[0] = '\0';
    for (size_t i = 0; drivers[i]; i++)
        for (const struct peer_ops *ops = drivers[i]; ops->system && len < cap; ops++)
            len += (size_t)snprintf(out + len, cap - len, "%s%s", len ? " " : "", ops->system);
}
