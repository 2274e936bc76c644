//! # Storing keys
//!
//! A key that is stored in a profile of the configuration file is available to every program of the
//! user, the official CLI included. The file is the one that fal_credentials_explain() reads: the
//! one set by fal_options_set_config_path(), else by FAL_CONFIG_PATH, else ~/.fal/config.toml.
//! Other profiles, comments and unknown members are preserved. The file is replaced atomically and
//! is readable by its owner only; on failure it is unchanged. A change waits up to 20 seconds for
//! another program that is changing the file.
//!
//! In these functions options may be NULL for the defaults. A key and a profile that are set in the
//! options have no effect.

use super::options::{self, fal_options};
use super::texts::Texts;
use crate::credentials::store::{Activate, ProfileInfo, Store};
use crate::credentials::{Environment, remove_from_keyring, store_in_keyring};
use crate::error::{Code, Error, Result};
use crate::key::Key;

/// The profiles of the configuration file at the time of fal_profiles_list(). Unique; freed with
/// fal_profiles_free(). It is immutable: several threads may read it at once.
pub struct fal_profiles {
    inner: Vec<ProfileInfo>,
    texts: Texts,
}

pub(super) fn store(options: Option<&fal_options>) -> Result<Store> {
    Ok(Store::open(
        &options::credentials(options),
        &Environment::process(),
    )?)
}

pub(super) fn activation(activate: bool) -> Activate {
    match activate {
        true => Activate::Yes,
        false => Activate::No,
    }
}

fn parse(key: &str) -> Result<Key> {
    let (key, _) = Key::parse(key)
        .map_err(|problem| Error::new(Code::MalformedCredentials, problem.to_string()))?;
    Ok(key)
}

fallible! {
    /// Stores a key, "id:secret", in a profile and replaces the profile's previous key. Creates the
    /// profile, the file and its folder if they do not exist. activate makes it the active profile,
    /// which programs use if the variable FAL_PROFILE is not set.
    ///
    /// FAL_E_INVALID_ARGUMENT if the name of the profile is empty, is "__internal__", has a control
    /// character, has more than 128 characters, or looks like a key (names are printed).
    /// FAL_E_MALFORMED_CREDENTIALS if the key is not a key, or the file cannot be parsed. FAL_E_IO
    /// if the system denies access, or another program holds the file for too long.
    fn fal_profiles_store_key(
        options: Option<&fal_options>,
        profile: text[profile_len],
        key: text[key_len],
        activate: bool,
    ) {
        store(options)?.store_key(profile, &parse(key)?, activation(activate))?;
    }

    /// Removes the key of a profile, and the profile too if nothing is left in it, not even a
    /// comment. Does nothing to a profile without a key. FAL_E_INVALID_ARGUMENT if the profile does
    /// not exist.
    fn fal_profiles_remove_key(options: Option<&fal_options>, profile: text[profile_len]) {
        store(options)?.remove_key(profile)?;
    }

    /// Lists the profiles of the configuration file in the order of the file. The list is empty if
    /// there is no file.
    ///
    /// Free the list with fal_profiles_free().
    fn fal_profiles_list(options: Option<&fal_options>) -> fal_profiles {
        fal_profiles {
            inner: store(options)?.profiles()?,
            texts: Texts::default(),
        }
    }

    /// Makes a profile the active one; NULL makes none active. FAL_E_INVALID_ARGUMENT if the
    /// profile does not exist.
    fn fal_profiles_set_active(options: Option<&fal_options>, profile: Option<text[profile_len]>) {
        store(options)?.set_active(profile)?;
    }
}

frees! {
    /// Frees a list. NULL is ignored.
    fn fal_profiles_free(profiles: *mut fal_profiles);
}

infallible! {
    /// Returns the number of profiles; 0 for NULL. The functions fal_profiles_… below take an index
    /// from 0 to this count minus 1, and return NULL, false or 0 for a larger one.
    fn fal_profiles_count(profiles: &fal_profiles) -> usize = 0 {
        profiles.inner.len()
    }
}

strings! {
    /// Returns the name of a profile; "(name not shown)" if it looks like a key.
    fn fal_profiles_name(profiles: &fal_profiles, index: usize) {
        Some(profiles.inner.get(index)?.name.clone())
    }

    /// Returns the public id of a profile's key; NULL if it has no key or an unusable one.
    fn fal_profiles_key_id(profiles: &fal_profiles, index: usize) {
        profiles.inner.get(index)?.key_id.clone()
    }

    /// Returns why a profile's key is unusable; NULL if it is usable, or there is none.
    fn fal_profiles_problem(profiles: &fal_profiles, index: usize) {
        profiles.inner.get(index)?.problem.clone()
    }

    /// Returns the host that a profile sets for the official CLI, which libfal does not use; NULL
    /// if it sets none.
    fn fal_profiles_host(profiles: &fal_profiles, index: usize) {
        profiles.inner.get(index)?.host.clone()
    }
}

infallible! {
    /// Returns whether the file makes this profile the active one. The variable FAL_PROFILE takes
    /// precedence over the file.
    fn fal_profiles_is_active(profiles: &fal_profiles, index: usize) -> bool = false {
        profiles.inner.get(index).is_some_and(|profile| profile.active)
    }

    /// Returns the line of the profile's name in the file, counted from 1.
    fn fal_profiles_line(profiles: &fal_profiles, index: usize) -> usize = 0 {
        profiles.inner.get(index).map_or(0, |profile| profile.line)
    }
}

fallible! {
    /// Stores a key, "id:secret", in the system keyring and replaces the account's previous key.
    /// account is the name of a profile, or "default" for the key that is used without a profile.
    /// The system may ask the user to unlock the keyring; the call takes at most a minute.
    ///
    /// FAL_E_IO if there is no keyring, or it denied access or stayed locked;
    /// FAL_E_INVALID_ARGUMENT in a build without keyring support; FAL_E_WOULD_DEADLOCK inside a
    /// callback.
    fn fal_keyring_store_key(account: text[account_len], key: text[key_len]) {
        store_in_keyring(&Environment::process(), account, &parse(key)?)?;
    }

    /// Removes the account's key from the system keyring. Succeeds if there is no such key. Fails
    /// like fal_keyring_store_key().
    fn fal_keyring_remove_key(account: text[account_len]) {
        remove_from_keyring(&Environment::process(), account)?;
    }
}
