//! Decides which redirects are followed: a GET within one origin; the 303 of an app's run, with a
//! GET; and the 307 or 308 of an upload, with the same PUT.

use reqwest::header::{HeaderMap, LOCATION};
use reqwest::{Method, StatusCode};
use url::Url;

use super::authorize::Authorization;
use crate::endpoint::{Hosts, Origin};

/// The maximum number of redirects. Browsers and the official clients allow at least as many.
pub(crate) const MOST: usize = 10;

/// Returns the target of a response that is a redirect.
pub(crate) fn target(status: StatusCode, headers: &HeaderMap, from: &Url) -> Option<Url> {
    let redirects = matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308);
    let location = headers.get(LOCATION).filter(|_| redirects)?;
    from.join(location.to_str().ok()?).ok()
}

/// What a request contains.
pub(super) struct Carries<'a> {
    pub(super) authorization: &'a Authorization,
    /// Whether the request has a body.
    pub(super) content: bool,
}

impl Carries<'_> {
    /// Whether the request uploads a file or a part of one.
    fn is_upload(&self) -> bool {
        self.content
            && matches!(
                self.authorization,
                Authorization::Nothing | Authorization::Files(_)
            )
    }
}

/// Returns the method of the next request, or `None` if the redirect is reported to the caller.
pub(super) fn method(
    hosts: &Hosts,
    carries: &Carries<'_>,
    status: StatusCode,
    method: &Method,
    from: &Url,
    to: &Url,
) -> Option<Method> {
    // A server proxy may redirect to a page of its own, and the target of a redirect that it
    // forwards may not be a URL of fal's.
    if hosts.proxied(from).is_some() {
        return None;
    }
    // They would be sent, and shown in errors.
    if !to.username().is_empty() || to.password().is_some() {
        return None;
    }
    let files = hosts.origin(from) == Origin::Files && hosts.origin(to) == Origin::Files;
    let same = from.origin() == to.origin() && hosts.origin(to) != Origin::Foreign;
    // Without a credential nothing can leak. `authorize::route` refuses http.
    let bare = *carries.authorization == Authorization::Nothing;
    if !same && !files && !bare {
        return None;
    }
    match (method, status) {
        (&Method::GET | &Method::HEAD, _) => Some(method.clone()),
        // The output of an app may be at another URL. fal's services do not redirect otherwise
        // (docs/protocol.md §12.4), and the page at the target would not confirm a change.
        (&Method::POST, StatusCode::SEE_OTHER) if hosts.is_run(from) => Some(Method::GET),
        // A repeated PUT replaces the file; a repeated POST would create a second one.
        (&Method::PUT, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT)
            if carries.is_upload() =>
        {
            (from.origin() == to.origin()).then_some(Method::PUT)
        }
        // The app has run, and any method but GET would run it twice.
        _ => None,
    }
}
