/* What comes back from a relay as our backup (PROTOCOL 6.7), or from a device that has let us in: refused with nothing kept, or
 * taken; what was taken is written to bytes that other homes take, and write as the same. */
#include "clients/backup_content.h"
#include "clients/engine.h"
#include "clients/state/memory.h"

#include "tests/fuzz/fuzz.h"

#include <sodium.h>
#include <string.h>

/* The same in each run; no two keys are equal. */
static void same_bytes(void *self, void *out, size_t len)
{
    memset(out, ++*(uint8_t *)self, len);
}

static struct state *home_new(void)
{
    uint8_t seed = 0;
    struct random_source random = {.fill = same_bytes, .self = &seed};
    struct account_wish wish = {.handle = view_of("ann", 3)};
    struct state *state = memory_state_new();
    ENSURE(sodium_init() >= 0);
    ENSURE(account_create(state, &random, (struct now){1700000000000, 1000}, &wish) == STATUS_OK);
    return state;
}

static void written(struct state *state, struct buffer *out)
{
    struct backup_summary summary;
    ENSURE(state_begin(state, STATE_READ) == STATUS_OK);
    ENSURE(backup_write_in(state, 7, SIZE_MAX, true, out, &summary) == STATUS_OK);
    state_rollback(state);
}

static enum status taken(struct state *state, struct view content, bool offered)
{
    struct backup_summary summary;
    ENSURE(state_begin(state, STATE_WRITE) == STATUS_OK);
    enum status s = offered ? backup_take_offered_in(state, content, &summary) : backup_take_in(state, content, 9, &summary);
    if (s == STATUS_OK) return state_commit(state);
    state_rollback(state);
    return s;
}

/* What another home makes of it. */
static void passed_on(struct view content, struct buffer *out)
{
    struct state *home = home_new();
    ENSURE(taken(home, content, false) == STATUS_OK);
    written(home, out);
    state_close(&home);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct state *home = home_new();
    struct buffer before = {0}, after = {0}, once = {0}, twice = {0};
    written(home, &before);
    enum status s = taken(home, view_of(data, size), false);
    if (s != STATUS_OK) s = taken(home, view_of(data, size), true);
    written(home, &after);
    if (s == STATUS_OK) passed_on(buffer_view(&after), &once);
    if (s == STATUS_OK) passed_on(buffer_view(&once), &twice); /* messages of one time change places each time */
    ENSURE(view_equal(buffer_view(&after), buffer_view(s == STATUS_OK ? &twice : &before)));
    buffer_fini(&before);
    buffer_fini(&after);
    buffer_fini(&once);
    buffer_fini(&twice);
    state_close(&home);
    return 0;
}
