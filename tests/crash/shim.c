/*
 * Between the program and the disk: writes down, in order, what the program does to the files of its profile, so that
 * the test can tell what a power cut would have left of it (disk.rs). Preloaded; the calls themselves are carried out,
 * but for fsync and fdatasync, which are only written down: the disk that counts is the one the test makes from this
 * journal. sync_file_range is carried out and not written down: it promises nothing.
 *
 * SHIM_ROOT     the folder in whose folder "data" the profiles are
 * SHIM_JOURNAL  where the records go
 * SHIM_CUT      the process dies before the record of this number, counted from 1
 * SHIM_DAYS     the process lives so many days later
 *
 * A record is written before what it tells of is done, both under one lock: when the process dies, at most the last
 * record tells of something that was not done. What the program does in ways that are not known here is not written
 * down; the test sees that, because the records then do not lead to the files that are there.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum kind {
    CREATING = 1, CREATED, WRITE, LENGTH, SYNCING, SYNCED, RENAME, UNLINK, MKDIR, RMDIR,
    FAILED = 20, /* the record before it tells of something that failed */
    SHORT,       /* of the write before it only so many bytes were done */
    UNKNOWN,     /* something this shim does not understand was done to a watched file */
};

struct head {
    uint32_t kind, path_len, other_len, pad;
    uint64_t file, number, data_len; /* inode; offset, length or token */
};

static char root[PATH_MAX];
static size_t root_len;
static int journal = -1;
static uint64_t cut, records, days, tokens;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void begin(void) {
    const char *where = getenv("SHIM_ROOT"), *to = getenv("SHIM_JOURNAL");
    if (!where || !to || !realpath(where, root)) return;
    const char *at = getenv("SHIM_CUT"), *later = getenv("SHIM_DAYS");
    cut = at ? strtoull(at, NULL, 10) : 0;
    days = later ? strtoull(later, NULL, 10) : 0;
    int fd = syscall(SYS_openat, AT_FDCWD, to, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) _exit(111);
    /* Out of the way of the program's descriptors. */
    journal = fcntl(fd, F_DUPFD_CLOEXEC, 900);
    syscall(SYS_close, fd);
    if (journal < 0) _exit(111);
    root_len = strlen(root);
}

/* One record, with the lock held. */
static void record(enum kind kind, const char *path, const char *other, uint64_t file, uint64_t number,
                   const struct iovec *data, int parts) {
    int before = errno;
    if (++records == cut) {
        syscall(SYS_kill, getpid(), SIGKILL);
        for (;;) pause();
    }
    struct head head = {kind, path ? strlen(path) : 0, other ? strlen(other) : 0, 0, file, number, 0};
    struct iovec out[3 + 64] = {{&head, sizeof head}, {(void *)path, head.path_len}, {(void *)other, head.other_len}};
    if (parts > 64) _exit(112);
    for (int i = 0; i < parts; i++) {
        head.data_len += data[i].iov_len;
        out[3 + i] = data[i];
    }
    ssize_t whole = sizeof head + head.path_len + head.other_len + head.data_len;
    if (syscall(SYS_writev, journal, out, 3 + parts) != whole) _exit(113);
    errno = before;
}

static void failed(void) { record(FAILED, NULL, NULL, 0, 0, NULL, 0); }

/* The path below the root, if it is the root or of the profiles. */
static const char *inside(const char *path) {
    if (!root_len || strncmp(path, root, root_len) != 0) return NULL;
    if (path[root_len] == 0) return path + root_len;
    if (path[root_len] != '/') return NULL;
    const char *rest = path + root_len + 1;
    return strcspn(rest, "/") == 4 && !strncmp(rest, "data", 4) ? rest : NULL;
}

/* Where an open file is, if it is watched. */
static const char *path_of(int fd, char *buffer) {
    char name[64];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t len = syscall(SYS_readlink, name, buffer, PATH_MAX - 1);
    if (len <= 0) return NULL;
    buffer[len] = 0;
    return inside(buffer);
}

/* Whether a descriptor is of a watched file or folder; fills `found`. */
static const char *watched(int fd, struct stat *found, char *buffer) {
    int before = errno;
    const char *path = NULL;
    if (root_len && fd >= 0 && fd != journal && fstat(fd, found) == 0
        && (S_ISREG(found->st_mode) || S_ISDIR(found->st_mode)))
        path = path_of(fd, buffer);
    errno = before;
    return path;
}

/* Where a name is or would be, if it is watched. */
static const char *place(int dir, const char *path, char *buffer) {
    if (!root_len || !path || !*path) return NULL;
    int before = errno;
    char whole[PATH_MAX], parent[PATH_MAX];
    const char *result = NULL;
    if (path[0] == '/' || dir == AT_FDCWD) {
        snprintf(whole, sizeof whole, "%s", path);
    } else {
        char at[PATH_MAX], name[64];
        snprintf(name, sizeof name, "/proc/self/fd/%d", dir);
        ssize_t len = syscall(SYS_readlink, name, at, PATH_MAX - 1);
        if (len <= 0) goto out;
        at[len] = 0;
        if (snprintf(whole, sizeof whole, "%s/%s", at, path) >= (int)sizeof whole) goto out;
    }
    size_t len = strlen(whole);
    while (len > 1 && whole[len - 1] == '/') whole[--len] = 0;
    char *slash = strrchr(whole, '/');
    const char *last = slash ? slash + 1 : whole;
    if (slash == whole) {
        strcpy(parent, "/");
    } else {
        char above[PATH_MAX];
        snprintf(above, sizeof above, "%.*s", slash ? (int)(slash - whole) : 1, slash ? whole : ".");
        if (!realpath(above, parent)) goto out;
    }
    if (snprintf(buffer, PATH_MAX, "%s/%s", strcmp(parent, "/") ? parent : "", last) < PATH_MAX) result = inside(buffer);
out:
    errno = before;
    return result;
}

static int there(const char *buffer) {
    struct stat found;
    int before = errno, is = lstat(buffer, &found) == 0;
    errno = before;
    return is;
}

static void unknown(const char *what, const char *path) {
    pthread_mutex_lock(&lock);
    record(UNKNOWN, what, path, 0, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
}

/* ---- opening ---- */

static int open_at(int dir, const char *path, int flags, mode_t mode) {
    char buffer[PATH_MAX];
    const char *at = NULL;
    if (flags & (O_CREAT | O_TRUNC | O_TMPFILE)) at = place(dir, path, buffer);
    if (!at) return syscall(SYS_openat, dir, path, flags, mode);
    pthread_mutex_lock(&lock);
    struct stat found;
    int is_new = lstat(buffer, &found) != 0, shortens = !is_new && (flags & O_TRUNC);
    if (is_new) record(CREATING, at, NULL, 0, 0, NULL, 0);
    if (shortens) record(LENGTH, NULL, NULL, found.st_ino, 0, NULL, 0);
    int fd = syscall(SYS_openat, dir, path, flags, mode);
    if (fd < 0 && (is_new || shortens)) failed();
    else if (is_new && fstat(fd, &found) == 0) record(CREATED, at, NULL, found.st_ino, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return fd;
}

#define MODE(flags, last) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, last); mode = va_arg(rest, mode_t); va_end(rest); }

int open(const char *path, int flags, ...) { MODE(flags, flags) return open_at(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags, flags) return open_at(AT_FDCWD, path, flags | O_LARGEFILE, mode); }
int openat(int dir, const char *path, int flags, ...) { MODE(flags, flags) return open_at(dir, path, flags, mode); }
int openat64(int dir, const char *path, int flags, ...) { MODE(flags, flags) return open_at(dir, path, flags | O_LARGEFILE, mode); }
int creat(const char *path, mode_t mode) { return open_at(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return open_at(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }

/* ---- writing ---- */

/* `offset` < 0: at the position of the descriptor. */
static ssize_t put(int fd, const struct iovec *data, int parts, int64_t offset) {
    struct stat found;
    char buffer[PATH_MAX];
    int is = watched(fd, &found, buffer) != NULL;
    if (is) {
        pthread_mutex_lock(&lock);
        int64_t at = offset;
        if (fcntl(fd, F_GETFL) & O_APPEND) at = fstat(fd, &found) == 0 ? found.st_size : 0;
        else if (offset < 0) at = syscall(SYS_lseek, fd, 0, SEEK_CUR);
        record(WRITE, NULL, NULL, found.st_ino, at, data, parts);
    }
    ssize_t done = offset < 0 ? syscall(SYS_writev, fd, data, parts)
                              : syscall(SYS_pwritev, fd, data, parts, (long)offset, 0L);
    if (is) {
        ssize_t whole = 0;
        for (int i = 0; i < parts; i++) whole += data[i].iov_len;
        if (done < 0) failed();
        else if (done < whole) record(SHORT, NULL, NULL, 0, done, NULL, 0);
        pthread_mutex_unlock(&lock);
    }
    return done;
}

static struct iovec one(const void *bytes, size_t len) { return (struct iovec){(void *)bytes, len}; }

ssize_t write(int fd, const void *bytes, size_t len) {
    struct stat found;
    char buffer[PATH_MAX];
    if (!watched(fd, &found, buffer)) return syscall(SYS_write, fd, bytes, len);
    struct iovec all = one(bytes, len);
    return put(fd, &all, 1, -1);
}
ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at) { struct iovec all = one(bytes, len); return put(fd, &all, 1, at); }
ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t at) { struct iovec all = one(bytes, len); return put(fd, &all, 1, at); }
ssize_t writev(int fd, const struct iovec *data, int parts) {
    struct stat found;
    char buffer[PATH_MAX];
    if (!watched(fd, &found, buffer)) return syscall(SYS_writev, fd, data, parts);
    return put(fd, data, parts, -1);
}
ssize_t pwritev(int fd, const struct iovec *data, int parts, off_t at) { return put(fd, data, parts, at); }
ssize_t pwritev64(int fd, const struct iovec *data, int parts, off64_t at) { return put(fd, data, parts, at); }
ssize_t pwritev2(int fd, const struct iovec *data, int parts, off_t at, int flags) { (void)flags; return put(fd, data, parts, at); }
ssize_t pwritev64v2(int fd, const struct iovec *data, int parts, off64_t at, int flags) { (void)flags; return put(fd, data, parts, at); }

static int cut_to(int fd, int64_t len) {
    struct stat found;
    char buffer[PATH_MAX];
    if (!watched(fd, &found, buffer)) return syscall(SYS_ftruncate, fd, len);
    pthread_mutex_lock(&lock);
    record(LENGTH, NULL, NULL, found.st_ino, len, NULL, 0);
    int result = syscall(SYS_ftruncate, fd, len);
    if (result < 0) failed();
    pthread_mutex_unlock(&lock);
    return result;
}

int ftruncate(int fd, off_t len) { return cut_to(fd, len); }
int ftruncate64(int fd, off64_t len) { return cut_to(fd, len); }

/* ---- syncing ---- */

static int sync_one(int fd, long number) {
    struct stat found;
    char buffer[PATH_MAX];
    const char *path = watched(fd, &found, buffer);
    if (!path) return syscall(number, fd);
    pthread_mutex_lock(&lock);
    uint64_t token = ++tokens;
    record(SYNCING, path, NULL, S_ISDIR(found.st_mode) ? 0 : found.st_ino, token, NULL, 0);
    pthread_mutex_unlock(&lock);
    /* Others may write while the disk is busy: this sync is not theirs. */
    sched_yield();
    pthread_mutex_lock(&lock);
    record(SYNCED, NULL, NULL, 0, token, NULL, 0);
    pthread_mutex_unlock(&lock);
    return 0;
}

int fsync(int fd) { return sync_one(fd, SYS_fsync); }
int fdatasync(int fd) { return sync_one(fd, SYS_fdatasync); }

/* ---- names ---- */

static int named(enum kind kind, int dir, const char *path, long number, long extra) {
    char buffer[PATH_MAX];
    const char *at = place(dir, path, buffer);
    if (!at) return syscall(number, dir, path, extra);
    pthread_mutex_lock(&lock);
    /* A folder that is there cannot be made, and a name that is not there cannot be removed. */
    int sensible = there(buffer) == (kind != MKDIR);
    if (sensible) record(kind, at, NULL, 0, 0, NULL, 0);
    int result = syscall(number, dir, path, extra);
    if (sensible && result < 0) failed();
    pthread_mutex_unlock(&lock);
    return result;
}

int mkdir(const char *path, mode_t mode) { return named(MKDIR, AT_FDCWD, path, SYS_mkdirat, mode); }
int mkdirat(int dir, const char *path, mode_t mode) { return named(MKDIR, dir, path, SYS_mkdirat, mode); }
int unlink(const char *path) { return named(UNLINK, AT_FDCWD, path, SYS_unlinkat, 0); }
int rmdir(const char *path) { return named(RMDIR, AT_FDCWD, path, SYS_unlinkat, AT_REMOVEDIR); }
int unlinkat(int dir, const char *path, int flags) {
    return named(flags & AT_REMOVEDIR ? RMDIR : UNLINK, dir, path, SYS_unlinkat, flags);
}

static int move(int from_dir, const char *from, int to_dir, const char *to, unsigned flags) {
    char a[PATH_MAX], b[PATH_MAX];
    const char *old = place(from_dir, from, a), *new = place(to_dir, to, b);
    if ((old || new) && (!old || !new || (flags & ~1u))) unknown("a rename across the border", from);
    if (!old || !new) return syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
    pthread_mutex_lock(&lock);
    record(RENAME, old, new, 0, 0, NULL, 0);
    int result = syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
    if (result < 0) failed();
    pthread_mutex_unlock(&lock);
    return result;
}

int rename(const char *from, const char *to) { return move(AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int from_dir, const char *from, int to_dir, const char *to) { return move(from_dir, from, to_dir, to, 0); }
int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags) {
    return move(from_dir, from, to_dir, to, flags);
}

/* ---- what the journal has no words for ---- */

/* Whoever copies within the kernel is told that this one cannot, and then reads and writes. */
ssize_t copy_file_range(int from, off64_t *at, int to, off64_t *where, size_t len, unsigned flags) {
    (void)from, (void)at, (void)to, (void)where, (void)len, (void)flags;
    errno = ENOSYS;
    return -1;
}
ssize_t sendfile64(int to, int from, off64_t *at, size_t len) {
    (void)to, (void)from, (void)at, (void)len;
    errno = ENOSYS;
    return -1;
}
ssize_t sendfile(int to, int from, off_t *at, size_t len) { return sendfile64(to, from, at, len); }

static void mapped(int fd, int protection, int flags) {
    struct stat found;
    char buffer[PATH_MAX];
    if (fd < 0 || (flags & MAP_ANONYMOUS)) return;
    const char *path = watched(fd, &found, buffer);
    if (path && (protection & PROT_WRITE) && (flags & MAP_SHARED)) unknown("mmap", path);
}

void *mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset) {
    mapped(fd, protection, flags);
    return (void *)syscall(SYS_mmap, at, len, protection, flags, fd, offset);
}
void *mmap64(void *at, size_t len, int protection, int flags, int fd, off64_t offset) {
    mapped(fd, protection, flags);
    return (void *)syscall(SYS_mmap, at, len, protection, flags, fd, offset);
}

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags) {
    char buffer[PATH_MAX];
    if (place(to_dir, to, buffer)) unknown("link", buffer);
    return syscall(SYS_linkat, from_dir, from, to_dir, to, flags);
}
int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }
int symlinkat(const char *target, int dir, const char *path) {
    char buffer[PATH_MAX];
    if (place(dir, path, buffer)) unknown("symlink", buffer);
    return syscall(SYS_symlinkat, target, dir, path);
}
int symlink(const char *target, const char *path) { return symlinkat(target, AT_FDCWD, path); }

/* ---- the time ---- */

int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += days * 86400;
    return result;
}
