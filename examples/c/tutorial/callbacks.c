/* The callbacks of the tutorial in fal.h. */

#define _POSIX_C_SOURCE 200809L

#include "program.h"

/* In fal.h: */
static void ended(fal_op *job, void *user)
{
    fal_response *result = NULL;
    fal_error *err = NULL;
    bool *waiting = user;

    if (fal_op_take(job, &result, &err) == FAL_OK)
        show(result, NULL);
    else
        show(NULL, err);
    *waiting = false;
}

static void callbacks(fal_op *job)
{
    fal_dispatcher *dispatcher = fal_dispatcher_new();
    bool waiting = fal_op_when_done(job, dispatcher, ended, NULL, &waiting, NULL) == FAL_OK;

    fal_op_release(job);
    while (waiting && fal_dispatcher_run(dispatcher, SIZE_MAX, 2000, NULL, NULL) == FAL_OK)
        draw();
    fal_dispatcher_release(dispatcher);
}
/* Not in fal.h: */

int main(void)
{
    fal_op *job = start();
    if (job)
        callbacks(job);
    return fal_shutdown(5000, NULL) == FAL_OK ? 0 : 1;
}
