/* A delivery signed with the first test key of RFC 8032 (docs/protocol.md §10.4). */

#ifndef WEBHOOK_H
#define WEBHOOK_H

#include "support.h"

#define WEBHOOK_KEYS "{\"keys\": [{\"kty\": \"OKP\", \"crv\": \"Ed25519\", \"x\": \"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"}]}"
#define JWKS WEBHOOK_KEYS, FAL_NUL
#define WEBHOOK_TIME 1700000000
#define WEBHOOK_SIGNATURE \
    "1e46de787f478d1a5fd7b0fe55ad85560bd81c3656a8f9974927373939863dd0" \
    "b3d497f53667334baeed45fc6456592665be47532ca07badaae6b4c8b00f200d"
#define WEBHOOK_BODY \
    "{\"request_id\":\"11111111-2222-4333-8444-555555555555\"," \
    "\"gateway_request_id\":\"11111111-2222-4333-8444-555555555555\",\"status\":\"OK\",\"payload\":{\"ok\":true}}"

static inline fal_webhook *webhook_new(const char *body)
{
    fal_webhook *webhook = NULL;
    fal_error *err = NULL;
    must(fal_webhook_new(body, strlen(body), &webhook, &err), err, "fal_webhook_new");
    return webhook;
}

static inline void webhook_header(fal_webhook *webhook, const char *name, const char *value)
{
    fal_error *err = NULL;
    must(fal_webhook_set_header(webhook, name, FAL_NUL, value, FAL_NUL, &err), err, name);
}

/* Returns the delivery with this signature. */
static inline fal_webhook *webhook_of(const char *signature)
{
    fal_webhook *webhook = webhook_new(WEBHOOK_BODY);
    webhook_header(webhook, "Content-Type", "application/json");
    webhook_header(webhook, "X-Fal-Webhook-Request-Id", "11111111-2222-4333-8444-555555555555");
    webhook_header(webhook, "x-fal-webhook-user-id", "acct|42");
    webhook_header(webhook, "X-FAL-WEBHOOK-TIMESTAMP", "1700000000");
    webhook_header(webhook, "X-Fal-Webhook-Signature", signature);
    return webhook;
}

/* Returns a current delivery whose signature is well-formed but invalid. */
static inline fal_webhook *webhook_forged(void)
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

#endif
