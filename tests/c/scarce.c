/* When no memory is left, copying data for the host or from it fails with an error. */

#include "support.h"

#include <sys/resource.h>

#define LONG ((size_t)64 << 20)

static void limit_memory(rlim_t most)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit))
        control_die("getrlimit");
    limit.rlim_cur = most;
    if (setrlimit(RLIMIT_AS, &limit))
        control_die("setrlimit");
}

/* Returns the current size of the address space plus `more` bytes. */
static rlim_t there_and(size_t more)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%lu", &pages) != 1)
        control_die("statm");
    fclose(file);
    return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + more;
}

#define CHECK_NO_MEMORY(call)                                                                                                              \
    do {                                                                                                                                   \
        CHECK_STATUS(call, FAL_E_IO);                                                                                                      \
        CHECK(err && strstr(fal_error_message(err, NULL), "cannot allocate "));                                                      \
        fal_error_free(err);                                                                                                               \
        err = NULL;                                                                                                                        \
    } while (0)

static void what_is_given(char *text)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_request *request = run_of("emulator/echo");
    fal_webhook *webhook = NULL;
    fal_upload *upload = NULL;
    char *json = text;
    limit_memory(there_and(LONG / 4));
    CHECK_NO_MEMORY(fal_request_set_string(request, "a", FAL_NUL, text, LONG, &err));
    CHECK_NO_MEMORY(fal_request_set_bytes(request, "a", FAL_NUL, text, LONG, &err));
    CHECK_NO_MEMORY(fal_request_set_body(request, text, LONG, "text/plain", FAL_NUL, &err));
    CHECK_NO_MEMORY(fal_request_set_file_bytes(request, "a", FAL_NUL, text, LONG, "text/plain", FAL_NUL, &err));
    CHECK_NO_MEMORY(fal_webhook_new(text, LONG, &webhook, &err));
    CHECK_NO_MEMORY(fal_upload_new_bytes(text, LONG, NULL, NULL, &upload, &err));
    json[0] = json[LONG - 1] = '"';
    CHECK_NO_MEMORY(fal_request_set_json(request, "a", FAL_NUL, json, LONG, &err));
    CHECK_NO_MEMORY(fal_request_set_body_json(request, json, LONG, &err));
    limit_memory(RLIM_INFINITY);
    CHECK(!webhook && !upload);
    CHECK_OK(fal_request_set_json(request, "a", FAL_NUL, json, LONG, &err));
    fal_request_free(request);
    fal_client_release(client);
}

static void what_is_lent(char *text)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_request *request = run_of("emulator/echo");
    size_t half = LONG / 4;
    text[half] = 0;
    CHECK_OK(fal_request_set_string(request, "a", FAL_NUL, text, half, &err));
    fal_response *response = NULL;
    CHECK_OK(fal_client_run(client, request, &response, &err));
    fal_request_free(request);
    const char *out = NULL;
    size_t len = 1;
    /* The tree is built at the first access. */
    limit_memory(there_and(half / 4));
    CHECK_NO_MEMORY(fal_response_get_string(response, "/body/a", FAL_NUL, &out, &len, &err));
    CHECK(!fal_response_has(response, "/body/a", FAL_NUL));
    limit_memory(RLIM_INFINITY);
    CHECK(fal_response_has(response, "/body/a", FAL_NUL));
    limit_memory(there_and(half / 4));
    CHECK_NO_MEMORY(fal_response_get_string(response, "/body/a", FAL_NUL, &out, &len, &err));
    CHECK(!out && len == 0);
    CHECK_NO_MEMORY(fal_response_get_json(response, "/body/a", FAL_NUL, &out, &len, &err));
    CHECK_NO_MEMORY(fal_response_get_text(response, &out, &len, &err));
    limit_memory(RLIM_INFINITY);
    CHECK_OK(fal_response_get_string(response, "/body/a", FAL_NUL, &out, &len, &err));
    CHECK(len == half && memcmp(out, text, half + 1) == 0);
    CHECK_OK(fal_response_get_text(response, &out, &len, &err));
    CHECK(len > half && strlen(out) == len);
    fal_response_free(response);
    fal_client_release(client);
}

static void what_is_given_and_lent(void)
{
/* A sanitizer needs far more memory than this limit. */
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
    (void)what_is_given, (void)what_is_lent;
#else
    char *text = malloc(LONG + 1);
    if (!text)
        control_die("malloc");
    memset(text, 'x', LONG);
    text[LONG] = 0;
    what_is_given(text);
    memset(text, 'x', LONG);
    what_is_lent(text);
    free(text);
#endif
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {TEST(what_is_given_and_lent)};
    return RUN_TESTS(tests, control_reset);
}
