/// @file fal/fal.h
/// The C interface of libfal, a library for fal.ai. C99 and C++. Generated from src/ffi by cbindgen: edit it there.

/// @mainpage libfal for C and C++
///
/// ## From a key to a picture
///
/// A client looks for the key in FAL_KEY, in the file of the official CLI, and in the other places that
/// fal_client_explain() lists. Each function that can fail returns a #fal_status, and explains a failure by a #fal_error.
/// ```c
/// {picture}
/// ```
/// fal_client_run() calls a fast model directly, without fal's queue. fal_request_set_file() gives a model a local file,
/// and fal_client_download() saves a result to a file.
///
/// ## In a frame loop
///
/// fal_client_subscribe() blocks for as long as the model takes. fal_client_subscribe_start() returns at once, with an
/// operation to look at in each frame. Nothing here blocks. `draw` and `show` are the program's own.
/// ```c
/// {frames}
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
/// {callbacks}
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

