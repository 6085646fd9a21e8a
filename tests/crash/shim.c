/* Count the calls that change files below a folder, and make the n-th one the last, or fail.
 *
 * SHIM_FOLDER  only files below it count
 * SHIM_AT      number of the call, from 1; 0 or nothing: only count
 * SHIM_HOW     kill (SIGKILL before the call), eio (that call fails once), full (it and all later
 *              calls that need room fail with ENOSPC)
 * SHIM_LOG     a line for each counted call: number, name, path
 *
 * Preloaded into the loader by tests/crash/syscalls.py. Linux, glibc.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static long counted;

static const char *setting(const char *name) {
    const char *value = getenv(name);
    return value ? value : "";
}

static int is_below(const char *path) {
    const char *folder = getenv("SHIM_FOLDER");
    return folder && strncmp(path, folder, strlen(folder)) == 0;
}

static void note(long number, const char *name, const char *path) {
    const char *file = getenv("SHIM_LOG");
    if (!file) return;
    char line[PATH_MAX + 64];
    int size = snprintf(line, sizeof line, "%ld %s %s\n", number, name, path);
    int log = (int)syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log < 0) return;
    syscall(SYS_write, log, line, (size_t)size);
    syscall(SYS_close, log);
}

/* 0: go on; otherwise the error with which the call must fail. */
static int verdict(const char *name, const char *path, int needs_room) {
    if (!is_below(path)) return 0;
    long number = __atomic_add_fetch(&counted, 1, __ATOMIC_SEQ_CST);
    note(number, name, path);
    long at = atol(setting("SHIM_AT"));
    const char *how = setting("SHIM_HOW");
    if (at == 0 || number < at) return 0;
    if (strcmp(how, "kill") == 0) {
        syscall(SYS_kill, getpid(), SIGKILL);
        for (;;) pause();
    }
    if (strcmp(how, "eio") == 0) return number == at ? EIO : 0;
    if (strcmp(how, "full") == 0) return needs_room ? ENOSPC : 0;
    return 0;
}

static int verdict_fd(const char *name, int fd, int needs_room) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size <= 0) return 0;
    path[size] = 0;
    return verdict(name, path, needs_room);
}

static int verdict_path(const char *name, int folder, const char *path, int needs_room) {
    char whole[PATH_MAX];
    if (path[0] == '/') return verdict(name, path, needs_room);
    char link[64], base[PATH_MAX];
    if (folder == AT_FDCWD) {
        if (!getcwd(base, sizeof base)) return 0;
    } else {
        snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
        ssize_t size = readlink(link, base, sizeof base - 1);
        if (size <= 0) return 0;
        base[size] = 0;
    }
    if ((size_t)snprintf(whole, sizeof whole, "%s/%s", base, path) >= sizeof whole) return 0;
    return verdict(name, whole, needs_room);
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define REFUSE(error) do { int found = (error); if (found) { errno = found; return -1; } } while (0)

ssize_t write(int fd, const void *data, size_t size) {
    REFUSE(verdict_fd("write", fd, 1));
    return NEXT(write)(fd, data, size);
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    REFUSE(verdict_fd("pwrite", fd, 1));
    return NEXT(pwrite)(fd, data, size, at);
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    REFUSE(verdict_fd("pwrite", fd, 1));
    return NEXT(pwrite64)(fd, data, size, at);
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
    REFUSE(verdict_fd("writev", fd, 1));
    return NEXT(writev)(fd, parts, count);
}
int fsync(int fd) {
    REFUSE(verdict_fd("fsync", fd, 0));
    return NEXT(fsync)(fd);
}
int fdatasync(int fd) {
    REFUSE(verdict_fd("fdatasync", fd, 0));
    return NEXT(fdatasync)(fd);
}
int ftruncate(int fd, off_t size) {
    REFUSE(verdict_fd("ftruncate", fd, 0));
    return NEXT(ftruncate)(fd, size);
}
int ftruncate64(int fd, off64_t size) {
    REFUSE(verdict_fd("ftruncate", fd, 0));
    return NEXT(ftruncate64)(fd, size);
}
int posix_fallocate(int fd, off_t at, off_t size) {
    int found = verdict_fd("fallocate", fd, 1);
    return found ? found : NEXT(posix_fallocate)(fd, at, size);
}
int fallocate(int fd, int mode, off_t at, off_t size) {
    REFUSE(verdict_fd("fallocate", fd, 1));
    return NEXT(fallocate)(fd, mode, at, size);
}
int unlink(const char *path) {
    REFUSE(verdict_path("unlink", AT_FDCWD, path, 0));
    return NEXT(unlink)(path);
}
int unlinkat(int folder, const char *path, int flags) {
    REFUSE(verdict_path("unlink", folder, path, 0));
    return NEXT(unlinkat)(folder, path, flags);
}
int rename(const char *from, const char *to) {
    REFUSE(verdict_path("rename", AT_FDCWD, to, 0));
    return NEXT(rename)(from, to);
}
int renameat(int from_folder, const char *from, int to_folder, const char *to) {
    REFUSE(verdict_path("rename", to_folder, to, 0));
    return NEXT(renameat)(from_folder, from, to_folder, to);
}
int link(const char *from, const char *to) {
    REFUSE(verdict_path("link", AT_FDCWD, to, 0));
    return NEXT(link)(from, to);
}
int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags) {
    REFUSE(verdict_path("link", to_folder, to, 0));
    return NEXT(linkat)(from_folder, from, to_folder, to, flags);
}
int mkdir(const char *path, mode_t mode) {
    REFUSE(verdict_path("mkdir", AT_FDCWD, path, 1));
    return NEXT(mkdir)(path, mode);
}

static int makes(int flags) { return (flags & (O_CREAT | O_TRUNC)) != 0; }

#define OPEN(name, folder, ...)                                              \
    mode_t mode = 0;                                                         \
    if (flags & (O_CREAT | O_TMPFILE)) {                                     \
        va_list rest;                                                        \
        va_start(rest, flags);                                               \
        mode = va_arg(rest, mode_t);                                         \
        va_end(rest);                                                        \
    }                                                                        \
    if (makes(flags)) REFUSE(verdict_path("open", folder, path, 1));         \
    return NEXT(name)(__VA_ARGS__, flags, mode);

int open(const char *path, int flags, ...) { OPEN(open, AT_FDCWD, path) }
int open64(const char *path, int flags, ...) { OPEN(open64, AT_FDCWD, path) }
int openat(int folder, const char *path, int flags, ...) { OPEN(openat, folder, folder, path) }
int openat64(int folder, const char *path, int flags, ...) { OPEN(openat64, folder, folder, path) }
