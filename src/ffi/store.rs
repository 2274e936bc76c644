//! # Storing keys
//!
//! A key stored in a profile of the configuration file is there for every program on the machine,
//! the official CLI included. The file is the one that fal_credentials_explain() reads: of
//! fal_options_set_config_path(), else of FAL_CONFIG_PATH, else ~/.fal/config.toml. Other profiles,
//! comments and unknown members survive. The file is replaced as a whole, for its owner only; on
//! any failure it is as it was. Each change may wait up to 20 seconds for one that another program
//! is making.

use std::ffi::c_char;
use std::ptr;

use super::boundary::{self, Out, plain, status};
use super::error::fal_error;
use super::options::fal_options;
use super::status::fal_status;
use super::texts::{Texts, set_len};
use crate::credentials::store::{Activate, ProfileInfo, Store};
use crate::credentials::{Environment, remove_from_keyring, store_in_keyring};
use crate::error::{Code, Error, Result};
use crate::key::Key;

/// The profiles of the configuration file as they were when listed. Immutable: several threads may
/// read it at once.
pub struct fal_profiles {
    profiles: Vec<ProfileInfo>,
    texts: Texts,
}

/// One of the strings of the profile at `index`.
///
/// # Safety
/// `profiles` is NULL or live; `len` is NULL or writable.
unsafe fn string(
    profiles: *const fal_profiles,
    what: &str,
    index: usize,
    len: *mut usize,
    get: impl FnOnce(&ProfileInfo) -> Option<String>,
) -> *const c_char {
    // SAFETY: by this function's own contract.
    plain(ptr::null(), || unsafe {
        set_len(len, 0);
        let Some(profiles) = profiles.as_ref() else {
            return ptr::null();
        };
        profiles.texts.get(&format!("{what} {index}"), len, || {
            profiles.profiles.get(index).and_then(get)
        })
    })
}

/// Reads from the profile at `index`.
///
/// # Safety
/// `profiles` is NULL or live.
unsafe fn read<T: Copy>(
    profiles: *const fal_profiles,
    index: usize,
    fallback: T,
    get: impl FnOnce(&ProfileInfo) -> T,
) -> T {
    // SAFETY: by this function's own contract.
    let profiles = || unsafe { profiles.as_ref() };
    plain(fallback, || {
        profiles()
            .and_then(|profiles| profiles.profiles.get(index))
            .map_or(fallback, get)
    })
}

fn parse(key: &str) -> Result<Key> {
    let (key, _) = Key::parse(key)
        .map_err(|problem| Error::new(Code::MalformedCredentials, problem.to_string()))?;
    Ok(key)
}

/// Stores a key, "id:secret", in a profile, in the place of one that is there; makes the profile,
/// the file and its folder if they are missing. With activate it becomes the active profile: the
/// one that programs use whose user chose none by FAL_PROFILE. The profile and the key that options
/// may have play no part. options: NULL for the defaults.
///
/// FAL_E_INVALID_ARGUMENT for a name that no profile may have: empty, "__internal__", with a
/// control character, over 128 characters, or like a key, since names are printed.
/// FAL_E_MALFORMED_CREDENTIALS for what is no key, and for a file that cannot be understood.
/// FAL_E_IO if the system refuses, or another program keeps the file.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_credentials_store_key(
    options: *const fal_options,
    profile: *const c_char,
    profile_len: usize,
    key: *const c_char,
    key_len: usize,
    activate: bool,
    err: *mut *mut fal_error,
) -> fal_status {
    status(err, || {
        // SAFETY: NULL or a string, by the header's contract.
        let profile = unsafe { boundary::text(profile, profile_len, "profile") }?;
        // SAFETY: as above.
        let key = parse(unsafe { boundary::text(key, key_len, "key") }?)?;
        let activate = if activate {
            Activate::Yes
        } else {
            Activate::No
        };
        // SAFETY: NULL or live, by the header's contract.
        unsafe { store(options) }?.store_key(profile, &key, activate)?;
        Ok(())
    })
}

/// Removes the key of a profile and nothing else of it. A profile that then has nothing in it, not
/// even a comment, goes too. FAL_E_INVALID_ARGUMENT if there is no such profile; one without a key
/// is left as it is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_credentials_remove_key(
    options: *const fal_options,
    profile: *const c_char,
    profile_len: usize,
    err: *mut *mut fal_error,
) -> fal_status {
    status(err, || {
        // SAFETY: NULL or a string, by the header's contract.
        let profile = unsafe { boundary::text(profile, profile_len, "profile") }?;
        // SAFETY: NULL or live, by the header's contract.
        unsafe { store(options) }?.remove_key(profile)?;
        Ok(())
    })
}

/// Lists the profiles of the configuration file, in its order; none if there is no file.
///
/// Free the result with fal_profiles_free().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_profiles_list(
    options: *const fal_options,
    out: *mut *mut fal_profiles,
    err: *mut *mut fal_error,
) -> fal_status {
    status(err, || {
        // SAFETY: NULL or writable, by the header's contract.
        let out = unsafe { Out::object(out, "out") }?;
        // SAFETY: NULL or live, by the header's contract.
        let profiles = unsafe { store(options) }?.profiles()?;
        out.give(fal_profiles {
            profiles,
            texts: Texts::default(),
        });
        Ok(())
    })
}

/// Makes a profile the active one; NULL for none. FAL_E_INVALID_ARGUMENT if there is no such
/// profile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_profiles_set_active(
    options: *const fal_options,
    profile: *const c_char,
    profile_len: usize,
    err: *mut *mut fal_error,
) -> fal_status {
    status(err, || {
        let profile = match profile.is_null() {
            true => None,
            // SAFETY: a string, by the header's contract.
            false => Some(unsafe { boundary::text(profile, profile_len, "profile") }?),
        };
        // SAFETY: NULL or live, by the header's contract.
        unsafe { store(options) }?.set_active(profile)?;
        Ok(())
    })
}

/// Frees a list. NULL does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_profiles_free(profiles: *mut fal_profiles) {
    // SAFETY: the caller owns it.
    unsafe { boundary::free(profiles) }
}

/// How many profiles there are; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_profiles_count(profiles: *const fal_profiles) -> usize {
    plain(0, || {
        // SAFETY: NULL or live, by the header's contract.
        unsafe { profiles.as_ref() }.map_or(0, |profiles| profiles.profiles.len())
    })
}

/// The name of the profile at an index from 0; "(name not shown)" for one that looks like a key.
/// NULL past the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_profiles_name(
    profiles: *const fal_profiles,
    index: usize,
    len: *mut usize,
) -> *const c_char {
    // SAFETY: NULL or live, by the header's contract.
    unsafe {
        string(profiles, "name", index, len, |profile| {
            Some(profile.name.clone())
        })
    }
}

/// The public id of the profile's key; NULL if it has none, or there is a problem with it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_profiles_key_id(
    profiles: *const fal_profiles,
    index: usize,
    len: *mut usize,
) -> *const c_char {
    // SAFETY: NULL or live, by the header's contract.
    unsafe {
        string(profiles, "key id", index, len, |profile| {
            profile.key_id.clone()
        })
    }
}

/// Why the profile's key cannot be used; NULL if it can, or there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_profiles_problem(
    profiles: *const fal_profiles,
    index: usize,
    len: *mut usize,
) -> *const c_char {
    // SAFETY: NULL or live, by the header's contract.
    unsafe {
        string(profiles, "problem", index, len, |profile| {
            profile.problem.clone()
        })
    }
}

/// The host that the profile sets for the official CLI; NULL if it sets none. This library does not
/// use it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_profiles_host(
    profiles: *const fal_profiles,
    index: usize,
    len: *mut usize,
) -> *const c_char {
    // SAFETY: NULL or live, by the header's contract.
    unsafe { string(profiles, "host", index, len, |profile| profile.host.clone()) }
}

/// Whether the file makes this profile the active one. FAL_PROFILE is stronger. false past the
/// last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_profiles_is_active(
    profiles: *const fal_profiles,
    index: usize,
) -> bool {
    // SAFETY: NULL or live, by the header's contract.
    unsafe { read(profiles, index, false, |profile| profile.active) }
}

/// The line of the profile's name in the file, from 1; 0 past the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_profiles_line(profiles: *const fal_profiles, index: usize) -> usize {
    // SAFETY: NULL or live, by the header's contract.
    unsafe { read(profiles, index, 0, |profile| profile.line) }
}

/// # Safety
/// `options` is NULL or live.
pub(super) unsafe fn store(options: *const fal_options) -> Result<Store> {
    // SAFETY: by this function's own contract.
    let options = unsafe { super::options::credentials(options) };
    Ok(Store::open(&options, &Environment::process())?)
}

/// Stores a key, "id:secret", in the system keyring, in the place of the one that is there: account
/// is a profile's name, or "default", which is what is read without a profile. It may ask the user,
/// and takes a minute at the most.
///
/// FAL_E_IO if there is no keyring, or it refused or stayed locked; FAL_E_INVALID_ARGUMENT in a
/// build without one; FAL_E_WOULD_DEADLOCK inside a callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_keyring_store_key(
    account: *const c_char,
    account_len: usize,
    key: *const c_char,
    key_len: usize,
    err: *mut *mut fal_error,
) -> fal_status {
    status(err, || {
        // SAFETY: NULL or a string, by the header's contract.
        let account = unsafe { boundary::text(account, account_len, "account") }?;
        // SAFETY: NULL or a string, by the header's contract.
        let key = parse(unsafe { boundary::text(key, key_len, "key") }?)?;
        store_in_keyring(&Environment::process(), account, &key)
    })
}

/// Removes the account's key from the system keyring; that there is none is no error. Errors as for
/// fal_keyring_store_key().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fal_keyring_remove_key(
    account: *const c_char,
    account_len: usize,
    err: *mut *mut fal_error,
) -> fal_status {
    status(err, || {
        // SAFETY: NULL or a string, by the header's contract.
        let account = unsafe { boundary::text(account, account_len, "account") }?;
        remove_from_keyring(&Environment::process(), account).map(|_| ())
    })
}
