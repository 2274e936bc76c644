#include "givens.hpp"

#include <cstdlib>

#include "words.hpp"

namespace api {

enum { LIMIT_MS = 250, MOST_OF_A_KIND = 12 };

void bound(World &, fal_options *options) { (void)fal_options_set_timeout_ms(options, LIMIT_MS, nullptr); }
void bound(World &, fal_request *request) { (void)fal_request_set_timeout_ms(request, LIMIT_MS, nullptr); }
void bound(World &, fal_job *job) { (void)fal_job_set_timeout_ms(job, LIMIT_MS, nullptr); }
void bound(World &, fal_upload *upload) { (void)fal_upload_set_timeout_ms(upload, LIMIT_MS, nullptr); }
void bound(World &, fal_download *download) { (void)fal_download_set_timeout_ms(download, LIMIT_MS, nullptr); }

/* Returns an existing object, or a new one that is kept. */
template <class T> static T *have(World &world)
{
    auto &all = world.of<T>().owned;
    if (all.empty())
        if (T *given = give<T>(world))
            all.push_back(given);
    return all.empty() ? nullptr : all[world.input.below(all.size())];
}

template <> fal_options *give(World &world)
{
    fal_options *options = fal_options_new();
    bound(world, options);
    return options;
}

/* A client of the emulator, or of a peer that sends anything. */
template <> fal_client *give(World &world)
{
    fal_options *options = give<fal_options>(world);
    uint8_t choice = world.input.byte() % 4;
    if (choice > 1) {
        (void)fal_options_set_host(options, FAL_HOST_EMULATOR, world.server.address().c_str(), FAL_NUL, nullptr);
        (void)fal_options_set_key(options, PLANTED_KEY, FAL_NUL, nullptr);
    } else if (choice == 1) {
        (void)fal_options_set_key(options, getenv("FAL_EMULATOR_ADMIN_KEY"), FAL_NUL, nullptr);
    }
    fal_client *client = nullptr;
    (void)fal_client_new(options, &client, nullptr);
    fal_options_free(options);
    return client;
}

static fal_request *request_to(World &world, const char *endpoint)
{
    fal_request *request = nullptr;
    (void)fal_request_new(endpoint, FAL_NUL, &request, nullptr);
    bound(world, request);
    return request;
}

template <> fal_request *give(World &world)
{
    static const char *const endpoints[] = {"emulator/echo", "emulator/stream", "emulator/realtime", "emulator/fail",
                                            "emulator/job",  "emulator/slow",   "emulator/workflow", "no/such"};
    return request_to(world, endpoints[world.input.below(8)]);
}

template <> fal_response *give(World &world)
{
    fal_response *response = nullptr;
    fal_request *request = give<fal_request>(world);
    (void)fal_client_run(have<fal_client>(world), request, &response, nullptr);
    fal_request_free(request);
    return response;
}

template <> fal_error *give(World &world)
{
    fal_error *error = nullptr;
    fal_response *response = nullptr;
    fal_request *request = request_to(world, "emulator/fail");
    (void)fal_request_set_string(request, "type", FAL_NUL, "image_too_large", FAL_NUL, nullptr);
    (void)fal_client_run(have<fal_client>(world), request, &response, &error);
    fal_response_free(response);
    fal_request_free(request);
    return error;
}

template <> fal_credentials *give(World &world)
{
    fal_credentials *credentials = nullptr;
    (void)fal_credentials_explain(have<fal_options>(world), &credentials, nullptr);
    return credentials;
}

template <> fal_profiles *give(World &world)
{
    fal_profiles *profiles = nullptr;
    (void)fal_profiles_list(have<fal_options>(world), &profiles, nullptr);
    return profiles;
}

template <> fal_op *give(World &world)
{
    fal_op *op = nullptr;
    fal_client *client = have<fal_client>(world);
    fal_request *request = give<fal_request>(world);
    switch (world.input.below(4)) {
    case 0: (void)fal_client_run_start(client, request, &op, nullptr); break;
    case 1: (void)fal_client_stream_start(client, request, &op, nullptr); break;
    case 2: (void)fal_client_subscribe_start(client, request, &op, nullptr); break;
    default: (void)fal_client_platform_list_start(client, "models.list", FAL_NUL, nullptr, 0, &op, nullptr);
    }
    fal_request_free(request);
    return op;
}

template <> fal_event *give(World &world)
{
    fal_event *event = nullptr;
    (void)fal_op_next_event(have<fal_op>(world), 20, &event, nullptr);
    return event;
}

template <> fal_job *give(World &world)
{
    fal_job *job = nullptr;
    fal_response *submitted = nullptr;
    fal_request *request = request_to(world, "emulator/job");
    if (world.input.once_in(2) && fal_client_submit(have<fal_client>(world), request, &submitted, nullptr) == FAL_OK)
        (void)fal_job_of_response("emulator/job", FAL_NUL, submitted, &job, nullptr);
    else
        (void)fal_job_new("emulator/job", FAL_NUL, "r-1", FAL_NUL, &job, nullptr);
    fal_response_free(submitted);
    fal_request_free(request);
    if (job)
        bound(world, job);
    return job;
}

template <> fal_socket_options *give(World &) { return fal_socket_options_new(); }

template <> fal_realtime *give(World &world)
{
    fal_realtime *realtime = nullptr;
    fal_request *request = request_to(world, "emulator/realtime");
    (void)fal_client_realtime_start(have<fal_client>(world), request, nullptr, &realtime, nullptr);
    fal_request_free(request);
    return realtime;
}

template <> fal_websocket *give(World &world)
{
    fal_websocket *websocket = nullptr;
    fal_request *request = request_to(world, "emulator/realtime");
    (void)fal_client_websocket_start(have<fal_client>(world), request, nullptr, &websocket, nullptr);
    fal_request_free(request);
    return websocket;
}

template <> fal_channel *give(World &world)
{
    fal_channel *channel = nullptr;
    fal_request *request = request_to(world, world.input.once_in(2) ? "emulator/echo" : "emulator/stream");
    (void)fal_channel_new(have<fal_client>(world), request, &channel, nullptr);
    fal_request_free(request);
    return channel;
}

template <> fal_upload *give(World &world)
{
    fal_upload *upload = nullptr;
    (void)fal_upload_new_bytes("some bytes", 10, nullptr, nullptr, &upload, nullptr);
    bound(world, upload);
    return upload;
}

template <> fal_download *give(World &world)
{
    fal_download *download = nullptr;
    fal_request *request = give<fal_request>(world);
    (void)fal_download_new_request(request, &download, nullptr);
    fal_request_free(request);
    if (download)
        bound(world, download);
    return download;
}

template <> fal_new_key *give(World &world)
{
    fal_new_key *key = nullptr;
    (void)fal_client_create_key_start(have<fal_client>(world), "fuzzed", FAL_NUL, &key, nullptr);
    return key;
}

template <> fal_webhook *give(World &)
{
    fal_webhook *webhook = nullptr;
    (void)fal_webhook_new("{}", 2, &webhook, nullptr);
    return webhook;
}

template <> fal_dispatcher *give(World &) { return fal_dispatcher_new(); }

static void drop(fal_error *object) { fal_error_free(object); }
static void drop(fal_credentials *object) { fal_credentials_free(object); }
static void drop(fal_profiles *object) { fal_profiles_free(object); }
static void drop(fal_options *object) { fal_options_free(object); }
static void drop(fal_client *object) { fal_client_release(object); }
static void drop(fal_request *object) { fal_request_free(object); }
static void drop(fal_response *object) { fal_response_free(object); }
static void drop(fal_op *object) { fal_op_release(object); }
static void drop(fal_event *object) { fal_event_free(object); }
static void drop(fal_job *object) { fal_job_free(object); }
static void drop(fal_socket_options *object) { fal_socket_options_free(object); }
static void drop(fal_realtime *object) { fal_realtime_release(object); }
static void drop(fal_websocket *object) { fal_websocket_release(object); }
static void drop(fal_channel *object) { fal_channel_release(object); }
static void drop(fal_upload *object) { fal_upload_free(object); }
static void drop(fal_download *object) { fal_download_free(object); }
static void drop(fal_new_key *object) { fal_new_key_free(object); }
static void drop(fal_webhook *object) { fal_webhook_free(object); }
static void drop(fal_dispatcher *object) { fal_dispatcher_release(object); }

template <class T> static void thin(World &world, Objects<T> &objects, size_t most)
{
    for (size_t i = 0; objects.owned.size() > most && i < objects.owned.size();) {
        T *oldest = objects.owned[i];
        if (std::find(world.in_use.begin(), world.in_use.end(), oldest) != world.in_use.end()) {
            i++;
            continue;
        }
        world.forget(oldest);
        objects.owned.erase(objects.owned.begin() + static_cast<ptrdiff_t>(i));
        drop(oldest);
    }
}

static void thin_all(World &world, size_t most)
{
    std::apply([&](auto &...kinds) { (thin(world, kinds, most), ...); }, world.objects);
}

void enough(World &world) { thin_all(world, MOST_OF_A_KIND); }

void let_go(World &world) { thin_all(world, 0); }

}  // namespace api
