/* The frame loop of the tutorial in fal.h. */

#define _POSIX_C_SOURCE 200809L

#include "program.h"

/* In fal.h: */
static bool frame(const fal_op *job)
{
    fal_event *event = NULL;
    bool running = fal_op_poll(job) == FAL_PENDING;

    while (fal_op_next_event(job, 0, &event, NULL) == FAL_OK && event) {
        if (fal_event_queue_position(event) >= 0)
            printf("%d jobs come first\n", (int)fal_event_queue_position(event));
        fal_event_free(event);
    }
    return running;
}

static void frames(fal_op *job)
{
    fal_response *result = NULL;
    fal_error *err = NULL;

    while (frame(job))
        draw();
    if (fal_op_take(job, &result, &err) == FAL_OK)
        show(result, NULL);
    else
        show(NULL, err);
    fal_op_release(job);
}
/* Not in fal.h: */

int main(void)
{
    fal_op *job = start();
    if (job)
        frames(job);
    return fal_shutdown(5000, NULL) == FAL_OK ? 0 : 1;
}
