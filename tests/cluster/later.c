/* A preloaded library with clocks that are ahead: by as many days as the file $LATER_DAYS says, in
 * four digits, from the moment that it says so (it is mapped: write over it, never cut it). All
 * clocks go together, so what waits until a time is woken when that much of real time is over. */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* What is interposed must be visible, whatever the flags say. */
#define EXPORT __attribute__((visibility("default")))

enum { DIGITS = 4, DAY_S = 86400 };

static const volatile char *days_text;

__attribute__((constructor)) static void days_map(void)
{
    const char *path = getenv("LATER_DAYS");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *text = file < 0 ? MAP_FAILED : mmap(NULL, DIGITS, PROT_READ, MAP_SHARED, file, 0);

    if (file >= 0)
        (void)close(file);
    if (text != MAP_FAILED)
        days_text = text;
}

static time_t ahead_s(void)
{
    time_t days = 0;

    for (int i = 0; days_text && i < DIGITS; i++)
        days = days * 10 + (days_text[i] - '0');
    return days * DAY_S;
}

/* The call itself. */
#define REAL(result, name, parameters) ((result(*) parameters)dlsym(RTLD_NEXT, #name))

/* Asked for at each look at a clock, so it is looked up once. */
static int (*real_gettime)(clockid_t, struct timespec *);

EXPORT int clock_gettime(clockid_t which, struct timespec *ret_time);
EXPORT int clock_gettime(clockid_t which, struct timespec *ret_time)
{
    int failed;

    if (!real_gettime)
        real_gettime = REAL(int, clock_gettime, (clockid_t, struct timespec *));
    failed = real_gettime(which, ret_time);
    if (!failed && which != CLOCK_PROCESS_CPUTIME_ID && which != CLOCK_THREAD_CPUTIME_ID)
        ret_time->tv_sec += ahead_s();
    return failed;
}

EXPORT int gettimeofday(struct timeval *restrict ret_time, void *restrict zone);
EXPORT int gettimeofday(struct timeval *restrict ret_time, void *restrict zone)
{
    struct timespec now;
    int failed = clock_gettime(CLOCK_REALTIME, &now);

    (void)zone;
    *ret_time = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return failed;
}

EXPORT int pthread_cond_timedwait(pthread_cond_t *restrict condition,
                                  pthread_mutex_t *restrict mutex,
                                  const struct timespec *restrict until);
EXPORT int pthread_cond_timedwait(pthread_cond_t *restrict condition,
                                  pthread_mutex_t *restrict mutex,
                                  const struct timespec *restrict until)
{
    struct timespec real = {until->tv_sec - ahead_s(), until->tv_nsec};

    return REAL(int, pthread_cond_timedwait,
                (pthread_cond_t *, pthread_mutex_t *, const struct timespec *))(condition, mutex,
                                                                                &real);
}

EXPORT int pthread_cond_clockwait(pthread_cond_t *restrict condition,
                                  pthread_mutex_t *restrict mutex, clockid_t which,
                                  const struct timespec *restrict until);
EXPORT int pthread_cond_clockwait(pthread_cond_t *restrict condition,
                                  pthread_mutex_t *restrict mutex, clockid_t which,
                                  const struct timespec *restrict until)
{
    struct timespec real = {until->tv_sec - ahead_s(), until->tv_nsec};

    return REAL(int, pthread_cond_clockwait,
                (pthread_cond_t *, pthread_mutex_t *, clockid_t,
                 const struct timespec *))(condition, mutex, which, &real);
}
