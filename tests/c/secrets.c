/* Keys: their sources, their faults, and that no text contains a secret. */

#include <sys/stat.h>

#include "support.h"

/* Contained in every key of this file. No text that the library returns may contain it. */
#define SECRET "fake-secret-XYZZY"

static void clean_environment(void)
{
    static const char *const names[] = {"FAL_KEY_ID", "FAL_KEY_SECRET", "FAL_KEY_FILE", "FAL_KEY_COMMAND", "FAL_PROFILE",
                                        "FAL_CONFIG_PATH", "FAL_HOME_DIR", "FAL_FORCE_AUTH_BY_USER"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
    setenv("FAL_KEY", control_variable("FAL_EMULATOR_API_KEY"), 1);
    control_reset();
}

static void no_secret(const char *text)
{
    if (!text)
        return;
    CHECK_LACKS(text, "XYZZY");
    CHECK_LACKS(text, secret_of("FAL_EMULATOR_API_KEY"));
}

/* Checks every string of a report. */
static void no_secret_in_report(const fal_credentials *credentials)
{
    no_secret(fal_credentials_json(credentials, NULL));
    no_secret(fal_credentials_table(credentials, NULL));
    no_secret(fal_credentials_key_id(credentials, NULL));
    no_secret(fal_credentials_source(credentials, NULL));
    for (size_t i = 0; i < fal_credentials_source_count(credentials); i++) {
        no_secret(fal_credentials_source_name(credentials, i, NULL));
        no_secret(fal_credentials_source_state(credentials, i, NULL));
        no_secret(fal_credentials_source_location(credentials, i, NULL));
        no_secret(fal_credentials_source_key_id(credentials, i, NULL));
        no_secret(fal_credentials_source_notes(credentials, i, NULL));
    }
}

static void no_secret_in_error(const fal_error *err)
{
    size_t length = 0;
    no_secret(fal_error_message(err, NULL));
    no_secret(fal_error_remedy(err, NULL));
    no_secret(fal_error_type(err, NULL));
    const char *body = fal_error_body(err, &length);
    if (body) {
        char *text = calloc(1, length + 1);
        if (text)
            no_secret(memcpy(text, body, length));
        free(text);
    }
    if (fal_error_credentials(err))
        no_secret_in_report(fal_error_credentials(err));
}

static void log_line(fal_log_level level, const char *target, const char *message, size_t len, void *user)
{
    (void)level, (void)target, (void)len;
    no_secret(message);
    (void)__sync_fetch_and_add((int *)user, 1);
}

/* A call with these options must fail before it sends a request, with an error that names the source. Frees the options. */
static void refused(fal_options *options, const char *source, const char *why)
{
    fal_error *err = NULL;
    int lines = 0;
    CHECK_OK(fal_options_set_log(options, FAL_LOG_DEBUG, log_line, NULL, &lines, &err));
    fal_credentials *credentials = NULL;
    CHECK_STATUS(fal_credentials_resolve(options, &credentials, &err), FAL_E_MALFORMED_CREDENTIALS);
    CHECK(credentials == NULL);
    no_secret_in_error(err);
    fal_error_free(err);
    err = NULL;
    fal_client *client = client_of(options);
    fal_request *request = run_of("emulator/echo");
    fal_response *response = NULL;
    CHECK_STATUS(fal_client_run(client, request, &response, &err), FAL_E_MALFORMED_CREDENTIALS);
    CHECK_HAS(fal_error_message(err, NULL), source);
    CHECK_HAS(fal_error_message(err, NULL), why);
    CHECK(strlen(fal_error_remedy(err, NULL)) > 10);
    CHECK_INT(fal_credentials_status(fal_error_credentials(err)), FAL_E_MALFORMED_CREDENTIALS);
    CHECK(!fal_error_may_have_executed(err));
    no_secret_in_error(err);
    fal_error_free(err);
    fal_request_free(request);
    fal_client_release(client);
    CHECK_INT(arrived(""), 0);
    CHECK_OK(fal_log_flush(10000, &err));
}

static void what_is_not_a_key_is_refused_by_name(void)
{
    static const struct {
        const char *key;
        const char *why;
    } rows[] = {
        {"fake-id:" SECRET "\nmore", "line break"},
        {"fake-id:" SECRET "\r\nX-Evil: 1", "line break"},
        {"\"fake-id:" SECRET, "quote"},
        {"fake-id:" SECRET "'", "quote"},
        {SECRET, "half a key"},
        {"fake-id:", "nothing after"},
        {":" SECRET, "nothing before"},
        {"\x1b[31mfake-id:" SECRET, "escape byte"},
        {"fake-id:" SECRET "\x7f", "control character"},
        {"fake id:" SECRET, "white space"},
        {"fake-id:" SECRET "\xc3\xa9", "non-ASCII"},
        {"your-api-key", "placeholder"},
        {"YOUR_FAL_KEY", "placeholder"},
        {"FAL_KEY=fake-id:" SECRET, "FAL_KEY="},
        {"Key fake-id:" SECRET, "Key"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fal_error *err = NULL;
        clean_environment();
        fal_options *options = fal_options_new();
        CHECK_OK(fal_options_set_key(options, rows[i].key, FAL_NUL, &err));
        refused(options, "explicit key", rows[i].why);
        setenv("FAL_KEY", rows[i].key, 1);
        refused(fal_options_new(), "FAL_KEY", rows[i].why);
    }
    fal_error *err = NULL;
    fal_options *options = fal_options_new();
    CHECK_OK(fal_options_set_key(options, "fake-id:" SECRET "\0tail", 30, &err));
    refused(options, "explicit key", "control character");
}

static void one_half_of_a_pair(void)
{
    unsetenv("FAL_KEY");
    setenv("FAL_KEY_SECRET", SECRET, 1);
    refused(fal_options_new(), "FAL_KEY_ID", "half a key");
    clean_environment();
    unsetenv("FAL_KEY");
    setenv("FAL_KEY_ID", "fake-id", 1);
    refused(fal_options_new(), "FAL_KEY_SECRET", "half a key");
}

static void white_space_and_quotes_around_a_key_are_dropped_and_noted(void)
{
    fal_error *err = NULL;
    char padded[256];
    snprintf(padded, sizeof padded, " \"%s\" \r\n", control_variable("FAL_EMULATOR_API_KEY"));
    setenv("FAL_KEY", padded, 1);
    fal_client *client = new_client();
    CHECK_INT(outcome_of(client, run_of("emulator/echo")), FAL_OK);
    fal_credentials *credentials = NULL;
    CHECK_OK(fal_client_explain(client, &credentials, &err));
    CHECK_HAS(fal_credentials_source_notes(credentials, 4, NULL), "white space");
    CHECK_HAS(fal_credentials_source_notes(credentials, 4, NULL), "quotes");
    no_secret_in_report(credentials);
    fal_credentials_free(credentials);
    fal_client_release(client);
}

static void a_report_lists_every_source_in_order(void)
{
    static const char *const names[] = {"explicit key", "explicit token", "explicit profile", "explicit callback", "FAL_KEY",
                                        "FAL_KEY_ID + FAL_KEY_SECRET", "FAL_KEY_FILE", "FAL_KEY_COMMAND", "profile", "keyring",
                                        "login"};
    enum { SOURCES = sizeof names / sizeof *names, VARIABLE = 4, PAIR = 5 };
    fal_error *err = NULL;
    setenv("FAL_KEY", "fake-id-1:" SECRET "-1", 1);
    setenv("FAL_KEY_ID", "fake-id-2", 1);
    setenv("FAL_KEY_SECRET", SECRET "-2", 1);
    fal_credentials *credentials = NULL;
    CHECK_OK(fal_credentials_explain(NULL, &credentials, &err));
    CHECK_INT(fal_credentials_status(credentials), FAL_OK);
    CHECK_TEXT(fal_credentials_source(credentials, NULL), "FAL_KEY");
    size_t length = 0;
    CHECK_TEXT(fal_credentials_key_id(credentials, &length), "fake-id-1");
    CHECK_INT(length, 9);
    CHECK_INT(fal_credentials_source_count(credentials), SOURCES);
    for (size_t i = 0; i < SOURCES; i++)
        CHECK_TEXT(fal_credentials_source_name(credentials, i, NULL), names[i]);
    CHECK_TEXT(fal_credentials_source_state(credentials, 0, NULL), "absent");
    CHECK_TEXT(fal_credentials_source_state(credentials, VARIABLE, NULL), "used");
    CHECK_TEXT(fal_credentials_source_state(credentials, PAIR, NULL), "shadowed");
    CHECK_TEXT(fal_credentials_source_location(credentials, VARIABLE, NULL), "FAL_KEY");
    CHECK(fal_credentials_source_location(credentials, 0, NULL) == NULL);
    CHECK_TEXT(fal_credentials_source_key_id(credentials, PAIR, NULL), "fake-id-2");
    CHECK(fal_credentials_source_key_id(credentials, 0, NULL) == NULL);
    CHECK_HAS(fal_credentials_source_notes(credentials, VARIABLE, NULL), "another key");
    CHECK_HAS(fal_credentials_source_notes(credentials, PAIR, NULL), "another key");
    CHECK(fal_credentials_source_name(credentials, SOURCES, &length) == NULL && length == 0);
    CHECK(fal_credentials_source_state(credentials, SIZE_MAX, NULL) == NULL);
    CHECK_HAS(fal_credentials_json(credentials, NULL), "\"used\":{");
    CHECK_HAS(fal_credentials_table(credentials, NULL), "shadowed");
    no_secret_in_report(credentials);
    fal_credentials_free(credentials);
}

static void without_any_key_every_source_is_told(void)
{
    fal_error *err = NULL;
    unsetenv("FAL_KEY");
    fal_client *client = new_client();
    fal_request *request = run_of("emulator/echo");
    fal_response *response = NULL;
    CHECK_STATUS(fal_client_run(client, request, &response, &err), FAL_E_NO_CREDENTIALS);
    CHECK_HAS(fal_error_remedy(err, NULL), "FAL_KEY");
    CHECK_HAS(fal_error_remedy(err, NULL), "https://fal.ai/dashboard/keys");
    const char *table = fal_credentials_table(fal_error_credentials(err), NULL);
    const char *at = table;
    static const char *const order[] = {"\nexplicit key", "\nexplicit token", "\nexplicit profile", "\nexplicit callback", "\nFAL_KEY ",
                                        "\nFAL_KEY_ID", "\nFAL_KEY_FILE", "\nFAL_KEY_COMMAND", "\nprofile", "\nlogin"};
    for (size_t i = 0; at && i < sizeof order / sizeof *order; i++)
        CHECK((at = strstr(at, order[i])) != NULL);
    CHECK_INT(fal_credentials_status(fal_error_credentials(err)), FAL_E_NO_CREDENTIALS);
    fal_error_free(err);
    err = NULL;
    CHECK_INT(arrived(""), 0);

    setenv("FAL_KEY", control_variable("FAL_EMULATOR_API_KEY"), 1);
    CHECK_OK(fal_client_run(client, request, &response, &err));
    fal_response_free(response);
    fal_request_free(request);
    fal_client_release(client);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    if (file) {
        fputs(text, file);
        fclose(file);
    }
    chmod(path, 0600);
}

static void a_key_file_and_a_profile(void)
{
    fal_error *err = NULL;
    char path[] = "/tmp/fal-test-XXXXXX", config[64], key_file[64], text[512];
    CHECK(mkdtemp(path) != NULL);
    snprintf(config, sizeof config, "%s/config.toml", path);
    snprintf(key_file, sizeof key_file, "%s/key", path);
    snprintf(text, sizeof text, "%s\n", control_variable("FAL_EMULATOR_API_KEY"));
    write_file(key_file, text);
    snprintf(text, sizeof text, "[work]\nkey = \"%s\"\n[broken]\nkey = \"" SECRET "\"\n", control_variable("FAL_EMULATOR_ADMIN_KEY"));
    write_file(config, text);

    unsetenv("FAL_KEY");
    setenv("FAL_KEY_FILE", key_file, 1);
    fal_client *client = new_client();
    CHECK_INT(outcome_of(client, run_of("emulator/echo")), FAL_OK);
    fal_client_release(client);

    fal_options *options = fal_options_new();
    CHECK_OK(fal_options_set_config_path(options, config, FAL_NUL, &err));
    CHECK_OK(fal_options_set_profile(options, "work", FAL_NUL, &err));
    fal_credentials *credentials = NULL;
    CHECK_OK(fal_credentials_resolve(options, &credentials, &err));
    CHECK_TEXT(fal_credentials_source(credentials, NULL), "explicit profile");
    CHECK_HAS(fal_credentials_key_id(credentials, NULL), "fake-admin-");
    CHECK_HAS(fal_credentials_source_location(credentials, 2, NULL), config);
    no_secret_in_report(credentials);
    fal_credentials_free(credentials);
    client = client_of(options);
    CHECK_INT(outcome_of(client, run_of("acme/private")), FAL_OK);
    fal_client_release(client);

    control_reset();
    options = fal_options_new();
    CHECK_OK(fal_options_set_config_path(options, config, FAL_NUL, &err));
    CHECK_OK(fal_options_set_profile(options, "broken", FAL_NUL, &err));
    refused(options, "explicit profile", "half a key");
    unlink(config);
    unlink(key_file);
    rmdir(path);
}

static void a_service_that_repeats_the_key_is_masked(void)
{
    const char *key = control_variable("FAL_EMULATOR_API_KEY");
    char json[512];
    snprintf(json, sizeof json, "{\"path\": \"/emulator/echo\", \"action\": {\"type\": \"status\", \"status\": 400,"
             " \"headers\": {\"x-echo\": \"Key %s\"}, \"body\": {\"detail\": \"you sent %s\"}}}", key, key);
    fault(json);
    fal_error *err = NULL;
    int lines = 0;
    fal_options *options = fal_options_new();
    CHECK_OK(fal_options_set_log(options, FAL_LOG_DEBUG, log_line, NULL, &lines, &err));
    fal_client *client = client_of(options);
    fal_request *request = run_of("emulator/echo");
    fal_response *response = NULL;
    CHECK_STATUS(fal_client_run(client, request, &response, &err), FAL_E_INVALID_INPUT);
    no_secret_in_error(err);
    no_secret(fal_error_header(err, "x-echo", FAL_NUL, NULL));
    CHECK_HAS(fal_error_message(err, NULL), "you sent");
    CHECK_HAS(fal_error_message(err, NULL), "****");
    fal_error_free(err);
    err = NULL;
    CHECK_OK(fal_client_run(client, request, &response, &err));
    fal_response_free(response);
    fal_request_free(request);
    fal_client_release(client);
    CHECK_OK(fal_log_flush(10000, &err));
    CHECK(lines > 3);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(what_is_not_a_key_is_refused_by_name),
        TEST(one_half_of_a_pair),
        TEST(white_space_and_quotes_around_a_key_are_dropped_and_noted),
        TEST(a_report_lists_every_source_in_order),
        TEST(without_any_key_every_source_is_told),
        TEST(a_key_file_and_a_profile),
        TEST(a_service_that_repeats_the_key_is_masked),
    };
    return RUN_TESTS(tests, clean_environment);
}
