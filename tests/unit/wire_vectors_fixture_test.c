/* What wire_vectors.h promises: reads the file once a test, and holds frames against it. */
#include "tests/unit/wire_vectors.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VECTORS_MAX  256
#define LINE_LEN_MAX 512

struct vector {
    char name[64];
    struct buffer value; /* decoded, where it is hex */
};

static struct vector vectors[VECTORS_MAX];
static size_t vector_count;
struct arena arena;

static void append_hex(struct vector *v, const char *hex)
{
    size_t len = strlen(hex) / 2;
    uint8_t *at = buffer_extend(&v->value, len);
    if (len) cr_assert_eq(hex_decode(hex, at, len), STATUS_OK, "%s: %s", v->name, hex);
}

static void take_line(char *line)
{
    line[strcspn(line, "\n")] = '\0';
    if (!*line || *line == '#') return;
    if (*line == ' ') {
        append_hex(&vectors[vector_count - 1], line + strspn(line, " "));
        return;
    }
    cr_assert_lt(vector_count, VECTORS_MAX);
    struct vector *v = &vectors[vector_count++];
    char *type = strchr(line, ' ');
    *type++ = '\0';
    cr_assert_lt(strlen(line), sizeof v->name, "%s", line);
    memcpy(v->name, line, strlen(line) + 1);
    char *value = type + strcspn(type, " ");
    if (*value) *value++ = '\0';
    if (strcmp(type, "hex") == 0)
        append_hex(v, value);
    else
        write_bytes(&v->value, value, strlen(value) + 1); /* number, text: with its NUL */
}

void vectors_load(void)
{
    char line[LINE_LEN_MAX];
    FILE *f = fopen(SEALMQ_VECTORS, "r");
    cr_assert_not_null(f, "%s", SEALMQ_VECTORS);
    cr_assert_geq(sodium_init(), 0);
    while (fgets(line, sizeof line, f))
        take_line(line);
    fclose(f);
}

void vectors_unload(void)
{
    for (size_t i = 0; i < vector_count; i++)
        buffer_fini(&vectors[i].value);
    arena_fini(&arena);
}

bool vector_at(size_t place, const char **name, struct view *value)
{
    if (place >= vector_count) return false;
    *name = vectors[place].name;
    *value = buffer_view(&vectors[place].value);
    return true;
}

struct view hex(const char *name)
{
    for (size_t i = 0; i < vector_count; i++)
        if (strcmp(vectors[i].name, name) == 0) return buffer_view(&vectors[i].value);
    cr_assert(false, "no vector %s", name);
    return view_of(NULL, 0);
}

const char *text(const char *name)
{
    return (const char *)hex(name).at;
}

uint64_t number(const char *name)
{
    return strtoull(text(name), NULL, 10);
}

void fixed(const char *name, void *out, size_t len)
{
    struct view v = hex(name);
    cr_assert_eq(v.len, len, "%s", name);
    memcpy(out, v.at, len);
}

void is(struct view got, const char *name)
{
    char *shown = calloc(1, 2 * got.len + 1);
    hex_encode(got.at, got.len, shown);
    cr_assert(view_equal(got, hex(name)), "%s is %s", name, shown);
    free(shown);
}

uint16_t home(const char *name)
{
    return (uint16_t)number(name);
}

void check_frame(const struct expected *x, const void *message)
{
    struct buffer made = {0}, again = {0};
    struct frame f;
    void *read = arena_alloc(&arena, x->desc->size);
    frame_write(&made, &x->header, x->desc, message);
    write_view(&made, x->body);
    is(buffer_view(&made), x->name);
    cr_assert_eq(frame_check(hex(x->name), x->from, &f), STATUS_OK);
    cr_assert(view_equal(f.body, x->body));
    cr_assert_eq(codec_decode(x->desc, f.meta, &arena, read), STATUS_OK);
    frame_write(&again, &f.header, x->desc, read);
    write_view(&again, f.body);
    is(buffer_view(&again), x->name);
    buffer_fini(&made);
    buffer_fini(&again);
}
