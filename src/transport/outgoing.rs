//! The one place where a request gets its credential and its real address.

use reqwest::header::{AUTHORIZATION, HOST, HeaderMap, HeaderValue};
use url::Url;

use crate::credentials::Credential;
use crate::endpoint::{Hosts, Origin};
use crate::error::{Code, Error, Result};

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
    match hosts.origin(url) {
        Origin::Foreign => return Err(foreign(url)),
        Origin::Files => {}
        Origin::Key => authorize(&mut headers, credential)?,
    }
    let Some(emulator) = hosts.emulator else { return Ok(Route { url: url.clone(), headers }) };
    let authority = url.authority();
    headers.insert(HOST, HeaderValue::from_str(authority).map_err(|_| foreign(url))?);
    let mut physical = url.clone();
    let moved = physical.set_scheme("http").is_ok()
        && physical.set_ip_host(emulator.ip()).is_ok()
        && physical.set_port(Some(emulator.port())).is_ok();
    match moved {
        true => Ok(Route { url: physical, headers }),
        false => Err(foreign(url)),
    }
}

fn authorize(headers: &mut HeaderMap, credential: &Credential) -> Result<()> {
    if let Credential::Key(key) = credential {
        let mut value = HeaderValue::from_str(&key.authorization())
            .map_err(|_| Error::new(Code::MalformedCredentials, "the key cannot be put into a header"))?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
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
