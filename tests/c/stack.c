/* Calls of every kind work on a thread with a stack of 128 KiB, such as hosts give to fibers and to threads of small systems. */

#include "calls.h"

enum { STACK = 128 << 10 };

static void *live(void *call)
{
    fal_client *client = new_client();
    ((const struct call *)call)->make(client);
    fal_client_release(client);
    CHECK_INT(fal_shutdown(10000, NULL), FAL_OK);
    return NULL;
}

static void every_call_on_a_small_stack(void)
{
    pthread_attr_t small;
    pthread_attr_init(&small);
    CHECK_INT(pthread_attr_setstacksize(&small, STACK), 0);
    for (int i = 0; i < CALLS; i++) {
        pthread_t thread;
        struct call call = calls[i];
        if (CHECK_INT(pthread_create(&thread, &small, live, &call), 0))
            pthread_join(thread, NULL);
    }
    pthread_attr_destroy(&small);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {TEST(every_call_on_a_small_stack)};
    return RUN_TESTS(tests, control_reset);
}
