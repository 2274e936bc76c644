/* Streams: the arrival of items, the end, and workflows. */

#include "support.h"

static fal_request *input_of(const char *endpoint, const char *json)
{
    fal_request *request = run_of(endpoint);
    must(fal_request_set_body_json(request, json, FAL_NUL, NULL), NULL, "input");
    return request;
}

/* Starts a stream. Frees the request. */
static fal_op *stream(const fal_client *client, fal_request *request)
{
    fal_op *op = NULL;
    fal_error *err = NULL;
    must(fal_client_stream_start(client, request, &op, &err), err, "fal_client_stream_start");
    fal_request_free(request);
    return op;
}

/* Returns the next event, or NULL at the end. */
static fal_event *next(const fal_op *op)
{
    fal_event *event = NULL;
    must(fal_op_next_event(op, 20000, &event, NULL), NULL, "fal_op_next_event");
    return event;
}

static void items_come_in_order_and_the_last_is_the_response(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_op *op = stream(client, input_of("emulator/stream", "{\"ms\": 20}"));
    const char *expected[] = {"{\"progress\":0.25,\"message\":\"Started\"}", "{\"progress\":0.75,\"message\":\"Almost there\"}",
                              "{\"output\":\"Done\"}"};
    int items = 0;
    for (fal_event *event = next(op); event; event = next(op)) {
        CHECK_INT(fal_event_kind(event), FAL_EVENT_ITEM);
        CHECK(!fal_event_is_bytes(event));
        CHECK(fal_op_request_id(op, NULL) != NULL);
        const void *data = NULL;
        size_t len = 0;
        CHECK_OK(fal_event_get_bytes(event, "", FAL_NUL, &data, &len, &err));
        CHECK(items < 3 && len > 0 && data != NULL);
        const char *text = NULL;
        CHECK_OK(fal_response_get_json(fal_event_content(event), "", FAL_NUL, &text, NULL, &err));
        CHECK_INT(strlen(text), strlen(expected[items]));
        items++;
        fal_event_free(event);
    }
    CHECK_INT(items, 3);
    fal_response *response = NULL;
    CHECK_OK(fal_op_take(op, &response, &err));
    const char *output = NULL;
    CHECK_OK(fal_response_get_string(response, "/output", FAL_NUL, &output, NULL, &err));
    CHECK_TEXT(output, "Done");
    CHECK(fal_response_request_id(response, NULL) != NULL);
    fal_response_free(response);
    fal_op_release(op);
    fal_request *request = run_of("emulator/stream");
    CHECK_OK(fal_client_stream(client, request, &response, &err));
    CHECK(fal_response_has(response, "/output", FAL_NUL));
    fal_response_free(response);
    fal_request_free(request);
    CHECK_INT(arrived("path=/emulator/stream/stream"), 2);
    fal_client_release(client);
}

static void pieces_that_are_no_events_are_bytes(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_op *op = stream(client, input_of("emulator/stream", "{\"not_sse\": true, \"events\": [\"abc\"]}"));
    fal_event *event = next(op);
    const void *data = NULL;
    size_t len = 0;
    CHECK(fal_event_is_bytes(event));
    CHECK_OK(fal_event_get_bytes(event, "", FAL_NUL, &data, &len, &err));
    CHECK(len == 3 && memcmp(data, "abc", 3) == 0);
    CHECK_FAILS(fal_event_get_bytes(event, "/x", FAL_NUL, &data, &len, &err), FAL_E_WRONG_TYPE);
    CHECK(data == NULL && len == 0);
    fal_event_free(event);
    fal_op_release(op);
    fal_client_release(client);
}

static void a_stream_that_breaks_is_an_error_after_its_items(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_op *op = stream(client, input_of("emulator/stream", "{\"cut\": true, \"events\": [1, 2]}"));
    int items = 0;
    for (fal_event *event = next(op); event; event = next(op), items++)
        fal_event_free(event);
    CHECK_INT(items, 2);
    fal_response *response = NULL;
    CHECK_STATUS(fal_op_take(op, &response, &err), FAL_E_CONNECTION_LOST);
    CHECK(fal_error_may_have_executed(err));
    CHECK_HAS(fal_error_message(err, NULL), "2 items");
    fal_error_free(err);
    fal_op_release(op);
    fal_client_release(client);
}

static void a_path_replaces_the_usual_one(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_request *request = run_of("emulator/stream");
    CHECK_OK(fal_request_set_path(request, "/other/", FAL_NUL, &err));
    CHECK_FAILS(fal_request_set_path(request, "../x", FAL_NUL, &err), FAL_E_INVALID_ARGUMENT);
    fal_response *response = NULL;
    CHECK_FAILS(fal_client_stream(client, request, &response, &err), FAL_E_NOT_FOUND);
    CHECK_INT(arrived("path=/emulator/stream/other"), 1);
    fal_request_free(request);
    fal_client_release(client);
}

/* Each kind of event has its documented fields. Fields that only some of fal's sources have may be missing. */
static void a_workflow_tells_its_steps(void)
{
    static const struct {
        const char *input;
        int kinds[5];
        fal_status end;
    } rows[] = {
        {"{\"fail\": true}", {FAL_WORKFLOW_SUBMIT, FAL_WORKFLOW_COMPLETION, FAL_WORKFLOW_SUBMIT, FAL_WORKFLOW_ERROR, 0}, FAL_E_INVALID_INPUT},
        {"{}", {FAL_WORKFLOW_SUBMIT, FAL_WORKFLOW_COMPLETION, FAL_WORKFLOW_SUBMIT, FAL_WORKFLOW_COMPLETION, FAL_WORKFLOW_OUTPUT}, FAL_OK},
        {"{\"declared\": true}", {FAL_WORKFLOW_SUBMIT, FAL_WORKFLOW_COMPLETION, FAL_WORKFLOW_SUBMIT, FAL_WORKFLOW_COMPLETION, FAL_WORKFLOW_OUTPUT}, FAL_OK},
    };
    fal_error *err = NULL;
    fal_client *client = new_client();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fal_op *op = stream(client, input_of("workflows/emulator/demo", rows[i].input));
        size_t told = 0;
        for (fal_event *event = next(op); event; event = next(op)) {
            const fal_response *content = fal_event_content(event);
            const char *text = NULL;
            int64_t status = 0;
            fal_workflow_type kind = fal_event_workflow(event);
            CHECK_INT(kind, told < 5 ? rows[i].kinds[told] : -1);
            told++;
            if (kind != FAL_WORKFLOW_OUTPUT)
                CHECK_OK(fal_response_get_string(content, "/node_id", FAL_NUL, &text, NULL, &err));
            if (kind == FAL_WORKFLOW_SUBMIT)
                CHECK_OK(fal_response_get_string(content, "/request_id", FAL_NUL, &text, NULL, &err));
            if (kind == FAL_WORKFLOW_SUBMIT)
                CHECK_OK(fal_response_get_string(content, "/app_id", FAL_NUL, &text, NULL, &err));
            if (kind == FAL_WORKFLOW_COMPLETION || kind == FAL_WORKFLOW_OUTPUT)
                CHECK(fal_response_has(content, "/output", FAL_NUL));
            if (kind == FAL_WORKFLOW_ERROR) {
                CHECK_OK(fal_response_get_int(content, "/error/status", FAL_NUL, &status, &err));
                CHECK_INT(status, 422);
                CHECK_OK(fal_response_get_string(content, "/error/body/detail", FAL_NUL, &text, NULL, &err));
                CHECK_TEXT(text, "This node fails");
            }
            fal_event_free(event);
        }
        CHECK_INT(told, rows[i].end == FAL_OK ? 5 : 4);
        fal_response *response = NULL;
        CHECK_STATUS(fal_op_take(op, &response, &err), rows[i].end);
        fal_error_free(err);
        err = NULL;
        fal_response_free(response);
        fal_op_release(op);
    }
    /* The items of other streams are not workflow steps, whatever their /type. */
    fal_op *op = stream(client, input_of("emulator/stream", "{\"events\": [{\"n\": 1}, {\"type\": \"submit\"}, {\"type\": \"new\", \"node_id\": \"n\"}]}"));
    for (fal_event *event = next(op); event; event = next(op)) {
        CHECK_INT(fal_event_workflow(event), 0);
        fal_event_free(event);
    }
    fal_op_release(op);
    CHECK_INT(fal_event_workflow(NULL), 0);
    fal_client_release(client);
}

/* A stream whose events are not read waits for its reader. A shutdown ends it nevertheless. */
static void an_unread_stream_ends_when_it_is_told_to(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_op *op = stream(client, input_of("emulator/stream", "{\"ms\": 60000}"));
    CHECK_STATUS(fal_op_wait(op, 0, &err), FAL_PENDING);
    CHECK_OK(fal_shutdown(10000, &err));
    fal_response *response = NULL;
    CHECK_FAILS(fal_op_take(op, &response, &err), FAL_E_SHUT_DOWN);
    fal_op_release(op);
    fal_client_release(client);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(items_come_in_order_and_the_last_is_the_response),
        TEST(pieces_that_are_no_events_are_bytes),
        TEST(a_stream_that_breaks_is_an_error_after_its_items),
        TEST(a_path_replaces_the_usual_one),
        TEST(a_workflow_tells_its_steps),
        TEST(an_unread_stream_ends_when_it_is_told_to),
    };
    return RUN_TESTS(tests, control_reset);
}
