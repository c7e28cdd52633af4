/* edge: what a broker meets that cannot be brought about from outside, for takeover.sh and edge.sh: preloaded,
 * it makes ZeroMQ's routing ids begin at a known number, and breaks the access check while a file is there.
 *
 *     SEALMQ_FIRST_ID   the number in the first routing id of every ROUTER
 *     SEALMQ_ZAP_DEAD   a path: while it exists, no CURVE key can be written as text, so that none is admitted
 *     SEALMQ_NO_CURVE   set: a server's sockets stay without CURVE */
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include <zmq.h>

int rand(void)
{
    const char *first = getenv("SEALMQ_FIRST_ID");
    return first ? (int)strtol(first, NULL, 10) : (int)random();
}

char *zmq_z85_encode(char *out, const uint8_t *bytes, size_t len)
{
    char *(*real)(char *, const uint8_t *, size_t);
    const char *dead = getenv("SEALMQ_ZAP_DEAD");
    if (dead && access(dead, F_OK) == 0) return NULL;
    *(void **)&real = dlsym(RTLD_NEXT, "zmq_z85_encode");
    return real ? real(out, bytes, len) : NULL;
}

int zmq_setsockopt(void *socket, int option, const void *value, size_t len)
{
    int (*real)(void *, int, const void *, size_t);
    if (option == ZMQ_CURVE_SERVER && getenv("SEALMQ_NO_CURVE")) return 0;
    *(void **)&real = dlsym(RTLD_NEXT, "zmq_setsockopt");
    return real ? real(socket, option, value, len) : -1;
}
