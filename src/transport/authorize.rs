//! Adds the credential to a request and chooses the URL that it is sent to. No other code does.

use std::borrow::Cow;
use std::fmt::{self, Write};
use std::net::SocketAddr;

use bytes::Bytes;
use hyper::Uri;
use hyper::http::uri::InvalidUri;
use reqwest::header::{AUTHORIZATION, HOST, HeaderName, HeaderValue};
use url::{Position, Url};
use zeroize::Zeroizing;

use crate::credentials::{Credential, Token};
use crate::endpoint::{Hosts, Origin};
use crate::error::{Code, Error, Result};
use crate::secrets::Secrets;

/// The header that tells a server proxy where to forward a request (docs/protocol.md §11.1).
const TARGET_URL: HeaderName = HeaderName::from_static("x-fal-target-url");

/// Room for the scheme and the address of the emulator.
const ADDRESS: usize = 64;

/// A few headers, which a map would make larger.
type Headers = Vec<(HeaderName, HeaderValue)>;

/// The URL that a request is sent to, and the headers that depend on it. The URL may contain a
/// token, so `Route` has no `Debug`.
pub(crate) struct Route<'a> {
    pub(crate) url: Cow<'a, Url>,
    /// The emulator, which the request goes to instead of the host of `url`.
    pub(super) emulator: Option<SocketAddr>,
    pub(crate) headers: Headers,
}

impl Route<'_> {
    /// Returns the same route on another host, with the headers unchanged.
    pub(crate) fn at(&self, host: &str) -> Result<Route<'static>> {
        let mut url = Url::clone(&self.url);
        url.set_host(Some(host))
            .map_err(|e| Error::invalid(format!("{host:?} is not a host: {e}")))?;
        Ok(Route {
            url: Cow::Owned(url),
            emulator: self.emulator,
            headers: self.headers.clone(),
        })
    }

    /// Whether the request is sent without TLS.
    pub(super) fn is_plain(&self) -> bool {
        self.emulator.is_some() || self.url.scheme() == "http"
    }

    /// Returns the URL for the HTTP client. Fails if it is too long.
    pub(super) fn uri(&self) -> std::result::Result<Uri, InvalidUri> {
        let text = match self.emulator {
            None => self.url.as_str().to_owned(),
            Some(emulator) => {
                let path = &self.url[Position::BeforePath..Position::AfterQuery];
                let mut text = String::with_capacity(ADDRESS + path.len());
                // A text takes everything.
                let _ = write!(text, "http://{emulator}{path}");
                text
            }
        };
        Uri::from_maybe_shared(Bytes::from(text))
    }
}

/// The credential that a request needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Authorization {
    /// The client's credential, sent only to fal's services that accept keys. A URL outside fal is
    /// an error.
    Credential,
    /// A token for fal's file hosts (docs/protocol.md §9.2), sent only to them.
    Files(Token),
    /// A short-lived token for one app (docs/protocol.md §7.1), sent only to the hosts that accept
    /// it. It bypasses a server proxy, which cannot forward a WebSocket.
    App(Token),
    /// The refresh token in the body (docs/protocol.md §1.4), sent only to the login host.
    Renewal(Token),
    /// No credential. The URL may be any https URL, such as a signed one or that of an output
    /// file.
    Nothing,
}

/// Routes a request for `url`. Adds the key if and only if `url` belongs to a service of fal's that
/// accepts keys.
///
/// Registers the credential with `secrets` first, so that no message about the request can contain
/// it.
pub(crate) fn route<'a>(
    hosts: &Hosts,
    url: &'a Url,
    credential: &Credential,
    authorization: &Authorization,
    secrets: &Secrets,
) -> Result<Route<'a>> {
    let mut headers = Headers::new();
    let mut target = Cow::Borrowed(url);
    match authorization {
        Authorization::Credential => credential
            .secret()
            .into_iter()
            .for_each(|secret| secrets.carry(secret)),
        Authorization::Files(token) | Authorization::App(token) | Authorization::Renewal(token) => {
            secrets.carry(token.expose_secret())
        }
        Authorization::Nothing => {}
    }
    match (authorization, hosts.origin(url)) {
        (Authorization::Nothing, _) if url.scheme() == "https" => {}
        (Authorization::Files(token), Origin::Files) => {
            insert(&mut headers, token.authorization())?
        }
        (Authorization::App(token), Origin::Key) => add_app_token(hosts, target.to_mut(), token)?,
        (Authorization::Credential, Origin::Files | Origin::Login)
        | (Authorization::Renewal(_), Origin::Login) => {}
        (Authorization::Credential, Origin::Key) => {
            authorize(&mut headers, credential)?;
            if let Credential::AppToken(token) = credential {
                add_app_token(hosts, target.to_mut(), token)?;
            }
            if let Some(proxy) = &hosts.proxy {
                let value = HeaderValue::from_str(target.as_str()).map_err(|_| foreign(url))?;
                headers.push((TARGET_URL, value));
                target = Cow::Owned(proxy.clone());
            }
        }
        (Authorization::Nothing, _) => return Err(not_https(url)),
        (
            Authorization::Credential
            | Authorization::Files(_)
            | Authorization::App(_)
            | Authorization::Renewal(_),
            _,
        ) => return Err(foreign(url)),
    }
    let emulator = hosts.emulator;
    if emulator.is_some() {
        // It serves every host, and selects one by the Host header.
        let host = HeaderValue::from_str(target.authority()).map_err(|_| foreign(url))?;
        headers.push((HOST, host));
    } else if target.scheme() != "https" && hosts.proxy.as_ref() != Some(&*target) {
        return Err(not_https(url));
    }
    Ok(Route {
        url: target,
        emulator,
        headers,
    })
}

fn authorize(headers: &mut Headers, credential: &Credential) -> Result<()> {
    let text = match credential {
        Credential::Key(key) => key.authorization(),
        Credential::Bearer(token) => token.authorization(),
        Credential::AppToken(_) | Credential::Anonymous => return Ok(()),
    };
    insert(headers, text)
}

fn insert(headers: &mut Headers, text: Zeroizing<String>) -> Result<()> {
    // The header shares the text, which is zeroed when dropped. A copy would stay in memory.
    let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(text)).map_err(|_| {
        Error::new(
            Code::MalformedCredentials,
            "the credential is not a valid header value",
        )
    })?;
    value.set_sensitive(true);
    headers.push((AUTHORIZATION, value));
    Ok(())
}

/// Adds a short-lived token to the query. Only the run host and its WebSockets accept one.
fn add_app_token(hosts: &Hosts, url: &mut Url, token: &Token) -> Result<()> {
    if !hosts.takes_tokens(url) {
        let message = format!(
            "a short-lived token is valid only on {}, not for {}",
            hosts.run,
            shown(url)
        );
        let remedy = "Use a key for this request, on a machine that may store one.";
        return Err(Error::new(Code::Forbidden, message).with_remedy(remedy));
    }
    url.query_pairs_mut()
        .append_pair("fal_jwt_token", token.expose_secret());
    Ok(())
}

fn not_https(url: &Url) -> Error {
    Error::new(
        Code::ForeignOrigin,
        format!("{} is not an https URL; nothing was sent", shown(url)),
    )
}

fn foreign(url: &Url) -> Error {
    Error::new(
        Code::ForeignOrigin,
        format!(
            "{} is not one of fal's services; nothing was sent",
            shown(url)
        ),
    )
}

/// Returns a URL for messages, without user, query and fragment, which may contain secrets.
pub(crate) fn shown(url: &Url) -> impl fmt::Display {
    fmt::from_fn(move |f| match url.host_str() {
        Some(_) => write!(f, "{}{}", url.origin().ascii_serialization(), url.path()),
        None => write!(f, "a URL with the scheme {}", url.scheme()),
    })
}
