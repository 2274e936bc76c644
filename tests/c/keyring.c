/* The system keyring in C, on the bus that tests/keyring/bus starts. The library must be built with the feature `keyring`.
 *
 * `keyring bare` runs the tests that need a bus without a keyring. `keyring store|remove|id ACCOUNT` is one step for a test in
 * another language. */

#include <sys/un.h>

#include "support.h"

static const char *bus = "";

static void clean_environment(void)
{
    static const char *const names[] = {"FAL_KEY", "FAL_KEYRING", "FAL_PROFILE", "XDG_RUNTIME_DIR"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
    setenv("DBUS_SESSION_BUS_ADDRESS", bus, 1);
    control_reset();
}

static fal_options *with_keyring(bool keyring)
{
    fal_options *options = fal_options_new();
    must(fal_options_set_keyring(options, keyring, NULL), NULL, "fal_options_set_keyring");
    return options;
}

static fal_status store(const char *account, const char *variable)
{
    return fal_keyring_store_key(account, FAL_NUL, control_variable(variable), FAL_NUL, NULL);
}

static void no_secret(const char *text)
{
    CHECK(text != NULL);
    if (text)
        CHECK_LACKS(text, "fake-secret");
}

/* Checks the keyring's state, location and key id in the client's report. */
static void reported(const fal_client *client, const char *state, const char *location, const char *note)
{
    fal_error *err = NULL;
    fal_credentials *credentials = NULL;
    CHECK_OK(fal_client_explain(client, &credentials, &err));
    bool seen = false;
    for (size_t i = 0; i < fal_credentials_source_count(credentials); i++) {
        if (strcmp(fal_credentials_source_name(credentials, i, NULL), "keyring") != 0)
            continue;
        seen = true;
        CHECK_TEXT(fal_credentials_source_state(credentials, i, NULL), state);
        CHECK_TEXT(fal_credentials_source_location(credentials, i, NULL), location);
        CHECK_HAS(fal_credentials_source_notes(credentials, i, NULL), note);
    }
    CHECK(seen);
    no_secret(fal_credentials_json(credentials, NULL));
    no_secret(fal_credentials_table(credentials, NULL));
    fal_credentials_free(credentials);
}

/* Checks that a call of this client fails with an error that contains this text. */
static void fails(fal_client *client, fal_status expected, const char *why)
{
    fal_error *err = NULL;
    fal_request *request = run_of("emulator/echo");
    fal_response *response = NULL;
    CHECK_STATUS(fal_client_run(client, request, &response, &err), expected);
    CHECK(response == NULL);
    if (err) {
        const fal_credentials *credentials = fal_error_credentials(err);
        const char *table = credentials ? fal_credentials_table(credentials, NULL) : "";
        CHECK(strstr(fal_error_message(err, NULL), why) || strstr(table, why));
        no_secret(fal_error_message(err, NULL));
        no_secret(table);
    }
    CHECK_INT(arrived("path=/emulator/echo"), 0);
    fal_error_free(err);
    fal_request_free(request);
    fal_client_release(client);
}

static void a_stored_key_is_found_explained_and_removed(void)
{
    CHECK_INT(store("default", "FAL_EMULATOR_ADMIN_KEY"), FAL_OK);
    /* Replaces the key that is there. */
    CHECK_INT(store("default", "FAL_EMULATOR_API_KEY"), FAL_OK);
    fal_client *client = client_of(with_keyring(true));
    reported(client, "used", "fal.ai, default", "read when a key is needed");
    fal_error *err = NULL;
    fal_request *request = run_of("emulator/echo");
    fal_response *response = NULL;
    CHECK_OK(fal_client_run(client, request, &response, &err));
    const char *id = NULL;
    size_t length = 0;
    CHECK_OK(fal_response_get_string(response, "/key_id", FAL_NUL, &id, &length, &err));
    CHECK_HAS(id, "fake-api-");
    fal_response_free(response);
    fal_request_free(request);
    fal_client_release(client);

    CHECK_OK(fal_keyring_remove_key("default", FAL_NUL, &err));
    CHECK_OK(fal_keyring_remove_key("default", FAL_NUL, &err));
    control_reset();
    fails(client_of(with_keyring(true)), FAL_E_NO_CREDENTIALS, "the keyring holds no key there");
}

/* The library stores the new key itself, and this program never sees the secret. */
static void a_new_key_goes_straight_into_it(void)
{
    fal_options *options = fal_options_new();
    CHECK_INT(fal_options_set_key(options, control_variable("FAL_EMULATOR_ADMIN_KEY"), FAL_NUL, NULL), FAL_OK);
    fal_client *client = client_of(options);
    fal_error *err = NULL;
    fal_new_key *key = NULL;
    CHECK_OK(fal_client_create_key(client, "for the keyring", FAL_NUL, &key, &err));
    CHECK_OK(fal_new_key_store_in_keyring(key, "default", FAL_NUL, &err));
    fal_client_release(client);

    client = client_of(with_keyring(true));
    fal_request *request = run_of("emulator/echo");
    fal_response *response = NULL;
    CHECK_OK(fal_client_run(client, request, &response, &err));
    const char *id = NULL;
    CHECK_OK(fal_response_get_string(response, "/key_id", FAL_NUL, &id, NULL, &err));
    CHECK_TEXT(id, fal_new_key_id(key, NULL));
    fal_response_free(response);
    fal_request_free(request);
    fal_client_release(client);
    fal_new_key_free(key);
    CHECK_OK(fal_keyring_remove_key("default", FAL_NUL, &err));
}

static void it_is_read_only_when_asked_for(void)
{
    CHECK_INT(store("default", "FAL_EMULATOR_API_KEY"), FAL_OK);
    fails(client_of(fal_options_new()), FAL_E_NO_CREDENTIALS, "read only with FAL_KEYRING=1");
    setenv("FAL_KEYRING", "1", 1);
    fails(client_of(with_keyring(false)), FAL_E_NO_CREDENTIALS, "keyring");
    fal_client *client = client_of(fal_options_new());
    CHECK_INT(outcome_of(client, run_of("emulator/echo")), FAL_OK);
    fal_client_release(client);
    CHECK_INT(fal_keyring_remove_key("default", FAL_NUL, NULL), FAL_OK);
}

static void a_machine_without_a_session_is_not_probed(void)
{
    unsetenv("DBUS_SESSION_BUS_ADDRESS");
    fails(client_of(with_keyring(true)), FAL_E_CREDENTIALS_FAILED, "headless: no session bus");
    fal_error *err = NULL;
    CHECK_STATUS(fal_keyring_store_key("default", FAL_NUL, "fake-id:fake-secret-1", FAL_NUL, &err), FAL_E_IO);
    CHECK_HAS(fal_error_message(err, NULL), "headless: no session bus");
    no_secret(fal_error_message(err, NULL));
    fal_error_free(err);
}

/* Returns a socket that listens but never accepts, so that a connection stays in its queue. */
static int listening(const char *path)
{
    struct sockaddr_un address;
    memset(&address, 0, sizeof address);
    address.sun_family = AF_UNIX;
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 8) == 0);
    return fd;
}

static bool contacted(int listener)
{
    int fd = accept(listener, NULL, NULL);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static void a_bus_that_does_not_answer_is_asked_late_and_given_up(void)
{
    char folder[] = "/tmp/fal-bus-XXXXXX", path[64], address[96];
    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/socket", folder);
    snprintf(address, sizeof address, "unix:path=%s", path);
    int listener = listening(path);
    setenv("DBUS_SESSION_BUS_ADDRESS", address, 1);
    fal_options *options = with_keyring(true);
    CHECK_INT(fal_options_set_timeout_ms(options, 1000, NULL), FAL_OK);
    fal_client *client = client_of(options);
    reported(client, "used", "fal.ai, default", "read when a key is needed");
    CHECK(!contacted(listener));
    int64_t begun = now_ms();
    fails(client, FAL_E_DEADLINE, "");
    CHECK(now_ms() - begun < 20000);
    CHECK(contacted(listener));
    /* A search that no call waits for does not delay the shutdown. */
    begun = now_ms();
    CHECK_INT(fal_shutdown(20000, NULL), FAL_OK);
    CHECK(now_ms() - begun < 20000);
    close(listener);
    unlink(path);
    rmdir(folder);
}

static void what_is_no_key_is_not_stored(void)
{
    fal_error *err = NULL;
    CHECK_STATUS(fal_keyring_store_key("default", FAL_NUL, "fake-secret-half", FAL_NUL, &err), FAL_E_MALFORMED_CREDENTIALS);
    no_secret(fal_error_message(err, NULL));
    fal_error_free(err);
}

static void a_bus_without_a_keyring_is_told(void)
{
    fails(client_of(with_keyring(true)), FAL_E_CREDENTIALS_FAILED, "no keyring runs in this session");
    fal_error *err = NULL;
    CHECK_STATUS(fal_keyring_store_key("default", FAL_NUL, "fake-id:fake-secret-1", FAL_NUL, &err), FAL_E_IO);
    CHECK_HAS(fal_error_message(err, NULL), "no keyring runs in this session");
    fal_error_free(err);
    err = NULL;
    CHECK_FAILS(fal_keyring_remove_key("default", FAL_NUL, &err), FAL_E_IO);
}

/* `id` prints the id of the key that is stored for this account. */
static int step(const char *what, const char *account)
{
    if (strcmp(what, "store") == 0)
        return store(account, "FAL_EMULATOR_API_KEY") == FAL_OK ? 0 : 1;
    if (strcmp(what, "remove") == 0)
        return fal_keyring_remove_key(account, FAL_NUL, NULL) == FAL_OK ? 0 : 1;
    fal_options *options = with_keyring(true);
    if (strcmp(account, "default") != 0)
        must(fal_options_set_profile(options, account, FAL_NUL, NULL), NULL, "fal_options_set_profile");
    fal_client *client = client_of(options);
    fal_request *request = run_of("emulator/echo");
    fal_response *response = NULL;
    const char *id = NULL;
    size_t length = 0;
    bool good = fal_client_run(client, request, &response, NULL) == FAL_OK
        && fal_response_get_string(response, "/key_id", FAL_NUL, &id, &length, NULL) == FAL_OK;
    puts(good ? id : "none");
    fal_response_free(response);
    fal_request_free(request);
    fal_client_release(client);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(a_stored_key_is_found_explained_and_removed),
        TEST(a_new_key_goes_straight_into_it),
        TEST(it_is_read_only_when_asked_for),
        TEST(a_machine_without_a_session_is_not_probed),
        TEST(a_bus_that_does_not_answer_is_asked_late_and_given_up),
        TEST(what_is_no_key_is_not_stored),
    };
    static const struct test bare[] = {TEST(a_bus_without_a_keyring_is_told)};
    bus = control_variable("DBUS_SESSION_BUS_ADDRESS");
    if (argc == 3) {
        unsetenv("FAL_KEY");
        return step(argv[1], argv[2]);
    }
    if (argc == 2 && strcmp(argv[1], "bare") == 0) {
        argc = 1;
        return RUN_TESTS(bare, clean_environment);
    }
    return RUN_TESTS(tests, clean_environment);
}
