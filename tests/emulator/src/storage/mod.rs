//! fal's storage: all kinds of uploads, files, and their permissions (docs/protocol.md §9).

mod access;
mod acl;
mod cdn;
mod disk;
mod download;
mod files;
mod lifecycle;
mod multipart;
mod name;
mod record;
mod rest;
mod signed;
mod tokens;
mod uploads;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use hyper::header::HeaderValue;
use hyper::{Method, StatusCode};

use crate::answer::Answer;
use crate::clock;
use crate::server::{Request, Service};
use crate::state::State;

pub(crate) use access::{
    Denied, LONGEST_SIGNATURE, file_acl, media_type, readable, remove, set_file_acl, sign,
};
pub use acl::{Acl, Decision, Rule};
pub(crate) use cdn::handle as cdn;
pub(crate) use disk::{Blob, Disk, Spool, Stored};
pub use download::FileValidator;
pub use files::FileUrlForm;
pub(crate) use files::{Content, bytes, encode};
pub(crate) use lifecycle::{Defaults, Lifecycle};
pub use multipart::PartAnswer;
pub(crate) use name::for_type as name_for;
pub use record::StoredFile;
pub(crate) use record::{file_records, upload_records};
pub(crate) use rest::route as rest;
pub(crate) use signed::{SIGNATURES, google};
pub(crate) use tokens::IDENTITY;
pub use uploads::{PartRecord, UploadKind, UploadRecord};

use files::{File, Files, Found, Place};
use tokens::Secrets;
use uploads::{Announced, Uploads};

/// The state of the storage.
pub(crate) struct Storage {
    pub(crate) disk: Disk,
    files: Files,
    uploads: Uploads,
    /// The CDN tokens, each with its account.
    tokens: Secrets<String>,
    /// The secrets in signed URLs, each with the path that it makes readable whatever the ACL says.
    identities: Secrets<String>,
    signatures: Secrets<signed::Purpose>,
    defaults: Mutex<HashMap<String, Defaults>>,
}

impl Storage {
    pub(crate) fn new() -> Self {
        Self {
            disk: Disk::default(),
            files: Files::new(),
            uploads: Uploads::default(),
            tokens: Secrets::default(),
            identities: Secrets::default(),
            signatures: Secrets::default(),
            defaults: Mutex::default(),
        }
    }

    /// The defaults of an account for its new files.
    pub(crate) fn defaults(&self, account: &str) -> Defaults {
        let defaults = self.defaults.lock().unwrap_or_else(PoisonError::into_inner);
        defaults.get(account).cloned().unwrap_or_default()
    }

    pub(crate) fn set_defaults(&self, account: &str, wanted: Defaults) {
        self.defaults
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(account.to_owned(), wanted);
    }
}

/// The time that all of the storage uses.
fn now(state: &State) -> SystemTime {
    state.clock.now()
}

/// Whether the body of a request is a file and is stored on disk.
pub(crate) fn takes_file(service: Service, method: &Method, path: &str) -> bool {
    match service {
        Service::Cdn => *method == Method::PUT || *method == Method::POST && path == cdn::DIRECT,
        Service::GoogleStorage => *method == Method::PUT,
        _ => false,
    }
}

/// The ACL without rules about unknown accounts.
pub(crate) fn with_known_users(state: &State, acl: Acl) -> Acl {
    acl.with_known(|account| state.keys.knows(account) || state.logins.knows(account))
}

/// The SHA-256 of the uploaded file at a path of the CDN.
pub(crate) fn uploaded_hash(state: &State, path: &str) -> Option<String> {
    match state.storage.files.find(path, now(state)) {
        Found::File(file) => match &file.content {
            Content::Stored(stored) => Some(stored.sha256.clone()),
            _ => None,
        },
        _ => None,
    }
}

/// Stores the output of a model and returns its URL.
pub(crate) fn store_output(
    state: &State,
    content: Content,
    content_type: HeaderValue,
    file_name: Option<&str>,
    owner: Option<&str>,
    lifecycle: &Lifecycle,
) -> String {
    let form = state.settings().file_url_form.unwrap_or(FileUrlForm::V3b);
    let place =
        state
            .storage
            .files
            .place(form, file_name, content_type.to_str().unwrap_or_default());
    store(
        state,
        &place,
        content,
        content_type,
        owner,
        file_name,
        lifecycle,
    );
    place.url
}

/// Stores an uploaded file.
fn store_upload(state: &State, announced: &Announced, stored: Stored) {
    store(
        state,
        &announced.place,
        Content::Stored(stored),
        announced.content_type.clone(),
        Some(&announced.owner),
        announced.file_name.as_deref(),
        &announced.lifecycle,
    );
}

fn store(
    state: &State,
    place: &Place,
    content: Content,
    content_type: HeaderValue,
    owner: Option<&str>,
    file_name: Option<&str>,
    lifecycle: &Lifecycle,
) {
    let now = now(state);
    let defaults = owner
        .map(|account| state.storage.defaults(account))
        .unwrap_or_default();
    let seconds = lifecycle
        .expiration
        .unwrap_or(defaults.expiration_duration_seconds);
    // The ACL of the request replaces that of the account.
    let acl = lifecycle
        .acl
        .clone()
        .or(defaults.initial_acl)
        .unwrap_or_default();
    let file = File {
        ordinal: 0,
        url: place.url.clone(),
        tag: content.tag(),
        content,
        content_type,
        owner: owner.map(str::to_owned),
        file_name: file_name.map(str::to_owned),
        stored: now,
        expires: seconds.map(|seconds| clock::after(now, seconds)),
        acl: with_known_users(state, acl),
    };
    state.storage.files.put(&place.path, file);
}

/// The file that a request uploads; an error if it is too large for a single request.
fn uploaded(state: &State, request: &Request, single: bool) -> Result<Arc<Blob>, Answer> {
    let blob = request
        .upload
        .clone()
        .ok_or_else(|| Answer::detail(StatusCode::BAD_REQUEST, "No body"))?;
    let limit = state.settings().single_upload_limit.filter(|_| single);
    if limit.is_some_and(|limit| blob.size > limit) {
        return Err(Answer::detail(
            StatusCode::PAYLOAD_TOO_LARGE,
            "File too large",
        ));
    }
    Ok(blob)
}
