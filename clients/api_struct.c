/* api_struct: structs with a size, and results, on their way across the border of sealmq.h. A caller may have been
 * built with an older or a later header than this library. Invariant: not a byte beyond the caller's size is touched. */
#include "clients/api.h"

#include "clients/state/sqlite.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static size_t size_of(const void *given)
{
    size_t size;
    memcpy(&size, given, sizeof size); /* the first field of each */
    return size;
}

enum status api_take(const void *given, void *out, size_t size)
{
    const uint8_t *from = given;
    size_t theirs = size_of(given);
    memset(out, 0, size);
    if (theirs <= sizeof theirs) return STATUS_MALFORMED;
    for (size_t i = size; i < theirs; i++)
        if (from[i] != 0) return STATUS_UNSUPPORTED;
    memcpy(out, from, theirs < size ? theirs : size);
    return STATUS_OK;
}

enum status api_out(void *given)
{
    size_t size = size_of(given);
    if (size <= sizeof size) return STATUS_MALFORMED;
    memset((uint8_t *)given + sizeof size, 0, size - sizeof size);
    return STATUS_OK;
}

void api_give(void *given, const void *from, size_t size)
{
    size_t theirs = size_of(given);
    size_t len = theirs < size ? theirs : size;
    memcpy((uint8_t *)given + sizeof theirs, (const uint8_t *)from + sizeof theirs, len - sizeof theirs);
}

void api_text_copy(char *out, size_t cap, struct view text)
{
    size_t len = text.len < cap ? text.len : cap - 1;
    if (len > 0) memcpy(out, text.at, len);
    out[len] = '\0';
}

/* ---- results ---- */

void api_state_explain(const struct state *state, enum status s, char *error, size_t cap)
{
    if (s == STATUS_LOCKED)
        snprintf(error, cap, "another process is writing to this home: try again");
    else if (s == STATUS_DAMAGED)
        snprintf(error, cap, "the home's state.db is damaged: restore it from a copy, or make a new home");
    else if (s == STATUS_IO)
        snprintf(error, cap, "the home's state.db cannot be used: %s", sqlite_state_reason(state));
    else
        snprintf(error, cap, "%s: %s", status_name(s), status_meaning(s));
}

enum sealmq_status api_result(struct sealmq_client *c, enum status s)
{
    if (s != STATUS_OK) api_state_explain(c->state, s, c->error, sizeof c->error);
    return (enum sealmq_status)s;
}

enum sealmq_status api_fail(struct sealmq_client *c, enum status s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(c->error, sizeof c->error, format, args);
    va_end(args);
    return (enum sealmq_status)s;
}

void api_changed(struct sealmq_client *c)
{
    c->again = true;
}
