/* host_fixture: a private folder for one test, and whole small files in it. */
#ifndef SEALMQ_TESTS_HOST_FIXTURE_H
#define SEALMQ_TESTS_HOST_FIXTURE_H

#include "broker/host/config.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char fixture_dir[64];

static void fixture_start(void)
{
    strcpy(fixture_dir, "/tmp/sealmq-host-XXXXXX");
    cr_assert(mkdtemp(fixture_dir) != NULL);
}

static int fixture_remove(const char *path, const struct stat *s, int type, struct FTW *walk)
{
    (void)s, (void)type, (void)walk;
    return remove(path);
}

static void fixture_end(void)
{
    nftw(fixture_dir, fixture_remove, 16, FTW_DEPTH | FTW_PHYS);
}

static inline const char *fixture_path(const char *name)
{
    static char path[4][CONFIG_PATH_MAX];
    static size_t turn;
    char *out = path[turn++ % 4];
    snprintf(out, CONFIG_PATH_MAX, "%s/%s", fixture_dir, name);
    return out;
}

static inline void fixture_write(const char *name, const char *text, mode_t mode)
{
    const char *path = fixture_path(name);
    FILE *f = fopen(path, "w");
    cr_assert(f && fputs(text, f) >= 0 && fclose(f) == 0);
    cr_assert(chmod(path, mode) == 0);
}

static inline void fixture_read(const char *name, char *out, size_t cap)
{
    FILE *f = fopen(fixture_path(name), "r");
    cr_assert(f != NULL);
    size_t len = fread(out, 1, cap - 1, f);
    out[len] = '\0';
    fclose(f);
}

#endif
