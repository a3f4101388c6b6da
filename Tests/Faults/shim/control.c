/* Which calls fail: a table in the file SHIM_CONTROL, mapped, so that a test changes it while the program runs. */

#include "shim.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The layout that shim.py writes: eight numbers for each kind of call, then the clock's. */
struct rule {
    _Atomic int64_t error;     /* 0: no call fails */
    _Atomic int64_t countdown; /* 1: the next call fails */
    _Atomic int64_t lasts;     /* whether all calls after it do, too */
    _Atomic int64_t is_torn;
    _Atomic int64_t only; /* the role of the files that it is for; 0: of all */
    _Atomic int64_t calls;
    _Atomic int64_t failures;
    _Atomic int64_t unused;
};

struct control {
    struct rule rules[KIND_COUNT];
    _Atomic int64_t clock_offset;
};

static struct control *control;
static const char *prefix;

__attribute__((constructor)) static void read_environment(void) {
    prefix = getenv("SHIM_PREFIX");
    const char *path = getenv("SHIM_CONTROL");
    if (!path) return;
    int file = REAL(open)(path, O_RDWR | O_CLOEXEC);
    if (file < 0) abort();
    void *map = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (map == MAP_FAILED) abort();
    REAL(close)(file);
    control = map;
}

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text), end_length = strlen(end);
    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

enum role role_of(const char *path) {
    if (!prefix || !path) return ROLE_NONE;
    size_t length = strlen(prefix);
    if (strncmp(path, prefix, length) == 0) {
        if (path[length] == 0) return ROLE_DATABASE;
        if (path[length] != '-') return ROLE_NONE;
        if (ends_with(path, "-wal")) return ROLE_LOG;
        return ends_with(path, "-shm") ? ROLE_SHARED_MEMORY : ROLE_OTHER;
    }
    size_t folder = strrchr(prefix, '/') - prefix;
    return strlen(path) == folder && strncmp(path, prefix, folder) == 0 ? ROLE_FOLDER : ROLE_NONE;
}

int fault(enum kind kind, enum role role, bool *is_torn) {
    if (!control) return 0;
    struct rule *rule = &control->rules[kind];
    if (rule->only && rule->only != role) return 0;
    rule->calls++;
    int error = (int)rule->error;
    if (!error || rule->countdown-- > 1) return 0;
    if (!rule->lasts) rule->error = 0;
    rule->failures++;
    if (is_torn) *is_torn = rule->is_torn;
    return error;
}

int64_t clock_offset(void) { return control ? control->clock_offset : 0; }
