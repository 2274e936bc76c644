//! The one place where a request gets its credential and its real address.

use std::net::SocketAddr;

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, HOST, HeaderMap, HeaderName, HeaderValue};
use url::Url;
use zeroize::Zeroizing;

use crate::credentials::{Credential, Token};
use crate::endpoint::{Hosts, Origin};
use crate::error::{Code, Error, Result};
use crate::secrets::Secrets;

/// Tells a server proxy where to forward a request (docs/protocol.md §11.1).
const TARGET_URL: HeaderName = HeaderName::from_static("x-fal-target-url");

/// Where a request physically goes, and the headers that depend on it. A token may be in its
/// address, so it has no `Debug`.
pub(crate) struct Route {
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
}

impl Route {
    /// The same request to another host: everything but the address is as it was made for the
    /// first.
    pub(crate) fn at(&self, host: &str) -> Result<Route> {
        let mut url = self.url.clone();
        url.set_host(Some(host))
            .map_err(|e| Error::invalid(format!("{host:?} is not a host: {e}")))?;
        Ok(Route {
            url,
            headers: self.headers.clone(),
        })
    }
}

/// What a request carries besides itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Authorization {
    /// The client's credential, to those of fal's services that take keys; an address outside fal
    /// is refused.
    Credential,
    /// A token of fal's file hosts (docs/protocol.md §9.2), to those and to nobody else.
    Files(Token),
    /// A short-lived token for one app (docs/protocol.md §7.1), to the hosts that take those; past
    /// a server proxy, which cannot forward what such a token is for.
    App(Token),
    /// The refresh token that the body holds (docs/protocol.md §1.4), to the host of logins and to
    /// nobody else.
    Renewal(Token),
    /// Nothing at all, so the address may be anybody's: a signed URL, the file that an answer
    /// names.
    Nothing,
}

/// Routes a request for the final address `url`. The key goes along if, and only if, the address
/// belongs to a service of fal's that takes keys.
///
/// What goes along is noted in `secrets` first: nothing that is said about the request may hold it.
pub(crate) fn route(
    hosts: &Hosts,
    url: &Url,
    credential: &Credential,
    authorization: &Authorization,
    secrets: &Secrets,
) -> Result<Route> {
    let mut headers = HeaderMap::new();
    let mut target = url.clone();
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
        (Authorization::App(token), Origin::Key) => open_with_token(hosts, &mut target, token)?,
        (Authorization::Credential, Origin::Files | Origin::Login)
        | (Authorization::Renewal(_), Origin::Login) => {}
        (Authorization::Credential, Origin::Key) => {
            authorize(&mut headers, credential)?;
            if let Credential::AppToken(token) = credential {
                open_with_token(hosts, &mut target, token)?;
            }
            if let Some(proxy) = &hosts.proxy {
                headers.insert(
                    TARGET_URL,
                    HeaderValue::from_str(target.as_str()).map_err(|_| foreign(url))?,
                );
                target = proxy.clone();
            }
        }
        (Authorization::Nothing, _) => return Err(not_https(url)),
        (
            Authorization::Credential
            | Authorization::Files(_)
            | Authorization::App(_)
            | Authorization::Renewal(_),
            _,
        ) => {
            return Err(foreign(url));
        }
    }
    match hosts.emulator {
        Some(emulator) => into_emulator(emulator, target, headers),
        None if target.scheme() == "https" || hosts.proxy.as_ref() == Some(&target) => Ok(Route {
            url: target,
            headers,
        }),
        None => Err(not_https(url)),
    }
}

/// The emulator takes the place of every host, and tells them apart by the Host header.
fn into_emulator(emulator: SocketAddr, mut url: Url, mut headers: HeaderMap) -> Result<Route> {
    headers.insert(
        HOST,
        HeaderValue::from_str(url.authority()).map_err(|_| foreign(&url))?,
    );
    let moved = url.set_scheme("http").is_ok()
        && url.set_ip_host(emulator.ip()).is_ok()
        && url.set_port(Some(emulator.port())).is_ok();
    match moved {
        true => Ok(Route { url, headers }),
        false => Err(foreign(&url)),
    }
}

fn authorize(headers: &mut HeaderMap, credential: &Credential) -> Result<()> {
    let text = match credential {
        Credential::Key(key) => key.authorization(),
        Credential::Bearer(token) => token.authorization(),
        Credential::AppToken(_) | Credential::Anonymous => return Ok(()),
    };
    insert(headers, text)
}

fn insert(headers: &mut HeaderMap, text: Zeroizing<String>) -> Result<()> {
    // The header shares the text and overwrites it in the end; a copy of its own would stay behind.
    let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(text)).map_err(|_| {
        Error::new(
            Code::MalformedCredentials,
            "the credential cannot be put into a header",
        )
    })?;
    value.set_sensitive(true);
    headers.insert(AUTHORIZATION, value);
    Ok(())
}

/// A short-lived token travels in the query, and opens the run host and its WebSockets only.
fn open_with_token(hosts: &Hosts, url: &mut Url, token: &Token) -> Result<()> {
    if !hosts.takes_tokens(url) {
        let message = format!(
            "a short-lived token opens apps on {}, not {}",
            hosts.run,
            shown(url)
        );
        let remedy = "Use a key for this, on a machine that may hold one.";
        return Err(Error::new(Code::Forbidden, message).with_remedy(remedy));
    }
    url.query_pairs_mut()
        .append_pair("fal_jwt_token", token.expose_secret());
    Ok(())
}

fn not_https(url: &Url) -> Error {
    Error::new(
        Code::ForeignOrigin,
        format!("{} is not an https address; nothing was sent", shown(url)),
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

/// An address for people: without user, query and fragment, which may hold secrets.
pub(crate) fn shown(url: &Url) -> String {
    match url.host_str() {
        Some(_) => format!("{}{}", url.origin().ascii_serialization(), url.path()),
        None => format!("an address of scheme {}", url.scheme()),
    }
}
