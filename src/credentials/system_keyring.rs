//! The system keyring, for those who ask for it. It is read when a key is needed, not to explain: it may ask the user.

use super::Provider;
use super::environment::Variable;
use super::options::KeyringUse;
use super::source::{Context, Finding, Source, printable_name};

const SWITCH: &str = "FAL_KEYRING";

/// The account of a key that belongs to no profile.
const DEFAULT_ACCOUNT: &str = "default";

pub(super) const SOURCE: Source = Source { name: "keyring", skippable: true, read };

/// Whether this build can read a keyring at all.
const BUILT: bool = cfg!(all(feature = "keyring", not(any(target_os = "ios", target_os = "android"))));

fn read(context: &Context<'_>) -> Finding {
    let by_variable = matches!(context.environment.variable(SWITCH), Variable::Set(text) if text.trim() == "1");
    let account = account(context);
    let place = format!("fal.ai, {}", printable_name(&account));
    match context.options.keyring_use() {
        KeyringUse::Off => Finding::absent(),
        KeyringUse::IfAsked if !by_variable => Finding::absent().notes(["read only with FAL_KEYRING=1"]),
        _ if !BUILT => Finding::malformed("this build of libfal cannot read the system keyring (feature `keyring`)"),
        KeyringUse::Empty => Finding::absent().at(place).notes(["the keyring holds no key there"]),
        _ => Finding::found(Provider::Keyring(account)).at(place).notes(["read when a key is needed"]),
    }
}

/// A profile's name, or the default.
fn account(context: &Context<'_>) -> String {
    match context.environment.variable("FAL_PROFILE") {
        Variable::Set(name) => name.trim().to_owned(),
        _ => DEFAULT_ACCOUNT.to_owned(),
    }
}
