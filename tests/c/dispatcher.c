/* Callbacks: each is called once, on the thread that runs the dispatcher, and may do anything except wait. */

#include "support.h"

struct seen {
    int calls;
    fal_status status;
    bool on_this_thread;
    bool pending_at_call;
    pthread_t thread;
};

static void note(fal_op *op, void *user)
{
    struct seen *seen = user;
    fal_response *response = NULL;
    seen->calls++;
    seen->pending_at_call = fal_op_poll(op) == FAL_PENDING;
    seen->status = fal_op_take(op, &response, NULL);
    seen->on_this_thread = pthread_equal(seen->thread, pthread_self()) != 0;
    fal_response_free(response);
}

/* Runs the dispatcher until no callback is outstanding, for at most ten seconds. */
static void drain(const fal_dispatcher *dispatcher)
{
    fal_error *err = NULL;
    int64_t deadline = now_ms() + 10000;
    while (fal_dispatcher_outstanding(dispatcher) > 0 && now_ms() < deadline) {
        if (!CHECK_OK(fal_dispatcher_run(dispatcher, SIZE_MAX, -1, NULL, &err)))
            return;
        sleep_ms(1);
    }
    CHECK_INT(fal_dispatcher_outstanding(dispatcher), 0);
}

static void watch(const fal_op *op, const fal_dispatcher *dispatcher, struct seen *seen)
{
    fal_error *err = NULL;
    memset(seen, 0, sizeof *seen);
    seen->status = 12345;
    seen->thread = pthread_self();
    CHECK_OK(fal_op_when_done(op, dispatcher, note, NULL, seen, &err));
    CHECK_INT(seen->calls, 0);
}

static void once_however_it_ends(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_dispatcher *dispatcher = fal_dispatcher_new();
    struct seen success, failure, cancelled, shut_down;
    fal_op *ops[4] = {start(client, run_of("emulator/echo")), start(client, run_of("no/such")),
                      start(client, slow_of(60000)), start(client, slow_of(60000))};
    watch(ops[0], dispatcher, &success);
    watch(ops[1], dispatcher, &failure);
    watch(ops[2], dispatcher, &cancelled);
    watch(ops[3], dispatcher, &shut_down);
    CHECK_INT(fal_dispatcher_outstanding(dispatcher), 4);
    for (int i = 0; i < 2; i++)
        CHECK_OK(fal_op_wait(ops[i], 10000, &err));
    fal_op_cancel(ops[2]);
    CHECK_OK(fal_op_wait(ops[2], 10000, &err));
    CHECK_INT(success.calls + failure.calls + cancelled.calls, 0);
    CHECK_OK(fal_shutdown(10000, &err));
    CHECK_INT(shut_down.calls, 0);
    drain(dispatcher);
    drain(dispatcher);
    CHECK_INT(success.calls, 1);
    CHECK_INT(success.status, FAL_OK);
    CHECK_INT(failure.calls, 1);
    CHECK_INT(failure.status, FAL_E_NOT_FOUND);
    CHECK_INT(cancelled.calls, 1);
    CHECK_INT(cancelled.status, FAL_E_CANCELLED);
    CHECK_INT(shut_down.calls, 1);
    CHECK_INT(shut_down.status, FAL_E_SHUT_DOWN);
    CHECK(success.on_this_thread && failure.on_this_thread && cancelled.on_this_thread && shut_down.on_this_thread);
    CHECK(!success.pending_at_call && !shut_down.pending_at_call);
    for (int i = 0; i < 4; i++)
        fal_op_release(ops[i]);
    fal_dispatcher_release(dispatcher);
    fal_client_release(client);
}

static void asked_for_late_it_comes_with_the_next_run(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_dispatcher *dispatcher = fal_dispatcher_new();
    fal_op *op = start(client, run_of("emulator/echo"));
    CHECK_OK(fal_op_wait(op, 10000, &err));
    struct seen seen;
    watch(op, dispatcher, &seen);
    fal_op_release(op);
    size_t ran = 9;
    CHECK_OK(fal_dispatcher_run(dispatcher, SIZE_MAX, -1, &ran, &err));
    CHECK_INT(ran, 1);
    CHECK_INT(seen.calls, 1);
    CHECK_INT(seen.status, FAL_OK);
    CHECK_OK(fal_dispatcher_run(dispatcher, SIZE_MAX, -1, &ran, &err));
    CHECK_INT(ran, 0);
    fal_dispatcher_release(dispatcher);
    fal_client_release(client);
}

static void *run_once(void *user)
{
    fal_error *err = NULL;
    size_t ran = 0;
    CHECK_OK(fal_dispatcher_run(user, SIZE_MAX, -1, &ran, &err));
    CHECK_INT(ran, 1);
    return NULL;
}

static void on_the_thread_that_runs(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_dispatcher *dispatcher = fal_dispatcher_new();
    fal_op *op = start(client, run_of("emulator/echo"));
    struct seen seen;
    watch(op, dispatcher, &seen);
    CHECK_OK(fal_op_wait(op, 10000, &err));
    sleep_ms(50);
    CHECK_INT(seen.calls, 0);
    pthread_t thread;
    pthread_create(&thread, NULL, run_once, dispatcher);
    pthread_join(thread, NULL);
    CHECK_INT(seen.calls, 1);
    CHECK(!seen.on_this_thread);
    fal_op_release(op);
    fal_dispatcher_release(dispatcher);
    fal_client_release(client);
}

static void take_20_ms(fal_op *op, void *user)
{
    (void)op;
    ++*(int *)user;
    sleep_ms(20);
}

static void a_run_keeps_to_its_maximum_and_budget(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_dispatcher *dispatcher = fal_dispatcher_new();
    int calls = 0;
    for (int i = 0; i < 10; i++) {
        fal_op *op = start(client, run_of("emulator/echo"));
        CHECK_OK(fal_op_wait(op, 10000, &err));
        CHECK_OK(fal_op_when_done(op, dispatcher, take_20_ms, NULL, &calls, &err));
        fal_op_release(op);
    }
    size_t ran = 9;
    CHECK_OK(fal_dispatcher_run(dispatcher, 0, -1, &ran, &err));
    CHECK_INT(ran, 0);
    CHECK_OK(fal_dispatcher_run(dispatcher, 3, -1, &ran, &err));
    CHECK_INT(ran, 3);
    CHECK_OK(fal_dispatcher_run(dispatcher, SIZE_MAX, 0, &ran, &err));
    CHECK_INT(ran, 1);
    /* Two callbacks take at least 40 ms, so the third is not started. */
    CHECK_OK(fal_dispatcher_run(dispatcher, SIZE_MAX, 30000, &ran, &err));
    CHECK(ran >= 1 && ran <= 2);
    CHECK_INT(fal_dispatcher_outstanding(dispatcher), 6 - ran);
    size_t left = fal_dispatcher_outstanding(dispatcher);
    CHECK_OK(fal_dispatcher_run(dispatcher, left - 1, 60000000, &ran, &err));
    CHECK_INT(ran, left - 1);
    CHECK_OK(fal_dispatcher_run(dispatcher, SIZE_MAX, -1, NULL, &err));
    CHECK_INT(calls, 10);
    fal_dispatcher_release(dispatcher);
    fal_client_release(client);
}

static void a_sleeping_loop_is_woken(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_dispatcher *dispatcher = fal_dispatcher_new();
    int woken = 0;
    CHECK_OK(fal_dispatcher_set_wake(dispatcher, count_wake, NULL, &woken, &err));
    struct seen seen;
    fal_op *op = start(client, slow_of(1000));
    watch(op, dispatcher, &seen);
    CHECK_INT(wakes_counted(&woken), 0);
    await_wake(&woken);
    CHECK_INT(wakes_counted(&woken), 1);
    size_t ran = 0;
    CHECK_OK(fal_dispatcher_run(dispatcher, SIZE_MAX, -1, &ran, &err));
    CHECK_INT(ran, 1);
    fal_op_release(op);

    CHECK_OK(fal_dispatcher_set_wake(dispatcher, NULL, NULL, NULL, &err));
    op = start(client, run_of("emulator/echo"));
    watch(op, dispatcher, &seen);
    CHECK_OK(fal_op_wait(op, 10000, &err));
    drain(dispatcher);
    CHECK_INT(woken, 1);
    fal_op_release(op);
    fal_dispatcher_release(dispatcher);
    fal_client_release(client);
}

/* A call for a callback to try. */
struct trial {
    fal_client *client;
    fal_dispatcher *dispatcher;
    fal_op *pending;
    fal_op *started;
    int calls;
    int tried;
};

static void try_to_wait(const struct trial *trial)
{
    fal_error *err = NULL;
    fal_request *request = run_of("emulator/echo/forbidden");
    fal_request *http = http_of("GET", "/v1/models");
    fal_response *response = NULL;
    CHECK_FAILS(fal_op_wait(trial->pending, -1, &err), FAL_E_WOULD_DEADLOCK);
    CHECK_FAILS(fal_op_wait(trial->pending, 5, &err), FAL_E_WOULD_DEADLOCK);
    CHECK_STATUS(fal_op_wait(trial->pending, 0, &err), FAL_PENDING);
    CHECK_FAILS(fal_client_run(trial->client, request, &response, &err), FAL_E_WOULD_DEADLOCK);
    CHECK_FAILS(fal_client_send(trial->client, http, &response, &err), FAL_E_WOULD_DEADLOCK);
    CHECK_FAILS(fal_dispatcher_run(trial->dispatcher, 1, -1, NULL, &err), FAL_E_WOULD_DEADLOCK);
    CHECK_FAILS(fal_shutdown(1000, &err), FAL_E_WOULD_DEADLOCK);
    CHECK(response == NULL);
    fal_request_free(request);
    fal_request_free(http);
}

static void wait_in_callback(fal_op *op, void *user)
{
    struct trial *trial = user;
    fal_error *err = NULL;
    trial->calls++;
    try_to_wait(trial);
    CHECK_OK(fal_op_wait(op, -1, &err));
    trial->started = start(trial->client, run_of("emulator/echo/allowed"));
}

static void waiting_in_a_callback_is_refused_and_starting_is_not(void)
{
    fal_error *err = NULL;
    struct trial trial = {.client = new_client(), .dispatcher = fal_dispatcher_new()};
    trial.pending = start(trial.client, slow_of(60000));
    fal_op *op = start(trial.client, run_of("emulator/echo"));
    CHECK_OK(fal_op_when_done(op, trial.dispatcher, wait_in_callback, NULL, &trial, &err));
    drain(trial.dispatcher);
    CHECK_INT(trial.calls, 1);
    CHECK_OK(fal_op_wait(trial.started, 10000, &err));
    CHECK_INT(arrived("path=/emulator/echo/forbidden"), 0);
    CHECK_INT(arrived("path=/v1/models"), 0);
    CHECK_INT(arrived("path=/emulator/echo/allowed"), 1);
    fal_op_cancel(trial.pending);
    fal_op_release(trial.pending);
    fal_op_release(trial.started);
    fal_op_release(op);
    fal_dispatcher_release(trial.dispatcher);
    fal_client_release(trial.client);
}

static void wait_in_log(fal_log_level level, const char *target, const char *message, size_t len, void *user)
{
    struct trial *trial = user;
    CHECK(level >= FAL_LOG_ERROR && level <= FAL_LOG_DEBUG);
    CHECK_INT(strlen(message), len);
    CHECK(target[0] != '\0');
    if (__sync_fetch_and_add(&trial->calls, 1) == 0) {
        try_to_wait(trial);
        (void)__sync_fetch_and_add(&trial->tried, 1);
    }
}

static void wait_in_wake(void *user)
{
    wait_in_log(FAL_LOG_DEBUG, "wake", "", 0, user);
}

static void waiting_in_a_hook_is_refused(void)
{
    fal_error *err = NULL;
    /* Static, because hooks may still run after the operation has ended. */
    static struct trial trial, woken;
    trial.client = new_client();
    trial.dispatcher = fal_dispatcher_new();
    trial.pending = start(trial.client, slow_of(60000));
    woken = trial;
    fal_options *options = fal_options_new();
    CHECK_OK(fal_options_set_log(options, FAL_LOG_DEBUG, wait_in_log, NULL, &trial, &err));
    fal_client *client = client_of(options);
    CHECK_INT(outcome_of(client, run_of("emulator/echo")), FAL_OK);
    CHECK_OK(fal_log_flush(10000, &err));
    CHECK(__sync_fetch_and_add(&trial.tried, 0) == 1);
    fal_client_release(client);

    struct seen seen;
    CHECK_OK(fal_dispatcher_set_wake(trial.dispatcher, wait_in_wake, NULL, &woken, &err));
    fal_op *op = start(trial.client, run_of("emulator/echo"));
    watch(op, trial.dispatcher, &seen);
    drain(trial.dispatcher);
    for (int64_t deadline = now_ms() + 10000; !__sync_fetch_and_add(&woken.tried, 0) && now_ms() < deadline;)
        sleep_ms(1);
    CHECK_INT(__sync_fetch_and_add(&woken.calls, 0), 1);
    CHECK_INT(__sync_fetch_and_add(&woken.tried, 0), 1);
    CHECK_INT(arrived("path=/emulator/echo/forbidden"), 0);
    fal_op_release(op);
    fal_op_cancel(trial.pending);
    fal_op_release(trial.pending);
    fal_dispatcher_release(trial.dispatcher);
    fal_client_release(trial.client);
}

static void an_operation_keeps_its_dispatcher(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_dispatcher *dispatcher = fal_dispatcher_new();
    fal_dispatcher *other = fal_dispatcher_retain(dispatcher);
    CHECK(other == dispatcher);
    struct seen seen;
    fal_op *op = start(client, slow_of(50));
    watch(op, dispatcher, &seen);
    fal_dispatcher_release(dispatcher);
    fal_op_release(op);
    fal_client_release(client);
    drain(other);
    CHECK_INT(seen.calls, 1);
    CHECK_INT(seen.status, FAL_OK);
    fal_dispatcher_release(other);

    /* After the release no thread runs the dispatcher: the callback is dropped without error. */
    client = new_client();
    dispatcher = fal_dispatcher_new();
    op = start(client, run_of("emulator/echo"));
    watch(op, dispatcher, &seen);
    fal_dispatcher_release(dispatcher);
    CHECK_OK(fal_op_wait(op, 10000, &err));
    fal_op_release(op);
    fal_client_release(client);
    CHECK_INT(seen.calls, 0);
}

static void never_called(fal_op *op, void *user)
{
    (void)op;
    *(bool *)user = true;
}

/* An event waits in the dispatcher, and the operation refers to the dispatcher. If both held a reference, neither would be
 * freed, which a sanitizer reports. */
static void what_nobody_runs_goes_with_its_dispatcher(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_dispatcher *dispatcher = fal_dispatcher_new();
    fal_request *request = run_of("emulator/stream");
    fal_op *op = NULL;
    bool called = false;
    CHECK_OK(fal_client_stream_start(client, request, &op, &err));
    CHECK_OK(fal_op_when_event(op, dispatcher, never_called, NULL, &called, &err));
    for (int64_t deadline = now_ms() + 20000; fal_dispatcher_outstanding(dispatcher) == 0 && now_ms() < deadline;)
        sleep_ms(1);
    CHECK_INT(fal_dispatcher_outstanding(dispatcher), 1);
    fal_dispatcher_release(dispatcher);
    fal_op_release(op);
    fal_request_free(request);
    fal_client_release(client);
    CHECK_OK(fal_shutdown(20000, &err));
    CHECK(!called);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(once_however_it_ends),
        TEST(asked_for_late_it_comes_with_the_next_run),
        TEST(on_the_thread_that_runs),
        TEST(a_run_keeps_to_its_maximum_and_budget),
        TEST(a_sleeping_loop_is_woken),
        TEST(waiting_in_a_callback_is_refused_and_starting_is_not),
        TEST(waiting_in_a_hook_is_refused),
        TEST(an_operation_keeps_its_dispatcher),
        TEST(what_nobody_runs_goes_with_its_dispatcher),
    };
    return RUN_TESTS(tests, control_reset);
}
