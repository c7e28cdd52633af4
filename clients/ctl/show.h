/* show: how sealmqctl writes times, sizes and ids, for people and as JSON. */
#ifndef SEALMQ_CTL_SHOW_H
#define SEALMQ_CTL_SHOW_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* One rendered value, for use in printf: show_time(ms).text. */
struct shown {
    char text[80];
};

/* show_time: RFC 3339 in UTC with milliseconds; "-" for 0. */
struct shown show_time(uint64_t at_ms);
/* show_span: "850 ms", "12 s", "3 min 20 s", "5 h 2 min", "9 d 3 h". */
struct shown show_span(uint64_t ms);
/* show_bytes: "0 B", "640 B", "12.3 KiB", "4.0 MiB", ... */
struct shown show_bytes(uint64_t bytes);
/* show_hex: at most 32 bytes. */
struct shown show_hex(const uint8_t *at, size_t len);

/* show_version: "2.4.1" of a version_number (event.h). */
struct shown show_version(uint64_t version);

/* show_put_*: sets a member of an object; a time of 0 and all-zero bytes are left out. */
void show_put_time(json_t *object, const char *name, uint64_t at_ms);
void show_put_hex(json_t *object, const char *name, const uint8_t *at, size_t len);
void show_put_number(json_t *object, const char *name, uint64_t value);
void show_put_text(json_t *object, const char *name, const char *text);

/* show_json: one line on standard output; takes the object. */
void show_json(json_t *object);

#endif
