/* The runtime: a call starts it, fal_shutdown() stops it, and a further call starts it again. */

#include "support.h"

static void nothing_runs_before_the_first_call(void)
{
    fal_error *err = NULL;
    CHECK_INT(threads_alive(), 1);
    CHECK_OK(fal_shutdown(0, &err));
    fal_client *client = new_client();
    fal_credentials *credentials = NULL;
    CHECK_OK(fal_client_explain(client, &credentials, &err));
    CHECK_TEXT(fal_credentials_source(credentials, NULL), "FAL_KEY");
    fal_credentials_free(credentials);
    CHECK_INT(threads_alive(), 1);
    CHECK_INT(outcome_of(client, run_of("emulator/echo")), FAL_OK);
    CHECK(threads_alive() > 1);
    CHECK_OK(fal_shutdown(10000, &err));
    CHECK_INT(threads_left(1), 1);
    fal_client_release(client);
}

static void a_hundred_lives(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    for (int life = 0; life < 100; life++) {
        CHECK_INT(outcome_of(client, run_of("emulator/echo")), FAL_OK);
        CHECK_OK(fal_shutdown(10000, &err));
    }
    CHECK_INT(threads_left(1), 1);
    CHECK_INT(arrived("path=/emulator/echo"), 100);
    fal_client_release(client);
}

static void a_shutdown_ends_calls_that_hang(void)
{
    fault("{\"path\": \"/emulator/echo\", \"times\": null, \"action\": {\"type\": \"hang\"}}");
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_op *ops[8];
    for (int i = 0; i < 8; i++)
        ops[i] = start(client, run_of("emulator/echo"));
    CHECK_INT(arrived("path=/emulator/echo&wait_for=8"), 8);
    CHECK_OK(fal_shutdown(10000, &err));
    for (int i = 0; i < 8; i++) {
        fal_response *response = NULL;
        CHECK_INT(fal_op_poll(ops[i]), FAL_OK);
        CHECK_STATUS(fal_op_take(ops[i], &response, &err), FAL_E_SHUT_DOWN);
        CHECK(fal_error_may_have_executed(err));
        fal_error_free(err);
        err = NULL;
        CHECK_FAILS(fal_op_take(ops[i], &response, &err), FAL_E_TAKEN);
        fal_op_release(ops[i]);
    }
    CHECK_INT(arrived_with("path=/emulator/echo", "\"outcome\":\"client_closed\"", 8), 8);
    CHECK_INT(threads_left(1), 1);
    fal_client_release(client);
}

struct blocker {
    pthread_mutex_t mutex;
    int calls;
};

/* Blocks a runtime thread, and so the shutdown, until the mutex is free. */
static void block(fal_log_level level, const char *target, const char *message, size_t len, void *user)
{
    (void)level, (void)target, (void)message, (void)len;
    struct blocker *blocker = user;
    (void)__sync_fetch_and_add(&blocker->calls, 1);
    pthread_mutex_lock(&blocker->mutex);
    pthread_mutex_unlock(&blocker->mutex);
}

static void *shut_down(void *user)
{
    *(fal_status *)user = fal_shutdown(20000, NULL);
    return NULL;
}

static void calls_during_a_shutdown_are_refused(void)
{
    fal_error *err = NULL;
    struct blocker blocker = {PTHREAD_MUTEX_INITIALIZER, 0};
    fal_options *options = fal_options_new();
    CHECK_OK(fal_options_set_log(options, FAL_LOG_DEBUG, block, NULL, &blocker, &err));
    fal_client *client = client_of(options);
    pthread_mutex_lock(&blocker.mutex);
    fal_op *held = start(client, run_of("emulator/echo"));
    while (__sync_fetch_and_add(&blocker.calls, 0) == 0)
        sleep_ms(1);
    fal_status status = 1;
    pthread_t thread;
    pthread_create(&thread, NULL, shut_down, &status);
    fal_request *request = run_of("emulator/echo/refused");
    fal_op *op = NULL;
    fal_status refused = FAL_OK;
    for (int64_t deadline = now_ms() + 5000; refused != FAL_E_SHUT_DOWN && now_ms() < deadline; sleep_ms(1)) {
        refused = fal_client_run_start(client, request, &op, NULL);
        fal_op_release(op);
    }
    CHECK_FAILS(fal_client_run_start(client, request, &op, &err), FAL_E_SHUT_DOWN);
    CHECK(op == NULL);
    fal_response *response = NULL;
    CHECK_FAILS(fal_client_run(client, request, &response, &err), FAL_E_SHUT_DOWN);
    CHECK_FAILS(fal_shutdown(20, &err), FAL_E_DEADLINE);
    pthread_mutex_unlock(&blocker.mutex);
    pthread_join(thread, NULL);
    CHECK_INT(status, FAL_OK);
    CHECK_INT(fal_op_poll(held), FAL_OK);
    fal_op_release(held);
    fal_request_free(request);
    CHECK_INT(outcome_of(client, run_of("emulator/echo")), FAL_OK);
    CHECK_OK(fal_shutdown(10000, &err));
    CHECK_INT(threads_left(1), 1);
    fal_client_release(client);
}

/* The log functions of two clients wait for a lock of the host. Deadlines, cancellations and calls of a third client work
 * normally. */
static void a_log_function_that_blocks_holds_up_nobody_else(void)
{
    fault("{\"path\": \"/emulator/echo/hang\", \"times\": null, \"action\": {\"type\": \"hang\"}}");
    fal_error *err = NULL;
    struct blocker blocker = {PTHREAD_MUTEX_INITIALIZER, 0};
    fal_client *blocked[2], *other = new_client();
    fal_op *ops[2];
    pthread_mutex_lock(&blocker.mutex);
    for (int i = 0; i < 2; i++) {
        fal_options *options = fal_options_new();
        CHECK_OK(fal_options_set_log(options, FAL_LOG_DEBUG, block, NULL, &blocker, &err));
        blocked[i] = client_of(options);
        ops[i] = start(blocked[i], run_of("emulator/echo"));
    }
    for (int64_t end = now_ms() + 20000; __sync_fetch_and_add(&blocker.calls, 0) < 2 && now_ms() < end;)
        sleep_ms(1);
    CHECK_INT(__sync_fetch_and_add(&blocker.calls, 0), 2);
    int64_t began = now_ms();
    CHECK_INT(outcome_of(other, run_of("emulator/echo")), FAL_OK);
    fal_request *limited = run_of("emulator/echo/hang");
    CHECK_OK(fal_request_set_timeout_ms(limited, 1000, &err));
    CHECK_INT(outcome_of(other, limited), FAL_E_DEADLINE);
    fal_op *cancelled = start(other, run_of("emulator/echo/hang"));
    fal_op_cancel(cancelled);
    CHECK_INT(fal_op_wait(cancelled, 20000, &err), FAL_OK);
    for (int i = 0; i < 2; i++)
        CHECK_INT(fal_op_wait(ops[i], 20000, &err), FAL_OK);
    CHECK_FAILS(fal_log_flush(100, &err), FAL_E_DEADLINE);
    CHECK_FAILS(fal_shutdown(500, &err), FAL_E_DEADLINE);
    CHECK(now_ms() - began < 15000);
    pthread_mutex_unlock(&blocker.mutex);
    CHECK_OK(fal_shutdown(20000, &err));
    CHECK_INT(threads_left(1), 1);
    fal_op_release(cancelled);
    for (int i = 0; i < 2; i++) {
        fal_op_release(ops[i]);
        fal_client_release(blocked[i]);
    }
    fal_client_release(other);
}

static void an_operation_outlives_its_runtime(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_op *op = start(client, run_of("emulator/echo"));
    CHECK_OK(fal_op_wait(op, 10000, &err));
    CHECK_OK(fal_shutdown(10000, &err));
    fal_response *response = NULL;
    CHECK_OK(fal_op_take(op, &response, &err));
    CHECK(fal_response_has(response, "/method", FAL_NUL));
    fal_response_free(response);
    fal_op_release(op);
    fal_client_release(client);
}

struct hooks {
    int started;
    int stopped;
};

static void hook_start(void *user)
{
    (void)__sync_fetch_and_add(&((struct hooks *)user)->started, 1);
}

static void hook_stop(void *user)
{
    (void)__sync_fetch_and_add(&((struct hooks *)user)->stopped, 1);
}

static void threads_are_as_many_as_asked_for_and_hooked(void)
{
    fal_error *err = NULL;
    struct hooks hooks = {0, 0};
    fal_client *client = new_client();
    CHECK_FAILS(fal_runtime_set_worker_threads(0, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_runtime_set_worker_threads(65, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_OK(fal_runtime_set_worker_threads(7, &err));
    CHECK_OK(fal_runtime_set_thread_hooks(hook_start, hook_stop, NULL, &hooks, &err));
    CHECK_INT(outcome_of(client, run_of("emulator/echo")), FAL_OK);
    int threads = threads_alive() - 1;
    CHECK(threads >= 7 && threads <= 9);
    CHECK_FAILS(fal_runtime_set_worker_threads(2, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_runtime_set_thread_hooks(NULL, NULL, NULL, NULL, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_OK(fal_shutdown(10000, &err));
    CHECK(hooks.started >= 7);
    CHECK_INT(hooks.stopped, hooks.started);
    CHECK_OK(fal_runtime_set_thread_hooks(NULL, NULL, NULL, NULL, &err));
    CHECK_OK(fal_runtime_set_worker_threads(1, &err));
    int before = hooks.started;
    CHECK_INT(outcome_of(client, run_of("emulator/echo")), FAL_OK);
    CHECK_INT(hooks.started, before);
    CHECK_OK(fal_shutdown(10000, &err));
    CHECK_OK(fal_runtime_set_worker_threads(2, &err));
    fal_client_release(client);
}

static void *keep_calling(void *user)
{
    for (int i = 0; i < 200; i++) {
        fal_status status = outcome_of(user, run_of("emulator/echo"));
        CHECK(status == FAL_OK || status == FAL_E_SHUT_DOWN);
    }
    return NULL;
}

static void shutdowns_and_calls_race(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, keep_calling, client);
    for (int i = 0; i < 50; i++) {
        CHECK_OK(fal_shutdown(10000, &err));
        sleep_ms(2);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    CHECK_OK(fal_shutdown(10000, &err));
    CHECK_INT(threads_left(1), 1);
    fal_client_release(client);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(nothing_runs_before_the_first_call),
        TEST(a_hundred_lives),
        TEST(a_shutdown_ends_calls_that_hang),
        TEST(calls_during_a_shutdown_are_refused),
        TEST(a_log_function_that_blocks_holds_up_nobody_else),
        TEST(an_operation_outlives_its_runtime),
        TEST(threads_are_as_many_as_asked_for_and_hooked),
        TEST(shutdowns_and_calls_race),
    };
    return RUN_TESTS(tests, control_reset);
}
