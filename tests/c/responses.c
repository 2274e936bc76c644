/* Responses: values of every type, missing values, headers, and an unmodified picture from the CDN. */

#include "support.h"

/* Returns the response of emulator/echo to a body. */
static fal_response *answer_to(const char *body)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_request *request = run_of("emulator/echo");
    fal_response *response = NULL;
    CHECK_OK(fal_request_set_body_json(request, body, FAL_NUL, &err));
    CHECK_OK(fal_client_run(client, request, &response, &err));
    fal_request_free(request);
    fal_client_release(client);
    return response;
}

static void values_of_every_type(void)
{
    fal_error *err = NULL;
    fal_response *response = answer_to("{\"s\": \"a\\u0000b\", \"i\": -7, \"big\": 18446744073709551615, \"d\": 0.5,"
                                       " \"t\": true, \"f\": false, \"n\": null, \"l\": [1, 2, 3], \"o\": {\"x\": 1}}");
    const char *text = NULL;
    size_t length = 0;
    CHECK_OK(fal_response_get_string(response, "/body/s", FAL_NUL, &text, &length, &err));
    CHECK_INT(length, 3);
    CHECK(text && memcmp(text, "a\0b", 4) == 0);
    CHECK_OK(fal_response_get_string(response, "/body/s/rest", 7, &text, NULL, &err));
    int64_t number = 0;
    CHECK_OK(fal_response_get_int(response, "/body/i", FAL_NUL, &number, &err));
    CHECK_INT(number, -7);
    double real = 0;
    CHECK_OK(fal_response_get_double(response, "/body/d", FAL_NUL, &real, &err));
    CHECK(real == 0.5);
    CHECK_OK(fal_response_get_double(response, "/body/i", FAL_NUL, &real, &err));
    CHECK(real == -7.0);
    bool truth = false;
    CHECK_OK(fal_response_get_bool(response, "/body/t", FAL_NUL, &truth, &err));
    CHECK(truth);
    CHECK_OK(fal_response_get_bool(response, "/body/f", FAL_NUL, &truth, &err));
    CHECK(!truth);
    size_t count = 0;
    CHECK_OK(fal_response_get_count(response, "/body/l", FAL_NUL, &count, &err));
    CHECK_INT(count, 3);
    CHECK_OK(fal_response_get_count(response, "/body/o", FAL_NUL, &count, &err));
    CHECK_INT(count, 1);
    CHECK_OK(fal_response_get_json(response, "/body/o", FAL_NUL, &text, &length, &err));
    CHECK_TEXT(text, "{\"x\":1}");
    CHECK_INT(length, 7);
    CHECK_OK(fal_response_get_int(response, "/body/l/2", FAL_NUL, &number, &err));
    CHECK_INT(number, 3);
    CHECK(fal_response_has(response, "/body/n", FAL_NUL));
    CHECK(fal_response_has(response, "", FAL_NUL));
    CHECK(!fal_response_has(response, "/body/none", FAL_NUL));
    CHECK(!fal_response_has(response, "body", FAL_NUL));
    fal_response_free(response);
}

static void values_that_are_not_there_or_of_another_type(void)
{
    fal_error *err = NULL;
    fal_response *response = answer_to("{\"s\": \"x\", \"big\": 18446744073709551615, \"d\": 0.5, \"n\": null, \"l\": [1]}");
    const char *text = "old";
    size_t length = 9;
    CHECK_FAILS(fal_response_get_string(response, "/body/none", FAL_NUL, &text, &length, &err), FAL_E_WRONG_TYPE);
    CHECK(text == NULL);
    CHECK_INT(length, 0);
    CHECK_FAILS(fal_response_get_string(response, "/body/d", FAL_NUL, &text, NULL, &err), FAL_E_WRONG_TYPE);
    CHECK_FAILS(fal_response_get_string(response, "/body/n", FAL_NUL, &text, NULL, &err), FAL_E_WRONG_TYPE);
    int64_t number = 5;
    CHECK_FAILS(fal_response_get_int(response, "/body/s", FAL_NUL, &number, &err), FAL_E_WRONG_TYPE);
    CHECK_INT(number, 0);
    CHECK_FAILS(fal_response_get_int(response, "/body/d", FAL_NUL, &number, &err), FAL_E_WRONG_TYPE);
    CHECK_FAILS(fal_response_get_int(response, "/body/big", FAL_NUL, &number, &err), FAL_E_WRONG_TYPE);
    double real = 5;
    CHECK_FAILS(fal_response_get_double(response, "/body/s", FAL_NUL, &real, &err), FAL_E_WRONG_TYPE);
    bool truth = true;
    CHECK_FAILS(fal_response_get_bool(response, "/body/n", FAL_NUL, &truth, &err), FAL_E_WRONG_TYPE);
    CHECK(!truth);
    size_t count = 5;
    CHECK_FAILS(fal_response_get_count(response, "/body/s", FAL_NUL, &count, &err), FAL_E_WRONG_TYPE);
    CHECK_INT(count, 0);
    CHECK_FAILS(fal_response_get_json(response, "/body/l/1", FAL_NUL, &text, NULL, &err), FAL_E_WRONG_TYPE);
    CHECK_FAILS(fal_response_get_json(response, "/body/l/-", FAL_NUL, &text, NULL, &err), FAL_E_WRONG_TYPE);
    CHECK_STATUS(fal_response_get_json(response, "body/s", FAL_NUL, &text, NULL, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_HAS(fal_error_message(err, NULL), "JSON Pointer");
    fal_error_free(err);
    err = NULL;
    CHECK_FAILS(fal_response_get_json(response, "\xff", 1, &text, NULL, &err), FAL_E_INVALID_ARGUMENT);
    fal_response_free(response);
}

static void the_head_and_the_raw_body(void)
{
    fal_error *err = NULL;
    fal_response *response = answer_to("{}");
    size_t length = 0;
    const char *id = fal_response_request_id(response, &length);
    CHECK(id && strlen(id) == length && length == 36);
    char *seen = arrivals("path=/emulator/echo");
    CHECK_HAS(seen, id);
    free(seen);
    CHECK_TEXT(fal_response_header(response, "X-FAL-Request-ID", FAL_NUL, NULL), id);
    CHECK_TEXT(fal_response_header(response, "content-type", FAL_NUL, &length), "application/json");
    CHECK_INT(length, 16);
    CHECK(fal_response_header(response, "x-none", FAL_NUL, &length) == NULL);
    CHECK_INT(length, 0);
    CHECK_INT(fal_response_http_status(response), 200);
    const char *text = NULL;
    CHECK_OK(fal_response_get_text(response, &text, &length, &err));
    size_t bytes = 0;
    const void *body = fal_response_body(response, &bytes);
    CHECK(body && text && bytes == length && memcmp(body, text, length) == 0 && strlen(text) == length);
    CHECK_HAS(text, "\"method\":\"POST\"");
    fal_response_free(response);
}

static void a_body_that_is_not_text(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_request *request = run_of("emulator/bytes");
    fal_response *response = NULL;
    CHECK_OK(fal_request_set_int(request, "size", FAL_NUL, 100000, &err));
    CHECK_OK(fal_client_run(client, request, &response, &err));
    size_t length = 0;
    CHECK(fal_response_body(response, &length) != NULL);
    CHECK_INT(length, 100000);
    const char *text = NULL;
    CHECK_FAILS(fal_response_get_text(response, &text, NULL, &err), FAL_E_WRONG_TYPE);
    CHECK_FAILS(fal_response_get_string(response, "/x", FAL_NUL, &text, NULL, &err), FAL_E_WRONG_TYPE);
    CHECK(!fal_response_has(response, "", FAL_NUL));
    fal_response_free(response);

    CHECK_OK(fal_request_set_int(request, "size", FAL_NUL, 0, &err));
    CHECK_OK(fal_client_run(client, request, &response, &err));
    CHECK(fal_response_body(response, &length) == NULL);
    CHECK_INT(length, 0);
    fal_response_free(response);
    fal_request_free(request);
    fal_client_release(client);
}

static uint32_t big_endian(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void a_picture_from_prompt_to_pixels(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_request *request = run_of("fal-ai/flux/schnell");
    fal_response *response = NULL;
    CHECK_OK(fal_request_set_string(request, "prompt", FAL_NUL, "a lighthouse", FAL_NUL, &err));
    CHECK_OK(fal_request_set_int(request, "/image_size/width", FAL_NUL, 320, &err));
    CHECK_OK(fal_request_set_int(request, "/image_size/height", FAL_NUL, 192, &err));
    CHECK_OK(fal_client_run(client, request, &response, &err));
    const char *url = NULL;
    int64_t width = 0;
    CHECK_OK(fal_response_get_string(response, "/images/0/url", FAL_NUL, &url, NULL, &err));
    CHECK_OK(fal_response_get_int(response, "/images/0/width", FAL_NUL, &width, &err));
    CHECK_INT(width, 320);
    CHECK(url && strncmp(url, "https://v3b.fal.media/", 22) == 0);

    fal_request *download = http_of("GET", url);
    fal_response *file = NULL;
    CHECK_OK(fal_client_send(client, download, &file, &err));
    CHECK_TEXT(fal_response_header(file, "content-type", FAL_NUL, NULL), "image/png");
    size_t length = 0;
    const unsigned char *png = fal_response_body(file, &length);
    if (CHECK(png && length > 33)) {
        CHECK(memcmp(png, "\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16) == 0);
        CHECK_INT(big_endian(png + 16), 320);
        CHECK_INT(big_endian(png + 20), 192);
        CHECK(memcmp(png + length - 8, "IEND\xae\x42\x60\x82", 8) == 0);
    }
    CHECK_INT(arrived_with("host=v3b.fal.media", "\"had_key\":false", 1), 1);
    fal_response_free(file);
    fal_request_free(download);
    fal_response_free(response);
    fal_request_free(request);
    fal_client_release(client);
}

static void *read_it(void *user)
{
    const fal_response *response = user;
    fal_error *err = NULL;
    for (int i = 0; i < 200; i++) {
        const char *text = NULL;
        CHECK_OK(fal_response_get_string(response, "/body/s", FAL_NUL, &text, NULL, &err));
        CHECK_TEXT(text, "shared");
    }
    return NULL;
}

static void several_threads_read_one_response(void)
{
    fal_response *response = answer_to("{\"s\": \"shared\"}");
    pthread_t threads[8];
    for (int i = 0; i < 8; i++)
        pthread_create(&threads[i], NULL, read_it, response);
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    fal_response_free(response);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(values_of_every_type),      TEST(values_that_are_not_there_or_of_another_type),
        TEST(the_head_and_the_raw_body), TEST(a_body_that_is_not_text),
        TEST(a_picture_from_prompt_to_pixels), TEST(several_threads_read_one_response),
    };
    return RUN_TESTS(tests, control_reset);
}
