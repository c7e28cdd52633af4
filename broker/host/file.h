/* file: small whole files and folders that only their owner may touch. For broker/host and the
 * clients' home.
 * Failures put one line into error: what is wrong, and what to do. */
#ifndef SEALMQ_HOST_FILE_H
#define SEALMQ_HOST_FILE_H

#include "broker/host/config.h"
#include "broker/wire/bytes.h"

/* fault: formats the line and returns s, for `return fault(...)`. */
enum status fault(char *error, size_t error_cap, enum status s, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* path_join: base/name, or name itself when it is absolute; "." and "" give base. False = too long. */
bool path_join(char out[CONFIG_PATH_MAX], const char *base, const char *name) MUST_USE;
/* path_folder: the folder that holds path, made absolute against the working directory. */
bool path_folder(char out[CONFIG_PATH_MAX], const char *path) MUST_USE;

/* Who else may touch a file or folder for it to be acceptable. */
enum file_privacy {
    FILE_SECRET,   /* nobody may read or write: no mode bit for group and others */
    FILE_READABLE, /* others may read */
};

/* privacy_check: of a file or folder that exists; also refuses another user's. OK, CONFIG, IO. */
enum status privacy_check(const char *path, enum file_privacy privacy, char *error,
                          size_t error_cap) MUST_USE;
/* parents_check: every folder above path, by its name and by where links lead: nobody else may
 * replace what is in it (writable by others only where it is sticky, and no other user's). What
 * does not exist is no fault. OK, CONFIG, IO. */
enum status parents_check(const char *path, char *error, size_t error_cap) MUST_USE;
/* folder_check: a folder that is there and FILE_SECRET. OK, CONFIG (says what to do), IO. */
enum status folder_check(const char *path, char *error, size_t error_cap) MUST_USE;
/* folder_make: one level, 0700; one that exists is checked, not changed. OK, CONFIG, IO. */
enum status folder_make(const char *path, char *error, size_t error_cap) MUST_USE;

/* file_read: all of a file of at most max bytes, with a NUL added behind *len, from sodium_malloc
 * (free with sodium_free); *out is NULL after a failure. OK, CONFIG (missing, too large, loose), IO. */
enum status file_read(const char *path, enum file_privacy privacy, size_t max, char **out,
                      size_t *len, char *error, size_t error_cap) MUST_USE;
/* file_make: text as a new file, written aside, synced and linked in: it is there whole or not at
 * all. A file that exists stays as it is; *made says which. OK, IO. */
enum status file_make(const char *path, enum file_privacy privacy, const char *text, bool *made,
                      char *error, size_t error_cap) MUST_USE;

#endif
