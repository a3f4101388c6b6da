/* The calls that SQLite makes of the C library, for the files of one database.
 *
 * A call and its record are one step: no other call on these files comes between them. */

#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DESCRIPTORS 1048576

/* By descriptor: the role of the file that is open there. */
static _Atomic unsigned char roles[DESCRIPTORS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static enum role role(int file) { return file >= 0 && file < DESCRIPTORS ? roles[file] : ROLE_NONE; }

static bool is_noted(enum role role) { return role != ROLE_SHARED_MEMORY && role != ROLE_FOLDER; }

static ino_t inode(int file) {
    struct stat status;
    return fstat(file, &status) == 0 ? status.st_ino : 0;
}

static const char *name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* As with kill -9: what the system was given it keeps. */
static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

static int fail(int error) {
    if (error == DEATH) die();
    pthread_mutex_unlock(&lock);
    errno = error;
    return -1;
}

/* Ends a step that began with the lock; errno is the call's. */
#define DONE(result)                                                                                                   \
    do {                                                                                                               \
        int saved = errno;                                                                                             \
        pthread_mutex_unlock(&lock);                                                                                   \
        errno = saved;                                                                                                 \
        return result;                                                                                                 \
    } while (0)

static int open_at(int folder, const char *path, int flags, mode_t mode) {
    enum role role = role_of(path);
    if (role == ROLE_NONE) return REAL(openat)(folder, path, flags, mode);
    pthread_mutex_lock(&lock);
    int error = fault(KIND_OPEN, role, NULL);
    if (error) return fail(error);
    bool existed = access(path, F_OK) == 0;
    int file = REAL(openat)(folder, path, flags, mode);
    if (file >= 0 && file < DESCRIPTORS) {
        roles[file] = role;
        if (is_noted(role) && !existed) note(RECORD_CREATE, inode(file), 0, name(path), strlen(name(path)));
        if (is_noted(role) && existed && (flags & O_TRUNC)) note(RECORD_TRUNCATE, inode(file), 0, NULL, 0);
    }
    DONE(file);
}

static mode_t mode_of(int flags, va_list arguments) {
    return flags & (O_CREAT | __O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
}

#define OPEN(symbol)                                                                                                   \
    int symbol(const char *path, int flags, ...) {                                                                     \
        va_list arguments;                                                                                             \
        va_start(arguments, flags);                                                                                    \
        mode_t mode = mode_of(flags, arguments);                                                                       \
        va_end(arguments);                                                                                             \
        return open_at(AT_FDCWD, path, flags, mode);                                                                   \
    }

#define OPENAT(symbol)                                                                                                 \
    int symbol(int folder, const char *path, int flags, ...) {                                                         \
        va_list arguments;                                                                                             \
        va_start(arguments, flags);                                                                                    \
        mode_t mode = mode_of(flags, arguments);                                                                       \
        va_end(arguments);                                                                                             \
        return open_at(folder, path, flags, mode);                                                                     \
    }

OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

int close(int file) {
    if (file >= 0 && file < DESCRIPTORS) roles[file] = ROLE_NONE;
    return REAL(close)(file);
}

static ssize_t read_at(int file, void *buffer, size_t length, off_t offset) {
    if (role(file) != ROLE_NONE) {
        int error = fault(KIND_READ, role(file), NULL);
        if (error == DEATH) die();
        if (error) {
            errno = error;
            return -1;
        }
    }
    return REAL(pread)(file, buffer, length, offset);
}

ssize_t pread(int file, void *buffer, size_t length, off_t offset) { return read_at(file, buffer, length, offset); }
ssize_t pread64(int file, void *buffer, size_t length, off64_t offset) { return read_at(file, buffer, length, offset); }

static ssize_t write_at(int file, const void *buffer, size_t length, off_t offset) {
    if (role(file) == ROLE_NONE) return REAL(pwrite)(file, buffer, length, offset);
    pthread_mutex_lock(&lock);
    bool is_torn = false;
    int error = fault(KIND_WRITE, role(file), &is_torn);
    bool fails = error && error != DEATH;
    ssize_t written = fails && !is_torn ? 0 : REAL(pwrite)(file, buffer, is_torn ? length / 2 : length, offset);
    if (written > 0 && is_noted(role(file))) note(RECORD_WRITE, inode(file), offset, buffer, written);
    if (error) return fail(error);
    DONE(written);
}

ssize_t pwrite(int file, const void *buffer, size_t length, off_t offset) {
    return write_at(file, buffer, length, offset);
}

ssize_t pwrite64(int file, const void *buffer, size_t length, off64_t offset) {
    return write_at(file, buffer, length, offset);
}

ssize_t write(int file, const void *buffer, size_t length) {
    if (role(file) == ROLE_NONE) return REAL(write)(file, buffer, length);
    off_t offset = lseek(file, 0, SEEK_CUR);
    ssize_t written = write_at(file, buffer, length, offset);
    if (written > 0) lseek(file, offset + written, SEEK_SET);
    return written;
}

static int sync_file(int file, int (*real)(int)) {
    if (role(file) == ROLE_NONE) return real(file);
    pthread_mutex_lock(&lock);
    int error = fault(KIND_SYNC, role(file), NULL);
    int result = error && error != DEATH ? -1 : real(file);
    if (error == DEATH) die();
    if (error) errno = error;
    int saved = errno;
    if (role(file) == ROLE_FOLDER && result == 0) note(RECORD_FOLDER_SYNC, 0, 0, NULL, 0);
    if (is_noted(role(file))) note(result == 0 ? RECORD_SYNC : RECORD_FAILED_SYNC, inode(file), 0, NULL, 0);
    errno = saved;
    DONE(result);
}

int fsync(int file) { return sync_file(file, REAL(fsync)); }
int fdatasync(int file) { return sync_file(file, REAL(fdatasync)); }

static int truncate_file(int file, off_t length) {
    if (role(file) == ROLE_NONE) return REAL(ftruncate)(file, length);
    pthread_mutex_lock(&lock);
    int error = fault(KIND_TRUNCATE, role(file), NULL);
    if (error) return fail(error);
    int result = REAL(ftruncate)(file, length);
    if (result == 0 && is_noted(role(file))) note(RECORD_TRUNCATE, inode(file), length, NULL, 0);
    DONE(result);
}

int ftruncate(int file, off_t length) { return truncate_file(file, length); }
int ftruncate64(int file, off64_t length) { return truncate_file(file, length); }

int unlink(const char *path) {
    enum role role = role_of(path);
    if (role == ROLE_NONE) return REAL(unlink)(path);
    pthread_mutex_lock(&lock);
    int error = fault(KIND_UNLINK, role, NULL);
    if (error) return fail(error);
    int result = REAL(unlink)(path);
    if (result == 0 && is_noted(role)) note(RECORD_UNLINK, 0, 0, name(path), strlen(name(path)));
    DONE(result);
}

int rename(const char *from, const char *to) {
    enum role role = role_of(from);
    if (role == ROLE_NONE) return REAL(rename)(from, to);
    pthread_mutex_lock(&lock);
    int error = fault(KIND_RENAME, role, NULL);
    if (error) return fail(error);
    int result = REAL(rename)(from, to);
    char names[512];
    int length = snprintf(names, sizeof names, "%s/%s", name(from), name(to));
    if (result == 0 && is_noted(role)) note(RECORD_RENAME, 0, 0, names, length);
    DONE(result);
}
