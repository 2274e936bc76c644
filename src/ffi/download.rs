//! # Downloads
//!
//! A download saves a file that a result names, to memory or to a disk. A file appears at its path
//! only when it is complete, and replaces another one only if that is allowed. If the output of a
//! run cannot be written to the disk, it is in fal_error_body(). Functions copy the objects that
//! they are given, so these may be changed or freed afterwards. Only one thread at a time may
//! change a download.

use super::client::fal_client;
use super::request::fal_request;
use super::times;
use crate::services::storage::Download;

/// What is downloaded, and where to. Unique; freed with fal_download_free(). Only one thread at a time
/// may change it; several may start operations with it. Operations have a copy.
pub struct fal_download {
    inner: Download,
}

fallible! {
    /// Creates a download of an https URL of any host, or of a "data:" URI. No key is sent. Free it
    /// with fal_download_free().
    fn fal_download_new(url: text[url_len]) -> fal_download {
        fal_download { inner: Download::new(url)? }
    }

    /// Creates a download of the response to a request, which is sent as by fal_client_send() or
    /// fal_client_run(), with the key if the service accepts keys. The request is copied. Free the
    /// download with fal_download_free().
    fn fal_download_new_request(request: &fal_request) -> fal_download {
        fal_download { inner: Download::of_request(request.inner.clone()) }
    }
}

frees! {
    /// Frees a download. NULL is ignored.
    fn fal_download_free(download: *mut fal_download);
}

fallible! {
    /// Sets the file to write. If the path is a folder, the file gets the name that the server
    /// sent, without unsafe characters. By default the bytes are the body of the response.
    fn fal_download_set_path(download: &mut fal_download, path: text[path_len]) {
        download.inner = download.inner.clone().to(path);
    }

    /// Sets whether an existing file is replaced. By default false: the download fails with
    /// FAL_E_IO, or, if the path is a folder, a number is added to the server's name, as in
    /// out-1.png. An unusable path is an error before anything is sent. If a file appears at the
    /// path during a run, the run's output is kept, and the error says where.
    fn fal_download_set_overwrite(download: &mut fal_download, overwrite: bool) {
        download.inner = download.inner.clone().overwrite(overwrite);
    }

    /// Sets the maximum size in bytes; a larger download fails with FAL_E_TOO_LARGE. By default
    /// files are not limited, and downloads to memory have the client's limit of a response body.
    fn fal_download_set_max_bytes(download: &mut fal_download, max_bytes: u64) {
        download.inner = download.inner.clone().max_bytes(max_bytes);
    }

    /// Sets whether to read a restricted file of this account; by default false. A token for fal's
    /// file hosts is created with the key, and sent to these hosts only.
    fn fal_download_set_file_token(download: &mut fal_download, file_token: bool) {
        download.inner = download.inner.clone().with_file_token(file_token);
    }

    /// Sets the timeout of the whole download in milliseconds; by default the
    /// request's for fal_download_new_request(), else the client's, else six hours.
    fn fal_download_set_timeout_ms(download: &mut fal_download, timeout_ms: i64) {
        download.inner = download.inner.clone().timeout(times::longest(timeout_ms)?);
    }
}

operations! {
    /// Starts a download. To memory, the response has the headers and the body that the server
    /// sent; to a file, it is JSON: /path, /file_name, /content_type, /size in bytes and
    /// /http_status. Events of the kind FAL_EVENT_PROGRESS report how much was received.
    ///
    /// If the connection breaks, a GET is resumed if the server can confirm that the file is
    /// unchanged, and is otherwise restarted.
    fn fal_client_download_start(client: &fal_client, download: &fal_download) {
        client.inner.download_start(download.inner.clone())?
    }

    /// Calls fal_client_download_start() and blocks until the response arrives. Free it with
    /// fal_response_free(). FAL_E_WOULD_DEADLOCK inside a callback.
    wait fal_client_download;
}
