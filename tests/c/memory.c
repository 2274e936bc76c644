/* A program that makes, uses and frees every kind of object. It also runs under valgrind. */

#include "support.h"

static void ended(fal_op *op, void *user)
{
    fal_response *response = NULL;
    fal_error *err = NULL;
    CHECK_OK(fal_op_take(op, &response, &err));
    fal_response_free(response);
    *(int *)user += 1;
}

static void a_run_by_hand_and_by_callback(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_client *other = fal_client_retain(client);
    fal_client_release(client);
    fal_request *request = run_of("emulator/echo");
    CHECK_OK(fal_request_set_string(request, "/a/b", FAL_NUL, "text", FAL_NUL, &err));
    fal_response *response = NULL;
    CHECK_OK(fal_client_run(other, request, &response, &err));
    const char *text = NULL;
    CHECK_OK(fal_response_get_string(response, "/body/a/b", FAL_NUL, &text, NULL, &err));
    CHECK_TEXT(text, "text");
    CHECK_FAILS(fal_response_get_string(response, "/body/a", FAL_NUL, &text, NULL, &err), FAL_E_WRONG_TYPE);
    CHECK(fal_response_request_id(response, NULL) != NULL);
    fal_response_free(response);

    int called = 0;
    fal_dispatcher *dispatcher = fal_dispatcher_new();
    fal_op *op = start(other, request);
    CHECK_OK(fal_op_when_done(op, dispatcher, ended, NULL, &called, &err));
    CHECK_OK(fal_op_wait(op, 10000, &err));
    fal_op_release(op);
    while (fal_dispatcher_outstanding(dispatcher) > 0)
        must(fal_dispatcher_run(dispatcher, 1, -1, NULL, &err), err, "fal_dispatcher_run");
    CHECK_INT(called, 1);
    fal_dispatcher_release(dispatcher);
    fal_client_release(other);
}

static void errors_and_reports(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_request *request = http_of("GET", "/v1/keys");
    fal_response *response = NULL;
    CHECK_STATUS(fal_client_send(client, request, &response, &err), FAL_E_FORBIDDEN);
    CHECK(fal_error_message(err, NULL) && fal_error_remedy(err, NULL));
    CHECK(fal_credentials_table(fal_error_credentials(err), NULL) != NULL);
    fal_error_free(err);
    err = NULL;
    fal_request_free(request);
    fal_client_release(client);

    fal_options *options = fal_options_new();
    CHECK_OK(fal_options_set_key(options, "half-a-key", FAL_NUL, &err));
    fal_credentials *credentials = NULL;
    CHECK_OK(fal_credentials_explain(options, &credentials, &err));
    CHECK_INT(fal_credentials_status(credentials), FAL_E_MALFORMED_CREDENTIALS);
    CHECK(fal_credentials_json(credentials, NULL) != NULL);
    fal_credentials_free(credentials);
    fal_options_free(options);
}

static void operations_that_are_abandoned(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_op *cancelled = start(client, slow_of(60000));
    fal_op *forgotten = start(client, slow_of(60000));
    fal_op *untaken = start(client, run_of("emulator/echo"));
    fal_op_release(forgotten);
    CHECK_OK(fal_op_wait(untaken, 10000, &err));
    fal_op_release(untaken);
    fal_op_cancel(cancelled);
    CHECK_OK(fal_op_wait(cancelled, 10000, &err));
    fal_op_release(cancelled);
    fal_client_release(client);
}

static void answer(fal_credential_request *question, void *round)
{
    fal_error *err = NULL;
    if ((*(int *)round)++ == 0)
        CHECK_OK(fal_credential_request_give_key(question, control_variable("FAL_KEY"), FAL_NUL, 1000, &err));
    else
        CHECK_OK(fal_credential_request_refuse(question, "no more", FAL_NUL, &err));
}

static void credentials_that_are_delivered(void)
{
    fal_error *err = NULL;
    int round = 0;
    fal_options *options = fal_options_new();
    CHECK_OK(fal_options_set_credential_callback(options, answer, NULL, &round, &err));
    fal_client *client = client_of(options);
    fal_response *minted = NULL;
    CHECK_OK(fal_client_mint_token(client, "emulator/echo", FAL_NUL, 60, &minted, &err));
    CHECK_INT(outcome_of(client, run_of("emulator/echo")), FAL_E_CREDENTIALS_FAILED);
    CHECK_INT(round, 2);

    const char *token = NULL;
    CHECK_OK(fal_response_get_string(minted, "/token", FAL_NUL, &token, NULL, &err));
    options = fal_options_new();
    CHECK_OK(fal_options_set_app_token(options, token, FAL_NUL, &err));
    CHECK_OK(fal_client_set_credentials(client, options, &err));
    fal_options_free(options);
    CHECK_INT(outcome_of(client, run_of("emulator/echo")), FAL_OK);
    fal_response_free(minted);
    fal_client_release(client);
}

static void shutdown_at_the_end(void)
{
    fal_error *err = NULL;
    CHECK_OK(fal_shutdown(10000, &err));
    CHECK_INT(threads_left(1), 1);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(a_run_by_hand_and_by_callback),
        TEST(errors_and_reports),
        TEST(operations_that_are_abandoned),
        TEST(credentials_that_are_delivered),
        TEST(shutdown_at_the_end),
    };
    return RUN_TESTS(tests, control_reset);
}
