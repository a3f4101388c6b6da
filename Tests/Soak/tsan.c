// Tells ThreadSanitizer what it does not see of Swift, and Swift that there is ThreadSanitizer.
//
// A Mutex: its fast paths are compiled into the broker, and seen there; the slow ones, for when two threads want it,
// lie in a library that ThreadSanitizer has not instrumented, and take or give the lock by themselves or in the kernel.
// Without this every contended mutex would be reported as a race.
//
// A task that goes on on another thread: Swift's runtime tells ThreadSanitizer of it, once __tsan_on_initialize was
// called. ThreadSanitizer does that when it is a library, as it is on other systems; here it is a part of the program,
// and does not find it.
//
// For LD_PRELOAD.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>

#define LOCK_SLOW "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define UNLOCK_SLOW "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"
#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context))

// The runtime of ThreadSanitizer has them, which is a part of the program.
void __tsan_acquire(void *address);
void __tsan_release(void *address);

typedef SWIFT void (*Lock)(uint32_t thread, SELF void *mutex);
typedef SWIFT void (*Unlock)(SELF void *mutex);

static Lock lock;
static Unlock unlock;

__attribute__((constructor)) static void find(void) {
    lock = (Lock)dlsym(RTLD_NEXT, LOCK_SLOW);
    unlock = (Unlock)dlsym(RTLD_NEXT, UNLOCK_SLOW);
    void (*initialize)(void) = (void (*)(void))dlsym(RTLD_NEXT, "__tsan_on_initialize");
    if (initialize) initialize();
}

// _MutexHandle._lockSlow(_:)
SWIFT void lock_slow(uint32_t thread, SELF void *mutex) __asm__(LOCK_SLOW);
SWIFT void lock_slow(uint32_t thread, SELF void *mutex) {
    lock(thread, mutex);
    __tsan_acquire(mutex);
}

// _MutexHandle._unlockSlow()
SWIFT void unlock_slow(SELF void *mutex) __asm__(UNLOCK_SLOW);
SWIFT void unlock_slow(SELF void *mutex) {
    __tsan_release(mutex);
    unlock(mutex);
}
