/* fal.h - fal.ai for programs that are not web programs: the C interface of libfal.
 *
 * Generated from src/ffi by cbindgen; edit it there. C99 and C++.
 *
 * Conventions
 *   Names      fal_<noun>_<verb>. A new object comes from _new, _start or an out parameter.
 *   Ownership  Unique objects are freed with _free, shared ones are counted with _retain and _release; all of
 *              these accept NULL. What a comment calls borrowed belongs to the object it came from.
 *   Threads    A const pointer parameter may be used by several threads at once, any other by one at a time.
 *   Errors     See the section Status. A NULL where an object is needed is FAL_E_INVALID_ARGUMENT, never a crash.
 *   Strings    UTF-8, paths included. In: a pointer and a length, or FAL_NUL for a string that ends with a NUL.
 *              Out: borrowed, with a NUL, and with their length in *len unless len is NULL. A comment says where a
 *              string may be NULL because there is none.
 *   Times      In milliseconds, unless the name says _us: microseconds. Negative is without a limit, and so is what no clock
 *              can tell. A wait of 0 does not wait; where a _set_ function says how long something may take, 0 is
 *              FAL_E_INVALID_ARGUMENT.
 *   Variables  Of the environment. They are read on the thread that calls, in functions that make a client, start an operation,
 *              or store or explain a key: no other thread may set any at that moment. Threads of the library read some only
 *              where a library below does: SSL_CERT_FILE and SSL_CERT_DIR when a client first uses TLS, those of the C library's
 *              resolver (LOCALDOMAIN, RES_OPTIONS) when the name of a host is looked up, all of them when a key command is started,
 *              which inherits them, HOME where it is missing, and on macOS those that name proxies.
 *   Secrets    No string that comes out of this library contains the secret of a key, but that of fal_new_key_secret().
 */

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

#ifdef __cplusplus
extern "C" {
#endif

// A length that means: the string ends with a NUL.
#define FAL_NUL SIZE_MAX

/* ==== Objects =========================================================================================================
 *
 * All of them are opaque.
 */

// What went wrong. Owned by the caller who received it; freed with fal_error_free().
typedef struct fal_error fal_error;

// What became of every source of a key. Immutable: several threads may read it at once.
typedef struct fal_credentials fal_credentials;

// The profiles of the configuration file as they were when listed. Immutable: several threads may
// read it at once.
typedef struct fal_profiles fal_profiles;

// Options of a client. Unique; freed with fal_options_free(). Clients and reports copy what they
// need.
typedef struct fal_options fal_options;

// A question for a credential. Owned by the callback that received it, until it is answered.
typedef struct fal_credential_request fal_credential_request;

// A client. Shared: fal_client_retain() and fal_client_release(). Operations keep what they need
// of it.
typedef struct fal_client fal_client;

// A request. Unique; freed with fal_request_free().
typedef struct fal_request fal_request;

// A successful answer. Unique; freed with fal_response_free().
typedef struct fal_response fal_response;

// A call under way. Shared: fal_op_retain() and fal_op_release(). It keeps what it needs of its
// client.
typedef struct fal_op fal_op;

// Something that happened. Unique; freed with fal_event_free().
typedef struct fal_event fal_event;

// A queued request, to ask for. Unique; freed with fal_job_free(). Operations keep what they need
// of it.
typedef struct fal_job fal_job;

// Options of a realtime session or a WebSocket. Unique; freed with fal_socket_options_free().
// Sessions copy what they need.
typedef struct fal_socket_options fal_socket_options;

// A session with a realtime app. Shared: fal_realtime_retain() and fal_realtime_release(). Any
// thread may use it.
typedef struct fal_realtime fal_realtime;

// A connection to an app's own WebSocket. Shared: fal_websocket_retain() and
// fal_websocket_release(). Any thread may use it.
typedef struct fal_websocket fal_websocket;

// A channel to an endpoint. Shared: fal_channel_retain() and fal_channel_release(). Any thread may
// use it.
typedef struct fal_channel fal_channel;

// What is uploaded, and how. Unique; freed with fal_upload_free().
typedef struct fal_upload fal_upload;

// What is downloaded, and where to. Unique; freed with fal_download_free().
typedef struct fal_download fal_download;

// A key that is being made, or was. Its secret is overwritten when it is freed. Unique; freed with
// fal_new_key_free(). Several threads may read it at once.
typedef struct fal_new_key fal_new_key;

// A delivery as it arrived, of which nothing is to be believed yet. Unique; freed with
// fal_webhook_free().
typedef struct fal_webhook fal_webhook;

// A queue of callbacks. Shared: fal_dispatcher_retain() and fal_dispatcher_release().
typedef struct fal_dispatcher fal_dispatcher;

/* ==== Version =========================================================================================================
 *
 * A program checks once that the library it runs with is one it was compiled for.
 */

// The number of the binary interface. A program that was compiled for one number runs with any
// later library of the same number: nothing is removed or renumbered within it.
#define FAL_ABI_VERSION 0

// The binary interface of the library that is loaded; compare it with FAL_ABI_VERSION.
FAL_API uint32_t fal_abi_version(void);

// The version of the library that is loaded, such as "0.1.0". A static string.
FAL_API const char *fal_version(void);

/* ==== Status ==========================================================================================================
 *
 * Every function that can fail returns a fal_status and takes a nullable `fal_error **err` last.
 * On failure outputs are NULL or zero and, if err is given, *err is an error that the caller frees
 * with fal_error_free(). On success *err is NULL. There is no global "last error".
 */

// The outcome of a call: FAL_OK, FAL_PENDING, or one of the negative FAL_E_ codes. No code is ever
// renumbered.
typedef int32_t fal_status;

// It worked.
#define FAL_OK 0
// The operation has not ended yet. Not an error: no fal_error is made.
#define FAL_PENDING 1
// An argument is NULL, malformed or out of range; nothing was sent.
#define FAL_E_INVALID_ARGUMENT (-1)
// No source holds a key; nothing was sent.
#define FAL_E_NO_CREDENTIALS (-2)
// A source holds something that is not a key; nothing was sent.
#define FAL_E_MALFORMED_CREDENTIALS (-3)
// The service did not accept the credential (HTTP 401).
#define FAL_E_UNAUTHENTICATED (-4)
// The credential is valid but not allowed to do this (HTTP 403).
#define FAL_E_FORBIDDEN (-5)
// The key is valid, but its account is locked (balance, budget, payment or administration).
#define FAL_E_ACCOUNT_LOCKED (-6)
// The endpoint, path or object does not exist, or is hidden from this key (HTTP 404 or 410).
#define FAL_E_NOT_FOUND (-7)
// The service refused the input (HTTP 400, 405, 409, 413, 422).
#define FAL_E_INVALID_INPUT (-8)
// Too many requests at once or in too short a time (HTTP 429); not taken, unless the error says
// that it may have been executed.
#define FAL_E_RATE_LIMITED (-9)
// The app or the platform failed while it handled the request (HTTP 5xx or 499).
#define FAL_E_SERVICE_FAILED (-10)
// The service or a runner could not be had in time (HTTP 502, 503, 504).
#define FAL_E_SERVICE_UNAVAILABLE (-11)
// No connection to the service could be made (DNS, TCP or TLS); nothing was executed.
#define FAL_E_CONNECT (-12)
// The connection broke before the whole answer arrived.
#define FAL_E_CONNECTION_LOST (-13)
// The time allowed for the call is over.
#define FAL_E_DEADLINE (-14)
// The caller cancelled the call.
#define FAL_E_CANCELLED (-15)
// The service answered with a redirect that was not followed.
#define FAL_E_REDIRECT (-16)
// The address is not one of fal's; nothing was sent.
#define FAL_E_FOREIGN_ORIGIN (-17)
// The answer does not follow HTTP or fal's protocol.
#define FAL_E_PROTOCOL (-18)
// The answer is larger than the caller allows.
#define FAL_E_TOO_LARGE (-19)
// The JSON value there is missing or of another type.
#define FAL_E_WRONG_TYPE (-20)
// Waiting here would block the thread that has to make the progress.
#define FAL_E_WOULD_DEADLOCK (-21)
// The operation was started before this process was forked and belongs to the parent.
#define FAL_E_FORKED (-22)
// The library is shutting down, or did so while the call was under way.
#define FAL_E_SHUT_DOWN (-23)
// A defect in libfal or in a hook of the host was caught; the process is unharmed.
#define FAL_E_PANIC (-24)
// The outcome of this operation was taken before.
#define FAL_E_TAKEN (-25)
// The operating system refused a thread, a file or a socket.
#define FAL_E_IO (-26)
// A program, a function or a login that delivers the credential failed; nothing was sent.
#define FAL_E_CREDENTIALS_FAILED (-27)
// A webhook is not fal's, was changed, or is too old: its signature, time or headers are not
// right.
#define FAL_E_WEBHOOK_INVALID (-28)
// As many inputs as allowed wait to be sent; this one was not taken.
#define FAL_E_QUEUE_FULL (-29)
// The connection is closed, or closing; nothing was sent.
#define FAL_E_CLOSED (-30)
// The queued request has not finished yet, so it has no result.
#define FAL_E_NOT_READY (-31)

// The name of a status, such as "FAL_E_NO_CREDENTIALS". A static string; "FAL_E_UNKNOWN" for any
// other number.
FAL_API const char *fal_status_name(fal_status status);

// What a status means, in one English sentence. A static string without an owner; NULL for an
// unknown status.
FAL_API const char *fal_status_meaning(fal_status status);

/* ==== Errors ==========================================================================================================
 *
 * An error says what happened (message), what to do (remedy) and what it means for the request
 * (may_have_executed, retryable). It never contains a secret. Strings are borrowed from the error
 * and valid until it is freed. Every function here may be called by several threads at once and
 * accepts NULL.
 */

// Frees an error. NULL does nothing.
FAL_API void fal_error_free(fal_error *err);

// The FAL_E_ code, the same that the failed function returned; FAL_OK for NULL.
FAL_API fal_status fal_error_code(const fal_error *err);

// What happened, for people; "no error" for NULL. Never NULL, so it can be printed as it is.
FAL_API const char *fal_error_message(const fal_error *err, size_t *len);

// What to do about it, for people; "nothing" for NULL. Never NULL.
FAL_API const char *fal_error_remedy(const fal_error *err, size_t *len);

// The HTTP status of the service's answer, 100 to 599; 0 if there was none.
FAL_API int32_t fal_error_http_status(const fal_error *err);

// fal's own name of the error, such as "image_too_large" or "runner_disconnected"; NULL if it
// gave none.
FAL_API const char *fal_error_type(const fal_error *err, size_t *len);

// fal's id of the request, for its support; NULL if the service gave none.
FAL_API const char *fal_error_request_id(const fal_error *err, size_t *len);

// A header of the service's answer by its name, in any case; NULL if it is not there.
FAL_API const char *fal_error_header(const fal_error *err, const char *name, size_t name_len, size_t *len);

// The body of the service's answer, as many bytes as *len says and without a NUL; NULL if there is
// none.
//
// At most 16 MiB of it are kept. A key that the service repeated is replaced by asterisks.
FAL_API const void *fal_error_body(const fal_error *err, size_t *len);

// Whether the service may have executed the request although no success arrived: the outcome
// is unknown, and sending the request again may run, and bill, it twice.
FAL_API bool fal_error_may_have_executed(const fal_error *err);

// Whether the same request may succeed if it is sent again later.
FAL_API bool fal_error_is_retryable(const fal_error *err);

// How long the service asked to wait before the next attempt, in milliseconds; -1 if it did
// not.
FAL_API int64_t fal_error_retry_after_ms(const fal_error *err);

// The scope that the refused operation needs, "API" or "ADMIN"; NULL where fal does not say or
// nothing was refused.
FAL_API const char *fal_error_needed_scope(const fal_error *err, size_t *len);

// Why the account is locked, where the code is FAL_E_ACCOUNT_LOCKED: "balance",
// "payment_method", "budget", "admin", "archived" or "unknown"; NULL for any other error.
FAL_API const char *fal_error_lock_reason(const fal_error *err, size_t *len);

// How many fields of the input the service refused, at most 1000; 0 if it named none, and for
// NULL.
FAL_API size_t fal_error_field_count(const fal_error *err);

// Where the refused field at an index from 0 is, such as "body.image_size.width"; NULL past
// the last.
FAL_API const char *fal_error_field_path(const fal_error *err, size_t index, size_t *len);

// The same as a JSON array of names and of places in lists, such as
// `["body","images",0,"url"]`; NULL past the last.
FAL_API const char *fal_error_field_location(const fal_error *err, size_t index, size_t *len);

// What is wrong with the field, for people; NULL past the last.
FAL_API const char *fal_error_field_message(const fal_error *err, size_t index, size_t *len);

// fal's own name of what is wrong with the field, such as "image_too_large"; NULL if it gave
// none.
FAL_API const char *fal_error_field_type(const fal_error *err, size_t index, size_t *len);

// The page that documents it; NULL if the service names none.
FAL_API const char *fal_error_field_url(const fal_error *err, size_t index, size_t *len);

// What would be right, as JSON text, such as `{"max_height":1024,"max_width":1024}`; NULL if
// the service does not say.
FAL_API const char *fal_error_field_context(const fal_error *err, size_t index, size_t *len);

// The value that was refused, as JSON text; NULL if the service does not repeat it. It may be
// private.
FAL_API const char *fal_error_field_input(const fal_error *err, size_t index, size_t *len);

// Where the credential of the failed call came from, every source that was tried included;
// NULL if the error has nothing to do with credentials. It belongs to the error and must not
// be freed.
FAL_API const fal_credentials *fal_error_credentials(const fal_error *err);

/* ==== Credentials =====================================================================================================
 *
 * Where a key comes from. Looking for it reads variables and files, uses no network, and happens
 * only when asked for. Every source is listed, in the order in which it is tried. Secrets are in
 * none of the strings: a key appears as its public id. Strings are borrowed from the
 * fal_credentials that they came from.
 */

// Looks for a key as a client with these options would (options: NULL for the defaults) and
// reports every source. That no key is there is not an error here: see
// fal_credentials_status().
//
// Free the result with fal_credentials_free().
FAL_API fal_status fal_credentials_explain(const fal_options *options,
                                           fal_credentials **out,
                                           fal_error **err);

// The same, but fails with FAL_E_NO_CREDENTIALS or FAL_E_MALFORMED_CREDENTIALS unless a
// credential was found; the error then carries the report (fal_error_credentials()).
FAL_API fal_status fal_credentials_resolve(const fal_options *options,
                                           fal_credentials **out,
                                           fal_error **err);

// Frees a report. NULL does nothing. A report that belongs to an error must not be freed.
FAL_API void fal_credentials_free(fal_credentials *credentials);

// FAL_OK if a credential was found, FAL_E_NO_CREDENTIALS or FAL_E_MALFORMED_CREDENTIALS if not,
// FAL_E_INVALID_ARGUMENT for NULL.
FAL_API fal_status fal_credentials_status(const fal_credentials *credentials);

// The whole report as JSON text: `{"used": {…} or null, "sources": [{"source", "state",
// "location", "key_id", "notes"}], "problem": {…} or null}`. NULL for NULL.
FAL_API const char *fal_credentials_json(const fal_credentials *credentials, size_t *len);

// The whole report as a table for people, several lines long. NULL for NULL.
FAL_API const char *fal_credentials_table(const fal_credentials *credentials, size_t *len);

// The public id of the key in use; NULL if there is none.
FAL_API const char *fal_credentials_key_id(const fal_credentials *credentials, size_t *len);

// The source of the credential in use, such as "FAL_KEY"; NULL if there is none.
FAL_API const char *fal_credentials_source(const fal_credentials *credentials, size_t *len);

// How many sources the report lists; 0 for NULL.
FAL_API size_t fal_credentials_source_count(const fal_credentials *credentials);

// The name of the source at an index from 0; NULL past the last.
FAL_API const char *fal_credentials_source_name(const fal_credentials *credentials,
                                                size_t index,
                                                size_t *len);

// What became of the source: "used", "shadowed", "absent", "malformed", "skipped", or, once it
// was asked for a key and gave none, "failed"; NULL past the last.
FAL_API const char *fal_credentials_source_state(const fal_credentials *credentials,
                                                 size_t index,
                                                 size_t *len);

// Where the source is: a variable, a file and line, a profile; NULL if there is no such place.
FAL_API const char *fal_credentials_source_location(const fal_credentials *credentials,
                                                    size_t index,
                                                    size_t *len);

// The public id of the key that the source holds; NULL if it holds none.
FAL_API const char *fal_credentials_source_key_id(const fal_credentials *credentials,
                                                  size_t index,
                                                  size_t *len);

// Remarks on the source, one a line: why it is malformed, that another key is there, that
// others can read the file; NULL if there are none.
FAL_API const char *fal_credentials_source_notes(const fal_credentials *credentials,
                                                 size_t index,
                                                 size_t *len);

/* ==== Storing keys ====================================================================================================
 *
 * A key stored in a profile of the configuration file is there for every program on the machine,
 * the official CLI included. The file is the one that fal_credentials_explain() reads: of
 * fal_options_set_config_path(), else of FAL_CONFIG_PATH, else ~/.fal/config.toml. Other profiles,
 * comments and unknown members survive. The file is replaced as a whole, for its owner only; on
 * any failure it is as it was. Each change may wait up to 20 seconds for one that another program
 * is making.
 */

// Stores a key, "id:secret", in a profile, in the place of one that is there; makes the
// profile, the file and its folder if they are missing. With activate it becomes the active
// profile: the one that programs use whose user chose none by FAL_PROFILE. The profile and the
// key that options may have play no part. options: NULL for the defaults.
//
// FAL_E_INVALID_ARGUMENT for a name that no profile may have: empty, "__internal__", with a
// control character, over 128 characters, or like a key, since names are printed.
// FAL_E_MALFORMED_CREDENTIALS for what is no key, and for a file that cannot be understood.
// FAL_E_IO if the system refuses, or another program keeps the file.
FAL_API fal_status fal_credentials_store_key(const fal_options *options,
                                             const char *profile,
                                             size_t profile_len,
                                             const char *key,
                                             size_t key_len,
                                             bool activate,
                                             fal_error **err);

// Removes the key of a profile and nothing else of it. A profile that then has nothing in it,
// not even a comment, goes too. FAL_E_INVALID_ARGUMENT if there is no such profile; one
// without a key is left as it is.
FAL_API fal_status fal_credentials_remove_key(const fal_options *options,
                                              const char *profile,
                                              size_t profile_len,
                                              fal_error **err);

// Lists the profiles of the configuration file, in its order; none if there is no file.
//
// Free the result with fal_profiles_free().
FAL_API fal_status fal_profiles_list(const fal_options *options, fal_profiles **out, fal_error **err);

// Makes a profile the active one; NULL for none. FAL_E_INVALID_ARGUMENT if there is no such
// profile.
FAL_API fal_status fal_profiles_set_active(const fal_options *options,
                                           const char *profile,
                                           size_t profile_len,
                                           fal_error **err);

// Frees a list. NULL does nothing.
FAL_API void fal_profiles_free(fal_profiles *profiles);

// How many profiles there are; 0 for NULL.
FAL_API size_t fal_profiles_count(const fal_profiles *profiles);

// The name of the profile at an index from 0; "(name not shown)" for one that looks like a
// key. NULL past the last.
FAL_API const char *fal_profiles_name(const fal_profiles *profiles, size_t index, size_t *len);

// The public id of the profile's key; NULL if it has none, or there is a problem with it.
FAL_API const char *fal_profiles_key_id(const fal_profiles *profiles, size_t index, size_t *len);

// Why the profile's key cannot be used; NULL if it can, or there is none.
FAL_API const char *fal_profiles_problem(const fal_profiles *profiles, size_t index, size_t *len);

// The host that the profile sets for the official CLI; NULL if it sets none. This library does
// not use it.
FAL_API const char *fal_profiles_host(const fal_profiles *profiles, size_t index, size_t *len);

// Whether the file makes this profile the active one. FAL_PROFILE is stronger. false past the
// last.
FAL_API bool fal_profiles_is_active(const fal_profiles *profiles, size_t index);

// The line of the profile's name in the file, from 1; 0 past the last.
FAL_API size_t fal_profiles_line(const fal_profiles *profiles, size_t index);

// Stores a key, "id:secret", in the system keyring, in the place of the one that is there:
// account is a profile's name, or "default", which is what is read without a profile. It may
// ask the user, and takes a minute at the most.
//
// FAL_E_IO if there is no keyring, or it refused or stayed locked; FAL_E_INVALID_ARGUMENT in a
// build without one; FAL_E_WOULD_DEADLOCK inside a callback.
FAL_API fal_status fal_keyring_store_key(const char *account,
                                         size_t account_len,
                                         const char *key,
                                         size_t key_len,
                                         fal_error **err);

// Removes the account's key from the system keyring; that there is none is no error. Errors as
// for fal_keyring_store_key().
FAL_API fal_status fal_keyring_remove_key(const char *account, size_t account_len, fal_error **err);

/* ==== Options =========================================================================================================
 *
 * How a client is made. What is not set comes from the environment or is the default that is named
 * here. One thread at a time may change an options object.
 */

// A host that can be replaced: one of the FAL_HOST_ constants. The variable in brackets sets it
// too; an option is stronger.
typedef int32_t fal_host;

// Synchronous calls (FAL_RUN_HOST), "fal.run". The queue's host follows as "queue." and this one.
#define FAL_HOST_RUN 0
// The queue (FAL_QUEUE_RUN_HOST), "queue.fal.run".
#define FAL_HOST_QUEUE 1
// Tokens and uploads (FAL_REST_HOST), "rest.fal.ai".
#define FAL_HOST_REST 2
// The Platform API (FAL_PLATFORM_HOST), "api.fal.ai".
#define FAL_HOST_PLATFORM 3
// Files (FAL_CDN_HOST), "v3.fal.media". It never sees the key.
#define FAL_HOST_CDN 4
// A fal-emulator on this machine (FAL_EMULATOR_HOST), "127.0.0.1:PORT", that takes the place of
// all of them.
#define FAL_HOST_EMULATOR 5

// How much is logged: one of the FAL_LOG_ constants.
typedef int32_t fal_log_level;

// Failures that the caller sees as errors too.
#define FAL_LOG_ERROR 1
// And what went wrong and was mended, such as by another attempt.
#define FAL_LOG_WARN 2
// And where the key came from.
#define FAL_LOG_INFO 3
// And each request and answer, without bodies.
#define FAL_LOG_DEBUG 4

// Receives a log line (message is NUL-terminated, len bytes long and valid during the call), on a
// thread that is there for such functions: in the order in which the lines arose, and one at a
// time for each fal_options_set_log(). It may take its time, which holds up nothing but lines:
// 1024 of them, or 256 KiB, wait for it, and what comes then is dropped and counted in a line of
// its own. A line comes a moment after what it tells of, perhaps after the end of the call;
// fal_log_flush() and fal_shutdown() wait for all of them. The function must not wait for libfal
// (FAL_E_WOULD_DEADLOCK); it may start operations.
typedef void (*fal_log_callback)(fal_log_level level, const char *message, size_t len, void *user);

// Asks the host for a credential when one is needed, on a thread that is there for such functions.
// request is the callback's to keep, and is answered now or later, on any thread, by exactly one
// of the functions below. The callback may take its time, and wait for libfal: for calls of
// another client than the one that asks, whose calls wait for the answer; not for fal_shutdown().
typedef void (*fal_credential_callback)(fal_credential_request *request, void *user);

// Options with every default. NULL only if memory is gone.
FAL_API fal_options *fal_options_new(void);

// Frees options, and zeroizes a key in them. NULL does nothing.
FAL_API void fal_options_free(fal_options *options);

// Uses this key, "id:secret". It is copied, and checked when it is first needed.
FAL_API fal_status fal_options_set_key(fal_options *options,
                                       const char *key,
                                       size_t key_len,
                                       fal_error **err);

// Uses the key of this profile of the configuration file; or, with fal_options_set_keyring(),
// that of this name in the keyring.
FAL_API fal_status fal_options_set_profile(fal_options *options,
                                           const char *profile,
                                           size_t profile_len,
                                           fal_error **err);

// Reads this configuration file, not the one of FAL_CONFIG_PATH or ~/.fal/config.toml. The
// path is UTF-8 on every system.
FAL_API fal_status fal_options_set_config_path(fal_options *options,
                                               const char *path,
                                               size_t path_len,
                                               fal_error **err);

// Uses no key at all, for public apps. A key or a profile beside it is an error at the first
// call.
FAL_API fal_status fal_options_set_anonymous(fal_options *options, bool anonymous, fal_error **err);

// Whether to read the system keyring, which may ask the user to unlock it. By default
// FAL_KEYRING=1 decides. In a build without a keyring, asking for it is an error at the first
// call.
FAL_API fal_status fal_options_set_keyring(fal_options *options, bool keyring, fal_error **err);

// Uses this short-lived token, made by fal_client_mint_token() on a machine that holds a key.
// It opens some apps on the run host and nothing else.
FAL_API fal_status fal_options_set_app_token(fal_options *options,
                                             const char *token,
                                             size_t token_len,
                                             fal_error **err);

// Has callback asked for a credential when one is needed, and again when it has expired or was
// refused. All calls that wait for one share one question. user has to outlive the clients
// made with these options and their operations: until fal_shutdown() has returned is always
// enough.
FAL_API fal_status fal_options_set_credential_callback(fal_options *options,
                                                       fal_credential_callback callback,
                                                       void *user,
                                                       fal_error **err);

// Sends everything for fal's services to a server proxy, "https://app.example/api/fal/proxy",
// that holds the key. Files are fetched directly. No key is looked for on this machine; one
// that is set explicitly goes to the proxy.
FAL_API fal_status fal_options_set_proxy(fal_options *options,
                                         const char *url,
                                         size_t url_len,
                                         fal_error **err);

// Reaches fal through this HTTP or SOCKS proxy: "[scheme://][user:password@]host[:port]",
// where the scheme is http, https, socks4, socks4a, socks5 or socks5h; through none if it is
// empty. By default HTTPS_PROXY and then ALL_PROXY are read, and on macOS and Windows the
// system's settings, but for a script that finds proxies (PAC, WPAD), which is not run. Hosts
// that NO_PROXY names are reached directly in any case, and so is the emulator.
FAL_API fal_status fal_options_set_http_proxy(fal_options *options,
                                              const char *url,
                                              size_t url_len,
                                              fal_error **err);

// Trusts these certificates of authorities, one or more in PEM, besides those that the
// operating system trusts.
FAL_API fal_status fal_options_add_root_certificates(fal_options *options,
                                                     const char *pem,
                                                     size_t pem_len,
                                                     fal_error **err);

// Replaces one of the hosts, by "name" or "name:port". FAL_E_INVALID_ARGUMENT for anything
// else, and for an emulator that is not on this machine.
FAL_API fal_status fal_options_set_host(fal_options *options,
                                        fal_host role,
                                        const char *host,
                                        size_t host_len,
                                        fal_error **err);

// The time for each whole call in milliseconds, from credential to decoded body, retries
// included. A request's own time is stronger. By default one hour for a run or a stream, 24
// hours for a job that is waited for and for the lines of a live log, six for an upload or a
// download, two minutes for anything else. Of a session only the request's own time counts.
FAL_API fal_status fal_options_set_timeout_ms(fal_options *options, int64_t timeout_ms, fal_error **err);

// How often a call is tried at the most, 1 to 100; by default 5. A POST that may have been
// executed is never tried again.
FAL_API fal_status fal_options_set_max_attempts(fal_options *options, uint32_t most, fal_error **err);

// How long the other side of a transfer may move no byte, in milliseconds; by default 60000.
// The connection is then given up with FAL_E_CONNECTION_LOST, and what may be sent again is: a
// PUT, a part, a download, which goes on where it ended.
//
// It holds for uploads, which wait ten times as long while fal puts parts together, for
// downloads but those of an app's answer, and for the body of any request to fal but its
// answer. An app, the queue, a stream and a session may be silent for as long as the call may
// take, and so may this side: a read callback, a disk. Of an upload the buffers of the
// operating system hide up to 4 MiB, so that for each MiB that was sent, up to 4, the same
// time is added.
FAL_API fal_status fal_options_set_stall_timeout_ms(fal_options *options,
                                                    int64_t stall_timeout_ms,
                                                    fal_error **err);

// Refuses operations of the Platform API that need an ADMIN key before anything is sent, with
// FAL_E_FORBIDDEN, if the key in use is known to be an API key: from fal_client_check(), or
// from what fal answered before. By default they are sent.
FAL_API fal_status fal_options_set_strict_scopes(fal_options *options, bool strict, fal_error **err);

// The most bytes that the body of an answer may have; by default 256 MiB.
FAL_API fal_status fal_options_set_max_response_bytes(fal_options *options, size_t most, fal_error **err);

// Adds the host program's name to the header User-Agent, such as "MyGame/1.2".
FAL_API fal_status fal_options_set_user_agent(fal_options *options,
                                              const char *product,
                                              size_t product_len,
                                              fal_error **err);

// Has callback called with each log line of at most this level. user comes back unchanged, and
// has to outlive the clients made with these options and their operations, what goes on in the
// background included: and until their lines are delivered: until fal_shutdown() has returned
// FAL_OK is always enough. A NULL callback turns the log off, as it is by default.
FAL_API fal_status fal_options_set_log(fal_options *options,
                                       fal_log_level level,
                                       fal_log_callback callback,
                                       void *user,
                                       fal_error **err);

/* ==== Credential requests =============================================================================================
 *
 * The host's answers to a fal_credential_callback. Each function here ends the request: it is
 * freed and must not be used again. A request that is never answered fails after two minutes, and
 * its memory is lost.
 */

// Answers with a key, "id:secret", that is good for so many milliseconds.
// FAL_E_MALFORMED_CREDENTIALS if it is not a key; the calls that wait for it then fail for the
// same reason.
FAL_API fal_status fal_credential_request_give_key(fal_credential_request *request,
                                                   const char *key,
                                                   size_t key_len,
                                                   int64_t expires_in_ms,
                                                   fal_error **err);

// Answers with a short-lived token, as a server of the host's maker mints it.
FAL_API fal_status fal_credential_request_give_app_token(fal_credential_request *request,
                                                         const char *token,
                                                         size_t token_len,
                                                         int64_t expires_in_ms,
                                                         fal_error **err);

// Answers that there is none, and why. The reason becomes part of an error: it must hold no
// secret.
FAL_API fal_status fal_credential_request_refuse(fal_credential_request *request,
                                                 const char *reason,
                                                 size_t reason_len,
                                                 fal_error **err);

/* ==== Client ==========================================================================================================
 *
 * A client holds a credential, addresses, limits and connections. Making one sends nothing and
 * reads nothing but the variables that name hosts; the key is looked for at the first call. Any
 * number of threads may use a client at once. A client made before a fork may be used in the
 * child.
 */

// Makes a client. options may be NULL, for the defaults, and may be freed afterwards. Release
// it with fal_client_release().
FAL_API fal_status fal_client_new(const fal_options *options, fal_client **out, fal_error **err);

// One more owner of the client; returns it. NULL gives NULL.
FAL_API fal_client *fal_client_retain(const fal_client *client);

// One owner less; the last one frees the client. Operations under way go on. NULL does
// nothing.
FAL_API void fal_client_release(fal_client *client);

// Looks for the key anew and reports every source, as fal_credentials_explain() does for this
// client's options. A key is kept once it is found; if another one is found now, a note says
// with which one calls go on.
FAL_API fal_status fal_client_explain(const fal_client *client, fal_credentials **out, fal_error **err);

// Uses another credential from now on, the one that options describe (NULL: what the
// environment offers); their other settings are ignored. Operations under way keep theirs, for
// all of their requests.
FAL_API fal_status fal_client_set_credentials(const fal_client *client,
                                              const fal_options *options,
                                              fal_error **err);

// Starts a check of the credential: three requests at the most, none of which runs or costs
// anything. They are made again if the key is renewed meanwhile. The response is JSON:
// /accepted (boolean), /scope ("API", "ADMIN" or null), /account (null unless fal tells it),
// /locked (why the account is locked, or null), /key_id and /source.
FAL_API fal_status fal_client_check_start(const fal_client *client, fal_op **out, fal_error **err);

// The same, and waits for the answer. Free the response with fal_response_free().
//
// FAL_E_WOULD_DEADLOCK inside a callback.
FAL_API fal_status fal_client_check(const fal_client *client, fal_response **out, fal_error **err);

// Starts making a short-lived token that opens these apps, given by their endpoint ids and
// separated by commas, for 1 to 3600 seconds, and nothing else. The response is JSON: /token,
// which is a secret, and /expires_in in seconds.
FAL_API fal_status fal_client_mint_token_start(const fal_client *client,
                                               const char *endpoints,
                                               size_t endpoints_len,
                                               uint32_t seconds,
                                               fal_op **out,
                                               fal_error **err);

// The same, and waits for the answer. Free the response with fal_response_free().
//
// FAL_E_WOULD_DEADLOCK inside a callback.
FAL_API fal_status fal_client_mint_token(const fal_client *client,
                                         const char *endpoints,
                                         size_t endpoints_len,
                                         uint32_t seconds,
                                         fal_response **out,
                                         fal_error **err);

// Starts a run: one POST of the request's input to its endpoint, straight to a runner, without
// the queue. The request is copied and may be changed or freed. Release the operation with
// fal_op_release().
//
// It is sent again only if it provably did not reach the service or the service did not take
// it. A success that says itself that the output is not in it (202, 204, 205 or 206 to a POST
// or GET) is FAL_E_PROTOCOL.
FAL_API fal_status fal_client_run_start(const fal_client *client,
                                        const fal_request *request,
                                        fal_op **out,
                                        fal_error **err);

// The same, and waits for the answer. Free the response with fal_response_free().
//
// FAL_E_WOULD_DEADLOCK inside a callback.
FAL_API fal_status fal_client_run(const fal_client *client,
                                  const fal_request *request,
                                  fal_response **out,
                                  fal_error **err);

// Starts a request that was made with fal_request_new_http(). The key goes along to those of
// fal's services that take keys; an address outside fal is refused with FAL_E_FOREIGN_ORIGIN.
// GET and HEAD are tried again freely.
FAL_API fal_status fal_client_send_start(const fal_client *client,
                                         const fal_request *request,
                                         fal_op **out,
                                         fal_error **err);

// The same, and waits for the answer. Free the response with fal_response_free().
//
// FAL_E_WOULD_DEADLOCK inside a callback.
FAL_API fal_status fal_client_send(const fal_client *client,
                                   const fal_request *request,
                                   fal_response **out,
                                   fal_error **err);

/* ==== Requests ========================================================================================================
 *
 * What is sent. A request can be used again, also while operations started with it are under way:
 * they hold a copy. One thread at a time may change a request.
 */

// A call of an endpoint by its id, such as "fal-ai/flux/schnell", with an empty object as
// input; for fal_client_run(), the queue, streams, sessions and channels.
//
// FAL_E_INVALID_ARGUMENT if that is not an endpoint id; of an address such as
// "https://fal.run/fal-ai/flux/dev" the remedy shows the id.
FAL_API fal_status fal_request_new(const char *endpoint,
                                   size_t endpoint_len,
                                   fal_request **out,
                                   fal_error **err);

// A request of any method to an address of fal's, such as "https://api.fal.ai/v1/models", or
// to a path of the Platform API, such as "/v1/keys"; for fal_client_send(). It has no body
// until one is set.
FAL_API fal_status fal_request_new_http(const char *method,
                                        size_t method_len,
                                        const char *url,
                                        size_t url_len,
                                        fal_request **out,
                                        fal_error **err);

// Frees a request. NULL does nothing.
FAL_API void fal_request_free(fal_request *request);

// Sets a field of the input to a string. name is a field of the top level ("prompt") or a JSON
// Pointer ("/image_size/width") whose objects are made as needed.
FAL_API fal_status fal_request_set_string(fal_request *request,
                                          const char *name,
                                          size_t name_len,
                                          const char *value,
                                          size_t value_len,
                                          fal_error **err);

// Sets a field of the input to an integer. The name is as for fal_request_set_string().
FAL_API fal_status fal_request_set_int(fal_request *request,
                                       const char *name,
                                       size_t name_len,
                                       int64_t value,
                                       fal_error **err);

// Sets a field of the input to a number; FAL_E_INVALID_ARGUMENT if it is not finite. The name
// is as for fal_request_set_string().
FAL_API fal_status fal_request_set_double(fal_request *request,
                                          const char *name,
                                          size_t name_len,
                                          double value,
                                          fal_error **err);

// Sets a field of the input to true or false. The name is as for fal_request_set_string().
FAL_API fal_status fal_request_set_bool(fal_request *request,
                                        const char *name,
                                        size_t name_len,
                                        bool value,
                                        fal_error **err);

// Sets a field of an input for a realtime app to bytes, which are copied; in JSON they are
// {"$bytes": "<base64>"}. Apps that are called otherwise take files, not bytes. The name is as
// for fal_request_set_string().
FAL_API fal_status fal_request_set_bytes(fal_request *request,
                                         const char *name,
                                         size_t name_len,
                                         const void *data,
                                         size_t data_len,
                                         fal_error **err);

// Sets a field of the input to any JSON, given as text. The name is as for
// fal_request_set_string().
FAL_API fal_status fal_request_set_json(fal_request *request,
                                        const char *name,
                                        size_t name_len,
                                        const char *json,
                                        size_t json_len,
                                        fal_error **err);

// Replaces the whole input, or body, by JSON, given as text.
FAL_API fal_status fal_request_set_body_json(fal_request *request,
                                             const char *json,
                                             size_t json_len,
                                             fal_error **err);

// Replaces the whole body by bytes, which are copied, of a content type such as "image/png".
FAL_API fal_status fal_request_set_body(fal_request *request,
                                        const void *data,
                                        size_t data_len,
                                        const char *content_type,
                                        size_t content_type_len,
                                        fal_error **err);

// Calls another path of the app than the usual one: the endpoint id's own for a run, the queue
// and a WebSocket, "stream" for a stream, "realtime" for a realtime session. Surrounding
// slashes are dropped.
FAL_API fal_status fal_request_set_path(fal_request *request,
                                        const char *path,
                                        size_t path_len,
                                        fal_error **err);

// Sends another method than POST to an endpoint that defines it.
FAL_API fal_status fal_request_set_method(fal_request *request,
                                          const char *method,
                                          size_t method_len,
                                          fal_error **err);

// Sets a header, such as "X-Fal-Runner-Hint". Those that the transport owns, Authorization and
// Host among them, are refused with FAL_E_INVALID_ARGUMENT.
FAL_API fal_status fal_request_set_header(fal_request *request,
                                          const char *name,
                                          size_t name_len,
                                          const char *value,
                                          size_t value_len,
                                          fal_error **err);

// The time for the whole call in milliseconds, from credential to decoded body, retries
// included. Stronger than the client's.
FAL_API fal_status fal_request_set_timeout_ms(fal_request *request, int64_t timeout_ms, fal_error **err);

/* ==== Queue options ===================================================================================================
 *
 * What can be asked of the platform with a request, for fal_client_submit() and
 * fal_client_subscribe(). On fal_client_run() only those have an effect that say so. Any other
 * header of fal's is set with fal_request_set_header().
 */

// As usual.
#define FAL_PRIORITY_NORMAL 0
// Behind all normal requests to the same endpoint.
#define FAL_PRIORITY_LOW 1

// The request's place in the line of its endpoint: a FAL_PRIORITY_ constant.
FAL_API fal_status fal_request_set_priority(fal_request *request, int32_t priority, fal_error **err);

// The time in milliseconds from the submission within which the work has to start; above 1000.
// If it does not, the request fails with 504 and is not repeated; once the work has started
// there is no limit. On a run too.
FAL_API fal_status fal_request_set_start_timeout_ms(fal_request *request,
                                                    int64_t timeout_ms,
                                                    fal_error **err);

// Prefers the runner that served this hint before, if it is free. On a run too.
FAL_API fal_status fal_request_set_runner_hint(fal_request *request,
                                               const char *hint,
                                               size_t hint_len,
                                               fal_error **err);

// The address that fal posts the result to when the job has ended: https, or http on this
// machine for the emulator.
FAL_API fal_status fal_request_set_webhook(fal_request *request,
                                           const char *url,
                                           size_t url_len,
                                           fal_error **err);

// Refuses the request with FAL_E_RATE_LIMITED if more than so many wait at the endpoint, all
// callers counted. It was not taken then, so it is tried again as often as
// fal_options_set_max_attempts() allows before that is the error.
FAL_API fal_status fal_request_set_max_queue_length(fal_request *request, uint32_t most, fal_error **err);

// How long the files that the request makes live, and who may see them, as JSON:
// expiration_duration_seconds (a positive number, or null for ever), initial_acl (an object),
// or both. On a run too.
FAL_API fal_status fal_request_set_object_lifecycle(fal_request *request,
                                                    const char *json,
                                                    size_t json_len,
                                                    fal_error **err);

// Whether fal keeps the input and the output for 30 days, as it does by default. Files are
// another matter. On a run too.
FAL_API fal_status fal_request_set_store_io(fal_request *request, bool store, fal_error **err);

// Whether the platform must not repeat failed attempts; by default it may.
FAL_API fal_status fal_request_set_no_retry(fal_request *request, bool no_retry, fal_error **err);

// How often the platform repeats attempts after the app failed with 503 or 504, after the
// app's own time was over, and after the connection to the runner broke: 0 to 9 each, or -1
// for as it likes. It listens to this for the caller's own apps only.
FAL_API fal_status fal_request_set_retries(fal_request *request,
                                           int32_t server_error,
                                           int32_t timeout,
                                           int32_t connection_error,
                                           fal_error **err);

// Whether the platform must not send the request to an equivalent endpoint when this one
// fails; by default it may. On a run too.
FAL_API fal_status fal_request_set_no_fallback(fal_request *request, bool no_fallback, fal_error **err);

// Adds a tag, or gives it another value: at most ten, 1024 bytes in all. A name has up to 64
// of a-z 0-9 . _ - and does not begin with "fal."; a value has up to 256 printable ASCII
// characters but no comma. On a run too.
FAL_API fal_status fal_request_set_tag(fal_request *request,
                                       const char *name,
                                       size_t name_len,
                                       const char *value,
                                       size_t value_len,
                                       fal_error **err);

// Whether fal_client_subscribe_start() asks for the job's log; by default it does.
FAL_API fal_status fal_request_set_logs(fal_request *request, bool logs, fal_error **err);

// Whether the job goes on at fal when a fal_client_subscribe_start() is cancelled, its time is
// over or the library is shut down. By default it is cancelled then.
FAL_API fal_status fal_request_set_keep_running(fal_request *request, bool keep, fal_error **err);

/* ==== Responses =======================================================================================================
 *
 * What the service answered, bare as it came. Values are read by JSON Pointer (RFC 6901):
 * "/images/0/url", or "" for the whole. A value that is missing or of another type is
 * FAL_E_WRONG_TYPE; where there is no memory to read it, FAL_E_IO. Strings are borrowed from the
 * response. A response is immutable: several threads may read it at once.
 */

// Frees a response. NULL does nothing.
FAL_API void fal_response_free(fal_response *response);

// The HTTP status, 200 to 299; 0 for NULL.
FAL_API int32_t fal_response_http_status(const fal_response *response);

// fal's id of the request; NULL if the service gave none.
FAL_API const char *fal_response_request_id(const fal_response *response, size_t *len);

// A header's value by its name, in any case; NULL if it is not there.
FAL_API const char *fal_response_header(const fal_response *response,
                                        const char *name,
                                        size_t name_len,
                                        size_t *len);

// The body as it came, as many bytes as *len says and without a NUL; NULL if it is empty. It is
// not copied.
FAL_API const void *fal_response_body(const fal_response *response, size_t *len);

// The body as text with a NUL: for most endpoints, JSON. FAL_E_WRONG_TYPE if it is not UTF-8.
FAL_API fal_status fal_response_get_text(const fal_response *response,
                                         const char **out,
                                         size_t *len,
                                         fal_error **err);

// The string at a pointer. len may be NULL.
FAL_API fal_status fal_response_get_string(const fal_response *response,
                                           const char *pointer,
                                           size_t pointer_len,
                                           const char **out,
                                           size_t *len,
                                           fal_error **err);

// The integer at a pointer. FAL_E_WRONG_TYPE if the number has a fraction or does not fit.
FAL_API fal_status fal_response_get_int(const fal_response *response,
                                        const char *pointer,
                                        size_t pointer_len,
                                        int64_t *out,
                                        fal_error **err);

// The number at a pointer, or the double next to it: fal_response_get_json() gives every
// digit, of amounts of money say.
FAL_API fal_status fal_response_get_double(const fal_response *response,
                                           const char *pointer,
                                           size_t pointer_len,
                                           double *out,
                                           fal_error **err);

// The boolean at a pointer.
FAL_API fal_status fal_response_get_bool(const fal_response *response,
                                         const char *pointer,
                                         size_t pointer_len,
                                         bool *out,
                                         fal_error **err);

// Any value at a pointer, as the JSON text that came: a number has every digit that the service
// wrote, which a double may not hold. len may be NULL.
FAL_API fal_status fal_response_get_json(const fal_response *response,
                                         const char *pointer,
                                         size_t pointer_len,
                                         const char **out,
                                         size_t *len,
                                         fal_error **err);

// How many elements the array, or members the object, at a pointer has.
FAL_API fal_status fal_response_get_count(const fal_response *response,
                                          const char *pointer,
                                          size_t pointer_len,
                                          size_t *out,
                                          fal_error **err);

// Whether there is a value, null included, at a pointer. false for NULL, for a body that is not
// JSON, and where there is no memory to read it.
FAL_API bool fal_response_has(const fal_response *response, const char *pointer, size_t pointer_len);

/* ==== Operations ======================================================================================================
 *
 * A call under way. It ends exactly once: with its answer, an error, FAL_E_CANCELLED or
 * FAL_E_SHUT_DOWN. Every function here may be called from any thread at any time. Releasing an
 * operation neither cancels nor waits. An operation started before a fork answers FAL_E_FORKED in
 * the child.
 */

// Told once that an operation has ended, by fal_dispatcher_run(). op is borrowed for the call:
// take its outcome, or retain it. Waiting in here is refused with FAL_E_WOULD_DEADLOCK; starting
// new operations is fine.
typedef void (*fal_op_callback)(fal_op *op, void *user);

// One more owner of the operation; returns it. NULL gives NULL.
FAL_API fal_op *fal_op_retain(const fal_op *op);

// One owner less. The operation itself goes on. NULL does nothing.
FAL_API void fal_op_release(fal_op *op);

// FAL_PENDING while the operation is under way, FAL_OK once it has ended in whatever way. Never
// blocks, takes no lock and allocates nothing, which is why it makes no fal_error: FAL_E_FORKED
// and FAL_E_INVALID_ARGUMENT come bare.
FAL_API fal_status fal_op_poll(const fal_op *op);

// Whether the operation has ended in whatever way. Never blocks, takes no lock and allocates
// nothing. Also true where nothing is left to wait for: in a forked child, and for NULL;
// fal_op_take() then says why.
FAL_API bool fal_op_is_done(const fal_op *op);

// Waits until the operation has ended, at most timeout_ms milliseconds. FAL_OK if it has ended,
// FAL_PENDING if not.
//
// FAL_E_WOULD_DEADLOCK inside a callback, unless it has ended already.
FAL_API fal_status fal_op_wait(const fal_op *op, int64_t timeout_ms, fal_error **err);

// Asks the operation to end with FAL_E_CANCELLED, and returns at once. It may be called any
// number of times; once the operation has ended, and for NULL, it does nothing.
FAL_API void fal_op_cancel(const fal_op *op);

// Takes the outcome: FAL_OK and a response that the caller frees, or the operation's error.
// FAL_PENDING, and no error, while it is under way; FAL_E_TAKEN after the first time.
FAL_API fal_status fal_op_take(const fal_op *op, fal_response **out, fal_error **err);

// Has callback called once by fal_dispatcher_run() after the operation has ended in whatever
// way: answered, failed, cancelled or shut down. If it has ended already, the next run calls
// it; it is never called in here.
//
// The operation and the dispatcher are kept alive until then; user has to be valid that long.
// Where a callback holds the operation, releasing every other handle does not discard its
// outcome: it can be taken in the callback.
FAL_API fal_status fal_op_when_done(const fal_op *op,
                                    const fal_dispatcher *dispatcher,
                                    fal_op_callback callback,
                                    void *user,
                                    fal_error **err);

/* ==== Events ==========================================================================================================
 *
 * What happens while an operation is under way: one type for all of them. A host reads events
 * whenever it likes, once a frame or on a thread of its own, and reads what is left after the
 * operation has ended. A host that wants none need do nothing, except with operations that stream:
 * they pause while 1024 events or 16 MiB wait to be read, so read or discard them. The functions
 * that wait for an operation's end by themselves, such as fal_client_subscribe(), discard them.
 */

// The state of a queued request: /status ("IN_QUEUE", "IN_PROGRESS", "COMPLETED"), /request_id,
// and, while it waits, /queue_position: how many are ahead of it.
#define FAL_EVENT_STATUS 1
// A line of a queued request's log: /message, /level, /source and /timestamp.
#define FAL_EVENT_LOG 2
// How much of a file was sent or received: /transferred and, if it is known, /total, in bytes.
#define FAL_EVENT_PROGRESS 3
// An item of a stream, as the app sent it; fal_event_workflow() tells what one of a workflow says.
#define FAL_EVENT_ITEM 4
// A message of a realtime or WebSocket connection.
#define FAL_EVENT_MESSAGE 5
// What became of such a connection: /state is "connected", "lost" or "dropped".
#define FAL_EVENT_CONNECTION 6
// A step of a workflow was given to its app: /node_id, /app_id and /request_id, all strings.
#define FAL_WORKFLOW_SUBMIT 1
// A step has finished: /node_id, /output, and /app_id if the app is told.
#define FAL_WORKFLOW_COMPLETION 2
// The workflow has finished: /output, and /node_id if the step of the output is told.
#define FAL_WORKFLOW_OUTPUT 3
// A step has failed: /node_id, and, as far as they are told, /message, /error/status and
// /error/body of the step's answer.
#define FAL_WORKFLOW_ERROR 4

// Reads the next event of an operation, waited for at most timeout_ms milliseconds. FAL_OK and an
// event that the caller frees; FAL_OK and NULL once the operation has ended and all events were
// read; FAL_PENDING if there is none yet. Several threads may read; each event goes to one of
// them.
//
// FAL_E_WOULD_DEADLOCK inside a callback, if it would have to wait.
FAL_API fal_status fal_op_next_event(const fal_op *op, int64_t timeout_ms, fal_event **out, fal_error **err);

// Throws away the events that wait to be read, and keeps none from now on. NULL does nothing.
FAL_API void fal_op_discard_events(const fal_op *op);

// How many events were lost because nobody read them; 0 for NULL. Items and messages are never
// lost.
FAL_API uint64_t fal_op_dropped_events(const fal_op *op);

// Has callback called by fal_dispatcher_run() when events begin to wait: once, until it has
// been called, so it reads all of them, with a timeout of 0. It replaces an earlier one. The
// end of the operation is no event: see fal_op_when_done().
//
// user has to outlive the operation.
FAL_API fal_status fal_op_when_event(const fal_op *op,
                                     const fal_dispatcher *dispatcher,
                                     fal_op_callback callback,
                                     void *user,
                                     fal_error **err);

// Frees an event. NULL does nothing.
FAL_API void fal_event_free(fal_event *event);

// What it tells about, a FAL_EVENT_ constant; 0 for NULL. Later versions may have others:
// ignore what you do not know.
FAL_API int32_t fal_event_kind(const fal_event *event);

// What it tells, borrowed from the event: read it with the functions for responses, such as
// fal_response_get_string(). NULL for NULL.
FAL_API const fal_response *fal_event_content(const fal_event *event);

// What an item of a workflow's stream says, a FAL_WORKFLOW_ constant (docs/protocol.md §3.5):
// the content has the members that it names. 0 for any other event, one of an unknown /type
// included, and for NULL.
FAL_API int32_t fal_event_workflow(const fal_event *event);

// Whether the content is bytes rather than text or JSON: the binary message of a WebSocket,
// the piece of a stream that is none of events. false for NULL.
FAL_API bool fal_event_is_bytes(const fal_event *event);

// The bytes at a JSON Pointer of a realtime app's message, which in its JSON are {"$bytes":
// "<base64>"}; at the pointer "" of any other event its whole content as it is. Borrowed from the
// event. FAL_E_WRONG_TYPE if there are none. len may be NULL.
FAL_API fal_status fal_event_get_bytes(const fal_event *event,
                                       const char *pointer,
                                       size_t pointer_len,
                                       const void **out,
                                       size_t *len,
                                       fal_error **err);

/* ==== Queue ===========================================================================================================
 *
 * A request in fal's queue waits there until a runner takes it, survives this program, and can be
 * asked for from anywhere by its endpoint and its request id. fal_client_subscribe() is the usual
 * way: it submits, waits, and fetches the result. One client may wait for thousands of jobs at
 * once, on the library's few threads: 64 of them by a status stream each, the others by asking now
 * and then, the less often the more there are; at most 128 requests are under way at once, and
 * more wait for their turn.
 */

// The request of this id that was submitted to this endpoint, by whom and when ever. It sends
// nothing.
//
// FAL_E_INVALID_ARGUMENT if one of them is malformed.
FAL_API fal_status fal_job_new(const char *endpoint,
                               size_t endpoint_len,
                               const char *request_id,
                               size_t request_id_len,
                               fal_job **out,
                               fal_error **err);

// The request that was submitted to this endpoint by fal_client_submit() with this answer. The
// addresses in the answer are followed if they are the queue's own; others are ignored.
//
// FAL_E_PROTOCOL if the answer holds no request id.
FAL_API fal_status fal_job_of_answer(const char *endpoint,
                                     size_t endpoint_len,
                                     const fal_response *answer,
                                     fal_job **out,
                                     fal_error **err);

// Frees a job, which does nothing to it at fal. NULL does nothing.
FAL_API void fal_job_free(fal_job *job);

// fal's id of the request, to keep and to come back with. Borrowed from the job; NULL for
// NULL.
FAL_API const char *fal_job_request_id(const fal_job *job, size_t *len);

// Whether the job's log is asked for; by default it is. It comes with each status.
FAL_API fal_status fal_job_set_logs(fal_job *job, bool logs, fal_error **err);

// Whether the job goes on at fal when a fal_client_attach_start() is cancelled, its time is
// over or the library is shut down. By default it is cancelled then.
FAL_API fal_status fal_job_set_keep_running(fal_job *job, bool keep, fal_error **err);

// The time in milliseconds for each operation on the job. By default 24 hours to attach to it,
// and the client's time for the others.
FAL_API fal_status fal_job_set_timeout_ms(fal_job *job, int64_t timeout_ms, fal_error **err);

// Starts a submission that waits for the job's result, which is the response. Meanwhile the
// operation has events: the job's status, the first time with its request id at once, and the
// lines of its log. By default it waits for up to 24 hours.
//
// If it is cancelled, its time is over or the library is shut down, the job is cancelled at
// fal in the background, unless fal_request_set_keep_running() says otherwise; releasing the
// operation does nothing to it. An error that comes after the submission carries the request
// id, to attach to the job with fal_job_new() and fal_client_attach(). While the answer to the
// submission is on its way nobody knows the id, so that the job cannot be cancelled: see
// fal_error_may_have_executed().
FAL_API fal_status fal_client_subscribe_start(const fal_client *client,
                                              const fal_request *request,
                                              fal_op **out,
                                              fal_error **err);

// The same, and waits for the answer. Free the response with fal_response_free().
//
// FAL_E_WOULD_DEADLOCK inside a callback.
FAL_API fal_status fal_client_subscribe(const fal_client *client,
                                        const fal_request *request,
                                        fal_response **out,
                                        fal_error **err);

// Starts a submission: one POST to the endpoint's queue. The response is JSON: /request_id,
// and what else fal says. The job goes on by itself; fal_job_of_answer() makes of the response
// what the other functions need.
//
// It is never sent a second time once the request may have been taken.
FAL_API fal_status fal_client_submit_start(const fal_client *client,
                                           const fal_request *request,
                                           fal_op **out,
                                           fal_error **err);

// The same, and waits for the answer. Free the response with fal_response_free().
//
// FAL_E_WOULD_DEADLOCK inside a callback.
FAL_API fal_status fal_client_submit(const fal_client *client,
                                     const fal_request *request,
                                     fal_response **out,
                                     fal_error **err);

// Starts waiting for a job that was submitted before, perhaps by another process: the same as
// fal_client_subscribe_start() after its submission, events and cancellation included.
FAL_API fal_status fal_client_attach_start(const fal_client *client,
                                           const fal_job *job,
                                           fal_op **out,
                                           fal_error **err);

// The same, and waits for the answer. Free the response with fal_response_free().
//
// FAL_E_WOULD_DEADLOCK inside a callback.
FAL_API fal_status fal_client_attach(const fal_client *client,
                                     const fal_job *job,
                                     fal_response **out,
                                     fal_error **err);

// Starts asking for a job's status. The response is JSON: /status ("IN_QUEUE", "IN_PROGRESS",
// "COMPLETED", the last for failed jobs too), /queue_position while it waits, /logs.
FAL_API fal_status fal_client_status_start(const fal_client *client,
                                           const fal_job *job,
                                           fal_op **out,
                                           fal_error **err);

// The same, and waits for the answer. Free the response with fal_response_free().
//
// FAL_E_WOULD_DEADLOCK inside a callback.
FAL_API fal_status fal_client_status(const fal_client *client,
                                     const fal_job *job,
                                     fal_response **out,
                                     fal_error **err);

// Starts fetching a job's result: the output, or the error that the job failed with.
// FAL_E_NOT_READY if the job has not finished. If its status says that it has and no result is
// handed out, it is asked for again for some seconds; the error then says that it has run.
FAL_API fal_status fal_client_result_start(const fal_client *client,
                                           const fal_job *job,
                                           fal_op **out,
                                           fal_error **err);

// The same, and waits for the answer. Free the response with fal_response_free().
//
// FAL_E_WOULD_DEADLOCK inside a callback.
FAL_API fal_status fal_client_result(const fal_client *client,
                                     const fal_job *job,
                                     fal_response **out,
                                     fal_error **err);

// Starts cancelling a job: one that waits never runs, one that runs is told to stop and may
// still finish. FAL_E_INVALID_INPUT if it has ended.
FAL_API fal_status fal_client_cancel_start(const fal_client *client,
                                           const fal_job *job,
                                           fal_op **out,
                                           fal_error **err);

// The same, and waits for the answer. Free the response with fal_response_free().
//
// FAL_E_WOULD_DEADLOCK inside a callback.
FAL_API fal_status fal_client_cancel(const fal_client *client,
                                     const fal_job *job,
                                     fal_response **out,
                                     fal_error **err);

/* ==== Streams =========================================================================================================
 *
 * Answers of an endpoint that come piece by piece.
 */

// Starts a stream: one POST to the endpoint's path "stream" (fal_request_set_path() names
// another), straight to a runner.
//
// Each event of the answer is a FAL_EVENT_ITEM, in order: JSON, or text where the app sent
// something else. They wait to be read, and the stream with them: read or discard them. The
// response is the last of them, by convention the result; it is empty if there was none. The
// stream of a workflow in which a step failed, without an output after it, is an error; so is
// a stream that ends inside an event.
//
// An answer that is no stream of events is told apart by its content type: JSON is one item,
// which is the response, too; of anything else each piece is an item of bytes
// (fal_event_is_bytes()) as it arrives, and the response is empty.
//
// A stream that breaks is FAL_E_CONNECTION_LOST, whatever had arrived. It is never sent a
// second time once it may have been executed.
FAL_API fal_status fal_client_stream_start(const fal_client *client,
                                           const fal_request *request,
                                           fal_op **out,
                                           fal_error **err);

// The same, and waits for the last item; the others are discarded. Free the response with
// fal_response_free().
//
// FAL_E_WOULD_DEADLOCK inside a callback.
FAL_API fal_status fal_client_stream(const fal_client *client,
                                     const fal_request *request,
                                     fal_response **out,
                                     fal_error **err);

/* ==== Options of WebSockets ===========================================================================================
 *
 * How a realtime session or a WebSocket is to be. What is not set is the default that is named
 * here. One thread at a time may change an options object.
 */

// What happens to an input where as many wait as may: one of the FAL_WHEN_FULL_ constants.
typedef int32_t fal_when_full;

// It is refused with FAL_E_QUEUE_FULL.
#define FAL_WHEN_FULL_REFUSE 0
// The oldest goes, and is reported as dropped.
#define FAL_WHEN_FULL_DROP_OLDEST 1
// Only the newest waits: all others go, and are reported as dropped.
#define FAL_WHEN_FULL_KEEP_NEWEST 2

// Options with every default. NULL only if memory is gone.
FAL_API fal_socket_options *fal_socket_options_new(void);

// Frees options. NULL does nothing.
FAL_API void fal_socket_options_free(fal_socket_options *options);

// How many inputs the service keeps while the app is busy, 1 to 60; the oldest go. By default
// the app decides.
FAL_API fal_status fal_socket_options_set_max_buffering(fal_socket_options *options,
                                                        uint32_t most,
                                                        fal_error **err);

// Opens connections with the Authorization header in place of a short-lived token.
FAL_API fal_status fal_socket_options_set_use_header(fal_socket_options *options,
                                                     bool use_header,
                                                     fal_error **err);

// How long the tokens live that open connections, 1 to 3600 seconds, by default 120. They are
// renewed at 90 % of their life.
FAL_API fal_status fal_socket_options_set_token_seconds(fal_socket_options *options,
                                                        uint32_t seconds,
                                                        fal_error **err);

// How many inputs may wait to be sent, 1 to 65536, by default 64, and what happens to more, a
// FAL_WHEN_FULL_ constant, by default FAL_WHEN_FULL_REFUSE.
FAL_API fal_status fal_socket_options_set_queue(fal_socket_options *options,
                                                size_t most,
                                                fal_when_full when_full,
                                                fal_error **err);

// The most bytes of a message either way; by default 32 MiB, or the client's limit of answers
// if that is less. A larger one that arrives ends the session with FAL_E_TOO_LARGE.
FAL_API fal_status fal_socket_options_set_max_message_bytes(fal_socket_options *options,
                                                            size_t most,
                                                            fal_error **err);

// How often a ping is sent: every so many milliseconds, by default 30000; 0 sends none. Once
// the other side has moved nothing for four times as long, the connection counts as lost; a
// message that comes or goes slowly moves. While the host does not read its events, silence
// does not count.
FAL_API fal_status fal_socket_options_set_ping_ms(fal_socket_options *options,
                                                  uint32_t ping_ms,
                                                  fal_error **err);

/* ==== Realtime ========================================================================================================
 *
 * A session with a realtime app: inputs in, results out, over a WebSocket that is opened anew if
 * it breaks. What happens is told by the events of the session's operation: a FAL_EVENT_MESSAGE
 * for each result, in order, which waits to be read, and FAL_EVENT_CONNECTION with /state
 *
 * "connected", and /request_id if fal gave one; "lost", with /reason and how many inputs were
 * /unanswered: they may or may not have been executed, and are never sent again. Another
 * connection is made, unless that fails again and again; "dropped", with the /count of inputs that
 * were never sent: those that made room for others, and at the end, in whatever way it comes,
 * those that still waited. The counts add up to fal_realtime_unsent().
 *
 * The operation ends well when the host or the app closes the session, its time-out for want of
 * inputs included; the response is JSON with /ended ("closed", "server" or "timeout"),
 * /connections, /sent, /received, /unanswered and /unsent. It fails when the app reports an error.
 * fal does not say which result answers which input, so "unanswered" is an estimate: at least the
 * inputs after which no result came.
 *
 * Messages are MessagePack. In JSON their bytes are {"$bytes": "<base64>"} and their extensions
 * {"$ext": [type, "<base64>"]}, both ways; integers are exact over 64 bits; NaN and the infinities
 * are null; a map's key that is no string is its JSON text; one that is a list, a map or an
 * extension makes the message bytes. fal_event_get_bytes() and fal_request_set_bytes() spare the
 * base64. Text frames are handed over as they are.
 */

// Starts a session with the endpoint of a request; its path, headers and time limit hold, too.
// Without a time limit it lasts a year. The request's input is the first to be sent, unless it
// is empty. options may be NULL, for the defaults. Request and options are copied.
FAL_API fal_status fal_client_realtime_start(const fal_client *client,
                                             const fal_request *request,
                                             const fal_socket_options *options,
                                             fal_realtime **out,
                                             fal_error **err);

// Sends the input of a request, set field by field; nothing else of the request is used. It
// waits its turn; whether it was executed only results tell.
//
// FAL_E_QUEUE_FULL if too many wait and none may be dropped, FAL_E_CLOSED once the session has
// ended or is closing.
FAL_API fal_status fal_realtime_send(const fal_realtime *realtime,
                                     const fal_request *request,
                                     fal_error **err);

// Sends an input, given as JSON text, in the same way.
FAL_API fal_status fal_realtime_send_json(const fal_realtime *realtime,
                                          const char *json,
                                          size_t json_len,
                                          fal_error **err);

// The session's operation, with its events; borrowed from the session, so retain it to keep it
// longer. fal_op_cancel() ends the session at once. NULL for NULL.
FAL_API const fal_op *fal_realtime_op(const fal_realtime *realtime);

// How many inputs were taken and not sent: those that wait now, and those that were dropped.
// Once the session has ended, in whatever way (closed, failed, cancelled, out of time, shut
// down), they are those that never will be. Inputs that may have left do not count; of them
// the events and fal_error_may_have_executed() tell. Any thread; never fails. 0 for NULL, and
// in a forked child.
FAL_API uint64_t fal_realtime_unsent(const fal_realtime *realtime);

// Ends the session once what waits is sent, and returns at once. Results are delivered until
// the app has closed it too. NULL does nothing.
FAL_API void fal_realtime_close(const fal_realtime *realtime);

// One more owner of the session; returns it. NULL gives NULL.
FAL_API fal_realtime *fal_realtime_retain(const fal_realtime *realtime);

// One owner less; the last one closes the session, as fal_realtime_close() does. NULL does
// nothing.
FAL_API void fal_realtime_release(fal_realtime *realtime);

/* ==== WebSockets ======================================================================================================
 *
 * An app's own WebSocket, without a protocol of fal's on top. The events of its operation are
 * those of a realtime session; a message is text, or bytes (fal_event_is_bytes()). The operation
 * ends well when either side closes the connection, and fails with FAL_E_CONNECTION_LOST if it
 * breaks: what a new one would continue only the app knows, so none is made.
 */

// Opens a WebSocket of the endpoint of a request; its path, headers and time limit hold, too,
// its input does not. Without a time limit it lasts a year. options may be NULL, for the
// defaults. Request and options are copied.
FAL_API fal_status fal_client_websocket_start(const fal_client *client,
                                              const fal_request *request,
                                              const fal_socket_options *options,
                                              fal_websocket **out,
                                              fal_error **err);

// Sends a text message. It waits its turn.
//
// FAL_E_QUEUE_FULL if too many wait and none may be dropped, FAL_E_CLOSED once the connection
// has ended or is closing.
FAL_API fal_status fal_websocket_send_text(const fal_websocket *websocket,
                                           const char *text,
                                           size_t text_len,
                                           fal_error **err);

// Sends a binary message, whose bytes are copied, in the same way.
FAL_API fal_status fal_websocket_send_bytes(const fal_websocket *websocket,
                                            const void *data,
                                            size_t data_len,
                                            fal_error **err);

// The connection's operation, with its events; borrowed from the connection, so retain it to
// keep it longer. fal_op_cancel() ends the connection at once. NULL for NULL.
FAL_API const fal_op *fal_websocket_op(const fal_websocket *websocket);

// How many messages were taken and not sent: those that wait now, and those that were dropped.
// Once the connection has ended, in whatever way, they are those that never will be; events
// with the /state "dropped" tell of them, too. Any thread; never fails. 0 for NULL, and in a
// forked child.
FAL_API uint64_t fal_websocket_unsent(const fal_websocket *websocket);

// Closes the connection once what waits is sent, and returns at once. Messages are delivered
// until the app has closed it too. NULL does nothing.
FAL_API void fal_websocket_close(const fal_websocket *websocket);

// One more owner of the connection; returns it. NULL gives NULL.
FAL_API fal_websocket *fal_websocket_retain(const fal_websocket *websocket);

// One owner less; the last one closes the connection, as fal_websocket_close() does. NULL does
// nothing.
FAL_API void fal_websocket_release(fal_websocket *websocket);

/* ==== Channels ========================================================================================================
 *
 * HTTP over WebSocket: the requests of one endpoint over one connection, which is made once for
 * all of them. Answers come in the order of the requests.
 */

// A channel to the endpoint of a request, whose path and headers hold for all requests of the
// channel. Nothing is sent yet: it connects with the first request, and again with the next
// one if the connection has ended meanwhile. The client is kept.
FAL_API fal_status fal_channel_new(const fal_client *client,
                                   const fal_request *request,
                                   fal_channel **out,
                                   fal_error **err);

// How often a ping is sent: every so many milliseconds, by default 30000; 0 sends none. Once
// the other side has moved nothing for four times as long, the connection counts as lost:
// requests under way on it are not sent again, and their outcome is unknown. While the host
// does not read an answer, silence does not count. It holds for every owner of the channel,
// from the next connection on. Any thread.
FAL_API fal_status fal_channel_set_ping_ms(const fal_channel *channel, uint32_t ping_ms, fal_error **err);

// Starts a run over the channel with the input and the time limit of a request to its
// endpoint; its other parts are not used. The outcome is that of fal_client_run_start(); if
// the endpoint streams events, it is that of fal_client_stream_start(), with the same events.
// Cancelling leaves the connection, and the others on it, alone; an answer whose items are not
// read holds up those behind it.
//
// A request is not sent again once it may have been executed.
FAL_API fal_status fal_channel_run_start(const fal_channel *channel,
                                         const fal_request *request,
                                         fal_op **out,
                                         fal_error **err);

// The same, and waits for the answer. Free the response with fal_response_free().
//
// FAL_E_WOULD_DEADLOCK inside a callback.
FAL_API fal_status fal_channel_run(const fal_channel *channel,
                                   const fal_request *request,
                                   fal_response **out,
                                   fal_error **err);

// One more owner of the channel; returns it. NULL gives NULL.
FAL_API fal_channel *fal_channel_retain(const fal_channel *channel);

// One owner less; the connection is closed after the last one, once every answer has come.
// NULL does nothing.
FAL_API void fal_channel_release(fal_channel *channel);

/* ==== Uploads =========================================================================================================
 *
 * Files for models to read: uploaded by themselves, or named in the input of a request and
 * uploaded before it is sent. At most 40 MiB of a file are in memory at once, whatever its size. A
 * file that changes while it is sent is FAL_E_IO, and nothing of it is announced. Paths are UTF-8.
 * An upload that was given to a function is copied and may be changed or freed; one thread at a
 * time may change it.
 */

// How the bytes get to fal: one of the FAL_UPLOAD_ constants.
typedef int32_t fal_upload_way;

// FAL_UPLOAD_SIGNED up to 90 MiB and through a server proxy, else FAL_UPLOAD_SIGNED_PARTS. What a
// callback gives is sent in parts above 10 MiB.
#define FAL_UPLOAD_AUTOMATIC 0
// Announced, then one PUT to a signed address.
#define FAL_UPLOAD_SIGNED 1
// The same at Google's storage.
#define FAL_UPLOAD_SIGNED_GOOGLE 2
// One POST to fal's file host. It is not repeated when the connection breaks.
#define FAL_UPLOAD_DIRECT 3
// Parts of 10 MiB, four at a time, to fal's file host.
#define FAL_UPLOAD_DIRECT_PARTS 4
// Such parts to a signed address.
#define FAL_UPLOAD_SIGNED_PARTS 5
// Such parts, each to a signed address of its own at Google's storage.
#define FAL_UPLOAD_GOOGLE_PARTS 6

// Whether somebody may read a file: one of the FAL_ACCESS_ constants.
typedef int32_t fal_access;

// He may.
#define FAL_ACCESS_ALLOW 0
// He is refused.
#define FAL_ACCESS_FORBID 1
// For him the file does not exist.
#define FAL_ACCESS_HIDE 2

// Puts the next bytes of a content, at most size of them, into buffer and returns how many; 0 at
// the end, below 0 if it fails. It is called on threads that are there for it, one call at a time,
// and may block. There are two for all such callbacks: one that blocks keeps others waiting, and
// no other work of libfal. It must not wait for libfal.
typedef int64_t (*fal_read_callback)(void *user, void *buffer, size_t size);

// Called once when libfal no longer uses what user stands for, on a thread that is there for such
// functions or one of the host's, perhaps during the call that gave it.
typedef void (*fal_release_callback)(void *user);

// The file at a path. It is opened when the upload begins, and has to be a regular file.
FAL_API fal_status fal_upload_new_file(const char *path, size_t path_len, fal_upload **out, fal_error **err);

// Bytes in memory. With a release callback they are not copied: they must not change before it is
// called, which may be after all uploads with them have ended and this one was freed, and happens
// on failure too. Without one (NULL) they are copied.
FAL_API fal_status fal_upload_new_bytes(const void *data,
                                        size_t data_len,
                                        fal_release_callback release,
                                        void *user,
                                        fal_upload **out,
                                        fal_error **err);

// What read gives: size bytes, or all up to its end if size is negative, which only parts and
// FAL_UPLOAD_AUTOMATIC can send. It is read once, so such an upload works once. release may be
// NULL; otherwise it is called when read will not be called again, on failure too.
FAL_API fal_status fal_upload_new_reader(fal_read_callback read,
                                         fal_release_callback release,
                                         void *user,
                                         int64_t size,
                                         fal_upload **out,
                                         fal_error **err);

// Frees an upload. NULL does nothing.
FAL_API void fal_upload_free(fal_upload *upload);

// The content type, such as "image/png". Without one it follows from the name's extension.
FAL_API fal_status fal_upload_set_content_type(fal_upload *upload,
                                               const char *content_type,
                                               size_t content_type_len,
                                               fal_error **err);

// The name that fal is told; folders and odd characters are taken out of it. Without one it is
// the file's own, or made up.
FAL_API fal_status fal_upload_set_file_name(fal_upload *upload,
                                            const char *name,
                                            size_t name_len,
                                            fal_error **err);

// How long fal keeps the file: "immediate" (a minute), "1h", "1d", "7d", "30d", "1y", a number
// of seconds from 1, or "never", which is the account's default, as without it.
FAL_API fal_status fal_upload_set_expires_in(fal_upload *upload,
                                             const char *time,
                                             size_t time_len,
                                             fal_error **err);

// Who may read the file, unless a rule names him; the owner always may. Without it the
// account's default holds.
FAL_API fal_status fal_upload_set_access(fal_upload *upload, fal_access access, fal_error **err);

// What holds for one user, by nickname, once fal_upload_set_access() has said what holds for
// all others. fal ignores users that it does not know.
FAL_API fal_status fal_upload_add_rule(fal_upload *upload,
                                       const char *name,
                                       size_t name_len,
                                       fal_access access,
                                       fal_error **err);

// How the bytes get to fal.
FAL_API fal_status fal_upload_set_way(fal_upload *upload, fal_upload_way way, fal_error **err);

// The time for all of it in milliseconds; by default the client's, else six hours. In the
// input of a request the request's counts.
FAL_API fal_status fal_upload_set_timeout_ms(fal_upload *upload, int64_t timeout_ms, fal_error **err);

// Starts an upload. The response is JSON: /url, which a model can read, /file_name,
// /content_type and /size in bytes. Events of FAL_EVENT_PROGRESS tell how much fal has, or in
// one request how much the connection has taken; they never go back.
//
// What a broken connection has not confirmed is sent again. An upload that is cancelled before
// its last byte has left leaves no file; afterwards it may.
FAL_API fal_status fal_client_upload_start(const fal_client *client,
                                           const fal_upload *upload,
                                           fal_op **out,
                                           fal_error **err);

// The same, and waits for the answer. Free the response with fal_response_free().
//
// FAL_E_WOULD_DEADLOCK inside a callback.
FAL_API fal_status fal_client_upload(const fal_client *client,
                                     const fal_upload *upload,
                                     fal_response **out,
                                     fal_error **err);

// Sets a field of the input to a local file: it is uploaded before the request is sent and
// replaced by its address. The name is as for fal_request_set_string(), and may also name an
// entry of an array. The same file in several fields is uploaded once; the time for the
// request covers it.
FAL_API fal_status fal_request_set_file(fal_request *request,
                                        const char *name,
                                        size_t name_len,
                                        const char *path,
                                        size_t path_len,
                                        fal_error **err);

// The same for bytes in memory, which are copied, of a content type such as "image/png".
FAL_API fal_status fal_request_set_file_bytes(fal_request *request,
                                              const char *name,
                                              size_t name_len,
                                              const void *data,
                                              size_t data_len,
                                              const char *content_type,
                                              size_t content_type_len,
                                              fal_error **err);

// The same for anything that can be uploaded, the way it says. The upload is copied.
FAL_API fal_status fal_request_set_upload(fal_request *request,
                                          const char *name,
                                          size_t name_len,
                                          const fal_upload *upload,
                                          fal_error **err);

// Files of at most so many bytes become data URIs in the input and are not uploaded; fal
// advises against it above a few kilobytes. 0, the default, uploads all.
FAL_API fal_status fal_request_set_inline_files(fal_request *request, uint64_t max_bytes, fal_error **err);

// Replaces the whole body by the content of an upload, of a content type such as "image/png":
// read while it is sent. Nothing else of the upload counts, and it is copied.
FAL_API fal_status fal_request_set_body_upload(fal_request *request,
                                               const fal_upload *upload,
                                               const char *content_type,
                                               size_t content_type_len,
                                               fal_error **err);

/* ==== Downloads =======================================================================================================
 *
 * The files that results name, into memory or onto a disk. A file appears at its path once it is
 * whole: never half a file, and never in place of another unless that is allowed. The output of a
 * run that the disk does not take is in fal_error_body(). What was given to a function is copied
 * and may be changed or freed; one thread at a time may change a download.
 */

// What is at an https address, whoever's it is, or in a "data:" URI. No key goes along.
FAL_API fal_status fal_download_new(const char *url, size_t url_len, fal_download **out, fal_error **err);

// The answer to a request, which is sent as by fal_client_send() or fal_client_run(): with the
// key where the service takes one. The request is copied.
FAL_API fal_status fal_download_new_request(const fal_request *request, fal_download **out, fal_error **err);

// Frees a download. NULL does nothing.
FAL_API void fal_download_free(fal_download *download);

// Writes to a file at this path; into a folder under the name that the server gives, made
// harmless. Without it the bytes are the response's body.
FAL_API fal_status fal_download_set_path(fal_download *download,
                                         const char *path,
                                         size_t path_len,
                                         fal_error **err);

// Whether a file that is there already is replaced. By default it stays, and the download
// fails with FAL_E_IO; a name that the server gives and that is taken in the folder becomes
// another, as in out-1.png. A file that is made while a run is under way does not cost its
// answer: the error says where that is kept. What is wrong with a place is told before
// anything is sent.
FAL_API fal_status fal_download_set_overwrite(fal_download *download, bool overwrite, fal_error **err);

// The most bytes; more is FAL_E_TOO_LARGE. By default of a file any number, in memory the
// client's limit of response bytes.
FAL_API fal_status fal_download_set_max_bytes(fal_download *download, uint64_t max_bytes, fal_error **err);

// Whether to read a restricted file of this account: a token of fal's file hosts, made with
// the key, goes along, to those and to nobody else.
FAL_API fal_status fal_download_set_file_token(fal_download *download, bool file_token, fal_error **err);

// The time for all of it in milliseconds; by default the client's, else six hours.
FAL_API fal_status fal_download_set_timeout_ms(fal_download *download, int64_t timeout_ms, fal_error **err);

// Starts a download. Into memory, the response has the server's headers and the bytes; to a
// file, it is JSON: /path, /file_name, /content_type, /size in bytes and /http_status. Events
// of FAL_EVENT_PROGRESS tell how much has come.
//
// After a connection that breaks, a GET is continued where it ended if the server can tell
// that the file is still the same, else begun anew.
FAL_API fal_status fal_client_download_start(const fal_client *client,
                                             const fal_download *download,
                                             fal_op **out,
                                             fal_error **err);

// The same, and waits for the answer. Free the response with fal_response_free().
//
// FAL_E_WOULD_DEADLOCK inside a callback.
FAL_API fal_status fal_client_download(const fal_client *client,
                                       const fal_download *download,
                                       fal_response **out,
                                       fal_error **err);

/* ==== Platform API ====================================================================================================
 *
 * Every operation of fal's Platform API, by its name, such as "models.pricing"; docs/platform.md
 * lists all 82 with their parameters, and the scope that each needs of the key (docs/protocol.md
 * §14). Parameters are one JSON object, wherever they go: path, query, header or body. They are
 * checked first; what is missing, unknown, of a wrong type or out of bounds is
 * FAL_E_INVALID_ARGUMENT with a message that says what is allowed, and nothing is sent. Requests
 * that fal can tell from repeats are tried again: GET, and what takes an idempotency key, which is
 * made and sent.
 */

// Starts an operation by its name. params is a JSON object; NULL for none. The response is
// what fal sent: JSON, nothing, a file, CSV or text. "serverless.logs.stream" gives each line
// as a FAL_EVENT_ITEM, until it is cancelled.
//
// "keys.create" is refused, since its answer holds a secret: see fal_client_create_key().
FAL_API fal_status fal_client_platform_start(const fal_client *client,
                                             const char *name,
                                             size_t name_len,
                                             const char *params,
                                             size_t params_len,
                                             fal_op **out,
                                             fal_error **err);

// The same, and waits for the answer. Free the response with fal_response_free().
//
// FAL_E_WOULD_DEADLOCK inside a callback.
FAL_API fal_status fal_client_platform(const fal_client *client,
                                       const char *name,
                                       size_t name_len,
                                       const char *params,
                                       size_t params_len,
                                       fal_response **out,
                                       fal_error **err);

// Starts reading a list, such as "keys.list", through all its pages: each element is a
// FAL_EVENT_ITEM. The next page is asked for when the last element before it was read, so a
// list may be longer than the memory. To stop early, cancel the operation and discard its
// events. The parameter "limit" is the size of a page. The client's time holds for each page.
// The lines of "serverless.logs.stream" can be read so too.
//
// FAL_E_PROTOCOL, in the end, if the list would never end: fal gives a page twice, or 1000 in
// a row without an element.
FAL_API fal_status fal_client_platform_list_start(const fal_client *client,
                                                  const char *name,
                                                  size_t name_len,
                                                  const char *params,
                                                  size_t params_len,
                                                  fal_op **out,
                                                  fal_error **err);

// The scope of the key in use, "API" or "ADMIN", if it is known: from fal_client_check(), or from
// what fal answered. NULL if it is not. The string is static.
FAL_API const char *fal_client_known_scope(const fal_client *client, size_t *len);

// Starts making an API key of this name, 1 to 255 characters; the client needs an ADMIN key.
// When the operation of fal_new_key_op() has ended well, the key is in the object; it works at
// once. Its secret comes only this time, and is nowhere else: not in the response, in an error
// or in the log.
//
// It is never asked for twice. If the answer is lost, fal_error_may_have_executed() is true,
// and a key may be there that nobody knows: fal_error_remedy() tells how to find it.
FAL_API fal_status fal_client_create_key_start(const fal_client *client,
                                               const char *alias,
                                               size_t alias_len,
                                               fal_new_key **out,
                                               fal_error **err);

// The same, and waits for the key. Free it with fal_new_key_free().
//
// FAL_E_WOULD_DEADLOCK inside a callback.
FAL_API fal_status fal_client_create_key(const fal_client *client,
                                         const char *alias,
                                         size_t alias_len,
                                         fal_new_key **out,
                                         fal_error **err);

// Frees it, and overwrites the secret. A key that is being made is made nevertheless. NULL
// does nothing.
FAL_API void fal_new_key_free(fal_new_key *key);

// The operation that makes the key; borrowed from it, so retain it to keep it longer. NULL for
// NULL.
FAL_API const fal_op *fal_new_key_op(const fal_new_key *key);

// The public half of the key; NULL before it was made.
FAL_API const char *fal_new_key_id(const fal_new_key *key, size_t *len);

// The whole key, "id:secret": keep it out of logs and files that others read. NULL before it was
// made.
FAL_API const char *fal_new_key_secret(const fal_new_key *key, size_t *len);

// Stores the key in a profile of the configuration file, as fal_credentials_store_key() does;
// the secret does not pass through the host.
FAL_API fal_status fal_new_key_store_in_profile(const fal_new_key *key,
                                                const fal_options *options,
                                                const char *profile,
                                                size_t profile_len,
                                                bool activate,
                                                fal_error **err);

// Stores the key in the system keyring, as fal_keyring_store_key() does; the secret does not
// pass through the host.
FAL_API fal_status fal_new_key_store_in_keyring(const fal_new_key *key,
                                                const char *account,
                                                size_t account_len,
                                                fal_error **err);

// Starts revoking an API key by its id. It stops at once; that there is none of this id is no
// error. The key that the client itself uses is FAL_E_INVALID_ARGUMENT, unless allow_own.
FAL_API fal_status fal_client_revoke_key_start(const fal_client *client,
                                               const char *id,
                                               size_t id_len,
                                               bool allow_own,
                                               fal_op **out,
                                               fal_error **err);

// The same, and waits for the answer, which is empty.
//
// FAL_E_WOULD_DEADLOCK inside a callback.
FAL_API fal_status fal_client_revoke_key(const fal_client *client,
                                         const char *id,
                                         size_t id_len,
                                         bool allow_own,
                                         fal_response **out,
                                         fal_error **err);

/* ==== Webhooks ========================================================================================================
 *
 * A delivery of fal's to the host's own server is believed only once its signature, its time and
 * its body fit: give the raw body and the headers as they arrived, and act on what the verified
 * response holds. It is read by JSON Pointer: "/request_id", "/status" ("OK" or "ERROR"),
 * "/payload/…", "/error" and "/payload_error". Why a request failed, fal_webhook_outcome() tells.
 * A delivery may arrive more than once: "/request_id" tells.
 */

// A delivery with this body, which is copied: the raw bytes as they arrived, before anything
// parsed them. Free it with fal_webhook_free().
FAL_API fal_status fal_webhook_new(const void *body, size_t body_len, fal_webhook **out, fal_error **err);

// Frees a delivery. NULL does nothing.
FAL_API void fal_webhook_free(fal_webhook *webhook);

// Takes note of a header of the delivery, its name in any case. Those that play no part are
// ignored, so that all can be given. What matters: X-Fal-Webhook-Request-Id, -User-Id,
// -Timestamp and -Signature, each once.
FAL_API fal_status fal_webhook_set_header(fal_webhook *webhook,
                                          const char *name,
                                          size_t name_len,
                                          const char *value,
                                          size_t value_len,
                                          fal_error **err);

// Verifies a delivery with a JSON Web Key Set, the text of
// https://rest.fal.ai/.well-known/jwks.json, which may be kept for 24 hours. Uses no network.
// now is the time in Unix seconds; negative: the system's clock.
//
// On success *out holds what was delivered and the headers that were signed with it; free it
// with fal_response_free(). FAL_E_WEBHOOK_INVALID if it is not fal's, was changed, or is more
// than 300 seconds old or early; the message says which. FAL_E_INVALID_ARGUMENT for a text
// that is no key set or has no Ed25519 key.
FAL_API fal_status fal_webhook_verify(const fal_webhook *webhook,
                                      const char *jwks,
                                      size_t jwks_len,
                                      int64_t now,
                                      fal_response **out,
                                      fal_error **err);

// How the request of a verified delivery ended: FAL_OK if it succeeded, else what it failed
// with, as fetching its result would: the code, the fields that were refused, the body and the
// remedy. The HTTP status is the app's where fal tells it. FAL_E_PROTOCOL, without an HTTP
// status, if the body is not as fal documents it.
FAL_API fal_status fal_webhook_outcome(const fal_response *verified, fal_error **err);

// Starts to verify a delivery, which is copied, with fal's own keys. They are fetched without
// a credential and kept for 24 hours at the most; a signature that none of them made has them
// fetched anew, at most once a minute and for 10 seconds at the most. Deliveries that known
// keys verify do not wait for that. What can be refused without a key is refused without a
// request.
//
// The operation's outcome is as for fal_webhook_verify(). If no keys can be had, it is the
// error of the request for them; if only newer ones cannot, it is FAL_E_WEBHOOK_INVALID.
FAL_API fal_status fal_client_verify_webhook_start(const fal_client *client,
                                                   const fal_webhook *webhook,
                                                   fal_op **out,
                                                   fal_error **err);

// The same, and waits for the answer. Free the response with fal_response_free().
//
// FAL_E_WOULD_DEADLOCK inside a callback.
FAL_API fal_status fal_client_verify_webhook(const fal_client *client,
                                             const fal_webhook *webhook,
                                             fal_response **out,
                                             fal_error **err);

/* ==== Dispatcher ======================================================================================================
 *
 * Callbacks on a thread of the host's choice: a game runs the dispatcher once a frame, an event
 * loop when it is woken. A host that polls its operations needs none of this.
 */

// Told that callbacks are ready, on a thread that is there for such functions or one of the
// host's, perhaps on both at once. It should only signal: while it runs, the next call waits.
typedef void (*fal_wake_callback)(void *user);

// An empty dispatcher. NULL only if memory is gone.
FAL_API fal_dispatcher *fal_dispatcher_new(void);

// One more owner of the dispatcher; returns it. NULL gives NULL.
FAL_API fal_dispatcher *fal_dispatcher_retain(const fal_dispatcher *dispatcher);

// One owner less. Callbacks that nobody runs any more are never called: run the dispatcher
// until fal_dispatcher_outstanding() is 0 before you release it. NULL does nothing.
FAL_API void fal_dispatcher_release(fal_dispatcher *dispatcher);

// Calls the callbacks of operations that have ended, here and now on this thread: at most max of
// them, and none is begun once budget_us microseconds are over, but at least one if one is ready.
// *ran, which may be NULL, is how many were called.
//
// FAL_E_WOULD_DEADLOCK inside a callback, FAL_E_FORKED in a child of the process that made the
// dispatcher.
FAL_API fal_status fal_dispatcher_run(const fal_dispatcher *dispatcher,
                                      size_t max,
                                      int64_t budget_us,
                                      size_t *ran,
                                      fal_error **err);

// How many callbacks are accepted and not called yet, whether their operations have ended or
// not; 0 for NULL.
FAL_API size_t fal_dispatcher_outstanding(const fal_dispatcher *dispatcher);

// Has callback called when others become ready, so that an event loop can sleep; one call may
// be for several. NULL ends it. user has to outlive the dispatcher and its operations, and a
// little more: a call that has begun on another thread may go on after the callback is ready,
// replaced or its dispatcher released. None is under way after fal_shutdown() has returned
// FAL_OK.
FAL_API fal_status fal_dispatcher_set_wake(const fal_dispatcher *dispatcher,
                                           fal_wake_callback callback,
                                           void *user,
                                           fal_error **err);

/* ==== Runtime =========================================================================================================
 *
 * The threads that do the work: started by the first call, one runtime per process, none before
 * and, after fal_shutdown(), none any more. A forked child gets a fresh one.
 */

// Called on a thread of the runtime, before and after everything else that runs there: one that
// takes long holds up all that waits for the thread. It must not wait for libfal.
typedef void (*fal_thread_callback)(void *user);

// How many threads do the work, 1 to 64; by default two. Before the first call, or after a
// shutdown; FAL_E_INVALID_ARGUMENT while the runtime is running.
FAL_API fal_status fal_runtime_set_worker_threads(size_t count, fal_error **err);

// Has on_start called on each thread of the runtime when it starts, and on_stop before it
// ends; NULL for neither. Those that call functions of the host's are among them. user has to
// stay valid until the shutdown. When it can be set is as for
// fal_runtime_set_worker_threads().
FAL_API fal_status fal_runtime_set_thread_hooks(fal_thread_callback on_start,
                                                fal_thread_callback on_stop,
                                                void *user,
                                                fal_error **err);

// Waits until every line of the log has been given to its function, at most timeout_ms
// milliseconds; lines that are logged meanwhile count too. fal_shutdown() does the same; a
// program that ends without it would lose its last lines. Without a running runtime it does
// nothing.
//
// With a negative timeout_ms it waits for a function that never returns for ever.
//
// FAL_E_DEADLINE if lines are left then, FAL_E_WOULD_DEADLOCK inside a callback.
FAL_API fal_status fal_log_flush(int64_t timeout_ms, fal_error **err);

// Stops the runtime: refuses new work, ends every operation with FAL_E_SHUT_DOWN, and joins
// every thread. Afterwards the library can be unloaded, or used again: the next call starts a
// new runtime, also with clients made before. Without a running runtime it does nothing.
//
// What has to be finished once it is begun is waited for: the renewal of a login that was
// sent, the cancellation of a job, and the functions of the host's that are called: each line
// of the log is delivered.
//
// Give it a limit: with a negative timeout_ms it waits for a function of the host's that never
// returns for ever.
//
// FAL_E_DEADLINE if that, which is then cut short, or a thread did not end within timeout_ms
// milliseconds; a later call waits for the threads that are left. FAL_E_WOULD_DEADLOCK inside
// a callback. After an error, callbacks that have begun may still be under way, and the
// library must not be unloaded.
//
// Not in DllMain, nor in what runs there: the destructor of a static object in a DLL. Windows
// ends no thread meanwhile, so that this waits for all of timeout_ms and fails. A plug-in
// shuts libfal down before it is unloaded. As the process exits, when its other threads are
// gone, this does nothing and returns FAL_OK. Until a shutdown has succeeded, the library
// stays loaded whatever becomes of the handle it was loaded by.
FAL_API fal_status fal_shutdown(int64_t timeout_ms, fal_error **err);

#ifdef __cplusplus
}
#endif

#endif /* FAL_FAL_H */
