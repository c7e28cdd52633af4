/* role: see role.h. */
#include "broker/host/role.h"

#include "broker/host/host.h"
#include "broker/host/machine.h"

int role_start(const struct command *c, struct config *config, int *signal_fd)
{
    char error[1024] = "";
    if (host_start() != STATUS_OK) return command_fail(c, EXIT_FAILED, HOST_UNUSABLE);
    if ((*signal_fd = host_signal_fd()) < 0)
        return command_fail(c, EXIT_FAILED, "signals cannot be received");
    if (machine_load(command_option(c, "config"), config, error, sizeof error) != STATUS_OK)
        return command_fail(c, EXIT_USAGE, "%s", error);
    return EXIT_OK;
}
