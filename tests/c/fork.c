/* A process that forks while calls are under way: both sides go on. */

#include <sys/wait.h>

#include "support.h"

/* Fails the child through its exit status: its checks are counted in its own memory. */
static int child_of(fal_client *client, fal_op *inherited, fal_dispatcher *dispatcher)
{
    check_failed = 0;
    fal_error *err = NULL;
    fal_response *response = NULL;
    CHECK_INT(fal_op_poll(inherited), FAL_E_FORKED);
    CHECK_FAILS(fal_op_wait(inherited, -1, &err), FAL_E_FORKED);
    CHECK_FAILS(fal_op_take(inherited, &response, &err), FAL_E_FORKED);
    CHECK_FAILS(fal_dispatcher_run(dispatcher, 1, -1, NULL, &err), FAL_E_FORKED);
    fal_op_cancel(inherited);
    CHECK_INT(threads_alive(), 1);

    fal_request *request = run_of("emulator/echo/child");
    CHECK_OK(fal_client_run(client, request, &response, &err));
    CHECK(fal_response_has(response, "/method", FAL_NUL));
    CHECK(threads_alive() > 1);
    fal_response_free(response);
    fal_request_free(request);
    CHECK_OK(fal_shutdown(10000, &err));
    CHECK_INT(threads_left(1), 1);
    CHECK_INT(outcome_of(client, run_of("emulator/echo/child")), FAL_OK);
    fal_op_release(inherited);
    fal_client_release(client);
    return check_failed == 0 ? 0 : 1;
}

static int wait_for(pid_t child)
{
    int64_t deadline = now_ms() + 30000;
    while (now_ms() < deadline) {
        int status = 0;
        if (waitpid(child, &status, WNOHANG) == child)
            return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
        sleep_ms(5);
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    return -1;
}

static void *slow_call(void *client)
{
    CHECK_INT(outcome_of(client, slow_of(1000)), FAL_OK);
    return NULL;
}

static void while_three_threads_are_in_calls(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_dispatcher *dispatcher = fal_dispatcher_new();
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, slow_call, client);
    fal_op *op = start(client, slow_of(1000));
    CHECK_INT(arrived("path=/emulator/slow&wait_for=4"), 4);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        exit(child_of(client, op, dispatcher));
    CHECK(child > 0);
    CHECK_INT(wait_for(child), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    fal_response *response = NULL;
    CHECK_OK(fal_op_wait(op, 10000, &err));
    CHECK_OK(fal_op_take(op, &response, &err));
    fal_response_free(response);
    fal_op_release(op);
    CHECK_INT(arrived("path=/emulator/echo/child"), 2);
    CHECK_INT(arrived_with("path=/emulator/slow", "\"outcome\":200", 4), 4);
    CHECK_OK(fal_shutdown(10000, &err));
    CHECK_INT(threads_left(1), 1);
    fal_dispatcher_release(dispatcher);
    fal_client_release(client);
}

static void a_shutdown_in_the_child_leaves_the_parent_alone(void)
{
    fal_client *client = new_client();
    fal_op *op = start(client, slow_of(500));
    CHECK_INT(arrived("path=/emulator/slow&wait_for=1"), 1);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        exit(fal_shutdown(5000, NULL) == FAL_OK ? 0 : 1);
    CHECK_INT(wait_for(child), 0);
    fal_error *err = NULL;
    fal_response *response = NULL;
    CHECK_OK(fal_op_wait(op, 10000, &err));
    CHECK_OK(fal_op_take(op, &response, &err));
    fal_response_free(response);
    fal_op_release(op);
    fal_client_release(client);
}

static bool keep_calling;

static void *call_until_told(void *client)
{
    while (__sync_fetch_and_add((char *)&keep_calling, 0))
        CHECK_INT(outcome_of(client, run_of("emulator/echo")), FAL_OK);
    return NULL;
}

/* At any moment of a call: a lock that another thread held at the fork would hang the child. */
static void at_any_moment(void)
{
    fal_client *client = new_client();
    keep_calling = true;
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, call_until_told, client);
    for (int i = 0; i < 30; i++) {
        fflush(NULL);
        pid_t child = fork();
        if (child == 0)
            exit(outcome_of(client, run_of("emulator/echo/child")) == FAL_OK ? 0 : 1);
        if (!CHECK_INT(wait_for(child), 0))
            break;
    }
    (void)__sync_lock_test_and_set((char *)&keep_calling, 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    fal_client_release(client);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(while_three_threads_are_in_calls),
        TEST(a_shutdown_in_the_child_leaves_the_parent_alone),
        TEST(at_any_moment),
    };
    return RUN_TESTS(tests, control_reset);
}
