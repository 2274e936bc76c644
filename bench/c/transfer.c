/* transfer upload|put|download URL FILE: uploads a file as libfal thinks best, or in one PUT; or downloads the URL to the file. */

#include "client.h"

int main(int argc, char **argv)
{
    CHECK(argc == 4);
    fal_error *err = NULL;
    fal_response *response = NULL;
    fal_client *client = client_for(argv[2], NULL);
    if (strcmp(argv[1], "download") == 0) {
        fal_download *download = NULL;
        char url[256];
        snprintf(url, sizeof url, "https://v3b.fal.media/%s", endpoint_of(argv[2]));
        must(fal_download_new(url, FAL_NUL, &download, &err), &err);
        must(fal_download_set_path(download, argv[3], FAL_NUL, &err), &err);
        must(fal_client_download(client, download, &response, &err), &err);
        fal_download_free(download);
    } else {
        fal_upload *upload = NULL;
        must(fal_upload_new_file(argv[3], FAL_NUL, &upload, &err), &err);
        if (strcmp(argv[1], "put") == 0)
            must(fal_upload_set_way(upload, FAL_UPLOAD_SIGNED, &err), &err);
        must(fal_client_upload(client, upload, &response, &err), &err);
        fal_upload_free(upload);
    }
    fal_response_free(response);
    fal_client_release(client);
    return fal_shutdown(-1, NULL) != FAL_OK;
}
