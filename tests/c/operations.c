/* Operations: poll, wait, cancel, take and release. */

#include "support.h"

static void both_forms_of_run_and_send(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_request *run = run_of("emulator/echo");
    fal_request *http = http_of("GET", "/v1/models");
    fal_response *response = NULL;
    fal_op *op = NULL;
    CHECK_OK(fal_client_run(client, run, &response, &err));
    fal_response_free(response);
    CHECK_OK(fal_client_run_start(client, run, &op, &err));
    CHECK_OK(fal_op_wait(op, -1, &err));
    CHECK_OK(fal_op_take(op, &response, &err));
    CHECK(fal_response_has(response, "/method", FAL_NUL));
    CHECK_TEXT(fal_op_request_id(op, NULL), fal_response_request_id(response, NULL));
    fal_response_free(response);
    fal_op_release(op);
    CHECK_OK(fal_client_send(client, http, &response, &err));
    fal_response_free(response);
    CHECK_OK(fal_client_send_start(client, http, &op, &err));
    CHECK_OK(fal_op_wait(op, -1, &err));
    CHECK_OK(fal_op_take(op, &response, &err));
    CHECK(fal_response_has(response, "/models", FAL_NUL));
    fal_response_free(response);
    fal_op_release(op);
    CHECK_INT(arrived("path=/emulator/echo"), 2);
    CHECK_INT(arrived("path=/v1/models"), 2);
    fal_request_free(run);
    fal_request_free(http);
    fal_client_release(client);
}

static void polling_never_blocks_and_sees_the_end(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_op *op = start(client, slow_of(3000));
    fal_response *response = NULL;
    CHECK(fal_op_request_id(op, NULL) == NULL);
    CHECK_INT(fal_op_poll(op), FAL_PENDING);
    CHECK_STATUS(fal_op_take(op, &response, &err), FAL_PENDING);
    CHECK(response == NULL);
    int64_t deadline = now_ms() + 10000;
    int64_t longest = 0;
    int polls = 0;
    while (now_ms() < deadline) {
        int64_t before = now_ms();
        if (fal_op_poll(op) != FAL_PENDING)
            break;
        longest = now_ms() - before > longest ? now_ms() - before : longest;
        polls++;
        sleep_ms(1);
    }
    CHECK_INT(fal_op_poll(op), FAL_OK);
    CHECK(polls > 20);
    /* A call that waits would take until the operation's end. */
    CHECK(longest < 2000);
    CHECK_OK(fal_op_take(op, &response, &err));
    fal_response_free(response);
    fal_op_release(op);
    fal_client_release(client);
}

static void waiting_has_a_limit(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_op *op = start(client, slow_of(60000));
    int64_t before = now_ms();
    CHECK_STATUS(fal_op_wait(op, 100, &err), FAL_PENDING);
    CHECK(now_ms() - before >= 100 && now_ms() - before < 30000);
    CHECK_STATUS(fal_op_wait(op, 0, &err), FAL_PENDING);
    fal_op_cancel(op);
    CHECK_OK(fal_op_wait(op, 10000, &err));
    CHECK_OK(fal_op_wait(op, 0, &err));
    fal_op_release(op);
    fal_client_release(client);
}

static void *cancel_soon(void *user)
{
    sleep_ms(100);
    fal_op_cancel(user);
    fal_op_cancel(user);
    return NULL;
}

static void a_hanging_call_is_cancelled_while_it_is_waited_for(void)
{
    fault("{\"path\": \"/emulator/echo\", \"action\": {\"type\": \"hang\"}}");
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_op *op = start(client, run_of("emulator/echo"));
    CHECK_INT(arrived("path=/emulator/echo&wait_for=1"), 1);
    pthread_t thread;
    pthread_create(&thread, NULL, cancel_soon, op);
    CHECK_OK(fal_op_wait(op, 10000, &err));
    pthread_join(thread, NULL);
    fal_response *response = NULL;
    CHECK_STATUS(fal_op_take(op, &response, &err), FAL_E_CANCELLED);
    CHECK(response == NULL);
    CHECK(fal_error_may_have_executed(err));
    fal_error_free(err);
    err = NULL;
    CHECK_INT(arrived_with("path=/emulator/echo", "\"outcome\":\"client_closed\"", 1), 1);
    CHECK_INT(fal_op_poll(op), FAL_OK);
    fal_op_release(op);
    fal_client_release(client);
}

static void cancelling_what_has_ended_changes_nothing(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_op *op = start(client, run_of("emulator/echo"));
    CHECK_OK(fal_op_wait(op, 10000, &err));
    fal_op_cancel(op);
    fal_response *response = NULL;
    CHECK_OK(fal_op_take(op, &response, &err));
    fal_response_free(response);
    fal_op_release(op);
    fal_client_release(client);
}

static void an_outcome_is_taken_once(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_op *op = start(client, run_of("emulator/echo"));
    CHECK_OK(fal_op_wait(op, 10000, &err));
    fal_response *response = NULL;
    CHECK_OK(fal_op_take(op, &response, &err));
    fal_response *again = response;
    CHECK_FAILS(fal_op_take(op, &again, &err), FAL_E_TAKEN);
    CHECK(again == NULL);
    CHECK_INT(fal_op_poll(op), FAL_OK);
    fal_op_release(op);
    CHECK_INT(fal_response_http_status(response), 200);
    fal_response_free(response);
    fal_client_release(client);
}

static int taken;

static void *take_it(void *user)
{
    fal_response *response = NULL;
    fal_status status = fal_op_take(user, &response, NULL);
    CHECK(status == FAL_OK || status == FAL_E_TAKEN);
    if (status == FAL_OK)
        (void)__sync_fetch_and_add(&taken, 1);
    fal_response_free(response);
    return NULL;
}

static void of_many_threads_one_takes(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    for (int round = 0; round < 20; round++) {
        taken = 0;
        fal_op *op = start(client, run_of("emulator/echo"));
        CHECK_OK(fal_op_wait(op, 10000, &err));
        pthread_t threads[8];
        for (int i = 0; i < 8; i++)
            pthread_create(&threads[i], NULL, take_it, op);
        for (int i = 0; i < 8; i++)
            pthread_join(threads[i], NULL);
        CHECK_INT(taken, 1);
        fal_op_release(op);
    }
    fal_client_release(client);
}

static void releasing_is_not_cancelling(void)
{
    fal_client *client = new_client();
    fal_op *op = start(client, slow_of(200));
    fal_op *other = fal_op_retain(op);
    CHECK(other == op);
    fal_op_release(op);
    CHECK_INT(fal_op_poll(other), FAL_PENDING);
    fal_op_release(other);
    fal_client_release(client);
    CHECK_INT(arrived_with("path=/emulator/slow", "\"outcome\":200", 1), 1);
}

static void an_error_is_an_outcome_too(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_op *op = start(client, run_of("no/such"));
    CHECK_OK(fal_op_wait(op, 10000, &err));
    CHECK_INT(fal_op_poll(op), FAL_OK);
    fal_response *response = NULL;
    CHECK_FAILS(fal_op_take(op, &response, &err), FAL_E_NOT_FOUND);
    fal_op_release(op);
    fal_client_release(client);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(both_forms_of_run_and_send),
        TEST(polling_never_blocks_and_sees_the_end),
        TEST(waiting_has_a_limit),
        TEST(a_hanging_call_is_cancelled_while_it_is_waited_for),
        TEST(cancelling_what_has_ended_changes_nothing),
        TEST(an_outcome_is_taken_once),
        TEST(of_many_threads_one_takes),
        TEST(releasing_is_not_cancelling),
        TEST(an_error_is_an_outcome_too),
    };
    return RUN_TESTS(tests, control_reset);
}
