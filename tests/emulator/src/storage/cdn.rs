//! `v3.fal.media` and `v3b.fal.media`: uploads with a CDN token, and files (docs/protocol.md §9.3,
//! §9.4, §9.6).

use hyper::header::{ALLOW, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::access::LONGEST_SIGNATURE;
use super::files::{FileUrlForm, Found};
use super::uploads::{Announced, UploadKind};
use super::{Denied, Lifecycle, download, multipart, now, sign, signed, store_upload, uploaded};
use crate::answer::Answer;
use crate::body::Payload;
use crate::server::Request;
use crate::state::State;

/// The path of a direct upload.
pub(crate) const DIRECT: &str = "/files/upload";

/// The default lifetime of a signed URL in seconds: a day.
const DEFAULT_SIGNATURE: u64 = 86_400;

pub(crate) async fn handle(state: &State, host: &str, request: &Request) -> Answer {
    route(state, host, request)
        .await
        .unwrap_or_else(|refusal| refusal)
}

async fn route(state: &State, host: &str, request: &Request) -> Result<Answer, Answer> {
    let path = request.path.as_str();
    if path == DIRECT {
        return direct(state, post(request)?);
    }
    if path == "/files/upload/multipart" {
        return begin(state, post(request)?);
    }
    if let Some(rest) = path.strip_prefix(signed::CDN_PREFIX) {
        return signed::handle(state, request, rest).await;
    }
    if let Some((file, rest)) = path.split_once("/multipart/") {
        return part(state, request, file, rest).await;
    }
    if let Some(file) = path.strip_suffix("/sign") {
        return signed_url(state, host, post(request)?, file);
    }
    download::handle(state, request).await
}

fn post(request: &Request) -> Result<&Request, Answer> {
    if request.method == Method::POST {
        Ok(request)
    } else {
        Err(wrong_method("POST"))
    }
}

pub(super) fn wrong_method(allowed: &'static str) -> Answer {
    let mut answer = Answer::detail(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
    answer
        .headers
        .insert(ALLOW, HeaderValue::from_static(allowed));
    answer
}

/// The account of the CDN token. A key is not accepted.
fn account(state: &State, request: &Request) -> Result<String, Answer> {
    let mut accounts = state.storage.tokens.accounts(&request.headers, now(state));
    match (accounts.pop(), accounts.is_empty()) {
        (Some(account), true) => Ok(account),
        _ => Err(Answer::detail(
            StatusCode::UNAUTHORIZED,
            "Invalid or expired token",
        )),
    }
}

/// The upload that the headers describe.
fn announced(state: &State, request: &Request) -> Result<Announced, Answer> {
    let owner = account(state, request)?;
    let lifecycle = Lifecycle::read(&request.headers)?;
    let content_type = content_type(&request.headers);
    let file_name = request.headers.get("x-fal-file-name");
    let file_name = file_name.map(|name| String::from_utf8_lossy(name.as_bytes()).into_owned());
    let form = state.settings().file_url_form.unwrap_or(FileUrlForm::V3);
    let place = state.storage.files.place(
        form,
        file_name.as_deref(),
        content_type.to_str().unwrap_or_default(),
    );
    Ok(Announced {
        kind: UploadKind::CdnMultipart,
        place,
        owner,
        content_type,
        file_name,
        lifecycle,
    })
}

fn content_type(headers: &HeaderMap) -> HeaderValue {
    let fallback = HeaderValue::from_static("application/octet-stream");
    headers
        .get(CONTENT_TYPE)
        .filter(|value| !value.is_empty())
        .cloned()
        .unwrap_or(fallback)
}

fn direct(state: &State, request: &Request) -> Result<Answer, Answer> {
    let announced = announced(state, request)?;
    store_upload(state, &announced, uploaded(state, request, true)?.into());
    Ok(Answer::json(
        StatusCode::OK,
        &json!({ "access_url": announced.place.url }),
    ))
}

fn begin(state: &State, request: &Request) -> Result<Answer, Answer> {
    let announced = announced(state, request)?;
    let url = announced.place.url.clone();
    let id = state.storage.uploads.begin(announced);
    Ok(Answer::json(
        StatusCode::OK,
        &json!({ "access_url": url, "uploadId": id }),
    ))
}

/// `{file}/multipart/{id}/{n}` and `{file}/multipart/{id}/complete`.
async fn part(state: &State, request: &Request, file: &str, rest: &str) -> Result<Answer, Answer> {
    let owner = account(state, request)?;
    let (id, step) = rest.split_once('/').ok_or_else(multipart::unknown)?;
    let announced = state
        .storage
        .uploads
        .find(id)
        .ok_or_else(multipart::unknown)?;
    let known = announced.kind == UploadKind::CdnMultipart && announced.place.path == file;
    // An upload of another account appears not to exist.
    if !known || announced.owner != owner {
        return Err(multipart::unknown());
    }
    multipart::handle(state, request, id, step).await
}

/// Responds to `{file}/sign` with the URL as plain text.
fn signed_url(state: &State, host: &str, request: &Request, file: &str) -> Result<Answer, Answer> {
    let account = account(state, request)?;
    if !matches!(state.storage.files.find(file, now(state)), Found::File(_)) {
        return Err(download::not_found());
    }
    let seconds = duration(&request.body).ok_or_else(|| {
        Answer::detail(
            StatusCode::BAD_REQUEST,
            "duration must be 1 to 604800, and scope [\"read\"]",
        )
    })?;
    let url =
        sign(state, &account, &format!("https://{host}{file}"), seconds).map_err(|denied| {
            match denied {
                Denied::NotOwner => Answer::detail(StatusCode::FORBIDDEN, "Forbidden"),
                Denied::BadUrl | Denied::NotFound => download::not_found(),
            }
        })?;
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    Ok(Answer::payload(
        StatusCode::OK,
        text,
        Payload::Bytes(url.into()),
    ))
}

fn duration(body: &[u8]) -> Option<u64> {
    if body.is_empty() {
        return Some(DEFAULT_SIGNATURE);
    }
    let object: Map<String, Value> = serde_json::from_slice(body).ok()?;
    if object
        .get("scope")
        .is_some_and(|scope| *scope != json!(["read"]))
    {
        return None;
    }
    let seconds = object
        .get("duration")
        .map_or(Some(DEFAULT_SIGNATURE), Value::as_u64)?;
    (1..=LONGEST_SIGNATURE)
        .contains(&seconds)
        .then_some(seconds)
}
