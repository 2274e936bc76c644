/* Errors: what the service refused, the cause, the key in use, and the remedy. */

#include <errno.h>

#include "support.h"

/* Runs a request and returns the error, which must have this status. Frees the request. */
static fal_error *failure_of(const fal_client *client, fal_request *request, fal_status expected)
{
    fal_error *err = NULL;
    fal_response *response = NULL;
    CHECK_STATUS(fal_client_run(client, request, &response, &err), expected);
    CHECK(response == NULL);
    fal_request_free(request);
    return err;
}

static fal_error *send_failure_of(const fal_client *client, const char *method, const char *url, fal_status expected)
{
    fal_error *err = NULL;
    fal_response *response = NULL;
    fal_request *request = http_of(method, url);
    CHECK_STATUS(fal_client_send(client, request, &response, &err), expected);
    CHECK(response == NULL);
    fal_request_free(request);
    return err;
}

static fal_client *client_with(const char *key, uint32_t attempts)
{
    fal_error *err = NULL;
    fal_options *options = fal_options_new();
    if (key)
        CHECK_OK(fal_options_set_key(options, key, FAL_NUL, &err));
    CHECK_OK(fal_options_set_max_attempts(options, attempts, &err));
    return client_of(options);
}

/* Returns a request to emulator/fail with this JSON input. */
static fal_request *fail_with(const char *input)
{
    fal_error *err = NULL;
    fal_request *request = run_of("emulator/fail");
    CHECK_OK(fal_request_set_body_json(request, input, FAL_NUL, &err));
    return request;
}

static void a_key_that_fal_does_not_know(void)
{
    fal_client *client = client_with("fake-id:fake-secret-wrong", 5);
    fal_error *err = failure_of(client, run_of("emulator/echo"), FAL_E_UNAUTHENTICATED);
    CHECK_INT(fal_error_http_status(err), 401);
    CHECK_HAS(fal_error_message(err, NULL), "invalid key credentials");
    CHECK_HAS(fal_error_message(err, NULL), "fake-id");
    CHECK_HAS(fal_error_message(err, NULL), "explicit key");
    CHECK_HAS(fal_error_remedy(err, NULL), "fal.ai/dashboard/keys");
    CHECK_LACKS(fal_error_message(err, NULL), "fake-secret");
    CHECK(!fal_error_may_have_executed(err) && !fal_error_is_retryable(err));
    CHECK(fal_error_request_id(err, NULL) != NULL);
    CHECK_TEXT(fal_credentials_key_id(fal_error_credentials(err), NULL), "fake-id");
    CHECK_TEXT(fal_credentials_source(fal_error_credentials(err), NULL), "explicit key");
    CHECK_HAS(fal_error_describe(err, NULL), fal_error_message(err, NULL));
    CHECK_HAS(fal_error_describe(err, NULL), fal_credentials_table(fal_error_credentials(err), NULL));
    CHECK_LACKS(fal_error_describe(err, NULL), "fake-secret");
    CHECK_INT(arrived("method=POST"), 1);
    fal_error_free(err);
    fal_client_release(client);
}

static void an_api_key_where_admin_is_needed(void)
{
    fal_error *err = NULL;
    fal_client *client = client_with(NULL, 5);
    err = send_failure_of(client, "GET", "/v1/keys", FAL_E_FORBIDDEN);
    char id[64];
    snprintf(id, sizeof id, "%.*s", (int)strcspn(control_variable("FAL_KEY"), ":"), control_variable("FAL_KEY"));
    CHECK_INT(fal_error_http_status(err), 403);
    CHECK_TEXT(fal_error_needed_scope(err, NULL), "ADMIN");
    CHECK_TEXT(fal_error_type(err, NULL), "authorization_error");
    CHECK_HAS(fal_error_message(err, NULL), id);
    CHECK_HAS(fal_error_message(err, NULL), "FAL_KEY");
    CHECK_HAS(fal_error_message(err, NULL), "GET /v1/keys");
    CHECK_HAS(fal_error_message(err, NULL), "ADMIN");
    CHECK_HAS(fal_error_remedy(err, NULL), "ADMIN");
    CHECK_HAS(fal_error_remedy(err, NULL), "fal.ai/dashboard/keys");
    CHECK_LACKS(fal_error_message(err, NULL), secret_of("FAL_KEY"));
    fal_error_free(err);
    fal_client_release(client);

    err = NULL;
    client = client_with(control_variable("FAL_EMULATOR_ADMIN_KEY"), 5);
    fal_request *request = http_of("GET", "/v1/keys");
    fal_response *response = NULL;
    CHECK_OK(fal_client_send(client, request, &response, &err));
    CHECK(fal_response_has(response, "/keys/0/key_id", FAL_NUL));
    fal_response_free(response);
    fal_request_free(request);
    fal_client_release(client);
}

static void a_private_app(void)
{
    fal_client *client = client_with(NULL, 5);
    fal_error *err = failure_of(client, run_of("acme/private"), FAL_E_FORBIDDEN);
    CHECK_HAS(fal_error_message(err, NULL), "acme/private");
    CHECK_HAS(fal_error_message(err, NULL), "fake-api-");
    CHECK_HAS(fal_error_remedy(err, NULL), "private");
    CHECK_HAS(fal_error_remedy(err, NULL), "ADMIN");
    fal_error_free(err);
    fal_client_release(client);
    client = client_with(control_variable("FAL_EMULATOR_ADMIN_KEY"), 5);
    CHECK_INT(outcome_of(client, run_of("acme/private")), FAL_OK);
    fal_client_release(client);
}

static void what_does_not_exist(void)
{
    fal_client *client = client_with(NULL, 5);
    fal_error *err = failure_of(client, run_of("fal-ai/no-such-model"), FAL_E_NOT_FOUND);
    CHECK_INT(fal_error_http_status(err), 404);
    CHECK_HAS(fal_error_message(err, NULL), "fal-ai/no-such-model");
    CHECK(!fal_error_may_have_executed(err));
    fal_error_free(err);
    fal_client_release(client);
}

static void input_that_the_model_refuses(void)
{
    fal_client *client = client_with(NULL, 5);
    fal_error *err = failure_of(client, fail_with("{\"type\": \"image_too_large\", \"image_url\": \"https://x\"}"),
                                FAL_E_INVALID_INPUT);
    CHECK_INT(fal_error_http_status(err), 422);
    CHECK_TEXT(fal_error_type(err, NULL), "image_too_large");
    CHECK_HAS(fal_error_message(err, NULL), "body.image_url: Image too large");
    size_t length = 0;
    const char *body = fal_error_body(err, &length);
    CHECK(body && length > 20 && body[0] == '{' && body[length - 1] == '}');
    CHECK_TEXT(fal_error_header(err, "X-Fal-Retryable", FAL_NUL, &length), "false");
    CHECK_INT(length, 5);
    CHECK(fal_error_header(err, "x-none", FAL_NUL, &length) == NULL);
    CHECK_INT(fal_error_retry_after_ms(err), -1);
    CHECK(fal_error_needed_scope(err, NULL) == NULL);
    CHECK_INT(arrived("method=POST"), 1);
    fal_error_free(err);
    fal_client_release(client);
}

static void too_many_requests_are_sent_again_when_it_is_time(void)
{
    static const char busy[] = "{\"path\": \"/emulator/echo\", \"action\":"
                               " {\"type\": \"status\", \"status\": 429, \"retry_after\": {\"seconds\": 1}}}";
    fault(busy);
    fal_client *client = client_with(NULL, 5);
    int64_t before = now_ms();
    CHECK_INT(outcome_of(client, run_of("emulator/echo")), FAL_OK);
    CHECK(now_ms() - before >= 1000);
    CHECK_INT(arrived("path=/emulator/echo"), 2);
    fal_client_release(client);

    fault(busy);
    client = client_with(NULL, 1);
    fal_error *err = failure_of(client, run_of("emulator/echo"), FAL_E_RATE_LIMITED);
    CHECK_INT(fal_error_retry_after_ms(err), 1000);
    CHECK(fal_error_is_retryable(err) && !fal_error_may_have_executed(err));
    CHECK_INT(arrived("path=/emulator/echo"), 3);
    fal_error_free(err);
    fal_client_release(client);
}

static void failures_of_the_app_and_of_the_platform(void)
{
    static const struct {
        const char *input;
        fal_status status;
        int32_t http;
        bool may_have_executed;
        long arrivals;
    } rows[] = {
        {"{\"status\": 500}", FAL_E_SERVICE_FAILED, 500, false, 1},
        {"{\"type\": \"internal_server_error\"}", FAL_E_SERVICE_FAILED, 500, false, 1},
        {"{\"error_type\": \"runner_disconnected\"}", FAL_E_SERVICE_UNAVAILABLE, 503, true, 1},
        {"{\"error_type\": \"runner_scheduling_failure\"}", FAL_E_SERVICE_UNAVAILABLE, 503, false, 2},
        {"{\"status\": 502, \"html\": true}", FAL_E_SERVICE_UNAVAILABLE, 502, true, 1},
        {"{\"status\": 400}", FAL_E_INVALID_INPUT, 400, false, 1},
    };
    fal_client *client = client_with(NULL, 2);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        control_reset();
        fal_error *err = failure_of(client, fail_with(rows[i].input), rows[i].status);
        CHECK_INT(fal_error_http_status(err), rows[i].http);
        CHECK_INT(fal_error_may_have_executed(err), rows[i].may_have_executed);
        CHECK_INT(arrived("method=POST"), rows[i].arrivals);
        fal_error_free(err);
    }
    fal_client_release(client);
}

static void a_locked_account(void)
{
    static const struct {
        const char *reason, *name, *remedy;
    } rows[] = {
        {"Exhausted balance. Top up your balance at fal.ai/dashboard/billing", "balance", "https://fal.ai/dashboard/billing"},
        {"Please add a payment method at fal.ai/dashboard/billing", "payment_method", "https://fal.ai/dashboard/billing"},
        {"User budget is exceeded. Adjust it at fal.ai/dashboard/billing", "budget", "https://fal.ai/dashboard/billing"},
        {"Admin lock. Please contact hello@fal.ai.", "admin", "support@fal.ai"},
        {"This account has been archived. Please contact support@fal.ai.", "archived", "support@fal.ai"},
        {"Unknown. Please contact hello@fal.ai.", "unknown", "https://fal.ai/dashboard/billing"},
    };
    char *key = control("POST", "keys", "{\"account\": \"poor\"}");
    const char *from = strstr(key, "\"key\":\"");
    char text[160] = "";
    if (CHECK(from != NULL))
        snprintf(text, sizeof text, "%.*s", (int)strcspn(from + 7, "\""), from + 7);
    free(key);
    fal_client *client = client_with(text, 5);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char settings[256];
        snprintf(settings, sizeof settings, "{\"locked_accounts\": {\"poor\": \"%s\"}}", rows[i].reason);
        free(control("PUT", "settings", settings));
        fal_error *err = failure_of(client, run_of("emulator/echo"), FAL_E_ACCOUNT_LOCKED);
        /* The full stop at the end of the reason belongs to the sentence. */
        char reason[128];
        snprintf(reason, sizeof reason, "%.*s", (int)strcspn(rows[i].reason, "."), rows[i].reason);
        CHECK_HAS(fal_error_message(err, NULL), reason);
        CHECK_TEXT(fal_error_lock_reason(err, NULL), rows[i].name);
        CHECK_HAS(fal_error_remedy(err, NULL), rows[i].remedy);
        CHECK(!fal_error_is_retryable(err) && !fal_error_may_have_executed(err));
        fal_error_free(err);
    }
    fal_client_release(client);
    free(control("PUT", "settings", "{}"));
}

static void each_field_is_told(void)
{
    fal_client *client = client_with(NULL, 5);
    fal_error *err = failure_of(client, fail_with("{\"type\": \"image_too_large\", \"image_url\": \"https://x\"}"),
                                FAL_E_INVALID_INPUT);
    size_t length = 0;
    CHECK_INT(fal_error_field_count(err), 1);
    CHECK_TEXT(fal_error_field_path(err, 0, &length), "body.image_url");
    CHECK_INT(length, strlen("body.image_url"));
    CHECK_TEXT(fal_error_field_location(err, 0, NULL), "[\"body\",\"image_url\"]");
    CHECK_TEXT(fal_error_field_message(err, 0, NULL), "Image too large");
    CHECK_TEXT(fal_error_field_type(err, 0, NULL), "image_too_large");
    CHECK_HAS(fal_error_field_url(err, 0, NULL), "#image_too_large");
    CHECK_TEXT(fal_error_field_context(err, 0, NULL), "{\"max_height\":1024,\"max_width\":1024}");
    CHECK_TEXT(fal_error_field_input(err, 0, NULL), "\"https://x\"");
    CHECK_HAS(fal_error_remedy(err, NULL), "max_height 1024");
    CHECK(fal_error_field_path(err, 1, &length) == NULL && length == 0);
    CHECK(fal_error_field_path(err, SIZE_MAX, NULL) == NULL);
    CHECK(fal_error_lock_reason(err, NULL) == NULL);
    char block[1024];
    snprintf(block, sizeof block, "%s\n%s\n  body.image_url: Image too large\nRequest id: %s", fal_error_message(err, NULL),
             fal_error_remedy(err, NULL), fal_error_request_id(err, NULL));
    CHECK_TEXT(fal_error_describe(err, &length), block);
    CHECK_INT(length, strlen(block));
    fal_error_free(err);

    static const char two[] = "{\"status\": 422, \"body\": {\"detail\": [{\"loc\": [\"body\", \"images\", 0, \"url\"], \"msg\": \"bad\"},"
                              " {\"loc\": [\"body\", \"seed\"], \"msg\": \"worse\", \"type\": \"int_parsing\"}]}}";
    err = failure_of(client, fail_with(two), FAL_E_INVALID_INPUT);
    CHECK_INT(fal_error_field_count(err), 2);
    CHECK_TEXT(fal_error_field_path(err, 0, NULL), "body.images.0.url");
    CHECK_TEXT(fal_error_field_location(err, 0, NULL), "[\"body\",\"images\",0,\"url\"]");
    CHECK(fal_error_field_type(err, 0, NULL) == NULL && fal_error_field_context(err, 0, NULL) == NULL);
    CHECK_TEXT(fal_error_field_type(err, 1, NULL), "int_parsing");
    fal_error_free(err);
    fal_client_release(client);
}

static void a_page_that_is_not_fals(void)
{
    /* An app may answer with an HTML page too; the response then has fal's request id. */
    static const struct {
        int status;
        fal_status code;
        const char *header;
    } rows[] = {
        {403, FAL_E_PROTOCOL, "content-type\": \"text/html"},
        {200, FAL_E_PROTOCOL, "content-type\": \"text/html"},
        {302, FAL_E_REDIRECT, "location\": \"http://login.hotel.example/"},
    };
    fal_client *client = client_with(NULL, 1);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char body[320];
        snprintf(body, sizeof body,
                 "{\"path\": \"/emulator/echo\", \"action\": {\"type\": \"status\", \"status\": %d, \"request_id\": false,"
                 " \"headers\": {\"%s\"}, \"body\": \"<html><title>Hotel Wi-Fi</title></html>\"}}",
                 rows[i].status, rows[i].header);
        fault(body);
        fal_error *err = failure_of(client, run_of("emulator/echo"), rows[i].code);
        CHECK_HAS(fal_error_message(err, NULL), "fal.run answered");
        if (rows[i].code == FAL_E_PROTOCOL)
            CHECK_HAS(fal_error_message(err, NULL), "Hotel Wi-Fi");
        CHECK_HAS(fal_error_remedy(err, NULL), "captive portal");
        CHECK(fal_error_may_have_executed(err) == (rows[i].status == 200));
        fal_error_free(err);
    }
    fal_client_release(client);
}

static void every_error_accessor_takes_an_error_without_an_answer(void)
{
    fal_error *err = NULL;
    fal_request *request = NULL;
    CHECK_STATUS(fal_request_new("x", FAL_NUL, &request, &err), FAL_E_INVALID_ARGUMENT);
    size_t length = 9;
    const char *message = fal_error_message(err, &length);
    CHECK(message && strlen(message) == length);
    CHECK_INT(fal_error_http_status(err), 0);
    CHECK(fal_error_type(err, &length) == NULL && length == 0);
    CHECK(fal_error_request_id(err, NULL) == NULL);
    CHECK(fal_error_os_code(err) == 0 && fal_error_path(err, &length) == NULL && length == 0);
    CHECK(fal_error_body(err, &length) == NULL && length == 0);
    CHECK(fal_error_header(err, "date", FAL_NUL, NULL) == NULL);
    CHECK(fal_error_credentials(err) == NULL);
    CHECK(fal_error_field_count(err) == 0 && fal_error_lock_reason(err, &length) == NULL && length == 0);
    CHECK_INT(fal_error_retry_after_ms(err), -1);
    CHECK(!fal_error_is_retryable(err) && !fal_error_may_have_executed(err));
    fal_error_free(err);
}

static void a_refusal_of_the_system_has_its_code_and_its_path(void)
{
    fal_client *client = client_with(NULL, 1);
    fal_request *request = run_of("emulator/echo");
    must(fal_request_set_file(request, "image", FAL_NUL, "/nowhere/a picture.png", FAL_NUL, NULL), NULL, "file");
    fal_error *err = failure_of(client, request, FAL_E_IO);
    CHECK_INT(fal_error_os_code(err), ENOENT);
    size_t length = 0;
    CHECK_TEXT(fal_error_path(err, &length), "/nowhere/a picture.png");
    CHECK_INT(length, strlen("/nowhere/a picture.png"));
    fal_error_free(err);
    fal_client_release(client);
}

static void a_refused_connection_has_its_code(void)
{
    fal_options *options = fal_options_new();
    must(fal_options_set_host(options, FAL_HOST_EMULATOR, "127.0.0.1:1", FAL_NUL, NULL), NULL, "host");
    must(fal_options_set_key(options, "fake-id:fake-secret", FAL_NUL, NULL), NULL, "key");
    must(fal_options_set_max_attempts(options, 1, NULL), NULL, "attempts");
    fal_client *client = client_of(options);
    fal_error *err = failure_of(client, run_of("emulator/echo"), FAL_E_CONNECT);
    CHECK_INT(fal_error_os_code(err), ECONNREFUSED);
    CHECK(fal_error_path(err, NULL) == NULL);
    fal_error_free(err);
    fal_client_release(client);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(a_key_that_fal_does_not_know),
        TEST(a_refusal_of_the_system_has_its_code_and_its_path),
        TEST(a_refused_connection_has_its_code),
        TEST(an_api_key_where_admin_is_needed),
        TEST(a_private_app),
        TEST(what_does_not_exist),
        TEST(input_that_the_model_refuses),
        TEST(too_many_requests_are_sent_again_when_it_is_time),
        TEST(failures_of_the_app_and_of_the_platform),
        TEST(a_locked_account),
        TEST(each_field_is_told),
        TEST(a_page_that_is_not_fals),
        TEST(every_error_accessor_takes_an_error_without_an_answer),
    };
    return RUN_TESTS(tests, control_reset);
}
