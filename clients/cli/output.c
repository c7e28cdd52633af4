/* output: standard output and standard error of `sealmq`. Knows formats, not commands.
 * Invariant: nothing that a peer sent reaches a terminal with its control characters. */
#include "clients/cli/output.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PROGRESS_AFTER_MS 1000
#define PROGRESS_EVERY_MS 500

bool output_json(json_t *object)
{
    ENSURE(object != NULL);
    bool written = json_dumpf(object, stdout, JSON_COMPACT) == 0 && putchar('\n') != EOF;
    json_decref(object);
    return fflush(stdout) == 0 && written;
}

static json_t *base64_of(struct view bytes)
{
    const int variant = sodium_base64_VARIANT_ORIGINAL;
    size_t cap = sodium_base64_encoded_len(bytes.len, variant);
    char *text = malloc(cap);
    ENSURE(text != NULL);
    json_t *string = json_string(sodium_bin2base64(text, cap, bytes.at, bytes.len, variant));
    free(text);
    return string;
}

void output_text(json_t *object, struct view text)
{
    json_t *string = json_stringn(text.len > 0 ? (const char *)text.at : "", text.len);
    if (string != NULL) {
        ENSURE(json_object_set_new(object, "text", string) == 0);
        return;
    }
    ENSURE(json_object_set_new(object, "base64", base64_of(text)) == 0);
    ENSURE(json_object_set_new(object, "encoding", json_string("base64")) == 0);
}

/* C0 but newline and tab, DEL, and C1 in UTF-8 (C2 80..9F). */
static bool steers(struct view text, size_t i)
{
    uint8_t byte = text.at[i];
    if (byte < 0x20 || byte == 0x7f) return byte != '\n' && byte != '\t';
    return byte >= 0x80 && byte < 0xa0 && i > 0 && text.at[i - 1] == 0xc2;
}

void output_print(struct view text)
{
    if (!isatty(STDOUT_FILENO)) {
        if (text.len > 0) fwrite(text.at, 1, text.len, stdout);
        return;
    }
    json_t *string = json_stringn(text.len > 0 ? (const char *)text.at : "", text.len);
    if (string == NULL) {
        printf("(%zu bytes that are not text: see them with --json)", text.len);
        return;
    }
    json_decref(string);
    for (size_t i = 0; i < text.len; i++)
        putchar(steers(text, i) ? '?' : text.at[i]);
}

void output_hex(const uint8_t *at, size_t len, char *out)
{
    sodium_bin2hex(out, 2 * len + 1, at, len);
}

void output_time(uint64_t ms, char out[OUTPUT_TIME_LEN + 1])
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm parts;
    char text[32];
    if (gmtime_r(&seconds, &parts) == NULL || strftime(text, sizeof text, "%FT%T", &parts) != 19) {
        snprintf(out, OUTPUT_TIME_LEN + 1, "?");
        return;
    }
    snprintf(out, OUTPUT_TIME_LEN + 1, "%.19s.%03uZ", text, (unsigned)(ms % 1000));
}

bool progress_due(struct progress *p, uint64_t mono_ms)
{
    if (p->began_ms == 0) p->began_ms = mono_ms;
    return mono_ms - p->began_ms >= PROGRESS_AFTER_MS && mono_ms - p->told_ms >= PROGRESS_EVERY_MS &&
           isatty(STDERR_FILENO);
}

void progress_tell(struct progress *p, uint64_t mono_ms, const char *what)
{
    if (!progress_due(p, mono_ms)) return;
    p->told_ms = mono_ms;
    p->shown = true;
    fprintf(stderr, "\r\033[K%s (%" PRIu64 " s)", what, (mono_ms - p->began_ms) / 1000);
    fflush(stderr);
}

void progress_end(struct progress *p)
{
    if (p->shown) fprintf(stderr, "\r\033[K");
    *p = (struct progress){0};
}
