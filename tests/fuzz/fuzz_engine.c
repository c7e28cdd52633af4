/* The client: a lying relay's frames, one after the other (u16 length before each), into an engine. */
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t seed = 0;
    struct random_source random = {.fill = same_bytes, .self = &seed};
    struct engine_config config = {.random = random, .client_version = "0.1.0", .attach = true};
    struct account_wish wish = {.handle = view_of("ann", 3)};
    struct engine_message message = {.handle = view_of("bob", 3), .payload = view_of("hi", 2)};
    struct now now = {1700000000000, 1000};
    struct state *state = memory_state_new();
    struct engine *e;
    struct engine_event event;
    struct outbox_row row;
    struct view frame;
    ENSURE(sodium_init() >= 0);
    ENSURE(account_create(state, &random, now, &wish) == STATUS_OK);
    ENSURE(engine_new(&config, state, &e) == STATUS_OK);
    ENSURE(engine_send(e, now, &message, &row) == STATUS_OK);
    engine_up(e, now);
    for (struct reader r = reader_of(view_of(data, size)); reader_left(&r) > 2;) {
        size_t len = read_u16(&r), left = reader_left(&r);
        engine_frame(e, now, read_view(&r, len < left ? len : left));
        now.mono_ms += 100;
        engine_tick(e, now);
        while (engine_next_frame(e, &frame)) {}
        while (engine_next_event(e, &event)) {}
    }
    engine_free(&e);
    state_close(&state);
    return 0;
}
