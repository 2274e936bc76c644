/* Keys in the configuration file: a plug-in's settings page stores, lists and removes them. */

#include <sys/stat.h>
#include <unistd.h>

#include "support.h"

static char folder[] = "/tmp/fal-store-XXXXXX";
static char path[64];

static fal_options *options_of_file(void)
{
    fal_options *options = fal_options_new();
    must(fal_options_set_config_path(options, path, FAL_NUL, NULL), NULL, "config path");
    return options;
}

static void write_file(const char *text)
{
    FILE *file = fopen(path, "wb");
    must(file ? FAL_OK : FAL_E_IO, NULL, "fopen");
    fputs(text, file);
    fclose(file);
}

static const char *file_text(void)
{
    static char text[4096];
    FILE *file = fopen(path, "rb");
    size_t size = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file)
        fclose(file);
    text[size] = 0;
    return text;
}

static void store(fal_options *options, const char *profile, const char *key, bool activate)
{
    fal_error *err = NULL;
    CHECK_OK(fal_profiles_store_key(options, profile, FAL_NUL, key, FAL_NUL, activate, &err));
}

static void what_is_stored_is_found(void)
{
    write_file("# mine\r\n[other]\r\nhost = 'h.example'\r\n");
    fal_options *options = options_of_file();
    fal_error *err = NULL;
    store(options, "team", "fake-id:fake-secret-1", true);
    CHECK_TEXT(file_text(), "# mine\r\n[other]\r\nhost = 'h.example'\r\n\r\n[team]\r\nkey = \"fake-id:fake-secret-1\"\r\n"
                            "\r\n[__internal__]\r\nprofile = \"team\"\r\n");
    struct stat status;
    CHECK(stat(path, &status) == 0 && (status.st_mode & 0777) == 0600);

    CHECK_OK(fal_options_set_profile(options, "team", FAL_NUL, &err));
    fal_credentials *credentials = NULL;
    CHECK_OK(fal_credentials_resolve(options, &credentials, &err));
    CHECK_TEXT(fal_credentials_key_id(credentials, NULL), "fake-id");
    fal_credentials_free(credentials);

    CHECK_OK(fal_profiles_remove_key(options, "team", FAL_NUL, &err));
    CHECK_TEXT(file_text(), "# mine\r\n[other]\r\nhost = 'h.example'\r\n\r\n[__internal__]\r\n");
    fal_options_free(options);
}

static void profiles_are_listed(void)
{
    write_file("[half]\nkey = 'fake-secret-2'\n[other]\nhost = 'h.example'\n");
    fal_options *options = options_of_file();
    fal_error *err = NULL;
    store(options, "team", "fake-id:fake-secret-1", false);
    CHECK_OK(fal_profiles_set_active(options, "half", FAL_NUL, &err));
    fal_profiles *profiles = NULL;
    CHECK_OK(fal_profiles_list(options, &profiles, &err));
    CHECK_INT(fal_profiles_count(profiles), 3);
    size_t len = 0;
    CHECK_TEXT(fal_profiles_name(profiles, 0, &len), "half");
    CHECK_INT(len, 4);
    CHECK_TEXT(fal_profiles_key_id(profiles, 0, NULL), NULL);
    CHECK_HAS(fal_profiles_problem(profiles, 0, NULL), "half a key");
    CHECK_LACKS(fal_profiles_problem(profiles, 0, NULL), "fake-secret");
    CHECK(fal_profiles_is_active(profiles, 0));
    CHECK_TEXT(fal_profiles_host(profiles, 1, NULL), "h.example");
    CHECK_TEXT(fal_profiles_problem(profiles, 1, NULL), NULL);
    CHECK_TEXT(fal_profiles_name(profiles, 2, NULL), "team");
    CHECK_TEXT(fal_profiles_key_id(profiles, 2, NULL), "fake-id");
    CHECK_INT(fal_profiles_line(profiles, 2), 6);
    CHECK(!fal_profiles_is_active(profiles, 2));
    CHECK_TEXT(fal_profiles_name(profiles, 3, &len), NULL);
    CHECK_INT(len, 0);
    CHECK(!fal_profiles_is_active(profiles, 3));
    CHECK_INT(fal_profiles_line(profiles, 3), 0);
    fal_profiles_free(profiles);

    CHECK_OK(fal_profiles_set_active(options, NULL, 0, &err));
    CHECK_LACKS(file_text(), "profile =");
    fal_options_free(options);
}

static void what_cannot_be_stored_changes_nothing(void)
{
    static const struct {
        const char *profile, *key;
        fal_status status;
    } rows[] = {
        {"team", "fake-secret-alone", FAL_E_MALFORMED_CREDENTIALS},
        {"team", "", FAL_E_MALFORMED_CREDENTIALS},
        {"", "fake-id:fake-secret", FAL_E_INVALID_ARGUMENT},
        {"__internal__", "fake-id:fake-secret", FAL_E_INVALID_ARGUMENT},
        {"fake-id:fake-secret", "fake-id:fake-secret", FAL_E_INVALID_ARGUMENT},
        {"theme", "fake-id:fake-secret", FAL_E_INVALID_ARGUMENT},
    };
    const char *text = "theme = 'dark'\n";
    write_file(text);
    chmod(path, 0600);
    fal_options *options = options_of_file();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fal_error *err = NULL;
        CHECK_STATUS(fal_profiles_store_key(options, rows[i].profile, FAL_NUL, rows[i].key, FAL_NUL, true, &err),
                     rows[i].status);
        CHECK_LACKS(fal_error_message(err, NULL), "fake-secret");
        fal_error_free(err);
        CHECK_TEXT(file_text(), text);
    }
    fal_error *err = NULL;
    CHECK_FAILS(fal_profiles_remove_key(options, "team", FAL_NUL, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_profiles_set_active(options, "team", FAL_NUL, &err), FAL_E_INVALID_ARGUMENT);
    write_file("[team\nkey = 'fake-id:fake-secret'\n");
    fal_profiles *profiles = NULL;
    CHECK_STATUS(fal_profiles_list(options, &profiles, &err), FAL_E_MALFORMED_CREDENTIALS);
    CHECK(profiles == NULL);
    CHECK_HAS(fal_error_message(err, NULL), "line 1, column 6");
    fal_error_free(err);
    fal_options_free(options);
}

static void a_folder_that_cannot_be_written_is_an_io_error(void)
{
    fal_options *options = fal_options_new();
    fal_error *err = NULL;
    CHECK_OK(fal_options_set_config_path(options, "/proc/fal/config.toml", FAL_NUL, &err));
    CHECK_FAILS(fal_profiles_store_key(options, "team", FAL_NUL, "fake-id:fake-secret", FAL_NUL, false, &err),
                FAL_E_IO);
    fal_options_free(options);
}

/* keyring.c tests the builds with a keyring. */
static void a_build_without_a_keyring_says_so(void)
{
    fal_error *err = NULL;
    CHECK_STATUS(fal_keyring_store_key("default", FAL_NUL, "fake-id:fake-secret", FAL_NUL, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_HAS(fal_error_message(err, NULL), "cannot use the system keyring (cargo feature `keyring`)");
    fal_error_free(err);
    err = NULL;
    CHECK_STATUS(fal_keyring_remove_key("default", FAL_NUL, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_HAS(fal_error_message(err, NULL), "cannot use the system keyring");
    fal_error_free(err);
    err = NULL;
    unsetenv("FAL_KEY");
    fal_options *options = fal_options_new();
    CHECK_OK(fal_options_set_keyring(options, true, &err));
    fal_client *client = client_of(options);
    fal_request *request = run_of("emulator/echo");
    fal_response *response = NULL;
    CHECK_STATUS(fal_client_run(client, request, &response, &err), FAL_E_MALFORMED_CREDENTIALS);
    CHECK_HAS(fal_error_message(err, NULL), "cannot use the system keyring");
    fal_error_free(err);
    fal_request_free(request);
    fal_client_release(client);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(what_is_stored_is_found),
        TEST(profiles_are_listed),
        TEST(what_cannot_be_stored_changes_nothing),
        TEST(a_folder_that_cannot_be_written_is_an_io_error),
        TEST(a_build_without_a_keyring_says_so),
    };
    char lock[sizeof path + sizeof ".lock"];
    must(mkdtemp(folder) ? FAL_OK : FAL_E_IO, NULL, "mkdtemp");
    snprintf(path, sizeof path, "%s/config.toml", folder);
    snprintf(lock, sizeof lock, "%s.lock", path);
    int status = RUN_TESTS(tests, NULL);
    remove(path);
    remove(lock);
    rmdir(folder);
    return status;
}
