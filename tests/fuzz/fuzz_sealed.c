/* Sealed messages from anybody: what the header reader takes is the whole of a header; nothing opens, and nothing changes by
 * it; a content that is read is written again byte for byte; stored sessions are read whole or not at all. The first
 * byte chooses. */
#include "clients/seal/content.h"
#include "clients/seal/session.h"

#include "tests/fuzz/fuzz.h"

#include <sodium.h>
#include <string.h>

static void fill(void *self, void *out, size_t len)
{
    (void)self;
    memset(out, 7, len);
}

static void open_one(struct view bytes)
{
    static struct session s, before;
    static struct skipped_list fresh;
    struct random_source random = {fill, NULL};
    struct sealed_header header;
    struct sealed_context context = {.id = {{1}}};
    struct buffer padded = {0};
    struct view body;
    if (sealed_header_read(bytes, &header, &body) != CAUSE_NONE) {
        ENSURE(sodium_is_zero((const uint8_t *)&header, sizeof header) && body.len == 0);
        return;
    }
    ENSURE(body.len + (header.starts ? SEALED_HEADER_LEN_MAX : SEALED_HEADER_LEN) == bytes.len);
    memset(&s, 3, sizeof s);
    s.ratchet.sends = s.ratchet.receives = s.initiator = s.answered = true;
    before = s;
    ENSURE(session_open(&s, &header, &context, bytes, NULL, &random, &fresh, &padded) != CAUSE_NONE);
    ENSURE(memcmp(&before, &s, sizeof s) == 0 && padded.len == 0 && fresh.count == 0);
    buffer_fini(&padded);
}

static void read_content(struct view bytes)
{
    struct content content;
    struct buffer again = {0};
    if (content_read(bytes, &content) == CAUSE_NONE) {
        content_write(&content, &again);
        ENSURE(view_equal(buffer_view(&again), bytes));
        (void)content_commitment(&content);
    } else {
        ENSURE(content.payload.len == 0 && content.counter == 0);
    }
    buffer_fini(&again);
}

static void read_session(struct view bytes)
{
    struct session s;
    uint8_t again[SESSION_LEN];
    if (session_read(bytes, &s) != STATUS_OK) return;
    session_write(&s, again);
    ENSURE(view_equal(view_of(again, sizeof again), bytes));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ENSURE(sodium_init() >= 0);
    if (size == 0) return 0;
    struct view bytes = view_of(data + 1, size - 1);
    if (data[0] % 3 == 0) open_one(bytes);
    if (data[0] % 3 == 1) read_content(bytes);
    if (data[0] % 3 == 2) read_session(bytes);
    return 0;
}
