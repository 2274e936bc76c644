/* The Platform API: a key is made, used, listed, revoked and refused; operations by name; lists page by page. */

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

/* How many elements a list has; whether one of them has this text at the pointer is told in found. */
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

/* A key that is made without waiting, and stored without its secret passing through this program. */
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
    CHECK_LACKS((const char *)fal_response_body(response, NULL), secret);
    fal_response_free(response);
    fal_new_key_free(key);
    CHECK(remove(path) == 0 && remove(lock) == 0 && rmdir(folder) == 0);
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
    CHECK_HAS(fal_error_message(err, NULL), "keys.list: limit is 0, but has to be an integer of at least 1");
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
        {"a_key_is_made_used_listed_revoked_and_refused", a_key_is_made_used_listed_revoked_and_refused},
        {"a_key_goes_straight_into_a_profile", a_key_goes_straight_into_a_profile},
        {"what_is_not_allowed_is_told", what_is_not_allowed_is_told},
    };
    return check_main(argc, argv, tests, sizeof tests / sizeof *tests, NULL);
}
