/// @file fal/fal.h
/// The C interface of libfal, a library for fal.ai. C99 and C++. Generated from src/ffi by cbindgen: edit it there.

/// @mainpage libfal for C and C++
///
/// ## From a key to a picture
///
/// A client looks for the key in FAL_KEY, in the file of the official CLI, and in the other places that
/// fal_client_explain() lists. Each function that can fail returns a #fal_status, and explains a failure by a #fal_error.
/// ```c
/// #include <fal/fal.h>
/// #include <stdio.h>
///
/// int main(void)
/// {
///     fal_client *client = NULL;
///     fal_request *request = NULL;
///     fal_response *result = NULL;
///     const char *url = NULL;
///     fal_error *err = NULL;
///
///     bool made = fal_client_new(NULL, &client, &err) == FAL_OK
///         && fal_request_new("fal-ai/flux/schnell", FAL_NUL, &request, &err) == FAL_OK
///         && fal_request_set_string(request, "prompt", FAL_NUL, "a lighthouse", FAL_NUL, &err) == FAL_OK
///         && fal_client_subscribe(client, request, &result, &err) == FAL_OK
///         && fal_response_get_string(result, "/images/0/url", FAL_NUL, &url, NULL, &err) == FAL_OK;
///     if (made)
///         puts(url);
///     else
///         fprintf(stderr, "%s\n%s\n", fal_error_message(err, NULL), fal_error_remedy(err, NULL));
///     fal_error_free(err);
///     fal_response_free(result);
///     fal_request_free(request);
///     fal_client_release(client);
///     return made ? 0 : 1;
/// }
/// ```
/// fal_client_run() calls a fast model directly, without fal's queue. fal_request_set_file() gives a model a local file,
/// and fal_client_download() saves a result to a file.
///
/// ## In a frame loop
///
/// fal_client_subscribe() blocks for as long as the model takes. fal_client_subscribe_start() returns at once, with an
/// operation to look at in each frame. Nothing here blocks. `draw` and `show` are the program's own.
/// ```c
/// static bool frame(const fal_op *job)
/// {
///     fal_event *event = NULL;
///     bool running = fal_op_poll(job) == FAL_PENDING;
///
///     while (fal_op_next_event(job, 0, &event, NULL) == FAL_OK && event) {
///         if (fal_event_queue_position(event) >= 0)
///             printf("%d jobs come first\n", (int)fal_event_queue_position(event));
///         fal_event_free(event);
///     }
///     return running;
/// }
///
/// static void frames(fal_op *job)
/// {
///     fal_response *result = NULL;
///     fal_error *err = NULL;
///
///     while (frame(job))
///         draw();
///     if (fal_op_take(job, &result, &err) == FAL_OK)
///         show(result, NULL);
///     else
///         show(NULL, err);
///     fal_op_release(job);
/// }
/// ```
/// Each function that waits for fal has such a twin. A program with many operations reads the events and the ends of all
/// of them from one queue: fal_op_watch(), fal_dispatcher_next(). fal_op_cancel() ends an operation early;
/// fal_op_release() does not. Before a program ends or unloads the library, fal_shutdown() ends what is still running.
///
/// ## With callbacks
///
/// A dispatcher calls a function when an operation has ended, on the thread that runs the dispatcher: here for at most
/// 2 ms a frame.
/// ```c
/// static void ended(fal_op *job, void *user)
/// {
///     fal_response *result = NULL;
///     fal_error *err = NULL;
///     bool *waiting = user;
///
///     if (fal_op_take(job, &result, &err) == FAL_OK)
///         show(result, NULL);
///     else
///         show(NULL, err);
///     *waiting = false;
/// }
///
/// static void callbacks(fal_op *job)
/// {
///     fal_dispatcher *dispatcher = fal_dispatcher_new();
///     bool waiting = fal_op_when_done(job, dispatcher, ended, NULL, &waiting, NULL) == FAL_OK;
///
///     fal_op_release(job);
///     while (waiting && fal_dispatcher_run(dispatcher, SIZE_MAX, 2000, NULL, NULL) == FAL_OK)
///         draw();
///     fal_dispatcher_release(dispatcher);
/// }
/// ```
/// A thread that has no frames sleeps until fal_dispatcher_set_wake() tells it that a callback is ready.
///
/// ## Conventions
///
/// **Names.** `fal_<noun>_<verb>`. An object that a function returns by `_new` or `_start`, or through a pointer to a
/// pointer, is the caller's.
///
/// **Ownership.** A *unique* object has one owner, who frees it with `_free`. A *shared* object is counted with `_retain`
/// and `_release`. All of these accept NULL. A *borrowed* string or object belongs to the object that it was read from,
/// and is valid as long as that one. Functions copy the strings and bytes that they are given, unless the comment says
/// otherwise.
///
/// **Threads.** Any thread may call any function. Several threads may use one object at once where the parameter is a
/// pointer to const, but only one thread at a time where it is another pointer; `_retain` and `_release` are for any
/// thread at any time. A function waits for the network, another thread or a callback only if its comment says that it
/// blocks. Functions that explain, resolve, list or store keys read or write files on the calling thread.
///
/// **Callbacks.** A callback is a function of the host that libfal calls. The comment of its type says on which thread,
/// and whether it may wait for libfal. Where it must not, functions that block fail with #FAL_E_WOULD_DEADLOCK wherever
/// libfal can tell: this is what comments call "inside a callback". A callback returns: it must not end by longjmp() or an exception, and a thread that is inside
/// libfal must not be cancelled by pthread_cancel(). libfal passes it the `user` that it was registered with, and calls
/// `release`, which may be NULL, once when it no longer uses `user`, at once if NULL was passed for the callback.
///
/// **Errors.** A function that can fail returns a #fal_status and takes a `fal_error **err` as its last parameter, which
/// may be NULL. On failure the outputs are NULL or zero, and `*err` is an error that the caller frees with
/// fal_error_free(). On success `*err` is NULL: an error of an earlier call that is still there is lost, so free it first
/// or use another variable. There is no global "last error". What can be expected:
/// - any function: #FAL_E_INVALID_ARGUMENT, also for NULL in place of an object, unless the comment allows it;
///   #FAL_E_IO if there is no memory; #FAL_E_PANIC for a defect;
/// - functions that start an operation: also #FAL_E_SHUT_DOWN, and #FAL_E_IO if a thread cannot be started;
/// - operations that send requests, when they have ended: any code from #FAL_E_NO_CREDENTIALS to #FAL_E_PROTOCOL,
///   #FAL_E_TOO_LARGE, #FAL_E_FORKED, #FAL_E_SHUT_DOWN, #FAL_E_IO and #FAL_E_CREDENTIALS_FAILED;
/// - functions that block until an operation has ended: the codes of both, and #FAL_E_WOULD_DEADLOCK inside a callback.
///
/// The comment of a function names the codes that have a cause of their own there.
///
/// **Constants.** Each family of constants is an enum of 32 bits. Later libraries may return values that this header
/// does not have: a `switch` needs a `default`. A function that is given another number than those of the enum fails
/// with #FAL_E_INVALID_ARGUMENT. No value is ever renumbered. Compilers of C++17 and C23 warn where a #fal_status is
/// ignored.
///
/// **Strings.** UTF-8, paths included. An input is a pointer and a length in bytes; the length #FAL_NUL means that the
/// string ends with a NUL. `sizeof "text"` is not its length: it counts the NUL, which then becomes a part of the
/// string. The pointer may be NULL if the length is 0, which is an empty string. An output is borrowed and ends with a
/// NUL; `*len` is its length, and `len` may be NULL. The comment says when an output may be NULL.
///
/// **Times.** In milliseconds, or microseconds if the name ends in `_us`. A negative time means no limit, and so does one
/// that is too long for the system's clock. A wait of 0 returns at once. A timeout of 0 passed to a `_set_` function is
/// #FAL_E_INVALID_ARGUMENT.
///
/// **Variables.** Environment variables are read on the calling thread, by functions that create a client, start an
/// operation, or store or look for a key. No other thread may change the environment meanwhile. Threads of libfal read
/// only what other libraries read there: SSL_CERT_FILE and SSL_CERT_DIR when a client first uses TLS, LOCALDOMAIN and
/// RES_OPTIONS when a host name is resolved, all variables when a key command is started, which inherits them, HOME if
/// the caller has none, and on macOS those that name proxies.
///
/// **Secrets.** No error, report or log line contains the secret of a key. fal_new_key_secret() returns one, and a response
/// has what fal sent, such as the token of fal_client_mint_token().
///
/// **Layout.** A declaration is on one line if that has at most 120 columns, and otherwise has one parameter a line.

#ifndef FAL_FAL_H
#define FAL_FAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef FAL_API
#  if defined(_WIN32) && !defined(FAL_STATIC)
#    define FAL_API __declspec(dllimport)
#  else
#    define FAL_API
#  endif
#endif

#ifndef FAL_NODISCARD
#  if (defined(__cplusplus) && __cplusplus >= 201703L) || (defined(_MSVC_LANG) && _MSVC_LANG >= 201703L) \
      || (defined(__STDC_VERSION__) && __STDC_VERSION__ > 201710L)
#    define FAL_NODISCARD [[nodiscard]]
#  else
#    define FAL_NODISCARD
#  endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/// The length of a string that ends with a NUL. Any length above PTRDIFF_MAX means the same, for languages that cannot
/// write SIZE_MAX.
#define FAL_NUL SIZE_MAX

// ==== Objects ========================================================================================================
/// @defgroup objects Objects
///
/// Objects are opaque.
/// @{

/// What went wrong. Unique: its receiver frees it with fal_error_free(). It is immutable: several
/// threads may read it at once.
typedef struct fal_error fal_error;

/// The state of every source of a key. Unique; freed with fal_credentials_free(). It is immutable:
/// several threads may read it at once.
typedef struct fal_credentials fal_credentials;

/// The profiles of the configuration file at the time of fal_profiles_list(). Unique; freed with
/// fal_profiles_free(). It is immutable: several threads may read it at once.
typedef struct fal_profiles fal_profiles;

/// Options of a client. Unique; freed with fal_options_free(). Only one thread at a time may change
/// them. Clients and reports copy what they need.
typedef struct fal_options fal_options;

/// A request for a credential. Unique: the callback that received it owns it, until it is completed.
/// Any thread may complete it.
typedef struct fal_credential_request fal_credential_request;

/// A client. Shared: see fal_client_retain() and fal_client_release(). Any number of threads may use
/// it at once. Operations keep what they need of it.
typedef struct fal_client fal_client;

/// A request. Unique; freed with fal_request_free(). Only one thread at a time may change it; several
/// may start operations with it, which have a copy.
typedef struct fal_request fal_request;

/// A successful response. Unique; freed with fal_response_free(). It is immutable: several threads may
/// read it at once.
typedef struct fal_response fal_response;

/// A running call. Shared: see fal_op_retain() and fal_op_release(). Any thread may use it at any
/// time. It keeps what it needs of its client.
typedef struct fal_op fal_op;

/// An event. Unique; freed with fal_event_free(). It is immutable: several threads may read it at
/// once, also after its operation is gone.
typedef struct fal_event fal_event;

/// The identity of a submitted request. Unique; freed with fal_job_free(). Only one thread at a time
/// may change it; several may start operations with it, which copy what they need of it.
typedef struct fal_job fal_job;

/// Options of a realtime session or a WebSocket. Unique; freed with fal_socket_options_free(). Only one
/// thread at a time may change them. Sessions copy what they need.
typedef struct fal_socket_options fal_socket_options;

/// A session with a realtime app. Shared: see fal_realtime_retain() and fal_realtime_release(). Any
/// thread may use it.
typedef struct fal_realtime fal_realtime;

/// A connection to an app's own WebSocket. Shared: see fal_websocket_retain() and
/// fal_websocket_release(). Any thread may use it.
typedef struct fal_websocket fal_websocket;

/// A channel to an endpoint. Shared: see fal_channel_retain() and fal_channel_release(). Any thread
/// may use it.
typedef struct fal_channel fal_channel;

/// What is uploaded, and how. Unique; freed with fal_upload_free(). Only one thread at a time may change
/// it; several may start operations with it, which have a copy.
typedef struct fal_upload fal_upload;

/// What is downloaded, and where to. Unique; freed with fal_download_free(). Only one thread at a time
/// may change it; several may start operations with it. Operations have a copy.
typedef struct fal_download fal_download;

/// An API key that is being created, or was. Unique; freed with fal_new_key_free(), which
/// overwrites the secret. Several threads may read it at once.
typedef struct fal_new_key fal_new_key;

/// A webhook as it arrived, not verified. Unique; freed with fal_webhook_free(). Only one thread at a
/// time may change it; several may verify it.
typedef struct fal_webhook fal_webhook;

/// A queue of notices and callbacks. Shared: see fal_dispatcher_retain() and fal_dispatcher_release().
/// Any thread may use it; callbacks run on the thread that calls fal_dispatcher_run().
typedef struct fal_dispatcher fal_dispatcher;

/// @}

// ==== Version ========================================================================================================
/// @defgroup version Version
///
/// A program compares fal_abi_version() with FAL_ABI_VERSION once, to make sure that the library it
/// runs with fits the header it was compiled with.
/// @{

/// The version of the binary interface that this header describes. A program that was compiled for
/// one version runs with every later library of the same version: within a version, no function is
/// removed or changed and no constant is renumbered.
#define FAL_ABI_VERSION 0

/// The version of libfal that this header belongs to, in three numbers, for `#if`. That of the loaded
/// library is fal_version().
#define FAL_VERSION_MAJOR 0

/// See FAL_VERSION_MAJOR.
#define FAL_VERSION_MINOR 1

/// See FAL_VERSION_MAJOR.
#define FAL_VERSION_PATCH 0

/// Returns the version of the binary interface of the loaded library, to be compared with
/// FAL_ABI_VERSION.
FAL_API uint32_t fal_abi_version(void);

/// Returns the version of the loaded library, such as "0.1.0". The string is static.
FAL_API const char *fal_version(void);

/// @}

// ==== Status =========================================================================================================
/// @defgroup status Status
///
/// Every function that can fail returns a fal_status. Its `fal_error **err`, which may be NULL,
/// receives the error: see the conventions at the head of this file, which also say what to expect.
/// @{

/// The outcome of a call: FAL_OK, FAL_PENDING, or one of the negative FAL_E_ codes. A later library may
/// return further negative codes: handle those by fal_error_is_retryable() and its siblings.
typedef enum FAL_NODISCARD fal_status {
    /// The call succeeded.
    FAL_OK = 0,
    /// Nothing is ready yet: the operation has not ended, or there is no event, notice or callback. This
    /// is not an error, and no fal_error is created.
    FAL_PENDING = 1,
    /// An argument is NULL, malformed or out of range. Nothing was sent.
    FAL_E_INVALID_ARGUMENT = -1,
    /// No source has a key. Nothing was sent.
    FAL_E_NO_CREDENTIALS = -2,
    /// A source has a value that is not a key. Nothing was sent.
    FAL_E_MALFORMED_CREDENTIALS = -3,
    /// The service rejected the credential (HTTP 401).
    FAL_E_UNAUTHENTICATED = -4,
    /// The credential is valid but does not permit this request (HTTP 403).
    FAL_E_FORBIDDEN = -5,
    /// The key is valid, but its account is locked: by its balance, its budget, its payment method or
    /// an administrator.
    FAL_E_ACCOUNT_LOCKED = -6,
    /// The endpoint, path or object does not exist, or is hidden from this key (HTTP 404 or 410).
    FAL_E_NOT_FOUND = -7,
    /// The service rejected the input (HTTP 400, 405, 409, 413 or 422).
    FAL_E_INVALID_INPUT = -8,
    /// Too many requests are running, or were sent in too short a time (HTTP 429). The request was not
    /// executed unless fal_error_may_have_executed() is true.
    FAL_E_RATE_LIMITED = -9,
    /// The app or the platform failed while it handled the request (HTTP 5xx or 499).
    FAL_E_SERVICE_FAILED = -10,
    /// The service or a runner was not available in time (HTTP 502, 503 or 504).
    FAL_E_SERVICE_UNAVAILABLE = -11,
    /// No connection to the service could be established (DNS, TCP or TLS). Nothing was executed.
    FAL_E_CONNECT = -12,
    /// The connection broke before the whole response arrived.
    FAL_E_CONNECTION_LOST = -13,
    /// The call did not finish within its timeout.
    FAL_E_DEADLINE = -14,
    /// The caller cancelled the call.
    FAL_E_CANCELLED = -15,
    /// The service responded with a redirect that libfal does not follow.
    FAL_E_REDIRECT = -16,
    /// The URL is not one of fal's. Nothing was sent.
    FAL_E_FOREIGN_ORIGIN = -17,
    /// The response violates HTTP or fal's protocol.
    FAL_E_PROTOCOL = -18,
    /// The response is larger than the caller allows.
    FAL_E_TOO_LARGE = -19,
    /// The JSON value at this pointer is missing or has another type.
    FAL_E_WRONG_TYPE = -20,
    /// Waiting here would block the thread that has to make the progress.
    FAL_E_WOULD_DEADLOCK = -21,
    /// The operation was started in the parent process, before a fork, and belongs to the parent.
    FAL_E_FORKED = -22,
    /// The library is shutting down, or was shut down while the call was running.
    FAL_E_SHUT_DOWN = -23,
    /// A defect in libfal or in a thread hook of the host was caught. The process is unharmed.
    FAL_E_PANIC = -24,
    /// The outcome of this operation was already taken.
    FAL_E_TAKEN = -25,
    /// The operating system denied a thread, a file, a socket or memory.
    FAL_E_IO = -26,
    /// The program, callback or login that supplies the credential failed. Nothing was sent.
    FAL_E_CREDENTIALS_FAILED = -27,
    /// The webhook was not sent by fal, was changed, or is too old: its signature, time or headers are
    /// invalid.
    FAL_E_WEBHOOK_INVALID = -28,
    /// The queue of unsent inputs is full. This input was not accepted.
    FAL_E_QUEUE_FULL = -29,
    /// The connection is closed or closing. Nothing was sent.
    FAL_E_CLOSED = -30,
    /// The job has not finished, so it has no result yet.
    FAL_E_NOT_READY = -31,
    /// Not a value. It makes the type 32 bits wide.
    FAL_STATUS_MAX_ENUM = 0x7FFFFFFF
} fal_status;

/// Returns the name of a status, such as "FAL_E_NO_CREDENTIALS"; "FAL_E_UNKNOWN" for any other
/// number. The string is static.
FAL_API const char *fal_status_name(fal_status status);

/// Returns the meaning of a status as an English sentence; NULL for an unknown status. The string
/// is static.
FAL_API const char *fal_status_meaning(fal_status status);

/// @}

// ==== Errors =========================================================================================================
/// @defgroup error Errors
///
/// An error says what happened (message), what to do (remedy), and what it means for the request
/// (may_have_executed, retryable). It never contains a secret. Strings are borrowed from the error
/// and are valid until it is freed. Every function here accepts NULL. All but fal_error_free() may
/// be called by several threads at once.
/// @{

/// Frees an error. NULL is ignored.
FAL_API void fal_error_free(fal_error *err);

/// Returns the FAL_E_ code that the failed function returned; FAL_OK for NULL.
FAL_API fal_status fal_error_code(const fal_error *err);

/// Returns what happened, as English text; "no error" for NULL. The result is never NULL, so it can
/// be printed unchecked.
FAL_API const char *fal_error_message(const fal_error *err, size_t *len);

/// Returns what to do about the error, as English text; "nothing" for NULL. The result is never
/// NULL.
FAL_API const char *fal_error_remedy(const fal_error *err, size_t *len);

/// Returns the whole error as a block of lines to be printed, without a newline at the end: the
/// message, the remedy, the rejected fields, fal's id of the request and, if the credential may be
/// the cause, the report on its sources, as far as the error has them; "no error" for NULL. The
/// result is never NULL.
FAL_API const char *fal_error_describe(const fal_error *err, size_t *len);

/// Returns the HTTP status of the response, 100 to 599; 0 if there was no response.
FAL_API int32_t fal_error_http_status(const fal_error *err);

/// Returns fal's name of the error, such as "image_too_large" or "runner_disconnected"; NULL if
/// the service sent none.
FAL_API const char *fal_error_type(const fal_error *err, size_t *len);

/// Returns fal's id of the request, which its support asks for; NULL if the service sent none.
FAL_API const char *fal_error_request_id(const fal_error *err, size_t *len);

/// Returns the operating system's code of the failure: errno on Unix, and the code of
/// GetLastError() on Windows; 0 if the operating system gave none. FAL_E_IO has one if a file, a
/// folder or a thread was refused, and FAL_E_CONNECT and FAL_E_CONNECTION_LOST if a connection
/// was.
FAL_API int32_t fal_error_os_code(const fal_error *err);

/// Returns the path of the file or folder that could not be read or written, or that exists
/// already or not at all; NULL if the error is not about one. Bytes that are not UTF-8 are
/// replaced.
FAL_API const char *fal_error_path(const fal_error *err, size_t *len);

/// Returns the value of a header of the response; NULL if the response has no such header. Upper
/// and lower case of the name do not matter.
FAL_API const char *fal_error_header(const fal_error *err, const char *name, size_t name_len, size_t *len);

/// Returns the body of the response, *len bytes without a terminating NUL; NULL if there is none.
///
/// At most 16 MiB are kept. A key that the service repeated in the body is replaced by asterisks.
FAL_API const void *fal_error_body(const fal_error *err, size_t *len);

/// Returns whether the service may have executed the request although the call failed. If true,
/// the outcome is unknown: sending the request again may run it, and bill it, twice.
FAL_API bool fal_error_may_have_executed(const fal_error *err);

/// Returns whether the same request may succeed if it is sent again later.
FAL_API bool fal_error_is_retryable(const fal_error *err);

/// Returns how many milliseconds the service asks to wait before the next attempt; -1 if it
/// does not say.
FAL_API int64_t fal_error_retry_after_ms(const fal_error *err);

/// Returns the scope that the rejected operation needs, "API" or "ADMIN"; NULL if fal does not
/// say or the error is another one.
FAL_API const char *fal_error_needed_scope(const fal_error *err, size_t *len);

/// Returns why the account is locked, for FAL_E_ACCOUNT_LOCKED: "balance", "payment_method",
/// "budget", "admin", "archived" or "unknown"; NULL for any other error.
FAL_API const char *fal_error_lock_reason(const fal_error *err, size_t *len);

/// Returns how many fields of the input the service rejected, at most 1000; 0 if it named none,
/// and for NULL. The functions fal_error_field_… take an index from 0 to this count minus 1,
/// and return NULL for a larger one.
FAL_API size_t fal_error_field_count(const fal_error *err);

/// Returns the path of a rejected field, such as "body.image_size.width".
FAL_API const char *fal_error_field_path(const fal_error *err, size_t index, size_t *len);

/// Returns the path of a rejected field as a JSON array of member names and array indices, such
/// as `["body","images",0,"url"]`.
FAL_API const char *fal_error_field_location(const fal_error *err, size_t index, size_t *len);

/// Returns what is wrong with the field, as English text.
FAL_API const char *fal_error_field_message(const fal_error *err, size_t index, size_t *len);

/// Returns fal's name of what is wrong with the field, such as "image_too_large"; NULL if the
/// service sent none.
FAL_API const char *fal_error_field_type(const fal_error *err, size_t index, size_t *len);

/// Returns the URL of the documentation of this error; NULL if the service sent none.
FAL_API const char *fal_error_field_url(const fal_error *err, size_t index, size_t *len);

/// Returns the limits that the field violates, as JSON text, such as
/// `{"max_height":1024,"max_width":1024}`; NULL if the service sent none.
FAL_API const char *fal_error_field_context(const fal_error *err, size_t index, size_t *len);

/// Returns the rejected value as JSON text; NULL if the service did not repeat it. It may be
/// private.
FAL_API const char *fal_error_field_input(const fal_error *err, size_t index, size_t *len);

/// Returns the report on the sources of the credential that the failed call used or looked for;
/// NULL if the error does not concern credentials. The report is borrowed from the error and
/// must not be freed.
FAL_API const fal_credentials *fal_error_credentials(const fal_error *err);

/// @}

// ==== Credentials ====================================================================================================
/// @defgroup credentials Credentials
///
/// A report lists every source of a key, in the order in which they are tried. Looking for a key
/// reads environment variables and files, uses no network, and happens only on request. Strings are
/// borrowed from the report and contain no secret: a key appears as its public id.
/// @{

/// Looks for a key as a client with these options would, and reports the state of every source.
/// options may be NULL for the defaults. It succeeds even if no source has a key: see
/// fal_credentials_status().
///
/// Free the report with fal_credentials_free().
FAL_API fal_status fal_credentials_explain(const fal_options *options, fal_credentials **out, fal_error **err);

/// Looks for a key and reports the sources as fal_credentials_explain() does, but fails with
/// FAL_E_NO_CREDENTIALS or FAL_E_MALFORMED_CREDENTIALS if no usable credential is found. The
/// error then carries the report: see fal_error_credentials().
FAL_API fal_status fal_credentials_resolve(const fal_options *options, fal_credentials **out, fal_error **err);

/// Frees a report. NULL is ignored. A report that belongs to an error must not be freed.
FAL_API void fal_credentials_free(fal_credentials *credentials);

/// Returns FAL_OK if a credential was found, FAL_E_NO_CREDENTIALS or FAL_E_MALFORMED_CREDENTIALS if
/// not, and FAL_E_INVALID_ARGUMENT for NULL.
FAL_API fal_status fal_credentials_status(const fal_credentials *credentials);

/// Returns the whole report as JSON text: `{"used": {…} or null, "sources": [{"source",
/// "state", "location", "key_id", "notes"}], "problem": {…} or null}`. NULL for NULL.
FAL_API const char *fal_credentials_json(const fal_credentials *credentials, size_t *len);

/// Returns the whole report as a table of several lines, to be shown to a user. NULL for NULL.
FAL_API const char *fal_credentials_table(const fal_credentials *credentials, size_t *len);

/// Returns the public id of the key in use; NULL if there is none.
FAL_API const char *fal_credentials_key_id(const fal_credentials *credentials, size_t *len);

/// Returns the source of the credential in use, such as "FAL_KEY"; NULL if there is none.
FAL_API const char *fal_credentials_source(const fal_credentials *credentials, size_t *len);

/// Returns how many sources the report lists; 0 for NULL. The functions
/// fal_credentials_source_… take an index from 0 to this count minus 1, and return NULL for a
/// larger one.
FAL_API size_t fal_credentials_source_count(const fal_credentials *credentials);

/// Returns the name of a source.
FAL_API const char *fal_credentials_source_name(const fal_credentials *credentials, size_t index, size_t *len);

/// Returns the state of a source: "used", "shadowed" (an earlier source decided), "absent",
/// "malformed", "skipped", or "failed" (it was asked for a key and supplied none).
FAL_API const char *fal_credentials_source_state(const fal_credentials *credentials, size_t index, size_t *len);

/// Returns where a source is: a variable, a file and line, or a profile; NULL if it has no
/// location.
FAL_API const char *fal_credentials_source_location(const fal_credentials *credentials, size_t index, size_t *len);

/// Returns the public id of the key in a source; NULL if the source has none.
FAL_API const char *fal_credentials_source_key_id(const fal_credentials *credentials, size_t index, size_t *len);

/// Returns notes on a source, one per line: why its value is malformed, that it holds another
/// key, that other users can read its file. NULL if there are none.
FAL_API const char *fal_credentials_source_notes(const fal_credentials *credentials, size_t index, size_t *len);

/// @}

// ==== Storing keys ===================================================================================================
/// @defgroup store Storing keys
///
/// A key that is stored in a profile of the configuration file is available to every program of the
/// user, the official CLI included. The file is the one that fal_credentials_explain() reads: the
/// one set by fal_options_set_config_path(), else by FAL_CONFIG_PATH, else ~/.fal/config.toml.
/// Other profiles, comments and unknown members are preserved. The file is replaced atomically and
/// is readable by its owner only; on failure it is unchanged. A change waits up to 20 seconds for
/// another program that is changing the file.
///
/// In these functions options may be NULL for the defaults. A key and a profile that are set in the
/// options have no effect.
/// @{

/// Stores a key, "id:secret", in a profile and replaces the profile's previous key. Creates the
/// profile, the file and its folder if they do not exist. activate makes it the active profile,
/// which programs use if the variable FAL_PROFILE is not set.
///
/// FAL_E_INVALID_ARGUMENT if the name of the profile is empty, is "__internal__", has a control
/// character, has more than 128 characters, or looks like a key (names are printed).
/// FAL_E_MALFORMED_CREDENTIALS if the key is not a key, or the file cannot be parsed. FAL_E_IO
/// if the system denies access, or another program holds the file for too long.
FAL_API fal_status fal_profiles_store_key(
    const fal_options *options,
    const char *profile,
    size_t profile_len,
    const char *key,
    size_t key_len,
    bool activate,
    fal_error **err);

/// Removes the key of a profile, and the profile too if nothing is left in it, not even a
/// comment. Does nothing to a profile without a key. FAL_E_INVALID_ARGUMENT if the profile does
/// not exist.
FAL_API fal_status fal_profiles_remove_key(
    const fal_options *options,
    const char *profile,
    size_t profile_len,
    fal_error **err);

/// Lists the profiles of the configuration file in the order of the file. The list is empty if
/// there is no file.
///
/// Free the list with fal_profiles_free().
FAL_API fal_status fal_profiles_list(const fal_options *options, fal_profiles **out, fal_error **err);

/// Makes a profile the active one; NULL makes none active. FAL_E_INVALID_ARGUMENT if the
/// profile does not exist.
FAL_API fal_status fal_profiles_set_active(
    const fal_options *options,
    const char *profile,
    size_t profile_len,
    fal_error **err);

/// Frees a list. NULL is ignored.
FAL_API void fal_profiles_free(fal_profiles *profiles);

/// Returns the number of profiles; 0 for NULL. The functions fal_profiles_… below take an index
/// from 0 to this count minus 1, and return NULL, false or 0 for a larger one.
FAL_API size_t fal_profiles_count(const fal_profiles *profiles);

/// Returns the name of a profile; "(name not shown)" if it looks like a key.
FAL_API const char *fal_profiles_name(const fal_profiles *profiles, size_t index, size_t *len);

/// Returns the public id of a profile's key; NULL if it has no key or an unusable one.
FAL_API const char *fal_profiles_key_id(const fal_profiles *profiles, size_t index, size_t *len);

/// Returns why a profile's key is unusable; NULL if it is usable, or there is none.
FAL_API const char *fal_profiles_problem(const fal_profiles *profiles, size_t index, size_t *len);

/// Returns the host that a profile sets for the official CLI, which libfal does not use; NULL
/// if it sets none.
FAL_API const char *fal_profiles_host(const fal_profiles *profiles, size_t index, size_t *len);

/// Returns whether the file makes this profile the active one. The variable FAL_PROFILE takes
/// precedence over the file.
FAL_API bool fal_profiles_is_active(const fal_profiles *profiles, size_t index);

/// Returns the line of the profile's name in the file, counted from 1.
FAL_API size_t fal_profiles_line(const fal_profiles *profiles, size_t index);

/// Stores a key, "id:secret", in the system keyring and replaces the account's previous key.
/// account is the name of a profile, or "default" for the key that is used without a profile.
/// The system may ask the user to unlock the keyring; the call takes at most a minute.
///
/// FAL_E_IO if there is no keyring, or it denied access or stayed locked;
/// FAL_E_INVALID_ARGUMENT in a build without keyring support; FAL_E_WOULD_DEADLOCK inside a
/// callback.
FAL_API fal_status fal_keyring_store_key(
    const char *account,
    size_t account_len,
    const char *key,
    size_t key_len,
    fal_error **err);

/// Removes the account's key from the system keyring. Succeeds if there is no such key. Fails
/// like fal_keyring_store_key().
FAL_API fal_status fal_keyring_remove_key(const char *account, size_t account_len, fal_error **err);

/// @}

// ==== Options ========================================================================================================
/// @defgroup options Options
///
/// Options describe a client. What is not set comes from the environment, or has the default that
/// is stated here. Only one thread at a time may change an options object.
/// @{

/// A host that fal_options_set_host() can replace. The environment variable in parentheses replaces
/// it, too; an option takes precedence over the variable.
typedef enum fal_host {
    /// Synchronous calls (FAL_RUN_HOST). The default is "fal.run". If only this host is replaced, the
    /// queue's host becomes "queue." followed by it.
    FAL_HOST_RUN = 0,
    /// The queue (FAL_QUEUE_RUN_HOST). The default is "queue.fal.run".
    FAL_HOST_QUEUE = 1,
    /// Tokens and uploads (FAL_REST_HOST). The default is "rest.fal.ai".
    FAL_HOST_REST = 2,
    /// The Platform API (FAL_PLATFORM_HOST). The default is "api.fal.ai".
    FAL_HOST_PLATFORM = 3,
    /// Files (FAL_CDN_HOST). The default is "v3.fal.media". The key is never sent to it.
    FAL_HOST_CDN = 4,
    /// A fal-emulator on this machine (FAL_EMULATOR_HOST), such as "127.0.0.1:8080", which replaces all
    /// other hosts.
    FAL_HOST_EMULATOR = 5,
    /// Not a value. It makes the type 32 bits wide.
    FAL_HOST_MAX_ENUM = 0x7FFFFFFF
} fal_host;

/// How much is logged: see fal_options_set_log(). Each level includes the levels before it.
typedef enum fal_log_level {
    /// Failures that the caller also receives as errors.
    FAL_LOG_ERROR = 1,
    /// Problems that libfal recovered from, such as by a retry.
    FAL_LOG_WARN = 2,
    /// The source of the key.
    FAL_LOG_INFO = 3,
    /// Every request and response, without bodies.
    FAL_LOG_DEBUG = 4,
    /// Not a value. It makes the type 32 bits wide.
    FAL_LOG_LEVEL_MAX_ENUM = 0x7FFFFFFF
} fal_log_level;

/// Called once when libfal no longer uses user. It runs on a thread of libfal that runs only
/// callbacks, or on one of the host's threads, perhaps during the function that it was passed to.
/// It must not wait for libfal.
typedef void (*fal_release_callback)(void *user);

/// Receives one log line. message ends with a NUL, is len bytes long, and is valid during the call.
/// target ends with a NUL, lives as long as the library, and says which part of libfal writes the
/// line: "credentials", "transport", "queue", "storage", or "log" for a line about the log itself.
/// Later versions may add some. The callback runs on a thread of libfal that runs only such
/// callbacks, in the order of the lines, and one call at a time for each fal_options_set_log().
///
/// It may block: only log lines wait for it. Up to 1024 lines or 256 KiB are queued; further ones
/// are dropped and counted in a line of their own. A line arrives shortly after the event that it
/// reports, perhaps after the end of the call; fal_log_flush() and fal_shutdown() wait for all
/// lines. The callback may start operations, but waiting for one fails with FAL_E_WOULD_DEADLOCK.
typedef void (*fal_log_callback)(fal_log_level level, const char *target, const char *message, size_t len, void *user);

/// Asks the host for a credential. The callback owns request, and must complete it with exactly one
/// of the functions of the section Credential requests, at once or later, on any thread. It runs on
/// a thread of libfal that runs only such callbacks; several clients may ask at once.
///
/// It may block, and may wait for calls of other clients. It must not wait for calls of the client
/// that asks, which wait for the credential, or for fal_shutdown().
typedef void (*fal_credential_callback)(fal_credential_request *request, void *user);

/// Creates options with every default. Returns NULL only if there is no memory. Free them with
/// fal_options_free().
FAL_API fal_options *fal_options_new(void);

/// Frees options, and overwrites a key in them with zeros. NULL is ignored.
FAL_API void fal_options_free(fal_options *options);

/// Sets the key, "id:secret". It is copied, and checked when it is first needed.
FAL_API fal_status fal_options_set_key(fal_options *options, const char *key, size_t key_len, fal_error **err);

/// Selects the profile of the configuration file whose key is used. With
/// fal_options_set_keyring() it is the account in the keyring.
FAL_API fal_status fal_options_set_profile(
    fal_options *options,
    const char *profile,
    size_t profile_len,
    fal_error **err);

/// Sets the path of the configuration file, instead of FAL_CONFIG_PATH or ~/.fal/config.toml.
FAL_API fal_status fal_options_set_config_path(
    fal_options *options,
    const char *path,
    size_t path_len,
    fal_error **err);

/// Sets whether requests are sent without a key, for public apps; by default false. If a key, an
/// app token, a profile or a callback is set as well, operations fail with
/// FAL_E_MALFORMED_CREDENTIALS.
FAL_API fal_status fal_options_set_anonymous(fal_options *options, bool anonymous, fal_error **err);

/// Sets whether the system keyring is read, which may make the system ask the user to unlock
/// it. By default it is read if the variable FAL_KEYRING is 1. With true in a build without
/// keyring support, operations that need it fail with FAL_E_MALFORMED_CREDENTIALS.
FAL_API fal_status fal_options_set_keyring(fal_options *options, bool keyring, fal_error **err);

/// Sets a short-lived token to be used instead of a key. A machine that has a key creates one
/// with fal_client_mint_token(). It permits calls of its apps on the run host and nothing else.
FAL_API fal_status fal_options_set_app_token(
    fal_options *options,
    const char *token,
    size_t token_len,
    fal_error **err);

/// Sets the callback that supplies the credential. It is called when a credential is needed,
/// and again when the credential has expired or was rejected; calls that wait at the same time
/// share one request. user is passed to the callback. release, which may be NULL, is called
/// once the options, the clients made with them and their operations are gone or the callback
/// was replaced, or if this function fails.
FAL_API fal_status fal_options_set_credential_callback(
    fal_options *options,
    fal_credential_callback callback,
    fal_release_callback release,
    void *user,
    fal_error **err);

/// Sets the URL of a server proxy, such as "https://app.example/api/fal/proxy", which adds the
/// key. Everything for fal's services is sent to it; files are fetched directly. No key is
/// looked for on this machine. A key that is set explicitly is sent to the proxy.
FAL_API fal_status fal_options_set_server_proxy(fal_options *options, const char *url, size_t url_len, fal_error **err);

/// Sets the HTTP or SOCKS proxy through which fal is reached:
/// "[scheme://][user:password@]host[:port]" with the scheme http, https, socks4, socks4a,
/// socks5 or socks5h. An empty text means no proxy.
///
/// By default the variables HTTPS_PROXY and then ALL_PROXY are read, and on macOS and Windows
/// the settings of the system, except proxy scripts (PAC, WPAD). Hosts that NO_PROXY names, and
/// the emulator, are always reached directly.
FAL_API fal_status fal_options_set_http_proxy(fal_options *options, const char *url, size_t url_len, fal_error **err);

/// Adds trusted root certificates, one or more in PEM, to those that the operating system
/// trusts.
FAL_API fal_status fal_options_add_root_certificates(
    fal_options *options,
    const char *pem,
    size_t pem_len,
    fal_error **err);

/// Replaces a host by "name" or "name:port". FAL_E_INVALID_ARGUMENT if host is malformed, or
/// names an emulator that is not on this machine.
FAL_API fal_status fal_options_set_host(
    fal_options *options,
    fal_host role,
    const char *host,
    size_t host_len,
    fal_error **err);

/// Sets the timeout of each call in milliseconds, from the credential to the decoded body,
/// retries included. A timeout of the request takes precedence. By default one hour for a run
/// or a stream, 24 hours for waiting for a job and for a live log, six hours for an upload or a
/// download, and two minutes for anything else. Realtime and WebSocket sessions ignore it.
FAL_API fal_status fal_options_set_timeout_ms(fal_options *options, int64_t timeout_ms, fal_error **err);

/// Sets how many times a request is sent at most, 1 to 100; by default 5. A POST that may have
/// been executed is never sent again.
FAL_API fal_status fal_options_set_max_attempts(fal_options *options, uint32_t most, fal_error **err);

/// Sets for how many milliseconds the other side of a transfer may move no byte; by default
/// 60000. The connection is then closed with FAL_E_CONNECTION_LOST. A PUT and a part are sent
/// again, and a download is resumed.
///
/// It holds for uploads, for downloads except of an app's response, and for sending the body of
/// any request to fal. While fal assembles the parts of an upload the timeout is ten times as
/// long. Waiting for an app, the queue, a stream or a session is limited only by the timeout of
/// the call, and so is waiting for this side: a read callback or a disk. The operating system
/// buffers up to 4 MiB of an upload, so each sent MiB, up to 4, adds the same time again.
FAL_API fal_status fal_options_set_stall_timeout_ms(fal_options *options, int64_t stall_timeout_ms, fal_error **err);

/// Sets whether operations of the Platform API that need an ADMIN key fail with FAL_E_FORBIDDEN
/// before anything is sent if the key is known to be an API key, from fal_client_check() or an
/// earlier response. By default false: they are sent.
FAL_API fal_status fal_options_set_strict_scopes(fal_options *options, bool strict, fal_error **err);

/// Sets the maximum size of a response body in bytes; by default 256 MiB. A larger one fails
/// with FAL_E_TOO_LARGE.
FAL_API fal_status fal_options_set_max_response_bytes(fal_options *options, size_t most, fal_error **err);

/// Adds the name of the host program to the User-Agent header, such as "MyGame/1.2".
FAL_API fal_status fal_options_set_user_agent(
    fal_options *options,
    const char *product,
    size_t product_len,
    fal_error **err);

/// Sets the callback for log lines of this level and those before it. NULL turns the log
/// off, which is the default. user is passed to the callback. release, which may be NULL, is
/// called once the options, the clients made with them and their operations, background work
/// included, are gone or the callback was replaced, and their lines are delivered; or if this
/// function fails.
FAL_API fal_status fal_options_set_log(
    fal_options *options,
    fal_log_level level,
    fal_log_callback callback,
    fal_release_callback release,
    void *user,
    fal_error **err);

/// @}

// ==== Credential requests ============================================================================================
/// @defgroup credential_request Credential requests
///
/// The host completes a fal_credential_request with one of these functions. Each frees the request,
/// on failure too; it must not be used again. A request that is never completed fails after two
/// minutes, and its memory leaks.
/// @{

/// Completes the request with a key, "id:secret", that is valid for expires_in_ms milliseconds.
/// A negative number means that it does not expire. FAL_E_MALFORMED_CREDENTIALS if key is not a
/// key; the calls that wait for it then fail with FAL_E_CREDENTIALS_FAILED, for the same
/// reason.
FAL_API fal_status fal_credential_request_give_key(
    fal_credential_request *request,
    const char *key,
    size_t key_len,
    int64_t expires_in_ms,
    fal_error **err);

/// Completes the request with a short-lived token, created by fal_client_mint_token() or a
/// server, that is valid for expires_in_ms milliseconds. A negative number means that it does
/// not expire. FAL_E_MALFORMED_CREDENTIALS if token is not a token.
FAL_API fal_status fal_credential_request_give_app_token(
    fal_credential_request *request,
    const char *token,
    size_t token_len,
    int64_t expires_in_ms,
    fal_error **err);

/// Completes the request without a credential. The calls that wait for it fail, and their error
/// contains reason, which must not contain a secret.
FAL_API fal_status fal_credential_request_refuse(
    fal_credential_request *request,
    const char *reason,
    size_t reason_len,
    fal_error **err);

/// @}

// ==== Client =========================================================================================================
/// @defgroup client Client
///
/// A client holds a credential, hosts, limits and connections. Creating one sends nothing and reads
/// only the variables that name hosts and proxies; the key is looked for by the first
/// operation. Any number of threads may use a client at once. A client created before a fork may be
/// used in the child.
/// @{

/// Creates a client. options may be NULL for the defaults, and may be freed afterwards. Release
/// the client with fal_client_release().
///
/// FAL_E_INVALID_ARGUMENT if a variable that names a host or a proxy is malformed.
FAL_API fal_status fal_client_new(const fal_options *options, fal_client **out, fal_error **err);

/// Adds a reference to the client and returns it. NULL returns NULL.
FAL_API fal_client *fal_client_retain(const fal_client *client);

/// Releases one reference. The last release frees the client; its operations continue. NULL is
/// ignored.
FAL_API void fal_client_release(fal_client *client);

/// Looks for the key again and reports every source, as fal_credentials_explain() does for the
/// client's options. The client keeps the key that it found first; if the search finds another
/// one now, a note says which one is used. Free the report with fal_credentials_free().
FAL_API fal_status fal_client_explain(const fal_client *client, fal_credentials **out, fal_error **err);

/// Replaces the client's credential by the one that options describe; NULL means what the
/// environment has. The other settings of options are ignored. Operations that are already
/// running keep their credential.
FAL_API fal_status fal_client_set_credentials(const fal_client *client, const fal_options *options, fal_error **err);

/// Starts a check of the credential. It sends at most three requests, none of which runs
/// anything or costs money, and repeats them if the credential changes meanwhile. The response
/// is JSON: /accepted (boolean), /scope ("API", "ADMIN" or null), /account (null unless fal
/// names it), /locked (why the account is locked, or null), /key_id and /source.
FAL_API fal_status fal_client_check_start(const fal_client *client, fal_op **out, fal_error **err);

/// Calls fal_client_check_start() and blocks until the response arrives. Free it with
/// fal_response_free(). FAL_E_WOULD_DEADLOCK inside a callback.
FAL_API fal_status fal_client_check(const fal_client *client, fal_response **out, fal_error **err);

/// Starts creating a short-lived token, valid for 1 to 3600 seconds, that permits calls of the
/// given apps and nothing else. endpoints lists the apps by endpoint id, separated by commas.
/// The response is JSON: /token, which is a secret, and /expires_in in seconds.
FAL_API fal_status fal_client_mint_token_start(
    const fal_client *client,
    const char *endpoints,
    size_t endpoints_len,
    uint32_t seconds,
    fal_op **out,
    fal_error **err);

/// Calls fal_client_mint_token_start() and blocks until the response arrives. Free it with
/// fal_response_free(). FAL_E_WOULD_DEADLOCK inside a callback.
FAL_API fal_status fal_client_mint_token(
    const fal_client *client,
    const char *endpoints,
    size_t endpoints_len,
    uint32_t seconds,
    fal_response **out,
    fal_error **err);

/// Starts a run: one POST of the request's input to its endpoint, directly to a runner, without
/// the queue. The request is copied and may be changed or freed. Release the operation with
/// fal_op_release().
///
/// The POST is sent again only if it provably did not reach the service, or the service said
/// that it did not accept it. A success status that means that the output is missing (202, 204,
/// 205 or 206 for a POST or GET) is FAL_E_PROTOCOL.
FAL_API fal_status fal_client_run_start(
    const fal_client *client,
    const fal_request *request,
    fal_op **out,
    fal_error **err);

/// Calls fal_client_run_start() and blocks until the response arrives. Free it with
/// fal_response_free(). FAL_E_WOULD_DEADLOCK inside a callback.
FAL_API fal_status fal_client_run(
    const fal_client *client,
    const fal_request *request,
    fal_response **out,
    fal_error **err);

/// Starts a request that was created with fal_request_new_http(). The key is sent to those of
/// fal's services that accept keys. A URL outside fal is FAL_E_FOREIGN_ORIGIN. GET, HEAD and
/// OPTIONS are retried; other methods are sent again only under the rule of
/// fal_client_run_start().
FAL_API fal_status fal_client_send_start(
    const fal_client *client,
    const fal_request *request,
    fal_op **out,
    fal_error **err);

/// Calls fal_client_send_start() and blocks until the response arrives. Free it with
/// fal_response_free(). FAL_E_WOULD_DEADLOCK inside a callback.
FAL_API fal_status fal_client_send(
    const fal_client *client,
    const fal_request *request,
    fal_response **out,
    fal_error **err);

/// @}

// ==== Requests =======================================================================================================
/// @defgroup request Requests
///
/// A request describes what is sent. It can be used again, also while operations that were started
/// with it are running: they have a copy. Only one thread at a time may change a request.
/// @{

/// Creates a request to an endpoint, given by its id, such as "fal-ai/flux/schnell", with an
/// empty JSON object as its input. It is for fal_client_run(), the queue, streams, sessions and
/// channels. Free it with fal_request_free().
///
/// FAL_E_INVALID_ARGUMENT if endpoint is not an endpoint id. For a URL such as
/// "https://fal.run/fal-ai/flux/dev" the remedy names the id.
FAL_API fal_status fal_request_new(const char *endpoint, size_t endpoint_len, fal_request **out, fal_error **err);

/// Creates a request of any HTTP method to one of fal's URLs, such as
/// "https://api.fal.ai/v1/models", or to a path of the Platform API, such as "/v1/keys". It is
/// for fal_client_send(), and has no body until one is set. Free it with fal_request_free().
FAL_API fal_status fal_request_new_http(
    const char *method,
    size_t method_len,
    const char *url,
    size_t url_len,
    fal_request **out,
    fal_error **err);

/// Frees a request. NULL is ignored.
FAL_API void fal_request_free(fal_request *request);

/// Sets a field of the input to a string. name is a top-level member ("prompt") or a JSON
/// Pointer ("/image_size/width"), which begins with a slash, also where a value is read. Missing
/// objects on the path of a pointer are created.
///
/// FAL_E_INVALID_ARGUMENT if name is empty, or has a slash but does not begin with one; if the
/// pointer passes through something that is neither an object nor an array; if the body is not a
/// JSON object, or would have more than 128 levels.
FAL_API fal_status fal_request_set_string(
    fal_request *request,
    const char *name,
    size_t name_len,
    const char *value,
    size_t value_len,
    fal_error **err);

/// Sets a field of the input to an integer. name is as in fal_request_set_string().
FAL_API fal_status fal_request_set_int(
    fal_request *request,
    const char *name,
    size_t name_len,
    int64_t value,
    fal_error **err);

/// Sets a field of the input to a number. name is as in fal_request_set_string().
/// FAL_E_INVALID_ARGUMENT if value is infinite or NaN.
FAL_API fal_status fal_request_set_double(
    fal_request *request,
    const char *name,
    size_t name_len,
    double value,
    fal_error **err);

/// Sets a field of the input to a boolean. name is as in fal_request_set_string().
FAL_API fal_status fal_request_set_bool(
    fal_request *request,
    const char *name,
    size_t name_len,
    bool value,
    fal_error **err);

/// Sets a field of the input of a realtime app to bytes, which are copied. As JSON they are
/// {"$bytes": "<base64>"}. Only realtime sessions carry bytes; other calls take files. name is
/// as in fal_request_set_string().
FAL_API fal_status fal_request_set_bytes(
    fal_request *request,
    const char *name,
    size_t name_len,
    const void *data,
    size_t data_len,
    fal_error **err);

/// Sets a field of the input to any JSON value, given as text. name is as in
/// fal_request_set_string().
FAL_API fal_status fal_request_set_json(
    fal_request *request,
    const char *name,
    size_t name_len,
    const char *json,
    size_t json_len,
    fal_error **err);

/// Replaces the whole input, or body, by a JSON value, given as text.
FAL_API fal_status fal_request_set_body_json(fal_request *request, const char *json, size_t json_len, fal_error **err);

/// Replaces the whole body by bytes, which are copied, and sets their content type, such as
/// "image/png".
FAL_API fal_status fal_request_set_body(
    fal_request *request,
    const void *data,
    size_t data_len,
    const char *content_type,
    size_t content_type_len,
    fal_error **err);

/// Sets the path of the app to call. The default is the endpoint id's own path for a run, the
/// queue and a WebSocket, "stream" for a stream, and "realtime" for a realtime session. Leading
/// and trailing slashes are removed.
FAL_API fal_status fal_request_set_path(fal_request *request, const char *path, size_t path_len, fal_error **err);

/// Sets the HTTP method, for an endpoint that defines another one than POST.
FAL_API fal_status fal_request_set_method(fal_request *request, const char *method, size_t method_len, fal_error **err);

/// Sets a header, such as "X-Fal-Runner-Hint". FAL_E_INVALID_ARGUMENT for headers that libfal
/// sets itself, such as Authorization and Host.
FAL_API fal_status fal_request_set_header(
    fal_request *request,
    const char *name,
    size_t name_len,
    const char *value,
    size_t value_len,
    fal_error **err);

/// Sets the timeout of the whole call in milliseconds, from the credential to the decoded body,
/// retries included. It takes precedence over the client's.
FAL_API fal_status fal_request_set_timeout_ms(fal_request *request, int64_t timeout_ms, fal_error **err);

/// @}

// ==== Queue options ==================================================================================================
/// @defgroup queue_options Queue options
///
/// These settings of a request are for the platform's queue, and take effect with
/// fal_client_submit() and fal_client_subscribe(). Those marked "Also for runs" take effect with
/// fal_client_run(), too. Other headers of fal are set with fal_request_set_header().
/// @{

/// The priority of a request in the queue of its endpoint: see fal_request_set_priority().
typedef enum fal_priority {
    /// Normal priority.
    FAL_PRIORITY_NORMAL = 0,
    /// The request runs after all requests of normal priority to the same endpoint.
    FAL_PRIORITY_LOW = 1,
    /// Not a value. It makes the type 32 bits wide.
    FAL_PRIORITY_MAX_ENUM = 0x7FFFFFFF
} fal_priority;

/// Sets the priority of the request in the queue of its endpoint; by default
/// FAL_PRIORITY_NORMAL.
FAL_API fal_status fal_request_set_priority(fal_request *request, fal_priority priority, fal_error **err);

/// Sets within how many milliseconds of its submission the request has to start running; more
/// than 1000. If it does not, it fails with HTTP 504 and is not repeated. The time that it runs
/// is not limited by this. Also for runs.
FAL_API fal_status fal_request_set_start_timeout_ms(fal_request *request, int64_t timeout_ms, fal_error **err);

/// Makes the platform prefer the runner that served an earlier request with this hint, if that
/// runner is free. Also for runs.
FAL_API fal_status fal_request_set_runner_hint(
    fal_request *request,
    const char *hint,
    size_t hint_len,
    fal_error **err);

/// Sets the URL to which fal posts the result when the job has ended. It must be https, or http
/// to this machine for the emulator.
FAL_API fal_status fal_request_set_webhook(fal_request *request, const char *url, size_t url_len, fal_error **err);

/// Makes the submission fail with FAL_E_RATE_LIMITED if more than this many requests, of all
/// callers, wait at the endpoint. The job was then not accepted, so libfal retries up to the
/// limit of fal_options_set_max_attempts() first.
FAL_API fal_status fal_request_set_max_queue_length(fal_request *request, uint32_t most, fal_error **err);

/// Sets the lifetime and access of the files that the request creates, as a JSON object with
/// expiration_duration_seconds (a positive number, or null for no expiry), initial_acl (an
/// object), or both. Also for runs.
FAL_API fal_status fal_request_set_object_lifecycle(
    fal_request *request,
    const char *json,
    size_t json_len,
    fal_error **err);

/// Sets whether fal keeps the input and the output for 30 days; by default true. It does not
/// concern files. Also for runs.
FAL_API fal_status fal_request_set_store_io(fal_request *request, bool store, fal_error **err);

/// Sets whether the platform is told not to repeat failed attempts; by default false.
FAL_API fal_status fal_request_set_no_retry(fal_request *request, bool no_retry, fal_error **err);

/// Sets how many times the platform repeats an attempt after the app failed with 503 or 504
/// (server_error), after the app's own timeout (timeout), and after the connection to the
/// runner broke (connection_error): 0 to 9 each, or -1 for the platform's default. The platform
/// respects this only for the caller's own apps.
FAL_API fal_status fal_request_set_retries(
    fal_request *request,
    int32_t server_error,
    int32_t timeout,
    int32_t connection_error,
    fal_error **err);

/// Sets whether the platform is told not to forward the request to an equivalent endpoint if this
/// one fails; by default false. Also for runs.
FAL_API fal_status fal_request_set_no_fallback(fal_request *request, bool no_fallback, fal_error **err);

/// Adds a tag, or replaces its value. A request has at most ten tags with 1024 bytes in all. A
/// name has up to 64 of the characters a-z 0-9 . _ - and does not begin with "fal."; a value
/// has up to 256 printable ASCII characters except the comma. Also for runs.
FAL_API fal_status fal_request_set_tag(
    fal_request *request,
    const char *name,
    size_t name_len,
    const char *value,
    size_t value_len,
    fal_error **err);

/// Sets whether fal_client_subscribe_start() requests the job's log; by default true.
FAL_API fal_status fal_request_set_logs(fal_request *request, bool logs, fal_error **err);

/// Sets whether the job continues at fal when fal_client_subscribe_start(), or
/// fal_client_submit_start() before its response, is cancelled, reaches its timeout, or is
/// ended by fal_shutdown(). By default false: the job is cancelled.
FAL_API fal_status fal_request_set_keep_running(fal_request *request, bool keep, fal_error **err);

/// @}

// ==== Responses ======================================================================================================
/// @defgroup response Responses
///
/// A response is what the service returned, unchanged. Values are read by JSON Pointer (RFC 6901):
/// "/images/0/url", or "" for the whole body. A missing value or one of another type is
/// FAL_E_WRONG_TYPE; too little memory to read it is FAL_E_IO. Strings are borrowed from the
/// response. A response is immutable: several threads may read it at once.
/// @{

/// Frees a response. NULL is ignored.
FAL_API void fal_response_free(fal_response *response);

/// Returns the HTTP status, 200 to 299; 0 for NULL.
FAL_API int32_t fal_response_http_status(const fal_response *response);

/// Returns fal's id of the request; NULL if the service sent none.
FAL_API const char *fal_response_request_id(const fal_response *response, size_t *len);

/// Returns the value of a header; NULL if the response has no such header. Upper and lower case of
/// the name do not matter.
FAL_API const char *fal_response_header(const fal_response *response, const char *name, size_t name_len, size_t *len);

/// Returns the body, *len bytes without a terminating NUL; NULL if it is empty. It is borrowed, not
/// copied.
FAL_API const void *fal_response_body(const fal_response *response, size_t *len);

/// Gets the body as text that ends with a NUL; for most endpoints this is JSON. FAL_E_WRONG_TYPE if
/// it is not UTF-8. len may be NULL.
FAL_API fal_status fal_response_get_text(const fal_response *response, const char **out, size_t *len, fal_error **err);

/// Gets the string at a pointer. len may be NULL.
FAL_API fal_status fal_response_get_string(
    const fal_response *response,
    const char *pointer,
    size_t pointer_len,
    const char **out,
    size_t *len,
    fal_error **err);

/// Gets the integer at a pointer. FAL_E_WRONG_TYPE if the number has a fraction or does not
/// fit.
FAL_API fal_status fal_response_get_int(
    const fal_response *response,
    const char *pointer,
    size_t pointer_len,
    int64_t *out,
    fal_error **err);

/// Gets the number at a pointer, rounded to the nearest double. fal_response_get_json() returns
/// all its digits, as needed for amounts of money.
FAL_API fal_status fal_response_get_double(
    const fal_response *response,
    const char *pointer,
    size_t pointer_len,
    double *out,
    fal_error **err);

/// Gets the boolean at a pointer.
FAL_API fal_status fal_response_get_bool(
    const fal_response *response,
    const char *pointer,
    size_t pointer_len,
    bool *out,
    fal_error **err);

/// Gets any value at a pointer as JSON text, exactly as it was received: a number has all its
/// digits. len may be NULL.
FAL_API fal_status fal_response_get_json(
    const fal_response *response,
    const char *pointer,
    size_t pointer_len,
    const char **out,
    size_t *len,
    fal_error **err);

/// Gets how many elements the array, or members the object, at a pointer has.
FAL_API fal_status fal_response_get_count(
    const fal_response *response,
    const char *pointer,
    size_t pointer_len,
    size_t *out,
    fal_error **err);

/// Returns whether there is a value at a pointer; null is a value. Returns false for NULL, for a
/// body that is not JSON, and if there is not enough memory to read it.
FAL_API bool fal_response_has(const fal_response *response, const char *pointer, size_t pointer_len);

/// @}

// ==== Operations =====================================================================================================
/// @defgroup op Operations
///
/// An operation is a running call. It ends exactly once: with its response, an error,
/// FAL_E_CANCELLED or FAL_E_SHUT_DOWN. Every function here may be called by any thread at any time.
/// Releasing an operation neither cancels it nor waits for it. In a forked child, an operation that
/// the parent started fails with FAL_E_FORKED.
/// @{

/// Called by fal_dispatcher_run() when an operation has ended or has events. op is the operation, but
/// not the pointer that was registered: tell operations apart by user. op and the strings that are
/// read from it are borrowed during the call: take the outcome, read the events, or retain op. The
/// callback may start operations, but waiting for one fails with FAL_E_WOULD_DEADLOCK.
typedef void (*fal_op_callback)(fal_op *op, void *user);

/// Adds a reference to the operation and returns it. NULL returns NULL.
FAL_API fal_op *fal_op_retain(const fal_op *op);

/// Releases one reference. The operation itself continues, even after the last release. NULL is
/// ignored.
FAL_API void fal_op_release(fal_op *op);

/// Returns FAL_PENDING while the operation is running, and FAL_OK once it has ended, whether it
/// succeeded or not; FAL_E_FORKED in a forked child; FAL_E_INVALID_ARGUMENT for NULL. It never
/// blocks, takes no lock and allocates nothing, so it creates no fal_error.
FAL_API fal_status fal_op_poll(const fal_op *op);

/// Returns whether the operation has ended, whether it succeeded or not. It never blocks, takes
/// no lock and allocates nothing. Returns true for NULL and in a forked child, where there is
/// nothing to wait for; fal_op_take() then returns the error.
FAL_API bool fal_op_is_done(const fal_op *op);

/// Blocks until the operation has ended, for at most timeout_ms milliseconds. Returns FAL_OK if it
/// has ended, and FAL_PENDING if not.
///
/// FAL_E_WOULD_DEADLOCK inside a callback, unless the operation has already ended.
FAL_API fal_status fal_op_wait(const fal_op *op, int64_t timeout_ms, fal_error **err);

/// Blocks until one of several operations has ended, for at most timeout_ms milliseconds. Returns
/// FAL_OK if one has, and its index in *index: of the first in the order of the array, if several
/// have. Returns FAL_PENDING if none has. ops has count pointers, none of them NULL; count is at
/// least 1.
///
/// FAL_E_WOULD_DEADLOCK inside a callback, if it would have to wait. In a forked child,
/// FAL_E_FORKED if an operation of the parent comes in the array before the first that has ended.
FAL_API fal_status fal_op_wait_any(
    const fal_op *const *ops,
    size_t count,
    int64_t timeout_ms,
    size_t *index,
    fal_error **err);

/// Requests that the operation ends with FAL_E_CANCELLED, and returns at once. Does nothing if
/// it has already ended, and for NULL. It may be called any number of times.
FAL_API void fal_op_cancel(const fal_op *op);

/// Takes the outcome. Returns FAL_OK and a response, to be freed with fal_response_free(); or the
/// operation's error; or FAL_PENDING, without an error, while it is running. After the first time
/// it is FAL_E_TAKEN.
FAL_API fal_status fal_op_take(const fal_op *op, fal_response **out, fal_error **err);

/// Returns fal's id of the request as soon as it is known, for a support request or to come back
/// to the job; NULL before, and if fal sends none. A job has it once it is submitted, a stream
/// once it begins, and any other call once it has ended. The string is borrowed from the
/// operation.
FAL_API const char *fal_op_request_id(const fal_op *op, size_t *len);

/// Makes fal_dispatcher_run() call callback once when the operation has ended, whether it
/// succeeded, failed, was cancelled or was shut down. If it has already ended, the next run
/// calls it; this function never does. Each call of this function adds a callback, which must
/// not be NULL.
///
/// The operation is kept alive until that call, so the callback can take the outcome also if
/// all references were released. release, which may be NULL, is called after it, after the last
/// reference to the dispatcher was released, or if this function fails. No callback of
/// fal_op_when_event() for the same operation and dispatcher starts after it.
FAL_API fal_status fal_op_when_done(
    const fal_op *op,
    const fal_dispatcher *dispatcher,
    fal_op_callback callback,
    fal_release_callback release,
    void *user,
    fal_error **err);

/// @}

// ==== Events =========================================================================================================
/// @defgroup event Events
///
/// An event reports something that happened while an operation was running. A host reads events
/// whenever it likes, such as once per frame or on a thread of its own, and can still read them
/// after the operation has ended. It may ignore them, except those of operations that stream: these
/// pause while 1024 events or 16 MiB are unread, so read or discard the events. Functions that
/// block until a response arrives, such as fal_client_subscribe(), discard events.
/// @{

/// The kind of an event, which fal_event_kind() returns. Later versions may add some: ignore those
/// that are unknown.
typedef enum fal_event_type {
    /// No event: what fal_event_kind() returns for NULL.
    FAL_EVENT_NONE = 0,
    /// The state of a job: /status ("IN_QUEUE", "IN_PROGRESS" or "COMPLETED"), /request_id and, while
    /// it is queued, /queue_position, the number of requests ahead of it.
    FAL_EVENT_STATUS = 1,
    /// A line of a job's log: /message, /level, /source and /timestamp.
    FAL_EVENT_LOG = 2,
    /// The progress of all files of the operation together: /transferred and, if it is known, /total, in
    /// bytes. An unread one is replaced by the next.
    FAL_EVENT_PROGRESS = 3,
    /// An item of a stream, as the app sent it. fal_event_workflow() returns the kind of a workflow's
    /// item.
    FAL_EVENT_ITEM = 4,
    /// A message of a realtime session or a WebSocket.
    FAL_EVENT_MESSAGE = 5,
    /// The state of such a connection: /state is "connected", "lost" or "dropped".
    FAL_EVENT_CONNECTION = 6,
    /// Not a value. It makes the type 32 bits wide.
    FAL_EVENT_TYPE_MAX_ENUM = 0x7FFFFFFF
} fal_event_type;

/// The kind of an item of a workflow's stream, which fal_event_workflow() returns. Later versions may
/// add some: ignore those that are unknown.
typedef enum fal_workflow_type {
    /// No item of a workflow, or one with an unknown /type.
    FAL_WORKFLOW_NONE = 0,
    /// A step of a workflow was submitted to its app: /node_id, /app_id and /request_id, all strings.
    FAL_WORKFLOW_SUBMIT = 1,
    /// A step has finished: /node_id, /output and, if fal sent it, /app_id.
    FAL_WORKFLOW_COMPLETION = 2,
    /// The workflow has finished: /output and, if fal sent it, /node_id of the output's step.
    FAL_WORKFLOW_OUTPUT = 3,
    /// A step has failed: /node_id and, if fal sent them, /message, /error/status and /error/body of
    /// the step's response.
    FAL_WORKFLOW_ERROR = 4,
    /// Not a value. It makes the type 32 bits wide.
    FAL_WORKFLOW_TYPE_MAX_ENUM = 0x7FFFFFFF
} fal_workflow_type;

/// Reads the next event of an operation, and blocks for at most timeout_ms milliseconds until there
/// is one. Returns FAL_OK and an event, to be freed with fal_event_free(); FAL_OK and NULL once the
/// operation has ended and all events were read; FAL_PENDING if there is no event yet. Several
/// threads may read; each event goes to one of them. FAL_OK alone does not mean that there is an
/// event, so a loop over events looks at *out, too.
///
/// FAL_E_WOULD_DEADLOCK inside a callback, if it would have to wait.
FAL_API fal_status fal_op_next_event(const fal_op *op, int64_t timeout_ms, fal_event **out, fal_error **err);

/// Discards all unread events and all future ones. NULL is ignored.
FAL_API void fal_op_discard_events(const fal_op *op);

/// Returns how many events were dropped because they were not read in time; 0 for NULL. Items
/// and messages are never dropped.
FAL_API uint64_t fal_op_dropped_events(const fal_op *op);

/// Makes fal_dispatcher_run() call callback when there are unread events: once for all of them,
/// so the callback reads every event, with a timeout of 0. An operation has one such callback: a
/// new one replaces it, whatever the dispatcher, and NULL takes it back. The end of the operation
/// is not an event: see fal_op_when_done().
///
/// release, which may be NULL, is called at once if callback is NULL or this function fails.
/// Otherwise it is called when no call is running any more and one of these has happened, after
/// which no call starts:
///
/// - the callback was taken back or replaced,
/// - fal_dispatcher_run() calls the callback of fal_op_when_done() for the same operation and
///   dispatcher,
/// - the operation has ended, and all of its events were read or discarded,
/// - the last reference to the dispatcher was released. release is then called when the operation
///   ends, its outcome is taken, or its last reference is released.
///
/// FAL_E_INVALID_ARGUMENT if the operation is watched: see fal_op_watch().
FAL_API fal_status fal_op_when_event(
    const fal_op *op,
    const fal_dispatcher *dispatcher,
    fal_op_callback callback,
    fal_release_callback release,
    void *user,
    fal_error **err);

/// Frees an event. NULL is ignored.
FAL_API void fal_event_free(fal_event *event);

/// Returns the kind of the event; FAL_EVENT_NONE for NULL.
FAL_API fal_event_type fal_event_kind(const fal_event *event);

/// Returns the content of the event, borrowed from it, to be read with the functions for
/// responses, such as fal_response_get_string(). NULL for NULL.
FAL_API const fal_response *fal_event_content(const fal_event *event);

/// Returns the kind of an item of a workflow's stream (docs/protocol.md §3.5), whose content has
/// the members that are listed at each kind. FAL_WORKFLOW_NONE for any other event or an unknown
/// /type, and for NULL.
FAL_API fal_workflow_type fal_event_workflow(const fal_event *event);

/// Returns whether the content is bytes rather than text or JSON: a binary message of a
/// WebSocket, or a piece of a stream that is not a stream of events. false for NULL.
FAL_API bool fal_event_is_bytes(const fal_event *event);

/// Returns the number of requests ahead of the job, of a FAL_EVENT_STATUS event while it is
/// queued; -1 for any other event and for NULL.
FAL_API int64_t fal_event_queue_position(const fal_event *event);

/// Returns how many bytes of the operation's files were sent or received, of a FAL_EVENT_PROGRESS
/// event; -1 for any other event and for NULL.
FAL_API int64_t fal_event_transferred(const fal_event *event);

/// Returns the size of these files together in bytes; -1 if it is not known, for any other event
/// and for NULL.
FAL_API int64_t fal_event_total(const fal_event *event);

/// Returns the text of a FAL_EVENT_LOG event, borrowed from it; NULL for any other event and for
/// NULL. len may be NULL.
FAL_API const char *fal_event_log_text(const fal_event *event, size_t *len);

/// Gets the bytes at a JSON Pointer of a realtime app's message, which as JSON are {"$bytes":
/// "<base64>"}. For any other event, the pointer "" gets the whole content unchanged. The bytes are
/// borrowed from the event. FAL_E_WRONG_TYPE if there are no bytes. len may be NULL.
FAL_API fal_status fal_event_get_bytes(
    const fal_event *event,
    const char *pointer,
    size_t pointer_len,
    const void **out,
    size_t *len,
    fal_error **err);

/// @}

// ==== Queue ==========================================================================================================
/// @defgroup queue Queue
///
/// A request in fal's queue, a job, waits until a runner executes it. It continues if this program
/// ends, and any program can query it by its endpoint and request id. The usual function is
/// fal_client_subscribe(): it submits a job, waits for it and fetches the result.
///
/// One client can wait for thousands of jobs at once, on the library's few threads. It follows 64
/// of them by a status stream each and polls the others, less often the more there are. At most 128
/// requests of this kind are in flight at once; further ones wait for their turn.
/// @{

/// Creates the job for a request id of an endpoint, no matter which program submitted it and
/// when. It sends nothing. Free it with fal_job_free().
///
/// FAL_E_INVALID_ARGUMENT if endpoint or request_id is malformed.
FAL_API fal_status fal_job_new(
    const char *endpoint,
    size_t endpoint_len,
    const char *request_id,
    size_t request_id_len,
    fal_job **out,
    fal_error **err);

/// Creates the job for a request that was submitted to endpoint, from the response of
/// fal_client_submit(). URLs in the response are used if they are those of the queue, and are
/// ignored otherwise. Free it with fal_job_free().
///
/// FAL_E_PROTOCOL if the response has no request id.
FAL_API fal_status fal_job_of_response(
    const char *endpoint,
    size_t endpoint_len,
    const fal_response *response,
    fal_job **out,
    fal_error **err);

/// Frees a job. It has no effect on the job at fal. NULL is ignored.
FAL_API void fal_job_free(fal_job *job);

/// Returns fal's id of the request, with which a later program can create the job again.
/// Borrowed from the job; NULL for NULL.
FAL_API const char *fal_job_request_id(const fal_job *job, size_t *len);

/// Sets whether the job's log is requested, which comes with each status; by default true.
FAL_API fal_status fal_job_set_logs(fal_job *job, bool logs, fal_error **err);

/// Sets whether the job continues at fal when fal_client_attach_start() is cancelled, reaches
/// its timeout, or is ended by fal_shutdown(). By default false: the job is cancelled.
FAL_API fal_status fal_job_set_keep_running(fal_job *job, bool keep, fal_error **err);

/// Sets the timeout of each operation on the job in milliseconds. By default 24 hours for
/// fal_client_attach_start(), and the client's timeout for the others.
FAL_API fal_status fal_job_set_timeout_ms(fal_job *job, int64_t timeout_ms, fal_error **err);

/// Starts submitting a job and waiting for its result, which is the response. The operation has
/// events: the progress of files in the input, then the status of the job, beginning with one
/// that has its request id, and the lines of its log. The default timeout is 24 hours.
///
/// If the operation is cancelled, reaches its timeout, or is ended by fal_shutdown(), the job
/// is cancelled at fal in the background, unless fal_request_set_keep_running() is set.
/// Releasing the operation does not cancel the job. An error after the submission carries the
/// request id, with which fal_job_new() and fal_client_attach() continue to wait. Until the
/// response to the submission arrives, the id is unknown: see fal_error_may_have_executed(). If
/// the operation ends before, libfal waits for the response for up to 30 seconds, in the
/// background, and then cancels the job.
FAL_API fal_status fal_client_subscribe_start(
    const fal_client *client,
    const fal_request *request,
    fal_op **out,
    fal_error **err);

/// Calls fal_client_subscribe_start() and blocks until the result arrives. Free it with
/// fal_response_free(). FAL_E_WOULD_DEADLOCK inside a callback.
FAL_API fal_status fal_client_subscribe(
    const fal_client *client,
    const fal_request *request,
    fal_response **out,
    fal_error **err);

/// Starts submitting a job: one POST to the endpoint's queue. The response is JSON with
/// /request_id and what else fal sends; fal_job_of_response() turns it into a job for the other
/// functions. The job runs without further requests.
///
/// The POST is not sent again if it may have been accepted. If the operation is cancelled,
/// reaches its timeout, or is ended by fal_shutdown() before the response arrives, no caller knows
/// the id of the job: it is cancelled as in fal_client_subscribe_start(), unless
/// fal_request_set_keep_running() is set.
FAL_API fal_status fal_client_submit_start(
    const fal_client *client,
    const fal_request *request,
    fal_op **out,
    fal_error **err);

/// Calls fal_client_submit_start() and blocks until the response arrives. Free it with
/// fal_response_free(). FAL_E_WOULD_DEADLOCK inside a callback.
FAL_API fal_status fal_client_submit(
    const fal_client *client,
    const fal_request *request,
    fal_response **out,
    fal_error **err);

/// Starts waiting for the result of a job that was submitted before, perhaps by another
/// process. Events and response are as in fal_client_subscribe_start(), and so is
/// cancellation, with fal_job_set_keep_running() in place of fal_request_set_keep_running().
FAL_API fal_status fal_client_attach_start(const fal_client *client, const fal_job *job, fal_op **out, fal_error **err);

/// Calls fal_client_attach_start() and blocks until the result arrives. Free it with
/// fal_response_free(). FAL_E_WOULD_DEADLOCK inside a callback.
FAL_API fal_status fal_client_attach(const fal_client *client, const fal_job *job, fal_response **out, fal_error **err);

/// Starts a request for a job's status. The response is JSON: /status ("IN_QUEUE",
/// "IN_PROGRESS" or "COMPLETED", which includes failed jobs), /queue_position while it is
/// queued, and /logs.
FAL_API fal_status fal_client_status_start(const fal_client *client, const fal_job *job, fal_op **out, fal_error **err);

/// Calls fal_client_status_start() and blocks until the response arrives. Free it with
/// fal_response_free(). FAL_E_WOULD_DEADLOCK inside a callback.
FAL_API fal_status fal_client_status(const fal_client *client, const fal_job *job, fal_response **out, fal_error **err);

/// Starts a request for a job's result: its output, or the error with which it failed.
/// FAL_E_NOT_READY if the job has not finished. If the job has finished but fal has no result
/// yet, the request is repeated for some seconds; after that, the error says that the job has
/// run.
FAL_API fal_status fal_client_result_start(const fal_client *client, const fal_job *job, fal_op **out, fal_error **err);

/// Calls fal_client_result_start() and blocks until the response arrives. Free it with
/// fal_response_free(). FAL_E_WOULD_DEADLOCK inside a callback.
FAL_API fal_status fal_client_result(const fal_client *client, const fal_job *job, fal_response **out, fal_error **err);

/// Starts cancelling a job. A queued job never runs. A running job is told to stop, and may
/// still finish. FAL_E_INVALID_INPUT if the job has ended.
FAL_API fal_status fal_client_cancel_start(const fal_client *client, const fal_job *job, fal_op **out, fal_error **err);

/// Calls fal_client_cancel_start() and blocks until the response arrives. Free it with
/// fal_response_free(). FAL_E_WOULD_DEADLOCK inside a callback.
FAL_API fal_status fal_client_cancel(const fal_client *client, const fal_job *job, fal_response **out, fal_error **err);

/// @}

// ==== Streams ========================================================================================================
/// @defgroup stream Streams
///
/// A stream is a response that arrives in pieces.
/// @{

/// Starts a stream: one POST to the endpoint's path "stream" (or that of
/// fal_request_set_path()), directly to a runner.
///
/// Each event of the response is a FAL_EVENT_ITEM, in order: JSON, or text if the app sent
/// something else. The stream pauses while too many items are unread, so read or discard them.
/// The response of the operation is the last item, by convention the result; it is empty if
/// there was none. It is an error if the stream ends inside an event whose data is not complete
/// JSON, or if a step of a workflow failed and no output followed.
///
/// The content type shows a response that is not a stream of events. JSON is one item, which is
/// also the response. Of anything else each piece is an item of bytes (fal_event_is_bytes())
/// when it arrives, and the response is empty.
///
/// A stream that breaks is FAL_E_CONNECTION_LOST, even if items have arrived. It is not sent
/// again if it may have been executed.
FAL_API fal_status fal_client_stream_start(
    const fal_client *client,
    const fal_request *request,
    fal_op **out,
    fal_error **err);

/// Calls fal_client_stream_start(), discards the items and blocks until the last one arrives,
/// which is the response. Free it with fal_response_free(). FAL_E_WOULD_DEADLOCK inside a
/// callback.
FAL_API fal_status fal_client_stream(
    const fal_client *client,
    const fal_request *request,
    fal_response **out,
    fal_error **err);

/// @}

// ==== Options of WebSockets ==========================================================================================
/// @defgroup socket_options Options of WebSockets
///
/// Options of a realtime session or a WebSocket. What is not set has the default that is stated
/// here. Only one thread at a time may change an options object.
/// @{

/// What happens to an input when the queue of unsent inputs is full: see
/// fal_socket_options_set_queue().
typedef enum fal_when_full {
    /// The new input fails with FAL_E_QUEUE_FULL.
    FAL_WHEN_FULL_REFUSE = 0,
    /// The oldest input is dropped, which an event reports.
    FAL_WHEN_FULL_DROP_OLDEST = 1,
    /// Only the newest input waits, whatever the limit: a further one replaces it, which an event reports.
    FAL_WHEN_FULL_KEEP_NEWEST = 2,
    /// Not a value. It makes the type 32 bits wide.
    FAL_WHEN_FULL_MAX_ENUM = 0x7FFFFFFF
} fal_when_full;

/// Creates options with every default. Returns NULL only if there is no memory. Free them with
/// fal_socket_options_free().
FAL_API fal_socket_options *fal_socket_options_new(void);

/// Frees options. NULL is ignored.
FAL_API void fal_socket_options_free(fal_socket_options *options);

/// Sets how many inputs the service keeps while the app is busy, 1 to 60; it drops the oldest
/// ones. By default the app decides.
FAL_API fal_status fal_socket_options_set_max_buffering(fal_socket_options *options, uint32_t most, fal_error **err);

/// Sets whether a connection is authorized by the Authorization header instead of a short-lived
/// token; by default false.
FAL_API fal_status fal_socket_options_set_use_header(fal_socket_options *options, bool use_header, fal_error **err);

/// Sets the lifetime of the short-lived tokens, 1 to 3600 seconds; by default 120. A token is
/// renewed after 90 % of its lifetime.
FAL_API fal_status fal_socket_options_set_token_seconds(fal_socket_options *options, uint32_t seconds, fal_error **err);

/// Sets how many inputs may wait to be sent, 1 to 65536, by default 64; and what happens to
/// further ones, by default FAL_WHEN_FULL_REFUSE. FAL_WHEN_FULL_KEEP_NEWEST ignores most.
FAL_API fal_status fal_socket_options_set_queue(
    fal_socket_options *options,
    size_t most,
    fal_when_full when_full,
    fal_error **err);

/// Sets the maximum size of a message in bytes, in both directions. The default is 32 MiB, or
/// the client's limit of a response body if that is less. A larger message from the app ends
/// the session with FAL_E_TOO_LARGE.
FAL_API fal_status fal_socket_options_set_max_message_bytes(fal_socket_options *options, size_t most, fal_error **err);

/// Sets the interval of pings in milliseconds; by default 30000; 0 sends none. If the other
/// side moves no byte for four intervals, the connection is considered lost. Time during which
/// the host does not read events does not count.
FAL_API fal_status fal_socket_options_set_ping_ms(fal_socket_options *options, uint32_t ping_ms, fal_error **err);

/// @}

// ==== Realtime =======================================================================================================
/// @defgroup realtime Realtime
///
/// A session with a realtime app: inputs are sent and results received over a WebSocket, which is
/// reopened if it breaks. The events of the session's operation report what happens: a
/// FAL_EVENT_MESSAGE for each result, in order and never dropped, and FAL_EVENT_CONNECTION with one
/// of these values of /state:
///
/// "connected", with /request_id, which is null if fal sent none;
///
/// "lost", with /reason and /unanswered, the number of inputs without a result. They may have been
/// executed and are never sent again. libfal reconnects, and gives up after as many losses as
/// fal_options_set_max_attempts() allows attempts;
///
/// "dropped", with /count, the number of inputs that were never sent: those that were dropped from
/// the full queue, and those that were still queued when the session ended. The sum of these counts
/// is fal_realtime_unsent().
///
/// The operation succeeds when the host or the app closes the session, also when the app does so
/// because it received no input for too long. The response is JSON with /ended ("closed" by the host,
/// "server" for the app, or "timeout" for an app that received no input), /connections, /sent,
/// /received, /unanswered and /unsent. The operation fails when the app reports an error, and with
/// FAL_E_DEADLINE after the request's own timeout. fal does not say to which input a result belongs, so /unanswered is an
/// estimate: at least the inputs after which no result arrived.
///
/// Messages are MessagePack and are presented as JSON. In both directions, bytes are {"$bytes":
/// "<base64>"} and extensions {"$ext": [type, "<base64>"]}. Integers of 64 bits are exact. NaN and
/// infinities become null. A key of a map that is not a string becomes its JSON text; if it is a
/// list, a map or an extension, the whole message is presented as bytes. fal_event_get_bytes() and
/// fal_request_set_bytes() avoid base64. Text frames are presented unchanged.
/// @{

/// Starts a session with the endpoint of a request. The path, headers and timeout of the
/// request apply; without a timeout the session ends after a year. The request's input is sent
/// first, unless it is empty. options may be NULL for the defaults. Request and options are
/// copied. Release the session with fal_realtime_release().
FAL_API fal_status fal_client_realtime_start(
    const fal_client *client,
    const fal_request *request,
    const fal_socket_options *options,
    fal_realtime **out,
    fal_error **err);

/// Queues the input of a request to be sent, also before the session is connected; nothing else
/// of the request is used. Success does not mean that the input was sent or executed: only
/// results show that.
///
/// FAL_E_QUEUE_FULL if the queue is full and no input may be dropped, FAL_E_CLOSED if the
/// session is closing or has ended, FAL_E_INVALID_ARGUMENT if the input has files, which only
/// the first input of a session may have, or is too large.
FAL_API fal_status fal_realtime_send(const fal_realtime *realtime, const fal_request *request, fal_error **err);

/// Queues an input, given as JSON text, to be sent. Fails like fal_realtime_send().
FAL_API fal_status fal_realtime_send_json(
    const fal_realtime *realtime,
    const char *json,
    size_t json_len,
    fal_error **err);

/// Returns the session's operation, which has its events. It is borrowed from the session:
/// retain it to keep it longer. fal_op_cancel() ends the session at once. NULL for NULL.
FAL_API const fal_op *fal_realtime_op(const fal_realtime *realtime);

/// Returns how many inputs were accepted but not sent: those that are queued and those that
/// were dropped. After the end of the session, whatever its cause, these were never sent.
/// Inputs that may have been sent do not count; the events and fal_error_may_have_executed()
/// report them. Any thread may call it; it never fails. 0 for NULL and in a forked child.
FAL_API uint64_t fal_realtime_unsent(const fal_realtime *realtime);

/// Closes the session after sending the queued inputs, and returns at once. Results are
/// delivered until the app closes the session, too. NULL is ignored.
FAL_API void fal_realtime_close(const fal_realtime *realtime);

/// Adds a reference to the session and returns it. NULL returns NULL.
FAL_API fal_realtime *fal_realtime_retain(const fal_realtime *realtime);

/// Releases one reference. The last release closes the session as fal_realtime_close() does.
/// NULL is ignored.
FAL_API void fal_realtime_release(fal_realtime *realtime);

/// @}

// ==== WebSockets =====================================================================================================
/// @defgroup websocket WebSockets
///
/// A connection to an app's own WebSocket, without a protocol of fal on top. The events of its
/// operation are those of a realtime session; a message is text or bytes (fal_event_is_bytes()).
/// The operation succeeds when either side closes the connection, and fails with
/// FAL_E_CONNECTION_LOST if it breaks. libfal does not reconnect, because only the app knows what a
/// new connection would continue.
/// @{

/// Starts opening a WebSocket of the endpoint of a request. The path, headers and timeout of
/// the request apply, its input does not; without a timeout the connection ends after a year.
/// options may be NULL for the defaults. Request and options are copied. Release the connection
/// with fal_websocket_release().
FAL_API fal_status fal_client_websocket_start(
    const fal_client *client,
    const fal_request *request,
    const fal_socket_options *options,
    fal_websocket **out,
    fal_error **err);

/// Queues a text message to be sent.
///
/// FAL_E_QUEUE_FULL if the queue is full and no message may be dropped, FAL_E_CLOSED if the
/// connection is closing or has ended.
FAL_API fal_status fal_websocket_send_text(
    const fal_websocket *websocket,
    const char *text,
    size_t text_len,
    fal_error **err);

/// Queues a binary message to be sent. The bytes are copied. Fails like
/// fal_websocket_send_text().
FAL_API fal_status fal_websocket_send_bytes(
    const fal_websocket *websocket,
    const void *data,
    size_t data_len,
    fal_error **err);

/// Returns the connection's operation, which has its events. It is borrowed from the
/// connection: retain it to keep it longer. fal_op_cancel() ends the connection at once. NULL
/// for NULL.
FAL_API const fal_op *fal_websocket_op(const fal_websocket *websocket);

/// Returns how many messages were accepted but not sent: those that are queued and those that
/// were dropped. After the end of the connection, whatever its cause, these were never sent;
/// events with the /state "dropped" report them, too. Any thread may call it; it never fails. 0
/// for NULL and in a forked child.
FAL_API uint64_t fal_websocket_unsent(const fal_websocket *websocket);

/// Closes the connection after sending the queued messages, and returns at once. Messages are
/// delivered until the app closes the connection, too. NULL is ignored.
FAL_API void fal_websocket_close(const fal_websocket *websocket);

/// Adds a reference to the connection and returns it. NULL returns NULL.
FAL_API fal_websocket *fal_websocket_retain(const fal_websocket *websocket);

/// Releases one reference. The last release closes the connection as fal_websocket_close()
/// does. NULL is ignored.
FAL_API void fal_websocket_release(fal_websocket *websocket);

/// @}

// ==== Channels =======================================================================================================
/// @defgroup channel Channels
///
/// A channel sends HTTP requests to one endpoint over one WebSocket connection, and so saves
/// opening a connection for each. Responses arrive in the order of the requests.
/// @{

/// Creates a channel to the endpoint of a request, whose path and headers apply to all requests
/// of the channel. It sends nothing: the first run connects, and a later one reconnects if the
/// connection has ended. The channel keeps the client alive. Release it with
/// fal_channel_release().
FAL_API fal_status fal_channel_new(
    const fal_client *client,
    const fal_request *request,
    fal_channel **out,
    fal_error **err);

/// Sets the interval of pings in milliseconds; by default 30000; 0 sends none. If the other
/// side moves no byte for four intervals, the connection is considered lost: its running
/// requests are not sent again, and their outcome is unknown. Time during which the host does
/// not read a response does not count. The setting applies to all users of the channel, from
/// the next connection on. Any thread may call it.
FAL_API fal_status fal_channel_set_ping_ms(const fal_channel *channel, uint32_t ping_ms, fal_error **err);

/// Starts a run over the channel with the input and timeout of a request to its endpoint; other
/// parts of the request are not used. The outcome is as in fal_client_run_start() or, if the
/// endpoint streams events, as in fal_client_stream_start(), with the same events. Cancelling
/// one run does not affect the connection or other runs. A response whose items are not read
/// delays the responses after it.
///
/// A request is not sent again if it may have been executed.
FAL_API fal_status fal_channel_run_start(
    const fal_channel *channel,
    const fal_request *request,
    fal_op **out,
    fal_error **err);

/// Calls fal_channel_run_start() and blocks until the response arrives. Free it with
/// fal_response_free(). FAL_E_WOULD_DEADLOCK inside a callback.
FAL_API fal_status fal_channel_run(
    const fal_channel *channel,
    const fal_request *request,
    fal_response **out,
    fal_error **err);

/// Adds a reference to the channel and returns it. NULL returns NULL.
FAL_API fal_channel *fal_channel_retain(const fal_channel *channel);

/// Releases one reference. After the last release the connection is closed when all responses
/// have arrived. NULL is ignored.
FAL_API void fal_channel_release(fal_channel *channel);

/// @}

// ==== Uploads ========================================================================================================
/// @defgroup upload Uploads
///
/// An upload makes a file available to models. It is either an operation of its own, or part of the
/// input of a request, and is then uploaded before the request is sent. At most 40 MiB of a file
/// are in memory at once. A file that changes while it is sent is FAL_E_IO, and nothing is
/// published. Functions copy the upload that they are given, so it may be changed or freed
/// afterwards. Only one thread at a time may change an upload.
/// @{

/// How the bytes are sent to fal: see fal_upload_set_way().
typedef enum fal_upload_way {
    /// FAL_UPLOAD_SIGNED for files up to 90 MiB and with a server proxy, else FAL_UPLOAD_SIGNED_PARTS.
    /// Data from a read callback is sent in parts if it is larger than 10 MiB.
    FAL_UPLOAD_AUTOMATIC = 0,
    /// One PUT to a signed URL, which fal creates first.
    FAL_UPLOAD_SIGNED = 1,
    /// One PUT to a signed URL of Google's storage, which fal creates first.
    FAL_UPLOAD_SIGNED_GOOGLE = 2,
    /// One POST to fal's file host. It is not repeated if the connection breaks.
    FAL_UPLOAD_DIRECT = 3,
    /// Parts of 10 MiB, four at a time, to fal's file host.
    FAL_UPLOAD_DIRECT_PARTS = 4,
    /// Parts of 10 MiB, four at a time, to a signed URL.
    FAL_UPLOAD_SIGNED_PARTS = 5,
    /// Parts of 10 MiB, four at a time, each to its own signed URL of Google's storage.
    FAL_UPLOAD_GOOGLE_PARTS = 6,
    /// Not a value. It makes the type 32 bits wide.
    FAL_UPLOAD_WAY_MAX_ENUM = 0x7FFFFFFF
} fal_upload_way;

/// Whether a file may be read: see fal_upload_set_access().
typedef enum fal_access {
    /// The file may be read.
    FAL_ACCESS_ALLOW = 0,
    /// Access is denied (HTTP 403).
    FAL_ACCESS_FORBID = 1,
    /// The file appears not to exist (HTTP 404).
    FAL_ACCESS_HIDE = 2,
    /// Not a value. It makes the type 32 bits wide.
    FAL_ACCESS_MAX_ENUM = 0x7FFFFFFF
} fal_access;

/// Writes the next bytes of the content, at most size, into buffer. Returns how many bytes it
/// wrote, 0 at the end, or a negative number if reading failed. It runs on one of two threads of
/// libfal that run only such callbacks, one call at a time for each upload. It may block, which
/// delays other read callbacks but no other work of libfal. It must not wait for libfal.
typedef int64_t (*fal_read_callback)(void *buffer, size_t size, void *user);

/// Creates an upload of the file at a path. The file is opened when the upload starts, and must
/// be a regular file. Free the upload with fal_upload_free().
FAL_API fal_status fal_upload_new_file(const char *path, size_t path_len, fal_upload **out, fal_error **err);

/// Creates an upload of bytes in memory. If release is NULL, the bytes are copied. Otherwise they
/// are borrowed: they must stay unchanged until release is called, which may be after this upload
/// was freed and all operations with it have ended. release is also called if this function fails.
/// Free the upload with fal_upload_free().
FAL_API fal_status fal_upload_new_bytes(
    const void *data,
    size_t data_len,
    fal_release_callback release,
    void *user,
    fal_upload **out,
    fal_error **err);

/// Creates an upload of the bytes that read returns: exactly size bytes, or all up to its end if
/// size is negative, which only FAL_UPLOAD_AUTOMATIC and parts can send. The bytes are read once,
/// so one operation can use the upload, and another fails with FAL_E_INVALID_ARGUMENT. release, which may be NULL, is called when read will not be
/// called again, also if this function fails. Free the upload with fal_upload_free().
FAL_API fal_status fal_upload_new_reader(
    int64_t size,
    fal_read_callback read,
    fal_release_callback release,
    void *user,
    fal_upload **out,
    fal_error **err);

/// Frees an upload. NULL is ignored.
FAL_API void fal_upload_free(fal_upload *upload);

/// Sets the content type, such as "image/png". By default it is derived from the extension of
/// the file name.
FAL_API fal_status fal_upload_set_content_type(
    fal_upload *upload,
    const char *content_type,
    size_t content_type_len,
    fal_error **err);

/// Sets the file name that is sent to fal, without its folders and without unsafe characters.
/// By default it is the name of the file, or a generated one.
FAL_API fal_status fal_upload_set_file_name(fal_upload *upload, const char *name, size_t name_len, fal_error **err);

/// Sets how long fal keeps the file: "immediate" (one minute), "1h", "1d", "7d", "30d", "1y", a
/// number of seconds from 1, or "never", the default, which means the default of the account.
FAL_API fal_status fal_upload_set_expires_in(fal_upload *upload, const char *time, size_t time_len, fal_error **err);

/// Sets whether users for whom there is no rule may read the file; its owner always may. By
/// default the account's setting applies.
FAL_API fal_status fal_upload_set_access(fal_upload *upload, fal_access access, fal_error **err);

/// Adds a rule for one user, given by nickname. FAL_E_INVALID_ARGUMENT if
/// fal_upload_set_access() was not called before. fal ignores unknown users.
FAL_API fal_status fal_upload_add_rule(
    fal_upload *upload,
    const char *name,
    size_t name_len,
    fal_access access,
    fal_error **err);

/// Sets how the bytes are sent to fal; by default FAL_UPLOAD_AUTOMATIC.
FAL_API fal_status fal_upload_set_way(fal_upload *upload, fal_upload_way way, fal_error **err);

/// Sets the timeout of the whole upload in milliseconds; by default the client's, else six
/// hours. For an upload in the input of a request, the request's timeout applies instead.
FAL_API fal_status fal_upload_set_timeout_ms(fal_upload *upload, int64_t timeout_ms, fal_error **err);

/// Starts an upload. The response is JSON: /url, which models can read, /file_name,
/// /content_type and /size in bytes. Events of the kind FAL_EVENT_PROGRESS report how much fal
/// has received, or for a single request how much was written to the connection; the number
/// never decreases.
///
/// Data that was not confirmed when a connection broke is sent again. An upload that is
/// cancelled before its last byte was sent leaves no file; one that is cancelled later may
/// leave it.
FAL_API fal_status fal_client_upload_start(
    const fal_client *client,
    const fal_upload *upload,
    fal_op **out,
    fal_error **err);

/// Calls fal_client_upload_start() and blocks until the response arrives. Free it with
/// fal_response_free(). FAL_E_WOULD_DEADLOCK inside a callback.
FAL_API fal_status fal_client_upload(
    const fal_client *client,
    const fal_upload *upload,
    fal_response **out,
    fal_error **err);

/// Sets a field of the input to a local file. The file is uploaded before the request is sent,
/// within the request's timeout, and its URL becomes the value of the field. name is as in
/// fal_request_set_string(), and may also name an element of an array. A file that is set for
/// several fields is uploaded once.
FAL_API fal_status fal_request_set_file(
    fal_request *request,
    const char *name,
    size_t name_len,
    const char *path,
    size_t path_len,
    fal_error **err);

/// Sets a field of the input to a file whose content is bytes in memory, which are copied, of a
/// content type such as "image/png". Otherwise as fal_request_set_file().
FAL_API fal_status fal_request_set_file_bytes(
    fal_request *request,
    const char *name,
    size_t name_len,
    const void *data,
    size_t data_len,
    const char *content_type,
    size_t content_type_len,
    fal_error **err);

/// Sets a field of the input to a file that is uploaded as the upload says. The upload is
/// copied. Otherwise as fal_request_set_file().
FAL_API fal_status fal_request_set_upload(
    fal_request *request,
    const char *name,
    size_t name_len,
    const fal_upload *upload,
    fal_error **err);

/// Sets the size in bytes up to which files of the input become data URIs in it instead of
/// uploads. fal advises against data URIs of more than a few kilobytes. The default is 0: all
/// files are uploaded.
FAL_API fal_status fal_request_set_inline_files(fal_request *request, uint64_t max_bytes, fal_error **err);

/// Replaces the whole body by the content of an upload, which is read while the request is
/// sent, and sets its content type, such as "image/png". Other settings of the upload are
/// ignored. The upload is copied.
FAL_API fal_status fal_request_set_body_upload(
    fal_request *request,
    const fal_upload *upload,
    const char *content_type,
    size_t content_type_len,
    fal_error **err);

/// @}

// ==== Downloads ======================================================================================================
/// @defgroup download Downloads
///
/// A download saves a file that a result names, to memory or to a disk. A file appears at its path
/// only when it is complete, and replaces another one only if that is allowed. If the output of a
/// run cannot be written to the disk, it is in fal_error_body(). Functions copy the objects that
/// they are given, so these may be changed or freed afterwards. Only one thread at a time may
/// change a download.
/// @{

/// Creates a download of an https URL of any host, or of a "data:" URI. No key is sent. Free it
/// with fal_download_free().
FAL_API fal_status fal_download_new(const char *url, size_t url_len, fal_download **out, fal_error **err);

/// Creates a download of the response to a request, which is sent as by fal_client_send() or
/// fal_client_run(), with the key if the service accepts keys. The request is copied. Free the
/// download with fal_download_free().
FAL_API fal_status fal_download_new_request(const fal_request *request, fal_download **out, fal_error **err);

/// Frees a download. NULL is ignored.
FAL_API void fal_download_free(fal_download *download);

/// Sets the file to write. If the path is a folder, the file gets the name that the server
/// sent, without unsafe characters. By default the bytes are the body of the response.
FAL_API fal_status fal_download_set_path(fal_download *download, const char *path, size_t path_len, fal_error **err);

/// Sets whether an existing file is replaced. By default false: the download fails with
/// FAL_E_IO, or, if the path is a folder, a number is added to the server's name, as in
/// out-1.png. An unusable path is an error before anything is sent. If a file appears at the
/// path during a run, the run's output is kept, and the error says where.
FAL_API fal_status fal_download_set_overwrite(fal_download *download, bool overwrite, fal_error **err);

/// Sets the maximum size in bytes; a larger download fails with FAL_E_TOO_LARGE. By default
/// files are not limited, and downloads to memory have the client's limit of a response body.
FAL_API fal_status fal_download_set_max_bytes(fal_download *download, uint64_t max_bytes, fal_error **err);

/// Sets whether to read a restricted file of this account; by default false. A token for fal's
/// file hosts is created with the key, and sent to these hosts only.
FAL_API fal_status fal_download_set_file_token(fal_download *download, bool file_token, fal_error **err);

/// Sets the timeout of the whole download in milliseconds; by default the
/// request's for fal_download_new_request(), else the client's, else six hours.
FAL_API fal_status fal_download_set_timeout_ms(fal_download *download, int64_t timeout_ms, fal_error **err);

/// Starts a download. To memory, the response has the headers and the body that the server
/// sent; to a file, it is JSON: /path, /file_name, /content_type, /size in bytes and
/// /http_status. Events of the kind FAL_EVENT_PROGRESS report how much was received.
///
/// If the connection breaks, a GET is resumed if the server can confirm that the file is
/// unchanged, and is otherwise restarted.
FAL_API fal_status fal_client_download_start(
    const fal_client *client,
    const fal_download *download,
    fal_op **out,
    fal_error **err);

/// Calls fal_client_download_start() and blocks until the response arrives. Free it with
/// fal_response_free(). FAL_E_WOULD_DEADLOCK inside a callback.
FAL_API fal_status fal_client_download(
    const fal_client *client,
    const fal_download *download,
    fal_response **out,
    fal_error **err);

/// @}

// ==== Platform API ===================================================================================================
/// @defgroup platform Platform API
///
/// The operations of fal's Platform API are called by name, such as "models.pricing".
/// docs/platform.md lists all 82 with their parameters and the scope of the key that each needs
/// (docs/protocol.md §14).
///
/// The parameters are one JSON object, whether they belong into the path, the query, a header or
/// the body. They are checked first: a parameter that is missing, unknown, out of range or of a
/// wrong type is FAL_E_INVALID_ARGUMENT with a message that says what is allowed, and nothing is
/// sent. Requests that fal recognizes as repeated are retried: GET, and operations that take an
/// idempotency key, which libfal generates.
/// @{

/// Starts an operation, given by its name. params is a JSON object, or NULL for no parameters.
/// The response is what fal sent: JSON, nothing, a file, CSV or text. "serverless.logs.stream"
/// reports each line as a FAL_EVENT_ITEM until it is cancelled.
///
/// FAL_E_INVALID_ARGUMENT for "keys.create", because its response contains a secret: see
/// fal_client_create_key().
FAL_API fal_status fal_client_platform_start(
    const fal_client *client,
    const char *name,
    size_t name_len,
    const char *params,
    size_t params_len,
    fal_op **out,
    fal_error **err);

/// Calls fal_client_platform_start() and blocks until the response arrives. Free it with
/// fal_response_free(). FAL_E_WOULD_DEADLOCK inside a callback.
FAL_API fal_status fal_client_platform(
    const fal_client *client,
    const char *name,
    size_t name_len,
    const char *params,
    size_t params_len,
    fal_response **out,
    fal_error **err);

/// Starts reading all pages of a list, such as "keys.list". Each element is a FAL_EVENT_ITEM. A
/// page is requested when the last element of the page before it was read, so a list may be
/// larger than the memory. To stop early, cancel the operation and discard its events. The
/// parameter "limit" is the size of a page. The client's timeout applies to each page.
/// "serverless.logs.stream" can be read in this way, too.
///
/// FAL_E_PROTOCOL if the list does not end: fal returned a page twice, or 1000 empty pages in a
/// row.
FAL_API fal_status fal_client_platform_list_start(
    const fal_client *client,
    const char *name,
    size_t name_len,
    const char *params,
    size_t params_len,
    fal_op **out,
    fal_error **err);

/// Returns the scope of the key in use, "API" or "ADMIN", if fal_client_check() or an earlier
/// response revealed it; otherwise NULL. The string is static.
FAL_API const char *fal_client_known_scope(const fal_client *client, size_t *len);

/// Starts creating an API key with a name of 1 to 255 characters. The client needs an ADMIN
/// key. When the operation of fal_new_key_op() has succeeded, *out has the new key, which is
/// valid at once. Its secret is available only there: not in the response, in an error or in
/// the log. Free *out with fal_new_key_free().
///
/// The request is sent once. If its response is lost, fal_error_may_have_executed() is true and
/// an unknown key may exist: fal_error_remedy() says how to find it.
FAL_API fal_status fal_client_create_key_start(
    const fal_client *client,
    const char *alias,
    size_t alias_len,
    fal_new_key **out,
    fal_error **err);

/// Creates an API key as fal_client_create_key_start() does, and blocks until it exists. Free
/// it with fal_new_key_free(). FAL_E_WOULD_DEADLOCK inside a callback.
FAL_API fal_status fal_client_create_key(
    const fal_client *client,
    const char *alias,
    size_t alias_len,
    fal_new_key **out,
    fal_error **err);

/// Frees the object and overwrites the secret. It does not stop the creation of a key. NULL is
/// ignored.
FAL_API void fal_new_key_free(fal_new_key *key);

/// Returns the operation that creates the key. It is borrowed from the object: retain it to
/// keep it longer. NULL for NULL.
FAL_API const fal_op *fal_new_key_op(const fal_new_key *key);

/// Returns the public id of the key; NULL until the key exists.
FAL_API const char *fal_new_key_id(const fal_new_key *key, size_t *len);

/// Returns the whole key, "id:secret"; NULL until the key exists. Do not write it to a log or a
/// file that others can read.
FAL_API const char *fal_new_key_secret(const fal_new_key *key, size_t *len);

/// Stores the key in a profile of the configuration file, as fal_profiles_store_key() does,
/// without passing the secret through the host program. FAL_E_INVALID_ARGUMENT until the key
/// exists.
FAL_API fal_status fal_new_key_store_in_profile(
    const fal_new_key *key,
    const fal_options *options,
    const char *profile,
    size_t profile_len,
    bool activate,
    fal_error **err);

/// Stores the key in the system keyring, as fal_keyring_store_key() does, without passing the
/// secret through the host program. FAL_E_INVALID_ARGUMENT until the key exists.
FAL_API fal_status fal_new_key_store_in_keyring(
    const fal_new_key *key,
    const char *account,
    size_t account_len,
    fal_error **err);

/// Starts revoking an API key, given by its id. The key is invalid at once. It succeeds if
/// there is no such key. FAL_E_INVALID_ARGUMENT if it is the client's own key, unless allow_own
/// is true.
FAL_API fal_status fal_client_revoke_key_start(
    const fal_client *client,
    const char *id,
    size_t id_len,
    bool allow_own,
    fal_op **out,
    fal_error **err);

/// Calls fal_client_revoke_key_start() and blocks until the response arrives, which is empty.
/// Free it with fal_response_free(). FAL_E_WOULD_DEADLOCK inside a callback.
FAL_API fal_status fal_client_revoke_key(
    const fal_client *client,
    const char *id,
    size_t id_len,
    bool allow_own,
    fal_response **out,
    fal_error **err);

/// @}

// ==== Webhooks =======================================================================================================
/// @defgroup webhook Webhooks
///
/// A webhook is a request of fal to the host's own server that delivers the result of a job. Trust
/// it only after it is verified: pass the raw body and the headers as they arrived, and use what
/// the verified response has. It is read by JSON Pointer: "/request_id", "/status" ("OK" or
/// "ERROR"), "/payload/…", "/error" and "/payload_error". fal_webhook_outcome() returns why the job
/// failed. fal may deliver a webhook more than once; "/request_id" identifies the job.
/// @{

/// Creates a webhook with this body, which is copied. It must be the raw bytes as they arrived,
/// before any parsing. Free it with fal_webhook_free().
FAL_API fal_status fal_webhook_new(const void *body, size_t body_len, fal_webhook **out, fal_error **err);

/// Frees a webhook. NULL is ignored.
FAL_API void fal_webhook_free(fal_webhook *webhook);

/// Adds a header of the webhook. Upper and lower case of the name do not matter.
/// X-Fal-Webhook-Request-Id, -User-Id, -Timestamp and -Signature are needed, each once; all
/// others are ignored.
FAL_API fal_status fal_webhook_set_header(
    fal_webhook *webhook,
    const char *name,
    size_t name_len,
    const char *value,
    size_t value_len,
    fal_error **err);

/// Verifies a webhook with a JSON Web Key Set, the text of
/// https://rest.fal.ai/.well-known/jwks.json, which the caller may cache for 24 hours. Uses no
/// network. now is the time in seconds since 1970 (Unix time), or negative for the system's
/// clock.
///
/// On success *out has the body of the webhook and its signed headers; free it with
/// fal_response_free(). FAL_E_WEBHOOK_INVALID if the webhook was not sent by fal, was changed,
/// or is more than 300 seconds in the past or future; the message says which.
/// FAL_E_INVALID_ARGUMENT if jwks is not a key set or has no Ed25519 key.
FAL_API fal_status fal_webhook_verify(
    const fal_webhook *webhook,
    const char *jwks,
    size_t jwks_len,
    int64_t now,
    fal_response **out,
    fal_error **err);

/// Returns how the job of a verified webhook ended: FAL_OK if it succeeded, else the error with
/// which it failed, the same as fetching its result would return, with code, rejected fields,
/// body and remedy. The HTTP status is that of the app if fal sent it. FAL_E_PROTOCOL, without
/// an HTTP status, if the body does not have the documented form.
FAL_API fal_status fal_webhook_outcome(const fal_response *verified, fal_error **err);

/// Starts verifying a webhook, which is copied, with fal's keys. These are fetched without a
/// credential and cached for at most 24 hours. A signature that matches no cached key makes
/// libfal fetch them again, at most once per minute and for at most 10 seconds; webhooks that
/// match a cached key do not wait for this. A webhook that is invalid whatever the keys are is
/// rejected without a request.
///
/// The outcome is as in fal_webhook_verify(). If no keys are available, it is the error of the
/// request for them; if only newer keys cannot be fetched, it is FAL_E_WEBHOOK_INVALID.
FAL_API fal_status fal_client_verify_webhook_start(
    const fal_client *client,
    const fal_webhook *webhook,
    fal_op **out,
    fal_error **err);

/// Calls fal_client_verify_webhook_start() and blocks until the webhook is verified. Free the
/// response with fal_response_free(). FAL_E_WOULD_DEADLOCK inside a callback.
FAL_API fal_status fal_client_verify_webhook(
    const fal_client *client,
    const fal_webhook *webhook,
    fal_response **out,
    fal_error **err);

/// @}

// ==== Dispatcher =====================================================================================================
/// @defgroup dispatcher Dispatcher
///
/// A dispatcher is where operations report to the host, in one of two ways. The host watches an
/// operation, and reads the events and the ends of all watched operations from one queue, without
/// any callback: see fal_op_watch() and fal_dispatcher_next(). Or the dispatcher calls callbacks on
/// a thread of the host's choice: see fal_op_when_done() and fal_dispatcher_run(). A game does
/// either once per frame, an event loop when it is woken.
///
/// The order is certain. Once fal_op_poll(), fal_op_wait() or fal_op_is_done() says that an
/// operation has ended, its callback or notice is ready. Once that comes, these say so, too. All
/// callbacks for events come before the one for the end. Several threads may run a dispatcher, and
/// then one may still be in a call for events while another is in that for the end.
/// @{

/// Called when notices or callbacks are ready, on a thread of libfal that runs only callbacks, or on
/// a thread of the host that registers something that is ready already, so two calls may run at
/// once. It should only signal the event loop: a slow call delays the next one on libfal's thread.
/// It must not wait for libfal.
typedef void (*fal_wake_callback)(void *user);

/// Creates an empty dispatcher. Returns NULL only if there is no memory. Release it with
/// fal_dispatcher_release().
FAL_API fal_dispatcher *fal_dispatcher_new(void);

/// Adds a reference to the dispatcher and returns it. NULL returns NULL.
FAL_API fal_dispatcher *fal_dispatcher_retain(const fal_dispatcher *dispatcher);

/// Releases one reference. After the last release nothing is watched any longer, and callbacks
/// that are left are never called, but what was registered with them is released, soon after. A
/// call of the wake callback that is under way goes on, and so do the operations. To miss nothing, run or read the dispatcher until fal_dispatcher_outstanding() is 0
/// before. NULL is ignored.
FAL_API void fal_dispatcher_release(fal_dispatcher *dispatcher);

/// Calls ready callbacks on this thread: at most max, and no further one after budget_us
/// microseconds, but at least one if any is ready and max is not 0. A callback may release the
/// dispatcher, which then goes when this function returns. *ran is the number of called
/// callbacks; ran may be NULL.
///
/// FAL_E_WOULD_DEADLOCK inside a callback. FAL_E_FORKED if the dispatcher was created by the parent
/// process, before a fork.
FAL_API fal_status fal_dispatcher_run(
    const fal_dispatcher *dispatcher,
    size_t max,
    int64_t budget_us,
    size_t *ran,
    fal_error **err);

/// Blocks until at least one callback or notice is ready, for at most timeout_ms milliseconds.
/// Returns FAL_OK if one is, and FAL_PENDING if not; it may be left over from events that the host
/// has read elsewhere or from a callback that was taken back. For a host without an event loop.
///
/// FAL_E_WOULD_DEADLOCK inside a callback, if it would have to wait. FAL_E_FORKED as
/// fal_dispatcher_run().
FAL_API fal_status fal_dispatcher_wait(const fal_dispatcher *dispatcher, int64_t timeout_ms, fal_error **err);

/// Returns the number of callbacks that are registered and not called yet, plus that of watched
/// operations, ended or not; 0 for NULL. A callback for events counts while events are waiting.
FAL_API size_t fal_dispatcher_outstanding(const fal_dispatcher *dispatcher);

/// Sets the callback that is called when callbacks or notices become ready, so that an event
/// loop can sleep; one call may stand for several of them, so read until FAL_PENDING. NULL
/// removes it. release, which may be NULL, is called once the callback was removed or replaced
/// or the dispatcher and its operations are gone, and no call is running, or if this function
/// fails.
FAL_API fal_status fal_dispatcher_set_wake(
    const fal_dispatcher *dispatcher,
    fal_wake_callback callback,
    fal_release_callback release,
    void *user,
    fal_error **err);

/// @}

// ==== Watched operations =============================================================================================
/// @defgroup watch Watched operations
///
/// The events and the ends of all watched operations come from one queue, without a callback, each
/// with a pointer of the host. A game reads them once per frame.
/// @{

/// Makes fal_dispatcher_next() return the events and the end of an operation, with user. An
/// operation that has ended already has only its unread events and its end left; one whose events
/// were discarded, only its end.
///
/// The dispatcher keeps the operation, so all its references may be released. user is passed on as
/// it is and never looked at; it comes for the last time with the end, or never once the dispatcher
/// is gone. A watch cannot be taken back: to be rid of it, cancel the operation and read up to its
/// end. An operation that streams pauses while 1024 events or 16 MiB of it are unread, as always. An
/// event that fal_op_next_event() returns does not come here, too.
///
/// FAL_E_INVALID_ARGUMENT if the operation is watched already, by any dispatcher, or has a callback
/// of fal_op_when_event().
FAL_API fal_status fal_op_watch(const fal_op *op, const fal_dispatcher *dispatcher, void *user, fal_error **err);

/// Reads the next event of any watched operation, and blocks for at most timeout_ms milliseconds
/// until there is one. Returns FAL_OK and
///
/// - *op, the operation that was passed to fal_op_watch(), the same pointer, with a reference to be
///   released with fal_op_release();
/// - *event, to be freed with fal_event_free(); or NULL once the operation has ended and all of its
///   events were read: its outcome can be taken, it is no longer watched, and nothing of it follows;
/// - *user, the pointer that was passed to fal_op_watch(). user may be NULL.
///
/// Returns FAL_PENDING and NULL for all if there is none in time. The operations take turns; the
/// events of one come in their order. Several threads may read; each notice goes to one of them.
///
/// FAL_E_WOULD_DEADLOCK inside a callback, if it would have to wait. FAL_E_FORKED as
/// fal_dispatcher_run().
FAL_API fal_status fal_dispatcher_next(
    const fal_dispatcher *dispatcher,
    int64_t timeout_ms,
    fal_op **op,
    fal_event **event,
    void **user,
    fal_error **err);

/// @}

// ==== Runtime ========================================================================================================
/// @defgroup runtime Runtime
///
/// The runtime is the library's threads. The first operation starts it; there is one per process,
/// and none after fal_shutdown(). A forked child gets its own.
/// @{

/// Called on a thread of the runtime, before or after everything else that runs there, perhaps on
/// several threads at once. Work for the thread waits until it returns. It must not wait for libfal.
typedef void (*fal_thread_callback)(void *user);

/// Sets the number of worker threads, 1 to 64; by default 1. More of them help a host that sends
/// or receives gigabits a second by TLS.
///
/// Call it before the first operation is started, or after fal_shutdown().
/// FAL_E_INVALID_ARGUMENT while the runtime is running.
FAL_API fal_status fal_runtime_set_worker_threads(size_t count, fal_error **err);

/// Sets functions that are called on each thread of the runtime, those that run callbacks
/// included: on_start when it starts, and on_stop before it ends. NULL means none. The
/// functions stay set for the next start. release, which may be NULL, is called once they were
/// replaced, or if this function fails. Call it before the first operation is started, or after
/// fal_shutdown(). FAL_E_INVALID_ARGUMENT while the runtime is running.
FAL_API fal_status fal_runtime_set_thread_hooks(
    fal_thread_callback on_start,
    fal_thread_callback on_stop,
    fal_release_callback release,
    void *user,
    fal_error **err);

/// Blocks until all log lines have been delivered, those that are logged meanwhile included,
/// for at most timeout_ms milliseconds. fal_shutdown() does this, too; a program that ends
/// without either loses its last lines. Does nothing if the runtime is not running. With a
/// negative timeout_ms, a log callback that never returns makes it block forever.
///
/// FAL_E_DEADLINE if some lines were not delivered in time, FAL_E_WOULD_DEADLOCK inside a
/// callback.
FAL_API fal_status fal_log_flush(int64_t timeout_ms, fal_error **err);

/// Stops the runtime: rejects new work, ends every operation with FAL_E_SHUT_DOWN, and joins
/// every thread. Objects stay valid and are freed as before, and outcomes, events, notices and
/// callbacks that are ready can still be taken, read and run. The library can then be unloaded,
/// or used again: the next operation starts a new runtime, also with clients created before.
/// Does nothing if the runtime is not running.
///
/// It waits for work that must not be interrupted: the renewal of a login that was sent, the
/// response to a submission that was sent, the cancellation of jobs, and running callbacks. All
/// log lines are delivered.
///
/// Use a limit: with a negative timeout_ms, a callback that never returns makes it block
/// forever.
///
/// FAL_E_DEADLINE if this work, which is then interrupted, or a thread did not end within
/// timeout_ms milliseconds; a later call waits for the remaining threads. FAL_E_WOULD_DEADLOCK
/// inside a callback. After an error callbacks may still be running, and the library must not
/// be unloaded.
///
/// On Windows, do not call it in DllMain or in code that runs there, such as destructors of
/// static objects of a DLL: Windows ends no thread meanwhile, so it waits for all of timeout_ms
/// and fails. A plug-in calls it before it is unloaded. When the process exits and its other
/// threads are gone, it does nothing and returns FAL_OK.
///
/// On Windows, and on Linux with glibc, the library stays loaded until a shutdown has succeeded,
/// even if the host closes its handle.
FAL_API fal_status fal_shutdown(int64_t timeout_ms, fal_error **err);

/// @}

#ifdef __cplusplus
}
#endif

#endif /* FAL_FAL_H */
