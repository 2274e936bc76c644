/* Signals: the library changes no signal handler and raises no signal. */

#include <signal.h>
#include <sys/time.h>

#include "calls.h"

enum { LARGE = 8 << 20 };

/* The emulator resets a POST while the library still writes it. */
static void a_connection_that_breaks_while_it_is_written_to(void)
{
    struct sigaction action;
    CHECK_INT(sigaction(SIGPIPE, NULL, &action), 0);
    CHECK(action.sa_handler == SIG_DFL);
    fault("{\"path\": \"/emulator/echo\", \"times\": null, \"action\": {\"type\": \"reset\", \"when\": \"before_body\"}}");
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_request *request = run_of("emulator/echo");
    char *body = calloc(1, LARGE);
    CHECK_OK(fal_request_set_body(request, body, LARGE, "application/octet-stream", FAL_NUL, &err));
    free(body);
    for (int i = 0; i < 10; i++) {
        fal_response *response = NULL;
        CHECK_STATUS(fal_client_run(client, request, &response, &err), FAL_E_CONNECTION_LOST);
        CHECK(fal_error_may_have_executed(err));
        fal_error_free(err);
        err = NULL;
    }
    CHECK_INT(arrived("path=/emulator/echo"), 10);
    fal_request_free(request);
    fal_client_release(client);
}

/* The host's dispositions and signal mask do not change. */
static void dispositions_and_mask_stay(void)
{
    struct sigaction before[NSIG], after;
    sigset_t mask_before, mask_after;
    for (int i = 1; i < NSIG; i++)
        if (sigaction(i, NULL, &before[i]) != 0)
            before[i].sa_handler = SIG_ERR;
    pthread_sigmask(SIG_SETMASK, NULL, &mask_before);
    fal_error *err = NULL;
    fal_client *client = new_client();
    CHECK_INT(outcome_of(client, run_of("emulator/echo")), FAL_OK);
    CHECK_INT(outcome_of(client, run_of("no/such")), FAL_E_NOT_FOUND);
    CHECK_OK(fal_shutdown(10000, &err));
    CHECK_INT(outcome_of(client, run_of("emulator/echo")), FAL_OK);
    for (int i = 1; i < NSIG; i++)
        if (before[i].sa_handler != SIG_ERR && CHECK_INT(sigaction(i, NULL, &after), 0)) {
            CHECK(after.sa_handler == before[i].sa_handler);
            CHECK_INT(after.sa_flags, before[i].sa_flags);
        }
    pthread_sigmask(SIG_SETMASK, NULL, &mask_after);
    for (int i = 1; i < NSIG; i++)
        CHECK_INT(sigismember(&mask_after, i), sigismember(&mask_before, i));
    fal_client_release(client);
}

static pthread_t main_thread;
static int caught;

static void catch(int number)
{
    (void)number;
    if (pthread_equal(main_thread, pthread_self()))
        caught++;
}

/* The host's handlers run during a call, and the call continues. */
static void a_handler_of_the_host_interrupts_nothing(void)
{
    struct sigaction action, old;
    memset(&action, 0, sizeof action);
    action.sa_handler = catch;
    main_thread = pthread_self();
    CHECK_INT(sigaction(SIGUSR1, &action, &old), 0);
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_op *op = start(client, slow_of(300));
    for (int i = 0; i < 20; i++) {
        pthread_kill(main_thread, SIGUSR1);
        fal_status status = fal_op_wait(op, 5, &err);
        CHECK(status == FAL_OK || status == FAL_PENDING);
    }
    CHECK_OK(fal_op_wait(op, 10000, &err));
    fal_response *response = NULL;
    CHECK_OK(fal_op_take(op, &response, &err));
    CHECK_INT(caught, 20);
    fal_response_free(response);
    fal_op_release(op);
    sigaction(SIGUSR1, &old, NULL);
    fal_client_release(client);
}

/* The interval of the storm. Under ThreadSanitizer nothing else would run. */
#ifdef __SANITIZE_THREAD__
enum { OFTEN_US = 10000 };
#else
enum { OFTEN_US = 100 };
#endif

/* Each wait of the calling thread is interrupted many times, and no system call is restarted for it. */
static void calls_of_every_kind_under_a_storm_of_signals(void)
{
    struct sigaction action, old;
    const struct itimerval often = {{0, OFTEN_US}, {0, OFTEN_US}}, never = {{0, 0}, {0, 0}};
    memset(&action, 0, sizeof action);
    action.sa_handler = catch;
    main_thread = pthread_self();
    fal_client *client = new_client();
    CHECK_INT(sigaction(SIGALRM, &action, &old), 0);
    for (int i = 0; i < CALLS; i++) {
        caught = 0;
        CHECK_INT(setitimer(ITIMER_REAL, &often, NULL), 0);
        calls[i].make(client);
        CHECK_INT(outcome_of(client, slow_of(50)), FAL_OK);
        CHECK_INT(setitimer(ITIMER_REAL, &never, NULL), 0);
        CHECK(caught > 0);
    }
    CHECK_INT(fal_shutdown(10000, NULL), FAL_OK);
    sigaction(SIGALRM, &old, NULL);
    fal_client_release(client);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(dispositions_and_mask_stay),
        TEST(a_connection_that_breaks_while_it_is_written_to),
        TEST(a_handler_of_the_host_interrupts_nothing),
        TEST(calls_of_every_kind_under_a_storm_of_signals),
    };
    return RUN_TESTS(tests, control_reset);
}
