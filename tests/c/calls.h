/* One call of each kind, for tests of what surrounds a call: a small stack, signals, a locale. Each makes and frees all that it
 * needs but the client. */

#ifndef CALLS_H
#define CALLS_H

#include "support.h"
#include "webhook.h"

/* Returns the response of fal_client_run() or one of its kind. */
static fal_response *response_of(__typeof__(fal_client_run) *verb, const fal_client *client, const fal_request *request)
{
    fal_error *err = NULL;
    fal_response *response = NULL;
    CHECK_OK(verb(client, request, &response, &err));
    fal_error_free(err);
    return response;
}

static void call_run(fal_client *client)
{
    fal_error *err = NULL;
    fal_request *request = run_of("emulator/echo");
    const char *json = NULL;
    double half = 0;
    CHECK_OK(fal_request_set_double(request, "half", FAL_NUL, 0.5, &err));
    CHECK_OK(fal_request_set_json(request, "/list/of/numbers", FAL_NUL, "[1.25,-1000.5]", FAL_NUL, &err));
    fal_response *response = response_of(fal_client_run, client, request);
    if (response) {
        CHECK_OK(fal_response_get_double(response, "/body/half", FAL_NUL, &half, &err));
        CHECK(half > 0.49 && half < 0.51);
        CHECK_OK(fal_response_get_json(response, "/body/list/of/numbers", FAL_NUL, &json, NULL, &err));
        CHECK_TEXT(json, "[1.25,-1000.5]");
        CHECK_OK(fal_response_get_json(response, "/body/half", FAL_NUL, &json, NULL, &err));
        CHECK_TEXT(json, "0.5");
    }
    fal_response_free(response);
    fal_request_free(request);
}

static void call_queue(fal_client *client)
{
    fal_error *err = NULL;
    fal_request *request = run_of("emulator/job");
    fal_response_free(response_of(fal_client_subscribe, client, request));
    fal_job *job = NULL;
    fal_response *response = response_of(fal_client_submit, client, request);
    CHECK_OK(fal_job_of_response("emulator/job", FAL_NUL, response, &job, &err));
    fal_response_free(response);
    response = NULL;
    CHECK_OK(fal_client_attach(client, job, &response, &err));
    fal_response_free(response);
    response = NULL;
    CHECK_OK(fal_client_status(client, job, &response, &err));
    fal_response_free(response);
    fal_job_free(job);
    fal_request_free(request);
}

static void call_stream(fal_client *client)
{
    fal_error *err = NULL;
    fal_request *request = run_of("emulator/stream");
    CHECK_OK(fal_request_set_json(request, "events", FAL_NUL, "[{\"n\": 1.5}, {\"n\": 2.5}]", FAL_NUL, &err));
    fal_response_free(response_of(fal_client_stream, client, request));
    fal_request_free(request);
}

static void call_files(fal_client *client)
{
    fal_error *err = NULL;
    fal_response *response = NULL, *fetched = NULL;
    fal_upload *upload = NULL;
    fal_download *download = NULL;
    const char *url = NULL;
    size_t len = 0;
    CHECK_OK(fal_upload_new_bytes("some bytes", 10, NULL, NULL, &upload, &err));
    CHECK_OK(fal_client_upload(client, upload, &response, &err));
    CHECK_OK(fal_response_get_string(response, "/url", FAL_NUL, &url, NULL, &err));
    CHECK_OK(fal_download_new(url, FAL_NUL, &download, &err));
    CHECK_OK(fal_client_download(client, download, &fetched, &err));
    const void *bytes = fal_response_body(fetched, &len);
    CHECK(len == 10 && memcmp(bytes, "some bytes", 10) == 0);
    fal_response_free(fetched);
    fal_response_free(response);
    fal_download_free(download);
    fal_upload_free(upload);
}

/* Reads events up to a message, which is returned. */
static fal_event *message_of(const fal_op *op)
{
    fal_event *event = NULL;
    while (fal_op_next_event(op, 20000, &event, NULL) == FAL_OK && event && fal_event_kind(event) != FAL_EVENT_MESSAGE) {
        fal_event_free(event);
        event = NULL;
    }
    CHECK(event != NULL);
    return event;
}

static void call_sockets(fal_client *client)
{
    fal_error *err = NULL;
    fal_realtime *realtime = NULL;
    fal_websocket *websocket = NULL;
    fal_channel *channel = NULL;
    fal_response *response = NULL;
    fal_request *session = run_of("emulator/realtime"), *plain = run_of("emulator/ws"), *echo = run_of("emulator/echo");
    CHECK_OK(fal_client_realtime_start(client, session, NULL, &realtime, &err));
    CHECK_OK(fal_realtime_send_json(realtime, "{\"n\": 1.5}", FAL_NUL, &err));
    fal_event_free(message_of(fal_realtime_op(realtime)));
    fal_realtime_release(realtime);
    CHECK_OK(fal_client_websocket_start(client, plain, NULL, &websocket, &err));
    CHECK_OK(fal_websocket_send_text(websocket, "a", FAL_NUL, &err));
    fal_event_free(message_of(fal_websocket_op(websocket)));
    fal_websocket_release(websocket);
    CHECK_OK(fal_channel_new(client, echo, &channel, &err));
    CHECK_OK(fal_channel_run(channel, echo, &response, &err));
    fal_response_free(response);
    fal_channel_release(channel);
    fal_request_free(session);
    fal_request_free(plain);
    fal_request_free(echo);
}

static void call_platform(fal_client *client)
{
    fal_error *err = NULL;
    fal_response *response = NULL;
    CHECK_OK(fal_client_platform(client, "models.pricing", FAL_NUL, "{\"endpoint_id\": [\"fal-ai/flux/schnell\"]}", FAL_NUL,
                                 &response, &err));
    double price = 0;
    CHECK_OK(fal_response_get_double(response, "/prices/0/unit_price", FAL_NUL, &price, &err));
    CHECK(price > 0);
    fal_response_free(response);
}

/* Stores a key in a file, uses it, and removes it. */
static void call_credentials(fal_client *client)
{
    (void)client;
    char folder[] = "/tmp/fal-calls-XXXXXX", path[64], lock[72];
    if (!mkdtemp(folder))
        control_die(folder);
    snprintf(path, sizeof path, "%s/config.toml", folder);
    snprintf(lock, sizeof lock, "%s.lock", path);
    fal_error *err = NULL;
    fal_options *options = fal_options_new();
    fal_credentials *report = NULL;
    fal_profiles *profiles = NULL;
    CHECK_OK(fal_options_set_config_path(options, path, FAL_NUL, &err));
    CHECK_OK(fal_profiles_store_key(options, "calls", FAL_NUL, "fake-id:fake-secret-of-calls", FAL_NUL, true, &err));
    CHECK_OK(fal_profiles_list(options, &profiles, &err));
    CHECK_INT(fal_profiles_count(profiles), 1);
    CHECK_OK(fal_credentials_explain(options, &report, &err));
    CHECK(fal_credentials_table(report, NULL) && fal_credentials_json(report, NULL));
    CHECK_OK(fal_profiles_remove_key(options, "calls", FAL_NUL, &err));
    fal_credentials_free(report);
    fal_profiles_free(profiles);
    fal_options_free(options);
    CHECK(remove(path) == 0 && remove(lock) == 0 && rmdir(folder) == 0);
}

/* A command that prints the key is a process of its own, which is waited for. */
static void call_command(fal_client *client)
{
    (void)client;
    char command[512], key[256];
    snprintf(command, sizeof command, "echo %s", control_variable("FAL_KEY"));
    snprintf(key, sizeof key, "%s", control_variable("FAL_KEY"));
    unsetenv("FAL_KEY");
    setenv("FAL_KEY_COMMAND", command, 1);
    fal_client *commanded = client_of(fal_options_new());
    CHECK_INT(outcome_of(commanded, run_of("emulator/echo")), FAL_OK);
    unsetenv("FAL_KEY_COMMAND");
    setenv("FAL_KEY", key, 1);
    fal_client_release(commanded);
}

static void call_webhook(fal_client *client)
{
    fal_error *err = NULL;
    fal_response *verified = NULL;
    fal_webhook *webhook = webhook_of(WEBHOOK_SIGNATURE), *forged = webhook_forged();
    CHECK_OK(fal_webhook_verify(webhook, JWKS, WEBHOOK_TIME, &verified, &err));
    CHECK_OK(fal_webhook_outcome(verified, &err));
    fal_response_free(verified);
    verified = NULL;
    CHECK_FAILS(fal_client_verify_webhook(client, forged, &verified, &err), FAL_E_WEBHOOK_INVALID);
    fal_webhook_free(webhook);
    fal_webhook_free(forged);
}

static void call_and_fail(fal_client *client)
{
    fal_error *err = NULL;
    fal_response *response = NULL;
    fal_request *request = run_of("emulator/fail");
    CHECK_OK(fal_request_set_string(request, "type", FAL_NUL, "image_too_large", FAL_NUL, &err));
    CHECK_STATUS(fal_client_run(client, request, &response, &err), FAL_E_INVALID_INPUT);
    CHECK(strlen(fal_error_message(err, NULL)) > 0 && strlen(fal_error_remedy(err, NULL)) > 0);
    CHECK(fal_error_field_count(err) > 0 && fal_error_field_context(err, 0, NULL) && fal_error_body(err, NULL));
    fal_error_free(err);
    fal_request_free(request);
}

static const struct call {
    const char *name;
    void (*make)(fal_client *client);
} calls[] = {
    {"run", call_run},           {"queue", call_queue},     {"stream", call_stream},   {"files", call_files},
    {"sockets", call_sockets},   {"platform", call_platform}, {"webhook", call_webhook}, {"credentials", call_credentials},
    {"command", call_command},   {"error", call_and_fail},
};

enum { CALLS = sizeof calls / sizeof *calls };

#endif
