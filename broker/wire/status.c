/* status: names, meanings and client actions, generated from the one list in status.h. */
#include "broker/wire/status.h"

#include <stddef.h>

struct status_row {
    enum status code;
    const char *name;
    enum status_action action;
    const char *meaning;
};

static const struct status_row rows[] = {
#define X(NAME, code, text, action, meaning) {STATUS_##NAME, text, ACTION_##action, meaning},
    STATUS_LIST(X)
#undef X
};

static const struct status_row *row_of(uint64_t code)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if ((uint64_t)rows[i].code == code) return &rows[i];
    return NULL;
}

const char *status_name(enum status s)
{
    const struct status_row *row = row_of((uint64_t)s);
    return row ? row->name : "?";
}

const char *status_meaning(enum status s)
{
    const struct status_row *row = row_of((uint64_t)s);
    return row ? row->meaning : "?";
}

enum status_action status_client_action(enum status s)
{
    const struct status_row *row = row_of((uint64_t)s);
    return row ? row->action : ACTION_GIVE_UP;
}

enum status status_from_wire(uint64_t code)
{
    if (code > STATUS_WIRE_MAX || !row_of(code)) return STATUS_MALFORMED;
    return (enum status)code;
}
