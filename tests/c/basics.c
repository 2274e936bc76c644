/* Version, names and options: functions that work before any request is sent. */

#include "support.h"

static void the_library_is_the_one_of_the_header(void)
{
    CHECK_INT(fal_abi_version(), FAL_ABI_VERSION);
    CHECK_TEXT(fal_version(), EXPECTED_VERSION);
}

static void every_status_has_a_name_and_a_meaning(void)
{
    static const struct {
        fal_status status;
        const char *name;
    } rows[] = {
#define ROW(status) {status, #status}
        ROW(FAL_OK), ROW(FAL_PENDING), ROW(FAL_E_INVALID_ARGUMENT), ROW(FAL_E_NO_CREDENTIALS),
        ROW(FAL_E_MALFORMED_CREDENTIALS), ROW(FAL_E_UNAUTHENTICATED), ROW(FAL_E_FORBIDDEN), ROW(FAL_E_ACCOUNT_LOCKED),
        ROW(FAL_E_NOT_FOUND), ROW(FAL_E_INVALID_INPUT), ROW(FAL_E_RATE_LIMITED), ROW(FAL_E_SERVICE_FAILED),
        ROW(FAL_E_SERVICE_UNAVAILABLE), ROW(FAL_E_CONNECT), ROW(FAL_E_CONNECTION_LOST), ROW(FAL_E_DEADLINE),
        ROW(FAL_E_CANCELLED), ROW(FAL_E_REDIRECT), ROW(FAL_E_FOREIGN_ORIGIN), ROW(FAL_E_PROTOCOL), ROW(FAL_E_TOO_LARGE),
        ROW(FAL_E_WRONG_TYPE), ROW(FAL_E_WOULD_DEADLOCK), ROW(FAL_E_FORKED), ROW(FAL_E_SHUT_DOWN), ROW(FAL_E_PANIC),
        ROW(FAL_E_TAKEN), ROW(FAL_E_IO), ROW(FAL_E_CREDENTIALS_FAILED), ROW(FAL_E_WEBHOOK_INVALID),
        ROW(FAL_E_QUEUE_FULL), ROW(FAL_E_CLOSED),
        ROW(FAL_E_NOT_READY),
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK_TEXT(fal_status_name(rows[i].status), rows[i].name);
        const char *meaning = fal_status_meaning(rows[i].status);
        CHECK(meaning && strlen(meaning) > 5);
    }
    CHECK_TEXT(fal_status_name(-9999), "FAL_E_UNKNOWN");
    CHECK(fal_status_meaning(-9999) == NULL);
    CHECK(fal_status_meaning(-9998) == NULL);
}

static void options_refuse_what_makes_no_sense(void)
{
    fal_options *options = fal_options_new();
    fal_error *err = NULL;
    CHECK_FAILS(fal_options_set_timeout_ms(options, 0, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_OK(fal_options_set_timeout_ms(options, 1, &err));
    CHECK_FAILS(fal_options_set_max_attempts(options, 0, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_options_set_max_attempts(options, 101, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_OK(fal_options_set_max_attempts(options, 100, &err));
    CHECK_FAILS(fal_options_set_user_agent(options, "a\r\nb: c", FAL_NUL, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_OK(fal_options_set_user_agent(options, "MyGame/1.2", FAL_NUL, &err));
    CHECK_FAILS(fal_options_set_log(options, 0, NULL, NULL, NULL, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_options_set_log(options, 5, NULL, NULL, NULL, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_OK(fal_options_set_log(options, FAL_LOG_DEBUG, NULL, NULL, NULL, &err));
    CHECK_FAILS(fal_options_set_profile(options, "\xff\xfe", FAL_NUL, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_options_set_key(options, "\xff", 1, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_options_set_config_path(options, "\xc3", 1, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_OK(fal_options_set_max_response_bytes(options, 0, &err));
    CHECK_OK(fal_options_set_anonymous(options, true, &err));
    fal_options_free(options);
}

static void a_host_is_a_name_and_a_port(void)
{
    fal_options *options = fal_options_new();
    fal_error *err = NULL;
    static const char *const hosts[] = {"https://fal.run", "fal.run/x", "user@fal.run", "a b", "", "fal.run:99999", "a\nb"};
    for (fal_host role = FAL_HOST_RUN; role <= FAL_HOST_EMULATOR; role++)
        for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
            CHECK_FAILS(fal_options_set_host(options, role, hosts[i], FAL_NUL, &err), FAL_E_INVALID_ARGUMENT);
    static const char *const away[] = {"10.0.0.1:80", "example.com:80", "127.0.0.1", "0.0.0.0:80"};
    for (size_t i = 0; i < sizeof away / sizeof *away; i++)
        CHECK_FAILS(fal_options_set_host(options, FAL_HOST_EMULATOR, away[i], FAL_NUL, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_options_set_host(options, (fal_host)-1, "fal.run", FAL_NUL, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_options_set_host(options, 6, "fal.run", FAL_NUL, &err), FAL_E_INVALID_ARGUMENT);
    for (fal_host role = FAL_HOST_RUN; role <= FAL_HOST_CDN; role++)
        CHECK_OK(fal_options_set_host(options, role, "gateway.example:8443,", 20, &err));
    fal_options_free(options);
}

static void a_malformed_host_variable_is_named(void)
{
    fal_client *client = NULL;
    fal_error *err = NULL;
    setenv("FAL_RUN_HOST", "https://fal.run/", 1);
    CHECK_STATUS(fal_client_new(NULL, &client, &err), FAL_E_INVALID_ARGUMENT);
    CHECK(client == NULL);
    CHECK_HAS(fal_error_message(err, NULL), "FAL_RUN_HOST");
    fal_error_free(err);
    unsetenv("FAL_RUN_HOST");
}

static void an_error_may_go_unread(void)
{
    fal_options *options = fal_options_new();
    CHECK_INT(fal_options_set_timeout_ms(options, 0, NULL), FAL_E_INVALID_ARGUMENT);
    fal_options_free(options);
}

static void a_failed_option_changes_nothing(void)
{
    fal_options *options = fal_options_new();
    fal_error *err = NULL;
    CHECK_FAILS(fal_options_set_host(options, FAL_HOST_EMULATOR, "example.com:1", FAL_NUL, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_options_set_user_agent(options, "a\nb", FAL_NUL, &err), FAL_E_INVALID_ARGUMENT);
    fal_client *client = client_of(options);
    CHECK_INT(outcome_of(client, run_of("emulator/echo")), FAL_OK);
    fal_client_release(client);
}

static void options_and_requests_may_be_freed_at_once(void)
{
    fal_options *options = fal_options_new();
    fal_error *err = NULL;
    char product[] = "Freed/1";
    CHECK_OK(fal_options_set_user_agent(options, product, FAL_NUL, &err));
    memset(product, 'x', sizeof product - 1);
    fal_client *client = client_of(options);
    fal_op *op = start(client, run_of("emulator/echo"));
    fal_client_release(client);
    CHECK_OK(fal_op_wait(op, 10000, &err));
    fal_response *response = NULL;
    CHECK_OK(fal_op_take(op, &response, &err));
    const char *agent = NULL;
    CHECK_OK(fal_response_get_string(response, "/headers/user-agent", FAL_NUL, &agent, NULL, &err));
    CHECK_HAS(agent, "libfal/");
    CHECK_HAS(agent, "Freed/1");
    fal_response_free(response);
    fal_op_release(op);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(the_library_is_the_one_of_the_header),
        TEST(every_status_has_a_name_and_a_meaning),
        TEST(options_refuse_what_makes_no_sense),
        TEST(a_host_is_a_name_and_a_port),
        TEST(a_malformed_host_variable_is_named),
        TEST(an_error_may_go_unread),
        TEST(a_failed_option_changes_nothing),
        TEST(options_and_requests_may_be_freed_at_once),
    };
    return RUN_TESTS(tests, control_reset);
}
