/* Makes an API key with an ADMIN key, uses, lists and revokes it, and shows that fal then refuses it. Prints no secret.
 *
 * usage: FAL_KEY=<an ADMIN key> keys
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fal/fal.h>

static int failed(fal_error *err)
{
    fprintf(stderr, "error: %s\n", fal_error_message(err, NULL));
    fprintf(stderr, "do:    %s\n", fal_error_remedy(err, NULL));
    fal_error_free(err);
    return EXIT_FAILURE;
}

/* Returns a client that uses the new key. */
static fal_status client_of(const fal_new_key *key, fal_client **client, fal_error **err)
{
    fal_options *options = fal_options_new();
    fal_status status = fal_options_set_key(options, fal_new_key_secret(key, NULL), FAL_NUL, err);
    if (status == FAL_OK)
        status = fal_client_new(options, client, err);
    fal_options_free(options);
    return status;
}

/* Makes a request that any valid key may make. */
static fal_status use(const fal_client *client, size_t *prices, fal_error **err)
{
    static const char params[] = "{\"endpoint_id\": [\"fal-ai/flux/dev\", \"fal-ai/flux/schnell\"]}";
    fal_response *response = NULL;
    fal_status status = fal_client_platform(client, "models.pricing", FAL_NUL, params, FAL_NUL, &response, err);
    if (status == FAL_OK)
        status = fal_response_get_count(response, "/prices", FAL_NUL, prices, err);
    fal_response_free(response);
    return status;
}

/* Searches the list of all keys, which holds one page at a time in memory. */
static fal_status find(const fal_client *admin, const char *id, int *found, fal_error **err)
{
    fal_op *list = NULL;
    fal_event *event = NULL;
    fal_response *response = NULL;
    fal_status status = fal_client_platform_list_start(admin, "keys.list", FAL_NUL, NULL, 0, &list, err);
    while (status == FAL_OK && (status = fal_op_next_event(list, -1, &event, err)) == FAL_OK && event) {
        const char *listed = NULL;
        status = fal_response_get_string(fal_event_content(event), "/key_id", FAL_NUL, &listed, NULL, err);
        if (status == FAL_OK && strcmp(listed, id) == 0)
            *found = 1;
        fal_event_free(event);
    }
    if (status == FAL_OK)
        status = fal_op_take(list, &response, err);
    fal_response_free(response);
    fal_op_release(list);
    return status;
}

static fal_status revoke(const fal_client *admin, const char *id, fal_error **err)
{
    fal_response *response = NULL;
    fal_status status = fal_client_revoke_key(admin, id, FAL_NUL, false, &response, err);
    fal_response_free(response);
    return status;
}

int main(void)
{
    fal_error *err = NULL;
    fal_client *admin = NULL, *client = NULL;
    fal_new_key *key = NULL;
    size_t prices = 0;
    int found = 0, result = EXIT_FAILURE;

    if (fal_client_new(NULL, &admin, &err) == FAL_OK
        && fal_client_create_key(admin, "made by keys.c", FAL_NUL, &key, &err) == FAL_OK
        && client_of(key, &client, &err) == FAL_OK
        && use(client, &prices, &err) == FAL_OK
        && find(admin, fal_new_key_id(key, NULL), &found, &err) == FAL_OK
        && revoke(admin, fal_new_key_id(key, NULL), &err) == FAL_OK) {
        printf("made %s, which reads %zu prices\n", fal_new_key_id(key, NULL), prices);
        printf("listed: %s\n", found ? "yes" : "no");
        if (use(client, &prices, &err) == FAL_E_UNAUTHENTICATED) {
            printf("revoked: %s\n", fal_error_message(err, NULL));
            result = EXIT_SUCCESS;
        }
        fal_error_free(err);
    } else {
        result = failed(err);
    }
    fal_new_key_free(key);
    fal_client_release(client);
    fal_client_release(admin);
    return result;
}
