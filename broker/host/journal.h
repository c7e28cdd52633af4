/* journal: writes events as JSON lines to the log file or standard error, and nothing else. When the
 * sink is full or gone, events are dropped and counted; the service is unaffected.
 *
 * So that nobody outside can fill the disk, each kind of event has at most JOURNAL_LINES_MAX lines in a
 * second (warnings, which strangers can cause, JOURNAL_WARNINGS_MAX), by the events' own at_ms. The surplus is counted, and told by one
 * events_dropped line that names the kind, before the first event of a later second or at the close.
 *
 * A file that has reached its length is renamed to FILE.1, in place of the one before, and begun anew: at
 * most two of them lie on the disk. All processes of a relay write to one file; whichever comes first
 * renames it, and the others follow with their next line, as they do when an operator has moved or removed
 * it. A file that cannot be renamed is a sink that is full. */
#ifndef SEALMQ_HOST_JOURNAL_H
#define SEALMQ_HOST_JOURNAL_H

#include "broker/wire/event.h"

#include <stdio.h>

#define JOURNAL_LINES_MAX    50u
#define JOURNAL_WARNINGS_MAX 5u
#define JOURNAL_LINE_MAX     1032u /* bytes */

struct journal;

/* journal_open: path "-" = standard error. Never fails: with no sink it counts what it drops.
 * len_max: of a file, not less than JOURNAL_LINE_MAX; other sinks have no length.
 * role is a static string ("broker"). Free with journal_close (NULL-safe, nulls). */
struct journal *journal_open(const char *path, uint64_t len_max, const char *role);
void journal_close(struct journal **j);
/* journal_write: one line or, beyond the kind's share of the second, none; non-blocking. */
void journal_write(struct journal *j, const struct event *e);
/* event_json: the line (no newline) that journal_write and sealmqctl print, into out. Fields: at
 * (RFC 3339, ms), event, level, then only what the kind uses, by its own word, e.g.
 * {"at":"…","event":"send_refused","level":"info","status":"id_time","client_version":"2.4.1"}. */
void event_json(const struct event *e, char *out, size_t cap);

#endif
