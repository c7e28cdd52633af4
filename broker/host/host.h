/* host: clock, randomness, signals: the only code that meets the operating system besides sockets
 * and files. Cores get what it returns as arguments. */
#ifndef SEALMQ_HOST_HOST_H
#define SEALMQ_HOST_HOST_H

#include "broker/wire/ids.h"
#include "broker/wire/now.h"

/* host_now: what the clocks say; read once per turn and passed to the cores. mono also counts what the
 * machine slept, so that timers know. */
struct now host_now(void);
/* host_mono_us: monotonic microseconds, for measuring only. */
uint64_t host_mono_us(void);

/* host_random: len random bytes (libsodium). */
void host_random(void *out, size_t len);

/* host_start: sodium_init, libc's rand seeded from the kernel (ZeroMQ's routing ids derive from
 * it), SIGPIPE ignored, CORES_OFF, two heaps for all threads. Once, before any socket. OK, IO:
 * HOST_UNUSABLE. */
enum status host_start(void) MUST_USE;
#define HOST_UNUSABLE                                                                           \
    "libsodium does not start, or the kernel gives no randomness or no control of core files: " \
    "nothing runs without these"

/* host_cores: OFF: no core file and no debugger, until ALLOWED; NEVER: for good. OK, IO. */
enum host_cores { CORES_OFF, CORES_ALLOWED, CORES_NEVER };
enum status host_cores(enum host_cores wish) MUST_USE;

/* host_signal_fd: a descriptor that becomes readable on SIGTERM or SIGINT (signalfd; both blocked for
 * the process). host_signal_take: which one came, 0 = none. -1 on failure. */
int host_signal_fd(void);
int host_signal_take(int fd);

#endif
