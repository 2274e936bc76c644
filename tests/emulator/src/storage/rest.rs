//! `rest.fal.ai/storage`: starts uploads, issues CDN tokens, changes ACLs (docs/protocol.md §9.1,
//! §9.2, §9.4, §9.6).

use hyper::header::HeaderValue;
use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::cdn::wrong_method;
use super::files::FileUrlForm;
use super::signed::{self, Purpose};
use super::uploads::{Announced, UploadKind};
use super::{Acl, Denied, Lifecycle, file_acl, multipart, now, set_file_acl};
use crate::answer::Answer;
use crate::clock;
use crate::input::{self, Fields};
use crate::keys::Caller;
use crate::server::Request;
use crate::state::State;

/// The longest and default lifetime of a token in seconds: 30 days.
const LONGEST_TOKEN: u64 = 30 * 86_400;

/// The path that returns the URLs for the parts of a Google upload.
const PARTS: &str = "/storage/upload/multipart/";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    Cdn,
    Google,
}

/// Handles a path of the storage; `None` for any other path. `caller` authenticates, for paths that
/// need a key.
pub(crate) async fn route(
    state: &State,
    request: &Request,
    caller: impl FnOnce() -> Result<Caller, Answer>,
) -> Option<Result<Answer, Answer>> {
    let path = request.path.strip_suffix('/').unwrap_or(&request.path);
    let post = || {
        if request.method == Method::POST {
            Ok(())
        } else {
            Err(wrong_method("POST"))
        }
    };
    let answer = match path {
        "/storage/upload/initiate" => {
            post().and_then(|()| initiate(state, request, &caller()?, false))
        }
        "/storage/upload/initiate-multipart" => {
            post().and_then(|()| initiate(state, request, &caller()?, true))
        }
        "/storage/auth/token" => post().and_then(|()| token(state, request, &caller()?)),
        "/storage/files/acl" => acl(state, request, caller),
        _ => match path.strip_prefix(PARTS) {
            None => return None,
            Some(rest) => match post().and_then(|()| caller()) {
                Ok(caller) => part(state, request, &caller, rest).await,
                Err(refusal) => Err(refusal),
            },
        },
    };
    Some(answer.map_err(|mut refusal| {
        // No app ran, so this host sends no header with billed units.
        refusal.headers.remove("x-fal-billable-units");
        refusal
    }))
}

/// The target of an upload; the CDN by default.
fn target(request: &Request) -> Result<Target, Answer> {
    match request
        .query_pairs()
        .find(|(name, _)| name == "storage_type")
        .as_ref()
        .map(|(_, value)| &**value)
    {
        None | Some("fal-cdn-v3") => Ok(Target::Cdn),
        Some("gcs") => Ok(Target::Google),
        Some(other) => Err(input::invalid(vec![json!({
            "loc": ["query", "storage_type"],
            "msg": "Input should be 'fal-cdn-v3' or 'gcs'",
            "type": "enum",
            "input": other,
        })])),
    }
}

fn initiate(
    state: &State,
    request: &Request,
    caller: &Caller,
    parts: bool,
) -> Result<Answer, Answer> {
    let target = target(request)?;
    let lifecycle = Lifecycle::read(&request.headers)?;
    let object = input::object(request)?;
    let mut fields = Fields::new(&object);
    let text = fields
        .string("content_type")
        .unwrap_or_else(|| "application/octet-stream".into());
    let file_name = fields.string("file_name");
    let content_type = HeaderValue::from_str(&text)
        .ok()
        .filter(|_| text.contains('/'));
    if content_type.is_none() {
        fields.error(
            "content_type",
            "value_error",
            "Value error, not a media type",
            None,
        );
    }
    fields.finish()?;
    let content_type =
        content_type.unwrap_or_else(|| HeaderValue::from_static("application/octet-stream"));
    let form = state.settings().file_url_form.unwrap_or(FileUrlForm::V3b);
    let place = state.storage.files.place(form, file_name.as_deref(), &text);
    let file_url = place.url.clone();
    let kind = match (parts, target) {
        (false, _) => UploadKind::Signed,
        (true, Target::Cdn) => UploadKind::SignedMultipart,
        (true, Target::Google) => UploadKind::GcsMultipart,
    };
    let owner = caller.account.clone();
    let id = state.storage.uploads.begin(Announced {
        kind,
        place,
        owner,
        content_type,
        file_name,
        lifecycle,
    });
    let upload_url = match kind {
        UploadKind::GcsMultipart => format!("https://rest.fal.ai{PARTS}{id}"),
        UploadKind::SignedMultipart => signed::url(state, Purpose::Parts(id), false),
        _ => signed::url(state, Purpose::Whole(id), target == Target::Google),
    };
    Ok(Answer::json(
        StatusCode::OK,
        &json!({ "file_url": file_url, "upload_url": upload_url }),
    ))
}

/// `{id}/{n}` returns the URL for a part, `{id}/complete` completes the upload.
async fn part(
    state: &State,
    request: &Request,
    caller: &Caller,
    rest: &str,
) -> Result<Answer, Answer> {
    let (id, step) = rest.split_once('/').ok_or_else(multipart::unknown)?;
    let announced = state
        .storage
        .uploads
        .find(id)
        .ok_or_else(multipart::unknown)?;
    if announced.kind != UploadKind::GcsMultipart || announced.owner != caller.account {
        return Err(multipart::unknown());
    }
    if step == "complete" {
        return multipart::complete(state, request, id).await;
    }
    let purpose = Purpose::Part(id.to_owned(), multipart::number(step)?);
    let url = signed::url(state, purpose, true);
    Ok(Answer::json(StatusCode::OK, &json!({ "upload_url": url })))
}

fn token(state: &State, request: &Request, caller: &Caller) -> Result<Answer, Answer> {
    target(request)?;
    let object = if request.body.is_empty() {
        serde_json::Map::new()
    } else {
        input::object(request)?
    };
    let mut fields = Fields::new(&object);
    let seconds = fields.integer_between("expiration_seconds", LONGEST_TOKEN, 1, LONGEST_TOKEN);
    fields.finish()?;
    let now = now(state);
    let token = state
        .storage
        .tokens
        .issue("fake-cdn-token-", caller.account.clone(), now, seconds);
    Ok(Answer::json(
        StatusCode::OK,
        &json!({
            "token": token,
            "token_type": "Bearer",
            "base_url": state.settings().cdn_base_url.url(),
            "expires_at": with_offset(clock::after(now, seconds)),
            "created_at": with_offset(now),
        }),
    ))
}

/// The time with `+00:00`, because older versions of Python do not parse `Z`.
fn with_offset(time: std::time::SystemTime) -> String {
    clock::rfc3339(time).replace('Z', "+00:00")
}

fn acl(
    state: &State,
    request: &Request,
    caller: impl FnOnce() -> Result<Caller, Answer>,
) -> Result<Answer, Answer> {
    if request.method != Method::GET && request.method != Method::PUT {
        return Err(wrong_method("GET, PUT"));
    }
    let account = caller()?.account;
    let url = request
        .query_pairs()
        .find(|(name, _)| name == "url")
        .map(|(_, url)| url.into_owned());
    let url = url.ok_or_else(|| {
        input::invalid(vec![json!({
            "loc": ["query", "url"], "msg": "Field required", "type": "missing", "input": Value::Null,
        })])
    })?;
    let outcome = if request.method == Method::GET {
        file_acl(state, &account, &url)
    } else {
        let object = input::object(request)?;
        let wanted = Acl::deserialize(&Value::Object(object))
            .map_err(|error| Answer::detail(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()))?;
        set_file_acl(state, &account, &url, wanted)
    };
    let acl = outcome.map_err(|denied| match denied {
        Denied::BadUrl => Answer::detail(
            StatusCode::BAD_REQUEST,
            "url must be the URL of a CDN file without a query",
        ),
        Denied::NotFound => Answer::detail(StatusCode::NOT_FOUND, "File not found"),
        Denied::NotOwner => Answer::detail(StatusCode::FORBIDDEN, "Forbidden"),
    })?;
    Ok(Answer::json(StatusCode::OK, &json!(acl)))
}
