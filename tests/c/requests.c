/* Requests: the emulator receives everything that is set, as emulator/echo shows. */

#include <math.h>

#include "support.h"

/* Runs a request and returns the echo. */
static fal_response *echo_of(const fal_client *client, const fal_request *request)
{
    fal_error *err = NULL;
    fal_response *response = NULL;
    CHECK_OK(fal_client_run(client, request, &response, &err));
    fal_error_free(err);
    return response;
}

static const char *json_at(const fal_response *response, const char *pointer)
{
    const char *json = NULL;
    fal_error *err = NULL;
    CHECK_OK(fal_response_get_json(response, pointer, FAL_NUL, &json, NULL, &err));
    fal_error_free(err);
    return json;
}

static void fields_of_every_type(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_request *request = run_of("emulator/echo");
    CHECK_OK(fal_request_set_string(request, "text", FAL_NUL, "gr\xc3\xbc\xc3\x9f \"dich\"\n", FAL_NUL, &err));
    CHECK_OK(fal_request_set_string(request, "with_nul_", 8, "a\0b", 3, &err));
    CHECK_OK(fal_request_set_int(request, "int", FAL_NUL, INT64_MIN, &err));
    CHECK_OK(fal_request_set_double(request, "double", FAL_NUL, 0.25, &err));
    CHECK_OK(fal_request_set_bool(request, "bool", FAL_NUL, true, &err));
    CHECK_OK(fal_request_set_json(request, "json", FAL_NUL, "[1, null, {\"a\": \"b\"}]", FAL_NUL, &err));
    CHECK_OK(fal_request_set_int(request, "/image_size/width", FAL_NUL, 640, &err));
    CHECK_OK(fal_request_set_int(request, "/image_size/height", FAL_NUL, 480, &err));
    CHECK_OK(fal_request_set_string(request, "/a~1b/c~0d", FAL_NUL, "", FAL_NUL, &err));
    fal_response *echo = echo_of(client, request);
    CHECK_TEXT(json_at(echo, "/body/text"), "\"gr\xc3\xbc\xc3\x9f \\\"dich\\\"\\n\"");
    CHECK_TEXT(json_at(echo, "/body/with_nul"), "\"a\\u0000b\"");
    CHECK_TEXT(json_at(echo, "/body/int"), "-9223372036854775808");
    CHECK_TEXT(json_at(echo, "/body/double"), "0.25");
    CHECK_TEXT(json_at(echo, "/body/bool"), "true");
    CHECK_TEXT(json_at(echo, "/body/json"), "[1,null,{\"a\":\"b\"}]");
    CHECK_TEXT(json_at(echo, "/body/image_size/width"), "640");
    CHECK_TEXT(json_at(echo, "/body/image_size/height"), "480");
    CHECK_TEXT(json_at(echo, "/body/a~1b/c~0d"), "\"\"");
    CHECK_TEXT(json_at(echo, "/method"), "\"POST\"");
    CHECK_TEXT(json_at(echo, "/headers/content-type"), "\"application/json\"");
    fal_response_free(echo);

    CHECK_OK(fal_request_set_int(request, "int", FAL_NUL, 7, &err));
    echo = echo_of(client, request);
    CHECK_TEXT(json_at(echo, "/body/int"), "7");
    CHECK_TEXT(json_at(echo, "/body/bool"), "true");
    fal_response_free(echo);
    fal_request_free(request);
    fal_client_release(client);
}

static void strings_of_other_languages(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_request *request = run_of("emulator/echo");
    /* An empty std::string_view. */
    CHECK_OK(fal_request_set_string(request, "empty", FAL_NUL, NULL, 0, &err));
    /* SIZE_MAX, where a language has only doubles or signed numbers. */
    CHECK_OK(fal_request_set_string(request, "double", (size_t)PTRDIFF_MAX + 1, "a", (size_t)PTRDIFF_MAX + 1, &err));
    CHECK_OK(fal_request_set_string(request, "signed", FAL_NUL - 1, "b", FAL_NUL - 1, &err));
    CHECK_FAILS(fal_request_set_string(request, NULL, FAL_NUL - 1, "b", 1, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_request_set_string(request, "text", FAL_NUL, NULL, 1, &err), FAL_E_INVALID_ARGUMENT);
    fal_response *echo = echo_of(client, request);
    CHECK_TEXT(json_at(echo, "/body/empty"), "\"\"");
    CHECK_TEXT(json_at(echo, "/body/double"), "\"a\"");
    CHECK_TEXT(json_at(echo, "/body/signed"), "\"b\"");
    fal_response_free(echo);
    fal_request_free(request);
    fal_client_release(client);
}

static void fields_that_cannot_be_set(void)
{
    fal_error *err = NULL;
    fal_request *request = run_of("emulator/echo");
    CHECK_FAILS(fal_request_set_double(request, "x", FAL_NUL, NAN, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_request_set_double(request, "x", FAL_NUL, INFINITY, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_request_set_json(request, "x", FAL_NUL, "{", FAL_NUL, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_request_set_json(request, "x", FAL_NUL, "1 2", FAL_NUL, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_request_set_json(request, "x", FAL_NUL, "", 0, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_request_set_string(request, "x", FAL_NUL, "\xff", 1, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_request_set_string(request, "\xff", 1, "x", FAL_NUL, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_request_set_string(request, "", 0, "x", FAL_NUL, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_request_set_int(request, "image_size/width", FAL_NUL, 1, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_OK(fal_request_set_string(request, "text", FAL_NUL, "x", FAL_NUL, &err));
    CHECK_FAILS(fal_request_set_int(request, "/text/inside", FAL_NUL, 1, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_OK(fal_request_set_body(request, "x", 1, "text/plain", FAL_NUL, &err));
    CHECK_FAILS(fal_request_set_int(request, "n", FAL_NUL, 1, &err), FAL_E_INVALID_ARGUMENT);
    fal_request_free(request);
}

static void whole_bodies(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_request *request = run_of("emulator/echo");
    CHECK_OK(fal_request_set_body_json(request, "{\"a\": [true]}", FAL_NUL, &err));
    CHECK_OK(fal_request_set_int(request, "b", FAL_NUL, 2, &err));
    fal_response *echo = echo_of(client, request);
    CHECK_TEXT(json_at(echo, "/body"), "{\"a\":[true],\"b\":2}");
    fal_response_free(echo);
    CHECK_FAILS(fal_request_set_body_json(request, "{]", FAL_NUL, &err), FAL_E_INVALID_ARGUMENT);

    unsigned char bytes[256];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)i;
    CHECK_OK(fal_request_set_body(request, bytes, sizeof bytes, "image/png", FAL_NUL, &err));
    memset(bytes, 0, sizeof bytes);
    echo = echo_of(client, request);
    CHECK_HAS(json_at(echo, "/body/base64"), "\"AAECAwQFBgc");
    CHECK_HAS(json_at(echo, "/body/base64"), "+fr7/P3+/w==\"");
    CHECK_TEXT(json_at(echo, "/headers/content-type"), "\"image/png\"");
    CHECK_TEXT(json_at(echo, "/headers/content-length"), "\"256\"");
    fal_response_free(echo);
    CHECK_OK(fal_request_set_body(request, NULL, 0, "text/plain", FAL_NUL, &err));
    echo = echo_of(client, request);
    CHECK_TEXT(json_at(echo, "/body"), "null");
    fal_response_free(echo);
    CHECK_FAILS(fal_request_set_body(request, "x", 1, "text/\nplain", FAL_NUL, &err), FAL_E_INVALID_ARGUMENT);
    fal_request_free(request);
    fal_client_release(client);
}

static void methods_and_headers(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_request *request = run_of("emulator/echo/sub/path");
    CHECK_OK(fal_request_set_method(request, "put", FAL_NUL, &err));
    CHECK_OK(fal_request_set_header(request, "X-Fal-Runner-Hint", FAL_NUL, "there", FAL_NUL, &err));
    fal_response *echo = echo_of(client, request);
    CHECK_TEXT(json_at(echo, "/method"), "\"PUT\"");
    CHECK_TEXT(json_at(echo, "/path"), "\"/emulator/echo/sub/path\"");
    CHECK_TEXT(json_at(echo, "/headers/x-fal-runner-hint"), "\"there\"");
    CHECK_TEXT(json_at(echo, "/headers/host"), "\"fal.run\"");
    CHECK(!fal_response_has(echo, "/headers/authorization", FAL_NUL));
    CHECK_HAS(control_variable("FAL_KEY"), "fake-api-");
    CHECK_HAS(json_at(echo, "/key_id"), "\"fake-api-");
    fal_response_free(echo);
    static const char *const reserved[] = {"Authorization", "host", "Content-Length", "Transfer-Encoding", "Connection",
                                           "Cookie", "Proxy-Authorization", "x-fal-target-url", "", "a b", "a:b"};
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        CHECK_FAILS(fal_request_set_header(request, reserved[i], FAL_NUL, "x", FAL_NUL, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_request_set_header(request, "x-a", FAL_NUL, "a\r\nb: c", FAL_NUL, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_request_set_method(request, "GE T", FAL_NUL, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_request_set_timeout_ms(request, 0, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_OK(fal_request_set_timeout_ms(request, INT64_MIN, &err));
    fal_request_free(request);
    fal_client_release(client);
}

static void endpoints_and_addresses_that_are_none(void)
{
    fal_error *err = NULL;
    fal_request *request = NULL;
    static const char *const endpoints[] = {"", "flux", "a/..", "a//b", "a/b?x=1", "a/b#c", "https://fal.run/a/b", "a/b\n"};
    for (size_t i = 0; i < sizeof endpoints / sizeof *endpoints; i++)
        CHECK_FAILS(fal_request_new(endpoints[i], FAL_NUL, &request, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_request_new("fal-ai/flux/schnell\0x", 21, &request, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_request_new_http("GET", FAL_NUL, "fal.run", FAL_NUL, &request, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_request_new_http("G T", FAL_NUL, "https://fal.run/", FAL_NUL, &request, &err), FAL_E_INVALID_ARGUMENT);
    CHECK(request == NULL);
}

static void a_run_is_not_a_send(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_response *response = NULL;
    fal_request *run = run_of("emulator/echo");
    fal_request *http = http_of("GET", "/v1/models");
    CHECK_FAILS(fal_client_send(client, run, &response, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_client_run(client, http, &response, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_INT(arrived(""), 0);
    CHECK_OK(fal_client_send(client, http, &response, &err));
    CHECK_INT(fal_response_http_status(response), 200);
    CHECK(fal_response_has(response, "/models", FAL_NUL));
    CHECK_INT(arrived("method=GET&host=api.fal.ai&path=/v1/models"), 1);
    fal_response_free(response);
    fal_request_free(run);
    fal_request_free(http);
    fal_client_release(client);
}

static void an_anonymous_client_sends_no_key(void)
{
    fal_error *err = NULL;
    fal_options *options = fal_options_new();
    CHECK_OK(fal_options_set_anonymous(options, true, &err));
    fal_client *client = client_of(options);
    fal_request *request = run_of("acme/public");
    fal_response *echo = echo_of(client, request);
    CHECK_TEXT(json_at(echo, "/key_id"), "null");
    CHECK_INT(arrived_with("path=/acme/public", "\"had_key\":false", 1), 1);
    fal_response_free(echo);
    fal_request_free(request);
    CHECK_INT(outcome_of(client, run_of("emulator/echo")), FAL_E_UNAUTHENTICATED);
    fal_client_release(client);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(fields_of_every_type),      TEST(fields_that_cannot_be_set),
        TEST(strings_of_other_languages),
        TEST(whole_bodies),              TEST(methods_and_headers),
        TEST(endpoints_and_addresses_that_are_none), TEST(a_run_is_not_a_send),
        TEST(an_anonymous_client_sends_no_key),
    };
    return RUN_TESTS(tests, control_reset);
}
