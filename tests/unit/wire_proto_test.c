/* Holds three things together: the structs and tables of messages.c, sealmq.proto, and protobuf-c as
 * an implementation that is not ours. Both sides are walked and filled through their descriptors, so
 * a message added to one side only, or a field that drifts, fails here by name. */
#include "broker/wire/messages.h"

#include "sealmq.pb-c.h"

#include <ctype.h>
#include <criterion/criterion.h>
#include <string.h>

#define ROUNDS      20
#define TABLES_MAX  128
#define ENTRIES_MAX 4 /* of a repeated field; the last round goes to the bound */

struct pair {
    const struct codec_desc *ours;
    const ProtobufCMessageDescriptor *theirs;
};

static const struct pair pairs[] = {
#define X(name) {&msg_##name##_desc, &sealmq__##name##__descriptor},
    MESSAGE_LIST(X)
#undef X
};

#define PAIR_COUNT (sizeof pairs / sizeof pairs[0])

/* ---- the descriptors, field by field ---- */

static void camel_case(const char *snake, char *out)
{
    bool start = true;
    for (; *snake; snake++) {
        if (*snake != '_') *out++ = start ? (char)toupper((unsigned char)*snake) : *snake;
        start = *snake == '_';
    }
    *out = '\0';
}

static bool is_repeated(const struct codec_field *f)
{
    return f->type == CODEC_MANY || f->type == CODEC_VIEWS;
}

static ProtobufCType type_of(const struct codec_field *f)
{
    switch (f->type) {
    case CODEC_U64: return PROTOBUF_C_TYPE_UINT64;
    case CODEC_U32: return PROTOBUF_C_TYPE_UINT32;
    case CODEC_BOOL: return PROTOBUF_C_TYPE_BOOL;
    case CODEC_ONE:
    case CODEC_MANY: return PROTOBUF_C_TYPE_MESSAGE;
    case CODEC_FIXED:
    case CODEC_MAYBE:
    case CODEC_BYTES:
    case CODEC_VIEWS: return PROTOBUF_C_TYPE_BYTES;
    }
    return PROTOBUF_C_TYPE_STRING; /* not in our language */
}

struct walk {
    const struct codec_desc *seen[TABLES_MAX];
    size_t count;
};

static bool walk_first_time(struct walk *w, const struct codec_desc *desc)
{
    for (size_t i = 0; i < w->count; i++)
        if (w->seen[i] == desc) return false;
    cr_assert(w->count < TABLES_MAX);
    w->seen[w->count++] = desc;
    return true;
}

static void compare(struct walk *w, struct pair p)
{
    char name[64];
    if (!walk_first_time(w, p.ours)) return;
    camel_case(p.ours->name, name);
    cr_assert_str_eq(name, p.theirs->short_name);
    cr_assert_str_eq(p.theirs->package_name, "sealmq");
    cr_assert_eq(p.ours->field_count, p.theirs->n_fields, "%s: number of fields", name);
    for (size_t i = 0; i < p.ours->field_count; i++) {
        const struct codec_field *f = &p.ours->fields[i];
        const ProtobufCFieldDescriptor *g = &p.theirs->fields[i];
        ProtobufCLabel label = is_repeated(f) ? PROTOBUF_C_LABEL_REPEATED : PROTOBUF_C_LABEL_NONE;
        cr_assert_str_eq(f->name, g->name, "%s: %s is %s in the proto", name, f->name, g->name);
        cr_assert_eq(f->number, g->id, "%s.%s: number", name, f->name);
        cr_assert_eq(type_of(f), g->type, "%s.%s: type", name, f->name);
        cr_assert_eq(label, g->label, "%s.%s: label", name, f->name);
        cr_assert_eq(g->flags, 0u, "%s.%s: no packed, oneof or deprecated", name, f->name);
        if (f->sub) compare(w, (struct pair){f->sub, g->descriptor});
    }
}

Test(proto, every_table_and_field_is_as_the_proto_says)
{
    struct walk w = {.count = 0};
    for (size_t i = 0; i < PAIR_COUNT; i++)
        compare(&w, pairs[i]);
    cr_assert_eq(w.count, SEALMQ_PROTO_MESSAGES, "the proto has a message without a table");
}

static void check_table(const struct codec_desc *desc, unsigned depth)
{
    uint32_t last = 0;
    cr_assert(depth < 6, "%s is nested too deep for the decoder", desc->name);
    cr_assert_leq(desc->field_count, CODEC_FIELD_COUNT_MAX);
    for (size_t i = 0; i < desc->field_count; i++) {
        const struct codec_field *f = &desc->fields[i];
        cr_assert_gt(f->number, last, "%s.%s: ascending", desc->name, f->name);
        cr_assert_lt(f->offset, desc->size);
        last = f->number;
        if (is_repeated(f) || f->type == CODEC_BYTES)
            cr_assert_gt(f->max, 0u, "%s.%s: unbounded", desc->name, f->name);
        if (f->sub) check_table(f->sub, depth + 1);
    }
}

Test(proto, tables_ascend_are_bounded_and_not_too_deep)
{
    for (size_t i = 0; i < PAIR_COUNT; i++)
        check_table(pairs[i].ours, 0);
}

/* ---- random content ---- */

struct dice {
    uint64_t state;
    bool to_the_bound; /* this round fills repeated fields and bytes up to their max */
    struct arena arena;
};

static uint64_t roll(struct dice *d) /* splitmix64 */
{
    uint64_t z = d->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static size_t roll_below(struct dice *d, size_t bound)
{
    return (size_t)(roll(d) % bound);
}

/* All widths alike, 0 and the largest among them. */
static uint64_t roll_number(struct dice *d, const struct codec_field *f)
{
    unsigned bits = f->type == CODEC_U64 ? 64 : f->type == CODEC_U32 ? 32 : 1;
    unsigned width = (unsigned)roll_below(d, bits + 1);
    if (width == 0) return 0;
    uint64_t top = roll_below(d, 4) == 0 ? UINT64_MAX : roll(d);
    return top >> (64 - width);
}

static struct view roll_bytes(struct dice *d, size_t len)
{
    uint8_t *at = arena_alloc(&d->arena, len);
    bool zero = roll_below(d, 8) == 0;
    for (size_t i = 0; i < len && !zero; i++)
        at[i] = (uint8_t)roll(d);
    return view_of(len ? at : NULL, len);
}

static size_t roll_count(struct dice *d, size_t max, size_t usual)
{
    if (d->to_the_bound) return max;
    return roll_below(d, (max < usual ? max : usual) + 1);
}

static struct view roll_field_bytes(struct dice *d, const struct codec_field *f)
{
    if (f->type == CODEC_FIXED) return roll_bytes(d, f->max);
    if (f->type == CODEC_MAYBE) return roll_bytes(d, roll_below(d, 2) ? f->max : 0);
    if (f->type == CODEC_BYTES) return roll_bytes(d, roll_count(d, f->max, 200));
    return roll_bytes(d, roll_below(d, 300));
}

/* A MAYBE of zeros is the same as none at all; protobuf-c would write it. */
static struct view maybe_none(const struct codec_field *f, struct view v)
{
    for (size_t i = 0; i < v.len; i++)
        if (v.at[i]) return v;
    return f->type == CODEC_MAYBE ? view_of(NULL, 0) : v;
}

/* ---- our struct, filled ---- */

static void fill(struct dice *d, const struct codec_desc *desc, uint8_t *out);

static void fill_array(struct dice *d, const struct codec_field *f, uint8_t *out)
{
    size_t size = f->sub ? f->sub->size : sizeof(struct view);
    size_t count = roll_count(d, f->max, ENTRIES_MAX);
    uint8_t *array = arena_array(&d->arena, count, size);
    for (size_t i = 0; i < count; i++) {
        struct view v;
        if (f->sub) {
            fill(d, f->sub, array + i * size);
        } else {
            v = roll_field_bytes(d, f);
            memcpy(array + i * size, &v, sizeof v);
        }
    }
    memcpy(out + f->count_offset, &count, sizeof count);
    memcpy(out + f->offset, &array, sizeof array);
}

static void fill_number(const struct codec_field *f, uint64_t v, uint8_t *at)
{
    uint32_t v32 = (uint32_t)v;
    bool flag = v != 0;
    if (f->type == CODEC_U64) memcpy(at, &v, sizeof v);
    if (f->type == CODEC_U32) memcpy(at, &v32, sizeof v32);
    if (f->type == CODEC_BOOL) memcpy(at, &flag, sizeof flag);
}

static void fill(struct dice *d, const struct codec_desc *desc, uint8_t *out)
{
    for (size_t i = 0; i < desc->field_count; i++) {
        const struct codec_field *f = &desc->fields[i];
        uint8_t *at = out + f->offset;
        if (f->type <= CODEC_BOOL) {
            fill_number(f, roll_number(d, f), at);
        } else if (is_repeated(f)) {
            fill_array(d, f, out);
        } else if (f->type == CODEC_ONE) {
            fill(d, f->sub, at);
        } else {
            struct view v = roll_field_bytes(d, f);
            if (f->type == CODEC_BYTES)
                memcpy(at, &v, sizeof v);
            else if (v.len)
                memcpy(at, v.at, v.len);
        }
    }
}

/* ---- protobuf-c's tree, filled; all of it from the arena, so nothing of it is freed ---- */

static ProtobufCMessage *grow(struct dice *d, struct pair p);

static ProtobufCBinaryData binary_of(struct dice *d, struct view v)
{
    struct view copy = arena_copy(&d->arena, v);
    uint8_t *at = arena_alloc(&d->arena, copy.len);
    if (copy.len) memcpy(at, copy.at, copy.len);
    return (ProtobufCBinaryData){.len = copy.len, .data = at};
}

static void grow_array(struct dice *d, const struct codec_field *f,
                       const ProtobufCFieldDescriptor *g, uint8_t *message)
{
    size_t count = roll_count(d, f->max, ENTRIES_MAX);
    size_t size = f->sub ? sizeof(ProtobufCMessage *) : sizeof(ProtobufCBinaryData);
    uint8_t *array = arena_array(&d->arena, count, size);
    for (size_t i = 0; i < count; i++) {
        if (f->sub) {
            ProtobufCMessage *sub = grow(d, (struct pair){f->sub, g->descriptor});
            memcpy(array + i * size, &sub, sizeof sub);
        } else {
            ProtobufCBinaryData data = binary_of(d, roll_field_bytes(d, f));
            memcpy(array + i * size, &data, sizeof data);
        }
    }
    memcpy(message + g->quantifier_offset, &count, sizeof count);
    memcpy(message + g->offset, &array, sizeof array);
}

static void grow_number(const ProtobufCFieldDescriptor *g, uint64_t v, uint8_t *at)
{
    uint32_t v32 = (uint32_t)v;
    protobuf_c_boolean flag = v != 0;
    if (g->type == PROTOBUF_C_TYPE_UINT64) memcpy(at, &v, sizeof v);
    if (g->type == PROTOBUF_C_TYPE_UINT32) memcpy(at, &v32, sizeof v32);
    if (g->type == PROTOBUF_C_TYPE_BOOL) memcpy(at, &flag, sizeof flag);
}

static ProtobufCMessage *grow(struct dice *d, struct pair p)
{
    uint8_t *message = arena_alloc(&d->arena, p.theirs->sizeof_message);
    cr_assert_eq(p.ours->field_count, p.theirs->n_fields, "%s", p.ours->name);
    protobuf_c_message_init(p.theirs, message);
    for (size_t i = 0; i < p.ours->field_count; i++) {
        const struct codec_field *f = &p.ours->fields[i];
        const ProtobufCFieldDescriptor *g = &p.theirs->fields[i];
        if (is_repeated(f)) {
            grow_array(d, f, g, message);
        } else if (f->type <= CODEC_BOOL) {
            grow_number(g, roll_number(d, f), message + g->offset);
        } else if (f->type == CODEC_ONE) {
            ProtobufCMessage *sub = grow(d, (struct pair){f->sub, g->descriptor});
            memcpy(message + g->offset, &sub, sizeof sub);
        } else {
            ProtobufCBinaryData data = binary_of(d, maybe_none(f, roll_field_bytes(d, f)));
            memcpy(message + g->offset, &data, sizeof data);
        }
    }
    return (ProtobufCMessage *)(void *)message;
}

/* ---- the two against each other ---- */

static void pack(const ProtobufCMessage *message, struct buffer *out)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    buffer_clear(out);
    if (len) cr_assert_eq(protobuf_c_message_pack(message, buffer_extend(out, len)), len);
}

static void check_ours_first(struct dice *d, struct pair p)
{
    struct buffer ours = {0}, theirs = {0};
    void *message = arena_alloc(&d->arena, p.ours->size);
    fill(d, p.ours, message);
    codec_encode(p.ours, message, &ours);
    ProtobufCMessage *tree = protobuf_c_message_unpack(p.theirs, NULL, ours.len, ours.at);
    cr_assert_not_null(tree, "%s: protobuf-c cannot read ours", p.ours->name);
    pack(tree, &theirs);
    cr_assert(view_equal(buffer_view(&ours), buffer_view(&theirs)), "%s", p.ours->name);
    protobuf_c_message_free_unpacked(tree, NULL);
    buffer_fini(&ours);
    buffer_fini(&theirs);
}

static void check_theirs_first(struct dice *d, struct pair p)
{
    struct buffer ours = {0}, theirs = {0};
    void *message = arena_alloc(&d->arena, p.ours->size);
    pack(grow(d, p), &theirs);
    enum status s = codec_decode(p.ours, buffer_view(&theirs), &d->arena, message);
    cr_assert_eq(s, STATUS_OK, "%s: %s", p.ours->name, status_name(s));
    codec_encode(p.ours, message, &ours);
    cr_assert(view_equal(buffer_view(&ours), buffer_view(&theirs)), "%s", p.ours->name);
    buffer_fini(&ours);
    buffer_fini(&theirs);
}

static void each_message(void (*check)(struct dice *, struct pair))
{
    struct dice d = {.state = 1};
    for (size_t i = 0; i < PAIR_COUNT; i++) {
        for (unsigned round = 0; round < ROUNDS; round++) {
            d.to_the_bound = round == ROUNDS - 1;
            check(&d, pairs[i]);
            arena_reset(&d.arena);
        }
    }
    arena_fini(&d.arena);
}

Test(proto, what_we_write_protobuf_c_reads_and_writes_again_alike)
{
    each_message(check_ours_first);
}

Test(proto, what_protobuf_c_writes_we_read_and_write_again_alike)
{
    each_message(check_theirs_first);
}
