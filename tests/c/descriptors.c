/* A host that has used up its file descriptors: calls fail at once with an error that says so and what to do, none hangs, and all
 * work again once descriptors are free. */

#include <sys/resource.h>

#include "calls.h"

enum { LIMIT = 256, PATIENCE_MS = 30000 };

static int taken[LIMIT];
static int held;

/* Takes every descriptor that is left. */
static void take_all(void)
{
    for (int fd; held < LIMIT && (fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;)
        taken[held++] = fd;
    CHECK(open("/dev/null", O_RDONLY | O_CLOEXEC) < 0);
}

static void free_all(void)
{
    while (held > 0)
        close(taken[--held]);
}

/* The log stays open, since its line could not open it later. */
static int log_file = -1;
/* How many attempts were followed by a pause and another one. */
static int repeated;

static void write_line(fal_log_level level, const char *target, const char *message, size_t len, void *user)
{
    (void)level, (void)target, (void)user;
    if (strstr(message, "; again in "))
        __sync_fetch_and_add(&repeated, 1);
    if (log_file < 0)
        return;
    if (write(log_file, message, len) < 0 || write(log_file, "\n", 1) < 0)
        control_die("cannot write the test log");
}

static fal_client *logged_client(void)
{
    fal_options *options = fal_options_new();
    if (*log_path && log_file < 0)
        log_file = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    must(fal_options_set_log(options, FAL_LOG_DEBUG, write_line, NULL, NULL, NULL), NULL, "fal_options_set_log");
    return client_of(options);
}

/* Frees the error. */
static void check_want(fal_status status, fal_error **err, const char *what)
{
    check_record(status < 0, __FILE__, __LINE__, what, "it succeeded without a descriptor");
    check_part(fal_error_message(*err, NULL), "oo many open files", true, __FILE__, __LINE__, what);
    CHECK_HAS(fal_error_remedy(*err, NULL), "raise the limit of open files");
    CHECK_INT(status, FAL_E_IO);
    CHECK(!fal_error_may_have_executed(*err));
    fal_error_free(*err);
    *err = NULL;
}
/* The last argument of the call is &err. */
#define CHECK_WANT(call) check_want((call), &err, #call)

static void each_call_without(fal_client *client)
{
    fal_error *err = NULL;
    fal_response *response = NULL;
    fal_upload *upload = NULL;
    fal_realtime *realtime = NULL;
    fal_request *request = run_of("emulator/echo"), *job = run_of("emulator/job"), *session = run_of("emulator/realtime");
    fal_options *options = fal_options_new();
    CHECK_OK(fal_upload_new_file("/proc/self/exe", FAL_NUL, &upload, &err));
    CHECK_OK(fal_options_set_config_path(options, "/tmp/fal-descriptors.toml", FAL_NUL, &err));
    int64_t began = now_ms();
    take_all();
    CHECK_WANT(fal_client_run(client, request, &response, &err));
    CHECK_WANT(fal_client_subscribe(client, job, &response, &err));
    CHECK_WANT(fal_client_upload(client, upload, &response, &err));
    CHECK_WANT(fal_client_stream(client, request, &response, &err));
    CHECK_WANT(fal_profiles_store_key(options, "a", FAL_NUL, "fake-id:fake-secret", FAL_NUL, false, &err));
    if (CHECK_OK(fal_client_realtime_start(client, session, NULL, &realtime, &err))) {
        CHECK_OK(fal_op_wait(fal_realtime_op(realtime), PATIENCE_MS, &err));
        CHECK_WANT(fal_op_take(fal_realtime_op(realtime), &response, &err));
    }
    CHECK(now_ms() - began < PATIENCE_MS);
    CHECK_INT(fal_log_flush(PATIENCE_MS, &err), FAL_OK);
    CHECK_INT(repeated, 0);
    free_all();
    CHECK(!response);
    fal_realtime_release(realtime);
    fal_options_free(options);
    fal_upload_free(upload);
    fal_request_free(request);
    fal_request_free(job);
    fal_request_free(session);
}

static void the_first_call(void)
{
    fal_error *err = NULL;
    fal_response *response = NULL;
    fal_client *client = logged_client();
    fal_request *request = run_of("emulator/echo");
    CHECK_OK(fal_shutdown(10000, &err));
    take_all();
    CHECK_WANT(fal_client_run(client, request, &response, &err));
    CHECK_OK(fal_shutdown(10000, &err));
    free_all();
    CHECK_OK(fal_client_run(client, request, &response, &err));
    fal_response_free(response);
    fal_request_free(request);
    fal_client_release(client);
}

static void calls_of_a_running_runtime(void)
{
    fal_client *client = logged_client();
    /* Another client starts the runtime, so that this one has no connection yet. */
    fal_client *other = logged_client();
    CHECK_INT(outcome_of(other, run_of("emulator/echo")), FAL_OK);
    int before = files_open();
    each_call_without(client);
    CHECK(files_open() <= before);
    for (int i = 0; i < CALLS; i++)
        calls[i].make(client);
    fal_client_release(other);
    fal_client_release(client);
}

static int is_eating;

/* Takes each descriptor that becomes free, such as that of a connection which a cancelled wait closes. */
static void *eat(void *unused)
{
    while (__atomic_load_n(&is_eating, __ATOMIC_ACQUIRE)) {
        /* Only this thread writes it. */
        int at = __atomic_load_n(&held, __ATOMIC_RELAXED);
        int fd = at < LIMIT ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;
        if (fd >= 0) {
            taken[at] = fd;
            __atomic_store_n(&held, at + 1, __ATOMIC_RELEASE);
        } else
            sleep_ms(1);
    }
    return unused;
}

static void a_cancellation_waits_for_descriptors(void)
{
    fal_error *err = NULL;
    fal_client *client = logged_client();
    fal_request *job = run_of("emulator/job");
    CHECK_OK(fal_request_set_int(job, "ms", FAL_NUL, 3600000, &err));
    fal_op *op = NULL;
    CHECK_OK(fal_client_subscribe_start(client, job, &op, &err));
    fal_event *event = NULL;
    CHECK_OK(fal_op_next_event(op, PATIENCE_MS, &event, &err));
    fal_event_free(event);
    __atomic_store_n(&is_eating, 1, __ATOMIC_RELEASE);
    pthread_t eater;
    pthread_create(&eater, NULL, eat, NULL);
    while (__atomic_load_n(&held, __ATOMIC_ACQUIRE) < LIMIT / 2)
        sleep_ms(1);
    fal_op_cancel(op);
    CHECK_OK(fal_op_wait(op, PATIENCE_MS, &err));
    sleep_ms(500);
    __atomic_store_n(&is_eating, 0, __ATOMIC_RELEASE);
    pthread_join(eater, NULL);
    free_all();
    CHECK_INT(arrived("method=PUT&wait_for=1&timeout_ms=10000"), 1);
    fal_op_release(op);
    fal_request_free(job);
    fal_client_release(client);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(the_first_call),
        TEST(calls_of_a_running_runtime),
        TEST(a_cancellation_waits_for_descriptors),
    };
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        control_die("getrlimit");
    limit.rlim_cur = LIMIT;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        control_die("setrlimit");
    return RUN_TESTS(tests, control_reset);
}
