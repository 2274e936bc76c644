/* Watched operations: their events and their ends come from one queue, and the order is certain. */

#include <sched.h>

#include "support.h"

#define ROUNDS 100
/* More than an operation keeps unread. */
#define ITEMS 1500

/* What the queue has told about one operation. */
struct seen {
    fal_op *op;
    int events, ends;
    int64_t queue_position;
    fal_status outcome;
};

static fal_op *start_job(const fal_client *client)
{
    fal_request *request = run_of("emulator/job");
    fal_op *op = NULL;
    must(fal_client_subscribe_start(client, request, &op, NULL), NULL, "fal_client_subscribe_start");
    fal_request_free(request);
    return op;
}

static fal_op *start_stream(const fal_client *client, int items)
{
    fal_request *request = run_of("emulator/stream");
    static const char head[] = "{\"ms\": 0, \"events\": [1", tail[] = "]}";
    char *json = malloc(sizeof head + 2 * (size_t)items + sizeof tail);
    char *end = json + sprintf(json, "%s", head);
    for (int i = 1; i < items; i++)
        end += sprintf(end, ",1");
    strcpy(end, tail);
    must(fal_request_set_body_json(request, json, FAL_NUL, NULL), NULL, "input");
    free(json);
    fal_op *op = NULL;
    must(fal_client_stream_start(client, request, &op, NULL), NULL, "fal_client_stream_start");
    fal_request_free(request);
    return op;
}

static void watch(struct seen *seen, fal_op *op, const fal_dispatcher *dispatcher)
{
    fal_error *err = NULL;
    *seen = (struct seen){.op = op, .queue_position = -1, .outcome = 12345};
    CHECK_OK(fal_op_watch(op, dispatcher, seen, &err));
}

/* Reads one notice within the time, and notes it. Returns what fal_dispatcher_next() does. */
static fal_status read_one(const fal_dispatcher *dispatcher, int64_t timeout_ms)
{
    fal_error *err = NULL;
    fal_op *op = NULL;
    fal_event *event = NULL;
    void *user = NULL;
    fal_status status = fal_dispatcher_next(dispatcher, timeout_ms, &op, &event, &user, &err);
    if (status != FAL_OK) {
        CHECK(!op && !event && !user);
        fal_error_free(err);
        return status;
    }
    struct seen *seen = user;
    CHECK(op == seen->op);
    CHECK_INT(seen->ends, 0);
    if (event) {
        seen->events++;
        if (fal_event_queue_position(event) >= 0)
            seen->queue_position = fal_event_queue_position(event);
    } else {
        fal_response *response = NULL;
        seen->ends++;
        CHECK_INT(fal_op_poll(op), FAL_OK);
        seen->outcome = fal_op_take(op, &response, NULL);
        fal_response_free(response);
    }
    fal_event_free(event);
    fal_op_release(op);
    return status;
}

/* Reads until nothing is watched any longer. */
static void read_all(const fal_dispatcher *dispatcher)
{
    while (fal_dispatcher_outstanding(dispatcher) > 0)
        if (!CHECK_INT(read_one(dispatcher, 20000), FAL_OK))
            return;
    CHECK_INT(read_one(dispatcher, 0), FAL_PENDING);
}

static void many_operations_in_one_queue(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_dispatcher *dispatcher = fal_dispatcher_new();
    struct seen run, job, failure, items, cancelled, shut_down;
    watch(&run, start(client, run_of("emulator/echo")), dispatcher);
    watch(&job, start_job(client), dispatcher);
    watch(&failure, start(client, run_of("no/such")), dispatcher);
    watch(&items, start_stream(client, 5), dispatcher);
    watch(&cancelled, start(client, slow_of(60000)), dispatcher);
    watch(&shut_down, start(client, slow_of(60000)), dispatcher);
    CHECK_INT(fal_dispatcher_outstanding(dispatcher), 6);
    /* The queue keeps what the host has let go. */
    fal_op_release(run.op);
    fal_op_cancel(cancelled.op);
    while (run.ends + job.ends + failure.ends + items.ends + cancelled.ends < 5)
        if (!CHECK_INT(read_one(dispatcher, 20000), FAL_OK))
            break;
    CHECK_INT(fal_dispatcher_outstanding(dispatcher), 1);
    CHECK_OK(fal_shutdown(10000, &err));
    read_all(dispatcher);
    CHECK_INT(run.outcome, FAL_OK);
    CHECK_INT(run.events, 0);
    CHECK_INT(job.outcome, FAL_OK);
    CHECK(job.events > 0 && job.queue_position >= 0);
    CHECK_INT(failure.outcome, FAL_E_NOT_FOUND);
    CHECK_INT(items.outcome, FAL_OK);
    CHECK_INT(items.events, 5);
    CHECK_INT(cancelled.outcome, FAL_E_CANCELLED);
    CHECK_INT(shut_down.outcome, FAL_E_SHUT_DOWN);
    struct seen *others[] = {&job, &failure, &items, &cancelled, &shut_down};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        fal_op_release(others[i]->op);
    fal_dispatcher_release(dispatcher);
    fal_client_release(client);
}

static void count_call(fal_op *op, void *user)
{
    CHECK_INT(fal_op_poll(op), FAL_OK);
    ++*(int *)user;
}

/* The operation's end, seen by a poll or a wait, and what a dispatcher has of it. */
static void what_has_ended_is_ready(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_dispatcher *queue = fal_dispatcher_new();
    fal_dispatcher *callbacks = fal_dispatcher_new();
    int calls = 0;
    for (int i = 0; i < ROUNDS; i++) {
        struct seen seen;
        fal_op *op = start(client, run_of("emulator/echo"));
        watch(&seen, op, queue);
        CHECK_OK(fal_op_when_done(op, callbacks, count_call, NULL, &calls, &err));
        if (i % 2)
            CHECK_OK(fal_op_wait(op, 10000, &err));
        else
            while (fal_op_poll(op) == FAL_PENDING)
                sched_yield();
        CHECK_INT(read_one(queue, 0), FAL_OK);
        CHECK_INT(seen.ends, 1);
        size_t ran = 0;
        CHECK_OK(fal_dispatcher_run(callbacks, 1, -1, &ran, &err));
        CHECK_INT(ran, 1);
        fal_op_release(op);
    }
    CHECK_INT(calls, ROUNDS);
    fal_dispatcher_release(queue);
    fal_dispatcher_release(callbacks);
    fal_client_release(client);
}

static void what_is_ready_has_ended(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_dispatcher *dispatcher = fal_dispatcher_new();
    int calls = 0;
    for (int i = 0; i < ROUNDS; i++) {
        struct seen seen;
        fal_op *op = start(client, run_of("emulator/echo"));
        if (i % 2) {
            watch(&seen, op, dispatcher);
            CHECK_INT(read_one(dispatcher, 10000), FAL_OK);
            CHECK_INT(seen.outcome, FAL_OK);
        } else {
            CHECK_OK(fal_op_when_done(op, dispatcher, count_call, NULL, &calls, &err));
            CHECK_OK(fal_dispatcher_wait(dispatcher, 10000, &err));
            CHECK_OK(fal_dispatcher_run(dispatcher, 1, -1, NULL, &err));
        }
        fal_op_release(op);
    }
    CHECK_INT(calls, ROUNDS / 2);
    fal_dispatcher_release(dispatcher);
    fal_client_release(client);
}

static void what_ended_before_only_ends(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_dispatcher *dispatcher = fal_dispatcher_new();
    struct seen seen;
    fal_op *op = start_job(client);
    fal_op_discard_events(op);
    CHECK_OK(fal_op_wait(op, 20000, &err));
    for (int i = 0; i < 2; i++) {
        watch(&seen, op, dispatcher);
        CHECK_INT(read_one(dispatcher, 0), FAL_OK);
        CHECK_INT(seen.events, 0);
        CHECK_INT(seen.ends, 1);
        CHECK_INT(seen.outcome, i ? FAL_E_TAKEN : FAL_OK);
        CHECK_INT(read_one(dispatcher, 0), FAL_PENDING);
    }
    fal_op_release(op);
    fal_dispatcher_release(dispatcher);
    fal_client_release(client);
}

static void note_call(fal_op *op, void *user)
{
    (void)op;
    ++*(int *)user;
}

static void it_is_watched_once(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_dispatcher *dispatcher = fal_dispatcher_new();
    fal_dispatcher *other = fal_dispatcher_new();
    struct seen seen;
    int calls = 0;
    fal_op *op = start(client, slow_of(60000));
    CHECK_OK(fal_op_when_event(op, dispatcher, note_call, NULL, &calls, &err));
    CHECK_FAILS(fal_op_watch(op, other, NULL, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_OK(fal_op_when_event(op, dispatcher, NULL, NULL, NULL, &err));
    watch(&seen, op, dispatcher);
    CHECK_FAILS(fal_op_watch(op, dispatcher, NULL, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_op_watch(op, other, NULL, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_op_when_event(op, dispatcher, note_call, NULL, &calls, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_OK(fal_op_when_event(op, dispatcher, NULL, NULL, NULL, &err));
    CHECK_INT(fal_dispatcher_outstanding(dispatcher), 1);
    CHECK_INT(fal_dispatcher_outstanding(other), 0);
    fal_op_cancel(op);
    read_all(dispatcher);
    CHECK_INT(seen.outcome, FAL_E_CANCELLED);
    CHECK_INT(calls, 0);
    fal_op_release(op);
    fal_dispatcher_release(dispatcher);
    fal_dispatcher_release(other);
    fal_client_release(client);
}

static void another_reader_takes_events_but_not_the_end(void)
{
    fal_client *client = new_client();
    fal_dispatcher *dispatcher = fal_dispatcher_new();
    struct seen seen;
    fal_op *op = start_stream(client, 20);
    watch(&seen, op, dispatcher);
    int read = 0;
    fal_event *event = NULL;
    while (fal_op_next_event(op, 20000, &event, NULL) == FAL_OK && event) {
        read++;
        fal_event_free(event);
        if (read % 5 == 0 && read < 20)
            CHECK_INT(read_one(dispatcher, 20000), FAL_OK);
    }
    read_all(dispatcher);
    CHECK_INT(read + seen.events, 20);
    CHECK_INT(seen.ends, 1);
    fal_op_release(op);
    fal_dispatcher_release(dispatcher);
    fal_client_release(client);
}

/* A stream waits while 1024 items are unread, and loses none. */
static void a_stream_waits_for_its_reader(void)
{
        fal_client *client = new_client();
    fal_dispatcher *dispatcher = fal_dispatcher_new();
    struct seen seen;
    fal_op *op = start_stream(client, ITEMS);
    watch(&seen, op, dispatcher);
    sleep_ms(300);
    CHECK_INT(fal_op_poll(op), FAL_PENDING);
    read_all(dispatcher);
    CHECK_INT(seen.events, ITEMS);
    CHECK_INT(fal_op_dropped_events(op), 0);
    fal_op_release(op);
    fal_dispatcher_release(dispatcher);
    fal_client_release(client);
}

static void a_sleeping_loop_is_woken(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_dispatcher *dispatcher = fal_dispatcher_new();
    static int woken;
    CHECK_OK(fal_dispatcher_set_wake(dispatcher, count_wake, NULL, &woken, &err));
    struct seen seen;
    fal_op *op = start(client, slow_of(300));
    watch(&seen, op, dispatcher);
    CHECK_STATUS(fal_dispatcher_wait(dispatcher, 1, &err), FAL_PENDING);
    CHECK_OK(fal_dispatcher_wait(dispatcher, 20000, &err));
    await_wake(&woken);
    CHECK_INT(wakes_counted(&woken), 1);
    read_all(dispatcher);
    fal_op_release(op);
    fal_dispatcher_release(dispatcher);
    CHECK_OK(fal_shutdown(10000, &err));
    fal_client_release(client);
}

static void wait_in_callback(fal_op *op, void *user)
{
    fal_error *err = NULL;
    fal_dispatcher *dispatcher = user;
    fal_op *read = NULL;
    fal_event *event = NULL;
    size_t index = 9;
    const fal_op *ops[] = {op};
    CHECK_FAILS(fal_dispatcher_wait(dispatcher, 10, &err), FAL_E_WOULD_DEADLOCK);
    CHECK_FAILS(fal_dispatcher_next(dispatcher, -1, &read, &event, NULL, &err), FAL_E_WOULD_DEADLOCK);
    CHECK_STATUS(fal_dispatcher_wait(dispatcher, 0, &err), FAL_PENDING);
    CHECK_STATUS(fal_dispatcher_next(dispatcher, 0, &read, &event, NULL, &err), FAL_PENDING);
    CHECK_OK(fal_op_wait_any(ops, 1, -1, &index, &err));
}

static void waiting_in_a_callback_is_refused(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_dispatcher *dispatcher = fal_dispatcher_new();
    fal_op *op = start(client, run_of("emulator/echo"));
    CHECK_OK(fal_op_when_done(op, dispatcher, wait_in_callback, NULL, dispatcher, &err));
    CHECK_OK(fal_dispatcher_wait(dispatcher, 20000, &err));
    CHECK_OK(fal_dispatcher_run(dispatcher, SIZE_MAX, -1, NULL, &err));
    CHECK_INT(fal_dispatcher_outstanding(dispatcher), 0);
    fal_op_release(op);
    fal_dispatcher_release(dispatcher);
    fal_client_release(client);
}

static void a_released_dispatcher_lets_go(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_dispatcher *dispatcher = fal_dispatcher_new();
    struct seen dropped, seen;
    fal_op *op = start_stream(client, ITEMS);
    watch(&dropped, op, dispatcher);
    fal_op *unreferenced = start_stream(client, ITEMS);
    watch(&dropped, unreferenced, dispatcher);
    fal_op_release(unreferenced);
    fal_dispatcher_release(dispatcher);
    dispatcher = fal_dispatcher_new();
    watch(&seen, op, dispatcher);
    read_all(dispatcher);
    CHECK_INT(seen.events, ITEMS);
    CHECK_INT(dropped.events + dropped.ends, 0);
    fal_op_release(op);
    fal_dispatcher_release(dispatcher);
    CHECK_OK(fal_shutdown(10000, &err));
    fal_client_release(client);
}

static void *cancel_soon(void *op)
{
    sleep_ms(50);
    fal_op_cancel(op);
    return NULL;
}

static void the_first_of_several(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_op *slow[3];
    for (int i = 0; i < 3; i++)
        slow[i] = start(client, slow_of(60000));
    const fal_op *ops[] = {slow[0], slow[1], slow[2]};
    size_t index = 9;
    CHECK_STATUS(fal_op_wait_any(ops, 3, 0, &index, &err), FAL_PENDING);
    CHECK_STATUS(fal_op_wait_any(ops, 3, 20, &index, &err), FAL_PENDING);
    CHECK_INT(index, 0);
    CHECK_FAILS(fal_op_wait_any(ops, 0, -1, &index, &err), FAL_E_INVALID_ARGUMENT);
    const fal_op *missing[] = {slow[0], NULL};
    CHECK_FAILS(fal_op_wait_any(missing, 2, -1, &index, &err), FAL_E_INVALID_ARGUMENT);
    pthread_t thread;
    pthread_create(&thread, NULL, cancel_soon, slow[2]);
    CHECK_OK(fal_op_wait_any(ops, 3, 20000, &index, &err));
    pthread_join(thread, NULL);
    CHECK_INT(index, 2);
    fal_op_cancel(slow[1]);
    CHECK_OK(fal_op_wait(slow[1], 20000, &err));
    CHECK_OK(fal_op_wait_any(ops, 3, -1, &index, &err));
    CHECK_INT(index, 1);
    fal_op_cancel(slow[0]);
    for (int i = 0; i < 3; i++)
        fal_op_release(slow[i]);
    fal_client_release(client);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(many_operations_in_one_queue),
        TEST(what_has_ended_is_ready),
        TEST(what_is_ready_has_ended),
        TEST(what_ended_before_only_ends),
        TEST(it_is_watched_once),
        TEST(another_reader_takes_events_but_not_the_end),
        TEST(a_stream_waits_for_its_reader),
        TEST(a_sleeping_loop_is_woken),
        TEST(waiting_in_a_callback_is_refused),
        TEST(a_released_dispatcher_lets_go),
        TEST(the_first_of_several),
    };
    return RUN_TESTS(tests, control_reset);
}
