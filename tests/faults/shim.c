/* Stands between the program and the C library (LD_PRELOAD), for what happens to files below one directory.
 *
 * fault_arm says which calls count and what happens at the one with a given number: it fails with an errno, or the
 * process is killed there, before the call or in the middle of it. With a log, each call that changes a file is
 * recorded with its bytes, so that a crash of the machine can be played back (powercut.py).
 *
 * Letters of calls: c open that makes a file, o any open, w write, s sync, t truncate, r rename and link, u unlink,
 * m make a directory, g read, and n send to a socket, wherever it leads.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#define KILL -9
#define FDS 1024
enum { ONCE, HALF, ON };  /* fail or die at the call; in the middle of it; fail it and every later one */

static char root[PATH_MAX], calls[32], hit[PATH_MAX + 64], known[FDS];
static int armed, at, error_number, mode, count, out = -1;

#define REAL(name, type, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

static ssize_t raw_write(int fd, const void *data, size_t size) {
    REAL(write, ssize_t, int, const void *, size_t);
    return real(fd, data, size);
}

struct head { char op; char pad[3]; int32_t fd; int64_t offset, size; int32_t first, second; };

static void note(char op, int fd, int64_t offset, int64_t size, const char *first, const char *second, const void *data) {
    if (out < 0) return;
    struct head h = {op, {0}, fd, offset, size, first ? strlen(first) : 0, second ? strlen(second) : 0};
    raw_write(out, &h, sizeof h);
    if (first) raw_write(out, first, h.first);
    if (second) raw_write(out, second, h.second);
    if (data) raw_write(out, data, size);
}

void fault_arm(int at_, const char *calls_, int error_, int mode_, const char *root_, const char *log_) {
    at = at_; error_number = error_; mode = mode_; count = 0; hit[0] = 0;
    snprintf(calls, sizeof calls, "%s", calls_);
    snprintf(root, sizeof root, "%s", root_);
    memset(known, 0, sizeof known);
    if (*log_) {
        int file = open(log_, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        out = fcntl(file, F_DUPFD_CLOEXEC, 900);
        close(file);
    }
    armed = 1;
}

int fault_count(void) { return count; }
const char *fault_hit(void) { return hit; }
void fault_mark(int number) { note('A', number, 0, 0, NULL, NULL, NULL); }

static int inside(const char *path) {
    size_t n = strlen(root);
    return armed && strncmp(path, root, n) == 0 && (path[n] == '/' || path[n] == 0);
}

/* The path as it is from the root of the file system; empty where it is none of ours. */
static const char *full(int dir, const char *path, char *made) {
    if (!armed) { *made = 0; return made; }
    if (path[0] == '/') { snprintf(made, PATH_MAX, "%s", path); return made; }
    char link[64];
    ssize_t n;
    if (dir == AT_FDCWD) { if (!getcwd(made, PATH_MAX)) *made = 0; n = strlen(made); }
    else {
        snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
        n = readlink(link, made, PATH_MAX - 1);
        if (n < 0) n = 0;
        made[n] = 0;
    }
    snprintf(made + n, PATH_MAX - n, "/%s", path);
    return made;
}

/* Count a call; true where it is to fail, with errno set. `half` is set where it is to be done in part first. */
static int strike(char kind, const char *what, int *half) {
    *half = 0;
    if (!armed || !strchr(calls, kind)) return 0;
    int number = count++;
    if (at < 0 || number < at || (number > at && mode != ON)) return 0;
    if (!hit[0]) snprintf(hit, sizeof hit, "%c %s", kind, what);
    if (error_number == KILL) {
        if (mode == HALF && kind == 'w') { *half = 1; return 0; }
        raise(SIGKILL);
    }
    if (error_number == 0) return 0;
    if (mode == HALF && kind == 'w') { *half = 1; mode = ON; return 0; }
    errno = error_number;
    return 1;
}

static int opened(int fd, const char *path, int flags, int existed) {
    if (fd >= 0 && fd < FDS) {
        known[fd] = 1;
        note('o', fd, (flags & O_TRUNC) != 0, existed, path, NULL, NULL);
    }
    return fd;
}

#define OPEN(name, parameters, dir, passed) \
    int name parameters { \
        mode_t permissions = 0; \
        if (flags & (O_CREAT | O_TMPFILE)) { va_list more; va_start(more, flags); permissions = va_arg(more, mode_t); va_end(more); } \
        static int (*real) parameters; \
        if (!real) real = (int (*) parameters)dlsym(RTLD_NEXT, #name); \
        char made[PATH_MAX]; int half; \
        if (!armed || !inside(full(dir, path, made))) return real passed; \
        int existed = access(made, F_OK) == 0; \
        if (!existed && (flags & O_CREAT) && strike('c', made, &half)) return -1; \
        if (strike('o', made, &half)) return -1; \
        return opened(real passed, made, flags, existed); \
    }
OPEN(open, (const char *path, int flags, ...), AT_FDCWD, (path, flags, permissions))
OPEN(open64, (const char *path, int flags, ...), AT_FDCWD, (path, flags, permissions))
OPEN(openat, (int dir, const char *path, int flags, ...), dir, (dir, path, flags, permissions))
OPEN(openat64, (int dir, const char *path, int flags, ...), dir, (dir, path, flags, permissions))

int close(int fd) {
    REAL(close, int, int);
    if (armed && fd >= 0 && fd < FDS && known[fd]) { known[fd] = 0; note('c', fd, 0, 0, NULL, NULL, NULL); }
    return real(fd);
}

static int ours(int fd) { return armed && fd >= 0 && fd < FDS && known[fd]; }

static const char *called(int fd, char *made) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, made, PATH_MAX - 1);
    made[n < 0 ? 0 : n] = 0;
    return made;
}

static ssize_t wrote(int fd, off_t offset, const void *data, ssize_t done, int half) {
    if (done > 0) note('w', fd, offset, done, NULL, NULL, data);
    if (half && error_number == KILL) raise(SIGKILL);
    return done;
}

ssize_t write(int fd, const void *data, size_t size) {
    int half; char made[PATH_MAX];
    if (!ours(fd)) return raw_write(fd, data, size);
    if (strike('w', called(fd, made), &half)) return -1;
    ssize_t done = raw_write(fd, data, half ? size / 2 : size);
    return wrote(fd, lseek(fd, 0, SEEK_CUR) - (done > 0 ? done : 0), data, done, half);
}

#define PWRITE(name, offset_type) \
    ssize_t name(int fd, const void *data, size_t size, offset_type offset) { \
        REAL(name, ssize_t, int, const void *, size_t, offset_type); \
        int half; char made[PATH_MAX]; \
        if (!ours(fd)) return real(fd, data, size, offset); \
        if (strike('w', called(fd, made), &half)) return -1; \
        return wrote(fd, offset, data, real(fd, data, half ? size / 2 : size, offset), half); \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define SYNC(name) \
    int name(int fd) { \
        REAL(name, int, int); \
        int half; char made[PATH_MAX]; \
        if (!ours(fd)) return real(fd); \
        if (strike('s', called(fd, made), &half)) return -1; \
        note('s', fd, 0, 0, NULL, NULL, NULL); \
        return 0; /* nothing is lost here but the waiting: the crash is played back from the log */ \
    }
SYNC(fsync)
SYNC(fdatasync)

#define TRUNCATE(name, offset_type) \
    int name(int fd, offset_type size) { \
        REAL(name, int, int, offset_type); \
        int half; char made[PATH_MAX]; \
        if (!ours(fd)) return real(fd, size); \
        if (strike('t', called(fd, made), &half)) return -1; \
        int done = real(fd, size); \
        if (done == 0) note('t', fd, size, 0, NULL, NULL, NULL); \
        return done; \
    }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

static int moved(char op, int dir_a, const char *a, int dir_b, const char *b, int (*work)(int, const char *, int, const char *, int), int flags) {
    char from[PATH_MAX], to[PATH_MAX]; int half;
    full(dir_a, a, from); full(dir_b, b, to);
    int mine = armed && (inside(from) || inside(to));
    if (mine && strike('r', to, &half)) return -1;
    int done = work(dir_a, a, dir_b, b, flags);
    if (mine && done == 0) note(op, 0, 0, 0, from, to, NULL);
    return done;
}

static int do_rename(int da, const char *a, int db, const char *b, int flags) {
    (void)flags;
    REAL(renameat, int, int, const char *, int, const char *);
    return real(da, a, db, b);
}
static int do_link(int da, const char *a, int db, const char *b, int flags) {
    REAL(linkat, int, int, const char *, int, const char *, int);
    return real(da, a, db, b, flags);
}
int rename(const char *a, const char *b) { return moved('r', AT_FDCWD, a, AT_FDCWD, b, do_rename, 0); }
int renameat(int da, const char *a, int db, const char *b) { return moved('r', da, a, db, b, do_rename, 0); }
int link(const char *a, const char *b) { return moved('l', AT_FDCWD, a, AT_FDCWD, b, do_link, 0); }
int linkat(int da, const char *a, int db, const char *b, int flags) { return moved('l', da, a, db, b, do_link, flags); }

static int removed(int dir, const char *path, int flags) {
    REAL(unlinkat, int, int, const char *, int);
    char made[PATH_MAX]; int half;
    if (!armed || !inside(full(dir, path, made))) return real(dir, path, flags);
    if (strike('u', made, &half)) return -1;
    int done = real(dir, path, flags);
    if (done == 0) note('u', 0, 0, 0, made, NULL, NULL);
    return done;
}
int unlink(const char *path) { return removed(AT_FDCWD, path, 0); }
int unlinkat(int dir, const char *path, int flags) { return removed(dir, path, flags); }
int rmdir(const char *path) { return removed(AT_FDCWD, path, AT_REMOVEDIR); }

int mkdir(const char *path, mode_t permissions) {
    REAL(mkdir, int, const char *, mode_t);
    char made[PATH_MAX]; int half;
    if (!armed || !inside(full(AT_FDCWD, path, made))) return real(path, permissions);
    if (strike('m', made, &half)) return -1;
    int done = real(path, permissions);
    if (done == 0) note('m', 0, 0, 0, made, NULL, NULL);
    return done;
}

ssize_t read(int fd, void *data, size_t size) {
    REAL(read, ssize_t, int, void *, size_t);
    int half; char made[PATH_MAX];
    if (ours(fd) && strike('g', called(fd, made), &half)) return -1;
    return real(fd, data, size);
}

#define PREAD(name, offset_type) \
    ssize_t name(int fd, void *data, size_t size, offset_type offset) { \
        REAL(name, ssize_t, int, void *, size_t, offset_type); \
        int half; char made[PATH_MAX]; \
        if (ours(fd) && strike('g', called(fd, made), &half)) return -1; \
        return real(fd, data, size, offset); \
    }
PREAD(pread, off_t)
PREAD(pread64, off64_t)

ssize_t send(int fd, const void *data, size_t size, int flags) {
    REAL(send, ssize_t, int, const void *, size_t, int);
    int half;
    if (strike('n', "socket", &half)) return -1;
    return real(fd, data, size, flags);
}
