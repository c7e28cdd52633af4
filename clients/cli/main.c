/* sealmq: the command line of one device. This file is its table of commands; each command has a
 * file of its own, and command.h does the parsing. */
#include "broker/host/host.h"
#include "clients/cli/commands.h"

#include <stdio.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const struct option_rule PROGRAM_OPTIONS[] = {
    {"home", "DIR", "the directory of this device: keys, inbox, outbox", true},
    {"passphrase-file", "FILE", "its first line opens the home, where init was given one, too", false},
};

static const struct option_rule INIT_OPTIONS[] = {
    {"relay", "tcp://HOST:PORT[,...]", "the relay's address; several: tried in turn", true},
    {"server-key", "FILE", "the relay's public key (its server.pub)", true},
    {"handle", "NAME", "the name that others send to", true},
    {"token", "TEXT", "the product's word for account and handle, where the relay wants one", false},
    {"product-key", "HEX[,...]", "believe handles only with a token of these keys", false},
    {"timeout", "S", "how long to try to reach the relay (10)", false},
};

static const struct option_rule REGISTER_OPTIONS[] = {
    {"token", "TEXT", "the product's word for account and handle, where the relay wants one", false},
    {"product-key", "HEX[,...]", "believe handles only with a token of these keys; none = as the relay says", false},
    {"timeout", "S", "how long to try to reach the relay (10)", false},
};

static const struct option_rule SEND_OPTIONS[] = {
    {"id", "UUID", "your name for the message: the same one again is the same message", false},
    {"ttl", "S", "how long it may wait for its recipient (the relay's default)", false},
    {"opaque", NULL, "do not seal it: the relay can read it", false},
    {"fresh", NULL, "ask for the recipient's keys anew before it is sealed", false},
    {"timeout", "S", "how long to wait for the relay's acceptance (10)", false},
};

static const struct option_rule RECV_OPTIONS[] = {
    {"count", "N", "stop after N messages (1)", false},
    {"timeout", "S", "give up after S seconds, exit 4 (wait for ever)", false},
    {"follow", NULL, "go on until stopped", false},
};

static const struct option_rule STATUS_OPTIONS[] = {
    {"timeout", "S", "how long to try to ask the relay (2)", false},
};

static const struct option_rule OUTBOX_OPTIONS[] = {
    {"flush", NULL, "first try to send what waits; exit 3 if something still does", false},
    {"timeout", "S", "how long to try (10)", false},
};

static const struct option_rule REACH_OPTIONS[] = {
    {"timeout", "S", "how long to try to reach the relay (10)", false},
};

static const struct option_rule LINK_OPTIONS[] = {
    {"relay", "tcp://HOST:PORT[,...]", "the relay's address; several: tried in turn", true},
    {"server-key", "FILE", "the relay's public key (its server.pub)", true},
    {"name", "NAME", "what this device is to be called", false},
    {"anew", NULL, "in a home that waits to be let in: give that up at once, and show a new code", false},
    {"timeout", "S", "how long to wait for it all (900, as long as the code is good)", false},
};

static const struct option_rule DEVICES_OPTIONS[] = {
    {"yes", NULL, "revoke, or approve, without asking", false},
    {"last", NULL, "revoke or suspend also the last active device", false},
    {"timeout", "S", "how long to try to reach the relay (10)", false},
};

static const struct option_rule VERIFY_OPTIONS[] = {
    {"scan", "TEXT", "what the contact's device shows; where it matches, the contact is verified", false},
    {"yes", NULL, "you have compared the numbers: the contact is verified", false},
    {"clear", NULL, "the contact is not to count as verified any more", false},
    {"timeout", "S", "how long to try to ask the relay for what is not here yet (10)", false},
};

static const struct option_rule RECOVERY_OPTIONS[] = {
    {"yes", NULL, "setup: do not ask for the key again", false},
    {"backup", NULL, "setup: this device keeps the key that seals backups, and makes one", false},
    {"key-file", "FILE", "its first line is the recovery key; setup: the old one (standard input)", false},
    {"relay", "tcp://HOST:PORT[,...]", "restore: the relay's address", false},
    {"server-key", "FILE", "restore: the relay's public key", false},
    {"handle", "NAME", "restore: the account, by its name", false},
    {"account", "ID", "restore: the account, by its id", false},
    {"revoke-others", NULL, "restore: revoke all devices that the account has", false},
    {"timeout", "S", "how long to try to reach the relay (2; setup 10, restore 30)", false},
};

static const struct option_rule HISTORY_OPTIONS[] = {
    {"last", "N", "at most so many, the newest (100)", false},
};

static const struct option_rule BACKUP_OPTIONS[] = {
    {"history", NULL, "create: with the messages that this home holds; later ones, too", false},
    {"no-history", NULL, "create: without messages, and later ones, too", false},
    {"key-file", "FILE", "its first line is the recovery key (create: the kept key; restore: that, or standard input)", false},
    {"timeout", "S", "how long to try to reach the relay (30)", false},
};

static const struct command_rule COMMANDS[] = {
    {"init", "", "make this device's keys and register its handle; again: finish that",
     INIT_OPTIONS, COUNT_OF(INIT_OPTIONS), init_run},
    {"register", "", "register what init has made, with a token that came later",
     REGISTER_OPTIONS, COUNT_OF(REGISTER_OPTIONS), register_run},
    {"send", "NAME TEXT|-", "seal a text (or standard input) and send it; exit 3: kept, relay not reached",
     SEND_OPTIONS, COUNT_OF(SEND_OPTIONS), send_run},
    {"recv", "", "show messages, the oldest first; waits for them", RECV_OPTIONS,
     COUNT_OF(RECV_OPTIONS), recv_run},
    {"status", "MESSAGE", "what became of a sent message (its id, or yours)", STATUS_OPTIONS,
     COUNT_OF(STATUS_OPTIONS), status_run},
    {"outbox", "", "list the sent messages that are not settled", OUTBOX_OPTIONS,
     COUNT_OF(OUTBOX_OPTIONS), outbox_run},
    {"release", "MESSAGE", "send a message that is held, or may have arrived, under a new id", REACH_OPTIONS,
     COUNT_OF(REACH_OPTIONS), release_run},
    {"rotate", "", "give this device another identity key; exit 3: kept, relay not reached",
     REACH_OPTIONS, COUNT_OF(REACH_OPTIONS), rotate_run},
    {"link", "", "make this a device of an account: shows a code for devices approve on one that is in it; exit 3: not yet",
     LINK_OPTIONS, COUNT_OF(LINK_OPTIONS), link_run},
    {"devices", "[list|approve|reject|suspend|resume|revoke|rename] [DEVICE|CODE] [NAME]",
     "list this account's devices, let one join (the code that its link shows), or change one (its id, or name)",
     DEVICES_OPTIONS, COUNT_OF(DEVICES_OPTIONS), devices_run},
    {"log", "[NAME]", "the signed history of this account's keys, or of a contact's, as held here", NULL, 0,
     log_run},
    {"block", "[NAME]", "take nothing more of an account (its name or id); without one: who is blocked or allowed",
     REACH_OPTIONS, COUNT_OF(REACH_OPTIONS), block_run},
    {"unblock", "NAME", "take back what was said of an account, blocked or allowed", REACH_OPTIONS, COUNT_OF(REACH_OPTIONS),
     unblock_run},
    {"requests", "[list|accept|refuse|on|off] [NAME]",
     "strangers who have written: list, accept or refuse them; on: they have to ask; exit 3: kept, relay not reached",
     REACH_OPTIONS, COUNT_OF(REACH_OPTIONS), requests_run},
    {"verify", "NAME", "compare with a contact that its account is the right one; exit 3: cannot be told yet", VERIFY_OPTIONS,
     COUNT_OF(VERIFY_OPTIONS), verify_run},
    {"recovery", "[show|setup|confirm|restore]",
     "what is left when all devices are lost: say it, set its key, show to have it, or use it in an empty --home",
     RECOVERY_OPTIONS, COUNT_OF(RECOVERY_OPTIONS), recovery_run},
    {"history", "[NAME]", "the messages that this home holds, all or those with one account; asks nobody", HISTORY_OPTIONS,
     COUNT_OF(HISTORY_OPTIONS), history_run},
    {"backup", "[show|create|restore]", "the contacts, and messages if wanted, sealed, at the relay: say what there is, make one, take it",
     BACKUP_OPTIONS,
     COUNT_OF(BACKUP_OPTIONS), backup_run},
};

static const struct program_rule PROGRAM = {
    .name = "sealmq",
    .help = "send and receive messages as one device of a SealMQ relay",
    .options = PROGRAM_OPTIONS,
    .option_count = COUNT_OF(PROGRAM_OPTIONS),
    .commands = COMMANDS,
    .command_count = COUNT_OF(COMMANDS),
};

int main(int argc, char **argv)
{
    if (host_start() != STATUS_OK) {
        fprintf(stderr, "sealmq: the operating system gives no random numbers: cannot work\n");
        return EXIT_FAILED;
    }
    return command_main(&PROGRAM, argc, argv);
}
