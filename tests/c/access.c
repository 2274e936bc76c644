/* Access: credentials from a callback of the host, key checks, short-lived tokens, server proxies, key commands and logins. */

#include <errno.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "support.h"

/* Contained in every malformed credential of this file. No text that the library returns may contain it. */
#define SECRET "fake-secret-XYZZY"

static char home[] = "/tmp/fal-access-XXXXXX";

static const char *in_home(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", home, name);
    return path;
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(in_home(name), "w");
    must(file ? FAL_OK : FAL_E_IO, NULL, name);
    fputs(text, file);
    fclose(file);
    must(chmod(in_home(name), 0600) == 0 ? FAL_OK : FAL_E_IO, NULL, "chmod");
}

static void clean_home(void)
{
    static const char *const names[] = {".fal/config.toml", ".fal/config.toml.lock", ".fal/auth0_token", ".fal/.portalock",
                                        "key"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (unlink(in_home(names[i])) != 0)
            must(errno == ENOENT ? FAL_OK : FAL_E_IO, NULL, names[i]);
}

static void clean_environment(void)
{
    static const char *const names[] = {"FAL_KEY_ID", "FAL_KEY_SECRET", "FAL_KEY_FILE", "FAL_KEY_COMMAND", "FAL_PROFILE",
                                        "FAL_KEY_COMMAND_SHELL", "FAL_CONFIG_PATH", "FAL_HOME_DIR", "FAL_FORCE_AUTH_BY_USER"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
    setenv("FAL_KEY", control_variable("FAL_EMULATOR_API_KEY"), 1);
    setenv("HOME", home, 1);
    clean_home();
    control_reset();
}

/* Returns a string field of the emulator's JSON, for the caller to free. Frees json. */
static char *field_of(char *json, const char *name)
{
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\":\"", name);
    char *from = strstr(json, quoted);
    if (!from)
        control_die(name);
    from += strlen(quoted);
    from[strcspn(from, "\"")] = '\0';
    char *value = strdup(from);
    free(json);
    return value;
}

static char *new_key(void)
{
    return field_of(control("POST", "keys", "{\"scope\": \"API\"}"), "key");
}

static const char *id_of(const char *key)
{
    static char id[128];
    snprintf(id, sizeof id, "%.*s", (int)strcspn(key, ":"), key);
    return id;
}

/* Checks that the request of this response was made with this key. Frees the response. */
static void made_with(fal_response *response, const char *key)
{
    const char *id = NULL;
    fal_error *err = NULL;
    CHECK_OK(fal_response_get_string(response, "/key_id", FAL_NUL, &id, NULL, &err));
    CHECK_TEXT(id, id_of(key));
    fal_response_free(response);
}

static fal_response *echo(const fal_client *client)
{
    fal_error *err = NULL;
    fal_response *response = NULL;
    fal_request *request = run_of("emulator/echo");
    CHECK_OK(fal_client_run(client, request, &response, &err));
    fal_error_free(err);
    fal_request_free(request);
    return response;
}

/* ---- Credentials from a callback ------------------------------------------------------------------------------------- */

struct host {
    /* Number of times the callback was called. */
    int asked;
    /* Answers the question inside the callback. NULL: the callback stores the question in `kept`. */
    fal_status (*answer)(fal_credential_request *question, int round, struct host *host);
    fal_credential_request *kept;
    const char *key;
    /* Tokens to answer with: the first one in round 0, the second one afterwards. */
    fal_response **minted;
    int64_t expires_in_ms;
    fal_status answered;
};

static void ask(fal_credential_request *question, void *user)
{
    struct host *host = user;
    int round = __sync_fetch_and_add(&host->asked, 1);
    if (host->answer)
        host->answered = host->answer(question, round, host);
    else if (round > 0)
        (void)fal_credential_request_refuse(question, "asked twice", FAL_NUL, NULL);
    else
        __atomic_store_n(&host->kept, question, __ATOMIC_RELEASE);
}

static fal_client *client_asking(struct host *host)
{
    fal_error *err = NULL;
    fal_options *options = fal_options_new();
    CHECK_OK(fal_options_set_credential_callback(options, ask, NULL, host, &err));
    return client_of(options);
}

static fal_status give_key(fal_credential_request *question, int round, struct host *host)
{
    (void)round;
    return fal_credential_request_give_key(question, host->key, FAL_NUL, host->expires_in_ms, NULL);
}

static void an_answer_at_once_is_kept_until_it_expires(void)
{
    char *key = new_key();
    static const struct {
        int64_t expires_in_ms;
        int asked;
    } rows[] = {{-1, 1}, {3600000, 1}, {1000, 3}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct host host = {.answer = give_key, .key = key, .expires_in_ms = rows[i].expires_in_ms};
        fal_client *client = client_asking(&host);
        CHECK_INT(host.asked, 0);
        for (int calls = 0; calls < 3; calls++)
            made_with(echo(client), key);
        CHECK_INT(host.asked, rows[i].asked);
        CHECK_INT(host.answered, FAL_OK);
        fal_client_release(client);
    }
    free(key);
}

static void *answer_later(void *user)
{
    struct host *host = user;
    fal_credential_request *question = NULL;
    while (!(question = __atomic_load_n(&host->kept, __ATOMIC_ACQUIRE)))
        sleep_ms(1);
    sleep_ms(200);
    host->answered = give_key(question, 0, host);
    return NULL;
}

static void *echo_on_a_thread(void *client)
{
    return echo(client);
}

static void twenty_threads_share_one_question_answered_by_another(void)
{
    enum { THREADS = 20 };
    char *key = new_key();
    struct host host = {.key = key, .expires_in_ms = -1};
    fal_client *client = client_asking(&host);
    pthread_t answering, threads[THREADS];
    must(pthread_create(&answering, NULL, answer_later, &host) == 0 ? FAL_OK : FAL_E_IO, NULL, "pthread_create");
    for (int i = 0; i < THREADS; i++)
        must(pthread_create(&threads[i], NULL, echo_on_a_thread, client) == 0 ? FAL_OK : FAL_E_IO, NULL, "pthread_create");
    for (int i = 0; i < THREADS; i++) {
        void *response = NULL;
        pthread_join(threads[i], &response);
        made_with(response, key);
    }
    pthread_join(answering, NULL);
    CHECK_INT(host.answered, FAL_OK);
    CHECK_INT(host.asked, 1);
    fal_client_release(client);
    free(key);
}

static fal_status wrong_then_good(fal_credential_request *question, int round, struct host *host)
{
    const char *key = round == 0 ? "fake-id:fake-secret-wrong" : host->key;
    return fal_credential_request_give_key(question, key, FAL_NUL, -1, NULL);
}

static void a_key_that_fal_refuses_is_asked_for_again(void)
{
    char *key = new_key();
    struct host host = {.answer = wrong_then_good, .key = key};
    fal_client *client = client_asking(&host);
    made_with(echo(client), key);
    CHECK_INT(host.asked, 2);
    CHECK_INT(arrived("path=/emulator/echo"), 2);
    fal_client_release(client);
    free(key);
}

static fal_status no_good(fal_credential_request *question, int round, struct host *host)
{
    (void)host;
    switch (round) {
    case 0: return fal_credential_request_refuse(question, "the user closed the window", FAL_NUL, NULL);
    case 1: return fal_credential_request_give_key(question, SECRET, FAL_NUL, -1, NULL);
    case 2: return fal_credential_request_give_key(question, "fake-id:fake\nXYZZY", FAL_NUL, -1, NULL);
    case 3: return fal_credential_request_give_app_token(question, "not a token XYZZY", FAL_NUL, -1, NULL);
    default: return fal_credential_request_give_key(question, NULL, FAL_NUL, -1, NULL);
    }
}

static void an_answer_that_is_none_is_told_without_the_secret(void)
{
    static const struct {
        fal_status answered;
        const char *why;
    } rows[] = {
        {FAL_OK, "the user closed the window"},
        {FAL_E_MALFORMED_CREDENTIALS, "half a key"},
        {FAL_E_MALFORMED_CREDENTIALS, "line break"},
        {FAL_E_MALFORMED_CREDENTIALS, "is not allowed"},
        {FAL_E_INVALID_ARGUMENT, "without an answer"},
    };
    struct host host = {.answer = no_good};
    fal_client *client = client_asking(&host);
    fal_request *request = run_of("emulator/echo");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fal_error *err = NULL;
        fal_response *response = NULL;
        CHECK_STATUS(fal_client_run(client, request, &response, &err), FAL_E_CREDENTIALS_FAILED);
        CHECK_INT(host.answered, rows[i].answered);
        CHECK_HAS(fal_error_message(err, NULL), "explicit callback");
        CHECK_HAS(fal_error_message(err, NULL), rows[i].why);
        CHECK(strlen(fal_error_remedy(err, NULL)) > 10);
        CHECK(!fal_error_may_have_executed(err));
        const fal_credentials *credentials = fal_error_credentials(err);
        CHECK_TEXT(fal_credentials_source_state(credentials, 3, NULL), "failed");
        CHECK_HAS(fal_credentials_source_notes(credentials, 3, NULL), rows[i].why);
        CHECK_LACKS(fal_error_message(err, NULL), "XYZZY");
        CHECK_LACKS(fal_error_remedy(err, NULL), "XYZZY");
        CHECK_LACKS(fal_credentials_json(credentials, NULL), "XYZZY");
        CHECK_LACKS(fal_credentials_table(credentials, NULL), "XYZZY");
        fal_error_free(err);
    }
    CHECK_INT(host.asked, 5);
    CHECK_INT(arrived(""), 0);
    fal_request_free(request);
    fal_client_release(client);
}

static void a_question_outlives_its_call_and_the_runtime(void)
{
    fal_error *err = NULL;
    struct host host = {.key = control_variable("FAL_EMULATOR_API_KEY"), .expires_in_ms = -1};
    fal_client *client = client_asking(&host);
    fal_op *op = start(client, run_of("emulator/echo"));
    while (!__atomic_load_n(&host.kept, __ATOMIC_ACQUIRE))
        sleep_ms(1);
    fal_op_cancel(op);
    CHECK_OK(fal_op_wait(op, 10000, &err));
    fal_response *response = NULL;
    CHECK_FAILS(fal_op_take(op, &response, &err), FAL_E_CANCELLED);
    fal_op_release(op);
    CHECK_OK(fal_shutdown(10000, &err));
    fal_credential_request *late = host.kept;
    host.kept = NULL;
    CHECK_INT(give_key(late, 0, &host), FAL_OK);
    host.answer = give_key;
    made_with(echo(client), host.key);
    CHECK_INT(host.asked, 2);
    fal_client_release(client);
}

/* A callback that makes a call with another client. fal_shutdown() is refused there, since it would wait for this thread. */
static fal_status wait_in_here(fal_credential_request *question, int round, struct host *host)
{
    fal_client *other = new_client();
    host->answered = outcome_of(other, run_of("emulator/echo"));
    fal_client_release(other);
    CHECK_INT(fal_shutdown(10000, NULL), FAL_E_WOULD_DEADLOCK);
    (void)give_key(question, round, host);
    return host->answered;
}

static void the_callback_may_use_another_client(void)
{
    struct host host = {.answer = wait_in_here, .key = control_variable("FAL_EMULATOR_API_KEY"), .expires_in_ms = -1};
    fal_client *client = client_asking(&host);
    made_with(echo(client), host.key);
    CHECK_INT(host.answered, FAL_OK);
    fal_client_release(client);
}

/* ---- Replacing a credential, and checking it ------------------------------------------------------------------------- */

static void a_call_under_way_keeps_its_key(void)
{
    fal_error *err = NULL;
    char *first = new_key(), *second = new_key();
    fal_options *options = fal_options_new();
    CHECK_OK(fal_options_set_key(options, first, FAL_NUL, &err));
    fal_client *client = client_of(options);
    fault("{\"path\": \"/emulator/echo\", \"delay_ms\": 300, \"action\": {\"type\": \"none\"}}");
    fal_op *under_way = start(client, run_of("emulator/echo"));
    CHECK_INT(arrived("path=/emulator/echo&wait_for=1"), 1);

    options = fal_options_new();
    CHECK_OK(fal_options_set_key(options, second, FAL_NUL, &err));
    CHECK_OK(fal_client_set_credentials(client, options, &err));
    fal_options_free(options);
    made_with(echo(client), second);
    fal_credentials *credentials = NULL;
    CHECK_OK(fal_client_explain(client, &credentials, &err));
    CHECK_TEXT(fal_credentials_key_id(credentials, NULL), id_of(second));
    fal_credentials_free(credentials);

    CHECK_OK(fal_op_wait(under_way, 10000, &err));
    fal_response *response = NULL;
    CHECK_OK(fal_op_take(under_way, &response, &err));
    made_with(response, first);
    fal_op_release(under_way);

    CHECK_OK(fal_client_set_credentials(client, NULL, &err));
    made_with(echo(client), control_variable("FAL_EMULATOR_API_KEY"));
    fal_client_release(client);
    free(first);
    free(second);
}

static void a_key_corrected_later_is_found(void)
{
    fal_error *err = NULL;
    char *old = new_key(), *path = NULL;
    setenv("FAL_KEY", old, 1);
    fal_client *client = new_client();
    made_with(echo(client), old);
    setenv("FAL_KEY", control_variable("FAL_EMULATOR_API_KEY"), 1);
    fal_credentials *credentials = NULL;
    CHECK_OK(fal_client_explain(client, &credentials, &err));
    CHECK_TEXT(fal_credentials_key_id(credentials, NULL), id_of(control_variable("FAL_EMULATOR_API_KEY")));
    CHECK_HAS(fal_credentials_source_notes(credentials, 4, NULL), "calls keep using key");
    CHECK_HAS(fal_credentials_source_notes(credentials, 4, NULL), id_of(old));
    CHECK_LACKS(fal_credentials_json(credentials, NULL), strchr(old, ':') + 1);
    fal_credentials_free(credentials);
    made_with(echo(client), old);
    must(asprintf(&path, "keys/%s", id_of(old)) > 0 ? FAL_OK : FAL_E_IO, NULL, "asprintf");
    free(control("DELETE", path, ""));
    made_with(echo(client), control_variable("FAL_EMULATOR_API_KEY"));
    CHECK_INT(arrived("path=/emulator/echo"), 4);
    fal_client_release(client);
    free(path);
    free(old);
}

static void a_check_tells_what_a_key_is_good_for(void)
{
    const struct {
        const char *key;
        bool accepted;
        const char *scope;
        bool has_account;
    } rows[] = {
        {control_variable("FAL_EMULATOR_API_KEY"), true, "API", true},
        {control_variable("FAL_EMULATOR_ADMIN_KEY"), true, "ADMIN", true},
        {"fake-id:" SECRET, false, NULL, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fal_error *err = NULL;
        setenv("FAL_KEY", rows[i].key, 1);
        fal_client *client = new_client();
        fal_response *response = NULL;
        CHECK_OK(fal_client_check(client, &response, &err));
        bool accepted = !rows[i].accepted;
        CHECK_OK(fal_response_get_bool(response, "/accepted", FAL_NUL, &accepted, &err));
        CHECK_INT(accepted, rows[i].accepted);
        const char *text = NULL;
        if (rows[i].scope) {
            CHECK_OK(fal_response_get_string(response, "/scope", FAL_NUL, &text, NULL, &err));
            CHECK_TEXT(text, rows[i].scope);
        } else {
            CHECK_OK(fal_response_get_json(response, "/scope", FAL_NUL, &text, NULL, &err));
            CHECK_TEXT(text, "null");
        }
        CHECK_OK(fal_response_get_json(response, "/account", FAL_NUL, &text, NULL, &err));
        CHECK_INT(strcmp(text, "null") != 0, rows[i].has_account);
        CHECK_OK(fal_response_get_string(response, "/key_id", FAL_NUL, &text, NULL, &err));
        CHECK_TEXT(text, id_of(rows[i].key));
        CHECK_OK(fal_response_get_text(response, &text, NULL, &err));
        CHECK_LACKS(text, strchr(rows[i].key, ':') + 1);
        fal_response_free(response);

        fal_op *op = NULL;
        CHECK_OK(fal_client_check_start(client, &op, &err));
        CHECK_OK(fal_op_wait(op, 10000, &err));
        CHECK_OK(fal_op_take(op, &response, &err));
        fal_response_free(response);
        fal_op_release(op);
        fal_client_release(client);
    }
    CHECK_INT(arrived("method=POST"), 0);
}

static fal_client *client_with_token(const fal_response *minted)
{
    fal_error *err = NULL;
    const char *token = NULL;
    CHECK_OK(fal_response_get_string(minted, "/token", FAL_NUL, &token, NULL, &err));
    fal_options *options = fal_options_new();
    CHECK_OK(fal_options_set_app_token(options, token, FAL_NUL, &err));
    return client_of(options);
}

static void a_token_opens_a_list_of_apps(void)
{
    fal_error *err = NULL;
    fal_client *keyed = new_client();
    fal_response *minted = NULL;
    static const char *const none[] = {"", ",", "emulator/echo,", "emulator/echo acme/shared"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        CHECK_FAILS(fal_client_mint_token(keyed, none[i], FAL_NUL, 60, &minted, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_INT(arrived(""), 0);
    CHECK_OK(fal_client_mint_token(keyed, "emulator/echo, acme/shared", FAL_NUL, 60, &minted, &err));
    fal_client *client = client_with_token(minted);
    CHECK_INT(outcome_of(client, run_of("emulator/echo")), FAL_OK);
    CHECK_INT(outcome_of(client, run_of("acme/shared")), FAL_OK);
    fal_status other = outcome_of(client, run_of("fal-ai/flux/schnell"));
    CHECK(other == FAL_E_UNAUTHENTICATED || other == FAL_E_FORBIDDEN);
    fal_client_release(client);
    fal_client_release(keyed);
    fal_response_free(minted);
}

static fal_status give_token(fal_credential_request *question, int round, struct host *host)
{
    const char *token = NULL;
    must(fal_response_get_string(host->minted[round > 0], "/token", FAL_NUL, &token, NULL, NULL), NULL, "token");
    return fal_credential_request_give_app_token(question, token, FAL_NUL, host->expires_in_ms, NULL);
}

static void a_token_is_renewed_by_the_host(void)
{
    fal_error *err = NULL;
    fal_client *keyed = new_client();
    fal_response *minted[2] = {NULL, NULL};
    for (int i = 0; i < 2; i++)
        CHECK_OK(fal_client_mint_token(keyed, "emulator/echo", FAL_NUL, i == 0 ? 1 : 60, &minted[i], &err));
    fal_client_release(keyed);
    sleep_ms(1500);
    control_reset();
    /* The host gives no expiry; the token itself has one. */
    struct host host = {.answer = give_token, .minted = minted, .expires_in_ms = -1};
    fal_client *client = client_asking(&host);
    for (int calls = 0; calls < 3; calls++)
        CHECK_INT(outcome_of(client, run_of("emulator/echo")), FAL_OK);
    CHECK_INT(host.asked, 2);
    CHECK_INT(arrived("path=/emulator/echo"), 4);
    fal_client_release(client);
    /* A token that is about to expire is renewed before it is sent. */
    fal_response_free(minted[0]);
    minted[0] = minted[1];
    host = (struct host){.answer = give_token, .minted = minted, .expires_in_ms = 1000};
    client = client_asking(&host);
    for (int calls = 0; calls < 3; calls++)
        CHECK_INT(outcome_of(client, run_of("emulator/echo")), FAL_OK);
    CHECK_INT(host.asked, 3);
    fal_client_release(client);
    fal_response_free(minted[1]);
}

static void a_token_opens_one_app_and_nothing_else(void)
{
    fal_error *err = NULL;
    fal_client *keyed = new_client();
    fal_response *minted = NULL;
    CHECK_FAILS(fal_client_mint_token(keyed, "emulator/echo", FAL_NUL, 0, &minted, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_client_mint_token(keyed, "emulator/echo", FAL_NUL, 3601, &minted, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_OK(fal_client_mint_token(keyed, "emulator/echo", FAL_NUL, 60, &minted, &err));
    const char *token = NULL;
    int64_t seconds = 0;
    CHECK_OK(fal_response_get_string(minted, "/token", FAL_NUL, &token, NULL, &err));
    CHECK_OK(fal_response_get_int(minted, "/expires_in", FAL_NUL, &seconds, &err));
    CHECK_INT(seconds, 60);
    fal_client_release(keyed);

    unsetenv("FAL_KEY");
    fal_options *options = fal_options_new();
    CHECK_OK(fal_options_set_app_token(options, token, FAL_NUL, &err));
    fal_client *client = client_of(options);
    fal_response_free(echo(client));
    char *seen = arrivals("path=/emulator/echo");
    CHECK_HAS(seen, "\"count\":1");
    CHECK_LACKS(seen, token);
    free(seen);

    fal_request *other = run_of("fal-ai/flux/schnell");
    fal_response *response = NULL;
    fal_status refused = fal_client_run(client, other, &response, &err);
    CHECK(refused == FAL_E_UNAUTHENTICATED || refused == FAL_E_FORBIDDEN);
    CHECK_HAS(fal_error_message(err, NULL), "explicit token");
    CHECK_LACKS(fal_error_message(err, NULL), token);
    CHECK_LACKS(fal_credentials_json(fal_error_credentials(err), NULL), token);
    fal_error_free(err);
    err = NULL;
    fal_request_free(other);

    control_reset();
    fal_request *elsewhere = http_of("GET", "/v1/models");
    CHECK_FAILS(fal_client_send(client, elsewhere, &response, &err), FAL_E_FORBIDDEN);
    CHECK_INT(arrived(""), 0);
    fal_request_free(elsewhere);
    fal_client_release(client);
    fal_response_free(minted);
}

static void a_proxy_holds_the_key(void)
{
    static const char *const no_proxies[] = {"http://app.example/proxy", "ftp://app.example", "app.example",
                                             "https://user:word@app.example/", ""};
    fal_error *err = NULL;
    fal_options *options = fal_options_new();
    for (size_t i = 0; i < sizeof no_proxies / sizeof *no_proxies; i++)
        CHECK_FAILS(fal_options_set_server_proxy(options, no_proxies[i], FAL_NUL, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_OK(fal_options_set_server_proxy(options, "https://app.example/api/fal/proxy", FAL_NUL, &err));
    /* The credentials of this machine must not be sent to the proxy. */
    setenv("FAL_KEY", "fake-id:" SECRET, 1);
    fal_client *client = client_of(options);
    fal_response_free(echo(client));
    char *seen = arrivals("host=app.example");
    CHECK_HAS(seen, "\"count\":1");
    CHECK_HAS(seen, "https://fal.run/emulator/echo");
    CHECK_LACKS(seen, "fake-id");
    free(seen);
    fal_request *request = http_of("GET", "/v1/models");
    fal_response *response = NULL;
    CHECK(fal_client_send(client, request, &response, &err) != FAL_OK);
    CHECK_HAS(fal_error_message(err, NULL), "the proxy at app.example does not forward");
    fal_error_free(err);
    fal_request_free(request);
    fal_client_release(client);
}

/* ---- Key commands, logins, and a program without environment variables ----------------------------------------------- */

/* Checks that a client without options uses this source, and that a call succeeds. */
static void found(const char *source)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_response_free(echo(client));
    fal_credentials *credentials = NULL;
    CHECK_OK(fal_client_explain(client, &credentials, &err));
    CHECK_TEXT(fal_credentials_source(credentials, NULL), source);
    fal_credentials_free(credentials);
    fal_client_release(client);
}

static void a_command_prints_the_key(void)
{
    char command[300];
    unsetenv("FAL_KEY");
    write_file("key", control_variable("FAL_EMULATOR_API_KEY"));
    snprintf(command, sizeof command, "cat %s", in_home("key"));
    setenv("FAL_KEY_COMMAND", command, 1);
    found("FAL_KEY_COMMAND");

    setenv("FAL_KEY_COMMAND", "/nonexistent/helper", 1);
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_request *request = run_of("emulator/echo");
    fal_response *response = NULL;
    CHECK_STATUS(fal_client_run(client, request, &response, &err), FAL_E_CREDENTIALS_FAILED);
    CHECK_HAS(fal_error_message(err, NULL), "/nonexistent/helper");
    fal_error_free(err);
    fal_request_free(request);
    fal_client_release(client);
}

static void a_pair_of_variables_is_a_key(void)
{
    char id[128];
    snprintf(id, sizeof id, "%s", control_variable("FAL_EMULATOR_API_KEY"));
    id[strcspn(id, ":")] = '\0';
    unsetenv("FAL_KEY");
    setenv("FAL_KEY_ID", id, 1);
    setenv("FAL_KEY_SECRET", secret_of("FAL_EMULATOR_API_KEY"), 1);
    found("FAL_KEY_ID + FAL_KEY_SECRET");
}

static void a_profile_may_name_a_command(void)
{
    char config[400];
    unsetenv("FAL_KEY");
    write_file("key", control_variable("FAL_EMULATOR_API_KEY"));
    snprintf(config, sizeof config, "[work]\nkey_command = [\"cat\", \"%s\"]\n", in_home("key"));
    write_file(".fal/config.toml", config);
    setenv("FAL_PROFILE", "work", 1);
    found("profile");
}

static void a_login_is_renewed(void)
{
    unsetenv("FAL_KEY");
    char *refresh = field_of(control("POST", "logins", "{\"access_token_seconds\": 3600}"), "refresh_token");
    write_file(".fal/auth0_token", refresh);
    found("login");
    CHECK_INT(arrived("host=auth.fal.ai"), 1);
    /* The next program finds the renewed token in the file. */
    found("login");
    CHECK_INT(arrived("host=auth.fal.ai"), 1);
    free(refresh);
}

/* Runs as a desktop starts programs: without variables except HOME. Returns 0 if a profile of the configuration file works. */
static int run_without_variables(const char *emulator)
{
    fal_options *options = fal_options_new();
    must(fal_options_set_host(options, FAL_HOST_EMULATOR, emulator, FAL_NUL, NULL), NULL, "host");
    fal_client *client = client_of(options);
    fal_status status = outcome_of(client, run_of("emulator/echo"));
    fal_credentials *credentials = NULL;
    must(fal_client_explain(client, &credentials, NULL), NULL, "explain");
    const char *source = fal_credentials_source(credentials, NULL);
    bool good = status == FAL_OK && source && strcmp(source, "profile") == 0;
    fal_credentials_free(credentials);
    fal_client_release(client);
    return good ? 0 : 1;
}

static void a_program_of_the_desktop_has_only_the_profile(void)
{
    char text[512], variable[sizeof home + sizeof "HOME="];
    snprintf(text, sizeof text, "[__internal__]\nprofile = \"work\"\n\n[work]\nkey = \"%s\"\n",
             control_variable("FAL_EMULATOR_API_KEY"));
    snprintf(variable, sizeof variable, "HOME=%s", home);
    /* TSAN_OPTIONS names the suppressions of ThreadSanitizer, so the program needs it. */
    const char *watcher = getenv("TSAN_OPTIONS");
    char options[1024];
    snprintf(options, sizeof options, "TSAN_OPTIONS=%s", watcher ? watcher : "");
    for (int with_profile = 1; with_profile >= 0; with_profile--) {
        clean_home();
        if (with_profile)
            write_file(".fal/config.toml", text);
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            char *variables[] = {variable, watcher ? options : NULL, NULL};
            execle("/proc/self/exe", "access", "--without-variables", control_variable("FAL_EMULATOR_HOST"), (char *)NULL,
                   variables);
            _exit(97);
        }
        int status = -1;
        waitpid(child, &status, 0);
        CHECK(WIFEXITED(status));
        CHECK_INT(WEXITSTATUS(status), with_profile ? 0 : 1);
    }
}

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "--without-variables") == 0)
        return run_without_variables(argv[2]);
    must(mkdtemp(home) ? FAL_OK : FAL_E_IO, NULL, "mkdtemp");
    must(mkdir(in_home(".fal"), 0700) == 0 ? FAL_OK : FAL_E_IO, NULL, "mkdir");
    static const struct test tests[] = {
        TEST(an_answer_at_once_is_kept_until_it_expires),
        TEST(twenty_threads_share_one_question_answered_by_another),
        TEST(a_key_that_fal_refuses_is_asked_for_again),
        TEST(an_answer_that_is_none_is_told_without_the_secret),
        TEST(a_question_outlives_its_call_and_the_runtime),
        TEST(the_callback_may_use_another_client),
        TEST(a_call_under_way_keeps_its_key),
        TEST(a_key_corrected_later_is_found),
        TEST(a_check_tells_what_a_key_is_good_for),
        TEST(a_token_opens_one_app_and_nothing_else),
        TEST(a_token_opens_a_list_of_apps),
        TEST(a_token_is_renewed_by_the_host),
        TEST(a_proxy_holds_the_key),
        TEST(a_command_prints_the_key),
        TEST(a_pair_of_variables_is_a_key),
        TEST(a_profile_may_name_a_command),
        TEST(a_login_is_renewed),
        TEST(a_program_of_the_desktop_has_only_the_profile),
    };
    int result = RUN_TESTS(tests, clean_environment);
    clean_home();
    (void)rmdir(in_home(".fal"));
    (void)rmdir(home);
    return result;
}
