/* machine: facts about the machine, and what is refused because of them. Paths are config.c's and
 * file.c's; key files are keys.c's. Nothing is created or changed here but this process's own
 * limits. */
#include "broker/host/machine.h"

#include "broker/host/file.h"
#include "broker/host/host.h"
#include "broker/host/keys.h"
#include "broker/host/registration.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#define ZMQ_VERSION_MIN 40304 /* older ones lack fixes of CURVE and of the access check */
#define SECRETS_LEN     (32u * 1024u) /* more than all keys of any one process */

bool swap_listed(const char *path)
{
    char line[512];
    int lines = 0;
    FILE *f = fopen(path, "re");
    if (!f) return true;
    while (fgets(line, sizeof line, f))
        lines += strchr(line, '\n') != NULL;
    bool failed = ferror(f) || lines == 0;
    fclose(f);
    return failed || lines > 1; /* the first one names the columns */
}

/* sodium_malloc locks where it can, and says nothing where it cannot; asked once more, sodium_mlock
 * does. */
static bool memory_locks(void)
{
    void *secrets = sodium_malloc(SECRETS_LEN);
    bool locked = secrets && sodium_mlock(secrets, SECRETS_LEN) == 0;
    sodium_free(secrets);
    return locked;
}

void machine_read(struct machine *out)
{
    int major, minor, patch;
    zmq_version(&major, &minor, &patch);
    *out = (struct machine){.zmq_version = major * 10000 + minor * 100 + patch,
                            .zmq_curve = zmq_has("curve") == 1,
                            .swap_on = swap_listed("/proc/swaps"),
                            .memory_locks = memory_locks()};
}

enum status machine_check(const struct config *c, const struct machine *m, char *error,
                          size_t error_cap)
{
    int v = m->zmq_version;
    if (v < ZMQ_VERSION_MIN)
        return fault(error, error_cap, STATUS_CONFIG,
                     "libzmq: %d.%d.%d is too old: install 4.3.4 or later", v / 10000,
                     v / 100 % 100, v % 100);
    if (!m->zmq_curve)
        return fault(error, error_cap, STATUS_CONFIG,
                     "libzmq: built without CURVE: install one that has it");
    if (m->swap_on && !m->memory_locks && !c->allow_swap)
        return fault(error, error_cap, STATUS_CONFIG,
                     "relay.allow_swap: secret keys could be swapped to disk, as swap is on and "
                     "this process may not lock memory: run swapoff -a, or raise ulimit -l to 64, "
                     "or say yes in %s", c->file);
    return STATUS_OK;
}

enum status machine_load(const char *file, struct config *out, char *error, size_t error_cap)
{
    struct machine machine;
    struct config config;
    struct registration registration;
    memset(out, 0, sizeof *out);
    machine_read(&machine);
    enum status status = config_load(file, &config, error, error_cap);
    if (status == STATUS_OK) status = machine_check(&config, &machine, error, error_cap);
    if (status == STATUS_OK) status = keys_check(&config, error, error_cap);
    if (status == STATUS_OK) status = registration_load(&config, &registration, error, error_cap);
    if (status != STATUS_OK) return status;
    status = host_cores(config.allow_core ? CORES_ALLOWED : CORES_NEVER);
    if (status != STATUS_OK)
        return fault(error, error_cap, status, "relay.allow_core: core files cannot be controlled");
    *out = config;
    return STATUS_OK;
}
