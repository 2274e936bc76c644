/* Realtime sessions and WebSockets. */

#include "support.h"

/* Returns the next event, or NULL at the end. */
static fal_event *next(const fal_op *op)
{
    fal_event *event = NULL;
    must(fal_op_next_event(op, 20000, &event, NULL), NULL, "fal_op_next_event");
    return event;
}

/* Returns the next message. Skips other events. */
static fal_event *message(const fal_op *op)
{
    fal_event *event = next(op);
    while (event && fal_event_kind(event) != FAL_EVENT_MESSAGE) {
        fal_event_free(event);
        event = next(op);
    }
    return event;
}

/* Skips events up to the connection state of this name. Returns false if it does not come. */
static bool reaches(const fal_op *op, const char *wanted)
{
    bool found = false;
    for (fal_event *event; !found && (event = next(op)) != NULL; fal_event_free(event)) {
        const char *state = NULL;
        if (fal_event_kind(event) == FAL_EVENT_CONNECTION)
            must(fal_response_get_string(fal_event_content(event), "/state", FAL_NUL, &state, NULL, NULL), NULL, "state");
        found = state && strcmp(state, wanted) == 0;
    }
    return found;
}

static fal_realtime *session(const fal_client *client, const fal_socket_options *options)
{
    fal_realtime *realtime = NULL;
    fal_error *err = NULL;
    fal_request *request = run_of("emulator/realtime");
    must(fal_client_realtime_start(client, request, options, &realtime, &err), err, "fal_client_realtime_start");
    fal_request_free(request);
    return realtime;
}

static void fields_and_bytes_go_both_ways(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_realtime *realtime = session(client, NULL);
    const fal_op *op = fal_realtime_op(realtime);
    fal_request *input = run_of("emulator/realtime");
    CHECK_OK(fal_request_set_string(input, "prompt", FAL_NUL, "a cat", FAL_NUL, &err));
    CHECK_OK(fal_request_set_bytes(input, "/image/data", FAL_NUL, "\0\1\377", 3, &err));
    CHECK_OK(fal_request_set_int(input, "seed", FAL_NUL, INT64_MIN, &err));
    CHECK_OK(fal_realtime_send(realtime, input, &err));
    fal_request_free(input);
    fal_event *event = message(op);
    const void *data = NULL;
    size_t len = 0;
    int64_t seed = 0;
    const char *text = NULL;
    CHECK_OK(fal_event_get_bytes(event, "/image/data", FAL_NUL, &data, &len, &err));
    CHECK(len == 3 && memcmp(data, "\0\1\377", 3) == 0);
    CHECK_OK(fal_response_get_int(fal_event_content(event), "/seed", FAL_NUL, &seed, &err));
    CHECK_INT(seed, INT64_MIN);
    CHECK_OK(fal_response_get_string(fal_event_content(event), "/image/data/$bytes", FAL_NUL, &text, NULL, &err));
    CHECK_TEXT(text, "AAH/");
    CHECK_FAILS(fal_event_get_bytes(event, "/prompt", FAL_NUL, &data, &len, &err), FAL_E_WRONG_TYPE);
    fal_event_free(event);
    CHECK_OK(fal_realtime_send_json(realtime, "{\"n\": [1, null]}", FAL_NUL, &err));
    event = message(op);
    CHECK(fal_response_has(fal_event_content(event), "/n/1", FAL_NUL));
    fal_event_free(event);
    CHECK_FAILS(fal_realtime_send_json(realtime, "{", FAL_NUL, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_realtime_send_json(realtime, "{\"$bytes\": 1}", FAL_NUL, &err), FAL_E_INVALID_ARGUMENT);
    fal_realtime_close(realtime);
    CHECK_OK(fal_op_wait(op, 20000, &err));
    fal_response *response = NULL;
    CHECK_OK(fal_op_take(op, &response, &err));
    CHECK_OK(fal_response_get_string(response, "/ended", FAL_NUL, &text, NULL, &err));
    CHECK_TEXT(text, "closed");
    fal_response_free(response);
    CHECK_FAILS(fal_realtime_send_json(realtime, "{}", FAL_NUL, &err), FAL_E_CLOSED);
    fal_realtime_release(realtime);
    fal_client_release(client);
}

static void a_broken_connection_is_told_and_made_anew(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_realtime *realtime = session(client, NULL);
    const fal_op *op = fal_realtime_op(realtime);
    CHECK(reaches(op, "connected"));
    CHECK_OK(fal_realtime_send_json(realtime, "{\"emulator\": {\"outputs\": 0, \"drop\": true}}", FAL_NUL, &err));
    CHECK(reaches(op, "lost"));
    CHECK(reaches(op, "connected"));
    CHECK_OK(fal_realtime_send_json(realtime, "{\"n\": 2}", FAL_NUL, &err));
    fal_event_free(message(op));
    CHECK_OK(fal_realtime_send_json(realtime, "{\"emulator\": {\"error\": \"INTERNAL_ERROR\"}}", FAL_NUL, &err));
    CHECK_OK(fal_op_wait(op, 20000, &err));
    fal_response *response = NULL;
    CHECK_STATUS(fal_op_take(op, &response, &err), FAL_E_SERVICE_FAILED);
    CHECK_TEXT(fal_error_type(err, NULL), "INTERNAL_ERROR");
    fal_error_free(err);
    fal_realtime_release(realtime);
    fal_client_release(client);
}

static void options_have_ranges_and_a_queue_fills(void)
{
    fal_error *err = NULL;
    fal_socket_options *options = fal_socket_options_new();
    CHECK_FAILS(fal_socket_options_set_max_buffering(options, 0, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_socket_options_set_max_buffering(options, 61, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_OK(fal_socket_options_set_max_buffering(options, 60, &err));
    CHECK_FAILS(fal_socket_options_set_token_seconds(options, 0, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_OK(fal_socket_options_set_token_seconds(options, 60, &err));
    CHECK_FAILS(fal_socket_options_set_queue(options, 0, FAL_WHEN_FULL_REFUSE, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_socket_options_set_queue(options, 1, 9, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_OK(fal_socket_options_set_queue(options, 1, FAL_WHEN_FULL_REFUSE, &err));
    CHECK_OK(fal_socket_options_set_ping_ms(options, 500, &err));
    CHECK_OK(fal_socket_options_set_max_message_bytes(options, 1000, &err));
    CHECK_OK(fal_socket_options_set_use_header(options, true, &err));
    fault("{\"path\": \"/emulator/realtime/*\", \"delay_ms\": 1000, \"action\": {\"type\": \"none\"}}");
    fal_client *client = new_client();
    fal_realtime *realtime = session(client, options);
    CHECK_OK(fal_realtime_send_json(realtime, "{}", FAL_NUL, &err));
    CHECK_FAILS(fal_realtime_send_json(realtime, "{}", FAL_NUL, &err), FAL_E_QUEUE_FULL);
    fal_event_free(message(fal_realtime_op(realtime)));
    CHECK_OK(fal_realtime_send_json(realtime, "{\"emulator\": {\"bytes\": 5000}}", FAL_NUL, &err));
    fal_response *response = NULL;
    CHECK_OK(fal_op_wait(fal_realtime_op(realtime), 20000, &err));
    CHECK_FAILS(fal_op_take(fal_realtime_op(realtime), &response, &err), FAL_E_TOO_LARGE);
    fal_socket_options_free(options);
    fal_realtime_release(realtime);
    fal_client_release(client);
}

static void a_session_outlives_its_handle_until_it_is_closed(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_realtime *realtime = session(client, NULL);
    fal_op *op = fal_op_retain(fal_realtime_op(realtime));
    CHECK_OK(fal_realtime_send_json(realtime, "{\"n\": 1}", FAL_NUL, &err));
    CHECK(fal_realtime_retain(realtime) == realtime);
    fal_realtime_release(realtime);
    CHECK_INT(fal_op_poll(op), FAL_PENDING);
    fal_realtime_release(realtime);
    CHECK_OK(fal_op_wait(op, 20000, &err));
    fal_response *response = NULL;
    CHECK_OK(fal_op_take(op, &response, &err));
    int64_t sent = 0;
    CHECK_OK(fal_response_get_int(response, "/sent", FAL_NUL, &sent, &err));
    CHECK_INT(sent, 1);
    fal_response_free(response);
    fal_op_release(op);
    fal_client_release(client);
}

static void a_websocket_keeps_text_and_bytes_apart(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_request *request = run_of("emulator/ws");
    fal_websocket *websocket = NULL;
    CHECK_OK(fal_client_websocket_start(client, request, NULL, &websocket, &err));
    fal_request_free(request);
    const fal_op *op = fal_websocket_op(websocket);
    CHECK_OK(fal_websocket_send_text(websocket, "some text", FAL_NUL, &err));
    CHECK_OK(fal_websocket_send_bytes(websocket, "\0\1", 2, &err));
    fal_event *text = message(op);
    fal_event *bytes = message(op);
    const void *data = NULL;
    size_t len = 0;
    CHECK(!fal_event_is_bytes(text) && fal_event_is_bytes(bytes));
    CHECK_OK(fal_event_get_bytes(text, "", FAL_NUL, &data, &len, &err));
    CHECK(len == 9 && memcmp(data, "some text", 9) == 0);
    CHECK_OK(fal_event_get_bytes(bytes, "", FAL_NUL, &data, &len, &err));
    CHECK(len == 2 && memcmp(data, "\0\1", 2) == 0);
    fal_event_free(text);
    fal_event_free(bytes);
    CHECK(fal_websocket_retain(websocket) == websocket);
    fal_websocket_release(websocket);
    fal_websocket_close(websocket);
    CHECK_OK(fal_op_wait(op, 20000, &err));
    CHECK_FAILS(fal_websocket_send_text(websocket, "x", 1, &err), FAL_E_CLOSED);
    fal_websocket_release(websocket);
    fal_client_release(client);
}

/* The event callback receives messages like any other event, and the event of the shutdown. */
static int calls, messages;

static void on_event(fal_op *op, void *user)
{
    fal_event *event = NULL;
    calls += user == &calls;
    while (fal_op_next_event(op, 0, &event, NULL) == FAL_OK && event) {
        messages += fal_event_kind(event) == FAL_EVENT_MESSAGE;
        fal_event_free(event);
    }
}

static void a_dispatcher_tells_of_messages_and_a_shutdown_ends_the_session(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_realtime *realtime = session(client, NULL);
    fal_op *op = fal_op_retain(fal_realtime_op(realtime));
    fal_dispatcher *dispatcher = fal_dispatcher_new();
    CHECK_OK(fal_op_when_event(op, dispatcher, on_event, NULL, &calls, &err));
    CHECK_OK(fal_realtime_send_json(realtime, "{\"emulator\": {\"outputs\": 3000}}", FAL_NUL, &err));
    for (int64_t end = now_ms() + 20000; messages < 3000 && now_ms() < end; sleep_ms(1))
        (void)fal_dispatcher_run(dispatcher, 100, -1, NULL, &err);
    CHECK_INT(messages, 3000);
    CHECK(calls > 0);
    CHECK_OK(fal_shutdown(10000, &err));
    fal_response *response = NULL;
    CHECK_FAILS(fal_op_take(op, &response, &err), FAL_E_SHUT_DOWN);
    CHECK_FAILS(fal_realtime_send_json(realtime, "{}", FAL_NUL, &err), FAL_E_CLOSED);
    fal_op_release(op);
    fal_realtime_release(realtime);
    fal_dispatcher_release(dispatcher);
    fal_client_release(client);
}

/* Returns the sum of /count over all "dropped" events up to the operation's end. */
static int64_t told_of(const fal_op *op)
{
    int64_t sum = 0;
    for (fal_event *event; (event = next(op)) != NULL; fal_event_free(event)) {
        int64_t count = 0;
        const fal_response *content = fal_event_content(event);
        if (fal_event_kind(event) == FAL_EVENT_CONNECTION && fal_response_has(content, "/count", FAL_NUL))
            must(fal_response_get_int(content, "/count", FAL_NUL, &count, NULL), NULL, "/count");
        sum += count;
    }
    return sum;
}

/* However a session ends, the host can read how many inputs were never sent. */
static void inputs_that_never_leave_are_counted(void)
{
    static const fal_status ends[] = {FAL_E_CANCELLED, FAL_E_DEADLINE, FAL_E_SHUT_DOWN, FAL_OK};
    fal_error *err = NULL;
    fal_client *client = new_client();
    for (int i = 0; i < 4; i++) {
        if (ends[i] != FAL_OK)
            fault("{\"path\": \"/emulator/realtime/*\", \"delay_ms\": 60000, \"action\": {\"type\": \"none\"}}");
        fal_request *request = run_of("emulator/realtime");
        CHECK_OK(fal_request_set_timeout_ms(request, ends[i] == FAL_E_DEADLINE ? 700 : 20000, &err));
        fal_realtime *realtime = NULL;
        CHECK_OK(fal_client_realtime_start(client, request, NULL, &realtime, &err));
        fal_request_free(request);
        for (int n = 0; n < 3; n++)
            CHECK_OK(fal_realtime_send_json(realtime, "{\"n\": 1}", FAL_NUL, &err));
        const fal_op *op = fal_realtime_op(realtime);
        if (ends[i] == FAL_OK)
            fal_realtime_close(realtime);
        else
            CHECK_INT((int64_t)fal_realtime_unsent(realtime), 3);
        if (ends[i] == FAL_E_CANCELLED)
            fal_op_cancel(op);
        if (ends[i] == FAL_E_SHUT_DOWN)
            CHECK_OK(fal_shutdown(10000, &err));
        CHECK_INT(told_of(op), ends[i] == FAL_OK ? 0 : 3);
        CHECK_INT((int64_t)fal_realtime_unsent(realtime), ends[i] == FAL_OK ? 0 : 3);
        fal_response *response = NULL;
        CHECK_INT(fal_op_take(op, &response, NULL), ends[i]);
        fal_response_free(response);
        fal_realtime_release(realtime);
        control_reset();
    }
    fault("{\"path\": \"/emulator/ws\", \"delay_ms\": 60000, \"action\": {\"type\": \"none\"}}");
    fal_request *request = run_of("emulator/ws");
    fal_websocket *websocket = NULL;
    CHECK_OK(fal_client_websocket_start(client, request, NULL, &websocket, &err));
    fal_request_free(request);
    CHECK_OK(fal_websocket_send_text(websocket, "a", FAL_NUL, &err));
    fal_op_cancel(fal_websocket_op(websocket));
    CHECK_INT(told_of(fal_websocket_op(websocket)), 1);
    CHECK_INT((int64_t)fal_websocket_unsent(websocket), 1);
    fal_websocket_release(websocket);
    fal_client_release(client);
}

/* A stopped emulator answers no ping, so the connection counts as lost. */
static void pings_find_a_side_that_is_gone(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_socket_options *options = fal_socket_options_new();
    CHECK_OK(fal_socket_options_set_ping_ms(options, 500, &err));
    fal_request *request = run_of("emulator/ws");
    fal_websocket *websocket = NULL;
    CHECK_OK(fal_client_websocket_start(client, request, options, &websocket, &err));
    fal_request_free(request);
    fal_socket_options_free(options);
    CHECK(reaches(fal_websocket_op(websocket), "connected"));
    sleep_ms(3000);
    CHECK_INT(fal_op_poll(fal_websocket_op(websocket)), FAL_PENDING);
    struct stopped stopped = stop_the_emulator();
    CHECK_INT(fal_op_wait(fal_websocket_op(websocket), 15000, &err), FAL_OK);
    go_on(stopped);
    fal_response *response = NULL;
    CHECK_FAILS(fal_op_take(fal_websocket_op(websocket), &response, &err), FAL_E_CONNECTION_LOST);
    fal_websocket_release(websocket);
    fal_client_release(client);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(fields_and_bytes_go_both_ways),
        TEST(a_broken_connection_is_told_and_made_anew),
        TEST(options_have_ranges_and_a_queue_fills),
        TEST(a_session_outlives_its_handle_until_it_is_closed),
        TEST(a_websocket_keeps_text_and_bytes_apart),
        TEST(inputs_that_never_leave_are_counted),
        TEST(pings_find_a_side_that_is_gone),
        TEST(a_dispatcher_tells_of_messages_and_a_shutdown_ends_the_session),
    };
    return RUN_TESTS(tests, control_reset);
}
