/* A host that loads libfal as a plug-in. Loading has no effect, and unloading leaves nothing behind. */

#include <signal.h>

#define FUNCTIONS(F) \
    F(fal_abi_version) F(fal_client_new) F(fal_client_release) F(fal_request_new) F(fal_request_set_int) F(fal_request_free) \
    F(fal_client_run) F(fal_client_run_start) F(fal_op_release) F(fal_response_free) F(fal_shutdown)
#include "library.h"

static bool load(void)
{
    return library_open(LIBRARY);
}

static bool mapped(void)
{
    return is_mapped("libfal.so");
}

static void loading_does_nothing(void)
{
    struct sigaction before[NSIG], after;
    for (int i = 1; i < NSIG; i++)
        if (sigaction(i, NULL, &before[i]) != 0)
            before[i].sa_handler = SIG_ERR;
    CHECK_INT(threads_alive(), 1);
    CHECK(!mapped());
    if (!load())
        return;
    CHECK(mapped());
    CHECK_INT(threads_alive(), 1);
    CHECK_INT(library.fal_abi_version(), FAL_ABI_VERSION);
    for (int i = 1; i < NSIG; i++)
        if (before[i].sa_handler != SIG_ERR && CHECK_INT(sigaction(i, NULL, &after), 0))
            CHECK(after.sa_handler == before[i].sa_handler);
    CHECK_INT(dlclose(library.handle), 0);
    CHECK(!mapped());
}

/* Loads the library, makes a call, shuts down and unloads it. */
static void *live(void *user)
{
    fal_client *client = NULL;
    fal_request *request = library_request("emulator/echo", 0);
    fal_response *response = NULL;
    CHECK_INT(library.fal_client_new(NULL, &client, NULL), FAL_OK);
    fal_status status = library.fal_client_run(client, request, &response, NULL);
    /* Another thread may shut down the runtime during this call. */
    CHECK(status == FAL_OK || (user && status == FAL_E_SHUT_DOWN));
    library.fal_response_free(response);
    library.fal_request_free(request);
    library.fal_client_release(client);
    CHECK_INT(library.fal_shutdown(10000, NULL), FAL_OK);
    return NULL;
}

/* Once the calling thread has ended, unloading removes the library from memory. */
static void it_can_be_unloaded_and_loaded_again(void)
{
    for (int i = 0; i < 5; i++) {
        if (!load())
            return;
        pthread_t thread;
        pthread_create(&thread, NULL, live, NULL);
        pthread_join(thread, NULL);
        CHECK_INT(threads_left(1), 1);
        CHECK_INT(dlclose(library.handle), 0);
        CHECK(!mapped());
        CHECK_INT(threads_alive(), 1);
    }
    CHECK_INT(arrived("path=/emulator/echo"), 5);
}

static int unloaded;

static void *live_on(void *user)
{
    live(user);
    (void)__sync_fetch_and_add((int *)user, 1);
    while (!__sync_fetch_and_add(&unloaded, 0))
        sleep_ms(1);
    return NULL;
}

/* Unloading removes the library from memory while a calling thread still runs, and removes that thread's destructors too. */
static void a_thread_that_called_it_may_end_after_it_was_unloaded(void)
{
    if (!load())
        return;
    int lived = 0;
    pthread_t thread;
    pthread_create(&thread, NULL, live_on, &lived);
    while (!__sync_fetch_and_add(&lived, 0))
        sleep_ms(1);
    CHECK_INT(dlclose(library.handle), 0);
    CHECK(!mapped());
    (void)__sync_fetch_and_add(&unloaded, 1);
    pthread_join(thread, NULL);
    CHECK_INT(threads_left(1), 1);
}

/* The main thread never ends, and does not keep the library in memory. */
static void the_main_thread_may_unload_it_and_use_it_again(void)
{
    for (int i = 0; i < 5; i++) {
        if (!load())
            return;
        live(NULL);
        CHECK_INT(threads_left(1), 1);
        CHECK_INT(dlclose(library.handle), 0);
        CHECK(!mapped());
    }
}

/* Threads end before, during and after the unloading. */
static void threads_may_end_while_it_is_unloaded(void)
{
    enum { THREADS = 4 };
    for (int i = 0; i < 20; i++) {
        if (!load())
            return;
        int lived = 0;
        unloaded = 0;
        pthread_t threads[THREADS];
        for (int n = 0; n < THREADS; n++)
            pthread_create(&threads[n], NULL, live_on, &lived);
        while (__sync_fetch_and_add(&lived, 0) < THREADS)
            sleep_ms(1);
        /* A thread may have started the runtime again after another thread's shutdown. */
        CHECK_INT(library.fal_shutdown(10000, NULL), FAL_OK);
        (void)__sync_fetch_and_add(&unloaded, 1);
        CHECK_INT(dlclose(library.handle), 0);
        CHECK(!mapped());
        for (int n = 0; n < THREADS; n++)
            pthread_join(threads[n], NULL);
    }
}

/* A shutdown with a timeout of zero that succeeds leaves no thread that is still starting or ending. */
static void it_can_be_unloaded_after_a_shutdown_without_time(void)
{
    for (unsigned i = 0; i < 200; i++) {
        if (!load())
            return;
        fal_client *client = NULL;
        CHECK_INT(library.fal_client_new(NULL, &client, NULL), FAL_OK);
        fal_op *op = library_start(library.fal_client_run_start, client, library_request("emulator/echo", 0));
        usleep(i % 50 * 10);
        if (library.fal_shutdown(0, NULL) != FAL_OK)
            CHECK_INT(library.fal_shutdown(10000, NULL), FAL_OK);
        library.fal_op_release(op);
        library.fal_client_release(client);
        CHECK_INT(dlclose(library.handle), 0);
        CHECK(!mapped());
    }
    CHECK_INT(threads_left(1), 1);
}

/* A host that forgets the shutdown. The library stays, and can be found again and shut down. */
static void it_stays_while_its_threads_run(void)
{
    if (!load())
        return;
    fal_client *client = NULL;
    CHECK_INT(library.fal_client_new(NULL, &client, NULL), FAL_OK);
    library.fal_op_release(library_start(library.fal_client_run_start, client, library_request("emulator/slow", 200)));
    library.fal_client_release(client);
    CHECK_INT(arrived("path=/emulator/slow&wait_for=1"), 1);
    CHECK_INT(dlclose(library.handle), 0);
    CHECK(mapped());
    CHECK_INT(arrived_with("path=/emulator/slow", "\"outcome\":200", 1), 1);
    if (!load())
        return;
    CHECK_INT(library.fal_shutdown(10000, NULL), FAL_OK);
    CHECK(mapped());
    CHECK_INT(dlclose(library.handle), 0);
    CHECK(!mapped());
    CHECK_INT(threads_left(1), 1);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(loading_does_nothing),
        TEST(it_can_be_unloaded_and_loaded_again),
        TEST(a_thread_that_called_it_may_end_after_it_was_unloaded),
        TEST(the_main_thread_may_unload_it_and_use_it_again),
        TEST(threads_may_end_while_it_is_unloaded),
        TEST(it_can_be_unloaded_after_a_shutdown_without_time),
        TEST(it_stays_while_its_threads_run),
    };
    return RUN_TESTS(tests, control_reset);
}
