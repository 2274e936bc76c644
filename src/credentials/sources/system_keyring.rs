//! The system keyring, for those who ask for it. It is read when a key is needed, not to explain:
//! it may ask the user.
//!
//! In a build without the feature `keyring` everything here fails and says so.

use super::{Context, Finding, Source};
use crate::credentials::environment::Variable;
use crate::credentials::options::KeyringUse;
use crate::credentials::printable::printable_name;
use crate::credentials::{Environment, Provider};
use crate::error::{Code, Error, Result};
use crate::key::Key;
use crate::runtime;

const SWITCH: &str = "FAL_KEYRING";

/// The account of a key that belongs to no profile.
const DEFAULT_ACCOUNT: &str = "default";

pub(crate) const SOURCE: Source = Source {
    name: "keyring",
    skippable: true,
    read,
};

/// Whether this build can read a keyring at all.
const BUILT: bool = cfg!(all(
    feature = "keyring",
    not(any(target_os = "ios", target_os = "android"))
));

const NOT_BUILT: &str =
    "this build of libfal cannot use the system keyring (cargo feature `keyring`)";

fn read(context: &Context<'_>) -> Finding {
    let account = account(context);
    match context.options.keyring_use() {
        KeyringUse::Off => Finding::absent(),
        KeyringUse::IfAsked if !by_variable(context) => {
            Finding::absent().notes(["read only with FAL_KEYRING=1"])
        }
        _ if !BUILT => Finding::malformed(NOT_BUILT),
        KeyringUse::Empty => Finding::absent()
            .at(place(&account))
            .notes(["the keyring holds no key there"]),
        _ => entry(account),
    }
}

/// Whether the keyring can be asked for a profile that the configuration file does not have.
pub(crate) fn may_hold(context: &Context<'_>) -> bool {
    match context.options.keyring_use() {
        KeyringUse::Off | KeyringUse::Empty => false,
        KeyringUse::IfAsked => BUILT && by_variable(context),
        KeyringUse::On => BUILT,
    }
}

/// The entry of an account.
pub(crate) fn entry(account: String) -> Finding {
    let place = place(&account);
    Finding::found(Provider::Keyring(account))
        .at(place)
        .notes(["read when a key is needed"])
}

fn by_variable(context: &Context<'_>) -> bool {
    matches!(context.environment.variable(SWITCH), Variable::Set(text) if text.trim() == "1")
}

fn place(account: &str) -> String {
    format!("fal.ai, {}", printable_name(account))
}

/// A profile's name, or the default.
fn account(context: &Context<'_>) -> String {
    match context.environment.variable("FAL_PROFILE") {
        Variable::Set(name) => name.trim().to_owned(),
        _ => DEFAULT_ACCOUNT.to_owned(),
    }
}

/// Stores a key in the system keyring, in the place of the one that is there: under a profile's
/// name, or under `default`, which is what is read without a profile. With the keyring asked for, a
/// profile that is named by [`Options::profile`](crate::credentials::Options::profile) or
/// `FAL_PROFILE` and that the configuration file does not have, or has without a key, is looked for
/// there. It may ask the user to unlock the keyring, and takes a minute at the most.
///
/// # Errors
///
/// [`Code::Io`]: there is no keyring, or it refused, stayed locked or did not answer. [`Code::InvalidArgument`]: this build has
/// no keyring. [`Code::WouldDeadlock`]: this is a callback.
pub fn store_in_keyring(environment: &Environment, account: &str, key: &Key) -> Result<()> {
    runtime::may_wait()?;
    backend::store(environment, account, key)
}

/// Removes a key from the system keyring; false if there is none.
///
/// # Errors
///
/// As for [`store_in_keyring`].
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
