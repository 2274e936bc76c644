/* Every function that takes a time follows the one rule at the top of the header. */

#include "support.h"

static fal_options *options;
static fal_request *request;
static fal_upload *upload;
static fal_download *download;
static fal_job *job;

/* Functions that set a timeout. start_timeout is sent to fal, which accepts only more than one second. */
#define SETTERS(S) \
    S(fal_options_set_timeout_ms, options) S(fal_options_set_stall_timeout_ms, options) \
    S(fal_request_set_timeout_ms, request) S(fal_request_set_start_timeout_ms, request) \
    S(fal_job_set_timeout_ms, job) S(fal_upload_set_timeout_ms, upload) S(fal_download_set_timeout_ms, download)

/* Functions that wait, and those that take the lifetime of a credential. */
#define OTHERS(O) \
    O(fal_op_wait) O(fal_op_next_event) O(fal_shutdown) O(fal_dispatcher_run) O(fal_credential_request_give_key) \
    O(fal_credential_request_give_app_token) O(fal_log_flush) O(fal_op_wait_any) O(fal_dispatcher_wait) O(fal_dispatcher_next)

static const int64_t unlimited[] = {-1, INT64_MIN, INT64_MAX};
#define UNLIMITED (sizeof unlimited / sizeof *unlimited)

static void make_objects(void)
{
    fal_error *err = NULL;
    options = fal_options_new();
    request = run_of("emulator/echo");
    must(fal_upload_new_bytes("x", 1, NULL, NULL, &upload, &err), err, "upload");
    must(fal_download_new("https://v3.fal.media/files/a/b", FAL_NUL, &download, &err), err, "download");
    must(fal_job_new("emulator/echo", FAL_NUL, "fake-id", FAL_NUL, &job, &err), err, "job");
}

static void free_objects(void)
{
    fal_options_free(options);
    fal_request_free(request);
    fal_upload_free(upload);
    fal_download_free(download);
    fal_job_free(job);
}

static void what_something_may_take_is_a_time_or_without_a_limit(void)
{
    fal_error *err = NULL;
    make_objects();
#define TRY(set, object) \
    CHECK_FAILS(set(object, 0, &err), FAL_E_INVALID_ARGUMENT); \
    CHECK_OK(set(object, 2000, &err)); \
    for (size_t i = 0; i < UNLIMITED; i++) \
        CHECK_OK(set(object, unlimited[i], &err));
    SETTERS(TRY)
    /* A call with these timeouts succeeds. */
    fal_client *client = client_of(options);
    options = NULL;
    for (size_t i = 0; i < UNLIMITED; i++) {
        fal_request *run = run_of("emulator/echo");
        CHECK_OK(fal_request_set_timeout_ms(run, unlimited[i], &err));
        CHECK_INT(outcome_of(client, run), FAL_OK);
    }
    fal_client_release(client);
    free_objects();
}

static void a_wait_of_zero_does_not_wait_and_a_negative_one_has_no_limit(void)
{
    fal_error *err = NULL;
    fal_event *event = NULL;
    fal_client *client = new_client();
    fal_dispatcher *dispatcher = fal_dispatcher_new();
    for (size_t i = 0; i < UNLIMITED; i++) {
        fal_op *op = start(client, slow_of(300));
        fal_op *read = NULL;
        const fal_op *ops[] = {op};
        size_t index = 9;
        CHECK_OK(fal_op_watch(op, dispatcher, NULL, &err));
        CHECK_INT(fal_op_wait_any(ops, 1, 0, &index, &err), FAL_PENDING);
        CHECK_INT(fal_dispatcher_wait(dispatcher, 0, &err), FAL_PENDING);
        CHECK_INT(fal_dispatcher_next(dispatcher, 0, &read, &event, NULL, &err), FAL_PENDING);
        CHECK_INT(fal_op_wait(op, 0, &err), FAL_PENDING);
        CHECK_INT(fal_op_next_event(op, 0, &event, &err), FAL_PENDING);
        CHECK(!fal_op_is_done(op));
        if (i == 0)
            CHECK_OK(fal_op_next_event(op, unlimited[i], &event, &err));
        if (i == 1)
            CHECK_OK(fal_op_wait_any(ops, 1, unlimited[i], &index, &err));
        if (i == 2)
            CHECK_OK(fal_dispatcher_wait(dispatcher, unlimited[i], &err));
        CHECK_OK(fal_dispatcher_next(dispatcher, unlimited[i], &read, &event, NULL, &err));
        CHECK(read == op && event == NULL);
        fal_op_release(read);
        CHECK_OK(fal_op_wait(op, unlimited[i], &err));
        CHECK_OK(fal_op_next_event(op, unlimited[i], &event, &err));
        CHECK(event == NULL);
        CHECK(fal_op_is_done(op));
        CHECK_INT(fal_op_wait(op, 0, &err), FAL_OK);
        fal_op_release(op);
    }
    fal_dispatcher_release(dispatcher);
    fal_client_release(client);
}

static void a_shutdown_may_have_no_limit_or_no_time(void)
{
    fal_error *err = NULL;
    for (size_t i = 0; i < UNLIMITED; i++) {
        fal_client *client = new_client();
        CHECK_INT(outcome_of(client, run_of("emulator/echo")), FAL_OK);
        fal_client_release(client);
        CHECK_OK(fal_shutdown(unlimited[i], &err));
        CHECK_INT(threads_left(1), 1);
    }
    fal_client *client = new_client();
    CHECK_INT(outcome_of(client, run_of("emulator/echo")), FAL_OK);
    fal_client_release(client);
    fal_status status = fal_shutdown(0, NULL);
    CHECK(status == FAL_OK || status == FAL_E_DEADLINE);
    CHECK_OK(fal_shutdown(-1, &err));
    CHECK_INT(threads_left(1), 1);
}

static void count_line(fal_log_level level, const char *target, const char *message, size_t len, void *lines)
{
    (void)level, (void)target, (void)message, (void)len;
    sleep_ms(50);
    ++*(int *)lines;
}

static void a_flush_of_the_log_waits_not_at_all_or_for_all(void)
{
    fal_error *err = NULL;
    CHECK_OK(fal_log_flush(0, &err));
    for (size_t i = 0; i < UNLIMITED; i++) {
        int lines = 0;
        fal_options *logging = fal_options_new();
        CHECK_OK(fal_options_set_log(logging, FAL_LOG_DEBUG, count_line, NULL, &lines, &err));
        fal_client *client = client_of(logging);
        CHECK_INT(outcome_of(client, run_of("emulator/echo")), FAL_OK);
        CHECK_FAILS(fal_log_flush(0, &err), FAL_E_DEADLINE);
        CHECK_OK(fal_log_flush(unlimited[i], &err));
        CHECK_INT(lines, 3);
        fal_client_release(client);
    }
}

static void called(fal_op *op, void *count)
{
    (void)op;
    ++*(int *)count;
}

static void a_budget_of_zero_is_used_up_by_one_callback(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_dispatcher *dispatcher = fal_dispatcher_new();
    int count = 0;
    for (size_t i = 0; i < UNLIMITED + 1; i++) {
        int64_t budget = i < UNLIMITED ? unlimited[i] : 0;
        for (int n = 0; n < 3; n++) {
            fal_op *op = start(client, run_of("emulator/echo"));
            CHECK_OK(fal_op_when_done(op, dispatcher, called, NULL, &count, &err));
            CHECK_OK(fal_op_wait(op, 20000, &err));
            fal_op_release(op);
        }
        /* The callback is queued a moment after the operation has ended. */
        size_t ran = 0, sum = 0;
        for (int64_t end = now_ms() + 20000; sum < 3 && now_ms() < end; sum += ran) {
            CHECK_OK(fal_dispatcher_run(dispatcher, 10, budget, &ran, &err));
            CHECK(budget != 0 || ran <= 1);
        }
        CHECK_INT((int64_t)sum, 3);
    }
    CHECK_INT(count, 3 * (int)(UNLIMITED + 1));
    fal_dispatcher_release(dispatcher);
    fal_client_release(client);
}

struct giver {
    int64_t expires_in_ms;
    int asked;
};

static void give(fal_credential_request *question, void *user)
{
    struct giver *giver = user;
    giver->asked++;
    CHECK_INT(fal_credential_request_give_key(question, control_variable("FAL_KEY"), FAL_NUL, giver->expires_in_ms, NULL), FAL_OK);
}

static void give_token(fal_credential_request *question, void *user)
{
    struct giver *giver = user;
    giver->asked++;
    CHECK_INT(fal_credential_request_give_app_token(question, "fake-token", FAL_NUL, giver->expires_in_ms, NULL), FAL_OK);
}

/* A credential without expiry is requested once; one that expires at once is requested for each call. */
static void a_credential_may_be_good_for_ever_or_for_no_time(void)
{
    for (size_t i = 0; i < 2 * (UNLIMITED + 1); i++) {
        size_t which = i / 2;
        struct giver giver = {which < UNLIMITED ? unlimited[which] : 0, 0};
        fal_options *asking = fal_options_new();
        fal_error *err = NULL;
        CHECK_OK(fal_options_set_credential_callback(asking, i % 2 ? give_token : give, NULL, &giver, &err));
        fal_client *client = client_of(asking);
        for (int n = 0; n < 2; n++) {
            fal_status status = outcome_of(client, run_of("emulator/echo"));
            CHECK(i % 2 || status == FAL_OK);
        }
        CHECK(which < UNLIMITED ? i % 2 || giver.asked == 1 : giver.asked >= 2);
        fal_client_release(client);
    }
}

/* This file must name every function that takes a time. */
static void no_function_is_left_out(void)
{
    FILE *file = fopen(HEADER, "r");
    static char header[1 << 20];
    size_t size = file ? fread(header, 1, sizeof header - 1, file) : 0;
    header[size] = 0;
    if (file)
        fclose(file);
    CHECK(size > 0);
    for (char *comment = header; (comment = strstr(comment, "\n//")) != NULL;)
        memset(comment + 1, ' ', strcspn(comment + 1, "\n"));
    int taken = count_of(header, "_ms,\n") + count_of(header, "_ms, ") + count_of(header, "_us,\n") + count_of(header, "_us, ");
    /* Ping intervals are unsigned; 0 turns pings off. */
    int pings = count_of(header, "uint32_t ping_ms");
    int known = 0;
#define COUNT(...) known++;
    SETTERS(COUNT)
    OTHERS(COUNT)
    CHECK_INT(taken - pings, known);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(what_something_may_take_is_a_time_or_without_a_limit),
        TEST(a_wait_of_zero_does_not_wait_and_a_negative_one_has_no_limit),
        TEST(a_shutdown_may_have_no_limit_or_no_time),
        TEST(a_flush_of_the_log_waits_not_at_all_or_for_all),
        TEST(a_budget_of_zero_is_used_up_by_one_callback),
        TEST(a_credential_may_be_good_for_ever_or_for_no_time),
        TEST(no_function_is_left_out),
    };
    return RUN_TESTS(tests, control_reset);
}
