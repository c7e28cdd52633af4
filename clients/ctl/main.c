/* sealmqctl: the operator's and supporter's program. It asks the relay's admin socket and shows
 * what it says, and may deny an account or a device the relay; it sees no content, because the relay
 * has none to show. */
#include "clients/ctl/ctl.h"

static const struct option_rule options[] = {
    {"config", "FILE", "the relay's configuration (sealmq.zpl); token needs none", false},
};

static const struct option_rule events_options[] = {
    {"follow", NULL, "go on with new events until Ctrl-C", false},
    {"limit", "N", "how many of the newest to show first: 1 to 64, default 20", false},
};

static const struct option_rule explain_options[] = {
    {"device", "HEX", "only this device of the recipient", false},
};

static const struct option_rule hold_options[] = {
    {"reason", "WHY", "takeover, abuse, legal or other (other): for operators; the user is not told", false},
};

static const struct option_rule token_options[] = {
    {"keygen", "FILE", "make the product's secret key in FILE (0600), and print its public half", false},
    {"key", "FILE", "the product's secret key", false},
    {"handle", "NAME", "the handle that the token gives", false},
    {"account", "HEX", "to this account", false},
    {"relay-key", "FILE", "at this relay: its server.pub", false},
    {"expires", "TIME", "claimed until then: 90s, 30m, 12h, 7d", false},
};

static const struct command_rule commands[] = {
    {"status", NULL, "brokers, workers, stores, queue depths, commit lag", NULL, 0, ctl_status},
    {"events", NULL, "what happened: failures, operations, refusals", events_options, 2,
     ctl_events},
    {"explain", "REFERENCE", "what became of the message that somebody read out", explain_options,
     1, ctl_explain},
    {"devices", "ACCOUNT|HANDLE", "the devices of an account: standing, last seen, version, what waits", NULL, 0, ctl_devices},
    {"hold", "ACCOUNT|HANDLE [DEVICE]", "deny an account, or one of its devices, the relay", hold_options, 1, ctl_hold},
    {"release", "ACCOUNT|HANDLE [DEVICE]", "give it back", NULL, 0, ctl_release},
    {"holds", NULL, "all accounts and devices on hold", NULL, 0, ctl_holds},
    {"token", NULL, "make a registration token, or the product's key; asks no relay", token_options, 6, ctl_token},
    {"drift", NULL, "messages made for devices that their recipient has no more, by client version", NULL, 0, ctl_drift},
};

static const struct program_rule program = {
    .name = "sealmqctl",
    .help = "look at a SealMQ relay from its own machine",
    .options = options,
    .option_count = 1,
    .commands = commands,
    .command_count = sizeof commands / sizeof commands[0],
};

int main(int argc, char **argv)
{
    return command_main(&program, argc, argv);
}
