/* Webhooks: genuine and forged deliveries, verified with keys of the host and with keys that the client fetches. */

#include <poll.h>

#include "webhook.h"

static void a_delivery_that_fal_signed(void)
{
    fal_error *err = NULL;
    fal_response *verified = NULL;
    fal_webhook *webhook = webhook_of(WEBHOOK_SIGNATURE);
    CHECK_OK(fal_webhook_verify(webhook, JWKS, WEBHOOK_TIME + 300, &verified, &err));
    fal_webhook_free(webhook);
    const char *text = NULL;
    bool ok = false;
    CHECK_OK(fal_response_get_string(verified, "/status", FAL_NUL, &text, NULL, &err));
    CHECK_TEXT(text, "OK");
    CHECK_OK(fal_response_get_bool(verified, "/payload/ok", FAL_NUL, &ok, &err));
    CHECK(ok);
    CHECK_TEXT(fal_response_header(verified, "X-Fal-Webhook-User-Id", FAL_NUL, NULL), "acct|42");
    fal_response_free(verified);
}

/* Verifies a delivery and returns the error, which must have this status. */
static fal_error *refusal_of(fal_webhook *webhook, const char *jwks, int64_t now, fal_status expected)
{
    fal_error *err = NULL;
    fal_response *verified = NULL;
    CHECK_STATUS(fal_webhook_verify(webhook, jwks, FAL_NUL, now, &verified, &err), expected);
    CHECK(verified == NULL);
    fal_webhook_free(webhook);
    return err;
}

static void what_is_not_right_is_named(void)
{
    fal_error *err = refusal_of(webhook_of(WEBHOOK_SIGNATURE), WEBHOOK_KEYS, WEBHOOK_TIME + 301, FAL_E_WEBHOOK_INVALID);
    CHECK_HAS(fal_error_message(err, NULL), "301 seconds old");
    CHECK_HAS(fal_error_remedy(err, NULL), "clock");
    fal_error_free(err);
    err = refusal_of(webhook_of(WEBHOOK_SIGNATURE), WEBHOOK_KEYS, -1, FAL_E_WEBHOOK_INVALID);
    CHECK_HAS(fal_error_message(err, NULL), "old");
    fal_error_free(err);
    err = refusal_of(webhook_of("00"), WEBHOOK_KEYS, WEBHOOK_TIME, FAL_E_WEBHOOK_INVALID);
    CHECK_HAS(fal_error_message(err, NULL), "x-fal-webhook-signature is not a signature");
    fal_error_free(err);
    err = refusal_of(webhook_new(""), WEBHOOK_KEYS, WEBHOOK_TIME, FAL_E_WEBHOOK_INVALID);
    CHECK_HAS(fal_error_message(err, NULL), "x-fal-webhook-request-id is missing");
    fal_error_free(err);
    fal_webhook *twice = webhook_of(WEBHOOK_SIGNATURE);
    webhook_header(twice, "X-Fal-Webhook-Signature", WEBHOOK_SIGNATURE);
    fal_error_free(refusal_of(twice, WEBHOOK_KEYS, WEBHOOK_TIME, FAL_E_WEBHOOK_INVALID));
    fal_error_free(refusal_of(webhook_of(WEBHOOK_SIGNATURE), "{\"keys\": []}", WEBHOOK_TIME, FAL_E_INVALID_ARGUMENT));
    fal_error_free(refusal_of(webhook_of(WEBHOOK_SIGNATURE), "", WEBHOOK_TIME, FAL_E_INVALID_ARGUMENT));
}

static void any_other_body_or_signature_is_refused(void)
{
    char body[] = WEBHOOK_BODY;
    char signature[] = WEBHOOK_SIGNATURE;
    for (size_t i = 0; i < sizeof body - 1; i++) {
        body[i] ^= 1;
        fal_webhook *webhook = webhook_new(body);
        webhook_header(webhook, "X-Fal-Webhook-Request-Id", "11111111-2222-4333-8444-555555555555");
        webhook_header(webhook, "X-Fal-Webhook-User-Id", "acct|42");
        webhook_header(webhook, "X-Fal-Webhook-Timestamp", "1700000000");
        webhook_header(webhook, "X-Fal-Webhook-Signature", WEBHOOK_SIGNATURE);
        fal_error_free(refusal_of(webhook, WEBHOOK_KEYS, WEBHOOK_TIME, FAL_E_WEBHOOK_INVALID));
        body[i] ^= 1;
    }
    for (size_t i = 0; i < sizeof signature - 1; i++) {
        char digit = signature[i];
        signature[i] = digit == '0' ? '1' : '0';
        fal_error_free(refusal_of(webhook_of(signature), WEBHOOK_KEYS, WEBHOOK_TIME, FAL_E_WEBHOOK_INVALID));
        signature[i] = digit;
    }
}

static void a_client_fetches_the_keys_once_and_without_a_key(void)
{
    fault("{\"path\": \"/.well-known/jwks.json\", \"times\": null, \"action\": {\"type\": \"status\", \"status\": 200,"
          " \"body\": " WEBHOOK_KEYS "}}");
    fal_client *client = new_client();
    for (int i = 0; i < 3; i++) {
        fal_error *err = NULL;
        fal_response *verified = NULL;
        fal_webhook *webhook = webhook_forged();
        CHECK_STATUS(fal_client_verify_webhook(client, webhook, &verified, &err), FAL_E_WEBHOOK_INVALID);
        CHECK(verified == NULL);
        CHECK_HAS(fal_error_message(err, NULL), "no key of fal's");
        fal_webhook_free(webhook);
        fal_error_free(err);
    }
    CHECK_INT(arrived("path=/.well-known/jwks.json"), 1);
    char *json = arrivals("path=/.well-known/jwks.json");
    CHECK_HAS(json, "\"had_key\":false");
    CHECK_HAS(json, "\"host\":\"rest.fal.ai\"");
    free(json);
    fal_client_release(client);
}

static void what_needs_no_key_is_refused_without_a_request(void)
{
    fal_error *err = NULL;
    fal_op *op = NULL;
    fal_response *verified = NULL;
    fal_client *client = new_client();
    fal_webhook *webhook = webhook_of(WEBHOOK_SIGNATURE);
    CHECK_OK(fal_client_verify_webhook_start(client, webhook, &op, &err));
    fal_webhook_free(webhook);
    CHECK_OK(fal_op_wait(op, 10000, &err));
    CHECK_STATUS(fal_op_take(op, &verified, &err), FAL_E_WEBHOOK_INVALID);
    CHECK_HAS(fal_error_message(err, NULL), "years old");
    CHECK_INT(arrived("path=/.well-known/jwks.json"), 0);
    fal_error_free(err);
    fal_op_release(op);
    fal_client_release(client);
}

/* ---- Deliveries of the emulator -------------------------------------------------------------------------------------- */

/* Opens the host's own server, which answers each delivery with 200. */
static int listening(char *url, size_t size)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) != 0 || listen(fd, 8) != 0
        || getsockname(fd, (struct sockaddr *)&address, &length) != 0)
        control_die("no free port");
    snprintf(url, size, "http://127.0.0.1:%d/hook", ntohs(address.sin_port));
    return fd;
}

static ssize_t read_soon(int fd, char *bytes, size_t size)
{
    struct pollfd ready = {fd, POLLIN, 0};
    return poll(&ready, 1, 20000) == 1 ? read(fd, bytes, size) : -1;
}

/* Returns the next delivery with all its headers. Flips bit `changed` of its body, counted from 1; 0 flips none. */
static fal_webhook *receive(int listener, int changed)
{
    static char text[1 << 16];
    static const char answer[] = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    struct pollfd ready = {listener, POLLIN, 0};
    int fd = poll(&ready, 1, 20000) == 1 ? accept(listener, NULL, NULL) : -1;
    size_t size = 0, expected = 0;
    char *body = NULL;
    while (!body || size < expected) {
        ssize_t got = read_soon(fd, text + size, sizeof text - 1 - size);
        if (got <= 0)
            control_die("no delivery came");
        size += (size_t)got;
        text[size] = '\0';
        if (!body && (body = strstr(text, "\r\n\r\n")) != NULL) {
            body += 4;
            const char *length = strcasestr(text, "\r\ncontent-length:");
            expected = (size_t)(body - text) + (length ? strtoul(strchr(length, ':') + 1, NULL, 10) : 0);
        }
    }
    if (send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL) != sizeof answer - 1)
        control_die("the answer cannot be sent");
    close(fd);
    CHECK(strncmp(text, "POST /hook HTTP/1.1\r\n", 21) == 0);
    if (changed > 0)
        body[(changed - 1) / 8] ^= (char)(1 << (changed - 1) % 8);
    fal_webhook *webhook = webhook_new(body);
    body[-4] = '\0';
    for (char *line = strstr(text, "\r\n"); line; line = strstr(line + 2, "\r\n")) {
        char *end = strstr(line + 2, "\r\n"), *colon = strchr(line + 2, ':');
        if (!colon)
            continue;
        *colon = '\0';
        if (end)
            *end = '\0';
        webhook_header(webhook, line + 2, colon + 1 + strspn(colon + 1, " "));
        *colon = ':';
        if (end)
            *end = '\r';
    }
    return webhook;
}

/* Submits a job with this webhook URL. Copies its id into id, which holds 64 bytes. */
static void submit(const fal_client *client, const char *input, const char *url, char *id)
{
    fal_error *err = NULL;
    fal_response *answer = NULL;
    const char *text = NULL;
    fal_request *request = run_of("emulator/job");
    CHECK_OK(fal_request_set_body_json(request, input, FAL_NUL, &err));
    CHECK_OK(fal_request_set_webhook(request, url, FAL_NUL, &err));
    must(fal_client_submit(client, request, &answer, &err), err, "fal_client_submit");
    CHECK_OK(fal_response_get_string(answer, "/request_id", FAL_NUL, &text, NULL, &err));
    snprintf(id, 64, "%s", text);
    fal_response_free(answer);
    fal_request_free(request);
}

/* Verifies the delivery, which is freed. Returns its content, or NULL if the client refuses it. */
static fal_response *verified(const fal_client *client, fal_webhook *webhook, fal_status expected)
{
    fal_error *err = NULL;
    fal_response *delivered = NULL;
    CHECK_STATUS(fal_client_verify_webhook(client, webhook, &delivered, &err), expected);
    fal_error_free(err);
    fal_webhook_free(webhook);
    return delivered;
}

static void check_delivery(fal_response *delivered, const char *id, const char *pointer, const char *value)
{
    fal_error *err = NULL;
    const char *text = NULL;
    CHECK_OK(fal_response_get_string(delivered, "/request_id", FAL_NUL, &text, NULL, &err));
    CHECK_TEXT(text, id);
    CHECK_OK(fal_response_get_string(delivered, pointer, FAL_NUL, &text, NULL, &err));
    CHECK_TEXT(text, value);
    fal_response_free(delivered);
}

#define KEYS_FETCHED arrived("path=/.well-known/jwks.json")

static void a_job_tells_the_host_of_its_end_and_is_believed(void)
{
    char url[64], id[64];
    int listener = listening(url, sizeof url);
    fal_client *client = new_client();
    submit(client, "{\"output\": {\"word\": \"hello\"}}", url, id);
    check_delivery(verified(client, receive(listener, 0), FAL_OK), id, "/payload/word", "hello");
    CHECK_INT(KEYS_FETCHED, 1);
    /* The keys are cached. */
    submit(client, "{\"fail\": {\"type\": \"image_too_large\"}}", url, id);
    fal_response *failed = verified(client, receive(listener, 0), FAL_OK);
    fal_error *err = NULL;
    CHECK_STATUS(fal_webhook_outcome(failed, &err), FAL_E_INVALID_INPUT);
    CHECK_INT(fal_error_http_status(err), 422);
    CHECK_TEXT(fal_error_type(err, NULL), "image_too_large");
    CHECK_TEXT(fal_error_request_id(err, NULL), id);
    fal_error_free(err);
    check_delivery(failed, id, "/status", "ERROR");
    submit(client, "{\"output\": {\"word\": \"again\"}}", url, id);
    fal_response *done = verified(client, receive(listener, 0), FAL_OK);
    CHECK_OK(fal_webhook_outcome(done, &err));
    check_delivery(done, id, "/status", "OK");
    for (int bit = 1; bit <= 64; bit += 7) {
        submit(client, "{}", url, id);
        CHECK(verified(client, receive(listener, bit), FAL_E_WEBHOOK_INVALID) == NULL);
    }
    CHECK_INT(KEYS_FETCHED, 1);
    char *fetched = arrivals("path=/.well-known/jwks.json");
    CHECK_HAS(fetched, "\"had_key\":false");
    free(fetched);
    fal_client_release(client);
    close(listener);
}

/* The host passes keys that it has fetched itself, so no request is needed. */
static void keys_at_hand_are_enough(void)
{
    char url[64], id[64];
    fal_error *err = NULL;
    fal_response *keys = NULL, *delivered = NULL;
    const char *set = NULL;
    size_t size = 0;
    int listener = listening(url, sizeof url);
    fal_client *client = new_client();
    fal_request *request = http_of("GET", "https://rest.fal.ai/.well-known/jwks.json");
    CHECK_OK(fal_client_send(client, request, &keys, &err));
    CHECK_OK(fal_response_get_text(keys, &set, &size, &err));
    submit(client, "{\"output\": {\"word\": \"hello\"}}", url, id);
    fal_webhook *webhook = receive(listener, 0);
    CHECK_OK(fal_webhook_verify(webhook, set, size, -1, &delivered, &err));
    check_delivery(delivered, id, "/payload/word", "hello");
    CHECK_FAILS(fal_webhook_verify(webhook, JWKS, -1, &delivered, &err), FAL_E_WEBHOOK_INVALID);
    CHECK_FAILS(fal_webhook_verify(webhook, set, size, (int64_t)time(NULL) + 1000, &delivered, &err), FAL_E_WEBHOOK_INVALID);
    fal_webhook_free(webhook);
    fal_response_free(keys);
    fal_request_free(request);
    fal_client_release(client);
    close(listener);
}

/* fal starts to sign with another key. A client without keys fetches both, and a client with the old key fetches the new
 * one. */
static void a_new_key_of_the_service_is_found(void)
{
    char url[64], id[64];
    int listener = listening(url, sizeof url);
    fal_client *before = new_client(), *after = new_client(), *later = new_client();
    submit(before, "{}", url, id);
    fal_response_free(verified(before, receive(listener, 0), FAL_OK));
    submit(before, "{}", url, id);
    fal_webhook *old = receive(listener, 0);
    free(control("POST", "webhooks/keys", "{\"keep_old\": true}"));
    submit(before, "{\"output\": {\"word\": \"new\"}}", url, id);
    check_delivery(verified(after, receive(listener, 0), FAL_OK), id, "/payload/word", "new");
    fal_response_free(verified(after, old, FAL_OK));
    CHECK_INT(KEYS_FETCHED, 2);
    /* A signature that does not match causes no further fetch of keys that are a moment old. */
    submit(before, "{}", url, id);
    CHECK(verified(before, receive(listener, 0), FAL_E_WEBHOOK_INVALID) == NULL);
    CHECK_INT(KEYS_FETCHED, 2);
    submit(before, "{}", url, id);
    old = receive(listener, 0);
    free(control("POST", "webhooks/keys", "{\"keep_old\": false}"));
    CHECK(verified(later, old, FAL_E_WEBHOOK_INVALID) == NULL);
    submit(before, "{}", url, id);
    fal_response_free(verified(later, receive(listener, 0), FAL_OK));
    CHECK_INT(KEYS_FETCHED, 3);
    fal_client_release(before);
    fal_client_release(after);
    fal_client_release(later);
    close(listener);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(a_delivery_that_fal_signed),
        TEST(what_is_not_right_is_named),
        TEST(any_other_body_or_signature_is_refused),
        TEST(a_client_fetches_the_keys_once_and_without_a_key),
        TEST(what_needs_no_key_is_refused_without_a_request),
        TEST(a_job_tells_the_host_of_its_end_and_is_believed),
        TEST(keys_at_hand_are_enough),
        TEST(a_new_key_of_the_service_is_found),
    };
    return RUN_TESTS(tests, control_reset);
}
