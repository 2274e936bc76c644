//! Signed URLs, with which a file can be uploaded without any other credential (docs/protocol.md
//! §9.1, §9.4).

use hyper::{Method, StatusCode};

use super::cdn::wrong_method;
use super::{multipart, now, store_upload, uploaded};
use crate::answer::Answer;
use crate::server::Request;
use crate::state::State;

/// The path of signed URLs at the CDN.
pub(crate) const CDN_PREFIX: &str = "/upload/";
const CDN_SIGNATURE: &str = "X-Fal-Signature";

/// The path of signed URLs at Google's storage.
const GOOGLE_PREFIX: &str = "/fal-emulator/";
const GOOGLE_SIGNATURE: &str = "X-Goog-Signature";

/// The parameters that carry signatures. Arrivals mask their values.
pub(crate) const SIGNATURES: [&str; 2] = [CDN_SIGNATURE, GOOGLE_SIGNATURE];

/// What a signature permits: one step of the upload with this id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// PUT of the whole file.
    Whole(String),
    /// PUT of every part, and completion.
    Parts(String),
    /// PUT of one part.
    Part(String, u32),
}

/// Creates a URL for one purpose.
pub(super) fn url(state: &State, purpose: Purpose, at_google: bool) -> String {
    let path = match &purpose {
        Purpose::Whole(id) | Purpose::Parts(id) => id.clone(),
        Purpose::Part(id, number) => format!("{id}/{number}"),
    };
    let seconds = state.settings().signed_url_seconds.0;
    let signature = state
        .storage
        .signatures
        .issue("fake-signature-", purpose, now(state), seconds);
    if at_google {
        format!(
            "https://storage.googleapis.com{GOOGLE_PREFIX}{path}?{GOOGLE_SIGNATURE}={signature}"
        )
    } else {
        format!("https://v3b.fal.media{CDN_PREFIX}{path}?{CDN_SIGNATURE}={signature}")
    }
}

/// `storage.googleapis.com`.
pub(crate) async fn google(state: &State, request: &Request) -> Answer {
    let Some(path) = request.path.strip_prefix(GOOGLE_PREFIX) else {
        return Answer::detail(
            StatusCode::NOT_FOUND,
            format!("Path {} not found", request.path),
        );
    };
    handle(state, request, path)
        .await
        .unwrap_or_else(|refusal| refusal)
}

/// Handles `{id}`, `{id}/{n}` and `{id}/complete`.
pub(super) async fn handle(state: &State, request: &Request, path: &str) -> Result<Answer, Answer> {
    let refused = || Answer::detail(StatusCode::FORBIDDEN, "Invalid or expired signature");
    let mut pairs = request.query_pairs();
    let signature = pairs
        .find(|(name, _)| SIGNATURES.contains(&&**name))
        .map(|(_, value)| value);
    let purpose =
        signature.and_then(|signature| state.storage.signatures.find(&signature, now(state)));
    let step = path.split_once('/');
    match (purpose.ok_or_else(refused)?, step) {
        (Purpose::Whole(id), None) if id == path => whole(state, request, &id),
        (Purpose::Parts(id), Some((of, step))) if id == of => {
            multipart::handle(state, request, &id, step).await
        }
        (Purpose::Part(id, number), Some((of, step))) if id == of && step == number.to_string() => {
            put(request)?;
            multipart::part(state, request, &id, number)
        }
        _ => Err(refused()),
    }
}

fn put(request: &Request) -> Result<(), Answer> {
    if request.method == Method::PUT {
        Ok(())
    } else {
        Err(wrong_method("PUT"))
    }
}

/// Handles PUT of a whole file. A repeated PUT replaces the file, so that a client can retry after
/// a lost response.
fn whole(state: &State, request: &Request, id: &str) -> Result<Answer, Answer> {
    put(request)?;
    let announced = state
        .storage
        .uploads
        .find(id)
        .ok_or_else(multipart::unknown)?;
    let blob = uploaded(state, request, true)?;
    store_upload(state, &announced, blob.clone().into());
    state.storage.uploads.put_whole(id, &blob);
    multipart::with_etag(Answer::empty(StatusCode::OK), &blob)
}
