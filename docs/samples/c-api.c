/* The fragments of docs/c-api.md. `make test-examples` compiles them. */

#include <stdint.h>

#include <fal/fal.h>

void draw_frame(void);
void show_progress(void *texture, int64_t place, int64_t transferred);
void finish(void *texture, fal_op *op);
void poll_one(const fal_client *client, const fal_request *request);
void poll_many(fal_op *op, fal_dispatcher *queue, void *texture);

void poll_one(const fal_client *client, const fal_request *request)
{
    fal_response *response = NULL;
    fal_error *err = NULL;

    fal_op *op = NULL;
    fal_client_run_start(client, request, &op, &err);
    while (!fal_op_is_done(op))                    /* once per frame: no lock, no allocation */
        draw_frame();
    fal_op_take(op, &response, &err);              /* once: the outcome */
    fal_op_release(op);
}

void poll_many(fal_op *op, fal_dispatcher *queue, void *texture)
{
    fal_error *err = NULL;

    fal_op_watch(op, queue, texture, &err);        /* after the start; queue is a fal_dispatcher */

    fal_event *event = NULL;                       /* in each frame */
    void *user = NULL;
    while (fal_dispatcher_next(queue, 0, &op, &event, &user, NULL) == FAL_OK) {
        if (event)
            show_progress(user, fal_event_queue_position(event), fal_event_transferred(event));
        else
            finish(user, op);                      /* fal_op_take(): the outcome */
        fal_event_free(event);
        fal_op_release(op);
    }
}
