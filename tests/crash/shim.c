/* Count the calls that change files below a folder, and make the n-th one the last, or fail.
 *
 * SHIM_FOLDER  only this folder and files below it count
 * SHIM_AT      number of the call, from 1; 0 or nothing: only count
 * SHIM_HOW     kill (SIGKILL before the call), eio (that call fails once), eio-kill (it fails, and SIGKILL
 *              before the next one), full (it and all later calls that need room fail with ENOSPC),
 *              readonly (it and all later ones fail with EROFS)
 * SHIM_WHILE   full and readonly hold only while this file exists
 * SHIM_LOG     a line for each counted call, before it: number, name, inode and links of what the path
 *              names, path
 * SHIM_KEEP    a folder for what each fsync made durable, under the number of the call: the bytes of a
 *              file, or in NUMBER.entries those of a folder, as lines of inode and name, with a slash
 *              behind the name of a folder
 *
 * Preloaded into the loader by tests/crash/syscalls.py. Linux, glibc.
 */
#define _GNU_SOURCE
#include <dirent.h>
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
static __thread long number_here; /* of the call under way in this thread; 0: it does not count */

static const char *setting(const char *name) {
    const char *value = getenv(name);
    return value ? value : "";
}

static int is_below(const char *path) {
    const char *folder = getenv("SHIM_FOLDER");
    size_t size = folder ? strlen(folder) : 0;
    return size && strncmp(path, folder, size) == 0 && (path[size] == '/' || path[size] == 0);
}

static void note(long number, const char *name, const char *path) {
    const char *file = getenv("SHIM_LOG");
    if (!file) return;
    char line[PATH_MAX + 128];
    struct stat found = {0};
    stat(path, &found);
    int size = snprintf(line, sizeof line, "%ld %s %lu %lu %s\n", number, name,
                        (unsigned long)found.st_ino, (unsigned long)found.st_nlink, path);
    int log = (int)syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log < 0) return;
    syscall(SYS_write, log, line, (size_t)size);
    syscall(SYS_close, log);
}

/* 0: go on; otherwise the error with which the call must fail. */
static int verdict(const char *name, const char *path, int needs_room) {
    number_here = 0;
    if (!is_below(path)) return 0;
    long number = number_here = __atomic_add_fetch(&counted, 1, __ATOMIC_SEQ_CST);
    note(number, name, path);
    long at = atol(setting("SHIM_AT"));
    const char *how = setting("SHIM_HOW");
    if (at == 0 || number < at) return 0;
    int fails_once = strncmp(how, "eio", 3) == 0;
    if (fails_once && number == at) return EIO;
    if (strcmp(how, "kill") == 0 || strcmp(how, "eio-kill") == 0) {
        syscall(SYS_kill, getpid(), SIGKILL);
        for (;;) pause();
    }
    if (fails_once) return 0;
    if (*setting("SHIM_WHILE") && syscall(SYS_faccessat, AT_FDCWD, setting("SHIM_WHILE"), F_OK)) return 0;
    if (strcmp(how, "full") == 0) return needs_room ? ENOSPC : 0;
    return strcmp(how, "readonly") == 0 ? EROFS : 0;
}

static void keep_bytes(int from, int to) {
    char part[1 << 16];
    long size;
    while ((size = syscall(SYS_read, from, part, sizeof part)) > 0) syscall(SYS_write, to, part, (size_t)size);
}

static void keep_entries(const char *folder, int to) {
    DIR *entries = opendir(folder);
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        char line[PATH_MAX];
        int size = snprintf(line, sizeof line, "%lu %s%s\n", (unsigned long)entry->d_ino, entry->d_name,
                            entry->d_type == DT_DIR ? "/" : "");
        if (entry->d_name[0] != '.' || entry->d_name[1 + (entry->d_name[1] == '.')])
            syscall(SYS_write, to, line, (size_t)size);
    }
    if (entries) closedir(entries);
}

/* After an fsync: what a power cut cannot take any more. */
static int keep(int fd, int result) {
    struct stat found;
    const char *folder = getenv("SHIM_KEEP");
    if (result || !folder || !number_here || fstat(fd, &found)) return result;
    char name[PATH_MAX], again[64];
    snprintf(name, sizeof name, "%s/%ld%s", folder, number_here, S_ISDIR(found.st_mode) ? ".entries" : "");
    snprintf(again, sizeof again, "/proc/self/fd/%d", fd);
    int to = (int)syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (S_ISDIR(found.st_mode)) {
        keep_entries(again, to);
    } else {
        int from = (int)syscall(SYS_openat, AT_FDCWD, again, O_RDONLY | O_CLOEXEC, 0);
        keep_bytes(from, to);
        syscall(SYS_close, from);
    }
    syscall(SYS_close, to);
    return result;
}

static int verdict_fd(const char *name, int fd, int needs_room) {
    number_here = 0;
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
    return keep(fd, NEXT(fsync)(fd));
}
int fdatasync(int fd) {
    REFUSE(verdict_fd("fdatasync", fd, 0));
    return keep(fd, NEXT(fdatasync)(fd));
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
int remove(const char *path) {
    REFUSE(verdict_path("unlink", AT_FDCWD, path, 0));
    return NEXT(remove)(path);
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

static int makes(int flags) {
    int writes = (flags & O_ACCMODE) != O_RDONLY && strcmp(setting("SHIM_HOW"), "readonly") == 0;
    return writes || (flags & (O_CREAT | O_TRUNC)) != 0;
}

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
