/* Transfers that do not complete normally: shut down in the middle, or stalled. */

#include "support.h"

#define MIB ((size_t)1 << 20)

static char folder[] = "/tmp/fal-transfers-XXXXXX";

static const char *in_folder(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* Returns the number of files in the folder, hidden ones included. */
static int files(void)
{
    int count = 0;
    DIR *entries = opendir(folder);
    for (struct dirent *entry = entries ? readdir(entries) : NULL; entry; entry = readdir(entries))
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    if (entries)
        closedir(entries);
    return count;
}

/* Memory that the host lends to the library. It is released exactly once, by a callback that takes its time. */
struct source {
    char *bytes;
    size_t at;
    int released;
};

static void give_back(void *user)
{
    __atomic_fetch_add(&((struct source *)user)->released, 1, __ATOMIC_SEQ_CST);
}

static int64_t read_slowly(void *buffer, size_t size, void *user)
{
    struct source *source = user;
    size_t left = 25 * MIB - source->at, got = left < size ? left : size;
    memcpy(buffer, source->bytes + source->at, got);
    source->at += got;
    sleep_ms(20);
    return (int64_t)got;
}

struct seen {
    int calls;
    fal_status status;
    bool executed;
};

static void note(fal_op *op, void *user)
{
    struct seen *seen = user;
    fal_error *err = NULL;
    fal_response *response = NULL;
    seen->calls++;
    seen->status = fal_op_take(op, &response, &err);
    seen->executed = fal_error_may_have_executed(err);
    fal_response_free(response);
    fal_error_free(err);
}

/* Shuts down, and checks that the operation ends once, with the right status, and leaves nothing behind. */
static void shut_down(fal_op *op, bool executed)
{
    fal_error *err = NULL;
    fal_response *response = NULL;
    fal_dispatcher *dispatcher = fal_dispatcher_new();
    struct seen seen = {0, FAL_OK, false};
    CHECK_OK(fal_op_when_done(op, dispatcher, note, NULL, &seen, &err));
    CHECK_STATUS(fal_op_take(op, &response, &err), FAL_PENDING);
    CHECK_OK(fal_shutdown(20000, &err));
    CHECK_INT(threads_left(1), 1);
    CHECK_INT(seen.calls, 0);
    for (int i = 0; i < 2; i++)
        CHECK_OK(fal_dispatcher_run(dispatcher, SIZE_MAX, -1, NULL, &err));
    CHECK_INT(seen.calls, 1);
    CHECK_INT(seen.status, FAL_E_SHUT_DOWN);
    CHECK_INT(seen.executed, executed);
    CHECK_FAILS(fal_op_take(op, &response, &err), FAL_E_TAKEN);
    CHECK_INT(fal_dispatcher_outstanding(dispatcher), 0);
    fal_dispatcher_release(dispatcher);
    fal_op_release(op);
    /* No request is pending at the emulator either. */
    CHECK_INT(arrived_with("", "\"outcome\":\"pending\"", 0), 0);
}

struct stage {
    const char *fault, *reached;
    fal_upload_way way;
    bool executed;
};

static const struct stage stages[] = {
    {"\"path\": \"*/initiate\", \"times\": null, \"action\": {\"type\": \"hang\"}", "path=*/initiate", FAL_UPLOAD_SIGNED, false},
    {"\"method\": \"PUT\", \"times\": null, \"action\": {\"type\": \"hang\"}", "method=PUT", FAL_UPLOAD_SIGNED, false},
    {"\"path\": \"/files/upload\", \"times\": null, \"action\": {\"type\": \"hang\"}", "path=/files/upload", FAL_UPLOAD_DIRECT, true},
    {"\"path\": \"*/2\", \"times\": null, \"action\": {\"type\": \"hang\"}", "path=*/2", FAL_UPLOAD_SIGNED_PARTS, false},
    {"\"path\": \"*/complete\", \"times\": null, \"action\": {\"type\": \"hang\"}", "path=*/complete", FAL_UPLOAD_SIGNED_PARTS, true},
};

static void in_the_middle_of_uploads(void)
{
    fal_client *client = new_client();
    fal_error *err = NULL;
    struct source source = {.bytes = calloc(1, 25 * MIB)};
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++)
        for (int reader = 0; reader < 2; reader++) {
            fal_upload *upload = NULL;
            fal_op *op = NULL;
            char json[256], query[64];
            source.at = 0;
            source.released = 0;
            control_reset();
            snprintf(json, sizeof json, "{%s}", stages[i].fault);
            fault(json);
            if (reader)
                CHECK_OK(fal_upload_new_reader((int64_t)(25 * MIB), read_slowly, give_back, &source, &upload, &err));
            else
                CHECK_OK(fal_upload_new_bytes(source.bytes, 25 * MIB, give_back, &source, &upload, &err));
            CHECK_OK(fal_upload_set_way(upload, stages[i].way, &err));
            CHECK_OK(fal_client_upload_start(client, upload, &op, &err));
            fal_upload_free(upload);
            snprintf(query, sizeof query, "wait_for=1&%s", stages[i].reached);
            CHECK_INT(arrived(query), 1);
            shut_down(op, stages[i].executed);
            CHECK_INT(source.released, 1);
        }
    free(source.bytes);
    fal_client_release(client);
}

/* Uploads some bytes and returns the URL of the file, for the caller to free. */
static char *stored(fal_client *client, size_t size)
{
    fal_error *err = NULL;
    fal_upload *upload = NULL;
    fal_response *answer = NULL;
    const char *url = "";
    struct source source = {.bytes = calloc(1, size)};
    must(fal_upload_new_bytes(source.bytes, size, NULL, NULL, &upload, &err), err, "fal_upload_new_bytes");
    must(fal_client_upload(client, upload, &answer, &err), err, "fal_client_upload");
    must(fal_response_get_string(answer, "/url", FAL_NUL, &url, NULL, &err), err, "/url");
    char *copy = strdup(url);
    fal_response_free(answer);
    fal_upload_free(upload);
    free(source.bytes);
    return copy;
}

static void in_the_middle_of_downloads(void)
{
    fal_client *client = new_client();
    fal_error *err = NULL;
    char *url = stored(client, 4 * MIB);
    for (int to_file = 0; to_file < 2; to_file++)
        for (int slow = 0; slow < 2; slow++) {
            fal_download *download = NULL;
            fal_op *op = NULL;
            control_reset();
            fault(slow ? "{\"method\": \"GET\", \"action\": {\"type\": \"slow\", \"bytes\": 20000, \"pause_ms\": 100}}"
                       : "{\"method\": \"GET\", \"action\": {\"type\": \"hang\"}}");
            CHECK_OK(fal_download_new(url, FAL_NUL, &download, &err));
            if (to_file)
                CHECK_OK(fal_download_set_path(download, in_folder("out.bin"), FAL_NUL, &err));
            CHECK_OK(fal_client_download_start(client, download, &op, &err));
            fal_download_free(download);
            CHECK_INT(arrived("wait_for=1&method=GET"), 1);
            /* A download into a file first writes under another name. */
            CHECK_INT(files(), to_file);
            shut_down(op, false);
            CHECK_INT(files(), 0);
        }
    /* The client works again afterwards. */
    control_reset();
    free(url);
    url = stored(client, 5);
    CHECK(*url);
    free(url);
    fal_client_release(client);
}

static void stalled(void)
{
    fal_error *err = NULL;
    fal_options *options = fal_options_new();
    CHECK_OK(fal_options_set_stall_timeout_ms(options, -1, &err));
    CHECK_OK(fal_options_set_stall_timeout_ms(options, 500, &err));
    CHECK_OK(fal_options_set_max_attempts(options, 2, &err));
    fal_client *client = client_of(options);
    /* The library retries after one stall. */
    fault("{\"method\": \"PUT\", \"action\": {\"type\": \"hang\"}}");
    char *url = stored(client, 5);
    CHECK_INT(arrived("method=PUT"), 2);
    fault("{\"method\": \"GET\", \"times\": null, \"action\": {\"type\": \"hang\"}}");
    fal_download *download = NULL;
    fal_response *answer = NULL;
    CHECK_OK(fal_download_new(url, FAL_NUL, &download, &err));
    CHECK_OK(fal_download_set_path(download, in_folder("out.bin"), FAL_NUL, &err));
    CHECK_INT(fal_client_download(client, download, &answer, &err), FAL_E_CONNECTION_LOST);
    CHECK_HAS(fal_error_message(err, NULL), "no byte came from");
    CHECK_HAS(fal_error_message(err, NULL), "0.5 s");
    CHECK(fal_error_is_retryable(err) && !fal_error_may_have_executed(err));
    fal_error_free(err);
    CHECK_INT(arrived("method=GET"), 2);
    CHECK_INT(files(), 0);
    fal_download_free(download);
    free(url);
    fal_client_release(client);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(in_the_middle_of_uploads),
        TEST(in_the_middle_of_downloads),
        TEST(stalled),
    };
    must(mkdtemp(folder) ? FAL_OK : FAL_E_IO, NULL, "mkdtemp");
    int status = RUN_TESTS(tests, control_reset);
    return rmdir(folder) == 0 ? status : EXIT_FAILURE;
}
