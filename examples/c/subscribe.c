/* Submits a job to a model's queue and shows its progress once per frame, as a game would. Ctrl-C cancels the job.
 *
 * usage: subscribe [ENDPOINT [INPUT]]      where INPUT is JSON
 */

#define _POSIX_C_SOURCE 200809L

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <fal/fal.h>

static volatile sig_atomic_t interrupted;

/* The library handles no signals, so the host sets this flag in its own handler. */
static void interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

static int failed(fal_error *err)
{
    fprintf(stderr, "error: %s\n", fal_error_message(err, NULL));
    fprintf(stderr, "do:    %s\n", fal_error_remedy(err, NULL));
    fal_error_free(err);
    return EXIT_FAILURE;
}

static void show(const fal_event *event)
{
    const char *text = NULL;

    switch (fal_event_kind(event)) {
    case FAL_EVENT_STATUS:
        if (fal_response_get_string(fal_event_content(event), "/status", FAL_NUL, &text, NULL, NULL) == FAL_OK)
            printf("status:  %s", text);
        if (fal_event_queue_position(event) >= 0)
            printf(", %ld ahead", (long)fal_event_queue_position(event));
        printf("\n");
        break;
    case FAL_EVENT_LOG:
        text = fal_event_log_text(event, NULL);
        printf("log:     %s\n", text ? text : "");
        break;
    default: /* Later versions may have more kinds of events. */
        break;
    }
}

/* Shows all events since the last frame, without blocking. */
static void show_events(const fal_op *job)
{
    fal_event *event = NULL;

    while (fal_op_next_event(job, 0, &event, NULL) == FAL_OK && event) {
        show(event);
        fal_event_free(event);
    }
    fflush(stdout);
}

static void draw_a_frame(void)
{
    struct timespec frame = {0, 16 * 1000 * 1000};
    nanosleep(&frame, NULL);
}

static fal_status subscribe(const fal_client *client, const char *endpoint, const char *input, fal_op **job, fal_error **err)
{
    fal_request *request = NULL;
    fal_status status = fal_request_new(endpoint, FAL_NUL, &request, err);
    if (status == FAL_OK)
        status = fal_request_set_body_json(request, input, FAL_NUL, err);
    if (status == FAL_OK)
        status = fal_client_subscribe_start(client, request, job, err);
    fal_request_free(request);
    return status;
}

static int run(const fal_client *client, const char *endpoint, const char *input)
{
    fal_error *err = NULL;
    fal_op *job = NULL;
    fal_response *result = NULL;
    const char *text = NULL;
    int code = EXIT_SUCCESS;

    if (subscribe(client, endpoint, input, &job, &err) != FAL_OK)
        return failed(err);
    while (fal_op_poll(job) == FAL_PENDING) {
        if (interrupted)
            fal_op_cancel(job);
        show_events(job);
        draw_a_frame();
    }
    show_events(job);

    if (fal_op_take(job, &result, &err) == FAL_OK && fal_response_get_text(result, &text, NULL, &err) == FAL_OK)
        printf("result:  %s\n", text);
    else
        code = failed(err);
    fal_response_free(result);
    fal_op_release(job);
    return code;
}

int main(int argc, char **argv)
{
    const char *endpoint = argc > 1 ? argv[1] : "fal-ai/flux/schnell";
    const char *input = argc > 2 ? argv[2] : "{\"prompt\": \"a lighthouse at dusk\"}";
    fal_error *err = NULL;
    fal_client *client = NULL;

    signal(SIGINT, interrupt);
    if (fal_client_new(NULL, &client, &err) != FAL_OK)
        return failed(err);
    int code = run(client, endpoint, input);
    fal_client_release(client);
    /* Also waits until the job is cancelled at fal. */
    if (fal_shutdown(5000, &err) != FAL_OK)
        return failed(err);
    return code;
}
