/* A frame loop: SDL2 draws 60 frames a second, while ten jobs, an upload and a realtime session run. One queue of events and ends
 * is read once per frame; nothing blocks, and no callback is needed. At the end it prints the longest frame, and how much of it
 * the calling thread spent in libfal.
 *
 * usage: frames [ENDPOINT INPUT REALTIME_ENDPOINT]      where INPUT is JSON
 */

#define _GNU_SOURCE

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <SDL.h>
#include <fal/fal.h>

enum { JOBS = 10, UPLOAD = JOBS, SESSION, TASKS, UPLOADED = 8 << 20 };
/* MOST_EVENTS are read in one frame. MEANT_NS is the limit for libfal's part of it. */
enum { FRAME_MS = 16, MOST_FRAMES = 3000, MOST_EVENTS = 8, MEANT_NS = 100000 };

/* What a bar on the screen shows. The pointer to it travels with each event. */
struct task {
    int events;
    int ended;
    int failed;
};

struct scene {
    fal_client *client;
    fal_dispatcher *dispatcher;
    fal_realtime *session;
    struct task tasks[TASKS];
};

static fal_status failed(fal_status status, fal_error *err)
{
    fprintf(stderr, "error: %s\n", fal_error_message(err, NULL));
    fal_error_free(err);
    return status;
}

/* The queue keeps the operation until its end was read, so this reference is released at once. */
static fal_status watch(struct scene *scene, fal_op *op, int task, fal_error **err)
{
    fal_status status = fal_op_watch(op, scene->dispatcher, &scene->tasks[task], err);
    fal_op_release(op);
    return status;
}

static fal_status start_jobs(struct scene *scene, const char *endpoint, const char *input, fal_error **err)
{
    fal_request *request = NULL;
    fal_status status = fal_request_new(endpoint, FAL_NUL, &request, err);
    if (status == FAL_OK)
        status = fal_request_set_body_json(request, input, FAL_NUL, err);
    for (int i = 0; i < JOBS && status == FAL_OK; i++) {
        fal_op *op = NULL;
        status = fal_client_subscribe_start(scene->client, request, &op, err);
        if (status == FAL_OK)
            status = watch(scene, op, i, err);
    }
    fal_request_free(request);
    return status;
}

static fal_status start_upload(struct scene *scene, fal_error **err)
{
    static char bytes[UPLOADED];
    fal_upload *upload = NULL;
    fal_op *op = NULL;
    fal_status status = fal_upload_new_bytes(bytes, sizeof bytes, NULL, NULL, &upload, err);
    if (status == FAL_OK)
        status = fal_client_upload_start(scene->client, upload, &op, err);
    if (status == FAL_OK)
        status = watch(scene, op, UPLOAD, err);
    fal_upload_free(upload);
    return status;
}

static fal_status start_session(struct scene *scene, const char *endpoint, fal_error **err)
{
    fal_request *request = NULL;
    fal_socket_options *options = fal_socket_options_new();
    fal_status status = fal_request_new(endpoint, FAL_NUL, &request, err);
    /* If the app is slower than the frames, only the newest input counts. */
    if (status == FAL_OK)
        status = fal_socket_options_set_queue(options, 2, FAL_WHEN_FULL_KEEP_NEWEST, err);
    if (status == FAL_OK)
        status = fal_client_realtime_start(scene->client, request, options, &scene->session, err);
    if (status == FAL_OK)
        status = watch(scene, fal_op_retain(fal_realtime_op(scene->session)), SESSION, err);
    fal_socket_options_free(options);
    fal_request_free(request);
    return status;
}

/* Counts an event of a task, or takes the outcome at its end. A game would show the progress and the picture. */
static void handle(struct task *task, const fal_op *op, const fal_event *event)
{
    fal_response *result = NULL;
    fal_error *err = NULL;
    if (event) {
        task->events++;
        return;
    }
    task->ended = 1;
    if (fal_op_take(op, &result, &err) != FAL_OK) {
        task->failed = 1;
        failed(FAL_OK, err);
    }
    fal_response_free(result);
}

/* libfal's part of a frame: an input to the session, and what has happened since the last frame. Of a burst, a part waits for the
 * next frame. */
static void talk(struct scene *scene, int frame)
{
    char input[64];
    fal_op *op = NULL;
    fal_event *event = NULL;
    void *user = NULL;
    if (!scene->tasks[SESSION].ended) {
        snprintf(input, sizeof input, "{\"frame\": %d}", frame);
        fal_realtime_send_json(scene->session, input, FAL_NUL, NULL);
    }
    for (int i = 0; i < MOST_EVENTS && fal_dispatcher_next(scene->dispatcher, 0, &op, &event, &user, NULL) == FAL_OK; i++) {
        handle(user, op, event);
        fal_event_free(event);
        fal_op_release(op);
    }
}

static void draw(SDL_Renderer *renderer, const struct scene *scene)
{
    SDL_SetRenderDrawColor(renderer, 20, 20, 30, 255);
    SDL_RenderClear(renderer);
    for (int i = 0; i < TASKS; i++) {
        const struct task *task = &scene->tasks[i];
        SDL_Rect bar = {10, 10 + 20 * i, 10 + task->events % 400, 16};
        SDL_SetRenderDrawColor(renderer, task->failed ? 200 : 60, task->ended ? 200 : 90, 90, 255);
        SDL_RenderFillRect(renderer, &bar);
    }
    SDL_RenderPresent(renderer);
}

static long long nanoseconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* In nanoseconds. */
struct times {
    int frames;
    int above; /* frames in which libfal took more than is meant */
    long long longest;
    long long share;
    long long total;
};

static void count(struct times *times, long long frame, long long share)
{
    times->frames++;
    times->above += share > MEANT_NS;
    times->total += share;
    if (frame > times->longest)
        times->longest = frame;
    if (share > times->share)
        times->share = share;
}

static void print(const struct times *times)
{
    printf("%d frames; the longest took %.1f ms\n", times->frames, (double)times->longest / 1e6);
    printf("libfal on this thread: %.1f us of a frame at most, %.1f us on average; %d frames above %d us\n", (double)times->share / 1e3,
           (double)times->total / 1e3 / times->frames, times->above, MEANT_NS / 1000);
}

/* The session goes on until all other tasks have ended. */
static int only_the_session_runs(const struct scene *scene)
{
    int ended = 0;
    for (int i = 0; i < SESSION; i++)
        ended += scene->tasks[i].ended;
    return ended == SESSION;
}

static void loop(SDL_Renderer *renderer, struct scene *scene)
{
    struct times times = {0, 0, 0, 0, 0};
    SDL_Event event;
    int quit = 0;
    while (!quit && times.frames < MOST_FRAMES && fal_dispatcher_outstanding(scene->dispatcher) > 0) {
        long long began = nanoseconds(CLOCK_MONOTONIC);
        while (SDL_PollEvent(&event))
            quit |= event.type == SDL_QUIT;
        /* The time of the processor, because others share it. */
        long long before = nanoseconds(CLOCK_THREAD_CPUTIME_ID);
        talk(scene, times.frames);
        long long share = nanoseconds(CLOCK_THREAD_CPUTIME_ID) - before;
        draw(renderer, scene);
        long long took = nanoseconds(CLOCK_MONOTONIC) - began;
        count(&times, took, share);
        if (only_the_session_runs(scene))
            fal_realtime_close(scene->session);
        if (took < FRAME_MS * 1000000LL)
            SDL_Delay((Uint32)(FRAME_MS - took / 1000000));
    }
    print(&times);
}

static int report(const struct scene *scene)
{
    int good = 1;
    for (int i = 0; i < TASKS; i++)
        good &= scene->tasks[i].ended && !scene->tasks[i].failed;
    printf("%d events of the session, %d of the upload\n", scene->tasks[SESSION].events, scene->tasks[UPLOAD].events);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* A thread that is woken usually takes over the processor of the one that woke it. On Linux, threads of this class wait until the
 * other one sleeps, so a call that hands work to libfal is not interrupted. */
static void give_way(void *user)
{
    (void)user;
#ifdef SCHED_BATCH
    struct sched_param none = {0};
    sched_setscheduler(0, SCHED_BATCH, &none);
#endif
}

static fal_status begin(struct scene *scene, char **arguments)
{
    fal_error *err = NULL;
    fal_status status = fal_runtime_set_thread_hooks(give_way, NULL, NULL, NULL, &err);
    if (status == FAL_OK)
        status = fal_client_new(NULL, &scene->client, &err);
    scene->dispatcher = fal_dispatcher_new();
    if (status == FAL_OK)
        status = start_jobs(scene, arguments[0], arguments[1], &err);
    if (status == FAL_OK)
        status = start_upload(scene, &err);
    if (status == FAL_OK)
        status = start_session(scene, arguments[2], &err);
    return status == FAL_OK ? FAL_OK : failed(status, err);
}

int main(int argc, char **argv)
{
    static char *models[] = {"fal-ai/flux/schnell", "{\"prompt\": \"a lighthouse at dusk\"}", "fal-ai/fast-lcm-diffusion"};
    struct scene scene = {.session = NULL};
    SDL_Window *window = NULL;
    SDL_Renderer *renderer = NULL;
    int code = EXIT_FAILURE;

    if (SDL_Init(SDL_INIT_VIDEO) != 0 || SDL_CreateWindowAndRenderer(440, 260, 0, &window, &renderer) != 0) {
        fprintf(stderr, "error: %s\n", SDL_GetError());
        return code;
    }
    if (begin(&scene, argc == 4 ? argv + 1 : models) == FAL_OK) {
        loop(renderer, &scene);
        code = report(&scene);
    }
    fal_realtime_release(scene.session);
    fal_dispatcher_release(scene.dispatcher);
    fal_client_release(scene.client);
    fal_shutdown(5000, NULL);
    SDL_DestroyRenderer(renderer);
    SDL_DestroyWindow(window);
    SDL_Quit();
    return code;
}
