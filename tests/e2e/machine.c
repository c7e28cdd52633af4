/* machine: another machine for one program, for unsafe.sh: preloaded, it says what the words in
 * SEALMQ_MACHINE_IS name: swap (there is some), unlocked (no memory can be locked), old
 * (libzmq 4.3.3), bare (libzmq without CURVE), dead (libsodium does not start). */
#include <dlfcn.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <zmq.h>

static int is(const char *word)
{
    const char *words = getenv("SEALMQ_MACHINE_IS");
    return words && strstr(words, word) != NULL;
}

static void next(const char *name, void *out)
{
    void *symbol = dlsym(RTLD_NEXT, name);
    if (!symbol) abort();
    memcpy(out, &symbol, sizeof symbol);
}

FILE *fopen(const char *path, const char *mode)
{
    FILE *(*real)(const char *, const char *);
    next("fopen", &real);
    if (strcmp(path, "/proc/swaps") != 0 || !is("swap")) return real(path, mode);
    FILE *f = tmpfile();
    if (f) fputs("Filename\t\t\t\tType\t\tSize\n/dev/dm-1 partition 8388604 0 -2\n", f);
    if (f) rewind(f);
    return f;
}

int mlock(const void *at, size_t len)
{
    int (*real)(const void *, size_t);
    next("mlock", &real);
    return is("unlocked") ? -1 : real(at, len);
}

void zmq_version(int *major, int *minor, int *patch)
{
    void (*real)(int *, int *, int *);
    next("zmq_version", &real);
    real(major, minor, patch);
    if (is("old")) *patch = 3;
}

int zmq_has(const char *capability)
{
    int (*real)(const char *);
    next("zmq_has", &real);
    return is("bare") && strcmp(capability, "curve") == 0 ? 0 : real(capability);
}

int sodium_init(void)
{
    int (*real)(void);
    next("sodium_init", &real);
    return is("dead") ? -1 : real();
}
