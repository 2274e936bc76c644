/* Cuts every operation short, at every stage of each of its requests, by a cancellation, a deadline, a shutdown or the release of
 * its last handle. The operation must end exactly once, with the right status, and leave no thread, file or connection behind.
 *
 * gate.h holds each request at the stage of the cut, and cut_rows.h lists the operations. tests/rust/cut also checks whether an
 * error says "may have been executed". */

#include <malloc.h>

#include "cut_rows.h"

/* Milliseconds within which every operation ends. */
#define PATIENCE 60000
/* Milliseconds within which a cut operation gives up its connection. */
#define PROMPTLY 10000

enum cut { CANCEL, DEADLINE, SHUTDOWN, RELEASE, RELEASE_AND_SHUTDOWN };

static const char *const cut_names[] = {"cancelled", "out of time", "shut down", "released", "released and shut down"};

struct cell {
    const struct row *row;
    int step;
    enum stage stage;
};

/* A cell of the table, and its running operation. */
struct run {
    struct cell cell;
    enum cut cut;
    char name[128];
    struct gate *gate;
    fal_client *client;
    struct started started;
    bool reached;
    int calls;         /* number of calls of the callback */
    fal_status polled; /* inside the callback */
    fal_status taken;
};

/* TOGETHER: how many cells run at once. */
enum { TOGETHER = 48, CELLS = 256 };

static struct cell cells[CELLS];
static size_t cell_count;
static fal_dispatcher *dispatcher;

/* ---- One operation --------------------------------------------------------------------------------------------------- */

static bool released(enum cut cut)
{
    return cut == RELEASE || cut == RELEASE_AND_SHUTDOWN;
}

static fal_client *client_at(int port, int64_t timeout_ms)
{
    char host[32];
    snprintf(host, sizeof host, "127.0.0.1:%d", port);
    fal_options *options = fal_options_new();
    must(fal_options_set_host(options, FAL_HOST_EMULATOR, host, FAL_NUL, NULL), NULL, host);
    must(fal_options_set_key(options, control_variable("FAL_EMULATOR_ADMIN_KEY"), FAL_NUL, NULL), NULL, "key");
    if (timeout_ms)
        must(fal_options_set_timeout_ms(options, timeout_ms, NULL), NULL, "timeout");
    return client_of(options);
}

static void ended(fal_op *op, void *user)
{
    struct run *run = user;
    run->calls++;
    run->polled = fal_op_poll(op);
    if (!released(run->cut))
        return;
    fal_response *response = NULL;
    run->taken = fal_op_take(op, &response, NULL);
    fal_response_free(response);
}

static void begin(struct run *run, const struct cell *cell, enum cut cut, int64_t timeout_ms)
{
    memset(run, 0, sizeof *run);
    run->cell = *cell;
    run->cut = cut;
    snprintf(run->name, sizeof run->name, "%s, request %d, %s, %s", cell->row->verb, cell->step + 1,
             stage_names[cell->stage], cut_names[cut]);
    run->gate = gate_new(cell->step, cell->stage);
    run->client = client_at(run->gate->port, timeout_ms);
    struct plan plan = {cell->stage == SENDING, timeout_ms};
    cell->row->start(run->client, &plan, &run->started);
    fal_op_discard_events(run->started.op);
    must(fal_op_when_done(run->started.op, dispatcher, ended, NULL, run, NULL), NULL, run->name);
}

static void let_run_go(struct run *run)
{
    let_go(&run->started);
    fal_client_release(run->client);
    run->client = NULL;
}

/* Runs the dispatcher until this operation's callback was called. */
static void wait_for_call(struct run *run)
{
    for (int64_t end = now_ms() + PATIENCE; run->calls == 0 && now_ms() < end; sleep_ms(1))
        must(fal_dispatcher_run(dispatcher, SIZE_MAX, -1, NULL, NULL), NULL, "fal_dispatcher_run");
    CHECK_INT(run->calls, 1);
    CHECK_INT(run->polled, FAL_OK);
}

/* Clients share one fetch of fal's webhook keys, which continues when an operation that waits for it ends. */
static bool outlasts_its_op(const struct row *row)
{
    return strcmp(row->verb, "fal_client_verify_webhook_start") == 0;
}

/* Whether the answer of the held request is read on after the cut, because it names a job that has to be cancelled. */
static bool is_read_on(const struct run *run)
{
    const struct cell *cell = &run->cell;
    bool submits = cell->row->start == submit || cell->row->start == subscribe;
    return run->cut != RELEASE && submits && cell->step == 0 && (cell->stage == WAITING || cell->stage == READING);
}

/* Waits until the client has given up the held connection, although the gate neither read nor answered anything meanwhile. */
static void wait_until_left(struct run *run)
{
    const struct row *row = run->cell.row;
    if (outlasts_its_op(row) || is_read_on(run))
        return;
    unsigned bit = 1u << run->cell.step;
    /* A cut job is also cancelled at fal, which needs another connection. */
    if (run->cell.stage == CONNECTING && row->jobs & bit)
        return;
    /* The HTTP stack keeps sending the part of a request body that it has taken over until the other side reads it or the
     * system gives up. A channel finishes the message that it is sending. */
    if (run->cell.stage == SENDING && (!(row->messages & bit) || !row->session))
        return;
    bool has = true;
    for (int64_t end = now_ms() + PROMPTLY; has && now_ms() < end; sleep_ms(20)) {
        char *list = connections();
        has = gate_has_client(run->gate, list);
        free(list);
    }
    CHECK(!has);
}

static void ended_once(struct run *run, fal_status expected)
{
    check_test = run->name;
    const fal_op *op = run->started.op;
    fal_error *err = NULL;
    fal_response *response = NULL;
    wait_for_call(run);
    CHECK_OK(fal_op_poll(op));
    CHECK_OK(fal_op_wait(op, 0, &err));
    CHECK_FAILS(fal_op_take(op, &response, &err), expected);
    CHECK(response == NULL);
    CHECK_FAILS(fal_op_take(op, &response, &err), FAL_E_TAKEN);
    /* Other requests share the channel's connection, so it stays open. */
    if (run->started.channel)
        let_run_go(run);
    wait_until_left(run);
    gate_release(run->gate);
    let_run_go(run);
}

/* Checks that the operation left nothing behind, and that a cut job was cancelled at fal. */
static void left_nothing(struct run *run)
{
    check_test = run->name;
    bool told = is_read_on(run) || (run->cut != RELEASE && run->cell.row->jobs & (1u << run->cell.step));
    for (int64_t end = now_ms() + PATIENCE; now_ms() < end; sleep_ms(2))
        if (gate_links(run->gate) == 0 && gate_cancels(run->gate) == told)
            break;
    CHECK_INT(gate_links(run->gate), 0);
    CHECK_INT(gate_cancels(run->gate), told);
    CHECK_INT(run->calls, 1);
    /* A request that was cut while it was sent never arrived whole, so it was not executed. Messages of a channel are sent
     * whole. */
    if (run->cell.stage == SENDING && run->cell.row->start != channel)
        CHECK((gate_taken(run->gate) < LARGE) == (run->cut != RELEASE));
    gate_free(run->gate);
}

/* ---- Several operations at once -------------------------------------------------------------------------------------- */

static bool has_ended(const struct run *run)
{
    return fal_op_poll(run->started.op) != FAL_PENDING;
}

/* Waits until the gate of every operation that has not ended holds its request. */
static void wait_until_reached(struct run *runs, size_t count)
{
    size_t left = count;
    for (int64_t end = now_ms() + PATIENCE; left > 0 && now_ms() < end; sleep_ms(20)) {
        char *list = connections();
        left = 0;
        for (size_t i = 0; i < count; i++) {
            runs[i].reached = runs[i].reached || gate_has_client(runs[i].gate, list);
            left += !runs[i].reached && !has_ended(&runs[i]);
        }
        free(list);
    }
    for (size_t i = 0; i < count; i++) {
        check_test = runs[i].name;
        if (runs[i].cut != DEADLINE)
            CHECK(runs[i].reached && !has_ended(&runs[i]));
    }
}

static void *shut_down(void *status)
{
    *(fal_status *)status = fal_shutdown(PATIENCE, NULL);
    return NULL;
}

static void finish(struct run *runs, size_t count, fal_status expected)
{
    for (size_t i = 0; i < count; i++)
        gate_cut(runs[i].gate);
    pthread_t thread;
    fal_status shutdown = FAL_PENDING;
    if (runs->cut == CANCEL)
        for (size_t i = 0; i < count; i++)
            fal_op_cancel(runs[i].started.op), fal_op_cancel(runs[i].started.op);
    if (runs->cut == SHUTDOWN)
        pthread_create(&thread, NULL, shut_down, &shutdown);
    for (size_t i = 0; i < count; i++)
        ended_once(&runs[i], expected);
    if (runs->cut == SHUTDOWN) {
        pthread_join(thread, NULL);
        CHECK_INT(shutdown, FAL_OK);
    }
    for (size_t i = 0; i < count; i++)
        left_nothing(&runs[i]);
}

/* On a busy machine some requests may not reach their gate before the deadline, so the test repeats with a longer one. */
static void run_out_of_time(struct run *runs, const struct cell *some, size_t count)
{
    struct cell left[TOGETHER];
    memcpy(left, some, count * sizeof *some);
    for (int64_t time = 2000; count > 0; time *= 2) {
        for (size_t i = 0; i < count; i++)
            begin(&runs[i], &left[i], DEADLINE, time);
        wait_until_reached(runs, count);
        size_t next = 0;
        for (size_t i = 0; i < count; i++)
            if (!runs[i].reached)
                left[next++] = runs[i].cell;
        finish(runs, count, FAL_E_DEADLINE);
        check_test = "deadlines";
        if (!CHECK(time < PATIENCE))
            return;
        count = next;
    }
}

/* Releases the gates. The operations then end by themselves. */
static void are_left_alone(struct run *runs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        let_run_go(&runs[i]);
    sleep_ms(100);
    must(fal_dispatcher_run(dispatcher, SIZE_MAX, -1, NULL, NULL), NULL, "fal_dispatcher_run");
    char *list = connections();
    for (size_t i = 0; i < count; i++) {
        check_test = runs[i].name;
        if (!runs[i].cell.row->session)
            CHECK(runs[i].calls == 0 && gate_has_client(runs[i].gate, list));
    }
    free(list);
    for (size_t i = 0; i < count; i++)
        gate_release(runs[i].gate);
    for (size_t i = 0; i < count; i++) {
        check_test = runs[i].name;
        wait_for_call(&runs[i]);
        CHECK_INT(runs[i].taken, runs[i].cell.row->ends);
        left_nothing(&runs[i]);
    }
}

static void are_shut_down(struct run *runs, size_t count)
{
    pthread_t thread;
    fal_status shutdown = FAL_PENDING;
    for (size_t i = 0; i < count; i++) {
        gate_cut(runs[i].gate);
        let_run_go(&runs[i]);
    }
    pthread_create(&thread, NULL, shut_down, &shutdown);
    for (size_t i = 0; i < count; i++) {
        check_test = runs[i].name;
        wait_for_call(&runs[i]);
        /* A session without a handle may have ended before the shutdown. */
        CHECK(runs[i].taken == FAL_E_SHUT_DOWN || (runs[i].cell.row->session && runs[i].taken == FAL_OK));
        wait_until_left(&runs[i]);
        gate_release(runs[i].gate);
    }
    pthread_join(thread, NULL);
    CHECK_INT(shutdown, FAL_OK);
    for (size_t i = 0; i < count; i++)
        left_nothing(&runs[i]);
}

/* Cuts every cell in this way, and checks what remains of all of them. */
static void each_cell(enum cut cut)
{
    static struct run runs[TOGETHER];
    must(fal_shutdown(PATIENCE, NULL), NULL, "fal_shutdown");
    gates_begin();
    int threads = threads_alive(), files = files_open();
    dispatcher = fal_dispatcher_new();
    for (size_t first = 0; first < cell_count; first += TOGETHER) {
        size_t count = cell_count - first < TOGETHER ? cell_count - first : TOGETHER;
        if (cut == DEADLINE) {
            run_out_of_time(runs, cells + first, count);
            continue;
        }
        for (size_t i = 0; i < count; i++)
            begin(&runs[i], &cells[first + i], cut, 0);
        wait_until_reached(runs, count);
        if (cut == RELEASE)
            are_left_alone(runs, count);
        else if (cut == RELEASE_AND_SHUTDOWN)
            are_shut_down(runs, count);
        else
            finish(runs, count, cut == CANCEL ? FAL_E_CANCELLED : FAL_E_SHUT_DOWN);
    }
    check_test = cut_names[cut];
    size_t ran = 1;
    must(fal_dispatcher_run(dispatcher, SIZE_MAX, -1, &ran, NULL), NULL, "fal_dispatcher_run");
    CHECK_INT(ran, 0);
    CHECK_INT(fal_dispatcher_outstanding(dispatcher), 0);
    fal_dispatcher_release(dispatcher);
    must(fal_shutdown(PATIENCE, NULL), NULL, "fal_shutdown");
    CHECK_INT(threads_left(threads), threads);
    CHECK_INT(files_open(), files);
    gates_end();
}

static void cancelled(void)
{
    each_cell(CANCEL);
}

static void out_of_time(void)
{
    each_cell(DEADLINE);
}

static void stopped_by_a_shutdown(void)
{
    each_cell(SHUTDOWN);
}

static void released_and_gone_on(void)
{
    each_cell(RELEASE);
}

static void released_before_a_shutdown(void)
{
    each_cell(RELEASE_AND_SHUTDOWN);
}

/* Returns the number of allocated bytes. */
static size_t memory_in_use(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

/* Cancels every operation while its first request waits. The clients are not released. */
static void cancel_all(struct gate *const *waiting, fal_client *const *clients)
{
    struct plan plan = {false, 0};
    struct started started[ROWS];
    memset(started, 0, sizeof started);
    for (size_t i = 0; i < ROWS; i++) {
        if (outlasts_its_op(&cut_rows[i]))
            continue;
        gate_again(waiting[i]);
        cut_rows[i].start(clients[i], &plan, &started[i]);
    }
    for (size_t i = 0; i < ROWS; i++) {
        if (outlasts_its_op(&cut_rows[i]))
            continue;
        for (int64_t end = now_ms() + PATIENCE; !gate_is_held(waiting[i]) && now_ms() < end;)
            sleep_ms(1);
        fal_op_cancel(started[i].op);
        must(fal_op_wait(started[i].op, PATIENCE, NULL), NULL, cut_rows[i].verb);
        let_go(&started[i]);
        for (int64_t end = now_ms() + PATIENCE; gate_is_held(waiting[i]) && now_ms() < end;)
            sleep_ms(1);
    }
}

/* Repeated cuts use no more memory than the first ones. tests/rust/cut/memory.rs includes the answers that are read on. */
static void memory_does_not_grow(void)
{
    enum { FIRST_ROUNDS = 10, ROUNDS = 40, EACH = 128 };
    struct gate *waiting[ROWS];
    fal_client *clients[ROWS];
    gates_begin();
    cut_keeps_jobs = true;
    for (size_t i = 0; i < ROWS; i++) {
        waiting[i] = gate_new(0, WAITING);
        clients[i] = client_at(waiting[i]->port, 0);
    }
    for (int round = 0; round < FIRST_ROUNDS; round++)
        cancel_all(waiting, clients);
    size_t before = memory_in_use();
    for (int round = 0; round < ROUNDS; round++)
        cancel_all(waiting, clients);
    /* Allows background work a moment to end. */
    size_t most = before + (size_t)ROUNDS * ROWS * EACH;
    for (int64_t end = now_ms() + PATIENCE; memory_in_use() > most && now_ms() < end;)
        sleep_ms(20);
    CHECK_INT(memory_in_use() > most ? memory_in_use() - before : 0, 0);
    for (size_t i = 0; i < ROWS; i++) {
        fal_client_release(clients[i]);
        gate_free(waiting[i]);
    }
    must(fal_shutdown(PATIENCE, NULL), NULL, "fal_shutdown");
    gates_end();
}

/* The table has exactly the functions fal_…_start of the header. */
static void no_operation_is_missing(void)
{
    FILE *file = fopen(HEADER, "r");
    char line[512];
    bool seen[ROWS] = {false};
    int found = 0;
    while (file && fgets(line, sizeof line, file)) {
        char *end = strncmp(line, "FAL_API ", 8) == 0 ? strstr(line, "_start(") : NULL;
        if (!end)
            continue;
        found++;
        end += strlen("_start");
        *end = '\0';
        const char *name = end;
        while (name > line && name[-1] != ' ' && name[-1] != '*')
            name--;
        bool listed = false;
        for (size_t i = 0; i < ROWS; i++)
            if (strcmp(cut_rows[i].verb, name) == 0)
                listed = seen[i] = true;
        check_test = name;
        CHECK(listed);
    }
    CHECK(file != NULL && found >= 21);
    if (file)
        fclose(file);
    for (size_t i = 0; i < ROWS; i++) {
        check_test = cut_rows[i].verb;
        CHECK(seen[i]);
    }
}

/* Creates what the operations need: a text, a file, a job that has ended, and keys for more than one page. */
static void prepare(void)
{
    fal_response *answer = NULL;
    fal_upload *upload = NULL;
    const char *text = NULL;
    free(control("PUT", "settings", "{\"queue\": {\"concurrent_requests\": null}}"));
    for (int i = 0; i < 3; i++)
        free(control("POST", "keys", "{}"));
    cut_text = malloc(LARGE);
    if (!cut_text)
        control_die("out of memory");
    memset(cut_text, 'x', LARGE);
    fal_client *client = new_client();
    must(fal_upload_new_bytes(cut_text, 1 << 20, NULL, NULL, &upload, NULL), NULL, "upload");
    must(fal_client_upload(client, upload, &answer, NULL), NULL, "upload");
    must(fal_response_get_string(answer, "/url", FAL_NUL, &text, NULL, NULL), NULL, "url");
    snprintf(cut_file, sizeof cut_file, "%s", text);
    fal_response_free(answer);
    fal_upload_free(upload);
    fal_request *request = run_of("emulator/job");
    must(fal_client_subscribe(client, request, &answer, NULL), NULL, "subscribe");
    snprintf(cut_job, sizeof cut_job, "%s", fal_response_request_id(answer, NULL));
    fal_response_free(answer);
    fal_request_free(request);
    fal_client_release(client);
    for (size_t i = 0; i < ROWS; i++)
        for (int step = 0; step < cut_rows[i].steps; step++)
            for (int stage = 0; stage < STAGES; stage++)
                if (can_be_held(&cut_rows[i], step, (enum stage)stage))
                    cells[cell_count++] = (struct cell){&cut_rows[i], step, (enum stage)stage};
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(no_operation_is_missing),
        TEST(cancelled),
        TEST(out_of_time),
        TEST(stopped_by_a_shutdown),
        TEST(released_and_gone_on),
        TEST(released_before_a_shutdown),
        TEST(memory_does_not_grow),
    };
    prepare();
    int result = RUN_TESTS(tests, NULL);
    free(cut_text);
    return result;
}
