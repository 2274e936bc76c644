//! Reads and changes the permissions of a file (docs/protocol.md §9.6, §14.8), for the REST host
//! and the Platform API.

use std::sync::Arc;

use url::Url;

use super::acl::{Acl, Decision};
use super::files::{Content, File, Found};
use super::{IDENTITY, now, with_known_users};
use crate::server::{HOSTS, Service};
use crate::state::State;

/// The longest lifetime of a signed URL in seconds: 7 days.
pub(crate) const LONGEST_SIGNATURE: u64 = 604_800;

/// Why access is denied.
pub(crate) enum Denied {
    /// The URL is not a file's URL without a query.
    BadUrl,
    NotFound,
    /// The file belongs to another account.
    NotOwner,
}

pub(crate) fn file_acl(state: &State, account: &str, url: &str) -> Result<Acl, Denied> {
    Ok(own_file(state, account, url)?.1.acl.clone())
}

/// Sets the ACL of a file and returns the effective one: rules about unknown accounts are dropped.
pub(crate) fn set_file_acl(
    state: &State,
    account: &str,
    url: &str,
    acl: Acl,
) -> Result<Acl, Denied> {
    let (path, _) = own_file(state, account, url)?;
    let acl = with_known_users(state, acl);
    if state.storage.files.set_acl(&path, acl.clone()) {
        Ok(acl)
    } else {
        Err(Denied::NotFound)
    }
}

/// A URL with which the file can be read for `seconds`, whatever the ACL says.
pub(crate) fn sign(
    state: &State,
    account: &str,
    url: &str,
    seconds: u64,
) -> Result<String, Denied> {
    let (path, _) = own_file(state, account, url)?;
    let identity = state
        .storage
        .identities
        .issue("fake-identity-", path, now(state), seconds);
    Ok(format!("{url}?{IDENTITY}={identity}"))
}

/// Removes a file. Its URL is 404 afterwards.
pub(crate) fn remove(state: &State, account: &str, url: &str) -> Result<(), Denied> {
    let (path, _) = own_file(state, account, url)?;
    state.storage.files.remove(&path);
    Ok(())
}

/// The media type of a file of the account.
pub(crate) fn media_type(state: &State, account: &str, url: &str) -> Result<String, Denied> {
    let (_, file) = own_file(state, account, url)?;
    Ok(String::from_utf8_lossy(file.content_type.as_bytes()).into_owned())
}

/// The content at a URL, if the account may read it.
pub(crate) fn readable(state: &State, account: &str, url: &str) -> Result<Content, Denied> {
    let path = path_of(url).ok_or(Denied::BadUrl)?;
    let Found::File(file) = state.storage.files.find(&path, now(state)) else {
        return Err(Denied::NotFound);
    };
    match file
        .acl
        .decide(file.owner.as_deref(), &[account.to_owned()])
    {
        Decision::Allow => Ok(file.content.clone()),
        _ => Err(Denied::NotOwner),
    }
}

/// The path of a file of the account, and the file.
fn own_file(state: &State, account: &str, url: &str) -> Result<(String, Arc<File>), Denied> {
    let path = path_of(url).ok_or(Denied::BadUrl)?;
    let Found::File(file) = state.storage.files.find(&path, now(state)) else {
        return Err(Denied::NotFound);
    };
    if file.owner.as_deref() == Some(account) {
        Ok((path, file))
    } else {
        Err(Denied::NotOwner)
    }
}

/// The path of a file's URL, on either of the two hosts (§16.50).
fn path_of(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let of_cdn = HOSTS
        .iter()
        .any(|(host, service)| *service == Service::Cdn && url.host_str() == Some(host));
    let plain = url.query().is_none() && url.fragment().is_none() && url.port().is_none();
    (url.scheme() == "https" && of_cdn && plain).then(|| url.path().to_owned())
}
