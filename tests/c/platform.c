/* The Platform API: the life of a key from creation to refusal, operations by name, and paged lists. */

#include <unistd.h>

#include "support.h"

static fal_client *client_with(const char *key)
{
    fal_options *options = fal_options_new();
    must(fal_options_set_key(options, key, FAL_NUL, NULL), NULL, "key");
    return client_of(options);
}

static fal_client *admin(void)
{
    return client_with(control_variable("FAL_EMULATOR_ADMIN_KEY"));
}

/* Returns the number of elements of a list. Sets *found to whether an element has this text at the pointer. */
static int read_list(const fal_client *client, const char *name, const char *params, const char *pointer,
                     const char *wanted, bool *found)
{
    fal_op *op = NULL;
    fal_error *err = NULL;
    int count = 0;
    CHECK_OK(fal_client_platform_list_start(client, name, FAL_NUL, params, FAL_NUL, &op, &err));
    for (;;) {
        fal_event *event = NULL;
        if (!CHECK_OK(fal_op_next_event(op, 20000, &event, &err)) || !event)
            break;
        const char *text = NULL;
        CHECK_INT(fal_event_kind(event), FAL_EVENT_ITEM);
        CHECK_OK(fal_response_get_string(fal_event_content(event), pointer, FAL_NUL, &text, NULL, &err));
        *found = *found || strcmp(text, wanted) == 0;
        fal_event_free(event);
        count++;
    }
    fal_response *response = NULL;
    CHECK_OK(fal_op_take(op, &response, &err));
    fal_response_free(response);
    fal_op_release(op);
    return count;
}

static fal_response *call(const fal_client *client, const char *name, const char *params)
{
    fal_error *err = NULL;
    fal_response *response = NULL;
    CHECK_OK(fal_client_platform(client, name, FAL_NUL, params, FAL_NUL, &response, &err));
    return response;
}

static const char *text_of(const fal_response *response)
{
    fal_error *err = NULL;
    const char *text = NULL;
    CHECK_OK(fal_response_get_text(response, &text, NULL, &err));
    return text ? text : "";
}

static void a_key_is_made_used_listed_revoked_and_refused(void)
{
    fal_client *boss = admin();
    fal_error *err = NULL;
    fal_new_key *key = NULL;
    CHECK_OK(fal_client_create_key(boss, "from C", FAL_NUL, &key, &err));
    size_t len = 0;
    const char *id = fal_new_key_id(key, NULL);
    const char *whole = fal_new_key_secret(key, &len);
    CHECK_INT(len, strlen(whole));
    CHECK(strncmp(whole, id, strlen(id)) == 0 && whole[strlen(id)] == ':');

    fal_client *client = client_with(whole);
    CHECK_INT(outcome_of(client, run_of("emulator/echo")), FAL_OK);
    bool found = false;
    CHECK(read_list(boss, "keys.list", "{\"limit\": 1}", "/key_id", id, &found) >= 2);
    CHECK(found);

    fal_response *response = NULL;
    CHECK_OK(fal_client_revoke_key(boss, id, FAL_NUL, false, &response, &err));
    CHECK_INT(fal_response_http_status(response), 204);
    fal_response_free(response);
    CHECK_INT(outcome_of(client, run_of("emulator/echo")), FAL_E_UNAUTHENTICATED);
    found = false;
    read_list(boss, "keys.list", NULL, "/key_id", id, &found);
    CHECK(!found);
    CHECK_TEXT(fal_client_known_scope(boss, NULL), "ADMIN");
    fal_new_key_free(key);
    fal_client_release(client);
    fal_client_release(boss);
}

/* A key is created without blocking, and stored; this program never sees the secret. */
static void a_key_goes_straight_into_a_profile(void)
{
    char folder[] = "/tmp/fal-platform-XXXXXX", path[64], lock[72];
    must(mkdtemp(folder) ? FAL_OK : FAL_E_IO, NULL, "mkdtemp");
    snprintf(path, sizeof path, "%s/config.toml", folder);
    snprintf(lock, sizeof lock, "%s.lock", path);
    fal_client *boss = admin();
    fal_error *err = NULL;
    fal_new_key *key = NULL;
    CHECK_OK(fal_client_create_key_start(boss, "stored", FAL_NUL, &key, &err));
    fal_client_release(boss);
    CHECK_OK(fal_op_wait(fal_new_key_op(key), 20000, &err));
    fal_options *options = fal_options_new();
    CHECK_OK(fal_options_set_config_path(options, path, FAL_NUL, &err));
    CHECK_OK(fal_new_key_store_in_profile(key, options, "ci", FAL_NUL, true, &err));
    CHECK_OK(fal_options_set_profile(options, "ci", FAL_NUL, &err));
    fal_client *client = client_of(options);
    CHECK_INT(outcome_of(client, run_of("emulator/echo")), FAL_OK);
    fal_credentials *credentials = NULL;
    CHECK_OK(fal_client_explain(client, &credentials, &err));
    CHECK_TEXT(fal_credentials_key_id(credentials, NULL), fal_new_key_id(key, NULL));
    fal_credentials_free(credentials);
    fal_client_release(client);

    fal_response *response = NULL;
    CHECK_OK(fal_op_take((fal_op *)fal_new_key_op(key), &response, &err));
    const char *secret = strchr(fal_new_key_secret(key, NULL), ':') + 1;
    CHECK_LACKS(text_of(response), secret);
    fal_response_free(response);
    fal_new_key_free(key);
    CHECK(remove(path) == 0 && remove(lock) == 0 && rmdir(folder) == 0);
}

/* A retained operation holds its own reference, so it remains valid after the object that returned it is freed. */
static void the_operation_outlives_the_key_that_is_made(void)
{
    fal_client *boss = admin();
    fal_error *err = NULL;
    for (int started_only = 0; started_only < 2; started_only++) {
        fal_new_key *key = NULL;
        if (started_only)
            CHECK_OK(fal_client_create_key_start(boss, "outlived", FAL_NUL, &key, &err));
        else
            CHECK_OK(fal_client_create_key(boss, "outlived", FAL_NUL, &key, &err));
        fal_op *op = fal_op_retain(fal_new_key_op(key));
        CHECK(op == fal_new_key_op(key));
        fal_new_key_free(key);
        CHECK_INT(fal_op_wait(op, 20000, &err), FAL_OK);
        CHECK_INT(fal_op_poll(op), FAL_OK);
        fal_op_cancel(op);
        CHECK_INT(fal_op_dropped_events(op), 0);
        fal_op_release(op);
    }
    fal_client_release(boss);
}

static void files_tables_and_texts_come_as_they_are(void)
{
    fal_client *client = new_client(), *boss = admin();
    char path[] = "/tmp/fal-platform-\"-XXXXXX", params[256];
    char content[1000];
    for (size_t i = 0; i < sizeof content; i++)
        content[i] = (char)i;
    int fd = mkstemp(path);
    CHECK(fd >= 0 && write(fd, content, sizeof content) == (ssize_t)sizeof content && close(fd) == 0);
    snprintf(params, sizeof params, "{\"target_path\": \"c/of\", \"file_upload\": {\"path\": \"/tmp/fal-platform-\\\"-%s\"}}",
             path + strlen(path) - 6);
    fal_response *response = call(client, "serverless.files.upload", params);
    CHECK_TEXT(text_of(response), "true");
    fal_response_free(response);
    response = call(client, "serverless.files.download", "{\"file\": \"c/of\"}");
    size_t length = 0;
    const void *body = fal_response_body(response, &length);
    CHECK(length == sizeof content && memcmp(body, content, length) == 0);
    fal_response_free(response);
    CHECK_INT(remove(path), 0);
    bool found = false;
    CHECK_INT(read_list(client, "serverless.files.list_dir", "{\"dir\": \"c\"}", "/name", "of", &found), 1);
    CHECK(found);

    response = call(client, "serverless.metrics", NULL);
    CHECK_HAS(fal_response_header(response, "content-type", FAL_NUL, NULL), "text/plain");
    CHECK_HAS(text_of(response), "fal_app_queue_size{");
    fal_response_free(response);
    response = call(boss, "account.focus", "{\"source\": \"estimate\"}");
    CHECK_HAS(fal_response_header(response, "content-type", FAL_NUL, NULL), "text/csv");
    CHECK_HAS(text_of(response), "BilledCost");
    fal_response_free(response);
    fal_client_release(boss);
    fal_client_release(client);
}

/* The log lines of an app, as events or as elements of a list that has no end. */
static void a_live_log_is_read_line_by_line(void)
{
    static const char params[] = "{\"start\": \"2020-01-01\", \"search\": \"line of platform.c\"}";
    fal_client *client = new_client();
    fal_error *err = NULL;
    fal_op *ops[2] = {NULL, NULL};
    CHECK_OK(fal_client_platform_start(client, "serverless.logs.stream", FAL_NUL, params, FAL_NUL, &ops[0], &err));
    CHECK_OK(fal_client_platform_list_start(client, "serverless.logs.stream", FAL_NUL, params, FAL_NUL, &ops[1], &err));
    fal_request *job = run_of("acme/job");
    CHECK_OK(fal_request_set_json(job, "logs", FAL_NUL, "[\"line of platform.c\", \"another\"]", FAL_NUL, &err));
    CHECK_INT(outcome_of(client, job), FAL_OK);
    for (int i = 0; i < 2; i++) {
        fal_event *event = NULL;
        const char *text = NULL;
        if (CHECK_OK(fal_op_next_event(ops[i], 20000, &event, &err)) && CHECK(event != NULL)) {
            CHECK_INT(fal_event_kind(event), FAL_EVENT_ITEM);
            CHECK_OK(fal_response_get_string(fal_event_content(event), "/message", FAL_NUL, &text, NULL, &err));
            CHECK_TEXT(text, "line of platform.c");
            fal_event_free(event);
        }
        fal_response *response = NULL;
        fal_op_cancel(ops[i]);
        CHECK_OK(fal_op_wait(ops[i], 20000, &err));
        CHECK_FAILS(fal_op_take(ops[i], &response, &err), FAL_E_CANCELLED);
        fal_op_release(ops[i]);
    }
    fal_client_release(client);
}

/* Amounts of money and 64-bit numbers are not rounded, and null differs from a missing value. */
static void numbers_keep_every_digit(void)
{
    fault("{\"path\": \"/v1/account/billing\", \"action\": {\"type\": \"status\", \"status\": 200,"
          "\"headers\": {\"content-type\": \"application/json\"}, \"body\": \"{\\\"username\\\": \\\"acme\\\","
          "\\\"a/b\\\": [{\\\"cost\\\": 0.10000000000000000555}], \\\"big\\\": 9007199254740993,"
          "\\\"huge\\\": 18446744073709551615, \\\"none\\\": null,"
          "\\\"at\\\": \\\"2026-01-01T00:00:00.123456789+05:30\\\"}\"}}");
    fal_client *client = admin();
    fal_error *err = NULL;
    fal_response *response = call(client, "account.billing", NULL);
    const char *text = NULL;
    int64_t number = 0;
    size_t length = 0;
    double cost = 0;
    CHECK_OK(fal_response_get_json(response, "/a~1b/0/cost", FAL_NUL, &text, &length, &err));
    CHECK_TEXT(text, "0.10000000000000000555");
    CHECK_INT(length, 22);
    CHECK_OK(fal_response_get_double(response, "/a~1b/0/cost", FAL_NUL, &cost, &err));
    CHECK(cost == 0.1);
    CHECK_OK(fal_response_get_int(response, "/big", FAL_NUL, &number, &err));
    CHECK(number == 9007199254740993);
    CHECK_FAILS(fal_response_get_int(response, "/huge", FAL_NUL, &number, &err), FAL_E_WRONG_TYPE);
    CHECK_OK(fal_response_get_json(response, "/huge", FAL_NUL, &text, NULL, &err));
    CHECK_TEXT(text, "18446744073709551615");
    CHECK(fal_response_has(response, "/none", FAL_NUL) && !fal_response_has(response, "/other", FAL_NUL));
    CHECK_OK(fal_response_get_json(response, "/none", FAL_NUL, &text, NULL, &err));
    CHECK_TEXT(text, "null");
    CHECK_OK(fal_response_get_string(response, "/at", FAL_NUL, &text, NULL, &err));
    CHECK_TEXT(text, "2026-01-01T00:00:00.123456789+05:30");
    fal_response_free(response);
    fal_client_release(client);
}

static void what_is_not_allowed_is_told(void)
{
    fal_client *client = new_client();
    fal_error *err = NULL;
    fal_response *response = NULL;
    fal_new_key *key = NULL;
    CHECK_STATUS(fal_client_create_key(client, "mine", FAL_NUL, &key, &err), FAL_E_FORBIDDEN);
    CHECK(!key);
    CHECK_TEXT(fal_error_needed_scope(err, NULL), "ADMIN");
    fal_error_free(err);
    err = NULL;
    CHECK_TEXT(fal_client_known_scope(client, NULL), "API");
    fal_client_release(client);

    fal_options *options = fal_options_new();
    CHECK_OK(fal_options_set_strict_scopes(options, true, &err));
    client = client_of(options);
    CHECK_OK(fal_client_check(client, &response, &err));
    fal_response_free(response);
    CHECK_STATUS(fal_client_platform(client, "account.billing", FAL_NUL, NULL, 0, &response, &err), FAL_E_FORBIDDEN);
    CHECK_HAS(fal_error_message(err, NULL), "nothing was sent");
    CHECK_INT(fal_error_http_status(err), 0);
    fal_error_free(err);
    err = NULL;

    CHECK_STATUS(fal_client_platform(client, "keys.list", FAL_NUL, "{\"limit\": 0}", FAL_NUL, &response, &err),
                 FAL_E_INVALID_ARGUMENT);
    CHECK_HAS(fal_error_message(err, NULL), "keys.list: limit must be an integer of at least 1, not 0");
    fal_error_free(err);
    err = NULL;
    CHECK_FAILS(fal_client_platform(client, "keys.list", FAL_NUL, "{", FAL_NUL, &response, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_client_platform(client, "no.such", FAL_NUL, NULL, 0, &response, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_client_platform(client, "keys.create", FAL_NUL, "{\"alias\": \"a\"}", FAL_NUL, &response, &err),
                FAL_E_INVALID_ARGUMENT);
    fal_client_release(client);

    client = admin();
    char own[128];
    snprintf(own, sizeof own, "%s", control_variable("FAL_EMULATOR_ADMIN_KEY"));
    *strchr(own, ':') = 0;
    CHECK_STATUS(fal_client_revoke_key(client, own, FAL_NUL, false, &response, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_HAS(fal_error_remedy(err, NULL), "allow_own");
    fal_error_free(err);
    err = NULL;
    CHECK_FAILS(fal_client_platform(client, "keys.revoke", FAL_NUL, "{\"key_id\": \"fake-id:fake-secret-whole\"}", FAL_NUL,
                                    &response, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_INT(arrived("method=DELETE"), 0);
    /* With allow_own the client revokes its own key. (The Platform API itself revokes no ADMIN key.) */
    CHECK_OK(fal_client_revoke_key(client, own, FAL_NUL, true, &response, &err));
    CHECK_INT(arrived("method=DELETE"), 1);
    fal_response_free(response);
    CHECK_OK(fal_client_platform(client, "account.billing", FAL_NUL, "{\"expand\": \"credits\"}", FAL_NUL, &response, &err));
    const char *currency = NULL;
    CHECK_OK(fal_response_get_string(response, "/credits/currency", FAL_NUL, &currency, NULL, &err));
    CHECK_TEXT(currency, "USD");
    fal_response_free(response);
    fal_client_release(client);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(a_key_is_made_used_listed_revoked_and_refused),
        TEST(a_key_goes_straight_into_a_profile),
        TEST(the_operation_outlives_the_key_that_is_made),
        TEST(files_tables_and_texts_come_as_they_are),
        TEST(a_live_log_is_read_line_by_line),
        TEST(numbers_keep_every_digit),
        TEST(what_is_not_allowed_is_told),
    };
    return RUN_TESTS(tests, control_reset);
}
