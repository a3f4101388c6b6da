/* What stands between a program and the disk: see calls.c, control.c, journal.c and clock.c. */

#ifndef SHIM_H
#define SHIM_H

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The C library's own function of this name, whatever it is that stands in front of it. */
#define REAL(name)                                                                                                     \
    ({                                                                                                                 \
        static __typeof__(&name) real;                                                                                 \
        if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name);                                                  \
        real;                                                                                                          \
    })

/* What a file is to the database. The numbers of the first two are known to shim.py. */
enum role { ROLE_NONE, ROLE_LOG, ROLE_DATABASE, ROLE_OTHER, ROLE_SHARED_MEMORY, ROLE_FOLDER };

/* The kinds of calls that can be made to fail, in the order of shim.py. */
enum kind { KIND_OPEN, KIND_READ, KIND_WRITE, KIND_SYNC, KIND_TRUNCATE, KIND_UNLINK, KIND_RENAME, KIND_COUNT };

/* What is written down of a call, by the numbers that disk.py knows. */
enum record {
    RECORD_CREATE = 1,
    RECORD_WRITE,
    RECORD_TRUNCATE,
    RECORD_SYNC,
    RECORD_FAILED_SYNC,
    RECORD_FOLDER_SYNC,
    RECORD_UNLINK,
    RECORD_RENAME,
};

/* The file at this path: none unless it is SHIM_PREFIX, perhaps with `-` and more, or the folder of that. */
enum role role_of(const char *path);

/* No error: the program is killed, behind a call that writes or syncs, before any other. shim.py knows the number. */
#define DEATH (-1)

/* Counts the call; the error that it has to fail with, DEATH, or 0. `is_torn`: half of what it writes is written. */
int fault(enum kind kind, enum role role, bool *is_torn);

/* Nanoseconds to add to the wall clock. */
int64_t clock_offset(void);

/* Appends a record to the file SHIM_JOURNAL, if there is one. */
void note(enum record record, ino_t inode, int64_t offset, const void *data, size_t length);

#endif
