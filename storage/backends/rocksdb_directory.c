/* rocksdb_directory: where a store's files live: made so that a power cut does not lose it, and looked at before
 * RocksDB does. */
#include "storage/backends/rocksdb_directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A new directory's name must outlive a power cut as well as what is in it. */
static int sync_parent(const char *dir)
{
    char *parent = strdup(dir);
    ENSURE(parent != NULL);
    size_t len = strlen(parent);
    while (len > 1 && parent[len - 1] == '/')
        parent[--len] = '\0';
    char *slash = strrchr(parent, '/');
    if (slash) slash[slash == parent] = '\0';
    int fd = open(slash ? parent : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(parent);
    if (fd < 0) return -1;
    int failed = fsync(fd);
    close(fd);
    return failed;
}

int rocksdb_directory_create(const char *dir)
{
    if (mkdir(dir, 0700) == 0) return sync_parent(dir);
    return errno == EEXIST ? 0 : -1;
}

/* Whether a file of rows (a table or a WAL with something in it) is there. Only a directory without
 * any is made into a new store: RocksDB would take one that lost its CURRENT or the names of its
 * column families for new, and delete the rest. */
bool rocksdb_directory_holds_rows(const char *dir)
{
    DIR *entries = opendir(dir);
    bool found = false;
    for (struct dirent *e; entries && !found && (e = readdir(entries)) != NULL;) {
        const char *suffix = strrchr(e->d_name, '.');
        struct stat file;
        if (!suffix || (strcmp(suffix, ".sst") != 0 && strcmp(suffix, ".log") != 0)) continue;
        found = fstatat(dirfd(entries), e->d_name, &file, 0) != 0 || file.st_size > 0;
    }
    if (entries) closedir(entries);
    return found;
}

int directory_each(int dir, void (*take)(void *self, const char *name), void *self)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = fd >= 0 ? fdopendir(fd) : NULL;
    if (!entries) {
        int error = errno;
        if (fd >= 0) close(fd);
        return error;
    }
    errno = 0;
    for (struct dirent *e; (e = readdir(entries)) != NULL; errno = 0)
        take(self, e->d_name);
    int error = errno;
    closedir(entries);
    return error;
}
