/* sealmqctl: the operator's and supporter's program. It asks the relay's admin socket and shows
 * what it says; it changes nothing and sees no content, because the relay has none to show. */
#include "clients/ctl/ctl.h"

static const struct option_rule options[] = {
    {"config", "FILE", "the relay's configuration (sealmq.zpl)", true},
};

static const struct option_rule events_options[] = {
    {"follow", NULL, "go on with new events until Ctrl-C", false},
    {"limit", "N", "how many of the newest to show first: 1 to 64, default 20", false},
};

static const struct option_rule explain_options[] = {
    {"device", "HEX", "only this device of the recipient", false},
};

static const struct command_rule commands[] = {
    {"status", NULL, "brokers, workers, stores, queue depths, commit lag", NULL, 0, ctl_status},
    {"events", NULL, "what happened: failures, operations, refusals", events_options, 2,
     ctl_events},
    {"explain", "REFERENCE", "what became of the message that somebody read out", explain_options,
     1, ctl_explain},
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
