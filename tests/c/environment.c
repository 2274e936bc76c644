/* A host may set environment variables during calls. The C library does not allow another thread to read them at that time,
 * so the library's own threads never do. */

#include "support.h"

extern char **environ;

static pthread_t host;
static int read_elsewhere;
static char read_name[64];

/* Replaces getenv() of the C library, for libfal too. */
char *getenv(const char *name)
{
    if (!pthread_equal(pthread_self(), host) && __sync_fetch_and_add(&read_elsewhere, 1) == 0)
        snprintf(read_name, sizeof read_name, "%s", name);
    size_t len = strlen(name);
    for (char **entry = environ; *entry; entry++)
        if (strncmp(*entry, name, len) == 0 && (*entry)[len] == '=')
            return *entry + len + 1;
    return NULL;
}

static void nothing_was_read_elsewhere(const char *when)
{
    check_record(read_elsewhere == 0, __FILE__, __LINE__, when, read_name);
    read_elsewhere = 0;
}

static void calls_read_variables_on_the_thread_that_starts_them(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    CHECK_INT(outcome_of(client, run_of("emulator/echo")), FAL_OK);
    nothing_was_read_elsewhere("run");
    fal_response *response = NULL;
    fal_request *job = run_of("emulator/job");
    CHECK_OK(fal_client_subscribe(client, job, &response, &err));
    fal_request_free(job);
    fal_response_free(response);
    nothing_was_read_elsewhere("subscribe");
    fal_upload *upload = NULL;
    CHECK_OK(fal_upload_new_bytes("x", 1, NULL, NULL, &upload, &err));
    CHECK_OK(fal_client_upload(client, upload, &response, &err));
    fal_upload_free(upload);
    fal_response_free(response);
    nothing_was_read_elsewhere("upload");
    CHECK_OK(fal_client_check(client, &response, &err));
    fal_response_free(response);
    nothing_was_read_elsewhere("check");
    fal_client_release(client);
    CHECK_OK(fal_shutdown(-1, &err));
    nothing_was_read_elsewhere("shutdown");
}

/* After fal refuses a key, the library reads the sources again. The next call uses a key that was set in the meantime. */
static void what_is_set_meanwhile_counts_for_the_next_call(void)
{
    char key[256];
    snprintf(key, sizeof key, "%s", control_variable("FAL_KEY"));
    fal_client *client = new_client();
    unsetenv("FAL_KEY");
    CHECK_INT(outcome_of(client, run_of("emulator/echo")), FAL_E_NO_CREDENTIALS);
    setenv("FAL_KEY", "fake-id:fake-secret-that-nobody-has", 1);
    CHECK_INT(outcome_of(client, run_of("emulator/echo")), FAL_E_UNAUTHENTICATED);
    setenv("FAL_KEY", key, 1);
    CHECK_INT(outcome_of(client, run_of("emulator/echo")), FAL_OK);
    nothing_was_read_elsewhere("a key that was set late");
    fal_client_release(client);
}

static bool keep_setting;

static void *set_until_told(void *unused)
{
    char name[32];
    for (int i = 0; __sync_fetch_and_add((char *)&keep_setting, 0); i++) {
        snprintf(name, sizeof name, "FAKE_VARIABLE_%d", i % 500);
        setenv(name, "a value of some length, so that the memory moves", 1);
        if (i % 500 == 499)
            for (int n = 0; n < 500; n++) {
                snprintf(name, sizeof name, "FAKE_VARIABLE_%d", n);
                unsetenv(name);
            }
    }
    return unused;
}

/* Starting a call reads variables, so the host sets them only while the call runs. */
static void the_host_sets_variables_while_calls_run(void)
{
    fal_client *client = new_client();
    for (int i = 0; i < 50; i++) {
        fal_op *op = start(client, slow_of(10));
        pthread_t thread;
        keep_setting = true;
        pthread_create(&thread, NULL, set_until_told, NULL);
        CHECK_INT(fal_op_wait(op, -1, NULL), FAL_OK);
        (void)__sync_lock_test_and_set((char *)&keep_setting, 0);
        pthread_join(thread, NULL);
        fal_response *response = NULL;
        CHECK_INT(fal_op_take(op, &response, NULL), FAL_OK);
        fal_response_free(response);
        fal_op_release(op);
    }
    fal_client_release(client);
    nothing_was_read_elsewhere("calls beside setenv");
}

static void before_each(void)
{
    host = pthread_self();
    control_reset();
    read_elsewhere = 0;
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(calls_read_variables_on_the_thread_that_starts_them),
        TEST(what_is_set_meanwhile_counts_for_the_next_call),
        TEST(the_host_sets_variables_while_calls_run),
    };
    host = pthread_self();
    return RUN_TESTS(tests, before_each);
}
