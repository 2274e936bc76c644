/* Webhooks: what is fal's own and what is not, with keys at hand and with keys that the client fetches. */

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

/* Verifies and gives the error it has to end with. */
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

/* A delivery of now whose signature has the right form and is nobody's. */
static fal_webhook *forged(void)
{
    char now[32], signature[129];
    snprintf(now, sizeof now, "%lld", (long long)time(NULL));
    memset(signature, '1', 128), signature[128] = 0;
    fal_webhook *webhook = webhook_new("{}");
    webhook_header(webhook, "X-Fal-Webhook-Request-Id", "r");
    webhook_header(webhook, "X-Fal-Webhook-User-Id", "u");
    webhook_header(webhook, "X-Fal-Webhook-Timestamp", now);
    webhook_header(webhook, "X-Fal-Webhook-Signature", signature);
    return webhook;
}

static void a_client_fetches_the_keys_once_and_without_a_key(void)
{
    fault("{\"path\": \"/.well-known/jwks.json\", \"times\": null, \"action\": {\"type\": \"status\", \"status\": 200,"
          " \"body\": " WEBHOOK_KEYS "}}");
    fal_client *client = new_client();
    for (int i = 0; i < 3; i++) {
        fal_error *err = NULL;
        fal_response *verified = NULL;
        fal_webhook *webhook = forged();
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
    CHECK_HAS(fal_error_message(err, NULL), "seconds old");
    CHECK_INT(arrived("path=/.well-known/jwks.json"), 0);
    fal_error_free(err);
    fal_op_release(op);
    fal_client_release(client);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(a_delivery_that_fal_signed),
        TEST(what_is_not_right_is_named),
        TEST(any_other_body_or_signature_is_refused),
        TEST(a_client_fetches_the_keys_once_and_without_a_key),
        TEST(what_needs_no_key_is_refused_without_a_request),
    };
    return RUN_TESTS(tests, control_reset);
}
