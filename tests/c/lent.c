/* What a host lends with a callback: libfal calls release exactly once, after the last call, whether the function succeeds or not. */

#include "support.h"

struct lent {
    int calls, releases, calls_after_release;
};

static void use(struct lent *lent)
{
    (void)__sync_fetch_and_add(&lent->calls, 1);
    if (__sync_fetch_and_add(&lent->releases, 0) > 0)
        (void)__sync_fetch_and_add(&lent->calls_after_release, 1);
}

static void release(void *user)
{
    (void)__sync_fetch_and_add(&((struct lent *)user)->releases, 1);
}

static void on_op(fal_op *op, void *user)
{
    fal_event *event = NULL;
    while (fal_op_next_event(op, 0, &event, NULL) == FAL_OK && event)
        fal_event_free(event);
    use(user);
}

static void on_signal(void *user)
{
    use(user);
}

static void on_line(fal_log_level level, const char *target, const char *message, size_t len, void *user)
{
    (void)level, (void)target, (void)message, (void)len;
    use(user);
}

static void ask(fal_credential_request *request, void *user)
{
    use(user);
    (void)fal_credential_request_refuse(request, "no", FAL_NUL, NULL);
}

static int released(struct lent *lent)
{
    return __sync_fetch_and_add(&lent->releases, 0);
}

/* Waits for the release, which may happen on another thread. */
static void released_soon(struct lent *lent)
{
    for (int64_t end = now_ms() + 10000; released(lent) == 0 && now_ms() < end;)
        sleep_ms(1);
    CHECK_INT(released(lent), 1);
    CHECK_INT(lent->calls_after_release, 0);
}

static void a_function_that_fails_releases_at_once(void)
{
    struct lent lent = {0, 0, 0};
    fal_error *err = NULL;
    fal_options *options = fal_options_new();
    fal_dispatcher *dispatcher = fal_dispatcher_new();
    CHECK_FAILS(fal_options_set_log(NULL, FAL_LOG_INFO, on_line, release, &lent, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_options_set_log(options, (fal_log_level)99, on_line, release, &lent, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_options_set_credential_callback(options, NULL, release, &lent, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_op_when_done(NULL, dispatcher, on_op, release, &lent, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_op_when_event(NULL, dispatcher, on_op, release, &lent, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_dispatcher_set_wake(NULL, on_signal, release, &lent, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_INT(lent.releases, 6);
    CHECK_INT(lent.calls, 0);
    fal_dispatcher_release(dispatcher);
    fal_options_free(options);
}

static void a_log_function_is_released_after_its_last_line(void)
{
    struct lent lent = {0, 0, 0};
    fal_error *err = NULL;
    fal_options *options = fal_options_new();
    CHECK_OK(fal_options_set_log(options, FAL_LOG_DEBUG, on_line, release, &lent, &err));
    fal_client *client = NULL;
    CHECK_OK(fal_client_new(options, &client, &err));
    fal_options_free(options);
    fal_op *op = start(client, run_of("emulator/echo"));
    fal_client_release(client);
    CHECK_INT(released(&lent), 0);
    CHECK_OK(fal_op_wait(op, 10000, &err));
    fal_op_release(op);
    CHECK_OK(fal_log_flush(10000, &err));
    released_soon(&lent);
    CHECK(lent.calls > 0);
}

static void a_credential_function_is_released_with_its_client(void)
{
    struct lent lent = {0, 0, 0};
    fal_error *err = NULL;
    fal_options *options = fal_options_new();
    CHECK_OK(fal_options_set_credential_callback(options, ask, release, &lent, &err));
    fal_client *client = NULL;
    CHECK_OK(fal_client_new(options, &client, &err));
    fal_options_free(options);
    CHECK_INT(outcome_of(client, run_of("emulator/echo")), FAL_E_CREDENTIALS_FAILED);
    CHECK_INT(released(&lent), 0);
    fal_client_release(client);
    released_soon(&lent);
    CHECK_INT(lent.calls, 1);
}

static void the_callback_of_an_end_is_released_after_its_call(void)
{
    struct lent called = {0, 0, 0}, dropped = {0, 0, 0};
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_dispatcher *dispatcher = fal_dispatcher_new();
    fal_op *op = start(client, run_of("emulator/echo"));
    CHECK_OK(fal_op_when_done(op, dispatcher, on_op, release, &called, &err));
    CHECK_OK(fal_dispatcher_wait(dispatcher, 10000, &err));
    CHECK_INT(released(&called), 0);
    CHECK_OK(fal_dispatcher_run(dispatcher, SIZE_MAX, -1, NULL, &err));
    released_soon(&called);
    CHECK_INT(called.calls, 1);
    fal_op_release(op);

    op = start(client, slow_of(60000));
    CHECK_OK(fal_op_when_done(op, dispatcher, on_op, release, &dropped, &err));
    fal_dispatcher_release(dispatcher);
    released_soon(&dropped);
    CHECK_INT(dropped.calls, 0);
    CHECK_INT(fal_op_poll(op), FAL_PENDING);
    fal_op_cancel(op);
    fal_op_release(op);
    fal_client_release(client);
}

static fal_op *start_stream(const fal_client *client)
{
    fal_error *err = NULL;
    fal_op *op = NULL;
    fal_request *request = run_of("emulator/stream");
    CHECK_OK(fal_request_set_body_json(request, "{\"ms\":0,\"events\":[1,2,3]}", FAL_NUL, &err));
    CHECK_OK(fal_client_stream_start(client, request, &op, &err));
    fal_request_free(request);
    return op;
}

static void a_callback_of_events_is_released_when_no_call_follows(void)
{
    struct lent replaced = {0, 0, 0}, taken_back = {0, 0, 0}, ended = {0, 0, 0}, gone = {0, 0, 0}, end = {0, 0, 0};
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_dispatcher *dispatcher = fal_dispatcher_new();
    fal_op *op = start_stream(client);
    CHECK_OK(fal_op_when_event(op, dispatcher, on_op, release, &replaced, &err));
    CHECK_OK(fal_op_when_event(op, dispatcher, on_op, release, &taken_back, &err));
    CHECK_OK(fal_op_when_event(op, dispatcher, NULL, NULL, NULL, &err));
    CHECK_OK(fal_op_when_event(op, dispatcher, on_op, release, &ended, &err));
    CHECK_OK(fal_op_when_done(op, dispatcher, on_op, release, &end, &err));
    while (fal_dispatcher_outstanding(dispatcher) > 0 && CHECK_OK(fal_dispatcher_wait(dispatcher, 10000, &err)))
        CHECK_OK(fal_dispatcher_run(dispatcher, SIZE_MAX, -1, NULL, &err));
    released_soon(&replaced);
    released_soon(&taken_back);
    released_soon(&ended);
    released_soon(&end);
    fal_op_release(op);

    op = start_stream(client);
    CHECK_OK(fal_op_when_event(op, dispatcher, on_op, release, &gone, &err));
    fal_dispatcher_release(dispatcher);
    CHECK_OK(fal_op_wait(op, 10000, &err));
    fal_op_release(op);
    released_soon(&gone);
    fal_client_release(client);
}

/* The host keeps the operation, as one whose callback owns it does. */
static void a_callback_of_events_is_released_with_the_end(void)
{
    struct lent read = {0, 0, 0}, discarded = {0, 0, 0}, gone = {0, 0, 0};
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_dispatcher *dispatcher = fal_dispatcher_new();
    fal_op *op = start_stream(client), *silent = start_stream(client), *left = start_stream(client);
    CHECK_OK(fal_op_when_event(op, dispatcher, on_op, release, &read, &err));
    CHECK_OK(fal_op_when_event(silent, dispatcher, on_op, release, &discarded, &err));
    fal_op_discard_events(silent);
    for (int64_t end = now_ms() + 10000; released(&read) == 0 && now_ms() < end;) {
        CHECK_OK(fal_dispatcher_run(dispatcher, SIZE_MAX, -1, NULL, &err));
        sleep_ms(1);
    }
    released_soon(&read);
    CHECK_INT(fal_op_poll(op), FAL_OK);
    CHECK_OK(fal_op_wait(silent, 10000, &err));
    released_soon(&discarded);
    CHECK_OK(fal_op_when_event(left, dispatcher, on_op, release, &gone, &err));
    fal_dispatcher_release(dispatcher);
    CHECK_OK(fal_op_wait(left, 10000, &err));
    fal_response *response = NULL;
    CHECK_OK(fal_op_take(left, &response, &err));
    fal_response_free(response);
    released_soon(&gone);
    fal_op_release(op);
    fal_op_release(silent);
    fal_op_release(left);
    fal_client_release(client);
}

static void drop_the_dispatcher(fal_op *op, void *user)
{
    (void)op;
    fal_dispatcher_release(user);
}

static void a_callback_may_release_the_dispatcher(void)
{
    struct lent next = {0, 0, 0};
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_dispatcher *dispatcher = fal_dispatcher_new();
    fal_op *op = start(client, run_of("emulator/echo"));
    CHECK_OK(fal_op_wait(op, 10000, &err));
    CHECK_OK(fal_op_when_done(op, dispatcher, drop_the_dispatcher, NULL, dispatcher, &err));
    CHECK_OK(fal_op_when_done(op, dispatcher, on_op, release, &next, &err));
    size_t ran = 0;
    CHECK_OK(fal_dispatcher_run(dispatcher, SIZE_MAX, -1, &ran, &err));
    CHECK_INT(ran, 2);
    released_soon(&next);
    fal_op_release(op);
    fal_client_release(client);
}

static void a_wake_function_is_released_once_it_is_replaced(void)
{
    struct lent replaced = {0, 0, 0}, gone = {0, 0, 0};
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_dispatcher *dispatcher = fal_dispatcher_new();
    CHECK_OK(fal_dispatcher_set_wake(dispatcher, on_signal, release, &replaced, &err));
    CHECK_OK(fal_dispatcher_set_wake(dispatcher, on_signal, release, &gone, &err));
    released_soon(&replaced);
    struct lent end = {0, 0, 0};
    fal_op *op = start(client, run_of("emulator/echo"));
    CHECK_OK(fal_op_when_done(op, dispatcher, on_op, release, &end, &err));
    CHECK_OK(fal_dispatcher_wait(dispatcher, 10000, &err));
    CHECK_OK(fal_dispatcher_run(dispatcher, SIZE_MAX, -1, NULL, &err));
    fal_op_release(op);
    fal_dispatcher_release(dispatcher);
    released_soon(&gone);
    released_soon(&end);
    fal_client_release(client);
}

static void thread_hooks_are_released_once_they_are_replaced(void)
{
    struct lent hooks = {0, 0, 0}, refused = {0, 0, 0};
    fal_error *err = NULL;
    CHECK_OK(fal_shutdown(10000, &err));
    CHECK_OK(fal_runtime_set_thread_hooks(on_signal, on_signal, release, &hooks, &err));
    fal_client *client = new_client();
    CHECK_INT(outcome_of(client, run_of("emulator/echo")), FAL_OK);
    CHECK_FAILS(fal_runtime_set_thread_hooks(NULL, NULL, release, &refused, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_INT(refused.releases, 1);
    CHECK_OK(fal_shutdown(10000, &err));
    CHECK(hooks.calls >= 2);
    CHECK_INT(released(&hooks), 0);
    CHECK_OK(fal_runtime_set_thread_hooks(NULL, NULL, NULL, NULL, &err));
    released_soon(&hooks);
    fal_client_release(client);
}

static void set_worker_threads(void *user)
{
    *(fal_status *)user = fal_runtime_set_worker_threads(1, NULL);
}

static void a_release_function_may_configure_the_runtime(void)
{
    fal_status status = FAL_PENDING;
    fal_error *err = NULL;
    CHECK_OK(fal_shutdown(10000, &err));
    CHECK_OK(fal_runtime_set_thread_hooks(on_signal, NULL, set_worker_threads, &status, &err));
    CHECK_OK(fal_runtime_set_thread_hooks(NULL, NULL, NULL, NULL, &err));
    CHECK_INT(status, FAL_OK);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(a_function_that_fails_releases_at_once),
        TEST(a_log_function_is_released_after_its_last_line),
        TEST(a_credential_function_is_released_with_its_client),
        TEST(the_callback_of_an_end_is_released_after_its_call),
        TEST(a_callback_of_events_is_released_when_no_call_follows),
        TEST(a_callback_of_events_is_released_with_the_end),
        TEST(a_callback_may_release_the_dispatcher),
        TEST(a_release_function_may_configure_the_runtime),
        TEST(a_wake_function_is_released_once_it_is_replaced),
        TEST(thread_hooks_are_released_once_they_are_replaced),
    };
    return RUN_TESTS(tests, control_reset);
}
