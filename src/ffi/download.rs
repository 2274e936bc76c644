//! # Downloads
//!
//! The files that results name, into memory or onto a disk. A file appears at its path once it is
//! whole: never half a file, and never in place of another unless that is allowed. The output of a
//! run that the disk does not take is in fal_error_body(). What was given to a function is copied
//! and may be changed or freed; one thread at a time may change a download.

use std::ffi::c_char;

use super::boundary::{self, Out, status};
use super::client::{call, fal_client, start};
use super::error::fal_error;
use super::op::fal_op;
use super::request::fal_request;
use super::response::fal_response;
use super::status::fal_status;
use super::times;
use crate::error::Result;
use crate::services::storage::Download;

/// What is downloaded, and where to. Unique; freed with fal_download_free().
pub struct fal_download {
    download: Download,
}

/// What is at an https address, whoever's it is, or in a "data:" URI. No key goes along.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_download_new(
    url: *const c_char,
    url_len: usize,
    out: *mut *mut fal_download,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of each pointer.
    status(err, || unsafe {
        let out = Out::object(out, "out")?;
        out.give(fal_download {
            download: Download::new(boundary::text(url, url_len, "url")?)?,
        });
        Ok(())
    })
}

/// The answer to a request, which is sent as by fal_client_send() or fal_client_run(): with the key
/// where the service takes one. The request is copied.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_download_new_request(
    request: *const fal_request,
    out: *mut *mut fal_download,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of each pointer.
    status(err, || unsafe {
        let out = Out::object(out, "out")?;
        let request = boundary::borrow(request, "request")?.copy();
        out.give(fal_download {
            download: Download::of_request(request),
        });
        Ok(())
    })
}

/// Frees a download. NULL does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_download_free(download: *mut fal_download) {
    // SAFETY: the caller owns it.
    unsafe { boundary::free(download) }
}

/// Changes a download by a step that may fail.
///
/// # Safety
/// `download` is NULL or live and used by nobody else.
unsafe fn change(
    download: *mut fal_download,
    err: *mut *mut fal_error,
    step: impl FnOnce(Download) -> Result<Download>,
) -> fal_status {
    status(err, || {
        // SAFETY: by this function's own contract.
        let download = unsafe { boundary::borrow_mut(download, "download") }?;
        download.download = step(download.download.clone())?;
        Ok(())
    })
}

/// Writes to a file at this path; into a folder under the name that the server gives, made
/// harmless. Without it the bytes are the response's body.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_download_set_path(
    download: *mut fal_download,
    path: *const c_char,
    path_len: usize,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of each pointer.
    unsafe {
        change(download, err, |download| {
            Ok(download.to(boundary::text(path, path_len, "path")?))
        })
    }
}

/// Whether a file that is there already is replaced. By default it stays, and the download fails
/// with FAL_E_IO; a name that the server gives and that is taken in the folder becomes another, as
/// in out-1.png. A file that is made while a run is under way does not cost its answer: the error
/// says where that is kept. What is wrong with a place is told before anything is sent.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_download_set_overwrite(
    download: *mut fal_download,
    overwrite: bool,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says.
    unsafe { change(download, err, |download| Ok(download.overwrite(overwrite))) }
}

/// The most bytes; more is FAL_E_TOO_LARGE. By default of a file any number, in memory the client's
/// limit of response bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_download_set_max_bytes(
    download: *mut fal_download,
    max_bytes: u64,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says.
    unsafe { change(download, err, |download| Ok(download.max_bytes(max_bytes))) }
}

/// Whether to read a restricted file of this account: a token of fal's file hosts, made with the
/// key, goes along, to those and to nobody else.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_download_set_file_token(
    download: *mut fal_download,
    file_token: bool,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says.
    unsafe {
        change(download, err, |download| {
            Ok(download.with_file_token(file_token))
        })
    }
}

/// The time for all of it in milliseconds; by default the client's, else six hours.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_download_set_timeout_ms(
    download: *mut fal_download,
    timeout_ms: i64,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says.
    unsafe {
        change(download, err, |download| {
            Ok(download.timeout(times::longest(timeout_ms)?))
        })
    }
}

/// Starts a download. Into memory, the response has the server's headers and the bytes; to a file,
/// it is JSON: /path, /file_name, /content_type, /size in bytes and /http_status. Events of
/// FAL_EVENT_PROGRESS tell how much has come.
///
/// After a connection that breaks, a GET is continued where it ended if the server can tell that
/// the file is still the same, else begun anew.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_client_download_start(
    client: *const fal_client,
    download: *const fal_download,
    out: *mut *mut fal_op,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of each pointer.
    unsafe {
        start(client, out, err, |client| {
            client.download_start(copy(download)?)
        })
    }
}

/// The same, and waits for the answer. Free the response with fal_response_free().
///
/// FAL_E_WOULD_DEADLOCK inside a callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_client_download(
    client: *const fal_client,
    download: *const fal_download,
    out: *mut *mut fal_response,
    err: *mut *mut fal_error,
) -> fal_status {
    // SAFETY: as the header says of each pointer.
    unsafe {
        call(client, out, err, |client| {
            client.download_start(copy(download)?)
        })
    }
}

/// # Safety
/// `download` is NULL or live.
unsafe fn copy(download: *const fal_download) -> Result<Download> {
    // SAFETY: by this function's own contract.
    Ok(unsafe { boundary::borrow(download, "download") }?
        .download
        .clone())
}
