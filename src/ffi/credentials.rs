//! # Credentials
//!
//! A report lists every source of a key, in the order in which they are tried. Looking for a key
//! reads environment variables and files, uses no network, and happens only on request. Strings are
//! borrowed from the report and contain no secret: a key appears as its public id.

use super::options::{self, fal_options};
use super::report::fal_credentials;
use super::status::{FAL_E_INVALID_ARGUMENT, FAL_E_PANIC, FAL_OK, fal_status};
use crate::auth::denied;

fallible! {
    /// Looks for a key as a client with these options would, and reports the state of every source.
    /// options may be NULL for the defaults. It succeeds even if no source has a key: see
    /// fal_credentials_status().
    ///
    /// Free the report with fal_credentials_free().
    fn fal_credentials_explain(options: Option<&fal_options>) -> fal_credentials {
        fal_credentials::new(options::client(options)?.explain())
    }

    /// Looks for a key and reports the sources as fal_credentials_explain() does, but fails with
    /// FAL_E_NO_CREDENTIALS or FAL_E_MALFORMED_CREDENTIALS if no usable credential is found. The
    /// error then carries the report: see fal_error_credentials().
    fn fal_credentials_resolve(options: Option<&fal_options>) -> fal_credentials {
        fal_credentials::new(options::client(options)?.resolve()?)
    }
}

frees! {
    /// Frees a report. NULL is ignored. A report that belongs to an error must not be freed.
    fn fal_credentials_free(credentials: *mut fal_credentials);
}

/// Returns FAL_OK if a credential was found, FAL_E_NO_CREDENTIALS or FAL_E_MALFORMED_CREDENTIALS if
/// not, and FAL_E_INVALID_ARGUMENT for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_credentials_status(credentials: *const fal_credentials) -> fal_status {
    super::boundary::plain(FAL_E_PANIC, || {
        // SAFETY: NULL or live, by the header's contract.
        match unsafe { credentials.as_ref() } {
            None => FAL_E_INVALID_ARGUMENT,
            Some(credentials) => {
                denied::problem_code(&credentials.inner).map_or(FAL_OK, |code| code.number())
            }
        }
    })
}

strings! {
    /// Returns the whole report as JSON text: `{"used": {…} or null, "sources": [{"source",
    /// "state", "location", "key_id", "notes"}], "problem": {…} or null}`. NULL for NULL.
    fn fal_credentials_json(credentials: &fal_credentials) {
        Some(credentials.inner.to_json().to_string())
    }

    /// Returns the whole report as a table of several lines, to be shown to a user. NULL for NULL.
    fn fal_credentials_table(credentials: &fal_credentials) {
        Some(credentials.inner.to_string())
    }

    /// Returns the public id of the key in use; NULL if there is none.
    fn fal_credentials_key_id(credentials: &fal_credentials) {
        credentials.inner.used()?.key_id.clone()
    }

    /// Returns the source of the credential in use, such as "FAL_KEY"; NULL if there is none.
    fn fal_credentials_source(credentials: &fal_credentials) {
        Some(credentials.inner.used()?.source.to_owned())
    }
}

infallible! {
    /// Returns how many sources the report lists; 0 for NULL. The functions
    /// fal_credentials_source_… take an index from 0 to this count minus 1, and return NULL for a
    /// larger one.
    fn fal_credentials_source_count(credentials: &fal_credentials) -> usize = 0 {
        credentials.inner.sources().len()
    }
}

strings! {
    /// Returns the name of a source.
    fn fal_credentials_source_name(credentials: &fal_credentials, index: usize) {
        Some(credentials.inner.sources().get(index)?.source.to_owned())
    }

    /// Returns the state of a source: "used", "shadowed" (an earlier source decided), "absent",
    /// "malformed", "skipped", or "failed" (it was asked for a key and supplied none).
    fn fal_credentials_source_state(credentials: &fal_credentials, index: usize) {
        Some(credentials.inner.sources().get(index)?.state.to_string())
    }

    /// Returns where a source is: a variable, a file and line, or a profile; NULL if it has no
    /// location.
    fn fal_credentials_source_location(credentials: &fal_credentials, index: usize) {
        credentials.inner.sources().get(index)?.location.clone()
    }

    /// Returns the public id of the key in a source; NULL if the source has none.
    fn fal_credentials_source_key_id(credentials: &fal_credentials, index: usize) {
        credentials.inner.sources().get(index)?.key_id.clone()
    }

    /// Returns notes on a source, one per line: why its value is malformed, that it holds another
    /// key, that other users can read its file. NULL if there are none.
    fn fal_credentials_source_notes(credentials: &fal_credentials, index: usize) {
        let notes = credentials.inner.sources().get(index)?.notes.join("\n");
        Some(notes).filter(|notes| !notes.is_empty())
    }
}
