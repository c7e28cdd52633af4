/* options: what can be is read with its defaults; what cannot be is refused before any socket. */
#include "bench/load/options.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct options got;

static int take(struct command *c)
{
    return options_read(c, &got);
}

static const struct command_rule commands[] = {
    {.name = "run", .help = "", .options = options_rules, .option_count = OPTIONS_RULE_COUNT,
     .run = take}};
static const struct program_rule program = {
    .name = "bench", .help = "", .commands = commands, .command_count = 1};

static int calls(char *line)
{
    char *argv[32] = {NULL};
    int argc = 0;
    for (char *rest = line, *word; (word = strtok_r(rest, " ", &rest)) && argc < 31;)
        argv[argc++] = word;
    return command_main(&program, argc, argv);
}

/* The exit status with an endpoint, --plain and these. Full clients need a server's key instead. */
static int reads(const char *words)
{
    static char line[512]; /* the options point into it */
    snprintf(line, sizeof line, "bench run --endpoint tcp://127.0.0.1:1 --plain %s", words);
    return calls(line);
}

static const char key[] = "0123456789012345678901234567890123456789";
static int reads_clients(const char *words)
{
    static char line[512];
    char path[] = "/tmp/bench-test.XXXXXX";
    int fd = mkstemp(path);
    cr_assert(fd >= 0 && write(fd, key, 40) == 40);
    close(fd);
    snprintf(line, sizeof line, "bench run --endpoint tcp://127.0.0.1:1 --server-key %s %s", path, words);
    int status = calls(line);
    unlink(path);
    return status;
}

Test(options, without_any_it_is_the_closed_loop_of_the_comparison)
{
    cr_assert_eq(reads(""), EXIT_OK);
    cr_assert_eq(got.mailboxes, 64);
    cr_assert_eq(got.senders, 4);
    cr_assert_eq(got.pace.window, 1024);
    cr_assert_eq(got.pace.batch, 64);
    cr_assert_eq(got.pace.count, 100000);
    cr_assert_eq(got.client, CLIENT_NONE);
    cr_assert_eq(sizes_mean(&got.sizes), 1024);
}

Test(options, a_rate_is_an_open_loop_and_a_duration_has_no_count)
{
    cr_assert_eq(reads("--rate 20000 --duration 2.5"), EXIT_OK);
    cr_assert_eq(got.pace.window, 0);
    cr_assert_eq(got.pace.count, 0);
    cr_assert_eq(got.pace.duration_us, 2500000);
}

Test(options, a_backlog_is_one_absent_device_that_catches_up)
{
    cr_assert_eq(reads("--backlog 500"), EXIT_OK);
    cr_assert_eq(got.mailboxes, 1);
    cr_assert_eq(got.away_percent, 100);
    cr_assert(got.catch_up);
    cr_assert_eq(got.pace.count, 500);
}

Test(options, full_clients_are_fewer_and_send_one_by_one)
{
    cr_assert_eq(reads_clients("--sealed"), EXIT_OK);
    cr_assert_eq(got.client, CLIENT_SEALED);
    cr_assert_eq(got.mailboxes, 16);
    cr_assert_eq(got.senders, 4);
    cr_assert_eq(got.pace.window, 64);
    cr_assert_eq(got.pace.batch, 1);
    cr_assert_eq(got.pace.count, 2000);
    cr_assert_str_eq(got.scratch, ".");
    cr_assert_str_eq(got.hub.server_key, key);
    cr_assert_eq(reads_clients("--opaque --rate 10 --duration 2 --scratch /tmp"), EXIT_OK);
    cr_assert_eq(got.client, CLIENT_OPAQUE);
    cr_assert_eq(got.pace.count, 0);
    cr_assert_str_eq(got.scratch, "/tmp");
}

Test(options, what_full_clients_cannot_do_is_refused)
{
    static const char *const wrong[] = {"--plain", "--idle 1", "--offline 50", "--catch-up", "--backlog 5",
                                        "--reconnects 1", "--duplicates 1", "--mailboxes 257"};
    char words[64];
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        snprintf(words, sizeof words, "--sealed %s", wrong[i]);
        cr_assert_eq(reads_clients(words), EXIT_USAGE, "%s", words);
        snprintf(words, sizeof words, "--opaque %s", wrong[i]);
        cr_assert_eq(reads_clients(words), EXIT_USAGE, "%s", words);
    }
    cr_assert_eq(reads_clients("--sealed --opaque"), EXIT_USAGE);
    cr_assert_eq(reads_clients("--scratch /tmp"), EXIT_USAGE);
    cr_assert_eq(reads_clients("--mailboxes 257"), EXIT_OK);
}

Test(options, processes_are_named)
{
    char words[64];
    snprintf(words, sizeof words, "--pid one=%d,two=%d", (int)getpid(), (int)getppid());
    cr_assert_eq(reads(words), EXIT_OK);
    cr_assert_eq(got.pid_count, 2);
    cr_assert_str_eq(got.pids[1].name, "two");
    cr_assert_eq(got.pids[0].pid, getpid());
}

Test(options, what_cannot_be_is_refused)
{
    static const char *const wrong[] = {
        "--mailboxes 0", "--senders 0", "--senders 65", "--window 4 --rate 4", "--window 0",
        "--rate 0", "--rate nan", "--rate 1x", "--size 15", "--size 262145", "--sizes 256",
        "--size 256 --sizes 256:1", "--count 0", "--duration 0", "--offline 101", "--catch-up",
        "--backlog 5 --mailboxes 2", "--backlog 5 --count 6", "--outstanding 5", "--reconnects -1",
        "--duplicates 101", "--pid 1", "--pid a=", "--pid =1", "--pid a=0", "--pid a=1x",
        "--timeout 0", "--endpoint ipc://x", "--wrong"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        cr_assert_eq(reads(wrong[i]), EXIT_USAGE, "%s", wrong[i]);
}

Test(options, a_key_file_that_is_none_is_refused)
{
    char none[] = "bench run --endpoint tcp://h:1";
    char empty[] = "bench run --endpoint tcp://h:1 --server-key /dev/null";
    char absent[] = "bench run --endpoint tcp://h:1 --server-key /no/such/file";
    cr_assert_eq(calls(none), EXIT_USAGE);
    cr_assert_eq(calls(empty), EXIT_USAGE);
    cr_assert_eq(calls(absent), EXIT_USAGE);
}
