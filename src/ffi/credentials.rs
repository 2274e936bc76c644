//! # Credentials
//!
//! Where a key comes from. Looking for it reads variables and files, uses no network, and happens
//! only when asked for. Every source is listed, in the order in which it is tried. Secrets are in
//! none of the strings: a key appears as its public id. Strings are borrowed from the
//! fal_credentials that they came from.

use std::ffi::c_char;
use std::ptr;

use super::boundary::{self, Out, plain, status};
use super::error::fal_error;
use super::options::fal_options;
use super::status::{FAL_OK, fal_status};
use super::texts::{Texts, set_len};
use crate::auth::denied;
use crate::credentials::{Resolution, SourceReport};

/// What became of every source of a key. Immutable: several threads may read it at once.
pub struct fal_credentials {
    resolution: Resolution,
    texts: Texts,
}

impl fal_credentials {
    pub(super) fn new(resolution: Resolution) -> Self {
        fal_credentials {
            resolution,
            texts: Texts::default(),
        }
    }
}

/// One of the strings of a resolution that may be NULL.
///
/// # Safety
/// `credentials` is NULL or live; `len` is NULL or writable.
unsafe fn string(
    credentials: *const fal_credentials,
    name: &str,
    len: *mut usize,
    get: impl FnOnce(&Resolution) -> Option<String>,
) -> *const c_char {
    // SAFETY: by this function's own contract.
    plain(ptr::null(), || unsafe {
        match credentials.as_ref() {
            Some(credentials) => credentials
                .texts
                .get(name, len, || get(&credentials.resolution)),
            None => {
                set_len(len, 0);
                ptr::null()
            }
        }
    })
}

/// One of the strings of the source at `index`.
///
/// # Safety
/// As for [`string`].
unsafe fn source_string(
    credentials: *const fal_credentials,
    what: &str,
    index: usize,
    len: *mut usize,
    get: impl FnOnce(&SourceReport) -> Option<String>,
) -> *const c_char {
    let name = format!("{what} {index}");
    // SAFETY: by this function's own contract.
    unsafe {
        string(credentials, &name, len, |resolution| {
            resolution.sources().get(index).and_then(get)
        })
    }
}

/// Looks for a key as a client with these options would (options: NULL for the defaults) and
/// reports every source. That no key is there is not an error here: see fal_credentials_status().
///
/// Free the result with fal_credentials_free().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_credentials_explain(
    options: *const fal_options,
    out: *mut *mut fal_credentials,
    err: *mut *mut fal_error,
) -> fal_status {
    status(err, || {
        // SAFETY: NULL or writable, by the header's contract.
        let out = unsafe { Out::object(out, "out") }?;
        // SAFETY: NULL or live, by the header's contract.
        let client = unsafe { super::options::client(options) }?;
        out.give(fal_credentials::new(client.explain()));
        Ok(())
    })
}

/// The same, but fails with FAL_E_NO_CREDENTIALS or FAL_E_MALFORMED_CREDENTIALS unless a credential
/// was found; the error then carries the report (fal_error_credentials()).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_credentials_resolve(
    options: *const fal_options,
    out: *mut *mut fal_credentials,
    err: *mut *mut fal_error,
) -> fal_status {
    status(err, || {
        // SAFETY: NULL or writable, by the header's contract.
        let out = unsafe { Out::object(out, "out") }?;
        // SAFETY: NULL or live, by the header's contract.
        let client = unsafe { super::options::client(options) }?;
        out.give(fal_credentials::new(client.resolve()?));
        Ok(())
    })
}

/// Frees a report. NULL does nothing. A report that belongs to an error must not be freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_credentials_free(credentials: *mut fal_credentials) {
    // SAFETY: the caller owns it.
    unsafe { boundary::free(credentials) }
}

/// FAL_OK if a credential was found, FAL_E_NO_CREDENTIALS or FAL_E_MALFORMED_CREDENTIALS if not,
/// FAL_E_INVALID_ARGUMENT for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_credentials_status(credentials: *const fal_credentials) -> fal_status {
    plain(super::status::FAL_E_PANIC, || {
        // SAFETY: NULL or live, by the header's contract.
        match unsafe { credentials.as_ref() } {
            None => super::status::FAL_E_INVALID_ARGUMENT,
            Some(credentials) => {
                denied::problem_code(&credentials.resolution).map_or(FAL_OK, |code| code.number())
            }
        }
    })
}

/// The whole report as JSON text: `{"used": {…} or null, "sources": [{"source", "state",
/// "location", "key_id", "notes"}], "problem": {…} or null}`. NULL for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_credentials_json(
    credentials: *const fal_credentials,
    len: *mut usize,
) -> *const c_char {
    // SAFETY: NULL or live, by the header's contract.
    unsafe {
        string(credentials, "json", len, |resolution| {
            Some(resolution.to_json().to_string())
        })
    }
}

/// The whole report as a table for people, several lines long. NULL for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_credentials_table(
    credentials: *const fal_credentials,
    len: *mut usize,
) -> *const c_char {
    // SAFETY: NULL or live, by the header's contract.
    unsafe {
        string(credentials, "table", len, |resolution| {
            Some(resolution.to_string())
        })
    }
}

/// The public id of the key in use; NULL if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_credentials_key_id(
    credentials: *const fal_credentials,
    len: *mut usize,
) -> *const c_char {
    // SAFETY: NULL or live, by the header's contract.
    unsafe {
        string(credentials, "key id", len, |resolution| {
            resolution.used()?.key_id.clone()
        })
    }
}

/// The source of the credential in use, such as "FAL_KEY"; NULL if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_credentials_source(
    credentials: *const fal_credentials,
    len: *mut usize,
) -> *const c_char {
    // SAFETY: NULL or live, by the header's contract.
    unsafe {
        string(credentials, "source", len, |resolution| {
            Some(resolution.used()?.source.to_owned())
        })
    }
}

/// How many sources the report lists; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_credentials_source_count(
    credentials: *const fal_credentials,
) -> usize {
    plain(0, || {
        // SAFETY: NULL or live, by the header's contract.
        unsafe { credentials.as_ref() }
            .map_or(0, |credentials| credentials.resolution.sources().len())
    })
}

/// The name of the source at an index from 0; NULL past the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_credentials_source_name(
    credentials: *const fal_credentials,
    index: usize,
    len: *mut usize,
) -> *const c_char {
    // SAFETY: NULL or live, by the header's contract.
    unsafe {
        source_string(credentials, "name", index, len, |source| {
            Some(source.source.to_owned())
        })
    }
}

/// What became of the source: "used", "shadowed", "absent", "malformed", "skipped", or, once it was
/// asked for a key and gave none, "failed"; NULL past the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_credentials_source_state(
    credentials: *const fal_credentials,
    index: usize,
    len: *mut usize,
) -> *const c_char {
    // SAFETY: NULL or live, by the header's contract.
    unsafe {
        source_string(credentials, "state", index, len, |source| {
            Some(source.state.to_string())
        })
    }
}

/// Where the source is: a variable, a file and line, a profile; NULL if there is no such place.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_credentials_source_location(
    credentials: *const fal_credentials,
    index: usize,
    len: *mut usize,
) -> *const c_char {
    // SAFETY: NULL or live, by the header's contract.
    unsafe {
        source_string(credentials, "location", index, len, |source| {
            source.location.clone()
        })
    }
}

/// The public id of the key that the source holds; NULL if it holds none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_credentials_source_key_id(
    credentials: *const fal_credentials,
    index: usize,
    len: *mut usize,
) -> *const c_char {
    // SAFETY: NULL or live, by the header's contract.
    unsafe {
        source_string(credentials, "source key id", index, len, |source| {
            source.key_id.clone()
        })
    }
}

/// Remarks on the source, one a line: why it is malformed, that another key is there, that others
/// can read the file; NULL if there are none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_credentials_source_notes(
    credentials: *const fal_credentials,
    index: usize,
    len: *mut usize,
) -> *const c_char {
    let notes =
        |source: &SourceReport| Some(source.notes.join("\n")).filter(|notes| !notes.is_empty());
    // SAFETY: NULL or live, by the header's contract.
    unsafe { source_string(credentials, "notes", index, len, notes) }
}
