/* Preloaded into a gateway: a disk that fails, and a clock that is set, when a test says so.
 *
 * SLUICE_CLOCK names a file that holds the seconds by which the time of day is off.
 * SLUICE_FAULTS names a file. While its first word is `full`, nothing can be written to files whose path has SLUICE_FAULTY_PATH
 * in it (ENOSPC); while it is `fsync`, they cannot be synced (EIO); while it is `slow`, a sync takes a second. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* What the file that a variable names holds. */
static int told(const char *variable, char *text, size_t size) {
    const char *name = getenv(variable);
    int fd;
    memset(text, 0, size);
    if (name == NULL) return 0;
    fd = (int)syscall(SYS_openat, AT_FDCWD, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    if (syscall(SYS_read, fd, text, size - 1) < 0) text[0] = 0;
    syscall(SYS_close, fd);
    return 1;
}

static int is_told(const char *word) {
    char text[16];
    return told("SLUICE_FAULTS", text, sizeof text) && strncmp(text, word, strlen(word)) == 0;
}

static int is_faulty(int fd) {
    const char *part = getenv("SLUICE_FAULTY_PATH");
    char link[64], path[4096];
    ssize_t length;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    length = readlink(link, path, sizeof path - 1);
    if (part == NULL || length <= 0) return 0;
    path[length] = 0;
    return strstr(path, part) != NULL;
}

static int is_full(int fd) {
    if (!is_told("full") || !is_faulty(fd)) return 0;
    errno = ENOSPC;
    return 1;
}

static int cannot_sync(int fd) {
    if (!is_faulty(fd)) return 0;
    if (is_told("slow")) {
        struct timespec second = {1, 0};
        nanosleep(&second, NULL);
    }
    if (!is_told("fsync")) return 0;
    errno = EIO;
    return 1;
}

#define REAL(type, name, ...) ((type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *bytes, size_t count) {
    if (is_full(fd)) return -1;
    return (ssize_t)syscall(SYS_write, fd, bytes, count);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
    if (is_full(fd)) return -1;
    return (ssize_t)syscall(SYS_pwrite64, fd, bytes, count, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
    if (is_full(fd)) return -1;
    return (ssize_t)syscall(SYS_pwrite64, fd, bytes, count, offset);
}

int fsync(int fd) {
    if (cannot_sync(fd)) return -1;
    return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd) {
    if (cannot_sync(fd)) return -1;
    return (int)syscall(SYS_fdatasync, fd);
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    char text[16];
    int failed = (int)syscall(SYS_clock_gettime, clock, time);
    if (failed == 0 && clock == CLOCK_REALTIME && told("SLUICE_CLOCK", text, sizeof text)) {
        time->tv_sec += atol(text);
    }
    return failed;
}

int posix_fallocate(int fd, off_t offset, off_t length) {
    if (is_full(fd)) return ENOSPC;
    return REAL(int, posix_fallocate, int, off_t, off_t)(fd, offset, length);
}
