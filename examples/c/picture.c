/* Makes a picture and saves it, or lists the account's keys.
 *
 * usage: picture [--size WxH] [--out FILE] [PROMPT]
 *        picture keys
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fal/fal.h>

struct settings {
    const char *prompt;
    const char *out;
    long width;
    long height;
};

/* Prints an error, its remedy and, if it concerns a key, where the library looked for the key. */
static int failed(fal_error *err)
{
    const fal_credentials *credentials = fal_error_credentials(err);
    fprintf(stderr, "error: %s\n", fal_error_message(err, NULL));
    fprintf(stderr, "do:    %s\n", fal_error_remedy(err, NULL));
    if (credentials)
        fprintf(stderr, "%s\n", fal_credentials_table(credentials, NULL));
    fal_error_free(err);
    return EXIT_FAILURE;
}

static fal_status print_key(const fal_client *client, fal_error **err)
{
    fal_credentials *credentials = NULL;
    fal_status status = fal_client_explain(client, &credentials, err);
    if (status == FAL_OK && fal_credentials_status(credentials) == FAL_OK)
        printf("key:      %s, id %s\n", fal_credentials_source(credentials, NULL), fal_credentials_key_id(credentials, NULL));
    fal_credentials_free(credentials);
    return status;
}

/* Runs the model. The response describes the picture and has its URL. */
static fal_status run(const fal_client *client, const struct settings *settings, fal_response **made, fal_error **err)
{
    fal_request *request = NULL;
    fal_status status = fal_request_new("fal-ai/flux/schnell", FAL_NUL, &request, err);
    if (status == FAL_OK)
        status = fal_request_set_string(request, "prompt", FAL_NUL, settings->prompt, FAL_NUL, err);
    if (status == FAL_OK)
        status = fal_request_set_int(request, "/image_size/width", FAL_NUL, settings->width, err);
    if (status == FAL_OK)
        status = fal_request_set_int(request, "/image_size/height", FAL_NUL, settings->height, err);
    if (status == FAL_OK)
        status = fal_client_run(client, request, made, err);
    fal_request_free(request);
    return status;
}

static fal_status get(const fal_client *client, const char *url, fal_response **answer, fal_error **err)
{
    fal_request *request = NULL;
    fal_status status = fal_request_new_http("GET", FAL_NUL, url, FAL_NUL, &request, err);
    if (status == FAL_OK)
        status = fal_client_send(client, request, answer, err);
    fal_request_free(request);
    return status;
}

static int save(const fal_response *picture, const char *path)
{
    size_t length = 0;
    const void *bytes = fal_response_body(picture, &length);
    FILE *file = fopen(path, "wb");
    int written = file && fwrite(bytes, 1, length, file) == length;
    if (file && fclose(file) != 0)
        written = 0;
    if (!written)
        perror(path);
    return written;
}

static int make_picture(const fal_client *client, const struct settings *settings)
{
    fal_error *err = NULL;
    fal_response *made = NULL;
    fal_response *picture = NULL;
    const char *url = NULL;
    int64_t width = 0, height = 0;
    int result = EXIT_FAILURE;

    if (print_key(client, &err) == FAL_OK
        && run(client, settings, &made, &err) == FAL_OK
        && fal_response_get_string(made, "/images/0/url", FAL_NUL, &url, NULL, &err) == FAL_OK
        && fal_response_get_int(made, "/images/0/width", FAL_NUL, &width, &err) == FAL_OK
        && fal_response_get_int(made, "/images/0/height", FAL_NUL, &height, &err) == FAL_OK
        && get(client, url, &picture, &err) == FAL_OK) {
        const char *id = fal_response_request_id(made, NULL);
        printf("request:  %s\n", id ? id : "-");
        if (save(picture, settings->out)) {
            printf("picture:  %s (%ldx%ld)\n", settings->out, (long)width, (long)height);
            result = EXIT_SUCCESS;
        }
    } else {
        result = failed(err);
    }
    fal_response_free(picture);
    fal_response_free(made);
    return result;
}

static int list_keys(const fal_client *client)
{
    fal_error *err = NULL;
    fal_response *answer = NULL;
    size_t count = 0;

    if (get(client, "/v1/keys", &answer, &err) != FAL_OK
        || fal_response_get_count(answer, "/keys", FAL_NUL, &count, &err) != FAL_OK) {
        fal_response_free(answer);
        return failed(err);
    }
    for (size_t i = 0; i < count; i++) {
        char id_at[64], alias_at[64];
        const char *id = "-", *alias = "-";
        snprintf(id_at, sizeof id_at, "/keys/%zu/key_id", i);
        snprintf(alias_at, sizeof alias_at, "/keys/%zu/alias", i);
        if (fal_response_get_string(answer, id_at, FAL_NUL, &id, NULL, NULL) == FAL_OK
            && fal_response_get_string(answer, alias_at, FAL_NUL, &alias, NULL, NULL) == FAL_OK)
            printf("%s  %s\n", id, alias);
    }
    fal_response_free(answer);
    return EXIT_SUCCESS;
}

/* Fills `settings` from the arguments. Returns 0 if they are invalid. */
static int parse(int argc, char **argv, struct settings *settings)
{
    for (int i = 1; i < argc; i++) {
        char end;
        if (strcmp(argv[i], "--size") == 0) {
            if (++i == argc || sscanf(argv[i], "%ldx%ld%c", &settings->width, &settings->height, &end) != 2)
                return 0;
        } else if (strcmp(argv[i], "--out") == 0) {
            if (++i == argc)
                return 0;
            settings->out = argv[i];
        } else if (argv[i][0] == '-') {
            return 0;
        } else {
            settings->prompt = argv[i];
        }
    }
    return 1;
}

int main(int argc, char **argv)
{
    struct settings settings = {"a lighthouse at dusk", "picture.png", 512, 512};
    if (!parse(argc, argv, &settings)) {
        fputs("usage: picture [--size WxH] [--out FILE] [PROMPT]\n       picture keys\n", stderr);
        return 2;
    }

    fal_error *err = NULL;
    fal_client *client = NULL;
    if (fal_client_new(NULL, &client, &err) != FAL_OK)
        return failed(err);
    int keys = argc == 2 && strcmp(argv[1], "keys") == 0;
    int result = keys ? list_keys(client) : make_picture(client, &settings);
    fal_client_release(client);
    if (fal_shutdown(5000, &err) != FAL_OK)
        return failed(err);
    return result;
}
