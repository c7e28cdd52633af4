/* command_help: lists what the table of a program says: usage, commands, options. Two columns, so
 * that a reader finds a name on the left and a sentence on the right. */
#include "broker/host/command_help.h"

#include <limits.h>
#include <string.h>

#define LEFT_WIDTH 26

static const struct option_rule built_in[] = {
    {"json", NULL, "print one JSON object a line", false},
    {"help", NULL, "print this", false},
    {"version", NULL, "print the version", false},
};

const struct option_rule *option_at(const struct program_rule *program,
                                    const struct command_rule *rule, size_t at)
{
    if (at < program->option_count) return &program->options[at];
    return &rule->options[at - program->option_count];
}

size_t option_count(const struct program_rule *program, const struct command_rule *rule)
{
    return program->option_count + (rule ? rule->option_count : 0);
}

void arguments_count(const char *arguments, int *required, int *allowed)
{
    *required = *allowed = 0;
    for (const char *at = arguments ? arguments : ""; *at;) {
        at += strspn(at, " ");
        if (!*at) break;
        ++*allowed;
        if (*at != '[') ++*required;
        at += strcspn(at, " ");
        if (at[-1] == '.' || (at[-1] == ']' && at[-2] == '.')) *allowed = INT_MAX;
    }
}

void command_call(const struct program_rule *program, const struct command_rule *rule, char *out,
                  size_t cap)
{
    bool named = rule && rule->name;
    snprintf(out, cap, "%s%s%s", program->name, named ? " " : "", named ? rule->name : "");
}

static void row_print(FILE *out, const char *left, const char *right)
{
    if (strlen(left) > LEFT_WIDTH - 4)
        fprintf(out, "  %s\n%*s%s\n", left, LEFT_WIDTH, "", right);
    else
        fprintf(out, "  %-*s%s\n", LEFT_WIDTH - 2, left, right);
}

static void options_print(FILE *out, const struct option_rule *rules, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char left[80];
        snprintf(left, sizeof left, "--%s%s%s", rules[i].name, rules[i].value ? " " : "",
                 rules[i].value ? rules[i].value : "");
        row_print(out, left, rules[i].help);
    }
}

static void commands_print(FILE *out, const struct program_rule *program)
{
    fprintf(out, "\nCommands:\n");
    for (size_t i = 0; i < program->command_count; i++) {
        const struct command_rule *rule = &program->commands[i];
        char left[80];
        snprintf(left, sizeof left, "%s%s%s", rule->name, rule->arguments ? " " : "",
                 rule->arguments ? rule->arguments : "");
        row_print(out, left, rule->help);
    }
}

/* What must be given stands in the usage line itself. */
static void usage_print(FILE *out, const struct program_rule *program,
                        const struct command_rule *rule)
{
    char call[128];
    command_call(program, rule, call, sizeof call);
    fprintf(out, "Usage: %s", call);
    for (size_t i = 0; i < option_count(program, rule); i++) {
        const struct option_rule *o = option_at(program, rule, i);
        if (o->required)
            fprintf(out, " --%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
    }
    fprintf(out, " [OPTIONS]%s", rule ? "" : " COMMAND");
    if (rule && rule->arguments) fprintf(out, " %s", rule->arguments);
    fputc('\n', out);
}

/* A command's own --json (with a value) stands for the built-in one, the first of the table. */
static bool json_is_own(const struct command_rule *rule)
{
    for (size_t i = 0; rule && i < rule->option_count; i++)
        if (strcmp(rule->options[i].name, built_in[0].name) == 0) return true;
    return false;
}

void command_help(FILE *out, const struct program_rule *program, const struct command_rule *rule)
{
    char call[128];
    command_call(program, rule, call, sizeof call);
    fprintf(out, "%s: %s\n\n", call, rule && rule->name ? rule->help : program->help);
    usage_print(out, program, rule);
    if (!rule) commands_print(out, program);
    fprintf(out, "\nOptions:\n");
    if (rule) options_print(out, rule->options, rule->option_count);
    options_print(out, program->options, program->option_count);
    size_t hidden = json_is_own(rule) ? 1 : 0;
    options_print(out, built_in + hidden, sizeof built_in / sizeof built_in[0] - hidden);
    if (!rule) fprintf(out, "\n%s COMMAND --help tells more about one command.\n", program->name);
}
