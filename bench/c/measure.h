/* What the C programs of the benchmark share: a clock, and the line of JSON that each prints. */

#ifndef MEASURE_H
#define MEASURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define INPUT "{\"prompt\":\"a lighthouse at dusk\",\"num_images\":1}"
#define KEY "fake-id:fake-secret-of-the-benchmark"

#define CHECK(what)                                                                                                    \
    do {                                                                                                               \
        if (!(what)) {                                                                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what);                                                 \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

static inline double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static inline double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static inline double cpu(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
}

static inline int by_size(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

/* How many requests warm the connections up. None if a single request is measured, which is the start of a process. */
static inline size_t warm_up(size_t requests, size_t in_flight)
{
    return requests == 1 ? 0 : in_flight * 4;
}

struct measured {
    double begun, cpu_begun;
    double *took;
    size_t count;
};

static inline struct measured begin(size_t requests)
{
    struct measured m = {now(), cpu(), malloc((requests + 1) * sizeof(double)), 0};
    CHECK(m.took != NULL);
    return m;
}

static inline void print(struct measured *m)
{
    double seconds = now() - m->begun, cpu_seconds = cpu() - m->cpu_begun;
    qsort(m->took, m->count, sizeof(double), by_size);
    printf("{\"requests\": %zu, \"seconds\": %.6f, \"cpu_seconds\": %.6f, \"median_us\": %.1f, \"p95_us\": %.1f}\n", m->count,
           seconds, cpu_seconds, m->took[(m->count - 1) / 2] * 1e6, m->took[(m->count - 1) * 95 / 100] * 1e6);
    free(m->took);
}

#endif
