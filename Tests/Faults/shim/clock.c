/* The wall clock, as far off as the test says; the monotonic clock goes on as it does. */

#include "shim.h"

#include <sys/time.h>
#include <time.h>

#define BILLION 1000000000

static void add(struct timespec *time) {
    int64_t nanoseconds = time->tv_sec * (int64_t)BILLION + time->tv_nsec + clock_offset();
    time->tv_sec = nanoseconds / BILLION;
    time->tv_nsec = nanoseconds % BILLION;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = REAL(clock_gettime)(clock, time);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) add(time);
    return result;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *result) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (result) *result = now.tv_sec;
    return now.tv_sec;
}
