/*
 * A disk that takes its time: with LD_PRELOAD, each fsync and fdatasync of the process begins
 * with a sleep of SLOW_DISK_MILLISECONDS.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

static void be_slow(void) {
    const char *text = getenv("SLOW_DISK_MILLISECONDS");
    long milliseconds = text ? atol(text) : 0;
    struct timespec left = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    while (nanosleep(&left, &left) != 0) {
    }
}

static int then(const char *name, int file) {
    int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    be_slow();
    return next(file);
}

int fsync(int file) { return then("fsync", file); }

int fdatasync(int file) { return then("fdatasync", file); }
