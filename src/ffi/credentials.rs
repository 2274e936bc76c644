//! # Credentials
//!
//! Where a key comes from. Looking for it reads variables and files, uses no network, and happens
//! only when asked for. Every source is listed, in the order in which it is tried. Secrets are in
//! none of the strings: a key appears as its public id. Strings are borrowed from the
//! fal_credentials that they came from.

use super::options::{self, fal_options};
use super::report::fal_credentials;
use super::status::{FAL_E_INVALID_ARGUMENT, FAL_E_PANIC, FAL_OK, fal_status};
use crate::auth::denied;

fallible! {
    /// Looks for a key as a client with these options would (options: NULL for the defaults) and
    /// reports every source. That no key is there is not an error here: see
    /// fal_credentials_status().
    ///
    /// Free the result with fal_credentials_free().
    fn fal_credentials_explain(options: Option<&fal_options>) -> fal_credentials {
        fal_credentials::new(options::client(options)?.explain())
    }

    /// The same, but fails with FAL_E_NO_CREDENTIALS or FAL_E_MALFORMED_CREDENTIALS unless a
    /// credential was found; the error then carries the report (fal_error_credentials()).
    fn fal_credentials_resolve(options: Option<&fal_options>) -> fal_credentials {
        fal_credentials::new(options::client(options)?.resolve()?)
    }
}

frees! {
    /// Frees a report. NULL does nothing. A report that belongs to an error must not be freed.
    fn fal_credentials_free(credentials: *mut fal_credentials);
}

/// FAL_OK if a credential was found, FAL_E_NO_CREDENTIALS or FAL_E_MALFORMED_CREDENTIALS if not,
/// FAL_E_INVALID_ARGUMENT for NULL.
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
    /// The whole report as JSON text: `{"used": {…} or null, "sources": [{"source", "state",
    /// "location", "key_id", "notes"}], "problem": {…} or null}`. NULL for NULL.
    fn fal_credentials_json(credentials: &fal_credentials) {
        Some(credentials.inner.to_json().to_string())
    }

    /// The whole report as a table for people, several lines long. NULL for NULL.
    fn fal_credentials_table(credentials: &fal_credentials) {
        Some(credentials.inner.to_string())
    }

    /// The public id of the key in use; NULL if there is none.
    fn fal_credentials_key_id(credentials: &fal_credentials) {
        credentials.inner.used()?.key_id.clone()
    }

    /// The source of the credential in use, such as "FAL_KEY"; NULL if there is none.
    fn fal_credentials_source(credentials: &fal_credentials) {
        Some(credentials.inner.used()?.source.to_owned())
    }
}

infallible! {
    /// How many sources the report lists; 0 for NULL.
    fn fal_credentials_source_count(credentials: &fal_credentials) -> usize = 0 {
        credentials.inner.sources().len()
    }
}

strings! {
    /// The name of the source at an index from 0; NULL past the last.
    fn fal_credentials_source_name(credentials: &fal_credentials, index: usize) {
        Some(credentials.inner.sources().get(index)?.source.to_owned())
    }

    /// What became of the source: "used", "shadowed", "absent", "malformed", "skipped", or, once it
    /// was asked for a key and gave none, "failed"; NULL past the last.
    fn fal_credentials_source_state(credentials: &fal_credentials, index: usize) {
        Some(credentials.inner.sources().get(index)?.state.to_string())
    }

    /// Where the source is: a variable, a file and line, a profile; NULL if there is no such place.
    fn fal_credentials_source_location(credentials: &fal_credentials, index: usize) {
        credentials.inner.sources().get(index)?.location.clone()
    }

    /// The public id of the key that the source holds; NULL if it holds none.
    fn fal_credentials_source_key_id(credentials: &fal_credentials, index: usize) {
        credentials.inner.sources().get(index)?.key_id.clone()
    }

    /// Remarks on the source, one a line: why it is malformed, that another key is there, that
    /// others can read the file; NULL if there are none.
    fn fal_credentials_source_notes(credentials: &fal_credentials, index: usize) {
        let notes = credentials.inner.sources().get(index)?.notes.join("\n");
        Some(notes).filter(|notes| !notes.is_empty())
    }
}
