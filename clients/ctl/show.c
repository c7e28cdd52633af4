/* show: see show.h. Pure formatting; no command knows how a time looks. */
#include "clients/ctl/show.h"
#include "broker/wire/ids.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <time.h>

struct shown show_time(uint64_t at_ms)
{
    struct shown s = {"-"};
    struct tm tm;
    char day[32];
    time_t seconds = (time_t)(at_ms / 1000);
    if (!at_ms || !gmtime_r(&seconds, &tm)) return s;
    strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(s.text, sizeof s.text, "%s.%03uZ", day, (unsigned)(at_ms % 1000));
    return s;
}

struct shown show_span(uint64_t ms)
{
    struct shown s;
    uint64_t seconds = ms / 1000, minutes = seconds / 60, hours = minutes / 60;
    if (ms < 1000)
        snprintf(s.text, sizeof s.text, "%" PRIu64 " ms", ms);
    else if (!minutes)
        snprintf(s.text, sizeof s.text, "%" PRIu64 " s", seconds);
    else if (!hours)
        snprintf(s.text, sizeof s.text, "%" PRIu64 " min %" PRIu64 " s", minutes, seconds % 60);
    else if (hours < 48)
        snprintf(s.text, sizeof s.text, "%" PRIu64 " h %" PRIu64 " min", hours, minutes % 60);
    else
        snprintf(s.text, sizeof s.text, "%" PRIu64 " d %" PRIu64 " h", hours / 24, hours % 24);
    return s;
}

struct shown show_bytes(uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    struct shown s;
    double value = (double)bytes;
    size_t unit = 0;
    for (; value >= 1024 && unit + 1 < sizeof units / sizeof units[0]; unit++)
        value /= 1024;
    snprintf(s.text, sizeof s.text, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
    return s;
}

struct shown show_hex(const uint8_t *at, size_t len)
{
    struct shown s;
    ENSURE(2 * len < sizeof s.text);
    hex_encode(at, len, s.text);
    return s;
}

struct shown show_version(uint64_t version)
{
    struct shown s;
    snprintf(s.text, sizeof s.text, "%" PRIu64 ".%" PRIu64 ".%" PRIu64, version >> 32, version >> 16 & 0xffff,
             version & 0xffff);
    return s;
}

static void put(json_t *object, const char *name, json_t *value)
{
    ENSURE(value && json_object_set_new(object, name, value) == 0);
}

void show_put_time(json_t *object, const char *name, uint64_t at_ms)
{
    if (at_ms) put(object, name, json_string(show_time(at_ms).text));
}

void show_put_hex(json_t *object, const char *name, const uint8_t *at, size_t len)
{
    if (!sodium_is_zero(at, len)) put(object, name, json_string(show_hex(at, len).text));
}

void show_put_number(json_t *object, const char *name, uint64_t value)
{
    put(object, name, json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value));
}

void show_put_text(json_t *object, const char *name, const char *text)
{
    put(object, name, json_string(text));
}

void show_json(json_t *object)
{
    ENSURE(object != NULL);
    json_dumpf(object, stdout, JSON_COMPACT);
    fputc('\n', stdout);
    json_decref(object);
}
