/* NULL in each pointer parameter of every function: an error or no effect, never a crash. The test compares the table with
 * the header. */

#include <ctype.h>
#include <unistd.h>

#include "support.h"
#include "webhook.h"

/* One object of each kind, for the other parameters of the call. */
static struct {
    fal_options *options;
    fal_client *client;
    fal_request *request;
    fal_request *http;
    fal_response *response;
    fal_error *error;
    fal_error *refused;
    fal_webhook *webhook;
    fal_upload *upload;
    fal_download *download;
    fal_credentials *credentials;
    fal_profiles *profiles;
    fal_dispatcher *dispatcher;
    fal_request *spare;
    fal_request *streamed;
    fal_socket_options *socket_options;
    fal_realtime *realtime;
    fal_websocket *websocket;
    fal_channel *channel;
    fal_event *event;
    fal_request *queued;
    fal_response *submitted;
    fal_job *job;
    fal_client *admin;
    fal_new_key *new_key;
} given;

/* The configuration file of this program. Its folder is removed at the end. */
static char folder[] = "/tmp/fal-nulls-XXXXXX";
static char config[sizeof folder + sizeof "/config.toml"];

static void make_config(void)
{
    must(mkdtemp(folder) ? FAL_OK : FAL_E_IO, NULL, "mkdtemp");
    snprintf(config, sizeof config, "%s/config.toml", folder);
    FILE *file = fopen(config, "w");
    must(file ? FAL_OK : FAL_E_IO, NULL, "fopen");
    fputs("[nulls]\nkey = \"fake-id:fake-secret\"\nhost = \"api.alpha.fal.ai\"\n[half]\nkey = \"half\"\n", file);
    fclose(file);
    setenv("FAL_CONFIG_PATH", config, 1);
}

static void remove_config(void)
{
    char lock[sizeof config + sizeof ".lock"];
    snprintf(lock, sizeof lock, "%s.lock", config);
    CHECK(remove(config) == 0 && remove(lock) == 0 && rmdir(folder) == 0);
}

#define PROFILE "nulls", FAL_NUL
#define KEY "fake-id:fake-secret", FAL_NUL
#define PROXY "https://app.example/api/fal/proxy", FAL_NUL
#define CERTIFICATE "no certificate", FAL_NUL
#define ENDPOINT "emulator/echo", FAL_NUL
#define JOB "emulator/job", FAL_NUL
#define LIFECYCLE "{\"expiration_duration_seconds\": 60}"

/* Makes a job that has ended, and the response to its submission. */
static void make_queued(void)
{
    given.queued = run_of("emulator/job");
    must(fal_client_submit(given.client, given.queued, &given.submitted, NULL), NULL, "submit");
    must(fal_job_of_response(JOB, given.submitted, &given.job, NULL), NULL, "job");
    fal_response *result = NULL;
    must(fal_client_attach(given.client, given.job, &result, NULL), NULL, "attach");
    fal_response_free(result);
}
#define MODELS "models.list", FAL_NUL
#define ALIAS "nulls", FAL_NUL

/* Makes sessions that wait for inputs, and a message with bytes at /x. */
static void make_sessions(void)
{
    given.spare = run_of("emulator/realtime");
    given.streamed = run_of("emulator/stream");
    given.socket_options = fal_socket_options_new();
    must(fal_client_websocket_start(given.client, given.spare, NULL, &given.websocket, NULL), NULL, "websocket");
    must(fal_client_realtime_start(given.client, given.spare, NULL, &given.realtime, NULL), NULL, "realtime");
    must(fal_channel_new(given.client, given.streamed, &given.channel, NULL), NULL, "channel");
    must(fal_request_set_bytes(given.spare, "x", FAL_NUL, "abc", 3, NULL), NULL, "bytes");
    must(fal_realtime_send(given.realtime, given.spare, NULL), NULL, "send");
    while (fal_event_kind(given.event) != FAL_EVENT_MESSAGE) {
        fal_event_free(given.event);
        must(fal_op_next_event(fal_realtime_op(given.realtime), 10000, &given.event, NULL), NULL, "event");
    }
}

/* Makes a client with an ADMIN key, and creates a key with it. */
static void make_key(void)
{
    fal_options *options = fal_options_new();
    must(fal_options_set_key(options, control_variable("FAL_EMULATOR_ADMIN_KEY"), FAL_NUL, NULL), NULL, "key");
    given.admin = client_of(options);
    must(fal_client_create_key(given.admin, ALIAS, &given.new_key, NULL), NULL, "create key");
}

static void make_given(void)
{
    given.options = fal_options_new();
    given.client = new_client();
    given.request = run_of("emulator/echo");
    given.http = http_of("GET", "/v1/models");
    given.dispatcher = fal_dispatcher_new();
    make_sessions();
    make_key();
    make_config();
    must(fal_profiles_list(NULL, &given.profiles, NULL), NULL, "list");
    must(fal_request_set_body_json(given.request, "{\"i\": 1, \"t\": true}", FAL_NUL, NULL), NULL, "body");
    must(fal_client_run(given.client, given.request, &given.response, NULL), NULL, "run");
    /* An error with a response of the service and a required scope. */
    fal_request *keys = http_of("GET", "/v1/keys");
    fal_response *none = NULL;
    CHECK_INT(fal_client_send(given.client, keys, &none, &given.error), FAL_E_FORBIDDEN);
    fal_request_free(keys);
    make_queued();
    /* An error with a field and all of the field's details. */
    fal_request *large = run_of("emulator/fail");
    must(fal_request_set_string(large, "type", FAL_NUL, "image_too_large", FAL_NUL, NULL), NULL, "type");
    must(fal_request_set_string(large, "image_url", FAL_NUL, "https://x", FAL_NUL, NULL), NULL, "image_url");
    CHECK_INT(fal_client_run(given.client, large, &none, &given.refused), FAL_E_INVALID_INPUT);
    fal_request_free(large);
    must(fal_upload_new_bytes("x", 1, NULL, NULL, &given.upload, NULL), NULL, "upload");
    must(fal_download_new("data:,x", FAL_NUL, &given.download, NULL), NULL, "download");
    given.webhook = webhook_of(WEBHOOK_SIGNATURE);
    /* A report of a key with a note. */
    char padded[256];
    snprintf(padded, sizeof padded, " %s ", control_variable("FAL_KEY"));
    setenv("FAL_KEY", padded, 1);
    must(fal_credentials_explain(NULL, &given.credentials, NULL), NULL, "explain");
}

static void free_given(void)
{
    fal_options_free(given.options);
    fal_client_release(given.client);
    fal_request_free(given.request);
    fal_request_free(given.http);
    fal_response_free(given.response);
    fal_error_free(given.error);
    fal_error_free(given.refused);
    fal_webhook_free(given.webhook);
    fal_upload_free(given.upload);
    fal_download_free(given.download);
    fal_credentials_free(given.credentials);
    fal_profiles_free(given.profiles);
    fal_dispatcher_release(given.dispatcher);
    fal_request_free(given.spare);
    fal_request_free(given.streamed);
    fal_socket_options_free(given.socket_options);
    fal_realtime_release(given.realtime);
    fal_websocket_release(given.websocket);
    fal_channel_release(given.channel);
    fal_event_free(given.event);
    fal_request_free(given.queued);
    fal_response_free(given.submitted);
    fal_job_free(given.job);
    fal_client_release(given.admin);
    fal_new_key_free(given.new_key);
    remove_config();
}

/* Returns the request, with its input set to an object again. */
static fal_request *json_request(void)
{
    must(fal_request_set_body_json(given.request, "{}", FAL_NUL, NULL), NULL, "body");
    return given.request;
}

/* Returns a download into memory. The next call frees it. */
static fal_download *memory_download(void)
{
    static fal_download *kept;
    fal_download_free(kept);
    must(fal_download_new("data:,x", FAL_NUL, &kept, NULL), NULL, "download");
    return kept;
}

/* The index of FAL_KEY in the report. */
enum { FAL_KEY_SOURCE = 4 };

/* Returns an operation that has ended and was not taken, because some functions take it. The next call releases it. */
static fal_op *ended_op(void)
{
    static fal_op *kept;
    fal_op_release(kept);
    kept = start(given.client, run_of("emulator/echo"));
    must(fal_op_wait(kept, 10000, NULL), NULL, "wait");
    return kept;
}

static const fal_op *const *ended_ops(void)
{
    static const fal_op *ops[1];
    ops[0] = ended_op();
    return ops;
}

/* Returns a dispatcher that has a notice. */
static const fal_dispatcher *watching(void)
{
    must(fal_op_watch(ended_op(), given.dispatcher, NULL, NULL), NULL, "watch");
    return given.dispatcher;
}

/* Returns a job that can be cancelled. The next call frees it. */
static fal_job *running_job(void)
{
    static fal_job *kept;
    fal_job_free(kept);
    fal_response *submitted = NULL;
    fal_request *request = run_of("emulator/job");
    must(fal_request_set_int(request, "ms", FAL_NUL, 3600000, NULL), NULL, "ms");
    must(fal_client_submit(given.client, request, &submitted, NULL), NULL, "submit");
    must(fal_job_of_response(JOB, submitted, &kept, NULL), NULL, "job");
    fal_request_free(request);
    fal_response_free(submitted);
    return kept;
}

static void callback(fal_op *op, void *user)
{
    (void)op, (void)user;
}

static int64_t give(void *buffer, size_t size, void *user)
{
    (void)user, (void)buffer, (void)size;
    return 0;
}

static void released(void *user)
{
    (void)user;
}

/* Stores the question. Refuses a second one, which comes when fal has refused the answer to the first. */
static void asked(fal_credential_request *question, void *user)
{
    fal_credential_request *none = NULL;
    if (!__atomic_compare_exchange_n((fal_credential_request **)user, &none, question, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE))
        (void)fal_credential_request_refuse(question, "asked twice", FAL_NUL, NULL);
}

/* Returns a credential question that waits for an answer. */
static fal_credential_request *question(void)
{
    static fal_credential_request *kept;
    __atomic_store_n(&kept, NULL, __ATOMIC_RELEASE);
    fal_options *options = fal_options_new();
    must(fal_options_set_credential_callback(options, asked, NULL, &kept, NULL), NULL, "callback");
    fal_client *client = client_of(options);
    fal_op_release(start(client, run_of("emulator/echo")));
    fal_client_release(client);
    fal_credential_request *question = NULL;
    while (!(question = __atomic_load_n(&kept, __ATOMIC_ACQUIRE)))
        sleep_ms(1);
    return question;
}

static void logged(fal_log_level level, const char *target, const char *message, size_t len, void *user)
{
    (void)level, (void)target, (void)message, (void)len, (void)user;
}

static void thread_hook(void *user)
{
    (void)user;
}

/* Variables for outputs. They are filled before each row, so that an output that is not reset is noticed. */
static fal_error *err;
static size_t len;
static const char *text;
static int64_t number;
static double real;
static bool truth;
static size_t count;
static fal_client *client;
static fal_request *request;
static fal_response *response;
static fal_credentials *credentials;
static fal_profiles *profiles;
static fal_op *op;
static fal_job *job;
static fal_webhook *webhook;
static fal_realtime *realtime;
static fal_websocket *websocket;
static fal_channel *channel;
static fal_event *event;
static fal_new_key *new_key;
static const void *data;
static void *given_back;
static fal_upload *upload;
static fal_download *download;

enum expectation { REFUSED, HARMLESS, NOTHING };

/* A function, its parameter, and what the call did. */
struct row {
    const char *name;
    enum expectation expectation;
    fal_status (*call)(void);
};

#define JOIN(a, b) a##_##b
/* The call must return FAL_E_INVALID_ARGUMENT, with an error that names the parameter. */
#define REFUSES(function, parameter, ...) \
    static fal_status JOIN(function, parameter)(void) { return function(__VA_ARGS__); }
/* The call must succeed. */
#define ALLOWS(function, parameter, ...) REFUSES(function, parameter, __VA_ARGS__)
/* The function returns no status; the condition checks its result. */
#define YIELDS(function, parameter, condition) \
    static fal_status JOIN(function, parameter)(void) { return (condition) ? FAL_OK : FAL_E_PANIC; }
#define DOES(function, parameter, ...) \
    static fal_status JOIN(function, parameter)(void) { function(__VA_ARGS__); return FAL_OK; }
#include "nulls.inc"
#undef REFUSES
#undef ALLOWS
#undef YIELDS
#undef DOES

static const struct row rows[] = {
#define REFUSES(function, parameter, ...) {#function "." #parameter, REFUSED, JOIN(function, parameter)},
#define ALLOWS(function, parameter, ...) {#function "." #parameter, HARMLESS, JOIN(function, parameter)},
#define YIELDS(function, parameter, condition) {#function "." #parameter, NOTHING, JOIN(function, parameter)},
#define DOES(function, parameter, ...) {#function "." #parameter, NOTHING, JOIN(function, parameter)},
#include "nulls.inc"
};

static bool outputs_are_zero(void)
{
    return !new_key && !download && !upload && !webhook && !realtime && !websocket && !channel && !event && !job && !data && !client && !request && !response && !credentials && !profiles && !op && !text && !number && real == 0.0 && !truth &&
           !count;
}

static void clear_outputs(void)
{
    new_key = NULL, upload = NULL, download = NULL, realtime = NULL, websocket = NULL, channel = NULL, event = NULL, job = NULL, data = NULL;
    webhook = NULL, client = NULL, request = NULL, response = NULL, credentials = NULL, profiles = NULL, op = NULL;
    text = NULL, number = 0, real = 0.0, truth = false, count = 0, len = 77;
}

static void every_row(void)
{
    make_given();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        clear_outputs();
        err = NULL;
        fal_status status = rows[i].call();
        const char *parameter = strchr(rows[i].name, '.') + 1;
        if (rows[i].expectation == REFUSED) {
            check_status(status, FAL_E_INVALID_ARGUMENT, err, __FILE__, __LINE__, rows[i].name);
            check_part(err ? fal_error_message(err, NULL) : "", parameter, true, __FILE__, __LINE__, rows[i].name);
            check_record(outputs_are_zero(), __FILE__, __LINE__, rows[i].name, "an output is set");
        } else {
            check_status(status, FAL_OK, err, __FILE__, __LINE__, rows[i].name);
        }
        fal_error_free(err);
        fal_client_release(client);
        fal_request_free(request);
        fal_response_free(response);
        fal_credentials_free(credentials);
        fal_profiles_free(profiles);
        fal_op_release(op);
        fal_webhook_free(webhook);
        fal_realtime_release(realtime);
        fal_websocket_release(websocket);
        fal_channel_release(channel);
        fal_event_free(event);
        fal_job_free(job);
        fal_upload_free(upload);
        fal_download_free(download);
        fal_new_key_free(new_key);
    }
    free_given();
}

/* Without a place for the error the status alone reports a wrong argument. */
static void an_error_without_a_place(void)
{
    CHECK_INT(fal_client_new(NULL, NULL, NULL), FAL_E_INVALID_ARGUMENT);
    CHECK_INT(fal_request_new(NULL, 0, NULL, NULL), FAL_E_INVALID_ARGUMENT);
    CHECK_INT(fal_client_run(NULL, NULL, NULL, NULL), FAL_E_INVALID_ARGUMENT);
    CHECK_INT(fal_op_take(NULL, NULL, NULL), FAL_E_INVALID_ARGUMENT);
    CHECK_INT(fal_response_get_json(NULL, NULL, 0, NULL, NULL, NULL), FAL_E_INVALID_ARGUMENT);
}

static bool has_row(const char *name)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].name, name) == 0)
            return true;
    return false;
}

/* Copies the last word before `end`. */
static void last_word(const char *begin, const char *end, char *word, size_t size)
{
    while (end > begin && !(isalnum((unsigned char)end[-1]) || end[-1] == '_'))
        end--;
    const char *from = end;
    while (from > begin && (isalnum((unsigned char)from[-1]) || from[-1] == '_'))
        from--;
    snprintf(word, size, "%.*s", (int)(end - from), from);
}

/* Checks one parameter of a declaration: a pointer or callback needs a row. Returns 1 for a pointer or callback, else 0. */
static int parameter(const char *function, const char *begin, const char *end)
{
    char declared[256], name[64], row[160];
    snprintf(declared, sizeof declared, "%.*s", (int)(end - begin), begin);
    if (!strchr(declared, '*') && !strstr(declared, "_callback"))
        return 0;
    last_word(begin, end, name, sizeof name);
    snprintf(row, sizeof row, "%s.%s", function, name);
    check_record(has_row(row), __FILE__, __LINE__, row, "has no row in nulls.inc");
    return 1;
}

static void the_table_is_complete(void)
{
    static char header[1 << 18];
    FILE *file = fopen(HEADER, "r");
    size_t size = file ? fread(header, 1, sizeof header - 1, file) : 0;
    CHECK(size > 10000 && size < sizeof header - 1);
    if (file)
        fclose(file);
    size_t functions = 0, pointers = 0;
    const char *at = strstr(header, "// ==== Objects");
    while (at && (at = strstr(at, "\nFAL_API ")) != NULL) {
        at += strlen("\nFAL_API ");
        const char *open = strchr(at, '(');
        const char *close = strchr(at, ')');
        char function[64];
        last_word(at, open, function, sizeof function);
        for (const char *from = open + 1; from < close;) {
            const char *comma = memchr(from, ',', (size_t)(close - from));
            const char *to = comma ? comma : close;
            pointers += (size_t)parameter(function, from, to);
            from = to + 1;
        }
        functions++;
    }
    CHECK(functions > 90);
    CHECK_INT(pointers, sizeof rows / sizeof *rows);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(the_table_is_complete),
        TEST(an_error_without_a_place),
        TEST(every_row),
    };
    return RUN_TESTS(tests, control_reset);
}
