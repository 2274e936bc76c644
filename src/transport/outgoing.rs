//! The one place where a request gets its credential and its real address.

use std::net::SocketAddr;

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, HOST, HeaderMap, HeaderName, HeaderValue};
use url::Url;

use crate::credentials::{Credential, Token};
use crate::endpoint::{Hosts, Origin};
use crate::error::{Code, Error, Result};

/// Tells a server proxy where to forward a request (fal-protocol.md §11.1).
const TARGET_URL: HeaderName = HeaderName::from_static("x-fal-target-url");

/// Where a request physically goes, and the headers that depend on it.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
}

/// Routes a request for the final address `url`. The key goes along if, and only if, the address belongs to a
/// service of fal's that takes keys; an address outside fal is refused.
pub(crate) fn route(hosts: &Hosts, url: &Url, credential: &Credential) -> Result<Route> {
    let mut headers = HeaderMap::new();
    let mut target = url.clone();
    match hosts.origin(url) {
        Origin::Foreign => return Err(foreign(url)),
        Origin::Files | Origin::Login => {}
        // Public: asked for without a key, and never by way of a server proxy, which would add its own.
        Origin::Key if hosts.is_key_set(url) => {}
        Origin::Key => {
            authorize(&mut headers, credential)?;
            if let Credential::AppToken(token) = credential {
                open_with_token(hosts, &mut target, token)?;
            }
            if let Some(proxy) = &hosts.proxy {
                headers.insert(TARGET_URL, HeaderValue::from_str(target.as_str()).map_err(|_| foreign(url))?);
                target = proxy.clone();
            }
        }
    }
    match hosts.emulator {
        Some(emulator) => into_emulator(emulator, target, headers),
        None => Ok(Route { url: target, headers }),
    }
}

/// The emulator takes the place of every host, and tells them apart by the Host header.
fn into_emulator(emulator: SocketAddr, mut url: Url, mut headers: HeaderMap) -> Result<Route> {
    headers.insert(HOST, HeaderValue::from_str(url.authority()).map_err(|_| foreign(&url))?);
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
    // The header shares the text and overwrites it in the end; a copy of its own would stay behind.
    let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(text))
        .map_err(|_| Error::new(Code::MalformedCredentials, "the credential cannot be put into a header"))?;
    value.set_sensitive(true);
    headers.insert(AUTHORIZATION, value);
    Ok(())
}

/// A short-lived token travels in the query, and opens the run host only.
fn open_with_token(hosts: &Hosts, url: &mut Url, token: &Token) -> Result<()> {
    if !hosts.is_run(url) {
        let message = format!("a short-lived token opens apps on {}, not {}", hosts.run, shown(url));
        let remedy = "Use a key for this, on a machine that may hold one.";
        return Err(Error::new(Code::Forbidden, message).with_remedy(remedy));
    }
    url.query_pairs_mut().append_pair("fal_jwt_token", token.expose_secret());
    Ok(())
}

fn foreign(url: &Url) -> Error {
    Error::new(Code::ForeignOrigin, format!("{} is not one of fal's services; nothing was sent", shown(url)))
}

/// An address for people: without user, query and fragment, which may hold secrets.
pub(crate) fn shown(url: &Url) -> String {
    match url.host_str() {
        Some(_) => format!("{}{}", url.origin().ascii_serialization(), url.path()),
        None => format!("an address of scheme {}", url.scheme()),
    }
}
