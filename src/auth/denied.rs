//! What a refused credential means: which key it was, where it came from, and what the operation
//! needs.

use std::sync::Arc;

use url::Url;

use crate::credentials::{Credential, Problem, Resolution};
use crate::endpoint::EndpointId;
use crate::error::{Code, Error, RefusalReason};
use crate::key::Scope;
use crate::openapi;
use crate::service_error::{NO_KEY, UNLINKED};

/// So many bytes of an answer are looked at for what a proxy says.
const BEGINNING: usize = 64 << 10;

const DASHBOARD: &str = "Keys of both scopes are made at https://fal.ai/dashboard/keys.";

/// Of a 401 in words that fal is not known to use.
const DOUBT: &str = "If the app itself answered so, it may have run: see whether it did before you send the request again.";

/// Adds to an error what is known about the credential that it was made with.
///
/// `platform` is the method and path of an operation of the Platform API, if the request was one.
pub(crate) fn explain(
    error: Error,
    endpoint: Option<&EndpointId>,
    platform: Option<(&str, &str)>,
    resolution: &Arc<Resolution>,
    credential: &Credential,
) -> Error {
    let error = error.with_resolution_of(resolution.clone());
    // An app refuses for reasons of its own, and what is in front of fal looks at no key.
    let ours = !matches!(
        error.about(),
        Some(RefusalReason::AppsOwn | RefusalReason::Edge)
    );
    let refused = ours && matches!(error.code(), Code::Unauthenticated | Code::Forbidden);
    let hidden = error.code() == Code::NotFound && error.about() != Some(RefusalReason::Path);
    let told = match (endpoint, platform) {
        (Some(id), _) if refused || hidden => {
            private_app(error, id.app(), resolution, credential, refused)
        }
        (_, Some((method, path))) if refused => scoped(error, method, path, resolution, credential),
        _ if refused => {
            let told = format!(
                "{}; {}",
                error.message(),
                credential_used(resolution, credential)
            );
            error.with_message(told)
        }
        _ => error,
    };
    match credential {
        Credential::Anonymous if refused && told.code() == Code::Unauthenticated => {
            told.with_remedy(NO_KEY)
        }
        _ if !refused => told,
        _ => {
            let unlinked = (told.about() == Some(RefusalReason::UnknownKey)).then_some(UNLINKED);
            let doubt =
                (told.code() == Code::Unauthenticated && told.may_have_executed()).then_some(DOUBT);
            let more: Vec<_> = std::iter::once(told.remedy())
                .chain(unlinked)
                .chain(doubt)
                .collect();
            let remedy = more.join(" ");
            told.with_remedy(remedy)
        }
    }
}

/// A refusal by a server proxy, as opposed to one by fal behind it: the texts are those of §11.2.
pub(crate) fn by_proxy(error: Error, proxy: &Url, target: &Url) -> Error {
    // Its texts are short.
    let body = &error.body()[..error.body().len().min(BEGINNING)];
    let body = String::from_utf8_lossy(body).into_owned();
    let says =
        |text: &str| body.trim().trim_matches('"') == text || body.contains(&format!("\"{text}\""));
    let place = proxy.host_str().unwrap_or_default();
    let unnamed = error.header("x-fal-request-id").is_none();
    match error.http_status() {
        // An old version answered 412.
        Some(400 | 412) if says("Invalid request") || error.http_status() == Some(412) => {
            let message = format!(
                "the proxy at {place} does not forward requests to {}{}",
                target.authority(),
                target.path()
            );
            error.with_message(message).with_remedy(
                "By default a server proxy forwards to fal.run, queue.fal.run and the start of an upload only: allow the address in \
                 its configuration (allowedUrlPatterns, allowedEndpoints), or use a key.",
            )
        }
        Some(401) if says("Unauthorized") => {
            let message = format!(
                "the proxy at {place} refused the request: it holds no key, or wants its user to sign in"
            );
            error
                .with_message(message)
                .with_remedy("Check the proxy's own key and its isAuthenticated option.")
        }
        // Nobody of fal's: the web server of the proxy may know no such route, or fail.
        Some(_)
            if unnamed
                && matches!(
                    error.code(),
                    Code::Protocol | Code::Redirect | Code::ServiceUnavailable
                ) =>
        {
            let remedy = format!(
                "Check the server proxy's address, and the server. {}",
                error.remedy()
            );
            error.with_remedy(remedy)
        }
        _ => error,
    }
}

/// The error of a resolution without a credential.
pub(crate) fn unresolved(resolution: &Arc<Resolution>) -> Error {
    let (Some(problem), Some(code), Some(text)) = (
        resolution.problem(),
        problem_code(resolution),
        resolution.problem_text(),
    ) else {
        return Error::new(Code::NoCredentials, "no credential")
            .with_resolution_of(resolution.clone());
    };
    Error::new(code, text)
        .with_remedy(problem.remedy())
        .with_resolution_of(resolution.clone())
}

/// The code of a resolution's problem, if it has one.
pub(crate) fn problem_code(resolution: &Resolution) -> Option<Code> {
    resolution.problem().map(|problem| match problem {
        Problem::Malformed { .. } => Code::MalformedCredentials,
        _ => Code::NoCredentials,
    })
}

/// The error of a source that was asked for a credential and had none to give.
pub(crate) fn undelivered(resolution: &Resolution, reason: &str) -> Error {
    let source = resolution.used().map_or("the source", |used| used.source);
    let message = format!("{source}: {reason}");
    let resolution = Arc::new(resolution.clone().failed(reason));
    Error::new(Code::CredentialsFailed, message).with_resolution_of(resolution)
}

/// "the request carried key fake-id from FAL_KEY".
fn credential_used(resolution: &Resolution, credential: &Credential) -> String {
    match named(resolution, credential) {
        Some(named) => format!("the request carried {named}"),
        None => "the request carried no key".to_owned(),
    }
}

/// "key fake-id from FAL_KEY".
fn named(resolution: &Resolution, credential: &Credential) -> Option<String> {
    let what = match credential {
        Credential::Key(key) => format!("key {}", key.printable_id()),
        Credential::Bearer(_) => "a login token".to_owned(),
        Credential::AppToken(_) => "a short-lived token".to_owned(),
        Credential::Anonymous => return None,
    };
    let Some(used) = resolution.used() else {
        return Some(what);
    };
    let place = used
        .location
        .as_deref()
        .filter(|place| *place != used.source);
    let place = place.map(|place| format!(" ({place})")).unwrap_or_default();
    Some(format!("{what} from {}{place}", used.source))
}

fn scoped(
    error: Error,
    method: &str,
    path: &str,
    resolution: &Resolution,
    credential: &Credential,
) -> Error {
    let needed = openapi::needed_scope(method, path);
    let used = credential_used(resolution, credential);
    let needs = needed
        .map(|scope| format!("; {method} {path} needs a key of scope {scope}"))
        .unwrap_or_default();
    let told = format!("{}; {used}{needs}", error.message());
    let told = error.with_message(told).with_needed_scope(needed);
    match needed {
        Some(Scope::Admin) => told.with_remedy(format!(
            "Use a key of scope ADMIN for this. If the key has that scope already, check that it was not revoked{}. {DASHBOARD}",
            extra(method, path)
        )),
        _ => told,
    }
}

/// What besides the scope an operation needs, according to fal.
fn extra(method: &str, path: &str) -> String {
    openapi::needed_besides(method, path)
        .map(|needed| format!(", and that there is {needed}: this operation needs that too"))
        .unwrap_or_default()
}

/// A request that was not sent, because the key is known not to be allowed it.
pub(crate) fn beforehand(
    (method, path): (&str, &str),
    needed: Scope,
    known: Scope,
    resolution: &Arc<Resolution>,
    credential: &Credential,
) -> Error {
    let named = named(resolution, credential).unwrap_or_default();
    let told = format!(
        "{method} {path} needs a key of scope {needed}, and {named} is known to have the scope {known}; nothing was sent"
    );
    Error::new(Code::Forbidden, told)
        .with_needed_scope(Some(needed))
        .with_remedy(format!("Use a key of scope {needed} for this. {DASHBOARD}"))
        .with_resolution_of(resolution.clone())
}

/// Whether an API key of the owner may call a private app is told in two ways by fal
/// (docs/protocol.md §16.51): say both.
fn private_app(
    error: Error,
    app: &str,
    resolution: &Resolution,
    credential: &Credential,
    refused: bool,
) -> Error {
    let used = credential_used(resolution, credential);
    let told = format!("{}; {used}", error.message());
    let told = error.with_message(told);
    let private = format!(
        "if {app} is a private app, it takes keys of its owner only: a key of scope ADMIN always, one of scope API \
         by some of fal's documentation and not by other"
    );
    match refused {
        // It is the form of what was sent that is wrong: no other app would take it.
        true if matches!(told.about(), Some(RefusalReason::MalformedKey | RefusalReason::WrongScheme)) => told,
        true => told.with_remedy(format!(
            "Check at https://fal.ai/dashboard/keys that the key exists and belongs to the account you mean; {private}."
        )),
        false => told.with_remedy(format!("Check the endpoint id and its path; {private}.")),
    }
}
