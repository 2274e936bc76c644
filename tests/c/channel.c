/* HTTP over WebSocket: many requests on one connection. */

#include "support.h"

static fal_channel *channel_to(const fal_client *client, const char *endpoint, const char *path)
{
    fal_channel *channel = NULL;
    fal_request *request = run_of(endpoint);
    must(fal_request_set_path(request, path, FAL_NUL, NULL), NULL, "path");
    must(fal_channel_new(client, request, &channel, NULL), NULL, "fal_channel_new");
    fal_request_free(request);
    return channel;
}

static void requests_share_a_connection(void)
{
    enum { COUNT = 20 };
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_channel *channel = channel_to(client, "emulator/echo", "");
    fal_op *ops[COUNT];
    fal_request *request = run_of("emulator/echo");
    for (int i = 0; i < COUNT; i++) {
        CHECK_OK(fal_request_set_int(request, "i", FAL_NUL, i, &err));
        CHECK_OK(fal_channel_run_start(channel, request, &ops[i], &err));
    }
    for (int i = 0; i < COUNT; i++) {
        fal_response *response = NULL;
        int64_t echoed = -1;
        CHECK_OK(fal_op_wait(ops[i], 20000, &err));
        CHECK_OK(fal_op_take(ops[i], &response, &err));
        CHECK_OK(fal_response_get_int(response, "/body/i", FAL_NUL, &echoed, &err));
        CHECK_INT(echoed, i);
        fal_response_free(response);
        fal_op_release(ops[i]);
    }
    fal_response *response = NULL;
    CHECK_OK(fal_channel_run(channel, request, &response, &err));
    fal_response_free(response);
    fal_request_free(request);
    /* The handshake, and one POST over the WebSocket for each request. */
    CHECK_INT(arrived("path=/emulator/echo"), COUNT + 1 + 1);
    CHECK_INT(executions("emulator/echo"), COUNT + 1);
    request = run_of("emulator/fail");
    CHECK_FAILS(fal_channel_run(channel, request, &response, &err), FAL_E_INVALID_ARGUMENT);
    fal_request_free(request);
    CHECK(fal_channel_retain(channel) == channel);
    fal_channel_release(channel);
    fal_channel_release(channel);
    fal_client_release(client);
}

static void errors_and_streams_are_as_anywhere_else(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_channel *channel = channel_to(client, "emulator/fail", "");
    fal_request *request = run_of("emulator/fail");
    CHECK_OK(fal_request_set_string(request, "type", FAL_NUL, "image_too_large", FAL_NUL, &err));
    CHECK_OK(fal_request_set_string(request, "image_url", FAL_NUL, "https://x", FAL_NUL, &err));
    fal_response *response = NULL;
    CHECK_STATUS(fal_channel_run(channel, request, &response, &err), FAL_E_INVALID_INPUT);
    CHECK_TEXT(fal_error_type(err, NULL), "image_too_large");
    fal_error_free(err);
    err = NULL;
    fal_request_free(request);
    fal_channel_release(channel);
    channel = channel_to(client, "emulator/stream", "stream");
    request = run_of("emulator/stream");
    fal_op *op = NULL;
    CHECK_OK(fal_channel_run_start(channel, request, &op, &err));
    int items = 0;
    fal_event *event = NULL;
    while (fal_op_next_event(op, 20000, &event, &err) == FAL_OK && event) {
        items += fal_event_kind(event) == FAL_EVENT_ITEM;
        fal_event_free(event);
    }
    CHECK_INT(items, 3);
    CHECK_OK(fal_op_take(op, &response, &err));
    CHECK(fal_response_has(response, "/output", FAL_NUL));
    fal_response_free(response);
    fal_op_release(op);
    fal_request_free(request);
    fal_channel_release(channel);
    fal_client_release(client);
}

/* A channel that was used before a shutdown reconnects afterwards. */
static void a_channel_outlives_a_shutdown(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_channel *channel = channel_to(client, "emulator/echo", "");
    fal_request *request = run_of("emulator/echo");
    for (int i = 0; i < 2; i++) {
        fal_response *response = NULL;
        CHECK_OK(fal_channel_run(channel, request, &response, &err));
        fal_response_free(response);
        CHECK_OK(fal_shutdown(10000, &err));
    }
    fal_request_free(request);
    fal_channel_release(channel);
    fal_client_release(client);
}

/* A connection with a slow app answers pings; a stopped emulator does not. */
static void pings_find_a_side_that_is_gone(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_channel *channel = channel_to(client, "emulator/slow", "");
    CHECK_OK(fal_channel_set_ping_ms(channel, 500, &err));
    fal_response *response = NULL;
    fal_request *request = slow_of(3000);
    CHECK_OK(fal_channel_run(channel, request, &response, &err));
    fal_response_free(response);
    fal_request_free(request);
    request = slow_of(60000);
    fal_op *op = NULL;
    CHECK_OK(fal_channel_run_start(channel, request, &op, &err));
    fal_request_free(request);
    CHECK_INT(arrived("path=/emulator/slow&method=POST&wait_for=2"), 2);
    struct stopped stopped = stop_the_emulator();
    CHECK_INT(fal_op_wait(op, 15000, &err), FAL_OK);
    go_on(stopped);
    CHECK_STATUS(fal_op_take(op, &response, &err), FAL_E_CONNECTION_LOST);
    CHECK(fal_error_may_have_executed(err));
    fal_error_free(err);
    fal_op_release(op);
    fal_channel_release(channel);
    fal_client_release(client);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(requests_share_a_connection),
        TEST(errors_and_streams_are_as_anywhere_else),
        TEST(pings_find_a_side_that_is_gone),
        TEST(a_channel_outlives_a_shutdown),
    };
    return RUN_TESTS(tests, control_reset);
}
