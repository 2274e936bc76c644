//! # Downloads
//!
//! The files that results name, into memory or onto a disk. A file appears at its path once it is
//! whole: never half a file, and never in place of another unless that is allowed. The output of a
//! run that the disk does not take is in fal_error_body(). What was given to a function is copied
//! and may be changed or freed; one thread at a time may change a download.

use super::client::fal_client;
use super::request::fal_request;
use super::times;
use crate::services::storage::Download;

/// What is downloaded, and where to. Unique; freed with fal_download_free().
pub struct fal_download {
    inner: Download,
}

fallible! {
    /// What is at an https address, whoever's it is, or in a "data:" URI. No key goes along.
    fn fal_download_new(url: text[url_len]) -> fal_download {
        fal_download { inner: Download::new(url)? }
    }

    /// The answer to a request, which is sent as by fal_client_send() or fal_client_run(): with the
    /// key where the service takes one. The request is copied.
    fn fal_download_new_request(request: &fal_request) -> fal_download {
        fal_download { inner: Download::of_request(request.inner.clone()) }
    }
}

frees! {
    /// Frees a download. NULL does nothing.
    fn fal_download_free(download: *mut fal_download);
}

fallible! {
    /// Writes to a file at this path; into a folder under the name that the server gives, made
    /// harmless. Without it the bytes are the response's body.
    fn fal_download_set_path(download: &mut fal_download, path: text[path_len]) {
        download.inner = download.inner.clone().to(path);
    }

    /// Whether a file that is there already is replaced. By default it stays, and the download
    /// fails with FAL_E_IO; a name that the server gives and that is taken in the folder becomes
    /// another, as in out-1.png. A file that is made while a run is under way does not cost its
    /// answer: the error says where that is kept. What is wrong with a place is told before
    /// anything is sent.
    fn fal_download_set_overwrite(download: &mut fal_download, overwrite: bool) {
        download.inner = download.inner.clone().overwrite(overwrite);
    }

    /// The most bytes; more is FAL_E_TOO_LARGE. By default of a file any number, in memory the
    /// client's limit of response bytes.
    fn fal_download_set_max_bytes(download: &mut fal_download, max_bytes: u64) {
        download.inner = download.inner.clone().max_bytes(max_bytes);
    }

    /// Whether to read a restricted file of this account: a token of fal's file hosts, made with
    /// the key, goes along, to those and to nobody else.
    fn fal_download_set_file_token(download: &mut fal_download, file_token: bool) {
        download.inner = download.inner.clone().with_file_token(file_token);
    }

    /// The time for all of it in milliseconds; by default the client's, else six hours.
    fn fal_download_set_timeout_ms(download: &mut fal_download, timeout_ms: i64) {
        download.inner = download.inner.clone().timeout(times::longest(timeout_ms)?);
    }
}

operations! {
    /// Starts a download. Into memory, the response has the server's headers and the bytes; to a
    /// file, it is JSON: /path, /file_name, /content_type, /size in bytes and /http_status. Events
    /// of FAL_EVENT_PROGRESS tell how much has come.
    ///
    /// After a connection that breaks, a GET is continued where it ended if the server can tell
    /// that the file is still the same, else begun anew.
    fn fal_client_download_start(client: &fal_client, download: &fal_download) {
        client.inner.download_start(download.inner.clone())?
    }

    /// The same, and waits for the answer. Free the response with fal_response_free().
    ///
    /// FAL_E_WOULD_DEADLOCK inside a callback.
    wait fal_client_download;
}
