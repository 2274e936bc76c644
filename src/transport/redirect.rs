//! Which redirects are followed: those that stay within one origin, and never by sending a POST again.

use reqwest::header::{HeaderMap, LOCATION};
use reqwest::{Method, StatusCode};
use url::Url;

use super::outgoing::Pass;
use crate::endpoint::{Hosts, Origin};

/// As browsers and the official clients allow at least this many.
pub(crate) const MOST: usize = 10;

/// The address that an answer points to, if it is a redirect.
pub(crate) fn target(status: StatusCode, headers: &HeaderMap, from: &Url) -> Option<Url> {
    let redirects = matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308);
    let location = headers.get(LOCATION).filter(|_| redirects)?;
    from.join(location.to_str().ok()?).ok()
}

/// The method to follow with, or `None` where the redirect is the caller's to decide on.
pub(crate) fn method(
    hosts: &Hosts,
    pass: &Pass,
    status: StatusCode,
    method: &Method,
    from: &Url,
    to: &Url,
) -> Option<Method> {
    // A proxy may have redirected to a page of its own, and what it forwards is not what an address of fal's says.
    if hosts.proxied(from).is_some() {
        return None;
    }
    let files = hosts.origin(from) == Origin::Files && hosts.origin(to) == Origin::Files;
    let same = from.origin() == to.origin() && hosts.origin(to) != Origin::Foreign;
    // Without a credential nothing can leak; that it stays https is the router's business.
    let bare = *pass == Pass::Nothing;
    if !same && !files && !bare {
        return None;
    }
    match (method, status) {
        (&Method::GET | &Method::HEAD, _) => Some(method.clone()),
        (_, StatusCode::SEE_OTHER) => Some(Method::GET),
        // The app answered, so it ran: anything but a GET would run it twice.
        _ => None,
    }
}
