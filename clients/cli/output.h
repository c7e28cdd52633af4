/* output: what commands print: one JSON object a line with --json, else lines for people. Standard
 * output has results only; progress and notices go to standard error. */
#ifndef SEALMQ_CLI_OUTPUT_H
#define SEALMQ_CLI_OUTPUT_H

#include "broker/wire/bytes.h"

#include <jansson.h>
#include <stdint.h>

/* output_json: prints the object on one line, flushes, and gives the object back to jansson.
 * false when standard output cannot be written. */
bool output_json(json_t *object);

/* output_text: adds "text"; for bytes that are not UTF-8 "base64" and "encoding":"base64". */
void output_text(json_t *object, struct view text);

/* output_print: text for a person, without a newline; on a terminal control characters other than
 * newline and tab become '?', so that a message cannot steer the terminal. */
void output_print(struct view text);

/* output_hex: 2 * len digits and a NUL. */
void output_hex(const uint8_t *at, size_t len, char *out);

/* output_time: Unix ms as "2024-05-01T12:00:00.123Z". */
#define OUTPUT_TIME_LEN 24
void output_time(uint64_t ms, char out[OUTPUT_TIME_LEN + 1]);

/* A line on standard error that says what is being waited for: only on a terminal, only after a
 * second, rewritten in place. Zero-initialise; end with progress_end. */
struct progress {
    uint64_t began_ms; /* mono; 0 = not begun */
    uint64_t told_ms;
    bool shown;
};
/* progress_due: whether progress_tell would write now; it begins to count with the first of these. */
bool progress_due(struct progress *p, uint64_t mono_ms);
void progress_tell(struct progress *p, uint64_t mono_ms, const char *what);
void progress_end(struct progress *p);

#endif
