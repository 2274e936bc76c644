/* The library writes nothing to standard output or standard error, whatever goes wrong. */

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "support.h"

/* Misuses and failures of many kinds. The function itself prints nothing. */
static int bad_day(void)
{
    fal_client *client = new_client();
    fal_status got[6];
    got[0] = outcome_of(client, run_of("emulator/echo"));
    got[1] = outcome_of(client, run_of("no/such"));
    got[2] = fal_client_run(NULL, NULL, NULL, NULL);
    fault("{\"path\": \"/emulator/echo\", \"action\": {\"type\": \"malformed_http\"}}");
    got[3] = outcome_of(client, run_of("emulator/echo"));
    fal_options *options = fal_options_new();
    (void)fal_options_set_key(options, "half-a-key", FAL_NUL, NULL);
    fal_client *keyless = client_of(options);
    got[4] = outcome_of(keyless, run_of("emulator/echo"));
    fal_op *op = start(client, slow_of(60000));
    got[5] = fal_shutdown(10000, NULL);
    fal_op_release(op);
    fal_client_release(client);
    fal_client_release(keyless);
    static const fal_status expected[6] = {FAL_OK, FAL_E_NOT_FOUND, FAL_E_INVALID_ARGUMENT, FAL_E_PROTOCOL,
                                           FAL_E_MALFORMED_CREDENTIALS, FAL_OK};
    return memcmp(got, expected, sizeof got) == 0 ? 0 : 1;
}

static long size_of(const char *path)
{
    struct stat file;
    return stat(path, &file) == 0 ? (long)file.st_size : -1;
}

static void a_bad_day_is_silent(void)
{
    char out[] = "/tmp/fal-out-XXXXXX", errors[] = "/tmp/fal-err-XXXXXX";
    int out_fd = mkstemp(out), errors_fd = mkstemp(errors);
    CHECK(out_fd >= 0 && errors_fd >= 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        dup2(out_fd, STDOUT_FILENO);
        dup2(errors_fd, STDERR_FILENO);
        unsetenv("TEST_LOGS");
        setenv("RUST_LOG", "trace", 1);
        setenv("RUST_BACKTRACE", "1", 1);
        execl("/proc/self/exe", "silence", "--bad-day", (char *)NULL);
        _exit(97);
    }
    int status = -1;
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), 0);
    CHECK_INT(size_of(out), 0);
    CHECK_INT(size_of(errors), 0);
    close(out_fd);
    close(errors_fd);
    unlink(out);
    unlink(errors);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--bad-day") == 0)
        return bad_day();
    static const struct test tests[] = {TEST(a_bad_day_is_silent)};
    return RUN_TESTS(tests, control_reset);
}
