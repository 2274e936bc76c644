//! The errors of missing and refused credentials: they name the key, its source, and what the
//! operation needs.

use std::sync::Arc;

use url::Url;

use crate::credentials::{Credential, Problem, Resolution};
use crate::endpoint::EndpointId;
use crate::error::{Code, Error, RefusalReason};
use crate::key::Scope;
use crate::openapi;
use crate::service_error::{NO_KEY, UNLINKED};

/// How many bytes of a response are searched for the text of a proxy.
const BEGINNING: usize = 64 << 10;

const DASHBOARD: &str = "Create keys of both scopes at https://fal.ai/dashboard/keys.";

/// The remedy of a 401 whose text is not known to be fal's.
const DOUBT: &str = "The app itself may have sent this response, and so may have run: check whether it did before you send the request again.";

/// Adds to an error what is known about the credential that the request carried. `platform` is the
/// method and path of an operation of the Platform API, if the request was one.
pub(crate) fn explain(
    error: Error,
    endpoint: Option<&EndpointId>,
    platform: Option<(&str, &str)>,
    resolution: &Arc<Resolution>,
    credential: &Credential,
) -> Error {
    let error = error.with_resolution_of(resolution.clone());
    // An app refuses for its own reasons, and a server in front of fal does not check the key.
    let by_fal = !matches!(
        error.about(),
        Some(RefusalReason::AppsOwn | RefusalReason::Edge)
    );
    let refused = by_fal && matches!(error.code(), Code::Unauthenticated | Code::Forbidden);
    let hidden = error.code() == Code::NotFound && error.about() != Some(RefusalReason::Path);
    let used = credential_used(resolution, credential);
    let error = match (endpoint, platform) {
        (Some(id), _) if refused || hidden => private_app(error, id.app(), &used, refused),
        (_, Some((method, path))) if refused => scoped(error, method, path, &used),
        _ if refused => with_clause(error, &used),
        _ => error,
    };
    if !refused {
        return error;
    }
    let unauthenticated = error.code() == Code::Unauthenticated;
    if unauthenticated && matches!(credential, Credential::Anonymous) {
        return error.with_remedy(NO_KEY);
    }
    let unlinked = (error.about() == Some(RefusalReason::UnknownKey)).then_some(UNLINKED);
    let doubt = (unauthenticated && error.may_have_executed()).then_some(DOUBT);
    let remedies = [Some(error.remedy()), unlinked, doubt];
    let remedy = Vec::from_iter(remedies.into_iter().flatten()).join(" ");
    error.with_remedy(remedy)
}

/// Adds a fact to the message of an error.
fn with_clause(error: Error, clause: &str) -> Error {
    let message = format!("{}; {clause}", error.message());
    error.with_message(message)
}

/// Explains an error that a server proxy sent, not fal behind it. The texts are those of §11.2.
pub(crate) fn by_proxy(error: Error, proxy: &Url, target: &Url) -> Error {
    let body = &error.body()[..error.body().len().min(BEGINNING)];
    let body = String::from_utf8_lossy(body).into_owned();
    let says =
        |text: &str| body.trim().trim_matches('"') == text || body.contains(&format!("\"{text}\""));
    let place = proxy.host_str().unwrap_or_default();
    let status = error.http_status();
    match status {
        // An old version sent 412.
        Some(400 | 412) if says("Invalid request") || status == Some(412) => {
            let message = format!(
                "the proxy at {place} does not forward requests to {}{}",
                target.authority(),
                target.path()
            );
            error.with_message(message).with_remedy(
                "By default a server proxy forwards to fal.run, queue.fal.run and the start of an upload only: allow the URL in \
                 its configuration (allowedUrlPatterns, allowedEndpoints), or use a key.",
            )
        }
        Some(401) if says("Unauthorized") => {
            let message = format!(
                "the proxy at {place} refused the request: it has no key, or its user must sign in"
            );
            error
                .with_message(message)
                .with_remedy("Check the proxy's own key and its isAuthenticated option.")
        }
        // The web server of the proxy may not know the route, or may fail.
        Some(_)
            if error.header("x-fal-request-id").is_none()
                && matches!(
                    error.code(),
                    Code::Protocol | Code::Redirect | Code::ServiceUnavailable
                ) =>
        {
            let remedy = format!(
                "Check the server proxy's URL, and the server. {}",
                error.remedy()
            );
            error.with_remedy(remedy)
        }
        _ => error,
    }
}

/// The error of a resolution without a credential.
pub(crate) fn unresolved(resolution: &Arc<Resolution>) -> Error {
    let code = problem_code(resolution).unwrap_or(Code::NoCredentials);
    let error = match resolution.problem().zip(resolution.problem_text()) {
        Some((problem, text)) => Error::new(code, text).with_remedy(problem.remedy()),
        None => Error::new(code, "no credential"),
    };
    error.with_resolution_of(resolution.clone())
}

/// Returns the code of a resolution's problem, if it has one.
pub(crate) fn problem_code(resolution: &Resolution) -> Option<Code> {
    resolution.problem().map(|problem| match problem {
        Problem::Malformed { .. } => Code::MalformedCredentials,
        _ => Code::NoCredentials,
    })
}

/// The error of a source that did not deliver a credential.
pub(crate) fn undelivered(resolution: &Resolution, reason: &str) -> Error {
    let source = resolution.used().map_or("the source", |used| used.source);
    let message = format!("{source}: {reason}");
    let resolution = Arc::new(resolution.clone().failed(reason));
    Error::new(Code::CredentialsFailed, message).with_resolution_of(resolution)
}

/// Describes the credential: "the request carried key fake-id from FAL_KEY".
fn credential_used(resolution: &Resolution, credential: &Credential) -> String {
    match named(resolution, credential) {
        Some(named) => format!("the request carried {named}"),
        None => "the request carried no key".to_owned(),
    }
}

/// Names the credential: "key fake-id from FAL_KEY".
fn named(resolution: &Resolution, credential: &Credential) -> Option<String> {
    let what = match credential {
        Credential::Key(key) => format!("key {}", key.printable_id()),
        Credential::Bearer(_) => "a login token".to_owned(),
        Credential::AppToken(_) => "a short-lived token".to_owned(),
        Credential::Anonymous => return None,
    };
    Some(match resolution.used() {
        Some(used) => match used.location.as_deref() {
            Some(place) if place != used.source => format!("{what} from {} ({place})", used.source),
            _ => format!("{what} from {}", used.source),
        },
        None => what,
    })
}

fn scoped(error: Error, method: &str, path: &str, used: &str) -> Error {
    let needed = openapi::needed_scope(method, path);
    let needs = needed
        .map(|scope| format!("; {method} {path} needs a key of scope {scope}"))
        .unwrap_or_default();
    let error = with_clause(error, &format!("{used}{needs}")).with_needed_scope(needed);
    if needed != Some(Scope::Admin) {
        return error;
    }
    let besides = openapi::needed_besides(method, path)
        .map(|needed| format!(", and that there is {needed}: this operation needs that too"))
        .unwrap_or_default();
    error.with_remedy(format!(
        "Use a key of scope ADMIN for this. If the key has that scope already, check that it was not revoked{besides}. {DASHBOARD}"
    ))
}

/// The error of a request that was not sent, because the key is known to lack the scope.
pub(crate) fn beforehand(
    (method, path): (&str, &str),
    needed: Scope,
    known: Scope,
    resolution: &Arc<Resolution>,
    credential: &Credential,
) -> Error {
    let named = named(resolution, credential).unwrap_or_default();
    let message = format!(
        "{method} {path} needs a key of scope {needed}, and {named} is known to have the scope {known}; nothing was sent"
    );
    Error::new(Code::Forbidden, message)
        .with_needed_scope(Some(needed))
        .with_remedy(format!("Use a key of scope {needed} for this. {DASHBOARD}"))
        .with_resolution_of(resolution.clone())
}

/// fal's documentation contradicts itself on whether an API key of the owner may call a private app
/// (docs/protocol.md §16.51), so the remedy states both.
fn private_app(error: Error, app: &str, used: &str, refused: bool) -> Error {
    let error = with_clause(error, used);
    let private = format!(
        "if {app} is a private app, it takes keys of its owner only: a key of scope ADMIN always, \
         one of scope API according to a part of fal's documentation"
    );
    match (refused, error.about()) {
        // The credential is malformed, so no other app would accept it.
        (true, Some(RefusalReason::MalformedKey | RefusalReason::WrongScheme)) => error,
        (true, _) => error.with_remedy(format!(
            "Check at https://fal.ai/dashboard/keys that the key exists and belongs to the account you mean; {private}."
        )),
        (false, _) => error.with_remedy(format!("Check the endpoint id and its path; {private}.")),
    }
}
