/* command: parses one call of a program against its table and runs the command that it names.
 * getopt_long does the parsing, twice: the program's own options up to the command's name, then the
 * command's (and again the program's) over the rest. What is not here: what --help looks like
 * (command_help.c), and any meaning of an option.
 * Invariant: the values in struct parsed stand in the order of option_at(). */
#include "broker/host/command_help.h"
#include "broker/wire/bytes.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPTIONS_MAX 32
#define LINE_MAX_LEN 1024

struct parsed {
    const char *values[OPTIONS_MAX]; /* NULL = absent, "" = a flag */
    bool help;
    bool version;
};

enum { OPTION_HELP = OPTIONS_MAX, OPTION_VERSION, OPTION_JSON };

static const struct option_rule *option_find(const struct command *c, const char *name, size_t *at)
{
    for (*at = 0; *at < option_count(c->program, c->rule); (*at)++) {
        const struct option_rule *rule = option_at(c->program, c->rule, *at);
        if (strcmp(rule->name, name) == 0) return rule;
    }
    return NULL;
}

/* getopt_long's table: val is the place in struct parsed. */
static void options_fill(const struct command *c, struct option out[OPTIONS_MAX + 4])
{
    size_t count = option_count(c->program, c->rule), n = 0;
    ENSURE(count <= OPTIONS_MAX);
    for (; n < count; n++) {
        const struct option_rule *rule = option_at(c->program, c->rule, n);
        out[n] = (struct option){rule->name, rule->value ? required_argument : no_argument, NULL,
                                 (int)n};
    }
    out[n++] = (struct option){"help", no_argument, NULL, OPTION_HELP};
    out[n++] = (struct option){"version", no_argument, NULL, OPTION_VERSION};
    out[n++] = (struct option){"json", no_argument, NULL, OPTION_JSON};
    out[n] = (struct option){NULL, 0, NULL, 0};
}

static int usage_fail(const struct command *c, const char *what, const char *which)
{
    char call[128];
    command_call(c->program, c->rule, call, sizeof call);
    return command_fail(c, EXIT_USAGE, "%s %s: see %s --help", what, which, call);
}

static bool option_take(struct command *c, int place, const char *value)
{
    struct parsed *parsed = c->parsed;
    if (place == OPTION_HELP) parsed->help = true;
    if (place == OPTION_VERSION) parsed->version = true;
    if (place == OPTION_JSON) c->json = true;
    if (place >= OPTIONS_MAX) return true;
    parsed->values[place] = value ? value : "";
    if (!value || *value) return true;
    usage_fail(c, "an empty value for option", option_at(c->program, c->rule, (size_t)place)->name);
    return false;
}

/* getopt says in optopt which short option it does not know, or which flag was given a value. */
static int option_unknown(const struct command *c, const char *argument)
{
    const char letter[] = {'-', (char)optopt, '\0'};
    if (optopt > OPTION_JSON) return usage_fail(c, "unknown option", letter);
    if (optopt) return usage_fail(c, "a value is not taken by", argument);
    return usage_fail(c, "unknown option", argument);
}

/* One pass over argv; order is getopt's "+" (stop at the first argument) or "" (all of them).
 * EXIT_OK with optind at the first argument, or EXIT_USAGE after one line. */
static int options_parse(struct command *c, int argc, char **argv, const char *order)
{
    struct option options[OPTIONS_MAX + 4];
    char short_options[4];
    options_fill(c, options);
    snprintf(short_options, sizeof short_options, "%s:", order);
    optind = 0; /* GNU: start afresh */
    opterr = 0;
    for (;;) {
        int place = getopt_long(argc, argv, short_options, options, NULL);
        if (place == -1) return EXIT_OK;
        if (place == ':') return usage_fail(c, "no value for option", argv[optind - 1]);
        if (place == '?') return option_unknown(c, argv[optind - 1]);
        if (!option_take(c, place, optarg)) return EXIT_USAGE;
    }
}

static const struct command_rule *rule_find(const struct program_rule *program, const char *name)
{
    for (size_t i = 0; i < program->command_count; i++)
        if (strcmp(program->commands[i].name, name) == 0) return &program->commands[i];
    return NULL;
}

/* command_choose: sets c->rule (NULL after a bare --help or --version) and the rest to parse. */
static int command_choose(struct command *c, int *argc, char ***argv)
{
    if (c->program->command_count == 1 && !c->program->commands[0].name) {
        c->rule = &c->program->commands[0];
        return EXIT_OK;
    }
    int failed = options_parse(c, *argc, *argv, "+");
    const struct parsed *parsed = c->parsed;
    if (failed || parsed->help || parsed->version) return failed;
    if (optind >= *argc) return usage_fail(c, "no command", "given");
    c->rule = rule_find(c->program, (*argv)[optind]);
    if (!c->rule) return usage_fail(c, "unknown command", (*argv)[optind]);
    *argc -= optind;
    *argv += optind;
    return EXIT_OK;
}

static int required_check(const struct command *c)
{
    const struct parsed *parsed = c->parsed;
    for (size_t i = 0; i < option_count(c->program, c->rule); i++) {
        const struct option_rule *rule = option_at(c->program, c->rule, i);
        if (rule->required && !parsed->values[i])
            return command_fail(c, EXIT_USAGE, "an option is missing: add --%s %s", rule->name,
                                rule->value ? rule->value : "");
    }
    return EXIT_OK;
}

static int arguments_check(const struct command *c)
{
    int required, allowed;
    char call[128];
    arguments_count(c->rule->arguments, &required, &allowed);
    if (c->argument_count >= required && c->argument_count <= allowed) return EXIT_OK;
    command_call(c->program, c->rule, call, sizeof call);
    return command_fail(c, EXIT_USAGE, "%s: call it as %s%s%s%s",
                        c->argument_count < required ? "an argument is missing"
                                                     : "too many arguments",
                        call, c->rule->arguments ? " " : "",
                        c->rule->arguments ? c->rule->arguments : "",
                        c->argument_count > allowed ? " (quote text that has spaces)" : "");
}

static int command_parse(struct command *c, int argc, char **argv)
{
    const struct parsed *parsed = c->parsed;
    int failed = command_choose(c, &argc, &argv);
    if (failed || !c->rule) return failed;
    failed = options_parse(c, argc, argv, "");
    if (failed || parsed->help || parsed->version) return failed;
    c->argument_count = argc - optind;
    c->arguments = argv + optind;
    failed = required_check(c);
    return failed ? failed : arguments_check(c);
}

int command_main(const struct program_rule *program, int argc, char **argv)
{
    struct parsed parsed = {0};
    struct command c = {.program = program, .parsed = &parsed};
    int status = command_parse(&c, argc, argv);
    if (!status && parsed.help)
        command_help(stdout, program, c.rule);
    else if (!status && parsed.version)
        printf("%s %s\n", program->name, SEALMQ_VERSION);
    else if (!status)
        status = c.rule->run(&c);
    if (fflush(stdout) != 0 && status == EXIT_OK)
        status = command_fail(&c, EXIT_FAILED, "standard output cannot be written: %s",
                              strerror(errno));
    return status;
}

const char *command_option(const struct command *c, const char *name)
{
    size_t at;
    const struct parsed *parsed = c->parsed;
    ENSURE(option_find(c, name, &at)); /* a typing error of ours, not of the caller */
    return parsed->values[at];
}

bool command_number(const struct command *c, const char *name, long long min, long long max,
                    long long fallback, long long *out)
{
    const char *text = command_option(c, name);
    char *end = NULL;
    *out = fallback;
    if (!text) return true;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || end == text || *end || isspace((unsigned char)*text) || value < min ||
        value > max) {
        command_fail(c, EXIT_USAGE, "--%s is \"%s\": give a number from %lld to %lld", name, text,
                     min, max);
        return false;
    }
    *out = value;
    return true;
}

/* A line for a terminal: whatever text a path or a peer's answer brought, no control characters. */
static void line_clean(char *line, bool ascii_only)
{
    for (unsigned char *at = (unsigned char *)line; *at; at++)
        if (*at < 0x20 || *at == 0x7f || (ascii_only && *at > 0x7f)) *at = '?';
}

static void fail_json(char *line)
{
    json_t *text = json_string(line);
    if (!text) { /* not UTF-8 */
        line_clean(line, true);
        text = json_string(line);
    }
    json_t *object = json_pack("{s:o}", "error", text);
    ENSURE(object && json_dumpf(object, stderr, JSON_COMPACT) == 0);
    fputc('\n', stderr);
    json_decref(object);
}

int command_fail(const struct command *c, int exit_status, const char *format, ...)
{
    char line[LINE_MAX_LEN];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    line_clean(line, false);
    if (c->json)
        fail_json(line);
    else
        fprintf(stderr, "%s: %s\n", c->program->name, line);
    return exit_status;
}
