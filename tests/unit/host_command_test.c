/* command: what reaches a command, and what is refused before it does. */
#include "broker/host/command.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <string.h>

static struct {
    int calls;
    char home[32], id[32], first[32], second[32];
    int count;
    bool json, follow;
    long long timeout;
} seen;

static void keep(char out[32], const char *text)
{
    snprintf(out, 32, "%s", text ? text : "(absent)");
}

static int send_run(struct command *c)
{
    seen.calls++;
    seen.json = c->json;
    seen.count = c->argument_count;
    keep(seen.home, command_option(c, "home"));
    keep(seen.id, command_option(c, "id"));
    keep(seen.first, c->arguments[0]);
    keep(seen.second, c->arguments[1]);
    return 3;
}

static int recv_run(struct command *c)
{
    seen.calls++;
    seen.follow = command_option(c, "follow") != NULL;
    if (!command_number(c, "timeout", 0, 60, 7, &seen.timeout)) return EXIT_USAGE;
    return EXIT_OK;
}

static int fail_run(struct command *c)
{
    return command_fail(c, EXIT_FAILED, "no \"%s\"\n\x1b[2J", c->arguments[0]);
}

static const struct option_rule program_options[] = {{"home", "DIR", "where", true}};
static const struct option_rule send_options[] = {{"id", "UUID", "the message's id", false}};
static const struct option_rule recv_options[] = {{"timeout", "S", "seconds", false},
                                                  {"follow", NULL, "go on", false}};
static const struct command_rule rules[] = {
    {"send", "NAME [TEXT]", "sends", send_options, 1, send_run},
    {"recv", NULL, "receives", recv_options, 2, recv_run},
    {"fail", "WHAT", "fails", NULL, 0, fail_run},
};
static const struct program_rule tool = {"tool", "does things", program_options, 1, rules, 3};
static const struct command_rule open_rules[] = {
    {"many", "FILE...", "any number", send_options, 1, send_run},
    {"some", "NAME [FILE...]", "also none", send_options, 1, send_run},
};
static const struct program_rule open_tool = {"open", "takes files", program_options, 1, open_rules,
                                              2};
static const struct command_rule bare_rules[] = {
    {.arguments = "FILE", .help = "x", .options = NULL, .run = fail_run}};
static const struct program_rule bare = {"bare", "does one thing", NULL, 0, bare_rules, 1};

static int call(const struct program_rule *program, const char *line)
{
    static char words[256];
    char *argv[16] = {NULL}, *save = NULL;
    int argc = 0;
    snprintf(words, sizeof words, "%s", line);
    memset(&seen, 0, sizeof seen);
    for (char *w = strtok_r(words, " ", &save); w && argc < 15; w = strtok_r(NULL, " ", &save))
        argv[argc++] = w;
    return command_main(program, argc, argv);
}

static void refused(const char *line, const char *says)
{
    cr_redirect_stderr();
    cr_assert_eq(call(&tool, line), EXIT_USAGE);
    cr_assert_eq(seen.calls, 0);
    fflush(stderr);
    cr_assert_stderr_eq_str(says);
}

Test(command, options_stand_before_and_behind_the_command)
{
    cr_assert_eq(call(&tool, "tool --home h send bob --id=7 hello --json"), 3);
    cr_assert(seen.calls == 1 && seen.count == 2 && seen.json);
    cr_assert_str_eq(seen.home, "h");
    cr_assert_str_eq(seen.id, "7");
    cr_assert_str_eq(seen.first, "bob");
    cr_assert_str_eq(seen.second, "hello");
    cr_assert_eq(call(&tool, "tool --json send bob --home other"), 3);
    cr_assert(seen.json && seen.count == 1);
    cr_assert_str_eq(seen.home, "other");
    cr_assert_str_eq(seen.id, "(absent)");
}

Test(command, a_dash_is_an_argument_and_two_end_the_options)
{
    cr_assert_eq(call(&tool, "tool --home h send bob -"), 3);
    cr_assert_str_eq(seen.second, "-");
    cr_assert_eq(call(&tool, "tool --home h send bob -- --id"), 3);
    cr_assert_str_eq(seen.second, "--id");
}

Test(command, numbers_have_limits_and_a_fallback)
{
    cr_assert_eq(call(&tool, "tool --home h recv"), EXIT_OK);
    cr_assert(seen.timeout == 7 && !seen.follow);
    cr_assert_eq(call(&tool, "tool --home h recv --follow --timeout 60"), EXIT_OK);
    cr_assert(seen.timeout == 60 && seen.follow);
}

Test(command, a_number_that_is_none_is_refused)
{
    cr_redirect_stderr();
    cr_assert_eq(call(&tool, "tool --home h recv --timeout 61"), EXIT_USAGE);
    cr_assert_eq(call(&tool, "tool --home h recv --timeout 5s"), EXIT_USAGE);
    cr_assert_eq(call(&tool, "tool --home h recv --timeout -1"), EXIT_USAGE);
    cr_assert_eq(call(&tool, "tool --home h recv --timeout 99999999999999999999"), EXIT_USAGE);
    fflush(stderr);
    cr_assert_stderr_eq_str("tool: --timeout is \"61\": give a number from 0 to 60\n"
                            "tool: --timeout is \"5s\": give a number from 0 to 60\n"
                            "tool: --timeout is \"-1\": give a number from 0 to 60\n"
                            "tool: --timeout is \"99999999999999999999\": give a number from 0 to 60\n");
}

Test(command, no_command_is_refused)
{
    refused("tool --home h", "tool: no command given: see tool --help\n");
}

Test(command, an_unknown_command_is_refused)
{
    refused("tool --home h sned x", "tool: unknown command sned: see tool --help\n");
}

Test(command, an_unknown_option_is_refused)
{
    refused("tool --home h send bob --ID 3", "tool: unknown option --ID: see tool send --help\n");
}

Test(command, an_unknown_short_option_is_refused)
{
    refused("tool --home h send bob -xy", "tool: unknown option -x: see tool send --help\n");
}

Test(command, a_value_for_a_flag_is_refused)
{
    refused("tool --home h recv --json=3",
            "tool: a value is not taken by --json=3: see tool recv --help\n");
}

Test(command, an_option_without_its_value_is_refused)
{
    refused("tool --home h send bob --id", "tool: no value for option --id: see tool send --help\n");
}

Test(command, an_empty_value_is_refused)
{
    refused("tool --home= send bob", "tool: an empty value for option home: see tool --help\n");
}

Test(command, a_missing_required_option_is_named)
{
    refused("tool send bob", "tool: an option is missing: add --home DIR\n");
}

Test(command, missing_and_superfluous_arguments_show_the_call)
{
    refused("tool --home h send", "tool: an argument is missing: call it as tool send NAME [TEXT]\n");
}

Test(command, superfluous_arguments_show_the_call)
{
    refused("tool --home h send bob hello there",
            "tool: too many arguments: call it as tool send NAME [TEXT] (quote text that has spaces)\n");
}

Test(command, dots_take_any_number_of_arguments)
{
    cr_assert(call(&open_tool, "open --home h many a b c d e f g") == 3 && seen.count == 7);
    cr_assert(call(&open_tool, "open --home h some a") == 3 && seen.count == 1);
    cr_assert(call(&open_tool, "open --home h some a b c") == 3 && seen.count == 3);
}

Test(command, dots_still_need_the_first_one)
{
    cr_redirect_stderr();
    cr_assert_eq(call(&open_tool, "open --home h many"), EXIT_USAGE);
    fflush(stderr);
    cr_assert_stderr_eq_str("open: an argument is missing: call it as open many FILE...\n");
}

Test(command, a_program_without_commands_takes_arguments_at_once)
{
    cr_redirect_stderr();
    cr_assert_eq(call(&bare, "bare file"), EXIT_FAILED);
    cr_assert_eq(call(&bare, "bare"), EXIT_USAGE);
    fflush(stderr);
    cr_assert_stderr_eq_str("bare: no \"file\"??[2J\n"
                            "bare: an argument is missing: call it as bare FILE\n");
}

Test(command, failures_are_json_when_asked)
{
    cr_redirect_stderr();
    cr_assert_eq(call(&tool, "tool --home h fail \xff --json"), EXIT_FAILED);
    fflush(stderr);
    cr_assert_stderr_eq_str("{\"error\":\"no \\\"?\\\"??[2J\"}\n");
}

Test(command, help_and_version_need_nothing_else)
{
    cr_redirect_stdout();
    cr_assert_eq(call(&tool, "tool --version"), EXIT_OK);
    cr_assert_eq(call(&tool, "tool send --help"), EXIT_OK);
    fflush(stdout);
    cr_assert_stdout_eq_str("tool " SEALMQ_VERSION "\n"
                            "tool send: sends\n\n"
                            "Usage: tool send --home DIR [OPTIONS] NAME [TEXT]\n\n"
                            "Options:\n"
                            "  --id UUID               the message's id\n"
                            "  --home DIR              where\n"
                            "  --json                  print one JSON object a line\n"
                            "  --help                  print this\n"
                            "  --version               print the version\n");
}

Test(command, help_lists_all_commands)
{
    cr_redirect_stdout();
    cr_assert_eq(call(&tool, "tool --help"), EXIT_OK);
    fflush(stdout);
    cr_assert_stdout_eq_str("tool: does things\n\n"
                            "Usage: tool --home DIR [OPTIONS] COMMAND\n\n"
                            "Commands:\n"
                            "  send NAME [TEXT]        sends\n"
                            "  recv                    receives\n"
                            "  fail WHAT               fails\n\n"
                            "Options:\n"
                            "  --home DIR              where\n"
                            "  --json                  print one JSON object a line\n"
                            "  --help                  print this\n"
                            "  --version               print the version\n\n"
                            "tool COMMAND --help tells more about one command.\n");
}
