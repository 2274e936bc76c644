/* curl URL REQUESTS IN_FLIGHT [CA_FILE]: sends requests with libcurl, IN_FLIGHT at a time: one with its easy interface, more with
 * its multi interface. */

#include <curl/curl.h>

#include "measure.h"

struct transfer {
    CURL *easy;
    char *body;
    size_t size, capacity;
    double begun;
};

static size_t take(char *data, size_t one, size_t count, void *user)
{
    struct transfer *transfer = user;
    size_t size = one * count;
    if (transfer->size + size > transfer->capacity) {
        transfer->capacity = 2 * (transfer->size + size);
        transfer->body = realloc(transfer->body, transfer->capacity);
        CHECK(transfer->body != NULL);
    }
    memcpy(transfer->body + transfer->size, data, size);
    transfer->size += size;
    return size;
}

static void prepare(struct transfer *transfer, const char *url, const char *ca, struct curl_slist *headers)
{
    transfer->easy = curl_easy_init();
    CHECK(transfer->easy != NULL);
    curl_easy_setopt(transfer->easy, CURLOPT_URL, url);
    curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(transfer->easy, CURLOPT_POSTFIELDS, INPUT);
    curl_easy_setopt(transfer->easy, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(transfer->easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(transfer->easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(transfer->easy, CURLOPT_NOSIGNAL, 1L);
    if (ca != NULL) {
        curl_easy_setopt(transfer->easy, CURLOPT_CAINFO, ca);
        curl_easy_setopt(transfer->easy, CURLOPT_PIPEWAIT, 1L);
    }
}

static void check(struct transfer *transfer)
{
    long status = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    CHECK(status == 200 && transfer->size > 100);
    transfer->size = 0;
}

static void one_at_a_time(struct transfer *transfer, size_t requests, struct measured *m)
{
    for (size_t n = 0; n < requests; n++) {
        double begun = now();
        CHECK(curl_easy_perform(transfer->easy) == CURLE_OK);
        check(transfer);
        if (m != NULL)
            m->took[m->count++] = now() - begun;
    }
}

static void many(CURLM *multi, struct transfer *transfers, size_t requests, size_t in_flight, struct measured *m)
{
    size_t started = 0, ended = 0;
    int running = 0, queued = 0;
    for (; started < in_flight && started < requests; started++) {
        transfers[started].begun = now();
        curl_multi_add_handle(multi, transfers[started].easy);
    }
    while (ended < requests) {
        CHECK(curl_multi_perform(multi, &running) == CURLM_OK);
        CURLMsg *message;
        int again = 0;
        while ((message = curl_multi_info_read(multi, &queued)) != NULL) {
            struct transfer *transfer = NULL;
            CHECK(message->msg == CURLMSG_DONE && message->data.result == CURLE_OK);
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
            check(transfer);
            curl_multi_remove_handle(multi, transfer->easy);
            if (m != NULL)
                m->took[m->count++] = now() - transfer->begun;
            ended++;
            if (started < requests) {
                started++;
                transfer->begun = now();
                curl_multi_add_handle(multi, transfer->easy);
                again = 1;
            }
        }
        if (!again && ended < requests)
            CHECK(curl_multi_poll(multi, NULL, 0, 1000, NULL) == CURLM_OK);
    }
}

int main(int argc, char **argv)
{
    CHECK(argc >= 4);
    size_t requests = strtoul(argv[2], NULL, 10), in_flight = strtoul(argv[3], NULL, 10);
    const char *ca = argc > 4 ? argv[4] : NULL;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    struct curl_slist *headers = curl_slist_append(NULL, "authorization: Key " KEY);
    headers = curl_slist_append(headers, "content-type: application/json");
    struct transfer *transfers = calloc(in_flight, sizeof *transfers);
    CHECK(transfers != NULL);
    for (size_t n = 0; n < in_flight; n++)
        prepare(&transfers[n], argv[1], ca, headers);
    if (in_flight == 1) {
        one_at_a_time(transfers, warm_up(requests, 1), NULL);
        struct measured m = begin(requests);
        one_at_a_time(transfers, requests, &m);
        print(&m);
    } else {
        CURLM *multi = curl_multi_init();
        CHECK(curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)in_flight) == CURLM_OK);
        many(multi, transfers, warm_up(requests, in_flight), in_flight, NULL);
        struct measured m = begin(requests);
        many(multi, transfers, requests, in_flight, &m);
        print(&m);
        curl_multi_cleanup(multi);
    }
    for (size_t n = 0; n < in_flight; n++) {
        curl_easy_cleanup(transfers[n].easy);
        free(transfers[n].body);
    }
    free(transfers);
    curl_slist_free_all(headers);
    curl_global_cleanup();
    return 0;
}
