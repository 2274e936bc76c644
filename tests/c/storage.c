/* Files: upload, use in an input, download. */

#include "support.h"

#include <sys/stat.h>

#define MIB ((size_t)1 << 20)

static char folder[] = "/tmp/fal-storage-XXXXXX";

static const char *in_folder(const char *name)
{
    static char path[4][256];
    static int next;
    char *chosen = path[next++ % 4];
    snprintf(chosen, sizeof path[0], "%s/%s", folder, name);
    return chosen;
}

static const char *write_file(const char *name, const void *data, size_t size)
{
    const char *path = in_folder(name);
    FILE *file = fopen(path, "wb");
    must(file && fwrite(data, 1, size, file) == size && fclose(file) == 0 ? FAL_OK : FAL_E_IO, NULL, path);
    return path;
}

static char *pattern(size_t size)
{
    char *bytes = malloc(size);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)(i * 31 + i / 251);
    return bytes;
}

/* Uploads, and checks by a download into memory that the file has these bytes. Frees the upload. */
static void uploads(fal_client *client, fal_upload *upload, const char *bytes, size_t size)
{
    fal_error *err = NULL;
    fal_response *answer = NULL, *fetched = NULL;
    fal_download *download = NULL;
    const char *url = NULL;
    if (!CHECK_OK(fal_client_upload(client, upload, &answer, &err)))
        return;
    int64_t told = -1;
    CHECK_OK(fal_response_get_int(answer, "/size", FAL_NUL, &told, &err));
    CHECK_INT(told, size);
    CHECK_OK(fal_response_get_string(answer, "/url", FAL_NUL, &url, NULL, &err));
    CHECK_OK(fal_download_new(url, FAL_NUL, &download, &err));
    if (CHECK_OK(fal_client_download(client, download, &fetched, &err))) {
        size_t len = 0;
        const void *body = fal_response_body(fetched, &len);
        CHECK(len == size && (size == 0 || memcmp(body, bytes, size) == 0));
    }
    fal_response_free(answer);
    fal_response_free(fetched);
    fal_download_free(download);
    fal_upload_free(upload);
}

static fal_upload *upload_of_file(const char *path)
{
    fal_error *err = NULL;
    fal_upload *upload = NULL;
    CHECK_OK(fal_upload_new_file(path, FAL_NUL, &upload, &err));
    return upload;
}

static void every_way_takes_a_file(void)
{
    fal_client *client = new_client();
    fal_error *err = NULL;
    char *bytes = pattern(11 * MIB);
    const char *path = write_file("input.bin", bytes, 11 * MIB);
    for (fal_upload_way way = FAL_UPLOAD_AUTOMATIC; way <= FAL_UPLOAD_GOOGLE_PARTS; way++) {
        fal_upload *upload = upload_of_file(path);
        CHECK_OK(fal_upload_set_way(upload, way, &err));
        uploads(client, upload, bytes, 11 * MIB);
    }
    fal_upload *upload = upload_of_file(path);
    CHECK_FAILS(fal_upload_set_way(upload, 7, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_upload_set_way(upload, (fal_upload_way)-1, &err), FAL_E_INVALID_ARGUMENT);
    fal_upload_free(upload);
    free(bytes);
    fal_client_release(client);
}

static void count_release(void *user)
{
    __atomic_fetch_add((int *)user, 1, __ATOMIC_SEQ_CST);
}

static int released(int *count)
{
    /* The connection releases the bytes a moment after the call has returned. */
    for (int tries = 0; tries < 1000 && !__atomic_load_n(count, __ATOMIC_SEQ_CST); tries++)
        sleep_ms(5);
    return __atomic_load_n(count, __ATOMIC_SEQ_CST);
}

static void bytes_are_lent_or_copied(void)
{
    fal_client *client = new_client();
    fal_error *err = NULL;
    fal_upload *upload = NULL;
    char *bytes = pattern(3 * MIB);
    int count = 0;
    CHECK_OK(fal_upload_new_bytes(bytes, 3 * MIB, count_release, &count, &upload, &err));
    CHECK_INT(count, 0);
    uploads(client, upload, bytes, 3 * MIB);
    CHECK_INT(released(&count), 1);
    CHECK_OK(fal_upload_new_bytes(bytes, 5, NULL, NULL, &upload, &err));
    char first = bytes[0];
    bytes[0] = 'x';
    char copy[5];
    memcpy(copy, bytes, sizeof copy);
    copy[0] = first;
    uploads(client, upload, copy, sizeof copy);
    /* A failed upload releases the bytes too. */
    count = 0;
    CHECK_FAILS(fal_upload_new_bytes(NULL, 5, count_release, &count, &upload, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_INT(count, 1);
    CHECK_OK(fal_upload_new_bytes(NULL, 0, count_release, &count, &upload, &err));
    uploads(client, upload, "", 0);
    CHECK_INT(released(&count), 2);
    free(bytes);
    fal_client_release(client);
}

struct tape {
    const char *bytes;
    size_t size, at;
    size_t fails_at;
    int lies;
    int released;
};

static int64_t read_tape(void *buffer, size_t size, void *user)
{
    struct tape *tape = user;
    if (tape->lies)
        return (int64_t)size + 1;
    if (tape->fails_at && tape->at >= tape->fails_at)
        return -5;
    size_t left = tape->size - tape->at;
    size_t got = left < size ? left : size;
    got = got > 1000 ? 1000 + got % 17 : got;
    got = got > left ? left : got;
    memcpy(buffer, tape->bytes + tape->at, got);
    tape->at += got;
    return (int64_t)got;
}

static void release_tape(void *user)
{
    __atomic_fetch_add(&((struct tape *)user)->released, 1, __ATOMIC_SEQ_CST);
}

static void a_callback_gives_the_bytes(void)
{
    fal_client *client = new_client();
    fal_error *err = NULL;
    char *bytes = pattern(11 * MIB);
    for (int known = 0; known < 2; known++) {
        struct tape tape = {.bytes = bytes, .size = 11 * MIB};
        fal_upload *upload = NULL;
        int64_t size = known ? (int64_t)tape.size : -1;
        CHECK_OK(fal_upload_new_reader(size, read_tape, release_tape, &tape, &upload, &err));
        uploads(client, upload, bytes, tape.size);
        CHECK_INT(released(&tape.released), 1);
    }
    struct tape broken[] = {{.bytes = bytes, .size = MIB, .fails_at = 5000}, {.bytes = bytes, .size = MIB, .lies = 1}};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        fal_upload *upload = NULL;
        fal_response *answer = NULL;
        CHECK_OK(fal_upload_new_reader((int64_t)MIB, read_tape, release_tape, &broken[i], &upload, &err));
        CHECK_FAILS(fal_client_upload(client, upload, &answer, &err), FAL_E_IO);
        CHECK(!answer);
        fal_upload_free(upload);
        CHECK_INT(released(&broken[i].released), 1);
    }
    free(bytes);
    fal_client_release(client);
}

static void names_types_and_wishes(void)
{
    fal_client *client = new_client();
    fal_error *err = NULL;
    fal_response *answer = NULL;
    fal_upload *upload = upload_of_file(write_file("x.bin", "x", 1));
    CHECK_FAILS(fal_upload_add_rule(upload, "alice", FAL_NUL, FAL_ACCESS_ALLOW, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_upload_set_access(upload, 3, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_upload_set_expires_in(upload, "0", FAL_NUL, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_upload_set_content_type(upload, "png", FAL_NUL, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_FAILS(fal_upload_set_timeout_ms(upload, 0, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_OK(fal_upload_set_file_name(upload, "../a.png", FAL_NUL, &err));
    CHECK_OK(fal_upload_set_expires_in(upload, "1h", FAL_NUL, &err));
    CHECK_OK(fal_upload_set_access(upload, FAL_ACCESS_FORBID, &err));
    CHECK_OK(fal_upload_add_rule(upload, "acme", FAL_NUL, FAL_ACCESS_ALLOW, &err));
    CHECK_OK(fal_client_upload(client, upload, &answer, &err));
    const char *name = NULL, *kind = NULL, *url = NULL;
    CHECK_OK(fal_response_get_string(answer, "/file_name", FAL_NUL, &name, NULL, &err));
    CHECK_OK(fal_response_get_string(answer, "/content_type", FAL_NUL, &kind, NULL, &err));
    CHECK_OK(fal_response_get_string(answer, "/url", FAL_NUL, &url, NULL, &err));
    CHECK_TEXT(name, "a.png");
    CHECK_TEXT(kind, "image/png");
    char *told = arrivals("path=*/initiate");
    CHECK_INT(count_of(told, "expiration_duration_seconds"), 2);
    free(told);
    /* Only the owner may read the file. */
    fal_download *download = NULL;
    fal_response *fetched = NULL;
    CHECK_OK(fal_download_new(url, FAL_NUL, &download, &err));
    CHECK_FAILS(fal_client_download(client, download, &fetched, &err), FAL_E_FORBIDDEN);
    CHECK_OK(fal_download_set_file_token(download, true, &err));
    CHECK_OK(fal_client_download(client, download, &fetched, &err));
    fal_download_free(download);
    fal_response_free(fetched);
    fal_response_free(answer);
    fal_upload_free(upload);
    fal_client_release(client);
}

static void inputs_hold_files(void)
{
    fal_client *client = new_client();
    fal_error *err = NULL;
    fal_response *answer = NULL;
    fal_request *request = run_of("emulator/echo");
    const char *path = write_file("cat.png", "cat", 3);
    fal_upload *upload = upload_of_file(path);
    CHECK_OK(fal_request_set_json(request, "list", FAL_NUL, "[]", FAL_NUL, &err));
    CHECK_OK(fal_request_set_file(request, "image_url", FAL_NUL, path, FAL_NUL, &err));
    CHECK_OK(fal_request_set_file(request, "/list/0", FAL_NUL, path, FAL_NUL, &err));
    CHECK_OK(fal_request_set_file_bytes(request, "mask", FAL_NUL, "mask!", 5, "image/webp", FAL_NUL, &err));
    CHECK_OK(fal_request_set_upload(request, "other", FAL_NUL, upload, &err));
    fal_upload_free(upload);
    CHECK_OK(fal_client_run(client, request, &answer, &err));
    const char *first = NULL, *text = NULL;
    CHECK_OK(fal_response_get_string(answer, "/body/image_url", FAL_NUL, &first, NULL, &err));
    CHECK_HAS(first, "https://v3b.fal.media/");
    CHECK_OK(fal_response_get_string(answer, "/body/list/0", FAL_NUL, &text, NULL, &err));
    CHECK_TEXT(text, first);
    CHECK_OK(fal_response_get_string(answer, "/body/other", FAL_NUL, &text, NULL, &err));
    CHECK_TEXT(text, first);
    CHECK_INT(arrived("method=PUT"), 2);
    fal_response_free(answer);
    CHECK_OK(fal_request_set_inline_files(request, 3, &err));
    CHECK_OK(fal_client_run(client, request, &answer, &err));
    CHECK_OK(fal_response_get_string(answer, "/body/image_url", FAL_NUL, &text, NULL, &err));
    CHECK_TEXT(text, "data:image/png;base64,Y2F0");
    fal_response_free(answer);
    CHECK_OK(fal_request_set_file(request, "image_url", FAL_NUL, in_folder("missing"), FAL_NUL, &err));
    CHECK_FAILS(fal_client_run(client, request, &answer, &err), FAL_E_IO);
    fal_request_free(request);

    request = http_of("POST", "https://fal.run/emulator/echo");
    upload = upload_of_file(path);
    CHECK_OK(fal_request_set_body_upload(request, upload, "text/x-cat", FAL_NUL, &err));
    fal_upload_free(upload);
    CHECK_OK(fal_client_send(client, request, &answer, &err));
    char *told = arrivals("path=/emulator/echo");
    CHECK_HAS(told, "text/x-cat");
    free(told);
    fal_response_free(answer);
    fal_request_free(request);
    fal_client_release(client);
}

static void downloads_go_to_files(void)
{
    fal_client *client = new_client();
    fal_error *err = NULL;
    fal_response *answer = NULL;
    fal_download *download = NULL;
    fal_request *request = run_of("emulator/bytes");
    CHECK_OK(fal_request_set_int(request, "size", FAL_NUL, 5000, &err));
    CHECK_OK(fal_download_new_request(request, &download, &err));
    fal_request_free(request);
    const char *path = in_folder("out.bin");
    CHECK_OK(fal_download_set_path(download, path, FAL_NUL, &err));
    CHECK_OK(fal_download_set_max_bytes(download, 4999, &err));
    CHECK_FAILS(fal_client_download(client, download, &answer, &err), FAL_E_TOO_LARGE);
    CHECK_OK(fal_download_set_max_bytes(download, 5000, &err));
    CHECK_OK(fal_client_download(client, download, &answer, &err));
    struct stat there;
    CHECK(stat(path, &there) == 0 && there.st_size == 5000);
    fal_response_free(answer);
    CHECK_FAILS(fal_client_download(client, download, &answer, &err), FAL_E_IO);
    CHECK_OK(fal_download_set_overwrite(download, true, &err));
    CHECK_FAILS(fal_download_set_timeout_ms(download, 0, &err), FAL_E_INVALID_ARGUMENT);
    CHECK_OK(fal_client_download(client, download, &answer, &err));
    fal_response_free(answer);
    fal_download_free(download);
    CHECK_FAILS(fal_download_new("nonsense", FAL_NUL, &download, &err), FAL_E_INVALID_ARGUMENT);
    CHECK(!download);
    fal_client_release(client);
}

static void progress_is_told_and_an_upload_cancelled(void)
{
    fal_client *client = new_client();
    fal_error *err = NULL;
    fal_op *op = NULL;
    char *bytes = pattern(25 * MIB);
    fal_upload *upload = upload_of_file(write_file("big.bin", bytes, 25 * MIB));
    CHECK_OK(fal_upload_set_way(upload, FAL_UPLOAD_SIGNED_PARTS, &err));
    CHECK_OK(fal_client_upload_start(client, upload, &op, &err));
    int64_t last = 0;
    for (;;) {
        fal_event *event = NULL;
        CHECK_OK(fal_op_next_event(op, 20000, &event, &err));
        if (!event)
            break;
        int64_t now = 0;
        CHECK_INT(fal_event_kind(event), FAL_EVENT_PROGRESS);
        CHECK_OK(fal_response_get_int(fal_event_content(event), "/transferred", FAL_NUL, &now, &err));
        CHECK(now > last);
        CHECK_INT(fal_event_transferred(event), now);
        CHECK_INT(fal_event_total(event), 25 * MIB);
        CHECK_INT(fal_event_queue_position(event), -1);
        last = now;
        fal_event_free(event);
    }
    CHECK_INT(last, 25 * MIB);
    fal_op_release(op);
    control_reset();
    fault("{\"method\": \"PUT\", \"path\": \"*/2\", \"times\": null, \"action\": {\"type\": \"hang\"}}");
    CHECK_OK(fal_client_upload_start(client, upload, &op, &err));
    CHECK(arrived("wait_for=1&method=PUT&path=*/2") == 1);
    fal_op_cancel(op);
    CHECK_OK(fal_op_wait(op, 20000, &err));
    fal_response *answer = NULL;
    CHECK_FAILS(fal_op_take(op, &answer, &err), FAL_E_CANCELLED);
    CHECK_INT(arrived("path=*/complete"), 0);
    fal_op_release(op);
    fal_upload_free(upload);
    free(bytes);
    fal_client_release(client);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(every_way_takes_a_file),
        TEST(bytes_are_lent_or_copied),
        TEST(a_callback_gives_the_bytes),
        TEST(names_types_and_wishes),
        TEST(inputs_hold_files),
        TEST(downloads_go_to_files),
        TEST(progress_is_told_and_an_upload_cancelled),
    };
    must(mkdtemp(folder) ? FAL_OK : FAL_E_IO, NULL, "mkdtemp");
    int status = RUN_TESTS(tests, control_reset);
    static const char *const names[] = {"input.bin", "x.bin", "cat.png", "out.bin", "big.bin"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(in_folder(names[i]));
    return rmdir(folder) == 0 ? status : EXIT_FAILURE;
}
