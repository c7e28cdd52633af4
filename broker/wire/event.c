/* event: names, marks and the ring. What is not here: any way to log bytes. */
#include "broker/wire/event.h"

#include <sodium.h>
#include <string.h>

struct event_row {
    enum event_kind kind;
    const char *name;
    enum event_level level;
    struct event_words words;
};

static const struct event_row rows[] = {
#define X(NAME, code, text, level, c, n, v) {EVENT_##NAME, text, LEVEL_##level, {c, n, v}},
    EVENT_LIST(X)
#undef X
};

static const struct event_row *row_of(uint64_t kind)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if ((uint64_t)rows[i].kind == kind) return &rows[i];
    return NULL;
}

static struct mark mark_of(const struct mark_key *key, char class, const uint8_t *id, size_t len)
{
    uint8_t full[16];
    struct mark out;
    crypto_generichash_state state;
    crypto_generichash_init(&state, key->bytes, sizeof key->bytes, sizeof full);
    crypto_generichash_update(&state, (const uint8_t *)&class, 1);
    crypto_generichash_update(&state, id, len);
    crypto_generichash_final(&state, full, sizeof full);
    memcpy(out.bytes, full, sizeof out.bytes);
    return out;
}

struct mark mark_account(const struct mark_key *key, struct account_id id)
{
    return mark_of(key, 'a', id.bytes, sizeof id.bytes);
}

struct mark mark_device(const struct mark_key *key, struct device_id id)
{
    return mark_of(key, 'd', id.bytes, sizeof id.bytes);
}

struct mark mark_message(const struct mark_key *key, struct message_id id)
{
    return mark_of(key, 'm', id.bytes, sizeof id.bytes);
}

const char *event_name(uint64_t kind)
{
    const struct event_row *row = row_of(kind);
    return row ? row->name : "?";
}

enum event_level event_level(uint64_t kind)
{
    const struct event_row *row = row_of(kind);
    return row ? row->level : LEVEL_INFO;
}

struct event_words event_words(uint64_t kind)
{
    const struct event_row *row = row_of(kind);
    return row ? row->words : (struct event_words){"", "", ""};
}

uint64_t version_number(struct view text)
{
    uint64_t parts[3] = {0};
    size_t part = 0, digits = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];
        if (c == '.' && digits && part < 2) {
            part++;
            digits = 0;
        } else if (c >= '0' && c <= '9' && digits < 5) {
            parts[part] = parts[part] * 10 + (uint64_t)(c - '0');
            digits++;
        } else {
            return 0;
        }
    }
    if (!digits || parts[0] > 65535 || parts[1] > 65535 || parts[2] > 65535) return 0;
    return parts[0] << 32 | parts[1] << 16 | parts[2];
}

void event_ring_put(struct event_ring *r, const struct event *e)
{
    if (r->written - r->taken == EVENT_RING_LEN) {
        r->taken++;
        r->dropped++;
    }
    r->events[r->written++ % EVENT_RING_LEN] = *e;
}

bool event_ring_take(struct event_ring *r, struct event *out)
{
    if (r->dropped) {
        *out = (struct event){.at_ms = r->events[r->taken % EVENT_RING_LEN].at_ms,
                              .kind = EVENT_EVENTS_DROPPED, .count = r->dropped};
        r->dropped = 0;
        return true;
    }
    if (r->taken == r->written) return false;
    *out = r->events[r->taken++ % EVENT_RING_LEN];
    return true;
}

#define X(NAME, code, text, level, c, n, v) _Static_assert((code) < EVENT_KINDS_MAX, #NAME);
EVENT_LIST(X)
#undef X

#define X(NAME, code, text, level, c, n, v) +1u
_Static_assert((EVENT_LIST(X) + 1u) * RECORDS_OF_A_KIND + EVENT_KINDS_MAX <= EVENT_RING_LEN,
               "a place for every share");
#undef X

static uint32_t place_of(const struct event *e)
{
    uint64_t kind = (uint64_t)e->kind;
    return row_of(kind) ? (uint32_t)kind : 0;
}

/* A number for each kind has room besides: what was dropped is told, or kept until there is. */
static uint32_t share_of(uint32_t place)
{
    return place == EVENT_EVENTS_DROPPED ? EVENT_KINDS_MAX : RECORDS_OF_A_KIND;
}

static bool has_share(const struct event_records *r, uint32_t place)
{
    return r->put[place] < share_of(place) && r->waiting[place] < share_of(place);
}

void event_records_put(struct event_records *r, const struct event *e)
{
    uint32_t place = place_of(e);
    if (!has_share(r, place)) {
        r->surplus[place]++;
        return;
    }
    r->put[place]++;
    r->waiting[place]++;
    event_ring_put(&r->ring, e);
}

void event_records_step(struct event_records *r, uint64_t mono_ms, uint64_t wall_ms)
{
    uint64_t second = mono_ms / 1000;
    if (second == r->second) return;
    r->second = second;
    memset(r->put, 0, sizeof r->put);
    for (uint32_t place = 0; place < EVENT_KINDS_MAX; place++) {
        struct event lost = {.at_ms = wall_ms, .kind = EVENT_EVENTS_DROPPED, .code = place,
                             .count = r->surplus[place]};
        if (!lost.count || !has_share(r, EVENT_EVENTS_DROPPED)) continue;
        r->surplus[place] = 0;
        event_records_put(r, &lost);
    }
}

bool event_records_take(struct event_records *r, struct event *out)
{
    if (!event_ring_take(&r->ring, out)) return false;
    r->waiting[place_of(out)]--;
    return true;
}
