//! # Uploads
//!
//! An upload makes a file available to models. It is either an operation of its own, or part of the
//! input of a request, and is then uploaded before the request is sent. At most 40 MiB of a file
//! are in memory at once. A file that changes while it is sent is FAL_E_IO, and nothing is
//! published. Functions copy the upload that they are given, so it may be changed or freed
//! afterwards. Only one thread at a time may change an upload.

use std::ffi::c_void;
use std::io;

use bytes::Bytes;

use super::boundary::{self, Out, copy, no_constant};
use super::client::fal_client;
use super::error::fal_error;
use super::lease::Lease;
use super::options::fal_release_callback;
use super::outcome::status;
use super::request::fal_request;
use super::status::fal_status;
use super::times;
use crate::error::Result;
use crate::request::{Decision, Lifecycle, Upload, UploadWay};

/// What is uploaded, and how. Unique; freed with fal_upload_free(). Only one thread at a time may change
/// it; several may start operations with it, which have a copy.
pub struct fal_upload {
    inner: Upload,
    lifecycle: Lifecycle,
}

impl fal_upload {
    fn new(inner: Upload) -> Self {
        fal_upload {
            inner,
            lifecycle: Lifecycle::new(),
        }
    }

    fn copy(&self) -> Upload {
        self.inner.clone().lifecycle(self.lifecycle.clone())
    }
}

/// How the bytes are sent to fal: see fal_upload_set_way().
pub type fal_upload_way = i32;
/// FAL_UPLOAD_SIGNED for files up to 90 MiB and with a server proxy, else FAL_UPLOAD_SIGNED_PARTS.
/// Data from a read callback is sent in parts if it is larger than 10 MiB.
pub const FAL_UPLOAD_AUTOMATIC: fal_upload_way = 0;
/// One PUT to a signed URL, which fal creates first.
pub const FAL_UPLOAD_SIGNED: fal_upload_way = 1;
/// One PUT to a signed URL of Google's storage, which fal creates first.
pub const FAL_UPLOAD_SIGNED_GOOGLE: fal_upload_way = 2;
/// One POST to fal's file host. It is not repeated if the connection breaks.
pub const FAL_UPLOAD_DIRECT: fal_upload_way = 3;
/// Parts of 10 MiB, four at a time, to fal's file host.
pub const FAL_UPLOAD_DIRECT_PARTS: fal_upload_way = 4;
/// Parts of 10 MiB, four at a time, to a signed URL.
pub const FAL_UPLOAD_SIGNED_PARTS: fal_upload_way = 5;
/// Parts of 10 MiB, four at a time, each to its own signed URL of Google's storage.
pub const FAL_UPLOAD_GOOGLE_PARTS: fal_upload_way = 6;

/// Whether a file may be read: see fal_upload_set_access().
pub type fal_access = i32;
/// The file may be read.
pub const FAL_ACCESS_ALLOW: fal_access = 0;
/// Access is denied (HTTP 403).
pub const FAL_ACCESS_FORBID: fal_access = 1;
/// The file appears not to exist (HTTP 404).
pub const FAL_ACCESS_HIDE: fal_access = 2;

/// Writes the next bytes of the content, at most size, into buffer. Returns how many bytes it
/// wrote, 0 at the end, or a negative number if reading failed. It runs on one of two threads of
/// libfal that run only such callbacks, one call at a time for each upload. It may block, which
/// delays other read callbacks but no other work of libfal. It must not wait for libfal.
pub type fal_read_callback =
    Option<unsafe extern "C" fn(buffer: *mut c_void, size: usize, user: *mut c_void) -> i64>;

/// Memory of the host.
struct Borrowed {
    data: *const u8,
    len: usize,
    _lease: Lease,
}

// SAFETY: by the header's contract, any thread may read the memory until it is released.
unsafe impl Send for Borrowed {}

impl AsRef<[u8]> for Borrowed {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: `fal_upload_new_bytes` checked it, and it is valid until it is released.
        unsafe { boundary::bytes(self.data.cast(), self.len, "data") }.unwrap_or_default()
    }
}

/// A read callback of the host.
struct HostReader {
    read: unsafe extern "C" fn(*mut c_void, usize, *mut c_void) -> i64,
    lease: Lease,
}

impl io::Read for HostReader {
    fn read(&mut self, piece: &mut [u8]) -> io::Result<usize> {
        // SAFETY: the host passed this callback for these arguments, and `piece` is writable.
        let got = unsafe { (self.read)(piece.as_mut_ptr().cast(), piece.len(), self.lease.user()) };
        match usize::try_from(got) {
            Ok(got) if got <= piece.len() => Ok(got),
            Ok(_) => Err(io::Error::other(
                "the read callback returned more than the size of the buffer",
            )),
            Err(_) => Err(io::Error::other(format!(
                "the read callback returned {got}"
            ))),
        }
    }
}

fallible! {
    /// Creates an upload of the file at a path. The file is opened when the upload starts, and must
    /// be a regular file. Free the upload with fal_upload_free().
    fn fal_upload_new_file(path: text[path_len]) -> fal_upload {
        fal_upload::new(Upload::file(path))
    }
}

/// Creates an upload of bytes in memory. If release is NULL, the bytes are copied. Otherwise they
/// are borrowed: they must stay unchanged until release is called, which may be after this upload
/// was freed and all operations with it have ended. release is also called if this function fails.
/// Free the upload with fal_upload_free().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_upload_new_bytes(
    data: *const c_void,
    data_len: usize,
    release: fal_release_callback,
    user: *mut c_void,
    out: *mut *mut fal_upload,
    err: *mut *mut fal_error,
) -> fal_status {
    let lease = Lease::new(release, user);
    // SAFETY: as the header says of each pointer.
    status(err, || unsafe {
        let out = Out::object(out, "out")?;
        let bytes = boundary::bytes(data, data_len, "data")?;
        let bytes = match release {
            Some(_) => Bytes::from_owner(Borrowed {
                data: bytes.as_ptr(),
                len: bytes.len(),
                _lease: lease,
            }),
            None => copy(bytes)?,
        };
        out.give(fal_upload::new(Upload::bytes(bytes)));
        Ok(())
    })
}

/// Creates an upload of the bytes that read returns: exactly size bytes, or all up to its end if
/// size is negative, which only FAL_UPLOAD_AUTOMATIC and parts can send. The bytes are read once,
/// so one operation can use the upload, and another fails with FAL_E_INVALID_ARGUMENT. release, which may be NULL, is called when read will not be
/// called again, also if this function fails. Free the upload with fal_upload_free().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_upload_new_reader(
    size: i64,
    read: fal_read_callback,
    release: fal_release_callback,
    user: *mut c_void,
    out: *mut *mut fal_upload,
    err: *mut *mut fal_error,
) -> fal_status {
    let lease = Lease::new(release, user);
    // SAFETY: as the header says of each pointer.
    status(err, || unsafe {
        let out = Out::object(out, "out")?;
        let read = read.ok_or_else(|| boundary::null("read"))?;
        let reader = HostReader { read, lease };
        out.give(fal_upload::new(Upload::reader(
            reader,
            u64::try_from(size).ok(),
        )));
        Ok(())
    })
}

frees! {
    /// Frees an upload. NULL is ignored.
    fn fal_upload_free(upload: *mut fal_upload);
}

fallible! {
    /// Sets the content type, such as "image/png". By default it is derived from the extension of
    /// the file name.
    fn fal_upload_set_content_type(upload: &mut fal_upload, content_type: text[content_type_len]) {
        upload.inner = upload.inner.clone().content_type(content_type)?;
    }

    /// Sets the file name that is sent to fal, without its folders and without unsafe characters.
    /// By default it is the name of the file, or a generated one.
    fn fal_upload_set_file_name(upload: &mut fal_upload, name: text[name_len]) {
        upload.inner = upload.inner.clone().file_name(name);
    }

    /// Sets how long fal keeps the file: "immediate" (one minute), "1h", "1d", "7d", "30d", "1y", a
    /// number of seconds from 1, or "never", the default, which means the default of the account.
    fn fal_upload_set_expires_in(upload: &mut fal_upload, time: text[time_len]) {
        upload.lifecycle = upload.lifecycle.clone().expires_in(time)?;
    }

    /// Sets whether users for whom there is no rule may read the file; its owner always may. By
    /// default the account's setting applies.
    fn fal_upload_set_access(upload: &mut fal_upload, access: fal_access) {
        upload.lifecycle = upload.lifecycle.clone().access(decision(access)?);
    }

    /// Adds a rule for one user, given by nickname. FAL_E_INVALID_ARGUMENT if
    /// fal_upload_set_access() was not called before. fal ignores unknown users.
    fn fal_upload_add_rule(upload: &mut fal_upload, name: text[name_len], access: fal_access) {
        upload.lifecycle = upload.lifecycle.clone().rule(name, decision(access)?)?;
    }

    /// Sets how the bytes are sent to fal; by default FAL_UPLOAD_AUTOMATIC.
    fn fal_upload_set_way(upload: &mut fal_upload, way: fal_upload_way) {
        let found = UploadWay::ALL.iter().find(|known| **known as i32 == way);
        let way = found.ok_or_else(|| no_constant("way", "FAL_UPLOAD_", way))?;
        upload.inner = upload.inner.clone().way(*way);
    }

    /// Sets the timeout of the whole upload in milliseconds; by default the client's, else six
    /// hours. For an upload in the input of a request, the request's timeout applies instead.
    fn fal_upload_set_timeout_ms(upload: &mut fal_upload, timeout_ms: i64) {
        upload.inner = upload.inner.clone().timeout(times::longest(timeout_ms)?);
    }
}

fn decision(access: fal_access) -> Result<Decision> {
    match access {
        FAL_ACCESS_ALLOW => Ok(Decision::Allow),
        FAL_ACCESS_FORBID => Ok(Decision::Forbid),
        FAL_ACCESS_HIDE => Ok(Decision::Hide),
        _ => Err(no_constant("access", "FAL_ACCESS_", access)),
    }
}

operations! {
    /// Starts an upload. The response is JSON: /url, which models can read, /file_name,
    /// /content_type and /size in bytes. Events of the kind FAL_EVENT_PROGRESS report how much fal
    /// has received, or for a single request how much was written to the connection; the number
    /// never decreases.
    ///
    /// Data that was not confirmed when a connection broke is sent again. An upload that is
    /// cancelled before its last byte was sent leaves no file; one that is cancelled later may
    /// leave it.
    fn fal_client_upload_start(client: &fal_client, upload: &fal_upload) {
        client.inner.upload_start(upload.copy())?
    }

    /// Calls fal_client_upload_start() and blocks until the response arrives. Free it with
    /// fal_response_free(). FAL_E_WOULD_DEADLOCK inside a callback.
    wait fal_client_upload;
}

fallible! {
    /// Sets a field of the input to a local file. The file is uploaded before the request is sent,
    /// within the request's timeout, and its URL becomes the value of the field. name is as in
    /// fal_request_set_string(), and may also name an element of an array. A file that is set for
    /// several fields is uploaded once.
    fn fal_request_set_file(
        request: &mut fal_request,
        name: text[name_len],
        path: text[path_len],
    ) {
        request.inner.set_file(name, path)?;
    }

    /// Sets a field of the input to a file whose content is bytes in memory, which are copied, of a
    /// content type such as "image/png". Otherwise as fal_request_set_file().
    fn fal_request_set_file_bytes(
        request: &mut fal_request,
        name: text[name_len],
        data: bytes[data_len],
        content_type: text[content_type_len],
    ) {
        request.inner.set_file_bytes(name, copy(data)?, content_type)?;
    }

    /// Sets a field of the input to a file that is uploaded as the upload says. The upload is
    /// copied. Otherwise as fal_request_set_file().
    fn fal_request_set_upload(
        request: &mut fal_request,
        name: text[name_len],
        upload: &fal_upload,
    ) {
        request.inner.set_upload(name, upload.copy())?;
    }

    /// Sets the size in bytes up to which files of the input become data URIs in it instead of
    /// uploads. fal advises against data URIs of more than a few kilobytes. The default is 0: all
    /// files are uploaded.
    fn fal_request_set_inline_files(request: &mut fal_request, max_bytes: u64) {
        request.inner.set_inline_files(max_bytes);
    }

    /// Replaces the whole body by the content of an upload, which is read while the request is
    /// sent, and sets its content type, such as "image/png". Other settings of the upload are
    /// ignored. The upload is copied.
    fn fal_request_set_body_upload(
        request: &mut fal_request,
        upload: &fal_upload,
        content_type: text[content_type_len],
    ) {
        request.inner.set_body_of(upload.copy(), content_type)?;
    }
}
