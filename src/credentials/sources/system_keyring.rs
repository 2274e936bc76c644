//! The system keyring, which is off by default. It is read at the first call, not when the sources
//! are read, because it may ask the user to unlock it.
//!
//! In a build without the feature `keyring`, every function here fails.

use super::{Context, Finding, Source};
use crate::credentials::environment::{Environment, Variable};
use crate::credentials::options::KeyringUse;
use crate::credentials::printable::printable_name;
use crate::credentials::provider::Provider;
use crate::error::{Code, Error, Result};
use crate::key::Key;
use crate::runtime;

const SWITCH: &str = "FAL_KEYRING";

/// The account of the key that is used without a profile.
const DEFAULT_ACCOUNT: &str = "default";

pub(crate) const SOURCE: Source = Source {
    name: "keyring",
    skippable: true,
    read,
};

/// Whether this build can read a keyring.
const BUILT: bool = cfg!(all(
    feature = "keyring",
    not(any(target_os = "ios", target_os = "android"))
));

const NOT_BUILT: &str =
    "this build of libfal cannot use the system keyring (cargo feature `keyring`)";

fn read(context: &Context<'_>) -> Finding {
    let account = account(context);
    match context.options.keyring {
        KeyringUse::Off => Finding::absent(),
        KeyringUse::IfAsked if !context.environment.is_one(SWITCH) => {
            Finding::absent().notes(["read only with FAL_KEYRING=1"])
        }
        _ if !BUILT => Finding::malformed(NOT_BUILT),
        KeyringUse::Empty => Finding::absent()
            .at(place(&account))
            .notes(["the keyring holds no key there"]),
        _ => entry(account),
    }
}

/// Returns whether the keyring may hold the key of a profile that has none in the configuration
/// file.
pub(crate) fn may_hold(context: &Context<'_>) -> bool {
    BUILT
        && match context.options.keyring {
            KeyringUse::Off | KeyringUse::Empty => false,
            KeyringUse::IfAsked => context.environment.is_one(SWITCH),
            KeyringUse::On => true,
        }
}

/// Returns the finding for an account.
pub(crate) fn entry(account: String) -> Finding {
    let place = place(&account);
    Finding::found(Provider::Keyring(account))
        .at(place)
        .notes(["read when a key is needed"])
}

fn place(account: &str) -> String {
    format!("fal.ai, {}", printable_name(account))
}

/// Returns the profile in `FAL_PROFILE`, or the default account.
fn account(context: &Context<'_>) -> String {
    match context.environment.variable("FAL_PROFILE") {
        Variable::Set(name) => name.trim().to_owned(),
        _ => DEFAULT_ACCOUNT.to_owned(),
    }
}

/// Stores a key in the system keyring. Replaces the present key of the account.
///
/// `account` is the name of a profile, or `default` for the key that is used without a profile. If
/// the keyring is enabled, it is searched for a profile that
/// [`Options::profile`](crate::credentials::Options::profile) or `FAL_PROFILE` names and that has
/// no key in the configuration file.
///
/// Blocks for at most a minute. The keyring may ask the user to unlock it.
///
/// # Errors
///
/// - [`Code::Io`]: there is no keyring, or it refused, stayed locked or did not respond.
/// - [`Code::InvalidArgument`]: this build has no keyring.
/// - [`Code::WouldDeadlock`]: the caller is a callback of libfal.
pub fn store_in_keyring(environment: &Environment, account: &str, key: &Key) -> Result<()> {
    runtime::may_wait()?;
    backend::store(environment, account, key)
}

/// Removes a key from the system keyring. Returns false if there is none.
///
/// # Errors
///
/// Those of [`store_in_keyring`].
pub fn remove_from_keyring(environment: &Environment, account: &str) -> Result<bool> {
    runtime::may_wait()?;
    backend::remove(environment, account)
}

#[cfg(all(
    feature = "keyring",
    not(any(target_os = "ios", target_os = "android"))
))]
mod backend {
    use super::*;
    use crate::credentials::keyring::{self, DEFAULT_TIMEOUT, KeyringProblem, Limits};

    const LIMITS: Limits<'_> = Limits {
        timeout: DEFAULT_TIMEOUT,
        cancelled: &|| false,
    };

    pub(crate) fn store(environment: &Environment, account: &str, key: &Key) -> Result<()> {
        keyring::store(environment, account, key, LIMITS).map_err(failed)
    }

    pub(crate) fn remove(environment: &Environment, account: &str) -> Result<bool> {
        keyring::remove(environment, account, LIMITS).map_err(failed)
    }

    fn failed(problem: KeyringProblem) -> Error {
        Error::new(Code::Io, format!("the system keyring: {problem}"))
    }
}

#[cfg(not(all(
    feature = "keyring",
    not(any(target_os = "ios", target_os = "android"))
)))]
mod backend {
    use super::*;

    pub(crate) fn store(_: &Environment, _: &str, _: &Key) -> Result<()> {
        Err(Error::new(Code::InvalidArgument, NOT_BUILT))
    }

    pub(crate) fn remove(_: &Environment, _: &str) -> Result<bool> {
        Err(Error::new(Code::InvalidArgument, NOT_BUILT))
    }
}
