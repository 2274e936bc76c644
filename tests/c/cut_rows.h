/* Every function that starts an operation: its requests, and how a test starts it. */

#ifndef CUT_ROWS_H
#define CUT_ROWS_H

#include "gate.h"
#include "webhook.h"

/* A running operation, and the objects that it needs to continue. */
struct started {
    fal_op *op;
    fal_realtime *realtime;
    fal_websocket *websocket;
    fal_channel *channel;
    fal_new_key *key;
};

static inline void let_go(struct started *started)
{
    fal_op_release(started->op);
    fal_realtime_release(started->realtime);
    fal_websocket_release(started->websocket);
    fal_channel_release(started->channel);
    fal_new_key_free(started->key);
    memset(started, 0, sizeof *started);
}

/* How to start an operation. */
struct plan {
    bool large;         /* make large whatever can be large */
    int64_t timeout_ms; /* where the client's own timeout does not apply; 0: none */
};

struct row {
    const char *verb;
    void (*start)(const fal_client *client, const struct plan *plan, struct started *started);
    int steps;          /* number of requests and of session messages */
    unsigned large;     /* bits of the steps that can exceed the buffers between the two sides */
    unsigned messages;  /* bits of the steps that use an open connection */
    unsigned jobs;      /* bits of the steps whose job continues at fal unless it is cancelled */
    bool session;       /* the release of the last handle closes it */
    fal_status ends;    /* the status if it is not cut */
};

/* More than the buffers of two sockets hold, and at most one part of an upload. */
enum { LARGE = 10 << 20 };

/* Set once, before the first operation. */
static char *cut_text;
static char cut_file[512];
static char cut_job[64];
/* Whether jobs continue at fal, so that nothing waits for the answers to submissions that are cut. */
static bool cut_keeps_jobs;

static inline size_t size_of(const struct plan *plan)
{
    return plan->large ? LARGE : 100;
}

static inline void time_of(fal_request *request, const struct plan *plan)
{
    if (plan->timeout_ms)
        must(fal_request_set_timeout_ms(request, plan->timeout_ms, NULL), NULL, "timeout");
}

static inline fal_request *input_of(const char *endpoint, const struct plan *plan)
{
    fal_request *request = run_of(endpoint);
    must(fal_request_set_string(request, "padding", FAL_NUL, cut_text, size_of(plan), NULL), NULL, "padding");
    time_of(request, plan);
    must(fal_request_set_keep_running(request, cut_keeps_jobs, NULL), NULL, "keep_running");
    return request;
}

static inline fal_job *job_of(const struct plan *plan)
{
    fal_job *job = NULL;
    must(fal_job_new("emulator/job", FAL_NUL, cut_job, FAL_NUL, &job, NULL), NULL, "job");
    if (plan->timeout_ms)
        must(fal_job_set_timeout_ms(job, plan->timeout_ms, NULL), NULL, "timeout");
    return job;
}

/* Functions that take a request. */
#define STARTS_OF_REQUEST(verb, made)                                                                   \
    static inline void verb(const fal_client *client, const struct plan *plan, struct started *started) \
    {                                                                                                   \
        fal_request *request = made;                                                                    \
        must(fal_client_##verb##_start(client, request, &started->op, NULL), NULL, #verb);              \
        fal_request_free(request);                                                                      \
    }

STARTS_OF_REQUEST(run, input_of("emulator/echo", plan))
STARTS_OF_REQUEST(stream, input_of("emulator/stream", plan))
STARTS_OF_REQUEST(submit, input_of("emulator/job", plan))
STARTS_OF_REQUEST(subscribe, input_of("emulator/job", plan))

/* Functions that take a job. */
#define STARTS_OF_JOB(verb)                                                                             \
    static inline void verb(const fal_client *client, const struct plan *plan, struct started *started) \
    {                                                                                                   \
        fal_job *job = job_of(plan);                                                                    \
        must(fal_client_##verb##_start(client, job, &started->op, NULL), NULL, #verb);                  \
        fal_job_free(job);                                                                              \
    }

STARTS_OF_JOB(attach)
STARTS_OF_JOB(status)
STARTS_OF_JOB(result)
STARTS_OF_JOB(cancel)

/* All other functions. */
#define STARTS(name) static inline void name(const fal_client *client, const struct plan *plan, struct started *started)

STARTS(send_post)
{
    fal_request *request = http_of("POST", "https://fal.run/emulator/echo");
    must(fal_request_set_body(request, cut_text, size_of(plan), "text/plain", FAL_NUL, NULL), NULL, "body");
    must(fal_client_send_start(client, request, &started->op, NULL), NULL, "send");
    fal_request_free(request);
}

STARTS(send_get)
{
    fal_request *request = http_of("GET", "/v1/keys");
    time_of(request, plan);
    must(fal_client_send_start(client, request, &started->op, NULL), NULL, "send");
    fal_request_free(request);
}

STARTS(check)
{
    (void)plan;
    must(fal_client_check_start(client, &started->op, NULL), NULL, "check");
}

STARTS(mint_token)
{
    (void)plan;
    must(fal_client_mint_token_start(client, "emulator/echo", FAL_NUL, 60, &started->op, NULL), NULL, "mint");
}

STARTS(platform)
{
    (void)plan;
    must(fal_client_platform_start(client, "keys.list", FAL_NUL, NULL, 0, &started->op, NULL), NULL, "platform");
}

STARTS(platform_list)
{
    (void)plan;
    must(fal_client_platform_list_start(client, "keys.list", FAL_NUL, "{\"limit\": 1}", FAL_NUL, &started->op, NULL), NULL,
         "list");
}

STARTS(create_key)
{
    (void)plan;
    must(fal_client_create_key_start(client, "cut", FAL_NUL, &started->key, NULL), NULL, "create");
    started->op = fal_op_retain(fal_new_key_op(started->key));
}

STARTS(revoke_key)
{
    (void)plan;
    must(fal_client_revoke_key_start(client, "fake-nobody", FAL_NUL, false, &started->op, NULL), NULL, "revoke");
}

STARTS(verify_webhook)
{
    (void)plan;
    fal_webhook *webhook = webhook_forged();
    must(fal_client_verify_webhook_start(client, webhook, &started->op, NULL), NULL, "verify");
    fal_webhook_free(webhook);
}

STARTS(upload)
{
    fal_upload *upload = NULL;
    must(fal_upload_new_bytes(cut_text, size_of(plan), NULL, NULL, &upload, NULL), NULL, "bytes");
    must(fal_client_upload_start(client, upload, &started->op, NULL), NULL, "upload");
    fal_upload_free(upload);
}

STARTS(download)
{
    (void)plan;
    fal_download *download = NULL;
    must(fal_download_new(cut_file, FAL_NUL, &download, NULL), NULL, cut_file);
    must(fal_client_download_start(client, download, &started->op, NULL), NULL, "download");
    fal_download_free(download);
}

STARTS(realtime)
{
    fal_request *request = input_of("emulator/realtime", plan);
    must(fal_client_realtime_start(client, request, NULL, &started->realtime, NULL), NULL, "realtime");
    started->op = fal_op_retain(fal_realtime_op(started->realtime));
    fal_request_free(request);
}

STARTS(websocket)
{
    fal_request *request = run_of("emulator/ws");
    time_of(request, plan);
    must(fal_client_websocket_start(client, request, NULL, &started->websocket, NULL), NULL, "websocket");
    must(fal_websocket_send_text(started->websocket, cut_text, size_of(plan), NULL), NULL, "text");
    started->op = fal_op_retain(fal_websocket_op(started->websocket));
    fal_request_free(request);
}

STARTS(channel)
{
    fal_request *request = input_of("emulator/echo", plan);
    must(fal_channel_new(client, request, &started->channel, NULL), NULL, "channel");
    must(fal_channel_run_start(started->channel, request, &started->op, NULL), NULL, "run");
    fal_request_free(request);
}

#define FIRST 1u
#define SECOND 2u
#define THIRD 4u

static const struct row cut_rows[] = {
    {"fal_client_run_start", run, 1, FIRST, 0, 0, false, FAL_OK},
    {"fal_client_send_start", send_post, 1, FIRST, 0, 0, false, FAL_OK},
    {"fal_client_send_start", send_get, 1, 0, 0, 0, false, FAL_OK},
    {"fal_client_stream_start", stream, 1, FIRST, 0, 0, false, FAL_OK},
    {"fal_client_submit_start", submit, 1, FIRST, 0, 0, false, FAL_OK},
    /* Submission, status, result. */
    {"fal_client_subscribe_start", subscribe, 3, FIRST, 0, SECOND, false, FAL_OK},
    {"fal_client_attach_start", attach, 2, 0, 0, FIRST, false, FAL_OK},
    {"fal_client_status_start", status, 1, 0, 0, 0, false, FAL_OK},
    {"fal_client_result_start", result, 1, 0, 0, 0, false, FAL_OK},
    /* The job has already ended. */
    {"fal_client_cancel_start", cancel, 1, 0, 0, 0, false, FAL_E_INVALID_INPUT},
    {"fal_client_check_start", check, 2, 0, 0, 0, false, FAL_OK},
    {"fal_client_mint_token_start", mint_token, 1, 0, 0, 0, false, FAL_OK},
    {"fal_client_platform_start", platform, 1, 0, 0, 0, false, FAL_OK},
    {"fal_client_platform_list_start", platform_list, 2, 0, 0, 0, false, FAL_OK},
    {"fal_client_create_key_start", create_key, 1, 0, 0, 0, false, FAL_OK},
    {"fal_client_revoke_key_start", revoke_key, 1, 0, 0, 0, false, FAL_OK},
    /* The client fetches the keys, and no key matches the signature. */
    {"fal_client_verify_webhook_start", verify_webhook, 1, 0, 0, 0, false, FAL_E_WEBHOOK_INVALID},
    /* Initiation, then the bytes. */
    {"fal_client_upload_start", upload, 2, SECOND, 0, 0, false, FAL_OK},
    {"fal_client_download_start", download, 1, 0, 0, 0, false, FAL_OK},
    /* Token, handshake, message. */
    {"fal_client_realtime_start", realtime, 3, THIRD, THIRD, 0, true, FAL_OK},
    {"fal_client_websocket_start", websocket, 3, THIRD, THIRD, 0, true, FAL_OK},
    {"fal_channel_run_start", channel, 2, SECOND, SECOND, 0, false, FAL_OK},
};

enum { ROWS = sizeof cut_rows / sizeof *cut_rows };

static inline bool can_be_held(const struct row *row, int step, enum stage stage)
{
    unsigned bit = 1u << step;
    /* A small request is sent at once. */
    return stage == CONNECTING ? !(row->messages & bit) : stage != SENDING || (row->large & bit);
}

#endif
