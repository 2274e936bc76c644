/* Connections that break, stall, send false data or redirect to other hosts. */

#include "support.h"

/* A listener that counts connections. None may arrive. */
struct trap {
    int fd;
    unsigned short port;
    int visitors;
    pthread_t thread;
};

static int bound_socket(unsigned short *port)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0
        || getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        control_die("no free port");
    *port = ntohs(address.sin_port);
    return fd;
}

static void *count_visitors(void *user)
{
    struct trap *trap = user;
    for (;;) {
        int visitor = accept(trap->fd, NULL, NULL);
        if (visitor < 0)
            return NULL;
        (void)__sync_fetch_and_add(&trap->visitors, 1);
        close(visitor);
    }
}

static void set_trap(struct trap *trap)
{
    trap->fd = bound_socket(&trap->port);
    trap->visitors = 0;
    if (listen(trap->fd, 8) != 0)
        control_die("listen");
    pthread_create(&trap->thread, NULL, count_visitors, trap);
}

static int take_trap(struct trap *trap)
{
    shutdown(trap->fd, SHUT_RDWR);
    pthread_join(trap->thread, NULL);
    close(trap->fd);
    return trap->visitors;
}

static fal_client *client_with_attempts(uint32_t attempts)
{
    fal_error *err = NULL;
    fal_options *options = fal_options_new();
    CHECK_OK(fal_options_set_max_attempts(options, attempts, &err));
    return client_of(options);
}

static fal_error *run_failure(const fal_client *client, const char *endpoint, fal_status expected)
{
    fal_error *err = NULL;
    fal_response *response = NULL;
    fal_request *request = run_of(endpoint);
    CHECK_STATUS(fal_client_run(client, request, &response, &err), expected);
    CHECK(response == NULL);
    fal_request_free(request);
    return err;
}

static fal_error *send_failure(const fal_client *client, const char *method, const char *url, fal_status expected)
{
    fal_error *err = NULL;
    fal_response *response = NULL;
    fal_request *request = http_of(method, url);
    CHECK_STATUS(fal_client_send(client, request, &response, &err), expected);
    CHECK(response == NULL);
    fal_request_free(request);
    return err;
}

static void a_redirect_to_elsewhere_is_not_followed(void)
{
    struct trap trap;
    set_trap(&trap);
    char here[64];
    snprintf(here, sizeof here, "http://127.0.0.1:%u/stolen", trap.port);
    const char *const places[] = {here, "https://evil.example/", "https://fal.run:8443/acme/public", "http://fal.run/acme/public",
                                  "https://queue.fal.run/acme/public", "https://user@fal.run/", "//evil.example/x"};
    static const int statuses[] = {301, 302, 303, 307, 308};
    fal_client *client = new_client();
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        for (size_t j = 0; j < sizeof statuses / sizeof *statuses; j++) {
            char json[256];
            control_reset();
            snprintf(json, sizeof json, "{\"times\": null, \"action\": {\"type\": \"redirect\", \"location\": \"%s\", \"status\": %d}}",
                     places[i], statuses[j]);
            fault(json);
            fal_error *err = send_failure(client, "GET", "https://fal.run/acme/public", FAL_E_REDIRECT);
            CHECK_INT(fal_error_http_status(err), statuses[j]);
            CHECK_TEXT(fal_error_header(err, "location", FAL_NUL, NULL), places[i]);
            fal_error_free(err);
            fal_error_free(run_failure(client, "emulator/echo", FAL_E_REDIRECT));
            CHECK_INT(arrived(""), 2);
        }
    CHECK_INT(take_trap(&trap), 0);
    fal_client_release(client);
}

static void a_redirect_within_fal_is_followed_by_get(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fault("{\"path\": \"/acme/public\", \"action\": {\"type\": \"redirect\", \"location\": \"/emulator/echo\", \"status\": 307}}");
    fal_request *request = http_of("GET", "https://fal.run/acme/public");
    fal_response *response = NULL;
    CHECK_OK(fal_client_send(client, request, &response, &err));
    const char *path = NULL;
    CHECK_OK(fal_response_get_string(response, "/path", FAL_NUL, &path, NULL, &err));
    CHECK_TEXT(path, "/emulator/echo");
    CHECK_INT(arrived_with("path=/emulator/echo", "\"had_key\":true", 1), 1);
    fal_response_free(response);
    fal_request_free(request);

    fault("{\"path\": \"/acme/shared\", \"action\": {\"type\": \"redirect\", \"location\": \"/emulator/echo\", \"status\": 307}}");
    fal_error_free(run_failure(client, "acme/shared", FAL_E_REDIRECT));
    CHECK_INT(arrived("path=/emulator/echo"), 1);
    fal_client_release(client);
}

static void a_foreign_address_sees_nothing(void)
{
    struct trap trap;
    set_trap(&trap);
    char here[64];
    snprintf(here, sizeof here, "http://127.0.0.1:%u/", trap.port);
    const char *const places[] = {here, "https://example.com/", "http://fal.run/emulator/echo", "https://fal.run:8443/",
                                  "https://user:pw@fal.run/", "https://fal.run.evil.example/", "file:///etc/passwd",
                                  "ftp://fal.run/", "data:text/plain,x"};
    fal_client *client = new_client();
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        fal_error_free(send_failure(client, "GET", places[i], FAL_E_FOREIGN_ORIGIN));
    CHECK_INT(arrived(""), 0);
    CHECK_INT(take_trap(&trap), 0);
    fal_client_release(client);
}

static void a_post_whose_answer_is_lost_is_not_repeated(void)
{
    static const struct {
        const char *action;
        fal_status status;
        bool runs;
    } rows[] = {
        {"{\"type\": \"reset\", \"when\": \"after_body\"}", FAL_E_CONNECTION_LOST, true},
        {"{\"type\": \"reset\", \"when\": \"before_body\"}", FAL_E_CONNECTION_LOST, false},
        {"{\"type\": \"close\"}", FAL_E_CONNECTION_LOST, true},
        {"{\"type\": \"truncate\", \"bytes\": 10}", FAL_E_CONNECTION_LOST, true},
        {"{\"type\": \"malformed_http\"}", FAL_E_PROTOCOL, true},
    };
    fal_client *client = new_client();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char json[160];
        control_reset();
        snprintf(json, sizeof json, "{\"path\": \"/emulator/echo\", \"action\": %s}", rows[i].action);
        fault(json);
        long before = executions("emulator/echo");
        fal_error *err = run_failure(client, "emulator/echo", rows[i].status);
        CHECK(fal_error_may_have_executed(err));
        CHECK(!fal_error_is_retryable(err));
        fal_error_free(err);
        CHECK_INT(arrived("path=/emulator/echo"), 1);
        CHECK_INT(executions("emulator/echo") - before, rows[i].runs);
    }
    CHECK_INT(outcome_of(client, run_of("emulator/echo")), FAL_OK);
    fal_client_release(client);
}

static void a_get_whose_answer_is_lost_is_repeated(void)
{
    fault("{\"path\": \"/v1/models\", \"times\": 2, \"action\": {\"type\": \"reset\", \"when\": \"after_body\"}}");
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_request *request = http_of("GET", "/v1/models");
    fal_response *response = NULL;
    CHECK_OK(fal_client_send(client, request, &response, &err));
    CHECK_INT(arrived("path=/v1/models"), 3);
    fal_response_free(response);
    fal_request_free(request);
    fal_client_release(client);
}

static void an_answer_that_is_not_json_is_an_answer(void)
{
    fault("{\"path\": \"/emulator/echo\", \"action\": {\"type\": \"malformed_json\"}}");
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_request *request = run_of("emulator/echo");
    fal_response *response = NULL;
    CHECK_OK(fal_client_run(client, request, &response, &err));
    const char *text = NULL;
    CHECK_STATUS(fal_response_get_string(response, "/images", FAL_NUL, &text, NULL, &err), FAL_E_WRONG_TYPE);
    CHECK_HAS(fal_error_message(err, NULL), "not JSON");
    fal_error_free(err);
    err = NULL;
    CHECK_OK(fal_response_get_text(response, &text, NULL, &err));
    CHECK_HAS(text, "{\"images\"");
    fal_response_free(response);
    fal_request_free(request);
    fal_client_release(client);
}

static void count_retries(fal_log_level level, const char *target, const char *message, size_t len, void *user)
{
    (void)len;
    if (level == FAL_LOG_WARN && strcmp(target, "transport") == 0 && strstr(message, "again in"))
        (void)__sync_fetch_and_add((int *)user, 1);
}

static void a_refused_connection_is_tried_again_and_then_told(void)
{
    unsigned short port = 0;
    /* A bound socket that does not listen, so that no other program gets the port. */
    int fd = bound_socket(&port);
    char host[32];
    snprintf(host, sizeof host, "127.0.0.1:%u", port);
    fal_error *err = NULL;
    int retries = 0;
    fal_options *options = fal_options_new();
    CHECK_OK(fal_options_set_host(options, FAL_HOST_EMULATOR, host, FAL_NUL, &err));
    CHECK_OK(fal_options_set_max_attempts(options, 3, &err));
    CHECK_OK(fal_options_set_log(options, FAL_LOG_WARN, count_retries, NULL, &retries, &err));
    fal_client *client = client_of(options);
    err = run_failure(client, "emulator/echo", FAL_E_CONNECT);
    CHECK_INT(fal_log_flush(10000, NULL), FAL_OK);
    CHECK_INT(retries, 2);
    CHECK(!fal_error_may_have_executed(err));
    CHECK(fal_error_is_retryable(err));
    CHECK_INT(fal_error_http_status(err), 0);
    fal_error_free(err);
    fal_client_release(client);
    close(fd);
}

static void a_call_ends_when_its_time_is_over(void)
{
    static const char *const actions[] = {"{\"type\": \"hang\"}", "{\"type\": \"slow\", \"bytes\": 1, \"pause_ms\": 100}"};
    for (size_t i = 0; i < 2; i++) {
        char json[160];
        control_reset();
        snprintf(json, sizeof json, "{\"path\": \"/emulator/echo\", \"action\": %s}", actions[i]);
        fault(json);
        fal_error *err = NULL;
        fal_client *client = new_client();
        fal_request *request = run_of("emulator/echo");
        fal_response *response = NULL;
        CHECK_OK(fal_request_set_timeout_ms(request, 300, &err));
        int64_t before = now_ms();
        CHECK_STATUS(fal_client_run(client, request, &response, &err), FAL_E_DEADLINE);
        int64_t took = now_ms() - before;
        CHECK(took >= 300 && took < 3000);
        CHECK(fal_error_may_have_executed(err));
        CHECK_HAS(fal_error_message(err, NULL), "300 ms");
        fal_error_free(err);
        fal_request_free(request);
        fal_client_release(client);
        CHECK_INT(arrived_with("path=/emulator/echo", "\"outcome\":\"client_closed\"", 1), 1);
    }
}

static void the_requests_time_is_stronger_than_the_clients(void)
{
    fal_error *err = NULL;
    fal_options *options = fal_options_new();
    CHECK_OK(fal_options_set_timeout_ms(options, 100, &err));
    fal_client *client = client_of(options);
    CHECK_INT(outcome_of(client, slow_of(2000)), FAL_E_DEADLINE);
    fal_request *request = slow_of(300);
    CHECK_OK(fal_request_set_timeout_ms(request, 20000, &err));
    CHECK_INT(outcome_of(client, request), FAL_OK);
    fal_client_release(client);
}

static void an_answer_has_a_largest_size(void)
{
    fal_error *err = NULL;
    fal_options *options = fal_options_new();
    CHECK_OK(fal_options_set_max_response_bytes(options, 5000, &err));
    fal_client *client = client_of(options);
    fal_request *request = run_of("emulator/bytes");
    fal_response *response = NULL;
    CHECK_OK(fal_request_set_int(request, "size", FAL_NUL, 5000, &err));
    CHECK_OK(fal_client_run(client, request, &response, &err));
    fal_response_free(response);
    CHECK_OK(fal_request_set_int(request, "size", FAL_NUL, 5001, &err));
    CHECK_STATUS(fal_client_run(client, request, &response, &err), FAL_E_TOO_LARGE);
    CHECK(fal_error_may_have_executed(err));
    CHECK_HAS(fal_error_message(err, NULL), "5000");
    fal_error_free(err);
    fal_request_free(request);
    fal_client_release(client);
}

static void a_proxy_sees_nothing_of_the_emulators_traffic(void)
{
    struct trap trap;
    set_trap(&trap);
    char proxy[64];
    snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u", trap.port);
    static const char *const names[] = {"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        setenv(names[i], proxy, 1);
    fal_client *client = client_with_attempts(1);
    CHECK_INT(outcome_of(client, run_of("emulator/echo")), FAL_OK);
    fal_client_release(client);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
    CHECK_INT(take_trap(&trap), 0);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(a_redirect_to_elsewhere_is_not_followed),
        TEST(a_redirect_within_fal_is_followed_by_get),
        TEST(a_foreign_address_sees_nothing),
        TEST(a_post_whose_answer_is_lost_is_not_repeated),
        TEST(a_get_whose_answer_is_lost_is_repeated),
        TEST(an_answer_that_is_not_json_is_an_answer),
        TEST(a_refused_connection_is_tried_again_and_then_told),
        TEST(a_call_ends_when_its_time_is_over),
        TEST(the_requests_time_is_stronger_than_the_clients),
        TEST(an_answer_has_a_largest_size),
        TEST(a_proxy_sees_nothing_of_the_emulators_traffic),
    };
    return RUN_TESTS(tests, control_reset);
}
