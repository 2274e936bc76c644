/* A plug-in that uses libfal: it waits for a job, also when its host unloads it and loads it again meanwhile. See host.c. */

#include <stdio.h>

#include <fal/fal.h>

#include "plugin.h"

#define ENDPOINT "emulator/job"
#define INPUT "{\"ms\": 700, \"output\": {\"done\": true}}"

plugin_begin begin;
plugin_frame frame;
plugin_end end;

static fal_client *client;
static fal_op *op;

static int failed(fal_error *err)
{
    fprintf(stderr, "error: %s\n", fal_error_message(err, NULL));
    fal_error_free(err);
    return 1;
}

/* Submits a job that continues at fal when nobody waits for it. */
static fal_status submit(fal_error **err)
{
    fal_request *request = NULL;
    fal_status status = fal_request_new(ENDPOINT, FAL_NUL, &request, err);
    if (status == FAL_OK)
        status = fal_request_set_body_json(request, INPUT, FAL_NUL, err);
    if (status == FAL_OK)
        status = fal_request_set_keep_running(request, true, err);
    if (status == FAL_OK)
        status = fal_client_subscribe_start(client, request, &op, err);
    fal_request_free(request);
    return status;
}

/* Waits for a job that an earlier load of this plug-in submitted. */
static fal_status attach(const char *id, fal_error **err)
{
    fal_job *job = NULL;
    fal_status status = fal_job_new(ENDPOINT, FAL_NUL, id, FAL_NUL, &job, err);
    if (status == FAL_OK)
        status = fal_job_set_keep_running(job, true, err);
    if (status == FAL_OK)
        status = fal_client_attach_start(client, job, &op, err);
    fal_job_free(job);
    return status;
}

int begin(const struct plugin_state *state)
{
    fal_error *err = NULL;
    fal_status status = fal_client_new(NULL, &client, &err);
    if (status == FAL_OK)
        status = *state->job ? attach(state->job, &err) : submit(&err);
    return status == FAL_OK ? 0 : failed(err);
}

/* Reads events, and remembers the id of the job, which comes with the first one. */
static void read_events(struct plugin_state *state, int64_t timeout_ms)
{
    fal_event *event = NULL;
    const char *id = NULL;
    while (fal_op_next_event(op, timeout_ms, &event, NULL) == FAL_OK && event) {
        if (fal_response_get_string(fal_event_content(event), "/request_id", FAL_NUL, &id, NULL, NULL) == FAL_OK)
            snprintf(state->job, sizeof state->job, "%s", id);
        fal_event_free(event);
        timeout_ms = 0;
    }
}

int frame(struct plugin_state *state)
{
    fal_error *err = NULL;
    fal_response *result = NULL;
    const char *text = NULL;
    read_events(state, 0);
    fal_status status = fal_op_take(op, &result, &err);
    if (status == FAL_PENDING)
        return 0;
    if (status == FAL_OK && fal_response_get_text(result, &text, NULL, &err) == FAL_OK)
        printf("result: %s\n", text);
    else
        failed(err);
    fal_response_free(result);
    return 1;
}

int end(struct plugin_state *state)
{
    fal_error *err = NULL;
    /* Without its id nobody finds the job again. */
    if (!*state->job)
        read_events(state, 5000);
    fal_op_release(op);
    fal_client_release(client);
    op = NULL;
    client = NULL;
    /* No thread of libfal may be left when the library goes. */
    return fal_shutdown(5000, &err) == FAL_OK ? 0 : failed(err);
}
