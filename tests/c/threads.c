/* Many threads share one client, and each receives its own response. */

#include "support.h"

enum { THREADS = 64, CALLS = 100 };

struct caller {
    fal_client *client;
    int number;
};

static void *call_often(void *user)
{
    struct caller *caller = user;
    fal_error *err = NULL;
    fal_request *request = run_of("emulator/echo");
    for (int64_t i = 0; i < CALLS; i++) {
        int64_t value = caller->number * 1000000 + i, answer = -1;
        fal_response *response = NULL;
        CHECK_OK(fal_request_set_int(request, "value", FAL_NUL, value, &err));
        CHECK_OK(fal_client_run(caller->client, request, &response, &err));
        CHECK_OK(fal_response_get_int(response, "/body/value", FAL_NUL, &answer, &err));
        CHECK_INT(answer, value);
        fal_response_free(response);
    }
    fal_request_free(request);
    return NULL;
}

static void each_thread_gets_its_own_answer(void)
{
    fal_client *client = new_client();
    pthread_t threads[THREADS];
    struct caller callers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        callers[i].client = client;
        callers[i].number = i;
        CHECK_INT(pthread_create(&threads[i], NULL, call_often, &callers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK_INT(executions("emulator/echo"), THREADS * CALLS);
    fal_client_release(client);
}

/* Each thread makes and releases a client while the runtime starts. */
static void *with_a_client_of_its_own(void *user)
{
    (void)user;
    fal_client *client = new_client();
    CHECK_INT(outcome_of(client, run_of("emulator/echo")), FAL_OK);
    fal_client_release(client);
    return NULL;
}

static void the_first_call_may_come_from_all_at_once(void)
{
    fal_error *err = NULL;
    for (int round = 0; round < 10; round++) {
        CHECK_OK(fal_shutdown(10000, &err));
        pthread_t threads[16];
        for (int i = 0; i < 16; i++)
            pthread_create(&threads[i], NULL, with_a_client_of_its_own, NULL);
        for (int i = 0; i < 16; i++)
            pthread_join(threads[i], NULL);
    }
    CHECK_OK(fal_shutdown(10000, &err));
    CHECK_INT(threads_left(1), 1);
}

/* A host with a thousand threads that all call at the same moment. ThreadSanitizer is too slow for them. */
#ifdef __SANITIZE_THREAD__
enum { CROWD = 100 };
#else
enum { CROWD = 1000 };
#endif

struct crowd {
    fal_client *client;
    pthread_barrier_t barrier;
};

static void *call_with_the_crowd(void *user)
{
    struct crowd *crowd = user;
    pthread_barrier_wait(&crowd->barrier);
    CHECK_INT(outcome_of(crowd->client, run_of("emulator/echo")), FAL_OK);
    return NULL;
}

static void a_thousand_threads_call_at_once(void)
{
    static pthread_t threads[CROWD];
    struct crowd crowd = {.client = new_client()};
    pthread_attr_t small;
    pthread_barrier_init(&crowd.barrier, NULL, CROWD + 1);
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 256 << 10);
    long before = executions("emulator/echo");
    for (int i = 0; i < CROWD; i++)
        if (!CHECK_INT(pthread_create(&threads[i], &small, call_with_the_crowd, &crowd), 0))
            control_die("pthread_create");
    CHECK(threads_alive() > CROWD);
    pthread_barrier_wait(&crowd.barrier);
    for (int i = 0; i < CROWD; i++)
        pthread_join(threads[i], NULL);
    CHECK_INT(executions("emulator/echo") - before, CROWD);
    pthread_attr_destroy(&small);
    pthread_barrier_destroy(&crowd.barrier);
    fal_client_release(crowd.client);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(each_thread_gets_its_own_answer),
        TEST(a_thousand_threads_call_at_once),
        TEST(the_first_call_may_come_from_all_at_once),
    };
    return RUN_TESTS(tests, control_reset);
}
