//! The steps that all multipart uploads share: sending a part, and completing (docs/protocol.md
//! §9.4).

use std::sync::Arc;

use hyper::header::{ETAG, HeaderValue};
use hyper::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::cdn::wrong_method;
use super::uploads::{Claim, Completion, Incomplete, MOST_PARTS, UploadKind, etag};
use super::{Blob, Stored, store_upload, uploaded};
use crate::answer::Answer;
use crate::server::Request;
use crate::state::State;

/// Where the response to a part has its etag (docs/protocol.md §16.28).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PartAnswer {
    /// In the header and in the body.
    #[default]
    Both,
    /// In `ETag` only.
    Header,
    /// In `{"partNumber", "etag"}` only.
    Body,
}

pub(super) fn unknown() -> Answer {
    Answer::detail(StatusCode::NOT_FOUND, "Upload not found")
}

pub(super) fn number(step: &str) -> Result<u32, Answer> {
    let number = step
        .parse()
        .ok()
        .filter(|number| (1..=MOST_PARTS).contains(number));
    number.ok_or_else(|| {
        Answer::detail(
            StatusCode::BAD_REQUEST,
            format!("Part numbers must be 1 to {MOST_PARTS}"),
        )
    })
}

/// Handles PUT of `{n}` and POST of `complete`.
pub(super) async fn handle(
    state: &State,
    request: &Request,
    id: &str,
    step: &str,
) -> Result<Answer, Answer> {
    if step == "complete" {
        return if request.method == Method::POST {
            complete(state, request, id).await
        } else {
            Err(wrong_method("POST"))
        };
    }
    let number = number(step)?;
    if request.method != Method::PUT {
        return Err(wrong_method("PUT"));
    }
    part(state, request, id, number)
}

pub(super) fn part(
    state: &State,
    request: &Request,
    id: &str,
    number: u32,
) -> Result<Answer, Answer> {
    let blob = uploaded(state, request, false)?;
    if !state.storage.uploads.put_part(id, number, &blob) {
        return Err(unknown());
    }
    let form = state.settings().part_answer;
    let answer = match form {
        PartAnswer::Header => Answer::empty(StatusCode::OK),
        _ => Answer::json(
            StatusCode::OK,
            &json!({ "partNumber": number, "etag": quoted(&blob) }),
        ),
    };
    if form == PartAnswer::Body {
        Ok(answer)
    } else {
        with_etag(answer, &blob)
    }
}

fn quoted(blob: &Blob) -> String {
    format!("\"{}\"", etag(blob))
}

pub(super) fn with_etag(mut answer: Answer, blob: &Blob) -> Result<Answer, Answer> {
    let value = HeaderValue::from_str(&quoted(blob)).map_err(|_| failed())?;
    answer.headers.insert(ETAG, value);
    Ok(answer)
}

fn failed() -> Answer {
    Answer::detail(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
}

pub(super) async fn complete(state: &State, request: &Request, id: &str) -> Result<Answer, Answer> {
    let kind = state.storage.uploads.find(id).ok_or_else(unknown)?.kind;
    let bad = |detail: &str| Answer::detail(StatusCode::BAD_REQUEST, detail);
    let claims = claims(&request.body, kind).ok_or_else(|| bad("Invalid list of parts"))?;
    let completion =
        state
            .storage
            .uploads
            .check(id, &claims)
            .map_err(|incomplete| match incomplete {
                Incomplete::Unknown => unknown(),
                Incomplete::Wrong(text) => bad(&format!("Incomplete upload: {text}")),
            })?;
    let announced = match completion {
        Completion::Repeated(announced) => announced,
        Completion::Join(announced, blobs) => {
            let stored = join(blobs).await?;
            store_upload(state, &announced, stored);
            state.storage.uploads.complete(id, &claims);
            announced
        }
    };
    Ok(Answer::json(
        StatusCode::OK,
        &json!({ "access_url": announced.place.url, "file_url": announced.place.url }),
    ))
}

/// Joins the parts on another thread: reading a gigabyte would block all other connections.
async fn join(blobs: Vec<Arc<Blob>>) -> Result<Stored, Answer> {
    match tokio::task::spawn_blocking(move || Stored::join(blobs)).await {
        Ok(Ok(stored)) => Ok(stored),
        _ => Err(failed()),
    }
}

/// Reads `{"parts": [{"partNumber", "etag"}]}`; Google's form has `part_number`.
fn claims(body: &[u8], kind: UploadKind) -> Option<Vec<Claim>> {
    let name = if kind == UploadKind::GcsMultipart {
        "part_number"
    } else {
        "partNumber"
    };
    let object: Map<String, Value> = serde_json::from_slice(body).ok()?;
    let claim = |part: &Value| {
        let number = u32::try_from(part.get(name)?.as_u64()?).ok()?;
        Some(Claim {
            number,
            etag: part.get("etag")?.as_str()?.to_owned(),
        })
    };
    object.get("parts")?.as_array()?.iter().map(claim).collect()
}
