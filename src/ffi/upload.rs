//! # Uploads
//!
//! Files for models to read: uploaded by themselves, or named in the input of a request and
//! uploaded before it is sent. At most 40 MiB of a file are in memory at once, whatever its size. A
//! file that changes while it is sent is FAL_E_IO, and nothing of it is announced. Paths are UTF-8.
//! An upload that was given to a function is copied and may be changed or freed; one thread at a
//! time may change it.

use std::ffi::c_void;
use std::io;

use bytes::Bytes;

use super::boundary::{self, Out, User, copy};
use super::client::fal_client;
use super::error::fal_error;
use super::outcome::status;
use super::request::fal_request;
use super::status::fal_status;
use super::times;
use crate::error::{Error, Result};
use crate::request::{Decision, Lifecycle, Upload, UploadWay};

/// What is uploaded, and how. Unique; freed with fal_upload_free().
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

/// How the bytes get to fal: one of the FAL_UPLOAD_ constants.
pub type fal_upload_way = i32;
/// FAL_UPLOAD_SIGNED up to 90 MiB and through a server proxy, else FAL_UPLOAD_SIGNED_PARTS. What a
/// callback gives is sent in parts above 10 MiB.
pub const FAL_UPLOAD_AUTOMATIC: i32 = 0;
/// Announced, then one PUT to a signed address.
pub const FAL_UPLOAD_SIGNED: i32 = 1;
/// The same at Google's storage.
pub const FAL_UPLOAD_SIGNED_GOOGLE: i32 = 2;
/// One POST to fal's file host. It is not repeated when the connection breaks.
pub const FAL_UPLOAD_DIRECT: i32 = 3;
/// Parts of 10 MiB, four at a time, to fal's file host.
pub const FAL_UPLOAD_DIRECT_PARTS: i32 = 4;
/// Such parts to a signed address.
pub const FAL_UPLOAD_SIGNED_PARTS: i32 = 5;
/// Such parts, each to a signed address of its own at Google's storage.
pub const FAL_UPLOAD_GOOGLE_PARTS: i32 = 6;

/// Whether somebody may read a file: one of the FAL_ACCESS_ constants.
pub type fal_access = i32;
/// He may.
pub const FAL_ACCESS_ALLOW: i32 = 0;
/// He is refused.
pub const FAL_ACCESS_FORBID: i32 = 1;
/// For him the file does not exist.
pub const FAL_ACCESS_HIDE: i32 = 2;

/// Puts the next bytes of a content, at most size of them, into buffer and returns how many; 0 at
/// the end, below 0 if it fails. It is called on threads that are there for it, one call at a time,
/// and may block. There are two for all such callbacks: one that blocks keeps others waiting, and
/// no other work of libfal. It must not wait for libfal.
pub type fal_read_callback =
    Option<unsafe extern "C" fn(user: *mut c_void, buffer: *mut c_void, size: usize) -> i64>;

/// Called once when libfal no longer uses what user stands for, on a thread that is there for such
/// functions or one of the host's, perhaps during the call that gave it.
pub type fal_release_callback = Option<unsafe extern "C" fn(user: *mut c_void)>;

/// What the host lends to libfal.
struct Lease {
    user: User,
    release: fal_release_callback,
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: the host gave this callback for this argument; it is called once.
            unsafe { release(self.user.get()) }
        }
    }
}

/// Memory of the host's.
struct Borrowed {
    data: *const u8,
    len: usize,
    _lease: Lease,
}

// SAFETY: the host promised that the memory may be read on any thread until it is released.
unsafe impl Send for Borrowed {}

impl AsRef<[u8]> for Borrowed {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: checked by `boundary::bytes` when it was given, and not changed or freed before
        // it is released.
        unsafe { boundary::bytes(self.data.cast(), self.len, "data") }.unwrap_or_default()
    }
}

/// A reader of the host's.
struct HostReader {
    read: unsafe extern "C" fn(*mut c_void, *mut c_void, usize) -> i64,
    lease: Lease,
}

impl io::Read for HostReader {
    fn read(&mut self, piece: &mut [u8]) -> io::Result<usize> {
        // SAFETY: the host gave this callback for these arguments, and `piece` is writable for its
        // length.
        let got = unsafe {
            (self.read)(
                self.lease.user.get(),
                piece.as_mut_ptr().cast(),
                piece.len(),
            )
        };
        match usize::try_from(got) {
            Ok(got) if got <= piece.len() => Ok(got),
            Ok(_) => Err(io::Error::other(
                "the callback says that it gave more than there was room for",
            )),
            Err(_) => Err(io::Error::other(format!("the callback returned {got}"))),
        }
    }
}

fallible! {
    /// The file at a path. It is opened when the upload begins, and has to be a regular file.
    fn fal_upload_new_file(path: text[path_len]) -> fal_upload {
        fal_upload::new(Upload::file(path))
    }
}

/// Bytes in memory. With a release callback they are not copied: they must not change before it is
/// called, which may be after all uploads with them have ended and this one was freed, and happens
/// on failure too. Without one (NULL) they are copied.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_upload_new_bytes(
    data: *const c_void,
    data_len: usize,
    release: fal_release_callback,
    user: *mut c_void,
    out: *mut *mut fal_upload,
    err: *mut *mut fal_error,
) -> fal_status {
    let lease = Lease {
        user: User::new(user),
        release,
    };
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

/// What read gives: size bytes, or all up to its end if size is negative, which only parts and
/// FAL_UPLOAD_AUTOMATIC can send. It is read once, so such an upload works once. release may be
/// NULL; otherwise it is called when read will not be called again, on failure too.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_upload_new_reader(
    read: fal_read_callback,
    release: fal_release_callback,
    user: *mut c_void,
    size: i64,
    out: *mut *mut fal_upload,
    err: *mut *mut fal_error,
) -> fal_status {
    let lease = Lease {
        user: User::new(user),
        release,
    };
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
    /// Frees an upload. NULL does nothing.
    fn fal_upload_free(upload: *mut fal_upload);
}

fallible! {
    /// The content type, such as "image/png". Without one it follows from the name's extension.
    fn fal_upload_set_content_type(upload: &mut fal_upload, content_type: text[content_type_len]) {
        upload.inner = upload.inner.clone().content_type(content_type)?;
    }

    /// The name that fal is told; folders and odd characters are taken out of it. Without one it is
    /// the file's own, or made up.
    fn fal_upload_set_file_name(upload: &mut fal_upload, name: text[name_len]) {
        upload.inner = upload.inner.clone().file_name(name);
    }

    /// How long fal keeps the file: "immediate" (a minute), "1h", "1d", "7d", "30d", "1y", a number
    /// of seconds from 1, or "never", which is the account's default, as without it.
    fn fal_upload_set_expires_in(upload: &mut fal_upload, time: text[time_len]) {
        upload.lifecycle = upload.lifecycle.clone().expires_in(time)?;
    }

    /// Who may read the file, unless a rule names him; the owner always may. Without it the
    /// account's default holds.
    fn fal_upload_set_access(upload: &mut fal_upload, access: fal_access) {
        upload.lifecycle = upload.lifecycle.clone().access(decision(access)?);
    }

    /// What holds for one user, by nickname, once fal_upload_set_access() has said what holds for
    /// all others. fal ignores users that it does not know.
    fn fal_upload_add_rule(upload: &mut fal_upload, name: text[name_len], access: fal_access) {
        upload.lifecycle = upload.lifecycle.clone().rule(name, decision(access)?)?;
    }

    /// How the bytes get to fal.
    fn fal_upload_set_way(upload: &mut fal_upload, way: fal_upload_way) {
        let found = UploadWay::ALL.iter().find(|known| **known as i32 == way);
        let way = found.ok_or_else(|| Error::invalid(format!("{way} is not a way of uploading")))?;
        upload.inner = upload.inner.clone().way(*way);
    }

    /// The time for all of it in milliseconds; by default the client's, else six hours. In the
    /// input of a request the request's counts.
    fn fal_upload_set_timeout_ms(upload: &mut fal_upload, timeout_ms: i64) {
        upload.inner = upload.inner.clone().timeout(times::longest(timeout_ms)?);
    }
}

fn decision(access: fal_access) -> Result<Decision> {
    match access {
        FAL_ACCESS_ALLOW => Ok(Decision::Allow),
        FAL_ACCESS_FORBID => Ok(Decision::Forbid),
        FAL_ACCESS_HIDE => Ok(Decision::Hide),
        _ => Err(Error::invalid(format!(
            "{access} is not a FAL_ACCESS_ constant"
        ))),
    }
}

operations! {
    /// Starts an upload. The response is JSON: /url, which a model can read, /file_name,
    /// /content_type and /size in bytes. Events of FAL_EVENT_PROGRESS tell how much fal has, or in
    /// one request how much the connection has taken; they never go back.
    ///
    /// What a broken connection has not confirmed is sent again. An upload that is cancelled before
    /// its last byte has left leaves no file; afterwards it may.
    fn fal_client_upload_start(client: &fal_client, upload: &fal_upload) {
        client.inner.upload_start(upload.copy())?
    }

    /// The same, and waits for the answer. Free the response with fal_response_free().
    ///
    /// FAL_E_WOULD_DEADLOCK inside a callback.
    wait fal_client_upload;
}

fallible! {
    /// Sets a field of the input to a local file: it is uploaded before the request is sent and
    /// replaced by its address. The name is as for fal_request_set_string(), and may also name an
    /// entry of an array. The same file in several fields is uploaded once; the time for the
    /// request covers it.
    fn fal_request_set_file(
        request: &mut fal_request,
        name: text[name_len],
        path: text[path_len],
    ) {
        request.inner.set_file(name, path)?;
    }

    /// The same for bytes in memory, which are copied, of a content type such as "image/png".
    fn fal_request_set_file_bytes(
        request: &mut fal_request,
        name: text[name_len],
        data: bytes[data_len],
        content_type: text[content_type_len],
    ) {
        request.inner.set_file_bytes(name, copy(data)?, content_type)?;
    }

    /// The same for anything that can be uploaded, the way it says. The upload is copied.
    fn fal_request_set_upload(
        request: &mut fal_request,
        name: text[name_len],
        upload: &fal_upload,
    ) {
        request.inner.set_upload(name, upload.copy())?;
    }

    /// Files of at most so many bytes become data URIs in the input and are not uploaded; fal
    /// advises against it above a few kilobytes. 0, the default, uploads all.
    fn fal_request_set_inline_files(request: &mut fal_request, max_bytes: u64) {
        request.inner.set_inline_files(max_bytes);
    }

    /// Replaces the whole body by the content of an upload, of a content type such as "image/png":
    /// read while it is sent. Nothing else of the upload counts, and it is copied.
    fn fal_request_set_body_upload(
        request: &mut fal_request,
        upload: &fal_upload,
        content_type: text[content_type_len],
    ) {
        request.inner.set_body_of(upload.copy(), content_type)?;
    }
}
