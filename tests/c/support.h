/* Helpers that several tests share. */

#ifndef SUPPORT_H
#define SUPPORT_H

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <time.h>

#include "check.h"
#include "control.h"

static inline void must(fal_status status, fal_error *err, const char *what)
{
    if (status == FAL_OK)
        return;
    fprintf(stderr, "%s: %s: %s\n", what, fal_status_name(status), err ? fal_error_message(err, NULL) : "");
    exit(98);
}

/* Appends a line to the test log, in one write, because several processes append to the same file. */
static inline void test_log_line(fal_log_level level, const char *target, const char *message, size_t len, void *path)
{
    char line[4096];
    int length = snprintf(line, sizeof line, "%d %s %.*s\n", (int)level, target, (int)len, message);
    size_t size = length < 0 ? 0 : (size_t)length < sizeof line ? (size_t)length : sizeof line - 1;
    int fd = open((const char *)path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, line, size) != (ssize_t)size)
        control_die("cannot write the test log");
    close(fd);
}

/* The path of the test log, or "" without one. Several threads make clients while others log. */
static char log_path[512];
static pthread_once_t log_path_once = PTHREAD_ONCE_INIT;

/* Writes all pending log lines before the program ends. */
static inline void flush_the_log(void)
{
    (void)fal_log_flush(10000, NULL);
}

static inline void name_the_log(void)
{
    const char *folder = getenv("TEST_LOGS");
    int length = folder ? snprintf(log_path, sizeof log_path, "%s/c.log", folder) : 0;
    if (length < 0 || (size_t)length >= sizeof log_path)
        control_die("the name of the tests' log is too long");
    if (*log_path)
        atexit(flush_the_log);
}

/* Returns options that log at the most verbose level into the folder TEST_LOGS, which `make test` searches for secrets
 * (tests/secrets/search). A log function that a test sets replaces this one. */
static inline fal_options *logged_options(void)
{
    fal_options *options = fal_options_new();
    pthread_once(&log_path_once, name_the_log);
    if (*log_path)
        must(fal_options_set_log(options, FAL_LOG_DEBUG, test_log_line, NULL, log_path, NULL), NULL, "fal_options_set_log");
    return options;
}

/* All options of the tests are made so. */
#define fal_options_new() logged_options()

/* Makes a client from these options, which are freed. */
static inline fal_client *client_of(fal_options *options)
{
    fal_client *client = NULL;
    fal_error *err = NULL;
    must(fal_client_new(options, &client, &err), err, "fal_client_new");
    fal_options_free(options);
    return client;
}

static inline fal_client *new_client(void)
{
    return client_of(getenv("TEST_LOGS") ? fal_options_new() : NULL);
}

static inline fal_request *run_of(const char *endpoint)
{
    fal_request *request = NULL;
    fal_error *err = NULL;
    must(fal_request_new(endpoint, FAL_NUL, &request, &err), err, endpoint);
    return request;
}

static inline fal_request *http_of(const char *method, const char *url)
{
    fal_request *request = NULL;
    fal_error *err = NULL;
    must(fal_request_new_http(method, FAL_NUL, url, FAL_NUL, &request, &err), err, url);
    return request;
}

/* Returns a request to emulator/slow, which responds after `ms` milliseconds. */
static inline fal_request *slow_of(int64_t ms)
{
    fal_request *request = run_of("emulator/slow");
    fal_error *err = NULL;
    must(fal_request_set_int(request, "ms", FAL_NUL, ms, &err), err, "ms");
    return request;
}

/* Starts a run. Frees the request. */
static inline fal_op *start(const fal_client *client, fal_request *request)
{
    fal_op *op = NULL;
    fal_error *err = NULL;
    must(fal_client_run_start(client, request, &op, &err), err, "fal_client_run_start");
    fal_request_free(request);
    return op;
}

/* Runs or sends a request, which is freed. Returns only the status. */
static inline fal_status outcome_of(const fal_client *client, fal_request *request)
{
    fal_response *response = NULL;
    fal_status status = fal_client_run(client, request, &response, NULL);
    fal_response_free(response);
    fal_request_free(request);
    return status;
}

static inline int64_t now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static inline void sleep_ms(int64_t ms)
{
    struct timespec time = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
    nanosleep(&time, NULL);
}

/* A wake-up hook that counts its calls in an int. */
static inline void count_wake(void *count)
{
    (void)__sync_fetch_and_add((int *)count, 1);
}

static inline int wakes_counted(int *count)
{
    return __sync_fetch_and_add(count, 0);
}

/* Waits until there was a call. */
static inline void await_wake(int *count)
{
    for (int64_t deadline = now_ms() + 20000; wakes_counted(count) == 0 && now_ms() < deadline;)
        sleep_ms(1);
}

/* Returns the number of threads of this process. ThreadSanitizer adds one of its own as soon as there are two. */
static inline int threads_alive(void)
{
    int count = 0;
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *task = tasks ? readdir(tasks) : NULL; task; task = readdir(tasks))
        count += task->d_name[0] != '.';
    if (tasks)
        closedir(tasks);
#ifdef __SANITIZE_THREAD__
    count -= count > 1;
#endif
    return count;
}

/* Returns the number of threads, once it has fallen to `expected`: the system may list a joined thread for a moment longer. */
static inline int threads_left(int expected)
{
    int64_t deadline = now_ms() + 2000;
    while (threads_alive() > expected && now_ms() < deadline)
        sleep_ms(1);
    return threads_alive();
}

/* Returns the number of open descriptors of this process. */
static inline int files_open(void)
{
    int count = 0;
    DIR *files = opendir("/proc/self/fd");
    for (struct dirent *file = files ? readdir(files) : NULL; file; file = readdir(files))
        count += file->d_name[0] != '.';
    if (files)
        closedir(files);
    return count;
}

/* Returns the secret half of the key in a variable, which no text may contain. */
static inline const char *secret_of(const char *variable)
{
    const char *colon = strchr(control_variable(variable), ':');
    return colon ? colon + 1 : "";
}

#endif
