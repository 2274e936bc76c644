//! # Storing keys
//!
//! A key stored in a profile of the configuration file is there for every program on the machine,
//! the official CLI included. The file is the one that fal_credentials_explain() reads: of
//! fal_options_set_config_path(), else of FAL_CONFIG_PATH, else ~/.fal/config.toml. Other profiles,
//! comments and unknown members survive. The file is replaced as a whole, for its owner only; on
//! any failure it is as it was. Each change may wait up to 20 seconds for one that another program
//! is making.

use super::options::{self, fal_options};
use super::texts::Texts;
use crate::credentials::store::{Activate, ProfileInfo, Store};
use crate::credentials::{Environment, remove_from_keyring, store_in_keyring};
use crate::error::{Code, Error, Result};
use crate::key::Key;

/// The profiles of the configuration file as they were when listed. Immutable: several threads may
/// read it at once.
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
    /// Stores a key, "id:secret", in a profile, in the place of one that is there; makes the
    /// profile, the file and its folder if they are missing. With activate it becomes the active
    /// profile: the one that programs use whose user chose none by FAL_PROFILE. The profile and the
    /// key that options may have play no part. options: NULL for the defaults.
    ///
    /// FAL_E_INVALID_ARGUMENT for a name that no profile may have: empty, "__internal__", with a
    /// control character, over 128 characters, or like a key, since names are printed.
    /// FAL_E_MALFORMED_CREDENTIALS for what is no key, and for a file that cannot be understood.
    /// FAL_E_IO if the system refuses, or another program keeps the file.
    fn fal_credentials_store_key(
        options: Option<&fal_options>,
        profile: text[profile_len],
        key: text[key_len],
        activate: bool,
    ) {
        store(options)?.store_key(profile, &parse(key)?, activation(activate))?;
    }

    /// Removes the key of a profile and nothing else of it. A profile that then has nothing in it,
    /// not even a comment, goes too. FAL_E_INVALID_ARGUMENT if there is no such profile; one
    /// without a key is left as it is.
    fn fal_credentials_remove_key(options: Option<&fal_options>, profile: text[profile_len]) {
        store(options)?.remove_key(profile)?;
    }

    /// Lists the profiles of the configuration file, in its order; none if there is no file.
    ///
    /// Free the result with fal_profiles_free().
    fn fal_profiles_list(options: Option<&fal_options>) -> fal_profiles {
        fal_profiles {
            inner: store(options)?.profiles()?,
            texts: Texts::default(),
        }
    }

    /// Makes a profile the active one; NULL for none. FAL_E_INVALID_ARGUMENT if there is no such
    /// profile.
    fn fal_profiles_set_active(options: Option<&fal_options>, profile: Option<text[profile_len]>) {
        store(options)?.set_active(profile)?;
    }
}

frees! {
    /// Frees a list. NULL does nothing.
    fn fal_profiles_free(profiles: *mut fal_profiles);
}

infallible! {
    /// How many profiles there are; 0 for NULL.
    fn fal_profiles_count(profiles: &fal_profiles) -> usize = 0 {
        profiles.inner.len()
    }
}

strings! {
    /// The name of the profile at an index from 0; "(name not shown)" for one that looks like a
    /// key. NULL past the last.
    fn fal_profiles_name(profiles: &fal_profiles, index: usize) {
        Some(profiles.inner.get(index)?.name.clone())
    }

    /// The public id of the profile's key; NULL if it has none, or there is a problem with it.
    fn fal_profiles_key_id(profiles: &fal_profiles, index: usize) {
        profiles.inner.get(index)?.key_id.clone()
    }

    /// Why the profile's key cannot be used; NULL if it can, or there is none.
    fn fal_profiles_problem(profiles: &fal_profiles, index: usize) {
        profiles.inner.get(index)?.problem.clone()
    }

    /// The host that the profile sets for the official CLI; NULL if it sets none. This library does
    /// not use it.
    fn fal_profiles_host(profiles: &fal_profiles, index: usize) {
        profiles.inner.get(index)?.host.clone()
    }
}

infallible! {
    /// Whether the file makes this profile the active one. FAL_PROFILE is stronger. false past the
    /// last.
    fn fal_profiles_is_active(profiles: &fal_profiles, index: usize) -> bool = false {
        profiles.inner.get(index).is_some_and(|profile| profile.active)
    }

    /// The line of the profile's name in the file, from 1; 0 past the last.
    fn fal_profiles_line(profiles: &fal_profiles, index: usize) -> usize = 0 {
        profiles.inner.get(index).map_or(0, |profile| profile.line)
    }
}

fallible! {
    /// Stores a key, "id:secret", in the system keyring, in the place of the one that is there:
    /// account is a profile's name, or "default", which is what is read without a profile. It may
    /// ask the user, and takes a minute at the most.
    ///
    /// FAL_E_IO if there is no keyring, or it refused or stayed locked; FAL_E_INVALID_ARGUMENT in a
    /// build without one; FAL_E_WOULD_DEADLOCK inside a callback.
    fn fal_keyring_store_key(account: text[account_len], key: text[key_len]) {
        store_in_keyring(&Environment::process(), account, &parse(key)?)?;
    }

    /// Removes the account's key from the system keyring; that there is none is no error. Errors as
    /// for fal_keyring_store_key().
    fn fal_keyring_remove_key(account: text[account_len]) {
        remove_from_keyring(&Environment::process(), account)?;
    }
}
