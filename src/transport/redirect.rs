//! Which redirects are followed: those that stay within one origin and lead from a GET, or from the
//! run of an app, to a GET; and of an upload only those that say to send it there.

use reqwest::header::{HeaderMap, LOCATION};
use reqwest::{Method, StatusCode};
use url::Url;

use super::authorize::Authorization;
use crate::endpoint::{Hosts, Origin};

/// As browsers and the official clients allow at least this many.
pub(crate) const MOST: usize = 10;

/// The address that an answer points to, if it is a redirect.
pub(crate) fn target(status: StatusCode, headers: &HeaderMap, from: &Url) -> Option<Url> {
    let redirects = matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308);
    let location = headers.get(LOCATION).filter(|_| redirects)?;
    from.join(location.to_str().ok()?).ok()
}

/// What a request carries.
pub(super) struct Carries<'a> {
    pub(super) authorization: &'a Authorization,
    /// Whether it has a body.
    pub(super) content: bool,
}

impl Carries<'_> {
    /// Whether it brings a file, or a part of one, to where files are kept.
    fn is_upload(&self) -> bool {
        self.content
            && matches!(
                self.authorization,
                Authorization::Nothing | Authorization::Files(_)
            )
    }
}

/// The method to follow with, or `None` where the redirect is the caller's to decide on.
pub(super) fn method(
    hosts: &Hosts,
    carries: &Carries<'_>,
    status: StatusCode,
    method: &Method,
    from: &Url,
    to: &Url,
) -> Option<Method> {
    // A proxy may have redirected to a page of its own, and what it forwards is not what an address
    // of fal's says.
    if hosts.proxied(from).is_some() {
        return None;
    }
    let files = hosts.origin(from) == Origin::Files && hosts.origin(to) == Origin::Files;
    let same = from.origin() == to.origin() && hosts.origin(to) != Origin::Foreign;
    // Without a credential nothing can leak; that it stays https is the router's business.
    let bare = *carries.authorization == Authorization::Nothing;
    if !same && !files && !bare {
        return None;
    }
    match (method, status) {
        (&Method::GET | &Method::HEAD, _) => Some(method.clone()),
        // What an app has made may be elsewhere. Nobody else redirects (docs/protocol.md §12.4),
        // and a page that is there says nothing about a change that was asked for.
        (&Method::POST, StatusCode::SEE_OTHER) if hosts.is_run(from) => Some(Method::GET),
        // A PUT replaces what an earlier one left; a POST would make a second file.
        (&Method::PUT, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT)
            if carries.is_upload() =>
        {
            (from.origin() == to.origin()).then_some(Method::PUT)
        }
        // The app answered, so it ran: anything but a GET would run it twice.
        _ => None,
    }
}
