/*
 * A disk that fails when it is told to: with LD_PRELOAD, and FAILING_DISK naming a directory. While that
 * holds a file `fsync`, no fsync of a write-ahead log or of a probe succeeds; while it holds `write`, no write to one.
 * What is fsynced is listed in its file `trace`. CRASH_AT is the number of the write or fsync of a file in `of`
 * before which the process ends.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static const char *name_of(int file, char *name) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, name, PATH_MAX);
    name[length < 0 ? 0 : length] = 0;
    return name;
}

static const char *told(const char *what, char *path) {
    const char *directory = getenv("FAILING_DISK");
    snprintf(path, PATH_MAX, "%s/%s", directory ? directory : "", what);
    return path;
}

static int fails(const char *what, int file) {
    char name[PATH_MAX + 1], path[PATH_MAX];
    size_t length = strlen(name_of(file, name));
    int durable = (length > 4 && strcmp(name + length - 4, "-wal") == 0) || strstr(name, "/write.probe");
    return durable && access(told(what, path), F_OK) == 0;
}

static void may_crash(int file) {
    static int calls;
    char name[PATH_MAX + 1];
    const char *at = getenv("CRASH_AT");
    if (at && strstr(name_of(file, name), "/of/") && ++calls == atoi(at)) {
        _exit(77);
    }
}

static int sync_with(const char *call, int file) {
    char name[PATH_MAX + 1], path[PATH_MAX];
    may_crash(file);
    int trace = open(told("trace", path), O_WRONLY | O_APPEND);
    if (trace >= 0) {
        dprintf(trace, "%s\n", name_of(file, name));
        close(trace);
    }
    if (fails("fsync", file)) {
        errno = EIO;
        return -1;
    }
    return ((int (*)(int))dlsym(RTLD_NEXT, call))(file);
}

int fsync(int file) { return sync_with("fsync", file); }

int fdatasync(int file) { return sync_with("fdatasync", file); }

ssize_t write(int file, const void *bytes, size_t count) {
    may_crash(file);
    if (fails("write", file)) {
        errno = ENOSPC;
        return -1;
    }
    return ((ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write"))(file, bytes, count);
}

static ssize_t write_at(const char *call, int file, const void *bytes, size_t count, off_t offset) {
    may_crash(file);
    if (fails("write", file)) {
        errno = ENOSPC;
        return -1;
    }
    return ((ssize_t(*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, call))(file, bytes, count, offset);
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t offset) {
    return write_at("pwrite", file, bytes, count, offset);
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off_t offset) {
    return write_at("pwrite64", file, bytes, count, offset);
}
