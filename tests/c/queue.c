/* The queue: submit, subscribe, attach, status, result, cancel, and platform requests about a queued request. */

#include "support.h"

static fal_request *job_with(const char *input)
{
    fal_request *request = run_of("emulator/job");
    fal_error *err = NULL;
    must(fal_request_set_body_json(request, input, FAL_NUL, &err), err, input);
    return request;
}

static fal_op *subscribe(const fal_client *client, const char *input)
{
    fal_op *op = NULL;
    fal_error *err = NULL;
    fal_request *request = job_with(input);
    must(fal_client_subscribe_start(client, request, &op, &err), err, "subscribe");
    fal_request_free(request);
    return op;
}

static fal_job *submit(const fal_client *client, const char *input)
{
    fal_job *job = NULL;
    fal_response *answer = NULL;
    fal_error *err = NULL;
    fal_request *request = job_with(input);
    must(fal_client_submit(client, request, &answer, &err), err, "submit");
    must(fal_job_of_response("emulator/job", FAL_NUL, answer, &job, &err), err, "job");
    CHECK(fal_response_has(answer, "/request_id", FAL_NUL));
    fal_response_free(answer);
    fal_request_free(request);
    return job;
}

static void advance(long seconds)
{
    char body[64];
    snprintf(body, sizeof body, "{\"advance_ms\": %ld000}", seconds);
    free(control("POST", "clock", body));
}

static void a_frame_loop_reads_events_and_the_result(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_op *op = subscribe(client, "{\"ms\": 300, \"logs\": [\"a\", \"b\"], \"output\": {\"x\": 1}}");
    int lines = 0, states = 0;
    char id[64] = "", last[32] = "";
    for (int64_t deadline = now_ms() + 20000; now_ms() < deadline;) {
        fal_event *event = NULL;
        fal_status status = fal_op_next_event(op, 0, &event, &err);
        if (status == FAL_PENDING) {
            sleep_ms(5);
            continue;
        }
        CHECK_INT(status, FAL_OK);
        if (!event)
            break;
        const fal_response *content = fal_event_content(event);
        const char *text = NULL;
        if (fal_event_kind(event) == FAL_EVENT_LOG)
            CHECK_TEXT(fal_event_log_text(event, NULL), lines++ ? "b" : "a");
        else
            CHECK(fal_event_log_text(event, NULL) == NULL);
        CHECK_INT(fal_event_transferred(event), -1);
        if (fal_event_kind(event) == FAL_EVENT_STATUS) {
            states++;
            CHECK_OK(fal_response_get_string(content, "/request_id", FAL_NUL, &text, NULL, &err));
            snprintf(id, sizeof id, "%s", text);
            CHECK_TEXT(fal_op_request_id(op, NULL), id);
            if (states == 1)
                CHECK_INT(fal_event_queue_position(event), 0);
            CHECK_OK(fal_response_get_string(content, "/status", FAL_NUL, &text, NULL, &err));
            snprintf(last, sizeof last, "%s", text);
        }
        fal_event_free(event);
    }
    CHECK_INT(lines, 2);
    CHECK(states >= 2);
    CHECK_TEXT(last, "COMPLETED");
    fal_response *response = NULL;
    int64_t x = 0;
    CHECK_OK(fal_op_take(op, &response, &err));
    CHECK_OK(fal_response_get_int(response, "/x", FAL_NUL, &x, &err));
    CHECK_INT(x, 1);
    CHECK_TEXT(fal_response_request_id(response, NULL), id);
    CHECK_INT(arrived(""), 3);
    fal_response_free(response);
    fal_op_release(op);
    fal_client_release(client);
}

static void the_synchronous_form_waits(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_request *request = job_with("{\"ms\": 100, \"output\": {\"x\": 2}}");
    fal_response *response = NULL;
    CHECK_OK(fal_client_subscribe(client, request, &response, &err));
    CHECK(fal_response_has(response, "/x", FAL_NUL));
    fal_response_free(response);
    fal_request_free(request);
    request = job_with("{\"fail\": {\"type\": \"image_too_large\"}}");
    response = NULL;
    CHECK_STATUS(fal_client_subscribe(client, request, &response, &err), FAL_E_INVALID_INPUT);
    CHECK_TEXT(fal_error_type(err, NULL), "image_too_large");
    CHECK(fal_error_request_id(err, NULL) != NULL && !fal_error_may_have_executed(err));
    fal_error_free(err);
    fal_request_free(request);
    fal_client_release(client);
}

static void a_job_is_come_back_to_by_its_id(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_job *first = submit(client, "{\"ms\": 3600000, \"output\": {\"x\": 3}}");
    char id[64];
    size_t len = 0;
    snprintf(id, sizeof id, "%s", fal_job_request_id(first, &len));
    CHECK_INT(len, strlen(id));
    fal_job_free(first);
    /* The data that a restarted program still has. */
    fal_job *job = NULL;
    fal_response *response = NULL;
    CHECK_OK(fal_job_new("emulator/job/any/path", FAL_NUL, id, FAL_NUL, &job, &err));
    CHECK_OK(fal_client_status(client, job, &response, &err));
    CHECK(fal_response_has(response, "/status", FAL_NUL));
    fal_response_free(response);
    response = NULL;
    CHECK_STATUS(fal_client_result(client, job, &response, &err), FAL_E_NOT_READY);
    CHECK(response == NULL);
    fal_error_free(err);
    err = NULL;
    advance(3600);
    CHECK_OK(fal_client_attach(client, job, &response, &err));
    CHECK(fal_response_has(response, "/x", FAL_NUL));
    fal_response_free(response);
    CHECK_OK(fal_client_result(client, job, &response, &err));
    fal_response_free(response);
    response = NULL;
    CHECK_STATUS(fal_client_cancel(client, job, &response, &err), FAL_E_INVALID_INPUT);
    CHECK_HAS(fal_error_remedy(err, NULL), "has ended");
    fal_error_free(err);
    err = NULL;
    fal_job_free(job);
    CHECK_OK(fal_job_new("emulator/job", FAL_NUL, "00000000-0000-4000-8000-000000000000", FAL_NUL, &job, &err));
    CHECK_STATUS(fal_client_status(client, job, &response, &err), FAL_E_NOT_FOUND);
    CHECK_HAS(fal_error_remedy(err, NULL), "Check the request id");
    fal_error_free(err);
    fal_job_free(job);
    fal_client_release(client);
}

static void cancelling_tells_fal_and_releasing_does_not(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_op *op = subscribe(client, "{\"ms\": 3600000}");
    fal_event *event = NULL;
    CHECK_OK(fal_op_next_event(op, 10000, &event, &err));
    fal_event_free(event);
    fal_op_cancel(op);
    CHECK_OK(fal_op_wait(op, 10000, &err));
    fal_response *response = NULL;
    CHECK_STATUS(fal_op_take(op, &response, &err), FAL_E_CANCELLED);
    CHECK(fal_error_request_id(err, NULL) != NULL && fal_error_may_have_executed(err));
    fal_error_free(err);
    fal_op_release(op);
    CHECK_INT(arrived("method=PUT&wait_for=1&timeout_ms=10000"), 1);
    fal_op_release(subscribe(client, "{\"ms\": 300}"));
    CHECK_INT(arrived("method=POST&wait_for=2&timeout_ms=10000"), 2);
    sleep_ms(600);
    CHECK_INT(arrived("method=PUT"), 1);
    fal_client_release(client);
}

/* A deadline cancels its job at fal. A shutdown cancels all jobs at fal before it returns. */
static void a_deadline_and_a_shutdown_tell_fal(void)
{
    enum { JOBS = 20 };
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_request *request = job_with("{\"ms\": 3600000}");
    fal_response *response = NULL;
    CHECK_OK(fal_request_set_timeout_ms(request, 500, &err));
    CHECK_STATUS(fal_client_subscribe(client, request, &response, &err), FAL_E_DEADLINE);
    CHECK(fal_error_request_id(err, NULL) != NULL);
    fal_error_free(err);
    err = NULL;
    fal_request_free(request);
    CHECK_INT(arrived("method=PUT&wait_for=1&timeout_ms=10000"), 1);
    fal_op *ops[JOBS];
    for (int i = 0; i < JOBS; i++) {
        fal_event *event = NULL;
        ops[i] = subscribe(client, "{\"ms\": 3600000}");
        CHECK_OK(fal_op_next_event(ops[i], 10000, &event, &err));
        fal_event_free(event);
    }
    CHECK_OK(fal_shutdown(20000, &err));
    CHECK_INT(arrived("method=PUT"), JOBS + 1);
    for (int i = 0; i < JOBS; i++) {
        CHECK_STATUS(fal_op_take(ops[i], &response, &err), FAL_E_SHUT_DOWN);
        CHECK(fal_error_request_id(err, NULL) != NULL);
        fal_error_free(err);
        err = NULL;
        fal_op_release(ops[i]);
    }
    fal_client_release(client);
}

static void a_job_can_be_left_running(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_request *request = job_with("{\"ms\": 3600000}");
    fal_response *response = NULL;
    CHECK_OK(fal_request_set_keep_running(request, true, &err));
    CHECK_OK(fal_request_set_timeout_ms(request, 300, &err));
    CHECK_STATUS(fal_client_subscribe(client, request, &response, &err), FAL_E_DEADLINE);
    fal_job *job = NULL;
    CHECK(fal_job_new("emulator/job", FAL_NUL, fal_error_request_id(err, NULL), FAL_NUL, &job, NULL) == FAL_OK);
    fal_error_free(err);
    err = NULL;
    CHECK_OK(fal_job_set_keep_running(job, true, &err));
    CHECK_OK(fal_job_set_logs(job, false, &err));
    CHECK_OK(fal_job_set_timeout_ms(job, 300, &err));
    CHECK_STATUS(fal_client_attach(client, job, &response, &err), FAL_E_DEADLINE);
    fal_error_free(err);
    CHECK_INT(arrived("method=PUT"), 0);
    fal_job_free(job);
    fal_request_free(request);
    fal_client_release(client);
}

static void options_arrive_and_are_checked(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_request *request = job_with("{}");
    fal_response *response = NULL;
    CHECK_OK(fal_request_set_priority(request, FAL_PRIORITY_LOW, &err));
    CHECK_OK(fal_request_set_start_timeout_ms(request, 30500, &err));
    CHECK_OK(fal_request_set_runner_hint(request, "h-1", FAL_NUL, &err));
    CHECK_OK(fal_request_set_webhook(request, "http://127.0.0.1:9/", FAL_NUL, &err));
    CHECK_OK(fal_request_set_max_queue_length(request, 50, &err));
    CHECK_OK(fal_request_set_object_lifecycle(request, "{\"expiration_duration_seconds\": 60}", FAL_NUL, &err));
    CHECK_OK(fal_request_set_store_io(request, false, &err));
    CHECK_OK(fal_request_set_no_retry(request, true, &err));
    CHECK_OK(fal_request_set_retries(request, 2, 0, -1, &err));
    CHECK_OK(fal_request_set_no_fallback(request, true, &err));
    CHECK_OK(fal_request_set_tag(request, "team", FAL_NUL, "art", FAL_NUL, &err));
    CHECK_OK(fal_request_set_logs(request, false, &err));
    CHECK_OK(fal_client_subscribe(client, request, &response, &err));
    fal_response_free(response);
    char *post = arrivals("method=POST");
    CHECK_HAS(post, "\"x-fal-queue-priority\":\"low\"");
    CHECK_HAS(post, "\"x-fal-request-timeout\":\"30.5\"");
    CHECK_HAS(post, "\"x-fal-runner-hint\":\"h-1\"");
    CHECK_HAS(post, "fal_webhook=http%3A%2F%2F127.0.0.1%3A9%2F");
    CHECK_HAS(post, "fal_max_queue_length=50");
    CHECK_HAS(post, "expiration_duration_seconds");
    CHECK_HAS(post, "\"x-fal-store-io\":\"0\"");
    CHECK_HAS(post, "\"x-fal-no-retry\":\"1\"");
    CHECK_HAS(post, "server_error");
    CHECK_LACKS(post, "connection_error");
    CHECK_HAS(post, "\"x-app-fal-disable-fallback\":\"1\"");
    CHECK_HAS(post, "\"x-fal-disable-fallbacks\":\"1\"");
    CHECK_HAS(post, "\"x-fal-tags\":\"team=art\"");
    free(post);
    CHECK_FAILS(fal_request_set_priority(request, 7, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_request_set_start_timeout_ms(request, 1000, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_request_set_webhook(request, "http://app.example/", FAL_NUL, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_request_set_object_lifecycle(request, "{}", FAL_NUL, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_request_set_retries(request, 10, -1, -1, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_request_set_retries(request, -2, -1, -1, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_request_set_tag(request, "Team", FAL_NUL, "art", FAL_NUL, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_request_set_runner_hint(request, "a\nb", FAL_NUL, &err), FAL_E_INVALID_ARGUMENT);
    fal_request_free(request);
    fal_client_release(client);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(a_frame_loop_reads_events_and_the_result),
        TEST(the_synchronous_form_waits),
        TEST(a_job_is_come_back_to_by_its_id),
        TEST(cancelling_tells_fal_and_releasing_does_not),
        TEST(a_job_can_be_left_running),
        TEST(options_arrive_and_are_checked),
        TEST(a_deadline_and_a_shutdown_tell_fal),
    };
    return RUN_TESTS(tests, control_reset);
}
